/* Multi-head attention and the Transformer's layers (Vaswani et al. 2017) with the names, shapes and order of torch.nn's, batch first.
 *
 *     attention: softmax(q k^T / sqrt(d / heads)) v of heads, q | k | v from one weight in_proj (3 d, d), then out_proj
 *     post-norm: x = norm(x + f(x))        norm_first: x = x + f(norm(x))
 * Parameters are added in the order in which torch draws them: out_proj before in_proj, its bias drawn and then put to zero.
 */
#include <golgi/nn.h>
#include "grad/graph.h"
#include "nn/layers.h"
#include <math.h>
#include <stdio.h>

static gg_var *heads(gg_var *x, int64_t n) { return x ? gg_var_reshape(x, GG_SHAPE(x->shape.d[0], x->shape.d[1], n, x->shape.d[2] / n)) : NULL; }

gg_var *gg_nn_multihead_attention(const gg_nn *n, const char *name, gg_var *q, gg_var *kv, int64_t n_heads, const gg_attention_options *o)
{
    if (!q || !kv)
        return NULL;
    const int64_t d = q->shape.n == 3 ? q->shape.d[2] : 0;
    if (d == 0 || kv->shape.n != 3 || kv->shape.d[2] != d || kv->shape.d[0] != q->shape.d[0] || n_heads < 1 || d % n_heads)
        return gg__mistake(q->g, GG_EINVAL, "multihead_attention %s of %s to %s with %lld heads: (B, T, d) and (B, S, d), heads a divisor of d", name,
                           SHAPE_TEXT(q), SHAPE_TEXT(kv), (long long)n_heads);
    gg_var *w_out = gg__nn_part(n, name, "out_proj.weight", GG_SHAPE(d, d), GG_INIT_UNIFORM, gg__nn_bound(d), 0);
    gg_var *b_out = gg__nn_part(n, name, "out_proj.bias", GG_SHAPE(d), GG__INIT_ZERO_DRAWN, gg__nn_bound(d), GG_PARAM_NO_DECAY);
    gg_var *w = gg__nn_part(n, name, "in_proj_weight", GG_SHAPE(3 * d, d), GG_INIT_UNIFORM, gg__nn_xavier(d, 3 * d), 0);
    gg_var *b = gg__nn_part(n, name, "in_proj_bias", GG_SHAPE(3 * d), GG_INIT_CONSTANT, 0, GG_PARAM_NO_DECAY), *part[3];
    if (q == kv) {
        gg_var *all = gg_var_affine(q, w, b);
        for (int i = 0; i < 3; i++)
            part[i] = gg_var_slice(all, 2, i * d, d);
    } else {
        gg_var *both = gg_var_affine(kv, gg_var_slice(w, 0, d, 2 * d), gg_var_slice(b, 0, d, 2 * d));
        part[0] = gg_var_affine(q, gg_var_slice(w, 0, 0, d), gg_var_slice(b, 0, 0, d));
        part[1] = gg_var_slice(both, 2, 0, d);
        part[2] = gg_var_slice(both, 2, d, d);
    }
    gg_var *z = gg_var_attention(heads(part[0], n_heads), heads(part[1], n_heads), heads(part[2], n_heads), o);
    return z ? gg_var_affine(gg_var_reshape(z, q->shape), w_out, b_out) : NULL;
}

/* --- layers -------------------------------------------------------------------------------------------------------------------------------- */
typedef struct layer {
    gg_nn nn; /* with the layer's prefix */
    const gg_transformer_options *o;
    gg_var *memory;
} layer;

static gg_var *self_attention(const layer *l, gg_var *x)
{
    return gg_nn_multihead_attention(&l->nn, "self_attn", x, x, l->o->n_heads, &(gg_attention_options){.causal = l->o->causal, .key_mask = l->o->key_mask});
}

static gg_var *cross_attention(const layer *l, gg_var *x)
{
    return gg_nn_multihead_attention(&l->nn, "multihead_attn", x, l->memory, l->o->n_heads, &(gg_attention_options){.key_mask = l->o->memory_mask});
}

static gg_var *feed_forward(const layer *l, gg_var *x)
{
    gg_var *h = gg_nn_linear(&l->nn, "linear1", x, l->o->d_ff, true);
    h = gg_var_dropout(l->o->gelu ? gg_var_gelu(h) : gg_var_relu(h), l->o->dropout);
    return gg_nn_linear(&l->nn, "linear2", h, x->shape.d[2], true);
}

static gg_var *residual(const layer *l, gg_var *x, const char *norm, gg_var *(*f)(const layer *, gg_var *))
{
    gg_var *h = x && l->o->norm_first ? gg_nn_layer_norm(&l->nn, norm, x, l->o->eps) : x;
    if (!h)
        return NULL;
    h = gg_var_add(x, gg_var_dropout(f(l, h), l->o->dropout));
    return l->o->norm_first ? h : gg_nn_layer_norm(&l->nn, norm, h, l->o->eps);
}

static gg_var *transformer_layer(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, bool decoder, const gg_transformer_options *o)
{
    char prefix[256];
    if (!x || (decoder && !memory))
        return NULL;
    if (x->shape.n != 3 || o->d_ff < 1)
        return gg__mistake(x->g, GG_EINVAL, "transformer layer %s of %s with d_ff %lld: (B, T, d) is needed", name, SHAPE_TEXT(x), (long long)o->d_ff);
    if (snprintf(prefix, sizeof prefix, "%s%s.", n->prefix ? n->prefix : "", name) >= (int)sizeof prefix - 40)
        return gg__mistake(x->g, GG_EINVAL, "a parameter's name is longer than 255 bytes: %.40s...", prefix);
    const layer l = {{n->graph, n->params, prefix}, o, memory};
    x = residual(&l, x, "norm1", self_attention);
    if (decoder)
        x = residual(&l, x, "norm2", cross_attention);
    return residual(&l, x, decoder ? "norm3" : "norm2", feed_forward);
}

gg_var *gg_nn_transformer_encoder_layer(const gg_nn *n, const char *name, gg_var *x, const gg_transformer_options *o)
{
    return transformer_layer(n, name, x, NULL, false, o);
}

gg_var *gg_nn_transformer_decoder_layer(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, const gg_transformer_options *o)
{
    return transformer_layer(n, name, x, memory, true, o);
}

static gg_var *stack(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, bool decoder, int n_layers, const gg_transformer_options *o)
{
    char full[224];
    for (int i = 0; i < n_layers; i++) {
        snprintf(full, sizeof full, "%s.layers.%d", name, i);
        x = transformer_layer(n, full, x, memory, decoder, o);
    }
    snprintf(full, sizeof full, "%s.norm", name);
    return o->final_norm ? gg_nn_layer_norm(n, full, x, o->eps) : x;
}

gg_var *gg_nn_transformer_encoder(const gg_nn *n, const char *name, gg_var *x, int n_layers, const gg_transformer_options *o)
{
    return stack(n, name, x, NULL, false, n_layers, o);
}

gg_var *gg_nn_transformer_decoder(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, int n_layers, const gg_transformer_options *o)
{
    return stack(n, name, x, memory, true, n_layers, o);
}
