/* What follows is compiled for AVX-512 (F, BW, DQ, VL), with ISA_BF16 also for its instructions on bfloat16. First in a file; isa_end.h closes it. */
#include <immintrin.h>
#if defined(__clang__) && defined(ISA_BF16)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma"))), apply_to = function)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#elif defined(ISA_BF16)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif
#define W 16                    /* floats a vector */
#if defined(ISA_BF16)
#define ISA_NAME "avx512bf16"
#define ISA(name) name##_avx512bf16
#define NARROW(v) ((vh)_mm512_cvtneps_pbh((__m512)(v))) /* to nearest even; below the smallest normal number: 0 */
#define DOT_BF16(a, x, b) ((vf)_mm512_dpbf16_ps((__m512)(a), (__m512bh)(x), (__m512bh)(b))) /* a + x0 b0 + x1 b1 of pairs */
#else
#define ISA_NAME "avx512"
#define ISA(name) name##_avx512
#endif
#define GEMM_ROWS 12            /* of a tile: 24 of the 32 registers hold the sums of a product */
#define FMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define FMA_F64(a, b, c) _mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c))
#define MAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b))) /* b where either is NaN */
#define MIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define TIMES_POWER(p, k) ((vf)_mm512_scalef_ps((__m512)(p), (__m512)(k))) /* p 2^k, rounded once */
#define SELECT(m, a, b) ((vf)_mm512_mask_mov_ps((__m512)(b), _mm512_movepi32_mask((__m512i)(m)), (__m512)(a)))
#define ANY(m) _mm512_movepi32_mask((__m512i)(m))
#define FEW(n) ((1u << (n)) - 1) /* the first n lanes, n at most 16 */
#define PART_F32(p, n) ((vf)_mm512_maskz_loadu_ps((__mmask16)FEW(n), p)) /* n numbers, then zeros */
#define PART_F64(p, n) _mm512_maskz_loadu_pd((__mmask8)FEW(n), p)
#define PUT_PART_F32(p, v, n) _mm512_mask_storeu_ps(p, (__mmask16)FEW(n), (__m512)(v))
#define PUT_PART_F64(p, v, n) _mm512_mask_storeu_pd(p, (__mmask8)FEW(n), (__m512d)(v))
#define LOW_F32(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_F32(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define EVENS_F32(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODDS_F32(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define LOW_F64(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_F64(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
