/* Ranking a pool against a target. Owns: the joining of features with the columns of a payload, the order, the token budget.
 *
 *     order    (score, docid) ascending, docids as bytes; score = distance, or with a quality column
 *              minmax(distance) + minmax(quality)        (or + 1 - minmax(quality) when higher is better; a constant column gives 0)
 *     budget   floor(fraction * all tokens); rows are kept from the top while their running sum of tokens stays within it, and the
 *              first row is kept even when it alone is more. Nothing after the first row that does not fit is kept.
 * min and max are over the whole pool, after the rows without a quality were left out (they do not count towards the budget either).
 * The pool is read batch by batch; what stays of a document is its docid, distance and token count.
 * Traps: a payload may lack documents of the features (left out, as the published join does, but counted and said); token counts may be
 * numbers or texts; contrast needs the pool's counts first, hence two passes over its features.
 */
#include "systems/nag/nag_internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the pieces ------------------------------------------------------------------------------------------------------------ */
static int by_score(const void *pa, const void *pb)
{
    const gg_nag_row *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return strcmp(a->docid, b->docid);
}

void gg_nag_sort(gg_nag_row *row, int64_t n) { qsort(row, (size_t)n, sizeof *row, by_score); }

int64_t gg_nag_budget(int64_t *budget, int64_t *total, const gg_nag_row *row, int64_t n, double fraction)
{
    int64_t all = 0, sum = 0, kept = 0;
    for (int64_t i = 0; i < n; i++)
        all += row[i].token_num;
    const int64_t most = (int64_t)((double)all * fraction);
    while (kept < n && sum + row[kept].token_num <= most)
        sum += row[kept++].token_num;
    *budget = most;
    *total = all;
    return kept == 0 && n > 0 ? 1 : kept;
}

void gg_nag_minmax(double *out, const double *x, int64_t n)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = hi == lo ? 0 : (x[i] - lo) / (hi - lo);
}

/* --- what is being built ----------------------------------------------------------------------------------------------------- */
typedef struct columns { /* what a row of the payload says */
    int64_t tokens;      /* -1: nothing */
    double quality;      /* NaN: nothing */
    int32_t label;
} columns;

typedef struct job {
    gg_nag_ranking r;    /* first: freeing gets the outer back */
    gg_arena arena;      /* docids */
    gg__docids seen;     /* of the pool's features */
    gg__docids labels;
    gg__docids paid;     /* docids of the payload */
    columns *pay;        /* (paid.n,) */
    int64_t pay_cap, row_cap;
    double *other;       /* (row_cap,) distances by the other weights, for the report on labels */
    bool saw_tokens, saw_quality, saw_label;
    gg_str present;      /* columns of the first row that was asked, for messages */
    const gg_nag_rank_options *o;
    gg_nag_counts *target /* = r.counts */, *pool;
    const char **target_docid;
    gg_nag_profile *profile[2];
} job;

static const char *token_column(const gg_nag_rank_options *o) { return o->token_column ? o->token_column : "token_num"; }

static void drop_work(job *j)
{
    gg_context *ctx = j->r.ctx;
    gg__docids_free(&j->seen);
    gg__docids_free(&j->labels);
    gg__docids_free(&j->paid);
    gg_drop(ctx, j->pay);
    gg_drop(ctx, j->other);
    gg_str_free(&j->present);
    gg_nag_counts_free(j->pool);
    for (int w = 0; w < 2; w++)
        if (j->profile[w] != j->r.profile)
            gg_nag_profile_free(j->profile[w]);
    j->pool = NULL;
    j->pay = NULL;
    j->other = NULL;
    j->profile[0] = j->profile[1] = NULL;
}

void gg_nag_ranking_free(gg_nag_ranking *r)
{
    if (!r)
        return;
    job *j = (job *)r;
    gg_context *ctx = r->ctx;
    drop_work(j);
    gg_nag_profile_free(r->profile);
    gg_nag_counts_free(r->counts);
    gg_drop(ctx, j->target_docid);
    gg_arena_free(&j->arena);
    gg_drop(ctx, r->label);
    gg_drop(ctx, r->row);
    gg_drop(ctx, j);
}

/* --- columns ------------------------------------------------------------------------------------------------------------------- */
static gg_status label_of(job *j, int32_t *out, const json_t *v)
{
    char number[32];
    const char *text = json_string_value(v);
    *out = -1;
    if (!text && json_is_integer(v)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        text = number;
    }
    if (!text)
        return GG_OK;
    const int64_t known = gg__docids_find(&j->labels, text);
    if (known >= 0) {
        *out = (int32_t)known;
        return GG_OK;
    }
    if (j->labels.n == 10000)
        return gg_fail(j->r.ctx, GG_EINVAL, "column %s has more than 10000 different values: it does not look like a label", j->o->label_column);
    char *copy = gg_arena_strndup(&j->arena, text, strlen(text));
    int64_t found;
    if (!copy)
        return GG_ENOMEM;
    *out = (int32_t)j->labels.n;
    return gg__docids_add(&j->labels, copy, &found);
}

static gg_status columns_of(job *j, columns *out, json_t *row)
{
    const gg_nag_rank_options *o = j->o;
    double x;
    if (!j->present.data)
        gg__nag_columns(&j->present, row);
    *out = (columns){.tokens = -1, .quality = NAN, .label = -1};
    json_t *tokens = gg__nag_column(row, token_column(o));
    j->saw_tokens |= tokens != NULL;
    if (gg__nag_number(&x, tokens)) {
        if (x < 0 || x > 1e15)
            return gg_fail(j->r.ctx, GG_EFORMAT, "column %s holds %g: a count of tokens was expected", token_column(o), x);
        out->tokens = (int64_t)x;
    }
    if (o->quality_column) {
        json_t *quality = gg__nag_column(row, o->quality_column);
        j->saw_quality |= quality != NULL;
        if (gg__nag_number(&x, quality)) {
            if (!isfinite(x))
                return gg_fail(j->r.ctx, GG_ENAN, "column %s holds %g: minimum and maximum would lose their meaning", o->quality_column, x);
            out->quality = x;
        }
    }
    if (o->label_column) {
        json_t *label = gg__nag_column(row, o->label_column);
        j->saw_label |= label != NULL;
        GG_TRY(label_of(j, &out->label, label));
    }
    return GG_OK;
}

static gg_status read_payload_file(job *j, const char *path)
{
    gg_context *ctx = j->r.ctx;
    gg_rows *in = NULL;
    GG_TRY(gg_rows_open(&in, ctx, path));
    json_t *row;
    gg_status st;
    while ((st = gg_rows_next(in, &row)) == GG_OK) {
        char number[32];
        int64_t found = -1;
        const char *docid = gg__nag_docid(row, number);
        char *copy = docid ? gg_arena_strndup(&j->arena, docid, strlen(docid)) : NULL;
        if (!docid) {
            st = gg_fail(ctx, GG_EFORMAT, "%s:%lld: no docid", path, (long long)gg_rows_line(in));
        } else if (!copy) {
            st = GG_ENOMEM;
        } else {
            st = gg__docids_add(&j->paid, copy, &found);
            if (st == GG_OK && found >= 0)
                st = gg_fail(ctx, GG_EFORMAT, "%s:%lld: docid \"%s\" came before", path, (long long)gg_rows_line(in), docid);
        }
        if (st == GG_OK && j->paid.n > j->pay_cap) {
            columns *pay = gg_renew(ctx, j->pay, columns, 2 * j->paid.n);
            st = pay ? GG_OK : GG_ENOMEM;
            j->pay = pay ? pay : j->pay;
            j->pay_cap = pay ? 2 * j->paid.n : j->pay_cap;
        }
        if (st == GG_OK) {
            st = columns_of(j, &j->pay[j->paid.n - 1], row);
            if (st != GG_OK)
                gg_fail_prefix(ctx, st, "%s:%lld", path, (long long)gg_rows_line(in));
        }
        json_decref(row);
        if (st != GG_OK)
            break;
        if (gg_context_stopped(ctx)) {
            st = gg_fail(ctx, GG_EINTR, "stopped while reading %s", path);
            break;
        }
    }
    gg_rows_close(in);
    return st == GG_END ? GG_OK : st;
}

/* --- target --------------------------------------------------------------------------------------------------------------------- */
static bool says(json_t *row, const char *column, const char *value)
{
    char number[32];
    const json_t *v = gg__nag_column(row, column);
    if (json_is_integer(v)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return strcmp(number, value) == 0;
    }
    return json_is_string(v) && strcmp(json_string_value(v), value) == 0;
}

/* keep: (set->f.n,) the targets whose column says the value. The column is in the feature rows or in the target payload. */
static gg_status filter_target(const gg_nag_rank_options *o, gg_context *ctx, const gg_nag_set *set, bool *keep, int64_t *n_kept)
{
    const char *column = o->target_filter_column ? o->target_filter_column : "dataset";
    bool seen = false;
    gg_str present = {.ctx = ctx};
    gg__docids ids = {.ctx = ctx};
    gg_status st = GG_OK;
    for (int64_t i = 0; i < set->f.n && st == GG_OK; i++) {
        int64_t found;
        st = gg__docids_add(&ids, set->f.docid[i], &found);
        if (set->f.row && o->n_target_payload == 0) {
            keep[i] = says(set->f.row[i], column, o->target_filter);
            seen |= gg__nag_column(set->f.row[i], column) != NULL;
            if (!present.data)
                gg__nag_columns(&present, set->f.row[i]);
        }
    }
    for (int p = 0; p < o->n_target_payload && st == GG_OK; p++) {
        gg_rows *in = NULL;
        json_t *row;
        if ((st = gg_rows_open(&in, ctx, o->target_payload[p])) != GG_OK)
            break;
        while ((st = gg_rows_next(in, &row)) == GG_OK) {
            char number[32];
            const char *docid = gg__nag_docid(row, number);
            const int64_t at = docid ? gg__docids_find(&ids, docid) : -1;
            seen |= gg__nag_column(row, column) != NULL;
            if (!present.data)
                gg__nag_columns(&present, row);
            if (at >= 0)
                keep[at] = says(row, column, o->target_filter);
            json_decref(row);
        }
        st = st == GG_END ? GG_OK : st;
        gg_rows_close(in);
    }
    *n_kept = 0;
    for (int64_t i = 0; i < set->f.n; i++)
        *n_kept += keep[i];
    if (st == GG_OK && !seen)
        st = gg_fail(ctx, GG_ENOENT, "the target has no column %s%s%s; name it with --target-filter-column, or give the target's documents with --target-payload",
                     column, present.data ? "; it has: " : "", present.data ? present.data : "");
    else if (st == GG_OK && *n_kept == 0)
        st = gg_fail(ctx, GG_EINVAL, "no target document has %s = %s", column, o->target_filter);
    gg_str_free(&present);
    gg__docids_free(&ids);
    return st;
}

static gg_status remember_target(job *j, const char *docid)
{
    char *copy = gg_arena_strndup(&j->arena, docid, strlen(docid));
    if (!copy)
        return GG_ENOMEM;
    j->target_docid[j->r.n_targets++] = copy;
    return GG_OK;
}

static gg_status count_target(job *j, gg_nag_header *h, int n_layers)
{
    const gg_nag_rank_options *o = j->o;
    gg_context *ctx = j->r.ctx;
    gg_nag_set *set = NULL;
    GG_TRY(gg_nag_set_read(&set, ctx, o->target, o->n_target, n_layers));
    *h = set->header;
    const int s = gg_nag_header_find(h, o->type);
    gg_status st = GG_OK;
    if (s < 0) {
        gg_str m = {.ctx = ctx};
        for (int i = 0; i < h->n_sites; i++)
            gg_str_printf(&m, "%s%s", i ? ", " : "", gg_nag_type_name(h->site[i].type));
        st = gg_fail(ctx, GG_ENOENT, "%s has no features of site %s; it has: %s", o->target[0], gg_nag_type_name(o->type), m.data ? m.data : "");
        gg_str_free(&m);
    } else {
        st = gg_nag_counts_create(&j->target, ctx, h->n_layers, h->site[s].top_k, h->site[s].width);
        j->r.counts = j->target;
    }
    if (st == GG_OK)
        st = (j->target_docid = gg_new(ctx, const char *, set->f.n)) ? GG_OK : GG_ENOMEM;
    j->r.target = j->target_docid;
    if (st == GG_OK && o->target_filter) {
        bool *keep = gg_new(ctx, bool, set->f.n);
        int64_t n_kept = 0;
        st = keep ? filter_target(o, ctx, set, keep, &n_kept) : GG_ENOMEM;
        for (int64_t i = 0; i < set->f.n && st == GG_OK; i++) {
            if (!keep[i])
                continue;
            gg_nag_features one = set->f;
            one.n = 1;
            one.index[s] = (const char *)set->f.index[s] + i * h->n_layers * h->site[s].top_k * set->f.index_bytes;
            st = gg_nag_counts_add(j->target, &one, s);
            st = st == GG_OK ? remember_target(j, set->f.docid[i]) : st;
        }
        gg_drop(ctx, keep);
    } else if (st == GG_OK) {
        st = gg_nag_counts_add(j->target, &set->f, s);
        for (int64_t i = 0; i < set->f.n && st == GG_OK; i++)
            st = remember_target(j, set->f.docid[i]);
    }
    if (st == GG_OK && j->target->n_documents == 0)
        st = gg_fail(ctx, GG_EINVAL, "%s holds no documents: a target needs at least one", o->target[0]);
    gg_nag_set_free(set);
    return st;
}

/* --- pool ------------------------------------------------------------------------------------------------------------------------ */
/* Opens pool file p, checked against the target's header and the first pool file's. */
static gg_status open_pool(gg_nag_reader **out, int *site, job *j, int p, const gg_nag_header *target)
{
    const gg_nag_rank_options *o = j->o;
    gg_nag_reader *r = NULL;
    GG_TRY(gg_nag_reader_open(&r, j->r.ctx, o->pool[p], target->n_layers));
    const gg_nag_header *h = gg_nag_reader_header(r);
    gg_status st = gg_nag_header_match(j->r.ctx, target, o->target[0], h, o->pool[p], o->type);
    if (st == GG_OK && p == 0)
        j->r.header = *h;
    else if (st == GG_OK)
        st = gg_nag_header_match(j->r.ctx, &j->r.header, o->pool[0], h, o->pool[p], o->type);
    if (st != GG_OK) {
        gg_nag_reader_close(r);
        return st;
    }
    *site = gg_nag_header_find(h, o->type);
    *out = r;
    return GG_OK;
}

static gg_status each_batch(job *j, const gg_nag_header *target, gg_status (*batch)(job *, const gg_nag_features *, int s, const char *path))
{
    for (int p = 0; p < j->o->n_pool; p++) {
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        int s = 0;
        GG_TRY(open_pool(&r, &s, j, p, target));
        gg_status st;
        while ((st = gg_nag_reader_next(r, &f)) == GG_OK && (st = batch(j, &f, s, j->o->pool[p])) == GG_OK)
            if (gg_context_stopped(j->r.ctx)) {
                st = gg_fail(j->r.ctx, GG_EINTR, "stopped while reading %s", j->o->pool[p]);
                break;
            }
        gg_nag_reader_close(r);
        if (st != GG_END)
            return st;
    }
    return GG_OK;
}

static gg_status count_batch(job *j, const gg_nag_features *f, int s, const char *path)
{
    (void)path;
    if (!j->pool) {
        const gg_nag_site *site = &j->r.header.site[s];
        GG_TRY(gg_nag_counts_create(&j->pool, j->r.ctx, j->r.header.n_layers, site->top_k, site->width));
    }
    return gg_nag_counts_add(j->pool, f, s);
}

static gg_status reserve_rows(job *j, int64_t need)
{
    if (need <= j->row_cap)
        return GG_OK;
    const int64_t cap = need > 2 * j->row_cap ? need : 2 * j->row_cap;
    gg_nag_row *row = gg_renew(j->r.ctx, j->r.row, gg_nag_row, cap);
    if (!row)
        return GG_ENOMEM;
    j->r.row = row;
    double *other = gg_renew(j->r.ctx, j->other, double, cap);
    if (!other)
        return GG_ENOMEM;
    j->other = other;
    j->row_cap = cap;
    return GG_OK;
}

static gg_status distance_batch(job *j, const gg_nag_features *f, int s, const char *path)
{
    const gg_nag_rank_options *o = j->o;
    gg_context *ctx = j->r.ctx;
    double distance[2][GG__NAG_BATCH];
    for (int64_t from = 0; from < f->n; from += GG__NAG_BATCH) {
        gg_nag_features part = *f;
        const int64_t n = f->n - from < GG__NAG_BATCH ? f->n - from : GG__NAG_BATCH;
        part.n = n;
        part.index[s] = (const char *)f->index[s] + from * j->target->n_layers * j->target->top_k * f->index_bytes;
        for (int w = 0; w < 2; w++)
            if (j->profile[w])
                gg_nag_distance(distance[w], j->profile[w], &part, s);
        GG_TRY(reserve_rows(j, j->r.n + n));
        for (int64_t i = 0; i < n; i++) {
            const char *docid = f->docid[from + i];
            int64_t found;
            columns c = {.tokens = -1, .quality = NAN, .label = -1};
            char *copy = gg_arena_strndup(&j->arena, docid, strlen(docid));
            if (!copy)
                return GG_ENOMEM;
            GG_TRY(gg__docids_add(&j->seen, copy, &found));
            if (found >= 0)
                return gg_fail(ctx, GG_EFORMAT, "%s: docid \"%s\" came before: rank needs each document once", path, docid);
            if (o->n_payload > 0) {
                const int64_t at = gg__docids_find(&j->paid, docid);
                if (at < 0) {
                    j->r.n_unpaid++;
                    continue;
                }
                c = j->pay[at];
            } else if (f->row) {
                GG_TRY(columns_of(j, &c, f->row[from + i]));
            }
            if (o->quality_column && isnan(c.quality)) {
                j->r.n_unrated++;
                continue;
            }
            if (!o->token_column && f->token_num[from + i] >= 0)
                c.tokens = f->token_num[from + i];
            j->saw_tokens |= c.tokens >= 0;
            j->r.n_uncounted += c.tokens < 0;
            j->other[j->r.n] = j->profile[!o->weights] ? distance[!o->weights][i] : NAN;
            j->r.row[j->r.n++] = (gg_nag_row){.docid = copy, .distance = distance[o->weights][i], .score = distance[o->weights][i], .quality = c.quality,
                                              .token_num = c.tokens < 0 ? 0 : c.tokens, .label = c.label};
        }
    }
    return GG_OK;
}

static gg_status check_columns(const job *j)
{
    const gg_nag_rank_options *o = j->o;
    const char *has = j->present.data ? j->present.data : "none";
    const char *where = o->n_payload ? o->payload[0] : o->pool[0];
    if (j->r.n == 0)
        return gg_fail(j->r.ctx, GG_EINVAL, "nothing to rank: %s%s", o->pool[0],
                       j->r.n_unpaid ? " and the payload have no docid in common" : j->r.n_unrated ? ": no document has a quality" : " holds no documents");
    if (!j->saw_tokens && o->token_column)
        return gg_fail(j->r.ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->token_column, has);
    if (!j->saw_tokens)
        return gg_fail(j->r.ctx, GG_ENOENT, "no token counts: neither the features nor %s have token_num; give documents that do with --payload, "
                       "or name their column with --token-column", where);
    if (o->quality_column && !j->saw_quality)
        return gg_fail(j->r.ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->quality_column, has);
    if (o->label_column && !j->saw_label)
        return gg_fail(j->r.ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->label_column, has);
    return GG_OK;
}

/* --- scores and order ---------------------------------------------------------------------------------------------------------------- */
static gg_status combine(job *j)
{
    gg_nag_ranking *r = &j->r;
    double *d = gg_new(r->ctx, double, gg_mul(2, r->n));
    if (!d)
        return GG_ENOMEM;
    double *q = d + r->n;
    for (int64_t i = 0; i < r->n; i++) {
        d[i] = r->row[i].distance;
        q[i] = r->row[i].quality;
    }
    gg_nag_minmax(d, d, r->n);
    gg_nag_minmax(q, q, r->n);
    for (int64_t i = 0; i < r->n; i++)
        r->row[i].score = d[i] + (j->o->invert_quality ? 1.0 - q[i] : q[i]);
    gg_drop(r->ctx, d);
    r->combined = true;
    return GG_OK;
}

/* Of the first n rows by distance, n = documents of the right label, the share that has it. */
static gg_status precision_at_n(double *out, const job *j, const double *distance)
{
    const gg_nag_ranking *r = &j->r;
    gg_nag_row *row = gg_new(r->ctx, gg_nag_row, r->n);
    if (!row)
        return GG_ENOMEM;
    int64_t n = 0, hit = 0;
    for (int64_t i = 0; i < r->n; i++) {
        row[i] = r->row[i];
        row[i].score = distance ? distance[i] : row[i].distance;
        n += row[i].label == r->right;
    }
    gg_nag_sort(row, r->n);
    for (int64_t i = 0; i < n; i++)
        hit += row[i].label == r->right;
    *out = n ? (double)hit / (double)n : NAN;
    gg_drop(r->ctx, row);
    return GG_OK;
}

static gg_status label_table(job *j)
{
    gg_nag_ranking *r = &j->r;
    r->n_labels = (int)j->labels.n;
    if (!(r->label = gg_new(r->ctx, char *, r->n_labels)))
        return GG_ENOMEM;
    for (int i = 0; i < r->n_labels; i++)
        r->label[i] = (char *)(uintptr_t)j->labels.at[i];
    const char *right = j->o->target_label ? j->o->target_label : j->o->target_filter;
    r->right = right ? (int32_t)gg__docids_find(&j->labels, right) : -1;
    if (j->o->target_label && r->right < 0)
        return gg_fail(r->ctx, GG_ENOENT, "no document of the pool has %s = %s", j->o->label_column, j->o->target_label);
    return GG_OK;
}

static gg_status check_options(gg_context *ctx, const gg_nag_rank_options *o)
{
    if (!(o->fraction > 0 && o->fraction <= 1))
        return gg_fail(ctx, GG_EINVAL, "--fraction %g is outside (0, 1]", o->fraction);
    if (o->n_target < 1 || o->n_pool < 1)
        return gg_fail(ctx, GG_EINVAL, "rank needs feature files of a target and of a pool");
    if (o->label_column && (o->n_payload == 0) && gg__nag_is_binary(o->pool[0]))
        return gg_fail(ctx, GG_EINVAL, "labels are in the pool's documents: give them with --payload");
    if (o->quality_column && (o->n_payload == 0) && gg__nag_is_binary(o->pool[0]))
        return gg_fail(ctx, GG_EINVAL, "the quality is in the pool's documents: give them with --payload");
    if (o->target_label && !o->label_column)
        return gg_fail(ctx, GG_EINVAL, "a target label needs a label column");
    for (int p = 0; p < o->n_pool + o->n_payload; p++)
        if (strcmp(p < o->n_pool ? o->pool[p] : o->payload[p - o->n_pool], "-") == 0)
            return gg_fail(ctx, GG_EINVAL, "pool and payload are read twice: standard input cannot be one of them");
    return GG_OK;
}

/* Row files may not say how many layers they have; a binary file beside them does. */
static gg_status find_layers(int *n_layers, gg_context *ctx, const gg_nag_rank_options *o)
{
    *n_layers = o->n_layers;
    for (int p = 0; p < o->n_target + o->n_pool && *n_layers == 0; p++) {
        const char *path = p < o->n_target ? o->target[p] : o->pool[p - o->n_target];
        if (!gg__nag_is_binary(path))
            continue;
        gg_nag_reader *r = NULL;
        GG_TRY(gg_nag_reader_open(&r, ctx, path, 0));
        *n_layers = gg_nag_reader_header(r)->n_layers;
        gg_nag_reader_close(r);
    }
    return GG_OK;
}

static gg_status make_profiles(job *j, const gg_nag_header *target)
{
    const bool both = j->o->label_column != NULL; /* with labels both weights are compared */
    if (j->o->weights == GG_NAG_CONTRAST || both) {
        GG_TRY(each_batch(j, target, count_batch));
        if (!j->pool)
            return gg_fail(j->r.ctx, GG_EINVAL, "nothing to rank: %s holds no documents", j->o->pool[0]);
        GG_TRY(gg_nag_profile_contrast(&j->profile[GG_NAG_CONTRAST], j->target, j->pool));
    }
    if (j->o->weights == GG_NAG_FREQUENCY || both)
        GG_TRY(gg_nag_profile_frequency(&j->profile[GG_NAG_FREQUENCY], j->target, j->o->power == 0 ? 1 : j->o->power));
    j->r.profile = j->profile[j->o->weights];
    return GG_OK;
}

static gg_status rank(job *j)
{
    const gg_nag_rank_options *o = j->o;
    gg_nag_ranking *r = &j->r;
    gg_nag_header target;
    int n_layers = 0;
    GG_TRY(check_options(r->ctx, o));
    GG_TRY(find_layers(&n_layers, r->ctx, o));
    GG_TRY(count_target(j, &target, n_layers));
    for (int p = 0; p < o->n_payload; p++)
        GG_TRY(read_payload_file(j, o->payload[p]));
    GG_TRY(make_profiles(j, &target));
    GG_TRY(each_batch(j, &target, distance_batch));
    GG_TRY(check_columns(j));
    GG_TRY(label_table(j));
    if (r->right >= 0) {
        GG_TRY(precision_at_n(&r->precision[o->weights], j, NULL));
        GG_TRY(precision_at_n(&r->precision[!o->weights], j, j->other));
    }
    if (o->quality_column)
        GG_TRY(combine(j));
    gg_nag_sort(r->row, r->n);
    r->n_selected = gg_nag_budget(&r->budget, &r->n_tokens, r->row, r->n, o->fraction);
    for (int64_t i = 0; i < r->n_selected; i++)
        r->n_selected_tokens += r->row[i].token_num;
    if (r->n_tokens == 0)
        return gg_fail(r->ctx, GG_EINVAL, "all token counts of the pool are 0: a share of them cannot be chosen");
    return GG_OK;
}

gg_status gg_nag_rank(gg_nag_ranking **out, gg_context *ctx, const gg_nag_rank_options *o)
{
    job *j = gg_new(ctx, job, 1);
    if (!j)
        return GG_ENOMEM;
    *j = (job){.r = {.ctx = ctx, .right = -1, .precision = {NAN, NAN}}, .arena = {.ctx = ctx}, .seen = {.ctx = ctx}, .labels = {.ctx = ctx},
               .paid = {.ctx = ctx}, .present = {.ctx = ctx}, .o = o};
    const gg_status st = rank(j);
    drop_work(j);
    j->o = NULL;
    if (st != GG_OK) {
        gg_nag_ranking_free(&j->r);
        return st;
    }
    *out = &j->r;
    return GG_OK;
}

/* --- output ---------------------------------------------------------------------------------------------------------------------------- */
static gg_status write_row(const gg_nag_ranking *r, gg_rows_writer *w, int64_t i, json_t *row)
{
    bool ok = row && json_object_set_new(row, "nag_distance", json_real(r->row[i].distance)) == 0;
    if (r->combined)
        ok = ok && json_object_set_new(row, "combined_score", json_real(r->row[i].score)) == 0;
    return ok ? gg_rows_writer_add(w, row) : gg_fail(r->ctx, GG_ENOMEM, "out of memory (row \"%s\")", r->row[i].docid);
}

/* The payload's rows of the first n of the ranking, as compact JSON: text (n,), each freed by gg_drop. */
static gg_status gather(char **text, const gg_nag_ranking *r, const gg_nag_rank_options *o, int64_t n)
{
    gg_context *ctx = r->ctx;
    gg__docids ids = {.ctx = ctx};
    gg_status st = GG_OK;
    int64_t found;
    for (int64_t i = 0; i < n && st == GG_OK; i++)
        st = gg__docids_add(&ids, r->row[i].docid, &found);
    for (int p = 0; p < o->n_payload && st == GG_OK; p++) {
        gg_rows *in = NULL;
        json_t *row;
        if ((st = gg_rows_open(&in, ctx, o->payload[p])) != GG_OK)
            break;
        while (st == GG_OK && (st = gg_rows_next(in, &row)) == GG_OK) {
            char number[32];
            const char *docid = gg__nag_docid(row, number);
            const int64_t at = docid ? gg__docids_find(&ids, docid) : -1;
            if (at >= 0 && !text[at]) {
                const size_t size = json_dumpb(row, NULL, 0, JSON_COMPACT);
                if (!(text[at] = gg_alloc(ctx, size + 1)))
                    st = GG_ENOMEM;
                else
                    json_dumpb(row, text[at], size, JSON_COMPACT);
            }
            json_decref(row);
        }
        st = st == GG_END ? GG_OK : st;
        gg_rows_close(in);
    }
    for (int64_t i = 0; i < n && st == GG_OK; i++)
        if (!text[i])
            st = gg_fail(ctx, GG_EMISMATCH, "the payload changed while it was used: \"%s\" is gone", r->row[i].docid);
    gg__docids_free(&ids);
    return st;
}

gg_status gg_nag_ranking_write(const gg_nag_ranking *r, const gg_nag_rank_options *o, const char *path, bool all)
{
    gg_context *ctx = r->ctx;
    const int64_t n = all ? r->n : r->n_selected;
    char **text = gg_new(ctx, char *, n);
    gg_rows_writer *w = NULL;
    gg_status st = text ? GG_OK : GG_ENOMEM;
    if (st == GG_OK && o->n_payload)
        st = gather(text, r, o, n);
    if (st == GG_OK)
        st = gg_rows_writer_open(&w, ctx, path);
    for (int64_t i = 0; i < n && st == GG_OK; i++) {
        json_t *row = text[i] ? json_loads(text[i], JSON_ALLOW_NUL, NULL)
                              : json_pack("{s:s, s:I}", "docid", r->row[i].docid, "token_num", (json_int_t)r->row[i].token_num);
        st = write_row(r, w, i, row);
        json_decref(row);
        if (text[i]) {
            gg_drop(ctx, text[i]);
            text[i] = NULL;
        }
    }
    for (int64_t i = 0; text && i < n; i++)
        gg_drop(ctx, text[i]);
    gg_drop(ctx, text);
    if (st != GG_OK) {
        if (w)
            gg_rows_writer_discard(w);
        return st;
    }
    return gg_rows_writer_commit(w);
}
