/* Looking at features: explanations, clusters, neurons switched off. Planted truths that must be found, and controls in which nothing must be. */
#include <math.h>
#include "context.h"
#include "systems/nag/pages.h"
#include "base/work.h"

enum { GROUPS = 4, EACH = 30, N = GROUPS * EACH, L = 5, K = 6, WIDTH = 96 };

static gg_nag_header header(void)
{
    gg_nag_header h = {.model = "planted", .dtype = "f32", .max_tokens = 120, .n_layers = L, .n_sites = 1, .site = {{GG_NAG_UP, WIDTH, K}}};
    memset(h.model_hash, 'a', 64);
    for (int l = 0; l < L; l++)
        h.layer[l] = l;
    return h;
}

/* Neurons 0 and 1 of every layer are in all lists (always on). Group g has 2 + 3 g, 3 + 3 g, 4 + 3 g of its own when `planted`, else all groups
 * draw from the same. The last place is anything. */
static void plant(uint16_t list[L * K], int group, bool planted, gg_random *r)
{
    for (int l = 0; l < L; l++) {
        uint16_t *x = list + l * K;
        x[0] = 0;
        x[1] = 1;
        for (int k = 0; k < 3; k++) {
            bool again = true;
            while (again) {
                x[2 + k] = (uint16_t)(planted ? 2 + 3 * group + k : 2 + gg_random_below(r, 40));
                again = false;
                for (int i = 0; i < 2 + k; i++)
                    again |= x[i] == x[2 + k];
            }
        }
        x[5] = (uint16_t)(50 + gg_random_below(r, WIDTH - 50));
    }
}

/* Documents of all groups in turn ("g2_007"), of which `only` (-1: all) are written; those of targets have other random places. */
static void write_planted(const char *path, bool planted, int only, uint64_t seed)
{
    gg_nag_writer *w = NULL;
    const gg_nag_header h = header();
    gg_random r = gg_random_of(seed, 7);
    assert_ok(gg_nag_writer_open(&w, ctx, path, &h));
    for (int i = 0; i < N; i++) {
        uint16_t list[L * K];
        char name[32];
        const char *docid = name;
        const int64_t tokens = 100 + i;
        snprintf(name, sizeof name, "g%d_%03d", i % GROUPS, i / GROUPS);
        plant(list, i % GROUPS, planted, &r);
        const gg_nag_features f = {.n = 1, .docid = &docid, .token_num = &tokens, .n_scored = &tokens, .index_bytes = 2, .index = {list}};
        if (only < 0 || i % GROUPS == only)
            assert_ok(gg_nag_writer_add(w, &f));
    }
    assert_ok(gg_nag_writer_commit(w));
}

static int prepare(void **state)
{
    (void)state;
    if (begin_folder("look", 2) != 0)
        return -1;
    write_planted(at("pool.nag"), true, -1, 1);
    write_planted(at("noise.nag"), false, -1, 1);
    write_planted(at("target.nag"), true, 2, 2);
    return 0;
}

static int tidy(void **state)
{
    return end_folder(state);
}

/* --- explain ------------------------------------------------------------------------------------------------------------------------ */
static gg_nag_explanation *explain(const char *docid, gg_nag_weights weights)
{
    gg_nag_explanation *e = NULL;
    const char *target = at("target.nag"), *pool = at("pool.nag");
    const gg_nag_explain_options o = {.target = &target, .n_target = 1, .pool = &pool, .n_pool = 1, .docid = docid, .weights = weights};
    assert_ok(gg_nag_explain(&e, ctx, &o));
    return e;
}

static void parts_add_up_to_the_distance_and_to_the_difference(void **state)
{
    (void)state;
    static const char *const docid[] = {"g2_000", "g0_017", "g3_029"};
    for (int w = 0; w < 2; w++)
        for (int d = 0; d < 3; d++) {
            gg_nag_explanation *e = explain(docid[d], (gg_nag_weights)w);
            double gain = 0, part = 0, layers = 0, pool = 0;
            for (int64_t i = 0; i < e->n_has; i++) {
                gain += e->has[i].gain;
                part += e->has[i].part;
                assert_true(e->has[i].part >= 0);
            }
            for (int64_t i = 0; i < e->n_lacks; i++) {
                part += e->lacks[i].part;
                assert_true(e->lacks[i].part <= 0);
            }
            for (int l = 0; l < L; l++) {
                layers += e->similarity[l] / L;
                pool += e->pool_similarity[l] / L;
            }
            assert_true(fabs(1 - gain - e->distance) <= 1e-12);
            assert_true(fabs(1 - layers - e->distance) <= 1e-12);
            assert_true(fabs(1 - pool - e->pool_distance) <= 1e-12);
            assert_true(fabs(part - (e->pool_distance - e->distance)) <= 1e-12);
            gg_nag_explanation_free(e);
        }
}

/* The distance, the place and the pool's mean are those of the ranking. */
static void the_explanation_agrees_with_the_ranking(void **state)
{
    (void)state;
    gg_nag_rank_options o = {.target = {at("target.nag")}, .n_target = 1, .pool = {at("pool.nag")}, .n_pool = 1, .fraction = 0.5};
    gg_nag_ranking *r = NULL;
    assert_ok(gg_nag_rank(&r, ctx, &o));
    double mean = 0;
    for (int64_t i = 0; i < r->n; i++)
        mean += r->row[i].distance / (double)r->n;
    for (int64_t i = 0; i < r->n; i += 13) {
        gg_nag_explanation *e = explain(r->row[i].docid, GG_NAG_FREQUENCY);
        assert_true(e->distance == r->row[i].distance);
        assert_int_equal(e->rank, i + 1);
        assert_int_equal(e->n_pool, N);
        assert_true(fabs(e->pool_distance - mean) <= 1e-12);
        gg_nag_explanation_free(e);
    }
    gg_nag_ranking_free(r);
}

static bool planted_of(const gg_nag_reason *r, int group) { return r->neuron >= 2 + 3 * group && r->neuron < 5 + 3 * group; }

static void the_planted_neurons_are_the_reasons(void **state)
{
    (void)state;
    gg_nag_explanation *e = explain("g2_005", GG_NAG_FREQUENCY);
    for (int i = 0; i < 3 * L; i++) { /* its own 3 neurons of each layer come first; the always-on ones explain nothing */
        assert_true(planted_of(&e->has[i], 2));
        assert_true(fabs(e->has[i].in_pool - 1.0 / GROUPS) < 1e-12 && e->has[i].in_targets == 1);
        assert_int_equal(e->has[i].n_others, GG_NAG_WITNESSES);
        for (int k = 0; k < GG_NAG_WITNESSES; k++) /* and the witnesses are of its group */
            assert_memory_equal(e->like[e->has[i].other[k]].docid, "g2_", 3);
    }
    for (int64_t i = 0; i < e->n_has; i++)
        if (e->has[i].neuron < 2)
            assert_true(e->has[i].part == 0);
    for (int i = 0; i < EACH - 1; i++)
        assert_memory_equal(e->like[i].docid, "g2_", 3);
    gg_nag_explanation_free(e);
    e = explain("g1_005", GG_NAG_FREQUENCY); /* of another group: exactly these are what it lacks */
    for (int i = 0; i < 3 * L; i++)
        assert_true(planted_of(&e->lacks[i], 2));
    for (int64_t i = 0; i < e->n_has; i++)
        assert_false(planted_of(&e->has[i], 2));
    gg_nag_explanation_free(e);
}

static void an_unknown_document_is_refused(void **state)
{
    (void)state;
    gg_nag_explanation *e = NULL;
    const char *target = at("target.nag"), *pool = at("pool.nag");
    gg_nag_explain_options o = {.target = &target, .n_target = 1, .pool = &pool, .n_pool = 1, .docid = "g9_000"};
    assert_says(GG_ENOENT, gg_nag_explain(&e, ctx, &o), "g9_000");
    o.docid = "g2_000";
    o.type = GG_NAG_DOWN;
    assert_says(GG_ENOENT, gg_nag_explain(&e, ctx, &o), "down");
    o.n_pool = 0;
    assert_says(GG_EINVAL, gg_nag_explain(&e, ctx, &o), "pool");
}

/* --- picking and drawing ------------------------------------------------------------------------------------------------------------ */
static bool of_group_one(void *user, const char *docid)
{
    (void)user;
    return docid[1] == '1';
}

static void a_sample_is_drawn_from_what_passes(void **state)
{
    (void)state;
    gg__nag_picked p;
    int64_t n;
    const char *pool = at("pool.nag");
    assert_ok(gg__nag_sample(&p, &n, ctx, &pool, 1, 0, GG_NAG_UP, 11, of_group_one, NULL));
    assert_int_equal(n, EACH);
    assert_int_equal(p.set.f.n, 11);
    assert_int_equal(p.counts->n_documents, N); /* counts are over all */
    for (int i = 0; i < 11; i++) {
        assert_memory_equal(p.set.f.docid[i], "g1_", 3);
        assert_true(p.there[i] && ((const uint32_t *)p.set.f.index[0])[i * L * K + 2] == 5);
        assert_true(i == 0 || strcmp(p.set.f.docid[i - 1], p.set.f.docid[i]) < 0);
    }
    assert_ok(gg__nag_picked_slice(&p, "1,3"));
    assert_int_equal(p.set.header.n_layers, 2);
    assert_int_equal(p.set.header.layer[1], 3);
    assert_int_equal(((const uint32_t *)p.set.f.index[0])[(10 * 2 + 1) * K + 4], 7);
    assert_says(GG_EINVAL, gg__nag_picked_slice(&p, "7"), "7");
    gg__nag_picked_free(&p);
}

/* Each of n is drawn with probability m / n. */
static void drawing_is_fair(void **state)
{
    (void)state;
    enum { RUNS = 4000 };
    int hit[10] = {0};
    for (int s = 0; s < RUNS; s++) {
        gg_context *c = NULL;
        int64_t out[3];
        assert_int_equal(gg_context_create(&c, &(gg_context_options){.seed = (uint64_t)s}), GG_OK);
        assert_int_equal(gg__nag_draw(out, c, 10, 3), 3);
        assert_true(out[0] < out[1] && out[1] < out[2]);
        for (int i = 0; i < 3; i++)
            hit[out[i]]++;
        gg_context_free(c);
    }
    for (int i = 0; i < 10; i++) /* sd of a count: sqrt(4000 * 0.3 * 0.7) = 29 */
        assert_true(abs(hit[i] - 1200) < 5 * 29);
    int64_t all[4];
    assert_int_equal(gg__nag_draw(all, ctx, 3, 4), 3);
    assert_int_equal(all[2], 2);
}

/* --- clusters -------------------------------------------------------------------------------------------------------------------------- */
static void cluster(double *purity, double *ari, const char *path, bool shuffled)
{
    gg__nag_picked p;
    int64_t n, d;
    double *x = NULL;
    gg_kmeans_result r;
    int32_t truth[N];
    assert_ok(gg__nag_sample(&p, &n, ctx, &path, 1, 0, GG_NAG_UP, N, NULL, NULL));
    assert_ok(gg_nag_multi_hot(&x, &d, ctx, &p.set, GG_NAG_UP));
    assert_ok(gg_kmeans(&r, ctx, x, N, d, &(gg_kmeans_options){.k = GROUPS, .n_restarts = 10, .seed = 1}));
    int64_t order[N];
    gg_random random = gg_random_of(5, 5);
    for (int i = 0; i < N; i++)
        order[i] = i;
    if (shuffled)
        gg_random_shuffle(&random, order, N);
    for (int i = 0; i < N; i++)
        truth[i] = p.set.f.docid[order[i]][1] - '0';
    assert_ok(gg_purity(purity, ctx, r.label, truth, N));
    assert_ok(gg_ari(ari, ctx, r.label, truth, N));
    gg_kmeans_result_free(ctx, &r);
    gg_drop(ctx, x);
    gg__nag_picked_free(&p);
}

static void planted_groups_are_found_and_random_labels_are_not(void **state)
{
    (void)state;
    double purity, ari;
    cluster(&purity, &ari, at("pool.nag"), false);
    assert_true(purity == 1 && ari == 1);
    cluster(&purity, &ari, at("pool.nag"), true); /* true groups, labels dealt out at random */
    assert_true(purity < 0.45 && fabs(ari) < 0.06);
    cluster(&purity, &ari, at("noise.nag"), false); /* true labels, no groups */
    assert_true(purity < 0.45 && fabs(ari) < 0.06);
}

/* --- the heaviest neurons ------------------------------------------------------------------------------------------------------------------ */
static void among_equals_the_rarest_in_the_pool_leads(void **state)
{
    (void)state;
    gg__nag_picked target, pool;
    gg__docids none = {.ctx = ctx};
    gg_nag_profile *p = NULL;
    gg__nag_neuron best[4 * L];
    const char *t = at("target.nag"), *q = at("pool.nag");
    assert_ok(gg__nag_pick(&target, ctx, &t, 1, 0, GG_NAG_UP, &none));
    assert_ok(gg__nag_pick(&pool, ctx, &q, 1, 0, GG_NAG_UP, &none));
    assert_ok(gg_nag_profile_frequency(&p, target.counts, 1));
    assert_int_equal(gg__nag_heaviest(best, 4 * L, p, target.counts, pool.counts), 4 * L);
    for (int i = 0; i < 4 * L; i++) { /* all of weight 1 / K: first the group's own, then the always-on */
        assert_true(fabs(best[i].weight - 1.0 / K) < 1e-12);
        assert_true(i < 3 * L ? best[i].index >= 8 && best[i].index <= 10 && best[i].base == 0.25 : best[i].index < 2 && best[i].base == 1);
    }
    char name[64];
    assert_string_equal(gg__nag_neuron_name(name, &pool.set.header, GG_NAG_UP, best[0].layer, best[0].index), "L0.up[8]");
    gg_nag_profile_free(p);
    gg__nag_picked_free(&target);
    gg__nag_picked_free(&pool);
}

/* --- deactivate ---------------------------------------------------------------------------------------------------------------------------- */
static int64_t width96(void *user, int layer, gg_site site)
{
    (void)user;
    (void)layer;
    return site == GG_SITE_UP ? WIDTH : 0;
}

static void random_neurons_differ_from_layer_to_layer_and_repeat_with_the_seed(void **state)
{
    (void)state;
    gg_actions *a = NULL, *b = NULL, *other = NULL;
    gg_context *c = NULL;
    char hash[3][65];
    const gg_nag_header h = header();
    assert_ok(gg_actions_create(&a, ctx));
    assert_ok(gg_actions_create(&b, ctx));
    assert_ok(gg_nag_deactivate_random(a, ctx, &h, GG_NAG_UP, 7));
    assert_ok(gg_nag_deactivate_random(b, ctx, &h, GG_NAG_UP, 7));
    assert_int_equal(gg_actions_count(a), 7 * L); /* all different, else they would be fewer */
    assert_ok(gg_actions_check(a, NULL, L, width96, NULL));
    assert_int_equal(gg_context_create(&c, &(gg_context_options){.seed = 4}), GG_OK);
    assert_ok(gg_actions_create(&other, c));
    assert_ok(gg_nag_deactivate_random(other, c, &h, GG_NAG_UP, 7));
    gg_actions_hash(a, hash[0]);
    gg_actions_hash(b, hash[1]);
    gg_actions_hash(other, hash[2]);
    assert_string_equal(hash[0], hash[1]);
    assert_string_not_equal(hash[0], hash[2]);
    float x[2][WIDTH]; /* the same places in two layers? */
    for (int l = 0; l < 2; l++) {
        for (int k = 0; k < WIDTH; k++)
            x[l][k] = 1;
        gg_actions_apply(a, l, GG_SITE_UP, x[l], 1, WIDTH);
        int off = 0;
        for (int k = 0; k < WIDTH; k++)
            off += x[l][k] == 0;
        assert_int_equal(off, 7);
    }
    assert_memory_not_equal(x[0], x[1], sizeof x[0]);
    assert_says(GG_EINVAL, gg_nag_deactivate_random(a, ctx, &h, GG_NAG_UP, WIDTH + 1), "97");
    assert_says(GG_EUNSUPPORTED, gg_nag_deactivate_random(a, ctx, &h, GG_NAG_K, 1), "KV head");
    gg_actions_free(a);
    gg_actions_free(b);
    gg_actions_free(other);
    gg_context_free(c);
}

static void contrast_switches_off_the_planted_neurons_and_frequency_the_always_on(void **state)
{
    (void)state;
    gg__nag_picked target, pool;
    gg__docids none = {.ctx = ctx};
    const char *t = at("target.nag"), *q = at("pool.nag");
    assert_ok(gg__nag_pick(&target, ctx, &t, 1, 0, GG_NAG_UP, &none));
    assert_ok(gg__nag_pick(&pool, ctx, &q, 1, 0, GG_NAG_UP, &none));
    for (int contrast = 0; contrast < 2; contrast++) {
        gg_nag_profile *p = NULL;
        gg_actions *a = NULL;
        if (contrast)
            assert_ok(gg_nag_profile_contrast(&p, target.counts, pool.counts));
        else
            assert_ok(gg_nag_profile_frequency(&p, target.counts, 1));
        const int per_layer = contrast ? 3 : 2;
        assert_ok(gg_actions_create(&a, ctx));
        assert_ok(gg_nag_deactivate(a, p, &target.set.header, GG_NAG_UP, per_layer));
        assert_int_equal(gg_actions_count(a), per_layer * L);
        for (int l = 0; l < L; l++) {
            float x[WIDTH];
            for (int k = 0; k < WIDTH; k++)
                x[k] = 1;
            gg_actions_apply(a, l, GG_SITE_UP, x, 1, WIDTH);
            for (int k = 0; k < WIDTH; k++)
                assert_true((x[k] == 0) == (contrast ? k >= 8 && k <= 10 : k < 2));
        }
        gg_actions_free(a);
        gg_nag_profile_free(p);
    }
    gg__nag_picked_free(&target);
    gg__nag_picked_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_add_up_to_the_distance_and_to_the_difference),
        cmocka_unit_test(the_explanation_agrees_with_the_ranking),
        cmocka_unit_test(the_planted_neurons_are_the_reasons),
        cmocka_unit_test(an_unknown_document_is_refused),
        cmocka_unit_test(a_sample_is_drawn_from_what_passes),
        cmocka_unit_test(drawing_is_fair),
        cmocka_unit_test(planted_groups_are_found_and_random_labels_are_not),
        cmocka_unit_test(among_equals_the_rarest_in_the_pool_leads),
        cmocka_unit_test(random_neurons_differ_from_layer_to_layer_and_repeat_with_the_seed),
        cmocka_unit_test(contrast_switches_off_the_planted_neurons_and_frequency_the_always_on),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
