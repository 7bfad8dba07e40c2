/* Any number format to float32.
 *
 * The block formats of GGUF. A value is scale * q, or scale * q - offset (the _1 formats: + offset), with q a small integer whose bits
 * are spread over one or two planes. In the _K formats 256 values share one float16 scale d (and one d_min), and each group of 16 or
 * 32 values has a small integer scale of its own (and an integer offset), 4 or 6 bits packed.
 *
 * Frozen by the formats and repeated here exactly, since results must agree bit for bit: the order of operations is
 * (d * scale) * q - (d_min * offset), each step rounded to float32 (no fused multiply-add: -ffp-contract=off). */
#include <golgi/array.h>
#include <string.h>

static float half(const uint8_t *p)
{
    uint16_t h;
    uint32_t u;
    float f;
    memcpy(&h, p, 2);
    u = (uint32_t)(h & 0x7fff) << 13; /* exponent and mantissa at their places, exponent biased by 15 */
    memcpy(&f, &u, 4);
    f *= 0x1p112f; /* 127 - 15; exact, subnormals included */
    memcpy(&u, &f, 4);
    if ((h & 0x7c00) == 0x7c00)
        u |= 0x7f800000; /* infinity, NaN */
    u |= (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &u, 4);
    return f;
}

/* ---- 32 values a block: low nibbles are values 0..15, high nibbles 16..31; the fifth bit of value i is bit i of qh */

static void block_q4_0(float *y, const uint8_t *b)
{
    float d = half(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[i + 16] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static void block_q4_1(float *y, const uint8_t *b)
{
    float d = half(b), m = half(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[i + 16] = d * (float)(b[4 + i] >> 4) + m;
    }
}

static void block_q5_0(float *y, const uint8_t *b)
{
    float d = half(b);
    uint32_t high;
    memcpy(&high, b + 2, 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((int)(b[6 + i] & 15) + (int)(high >> i & 1) * 16 - 16);
        y[i + 16] = d * (float)((int)(b[6 + i] >> 4) + (int)(high >> (i + 16) & 1) * 16 - 16);
    }
}

static void block_q5_1(float *y, const uint8_t *b)
{
    float d = half(b), m = half(b + 2);
    uint32_t high;
    memcpy(&high, b + 4, 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((int)(b[8 + i] & 15) + (int)(high >> i & 1) * 16) + m;
        y[i + 16] = d * (float)((int)(b[8 + i] >> 4) + (int)(high >> (i + 16) & 1) * 16) + m;
    }
}

static void block_q8_0(float *y, const uint8_t *b)
{
    float d = half(b);
    for (int i = 0; i < 32; i++)
        y[i] = d * (float)(int8_t)b[2 + i];
}

/* ---- 256 values a block */

/* scales[16] (offset << 4 | scale), q[64] (2 bits), d, d_min. Within each half of 128, byte i holds values i, i+32, i+64, i+96. */
static void block_q2_k(float *y, const uint8_t *b)
{
    const uint8_t *q = b + 16;
    float d = half(b + 80), d_min = half(b + 82);
    for (int g = 0; g < 16; g++) { /* group of 16 */
        float scale = d * (float)(b[g] & 15), offset = d_min * (float)(b[g] >> 4);
        const uint8_t *p = q + g / 8 * 32 + g % 2 * 16;
        int shift = g % 8 / 2 * 2;
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)(p[i] >> shift & 3) - offset;
    }
}

/* high[32] (bit clear: subtract 4), q[64] (2 bits), scales[12] (6 bits, less 32), d. Bits of q lie as in Q2_K; bit j of high[i] belongs
 * to value 32 j + i. Scale g: its low four bits are a nibble of byte g % 8, its upper two lie in byte 8 + g % 4. */
static void block_q3_k(float *y, const uint8_t *b)
{
    const uint8_t *high = b, *q = b + 32, *s = b + 96;
    float d = half(b + 108);
    for (int g = 0; g < 16; g++) {
        int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
        float scale = d * (float)((low | (s[8 + g % 4] >> g / 4 * 2 & 3) << 4) - 32);
        const uint8_t *p = q + g / 8 * 32 + g % 2 * 16, *h = high + g % 2 * 16;
        int shift = g % 8 / 2 * 2, bit = g / 2;
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)((p[i] >> shift & 3) - (h[i] >> bit & 1 ? 0 : 4));
    }
}

/* The 12 bytes of Q4_K and Q5_K: eight 6-bit scales and eight 6-bit offsets. The first four of each lie whole in the low six bits of
 * bytes 0..3 and 4..7; the others have their low four bits in bytes 8..11, their upper two on top of the first ones. */
static void scale_and_offset(int *scale, int *offset, const uint8_t *s, int g)
{
    if (g < 4) {
        *scale = s[g] & 63;
        *offset = s[g + 4] & 63;
    } else {
        *scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
        *offset = s[g + 4] >> 4 | s[g] >> 6 << 4;
    }
}

/* d, d_min, scales[12], (Q5_K: high[32],) q[128]. Groups of 32; groups 2j and 2j+1 are the low and high nibbles of the same 32 bytes;
 * bit g of high[i] is the fifth bit of value i of group g. */
static void block_q4_q5_k(float *y, const uint8_t *b, const uint8_t *high, const uint8_t *q)
{
    float d = half(b), d_min = half(b + 2);
    for (int g = 0; g < 8; g++) {
        int s, m;
        scale_and_offset(&s, &m, b + 4, g);
        float scale = d * (float)s, offset = d_min * (float)m;
        const uint8_t *p = q + g / 2 * 32;
        int shift = g % 2 * 4;
        for (int i = 0; i < 32; i++) {
            int v = p[i] >> shift & 15;
            if (high)
                v += (high[i] >> g & 1) * 16;
            y[32 * g + i] = scale * (float)v - offset;
        }
    }
}

static void block_q4_k(float *y, const uint8_t *b) { block_q4_q5_k(y, b, NULL, b + 16); }
static void block_q5_k(float *y, const uint8_t *b) { block_q4_q5_k(y, b, b + 16, b + 48); }

/* low[128] (4 bits), high[64] (2 bits), scales[16] (int8), d. Within each half of 128: quarters 0 and 1 are the low nibbles of bytes 0..31
 * and 32..63, quarters 2 and 3 the high nibbles; the upper two bits of the four quarters share byte i of high. */
static void block_q6_k(float *y, const uint8_t *b)
{
    float d = half(b + 208);
    for (int g = 0; g < 16; g++) { /* group of 16 */
        int part = g / 8, quarter = g % 8 / 2, at = g % 2 * 16;
        const uint8_t *low = b + part * 64 + quarter % 2 * 32 + at, *high = b + 128 + part * 32 + at;
        float scale = d * (float)(int8_t)b[192 + g];
        for (int i = 0; i < 16; i++)
            y[16 * g + i] = scale * (float)(((low[i] >> quarter / 2 * 4 & 15) | (high[i] >> quarter * 2 & 3) << 4) - 32);
    }
}

/* ---- one value at a time; memcpy because nothing promises alignment in a file */

#define GG_CONVERT(name, type, expression)                              \
    static void name(float *y, const uint8_t *b, int64_t n)             \
    {                                                                   \
        for (int64_t i = 0; i < n; i++) {                               \
            type v;                                                     \
            memcpy(&v, b + i * (int64_t)sizeof v, sizeof v);            \
            y[i] = (expression);                                        \
        }                                                               \
    }
GG_CONVERT(from_f64, double, (float)v)
GG_CONVERT(from_i8, int8_t, (float)v)
GG_CONVERT(from_i16, int16_t, (float)v)
GG_CONVERT(from_i32, int32_t, (float)v)
GG_CONVERT(from_i64, int64_t, (float)v)
GG_CONVERT(from_u8, uint8_t, (float)v)
GG_CONVERT(from_u16, uint16_t, (float)v)
GG_CONVERT(from_u32, uint32_t, (float)v)
GG_CONVERT(from_u64, uint64_t, (float)v)
GG_CONVERT(from_bool, uint8_t, v ? 1.0f : 0.0f)
#undef GG_CONVERT

static void from_bf16(float *y, const uint8_t *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, b + 2 * i, 2);
        uint32_t u = (uint32_t)h << 16;
        memcpy(y + i, &u, 4);
    }
}

static void from_f16(float *y, const uint8_t *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = half(b + 2 * i);
}

gg_status gg_to_f32(float *out, const void *in, gg_dtype t, int64_t n)
{
    const uint8_t *b = in;
    if (gg_dtype_bytes(t, n) < 0)
        return GG_EINVAL;
    if (n == 0)
        return GG_OK;
    void (*block)(float *, const uint8_t *) = NULL;
    switch (t) {
    case GG_F32: memcpy(out, b, (size_t)n * 4); return GG_OK;
    case GG_F16: from_f16(out, b, n); return GG_OK;
    case GG_BF16: from_bf16(out, b, n); return GG_OK;
    case GG_F64: from_f64(out, b, n); return GG_OK;
    case GG_I8: from_i8(out, b, n); return GG_OK;
    case GG_I16: from_i16(out, b, n); return GG_OK;
    case GG_I32: from_i32(out, b, n); return GG_OK;
    case GG_I64: from_i64(out, b, n); return GG_OK;
    case GG_U8: from_u8(out, b, n); return GG_OK;
    case GG_U16: from_u16(out, b, n); return GG_OK;
    case GG_U32: from_u32(out, b, n); return GG_OK;
    case GG_U64: from_u64(out, b, n); return GG_OK;
    case GG_BOOL: from_bool(out, b, n); return GG_OK;
    case GG_Q4_0: block = block_q4_0; break;
    case GG_Q4_1: block = block_q4_1; break;
    case GG_Q5_0: block = block_q5_0; break;
    case GG_Q5_1: block = block_q5_1; break;
    case GG_Q8_0: block = block_q8_0; break;
    case GG_Q2_K: block = block_q2_k; break;
    case GG_Q3_K: block = block_q3_k; break;
    case GG_Q4_K: block = block_q4_k; break;
    case GG_Q5_K: block = block_q5_k; break;
    case GG_Q6_K: block = block_q6_k; break;
    case GG_DTYPE_COUNT: return GG_EINVAL;
    }
    int64_t values = gg_dtype_block(t), bytes = gg_dtype_block_bytes(t);
    for (int64_t i = 0; i < n / values; i++)
        block(out + i * values, b + i * bytes);
    return GG_OK;
}
