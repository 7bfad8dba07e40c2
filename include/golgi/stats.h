/* golgi/stats.h - streaming statistics of a site's activity, one accumulator per neuron. Floor 4.
 *
 *     gg_stats *s = NULL;
 *     gg_stats_create(&s, ctx, 1536);             // 1536 neurons
 *     gg_stats_add(s, x, 120);                    // x: (120, 1536), as often as you like
 *     gg_stats_merge(s, other);                   // other shards; the order does not matter
 *     gg_stats_mean_abs(out, s);                  // out: (1536,), in the units of x
 *     gg_stats_free(s);
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
