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
/* The same with what is added apart: C = from + A B, from: (M, N) with row stride ldf (0: one row for all), NULL for zeros, may be C.
 * packed: B as gg_gemm_pack leaves it (then B is not read), or NULL. */
void gg_gemm_from_f32(float *C, int64_t ldc, const float *from, int64_t ldf, const float *A, gg_strides a, const float *B, gg_strides b, const float *packed,
                      int64_t M, int64_t N, int64_t K, void *scratch);
void gg_gemm_from_f64(double *C, int64_t ldc, const double *from, int64_t ldf, const double *A, gg_strides a, const double *B, gg_strides b,
                      const double *packed, int64_t M, int64_t N, int64_t K, void *scratch);
/* A B that several products read, in the order in which they read it: gg_gemm_packed numbers, 64-byte aligned. Columns [first, last) of it, first a
 * multiple of GG_GEMM_COLUMNS, and last too unless it is N: by threads, or all at once. */
enum { GG_GEMM_ROWS = 12, GG_GEMM_COLUMNS = 32 }; /* pieces of C that waste nothing on any processor are multiples of these */
int64_t gg_gemm_packed(int64_t N, int64_t K);
void gg_gemm_pack_f32(float *to, const float *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last);
void gg_gemm_pack_f64(double *to, const double *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last);
/* One row x: (K,) against B: (N, K) with row stride ldb, which a product would have to turn for one use: y[n] = B[n, .] . x + bias[n]; bias NULL: 0.
 * A y[n] does not depend on the others either, but is not summed in the order of gg_gemm. */
void gg_dots_f32(float *y, const float *B, int64_t ldb, const float *x, const float *bias, int64_t N, int64_t K);
void gg_dots_f64(double *y, const double *B, int64_t ldb, const double *x, const double *bias, int64_t N, int64_t K);

/* Products with an image moved about, which need no table of its patches. X: the image with its border, lines `below` numbers apart; at: where in it
 * each move begins.
 * shifts: C[m, q] = sum_k A[m, k] X[at[k] + q] for q in [0, N), N a multiple of GG_GEMM_COLUMNS; X[at[k] + N - 1] is read.
 * shifts_over: C[m, n] += sum_{y < height, x < width} X[at[m] + y below + x] D[n, y, x]; D contiguous; panel: GG_GEMM_COLUMNS height width numbers.
 * Sums over k in blocks of 256, over places in one, in rising order. */
void gg_gemm_shifts_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *X, const int64_t *at, int64_t M, int64_t N, int64_t K);
void gg_gemm_shifts_f64(double *C, int64_t ldc, const double *A, gg_strides a, const double *X, const int64_t *at, int64_t M, int64_t N, int64_t K);
void gg_gemm_shifts_over_f32(float *C, int64_t ldc, const float *X, const int64_t *at, int64_t below, const float *D, int64_t height, int64_t width, int64_t M,
                             int64_t N, float *panel);
void gg_gemm_shifts_over_f64(double *C, int64_t ldc, const double *X, const int64_t *at, int64_t below, const double *D, int64_t height, int64_t width,
                             int64_t M, int64_t N, double *panel);
/* y: (M, N) = x^T, x: (N, M), with row strides. */
void gg_turn_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t M, int64_t N);
void gg_turn_f64(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t M, int64_t N);
/* Rows of n numbers from lines ldx apart to lines ldy apart. */
void gg_copy_lines_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, int64_t n);
void gg_copy_lines_f64(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t rows, int64_t n);

/* The twin: sums in double. */
void gg_naive_gemm_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add);
#endif
