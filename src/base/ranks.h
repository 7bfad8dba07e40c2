/* Processes of one job that share work, or do one thing together: all that golgi knows of MPI. Started as `mpirun -n N golgi ...`.
 *
 *     gg_ranks *r = NULL;
 *     gg_ranks_open(&r, ctx);
 *     gg_ranks_share(r, GG_OK, n_units, &(gg_ranks_work){.run = do_unit, .done = count_it, .user = &job});
 *     gg_ranks_close(r);
 *
 *     gg_ranks_sum_f32(r, gradient, n);                   // training: each rank has a part of the batch
 *     gg_status s = gg_ranks_agree(r, mine);              // before and after what can fail on one rank alone
 *
 * Rank 0 hands out 0, 1, ... n - 1 one at a time, the others do them; alone it does them itself. Waiting ranks sleep, so rank 0 costs no processor.
 * A rank that fails stops the handing out: the others finish what they have, and rank 0 returns its message. A rank that dies ends the
 * whole job, which is mpirun's doing and told by it.
 */
#ifndef GG_BASE_RANKS_H
#define GG_BASE_RANKS_H
#include <golgi/base.h>

enum { GG_RANKS_FACTS = 8 };
typedef struct gg_ranks gg_ranks;
typedef struct gg_ranks_work {
    /* Does index i, on whichever rank; facts: (GG_RANKS_FACTS,) zeroed, for rank 0. */
    gg_status (*run)(void *user, int64_t i, int64_t *facts);
    /* On rank 0, for each index that is done, in the order in which they end. May be NULL. */
    void (*done)(void *user, int64_t i, const int64_t *facts);
    void *user;
} gg_ranks_work;

/* True when this build has MPI. */
bool gg_ranks_built(void);
/* Joins the job; once in a process. GG_EUNSUPPORTED says how to build with MPI. */
gg_status gg_ranks_open(gg_ranks **out, gg_context *ctx);
void gg_ranks_close(gg_ranks *r); /* waits for all ranks; NULL is fine */
int gg_ranks_self(const gg_ranks *r);  /* 0 of NULL */
int gg_ranks_count(const gg_ranks *r); /* 1 of NULL */
/* Every rank of the job calls it. before: what went wrong until now on this rank (its message is on the context): then nothing is handed
 * out. n counts on rank 0 alone. GG_EINTR: stopped; each rank finishes or closes its own index. */
gg_status gg_ranks_share(gg_ranks *r, gg_status before, int64_t n, const gg_ranks_work *work);

/* --- together: every rank of the job calls these, in the same order. r NULL, or one rank alone: they do nothing more than return --------------- */
/* Did all come here well? mine: the status of this rank (its message is on the context). The failure of the lowest rank that has one comes back on
 * every rank, as "rank 1: message" (of rank 0 as it is). */
gg_status gg_ranks_agree(gg_ranks *r, gg_status mine);
/* Sums over the ranks, in place: the same bits on all of them. */
gg_status gg_ranks_sum(gg_ranks *r, double *x, int64_t n);
gg_status gg_ranks_sum_f32(gg_ranks *r, float *x, int64_t n);
/* Bytes of rank 0 to all. */
gg_status gg_ranks_spread(gg_ranks *r, void *data, int64_t n_bytes);
#endif
