/* The .rank file, as partial_file.c writes and reads it and partial.c merges it. */
#ifndef GOLGI_NAG_PARTIAL_H
#define GOLGI_NAG_PARTIAL_H
#include "systems/nag/features_layout.h"
#include "systems/nag/rank.h"
#include "base/file.h"
#include "base/input.h"

enum { BLOCK_ROWS = 4096 };
enum { ENDS_WITH_ALL, ENDS_WITH_ROW, ENDS_WITH_SCORE };
typedef struct gg__partial_place {
    uint64_t at, n_cells, n_rows;
    uint64_t ends;
    double up_to; /* ENDS_WITH_SCORE: that score */
} gg__partial_place;
typedef struct gg__partial_cell {
    uint64_t cell;
    int64_t n, tokens;
} gg__partial_cell;
_Static_assert(sizeof(gg__partial_place) == 40 && sizeof(gg__partial_cell) == 24, "on-disk layout");

/* Which documents: their number and the sum of their docids' hashes. */
typedef struct gg__partial_piece {
    int64_t n;
    uint64_t sum;
} gg__partial_piece;

/* What the header says. */
typedef struct gg__partial_summary {
    gg_nag_header features;
    gg_nag_type type;
    double power;
    int64_t n, n_tokens, n_unpaid, n_uncounted;
    int n_targets;
    char name[GG_NAG_MAX_TARGETS][128];
    char hash[GG_NAG_MAX_TARGETS][17]; /* of its counts */
    int64_t n_examples[GG_NAG_MAX_TARGETS];
    int64_t n_pieces;
    gg__partial_piece *pieces;           /* (n_pieces,) rising */
} gg__partial_summary;

int gg__partial_by_piece(const void *pa, const void *pb); /* for qsort */

/* --- writing ---------------------------------------------------------------------------------------------------------------------- */
typedef struct gg__partial_writer {
    gg_context *ctx;
    gg_out *out;
    uint64_t chain, places_at;
    int n_targets;
    gg__partial_place *places;           /* (n_targets,) */
    int64_t n;               /* rows of the block that is filled */
    double score[BLOCK_ROWS];
    int64_t tokens[BLOCK_ROWS];
    uint32_t end[BLOCK_ROWS];
    gg_str docids, body;
} gg__partial_writer;
/* The header; then of each target its sketch, near, far, the rows in their order and where they end; then commit, which frees w whatever comes back. */
gg_status gg__partial_writer_open(gg__partial_writer **out, gg_context *ctx, const char *path,
                                  const gg__partial_summary *s); /* *out is to be closed on failure, too */
gg_status gg__partial_put_sketch(gg__partial_writer *w, int t, const gg__nag_sketch *s);
gg_status gg__partial_put_ends(gg__partial_writer *w, const gg_nag_row *row, int n);
gg_status gg__partial_put_row(gg__partial_writer *w, const gg_nag_row *r);
gg_status gg__partial_end_target(gg__partial_writer *w, int t, int64_t n_rows, int ends, double up_to);
gg_status gg__partial_writer_commit(gg__partial_writer *w);
void gg__partial_writer_close(gg__partial_writer *w); /* discards */

/* --- reading ------------------------------------------------------------------------------------------------------------------------ */
typedef struct gg__partial_reader {
    gg_context *ctx;
    char *path;
    gg_in *in;
    uint64_t size, at;
    gg__partial_summary s;
    gg__partial_place *places;           /* (n_targets,) */
    /* the block that is read, and the row that is next in the merge */
    uint8_t *body;
    size_t cap;
    int64_t n, i, left;      /* rows of the block, the next one, rows behind the block */
    const double *score;
    const int64_t *tokens;
    const uint32_t *end;
    const char *docids;
    bool has_row;
    gg_nag_row row;
    char *last;              /* docid of the row before, which its block may have gone from */
    size_t last_cap;
} gg__partial_reader;
/* Opens a file and verifies its header, the places and the heads of all blocks; their bodies are verified as they are read. */
gg_status gg__partial_reader_open(gg__partial_reader **out, gg_context *ctx, const char *path); /* *out is to be closed on failure, too */
void gg__partial_reader_close(gg__partial_reader *r);
/* Goes to target t: adds its sketch and its ends to those given; the rows come next. */
gg_status gg__partial_begin(gg__partial_reader *r, int t, gg__nag_sketch *sketch, gg__nag_front *near, gg__nag_front *far);
/* The last row of the target, before the first is read: where a file that dropped rows ends. Its docid lives until the next read. */
gg_status gg__partial_last_row(gg_nag_row *out, gg__partial_reader *r);
/* The next row into r->row; has_row false after the last. Rows that do not rise are damage. */
gg_status gg__partial_next_row(gg__partial_reader *r);

#endif
