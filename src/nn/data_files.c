/* Data sets from files that are no tables: IDX, NumPy, folders of images, text. Owns nothing: each reader fills a store. */
#include "base/file.h"
#include "base/input.h"
#include "io/formats.h"
#include "io/idx.h"
#include "io/image.h"
#include "io/tensors.h"
#include "nn/data.h"
#include <golgi/tensors.h>
#include <math.h>
#include <stdio.h>

static const gg_data_options no_options;

/* --- schemas ---------------------------------------------------------------------------------------------------------------------------------- */
/* The classes of a schema, or NULL. The texts are borrowed from it; names, (n,), is dropped by the caller. */
static gg_status schema_classes(const char ***names, int64_t *n, gg_context *ctx, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "classes");
    *names = NULL;
    *n = (int64_t)json_array_size(list);
    if (!*n)
        return GG_OK;
    if (!(*names = gg_new(ctx, const char *, *n)))
        return GG_ENOMEM;
    for (int64_t k = 0; k < *n; k++)
        if (!((*names)[k] = json_string_value(json_array_get(list, (size_t)k)))) {
            gg_drop(ctx, *names);
            *names = NULL;
            return gg_fail(ctx, GG_EFORMAT, "a schema's \"classes\" are names");
        }
    return GG_OK;
}

/* Samples of another shape than those a model was trained on. */
static gg_status check_sample(const gg_data *d, const char *path, const json_t *schema)
{
    const json_t *shape = json_object_get(schema, "sample");
    const gg_shape *have = &d->about.sample;
    bool same = !shape || json_array_size(shape) == (size_t)have->n;
    for (int k = 0; shape && same && k < have->n; k++)
        same = json_integer_value(json_array_get(shape, (size_t)k)) == have->d[k];
    if (same)
        return GG_OK;
    gg_str text = {.ctx = d->store->ctx};
    for (int which = 0; which < 2; which++) {
        const int n = which ? (int)json_array_size(shape) : have->n;
        gg_str_puts(&text, which ? ", the model was trained on (" : "(");
        for (int k = 0; k < n && k < GG_MAX_DIMS; k++)
            gg_str_printf(&text, "%s%lld", k ? ", " : "", (long long)(which ? json_integer_value(json_array_get(shape, (size_t)k)) : have->d[k]));
        gg_str_puts(&text, ")");
    }
    const gg_status s = text.failed ? GG_ENOMEM : gg_fail(d->store->ctx, GG_EMISMATCH, "%s: samples are %s", path, text.data);
    gg_str_free(&text);
    return s;
}

gg_status gg_data_open(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *options)
{
    const gg_data_options *o = options ? options : &no_options;
    const size_t n = gg_name_plain_length(path);
    *out = NULL;
    if (gg_rows_are_named(path))
        return gg__data_table(out, ctx, path, o);
    if (gg_name_ends(path, ".npy") || gg_name_ends(path, ".npz"))
        GG_TRY(gg__data_numpy(out, ctx, path, o));
    else if (n >= 4 && strncasecmp(path + n - 4, ".txt", 4) == 0)
        GG_TRY(gg__data_text(out, ctx, path, o));
    else
        GG_TRY(gg_file_is_folder(path) ? gg__data_images(out, ctx, path, o) : gg__data_idx(out, ctx, path, o));
    const gg_status s = check_sample(*out, path, o->schema);
    if (s != GG_OK) {
        gg_data_free(*out);
        *out = NULL;
    }
    return s;
}

/* Samples of an array that the store then owns. (n, h, w) of bytes are images of one channel. */
static void take_array(gg__store *s, const gg_array *a, bool images)
{
    const bool planes = images && a->n_dims == 3;
    s->own = a->data;
    s->x = a->data;
    s->about.n = a->shape[0];
    s->about.dtype = a->dtype;
    s->about.sample = (gg_shape){.n = a->n_dims - 1 + planes, .d = {1}};
    s->width = 1;
    for (int k = 1; k < a->n_dims; k++) {
        s->about.sample.d[k - 1 + planes] = a->shape[k];
        s->width *= a->shape[k];
    }
    s->row = s->width;
}

/* --- IDX ------------------------------------------------------------------------------------------------------------------------------------ */
/* The last "images" in the name becomes "labels", and idx3 idx1. */
static gg_status labels_path(char **out, gg_context *ctx, const char *images)
{
    char *p = *out = gg_strdup(ctx, images), *last = NULL, *dims;
    if (!p)
        return GG_ENOMEM;
    for (char *at = p; (at = strstr(at, "images")) != NULL; at++)
        last = at;
    if (!last) {
        gg_drop(ctx, p);
        return gg_fail(ctx, GG_EINVAL, "%s: where are its labels? The name has no \"images\" to put \"labels\" for", images);
    }
    memcpy(last, "labels", 6);
    if ((dims = strstr(last, "idx3")) != NULL)
        dims[3] = '1';
    return GG_OK;
}

/* Labels as int32 from any integer format. */
static gg_status take_labels(gg__store *s, const gg_array *y, const char *images, const char *labels, const gg_data_options *o)
{
    gg_context *ctx = s->ctx;
    const char **known = NULL;
    int64_t n_known = 0;
    if (y->n_dims != 1 || y->dtype == GG_F32 || y->dtype == GG_F64 || y->dtype == GG_F16)
        return gg_fail(ctx, GG_EMISMATCH, "%s: labels are whole numbers of one dimension, these are %s of %d", labels, gg_dtype_name(y->dtype), y->n_dims);
    if (y->shape[0] != s->about.n)
        return gg_fail(ctx, GG_EMISMATCH, "%s has %lld samples, %s has %lld labels", images, (long long)s->about.n, labels, (long long)y->shape[0]);
    int32_t *label = gg_new(ctx, int32_t, s->about.n);
    char what[512];
    gg_status status = label ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < s->about.n && status == GG_OK; i++) {
        const double v = gg__data_number(y->data, y->dtype, i);
        if (v >= 0 && v < INT32_MAX)
            label[i] = (int32_t)v;
        else
            status = gg_fail(ctx, GG_EINVAL, "%s: label %lld is %.15g: classes are whole numbers from 0", labels, (long long)i, v);
    }
    snprintf(what, sizeof what, "%.400s: label", labels);
    if (status == GG_OK)
        status = schema_classes(&known, &n_known, ctx, o->schema);
    if (status == GG_OK)
        status = gg__store_labels(s, label, known ? n_known : o->n_classes, known, what);
    gg_drop(ctx, known);
    gg_drop(ctx, label);
    return status;
}

static gg_status take_idx(gg__store *s, const char *path, const gg_data_options *o)
{
    gg_context *ctx = s->ctx;
    gg_array x, y;
    char what[512];
    GG_TRY(gg_idx_open(&x, ctx, path));
    take_array(s, &x, true);
    if (x.n_dims < 2)
        return gg_fail(ctx, GG_EMISMATCH, "%s: one number a sample: these are labels, name the file of the images", path);
    snprintf(what, sizeof what, "%.400s: sample", path);
    GG_TRY(gg__store_check(s, o->missing_mean, what));
    if (o->target == GG_TARGET_NONE)
        return GG_OK;
    if (o->target != GG_TARGET_AUTO && o->target != GG_TARGET_CLASS)
        return gg_fail(ctx, GG_EINVAL, "%s: IDX files have classes", path);
    char *guess = NULL;
    if (!o->labels)
        GG_TRY(labels_path(&guess, ctx, path));
    const char *labels = o->labels ? o->labels : guess;
    gg_status status = gg_idx_open(&y, ctx, labels);
    if (status == GG_OK)
        status = take_labels(s, &y, path, labels, o);
    gg_drop(ctx, y.data);
    gg_drop(ctx, guess);
    return status;
}

gg_status gg__data_idx(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o)
{
    gg__store *s;
    GG_TRY(gg__store_create(&s, ctx));
    return gg__data_whole(out, s, take_idx(s, path, o));
}

/* --- NPY, NPZ ------------------------------------------------------------------------------------------------------------------------------- */
static gg_array array_of(const gg_tensor *t)
{
    gg_array a = {.data = (void *)(uintptr_t)t->data, .dtype = t->dtype, .n_dims = t->n_dims};
    int64_t stride = 1;
    for (int d = t->n_dims - 1; d >= 0; d--) {
        a.shape[d] = t->shape[d];
        a.stride[d] = stride;
        stride *= t->shape[d];
    }
    return a;
}

/* Targets: whole numbers of one dimension are classes unless values are asked for. */
static gg_status with_targets(gg_data **out, gg_context *ctx, const gg_tensor *x, const gg_tensor *y, const char *path, const gg_data_options *o)
{
    const bool floats = y->dtype == GG_F32 || y->dtype == GG_F64 || y->dtype == GG_F16;
    const int64_t n = x->n_dims ? x->shape[0] : 0, count = y->n_bytes / gg_dtype_bytes(y->dtype, 1);
    const bool values = o->target == GG_TARGET_VALUE || (o->target == GG_TARGET_AUTO && floats);
    if (!gg__data_takes(y->dtype) || y->n_dims < 1 || y->n_dims > 2 || (y->n_dims == 2 && !values) || y->shape[0] != n || n < 1)
        return gg_fail(ctx, GG_EMISMATCH, "%s: targets \"%s\" of %lld numbers in %d dimensions do not belong to the %lld samples of \"%s\"", path, y->name,
                       (long long)count, y->n_dims, (long long)n, x->name);
    gg_data_arrays a = {.x = array_of(x), .missing = o->missing_mean, .n_classes = o->n_classes};
    const char **known = NULL;
    int64_t n_known = 0;
    GG_TRY(schema_classes(&known, &n_known, ctx, values ? NULL : o->schema));
    if (known) {
        a.class_name = known;
        a.n_classes = n_known;
    }
    int32_t *label = values ? NULL : gg_new(ctx, int32_t, n);
    float *value = values ? gg_new(ctx, float, count) : NULL;
    gg_status s = label || value ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < count && s == GG_OK; i++) {
        const double v = gg__data_number(y->data, y->dtype, i);
        if (value)
            value[i] = (float)v;
        else if (!(v >= 0 && v < INT32_MAX && v == floor(v)))
            s = gg_fail(ctx, GG_EINVAL, "%s: the label of sample %lld is %g: classes are whole numbers from 0", path, (long long)i, v);
        else
            label[i] = (int32_t)v;
    }
    a.label = label;
    a.value = value;
    a.n_values = value ? count / n : 0;
    if (s == GG_OK && (s = gg_data_create(out, ctx, &a)) != GG_OK)
        gg_fail_prefix(ctx, s, "%s", path);
    gg_drop(ctx, known);
    gg_drop(ctx, label);
    gg_drop(ctx, value);
    return s;
}

gg_status gg__data_numpy(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o)
{
    gg_tensors *t = NULL, *other = NULL;
    const gg_tensor *x = NULL, *y = NULL;
    const bool many = gg_name_ends(path, ".npz"), targets = o->target != GG_TARGET_NONE && (many || o->y);
    *out = NULL;
    gg_status s = gg_tensors_open(&t, ctx, path);
    if (s == GG_OK && many)
        s = gg_tensors_need(&x, t, o->x ? o->x : "x");
    else if (s == GG_OK)
        x = gg_tensors_at(t, 0);
    if (s == GG_OK && targets && many)
        s = gg_tensors_need(&y, t, o->y ? o->y : "y");
    else if (s == GG_OK && targets && (s = gg_tensors_open(&other, ctx, o->y)) == GG_OK)
        y = gg_tensors_at(other, 0);
    if (s == GG_OK && y) {
        s = with_targets(out, ctx, x, y, path, o);
    } else if (s == GG_OK) {
        const gg_array a = array_of(x);
        if ((s = gg_data_create(out, ctx, &(gg_data_arrays){.x = a, .missing = o->missing_mean})) != GG_OK)
            gg_fail_prefix(ctx, s, "%s", path);
    }
    gg_tensors_free(t);
    gg_tensors_free(other);
    return s;
}

/* --- folders of images ----------------------------------------------------------------------------------------------------------------------- */
typedef struct images {
    gg__store *s;
    const char *path;
    uint8_t *pixel;  /* (cap, width) */
    int32_t *label;  /* (cap,) */
    int64_t n, cap;
    gg_image first;  /* the size that all have; no pixels */
    char *first_file;
} images;

static gg_status keep_image(images *im, const char *file, int32_t label)
{
    gg_context *ctx = im->s->ctx;
    gg_image x;
    GG_TRY(gg_image_read(&x, ctx, file));
    gg_status status = GG_OK;
    const int64_t width = x.channels * x.height * x.width;
    if (im->n == 0) {
        im->first = (gg_image){x.channels, x.height, x.width, NULL};
        status = (im->first_file = gg_strdup(ctx, file)) ? GG_OK : GG_ENOMEM;
    } else if (x.channels != im->first.channels || x.height != im->first.height || x.width != im->first.width) {
        status = gg_fail(ctx, GG_EMISMATCH, "%s is %lld x %lld with %lld channels, %s is %lld x %lld with %lld: all images must be of one size", file,
                         (long long)x.width, (long long)x.height, (long long)x.channels, im->first_file, (long long)im->first.width,
                         (long long)im->first.height, (long long)im->first.channels);
    }
    if (status == GG_OK && im->n == im->cap) {
        const int64_t cap = im->cap ? 2 * im->cap : 256;
        uint8_t *pixel = gg_realloc(ctx, im->pixel, gg_mul(cap, width));
        im->pixel = pixel ? pixel : im->pixel;
        int32_t *l = gg_renew(ctx, im->label, int32_t, cap);
        im->label = l ? l : im->label;
        im->cap = pixel && l ? cap : im->cap;
        status = pixel && l ? GG_OK : GG_ENOMEM;
    }
    if (status == GG_OK) {
        memcpy(im->pixel + im->n * width, x.pixel, (size_t)width);
        im->label[im->n++] = label;
    }
    gg_image_free(&x, ctx);
    return status;
}

static gg_status take_class(images *im, const char *class_name, int32_t label)
{
    gg_context *ctx = im->s->ctx;
    gg_str folder = {.ctx = ctx}, file = {.ctx = ctx};
    gg_folder list = {0};
    const int64_t before = im->n;
    gg_str_printf(&folder, "%s/%s", im->path, class_name);
    gg_status s = folder.failed ? GG_ENOMEM : gg_folder_list(&list, ctx, folder.data, "");
    for (int64_t i = 0; i < list.n && s == GG_OK; i++) {
        if (!gg_image_is_named(list.paths[i]))
            continue;
        file.len = 0;
        gg_str_printf(&file, "%s/%s", folder.data, list.paths[i]);
        s = file.failed ? GG_ENOMEM : keep_image(im, file.data, label);
    }
    if (s == GG_OK && im->n == before)
        s = gg_fail(ctx, GG_EINVAL, "%s: the class \"%s\" has no image (.pgm .ppm .pnm .png .jpg .jpeg)", im->path, class_name);
    gg_folder_free(&list, ctx);
    gg_str_free(&folder);
    gg_str_free(&file);
    return s;
}

static gg_status take_images(images *im, const gg_data_options *o)
{
    gg__store *s = im->s;
    gg_context *ctx = s->ctx;
    gg_folder classes;
    const char **known;
    int64_t n_known;
    GG_TRY(gg_folder_folders(&classes, ctx, im->path));
    gg_status status = schema_classes(&known, &n_known, ctx, o->schema);
    if (status == GG_OK && classes.n == 0)
        status = gg_fail(ctx, GG_EINVAL, "%s: no folder in it: images are in one folder a class", im->path);
    for (int64_t k = 0; k < classes.n && status == GG_OK; k++) {
        int64_t label = k;
        if (known)
            for (label = 0; label < n_known && strcmp(known[label], classes.paths[k]) != 0; label++)
                ;
        status = known && label == n_known ? gg_fail(ctx, GG_EMISMATCH, "%s: the folder \"%s\" is no class of the schema", im->path, classes.paths[k])
                                           : take_class(im, classes.paths[k], (int32_t)label);
    }
    if (status == GG_OK) {
        const gg_array a = {.data = im->pixel, .dtype = GG_U8, .n_dims = 4, .shape = {im->n, im->first.channels, im->first.height, im->first.width}};
        take_array(s, &a, true);
        im->pixel = NULL;
        if (o->target != GG_TARGET_NONE)
            status = gg__store_labels(s, im->label, known ? n_known : classes.n, known ? known : (const char *const *)classes.paths, im->path);
    }
    gg_drop(ctx, known);
    gg_folder_free(&classes, ctx);
    return status;
}

gg_status gg__data_images(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o)
{
    images im = {.path = path};
    GG_TRY(gg__store_create(&im.s, ctx));
    const gg_status status = take_images(&im, o);
    gg_drop(ctx, im.pixel);
    gg_drop(ctx, im.label);
    gg_drop(ctx, im.first_file);
    return gg__data_whole(out, im.s, status);
}

/* --- text ------------------------------------------------------------------------------------------------------------------------------------ */
gg_status gg__data_text(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o)
{
    gg_stream *in = NULL;
    gg_window w;
    gg_token_list ids = {.ctx = ctx};
    *out = NULL;
    if (!o->tokenizer)
        return gg_fail(ctx, GG_EINVAL, "%s: a text is read through a tokenizer, and none is given", path);
    gg_status s = gg_stream_open(&in, ctx, path);
    if (s == GG_OK)
        s = gg_stream_skip_bom(in);
    if (s == GG_OK)
        gg_stream_window(&w, in);
    while (s == GG_OK && !w.end)
        s = gg_stream_more(&w, in);
    if (s == GG_OK)
        s = gg_tokenizer_encode(o->tokenizer, &ids, w.data, w.n, 0, 0);
    if (s == GG_OK && (s = gg_data_tokens(out, ctx, ids.id, ids.n, gg_tokenizer_size(o->tokenizer), o->length, o->stride)) != GG_OK)
        gg_fail_prefix(ctx, s, "%s", path);
    gg_token_list_free(&ids);
    gg_stream_close(in);
    return s;
}
