/* The products of one instruction set. gemm_body.h is compiled for each number format and set (gemm_plain.c, gemm_avx2.c, gemm_avx512.c);
 * gemm.c picks the widest that the processor has. The tests run them all. */
#ifndef GG_MATH_GEMM_ISA_H
#define GG_MATH_GEMM_ISA_H
#include "gemm.h"

typedef struct gg__gemms {
    void (*f32)(float *C, int64_t ldc, const float *from, int64_t ldf, const float *A, gg_strides a, const float *B, gg_strides b, const float *packed,
                int64_t M, int64_t N, int64_t K, void *scratch);
    void (*f64)(double *C, int64_t ldc, const double *from, int64_t ldf, const double *A, gg_strides a, const double *B, gg_strides b, const double *packed,
                int64_t M, int64_t N, int64_t K, void *scratch);
    void (*pack_f32)(float *to, const float *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last);
    void (*pack_f64)(double *to, const double *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last);
    void (*dots_f32)(float *y, const float *B, int64_t ldb, const float *x, const float *bias, int64_t N, int64_t K);
    void (*dots_f64)(double *y, const double *B, int64_t ldb, const double *x, const double *bias, int64_t N, int64_t K);
    void (*shifts_f32)(float *C, int64_t ldc, const float *A, gg_strides a, const float *X, const int64_t *at, int64_t M, int64_t N, int64_t K);
    void (*shifts_f64)(double *C, int64_t ldc, const double *A, gg_strides a, const double *X, const int64_t *at, int64_t M, int64_t N, int64_t K);
    void (*shifts_over_f32)(float *C, int64_t ldc, const float *X, const int64_t *at, int64_t below, const float *D, int64_t height, int64_t width, int64_t M,
                            int64_t N, float *panel);
    void (*shifts_over_f64)(double *C, int64_t ldc, const double *X, const int64_t *at, int64_t below, const double *D, int64_t height, int64_t width,
                            int64_t M, int64_t N, double *panel);
    void (*copy_lines_f32)(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, int64_t n);
    void (*copy_lines_f64)(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t rows, int64_t n);
    void (*turn_f32)(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t M, int64_t N);
    void (*turn_f64)(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t M, int64_t N);
} gg__gemms;

/* isa: as in kernels_isa.h. NULL where this processor (or this build) does not have it. */
const gg__gemms *gg__gemms_of(int isa);

extern const gg__gemms gg__gemms_plain;
#if defined(__x86_64__)
extern const gg__gemms gg__gemms_avx2, gg__gemms_avx512;
#endif

/* Blocks: of k, so that a tile's rows of A stay in the first cache; of rows and columns, so that packed A-side and B-side fit the second. */
enum { GG__GEMM_K = 256, GG__GEMM_M = 240, GG__GEMM_N = 512 };
#endif
