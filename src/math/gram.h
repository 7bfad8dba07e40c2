/* Products of centred points with themselves, and what is made of them: coordinates and leading eigenvectors. Used by k-means, PCA
 * and t-SNE. float64; the result does not depend on the number of threads. */
#ifndef GG_MATH_GRAM_H
#define GG_MATH_GRAM_H
#include <golgi/base.h>

/* g: (n, n) = C C^T with C = x less its column means, x: (n, d). Both triangles are filled. Mostly-zero x (multi-hot) costs its
 * non-zeros only. GG_ENAN names the row and the column. */
gg_status gg__gram(double *g, gg_context *ctx, const double *x, int64_t n, int64_t d);

/* c: (d, d) = C^T C, for d < n. mean: (d,), the column means. GG_ENAN as above. */
gg_status gg__scatter(double *c, double *mean, gg_context *ctx, const double *x, int64_t n, int64_t d);

/* Coordinates with the inner products of g (positive semidefinite; destroyed): *y: (n, *rank), freed by gg_drop. */
gg_status gg__coordinates(double **y, int64_t *rank, gg_context *ctx, double *g, int64_t n);

/* The k largest eigenvalues of the symmetric a: (n, n) (destroyed), largest first, and their unit eigenvectors, vector: (k, n). */
gg_status gg__eigen_top(double *value, double *vector, gg_context *ctx, double *a, int64_t n, int64_t k);

/* mean: (d,) of x: (n, d). GG_ENAN names the row and the column of the first number that is not finite; `what` begins the message. */
gg_status gg__column_means(double *mean, gg_context *ctx, const char *what, const double *x, int64_t n, int64_t d);
#endif
