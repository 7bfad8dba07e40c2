/* Attention: equal to the twin over shapes, causal to the bit, free of the length of the document; planted targets found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/work.h"
#include "math/kernels_isa.h"

#define FOR_EACH_ISA(k)                                                                \
    for (int isa_ = 0; isa_ < GG__ISA_COUNT; isa_++)                                   \
        for (const gg__kernels *k = gg__kernels_of(isa_); k; k = NULL)

/* q, k, v and the result of T tokens lie in rows of one buffer, as a fused projection leaves them; the scratch ends at a guard. */
typedef struct problem {
    int64_t T, d, stride;
    float *row, *out, *want, *scratch;
    int64_t n_scratch;
} problem;

static problem make(int64_t T, int64_t d)
{
    problem p = {.T = T, .d = d, .stride = 3 * d + 5, .n_scratch = gg_attention_scratch(T, d)};
    gg_random r = gg_random_of(5, (uint64_t)(T * 1000 + d));
    p.row = malloc((size_t)(T * p.stride) * 4);
    p.out = malloc((size_t)(T * d + 4) * 4);
    p.want = malloc((size_t)(T * d + 4) * 4);
    p.scratch = malloc((size_t)(p.n_scratch + 8) * 4);
    for (int64_t i = 0; i < T * p.stride; i++)
        p.row[i] = (float)gg_random_normal(&r);
    for (int i = 0; i < 8; i++)
        p.scratch[p.n_scratch + i] = 777;
    p.out[T * d] = 777;
    return p;
}

static void drop(problem *p) { free(p->row), free(p->out), free(p->want), free(p->scratch); }

static bool narrow; /* of all solve()s */

static void solve(const gg__kernels *k, problem *p, float *out, int64_t T, float scale, float cap, int64_t window)
{
    k->attention(out, p->d, p->row, p->stride, 1, p->row + p->d, p->row + 2 * p->d, p->stride, T, p->d, scale, cap, window, narrow, p->scratch);
    for (int i = 0; i < 8; i++)
        assert_true(p->scratch[p->n_scratch + i] == 777);
    assert_true(p->out[p->T * p->d] == 777);
}

static const int64_t lengths[] = {1, 2, 3, 5, 6, 7, 13, 15, 16, 17, 31, 48, 63, 64, 65, 90, 120, 161};
static const int64_t heads[] = {1, 3, 4, 8, 12, 16, 17, 20, 32, 48, 64, 72, 80, 96, 128, 256};
enum { N_LENGTHS = sizeof lengths / sizeof *lengths, N_HEADS = sizeof heads / sizeof *heads };

static void equal_to_the_twin_over_shapes_windows_and_caps(void **state)
{
    (void)state;
    for (int a = 0; a < N_LENGTHS; a++)
        for (int b = 0; b < N_HEADS; b++) {
            problem p = make(lengths[a], heads[b]);
            float scale = 1 / sqrtf((float)p.d);
            static const int64_t window[] = {0, 1, 5, 16, 40, 1000};
            for (int w = 0; w < 6; w++) {
                float cap = w % 2 ? 2 : 0;
                if (w > 1 && (a + b) % 3)
                    continue;
                gg_naive_attention(p.want, p.d, p.row, p.stride, 1, p.row + p.d, p.row + 2 * p.d, p.stride, p.T, p.d, scale, cap, window[w], false, NULL);
                FOR_EACH_ISA(k)
                {
                    solve(k, &p, p.out, p.T, scale, cap, window[w]);
                    for (int64_t i = 0; i < p.T * p.d; i++)
                        if (!(fabs((double)p.out[i] - (double)p.want[i]) < (narrow ? 3e-2 : 3e-6)))
                            fail_msg("%s T %lld width %lld window %lld, token %lld: expected %g, found %g", k->name, (long long)p.T,
                                     (long long)p.d, (long long)window[w], (long long)(i / p.d), (double)p.want[i], (double)p.out[i]);
                }
            }
            drop(&p);
        }
}

static void a_longer_document_changes_no_bit_of_its_beginning(void **state)
{
    (void)state;
    static const int64_t window[] = {0, 9};
    FOR_EACH_ISA(k)
        for (int w = 0; w < 2; w++) {
            problem p = make(150, 64);
            solve(k, &p, p.want, 150, 0.125f, 0, window[w]);
            for (int64_t T = 1; T < 150; T++) {
                solve(k, &p, p.out, T, 0.125f, 0, window[w]);
                assert_memory_equal(p.out, p.want, (size_t)(T * 64) * 4);
            }
            drop(&p);
        }
}

static void what_comes_later_is_never_seen_not_even_a_nan(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
        for (int64_t t = 0; t < 40; t++) {
            problem p = make(40, 64);
            solve(k, &p, p.want, 40, 0.125f, 0, 0);
            for (int64_t i = 0; i < 3 * p.d; i++)
                p.row[t * p.stride + i] = i % 2 ? NAN : INFINITY;
            solve(k, &p, p.out, 40, 0.125f, 0, 0);
            assert_memory_equal(p.out, p.want, (size_t)(t * 64) * 4);
            for (int64_t i = t * 64; i < 40 * 64; i++)
                assert_true(isnan(p.out[i]));
            drop(&p);
        }
}

/* What lies before the window is not seen either. */
static void what_has_left_the_window_is_not_seen(void **state)
{
    (void)state;
    enum { T = 40, D = 64 };
    FOR_EACH_ISA(k)
        for (int64_t window = 1; window < 8; window++)
            for (int64_t t = 0; t < T; t += 3) {
                problem p = make(T, D);
                solve(k, &p, p.want, T, 0.125f, 0, window);
                for (int64_t i = 0; i < 3 * p.d; i++)
                    p.row[t * p.stride + i] = i % 2 ? NAN : INFINITY;
                solve(k, &p, p.out, T, 0.125f, 0, window);
                for (int64_t u = 0; u < T; u++)
                    if (u < t || u >= t + window)
                        assert_memory_equal(p.out + u * D, p.want + u * D, D * 4);
                    else
                        assert_true(isnan(p.out[u * D]));
                drop(&p);
            }
}

static void a_query_finds_the_key_planted_for_it(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
    {
        problem p = make(100, 32);
        for (int64_t t = 0; t < 100; t++) /* token t asks for token t / 2 with a score far above the rest */
            for (int64_t i = 0; i < 32; i++) {
                p.row[t * p.stride + i] = 100 * p.row[t / 2 * p.stride + p.d + i];
            }
        solve(k, &p, p.out, 100, 1, 0, 0);
        for (int64_t t = 0; t < 100; t++)
            for (int64_t i = 0; i < 32; i++)
                assert_true(fabsf(p.out[t * 32 + i] - p.row[t / 2 * p.stride + 64 + i]) < (narrow ? 2e-2f : 1e-6f));
        drop(&p);
    }
}

static void equal_keys_give_the_mean_of_the_values(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
    {
        problem p = make(77, 48);
        for (int64_t t = 0; t < 77; t++)
            memset(p.row + t * p.stride + p.d, 0, (size_t)p.d * 4);
        solve(k, &p, p.out, 77, 0.3f, 0, 10);
        for (int64_t t = 0; t < 77; t++)
            for (int64_t i = 0; i < 48; i++) {
                double mean = 0, n = 0;
                for (int64_t j = t < 10 ? 0 : t - 9; j <= t; j++, n++)
                    mean += (double)p.row[j * p.stride + 2 * p.d + i];
                assert_true(fabs((double)p.out[t * 48 + i] - mean / n) < (narrow ? 1e-2 : 1e-6));
            }
        drop(&p);
    }
}

/* Heads that share keys: each as it is alone, bit for bit, and the twin's; nothing between the heads' rows is touched. */
static void heads_that_share_keys_are_as_alone(void **state)
{
    (void)state;
    enum { D = 64, GAP = 5 };
    FOR_EACH_ISA(k)
        for (int64_t n = 2; n <= 7; n++)
            for (int64_t T = 1; T < 80; T += T < 20 ? 1 : 7)
                for (int64_t window = 0; window < 12; window += 11) {
                    problem p = make(T, D);
                    gg_random r = gg_random_of(6, (uint64_t)(T * 10 + n));
                    const int64_t stride = n * D + GAP;
                    float *q = malloc((size_t)(T * stride) * 4), *out = malloc((size_t)(T * stride) * 4), *want = malloc((size_t)(T * stride) * 4);
                    for (int64_t i = 0; i < T * stride; i++) {
                        q[i] = (float)gg_random_normal(&r);
                        out[i] = want[i] = 777;
                    }
                    gg_naive_attention(want, stride, q, stride, n, p.row + D, p.row + 2 * D, p.stride, T, D, 0.125f, 0, window, false, NULL);
                    k->attention(out, stride, q, stride, n, p.row + D, p.row + 2 * D, p.stride, T, D, 0.125f, 0, window, narrow, p.scratch);
                    for (int64_t i = 0; i < T * stride; i++)
                        if (!(fabs((double)out[i] - (double)want[i]) < (narrow ? 3e-2 : 3e-6)))
                            fail_msg("%s T %lld, %lld heads, window %lld: expected %g, found %g", k->name, (long long)T, (long long)n, (long long)window,
                                     (double)want[i], (double)out[i]);
                    for (int64_t h = 0; h < n; h++) {
                        k->attention(p.out, D, q + h * D, stride, 1, p.row + D, p.row + 2 * D, p.stride, T, D, 0.125f, 0, window, narrow, p.scratch);
                        for (int64_t t = 0; t < T; t++)
                            assert_memory_equal(out + t * stride + h * D, p.out + t * D, D * 4);
                    }
                    free(q), free(out), free(want);
                    drop(&p);
                }
}

/* In bfloat16 the numbers are those of float32 over rounded queries, keys and values, but for the rounding of the weights: 2^-9 of each. Where there is no
 * instruction for it, and in heads narrower than a vector, they are those of float32. */
static void narrow_is_float32_over_rounded_numbers(void **state)
{
    (void)state;
    int n_narrow = 0;
    FOR_EACH_ISA(k)
        for (int64_t d = 8; d <= 128; d += d < 40 ? 1 : 11)
            for (int64_t T = 1; T < 130; T += 9) {
                problem p = make(T, d);
                narrow = false;
                solve(k, &p, p.want, T, 0.125f, 0, 0);
                narrow = true;
                solve(k, &p, p.out, T, 0.125f, 0, 0);
                const bool same = memcmp(p.out, p.want, (size_t)(T * d) * 4) == 0;
                assert_int_equal(same, strcmp(k->name, "avx512bf16") != 0 || d < 16);
                n_narrow += !same;
                for (int64_t i = 0; i < T * p.stride; i++) {
                    uint16_t h;
                    gg_f32_to_bf16(&h, p.row + i, 1);
                    const uint32_t u = (uint32_t)h << 16;
                    memcpy(p.row + i, &u, 4);
                }
                gg_naive_attention(p.want, d, p.row, p.stride, 1, p.row + d, p.row + 2 * d, p.stride, T, d, 0.125f, 0, 0, false, NULL);
                for (int64_t i = 0; i < T * d && !same; i++)
                    if (!(fabs((double)p.out[i] - (double)p.want[i]) < 0x1p-9 * 4))
                        fail_msg("T %lld width %lld: expected %g, found %g", (long long)T, (long long)d, (double)p.want[i], (double)p.out[i]);
                drop(&p);
            }
    narrow = false;
    assert_true(n_narrow > 0 || !gg__kernels_of(GG__ISA_AVX512_BF16));
}

static int wide_run(void **state)
{
    (void)state;
    narrow = false;
    return 0;
}

static int narrow_run(void **state)
{
    (void)state;
    narrow = true;
    return 0;
}
#define BOTH(test) cmocka_unit_test_setup(test, wide_run), {#test "_in_bfloat16", test, narrow_run, NULL, NULL}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(equal_to_the_twin_over_shapes_windows_and_caps),
        BOTH(a_longer_document_changes_no_bit_of_its_beginning),
        BOTH(what_comes_later_is_never_seen_not_even_a_nan),
        BOTH(what_has_left_the_window_is_not_seen),
        BOTH(a_query_finds_the_key_planted_for_it),
        BOTH(equal_keys_give_the_mean_of_the_values),
        BOTH(heads_that_share_keys_are_as_alone),
        cmocka_unit_test(narrow_is_float32_over_rounded_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
