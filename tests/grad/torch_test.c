/* Every operation and recurrent layer against PyTorch: results and gradients over odd shapes, strides and tails (tests/golden/train, with its script). */
#include "grad/support.h"
#include <golgi/nn.h>
#include <golgi/tensors.h>

enum { MOST = 5 };
typedef struct given {
    gg_graph *g;
    gg_params *p;
    gg_var *x[MOST];
} given;
#define A (in->x[0])
#define B (in->x[1])
#define C (in->x[2])
#define CASE(name, ...) \
    static gg_var *t_##name(given *in) { return __VA_ARGS__; }
#define SAME(X)                                                                                                                                                \
    X(exp)                                                                                                                                                     \
    X(tanh) X(sigmoid) X(erf) X(sin) X(cos) X(abs) X(square) X(neg) X(sign) X(log) X(sqrt) X(rsqrt) X(reciprocal) X(softplus) X(gelu) X(gelu_tanh) X(silu)     \
        X(relu)
#define SAME2(X) X(add) X(sub) X(mul) X(div) X(max) X(min) X(matmul)
#define GG_X(name) CASE(name, gg_var_##name(A))
SAME(GG_X)
#undef GG_X
#define GG_X(name) CASE(name, gg_var_##name(A, B))
SAME2(GG_X)
#undef GG_X
CASE(leaky_relu, gg_var_leaky_relu(A, 0.1))
CASE(elu, gg_var_elu(A, 1.3))
CASE(clip, gg_var_clip(A, -0.5, 0.7))
CASE(pow, gg_var_pow(A, 2.5))
CASE(where, gg_var_where(gg_var_step(A), B, C))
CASE(sum0, gg_var_sum(A, 1u << 0, false))
CASE(sum1, gg_var_sum(A, 1u << 1, false))
CASE(sum2, gg_var_sum(A, 1u << 2, true))
CASE(sum02, gg_var_sum(A, 1u << 0 | 1u << 2, false))
CASE(mean, gg_var_mean(A, GG_ALL_AXES, false))
CASE(amax, gg_var_amax(A, 1u << 1, false))
CASE(matmul_batch, gg_var_matmul(A, B))
CASE(affine, gg_var_affine(A, B, C))
CASE(permute, gg_var_permute(A, (const int[]){2, 0, 1}))
CASE(concat, gg_var_concat((gg_var *const[]){A, B}, 2, 1))
CASE(slice, gg_var_slice(A, 1, 2, 3))
CASE(pad, gg_var_pad(A, 1, 2, 1))
CASE(gather, gg_var_gather(B, A))
CASE(softmax, gg_var_softmax(A))
CASE(log_softmax, gg_var_log_softmax(A))
CASE(logsumexp, gg_var_logsumexp(A))
CASE(cross_entropy, gg_var_cross_entropy(A, B, -100))
CASE(cross_entropy_ignore, gg_var_cross_entropy(A, B, 3))
CASE(smooth, gg_nn_smooth_cross_entropy(A, B, 0.1))
CASE(weighted, gg_nn_weighted_cross_entropy(A, C, B))
CASE(huber, gg_nn_huber(A, B, 0.7))
CASE(bce_logits, gg_nn_bce_logits(A, B))
CASE(kl, gg_nn_kl(gg_var_log_softmax(A), gg_var_softmax(B)))
CASE(layer_norm, gg_var_layer_norm(A, B, C, 1e-5))
CASE(rms_norm, gg_var_rms_norm(A, B, 1e-6))
CASE(conv2d, gg_var_conv2d(A, B, NULL))
CASE(conv2d_strided, gg_var_conv2d(A, B, &(gg_conv_options){.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}}))
CASE(conv2d_groups, gg_var_conv2d(A, B, &(gg_conv_options){.padding = {1, 1}, .groups = 2}))
CASE(conv1d, gg_var_conv1d(A, B, &(gg_conv_options){.stride = {2}, .padding = {1}}))
CASE(conv1d_causal, gg_var_conv1d(A, B, &(gg_conv_options){.dilation = {2}, .causal = true}))
CASE(conv_transpose2d, gg_var_conv_transpose2d(A, B, &(gg_conv_options){.stride = {2, 2}, .padding = {1, 0}, .output_padding = {1, 0}}))
CASE(max_pool2d, gg_var_max_pool2d(A, &(gg_pool_options){.size = {2, 3}, .stride = {2, 1}, .padding = {1, 0}}))
CASE(avg_pool2d, gg_var_avg_pool2d(A, &(gg_pool_options){.size = {2, 2}, .stride = {1, 2}, .padding = {1, 1}}))
CASE(avg_pool2d_counting, gg_var_avg_pool2d(A, &(gg_pool_options){.size = {2, 2}, .padding = {1, 1}, .count_padding = true}))
CASE(attention, gg_var_attention(A, B, C, NULL))
CASE(attention_causal, gg_var_attention(A, B, C, &(gg_attention_options){.causal = true}))
CASE(attention_grouped, gg_var_attention(A, B, C, &(gg_attention_options){.causal = true}))
CASE(attention_window, gg_var_attention(A, B, C, &(gg_attention_options){.causal = true, .window = 9}))
CASE(rope, gg_var_rope(A, 10000, 0, 0))

CASE(relu6, gg_var_relu6(A))
CASE(selu, gg_var_selu(A))
CASE(mish, gg_var_mish(A))
CASE(hardsigmoid, gg_var_hard_sigmoid(A))
CASE(hardswish, gg_var_hard_swish(A))
CASE(celu, gg_var_celu(A, 0.7))
CASE(prelu, gg_var_prelu(A, gg_var_reshape(B, GG_SHAPE(3, 1))))
CASE(amin, gg_var_amin(A, 1u << 0 | 1u << 2, false))
CASE(variance, gg_var_variance(A, 1u << 0 | 1u << 2, false, 1))
CASE(cumsum0, gg_var_cumsum(A, 0))
CASE(cumsum2, gg_var_cumsum(A, -1))
CASE(topk, gg_var_mul(A, gg_var_stop_gradient(gg_var_top_k(A, 5))))
CASE(cross_entropy_mean, gg_nn_cross_entropy(A, B, NULL, -100, 0))
CASE(cross_entropy_all, gg_nn_cross_entropy(A, C, B, 2, 0.2))
CASE(smooth_ignoring, gg_nn_smooth_cross_entropy(A, B, 0.1))
CASE(group_norm, gg_var_group_norm(A, 2, B, C, 1e-5))
CASE(conv_transpose1d, gg_var_conv_transpose1d(A, B, &(gg_conv_options){.stride = {3}, .padding = {1}, .output_padding = {2}, .dilation = {2}, .groups = 2}))
CASE(max_pool1d, gg_var_max_pool1d(A, &(gg_pool_options){.size = {3}, .stride = {2}, .padding = {1}}))
CASE(avg_pool1d, gg_var_avg_pool1d(A, &(gg_pool_options){.size = {4}, .stride = {3}, .padding = {2}, .count_padding = true}))
CASE(adaptive_avg_pool2d, gg_var_adaptive_avg_pool2d(A, 3, 4))
CASE(adaptive_avg_pool2d_even, gg_var_adaptive_avg_pool2d(A, 2, 5))
CASE(adaptive_max_pool2d, gg_var_adaptive_max_pool2d(A, 3, 4))
CASE(adaptive_avg_pool1d, gg_var_adaptive_avg_pool1d(A, 5))
CASE(adaptive_max_pool1d, gg_var_adaptive_max_pool1d(A, 5))

CASE(mse, gg_nn_mse(A, B))
CASE(mae, gg_nn_mae(A, B))
CASE(bce, gg_nn_bce(gg_var_sigmoid(A), B))
CASE(soft_cross_entropy, gg_nn_soft_cross_entropy(A, gg_var_softmax(B)))
CASE(scatter_add, gg_var_scatter_add(B, A, 7))
CASE(matmul_nt, gg_var_matmul_nt(A, B))
CASE(matmul_tn, gg_var_matmul_tn(A, B))
static gg_var *t_attention_masked(given *in)
{
    static const double seen[10] = {1, 0, 1, 1, 1, 1, 1, 1, 0, 0};
    return gg_var_attention(A, B, C, &(gg_attention_options){.key_mask = gg_graph_constant(in->g, GG_SHAPE(2, 5), seen)});
}

/* Running statistics are the two first parameters; fill_buffers gives them the values of the script. */
static gg_var *batch_norm(given *in, bool training)
{
    static const char *const name[] = {"running_mean", "running_var"};
    for (int i = 0; i < 2; i++)
        assert_ok(gg_params_add(in->p, name[i], gg_var_shape(B), GG_PARAM_BUFFER));
    gg_graph_set_training(in->g, training, 1);
    return gg_var_batch_norm(A, B, C, gg_graph_param(in->g, in->p, name[0]), gg_graph_param(in->g, in->p, name[1]), 0.3, 1e-5);
}
static void fill_buffers(gg_params *p)
{
    for (int64_t c = 0; c < gg_params_size(p, 0); c++) {
        ((float *)gg_params_value(p, 0))[c] = 0.1f * (float)c - 0.2f;
        ((float *)gg_params_value(p, 1))[c] = 0.5f + 0.25f * (float)c;
    }
}
CASE(batch_norm1d, batch_norm(in, true))
CASE(batch_norm2d, batch_norm(in, true))
CASE(batch_norm_eval, batch_norm(in, false))
CASE(batch_norm1d_eval, batch_norm(in, false))

/* A recurrent layer reads its parameters by name; the inputs behind x are put there. */
static const char *const recurrent_names[] = {"l.weight_ih_l0", "l.weight_hh_l0", "l.bias_ih_l0", "l.bias_hh_l0"};
static gg_var *recurrent(given *in, gg_var *(*layer)(const gg_nn *, const char *, gg_var *, int64_t, gg_var **, const gg_rnn_options *), bool relu)
{
    const gg_nn nn = {in->g, in->p, NULL};
    return layer(&nn, "l", A, 18, NULL, &(gg_rnn_options){.relu = relu});
}
static gg_var *t_RNN(given *in) { return recurrent(in, gg_nn_rnn, false); }
static gg_var *t_RNNrelu(given *in) { return recurrent(in, gg_nn_rnn, true); }
static gg_var *t_LSTM(given *in) { return recurrent(in, gg_nn_lstm, false); }
static gg_var *t_GRU(given *in) { return recurrent(in, gg_nn_gru, false); }

#define ROW(name) {#name, t_##name, false},
static const struct {
    const char *name;
    gg_var *(*f)(given *in);
    bool by_name; /* inputs behind the first are parameters */
} cases[] = {SAME(ROW) SAME2(ROW) ROW(leaky_relu) ROW(elu) ROW(clip) ROW(pow) ROW(where) ROW(sum0) ROW(sum1) ROW(sum2) ROW(sum02) ROW(mean) ROW(amax)
                 ROW(matmul_batch) ROW(affine) ROW(permute) ROW(concat) ROW(slice) ROW(pad) ROW(gather) ROW(softmax) ROW(log_softmax) ROW(logsumexp)
                     ROW(cross_entropy) ROW(cross_entropy_ignore) ROW(smooth) ROW(weighted) ROW(huber) ROW(bce_logits) ROW(kl) ROW(layer_norm) ROW(rms_norm)
                         ROW(conv2d) ROW(conv2d_strided) ROW(conv2d_groups) ROW(conv1d) ROW(conv1d_causal) ROW(conv_transpose2d) ROW(max_pool2d) ROW(avg_pool2d)
                             ROW(avg_pool2d_counting) ROW(attention) ROW(attention_causal) ROW(attention_grouped) ROW(attention_window) ROW(rope) ROW(relu6)
                                 ROW(selu) ROW(mish) ROW(hardsigmoid) ROW(hardswish) ROW(celu) ROW(prelu) ROW(amin) ROW(variance) ROW(cumsum0) ROW(cumsum2)
                                     ROW(topk) ROW(cross_entropy_mean) ROW(cross_entropy_all) ROW(smooth_ignoring) ROW(group_norm) ROW(conv_transpose1d)
                                         ROW(max_pool1d) ROW(avg_pool1d) ROW(adaptive_avg_pool2d) ROW(adaptive_avg_pool2d_even) ROW(adaptive_max_pool2d)
                                             ROW(adaptive_avg_pool1d) ROW(adaptive_max_pool1d) ROW(mse) ROW(mae) ROW(bce) ROW(soft_cross_entropy)
                                                 ROW(scatter_add) ROW(matmul_nt) ROW(matmul_tn) ROW(attention_masked) ROW(batch_norm1d) ROW(batch_norm2d)
                                                     ROW(batch_norm_eval) ROW(batch_norm1d_eval){"RNN", t_RNN, true},
             {"RNNrelu", t_RNNrelu, true},
             {"LSTM", t_LSTM, true},
             {"GRU", t_GRU, true}};

static gg_tensors *golden;

static const gg_tensor *tensor(const char *name, const char *part, int i)
{
    char full[64];
    snprintf(full, sizeof full, i < 0 ? "%s/%s" : "%s/%s%d", name, part, i);
    return gg_tensors_find(golden, full);
}

static gg_shape shape_of(const gg_tensor *t)
{
    gg_shape s = {.n = t->n_dims};
    memcpy(s.d, t->shape, (size_t)t->n_dims * sizeof *s.d);
    return s;
}

static int differs(const char *name, const char *what, const float *found, const gg_tensor *want)
{
    const float *w = want->data;
    const int64_t n = want->n_bytes / 4;
    double size = 1e-6, worst = 0;
    for (int64_t i = 0; i < n; i++)
        size = fmax(size, fabs((double)w[i]));
    for (int64_t i = 0; i < n; i++)
        worst = fabs((double)found[i] - (double)w[i]) / size > worst || isnan(found[i]) ? fabs((double)found[i] - (double)w[i]) / size : worst;
    if (worst < 3e-6)
        return 0;
    print_error("%s, %s: off by %.2e of the largest number\n", name, what, worst);
    return 1;
}

static int one(int k, int threads)
{
    given in = {0};
    gg_var *leaf[MOST] = {NULL}, *d[MOST] = {NULL}, *keep[MOST + 1];
    int n = 0, wrong = 0, n_keep = 1;
    const char *name = cases[k].name;
    assert_ok(gg_graph_create(&in.g, ctx, &(gg_graph_options){.n_threads = threads}));
    assert_ok(gg_params_create(&in.p, ctx, GG_F32));
    for (const gg_tensor *t; n < MOST && (t = tensor(name, "in", n)); n++) {
        if (cases[k].by_name && n > 0) {
            assert_ok(gg_params_add(in.p, recurrent_names[n - 1], shape_of(t), 0));
            leaf[n] = gg_graph_param(in.g, in.p, recurrent_names[n - 1]);
        } else {
            leaf[n] = in.x[n] = t->dtype == GG_I32 ? gg_graph_index(in.g, "i", shape_of(t)) : gg_graph_input(in.g, "x", shape_of(t));
            memcpy(gg_var_data(leaf[n]), t->data, (size_t)t->n_bytes);
        }
    }
    const gg_tensor *out = tensor(name, "out", -1), *weights = tensor(name, "w", -1);
    if (!n || !out || !weights)
        fail_msg("no vectors for %s", name);
    gg_var *y = cases[k].f(&in), *w = gg_graph_input(in.g, "w", shape_of(weights)), *wrt[MOST];
    memcpy(gg_var_data(w), weights->data, (size_t)weights->n_bytes);
    gg_var *loss = gg_var_sum(gg_var_mul(y, w), GG_ALL_AXES, false);
    for (int i = 0; i < n; i++)
        wrt[i] = tensor(name, "d", i) ? leaf[i] : NULL;
    gg_var_gradients(d, loss, NULL, wrt, n);
    keep[0] = y;
    for (int i = 0; i < n; i++)
        if (wrt[i])
            keep[n_keep++] = d[i];
    if (gg_graph_plan(in.g, keep, n_keep) != GG_OK)
        fail_msg("%s: %s", name, gg_message(ctx));
    for (int i = 1; i < n && cases[k].by_name; i++)
        memcpy(gg_params_value(in.p, i - 1), tensor(name, "in", i)->data, (size_t)tensor(name, "in", i)->n_bytes);
    const bool running = tensor(name, "running", 0) != NULL;
    if (running)
        fill_buffers(in.p);
    assert_ok(gg_graph_run(in.g));
    for (int i = 0; i < 2 && running; i++)
        wrong += differs(name, i ? "running variance" : "running mean", gg_params_value(in.p, i), tensor(name, "running", i));
    if (gg_var_size(y) != out->n_bytes / 4)
        fail_msg("%s gives %lld numbers, not %lld", name, (long long)gg_var_size(y), (long long)out->n_bytes / 4);
    wrong += differs(name, "result", gg_var_data(y), out);
    for (int i = 0; i < n; i++)
        if (wrt[i]) {
            char what[32];
            snprintf(what, sizeof what, "gradient %d", i);
            wrong += differs(name, what, gg_var_data(d[i]), tensor(name, "d", i));
        }
    gg_graph_free(in.g);
    gg_params_free(in.p);
    return wrong;
}

static void operations_and_gradients_are_those_of_torch(void **state)
{
    (void)state;
    int wrong = 0;
    assert_ok(gg_tensors_open(&golden, ctx, "tests/golden/train/ops.safetensors"));
    for (int threads = 1; threads <= 2; threads++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            wrong += one((int)k, threads);
    gg_tensors_free(golden);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_and_gradients_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
