/* Vector kernels: each has a naive twin (gg_naive_*, in naive.c) that defines it. Dispatched at run time to AVX-512,
 * AVX2+FMA or plain C. Every result depends on its own row alone: not on n_rows, position or threads. */
#ifndef GG_MATH_KERNELS_H
#define GG_MATH_KERNELS_H
#include <golgi/array.h>

/* y may be x. n any, 0 included. Relative error of exp <= 2 ulp over the whole range; no fast-math surprises: NaN and inf go through. */
void gg_exp(float *y, const float *x, int64_t n);
void gg_silu(float *y, const float *x, int64_t n);          /* x / (1 + e^-x) */
void gg_gelu_tanh(float *y, const float *x, int64_t n);     /* 0.5 x (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))) */
void gg_gelu_erf(float *y, const float *x, int64_t n);      /* 0.5 x (1 + erf(x / sqrt 2)) */
void gg_relu(float *y, const float *x, int64_t n);
void gg_tanh(float *y, const float *x, int64_t n);
void gg_softcap(float *y, const float *x, float cap, int64_t n); /* cap tanh(x / cap) */
/* y = act(g) u, the hidden layer of a gated MLP, in float32 (y may be g or u) or, narrow, in bfloat16: the numbers that the activation, the
 * product and the rounding give one after the other (but numbers below 2^-126 may become 0, as which products take them anyway). */
void gg_silu_mul(void *y, bool narrow, const float *g, const float *u, int64_t n);
void gg_gelu_tanh_mul(void *y, bool narrow, const float *g, const float *u, int64_t n);
void gg_gelu_erf_mul(void *y, bool narrow, const float *g, const float *u, int64_t n);
void gg_relu_mul(void *y, bool narrow, const float *g, const float *u, int64_t n);
void gg_mul_f32(float *y, const float *a, const float *b, int64_t n); /* y = a b; y may be a or b */
void gg_add_f32(float *y, const float *a, const float *b, int64_t n);
void gg_scale(float *y, float alpha, const float *x, int64_t n);
float gg_dot(const float *a, const float *b, int64_t n);
void gg_abs_add(float *sum, const float *x, int64_t n);               /* sum += |x| */
bool gg_all_finite(const float *x, int64_t n);
/* A row to int8: y = x / scale rounded to nearest even, scale = max |x| / 127 returned (0 for a row of zeros). NaN or infinity anywhere: scale is NaN
 * and y zeros, so that what is made of them is NaN. */
float gg_f32_to_i8(int8_t *y, const float *x, int64_t n);
/* y = x (a w) + b, b NULL: 0. y may stand where x stands. */
void gg_i32_to_f32(float *y, const int32_t *x, float a, const float *w, const float *b, int64_t n);

/* In place over the first n entries: x = exp(x - max) / sum. n >= 1. */
void gg_softmax(float *x, int64_t n);
/* log(sum exp x), max subtracted, sum in double. */
double gg_logsumexp(const float *x, int64_t n);

/* y = x / sqrt(mean x^2 + eps) * (offset + w); w NULL: 1. One row of width n. (Zhang & Sennrich 2019) */
void gg_rms_norm(float *y, const float *x, const float *w, float offset, float eps, int64_t n);
/* x += d (NULL: x stays), then y = gg_rms_norm of it, in float32 or, narrow, in bfloat16. */
void gg_add_rms_norm(void *y, bool narrow, float *x, const float *d, const float *w, float offset, float eps, int64_t n);
/* y = (x - mean) / sqrt(var + eps) * w + b; b NULL: 0; w NULL: 1. (Ba et al. 2016) */
void gg_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, int64_t n);

/* RoPE, half-split ("NeoX") pairing: for i < n_rot/2 rotates (x[i], x[i + n_rot/2]) by the angle whose cosine and sine are
 * c[i], s[i]; the rest of the head is untouched. In place, n_heads heads of d_head. (Su et al. 2021) */
void gg_rope(float *x, const float *c, const float *s, int64_t n_heads, int64_t d_head, int64_t n_rot);

/* Causal attention over one document: the n_heads heads of queries that share one head of keys and values, token t in [0, T):
 *   out[t, i] = sum_j softmax_j(softcap(scale q[t, i].k[j])) v[j],  j in (t - window, t], window <= 0: all.
 * q, out: T rows of n_heads heads of d_head, row strides sq and so; k, v: T rows of d_head, stride skv (floats). softcap <= 0: none.
 * narrow: the products may be computed in bfloat16, where that is faster; a row then still depends on nothing but itself and the keys before it.
 * scratch: gg_attention_scratch(T, d_head) floats. Blocks of queries, so memory is linear in T. */
void gg_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv,
                  int64_t T, int64_t d_head, float scale, float softcap, int64_t window, bool narrow, float *scratch);
int64_t gg_attention_scratch(int64_t T, int64_t d_head);

/* index: (k,) of the k largest of x: (n,), largest first, ties to the lowest index; k <= n. value may be NULL. NaN counts as smallest. */
void gg_top_k(int32_t *index, float *value, const float *x, int64_t n, int64_t k);

/* The twins, plain loops: same arguments and meaning. */
void gg_naive_exp(float *y, const float *x, int64_t n);
void gg_naive_silu(float *y, const float *x, int64_t n);
void gg_naive_gelu_tanh(float *y, const float *x, int64_t n);
void gg_naive_gelu_erf(float *y, const float *x, int64_t n);
void gg_naive_tanh(float *y, const float *x, int64_t n);
float gg_naive_f32_to_i8(int8_t *y, const float *x, int64_t n);
void gg_naive_softmax(float *x, int64_t n);
void gg_naive_rms_norm(float *y, const float *x, const float *w, float offset, float eps, int64_t n);
void gg_naive_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, int64_t n);
void gg_naive_rope(float *x, const float *c, const float *s, int64_t n_heads, int64_t d_head, int64_t n_rot);
void gg_naive_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv,
                        int64_t T, int64_t d_head, float scale, float softcap, int64_t window, bool narrow, float *scratch);
void gg_naive_top_k(int32_t *index, float *value, const float *x, int64_t n, int64_t k);
#endif
