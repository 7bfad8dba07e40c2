/* k-means, agreement, correlation and principal components against scikit-learn and SciPy (tests/golden/cluster), against their
 * definitions, on planted groups and on noise. */
#include "base/work.h"
#include "math/golden.h"
#include <golgi/cluster.h>
#include <math.h>

static const char GOLDEN[] = "tests/golden/cluster/cluster.json";

/* ---- k-means ---- */

static double *multi_hot(int64_t *n, int64_t *d, json_t *kmeans)
{
    json_t *hot = golden_at(kmeans, "hot");
    *n = (int64_t)json_array_size(hot);
    *d = (int64_t)golden_number(kmeans, "hot_columns");
    double *x = calloc((size_t)(*n * *d), sizeof *x);
    for (int64_t i = 0; i < *n; i++) {
        json_t *row = json_array_get(hot, (size_t)i);
        for (size_t e = 0; e < json_array_size(row); e++)
            x[i * *d + json_integer_value(json_array_get(row, e))] = 1;
    }
    return x;
}

static void inertia_is_no_worse_than_scikit_learns_best(void **state)
{
    json_t *root = golden_load(GOLDEN), *kmeans = golden_at(root, "kmeans"), *cases = golden_at(kmeans, "cases");
    int64_t n[2], d[2];
    double *x[2] = {golden_numbers(&n[0], &d[0], golden_at(kmeans, "x")), multi_hot(&n[1], &d[1], kmeans)};
    for (size_t c = 0; c < json_array_size(cases); c++) {
        json_t *one = json_array_get(cases, c);
        const int which = strcmp(json_string_value(golden_at(one, "data")), "hot") == 0;
        const double best = golden_number(one, "inertia");
        gg_kmeans_result r;
        assert_int_equal(gg_kmeans(&r, *state, x[which], n[which], d[which],
                                   &(gg_kmeans_options){.k = (int)golden_number(one, "k"), .n_restarts = 40, .seed = 1}), GG_OK);
        if (!(r.inertia <= best * 1.005 && r.inertia >= best * (1 - 1e-6))) /* 200 starts may miss the optimum by as little */
            fail_msg("case %zu: inertia %.12g, scikit-learn %.12g", c, r.inertia, best);
        gg_kmeans_result_free(*state, &r);
    }
    free(x[0]);
    free(x[1]);
    json_decref(root);
}

/* What Lloyd ends in, by definition: every centre is the mean of its points, every point is with its nearest centre. */
static void assert_fixed_point(const gg_kmeans_result *r, const double *x, int64_t n, int64_t d, int k)
{
    double *mean = calloc((size_t)(k * d), sizeof *mean), inertia = 0;
    int64_t *count = calloc((size_t)k, sizeof *count);
    for (int64_t i = 0; i < n; i++) {
        assert_in_range(r->label[i], 0, k - 1);
        count[r->label[i]]++;
        for (int64_t c = 0; c < d; c++)
            mean[r->label[i] * d + c] += x[i * d + c];
    }
    for (int c = 0; c < k; c++) {
        assert_true(count[c] > 0);
        for (int64_t j = 0; j < d; j++)
            assert_near(r->centre[c * d + j], mean[c * d + j] / (double)count[c], 1e-9 * (1 + fabs(mean[c * d + j])));
    }
    for (int64_t i = 0; i < n; i++) {
        double own = 0, least = INFINITY;
        for (int c = 0; c < k; c++) {
            double sum = 0;
            for (int64_t j = 0; j < d; j++)
                sum += (x[i * d + j] - r->centre[c * d + j]) * (x[i * d + j] - r->centre[c * d + j]);
            own = c == r->label[i] ? sum : own;
            least = sum < least ? sum : least;
        }
        assert_true(own <= least + 1e-9 * (1 + least));
        inertia += own;
    }
    assert_near(r->inertia, inertia, 1e-9 * (1 + inertia));
    free(mean);
    free(count);
}

/* groups of `each` points around random centres `apart` sd from one another in d dimensions */
static double *planted(int32_t *truth, int groups, int each, int64_t d, double apart, double offset, uint64_t seed)
{
    gg_random r = gg_random_of(seed, 7);
    double *x = malloc(sizeof *x * (size_t)(groups * each * d)), *centre = malloc(sizeof *centre * (size_t)(groups * d));
    for (int64_t i = 0; i < groups * d; i++)
        centre[i] = offset + apart * gg_random_normal(&r);
    for (int i = 0; i < groups * each; i++) {
        truth[i] = i % groups;
        for (int64_t c = 0; c < d; c++)
            x[i * d + c] = centre[truth[i] * d + c] + gg_random_normal(&r);
    }
    free(centre);
    return x;
}

static void planted_groups_are_found_whatever_the_shape(void **state)
{
    static const struct { int groups, each; int64_t d; double offset; } shape[] = {
        {1, 1, 1, 0}, {2, 1, 3, 0}, {3, 20, 2, 0}, {5, 31, 7, 1e5}, {4, 6, 301, 1e5}, {6, 50, 40, -3}, {3, 9, 700, 0}};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        const int n = shape[s].groups * shape[s].each, k = shape[s].groups;
        int32_t truth[400];
        double *x = planted(truth, k, shape[s].each, shape[s].d, 30, shape[s].offset, s), ari;
        gg_kmeans_result r;
        assert_int_equal(gg_kmeans(&r, *state, x, n, shape[s].d, &(gg_kmeans_options){.k = k, .seed = 3}), GG_OK);
        assert_fixed_point(&r, x, n, shape[s].d, k);
        assert_int_equal(gg_ari(&ari, *state, r.label, truth, n), GG_OK);
        assert_true(ari == 1);
        for (int i = 0, seen = 0; i < n; i++) { /* numbered by their first point */
            assert_true(r.label[i] <= seen);
            seen += r.label[i] == seen;
        }
        gg_kmeans_result_free(*state, &r);
        free(x);
    }
}

static void in_noise_no_group_is_found(void **state)
{
    enum { N = 300, D = 12 };
    gg_random g = gg_random_of(5, 5);
    double *x = malloc(sizeof *x * N * D), ari, nmi;
    int32_t truth[N];
    for (int i = 0; i < N * D; i++)
        x[i] = gg_random_normal(&g);
    for (int i = 0; i < N; i++)
        truth[i] = i % 4;
    gg_kmeans_result r;
    assert_int_equal(gg_kmeans(&r, *state, x, N, D, &(gg_kmeans_options){.k = 4}), GG_OK);
    assert_fixed_point(&r, x, N, D, 4);
    gg_ari(&ari, *state, r.label, truth, N);
    gg_nmi(&nmi, *state, r.label, truth, N);
    assert_true(fabs(ari) < 0.03 && nmi < 0.05);
    gg_kmeans_result_free(*state, &r);
    free(x);
}

static void threads_change_no_bit_and_seeds_are_used(void **state)
{
    (void)state;
    enum { N = 90, D = 400 };
    int32_t truth[N];
    double *x = planted(truth, 3, 30, D, 0.02, 0, 9); /* hard: starts end in different places */
    gg_context *ctx[3];
    gg_kmeans_result r[3];
    for (int t = 0; t < 3; t++) {
        assert_int_equal(gg_context_create(&ctx[t], &(gg_context_options){.n_threads = t == 0 ? 1 : 5}), GG_OK);
        assert_int_equal(gg_kmeans(&r[t], ctx[t], x, N, D, &(gg_kmeans_options){.k = 6, .n_restarts = 3, .seed = t == 2 ? 8 : 1}), GG_OK);
    }
    assert_memory_equal(r[0].label, r[1].label, N * sizeof *r[0].label);
    assert_memory_equal(r[0].centre, r[1].centre, 6 * D * sizeof(double));
    assert_true(r[0].inertia == r[1].inertia);
    assert_true(r[0].inertia != r[2].inertia);
    for (int t = 0; t < 3; t++) {
        gg_kmeans_result_free(ctx[t], &r[t]);
        assert_int_equal(gg_context_bytes(ctx[t], NULL), 0);
        gg_context_free(ctx[t]);
    }
    free(x);
}

static void duplicates_leave_no_cluster_empty(void **state)
{
    enum { N = 40, D = 3 };
    double x[N * D];
    for (int i = 0; i < N * D; i++)
        x[i] = i / D % 2; /* two distinct points */
    for (int k = 1; k <= N; k += 3) {
        gg_kmeans_result r;
        assert_int_equal(gg_kmeans(&r, *state, x, N, D, &(gg_kmeans_options){.k = k, .n_restarts = 2}), GG_OK);
        assert_fixed_point(&r, x, N, D, k);
        assert_near(r.inertia, k == 1 ? 0.25 * N * D : 0, 1e-12);
        assert_true(r.n_iterations < 300);
        gg_kmeans_result_free(*state, &r);
    }
}

static void kmeans_refuses_what_makes_no_sense(void **state)
{
    static const struct { int64_t n, d; gg_kmeans_options o; gg_status s; const char *says; } bad[] = {
        {0, 2, {.k = 1}, GG_EINVAL, "0 points"},          {2, 0, {.k = 1}, GG_EINVAL, "0 dimensions"},
        {3, 2, {.k = 0}, GG_EINVAL, "1..3"},              {3, 2, {.k = 4}, GG_EINVAL, "k = 4"},
        {3, 2, {.k = 2, .n_restarts = -1}, GG_EINVAL, "-1 restarts"}, {INT64_MAX / 2, 8, {.k = 2}, GG_EINVAL, "points"},
        {3, 2, {.k = 2}, GG_ENAN, "row 1, column 1"}};
    static const double x[] = {1, 2, 3, NAN, 5, 6}, wide[2 * 9] = {[9 + 4] = INFINITY};
    gg_kmeans_result r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(gg_kmeans(&r, *state, x, bad[i].n, bad[i].d, &bad[i].o), bad[i].s);
        assert_text_has(gg_message(*state), bad[i].says);
        assert_null(r.label);
    }
    assert_int_equal(gg_kmeans(&r, *state, wide, 2, 9, &(gg_kmeans_options){.k = 1}), GG_ENAN);
    assert_text_has(gg_message(*state), "row 1, column 4");
}

/* ---- agreement ---- */

static void agreement_equals_scikit_learn(void **state)
{
    json_t *root = golden_load(GOLDEN), *cases = golden_at(root, "agreement");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        json_t *one = json_array_get(cases, c);
        int64_t n;
        int32_t *a = golden_labels(&n, golden_at(one, "a")), *b = golden_labels(NULL, golden_at(one, "b"));
        double purity, nmi, ari, back;
        assert_int_equal(gg_purity(&purity, *state, a, b, n), GG_OK);
        assert_int_equal(gg_nmi(&nmi, *state, a, b, n), GG_OK);
        assert_int_equal(gg_ari(&ari, *state, a, b, n), GG_OK);
        assert_near(purity, golden_number(one, "purity"), 1e-15);
        assert_near(nmi, golden_number(one, "nmi"), 1e-12);
        assert_near(ari, golden_number(one, "ari"), 1e-15);
        gg_ari(&back, *state, b, a, n); /* symmetric */
        assert_near(back, ari, 1e-15);
        gg_nmi(&back, *state, b, a, n);
        assert_near(back, nmi, 1e-12);
        free(a);
        free(b);
    }
    json_decref(root);
}

static void labels_are_checked(void **state)
{
    const int32_t good[] = {0, 2147483647, 3}, bad[] = {1, 0, -7};
    double out;
    assert_int_equal(gg_purity(&out, *state, good, good, 3), GG_OK);
    assert_true(out == 1);
    assert_int_equal(gg_purity(&out, *state, good, good, 0), GG_EINVAL);
    assert_int_equal(gg_nmi(&out, *state, good, bad, 3), GG_EINVAL);
    assert_text_has(gg_message(*state), "point 2 has label -7");
    assert_int_equal(gg_ari(&out, *state, bad, good, 3), GG_EINVAL);
}

/* ---- correlation ---- */

static void correlation_equals_scipy(void **state)
{
    json_t *root = golden_load(GOLDEN), *cases = golden_at(root, "correlation");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        json_t *one = json_array_get(cases, c);
        int64_t n;
        double *a = golden_numbers(&n, NULL, golden_at(one, "a")), *b = golden_numbers(NULL, NULL, golden_at(one, "b")), r;
        assert_int_equal(gg_spearman(&r, *state, a, b, n), GG_OK);
        assert_near(r, golden_number(one, "spearman"), 1e-13);
        assert_near(gg_pearson(a, b, n), golden_number(one, "pearson"), 1e-12);
        free(a);
        free(b);
    }
    json_decref(root);
}

static void correlation_of_a_constant_is_not_a_number(void **state)
{
    const double constant[] = {0.1, 0.1, 0.1}, rising[] = {1, 2, 3}, steep[] = {-1e300, 0, 1e300}, tiny[] = {1e-200, 2e-200, 3e-200}, none[] = {1, NAN, 2};
    double r;
    assert_true(isnan(gg_pearson(constant, rising, 3)));
    assert_true(isnan(gg_pearson(rising, constant, 3)));
    assert_true(isnan(gg_pearson(rising, rising, 1)));
    assert_near(gg_pearson(steep, rising, 3), 1, 1e-15);
    assert_near(gg_pearson(tiny, steep, 3), 1, 1e-15);
    assert_int_equal(gg_spearman(&r, *state, constant, rising, 3), GG_OK);
    assert_true(isnan(r));
    assert_int_equal(gg_spearman(&r, *state, steep, rising, 0), GG_OK);
    assert_true(isnan(r));
    assert_int_equal(gg_spearman(&r, *state, rising, none, 3), GG_ENAN);
    assert_text_has(gg_message(*state), "pair 1");
}

/* ---- principal components ---- */

static void components_equal_scikit_learn(void **state)
{
    json_t *root = golden_load(GOLDEN), *cases = golden_at(root, "pca");
    for (size_t c = 0; c < json_array_size(cases); c++) {
        json_t *one = json_array_get(cases, c);
        int64_t n, d;
        double *x = golden_numbers(&n, &d, golden_at(one, "x")), *want = golden_numbers(NULL, NULL, golden_at(one, "score")),
               *share = golden_numbers(NULL, NULL, golden_at(one, "explained")), score[40 * 4], explained[4];
        assert_int_equal(gg_pca(score, explained, *state, x, n, d, 4), GG_OK);
        for (int64_t i = 0; i < n * 4; i++)
            assert_near(score[i], want[i], 1e-9);
        for (int i = 0; i < 4; i++)
            assert_near(explained[i], share[i], 1e-12);
        free(x);
        free(want);
        free(share);
    }
    json_decref(root);
}

static void components_beyond_the_rank_are_zero(void **state)
{
    for (int turned = 0; turned < 2; turned++) {
        const int64_t n = turned ? 4 : 9, d = turned ? 9 : 4;
        double x[36], score[36], explained[4];
        for (int64_t i = 0; i < n; i++)
            for (int64_t c = 0; c < d; c++)
                x[i * d + c] = (double)(i * i) * ((double)c - 1.3) + 7; /* rank 1 */
        assert_int_equal(gg_pca(score, explained, *state, x, n, d, 4), GG_OK);
        assert_near(explained[0], 1, 1e-12);
        for (int64_t i = 0; i < n; i++)
            for (int j = 1; j < 4; j++)
                assert_true(score[i * 4 + j] == 0);
        assert_true(score[(n - 1) * 4] > 0); /* loading of largest size, (d - 2.3), is positive */
    }
    double same[6] = {2, 2, 2, 2, 2, 2}, score[6], explained[2];
    assert_int_equal(gg_pca(score, explained, *state, same, 3, 2, 2), GG_OK);
    assert_true(explained[0] == 0 && score[0] == 0 && score[5] == 0);
    assert_int_equal(gg_pca(score, explained, *state, same, 3, 2, 3), GG_EINVAL);
    assert_text_has(gg_message(*state), "1..2");
    assert_int_equal(gg_pca(score, explained, *state, same, 0, 2, 1), GG_EINVAL);
    same[3] = NAN;
    assert_int_equal(gg_pca(score, explained, *state, same, 3, 2, 2), GG_ENAN);
    assert_text_has(gg_message(*state), "row 1, column 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inertia_is_no_worse_than_scikit_learns_best),
        cmocka_unit_test(planted_groups_are_found_whatever_the_shape),
        cmocka_unit_test(in_noise_no_group_is_found),
        cmocka_unit_test(threads_change_no_bit_and_seeds_are_used),
        cmocka_unit_test(duplicates_leave_no_cluster_empty),
        cmocka_unit_test(kmeans_refuses_what_makes_no_sense),
        cmocka_unit_test(agreement_equals_scikit_learn),
        cmocka_unit_test(labels_are_checked),
        cmocka_unit_test(correlation_equals_scipy),
        cmocka_unit_test(correlation_of_a_constant_is_not_a_number),
        cmocka_unit_test(components_equal_scikit_learn),
        cmocka_unit_test(components_beyond_the_rank_are_zero),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
