/* Layers against torch.nn: from its parameters the same results, gradients of inputs and of every parameter, under its names (tests/golden/train/layers.py). */
#include "grad/support.h"
#include <golgi/nn.h>
#include <golgi/tensors.h>

static gg_tensors *golden;

static const gg_tensor *tensor(const char *name, const char *part, const char *what)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s%s", name, part, what);
    return gg_tensors_find(golden, full);
}

static gg_var *input(gg_graph *g, const gg_tensor *t)
{
    gg_shape s = {.n = t->n_dims};
    memcpy(s.d, t->shape, (size_t)t->n_dims * sizeof *s.d);
    gg_var *v = gg_graph_input(g, "x", s);
    memcpy(gg_var_data(v), t->data, (size_t)t->n_bytes);
    return v;
}

static int differs(const char *name, const char *what, const float *found, const gg_tensor *want, int64_t n)
{
    const float *w = want->data;
    double size = 1e-6, worst = 0;
    assert_int_equal(want->n_bytes, n * 4);
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs((double)w[i]));
    for (int64_t i = 0; i < n; i++) {
        const double off = fabs((double)found[i] - (double)w[i]) / size;
        worst = off > worst || isnan(off) ? off : worst;
    }
    if (worst < 3e-6)
        return 0;
    print_error("%s, %s: off by %.2e of the largest number\n", name, what, worst);
    return 1;
}

typedef struct given {
    gg_nn nn;
    gg_var *x[2], *keep; /* keep (3, 7): which keys may be seen */
} given;
#define X (in->x[0])
#define Y (in->x[1])
#define CASE(name, ...) \
    static gg_var *t_##name(given *in) { return __VA_ARGS__; }
#define OPTIONS(...) (&(gg_transformer_options){.n_heads = 3, .d_ff = 20, __VA_ARGS__})
CASE(mha_self, gg_nn_multihead_attention(&in->nn, "l", X, X, 3, &(gg_attention_options){.key_mask = in->keep}))
CASE(mha_cross, gg_nn_multihead_attention(&in->nn, "l", X, Y, 3, NULL))
CASE(encoder, gg_nn_transformer_encoder_layer(&in->nn, "l", X, OPTIONS(.key_mask = in->keep, .dropout = 0.3)))
CASE(encoder_first, gg_nn_transformer_encoder_layer(&in->nn, "l", X, OPTIONS(.norm_first = true, .gelu = true, .eps = 1e-3, .causal = true)))
CASE(decoder, gg_nn_transformer_decoder_layer(&in->nn, "l", X, Y, OPTIONS(.causal = true, .memory_mask = in->keep)))
CASE(decoder_first, gg_nn_transformer_decoder_layer(&in->nn, "l", X, Y, OPTIONS(.norm_first = true)))
CASE(encoder_stack, gg_nn_transformer_encoder(&in->nn, "l", X, 2, OPTIONS(.final_norm = true)))
CASE(decoder_stack, gg_nn_transformer_decoder(&in->nn, "l", X, Y, 2, OPTIONS(.final_norm = true, .gelu = true)))
#define ROW(name) {#name, t_##name}
static const struct {
    const char *name;
    gg_var *(*f)(given *in);
} cases[] = {ROW(mha_self), ROW(mha_cross), ROW(encoder), ROW(encoder_first), ROW(decoder), ROW(decoder_first), ROW(encoder_stack), ROW(decoder_stack)};

static int one(const char *name, gg_var *(*f)(given *in))
{
    given in = {0};
    gg_var *d[2], *keep[3];
    int n = 0, wrong = 0, n_params = 0;
    assert_ok(gg_graph_create(&in.nn.graph, ctx, NULL));
    assert_ok(gg_params_create(&in.nn.params, ctx, GG_F32));
    gg_params *p = in.nn.params;
    in.keep = input(in.nn.graph, gg_tensors_find(golden, "keep"));
    for (const gg_tensor *t; n < 2 && (t = tensor(name, "in", n ? "1" : "0")); n++)
        in.x[n] = input(in.nn.graph, t);
    gg_var *y = f(&in), *loss = gg_var_sum(gg_var_mul(y, input(in.nn.graph, tensor(name, "w", ""))), GG_ALL_AXES, false);
    gg_graph_backward(loss);
    gg_var_gradients(d, loss, NULL, in.x, n);
    keep[0] = y;
    memcpy(keep + 1, d, (size_t)n * sizeof *d);
    if (gg_graph_plan(in.nn.graph, keep, n + 1) != GG_OK)
        fail_msg("%s: %s", name, gg_message(ctx));
    for (int i = 0; i < gg_params_count(p); i++) {
        const gg_tensor *t = tensor(name, "p.", gg_params_name(p, i) + 2); /* without "l." */
        if (!t)
            fail_msg("%s: torch has no parameter %s", name, gg_params_name(p, i) + 2);
        assert_int_equal(t->n_bytes, gg_params_size(p, i) * 4);
        memcpy(gg_params_value(p, i), t->data, (size_t)t->n_bytes);
    }
    for (int64_t i = 0; i < gg_tensors_count(golden); i++) {
        const char *own = gg_tensors_at(golden, i)->name;
        n_params += strncmp(own, name, strlen(name)) == 0 && strncmp(own + strlen(name), "/p.", 3) == 0;
    }
    assert_int_equal(gg_params_count(p), n_params);
    assert_ok(gg_graph_run(in.nn.graph));
    wrong += differs(name, "result", gg_var_data(y), tensor(name, "out", ""), gg_var_size(y));
    for (int i = 0; i < n; i++)
        wrong += differs(name, "gradient of an input", gg_var_data(d[i]), tensor(name, "d", i ? "1" : "0"), gg_var_size(d[i]));
    for (int i = 0; i < gg_params_count(p); i++)
        wrong += differs(name, gg_params_name(p, i), gg_params_gradient(p, i), tensor(name, "g.", gg_params_name(p, i) + 2), gg_params_size(p, i));
    gg_graph_free(in.nn.graph);
    gg_params_free(p);
    return wrong;
}

static void layers_and_gradients_are_those_of_torch(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        wrong += one(cases[k].name, cases[k].f);
    assert_int_equal(wrong, 0);
}

/* --- initial values: the same layers in the same order --- */
static void record_layers(const gg_nn *nn)
{
    gg_graph *g = nn->graph;
    gg_var *x5 = gg_graph_input(g, "x5", GG_SHAPE(2, 5)), *seq = gg_graph_input(g, "seq", GG_SHAPE(3, 2, 5)),
           *tokens = gg_graph_input(g, "tokens", GG_SHAPE(2, 3, 8));
    gg_var *image = gg_graph_input(g, "image", GG_SHAPE(2, 4, 5, 5)), *line = gg_graph_input(g, "line", GG_SHAPE(2, 3, 9)),
           *index = gg_graph_index(g, "i", GG_SHAPE(2));
    const gg_transformer_options o = {.n_heads = 2, .d_ff = 12};
    gg_nn_linear(nn, "fc1", x5, 3, true);
    gg_nn_linear(nn, "fc2", gg_graph_input(g, "x30", GG_SHAPE(2, 30)), 7, false);
    gg_nn_batch_norm(nn, "bn", gg_nn_conv2d(nn, "conv", image, 6, 3, 2, true, &(gg_conv_options){.groups = 2}), 0, 0);
    gg_nn_conv1d(nn, "conv1d", line, 4, 5, true, NULL);
    gg_nn_conv_transpose2d(nn, "up", image, 6, 3, 3, true, &(gg_conv_options){.groups = 2});
    gg_nn_embedding(nn, "tiny", index, 3, 3);
    gg_nn_embedding(nn, "small", index, 2, 3);
    gg_nn_embedding(nn, "emb", index, 11, 7);
    gg_nn_embedding(nn, "even", index, 16, 4);
    gg_nn_lstm(nn, "lstm", seq, 6, NULL, NULL);
    gg_nn_gru(nn, "gru", seq, 6, NULL, NULL);
    gg_nn_transformer_encoder_layer(nn, "enc", tokens, &o);
    gg_nn_transformer_decoder_layer(nn, "dec", tokens, tokens, &o);
    gg_nn_linear(nn, "last", gg_graph_input(g, "x4", GG_SHAPE(2, 4)), 4, true);
}

static void initial_values_are_the_numbers_of_torch(void **state)
{
    (void)state;
    gg_tensors *init = NULL;
    const uint64_t seeds[] = {0, 42, ((uint64_t)1 << 33) + 5, 7};
    int64_t seen = 0;
    assert_ok(gg_tensors_open(&init, ctx, "tests/golden/train/init.safetensors"));
    for (int k = 0; k < 4; k++) {
        const bool f64 = k == 3;
        gg_nn nn = {0};
        assert_ok(gg_graph_create(&nn.graph, ctx, &(gg_graph_options){.dtype = f64 ? GG_F64 : GG_F32}));
        assert_ok(gg_params_create(&nn.params, ctx, f64 ? GG_F64 : GG_F32));
        record_layers(&nn);
        gg_var *any = gg_graph_fill(nn.graph, GG_SCALAR, 1);
        assert_ok(gg_graph_plan(nn.graph, &any, 1));
        assert_ok(gg_nn_init_torch(nn.params, seeds[k]));
        for (int i = 0; i < gg_params_count(nn.params); i++) {
            const char *name = gg_params_name(nn.params, i);
            char full[128];
            const gg_tensor *t = NULL;
            snprintf(full, sizeof full, "%llu/%s", (unsigned long long)seeds[k], name);
            assert_ok(gg_tensors_need(&t, init, full));
            const int64_t n = gg_params_size(nn.params, i);
            assert_int_equal(t->n_bytes, n * (f64 ? 8 : 4));
            const void *value = gg_params_value(nn.params, i);
            const bool is_normal =
                strcmp(name, "tiny.weight") == 0 || strcmp(name, "small.weight") == 0 || strcmp(name, "emb.weight") == 0 || strcmp(name, "even.weight") == 0;
            seen++;
            if (!is_normal && memcmp(value, t->data, (size_t)t->n_bytes) != 0)
                fail_msg("seed %llu: %s has other bits", (unsigned long long)seeds[k], name);
            for (int64_t j = 0; j < n && is_normal; j++) {
                const double found = f64 ? ((const double *)value)[j] : (double)((const float *)value)[j],
                             want = f64 ? ((const double *)t->data)[j] : (double)((const float *)t->data)[j];
                if (!(fabs(found - want) <= (f64 ? 1e-15 : 2.4e-7) * (1 + fabs(want)))) /* two units in the last place of numbers around 1 */
                    fail_msg("seed %llu: %s[%d] is %.17g, torch has %.17g", (unsigned long long)seeds[k], name, (int)j, found, want);
            }
        }
        gg_graph_free(nn.graph);
        gg_params_free(nn.params);
    }
    assert_int_equal(seen, gg_tensors_count(init));
    gg_tensors_free(init);
}

static int open_golden(void **state) { return context_open(state) || gg_tensors_open(&golden, ctx, "tests/golden/train/layers.safetensors") != GG_OK; }
static int close_golden(void **state)
{
    gg_tensors_free(golden);
    return context_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_and_gradients_are_those_of_torch),
        cmocka_unit_test(initial_values_are_the_numbers_of_torch),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
