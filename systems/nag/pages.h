/* Reports of this system while they grow: pictures, documents picked out of feature files, how it was made. */
#ifndef GOLGI_NAG_PAGES_H
#define GOLGI_NAG_PAGES_H
#include "systems/nag/nag_internal.h"
#include "plot/plot.h"

typedef struct gg__nag_pages {
    gg_context *ctx;
    const char *folder; /* where the pictures go */
    gg_report *report;
    bool blind;         /* gnuplot is missing: said once, pictures are left out */
    char place[4096];   /* of the picture that is being made */
} gg__nag_pages;

typedef struct gg__nag_made { /* how */
    const char *command;
    const char *const *input; /* (n_inputs,) files whose hashes are told */
    int n_inputs;
    double started; /* gg_time() */
} gg__nag_made;

gg_status gg__nag_pages_open(gg__nag_pages *p, gg_context *ctx, const char *folder, const char *headline);
/* The path, without ending, for a plot. Valid until the next one. */
const char *gg__nag_place(gg__nag_pages *p, const char *name);
/* Puts the plot that was drawn there, with that status, into the report. Without gnuplot: a warning, once, and no picture. */
gg_status gg__nag_picture(gg__nag_pages *p, gg_status drawn, const char *caption);
/* What every report says of how it was made, then FOLDER/report.html. */
gg_status gg__nag_pages_commit(gg__nag_pages *p, const gg_nag_header *h, gg_nag_type t, const gg__nag_made *made);
void gg__nag_pages_discard(gg__nag_pages *p); /* after a commit: does nothing */

/* Documents picked out of feature files: their lists of one type, and how often the files use each neuron. */
typedef struct gg__nag_picked {
    gg_nag_set set;        /* one site, 4-byte indices; row i is the document at position i of `wanted` */
    bool *there;           /* (set.f.n,) was it found? */
    gg_nag_counts *counts; /* over all documents of the files */
    gg_arena arena;        /* docids that were drawn */
} gg__nag_picked;
/* Reads each file once and keeps only what is wanted. */
gg_status gg__nag_pick(gg__nag_picked *out, gg_context *ctx, const char *const *paths, int n_paths, int n_layers, gg_nag_type t, const gg__docids *wanted);
/* The same for at most `most` documents, drawn with the context's seed from those that pass (NULL: all do); *n_passed: how many these are. */
gg_status gg__nag_sample(gg__nag_picked *out, int64_t *n_passed, gg_context *ctx, const char *const *paths, int n_paths, int n_layers, gg_nag_type t,
                         int64_t most, bool (*passes)(void *user, const char *docid), void *user);
/* Keeps some layers ("last", "0,3,7"): lists and counts. */
gg_status gg__nag_picked_slice(gg__nag_picked *p, const char *layers);
void gg__nag_picked_free(gg__nag_picked *p);
/* m of the numbers 0 .. n-1, rising, drawn with the context's seed; all of them when m >= n. out: (m,); returns how many. */
int64_t gg__nag_draw(int64_t *out, gg_context *ctx, int64_t n, int64_t m);

/* The t-SNE map of documents by 1 - Sim: xy (n, 2). */
gg_status gg__nag_map(double *xy, gg_context *ctx, const gg_nag_set *set, gg_nag_type t);

/* A neuron and what is to be said of it. */
typedef struct gg__nag_neuron {
    int layer;       /* position in header.layer */
    int64_t index;
    double weight, share, base; /* of a profile; of its documents; of the documents it is compared with */
} gg__nag_neuron;
/* The heaviest neurons of a profile, at most `most`: larger weight first, among equals the rarer in `base` (NULL: no matter), then in order
 * of place. counts: those that the profile was made of. Returns how many. */
int gg__nag_heaviest(gg__nag_neuron *out, int most, const gg_nag_profile *p, const gg_nag_counts *counts, const gg_nag_counts *base);
/* "L12.up[345]" */
const char *gg__nag_neuron_name(char out[64], const gg_nag_header *h, gg_nag_type t, int layer, int64_t index);
#endif
