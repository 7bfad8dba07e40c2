/* Writes safetensors and NPY. Owns: the order of tensors in the file and the JSON of its header.
 *
 * The header of safetensors comes first and names every tensor, so the data wait in a temporary file beside the final one and are copied behind the header
 * on commit, those of wide numbers first: together with a header padded to 8 bytes every tensor is then aligned, and a reader may map it.
 * The format wants no holes, so padding between tensors is not the way.
 */
#include "io/tensors.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct entry {
    gg_dtype dtype;
    int n_dims;
    int64_t shape[GG_MAX_DIMS];
    uint64_t at, n_bytes; /* in the temporary */
} entry;

struct gg_tensors_writer {
    gg_context *ctx;
    char *path;
    gg_out *data;
    gg_arena arena;    /* names */
    gg__names names;
    entry *entry;      /* (names.n,) */
    int64_t cap;
    gg_str metadata;   /* JSON members so far */
    gg__names keys;
};

static const char *safe_name(gg_dtype t)
{
    static const char *const names[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) safe,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    return names[t];
}

static const char *npy_name(gg_dtype t)
{
    static const char *const names[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) npy,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    return names[t];
}

void gg_tensors_writer_discard(gg_tensors_writer *w)
{
    if (!w)
        return;
    gg_context *ctx = w->ctx;
    gg_out_discard(w->data);
    gg__names_free(&w->names);
    gg__names_free(&w->keys);
    gg_arena_free(&w->arena);
    gg_str_free(&w->metadata);
    gg_drop(ctx, w->entry);
    gg_drop(ctx, w->path);
    gg_drop(ctx, w);
}

gg_status gg_tensors_writer_open(gg_tensors_writer **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    gg_tensors_writer *w = gg_new(ctx, gg_tensors_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg_tensors_writer){.ctx = ctx, .arena = {.ctx = ctx}, .names = {.ctx = ctx}, .keys = {.ctx = ctx}, .metadata = {.ctx = ctx}};
    w->path = gg_strdup(ctx, path);
    gg_status s = w->path ? gg_out_open(&w->data, ctx, path) : GG_ENOMEM;
    if (s == GG_OK && !gg_out_temporary(w->data))
        s = gg_fail(ctx, GG_EUNSUPPORTED, "%s: safetensors has its index at its head and needs a file with a name",
                    strcmp(path, "-") == 0 ? "standard output" : path);
    if (s != GG_OK) {
        gg_tensors_writer_discard(w);
        return s;
    }
    *out = w;
    return GG_OK;
}

/* A JSON string with its quotes; freed by gg_drop. */
static gg_status quoted(char **out, gg_context *ctx, const char *path, const char *text)
{
    gg_str s = {.ctx = ctx};
    if (!gg_utf8_is_valid(text, strlen(text)))
        return gg_fail(ctx, GG_EINVAL, "%s: the name \"%s\" is not valid UTF-8", path, gg__show(text, strlen(text)));
    json_t *j = json_string_nocheck(text);
    gg_json_write(&s, j, 0);
    json_decref(j);
    if (s.failed) {
        gg_str_free(&s);
        return gg_fail(ctx, GG_ENOMEM, "%s: out of memory for a name", path);
    }
    *out = s.data;
    return GG_OK;
}

gg_status gg_tensors_writer_text(gg_tensors_writer *w, const char *key, const char *value)
{
    bool is_new = false;
    const char *own = gg_arena_strndup(&w->arena, key, strlen(key));
    if (!own)
        return GG_ENOMEM;
    char *k = NULL, *v = NULL;
    gg_status s = quoted(&k, w->ctx, w->path, key);
    if (s == GG_OK)
        s = quoted(&v, w->ctx, w->path, value);
    if (s == GG_OK)
        s = gg__names_add(&w->keys, own, &is_new);
    if (s == GG_OK && !is_new)
        s = gg_fail(w->ctx, GG_EINVAL, "%s: the metadata key \"%s\" is given twice", w->path, key);
    if (s == GG_OK) {
        gg_str_printf(&w->metadata, "%s%s:%s", w->metadata.len ? "," : "", k, v);
        s = w->metadata.failed ? GG_ENOMEM : GG_OK;
    }
    gg_drop(w->ctx, k);
    gg_drop(w->ctx, v);
    return s;
}

static gg_status check_new(const gg_tensors_writer *w, const char *name, gg_dtype t, int n_dims, const int64_t *shape, int64_t *n_bytes)
{
    if ((unsigned)t >= GG_DTYPE_COUNT || !safe_name(t)[0])
        return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\": safetensors has no number format %s", w->path, name,
                       (unsigned)t < GG_DTYPE_COUNT ? gg_dtype_name(t) : "of this number");
    if (n_dims < 0 || n_dims > GG_MAX_DIMS)
        return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\" has %d dimensions; expected 0 to %d", w->path, name, n_dims, GG_MAX_DIMS);
    const int64_t count = gg__shape_count(n_dims, shape);
    *n_bytes = count < 0 ? -1 : gg_dtype_bytes(t, count);
    if (*n_bytes < 0)
        return gg_fail(w->ctx, GG_EINVAL, "%s: tensor \"%s\" has a negative or absurd shape", w->path, name);
    if (strcmp(name, "__metadata__") == 0)
        return gg_fail(w->ctx, GG_EINVAL, "%s: a tensor cannot be named \"__metadata__\" in safetensors", w->path);
    if (gg__names_find(&w->names, name) >= 0)
        return gg_fail(w->ctx, GG_EINVAL, "%s: a tensor named \"%s\" is there already", w->path, name);
    char *q = NULL;
    GG_TRY(quoted(&q, w->ctx, w->path, name));
    gg_drop(w->ctx, q);
    return GG_OK;
}

gg_status gg_tensors_writer_add(gg_tensors_writer *w, const char *name, gg_dtype t, int n_dims, const int64_t *shape, const void *data)
{
    int64_t n_bytes = 0;
    GG_TRY(check_new(w, name, t, n_dims, shape, &n_bytes));
    GG_TRY(gg_grow(w->ctx, &w->entry, w->names.n, &w->cap, 32));
    const char *own = gg_arena_strndup(&w->arena, name, strlen(name));
    if (!own)
        return GG_ENOMEM;
    entry *e = &w->entry[w->names.n];
    *e = (entry){.dtype = t, .n_dims = n_dims, .at = gg_out_tell(w->data), .n_bytes = (uint64_t)n_bytes};
    for (int d = 0; d < n_dims; d++)
        e->shape[d] = shape[d];
    GG_TRY(gg_out_write(w->data, data, (size_t)n_bytes));
    bool is_new = false;
    return gg__names_add(&w->names, own, &is_new);
}

/* The tensors in file order: wide numbers first, else as they were added. order: (names.n,) */
static void order_of(int64_t *order, const gg_tensors_writer *w)
{
    int64_t n = 0;
    for (int64_t size = 8; size; size /= 2)
        for (int64_t i = 0; i < w->names.n; i++)
            if (gg_dtype_block_bytes(w->entry[i].dtype) == size)
                order[n++] = i;
}

static gg_status make_header(gg_str *h, const gg_tensors_writer *w, const int64_t *order)
{
    uint64_t at = 0;
    gg_str_puts(h, "{");
    if (w->metadata.len)
        gg_str_printf(h, "\"__metadata__\":{%s}", w->metadata.data);
    for (int64_t i = 0; i < w->names.n; i++) {
        const entry *e = &w->entry[order[i]];
        char *name = NULL;
        GG_TRY(quoted(&name, w->ctx, w->path, w->names.key[order[i]]));
        gg_str_printf(h, "%s%s:{\"dtype\":\"%s\",\"shape\":[", h->len > 1 ? "," : "", name, safe_name(e->dtype));
        gg_drop(w->ctx, name);
        for (int d = 0; d < e->n_dims; d++)
            gg_str_printf(h, "%s%" PRId64, d ? "," : "", e->shape[d]);
        gg_str_printf(h, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + e->n_bytes);
        at += e->n_bytes;
    }
    gg_str_puts(h, "}");
    while (!h->failed && h->len % 8)
        gg_str_puts(h, " ");
    return h->failed ? GG_ENOMEM : GG_OK;
}

static gg_status write_all(gg_out *out, const gg_tensors_writer *w, const int64_t *order, const gg_map *data)
{
    gg_str header = {.ctx = w->ctx};
    gg_status s = make_header(&header, w, order);
    const uint64_t n = header.len;
    if (s == GG_OK)
        s = gg_out_write(out, &n, sizeof n);
    if (s == GG_OK)
        s = gg_out_write(out, header.data, header.len);
    gg_str_free(&header);
    for (int64_t i = 0; s == GG_OK && i < w->names.n; i++)
        s = gg_out_write(out, data->data ? data->data + w->entry[order[i]].at : NULL, (size_t)w->entry[order[i]].n_bytes);
    return s;
}

static gg_status commit(gg_tensors_writer *w)
{
    GG_TRY(gg_out_flush(w->data));
    gg_map data;
    GG_TRY(gg_map_open(&data, w->ctx, gg_out_temporary(w->data)));
    int64_t *order = gg_new(w->ctx, int64_t, w->names.n);
    gg_out *out = NULL;
    gg_status s = order ? gg_out_open(&out, w->ctx, w->path) : GG_ENOMEM;
    if (s == GG_OK) {
        order_of(order, w);
        s = write_all(out, w, order, &data);
        if (s == GG_OK)
            s = gg_out_commit(out);
        else
            gg_out_discard(out);
    }
    gg_drop(w->ctx, order);
    gg_map_close(&data);
    return s;
}

gg_status gg_tensors_writer_commit(gg_tensors_writer *w)
{
    const gg_status s = commit(w);
    gg_tensors_writer_discard(w);
    return s;
}

/* The header is padded so that the data begin at a multiple of 64 bytes, as NumPy does. */
gg_status gg_npy_write(gg_context *ctx, const char *path, gg_dtype t, int n_dims, const int64_t *shape, const void *data)
{
    if ((unsigned)t >= GG_DTYPE_COUNT || !npy_name(t)[0])
        return gg_fail(ctx, GG_EINVAL, "%s: NumPy has no number format %s", path, (unsigned)t < GG_DTYPE_COUNT ? gg_dtype_name(t) : "of this number");
    if (n_dims < 0 || n_dims > GG_MAX_DIMS)
        return gg_fail(ctx, GG_EINVAL, "%s: an array of %d dimensions; expected 0 to %d", path, n_dims, GG_MAX_DIMS);
    const int64_t count = gg__shape_count(n_dims, shape), n_bytes = count < 0 ? -1 : gg_dtype_bytes(t, count);
    if (n_bytes < 0)
        return gg_fail(ctx, GG_EINVAL, "%s: an array with a negative or absurd shape", path);
    char head[256 + 24 * GG_MAX_DIMS];
    int n = snprintf(head + 10, sizeof head - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (", npy_name(t));
    for (int d = 0; d < n_dims; d++)
        n += snprintf(head + 10 + n, sizeof head - 10 - (size_t)n, n_dims == 1 ? "%" PRId64 "," : d ? ", %" PRId64 : "%" PRId64, shape[d]);
    n += snprintf(head + 10 + n, sizeof head - 10 - (size_t)n, "), }");
    while ((10 + n + 1) % 64)
        head[10 + n++] = ' ';
    head[10 + n++] = '\n';
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = (char)(n & 0xff);
    head[9] = (char)(n >> 8);
    gg_out *out = NULL;
    GG_TRY(gg_out_open(&out, ctx, path));
    gg_status s = gg_out_write(out, head, 10 + (size_t)n);
    if (s == GG_OK)
        s = gg_out_write(out, data, (size_t)n_bytes);
    if (s != GG_OK) {
        gg_out_discard(out);
        return s;
    }
    return gg_out_commit(out);
}
