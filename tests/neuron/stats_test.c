/* Streaming statistics against their definition, in two passes, over the same rows. */
#include "base/work.h"
#include "support.h"
#include <golgi/stats.h>
#include <math.h>

enum { N = 37, WIDTH = 19 };

static void random_rows(float *x, int64_t n, uint64_t seed, double mean)
{
    gg_random r = gg_random_of(seed, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(mean + gg_random_normal(&r));
}

/* The twin is the definition. */
typedef struct moments { double mean[WIDTH], mean_abs[WIDTH], max[WIDTH], sum_squares[WIDTH], variance[WIDTH]; } moments;
static moments naive(const float *x, int64_t n)
{
    moments m;
    memset(&m, 0, sizeof m);
    for (int64_t k = 0; k < WIDTH; k++) {
        m.max[k] = -INFINITY;
        for (int64_t t = 0; t < n; t++) {
            const double v = x[t * WIDTH + k];
            m.mean[k] += v / (double)n;
            m.mean_abs[k] += fabs(v) / (double)n;
            m.sum_squares[k] += v * v;
            m.max[k] = v > m.max[k] ? v : m.max[k];
        }
        for (int64_t t = 0; t < n; t++)
            m.variance[k] += (x[t * WIDTH + k] - m.mean[k]) * (x[t * WIDTH + k] - m.mean[k]) / (double)n;
    }
    return m;
}

static void close_to(const double *a, const double *b, double tolerance)
{
    for (int64_t k = 0; k < WIDTH; k++)
        if (!(fabs(a[k] - b[k]) <= tolerance * (1 + fabs(b[k]))))
            fail_msg("neuron %d: %.17g is not %.17g", (int)k, a[k], b[k]);
}

static void assert_moments(const gg_stats *s, const moments *m, double tolerance)
{
    double out[WIDTH];
    gg_stats_mean(out, s);
    close_to(out, m->mean, tolerance);
    gg_stats_mean_abs(out, s);
    close_to(out, m->mean_abs, tolerance);
    gg_stats_max(out, s);
    close_to(out, m->max, 0);
    gg_stats_sum_squares(out, s);
    close_to(out, m->sum_squares, tolerance);
    gg_stats_variance(out, s);
    close_to(out, m->variance, tolerance);
}

static void merge_of_any_split_equals_the_whole(void **state)
{
    float x[N * WIDTH];
    random_rows(x, N * WIDTH, 1, 0.5);
    const moments whole = naive(x, N);
    for (int64_t cut = 0; cut <= N; cut++) {
        gg_stats *a = NULL, *b = NULL;
        assert_int_equal(gg_stats_create(&a, *state, WIDTH), GG_OK);
        assert_int_equal(gg_stats_create(&b, *state, WIDTH), GG_OK);
        assert_int_equal(gg_stats_add(a, x, cut), GG_OK);
        assert_int_equal(gg_stats_add(b, x + cut * WIDTH, N - cut), GG_OK);
        assert_int_equal(gg_stats_merge(b, a), GG_OK); /* the later half takes in the earlier one */
        assert_int_equal(gg_stats_count(b), N);
        assert_moments(b, &whole, 1e-13);
        gg_stats_free(a);
        gg_stats_free(b);
    }
}

static void how_rows_are_cut_into_calls_changes_no_bit(void **state)
{
    float x[N * WIDTH];
    random_rows(x, N * WIDTH, 2, 3);
    gg_stats *a = NULL, *b = NULL;
    gg_stats_create(&a, *state, WIDTH);
    gg_stats_create(&b, *state, WIDTH);
    gg_stats_add(a, x, N);
    for (int64_t t = 0; t < N; t++)
        gg_stats_add(b, x + t * WIDTH, 1);
    double p[WIDTH], q[WIDTH];
    gg_stats_variance(p, a);
    gg_stats_variance(q, b);
    assert_memory_equal(p, q, sizeof p);
    gg_stats_free(a);
    gg_stats_free(b);
}

static void variance_survives_a_large_mean(void **state) /* fails if sums of squares are subtracted */
{
    float x[1000];
    for (int i = 0; i < 1000; i++)
        x[i] = 16777214.0f + (float)(i & 1); /* exact in float32 */
    gg_stats *s = NULL;
    double v = 0;
    gg_stats_create(&s, *state, 1);
    for (int i = 0; i < 1000; i++)
        gg_stats_add(s, x, 1000);
    gg_stats_variance(&v, s);
    assert_true(fabs(v - 0.25) < 1e-9);
    gg_stats_free(s);
}

static void a_number_that_is_not_finite_is_refused_and_nothing_changes(void **state)
{
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    enum { WIDE = 700 };
    float *x = calloc(4 * WIDE, sizeof *x);
    gg_stats *s = NULL;
    double before[WIDE], after[WIDE];
    gg_stats_create(&s, *state, WIDE);
    random_rows(x, 4 * WIDE, 3, 0);
    gg_stats_add(s, x, 4);
    gg_stats_sum_squares(before, s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const float kept = x[3 * WIDE + 517];
        x[3 * WIDE + 517] = bad[i];
        assert_int_equal(gg_stats_add(s, x, 4), GG_ENAN);
        assert_text_has(gg_message(*state), "row 3, neuron 517");
        x[3 * WIDE + 517] = kept;
    }
    gg_stats_sum_squares(after, s);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(gg_stats_count(s), 4);
    gg_stats_free(s);
    free(x);
}

static void nothing_seen_gives_zeros_and_minus_infinity(void **state)
{
    gg_stats *s = NULL;
    double out[3] = {1, 1, 1};
    gg_stats_create(&s, *state, 3);
    assert_int_equal(gg_stats_add(s, NULL, 0), GG_OK);
    gg_stats_mean(out, s);
    assert_true(out[0] == 0 && out[2] == 0);
    gg_stats_mean_abs(out, s);
    assert_true(out[0] == 0 && out[2] == 0);
    gg_stats_variance(out, s);
    assert_true(out[0] == 0 && out[2] == 0);
    gg_stats_max(out, s);
    assert_true(out[1] == -INFINITY);
    gg_stats_free(s);
    gg_stats_free(NULL);
}

static void widths_that_make_no_sense_are_refused(void **state)
{
    gg_stats *s = NULL, *t = NULL;
    assert_int_equal(gg_stats_create(&s, *state, 0), GG_EINVAL);
    assert_int_equal(gg_stats_create(&s, *state, -3), GG_EINVAL);
    assert_text_has(gg_message(*state), "-3");
    assert_int_equal(gg_stats_create(&s, *state, INT64_MAX / 2), GG_ENOMEM);
    assert_null(s);
    gg_stats_create(&s, *state, 3);
    gg_stats_create(&t, *state, 4);
    assert_int_equal(gg_stats_merge(s, t), GG_EINVAL);
    assert_text_has(gg_message(*state), "3 neurons cannot take in statistics of 4");
    assert_int_equal(gg_stats_add(s, NULL, -1), GG_EINVAL);
    gg_stats_free(s);
    gg_stats_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_of_any_split_equals_the_whole),
        cmocka_unit_test(how_rows_are_cut_into_calls_changes_no_bit),
        cmocka_unit_test(variance_survives_a_large_mean),
        cmocka_unit_test(a_number_that_is_not_finite_is_refused_and_nothing_changes),
        cmocka_unit_test(nothing_seen_gives_zeros_and_minus_infinity),
        cmocka_unit_test(widths_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
