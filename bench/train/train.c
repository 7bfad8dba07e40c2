/* Microseconds a step of seven nets, one line each as "name threads microseconds share": the figures of bench/train/run, which holds them
 * against PyTorch's. share: of one core's fp32 roof (of all threads', with several), counting multiply-adds of the products of the step.
 *   build/bench/train/train [NAME] [THREADS]
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
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
    {"rnn-relu", {.batch = 32, .in = 100, .hidden = 300, .T = 8, .out = 10}, {.kind = GG_OPTIM_SGD, .lr = 1e-3, .momentum = 0.9}, 8 * (100 * 300 + 300 * 300) + 3000},
    {"lstm", {.batch = 50, .in = 10, .hidden = 50, .T = 10, .out = 5}, {.kind = GG_OPTIM_ADAM}, 10 * 4 * (10 * 50 + 50 * 50) + 250},
    {"cnn", {.batch = 64, .in = 28, .hidden = 16, .hidden2 = 32, .out = 10}, {.kind = GG_OPTIM_SGD, .lr = 0.01}, 784 * 9 * 16 + 196 * 144 * 32 + 1568 * 10},
    {"gpt", {.batch = 8, .hidden = 128, .T = 64, .layers = 4, .heads = 4, .vocab = 512}, {.kind = GG_OPTIM_ADAMW, .lr = 3e-4, .weight_decay = 0.1}, 4 * (12 * 128 * 128 + 64 * 128) + 128 * 512},
};

static void check(gg_context *ctx, gg_status s)
{
    if (s != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        exit(1);
    }
}

static double time_of(gg_context *ctx, size_t k, int threads)
{
    gg_graph *g = NULL;
    gg_params *p = NULL;
    gg_optim *o = NULL;
    const net_sizes *s = &cases[k].s;
    const bool forward_only = k == 1;
    check(ctx, gg_params_create(&p, ctx, GG_F32));
    check(ctx, gg_graph_create(&g, ctx, &(gg_graph_options){.n_threads = threads}));
    const gg_nn nn = {g, p, NULL};
    net n = k <= 2 ? net_mlp(&nn, s, k == 1) : k == 3 || k == 4 ? net_rnn(&nn, s, k == 4) : k == 5 ? net_cnn(&nn, s) : net_gpt(&nn, s);
    if (!forward_only)
        gg_graph_backward(n.loss);
    check(ctx, gg_graph_plan(g, forward_only ? &n.out : &n.loss, 1));
    check(ctx, gg_nn_init(p, 1));
    check(ctx, gg_optim_create(&o, ctx, p, &cases[k].o));
    fill_batch(&n, 0, k == 6 ? s->vocab : s->out);
    double best = INFINITY;
    int64_t reps = 1;
    for (int round = 0; round < 12; round++) {
        const double start = gg_time();
        for (int64_t i = 0; i < reps; i++) {
            check(ctx, gg_graph_run(g));
            if (!forward_only)
                check(ctx, gg_optim_step(o));
        }
        const double took = gg_time() - start;
        if (round == 0)
            reps = took < 0.1 ? (int64_t)(0.1 / took) + 1 : 1;
        else
            best = fmin(best, took / (double)reps);
    }
    gg_optim_free(o);
    gg_graph_free(g);
    gg_params_free(p);
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 2 ? atoi(argv[2]) : 1;
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
