/* What follows is compiled for AVX2 with FMA. First in a file; isa_end.h closes it. */
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define W 8                    /* floats a vector */
#define ISA_NAME "avx2"
#define ISA(name) name##_avx2
#define GEMM_ROWS 6            /* of a tile: 12 of the 16 registers hold the sums of a product */
#define FMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define FMA_F64(a, b, c) _mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c))
#define MAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b))) /* b where either is NaN */
#define MIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define SELECT(m, a, b) ((vf)_mm256_blendv_ps((__m256)(b), (__m256)(a), (__m256)(m)))
#define ANY(m) _mm256_movemask_ps((__m256)(m))
#define PART_F32(p, n) \
    ((vf)_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)))) /* n numbers, then zeros */
#define PART_F64(p, n) _mm256_maskload_pd(p, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3)))
#define LOW_F32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_F32(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define EVENS_F32(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODDS_F32(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define LOW_F64(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_F64(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
