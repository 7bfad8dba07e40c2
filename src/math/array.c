/* Number formats: their sizes, and from float32 to float16 (to bfloat16: a kernel, see kernels_body.h) and Q8_0. Views of strided numbers.
 *
 * Trap: a count of bytes overflows long before a count of elements does, so every product here is checked. */
#include <golgi/array.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t block, bytes;
} format[GG_DTYPE_COUNT] = {
#define GG_X(code, block, bytes, gguf, safe, npy) [GG_##code] = {#code, block, bytes},
    GG_DTYPE_MAP(GG_X)
#undef GG_X
};

static bool known(gg_dtype t) { return (unsigned)t < GG_DTYPE_COUNT; }

const char *gg_dtype_name(gg_dtype t) { return known(t) ? format[t].name : "?"; }
int64_t gg_dtype_block(gg_dtype t) { return known(t) ? format[t].block : 1; }
int64_t gg_dtype_block_bytes(gg_dtype t) { return known(t) ? format[t].bytes : 0; }

int64_t gg_dtype_bytes(gg_dtype t, int64_t n)
{
    int64_t bytes;
    if (!known(t) || n < 0 || n % format[t].block)
        return -1;
    return __builtin_mul_overflow(n / format[t].block, format[t].bytes, &bytes) ? -1 : bytes;
}

/* Adding 2^(e+13) to a number of exponent e leaves its ten upper mantissa bits at the bottom, rounded to nearest even by the
 * adder; below the smallest normal half, e stays at -14 and subnormals come out by themselves. */
void gg_f32_to_f16(uint16_t *out, const float *in, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t u, sum;
        memcpy(&u, in + i, 4);
        uint32_t sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
        uint32_t e = a & 0x7f800000, low = 113u << 23;
        uint32_t big = (e < low ? low : e > 142u << 23 ? 142u << 23 : e) + (13u << 23);
        float x, y;
        memcpy(&x, &a, 4);
        memcpy(&y, &big, 4);
        y += x;
        memcpy(&sum, &y, 4);
        uint32_t finite = (sum - big) + ((big - (13u << 23) - low) >> 13); /* the implicit bit carries into the exponent */
        uint32_t h = a > 0x7f800000 ? 0x7e00 | (a >> 13 & 0x3ff) : a >= 0x477ff000 ? 0x7c00 : finite;
        out[i] = (uint16_t)(sign | h);
    }
}

/* ggml divides once (1 / d, of the d before it is rounded to float16) and multiplies; so the same bits need the same. Where 1 / d is infinite d is 0 in
 * float16, and so is all that is read back. */
static void block_to_q8_0(uint8_t *b, const float *x)
{
    float most = 0;
    for (int i = 0; i < 32; i++)
        most = fmaxf(most, fabsf(x[i]));
    const float d = most / 127, inverse = d > 1e-38f ? 1 / d : 0;
    uint16_t h;
    gg_f32_to_f16(&h, &d, 1);
    memcpy(b, &h, sizeof h);
    for (int i = 0; i < 32; i++)
        b[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
}

gg_status gg_from_f32(void *out, gg_dtype t, const float *in, int64_t n)
{
    if (gg_dtype_bytes(t, n) < 0)
        return GG_EINVAL;
    switch (t) {
    case GG_F32:
        if (n)
            memcpy(out, in, (size_t)n * sizeof *in);
        return GG_OK;
    case GG_F16: gg_f32_to_f16(out, in, n); return GG_OK;
    case GG_BF16: gg_f32_to_bf16(out, in, n); return GG_OK;
    case GG_Q8_0:
        for (int64_t i = 0; i < n / 32; i++)
            block_to_q8_0((uint8_t *)out + 34 * i, in + 32 * i);
        return GG_OK;
    default: return GG_EUNSUPPORTED;
    }
}

gg_array gg_array_rows(void *data, gg_dtype t, int64_t n_rows, int64_t n_columns)
{
    return (gg_array){.data = data, .dtype = t, .n_dims = 2, .shape = {n_rows, n_columns}, .stride = {n_columns, 1}};
}

int64_t gg_array_count(const gg_array *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->n_dims; i++)
        if (a->shape[i] < 0 || __builtin_mul_overflow(n, a->shape[i], &n))
            return -1;
    return n;
}
