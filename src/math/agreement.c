/* How well two labelings of the same points agree, and how well two rankings do. Owns nothing.
 *
 * With n_ij points that carry label i in one and j in the other, a_i and b_j their sums, n all points:
 *     purity = sum_i max_j n_ij / n                                            a: clusters, b: truth
 *     NMI    = I / sqrt(H_a H_b)    I = sum n_ij/n log(n n_ij / (a_i b_j))     Strehl & Ghosh 2002 (geometric mean)
 *     ARI    = 2 (tp tn - fn fp) / ((tp + fn)(fn + tn) + (tp + fp)(fp + tn))   over ordered pairs of points; Hubert & Arabie 1985
 * Only cells that hold a point are visited: labels may be any integers >= 0, and nothing of size labels x labels is made.
 * Traps: two labelings of one class each agree fully (1), although 0/0 stands in the formulas; purity grows with the number of
 * clusters, so it is never to be compared across k.
 */
#include "base/memory.h"
#include <golgi/cluster.h>
#include <math.h>
#include <stdlib.h>

/* ---- the table of two labelings ---- */

typedef struct cell {
    int32_t a, b;
    int64_t n; /* points with this pair of labels */
} cell;

typedef struct table {
    cell *cell;     /* (n_cells,) sorted by a, then b */
    int64_t n_cells;
    int64_t *row;   /* (n_cells,) points with the cell's a */
    int64_t *column;/* (n_cells,) points with the cell's b */
} table;

static int by_a_then_b(const void *x, const void *y)
{
    const cell *p = x, *q = y;
    return p->a != q->a ? (p->a > q->a) - (p->a < q->a) : (p->b > q->b) - (p->b < q->b);
}

typedef struct label_at {
    int32_t label;
    int64_t at;
} label_at;

static int by_label(const void *x, const void *y)
{
    const label_at *p = x, *q = y;
    return p->label != q->label ? (p->label > q->label) - (p->label < q->label) : (p->at > q->at) - (p->at < q->at);
}

static void table_free(gg_context *ctx, table *t)
{
    gg_drop(ctx, t->cell);
    gg_drop(ctx, t->row);
    gg_drop(ctx, t->column);
}

static gg_status check_labels(gg_context *ctx, const int32_t *label, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (label[i] < 0)
            return gg_fail(ctx, GG_EINVAL, "point %lld has label %d: labels are integers from 0 on", (long long)i, (int)label[i]);
    return GG_OK;
}

static gg_status table_make(table *t, gg_context *ctx, const int32_t *a, const int32_t *b, int64_t n)
{
    *t = (table){0};
    if (n <= 0)
        return gg_fail(ctx, GG_EINVAL, "labelings of %lld points: at least one point is needed", (long long)n);
    GG_TRY(check_labels(ctx, a, n));
    GG_TRY(check_labels(ctx, b, n));
    t->cell = gg_new(ctx, cell, n);
    if (!t->cell)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        t->cell[i] = (cell){a[i], b[i], 1};
    qsort(t->cell, (size_t)n, sizeof *t->cell, by_a_then_b);
    int64_t m = 0; /* the last cell made */
    for (int64_t i = 1; i < n; i++)
        if (by_a_then_b(&t->cell[m], &t->cell[i]) == 0)
            t->cell[m].n++;
        else
            t->cell[++m] = t->cell[i];
    m++;
    t->n_cells = m;

    t->row = gg_new(ctx, int64_t, m);
    t->column = gg_new(ctx, int64_t, m);
    label_at *order = gg_new(ctx, label_at, m);
    if (!t->row || !t->column || !order) {
        gg_drop(ctx, order);
        table_free(ctx, t);
        return GG_ENOMEM;
    }
    for (int64_t i = 0, end; i < m; i = end) { /* cells of one a lie together */
        int64_t sum = 0;
        for (end = i; end < m && t->cell[end].a == t->cell[i].a; end++)
            sum += t->cell[end].n;
        for (int64_t j = i; j < end; j++)
            t->row[j] = sum;
    }
    for (int64_t i = 0; i < m; i++)
        order[i] = (label_at){t->cell[i].b, i};
    qsort(order, (size_t)m, sizeof *order, by_label);
    for (int64_t i = 0, end; i < m; i = end) {
        int64_t sum = 0;
        for (end = i; end < m && order[end].label == order[i].label; end++)
            sum += t->cell[order[end].at].n;
        for (int64_t j = i; j < end; j++)
            t->column[order[j].at] = sum;
    }
    gg_drop(ctx, order);
    return GG_OK;
}

/* ---- agreement ---- */

gg_status gg_purity(double *out, gg_context *ctx, const int32_t *cluster, const int32_t *truth, int64_t n)
{
    table t;
    GG_TRY(table_make(&t, ctx, cluster, truth, n));
    int64_t sum = 0, largest = 0;
    for (int64_t i = 0; i < t.n_cells; i++) {
        largest = t.cell[i].n > largest ? t.cell[i].n : largest;
        if (i + 1 == t.n_cells || t.cell[i + 1].a != t.cell[i].a) {
            sum += largest;
            largest = 0;
        }
    }
    *out = (double)sum / (double)n;
    table_free(ctx, &t);
    return GG_OK;
}

gg_status gg_nmi(double *out, gg_context *ctx, const int32_t *a, const int32_t *b, int64_t n)
{
    table t;
    GG_TRY(table_make(&t, ctx, a, b, n));
    /* H = - sum_i a_i/n log(a_i/n), each label's term spread over its cells */
    double mutual = 0, entropy_a = 0, entropy_b = 0;
    const double all = (double)n;
    for (int64_t i = 0; i < t.n_cells; i++) {
        const double p = (double)t.cell[i].n / all, p_a = (double)t.row[i] / all, p_b = (double)t.column[i] / all;
        mutual += p * (log(p) - log(p_a) - log(p_b));
        entropy_a -= p * log(p_a);
        entropy_b -= p * log(p_b);
    }
    bool one_a = true, one_b = true; /* exact, where an entropy near 0 is not */
    for (int64_t i = 0; i < t.n_cells; i++) {
        one_a = one_a && t.row[i] == n;
        one_b = one_b && t.column[i] == n;
    }
    const double nmi = one_a && one_b ? 1 : one_a || one_b || mutual < 2.3e-16 ? 0 : mutual / sqrt(entropy_a * entropy_b);
    *out = nmi > 1 ? 1 : nmi;
    table_free(ctx, &t);
    return GG_OK;
}

gg_status gg_ari(double *out, gg_context *ctx, const int32_t *a, const int32_t *b, int64_t n)
{
    table t;
    GG_TRY(table_make(&t, ctx, a, b, n));
    if (n > 3000000000) { /* pairs are counted in 64 bits */
        table_free(ctx, &t);
        return gg_fail(ctx, GG_EINVAL, "labelings of %lld points: at most 3000000000 can be compared", (long long)n);
    }
    int64_t same_both = 0, same_a = 0, same_b = 0; /* ordered pairs, each point with itself too */
    for (int64_t i = 0; i < t.n_cells; i++) {
        same_both += t.cell[i].n * t.cell[i].n;
        same_a += t.cell[i].n * t.row[i];
        same_b += t.cell[i].n * t.column[i];
    }
    const int64_t tp = same_both - n, fp = same_b - same_both, fn = same_a - same_both, tn = n * n - same_a - same_b + same_both;
    const double p = (double)tp, q = (double)fp, r = (double)fn, s = (double)tn;
    *out = fp == 0 && fn == 0 ? 1 : 2 * (p * s - r * q) / ((p + r) * (r + s) + (p + q) * (q + s));
    table_free(ctx, &t);
    return GG_OK;
}

/* ---- correlation ---- */

double gg_pearson(const double *a, const double *b, int64_t n)
{
    if (n < 2)
        return NAN;
    double mean_a = 0, mean_b = 0;
    for (int64_t i = 0; i < n; i++) {
        mean_a += a[i];
        mean_b += b[i];
    }
    mean_a /= (double)n;
    mean_b /= (double)n;
    /* A constant that is not exact in binary has a mean that differs from it: look at the values, not at the sums. */
    bool constant_a = true, constant_b = true;
    double largest_a = 0, largest_b = 0;
    for (int64_t i = 0; i < n; i++) {
        constant_a = constant_a && a[i] == a[0];
        constant_b = constant_b && b[i] == b[0];
        largest_a = fmax(largest_a, fabs(a[i] - mean_a));
        largest_b = fmax(largest_b, fabs(b[i] - mean_b));
    }
    if (constant_a || constant_b)
        return NAN;
    double ab = 0, aa = 0, bb = 0; /* scaled to 1, so that squares neither vanish nor overflow */
    for (int64_t i = 0; i < n; i++) {
        const double d = (a[i] - mean_a) / largest_a, e = (b[i] - mean_b) / largest_b;
        ab += d * e;
        aa += d * d;
        bb += e * e;
    }
    const double r = ab / (sqrt(aa) * sqrt(bb));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

typedef struct value_at {
    double value;
    int64_t at;
} value_at;

static int by_value(const void *x, const void *y)
{
    const value_at *p = x, *q = y;
    return p->value != q->value ? (p->value > q->value) - (p->value < q->value) : (p->at > q->at) - (p->at < q->at);
}

/* rank: (n,), 1 for the smallest; equal values share the middle of their ranks. */
static void mid_ranks(double *rank, value_at *scratch, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        scratch[i] = (value_at){x[i], i};
    qsort(scratch, (size_t)n, sizeof *scratch, by_value);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && scratch[end].value == scratch[i].value; end++) {
        }
        for (int64_t j = i; j < end; j++)
            rank[scratch[j].at] = 0.5 * (double)(i + 1 + end);
    }
}

gg_status gg_spearman(double *out, gg_context *ctx, const double *a, const double *b, int64_t n)
{
    if (n < 0)
        return gg_fail(ctx, GG_EINVAL, "rank correlation of %lld pairs: a count from 0 on was expected", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (isnan(a[i]) || isnan(b[i]))
            return gg_fail(ctx, GG_ENAN, "rank correlation: pair %lld has a value that is not a number and has no rank", (long long)i);
    double *rank = gg_new(ctx, double, gg_mul(2, n));
    value_at *scratch = gg_new(ctx, value_at, n);
    if (!rank || !scratch) {
        gg_drop(ctx, rank);
        gg_drop(ctx, scratch);
        return GG_ENOMEM;
    }
    mid_ranks(rank, scratch, a, n);
    mid_ranks(rank + n, scratch, b, n);
    *out = gg_pearson(rank, rank + n, n);
    gg_drop(ctx, rank);
    gg_drop(ctx, scratch);
    return GG_OK;
}
