/* Top lists against sorting everything. */
#include "base/work.h"
#include "support.h"
#include <golgi/toplist.h>
#include <math.h>

typedef struct pair { float value; int64_t id; } pair;

static int by_value_then_id(const void *a, const void *b)
{
    const pair *p = a, *q = b;
    return p->value != q->value ? (p->value < q->value ? 1 : -1) : (p->id > q->id) - (p->id < q->id);
}

enum { N = 61, WIDTH = 13 };

/* Few distinct values, so that ties are everywhere. */
static void samples(float x[N][WIDTH], int64_t id[N], uint64_t seed)
{
    gg_random r = gg_random_of(seed, 0);
    for (int i = 0; i < N; i++) {
        id[i] = 1000000007 * (int64_t)i % 997;
        for (int j = 0; j < WIDTH; j++)
            x[i][j] = (float)gg_random_below(&r, 9) - 4;
    }
}

static void assert_lists(const gg_toplist *t, float x[N][WIDTH], const int64_t id[N], int64_t k)
{
    for (int64_t j = 0; j < WIDTH; j++) {
        pair all[N];
        for (int i = 0; i < N; i++)
            all[i] = (pair){x[i][j], id[i]};
        qsort(all, N, sizeof *all, by_value_then_id);
        float value[2 * N];
        int64_t got[2 * N];
        assert_int_equal(gg_toplist_get(value, got, t, j), k < N ? k : N);
        for (int64_t i = 0; i < (k < N ? k : N); i++) {
            assert_true(value[i] == all[i].value);
            assert_int_equal(got[i], all[i].id);
        }
    }
}

static const int64_t SIZES[] = {1, 2, 5, 10, N - 1, N, N + 7};

static void the_list_is_the_head_of_the_sorted_samples(void **state)
{
    float x[N][WIDTH];
    int64_t id[N];
    samples(x, id, 1);
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        gg_toplist *t = NULL;
        assert_int_equal(gg_toplist_create(&t, *state, WIDTH, SIZES[s]), GG_OK);
        for (int i = N - 1; i >= 0; i--)
            assert_int_equal(gg_toplist_add(t, x[i], id[i]), GG_OK);
        assert_int_equal(gg_toplist_count(t), N);
        assert_int_equal(gg_toplist_k(t), SIZES[s]);
        assert_lists(t, x, id, SIZES[s]);
        gg_toplist_free(t);
    }
}

static void merging_any_split_in_any_order_gives_the_same_list(void **state)
{
    float x[N][WIDTH];
    int64_t id[N];
    samples(x, id, 2);
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
        for (int cut = 0; cut <= N; cut += 4) {
            gg_toplist *a = NULL, *b = NULL;
            gg_toplist_create(&a, *state, WIDTH, SIZES[s]);
            gg_toplist_create(&b, *state, WIDTH, SIZES[s] + cut % 3); /* the one taken in may keep more */
            for (int i = 0; i < N; i++)
                gg_toplist_add(i < cut ? a : b, x[i], id[i]);
            assert_int_equal(gg_toplist_merge(a, b), GG_OK);
            assert_int_equal(gg_toplist_count(a), N);
            assert_lists(a, x, id, SIZES[s]);
            gg_toplist_free(a);
            gg_toplist_free(b);
        }
}

static void equal_values_go_to_the_lowest_id(void **state)
{
    gg_toplist *t = NULL;
    int64_t id[3];
    gg_toplist_create(&t, *state, 1, 3);
    for (int64_t i = 9; i >= 0; i--)
        gg_toplist_add(t, &(float){i % 2 ? 0.0f : -0.0f}, i); /* -0 and 0 are equal */
    assert_int_equal(gg_toplist_get(NULL, id, t, 0), 3);
    assert_true(id[0] == 0 && id[1] == 1 && id[2] == 2);
    assert_int_equal(gg_toplist_get(NULL, NULL, t, 1), 0);
    assert_int_equal(gg_toplist_get(NULL, NULL, t, -1), 0);
    gg_toplist_free(t);
}

static void nan_is_refused_and_nothing_changes(void **state)
{
    gg_toplist *t = NULL;
    float value;
    gg_toplist_create(&t, *state, 2, 1);
    gg_toplist_add(t, (float[]){1, 2}, 5);
    assert_int_equal(gg_toplist_add(t, (float[]){7, NAN}, 42), GG_ENAN);
    assert_text_has(gg_message(*state), "sample 42, neuron 1");
    assert_int_equal(gg_toplist_count(t), 1);
    gg_toplist_get(&value, NULL, t, 0);
    assert_true(value == 1);
    gg_toplist_free(t);
    gg_toplist_free(NULL);
}

static void lists_that_do_not_belong_together_are_refused(void **state)
{
    gg_toplist *a = NULL, *b = NULL, *c = NULL;
    assert_int_equal(gg_toplist_create(&a, *state, 0, 3), GG_EINVAL);
    assert_int_equal(gg_toplist_create(&a, *state, 3, 0), GG_EINVAL);
    assert_int_equal(gg_toplist_create(&a, *state, INT64_MAX, 3), GG_ENOMEM);
    assert_null(a);
    gg_toplist_create(&a, *state, 3, 2);
    gg_toplist_create(&b, *state, 4, 2);
    gg_toplist_create(&c, *state, 3, 1);
    assert_int_equal(gg_toplist_merge(a, b), GG_EINVAL);
    gg_toplist_add(c, (float[]){1, 2, 3}, 0);
    assert_int_equal(gg_toplist_merge(a, c), GG_OK); /* dropped nothing yet */
    gg_toplist_add(c, (float[]){1, 2, 3}, 1);
    assert_int_equal(gg_toplist_merge(a, c), GG_EINVAL);
    assert_text_has(gg_message(*state), "kept only 1 of 2");
    assert_int_equal(gg_toplist_merge(a, a), GG_EINVAL);
    gg_toplist_free(a);
    gg_toplist_free(b);
    gg_toplist_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_the_head_of_the_sorted_samples),
        cmocka_unit_test(merging_any_split_in_any_order_gives_the_same_list),
        cmocka_unit_test(equal_values_go_to_the_lowest_id),
        cmocka_unit_test(nan_is_refused_and_nothing_changes),
        cmocka_unit_test(lists_that_do_not_belong_together_are_refused),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
