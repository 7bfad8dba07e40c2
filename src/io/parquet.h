/* Parquet: what the rest of io asks of it, and what the C++ shim gives.
 *
 * parquet.c is always built; parquet_arrow.cc, the only C++ of golgi, only where Arrow is (GG_ARROW, see the Makefile). No exception leaves the shim and no
 * memory of Arrow's crosses it: rows come and go as jansson objects.
 */
#ifndef GG_IO_PARQUET_H
#define GG_IO_PARQUET_H
#include <golgi/rows.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gg_out;

/* Fails with what to do in a build without Arrow. */
gg_status gg_parquet_unsupported(gg_context *ctx, const char *path);

/* Writing: rows are gathered, their first ones make the schema, bytes go to out as row groups fill. */
typedef struct gg_parquet_writer gg_parquet_writer;
gg_status gg_parquet_writer_open(gg_parquet_writer **w, gg_context *ctx, struct gg_out *out, const char *name);
gg_status gg_parquet_writer_add(gg_parquet_writer *w, const json_t *row);
gg_status gg_parquet_writer_finish(gg_parquet_writer *w); /* frees w */
void gg_parquet_writer_discard(gg_parquet_writer *w);

#ifdef __cplusplus
}
#endif
#endif
