/* Principal components, from the smaller of two products. Owns nothing. With C = x less its column means:
 *     d < n:   C^T C = W diag(l) W^T    loadings W, scores C W
 *     else:    C C^T = V diag(l) V^T    scores V sqrt(l), loadings C^T V / sqrt(l)
 * explained = l / trace. Signs of eigenvectors are arbitrary: each component is turned so that its loading of largest size is positive.
 * Trap: a product squares the condition number; components whose singular value is below 1e-8 of the first are noise, and those
 * below rounding are given as exact zeros.
 */
#include "base/memory.h"
#include "base/work.h"
#include "math/gram.h"
#include <cblas.h>
#include <golgi/cluster.h>
#include <math.h>

enum { BLOCK = 512 };

typedef struct fit {
    const double *x, *mean;
    double *score;     /* (n, k) */
    double *largest;   /* (k,) the loading of largest size so far */
    double *vector;    /* (k, n) or (k, d) */
    double *block;     /* centred: (n, BLOCK) columns or (BLOCK, d) rows */
    double *loading;   /* (k, BLOCK) */
    int64_t n, d;
    int k;
} fit;

static double centred(const fit *f, int64_t i, int64_t c)
{
    return f->x[i * f->d + c] - f->mean[c];
}

/* Loadings, up to the positive factor 1 / sqrt(l): only their signs are asked for. */
static gg_status find_signs(void *user, int64_t task, int worker)
{
    (void)task, (void)worker;
    fit *f = user;
    for (int64_t c0 = 0; c0 < f->d; c0 += BLOCK) {
        const int64_t width = f->d - c0 < BLOCK ? f->d - c0 : BLOCK;
        for (int64_t i = 0; i < f->n; i++)
            for (int64_t c = 0; c < width; c++)
                f->block[i * width + c] = centred(f, i, c0 + c);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, f->k, (int)width, (int)f->n, 1, f->vector, (int)f->n, f->block, (int)width, 0,
                    f->loading, (int)width);
        for (int j = 0; j < f->k; j++)
            for (int64_t c = 0; c < width; c++)
                if (fabs(f->loading[j * width + c]) > fabs(f->largest[j]))
                    f->largest[j] = f->loading[j * width + c];
    }
    return GG_OK;
}

static gg_status project(void *user, int64_t task, int worker)
{
    (void)task, (void)worker;
    fit *f = user;
    for (int64_t i0 = 0; i0 < f->n; i0 += BLOCK) {
        const int64_t rows = f->n - i0 < BLOCK ? f->n - i0 : BLOCK;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = 0; c < f->d; c++)
                f->block[i * f->d + c] = centred(f, i0 + i, c);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, f->k, (int)f->d, 1, f->block, (int)f->d, f->vector, (int)f->d, 0,
                    f->score + i0 * f->k, f->k);
    }
    return GG_OK;
}

gg_status gg_pca(double *score, double *explained, gg_context *ctx, const double *x, int64_t n, int64_t d, int n_components)
{
    if (n < 1 || d < 1 || gg_mul(n, d) > PTRDIFF_MAX / sizeof(double) || d > INT32_MAX)
        return gg_fail(ctx, GG_EINVAL, "principal components of %lld points in %lld dimensions: at least one of each is needed", (long long)n,
                       (long long)d);
    const int64_t m = n < d ? n : d;
    if (n_components < 1 || n_components > m)
        return gg_fail(ctx, GG_EINVAL, "%d principal components of %lld points in %lld dimensions: 1..%lld can be had", n_components,
                       (long long)n, (long long)d, (long long)m);
    const int k = n_components;
    const bool by_rows = d < n;
    double *product = gg_new(ctx, double, gg_mul(m, m)), *mean = gg_new(ctx, double, d), *value = gg_new(ctx, double, k);
    fit f = {.x = x, .mean = mean, .score = score, .n = n, .d = d, .k = k};
    f.largest = gg_new(ctx, double, k);
    f.vector = gg_new(ctx, double, gg_mul(k, m));
    f.block = gg_new(ctx, double, gg_mul(BLOCK, by_rows ? d : n));
    f.loading = gg_new(ctx, double, gg_mul(BLOCK, k));
    gg_status s = product && mean && value && f.largest && f.vector && f.block && f.loading ? GG_OK : GG_ENOMEM;
    double trace = 0;
    if (s == GG_OK)
        s = by_rows ? gg__scatter(product, mean, ctx, x, n, d) : gg__column_means(mean, ctx, "points", x, n, d);
    if (s == GG_OK && !by_rows)
        s = gg__gram(product, ctx, x, n, d);
    if (s == GG_OK) {
        for (int64_t i = 0; i < m; i++)
            trace += product[i * m + i];
        s = gg__eigen_top(value, f.vector, ctx, product, m, k);
    }
    if (s == GG_OK)
        s = gg_parallel(ctx, 1, by_rows ? project : find_signs, &f);
    if (s == GG_OK)
        for (int j = 0; j < k; j++) {
            const double l = value[j] > 1e-14 * trace ? value[j] : 0;
            if (by_rows)
                for (int64_t c = 0; c < d; c++)
                    if (fabs(f.vector[j * d + c]) > fabs(f.largest[j]))
                        f.largest[j] = f.vector[j * d + c];
            const double sign = l == 0 ? 0 : f.largest[j] < 0 ? -1 : 1;
            for (int64_t i = 0; i < n; i++)
                score[i * k + j] = by_rows ? sign * score[i * k + j] : sign * sqrt(l) * f.vector[j * n + i];
            if (explained)
                explained[j] = trace > 0 ? l / trace : 0;
        }
    gg_drop(ctx, product);
    gg_drop(ctx, mean);
    gg_drop(ctx, value);
    gg_drop(ctx, f.largest);
    gg_drop(ctx, f.vector);
    gg_drop(ctx, f.block);
    gg_drop(ctx, f.loading);
    return s;
}
