/* golgi bench: the roof of this machine, and the products and kernels that golgi is made of as parts of it. golgi bench NAME measures a
 * system whole.
 *
 * Every figure is the time of one thread, the best of several short runs, so that a busy machine disturbs little; its load is printed, since
 * it disturbs all the same. Products take their weights in turn from many matrices, 100 MB in all, as the layers of a model do.
 */
#include "cli/verbs.h"
#include "base/command.h"
#include "base/json.h"
#include "base/memory.h"
#include "math/kernels.h"
#include "math/linear.h"
#include "math/roof.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GG_SYSTEM(name, summary) int gg_##name##_bench(int argc, char **argv);
#include "systems/systems.def"
#undef GG_SYSTEM

typedef struct bench {
    gg_context *ctx;
    gg_roof one, all; /* 1e9 a second */
    json_t *products, *attention, *rows;
    bool tell;        /* print, or only fill the lists */
} bench;

static gg_status no_memory(bench *b)
{
    return gg_fail(b->ctx, GG_ENOMEM, "out of memory");
}

static gg_status keep(bench *b, json_t *list, json_t *entry)
{
    return json_array_append_new(list, entry) == 0 ? GG_OK : no_memory(b);
}

static gg_status numbers(float **out, bench *b, int64_t n)
{
    float *x = *out = gg_new(b->ctx, float, n);
    gg_random r = gg_random_of(1, 1);
    if (!x)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)gg_random_uniform(&r) - 0.5f;
    return GG_OK;
}

static const char *name_of(gg_dtype t)
{
    return t == GG_BF16 ? "bf16" : t == GG_I8 ? "i8" : "f32";
}

/* --- products ------------------------------------------------------------------------------------------------------- */

enum { MOST_ROWS = 480, TURNS = 6 };
static const int64_t row_counts[] = {1, 8, 16, 37, 120, MOST_ROWS};
enum { N_ROW_COUNTS = sizeof row_counts / sizeof *row_counts };

typedef struct matrices {
    gg_dtype compute;
    int64_t n_in, n_out, n;
    gg_linear **l; /* (n,) of equal shape */
    gg_linear_scratch *s;
    float *w, *x, *y, *scale;
    void *narrow; /* x in bfloat16 or int8, then with the scales of its rows */
    double *best; /* (n,) seconds of each, of its best turn */
} matrices;

static void drop_matrices(bench *b, matrices *m)
{
    for (int64_t i = 0; m->l && i < m->n; i++)
        gg_linear_free(m->l[i]);
    gg_linear_scratch_free(m->s);
    void *const all[] = {m->l, m->w, m->x, m->y, m->scale, m->narrow, m->best};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gg_drop(b->ctx, all[i]);
}

static gg_status make_matrices(matrices *m, bench *b)
{
    m->n = 100000000 / (m->n_in * m->n_out * 4) + 1;
    GG_TRY(numbers(&m->w, b, m->n_in * m->n_out));
    GG_TRY(numbers(&m->x, b, MOST_ROWS * m->n_in));
    GG_TRY(numbers(&m->y, b, MOST_ROWS * m->n_out));
    if (!(m->narrow = gg_new(b->ctx, uint16_t, MOST_ROWS * m->n_in)) || !(m->l = gg_new(b->ctx, gg_linear *, m->n)) ||
        !(m->best = gg_new(b->ctx, double, m->n)) || !(m->scale = gg_new(b->ctx, float, MOST_ROWS)))
        return GG_ENOMEM;
    if (m->compute == GG_BF16)
        gg_f32_to_bf16(m->narrow, m->x, MOST_ROWS * m->n_in);
    for (int64_t r = 0; r < MOST_ROWS && m->compute == GG_I8; r++)
        m->scale[r] = gg_f32_to_i8((int8_t *)m->narrow + r * m->n_in, m->x + r * m->n_in, m->n_in);
    GG_TRY(gg_linear_scratch_create(&m->s, b->ctx));
    for (int64_t i = 0; i < m->n; i++)
        GG_TRY(gg_linear_create_f32(&m->l[i], b->ctx, m->w, false, NULL, m->n_out, m->n_in, m->compute));
    return GG_OK;
}

static gg_status multiply(const matrices *m, const gg_linear *l, int64_t rows)
{
    return m->compute == GG_I8 ? gg_linear_apply_i8(l, m->s, m->y, m->narrow, m->scale, rows)
                               : gg_linear_apply(l, m->s, m->y, m->compute == GG_BF16 ? m->narrow : m->x, rows);
}

static gg_status time_products(bench *b, matrices *m, int64_t rows)
{
    const double roof = m->compute == GG_BF16 ? b->one.bf16 : m->compute == GG_I8 ? b->one.i8 : b->one.f32;
    double sum = 0;
    for (int64_t i = 0; i < m->n; i++)
        m->best[i] = INFINITY;
    for (int t = 0; t < TURNS && !gg_context_stopped(b->ctx); t++)
        for (int64_t i = 0; i < m->n; i++) {
            const double start = gg_time();
            GG_TRY(multiply(m, m->l[i], rows));
            m->best[i] = fmin(m->best[i], gg_time() - start);
        }
    for (int64_t i = 0; i < m->n; i++)
        sum += m->best[i];
    const double gflops = 2e-9 * (double)(m->n_in * m->n_out * rows * m->n) / sum;
    if (b->tell)
        printf("  %6.1f %3.0f %%", gflops, 100 * gflops / roof);
    return keep(b, b->products, json_pack("{s:s, s:I, s:I, s:I, s:f, s:f}", "dtype", name_of(m->compute), "n_in", (json_int_t)m->n_in,
                                          "n_out", (json_int_t)m->n_out, "rows", (json_int_t)rows, "gflops", gflops, "roof_share", gflops / roof));
}

static gg_status bench_products(bench *b, gg_dtype compute)
{
    static const int64_t shape[][2] = {{576, 1536}, {1536, 576}, {576, 576}, {576, 192}, {576, 49152}}; /* of SmolLM2-135M; the last is its head */
    if (b->tell) {
        printf("\nproducts in %s, 1e9 operations a second of one thread\n  %-14s", name_of(compute), "");
        for (int i = 0; i < N_ROW_COUNTS; i++)
            printf("   %4lld row%s ", (long long)row_counts[i], row_counts[i] == 1 ? " " : "s");
        printf("\n");
    }
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        matrices m = {.compute = compute, .n_in = shape[i][0], .n_out = shape[i][1]};
        gg_status s = make_matrices(&m, b);
        if (b->tell && s == GG_OK)
            printf("  %4lld -> %5lld ", (long long)m.n_in, (long long)m.n_out);
        for (int r = 0; r < N_ROW_COUNTS && s == GG_OK; r++)
            s = time_products(b, &m, row_counts[r]);
        if (b->tell)
            printf("\n");
        drop_matrices(b, &m);
        GG_TRY(s);
    }
    return GG_OK;
}

/* --- attention and rows --------------------------------------------------------------------------------------------- */

static gg_status bench_attention(bench *b)
{
    static const int64_t shape[][3] = {{30, 64, 3}, {120, 64, 3}, {120, 64, 1}, {512, 64, 3}, {2048, 64, 3}, {120, 128, 2}, {120, 256, 4}};
    enum { N_SHAPES = sizeof shape / sizeof *shape }; /* tokens, width, heads */
    if (b->tell)
        printf("\nattention of the heads on one of keys, its two products as they must be done (the causal half), in fp32 and in bf16\n");
    for (int i = 0; i < 2 * N_SHAPES; i++) {
        const int64_t *of = shape[i % N_SHAPES], n = of[0], d = of[1], heads = of[2], stride = (heads + 2) * d;
        const bool narrow = i >= N_SHAPES;
        const double roof = narrow ? b->one.bf16 : b->one.f32;
        if (roof == 0)
            continue;
        float *x, *out = gg_new(b->ctx, float, n * heads * d), *scratch = gg_new(b->ctx, float, gg_attention_scratch(n, d));
        const gg_status made = numbers(&x, b, n * stride);
        double best = INFINITY;
        for (int t = 0; t < 6000 / (int)n + 6 && made == GG_OK && out && scratch; t++) {
            const double start = gg_time();
            gg_attention(out, heads * d, x, stride, heads, x + heads * d, x + (heads + 1) * d, stride, n, d, 0.125f, 0, 0, narrow, scratch);
            best = fmin(best, gg_time() - start);
        }
        gg_drop(b->ctx, x);
        gg_drop(b->ctx, scratch);
        if (made != GG_OK || !out || !scratch) {
            gg_drop(b->ctx, out);
            return GG_ENOMEM;
        }
        gg_drop(b->ctx, out);
        const double gflops = 2e-9 * (double)(heads * d * n * (n + 1)) / best;
        if (b->tell)
            printf("  %s %4lld tokens, %lld of width %3lld  %8.1f us  %5.1f GF/s  %3.0f %%\n", narrow ? "bf16" : "f32 ", (long long)n, (long long)heads,
                   (long long)d, best * 1e6, gflops, 100 * gflops / roof);
        GG_TRY(keep(b, b->attention, json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f}", "dtype", narrow ? "bf16" : "f32", "tokens", (json_int_t)n, "heads",
                                               (json_int_t)heads, "width", (json_int_t)d, "us", best * 1e6, "gflops", gflops, "roof_share", gflops / roof)));
    }
    return GG_OK;
}

enum { ROW = 1536, N_ROWS = 120, FAR_ROWS = 68 * N_ROWS /* 50 MB */, FAR_TURNS = 5 };
static void row_exp(float *y, const float *x) { gg_exp(y, x, ROW); }
static void row_silu(float *y, const float *x) { gg_silu(y, x, ROW); }
static void row_gelu_tanh(float *y, const float *x) { gg_gelu_tanh(y, x, ROW); }
static void row_gelu_erf(float *y, const float *x) { gg_gelu_erf(y, x, ROW); }
static void row_tanh(float *y, const float *x) { gg_tanh(y, x, ROW); }
static void row_mul(float *y, const float *x) { gg_mul_f32(y, y, x, ROW); }
static void row_abs_add(float *y, const float *x) { gg_abs_add(y, x, ROW); }
static void row_rms_norm(float *y, const float *x) { gg_rms_norm(y, x, x, 0, 1e-5f, ROW); }
static void row_silu_mul(float *y, const float *x) { gg_silu_mul(y, false, x, x, ROW); }
static void row_silu_mul_bf16(float *y, const float *x) { gg_silu_mul(y, true, x, x, ROW); }
static void row_add_rms_norm(float *y, const float *x) { gg_add_rms_norm(y, true, y, x, x, 0, 1e-5f, ROW); }
static void row_softmax(float *y, const float *x) { (void)x; gg_softmax(y, ROW); }
static void row_to_bf16(float *y, const float *x) { gg_f32_to_bf16((uint16_t *)y, x, ROW); }
static void row_to_i8(float *y, const float *x) { gg_f32_to_i8((int8_t *)y, x, ROW); }
static void row_from_i32(float *y, const float *x) { gg_i32_to_f32(y, (const int32_t *)y, 0.5f, x, NULL, ROW); }
static void row_top_10(float *y, const float *x) { gg_top_k((int32_t *)y, NULL, x, ROW, 10); }
static void row_top_30(float *y, const float *x) { gg_top_k((int32_t *)y, NULL, x, ROW, 30); }

/* ns a number, of n rows in pieces of N_ROWS, each piece at its best turn. */
static double time_rows(void (*run)(float *y, const float *x), float *y, const float *x, int n, int turns)
{
    double best[FAR_ROWS / N_ROWS] = {0}, sum = 0;
    for (int t = 0; t < turns; t++)
        for (int i = 0; i < n / N_ROWS; i++) {
            const double start = gg_time();
            for (int64_t r = (int64_t)i * N_ROWS; r < (int64_t)(i + 1) * N_ROWS; r++)
                run(y + r * ROW, x + r * ROW);
            const double took = gg_time() - start;
            best[i] = t == 0 || took < best[i] ? took : best[i];
        }
    for (int i = 0; i < n / N_ROWS; i++)
        sum += best[i];
    return sum / ((double)ROW * n) * 1e9;
}

/* Rows that the cache holds, as golgi's own are, and rows that memory has to bring: little is done with a number, so memory is their roof. The share is
 * of what a kernel reads; what it writes goes the same way and is not counted. */
static gg_status bench_rows(bench *b)
{
    static const struct { const char *name; void (*run)(float *y, const float *x); int bytes; /* of a number, read */ } kernel[] = {
        {"exp", row_exp, 4}, {"silu", row_silu, 4}, {"gelu_tanh", row_gelu_tanh, 4}, {"gelu_erf", row_gelu_erf, 4}, {"tanh", row_tanh, 4}, {"mul", row_mul, 8},
        {"silu_mul", row_silu_mul, 4}, {"silu_mul_bf16", row_silu_mul_bf16, 4}, {"abs_add", row_abs_add, 8}, {"rms_norm", row_rms_norm, 4},
        {"add_rms_norm_bf16", row_add_rms_norm, 8}, {"softmax", row_softmax, 4}, {"to_bf16", row_to_bf16, 4}, {"to_i8", row_to_i8, 4},
        {"from_i32", row_from_i32, 8}, {"top_10", row_top_10, 4}, {"top_30", row_top_30, 4}};
    float *x, *y;
    GG_TRY(numbers(&x, b, ROW * FAR_ROWS));
    gg_status s = numbers(&y, b, ROW * FAR_ROWS);
    if (b->tell && s == GG_OK)
        printf("\nrows of %d, ns a number     in the cache   from memory   read of it, of the memory roof\n", ROW);
    for (size_t i = 0; i < sizeof kernel / sizeof *kernel && s == GG_OK && !gg_context_stopped(b->ctx); i++) {
        const double near = time_rows(kernel[i].run, y, x, N_ROWS, 100);
        memcpy(y, x, sizeof *y * ROW * N_ROWS); /* what a kernel left may be no number */
        const double far = time_rows(kernel[i].run, y, x, FAR_ROWS, FAR_TURNS), share = kernel[i].bytes / far / b->one.memory;
        memcpy(y, x, sizeof *y * ROW * FAR_ROWS);
        if (b->tell)
            printf("  %-26s %12.3f %13.3f  %7.1f GB/s  %3.0f %%\n", kernel[i].name, near, far, kernel[i].bytes / far, 100 * share);
        s = keep(b, b->rows, json_pack("{s:s, s:f, s:f, s:f, s:f}", "name", kernel[i].name, "ns_a_number", near, "ns_from_memory", far, "gbytes_per_s",
                                       kernel[i].bytes / far, "roof_share", share));
    }
    gg_drop(b->ctx, x);
    gg_drop(b->ctx, y);
    return s;
}

/* --- the machine ---------------------------------------------------------------------------------------------------- */

static json_t *roof_json(const bench *b)
{
    gg_str text = {.ctx = b->ctx};
    gg_roof_json(&text, &b->one, &b->all, gg_context_threads(b->ctx));
    json_t *j = text.failed ? NULL : json_loadb(text.data, text.len, 0, NULL);
    gg_str_free(&text);
    return j;
}

static void tell_roof(const bench *b, double load)
{
    const int n = gg_context_threads(b->ctx);
    printf("load of the machine: %.2f\nroof (%s)         one thread   %d thread%s\n", load, gg_roof_isa(), n, n == 1 ? "" : "s");
    const struct { const char *name, *unit; double one, all; } line[] = {
        {"fp32 FMA", "GF/s", b->one.f32, b->all.f32}, {"bf16 dot", "GF/s", b->one.bf16, b->all.bf16},
        {"int8 dot", "GF/s", b->one.i8, b->all.i8}, {"memory read", "GB/s", b->one.memory, b->all.memory}};
    for (size_t i = 0; i < sizeof line / sizeof *line; i++)
        if (line[i].one > 0)
            printf("  %-12s %s %14.1f %11.1f\n", line[i].name, line[i].unit, line[i].one, line[i].all);
        else
            printf("  %-12s not on this processor\n", line[i].name);
}

static gg_status run_all(bench *b)
{
    GG_TRY(bench_products(b, GG_F32));
    if (b->one.bf16 > 0)
        GG_TRY(bench_products(b, GG_BF16));
    if (gg_i8_is_there())
        GG_TRY(bench_products(b, GG_I8));
    GG_TRY(bench_attention(b));
    return bench_rows(b);
}

static int bench_machine(int argc, char **argv)
{
    gg_command c = {.name = "bench",
                    .sentence = "Measures what this machine can do (its roof), then golgi's products and kernels on one thread as parts of it.",
                    .example = "golgi bench",
                    .notes = "golgi bench nag --model M measures a whole extraction. Use an idle machine: the load is printed."};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    bench b = {.products = json_array(), .attention = json_array(), .rows = json_array(), .tell = !c.json};
    double load = 0;
    if (getloadavg(&load, 1) != 1)
        load = 0;
    if ((s = gg_command_context(&b.ctx, &c)) == GG_OK && (s = b.products && b.attention && b.rows ? GG_OK : no_memory(&b)) == GG_OK &&
        (s = gg_roof_measure(&b.one, &b.all, b.ctx)) == GG_OK) {
        if (b.tell)
            tell_roof(&b, load);
        s = run_all(&b);
    }
    if (s == GG_OK && gg_context_stopped(b.ctx))
        s = gg_fail(b.ctx, GG_EINTR, "stopped on request");
    if (s == GG_OK && c.json)
        s = gg_json_print(b.ctx, json_pack("{s:f, s:o, s:O, s:O, s:O}", "load", load, "roof", roof_json(&b), "products", b.products, "attention", b.attention,
                                           "rows", b.rows));
    json_decref(b.products);
    json_decref(b.attention);
    json_decref(b.rows);
    return gg_command_close(&c, b.ctx, s);
}

int gg_cli_bench(int argc, char **argv)
{
    static const gg_verb systems[] = {
#define GG_SYSTEM(name, summary) {#name, summary, gg_##name##_bench},
#include "systems/systems.def"
#undef GG_SYSTEM
    };
    const bool machine = argc < 2 || argv[1][0] == '-';
    return machine ? bench_machine(argc, argv) : gg_verbs_run("bench", NULL, systems, (int)(sizeof systems / sizeof *systems), argc, argv);
}
