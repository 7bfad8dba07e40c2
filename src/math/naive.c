/* The twins of the kernels: what each means, in plain loops and double precision. The tests compare the fast ones to these. */
#include "kernels.h"
#include <math.h>

void gg_naive_exp(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)exp((double)x[i]);
}

void gg_naive_silu(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)x[i] / (1 + exp(-(double)x[i])));
}

void gg_naive_gelu_tanh(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double v = x[i];
        y[i] = (float)(v / (1 + exp(-2 * 0.79788456080286535588 * (v + 0.044715 * v * v * v)))); /* (1 + tanh u) / 2 = 1 / (1 + e^-2u) */
    }
}

void gg_naive_gelu_erf(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)x[i] * 0.5 * erfc(-(double)x[i] * 0.70710678118654752440)); /* no cancellation below zero */
}

void gg_naive_tanh(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)tanh((double)x[i]);
}

float gg_naive_f32_to_i8(int8_t *y, const float *x, int64_t n)
{
    float max = 0;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        max = fabsf(x[i]) > max ? fabsf(x[i]) : max;
        finite = finite && isfinite(x[i]);
        y[i] = 0;
    }
    if (!finite)
        return NAN;
    const float inverse = 127 / max; /* in float32, so that ties fall as they do in the vectors */
    for (int64_t i = 0; isfinite(inverse) && i < n; i++)
        y[i] = (int8_t)rintf(x[i] * inverse);
    return isfinite(inverse) ? max / 127 : 0;
}

void gg_naive_softmax(float *x, int64_t n)
{
    double max = x[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        max = (double)x[i] > max ? (double)x[i] : max;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(exp((double)x[i] - max) / sum);
}

void gg_naive_rms_norm(float *y, const float *x, const float *w, float offset, float eps, int64_t n)
{
    double square = 0;
    for (int64_t i = 0; i < n; i++)
        square += (double)x[i] * (double)x[i];
    double r = 1 / sqrt(square / (double)n + (double)eps);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)x[i] * r * (w ? (double)offset + (double)w[i] : 1));
}

void gg_naive_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, int64_t n)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    double r = 1 / sqrt(variance + (double)eps);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * r * (w ? (double)w[i] : 1) + (b ? (double)b[i] : 0));
}

void gg_naive_rope(float *x, const float *c, const float *s, int64_t n_heads, int64_t d_head, int64_t n_rot)
{
    int64_t half = n_rot / 2;
    for (int64_t h = 0; h < n_heads; h++, x += d_head)
        for (int64_t i = 0; i < half; i++) {
            double a = x[i], b = x[i + half];
            x[i] = (float)(a * (double)c[i] - b * (double)s[i]);
            x[i + half] = (float)(b * (double)c[i] + a * (double)s[i]);
        }
}

static void attend_head(float *out, int64_t so, const float *q, int64_t sq, const float *k, const float *v, int64_t skv, int64_t T, int64_t d_head, float scale,
                        float softcap, int64_t window)
{
    for (int64_t t = 0; t < T; t++) {
        int64_t first = window > 0 && t - window + 1 > 0 ? t - window + 1 : 0;
        double max = -INFINITY, sum = 0;
        for (int pass = 0; pass < 2; pass++) { /* the scores are computed twice rather than kept */
            if (pass)
                for (int64_t i = 0; i < d_head; i++)
                    out[t * so + i] = 0;
            for (int64_t j = first; j <= t; j++) {
                double score = 0;
                for (int64_t i = 0; i < d_head; i++)
                    score += (double)q[t * sq + i] * (double)k[j * skv + i];
                score *= (double)scale;
                if (softcap > 0)
                    score = (double)softcap * tanh(score / (double)softcap);
                if (pass == 0) {
                    max = score > max ? score : max;
                    continue;
                }
                double p = exp(score - max);
                sum += p;
                for (int64_t i = 0; i < d_head; i++)
                    out[t * so + i] += (float)(p * (double)v[j * skv + i]);
            }
        }
        for (int64_t i = 0; i < d_head; i++)
            out[t * so + i] = (float)((double)out[t * so + i] / sum);
    }
}

void gg_naive_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv,
                        int64_t T, int64_t d_head, float scale, float softcap, int64_t window, bool narrow, float *scratch)
{
    (void)narrow;
    (void)scratch;
    for (int64_t i = 0; i < n_heads; i++)
        attend_head(out + i * d_head, so, q + i * d_head, sq, k, v, skv, T, d_head, scale, softcap, window);
}

/* a before b: larger, NaN last, ties to the lower index */
static bool before(float a, int64_t ia, float b, int64_t ib)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b) ? ia < ib : isnan(b);
    return a > b || (a == b && ia < ib);
}

void gg_naive_top_k(int32_t *index, float *value, const float *x, int64_t n, int64_t k)
{
    for (int64_t r = 0; r < k; r++) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++) { /* the first of those that come after the one chosen last */
            bool after = r == 0 || before(x[index[r - 1]], index[r - 1], x[i], i);
            if (after && (best < 0 || before(x[i], i, x[best], best)))
                best = i;
        }
        index[r] = (int32_t)best;
        if (value)
            value[r] = x[best];
    }
}
