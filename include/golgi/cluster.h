/* golgi/cluster.h - grouping and mapping points: k-means, agreement of labelings, rank correlation, PCA, t-SNE. Floor 1.
 *
 *     #include <golgi/cluster.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const double x[6 * 2] = {0, 0, 0, 1, 1, 0, 9, 9, 9, 8, 8, 9}; // six points in the plane
 *         const int32_t truth[6] = {0, 0, 0, 1, 1, 1};
 *         gg_context *ctx = NULL;
 *         gg_kmeans_result r;
 *         double purity = 0;
 *         gg_context_create(&ctx, NULL);
 *         if (gg_kmeans(&r, ctx, x, 6, 2, &(gg_kmeans_options){.k = 2, .n_restarts = 10, .seed = 1}) == GG_OK) {
 *             gg_purity(&purity, ctx, r.label, truth, 6);
 *             gg_kmeans_result_free(ctx, &r);
 *         }
 *         gg_context_free(ctx);
 *         printf("purity %g\n", purity);
 *         return purity != 1;
 *     }
 *
 * Everything is float64 and independent of the number of threads.
 */
#ifndef GOLGI_CLUSTER_H
#define GOLGI_CLUSTER_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_kmeans_options {
    int k;
    int n_restarts;     /* default 10; the best inertia wins */
    int max_iterations; /* default 300 */
    uint64_t seed;
} gg_kmeans_options;
typedef struct gg_kmeans_result {
    int32_t *label;   /* (n,) in [0, k) */
    double *centre;   /* (k, d) */
    double inertia;   /* sum of squared distances */
    int n_iterations; /* of the best restart */
} gg_kmeans_result;
/* Lloyd with k-means++ seeding (Arthur & Vassilvitskii 2007) and empty clusters re-seeded at the farthest point. x: (n, d). 1 <= k <= n. */
GG_API gg_status gg_kmeans(gg_kmeans_result *out, gg_context *ctx, const double *x, int64_t n, int64_t d, const gg_kmeans_options *o);
GG_API void gg_kmeans_result_free(gg_context *ctx, gg_kmeans_result *r);

/* Labels are any integers >= 0. */
GG_API gg_status gg_purity(double *out, gg_context *ctx, const int32_t *cluster, const int32_t *truth, int64_t n);
GG_API gg_status gg_nmi(double *out, gg_context *ctx, const int32_t *a, const int32_t *b, int64_t n); /* I / sqrt(H H'), Strehl & Ghosh 2002 */
GG_API gg_status gg_ari(double *out, gg_context *ctx, const int32_t *a, const int32_t *b, int64_t n); /* Hubert & Arabie 1985 */

/* Mid-ranks for ties. NaN when either side is constant. */
GG_API gg_status gg_spearman(double *out, gg_context *ctx, const double *a, const double *b, int64_t n);
GG_API double gg_pearson(const double *a, const double *b, int64_t n);

/* score: (n, n_components), the rows' coordinates on the leading components, sign fixed so that each component's largest |loading| is positive.
 * explained: (n_components,) share of variance, may be NULL. */
GG_API gg_status gg_pca(double *score, double *explained, gg_context *ctx, const double *x, int64_t n, int64_t d, int n_components);

typedef struct gg_tsne_options {
    double perplexity;      /* default 30, capped at (n - 1) / 3 */
    int n_iterations;       /* default 1000 */
    double learning_rate;   /* default max(n / early_exaggeration / 4, 50), as scikit-learn's "auto" */
    double early_exaggeration; /* default 12, first 250 iterations */
    uint64_t seed;
} gg_tsne_options;
/* Exact t-SNE (van der Maaten & Hinton 2008) of a given distance matrix: (n, n), symmetric, zero diagonal. out: (n, 2).
 * Starts from the classical scaling of the distances (scaled to sd 1e-4), so that runs agree. kl may be NULL. */
GG_API gg_status gg_tsne(double *out, double *kl, gg_context *ctx, const double *distance, int64_t n, const gg_tsne_options *o);

#ifdef __cplusplus
}
#endif
#endif
