/* The impact of every neuron on a document, and the K largest of a layer. Owns: the listener that turns one pass over a model into
 * features. Reads in the order of the paper's section 2.2.
 *
 *     impact(l, k; c) = (1/T) sum_t |y_ltk|         y = output of the projection, T = tokens of document c, float32, rows in order
 *     N_l(c)          = the K neurons of largest impact, ties to the lowest index
 * up: before it meets act(gate). down, o: before anything is added to the residual. q, k, v: before RoPE; q and k after the q/k norm
 * where the family has one. k and v: each KV head repeated for the query heads of its group, index h d_head + c of query head h, as the
 * published code has it; so one KV neuron can fill several of the K places, which are exact ties.
 * A mean over tokens of one document only: documents lie end to end in a group, and their rows are summed apart.
 */
#include "systems/nag/nag_internal.h"
#include "base/work.h"
#include "math/kernels.h"
#include <ctype.h>
#include <stdio.h>

typedef struct job {
    gg_context *ctx;
    gg_model *m;
    const gg_model_description *d;
    const gg_nag_extract_options *o;
    gg_nag_header h;
    int64_t max_tokens, max_width, max_k;
    int site_of[GG_SITE_COUNT]; /* position in h.site, -1: not asked */
    gg_tensors_writer *scores;
    gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f);
    void *user;
    int64_t n_taken;            /* documents handed over: names rows of bare ids */
    gg_token_list whole;        /* of a document longer than max_tokens; used by `document`, never by two at once */
} job;

typedef struct state { /* of one group */
    void *index[GG_NAG_TYPES]; /* (n_documents, n_layers, K) */
    float *scores[GG_NAG_TYPES]; /* (n_scores, n_layers, width) of the group's leading documents, or NULL */
    int n_scores;
    float *impact;             /* (max_width,) */
    float *repeated;           /* (max_width,) */
    int32_t *top;              /* (max_k,) */
} state;

static gg_site site_of_type(const gg_model *m, gg_nag_type t)
{
    switch (t) {
    case GG_NAG_DOWN: return GG_SITE_MLP_OUT;
    case GG_NAG_Q: return gg_model_width(m, 0, GG_SITE_Q_NORM) ? GG_SITE_Q_NORM : GG_SITE_Q;
    case GG_NAG_K: return gg_model_width(m, 0, GG_SITE_K_NORM) ? GG_SITE_K_NORM : GG_SITE_K;
    case GG_NAG_V: return GG_SITE_V;
    case GG_NAG_O: return GG_SITE_ATTN_OUT;
    default: return GG_SITE_UP;
    }
}

static bool is_repeated(gg_nag_type t) { return t == GG_NAG_K || t == GG_NAG_V; }

gg_status gg_nag_header_of(gg_nag_header *out, gg_context *ctx, gg_model *m, const gg_nag_extract_options *o)
{
    const gg_model_description *d = gg_model_describe(m);
    gg_nag_header h = {.max_tokens = o->max_tokens ? o->max_tokens : 120, .special = o->special, .n_layers = d->n_layers};
    if (d->n_layers > GG_NAG_MAX_LAYERS)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%d layers; NAG takes at most %d", d->n_layers, GG_NAG_MAX_LAYERS);
    if (o->max_tokens < 0 || o->top_k < 0 || o->top_k > 1 << 20)
        return gg_fail(ctx, GG_EINVAL, "--top-k %lld and --max-tokens %lld must be positive", (long long)o->top_k, (long long)o->max_tokens);
    if (h.max_tokens > d->n_ctx && d->n_ctx > 0)
        h.max_tokens = d->n_ctx;
    snprintf(h.model, sizeof h.model, "%s", d->name);
    GG_TRY(gg_model_hash(m, h.model_hash));
    gg_actions_hash(o->actions, h.action_hash);
    snprintf(h.dtype, sizeof h.dtype, "%s", gg_dtype_name(gg_model_dtype(m)));
    for (char *c = h.dtype; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    for (int l = 0; l < h.n_layers; l++)
        h.layer[l] = l;
    const uint32_t types = o->types ? o->types : 1u << GG_NAG_UP;
    const int64_t k = o->top_k ? o->top_k : 10;
    for (int t = 0; t < GG_NAG_TYPES; t++) {
        if (!(types >> t & 1))
            continue;
        int64_t width = gg_model_width(m, 0, site_of_type(m, (gg_nag_type)t));
        if (width == 0)
            return gg_fail(ctx, GG_ENOENT, "%s has no site %s", d->name, gg_nag_type_name((gg_nag_type)t));
        if (is_repeated((gg_nag_type)t))
            width = d->n_heads * d->d_head;
        h.site[h.n_sites++] = (gg_nag_site){.type = (gg_nag_type)t, .width = width, .top_k = k < width ? k : width};
    }
    *out = h;
    return GG_OK;
}

/* What was asked for and is more than the model has. */
static void warn_of_limits(gg_context *ctx, const gg_nag_header *h, const gg_nag_extract_options *o)
{
    if (o->max_tokens > h->max_tokens)
        gg_log(ctx, GG_LOG_WARNING, "--max-tokens %lld: the model takes %lld", (long long)o->max_tokens, (long long)h->max_tokens);
    for (int s = 0; s < h->n_sites; s++)
        if (o->top_k > h->site[s].top_k)
            gg_log(ctx, GG_LOG_WARNING, "--top-k %lld: a layer's %s has %lld neurons, so K is %lld there", (long long)o->top_k,
                   gg_nag_type_name(h->site[s].type), (long long)h->site[s].width, (long long)h->site[s].top_k);
}

/* --- one group ----------------------------------------------------------------------------------------------------------------- */
static void close_group(void *user, void *s)
{
    job *j = user;
    state *st = s;
    if (!st)
        return;
    for (int i = 0; i < GG_NAG_TYPES; i++) {
        gg_drop(j->ctx, st->index[i]);
        gg_drop(j->ctx, st->scores[i]);
    }
    gg_drop(j->ctx, st->impact);
    gg_drop(j->ctx, st->repeated);
    gg_drop(j->ctx, st->top);
    gg_drop(j->ctx, st);
}

static gg_status open_group(void *user, void **out, const gg_group *g)
{
    job *j = user;
    state *st = gg_new(j->ctx, state, 1);
    if (!st)
        return GG_ENOMEM;
    const int bytes = gg_nag_index_bytes(&j->h);
    bool ok = (st->impact = gg_new(j->ctx, float, j->max_width)) && (st->repeated = gg_new(j->ctx, float, j->max_width)) &&
              (st->top = gg_new(j->ctx, int32_t, j->max_k));
    while (j->scores && g->document && st->n_scores < g->n_documents && g->document[st->n_scores].index < j->o->scores_documents)
        st->n_scores++;
    for (int i = 0; i < j->h.n_sites && ok; i++) {
        const gg_nag_site *site = &j->h.site[i];
        ok = (st->index[i] = gg_alloc(j->ctx, gg_mul(g->n_documents, bytes * j->h.n_layers * site->top_k))) != NULL;
        if (ok && st->n_scores)
            ok = (st->scores[i] = gg_alloc(j->ctx, gg_mul(st->n_scores, (int64_t)sizeof(float) * j->h.n_layers * site->width))) != NULL;
    }
    if (!ok) {
        close_group(j, st);
        return GG_ENOMEM;
    }
    *out = st;
    return GG_OK;
}

/* Query head h reads KV head h / group: the published repeat. */
static void repeat_heads(float *out, const float *in, int64_t n_heads, int64_t group, int64_t d_head)
{
    for (int64_t h = 0; h < n_heads; h++)
        memcpy(out + h * d_head, in + h / group * d_head, sizeof *out * (size_t)d_head);
}

static gg_status tap_site(void *user, void *s, const gg_group *g, const gg_tap *t)
{
    const job *j = user;
    state *st = s;
    const int i = j->site_of[t->site];
    const gg_nag_site *site = &j->h.site[i];
    const int64_t K = site->top_k;
    for (int c = 0; c < g->n_documents; c++) {
        const int64_t from = g->start[c] - t->row, T = g->start[c + 1] - g->start[c];
        memset(st->impact, 0, sizeof *st->impact * (size_t)t->width);
        for (int64_t row = 0; row < T; row++)
            gg_abs_add(st->impact, t->x + (from + row) * t->width, t->width);
        for (int64_t k = 0; k < t->width && T > 0; k++)
            st->impact[k] /= (float)T;
        if (!gg_all_finite(st->impact, t->width))
            return gg_fail(j->ctx, GG_ENAN, "document \"%s\": an impact in L%d.%s is not a finite number", g->document ? g->document[c].docid : "?", t->layer,
                           gg_nag_type_name(site->type));
        const float *x = st->impact;
        if (is_repeated(site->type) && t->width != site->width) {
            repeat_heads(st->repeated, st->impact, j->d->n_heads, j->d->n_heads / j->d->n_kv_heads, j->d->d_head);
            x = st->repeated;
        }
        gg_top_k(st->top, NULL, x, site->width, K);
        const int64_t at = (c * (int64_t)j->h.n_layers + t->layer) * K;
        for (int64_t k = 0; k < K; k++)
            if (gg_nag_index_bytes(&j->h) == 2)
                ((uint16_t *)st->index[i])[at + k] = (uint16_t)st->top[k];
            else
                ((uint32_t *)st->index[i])[at + k] = (uint32_t)st->top[k];
        if (c < st->n_scores)
            memcpy(st->scores[i] + (c * (int64_t)j->h.n_layers + t->layer) * site->width, x, sizeof *x * (size_t)site->width);
    }
    return GG_OK;
}

static gg_status write_scores(job *j, const state *st, const char *docid, int c)
{
    gg_str name = {.ctx = j->ctx};
    gg_status s = GG_OK;
    for (int i = 0; i < j->h.n_sites && s == GG_OK; i++) {
        const int64_t shape[2] = {j->h.n_layers, j->h.site[i].width};
        name.len = 0;
        gg_str_printf(&name, "%s.%s", docid, gg_nag_type_name(j->h.site[i].type));
        s = name.failed ? GG_ENOMEM : gg_tensors_writer_add(j->scores, name.data, GG_F32, 2, shape, st->scores[i] + c * shape[0] * shape[1]);
    }
    gg_str_free(&name);
    return s;
}

/* The document's own count, else that of its whole text, which is only encoded again when max_tokens cut it. */
static gg_status count_tokens(job *j, int64_t *out, const gg_document *d, int64_t n_scored)
{
    *out = d->token_num >= 0 ? d->token_num : n_scored;
    if (d->token_num >= 0 || n_scored < j->max_tokens)
        return GG_OK;
    GG_TRY(gg_tokenizer_encode(gg_model_tokenizer(j->m), &j->whole, d->text, d->n_text, 0, GG_TOKENIZE_PARSE_SPECIAL));
    *out = j->whole.n;
    return GG_OK;
}

static gg_status hand_over(void *user, void *s, const gg_group *g, int c)
{
    job *j = user;
    const state *st = s;
    const int64_t n_scored = g->start[c + 1] - g->start[c];
    int64_t token_num = n_scored;
    char number[32];
    const char *docid = number;
    snprintf(number, sizeof number, "%lld", (long long)j->n_taken++);
    if (g->document) {
        docid = g->document[c].docid;
        GG_TRY(count_tokens(j, &token_num, &g->document[c], n_scored));
    }
    gg_nag_features f = {.n = 1, .docid = &docid, .token_num = &token_num, .n_scored = &n_scored, .index_bytes = gg_nag_index_bytes(&j->h)};
    for (int i = 0; i < j->h.n_sites; i++)
        f.index[i] = (const char *)st->index[i] + c * j->h.n_layers * j->h.site[i].top_k * f.index_bytes;
    if (c < st->n_scores)
        GG_TRY(write_scores(j, st, docid, c));
    return j->take(j->user, &j->h, &f);
}

/* --- the whole source ------------------------------------------------------------------------------------------------------------- */
typedef struct source { /* documents, or bare ids: a table, or rows of any length */
    gg_documents *documents;
    const int32_t *ids;
    const int64_t *start;
    int64_t n_rows, n_columns;
} source;

static gg_status run(gg_nag_extract_result *out, job *j, const source *from)
{
    const gg_nag_extract_options *o = j->o;
    gg_listener all[1 + GG__NAG_OTHERS];
    all[0] = (gg_listener){.open = open_group, .tap = tap_site, .document = hand_over, .close = close_group, .user = j};
    if (o->n_others < 0 || o->n_others > GG__NAG_OTHERS)
        return gg_fail(j->ctx, GG_EINVAL, "%d more listeners; at most %d", o->n_others, GG__NAG_OTHERS);
    for (int i = 0; i < o->n_others; i++)
        all[i + 1] = o->others[i];
    memset(j->site_of, -1, sizeof j->site_of);
    for (int i = 0; i < j->h.n_sites; i++) {
        const gg_site site = site_of_type(j->m, j->h.site[i].type);
        j->site_of[site] = i;
        all[0].sites |= 1u << site;
        j->max_width = j->h.site[i].width > j->max_width ? j->h.site[i].width : j->max_width;
        j->max_k = j->h.site[i].top_k > j->max_k ? j->h.site[i].top_k : j->max_k;
    }
    const gg_run_options ro = {.max_tokens = j->max_tokens, .special = o->special, .group_tokens = o->group_tokens, .progress = o->progress, .clock = o->clock};
    const double start = gg_time();
    gg_run_result r;
    const gg_status s = from->documents ? gg_run(&r, j->m, from->documents, &ro, all, 1 + o->n_others)
                        : from->start   ? gg_run_tokens(&r, j->m, from->ids, from->start, from->n_rows, &ro, all, 1 + o->n_others)
                                        : gg_run_ids(&r, j->m, from->ids, from->n_rows, from->n_columns, &ro, all, 1 + o->n_others);
    *out = (gg_nag_extract_result){.n_documents = r.n_documents, .n_tokens = r.n_tokens, .n_cut = r.n_cut, .seconds = gg_time() - start,
                                   .operations = r.operations};
    if (from->documents) {
        out->n_empty = gg_documents_empty(from->documents);
        snprintf(out->empty, sizeof out->empty, "%s", gg_documents_empty_list(from->documents));
        out->n_repaired = gg_documents_repaired(from->documents);
    }
    return s;
}

static gg_status extract(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const source *from, const gg_nag_extract_options *o,
                         gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user)
{
    gg_nag_extract_options with_defaults = *o;
    with_defaults.scores_documents = o->scores_documents ? o->scores_documents : 3;
    job j = {.ctx = ctx, .m = m, .d = gg_model_describe(m), .o = &with_defaults, .take = take, .user = user, .whole = {.ctx = ctx}};
    *out = (gg_nag_extract_result){0};
    GG_TRY(gg_nag_header_of(&j.h, ctx, m, o));
    warn_of_limits(ctx, &j.h, o);
    j.max_tokens = j.h.max_tokens;
    if (o->scores)
        GG_TRY(gg_tensors_writer_open(&j.scores, ctx, o->scores));
    const gg_status s = run(out, &j, from);
    gg_token_list_free(&j.whole);
    if (s == GG_OK && j.scores)
        return gg_tensors_writer_commit(j.scores);
    gg_tensors_writer_discard(j.scores);
    return s;
}

gg_status gg_nag_extract(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, gg_documents *documents, const gg_nag_extract_options *o,
                         gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user)
{
    return extract(out, ctx, m, &(source){.documents = documents}, o, take, user);
}

gg_status gg_nag_extract_ids(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns,
                             const gg_nag_extract_options *o, gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user)
{
    return extract(out, ctx, m, &(source){.ids = ids, .n_rows = n_rows, .n_columns = n_columns}, o, take, user);
}

gg_status gg_nag_extract_tokens(gg_nag_extract_result *out, gg_context *ctx, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents,
                                const gg_nag_extract_options *o, gg_status (*take)(void *user, const gg_nag_header *h, const gg_nag_features *f), void *user)
{
    return extract(out, ctx, m, &(source){.ids = ids, .start = start, .n_rows = n_documents}, o, take, user);
}
