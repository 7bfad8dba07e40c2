/* The values of a table as texts, row after row, whatever file it is in: CSV and TSV by their fields, JSONL and Parquet by the names in their first row. */
#ifndef GG_NN_CELLS_H
#define GG_NN_CELLS_H
#include "base/memory.h"
#include <golgi/rows.h>

typedef struct gg__cells {
    gg_context *ctx;
    gg_rows *rows;
    bool fields;        /* CSV or TSV */
    json_t *row;        /* the row at hand, of the others */
    bool pending;       /* it was read for its names, and is the next */
    const char **names; /* (n_columns,) of the others */
    gg_arena arena;
    int64_t n_columns;
    gg_str text;        /* the texts of row, end to end */
    size_t *ends;       /* (n_columns,) */
} gg__cells;

/* no_names: the first line of a CSV file is a row; columns are called 1, 2, ... Closed by gg__cells_close, also when this fails. */
gg_status gg__cells_open(gg__cells *c, gg_context *ctx, const char *path, bool no_names);
void gg__cells_close(gg__cells *c);
const char *gg__cells_name(const gg__cells *c, int64_t k);
gg_status gg__cells_next(gg__cells *c); /* GG_END behind the last row */
/* Column k of the row at hand, n bytes, valid until the next row; nothing and null are "", true and false 1 and 0. */
const char *gg__cells_at(size_t *n, const gg__cells *c, int64_t k);
int64_t gg__cells_line(const gg__cells *c);
#endif
