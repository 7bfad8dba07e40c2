/* The kernels and products of one core against its roof, measured in the same run: make bench
 *
 * Every figure is the best of several runs of wall time, so the machine should have nothing else to do: its load is printed.
 * Products take their weights in turn from many matrices, 100 MB in all, as the layers of a model do, so that weights come from
 * memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "base/work.h"
#include "math/kernels.h"
#include "math/linear.h"
#include "math/roof.h"

static double roof[2]; /* fp32, bf16: operations a second */

static void check(gg_context *ctx, gg_status s)
{
    if (s != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        exit(1);
    }
}

static float *numbers(gg_context *ctx, int64_t n)
{
    float *x = gg_new(ctx, float, n);
    gg_random r = gg_random_of(1, 1);
    check(ctx, x ? GG_OK : GG_ENOMEM);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)gg_random_uniform(&r) - 0.5f;
    return x;
}

static void bench_linear(gg_context *ctx, gg_dtype compute)
{
    static const int64_t shape[][2] = {{1536, 576}, {576, 1536}, {576, 576}, {192, 576}, {49152, 576}}, rows[] = {1, 8, 16, 37, 120, 480};
    gg_linear_scratch *s;
    check(ctx, gg_linear_scratch_create(&s, ctx));
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        int64_t n = shape[i][0], k = shape[i][1], copies = 100000000 / (n * k * 4) + 1;
        float *W = numbers(ctx, n * k), *x = numbers(ctx, 512 * k), *y = numbers(ctx, 512 * n);
        uint16_t *h = gg_new(ctx, uint16_t, 512 * k);
        gg_linear **l = gg_new(ctx, gg_linear *, copies);
        double *best = gg_new(ctx, double, copies);
        check(ctx, h && l && best ? GG_OK : GG_ENOMEM);
        gg_f32_to_bf16(h, x, 512 * k);
        for (int64_t c = 0; c < copies; c++)
            check(ctx, gg_linear_create_f32(&l[c], ctx, W, false, NULL, n, k, compute));
        printf("%s %5lld -> %5lld:", gg_dtype_name(compute), (long long)k, (long long)n);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            double sum = 0; /* of each matrix the best of its turns, so that a busy machine disturbs less */
            for (int64_t c = 0; c < copies; c++)
                best[c] = INFINITY;
            for (int t = 0; t < 6; t++)
                for (int64_t c = 0; c < copies; c++) {
                    double start = gg_time();
                    check(ctx, gg_linear_apply(l[c], s, y, compute == GG_BF16 ? (void *)h : (void *)x, rows[r]));
                    best[c] = fmin(best[c], gg_time() - start);
                }
            for (int64_t c = 0; c < copies; c++)
                sum += best[c];
            double speed = 2.0 * (double)(n * k * rows[r] * copies) / sum;
            printf("  %lld rows %.1f GF/s (%.0f %%)", (long long)rows[r], speed * 1e-9, 100 * speed / roof[compute == GG_BF16]);
        }
        printf("\n");
        for (int64_t c = 0; c < copies; c++)
            gg_linear_free(l[c]);
        gg_drop(ctx, W), gg_drop(ctx, x), gg_drop(ctx, y), gg_drop(ctx, h), gg_drop(ctx, l), gg_drop(ctx, best);
    }
    gg_linear_scratch_free(s);
}

static void bench_attention(gg_context *ctx)
{
    static const int64_t shape[][2] = {{30, 64}, {120, 64}, {512, 64}, {2048, 64}, {120, 128}, {120, 256}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        int64_t T = shape[i][0], d = shape[i][1], stride = 3 * d;
        float *x = numbers(ctx, T * stride), *out = numbers(ctx, T * d), *scratch = numbers(ctx, gg_attention_scratch(T, d));
        double best = INFINITY;
        for (int t = 0; t < 3000 / (int)T + 3; t++) {
            double start = gg_time();
            gg_attention(out, d, x, stride, x + d, x + 2 * d, stride, T, d, 0.125f, 0, 0, scratch);
            best = fmin(best, gg_time() - start);
        }
        double speed = 2.0 * (double)(d * T * (T + 1)) / best; /* both products, the causal half */
        printf("attention T %4lld width %3lld: %8.1f us, %.1f GF/s in the two products (%.0f %%)\n", (long long)T, (long long)d, best * 1e6,
               speed * 1e-9, 100 * speed / roof[0]);
        gg_drop(ctx, x), gg_drop(ctx, out), gg_drop(ctx, scratch);
    }
}

static void bench_rows(gg_context *ctx)
{
    enum { N = 1536, ROWS = 120 };
    float *x = numbers(ctx, N * ROWS), *y = numbers(ctx, N * ROWS);
    int32_t index[64];
#define TIME(name, call)                                                               \
    do {                                                                               \
        double best = INFINITY;                                                        \
        for (int t = 0; t < 200; t++) {                                                \
            double start = gg_time();                                                  \
            for (int64_t r = 0; r < ROWS; r++) {                                       \
                float *a = x + r * N, *o = y + r * N;                                  \
                (void)a;                                                               \
                (void)o;                                                               \
                call;                                                                  \
            }                                                                          \
            best = fmin(best, gg_time() - start);                                      \
        }                                                                              \
        printf("%-10s %.3f ns a number\n", name, best / (N * ROWS) * 1e9);             \
    } while (0)
    TIME("exp", gg_exp(o, a, N));
    TIME("silu", gg_silu(o, a, N));
    TIME("gelu_tanh", gg_gelu_tanh(o, a, N));
    TIME("gelu_erf", gg_gelu_erf(o, a, N));
    TIME("tanh", gg_tanh(o, a, N));
    TIME("mul", gg_mul_f32(o, o, a, N));
    TIME("abs_add", gg_abs_add(y, a, N));
    TIME("rms_norm", gg_rms_norm(o, a, x, 0, 1e-5f, N));
    TIME("softmax", gg_softmax(o, N));
    TIME("f32->bf16", gg_f32_to_bf16((uint16_t *)o, a, N));
    TIME("top 10", gg_top_k(index, NULL, a, N, 10));
    TIME("top 30", gg_top_k(index, NULL, a, N, 30));
    gg_drop(ctx, x), gg_drop(ctx, y);
}

int main(void)
{
    gg_context *ctx;
    if (gg_context_create(&ctx, &(gg_context_options){.n_threads = 1}) != GG_OK)
        return 1;
    double load = 0;
    if (getloadavg(&load, 1) == 1)
        printf("load of the machine: %.2f\n", load);
    gg_roof one, all;
    check(ctx, gg_roof_measure(&one, &all, ctx));
    roof[0] = one.f32 * 1e9;
    roof[1] = one.bf16 * 1e9;
    printf("roof of one core (%s): fp32 %.1f GF/s, bf16 %.1f GF/s, memory %.1f GB/s\n", gg_roof_isa(), one.f32, one.bf16, one.memory);
    bench_linear(ctx, GG_F32);
    if (roof[1] > 0)
        bench_linear(ctx, GG_BF16);
    printf("bf16 is %s here\n", gg_bf16_is_fast(ctx) ? "fast" : "not fast");
    bench_attention(ctx);
    bench_rows(ctx);
    gg_context_free(ctx);
    return 0;
}
