/* Part exactness: this program against the published code (asillycat/NAG, its Llama path) on the model and the documents of tests/golden/nag. Reads
 *
 *     GOLDEN/docs.jsonl.zst       docid, doc, tokens, and for each site its lists (30, 10) with <site>_gap = (10th - 11th) / 10th impact
 *     GOLDEN/scores.safetensors   "<docid>.<site>" (30, n): whole impact vectors
 *     GOLDEN/ranking.json         targets, order and float64 distances of each domain; model and model_hash: what the lists are of
 * Documents go the whole way: rows of a file, tokenizer, model, features, ranking. Those whose text is not there (its licence does not allow it) keep the
 * published lists, so that the pools of the ten rankings stay whole; they count in no comparison of lists.
 * Lists are compared as sets. k and v repeat each KV head for its query heads, exact ties which the published code breaks as it likes: there the sets of
 * KV neurons are compared.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/reproduce.h"
#include "base/file.h"
#include "base/json.h"

enum { K = 10, QUICK = 32 };

typedef struct golden {
    gg__lab *lab;
    json_t *row, *ranking;      /* row: array of the documents */
    gg_tensors *scores;
    int64_t n, n_run;
    int64_t *run;               /* (n_run,) documents that go through the model, those with whole vectors first */
    int64_t *position;          /* (n,) in run; -1: not run */
    int64_t n_scored;
    int n_layers, group;        /* group: query heads of a KV head */
    int64_t d_head;
    gg_nag_set *ours;           /* of the run documents, in that order */
    uint16_t *up;               /* (n, n_layers, K): ours, or the published list */
    bool *equal;                /* (n,) all lists of up equal */
    char folder[64];            /* temporary */
} golden;

static const char *docid_of(const golden *g, int64_t i) { return json_string_value(json_object_get(json_array_get(g->row, (size_t)i), "docid")); }
static const json_t *column(const golden *g, int64_t i, const char *name) { return json_object_get(json_array_get(g->row, (size_t)i), name); }
static int64_t integer_at(const json_t *list, int64_t i) { return json_integer_value(json_array_get(list, (size_t)i)); }

/* The number of the document that stands at i in a list of ids. */
static gg_status find(int64_t *out, const golden *g, const json_t *list, size_t i)
{
    const char *docid = json_string_value(json_array_get(list, i));
    for (*out = 0; docid && *out < g->n; ++*out)
        if (strcmp(docid_of(g, *out), docid) == 0)
            return GG_OK;
    return gg_fail(g->lab->ctx, GG_EMISMATCH, "%s/ranking.json names a document \"%s\" that docs.jsonl.zst does not have", g->lab->golden, docid ? docid : "");
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------------ */
static gg_status golden_path(gg_str *out, const golden *g, const char *name)
{
    *out = (gg_str){.ctx = g->lab->ctx};
    gg_str_printf(out, "%s/%s", g->lab->golden, name);
    if (!out->failed)
        return GG_OK;
    gg_str_free(out);
    return GG_ENOMEM;
}

static bool is_golden(const golden *g, const json_t *row)
{
    for (int t = 0; t < GG_NAG_TYPES; t++) {
        const json_t *lists = json_object_get(row, gg_nag_type_name((gg_nag_type)t));
        for (int l = 0; l < g->n_layers; l++)
            if (json_array_size(json_array_get(lists, (size_t)l)) != K)
                return false;
    }
    return json_is_string(json_object_get(row, "docid"));
}

static gg_status read_rows(golden *g)
{
    gg_rows *in = NULL;
    json_t *row;
    gg_str path;
    GG_TRY(golden_path(&path, g, "docs.jsonl.zst"));
    gg_status s = gg_rows_open(&in, g->lab->ctx, path.data);
    gg_str_free(&path);
    GG_TRY(s);
    g->row = json_array();
    while (s == GG_OK && (s = gg_rows_next(in, &row)) == GG_OK) {
        if (!is_golden(g, row))
            s = gg_fail(g->lab->ctx, GG_EFORMAT, "%s:%lld: not a row of published results (docid, and %d lists of %d neurons of each site)", gg_rows_path(in),
                        (long long)gg_rows_line(in), g->n_layers, K);
        if (json_array_append_new(g->row, row) != 0 && s == GG_OK)
            s = gg_fail(g->lab->ctx, GG_ENOMEM, "out of memory (published results)");
    }
    gg_rows_close(in);
    g->n = (int64_t)json_array_size(g->row);
    return s == GG_END ? GG_OK : s;
}

static gg_status read_rankings(golden *g)
{
    gg_str path;
    GG_TRY(golden_path(&path, g, "ranking.json"));
    gg_status s = gg_json_read_file(&g->ranking, g->lab->ctx, path.data, "the list of rankings");
    if (s == GG_OK && (json_object_size(json_object_get(g->ranking, "target")) == 0 || !json_is_string(json_object_get(g->ranking, "model_hash"))))
        s = gg_fail(g->lab->ctx, GG_EFORMAT, "%s: not rankings of a published run (model_hash, and target: the domains)", path.data);
    gg_str_free(&path);
    return s;
}

static gg_status read_scores(golden *g)
{
    gg_str path;
    GG_TRY(golden_path(&path, g, "scores.safetensors"));
    const gg_status s = gg_tensors_open(&g->scores, g->lab->ctx, path.data);
    gg_str_free(&path);
    return s;
}

static bool has_scores(const golden *g, int64_t i)
{
    char name[128];
    snprintf(name, sizeof name, "%s.up", docid_of(g, i));
    return gg_tensors_find(g->scores, name) != NULL;
}

/* Which documents run: all that have a text; quick: every so-maneth, and those with whole vectors in any case. */
static gg_status choose(golden *g)
{
    int64_t n_texts = 0, seen = 0;
    for (int64_t i = 0; i < g->n; i++)
        n_texts += column(g, i, "doc") != NULL;
    const int64_t step = g->lab->quick && n_texts > QUICK ? n_texts / QUICK : 1;
    g->run = gg_arena_alloc(&g->lab->arena, gg_mul(g->n, (int64_t)sizeof *g->run));
    g->position = gg_arena_alloc(&g->lab->arena, gg_mul(g->n, (int64_t)sizeof *g->position));
    g->equal = gg_arena_alloc(&g->lab->arena, gg_mul(g->n, (int64_t)sizeof *g->equal));
    g->up = gg_arena_alloc(&g->lab->arena, gg_mul(g->n * g->n_layers * K, (int64_t)sizeof *g->up));
    if (!g->run || !g->position || !g->equal || !g->up)
        return GG_ENOMEM;
    for (int scored = 1; scored >= 0; scored--)
        for (int64_t i = 0; i < g->n; i++) {
            if (!column(g, i, "doc") || has_scores(g, i) != (scored == 1) || (!scored && seen++ % step))
                continue;
            g->run[g->n_run++] = i;
            g->n_scored += scored;
        }
    if (g->n_run == 0)
        return gg_fail(g->lab->ctx, GG_EFORMAT, "%s/docs.jsonl.zst: no document has its text (doc)", g->lab->golden);
    for (int64_t i = 0; i < g->n; i++)
        g->position[i] = -1;
    for (int64_t i = 0; i < g->n_run; i++)
        g->position[g->run[i]] = i;
    return GG_OK;
}

static const char *at(const golden *g, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", g->folder, name);
    return out;
}

/* The texts as a file of rows, through the model. With whole vectors nothing is kept in units, so that a stop leaves nothing but the temporary folder's
 * files. */
static gg_status run(golden *g)
{
    gg__lab *lab = g->lab;
    char in[128], out[128], scores[128];
    gg_rows_writer *w = NULL;
    gg_nag_extract_result r;
    at(g, "texts.jsonl", in);
    at(g, "lists.nag", out);
    at(g, "scores.safetensors", scores);
    GG_TRY(gg_rows_writer_open(&w, lab->ctx, in));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < g->n_run && s == GG_OK; i++) {
        json_t *row = json_pack("{s:s, s:O}", "docid", docid_of(g, g->run[i]), "doc", column(g, g->run[i], "doc"));
        s = row ? gg_rows_writer_add(w, row) : GG_ENOMEM;
        json_decref(row);
    }
    if (s != GG_OK) {
        gg_rows_writer_discard(w);
        return s;
    }
    GG_TRY(gg_rows_writer_commit(w));
    GG_TRY(gg__lab_progress(lab, "exactness", "docs", g->n_run));
    GG_TRY(gg_model_act(lab->m, NULL));
    const gg_nag_source source = {.paths = (const char *const[]){in}, .n_paths = 1};
    GG_TRY(gg_nag_extract_file(&r, lab->ctx, lab->m, &source, out,
                               &(gg_nag_extract_options){.types = (1u << GG_NAG_TYPES) - 1, .top_k = K, .scores = scores,
                                                         .scores_documents = g->n_scored ? g->n_scored : 1, .progress = lab->progress}));
    GG_TRY(gg__lab_progress(lab, NULL, NULL, 0));
    return gg_nag_set_read(&g->ours, lab->ctx, (const char *const[]){out}, 1, 0);
}

static void golden_free(golden *g)
{
    static const char *const file[] = {"texts.jsonl", "lists.nag", "scores.safetensors"};
    char path[128];
    for (size_t i = 0; i < sizeof file / sizeof *file && g->folder[0]; i++)
        remove(at(g, file[i], path));
    if (g->folder[0])
        remove(g->folder);
    json_decref(g->row);
    json_decref(g->ranking);
    gg_tensors_free(g->scores);
    gg_nag_set_free(g->ours);
}

/* --- comparing ---------------------------------------------------------------------------------------------------------------------------- */
static gg_status add_tokens(golden *g)
{
    const gg_tokenizer *t;
    gg_token_list ids = {.ctx = g->lab->ctx};
    char note[96];
    int64_t same = 0;
    GG_TRY(gg_model_need_tokenizer(&t, g->lab->m));
    for (int64_t i = 0; i < g->n_run; i++) {
        const json_t *text = column(g, g->run[i], "doc"), *want = column(g, g->run[i], "tokens");
        const gg_status s = gg_tokenizer_encode(t, &ids, json_string_value(text), json_string_length(text), 120, GG_TOKENIZE_PARSE_SPECIAL);
        if (s != GG_OK) {
            gg_token_list_free(&ids);
            return s;
        }
        bool equal = ids.n == (int64_t)json_array_size(want);
        for (int64_t k = 0; k < ids.n && equal; k++)
            equal = ids.id[k] == integer_at(want, k);
        same += equal;
    }
    gg_token_list_free(&ids);
    const double share = (double)same / (double)g->n_run;
    snprintf(note, sizeof note, "%lld of %lld documents, first 120 tokens", (long long)same, (long long)g->n_run);
    return gg_claims_add(g->lab->claims, &(gg_claim){.claim = "token ids are those of the published run: share of documents", .bound = 1, .note = note},
                         &share, 1);
}

/* KV neuron of a repeated index. */
static int64_t unrepeated(const golden *g, gg_nag_type t, int64_t i)
{
    return t == GG_NAG_K || t == GG_NAG_V ? i / g->d_head / g->group * g->d_head + i % g->d_head : i;
}

static bool is_within(const golden *g, gg_nag_type t, const int64_t *a, const int64_t *b)
{
    for (int i = 0; i < K; i++) {
        bool in = false;
        for (int j = 0; j < K; j++)
            in |= unrepeated(g, t, a[i]) == unrepeated(g, t, b[j]);
        if (!in)
            return false;
    }
    return true;
}

static gg_status add_lists(golden *g)
{
    char claim[96], note[160];
    int64_t wide = 0; /* cells that differ although the gap is wide */
    const gg_nag_features *f = &g->ours->f;
    for (int t = 0; t < GG_NAG_TYPES; t++) {
        char gap_name[16];
        const char *name = gg_nag_type_name((gg_nag_type)t);
        const int s = gg_nag_header_find(&g->ours->header, (gg_nag_type)t);
        int64_t same = 0;
        snprintf(gap_name, sizeof gap_name, "%s_gap", name);
        for (int64_t i = 0; i < g->n_run; i++) {
            bool all = true;
            for (int l = 0; l < g->n_layers; l++) {
                int64_t a[K], b[K];
                for (int k = 0; k < K; k++) {
                    a[k] = ((const uint16_t *)f->index[s])[(i * g->n_layers + l) * K + k];
                    b[k] = integer_at(json_array_get(column(g, g->run[i], name), (size_t)l), k);
                }
                const bool equal = is_within(g, (gg_nag_type)t, a, b) && is_within(g, (gg_nag_type)t, b, a);
                same += equal;
                all &= equal;
                wide += !equal && json_number_value(json_array_get(column(g, g->run[i], gap_name), (size_t)l)) >= 1e-4;
            }
            if (t == GG_NAG_UP)
                g->equal[g->run[i]] = all;
        }
        const int64_t cells = g->n_run * g->n_layers;
        const double share = (double)same / (double)cells;
        snprintf(claim, sizeof claim, "the ten neurons of a layer's %s are the published ones: share of (document, layer)", name);
        snprintf(note, sizeof note, "%lld of %lld", (long long)same, (long long)cells);
        GG_TRY(gg_claims_add(g->lab->claims, &(gg_claim){.claim = claim, .bound = 0.995, .note = note}, &share, 1));
    }
    const double n = (double)wide;
    return gg_claims_add(g->lab->claims,
                         &(gg_claim){.claim = "lists differ only where the 10th and 11th impact lie within 1e-4: other cells", .relation = GG_AT_MOST,
                                     .bound = 0}, &n, 1);
}

static gg_status add_vectors(golden *g)
{
    gg_claim c = {.claim = "whole impact vectors are the published ones: largest relative difference", .relation = GG_AT_MOST, .bound = 1e-4};
    char path[128], note[96];
    gg_tensors *ours = NULL;
    double worst = 0;
    int64_t n = 0;
    if (g->n_scored == 0)
        return gg_claims_skip(g->lab->claims, &c, "no document with whole vectors has its text here");
    GG_TRY(gg_tensors_open(&ours, g->lab->ctx, at(g, "scores.safetensors", path)));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < gg_tensors_count(ours) && s == GG_OK; i++) {
        const gg_tensor *a = gg_tensors_at(ours, i), *b = gg_tensors_find(g->scores, a->name);
        if (!b || b->n_bytes != a->n_bytes || a->dtype != GG_F32 || b->dtype != GG_F32) {
            s = gg_fail(g->lab->ctx, GG_EMISMATCH, "%s: no tensor \"%s\" of %lld bytes", gg_tensors_path(g->scores), a->name, (long long)a->n_bytes);
            break;
        }
        for (int64_t k = 0; k < a->n_bytes / 4; k++, n++) {
            const double x = ((const float *)a->data)[k], y = ((const float *)b->data)[k], d = fabs(x - y) / fabs(y);
            worst = d > worst || isnan(d) ? d : worst;
        }
    }
    gg_tensors_free(ours);
    GG_TRY(s);
    snprintf(note, sizeof note, "%lld numbers of %lld documents, six sites", (long long)n, (long long)g->n_scored);
    c.note = note;
    return gg_claims_add(g->lab->claims, &c, &worst, 1);
}

/* Ours where the document was run, else the published lists. */
static void merge_lists(golden *g)
{
    const int s = gg_nag_header_find(&g->ours->header, GG_NAG_UP);
    const int64_t one = g->n_layers * K;
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t j = 0; j < one; j++)
            g->up[i * one + j] = g->position[i] >= 0 ? ((const uint16_t *)g->ours->f.index[s])[g->position[i] * one + j]
                                                     : (uint16_t)integer_at(json_array_get(column(g, i, "up"), (size_t)(j / K)), j % K);
}

typedef struct tally {
    double worst;                 /* distances on equal lists */
    int64_t n_equal, n_distances; /* compared; in all */
    int n_orders, n_selections, n_rankings;
} tally;

static gg_status rank_one(tally *t, const golden *g, const json_t *v)
{
    gg__lab *lab = g->lab;
    const json_t *targets = json_object_get(v, "targets"), *order = json_object_get(v, "order"), *selected = json_object_get(v, "selected_0.2");
    const int64_t n = (int64_t)json_array_size(order), one = g->n_layers * K;
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    gg_nag_row *row = gg_new(lab->ctx, gg_nag_row, n);
    bool all_equal = true, same_order = true, same_selection;
    gg_status s = row ? gg_nag_counts_create(&c, lab->ctx, g->n_layers, K, g->ours->header.site[0].width) : GG_ENOMEM;
    for (size_t i = 0; i < json_array_size(targets) && s == GG_OK; i++) {
        int64_t d;
        if ((s = find(&d, g, targets, i)) != GG_OK)
            break;
        const gg_nag_features f = {.n = 1, .index_bytes = 2, .index = {g->up + d * one}};
        all_equal &= g->position[d] < 0 || g->equal[d];
        s = gg_nag_counts_add(c, &f, 0);
    }
    if (s == GG_OK)
        s = gg_nag_profile_frequency(&p, c, 1);
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        int64_t d;
        if ((s = find(&d, g, order, (size_t)i)) != GG_OK)
            break;
        const gg_nag_features f = {.n = 1, .index_bytes = 2, .index = {g->up + d * one}};
        row[i] = (gg_nag_row){.docid = docid_of(g, d), .token_num = json_integer_value(column(g, d, "token_num"))};
        gg_nag_distance(&row[i].distance, p, &f, 0);
        row[i].score = row[i].distance;
        t->n_distances++;
        if (!all_equal || (g->position[d] >= 0 && !g->equal[d]))
            continue;
        const double off = fabs(row[i].distance - json_number_value(json_array_get(json_object_get(v, "distance"), (size_t)i)));
        t->worst = off > t->worst || isnan(off) ? off : t->worst;
        t->n_equal++;
    }
    if (s == GG_OK) {
        int64_t budget, total;
        gg_nag_sort(row, n);
        for (int64_t i = 0; i < n; i++)
            same_order &= strcmp(row[i].docid, json_string_value(json_array_get(order, (size_t)i))) == 0;
        const int64_t chosen = gg_nag_budget(&budget, &total, row, n, 0.2);
        same_selection = chosen == (int64_t)json_array_size(selected);
        for (int64_t i = 0; i < chosen && same_selection; i++)
            same_selection = strcmp(row[i].docid, json_string_value(json_array_get(selected, (size_t)i))) == 0;
        t->n_orders += same_order;
        t->n_selections += same_selection;
        t->n_rankings++;
    }
    gg_nag_counts_free(c);
    gg_nag_profile_free(p);
    gg_drop(lab->ctx, row);
    return s;
}

static gg_status add_rankings(golden *g)
{
    const char *domain;
    json_t *v;
    tally t = {0};
    char note[160];
    merge_lists(g);
    json_object_foreach(json_object_get(g->ranking, "target"), domain, v)
        GG_TRY(rank_one(&t, g, v));
    snprintf(note, sizeof note, "%lld of %lld distances have equal lists on both sides", (long long)t.n_equal, (long long)t.n_distances);
    GG_TRY(gg_claims_add(g->lab->claims,
                         &(gg_claim){.claim = "distances on equal lists are the published ones: largest difference", .relation = GG_AT_MOST, .bound = 1e-12,
                                     .note = note},
                         &t.worst, 1));
    const double selections = (double)t.n_selections / t.n_rankings;
    snprintf(note, sizeof note, "%d of %d selections, %d of %d whole orders; %lld of %lld documents ran here%s", t.n_selections, t.n_rankings, t.n_orders,
             t.n_rankings, (long long)g->n_run, (long long)g->n, g->n_run < g->n ? ", the others keep their published lists" : "");
    return gg_claims_add(g->lab->claims,
                         &(gg_claim){.claim = "the fifth of a pool that is chosen is the published one: share of domains", .bound = 1, .note = note},
                         &selections, 1);
}

/* Appendix D: the similarity to a group is the mean of the pairwise ones. */
static gg_status add_identity(golden *g)
{
    enum { TARGETS = 5 };
    const int64_t n = g->n_run;
    double worst = 0, *pair = gg_new(g->lab->ctx, double, gg_mul(n, n)), *distance = gg_new(g->lab->ctx, double, n);
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    gg_nag_features target = g->ours->f;
    target.n = TARGETS < n ? TARGETS : n;
    gg_status s = pair && distance ? gg_nag_pairwise(pair, g->lab->ctx, g->ours, GG_NAG_UP) : GG_ENOMEM;
    if (s == GG_OK)
        s = gg_nag_counts_create(&c, g->lab->ctx, g->n_layers, K, g->ours->header.site[0].width);
    if (s == GG_OK)
        s = gg_nag_counts_add(c, &target, 0);
    if (s == GG_OK)
        s = gg_nag_profile_frequency(&p, c, 1);
    if (s == GG_OK)
        gg_nag_distance(distance, p, &g->ours->f, 0);
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        double mean = 0;
        for (int64_t k = 0; k < target.n; k++)
            mean += pair[i * n + k] / (double)target.n;
        worst = fmax(worst, fabs(mean - distance[i]));
    }
    gg_nag_counts_free(c);
    gg_nag_profile_free(p);
    gg_drop(g->lab->ctx, pair);
    gg_drop(g->lab->ctx, distance);
    GG_TRY(s);
    return gg_claims_add(g->lab->claims,
                         &(gg_claim){.claim = "distance to a group is the mean of those to its members: largest difference", .paper = "proof, appendix D",
                                     .relation = GG_AT_MOST, .bound = 1e-12}, &worst, 1);
}

static gg_status compare(golden *g)
{
    GG_TRY(add_tokens(g));
    GG_TRY(add_lists(g));
    GG_TRY(add_vectors(g));
    GG_TRY(add_rankings(g));
    return add_identity(g);
}

/* Reads, runs and compares; the folder it makes for that is golden_free's. */
static gg_status try_documents(golden *g)
{
    gg_context *ctx = g->lab->ctx;
    const char *folder = getenv("TMPDIR");
    snprintf(g->folder, sizeof g->folder, "%.40s/golgi-XXXXXX", folder && *folder && strlen(folder) <= 40 ? folder : "/tmp");
    if (!mkdtemp(g->folder)) {
        const gg_status s = gg_fail(ctx, GG_EIO, "%s: no folder can be made there", g->folder);
        g->folder[0] = 0;
        return s;
    }
    GG_TRY(read_rows(g));
    GG_TRY(read_scores(g));
    GG_TRY(choose(g));
    GG_TRY(run(g));
    return compare(g);
}

gg_status gg__nag_lab_exactness(gg__lab *lab)
{
    const gg_claim all = {.claim = "lists, impacts, distances and selections are those of the published code", .bound = 0.995};
    const gg_model_description *d = gg_model_describe(lab->m);
    golden g = {.lab = lab, .n_layers = d->n_layers, .group = d->n_heads / d->n_kv_heads, .d_head = d->d_head};
    gg_str docs;
    char hash[65], why[160];
    GG_TRY(gg_model_hash(lab->m, hash));
    GG_TRY(golden_path(&docs, &g, "docs.jsonl.zst"));
    const bool there = gg_file_exists(docs.data);
    gg_str_free(&docs);
    GG_TRY(gg_claims_part(lab->claims, "exactness", "against the published code on the same model and documents, float32"));
    if (!there)
        return gg_claims_skip(lab->claims, &all, "the published results are not there; they are in the source tree (--golden tests/golden/nag)");
    gg_status s = read_rankings(&g);
    if (s == GG_OK && strcmp(hash, json_string_value(json_object_get(g.ranking, "model_hash"))) != 0) {
        const char *model = json_string_value(json_object_get(g.ranking, "model"));
        snprintf(why, sizeof why, "the published results are of %s", model ? model : "another model");
        s = gg_claims_skip(lab->claims, &all, why);
    } else if (s == GG_OK) {
        s = try_documents(&g);
    }
    golden_free(&g);
    return s;
}
