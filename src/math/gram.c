/* Products of centred points with themselves. With C = x - 1 m^T (m the column means):
 *     G = C C^T          (n, n)
 *     G = L L^T          Cholesky with pivots: the rows of L are coordinates of the points, as many as the rank of G
 *     G = V diag(l) V^T  leading part, LAPACK's dsyevr
 * Distances of points are kept by any such coordinates, so what is asked of distances alone (k-means) can work in rank <= n
 * dimensions instead of d; Cholesky gives them at a tenth of the price of eigenvectors.
 *
 * Traps: the product of uncentred points, centred afterwards, loses the digits that a common offset takes, so dense points are
 * centred first, block of columns by block; mostly-zero ones are centred afterwards (that keeps them mostly zero) and the loss is
 * measured. OpenBLAS splits sums differently for different thread counts: every call below is made inside gg_parallel, where it has
 * one thread, and the pieces do not depend on how many threads there are.
 */
#include "math/gram.h"
#include "base/memory.h"
#include "base/work.h"
#include <cblas.h>
#include <lapacke.h>
#include <math.h>

enum { COLUMNS = 512, ROWS = 128 }; /* of a block */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

gg_status gg__column_means(double *mean, gg_context *ctx, const char *what, const double *x, int64_t n, int64_t d)
{
    for (int64_t c = 0; c < d; c++)
        mean[c] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            mean[c] += x[i * d + c];
    bool finite = true;
    for (int64_t c = 0; c < d; c++) {
        mean[c] /= (double)n;
        finite = finite && isfinite(mean[c]);
    }
    if (finite) /* a number that is not finite cannot hide in a sum */
        return GG_OK;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            if (!isfinite(x[i * d + c]))
                return gg_fail(ctx, GG_ENAN, "%s: row %lld, column %lld is not a finite number", what, (long long)i, (long long)c);
    return gg_fail(ctx, GG_ENAN, "%s: the numbers are so large that their sums overflow; scale them down", what);
}

/* ---- dense ---- */

typedef struct dense {
    double *g;
    const double *block; /* (n, width) centred columns */
    int64_t n, width;
} dense;

/* g[i0.., 0..i1] += block block^T: the lower triangle, a little more than it on the diagonal. */
static gg_status dense_rows(void *user, int64_t i, int worker)
{
    (void)worker;
    const dense *w = user;
    const int64_t i0 = i * ROWS, i1 = least(i0 + ROWS, w->n);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(i1 - i0), (int)i1, (int)w->width, 1, w->block + i0 * w->width,
                (int)w->width, w->block, (int)w->width, 1, w->g + i0 * w->n, (int)w->n);
    return GG_OK;
}

static gg_status gram_dense(double *g, gg_context *ctx, const double *x, const double *mean, int64_t n, int64_t d)
{
    double *block = gg_new(ctx, double, gg_mul(n, COLUMNS));
    if (!block)
        return GG_ENOMEM;
    memset(g, 0, (size_t)(n * n) * sizeof *g);
    gg_status s = GG_OK;
    for (int64_t c0 = 0; s == GG_OK && c0 < d; c0 += COLUMNS) {
        dense w = {g, block, n, least(COLUMNS, d - c0)};
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < w.width; c++)
                block[i * w.width + c] = x[i * d + c0 + c] - mean[c0 + c];
        s = gg_parallel(ctx, (n + ROWS - 1) / ROWS, dense_rows, &w);
    }
    gg_drop(ctx, block);
    return s;
}

/* ---- mostly zero ---- */

typedef struct sparse {
    double *g;
    const double *value;   /* non-zeros, row after row */
    const int32_t *column; /* of each */
    const int64_t *start;  /* (n + 1,) */
    double *spread;        /* (threads, d), zero between tasks */
    int64_t n, d;
} sparse;

static gg_status sparse_rows(void *user, int64_t task, int worker)
{
    const sparse *w = user;
    double *spread = w->spread + worker * w->d;
    for (int64_t i = task * ROWS; i < least((task + 1) * ROWS, w->n); i++) {
        for (int64_t e = w->start[i]; e < w->start[i + 1]; e++)
            spread[w->column[e]] = w->value[e];
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0;
            for (int64_t e = w->start[j]; e < w->start[j + 1]; e++)
                sum += w->value[e] * spread[w->column[e]];
            w->g[i * w->n + j] = sum;
        }
        for (int64_t e = w->start[i]; e < w->start[i + 1]; e++)
            spread[w->column[e]] = 0;
    }
    return GG_OK;
}

static void mirror(double *g, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            g[j * n + i] = g[i * n + j];
}

/* G of uncentred rows to G of centred ones: less the means of its row and its column, plus the mean of all. kept: the share of the
 * trace that is left. */
static gg_status centre_after(double *kept, double *g, gg_context *ctx, int64_t n)
{
    double *row = gg_new(ctx, double, n);
    if (!row)
        return GG_ENOMEM;
    double all = 0, before = 0, after = 0;
    for (int64_t i = 0; i < n; i++) {
        before += g[i * n + i];
        for (int64_t j = 0; j < n; j++)
            row[i] += g[i * n + j];
        row[i] /= (double)n;
        all += row[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            g[i * n + j] -= row[i] + row[j] - all;
    for (int64_t i = 0; i < n; i++)
        after += g[i * n + i];
    *kept = before > 0 ? after / before : 1;
    gg_drop(ctx, row);
    return GG_OK;
}

static gg_status gram_sparse(double *kept, double *g, gg_context *ctx, const double *x, int64_t n, int64_t d, int64_t n_nonzero)
{
    double *value = gg_new(ctx, double, n_nonzero), *spread = gg_new(ctx, double, gg_mul(gg_context_threads(ctx), d));
    int32_t *column = gg_new(ctx, int32_t, n_nonzero);
    int64_t *start = gg_new(ctx, int64_t, n + 1);
    gg_status s = value && column && start && spread ? GG_OK : GG_ENOMEM;
    if (s == GG_OK) {
        int64_t e = 0;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t c = 0; c < d; c++)
                if (x[i * d + c] != 0) {
                    value[e] = x[i * d + c];
                    column[e++] = (int32_t)c;
                }
            start[i + 1] = e;
        }
        s = gg_parallel(ctx, (n + ROWS - 1) / ROWS, sparse_rows, &(sparse){g, value, column, start, spread, n, d});
    }
    gg_drop(ctx, value);
    gg_drop(ctx, spread);
    gg_drop(ctx, column);
    gg_drop(ctx, start);
    if (s == GG_OK) {
        mirror(g, n);
        s = centre_after(kept, g, ctx, n);
    }
    return s;
}

gg_status gg__gram(double *g, gg_context *ctx, const double *x, int64_t n, int64_t d)
{
    double *mean = gg_new(ctx, double, d);
    if (!mean)
        return GG_ENOMEM;
    gg_status s = gg__column_means(mean, ctx, "points", x, n, d);
    int64_t n_nonzero = 0;
    for (int64_t i = 0; i < n * d; i++)
        n_nonzero += x[i] != 0;
    double kept = 0; /* below 1e-3, centring afterwards cost more than three digits: do it the other way */
    if (s == GG_OK && n_nonzero < n * d / 16 && d <= INT32_MAX)
        s = gram_sparse(&kept, g, ctx, x, n, d, n_nonzero);
    if (s == GG_OK && kept < 1e-3) {
        s = gram_dense(g, ctx, x, mean, n, d);
        mirror(g, n);
    }
    gg_drop(ctx, mean);
    return s;
}

/* ---- columns instead of rows ---- */

typedef struct scatter {
    double *c;
    const double *x, *mean;
    double *block; /* (ROWS, d) */
    int64_t n, d;
} scatter;

static gg_status scatter_all(void *user, int64_t task, int worker)
{
    (void)task, (void)worker;
    const scatter *w = user;
    for (int64_t i0 = 0; i0 < w->n; i0 += ROWS) {
        const int64_t rows = least(ROWS, w->n - i0);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < w->d; c++)
                w->block[i * w->d + c] = w->x[(i0 + i) * w->d + c] - w->mean[c];
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)w->d, (int)rows, 1, w->block, (int)w->d, 1, w->c, (int)w->d);
    }
    return GG_OK;
}

gg_status gg__scatter(double *c, double *mean, gg_context *ctx, const double *x, int64_t n, int64_t d)
{
    GG_TRY(gg__column_means(mean, ctx, "points", x, n, d));
    double *block = gg_new(ctx, double, gg_mul(ROWS, d));
    if (!block)
        return GG_ENOMEM;
    memset(c, 0, (size_t)(d * d) * sizeof *c);
    const gg_status s = gg_parallel(ctx, 1, scatter_all, &(scatter){c, x, mean, block, n, d});
    mirror(c, d);
    gg_drop(ctx, block);
    return s;
}

/* ---- factors ---- */

/* LAPACK counts in 32 bits, workspaces of a few rows included. */
static gg_status check_order(gg_context *ctx, int64_t n)
{
    if (n > 40000)
        return gg_fail(ctx, GG_EUNSUPPORTED, "a %lld x %lld matrix of products is too large (at most 40000): take a sample of the points",
                       (long long)n, (long long)n);
    return GG_OK;
}

typedef struct factor {
    gg_context *ctx;
    double *a;
    int n;
    lapack_int *pivot; /* (n,) */
    double *work;      /* (2 n,) */
    lapack_int rank;
} factor;

static gg_status factor_run(void *user, int64_t task, int worker)
{
    (void)task, (void)worker;
    factor *w = user;
    const lapack_int info = LAPACKE_dpstrf_work(LAPACK_COL_MAJOR, 'L', w->n, w->a, w->n, w->pivot, &w->rank, -1, w->work);
    return info >= 0 ? GG_OK : gg_fail(w->ctx, GG_EINTERNAL, "dpstrf refused argument %d", (int)-info);
}

gg_status gg__coordinates(double **y, int64_t *rank, gg_context *ctx, double *g, int64_t n)
{
    *y = NULL;
    *rank = 0;
    GG_TRY(check_order(ctx, n));
    factor w = {.ctx = ctx, .a = g, .n = (int)n};
    w.pivot = gg_new(ctx, lapack_int, n);
    w.work = gg_new(ctx, double, gg_mul(2, n));
    gg_status s = w.pivot && w.work ? gg_parallel(ctx, 1, factor_run, &w) : GG_ENOMEM;
    if (s == GG_OK) {
        const int64_t r = w.rank < 1 ? 1 : w.rank; /* points that all coincide: one coordinate, all zero */
        *y = gg_new(ctx, double, gg_mul(n, r));
        if (!*y)
            s = GG_ENOMEM;
        else {
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < least(i + 1, w.rank); j++)
                    (*y)[(w.pivot[i] - 1) * r + j] = g[i + j * n];
            *rank = r;
        }
    }
    gg_drop(ctx, w.pivot);
    gg_drop(ctx, w.work);
    return s;
}

typedef struct eigen {
    gg_context *ctx;
    double *a, *value, *vector, *work;
    int n, k;
    lapack_int n_work, n_iwork, *iwork, *support;
    lapack_int info, found;
} eigen;

static gg_status eigen_run(void *user, int64_t task, int worker)
{
    (void)task, (void)worker;
    eigen *w = user;
    w->info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'V', 'I', 'L', w->n, w->a, w->n, 0, 0, w->n - w->k + 1, w->n, 0, &w->found, w->value,
                                  w->vector, w->n, w->support, w->work, w->n_work, w->iwork, w->n_iwork);
    return GG_OK;
}

gg_status gg__eigen_top(double *value, double *vector, gg_context *ctx, double *a, int64_t n, int64_t k)
{
    GG_TRY(check_order(ctx, n));
    eigen w = {.ctx = ctx, .a = a, .n = (int)n, .k = (int)k, .n_work = -1, .n_iwork = -1};
    double size = 0;
    lapack_int isize = 0;
    w.work = &size;
    w.iwork = &isize;
    (void)eigen_run(&w, 0, 0); /* asks for the sizes of the workspaces */
    w.n_work = (lapack_int)size;
    w.n_iwork = isize;
    w.work = gg_new(ctx, double, w.n_work);
    w.iwork = gg_new(ctx, lapack_int, w.n_iwork);
    w.support = gg_new(ctx, lapack_int, gg_mul(2, n));
    w.value = gg_new(ctx, double, n);
    w.vector = gg_new(ctx, double, gg_mul(n, k));
    gg_status s = w.work && w.iwork && w.support && w.value && w.vector ? gg_parallel(ctx, 1, eigen_run, &w) : GG_ENOMEM;
    if (s == GG_OK && (w.info != 0 || w.found != w.k))
        s = gg_fail(ctx, GG_EINTERNAL, "eigenvectors of a %lld x %lld matrix were not found (dsyevr: %d, %d of %d)", (long long)n,
                    (long long)n, (int)w.info, (int)w.found, w.k);
    if (s == GG_OK)
        for (int64_t j = 0; j < k; j++) { /* LAPACK's order is ascending */
            value[j] = w.value[k - 1 - j];
            memcpy(vector + j * n, w.vector + (k - 1 - j) * n, (size_t)n * sizeof *vector);
        }
    gg_drop(ctx, w.work);
    gg_drop(ctx, w.iwork);
    gg_drop(ctx, w.support);
    gg_drop(ctx, w.value);
    gg_drop(ctx, w.vector);
    return s;
}
