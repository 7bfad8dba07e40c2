/* The nets that are trained beside PyTorch, for the parity test and for bench/train. Their parameters have the names of bench/train/nets.py. */
#ifndef GG_TESTS_NETS_H
#define GG_TESTS_NETS_H
#include <golgi/nn.h>
#include <stdio.h>

typedef struct net_sizes {
    int64_t batch, in, hidden, hidden2, out; /* mlp, rnn, lstm, cnn (hidden, hidden2: channels; in: side of the image) */
    int64_t T, layers, heads, vocab;         /* rnn, lstm, gpt (hidden: d_model) */
} net_sizes;

typedef struct net {
    gg_var *x, *t, *loss, *out;
} net;

static inline net net_mlp(const gg_nn *nn, const net_sizes *s, bool tanh_)
{
    net n = {.x = gg_graph_input(nn->graph, "x", GG_SHAPE(s->batch, s->in)), .t = gg_graph_index(nn->graph, "t", GG_SHAPE(s->batch))};
    gg_var *h = gg_nn_linear(nn, "fc1", n.x, s->hidden, true);
    h = tanh_ ? gg_var_tanh(h) : gg_var_relu(h);
    if (s->hidden2) {
        h = gg_nn_linear(nn, "fc2", h, s->hidden2, true);
        h = tanh_ ? gg_var_tanh(h) : gg_var_relu(h);
    }
    n.out = gg_nn_linear(nn, "fc3", h, s->out, true);
    n.loss = gg_var_mean(gg_var_cross_entropy(n.out, n.t, -100), GG_ALL_AXES, false);
    return n;
}

static inline net net_rnn(const gg_nn *nn, const net_sizes *s, bool lstm)
{
    net n = {.x = gg_graph_input(nn->graph, "x", GG_SHAPE(s->T, s->batch, s->in)), .t = gg_graph_index(nn->graph, "t", GG_SHAPE(s->batch))};
    gg_var *last = NULL;
    if (lstm)
        gg_nn_lstm(nn, "rnn", n.x, s->hidden, &last, NULL);
    else
        gg_nn_rnn(nn, "rnn", n.x, s->hidden, &last, &(gg_rnn_options){.relu = true});
    n.out = gg_nn_linear(nn, "fc", last, s->out, true);
    n.loss = gg_var_mean(gg_var_cross_entropy(n.out, n.t, -100), GG_ALL_AXES, false);
    return n;
}

static inline net net_cnn(const gg_nn *nn, const net_sizes *s)
{
    const gg_conv_options same = {.padding = {1, 1}};
    const gg_pool_options two = {.size = {2, 2}};
    net n = {.x = gg_graph_input(nn->graph, "x", GG_SHAPE(s->batch, 1, s->in, s->in)), .t = gg_graph_index(nn->graph, "t", GG_SHAPE(s->batch))};
    gg_var *h = gg_var_max_pool2d(gg_var_relu(gg_nn_conv2d(nn, "conv1", n.x, s->hidden, 3, 3, true, &same)), &two);
    h = gg_var_max_pool2d(gg_var_relu(gg_nn_conv2d(nn, "conv2", h, s->hidden2, 3, 3, true, &same)), &two);
    n.out = gg_nn_linear(nn, "fc", gg_var_reshape(h, GG_SHAPE(s->batch, -1)), s->out, true);
    n.loss = gg_var_mean(gg_var_cross_entropy(n.out, n.t, -100), GG_ALL_AXES, false);
    return n;
}

static inline net net_gpt(const gg_nn *nn, const net_sizes *s)
{
    net n = {.x = gg_graph_index(nn->graph, "x", GG_SHAPE(s->batch, s->T)), .t = gg_graph_index(nn->graph, "t", GG_SHAPE(s->batch, s->T))};
    gg_var *place = gg_nn_param(nn, "wpe.weight", GG_SHAPE(s->T, s->hidden), GG_INIT_NORMAL, 1, 0);
    gg_var *h = gg_var_add(gg_nn_embedding(nn, "wte", n.x, s->vocab, s->hidden), place);
    for (int64_t l = 0; l < s->layers; l++) {
        char name[32];
        snprintf(name, sizeof name, "block%d", (int)l);
        h = gg_nn_block(nn, name, h, &(gg_block_options){.n_heads = s->heads, .d_ff = 4 * s->hidden, .causal = true});
    }
    n.out = gg_nn_linear(nn, "head", gg_nn_layer_norm(nn, "norm", h, 0), s->vocab, false);
    n.loss = gg_var_mean(gg_var_cross_entropy(n.out, n.t, -100), GG_ALL_AXES, false);
    return n;
}

/* Numbers that both sides can make: SplitMix64 of a counter, to [-1, 1) or to [0, n). */
static inline uint64_t mixed(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline void fill_batch(net *n, int64_t step, int64_t classes)
{
    const uint64_t first = (uint64_t)step << 32;
    for (int64_t i = 0; i < gg_var_size(n->x); i++)
        if (gg_var_dtype(n->x) == GG_I32)
            ((int32_t *)gg_var_data(n->x))[i] = (int32_t)(mixed(first + (uint64_t)i) % (uint64_t)classes);
        else
            ((float *)gg_var_data(n->x))[i] = (float)((double)(mixed(first + (uint64_t)i) >> 11) * 0x1p-52 - 1);
    for (int64_t i = 0; i < gg_var_size(n->t); i++)
        ((int32_t *)gg_var_data(n->t))[i] = (int32_t)(mixed(first + 0x80000000u + (uint64_t)i) % (uint64_t)classes);
}
#endif
