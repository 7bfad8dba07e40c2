/* Vector kernels of every instruction set that this processor has, against their twins: over lengths, tails, the whole range of floats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/work.h"
#include "math/kernels_isa.h"

enum { MOST = 2100 };
static float *x, *y, *z, *w, *b; /* (MOST,) each, with eight guard floats behind */
static const float guard = 12345;

static void fill(float *p, int64_t n, uint64_t stream, float scale)
{
    gg_random r = gg_random_of(11, stream);
    for (int64_t i = 0; i < n; i++)
        p[i] = (float)(gg_random_normal(&r) * (double)scale);
    for (int64_t i = n; i < n + 8; i++)
        p[i] = guard;
}

static void guarded(const float *p, int64_t n)
{
    for (int64_t i = n; i < n + 8; i++)
        assert_true(p[i] == guard);
}

static int set_up(void **state)
{
    (void)state;
    float **all[] = {&x, &y, &z, &w, &b};
    for (int i = 0; i < 5; i++)
        *all[i] = malloc((MOST + 8) * sizeof(float));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(x), free(y), free(z), free(w), free(b);
    return 0;
}

#define FOR_EACH_ISA(k)                                                                \
    for (int isa_ = 0; isa_ < GG__ISA_COUNT; isa_++)                                   \
        for (const gg__kernels *k = gg__kernels_of(isa_); k; k = NULL)

/* distance of y from the true value in units of its last place */
static double ulps(float found, double want)
{
    if (isnan(want) || isnan(found))
        return isnan(want) && isnan(found) ? 0 : INFINITY;
    if (isinf((float)want) || isinf(found))
        return (float)want == found ? 0 : INFINITY;
    double unit = fabs(want) < 0x1p-126 ? 0x1p-149 : ldexp(1, ilogb(want) - 23);
    return fabs((double)found - want) / unit;
}

static double true_exp(double v) { return exp(v); }
static double true_tanh(double v) { return tanh(v); }
static double true_silu(double v) { return v / (1 + exp(-v)); }
static double true_gelu_erf(double v) { return v * 0.5 * erfc(-v * 0.70710678118654752440); }
static double true_gelu_tanh(double v) { return v / (1 + exp(-2 * 0.79788456080286535588 * (v + 0.044715 * v * v * v))); }
static double true_relu(double v) { return v < 0 ? 0 : v; }

static void functions_are_right_over_the_whole_range_of_floats(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
    {
        const struct {
            const char *name;
            void (*f)(float *, const float *, int64_t);
            double (*truth)(double);
            double ulp;   /* allowed where the result is at least `least` */
            double least; /* below: an absolute error of `least` 2^-20 or a flush to zero is let through */
        } table[] = {
            {"exp", k->exp, true_exp, 2, 0},
            {"tanh", k->tanh, true_tanh, 2, 0},
            {"relu", k->relu, true_relu, 0, 0},
            {"silu", k->silu, true_silu, 3, 0x1p-120},
            {"gelu_erf", k->gelu_erf, true_gelu_erf, 10, 0x1p-120},
            {"gelu_tanh", k->gelu_tanh, true_gelu_tanh, 256, 0x1p-120}, /* the rounding of u is multiplied by u where e^-2u is large */
        };
        for (size_t f = 0; f < sizeof table / sizeof *table; f++)
            for (uint64_t bits = 0; bits <= UINT32_MAX;) {
                int64_t n = 0;
                for (; n < MOST && bits <= UINT32_MAX; n++, bits += 6007) {
                    uint32_t u = (uint32_t)bits;
                    memcpy(x + n, &u, 4);
                }
                table[f].f(y, x, n);
                for (int64_t i = 0; i < n; i++) {
                    double want = table[f].truth((double)x[i]), e = ulps(y[i], want);
                    if (e > table[f].ulp && !(fabs(want) < table[f].least && fabs((double)y[i]) <= table[f].least))
                        fail_msg("%s %s(%a): expected %a, found %a, %g ulp off", k->name, table[f].name, (double)x[i], want,
                                 (double)y[i], e);
                }
            }
    }
}

/* The twins are what the kernels are measured with: half an ulp, and what a second rounding adds. */
static void twins_are_the_functions(void **state)
{
    (void)state;
    const struct {
        const char *name;
        void (*f)(float *, const float *, int64_t);
        double (*truth)(double);
    } table[] = {{"exp", gg_naive_exp, true_exp}, {"tanh", gg_naive_tanh, true_tanh}, {"silu", gg_naive_silu, true_silu},
                 {"gelu_erf", gg_naive_gelu_erf, true_gelu_erf}, {"gelu_tanh", gg_naive_gelu_tanh, true_gelu_tanh}};
    for (size_t f = 0; f < sizeof table / sizeof *table; f++)
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 600011) {
            const uint32_t u = (uint32_t)bits;
            float v, got;
            memcpy(&v, &u, 4);
            table[f].f(&got, &v, 1);
            if (ulps(got, table[f].truth((double)v)) > 0.5001)
                fail_msg("%s(%a): expected %a, found %a", table[f].name, (double)v, table[f].truth((double)v), (double)got);
        }
}

static void functions_at_the_edges(void **state)
{
    (void)state;
    const float edge[] = {0, -0.0f, INFINITY, -INFINITY, NAN, FLT_MAX, -FLT_MAX, FLT_MIN, 0x1p-149f, 88.72283f, 88.72284f, -87.33655f,
                          -103.97208f, -103.97209f, -104.1f, 1e-10f, -1e-10f, 20, -20, 0.625f, -0.625f};
    enum { N = sizeof edge / sizeof *edge };
    FOR_EACH_ISA(k)
    {
        k->exp(y, edge, N);
        for (int i = 0; i < N; i++)
            assert_true(ulps(y[i], exp((double)edge[i])) <= 2);
        assert_true(y[0] == 1 && y[1] == 1 && isinf(y[2]) && y[3] == 0 && isnan(y[4]));
        k->tanh(y, edge, N);
        assert_true(y[0] == 0 && signbit(y[1]) && y[2] == 1 && y[3] == -1 && isnan(y[4]) && y[5] == 1 && y[8] == 0x1p-149f);
        k->silu(y, edge, N);
        assert_true(y[0] == 0 && isinf(y[2]) && isnan(y[4]) && y[5] == FLT_MAX && y[6] == 0);
        k->gelu_erf(y, edge, N);
        assert_true(y[0] == 0 && isinf(y[2]) && isnan(y[4]) && y[5] == FLT_MAX && y[6] == 0);
        k->gelu_tanh(y, edge, N);
        assert_true(y[0] == 0 && isinf(y[2]) && isnan(y[4]) && y[5] == FLT_MAX && y[6] == 0);
        k->relu(y, edge, N);
        assert_true(y[2] == INFINITY && y[3] == 0 && isnan(y[4]) && y[6] == 0);
        k->softcap(y, edge, 30, N);
        assert_true(y[2] == 30 && y[3] == -30 && isnan(y[4]) && y[5] == 30);
        for (int i = 0; i < N; i++)
            assert_int_equal(k->all_finite(edge + i, 1), isfinite(edge[i]) != 0);
    }
}

/* A value is the same at any place of a row, in its vectors and in its tail; nothing is written behind the end; y may be x. */
static void a_value_does_not_depend_on_its_place(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
    {
        void (*f[])(float *, const float *, int64_t) = {k->exp, k->silu, k->gelu_tanh, k->gelu_erf, k->relu, k->tanh};
        for (size_t j = 0; j < sizeof f / sizeof *f; j++) {
            fill(x, MOST, 1, 3);
            f[j](z, x, MOST);
            for (int64_t n = 0; n <= 70; n++)
                for (int64_t at = 0; at < 5; at++) {
                    fill(y, n, 2, 1);
                    f[j](y, x + at, n);
                    assert_memory_equal(y, z + at, (size_t)n * 4);
                    guarded(y, n);
                }
            f[j](x, x, MOST);
            assert_memory_equal(x, z, MOST * 4);
        }
    }
}

static void arithmetic_of_rows(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
        for (int64_t n = 0; n <= 140; n++) {
            fill(x, n, 3, 1);
            fill(w, n, 4, 1);
            fill(y, n, 5, 1);
            memcpy(z, y, (size_t)(n + 8) * 4);
            k->mul(y, x, w, n);
            for (int64_t i = 0; i < n; i++)
                assert_true(y[i] == x[i] * w[i]);
            k->add(y, x, w, n);
            for (int64_t i = 0; i < n; i++)
                assert_true(y[i] == x[i] + w[i]);
            k->scale(y, 0.3f, x, n);
            for (int64_t i = 0; i < n; i++)
                assert_true(y[i] == 0.3f * x[i]);
            memcpy(y, z, (size_t)n * 4);
            k->abs_add(y, x, n);
            for (int64_t i = 0; i < n; i++)
                assert_true(y[i] == z[i] + fabsf(x[i]));
            guarded(y, n);
            double dot = 0, size = 0;
            for (int64_t i = 0; i < n; i++) {
                dot += (double)x[i] * (double)w[i];
                size += fabs((double)x[i] * (double)w[i]);
            }
            assert_true(fabs((double)k->dot(x, w, n) - dot) <= size * 0x1p-23);
            k->softcap(y, x, 2, n);
            for (int64_t i = 0; i < n; i++)
                assert_true(fabs((double)y[i] - 2 * tanh((double)x[i] / 2)) < 1e-6);
            assert_true(k->all_finite(x, n));
            for (int64_t i = 0; i < n; i++) {
                float keep = x[i];
                x[i] = i % 2 ? NAN : -INFINITY;
                assert_false(k->all_finite(x, n));
                x[i] = keep;
            }
        }
}

static void bfloat16_is_rounded_alike_in_vectors_and_tails(void **state)
{
    (void)state;
    static uint16_t h[MOST + 1], one;
    gg_random r = gg_random_of(2, 2);
    for (int64_t i = 0; i < MOST; i++) {
        uint32_t u = (uint32_t)gg_random_u64(&r) | (i % 7 ? 0 : 0x7f800000); /* infinities and NaN among them */
        u = i % 5 ? u : (u & 0xffff0000) | 0x8000;                           /* ties */
        memcpy(x + i, &u, 4);
    }
    FOR_EACH_ISA(k)
        for (int64_t n = 0; n < 100; n++) {
            h[n] = 0x1234;
            k->to_bf16(h, x + n, n);
            assert_int_equal(h[n], 0x1234);
            for (int64_t i = 0; i < n; i++) {
                gg__kernels_plain.to_bf16(&one, x + n + i, 1); /* dequant_test.c holds it to the definition */
                assert_int_equal(h[i], one);
            }
        }
}

static void near(const float *found, const float *want, int64_t n, double tolerance, const char *what)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - (double)want[i]) <= tolerance * (1e-3 + fabs((double)want[i]))))
            fail_msg("%s of %lld, value %lld: expected %g, found %g", what, (long long)n, (long long)i, (double)want[i], (double)found[i]);
}

static const int64_t widths[] = {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 128, 129, 257, 576, 1536, 2049};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

static void norms_softmax_and_logsumexp_equal_their_twins(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
        for (int i = 0; i < N_WIDTHS; i++) {
            int64_t n = widths[i];
            fill(w, n, 6, 1);
            fill(b, n, 7, 1);
            for (int with = 0; with < 4; with++) {
                fill(x, n, 8, 4);
                fill(y, n, 9, 1);
                k->rms_norm(y, x, with & 1 ? w : NULL, with & 2 ? 1 : 0, 1e-5f, n);
                gg_naive_rms_norm(z, x, with & 1 ? w : NULL, with & 2 ? 1 : 0, 1e-5f, n);
                near(y, z, n, 2e-6, "rms_norm");
                guarded(y, n);
                k->layer_norm(y, x, with & 1 ? w : NULL, with & 2 ? b : NULL, 1e-5f, n);
                gg_naive_layer_norm(z, x, with & 1 ? w : NULL, with & 2 ? b : NULL, 1e-5f, n);
                if (n > 2) /* with one or two values the variance is mere cancellation */
                    near(y, z, n, 1e-4, "layer_norm");
                guarded(y, n);
                memcpy(y, x, (size_t)n * 4);
                k->rms_norm(y, y, w, 0, 1e-5f, n); /* in place */
                gg_naive_rms_norm(z, x, w, 0, 1e-5f, n);
                near(y, z, n, 2e-6, "rms_norm in place");
            }
            fill(x, n, 10, 5);
            double sum = 0, max = -INFINITY;
            for (int64_t j = 0; j < n; j++)
                max = fmax(max, (double)x[j]);
            for (int64_t j = 0; j < n; j++)
                sum += exp((double)x[j] - max);
            assert_true(fabs(k->logsumexp(x, n) - (max + log(sum))) < 1e-6);
            memcpy(y, x, (size_t)n * 4);
            gg_naive_softmax(y, n);
            k->softmax(x, n);
            near(x, y, n, 3e-6, "softmax");
            guarded(x, n);
        }
}

static void softmax_and_logsumexp_survive_extremes(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
    {
        float large[] = {3e38f, -3e38f, 3e38f}, none[20], one[] = {-INFINITY, 2, -INFINITY}, bad[] = {1, NAN, 2};
        k->softmax(large, 3);
        assert_true(large[0] == 0.5f && large[1] == 0 && large[2] == 0.5f);
        k->softmax(one, 3);
        assert_true(one[0] == 0 && one[1] == 1 && one[2] == 0);
        k->softmax(bad, 3);
        assert_true(isnan(bad[0]) && isnan(bad[1]) && isnan(bad[2]));
        for (int i = 0; i < 20; i++)
            none[i] = -INFINITY;
        assert_true(k->logsumexp(none, 20) == -INFINITY);
        none[19] = 700;
        assert_true(k->logsumexp(none, 20) == 700);
        none[3] = NAN;
        assert_true(isnan(k->logsumexp(none, 20)));
        none[19] = INFINITY;
        assert_true(isnan(k->logsumexp(none, 20)));
        none[3] = 0;
        assert_true(k->logsumexp(none, 20) == INFINITY);
    }
}

static void rope_rotates_the_halves_and_leaves_the_rest(void **state)
{
    (void)state;
    static const int64_t shape[][3] = {{1, 2, 2}, {9, 64, 64}, {3, 80, 20}, {2, 128, 128}, {5, 6, 4}, {4, 34, 34}, {2, 16, 0}}; /* heads, width, rotated */
    FOR_EACH_ISA(k)
        for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
            int64_t n = shape[i][0] * shape[i][1];
            for (int64_t j = 0; j < shape[i][2] / 2; j++) {
                w[j] = (float)cos(0.7 * (double)j + 0.1);
                b[j] = (float)sin(0.7 * (double)j + 0.1);
            }
            fill(x, n, 12, 1);
            memcpy(y, x, (size_t)n * 4);
            k->rope(x, w, b, shape[i][0], shape[i][1], shape[i][2]);
            gg_naive_rope(y, w, b, shape[i][0], shape[i][1], shape[i][2]);
            near(x, y, n, 1e-4, "rope");
            guarded(x, n);
        }
}

static void check_top(const gg__kernels *k, int64_t n, int64_t n_top)
{
    static int32_t found[MOST + 1], want[MOST];
    found[n_top] = -77;
    k->top_k(found, y, x, n, n_top);
    gg_naive_top_k(want, z, x, n, n_top);
    assert_int_equal(found[n_top], -77);
    for (int64_t i = 0; i < n_top; i++)
        if (found[i] != want[i] || memcmp(y + i, z + i, 4))
            fail_msg("%s, %lld of %lld, place %lld: expected %d (%g), found %d (%g)", k->name, (long long)n_top, (long long)n, (long long)i,
                     want[i], (double)z[i], found[i], (double)y[i]);
    k->top_k(found, NULL, x, n, n_top);
}

static void top_k_is_ordered_and_ties_go_to_the_lowest_index(void **state)
{
    (void)state;
    FOR_EACH_ISA(k)
        for (int i = 0; i < N_WIDTHS; i++) {
            int64_t n = widths[i];
            const int64_t some[] = {1, 2, 10, 30, 64, 65, 100, n};
            for (int kind = 0; kind < 6; kind++) {
                fill(x, n, (uint64_t)(100 * kind + i), 1);
                for (int64_t j = 0; j < n; j++)
                    switch (kind) {
                    case 1: x[j] = roundf(x[j]); break;                      /* many ties, -0 among them */
                    case 2: x[j] = j % 3 ? x[j] : NAN; break;
                    case 3: x[j] = j % 5 ? -INFINITY : j % 2 ? NAN : 1; break;
                    case 4: x[j] = (float)j; break;                          /* each enters the list */
                    case 5: x[j] = NAN; break;
                    default: break;
                    }
                for (size_t t = 0; t < sizeof some / sizeof *some; t++)
                    if (some[t] <= n && (n < 1000 || some[t] <= 100))
                        check_top(k, n, some[t]);
            }
        }
}

/* The same bits, or NaN on both sides; in float32 or bfloat16, where what is below 2^-126 may be 0. Nothing behind the last number was touched. */
static void same(const void *found, const float *want, bool narrow, int64_t n, const char *what)
{
    static uint16_t h[MOST];
    const uint16_t *f = found;
    gg_f32_to_bf16(h, want, n);
    for (int64_t i = 0; i < n; i++)
        if (narrow && fabsf(want[i]) < 0x1p-126f && (f[i] & 0x7fff) == 0)
            continue;
        else if (isnan(want[i]) ? !(narrow ? (f[i] & 0x7fff) > 0x7f80 : isnan(((const float *)found)[i]))
                 : narrow       ? f[i] != h[i]
                                : memcmp((const float *)found + i, want + i, 4) != 0)
            fail_msg("%s, %s, number %lld of %lld differs from %g", what, narrow ? "bfloat16" : "float32", (long long)i, (long long)n, (double)want[i]);
    assert_true(narrow ? f[n] == 0x1234 : ((const float *)found)[n] == guard);
}

/* A kernel that does two steps gives the bits of one step after the other. */
static void steps_in_one_go_are_the_steps(void **state)
{
    (void)state;
    static const int64_t length[] = {0, 1, 3, 4, 7, 15, 16, 17, 31, 33, 64, 100, 576, 1536, 1541};
    static const float strange[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 0x1p-149f, -0x1p-130f, 3e38f, -3e38f, 88, -104};
    enum { N_STRANGE = sizeof strange / sizeof *strange };
    FOR_EACH_ISA(k)
        for (size_t j = 0; j < sizeof length / sizeof *length; j++)
            for (int strangely = 0; strangely < 2; strangely++)
                for (int narrow = 0; narrow < 2; narrow++) {
                    const int64_t n = length[j];
                    const struct {
                        const char *name;
                        void (*both)(void *, bool, const float *, const float *, int64_t);
                        void (*first)(float *, const float *, int64_t);
                    } gated[] = {{"silu", k->silu_mul, k->silu}, {"gelu_tanh", k->gelu_tanh_mul, k->gelu_tanh}, {"gelu_erf", k->gelu_erf_mul, k->gelu_erf},
                                 {"relu", k->relu_mul, k->relu}};
                    fill(x, n, 21, 3);
                    fill(w, n, 22, 2);
                    for (int64_t i = 0; i < n && strangely; i++) {
                        x[i] = strange[i % N_STRANGE];
                        w[i] = strange[i / N_STRANGE % N_STRANGE];
                    }
                    for (size_t f = 0; f < sizeof gated / sizeof *gated; f++) {
                        gated[f].first(z, x, n);
                        k->mul(z, z, w, n);
                        y[n] = guard;
                        ((uint16_t *)y)[n] = narrow ? 0x1234 : ((uint16_t *)y)[n];
                        gated[f].both(y, narrow, x, w, n);
                        same(y, z, narrow, n, gated[f].name);
                    }
                    memcpy(y, x, sizeof *y * (size_t)n); /* in place */
                    y[n] = guard;
                    k->silu(z, x, n);
                    k->mul(z, z, w, n);
                    k->silu_mul(y, false, y, w, n);
                    same(y, z, false, n, "silu in place");
                    for (int with = 0; with < 4 && n > 0; with++) { /* an addend, weights */
                        float *d = with & 1 ? w : NULL, *weight = with & 2 ? b : NULL;
                        static float sum[MOST + 8], added[MOST + 8];
                        fill(b, n, 23, 1);
                        fill(x, n, 24, 1);
                        if (strangely)
                            x[n / 2] = 0x1p-140f;
                        else
                            fill(w, n, 25, 1);
                        memcpy(sum, x, sizeof *x * (size_t)(n + 8));
                        memcpy(added, x, sizeof *x * (size_t)(n + 8));
                        if (d)
                            k->add(sum, sum, d, n);
                        k->rms_norm(z, sum, weight, 1, 1e-5f, n);
                        y[n] = guard;
                        ((uint16_t *)y)[n] = narrow ? 0x1234 : ((uint16_t *)y)[n];
                        k->add_rms_norm(y, narrow, added, d, weight, 1, 1e-5f, n);
                        same(y, z, narrow, n, "add_rms_norm");
                        same(added, sum, false, n, "the sum");
                    }
                }
}

static void rows_in_int8_are_the_twins(void **state)
{
    (void)state;
    static int8_t found[MOST + 1], want[MOST];
    static int32_t whole[MOST];
    static const int64_t length[] = {1, 3, 4, 15, 16, 17, 63, 64, 65, 100, 576, 1536, 1541};
    FOR_EACH_ISA(k)
        for (size_t j = 0; j < sizeof length / sizeof *length; j++)
            for (int kind = 0; kind < 6; kind++) {
                const int64_t n = length[j];
                fill(x, n, 31 + (uint64_t)kind, kind == 1 ? 1e-30f : kind == 2 ? 1e30f : 1);
                for (int64_t i = 0; i < n && kind > 2; i++)
                    x[i] = kind == 3 ? 0 : kind == 4 ? 0x1p-149f * (float)(i % 3) : (float)(i % 255 - 127) + 0.5f * (float)(i % 2); /* zeros, nearly so, ties */
                found[n] = 77;
                const float scale = k->to_i8(found, x, n), want_scale = gg_naive_f32_to_i8(want, x, n);
                assert_memory_equal(&scale, &want_scale, sizeof scale);
                assert_memory_equal(found, want, (size_t)n);
                assert_int_equal(found[n], 77);
                assert_true(kind == 3 || kind == 4 ? scale == 0 : scale > 0);
                for (int64_t i = 0; i < n; i++) /* nothing is off by more than half a step */
                    assert_true(fabsf(x[i] - (float)found[i] * scale) <= 0.5001f * scale || scale == 0);
                for (int bad = 0; bad < 3; bad++) {
                    const float before = x[(n - 1) * bad / 2];
                    x[(n - 1) * bad / 2] = bad == 1 ? -INFINITY : NAN;
                    assert_true(isnan(k->to_i8(found, x, n)) && isnan(gg_naive_f32_to_i8(want, x, n)));
                    for (int64_t i = 0; i < n; i++)
                        assert_int_equal(found[i], 0);
                    x[(n - 1) * bad / 2] = before;
                }
                fill(w, n, 41, 1);
                fill(b, n, 42, 1);
                for (int64_t i = 0; i < n; i++)
                    whole[i] = (int32_t)fmodf(x[i] * 1e4f, 2e7f);
                for (int in_place = 0; in_place < 2; in_place++)
                    for (int with = 0; with < 2; with++) {
                        y[n] = guard;
                        if (in_place)
                            memcpy(y, whole, (size_t)n * 4);
                        k->from_i32(y, in_place ? (const int32_t *)y : whole, 0.3f, w, with ? b : NULL, n);
                        for (int64_t i = 0; i < n; i++) {
                            const float v = (float)whole[i] * (0.3f * w[i]);
                            assert_true(y[i] == (with ? v + b[i] : v));
                        }
                        assert_true(y[n] == guard);
                    }
            }
}

static void the_public_names_take_the_widest_set(void **state)
{
    (void)state;
    const gg__kernels *widest = NULL;
    FOR_EACH_ISA(k) widest = k;
    fill(x, 100, 1, 1);
    fill(w, 100, 2, 1);
    gg_exp(y, x, 100);
    widest->exp(z, x, 100);
    assert_memory_equal(y, z, 400);
    assert_true(gg_dot(x, w, 100) == widest->dot(x, w, 100));
    assert_null(gg__kernels_of(GG__ISA_COUNT));
    print_message("widest: %s\n", widest->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_right_over_the_whole_range_of_floats),
        cmocka_unit_test(twins_are_the_functions),
        cmocka_unit_test(functions_at_the_edges),
        cmocka_unit_test(a_value_does_not_depend_on_its_place),
        cmocka_unit_test(arithmetic_of_rows),
        cmocka_unit_test(bfloat16_is_rounded_alike_in_vectors_and_tails),
        cmocka_unit_test(norms_softmax_and_logsumexp_equal_their_twins),
        cmocka_unit_test(softmax_and_logsumexp_survive_extremes),
        cmocka_unit_test(rope_rotates_the_halves_and_leaves_the_rest),
        cmocka_unit_test(top_k_is_ordered_and_ties_go_to_the_lowest_index),
        cmocka_unit_test(steps_in_one_go_are_the_steps),
        cmocka_unit_test(rows_in_int8_are_the_twins),
        cmocka_unit_test(the_public_names_take_the_widest_set),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
