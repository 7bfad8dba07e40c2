/* The kernels of one instruction set. kernels_body.h is compiled once for each (kernels_plain.c, kernels_avx2.c, kernels_avx512.c, kernels_avx512bf16.c);
 * kernels.c picks the widest that the processor has. The tests run them all. */
#ifndef GG_MATH_KERNELS_ISA_H
#define GG_MATH_KERNELS_ISA_H
#include "kernels.h"

typedef struct gg__kernels {
    const char *name;
    void (*exp)(float *, const float *, int64_t);
    void (*silu)(float *, const float *, int64_t);
    void (*gelu_tanh)(float *, const float *, int64_t);
    void (*gelu_erf)(float *, const float *, int64_t);
    void (*relu)(float *, const float *, int64_t);
    void (*tanh)(float *, const float *, int64_t);
    void (*softcap)(float *, const float *, float, int64_t);
    void (*silu_mul)(void *, bool, const float *, const float *, int64_t);
    void (*gelu_tanh_mul)(void *, bool, const float *, const float *, int64_t);
    void (*gelu_erf_mul)(void *, bool, const float *, const float *, int64_t);
    void (*relu_mul)(void *, bool, const float *, const float *, int64_t);
    void (*mul)(float *, const float *, const float *, int64_t);
    void (*add)(float *, const float *, const float *, int64_t);
    void (*scale)(float *, float, const float *, int64_t);
    float (*dot)(const float *, const float *, int64_t);
    void (*abs_add)(float *, const float *, int64_t);
    void (*to_bf16)(uint16_t *, const float *, int64_t);
    float (*to_i8)(int8_t *, const float *, int64_t);
    void (*from_i32)(float *, const int32_t *, float, const float *, const float *, int64_t);
    bool (*all_finite)(const float *, int64_t);
    void (*softmax)(float *, int64_t);
    double (*logsumexp)(const float *, int64_t);
    void (*rms_norm)(float *, const float *, const float *, float, float, int64_t);
    void (*add_rms_norm)(void *, bool, float *, const float *, const float *, float, float, int64_t);
    void (*layer_norm)(float *, const float *, const float *, const float *, float, int64_t);
    void (*rope)(float *, const float *, const float *, int64_t, int64_t, int64_t);
    void (*attention)(float *, int64_t, const float *, int64_t, int64_t, const float *, const float *, int64_t, int64_t, int64_t, float, float,
                      int64_t, bool, float *);
    void (*top_k)(int32_t *, float *, const float *, int64_t, int64_t);
} gg__kernels;

enum { GG__ISA_PLAIN, GG__ISA_AVX2, GG__ISA_AVX512, GG__ISA_AVX512_BF16, GG__ISA_COUNT };

/* NULL where this processor (or this build) does not have it. */
const gg__kernels *gg__kernels_of(int isa);

extern const gg__kernels gg__kernels_plain;
#if defined(__x86_64__)
extern const gg__kernels gg__kernels_avx2, gg__kernels_avx512, gg__kernels_avx512bf16;
#endif
#endif
