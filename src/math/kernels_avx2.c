/* The kernels for AVX2 with FMA. */
#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define W 8
#define ISA_NAME "avx2"
#define ISA_TABLE gg__kernels_avx2
#define FMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define MAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b))) /* b where either is NaN */
#define MIN(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define SELECT(m, a, b) ((vf)_mm256_blendv_ps((__m256)(b), (__m256)(a), (__m256)(m)))
#define ANY(m) _mm256_movemask_ps((__m256)(m))
#include "kernels_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
