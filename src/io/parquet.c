/* Parquet without Arrow: what a build says that cannot read it. */
#include "io/parquet.h"
#include "base/memory.h"
#include "io/formats.h"

gg_status gg_parquet_unsupported(gg_context *ctx, const char *path)
{
    return gg_fail(ctx, GG_EUNSUPPORTED, "%s: this golgi was built without Arrow and knows no Parquet; run tools/setup and build again, or use .jsonl", path);
}

bool gg_rows_parquet(void) { return false; }

static gg_status parquet_open(gg_rows *r) { return gg_parquet_unsupported(r->ctx, r->path); }
static gg_status parquet_next(gg_rows *r, json_t **row)
{
    (void)row;
    return gg_parquet_unsupported(r->ctx, r->path);
}
static void parquet_close(gg_rows *r) { (void)r; }
static void parquet_position(const gg_rows *r, int64_t *done, int64_t *total) { (void)r, (void)done, (void)total; }
const gg_format gg_format_parquet = {parquet_open, parquet_next, parquet_close, parquet_position};

gg_status gg_parquet_writer_open(gg_parquet_writer **w, gg_context *ctx, struct gg_out *out, const char *name)
{
    (void)out;
    *w = NULL;
    return gg_parquet_unsupported(ctx, name);
}
gg_status gg_parquet_writer_add(gg_parquet_writer *w, const json_t *row)
{
    (void)w, (void)row;
    return GG_EUNSUPPORTED;
}
gg_status gg_parquet_writer_finish(gg_parquet_writer *w)
{
    (void)w;
    return GG_EUNSUPPORTED;
}
void gg_parquet_writer_discard(gg_parquet_writer *w) { (void)w; }
