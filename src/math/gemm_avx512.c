/* The products for AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#include "isa_avx512.h"
#include "gemm_isa.h"
#include "vector_body.h"
#define T float
#define LANES W
#define NAME(x) f32_##x
#define VFMA(a, b, c) ((f32_v)FMA(a, b, c))
#define LOW(a, b) LOW_F32(a, b)
#define HIGH(a, b) HIGH_F32(a, b)
#define PART(p, n) PART_F32(p, n)
#define PUT_PART(p, v, n) PUT_PART_F32(p, v, n)
#include "gemm_body.h"
#define T double
#define LANES (W / 2)
#define NAME(x) f64_##x
#define VFMA(a, b, c) ((f64_v)FMA_F64(a, b, c))
#define LOW(a, b) LOW_F64(a, b)
#define HIGH(a, b) HIGH_F64(a, b)
#define PART(p, n) PART_F64(p, n)
#define PUT_PART(p, v, n) PUT_PART_F64(p, v, n)
#include "gemm_body.h"
const gg__gemms ISA(gg__gemms) = {f32_gemm,   f64_gemm,        f32_pack,        f64_pack,       f32_dots,      f64_dots, f32_shifts,
                                  f64_shifts, f32_shifts_over, f64_shifts_over, f32_copy_lines, f64_copy_lines, f32_turn, f64_turn};
#include "isa_end.h"
#endif
