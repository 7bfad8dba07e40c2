/* Layers: names, shapes and distributions of torch.nn; nets that learn what only such a net can learn, and controls that cannot. */
#include "grad/support.h"
#include <golgi/nn.h>

static gg_params *params(void)
{
    gg_params *p = NULL;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    return p;
}
static gg_graph *graph(void)
{
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, NULL));
    return g;
}

/* The program at the head of nn.h; without its hidden layer XOR cannot be learned. */
static double xor_loss(bool hidden)
{
    gg_params *p = params();
    gg_graph *g = graph();
    gg_optim *o = NULL;
    gg_nn nn = {g, p, NULL};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(4, 2)), *t = gg_graph_input(g, "t", GG_SHAPE(4, 1));
    gg_var *h = hidden ? gg_var_tanh(gg_nn_linear(&nn, "fc1", x, 8, true)) : x;
    gg_var *loss = gg_var_mean(gg_nn_bce_logits(gg_nn_linear(&nn, "fc2", h, 1, true), t), GG_ALL_AXES, false);
    gg_graph_backward(loss);
    assert_ok(gg_graph_plan(g, &loss, 1));
    assert_ok(gg_nn_init(p, 1));
    assert_ok(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAM, .lr = 0.05}));
    memcpy(gg_var_data(x), (float[]){0, 0, 0, 1, 1, 0, 1, 1}, 32);
    memcpy(gg_var_data(t), (float[]){0, 1, 1, 0}, 16);
    for (int i = 0; i < 300; i++) {
        assert_ok(gg_graph_run(g));
        assert_ok(gg_optim_step(o));
    }
    const double end = gg_var_item(loss);
    gg_optim_free(o);
    gg_graph_free(g);
    gg_params_free(p);
    return end;
}

static void a_hidden_layer_learns_xor_and_none_cannot(void **state)
{
    (void)state;
    assert_true(xor_loss(true) < 0.02);
    assert_true(xor_loss(false) > 0.69);
}

/* Is the first of eight symbols a one? Only what is carried over time can say. */
static double memory_loss(int kind)
{
    enum { T = 8, B = 64, H = 12 };
    gg_params *p = params();
    gg_graph *g = graph();
    gg_optim *o = NULL;
    gg_nn nn = {g, p, "net."};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(T, B, 2)), *t = gg_graph_index(g, "t", GG_SHAPE(B)), *last = NULL, *all = NULL;
    const gg_rnn_options relu = {.relu = true};
    switch (kind) {
    case 0: all = gg_nn_rnn(&nn, "r", x, H, &last, NULL); break;
    case 1: all = gg_nn_rnn(&nn, "r", x, H, &last, &relu); break;
    case 2: all = gg_nn_lstm(&nn, "r", x, H, &last, NULL); break;
    case 3: all = gg_nn_gru(&nn, "r", x, H, &last, NULL); break;
    case 4: all = gg_nn_ctrnn(&nn, "r", x, H, 0.5, &last, NULL); break;
    default: last = gg_var_reshape(gg_var_slice(x, 0, T - 1, 1), GG_SHAPE(B, 2)); /* the control sees the last symbol only */
    }
    gg_var *loss = gg_var_mean(gg_var_cross_entropy(gg_nn_linear(&nn, "out", last, 2, true), t, -100), GG_ALL_AXES, false);
    gg_graph_backward(loss);
    assert_ok(gg_graph_plan(g, (gg_var *[]){loss, last, all}, all ? 3 : 2));
    assert_ok(gg_nn_init(p, 7));
    assert_ok(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAM, .lr = 0.02, .clip_norm = 1}));
    gg_random r = gg_random_of(4, 4);
    double sum = 0;
    for (int step = 0; step < 250; step++) {
        float *xd = gg_var_data(x);
        int32_t *td = gg_var_data(t);
        for (int64_t b = 0; b < B; b++)
            for (int64_t s = 0; s < T; s++) {
                const int one = (int)gg_random_below(&r, 2);
                xd[(s * B + b) * 2] = (float)one;
                xd[(s * B + b) * 2 + 1] = (float)(1 - one);
                td[b] = s == 0 ? one : td[b];
            }
        assert_ok(gg_graph_run(g));
        assert_ok(gg_optim_step(o));
        sum += step >= 230 ? gg_var_item(loss) / 20 : 0;
    }
    if (all)
        assert_memory_equal((float *)gg_var_data(all) + (T - 1) * B * H, gg_var_data(last), B * H * sizeof(float));
    gg_optim_free(o);
    gg_graph_free(g);
    gg_params_free(p);
    return sum;
}

static void recurrent_layers_remember_and_a_single_symbol_does_not(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        const double loss = memory_loss(kind);
        if (!(loss < 0.25))
            fail_msg("kind %d ends at %g", kind, loss);
    }
    assert_true(memory_loss(5) > 0.6);
}

static void names_shapes_and_distributions_are_those_of_torch(void **state)
{
    (void)state;
    gg_params *p = params();
    gg_graph *g = graph();
    gg_nn nn = {g, p, NULL};
    gg_var *image = gg_graph_input(g, "image", GG_SHAPE(2, 3, 8, 8)), *seq = gg_graph_input(g, "seq", GG_SHAPE(5, 2, 50)),
           *ids = gg_graph_index(g, "ids", GG_SHAPE(2, 6));
    gg_var *keep[4];
    keep[0] = gg_nn_conv2d(&nn, "conv", image, 40, 3, 3, true, &(gg_conv_options){.padding = {1, 1}});
    keep[1] = gg_nn_lstm(&nn, "lstm", seq, 30, NULL, NULL);
    keep[2] = gg_nn_block(&nn, "block", gg_nn_embedding(&nn, "emb", ids, 100, 32), &(gg_block_options){.n_heads = 4, .d_ff = 64, .causal = true});
    keep[3] = gg_nn_block(&nn, "llama", keep[2], &(gg_block_options){.n_heads = 4, .n_kv_heads = 2, .d_ff = 64, .causal = true, .rope_base = 1e4, .rms = true});
    assert_ok(gg_graph_plan(g, keep, 4));
    assert_ok(gg_nn_init(p, 3));
    static const struct {
        const char *name;
        gg_shape shape;
        double sd; /* of the distribution */
    } want[] = {{"conv.weight", {4, {40, 3, 3, 3}}, 0.11111}, {"conv.bias", {1, {40}}, 0.11111}, {"lstm.weight_ih_l0", {2, {120, 50}}, 0.10541},
                {"lstm.weight_hh_l0", {2, {120, 30}}, 0.10541}, {"lstm.bias_hh_l0", {1, {120}}, 0.10541}, {"emb.weight", {2, {100, 32}}, 1},
                {"block.attn.q.weight", {2, {32, 32}}, 0.10206}, {"block.mlp_norm.weight", {1, {32}}, 0}, {"llama.attn.k.weight", {2, {16, 32}}, 0.10206},
                {"llama.mlp.gate.weight", {2, {64, 32}}, 0.10206}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const int at = gg_params_find(p, want[i].name);
        assert_true(at >= 0);
        const gg_shape s = gg_params_shape(p, at);
        assert_int_equal(s.n, want[i].shape.n);
        assert_memory_equal(s.d, want[i].shape.d, (size_t)s.n * sizeof *s.d);
        double sum = 0, squares = 0;
        const float *v = gg_params_value(p, at);
        const double n = (double)gg_params_size(p, at);
        for (int64_t k = 0; k < gg_params_size(p, at); k++) {
            sum += (double)v[k];
            squares += (double)v[k] * (double)v[k];
        }
        const double mean = sum / n, sd = sqrt(fmax(0, squares / n - mean * mean));
        assert_true(fabs(sd - want[i].sd) <= 3 * want[i].sd / sqrt(n));
    }
    assert_int_equal(gg_params_find(p, "llama.attn.q.bias"), -1);
    assert_true(gg_params_flags(p, gg_params_find(p, "conv.bias")) & GG_PARAM_NO_DECAY);
    const float before = *(float *)gg_params_value(p, gg_params_find(p, "emb.weight"));
    assert_ok(gg_nn_init(p, 4));
    assert_true(*(float *)gg_params_value(p, gg_params_find(p, "emb.weight")) != before);
    assert_ok(gg_nn_init(p, 3));
    assert_true(*(float *)gg_params_value(p, gg_params_find(p, "emb.weight")) == before);
    gg_graph *other = graph(); /* the same layer with another width: told */
    gg_nn again = {other, p, NULL};
    gg_var *y = gg_nn_linear(&again, "llama.attn.q", gg_graph_input(other, "x", GG_SHAPE(2, 33)), 32, false);
    assert_int_equal(gg_graph_plan(other, &y, 1), GG_EMISMATCH);
    assert_non_null(strstr(gg_message(ctx), "llama.attn.q.weight has the shape (32, 32), the layer needs (32, 33)"));
    gg_graph_free(other);
    gg_graph_free(g);
    gg_params_free(p);
}

static void losses_are_what_they_are_called(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F64}));
    const double p[] = {0.2, -1.5, 3, 0.7}, t[] = {0, 1, 0.25, 1}, q[] = {0.1, 0.2, 0.3, 0.4};
    gg_var *P = gg_graph_constant(g, GG_SHAPE(1, 4), p), *T = gg_graph_constant(g, GG_SHAPE(1, 4), t), *Q = gg_graph_constant(g, GG_SHAPE(1, 4), q),
           *index = gg_graph_index(g, "i", GG_SHAPE(1));
    gg_var *w = gg_graph_constant(g, GG_SHAPE(4), (const double[]){1, 2, 3, 4});
    gg_var *l[] = {gg_nn_mse(P, T), gg_nn_mae(P, T), gg_nn_huber(P, T, 1), gg_nn_bce_logits(P, T), gg_nn_bce(Q, T), gg_nn_kl(gg_var_log_softmax(P), Q),
                   gg_nn_soft_cross_entropy(P, Q), gg_nn_smooth_cross_entropy(P, index, 0.1), gg_nn_weighted_cross_entropy(P, index, w)};
    enum { N = sizeof l / sizeof *l };
    assert_ok(gg_graph_plan(g, l, N));
    *(int32_t *)gg_var_data(index) = 2;
    assert_ok(gg_graph_run(g));
    double lse = 0, log_p[4], kl = 0, soft = 0, mean = 0;
    for (int i = 0; i < 4; i++)
        lse += exp(p[i]);
    for (int i = 0; i < 4; i++) {
        log_p[i] = p[i] - log(lse);
        kl += q[i] * (log(q[i]) - log_p[i]);
        soft -= q[i] * log_p[i];
        mean -= log_p[i] / 4;
    }
    for (int i = 0; i < 4; i++) {
        const double e = fabs(p[i] - t[i]), s = 1 / (1 + exp(-p[i]));
        const double want[] = {e * e, e, e < 1 ? 0.5 * e * e : e - 0.5, -(t[i] * log(s) + (1 - t[i]) * log(1 - s)),
                               -(t[i] * log(q[i]) + (1 - t[i]) * log(1 - q[i]))};
        for (int k = 0; k < 5; k++)
            assert_true(fabs(((double *)gg_var_data(l[k]))[i] - want[k]) < 1e-12);
    }
    const double want[] = {kl, soft, 0.9 * -log_p[2] + 0.1 * mean, -log_p[2]};
    for (int k = 0; k < 4; k++)
        assert_true(fabs(gg_var_item(l[5 + k]) - want[k]) < 1e-12);
    gg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hidden_layer_learns_xor_and_none_cannot),
        cmocka_unit_test(recurrent_layers_remember_and_a_single_symbol_does_not),
        cmocka_unit_test(names_shapes_and_distributions_are_those_of_torch),
        cmocka_unit_test(losses_are_what_they_are_called),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
