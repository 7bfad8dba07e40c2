/* Nets as lists of layers: what the words of a list mean, which keys they take, what they record.
 *
 * A layer's parameters are called by its number in the list ("0.weight", "2.bias"), as those of torch.nn.Sequential: a checkpoint of such a net opens in
 * PyTorch with load_state_dict, and the other way round. A list within a list (residual) puts its own number before: "3.0.weight".
 * Reading a layer checks its keys; recording it checks its shapes. Both kinds of mistakes are told at the layer's place in the list.
 */
#include "nn/net.h"
#include "base/json.h"
#include "base/memory.h"
#include "grad/graph.h"
#include <math.h>
#include <stdio.h>

enum { NAME = 48, MAX_LAYERS = 4096, MAX_NESTING = 8 };

typedef struct layer layer;
typedef struct kind kind;
struct layer {
    const kind *kind;
    char name[NAME];
    int64_t n, heads, kv_heads, d_ff, window, rows, groups, truncate;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    bool same, bias, causal, count_padding, rms, norm_first;
    int output, nonlinearity, gelu;
    int64_t output_padding[2];
    double p, eps, momentum, slope, alpha, rope_base;
    int64_t axis;
    gg_shape shape;
    layer *inner; /* (n_inner,) of residual */
    int n_inner;
    gg_net_layer told; /* what a description says of it */
};

struct gg_net {
    gg_context *ctx;
    gg_net_input in;
    gg_params *params;
    layer *layer; /* (n,) */
    int n;
    gg_shape out; /* of one sample */
};

struct kind {
    const char *name;
    const gg__key *key;
    int n_keys;
    gg_var *(*record)(const gg_nn *nn, const layer *l, gg_var *x, const gg_net *net);
    gg_status (*read)(layer *l, const gg__place *p); /* what no table can say; NULL: nothing */
    bool activation;
};

/* --- what they record -------------------------------------------------------------------------------------------------------------------------- */
#define LAYER(name) static gg_var *record_##name(const gg_nn *nn, const layer *l, gg_var *x, const gg_net *net)
#define UNUSED (void)nn, (void)l, (void)net

static gg_var *need_axes(gg_var *x, int n, const char *what, const char *axes)
{
    return x && x->shape.n != n ? gg__mistake(x->g, GG_EINVAL, "%s of %s: %s is needed", what, SHAPE_TEXT(x), axes) : x;
}

static gg_var *reshaped(gg_var *x, int n, const int64_t *d)
{
    gg_shape s = {.n = n};
    memcpy(s.d, d, (size_t)n * sizeof *d);
    return gg_var_reshape(x, s);
}

LAYER(linear)
{
    (void)net;
    return gg_nn_linear(nn, l->name, x, l->n, l->bias);
}

static gg_conv_options conv_options(const layer *l, const gg_var *x, int axes)
{
    gg_conv_options o = {.groups = l->groups, .causal = l->causal, .output_padding = {l->output_padding[0], l->output_padding[1]}};
    for (int i = 0; i < 2; i++) {
        o.stride[i] = l->stride[i];
        o.dilation[i] = l->dilation[i];
        o.padding[i] = l->same ? l->dilation[i] * (l->kernel[i] - 1) / 2 : l->padding[i];
    }
    for (int i = 0; x && i < axes && l->same; i++)
        if (l->dilation[i] * (l->kernel[i] - 1) % 2 || l->stride[i] != 1)
            gg__mistake(x->g, GG_EINVAL, "padding \"same\" needs stride 1 and a kernel whose reach is odd: kernel %lld, dilation %lld, stride %lld",
                        (long long)l->kernel[i], (long long)l->dilation[i], (long long)l->stride[i]);
    return o;
}

LAYER(conv2d)
{
    (void)net;
    const gg_conv_options o = conv_options(l, x, 2);
    return gg_nn_conv2d(nn, l->name, x, l->n, l->kernel[0], l->kernel[1], l->bias, &o);
}
LAYER(conv1d)
{
    (void)net;
    const gg_conv_options o = conv_options(l, x, 1);
    return gg_nn_conv1d(nn, l->name, x, l->n, l->kernel[0], l->bias, &o);
}

LAYER(conv_transpose2d)
{
    (void)net;
    const gg_conv_options o = conv_options(l, x, 2);
    return gg_nn_conv_transpose2d(nn, l->name, x, l->n, l->kernel[0], l->kernel[1], l->bias, &o);
}
LAYER(conv_transpose1d)
{
    (void)net;
    const gg_conv_options o = conv_options(l, x, 1);
    return gg_nn_conv_transpose1d(nn, l->name, x, l->n, l->kernel[0], l->bias, &o);
}

static gg_pool_options pool_options(const layer *l)
{
    gg_pool_options o = {.count_padding = l->count_padding};
    for (int i = 0; i < 2; i++) {
        o.size[i] = l->kernel[i];
        o.stride[i] = l->stride[i];
        o.padding[i] = l->padding[i];
    }
    return o;
}
#define POOL_LAYER(name, axes, text)                                                       \
    LAYER(name)                                                                            \
    {                                                                                      \
        (void)nn, (void)net;                                                               \
        const gg_pool_options o = pool_options(l);                                         \
        return need_axes(x, axes, #name, text) ? gg_var_##name(x, &o) : NULL;              \
    }
POOL_LAYER(max_pool1d, 3, "(N, C, T)")
POOL_LAYER(avg_pool1d, 3, "(N, C, T)")
POOL_LAYER(max_pool2d, 4, "(N, C, H, W)")
POOL_LAYER(avg_pool2d, 4, "(N, C, H, W)")
LAYER(adaptive_avg_pool2d)
{
    UNUSED;
    return need_axes(x, 4, "adaptive_avg_pool2d", "(N, C, H, W)") ? gg_var_adaptive_avg_pool2d(x, l->kernel[0], l->kernel[1]) : NULL;
}
LAYER(adaptive_max_pool2d)
{
    UNUSED;
    return need_axes(x, 4, "adaptive_max_pool2d", "(N, C, H, W)") ? gg_var_adaptive_max_pool2d(x, l->kernel[0], l->kernel[1]) : NULL;
}
LAYER(adaptive_avg_pool1d) { UNUSED; return need_axes(x, 3, "adaptive_avg_pool1d", "(N, C, T)") ? gg_var_adaptive_avg_pool1d(x, l->n) : NULL; }
LAYER(adaptive_max_pool1d) { UNUSED; return need_axes(x, 3, "adaptive_max_pool1d", "(N, C, T)") ? gg_var_adaptive_max_pool1d(x, l->n) : NULL; }

/* Of channels first: all axes behind (N, C). */
static gg_var *global_pool(gg_var *x, const char *what, bool max)
{
    if (x && x->shape.n < 3)
        return gg__mistake(x->g, GG_EINVAL, "%s of %s: (N, C, T) or (N, C, H, W) is needed", what, SHAPE_TEXT(x));
    const unsigned axes = x ? ((1u << x->shape.n) - 1) & ~3u : 0;
    return max ? gg_var_amax(x, axes, false) : gg_var_mean(x, axes, false);
}
LAYER(global_avg_pool) { UNUSED; return global_pool(x, "global_avg_pool", false); }
LAYER(global_max_pool) { UNUSED; return global_pool(x, "global_max_pool", true); }

static gg_var *over_axis(const layer *l, gg_var *x, bool max)
{
    if (!x)
        return NULL;
    const int64_t axis = l->axis < 0 ? l->axis + x->shape.n : l->axis;
    if (axis < 1 || axis >= x->shape.n)
        return gg__mistake(x->g, GG_EINVAL, "%s over axis %lld of %s: axis 0 is the batch", l->kind->name, (long long)l->axis, SHAPE_TEXT(x));
    return max ? gg_var_amax(x, 1u << axis, false) : gg_var_mean(x, 1u << axis, false);
}
LAYER(mean) { UNUSED; return over_axis(l, x, false); }
LAYER(max) { UNUSED; return over_axis(l, x, true); }

LAYER(flatten) { UNUSED; return x ? gg_var_reshape(x, GG_SHAPE(x->shape.d[0], -1)) : NULL; }
LAYER(unflatten)
{
    UNUSED;
    int64_t d[GG_MAX_DIMS] = {x ? x->shape.d[0] : 0};
    for (int i = 0; i < l->shape.n; i++)
        d[i + 1] = l->shape.d[i];
    return reshaped(x, l->shape.n + 1, d);
}
LAYER(transpose)
{
    UNUSED;
    return need_axes(x, 3, "transpose", "(N, C, T) or (N, T, C)") ? gg_var_transpose(x) : NULL;
}
LAYER(dropout) { UNUSED; return gg_var_dropout(x, l->p); }
LAYER(batch_norm) { (void)net; return gg_nn_batch_norm(nn, l->name, x, l->momentum, l->eps); }
LAYER(group_norm) { (void)net; return gg_nn_group_norm(nn, l->name, x, l->groups, l->eps); }
LAYER(layer_norm) { (void)net; return gg_nn_layer_norm(nn, l->name, x, l->eps); }
LAYER(rms_norm) { (void)net; return gg_nn_rms_norm(nn, l->name, x, l->eps); }

LAYER(embedding)
{
    const int64_t rows = l->rows ? l->rows : net->in.n_vocab;
    if (x && x->dtype != GG_I32)
        return gg__mistake(x->g, GG_EINVAL, "embedding of numbers %s: token ids are needed", SHAPE_TEXT(x));
    if (x && rows < net->in.n_vocab)
        return gg__mistake(x->g, GG_EINVAL, "embedding of %lld tokens: the data have %lld", (long long)rows, (long long)net->in.n_vocab);
    return gg_nn_embedding(nn, l->name, x, rows, l->n);
}
LAYER(positional_embedding)
{
    (void)net;
    if (!need_axes(x, 3, "positional_embedding", "(N, T, D)"))
        return NULL;
    char name[NAME + 8];
    snprintf(name, sizeof name, "%s.weight", l->name);
    return gg_var_add(x, gg_nn_param(nn, name, GG_SHAPE(x->shape.d[1], x->shape.d[2]), GG_INIT_NORMAL, 0.02, 0));
}

/* Batch first outside, time first inside. output 0: the last state, 1: all of them. */
static gg_var *recurrent(const gg_nn *nn, const layer *l, gg_var *x,
                         gg_var *(*net)(const gg_nn *, const char *, gg_var *, int64_t, gg_var **, const gg_rnn_options *))
{
    if (!need_axes(x, 3, l->kind->name, "(N, T, K)"))
        return NULL;
    const int order[3] = {1, 0, 2};
    gg_var *last = NULL,
           *all = net(nn, l->name, gg_var_permute(x, order), l->n, &last, &(gg_rnn_options){.relu = l->nonlinearity == 1, .truncate = l->truncate});
    return l->output ? gg_var_permute(all, order) : last;
}
LAYER(rnn) { (void)net; return recurrent(nn, l, x, gg_nn_rnn); }
LAYER(lstm) { (void)net; return recurrent(nn, l, x, gg_nn_lstm); }
LAYER(gru) { (void)net; return recurrent(nn, l, x, gg_nn_gru); }

LAYER(block)
{
    (void)net;
    if (!need_axes(x, 3, l->kind->name, "(N, T, D)"))
        return NULL;
    return gg_nn_block(nn, l->name, x,
                       &(gg_block_options){.n_heads = l->heads,
                                           .n_kv_heads = l->kv_heads,
                                           .d_ff = l->d_ff ? l->d_ff : 4 * x->shape.d[2],
                                           .causal = l->causal,
                                           .window = l->window,
                                           .rope_base = l->rope_base,
                                           .rms = l->rms,
                                           .dropout = l->p,
                                           .eps = l->eps});
}

LAYER(transformer_encoder_layer)
{
    (void)net;
    if (!need_axes(x, 3, "transformer_encoder_layer", "(N, T, D)"))
        return NULL;
    return gg_nn_transformer_encoder_layer(nn, l->name, x,
                                           &(gg_transformer_options){.n_heads = l->heads, .d_ff = l->d_ff ? l->d_ff : 2048, .causal = l->causal,
                                                                     .norm_first = l->norm_first, .gelu = l->gelu == 1, .dropout = l->p, .eps = l->eps});
}

static gg_var *record_list(const gg_nn *nn, layer *list, int n, gg_var *x, const gg_net *net);
LAYER(residual)
{
    gg_var *y = record_list(nn, l->inner, l->n_inner, x, net);
    if (x && y && !gg__shape_equal(x->shape, y->shape))
        return gg__mistake(x->g, GG_EINVAL, "residual: %s comes in and %s out; they are added, so they must be alike", SHAPE_TEXT(x), SHAPE_TEXT(y));
    return gg_var_add(x, y);
}

#define PLAIN(name) LAYER(name) { UNUSED; return gg_var_##name(x); }
PLAIN(relu)
PLAIN(gelu) PLAIN(gelu_tanh) PLAIN(silu) PLAIN(tanh) PLAIN(sigmoid) PLAIN(softplus) PLAIN(softmax) PLAIN(log_softmax) PLAIN(exp) PLAIN(sin) PLAIN(abs)
    PLAIN(square) PLAIN(relu6) PLAIN(selu) PLAIN(hard_sigmoid) PLAIN(hard_swish) PLAIN(mish) LAYER(leaky_relu)
{
    UNUSED;
    return gg_var_leaky_relu(x, l->slope);
}
LAYER(elu) { UNUSED; return gg_var_elu(x, l->alpha); }

/* --- the words and their keys ------------------------------------------------------------------------------------------------------------------- */
#define AT(field) offsetof(layer, field)
#define K_INT(name, also, field, min, max, flags) {name, also, GG__KEY_INT, AT(field), min, max, NULL, flags}
#define K_PAIR(name, also, field, min, max, flags) {name, also, GG__KEY_PAIR, AT(field), min, max, NULL, flags}
#define K_NUMBER(name, also, field, min, max, flags) {name, also, GG__KEY_NUMBER, AT(field), min, max, NULL, flags}
#define K_FLAG(name, also, field) {name, also, GG__KEY_FLAG, AT(field), 0, 0, NULL, 0}
#define K_WORD(name, also, field, words) {name, also, GG__KEY_WORD, AT(field), 0, 0, words, 0}
#define K_ANY(name, also, flags) {name, also, GG__KEY_ANY, 0, 0, 0, NULL, flags}
#define WHAT K_ANY("layer", "activation", 0), K_ANY("name", NULL, 0)
#define MOST_N 16777216
#define CONV                                                                                                                                                   \
    K_INT("n", "out_channels", n, 1, MOST_N, GG__KEY_REQUIRED), K_PAIR("kernel", "kernel_size", kernel, 1, 65536, GG__KEY_REQUIRED),                           \
        K_PAIR("stride", NULL, stride, 1, 65536, 0), K_ANY("padding", NULL, 0), K_PAIR("dilation", NULL, dilation, 1, 65536, 0),                               \
        K_INT("groups", NULL, groups, 1, MOST_N, 0), K_FLAG("bias", NULL, bias)
#define POOL                                                                                                                                                   \
    K_PAIR("kernel", "kernel_size", kernel, 1, 65536, GG__KEY_REQUIRED), K_PAIR("stride", NULL, stride, 1, 65536, 0),                                          \
        K_PAIR("padding", NULL, padding, 0, 32768, 0)
#define RECURRENT \
    K_INT("n", "hidden_size", n, 1, MOST_N, GG__KEY_REQUIRED), K_WORD("output", NULL, output, "last|sequence"), K_INT("truncate", NULL, truncate, 0, 1e9, 0)

static const gg__key plain_keys[] = {WHAT};
static const gg__key linear_keys[] = {WHAT, K_INT("n", "out_features", n, 1, MOST_N, GG__KEY_REQUIRED), K_FLAG("bias", NULL, bias)};
static const gg__key conv1d_keys[] = {WHAT, CONV, K_FLAG("causal", NULL, causal)};
static const gg__key conv2d_keys[] = {WHAT, CONV};
static const gg__key transpose_keys[] = {WHAT, CONV, K_PAIR("output_padding", NULL, output_padding, 0, 65536, 0)};
static const gg__key adaptive1d_keys[] = {WHAT, K_INT("n", "output_size", n, 1, 65536, GG__KEY_REQUIRED)};
static const gg__key adaptive2d_keys[] = {WHAT, K_PAIR("n", "output_size", kernel, 1, 65536, GG__KEY_REQUIRED)};
static const gg__key max_pool_keys[] = {WHAT, POOL};
static const gg__key avg_pool_keys[] = {WHAT, POOL, K_FLAG("count_include_pad", NULL, count_padding)};
static const gg__key axis_keys[] = {WHAT, K_INT("axis", "dim", axis, -5, 5, GG__KEY_REQUIRED)};
static const gg__key unflatten_keys[] = {WHAT, K_ANY("shape", "unflattened_size", GG__KEY_REQUIRED)};
static const gg__key dropout_keys[] = {WHAT, K_NUMBER("p", NULL, p, 0, 1, GG__KEY_BELOW)};
static const gg__key norm_keys[] = {WHAT, K_NUMBER("eps", NULL, eps, 0, 1, GG__KEY_ABOVE)};
static const gg__key batch_norm_keys[] = {WHAT, K_NUMBER("eps", NULL, eps, 0, 1, GG__KEY_ABOVE), K_NUMBER("momentum", NULL, momentum, 0, 1, GG__KEY_ABOVE)};
static const gg__key group_norm_keys[] = {WHAT, K_INT("groups", "num_groups", groups, 1, MOST_N, GG__KEY_REQUIRED),
                                          K_NUMBER("eps", NULL, eps, 0, 1, GG__KEY_ABOVE)};
static const gg__key embedding_keys[] = {WHAT, K_INT("n", "embedding_dim", n, 1, MOST_N, GG__KEY_REQUIRED),
                                         K_INT("rows", "num_embeddings", rows, 1, INT32_MAX, 0)};
static const gg__key rnn_keys[] = {WHAT, RECURRENT, K_WORD("nonlinearity", NULL, nonlinearity, "tanh|relu")};
static const gg__key gated_keys[] = {WHAT, RECURRENT};
static const gg__key block_keys[] = {WHAT,
                                     K_INT("heads", "nhead", heads, 1, 65536, GG__KEY_REQUIRED),
                                     K_INT("kv_heads", NULL, kv_heads, 1, 65536, 0),
                                     K_INT("d_ff", "dim_feedforward", d_ff, 1, MOST_N, 0),
                                     K_FLAG("causal", NULL, causal),
                                     K_INT("window", NULL, window, 1, 1e9, 0),
                                     K_NUMBER("rope_base", NULL, rope_base, 0, INFINITY, GG__KEY_ABOVE),
                                     K_FLAG("rms", NULL, rms),
                                     K_NUMBER("dropout", NULL, p, 0, 1, GG__KEY_BELOW),
                                     K_NUMBER("eps", NULL, eps, 0, 1, GG__KEY_ABOVE)};
static const gg__key encoder_keys[] = {WHAT,
                                       K_INT("heads", "nhead", heads, 1, 65536, GG__KEY_REQUIRED),
                                       K_INT("d_ff", "dim_feedforward", d_ff, 1, MOST_N, 0),
                                       K_FLAG("causal", NULL, causal),
                                       K_FLAG("norm_first", NULL, norm_first),
                                       K_WORD("inner", NULL, gelu, "relu|gelu"),
                                       K_NUMBER("dropout", NULL, p, 0, 1, GG__KEY_BELOW),
                                       K_NUMBER("eps", "layer_norm_eps", eps, 0, 1, GG__KEY_ABOVE)};
static const gg__key residual_keys[] = {WHAT, K_ANY("model", NULL, GG__KEY_REQUIRED)};
static const gg__key leaky_keys[] = {WHAT, K_NUMBER("slope", "negative_slope", slope, 0, INFINITY, GG__KEY_BELOW)};
static const gg__key elu_keys[] = {WHAT, K_NUMBER("alpha", NULL, alpha, 0, INFINITY, GG__KEY_BELOW)};

static gg_status read_padding(layer *l, const gg__place *p)
{
    static const char *const words[] = {"same", "valid"};
    const gg__key key = {"padding", NULL, GG__KEY_PAIR, offsetof(layer, padding), 0, 65536, NULL, 0};
    gg__place at;
    if (!gg__place_member(&at, p, "padding"))
        return GG_OK;
    if (json_is_string(at.value)) {
        l->same = strcmp(json_string_value(at.value), "same") == 0;
        return l->same || strcmp(json_string_value(at.value), "valid") == 0 ? GG_OK : gg__place_unknown(&at, "word", json_string_value(at.value), words, 2);
    }
    return gg__place_value(l, &at, &key);
}

static gg_status read_shape(layer *l, const gg__place *p)
{
    gg__place at;
    double *x = NULL;
    int64_t n = 0;
    if (!gg__place_member(&at, p, "shape"))
        gg__place_member(&at, p, "unflattened_size");
    GG_TRY(gg__place_numbers(&x, &n, &at));
    gg_status s = n >= 1 && n < GG_MAX_DIMS ? GG_OK : gg__place_fail(&at, "1 to %d lengths are needed, not %lld", GG_MAX_DIMS - 1, (long long)n);
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        if (x[i] >= -1 && x[i] <= MOST_N && x[i] == floor(x[i]) && x[i] != 0)
            l->shape.d[i] = (int64_t)x[i];
        else
            s = gg__place_fail(&at, "%.15g is no length: whole numbers from 1, one of them may be -1", x[i]);
    }
    l->shape.n = (int)n;
    gg_drop(p->c->ctx, x);
    return s;
}

static gg_status read_list(layer **out, int *n, const gg__place *p, int depth);
static gg_status read_inner(layer *l, const gg__place *p)
{
    gg__place at;
    int depth = 0;
    for (const gg__place *up = p; up; up = up->up)
        depth += up->key && strcmp(up->key, "model") == 0;
    gg__place_member(&at, p, "model");
    return read_list(&l->inner, &l->n_inner, &at, depth);
}

#define KEYS(k) k, (int)(sizeof(k) / sizeof *(k))
static const kind kinds[] = {
    {"linear", KEYS(linear_keys), record_linear, NULL, false},
    {"conv1d", KEYS(conv1d_keys), record_conv1d, read_padding, false},
    {"conv2d", KEYS(conv2d_keys), record_conv2d, read_padding, false},
    {"conv_transpose1d", KEYS(transpose_keys), record_conv_transpose1d, read_padding, false},
    {"conv_transpose2d", KEYS(transpose_keys), record_conv_transpose2d, read_padding, false},
    {"max_pool1d", KEYS(max_pool_keys), record_max_pool1d, NULL, false},
    {"max_pool2d", KEYS(max_pool_keys), record_max_pool2d, NULL, false},
    {"avg_pool1d", KEYS(avg_pool_keys), record_avg_pool1d, NULL, false},
    {"avg_pool2d", KEYS(avg_pool_keys), record_avg_pool2d, NULL, false},
    {"adaptive_avg_pool1d", KEYS(adaptive1d_keys), record_adaptive_avg_pool1d, NULL, false},
    {"adaptive_avg_pool2d", KEYS(adaptive2d_keys), record_adaptive_avg_pool2d, NULL, false},
    {"adaptive_max_pool1d", KEYS(adaptive1d_keys), record_adaptive_max_pool1d, NULL, false},
    {"adaptive_max_pool2d", KEYS(adaptive2d_keys), record_adaptive_max_pool2d, NULL, false},
    {"global_avg_pool", KEYS(plain_keys), record_global_avg_pool, NULL, false},
    {"global_max_pool", KEYS(plain_keys), record_global_max_pool, NULL, false},
    {"mean", KEYS(axis_keys), record_mean, NULL, false},
    {"max", KEYS(axis_keys), record_max, NULL, false},
    {"flatten", KEYS(plain_keys), record_flatten, NULL, false},
    {"unflatten", KEYS(unflatten_keys), record_unflatten, read_shape, false},
    {"transpose", KEYS(plain_keys), record_transpose, NULL, false},
    {"dropout", KEYS(dropout_keys), record_dropout, NULL, false},
    {"batch_norm", KEYS(batch_norm_keys), record_batch_norm, NULL, false},
    {"group_norm", KEYS(group_norm_keys), record_group_norm, NULL, false},
    {"layer_norm", KEYS(norm_keys), record_layer_norm, NULL, false},
    {"rms_norm", KEYS(norm_keys), record_rms_norm, NULL, false},
    {"embedding", KEYS(embedding_keys), record_embedding, NULL, false},
    {"positional_embedding", KEYS(plain_keys), record_positional_embedding, NULL, false},
    {"rnn", KEYS(rnn_keys), record_rnn, NULL, false},
    {"lstm", KEYS(gated_keys), record_lstm, NULL, false},
    {"gru", KEYS(gated_keys), record_gru, NULL, false},
    {"block", KEYS(block_keys), record_block, NULL, false},
    {"transformer_encoder_layer", KEYS(encoder_keys), record_transformer_encoder_layer, NULL, false},
    {"residual", KEYS(residual_keys), record_residual, read_inner, false},
    {"relu", KEYS(plain_keys), record_relu, NULL, true},
    {"leaky_relu", KEYS(leaky_keys), record_leaky_relu, NULL, true},
    {"elu", KEYS(elu_keys), record_elu, NULL, true},
    {"gelu", KEYS(plain_keys), record_gelu, NULL, true},
    {"gelu_tanh", KEYS(plain_keys), record_gelu_tanh, NULL, true},
    {"silu", KEYS(plain_keys), record_silu, NULL, true},
    {"tanh", KEYS(plain_keys), record_tanh, NULL, true},
    {"sigmoid", KEYS(plain_keys), record_sigmoid, NULL, true},
    {"softplus", KEYS(plain_keys), record_softplus, NULL, true},
    {"softmax", KEYS(plain_keys), record_softmax, NULL, true},
    {"log_softmax", KEYS(plain_keys), record_log_softmax, NULL, true},
    {"exp", KEYS(plain_keys), record_exp, NULL, true},
    {"sin", KEYS(plain_keys), record_sin, NULL, true},
    {"abs", KEYS(plain_keys), record_abs, NULL, true},
    {"square", KEYS(plain_keys), record_square, NULL, true},
    {"relu6", KEYS(plain_keys), record_relu6, NULL, true},
    {"selu", KEYS(plain_keys), record_selu, NULL, true},
    {"hard_sigmoid", KEYS(plain_keys), record_hard_sigmoid, NULL, true},
    {"hard_swish", KEYS(plain_keys), record_hard_swish, NULL, true},
    {"mish", KEYS(plain_keys), record_mish, NULL, true},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* --- reading ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status find_kind(const kind **out, const gg__place *p, const char *word, int which /* 0 layers, 1 activations, 2 both */)
{
    const char *known[N_KINDS];
    int n = 0;
    for (int i = 0; i < N_KINDS; i++)
        if (which == 2 || kinds[i].activation == (which == 1)) {
            if (strcmp(kinds[i].name, word) == 0) {
                *out = &kinds[i];
                return GG_OK;
            }
            known[n++] = kinds[i].name;
        }
    return gg__place_unknown(p, which == 1 ? "activation" : "layer", word, known, n);
}

/* The kind, and what it takes another default for. */
static gg_status take_kind(layer *l, const gg__place *p, const char *word, int which)
{
    GG_TRY(find_kind(&l->kind, p, word, which));
    l->stride[0] = l->stride[1] = strncmp(l->kind->name, "conv", 4) == 0; /* of pools 0: the size of the kernel */
    l->p = l->kind->record == record_dropout ? 0.5 : 0;
    return GG_OK;
}

/* "relu", {"layer": "linear", "n": 8}, {"activation": "leaky_relu", "slope": 0.1} */
static gg_status read_layer(layer *l, const gg__place *p, int index)
{
    *l = (layer){.bias = true, .groups = 1, .stride = {0, 0}, .dilation = {1, 1}, .count_padding = true, .slope = 0.01, .alpha = 1};
    snprintf(l->name, sizeof l->name, "%d", index);
    if (json_is_string(p->value)) {
        GG_TRY(take_kind(l, p, json_string_value(p->value), 2));
        for (int i = 0; i < l->kind->n_keys; i++)
            if (l->kind->key[i].flags & GG__KEY_REQUIRED)
                return gg__place_fail(p, "%s needs \"%s\": write {\"layer\": \"%s\", \"%s\": ...}", l->kind->name, l->kind->key[i].name, l->kind->name,
                                      l->kind->key[i].name);
        return GG_OK;
    }
    if (!json_is_object(p->value))
        return gg__place_fail(p, "a layer is an object or a word, not %s", gg_json_kind(p->value));
    gg__place word, name;
    const bool is_layer = gg__place_member(&word, p, "layer");
    if (!is_layer && !gg__place_member(&word, p, "activation"))
        return gg__place_fail(p, "\"layer\" or \"activation\" is needed, as {\"layer\": \"linear\", \"n\": 10}");
    if (!json_is_string(word.value))
        return gg__place_fail(&word, "a text is needed, not %s", gg_json_kind(word.value));
    GG_TRY(take_kind(l, &word, json_string_value(word.value), is_layer ? 2 : 1));
    GG_TRY(gg__place_object(l, p, l->kind->name, l->kind->key, l->kind->n_keys));
    if (gg__place_member(&name, p, "name")) {
        if (!json_is_string(name.value) || json_string_length(name.value) == 0 || json_string_length(name.value) >= NAME ||
            strlen(json_string_value(name.value)) != json_string_length(name.value))
            return gg__place_fail(&name, "a name is a text of 1 to %d bytes", NAME - 1);
        snprintf(l->name, sizeof l->name, "%s", json_string_value(name.value));
    }
    return l->kind->read ? l->kind->read(l, p) : GG_OK;
}

static void free_list(gg_context *ctx, layer *list, int n)
{
    for (int i = 0; i < n && list; i++)
        free_list(ctx, list[i].inner, list[i].n_inner);
    gg_drop(ctx, list);
}

static gg_status read_list(layer **out, int *n, const gg__place *p, int depth)
{
    gg_context *ctx = p->c->ctx;
    const size_t size = json_array_size(p->value);
    if (!json_is_array(p->value))
        return gg__place_fail(p, "a model is a list of layers, not %s", gg_json_kind(p->value));
    if (size < 1 || size > MAX_LAYERS)
        return gg__place_fail(p, "%zu layers: 1 to %d", size, MAX_LAYERS);
    if (depth > MAX_NESTING)
        return gg__place_fail(p, "more than %d lists within each other", MAX_NESTING);
    layer *list = gg_new(ctx, layer, (int64_t)size);
    if (!list)
        return GG_ENOMEM;
    gg_status s = GG_OK;
    for (size_t i = 0; i < size && s == GG_OK; i++) {
        const gg__place item = gg__place_item(p, (int)i);
        s = read_layer(&list[i], &item, (int)i);
        for (size_t k = 0; k < i && s == GG_OK; k++)
            if (strcmp(list[k].name, list[i].name) == 0)
                s = gg__place_fail(&item, "its name \"%s\" is that of layer %zu too", list[i].name, k);
    }
    if (s != GG_OK) {
        free_list(ctx, list, (int)size);
        return s;
    }
    *out = list;
    *n = (int)size;
    return GG_OK;
}

/* --- recording ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_var *record_list(const gg_nn *nn, layer *list, int n, gg_var *x, const gg_net *net)
{
    for (int i = 0; i < n; i++) {
        char prefix[256];
        gg_nn in = *nn;
        if (list[i].inner) {
            snprintf(prefix, sizeof prefix, "%.180s%s.", nn->prefix ? nn->prefix : "", list[i].name);
            in.prefix = prefix;
        }
        if (x && x->dtype == GG_I32 && strcmp(list[i].kind->name, "embedding") != 0)
            return gg__mistake(x->g, GG_EINVAL, "%s of token ids: an embedding comes first", list[i].kind->name);
        x = list[i].kind->record(&in, &list[i], x, net);
    }
    return x;
}

gg_var *gg_net_output(gg_net *n, gg_graph *g, gg_var *x)
{
    const gg_nn nn = {g, n->params, NULL};
    return record_list(&nn, n->layer, n->n, x, n);
}

static gg_shape without_batch(const gg_var *v)
{
    gg_shape s = {.n = v->shape.n - 1};
    for (int i = 0; i < s.n; i++)
        s.d[i] = v->shape.d[i + 1];
    return s;
}

/* Records layer by layer for one sample, so that a mistake is told where it is, and what each layer gives and holds is known. */
static gg_status record_once(gg_net *n, const gg__place *p)
{
    gg_graph *g = NULL;
    gg_shape one = {.n = n->in.sample.n + 1, .d = {1}};
    if (n->in.sample.n < 1 || n->in.sample.n >= GG_MAX_DIMS)
        return gg_fail(n->ctx, GG_EINVAL, "samples of %d axes: 1 to %d", n->in.sample.n, GG_MAX_DIMS - 1);
    for (int i = 0; i < n->in.sample.n; i++)
        one.d[i + 1] = n->in.sample.d[i];
    GG_TRY(gg_graph_create(&g, n->ctx, NULL));
    const gg_nn nn = {g, n->params, NULL};
    gg_var *x = n->in.n_vocab > 0 ? gg_graph_index(g, "x", one) : gg_graph_input(g, "x", one);
    gg_status s = g->status;
    for (int i = 0; i < n->n && s == GG_OK; i++) {
        const int before = gg_params_count(n->params);
        layer *l = &n->layer[i];
        x = record_list(&nn, l, 1, x, n);
        s = g->status;
        if (s == GG_OK && (!x || x->shape.n < 1 || x->shape.d[0] != 1))
            s = gg_fail(n->ctx, GG_EINVAL, "%s gives nothing for each sample", l->kind->name);
        else if (s != GG_OK)
            gg_fail(n->ctx, s, "%s", g->message ? g->message : gg_status_text(s));
        if (s != GG_OK) {
            const gg__place item = gg__place_item(p, i);
            gg__place_prefix(&item, s);
            break;
        }
        l->told = (gg_net_layer){
            .kind = l->kind->name, .name = l->name, .output = without_batch(x), .first_param = before, .n_tensors = gg_params_count(n->params) - before};
        for (int k = before; k < gg_params_count(n->params); k++)
            if (!(gg_params_flags(n->params, k) & GG_PARAM_BUFFER))
                l->told.n_params += gg_params_size(n->params, k);
    }
    if (s == GG_OK)
        n->out = without_batch(x);
    gg_graph_free(g);
    return s;
}

gg_status gg__net_create(gg_net **out, gg_context *ctx, const gg__place *p, const gg_net_input *in)
{
    gg_net *n = gg_new(ctx, gg_net, 1);
    if (!n)
        return GG_ENOMEM;
    *n = (gg_net){.ctx = ctx, .in = *in};
    gg_status s = read_list(&n->layer, &n->n, p, 1);
    if (s == GG_OK && (s = gg_params_create(&n->params, ctx, GG_F32)) == GG_OK)
        s = record_once(n, p);
    if (s != GG_OK) {
        gg_net_free(n);
        return s;
    }
    *out = n;
    return GG_OK;
}

gg_status gg_net_create(gg_net **out, gg_context *ctx, const json_t *model, const gg_net_input *in)
{
    json_t *copy = json_deep_copy(model);
    const gg__config c = {.ctx = ctx, .file = (char *)"model", .root = copy};
    const gg__place root = gg__place_root(&c);
    const gg_status s = copy ? gg__net_create(out, ctx, &root, in) : gg_fail(ctx, GG_ENOMEM, "out of memory for a model");
    json_decref(copy);
    return s;
}

void gg_net_free(gg_net *n)
{
    if (!n)
        return;
    free_list(n->ctx, n->layer, n->n);
    gg_params_free(n->params);
    gg_drop(n->ctx, n);
}

gg_context *gg__net_context(const gg_net *n) { return n->ctx; }
gg_params *gg_net_params(gg_net *n) { return n->params; }
int gg_net_count(const gg_net *n) { return n->n; }
const gg_net_layer *gg_net_at(const gg_net *n, int i) { return &n->layer[i].told; }
gg_shape gg_net_shape(const gg_net *n) { return n->out; }
const gg_net_input *gg_net_takes(const gg_net *n) { return &n->in; }
