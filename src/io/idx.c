/* Reads IDX (LeCun, Cortes & Burges 1998, http://yann.lecun.com/exdb/mnist).
 *
 *     0 0 type n_dims    then n_dims extents, u32 big-endian    then the numbers, row-major, big-endian
 *     type: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64
 * Traps: a header of 20 bytes can claim 2^128 numbers, so memory grows with what is really there; a file with more bytes than its header says is as
 * damaged as one with fewer.
 */
#include "io/idx.h"
#include "base/memory.h"
#include "io/stream.h"
#include "io/tensors.h"

static const struct {
    unsigned char code;
    gg_dtype dtype;
} types[] = {{0x08, GG_U8}, {0x09, GG_I8}, {0x0B, GG_I16}, {0x0C, GG_I32}, {0x0D, GG_F32}, {0x0E, GG_F64}};

/* Exactly n bytes; fewer when the stream ends: *got. */
static gg_status read_bytes(size_t *got, void *out, gg_stream *s, size_t n)
{
    gg_window w;
    gg_stream_window(&w, s);
    for (*got = 0; *got < n; gg_stream_window(&w, s)) {
        if (w.n == 0 && !w.end)
            GG_TRY(gg_stream_more(&w, s));
        if (w.n == 0 && w.end)
            break;
        const size_t part = w.n < n - *got ? w.n : n - *got;
        memcpy((char *)out + *got, w.data, part);
        gg_stream_take(s, part);
        *got += part;
    }
    return GG_OK;
}

static gg_status read_header(gg_array *a, size_t *n_header, gg_context *ctx, const char *path, gg_stream *s)
{
    uint8_t b[4 + 4 * GG_MAX_DIMS];
    char begin[GG__SHOWN];
    size_t got;
    GG_TRY(read_bytes(&got, b, s, 4));
    a->dtype = GG_DTYPE_COUNT;
    for (size_t i = 0; got == 4 && i < sizeof types / sizeof *types; i++)
        if (b[2] == types[i].code)
            a->dtype = types[i].dtype;
    if (got < 4 || b[0] || b[1] || a->dtype == GG_DTYPE_COUNT || b[3] < 1)
        return gg_fail(ctx, GG_EFORMAT, "%s: no IDX file: it begins with %s; expected 00 00, a type (08 09 0b 0c 0d 0e) and the number of dimensions%s", path,
                       gg__begin(begin, b, got), gg__guess(b, got));
    a->n_dims = b[3];
    if (a->n_dims > GG_MAX_DIMS)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: an IDX file of %d dimensions; golgi handles %d", path, a->n_dims, GG_MAX_DIMS);
    GG_TRY(read_bytes(&got, b, s, 4 * (size_t)a->n_dims));
    *n_header = 4 + 4 * (size_t)a->n_dims;
    if (got < 4 * (size_t)a->n_dims)
        return gg_fail(ctx, GG_EFORMAT, "%s: cut off at byte %zu, within its header of %zu bytes", path, 4 + got, *n_header);
    for (int d = 0; d < a->n_dims; d++)
        a->shape[d] = (int64_t)b[4 * d] << 24 | (int64_t)b[4 * d + 1] << 16 | (int64_t)b[4 * d + 2] << 8 | b[4 * d + 3];
    return GG_OK;
}

/* n bytes into memory that grows as they come. */
static gg_status read_numbers(void **out, gg_context *ctx, const char *path, gg_stream *s, size_t n, size_t n_header)
{
    size_t have = 0, cap = 0;
    for (size_t got = 1; have < n && got; have += got) {
        cap = cap ? (cap > n / 2 ? n : 2 * cap) : n < (size_t)1 << 20 ? n : (size_t)1 << 20;
        void *grown = gg_realloc(ctx, *out, cap);
        if (!grown)
            return GG_ENOMEM;
        *out = grown;
        GG_TRY(read_bytes(&got, (char *)*out + have, s, cap - have));
    }
    if (have < n)
        return gg_fail(ctx, GG_EFORMAT, "%s: cut off: its header promises %zu bytes of numbers, there are %zu", path, n, have);
    char more;
    size_t got;
    GG_TRY(read_bytes(&got, &more, s, 1));
    return got ? gg_fail(ctx, GG_EFORMAT, "%s: goes on behind byte %zu, where its header says that it ends: it is damaged", path, n_header + n) : GG_OK;
}

static void turn_bytes(uint8_t *x, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++, x += size)
        for (size_t a = 0, b = size - 1; a < b; a++, b--) {
            const uint8_t t = x[a];
            x[a] = x[b];
            x[b] = t;
        }
}

static gg_status read_idx(gg_array *a, gg_context *ctx, const char *path, gg_stream *s)
{
    size_t n_header = 0;
    GG_TRY(read_header(a, &n_header, ctx, path, s));
    const int64_t count = gg__shape_count(a->n_dims, a->shape), bytes = count < 0 ? -1 : gg_dtype_bytes(a->dtype, count);
    if (bytes <= 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: its header promises %s numbers: it is damaged", path, bytes < 0 ? "more than 2^63" : "no");
    GG_TRY(read_numbers(&a->data, ctx, path, s, (size_t)bytes, n_header));
    if (gg_dtype_bytes(a->dtype, 1) > 1)
        turn_bytes(a->data, (size_t)count, (size_t)gg_dtype_bytes(a->dtype, 1));
    int64_t stride = 1;
    for (int d = a->n_dims - 1; d >= 0; d--) {
        a->stride[d] = stride;
        stride *= a->shape[d];
    }
    return GG_OK;
}

gg_status gg_idx_open(gg_array *out, gg_context *ctx, const char *path)
{
    gg_stream *s = NULL;
    *out = (gg_array){0};
    GG_TRY(gg_stream_open(&s, ctx, path));
    const gg_status status = read_idx(out, ctx, path, s);
    gg_stream_close(s);
    if (status != GG_OK) {
        gg_drop(ctx, out->data);
        *out = (gg_array){0};
    }
    return status;
}
