/* Threads and random numbers. */
#include "base/memory.h"
#include "base/work.h"
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

extern int omp_get_max_threads(void);
extern int openblas_get_num_threads(void);

static gg_context *make(int threads)
{
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = threads}), GG_OK);
    return ctx;
}

typedef struct load {
    gg_context *ctx;
    atomic_int seen[1000];
    atomic_int bad;
    int64_t fail_from, stop_at;
    atomic_int calls;
} load;

static gg_status count_body(void *user, int64_t i, int worker)
{
    load *l = user;
    atomic_fetch_add(&l->seen[i], 1);
    if (worker < 0 || worker >= gg_context_threads(l->ctx) || omp_get_max_threads() != 1 || openblas_get_num_threads() != 1)
        atomic_fetch_add(&l->bad, 1);
    return GG_OK;
}

static void each_index_runs_once_with_libraries_at_one_thread(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 7; threads += 2) {
        gg_context *ctx = make(threads);
        static load l;
        memset(&l, 0, sizeof l);
        l.ctx = ctx;
        const int omp = omp_get_max_threads(), blas = openblas_get_num_threads();
        assert_int_equal(gg_parallel(ctx, 1000, count_body, &l), GG_OK);
        assert_int_equal(omp_get_max_threads(), omp);
        assert_int_equal(openblas_get_num_threads(), blas);
        assert_int_equal(l.bad, 0);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(l.seen[i], 1);
        assert_int_equal(gg_parallel(ctx, 0, count_body, &l), GG_OK);
        assert_int_equal(gg_parallel_workers(ctx, count_body, &l), GG_OK);
        for (int i = 0; i < 10; i++)
            assert_int_equal(l.seen[i], i < threads ? 2 : 1);
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
}

static gg_status fail_body(void *user, int64_t i, int worker)
{
    (void)worker;
    load *l = user;
    if (i < l->fail_from)
        return GG_OK;
    return gg_fail(l->ctx, i % 2 ? GG_EFORMAT : GG_ENAN, "index %lld", (long long)i);
}

static void the_lowest_failure_wins_with_its_own_message(void **state)
{
    (void)state;
    gg_context *ctx = make(4);
    for (int64_t from = 0; from < 400; from++) {
        load l = {.ctx = ctx, .fail_from = from};
        assert_int_equal(gg_parallel(ctx, 1000, fail_body, &l), from % 2 ? GG_EFORMAT : GG_ENAN);
        char want[32];
        snprintf(want, sizeof want, "index %d", (int)from);
        assert_string_equal(gg_message(ctx), want);
    }
    gg_context_free(ctx);
}

static gg_status stop_body(void *user, int64_t i, int worker)
{
    (void)worker;
    load *l = user;
    atomic_fetch_add(&l->calls, 1);
    if (i == l->stop_at)
        gg_context_stop(l->ctx);
    return GG_OK;
}

static void a_stop_ends_the_run_at_the_next_index(void **state)
{
    (void)state;
    gg_context *ctx = make(2);
    load l = {.ctx = ctx, .stop_at = 5};
    assert_int_equal(gg_parallel(ctx, 100000, stop_body, &l), GG_EINTR);
    assert_true(l.calls >= 6 && l.calls < 100000);
    const int before = l.calls;
    assert_int_equal(gg_parallel(ctx, 10, stop_body, &l), GG_EINTR);
    assert_int_equal(l.calls, before);
    gg_context_free(ctx);
}

static gg_status nested_body(void *user, int64_t i, int worker)
{
    (void)i;
    (void)worker;
    load *l = user;
    GG_TRY(gg_parallel(l->ctx, 10, stop_body, l));
    return gg_parallel(l->ctx, 3, fail_body, l);
}

static void nested_runs_are_done_by_their_thread(void **state)
{
    (void)state;
    gg_context *ctx = make(3);
    load l = {.ctx = ctx, .stop_at = -1, .fail_from = 3};
    assert_int_equal(gg_parallel(ctx, 20, nested_body, &l), GG_OK);
    assert_int_equal(l.calls, 200);
    l.fail_from = 1;
    assert_int_equal(gg_parallel(ctx, 20, nested_body, &l), GG_EFORMAT);
    assert_string_equal(gg_message(ctx), "index 1");
    gg_context_free(ctx);
}

/* Known answers of Random123's kat_vectors file: philox 4x32 10. */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    gg_random r = gg_random_of(0, 0);
    assert_true(gg_random_u64(&r) == 0xe169c58d6627e8d5u);
    assert_true(gg_random_u64(&r) == 0x9b00dbd8bc57ac4cu);
    r.n = 0; /* any number of the stream again, at once */
    assert_true(gg_random_u64(&r) == 0xe169c58d6627e8d5u);
    gg_random other = gg_random_of(0, 1), seeded = gg_random_of(1, 0);
    assert_true(gg_random_u64(&other) != 0xe169c58d6627e8d5u);
    assert_true(gg_random_u64(&seeded) != 0xe169c58d6627e8d5u);
}

static void random_numbers_have_their_distribution(void **state)
{
    (void)state;
    gg_random r = gg_random_of(1, 2);
    double sum = 0, sum2 = 0, sum4 = 0, u = 0;
    const int n = 200000;
    for (int i = 0; i < n; i++) {
        const double x = gg_random_normal(&r);
        sum += x;
        sum2 += x * x;
        sum4 += x * x * x * x;
        const double y = gg_random_uniform(&r);
        assert_true(y >= 0 && y < 1);
        u += y;
    }
    assert_true(fabs(sum / n) < 0.01);
    assert_true(fabs(sum2 / n - 1) < 0.02);
    assert_true(fabs(sum4 / n - 3) < 0.1);
    assert_true(fabs(u / n - 0.5) < 0.003);
    int hits[7] = {0};
    for (int i = 0; i < 70000; i++)
        hits[gg_random_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(hits[i] > 9600 && hits[i] < 10400);
    for (int i = 0; i < 100; i++)
        assert_true(gg_random_below(&r, INT64_MAX) >= 0);
    assert_int_equal(gg_random_below(&r, 1), 0);
}

static void a_shuffle_keeps_everything_and_is_fair(void **state)
{
    (void)state;
    gg_random r = gg_random_of(3, 0);
    int64_t first[5] = {0};
    for (int round = 0; round < 10000; round++) {
        int64_t x[5] = {0, 1, 2, 3, 4};
        gg_random_shuffle(&r, x, 5);
        int mask = 0;
        for (int i = 0; i < 5; i++)
            mask |= 1 << x[i];
        assert_int_equal(mask, 31);
        first[x[0]]++;
    }
    for (int i = 0; i < 5; i++)
        assert_true(first[i] > 1800 && first[i] < 2200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_index_runs_once_with_libraries_at_one_thread), cmocka_unit_test(the_lowest_failure_wins_with_its_own_message),
        cmocka_unit_test(a_stop_ends_the_run_at_the_next_index), cmocka_unit_test(nested_runs_are_done_by_their_thread),
        cmocka_unit_test(philox_gives_the_published_numbers), cmocka_unit_test(random_numbers_have_their_distribution),
        cmocka_unit_test(a_shuffle_keeps_everything_and_is_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
