/* The kernels for AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif
#define W 16
#define ISA_NAME "avx512"
#define ISA_TABLE gg__kernels_avx512
#define FMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define MAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b))) /* b where either is NaN */
#define MIN(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define SELECT(m, a, b) ((vf)_mm512_mask_mov_ps((__m512)(b), _mm512_movepi32_mask((__m512i)(m)), (__m512)(a)))
#define ANY(m) _mm512_movepi32_mask((__m512i)(m))
#include "kernels_body.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
