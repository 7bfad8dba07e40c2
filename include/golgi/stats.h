/* golgi/stats.h - streaming statistics of a site's activity, one accumulator per neuron. Floor 4.
 *
 *     #include <golgi/stats.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const float x[2 * 3] = {1, -2, 3, 5, -6, 7}; // two samples of three neurons
 *         double mean_abs[3];
 *         gg_context *ctx = NULL;
 *         gg_stats *s = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_stats_create(&s, ctx, 3);
 *         gg_stats_add(s, x, 2);                       // as often as you like; gg_stats_merge joins shards in any order
 *         gg_stats_mean_abs(mean_abs, s);              // (3,), in the units of x
 *         printf("%g %g %g\n", mean_abs[0], mean_abs[1], mean_abs[2]);
 *         gg_stats_free(s);
 *         gg_context_free(ctx);
 *         return mean_abs[1] != 4;
 *     }
 *
 * Sums are float64, added in row order: the result depends on the data alone, not on threads.
 * Merging: Chan, Golub & LeVeque 1983, eq. 1.5.
 */
#ifndef GOLGI_STATS_H
#define GOLGI_STATS_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_stats gg_stats;

/* An empty accumulator for n_neurons (> 0). Freed by gg_stats_free. GG_EINVAL, GG_ENOMEM. */
GG_API gg_status gg_stats_create(gg_stats **out, gg_context *ctx, int64_t n_neurons);
GG_API void gg_stats_free(gg_stats *s);

/* Adds n_rows samples, x: (n_rows, n_neurons) row-major. GG_ENAN names the row and the neuron; s is then as before. */
GG_API gg_status gg_stats_add(gg_stats *s, const float *x, int64_t n_rows);

/* Adds what `from` has seen. GG_EINVAL if the widths differ. */
GG_API gg_status gg_stats_merge(gg_stats *s, const gg_stats *from);

/* out: (n_neurons,). Zero samples give zeros (max: -infinity). */
GG_API int64_t gg_stats_count(const gg_stats *s);
GG_API void gg_stats_mean(double *out, const gg_stats *s);
GG_API void gg_stats_mean_abs(double *out, const gg_stats *s);
GG_API void gg_stats_max(double *out, const gg_stats *s);
GG_API void gg_stats_sum_squares(double *out, const gg_stats *s);
GG_API void gg_stats_variance(double *out, const gg_stats *s); /* population variance */

#ifdef __cplusplus
}
#endif
#endif
