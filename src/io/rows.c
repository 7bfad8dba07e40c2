/* Tables of rows, whatever the format: chosen by the name, then everything goes to the format's own file. */
#include "io/formats.h"
#include "base/file.h"
#include "base/memory.h"

/* The length of name that ends with one of the endings after .gz or .zst are put away. */
static bool plain_name_ends(const char *name, const char *ending)
{
    size_t n = gg_name_plain_length(name), m = strlen(ending);
    return n > m && strncasecmp(name + n - m, ending, m) == 0;
}

static gg_status choose(const gg_format **out, gg_context *ctx, const char *path)
{
    static const struct {
        const char *ending;
        const gg_format *format;
    } formats[] = {{".jsonl", &gg_format_jsonl}, {".ndjson", &gg_format_jsonl}, {".json", &gg_format_jsonl}, {".csv", &gg_format_csv},
                   {".tsv", &gg_format_csv},     {".txt", &gg_format_text}};
    if (strcmp(path, "-") == 0) {
        *out = &gg_format_jsonl;
        return GG_OK;
    }
    if (gg_file_is_folder(path)) {
        *out = &gg_format_text;
        return GG_OK;
    }
    if (gg_name_ends(path, ".parquet")) {
        *out = &gg_format_parquet;
        return GG_OK;
    }
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (plain_name_ends(path, formats[i].ending)) {
            *out = formats[i].format;
            return GG_OK;
        }
    return gg_fail(ctx, GG_EUNSUPPORTED,
                   "%s: no known kind of rows; expected .jsonl, .ndjson, .csv, .tsv (each also .gz or .zst), .parquet, .txt, a folder of .txt files, or -", path);
}

gg_status gg_rows_open(gg_rows **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    const gg_format *format = NULL;
    GG_TRY(choose(&format, ctx, path));
    gg_rows *r = gg_new(ctx, gg_rows, 1);
    char *copy = gg_strdup(ctx, path);
    if (!r || !copy) {
        gg_drop(ctx, r);
        gg_drop(ctx, copy);
        return GG_ENOMEM;
    }
    *r = (gg_rows){.ctx = ctx, .path = copy, .name = strcmp(copy, "-") == 0 ? "standard input" : copy, .format = format};
    gg_status s = format->open(r);
    if (s != GG_OK) {
        gg_rows_close(r);
        return s;
    }
    *out = r;
    return GG_OK;
}

gg_status gg_rows_next(gg_rows *r, json_t **row)
{
    *row = NULL;
    if (r->failed == GG_OK)
        r->failed = r->format->next(r, row);
    else if (r->failed != GG_END)
        return gg_fail(r->ctx, r->failed, "%s: reading went wrong before", r->name);
    return r->failed;
}

void gg_rows_close(gg_rows *r)
{
    if (!r)
        return;
    r->format->close(r);
    gg_stream_close(r->stream);
    gg_drop(r->ctx, r->path);
    gg_drop(r->ctx, r);
}

const char *gg_rows_path(const gg_rows *r) { return r->name; }
int64_t gg_rows_line(const gg_rows *r) { return r->line; }
int64_t gg_rows_repaired(const gg_rows *r) { return r->repaired; }

void gg_rows_position(const gg_rows *r, int64_t *done, int64_t *total)
{
    *done = *total = 0;
    r->format->position(r, done, total);
}
