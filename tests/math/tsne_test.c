/* t-SNE: its probabilities and the divergence it reaches against scikit-learn's exact method (tests/golden/cluster), planted groups
 * that the map must keep apart, a control, and matrices that are no distances. */
#include "base/work.h"
#include "math/golden.h"
#include "math/tsne.h"
#include <golgi/cluster.h>
#include <math.h>

static const char GOLDEN[] = "tests/golden/cluster/cluster.json";

static double *distances(const double *x, int64_t n, int64_t d)
{
    double *out = malloc(sizeof *out * (size_t)(n * n));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t c = 0; c < d; c++)
                sum += (x[i * d + c] - x[j * d + c]) * (x[i * d + c] - x[j * d + c]);
            out[i * n + j] = sqrt(sum);
        }
    return out;
}

static double *random_groups(int groups, int each, int64_t d, double apart, uint64_t seed)
{
    gg_random r = gg_random_of(seed, 0);
    double *x = malloc(sizeof *x * (size_t)(groups * each * d)), *centre = malloc(sizeof *centre * (size_t)(groups * d));
    for (int64_t i = 0; i < groups * d; i++)
        centre[i] = apart * gg_random_normal(&r);
    for (int64_t i = 0; i < groups * each; i++)
        for (int64_t c = 0; c < d; c++)
            x[i * d + c] = centre[i % groups * d + c] + gg_random_normal(&r);
    free(centre);
    return x;
}

/* Share of points whose nearest other point on the map is of their own group. */
static double neighbours_alike(const double *y, int64_t n, int groups)
{
    int64_t alike = 0;
    for (int64_t i = 0; i < n; i++) {
        double least = INFINITY;
        int64_t at = -1;
        for (int64_t j = 0; j < n; j++) {
            const double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1], d = dx * dx + dy * dy;
            if (j != i && d < least) {
                least = d;
                at = j;
            }
        }
        alike += at % groups == i % groups;
    }
    return (double)alike / (double)n;
}

static void probabilities_equal_scikit_learn(void **state)
{
    json_t *root = golden_load(GOLDEN), *tsne = golden_at(root, "tsne");
    int64_t n, d, rows;
    double *x = golden_numbers(&n, &d, golden_at(tsne, "x")), *want = golden_numbers(&rows, NULL, golden_at(tsne, "p")), sum = 0;
    double *distance = distances(x, n, d), *p = malloc(sizeof *p * (size_t)(n * (n + 3)));
    const int64_t every = (int64_t)golden_number(tsne, "every"), stride = n + 3;
    assert_int_equal(gg__tsne_affinities(p, stride, *state, distance, n, golden_number(tsne, "perplexity")), GG_OK);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++)
            assert_near(p[r * every * stride + j], want[r * n + j], 1e-4 * want[r * n + j] + 1e-12); /* its search stops at 1e-5, in float32 */
    for (int64_t i = 0; i < n; i++) {
        assert_true(p[i * stride + i] == 0 && p[i * stride + n] == 0 && p[i * stride + n + 2] == 0);
        for (int64_t j = 0; j < n; j++) {
            sum += p[i * stride + j];
            assert_true(p[i * stride + j] == p[j * stride + i]);
        }
    }
    assert_near(sum, 1, 1e-12);
    free(x);
    free(want);
    free(distance);
    free(p);
    json_decref(root);
}

/* KL by its definition, from the map alone. */
static double naive_divergence(gg_context *ctx, const double *y, const double *distance, int64_t n, double perplexity)
{
    double *p = malloc(sizeof *p * (size_t)(n * n)), z = 0, kl = 0;
    assert_int_equal(gg__tsne_affinities(p, n, ctx, distance, n, perplexity), GG_OK);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                const double w = 1 / (1 + pow(y[2 * i] - y[2 * j], 2) + pow(y[2 * i + 1] - y[2 * j + 1], 2));
                if (i != j && pass == 0)
                    z += w;
                else if (i != j && p[i * n + j] > 0)
                    kl += p[i * n + j] * log(p[i * n + j] / (w / z));
            }
    free(p);
    return kl;
}

static void divergence_is_no_worse_than_scikit_learns(void **state)
{
    json_t *root = golden_load(GOLDEN), *tsne = golden_at(root, "tsne");
    int64_t n, d, runs;
    double *x = golden_numbers(&n, &d, golden_at(tsne, "x")), *theirs = golden_numbers(&runs, NULL, golden_at(tsne, "kl"));
    double *distance = distances(x, n, d), *y = malloc(sizeof *y * (size_t)(2 * n)), their_mean = 0, our_mean = 0;
    const double perplexity = golden_number(tsne, "perplexity");
    for (int64_t i = 0; i < runs; i++) { /* descent is chaotic: single runs differ by several per cent, on both sides */
        double kl, mean[2] = {0};
        assert_int_equal(gg_tsne(y, &kl, *state, distance, n, &(gg_tsne_options){.perplexity = perplexity, .seed = (uint64_t)i}), GG_OK);
        our_mean += kl / (double)runs;
        their_mean += theirs[i] / (double)runs;
        if (i > 0)
            continue;
        assert_near(kl, naive_divergence(*state, y, distance, n, perplexity), 1e-10);
        for (int64_t j = 0; j < 2 * n; j++)
            mean[j % 2] += y[j];
        assert_near(mean[0], 0, 1e-9);
        assert_near(mean[1], 0, 1e-9);
    }
    if (our_mean > 1.02 * their_mean)
        fail_msg("mean divergence of %d runs %.6f, scikit-learn %.6f", (int)runs, our_mean, their_mean);
    free(x);
    free(y);
    free(theirs);
    free(distance);
    json_decref(root);
}

static void planted_groups_stay_apart_and_noise_makes_none(void **state)
{
    enum { GROUPS = 6, EACH = 20, N = GROUPS * EACH, D = 30 };
    double y[2 * N];
    for (int noise = 0; noise < 2; noise++) {
        double *x = random_groups(GROUPS, EACH, D, noise ? 0 : 2, 3), *distance = distances(x, N, D);
        assert_int_equal(gg_tsne(y, NULL, *state, distance, N, &(gg_tsne_options){.n_iterations = 500}), GG_OK);
        const double alike = neighbours_alike(y, N, GROUPS);
        if (noise ? alike > 0.4 : alike < 1)
            fail_msg("%s: %.3f of the nearest neighbours are of the same group", noise ? "noise" : "groups", alike);
        free(x);
        free(distance);
    }
}

static void threads_change_no_bit_and_scale_does_not_matter(void **state)
{
    (void)state;
    enum { N = 1003, D = 4 }; /* enough points for rows to be shared among threads; not a multiple of the lanes */
    double *x = random_groups(3, 335, D, 4, 1), *distance = distances(x, N, D), *y[3];
    for (int t = 0; t < 3; t++) {
        gg_context *ctx = NULL;
        assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = t == 0 ? 1 : 3}), GG_OK);
        y[t] = malloc(sizeof(double) * 2 * N);
        for (int64_t i = 0; t == 2 && i < N * N; i++)
            distance[i] = ldexp(distance[i], -600); /* squares would vanish */
        assert_int_equal(gg_tsne(y[t], NULL, ctx, distance, N, &(gg_tsne_options){.n_iterations = 20}), GG_OK);
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
    assert_memory_equal(y[0], y[1], sizeof(double) * 2 * N);
    for (int64_t i = 0; i < 2 * N; i++)
        assert_near(y[2][i], y[0][i], 1e-6 * (1 + fabs(y[0][i])));
    for (int t = 0; t < 3; t++)
        free(y[t]);
    free(x);
    free(distance);
}

static void few_equal_or_lined_up_points_are_no_trouble(void **state)
{
    double distance[40 * 40], y[80], kl;
    for (int64_t n = 1; n <= 9; n++) {
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                distance[i * n + j] = i == j ? 0 : 1; /* all alike: no precision gives another perplexity */
        assert_int_equal(gg_tsne(y, &kl, *state, distance, n, NULL), GG_OK);
        assert_true(isfinite(kl));
        for (int64_t i = 0; i < 2 * n; i++)
            assert_true(isfinite(y[i]));
    }
    memset(distance, 0, sizeof distance);
    assert_int_equal(gg_tsne(y, &kl, *state, distance, 40, NULL), GG_OK); /* one place */
    assert_true(isfinite(kl) && isfinite(y[79]));
    for (int64_t i = 0; i < 40; i++)
        for (int64_t j = 0; j < 40; j++)
            distance[i * 40 + j] = fabs((double)(i - j));
    assert_int_equal(gg_tsne(y, &kl, *state, distance, 40, NULL), GG_OK); /* a line may bend */
    double spread = 0;
    for (int64_t i = 0; i < 40; i++)
        spread = fmax(spread, fabs(y[2 * i + 1]));
    assert_true(spread > 1);
}

static void what_is_no_distance_matrix_is_refused(void **state)
{
    double y[6];
    static const struct { double d[9]; gg_status s; const char *says; } bad[] = {
        {{0, 1, 2, 1, 0, 3, 2, 3.1, 0}, GG_EINVAL, "points 2 and 1"}, {{0, 1, 2, 1, 0, -3, 2, -3, 0}, GG_EINVAL, "not negative"},
        {{0, 1, 2, 1, 0.5, 3, 2, 3, 0}, GG_EINVAL, "0 from itself"},  {{0, 1, 2, 1, 0, NAN, 2, 3, 0}, GG_ENAN, "points 1 and 2"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(gg_tsne(y, NULL, *state, bad[i].d, 3, NULL), bad[i].s);
        assert_text_has(gg_message(*state), bad[i].says);
    }
    static const double good[9] = {0, 1, 2, 1, 1e-17, 3, 2, 3, 0};
    assert_int_equal(gg_tsne(y, NULL, *state, good, 3, NULL), GG_OK);
    assert_int_equal(gg_tsne(y, NULL, *state, good, 0, NULL), GG_EINVAL);
    assert_int_equal(gg_tsne(y, NULL, *state, good, 3, &(gg_tsne_options){.perplexity = NAN}), GG_EINVAL);
    assert_int_equal(gg_tsne(y, NULL, *state, good, 3, &(gg_tsne_options){.n_iterations = -1}), GG_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probabilities_equal_scikit_learn),
        cmocka_unit_test(divergence_is_no_worse_than_scikit_learns),
        cmocka_unit_test(planted_groups_stay_apart_and_noise_makes_none),
        cmocka_unit_test(threads_change_no_bit_and_scale_does_not_matter),
        cmocka_unit_test(few_equal_or_lined_up_points_are_no_trouble),
        cmocka_unit_test(what_is_no_distance_matrix_is_refused),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
