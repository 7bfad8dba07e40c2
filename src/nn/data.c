/* Data sets: samples and targets in memory, and views of them. Owns: the memory, which goes with its last view.
 *
 * Samples stay in the format they came in (a byte a pixel) and become float32 when a batch is read, scaled on the way in float64: a table of large
 * numbers with a small spread keeps its digits. Trap: a label outside its range must be found here, where it can be named, and not by a net's gather.
 */
#include "nn/data.h"
#include "base/json.h"
#include "nn/config.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

gg_status gg__store_create(gg__store **out, gg_context *ctx)
{
    gg__store *s = *out = gg_new(ctx, gg__store, 1);
    if (!s)
        return GG_ENOMEM;
    s->ctx = ctx;
    s->arena.ctx = ctx;
    s->about.target = GG_TARGET_NONE;
    atomic_init(&s->users, 1);
    return GG_OK;
}

void gg__store_drop(gg__store *s)
{
    if (!s || atomic_fetch_sub(&s->users, 1) > 1)
        return;
    gg_drop(s->ctx, s->own);
    gg_arena_free(&s->arena);
    json_decref(s->schema);
    gg_drop(s->ctx, s);
}

gg_status gg__store_classes(gg__store *s, int64_t n_classes, const char *const *name)
{
    const char **copy = gg_arena_alloc(&s->arena, gg_mul(n_classes, sizeof *copy));
    if (!copy)
        return GG_ENOMEM;
    for (int64_t k = 0; k < n_classes; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k);
        const char *text = name ? name[k] : number;
        if (!(copy[k] = gg_arena_strndup(&s->arena, text, strlen(text))))
            return GG_ENOMEM;
    }
    s->about.n_classes = n_classes;
    s->about.class_name = copy;
    s->about.target = GG_TARGET_CLASS;
    return GG_OK;
}

gg_status gg__store_labels(gg__store *s, const int32_t *label, int64_t n_classes, const char *const *name, const char *what)
{
    const int64_t n = s->about.n;
    if (n_classes < 0 || n_classes > INT32_MAX)
        return gg_fail(s->ctx, GG_EINVAL, "%lld classes", (long long)n_classes);
    int64_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0 || (n_classes && label[i] >= n_classes))
            return gg_fail(s->ctx, GG_EINVAL, "%s %lld is %d, %s%lld", what, (long long)i, (int)label[i],
                           n_classes ? "the classes are 0.." : "classes are counted from ",
                           (long long)(n_classes ? n_classes - 1 : 0));
        most = label[i] > most ? label[i] : most;
    }
    if (!n_classes && most >= n && most >= 65536)
        return gg_fail(s->ctx, GG_EINVAL, "%lld classes for %lld samples: the labels (the largest is %lld) are no classes; give their number if they are",
                       (long long)most + 1, (long long)n, (long long)most);
    n_classes = n_classes ? n_classes : most + 1;
    int32_t *copy = gg_arena_alloc(&s->arena, gg_mul(n, sizeof *copy));
    if (!copy)
        return GG_ENOMEM;
    memcpy(copy, label, (size_t)n * sizeof *copy);
    s->label = copy;
    return gg__store_classes(s, n_classes, name);
}

#define NUMBER_FORMATS(X) \
    X(F32, float) X(F64, double) X(I8, int8_t) X(I16, int16_t) X(I32, int32_t) X(I64, int64_t) X(U8, uint8_t) X(U16, uint16_t) X(U32, uint32_t) \
    X(U64, uint64_t) X(BOOL, uint8_t)

bool gg__data_takes(gg_dtype t)
{
#define X(code, type) \
    if (t == GG_##code) \
        return true;
    NUMBER_FORMATS(X)
#undef X
    return t == GG_F16;
}

double gg__data_number(const void *x, gg_dtype t, int64_t at)
{
#define X(code, type) \
    if (t == GG_##code) \
        return (double)((const type *)x)[at];
    NUMBER_FORMATS(X)
#undef X
    float v = NAN;
    gg_to_f32(&v, (const uint16_t *)x + at, t, 1);
    return v;
}

gg_status gg__store_check(gg__store *s, bool may_miss, const char *what)
{
    const gg_dtype t = s->about.dtype;
    if (t != GG_F32 && t != GG_F64 && t != GG_F16)
        return GG_OK;
    for (int64_t i = 0; i < s->about.n; i++)
        for (int64_t j = 0; j < s->width; j++) {
            const double v = gg__data_number(s->x, t, i * s->row + j);
            if (!isfinite(v) && !(isnan(v) && may_miss))
                return gg_fail(s->ctx, GG_ENAN, "%s %lld, feature %lld is not a finite number", what, (long long)i, (long long)j);
            s->about.missing = s->about.missing || isnan(v);
        }
    return GG_OK;
}

gg_status gg__data_whole(gg_data **out, gg__store *s, gg_status so_far)
{
    *out = NULL;
    gg_data *d = so_far == GG_OK ? gg_new(s->ctx, gg_data, 1) : NULL;
    if (!d) {
        gg__store_drop(s);
        return so_far != GG_OK ? so_far : GG_ENOMEM;
    }
    *d = (gg_data){.store = s, .about = s->about};
    *out = d;
    return GG_OK;
}

void gg_data_free(gg_data *d)
{
    if (!d)
        return;
    gg_context *ctx = d->store->ctx;
    gg__store_drop(d->store);
    gg_drop(ctx, d->own);
    gg_drop(ctx, d);
}

/* --- from arrays --------------------------------------------------------------------------------------------------------------------------- */
/* Does a sample lie in one piece? */
static bool rows_are_whole(const gg_array *x)
{
    int64_t want = 1;
    for (int k = x->n_dims - 1; k > 0; k--) {
        if (x->shape[k] > 1 && x->stride[k] != want)
            return false;
        want *= x->shape[k];
    }
    return true;
}

static void copy_strided(uint8_t *out, const gg_array *x, int64_t count, size_t size)
{
    int64_t index[GG_MAX_DIMS] = {0}, from = 0;
    for (int64_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * size, (const uint8_t *)x->data + (ptrdiff_t)from * (ptrdiff_t)size, size);
        for (int k = x->n_dims - 1; k >= 0; k--) {
            from += x->stride[k];
            if (++index[k] < x->shape[k])
                break;
            from -= x->stride[k] * x->shape[k];
            index[k] = 0;
        }
    }
}

static gg_status take_samples(gg__store *s, const gg_data_arrays *a)
{
    gg_context *ctx = s->ctx;
    const gg_array *x = &a->x;
    if (x->n_dims < 1 || x->n_dims > GG_MAX_DIMS || !gg__data_takes(x->dtype))
        return gg_fail(ctx, GG_EINVAL, "samples of %d dimensions in %s: one dimension and more of F32, F64, F16 or integers", x->n_dims,
                       gg_dtype_name(x->dtype));
    s->width = 1;
    s->about.sample.n = x->n_dims - 1;
    for (int k = 0; k < x->n_dims; k++) {
        if (x->shape[k] < 1 || gg_mul(k ? s->width : 1, x->shape[k]) > INT64_MAX / 16)
            return gg_fail(ctx, GG_EINVAL, "the samples' dimension %d is %lld: no samples, or too many", k, (long long)x->shape[k]);
        if (k) {
            s->width *= x->shape[k];
            s->about.sample.d[k - 1] = x->shape[k];
        }
    }
    const size_t size = (size_t)gg_dtype_bytes(x->dtype, 1), bytes = gg_mul((int64_t)gg_mul(x->shape[0], s->width), (int64_t)size);
    s->about.n = x->shape[0];
    s->about.dtype = x->dtype;
    if (a->borrow && rows_are_whole(x)) {
        s->x = x->data;
        s->row = x->stride[0];
        return GG_OK;
    }
    if (!(s->own = gg_alloc(ctx, bytes)))
        return GG_ENOMEM;
    copy_strided(s->own, x, x->shape[0] * s->width, size);
    s->x = s->own;
    s->row = s->width;
    return GG_OK;
}

static gg_status check_tokens(const gg__store *s, int64_t n_vocab)
{
    const int32_t *id = s->x;
    if (s->about.dtype != GG_I32)
        return gg_fail(s->ctx, GG_EINVAL, "tokens are I32, these are %s", gg_dtype_name(s->about.dtype));
    for (int64_t i = 0; i < s->about.n; i++)
        for (int64_t j = 0; j < s->width; j++)
            if (id[i * s->row + j] < 0 || id[i * s->row + j] >= n_vocab)
                return gg_fail(s->ctx, GG_EINVAL, "token %lld of sample %lld is %d, the vocabulary is 0..%lld", (long long)j, (long long)i,
                               (int)id[i * s->row + j], (long long)n_vocab - 1);
    return GG_OK;
}

static gg_status take_values(gg__store *s, const float *value, int64_t n_values)
{
    if (n_values < 1)
        return gg_fail(s->ctx, GG_EINVAL, "%lld values a sample", (long long)n_values);
    const size_t count = gg_mul(s->about.n, n_values);
    float *copy = gg_arena_alloc(&s->arena, gg_mul((int64_t)count, sizeof *copy));
    if (!copy)
        return GG_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(copy[i] = value[i]))
            return gg_fail(s->ctx, GG_ENAN, "the value %lld of sample %lld is not a finite number", (long long)i % (long long)n_values,
                           (long long)i / (long long)n_values);
    s->value = copy;
    s->about.n_values = n_values;
    s->about.target = GG_TARGET_VALUE;
    return GG_OK;
}

typedef struct group_at {
    int64_t group, at;
} group_at;

static int by_group(const void *x, const void *y)
{
    const group_at *p = x, *q = y;
    return p->group != q->group ? (p->group > q->group) - (p->group < q->group) : (p->at > q->at) - (p->at < q->at);
}

/* Any numbers become 0, 1, ... in the order of their first sample. */
static gg_status take_groups(gg__store *s, const int64_t *group)
{
    const int64_t n = s->about.n;
    gg_context *ctx = s->ctx;
    group_at *g = gg_new(ctx, group_at, n);
    int64_t *first = gg_new(ctx, int64_t, n), next = 0; /* (n,) the first sample of the sample's group, then that group's number */
    s->group = gg_arena_alloc(&s->arena, gg_mul(n, sizeof *s->group));
    const bool ok = g && first && s->group;
    if (ok) {
        for (int64_t i = 0; i < n; i++)
            g[i] = (group_at){group[i], i};
        qsort(g, (size_t)n, sizeof *g, by_group);
        for (int64_t i = 0; i < n; i++)
            first[g[i].at] = i && g[i].group == g[i - 1].group ? first[g[i - 1].at] : g[i].at;
        for (int64_t i = 0; i < n; i++)
            s->group[i] = first[i] == i ? next++ : s->group[first[i]];
        s->about.groups = true;
    }
    gg_drop(ctx, g);
    gg_drop(ctx, first);
    return ok ? GG_OK : GG_ENOMEM;
}

static gg_status take_arrays(gg__store *s, const gg_data_arrays *a)
{
    if (a->label && a->value)
        return gg_fail(s->ctx, GG_EINVAL, "samples have labels or values, not both");
    GG_TRY(take_samples(s, a));
    if (a->tokens) {
        GG_TRY(check_tokens(s, a->tokens));
        s->about.tokens = true;
        s->about.n_vocab = a->tokens;
    }
    GG_TRY(gg__store_check(s, a->missing, "sample"));
    if (a->label)
        GG_TRY(gg__store_labels(s, a->label, a->n_classes, a->class_name, "label"));
    if (a->value)
        GG_TRY(take_values(s, a->value, a->n_values));
    return a->group ? take_groups(s, a->group) : GG_OK;
}

gg_status gg_data_create(gg_data **out, gg_context *ctx, const gg_data_arrays *a)
{
    gg__store *s;
    *out = NULL;
    GG_TRY(gg__store_create(&s, ctx));
    return gg__data_whole(out, s, take_arrays(s, a));
}

gg_status gg_data_tokens(gg_data **out, gg_context *ctx, const int32_t *token, int64_t n, int64_t n_vocab, int64_t length, int64_t stride)
{
    *out = NULL;
    length = length ? length : 64;
    stride = stride ? stride : length;
    if (length < 1 || stride < 1 || n_vocab < 1)
        return gg_fail(ctx, GG_EINVAL, "samples of %lld tokens, %lld apart, from a vocabulary of %lld", (long long)length, (long long)stride,
                       (long long)n_vocab);
    if (n <= length)
        return gg_fail(ctx, GG_EINVAL, "%lld tokens: a sample of %lld and the one after it need more", (long long)n, (long long)length);
    for (int64_t i = 0; i < n; i++)
        if (token[i] < 0 || token[i] >= n_vocab)
            return gg_fail(ctx, GG_EINVAL, "token %lld is %d, the vocabulary is 0..%lld", (long long)i, (int)token[i], (long long)n_vocab - 1);
    gg__store *s;
    GG_TRY(gg__store_create(&s, ctx));
    int32_t *copy = s->own = gg_new(ctx, int32_t, n);
    if (copy) {
        memcpy(copy, token, (size_t)n * sizeof *copy);
        s->x = copy;
        s->label = copy + 1;
        s->row = stride;
        s->width = length;
        s->about = (gg_data_description){.n = (n - 1 - length) / stride + 1, .sample = GG_SHAPE(length), .dtype = GG_I32, .tokens = true, .n_vocab = n_vocab,
                                         .target = GG_TARGET_TOKEN, .n_classes = n_vocab};
    }
    return gg__data_whole(out, s, copy ? GG_OK : GG_ENOMEM);
}

/* --- what is in them ------------------------------------------------------------------------------------------------------------------------ */
const gg_data_description *gg_data_describe(const gg_data *d) { return &d->about; }

static gg_status check_index(const gg_data *d, const int64_t *index, int64_t n)
{
    if (n < 0 || (!index && n > d->about.n))
        return gg_fail(d->store->ctx, GG_EINVAL, "%lld samples of %lld", (long long)n, (long long)d->about.n);
    for (int64_t i = 0; index && i < n; i++)
        if (index[i] < 0 || index[i] >= d->about.n)
            return gg_fail(d->store->ctx, GG_EINVAL, "sample %lld of %lld", (long long)index[i], (long long)d->about.n);
    return GG_OK;
}

static gg_status other_kind(const gg_data *d, const char *want)
{
    static const char *const has[] = {"", "no targets", "classes", "values", "tokens that follow"};
    return gg_fail(d->store->ctx, GG_EMISMATCH, "%s are asked of data that have %s", want, has[d->about.target]);
}

/* One sample of numbers as float32, scaled. */
#define READ_ROW(type)                                                            \
    for (int64_t k = 0, j = 0; k < n; k++) {                                      \
        const double shift = s ? s->shift[k] : 0, by = s ? s->inverse[k] : 1;     \
        for (const int64_t end = j + shared; j < end; j++)                        \
            out[j] = (float)(((double)((const type *)x)[j] - shift) * by);        \
    }

static void read_row(float *out, const void *x, gg_dtype t, int64_t width, const gg_scaler *s)
{
    const int64_t n = s ? s->n : 1, shared = s ? s->shared : width;
    switch (t) {
#define X(code, type) \
    case GG_##code: READ_ROW(type) break;
        NUMBER_FORMATS(X)
#undef X
    default: /* F16 */
        for (int64_t j = 0; j < width; j++)
            out[j] = (float)((gg__data_number(x, t, j) - (s ? s->shift[j / shared] : 0)) * (s ? s->inverse[j / shared] : 1));
    }
}

static void read_bytes(float *out, const uint8_t *x, const gg_scaler *s)
{
    for (int64_t k = 0; k < s->n; k++)
        for (int64_t j = k * s->shared; j < (k + 1) * s->shared; j++)
            out[j] = s->byte[256 * k + x[j]];
}

/* The numbers that are missing, once the others are read. */
static void fill_row(float *out, int64_t width, const gg_scaler *s)
{
    for (int64_t j = 0; j < width; j++)
        if (isnan(out[j])) {
            const int64_t k = j / s->shared;
            out[j] = (float)((s->fill[k] - s->shift[k]) * s->inverse[k]);
        }
}

gg_status gg_data_read(float *out, const gg_data *d, const int64_t *index, int64_t n, const gg_scaler *s)
{
    const gg__store *store = d->store;
    const size_t size = (size_t)gg_dtype_bytes(store->about.dtype, 1);
    if (store->about.tokens)
        return gg_fail(store->ctx, GG_EMISMATCH, "numbers are asked of data whose samples are tokens");
    if (s && s->n * s->shared != store->width)
        return gg_fail(store->ctx, GG_EMISMATCH, "a scaler of %lld numbers for samples of %lld", (long long)(s->n * s->shared), (long long)store->width);
    if (store->about.missing && !s)
        return gg_fail(store->ctx, GG_EMISMATCH, "some numbers are missing, and no scaler says what they are taken for: gg_scaler_fit, \"none\" at least");
    GG_TRY(check_index(d, index, n));
    for (int64_t i = 0; i < n; i++, out += store->width) {
        const void *x = (const uint8_t *)store->x + (ptrdiff_t)size * (ptrdiff_t)(gg__data_row(d, index, i) * store->row);
        if (s && s->byte && store->about.dtype == GG_U8)
            read_bytes(out, x, s);
        else
            read_row(out, x, store->about.dtype, store->width, s);
        if (store->about.missing)
            fill_row(out, store->width, s);
    }
    return GG_OK;
}

gg_status gg_data_read_tokens(int32_t *out, const gg_data *d, const int64_t *index, int64_t n)
{
    const gg__store *s = d->store;
    if (!s->about.tokens)
        return gg_fail(s->ctx, GG_EMISMATCH, "tokens are asked of data whose samples are numbers");
    GG_TRY(check_index(d, index, n));
    for (int64_t i = 0; i < n; i++, out += s->width)
        memcpy(out, (const int32_t *)s->x + gg__data_row(d, index, i) * s->row, (size_t)s->width * sizeof *out);
    return GG_OK;
}

gg_status gg_data_labels(int32_t *out, const gg_data *d, const int64_t *index, int64_t n)
{
    const gg__store *s = d->store;
    if (s->about.target != GG_TARGET_CLASS && s->about.target != GG_TARGET_TOKEN)
        return other_kind(d, "classes");
    GG_TRY(check_index(d, index, n));
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = gg__data_row(d, index, i);
        if (s->about.target == GG_TARGET_CLASS)
            out[i] = s->label[at];
        else
            memcpy(out + i * s->width, s->label + at * s->row, (size_t)s->width * sizeof *out);
    }
    return GG_OK;
}

gg_status gg_data_values(float *out, const gg_data *d, const int64_t *index, int64_t n)
{
    const gg__store *s = d->store;
    if (s->about.target != GG_TARGET_VALUE)
        return other_kind(d, "values");
    GG_TRY(check_index(d, index, n));
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * s->about.n_values, s->value + gg__data_row(d, index, i) * s->about.n_values, (size_t)s->about.n_values * sizeof *out);
    return GG_OK;
}

int64_t gg_data_group(const gg_data *d, int64_t i)
{
    return d->store->group && i >= 0 && i < d->about.n ? d->store->group[gg__data_row(d, NULL, i)] : -1;
}

gg_status gg_data_class_counts(int64_t *count, const gg_data *d)
{
    if (d->about.target != GG_TARGET_CLASS)
        return other_kind(d, "classes");
    memset(count, 0, (size_t)d->about.n_classes * sizeof *count);
    for (int64_t i = 0; i < d->about.n; i++)
        count[d->store->label[gg__data_row(d, NULL, i)]]++;
    return GG_OK;
}

gg_status gg_data_need_classes(const gg_data *d, const char *what)
{
    gg_context *ctx = d->store->ctx;
    if (d->about.target != GG_TARGET_CLASS)
        return other_kind(d, "classes");
    int64_t *count = gg_new(ctx, int64_t, d->about.n_classes), empty = 0, first = -1;
    if (!count)
        return GG_ENOMEM;
    gg_data_class_counts(count, d);
    for (int64_t k = d->about.n_classes - 1; k >= 0; k--)
        if (!count[k]) {
            empty++;
            first = k;
        }
    gg_drop(ctx, count);
    if (first < 0)
        return GG_OK;
    return gg_fail(ctx, GG_EINVAL, "%s (%lld samples) has no sample of class \"%s\"%s", what, (long long)d->about.n, d->about.class_name[first],
                   empty > 1 ? ", and of others" : "");
}

/* Of data that are no table: {"sample": [1, 28, 28], "classes": ["0", ...]}. NULL: out of memory. */
static json_t *schema_of(const gg_data_description *a)
{
    json_t *o = json_object(), *shape = json_array();
    for (int k = 0; k < a->sample.n; k++)
        gg_json_add(&shape, json_integer(a->sample.d[k]));
    gg_json_put(&o, "sample", shape);
    if (a->target == GG_TARGET_CLASS)
        gg_json_put(&o, "classes", gg__json_texts(a->class_name, a->n_classes));
    return o;
}

gg_status gg_data_schema(json_t **out, const gg_data *d)
{
    *out = d->store->schema ? json_deep_copy(d->store->schema) : schema_of(&d->about);
    return *out ? GG_OK : gg_fail(d->store->ctx, GG_ENOMEM, "out of memory for a schema");
}

/* --- views ---------------------------------------------------------------------------------------------------------------------------------- */
gg_status gg_data_subset(gg_data **out, const gg_data *d, const int64_t *index, int64_t n)
{
    gg_context *ctx = d->store->ctx;
    *out = NULL;
    if (n < 1)
        return gg_fail(ctx, GG_EINVAL, "a part of no samples");
    GG_TRY(check_index(d, index, n));
    gg_data *v = gg_new(ctx, gg_data, 1);
    int64_t *own = gg_new(ctx, int64_t, n);
    if (!v || !own) {
        gg_drop(ctx, v);
        gg_drop(ctx, own);
        return GG_ENOMEM;
    }
    for (int64_t i = 0; i < n; i++)
        own[i] = gg__data_row(d, index, i);
    *v = (gg_data){.store = d->store, .about = d->about, .index = own, .own = own};
    v->about.n = n;
    atomic_fetch_add(&d->store->users, 1);
    *out = v;
    return GG_OK;
}
