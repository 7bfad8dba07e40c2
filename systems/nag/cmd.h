/* What the verbs of `golgi nag` share. */
#ifndef GOLGI_NAG_CMD_H
#define GOLGI_NAG_CMD_H
#include "systems/nag/pages.h"
#include "base/command.h"
#include "base/json.h"
#include "io/parts.h"
#include "math/linear.h"

int gg__nag_cmd_extract(int argc, char **argv);
int gg__nag_cmd_rank(int argc, char **argv);
int gg__nag_cmd_merge(int argc, char **argv);
int gg__nag_cmd_merge_shards(int argc, char **argv);
int gg__nag_cmd_slice(int argc, char **argv);
int gg__nag_cmd_select(int argc, char **argv);
int gg__nag_cmd_show(int argc, char **argv);
int gg__nag_cmd_cluster(int argc, char **argv);
int gg__nag_cmd_deactivate(int argc, char **argv);
int gg__nag_cmd_explain(int argc, char **argv);

/* --- options that several verbs have: where they are kept, and their lines in a table ------------------------------------ */
typedef struct gg__nag_run_words { /* of what runs a model */
    const char *model, *sites, *action, *dtype, *text_column, *id_column, *token_column;
    int64_t top_k, max_tokens;
    bool special, strict;
} gg__nag_run_words;
#define GG__NAG_RUN_DEFAULTS .sites = "up", .dtype = "auto", .top_k = 10, .max_tokens = 120

#define GG__NAG_OPT_MODEL(w) \
    {"Input", "model", GG_OPT_TEXT, &(w).model, "M", "the frozen model: a GGUF file or a Hugging Face folder", NULL, true, 0, 0}
#define GG__NAG_OPT_COLUMNS(w)                                                                                                                           \
    {NULL, "text-column", GG_OPT_TEXT, &(w).text_column, "NAME", "column of the text; tried when not given: doc, text, content_split, content",          \
     NULL, false, 0, 0},                                                                                                                                 \
    {NULL, "id-column", GG_OPT_TEXT, &(w).id_column, "NAME", "column of the id; tried when not given: docid, meta.docid, id", NULL, false, 0, 0},        \
    {NULL, "strict", GG_OPT_FLAG, &(w).strict, NULL, "fail on an empty document instead of skipping it", NULL, false, 0, 0}
#define GG__NAG_OPT_METHOD(w)                                                                                                                            \
    {"Method", "sites", GG_OPT_TEXT, &(w).sites, "LIST", "neuron types, of up, down, q, k, v, o", NULL, false, 0, 0},                                    \
    {NULL, "top-k", GG_OPT_INT, &(w).top_k, "K", "neurons kept of each layer (paper: about 0.3 % of it) [K]", NULL, false, 1, 1 << 20},                 \
    {NULL, "max-tokens", GG_OPT_INT, &(w).max_tokens, "N", "the first N tokens of a document", NULL, false, 1, 1e9},                                    \
    {NULL, "special", GG_OPT_FLAG, &(w).special, NULL, "add the special tokens that the model expects around a text (the paper does not)", NULL, false, 0, 0}, \
    {NULL, "action", GG_OPT_TEXT, &(w).action, "A.json", "an action file: neurons to switch, scale or set while the model runs", NULL, false, 0, 0}
#define GG__NAG_OPT_DTYPE(w)                                                                                                                             \
    {"Machine", "dtype", GG_OPT_CHOICE, &(w).dtype, "TYPE",                                                                                              \
     "number format of the products; auto: bf16 where this machine computes it faster; i8: faster still, coarser (golgi bench nag says how much)",       \
     GG_LINEAR_DTYPES, false, 0, 0}

/* Opens the model of these words with its actions (*actions is freed after the model). */
gg_status gg__nag_open_model(gg_model **m, gg_actions **actions, gg_context *ctx, const gg__nag_run_words *w);
gg_status gg__nag_extract_options_of(gg_nag_extract_options *o, gg_context *ctx, const gg__nag_run_words *w, const gg_actions *actions);
gg_documents_options gg__nag_documents_options_of(const gg__nag_run_words *w);

/* The files that words mean: folders stand for the files of rows in them. *paths: (files->n,) borrows from files; freed by gg_drop. */
gg_status gg__nag_inputs(gg_parts *files, const char ***paths, gg_context *ctx, gg_texts words);

/* --- extraction in units (cmd_shards.c) -------------------------------------------------------------------------------------- */
typedef struct gg__nag_shard_words {
    const char *shard, *unit_size;
    bool mpi;
} gg__nag_shard_words;
typedef struct gg__nag_shard {
    bool units; /* into a folder; else the rest says nothing */
    bool mpi;
    int32_t shard, n_shards;
    int64_t unit_bytes;
} gg__nag_shard;
gg_status gg__nag_shard_parse(gg__nag_shard *out, gg_context *ctx, const gg__nag_shard_words *w, const char *output);
gg_status gg__nag_extract_units(gg_command *c, gg_context *ctx, const gg__nag_run_words *w, const gg__nag_shard *shard, const gg_nag_source *source,
                                const char *folder, const gg_nag_extract_options *o);

/* One type by name. */
gg_status gg__nag_type_parse(gg_nag_type *out, gg_context *ctx, const char *text);
/* Words that would say nothing beside the others are refused, and a power of 0, which the library reads as 1. */
gg_status gg__nag_check_weights(gg_context *ctx, const char *weights, double power);
gg_status gg__nag_check_rank_words(gg_context *ctx, const char *weights, const gg_nag_rank_options *o);
/* Copies words into a table of paths, checked against its size. */
gg_status gg__nag_paths(const char **out, int *n, gg_context *ctx, gg_texts words, const char *option);

/* --- what a ranking is told as (tell.c) ------------------------------------------------------------------------------------- */
typedef struct gg__nag_excerpt {
    int64_t rank;
    char text[256]; /* the first words, one line; "" unknown */
} gg__nag_excerpt;
enum { GG__NAG_ENDS = 10 }; /* documents of either end */
typedef struct gg__nag_story {
    gg__nag_excerpt near[GG__NAG_ENDS], far[GG__NAG_ENDS];
    int n_ends;
    const char *target_name; /* "scripture" */
} gg__nag_story;

gg_status gg__nag_excerpts(gg__nag_story *story, const gg_nag_ranking *r, const gg_nag_rank_options *o, const char *text_column);
gg_status gg__nag_excerpts_of(gg__nag_story *story, const gg_nag_ranking *r, gg__nag_rows *rows, const char *text_column);
/* Share of the pool's and of the chosen tokens by label: (n_labels + 1,) the last: no label. One block: dropping *pool frees both. */
gg_status gg__nag_shares(double **pool, double **chosen, const gg_nag_ranking *r);
/* What was odd about the documents of an extraction, a line each; nothing when nothing was. max_tokens 0: those that were cut are not told. */
void gg__nag_tell_odd(FILE *to, const gg_nag_extract_result *r, int64_t max_tokens);
void gg__nag_tell(FILE *to, const gg_nag_ranking *r, const gg_nag_rank_options *o, const gg__nag_story *story);
json_t *gg__nag_tell_json(const gg_nag_ranking *r, const gg_nag_rank_options *o, const gg__nag_story *story);

/* --- reports (report.c) -------------------------------------------------------------------------------------------------------- */
typedef struct gg__nag_chapter { /* one target's part */
    const gg_nag_ranking *r;
    const gg_nag_rank_options *o;
    const gg__nag_story *story;
} gg__nag_chapter;
/* Plots (PNG, SVG) and report.html into a folder: a chapter a target, all of one pool. Without gnuplot: a warning, and no pictures. */
gg_status gg__nag_report(const gg__nag_chapter *chapter, int n_chapters, const char *folder, const gg__nag_made *made);

/* "golgi nag select --model M ..." as it could be typed again. */
gg_status gg__nag_command_line(gg_str *out, const char *name, int argc, char **argv);
/* "data/target-scripture.jsonl.zst" -> "scripture": what a target is called. Freed by gg_drop. */
char *gg__nag_stem(gg_context *ctx, const char *path);
/* "42,103" into out, which is returned */
const char *gg__nag_count_text(char out[32], int64_t n);
#endif
