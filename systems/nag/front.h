/* The front of an order: the rows that may be chosen, kept while all the others stream past. See front.c. */
#ifndef GOLGI_NAG_FRONT_H
#define GOLGI_NAG_FRONT_H
#include "systems/nag/nag_internal.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct gg__nag_front {
    gg_context *ctx;
    pthread_mutex_t lock;
    int64_t bound;           /* no selection from this order weighs more; INT64_MAX: keep all */
    int kind;                /* GG__NAG_BY_... */
    gg_nag_row *row;         /* (cap,) the first n in use; docids in text */
    int64_t n, cap, weight;  /* weight: of the n */
    int64_t full;            /* rows at which those that cannot be chosen are dropped */
    int64_t least;           /* full is at least this; set by init, smaller in tests */
    _Atomic double cut;      /* rows beyond that score need not be brought; comes nearer while rows come */
    bool is_cut;             /* a row was dropped */
    struct gg__nag_text *text;
} gg__nag_front;

enum { GG__NAG_BY_TOKENS = 0, GG__NAG_BY_COUNT = 1 /* a row weighs 1 */, GG__NAG_FROM_THE_END = 2 /* the order is turned around */ };
void gg__nag_front_init(gg__nag_front *f, gg_context *ctx, int64_t bound, int kind);
/* No row of a larger score is wanted. */
void gg__nag_front_limit(gg__nag_front *f, double score);
/* Scores up to *low and from *high on are wanted by some front: after this also by f. */
static inline void gg__nag_front_widen(const gg__nag_front *f, double *low, double *high)
{
    const double cut = atomic_load_explicit(&f->cut, memory_order_relaxed);
    if (f->kind & GG__NAG_FROM_THE_END)
        *high = cut < *high ? cut : *high;
    else
        *low = cut > *low ? cut : *low;
}
void gg__nag_front_free(gg__nag_front *f); /* also of a zeroed one */
/* Any thread. Copies the docids. */
gg_status gg__nag_front_add(gg__nag_front *f, const gg_nag_row *row, int64_t n);
/* After the last row: drops what cannot be chosen and sorts. f->row[0 .. n-1] are then the first rows of the order of all that came. If any was
 * dropped, the last of them is the first row that does not fit the bound. */
gg_status gg__nag_front_finish(gg__nag_front *f);
bool gg__nag_before(const gg_nag_row *a, const gg_nag_row *b); /* (score, docid) */
/* gg_nag_sort, faster, into an array of just n rows that takes the place of *row. */
gg_status gg__nag_sort_rows(gg_nag_row **row, gg_context *ctx, int64_t n);

#endif
