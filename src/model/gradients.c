/* Gradients of one number of each document with respect to the sites, without those of weights: the way back through a frozen decoder.
 *
 * A forward pass of the session leaves what enters each block. A block is recorded from the family's description into a graph (grad.h) of its own, which
 * computes it once more and goes back through it; its weights are decoded into the graph's inputs when its turn comes. So memory is that of one layer's
 * weights, the blocks' inputs, and one block's values:
 *     nll     y = 1 / (n - 1) sum_t -log p(token t + 1)      d logits_t = (p_t - e_{t + 1}) / (n - 1)
 *     logit   y = logits of the last token [id]              d logits_last = e_id
 *     d final = d logits W,  then the last norm,  then layer by layer:  d resid_in, d sites <- d resid_out
 * Layers that see the same (window, positions, sites with actions) share a graph. An action x' = a x + b is part of it; the gradient offered is that of
 * x', as it is x' that a forward pass offers. Documents lie end to end: products see all rows, attention one document.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include "grad/loops.h"
#include "math/kernels.h"
#include <math.h>

enum { N_LINEARS = 7, N_NORMS = 6, HEAD_ROWS = 512 /* rows of the head decoded at a time */ };
static const gg__slot linear_slot[N_LINEARS] = {GG__Q, GG__K, GG__V, GG__O, GG__GATE, GG__UP, GG__DOWN};
enum { W_Q, W_K, W_V, W_O, W_GATE, W_UP, W_DOWN };
enum { ATTN_PRE, ATTN_POST, MLP_PRE, MLP_POST, Q_NORM, K_NORM };

typedef struct block {
    gg_graph *g;
    int layer;                                       /* the first that it was recorded for */
    uint32_t acted;                                  /* sites with actions */
    gg_var *resid, *d_out;                           /* (n, d_model) */
    gg_var *w[N_LINEARS], *b[N_LINEARS], *norm_w[N_NORMS], *norm_b[N_NORMS];
    gg_var *scale[GG_SITE_COUNT], *shift[GG_SITE_COUNT]; /* of actions */
    gg_var *site[GG_SITE_COUNT], *d[GG_SITE_COUNT];
} block;

typedef struct work {
    gg_session *s;
    const gg_model *m;
    const gg_model_description *d;
    const gg_group *g;
    gg_objective of;
    const gg_listener *listeners;
    void *const *states;
    int n_listeners, lowest; /* the first layer that must be gone through */
    uint32_t wanted;         /* sites, by anyone in any layer */
    float **resid;           /* (n_layers + 1,) what enters each block, and what leaves the last; (n, d_model) */
    float *d_resid;          /* (n, d_model) what flows */
    float *d_logits, *head;  /* (rows of a tap, n_vocab), (HEAD_ROWS, d_model) */
    float *row[2];           /* (widest site,) */
    void *gemm;
    gg_var **part;           /* (n_documents,) */
    block *block;            /* (n_blocks,) */
    int n_blocks;
} work;

static int64_t width_of(const work *o, gg_site site) { return gg__model_site_width(o->d, site); }

static bool wants(const gg_listener *y, int layer, gg_site site, int n_layers)
{
    return (y->sites >> site & 1) && (layer == n_layers || !y->layers || y->layers[layer]);
}

static gg_status offer(const work *o, int layer, gg_site site, const float *x, int64_t row, int64_t n_rows)
{
    const gg_tap t = {.layer = layer, .site = site, .row = row, .n_rows = n_rows, .width = width_of(o, site), .x = x};
    for (int i = 0; i < o->n_listeners; i++)
        if (wants(&o->listeners[i], layer, site, o->d->n_layers))
            GG_TRY(o->listeners[i].tap(o->listeners[i].user, o->states ? o->states[i] : NULL, o->g, &t));
    return GG_OK;
}

/* --- actions: x' = a x + b ------------------------------------------------------------------------------------------------------------------ */
static bool is_acted_on(const work *o, int layer, gg_site site) { return o->m->actions && gg_actions_at(o->m->actions, layer, site); }

/* a and b, from what becomes of 1 and 0. */
static void action_of(const work *o, int layer, gg_site site, float *a, float *b)
{
    const int64_t width = width_of(o, site);
    for (int64_t k = 0; k < width; k++) {
        a[k] = 1;
        b[k] = 0;
    }
    gg_actions_apply(o->m->actions, layer, site, a, 1, width);
    gg_actions_apply(o->m->actions, layer, site, b, 1, width);
    for (int64_t k = 0; k < width; k++)
        a[k] -= b[k];
}

/* What flows to x from what flows to x'. */
static void before_action(const work *o, int layer, gg_site site, float *d, int64_t n_rows)
{
    const int64_t width = width_of(o, site);
    if (!is_acted_on(o, layer, site))
        return;
    action_of(o, layer, site, o->row[0], o->row[1]);
    for (int64_t t = 0; t < n_rows; t++)
        gg_mul_f32(d + t * width, d + t * width, o->row[0], width);
}

/* --- recording a block: session.c's run_block, in variables ------------------------------------------------------------------------------------ */
static gg_var *input(block *b, gg_shape shape) { return gg_graph_input(b->g, "", shape); }

static gg_var *at_site(const work *o, block *b, gg_site site, gg_var *x)
{
    if (b->acted >> site & 1) {
        b->scale[site] = input(b, GG_SHAPE(width_of(o, site)));
        b->shift[site] = input(b, GG_SHAPE(width_of(o, site)));
        x = gg_var_add(gg_var_mul(x, b->scale[site]), b->shift[site]);
    }
    return b->site[site] = x;
}

static gg_var *linear(block *b, int which, gg_var *x, int64_t n_out, int64_t n_in)
{
    b->w[which] = input(b, GG_SHAPE(n_out, n_in));
    b->b[which] = input(b, GG_SHAPE(n_out));
    return gg_var_affine(x, b->w[which], b->b[which]);
}

static gg_var *norm(const work *o, block *b, int which, gg_var *x, int64_t width)
{
    b->norm_w[which] = input(b, GG_SHAPE(width));
    if (o->d->norm == GG_NORM_RMS)
        return gg_var_rms_norm(x, b->norm_w[which], (double)o->d->norm_eps);
    b->norm_b[which] = input(b, GG_SHAPE(width));
    return gg_var_layer_norm(x, b->norm_w[which], b->norm_b[which], (double)o->d->norm_eps);
}

static gg_var *norm_heads(const work *o, block *b, int which, gg_site site, gg_var *x, int64_t n_heads)
{
    const int64_t width = n_heads * o->d->d_head;
    if (o->d->qk_norm == GG_QK_NORM_NONE)
        return x;
    if (o->d->qk_norm == GG_QK_NORM_FULL)
        return at_site(o, b, site, norm(o, b, which, x, width));
    gg_var *heads = norm(o, b, which, gg_var_reshape(x, GG_SHAPE(o->g->n_tokens * n_heads, o->d->d_head)), o->d->d_head);
    return at_site(o, b, site, gg_var_reshape(heads, GG_SHAPE(o->g->n_tokens, width)));
}

/* x (n, heads, d_head) of one document: (x1, x2) -> (x1 c - x2 s, x1 s + x2 c), halves of the part that rotates. */
static gg_var *rotate(const work *o, block *b, gg_var *x, int rope, int64_t n)
{
    const int64_t half = o->m->n_rot / 2, rest = o->d->d_head - o->m->n_rot;
    const float *table[2];
    gg_var *turn[2];
    gg__session_positions(o->s, rope, n, &table[0], &table[1]);
    for (int i = 0; i < 2; i++)
        if ((turn[i] = input(b, GG_SHAPE(n, 1, half))))
            memcpy(gg_var_data(turn[i]), table[i], gg_var_bytes(turn[i]));
    gg_var *first = gg_var_slice(x, 2, 0, half), *second = gg_var_slice(x, 2, half, half);
    gg_var *part[3] = {gg_var_sub(gg_var_mul(first, turn[0]), gg_var_mul(second, turn[1])),
                       gg_var_add(gg_var_mul(first, turn[1]), gg_var_mul(second, turn[0]))};
    if (rest > 0)
        part[2] = gg_var_slice(x, 2, 2 * half, rest);
    return gg_var_concat(part, rest > 0 ? 3 : 2, 2);
}

/* Scores that are capped before the softmax (gemma2), one document: written out, with its n x n scores. q (n, H, d), k and v (n, K, d). */
static gg_var *capped_attention(const work *o, block *b, gg_var *q, gg_var *k, gg_var *v, int64_t n, int64_t window)
{
    const gg_model_description *d = o->d;
    const int64_t groups = d->n_heads / d->n_kv_heads;
    const double cap = (double)d->attention_softcap;
    gg_var *see = input(b, GG_SHAPE(n, n));
    for (int64_t i = 0; see && i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            ((float *)gg_var_data(see))[i * n + j] = window == 0 || i - j < window;
    q = gg_var_permute(gg_var_reshape(q, GG_SHAPE(n, d->n_kv_heads, groups, d->d_head)), (const int[]){1, 2, 0, 3});
    k = gg_var_permute(gg_var_reshape(k, GG_SHAPE(n, d->n_kv_heads, 1, d->d_head)), (const int[]){1, 2, 0, 3});
    v = gg_var_permute(gg_var_reshape(v, GG_SHAPE(n, d->n_kv_heads, 1, d->d_head)), (const int[]){1, 2, 0, 3});
    gg_var *score = gg_var_scale(gg_var_tanh(gg_var_scale(gg_var_matmul_nt(q, k), (double)d->attention_scale / cap)), cap);
    gg_var *p = gg_var_softmax(gg_var_where(see, score, gg_graph_fill(b->g, GG_SCALAR, -1e30)));
    return gg_var_reshape(gg_var_permute(gg_var_matmul(p, v), (const int[]){2, 0, 1, 3}), GG_SHAPE(n, d->n_heads * d->d_head));
}

static gg_var *attend(const work *o, block *b, gg_var *q, gg_var *k, gg_var *v)
{
    const gg_model_description *d = o->d;
    const gg_layer_description *y = &d->layer[b->layer];
    const int rope = o->m->layer[b->layer].rope;
    gg_var **part = o->part;
    int n_parts = 0;
    for (int i = 0; i < o->g->n_documents; i++) {
        const int64_t first = o->g->start[i], n = o->g->start[i + 1] - first;
        if (n == 0)
            continue;
        gg_var *qkv[3] = {q, k, v};
        for (int j = 0; j < 3; j++) {
            qkv[j] = gg_var_reshape(gg_var_slice(qkv[j], 0, first, n), GG_SHAPE(n, j ? d->n_kv_heads : d->n_heads, d->d_head));
            if (j < 2 && rope >= 0)
                qkv[j] = rotate(o, b, qkv[j], rope, n);
        }
        if (d->attention_softcap > 0) {
            part[n_parts++] = capped_attention(o, b, qkv[0], qkv[1], qkv[2], n, y->window);
            continue;
        }
        for (int j = 0; j < 3; j++)
            qkv[j] = gg_var_reshape(qkv[j], GG_SHAPE(1, n, j ? d->n_kv_heads : d->n_heads, d->d_head));
        const gg_attention_options how = {.causal = true, .window = y->window, .scale = (double)d->attention_scale};
        part[n_parts++] = gg_var_reshape(gg_var_attention(qkv[0], qkv[1], qkv[2], &how), GG_SHAPE(n, d->n_heads * d->d_head));
    }
    return n_parts == 1 ? part[0] : gg_var_concat(part, n_parts, 0);
}

static gg_var *activate(const work *o, gg_var *x)
{
    switch (o->d->act) {
    case GG_ACT_SILU: return gg_var_silu(x);
    case GG_ACT_GELU_TANH: return gg_var_gelu_tanh(x);
    case GG_ACT_GELU_ERF: return gg_var_gelu(x);
    default: return gg_var_relu(x);
    }
}

static gg_var *record_block(const work *o, block *b)
{
    const gg_model_description *d = o->d;
    const int64_t width = d->d_model, nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    const bool pre = d->norm_place != GG_NORM_POST, post = d->norm_place != GG_NORM_PRE;
    gg_var *resid = b->site[GG_SITE_RESID_IN] = b->resid, *x = pre ? norm(o, b, ATTN_PRE, resid, width) : resid;
    gg_var *q = at_site(o, b, GG_SITE_Q, linear(b, W_Q, x, nq, width)), *k = at_site(o, b, GG_SITE_K, linear(b, W_K, x, nkv, width));
    gg_var *v = at_site(o, b, GG_SITE_V, linear(b, W_V, x, nkv, width));
    q = norm_heads(o, b, Q_NORM, GG_SITE_Q_NORM, q, d->n_heads);
    k = norm_heads(o, b, K_NORM, GG_SITE_K_NORM, k, d->n_kv_heads);
    gg_var *z = at_site(o, b, GG_SITE_Z, attend(o, b, q, k, v)), *attn = at_site(o, b, GG_SITE_ATTN_OUT, linear(b, W_O, z, width, nq));
    if (!d->parallel)
        resid = gg_var_add(resid, post ? norm(o, b, ATTN_POST, attn, width) : attn);
    x = pre ? norm(o, b, MLP_PRE, resid, width) : resid;
    gg_var *gate = d->gated ? at_site(o, b, GG_SITE_GATE, linear(b, W_GATE, x, d->d_ff, width)) : NULL;
    gg_var *up = at_site(o, b, GG_SITE_UP, linear(b, W_UP, x, d->d_ff, width));
    gg_var *act = at_site(o, b, GG_SITE_ACT, activate(o, d->gated ? gate : up));
    gg_var *hid = at_site(o, b, GG_SITE_HID, d->gated ? gg_var_mul(act, up) : act);
    gg_var *mlp = at_site(o, b, GG_SITE_MLP_OUT, linear(b, W_DOWN, hid, width, d->d_ff));
    mlp = d->parallel ? gg_var_add(mlp, attn) : mlp;
    return at_site(o, b, GG_SITE_RESID_OUT, gg_var_add(resid, post ? norm(o, b, MLP_POST, mlp, width) : mlp));
}

/* The block's graph, planned: from resid and d_out to the gradients of all sites that anyone wants. */
static gg_status make_block(const work *o, block *b)
{
    gg_var *wrt[GG_SITE_COUNT], *d[GG_SITE_COUNT];
    gg_site site[GG_SITE_COUNT];
    int n = 0;
    GG_TRY(gg_graph_create(&b->g, o->m->ctx, NULL));
    b->resid = input(b, GG_SHAPE(o->g->n_tokens, o->d->d_model));
    b->d_out = input(b, GG_SHAPE(o->g->n_tokens, o->d->d_model));
    gg_var *out = record_block(o, b);
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (b->site[s] && (s == GG_SITE_RESID_IN || (o->wanted >> s & 1))) {
            wrt[n] = b->site[s];
            site[n++] = (gg_site)s;
        }
    gg_var_gradients(d, out, b->d_out, wrt, n);
    const gg_status status = gg_graph_plan(b->g, d, n);
    for (int i = 0; i < n; i++)
        b->d[site[i]] = d[i];
    return status;
}

/* --- weights of the layer whose turn it is ------------------------------------------------------------------------------------------------------- */
static void fill_norm(const work *o, block *b, int which, const gg__norm *from)
{
    float *w = b->norm_w[which] ? gg_var_data(b->norm_w[which]) : NULL;
    for (int64_t k = 0; w && k < gg_var_size(b->norm_w[which]); k++)
        w[k] = o->d->norm == GG_NORM_RMS ? from->w[k] + o->d->norm_offset : from->w[k];
    if (b->norm_b[which] && from->b)
        memcpy(gg_var_data(b->norm_b[which]), from->b, gg_var_bytes(b->norm_b[which]));
}

static gg_status fill_block(const work *o, block *b, int layer)
{
    const gg__layer *y = &o->m->layer[layer];
    const gg__norm *norms[N_NORMS] = {&y->attn_pre, &y->attn_post, &y->mlp_pre, &y->mlp_post, &y->q_norm, &y->k_norm};
    for (int i = 0; i < N_LINEARS; i++)
        if (b->w[i])
            GG_TRY(gg__model_read_linear(gg_var_data(b->w[i]), gg_var_data(b->b[i]), o->m, layer, linear_slot[i]));
    for (int i = 0; i < N_NORMS; i++)
        fill_norm(o, b, i, norms[i]);
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (b->scale[s])
            action_of(o, layer, (gg_site)s, gg_var_data(b->scale[s]), gg_var_data(b->shift[s]));
    return GG_OK;
}

static gg_status block_for(block **out, work *o, int layer)
{
    const gg_layer_description *y = &o->d->layer[layer];
    uint32_t acted = 0;
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (s != GG_SITE_RESID_IN && is_acted_on(o, layer, (gg_site)s)) /* what enters was acted on before it was kept */
            acted |= 1u << s;
    for (int i = 0; i < o->n_blocks; i++)
        if (o->d->layer[o->block[i].layer].window == y->window && o->m->layer[o->block[i].layer].rope == o->m->layer[layer].rope &&
            o->block[i].acted == acted) {
            *out = &o->block[i];
            return GG_OK;
        }
    *out = &o->block[o->n_blocks++];
    **out = (block){.layer = layer, .acted = acted};
    return make_block(o, *out);
}

/* --- the head -------------------------------------------------------------------------------------------------------------------------------------- */
/* d y / d logits of a row of the group, into out (n_vocab,); false: zeros. */
static bool objective_row(const work *o, float *out, const float *logits, int64_t row)
{
    int i = 0;
    while (row >= o->g->start[i + 1])
        i++;
    const int64_t n = o->g->start[i + 1] - o->g->start[i];
    const bool last = row == o->g->start[i + 1] - 1;
    memset(out, 0, sizeof *out * (size_t)o->d->n_vocab);
    if (o->of.kind == GG_OBJECTIVE_LOGIT) {
        out[o->of.token] = last ? 1 : 0;
        return last;
    }
    if (last)
        return false;
    memcpy(out, logits, sizeof *out * (size_t)o->d->n_vocab);
    gg_softmax(out, o->d->n_vocab);
    out[o->g->token[row + 1]] -= 1;
    gg_scale(out, 1 / (float)(n - 1), out, o->d->n_vocab);
    return true;
}

/* Back through the soft cap, L = cap tanh(z / cap): dz = dL (1 - (L / cap)^2), and the action a L + b behind it (a NULL: none). */
static void before_cap(const work *o, float *d, const float *logits, const float *a, const float *b)
{
    for (int64_t k = 0; k < o->d->n_vocab; k++) {
        const float scale = a ? a[k] : 1, l = a && scale != 0 ? (logits[k] - b[k]) / scale : logits[k],
                    u = o->d->logit_softcap > 0 ? l / o->d->logit_softcap : 0;
        d[k] *= scale * (1 - u * u);
    }
}

/* d final of rows [row, row + n): d logits (n, n_vocab) times the head, whose rows are decoded piece by piece. */
static gg_status through_head(const work *o, int64_t row, int64_t n)
{
    const int64_t width = o->d->d_model, V = o->d->n_vocab;
    const gg_tensor *t = NULL;
    GG_TRY(gg__model_head(&t, o->m));
    const int64_t row_bytes = gg_dtype_bytes(t->dtype, width);
    const gg__loops *l = gg__loops_best(false);
    float *to = o->d_resid + row * width;
    for (int64_t v = 0; v < V; v += HEAD_ROWS) {
        const int64_t some = V - v < HEAD_ROWS ? V - v : HEAD_ROWS;
        GG_TRY(gg_to_f32(o->head, (const char *)t->data + v * row_bytes, t->dtype, some * width));
        l->gemm(to, width, o->d_logits + v, (gg_strides){V, 1}, o->head, (gg_strides){width, 1}, n, width, some, v > 0, o->gemm);
    }
    return GG_OK;
}

/* --- the forward pass: keeps what enters the blocks, turns logits into what flows ------------------------------------------------------------------- */
static gg_status keep(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    work *o = user;
    (void)state, (void)g;
    if (t->site != GG_SITE_LOGITS) {
        memcpy(o->resid[t->site == GG_SITE_RESID_IN ? t->layer : t->layer + 1], t->x, gg_mul(t->n_rows * t->width, sizeof(float)));
        return GG_OK;
    }
    const int64_t rows = gg_mul(t->n_rows, t->width);
    bool any = false;
    float *d = o->d_logits = gg_renew(o->m->ctx, o->d_logits, float, rows);
    if (!d)
        return GG_ENOMEM;
    for (int64_t r = 0; r < t->n_rows; r++)
        any |= objective_row(o, d + r * t->width, t->x + r * t->width, t->row + r);
    GG_TRY(offer(o, t->layer, GG_SITE_LOGITS, d, t->row, t->n_rows));
    if (!any) {
        memset(o->d_resid + t->row * o->d->d_model, 0, gg_mul(t->n_rows * o->d->d_model, sizeof(float)));
        return GG_OK;
    }
    const bool acted = is_acted_on(o, t->layer, GG_SITE_LOGITS);
    if (acted)
        action_of(o, t->layer, GG_SITE_LOGITS, o->row[0], o->row[1]);
    for (int64_t r = 0; r < t->n_rows && (acted || o->d->logit_softcap > 0); r++)
        before_cap(o, d + r * t->width, t->x + r * t->width, acted ? o->row[0] : NULL, o->row[1]);
    return through_head(o, t->row, t->n_rows);
}

static gg_status forward(work *o)
{
    const int n_layers = o->d->n_layers;
    bool *inner = gg_new(o->m->ctx, bool, n_layers), *last = gg_new(o->m->ctx, bool, n_layers);
    if (!inner || !last) {
        gg_drop(o->m->ctx, inner);
        gg_drop(o->m->ctx, last);
        return GG_ENOMEM;
    }
    for (int l = o->lowest; l < n_layers; l++)
        inner[l] = true;
    last[n_layers - 1] = true;
    const gg_listener y[3] = {{.sites = 1u << GG_SITE_RESID_IN, .layers = inner, .tap = keep, .user = o},
                              {.sites = 1u << GG_SITE_RESID_OUT, .layers = last, .tap = keep, .user = o},
                              {.sites = 1u << GG_SITE_LOGITS, .tap = keep, .user = o}};
    const gg_status s = gg_session_forward(o->s, o->g, y, NULL, 3);
    gg_drop(o->m->ctx, inner);
    gg_drop(o->m->ctx, last);
    return s;
}

/* d final -> d resid_out of the last block */
static gg_status through_final_norm(work *o)
{
    block b = {0};
    gg_var *d = NULL;
    gg_status s = gg_graph_create(&b.g, o->m->ctx, NULL);
    if (s != GG_OK)
        return s;
    const gg_shape shape = GG_SHAPE(o->g->n_tokens, o->d->d_model);
    b.resid = input(&b, shape);
    b.d_out = input(&b, shape);
    gg_var_gradients(&d, norm(o, &b, 0, b.resid, o->d->d_model), b.d_out, &b.resid, 1);
    s = gg_graph_plan(b.g, &d, 1);
    if (s == GG_OK) {
        fill_norm(o, &b, 0, &o->m->final);
        memcpy(gg_var_data(b.resid), o->resid[o->d->n_layers], gg_var_bytes(b.resid));
        memcpy(gg_var_data(b.d_out), o->d_resid, gg_var_bytes(b.d_out));
        if ((s = gg_graph_run(b.g)) == GG_OK)
            memcpy(o->d_resid, gg_var_data(d), gg_var_bytes(d));
    }
    gg_graph_free(b.g);
    return s;
}

static gg_status backward(work *o)
{
    const int n_layers = o->d->n_layers;
    GG_TRY(offer(o, n_layers, GG_SITE_FINAL, o->d_resid, 0, o->g->n_tokens));
    if (o->lowest == n_layers)
        return GG_OK;
    before_action(o, n_layers, GG_SITE_FINAL, o->d_resid, o->g->n_tokens);
    GG_TRY(through_final_norm(o));
    for (int l = n_layers - 1; l >= o->lowest; l--) {
        block *b = NULL;
        GG_TRY(block_for(&b, o, l));
        GG_TRY(fill_block(o, b, l));
        memcpy(gg_var_data(b->resid), o->resid[l], gg_var_bytes(b->resid));
        memcpy(gg_var_data(b->d_out), o->d_resid, gg_var_bytes(b->d_out));
        GG_TRY(gg_graph_run(b->g));
        for (int s = 0; s < GG_SITE_COUNT; s++)
            if (b->d[s] && (o->wanted >> s & 1))
                GG_TRY(offer(o, l, (gg_site)s, gg_var_data(b->d[s]), 0, o->g->n_tokens));
        memcpy(o->d_resid, gg_var_data(b->d[GG_SITE_RESID_IN]), gg_var_bytes(b->resid));
        before_action(o, l, GG_SITE_RESID_IN, o->d_resid, o->g->n_tokens);
    }
    return GG_OK;
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------------------------- */
static gg_status prepare(work *o)
{
    gg_context *ctx = o->m->ctx;
    const int n_layers = o->d->n_layers;
    const int64_t n = o->g->n_tokens, bytes = gg_mul(n, o->d->d_model * (int64_t)sizeof(float));
    int64_t widest = 0;
    for (int s = 0; s < GG_SITE_COUNT; s++)
        widest = width_of(o, (gg_site)s) > widest ? width_of(o, (gg_site)s) : widest;
    o->resid = gg_new(ctx, float *, n_layers + 1);
    o->block = gg_new(ctx, block, n_layers);
    o->d_resid = gg_alloc(ctx, (size_t)bytes);
    o->head = gg_new(ctx, float, HEAD_ROWS * o->d->d_model);
    o->row[0] = gg_new(ctx, float, widest);
    o->row[1] = gg_new(ctx, float, widest);
    o->gemm = gg_alloc(ctx, gg_gemm_scratch());
    o->part = gg_new(ctx, gg_var *, o->g->n_documents);
    if (!o->part || !o->resid || !o->block || !o->d_resid || !o->head || !o->row[0] || !o->row[1] || !o->gemm)
        return GG_ENOMEM;
    for (int l = o->lowest; l <= n_layers; l++)
        if (!(o->resid[l] = gg_alloc(ctx, (size_t)bytes)))
            return GG_ENOMEM;
    return GG_OK;
}

static void clean_up(work *o)
{
    gg_context *ctx = o->m->ctx;
    for (int l = 0; o->resid && l <= o->d->n_layers; l++)
        gg_drop(ctx, o->resid[l]);
    for (int i = 0; i < o->n_blocks; i++)
        gg_graph_free(o->block[i].g);
    gg_drop(ctx, o->resid);
    gg_drop(ctx, o->block);
    gg_drop(ctx, o->d_resid);
    gg_drop(ctx, o->d_logits);
    gg_drop(ctx, o->head);
    gg_drop(ctx, o->row[0]);
    gg_drop(ctx, o->row[1]);
    gg_drop(ctx, o->gemm);
    gg_drop(ctx, o->part);
}

static gg_status check(const work *o)
{
    const gg_model *m = o->m;
    if (m->dtype != GG_F32)
        return gg_fail(m->ctx, GG_EINVAL, "gradients are computed in F32; the model was opened for products in %s", gg_dtype_name(m->dtype));
    if (!m->head)
        return gg_fail(m->ctx, GG_EINVAL, "gradients begin at the logits, but the model was opened without its head");
    if (o->of.kind != GG_OBJECTIVE_NLL && o->of.kind != GG_OBJECTIVE_LOGIT)
        return gg_fail(m->ctx, GG_EINVAL, "gradients of what? give the objective nll or logit");
    if (o->of.kind == GG_OBJECTIVE_LOGIT && (o->of.token < 0 || o->of.token >= o->d->n_vocab))
        return gg_fail(m->ctx, GG_EINVAL, "the logit of token %d: the vocabulary is 0 to %lld", (int)o->of.token, (long long)o->d->n_vocab - 1);
    for (int s = 0; s < 32; s++)
        if ((o->wanted >> s & 1) && (s >= GG_SITE_COUNT || width_of(o, (gg_site)s) == 0))
            return gg_fail(m->ctx, GG_EINVAL, "a model of the family %s has no site %s", o->d->family,
                           s < GG_SITE_COUNT ? gg_site_name((gg_site)s) : "of that number");
    return GG_OK;
}

gg_status gg_session_gradients(gg_session *s, const gg_group *g, gg_objective of, const gg_listener *listeners, void *const *states, int n_listeners)
{
    const gg_model *m = gg__session_model(s);
    const uint32_t once = 1u << GG_SITE_FINAL | 1u << GG_SITE_LOGITS;
    work o = {.s = s, .m = m, .d = &m->d, .g = g, .of = of, .listeners = listeners, .states = states, .n_listeners = n_listeners, .lowest = m->d.n_layers};
    for (int i = 0; i < n_listeners; i++) {
        o.wanted |= listeners[i].sites;
        for (int l = 0; l < o.lowest; l++)
            if ((listeners[i].sites & ~once) && (!listeners[i].layers || listeners[i].layers[l]))
                o.lowest = l;
    }
    GG_TRY(check(&o));
    if (g->n_tokens == 0)
        return GG_OK;
    gg_status status = prepare(&o);
    if (status == GG_OK && (status = forward(&o)) == GG_OK)
        status = backward(&o);
    clean_up(&o);
    return status;
}
