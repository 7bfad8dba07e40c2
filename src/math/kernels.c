/* The kernels' public names: each call goes to the widest instruction set of this processor. Nothing is remembered between calls: the
 * question is a few bit tests on what the C runtime already knows. */
#include "kernels_isa.h"

#if defined(__x86_64__)
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
static bool has_avx512_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

const gg__kernels *gg__kernels_of(int isa)
{
    return isa == GG__ISA_PLAIN                              ? &gg__kernels_plain
           : isa == GG__ISA_AVX2 && has_avx2()               ? &gg__kernels_avx2
           : isa == GG__ISA_AVX512 && has_avx512()           ? &gg__kernels_avx512
           : isa == GG__ISA_AVX512_BF16 && has_avx512_bf16() ? &gg__kernels_avx512bf16
                                                             : NULL;
}

static const gg__kernels *best(void)
{
    return has_avx512_bf16() ? &gg__kernels_avx512bf16 : has_avx512() ? &gg__kernels_avx512 : has_avx2() ? &gg__kernels_avx2 : &gg__kernels_plain;
}
#else
const gg__kernels *gg__kernels_of(int isa) { return isa == GG__ISA_PLAIN ? &gg__kernels_plain : NULL; }
static const gg__kernels *best(void) { return &gg__kernels_plain; }
#endif

void gg_exp(float *y, const float *x, int64_t n) { best()->exp(y, x, n); }
void gg_silu(float *y, const float *x, int64_t n) { best()->silu(y, x, n); }
void gg_gelu_tanh(float *y, const float *x, int64_t n) { best()->gelu_tanh(y, x, n); }
void gg_gelu_erf(float *y, const float *x, int64_t n) { best()->gelu_erf(y, x, n); }
void gg_relu(float *y, const float *x, int64_t n) { best()->relu(y, x, n); }
void gg_tanh(float *y, const float *x, int64_t n) { best()->tanh(y, x, n); }
void gg_softcap(float *y, const float *x, float cap, int64_t n) { best()->softcap(y, x, cap, n); }
void gg_silu_mul(void *y, bool narrow, const float *g, const float *u, int64_t n) { best()->silu_mul(y, narrow, g, u, n); }
void gg_gelu_tanh_mul(void *y, bool narrow, const float *g, const float *u, int64_t n) { best()->gelu_tanh_mul(y, narrow, g, u, n); }
void gg_gelu_erf_mul(void *y, bool narrow, const float *g, const float *u, int64_t n) { best()->gelu_erf_mul(y, narrow, g, u, n); }
void gg_relu_mul(void *y, bool narrow, const float *g, const float *u, int64_t n) { best()->relu_mul(y, narrow, g, u, n); }
void gg_mul_f32(float *y, const float *a, const float *b, int64_t n) { best()->mul(y, a, b, n); }
void gg_add_f32(float *y, const float *a, const float *b, int64_t n) { best()->add(y, a, b, n); }
void gg_scale(float *y, float alpha, const float *x, int64_t n) { best()->scale(y, alpha, x, n); }
float gg_dot(const float *a, const float *b, int64_t n) { return best()->dot(a, b, n); }
void gg_abs_add(float *sum, const float *x, int64_t n) { best()->abs_add(sum, x, n); }
void gg_f32_to_bf16(uint16_t *out, const float *in, int64_t n) { best()->to_bf16(out, in, n); }
bool gg_all_finite(const float *x, int64_t n) { return best()->all_finite(x, n); }
float gg_f32_to_i8(int8_t *y, const float *x, int64_t n) { return best()->to_i8(y, x, n); }
void gg_i32_to_f32(float *y, const int32_t *x, float a, const float *w, const float *b, int64_t n) { best()->from_i32(y, x, a, w, b, n); }
void gg_softmax(float *x, int64_t n) { best()->softmax(x, n); }
double gg_logsumexp(const float *x, int64_t n) { return best()->logsumexp(x, n); }
void gg_rms_norm(float *y, const float *x, const float *w, float offset, float eps, int64_t n)
{
    best()->rms_norm(y, x, w, offset, eps, n);
}
void gg_add_rms_norm(void *y, bool narrow, float *x, const float *d, const float *w, float offset, float eps, int64_t n)
{
    best()->add_rms_norm(y, narrow, x, d, w, offset, eps, n);
}
void gg_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, int64_t n)
{
    best()->layer_norm(y, x, w, b, eps, n);
}
void gg_rope(float *x, const float *c, const float *s, int64_t n_heads, int64_t d_head, int64_t n_rot)
{
    best()->rope(x, c, s, n_heads, d_head, n_rot);
}
void gg_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv,
                  int64_t T, int64_t d_head, float scale, float softcap, int64_t window, bool narrow, float *scratch)
{
    best()->attention(out, so, q, sq, n_heads, k, v, skv, T, d_head, scale, softcap, window, narrow, scratch);
}
void gg_top_k(int32_t *index, float *value, const float *x, int64_t n, int64_t k) { best()->top_k(index, value, x, n, k); }

/* What attention_body.h lays out: transposed keys and the scores of six rows, lines of up to T + 31 floats; or, narrow, half the keys, the scores,
 * six rows of queries and the values, in pairs. Room to align. */
int64_t gg_attention_scratch(int64_t T, int64_t d_head)
{
    const int64_t line = T + 31, pairs = (d_head + 1) / 2;
    return line * (pairs + 6) + 6 * pairs + (T + 1) / 2 * 2 * pairs + line * pairs + 16;
}
