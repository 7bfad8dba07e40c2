/* The gradient of every operation against central differences in double, and the gradient of its gradient: each case is a function of a few inputs,
 * summed with random weights, over shapes that broadcast, reduce and leave tails. */
#include "grad/support.h"

enum { MOST = 4 };
typedef struct inputs {
    gg_graph *g;
    gg_params *p; /* running statistics of batch norm */
    gg_var *x[MOST];
    gg_var *index;
} inputs;
typedef struct gradient_case {
    const char *name;
    gg_var *(*f)(inputs *in);
    gg_shape shape[MOST];
    int n;
    bool positive; /* the inputs are made positive: of log, sqrt, pow */
} gradient_case;

#define A (in->x[0])
#define B (in->x[1])
#define C (in->x[2])
#define CASE(name, expression) \
    static gg_var *name(inputs *in) { return expression; }
#define GG_X(code, name) CASE(f_##name, gg_var_##name(A))
GG_UNARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) CASE(f2_##name, gg_var_##name(A, B))
GG_BINARY_MAP(GG_X)
#undef GG_X
CASE(f_scale, gg_var_scale(A, -1.5))
CASE(f_shift, gg_var_shift(A, 2))
CASE(f_pow, gg_var_pow(A, 2.5))
CASE(f_clip, gg_var_clip(A, -0.5, 0.7))
CASE(f_leaky, gg_var_leaky_relu(A, 0.1))
CASE(f_elu, gg_var_elu(A, 1.3))
CASE(f_where, gg_var_where(gg_var_step(A), B, C))
CASE(f_sum_all, gg_var_square(gg_var_sum(A, GG_ALL_AXES, false)))
CASE(f_sum_last, gg_var_square(gg_var_sum(A, 1u << 2, false)))
CASE(f_sum_first, gg_var_square(gg_var_sum(A, 1u << 0, true)))
CASE(f_sum_middle, gg_var_square(gg_var_sum(A, 1u << 1, false)))
CASE(f_sum_outer, gg_var_square(gg_var_sum(A, 1u << 0 | 1u << 2, true)))
CASE(f_mean, gg_var_square(gg_var_mean(A, 1u << 1 | 1u << 2, false)))
CASE(f_amax_last, gg_var_square(gg_var_amax(A, 1u << 2, false)))
CASE(f_amax_first, gg_var_square(gg_var_amax(A, 1u << 0, true)))
CASE(f_matmul, gg_var_matmul(A, B))
CASE(f_matmul_nt, gg_var_matmul_nt(A, B))
CASE(f_matmul_tn, gg_var_matmul_tn(A, B))
CASE(f_affine, gg_var_affine(A, B, C))
CASE(f_linear, gg_var_linear(A, B))
CASE(f_reshape, gg_var_matmul(gg_var_reshape(A, GG_SHAPE(4, -1)), B))
CASE(f_permute, gg_var_mul(gg_var_permute(A, (const int[]){2, 0, 1}), B))
CASE(f_transpose, gg_var_mul(gg_var_transpose(A), B))
CASE(f_broadcast, gg_var_mul(gg_var_broadcast(A, GG_SHAPE(3, 4, 5)), B))
CASE(f_slice, gg_var_mul(gg_var_slice(A, 1, 1, 2), gg_var_slice(A, -2, 0, 2)))
CASE(f_pad, gg_var_mul(gg_var_pad(A, 1, 2, 1), B))
CASE(f_concat, gg_var_square(gg_var_concat((gg_var *const[]){A, B, A}, 3, 1)))
CASE(f_gather, gg_var_square(gg_var_gather(A, in->index)))
CASE(f_scatter, gg_var_square(gg_var_scatter_add(A, in->index, 5)))
CASE(f_softmax, gg_var_softmax(A))
CASE(f_log_softmax, gg_var_log_softmax(A))
CASE(f_logsumexp, gg_var_logsumexp(A))
CASE(f_cross_entropy, gg_var_cross_entropy(A, in->index, -100))
CASE(f_cross_entropy_ignoring, gg_var_cross_entropy(A, in->index, 2))
CASE(f_layer_norm, gg_var_layer_norm(A, B, C, 1e-5))
CASE(f_rms_norm, gg_var_rms_norm(A, B, 1e-5))
CASE(f_attention, gg_var_attention(A, B, C, NULL))
CASE(f_attention_causal, gg_var_attention(A, B, C, &(gg_attention_options){.causal = true, .scale = 0.7}))
CASE(f_attention_window, gg_var_attention(A, B, C, &(gg_attention_options){.causal = true, .window = 2}))
CASE(f_attention_masked,
     gg_var_attention(A, B, C, &(gg_attention_options){.key_mask = gg_graph_constant(in->g, GG_SHAPE(2, 3), (const double[]){1, 0, 1, 0, 0, 1})}))
CASE(f_rope, gg_var_rope(A, 100, 0, 3))
CASE(f_rope_part, gg_var_rope(A, 10000, 4, 0))
CASE(f_conv, gg_var_conv2d(A, B, NULL))
CASE(f_conv_strided, gg_var_conv2d(A, B, &(gg_conv_options){.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}}))
CASE(f_conv_groups, gg_var_conv2d(A, B, &(gg_conv_options){.padding = {1, 1}, .groups = 2}))
CASE(f_conv1d, gg_var_conv1d(A, B, &(gg_conv_options){.stride = {2}, .padding = {1}}))
CASE(f_conv1d_causal, gg_var_conv1d(A, B, &(gg_conv_options){.dilation = {2}, .causal = true}))
CASE(f_conv_transpose, gg_var_conv_transpose2d(A, B, &(gg_conv_options){.stride = {2, 2}, .padding = {1, 0}, .output_padding = {1, 0}}))
CASE(f_max_pool, gg_var_max_pool2d(A, &(gg_pool_options){.size = {2, 3}, .stride = {2, 1}, .padding = {1, 0}}))
CASE(f_avg_pool, gg_var_avg_pool2d(A, &(gg_pool_options){.size = {2, 2}, .stride = {1, 2}, .padding = {1, 1}}))
CASE(f_avg_pool_counting, gg_var_square(gg_var_avg_pool2d(A, &(gg_pool_options){.size = {2, 2}, .padding = {1, 1}, .count_padding = true})))
CASE(f_lstm_cell, gg_var_lstm_cell(A, B))
CASE(f_lstm_hidden, gg_var_lstm_hidden(A, B))
CASE(f_gru_cell, gg_var_gru_cell(A, B, C))
CASE(f_shared, gg_var_mul(gg_var_add(gg_var_tanh(A), A), gg_var_tanh(A)))
CASE(f_stop, gg_var_mul(gg_var_exp(A), gg_var_stop_gradient(gg_graph_fill(in->g, GG_SCALAR, 3))))

CASE(f_relu6, gg_var_relu6(A))
CASE(f_selu, gg_var_selu(A))
CASE(f_celu, gg_var_celu(A, 0.7))
CASE(f_prelu, gg_var_prelu(A, B))
CASE(f_hard_swish, gg_var_hard_swish(A))
CASE(f_mish, gg_var_mish(A))
CASE(f_amin, gg_var_square(gg_var_amin(A, 1u << 1, false)))
CASE(f_variance, gg_var_square(gg_var_variance(A, 1u << 0 | 1u << 2, true, 1)))
CASE(f_cumsum_first, gg_var_square(gg_var_cumsum(A, 0)))
CASE(f_cumsum_last, gg_var_square(gg_var_cumsum(A, -1)))
CASE(f_top_k, gg_var_square(gg_var_mul(A, gg_var_stop_gradient(gg_var_top_k(A, 3)))))
CASE(f_group_norm, gg_var_group_norm(A, 2, B, C, 1e-5))
CASE(f_conv_transpose1d, gg_var_conv_transpose1d(A, B, &(gg_conv_options){.stride = {2}, .padding = {1}, .dilation = {2}, .groups = 2}))
CASE(f_max_pool1d, gg_var_square(gg_var_max_pool1d(A, &(gg_pool_options){.size = {3}, .stride = {2}, .padding = {1}})))
CASE(f_adaptive_avg, gg_var_square(gg_var_adaptive_avg_pool2d(A, 2, 3)))
CASE(f_adaptive_max, gg_var_square(gg_var_adaptive_max_pool2d(A, 2, 3)))
CASE(f_checkpoint, gg_var_exp(gg_var_checkpoint(gg_var_tanh(gg_var_matmul(gg_var_sin(A), B)), &A, 1)))
CASE(f_checkpoint_nested, gg_var_checkpoint(gg_var_sin(gg_var_checkpoint(gg_var_tanh(gg_var_matmul(A, B)), NULL, 0)), NULL, 0))

/* In a chain the inputs of a gradient depend on each other, as they never do for one operation alone. */
CASE(f_chain_norm, gg_var_square(gg_var_layer_norm(gg_var_sin(gg_var_layer_norm(A, B, C, 1e-2)), B, C, 1e-2)))
CASE(f_chain_attention, gg_var_mul(gg_var_tanh(gg_var_attention(A, gg_var_sin(A), gg_var_attention(A, A, A, NULL), NULL)), A))
CASE(f_chain_cells, gg_var_lstm_hidden(A, gg_var_lstm_cell(gg_var_sin(A), gg_var_lstm_cell(A, B))))
CASE(f_chain_checkpoint, gg_var_mul(A, gg_var_checkpoint(gg_var_sin(gg_var_mul(A, gg_var_exp(A))), (gg_var *[]){A, gg_var_exp(A)}, 2)))
static gg_var *f_chain_checkpoint2(inputs *in)
{
    gg_var *e = gg_var_exp(A); /* one edge of the segment is computed from the other */
    return gg_var_checkpoint(gg_var_mul(gg_var_sin(e), A), (gg_var *[]){A, e}, 2);
}

static gg_var *batch_norm(inputs *in, bool training)
{
    const gg_shape s = GG_SHAPE(gg_var_shape(A).d[1]);
    assert_ok(gg_params_add(in->p, "mean", s, GG_PARAM_BUFFER));
    assert_ok(gg_params_add(in->p, "var", s, GG_PARAM_BUFFER));
    for (int64_t c = 0; c < s.d[0]; c++)
        ((double *)gg_params_value(in->p, 1))[c] = 0.5 + (double)c;
    gg_graph_set_training(in->g, training, 1);
    return gg_var_batch_norm(A, B, C, gg_graph_param(in->g, in->p, "mean"), gg_graph_param(in->g, in->p, "var"), 0.1, 1e-5);
}
CASE(f_batch_norm, batch_norm(in, true))
CASE(f_batch_norm_eval, batch_norm(in, false))
CASE(f_chain_batch_norm, gg_var_square(gg_var_sin(batch_norm(in, true))))

/* x sin(y) as a user would write it. */
static gg_status run_x_sin_y(void *user, gg_var *out, gg_var *const *in, int n)
{
    assert_int_equal(n, 2);
    for (int64_t i = 0; i < gg_var_size(out); i++)
        ((double *)gg_var_data(out))[i] = *(const double *)user * ((double *)gg_var_data(in[0]))[i] * sin(((double *)gg_var_data(in[1]))[i]);
    return GG_OK;
}
static void record_x_sin_y(void *user, gg_var **d_in, gg_var *const *in, int n, gg_var *y, gg_var *d)
{
    (void)n, (void)y;
    gg_var *more = gg_var_scale(d, *(const double *)user);
    d_in[0] = gg_var_mul(more, gg_var_sin(in[1]));
    d_in[1] = gg_var_mul(more, gg_var_mul(in[0], gg_var_cos(in[1])));
}
static gg_var *f_custom(inputs *in)
{
    static double factor = 3;
    return gg_var_custom(in->g, gg_var_shape(A), in->x, 2, &(gg_custom){"x_sin_y", run_x_sin_y, record_x_sin_y, &factor});
}

#define ONE(f) {#f, f, {GG_SHAPE(3, 7)}, 1, false}
#define POSITIVE(f) {#f, f, {GG_SHAPE(3, 7)}, 1, true}
#define THREE(f) {#f, f, {GG_SHAPE(3, 4, 5)}, 1, false}
#define TWO(f, a, b) {#f, f, {a, b}, 2, false}
static const gradient_case cases[] = {
    ONE(f_neg), ONE(f_abs), ONE(f_sign), ONE(f_square), POSITIVE(f_reciprocal), POSITIVE(f_sqrt), POSITIVE(f_rsqrt), ONE(f_exp), POSITIVE(f_log), ONE(f_sin),
    ONE(f_cos),
    ONE(f_tanh), ONE(f_sigmoid), ONE(f_softplus), ONE(f_erf), ONE(f_gelu), ONE(f_gelu_tanh), ONE(f_silu), ONE(f_relu), ONE(f_step), ONE(f_scale), ONE(f_shift),
    POSITIVE(f_pow),
    ONE(f_clip), ONE(f_leaky), ONE(f_elu), ONE(f_shared), ONE(f_stop),
    TWO(f2_add, GG_SHAPE(3, 1, 5), GG_SHAPE(4, 1)), TWO(f2_sub, GG_SHAPE(3, 4), GG_SHAPE(4)), TWO(f2_mul, GG_SHAPE(2, 3, 4), GG_SHAPE(3, 1)),
    {"f2_div", f2_div, {GG_SHAPE(5), GG_SHAPE(2, 3, 1)}, 2, true}, TWO(f2_max, GG_SHAPE(3, 4), GG_SHAPE(3, 1)), TWO(f2_min, GG_SHAPE(4), GG_SHAPE(2, 1)),
    TWO(f2_less, GG_SHAPE(3, 4), GG_SHAPE(4)), TWO(f2_less_equal, GG_SHAPE(3, 4), GG_SHAPE(4)), TWO(f2_equal, GG_SHAPE(3, 4), GG_SHAPE(4)),
    TWO(f2_mul, GG_SCALAR, GG_SHAPE(3, 4)),
    {"f_where", f_where, {GG_SHAPE(3, 4), GG_SHAPE(4), GG_SHAPE(2, 1, 1)}, 3, false},
    THREE(f_sum_all), THREE(f_sum_last), THREE(f_sum_first), THREE(f_sum_middle), THREE(f_sum_outer), THREE(f_mean), THREE(f_amax_last), THREE(f_amax_first),
    TWO(f_matmul, GG_SHAPE(3, 4), GG_SHAPE(4, 5)), TWO(f_matmul, GG_SHAPE(2, 3, 4), GG_SHAPE(4, 5)), TWO(f_matmul, GG_SHAPE(2, 1, 3, 4), GG_SHAPE(3, 4, 2)),
    TWO(f_matmul, GG_SHAPE(3, 4), GG_SHAPE(2, 4, 5)), TWO(f_matmul_nt, GG_SHAPE(3, 4), GG_SHAPE(5, 4)), TWO(f_matmul_nt, GG_SHAPE(2, 3, 4), GG_SHAPE(2, 5, 4)),
    TWO(f_matmul_tn, GG_SHAPE(4, 3), GG_SHAPE(4, 5)), TWO(f_matmul_tn, GG_SHAPE(2, 4, 3), GG_SHAPE(4, 5)),
    {"f_affine", f_affine, {GG_SHAPE(2, 3, 4), GG_SHAPE(5, 4), GG_SHAPE(5)}, 3, false},
    {"f_affine", f_affine, {GG_SHAPE(4), GG_SHAPE(5, 4), GG_SHAPE(5)}, 3, false}, TWO(f_linear, GG_SHAPE(3, 4), GG_SHAPE(2, 4)),
    TWO(f_reshape, GG_SHAPE(2, 6), GG_SHAPE(3, 2)),
    TWO(f_permute, GG_SHAPE(3, 4, 5), GG_SHAPE(5, 3, 4)), TWO(f_transpose, GG_SHAPE(2, 3, 4), GG_SHAPE(4, 3)),
    TWO(f_broadcast, GG_SHAPE(4, 1), GG_SHAPE(3, 4, 5)), THREE(f_slice),
    TWO(f_pad, GG_SHAPE(3, 2), GG_SHAPE(3, 5)), TWO(f_concat, GG_SHAPE(2, 3, 2), GG_SHAPE(2, 1, 2)), {"f_gather", f_gather, {GG_SHAPE(5, 3)}, 1, false},
    {"f_scatter", f_scatter, {GG_SHAPE(6, 2)}, 1, false}, THREE(f_softmax), THREE(f_log_softmax), THREE(f_logsumexp),
    {"f_cross_entropy", f_cross_entropy, {GG_SHAPE(6, 5)}, 1, false},
    {"f_layer_norm", f_layer_norm, {GG_SHAPE(3, 2, 7), GG_SHAPE(7), GG_SHAPE(7)}, 3, false}, TWO(f_rms_norm, GG_SHAPE(5, 7), GG_SHAPE(7)),
    {"f_attention", f_attention, {GG_SHAPE(2, 4, 2, 3), GG_SHAPE(2, 3, 2, 3), GG_SHAPE(2, 3, 2, 3)}, 3, false},
    {"f_attention", f_attention, {GG_SHAPE(1, 3, 4, 2), GG_SHAPE(1, 5, 2, 2), GG_SHAPE(1, 5, 2, 2)}, 3, false},
    {"f_attention_causal", f_attention_causal, {GG_SHAPE(2, 4, 2, 3), GG_SHAPE(2, 4, 1, 3), GG_SHAPE(2, 4, 1, 3)}, 3, false},
    {"f_attention_causal", f_attention_causal, {GG_SHAPE(1, 4, 1, 3), GG_SHAPE(1, 2, 1, 3), GG_SHAPE(1, 2, 1, 3)}, 3, false},
    {"f_attention_window", f_attention_window, {GG_SHAPE(1, 5, 2, 3), GG_SHAPE(1, 5, 2, 3), GG_SHAPE(1, 5, 2, 3)}, 3, false},
    {"f_attention_masked", f_attention_masked, {GG_SHAPE(2, 2, 2, 3), GG_SHAPE(2, 3, 2, 3), GG_SHAPE(2, 3, 2, 3)}, 3, false},
    {"f_rope", f_rope, {GG_SHAPE(2, 3, 2, 4)}, 1, false}, {"f_rope_part", f_rope_part, {GG_SHAPE(1, 3, 2, 6)}, 1, false},
    TWO(f_conv, GG_SHAPE(2, 3, 5, 4), GG_SHAPE(4, 3, 3, 2)), TWO(f_conv_strided, GG_SHAPE(2, 2, 5, 6), GG_SHAPE(3, 2, 3, 2)),
    TWO(f_conv_groups, GG_SHAPE(2, 4, 3, 3), GG_SHAPE(2, 2, 3, 3)),
    TWO(f_conv1d, GG_SHAPE(2, 3, 7), GG_SHAPE(2, 3, 3)), TWO(f_conv1d_causal, GG_SHAPE(9, 2, 6), GG_SHAPE(3, 2, 3)),
    TWO(f_conv_transpose, GG_SHAPE(2, 3, 3, 2), GG_SHAPE(3, 2, 3, 3)),
    TWO(f_lstm_cell, GG_SHAPE(3, 20), GG_SHAPE(3, 5)), TWO(f_lstm_hidden, GG_SHAPE(3, 20), GG_SHAPE(3, 5)),
    {"f_gru_cell", f_gru_cell, {GG_SHAPE(2, 12), GG_SHAPE(2, 12), GG_SHAPE(2, 4)}, 3, false},
    {"f_max_pool", f_max_pool, {GG_SHAPE(2, 2, 5, 6)}, 1, false}, {"f_avg_pool", f_avg_pool, {GG_SHAPE(2, 5, 4)}, 1, false},
    {"f_avg_pool_counting", f_avg_pool_counting, {GG_SHAPE(2, 4, 4)}, 1, false},
    ONE(f_relu6), ONE(f_selu), ONE(f_celu), TWO(f_prelu, GG_SHAPE(2, 3, 4), GG_SHAPE(3, 1)), ONE(f_hard_swish), ONE(f_mish), THREE(f_amin), THREE(f_variance),
        THREE(f_cumsum_first), THREE(f_cumsum_last),
    ONE(f_top_k), {"f_group_norm", f_group_norm, {GG_SHAPE(2, 4, 3), GG_SHAPE(4), GG_SHAPE(4)}, 3, false},
        TWO(f_conv_transpose1d, GG_SHAPE(2, 4, 5), GG_SHAPE(4, 3, 3)),
    {"f_max_pool1d", f_max_pool1d, {GG_SHAPE(2, 3, 9)}, 1, false}, {"f_adaptive_avg", f_adaptive_avg, {GG_SHAPE(2, 5, 7)}, 1, false},
        {"f_adaptive_max", f_adaptive_max, {GG_SHAPE(2, 5, 7)}, 1, false},
    TWO(f_checkpoint, GG_SHAPE(3, 4), GG_SHAPE(4, 5)), TWO(f_checkpoint_nested, GG_SHAPE(3, 4), GG_SHAPE(4, 5)), TWO(f_custom, GG_SHAPE(3, 4), GG_SHAPE(3, 4)),
    {"f_chain_norm", f_chain_norm, {GG_SHAPE(3, 5), GG_SHAPE(5), GG_SHAPE(5)}, 3, false},
        {"f_chain_attention", f_chain_attention, {GG_SHAPE(1, 3, 2, 3)}, 1, false},
    TWO(f_chain_cells, GG_SHAPE(2, 12), GG_SHAPE(2, 3)), ONE(f_chain_checkpoint), ONE(f_chain_checkpoint2),
    {"f_chain_batch_norm", f_chain_batch_norm, {GG_SHAPE(7, 3), GG_SHAPE(3), GG_SHAPE(3)}, 3, false},
    {"f_batch_norm", f_batch_norm, {GG_SHAPE(7, 3), GG_SHAPE(3), GG_SHAPE(3)}, 3, false},
        {"f_batch_norm", f_batch_norm, {GG_SHAPE(3, 2, 2, 4), GG_SHAPE(2), GG_SHAPE(2)}, 3, false},
    {"f_batch_norm_eval", f_batch_norm_eval, {GG_SHAPE(4, 3), GG_SHAPE(3), GG_SHAPE(3)}, 3, false},
        {"f_batch_norm_eval", f_batch_norm_eval, {GG_SHAPE(3, 2, 5), GG_SHAPE(2), GG_SHAPE(2)}, 3, false},
    {"f_cross_entropy_ignoring", f_cross_entropy_ignoring, {GG_SHAPE(6, 5)}, 1, false},
};

/* order 1: loss = sum w f(x);  order 2: loss = sum of u_i d loss / d x_i, whose gradient has all second derivatives in it. */
static double worst_of(const gradient_case *c, int order)
{
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F64}));
    inputs in = {.g = g, .index = gg_graph_index(g, "index", GG_SHAPE(6))};
    assert_ok(gg_params_create(&in.p, ctx, GG_F64));
    memcpy(gg_var_data(in.index), (const int32_t[]){0, 2, 2, 4, 1, 0}, 6 * sizeof(int32_t));
    for (int i = 0; i < c->n; i++) {
        in.x[i] = gg_graph_input(g, "x", c->shape[i]);
        randomise(in.x[i], 10 + (uint64_t)i);
        for (int64_t k = 0; k < gg_var_size(in.x[i]) && c->positive; k++)
            ((double *)gg_var_data(in.x[i]))[k] = 0.5 + fabs(((double *)gg_var_data(in.x[i]))[k]);
    }
    gg_var *y = c->f(&in), *w = y ? gg_graph_input(g, "w", gg_var_shape(y)) : NULL, *d[MOST];
    if (w)
        randomise(w, 20);
    gg_var *loss = gg_var_sum(gg_var_mul(y, w), GG_ALL_AXES, false);
    gg_var_gradients(d, loss, NULL, in.x, c->n);
    if (order == 2) {
        gg_var *sum = NULL;
        for (int i = 0; i < c->n; i++) {
            gg_var *u = gg_graph_input(g, "u", c->shape[i]);
            randomise(u, 30 + (uint64_t)i);
            gg_var *part = gg_var_sum(gg_var_mul(u, d[i]), GG_ALL_AXES, false);
            sum = sum ? gg_var_add(sum, part) : part;
        }
        loss = sum;
        gg_var_gradients(d, loss, NULL, in.x, c->n);
    }
    gg_var *keep[MOST + 1] = {loss};
    for (int i = 0; i < c->n; i++)
        keep[i + 1] = d[i];
    assert_ok(gg_graph_plan(g, keep, c->n + 1));
    double worst;
    assert_ok(gg_graph_check(&worst, g, loss, in.x, d, c->n, 1e-5));
    gg_graph_free(g);
    gg_params_free(in.p);
    return worst;
}

static void gradients_agree_with_central_differences(void **state)
{
    (void)state;
    int wrong = 0;
    for (int order = 1; order <= 2; order++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const double worst = worst_of(&cases[i], order);
            if (!(worst < 1e-6)) {
                print_error("%s (case %d), derivative %d: relative error %.2e\n", cases[i].name, (int)i, order, worst);
                wrong++;
            }
        }
    assert_int_equal(wrong, 0);
}

static void a_wrong_gradient_would_be_seen(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F64}));
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(4)), *loss = gg_var_sum(gg_var_exp(x), GG_ALL_AXES, false), *wrong = gg_var_scale(gg_var_exp(x), 1.001);
    randomise(x, 1);
    assert_ok(gg_graph_plan(g, (gg_var *[]){loss, wrong}, 2));
    double worst;
    assert_ok(gg_graph_check(&worst, g, loss, &x, &wrong, 1, 1e-5));
    assert_true(worst > 5e-4);
    gg_graph_free(g);
}

static void what_does_not_matter_has_gradient_zero(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, NULL));
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(3)), *y = gg_graph_input(g, "y", GG_SHAPE(3));
    gg_var *loss = gg_var_sum(gg_var_mul(gg_var_stop_gradient(x), y), GG_ALL_AXES, false), *d[2];
    assert_ok(gg_var_gradients(d, loss, NULL, (gg_var *[]){x, y}, 2));
    assert_ok(gg_graph_plan(g, d, 2));
    randomise(x, 1), randomise(y, 2);
    assert_ok(gg_graph_run(g));
    for (int i = 0; i < 3; i++) {
        assert_true(((float *)gg_var_data(d[0]))[i] == 0);
        assert_true(((float *)gg_var_data(d[1]))[i] == ((float *)gg_var_data(x))[i]);
    }
    gg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_central_differences),
        cmocka_unit_test(a_wrong_gradient_would_be_seen),
        cmocka_unit_test(what_does_not_matter_has_gradient_zero),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
