/* Data sets in memory: views, splits, folds, batches and scalers against their definitions; planted proportions; what is refused. Files: data_files_test.c. */
#include "grad/support.h"
#include <golgi/data.h>

enum { N = 103, WIDTH = 4 };
static float x[N * WIDTH];
static int32_t y[N];
static int64_t group[N];

/* Classes 0, 1, 2 in shares 60, 30, 10; groups of 1 to 7 samples; feature 2 constant; sample i knows its number in feature 3. */
static int set_up(void **state)
{
    gg_random r = gg_random_of(4, 1);
    for (int i = 0, g = 100, left = 1; i < N; i++, left--) {
        y[i] = i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2;
        if (!left) {
            left = 1 + (int)gg_random_below(&r, 7);
            g -= 3;
        }
        group[i] = g;
        x[WIDTH * i] = (float)gg_random_normal(&r) * 5 + 1e5f;
        x[WIDTH * i + 1] = (float)gg_random_normal(&r);
        x[WIDTH * i + 2] = 0.1f;
        x[WIDTH * i + 3] = (float)i;
    }
    return context_open(state);
}

static gg_data_arrays arrays(void) { return (gg_data_arrays){.x = gg_array_rows(x, GG_F32, N, WIDTH), .label = y, .n_classes = 3, .group = group}; }

static gg_data *whole(void)
{
    gg_data *d = NULL;
    const gg_data_arrays a = arrays();
    assert_ok(gg_data_create(&d, ctx, &a));
    return d;
}

/* Which samples a view has, by what each knows of itself. */
static int64_t numbers_of(int64_t *out, const gg_data *d)
{
    const int64_t n = gg_data_describe(d)->n;
    float *row = malloc(sizeof *row * (size_t)(n * WIDTH));
    assert_ok(gg_data_read(row, d, NULL, n, NULL));
    for (int64_t i = 0; i < n; i++)
        out[i] = (int64_t)row[i * WIDTH + 3];
    free(row);
    return n;
}

/* --- arrays and views ------------------------------------------------------------------------------------------------------------------------ */
static void a_view_of_a_view_outlives_both(void **state)
{
    (void)state;
    gg_data *d = whole(), *v = NULL, *w = NULL;
    assert_ok(gg_data_subset(&v, d, (const int64_t[]){9, 3, 3, 50}, 4));
    assert_ok(gg_data_subset(&w, v, (const int64_t[]){3, 1}, 2));
    gg_data_free(d);
    gg_data_free(v);
    float row[2 * WIDTH];
    int32_t label[2];
    assert_ok(gg_data_read(row, w, NULL, 2, NULL));
    assert_ok(gg_data_labels(label, w, (const int64_t[]){1, 0}, 2));
    assert_true(row[3] == 50 && row[7] == 3 && label[0] == y[3] && label[1] == y[50]);
    assert_true(row[0] == x[WIDTH * 50]);
    gg_data_free(w);
}

static void a_view_costs_its_numbers_and_no_samples(void **state)
{
    (void)state;
    enum { MANY = 1000, WIDE = 1000 };
    float *big = calloc((size_t)MANY * WIDE, sizeof *big);
    gg_data *d = NULL, *half[2];
    assert_ok(gg_data_create(&d, ctx, &(gg_data_arrays){.x = gg_array_rows(big, GG_F32, MANY, WIDE), .borrow = true}));
    const size_t before = gg_context_bytes(ctx, NULL);
    assert_true(before < 10000); /* borrowed */
    assert_ok(gg_data_split(half, d, (const double[]){0.5, 0.5}, 2, NULL));
    assert_true(gg_context_bytes(ctx, NULL) - before < MANY * sizeof(int64_t) + 4000);
    gg_data_free(half[0]);
    gg_data_free(half[1]);
    gg_data_free(d);
    free(big);
}

static void every_format_and_stride_reads_the_same(void **state)
{
    (void)state;
    static const gg_dtype types[] = {GG_F32, GG_F64, GG_F16, GG_I8, GG_I16, GG_I32, GG_I64, GG_U8, GG_U16, GG_U32, GG_U64};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        for (int turned = 0; turned < 2; turned++) {
            uint8_t bytes[6 * 8] = {0};
            float out[6];
            for (int i = 0; i < 6; i++) {
                const float f = (float)i;
                switch (types[k]) {
                case GG_F32: memcpy(bytes + 4 * i, &f, 4); break;
                case GG_F64: memcpy(bytes + 8 * i, &(double){i}, 8); break;
                case GG_F16: gg_f32_to_f16((uint16_t *)(void *)bytes + i, &f, 1); break;
                default: bytes[gg_dtype_bytes(types[k], 1) * i] = (uint8_t)i; /* little-endian */
                }
            }
            gg_data *d = NULL;
            gg_array a = gg_array_rows(bytes, types[k], 2, 3);
            if (turned) { /* (3, 2) that walks the other way */
                a.shape[0] = 3, a.shape[1] = 2;
                a.stride[0] = 1, a.stride[1] = 3;
            }
            assert_ok(gg_data_create(&d, ctx, &(gg_data_arrays){.x = a, .borrow = true}));
            assert_ok(gg_data_read(out, d, NULL, turned ? 3 : 2, NULL));
            for (int i = 0; i < 6; i++)
                assert_true(out[i] == (float)(turned ? i % 2 * 3 + i / 2 : i));
            gg_data_free(d);
        }
}

static void what_is_no_data_is_refused_by_name(void **state)
{
    (void)state;
    gg_data *d = NULL;
    gg_data_arrays a = arrays();
    a.n_classes = 2;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    expect_message("label 9 is 2, the classes are 0..1");
    y[7] = -1;
    a.n_classes = 0;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    expect_message("label 7 is -1, classes are counted from 0");
    y[7] = 100000; /* more classes than samples: asked back, unless their number is given */
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    expect_message("give their number if they are");
    a.n_classes = 100001;
    assert_ok(gg_data_create(&d, ctx, &a));
    assert_int_equal(gg_data_describe(d)->n_classes, 100001);
    gg_data_free(d);
    d = NULL;
    a.n_classes = 0;
    y[7] = 1;
    a.value = x;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    a = arrays();
    x[WIDTH * 5 + 1] = INFINITY;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_ENAN);
    expect_message("sample 5, feature 1 is not a finite number");
    x[WIDTH * 5 + 1] = NAN;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_ENAN);
    x[WIDTH * 5 + 1] = 0;
    a.label = NULL;
    a.value = (const float[N]){1, 2, NAN};
    a.n_values = 1;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_ENAN);
    expect_message("sample 2");
    a = arrays();
    a.x.shape[0] = 0;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    a.x.shape[0] = INT64_MAX / 2;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    a = arrays();
    a.x.dtype = GG_Q4_0;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    a.x.dtype = GG_I32;
    a.tokens = 5;
    assert_int_equal(gg_data_create(&d, ctx, &a), GG_EINVAL);
    expect_message("the vocabulary is 0..4");
    assert_null(d);
    d = whole();
    gg_data *v = NULL;
    assert_int_equal(gg_data_subset(&v, d, (const int64_t[]){0, N}, 2), GG_EINVAL);
    assert_int_equal(gg_data_subset(&v, d, NULL, 0), GG_EINVAL);
    assert_null(v);
    float out[WIDTH];
    assert_int_equal(gg_data_read(out, d, (const int64_t[]){-1}, 1, NULL), GG_EINVAL);
    assert_int_equal(gg_data_values(out, d, NULL, 1), GG_EMISMATCH);
    expect_message("values are asked of data that have classes");
    assert_int_equal(gg_data_read_tokens((int32_t[WIDTH]){0}, d, NULL, 1), GG_EMISMATCH);
    gg_data_free(d);
}

static void tokens_are_followed_by_themselves_one_further_on(void **state)
{
    (void)state;
    int32_t token[50], in[3 * 8], next[3 * 8];
    for (int i = 0; i < 50; i++)
        token[i] = i * 7 % 11;
    gg_data *d = NULL, *v = NULL;
    assert_ok(gg_data_tokens(&d, ctx, token, 50, 11, 8, 5));
    const gg_data_description *a = gg_data_describe(d);
    assert_true(a->n == 9 && a->tokens && a->target == GG_TARGET_TOKEN && a->sample.n == 1 && a->sample.d[0] == 8 && a->n_vocab == 11);
    assert_ok(gg_data_subset(&v, d, (const int64_t[]){8, 0, 3}, 3));
    assert_ok(gg_data_read_tokens(in, v, NULL, 3));
    assert_ok(gg_data_labels(next, v, NULL, 3));
    for (int i = 0; i < 8; i++) {
        assert_int_equal(in[i], token[40 + i]);
        assert_int_equal(next[i], token[41 + i]);
        assert_int_equal(in[16 + i], token[15 + i]);
        assert_int_equal(next[16 + i], token[16 + i]);
    }
    assert_int_equal(gg_data_read((float[8]){0}, d, NULL, 1, NULL), GG_EMISMATCH);
    gg_data_free(v);
    gg_data_free(d);
    assert_int_equal(gg_data_tokens(&d, ctx, token, 8, 11, 8, 0), GG_EINVAL);
    assert_ok(gg_data_tokens(&d, ctx, token, 9, 11, 8, 0));
    assert_int_equal(gg_data_describe(d)->n, 1);
    gg_data_free(d);
    assert_int_equal(gg_data_tokens(&d, ctx, token, 50, 10, 8, 0), GG_EINVAL);
    expect_message("token 3 is 10, the vocabulary is 0..9");
}

/* --- splits ------------------------------------------------------------------------------------------------------------------------------------ */
/* How often each sample is in the parts: seen (N,) is added to. */
static void count(int *seen, const gg_data *d)
{
    int64_t at[N];
    const int64_t n = numbers_of(at, d);
    for (int64_t i = 0; i < n; i++)
        seen[at[i]]++;
    for (int64_t i = 1; i < n; i++)
        assert_true(at[i] > at[i - 1]); /* in the order of the data */
}

static void parts_are_disjoint_and_of_the_size_asked_for(void **state)
{
    (void)state;
    static const struct {
        double part[3];
        int64_t size[3], unused;
    } cases[] = {{{0.6, 0.2, 0.2}, {62, 21, 20}, 0}, {{0.5, 0.25, 0.05}, {51, 26, 5}, 21}, {{50, 20, 33}, {50, 20, 33}, 0}, {{80, 1, 2}, {80, 1, 2}, 20}};
    gg_data *d = whole(), *out[3];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int seen[N] = {0}, unused = 0;
        assert_ok(gg_data_split(out, d, cases[k].part, 3, &(gg_split_options){.seed = 3}));
        for (int p = 0; p < 3; p++) {
            assert_int_equal(gg_data_describe(out[p])->n, cases[k].size[p]);
            count(seen, out[p]);
            gg_data_free(out[p]);
        }
        for (int i = 0; i < N; i++) {
            assert_true(seen[i] <= 1);
            unused += !seen[i];
        }
        assert_int_equal(unused, cases[k].unused);
    }
    gg_data_free(d);
}

static void a_split_is_a_function_of_its_seed(void **state)
{
    (void)state;
    gg_data *d = whole(), *a[2], *b[2], *c[2];
    int64_t at[3][N];
    for (int kind = 0; kind < 3; kind++) {
        gg_split_options o = {.stratify = kind == 1, .grouped = kind == 2, .seed = 3};
        assert_ok(gg_data_split(a, d, (const double[]){0.7, 0.3}, 2, &o));
        assert_ok(gg_data_split(b, d, (const double[]){0.7, 0.3}, 2, &o));
        o.seed = 4;
        assert_ok(gg_data_split(c, d, (const double[]){0.7, 0.3}, 2, &o));
        const int64_t n = numbers_of(at[0], a[1]);
        assert_int_equal(numbers_of(at[1], b[1]), n);
        const int64_t m = numbers_of(at[2], c[1]);
        assert_memory_equal(at[0], at[1], sizeof at[0][0] * (size_t)n);
        assert_true(m != n || memcmp(at[0], at[2], sizeof at[0][0] * (size_t)n) != 0);
        for (int p = 0; p < 2; p++) {
            gg_data_free(a[p]);
            gg_data_free(b[p]);
            gg_data_free(c[p]);
        }
    }
    gg_data_free(d);
}

/* 103 samples: 63, 30, 10 of the classes. */
static void stratified_parts_have_the_classes_in_proportion(void **state)
{
    (void)state;
    gg_data *d = whole(), *out[3];
    int64_t all[3], have[3];
    const double part[] = {0.5, 0.3, 0.2};
    assert_ok(gg_data_class_counts(all, d));
    for (uint64_t seed = 0; seed < 20; seed++) {
        assert_ok(gg_data_split(out, d, part, 3, &(gg_split_options){.stratify = true, .seed = seed}));
        for (int p = 0; p < 3; p++) {
            assert_ok(gg_data_class_counts(have, out[p]));
            for (int k = 0; k < 3; k++)
                if (fabs((double)have[k] - part[p] * (double)all[k]) >= 1.2)
                    fail_msg("seed %d: part %d has %d of class %d, of %d", (int)seed, p, (int)have[k], k, (int)all[k]);
            gg_data_free(out[p]);
        }
    }
    gg_data_free(d);
}

static void folds_partition_the_data(void **state)
{
    (void)state;
    gg_data *d = whole(), *train, *test;
    for (int kind = 0; kind < 4; kind++)
        for (int k = 2; k <= 10; k += 4) {
            int seen[N] = {0};
            for (int fold = 0; fold < k; fold++) {
                int both[N] = {0};
                int64_t have[3];
                assert_ok(gg_data_fold(&train, &test, d, k, fold, &(gg_split_options){.stratify = kind == 1, .grouped = kind == 2, .ordered = kind == 3,
                                                                                      .seed = 5}));
                count(seen, test);
                count(both, test);
                count(both, train);
                for (int i = 0; i < N; i++)
                    assert_int_equal(both[i], 1);
                if (kind == 1) {
                    assert_ok(gg_data_class_counts(have, test));
                    assert_true(llabs(have[0] * k - 63) <= k + 3 && llabs(have[1] * k - 30) <= k + 3 && have[2] >= 1);
                }
                if (kind != 2)
                    assert_true(llabs(gg_data_describe(test)->n * k - N) < k);
                gg_data_free(train);
                gg_data_free(test);
            }
            for (int i = 0; i < N; i++)
                assert_int_equal(seen[i], 1);
        }
    gg_data_free(d);
}

static void no_group_is_on_both_sides(void **state)
{
    (void)state;
    gg_data *d = whole(), *out[2];
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_ok(gg_data_split(out, d, (const double[]){0.75, 0.25}, 2, &(gg_split_options){.grouped = true, .seed = seed}));
        bool side[2][200] = {{0}};
        for (int p = 0; p < 2; p++) {
            const int64_t n = gg_data_describe(out[p])->n;
            assert_true(llabs(n - (p ? 26 : 77)) <= 7); /* as near as whole groups allow */
            for (int64_t i = 0; i < n; i++)
                side[p][gg_data_group(out[p], i)] = true;
        }
        for (int g = 0; g < 200; g++)
            assert_false(side[0][g] && side[1][g]);
        gg_data_free(out[0]);
        gg_data_free(out[1]);
    }
    assert_int_equal(gg_data_group(d, 0), 0); /* named in the order of their first sample */
    assert_int_equal(gg_data_group(d, 1), 1);
    gg_data_free(d);
}

static void a_class_that_a_part_lacks_is_named(void **state)
{
    (void)state;
    gg_data *d = whole(), *out[2] = {NULL, NULL}, *part = NULL;
    assert_int_equal(gg_data_split(out, d, (const double[]){0.97, 0.03}, 2, &(gg_split_options){.stratify = true}), GG_EINVAL);
    expect_message("part 2 of the split (3 samples) has no sample of class \"2\"");
    assert_null(out[0]);
    assert_ok(gg_data_split(out, d, (const double[]){0.95, 0.05}, 2, &(gg_split_options){.seed = 1})); /* drawn: only the first must have all */
    gg_data_free(out[0]);
    gg_data_free(out[1]);
    assert_int_equal(gg_data_split(out, d, (const double[]){9, 94}, 2, &(gg_split_options){.ordered = true}), GG_EINVAL);
    expect_message("part 1 of the split (9 samples) has no sample of class \"2\"");
    assert_ok(gg_data_subset(&part, d, (const int64_t[]){6, 7}, 2));
    assert_int_equal(gg_data_need_classes(part, "the training part"), GG_EINVAL);
    expect_message("the training part (2 samples) has no sample of class \"0\", and of others");
    gg_data_free(part);
    gg_data_free(d);
}

static void a_split_that_cannot_be_is_refused(void **state)
{
    (void)state;
    gg_data *d = whole(), *bare = NULL, *out[2] = {NULL, NULL}, *a, *b;
    assert_int_equal(gg_data_split(out, d, (const double[]){0.5, 0}, 2, NULL), GG_EINVAL);
    assert_int_equal(gg_data_split(out, d, (const double[]){0.5, NAN}, 2, NULL), GG_EINVAL);
    assert_int_equal(gg_data_split(out, d, (const double[]){60, 44}, 2, NULL), GG_EINVAL);
    expect_message("sum to 104, of 103 samples");
    assert_int_equal(gg_data_split(out, d, (const double[]){0.8, 0.4}, 2, NULL), GG_EINVAL);
    expect_message("whole numbers of samples");
    assert_int_equal(gg_data_split(out, d, (const double[]){0.999, 0.001}, 2, NULL), GG_EINVAL);
    assert_int_equal(gg_data_split(out, d, (const double[]){0.5, 0.5}, 2, &(gg_split_options){.grouped = true, .stratify = true}), GG_EINVAL);
    assert_int_equal(gg_data_fold(&a, &b, d, 1, 0, NULL), GG_EINVAL);
    assert_int_equal(gg_data_fold(&a, &b, d, 5, 5, NULL), GG_EINVAL);
    assert_int_equal(gg_data_fold(&a, &b, d, 20, 0, &(gg_split_options){.stratify = true}), GG_EINVAL);
    expect_message("class \"2\" has 10 samples: not one for each of 20 stratified folds");
    assert_ok(gg_data_create(&bare, ctx, &(gg_data_arrays){.x = gg_array_rows(x, GG_F32, N, WIDTH)}));
    assert_int_equal(gg_data_split(out, bare, (const double[]){0.5, 0.5}, 2, &(gg_split_options){.stratify = true}), GG_EMISMATCH);
    assert_int_equal(gg_data_split(out, bare, (const double[]){0.5, 0.5}, 2, &(gg_split_options){.grouped = true}), GG_EMISMATCH);
    gg_data_free(bare);
    gg_data_free(d);
}

/* --- batches ------------------------------------------------------------------------------------------------------------------------------------ */
static gg_batches *batches_of(const gg_data *d, gg_batches_options o)
{
    gg_batches *b = NULL;
    assert_ok(gg_batches_create(&b, d, &o));
    return b;
}

static void every_epoch_has_every_sample_once_in_an_order_of_its_own(void **state)
{
    (void)state;
    gg_data *d = whole();
    gg_batches *b = batches_of(d, (gg_batches_options){.size = 10, .shuffle = true, .seed = 9});
    int64_t order[3][N];
    gg_batch batch;
    assert_int_equal(gg_batches_count(b), 11);
    const int64_t allocations = gg_context_allocations(ctx);
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[N] = {0};
        int64_t n = 0, at = 0;
        gg_status s;
        while ((s = gg_batches_next(&batch, b)) == GG_OK) {
            assert_true(batch.n == (at == 10 ? 3 : 10) && batch.at == at++ && batch.epoch == epoch);
            for (int64_t i = 0; i < batch.n; i++) {
                seen[batch.index[i]]++;
                order[epoch][n++] = batch.index[i];
            }
        }
        assert_int_equal(s, GG_END);
        for (int i = 0; i < N; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_int_equal(gg_context_allocations(ctx), allocations);
    assert_true(memcmp(order[0], order[1], sizeof order[0]) && memcmp(order[1], order[2], sizeof order[0]));
    gg_batches_free(b);
    gg_data_free(d);
}

static void batches_go_on_from_any_place(void **state)
{
    (void)state;
    gg_data *d = whole();
    const gg_batches_options o = {.size = 10, .shuffle = true, .drop_last = true, .seed = 9};
    gg_batches *b = batches_of(d, o);
    gg_batch one, other;
    for (int step = 0; step < 35; step++) {
        int64_t epoch, at;
        gg_batches_tell(b, &epoch, &at);
        gg_batches *again = batches_of(d, o);
        assert_ok(gg_batches_seek(again, epoch, at));
        const gg_status s = gg_batches_next(&one, b);
        assert_int_equal(gg_batches_next(&other, again), s);
        if (s == GG_OK) {
            assert_true(one.n == 10 && other.n == 10 && one.epoch == other.epoch && one.at == other.at);
            assert_memory_equal(one.index, other.index, sizeof *one.index * 10);
        }
        gg_batches_free(again);
    }
    assert_int_equal(gg_batches_seek(b, 0, 11), GG_EINVAL);
    assert_int_equal(gg_batches_seek(b, -1, 0), GG_EINVAL);
    gg_batches_free(b);
    gg_data_free(d);
}

static void batches_in_order_are_in_order_and_of_the_view(void **state)
{
    (void)state;
    gg_data *d = whole(), *v = NULL;
    gg_batch batch;
    float row[2 * WIDTH];
    assert_ok(gg_data_subset(&v, d, (const int64_t[]){90, 80, 70}, 3));
    gg_batches *b = batches_of(v, (gg_batches_options){.size = 2});
    assert_ok(gg_batches_next(&batch, b));
    assert_ok(gg_data_read(row, v, batch.index, batch.n, NULL));
    assert_true(row[3] == 90 && row[7] == 80);
    assert_ok(gg_batches_next(&batch, b));
    assert_true(batch.n == 1 && batch.index[0] == 2);
    assert_int_equal(gg_batches_next(&batch, b), GG_END);
    assert_ok(gg_batches_next(&batch, b));
    assert_true(batch.epoch == 1 && batch.index[0] == 0);
    gg_batches_free(b);
    assert_int_equal(gg_batches_create(&b, v, &(gg_batches_options){.size = 4, .drop_last = true}), GG_EINVAL);
    assert_int_equal(gg_batches_create(&b, v, &(gg_batches_options){.size = -1}), GG_EINVAL);
    b = batches_of(v, (gg_batches_options){.size = 100});
    assert_int_equal(gg_batches_count(b), 1);
    gg_batches_free(b);
    gg_data_free(v);
    gg_data_free(d);
}

/* --- scalers ------------------------------------------------------------------------------------------------------------------------------------ */
static void the_scaler_knows_the_training_part_only(void **state)
{
    (void)state;
    gg_data *d = whole(), *out[2];
    gg_scaler *s = NULL;
    assert_ok(gg_data_split(out, d, (const double[]){0.7, 0.3}, 2, &(gg_split_options){.seed = 1}));
    assert_ok(gg_scaler_fit(&s, out[0], GG_SCALE_STANDARD));
    int64_t at[N];
    const int64_t n = numbers_of(at, out[0]);
    float *row = malloc(sizeof *row * (size_t)(n * WIDTH));
    assert_ok(gg_data_read(row, out[0], NULL, n, s));
    for (int k = 0; k < WIDTH; k++) { /* in two passes */
        double mean = 0, variance = 0, after = 0, after2 = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)x[WIDTH * at[i] + k] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double v = row[i * WIDTH + k];
            variance += pow((double)x[WIDTH * at[i] + k] - mean, 2) / (double)n;
            after += v / (double)n;
            after2 += v * v / (double)n;
        }
        assert_true(fabs(gg_scaler_shift(s)[k] - mean) <= 1e-12 * fabs(mean));
        if (k == 2) { /* constant */
            assert_true(gg_scaler_factor(s)[k] == 1 && gg_scaler_shift(s)[k] == 0.1f && after == 0 && after2 == 0);
        } else {
            assert_true(fabs(gg_scaler_factor(s)[k] - sqrt(variance)) <= 1e-9 * sqrt(variance));
            assert_true(fabs(after) < 1e-6 && fabs(after2 - 1) < 1e-6);
        }
    }
    free(row);
    gg_scaler_free(s);
    gg_data_free(out[0]);
    gg_data_free(out[1]);
    gg_data_free(d);
}

static void a_scaler_comes_back_from_json_to_the_bit(void **state)
{
    (void)state;
    gg_data *d = whole();
    float one[N * WIDTH], other[N * WIDTH];
    for (gg_scale_kind kind = GG_SCALE_NONE; kind < GG_SCALES; kind++) {
        gg_scaler *s = NULL, *t = NULL;
        json_t *json;
        if (kind == GG_SCALE_CHANNEL)
            continue;
        assert_ok(gg_scaler_fit(&s, d, kind));
        assert_ok(gg_scaler_save(&json, s));
        char *text = json_dumps(json, 0);
        json_decref(json);
        json = json_loads(text, 0, NULL);
        free(text);
        assert_ok(gg_scaler_load(&t, ctx, json));
        json_decref(json);
        assert_int_equal(gg_scaler_size(s), gg_scaler_size(t));
        assert_memory_equal(gg_scaler_shift(s), gg_scaler_shift(t), sizeof(double) * (size_t)gg_scaler_size(s));
        assert_memory_equal(gg_scaler_factor(s), gg_scaler_factor(t), sizeof(double) * (size_t)gg_scaler_size(s));
        assert_ok(gg_data_read(one, d, NULL, N, s));
        assert_ok(gg_data_read(other, d, NULL, N, t));
        assert_memory_equal(one, other, sizeof one);
        if (kind == GG_SCALE_RANGE) {
            assert_true(one[3] == 0 && one[WIDTH * (N - 1) + 3] == 1 && one[2] == 0);
        } else if (kind == GG_SCALE_UNIT) {
            assert_true(one[WIDTH * 51 + 3] == (float)(51 / 255.0));
        } else if (kind == GG_SCALE_NONE) {
            assert_memory_equal(one, x, sizeof one);
        }
        gg_scaler_free(s);
        gg_scaler_free(t);
    }
    gg_data_free(d);
}

static void a_missing_number_becomes_the_mean_of_its_feature(void **state)
{
    (void)state;
    const float some[] = {1, NAN, 3, 10, 5, 20};
    gg_data *d = NULL;
    gg_scaler *s = NULL;
    float out[6];
    const gg_array a = gg_array_rows((void *)(uintptr_t)some, GG_F32, 3, 2);
    assert_int_equal(gg_data_create(&d, ctx, &(gg_data_arrays){.x = a}), GG_ENAN);
    assert_ok(gg_data_create(&d, ctx, &(gg_data_arrays){.x = a, .missing = true}));
    assert_true(gg_data_describe(d)->missing);
    assert_int_equal(gg_data_read(out, d, NULL, 3, NULL), GG_EMISMATCH);
    for (gg_scale_kind kind = GG_SCALE_NONE; kind < GG_SCALES; kind++) {
        static const float want[GG_SCALES] = {15, 0, 0, 0.5f, (float)(15 * (1 / 255.0))};
        if (kind == GG_SCALE_CHANNEL)
            continue;
        assert_ok(gg_scaler_fit(&s, d, kind));
        assert_ok(gg_data_read(out, d, NULL, 3, s));
        assert_true(out[1] == want[kind] && (kind != GG_SCALE_NONE || out[3] == 10));
        gg_scaler_free(s);
    }
    gg_data_free(d);
}

static void damaged_scalers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "[]", "{\"scale\":\"odd\",\"shared\":1,\"shift\":[0],\"factor\":[1],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":1,\"shift\":[0,1],\"factor\":[1],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":1,\"shift\":[0],\"factor\":[0],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":1,\"shift\":[0],\"factor\":[-1],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":1,\"shift\":[\"a\"],\"factor\":[1],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":0,\"shift\":[0],\"factor\":[1],\"fill\":[0]}",
                                      "{\"scale\":\"standard\",\"shared\":9223372036854775807,\"shift\":[0,1],\"factor\":[1,1],\"fill\":[0,0]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gg_scaler *s = NULL;
        json_t *json = json_loads(bad[i], 0, NULL);
        if (gg_scaler_load(&s, ctx, json) != GG_EFORMAT)
            fail_msg("%s is taken for a scaler", bad[i]);
        assert_null(s);
        json_decref(json);
    }
    gg_scaler *s = NULL;
    json_t *json = json_loads("{\"scale\":\"standard\",\"shared\":1,\"shift\":[0],\"factor\":[1],\"fill\":[0]}", 0, NULL);
    gg_data *d = whole();
    float out[WIDTH];
    assert_ok(gg_scaler_load(&s, ctx, json));
    assert_int_equal(gg_data_read(out, d, NULL, 1, s), GG_EMISMATCH);
    expect_message("a scaler of 1 numbers for samples of 4");
    json_decref(json);
    gg_scaler_free(s);
    assert_int_equal(gg_scaler_fit(&s, d, GG_SCALE_CHANNEL), GG_EMISMATCH);
    gg_data_free(d);
}

/* Bytes go through a table of 256; it must say what the arithmetic says. */
static void channels_of_bytes_are_scaled_as_their_formula_says(void **state)
{
    (void)state;
    enum { IMAGES = 7, C = 3, S = 64 };
    uint8_t pixel[IMAGES * C * S];
    float out[IMAGES * C * S];
    gg_random r = gg_random_of(6, 0);
    for (int i = 0; i < IMAGES * C * S; i++)
        pixel[i] = (uint8_t)(gg_random_below(&r, 100) + 50 * (i / S % C));
    gg_array a = {.data = pixel, .dtype = GG_U8, .n_dims = 4, .shape = {IMAGES, C, 8, 8}, .stride = {C * S, S, 8, 1}};
    gg_data *d = NULL;
    gg_scaler *s = NULL;
    assert_ok(gg_data_create(&d, ctx, &(gg_data_arrays){.x = a}));
    assert_ok(gg_scaler_fit(&s, d, GG_SCALE_CHANNEL));
    assert_int_equal(gg_scaler_size(s), C);
    assert_ok(gg_data_read(out, d, NULL, IMAGES, s));
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < IMAGES * S; i++)
            mean += pixel[i / S * C * S + c * S + i % S] / (double)(IMAGES * S);
        for (int i = 0; i < IMAGES * S; i++)
            variance += pow(pixel[i / S * C * S + c * S + i % S] - mean, 2) / (IMAGES * S);
        for (int i = 0; i < IMAGES * S; i++) {
            const int at = i / S * C * S + c * S + i % S;
            assert_true(fabs(out[at] - (pixel[at] - mean) / sqrt(variance)) < 1e-6);
        }
    }
    gg_scaler_free(s);
    assert_ok(gg_scaler_fit(&s, d, GG_SCALE_UNIT));
    assert_ok(gg_data_read(out, d, NULL, IMAGES, s));
    for (int i = 0; i < IMAGES * C * S; i++)
        assert_true(out[i] == (float)(pixel[i] * (1 / 255.0)));
    gg_scaler_free(s);
    gg_data_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_of_a_view_outlives_both),
        cmocka_unit_test(a_view_costs_its_numbers_and_no_samples),
        cmocka_unit_test(every_format_and_stride_reads_the_same),
        cmocka_unit_test(what_is_no_data_is_refused_by_name),
        cmocka_unit_test(tokens_are_followed_by_themselves_one_further_on),
        cmocka_unit_test(parts_are_disjoint_and_of_the_size_asked_for),
        cmocka_unit_test(a_split_is_a_function_of_its_seed),
        cmocka_unit_test(stratified_parts_have_the_classes_in_proportion),
        cmocka_unit_test(folds_partition_the_data),
        cmocka_unit_test(no_group_is_on_both_sides),
        cmocka_unit_test(a_class_that_a_part_lacks_is_named),
        cmocka_unit_test(a_split_that_cannot_be_is_refused),
        cmocka_unit_test(every_epoch_has_every_sample_once_in_an_order_of_its_own),
        cmocka_unit_test(batches_go_on_from_any_place),
        cmocka_unit_test(batches_in_order_are_in_order_and_of_the_view),
        cmocka_unit_test(the_scaler_knows_the_training_part_only),
        cmocka_unit_test(a_scaler_comes_back_from_json_to_the_bit),
        cmocka_unit_test(a_missing_number_becomes_the_mean_of_its_feature),
        cmocka_unit_test(damaged_scalers_are_refused),
        cmocka_unit_test(channels_of_bytes_are_scaled_as_their_formula_says),
    };
    return cmocka_run_group_tests(tests, set_up, context_close);
}
