/* golgi/toplist.h - for each neuron, the k samples that drove it most: value and the caller's id (a document's index). Floor 4.
 *
 *     #include <golgi/toplist.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const float impact[3][2] = {{0.5f, 2}, {4, 1}, {3, 3}}; // of three documents on two neurons
 *         float value[2];
 *         int64_t id[2];
 *         gg_context *ctx = NULL;
 *         gg_toplist *t = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_toplist_create(&t, ctx, 2, 2);                  // 2 neurons, the 2 largest of each
 *         for (int64_t i = 0; i < 3; i++)
 *             gg_toplist_add(t, impact[i], i);
 *         const int64_t n = gg_toplist_get(value, id, t, 0); // neuron 0, largest first
 *         printf("%lld: document %lld with %g\n", (long long)n, (long long)id[0], (double)value[0]);
 *         gg_toplist_free(t);
 *         gg_context_free(ctx);
 *         return id[0] != 1;
 *     }
 *
 * Larger values come first, equal values by the lower id. So the lists depend on the set of (value, id) alone: not on the order of
 * adding, on shards or on threads. Give an id once for each neuron; a pair given twice stands twice.
 */
#ifndef GOLGI_TOPLIST_H
#define GOLGI_TOPLIST_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_toplist gg_toplist;

/* Empty lists for n_neurons (> 0), each of at most k (> 0). 12 k + 4 bytes a neuron. Freed by gg_toplist_free. GG_EINVAL, GG_ENOMEM. */
GG_API gg_status gg_toplist_create(gg_toplist **out, gg_context *ctx, int64_t n_neurons, int64_t k);
GG_API void gg_toplist_free(gg_toplist *t);

/* Offers one sample, x: (n_neurons,), under the caller's id (any number). GG_ENAN names the neuron and the id; t is then as before. */
GG_API gg_status gg_toplist_add(gg_toplist *t, const float *x, int64_t id);

/* Offers all that `from` holds: the result is the list of both histories. GG_EINVAL if the widths differ, or if `from` keeps fewer
 * than t (what it dropped could have had a place here). */
GG_API gg_status gg_toplist_merge(gg_toplist *t, const gg_toplist *from);

GG_API int64_t gg_toplist_count(const gg_toplist *t); /* samples offered */
GG_API int64_t gg_toplist_k(const gg_toplist *t);

/* value: (k,), id: (k,), largest first; either may be NULL. Returns how many are there: min(k, samples offered); 0 for a neuron
 * that does not exist. */
GG_API int64_t gg_toplist_get(float *value, int64_t *id, const gg_toplist *t, int64_t neuron);

#ifdef __cplusplus
}
#endif
#endif
