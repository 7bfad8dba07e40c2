/* Documents: rows with a text and an id. Owns: which columns those are, and that no id comes twice.
 *
 * Columns are chosen at the first row of each file, so files of different layouts may be read together. A name reaches a key of that very name
 * first ("meta.docid" as the published Parquet files have it), then an object's member (meta: {docid}).
 *
 * Ids seen: an open table of 16 bytes an entry: 64 + 24 bits of a 128-bit hash and 40 bits of row number over all files. Two different ids out of
 * 10^9 fall together with probability 2e-9; the table costs 21 to 43 bytes a document, up to 128 MiB: a pool of any size is read in the same
 * memory, so only the first six million ids are compared with all later ones. Ranking and merge-shards, which know every id, find the rest.
 */
#include "io/formats.h"
#include "base/file.h"
#include "base/input.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <math.h>

#define ROW_BITS 40
#define EMPTY_LISTED 10 /* empty documents that are named one by one */
#define ROW_MAX (((uint64_t)1 << ROW_BITS) - 1)
#define REMEMBERED 6000000 /* three quarters of 2^23 entries */

typedef struct seen {
    uint64_t hash, place; /* place: 24 more bits of the hash, 40 bits row; 0: free */
} seen;

struct gg_documents {
    gg_context *ctx;
    char **paths; /* (n_paths,) */
    int n_paths, at; /* at: the file being read */
    char *text_column, *id_column, *token_column; /* as asked for; NULL: the defaults */
    bool strict;
    gg_rows_part part; /* of the only file */
    bool is_folder; /* the path being read */
    gg_rows *rows;
    /* of the file being read: names as found in its first row */
    const char *text, *id, *token; /* token may be NULL */
    bool token_needed;
    int64_t n_documents, n_empty, repaired_before;
    int64_t bytes_before, bytes_total;
    int64_t rows_before;  /* rows of the files before this one */
    int64_t *first_rows;  /* (n_paths + 1,) rows before each file */
    char *last_name;      /* of the last row, also after its file was closed */
    int64_t last_line;
    gg_str empty;         /* where the first of the empty documents are, for the summary */
    size_t empty_listed;  /* bytes of it that stay */
    char where[32];       /* ":17", or "" in a folder, where each row is a file of its own */
    seen *table;          /* (table_size,) a power of two */
    int64_t table_size, table_used, remember; /* at most so many are used */
};

/* --- columns ----------------------------------------------------------------------------------------------------- */

static json_t *column(const json_t *row, const char *name)
{
    json_t *v = json_object_get(row, name);
    for (const char *dot = name; !v && (dot = strchr(dot, '.')) != NULL; dot++) {
        /* the part before this dot as a key, the rest inside it; shorter parts first */
        json_t *inner = json_object_getn(row, name, (size_t)(dot - name));
        if (json_is_object(inner))
            v = column(inner, dot + 1);
    }
    return v;
}

/* The same, but replaces what is there. Returns false when out of memory. */
static bool replace(json_t *row, const char *name, json_t *value)
{
    if (json_object_get(row, name))
        return json_object_set_new_nocheck(row, name, value) == 0;
    for (const char *dot = name; (dot = strchr(dot, '.')) != NULL; dot++) {
        json_t *inner = json_object_getn(row, name, (size_t)(dot - name));
        if (json_is_object(inner) && column(inner, dot + 1))
            return replace(inner, dot + 1, value);
    }
    json_decref(value);
    return false;
}

static void list_columns(gg_str *out, const json_t *row)
{
    const char *key;
    json_t *value;
    int n = 0;
    json_object_foreach((json_t *)row, key, value)
    {
        if (n++ < 40)
            gg_str_printf(out, "%s%.80s", n > 1 ? ", " : "", key);
    }
    if (n > 40)
        gg_str_printf(out, ", and %d more", n - 40);
    if (n == 0)
        gg_str_puts(out, "none");
}

static gg_status fail_missing(gg_documents *d, const json_t *row, const char *what, const char *option)
{
    gg_str names = {.ctx = d->ctx};
    list_columns(&names, row);
    if (!names.failed)
        gg_fail(d->ctx, GG_ENOENT, "%s%s: no column %s; present: %s (name it with %s)", d->last_name, d->where, what, names.data, option);
    gg_status s = names.failed ? GG_ENOMEM : GG_ENOENT;
    gg_str_free(&names);
    return s;
}

static gg_status choose_columns(gg_documents *d, const json_t *row)
{
    static const char *const texts[] = {"doc", "text", "content_split", "content"};
    static const char *const ids[] = {"docid", "meta.docid", "id"};
    d->text = d->text_column && column(row, d->text_column) ? d->text_column : NULL;
    for (int i = 0; i < 4 && !d->text && !d->text_column; i++)
        d->text = column(row, texts[i]) ? texts[i] : NULL;
    if (!d->text)
        return fail_missing(d, row, d->text_column ? d->text_column : "doc, text, content_split or content", "--text-column");
    d->id = d->id_column && column(row, d->id_column) ? d->id_column : NULL;
    for (int i = 0; i < 3 && !d->id && !d->id_column; i++)
        d->id = column(row, ids[i]) ? ids[i] : NULL;
    if (!d->id)
        return fail_missing(d, row, d->id_column ? d->id_column : "docid, meta.docid or id", "--id-column");
    d->token = d->token_column ? d->token_column : "token_num";
    d->token_needed = d->token_column != NULL;
    if (d->token_needed && !column(row, d->token))
        return fail_missing(d, row, d->token, "--token-column");
    return GG_OK;
}

/* --- ids seen ---------------------------------------------------------------------------------------------------- */

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Two independent 64-bit hashes in the manner of wyhash: words multiplied to 128 bits and folded. */
static void hash_id(uint64_t out[2], const char *s, size_t n)
{
    uint64_t a = 0x9E3779B97F4A7C15u ^ n, b = 0xD6E8FEB86659FD93u + n;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t w = 0;
        memcpy(&w, s + i, n - i < 8 ? n - i : 8);
        a = fold(a ^ w, 0xA0761D6478BD642Fu) + 0x8EBC6AF09C88C6E3u;
        b = fold(b + w, 0xE7037ED1A0B428DBu) ^ 0x589965CC75374CC3u;
    }
    out[0] = fold(a ^ 0x1D8E4E27C47D124Fu, 0xEB44ACCAB455D165u);
    out[1] = fold(b ^ 0x2D358DCCAA6C78A5u, 0x8BB84B93962EACC9u);
}

static int64_t slot_of(const seen *table, int64_t size, uint64_t hash, uint64_t extra)
{
    uint64_t mask = (uint64_t)size - 1, i = hash & mask;
    while (table[i].place != 0 && !(table[i].hash == hash && table[i].place >> ROW_BITS == extra))
        i = (i + 1) & mask;
    return (int64_t)i;
}

static gg_status grow_table(gg_documents *d)
{
    int64_t size = d->table_size ? 2 * d->table_size : 1024;
    seen *table = gg_new(d->ctx, seen, size);
    if (!table)
        return GG_ENOMEM;
    for (int64_t i = 0; i < d->table_size; i++)
        if (d->table[i].place != 0)
            table[slot_of(table, size, d->table[i].hash, d->table[i].place >> ROW_BITS)] = d->table[i];
    gg_drop(d->ctx, d->table);
    d->table = table;
    d->table_size = size;
    return GG_OK;
}

/* Row number over all files (from 1) back to "file:line". */
static void place_of(const gg_documents *d, uint64_t row, const char **path, int64_t *line)
{
    int f = d->at;
    while (f > 0 && (int64_t)row <= d->first_rows[f])
        f--;
    *path = d->part.to ? d->last_name : d->paths[f];
    *line = (int64_t)row - d->first_rows[f];
}

static gg_status check_unseen(gg_documents *d, const char *docid, size_t n)
{
    if (d->table_used < d->remember && 4 * (d->table_used + 1) > 3 * d->table_size)
        GG_TRY(grow_table(d));
    uint64_t h[2], row = (uint64_t)(d->rows_before + d->last_line);
    if (row > ROW_MAX)
        return gg_fail(d->ctx, GG_EUNSUPPORTED, "%s%s: more than %llu rows", d->last_name, d->where, (unsigned long long)ROW_MAX);
    hash_id(h, docid, n);
    uint64_t extra = h[1] >> ROW_BITS;
    seen *e = &d->table[slot_of(d->table, d->table_size, h[0], extra)];
    if (e->place != 0) {
        const char *path;
        int64_t line;
        place_of(d, e->place & ROW_MAX, &path, &line);
        return gg_fail(d->ctx, GG_EFORMAT, "%s%s: the docid \"%.200s\" was already at %s:%lld; ids must differ", d->last_name, d->where, docid, path,
                       (long long)line);
    }
    if (d->table_used < d->remember) {
        *e = (seen){h[0], extra << ROW_BITS | row};
        d->table_used++;
    }
    return GG_OK;
}

/* --- one document ------------------------------------------------------------------------------------------------ */

static gg_status fail_row(const gg_documents *d, const char *name, const char *what)
{
    return gg_fail(d->ctx, GG_EFORMAT, "%s%s: column %s: %s", d->last_name, d->where, name, what);
}

/* Numbers become texts, in the row too, so that the text lives as long as the row. */
static gg_status take_id(gg_documents *d, gg_document *out, json_t *row)
{
    json_t *v = column(row, d->id);
    if (!v || json_is_null(v))
        return fail_row(d, d->id, "the docid is missing");
    if (json_is_number(v)) {
        char text[32];
        double x = json_number_value(v);
        if (json_is_real(v) && (x != floor(x) || fabs(x) > 9007199254740992.0))
            return fail_row(d, d->id, "the docid is a number that a double does not hold exactly; write ids as texts");
        snprintf(text, sizeof text, "%lld", json_is_real(v) ? (long long)x : (long long)json_integer_value(v));
        if (!replace(row, d->id, json_string_nocheck(text)))
            return gg_fail(d->ctx, GG_ENOMEM, "out of memory for a docid");
        v = column(row, d->id);
    }
    if (!json_is_string(v)) {
        char what[96];
        snprintf(what, sizeof what, "the docid is %s, a text or a whole number was expected", gg_json_kind(v));
        return fail_row(d, d->id, what);
    }
    size_t n = json_string_length(v);
    out->docid = json_string_value(v);
    if (n == 0)
        return fail_row(d, d->id, "the docid is missing (an empty text)");
    if (strlen(out->docid) != n)
        return fail_row(d, d->id, "the docid has a NUL in it");
    return check_unseen(d, out->docid, n);
}

static gg_status take_text(gg_documents *d, gg_document *out, const json_t *row)
{
    const json_t *v = column(row, d->text);
    if (!v)
        return fail_missing(d, row, d->text, "--text-column");
    if (!json_is_string(v) && !json_is_null(v)) {
        char what[96];
        snprintf(what, sizeof what, "the text is %s, a text was expected", gg_json_kind(v));
        return fail_row(d, d->text, what);
    }
    out->text = json_is_string(v) ? json_string_value(v) : "";
    out->n_text = json_is_string(v) ? json_string_length(v) : 0;
    return GG_OK;
}

/* Whole numbers, also as texts (CSV) and as doubles (pandas writes 12.0). */
static gg_status take_tokens(gg_documents *d, gg_document *out, const json_t *row)
{
    const json_t *v = column(row, d->token);
    out->token_num = -1;
    if (!v || json_is_null(v)) {
        if (!d->token_needed)
            return GG_OK;
        return v ? fail_row(d, d->token, "the token count is missing") : fail_missing(d, row, d->token, "--token-column");
    }
    double x = -1;
    if (json_is_integer(v))
        x = (double)json_integer_value(v);
    else if (json_is_real(v))
        x = json_real_value(v);
    else if (json_is_string(v) && json_string_length(v) > 0) {
        char *end;
        x = strtod(json_string_value(v), &end);
        if (*end != 0)
            x = -1;
    }
    if (!(x >= 0 && x <= 9007199254740992.0 && x == floor(x)))
        return fail_row(d, d->token, "the token count must be a whole number, 0 or more");
    out->token_num = (int64_t)x;
    return GG_OK;
}

/* --- the source -------------------------------------------------------------------------------------------------- */

static bool copy_option(gg_context *ctx, char **out, const char *text)
{
    *out = text ? gg_strdup(ctx, text) : NULL;
    return !text || *out;
}

static gg_status open_next_file(gg_documents *d)
{
    d->text = NULL;
    d->is_folder = gg_file_is_folder(d->paths[d->at]);
    return gg_rows_open_part(&d->rows, d->ctx, d->paths[d->at], d->part);
}

gg_status gg_documents_open(gg_documents **out, gg_context *ctx, const char *const *paths, int n_paths, const gg_documents_options *o)
{
    *out = NULL;
    if (n_paths <= 0)
        return gg_fail(ctx, GG_EINVAL, "no file of documents was given");
    gg_documents_options none = {0};
    o = o ? o : &none;
    if (o->part.to && n_paths > 1)
        return gg_fail(ctx, GG_EINVAL, "a part of %d files", n_paths);
    gg_documents *d = gg_new(ctx, gg_documents, 1);
    if (!d)
        return GG_ENOMEM;
    *d = (gg_documents){.ctx = ctx, .n_paths = n_paths, .strict = o->strict, .part = o->part, .empty = {.ctx = ctx}};
    d->remember = o->remember > 0 ? o->remember : REMEMBERED;
    d->paths = gg_new(ctx, char *, n_paths);
    d->first_rows = gg_new(ctx, int64_t, (int64_t)n_paths + 1);
    bool ok = d->paths && d->first_rows && copy_option(ctx, &d->text_column, o->text_column) && copy_option(ctx, &d->id_column, o->id_column) &&
              copy_option(ctx, &d->token_column, o->token_column);
    for (int i = 0; i < n_paths && ok; i++)
        ok = (d->paths[i] = gg_strdup(ctx, paths[i])) != NULL;
    gg_status s = ok ? GG_OK : GG_ENOMEM;
    bool known = true;
    for (int i = 0; i < n_paths && s == GG_OK; i++) { /* a wrong last path is told before the first file is read */
        if (strcmp(paths[i], "-") != 0 && !gg_file_exists(paths[i]))
            s = gg_fail(ctx, GG_ENOENT, "%s: no such file or folder", paths[i]);
        int64_t size = gg_file_size(paths[i]);
        known = known && size > 0;
        d->bytes_total += size;
    }
    if (!known && n_paths > 1)
        d->bytes_total = 0;
    if (s == GG_OK)
        s = open_next_file(d);
    if (s != GG_OK) {
        gg_documents_close(d);
        return s;
    }
    *out = d;
    return GG_OK;
}

/* Where the row just read is; the name is kept because its file may be closed by the time someone asks. */
static gg_status note_place(gg_documents *d)
{
    const char *name = gg_rows_path(d->rows);
    d->last_line = gg_rows_line(d->rows);
    d->where[0] = 0;
    if (!d->is_folder)
        snprintf(d->where, sizeof d->where, ":%lld", (long long)d->last_line);
    if (d->last_name && strcmp(d->last_name, name) == 0)
        return GG_OK;
    char *copy = gg_strdup(d->ctx, name);
    if (!copy)
        return GG_ENOMEM;
    gg_drop(d->ctx, d->last_name);
    d->last_name = copy;
    return GG_OK;
}

static void close_file(gg_documents *d)
{
    int64_t done, total;
    gg_rows_position(d->rows, &done, &total);
    d->bytes_before += total > done ? total : done;
    d->repaired_before += gg_rows_repaired(d->rows);
    d->rows_before += gg_rows_line(d->rows);
    gg_rows_close(d->rows);
    d->rows = NULL;
    d->at++;
    d->first_rows[d->at] = d->rows_before;
}

/* "a.jsonl:2, a.jsonl:9, b.jsonl:1 and 7 more" */
static gg_status note_empty(gg_documents *d)
{
    d->empty.len = d->empty_listed;
    if (++d->n_empty <= EMPTY_LISTED)
        gg_str_printf(&d->empty, "%s%s%s", d->n_empty > 1 ? ", " : "", d->last_name, d->where);
    else
        gg_str_printf(&d->empty, " and %lld more", (long long)d->n_empty - EMPTY_LISTED);
    d->empty_listed = d->n_empty <= EMPTY_LISTED ? d->empty.len : d->empty_listed;
    return d->empty.failed ? GG_ENOMEM : GG_OK;
}

gg_status gg_documents_next(gg_documents *d, gg_document *out)
{
    *out = (gg_document){.token_num = -1};
    for (;;) {
        if (!d->rows)
            return d->at < d->n_paths ? gg_fail(d->ctx, GG_EINVAL, "documents: asked for more after a failure") : GG_END;
        json_t *row;
        gg_status s = gg_rows_next(d->rows, &row);
        if (s == GG_END) {
            close_file(d);
            if (d->at < d->n_paths)
                GG_TRY(open_next_file(d));
            continue;
        }
        if (s != GG_OK)
            return s;
        s = note_place(d);
        if (s == GG_OK && !d->text)
            s = choose_columns(d, row);
        if (s == GG_OK)
            s = take_id(d, out, row);
        if (s == GG_OK)
            s = take_text(d, out, row);
        if (s == GG_OK)
            s = take_tokens(d, out, row);
        bool blank = s == GG_OK && gg_utf8_is_blank(out->text, out->n_text);
        if (blank && d->strict)
            s = gg_fail(d->ctx, GG_EFORMAT, "%s%s: the document \"%.200s\" is empty; without --strict it would be skipped", d->last_name, d->where, out->docid);
        if (s == GG_OK && !blank) {
            out->index = d->n_documents++;
            out->row = row;
            return GG_OK;
        }
        json_decref(row);
        *out = (gg_document){.token_num = -1};
        if (s == GG_OK)
            s = note_empty(d);
        if (s != GG_OK)
            return s;
    }
}

bool gg_documents_ready(gg_documents *d) { return !d->rows || gg_rows_ready(d->rows); }

void gg_documents_close(gg_documents *d)
{
    if (!d)
        return;
    gg_rows_close(d->rows);
    for (int i = 0; d->paths && i < d->n_paths; i++)
        gg_drop(d->ctx, d->paths[i]);
    gg_drop(d->ctx, d->paths);
    gg_drop(d->ctx, d->first_rows);
    gg_drop(d->ctx, d->text_column);
    gg_drop(d->ctx, d->id_column);
    gg_drop(d->ctx, d->token_column);
    gg_drop(d->ctx, d->last_name);
    gg_drop(d->ctx, d->table);
    gg_str_free(&d->empty);
    gg_drop(d->ctx, d);
}

int64_t gg_documents_empty(const gg_documents *d) { return d->n_empty; }
const char *gg_documents_empty_list(const gg_documents *d) { return d->empty.data ? d->empty.data : ""; }
int64_t gg_documents_repaired(const gg_documents *d) { return d->repaired_before + (d->rows ? gg_rows_repaired(d->rows) : 0); }
const char *gg_documents_path(const gg_documents *d) { return d->last_name ? d->last_name : ""; }
int64_t gg_documents_line(const gg_documents *d) { return d->last_line; }

void gg_documents_position(const gg_documents *d, int64_t *done, int64_t *total)
{
    int64_t here = 0, size = 0;
    if (d->rows)
        gg_rows_position(d->rows, &here, &size);
    *done = d->bytes_before + here;
    *total = d->n_paths == 1 && d->rows ? size : d->bytes_total;
}
