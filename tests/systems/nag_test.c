/* NAG against the published code's results (tests/golden/nag), planted truths, file formats, bad input. No model is needed here. */
#include <math.h>
#include "context.h"
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/work.h"

enum { N = 200, L = 30, K = 10, WIDTH = 1536 };
static const int64_t width_of[GG_NAG_TYPES] = {1536, 576, 576, 576, 576, 576};

static json_t *golden;                       /* ranking.json */
static struct {
    char *docid[N], *domain[N];
    int64_t token_num[N], n_scored[N];
    uint16_t index[GG_NAG_TYPES][N * L * K];
} g;

static gg_nag_header header(uint32_t types)
{
    gg_nag_header h = {.model = "SmolLM2", .dtype = "f32", .max_tokens = 120, .n_layers = L};
    memset(h.model_hash, 'a', 64);
    for (int l = 0; l < L; l++)
        h.layer[l] = l;
    for (int t = 0; t < GG_NAG_TYPES; t++)
        if (types >> t & 1)
            h.site[h.n_sites++] = (gg_nag_site){.type = (gg_nag_type)t, .width = width_of[t], .top_k = K};
    return h;
}

static bool is_target_of_any(const char *docid)
{
    const char *domain;
    json_t *v, *t;
    size_t i;
    json_object_foreach(json_object_get(golden, "target"), domain, v)
        json_array_foreach(json_object_get(v, "targets"), i, t)
            if (strcmp(json_string_value(t), docid) == 0)
                return true;
    return false;
}

static bool in_list(const json_t *list, const char *docid)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), docid) == 0)
            return true;
    return false;
}

/* Writes the golden documents that pass (targets: those of the list; NULL: the pool, which is no domain's target). */
static void write_features(const char *path, const gg_nag_header *h, const json_t *targets)
{
    gg_nag_writer *w = NULL;
    assert_ok(gg_nag_writer_open(&w, ctx, path, h));
    for (int i = 0; i < N; i++) {
        if (targets ? !in_list(targets, g.docid[i]) : is_target_of_any(g.docid[i]))
            continue;
        gg_nag_features f = {.n = 1, .docid = (const char *const *)&g.docid[i], .token_num = &g.token_num[i], .n_scored = &g.n_scored[i], .index_bytes = 2};
        for (int s = 0; s < h->n_sites; s++)
            f.index[s] = g.index[h->site[s].type] + (int64_t)i * L * K;
        assert_ok(gg_nag_writer_add(w, &f));
    }
    assert_ok(gg_nag_writer_commit(w));
}

static int load_golden(void **state)
{
    (void)state;
    if (begin_folder("nag", 2) != 0)
        return -1;
    json_error_t e;
    golden = json_load_file("tests/golden/nag/ranking.json", 0, &e);
    gg_rows *in = NULL;
    json_t *row;
    if (!golden || gg_rows_open(&in, ctx, "tests/golden/nag/docs.jsonl.zst") != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        return -1;
    }
    for (int i = 0; i < N; i++) {
        if (gg_rows_next(in, &row) != GG_OK)
            return -1;
        g.docid[i] = strdup(json_string_value(json_object_get(row, "docid")));
        g.domain[i] = strdup(json_string_value(json_object_get(row, "domain")));
        g.n_scored[i] = g.token_num[i] = json_integer_value(json_object_get(row, "token_num"));
        for (int t = 0; t < GG_NAG_TYPES; t++)
            for (int l = 0; l < L; l++)
                for (int k = 0; k < K; k++)
                    g.index[t][(i * L + l) * K + k] = (uint16_t)json_integer_value(
                        json_array_get(json_array_get(json_object_get(row, gg_nag_type_name((gg_nag_type)t)), (size_t)l), (size_t)k));
        json_decref(row);
    }
    gg_rows_close(in);
    /* payload: docid, domain, token_num, quality */
    json_t *quality = json_object();
    if (gg_rows_open(&in, ctx, "tests/golden/nag/quality.jsonl") != GG_OK)
        return -1;
    while (gg_rows_next(in, &row) == GG_OK) {
        json_object_set(quality, json_string_value(json_object_get(row, "docid")), json_object_get(row, "quality"));
        json_decref(row);
    }
    gg_rows_close(in);
    FILE *payload = fopen(at("payload.jsonl"), "w");
    for (int i = N - 1; i >= 0; i--) { /* another order than the features */
        const json_t *q = json_object_get(quality, g.docid[i]);
        fprintf(payload, "{\"docid\":\"%s\",\"doc\":\"text of %s\",\"domain\":\"%s\",\"token_num\":%lld", g.docid[i], g.docid[i], g.domain[i],
                (long long)g.token_num[i]);
        if (json_is_number(q))
            fprintf(payload, ",\"quality\":%.17g", json_number_value(q));
        fprintf(payload, "}\n");
    }
    fclose(payload);
    json_decref(quality);
    const gg_nag_header h = header(1u << GG_NAG_UP);
    write_features(at("pool.nag"), &h, NULL);
    const char *domain;
    json_t *v;
    json_object_foreach(json_object_get(golden, "target"), domain, v) {
        char name[64];
        snprintf(name, sizeof name, "target-%s.nag", domain);
        write_features(at(name), &h, json_object_get(v, "targets"));
    }
    return 0;
}

static int drop_golden(void **state)
{
    (void)state;
    json_decref(golden);
    for (int i = 0; i < N; i++) {
        free(g.docid[i]);
        free(g.domain[i]);
    }
    return end_folder(state);
}

static gg_nag_rank_options options(const char *domain)
{
    char name[64];
    snprintf(name, sizeof name, "target-%s.nag", domain);
    return (gg_nag_rank_options){.target = {at(name)}, .n_target = 1, .pool = {at("pool.nag")}, .n_pool = 1, .fraction = 0.2};
}

static const json_t *of(const char *domain) { return json_object_get(json_object_get(golden, "target"), domain); }
static const char *text_at(const json_t *list, int64_t i) { return json_string_value(json_array_get(list, (size_t)i)); }

static void check_ranking(const gg_nag_ranking *r, const json_t *v)
{
    assert_int_equal(r->n, (int64_t)json_array_size(json_object_get(v, "order")));
    for (int64_t i = 0; i < r->n; i++) {
        assert_string_equal(r->row[i].docid, text_at(json_object_get(v, "order"), i));
        assert_true(fabs(r->row[i].distance - json_real_value(json_array_get(json_object_get(v, "distance"), (size_t)i))) <= 1e-12);
    }
    assert_int_equal(r->n_selected, (int64_t)json_array_size(json_object_get(v, "selected_0.2")));
}

/* --- ranking ------------------------------------------------------------------------------------------------------------------ */
static void order_distances_and_selections_are_the_published_ones(void **state)
{
    (void)state;
    const char *domain;
    json_t *v;
    json_object_foreach(json_object_get(golden, "target"), domain, v) {
        gg_nag_rank_options o = options(domain);
        gg_nag_ranking *r = NULL;
        assert_ok(gg_nag_rank(&r, ctx, &o));
        check_ranking(r, v);
        for (int64_t i = 0; i < r->n; i++) /* even the last bit, which decides ties */
            assert_true(r->row[i].distance == json_real_value(json_array_get(json_object_get(v, "distance"), (size_t)i)));
        gg_nag_ranking_free(r);
    }
}

static void precision_at_n_is_the_published_one_and_contrast_beats_it(void **state)
{
    (void)state;
    const char *domain;
    json_t *v;
    double sum[2] = {0};
    json_object_foreach(json_object_get(golden, "target"), domain, v) {
        gg_nag_rank_options o = options(domain);
        o.payload[o.n_payload++] = at("payload.jsonl");
        o.label_column = "domain";
        o.target_label = domain;
        gg_nag_ranking *r = NULL;
        assert_ok(gg_nag_rank(&r, ctx, &o));
        assert_true(fabs(r->precision[GG_NAG_FREQUENCY] - json_number_value(json_object_get(v, "precision_at_n"))) < 5.1e-5);
        for (int w = 0; w < 2; w++)
            sum[w] += r->precision[w];
        check_ranking(r, v); /* labels change nothing */
        gg_nag_ranking_free(r);
        o.weights = GG_NAG_CONTRAST; /* contrast's distances, too, are in [0, 1] */
        gg_nag_ranking *c = NULL;
        assert_ok(gg_nag_rank(&c, ctx, &o));
        for (int64_t i = 0; i < c->n; i++)
            assert_true(c->row[i].distance >= 0 && c->row[i].distance <= 1);
        gg_nag_ranking_free(c);
    }
    assert_true(fabs(sum[GG_NAG_FREQUENCY] / 10 - 0.656) < 0.001);
    assert_true(sum[GG_NAG_CONTRAST] / 10 > 0.69);
}

static void quality_mix_is_the_published_one(void **state)
{
    (void)state;
    for (int invert = 0; invert < 2; invert++) {
        const json_t *v = json_object_get(json_object_get(golden, "quality"), invert ? "invert" : "plain");
        gg_nag_rank_options o = options(json_string_value(json_object_get(v, "target")));
        o.payload[o.n_payload++] = at("payload.jsonl");
        o.quality_column = "quality";
        o.invert_quality = invert;
        gg_nag_ranking *r = NULL;
        assert_ok(gg_nag_rank(&r, ctx, &o));
        assert_int_equal(r->n_selected, (int64_t)json_array_size(json_object_get(v, "docid")));
        for (int64_t i = 0; i < r->n_selected; i++) {
            assert_string_equal(r->row[i].docid, text_at(json_object_get(v, "docid"), i));
            assert_true(fabs(r->row[i].score - json_number_value(json_array_get(json_object_get(v, "score"), (size_t)i))) <= 1e-12);
        }
        gg_nag_ranking_free(r);
    }
}

static void ten_selections_merge_to_the_published_ones(void **state)
{
    (void)state;
    const json_t *multi = json_object_get(golden, "multi"), *targets = json_object_get(multi, "targets");
    const char *inputs[10];
    char name[10][128];
    for (int i = 0; i < 10; i++) {
        gg_nag_rank_options o = options(text_at(targets, i));
        gg_nag_ranking *r = NULL;
        assert_ok(gg_nag_rank(&r, ctx, &o));
        snprintf(name[i], sizeof name[i], "selected-%d.jsonl", i);
        assert_ok(gg_nag_ranking_write(r, &o, at(name[i]), false));
        gg_nag_ranking_free(r);
        snprintf(name[i], sizeof name[i], "%s/selected-%d.jsonl", test_folder, i);
        inputs[i] = name[i];
    }
    gg_nag_merge_result m;
    assert_ok(gg_nag_merge(&m, ctx, at("all.jsonl"), inputs, 10, false));
    assert_int_equal(m.n_rows, json_integer_value(json_object_get(multi, "rows")));
    assert_ok(gg_nag_merge(&m, ctx, at("once.jsonl"), inputs, 10, true));
    const json_t *want = json_object_get(multi, "dedup_docids");
    assert_int_equal(m.n_rows, (int64_t)json_array_size(want));
    gg_rows *in = NULL;
    json_t *row;
    assert_ok(gg_rows_open(&in, ctx, at("once.jsonl")));
    for (int64_t i = 0; i < m.n_rows; i++) {
        assert_ok(gg_rows_next(in, &row));
        assert_string_equal(json_string_value(json_object_get(row, "docid")), text_at(want, i));
        json_decref(row);
    }
    assert_int_equal(gg_rows_next(in, &row), GG_END);
    gg_rows_close(in);
}

static void what_is_on_everywhere_is_no_contrast(void **state)
{
    (void)state;
    enum { ALWAYS, OWN, FOREIGN, RARE, NEURONS = 16 };
    gg_nag_counts *target = NULL, *pool = NULL;
    gg_nag_profile *p = NULL;
    assert_ok(gg_nag_counts_create(&target, ctx, 1, 2, NEURONS));
    assert_ok(gg_nag_counts_create(&pool, ctx, 1, 2, NEURONS));
    target->n_documents = 20;
    pool->n_documents = 200;
    target->count[ALWAYS] = 20, pool->count[ALWAYS] = 200;
    target->count[OWN] = 20, pool->count[OWN] = 20;
    target->count[FOREIGN] = 2, pool->count[FOREIGN] = 100;
    target->count[RARE] = 1, pool->count[RARE] = 1;
    assert_ok(gg_nag_profile_contrast(&p, target, pool));
    assert_true(p->weight[OWN] > 0);
    assert_true(p->weight[ALWAYS] < 0.05 * p->weight[OWN]);
    assert_true(p->weight[FOREIGN] == 0);
    assert_true(p->weight[RARE] > p->weight[ALWAYS] && p->weight[RARE] < p->weight[OWN]);
    gg_nag_profile_free(p);
    gg_nag_counts_free(target);
    gg_nag_counts_free(pool);
}

/* k-means on the published lists of the domains that are named; k = how many. */
static double purity_of(const char *domains, bool last_layer, int64_t *n_documents)
{
    enum { SEEDS = 3 };
    const int first = last_layer ? L - 1 : 0, n_layers = L - first;
    const gg_nag_header one_type = header(1u << GG_NAG_UP);
    gg_nag_set set = {.ctx = ctx, .header = one_type};
    int32_t label[N], n_labels = 0;
    uint16_t *index = malloc(sizeof *index * N * L * K);
    const char *name[N];
    double *x, mean = 0;
    int64_t n = 0, width;
    for (int i = 0; i < N; i++) {
        if (!strstr(domains, g.domain[i]))
            continue;
        int l = 0;
        while (l < n_labels && strcmp(name[l], g.domain[i]) != 0)
            l++;
        if (l == n_labels)
            name[n_labels++] = g.domain[i];
        label[n] = l;
        memcpy(index + n++ * n_layers * K, g.index[GG_NAG_UP] + (i * L + first) * K, sizeof *index * (size_t)(n_layers * K));
    }
    set.header.n_layers = n_layers;
    set.f = (gg_nag_features){.n = n, .index_bytes = 2, .index = {index}};
    assert_ok(gg_nag_multi_hot(&x, &width, ctx, &set, GG_NAG_UP));
    for (int seed = 0; seed < SEEDS; seed++) {
        gg_kmeans_result r;
        double purity;
        assert_ok(gg_kmeans(&r, ctx, x, n, width, &(gg_kmeans_options){.k = n_labels, .n_restarts = 10, .seed = (uint64_t)seed}));
        assert_ok(gg_purity(&purity, ctx, r.label, label, n));
        mean += purity / SEEDS;
        gg_kmeans_result_free(ctx, &r);
    }
    gg_drop(ctx, x);
    free(index);
    *n_documents = n;
    return mean;
}

static void published_lists_tell_domains_of_unlike_kinds_apart(void **state)
{
    (void)state;
    static const char six[] = "scripture pycode french german lexicon rust";
    int64_t n;
    assert_true(purity_of(six, false, &n) >= 0.90); /* scikit-learn on the same lists: 0.94 */
    assert_int_equal(n, 125);
    assert_true(purity_of(six, true, &n) < 0.80); /* the last layer alone: 0.73 */
}

static void group_similarity_is_the_mean_of_the_pairwise_ones(void **state)
{
    (void)state;
    gg_nag_set *pool = NULL, *target = NULL;
    assert_ok(gg_nag_set_read(&pool, ctx, (const char *[]){at("pool.nag")}, 1, 0));
    assert_ok(gg_nag_set_read(&target, ctx, (const char *[]){at("target-jargon.nag")}, 1, 0));
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    assert_ok(gg_nag_counts_create(&c, ctx, L, K, WIDTH));
    assert_ok(gg_nag_counts_add(c, &target->f, 0));
    assert_ok(gg_nag_profile_frequency(&p, c, 1));
    double *d = malloc(sizeof *d * (size_t)pool->f.n);
    gg_nag_distance(d, p, &pool->f, 0);
    const uint16_t *a = pool->f.index[0], *b = target->f.index[0];
    for (int64_t i = 0; i < pool->f.n; i++) {
        double mean = 0;
        for (int64_t t = 0; t < target->f.n; t++) {
            int64_t common = 0;
            for (int l = 0; l < L; l++)
                for (int k = 0; k < K; k++)
                    for (int m = 0; m < K; m++)
                        common += a[(i * L + l) * K + k] == b[(t * L + l) * K + m];
            mean += (double)common / (L * K) / (double)target->f.n;
        }
        assert_true(fabs(1 - mean - d[i]) < 1e-12);
    }
    free(d);
    gg_nag_profile_free(p);
    gg_nag_counts_free(c);
    gg_nag_set_free(pool);
    gg_nag_set_free(target);
}

static void lookups_are_added_in_the_published_order_for_any_k(void **state)
{
    (void)state;
    /* distances of NumPy (2.x, axis sum of a (3, K) table) for weights 1/(i+2), indices (7 j + 3 doc) % 997; tests/golden/nag/make.py --sums */
    static const struct { int k; double distance[3]; } want[] = {
#include "golden/nag/sums.inc"
    };
    for (size_t w = 0; w < sizeof want / sizeof *want; w++) {
        const int k = want[w].k;
        double weight[997];
        uint16_t *index = malloc(sizeof *index * 3 * (size_t)k);
        for (int i = 0; i < 997; i++)
            weight[i] = 1.0 / (i + 2);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < k; j++)
                index[i * k + j] = (uint16_t)((7 * j + 3 * i) % 997);
        const gg_nag_profile p = {.ctx = ctx, .n_layers = 1, .top_k = k, .width = 997, .weight = weight};
        const gg_nag_features f = {.n = 3, .index_bytes = 2, .index = {index}};
        double d[3];
        gg_nag_distance(d, &p, &f, 0);
        for (int i = 0; i < 3; i++)
            assert_true(d[i] == want[w].distance[i]);
        free(index);
    }
}

static void the_budget_keeps_a_prefix_and_at_least_one(void **state)
{
    (void)state;
    gg_nag_row row[4] = {{.docid = "a", .token_num = 30}, {.docid = "b", .token_num = 50}, {.docid = "c", .token_num = 10}, {.docid = "d", .token_num = 10}};
    int64_t budget, total;
    assert_int_equal(gg_nag_budget(&budget, &total, row, 4, 0.5), 1); /* 30 fits 50, 80 does not, and c is not looked at */
    assert_int_equal(budget, 50);
    assert_int_equal(total, 100);
    assert_int_equal(gg_nag_budget(&budget, &total, row, 4, 0.1), 1);
    assert_int_equal(gg_nag_budget(&budget, &total, row, 4, 1.0), 4);
    assert_int_equal(gg_nag_budget(&budget, &total, row, 0, 0.5), 0);
}

static void ties_go_by_docid_as_bytes(void **state)
{
    (void)state;
    gg_nag_row row[4] = {{.docid = "b", .score = 1}, {.docid = "\xc3\xa9", .score = 1}, {.docid = "B", .score = 1}, {.docid = "z", .score = 0.5}};
    gg_nag_sort(row, 4);
    assert_string_equal(row[0].docid, "z");
    assert_string_equal(row[1].docid, "B");
    assert_string_equal(row[2].docid, "b");
    assert_string_equal(row[3].docid, "\xc3\xa9");
}

static void a_constant_column_mixes_as_zero(void **state)
{
    (void)state;
    double x[3] = {4, 4, 4}, y[3] = {2, 4, 3};
    gg_nag_minmax(x, x, 3);
    gg_nag_minmax(y, y, 3);
    for (int i = 0; i < 3; i++)
        assert_true(x[i] == 0);
    assert_true(y[0] == 0 && y[1] == 1 && y[2] == 0.5);
}

/* --- files ------------------------------------------------------------------------------------------------------------------------ */
static void compare_sets(const gg_nag_set *a, const gg_nag_set *b)
{
    assert_int_equal(a->f.n, b->f.n);
    assert_int_equal(a->header.n_sites, b->header.n_sites);
    for (int64_t i = 0; i < a->f.n; i++) {
        assert_string_equal(a->f.docid[i], b->f.docid[i]);
        assert_int_equal(a->f.token_num[i], b->f.token_num[i]);
    }
    for (int s = 0; s < a->header.n_sites; s++) {
        assert_int_equal(a->header.site[s].type, b->header.site[s].type);
        assert_int_equal(a->header.site[s].top_k, b->header.site[s].top_k);
        for (int64_t j = 0; j < a->f.n * L * K; j++) {
            const uint32_t x = a->f.index_bytes == 2 ? ((const uint16_t *)a->f.index[s])[j] : ((const uint32_t *)a->f.index[s])[j];
            const uint32_t y = b->f.index_bytes == 2 ? ((const uint16_t *)b->f.index[s])[j] : ((const uint32_t *)b->f.index[s])[j];
            assert_int_equal(x, y);
        }
    }
}

static void six_types_survive_every_format(void **state)
{
    (void)state;
    const gg_nag_header h = header(63);
    write_features(at("six.nag"), &h, NULL);
    gg_nag_set *first = NULL;
    assert_ok(gg_nag_set_read(&first, ctx, (const char *[]){at("six.nag")}, 1, 0));
    assert_int_equal(first->f.n, 150);
    assert_int_equal(first->header.site[3].type, GG_NAG_K);
    assert_string_equal(first->header.model, "SmolLM2");
    static const char *const names[] = {"six.jsonl", "six.jsonl.gz", "six.jsonl.zst", "six.parquet"};
    for (int i = 0; i < 4; i++) {
        if (strstr(names[i], "parquet") && !gg_rows_parquet())
            continue;
        gg_nag_set *s = NULL;
        write_features(at(names[i]), &h, NULL);
        assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at(names[i])}, 1, 0));
        compare_sets(first, s);
        gg_nag_set_free(s);
    }
    gg_nag_set_free(first);
}

static void the_published_layout_ranks_the_same(void **state)
{
    (void)state;
    /* without our extra columns: geometry must be given or come from the binary file beside it */
    FILE *out = fopen(at("plain.jsonl"), "w");
    for (int i = 0; i < N; i++) {
        if (is_target_of_any(g.docid[i]))
            continue;
        fprintf(out, "{\"docid\": \"%s\", \"fwd_up_feature\": {\"layer_topk_value_index\": [", g.docid[i]);
        for (int j = 0; j < L * K; j++)
            fprintf(out, "%s%d", j ? ", " : "", g.index[0][i * L * K + j]);
        fprintf(out, "]}}\n");
    }
    fclose(out);
    gg_nag_rank_options o = options("rust");
    o.pool[0] = at("plain.jsonl");
    gg_nag_ranking *r = NULL;
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "no token counts");
    o.payload[o.n_payload++] = at("payload.jsonl");
    assert_ok(gg_nag_rank(&r, ctx, &o));
    check_ranking(r, of("rust"));
    gg_nag_ranking_free(r);
    o.target[0] = at("plain.jsonl");
    assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "300 neurons a document");
    o.n_layers = 30;
    assert_ok(gg_nag_rank(&r, ctx, &o));
    gg_nag_ranking_free(r);
    o.n_layers = 7;
    assert_says(GG_EMISMATCH, gg_nag_rank(&r, ctx, &o), "cannot be those of 7 layers");
}

static void wide_layers_take_four_bytes(void **state)
{
    (void)state;
    gg_nag_header h = header(1);
    h.site[0].width = 70000;
    uint32_t index[L * K];
    for (int j = 0; j < L * K; j++)
        index[j] = 69999 - (uint32_t)j;
    gg_nag_writer *w = NULL;
    assert_ok(gg_nag_writer_open(&w, ctx, at("wide.nag"), &h));
    const char *docid = "x";
    assert_ok(gg_nag_writer_add(
        w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = (int64_t[]){-1}, .n_scored = (int64_t[]){-1}, .index_bytes = 4, .index = {index}}));
    assert_ok(gg_nag_writer_commit(w));
    gg_nag_set *s = NULL;
    assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("wide.nag")}, 1, 0));
    assert_int_equal(s->f.index_bytes, 4);
    assert_memory_equal(s->f.index[0], index, sizeof index);
    assert_int_equal(s->f.n_scored[0], -1);
    gg_nag_set_free(s);
}

static void checksums_are_xxh64(void **state)
{
    (void)state;
    static const struct { size_t n; uint64_t h; } want[] = {
        {0, 0xef46db3751d8e999}, {1, 0x1f25c8d0bc1f4bb6}, {3, 0x31d2363f52e564c9}, {4, 0x9bb64b7d66ee9fda}, {7, 0x9a7b149959ce60d8},
        {8, 0xdab99d95c6f90092}, {31, 0xa2aa5f33cc4a6119}, {32, 0x23c3c17ef790fd97}, {33, 0x50a7cfc7ba588784}, {100, 0xa61f8d4c170fe531}};
    uint8_t x[100];
    for (int i = 0; i < 100; i++)
        x[i] = (uint8_t)(i * 7 + 3);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_true(gg__xxh64(x, want[i].n, 0) == want[i].h);
}

static void every_cut_and_every_changed_byte_is_noticed(void **state)
{
    (void)state;
    gg_nag_header h = header(3);
    h.n_layers = 2;
    for (int s = 0; s < 2; s++)
        h.site[s].top_k = 3;
    const uint16_t index[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    gg_nag_writer *w = NULL;
    const char *docid[2] = {"first", "second"};
    assert_ok(gg_nag_writer_open(&w, ctx, at("small.nag"), &h));
    assert_ok(gg_nag_writer_add(
        w,
        &(gg_nag_features){.n = 2, .docid = docid, .token_num = (int64_t[]){7, -1}, .n_scored = (int64_t[]){7, 5}, .index_bytes = 2, .index = {index, index}}));
    assert_ok(gg_nag_writer_commit(w));
    char *good;
    size_t n;
    assert_ok(gg_file_read(&good, &n, ctx, at("small.nag")));
    for (size_t cut = 0; cut < n; cut++) {
        gg_nag_set *s = NULL;
        assert_ok(gg_file_write(ctx, at("bad.nag"), good, cut));
        assert_int_equal(gg_nag_set_read(&s, ctx, (const char *[]){at("bad.nag")}, 1, 0), GG_EFORMAT);
        assert_non_null(strstr(gg_message(ctx), "bad.nag"));
    }
    int accepted = 0;
    for (size_t i = 0; i < n; i++) {
        gg_nag_set *s = NULL;
        good[i] ^= 0x10;
        assert_ok(gg_file_write(ctx, at("bad.nag"), good, n));
        good[i] ^= 0x10;
        accepted += gg_nag_set_read(&s, ctx, (const char *[]){at("bad.nag")}, 1, 0) == GG_OK;
        gg_nag_set_free(s);
    }
    assert_int_equal(accepted, 4); /* the footer's four spare bytes */
    assert_ok(gg_file_write(ctx, at("bad.nag"), "GGUF and something else", 23));
    gg_nag_set *s = NULL;
    assert_says(GG_EFORMAT, gg_nag_set_read(&s, ctx, (const char *[]){at("bad.nag")}, 1, 0), "not a .nag file");
    gg_drop(ctx, good);
}

static void slices_keep_layers_and_their_numbers(void **state)
{
    (void)state;
    int64_t n;
    assert_ok(gg_nag_slice(&n, ctx, at("last.nag"), at("pool.nag"), "0,3,last", 0));
    gg_nag_set *s = NULL, *all = NULL;
    assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("last.nag")}, 1, 0));
    assert_ok(gg_nag_set_read(&all, ctx, (const char *[]){at("pool.nag")}, 1, 0));
    static const int kept[3] = {0, 3, 29};
    assert_int_equal(s->header.n_layers, 3);
    assert_int_equal(n, 150);
    for (int l = 0; l < 3; l++) {
        assert_int_equal(s->header.layer[l], kept[l]);
        for (int64_t i = 0; i < n; i++)
            assert_memory_equal((const uint16_t *)s->f.index[0] + (i * 3 + l) * K, (const uint16_t *)all->f.index[0] + (i * L + kept[l]) * K, K * 2);
    }
    gg_nag_set_free(s);
    gg_nag_set_free(all);
    assert_says(GG_EINVAL, gg_nag_slice(&n, ctx, at("no.nag"), at("pool.nag"), "30", 0), "30");
    assert_false(gg_file_exists(at("no.nag")));
    /* sliced and whole features do not mix */
    gg_nag_rank_options o = options("rust");
    o.pool[0] = at("last.nag");
    gg_nag_ranking *r = NULL;
    assert_says(GG_EMISMATCH, gg_nag_rank(&r, ctx, &o), "Slice both");
}

/* --- planted truth ------------------------------------------------------------------------------------------------------------------- */
/* A pool of random features in which 30 documents draw a third of each layer from the targets' favourites. */
static double planted_precision(bool shuffled, gg_nag_weights weights)
{
    enum { n_pool = 400, n_planted = 30, n_target = 8, favourites = 20 };
    gg_nag_header h = header(1);
    gg_random rnd = gg_random_of(7, 1);
    for (int side = 0; side < 2; side++) {
        gg_nag_writer *w = NULL;
        assert_ok(gg_nag_writer_open(&w, ctx, at(side ? "p-pool.nag" : "p-target.nag"), &h));
        for (int i = 0; i < (side ? n_pool : n_target); i++) {
            uint16_t index[L * K];
            char name[32];
            const char *docid = name;
            const bool like = !shuffled && (!side || i < n_planted);
            snprintf(name, sizeof name, "%s%03d", side && i < n_planted ? "like" : "other", i);
            for (int l = 0; l < L; l++)
                for (int k = 0; k < K; k++) /* every layer: five always-on neurons, favourites, noise */
                    index[l * K + k] = (uint16_t)(k < 5                                   ? k
                                                  : like && gg_random_uniform(&rnd) < 0.5 ? 100 + l + gg_random_below(&rnd, favourites)
                                                                                          : 200 + gg_random_below(&rnd, 1300));
            assert_ok(gg_nag_writer_add(
                w,
                &(gg_nag_features){.n = 1, .docid = &docid, .token_num = (int64_t[]){100}, .n_scored = (int64_t[]){100}, .index_bytes = 2, .index = {index}}));
        }
        assert_ok(gg_nag_writer_commit(w));
    }
    gg_nag_rank_options o = {
        .target = {at("p-target.nag")}, .n_target = 1, .pool = {at("p-pool.nag")}, .n_pool = 1, .fraction = (double)n_planted / n_pool, .weights = weights};
    gg_nag_ranking *r = NULL;
    assert_ok(gg_nag_rank(&r, ctx, &o));
    int64_t hit = 0;
    for (int64_t i = 0; i < n_planted; i++)
        hit += strncmp(r->row[i].docid, "like", 4) == 0;
    assert_int_equal(r->n_selected, n_planted);
    gg_nag_ranking_free(r);
    return (double)hit / n_planted;
}

static void planted_documents_are_found_and_noise_finds_none(void **state)
{
    (void)state;
    for (int w = 0; w < 2; w++) {
        assert_true(planted_precision(false, (gg_nag_weights)w) > 0.95);
        assert_true(planted_precision(true, (gg_nag_weights)w) < 0.25); /* by chance 0.075 */
    }
}

/* --- what does not fit ------------------------------------------------------------------------------------------------------------------ */
static void rank_refuses_what_does_not_belong_together(void **state)
{
    (void)state;
    static const struct { const char *what, *advice; } cases[] = {
        {"model", "same --model"}, {"site", "same --sites"}, {"k", "same --top-k"}, {"width", "same --model"}, {"action", "same --action"}};
    for (int c = 0; c < 5; c++) {
        gg_nag_header h = header(c == 1 ? 1u << GG_NAG_DOWN : 1u << GG_NAG_UP);
        if (c == 0)
            memset(h.model_hash, 'b', 64);
        if (c == 2)
            h.site[0].top_k = 5;
        if (c == 3)
            h.site[0].width = 2048;
        if (c == 4)
            memset(h.action_hash, 'c', 64);
        write_features(at("other.nag"), &h, NULL);
        gg_nag_rank_options o = options("rust");
        o.pool[0] = at("other.nag");
        gg_nag_ranking *r = NULL;
        assert_says(GG_EMISMATCH, gg_nag_rank(&r, ctx, &o), cases[c].advice);
        assert_non_null(strstr(gg_message(ctx), "target-rust.nag"));
        assert_non_null(strstr(gg_message(ctx), "other.nag"));
    }
}

static void bad_rank_input_is_named(void **state)
{
    (void)state;
    gg_nag_ranking *r = NULL;
    gg_nag_rank_options o = options("rust");
    o.fraction = 0;
    assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "(0, 1]");
    o.fraction = 1.5;
    assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "1.5");
    o.fraction = NAN;
    assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "(0, 1]");

    o = options("rust");
    o.payload[o.n_payload++] = at("payload.jsonl");
    o.quality_column = "beauty";
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "has no column beauty");
    o.quality_column = NULL;
    o.token_column = "words";
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "no column words; it has: docid, doc, domain, token_num");
    o.token_column = NULL;
    o.label_column = "theme";
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "no column theme");
    o.label_column = "domain";
    o.target_label = "poetry";
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "domain = poetry");

    o = options("rust");
    o.target_filter = "x";
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "--target-payload");
    o.target_payload[o.n_target_payload++] = at("payload.jsonl");
    o.target_filter_column = "domain";
    assert_says(GG_EINVAL, gg_nag_rank(&r, ctx, &o), "domain = x");
    o.target_filter = "rust";
    assert_ok(gg_nag_rank(&r, ctx, &o));
    check_ranking(r, of("rust"));
    gg_nag_ranking_free(r);

    o = options("rust");
    o.pool[o.n_pool++] = at("pool.nag");
    assert_says(GG_EFORMAT, gg_nag_rank(&r, ctx, &o), "came before");
    o = options("rust");
    o.type = GG_NAG_Q;
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "no features of site q; it has: up");
    o = options("rust");
    o.pool[0] = at("nowhere.nag");
    assert_says(GG_ENOENT, gg_nag_rank(&r, ctx, &o), "nowhere.nag");

    static const struct { const char *line, *says; } rows[] = {
        {"{\"docid\": \"a\", \"text\": \"b\"}", "no column of features"},
        {"{\"fwd_up_feature\": {\"layer_topk_value_index\": [1, 2], \"n_layers\": 2}}", ":1: no docid"},
        {"{\"docid\": \"a\", \"fwd_up_feature\": {\"layer_topk_value_index\": [1, \"2\"], \"n_layers\": 2}}", "entry 1"},
        {"{\"docid\": \"a\", \"fwd_up_feature\": {\"layer_topk_value_index\": [1, -2], \"n_layers\": 2}}", "entry 1"},
        {"{\"docid\": \"a\", \"fwd_up_feature\": {\"layer_topk_value_index\": [], \"n_layers\": 2}}", "0 neurons"},
        {"{\"docid\": \"a\", \"fwd_up_feature\": [1, 2, 3]}", "--n-layers"},
        {"{\"docid\": \"a\", \"fwd_up_feature\": ", ":1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gg_nag_set *s = NULL;
        assert_ok(gg_file_write(ctx, at("rows.jsonl"), rows[i].line, strlen(rows[i].line)));
        const gg_status st = gg_nag_set_read(&s, ctx, (const char *[]){at("rows.jsonl")}, 1, 0);
        if (st == GG_OK || !strstr(gg_message(ctx), rows[i].says))
            fail_msg("%s: %s %s", rows[i].line, gg_status_name(st), gg_message(ctx));
    }
}

static void rows_carry_the_payload_and_the_distance(void **state)
{
    (void)state;
    gg_nag_rank_options o = options("scripture");
    o.payload[o.n_payload++] = at("payload.jsonl");
    gg_nag_ranking *r = NULL;
    assert_ok(gg_nag_rank(&r, ctx, &o));
    assert_ok(gg_nag_ranking_write(r, &o, at("out.jsonl"), true));
    gg_rows *in = NULL;
    json_t *row;
    assert_ok(gg_rows_open(&in, ctx, at("out.jsonl")));
    for (int64_t i = 0; i < r->n; i++) {
        assert_ok(gg_rows_next(in, &row));
        char text[80];
        snprintf(text, sizeof text, "text of %s", r->row[i].docid);
        assert_string_equal(json_string_value(json_object_get(row, "docid")), r->row[i].docid);
        assert_string_equal(json_string_value(json_object_get(row, "doc")), text);
        assert_true(json_real_value(json_object_get(row, "nag_distance")) == r->row[i].distance); /* all 17 digits */
        assert_null(json_object_get(row, "combined_score"));
        json_decref(row);
    }
    gg_rows_close(in);
    gg_nag_ranking_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_distances_and_selections_are_the_published_ones),
        cmocka_unit_test(precision_at_n_is_the_published_one_and_contrast_beats_it),
        cmocka_unit_test(quality_mix_is_the_published_one),
        cmocka_unit_test(ten_selections_merge_to_the_published_ones),
        cmocka_unit_test(what_is_on_everywhere_is_no_contrast),
        cmocka_unit_test(published_lists_tell_domains_of_unlike_kinds_apart),
        cmocka_unit_test(group_similarity_is_the_mean_of_the_pairwise_ones),
        cmocka_unit_test(lookups_are_added_in_the_published_order_for_any_k),
        cmocka_unit_test(the_budget_keeps_a_prefix_and_at_least_one),
        cmocka_unit_test(ties_go_by_docid_as_bytes),
        cmocka_unit_test(a_constant_column_mixes_as_zero),
        cmocka_unit_test(six_types_survive_every_format),
        cmocka_unit_test(the_published_layout_ranks_the_same),
        cmocka_unit_test(wide_layers_take_four_bytes),
        cmocka_unit_test(checksums_are_xxh64),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_noticed),
        cmocka_unit_test(slices_keep_layers_and_their_numbers),
        cmocka_unit_test(planted_documents_are_found_and_noise_finds_none),
        cmocka_unit_test(rank_refuses_what_does_not_belong_together),
        cmocka_unit_test(bad_rank_input_is_named),
        cmocka_unit_test(rows_carry_the_payload_and_the_distance),
    };
    return cmocka_run_group_tests(tests, load_golden, drop_golden);
}
