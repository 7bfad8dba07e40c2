/* C = A B for arrays of any strides and any size, small ones first of all: training multiplies what no packing pays for. (Weights that are
 * used again and again are linear.h's.) One thread; no allocation.
 *
 * C: (M, N) with row stride ldc. A[m, k] = A[m * a.row + k * a.column], B likewise. add: C += A B, else C is only written.
 * Every number of C is summed over k in rising order in one running sum a block of 256, whatever M, N and the place in C: the result of a
 * row or a column does not depend on how the others are cut, bit for bit, so callers may cut as they like. A, B and C do not overlap.
 * scratch: gg_gemm_scratch bytes, 64-byte aligned, of the calling thread.
 */
#ifndef GG_MATH_GEMM_H
#define GG_MATH_GEMM_H
#include <golgi/array.h>

typedef struct gg_strides {
    int64_t row, column;
} gg_strides;

void gg_gemm_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add,
                 void *scratch);
void gg_gemm_f64(double *C, int64_t ldc, const double *A, gg_strides a, const double *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add,
                 void *scratch);
size_t gg_gemm_scratch(void);

/* The twin: sums in double. */
void gg_naive_gemm_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add);
#endif
