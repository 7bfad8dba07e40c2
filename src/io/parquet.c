/* Parquet rows: golgi's side of the door to Arrow, and what a build without Arrow says. */
#include "io/parquet.h"
#include "base/file.h"
#include "base/input.h"
#include "base/memory.h"
#include "io/formats.h"

gg_status gg_parquet_unsupported(gg_context *ctx, const char *path)
{
    return gg_fail(ctx, GG_EUNSUPPORTED, "%s: this golgi was built without Arrow and knows no Parquet; run tools/setup and build again, or use .jsonl", path);
}

#ifdef GG_HAVE_ARROW

bool gg_rows_parquet(void) { return true; }

typedef struct parquet_state {
    gg_arrow_reader *reader;
    int64_t bytes, n_rows;
} parquet_state;

static gg_status parquet_open(gg_rows *r)
{
    parquet_state *p = gg_new(r->ctx, parquet_state, 1);
    if (!p)
        return GG_ENOMEM;
    r->state = p;
    if (!gg_file_exists(r->path))
        return gg_fail(r->ctx, GG_ENOENT, "%s: no such file", r->path);
    gg_arrow_error e = {{0}};
    gg_status s = gg_arrow_reader_open(&p->reader, r->path, r->part, &e);
    if (s != GG_OK)
        return gg_fail(r->ctx, s, "%s: %s", r->path, e.text);
    p->bytes = gg_file_size(r->path);
    p->n_rows = gg_arrow_reader_rows(p->reader);
    return GG_OK;
}

static gg_status parquet_next(gg_rows *r, json_t **row)
{
    parquet_state *p = r->state;
    gg_arrow_error e = {{0}};
    gg_status s = gg_arrow_reader_next(p->reader, row, &r->repaired, &e);
    if (s == GG_OK)
        r->line++;
    else if (s != GG_END)
        return gg_fail(r->ctx, s, "%s: after row %lld of %lld: %s", r->path, (long long)r->line, (long long)p->n_rows, e.text);
    return s;
}

static void parquet_close(gg_rows *r)
{
    parquet_state *p = r->state;
    if (!p)
        return;
    gg_arrow_reader_close(p->reader);
    gg_drop(r->ctx, p);
}

/* Rows stand for bytes: how far Arrow has read is not known, and columns are read side by side anyway. */
static void parquet_position(const gg_rows *r, int64_t *done, int64_t *total)
{
    const parquet_state *p = r->state;
    *total = p->bytes;
    *done = p->n_rows > 0 && r->line < p->n_rows ? (int64_t)((double)p->bytes * (double)r->line / (double)p->n_rows) : p->bytes;
}

typedef struct group_list {
    gg_context *ctx;
    gg_parquet_group *at;
    int64_t n, cap;
} group_list;

static gg_status keep_group(void *user, int64_t from, int64_t to)
{
    group_list *l = user;
    GG_TRY(gg_grow(l->ctx, &l->at, l->n, &l->cap, 16));
    l->at[l->n++] = (gg_parquet_group){from, to};
    return GG_OK;
}

gg_status gg_parquet_groups(gg_parquet_group **out, int64_t *n, gg_context *ctx, const char *path)
{
    group_list l = {.ctx = ctx};
    gg_arrow_error e = {{0}};
    const gg_status s = gg_arrow_groups(path, keep_group, &l, &e);
    if (s != GG_OK) {
        gg_drop(ctx, l.at);
        return e.text[0] ? gg_fail(ctx, s, "%s: %s", path, e.text) : s;
    }
    *out = l.at;
    *n = l.n;
    return GG_OK;
}

struct gg_parquet_writer {
    gg_context *ctx;
    const char *name; /* the caller's */
    gg_arrow_writer *writer;
};

static gg_status to_out(void *out, const void *data, size_t n) { return gg_out_write(out, data, n); }

/* A failed gg_out has left its own message; Arrow's would only say that writing failed. */
static gg_status fail_writer(gg_parquet_writer *w, gg_status s, const gg_arrow_error *e)
{
    return e->text[0] ? gg_fail(w->ctx, s, "%s: %s", w->name, e->text) : s;
}

gg_status gg_parquet_writer_open(gg_parquet_writer **out, gg_context *ctx, gg_out *file, const char *name)
{
    *out = NULL;
    gg_parquet_writer *w = gg_new(ctx, gg_parquet_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg_parquet_writer){.ctx = ctx, .name = name};
    gg_arrow_error e = {{0}};
    gg_status s = gg_arrow_writer_open(&w->writer, to_out, file, &e);
    if (s != GG_OK) {
        s = fail_writer(w, s, &e);
        gg_drop(ctx, w);
        return s;
    }
    *out = w;
    return GG_OK;
}

gg_status gg_parquet_writer_add(gg_parquet_writer *w, const json_t *row)
{
    gg_arrow_error e = {{0}};
    gg_status s = gg_arrow_writer_add(w->writer, row, &e);
    return s == GG_OK ? s : fail_writer(w, s, &e);
}

gg_status gg_parquet_writer_finish(gg_parquet_writer *w)
{
    gg_arrow_error e = {{0}};
    gg_status s = gg_arrow_writer_finish(w->writer, &e);
    if (s != GG_OK)
        fail_writer(w, s, &e);
    gg_parquet_writer_discard(w);
    return s;
}

void gg_parquet_writer_discard(gg_parquet_writer *w)
{
    gg_arrow_writer_free(w->writer);
    gg_drop(w->ctx, w);
}

#else

bool gg_rows_parquet(void) { return false; }

static gg_status parquet_open(gg_rows *r) { return gg_parquet_unsupported(r->ctx, r->path); }
static gg_status parquet_next(gg_rows *r, json_t **row)
{
    (void)row;
    return gg_parquet_unsupported(r->ctx, r->path);
}
static void parquet_close(gg_rows *r) { (void)r; }
static void parquet_position(const gg_rows *r, int64_t *done, int64_t *total) { (void)r, (void)done, (void)total; }

gg_status gg_parquet_groups(gg_parquet_group **out, int64_t *n, gg_context *ctx, const char *path)
{
    (void)out, (void)n;
    return gg_parquet_unsupported(ctx, path);
}

/* Never reached: rows_write.c asks gg_rows_parquet first. */
gg_status gg_parquet_writer_open(gg_parquet_writer **w, gg_context *ctx, gg_out *out, const char *name)
{
    (void)w, (void)out;
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

#endif

const gg_format gg_format_parquet = {parquet_open, parquet_next, parquet_close, parquet_position, NULL};
