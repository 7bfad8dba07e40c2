/* The inside of a ranking: targets, the passes over the pool, what is left at the end. rank.c, rank_target.c, rank_write.c, part.c. */
#ifndef GOLGI_NAG_RANK_H
#define GOLGI_NAG_RANK_H
#include "systems/nag/front.h"
#include "systems/nag/pool.h"
#include "systems/nag/sketch.h"

/* One target and the order that it makes of the pool. The ranking comes first, so that freeing it gets this back. */
typedef struct gg__nag_aim {
    gg_nag_ranking r;
    gg_arena arena;            /* the target's name and docids, names of labels */
    gg_nag_profile *profile[2]; /* by gg_nag_weights; NULL: not needed */
    int column[2];             /* their places in the table */
    gg__nag_front front;       /* by score */
    gg__nag_front near, far;   /* few, at the ends */
    gg__nag_front precise[2];  /* by the distance of either weights, to compare them on labels */
    double least, most;        /* distances of the pool */
    gg__nag_sketch *sketch;    /* NULL: not wanted */
} gg__nag_aim;

typedef struct gg__nag_job {
    gg_context *ctx;
    const gg_nag_rank_options *o;
    int n_aims;
    gg__nag_aim **aim;         /* (n_aims,) */
    gg_nag_header target;      /* of the first target */
    const char *target_path;
    gg__nag_pool pool;
    gg__nag_census *census;
    gg__nag_table *table;
    bool keep_all;             /* every row is held */
    double keep;               /* else: rows within this part of the tokens */
    double up_to;              /* and no row of a larger score */
    bool sketched;             /* the aims get sketches */
    /* of the documents that count, known after the scoring pass */
    int64_t n_tokens, n_uncounted;
    int64_t *label_tokens;     /* (n_labels + 1,) */
} gg__nag_job;

/* Targets: n aims with counts and headers that match. target (n,) or, for n = 1 and NULL, that of the options. */
gg_status gg__nag_job_targets(gg__nag_job *j, const gg_nag_target *target, int n);
/* Everything up to the ends of the fronts: they are finished, label tables made. */
gg_status gg__nag_job_run(gg__nag_job *j);
void gg__nag_job_free(gg__nag_job *j); /* with the aims that are left */
gg__nag_aim *gg__nag_aim_create(gg_context *ctx);
/* Reads the target's features and counts its neurons: a->r.counts, .target, .n_targets. */
gg_status gg__nag_aim_read(gg__nag_aim *a, gg_nag_header *h, const gg_nag_rank_options *o, const char *const *paths, int n_paths, int n_layers);
/* The chosen of a finished front, given all tokens: n_selected and what it says of them. */
void gg__nag_choose(gg_nag_ranking *r, int64_t n_tokens, double fraction);

#endif
