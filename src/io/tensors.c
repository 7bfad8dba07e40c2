/* Named tensors and metadata. Owns: the table, its hashes, the mappings, the choice of the reader. Knows no file format beyond its first bytes.
 *
 * Traps: metadata of a GGUF file is not aligned, so numbers are copied out byte by byte; texts are not NUL-terminated in the file, so single texts are
 * copied once and texts of arrays come with their length. Tables grow as items are read: a count in a file never sizes an allocation.
 */
#include "io/tensors.h"
#include "base/command.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- names ---- */

static uint64_t hash_of(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 1099511628211u;
    return h ^ h >> 32;
}

static int64_t slot_of(const gg__names *h, const char *key)
{
    int64_t i = (int64_t)(hash_of(key) & (uint64_t)(h->n_slots - 1));
    while (h->slot[i] && strcmp(h->key[h->slot[i] - 1], key) != 0)
        i = (i + 1) & (h->n_slots - 1);
    return i;
}

int64_t gg__names_find(const gg__names *h, const char *key)
{
    return h->n_slots ? h->slot[slot_of(h, key)] - 1 : -1;
}

static gg_status names_grow(gg__names *h)
{
    const int64_t n_slots = h->n_slots ? 2 * h->n_slots : 64;
    int64_t *slot = gg_new(h->ctx, int64_t, n_slots);
    if (!slot)
        return GG_ENOMEM;
    gg_drop(h->ctx, h->slot);
    h->slot = slot;
    h->n_slots = n_slots;
    for (int64_t i = 0; i < h->n; i++)
        h->slot[slot_of(h, h->key[i])] = i + 1;
    return GG_OK;
}

gg_status gg__names_add(gg__names *h, const char *key, bool *is_new)
{
    *is_new = gg__names_find(h, key) < 0;
    if (!*is_new)
        return GG_OK;
    GG_TRY(gg_grow(h->ctx, &h->key, h->n, &h->cap, 32));
    if (2 * (h->n + 1) > h->n_slots)
        GG_TRY(names_grow(h));
    h->slot[slot_of(h, key)] = h->n + 1;
    h->key[h->n++] = key;
    return GG_OK;
}

void gg__names_free(gg__names *h)
{
    gg_drop(h->ctx, h->key);
    gg_drop(h->ctx, h->slot);
    *h = (gg__names){.ctx = h->ctx};
}

/* ---- what messages show of a file ---- */

/* Length of a valid UTF-8 sequence of a printable character at s, 0 if there is none. */
static size_t printable_length(const uint8_t *s, size_t n)
{
    if (s[0] < 0x80)
        return s[0] >= 0x20 && s[0] != 0x7f;
    const size_t len = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
    if (!len || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if (s[0] == 0xc2 && s[1] < 0xa0) /* C1 controls */
        return 0;
    return len;
}

static void shown(char *out, size_t room, const void *text, size_t n)
{
    const uint8_t *s = text;
    size_t at = 0, i = 0;
    while (i < n) {
        const size_t len = printable_length(s + i, n - i);
        const size_t put = len ? len : 1;
        if (at + put + (n - i > put ? 4 : 1) > room)
            break;
        if (len)
            memcpy(out + at, s + i, len);
        else
            out[at] = '?';
        at += put;
        i += put;
    }
    if (i < n)
        for (int dots = 0; dots < 3 && at + 1 < room; dots++)
            out[at++] = '.';
    out[at] = 0;
}

const char *gg__shown(char buf[GG__SHOWN], const void *text, size_t n)
{
    shown(buf, GG__SHOWN, text, n);
    return buf;
}

const char *gg__begin(char buf[GG__SHOWN], const uint8_t *data, size_t n)
{
    if (n > 8)
        n = 8;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(buf + at, GG__SHOWN - at, "%02x ", data[i]);
    buf[at++] = '(';
    buf[at++] = '"';
    for (size_t i = 0; i < n; i++)
        buf[at++] = data[i] >= 0x20 && data[i] < 0x7f && data[i] != '"' ? (char)data[i] : '.';
    buf[at++] = '"';
    buf[at++] = ')';
    buf[at] = 0;
    return buf;
}

/* ---- the table ---- */

gg_status gg__tensors_create(gg_tensors **out, gg_context *ctx, const char *path, gg_tensors_kind kind)
{
    gg_tensors *t = gg_new(ctx, gg_tensors, 1);
    if (!t)
        return GG_ENOMEM;
    *t = (gg_tensors){.ctx = ctx, .kind = kind, .arena = {.ctx = ctx}, .names = {.ctx = ctx}, .keys = {.ctx = ctx}};
    t->path = gg_strdup(ctx, path);
    if (!t->path) {
        gg_tensors_free(t);
        return GG_ENOMEM;
    }
    *out = t;
    return GG_OK;
}

void gg_tensors_free(gg_tensors *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    for (int i = 0; i < t->n_sources; i++) {
        gg_map_close(&t->source[i].map);
        gg_drop(ctx, t->source[i].path);
    }
    for (int64_t i = 0; i < t->n_copies; i++)
        gg_drop(ctx, t->copy[i]);
    gg_drop(ctx, t->copy);
    gg_drop(ctx, t->source);
    gg_drop(ctx, t->tensor);
    gg_drop(ctx, t->value);
    gg__names_free(&t->names);
    gg__names_free(&t->keys);
    gg_arena_free(&t->arena);
    gg_drop(ctx, t->path);
    gg_drop(ctx, t);
}

gg_status gg__tensors_map(gg_map *out, gg_tensors *t, const char *path)
{
    gg__source *grown = gg_renew(t->ctx, t->source, gg__source, t->n_sources + 1);
    if (!grown)
        return GG_ENOMEM;
    t->source = grown;
    gg__source *s = &t->source[t->n_sources];
    *s = (gg__source){.path = gg_strdup(t->ctx, path)};
    if (!s->path)
        return GG_ENOMEM;
    const gg_status status = gg_map_open(&s->map, t->ctx, path);
    if (status != GG_OK) {
        gg_drop(t->ctx, s->path);
        return status;
    }
    t->n_sources++;
    *out = s->map;
    return GG_OK;
}

gg_status gg__tensors_copy(void **out, gg_tensors *t, size_t bytes)
{
    GG_TRY(gg_grow(t->ctx, &t->copy, t->n_copies, &t->copy_cap, 16));
    void *p = gg_alloc(t->ctx, bytes);
    if (!p)
        return GG_ENOMEM;
    t->copy[t->n_copies++] = p;
    t->copied_bytes += (int64_t)bytes;
    *out = p;
    return GG_OK;
}

int64_t gg__shape_count(int n_dims, const int64_t *shape)
{
    int64_t count = 1, bound = 1;
    for (int d = 0; d < n_dims; d++) {
        if (shape[d] < 0 || __builtin_mul_overflow(bound, shape[d] ? shape[d] : 1, &bound))
            return -1;
        count *= shape[d];
    }
    return count;
}

static size_t alignment_of(gg_dtype t)
{
    if (gg_dtype_block(t) != 1) /* blocks begin with half-precision scales, except a few that are plain bytes */
        return 2;
    return (size_t)gg_dtype_block_bytes(t);
}

/* A copy of a name in the arena; NUL inside would hide what follows. */
static gg_status name_copy(char **out, gg_tensors *t, const char *file, const char *what, const char *name, size_t n)
{
    if (memchr(name, 0, n))
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the name of %s has a NUL byte in it (\"%s\"): the file is damaged", file, what, gg__show(name, n));
    *out = gg_arena_strndup(&t->arena, name, n);
    return *out ? GG_OK : GG_ENOMEM;
}

gg_status gg__tensors_add(gg_tensors *t, const char *file, const char *name, size_t n_name, gg_dtype dtype, int n_dims, const int64_t *shape,
                          const void *data, int64_t n_bytes)
{
    char *own = NULL;
    GG_TRY(name_copy(&own, t, file, "a tensor", name, n_name));
    const int64_t count = gg__shape_count(n_dims, shape);
    const int64_t needed = count < 0 ? -1 : gg_dtype_bytes(dtype, count);
    if (needed < 0 || needed != n_bytes)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: tensor \"%s\": its shape as %s needs %lld bytes, the file gives it %lld", file, gg__show(name, n_name),
                       gg_dtype_name(dtype), (long long)needed, (long long)n_bytes);
    if (gg__names_find(&t->names, own) >= 0)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: there are two tensors named \"%s\"", file, gg__show(name, n_name));
    if ((uintptr_t)data % alignment_of(dtype) != 0) {
        void *copy;
        GG_TRY(gg__tensors_copy(&copy, t, (size_t)n_bytes));
        memcpy(copy, data, (size_t)n_bytes);
        data = copy;
    }
    GG_TRY(gg_grow(t->ctx, &t->tensor, t->names.n, &t->tensor_cap, 32));
    gg_tensor *w = &t->tensor[t->names.n];
    *w = (gg_tensor){.name = own, .dtype = dtype, .n_dims = n_dims, .data = data, .n_bytes = n_bytes};
    for (int d = 0; d < n_dims; d++)
        w->shape[d] = shape[d];
    bool is_new;
    return gg__names_add(&t->names, own, &is_new);
}

gg_status gg__tensors_put(gg_tensors *t, const char *file, const char *key, size_t n_key, gg__value v)
{
    char *own = NULL;
    GG_TRY(name_copy(&own, t, file, "a metadata key", key, n_key));
    GG_TRY(gg_grow(t->ctx, &t->value, t->keys.n, &t->value_cap, 32));
    bool is_new;
    GG_TRY(gg__names_add(&t->keys, own, &is_new));
    if (!is_new)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the metadata key \"%s\" is there twice", file, gg__show(key, n_key));
    t->value[t->keys.n - 1] = v;
    return GG_OK;
}

gg_status gg__tensors_text_value(gg__value *out, gg_tensors *t, const char *text, size_t n)
{
    const char *own = gg_arena_strndup(&t->arena, text, n);
    if (!own)
        return GG_ENOMEM;
    *out = (gg__value){.kind = GG__TEXT, .n = (int64_t)n, .text = own};
    return GG_OK;
}

static int span_order(const void *a, const void *b)
{
    const gg__span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

gg_status gg__spans_check(gg_tensors *t, const char *file, gg__span *span, int64_t n)
{
    qsort(span, (size_t)n, sizeof *span, span_order);
    int64_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (span[i].begin == span[i].end)
            continue;
        if (last >= 0 && span[i].begin < span[last].end) {
            const char *a = t->tensor[span[last].tensor].name, *b = t->tensor[span[i].tensor].name;
            return gg_fail(t->ctx, GG_EFORMAT, "%s: tensors \"%s\" (bytes %llu to %llu) and \"%s\" (bytes %llu to %llu) overlap: the file is damaged", file,
                           gg__show(a, strlen(a)), (unsigned long long)span[last].begin, (unsigned long long)span[last].end, gg__show(b, strlen(b)),
                           (unsigned long long)span[i].begin, (unsigned long long)span[i].end);
        }
        last = i;
    }
    return GG_OK;
}

/* ---- opening ---- */

typedef enum format { UNKNOWN, IS_GGUF, IS_SAFETENSORS, IS_NPY, IS_ZIP, IS_INDEX } format;

static bool begins(const uint8_t *data, size_t size, const char *with, size_t n)
{
    return size >= n && memcmp(data, with, n) == 0;
}

static bool ends_in(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static format format_of(const uint8_t *data, size_t size, const char *path)
{
    if (begins(data, size, "GGUF", 4))
        return IS_GGUF;
    if (begins(data, size, "\x93NUMPY", 6))
        return IS_NPY;
    if (begins(data, size, "PK\3\4", 4) || begins(data, size, "PK\5\6", 4))
        return IS_ZIP;
    if (ends_in(path, ".safetensors") || (size > 8 && data[8] == '{' && data[6] == 0 && data[7] == 0))
        return IS_SAFETENSORS;
    if (ends_in(path, ".json") && size && data[0] == '{')
        return IS_INDEX;
    return UNKNOWN;
}

const char *gg__guess(const uint8_t *data, size_t size)
{
    static const struct {
        const char *begin;
        int n;
        const char *text;
    } known[] = {
        {"version https://git-lfs", 23, ". It is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`"},
        {"\x80\x02", 2, ". It looks like a Python pickle (an old PyTorch checkpoint): convert it to safetensors"},
        {"\x89HDF", 4, ". It is an HDF5 file"},
        {"\x1f\x8b", 2, ". It is compressed with gzip: unpack it first"},
        {"\x28\xb5\x2f\xfd", 4, ". It is compressed with zstd: unpack it first"},
        {"tjgg", 4, ". It is a model file of 2023, older than GGUF: convert it anew"},
        {"fmgg", 4, ". It is a model file of 2023, older than GGUF: convert it anew"},
        {"lmgg", 4, ". It is a model file of 2023, older than GGUF: convert it anew"},
        {"<!DOCTYPE", 9, ". It is a web page: the download failed"},
        {"<!doctype", 9, ". It is a web page: the download failed"},
        {"<html", 5, ". It is a web page: the download failed"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (begins(data, size, known[i].begin, (size_t)known[i].n))
            return known[i].text;
    return "";
}

static gg_status foreign(gg_context *ctx, const uint8_t *data, size_t size, const char *file)
{
    char begin[GG__SHOWN];
    if (size == 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: the file is empty; expected GGUF, safetensors or NumPy", file);
    gg__begin(begin, data, size);
    if (ends_in(file, ".gguf"))
        return gg_fail(ctx, GG_EFORMAT, "%s is not a GGUF file: it begins with %s; expected \"GGUF\"%s", file, begin, gg__guess(data, size));
    if (ends_in(file, ".npy"))
        return gg_fail(ctx, GG_EFORMAT, "%s is not an NPY file: it begins with %s; expected 93 \"NUMPY\"%s", file, begin, gg__guess(data, size));
    if (ends_in(file, ".npz"))
        return gg_fail(ctx, GG_EFORMAT, "%s is not an NPZ file: it begins with %s; expected \"PK\"%s", file, begin, gg__guess(data, size));
    return gg_fail(ctx, GG_EFORMAT, "%s: no known tensor file: it begins with %s; expected GGUF, safetensors or NumPy (.npy, .npz)%s", file, begin,
                   gg__guess(data, size));
}

/* The file's name without folder and ending, for the one array of an .npy. */
static gg_status stem(char **out, gg_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    *out = gg_strndup(ctx, name, strlen(name) - (ends_in(name, ".npy") && strlen(name) > 4 ? 4 : 0));
    return *out ? GG_OK : GG_ENOMEM;
}

static gg_status parse_into(gg_tensors *t, format f, const uint8_t *data, size_t size, const char *file, int64_t *n_parts)
{
    *n_parts = 1;
    if (f == IS_GGUF) {
        t->kind = GG_TENSORS_GGUF;
        return gg__gguf_parse(t, data, size, file, 0, n_parts);
    }
    if (f == IS_SAFETENSORS) {
        t->kind = GG_TENSORS_SAFETENSORS;
        return gg__safetensors_parse(t, data, size, file, true);
    }
    t->kind = GG_TENSORS_NUMPY;
    if (f == IS_ZIP)
        return gg__npz_parse(t, data, size, file);
    if (f == IS_NPY) {
        char *name;
        GG_TRY(stem(&name, t->ctx, file));
        const gg_status s = gg__npy_parse(t, data, size, file, name);
        gg_drop(t->ctx, name);
        return s;
    }
    return foreign(t->ctx, data, size, file);
}

gg_status gg__tensors_parse(gg_tensors **out, gg_context *ctx, const uint8_t *data, size_t size, const char *file)
{
    gg_tensors *t;
    GG_TRY(gg__tensors_create(&t, ctx, file, GG_TENSORS_GGUF));
    int64_t n_parts;
    gg_status s = parse_into(t, format_of(data, size, file), data, size, file, &n_parts);
    if (s == GG_OK && n_parts > 1)
        s = gg_fail(ctx, GG_EUNSUPPORTED, "%s: one of %lld parts: open it from its folder", file, (long long)n_parts);
    if (s != GG_OK) {
        gg_tensors_free(t);
        return s;
    }
    *out = t;
    return GG_OK;
}

/* The other files of a split GGUF, found by the name of the first: X-00001-of-0000N.gguf. */
static gg_status load_parts(gg_tensors *t, const char *path, int64_t n_parts)
{
    char end[40];
    snprintf(end, sizeof end, "-00001-of-%05lld.gguf", (long long)n_parts);
    if (!ends_in(path, end))
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the file says that it is the first of %lld parts; expected a name that ends in \"%s\" to find the others", path,
                       (long long)n_parts, end);
    const int n_stem = (int)(strlen(path) - strlen(end));
    for (int64_t i = 1; i < n_parts; i++) {
        gg_str name = {.ctx = t->ctx};
        gg_str_printf(&name, "%.*s-%05lld-of-%05lld.gguf", n_stem, path, (long long)(i + 1), (long long)n_parts);
        gg_status s = name.failed ? GG_ENOMEM : GG_OK;
        gg_map map = {0};
        if (s == GG_OK)
            s = gg__tensors_map(&map, t, name.data);
        int64_t parts = n_parts;
        if (s == GG_OK)
            s = gg__gguf_parse(t, map.data, map.size, name.data, i, &parts);
        gg_str_free(&name);
        GG_TRY(s);
    }
    int64_t total;
    if (gg_tensors_int(t, "split.tensors.count", &total) && total != t->names.n)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the %lld parts hold %lld tensors, the first part announces %lld", path, (long long)n_parts,
                       (long long)t->names.n, (long long)total);
    return GG_OK;
}

static gg_status open_into(gg_tensors *t, const char *path)
{
    gg_map map;
    GG_TRY(gg__tensors_map(&map, t, path));
    const format f = format_of(map.data, map.size, path);
    if (f == IS_INDEX) {
        t->kind = GG_TENSORS_SAFETENSORS;
        return gg__index_load(t, map.data, map.size, path);
    }
    int64_t n_parts;
    GG_TRY(parse_into(t, f, map.data, map.size, path, &n_parts));
    return n_parts > 1 ? load_parts(t, path, n_parts) : GG_OK;
}

gg_status gg_tensors_open(gg_tensors **out, gg_context *ctx, const char *path)
{
    if (gg_file_is_folder(path))
        return gg__folder_open(out, ctx, path);
    gg_tensors *t;
    GG_TRY(gg__tensors_create(&t, ctx, path, GG_TENSORS_GGUF));
    const gg_status s = open_into(t, path);
    if (s != GG_OK) {
        gg_tensors_free(t);
        return s;
    }
    if (t->copied_bytes && t->kind != GG_TENSORS_NUMPY)
        gg_log(ctx, GG_LOG_DEBUG, "%s: %.1f MB of tensors are not aligned in the file and were copied", path, (double)t->copied_bytes / 1e6);
    *out = t;
    return GG_OK;
}

/* ---- what the public header shows ---- */

const char *gg_tensors_path(const gg_tensors *t)
{
    return t->path;
}

gg_tensors_kind gg_tensors_kind_of(const gg_tensors *t)
{
    return t->kind;
}

gg_status gg_tensors_hash(gg_tensors *t, char hex[65])
{
    if (!t->hash[0]) {
        gg_hash *h;
        GG_TRY(gg_hash_create(&h, t->ctx));
        for (int i = 0; i < t->n_sources; i++)
            gg_hash_add(h, t->source[i].map.data, t->source[i].map.size);
        gg_hash_finish(h, t->hash);
    }
    memcpy(hex, t->hash, 65);
    return GG_OK;
}

int64_t gg_tensors_count(const gg_tensors *t)
{
    return t->names.n;
}

const gg_tensor *gg_tensors_at(const gg_tensors *t, int64_t i)
{
    return i >= 0 && i < t->names.n ? &t->tensor[i] : NULL;
}

const gg_tensor *gg_tensors_find(const gg_tensors *t, const char *name)
{
    const int64_t i = gg__names_find(&t->names, name);
    return i < 0 ? NULL : &t->tensor[i];
}

gg_status gg_tensors_need(const gg_tensor **out, const gg_tensors *t, const char *name)
{
    const gg_tensor *found = gg_tensors_find(t, name);
    if (found) {
        *out = found;
        return GG_OK;
    }
    const int n = t->names.n > 100000 ? 100000 : (int)t->names.n;
    const char *near = n ? gg_nearest(name, t->names.key, n) : NULL;
    if (near)
        return gg_fail(t->ctx, GG_ENOENT, "%s: there is no tensor \"%s\" among the %lld of the file; the nearest name is \"%s\"", t->path, name,
                       (long long)t->names.n, gg__show(near, strlen(near)));
    return gg_fail(t->ctx, GG_ENOENT, "%s: there is no tensor \"%s\" among the %lld of the file", t->path, name, (long long)t->names.n);
}

const gg__value *gg__tensors_get(const gg_tensors *t, const char *key)
{
    const int64_t i = gg__names_find(&t->keys, key);
    return i < 0 ? NULL : &t->value[i];
}

static bool as_int(const gg__value *v, int64_t *out)
{
    if (v->kind != GG__INT)
        return false;
    *out = v->i;
    return true;
}

static bool as_double(const gg__value *v, double *out)
{
    if (v->kind == GG__INT)
        *out = (double)v->i;
    else if (v->kind == GG__UINT)
        *out = (double)v->u;
    else if (v->kind == GG__DOUBLE)
        *out = v->d;
    else
        return false;
    return true;
}

bool gg_tensors_has(const gg_tensors *t, const char *key)
{
    const gg__value *v = gg__tensors_get(t, key);
    return v && v->kind != GG__NULL;
}

bool gg_tensors_int(const gg_tensors *t, const char *key, int64_t *out)
{
    const gg__value *v = gg__tensors_get(t, key);
    return v && as_int(v, out);
}

bool gg_tensors_double(const gg_tensors *t, const char *key, double *out)
{
    const gg__value *v = gg__tensors_get(t, key);
    return v && as_double(v, out);
}

bool gg_tensors_bool(const gg_tensors *t, const char *key, bool *out)
{
    const gg__value *v = gg__tensors_get(t, key);
    if (!v || v->kind != GG__BOOL)
        return false;
    *out = v->b;
    return true;
}

bool gg_tensors_text(const gg_tensors *t, const char *key, const char **out)
{
    const gg__value *v = gg__tensors_get(t, key);
    if (!v || v->kind != GG__TEXT)
        return false;
    *out = v->text;
    return true;
}

static bool is_array(const gg__value *v)
{
    return v && (v->kind == GG__ITEMS || v->kind == GG__PACKED || v->kind == GG__TEXTS || v->kind == GG__NESTED);
}

int64_t gg_tensors_array(const gg_tensors *t, const char *key)
{
    const gg__value *v = gg__tensors_get(t, key);
    return is_array(v) ? v->n : -1;
}

/* memcpy: the file aligns nothing. */
gg__value gg__packed_at(const gg__value *a, int64_t i)
{
#define GG_AS(type, kind_, field)                                 \
    {                                                             \
        type x;                                                   \
        memcpy(&x, a->packed + i * (int64_t)sizeof x, sizeof x);  \
        return (gg__value){.kind = kind_, .field = x};            \
    }
    switch (a->number) {
    case GG__U8: GG_AS(uint8_t, GG__INT, i)
    case GG__I8: GG_AS(int8_t, GG__INT, i)
    case GG__U16: GG_AS(uint16_t, GG__INT, i)
    case GG__I16: GG_AS(int16_t, GG__INT, i)
    case GG__U32: GG_AS(uint32_t, GG__INT, i)
    case GG__I32: GG_AS(int32_t, GG__INT, i)
    case GG__I64: GG_AS(int64_t, GG__INT, i)
    case GG__F32: GG_AS(float, GG__DOUBLE, d)
    case GG__F64: GG_AS(double, GG__DOUBLE, d)
    case GG__BOOL8: return (gg__value){.kind = GG__BOOL, .b = a->packed[i] != 0};
    case GG__U64: break;
    }
#undef GG_AS
    uint64_t u;
    memcpy(&u, a->packed + i * 8, 8);
    return u > INT64_MAX ? (gg__value){.kind = GG__UINT, .u = u} : (gg__value){.kind = GG__INT, .i = (int64_t)u};
}

static gg__value element(const gg_tensors *t, const char *key, int64_t i)
{
    const gg__value *a = gg__tensors_get(t, key);
    if (!is_array(a) || i < 0 || i >= a->n)
        return (gg__value){.kind = GG__NULL};
    if (a->kind == GG__ITEMS)
        return a->items[i];
    if (a->kind == GG__PACKED)
        return gg__packed_at(a, i);
    if (a->kind == GG__TEXTS) {
        uint64_t n;
        memcpy(&n, a->texts[i] - 8, 8);
        return (gg__value){.kind = GG__TEXT, .n = (int64_t)n, .text = a->texts[i]};
    }
    return (gg__value){.kind = GG__NULL};
}

bool gg_tensors_array_text(const gg_tensors *t, const char *key, int64_t i, const char **out, size_t *n)
{
    const gg__value v = element(t, key, i);
    if (v.kind != GG__TEXT)
        return false;
    *out = v.text;
    *n = (size_t)v.n;
    return true;
}

bool gg_tensors_array_double(const gg_tensors *t, const char *key, int64_t i, double *out)
{
    const gg__value v = element(t, key, i);
    return as_double(&v, out);
}

bool gg_tensors_array_int(const gg_tensors *t, const char *key, int64_t i, int64_t *out)
{
    const gg__value v = element(t, key, i);
    return as_int(&v, out);
}

bool gg_tensors_array_bool(const gg_tensors *t, const char *key, int64_t i, bool *out)
{
    const gg__value v = element(t, key, i);
    if (v.kind != GG__BOOL)
        return false;
    *out = v.b;
    return true;
}

const char *gg_tensors_key(const gg_tensors *t, int64_t i)
{
    return i >= 0 && i < t->keys.n ? t->keys.key[i] : NULL;
}

/* The shortest decimal that reads back as d, seen as float where d is one (most numbers in GGUF files are). */
static void describe_double(double d, char *out, size_t n)
{
    const bool is_float = (double)(float)d == d;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, n, "%.*g", digits, d);
        const double back = strtod(out, NULL);
        if (back == d || (is_float && (float)back == (float)d))
            return;
    }
}

static void describe_scalar(const gg__value *v, char *out, size_t n)
{
    char text[64];
    switch (v->kind) {
    case GG__INT: snprintf(out, n, "%lld", (long long)v->i); break;
    case GG__UINT: snprintf(out, n, "%llu", (unsigned long long)v->u); break;
    case GG__DOUBLE: describe_double(v->d, out, n); break;
    case GG__BOOL: snprintf(out, n, "%s", v->b ? "true" : "false"); break;
    case GG__TEXT:
        shown(text, sizeof text, v->text, (size_t)v->n);
        snprintf(out, n, "\"%s\"", text);
        break;
    default: snprintf(out, n, "null"); break;
    }
}

void gg_tensors_describe(const gg_tensors *t, const char *key, char *out, size_t n)
{
    const gg__value *v = gg__tensors_get(t, key);
    if (n == 0)
        return;
    if (!v) {
        out[0] = 0;
        return;
    }
    if (!is_array(v)) {
        describe_scalar(v, out, n);
        return;
    }
    const gg__value first = element(t, key, 0);
    if (v->n <= (first.kind == GG__TEXT ? 3 : 8) && v->kind != GG__NESTED) { /* short ones whole */
        size_t at = (size_t)snprintf(out, n, "[");
        for (int64_t i = 0; i < v->n && at < n; i++) {
            char one[80];
            const gg__value e = element(t, key, i);
            describe_scalar(&e, one, sizeof one);
            at += (size_t)snprintf(out + at, n - at, "%s%s", i ? ", " : "", one);
        }
        if (at < n)
            snprintf(out + at, n - at, "]");
        return;
    }
    const char *what = v->kind == GG__NESTED ? "arrays" : first.kind == GG__TEXT ? "texts" : first.kind == GG__BOOL ? "booleans"
                       : first.kind == GG__DOUBLE ? "numbers" : "integers";
    snprintf(out, n, "[%lld %s]", (long long)v->n, what);
}
