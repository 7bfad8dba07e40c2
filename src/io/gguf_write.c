/* Writes GGUF, version 3 (the layout is told in gguf.c). Owns: the order of its three parts, the padding between them.
 *
 * The head says where every tensor lies, so formats and shapes come before any number; then the numbers go out one tensor at a time, and memory holds
 * one of them. Metadata and the head wait as bytes.
 *
 * Traps: extents are written fastest first; offsets count from the first padded byte behind the head; ggml wants each tensor padded, the last one too.
 */
#include "io/tensors.h"

enum { PAD = 32, NAME_MAX_BYTES = 63 /* GGML_MAX_NAME, less the end */, DIMS_MAX = 4 };
enum { TYPE_U32 = 4, TYPE_I32 = 5, TYPE_F32 = 6, TYPE_BOOL = 7, TYPE_TEXT = 8, TYPE_ARRAY = 9 };

typedef struct entry {
    gg_dtype dtype;
    int64_t n, row; /* numbers, and numbers of a row */
} entry;

struct gg_gguf_writer {
    gg_context *ctx;
    char *path;
    gg_out *out;
    gg_str metadata, tensors; /* bytes of the head so far */
    gg_arena arena;           /* names */
    gg__names keys, names;
    entry *entry;             /* (names.n,) */
    int64_t cap, next;        /* next: whose numbers come */
    uint64_t offset;          /* of the tensor to be described */
    bool begun;               /* the head is written */
};

static int number_of(gg_dtype t)
{
    static const int number[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) gguf,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    return number[t];
}

void gg_gguf_writer_discard(gg_gguf_writer *w)
{
    if (!w)
        return;
    gg_context *ctx = w->ctx;
    gg_out_discard(w->out);
    gg__names_free(&w->keys);
    gg__names_free(&w->names);
    gg_arena_free(&w->arena);
    gg_str_free(&w->metadata);
    gg_str_free(&w->tensors);
    gg_drop(ctx, w->entry);
    gg_drop(ctx, w->path);
    gg_drop(ctx, w);
}

gg_status gg_gguf_writer_open(gg_gguf_writer **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    gg_gguf_writer *w = gg_new(ctx, gg_gguf_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg_gguf_writer){.ctx = ctx, .metadata = {.ctx = ctx}, .tensors = {.ctx = ctx}, .arena = {.ctx = ctx}, .keys = {.ctx = ctx}, .names = {.ctx = ctx}};
    w->path = gg_strdup(ctx, path);
    const gg_status s = w->path ? gg_out_open(&w->out, ctx, path) : GG_ENOMEM;
    if (s != GG_OK) {
        gg_gguf_writer_discard(w);
        return s;
    }
    *out = w;
    return GG_OK;
}

/* --- the head ------------------------------------------------------------------------------------------------------------------------- */
static void add_u32(gg_str *s, uint32_t x) { gg_str_add(s, (const char *)&x, sizeof x); }
static void add_u64(gg_str *s, uint64_t x) { gg_str_add(s, (const char *)&x, sizeof x); }
static void add_text(gg_str *s, const char *text, size_t n)
{
    add_u64(s, n);
    if (n)
        gg_str_add(s, text, n);
}

static gg_status keep_name(gg__names *names, gg_gguf_writer *w, const char *name, const char *what)
{
    bool is_new = false;
    const char *own = gg_arena_strndup(&w->arena, name, strlen(name));
    if (w->begun)
        return gg_fail(w->ctx, GG_EINVAL, "%s: %s \"%s\" comes after the first numbers", w->path, what, name);
    if (!own)
        return GG_ENOMEM;
    GG_TRY(gg__names_add(names, own, &is_new));
    return is_new ? GG_OK : gg_fail(w->ctx, GG_EINVAL, "%s: %s \"%s\" is given twice", w->path, what, name);
}

static gg_status begin_value(gg_gguf_writer *w, const char *key, uint32_t type)
{
    GG_TRY(keep_name(&w->keys, w, key, "the key"));
    add_text(&w->metadata, key, strlen(key));
    add_u32(&w->metadata, type);
    return GG_OK;
}

static gg_status begin_array(gg_gguf_writer *w, const char *key, uint32_t type, int64_t n)
{
    GG_TRY(begin_value(w, key, TYPE_ARRAY));
    add_u32(&w->metadata, type);
    add_u64(&w->metadata, (uint64_t)n);
    return GG_OK;
}

static gg_status end_value(const gg_gguf_writer *w) { return w->metadata.failed ? GG_ENOMEM : GG_OK; }

gg_status gg_gguf_writer_text(gg_gguf_writer *w, const char *key, const char *value)
{
    GG_TRY(begin_value(w, key, TYPE_TEXT));
    add_text(&w->metadata, value, strlen(value));
    return end_value(w);
}

gg_status gg_gguf_writer_uint(gg_gguf_writer *w, const char *key, uint32_t value)
{
    GG_TRY(begin_value(w, key, TYPE_U32));
    add_u32(&w->metadata, value);
    return end_value(w);
}

gg_status gg_gguf_writer_float(gg_gguf_writer *w, const char *key, float value)
{
    GG_TRY(begin_value(w, key, TYPE_F32));
    gg_str_add(&w->metadata, (const char *)&value, sizeof value);
    return end_value(w);
}

gg_status gg_gguf_writer_bool(gg_gguf_writer *w, const char *key, bool value)
{
    GG_TRY(begin_value(w, key, TYPE_BOOL));
    gg_str_add(&w->metadata, (const char[]){value}, 1);
    return end_value(w);
}

gg_status gg_gguf_writer_texts(gg_gguf_writer *w, const char *key, const char *const *text, const size_t *len, int64_t n)
{
    GG_TRY(begin_array(w, key, TYPE_TEXT, n));
    for (int64_t i = 0; i < n; i++)
        add_text(&w->metadata, text[i], len[i]);
    return end_value(w);
}

gg_status gg_gguf_writer_ints(gg_gguf_writer *w, const char *key, const int32_t *value, int64_t n)
{
    GG_TRY(begin_array(w, key, TYPE_I32, n));
    if (n)
        gg_str_add(&w->metadata, (const char *)value, gg_mul(n, sizeof *value));
    return end_value(w);
}

gg_status gg_gguf_writer_tensor(gg_gguf_writer *w, const char *name, gg_dtype t, int n_dims, const int64_t *shape)
{
    const bool known = (unsigned)t < GG_DTYPE_COUNT && number_of(t) >= 0;
    const int64_t count = n_dims >= 1 && n_dims <= DIMS_MAX ? gg__shape_count(n_dims, shape) : -1;
    if (!known)
        return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\": GGUF has no number format %s", w->path, name,
                       (unsigned)t < GG_DTYPE_COUNT ? gg_dtype_name(t) : "of this number");
    if (strlen(name) > NAME_MAX_BYTES)
        return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\": names have %d bytes at most", w->path, name, NAME_MAX_BYTES);
    if (count < 1 || gg_dtype_bytes(t, shape[n_dims - 1]) < 0 || gg_dtype_bytes(t, count) < 0)
        return gg_fail(w->ctx, GG_EINVAL,
                       "%s: tensor \"%s\" has %d dimensions, rows of %lld; expected 1 to %d, with numbers in it, and rows of whole blocks (%lld)", w->path,
                       name, n_dims, (long long)(n_dims >= 1 && n_dims <= DIMS_MAX ? shape[n_dims - 1] : 0), DIMS_MAX, (long long)gg_dtype_block(t));
    GG_TRY(gg_grow(w->ctx, &w->entry, w->names.n, &w->cap, 64));
    GG_TRY(keep_name(&w->names, w, name, "the tensor"));
    w->entry[w->names.n - 1] = (entry){.dtype = t, .n = count, .row = shape[n_dims - 1]};
    add_text(&w->tensors, name, strlen(name));
    add_u32(&w->tensors, (uint32_t)n_dims);
    for (int i = n_dims - 1; i >= 0; i--)
        add_u64(&w->tensors, (uint64_t)shape[i]);
    add_u32(&w->tensors, (uint32_t)number_of(t));
    add_u64(&w->tensors, w->offset);
    w->offset += ((uint64_t)gg_dtype_bytes(t, count) + PAD - 1) / PAD * PAD;
    return w->tensors.failed ? GG_ENOMEM : GG_OK;
}

/* --- the numbers ---------------------------------------------------------------------------------------------------------------------- */
static gg_status pad(gg_gguf_writer *w)
{
    static const char zero[PAD];
    return gg_out_write(w->out, zero, (size_t)(-gg_out_tell(w->out) % PAD));
}

static gg_status begin(gg_gguf_writer *w)
{
    const struct {
        char magic[4];
        uint32_t version;
        uint64_t n_tensors, n_keys;
    } head = {{'G', 'G', 'U', 'F'}, 3, (uint64_t)w->names.n, (uint64_t)w->keys.n};
    w->begun = true;
    GG_TRY(gg_out_write(w->out, &head, sizeof head));
    GG_TRY(gg_out_write(w->out, w->metadata.data, w->metadata.len));
    GG_TRY(gg_out_write(w->out, w->tensors.data, w->tensors.len));
    return pad(w);
}

static gg_status check_range(const gg_gguf_writer *w, const float *x, const uint16_t *h, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if ((h[i] & 0x7fff) == 0x7c00)
            return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\" holds %g, which float16 does not; bfloat16 does", w->path, w->names.key[w->next],
                           (double)x[i]);
    return GG_OK;
}

gg_status gg_gguf_writer_data(gg_gguf_writer *w, const float *x)
{
    if (w->next >= w->names.n)
        return gg_fail(w->ctx, GG_EINVAL, "%s: numbers of %lld tensors were announced, and more come", w->path, (long long)w->names.n);
    if (!w->begun)
        GG_TRY(begin(w));
    const entry *e = &w->entry[w->next];
    if (e->dtype == GG_F32) {
        w->next++;
        GG_TRY(gg_out_write(w->out, x, gg_mul(e->n, sizeof *x)));
        return pad(w);
    }
    const size_t bytes = (size_t)gg_dtype_bytes(e->dtype, e->row);
    void *row = gg_alloc(w->ctx, bytes);
    gg_status s = row ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < e->n && s == GG_OK; i += e->row) {
        s = gg_from_f32(row, e->dtype, x + i, e->row);
        if (s == GG_EUNSUPPORTED)
            s = gg_fail(w->ctx, s, "%s: numbers are written as F32, F16, BF16 or Q8_0, not as %s", w->path, gg_dtype_name(e->dtype));
        if (s == GG_OK && e->dtype == GG_F16)
            s = check_range(w, x + i, row, e->row);
        if (s == GG_OK)
            s = gg_out_write(w->out, row, bytes);
    }
    gg_drop(w->ctx, row);
    w->next++;
    return s == GG_OK ? pad(w) : s;
}

gg_status gg_gguf_writer_commit(gg_gguf_writer *w)
{
    gg_status s = GG_OK;
    if (w->next != w->names.n || w->names.n == 0)
        s = gg_fail(w->ctx, GG_EINVAL, "%s: %lld tensors were announced, numbers came for %lld", w->path, (long long)w->names.n, (long long)w->next);
    if (s == GG_OK) {
        gg_out *out = w->out;
        w->out = NULL;
        s = gg_out_commit(out);
    }
    gg_gguf_writer_discard(w);
    return s;
}
