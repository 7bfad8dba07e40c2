/* Products' public names: each call goes to the widest instruction set of this processor. And the twin. */
#include "gemm_isa.h"
#include "kernels_isa.h"

const gg__gemms *gg__gemms_of(int isa)
{
    if (!gg__kernels_of(isa))
        return NULL;
#if defined(__x86_64__) /* bfloat16's own instructions are of no use here */
    return isa >= GG__ISA_AVX512 ? &gg__gemms_avx512 : isa == GG__ISA_AVX2 ? &gg__gemms_avx2 : &gg__gemms_plain;
#else
    return &gg__gemms_plain;
#endif
}

static const gg__gemms *best(void)
{
    for (int isa = GG__ISA_COUNT - 1; isa > GG__ISA_PLAIN; isa--)
        if (gg__gemms_of(isa))
            return gg__gemms_of(isa);
    return &gg__gemms_plain;
}

void gg_gemm_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add, void *scratch)
{
    best()->f32(C, ldc, add ? C : NULL, ldc, A, a, B, b, NULL, M, N, K, scratch);
}
void gg_gemm_from_f32(float *C, int64_t ldc, const float *from, int64_t ldf, const float *A, gg_strides a, const float *B, gg_strides b, const float *packed,
                      int64_t M, int64_t N, int64_t K, void *scratch)
{
    best()->f32(C, ldc, from, ldf, A, a, B, b, packed, M, N, K, scratch);
}
void gg_gemm_pack_f32(float *to, const float *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last)
{
    best()->pack_f32(to, B, b, N, K, first, last);
}
void gg_dots_f32(float *y, const float *B, int64_t ldb, const float *x, const float *bias, int64_t N, int64_t K) { best()->dots_f32(y, B, ldb, x, bias, N, K); }

void gg_gemm_f64(double *C, int64_t ldc, const double *A, gg_strides a, const double *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add, void *scratch)
{
    best()->f64(C, ldc, add ? C : NULL, ldc, A, a, B, b, NULL, M, N, K, scratch);
}
void gg_gemm_from_f64(double *C, int64_t ldc, const double *from, int64_t ldf, const double *A, gg_strides a, const double *B, gg_strides b,
                      const double *packed, int64_t M, int64_t N, int64_t K, void *scratch)
{
    best()->f64(C, ldc, from, ldf, A, a, B, b, packed, M, N, K, scratch);
}
void gg_gemm_pack_f64(double *to, const double *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last)
{
    best()->pack_f64(to, B, b, N, K, first, last);
}
void gg_dots_f64(double *y, const double *B, int64_t ldb, const double *x, const double *bias, int64_t N, int64_t K)
{
    best()->dots_f64(y, B, ldb, x, bias, N, K);
}

void gg_gemm_shifts_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *X, const int64_t *at, int64_t M, int64_t N, int64_t K)
{
    best()->shifts_f32(C, ldc, A, a, X, at, M, N, K);
}
void gg_gemm_shifts_over_f32(float *C, int64_t ldc, const float *X, const int64_t *at, int64_t below, const float *D, int64_t height, int64_t width, int64_t M,
                             int64_t N, float *panel)
{
    best()->shifts_over_f32(C, ldc, X, at, below, D, height, width, M, N, panel);
}
void gg_copy_lines_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, int64_t n) { best()->copy_lines_f32(y, ldy, x, ldx, rows, n); }
void gg_gemm_shifts_f64(double *C, int64_t ldc, const double *A, gg_strides a, const double *X, const int64_t *at, int64_t M, int64_t N, int64_t K)
{
    best()->shifts_f64(C, ldc, A, a, X, at, M, N, K);
}
void gg_gemm_shifts_over_f64(double *C, int64_t ldc, const double *X, const int64_t *at, int64_t below, const double *D, int64_t height, int64_t width,
                             int64_t M, int64_t N, double *panel)
{
    best()->shifts_over_f64(C, ldc, X, at, below, D, height, width, M, N, panel);
}
void gg_copy_lines_f64(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t rows, int64_t n) { best()->copy_lines_f64(y, ldy, x, ldx, rows, n); }
void gg_turn_f32(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t M, int64_t N) { best()->turn_f32(y, ldy, x, ldx, M, N); }
void gg_turn_f64(double *y, int64_t ldy, const double *x, int64_t ldx, int64_t M, int64_t N) { best()->turn_f64(y, ldy, x, ldx, M, N); }

int64_t gg_gemm_packed(int64_t N, int64_t K) { return (N + GG_GEMM_COLUMNS - 1) / GG_GEMM_COLUMNS * GG_GEMM_COLUMNS * K; }
size_t gg_gemm_scratch(void) { return sizeof(double) * (GG__GEMM_K * GG__GEMM_N + GG__GEMM_K * GG__GEMM_M); }

void gg_naive_gemm_f32(float *C, int64_t ldc, const float *A, gg_strides a, const float *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add)
{
    for (int64_t m = 0; m < M; m++)
        for (int64_t n = 0; n < N; n++) {
            double sum = add ? C[m * ldc + n] : 0;
            for (int64_t k = 0; k < K; k++)
                sum += (double)A[m * a.row + k * a.column] * B[k * b.row + n * b.column];
            C[m * ldc + n] = (float)sum;
        }
}
