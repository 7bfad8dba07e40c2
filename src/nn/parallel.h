/* Training shared by the ranks of a job: each takes its part of every batch, gradients are summed, and all make the same step. Floor 5.
 *
 *     gg_part part = gg_part_of(ranks, batch);              // windows first .. first + n - 1 of the batch are this rank's
 *     gg_params_spread(p, ranks);                           // once: the values of rank 0 everywhere
 *     gg_graph_run(g);                                      // over the part: the mean of its losses
 *     gg_params_sum_gradients(p, ranks, (double)part.n / batch);
 *     gg_optim_step(o);                                     // the same bits on all ranks
 *
 * ranks NULL, or one rank: everything is as without. A sum of parts differs from the whole by the rounding of float32 (1e-7 of the largest).
 */
#ifndef GG_NN_PARALLEL_H
#define GG_NN_PARALLEL_H
#include "base/ranks.h"
#include <golgi/grad.h>

typedef struct gg_part {
    int64_t first, n;
} gg_part;
/* As even as can be, the first ranks have the larger ones; with fewer than ranks some have none. */
gg_part gg_part_of(const gg_ranks *r, int64_t n);
/* Values of rank 0 to all. */
gg_status gg_params_spread(gg_params *p, gg_ranks *r);
/* Gradients: the sum over the ranks of share * gradient. */
gg_status gg_params_sum_gradients(gg_params *p, gg_ranks *r, double share);
/* GG_EINTERNAL when the values are not the same bits on all ranks. */
gg_status gg_params_check_same(gg_params *p, gg_context *ctx, gg_ranks *r);
#endif
