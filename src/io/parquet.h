/* Parquet: what the rest of io asks of it, and the door to Arrow.
 *
 * parquet.c is always built. parquet_arrow.cc, the only C++ of golgi, is built where config.mk names Arrow (GG_HAVE_ARROW). Nothing of Arrow's crosses this
 * door: no exception, no memory, no type; rows come and go as jansson objects.
 */
#ifndef GG_IO_PARQUET_H
#define GG_IO_PARQUET_H
#include <golgi/rows.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- for rows_write.c --------------------------------------------------------------------------------------------- */

struct gg_out;

/* Fails with what to do in a build without Arrow. */
gg_status gg_parquet_unsupported(gg_context *ctx, const char *path);

/* The first rows (1024, or fewer that fill 32 MB) make the schema; bytes go to out as row groups fill. */
typedef struct gg_parquet_writer gg_parquet_writer;
gg_status gg_parquet_writer_open(gg_parquet_writer **w, gg_context *ctx, struct gg_out *out, const char *name);
gg_status gg_parquet_writer_add(gg_parquet_writer *w, const json_t *row);
gg_status gg_parquet_writer_finish(gg_parquet_writer *w); /* frees w */
void gg_parquet_writer_discard(gg_parquet_writer *w);

/* --- for parts.c --------------------------------------------------------------------------------------------------- */

/* Where the row groups of a file stand: bytes [from, to) each. Freed by gg_drop. */
typedef struct gg_parquet_group {
    int64_t from, to;
} gg_parquet_group;
gg_status gg_parquet_groups(gg_parquet_group **out, int64_t *n, gg_context *ctx, const char *path);

/* --- the door: implemented in parquet_arrow.cc, called by parquet.c alone ------------------------------------------- */

typedef struct gg_arrow_error {
    char text[400];
} gg_arrow_error;

typedef struct gg_arrow_reader gg_arrow_reader;
/* part.to = 0: all row groups */
gg_status gg_arrow_reader_open(gg_arrow_reader **out, const char *path, gg_rows_part part, gg_arrow_error *e);
gg_status gg_arrow_reader_next(gg_arrow_reader *r, json_t **row, int64_t *repaired, gg_arrow_error *e); /* GG_END: no more */
int64_t gg_arrow_reader_rows(const gg_arrow_reader *r); /* in all */
gg_status gg_arrow_groups(const char *path, gg_status (*each)(void *user, int64_t from, int64_t to), void *user, gg_arrow_error *e);
void gg_arrow_reader_close(gg_arrow_reader *r);

typedef gg_status (*gg_arrow_sink)(void *user, const void *data, size_t n);
typedef struct gg_arrow_writer gg_arrow_writer;
gg_status gg_arrow_writer_open(gg_arrow_writer **out, gg_arrow_sink sink, void *user, gg_arrow_error *e);
gg_status gg_arrow_writer_add(gg_arrow_writer *w, const json_t *row, gg_arrow_error *e);
gg_status gg_arrow_writer_finish(gg_arrow_writer *w, gg_arrow_error *e); /* does not free */
void gg_arrow_writer_free(gg_arrow_writer *w);

#ifdef __cplusplus
}
#endif
#endif
