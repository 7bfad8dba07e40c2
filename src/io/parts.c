/* Cutting an input into parts. Owns: what a folder of files means, where files may be cut, who gets which part.
 *
 * A cut of JSONL is a plain number of bytes, so cutting needs sizes only; where the lines begin is found when a part is taken up: a line belongs
 * to the part in which its first byte lies, and a part inside a long line is empty. So neighbours agree without having met.
 * Sharing out: longest first to the least loaded (Graham 1969: at most 4/3 of the best possible), ties to the lower number.
 * Trap: a CSV value may hold line ends, so a line of CSV is no place to cut; a .jsonl may hold gzip or zstd data whatever its name.
 */
#include "io/parts.h"
#include "base/beside.h"
#include "base/file.h"
#include "base/input.h"
#include "io/formats.h"
#include "io/parquet.h"
#include "io/stream.h"
#include <stdlib.h>

enum { PACKED_RATIO = 3 /* bytes of text in a compressed byte, about */, SEEK_BYTES = 64 << 10, HASH_BYTES = 1 << 20 };

/* --- the list of files ------------------------------------------------------------------------------------------------------------- */
static gg_status add(gg_parts *p, gg_context *ctx, gg_part part)
{
    GG_TRY(gg_grow(ctx, &p->at, p->n, &p->cap, 64));
    p->at[p->n++] = part;
    p->bytes += part.bytes;
    return GG_OK;
}

static bool is_packed_name(const char *path) { return gg_name_ends(path, ".gz") || gg_name_ends(path, ".zst") || gg_name_ends(path, ".parquet"); }

static gg_status add_file(gg_parts *p, gg_context *ctx, const char *folder, const char *name)
{
    gg_str path = {.ctx = ctx};
    if (folder)
        gg_str_printf(&path, "%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/");
    gg_str_puts(&path, name);
    const char *kept = path.failed ? NULL : gg_arena_strndup(&p->names, path.data, path.len);
    gg_str_free(&path);
    if (!kept)
        return GG_ENOMEM;
    const int64_t bytes = gg_file_size(kept);
    return add(p, ctx, (gg_part){.path = kept, .bytes = bytes, .weight = is_packed_name(kept) ? bytes * PACKED_RATIO : bytes});
}

/* "_SUCCESS" and "_temporary/..." are what Spark and Hadoop leave beside the data. */
static bool is_aside(const char *relative)
{
    for (const char *part = relative; part; part = strchr(part, '/'), part += part != NULL)
        if (*part == '_')
            return true;
    return false;
}

static gg_status add_folder(gg_parts *p, gg_context *ctx, const char *path)
{
    gg_folder f;
    GG_TRY(gg_folder_list(&f, ctx, path, ""));
    int64_t n_rows = 0, n_json = 0, n_txt = 0;
    for (int64_t i = 0; i < f.n; i++) {
        const bool json = gg_name_ends(f.paths[i], ".json"), aside = is_aside(f.paths[i]);
        n_json += json && !aside;
        n_rows += !json && !aside && gg_rows_are_named(f.paths[i]);
        n_txt += gg_name_ends(f.paths[i], ".txt");
    }
    gg_status s = GG_OK;
    if (n_rows + n_json == 0)
        s = add_file(p, ctx, NULL, path);
    else if (n_txt)
        gg_log(ctx, GG_LOG_WARNING, "%s: %lld .txt files are passed over: it holds files of rows", path, (long long)n_txt);
    for (int64_t i = 0; i < f.n && s == GG_OK && n_rows + n_json > 0; i++)
        if (!is_aside(f.paths[i]) && gg_rows_are_named(f.paths[i]) && gg_name_ends(f.paths[i], ".json") == (n_rows == 0))
            s = add_file(p, ctx, path, f.paths[i]);
    gg_folder_free(&f, ctx);
    return s;
}

gg_status gg_parts_list(gg_parts *out, gg_context *ctx, const char *const *paths, int n_paths)
{
    *out = (gg_parts){.names = {.ctx = ctx}};
    gg_status s = n_paths > 0 ? GG_OK : gg_fail(ctx, GG_EINVAL, "no file of documents was given");
    for (int i = 0; i < n_paths && s == GG_OK; i++)
        if (strcmp(paths[i], "-") != 0 && !gg_file_exists(paths[i]))
            s = gg_fail(ctx, GG_ENOENT, "%s: no such file or folder", paths[i]);
        else
            s = *paths[i] && gg_file_is_folder(paths[i]) ? add_folder(out, ctx, paths[i]) : add_file(out, ctx, NULL, paths[i]);
    if (s != GG_OK)
        gg_parts_free(out, ctx);
    return s;
}

void gg_parts_free(gg_parts *p, gg_context *ctx)
{
    gg_drop(ctx, p->at);
    gg_arena_free(&p->names);
    *p = (gg_parts){0};
}

/* --- cutting ------------------------------------------------------------------------------------------------------------------------ */
static gg_status is_plain_jsonl(bool *plain, gg_context *ctx, const char *path)
{
    char head[4];
    size_t got = 0;
    gg_in *in = NULL;
    *plain = false;
    if (!(gg_name_ends(path, ".jsonl") || gg_name_ends(path, ".ndjson") || gg_name_ends(path, ".json")))
        return GG_OK;
    GG_TRY(gg_in_open(&in, ctx, path));
    const gg_status s = gg_in_read(in, &got, head, sizeof head);
    gg_in_close(in);
    *plain = !gg_bytes_are_packed(head, got);
    return s;
}

static gg_status cut_jsonl(gg_parts *p, gg_context *ctx, const gg_part *file, int64_t bytes)
{
    const int64_t n = (file->bytes - 1) / bytes + 1, each = (file->bytes - 1) / n + 1;
    for (int64_t from = 0; from < file->bytes; from += each) {
        const int64_t to = file->bytes - from < each ? file->bytes : from + each;
        GG_TRY(add(p, ctx, (gg_part){.path = file->path, .rows = {from, to}, .bytes = to - from, .weight = to - from}));
    }
    return GG_OK;
}

static gg_status cut_parquet(gg_parts *p, gg_context *ctx, const gg_part *file, int64_t bytes)
{
    gg_parquet_group *g = NULL;
    int64_t n = 0;
    GG_TRY(gg_parquet_groups(&g, &n, ctx, file->path));
    gg_status s = GG_OK;
    if (n < 2)
        s = add(p, ctx, *file);
    for (int64_t from = 0, to; from < n && n > 1 && s == GG_OK; from = to) {
        int64_t sum = 0;
        for (to = from; to < n && (to == from || sum + (g[to].to - g[to].from) <= bytes); to++)
            sum += g[to].to - g[to].from;
        s = add(p, ctx, (gg_part){.path = file->path, .rows = {from, to}, .bytes = sum, .weight = sum * PACKED_RATIO});
    }
    gg_drop(ctx, g);
    return s;
}

gg_status gg_parts_cut(gg_parts *out, gg_context *ctx, const char *const *paths, int n_paths, int64_t bytes)
{
    gg_parts files;
    *out = (gg_parts){.names = {.ctx = ctx}};
    if (bytes < 1)
        return gg_fail(ctx, GG_EINVAL, "parts of %lld bytes", (long long)bytes);
    GG_TRY(gg_parts_list(&files, ctx, paths, n_paths));
    out->names = files.names; /* the paths go along */
    files.names = (gg_arena){.ctx = ctx};
    gg_status s = GG_OK;
    for (int64_t i = 0; i < files.n && s == GG_OK; i++) {
        const gg_part *f = &files.at[i];
        bool plain = false;
        if (strcmp(f->path, "-") == 0)
            s = gg_fail(ctx, GG_EUNSUPPORTED, "standard input cannot be cut into parts: it is read once, by one process");
        else if (f->bytes > bytes && gg_name_ends(f->path, ".parquet"))
            s = cut_parquet(out, ctx, f, bytes);
        else if (f->bytes > bytes && (s = is_plain_jsonl(&plain, ctx, f->path)) == GG_OK && plain)
            s = cut_jsonl(out, ctx, f, bytes);
        else if (s == GG_OK)
            s = add(out, ctx, *f);
    }
    gg_parts_free(&files, ctx);
    if (s != GG_OK)
        gg_parts_free(out, ctx);
    return s;
}

/* --- sharing out -------------------------------------------------------------------------------------------------------------------- */
typedef struct load {
    int64_t weight;
    int32_t shard;
} load;

static bool lighter(const load *a, const load *b) { return a->weight != b->weight ? a->weight < b->weight : a->shard < b->shard; }

static int heavier_first(const void *a, const void *b)
{
    const gg_part *x = *(const gg_part *const *)a, *y = *(const gg_part *const *)b;
    return x->weight != y->weight ? (x->weight < y->weight) - (x->weight > y->weight) : (x > y) - (x < y);
}

gg_status gg_parts_assign(int32_t *shard, gg_context *ctx, const gg_parts *p, int32_t n_shards)
{
    load *heap = gg_new(ctx, load, n_shards); /* the lightest on top; equal at first, so in order as it stands */
    const gg_part **order = gg_new(ctx, const gg_part *, p->n);
    if (!heap || !order) {
        gg_drop(ctx, heap);
        gg_drop(ctx, order);
        return GG_ENOMEM;
    }
    for (int32_t i = 0; i < n_shards; i++)
        heap[i].shard = i;
    for (int64_t i = 0; i < p->n; i++)
        order[i] = &p->at[i];
    if (p->n > 1)
        qsort(order, (size_t)p->n, sizeof *order, heavier_first);
    for (int64_t i = 0; i < p->n; i++) {
        shard[order[i] - p->at] = heap[0].shard;
        load sinks = heap[0];
        sinks.weight += order[i]->weight + 1; /* + 1: empty files are shared out too */
        int64_t at = 0;
        for (int64_t child; (child = 2 * at + 1) < n_shards; at = child) {
            child += child + 1 < n_shards && lighter(&heap[child + 1], &heap[child]);
            if (!lighter(&heap[child], &sinks))
                break;
            heap[at] = heap[child];
        }
        heap[at] = sinks;
    }
    gg_drop(ctx, heap);
    gg_drop(ctx, order);
    return GG_OK;
}

/* --- one part ----------------------------------------------------------------------------------------------------------------------- */
/* The first place from `at` on where a line begins: 0, behind a line end, or the end of the file. */
static gg_status line_start(int64_t *out, gg_context *ctx, const char *path, int64_t at, int64_t size)
{
    char piece[SEEK_BYTES];
    gg_in *in = NULL;
    *out = at;
    if (at == 0 || at >= size)
        return GG_OK;
    GG_TRY(gg_in_open_range(&in, ctx, path, at - 1, size)); /* a line end right before it makes `at` itself a beginning */
    *out = size;
    gg_status s = GG_OK;
    size_t got = 1;
    for (int64_t from = at - 1; s == GG_OK && got > 0; from += (int64_t)got) {
        s = gg_in_read(in, &got, piece, sizeof piece);
        const char *end = s == GG_OK && got > 0 ? memchr(piece, '\n', got) : NULL;
        if (end) {
            *out = from + (end - piece) + 1;
            break;
        }
    }
    gg_in_close(in);
    return s;
}

gg_status gg_part_settle(gg_rows_part *out, gg_context *ctx, const gg_part *part)
{
    *out = part->rows;
    if (part->rows.to == 0 || gg_name_ends(part->path, ".parquet"))
        return GG_OK;
    const int64_t size = gg_file_size(part->path);
    if (size < part->rows.to)
        return gg_fail(ctx, GG_EFORMAT, "%s became shorter while it was in use", part->path);
    GG_TRY(line_start(&out->from, ctx, part->path, part->rows.from, size));
    return line_start(&out->to, ctx, part->path, part->rows.to, size);
}

/* Bytes are read piece by piece, not mapped: a pool of any size must leave no trace in the process's memory. */
static gg_status hash_range(gg_hash *h, gg_context *ctx, gg_in *in, const char *path, int64_t from, int64_t to)
{
    if (from < 0 || to < from || to > gg_in_size(in))
        return gg_fail(ctx, GG_EFORMAT, "%s: bytes %lld to %lld of %lld", path, (long long)from, (long long)to, (long long)gg_in_size(in));
    const int64_t n = to - from;
    uint8_t *piece = gg_alloc(ctx, n < HASH_BYTES ? (size_t)n + 1 : HASH_BYTES);
    gg_status s = piece ? GG_OK : GG_ENOMEM;
    gg_hash_add(h, &n, sizeof n);
    while (from < to && s == GG_OK) {
        const size_t some = to - from < HASH_BYTES ? (size_t)(to - from) : HASH_BYTES;
        if (gg_context_stopped(ctx) || gg_beside_unwanted())
            s = gg_fail(ctx, GG_EINTR, "%s: reading was stopped", path);
        else if ((s = gg_in_read_at(in, piece, some, (uint64_t)from)) == GG_OK)
            gg_hash_add(h, piece, some);
        from += (int64_t)some;
    }
    gg_drop(ctx, piece);
    return s;
}

static gg_status hash_parquet(gg_hash *h, gg_context *ctx, gg_in *in, const char *path, gg_rows_part rows)
{
    gg_parquet_group *g = NULL;
    int64_t n = 0;
    GG_TRY(gg_parquet_groups(&g, &n, ctx, path));
    gg_status s = rows.to > n ? gg_fail(ctx, GG_EFORMAT, "%s: %lld row groups", path, (long long)n) : GG_OK;
    for (int64_t i = rows.from; i < rows.to && s == GG_OK; i++)
        s = hash_range(h, ctx, in, path, g[i].from, g[i].to);
    gg_drop(ctx, g);
    uint32_t footer = 0; /* "...footer, its length, PAR1" */
    const int64_t size = gg_in_size(in);
    if (s == GG_OK && size >= 8)
        s = gg_in_read_at(in, &footer, 4, (uint64_t)size - 8);
    return s == GG_OK ? hash_range(h, ctx, in, path, size - 8 - footer, size) : s;
}

static gg_status hash_file(gg_hash *h, gg_context *ctx, const char *path, gg_rows_part rows)
{
    gg_in *in = NULL;
    GG_TRY(gg_in_open(&in, ctx, path));
    gg_status s = rows.to == 0 ? hash_range(h, ctx, in, path, 0, gg_in_size(in))
                  : gg_name_ends(path, ".parquet") ? hash_parquet(h, ctx, in, path, rows)
                                                   : hash_range(h, ctx, in, path, rows.from, rows.to);
    char rest[4096]; /* files of /proc say 0 and have bytes */
    for (size_t got = 1; rows.to == 0 && gg_in_size(in) == 0 && got > 0 && s == GG_OK;)
        if ((s = gg_in_read(in, &got, rest, sizeof rest)) == GG_OK)
            gg_hash_add(h, rest, got);
    gg_in_close(in);
    return s;
}

static gg_status hash_folder(gg_hash *h, gg_context *ctx, const char *path)
{
    gg_folder f;
    GG_TRY(gg_folder_list(&f, ctx, path, ".txt"));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < f.n && s == GG_OK; i++) {
        gg_str whole = {.ctx = ctx};
        gg_str_printf(&whole, "%s/%s", path, f.paths[i]);
        gg_hash_add(h, f.paths[i], strlen(f.paths[i]) + 1);
        s = whole.failed ? GG_ENOMEM : hash_file(h, ctx, whole.data, (gg_rows_part){0, 0});
        gg_str_free(&whole);
    }
    gg_folder_free(&f, ctx);
    return s;
}

gg_status gg_part_hash(char hex[65], gg_context *ctx, const char *path, gg_rows_part rows)
{
    gg_hash *h = NULL;
    hex[0] = 0;
    GG_TRY(gg_hash_create(&h, ctx));
    const gg_status s = gg_file_is_folder(path) ? hash_folder(h, ctx, path) : hash_file(h, ctx, path, rows);
    gg_hash_finish(h, hex);
    if (s != GG_OK)
        hex[0] = 0;
    return s;
}
