/* The target's side of a ranking: its features read whole, filtered, counted. */
#include "systems/nag/rank.h"
#include <math.h>
#include <stdio.h>

gg__nag_aim *gg__nag_aim_create(gg_context *ctx)
{
    gg__nag_aim *a = gg_new(ctx, gg__nag_aim, 1);
    if (!a)
        return NULL;
    *a = (gg__nag_aim){.r = {.ctx = ctx, .right = -1, .precision = {NAN, NAN}}, .arena = {.ctx = ctx}, .least = INFINITY, .most = -INFINITY};
    return a;
}

void gg_nag_ranking_free(gg_nag_ranking *r)
{
    if (!r)
        return;
    gg__nag_aim *a = (gg__nag_aim *)r;
    gg_context *ctx = r->ctx;
    for (int w = 0; w < 2; w++) {
        gg_nag_profile_free(a->profile[w]);
        gg__nag_front_free(&a->precise[w]);
    }
    gg__nag_front_free(&a->front);
    gg__nag_front_free(&a->near);
    gg__nag_front_free(&a->far);
    gg__nag_sketch_free(a->sketch);
    gg_nag_counts_free(r->counts);
    gg_arena_free(&a->arena);
    gg_drop(ctx, (void *)(uintptr_t)r->target);
    gg_drop(ctx, r->label);
    gg_drop(ctx, r->label_tokens);
    gg_drop(ctx, a);
}

const gg_nag_row *gg_nag_ranking_row(const gg_nag_ranking *r, int64_t rank)
{
    if (rank < 0 || rank >= r->n)
        return NULL;
    if (rank < r->n_rows)
        return &r->row[rank];
    return rank < r->n_ends ? &r->near[rank] : r->n - 1 - rank < r->n_ends ? &r->far[r->n - 1 - rank] : NULL;
}

/* --- the filter ----------------------------------------------------------------------------------------------------------------- */
/* The first few values of the column, for a message. */
enum { VALUES_SHOWN = 8 };
typedef struct values {
    int n;
    char at[VALUES_SHOWN][48];
} values;

static bool says(json_t *row, const char *column, const char *value, values *seen)
{
    char number[32];
    const json_t *v = gg__nag_column(row, column);
    if (json_is_integer(v))
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    const char *text = json_is_integer(v) ? number : json_string_value(v);
    if (!text)
        return false;
    int i = 0;
    while (i < seen->n && strncmp(seen->at[i], text, sizeof seen->at[i] - 1) != 0)
        i++;
    if (i == seen->n && i < VALUES_SHOWN)
        snprintf(seen->at[seen->n++], sizeof seen->at[i], "%s", text);
    return strcmp(text, value) == 0;
}

static gg_status none_says(gg_context *ctx, const char *column, const char *value, const values *seen)
{
    gg_str list = {.ctx = ctx};
    for (int i = 0; i < seen->n; i++)
        gg_str_printf(&list, "%s%s", i ? ", " : "; there are ", seen->at[i]);
    const gg_status st = gg_fail(ctx, GG_EINVAL, "no target document has %s = %s%s%s", column, value, list.data ? list.data : "",
                                 seen->n == VALUES_SHOWN ? " and perhaps others" : "");
    gg_str_free(&list);
    return st;
}

/* keep: (set->f.n,) the targets whose column says the value. The column is in the feature rows or in the target payload. */
static gg_status filter_target(const gg_nag_rank_options *o, gg_context *ctx, const gg_nag_set *set, bool *keep, int64_t *n_kept)
{
    const char *column = o->target_filter_column ? o->target_filter_column : "dataset";
    bool seen = false;
    values found_values = {0};
    gg_str present = {.ctx = ctx};
    gg__docids ids = {.ctx = ctx};
    gg_status st = GG_OK;
    for (int64_t i = 0; i < set->f.n && st == GG_OK; i++) {
        int64_t found;
        st = gg__docids_add(&ids, set->f.docid[i], &found);
        if (set->f.row && o->n_target_payload == 0) {
            keep[i] = says(set->f.row[i], column, o->target_filter, &found_values);
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
                keep[at] = says(row, column, o->target_filter, &found_values);
            json_decref(row);
        }
        st = st == GG_END ? GG_OK : st;
        gg_rows_close(in);
    }
    *n_kept = 0;
    for (int64_t i = 0; i < set->f.n; i++)
        *n_kept += keep[i];
    if (st == GG_OK && !seen)
        st = gg_fail(ctx, GG_ENOENT,
                     "the target has no column %s%s%s; name it with --target-filter-column, or give the target's documents with --target-payload",
                     column, present.data ? "; it has: " : "", present.data ? present.data : "");
    else if (st == GG_OK && *n_kept == 0)
        st = none_says(ctx, column, o->target_filter, &found_values);
    gg_str_free(&present);
    gg__docids_free(&ids);
    return st;
}

/* --- counts ----------------------------------------------------------------------------------------------------------------------- */
static gg_status add_targets(gg__nag_aim *a, const gg_nag_rank_options *o, const gg_nag_set *set, int s, bool *keep)
{
    gg_nag_ranking *r = &a->r;
    const gg_nag_header *h = &set->header;
    const char **docid = gg_new(r->ctx, const char *, set->f.n);
    int64_t n_kept = 0;
    r->target = docid;
    if (!docid)
        return GG_ENOMEM;
    if (o->target_filter)
        GG_TRY(filter_target(o, r->ctx, set, keep, &n_kept));
    for (int64_t i = 0; i < set->f.n; i++) {
        if (o->target_filter && !keep[i])
            continue;
        gg_nag_features one = set->f;
        one.n = 1;
        one.index[s] = (const char *)set->f.index[s] + i * h->n_layers * h->site[s].top_k * set->f.index_bytes;
        GG_TRY(gg_nag_counts_add(r->counts, &one, s));
        if (!(docid[r->n_targets] = gg_arena_strndup(&a->arena, set->f.docid[i], strlen(set->f.docid[i]))))
            return GG_ENOMEM;
        r->n_targets++;
    }
    return GG_OK;
}

gg_status gg__nag_aim_read(gg__nag_aim *a, gg_nag_header *h, const gg_nag_rank_options *o, const char *const *paths, int n_paths, int n_layers)
{
    gg_context *ctx = a->r.ctx;
    gg_nag_set *set = NULL;
    GG_TRY(gg_nag_set_read(&set, ctx, paths, n_paths, n_layers));
    *h = set->header;
    const int s = gg_nag_header_find(h, o->type);
    gg_status st = GG_OK;
    bool *keep = NULL;
    if (s < 0) {
        gg_str m = {.ctx = ctx};
        for (int i = 0; i < h->n_sites; i++)
            gg_str_printf(&m, "%s%s", i ? ", " : "", gg_nag_type_name(h->site[i].type));
        st = gg_fail(ctx, GG_ENOENT, "%s has no features of site %s; it has: %s", paths[0], gg_nag_type_name(o->type), m.data ? m.data : "");
        gg_str_free(&m);
    } else {
        st = gg_nag_counts_create(&a->r.counts, ctx, h->n_layers, h->site[s].top_k, h->site[s].width);
    }
    if (st == GG_OK && !(keep = gg_new(ctx, bool, set->f.n)))
        st = GG_ENOMEM;
    if (st == GG_OK)
        st = add_targets(a, o, set, s, keep);
    if (st == GG_OK && a->r.n_targets == 0)
        st = gg_fail(ctx, GG_EINVAL, "%s holds no documents: a target needs at least one", paths[0]);
    gg_drop(ctx, keep);
    gg_nag_set_free(set);
    return st;
}
