/* Tables to features and targets. Owns: the columns while a file is read.
 *
 * The file is read twice: once to see how many rows there are and which columns hold texts, once to take the values. Categories and classes get
 * provisional numbers in the order they are met and are sorted at the end, so that the order of the rows decides nothing.
 * A schema (of the data a model was trained on) fixes columns, categories and classes instead; columns are then found by their names.
 * Traps: strtod reads "inf", "nan", hexadecimal and the decimal point of the locale; a number that is missing must become NaN here and a mean only where
 * the training samples are known (scaler.c).
 */
#include "base/utf8.h"
#include "io/tensors.h"
#include "nn/cells.h"
#include "nn/data.h"
#include "nn/config.h"
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum role { SKIPPED, FEATURE, TARGET, GROUP } role;

/* Texts with numbers, in the order they were met. */
typedef struct level_set {
    gg__names names;    /* keys in the arena of the table */
    bool fixed;         /* by a schema: no new ones */
} level_set;

typedef struct column {
    const char *name;
    role role;
    bool is_text;       /* category or class */
    int64_t at;         /* among the features */
    level_set levels;
} column;

typedef struct table {
    gg__store *s;
    gg_context *ctx;
    gg_arena arena;
    const char *path;
    const gg_data_options *o;
    gg__cells cells;
    column *column;     /* (n_columns,) as in the file */
    int64_t n_columns, n_rows;

    column **by_feature;/* (n_features,) in the order of the samples' numbers */
    int64_t n_features;
    column *target, *group;
    gg_target_kind kind;
    double *cell;       /* (n_rows, n_features) a number, NaN, or the number of a category */
    int32_t *label;     /* (n_rows,) */
    float *value;       /* (n_rows,) */
    int64_t *grouping;  /* (n_rows,) */
    gg_str word;        /* a value with its NUL */
} table;

/* --- values ---------------------------------------------------------------------------------------------------------------------------------- */
static bool is_missing(const char *s, size_t n)
{
    static const char *const words[] = {"?", "NA", "N/A", "NaN", "null"};
    if (n == 0)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == n && strncasecmp(s, words[i], n) == 0)
            return true;
    return false;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* digits [. digits] [e digits] with a sign, or inf, infinity */
static bool read_number(double *out, const char *s, size_t n)
{
    const bool sign = n && (*s == '-' || *s == '+');
    size_t i = sign, digits = 0, point = 0;
    uint64_t m = 0;
    bool fraction = false;
    if ((n - i == 3 && strncasecmp(s + i, "inf", 3) == 0) || (n - i == 8 && strncasecmp(s + i, "infinity", 8) == 0)) {
        *out = INFINITY;
        return true;
    }
    for (; i < n && (is_digit(s[i]) || (s[i] == '.' && !fraction)); i++)
        if (s[i] == '.') {
            fraction = true;
        } else {
            m = digits < 18 ? m * 10 + (uint64_t)(s[i] - '0') : m;
            digits++;
            point += fraction;
        }
    if (digits == 0)
        return false;
    if (i == n && digits <= 15) { /* m and 10^point are exact, so their quotient is rounded once (Clinger 1990) */
        static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
        *out = (*s == '-' ? -1.0 : 1.0) * (double)m / tens[point];
        return true;
    }
    if (i < n) {
        i += s[i] == 'e' || s[i] == 'E' ? 1 : n;
        i += i < n && (s[i] == '-' || s[i] == '+');
        if (i >= n)
            return false;
        for (; i < n; i++)
            if (!is_digit(s[i]))
                return false;
    }
    char text[400];
    if (n >= sizeof text)
        return false;
    memcpy(text, s, n);
    text[n] = 0;
    char *dot = strchr(text, '.');
    if (dot)
        *dot = *localeconv()->decimal_point;
    *out = strtod(text, NULL);
    return true;
}

/* The value of column k without blanks around it. */
static const char *value_at(size_t *n, const table *t, int64_t k)
{
    const char *s = gg__cells_at(n, &t->cells, k);
    while (*n && (s[*n - 1] == ' ' || s[*n - 1] == '\t'))
        --*n;
    for (; *n && (*s == ' ' || *s == '\t'); s++)
        --*n;
    return s;
}

static gg_status bad_value(table *t, gg_status s, const column *c, const char *what, const char *text, size_t n)
{
    return gg_fail(t->ctx, s, "%s:%lld: column \"%s\" is \"%s\": %s", t->path, (long long)gg__cells_line(&t->cells), gg__show(c->name, strlen(c->name)),
                   gg__show(text, n), what);
}

static gg_status missing_value(table *t, const column *c)
{
    return gg_fail(t->ctx, GG_EFORMAT, "%s:%lld: column \"%s\" has no value; missing values can be filled with means (\"missing\": \"mean\")", t->path,
                   (long long)gg__cells_line(&t->cells), gg__show(c->name, strlen(c->name)));
}

/* --- levels ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status level_add(table *t, level_set *l, const char *text, size_t n)
{
    const char *own = gg_arena_strndup(&t->arena, text, n);
    bool is_new;
    l->names.ctx = t->ctx;
    return own ? gg__names_add(&l->names, own, &is_new) : GG_ENOMEM;
}

static gg_status level_of(int64_t *out, table *t, column *c, const char *text, size_t n)
{
    t->word.len = 0;
    gg_str_add(&t->word, "", 0);
    if (gg_utf8_is_valid(text, n)) {
        gg_str_add(&t->word, text, n);
    } else {
        char *fixed = gg_alloc(t->ctx, gg_mul(3, (int64_t)n));
        size_t n_fixed = 0;
        if (!fixed)
            return GG_ENOMEM;
        gg_utf8_repair(fixed, &n_fixed, text, n);
        gg_str_add(&t->word, fixed, n_fixed);
        gg_drop(t->ctx, fixed);
    }
    if (t->word.failed)
        return GG_ENOMEM;
    if (strlen(t->word.data) != t->word.len)
        return bad_value(t, GG_EFORMAT, c, "there is a NUL in it", text, n);
    *out = c->levels.names.n ? gg__names_find(&c->levels.names, t->word.data) : -1;
    if (*out >= 0)
        return GG_OK;
    if (c->levels.fixed)
        return bad_value(t, GG_EMISMATCH, c, "the model was trained without it", text, n);
    if (c->levels.names.n == INT32_MAX)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "%s: column \"%s\" has more than 2^31 categories", t->path, c->name);
    *out = c->levels.names.n;
    return level_add(t, &c->levels, t->word.data, t->word.len);
}

typedef struct level {
    const char *text;
    double number;
    int64_t was;
} level;

static int by_number(const void *x, const void *y)
{
    const level *p = x, *q = y;
    return p->number != q->number ? (p->number > q->number) - (p->number < q->number) : strcmp(p->text, q->text);
}

/* Puts levels in order: of their size when all are numbers, else of their bytes. now: (n,) the new number of each old one. */
static gg_status sort_levels(int64_t **now, table *t, column *c)
{
    const int64_t n = c->levels.names.n;
    level *l = gg_new(t->ctx, level, n);
    *now = gg_new(t->ctx, int64_t, n);
    if (!l || !*now) {
        gg_drop(t->ctx, l);
        return GG_ENOMEM;
    }
    bool numbers = true;
    for (int64_t i = 0; i < n; i++) {
        l[i] = (level){c->levels.names.key[i], 0, i};
        numbers = read_number(&l[i].number, l[i].text, strlen(l[i].text)) && numbers;
    }
    for (int64_t i = 0; i < n && !numbers; i++)
        l[i].number = 0;
    if (!c->levels.fixed)
        qsort(l, (size_t)n, sizeof *l, by_number);
    gg__names_free(&c->levels.names);
    gg_status s = GG_OK;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        bool is_new;
        (*now)[l[i].was] = i;
        s = gg__names_add(&c->levels.names, l[i].text, &is_new);
    }
    gg_drop(t->ctx, l);
    return s;
}

/* --- columns --------------------------------------------------------------------------------------------------------------------------------- */
static column *column_named(table *t, const char *name)
{
    for (int64_t k = 0; k < t->n_columns; k++)
        if (strcmp(t->column[k].name, name) == 0)
            return &t->column[k];
    return NULL;
}

/* By name, or by number from 1, from the end when negative. */
static gg_status find_column(column **out, table *t, const char *name, const char *what)
{
    char *end;
    if ((*out = column_named(t, name)) != NULL)
        return GG_OK;
    const long long k = strtoll(name, &end, 10);
    if (*name && !*end && k != 0 && k >= -t->n_columns && k <= t->n_columns) {
        *out = &t->column[k > 0 ? k - 1 : t->n_columns + k];
        return GG_OK;
    }
    gg_str all = {.ctx = t->ctx};
    for (int64_t i = 0; i < t->n_columns && i < 12; i++)
        gg_str_printf(&all, "%s%s", i ? ", " : "", gg__show(t->column[i].name, strlen(t->column[i].name)));
    const gg_status s = all.failed ? GG_ENOMEM : gg_fail(t->ctx, GG_ENOENT, "%s: no column \"%s\" for the %s; there are %s%s", t->path, name, what, all.data,
                                                         t->n_columns > 12 ? ", ..." : "");
    gg_str_free(&all);
    return s;
}

/* All names are numbers, and not 0, 1, 2, ... or 1, 2, 3, ...: a sample that was taken for a line of names. */
static bool names_are_a_sample(const table *t)
{
    bool counted[2] = {true, true};
    for (int64_t k = 0; k < t->n_columns; k++) {
        double v;
        if (!read_number(&v, t->column[k].name, strlen(t->column[k].name)))
            return false;
        counted[0] = counted[0] && v == (double)k;
        counted[1] = counted[1] && v == (double)k + 1;
    }
    return !counted[0] && !counted[1];
}

static gg_status open_rows(table *t)
{
    gg__cells_close(&t->cells);
    return gg__cells_open(&t->cells, t->ctx, t->path, t->o->no_header);
}

static gg_status name_columns(table *t)
{
    GG_TRY(open_rows(t));
    t->n_columns = t->cells.n_columns;
    if (!(t->column = gg_new(t->ctx, column, t->n_columns)))
        return GG_ENOMEM;
    for (int64_t k = 0; k < t->n_columns; k++) {
        const char *name = gg__cells_name(&t->cells, k);
        t->column[k] = (column){.name = gg_arena_strndup(&t->arena, name, strlen(name)), .role = FEATURE};
        if (!t->column[k].name)
            return GG_ENOMEM;
    }
    if (!t->o->no_header && names_are_a_sample(t))
        return gg_fail(t->ctx, GG_EFORMAT, "%s:1: the first line should name the columns and has only numbers: say that there is no header", t->path);
    return GG_OK;
}

static gg_status choose_columns(table *t)
{
    const gg_data_options *o = t->o;
    column *c;
    for (int i = 0; i < o->n_ignore; i++) {
        GG_TRY(find_column(&c, t, o->ignore[i], "columns left out"));
        c->role = SKIPPED;
    }
    if (o->group_column) {
        GG_TRY(find_column(&t->group, t, o->group_column, "groups"));
        t->group->role = GROUP;
        t->group->is_text = true;
    }
    if (o->target != GG_TARGET_NONE) {
        GG_TRY(find_column(&t->target, t, o->target_column ? o->target_column : "-1", "target"));
        if (t->target == t->group)
            return gg_fail(t->ctx, GG_EINVAL, "%s: column \"%s\" is both target and group", t->path, t->target->name);
        t->target->role = TARGET;
    }
    return GG_OK;
}

static gg_status bad_schema(table *t, const char *what) { return gg_fail(t->ctx, GG_EFORMAT, "the schema that %s is read by is damaged: %s", t->path, what); }

static gg_status fix_levels(table *t, column *c, const json_t *list)
{
    if (!json_is_array(list) || json_array_size(list) == 0)
        return bad_schema(t, "categories and classes are lists of texts");
    c->is_text = true;
    c->levels.fixed = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_string(v))
            return bad_schema(t, "categories and classes are lists of texts");
        GG_TRY(level_add(t, &c->levels, json_string_value(v), json_string_length(v)));
    }
    return c->levels.names.n == (int64_t)json_array_size(list) ? GG_OK : bad_schema(t, "a category or class is there twice");
}

/* The columns that the model was trained on, by their names; what else the file has is left out. */
static gg_status columns_of_schema(table *t, const json_t *schema)
{
    const json_t *list = json_object_get(schema, "columns"), *target = json_object_get(schema, "target");
    if (!json_is_array(list) || json_array_size(list) == 0)
        return bad_schema(t, "\"columns\" is a list");
    for (int64_t k = 0; k < t->n_columns; k++)
        t->column[k].role = SKIPPED;
    t->n_features = (int64_t)json_array_size(list);
    if (!(t->by_feature = gg_new(t->ctx, column *, t->n_features)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < t->n_features; i++) {
        const json_t *c = json_array_get(list, (size_t)i), *levels = json_object_get(c, "levels");
        const char *name = json_string_value(json_object_get(c, "name"));
        if (!name)
            return bad_schema(t, "a column has a \"name\"");
        if (!(t->by_feature[i] = column_named(t, name)))
            return gg_fail(t->ctx, GG_EMISMATCH, "%s: no column \"%s\", which the model was trained on", t->path, name);
        if (t->by_feature[i]->role != SKIPPED)
            return bad_schema(t, "a column is there twice");
        t->by_feature[i]->role = FEATURE;
        t->by_feature[i]->at = i;
        if (levels)
            GG_TRY(fix_levels(t, t->by_feature[i], levels));
    }
    const char *name = json_string_value(json_object_get(target, "name"));
    if (t->o->target != GG_TARGET_NONE && name && (t->target = column_named(t, name)) != NULL) {
        if (t->target->role != SKIPPED)
            return bad_schema(t, "its target is a feature");
        t->target->role = TARGET;
        t->kind = json_object_get(schema, "classes") ? GG_TARGET_CLASS : GG_TARGET_VALUE;
        if (t->kind == GG_TARGET_CLASS)
            GG_TRY(fix_levels(t, t->target, json_object_get(schema, "classes")));
    }
    if (t->o->group_column) {
        GG_TRY(find_column(&t->group, t, t->o->group_column, "groups"));
        if (t->group->role != SKIPPED)
            return gg_fail(t->ctx, GG_EINVAL, "%s: column \"%s\" is both group and something else", t->path, t->group->name);
        t->group->role = GROUP;
        t->group->is_text = true;
    }
    return GG_OK;
}

/* First reading: rows, and columns with a text in them. */
static gg_status look(table *t)
{
    gg_status s;
    while ((s = gg__cells_next(&t->cells)) == GG_OK) {
        t->n_rows++;
        for (int64_t k = 0; k < t->n_columns; k++) {
            column *c = &t->column[k];
            size_t n;
            double v;
            if (c->role == SKIPPED || c->is_text || t->o->schema)
                continue;
            const char *text = value_at(&n, t, k);
            c->is_text = !is_missing(text, n) && !read_number(&v, text, n);
            if (c->is_text && c->role == TARGET && t->o->target == GG_TARGET_VALUE)
                return bad_value(t, GG_EFORMAT, c, "the target is to be a number", text, n);
        }
    }
    if (s != GG_END)
        return s;
    return t->n_rows ? GG_OK : gg_fail(t->ctx, GG_EFORMAT, "%s: no rows behind the names of the columns", t->path);
}

static gg_status settle_columns(table *t)
{
    if (t->o->schema)
        return GG_OK;
    if (t->target) {
        if (t->o->target != GG_TARGET_AUTO && t->o->target != GG_TARGET_CLASS && t->o->target != GG_TARGET_VALUE)
            return gg_fail(t->ctx, GG_EINVAL, "%s: the target of a table is a class or a value", t->path);
        t->kind = t->o->target != GG_TARGET_AUTO ? t->o->target : t->target->is_text ? GG_TARGET_CLASS : GG_TARGET_VALUE;
        t->target->is_text = t->kind == GG_TARGET_CLASS;
    }
    if (!(t->by_feature = gg_new(t->ctx, column *, t->n_columns)))
        return GG_ENOMEM;
    for (int64_t k = 0; k < t->n_columns; k++)
        if (t->column[k].role == FEATURE) {
            t->column[k].at = t->n_features;
            t->by_feature[t->n_features++] = &t->column[k];
        }
    return t->n_features ? GG_OK : gg_fail(t->ctx, GG_EINVAL, "%s: no column is left for features", t->path);
}

static gg_status take_value(table *t, column *c, int64_t row, const char *text, size_t n)
{
    const bool missing = is_missing(text, n);
    double v = NAN;
    int64_t number = -1;
    if (missing && (c->role != FEATURE || !t->o->missing_mean))
        return missing_value(t, c);
    if (!missing && c->is_text)
        GG_TRY(level_of(&number, t, c, text, n));
    else if (!missing && !read_number(&v, text, n))
        return bad_value(t, GG_EFORMAT, c, "expected a number", text, n);
    else if (!missing && (!isfinite(v) || (c->role == TARGET && !isfinite((float)v))))
        return bad_value(t, GG_ENAN, c, "not a finite number", text, n);
    if (c->role == FEATURE)
        t->cell[row * t->n_features + c->at] = c->is_text && !missing ? (double)number : v;
    else if (c->role == GROUP)
        t->grouping[row] = number;
    else if (c->is_text)
        t->label[row] = (int32_t)number;
    else
        t->value[row] = (float)v;
    t->s->about.missing = t->s->about.missing || missing;
    return GG_OK;
}

/* Second reading: the values. */
static gg_status fill(table *t)
{
    t->cell = gg_new(t->ctx, double, gg_mul(t->n_rows, t->n_features));
    t->label = gg_new(t->ctx, int32_t, t->n_rows);
    t->value = gg_new(t->ctx, float, t->n_rows);
    t->grouping = gg_new(t->ctx, int64_t, t->n_rows);
    if (!t->cell || !t->label || !t->value || !t->grouping)
        return GG_ENOMEM;
    GG_TRY(open_rows(t));
    gg_status s = GG_OK;
    for (int64_t row = 0; row < t->n_rows && (s = gg__cells_next(&t->cells)) == GG_OK; row++)
        for (int64_t k = 0; k < t->n_columns; k++) {
            size_t n;
            if (t->column[k].role != SKIPPED) {
                const char *text = value_at(&n, t, k);
                GG_TRY(take_value(t, &t->column[k], row, text, n));
            }
        }
    return s == GG_END ? gg_fail(t->ctx, GG_EIO, "%s changed while it was read", t->path) : s;
}

/* --- to samples ------------------------------------------------------------------------------------------------------------------------------- */
/* One number a category, all of them NaN where it is missing: their means are the categories' shares. */
static gg_status expand(table *t)
{
    gg__store *s = t->s;
    gg_context *ctx = t->ctx;
    int64_t width = 0;
    for (int64_t i = 0; i < t->n_features; i++) {
        column *c = t->by_feature[i];
        if (c->is_text && c->levels.names.n == 0)
            return gg_fail(ctx, GG_EINVAL, "%s: column \"%s\" has no value at all", t->path, c->name);
        width += c->is_text ? c->levels.names.n : 1;
    }
    bool categories = false;
    for (int64_t i = 0; i < t->n_features; i++)
        categories = categories || t->by_feature[i]->is_text;
    const char **names = gg_arena_alloc(&s->arena, gg_mul(width, sizeof *names));
    double *x = s->own = categories ? gg_new(ctx, double, gg_mul(t->n_rows, width)) : t->cell;
    t->cell = categories ? t->cell : NULL; /* it is x */
    if (!names || !x)
        return GG_ENOMEM;
    for (int64_t i = 0, at = 0; i < t->n_features; i++) {
        column *c = t->by_feature[i];
        const int64_t n = c->is_text ? c->levels.names.n : 1;
        int64_t *now = NULL;
        gg_status status = c->is_text ? sort_levels(&now, t, c) : GG_OK;
        for (int64_t k = 0; k < n && status == GG_OK; k++) {
            gg_str name = {.ctx = ctx};
            gg_str_puts(&name, c->name);
            if (c->is_text)
                gg_str_printf(&name, "=%s", c->levels.names.key[k]);
            names[at + k] = name.failed ? NULL : gg_arena_strndup(&s->arena, name.data, name.len);
            status = names[at + k] ? GG_OK : GG_ENOMEM;
            gg_str_free(&name);
        }
        for (int64_t row = 0; row < t->n_rows && categories && status == GG_OK; row++) {
            const double v = t->cell[row * t->n_features + i];
            for (int64_t k = 0; k < n; k++)
                x[row * width + at + k] = !c->is_text || isnan(v) ? v : now[(int64_t)v] == k;
        }
        gg_drop(ctx, now);
        GG_TRY(status);
        at += n;
    }
    s->x = x;
    s->row = s->width = width;
    s->about.n = t->n_rows;
    s->about.dtype = GG_F64;
    s->about.sample = GG_SHAPE(width);
    s->about.feature_name = names;
    return GG_OK;
}

static gg_status take_target(table *t)
{
    gg__store *s = t->s;
    int64_t *now = NULL;
    if (!t->target)
        return GG_OK;
    if (t->kind == GG_TARGET_VALUE) {
        float *value = gg_arena_alloc(&s->arena, gg_mul(t->n_rows, sizeof *value));
        if (!value)
            return GG_ENOMEM;
        memcpy(value, t->value, (size_t)t->n_rows * sizeof *value);
        s->value = value;
        s->about.n_values = 1;
        s->about.target = GG_TARGET_VALUE;
        return GG_OK;
    }
    gg_status status = sort_levels(&now, t, t->target);
    for (int64_t i = 0; i < t->n_rows && status == GG_OK; i++)
        t->label[i] = (int32_t)now[t->label[i]];
    if (status == GG_OK)
        status = gg__store_labels(s, t->label, t->target->levels.names.n, t->target->levels.names.key, t->path);
    gg_drop(t->ctx, now);
    return status;
}

static gg_status take_group(table *t)
{
    gg__store *s = t->s;
    if (!t->group)
        return GG_OK;
    if (!(s->group = gg_arena_alloc(&s->arena, gg_mul(t->n_rows, sizeof *s->group))))
        return GG_ENOMEM;
    memcpy(s->group, t->grouping, (size_t)t->n_rows * sizeof *s->group);
    s->about.groups = true;
    return GG_OK;
}

static gg_status make_schema(table *t)
{
    json_t *o = t->s->schema = json_object(), *list = json_array();
    bool ok = json_object_set_new(o, "columns", list) == 0; /* without an object it drops the list */
    for (int64_t i = 0; i < t->n_features && ok; i++) {
        const column *c = t->by_feature[i];
        json_t *e = json_object();
        ok = json_array_append_new(list, e) == 0 && json_object_set_new(e, "name", json_string(c->name)) == 0 &&
             (!c->is_text || json_object_set_new(e, "levels", gg__json_texts(c->levels.names.key, c->levels.names.n)) == 0);
    }
    if (ok && t->target) {
        json_t *e = json_object();
        ok = json_object_set_new(o, "target", e) == 0 && json_object_set_new(e, "name", json_string(t->target->name)) == 0 &&
             (t->kind != GG_TARGET_CLASS || json_object_set_new(o, "classes", gg__json_texts(t->target->levels.names.key, t->target->levels.names.n)) == 0);
    }
    return ok ? GG_OK : gg_fail(t->ctx, GG_ENOMEM, "%s: out of memory for its schema", t->path);
}

static gg_status read_table(table *t)
{
    GG_TRY(name_columns(t));
    GG_TRY(t->o->schema ? columns_of_schema(t, t->o->schema) : choose_columns(t));
    GG_TRY(look(t));
    GG_TRY(settle_columns(t));
    GG_TRY(fill(t));
    GG_TRY(expand(t));
    GG_TRY(take_target(t));
    GG_TRY(take_group(t));
    return make_schema(t);
}

gg_status gg__data_table(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o)
{
    table t = {.ctx = ctx, .arena = {.ctx = ctx}, .cells = {.ctx = ctx}, .path = path, .o = o, .word = {.ctx = ctx}};
    GG_TRY(gg__store_create(&t.s, ctx));
    const gg_status s = read_table(&t);
    for (int64_t k = 0; k < t.n_columns && t.column; k++)
        gg__names_free(&t.column[k].levels.names);
    gg__cells_close(&t.cells);
    gg_drop(ctx, t.column);
    gg_drop(ctx, t.by_feature);
    gg_drop(ctx, t.cell);
    gg_drop(ctx, t.label);
    gg_drop(ctx, t.value);
    gg_drop(ctx, t.grouping);
    gg_str_free(&t.word);
    gg_arena_free(&t.arena);
    return gg__data_whole(out, t.s, s);
}
