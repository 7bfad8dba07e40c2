/* golgi/array.h - number formats and strided arrays. Floor 1.
 *
 *     #include <golgi/array.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const uint16_t half[3] = {0x3c00, 0xc000, 0x3555};
 *         float x[3];
 *         gg_to_f32(x, half, GG_F16, 3); // from any format, blocks included
 *         printf("%g %g %g\n", x[0], x[1], x[2]);
 *         return x[0] != 1 || x[1] != -2;
 *     }
 *
 * Block formats (Q4_0 ... Q6_K) are those of GGUF: rows of whole blocks, each with its own scale.
 */
#ifndef GOLGI_ARRAY_H
#define GOLGI_ARRAY_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* code, elements a block, bytes a block, type number in GGUF (-1: none), name in safetensors ("" none), NumPy descr ("" none) */
#define GG_DTYPE_MAP(X)                 \
    X(F32, 1, 4, 0, "F32", "<f4")       \
    X(F16, 1, 2, 1, "F16", "<f2")       \
    X(BF16, 1, 2, 30, "BF16", "")       \
    X(F64, 1, 8, 28, "F64", "<f8")      \
    X(I8, 1, 1, 24, "I8", "|i1")        \
    X(I16, 1, 2, 25, "I16", "<i2")      \
    X(I32, 1, 4, 26, "I32", "<i4")      \
    X(I64, 1, 8, 27, "I64", "<i8")      \
    X(U8, 1, 1, -1, "U8", "|u1")        \
    X(U16, 1, 2, -1, "U16", "<u2")      \
    X(U32, 1, 4, -1, "U32", "<u4")      \
    X(U64, 1, 8, -1, "U64", "<u8")      \
    X(BOOL, 1, 1, -1, "BOOL", "|b1")    \
    X(Q4_0, 32, 18, 2, "", "")          \
    X(Q4_1, 32, 20, 3, "", "")          \
    X(Q5_0, 32, 22, 6, "", "")          \
    X(Q5_1, 32, 24, 7, "", "")          \
    X(Q8_0, 32, 34, 8, "", "")          \
    X(Q2_K, 256, 84, 10, "", "")        \
    X(Q3_K, 256, 110, 11, "", "")       \
    X(Q4_K, 256, 144, 12, "", "")       \
    X(Q5_K, 256, 176, 13, "", "")       \
    X(Q6_K, 256, 210, 14, "", "")

typedef enum gg_dtype {
#define GG_X(code, block, bytes, gguf, safe, npy) GG_##code,
    GG_DTYPE_MAP(GG_X)
#undef GG_X
    GG_DTYPE_COUNT
} gg_dtype;

#define GG_MAX_DIMS 6

GG_API const char *gg_dtype_name(gg_dtype t);        /* "Q4_1" */
GG_API int64_t gg_dtype_block(gg_dtype t);           /* elements a block */
GG_API int64_t gg_dtype_block_bytes(gg_dtype t);
/* Bytes of n elements; -1 if n is not a whole number of blocks or does not fit. */
GG_API int64_t gg_dtype_bytes(gg_dtype t, int64_t n);

/* out: (n,) float32 from n contiguous elements of any format (n whole blocks). Exact for F32 F16 BF16; the GGUF formats as ggml
 * defines them, in the same order of operations. GG_EINVAL when n is not whole blocks. */
GG_API gg_status gg_to_f32(float *out, const void *in, gg_dtype t, int64_t n);

/* Round to nearest even. NaN stays NaN. */
GG_API void gg_f32_to_bf16(uint16_t *out, const float *in, int64_t n);
GG_API void gg_f32_to_f16(uint16_t *out, const float *in, int64_t n);
/* The way back from gg_to_f32, to F32, F16, BF16 or Q8_0 (d = largest |x| of 32 / 127 in float16, q = x / d with halves away from zero: as ggml
 * quantises). GG_EINVAL: n is not whole blocks; GG_EUNSUPPORTED: any other format. */
GG_API gg_status gg_from_f32(void *out, gg_dtype t, const float *in, int64_t n);

/* A view of strided numbers. The view owns nothing. stride counts elements; dimension 0 varies slowest. */
typedef struct gg_array {
    void *data;
    gg_dtype dtype;
    int n_dims;
    int64_t shape[GG_MAX_DIMS];
    int64_t stride[GG_MAX_DIMS];
} gg_array;
GG_API gg_array gg_array_rows(void *data, gg_dtype t, int64_t n_rows, int64_t n_columns); /* contiguous (n_rows, n_columns) */
GG_API int64_t gg_array_count(const gg_array *a);

#ifdef __cplusplus
}
#endif
#endif
