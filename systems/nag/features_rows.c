/* Features as rows: the published layout, so that files go both ways between golgi and the published tools.
 *
 *     {"docid": "a", "token_num": 97, "fwd_up_feature": {"layer_topk_value_index": [L K numbers, layer after layer], "n_layers": L}}
 *
 * token_num and n_layers are ours; the published tools do not read them and do not write them. Without n_layers the length alone does
 * not say how many layers there are, so the caller must. The feature may also be a bare list. Widths are unknown (0).
 */
#include "systems/nag/nag_internal.h"
#include "base/json.h"
#include <stdio.h>

struct gg__row_reader {
    gg_context *ctx;
    gg_rows *in;
    gg_nag_header *h;
    json_t *first;           /* the row that gave the geometry, until it is handed over */
    bool end;
    int64_t n;
    json_t *row[GG__NAG_BATCH];
    char *docid[GG__NAG_BATCH];
    int64_t token_num[GG__NAG_BATCH], n_scored[GG__NAG_BATCH];
    uint32_t *index[GG_NAG_TYPES];
};

static void drop_batch(gg__row_reader *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        json_decref(r->row[i]);
        gg_drop(r->ctx, r->docid[i]);
    }
    r->n = 0;
}

void gg__row_reader_close(gg__row_reader *r)
{
    if (!r)
        return;
    drop_batch(r);
    json_decref(r->first);
    if (r->in)
        gg_rows_close(r->in);
    for (int s = 0; s < GG_NAG_TYPES; s++)
        gg_drop(r->ctx, r->index[s]);
    gg_drop(r->ctx, r);
}

/* The list of the type in this row, or NULL; *layers gets its n_layers, 0 when it does not say. */
static json_t *feature_of(json_t *row, gg_nag_type t, int64_t *layers)
{
    char column[32];
    snprintf(column, sizeof column, "%s_feature", gg_nag_type_published(t));
    json_t *v = json_object_get(row, column);
    *layers = json_integer_value(json_object_get(v, "n_layers"));
    if (json_is_object(v))
        v = json_object_get(v, "layer_topk_value_index");
    return json_is_array(v) ? v : NULL;
}

static gg_status geometry(gg__row_reader *r, int n_layers)
{
    gg_nag_header *h = r->h;
    const char *path = gg_rows_path(r->in);
    *h = (gg_nag_header){0};
    for (int t = 0; t < GG_NAG_TYPES; t++) {
        int64_t says = 0;
        const json_t *list = feature_of(r->first, (gg_nag_type)t, &says);
        if (!list)
            continue;
        const int64_t length = (int64_t)json_array_size(list);
        if (says == 0)
            says = n_layers;
        if (says == 0)
            return gg_fail(r->ctx, GG_EINVAL, "%s: %lld neurons a document: the rows do not say how many layers that is; give --n-layers", path,
                           (long long)length);
        if (says < 0 || says > GG_NAG_MAX_LAYERS || length == 0 || length % says != 0 || (h->n_layers && h->n_layers != says))
            return gg_fail(r->ctx, GG_EMISMATCH, "%s:%lld: %lld neurons a document cannot be those of %lld layers", path, (long long)gg_rows_line(r->in),
                           (long long)length, (long long)says);
        h->n_layers = (int)says;
        h->site[h->n_sites++] = (gg_nag_site){.type = (gg_nag_type)t, .top_k = length / says};
    }
    if (h->n_sites == 0) {
        gg_str columns = {.ctx = r->ctx};
        gg__nag_columns(&columns, r->first);
        const gg_status st = gg_fail(r->ctx, GG_ENOENT, "%s:%lld: no column of features (fwd_up_feature, fwd_down_feature, att_q_feature, ...); it has: %s. "
                                     "Of documents, golgi nag extract makes features", path, (long long)gg_rows_line(r->in), columns.data ? columns.data : "");
        gg_str_free(&columns);
        return st;
    }
    for (int l = 0; l < h->n_layers; l++)
        h->layer[l] = l;
    for (int s = 0; s < h->n_sites; s++)
        if (!(r->index[s] = gg_alloc(r->ctx, gg_mul(GG__NAG_BATCH * 4, h->n_layers * h->site[s].top_k))))
            return GG_ENOMEM;
    return GG_OK;
}

gg_status gg__row_reader_open(gg__row_reader **out, gg_nag_header *h, gg_context *ctx, const char *path, int n_layers)
{
    gg__row_reader *r = gg_new(ctx, gg__row_reader, 1);
    if (!r)
        return GG_ENOMEM;
    r->ctx = ctx;
    r->h = h;
    gg_status st = gg_rows_open(&r->in, ctx, path);
    if (st == GG_OK) {
        st = gg_rows_next(r->in, &r->first);
        if (st == GG_END)
            st = gg_fail(ctx, GG_EFORMAT, "%s: no rows: features were expected", path);
    }
    if (st == GG_OK)
        st = geometry(r, n_layers);
    if (st != GG_OK) {
        gg__row_reader_close(r);
        return st;
    }
    *out = r;
    return GG_OK;
}

/* Takes the row into position r->n of the batch; r owns it whatever comes back. */
static gg_status take_row(gg__row_reader *r, json_t *row)
{
    const int64_t i = r->n, line = gg_rows_line(r->in);
    const char *path = gg_rows_path(r->in);
    char number[32];
    const char *docid = gg__nag_docid(row, number);
    r->row[i] = row;
    r->docid[i] = NULL;
    r->n++;
    if (!docid)
        return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: no docid", path, (long long)line);
    if (!(r->docid[i] = gg_strdup(r->ctx, docid)))
        return GG_ENOMEM;
    const json_t *tokens = gg__nag_column(row, "token_num"), *scored = gg__nag_column(row, "n_scored");
    double x;
    r->token_num[i] = gg__nag_number(&x, tokens) && x >= 0 && x < 1e15 ? (int64_t)x : -1;
    r->n_scored[i] = gg__nag_number(&x, scored) && x >= 0 && x < 1e15 ? (int64_t)x : -1;
    for (int s = 0; s < r->h->n_sites; s++) {
        const gg_nag_site *site = &r->h->site[s];
        int64_t says = 0;
        const json_t *list = feature_of(row, site->type, &says);
        const int64_t n = r->h->n_layers * site->top_k;
        if (!list || (int64_t)json_array_size(list) != n)
            return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: \"%s\" has %lld neurons of site %s, the rows before it %lld", path, (long long)line, docid,
                           list ? (long long)json_array_size(list) : 0ll, gg_nag_type_name(site->type), (long long)n);
        for (int64_t j = 0; j < n; j++) {
            const json_t *v = json_array_get(list, (size_t)j);
            if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
                return gg_fail(r->ctx, GG_EFORMAT, "%s:%lld: \"%s\": entry %lld of %s_feature is not a neuron's number", path, (long long)line, docid,
                               (long long)j, gg_nag_type_published(site->type));
            r->index[s][i * n + j] = (uint32_t)json_integer_value(v);
        }
    }
    return GG_OK;
}

gg_status gg__row_reader_next(gg__row_reader *r, gg_nag_features *f)
{
    drop_batch(r);
    while (r->n < GG__NAG_BATCH && !r->end) {
        json_t *row = r->first;
        r->first = NULL;
        if (!row) {
            const gg_status st = gg_rows_next(r->in, &row);
            r->end = st == GG_END;
            if (r->end)
                break;
            if (st != GG_OK)
                return st;
        }
        GG_TRY(take_row(r, row));
    }
    if (r->n == 0)
        return GG_END;
    *f = (gg_nag_features){.n = r->n, .docid = (const char *const *)r->docid, .token_num = r->token_num, .n_scored = r->n_scored, .index_bytes = 4,
                           .row = r->row};
    for (int s = 0; s < r->h->n_sites; s++)
        f->index[s] = r->index[s];
    return GG_OK;
}

static json_t *feature_json(const gg_nag_header *h, const gg_nag_features *f, int s, int64_t i)
{
    const int64_t n = h->n_layers * h->site[s].top_k;
    json_t *list = json_array();
    for (int64_t j = 0; j < n; j++)
        gg_json_add(&list, json_integer(gg__nag_index(f, s, i * n + j)));
    return json_pack("{s:o, s:i}", "layer_topk_value_index", list, "n_layers", h->n_layers);
}

gg_status gg__row_write(gg_rows_writer *w, const gg_nag_header *h, const gg_nag_features *f, gg_context *ctx)
{
    for (int64_t i = 0; i < f->n; i++) {
        json_t *row = json_object();
        bool ok = row && json_object_set_new(row, "docid", json_string(f->docid[i])) == 0;
        if (f->token_num[i] >= 0)
            ok = ok && json_object_set_new(row, "token_num", json_integer(f->token_num[i])) == 0;
        for (int s = 0; s < h->n_sites && ok; s++) {
            char column[32];
            snprintf(column, sizeof column, "%s_feature", gg_nag_type_published(h->site[s].type));
            ok = json_object_set_new(row, column, feature_json(h, f, s, i)) == 0;
        }
        const gg_status st = ok ? gg_rows_writer_add(w, row) : gg_fail(ctx, GG_ENOMEM, "out of memory (row of features of \"%s\")", f->docid[i]);
        json_decref(row);
        GG_TRY(st);
    }
    return GG_OK;
}
