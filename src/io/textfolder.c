/* Text files as rows: a folder's .txt files in the order of their paths, or one .txt[.gz|.zst] file. A row has docid (the path below the
 * folder, or the file's own name, without the ending) and doc. One file is in memory at a time; of a folder also the names. */
#include "io/formats.h"
#include "base/file.h"
#include "base/input.h"
#include "base/memory.h"
#include "base/utf8.h"

typedef struct text_state {
    gg_folder folder; /* empty for a single file */
    bool is_folder, given;
    int64_t at;         /* next file */
    int64_t bytes_done; /* of the files before it */
    char *name;         /* of the file last opened */
} text_state;

static gg_status text_open(gg_rows *r)
{
    text_state *t = gg_new(r->ctx, text_state, 1);
    if (!t)
        return GG_ENOMEM;
    r->state = t;
    t->is_folder = gg_file_is_folder(r->path);
    if (!t->is_folder)
        return gg_stream_open(&r->stream, r->ctx, r->path);
    GG_TRY(gg_folder_list(&t->folder, r->ctx, r->path, ".txt"));
    if (t->folder.n == 0)
        return gg_fail(r->ctx, GG_ENOENT, "%s: no .txt file in this folder or below it", r->path);
    return GG_OK;
}

/* The whole stream as one row. */
static gg_status make_row(gg_rows *r, json_t **row, const char *docid)
{
    GG_TRY(gg_stream_skip_bom(r->stream));
    gg_window w;
    gg_stream_window(&w, r->stream);
    while (!w.end)
        GG_TRY(gg_stream_more(&w, r->stream));
    char *fixed[2] = {NULL, NULL};
    const char *text[2] = {docid, w.data};
    size_t n[2] = {strlen(docid), w.n};
    gg_status s = GG_OK;
    for (int i = 0; i < 2 && s == GG_OK; i++) {
        if (gg_utf8_is_valid(text[i], n[i]))
            continue;
        fixed[i] = gg_alloc(r->ctx, gg_mul(3, (int64_t)n[i]));
        if (!fixed[i])
            s = GG_ENOMEM;
        else
            r->repaired += gg_utf8_repair(fixed[i], &n[i], text[i], n[i]);
        text[i] = fixed[i];
    }
    if (s == GG_OK) {
        json_t *o = json_object();
        /* the setters take the new value, also when they fail */
        if (o && json_object_set_new_nocheck(o, "docid", json_stringn_nocheck(text[0], n[0])) == 0 &&
            json_object_set_new_nocheck(o, "doc", json_stringn_nocheck(text[1], n[1])) == 0) {
            *row = o;
        } else {
            json_decref(o);
            s = gg_fail(r->ctx, GG_ENOMEM, "%s: out of memory for a row", r->name);
        }
    }
    gg_drop(r->ctx, fixed[0]);
    gg_drop(r->ctx, fixed[1]);
    return s;
}

static gg_status next_in_folder(gg_rows *r, json_t **row)
{
    text_state *t = r->state;
    int64_t done, total;
    if (r->stream) { /* the file before */
        gg_stream_position(r->stream, &done, &total);
        t->bytes_done += total;
        gg_stream_close(r->stream);
        r->stream = NULL;
    }
    if (t->at == t->folder.n)
        return GG_END;
    const char *relative = t->folder.paths[t->at++];
    gg_str path = {.ctx = r->ctx};
    size_t n = strlen(r->path);
    gg_str_printf(&path, "%s%s%s", r->path, n > 0 && r->path[n - 1] == '/' ? "" : "/", relative);
    char *docid = gg_strndup(r->ctx, relative, strlen(relative) - strlen(".txt"));
    gg_status s = path.failed || !docid ? GG_ENOMEM : GG_OK;
    if (path.failed) {
        gg_str_free(&path);
    } else {
        gg_drop(r->ctx, t->name);
        r->name = t->name = path.data;
    }
    r->line = t->at; /* the number of the file: unique, as lines are */
    if (s == GG_OK)
        s = gg_stream_open(&r->stream, r->ctx, t->name);
    if (s == GG_OK)
        s = make_row(r, row, docid);
    gg_drop(r->ctx, docid);
    return s;
}

static gg_status text_next(gg_rows *r, json_t **row)
{
    text_state *t = r->state;
    if (t->is_folder)
        return next_in_folder(r, row);
    if (t->given)
        return GG_END;
    t->given = true;
    r->line = 1;
    const char *slash = strrchr(r->path, '/'), *name = slash ? slash + 1 : r->path;
    char *docid = gg_strndup(r->ctx, name, gg_name_plain_length(name) - strlen(".txt"));
    if (!docid)
        return GG_ENOMEM;
    gg_status s = make_row(r, row, docid);
    gg_drop(r->ctx, docid);
    return s;
}

static void text_close(gg_rows *r)
{
    text_state *t = r->state;
    if (!t)
        return;
    gg_folder_free(&t->folder, r->ctx);
    gg_drop(r->ctx, t->name);
    gg_drop(r->ctx, t);
}

static void text_position(const gg_rows *r, int64_t *done, int64_t *total)
{
    const text_state *t = r->state;
    if (r->stream)
        gg_stream_position(r->stream, done, total);
    if (t->is_folder) {
        *done += t->bytes_done;
        *total = t->folder.bytes;
    }
}

const gg_format gg_format_text = {text_open, text_next, text_close, text_position, NULL};
