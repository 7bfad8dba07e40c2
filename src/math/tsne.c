/* Exact t-SNE of a distance matrix (van der Maaten & Hinton 2008). Owns nothing.
 *
 *     p_j|i = exp(-b_i d_ij^2) / sum_k exp(-b_i d_ik^2)     b_i such that exp(entropy of p_.|i) = perplexity
 *     p_ij  = (p_j|i + p_i|j) / 2n
 *     w_ij  = 1 / (1 + |y_i - y_j|^2)     Z = sum w_ij      q_ij = w_ij / Z
 *     KL    = sum p_ij log(p_ij / q_ij)
 *     dKL/dy_i = 4 sum_j (p_ij - q_ij) w_ij (y_i - y_j) = 4 (sum_j p_ij w_ij (y_i - y_j) - sum_j w_ij^2 (y_i - y_j) / Z)
 * so one pass over j gives both sums and row i's part of Z, which divides afterwards. Descent as in their code: momentum 0.5, then
 * 0.8 from iteration 250, where it starts afresh; p times 12 until then; each coordinate's gain + 0.2 when the gradient changes sign against the last step,
 * times 0.8 when not, at least 0.01.
 *
 * The inner loop works on eight points at a time and sums in eight fixed lanes, so the result is the same bits with SSE2, AVX2 or
 * AVX-512 and with any number of threads. Traps: all distances are divided by the largest first (p does not change, and b starts
 * at a sane size); with b large every exp underflows unless the nearest distance is taken off; points on one line would stay on
 * it for ever without a little noise in the start.
 */
#include "math/tsne.h"
#include "base/memory.h"
#include "base/work.h"
#include "math/gram.h"
#include <golgi/cluster.h>
#include <math.h>

enum { LANES = 8, ROWS = 64, PARALLEL_FROM = 1000, SWITCH = 250 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), may_alias));

/* ---- affinities ---- */

/* Entropy of p_.|i at precision b; moments give its slope. d2: squared distances, least taken off. */
static double entropy_at(double *slope, double *p, const double *d2, double b, int64_t n, int64_t i)
{
    double z = 0, first = 0, second = 0;
    for (int64_t j = 0; j < n; j++) {
        p[j] = j == i ? 0 : exp(-b * d2[j]);
        z += p[j];
        first += p[j] * d2[j];
        second += p[j] * d2[j] * d2[j];
    }
    for (int64_t j = 0; j < n; j++)
        p[j] /= z;
    first /= z;
    second /= z;
    *slope = -b * b * (second - first * first); /* dH / d log b */
    return log(z) + b * first;
}

/* Newton's steps in log b, halving of the bracket where they would leave it. Entropy falls as b grows. */
static void match_perplexity(double *p, const double *d2, int64_t n, int64_t i, double perplexity)
{
    const double target = log(perplexity);
    double low = -700, high = 700, u = 0;
    for (int step = 0; step < 200; step++) {
        double slope;
        const double excess = entropy_at(&slope, p, d2, exp(u), n, i) - target;
        if (fabs(excess) < 1e-12)
            break;
        if (excess > 0)
            low = u;
        else
            high = u;
        double next = slope < 0 ? u - excess / slope : INFINITY;
        if (!(next > low && next < high))
            next = 0.5 * (low + high);
        next = fmax(u - 5, fmin(u + 5, next)); /* far from the root the slope says little */
        if (next == u)
            break; /* no b has this entropy (ties), or the bracket is closed */
        u = next;
    }
}

typedef struct affinity {
    double *p, *scratch; /* scratch: (threads, n) */
    const double *distance;
    double scale, perplexity;
    int64_t n, stride;
} affinity;

static gg_status affinity_row(void *user, int64_t i, int worker)
{
    const affinity *a = user;
    double *d2 = a->scratch + worker * a->n, nearest = INFINITY;
    for (int64_t j = 0; j < a->n; j++) {
        const double d = 0.5 * (a->distance[i * a->n + j] + a->distance[j * a->n + i]) * a->scale;
        d2[j] = d > 0 ? d * d : 0;
        if (j != i && d2[j] < nearest)
            nearest = d2[j];
    }
    for (int64_t j = 0; j < a->n; j++)
        d2[j] = j == i ? 0 : d2[j] - nearest;
    match_perplexity(a->p + i * a->stride, d2, a->n, i, a->perplexity);
    return GG_OK;
}

/* largest: of all distances. What rounding does to a symmetric matrix is forgiven. */
static gg_status check_distances(double *largest, gg_context *ctx, const double *distance, int64_t n)
{
    *largest = 0;
    for (int64_t i = 0; i < n * n; i++) {
        if (!isfinite(distance[i]))
            return gg_fail(ctx, GG_ENAN, "the distance of points %lld and %lld is not a finite number", (long long)(i / n), (long long)(i % n));
        *largest = distance[i] > *largest ? distance[i] : *largest;
    }
    const double little = 1e-9 * *largest;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            const double d = distance[i * n + j], back = distance[j * n + i];
            if (d < -little || fabs(d - back) > little || (i == j && d > little))
                return gg_fail(ctx, GG_EINVAL, "the distances of points %lld and %lld are %g and, the other way, %g: %s", (long long)i,
                               (long long)j, d, back, i == j ? "a point is at 0 from itself" : "they must be equal and not negative");
        }
    return GG_OK;
}

gg_status gg__tsne_affinities(double *p, int64_t stride, gg_context *ctx, const double *distance, int64_t n, double perplexity)
{
    double largest;
    GG_TRY(check_distances(&largest, ctx, distance, n));
    memset(p, 0, (size_t)(n * stride) * sizeof *p);
    if (n < 2)
        return GG_OK;
    double *scratch = gg_new(ctx, double, gg_mul(gg_context_threads(ctx), n));
    if (!scratch)
        return GG_ENOMEM;
    const gg_status s = gg_parallel(ctx, n, affinity_row,
                                    &(affinity){p, scratch, distance, largest > 0 ? 1 / largest : 1, perplexity, n, stride});
    gg_drop(ctx, scratch);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            const double both = (p[i * stride + j] + p[j * stride + i]) / (2 * (double)n);
            p[i * stride + j] = both;
            p[j * stride + i] = both;
        }
    return s;
}

/* ---- the gradient ---- */

typedef struct sums {
    double attract[2], repel[2], z; /* of one row */
} sums;

typedef struct descent {
    gg_context *ctx;
    const double *p; /* (n, stride) */
    double *y[2];    /* (stride,) each; points from n on stand infinitely far off */
    sums *row;       /* (n,) */
    int64_t n, stride;
    void (*rows)(const struct descent *, int64_t first, int64_t last);
} descent;

static inline double sum_lanes(const lanes *v)
{
    double sum = 0;
    for (int l = 0; l < LANES; l++)
        sum += (*v)[l];
    return sum;
}

static inline __attribute__((always_inline)) void rows_in_lanes(const descent *t, int64_t first, int64_t last)
{
    const lanes *x = (const lanes *)t->y[0], *y = (const lanes *)t->y[1];
    for (int64_t i = first; i < last; i++) {
        const lanes *p = (const lanes *)(t->p + i * t->stride);
        const double xi = t->y[0][i], yi = t->y[1][i];
        lanes attract_x = {0}, attract_y = {0}, repel_x = {0}, repel_y = {0}, z = {0};
        for (int64_t j = 0; j < t->stride / LANES; j++) {
            const lanes dx = xi - x[j], dy = yi - y[j], w = 1.0 / (1.0 + dx * dx + dy * dy), pw = p[j] * w, ww = w * w;
            attract_x += pw * dx;
            attract_y += pw * dy;
            repel_x += ww * dx;
            repel_y += ww * dy;
            z += w;
        }
        t->row[i] = (sums){{sum_lanes(&attract_x), sum_lanes(&attract_y)}, {sum_lanes(&repel_x), sum_lanes(&repel_y)}, sum_lanes(&z) - 1};
    }
}

static void rows_plain(const descent *t, int64_t first, int64_t last)
{
    rows_in_lanes(t, first, last);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void rows_avx2(const descent *t, int64_t first, int64_t last)
{
    rows_in_lanes(t, first, last);
}

__attribute__((target("avx512f"))) static void rows_avx512(const descent *t, int64_t first, int64_t last)
{
    rows_in_lanes(t, first, last);
}
#endif

static void choose_rows(descent *t)
{
    t->rows = rows_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        t->rows = rows_avx512;
    else if (__builtin_cpu_supports("avx2"))
        t->rows = rows_avx2;
#endif
}

static gg_status rows_task(void *user, int64_t task, int worker)
{
    (void)worker;
    const descent *t = user;
    const int64_t first = task * ROWS, last = first + ROWS < t->n ? first + ROWS : t->n;
    t->rows(t, first, last);
    return GG_OK;
}

/* Fills t->row; Z is added in the order of the points. */
static gg_status all_rows(double *z, descent *t)
{
    if (t->n < PARALLEL_FROM) {
        if (gg_context_stopped(t->ctx))
            return gg_fail(t->ctx, GG_EINTR, "%s", gg_status_text(GG_EINTR));
        t->rows(t, 0, t->n);
    } else
        GG_TRY(gg_parallel(t->ctx, (t->n + ROWS - 1) / ROWS, rows_task, t));
    *z = 0;
    for (int64_t i = 0; i < t->n; i++)
        *z += t->row[i].z;
    return GG_OK;
}

static gg_status descend(descent *t, double *step, double *gain, const gg_tsne_options *o)
{
    for (int iteration = 0; iteration < o->n_iterations; iteration++) {
        for (int64_t i = 0; iteration % SWITCH == 0 && iteration <= SWITCH && i < 2 * t->n; i++) {
            gain[i] = 1; /* at the beginning, and once more when the landscape changes */
            step[i] = 0;
        }
        const double exaggeration = iteration < SWITCH ? o->early_exaggeration : 1, momentum = iteration < SWITCH ? 0.5 : 0.8;
        double z;
        GG_TRY(all_rows(&z, t));
        for (int64_t i = 0; i < t->n; i++)
            for (int a = 0; a < 2; a++) {
                const double gradient = 4 * (exaggeration * t->row[i].attract[a] - t->row[i].repel[a] / z);
                double *g = &gain[2 * i + a], *v = &step[2 * i + a];
                *g = gradient * *v < 0 ? *g + 0.2 : *g * 0.8;
                *g = *g < 0.01 ? 0.01 : *g;
                *v = momentum * *v - o->learning_rate * *g * gradient;
            }
        for (int64_t i = 0; i < t->n; i++)
            for (int a = 0; a < 2; a++)
                t->y[a][i] += step[2 * i + a];
    }
    return GG_OK;
}

static gg_status divergence(double *kl, descent *t)
{
    double z;
    GG_TRY(all_rows(&z, t));
    *kl = 0;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->n; j++) {
            const double p = t->p[i * t->stride + j], dx = t->y[0][i] - t->y[0][j], dy = t->y[1][i] - t->y[1][j];
            if (p > 0)
                *kl += p * (log(p) + log(1 + dx * dx + dy * dy) + log(z));
        }
    return GG_OK;
}

/* ---- the start ---- */

/* Classical scaling (Torgerson 1952): the two leading eigenvectors of -1/2 J D^2 J, sd 1e-4, and a hundredth of that as noise. */
static gg_status place(descent *t, const double *distance, uint64_t seed)
{
    const int64_t n = t->n;
    double largest_distance = 0; /* taken as the unit: squares of very small or large numbers would vanish or overflow */
    for (int64_t i = 0; i < n * n; i++)
        largest_distance = fmax(largest_distance, distance[i]);
    const double half = largest_distance > 0 ? 0.5 / largest_distance : 0;
    gg_context *ctx = t->ctx;
    double *b = gg_new(ctx, double, gg_mul(n, n)), *mean = gg_new(ctx, double, n), *vector = gg_new(ctx, double, gg_mul(2, n)), value[2];
    gg_status s = b && mean && vector ? GG_OK : GG_ENOMEM;
    if (s == GG_OK) {
        double all = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                const double d = half * (distance[i * n + j] + distance[j * n + i]);
                b[i * n + j] = d * d;
                mean[i] += d * d / (double)n;
                all += d * d / (double)n / (double)n;
            }
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                b[i * n + j] = -0.5 * (b[i * n + j] - mean[i] - mean[j] + all);
        s = gg__eigen_top(value, vector, ctx, b, n, 2);
    }
    if (s == GG_OK) {
        gg_random r = gg_random_of(seed, 0);
        /* a unit vector has sd 1 / sqrt(n) */
        const double scale = value[0] > 0 ? 1e-4 * sqrt((double)n) : 0, ratio = value[1] > 0 && value[0] > 0 ? sqrt(value[1] / value[0]) : 0;
        for (int a = 0; a < 2; a++) {
            double largest = 0; /* an eigenvector's sign is arbitrary: make its largest entry positive */
            for (int64_t i = 0; i < n; i++)
                if (fabs(vector[a * n + i]) > fabs(largest))
                    largest = vector[a * n + i];
            const double turn = largest < 0 ? -scale : scale;
            for (int64_t i = 0; i < n; i++)
                t->y[a][i] = vector[a * n + i] * turn * (a ? ratio : 1) + 1e-6 * gg_random_normal(&r);
        }
    }
    gg_drop(ctx, b);
    gg_drop(ctx, mean);
    gg_drop(ctx, vector);
    return s;
}

static gg_status fill_options(gg_tsne_options *o, gg_context *ctx, const gg_tsne_options *given, int64_t n)
{
    *o = given ? *given : (gg_tsne_options){0};
    if (!(o->perplexity >= 0 && o->learning_rate >= 0 && o->early_exaggeration >= 0) || o->n_iterations < 0)
        return gg_fail(ctx, GG_EINVAL, "t-SNE: perplexity %g, learning rate %g, exaggeration %g, %d iterations: none can be negative",
                       o->perplexity, o->learning_rate, o->early_exaggeration, o->n_iterations);
    const double most = n > 4 ? (double)(n - 1) / 3 : 1;
    o->perplexity = o->perplexity > 0 ? o->perplexity : 30;
    o->perplexity = fmax(1, fmin(o->perplexity, most));
    o->n_iterations = o->n_iterations ? o->n_iterations : 1000;
    o->early_exaggeration = o->early_exaggeration > 0 ? o->early_exaggeration : 12;
    o->learning_rate = o->learning_rate > 0 ? o->learning_rate : fmax((double)n / o->early_exaggeration / 4, 50);
    return GG_OK;
}

gg_status gg_tsne(double *out, double *kl, gg_context *ctx, const double *distance, int64_t n, const gg_tsne_options *options)
{
    if (n < 1)
        return gg_fail(ctx, GG_EINVAL, "t-SNE of %lld points: at least one is needed", (long long)n);
    gg_tsne_options o;
    GG_TRY(fill_options(&o, ctx, options, n));
    if (n == 1) {
        out[0] = out[1] = 0;
        if (kl)
            *kl = 0;
        return GG_OK;
    }
    const int64_t stride = (n + LANES - 1) / LANES * LANES;
    double *p = gg_new(ctx, double, gg_mul(n, stride)), *step = gg_new(ctx, double, gg_mul(2, n)), *gain = gg_new(ctx, double, gg_mul(2, n));
    descent t = {.ctx = ctx, .p = p, .n = n, .stride = stride};
    t.y[0] = gg_new(ctx, double, stride);
    t.y[1] = gg_new(ctx, double, stride);
    t.row = gg_new(ctx, sums, n);
    choose_rows(&t);
    gg_status s = p && step && gain && t.y[0] && t.y[1] && t.row ? GG_OK : GG_ENOMEM;
    if (s == GG_OK)
        s = gg__tsne_affinities(p, stride, ctx, distance, n, o.perplexity);
    if (s == GG_OK) {
        for (int64_t i = n; i < stride; i++)
            t.y[0][i] = t.y[1][i] = 1e150; /* w = 1e-300: adds nothing */
        s = place(&t, distance, o.seed);
    }
    if (s == GG_OK)
        s = descend(&t, step, gain, &o);
    if (s == GG_OK && kl)
        s = divergence(kl, &t);
    if (s == GG_OK)
        for (int a = 0; a < 2; a++) {
            double mean = 0;
            for (int64_t i = 0; i < n; i++)
                mean += t.y[a][i] / (double)n;
            for (int64_t i = 0; i < n; i++)
                out[2 * i + a] = t.y[a][i] - mean;
        }
    gg_drop(ctx, p);
    gg_drop(ctx, step);
    gg_drop(ctx, gain);
    gg_drop(ctx, t.y[0]);
    gg_drop(ctx, t.y[1]);
    gg_drop(ctx, t.row);
    return s;
}
