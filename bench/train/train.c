/* Microseconds a step of seven nets, one line each as "name threads microseconds share": the figures of bench/train/run, which holds them
 * against PyTorch's. share: of one core's fp32 roof (of all threads', with several), counting multiply-adds of the products of the step.
 *   build/bench/train/train [NAME] [THREADS]
 *   build/bench/train/train beside [NAME]     two processes with one thread each at the same time: steps a second of one alone and of
 *       both, how many times as many, and the same a second of processor time, which says more on a busy machine
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/work.h"
#include "math/roof.h"
#include "nn/nets.h"

static const struct {
    const char *name;
    net_sizes s;
    gg_optim_options o;
    double macs; /* multiply-adds of one example forward (a token's, for gpt) */
} cases[] = {
    {"mlp-small", {.batch = 32, .in = 16, .hidden = 32, .hidden2 = 32, .out = 4}, {.kind = GG_OPTIM_ADAM}, 16 * 32 + 32 * 32 + 32 * 4},
    {"policy", {.batch = 1, .in = 25, .hidden = 64, .hidden2 = 64, .out = 5}, {.kind = GG_OPTIM_SGD}, 25 * 64 + 64 * 64 + 64 * 5},
    {"mlp-mnist", {.batch = 64, .in = 784, .hidden = 256, .out = 10}, {.kind = GG_OPTIM_SGD, .lr = 0.01}, 784 * 256 + 256 * 10},
    {"rnn-relu", {.batch = 32, .in = 100, .hidden = 300, .T = 8, .out = 10}, {.kind = GG_OPTIM_SGD, .lr = 1e-3, .momentum = 0.9},
     8 * (100 * 300 + 300 * 300) + 3000},
    {"lstm", {.batch = 50, .in = 10, .hidden = 50, .T = 10, .out = 5}, {.kind = GG_OPTIM_ADAM}, 10 * 4 * (10 * 50 + 50 * 50) + 250},
    {"cnn", {.batch = 64, .in = 28, .hidden = 16, .hidden2 = 32, .out = 10}, {.kind = GG_OPTIM_SGD, .lr = 0.01}, 784 * 9 * 16 + 196 * 144 * 32 + 1568 * 10},
    {"gpt", {.batch = 8, .hidden = 128, .T = 64, .layers = 4, .heads = 4, .vocab = 512}, {.kind = GG_OPTIM_ADAMW, .lr = 3e-4, .weight_decay = 0.1},
     4 * (12 * 128 * 128 + 64 * 128) + 128 * 512},
};

static void check(gg_context *ctx, gg_status s)
{
    if (s != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        exit(1);
    }
}

typedef struct run {
    gg_graph *g;
    gg_params *p;
    gg_optim *o; /* NULL: forward only */
} run;

static run make_run(gg_context *ctx, size_t k, int threads)
{
    run r = {0};
    const net_sizes *s = &cases[k].s;
    const bool forward_only = k == 1;
    check(ctx, gg_params_create(&r.p, ctx, GG_F32));
    check(ctx, gg_graph_create(&r.g, ctx, &(gg_graph_options){.n_threads = threads}));
    const gg_nn nn = {r.g, r.p, NULL};
    net n = k <= 2 ? net_mlp(&nn, s, k == 1) : k == 3 || k == 4 ? net_rnn(&nn, s, k == 4) : k == 5 ? net_cnn(&nn, s) : net_gpt(&nn, s);
    if (!forward_only)
        gg_graph_backward(n.loss);
    check(ctx, gg_graph_plan(r.g, forward_only ? &n.out : &n.loss, 1));
    check(ctx, gg_nn_init(r.p, 1));
    if (!forward_only)
        check(ctx, gg_optim_create(&r.o, ctx, r.p, &cases[k].o));
    fill_batch(&n, 0, k == 6 ? s->vocab : s->out);
    return r;
}

static void step(gg_context *ctx, const run *r)
{
    check(ctx, gg_graph_run(r->g));
    if (r->o)
        check(ctx, gg_optim_step(r->o));
}

static void free_run(run *r)
{
    gg_optim_free(r->o);
    gg_graph_free(r->g);
    gg_params_free(r->p);
}

static double time_of(gg_context *ctx, size_t k, int threads)
{
    run r = make_run(ctx, k, threads);
    double best = INFINITY;
    int64_t reps = 1;
    const double end = gg_time() + 1.2;
    for (int round = 0; round < 12 || gg_time() < end; round++) { /* the best of many short stretches, as in peer.py: what else runs here falls between them */
        const double start = gg_time();
        for (int64_t i = 0; i < reps; i++)
            step(ctx, &r);
        const double took = gg_time() - start;
        if (round > 1)
            best = fmin(best, took / (double)reps);
        else
            reps = took < 0.002 * (double)reps ? (int64_t)(0.002 * (double)reps / took) + 1 : 1;
    }
    free_run(&r);
    return best;
}

/* Steps a second of all of n processes, each with its own net and one thread, over the same part of a second: of the clock, of the processor's time. */
typedef struct rate {
    double wall, cpu;
} rate;

static rate steps_beside(size_t k, int n)
{
    const double start = gg_time() + 0.1, end = start + 0.15;
    int pipes[2];
    if (pipe(pipes) != 0)
        exit(1);
    for (int i = 0; i < n; i++) {
        const pid_t child = fork();
        if (child < 0)
            exit(1);
        if (child > 0)
            continue;
        gg_context *ctx = NULL;
        if (gg_context_create(&ctx, &(gg_context_options){.n_threads = 1}) != GG_OK)
            _exit(1);
        run r = make_run(ctx, k, 1);
        int64_t steps = 0;
        while (gg_time() < start)
            step(ctx, &r);
        const double began = gg_time();
        const clock_t cpu = clock();
        for (; gg_time() < end; steps++)
            step(ctx, &r);
        const rate one = {(double)steps / (gg_time() - began), (double)steps * CLOCKS_PER_SEC / (double)(clock() - cpu)};
        _exit(write(pipes[1], &one, sizeof one) != sizeof one);
    }
    rate sum = {0, 0}, one;
    for (int i = 0; i < n; i++) {
        int status;
        if (wait(&status) < 0 || status != 0 || read(pipes[0], &one, sizeof one) != sizeof one)
            exit(1);
        sum.wall += one.wall;
        sum.cpu += one.cpu;
    }
    close(pipes[0]);
    close(pipes[1]);
    return sum;
}

static void beside(const char *name)
{
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        if (strcmp(name, cases[k].name) != 0)
            continue;
        rate best[2] = {{0, 0}, {0, 0}};
        for (int round = 0; round < 40; round++) { /* in turns, best of each */
            const rate now = steps_beside(k, 1 + round % 2);
            best[round % 2].wall = fmax(best[round % 2].wall, now.wall);
            best[round % 2].cpu = fmax(best[round % 2].cpu, now.cpu);
        }
        printf("%-10s %10.0f %10.0f %5.2f %5.2f\n", name, best[0].wall, best[1].wall, best[1].wall / best[0].wall, best[1].cpu / best[0].cpu);
    }
}

int main(int argc, char **argv)
{
    const int threads = argc > 2 ? atoi(argv[2]) : 1;
    if (argc > 1 && strcmp(argv[1], "beside") == 0) {
        beside(argc > 2 ? argv[2] : "mlp-mnist");
        return 0;
    }
    gg_context *ctx = NULL;
    gg_roof one, all;
    if (gg_context_create(&ctx, &(gg_context_options){.n_threads = threads}) != GG_OK)
        return 1;
    check(ctx, gg_roof_measure(&one, &all, ctx));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        if (argc > 1 && strcmp(argv[1], "all") != 0 && strcmp(argv[1], cases[k].name) != 0)
            continue;
        const double t = time_of(ctx, k, threads), examples = (double)(cases[k].s.batch * (k == 6 ? cases[k].s.T : 1)) * (k == 1 ? 1 : 3);
        printf("%-10s %d %10.2f %5.1f\n", cases[k].name, threads, t * 1e6, 100 * 2 * cases[k].macs * examples / t / (threads > 1 ? all.f32 : one.f32) * 1e-9);
        fflush(stdout);
    }
    gg_context_free(ctx);
    return 0;
}
