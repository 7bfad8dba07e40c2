/* Rows written one at a time, whole or not at all. Owns: the compressors and the form of CSV; the bytes go through gg_out.
 *
 * The same rows give the same bytes: gzip's header has no time and no name in it, zstd runs on one thread at its level 3.
 * CSV: the first row names the columns; a later row may lack some (empty values) but not add any. Objects and lists are written as JSON.
 */
#include "io/formats.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/parquet.h"
#include <zlib.h>
#include <zstd.h>

#define PACKED ((size_t)128 << 10) /* bytes of compressed output at a time */

typedef enum coding { PLAIN, GZIP, ZSTD } coding;

struct gg_rows_writer {
    gg_context *ctx;
    char *name;
    gg_out *out;
    bool is_stdout;
    coding coding;
    z_stream gz;
    bool gz_live;
    ZSTD_CCtx *zst;
    char *packed;    /* (PACKED,) */
    gg_str line;
    char separator;  /* of CSV; 0: JSONL */
    char **columns;  /* (n_columns,) of CSV */
    int64_t n_columns, n_rows;
    gg_parquet_writer *parquet;
    bool is_parquet;
};

static voidpf gz_alloc(voidpf ctx, uInt items, uInt size) { return gg_alloc(ctx, gg_mul(items, size)); }
static void gz_free(voidpf ctx, voidpf p) { gg_drop(ctx, p); }

static gg_status choose(gg_rows_writer *w, const char *path)
{
    size_t n = gg_name_plain_length(path);
    w->coding = path[n] == 0 ? PLAIN : path[n + 1] == 'g' || path[n + 1] == 'G' ? GZIP : ZSTD;
    w->is_stdout = strcmp(path, "-") == 0;
    w->is_parquet = w->coding == PLAIN && gg_name_ends(path, ".parquet");
    if (w->is_stdout || w->is_parquet)
        return GG_OK;
    static const struct {
        const char *ending;
        char separator;
    } kinds[] = {{".jsonl", 0}, {".ndjson", 0}, {".json", 0}, {".csv", ','}, {".tsv", '\t'}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t m = strlen(kinds[i].ending);
        if (n > m && strncasecmp(path + n - m, kinds[i].ending, m) == 0) {
            w->separator = kinds[i].separator;
            return GG_OK;
        }
    }
    return gg_fail(w->ctx, GG_EUNSUPPORTED, "%s: cannot tell what to write; expected .jsonl, .csv, .tsv (each also .gz or .zst), .parquet, or -", path);
}

static gg_status start_coder(gg_rows_writer *w)
{
    if (w->coding == PLAIN)
        return GG_OK;
    w->packed = gg_new(w->ctx, char, PACKED);
    if (!w->packed)
        return GG_ENOMEM;
    if (w->coding == GZIP) {
        w->gz = (z_stream){.zalloc = gz_alloc, .zfree = gz_free, .opaque = w->ctx};
        w->gz_live = deflateInit2(&w->gz, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
        return w->gz_live ? GG_OK : gg_fail(w->ctx, GG_ENOMEM, "%s: out of memory for compression", w->name);
    }
    w->zst = ZSTD_createCCtx();
    if (!w->zst || ZSTD_isError(ZSTD_CCtx_setParameter(w->zst, ZSTD_c_checksumFlag, 1)))
        return gg_fail(w->ctx, GG_ENOMEM, "%s: out of memory for compression", w->name);
    return GG_OK;
}

static gg_status pack_gzip(gg_rows_writer *w, const char *data, size_t n, bool finish)
{
    do {
        size_t now = n < (size_t)1 << 30 ? n : (size_t)1 << 30;
        bool last = finish && now == n;
        w->gz.next_in = (Bytef *)data;
        w->gz.avail_in = (uInt)now;
        int z = Z_OK;
        do {
            w->gz.next_out = (Bytef *)w->packed;
            w->gz.avail_out = (uInt)PACKED;
            z = deflate(&w->gz, last ? Z_FINISH : Z_NO_FLUSH);
            if (z == Z_STREAM_ERROR)
                return gg_fail(w->ctx, GG_EINTERNAL, "%s: gzip compression failed", w->name);
            GG_TRY(gg_out_write(w->out, w->packed, PACKED - w->gz.avail_out));
        } while (w->gz.avail_out == 0 || (last && z != Z_STREAM_END));
        data += now;
        n -= now;
    } while (n > 0);
    return GG_OK;
}

static gg_status pack_zstd(gg_rows_writer *w, const char *data, size_t n, bool finish)
{
    ZSTD_inBuffer in = {data, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {w->packed, PACKED, 0};
        left = ZSTD_compressStream2(w->zst, &out, &in, finish ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return gg_fail(w->ctx, GG_ENOMEM, "%s: zstd compression failed: %s", w->name, ZSTD_getErrorName(left));
        GG_TRY(gg_out_write(w->out, w->packed, out.pos));
    } while (finish ? left > 0 : in.pos < in.size);
    return GG_OK;
}

static gg_status put(gg_rows_writer *w, const char *data, size_t n, bool finish)
{
    if (w->coding == GZIP)
        return pack_gzip(w, data, n, finish);
    if (w->coding == ZSTD)
        return pack_zstd(w, data, n, finish);
    return n > 0 ? gg_out_write(w->out, data, n) : GG_OK;
}

gg_status gg_rows_writer_open(gg_rows_writer **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    gg_rows_writer *w = gg_new(ctx, gg_rows_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg_rows_writer){.ctx = ctx, .line = {.ctx = ctx}, .name = gg_strdup(ctx, strcmp(path, "-") == 0 ? "standard output" : path)};
    gg_status s = w->name ? choose(w, path) : GG_ENOMEM;
    if (s == GG_OK && w->is_parquet && !gg_rows_parquet())
        s = gg_parquet_unsupported(ctx, path);
    if (s == GG_OK)
        s = gg_out_open(&w->out, ctx, path);
    if (s == GG_OK)
        s = w->is_parquet ? gg_parquet_writer_open(&w->parquet, ctx, w->out, w->name) : start_coder(w);
    if (s != GG_OK) {
        gg_rows_writer_discard(w);
        return s;
    }
    *out = w;
    return GG_OK;
}

/* --- CSV --------------------------------------------------------------------------------------------------------- */

static void add_csv_value(gg_rows_writer *w, const char *s, size_t n)
{
    bool quotes = n == 0 && w->n_columns == 1; /* a line with nothing on it would be no row */
    for (size_t i = 0; i < n && !quotes; i++)
        quotes = s[i] == '"' || s[i] == '\n' || s[i] == '\r' || s[i] == w->separator;
    if (!quotes) {
        gg_str_add(&w->line, s, n);
        return;
    }
    gg_str_add(&w->line, "\"", 1);
    for (const char *end = s + n, *q; s < end;) {
        q = memchr(s, '"', (size_t)(end - s));
        size_t part = q ? (size_t)(q + 1 - s) : (size_t)(end - s);
        gg_str_add(&w->line, s, part);
        if (!q)
            break;
        gg_str_add(&w->line, "\"", 1);
        s += part;
    }
    gg_str_add(&w->line, "\"", 1);
}

static gg_status take_columns(gg_rows_writer *w, const json_t *row)
{
    const char *key;
    json_t *value;
    w->columns = gg_new(w->ctx, char *, json_object_size(row));
    if (!w->columns)
        return GG_ENOMEM;
    json_object_foreach((json_t *)row, key, value)
    {
        if (!(w->columns[w->n_columns] = gg_strdup(w->ctx, key)))
            return GG_ENOMEM;
        w->n_columns++;
    }
    if (w->n_columns == 0)
        return gg_fail(w->ctx, GG_EINVAL, "%s: the first row has no columns", w->name);
    for (int64_t k = 0; k < w->n_columns; k++) {
        if (k > 0)
            gg_str_add(&w->line, &w->separator, 1);
        add_csv_value(w, w->columns[k], strlen(w->columns[k]));
    }
    gg_str_add(&w->line, "\n", 1);
    return GG_OK;
}

/* Names the first column of row that the first row did not have. */
static gg_status fail_new_column(gg_rows_writer *w, const json_t *row)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)row, key, value)
    {
        bool known = false;
        for (int64_t k = 0; k < w->n_columns && !known; k++)
            known = strcmp(key, w->columns[k]) == 0;
        if (!known)
            return gg_fail(w->ctx, GG_EMISMATCH, "%s: row %lld has the column \"%.100s\", which the first row lacks; CSV needs the same columns in all rows",
                           w->name, (long long)w->n_rows + 1, key);
    }
    return GG_EINTERNAL;
}

static gg_status add_csv(gg_rows_writer *w, const json_t *row)
{
    if (!w->columns)
        GG_TRY(take_columns(w, row));
    size_t found = 0;
    gg_str json = {.ctx = w->ctx};
    for (int64_t k = 0; k < w->n_columns; k++) {
        const json_t *v = json_object_get(row, w->columns[k]);
        found += v != NULL;
        if (k > 0)
            gg_str_add(&w->line, &w->separator, 1);
        if (!v || json_is_null(v)) {
            add_csv_value(w, "", 0);
        } else if (json_is_string(v)) {
            add_csv_value(w, json_string_value(v), json_string_length(v));
        } else {
            json.len = 0;
            gg_json_write(&json, v, 0);
            if (!json.failed)
                add_csv_value(w, json.data, json.len);
        }
    }
    gg_str_add(&w->line, "\n", 1);
    w->line.failed = w->line.failed || json.failed;
    gg_str_free(&json);
    return found == json_object_size(row) ? GG_OK : fail_new_column(w, row);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

gg_status gg_rows_writer_add(gg_rows_writer *w, const json_t *row)
{
    if (!json_is_object(row))
        return gg_fail(w->ctx, GG_EINVAL, "%s: row %lld is %s, an object was expected", w->name, (long long)w->n_rows + 1, gg_json_kind(row));
    if (w->is_parquet) {
        GG_TRY(gg_parquet_writer_add(w->parquet, row));
        w->n_rows++;
        return GG_OK;
    }
    w->line.len = 0;
    if (w->separator) {
        GG_TRY(add_csv(w, row));
    } else {
        gg_json_write(&w->line, row, 0);
        gg_str_add(&w->line, "\n", 1);
    }
    if (w->line.failed)
        return gg_fail_prefix(w->ctx, GG_ENOMEM, "%s: row %lld", w->name, (long long)w->n_rows + 1);
    GG_TRY(put(w, w->line.data, w->line.len, false));
    w->n_rows++;
    return w->is_stdout ? gg_out_flush(w->out) : GG_OK; /* a pipe's other end sees each row as it is made */
}

static void free_writer(gg_rows_writer *w)
{
    if (w->gz_live)
        deflateEnd(&w->gz);
    ZSTD_freeCCtx(w->zst);
    for (int64_t k = 0; k < w->n_columns; k++)
        gg_drop(w->ctx, w->columns[k]);
    gg_drop(w->ctx, w->columns);
    gg_drop(w->ctx, w->packed);
    gg_drop(w->ctx, w->name);
    gg_str_free(&w->line);
    gg_drop(w->ctx, w);
}

gg_status gg_rows_writer_commit(gg_rows_writer *w)
{
    gg_status s = GG_OK;
    if (w->is_parquet) {
        s = gg_parquet_writer_finish(w->parquet);
        w->parquet = NULL;
    } else if (w->coding != PLAIN) {
        s = put(w, "", 0, true);
    }
    if (s == GG_OK)
        s = gg_out_commit(w->out);
    else
        gg_out_discard(w->out);
    free_writer(w);
    return s;
}

void gg_rows_writer_discard(gg_rows_writer *w)
{
    if (!w)
        return;
    if (w->parquet)
        gg_parquet_writer_discard(w->parquet);
    gg_out_discard(w->out);
    free_writer(w);
}
