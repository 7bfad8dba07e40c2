/* What the parts of `golgi reproduce nag` share: a labelled pool, its features, and every loss that was measured so far. */
#ifndef GOLGI_NAG_REPRODUCE_H
#define GOLGI_NAG_REPRODUCE_H
#include "systems/nag/nag_internal.h"
#include "base/command.h"
#include "base/work.h"
#include "plot/claims.h"

enum { GG__LAB_K = 20, GG__LAB_FIGURES = 16 };

/* The streams of random numbers of a seed, so that no part draws what another drew. */
enum { GG__LAB_SPLIT = 1, GG__LAB_NEURONS, GG__LAB_TARGETS, GG__LAB_SIZES, GG__LAB_UTILITY };

typedef struct gg__lab_memo {  /* losses under one set of actions */
    char hash[65];             /* of the actions, "" none */
    double *nll;               /* (n,) mean over a document's tokens, nats; NaN: not measured */
} gg__lab_memo;

typedef struct gg__lab_figure {
    int part;
    const char *svg, *caption; /* in the arena */
} gg__lab_figure;

typedef struct gg__lab {
    gg_command *c;
    gg_context *ctx;
    gg_arena arena;
    /* --- as given --- */
    const char *model, *text_column, *id_column, *label_column, *distinct, *work, *report, *golden;
    gg_texts pool;
    int64_t n_seeds, per_domain, max_tokens, steps;
    bool quick;
    /* --- */
    gg_model *m;               /* float32, with its head */
    gg_claims *claims;
    gg_progress *progress;     /* of the part that runs */
    gg__lab_figure figure[GG__LAB_FIGURES];
    int n_figures;
    bool no_pictures;          /* there is no gnuplot: said once */
    /* --- the pool: documents that have a label, in its order --- */
    int64_t n, n_unlabelled;
    const char **docid;        /* (n,) */
    int32_t *label;            /* (n,) */
    int n_labels;
    const char **label_name;   /* (n_labels,) */
    int64_t *member;           /* (n,) documents of label 0, of label 1, ... */
    int64_t *first;            /* (n_labels + 1,) where in member */
    int32_t *token;
    int64_t *start;            /* (n + 1,) the first max_tokens tokens of each */
    char key[17];              /* of model, options and tokens: what may be taken from the work folder */
    /* --- features of up, K = GG__LAB_K, and mean activity after the last norm --- */
    bool have_features;
    gg_nag_header header;
    void *index;               /* (n, n_layers, K) of gg_nag_index_bytes each */
    float *embedding;          /* (n, d_model) */
    int64_t d_model;
    int64_t n_kept;            /* documents that came from the work folder */
    /* --- */
    int n_memos;
    gg__lab_memo *memo;
    int64_t n_losses_kept, n_losses_run;
    int64_t n_models_kept;     /* of utility, from the work folder */
} gg__lab;

/* --- the parts: each begins its part of the claims and adds its rows -------------------------------------------------------------- */
gg_status gg__nag_lab_exactness(gg__lab *lab);
gg_status gg__nag_lab_discrimination(gg__lab *lab);
gg_status gg__nag_lab_contrast(gg__lab *lab);
gg_status gg__nag_lab_target_size(gg__lab *lab);
gg_status gg__nag_lab_bf16(gg__lab *lab);
gg_status gg__nag_lab_causality(gg__lab *lab);
gg_status gg__nag_lab_proxy(gg__lab *lab);
gg_status gg__nag_lab_utility(gg__lab *lab);

/* --- reproduce_lab.c ------------------------------------------------------------------------------------------------------------------ */
/* Both do nothing the second time. */
gg_status gg__lab_read_pool(gg__lab *lab);
gg_status gg__lab_extract(gg__lab *lab);
void gg__lab_free(gg__lab *lab);
/* WORK/KEY.ending; the caller frees it. */
gg_status gg__lab_work_path(gg_str *out, const gg__lab *lab, const char *ending);

/* K of each list, some layers, some documents (NULL: all), as a set of its own. Its docids are borrowed; freed by gg__lab_view_free. */
typedef struct gg__lab_view {
    gg_nag_set set;
    int64_t *unknown; /* (n,) all -1: token counts */
} gg__lab_view;
gg_status gg__lab_view_make(gg__lab_view *out, const gg__lab *lab, const int64_t *document, int64_t n, int64_t top_k, int first_layer);
void gg__lab_view_free(gg__lab_view *v);
/* Counts of neurons over some documents. */
gg_status gg__lab_count(gg_nag_counts **out, const gg__lab *lab, const int64_t *document, int64_t n, int64_t top_k);

/* Their tokens end to end: *start (n + 1,), *token; both freed by gg_drop, whatever comes back. */
gg_status gg__lab_gather(int32_t **token, int64_t **start, const gg__lab *lab, const int64_t *document, int64_t n);

/* The documents of a label in an order drawn anew; out: (documents of the label,). Returns how many. */
int64_t gg__lab_shuffled(int64_t *out, const gg__lab *lab, int label, gg_random *r);
int64_t gg__lab_size(const gg__lab *lab, int label);

double gg__lab_mean(const double *x, int64_t n);
double gg__lab_deviation(const double *x, int64_t n); /* of the sample; 0 of one value */

/* --- reproduce_losses.c --------------------------------------------------------------------------------------------------------------- */
/* out: (n,) losses of documents with the actions done (NULL: none). What was measured before is remembered. Adds n to the progress. */
gg_status gg__lab_losses(double *out, gg__lab *lab, const gg_actions *a, const int64_t *document, int64_t n);
/* Mean over the tokens of the documents (those after each first one) of b - a (a NULL: of b). */
double gg__lab_rise(const gg__lab *lab, const double *a, const double *b, const int64_t *document, int64_t n);

/* Path without ending for a picture of the report, or NULL when none is wanted; then hand in what the plot returned: GG_EUNSUPPORTED (no gnuplot) is said
 * once and is no failure. */
const char *gg__lab_figure_path(gg__lab *lab, const char *name);
gg_status gg__lab_figure_add(gg__lab *lab, gg_status plotted, const char *path, const char *caption);
gg_status gg__lab_progress(gg__lab *lab, const char *title, const char *unit, int64_t total); /* ends the one before */
#endif
