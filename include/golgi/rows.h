/* golgi/rows.h - tables of rows, read and written one at a time, whatever the format. Floor 3.
 *
 *     #include <golgi/rows.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_rows *in = NULL;
 *         json_t *row; // an object: column -> value
 *         gg_context_create(&ctx, NULL);
 *         gg_status s = gg_rows_open(&in, ctx, argc > 2 ? argv[2] : "pool.jsonl.zst");
 *         while (s == GG_OK && (s = gg_rows_next(in, &row)) == GG_OK) {
 *             puts(json_string_value(json_object_get(row, "docid")));
 *             json_decref(row);
 *         }
 *         gg_rows_close(in);
 *         gg_context_free(ctx);
 *         return s != GG_END;
 *     }
 *
 * Formats by name: .jsonl .ndjson .json(l) [.gz|.zst], .csv .tsv [.gz|.zst] (first line: column names; RFC 4180 quoting), .parquet (when built with Arrow),
 * a folder of .txt files (columns docid = path below the folder without the ending, doc), one .txt file, "-" (JSONL on standard input / output).
 * Streams: memory does not grow with the file. Text that is not UTF-8 becomes U+FFFD and is counted. Lone surrogates in JSON escapes likewise.
 * JSON: a key given twice has its last value; integers beyond 64 bits become doubles; NUL may be in texts (\u0000), not in keys; a line may be 1 GiB.
 * Compression is told by a file's first bytes; a name that promises another one, a stream cut off or damaged is GG_EFORMAT with the byte.
 * Parquet: NaN and infinities become null, dates and decimals texts, bytes texts.
 * Memory of the rows is jansson's (malloc), not the context's: rows outlive the source and are freed by json_decref alone.
 */
#ifndef GOLGI_ROWS_H
#define GOLGI_ROWS_H
#include <golgi/base.h>
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_rows gg_rows;
GG_API gg_status gg_rows_open(gg_rows **out, gg_context *ctx, const char *path);
/* A new reference to the next row, GG_END after the last. Failures name file and line ("pool.jsonl:17: ..."). CSV values are texts. */
GG_API gg_status gg_rows_next(gg_rows *r, json_t **row);
/* A part of a file. JSONL that is not compressed: bytes [from, to), both where a line begins (io/parts.h finds them). Parquet: row groups [from, to).
 * to = 0: all of it. Lines and rows of a part are counted from its start. GG_EUNSUPPORTED: no other format can be entered in its middle. */
typedef struct gg_rows_part {
    int64_t from, to;
} gg_rows_part;
GG_API gg_status gg_rows_open_part(gg_rows **out, gg_context *ctx, const char *path, gg_rows_part part);
GG_API void gg_rows_close(gg_rows *r);
/* False when gg_rows_next would wait for the other end of a pipe to write more. */
GG_API bool gg_rows_ready(gg_rows *r);
GG_API const char *gg_rows_path(const gg_rows *r);
GG_API int64_t gg_rows_line(const gg_rows *r);     /* line (or row, for Parquet) of the last row, from 1 */
GG_API int64_t gg_rows_repaired(const gg_rows *r); /* U+FFFD written so far */

typedef struct gg_rows_writer gg_rows_writer;
/* .jsonl .csv .tsv (each also .gz or .zst), .parquet or "-" (JSONL, flushed row by row). Whole or not at all. Doubles come back bit for bit. CSV: the first
 * row names the columns. Parquet: the first 1024 rows make the schema (texts, integers, doubles, booleans, lists, objects); a row
 * that does not fit is GG_EMISMATCH with row and column. */
GG_API gg_status gg_rows_writer_open(gg_rows_writer **out, gg_context *ctx, const char *path);
GG_API gg_status gg_rows_writer_add(gg_rows_writer *w, const json_t *row); /* does not keep row */
GG_API gg_status gg_rows_writer_commit(gg_rows_writer *w); /* frees w, whatever comes back */
GG_API void gg_rows_writer_discard(gg_rows_writer *w);

/* True when this build reads and writes Parquet. */
GG_API bool gg_rows_parquet(void);

/* --- documents: rows that have a text and an id ----------------------------------------------------------------- */
typedef struct gg_documents gg_documents;
typedef struct gg_documents_options {
    const char *text_column;  /* default: the first present of doc, text, content_split, content */
    const char *id_column;    /* default: the first present of docid, meta.docid, id */
    const char *token_column; /* default: token_num if present (then may be absent) */
    bool strict;              /* an empty document fails instead of being skipped */
    gg_rows_part part;        /* only this part of the one file; to = 0: all */
    int64_t remember;         /* docids that all later ones are compared with: the first so many; 0: 6,000,000, in at most 128 MiB */
} gg_documents_options;
typedef struct gg_document {
    int64_t index;     /* 0.. over all files, skipped documents not counted */
    const char *docid; /* whole numbers are turned into their decimal text, in row too */
    const char *text;  /* valid UTF-8; may hold NUL */
    size_t n_text;
    int64_t token_num; /* -1: no such column */
    json_t *row;       /* the whole row; borrowed: docid and text point into it, or live as long as it */
} gg_document;
/* Several files are read one after the other; each chooses its columns at its first row. Missing column: GG_ENOENT lists those present. Missing
 * docid (null, empty): GG_EFORMAT with the line. Duplicate docids: GG_EFORMAT with both lines (see remember). Dotted names reach into objects; a key of
 * that very name comes first. Token counts may be texts ("31", as CSV has them). */
GG_API gg_status gg_documents_open(gg_documents **out, gg_context *ctx, const char *const *paths, int n_paths, const gg_documents_options *o);
/* The caller json_decref's d->row when done with d. GG_END after the last. Not thread-safe: callers lock. */
GG_API gg_status gg_documents_next(gg_documents *s, gg_document *d);
/* False when gg_documents_next would wait for a pipe: what was read before need not wait with it. */
GG_API bool gg_documents_ready(gg_documents *s);
GG_API void gg_documents_close(gg_documents *s);
GG_API int64_t gg_documents_empty(const gg_documents *s);    /* skipped because empty or only white space */
GG_API const char *gg_documents_empty_list(const gg_documents *s); /* where they are: "a.jsonl:2, a.jsonl:9 and 7 more"; valid until the next call */
GG_API int64_t gg_documents_repaired(const gg_documents *s); /* U+FFFD written */
GG_API const char *gg_documents_path(const gg_documents *s); /* file of the last document */
GG_API int64_t gg_documents_line(const gg_documents *s);
/* Bytes of the files read so far and in all (0: unknown), for progress. */
GG_API void gg_documents_position(const gg_documents *s, int64_t *done, int64_t *total);

#ifdef __cplusplus
}
#endif
#endif
