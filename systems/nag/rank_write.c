/* What a ranking leaves: rows in its order, with the columns of the payload.
 *
 * The payload comes in its own order, the rows go out in that of the ranking, and neither fits in memory. So the payload is streamed once, the
 * rows that are wanted (of all targets) go into a file of their own one after the other, and are read back from their places.
 */
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"
#include "base/json.h"
#include "io/parts.h"
#include <stdlib.h>

struct gg__nag_rows {
    gg_context *ctx;
    bool none;        /* no payload */
    gg__docids ids;   /* texts are the rankings' */
    uint64_t *at;     /* (ids.n,) where the row's text begins */
    int64_t *length;  /* (ids.n,) its bytes; 0: not seen */
    gg_out *out;      /* the file: never committed */
    gg_in *in;
    char *text;       /* (cap,) */
    int64_t cap;
    gg_str json;      /* a row on its way out, or what its reader needs */
};

void gg__nag_rows_close(gg__nag_rows *rows)
{
    if (!rows)
        return;
    gg_in_close(rows->in);
    gg_out_discard(rows->out);
    gg__docids_free(&rows->ids);
    gg_drop(rows->ctx, rows->at);
    gg_drop(rows->ctx, rows->length);
    gg_drop(rows->ctx, rows->text);
    gg_str_free(&rows->json);
    gg_drop(rows->ctx, rows);
}

static gg_status want(gg__nag_rows *rows, const char *docid)
{
    int64_t found;
    if (rows->ids.n_slots && gg__docids_find(&rows->ids, docid) >= 0)
        return GG_OK;
    return gg__docids_add(&rows->ids, docid, &found);
}

static gg_status want_all(gg__nag_rows *rows, gg_nag_ranking *const *r, int n, int which)
{
    for (int t = 0; t < n; t++) {
        const int64_t written = which & GG__NAG_ROWS_ALL ? r[t]->n_rows : which & GG__NAG_ROWS_CHOSEN ? r[t]->n_selected : 0;
        for (int64_t i = 0; i < written; i++)
            GG_TRY(want(rows, r[t]->row[i].docid));
        for (int64_t i = 0; i < GG_NAG_ENDS && which & GG__NAG_ROWS_ENDS; i++) {
            const gg_nag_row *near = gg_nag_ranking_row(r[t], i), *far = gg_nag_ranking_row(r[t], r[t]->n - 1 - i);
            if (near)
                GG_TRY(want(rows, near->docid));
            if (far)
                GG_TRY(want(rows, far->docid));
        }
    }
    return GG_OK;
}

static gg_status keep_row(gg__nag_rows *rows, json_t *row)
{
    char number[32];
    const char *docid = gg__nag_docid(row, number);
    const int64_t i = docid ? gg__docids_find(&rows->ids, docid) : -1;
    if (i < 0 || rows->length[i])
        return GG_OK;
    rows->json.len = 0;
    gg_json_write(&rows->json, row, 0);
    if (rows->json.failed)
        return gg_fail(rows->ctx, GG_ENOMEM, "out of memory (row \"%s\" of the payload)", docid);
    rows->at[i] = gg_out_tell(rows->out);
    rows->length[i] = (int64_t)rows->json.len;
    return gg_out_write(rows->out, rows->json.data, rows->json.len);
}

static gg_status pick_file(gg__nag_rows *rows, const char *path)
{
    gg_rows *in = NULL;
    json_t *row;
    GG_TRY(gg_rows_open(&in, rows->ctx, path));
    gg_status st;
    while ((st = gg_rows_next(in, &row)) == GG_OK) {
        st = keep_row(rows, row);
        json_decref(row);
        if (st == GG_OK && gg_context_stopped(rows->ctx))
            st = gg_fail(rows->ctx, GG_EINTR, "stopped while reading %s; nothing was written", path);
        if (st != GG_OK)
            break;
    }
    gg_rows_close(in);
    return st == GG_END ? GG_OK : st;
}

static gg_status pick(gg__nag_rows *rows, const gg_nag_rank_options *o)
{
    gg_parts files;
    GG_TRY(gg_parts_list(&files, rows->ctx, o->payload, o->n_payload));
    gg_status st = GG_OK;
    for (int64_t i = 0; i < files.n && st == GG_OK; i++)
        st = pick_file(rows, files.at[i].path);
    gg_parts_free(&files, rows->ctx);
    GG_TRY(st);
    GG_TRY(gg_out_flush(rows->out));
    return gg_in_open(&rows->in, rows->ctx, gg_out_temporary(rows->out));
}

static gg_status open_file(gg__nag_rows *rows, const char *beside)
{
    const char *folder = getenv("TMPDIR");
    gg_str path = {.ctx = rows->ctx};
    if (strcmp(beside, "-") == 0)
        gg_str_printf(&path, "%s/golgi-rank", folder && *folder ? folder : "/tmp");
    else
        gg_str_puts(&path, beside);
    gg_str_puts(&path, ".rows");
    const gg_status st = path.failed ? GG_ENOMEM : gg_out_open(&rows->out, rows->ctx, path.data);
    gg_str_free(&path);
    return st;
}

gg_status gg__nag_rows_open(gg__nag_rows **out, gg_context *ctx, const gg_nag_rank_options *o, gg_nag_ranking *const *r, int n, int which, const char *beside)
{
    gg__nag_rows *rows = gg_new(ctx, gg__nag_rows, 1);
    if (!rows)
        return GG_ENOMEM;
    *rows = (gg__nag_rows){.ctx = ctx, .none = o->n_payload == 0, .ids = {.ctx = ctx}, .json = {.ctx = ctx}};
    gg_status st = rows->none ? GG_OK : want_all(rows, r, n, which);
    if (st == GG_OK && !rows->none && (!(rows->at = gg_new(ctx, uint64_t, rows->ids.n)) || !(rows->length = gg_new(ctx, int64_t, rows->ids.n))))
        st = GG_ENOMEM;
    if (st == GG_OK && !rows->none)
        st = open_file(rows, beside);
    if (st == GG_OK && !rows->none)
        st = pick(rows, o);
    if (st != GG_OK) {
        gg__nag_rows_close(rows);
        return st;
    }
    *out = rows;
    return GG_OK;
}

gg_status gg__nag_rows_get(json_t **row, gg__nag_rows *rows, const char *docid)
{
    *row = NULL;
    const int64_t i = rows->none ? -1 : gg__docids_find(&rows->ids, docid);
    if (i < 0 || rows->length[i] == 0)
        return GG_OK;
    if (rows->cap < rows->length[i]) {
        gg_drop(rows->ctx, rows->text);
        rows->cap = 0;
        if (!(rows->text = gg_alloc(rows->ctx, (size_t)rows->length[i])))
            return GG_ENOMEM;
        rows->cap = rows->length[i];
    }
    GG_TRY(gg_in_read_at(rows->in, rows->text, (size_t)rows->length[i], rows->at[i]));
    gg_json_error e;
    return gg_json_parse(row, &rows->json, rows->text, (size_t)rows->length[i], &(int64_t){0}, &e);
}

/* --- rankings ------------------------------------------------------------------------------------------------------------------ */
static gg_status write_row(const gg_nag_ranking *r, gg_rows_writer *w, const gg_nag_row *x, gg__nag_rows *rows)
{
    json_t *row = NULL;
    if (rows->none)
        row = json_pack("{s:s, s:I}", "docid", x->docid, "token_num", (json_int_t)x->token_num);
    else {
        GG_TRY(gg__nag_rows_get(&row, rows, x->docid));
        if (!row)
            return gg_fail(r->ctx, GG_EMISMATCH, "the payload changed while it was used: \"%s\" is gone", x->docid);
    }
    bool ok = row && json_object_set_new(row, "nag_distance", json_real(x->distance)) == 0;
    if (r->combined)
        ok = ok && json_object_set_new(row, "combined_score", json_real(x->score)) == 0;
    const gg_status st = ok ? gg_rows_writer_add(w, row) : gg_fail(r->ctx, GG_ENOMEM, "out of memory (row \"%s\")", x->docid);
    json_decref(row);
    return st;
}

static gg_status write_ranking(gg_rows_writer **out, const gg_nag_ranking *r, gg__nag_rows *rows, const char *path, bool all)
{
    if (all && r->n_rows < r->n)
        return gg_fail(r->ctx, GG_EINVAL, "%s: the whole ranking was asked for, and only the %lld chosen rows are held", path, (long long)r->n_rows);
    GG_TRY(gg_rows_writer_open(out, r->ctx, path));
    for (int64_t i = 0; i < (all ? r->n_rows : r->n_selected); i++) {
        GG_TRY(write_row(r, *out, &r->row[i], rows));
        if (gg_context_stopped(r->ctx))
            return gg_fail(r->ctx, GG_EINTR, "stopped; nothing was written");
    }
    return GG_OK;
}

/* All are written before the first gets its name, so that a full disk leaves the old files or none. */
gg_status gg__nag_rankings_write(gg_nag_ranking *const *r, int n, gg__nag_rows *rows, const char *const *path, bool all)
{
    gg_context *ctx = r[0]->ctx;
    gg_rows_writer **w = gg_new(ctx, gg_rows_writer *, n);
    gg_status st = w ? GG_OK : GG_ENOMEM;
    for (int t = 0; t < n && st == GG_OK; t++)
        st = write_ranking(&w[t], r[t], rows, path[t], all);
    for (int t = 0; w && t < n; t++)
        if (w[t] && st == GG_OK)
            st = gg_rows_writer_commit(w[t]);
        else if (w[t])
            gg_rows_writer_discard(w[t]);
    gg_drop(ctx, w);
    return st;
}

gg_status gg_nag_rankings_write(gg_nag_ranking *const *r, int n, const gg_nag_rank_options *o, const char *const *path, bool all)
{
    gg__nag_rows *rows = NULL;
    GG_TRY(gg__nag_rows_open(&rows, r[0]->ctx, o, r, n, all ? GG__NAG_ROWS_ALL : GG__NAG_ROWS_CHOSEN, path[0]));
    const gg_status st = gg__nag_rankings_write(r, n, rows, path, all);
    gg__nag_rows_close(rows);
    return st;
}

gg_status gg_nag_ranking_write(const gg_nag_ranking *r, const gg_nag_rank_options *o, const char *path, bool all)
{
    gg_nag_ranking *const one = (gg_nag_ranking *)(uintptr_t)r;
    return gg_nag_rankings_write(&one, 1, o, &path, all);
}
