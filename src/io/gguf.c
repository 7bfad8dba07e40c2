/* Reads GGUF, versions 2 and 3, little-endian (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
 *
 *     "GGUF", u32 version, u64 tensors, u64 keys
 *     keys times:    text key, u32 type, value          text: u64 length, bytes;  array: u32 element type, u64 count, elements
 *     tensors times: text name, u32 dims, u64 extent[dims] (fastest first), u32 type, u64 offset
 *     padding to the alignment (key general.alignment, 32 without it), then the data; offsets count from there
 *
 * Nothing is copied but names and single texts. Of an array of texts a table of pointers is made (its size is bounded by the bytes that remain, 8 for
 * each length), so that each is reached at once.
 *
 * Traps: extents come reversed and are turned here, so that everywhere in golgi the slowest is first. A big-endian file has the same first four
 * bytes; only its version number looks absurd. Counts are 64 bits of whatever the file says: loops end at the end of the file, not at the count.
 * Files of vocabulary alone have no tensors and end right after the keys.
 */
#include "io/tensors.h"

typedef struct cursor {
    gg_tensors *t;
    const char *file;
    const uint8_t *data;
    size_t size, at;
} cursor;

enum { TYPE_TEXT = 8, TYPE_ARRAY = 9, N_TYPES = 13, MAX_NESTING = 4, MAX_PARTS = 99999 };

/* bytes of a value by type number; 0: not of fixed size */
static const uint8_t type_bytes[N_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
static const gg__number type_number[N_TYPES] = {GG__U8, GG__I8,    GG__U16, GG__I16, GG__U32, GG__I32, GG__F32,
                                                GG__BOOL8, GG__U8, GG__U8,  GG__U64, GG__I64, GG__F64};

/* Names of number formats that golgi does not read, for the message. */
static const struct {
    uint32_t number;
    const char *name;
} foreign_types[] = {{4, "Q4_2, removed"}, {5, "Q4_3, removed"}, {9, "Q8_1"},    {15, "Q8_K"},   {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
                     {19, "IQ1_S"},        {20, "IQ4_NL"},       {21, "IQ3_S"},  {22, "IQ2_S"},  {23, "IQ4_XS"},  {29, "IQ1_M"},  {31, "Q4_0_4_4, removed"},
                     {32, "Q4_0_4_8, removed"}, {33, "Q4_0_8_8, removed"}, {34, "TQ1_0"}, {35, "TQ2_0"},   {39, "MXFP4"}};

static gg_status truncated(const cursor *c, uint64_t needed, const char *what, const char *of, size_t n_of)
{
    return gg_fail(c->t->ctx, GG_EFORMAT, "%s: the file is truncated or damaged: %s%s%s%s needs %llu bytes at byte %zu, the file ends at byte %zu", c->file,
                   what, of ? " of \"" : "", of ? gg__show(of, n_of) : "", of ? "\"" : "", (unsigned long long)needed, c->at, c->size);
}

/* n bytes at the cursor, or the failure. of: the key or tensor they belong to. */
static gg_status take(const void **out, cursor *c, uint64_t n, const char *what, const char *of, size_t n_of)
{
    if (n > c->size - c->at)
        return truncated(c, n, what, of, n_of);
    *out = c->data + c->at;
    c->at += (size_t)n;
    return GG_OK;
}

static gg_status take_u32(uint32_t *out, cursor *c, const char *what, const char *of, size_t n_of)
{
    const void *p = NULL;
    GG_TRY(take(&p, c, 4, what, of, n_of));
    memcpy(out, p, 4);
    return GG_OK;
}

static gg_status take_u64(uint64_t *out, cursor *c, const char *what, const char *of, size_t n_of)
{
    const void *p = NULL;
    GG_TRY(take(&p, c, 8, what, of, n_of));
    memcpy(out, p, 8);
    return GG_OK;
}

static gg_status take_text(const char **out, size_t *n, cursor *c, const char *what, const char *of, size_t n_of)
{
    uint64_t len = 0;
    const void *p = NULL;
    GG_TRY(take_u64(&len, c, what, of, n_of));
    GG_TRY(take(&p, c, len, what, of, n_of));
    *out = p;
    *n = (size_t)len;
    return GG_OK;
}

static gg_status unknown_type(const cursor *c, uint32_t type, const char *key, size_t n_key)
{
    return gg_fail(c->t->ctx, GG_EFORMAT, "%s: key \"%s\" has the unknown value type %u before byte %zu; expected 0 to 12: the file is damaged", c->file,
                   gg__show(key, n_key), type, c->at);
}

/* What stands before an array's values. */
static gg_status take_array_head(uint32_t *type, uint64_t *n, cursor *c, const char *key, size_t n_key)
{
    GG_TRY(take_u32(type, c, "an array", key, n_key));
    GG_TRY(take_u64(n, c, "an array", key, n_key));
    return *type < N_TYPES ? GG_OK : unknown_type(c, *type, key, n_key);
}

/* Walks over an array of arrays that nobody asks for, so that the next key is found. */
static gg_status skip_array(cursor *c, int depth, const char *key, size_t n_key)
{
    uint32_t type = 0;
    uint64_t n = 0;
    GG_TRY(take_array_head(&type, &n, c, key, n_key));
    if (type == TYPE_ARRAY && depth == MAX_NESTING)
        return gg_fail(c->t->ctx, GG_EUNSUPPORTED, "%s: key \"%s\" holds arrays more than %d deep at byte %zu", c->file, gg__show(key, n_key), MAX_NESTING,
                       c->at);
    if (type_bytes[type]) {
        const void *p = NULL;
        if (n > c->size)
            return truncated(c, n, "an array", key, n_key);
        return take(&p, c, n * type_bytes[type], "an array", key, n_key);
    }
    for (uint64_t i = 0; i < n; i++) {
        const char *text = NULL;
        size_t len = 0;
        if (type == TYPE_TEXT)
            GG_TRY(take_text(&text, &len, c, "a text", key, n_key));
        else
            GG_TRY(skip_array(c, depth + 1, key, n_key));
    }
    return GG_OK;
}

static gg_status take_texts(gg__value *v, cursor *c, uint64_t n, const char *key, size_t n_key)
{
    if (n > (c->size - c->at) / 8)
        return gg_fail(c->t->ctx, GG_EFORMAT, "%s: key \"%s\" announces %llu texts at byte %zu, but only %zu bytes follow: the file is truncated or damaged",
                       c->file, gg__show(key, n_key), (unsigned long long)n, c->at, c->size - c->at);
    const char **texts = gg_arena_alloc(&c->t->arena, (size_t)n * sizeof *texts);
    if (!texts)
        return GG_ENOMEM;
    for (uint64_t i = 0; i < n; i++) {
        size_t len = 0;
        GG_TRY(take_text(&texts[i], &len, c, "a text", key, n_key));
    }
    *v = (gg__value){.kind = GG__TEXTS, .n = (int64_t)n, .texts = texts};
    return GG_OK;
}

static gg_status take_array(gg__value *v, cursor *c, const char *key, size_t n_key)
{
    uint32_t type = 0;
    uint64_t n = 0;
    GG_TRY(take_array_head(&type, &n, c, key, n_key));
    if (type == TYPE_TEXT)
        return take_texts(v, c, n, key, n_key);
    if (type == TYPE_ARRAY) {
        for (uint64_t i = 0; i < n; i++)
            GG_TRY(skip_array(c, 1, key, n_key));
        *v = (gg__value){.kind = GG__NESTED, .n = (int64_t)n};
        return GG_OK;
    }
    const void *p = NULL;
    if (n > c->size)
        return truncated(c, n, "an array", key, n_key);
    GG_TRY(take(&p, c, n * type_bytes[type], "an array", key, n_key));
    *v = (gg__value){.kind = GG__PACKED, .number = type_number[type], .n = (int64_t)n, .packed = p};
    return GG_OK;
}

static gg_status take_value(gg__value *v, cursor *c, uint32_t type, const char *key, size_t n_key)
{
    if (type == TYPE_ARRAY)
        return take_array(v, c, key, n_key);
    if (type == TYPE_TEXT) {
        const char *text = NULL;
        size_t n = 0;
        GG_TRY(take_text(&text, &n, c, "the text", key, n_key));
        return gg__tensors_text_value(v, c->t, text, n);
    }
    const void *p = NULL;
    GG_TRY(take(&p, c, type_bytes[type], "the value", key, n_key));
    if (type_number[type] == GG__BOOL8 && *(const uint8_t *)p > 1)
        return gg_fail(c->t->ctx, GG_EFORMAT, "%s: key \"%s\" is a truth value of %d at byte %zu; expected 0 or 1: the file is damaged", c->file,
                       gg__show(key, n_key), *(const uint8_t *)p, c->at - 1);
    *v = gg__packed_at(&(gg__value){.kind = GG__PACKED, .number = type_number[type], .n = 1, .packed = p}, 0);
    return GG_OK;
}

/* keep: false for the later parts of a split file, whose keys only say which part it is; they are returned in *no and *count. */
static gg_status take_keys(cursor *c, uint64_t n, bool keep, uint64_t *no, uint64_t *count, uint64_t *alignment)
{
    if (n > (c->size - c->at) / 13) /* a key takes at least 13 bytes */
        return gg_fail(c->t->ctx, GG_EFORMAT, "%s: the file announces %llu metadata keys, but only %zu bytes follow: it is truncated or damaged", c->file,
                       (unsigned long long)n, c->size - c->at);
    for (uint64_t i = 0; i < n; i++) {
        const char *key = NULL;
        size_t n_key = 0;
        uint32_t type = 0;
        const size_t start = c->at;
        GG_TRY(take_text(&key, &n_key, c, "a metadata key", NULL, 0));
        if (n_key == 0)
            return gg_fail(c->t->ctx, GG_EFORMAT, "%s: an empty metadata key at byte %zu: the file is damaged", c->file, start);
        GG_TRY(take_u32(&type, c, "the type", key, n_key));
        if (type >= N_TYPES)
            return unknown_type(c, type, key, n_key);
        gg__value v;
        GG_TRY(take_value(&v, c, type, key, n_key));
        if (v.kind == GG__INT && v.i >= 0) {
            if (n_key == 8 && memcmp(key, "split.no", 8) == 0)
                *no = (uint64_t)v.i;
            if (n_key == 11 && memcmp(key, "split.count", 11) == 0)
                *count = (uint64_t)v.i;
            if (n_key == 17 && memcmp(key, "general.alignment", 17) == 0)
                *alignment = (uint64_t)v.i;
        }
        if (keep)
            GG_TRY(gg__tensors_put(c->t, c->file, key, n_key, v));
    }
    return GG_OK;
}

static gg_status unknown_format(const cursor *c, uint32_t type, const char *name, size_t n_name)
{
    gg_str known = {.ctx = c->t->ctx};
#define GG_X(code, block, bytes, gguf, safe, npy) \
    if ((gguf) >= 0)                              \
        gg_str_printf(&known, "%s%s", known.len ? " " : "", #code);
    GG_DTYPE_MAP(GG_X)
#undef GG_X
    const char *called = NULL;
    for (size_t i = 0; i < sizeof foreign_types / sizeof *foreign_types; i++)
        if (foreign_types[i].number == type)
            called = foreign_types[i].name;
    const gg_status s = known.failed
                            ? GG_ENOMEM
                            : gg_fail(c->t->ctx, GG_EUNSUPPORTED, "%s: tensor \"%s\" is in number format %u%s%s%s, which golgi does not read; supported: %s",
                                      c->file, gg__show(name, n_name), type, called ? " (" : "", called ? called : "", called ? ")" : "", known.data);
    gg_str_free(&known);
    return s;
}

static bool format_of(gg_dtype *out, uint32_t type)
{
    static const int number[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) gguf,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    for (int i = 0; i < GG_DTYPE_COUNT; i++)
        if (number[i] >= 0 && (uint32_t)number[i] == type) {
            *out = (gg_dtype)i;
            return true;
        }
    return false;
}

/* A tensor as the file describes it; data follow after all descriptions. */
typedef struct described {
    const char *name;
    size_t n_name;
    gg_dtype dtype;
    int n_dims;
    int64_t shape[GG_MAX_DIMS];
    int64_t n_bytes;
    uint64_t offset;
} described;

static gg_status take_tensor(described *w, cursor *c)
{
    gg_context *ctx = c->t->ctx;
    uint32_t n_dims = 0, type = 0;
    GG_TRY(take_text(&w->name, &w->n_name, c, "a tensor's name", NULL, 0));
    const char *name = w->name;
    const size_t n_name = w->n_name;
    GG_TRY(take_u32(&n_dims, c, "the description", name, n_name));
    if (n_dims > GG_MAX_DIMS)
        return gg_fail(ctx, GG_EFORMAT, "%s: tensor \"%s\" has %u dimensions before byte %zu; expected at most %d: the file is damaged", c->file,
                       gg__show(name, n_name), n_dims, c->at, GG_MAX_DIMS);
    w->n_dims = (int)n_dims;
    for (int d = w->n_dims - 1; d >= 0; d--) {
        uint64_t extent = 0;
        GG_TRY(take_u64(&extent, c, "the description", name, n_name));
        if (extent > INT64_MAX)
            return gg_fail(ctx, GG_EFORMAT, "%s: tensor \"%s\" has an extent of %llu before byte %zu: the file is damaged", c->file, gg__show(name, n_name),
                           (unsigned long long)extent, c->at);
        w->shape[d] = (int64_t)extent;
    }
    GG_TRY(take_u32(&type, c, "the description", name, n_name));
    GG_TRY(take_u64(&w->offset, c, "the description", name, n_name));
    if (!format_of(&w->dtype, type))
        return unknown_format(c, type, name, n_name);
    const int64_t row = w->n_dims ? w->shape[w->n_dims - 1] : 1, block = gg_dtype_block(w->dtype);
    if (row % block)
        return gg_fail(ctx, GG_EFORMAT, "%s: tensor \"%s\" has rows of %lld numbers; %s needs whole blocks of %lld", c->file, gg__show(name, n_name),
                       (long long)row, gg_dtype_name(w->dtype), (long long)block);
    const int64_t count = gg__shape_count(w->n_dims, w->shape);
    w->n_bytes = count < 0 ? -1 : gg_dtype_bytes(w->dtype, count);
    if (w->n_bytes < 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: tensor \"%s\" has more numbers than 64 bits count: the file is damaged", c->file, gg__show(name, n_name));
    return GG_OK;
}

/* The descriptions were walked over once, so there are n of them; span: (n,). */
static gg_status add_tensors(cursor *c, int64_t n, uint64_t start, uint64_t alignment, gg__span *span)
{
    gg_context *ctx = c->t->ctx;
    for (int64_t i = 0; i < n; i++) {
        described w;
        GG_TRY(take_tensor(&w, c));
        uint64_t begin, end;
        if (__builtin_add_overflow(start, w.offset, &begin) || __builtin_add_overflow(begin, (uint64_t)w.n_bytes, &end) || end > c->size)
            return gg_fail(ctx, GG_EFORMAT,
                           "%s: tensor \"%s\" takes %lld bytes at offset %llu of the data, which begin at byte %llu; the file ends at byte %zu: it is "
                           "truncated or damaged",
                           c->file, gg__show(w.name, w.n_name), (long long)w.n_bytes, (unsigned long long)w.offset, (unsigned long long)start, c->size);
        if (w.offset % alignment)
            return gg_fail(ctx, GG_EFORMAT,
                           "%s: tensor \"%s\" begins at offset %llu of the data, which is no multiple of the alignment %llu: the file is damaged", c->file,
                           gg__show(w.name, w.n_name), (unsigned long long)w.offset, (unsigned long long)alignment);
        span[i] = (gg__span){.begin = begin, .end = end, .tensor = c->t->names.n};
        GG_TRY(gg__tensors_add(c->t, c->file, w.name, w.n_name, w.dtype, w.n_dims, w.shape, c->data + begin, w.n_bytes));
    }
    return gg__spans_check(c->t, c->file, span, n);
}

static gg_status take_tensors(cursor *c, uint64_t n, uint64_t alignment)
{
    const size_t first = c->at;
    described w;
    for (uint64_t i = 0; i < n; i++)
        GG_TRY(take_tensor(&w, c));
    const uint64_t over = c->at % alignment;
    const uint64_t start = c->at + (over ? alignment - over : 0); /* may lie past the end when there is no data */
    gg__span *span = gg_new(c->t->ctx, gg__span, (int64_t)n);
    if (!span)
        return GG_ENOMEM;
    c->at = first;
    const gg_status s = add_tensors(c, (int64_t)n, start, alignment, span);
    gg_drop(c->t->ctx, span);
    return s;
}

static gg_status check_head(cursor *c, uint64_t *n_tensors, uint64_t *n_keys)
{
    gg_context *ctx = c->t->ctx;
    if (c->size < 4 || memcmp(c->data, "GGUF", 4) != 0) {
        char begin[GG__SHOWN];
        if (c->size == 0)
            return gg_fail(ctx, GG_EFORMAT, "%s: the file is empty; expected GGUF", c->file);
        return gg_fail(ctx, GG_EFORMAT, "%s is not a GGUF file: it begins with %s; expected \"GGUF\"", c->file, gg__begin(begin, c->data, c->size));
    }
    c->at = 4;
    uint32_t version = 0;
    GG_TRY(take_u32(&version, c, "the head of the file", NULL, 0));
    if (version != 0 && (version & 0xffff) == 0)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: a big-endian GGUF file (version %u seen from the other end); golgi reads little-endian ones: convert it with "
                                             "gguf_convert_endian.py of the gguf package", c->file, __builtin_bswap32(version));
    if (version != 2 && version != 3)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: GGUF version %u; golgi reads versions 2 and 3%s", c->file, version,
                       version == 1 ? ": convert the model anew" : "");
    GG_TRY(take_u64(n_tensors, c, "the head of the file", NULL, 0));
    GG_TRY(take_u64(n_keys, c, "the head of the file", NULL, 0));
    return GG_OK;
}

gg_status gg__gguf_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, int64_t part, int64_t *n_parts)
{
    cursor c = {.t = t, .file = file, .data = data, .size = size};
    uint64_t n_tensors = 0, n_keys = 0, no = 0, count = 1, alignment = 32;
    GG_TRY(check_head(&c, &n_tensors, &n_keys));
    GG_TRY(take_keys(&c, n_keys, part == 0, &no, &count, &alignment));
    if (count == 0 || count > MAX_PARTS || no >= count)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: split.no %llu of split.count %llu: the file is damaged", file, (unsigned long long)no,
                       (unsigned long long)count);
    if (part == 0 && no != 0)
        return gg_fail(t->ctx, GG_EINVAL, "%s: this is part %llu of %llu of a split file: open the first one, *-00001-of-%05llu.gguf", file,
                       (unsigned long long)no + 1, (unsigned long long)count, (unsigned long long)count);
    if (part != 0 && (no != (uint64_t)part || count != (uint64_t)*n_parts))
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the file says that it is part %llu of %llu; expected part %lld of %lld", file, (unsigned long long)no + 1,
                       (unsigned long long)count, (long long)part + 1, (long long)*n_parts);
    *n_parts = (int64_t)count;
    if (alignment == 0 || alignment % 8 || alignment > 1u << 30)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: general.alignment is %llu; expected a multiple of 8: the file is damaged", file, (unsigned long long)alignment);
    if (n_tensors > (size - c.at) / 24) /* a description takes at least 24 bytes */
        return gg_fail(t->ctx, GG_EFORMAT, "%s: the file announces %llu tensors, but only %zu bytes follow: it is truncated or damaged", file,
                       (unsigned long long)n_tensors, size - c.at);
    return take_tensors(&c, n_tensors, alignment);
}
