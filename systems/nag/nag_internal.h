/* What the files of systems/nag share. */
#ifndef GOLGI_NAG_INTERNAL_H
#define GOLGI_NAG_INTERNAL_H
#include "systems/nag/nag.h"
#include "base/beside.h"
#include "base/memory.h"

/* The document number of a batch, at most: blocks of .nag files and batches of row files. */
#define GG__NAG_BATCH 512
#define GG__NAG_OTHERS 8 /* listeners beside ours */

/* XXH64 (Collet), the checksum of .nag files. */
uint64_t gg__xxh64(const void *data, size_t n, uint64_t seed);

/* The value of a column; dotted names reach into objects when no column has that very name. NULL: absent or null. Borrowed. */
json_t *gg__nag_column(json_t *row, const char *name);
/* docid of a row (docid, meta.docid or id; numbers as decimal text) into buffer; NULL: none. */
const char *gg__nag_docid(json_t *row, char buffer[32]);
/* A number, also written as text (CSV). False: absent, null, NaN or no number. */
bool gg__nag_number(double *out, const json_t *value);
/* The columns of a row as "a, b, c" for messages. */
void gg__nag_columns(gg_str *out, json_t *row);

/* Docid -> position: open addressing over positions, texts stay with the caller. */
typedef struct gg__docids {
    gg_context *ctx;
    int64_t n, n_slots;
    int64_t *slot;            /* position + 1, 0 free */
    uint64_t *hash;           /* of the slot's text */
    const char **at;          /* (cap,) text of a position */
    int64_t cap;
} gg__docids;
/* Adds the text at position n; *found is the position of an equal text added before, or -1. */
gg_status gg__docids_add(gg__docids *d, const char *docid, int64_t *found);
int64_t gg__docids_find(const gg__docids *d, const char *docid); /* -1: absent */
void gg__docids_free(gg__docids *d);

/* GG_EUNSUPPORTED: features are neither read from a file of this name nor written to it (.nag files are not asked). */
gg_status gg__nag_rows_may_hold(gg_context *ctx, const char *path);
/* Feature files by name: a folder stands for the .nag files in it, sorted by name. GG_ENOENT: it has none. Freed by gg__nag_files_free. */
typedef struct gg__nag_files {
    int n;
    char **path;
} gg__nag_files;
gg_status gg__nag_files_of(gg__nag_files *out, gg_context *ctx, const char *const *paths, int n_paths);
gg_status gg__nag_files_ending(gg__nag_files *out, gg_context *ctx, const char *const *paths, int n_paths, const char *ending /* ".nag" */);
void gg__nag_files_free(gg__nag_files *f, gg_context *ctx);

#define GG__NAG_SWAP(type, a, b) \
    do {                         \
        type swapped_ = (a);     \
        (a) = (b);               \
        (b) = swapped_;          \
    } while (0)

/* --- rows of a payload, picked out (rank_write.c) ------------------------------------------------------------------------------- */
/* Rows of the documents that the rankings chose, of all that they hold, of those at both ends: read once, in the payload's order, and kept in
 * a file beside `beside` ("-": in the folder for such) that nobody sees; memory is 56 bytes a row and never the texts. Without a payload: none. */
typedef struct gg__nag_rows gg__nag_rows;
enum { GG__NAG_ROWS_CHOSEN = 1, GG__NAG_ROWS_ALL = 2, GG__NAG_ROWS_ENDS = 4 };
gg_status gg__nag_rows_open(gg__nag_rows **out, gg_context *ctx, const gg_nag_rank_options *o, gg_nag_ranking *const *r, int n, int which, const char *beside);
/* A new reference; NULL (and GG_OK) when there is no payload or it has no such row. */
gg_status gg__nag_rows_get(json_t **row, gg__nag_rows *rows, const char *docid);
void gg__nag_rows_close(gg__nag_rows *rows);
gg_status gg__nag_rankings_write(gg_nag_ranking *const *r, int n, gg__nag_rows *rows, const char *const *path, bool all);

/* Adds v, which is taken whatever comes. A list or an object that could not take it is freed and NULL from then on, which jansson refuses in
 * its turn, so that a summary is whole or NULL in the end. */
static inline void gg_json_add(json_t **list, json_t *v)
{
    if (json_array_append_new(*list, v) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}
static inline void gg_json_put(json_t **object, const char *key, json_t *v)
{
    if (json_object_set_new(*object, key, v) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

json_t *gg__nag_header_json(const gg_nag_header *h); /* a new reference, NULL: out of memory */
/* gg_nag_header_match for files of many units, read more than once: what is only a warning is said of the first pair, and then *told is true. */
gg_status gg__nag_header_match(bool *told, gg_context *ctx, const gg_nag_header *a, const char *path_a, const gg_nag_header *b, const char *path_b,
                               gg_nag_type t);

/* --- parts of a larger whole (shards.c, merge_shards.c) ---------------------------------------------------------------------- */
/* A .nag that holds some units of a larger input says so in its header, as "units":
 *     of              units of the whole          bytes           a unit's size, as asked for
 *     plan            16 digits: how the input was cut, and its columns
 *     text_column id_column token_column          as asked for; absent: not asked
 *     held            numbers of the units in this file, rising
 *     counts          their documents; absent for one
 *     input source from to                        of one: SHA-256 of its input, file, bytes or row groups */
gg_status gg__nag_writer_open_units(gg_nag_writer **out, gg_context *ctx, const char *path, const gg_nag_header *h, json_t *units /* NULL: none */);
json_t *gg__nag_reader_units(const gg_nag_reader *r); /* borrowed; NULL: none */
/* Documents that the footer promises, before anything is read; -1: there is no whole footer. A disk that fails is a failure. */
gg_status gg__nag_reader_promised(int64_t *n, const gg_nag_reader *r);
/* A .nag's name, given late: in the folder that it was opened in. */
gg_status gg__nag_writer_becomes(gg_nag_writer *w, const char *path);
/* SHA-256 of a source's bytes and columns, found when it is needed: of a large source that takes seconds, and the documents need not wait for it. */
typedef struct gg__nag_seal {
    gg_context *ctx;
    const gg_nag_source *source;
    gg_beside *beside;
    char hex[65]; /* "": not known yet */
} gg__nag_seal;
gg_status gg__nag_seal_begin(gg__nag_seal *s); /* on a thread beside */
gg_status gg__nag_seal_wait(gg__nag_seal *s);  /* hex is there, whoever found it */
void gg__nag_seal_drop(gg__nag_seal *s);
gg_status gg__nag_key_sealed(char key[17], const gg_nag_header *h, gg__nag_seal *s); /* gg_nag_key */
/* Standard input or a pipe is among the paths: it cannot be read twice. */
bool gg__nag_source_is_stream(const gg_nag_source *source);
/* gg_nag_extract_file for who holds the lock. seal: of the documents' source, for the work beside the output, NULL: keep none.
 * units: as for gg__nag_writer_open_units; "input" of it is filled in. */
gg_status gg__nag_extract_held(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, gg_documents *documents, const char *path, gg__nag_seal *seal,
                               json_t *units, const gg_nag_extract_options *o);
/* gg_nag_extract_file with the source's seal, so that it is hashed once. */
gg_status gg__nag_extract_sealed(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const char *path, gg__nag_seal *seal,
                                 const gg_nag_extract_options *o);
/* Removes what a process left that died right after PATH was whole: its lock, the work beside it. */
void gg__nag_tidy(gg_context *ctx, const char *path);
/* GG_OK when features of both belong to one run: same model, options and cut; else GG_EMISMATCH with all that differs. */
gg_status gg__nag_units_match(gg_context *ctx, const char *path, const gg_nag_header *there, const json_t *units_there, const gg_nag_header *now,
                              const json_t *units_now, const char *advice);
void gg__nag_result_add(gg_nag_extract_result *sum, const gg_nag_extract_result *r);

/* Documents of the source when it is small enough to count them first, else -1. Finds its mistakes before the model is run. */
gg_status gg__nag_count(int64_t *out, gg_context *ctx, const gg_nag_source *source);
bool gg__nag_is_binary(const char *path); /* by the name: .nag */
gg_status gg__nag_is_partial(bool *out, gg_context *ctx, const char *path); /* by the name: .rank, or a folder that holds such and no .nag */
void gg__nag_describe(gg_str *out, const gg_nag_header *h, const char *path, gg_nag_type t);

/* Entry j of the lists of site s, whatever its bytes; the largest of n. */
static inline int64_t gg__nag_index(const gg_nag_features *f, int s, int64_t j)
{
    return f->index_bytes == 2 ? ((const uint16_t *)f->index[s])[j] : ((const uint32_t *)f->index[s])[j];
}
uint32_t gg__nag_largest(const void *index, int index_bytes, int64_t n);

/* --- reading block by block (features_read.c) --------------------------------------------------------------------------------- */
typedef struct gg__nag_block {
    gg_nag_features f;           /* valid until the block is claimed again */
    int64_t first;               /* number of its first document in the file */
    uint32_t top[GG_NAG_TYPES];  /* the largest index of each site */
    gg_nag_reader *r;
    uint64_t at, docid_bytes, body_bytes, checksum;
    uint8_t *body;
    size_t cap;
    const char **docid;
    int64_t *n_scored, docid_cap;
} gg__nag_block;
/* The next block of the file for b: one thread at a time. GG_END after the last, GG_EFORMAT when the file is damaged. */
gg_status gg__nag_block_claim(gg_nag_reader *r, gg__nag_block *b);
/* Its documents: any thread. names_only: docids and token counts are read, unchecked, and no more. */
gg_status gg__nag_block_read(gg__nag_block *b, bool names_only);
void gg__nag_block_free(gg__nag_block *b, gg_context *ctx);
int64_t gg__nag_reader_position(const gg_nag_reader *r); /* documents claimed so far */
/* False for row files, whose batches live in the reader: the next claim ends them. */
bool gg__nag_reader_is_shared(const gg_nag_reader *r);

/* --- distances to many profiles (distance.c) ------------------------------------------------------------------------------------ */
typedef struct gg__nag_table gg__nag_table;
/* Profiles of equal layers and K, n_profiles >= 1. Copies the weights. */
gg_status gg__nag_table_create(gg__nag_table **out, gg_context *ctx, const gg_nag_profile *const *profile, int n_profiles);
void gg__nag_table_free(gg__nag_table *t);
typedef struct gg__nag_lists { /* of n documents, (n, n_layers, top_k), no index above the table's width */
    const void *index;
    int64_t n;
    int index_bytes;
} gg__nag_lists;
/* The lists of site s: those of f, or a copy in scratch (grown, freed by gg_drop) when top, their largest index, is beyond the table. */
gg_status gg__nag_lists_of(gg__nag_lists *out, void **scratch, int64_t *cap, const gg__nag_table *t, const gg_nag_features *f, int s, uint32_t top);
/* Distances of all documents of the lists to all profiles; never allocates. out: gg__nag_table_numbers(t, n), 64-byte aligned, n all documents; profile p's
 * stand at gg__nag_table_column, stride apart. The bits are those of gg_nag_distance. Fastest with gg__nag_table_batch documents and more at once. */
void gg__nag_table_distance(double *out, const gg__nag_table *t, const gg__nag_lists *list, int n_lists);
int64_t gg__nag_table_numbers(const gg__nag_table *t, int64_t n);
const double *gg__nag_table_column(int64_t *stride, const gg__nag_table *t, const double *out, int64_t n, int p);
int64_t gg__nag_table_batch(const gg__nag_table *t);
enum { GG__NAG_PLAIN, GG__NAG_AVX2, GG__NAG_AVX512, GG__NAG_ISAS };
bool gg__nag_table_force(gg__nag_table *t, int isa); /* for tests; false: this processor does not have it */

/* readers and writers of rows, used by features.c */
typedef struct gg__row_reader gg__row_reader;
gg_status gg__row_reader_open(gg__row_reader **out, gg_nag_header *h, gg_context *ctx, const char *path, int n_layers);
gg_status gg__row_reader_next(gg__row_reader *r, gg_nag_features *f);
void gg__row_reader_close(gg__row_reader *r);
gg_status gg__row_write(gg_rows_writer *w, const gg_nag_header *h, const gg_nag_features *f, gg_context *ctx);

#endif
