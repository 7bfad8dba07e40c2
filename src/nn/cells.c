/* Tables as texts. Owns: the row at hand, of files that are not CSV.
 *
 * A number of JSON goes through its shortest text and comes back to the bit. Trap: a later row of JSONL may name a column that the first has not; it is
 * refused, since its values would be lost without a word. A column that a row does not name is missing there.
 */
#include "nn/cells.h"
#include "io/formats.h"
#include "io/tensors.h"

static gg_status next_object(gg__cells *c)
{
    json_decref(c->row);
    c->row = NULL;
    return gg_rows_next(c->rows, &c->row);
}

static gg_status names_of_first(gg__cells *c)
{
    const char *key;
    json_t *v;
    const gg_status s = next_object(c);
    if (s != GG_OK)
        return s == GG_END ? gg_fail(c->ctx, GG_EFORMAT, "%s: no rows", gg_rows_path(c->rows)) : s;
    const int64_t n = (int64_t)json_object_size(c->row);
    c->names = gg_new(c->ctx, const char *, n);
    c->ends = gg_new(c->ctx, size_t, n);
    if (!c->names || !c->ends)
        return GG_ENOMEM;
    json_object_foreach(c->row, key, v)
    {
        if (!(c->names[c->n_columns] = gg_arena_strndup(&c->arena, key, strlen(key))))
            return GG_ENOMEM;
        c->n_columns++;
    }
    c->pending = true;
    return GG_OK;
}

gg_status gg__cells_open(gg__cells *c, gg_context *ctx, const char *path, bool no_names)
{
    const size_t n = gg_name_plain_length(path);
    *c = (gg__cells){.ctx = ctx, .arena = {.ctx = ctx}, .text = {.ctx = ctx}};
    c->fields = n >= 4 && (strncasecmp(path + n - 4, ".csv", 4) == 0 || strncasecmp(path + n - 4, ".tsv", 4) == 0);
    if (c->fields) {
        GG_TRY(gg_csv_open(&c->rows, ctx, path, no_names));
        c->n_columns = gg_csv_columns(c->rows);
        return GG_OK;
    }
    if (no_names)
        return gg_fail(ctx, GG_EINVAL, "%s: only CSV and TSV can be without names of columns", path);
    GG_TRY(gg_rows_open(&c->rows, ctx, path));
    return names_of_first(c);
}

void gg__cells_close(gg__cells *c)
{
    gg_rows_close(c->rows);
    json_decref(c->row);
    gg_drop(c->ctx, c->names);
    gg_drop(c->ctx, c->ends);
    gg_str_free(&c->text);
    gg_arena_free(&c->arena);
    *c = (gg__cells){.ctx = c->ctx};
}

const char *gg__cells_name(const gg__cells *c, int64_t k) { return c->fields ? gg_csv_name(c->rows, k) : c->names[k]; }
int64_t gg__cells_line(const gg__cells *c) { return gg_rows_line(c->rows); }

static gg_status foreign_column(gg__cells *c)
{
    const char *key;
    json_t *v;
    json_object_foreach(c->row, key, v)
    {
        int64_t k = 0;
        while (k < c->n_columns && strcmp(c->names[k], key) != 0)
            k++;
        if (k == c->n_columns)
            return gg_fail(c->ctx, GG_EFORMAT, "%s:%lld: column \"%s\" is not in the first row", gg_rows_path(c->rows), (long long)gg__cells_line(c),
                           gg__show(key, strlen(key)));
    }
    return GG_EINTERNAL;
}

static gg_status add_value(gg__cells *c, int64_t k, const json_t *v)
{
    if (json_is_string(v))
        gg_str_add(&c->text, json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v))
        gg_str_puts(&c->text, json_is_true(v) ? "1" : "0");
    else if (json_is_number(v))
        gg_json_write(&c->text, v, 0);
    else if (v && !json_is_null(v))
        return gg_fail(c->ctx, GG_EFORMAT, "%s:%lld: column \"%s\" is %s: numbers and texts are wanted", gg_rows_path(c->rows), (long long)gg__cells_line(c),
                       gg__show(c->names[k], strlen(c->names[k])), gg_json_kind(v));
    c->ends[k] = c->text.len;
    return c->text.failed ? GG_ENOMEM : GG_OK;
}

gg_status gg__cells_next(gg__cells *c)
{
    if (c->fields)
        return gg_csv_next(c->rows);
    if (!c->pending)
        GG_TRY(next_object(c));
    c->pending = false;
    c->text.len = 0;
    int64_t found = 0;
    for (int64_t k = 0; k < c->n_columns; k++) {
        const json_t *v = json_object_get(c->row, c->names[k]);
        found += v != NULL;
        GG_TRY(add_value(c, k, v));
    }
    return found == (int64_t)json_object_size(c->row) ? GG_OK : foreign_column(c);
}

const char *gg__cells_at(size_t *n, const gg__cells *c, int64_t k)
{
    if (c->fields)
        return gg_csv_field(n, c->rows, k);
    const size_t from = k ? c->ends[k - 1] : 0;
    *n = c->ends[k] - from;
    return c->text.data ? c->text.data + from : "";
}
