/* The forward pass of one group of documents on one thread. Owns: the buffers and the order of computation.
 *
 * With n() a norm, for every layer, by the family's description:
 *     pre       x = resid + o(attention(q, k, v of n(resid)));   resid' = x + down(hid of n(x))
 *     post      x = resid + n(o(attention(resid)));              resid' = x + n(down(hid of x))
 *     sandwich  x = resid + n(o(attention(n(resid))));           resid' = x + n(down(hid of n(x)))
 *     parallel  resid' = resid + o(attention(n1(resid))) + down(hid of n2(resid))
 *     hid = f(gate) up, or f(up) without gates
 * Documents lie end to end: products and norms see the rows of the whole group at once, positions and attention one document.
 * A row's numbers come from its own document alone, whatever the group (the kernels promise this bit for bit in float32).
 *
 * Only what someone asks for is computed: `feeds` closes the wanted sites of a layer under "is computed from", and layers after the
 * last wanted one are not run. An action is done at a site before listeners see it and before anything is computed from it.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include "math/kernels.h"
#include <math.h>

enum { LOGIT_ROWS = 64 /* rows of logits at a time: n_vocab is large */ };

typedef struct rope_table {
    float *cosine, *sine; /* (cap, n_rot / 2) */
    int64_t cap;
} rope_table;

struct gg_session {
    const gg_model *m;
    gg_linear_scratch *scratch;
    uint32_t *want;    /* (n_layers + 1,) sites that a listener asks for; the last entry: final and logits */
    int64_t cap_rows;
    float *block;      /* the one allocation behind the views below */
    float *resid, *h, *out; /* (rows, d_model) */
    float *q, *k, *v, *z;   /* (rows, heads d_head) */
    float *gate, *up;       /* (rows, d_ff) */
    void *narrow;      /* (rows, widest input) of products in bfloat16 or int8; only then */
    float *scale;      /* (rows,) of int8 */
    float *logits;     /* (LOGIT_ROWS, n_vocab); when asked for */
    float *attention;  /* scratch of gg_attention for documents of cap_document tokens */
    int64_t cap_document;
    rope_table table[GG__ROPES_MAX][2];
    gg_clock *clock;   /* the caller's, or NULL */
    double operations; /* see gg_run_result */
};

/* One run through the model. */
typedef struct pass {
    gg_session *s;
    const gg_model *m;
    const gg_model_description *d;
    const gg_group *g;
    const gg_listener *listeners;
    void *const *states;
    int n_listeners;
    int64_t n; /* rows */
} pass;

gg_status gg_session_create(gg_session **out, const gg_model *m)
{
    if (!m->weights)
        return gg_fail(m->ctx, GG_EINVAL, "%s was opened without its weights", gg_tensors_path(m->tensors));
    gg_session *s = gg_new(m->ctx, gg_session, 1);
    if (!s)
        return GG_ENOMEM;
    s->m = m;
    s->want = gg_new(m->ctx, uint32_t, m->d.n_layers + 1);
    if (!s->want || gg_linear_scratch_create(&s->scratch, m->ctx) != GG_OK) {
        gg_session_free(s);
        return GG_ENOMEM;
    }
    *out = s;
    return GG_OK;
}

void gg_session_free(gg_session *s)
{
    if (!s)
        return;
    gg_context *ctx = s->m->ctx;
    for (int k = 0; k < GG__ROPES_MAX; k++)
        for (int i = 0; i < 2; i++) {
            gg_drop(ctx, s->table[k][i].cosine);
            gg_drop(ctx, s->table[k][i].sine);
        }
    gg_linear_scratch_free(s->scratch);
    gg_drop(ctx, s->want);
    gg_drop(ctx, s->block);
    gg_drop(ctx, s->narrow);
    gg_drop(ctx, s->scale);
    gg_drop(ctx, s->logits);
    gg_drop(ctx, s->attention);
    gg_drop(ctx, s);
}

void gg__session_clock(gg_session *s, gg_clock *c)
{
    s->clock = c;
}

double gg__session_operations(const gg_session *s)
{
    return s->operations;
}

/* --- room ------------------------------------------------------------------------------------------------------------ */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Gives back what is there and takes `bytes`: contents are not kept. */
static gg_status renew(gg_context *ctx, void *pointer, size_t bytes)
{
    void **p = pointer;
    gg_drop(ctx, *p);
    *p = gg_alloc(ctx, bytes);
    return *p ? GG_OK : GG_ENOMEM;
}

static gg_status room_for_rows(gg_session *s, int64_t rows)
{
    const gg_model_description *d = &s->m->d;
    const int64_t nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    if (rows <= s->cap_rows)
        return GG_OK;
    s->cap_rows = 0; /* in case of failure */
    rows += rows / 4;
    const struct { float **view; int64_t width; } views[] = {
        {&s->resid, d->d_model}, {&s->h, d->d_model}, {&s->out, d->d_model}, {&s->q, nq}, {&s->k, nkv}, {&s->v, nkv}, {&s->z, nq},
        {&s->gate, d->gated ? d->d_ff : 0}, {&s->up, d->d_ff}};
    enum { N_VIEWS = sizeof views / sizeof *views, LINE = 16 /* floats: every view begins on a cache line */ };
    int64_t width = 0;
    for (int i = 0; i < N_VIEWS; i++)
        width += (views[i].width + LINE - 1) / LINE * LINE;
    GG_TRY(renew(s->m->ctx, &s->block, gg_mul(rows, width * (int64_t)sizeof(float))));
    float *at = s->block;
    for (int i = 0; i < N_VIEWS; i++) {
        *views[i].view = at;
        at += rows * ((views[i].width + LINE - 1) / LINE * LINE);
    }
    if (s->m->dtype != GG_F32)
        GG_TRY(renew(s->m->ctx, &s->narrow, gg_mul(rows, gg_dtype_bytes(s->m->dtype, larger(larger(d->d_model, nq), d->d_ff)))));
    if (s->m->dtype == GG_I8)
        GG_TRY(renew(s->m->ctx, &s->scale, gg_mul(rows, sizeof(float))));
    s->cap_rows = rows;
    return GG_OK;
}

static gg_status room_for_positions(gg_session *s, int rope, int second, int64_t n)
{
    const gg_model *m = s->m;
    const gg__rope *r = &m->rope[rope];
    const float *f = second && r->frequency[1] ? r->frequency[1] : r->frequency[0];
    const float factor = r->scaled ? (float)m->d.rope_attention : 1;
    const int64_t half = m->n_rot / 2;
    rope_table *t = &s->table[rope][second];
    if (n <= t->cap)
        return GG_OK;
    t->cap = 0;
    n += n / 4;
    GG_TRY(renew(m->ctx, &t->cosine, gg_mul(n, half * (int64_t)sizeof(float))));
    GG_TRY(renew(m->ctx, &t->sine, gg_mul(n, half * (int64_t)sizeof(float))));
    for (int64_t p = 0; p < n; p++)
        for (int64_t i = 0; i < half; i++) {
            const float angle = (float)p * f[i]; /* in float32, as everyone who trained these models */
            t->cosine[p * half + i] = (float)cos((double)angle) * factor;
            t->sine[p * half + i] = (float)sin((double)angle) * factor;
        }
    t->cap = n;
    return GG_OK;
}

/* Does a document of n tokens take the second set of frequencies? */
static int is_long(const gg_model *m, int64_t n)
{
    return m->d.rope_scaling == GG_ROPE_FACTORS && (double)n > m->d.rope_original;
}

const gg_model *gg__session_model(const gg_session *s)
{
    return s->m;
}

void gg__session_positions(const gg_session *s, int rope, int64_t n, const float **cosine, const float **sine)
{
    const rope_table *t = &s->table[rope][is_long(s->m, n)];
    *cosine = t->cosine;
    *sine = t->sine;
}

static gg_status room(const pass *p)
{
    gg_session *s = p->s;
    int64_t longest = 0, most[2] = {0, 0};
    for (int i = 0; i < p->g->n_documents; i++) {
        const int64_t n = p->g->start[i + 1] - p->g->start[i];
        const int second = is_long(p->m, n);
        longest = larger(longest, n);
        most[second] = larger(most[second], n);
    }
    GG_TRY(room_for_rows(s, p->n));
    if (longest > s->cap_document) {
        s->cap_document = 0;
        GG_TRY(renew(p->m->ctx, &s->attention, gg_mul(gg_attention_scratch(longest, p->d->d_head), sizeof(float))));
        s->cap_document = longest;
    }
    for (int k = 0; k < p->m->n_ropes; k++)
        for (int second = 0; second < 2; second++)
            GG_TRY(room_for_positions(s, k, second, most[second]));
    if ((s->want[p->d->n_layers] >> GG_SITE_LOGITS & 1) && !s->logits)
        GG_TRY(renew(p->m->ctx, &s->logits, gg_mul(LOGIT_ROWS * (int64_t)sizeof(float), p->d->n_vocab)));
    return GG_OK;
}

/* --- what is asked for ----------------------------------------------------------------------------------------------- */

#define BIT(site) (1u << GG_SITE_##site)
enum { ONCE = BIT(FINAL) | BIT(LOGITS) };

/* Fills want; *n_layers: how many blocks must run. */
static gg_status collect_wants(pass *p, int *n_layers)
{
    uint32_t *want = p->s->want;
    const int all = p->d->n_layers;
    memset(want, 0, sizeof *want * ((size_t)all + 1));
    for (int i = 0; i < p->n_listeners; i++) {
        const gg_listener *y = &p->listeners[i];
        for (int site = 0; site < 32; site++)
            if ((y->sites >> site & 1) && (site >= GG_SITE_COUNT || gg__model_site_width(p->d, (gg_site)site) == 0))
                return gg_fail(p->m->ctx, GG_EINVAL, "a model of the family %s has no site %s", p->d->family, gg_site_name((gg_site)site));
        if ((y->sites & BIT(LOGITS)) && !p->m->head)
            return gg_fail(p->m->ctx, GG_EINVAL, "logits are asked for, but the model was opened without its head");
        for (int l = 0; l < all; l++)
            if (!y->layers || y->layers[l])
                want[l] |= y->sites & ~(uint32_t)ONCE;
        want[all] |= y->sites & (uint32_t)ONCE;
    }
    *n_layers = all;
    while (*n_layers > 0 && !want[all] && !want[*n_layers - 1])
        --*n_layers;
    return GG_OK;
}

/* The sites of a layer that must be computed: those wanted and all that they are computed from. */
static uint32_t feeds(uint32_t want, bool goes_on, const gg_model_description *d)
{
    if (goes_on)
        want |= BIT(RESID_OUT);
    if (want & BIT(RESID_OUT))
        want |= BIT(MLP_OUT) | BIT(ATTN_OUT);
    if (want & BIT(MLP_OUT))
        want |= BIT(HID);
    if (want & BIT(HID))
        want |= BIT(ACT) | BIT(UP);
    if (want & BIT(ACT))
        want |= d->gated ? BIT(GATE) : BIT(UP);
    if ((want & (BIT(GATE) | BIT(UP))) && !d->parallel)
        want |= BIT(ATTN_OUT);
    if (want & BIT(ATTN_OUT))
        want |= BIT(Z);
    if (want & BIT(Z))
        want |= BIT(V) | BIT(Q_NORM) | BIT(K_NORM);
    if (want & BIT(Q_NORM))
        want |= BIT(Q);
    if (want & BIT(K_NORM))
        want |= BIT(K);
    return want;
}

static bool is_acted_on(const pass *p, int layer, gg_site site)
{
    return p->m->actions && gg_actions_at(p->m->actions, layer, site);
}

/* Must the numbers of the site be there, each for itself? */
static bool is_watched(const pass *p, int layer, gg_site site)
{
    return (p->s->want[layer] >> site & 1) || is_acted_on(p, layer, site);
}

/* Does the action, then shows the site to those who asked for it. */
static gg_status offer(const pass *p, int layer, gg_site site, float *x, int64_t row, int64_t n_rows, int64_t width)
{
    const bool wanted = p->s->want[layer] >> site & 1;
    if (!is_watched(p, layer, site))
        return GG_OK;
    gg_clock_mark(p->s->clock, GG_PHASE_ELEMENTWISE);
    if (is_acted_on(p, layer, site))
        gg_actions_apply(p->m->actions, layer, site, x, n_rows, width);
    const gg_tap t = {.layer = layer, .site = site, .row = row, .n_rows = n_rows, .width = width, .x = x};
    for (int i = 0; i < p->n_listeners; i++) {
        const gg_listener *y = &p->listeners[i];
        if (wanted && (y->sites >> site & 1) && (layer == p->d->n_layers || !y->layers || y->layers[layer]))
            GG_TRY(y->tap(y->user, p->states ? p->states[i] : NULL, p->g, &t));
    }
    gg_clock_mark(p->s->clock, GG_PHASE_LISTEN);
    return GG_OK;
}

/* --- pieces of a block ----------------------------------------------------------------------------------------------- */

/* What a product reads, in its format. */
typedef struct input {
    const void *x;      /* (n, width) */
    const float *scale; /* (n,) of int8, else NULL */
} input;

static input as_input(const pass *p, const float *x, int64_t n, int64_t width)
{
    const gg_session *s = p->s;
    if (p->m->dtype == GG_F32)
        return (input){.x = x};
    if (p->m->dtype == GG_BF16) {
        gg_f32_to_bf16(s->narrow, x, n * width);
        return (input){.x = s->narrow};
    }
    for (int64_t t = 0; t < n; t++)
        s->scale[t] = gg_f32_to_i8((int8_t *)s->narrow + t * width, x + t * width, width);
    return (input){s->narrow, s->scale};
}

/* y = x W^T + b */
static gg_status multiply(const pass *p, const gg_linear *l, float *y, input in, int64_t n)
{
    gg_linear_scratch *scratch = p->s->scratch;
    gg_clock_mark(p->s->clock, GG_PHASE_ELEMENTWISE);
    GG_TRY(in.scale ? gg_linear_apply_i8(l, scratch, y, in.x, in.scale, n) : gg_linear_apply(l, scratch, y, in.x, n));
    gg_clock_mark(p->s->clock, GG_PHASE_PRODUCTS);
    p->s->operations += 2.0 * (double)n * (double)gg_linear_n_in(l) * (double)gg_linear_n_out(l);
    return GG_OK;
}

static void norm_row(const pass *p, float *y, const float *x, const gg__norm *w, int64_t width)
{
    if (p->d->norm == GG_NORM_LAYER)
        gg_layer_norm(y, x, w->w, w->b, p->d->norm_eps, width);
    else
        gg_rms_norm(y, x, w->w, p->d->norm_offset, p->d->norm_eps, width);
}

/* y, x: (n, width); y may be x */
static void norm_rows(const pass *p, float *y, const float *x, const gg__norm *w, int64_t n, int64_t width)
{
    for (int64_t t = 0; t < n; t++)
        norm_row(p, y + t * width, x + t * width, w, width);
}

/* resid += delta, after its own norm where the family has one there. Row by row, while a row is near. */
static void add_to_resid(const pass *p, float *delta, const gg__norm *post)
{
    const int64_t width = p->d->d_model;
    for (int64_t t = 0; t < p->n; t++) {
        if (p->d->norm_place != GG_NORM_PRE)
            norm_row(p, delta + t * width, delta + t * width, post, width);
        gg_add_f32(p->s->resid + t * width, p->s->resid + t * width, delta + t * width, width);
    }
}

/* What attention or the MLP reads: the residual stream, after `delta` (NULL: none) came to it, normed where the family has a norm there. */
static input block_input(const pass *p, float *delta, const gg__norm *post, const gg__norm *pre)
{
    const gg_model_description *d = p->d;
    const gg_session *s = p->s;
    const int64_t width = d->d_model;
    if (d->norm_place != GG_NORM_PRE || d->norm != GG_NORM_RMS) {
        if (delta)
            add_to_resid(p, delta, post);
        if (d->norm_place == GG_NORM_POST)
            return as_input(p, s->resid, p->n, width);
        norm_rows(p, s->h, s->resid, pre, p->n, width);
        return as_input(p, s->h, p->n, width);
    }
    const bool narrow = p->m->dtype == GG_BF16, i8 = p->m->dtype == GG_I8;
    for (int64_t t = 0; t < p->n; t++) {
        void *y = narrow ? (void *)((uint16_t *)s->narrow + t * width) : s->h + t * width;
        gg_add_rms_norm(y, narrow, s->resid + t * width, delta ? delta + t * width : NULL, pre->w, d->norm_offset, d->norm_eps, width);
        if (i8)
            s->scale[t] = gg_f32_to_i8((int8_t *)s->narrow + t * width, y, width);
    }
    return narrow ? (input){.x = s->narrow} : i8 ? (input){s->narrow, s->scale} : (input){.x = s->h};
}

static void activate(const pass *p, float *x, int64_t n)
{
    switch (p->d->act) {
    case GG_ACT_SILU: gg_silu(x, x, n); break;
    case GG_ACT_GELU_TANH: gg_gelu_tanh(x, x, n); break;
    case GG_ACT_GELU_ERF: gg_gelu_erf(x, x, n); break;
    case GG_ACT_RELU: gg_relu(x, x, n); break;
    }
}

/* hid = act(gate) up in the format of the products, without the steps between. */
static input gated(const pass *p)
{
    const gg_session *s = p->s;
    const bool narrow = p->m->dtype == GG_BF16, i8 = p->m->dtype == GG_I8;
    const int64_t width = p->d->d_ff;
    for (int64_t t = 0; t < p->n; t++) {
        float *g = s->gate + t * width, *u = s->up + t * width;
        void *y = narrow ? (void *)((uint16_t *)s->narrow + t * width) : g;
        switch (p->d->act) {
        case GG_ACT_SILU: gg_silu_mul(y, narrow, g, u, width); break;
        case GG_ACT_GELU_TANH: gg_gelu_tanh_mul(y, narrow, g, u, width); break;
        case GG_ACT_GELU_ERF: gg_gelu_erf_mul(y, narrow, g, u, width); break;
        case GG_ACT_RELU: gg_relu_mul(y, narrow, g, u, width); break;
        }
        if (i8)
            s->scale[t] = gg_f32_to_i8((int8_t *)s->narrow + t * width, g, width);
    }
    return narrow ? (input){.x = s->narrow} : i8 ? (input){s->narrow, s->scale} : (input){.x = s->gate};
}

static gg_status embed(const pass *p)
{
    const gg_tensor *e = p->m->embedding;
    const int64_t width = p->d->d_model, row_bytes = gg_dtype_bytes(e->dtype, width);
    float *x = p->s->resid;
    for (int i = 0; i < p->g->n_documents; i++)
        for (int64_t t = p->g->start[i]; t < p->g->start[i + 1]; t++) {
            float *row = x + t * width;
            const int64_t id = p->g->token[t];
            GG_TRY(gg_to_f32(row, (const char *)e->data + id * row_bytes, e->dtype, width));
            if (!gg_all_finite(row, width))
                return gg_fail(p->m->ctx, GG_ENAN, "%s: %s holds a value that is not a finite number in the row of token %lld",
                               gg_tensors_path(p->m->tensors), e->name, (long long)id);
            if (p->d->embedding_scale != 1)
                gg_scale(row, p->d->embedding_scale, row, width);
            if (p->m->positions)
                gg_add_f32(row, row, p->m->positions + (t - p->g->start[i]) * width, width);
        }
    return GG_OK;
}

static void rotate(const pass *p, int rope, float *x, int64_t n_heads)
{
    const int64_t half = p->m->n_rot / 2, width = n_heads * p->d->d_head;
    for (int i = 0; i < p->g->n_documents; i++) {
        const int64_t first = p->g->start[i], end = p->g->start[i + 1];
        const rope_table *t = &p->s->table[rope][is_long(p->m, end - first)];
        for (int64_t r = first; r < end; r++)
            gg_rope(x + r * width, t->cosine + (r - first) * half, t->sine + (r - first) * half, n_heads, p->d->d_head, p->m->n_rot);
    }
}

/* How many keys the n queries of a document see, all together. */
static double pairs(int64_t n, int64_t window)
{
    const int64_t full = window > 0 && window < n ? window : n;
    return 0.5 * (double)full * (double)(full + 1) + (double)(n - full) * (double)full;
}

static void attend(const pass *p, int layer)
{
    const gg_model_description *d = p->d;
    const gg_session *s = p->s;
    const int64_t nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    const int shared = d->n_heads / d->n_kv_heads; /* heads of queries on one of keys */
    gg_clock_mark(s->clock, GG_PHASE_ELEMENTWISE);
    for (int i = 0; i < p->g->n_documents; i++) {
        const int64_t first = p->g->start[i], n = p->g->start[i + 1] - first;
        for (int head = 0; head < d->n_kv_heads && n > 0; head++) {
            const int64_t at = first * nq + head * shared * d->d_head, from = first * nkv + head * d->d_head;
            gg_attention(s->z + at, nq, s->q + at, nq, shared, s->k + from, s->v + from, nkv, n, d->d_head, d->attention_scale, d->attention_softcap,
                         d->layer[layer].window, p->m->dtype != GG_F32, s->attention);
        }
        p->s->operations += 4.0 * (double)nq * pairs(n, d->layer[layer].window);
    }
    gg_clock_mark(s->clock, GG_PHASE_ATTENTION);
}

/* Q or K after the projection: the norm over heads or over the whole row, then the rotation. */
static gg_status norm_heads(const pass *p, int layer, gg_site site, float *x, const gg__norm *w, int64_t n_heads)
{
    const int64_t width = n_heads * p->d->d_head;
    if (p->d->qk_norm == GG_QK_NORM_NONE)
        return GG_OK;
    if (p->d->qk_norm == GG_QK_NORM_HEAD)
        norm_rows(p, x, x, w, p->n * n_heads, p->d->d_head);
    else
        norm_rows(p, x, x, w, p->n, width);
    return offer(p, layer, site, x, 0, p->n, width);
}

/* resid -> out = attn_out, not yet normed or added */
static gg_status run_attention(const pass *p, int layer, uint32_t need)
{
    const gg_model_description *d = p->d;
    const gg__layer *y = &p->m->layer[layer];
    gg_session *s = p->s;
    const int64_t nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    if (!(need & (BIT(Q) | BIT(K) | BIT(V))))
        return GG_OK;
    input x = block_input(p, NULL, NULL, &y->attn_pre);
    if (need & BIT(Q)) {
        GG_TRY(multiply(p, y->q, s->q, x, p->n));
        GG_TRY(offer(p, layer, GG_SITE_Q, s->q, 0, p->n, nq));
    }
    if (need & BIT(K)) {
        GG_TRY(multiply(p, y->k, s->k, x, p->n));
        GG_TRY(offer(p, layer, GG_SITE_K, s->k, 0, p->n, nkv));
    }
    if (need & BIT(V)) {
        GG_TRY(multiply(p, y->v, s->v, x, p->n));
        GG_TRY(offer(p, layer, GG_SITE_V, s->v, 0, p->n, nkv));
    }
    if (need & BIT(Q_NORM))
        GG_TRY(norm_heads(p, layer, GG_SITE_Q_NORM, s->q, &y->q_norm, d->n_heads));
    if (need & BIT(K_NORM))
        GG_TRY(norm_heads(p, layer, GG_SITE_K_NORM, s->k, &y->k_norm, d->n_kv_heads));
    if (!(need & BIT(Z)))
        return GG_OK;
    if (y->rope >= 0) {
        rotate(p, y->rope, s->q, d->n_heads);
        rotate(p, y->rope, s->k, d->n_kv_heads);
    }
    attend(p, layer);
    GG_TRY(offer(p, layer, GG_SITE_Z, s->z, 0, p->n, nq));
    if (!(need & BIT(ATTN_OUT)))
        return GG_OK;
    GG_TRY(multiply(p, y->o, s->out, as_input(p, s->z, p->n, nq), p->n));
    return offer(p, layer, GG_SITE_ATTN_OUT, s->out, 0, p->n, d->d_model);
}

/* resid, and attn_out where that is still to be added -> h = mlp_out, not yet normed or added */
static gg_status run_mlp(const pass *p, int layer, uint32_t need)
{
    const gg_model_description *d = p->d;
    const gg__layer *y = &p->m->layer[layer];
    gg_session *s = p->s;
    const int64_t n_hid = p->n * d->d_ff;
    if (!(need & (BIT(GATE) | BIT(UP))))
        return GG_OK;
    input x = block_input(p, d->parallel ? NULL : s->out, &y->attn_post, &y->mlp_pre);
    float *hid = d->gated ? s->gate : s->up;
    if (need & BIT(GATE)) {
        GG_TRY(multiply(p, y->gate, s->gate, x, p->n));
        GG_TRY(offer(p, layer, GG_SITE_GATE, s->gate, 0, p->n, d->d_ff));
    }
    if (need & BIT(UP)) {
        GG_TRY(multiply(p, y->up, s->up, x, p->n));
        GG_TRY(offer(p, layer, GG_SITE_UP, s->up, 0, p->n, d->d_ff));
    }
    if (!(need & BIT(ACT)))
        return GG_OK;
    if (d->gated && (need & BIT(MLP_OUT)) && !is_watched(p, layer, GG_SITE_ACT) && !is_watched(p, layer, GG_SITE_HID))
        x = gated(p);
    else {
        activate(p, hid, n_hid);
        GG_TRY(offer(p, layer, GG_SITE_ACT, hid, 0, p->n, d->d_ff));
        if (!(need & BIT(HID)))
            return GG_OK;
        if (d->gated)
            gg_mul_f32(hid, hid, s->up, n_hid);
        GG_TRY(offer(p, layer, GG_SITE_HID, hid, 0, p->n, d->d_ff));
        if (!(need & BIT(MLP_OUT)))
            return GG_OK;
        x = as_input(p, hid, p->n, d->d_ff);
    }
    GG_TRY(multiply(p, y->down, s->h, x, p->n));
    return offer(p, layer, GG_SITE_MLP_OUT, s->h, 0, p->n, d->d_model);
}

static gg_status run_block(const pass *p, int layer, bool goes_on)
{
    const gg_model_description *d = p->d;
    const gg__layer *y = &p->m->layer[layer];
    gg_session *s = p->s;
    const int64_t width = d->d_model;
    const uint32_t need = feeds(s->want[layer], goes_on, d);
    GG_TRY(offer(p, layer, GG_SITE_RESID_IN, s->resid, 0, p->n, width));
    GG_TRY(run_attention(p, layer, need));
    GG_TRY(run_mlp(p, layer, need));
    if (!(need & BIT(RESID_OUT)))
        return GG_OK;
    if (d->parallel)
        gg_add_f32(s->h, s->h, s->out, p->n * width);
    add_to_resid(p, s->h, &y->mlp_post);
    return offer(p, layer, GG_SITE_RESID_OUT, s->resid, 0, p->n, width);
}

static gg_status run_head(const pass *p)
{
    const gg_model_description *d = p->d;
    gg_session *s = p->s;
    norm_rows(p, s->h, s->resid, &p->m->final, p->n, d->d_model);
    GG_TRY(offer(p, d->n_layers, GG_SITE_FINAL, s->h, 0, p->n, d->d_model));
    for (int64_t row = 0; (s->want[d->n_layers] & BIT(LOGITS)) && row < p->n; row += LOGIT_ROWS) {
        const int64_t n = p->n - row < LOGIT_ROWS ? p->n - row : LOGIT_ROWS;
        GG_TRY(multiply(p, p->m->head, s->logits, as_input(p, s->h + row * d->d_model, n, d->d_model), n));
        if (d->logit_softcap > 0)
            gg_softcap(s->logits, s->logits, d->logit_softcap, n * d->n_vocab);
        GG_TRY(offer(p, d->n_layers, GG_SITE_LOGITS, s->logits, row, n, d->n_vocab));
    }
    return GG_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

static gg_status check_group(const gg_model *m, const gg_group *g)
{
    for (int i = 0; i < g->n_documents; i++) {
        const int64_t first = g->start[i], n = g->start[i + 1] - first;
        if (first < 0 || n < 0 || g->start[i + 1] > g->n_tokens)
            return gg_fail(m->ctx, GG_EINVAL, "document %d of the group lies outside its %lld rows", i, (long long)g->n_tokens);
        if (n > m->d.n_ctx)
            return gg_fail(m->ctx, GG_EINVAL, "a document of %lld tokens is longer than the model's context of %lld", (long long)n, (long long)m->d.n_ctx);
        for (int64_t t = 0; t < n; t++)
            if (g->token[first + t] < 0 || g->token[first + t] >= m->d.n_vocab)
                return gg_fail(m->ctx, GG_EINVAL, "token %lld of document %d is %d, expected 0 to %lld", (long long)t, i, g->token[first + t],
                               (long long)m->d.n_vocab - 1);
    }
    return GG_OK;
}

gg_status gg_session_forward(gg_session *s, const gg_group *g, const gg_listener *listeners, void *const *states, int n_listeners)
{
    pass p = {.s = s, .m = s->m, .d = &s->m->d, .g = g, .listeners = listeners, .states = states, .n_listeners = n_listeners, .n = g->n_tokens};
    int n_layers = 0;
    GG_TRY(check_group(s->m, g));
    GG_TRY(collect_wants(&p, &n_layers));
    if (p.n == 0)
        return GG_OK;
    GG_TRY(room(&p));
    GG_TRY(embed(&p));
    const bool head = s->want[p.d->n_layers] != 0;
    for (int l = 0; l < n_layers; l++)
        GG_TRY(run_block(&p, l, head || l + 1 < n_layers));
    if (head)
        GG_TRY(run_head(&p));
    gg_clock_mark(s->clock, GG_PHASE_ELEMENTWISE);
    return GG_OK;
}
