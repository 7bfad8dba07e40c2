/* JSON Lines: one object a line. Blank lines are passed over, a last line without its end is whole, CR LF is fine.
 * Trap: people give .json files that hold one list; the message says how to turn it into lines. */
#include "io/formats.h"
#include "base/memory.h"

static gg_status jsonl_open(gg_rows *r)
{
    gg_str *scratch = gg_new(r->ctx, gg_str, 1);
    if (!scratch)
        return GG_ENOMEM;
    *scratch = (gg_str){.ctx = r->ctx};
    r->state = scratch;
    if (r->part.to)
        GG_TRY(gg_stream_open_range(&r->stream, r->ctx, r->path, r->part.from, r->part.to));
    else
        GG_TRY(gg_stream_open(&r->stream, r->ctx, r->path));
    return r->part.from ? GG_OK : gg_stream_skip_bom(r->stream);
}

/* The next line without its end; the bytes to take with it in *n_take. GG_END behind the last. */
static gg_status next_line(gg_window *line, size_t *n_take, gg_stream *stream)
{
    gg_window w;
    gg_stream_window(&w, stream);
    size_t searched = 0;
    for (;;) {
        const char *end = w.n > searched ? memchr(w.data + searched, '\n', w.n - searched) : NULL;
        if (end) {
            *line = (gg_window){w.data, (size_t)(end - w.data), false};
            *n_take = line->n + 1;
            return GG_OK;
        }
        if (w.end) {
            *line = w;
            *n_take = w.n;
            return w.n > 0 ? GG_OK : GG_END;
        }
        searched = w.n;
        GG_TRY(gg_stream_more(&w, stream));
    }
}

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
            return false;
    return true;
}

static gg_status jsonl_next(gg_rows *r, json_t **row)
{
    gg_window line;
    size_t n_take;
    do {
        gg_status s = next_line(&line, &n_take, r->stream);
        if (s != GG_OK)
            return s == GG_END || r->line == 0 ? s : gg_fail_prefix(r->ctx, s, "after line %lld", (long long)r->line);
        r->line++;
        gg_stream_take(r->stream, n_take);
    } while (is_blank(line.data, line.n));

    gg_json_error error;
    gg_status s = gg_json_parse(row, r->state, line.data, line.n, &r->repaired, &error);
    const char *hint = r->line == 1 && line.data[0] == '[' ? "; a file that is one list becomes lines with: jq -c '.[]'" : "";
    if (s == GG_EFORMAT)
        return gg_fail(r->ctx, s, "%s:%lld: not a JSON object: %s near column %lld%s", r->name, (long long)r->line, error.what,
                       (long long)error.column, hint);
    if (s == GG_OK && !json_is_object(*row)) {
        const char *kind = gg_json_kind(*row);
        json_decref(*row);
        *row = NULL;
        return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: not a JSON object but %s%s", r->name, (long long)r->line, kind, hint);
    }
    return s;
}

static void jsonl_close(gg_rows *r)
{
    if (!r->state)
        return;
    gg_str_free(r->state);
    gg_drop(r->ctx, r->state);
}

static void jsonl_position(const gg_rows *r, int64_t *done, int64_t *total) { gg_stream_position(r->stream, done, total); }

/* A whole line is there, or the end, or a failure to be told. Blank lines are passed over here too: behind them there may be nothing yet. */
static bool jsonl_ready(gg_rows *r)
{
    gg_window w;
    size_t searched = 0;
    gg_stream_window(&w, r->stream);
    while (!w.end) {
        const char *end = w.n > searched ? memchr(w.data + searched, '\n', w.n - searched) : NULL;
        if (end && !is_blank(w.data, (size_t)(end - w.data)))
            return true;
        if (end) {
            r->line++;
            gg_stream_take(r->stream, (size_t)(end - w.data) + 1);
            gg_stream_window(&w, r->stream);
            searched = 0;
            continue;
        }
        searched = w.n;
        if (!gg_stream_ready(r->stream))
            return false;
        if (gg_stream_more(&w, r->stream) != GG_OK)
            return true;
    }
    return true;
}

const gg_format gg_format_jsonl = {jsonl_open, jsonl_next, jsonl_close, jsonl_position, jsonl_ready};
