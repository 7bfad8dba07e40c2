/* systems/nag/nag.h - choosing training text by the neurons it excites: Neuron-Activated Graphs.
 *
 *     #include <golgi/nag.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         const char *model = argc > 1 ? argv[1] : "model.gguf", *text = argc > 2 ? argv[2] : "pool.jsonl.zst";
 *         gg_context *ctx = NULL;
 *         gg_model *m = NULL;
 *         gg_nag_extract_result x;
 *         gg_nag_ranking *r = NULL;
 *         gg_context_create(&ctx, NULL);
 *         const gg_nag_source pool = {.paths = &text, .n_paths = 1};
 *         if (gg_model_open(&m, ctx, model, &(gg_model_options){.dtype = GG_F32, .no_head = true}) == GG_OK &&
 *             gg_nag_extract_file(&x, ctx, m, &pool, "pool.nag", &(gg_nag_extract_options){.top_k = 10, .max_tokens = 120}) == GG_OK)
 *             gg_nag_rank(&r, ctx, &(gg_nag_rank_options){.target = {"pool.nag"}, .n_target = 1, // of course a target of its own
 *                                                         .pool = {"pool.nag"}, .n_pool = 1, .fraction = 0.2});
 *         for (int64_t i = 0; r && i < r->n_selected; i++)
 *             printf("%s %.3f\n", r->row[i].docid, r->row[i].distance); // nearest first
 *         const bool done = r != NULL;
 *         gg_nag_ranking_free(r);
 *         gg_model_free(m);
 *         gg_context_free(ctx);
 *         return !done;
 *     }
 *
 * Paper: "Target-Oriented Pretraining Data Selection via Neuron-Activated Graph", arXiv 2604.15706.
 * A document c goes once through a frozen model. The impact of neuron k of a projection y = h W in layer l is the mean over the
 * document's tokens of |y_k|; N_l(c) are the K neurons of largest impact, ties to the lowest index. With w_lk the share of
 * neuron k among all the targets' neurons of layer l,
 *     distance(c) = 1 - (1/L) sum_l sum_{k in N_l(c)} w_lk            in [0, 1], float64, 0 = nearest.
 * It equals 1 - the mean over the targets c' of |N(c) & N(c')| / (L K).
 *
 * Types: up (default) down q k v o. q, k, v in Hugging Face order, k and v repeated over the query heads of their group, q and k
 * after the q/k norm where the family has one. Counts of tokens are int64, -1 = unknown. Pooling over tokens: mean |x|, no padding.
 * Errors: gg_status with a message on the context; GG_EMISMATCH when two feature files do not belong together.
 */
#ifndef GOLGI_NAG_H
#define GOLGI_NAG_H
#include <golgi/cluster.h>
#include <golgi/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- neuron types --------------------------------------------------------------------------------------------------- */
/* code, name here, name in the published layout */
#define GG_NAG_TYPE_MAP(X) \
    X(UP, up, fwd_up)      \
    X(DOWN, down, fwd_down) \
    X(Q, q, att_q)         \
    X(K, k, att_k)         \
    X(V, v, att_v)         \
    X(O, o, att_o)

typedef enum gg_nag_type {
#define GG_X(code, name, published) GG_NAG_##code,
    GG_NAG_TYPE_MAP(GG_X)
#undef GG_X
    GG_NAG_TYPES
} gg_nag_type;

#define GG_NAG_MAX_LAYERS 1024
#define GG_NAG_MAX_FILES 256

GG_API const char *gg_nag_type_name(gg_nag_type t);      /* "up" */
GG_API const char *gg_nag_type_published(gg_nag_type t); /* "fwd_up" */
/* "up,att_q,down_proj" -> set of types, 1u << type; every alias of the site is understood. GG_ENOENT lists the six. */
GG_API gg_status gg_nag_types_parse(uint32_t *types, gg_context *ctx, const char *text);

/* --- features: what a document leaves behind ------------------------------------------------------------------------ */
typedef struct gg_nag_site {
    gg_nag_type type;
    int64_t width; /* neurons of a layer; 0: unknown (row files do not say) */
    int64_t top_k; /* K */
} gg_nag_site;

typedef struct gg_nag_header {
    char model[128];      /* "" in row files, as are the next three */
    char model_hash[65];  /* SHA-256 */
    char action_hash[65]; /* of the actions applied while extracting, "" none */
    char dtype[8];        /* "f32" */
    int64_t max_tokens;   /* 0: unknown */
    bool special;         /* special tokens were added */
    int n_layers;         /* rows of a document's feature */
    int32_t layer[GG_NAG_MAX_LAYERS]; /* which block of the model each is, rising */
    int n_sites;
    gg_nag_site site[GG_NAG_TYPES];
} gg_nag_header;

/* Some documents' features. index[s] of header.site[s]: (n, n_layers, top_k), each top-K list largest impact first. */
typedef struct gg_nag_features {
    int64_t n;
    const char *const *docid;  /* (n,) */
    const int64_t *token_num;  /* (n,) of the whole document; -1: unknown */
    const int64_t *n_scored;   /* (n,) tokens that went through the model; -1: unknown */
    int index_bytes;           /* 2: uint16_t, 4: uint32_t */
    const void *index[GG_NAG_TYPES];
    json_t *const *row;        /* (n,) all columns, row files only; else NULL */
} gg_nag_features;

/* Position of the type in header.site, -1: absent. */
GG_API int gg_nag_header_find(const gg_nag_header *h, gg_nag_type t);
/* GG_EMISMATCH with both files' facts and what to do, unless features of type t of both can be compared. */
GG_API gg_status gg_nag_header_match(gg_context *ctx, const gg_nag_header *a, const char *path_a, const gg_nag_header *b,
                                     const char *path_b, gg_nag_type t);

/* Reads .nag (binary, docs/formats.md) or the published layout as rows (.jsonl[.gz|.zst], .parquet, .csv no), batch by batch.
 * n_layers: for row files that do not say (0: GG_EINVAL asks for it); ignored for .nag. */
typedef struct gg_nag_reader gg_nag_reader;
GG_API gg_status gg_nag_reader_open(gg_nag_reader **out, gg_context *ctx, const char *path, int n_layers);
GG_API const gg_nag_header *gg_nag_reader_header(const gg_nag_reader *r);
/* The next documents; valid until the next call. GG_END after the last. A damaged or cut file is GG_EFORMAT with the byte. */
GG_API gg_status gg_nag_reader_next(gg_nag_reader *r, gg_nag_features *f);
GG_API void gg_nag_reader_close(gg_nag_reader *r);

/* Writes .nag or rows, by the path's ending; "-" is JSONL. Whole or not at all. commit frees w whatever comes back. */
typedef struct gg_nag_writer gg_nag_writer;
GG_API gg_status gg_nag_writer_open(gg_nag_writer **out, gg_context *ctx, const char *path, const gg_nag_header *h);
GG_API gg_status gg_nag_writer_add(gg_nag_writer *w, const gg_nag_features *f);
GG_API gg_status gg_nag_writer_commit(gg_nag_writer *w);
GG_API void gg_nag_writer_discard(gg_nag_writer *w);
/* 2, or 4 when a width does not fit (or is unknown). */
GG_API int gg_nag_index_bytes(const gg_nag_header *h);

/* Whole files in memory (targets, maps, clusters). Files must match each other. Freed by gg_nag_set_free. */
typedef struct gg_nag_set {
    gg_context *ctx;
    gg_nag_header header;
    gg_nag_features f;
} gg_nag_set;
GG_API gg_status gg_nag_set_read(gg_nag_set **out, gg_context *ctx, const char *const *paths, int n_paths, int n_layers);
GG_API void gg_nag_set_free(gg_nag_set *s);

/* --- extraction ------------------------------------------------------------------------------------------------------- */
typedef struct gg_nag_extract_options {
    uint32_t types;             /* 1u << gg_nag_type; 0: up */
    int64_t top_k;              /* K, default 10; a layer with fewer neurons gives them all, with a warning */
    int64_t max_tokens;         /* default 120 */
    bool special;               /* add special tokens; the paper does not */
    const gg_actions *actions;  /* those the model was opened with, for the header */
    const char *scores;         /* .safetensors with the whole impact vectors "<docid>.<type>" (n_layers, width); NULL: none */
    int64_t scores_documents;   /* of the first so many documents, default 3 */
    const gg_listener *others;  /* more listeners of the same pass, called after ours */
    int n_others;
    int64_t group_tokens;       /* rows of a group; 0: chosen. Changes speed, never features */
    struct gg_progress *progress;
    struct gg_clock *clock;     /* as of gg_run_options */
} gg_nag_extract_options;

typedef struct gg_nag_extract_result {
    int64_t n_documents, n_tokens;
    int64_t n_empty;   /* skipped */
    char empty[512];   /* where they are: "pool.jsonl:2, pool.jsonl:9 and 7 more" */
    int64_t n_cut;     /* longer than max_tokens */
    int64_t n_repaired; /* U+FFFD written into the texts */
    int64_t n_reused;  /* documents found done by an earlier, interrupted run */
    double seconds;
    double operations; /* as of gg_run_result */
} gg_nag_extract_result;

/* ctx is the one the model was opened with. Fills the header for this model and these options (K clamped to the width). */
GG_API gg_status gg_nag_header_of(gg_nag_header *out, gg_context *ctx, gg_model *m, const gg_nag_extract_options *o);
/* Every document of the source, in input order; `take` gets one document at a time. GG_ENAN names document, layer and type. */
GG_API gg_status gg_nag_extract(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, gg_documents *documents, const gg_nag_extract_options *o,
                                gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user);
/* The same over bare ids, (n_rows, n_columns); docids are the row numbers. No scores. */
GG_API gg_status gg_nag_extract_ids(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns,
                                    const gg_nag_extract_options *o,
                                    gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user);
/* And over documents that are tokens already, as gg_run_tokens takes them. */
GG_API gg_status gg_nag_extract_tokens(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents,
                                       const gg_nag_extract_options *o,
                                       gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user);
/* To a file. Work is kept in units beside it (PATH.parts/): stopped (GG_EINTR), failed or killed, the next call with the same model,
 * options and source goes on where it ended. documents->paths must be files for that (not "-", not a folder). */
typedef struct gg_nag_source {
    const char *const *paths;
    int n_paths;
    gg_documents_options options;
} gg_nag_source;
GG_API gg_status gg_nag_extract_file(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const gg_nag_source *documents, const char *path,
                                     const gg_nag_extract_options *o);
/* 16 hexadecimal digits that change with the bytes of the source, the model or any option that changes features; "" when the source cannot
 * be read twice. */
GG_API gg_status gg_nag_key(char key[17], gg_context *ctx, const gg_nag_header *h, const gg_nag_source *documents);

/* --- a large input in shards -------------------------------------------------------------------------------------------------- */
/* The input (files and folders of files) cut into units of about unit_bytes, numbered in its order; features of unit i go to FOLDER/%08d.nag, so a
 * folder of units, sorted by name, is the input's order. Any number of processes on any number of machines may work on one folder.
 *
 *     gg_nag_plan_open(&p, ctx, m, &source, "features/", 64 << 20, &o);
 *     gg_nag_plan_run_shard(&r, p, 3, 16);             // what is done is passed over; whatever stops this, the same call goes on
 *     gg_nag_plan_close(p);
 *     gg_nag_merge_shards(&n, ctx, "pool.nag", (const char *[]){"features/"}, 1, false);    // the bytes that one process would have written
 */
typedef struct gg_nag_plan gg_nag_plan;
/* m, o->actions and o->progress live longer than the plan; source need not. GG_EMISMATCH: the folder holds units of other options or another input; the
 * message says what differs. GG_EUNSUPPORTED: standard input, o->scores. */
GG_API gg_status gg_nag_plan_open(gg_nag_plan **out, gg_context *ctx, gg_model *m, const gg_nag_source *source, const char *folder, int64_t unit_bytes,
                                  const gg_nag_extract_options *o);
GG_API void gg_nag_plan_close(gg_nag_plan *p);
GG_API int64_t gg_nag_plan_units(const gg_nag_plan *p);
/* How many units there would be; needs no model. */
GG_API gg_status gg_nag_plan_count(int64_t *n, gg_context *ctx, const gg_nag_source *source, int64_t unit_bytes);
/* shard: (units,) which of n_shards does a unit: even shares by bytes, always the same. */
GG_API gg_status gg_nag_plan_assign(int32_t *shard, const gg_nag_plan *p, int32_t n_shards);
/* Unit i. A finished one costs the reading of its input (n_reused = n_documents). GG_EBUSY names the process that is at it. */
GG_API gg_status gg_nag_plan_run(gg_nag_extract_result *out, gg_nag_plan *p, int64_t i);
typedef struct gg_nag_shard_result {
    gg_nag_extract_result sum;
    int64_t n_units;  /* of the whole input */
    int64_t n_mine;   /* of this shard */
    int64_t n_done;   /* of them: are there now */
    int64_t n_before; /* of them: needed no work: were there, or lacked their last step, or hold no document */
    int64_t n_busy;   /* of them: being made by others */
} gg_nag_shard_result;
/* The units of one shard, 0 .. n_shards - 1. GG_EBUSY in the end when some were in other hands. */
GG_API gg_status gg_nag_plan_run_shard(gg_nag_shard_result *out, gg_nag_plan *p, int32_t shard, int32_t n_shards);

typedef struct gg_nag_merge_shards_result {
    int64_t n_documents, n_units;
    int64_t n_missing; /* units of the whole that were not among the inputs */
} gg_nag_merge_shards_result;
/* Units (files, or folders of them) as one .nag in the input's order, whatever the order and grouping of the arguments; a unit given twice counts once.
 * When all are there the result is, byte for byte, what one process would have written. When some are missing: GG_EMISMATCH with their
 * numbers, or, with `partial`, a file that can be merged again. A docid in two units is GG_EFORMAT with both. */
GG_API gg_status gg_nag_merge_shards(gg_nag_merge_shards_result *out, gg_context *ctx, const char *path, const char *const *inputs, int n_inputs, bool partial);

/* --- profile ----------------------------------------------------------------------------------------------------------- */
/* How often each neuron is in the lists of some documents. */
typedef struct gg_nag_counts {
    gg_context *ctx;
    int n_layers;
    int64_t top_k, width;
    bool growing;      /* width unknown: grows with the indices seen */
    int64_t n_documents;
    int64_t *count;    /* (n_layers, width) */
} gg_nag_counts;
GG_API gg_status gg_nag_counts_create(gg_nag_counts **out, gg_context *ctx, int n_layers, int64_t top_k, int64_t width /* 0: growing */);
GG_API void gg_nag_counts_free(gg_nag_counts *c);
GG_API gg_status gg_nag_counts_add(gg_nag_counts *c, const gg_nag_features *f, int s /* position of the type */);
/* Adds what `from` has counted. GG_EMISMATCH: other layers, K or a larger width that c cannot grow to. */
GG_API gg_status gg_nag_counts_merge(gg_nag_counts *c, const gg_nag_counts *from);

typedef enum gg_nag_weights { GG_NAG_FREQUENCY, GG_NAG_CONTRAST } gg_nag_weights;

typedef struct gg_nag_profile {
    gg_context *ctx;
    int n_layers;
    int64_t top_k, width;
    double *weight; /* (n_layers, width); frequency: each layer sums to 1 */
} gg_nag_profile;
/* frequency: count^power / sum of it in the layer (paper: power 1). GG_EINVAL: no documents. */
GG_API gg_status gg_nag_profile_frequency(gg_nag_profile **out, const gg_nag_counts *target, double power);
/* contrast (beyond the paper): how far the neuron's share among the targets is above its share in the pool, as the root of the deviance; 0
 * where it is not above; scaled so that the best list a document could have has distance 0. See profile.c. */
GG_API gg_status gg_nag_profile_contrast(gg_nag_profile **out, const gg_nag_counts *target, const gg_nag_counts *pool);
GG_API void gg_nag_profile_free(gg_nag_profile *p);
/* out: (f->n,) distances. Indices beyond the profile's width weigh 0. Never allocates. */
GG_API void gg_nag_distance(double *out, const gg_nag_profile *p, const gg_nag_features *f, int s);

/* --- ranking ------------------------------------------------------------------------------------------------------------- */
typedef struct gg_nag_rank_options {
    const char *target[GG_NAG_MAX_FILES]; int n_target;   /* feature files; a folder stands for the .nag files in it, by name */
    const char *pool[GG_NAG_MAX_FILES]; int n_pool;       /* likewise */
    const char *payload[GG_NAG_MAX_FILES]; int n_payload; /* documents of the pool: columns to carry, token counts, quality, labels */
    const char *target_payload[GG_NAG_MAX_FILES]; int n_target_payload;
    gg_nag_type type;
    gg_nag_weights weights;
    double power;               /* on the counts, frequency only; 0 reads as 1 */
    double fraction;            /* r_f of the tokens, in (0, 1] */
    const char *token_column;   /* NULL: the features' own count, else the payload's token_num */
    const char *quality_column; /* NULL: none. Lower is better unless invert_quality */
    bool invert_quality;
    const char *target_filter, *target_filter_column; /* keep targets whose column (default dataset) says so */
    const char *label_column;   /* of the payload; NULL: none */
    const char *target_label;   /* the label that counts as right; NULL: target_filter, or the target's name among several */
    int n_layers;               /* for row files that do not say; 0 */
    bool chosen_only;           /* hold the chosen rows and both ends only: memory of the selection, not of the pool */
    struct gg_progress *progress; /* documents; NULL: none */
} gg_nag_rank_options;

typedef struct gg_nag_row {
    const char *docid;
    double distance;
    double quality;
    double score;      /* what is sorted: distance, or minmax(distance) + minmax(quality) */
    int64_t token_num;
    int32_t label;     /* -1: none */
} gg_nag_row;

enum { GG_NAG_ENDS = 10 };

typedef struct gg_nag_ranking {
    gg_context *ctx;
    const char *name;           /* of the target */
    int64_t n, n_selected;      /* documents ranked; row[0 .. n_selected-1] are chosen */
    int64_t n_rows;             /* rows held: n, or n_selected with chosen_only */
    gg_nag_row *row;            /* (n_rows,) by (score, docid) */
    gg_nag_row near[GG_NAG_ENDS], far[GG_NAG_ENDS]; /* the first n_ends rows of the order, and the last, from the end */
    int n_ends;
    int64_t n_tokens, n_selected_tokens, budget;
    int64_t n_targets;
    const char *const *target;  /* (n_targets,) docids of the targets that counted */
    gg_nag_counts *counts;      /* of their neurons */
    int64_t n_unpaid;           /* pool features without a payload row: left out */
    int64_t n_unrated;          /* without a quality: left out */
    int64_t n_uncounted;        /* without a token count: taken as 0 */
    bool combined;              /* score is not distance */
    int n_labels;
    char **label;               /* (n_labels,) */
    int64_t *label_tokens;      /* (n_labels + 1,) tokens of the pool by label, the last: without one */
    int32_t right;              /* index of the target label, -1: none */
    double precision[2];        /* at n = documents of the right label, by gg_nag_weights; NaN: no labels */
    gg_nag_header header;       /* of the pool */
    gg_nag_profile *profile;    /* of the target, as ranked with; NULL: merged of parts */
} gg_nag_ranking;

/* Reads the pool's docids once, then its features (twice when a quality is mixed in, for its minimum and maximum, or with contrast, for its counts), in
 * blocks, by all threads; the result depends on neither. Memory: about 70 bytes a row held, half as much again while they are collected, and what
 * pool.c says a document of the pool. GG_EINVAL: fraction outside (0, 1], no targets; GG_ENOENT: a column is missing (lists those present); GG_EMISMATCH. */
GG_API gg_status gg_nag_rank(gg_nag_ranking **out, gg_context *ctx, const gg_nag_rank_options *o);
GG_API void gg_nag_ranking_free(gg_nag_ranking *r);
/* Row `rank` of the whole order, 0 the nearest; NULL when it is not held. */
GG_API const gg_nag_row *gg_nag_ranking_row(const gg_nag_ranking *r, int64_t rank);
/* Rows docid, token_num, nag_distance (and combined_score), or all columns of the payload with these added; only the chosen, or all. */
GG_API gg_status gg_nag_ranking_write(const gg_nag_ranking *r, const gg_nag_rank_options *o, const char *path, bool all);

/* Several targets in one pass, each with an order and a selection of its own; o->target is not looked at. out: (n,), each freed by
 * gg_nag_ranking_free. Distances and selections are those of n single runs, bit for bit. */
#define GG_NAG_MAX_TARGETS 64
typedef struct gg_nag_target {
    const char *name;
    const char *const *path; /* (n_paths,) feature files or folders */
    int n_paths;
} gg_nag_target;
GG_API gg_status gg_nag_rank_many(gg_nag_ranking **out, gg_context *ctx, const gg_nag_rank_options *o, const gg_nag_target *target, int n);
/* path: (n,). The payload is read once for all. */
GG_API gg_status gg_nag_rankings_write(gg_nag_ranking *const *r, int n, const gg_nag_rank_options *o, const char *const *path, bool all);

/* Ranking in pieces, for pools that many machines hold: each ranks its files against the same targets into a .rank file, which has the leading
 * rows of every order and a sketch of all its scores; merging is associative and free of order (the bytes too), and what a merge of all
 * pieces chooses is what one run over the whole pool would choose. A piece cannot know how far the whole will reach: it keeps the rows within `keep` of its
 * own tokens, or, with a finite up_to, all rows of no larger a score. When that was not far enough the ranking fails with GG_EMISMATCH and says
 * which piece is to be made again and with which up_to; the sketches tell. Frequency weights without a quality or labels (GG_EUNSUPPORTED:
 * these need the whole pool). Docids must differ between the pieces; the same piece twice is found, and rows that meet in the order. */
GG_API gg_status gg_nag_partial_write(gg_context *ctx, const gg_nag_rank_options *o, const gg_nag_target *target, int n, const char *path, double keep,
                                      double up_to);
GG_API gg_status gg_nag_partial_merge(gg_context *ctx, const char *const *paths, int n_paths, const char *path);
/* out: (GG_NAG_MAX_TARGETS,), *n of them made, as by gg_nag_rank_many with chosen_only; without profile, counts and target. Sets the type, weights and
 * power of *o, whose fraction it takes. */
GG_API gg_status gg_nag_partial_rank(gg_nag_ranking **out, int *n, gg_context *ctx, const char *const *paths, int n_paths, gg_nag_rank_options *o);

/* The pieces, for callers with their own pools. Sorts by (score, docid bytewise). */
GG_API void gg_nag_sort(gg_nag_row *row, int64_t n);
/* How many leading rows fit floor(fraction * total tokens); at least one when there is any. */
GG_API int64_t gg_nag_budget(int64_t *budget, int64_t *total, const gg_nag_row *row, int64_t n, double fraction);
/* out = (x - min) / (max - min); all 0 when constant. out may be x. */
GG_API void gg_nag_minmax(double *out, const double *x, int64_t n);

/* --- merging selections, slicing layers ------------------------------------------------------------------------------------ */
typedef struct gg_nag_merge_result { int64_t n_rows, n_duplicates; } gg_nag_merge_result;
/* Concatenates; with deduplicate the first row of a docid stays. n_duplicates counts the rows left out. */
GG_API gg_status gg_nag_merge(gg_nag_merge_result *out, gg_context *ctx, const char *path, const char *const *inputs, int n_inputs, bool deduplicate);
/* layers: "first", "last", "0,3,7", "2-5". Positions in the file's own list of layers. */
GG_API gg_status gg_nag_slice(int64_t *n_documents, gg_context *ctx, const char *path, const char *input, const char *layers, int n_layers);

/* --- analyses ---------------------------------------------------------------------------------------------------------------- */
/* out: (n, n_layers * width) 0/1 as float64. Euclidean k-means on it is k-means in 1 - Sim: |a - b|^2 = 2 L K d. */
GG_API gg_status gg_nag_multi_hot(double **out, int64_t *n_columns, gg_context *ctx, const gg_nag_set *s, gg_nag_type t);
/* out: (n, n) 1 - |N(a) & N(b)| / (L K). */
GG_API gg_status gg_nag_pairwise(double *out, gg_context *ctx, const gg_nag_set *s, gg_nag_type t);
/* The neurons of largest weight of each layer, ties to the lowest index: out (n_layers, per_layer), -1 where fewer weigh more than 0. */
GG_API gg_status gg_nag_strongest(int64_t *out, const gg_nag_profile *p, int64_t per_layer);
/* The same as "zero" actions. GG_EUNSUPPORTED for k and v, whose repeated heads are one neuron. */
GG_API gg_status gg_nag_deactivate(gg_actions *out, const gg_nag_profile *p, const gg_nag_header *h, gg_nag_type t, int64_t per_layer);

/* per_layer different neurons of each layer, drawn with ctx's seed: the control of a deactivation. */
GG_API gg_status gg_nag_deactivate_random(gg_actions *out, gg_context *ctx, const gg_nag_header *h, gg_nag_type t, int64_t per_layer);

/* Why a document of the pool stands where it stands. With w the profile's weights, q the share of the pool's documents whose list holds a
 * neuron, and L layers,
 *     distance            = 1 - sum over the document's neurons of w / L
 *     mean of the pool    = 1 - sum over all neurons of q w / L
 *     mean - distance     = sum over the neurons it has of (1 - q) w / L  -  sum over those it lacks of q w / L
 * so every neuron has a part in the difference, and the parts add up to it. */
enum { GG_NAG_WITNESSES = 3 };
typedef struct gg_nag_reason {
    int layer;         /* position in header.layer */
    int64_t neuron;
    double gain;       /* w / L: what it brings, or would have brought, to the similarity */
    double part;       /* of the difference to the pool's mean: (1 - q) w / L > 0, or -q w / L <= 0 */
    double in_targets; /* share of the targets' documents whose list holds it */
    double in_pool;    /* q */
    int n_others;
    int other[GG_NAG_WITNESSES]; /* positions in `like`: documents whose list holds it too, the most alike first */
} gg_nag_reason;
typedef struct gg_nag_alike {
    const char *docid;
    double similarity; /* |N(a) & N(b)| / (L K) */
    double distance;   /* to the target */
} gg_nag_alike;
typedef struct gg_nag_explanation {
    gg_context *ctx;
    gg_nag_header header;
    int64_t n_targets, n_pool;
    double distance, pool_distance; /* its own; the pool's mean */
    int64_t rank;                   /* 1: nearest; by (distance, docid) */
    double *similarity;             /* (n_layers,) */
    double *pool_similarity;        /* (n_layers,) mean of the pool's */
    gg_nag_reason *has;             /* (n_has,) neurons of its lists that weigh anything, largest part first */
    gg_nag_reason *lacks;           /* (n_lacks,) neurons that weigh something and are not in its lists, most negative part first */
    int64_t n_has, n_lacks;
    gg_nag_alike *like;             /* (n_like,) documents of the pool that share most neurons with it, most alike first; behind them those that
                                     * `other` names besides */
    int n_like;
} gg_nag_explanation;
typedef struct gg_nag_explain_options {
    const char *const *target; int n_target; /* feature files; a folder stands for the .nag files in it */
    const char *const *pool; int n_pool;
    const char *docid;                       /* of the pool */
    gg_nag_type type;
    gg_nag_weights weights;
    double power;                            /* as in gg_nag_rank_options */
    int n_layers;                            /* for row files that do not say */
} gg_nag_explain_options;
/* GG_ENOENT: no such docid in the pool. Two passes over the pool's features, three where those alike do not hold a neuron and others do. */
GG_API gg_status gg_nag_explain(gg_nag_explanation **out, gg_context *ctx, const gg_nag_explain_options *o);
GG_API void gg_nag_explanation_free(gg_nag_explanation *e);

/* --- the program --------------------------------------------------------------------------------------------------------------- */
int gg_nag_main(int argc, char **argv);
int gg_nag_reproduce(int argc, char **argv);
int gg_nag_bench(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif
