/* A pool of feature files: passes over its blocks by all threads, and what is known of each document beside its distance. See pool.c. */
#ifndef GOLGI_NAG_POOL_H
#define GOLGI_NAG_POOL_H
#include "systems/nag/nag_internal.h"
#include <pthread.h>

/* --- passes ----------------------------------------------------------------------------------------------------------------- */
typedef struct gg__nag_pool {
    gg_context *ctx;
    gg__nag_files files;
    int64_t *n_of;              /* (files.n,) documents of each, known after the first pass */
    gg_nag_type type;
    bool is_piece;              /* units of the input that are not here are no surprise */
    int n_layers;               /* for row files that do not say */
    const gg_nag_header *like;  /* what the files must match, and the file that it is of */
    const char *like_path;
    gg_nag_header header;       /* of the first file */
    bool told;                  /* that files were not made in the same way */
    struct gg_progress *progress; /* documents of the passes that read whole blocks; NULL: none */
} gg__nag_pool;

typedef struct gg__nag_piece {  /* what a worker is given: blocks that follow each other or not, of one file */
    const char *path;
    int site;                   /* position of the type in the file's header */
    gg__nag_block *block;       /* (n_blocks,) */
    int n_blocks;
    int64_t base;               /* number of the file's first document in the pool; block b's first is base + b.first */
} gg__nag_piece;

enum { GG__NAG_PIECE = 16 }; /* blocks of a piece, at most */

/* Opens the files in turn and checks them against `like` and each other; every block is read once, by some worker < gg_context_threads(ctx), and
 * given to take() in pieces of about `batch` documents (at least one block). Several calls of take() run at once, with different workers; for row files
 * it is worker 0 alone. names_only: docids and token counts, without the lists (row files give all). */
typedef gg_status gg__nag_take(void *user, const gg__nag_piece *piece, int worker);
gg_status gg__nag_pool_pass(gg__nag_pool *p, bool names_only, int64_t batch, gg__nag_take *take, void *user);
void gg__nag_pool_free(gg__nag_pool *p);

/* --- the census: docids, token counts, columns -------------------------------------------------------------------------------- */
enum { GG__NAG_NO_LABEL = UINT16_MAX, GG__NAG_LABELS = 10000 };
typedef struct gg__nag_census {
    gg_context *ctx;
    gg__nag_pool *pool;
    const gg_nag_rank_options *o;
    int64_t n;                  /* documents of the pool */
    uint64_t sum;               /* of the hashes of their docids: says which documents these are, in whatever order */
    struct gg__nag_slot *slot;  /* docid -> number of the document, until gg__nag_census_close */
    int64_t n_slots;
    pthread_mutex_t lock;
    /* (n,) by number of the document; NULL: nobody asked */
    uint64_t *paid;             /* bits: the payload has it */
    int64_t *tokens;            /* -1: the column says nothing */
    double *quality;            /* NaN: nothing */
    uint16_t *label;            /* GG__NAG_NO_LABEL: none */
    int64_t cap;                /* of those arrays */
    int64_t most_tokens;        /* of all documents, at most (a payload may leave some out) */
    int64_t n_uncounted_own;    /* features without a token count */
    gg_arena arena;             /* names of labels */
    gg__docids labels;
    gg_str present;             /* columns of the first row that was asked, for messages */
    bool saw_tokens, saw_quality, saw_label;
    gg_nag_counts **counts;     /* (threads,) of each worker; NULL: not wanted. The first gets the sum. */
    /* by gg__nag_census_close, of the documents that count */
    int64_t n_kept, n_unpaid, n_unrated;
    int64_t n_of_label[GG__NAG_LABELS];
    double least_quality, most_quality;
} gg__nag_census;

/* Docids, token counts and, of row files, columns; with_counts: how often each neuron is used, too. GG_EFORMAT: a docid comes twice. */
gg_status gg__nag_census_take(gg__nag_census **out, gg__nag_pool *pool, const gg_nag_rank_options *o, bool with_counts);
/* Streams the payload (if there is one) past the docids; then forgets them and counts what is left in. */
gg_status gg__nag_census_close(gg__nag_census *c);
void gg__nag_census_free(gg__nag_census *c);

static inline bool gg__nag_is_paid(const gg__nag_census *c, int64_t number) { return !c->paid || (c->paid[number >> 6] >> (number & 63) & 1); }

#endif
