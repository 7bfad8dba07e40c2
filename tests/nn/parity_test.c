/* A hundred steps beside PyTorch: from its initial weights, over the same batches, the same losses (tests/golden/train/parity.py). */
#include "grad/support.h"
#include <golgi/tensors.h>
#include "nn/nets.h"

static const struct {
    const char *name;
    net_sizes s;
    gg_optim_options o;
} cases[] = {
    {"mlp_adam", {.batch = 32, .in = 16, .hidden = 32, .hidden2 = 32, .out = 4}, {.kind = GG_OPTIM_ADAM, .lr = 1e-2}},
    {"cnn_sgd", {.batch = 8, .in = 12, .hidden = 4, .hidden2 = 6, .out = 5}, {.kind = GG_OPTIM_SGD, .lr = 0.1}},
    {"lstm_adam", {.batch = 10, .in = 6, .hidden = 21, .T = 7, .out = 3}, {.kind = GG_OPTIM_ADAM, .lr = 1e-2}},
    {"rnn_momentum", {.batch = 8, .in = 10, .hidden = 37, .T = 8, .out = 4}, {.kind = GG_OPTIM_SGD, .lr = 0.01, .momentum = 0.9}},
    {"gpt_adamw", {.batch = 4, .hidden = 32, .T = 16, .layers = 2, .heads = 4, .vocab = 40}, {.kind = GG_OPTIM_ADAMW, .lr = 1e-3, .weight_decay = 0.1}},
};

static gg_tensors *golden;

static void follow(size_t k, int threads)
{
    gg_graph *g = NULL;
    gg_params *p = NULL;
    gg_optim *o = NULL;
    char name[128];
    const net_sizes *s = &cases[k].s;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.n_threads = threads}));
    const gg_nn nn = {g, p, NULL};
    net n = k == 0 ? net_mlp(&nn, s, false) : k == 1 ? net_cnn(&nn, s) : k == 4 ? net_gpt(&nn, s) : net_rnn(&nn, s, k == 2);
    assert_ok(gg_graph_backward(n.loss));
    assert_ok(gg_graph_plan(g, &n.loss, 1));
    for (int i = 0; i < gg_params_count(p); i++) {
        snprintf(name, sizeof name, "%s/%s", cases[k].name, gg_params_name(p, i));
        const gg_tensor *t = NULL;
        assert_ok(gg_tensors_need(&t, golden, name));
        assert_int_equal(t->n_bytes, gg_params_size(p, i) * 4);
        memcpy(gg_params_value(p, i), t->data, (size_t)t->n_bytes);
    }
    assert_ok(gg_optim_create(&o, ctx, p, &cases[k].o));
    const gg_tensor *curve = NULL;
    snprintf(name, sizeof name, "%s/curve", cases[k].name);
    assert_ok(gg_tensors_need(&curve, golden, name));
    for (int step = 0; step < 100; step++) {
        fill_batch(&n, step % 10, k == 4 ? s->vocab : s->out);
        assert_ok(gg_graph_run(g));
        assert_ok(gg_optim_step(o));
        const double want = ((const double *)curve->data)[step], found = gg_var_item(n.loss);
        if (!(fabs(found - want) <= 1e-4 * fabs(want)))
            fail_msg("%s, step %d: loss %.9g, PyTorch has %.9g", cases[k].name, step, found, want);
    }
    gg_optim_free(o);
    gg_graph_free(g);
    gg_params_free(p);
}

static void losses_follow_torch_for_a_hundred_steps(void **state)
{
    (void)state;
    assert_ok(gg_tensors_open(&golden, ctx, "tests/golden/train/parity.safetensors"));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        follow(k, k % 2 + 1);
    gg_tensors_free(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_follow_torch_for_a_hundred_steps),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
