/* k-means: Lloyd's iteration from k-means++ seeds, the best of several starts. Owns nothing.
 *
 *     label_i  = argmin_c |y_i - m_c|^2 = argmin_c |m_c|^2 - 2 y_i . m_c        (ties to the lowest c)
 *     m_c      = mean of the y_i with label c
 *     inertia  = sum_i |y_i - m_label_i|^2                                     until no label changes
 * Seeds (Arthur & Vassilvitskii 2007): each next one is drawn with probability proportional to the squared distance from the seeds
 * so far; of 2 + floor(ln k) draws the one that leaves least is taken (their greedy variant).
 *
 * y are the points x less their mean when d <= 2 n. Wider points (multi-hot rows of 46080 numbers) are replaced by coordinates
 * with the same distances in at most n dimensions (gram.h): Lloyd then runs hundreds of times faster and finds the same clusters.
 * Centres and inertia of the result are computed from x itself.
 *
 * A cluster that lost all its points takes the point that is farthest from its centre and not alone. Traps: with fewer distinct points
 * than clusters this repeats for ever unless labels are compared after the repair; starts run on threads, so each has its own
 * stream of random numbers and the winner is chosen by (inertia, number of the start).
 */
#include "base/memory.h"
#include "base/work.h"
#include "math/gram.h"
#include <cblas.h>
#include <golgi/cluster.h>
#include <math.h>

enum { BLOCK = 256 }; /* points whose distances are held at a time */

typedef struct points {
    const double *y;    /* (n, d) centred */
    const double *norm; /* (n,) |y|^2 */
    int64_t n, d;
} points;

/* What one start works in. */
typedef struct start {
    int32_t *label, *before; /* (n,) */
    double *gap;             /* (n,) squared distance to the nearest centre */
    double *centre;          /* (k, d) */
    double *centre_norm;     /* (k,) */
    double *product;         /* (BLOCK, max(k, candidates)) */
    double *left;            /* (candidates, n) gap if the candidate became a centre */
    double *candidate;       /* (candidates, d) */
    int64_t *count;          /* (k,) */
} start;

typedef struct job {
    gg_context *ctx;
    points p;
    int k, n_candidates, max_iterations;
    uint64_t seed;
    double *inertia;  /* (n_restarts,) */
    int *n_iterations;/* (n_restarts,) */
    int32_t *label;   /* (n_restarts, n) */
} job;

static void start_free(gg_context *ctx, start *s)
{
    gg_drop(ctx, s->label);
    gg_drop(ctx, s->before);
    gg_drop(ctx, s->gap);
    gg_drop(ctx, s->centre);
    gg_drop(ctx, s->centre_norm);
    gg_drop(ctx, s->product);
    gg_drop(ctx, s->left);
    gg_drop(ctx, s->candidate);
    gg_drop(ctx, s->count);
}

static gg_status start_make(start *s, const job *j)
{
    gg_context *ctx = j->ctx;
    const int64_t n = j->p.n, d = j->p.d, k = j->k, c = j->n_candidates;
    *s = (start){.label = gg_new(ctx, int32_t, n), .before = gg_new(ctx, int32_t, n), .gap = gg_new(ctx, double, n),
                 .centre = gg_new(ctx, double, gg_mul(k, d)), .centre_norm = gg_new(ctx, double, k),
                 .product = gg_new(ctx, double, gg_mul(BLOCK, k > c ? k : c)), .left = gg_new(ctx, double, gg_mul(c, n)),
                 .candidate = gg_new(ctx, double, gg_mul(c, d)), .count = gg_new(ctx, int64_t, k)};
    if (s->label && s->before && s->gap && s->centre && s->centre_norm && s->product && s->left && s->candidate && s->count)
        return GG_OK;
    start_free(ctx, s);
    return GG_ENOMEM;
}

static double squared_distance(const double *a, const double *b, int64_t d)
{
    double lane[8] = {0}, sum = 0; /* eight sums that a compiler may keep in one register */
    int64_t c = 0;
    for (; c + 8 <= d; c += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (a[c + l] - b[c + l]) * (a[c + l] - b[c + l]);
    for (; c < d; c++)
        sum += (a[c] - b[c]) * (a[c] - b[c]);
    for (int l = 0; l < 8; l++)
        sum += lane[l];
    return sum;
}

static double squared_norm(const double *a, int64_t d)
{
    double sum = 0;
    for (int64_t c = 0; c < d; c++)
        sum += a[c] * a[c];
    return sum;
}

/* product: (rows, m) = y[i0 .. i0 + rows] . z, z: (m, d) */
static void products(double *product, const points *p, int64_t i0, int64_t rows, const double *z, int64_t m)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)m, (int)p->d, 1, p->y + i0 * p->d, (int)p->d, z, (int)p->d, 0,
                product, (int)m);
}

/* |a - b|^2 from norms and product; what rounding leaves of coinciding points counts as nothing. */
static double gap_of(double norm_a, double norm_b, double product)
{
    const double gap = norm_a + norm_b - 2 * product;
    return gap > 1e-13 * (norm_a + norm_b) ? gap : 0;
}

/* ---- seeds ---- */

/* An index drawn with probability proportional to w >= 0: (n,), sum total. */
static int64_t draw(gg_random *r, const double *w, double total, int64_t n)
{
    if (!(total > 0))
        return gg_random_below(r, n); /* every point lies on a seed already */
    double u = gg_random_uniform(r) * total;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++)
        if (w[i] > 0) {
            last = i;
            if (u < w[i])
                break;
            u -= w[i];
        }
    return last;
}

static void seed(start *s, const job *j, gg_random *r)
{
    const points *p = &j->p;
    double total = 0;
    for (int64_t i = 0; i < p->n; i++)
        s->gap[i] = INFINITY;
    for (int c = 0; c < j->k; c++) {
        int64_t pick[64];
        const int m = c == 0 ? 1 : j->n_candidates;
        for (int t = 0; t < m; t++) {
            pick[t] = c == 0 ? gg_random_below(r, p->n) : draw(r, s->gap, total, p->n);
            memcpy(s->candidate + t * p->d, p->y + pick[t] * p->d, (size_t)p->d * sizeof *p->y);
        }
        double sum[64] = {0};
        for (int64_t i0 = 0; i0 < p->n; i0 += BLOCK) {
            const int64_t rows = p->n - i0 < BLOCK ? p->n - i0 : BLOCK;
            products(s->product, p, i0, rows, s->candidate, m);
            for (int64_t i = i0; i < i0 + rows; i++)
                for (int t = 0; t < m; t++) {
                    const double gap = gap_of(p->norm[i], p->norm[pick[t]], s->product[(i - i0) * m + t]);
                    s->left[t * p->n + i] = gap < s->gap[i] ? gap : s->gap[i];
                    sum[t] += s->left[t * p->n + i];
                }
        }
        int best = 0;
        for (int t = 1; t < m; t++)
            if (sum[t] < sum[best])
                best = t;
        total = sum[best];
        memcpy(s->gap, s->left + best * p->n, (size_t)p->n * sizeof *s->gap);
        memcpy(s->centre + c * p->d, s->candidate + best * p->d, (size_t)p->d * sizeof *p->y);
    }
}

/* ---- Lloyd ---- */

/* Labels, gaps and counts for the centres as they are. */
static void assign(start *s, const job *j)
{
    const points *p = &j->p;
    for (int c = 0; c < j->k; c++) {
        s->centre_norm[c] = squared_norm(s->centre + c * p->d, p->d);
        s->count[c] = 0;
    }
    for (int64_t i0 = 0; i0 < p->n; i0 += BLOCK) {
        const int64_t rows = p->n - i0 < BLOCK ? p->n - i0 : BLOCK;
        products(s->product, p, i0, rows, s->centre, j->k);
        for (int64_t i = i0; i < i0 + rows; i++) {
            const double *product = s->product + (i - i0) * j->k;
            int32_t nearest = 0;
            double smallest = INFINITY;
            for (int32_t c = 0; c < j->k; c++) {
                const double v = s->centre_norm[c] - 2 * product[c];
                if (v < smallest) {
                    smallest = v;
                    nearest = c;
                }
            }
            s->label[i] = nearest;
            s->gap[i] = gap_of(p->norm[i], s->centre_norm[nearest], product[nearest]);
            s->count[nearest]++;
        }
    }
}

/* Every cluster gets a point: k <= n, so while one is empty another has two. */
static void fill_empty(start *s, const job *j)
{
    for (int32_t c = 0; c < j->k; c++) {
        if (s->count[c] > 0)
            continue;
        int64_t far = -1;
        for (int64_t i = 0; i < j->p.n; i++)
            if (s->count[s->label[i]] > 1 && (far < 0 || s->gap[i] > s->gap[far]))
                far = i;
        s->count[s->label[far]]--;
        s->label[far] = c;
        s->count[c] = 1;
        s->gap[far] = 0;
    }
}

/* centre: (k, d), the means of the points of each label, every one of which is there. */
static void means(double *centre, const double *y, const int32_t *label, const int64_t *count, int64_t n, int64_t d, int64_t k)
{
    memset(centre, 0, (size_t)(k * d) * sizeof *centre);
    for (int64_t i = 0; i < n; i++) {
        double *to = centre + label[i] * d;
        for (int64_t c = 0; c < d; c++)
            to[c] += y[i * d + c];
    }
    for (int64_t c = 0; c < k; c++)
        for (int64_t i = 0; i < d; i++)
            centre[c * d + i] /= (double)count[c];
}

static double inertia_of(const double *y, const double *centre, const int32_t *label, int64_t n, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += squared_distance(y + i * d, centre + label[i] * d, d);
    return sum;
}

static gg_status run_start(void *user, int64_t number, int worker)
{
    (void)worker;
    const job *j = user;
    const points *p = &j->p;
    start s;
    GG_TRY(start_make(&s, j));
    bool stopped = false;
    gg_random r = gg_random_of(j->seed, (uint64_t)number);
    seed(&s, j, &r);
    assign(&s, j);
    fill_empty(&s, j);
    int iteration = 0;
    for (bool changed = true; changed && iteration < j->max_iterations && !stopped; iteration++) {
        memcpy(s.before, s.label, (size_t)p->n * sizeof *s.label);
        means(s.centre, p->y, s.label, s.count, p->n, p->d, j->k);
        assign(&s, j);
        fill_empty(&s, j);
        changed = memcmp(s.before, s.label, (size_t)p->n * sizeof *s.label) != 0;
        stopped = gg_context_stopped(j->ctx);
    }
    means(s.centre, p->y, s.label, s.count, p->n, p->d, j->k);
    j->inertia[number] = inertia_of(p->y, s.centre, s.label, p->n, p->d);
    j->n_iterations[number] = iteration;
    memcpy(j->label + number * p->n, s.label, (size_t)p->n * sizeof *s.label);
    start_free(j->ctx, &s);
    return stopped ? gg_fail(j->ctx, GG_EINTR, "%s", gg_status_text(GG_EINTR)) : GG_OK;
}

/* ---- the points ---- */

/* *y: (n, *width), centred, with the distances of x; freed by gg_drop. */
static gg_status make_points(double **y, int64_t *width, gg_context *ctx, const double *x, int64_t n, int64_t d)
{
    *y = NULL;
    if (d > 2 * n) {
        double *g = gg_new(ctx, double, gg_mul(n, n));
        if (!g)
            return GG_ENOMEM;
        gg_status s = gg__gram(g, ctx, x, n, d);
        if (s == GG_OK)
            s = gg__coordinates(y, width, ctx, g, n);
        gg_drop(ctx, g);
        return s;
    }
    double *mean = gg_new(ctx, double, d);
    *y = gg_new(ctx, double, gg_mul(n, d));
    gg_status s = mean && *y ? gg__column_means(mean, ctx, "points", x, n, d) : GG_ENOMEM;
    if (s == GG_OK)
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < d; c++)
                (*y)[i * d + c] = x[i * d + c] - mean[c];
    gg_drop(ctx, mean);
    *width = d;
    return s;
}

static gg_status check(gg_context *ctx, int64_t n, int64_t d, const gg_kmeans_options *o)
{
    if (n < 1 || d < 1 || gg_mul(n, d) > PTRDIFF_MAX / sizeof(double))
        return gg_fail(ctx, GG_EINVAL, "k-means of %lld points in %lld dimensions: at least one of each is needed", (long long)n, (long long)d);
    if (o->k < 1 || o->k > n)
        return gg_fail(ctx, GG_EINVAL, "k-means with k = %d over %lld points: k must lie in 1..%lld", o->k, (long long)n, (long long)n);
    if (o->n_restarts < 0 || o->max_iterations < 0)
        return gg_fail(ctx, GG_EINVAL, "k-means: %d restarts of at most %d iterations: neither can be negative", o->n_restarts, o->max_iterations);
    if (d > INT32_MAX / 2)
        return gg_fail(ctx, GG_EUNSUPPORTED, "k-means in %lld dimensions: at most %d", (long long)d, INT32_MAX / 2);
    return GG_OK;
}

/* Renumbers labels by their first point, then computes what the caller sees from x itself. */
static gg_status finish(gg_kmeans_result *out, gg_context *ctx, const double *x, int64_t n, int64_t d, int k)
{
    int32_t *number = gg_new(ctx, int32_t, k);
    int64_t *count = gg_new(ctx, int64_t, k);
    if (!number || !count) {
        gg_drop(ctx, number);
        gg_drop(ctx, count);
        return GG_ENOMEM;
    }
    int32_t next = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t *as = &number[out->label[i]]; /* one more than the new number; 0: none yet */
        if (!*as)
            *as = ++next;
        out->label[i] = *as - 1;
        count[out->label[i]]++;
    }
    means(out->centre, x, out->label, count, n, d, k);
    out->inertia = inertia_of(x, out->centre, out->label, n, d);
    gg_drop(ctx, number);
    gg_drop(ctx, count);
    return GG_OK;
}

gg_status gg_kmeans(gg_kmeans_result *out, gg_context *ctx, const double *x, int64_t n, int64_t d, const gg_kmeans_options *o)
{
    *out = (gg_kmeans_result){0};
    GG_TRY(check(ctx, n, d, o));
    const int n_restarts = o->n_restarts ? o->n_restarts : 10;
    job j = {.ctx = ctx, .k = o->k, .n_candidates = 2 + (int)log(o->k), .max_iterations = o->max_iterations ? o->max_iterations : 300,
             .seed = o->seed};
    double *y = NULL;
    gg_status s = make_points(&y, &j.p.d, ctx, x, n, d);
    double *norm = gg_new(ctx, double, n);
    j.inertia = gg_new(ctx, double, n_restarts);
    j.n_iterations = gg_new(ctx, int, n_restarts);
    j.label = gg_new(ctx, int32_t, gg_mul(n_restarts, n));
    out->label = gg_new(ctx, int32_t, n);
    out->centre = gg_new(ctx, double, gg_mul(o->k, d));
    if (s == GG_OK && !(norm && j.inertia && j.n_iterations && j.label && out->label && out->centre))
        s = GG_ENOMEM;
    if (s == GG_OK) {
        for (int64_t i = 0; i < n; i++)
            norm[i] = squared_norm(y + i * j.p.d, j.p.d);
        j.p.y = y;
        j.p.norm = norm;
        j.p.n = n;
        s = gg_parallel(ctx, n_restarts, run_start, &j);
    }
    if (s == GG_OK) {
        int best = 0;
        for (int t = 1; t < n_restarts; t++)
            if (j.inertia[t] < j.inertia[best])
                best = t;
        out->n_iterations = j.n_iterations[best];
        memcpy(out->label, j.label + best * n, (size_t)n * sizeof *out->label);
        s = finish(out, ctx, x, n, d, o->k);
    }
    gg_drop(ctx, y);
    gg_drop(ctx, norm);
    gg_drop(ctx, j.inertia);
    gg_drop(ctx, j.n_iterations);
    gg_drop(ctx, j.label);
    if (s != GG_OK)
        gg_kmeans_result_free(ctx, out);
    return s;
}

void gg_kmeans_result_free(gg_context *ctx, gg_kmeans_result *r)
{
    gg_drop(ctx, r->label);
    gg_drop(ctx, r->centre);
    *r = (gg_kmeans_result){0};
}
