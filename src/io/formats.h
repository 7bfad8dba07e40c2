/* What a row format gives to rows.c. Each format is one file: jsonl.c, csv.c, textfolder.c, parquet.c. */
#ifndef GG_IO_FORMATS_H
#define GG_IO_FORMATS_H
#include <golgi/rows.h>
#include "base/json.h"
#include "io/stream.h"

typedef struct gg_format {
    /* Opens r->path; may leave r->state half made on failure: close is called then too. */
    gg_status (*open)(gg_rows *r);
    gg_status (*next)(gg_rows *r, json_t **row); /* sets r->line, adds to r->repaired */
    void (*close)(gg_rows *r);
    void (*position)(const gg_rows *r, int64_t *done, int64_t *total); /* bytes; total 0: unknown */
    bool (*ready)(gg_rows *r);                                        /* NULL: always */
} gg_format;

struct gg_rows {
    gg_context *ctx;
    char *path;       /* as given; "-" for standard input */
    char *part_name;  /* of a part; else NULL */
    const char *name; /* for messages: the path, "standard input", the part's name, or the text file in a folder */
    const gg_format *format;
    gg_rows_part part; /* to = 0: all */
    void *state;      /* the format's own */
    gg_stream *stream; /* of the formats that read one; closed by rows.c */
    int64_t line, repaired;
    gg_status failed; /* after a failure every further call gives it again */
};

extern const gg_format gg_format_jsonl, gg_format_csv, gg_format_text, gg_format_parquet;

gg_status gg_rows_open_as(gg_rows **out, gg_context *ctx, const char *path, const gg_format *format, gg_rows_part part);

/* CSV and TSV by fields, for tables of numbers: no object is made of a row. Closed by gg_rows_close. no_names: the first line is a row, and the columns
 * are called 1, 2, ... */
gg_status gg_csv_open(gg_rows **out, gg_context *ctx, const char *path, bool no_names);
int64_t gg_csv_columns(const gg_rows *r);
const char *gg_csv_name(const gg_rows *r, int64_t k);
gg_status gg_csv_next(gg_rows *r); /* GG_END behind the last; r->line is its line */
const char *gg_csv_field(size_t *n, const gg_rows *r, int64_t k); /* of the row: n bytes as they are in the file, valid until the next */

/* Is a file of this name taken for rows? .txt and folders are not. */
bool gg_rows_are_named(const char *path);
/* Bytes read of all of this source, for progress. */
void gg_rows_position(const gg_rows *r, int64_t *done, int64_t *total);
#endif
