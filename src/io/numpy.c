/* Reads NPY (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1.0, 2.0 and 3.0.
 *
 *     93 "NUMPY", u8 major, u8 minor, header length (u16 in 1.0, u32 later), header, data
 *     header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   a Python literal, padded with blanks, a newline at its end
 *
 * Data in C order stay in the mapping. Fortran order is turned into C order in a copy, as np.load would show the same array.
 * Traps: a one-dimensional shape is written (3,); Python 2 wrote 3L; objects are pickles, which golgi does not run.
 */
#include "io/tensors.h"

typedef struct cursor {
    gg_context *ctx;
    const char *file, *name; /* for messages */
    const uint8_t *data;
    size_t at, end, size;    /* of the header's text; size of all data */
} cursor;

typedef struct header {
    gg_dtype dtype;
    bool has_descr, has_order, has_shape, fortran;
    int n_dims;
    int64_t shape[GG_MAX_DIMS];
} header;

static gg_status expected(const cursor *c, const char *what)
{
    return gg_fail(c->ctx, GG_EFORMAT, "%s: array \"%s\": expected %s at byte %zu of its NPY header, found \"%s\"", c->file, gg__show(c->name, strlen(c->name)),
                   what, c->at, gg__show(c->data + c->at, c->end - c->at > 16 ? 16 : c->end - c->at));
}

static void blanks(cursor *c)
{
    while (c->at < c->end && (c->data[c->at] == ' ' || c->data[c->at] == '\n' || c->data[c->at] == '\t' || c->data[c->at] == '\r'))
        c->at++;
}

/* Takes one character after blanks if it is the next. */
static bool eat(cursor *c, char what)
{
    blanks(c);
    if (c->at >= c->end || c->data[c->at] != what)
        return false;
    c->at++;
    return true;
}

static bool eat_word(cursor *c, const char *word)
{
    blanks(c);
    const size_t n = strlen(word);
    if (c->end - c->at < n || memcmp(c->data + c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

static gg_status text(char *out, size_t room, cursor *c, const char *what)
{
    blanks(c);
    const char quote = c->at < c->end ? (char)c->data[c->at] : 0;
    if (quote != '\'' && quote != '"')
        return expected(c, what);
    const uint8_t *from = c->data + c->at + 1, *to = memchr(from, quote, c->end - c->at - 1);
    if (!to || (size_t)(to - from) >= room)
        return expected(c, what);
    memcpy(out, from, (size_t)(to - from));
    out[to - from] = 0;
    c->at = (size_t)(to - c->data) + 1;
    return GG_OK;
}

static gg_status unsupported_descr(const cursor *c, const char *descr)
{
    gg_str known = {.ctx = c->ctx};
#define GG_X(code, block, bytes, gguf, safe, npy) \
    if ((npy)[0])                                 \
        gg_str_printf(&known, "%s%s", known.len ? " " : "", npy);
    GG_DTYPE_MAP(GG_X)
#undef GG_X
    const char *hint = descr[0] == '>' ? " (big-endian: save a.astype(a.dtype.newbyteorder('<')))"
                                       : strchr(descr, 'O') ? " (Python objects, stored as a pickle)" : "";
    const gg_status s = known.failed ? GG_ENOMEM
                                     : gg_fail(c->ctx, GG_EUNSUPPORTED, "%s: array \"%s\" is of NumPy type '%s'%s, which golgi does not read; supported: %s",
                                               c->file, gg__show(c->name, strlen(c->name)), gg__show(descr, strlen(descr)), hint, known.data);
    gg_str_free(&known);
    return s;
}

static gg_status take_descr(header *h, cursor *c)
{
    static const char *const known[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) npy,
        GG_DTYPE_MAP(GG_X)
#undef GG_X
    };
    char descr[64] = "";
    blanks(c);
    if (c->at < c->end && (c->data[c->at] == '[' || c->data[c->at] == '('))
        return unsupported_descr(c, "structured");
    GG_TRY(text(descr, sizeof descr, c, "a type such as '<f4'"));
    for (int i = 0; i < GG_DTYPE_COUNT; i++) {
        const char *k = known[i];
        const bool one_byte = k[0] == '|' && descr[0] && strchr("<>=", descr[0]); /* order means nothing then */
        if (k[0] && (strcmp(k, descr) == 0 || (one_byte && strcmp(k + 1, descr + 1) == 0))) {
            h->dtype = (gg_dtype)i;
            return GG_OK;
        }
    }
    return unsupported_descr(c, descr);
}

static gg_status take_shape(header *h, cursor *c)
{
    if (!eat(c, '('))
        return expected(c, "a shape such as (3, 4)");
    while (!eat(c, ')')) {
        int64_t extent = 0;
        size_t digits = 0;
        blanks(c);
        for (; c->at < c->end && c->data[c->at] >= '0' && c->data[c->at] <= '9'; c->at++, digits++)
            if (__builtin_mul_overflow(extent, 10, &extent) || __builtin_add_overflow(extent, c->data[c->at] - '0', &extent))
                return expected(c, "an extent below 2^63");
        if (!digits)
            return expected(c, "an extent");
        if (c->at < c->end && c->data[c->at] == 'L')
            c->at++;
        if (h->n_dims == GG_MAX_DIMS)
            return gg_fail(c->ctx, GG_EUNSUPPORTED, "%s: array \"%s\" has more than %d dimensions, which golgi does not handle", c->file,
                           gg__show(c->name, strlen(c->name)), GG_MAX_DIMS);
        h->shape[h->n_dims++] = extent;
        if (!eat(c, ',') && (blanks(c), c->at >= c->end || c->data[c->at] != ')'))
            return expected(c, "\",\" or \")\"");
    }
    return GG_OK;
}

static gg_status take_header(header *h, cursor *c)
{
    if (!eat(c, '{'))
        return expected(c, "\"{\"");
    while (!eat(c, '}')) {
        char key[32] = "";
        GG_TRY(text(key, sizeof key, c, "a quoted key"));
        bool *seen = strcmp(key, "descr") == 0 ? &h->has_descr : strcmp(key, "fortran_order") == 0 ? &h->has_order
                                                               : strcmp(key, "shape") == 0         ? &h->has_shape : NULL;
        if (!seen || *seen)
            return gg_fail(c->ctx, GG_EFORMAT, "%s: array \"%s\": the NPY header has \"%s\" %s: it is damaged", c->file, gg__show(c->name, strlen(c->name)),
                           gg__show(key, strlen(key)), seen ? "twice" : "as a key, which the format does not know");
        *seen = true;
        if (!eat(c, ':'))
            return expected(c, "\":\"");
        if (seen == &h->has_descr)
            GG_TRY(take_descr(h, c));
        else if (seen == &h->has_shape)
            GG_TRY(take_shape(h, c));
        else if (eat_word(c, "True"))
            h->fortran = true;
        else if (!eat_word(c, "False"))
            return expected(c, "True or False");
        if (!eat(c, ',') && (blanks(c), c->at >= c->end || c->data[c->at] != '}'))
            return expected(c, "\",\" or \"}\"");
    }
    blanks(c);
    if (c->at != c->end)
        return expected(c, "the end of the header");
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return gg_fail(c->ctx, GG_EFORMAT, "%s: array \"%s\": the NPY header lacks \"%s\"", c->file, gg__show(c->name, strlen(c->name)),
                       !h->has_descr ? "descr" : !h->has_shape ? "shape" : "fortran_order");
    return GG_OK;
}

/* out in C order from in with the first index fastest; size: bytes of an element. */
static void turn(uint8_t *out, const uint8_t *in, const header *h, int64_t count, size_t size)
{
    int64_t index[GG_MAX_DIMS] = {0}, stride[GG_MAX_DIMS], from = 0;
    int64_t s = 1;
    for (int d = 0; d < h->n_dims; d++) {
        stride[d] = s;
        s *= h->shape[d];
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * size, in + (size_t)from * size, size);
        for (int d = h->n_dims - 1; d >= 0; d--) {
            from += stride[d];
            if (++index[d] < h->shape[d])
                break;
            from -= stride[d] * h->shape[d];
            index[d] = 0;
        }
    }
}

gg_status gg__npy_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, const char *name)
{
    gg_context *ctx = t->ctx;
    char begin[GG__SHOWN];
    if (size < 10 || memcmp(data, "\x93NUMPY", 6) != 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: array \"%s\" is no NPY: it begins with %s; expected 93 \"NUMPY\" and a version", file,
                       gg__show(name, strlen(name)), gg__begin(begin, data, size));
    const int major = data[6];
    if (major < 1 || major > 3 || data[7] != 0)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: array \"%s\" is NPY version %d.%d; golgi reads 1.0, 2.0 and 3.0", file, gg__show(name, strlen(name)), major,
                       data[7]);
    const size_t head = major == 1 ? 10 : 12;
    size_t n = 0;
    if (size >= head)
        n = major == 1 ? (size_t)data[8] | (size_t)data[9] << 8 : (size_t)data[8] | (size_t)data[9] << 8 | (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (size < head || n > size - head)
        return gg_fail(ctx, GG_EFORMAT, "%s: array \"%s\": the NPY header ends at byte %zu, the file at byte %zu: it is truncated", file,
                       gg__show(name, strlen(name)), head + n, size);
    cursor c = {.ctx = ctx, .file = file, .name = name, .data = data, .at = head, .end = head + n, .size = size};
    header h = {0};
    GG_TRY(take_header(&h, &c));
    const int64_t count = gg__shape_count(h.n_dims, h.shape);
    const int64_t bytes = count < 0 ? -1 : gg_dtype_bytes(h.dtype, count);
    if (bytes < 0 || (uint64_t)bytes != size - c.end)
        return gg_fail(ctx, GG_EFORMAT, "%s: array \"%s\" of its shape as %s needs %lld bytes after byte %zu, the file has %zu: it is truncated or damaged",
                       file, gg__show(name, strlen(name)), gg_dtype_name(h.dtype), (long long)bytes, c.end, size - c.end);
    const uint8_t *values = data + c.end;
    if (h.fortran && h.n_dims > 1) {
        void *copy = NULL;
        GG_TRY(gg__tensors_copy(&copy, t, (size_t)bytes));
        turn(copy, values, &h, count, (size_t)gg_dtype_block_bytes(h.dtype));
        values = copy;
    }
    return gg__tensors_add(t, file, name, strlen(name), h.dtype, h.n_dims, h.shape, values, bytes);
}
