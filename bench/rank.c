/* Ranking against the machine: build/bench/rank [--documents N] [--fraction R]   (make build/bench/rank)
 *
 * 1. The lookups alone: distances of documents in memory to 1, 8 and 64 profiles, on one thread, best of several turns of wall time.
 * 2. Whole rankings of a pool on disk (made here, in TMPDIR or /tmp, 634 MB a million documents; read once before, so it is the page cache
 *    that is read): census, checksums, distances, fronts, order; everything but writing the rows. Wall time of all threads, and CPU
 *    time a document, which a busy machine disturbs less.
 * "of memory": bytes of the pool that are read a second, as a part of what one core (all, for wall time) reads from memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/work.h"
#include "math/roof.h"
#include "systems/nag/nag_internal.h"

enum { LAYERS = 30, K = 10, WIDTH = 1536, TURNS = 7, BATCH = 8192 };
static const int counts[] = {1, 8, 64};
static gg_roof one, all;

static void check(gg_context *ctx, gg_status s)
{
    if (s != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        exit(1);
    }
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* Neurons as in real lists: some are common (the smaller of two draws). */
static void draw_lists(gg_random *r, uint16_t *index, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        const uint64_t z = gg_random_u64(r);
        const uint64_t a = (z & 0xffff) * WIDTH >> 16, b = (z >> 16 & 0xffff) * WIDTH >> 16;
        index[j] = (uint16_t)(a < b ? a : b);
    }
}

static void write_pool(gg_context *ctx, const char *path, int64_t n, uint64_t seed)
{
    gg_nag_header h = {.model = "synthetic", .dtype = "f32", .max_tokens = 120, .n_layers = LAYERS, .n_sites = 1, .site = {{GG_NAG_UP, WIDTH, K}}};
    gg_random r = gg_random_of(seed, 0);
    gg_nag_writer *w = NULL;
    memset(h.model_hash, '0', 64);
    for (int l = 0; l < LAYERS; l++)
        h.layer[l] = l;
    check(ctx, gg_nag_writer_open(&w, ctx, path, &h));
    for (int64_t i = 0; i < n; i++) {
        uint16_t index[LAYERS * K];
        char name[48];
        const char *docid = name;
        const int64_t tokens = 20 + gg_random_below(&r, 1981);
        draw_lists(&r, index, LAYERS * K);
        snprintf(name, sizeof name, "%llu-document-%lld", (unsigned long long)seed, (long long)i);
        check(ctx, gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = &tokens, .n_scored = &tokens, .index_bytes = 2,
                                                           .index = {index}}));
    }
    check(ctx, gg_nag_writer_commit(w));
}

/* --- lookups -------------------------------------------------------------------------------------------------------------------- */
static void bench_lookups(gg_context *ctx)
{
    gg_random r = gg_random_of(1, 1);
    uint16_t *index = gg_new(ctx, uint16_t, (int64_t)BATCH * LAYERS * K);
    double *weight = gg_new(ctx, double, LAYERS * WIDTH), *out = gg_new(ctx, double, (int64_t)BATCH * 64);
    const gg_nag_profile *list[64];
    if (!index || !weight || !out)
        exit(1);
    draw_lists(&r, index, (int64_t)BATCH * LAYERS * K);
    for (int i = 0; i < LAYERS * WIDTH; i++)
        weight[i] = gg_random_uniform(&r) / WIDTH;
    gg_nag_profile p = {.ctx = ctx, .n_layers = LAYERS, .top_k = K, .width = WIDTH, .weight = weight};
    for (int i = 0; i < 64; i++)
        list[i] = &p;
    printf("\nlookups alone, one thread\n  targets   ns a document   documents/s   ns a further target\n");
    double first = 0;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        gg__nag_table *t = NULL;
        double best = 1e9;
        check(ctx, gg__nag_table_create(&t, ctx, list, counts[c]));
        const int64_t step = counts[c] <= 8 ? 512 : gg__nag_table_batch(t);
        for (int turn = 0; turn < TURNS; turn++) {
            const double start = gg_time();
            for (int64_t from = 0; from < BATCH; from += step)
                gg__nag_table_distance(out, t, &(gg__nag_lists){index + from * LAYERS * K, step, 2}, 1);
            best = gg_time() - start < best ? gg_time() - start : best;
        }
        const double ns = 1e9 * best / BATCH;
        first = c ? first : ns;
        printf("  %7d   %13.0f   %11.0f", counts[c], ns, 1e9 / ns);
        if (counts[c] > 1)
            printf("   %19.1f", (ns - first) / (counts[c] - 1));
        putchar('\n');
        gg__nag_table_free(t);
    }
    gg_drop(ctx, index);
    gg_drop(ctx, weight);
    gg_drop(ctx, out);
}

/* --- whole rankings --------------------------------------------------------------------------------------------------------------- */
static void bench_rankings(gg_context *ctx, const char *folder, int64_t n, double fraction)
{
    static char path[64][128];
    static const char *paths[64][1];
    char pool[128];
    gg_nag_target target[64];
    gg_nag_ranking *r[64];
    snprintf(pool, sizeof pool, "%s/pool.nag", folder);
    write_pool(ctx, pool, n, 1);
    for (int t = 0; t < 64; t++) {
        snprintf(path[t], sizeof path[t], "%s/t%d.nag", folder, t);
        write_pool(ctx, path[t], 200, 100 + (uint64_t)t);
        paths[t][0] = path[t];
        target[t] = (gg_nag_target){path[t], paths[t], 1};
    }
    printf("\nwhole rankings of %lld documents, %d thread%s\n  targets   CPU ns a document   documents/s a core   of memory   documents/s   of memory\n",
           (long long)n,
           gg_context_threads(ctx), gg_context_threads(ctx) == 1 ? "" : "s");
    const double bytes = (LAYERS * K * 2 + 16 + 22) * 1.06 * 1e-9; /* GB a document, names twice */
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        double cpu = 1e9, wall = 1e9;
        for (int turn = 0; turn < 3; turn++) {
            gg_nag_rank_options o = {.pool = {pool}, .n_pool = 1, .fraction = fraction / counts[c], .chosen_only = true};
            const double start = gg_time(), used = cpu_seconds();
            check(ctx, gg_nag_rank_many(r, ctx, &o, target, counts[c]));
            cpu = cpu_seconds() - used < cpu ? cpu_seconds() - used : cpu;
            wall = gg_time() - start < wall ? gg_time() - start : wall;
            for (int t = 0; t < counts[c]; t++)
                gg_nag_ranking_free(r[t]);
        }
        const double each = (double)n / cpu, together = (double)n / wall;
        printf("  %7d   %17.0f   %18.0f   %7.0f %%   %11.0f   %7.0f %%\n", counts[c], 1e9 / each, each, 100 * each * bytes / one.memory, together,
               100 * together * bytes / all.memory);
    }
    for (int t = 0; t < 64; t++)
        unlink(path[t]);
    unlink(pool);
}

int main(int argc, char **argv)
{
    int64_t n = 1000000;
    double fraction = 0.2, load = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        n = strcmp(argv[i], "--documents") == 0 ? strtoll(argv[i + 1], NULL, 10) : n;
        fraction = strcmp(argv[i], "--fraction") == 0 ? strtod(argv[i + 1], NULL) : fraction;
    }
    char folder[96];
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.64s/golgi-rank-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    gg_context *ctx = NULL;
    if (n < 1 || !(fraction > 0 && fraction <= 1) || gg_context_create(&ctx, NULL) != GG_OK || !mkdtemp(folder))
        return 2;
    if (getloadavg(&load, 1) == 1)
        printf("load of the machine: %.2f\n", load);
    check(ctx, gg_roof_measure(&one, &all, ctx));
    printf("memory: one core %.1f GB/s, all %.1f GB/s\n", one.memory, all.memory);
    bench_lookups(ctx);
    bench_rankings(ctx, folder, n, fraction);
    rmdir(folder);
    gg_context_free(ctx);
    return 0;
}
