/* CSV and TSV as RFC 4180 has them; the first line names the columns, every value is a text.
 *
 *     field   = " any " with "" for a quote, line ends and separators inside    or    anything up to a separator or line end
 *     line    ends with LF, CR LF or CR
 * As Python's csv in strict mode reads it. A quote inside an unquoted field is an ordinary character; text behind a closing quote is an error.
 * Traps: the line number must count the line ends inside quotes; a CR at the end of the window may be half a CR LF. Blank lines are passed over.
 */
#include "io/formats.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <stdio.h>

typedef struct csv_state {
    char separator;
    gg_window w;
    size_t i;           /* the byte looked at, from the window's start */
    int64_t line;       /* of byte i */
    gg_str fields;      /* the texts of a record, end to end */
    size_t *ends;       /* (n_fields,) where each ends in fields */
    int64_t n_fields, cap;
    char **names;       /* (n_columns,) */
    int64_t n_columns;
    bool first_is_row;  /* no line of names: the first record, in fields already, is a row */
} csv_state;

/* Makes byte i visible; false at the end. */
static gg_status see(bool *there, gg_rows *r, csv_state *c)
{
    while (c->i >= c->w.n && !c->w.end)
        GG_TRY(gg_stream_more(&c->w, r->stream));
    *there = c->i < c->w.n;
    return GG_OK;
}

static gg_status end_field(csv_state *c, gg_context *ctx)
{
    if (c->fields.failed)
        return GG_ENOMEM;
    GG_TRY(gg_grow(ctx, &c->ends, c->n_fields, &c->cap, 32));
    c->ends[c->n_fields++] = c->fields.len;
    return GG_OK;
}

/* Behind the opening quote. */
static gg_status quoted(gg_rows *r, csv_state *c)
{
    int64_t opened = c->line;
    for (;;) {
        bool there;
        GG_TRY(see(&there, r, c));
        if (!there)
            return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: the quote opened here (value %lld of its row) is never closed", r->name, (long long)opened,
                           (long long)c->n_fields + 1);
        const char *from = c->w.data + c->i, *quote = memchr(from, '"', c->w.n - c->i);
        size_t n = quote ? (size_t)(quote - from) : c->w.n - c->i;
        for (const char *p = from; (p = memchr(p, '\n', (size_t)(from + n - p))) != NULL; p++)
            c->line++;
        gg_str_add(&c->fields, from, n);
        c->i += n;
        if (!quote)
            continue;
        c->i++;
        GG_TRY(see(&there, r, c));
        if (!there || c->w.data[c->i] != '"')
            break;
        gg_str_add(&c->fields, "\"", 1);
        c->i++;
    }
    if (c->i < c->w.n && c->w.data[c->i] != c->separator && c->w.data[c->i] != '\n' && c->w.data[c->i] != '\r')
        return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: value %lld goes on behind its closing quote; a quote within quotes is written twice", r->name,
                       (long long)c->line, (long long)c->n_fields + 1);
    return GG_OK;
}

static gg_status unquoted(gg_rows *r, csv_state *c)
{
    for (bool there = true; there;) {
        size_t from = c->i;
        const char *p = c->w.data;
        while (c->i < c->w.n && p[c->i] != c->separator && p[c->i] != '\n' && p[c->i] != '\r')
            c->i++;
        if (c->i > from)
            gg_str_add(&c->fields, p + from, c->i - from);
        if (c->i < c->w.n)
            break;
        GG_TRY(see(&there, r, c));
    }
    return GG_OK;
}

/* Byte i is a CR or LF: goes behind it. */
static gg_status pass_line_end(gg_rows *r, csv_state *c)
{
    bool cr = c->w.data[c->i++] == '\r', there = false;
    if (cr)
        GG_TRY(see(&there, r, c));
    if (there && c->w.data[c->i] == '\n')
        c->i++;
    c->line++;
    return GG_OK;
}

/* The next record into fields and ends; GG_END behind the last. r->line is where it begins. */
static gg_status next_record(gg_rows *r, csv_state *c)
{
    bool there;
    gg_stream_window(&c->w, r->stream);
    c->i = 0;
    c->fields.len = 0;
    c->n_fields = 0;
    for (;;) { /* blank lines */
        GG_TRY(see(&there, r, c));
        if (!there)
            return GG_END;
        if (c->w.data[c->i] != '\n' && c->w.data[c->i] != '\r')
            break;
        GG_TRY(pass_line_end(r, c));
    }
    r->line = c->line;
    for (;;) {
        GG_TRY(see(&there, r, c));
        if (there && c->w.data[c->i] == '"') {
            c->i++;
            GG_TRY(quoted(r, c));
        } else {
            GG_TRY(unquoted(r, c));
        }
        GG_TRY(end_field(c, r->ctx));
        if (c->i >= c->w.n)
            break;
        if (c->w.data[c->i] != c->separator) {
            GG_TRY(pass_line_end(r, c));
            break;
        }
        c->i++;
    }
    gg_stream_take(r->stream, c->i);
    return GG_OK;
}

static const char *field(size_t *n, const csv_state *c, int64_t k)
{
    size_t from = k > 0 ? c->ends[k - 1] : 0;
    *n = c->ends[k] - from;
    return c->fields.data ? c->fields.data + from : "";
}

static gg_status read_names(gg_rows *r, csv_state *c)
{
    gg_status s = next_record(r, c);
    if (s == GG_END)
        return gg_fail(r->ctx, GG_EFORMAT, "%s: empty; the first line must name the columns", r->name);
    if (s != GG_OK)
        return s;
    c->names = gg_new(r->ctx, char *, c->n_fields);
    if (!c->names)
        return GG_ENOMEM;
    for (int64_t k = 0; k < c->n_fields; k++) {
        size_t n;
        const char *name = field(&n, c, k);
        char *fixed = gg_alloc(r->ctx, gg_mul(3, (int64_t)n) + 1);
        if (!fixed)
            return GG_ENOMEM;
        c->names[c->n_columns++] = fixed;
        size_t n_fixed;
        r->repaired += gg_utf8_repair(fixed, &n_fixed, name, n);
        if (strlen(fixed) != n_fixed)
            return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: the name of column %lld has a NUL in it", r->name, (long long)r->line, (long long)k + 1);
    }
    json_t *all = json_object(); /* a set of names: a thousand columns must not cost a million comparisons */
    s = all ? GG_OK : GG_ENOMEM;
    for (int64_t k = 0; k < c->n_columns && s == GG_OK; k++) {
        if (json_object_get(all, c->names[k]))
            s = gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: two columns are named \"%.100s\"", r->name, (long long)r->line, c->names[k]);
        else if (json_object_set_new_nocheck(all, c->names[k], json_true()) != 0)
            s = GG_ENOMEM;
    }
    json_decref(all);
    return s == GG_ENOMEM ? gg_fail(r->ctx, s, "%s: out of memory for the columns' names", r->name) : s;
}

/* Columns called 1, 2, ...: as many as the first row has values. */
static gg_status number_columns(gg_rows *r, csv_state *c)
{
    gg_status s = next_record(r, c);
    if (s != GG_OK)
        return s == GG_END ? gg_fail(r->ctx, GG_EFORMAT, "%s: empty", r->name) : s;
    c->names = gg_new(r->ctx, char *, c->n_fields);
    if (!c->names)
        return GG_ENOMEM;
    for (int64_t k = 0; k < c->n_fields; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k + 1);
        if (!(c->names[c->n_columns++] = gg_strdup(r->ctx, number)))
            return GG_ENOMEM;
    }
    c->first_is_row = true;
    return GG_OK;
}

static gg_status open_with(gg_rows *r, bool no_names)
{
    csv_state *c = gg_new(r->ctx, csv_state, 1);
    if (!c)
        return GG_ENOMEM;
    r->state = c;
    *c = (csv_state){.line = 1, .fields = {.ctx = r->ctx}};
    size_t n = gg_name_plain_length(r->path);
    c->separator = n >= 3 && strncasecmp(r->path + n - 3, "tsv", 3) == 0 ? '\t' : ',';
    GG_TRY(gg_stream_open(&r->stream, r->ctx, r->path));
    GG_TRY(gg_stream_skip_bom(r->stream));
    return no_names ? number_columns(r, c) : read_names(r, c);
}

static gg_status csv_open(gg_rows *r) { return open_with(r, false); }
static gg_status csv_open_without_names(gg_rows *r) { return open_with(r, true); }

/* A new text of n bytes, repaired where it must be. NULL: out of memory. */
static json_t *text_value(gg_rows *r, const char *s, size_t n)
{
    if (gg_utf8_is_valid(s, n))
        return json_stringn_nocheck(s, n);
    char *fixed = gg_alloc(r->ctx, gg_mul(3, (int64_t)n));
    if (!fixed)
        return NULL;
    size_t n_fixed;
    r->repaired += gg_utf8_repair(fixed, &n_fixed, s, n);
    json_t *v = json_stringn_nocheck(fixed, n_fixed);
    gg_drop(r->ctx, fixed);
    return v;
}

/* The next row into fields and ends. */
static gg_status next_row(gg_rows *r, csv_state *c)
{
    gg_status s = c->first_is_row ? GG_OK : next_record(r, c);
    c->first_is_row = false;
    if (s != GG_OK)
        return s;
    if (c->n_fields != c->n_columns)
        return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: %lld values, but the first line %s %lld columns%s", r->name, (long long)r->line,
                       (long long)c->n_fields, r->format->open == csv_open ? "names" : "has", (long long)c->n_columns,
                       c->n_fields > c->n_columns ? "; values with a separator in them need quotes" : "");
    return GG_OK;
}

static gg_status csv_next(gg_rows *r, json_t **row)
{
    csv_state *c = r->state;
    GG_TRY(next_row(r, c));
    json_t *o = json_object();
    bool ok = o != NULL;
    for (int64_t k = 0; k < c->n_columns && ok; k++) {
        size_t n;
        const char *text = field(&n, c, k);
        ok = json_object_set_new_nocheck(o, c->names[k], text_value(r, text, n)) == 0;
    }
    if (!ok) {
        json_decref(o);
        return gg_fail(r->ctx, GG_ENOMEM, "%s:%lld: out of memory for a row", r->name, (long long)r->line);
    }
    *row = o;
    return GG_OK;
}

static void csv_close(gg_rows *r)
{
    csv_state *c = r->state;
    if (!c)
        return;
    for (int64_t k = 0; k < c->n_columns; k++)
        gg_drop(r->ctx, c->names[k]);
    gg_drop(r->ctx, c->names);
    gg_drop(r->ctx, c->ends);
    gg_str_free(&c->fields);
    gg_drop(r->ctx, c);
}

static void csv_position(const gg_rows *r, int64_t *done, int64_t *total) { gg_stream_position(r->stream, done, total); }

const gg_format gg_format_csv = {csv_open, csv_next, csv_close, csv_position, NULL};
static const gg_format without_names = {csv_open_without_names, csv_next, csv_close, csv_position, NULL};

gg_status gg_csv_open(gg_rows **out, gg_context *ctx, const char *path, bool no_names)
{
    return gg_rows_open_as(out, ctx, path, no_names ? &without_names : &gg_format_csv, (gg_rows_part){0, 0});
}

int64_t gg_csv_columns(const gg_rows *r) { return ((const csv_state *)r->state)->n_columns; }
const char *gg_csv_name(const gg_rows *r, int64_t k) { return ((const csv_state *)r->state)->names[k]; }
gg_status gg_csv_next(gg_rows *r) { return next_row(r, r->state); }
const char *gg_csv_field(size_t *n, const gg_rows *r, int64_t k) { return field(n, r->state, k); }
