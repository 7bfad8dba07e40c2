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

static const struct {
    const char *ending;
    const gg_format *format;
} formats[] = {{".jsonl", &gg_format_jsonl}, {".ndjson", &gg_format_jsonl}, {".json", &gg_format_jsonl}, {".csv", &gg_format_csv},
               {".tsv", &gg_format_csv},     {".txt", &gg_format_text}};

static const gg_format *format_of_name(const char *path)
{
    if (gg_name_ends(path, ".parquet"))
        return &gg_format_parquet;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (plain_name_ends(path, formats[i].ending))
            return formats[i].format;
    return NULL;
}

bool gg_rows_are_named(const char *path)
{
    const gg_format *f = format_of_name(path);
    return f && f != &gg_format_text;
}

static gg_status choose(const gg_format **out, gg_context *ctx, const char *path)
{
    *out = strcmp(path, "-") == 0 ? &gg_format_jsonl : gg_file_is_folder(path) ? &gg_format_text : format_of_name(path);
    if (*out)
        return GG_OK;
    return gg_fail(ctx, GG_EUNSUPPORTED,
                   "%s: no known kind of rows; expected .jsonl, .ndjson, .csv, .tsv (each also .gz or .zst), .parquet, .txt, a folder of .txt files, or -",
                   path);
}

/* "pool.jsonl (from byte 67108864)", so that "...:17" in a message can be found */
static char *name_of_part(gg_context *ctx, const char *path, const gg_format *format, gg_rows_part part)
{
    gg_str s = {.ctx = ctx};
    gg_str_printf(&s, "%s (from %s %lld)", path, format == &gg_format_parquet ? "row group" : "byte", (long long)part.from);
    if (!s.failed)
        return s.data;
    gg_str_free(&s);
    return NULL;
}

gg_status gg_rows_open_as(gg_rows **out, gg_context *ctx, const char *path, const gg_format *format, gg_rows_part part)
{
    *out = NULL;
    if (part.from < 0 || (part.to && part.to < part.from) || (!part.to && part.from))
        return gg_fail(ctx, GG_EINVAL, "%s: a part from %lld to %lld", path, (long long)part.from, (long long)part.to);
    if (part.to && format != &gg_format_jsonl && format != &gg_format_parquet)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: only JSONL and Parquet can be read in parts", path);
    gg_rows *r = gg_new(ctx, gg_rows, 1);
    char *copy = gg_strdup(ctx, path), *part_name = part.to ? name_of_part(ctx, path, format, part) : NULL;
    if (!r || !copy || (part.to && !part_name)) {
        gg_drop(ctx, r);
        gg_drop(ctx, copy);
        gg_drop(ctx, part_name);
        return GG_ENOMEM;
    }
    const char *name = part_name ? part_name : strcmp(copy, "-") == 0 ? "standard input" : copy;
    *r = (gg_rows){.ctx = ctx, .path = copy, .part_name = part_name, .name = name, .format = format, .part = part};
    gg_status s = format->open(r);
    if (s != GG_OK) {
        gg_rows_close(r);
        return s;
    }
    *out = r;
    return GG_OK;
}

gg_status gg_rows_open_part(gg_rows **out, gg_context *ctx, const char *path, gg_rows_part part)
{
    *out = NULL;
    const gg_format *format = NULL;
    GG_TRY(choose(&format, ctx, path));
    return gg_rows_open_as(out, ctx, path, format, part);
}

gg_status gg_rows_open(gg_rows **out, gg_context *ctx, const char *path) { return gg_rows_open_part(out, ctx, path, (gg_rows_part){0, 0}); }

bool gg_rows_ready(gg_rows *r) { return r->failed != GG_OK || !r->format->ready || r->format->ready(r); }

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
    gg_drop(r->ctx, r->part_name);
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
