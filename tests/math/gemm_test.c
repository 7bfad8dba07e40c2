/* Products of every instruction set against sums in double, over sizes, strides and tails; the same bits however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/work.h"
#include "math/gemm_isa.h"
#include "math/kernels_isa.h"

#define FOR_EACH_ISA(g)                                                      \
    for (int isa_ = 0; isa_ < GG__ISA_COUNT; isa_++)                         \
        for (const gg__gemms *g = gg__gemms_of(isa_); g; g = NULL)

static void *scratch;

static int set_up(void **state)
{
    (void)state;
    return (scratch = aligned_alloc(64, gg_gemm_scratch())) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(scratch);
    return 0;
}

/* Exactly n numbers, so that a read behind them is seen by the sanitizer. */
static double *numbers(int64_t n, uint64_t stream)
{
    double *x = malloc((size_t)(n ? n : 1) * sizeof *x);
    gg_random r = gg_random_of(5, stream);
    for (int64_t i = 0; i < n; i++)
        x[i] = gg_random_normal(&r);
    return x;
}
static float *narrow(const double *x, int64_t n)
{
    float *y = malloc((size_t)(n ? n : 1) * sizeof *y);
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)x[i];
    return y;
}

enum { NN, NT, TN, TT, WIDE, WAYS }; /* WIDE: rows with a gap, every second column of B */
static gg_strides a_of(int way, int64_t M, int64_t K)
{
    return way == TN || way == TT ? (gg_strides){1, M} : way == WIDE ? (gg_strides){K + 3, 1} : (gg_strides){K, 1};
}
static gg_strides b_of(int way, int64_t N, int64_t K)
{
    return way == NT || way == TT ? (gg_strides){1, K} : way == WIDE ? (gg_strides){2 * N, 2} : (gg_strides){N, 1};
}
static int64_t extent(gg_strides s, int64_t rows, int64_t columns) { return rows && columns ? (rows - 1) * s.row + (columns - 1) * s.column + 1 : 0; }

static void one(const gg__gemms *g, int way, int64_t M, int64_t N, int64_t K, bool add)
{
    const gg_strides a = a_of(way, M, K), b = b_of(way, N, K);
    const int64_t na = extent(a, M, K), nb = extent(b, K, N), ldc = N + (way == WIDE ? 5 : 0), nc = M * ldc;
    double *A = numbers(na, 1), *B = numbers(nb, 2), *C = numbers(nc, 3), *want = malloc((size_t)nc * sizeof *want + 1),
           *size = calloc((size_t)nc + 1, sizeof *size);
    float *Af = narrow(A, na), *Bf = narrow(B, nb), *Cf = narrow(C, nc);
    memcpy(want, C, (size_t)nc * sizeof *want);
    for (int64_t m = 0; m < M; m++)
        for (int64_t n = 0; n < N; n++) {
            double sum = add ? C[m * ldc + n] : 0;
            for (int64_t k = 0; k < K; k++) {
                sum += A[m * a.row + k * a.column] * B[k * b.row + n * b.column];
                size[m * ldc + n] += fabs(A[m * a.row + k * a.column] * B[k * b.row + n * b.column]);
            }
            want[m * ldc + n] = sum;
        }
    g->f32(Cf, ldc, add ? Cf : NULL, ldc, Af, a, Bf, b, NULL, M, N, K, scratch);
    g->f64(C, ldc, add ? C : NULL, ldc, A, a, B, b, NULL, M, N, K, scratch);
    for (int64_t i = 0; i < nc; i++) {
        if (!(fabs(C[i] - want[i]) <= 1e-15 * (double)(K + 4) * (size[i] + fabs(want[i]))) ||
            !(fabs(Cf[i] - want[i]) <= 1.2e-7 * sqrt((double)K + 16) * (size[i] + fabs(want[i]))))
            fail_msg("way %d, %lld x %lld x %lld%s: C[%lld] is %.9g and %.17g, expected %.17g", way, (long long)M, (long long)N, (long long)K,
                     add ? " added" : "", (long long)i, (double)Cf[i], C[i], want[i]);
        if (N && i % ldc >= N)
            assert_true(C[i] == want[i]); /* the gap between rows is not touched */
    }
    free(A), free(B), free(C), free(want), free(size), free(Af), free(Bf), free(Cf);
}

static void products_are_right_over_sizes_strides_and_tails(void **state)
{
    (void)state;
    static const int64_t rows[] = {0, 1, 2, 5, 11, 12, 13, 31, 49}, columns[] = {0, 1, 3, 8, 16, 17, 31, 32, 33, 70}, depth[] = {0, 1, 2, 15, 16, 17, 40};
    FOR_EACH_ISA(g)
    for (int way = 0; way < WAYS; way++)
        for (size_t m = 0; m < sizeof rows / sizeof *rows; m++)
            for (size_t n = 0; n < sizeof columns / sizeof *columns; n++)
                for (size_t k = 0; k < sizeof depth / sizeof *depth; k++)
                    one(g, way, rows[m], columns[n], depth[k], (m + n + k) % 2);
}

static void blocks_of_all_three_sizes_join(void **state)
{
    (void)state;
    FOR_EACH_ISA(g)
    for (int way = 0; way < WAYS; way++) {
        one(g, way, 3, 5, 700, false);
        one(g, way, 251, 35, 300, true);
        one(g, way, 13, 600, 260, false);
    }
}

static void the_cut_changes_no_bit(void **state)
{
    (void)state;
    enum { M = 53, N = 75, K = 290 };
    double *A = numbers(M * K, 1), *B = numbers(K * N, 2);
    float *Af = narrow(A, M * K), *Bf = narrow(B, K * N), *whole = malloc(M * N * sizeof *whole), *cut = malloc(M * N * sizeof *cut);
    FOR_EACH_ISA(g)
    for (int way = NN; way <= TT; way++) {
        const gg_strides a = a_of(way, M, K), b = b_of(way, N, K);
        g->f32(whole, N, NULL, 0, Af, a, Bf, b, NULL, M, N, K, scratch);
        for (int64_t step = 1; step <= 40; step += 13)
            for (int64_t across = 7; across <= 77; across += 35) {
                for (int64_t m = 0; m < M; m += step)
                    for (int64_t n = 0; n < N; n += across)
                        g->f32(cut + m * N + n, N, NULL, 0, Af + m * a.row, a, Bf + n * b.column, b, NULL, M - m < step ? M - m : step,
                               N - n < across ? N - n : across, K, scratch);
                assert_memory_equal(whole, cut, M * N * sizeof *whole);
            }
    }
    free(A), free(B), free(Af), free(Bf), free(whole), free(cut);
}

static void a_packed_matrix_and_a_row_to_add_change_no_bit(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {{5, 1, 1}, {53, 75, 290}, {3, 32, 16}, {25, 200, 50}, {12, 530, 257}};
    FOR_EACH_ISA(g)
    for (int way = NN; way < WAYS; way++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const int64_t M = sizes[i][0], N = sizes[i][1], K = sizes[i][2];
            const gg_strides a = a_of(way, M, K), b = b_of(way, N, K);
            double *A = numbers(extent(a, M, K), 1), *B = numbers(extent(b, K, N), 2), *bias = numbers(N, 3), *C = numbers(M * N, 4), *D = numbers(M * N, 5);
            double *packed = aligned_alloc(64, ((size_t)gg_gemm_packed(N, K) * sizeof *packed + 63) & ~(size_t)63);
            float *Af = narrow(A, extent(a, M, K)), *Bf = narrow(B, extent(b, K, N)), *biasf = narrow(bias, N), *Cf = narrow(C, M * N), *Df = narrow(D, M * N);
            for (int64_t m = 0; m < M; m++)
                for (int64_t n = 0; n < N; n++) {
                    C[m * N + n] = bias[n];
                    Cf[m * N + n] = biasf[n];
                }
            g->f64(C, N, C, N, A, a, B, b, NULL, M, N, K, scratch);
            g->pack_f64(packed, B, b, N, K, 0, N);
            g->f64(D, N, bias, 0, A, a, NULL, b, packed, M, N, K, scratch);
            assert_memory_equal(C, D, (size_t)(M * N) * sizeof *C);
            g->f32(Cf, N, Cf, N, Af, a, Bf, b, NULL, M, N, K, scratch);
            for (int64_t n = 0; n < N; n += 2 * GG_GEMM_COLUMNS) /* in pieces */
                g->pack_f32((float *)packed, Bf, b, N, K, n, N - n < 2 * GG_GEMM_COLUMNS ? N : n + 2 * GG_GEMM_COLUMNS);
            g->f32(Df, N, biasf, 0, Af, a, NULL, b, (float *)packed, M, N, K, scratch);
            assert_memory_equal(Cf, Df, (size_t)(M * N) * sizeof *Cf);
            free(A), free(B), free(bias), free(C), free(D), free(packed), free(Af), free(Bf), free(biasf), free(Cf), free(Df);
        }
}

static void dots_are_right_and_do_not_depend_on_the_cut(void **state)
{
    (void)state;
    FOR_EACH_ISA(g)
    for (int64_t N = 1; N <= 70; N += N < 20 ? 1 : 7)
        for (int64_t K = 0; K <= 66; K += K < 34 ? 1 : 8) {
            const int64_t ldb = K + 2, nb = (N - 1) * ldb + K;
            double *B = numbers(nb, 1), *x = numbers(K, 2), *bias = numbers(N, 3), y[71], cut[71];
            float *Bf = narrow(B, nb), *xf = narrow(x, K), *biasf = narrow(bias, N), yf[71], cutf[71];
            y[N] = yf[N] = 7;
            g->dots_f64(y, B, ldb, x, bias, N, K);
            g->dots_f32(yf, Bf, ldb, xf, N % 2 ? biasf : NULL, N, K);
            assert_true(y[N] == 7 && yf[N] == 7);
            for (int64_t n = 0; n < N; n++) {
                double want = 0, size = 0;
                for (int64_t k = 0; k < K; k++) {
                    want += B[n * ldb + k] * x[k];
                    size += fabs(B[n * ldb + k] * x[k]);
                }
                assert_true(fabs(y[n] - want - bias[n]) <= 1e-15 * (double)(K + 4) * (size + fabs(bias[n])));
                assert_true(fabs((double)yf[n] - want - (N % 2 ? bias[n] : 0)) <= 1.2e-7 * sqrt((double)K + 16) * (size + fabs(bias[n])));
            }
            for (int64_t n = 0; n < N; n += 3) {
                g->dots_f64(cut + n, B + n * ldb, ldb, x, bias + n, N - n < 3 ? N - n : 3, K);
                g->dots_f32(cutf + n, Bf + n * ldb, ldb, xf, N % 2 ? biasf + n : NULL, N - n < 3 ? N - n : 3, K);
            }
            assert_memory_equal(y, cut, (size_t)N * sizeof *y);
            assert_memory_equal(yf, cutf, (size_t)N * sizeof *yf);
            free(B), free(x), free(bias), free(Bf), free(xf), free(biasf);
        }
}

/* An image moved about: C channels of (height, below), rows of patches at any place in them. */
static void images_moved_about_are_right(void **state)
{
    (void)state;
    enum { C = 3, TALL = 9, BELOW = 13, ROWS = 7, LONG = 10, K = 270, BEHIND = 64 };
    const int64_t n_image = C * TALL * BELOW + BEHIND;
    double *X = numbers(n_image, 1), *A = numbers(20 * K, 2), *D = numbers(70 * ROWS * LONG, 3), C64[40 * 96], want[40 * 96], size[40 * 96],
           panel[GG_GEMM_COLUMNS * ROWS * LONG];
    float *Xf = narrow(X, n_image), *Af = narrow(A, 20 * K), *Df = narrow(D, 70 * ROWS * LONG), C32[40 * 96], panelf[GG_GEMM_COLUMNS * ROWS * LONG];
    int64_t at[K];
    for (int64_t k = 0; k < K; k++)
        at[k] = k % C * TALL * BELOW + k / C % 3 * BELOW + k / 9 % 4;
    FOR_EACH_ISA(g) {
        static const int64_t heights[] = {1, 5, 12, 13, 20}, depths[] = {1, 9, K};
        for (size_t i = 0; i < sizeof heights / sizeof *heights; i++)
            for (size_t j = 0; j < sizeof depths / sizeof *depths; j++) {
                const int64_t M = heights[i], N = 96, k_all = depths[j];
                memset(want, 0, sizeof want), memset(size, 0, sizeof size);
                for (int64_t m = 0; m < M; m++)
                    for (int64_t q = 0; q < N; q++)
                        for (int64_t k = 0; k < k_all; k++) {
                            want[m * N + q] += A[m * k_all + k] * X[at[k] + q];
                            size[m * N + q] += fabs(A[m * k_all + k] * X[at[k] + q]);
                        }
                g->shifts_f64(C64, N, A, (gg_strides){k_all, 1}, X, at, M, N, k_all);
                g->shifts_f32(C32, N, Af, (gg_strides){k_all, 1}, Xf, at, M, N, k_all);
                for (int64_t c = 0; c < M * N; c++)
                    assert_true(fabs(C64[c] - want[c]) <= 1e-15 * (double)(k_all + 4) * size[c] &&
                                fabs(C32[c] - want[c]) <= 1.2e-7 * sqrt((double)k_all + 16) * size[c]);
            }
        for (int64_t M = 1; M <= 30; M += 7)
            for (int64_t N = 1; N <= 70; N += 13) {
                for (int64_t m = 0; m < M; m++)
                    for (int64_t n = 0; n < N; n++) {
                        want[m * N + n] = C64[m * N + n] = 1;
                        C32[m * N + n] = 1;
                        size[m * N + n] = 1;
                        for (int64_t p = 0; p < ROWS * LONG; p++) {
                            const double term = X[at[m] + p / LONG * BELOW + p % LONG] * D[n * ROWS * LONG + p];
                            want[m * N + n] += term;
                            size[m * N + n] += fabs(term);
                        }
                    }
                g->shifts_over_f64(C64, N, X, at, BELOW, D, ROWS, LONG, M, N, panel);
                g->shifts_over_f32(C32, N, Xf, at, BELOW, Df, ROWS, LONG, M, N, panelf);
                for (int64_t c = 0; c < M * N; c++)
                    assert_true(fabs(C64[c] - want[c]) <= 1e-13 * size[c] && fabs(C32[c] - want[c]) <= 1.2e-6 * size[c]);
            }
        for (int64_t m = 1; m < 36; m += 2)
            for (int64_t n = 1; n < 36; n += 3) {
                for (int64_t c = 0; c < m * 37; c++) {
                    C64[c] = 7;
                    C32[c] = 7;
                }
                g->turn_f64(C64, 37, D, m + 1, m, n);
                g->turn_f32(C32, 37, Df, m + 1, m, n);
                for (int64_t c = 0; c < m * 37; c++)
                    assert_true(C64[c] == (c % 37 < n ? D[c % 37 * (m + 1) + c / 37] : 7) && C32[c] == (c % 37 < n ? Df[c % 37 * (m + 1) + c / 37] : 7));
            }
        for (int64_t n = 1; n < 40; n += 3) {
            for (int64_t c = 0; c < 5 * 41; c++) {
                C64[c] = 7;
                C32[c] = 7;
            }
            g->copy_lines_f64(C64, 41, X, BELOW, 5, n);
            g->copy_lines_f32(C32, 41, Xf, BELOW, 5, n);
            for (int64_t c = 0; c < 5 * 41; c++)
                assert_true(C64[c] == (c % 41 < n ? X[c / 41 * BELOW + c % 41] : 7) && C32[c] == (c % 41 < n ? Xf[c / 41 * BELOW + c % 41] : 7));
        }
    }
    free(X), free(A), free(D), free(Xf), free(Af), free(Df);
}

/* Found once: a new set of kernels above AVX-512 had no products of its own, and the plain ones were taken. */
static void the_widest_set_of_the_processor_has_wide_products(void **state)
{
    (void)state;
    for (int isa = GG__ISA_PLAIN + 1; isa < GG__ISA_COUNT; isa++)
        if (gg__gemms_of(isa))
            assert_ptr_not_equal(gg__gemms_of(isa), gg__gemms_of(GG__ISA_PLAIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_right_over_sizes_strides_and_tails),
        cmocka_unit_test(blocks_of_all_three_sizes_join),
        cmocka_unit_test(the_cut_changes_no_bit),
        cmocka_unit_test(a_packed_matrix_and_a_row_to_add_change_no_bit),
        cmocka_unit_test(dots_are_right_and_do_not_depend_on_the_cut),
        cmocka_unit_test(images_moved_about_are_right),
        cmocka_unit_test(the_widest_set_of_the_processor_has_wide_products),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
