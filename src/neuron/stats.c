/* Streaming statistics. Owns: the sums. Knows nothing of models or files.
 *
 * With n samples, mean m and M2 = sum (x - m)^2, two halves a, b combine as (Chan, Golub & LeVeque 1983, eq. 1.5)
 *     m  = m_a + d n_b / n                 d = m_b - m_a
 *     M2 = M2_a + M2_b + d^2 n_a n_b / n
 * and sum x^2 = M2 + n m^2, which adds numbers of one sign and loses nothing.
 * Trap that bit others: summing x^2 and subtracting loses all digits of the variance when the mean is large; keep M2.
 */
#include "base/memory.h"
#include <golgi/stats.h>
#include <math.h>

struct gg_stats {
    gg_context *ctx;
    int64_t n_neurons;
    int64_t n;       /* samples seen */
    double *mean;    /* (n_neurons,) */
    double *m2;      /* (n_neurons,) */
    double *sum_abs; /* (n_neurons,) */
    double *max;     /* (n_neurons,) */
};

gg_status gg_stats_create(gg_stats **out, gg_context *ctx, int64_t n_neurons)
{
    *out = NULL;
    if (n_neurons <= 0)
        return gg_fail(ctx, GG_EINVAL, "statistics of %lld neurons: the width must be positive", (long long)n_neurons);
    gg_stats *s = gg_new(ctx, gg_stats, 1);
    double *block = gg_new(ctx, double, gg_mul(4, n_neurons)); /* one block, four views */
    if (!s || !block) {
        gg_drop(ctx, s);
        gg_drop(ctx, block);
        return GG_ENOMEM;
    }
    *s = (gg_stats){.ctx = ctx, .n_neurons = n_neurons, .mean = block, .m2 = block + n_neurons, .sum_abs = block + 2 * n_neurons,
                    .max = block + 3 * n_neurons};
    for (int64_t k = 0; k < n_neurons; k++)
        s->max[k] = -INFINITY;
    *out = s;
    return GG_OK;
}

void gg_stats_free(gg_stats *s)
{
    if (!s)
        return;
    gg_context *ctx = s->ctx;
    gg_drop(ctx, s->mean);
    gg_drop(ctx, s);
}

/* The first number that is not finite, or n. A plain OR over a stretch lets the compiler use its vectors. */
static int64_t first_not_finite(const float *x, int64_t n)
{
    int64_t i = 0;
    for (; n - i >= 256; i += 256) {
        int bad = 0;
        for (int64_t k = i; k < i + 256; k++)
            bad |= !(fabsf(x[k]) <= 3.402823466e38f);
        if (bad)
            break;
    }
    for (; i < n; i++)
        if (!isfinite(x[i]))
            return i;
    return n;
}

/* Welford's update, row by row: the fixed order makes the bits reproducible. */
gg_status gg_stats_add(gg_stats *s, const float *x, int64_t n_rows)
{
    const int64_t width = s->n_neurons;
    if (n_rows < 0 || n_rows > INT64_MAX / width)
        return gg_fail(s->ctx, GG_EINVAL, "statistics of %lld rows: a count from 0 on was expected", (long long)n_rows);
    const int64_t bad = first_not_finite(x, n_rows * width); /* refuse before changing anything */
    if (bad < n_rows * width)
        return gg_fail(s->ctx, GG_ENAN, "row %lld, neuron %lld is not a finite number", (long long)(bad / width), (long long)(bad % width));

    double *mean = s->mean, *m2 = s->m2, *sum_abs = s->sum_abs, *max = s->max;
    for (int64_t t = 0; t < n_rows; t++, s->n++) {
        const float *row = x + t * width;
        const double inv = 1.0 / (double)(s->n + 1);
        for (int64_t k = 0; k < width; k++) {
            const double v = row[k], d = v - mean[k];
            mean[k] += d * inv;
            m2[k] += d * (v - mean[k]);
            sum_abs[k] += fabs(v);
            max[k] = v > max[k] ? v : max[k];
        }
    }
    return GG_OK;
}

gg_status gg_stats_merge(gg_stats *s, const gg_stats *from)
{
    if (s->n_neurons != from->n_neurons)
        return gg_fail(s->ctx, GG_EINVAL, "statistics of %lld neurons cannot take in statistics of %lld", (long long)s->n_neurons,
                       (long long)from->n_neurons);
    if (from->n == 0)
        return GG_OK;
    const double n_a = (double)s->n, n_b = (double)from->n, n = n_a + n_b;
    for (int64_t k = 0; k < s->n_neurons; k++) {
        const double d = from->mean[k] - s->mean[k];
        s->mean[k] += d * (n_b / n);
        s->m2[k] += from->m2[k] + d * d * (n_a * n_b / n);
        s->sum_abs[k] += from->sum_abs[k];
        s->max[k] = from->max[k] > s->max[k] ? from->max[k] : s->max[k];
    }
    s->n += from->n;
    return GG_OK;
}

int64_t gg_stats_count(const gg_stats *s)
{
    return s->n;
}

void gg_stats_mean(double *out, const gg_stats *s)
{
    memcpy(out, s->mean, (size_t)s->n_neurons * sizeof *out);
}

void gg_stats_mean_abs(double *out, const gg_stats *s)
{
    const double n = s->n ? (double)s->n : 1;
    for (int64_t k = 0; k < s->n_neurons; k++)
        out[k] = s->sum_abs[k] / n;
}

void gg_stats_max(double *out, const gg_stats *s)
{
    memcpy(out, s->max, (size_t)s->n_neurons * sizeof *out);
}

void gg_stats_sum_squares(double *out, const gg_stats *s)
{
    for (int64_t k = 0; k < s->n_neurons; k++)
        out[k] = s->m2[k] + (double)s->n * s->mean[k] * s->mean[k];
}

void gg_stats_variance(double *out, const gg_stats *s)
{
    const double n = s->n ? (double)s->n : 1;
    for (int64_t k = 0; k < s->n_neurons; k++)
        out[k] = s->m2[k] / n;
}
