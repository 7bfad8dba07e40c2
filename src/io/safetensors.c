/* Reads safetensors (https://github.com/huggingface/safetensors) and the JSON beside it: the index of a sharded checkpoint and config.json.
 *
 *     u64 length of the header, the header (JSON), the data
 *     header: {"__metadata__": {key: text}, name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}
 *
 * The format allows neither overlaps nor holes: the ranges, sorted, cover the data exactly. golgi holds it to that, since a hole is how a
 * file with two readings is made.
 *
 * Traps: offsets count from the end of the header. The header's length was not padded in early files, so tensors may be misaligned: those are
 * copied when they are added.
 */
#include "io/tensors.h"
#include "base/json.h"

#define HEADER_LIMIT 100000000u /* the format's own */

/* ---- JSON ---- */

/* The JSON object in data. what: what it is in messages ("the header"). */
static gg_status parse_object(json_t **out, gg_context *ctx, const char *data, size_t size, const char *file, const char *what)
{
    json_t *j;
    GG_TRY(gg_json_document(&j, ctx, data, size, file, what));
    if (!json_is_object(j)) {
        json_decref(j);
        return gg_fail(ctx, GG_EFORMAT, "%s: %s is JSON, but not an object: expected \"{\"", file, what);
    }
    *out = j;
    return GG_OK;
}

/* A count from JSON: an integer in [0, 2^63). */
static bool count_of(int64_t *out, const json_t *j)
{
    *out = json_integer_value(j);
    return json_is_integer(j) && *out >= 0;
}

/* ---- one file ---- */

typedef struct reader {
    gg_tensors *t;
    const char *file;
    const uint8_t *data; /* after the header */
    uint64_t base;       /* its byte in the file */
    uint64_t n_data;
} reader;

static bool dtype_of(gg_dtype *out, const char *name)
{
    static const char *const names[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) safe,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    for (int i = 0; i < GG_DTYPE_COUNT; i++)
        if (names[i][0] && strcmp(names[i], name) == 0) {
            *out = (gg_dtype)i;
            return true;
        }
    return false;
}

static gg_status unknown_format(const reader *r, const char *name, const char *dtype)
{
    gg_str known = {.ctx = r->t->ctx};
#define GG_X(code, block, bytes, gguf, safe, npy) \
    if ((safe)[0])                                \
        gg_str_printf(&known, "%s%s", known.len ? " " : "", safe);
    GG_DTYPE_MAP(GG_X)
#undef GG_X
    const gg_status s = known.failed
                            ? GG_ENOMEM
                            : gg_fail(r->t->ctx, GG_EUNSUPPORTED, "%s: tensor \"%s\" is in number format \"%s\", which golgi does not read; supported: %s",
                                      r->file, gg__show(name, strlen(name)), gg__show(dtype, strlen(dtype)), known.data);
    gg_str_free(&known);
    return s;
}

static gg_status malformed(const reader *r, const char *name, const char *what)
{
    return gg_fail(r->t->ctx, GG_EFORMAT, "%s: tensor \"%s\": expected %s: the header is damaged", r->file, gg__show(name, strlen(name)), what);
}

static gg_status add_tensor(reader *r, const char *name, const json_t *j, gg__span *span)
{
    gg_context *ctx = r->t->ctx;
    const char *dtype_name = json_string_value(json_object_get(j, "dtype"));
    const json_t *shape_j = json_object_get(j, "shape"), *range = json_object_get(j, "data_offsets");
    if (!dtype_name)
        return malformed(r, name, "\"dtype\" with the name of a number format");
    if (!json_is_array(shape_j))
        return malformed(r, name, "\"shape\" with a list of extents");
    gg_dtype dtype;
    if (!dtype_of(&dtype, dtype_name))
        return unknown_format(r, name, dtype_name);
    const size_t n_dims = json_array_size(shape_j);
    if (n_dims > GG_MAX_DIMS)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: tensor \"%s\" has %zu dimensions; golgi handles up to %d", r->file, gg__show(name, strlen(name)), n_dims,
                       GG_MAX_DIMS);
    int64_t shape[GG_MAX_DIMS] = {0}, begin, end;
    for (size_t d = 0; d < n_dims; d++)
        if (!count_of(&shape[d], json_array_get(shape_j, d)))
            return malformed(r, name, "whole extents of zero or more in \"shape\"");
    if (json_array_size(range) != 2 || !count_of(&begin, json_array_get(range, 0)) || !count_of(&end, json_array_get(range, 1)) || begin > end)
        return malformed(r, name, "\"data_offsets\" of the form [begin, end]");
    if ((uint64_t)end > r->n_data)
        return gg_fail(ctx, GG_EFORMAT, "%s: tensor \"%s\" takes bytes %llu to %llu of the file, which ends at byte %llu: it is truncated or damaged", r->file,
                       gg__show(name, strlen(name)), (unsigned long long)r->base + (uint64_t)begin, (unsigned long long)r->base + (uint64_t)end,
                       (unsigned long long)(r->base + r->n_data));
    *span = (gg__span){.begin = r->base + (uint64_t)begin, .end = r->base + (uint64_t)end, .tensor = r->t->names.n};
    return gg__tensors_add(r->t, r->file, name, strlen(name), dtype, (int)n_dims, shape, r->data + begin, end - begin);
}

static gg_status add_metadata(reader *r, const json_t *j)
{
    if (!json_is_object(j))
        return gg_fail(r->t->ctx, GG_EFORMAT, "%s: __metadata__ is no object: the header is damaged", r->file);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)j, key, value) {
        if (!json_is_string(value))
            return gg_fail(r->t->ctx, GG_EFORMAT, "%s: __metadata__ key \"%s\" is no text: the header is damaged", r->file, gg__show(key, strlen(key)));
        gg__value v;
        GG_TRY(gg__tensors_text_value(&v, r->t, json_string_value(value), json_string_length(value)));
        GG_TRY(gg__tensors_put(r->t, r->file, key, strlen(key), v));
    }
    return GG_OK;
}

/* Sorted ranges must follow each other from the first byte of the data to the last. */
static gg_status check_holes(const reader *r, const gg__span *span, int64_t n)
{
    uint64_t at = r->base;
    for (int64_t i = 0; i < n; i++) {
        if (span[i].begin != at) {
            const char *name = r->t->tensor[span[i].tensor].name;
            return gg_fail(r->t->ctx, GG_EFORMAT,
                           "%s: bytes %llu to %llu before tensor \"%s\" belong to no tensor, which the format forbids: the file is damaged", r->file,
                           (unsigned long long)at, (unsigned long long)span[i].begin, gg__show(name, strlen(name)));
        }
        at = span[i].end;
    }
    if (at != r->base + r->n_data)
        return gg_fail(r->t->ctx, GG_EFORMAT, "%s: the file has %llu bytes, its tensors end at byte %llu: it is damaged, or something was appended", r->file,
                       (unsigned long long)(r->base + r->n_data), (unsigned long long)at);
    return GG_OK;
}

static gg_status add_all(reader *r, json_t *header, bool with_metadata, gg__span *span)
{
    const char *name;
    json_t *value;
    int64_t n = 0;
    json_object_foreach(header, name, value) {
        if (strcmp(name, "__metadata__") == 0) {
            if (with_metadata)
                GG_TRY(add_metadata(r, value));
        } else {
            GG_TRY(add_tensor(r, name, value, &span[n]));
            n++;
        }
    }
    GG_TRY(gg__spans_check(r->t, r->file, span, n));
    return check_holes(r, span, n);
}

gg_status gg__safetensors_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, bool with_metadata)
{
    gg_context *ctx = t->ctx;
    if (size == 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: the file is empty; expected safetensors", file);
    char begin[GG__SHOWN];
    if (size < 9 || data[8] != '{')
        return gg_fail(ctx, GG_EFORMAT, "%s is not a safetensors file: it begins with %s; expected 8 bytes of header length and \"{\"%s", file,
                       gg__begin(begin, data, size), gg__guess(data, size));
    uint64_t n;
    memcpy(&n, data, 8);
    if (n > HEADER_LIMIT)
        return gg_fail(ctx, GG_EFORMAT, "%s: the header would have %llu bytes, more than the format's %u: the file is damaged, or no safetensors file", file,
                       (unsigned long long)n, HEADER_LIMIT);
    if (n > size - 8)
        return gg_fail(ctx, GG_EFORMAT, "%s: the header takes bytes 8 to %llu, the file ends at byte %zu: it is truncated", file, (unsigned long long)(8 + n),
                       size);
    json_t *header;
    GG_TRY(parse_object(&header, ctx, (const char *)data + 8, (size_t)n, file, "the header"));
    gg__span *span = gg_new(ctx, gg__span, (int64_t)json_object_size(header));
    reader r = {.t = t, .file = file, .data = data + 8 + n, .base = 8 + n, .n_data = size - 8 - n};
    const gg_status s = span ? add_all(&r, header, with_metadata, span) : GG_ENOMEM;
    gg_drop(ctx, span);
    json_decref(header);
    return s;
}

/* ---- config.json ---- */

typedef struct flattener {
    gg_tensors *t;
    const char *file;
} flattener;

static gg_status scalar_of(gg__value *out, const flattener *f, const json_t *j)
{
    *out = (gg__value){.kind = GG__NULL};
    if (json_is_integer(j))
        *out = (gg__value){.kind = GG__INT, .i = json_integer_value(j)};
    else if (json_is_real(j))
        *out = (gg__value){.kind = GG__DOUBLE, .d = json_real_value(j)};
    else if (json_is_boolean(j))
        *out = (gg__value){.kind = GG__BOOL, .b = json_is_true(j)};
    else if (json_is_string(j))
        return gg__tensors_text_value(out, f->t, json_string_value(j), json_string_length(j));
    return GG_OK;
}

static gg_status array_of(gg__value *out, const flattener *f, const json_t *j)
{
    const size_t n = json_array_size(j);
    gg__value *items = gg_arena_alloc(&f->t->arena, (n ? n : 1) * sizeof *items);
    if (!items)
        return GG_ENOMEM;
    for (size_t i = 0; i < n; i++)
        GG_TRY(scalar_of(&items[i], f, json_array_get(j, i)));
    *out = (gg__value){.kind = GG__ITEMS, .n = (int64_t)n, .items = items};
    return GG_OK;
}

/* path: the keys so far, with dots; restored before the return. gg_json_document bounds the depth (2048). */
static gg_status flatten(const flattener *f, gg_str *path, json_t *object)
{
    const char *key;
    json_t *value;
    const size_t before = path->len;
    json_object_foreach(object, key, value) {
        if (before)
            gg_str_puts(path, ".");
        gg_str_puts(path, key);
        if (path->failed)
            return GG_ENOMEM;
        if (json_is_object(value)) {
            GG_TRY(flatten(f, path, value));
        } else {
            gg__value v;
            GG_TRY(json_is_array(value) ? array_of(&v, f, value) : scalar_of(&v, f, value));
            GG_TRY(gg__tensors_put(f->t, f->file, path->len ? path->data : "", path->len, v));
        }
        path->len = before;
        if (path->data)
            path->data[before] = 0;
    }
    return GG_OK;
}

gg_status gg__config_parse(gg_tensors *t, const char *data, size_t size, const char *file)
{
    json_t *j;
    flattener f = {.t = t, .file = file};
    GG_TRY(parse_object(&j, t->ctx, data, size, file, "the file"));
    gg_str path = {.ctx = t->ctx};
    const gg_status s = flatten(&f, &path, j);
    gg_str_free(&path);
    json_decref(j);
    return s;
}

/* ---- the index of a sharded checkpoint: {"weight_map": {tensor: file}} ---- */

static gg_status load_shard(gg_tensors *t, const char *index_path, const char *shard)
{
    const char *slash = strrchr(index_path, '/');
    if (strchr(shard, '/') || !*shard || strcmp(shard, "..") == 0)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the shard \"%s\" is no plain file name: shards lie beside their index", index_path,
                       gg__show(shard, strlen(shard)));
    gg_str path = {.ctx = t->ctx};
    if (slash)
        gg_str_add(&path, index_path, (size_t)(slash - index_path) + 1);
    gg_str_puts(&path, shard);
    gg_map map = {0};
    gg_status s = path.failed ? GG_ENOMEM : gg__tensors_map(&map, t, path.data);
    if (s == GG_ENOENT)
        s = gg_fail(t->ctx, GG_ENOENT, "%s: the shard \"%s\" that it names is not there", index_path, gg__show(shard, strlen(shard)));
    else if (s == GG_OK)
        s = gg__safetensors_parse(t, map.data, map.size, path.data, false);
    gg_str_free(&path);
    return s;
}

static gg_status load_shards(gg_tensors *t, gg__names *shards, const json_t *map, const char *path)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) {
        const char *shard = json_string_value(value);
        bool is_new;
        if (!shard)
            return gg_fail(t->ctx, GG_EFORMAT, "%s: weight_map[\"%s\"] is no file name", path, gg__show(name, strlen(name)));
        GG_TRY(gg__names_add(shards, shard, &is_new));
        if (is_new)
            GG_TRY(load_shard(t, path, shard));
    }
    json_object_foreach((json_t *)map, name, value)
        if (!gg_tensors_find(t, name))
            return gg_fail(t->ctx, GG_EFORMAT, "%s: tensor \"%s\" should be in \"%s\", but is not there", path, gg__show(name, strlen(name)),
                           gg__show(json_string_value(value), json_string_length(value)));
    return GG_OK;
}

gg_status gg__index_load(gg_tensors *t, const uint8_t *data, size_t size, const char *path)
{
    json_t *j;
    GG_TRY(parse_object(&j, t->ctx, (const char *)data, size, path, "the file"));
    const json_t *map = json_object_get(j, "weight_map");
    gg__names shards = {.ctx = t->ctx};
    const gg_status s = json_is_object(map)
                            ? load_shards(t, &shards, map, path)
                            : gg_fail(t->ctx, GG_EFORMAT, "%s: no object \"weight_map\": it is not the index of a sharded safetensors checkpoint", path);
    gg__names_free(&shards);
    json_decref(j);
    return s;
}
