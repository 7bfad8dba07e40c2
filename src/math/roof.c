/* The roof, measured: loops of independent FMAs (or dot products) whose operands stay in registers, and a read of a large buffer.
 * Accumulators cover the latency of the units: four cycles, two a cycle, for FMAs; six for dot products of bfloat16, where twelve
 * accumulators fell 6 % short of what real products reached. Runs are short, and memory is read in short pieces, so that on a busy machine
 * some of them are left alone; of each thread the best run counts. (CPU time will not do: in a virtual machine it may run slow for a
 * moment, and the best of many short runs is then the one that was measured wrong.) */
#include "math/roof.h"
#include "base/work.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define N_ROUNDS 400000 /* 1 to 2 ms */
#define BUFFER ((int64_t)128 << 20)
enum { REPEATS = 16, REPEATS_MEMORY = 4, PIECES = 64 /* of the buffer, some 0.1 ms each */ };

/* Each returns the operations it did; the sum of the accumulators goes to *sink so that nothing is removed. */
typedef double (*loop)(int64_t rounds, float *sink);

#if defined(__x86_64__)
/* Named accumulators: gcc keeps an array of them in memory. The empty asm keeps each product alive and in its register. */
#define EACH_12(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define EACH_20(X) EACH_12(X) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)
#define ONE(i) +1
#define STAY(i) __asm__ volatile("" : "+v"(c##i));
#define LOOP(name, isa, EACH, start, step, reduce, operand, va, vb, ops)                           \
    __attribute__((target(isa))) static double name(int64_t rounds, float *sink)                   \
    {                                                                                              \
        const operand a = va, b = vb;                                                              \
        EACH(start)                                                                                \
        for (int64_t r = 0; r < rounds; r++) {                                                     \
            EACH(step)                                                                             \
            EACH(STAY)                                                                             \
        }                                                                                          \
        EACH(reduce)                                                                               \
        return (double)rounds * (EACH(ONE)) * (ops);                                               \
    }
#define START_512(i) __m512 c##i = _mm512_set1_ps(i);
#define START_256(i) __m256 c##i = _mm256_set1_ps(i);
#define START_I8(i) __m512i c##i = _mm512_set1_epi32(i);
#define STEP_512(i) c##i = _mm512_fmadd_ps(a, b, c##i);
#define STEP_256(i) c##i = _mm256_fmadd_ps(a, b, c##i);
#define STEP_BF16(i) c##i = _mm512_dpbf16_ps(c##i, a, b);
#define STEP_I8(i) c##i = _mm512_dpbusd_epi32(c##i, a, b);
#define SUM_512(i) *sink += _mm512_cvtss_f32(c##i);
#define SUM_256(i) *sink += _mm256_cvtss_f32(c##i);
#define SUM_I8(i) *sink += (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(c##i));
LOOP(loop_f32_512, "avx512f", EACH_20, START_512, STEP_512, SUM_512, __m512, _mm512_set1_ps(0.5f), _mm512_set1_ps(1e-3f), 16 * 2)
LOOP(loop_f32_256, "avx2,fma", EACH_12, START_256, STEP_256, SUM_256, __m256, _mm256_set1_ps(0.5f), _mm256_set1_ps(1e-3f), 8 * 2)
LOOP(loop_bf16, "avx512f,avx512bf16", EACH_20, START_512, STEP_BF16, SUM_512, __m512bh, (__m512bh)_mm512_set1_epi32(0x3f003f00),
     (__m512bh)_mm512_set1_epi32(0x3a003a00), 32 * 2)
LOOP(loop_i8, "avx512f,avx512vnni", EACH_20, START_I8, STEP_I8, SUM_I8, __m512i, _mm512_set1_epi32(0x01010101), _mm512_set1_epi32(0x01ff01ff), 64 * 2)
#endif

/* Vectors of the compiler's choice where nothing better is known. */
static double loop_f32_plain(int64_t rounds, float *sink)
{
    enum { N = 48 };
    float acc[N];
    for (int i = 0; i < N; i++)
        acc[i] = (float)i;
    for (int64_t r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++)
            acc[i] = acc[i] * 0.999f + 1e-3f;
        __asm__ volatile("" : : "r"(acc) : "memory");
    }
    for (int i = 0; i < N; i++)
        *sink += acc[i];
    return (double)rounds * N * 2;
}

static loop f32_loop(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return loop_f32_512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return loop_f32_256;
#endif
    return loop_f32_plain;
}

static loop bf16_loop(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16"))
        return loop_bf16;
#endif
    return NULL;
}

static loop i8_loop(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vnni"))
        return loop_i8;
#endif
    return NULL;
}

const char *gg_roof_isa(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return "AVX-512";
    if (__builtin_cpu_supports("avx2"))
        return "AVX2";
#endif
    return "plain";
}

struct job {
    loop loop; /* NULL: read memory */
    int64_t rounds;
    const uint64_t *buffer;
    int n_threads;
    struct figure {
        double rate;            /* 1e9 a second, best so far */
        double seconds[PIECES]; /* of reading each, the best so far; 0: not yet */
        float sink;
    } *of; /* each worker */
};

/* Four places of it in turn: a core that reads one line after the other waits more. */
static inline __attribute__((always_inline)) uint64_t read_lines(const uint64_t *at)
{
    enum { STREAMS = 4, EACH = BUFFER / PIECES / 8 / STREAMS };
    uint64_t sum[8] = {0};
    for (int64_t k = 0; k + 8 <= EACH; k += 8)
        for (int s = 0; s < STREAMS; s++)
            for (int l = 0; l < 8; l++)
                sum[l] += at[s * EACH + k + l];
    return sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t read_piece_256(const uint64_t *at) { return read_lines(at); }
#endif

static uint64_t read_piece(const uint64_t *at)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        return read_piece_256(at);
#endif
    return read_lines(at);
}

/* The whole buffer once; the rate is that of all pieces at their best. Threads begin far from one another: what one has just read lies in the cache
 * that they share. */
static void read_memory(const struct job *j, int worker)
{
    struct figure *f = &j->of[worker];
    double sum = 0;
    for (int i = 0; i < PIECES; i++) {
        const int piece = (i + worker * PIECES / j->n_threads) % PIECES;
        const double start = gg_time();
        f->sink += (float)read_piece(j->buffer + piece * (BUFFER / PIECES / 8));
        const double took = gg_time() - start;
        f->seconds[piece] = f->seconds[piece] == 0 || took < f->seconds[piece] ? took : f->seconds[piece];
        sum += f->seconds[piece];
    }
    f->rate = (double)BUFFER / sum / 1e9;
}

static gg_status measure_one(void *user, int64_t i, int worker)
{
    (void)i;
    struct job *j = user;
    if (!j->loop) {
        read_memory(j, worker);
        return GG_OK;
    }
    const double start = gg_time();
    const double work = j->loop(j->rounds, &j->of[worker].sink);
    const double rate = work / (gg_time() - start) / 1e9;
    j->of[worker].rate = rate > j->of[worker].rate ? rate : j->of[worker].rate;
    return GG_OK;
}

/* Best of several runs of a loop, alone and on all threads. */
static gg_status measure(double *one, double *all, gg_context *ctx, struct job *j)
{
    const int n_threads = gg_context_threads(ctx), repeats = j->loop ? REPEATS : REPEATS_MEMORY;
    j->of[0] = (struct figure){0};
    for (int i = 0; i < repeats; i++)
        GG_TRY(measure_one(j, 0, 0));
    *one = j->of[0].rate;
    for (int i = 0; i < n_threads; i++)
        j->of[i] = (struct figure){0};
    for (int i = 0; i < repeats; i++)
        GG_TRY(gg_parallel_workers(ctx, measure_one, j));
    *all = 0;
    for (int i = 0; i < n_threads; i++)
        *all += j->of[i].rate;
    return GG_OK;
}

gg_status gg_roof_measure(gg_roof *one, gg_roof *all, gg_context *ctx)
{
    *one = *all = (gg_roof){0};
    uint64_t *buffer = gg_new(ctx, uint64_t, BUFFER / 8);
    struct job j = {.loop = f32_loop(), .rounds = N_ROUNDS, .buffer = buffer, .n_threads = gg_context_threads(ctx)};
    j.of = gg_new(ctx, struct figure, j.n_threads);
    gg_status s = j.of && buffer ? GG_OK : GG_ENOMEM;
    if (s == GG_OK) {
        memset(buffer, 1, (size_t)BUFFER); /* touched, so that the pages are there */
        s = measure(&one->f32, &all->f32, ctx, &j);
        if (s == GG_OK && (j.loop = bf16_loop()))
            s = measure(&one->bf16, &all->bf16, ctx, &j);
        if (s == GG_OK && (j.loop = i8_loop()))
            s = measure(&one->i8, &all->i8, ctx, &j);
        j.loop = NULL;
        if (s == GG_OK)
            s = measure(&one->memory, &all->memory, ctx, &j);
    }
    gg_drop(ctx, buffer);
    gg_drop(ctx, j.of);
    return s;
}

gg_status gg_roof_of(double *out, gg_context *ctx, gg_dtype t)
{
    struct job j = {.loop = t == GG_BF16 ? bf16_loop() : t == GG_I8 ? i8_loop() : f32_loop(),
                    .rounds = N_ROUNDS,
                    .of = gg_new(ctx, struct figure, gg_context_threads(ctx))};
    *out = 0;
    gg_status s = j.of ? GG_OK : GG_ENOMEM;
    for (int i = 0; i < REPEATS && j.loop && s == GG_OK; i++)
        s = gg_parallel_workers(ctx, measure_one, &j);
    for (int i = 0; i < gg_context_threads(ctx) && j.loop && s == GG_OK; i++)
        *out += 1e9 * j.of[i].rate;
    gg_drop(ctx, j.of);
    return s;
}

gg_status gg_roof_show(gg_progress *p, double *roof, gg_context *ctx, gg_dtype t)
{
    if (!p)
        return GG_OK;
    if (*roof == 0)
        GG_TRY(gg_roof_of(roof, ctx, t));
    gg_progress_roof(p, *roof, t == GG_BF16 ? "bf16" : t == GG_I8 ? "int8" : "fp32");
    return GG_OK;
}

void gg_roof_json(gg_str *out, const gg_roof *one, const gg_roof *all, int n_threads)
{
    const gg_roof *const r[] = {one, all};
    gg_str_printf(out, "{\"isa\": \"%s\", \"threads\": %d", gg_roof_isa(), n_threads);
    for (int i = 0; i < 2; i++)
        gg_str_printf(out, ", \"%s\": {\"f32\": %.1f, \"bf16\": %.1f, \"i8\": %.1f, \"memory\": %.1f}", i ? "all" : "one", r[i]->f32, r[i]->bf16, r[i]->i8,
                      r[i]->memory);
    gg_str_puts(out, "}");
}
