/* What follows is compiled for AVX-512 (F, BW, DQ, VL). First in a file; isa_end.h closes it. */
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif
#define W 16                    /* floats a vector */
#define ISA_NAME "avx512"
#define ISA(name) name##_avx512
#define GEMM_ROWS 12            /* of a tile: 24 of the 32 registers hold the sums of a product */
#define FMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define FMA_F64(a, b, c) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define MAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b))) /* b where either is NaN */
#define MIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define SELECT(m, a, b) ((vf)_mm512_mask_mov_ps((__m512)(b), _mm512_movepi32_mask((__m512i)(m)), (__m512)(a)))
#define ANY(m) _mm512_movepi32_mask((__m512i)(m))
#define LOW_F32(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_F32(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_F64(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_F64(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
