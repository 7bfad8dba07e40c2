/* The rows of a reproduction, and how they are told. Owns what a verdict is.
 *
 *     mean = (1/n) sum_i v_i,   sd = sqrt(sum_i (v_i - mean)^2 / (n - 1))
 *
 * Trap: 0.9996 rounded to "1" under a bound of 1 reads as held when it is not. A number is printed with as many digits as it takes for
 * the printed one to stand in the same relation to the bound.
 */
#include "plot/claims.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>

typedef struct row {
    struct row *next;
    gg_claim claim; /* texts in the arena */
    int part;
    int64_t n;
    double *value; /* (n,) */
    double mean, sd;
    gg_verdict verdict;
} row;

typedef struct part {
    struct part *next;
    const char *name, *about;
} part;

struct gg_claims {
    gg_context *ctx;
    gg_arena arena;
    int n_parts;
    part *first_part, **last_part;
    row *first, **last;
};

gg_status gg_claims_create(gg_claims **out, gg_context *ctx)
{
    gg_claims *c = gg_new(ctx, gg_claims, 1);
    if (!c)
        return GG_ENOMEM;
    *c = (gg_claims){.ctx = ctx, .arena = {.ctx = ctx}};
    c->last = &c->first;
    c->last_part = &c->first_part;
    *out = c;
    return GG_OK;
}

void gg_claims_free(gg_claims *c)
{
    if (!c)
        return;
    gg_arena_free(&c->arena);
    gg_drop(c->ctx, c);
}

static gg_status keep(gg_claims *c, const char **out, const char *text)
{
    *out = text ? gg_arena_strndup(&c->arena, text, strlen(text)) : NULL;
    return text && !*out ? GG_ENOMEM : GG_OK;
}

gg_status gg_claims_part(gg_claims *c, const char *name, const char *about)
{
    part *p = gg_arena_alloc(&c->arena, sizeof *p);
    if (!p)
        return GG_ENOMEM;
    GG_TRY(keep(c, &p->name, name));
    GG_TRY(keep(c, &p->about, about));
    *c->last_part = p;
    c->last_part = &p->next;
    c->n_parts++;
    return GG_OK;
}

static bool stands(double x, gg_relation r, double bound)
{
    switch (r) {
    case GG_AT_LEAST: return x >= bound;
    case GG_AT_MOST: return x <= bound;
    default: return x > bound;
    }
}

static gg_status add(gg_claims *c, const gg_claim *claim, const double *value, int64_t n)
{
    if (c->n_parts == 0 || (unsigned)claim->relation >= GG_RELATIONS)
        return gg_fail(c->ctx, GG_EINVAL, "the claim \"%s\" belongs to no part, or its relation is unknown", claim->claim);
    row *r = gg_arena_alloc(&c->arena, sizeof *r);
    if (!r || !(r->value = gg_arena_alloc(&c->arena, gg_mul(n, (int64_t)sizeof *value))))
        return GG_ENOMEM;
    r->claim = *claim;
    GG_TRY(keep(c, &r->claim.claim, claim->claim));
    GG_TRY(keep(c, &r->claim.paper, claim->paper));
    GG_TRY(keep(c, &r->claim.unit, claim->unit));
    GG_TRY(keep(c, &r->claim.over, claim->over));
    GG_TRY(keep(c, &r->claim.note, claim->note));
    r->part = c->n_parts - 1;
    r->n = n;
    for (int64_t i = 0; i < n; i++) {
        r->value[i] = value[i];
        r->mean += value[i] / (double)n;
    }
    for (int64_t i = 0; i < n && n > 1; i++)
        r->sd += (value[i] - r->mean) * (value[i] - r->mean) / (double)(n - 1);
    r->sd = sqrt(r->sd);
    r->verdict = n == 0 ? GG_NOT_TRIED : stands(r->mean, claim->relation, claim->bound) ? GG_HELD : GG_NOT_HELD;
    *c->last = r;
    c->last = &r->next;
    return GG_OK;
}

gg_status gg_claims_add(gg_claims *c, const gg_claim *claim, const double *value, int64_t n)
{
    return n > 0 ? add(c, claim, value, n) : gg_fail(c->ctx, GG_EINVAL, "the claim \"%s\" comes without values", claim->claim);
}

gg_status gg_claims_skip(gg_claims *c, const gg_claim *claim, const char *why)
{
    gg_claim with_reason = *claim;
    with_reason.note = why;
    return add(c, &with_reason, NULL, 0);
}

/* --- telling -------------------------------------------------------------------------------------------------------------------- */
int gg_claims_parts(const gg_claims *c)
{
    return c->n_parts;
}

int gg_claims_count(const gg_claims *c, gg_verdict v)
{
    int n = 0;
    for (const row *r = c->first; r; r = r->next)
        n += r->verdict == v;
    return n;
}

const char *gg_verdict_name(gg_verdict v)
{
    static const char *const name[GG_VERDICTS] = {"held", "not held", "not tried"};
    return (unsigned)v < GG_VERDICTS ? name[v] : "?";
}

static const part *part_at(const gg_claims *c, int i)
{
    const part *p = c->first_part;
    while (p && i-- > 0)
        p = p->next;
    return p;
}

const char *gg_claims_part_name(const gg_claims *c, int i)
{
    const part *p = part_at(c, i);
    return p ? p->name : "";
}

const char *gg_claims_part_about(const gg_claims *c, int i)
{
    const part *p = part_at(c, i);
    return p && p->about ? p->about : "";
}

/* Four digits, more where fewer would tell another verdict. */
static void number(char out[40], const row *r)
{
    for (int digits = 4; digits <= 17; digits++) {
        snprintf(out, 40, "%.*g", digits, r->mean);
        if (stands(strtod(out, NULL), r->claim.relation, r->claim.bound) == stands(r->mean, r->claim.relation, r->claim.bound))
            return;
    }
}

/* "0.861 +- 0.004 (5 seeds)" */
static void measured(gg_str *s, const row *r)
{
    char mean[40];
    if (r->n == 0)
        return;
    number(mean, r);
    gg_str_puts(s, mean);
    if (r->n > 1)
        gg_str_printf(s, " +- %.2g", r->sd);
    if (r->claim.unit)
        gg_str_printf(s, " %s", r->claim.unit);
    if (r->n > 1)
        gg_str_printf(s, " (%lld %s)", (long long)r->n, r->claim.over ? r->claim.over : "values");
}

static void wanted(gg_str *s, const row *r)
{
    static const char *const sign[GG_RELATIONS] = {">=", "<=", ">"};
    gg_str_printf(s, "%s %g", sign[r->claim.relation], r->claim.bound);
}

/* The next line of *text, of at most `width` characters, broken at a space; "" when there is none left. Returns its bytes. */
static int next_line(const char **text, int width)
{
    const char *t = *text + strspn(*text, " ");
    int n = 0, end = 0, characters = 0;
    for (; t[n] && characters <= width; n++) {
        if (t[n] == ' ')
            end = n;
        characters += ((unsigned char)t[n] & 0xc0) != 0x80;
    }
    if (!t[n] && characters <= width)
        end = n;
    else if (end == 0) /* one long word */
        for (end = n - 1; end > 1 && ((unsigned char)t[end] & 0xc0) == 0x80; end--)
            ;
    *text = t;
    return end;
}

static int characters_of(const char *t, int n)
{
    int characters = 0;
    for (int i = 0; i < n; i++)
        characters += ((unsigned char)t[i] & 0xc0) != 0x80;
    return characters;
}

/* Cells side by side, each wrapped to its width. */
static void print_cells(FILE *to, const char *const *cell, const int *width, int n /* at most 8 */)
{
    const char *left[8];
    for (int i = 0; i < n; i++)
        left[i] = cell[i];
    for (bool more = true; more;) {
        int blank = 2; /* not written before something follows, so that no line ends in spaces */
        more = false;
        for (int i = 0; i < n; i++) {
            const int bytes = next_line(&left[i], width[i]);
            if (bytes > 0)
                fprintf(to, "%*s%.*s", blank, "", bytes, left[i]);
            blank = (bytes > 0 ? 0 : blank) + width[i] - characters_of(left[i], bytes) + 2;
            left[i] += bytes;
            more = more || left[i][strspn(left[i], " ")];
        }
        fputc('\n', to);
    }
}

void gg_claims_print(const gg_claims *c, FILE *to, int p)
{
    enum { CELLS = 4, NOTE = 104 };
    static const int width[CELLS] = {42, 20, 24, 18};
    static const char *const head[CELLS] = {"claim", "paper", "here", "verdict (wanted)"};
    const char *about = gg_claims_part_about(c, p);
    fprintf(to, "%s%s%s\n\n", gg_claims_part_name(c, p), *about ? " - " : "", about);
    print_cells(to, head, width, CELLS);
    for (const row *r = c->first; r; r = r->next) {
        if (r->part != p)
            continue;
        gg_str here = {.ctx = c->ctx}, verdict = {.ctx = c->ctx};
        measured(&here, r);
        gg_str_printf(&verdict, "%s (", gg_verdict_name(r->verdict));
        wanted(&verdict, r);
        gg_str_puts(&verdict, ")");
        const char *const cell[CELLS] = {r->claim.claim, r->claim.paper ? r->claim.paper : "-", here.data ? here.data : "-", verdict.data ? verdict.data : "?"};
        print_cells(to, cell, width, CELLS);
        const char *note = r->claim.note ? r->claim.note : "";
        for (int n; (n = next_line(&note, NOTE)) > 0; note += n)
            fprintf(to, "      %.*s\n", n, note);
        gg_str_free(&here);
        gg_str_free(&verdict);
    }
    fputc('\n', to);
}

static json_t *json_text(const char *t)
{
    return t ? json_string(t) : json_null();
}

static json_t *row_json(const row *r)
{
    static const char *const relation[GG_RELATIONS] = {"at least", "at most", "more than"};
    json_t *values = json_array();
    for (int64_t i = 0; i < r->n; i++)
        gg_json_add(&values, gg_json_number(r->value[i]));
    return json_pack("{so so so so so so so ss so ss so}", "claim", json_text(r->claim.claim), "paper", json_text(r->claim.paper), "values", values, "mean",
                     r->n ? gg_json_number(r->mean) : json_null(), "sd", r->n > 1 ? gg_json_number(r->sd) : json_null(), "over",
                     json_text(r->n > 1 ? r->claim.over : NULL), "unit", json_text(r->claim.unit), "relation", relation[r->claim.relation], "bound",
                     gg_json_number(r->claim.bound), "verdict", gg_verdict_name(r->verdict), "note", json_text(r->claim.note));
}

json_t *gg_claims_json(const gg_claims *c)
{
    json_t *all = json_array();
    for (int p = 0; p < c->n_parts && all; p++) {
        json_t *rows = json_array();
        for (const row *r = c->first; r; r = r->next)
            if (r->part == p && json_array_append_new(rows, row_json(r)) != 0) {
                json_decref(rows);
                rows = NULL;
                break;
            }
        json_t *one = json_pack("{so so so}", "part", json_text(gg_claims_part_name(c, p)), "about", json_text(gg_claims_part_about(c, p)), "claims", rows);
        if (json_array_append_new(all, one) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

gg_status gg_claims_table(const gg_claims *c, gg_report *report, int p)
{
    static const char *const column[] = {"claim", "paper", "here", "wanted", "verdict", "note"};
    static const bool is_number[6] = {false};
    gg_str here = {.ctx = c->ctx}, want = {.ctx = c->ctx};
    gg_report_table_begin(report, gg_claims_part_name(c, p), column, is_number, 6);
    for (const row *r = c->first; r; r = r->next) {
        if (r->part != p)
            continue;
        here.len = want.len = 0;
        measured(&here, r);
        wanted(&want, r);
        if (here.failed || want.failed)
            break;
        gg_report_table_row(report, (const char *const[]){r->claim.claim, r->claim.paper, r->n ? here.data : NULL, want.data, gg_verdict_name(r->verdict),
                                                          r->claim.note});
    }
    gg_report_table_end(report);
    const bool failed = here.failed || want.failed;
    gg_str_free(&here);
    gg_str_free(&want);
    return failed ? GG_ENOMEM : GG_OK;
}
