/* Products: equal to the twin, a row's bits free of its neighbours and of their number, whatever the threads; bad weights refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/work.h"
#include "math/kernels.h"
#include "math/linear.h"

static gg_context *ctx;

static int set_up(void **state)
{
    (void)state;
    return gg_context_create(&ctx, &(gg_context_options){.n_threads = 2}) != GG_OK;
}

static int tear_down(void **state)
{
    (void)state;
    size_t left = gg_context_bytes(ctx, NULL);
    gg_context_free(ctx);
    return left > 1 << 16; /* every linear, scratch and array was given back */
}

static float *random_floats(int64_t n, uint64_t stream)
{
    float *x = gg_new(ctx, float, n);
    gg_random r = gg_random_of(7, stream);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)gg_random_uniform(&r) * 2 - 1;
    return x;
}

static void near(const float *y, const float *want, int64_t n, double bound)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)y[i] - (double)want[i]) <= bound))
            fail_msg("value %lld: expected %g, found %g", (long long)i, (double)want[i], (double)y[i]);
}

static void products_equal_the_twin_over_shapes(void **state)
{
    (void)state;
    static const int64_t shape[][3] = {/* rows, out, in */
                                       {1, 1, 1},   {2, 3, 5},    {16, 16, 16},  {17, 31, 33}, {5, 64, 7},    {64, 65, 64},  {100, 7, 130},
                                       {65, 300, 40}, {31, 33, 257}, {128, 192, 576}, {3, 576, 192}, {47, 257, 129}, {130, 1, 64}, {33, 515, 1}};
    gg_linear_scratch *s;
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int flags = 0; flags < 8; flags++) {
            int64_t m = shape[i][0], n = shape[i][1], k = shape[i][2];
            bool bf16 = flags & 1, transposed = flags & 2, with_bias = flags & 4;
            float *x = random_floats(m * k, 1), *W = random_floats(n * k, 2), *b = random_floats(n, 3), *T = gg_new(ctx, float, n * k);
            float *y = gg_new(ctx, float, m * n + 1), *want = gg_new(ctx, float, m * n);
            uint16_t *h = gg_new(ctx, uint16_t, m * k);
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < k; c++)
                    T[c * n + r] = W[r * k + c];
            gg_linear *l;
            gg_status made = gg_linear_create_f32(&l, ctx, transposed ? T : W, transposed, with_bias ? b : NULL, n, k, bf16 ? GG_BF16 : GG_F32);
            if (bf16 && made == GG_EUNSUPPORTED) /* a processor without it says so */
                goto next;
            assert_int_equal(made, GG_OK);
            assert_int_equal(gg_linear_n_out(l), n);
            assert_int_equal(gg_linear_n_in(l), k);
            gg_f32_to_bf16(h, x, m * k);
            y[m * n] = 12345;
            assert_int_equal(gg_linear_apply(l, s, y, bf16 ? (const void *)h : x, m), GG_OK);
            assert_true(y[m * n] == 12345);
            gg_naive_linear(want, x, W, with_bias ? b : NULL, m, n, k);
            /* numbers below 1: rounded to bfloat16 their products are off by 2^-8, independently; sums in float32 by 2^-24 at each step */
            near(y, want, m * n, bf16 ? 0x1p-8 * 4 * sqrt((double)k) : 0x1p-24 * 4 * (double)k);
            gg_linear_free(l);
        next:
            gg_drop(ctx, x), gg_drop(ctx, W), gg_drop(ctx, b), gg_drop(ctx, T), gg_drop(ctx, y), gg_drop(ctx, want), gg_drop(ctx, h);
        }
    gg_linear_scratch_free(s);
}

static void check_rows(int64_t n, int64_t k, gg_dtype compute, const int64_t *counts, int64_t n_counts, int64_t most)
{
    gg_linear_scratch *s;
    gg_linear *l;
    float *W = random_floats(n * k, 4), *x = random_floats(most * k, 5), *all = gg_new(ctx, float, most * n), *y = gg_new(ctx, float, most * n);
    uint16_t *h = gg_new(ctx, uint16_t, most * k);
    size_t row = (size_t)k * (compute == GG_BF16 ? 2 : 4);
    gg_f32_to_bf16(h, x, most * k);
    const char *in = compute == GG_BF16 ? (const char *)h : (const char *)x;
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, n, k, compute), GG_OK);
    assert_int_equal(gg_linear_apply(l, s, all, in, most), GG_OK);
    for (int64_t i = 0; i < n_counts; i++) {
        int64_t starts[3] = {0, (most - counts[i]) / 3, most - counts[i]};
        for (int j = 0; j < 3; j++) {
            memset(y, 0xff, (size_t)(counts[i] * n) * 4);
            assert_int_equal(gg_linear_apply(l, s, y, in + (size_t)starts[j] * row, counts[i]), GG_OK);
            if (memcmp(y, all + starts[j] * n, (size_t)(counts[i] * n) * 4))
                fail_msg("(%lld -> %lld): %lld rows from %lld differ from the same rows among %lld", (long long)k, (long long)n,
                         (long long)counts[i], (long long)starts[j], (long long)most);
        }
    }
    gg_linear_free(l);
    gg_linear_scratch_free(s);
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, all), gg_drop(ctx, y), gg_drop(ctx, h);
}

static void a_row_is_the_same_whatever_the_number_of_rows_and_its_place(void **state)
{
    (void)state;
    int64_t every[140], few[] = {1, 2, 15, 16, 17, 63, 64, 65, 120};
    int64_t n = 0;
    for (int64_t m = 1; m <= 130; m++)
        every[n++] = m;
    every[n++] = 200;
    every[n++] = 255;
    every[n++] = 480;
    every[n++] = 511;
    check_rows(192, 576, GG_F32, every, n, 512);
    check_rows(1536, 576, GG_F32, few, 9, 129);
    check_rows(576, 1536, GG_F32, few, 9, 129);
    check_rows(576, 576, GG_F32, few, 9, 129);
    check_rows(8192, 576, GG_F32, few, 3, 65);
    check_rows(37, 101, GG_F32, every, n, 512);
    check_rows(64, 2048, GG_F32, every, n, 512);
}

/* ---- threads */

typedef struct job {
    const gg_linear *l;
    const float *x;
    float *y;
    int64_t n, k, rows;
} job;

static gg_status one_piece(void *user, int64_t i, int worker)
{
    job *j = user;
    gg_linear_scratch *s;
    (void)worker;
    GG_TRY(gg_linear_scratch_create(&s, ctx));
    gg_status e = gg_linear_apply(j->l, s, j->y + i * j->rows * j->n, j->x + i * j->rows * j->k, j->rows);
    gg_linear_scratch_free(s);
    return e;
}

static void threads_share_a_linear_and_change_nothing(void **state)
{
    (void)state;
    enum { N = 200, K = 300, PIECES = 16, ROWS = 21 };
    float *W = random_floats(N * K, 8), *x = random_floats(PIECES * ROWS * K, 9);
    float *y = gg_new(ctx, float, PIECES *ROWS *N), *z = gg_new(ctx, float, PIECES *ROWS *N);
    gg_linear *l;
    gg_linear_scratch *s;
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, N, K, GG_F32), GG_OK);
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_apply(l, s, y, x, PIECES * ROWS), GG_OK); /* here OpenMP may have its threads */
    job j = {l, x, z, N, K, ROWS};
    assert_int_equal(gg_parallel(ctx, PIECES, one_piece, &j), GG_OK);
    assert_memory_equal(y, z, PIECES * ROWS * N * 4);
    gg_linear_free(l);
    gg_linear_scratch_free(s);
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y), gg_drop(ctx, z);
}

/* ---- packing */

static void quantised_rows_are_packed_as_they_dequantise(void **state)
{
    (void)state;
    enum { N = 70, K = 64, STRIDE = 50 }; /* a Q4_1 row of 64 is 40 bytes; ten more lie between the rows */
    uint8_t raw[N * STRIDE];
    gg_random r = gg_random_of(3, 3);
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)gg_random_below(&r, 256);
    float *W = gg_new(ctx, float, N *K), *x = random_floats(20 * K, 4), *y = gg_new(ctx, float, 20 * N), *z = gg_new(ctx, float, 20 * N);
    for (int64_t i = 0; i < N; i++) {
        for (int b = 0; b < 2; b++)
            memcpy(raw + i * STRIDE + b * 20, (uint16_t[]){0x2e66, 0xb800}, 4); /* 0.1, -0.5 */
        assert_int_equal(gg_to_f32(W + i * K, raw + i * STRIDE, GG_Q4_1, K), GG_OK);
    }
    gg_linear *a, *b;
    gg_linear_scratch *s;
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_create(&a, ctx, raw, GG_Q4_1, STRIDE, NULL, N, K, GG_F32), GG_OK);
    assert_int_equal(gg_linear_create_f32(&b, ctx, W, false, NULL, N, K, GG_F32), GG_OK);
    assert_int_equal(gg_linear_apply(a, s, y, x, 20), GG_OK);
    assert_int_equal(gg_linear_apply(b, s, z, x, 20), GG_OK);
    assert_memory_equal(y, z, 20 * N * 4);
    gg_linear_free(a);
    gg_linear_free(b);
    gg_linear_scratch_free(s);
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y), gg_drop(ctx, z);
}

static void no_float32_copy_is_kept_and_none_is_made_whole(void **state)
{
    (void)state;
    enum { N = 4096, K = 512 };
    float *W = random_floats(N * K, 1);
    gg_context *fresh;
    assert_int_equal(gg_context_create(&fresh, NULL), GG_OK);
    size_t before = gg_context_bytes(fresh, NULL), peak;
    gg_linear *l;
    assert_int_equal(gg_linear_create_f32(&l, fresh, W, false, NULL, N, K, GG_F32), GG_OK);
    int64_t held = (int64_t)(gg_context_bytes(fresh, &peak) - before);
    assert_true(gg_linear_bytes(l) >= N * K * 4 && gg_linear_bytes(l) <= N * K * 4 * 1.05);
    assert_true(held <= gg_linear_bytes(l) + 65536);
    assert_true(peak - before <= N * K * 4 * 1.2);
    gg_linear_free(l);
    if (gg_linear_create_f32(&l, fresh, W, false, NULL, N, K, GG_BF16) == GG_OK) {
        assert_true(gg_linear_bytes(l) <= N * K * 2 * 1.05);
        gg_linear_free(l);
    }
    gg_context_free(fresh);
    gg_drop(ctx, W);
}

static void applying_again_allocates_nothing(void **state)
{
    (void)state;
    float *W = random_floats(96 * 80, 1), *x = random_floats(200 * 80, 2), *y = gg_new(ctx, float, 200 * 96);
    gg_linear *l;
    gg_linear_scratch *s;
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 96, 80, GG_F32), GG_OK);
    for (int64_t m = 0; m <= 200; m++)
        assert_int_equal(gg_linear_apply(l, s, y, x, m), GG_OK);
    int64_t n = gg_context_allocations(ctx);
    for (int64_t m = 0; m <= 200; m++)
        assert_int_equal(gg_linear_apply(l, s, y, x, m), GG_OK);
    assert_int_equal(gg_context_allocations(ctx), n);
    gg_linear_free(l);
    gg_linear_scratch_free(s);
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y);
}

static void bad_weights_and_shapes_are_refused_with_their_place(void **state)
{
    (void)state;
    float *W = random_floats(600 * 33, 1);
    gg_linear *l;
    W[577 * 33 + 32] = NAN;
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 600, 33, GG_F32), GG_ENAN);
    assert_null(l);
    assert_non_null(strstr(gg_message(ctx), "row 577"));
    W[577 * 33 + 32] = 0;
    W[5 * 600 + 411] = -INFINITY; /* of a transposed matrix: output 411 */
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, true, NULL, 600, 33, GG_F32), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "row 411"));
    W[5 * 600 + 411] = 0;
    float bias[600] = {0};
    bias[3] = NAN;
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, bias, 600, 33, GG_F32), GG_ENAN);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 0, 33, GG_F32), GG_EINVAL);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 3, -1, GG_F32), GG_EINVAL);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 3, 3, GG_F16), GG_EINVAL);
    assert_int_equal(gg_linear_create(&l, ctx, W, GG_Q4_1, 0, NULL, 3, 33, GG_F32), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "Q4_1"));
    gg_linear_free(NULL);
    gg_linear_scratch_free(NULL);
    gg_drop(ctx, W);
}

static void a_number_that_is_not_finite_stays_in_its_row(void **state)
{
    (void)state;
    float *W = random_floats(40 * 50, 1), *x = random_floats(30 * 50, 2), *y = gg_new(ctx, float, 30 * 40);
    gg_linear *l;
    gg_linear_scratch *s;
    x[7 * 50 + 3] = NAN;
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, 40, 50, GG_F32), GG_OK);
    assert_int_equal(gg_linear_apply(l, s, y, x, 30), GG_OK);
    for (int64_t i = 0; i < 30 * 40; i++)
        assert_int_equal(isnan(y[i]) != 0, i / 40 == 7);
    assert_int_equal(gg_linear_apply(l, s, y, x, -1), GG_EINVAL);
    gg_linear_free(l);
    gg_linear_scratch_free(s);
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y);
}

/* ---- the n-th allocation fails */

typedef struct ration {
    int64_t left; /* allocations still given */
    int64_t held;
} ration;

static void *rationed(void *user, void *old, size_t old_size, size_t new_size)
{
    ration *r = user;
    void *p = NULL;
    if (new_size && r->left-- <= 0)
        return NULL;
    if (new_size && !(p = aligned_alloc(64, (new_size + 63) / 64 * 64)))
        return NULL;
    if (p && old)
        memcpy(p, old, old_size < new_size ? old_size : new_size);
    r->held += (p != NULL) - (old != NULL);
    free(old);
    return p;
}

static void any_allocation_may_fail_and_nothing_is_lost(void **state)
{
    (void)state;
    float *W = random_floats(300 * 20, 1), *x = random_floats(20 * 300, 2), *y = gg_new(ctx, float, 20 * 300), scale[20] = {0};
    int failures = 0, i8 = 0;
    for (int64_t n = 0;; n++) {
        ration r = {.left = INT64_MAX};
        gg_context *poor;
        assert_int_equal(gg_context_create(&poor, &(gg_context_options){.allocator = {rationed, &r}, .n_threads = 1}), GG_OK);
        int64_t before = r.held;
        r.left = n;
        gg_linear *l = NULL;
        gg_linear_scratch *s = NULL;
        gg_status e = gg_linear_create_f32(&l, poor, W, false, x, 300, 20, i8 ? GG_I8 : GG_F32);
        if (e == GG_OK)
            e = gg_linear_scratch_create(&s, poor);
        for (int rows = 3; rows <= 20 && e == GG_OK; rows += 17) /* 3: padded */
            e = i8 ? gg_linear_apply_i8(l, s, y, (const int8_t *)x, scale, rows) : gg_linear_apply(l, s, y, x, rows);
        assert_true(e == GG_OK || e == GG_ENOMEM);
        if (e == GG_ENOMEM) { /* what there is still works once there is memory */
            failures++;
            r.left = INT64_MAX;
            if (s && !i8)
                assert_int_equal(gg_linear_apply(l, s, y, x, 20), GG_OK);
        }
        gg_linear_free(l);
        gg_linear_scratch_free(s);
        assert_int_equal(r.held, before);
        gg_context_free(poor);
        if (e == GG_OK) {
            assert_in_range(failures, 6, 40);
            if (i8 || !gg_i8_is_there())
                break;
            i8 = 1;
            n = -1;
            failures = 0;
        }
    }
    gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y);
}

/* ---- int8 */

static void naive_i8(float *y, const int8_t *x, const float *x_scale, const int8_t *w, const float *w_scale, const float *bias, int64_t m, int64_t n, int64_t k)
{
    for (int64_t r = 0; r < m; r++)
        for (int64_t o = 0; o < n; o++) {
            int64_t sum = 0;
            for (int64_t i = 0; i < k; i++)
                sum += (int64_t)x[r * k + i] * w[o * k + i];
            const float v = (float)sum * (x_scale[r] * w_scale[o]);
            y[r * n + o] = bias ? v + bias[o] : v;
        }
}

/* The sums are whole numbers, so every bit is known; rows do not depend on their neighbours; -127 times 127 in all places does not overflow. */
static void int8_products_are_exact_sums_with_scales(void **state)
{
    (void)state;
    static const int64_t shape[][3] = {/* rows, out, in */
                                       {1, 1, 1},      {2, 3, 5},   {7, 16, 16},   {8, 31, 33}, {5, 64, 7},     {64, 65, 64},  {100, 7, 130},
                                       {65, 300, 40},  {31, 33, 257}, {128, 192, 576}, {3, 576, 192}, {47, 257, 129}, {130, 1, 64}, {33, 515, 1},
                                       {300, 96, 1536}};
    gg_linear_scratch *s;
    if (!gg_i8_is_there())
        skip();
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int flags = 0; flags < 8; flags++) {
            const int64_t m = shape[i][0], n = shape[i][1], k = shape[i][2];
            const bool transposed = flags & 1, with_bias = flags & 2, extreme = flags & 4;
            float *x = random_floats(m * k, 1), *W = random_floats(n * k, 2), *b = random_floats(n, 3), *T = gg_new(ctx, float, n * k);
            float *y = gg_new(ctx, float, m * n + 1), *want = gg_new(ctx, float, m * n), *x_scale = gg_new(ctx, float, m), *w_scale = gg_new(ctx, float, n);
            int8_t *x8 = gg_new(ctx, int8_t, m * k), *w8 = gg_new(ctx, int8_t, n * k);
            for (int64_t j = 0; j < n * k && extreme; j++)
                W[j] = -3;
            for (int64_t j = 0; j < m * k && extreme; j++)
                x[j] = 0.5f;
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < k; c++)
                    T[c * n + r] = W[r * k + c];
            for (int64_t r = 0; r < m; r++)
                x_scale[r] = gg_naive_f32_to_i8(x8 + r * k, x + r * k, k);
            for (int64_t o = 0; o < n; o++)
                w_scale[o] = gg_naive_f32_to_i8(w8 + o * k, W + o * k, k);
            gg_linear *l;
            assert_int_equal(gg_linear_create_f32(&l, ctx, transposed ? T : W, transposed, with_bias ? b : NULL, n, k, GG_I8), GG_OK);
            assert_true(gg_linear_bytes(l) >= n * k);
            naive_i8(want, x8, x_scale, w8, w_scale, with_bias ? b : NULL, m, n, k);
            for (int64_t from = 0; from < m; from += m < 40 ? 1 : 13) { /* all rows from `from` on */
                y[m * n] = 12345;
                assert_int_equal(gg_linear_apply_i8(l, s, y, x8 + from * k, x_scale + from, m - from), GG_OK);
                assert_true(y[m * n] == 12345);
                assert_memory_equal(y, want + from * n, (size_t)((m - from) * n) * sizeof *y);
            }
            assert_int_equal(gg_linear_apply(l, s, y, x8, m), GG_EINTERNAL); /* rows without scales */
            gg_linear_free(l);
            void *const all[] = {x, W, b, T, y, want, x_scale, w_scale, x8, w8};
            for (size_t j = 0; j < sizeof all / sizeof *all; j++)
                gg_drop(ctx, all[j]);
        }
    gg_linear_scratch_free(s);
}

static void int8_is_near_and_small(void **state)
{
    (void)state;
    enum { M = 40, N = 2048, K = 576 };
    gg_linear_scratch *s;
    gg_linear *l;
    if (!gg_i8_is_there())
        skip();
    float *x = random_floats(M * K, 1), *W = random_floats(N * K, 2), *y = gg_new(ctx, float, M * N), *want = gg_new(ctx, float, M * N), scale[M];
    int8_t *x8 = gg_new(ctx, int8_t, M * K);
    assert_int_equal(gg_linear_scratch_create(&s, ctx), GG_OK);
    assert_int_equal(gg_linear_create_f32(&l, ctx, W, false, NULL, N, K, GG_I8), GG_OK);
    assert_true(gg_linear_bytes(l) <= N * K * 1.05);
    for (int r = 0; r < M; r++)
        scale[r] = gg_f32_to_i8(x8 + r * K, x + r * K, K);
    assert_int_equal(gg_linear_apply_i8(l, s, y, x8, scale, M), GG_OK);
    gg_naive_linear(want, x, W, NULL, M, N, K);
    /* numbers in [-1, 1] rounded by at most 1 / 254, uniformly: each of K products is off by sqrt(2 / 3 / 12) / 127 = 0.00186 in the mean square */
    double square = 0;
    for (int64_t i = 0; i < M * N; i++)
        square += ((double)y[i] - (double)want[i]) * ((double)y[i] - (double)want[i]);
    const double error = sqrt(square / (M * N)), expected = 0.00186 * sqrt((double)K);
    if (!(error > 0.8 * expected && error < 1.2 * expected))
        fail_msg("an error of %g in the mean square, expected %g", error, expected);
    scale[3] = NAN; /* a row that was not finite stays so, alone */
    assert_int_equal(gg_linear_apply_i8(l, s, want, x8, scale, M), GG_OK);
    for (int64_t i = 0; i < M * N; i++)
        assert_true(i / N == 3 ? isnan(want[i]) : want[i] == y[i]);
    gg_linear_free(l);
    gg_linear_scratch_free(s);
    gg_drop(ctx, x), gg_drop(ctx, W), gg_drop(ctx, y), gg_drop(ctx, want), gg_drop(ctx, x8);
}

static void the_question_about_bfloat16_is_answered_once(void **state)
{
    (void)state;
    bool first = gg_bf16_is_fast(ctx);
    int64_t n = gg_context_allocations(ctx);
    assert_int_equal(gg_bf16_is_fast(ctx), first);
    assert_int_equal(gg_context_allocations(ctx), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_the_twin_over_shapes),
        cmocka_unit_test(a_row_is_the_same_whatever_the_number_of_rows_and_its_place),
        cmocka_unit_test(threads_share_a_linear_and_change_nothing),
        cmocka_unit_test(quantised_rows_are_packed_as_they_dequantise),
        cmocka_unit_test(no_float32_copy_is_kept_and_none_is_made_whole),
        cmocka_unit_test(applying_again_allocates_nothing),
        cmocka_unit_test(bad_weights_and_shapes_are_refused_with_their_place),
        cmocka_unit_test(a_number_that_is_not_finite_stays_in_its_row),
        cmocka_unit_test(any_allocation_may_fail_and_nothing_is_lost),
        cmocka_unit_test(int8_products_are_exact_sums_with_scales),
        cmocka_unit_test(int8_is_near_and_small),
        cmocka_unit_test(the_question_about_bfloat16_is_answered_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
