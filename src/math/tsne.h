/* The inside of t-SNE, for its test. */
#ifndef GG_MATH_TSNE_H
#define GG_MATH_TSNE_H
#include <golgi/base.h>

/* p: (n, stride), the joint probabilities of the points, sum 1, zero diagonal; columns from n on are zero. */
gg_status gg__tsne_affinities(double *p, int64_t stride, gg_context *ctx, const double *distance, int64_t n, double perplexity);
#endif
