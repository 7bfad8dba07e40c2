/* Vectors of W floats and functions of them, for the files that are compiled once an instruction set (isa_*.h gives W, FMA, MAX, MIN, SELECT, ANY).
 *
 * exp: x = k ln 2 + r, |r| <= ln 2 / 2, e^r a polynomial of degree 7; 2^k is applied so that results below the smallest normal number are
 * rounded once and those above the largest become infinity.
 * tanh: odd polynomial below 0.625 (1 - 2 / (e^2x + 1) would cancel there). Polynomials of exp and tanh: Moshier, Cephes.
 * log: x = 2^k m, m in [sqrt(1/2), sqrt(2)), a polynomial of degree 9 in m - 1 (Moshier, Cephes). softplus: log(1 + e) with what 1 + e lost given back.
 * gelu_erf: x Phi(x); Phi(-a) = e^(-a a / 2) t Q(t), t = 1 / (1 + a / 4), Q of degree 9 fitted for the relative error (2.6e-8), since
 * 1 + erf would cancel below zero. The rounding error of a a is given back as a factor, else it would be multiplied by a a / 2.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float vf __attribute__((vector_size(4 * W)));
typedef int32_t vi __attribute__((vector_size(4 * W)));
typedef float vfu __attribute__((vector_size(4 * W), aligned(4), may_alias));

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS vf load(const float *p) { return (vf) * (const vfu *)p; }
ALWAYS void store(float *p, vf v) { *(vfu *)p = (vfu)v; }
ALWAYS vf all(float x) { return x - (vf){0}; }
#ifdef PUT_PART_F32
ALWAYS vf load_part(const float *p, int64_t n, float rest) { return (vf)_mm512_mask_loadu_ps((__m512)all(rest), (__mmask16)FEW(n), p); }
ALWAYS void store_part(float *p, vf v, int64_t n) { PUT_PART_F32(p, v, n); }
#else
ALWAYS vf load_part(const float *p, int64_t n, float rest)
{
    float b[W];
    for (int i = 0; i < W; i++)
        b[i] = i < n ? p[i] : rest;
    return load(b);
}
ALWAYS void store_part(float *p, vf v, int64_t n)
{
    float b[W];
    store(b, v);
    memcpy(p, b, (size_t)n * sizeof *p);
}
#endif
/* A vector folded to four numbers, half onto half, then two, then one. (Through registers: a store and loads of its pieces would wait for
 * each other, which was a third of the time of attention.) */
typedef float v4 __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
#if W == 16
typedef float v8 __attribute__((vector_size(32)));
typedef int32_t v8i __attribute__((vector_size(32)));
#endif
ALWAYS float sum_of(vf v)
{
#if W == 16
    v8 h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#elif W == 8
    vf h = v;
#endif
#if W > 4
    v4 q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#else
    vf q = v;
#endif
    q += __builtin_shufflevector(q, q, 2, 3, 0, 1);
    return q[0] + q[1];
}
/* The larger, lane by lane; a where b is NaN. */
#define LARGER(a, b, ints) ((__typeof__(a))((((b) > (a)) & (ints)(b)) | (~((b) > (a)) & (ints)(a))))
ALWAYS float max_of(vf v)
{
#if W == 16
    v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7), b = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15), h = LARGER(a, b, v8i);
#elif W == 8
    vf h = v;
#endif
#if W > 4
    v4 c = __builtin_shufflevector(h, h, 0, 1, 2, 3), d = __builtin_shufflevector(h, h, 4, 5, 6, 7), q = LARGER(c, d, v4i);
#else
    vf q = v;
#endif
    v4 turned = __builtin_shufflevector(q, q, 2, 3, 0, 1), two = LARGER(q, turned, v4i);
    return two[1] > two[0] ? two[1] : two[0];
}
#undef LARGER

/* ---- functions of a vector */

#ifndef TIMES_POWER
/* p 2^k, k whole: in two factors, the first of which leaves a normal number, so that the result is rounded once */
ALWAYS vf TIMES_POWER(vf p, vf k)
{
    vi whole = __builtin_convertvector(k, vi), k1 = whole >> 1, k2 = whole - k1;
    return p * (vf)((k1 + 127) << 23) * (vf)((k2 + 127) << 23);
}
#endif

ALWAYS vf v_exp(vf x)
{
    vf c = MIN(all(89.0f), MAX(all(-104.0f), x)); /* NaN comes through */
    vf k = FMA(c, all(0x1.715476p0f), all(0x1.8p23f)) - all(0x1.8p23f); /* rounded to a whole number */
    vf r = FMA(k, all(-0x1.62e4p-1f), c); /* exact: 16 bits times 8 */
    r = FMA(k, all(-0x1.7f7d1cp-20f), r);
    vf p = FMA(r, all(1.9875691500e-4f), all(1.3981999507e-3f));
    p = FMA(p, r, all(8.3334519073e-3f));
    p = FMA(p, r, all(4.1665795894e-2f));
    p = FMA(p, r, all(1.6666665459e-1f));
    p = FMA(p, r, all(5.0000001201e-1f));
    return TIMES_POWER(FMA(p, r * r, r) + 1.0f, k);
}

ALWAYS vf v_sigmoid(vf x) { return 1.0f / (1.0f + v_exp(-x)); }
ALWAYS vf v_silu(vf x) { return x / (1.0f + v_exp(-x)); }
ALWAYS vf v_gelu_tanh(vf x)
{
    vf u = x * FMA(x * x, all(2 * 0.7978845608f * 0.044715f), all(2 * 0.7978845608f));
    return x / (1.0f + v_exp(-u));
}

ALWAYS vf v_tanh(vf x)
{
    vi sign = (vi)x & INT32_MIN;
    vf a = (vf)((vi)x & INT32_MAX), z = x * x;
    vf p = FMA(z, all(-5.70498872745e-3f), all(2.06390887954e-2f));
    p = FMA(p, z, all(-5.37397155531e-2f));
    p = FMA(p, z, all(1.33314422036e-1f));
    p = FMA(p, z, all(-3.33332819422e-1f));
    vf low = FMA(p * z, a, a), high = 1.0f - 2.0f / (v_exp(a + a) + 1.0f);
    return (vf)((vi)SELECT(a < all(0.625f), low, high) | sign);
}

ALWAYS vf v_log(vf x)
{
    vi tiny = x < all(0x1p-126f); /* below the normal numbers: scaled up; not true for NaN */
    vf y = SELECT(tiny, x * all(0x1p24f), x);
    vi e = ((vi)y >> 23) - 126;
    vf m = (vf)(((vi)y & 0x7fffff) | 0x3f000000); /* [1/2, 1) */
    vi small = m < all(0.70710678118f);
    m = SELECT(small, m + m, m) - all(1.0f);
    vf k = __builtin_convertvector(e + small, vf) - SELECT(tiny, all(24), all(0)); /* a true lane is -1 */
    vf z = m * m, p = FMA(m, all(7.0376836292e-2f), all(-1.1514610310e-1f));
    p = FMA(p, m, all(1.1676998740e-1f));
    p = FMA(p, m, all(-1.2420140846e-1f));
    p = FMA(p, m, all(1.4249322787e-1f));
    p = FMA(p, m, all(-1.6668057665e-1f));
    p = FMA(p, m, all(2.0000714765e-1f));
    p = FMA(p, m, all(-2.4999993993e-1f));
    p = FMA(p, m, all(3.3333331174e-1f));
    vf r = FMA(p * m, z, k * all(-2.12194440e-4f));
    r = FMA(z, all(-0.5f), r) + m;
    r = FMA(k, all(0.693359375f), r);
    r = SELECT(x == all(0), all(-INFINITY), r);
    r = SELECT(x == all(INFINITY), x, r);
    return SELECT(~(x >= all(0)), all(NAN), r);
}
ALWAYS vf v_softplus(vf x)
{
    vf a = (vf)((vi)x & INT32_MAX), e = v_exp(-a), u = e + all(1.0f), d = u - all(1.0f);
    vi none = d == all(0);
    vf lost = SELECT(none, e, v_log(u) * (e / SELECT(none, all(1), d))); /* log1p as Kahan has it */
    return SELECT(x > all(0), x, all(0)) + SELECT(x != x, x, lost);
}
ALWAYS vf v_gelu_erf(vf x)
{
    vf a = MIN(all(20.0f), (vf)((vi)x & INT32_MAX)); /* Phi(-20) is 0; NaN comes through */
    vf top = (vf)((vi)a & ~0xfff), low = a - top, square = a * a;
    vf lost = ((top * top - square) + 2.0f * (top * low)) + low * low;
    vf t = 1.0f / FMA(a, all(0.25f), all(1.0f));
    vf q = FMA(t, all(0.0168923959f), all(-0.0645371154f));
    q = FMA(q, t, all(0.0558793508f));
    q = FMA(q, t, all(0.0226110686f));
    q = FMA(q, t, all(0.0177345723f));
    q = FMA(q, t, all(0.0838513002f));
    q = FMA(q, t, all(0.0730127767f));
    q = FMA(q, t, all(0.0952878669f));
    q = FMA(q, t, all(0.0995214581f));
    q = FMA(q, t, all(0.0997463316f));
    vf below = v_exp(-0.5f * square) * (t * q * FMA(lost, all(-0.5f), all(1.0f)));
    return x * SELECT(x < all(0.0f), below, 1.0f - below);
}
