/* Layers: names and initial values of parameters, and what is recorded. Shapes, names and distributions are torch.nn's. */
#include <golgi/nn.h>
#include "base/memory.h"
#include "base/work.h"
#include "grad/graph.h"
#include "nn/layers.h"
#include <math.h>
#include <stdio.h>

static bool full_name(char out[256], const gg_nn *n, const char *name, const char *part)
{
    const int m = snprintf(out, 256, "%s%s%s%s", n->prefix ? n->prefix : "", name, *part ? "." : "", part);
    if (m >= 256)
        gg__mistake(n->graph, GG_EINVAL, "a parameter's name is longer than 255 bytes: %.40s...", out);
    return m < 256;
}

gg_var *gg_nn_param(const gg_nn *n, const char *name, gg_shape shape, gg_init init, double bound, unsigned flags)
{
    char full[256];
    if (!full_name(full, n, name, ""))
        return NULL;
    const int i = gg_params_find(n->params, full);
    if (i < 0) {
        const gg_status s = gg_params_add(n->params, full, shape, flags);
        if (s != GG_OK)
            return gg__mistake(n->graph, s, "%s", gg_message(n->graph->ctx));
        gg__params_set_init(n->params, gg_params_count(n->params) - 1, (int)init, bound);
    } else if (!gg__shape_equal(gg_params_shape(n->params, i), shape)) {
        return gg__mistake(n->graph, GG_EMISMATCH, "parameter %s has the shape %s, the layer needs %s", full, gg__shape_say(gg_params_shape(n->params, i)).text,
                           gg__shape_say(shape).text);
    }
    return gg_graph_param(n->graph, n->params, full);
}

gg_status gg_nn_init(gg_params *p, uint64_t seed)
{
    const bool f64 = gg_params_dtype(p) == GG_F64;
    for (int i = 0; i < gg_params_count(p); i++) {
        int kind;
        double bound;
        void *value = gg_params_value(p, i);
        if (!value)
            return GG_ENOMEM;
        if (!gg__params_init_of(p, i, &kind, &bound))
            continue;
        uint64_t stream = 1469598103934665603u; /* FNV-1a of the name: the same parameter, the same numbers, whatever stands beside it */
        for (const char *c = gg_params_name(p, i); *c; c++)
            stream = (stream ^ (unsigned char)*c) * 1099511628211u;
        gg_random r = gg_random_of(seed, stream);
        for (int64_t k = 0; k < gg_params_size(p, i); k++) {
            const double other = kind == GG__INIT_ZERO_DRAWN ? 0 : bound;
            const double x = kind == GG_INIT_UNIFORM ? bound * (2 * gg_random_uniform(&r) - 1) : kind == GG_INIT_NORMAL ? bound * gg_random_normal(&r) : other;
            if (f64)
                ((double *)value)[k] = x;
            else
                ((float *)value)[k] = (float)x;
        }
    }
    return GG_OK;
}

/* NAME.PART */
gg_var *gg__nn_part(const gg_nn *n, const char *name, const char *part, gg_shape shape, int init, double bound, unsigned flags)
{
    char full[256];
    const gg_nn bare = {n->graph, n->params, NULL};
    return full_name(full, n, name, part) ? gg_nn_param(&bare, full, shape, (gg_init)init, bound, flags) : NULL;
}

/* gain / sqrt(fan_in) sqrt(3) with gain = sqrt(2 / (1 + a^2)), in torch's order of roundings */
double gg__nn_bound(int64_t fan_in)
{
    const double a = sqrt(5), gain = sqrt(2 / (1 + a * a));
    return fan_in > 0 ? sqrt(3) * (gain / sqrt((double)fan_in)) : 0;
}

double gg__nn_xavier(int64_t fan_in, int64_t fan_out) { return sqrt(3) * (1 * sqrt(2 / (double)(fan_in + fan_out))); }

static double bound_of(int64_t fan_in) { return fan_in > 0 ? 1 / sqrt((double)fan_in) : 0; } /* of biases and recurrent layers */

gg_var *gg_nn_linear(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, bool bias)
{
    if (!x)
        return NULL;
    if (x->shape.n < 1)
        return gg__mistake(x->g, GG_EINVAL, "linear %s of a scalar", name);
    const int64_t K = x->shape.d[x->shape.n - 1];
    gg_var *w = gg__nn_part(n, name, "weight", GG_SHAPE(n_out, K), GG_INIT_UNIFORM, gg__nn_bound(K), 0);
    gg_var *b = bias ? gg__nn_part(n, name, "bias", GG_SHAPE(n_out), GG_INIT_UNIFORM, bound_of(K), GG_PARAM_NO_DECAY) : NULL;
    return bias ? gg_var_affine(x, w, b) : gg_var_linear(x, w);
}

gg_var *gg_nn_conv2d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t kh, int64_t kw, bool bias, const gg_conv_options *o)
{
    if (!x)
        return NULL;
    if (x->shape.n != 4)
        return gg__mistake(x->g, GG_EINVAL, "conv2d %s of %s: (N, C, H, W) is needed", name, SHAPE_TEXT(x));
    const int64_t C = x->shape.d[1] / (o && o->groups > 0 ? o->groups : 1);
    gg_var *y = gg_var_conv2d(x, gg__nn_part(n, name, "weight", GG_SHAPE(n_out, C, kh, kw), GG_INIT_UNIFORM, gg__nn_bound(C * kh * kw), 0), o);
    gg_var *b = bias ? gg__nn_part(n, name, "bias", GG_SHAPE(n_out), GG_INIT_UNIFORM, bound_of(C * kh * kw), GG_PARAM_NO_DECAY) : NULL;
    return bias ? gg_var_add(y, gg_var_reshape(b, GG_SHAPE(n_out, 1, 1))) : y;
}

gg_var *gg_nn_conv1d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t k, bool bias, const gg_conv_options *o)
{
    if (!x)
        return NULL;
    if (x->shape.n != 3)
        return gg__mistake(x->g, GG_EINVAL, "conv1d %s of %s: (N, C, T) is needed", name, SHAPE_TEXT(x));
    const int64_t C = x->shape.d[1] / (o && o->groups > 0 ? o->groups : 1);
    gg_var *y = gg_var_conv1d(x, gg__nn_part(n, name, "weight", GG_SHAPE(n_out, C, k), GG_INIT_UNIFORM, gg__nn_bound(C * k), 0), o);
    gg_var *b = bias ? gg__nn_part(n, name, "bias", GG_SHAPE(n_out), GG_INIT_UNIFORM, bound_of(C * k), GG_PARAM_NO_DECAY) : NULL;
    return bias ? gg_var_add(y, gg_var_reshape(b, GG_SHAPE(n_out, 1))) : y;
}

gg_var *gg_nn_embedding(const gg_nn *n, const char *name, gg_var *index, int64_t n_rows, int64_t width)
{
    return index ? gg_var_gather(gg__nn_part(n, name, "weight", GG_SHAPE(n_rows, width), GG_INIT_NORMAL, 1, 0), index) : NULL;
}

gg_var *gg_nn_layer_norm(const gg_nn *n, const char *name, gg_var *x, double eps)
{
    if (!x || x->shape.n < 1)
        return NULL;
    const gg_shape s = GG_SHAPE(x->shape.d[x->shape.n - 1]);
    gg_var *w = gg__nn_part(n, name, "weight", s, GG_INIT_CONSTANT, 1, GG_PARAM_NO_DECAY), *b =
        gg__nn_part(n, name, "bias", s, GG_INIT_CONSTANT, 0, GG_PARAM_NO_DECAY);
    return gg_var_layer_norm(x, w, b, eps != 0 ? eps : 1e-5);
}

gg_var *gg_nn_rms_norm(const gg_nn *n, const char *name, gg_var *x, double eps)
{
    if (!x || x->shape.n < 1)
        return NULL;
    gg_var *w = gg__nn_part(n, name, "weight", GG_SHAPE(x->shape.d[x->shape.n - 1]), GG_INIT_CONSTANT, 1, GG_PARAM_NO_DECAY);
    return gg_var_rms_norm(x, w, eps != 0 ? eps : 1e-6);
}

gg_var *gg_nn_batch_norm(const gg_nn *n, const char *name, gg_var *x, double momentum, double eps)
{
    if (!x)
        return NULL;
    if (x->shape.n < 2)
        return gg__mistake(x->g, GG_EINVAL, "batch_norm %s of %s: (N, C, ...) is needed", name, SHAPE_TEXT(x));
    const gg_shape s = GG_SHAPE(x->shape.d[1]);
    gg_var *w = gg__nn_part(n, name, "weight", s, GG_INIT_CONSTANT, 1, GG_PARAM_NO_DECAY), *b =
        gg__nn_part(n, name, "bias", s, GG_INIT_CONSTANT, 0, GG_PARAM_NO_DECAY);
    gg_var *mean = gg__nn_part(n, name, "running_mean", s, GG_INIT_CONSTANT, 0, GG_PARAM_BUFFER), *var =
        gg__nn_part(n, name, "running_var", s, GG_INIT_CONSTANT, 1, GG_PARAM_BUFFER);
    return gg_var_batch_norm(x, w, b, mean, var, momentum != 0 ? momentum : 0.1, eps != 0 ? eps : 1e-5);
}

gg_var *gg_nn_group_norm(const gg_nn *n, const char *name, gg_var *x, int64_t groups, double eps)
{
    if (!x)
        return NULL;
    if (x->shape.n < 2)
        return gg__mistake(x->g, GG_EINVAL, "group_norm %s of %s: (N, C, ...) is needed", name, SHAPE_TEXT(x));
    const gg_shape s = GG_SHAPE(x->shape.d[1]);
    gg_var *w = gg__nn_part(n, name, "weight", s, GG_INIT_CONSTANT, 1, GG_PARAM_NO_DECAY), *b =
        gg__nn_part(n, name, "bias", s, GG_INIT_CONSTANT, 0, GG_PARAM_NO_DECAY);
    return gg_var_group_norm(x, groups, w, b, eps != 0 ? eps : 1e-5);
}

gg_var *gg_nn_conv_transpose2d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t kh, int64_t kw, bool bias, const gg_conv_options *o)
{
    if (!x)
        return NULL;
    if (x->shape.n != 4)
        return gg__mistake(x->g, GG_EINVAL, "conv_transpose2d %s of %s: (N, C, H, W) is needed", name, SHAPE_TEXT(x));
    const int64_t O = n_out / (o && o->groups > 0 ? o->groups : 1);
    gg_var *y = gg_var_conv_transpose2d(x, gg__nn_part(n, name, "weight", GG_SHAPE(x->shape.d[1], O, kh, kw), GG_INIT_UNIFORM, gg__nn_bound(O * kh * kw), 0),
                                        o);
    gg_var *b = bias ? gg__nn_part(n, name, "bias", GG_SHAPE(n_out), GG_INIT_UNIFORM, bound_of(O * kh * kw), GG_PARAM_NO_DECAY) : NULL;
    return bias ? gg_var_add(y, gg_var_reshape(b, GG_SHAPE(n_out, 1, 1))) : y;
}

gg_var *gg_nn_conv_transpose1d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t k, bool bias, const gg_conv_options *o)
{
    if (!x)
        return NULL;
    if (x->shape.n != 3)
        return gg__mistake(x->g, GG_EINVAL, "conv_transpose1d %s of %s: (N, C, T) is needed", name, SHAPE_TEXT(x));
    const int64_t O = n_out / (o && o->groups > 0 ? o->groups : 1);
    gg_var *y = gg_var_conv_transpose1d(x, gg__nn_part(n, name, "weight", GG_SHAPE(x->shape.d[1], O, k), GG_INIT_UNIFORM, gg__nn_bound(O * k), 0), o);
    gg_var *b = bias ? gg__nn_part(n, name, "bias", GG_SHAPE(n_out), GG_INIT_UNIFORM, bound_of(O * k), GG_PARAM_NO_DECAY) : NULL;
    return bias ? gg_var_add(y, gg_var_reshape(b, GG_SHAPE(n_out, 1))) : y;
}

/* --- recurrent ---------------------------------------------------------------------------------------------------------------------------
 * What the input gives is one product for all times, before the loop, with both biases; the loop holds the product with the state and the gates. */
typedef enum cell_kind { RNN_TANH, RNN_RELU, LSTM, GRU, CTRNN_TANH, CTRNN_RELU } cell_kind;
typedef struct cell {
    cell_kind kind;
    double alpha;
    gg_var *w, *b; /* of the outer graph: from the state; b: of the GRU, where it is not simply added to what the input gives */
} cell;

static gg_status step(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    const cell *c = user;
    gg_var *w = gg_graph_capture(g, c->w), *b = c->b ? gg_graph_capture(g, c->b) : NULL;
    const bool continuous = c->kind == CTRNN_TANH || c->kind == CTRNN_RELU;
    gg_var *r = !continuous ? carry[0] : c->kind == CTRNN_TANH ? gg_var_tanh(carry[0]) : gg_var_relu(carry[0]);
    gg_var *a = b ? gg_var_affine(r, w, b) : gg__linear_onto(r, w, in[0]);
    switch (c->kind) {
    case GRU: next[0] = gg_var_gru_cell(in[0], a, carry[0]); break;
    case LSTM:
        next[1] = gg_var_lstm_cell(a, carry[1]);
        next[0] = gg_var_lstm_hidden(a, next[1]);
        break;
    case CTRNN_TANH:
    case CTRNN_RELU: next[0] = gg_var_add(gg_var_scale(carry[0], 1 - c->alpha), gg_var_scale(a, c->alpha)); break;
    default: next[0] = c->kind == RNN_TANH ? gg_var_tanh(a) : gg_var_relu(a);
    }
    out[0] = !continuous ? next[0] : c->kind == CTRNN_TANH ? gg_var_tanh(next[0]) : gg_var_relu(next[0]);
    return GG_OK;
}

static gg_var *recurrent(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *o, cell_kind kind, double alpha)
{
    const gg_rnn_options none = {0};
    o = o ? o : &none;
    if (last)
        *last = NULL;
    if (!x)
        return NULL;
    if (x->shape.n != 3 || H < 1)
        return gg__mistake(x->g, GG_EINVAL, "recurrent layer %s of %s: (T, B, K) is needed", name, SHAPE_TEXT(x));
    const int64_t K = x->shape.d[2], B = x->shape.d[1], gates = kind == LSTM ? 4 * H : kind == GRU ? 3 * H : H;
    const double bound = bound_of(H);
    const bool continuous = kind == CTRNN_TANH || kind == CTRNN_RELU;
    gg_var *w_in = gg__nn_part(n, name, "weight_ih_l0", GG_SHAPE(gates, K), GG_INIT_UNIFORM, bound, 0);
    cell c = {.kind = kind, .alpha = alpha, .w = gg__nn_part(n, name, "weight_hh_l0", GG_SHAPE(gates, H), GG_INIT_UNIFORM, bound, 0)};
    gg_var *b_in = gg__nn_part(n, name, continuous ? "bias_l0" : "bias_ih_l0", GG_SHAPE(gates), GG_INIT_UNIFORM, bound, GG_PARAM_NO_DECAY);
    gg_var *b_state = continuous ? NULL : gg__nn_part(n, name, "bias_hh_l0", GG_SHAPE(gates), GG_INIT_UNIFORM, bound, GG_PARAM_NO_DECAY);
    c.b = kind == GRU ? b_state : NULL;
    gg_var *all = gg_var_affine(x, w_in, continuous || kind == GRU ? b_in : gg_var_add(b_in, b_state));
    gg_var *zero = gg_graph_fill(n->graph, GG_SHAPE(B, H), 0), *end[2] = {NULL, NULL}, *out = NULL;
    gg_var *carry[2] = {o->h0 ? o->h0 : zero, o->c0 ? o->c0 : zero};
    if (all && c.w && (kind != GRU || c.b) && carry[0] && carry[1])
        gg_var_scan(end, &out, n->graph, step, &c, carry, kind == LSTM ? 2 : 1, &all, 1, 1, o->truncate);
    if (last)
        *last = continuous && end[0] ? (kind == CTRNN_TANH ? gg_var_tanh(end[0]) : gg_var_relu(end[0])) : end[0];
    return out;
}

gg_var *gg_nn_rnn(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *o)
{
    return recurrent(n, name, x, H, last, o, o && o->relu ? RNN_RELU : RNN_TANH, 0);
}
gg_var *gg_nn_lstm(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *o)
{
    return recurrent(n, name, x, H, last, o, LSTM, 0);
}
gg_var *gg_nn_gru(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *o)
{
    return recurrent(n, name, x, H, last, o, GRU, 0);
}
gg_var *gg_nn_ctrnn(const gg_nn *n, const char *name, gg_var *x, int64_t H, double alpha, gg_var **last, const gg_rnn_options *o)
{
    if (x && !(alpha > 0 && alpha <= 1))
        return gg__mistake(x->g, GG_EINVAL, "ctrnn %s: alpha = dt / tau is %g, it lies in (0, 1]", name, alpha);
    return recurrent(n, name, x, H, last, o, o && o->relu ? CTRNN_RELU : CTRNN_TANH, alpha);
}

/* --- the transformer's block ---------------------------------------------------------------------------------------------------------------- */
gg_var *gg_nn_block(const gg_nn *n, const char *name, gg_var *x, const gg_block_options *o)
{
    char prefix[256];
    if (!x || !full_name(prefix, n, name, ""))
        return NULL;
    if (x->shape.n != 3 || o->n_heads < 1 || x->shape.d[2] % o->n_heads != 0 || strlen(prefix) > 250)
        return gg__mistake(x->g, GG_EINVAL, "block %s of %s with %lld heads: (B, T, d_model), heads a divisor of d_model", name, SHAPE_TEXT(x),
                           (long long)o->n_heads);
    strcat(prefix, ".");
    const gg_nn in = {n->graph, n->params, prefix};
    const int64_t B = x->shape.d[0], T = x->shape.d[1], d = x->shape.d[2], dh = d / o->n_heads, kv = o->n_kv_heads ? o->n_kv_heads : o->n_heads;
    const bool bias = !o->rms;
    gg_var *h = o->rms ? gg_nn_rms_norm(&in, "attn_norm", x, o->eps) : gg_nn_layer_norm(&in, "attn_norm", x, o->eps);
    gg_var *q = gg_var_reshape(gg_nn_linear(&in, "attn.q", h, d, bias), GG_SHAPE(B, T, o->n_heads, dh));
    gg_var *k = gg_var_reshape(gg_nn_linear(&in, "attn.k", h, kv * dh, bias), GG_SHAPE(B, T, kv, dh));
    gg_var *v = gg_var_reshape(gg_nn_linear(&in, "attn.v", h, kv * dh, bias), GG_SHAPE(B, T, kv, dh));
    if (o->rope_base > 0) {
        q = gg_var_rope(q, o->rope_base, 0, 0);
        k = gg_var_rope(k, o->rope_base, 0, 0);
    }
    gg_var *z = gg_var_attention(q, k, v, &(gg_attention_options){.causal = o->causal, .window = o->window, .key_mask = o->key_mask});
    x = gg_var_add(x, gg_var_dropout(gg_nn_linear(&in, "attn.o", gg_var_reshape(z, GG_SHAPE(B, T, d)), d, bias), o->dropout));
    h = o->rms ? gg_nn_rms_norm(&in, "mlp_norm", x, o->eps) : gg_nn_layer_norm(&in, "mlp_norm", x, o->eps);
    gg_var *up = gg_nn_linear(&in, "mlp.up", h, o->d_ff, bias);
    gg_var *hid = o->rms ? gg_var_mul(gg_var_silu(gg_nn_linear(&in, "mlp.gate", h, o->d_ff, false)), up) : gg_var_gelu_tanh(up);
    return gg_var_add(x, gg_var_dropout(gg_nn_linear(&in, "mlp.down", hid, d, bias), o->dropout));
}
