/* Scaled dot-product attention, causal or not, with a window, a key mask and grouped heads; and rotary positions.
 *
 *     s_ij = scale q_i . k_j   (masked: -inf)      p_i = softmax s_i      o_i = sum_j p_ij v_j
 *     dv_j = sum_i p_ij do_i    dp_ij = do_i . v_j    ds_ij = p_ij (dp_ij - do_i . o_i)    dq_i = scale sum_j ds_ij k_j    dk_j = scale sum_i ds_ij q_i
 * Queries go in blocks of 64: a block's scores are the only quadratic thing and are 64 x S, so memory is linear in T (Dao et al. 2022, without
 * their tiling of the keys: a row of scores fits the second cache). p is computed anew on the way back.
 * Layout: q, o (B, T, H, d); k, v (B, S, K, d), K divides H: head h reads key head h K / H. Query i of T sees keys up to i + S - T.
 * A query that sees no key gives zeros. One (batch, key head) is one piece of work, with all its query heads: nothing is shared.
 */
#include "grad/graph.h"
#include <math.h>

enum { BLOCK = 64 };

typedef struct sizes {
    int64_t B, T, S, H, K, d, window;
    bool causal;
    double scale;
} sizes;

gg_var *gg_var_attention(gg_var *q, gg_var *k, gg_var *v, const gg_attention_options *o)
{
    const gg_attention_options none = {0};
    o = o ? o : &none;
    if (!q || !k || !v)
        return NULL;
    gg_graph *g = q->g;
    if (q->shape.n != 4 || k->shape.n != 4 || !gg__shape_equal(k->shape, v->shape) || k->shape.d[0] != q->shape.d[0] || k->shape.d[3] != q->shape.d[3] ||
        k->shape.d[2] == 0 || q->shape.d[2] % k->shape.d[2] != 0 || q->shape.d[3] == 0)
        return gg__mistake(g, GG_EINVAL, "attention: q (B, T, H, d) and k, v (B, S, K, d), K a divisor of H; they are %s, %s, %s", SHAPE_TEXT(q), SHAPE_TEXT(k),
                           SHAPE_TEXT(v));
    sizes s = {.B = q->shape.d[0], .T = q->shape.d[1], .S = k->shape.d[1], .H = q->shape.d[2], .K = k->shape.d[2], .d = q->shape.d[3], .window = o->window,
               .causal = o->causal, .scale = o->scale != 0 ? o->scale : 1 / sqrt((double)q->shape.d[3])};
    if (o->key_mask && !gg__shape_equal(o->key_mask->shape, GG_SHAPE(s.B, s.S)))
        return gg__mistake(g, GG_EINVAL, "attention: the key mask has the shape %s, (%lld, %lld) is needed", SHAPE_TEXT(o->key_mask), (long long)s.B,
                           (long long)s.S);
    if (s.window < 0 || (s.window > 0 && !s.causal))
        return gg__mistake(g, GG_EINVAL, "attention: a window of %lld; windows are positive and causal", (long long)s.window);
    gg_var *node = o->key_mask ? gg__node(g, GG__OP_ATTENTION, q->shape, q, k, v, o->key_mask) : gg__node(g, GG__OP_ATTENTION, q->shape, q, k, v);
    if (!node || !(node->plan = gg__graph_alloc(g, sizeof s)))
        return NULL;
    memcpy(node->plan, &s, sizeof s);
    node->scratch_bytes = gg_gemm_scratch() + gg_mul(BLOCK * s.S, gg__width(q));
    return node;
}

/* --- scores of a block ------------------------------------------------------------------------------------------------------------------ */
typedef struct place { /* of one (batch, head) */
    const char *q, *k, *v, *mask;
    int64_t rq, rk; /* row strides, in numbers */
} place;

static place place_of(const gg_var *q, const gg_var *k, const gg_var *v, const gg_var *mask, const sizes *s, int64_t b, int64_t h)
{
    const int64_t w = gg__width(q), kh = h / (s->H / s->K);
    return (place){(const char *)q->data + (b * s->T * s->H + h) * s->d * w, (const char *)k->data + (b * s->S * s->K + kh) * s->d * w,
                   (const char *)v->data + (b * s->S * s->K + kh) * s->d * w, mask ? (const char *)mask->data + b * s->S * w : NULL, s->H * s->d, s->K * s->d};
}

/* Keys that query i may see: [*first, *last). */
static void keys_of(int64_t *first, int64_t *last, const sizes *s, int64_t i)
{
    const int64_t end = i + s->S - s->T + 1;
    *last = !s->causal ? s->S : end < 0 ? 0 : end > s->S ? s->S : end;
    *first = s->window > 0 && *last > s->window ? *last - s->window : 0;
}

static void mask_row(const gg_var *v, char *row, const place *p, int64_t n)
{
    for (int64_t j = 0; j < n && p->mask; j++)
        if (v->dtype == GG_F64) {
            if (((const double *)p->mask)[j] == 0)
                ((double *)row)[j] = -INFINITY;
        } else if (((const float *)p->mask)[j] == 0)
            ((float *)row)[j] = -INFINITY;
}

/* Probabilities of queries [i0, i0 + n) over keys [j0, j1), rows of j1 - j0; 0 where a query may not look. */
static void probabilities(const gg_var *v, char *p_, const place *p, const sizes *s, int64_t i0, int64_t n, int64_t j0, int64_t j1, void *gemm)
{
    const gg__loops *l = v->g->loops;
    const int64_t w = gg__width(v), m = j1 - j0;
    l->gemm(p_, m, p->q + i0 * p->rq * w, (gg_strides){p->rq, 1}, p->k + j0 * p->rk * w, (gg_strides){1, p->rk}, n, m, s->d, false, gemm);
    for (int64_t r = 0; r < n; r++) {
        int64_t first, last;
        keys_of(&first, &last, s, i0 + r);
        char *row = p_ + r * m * w;
        if (last > first) {
            char *seen = row + (first - j0) * w;
            place at = *p;
            at.mask = p->mask ? p->mask + first * w : NULL;
            l->scale(seen, seen, last - first, &s->scale);
            mask_row(v, seen, &at, last - first);
            if (l->amax(seen, last - first) == -INFINITY)
                l->fill(seen, 0, last - first);
            else
                l->softmax(seen, seen, last - first);
        }
        l->fill(row, 0, (first < last ? first : j1) - j0);
        l->fill(row + (last > j0 ? last - j0 : 0) * w, 0, j1 - (last > j0 ? last : j0));
    }
}

/* All keys that a block of queries may see; false: none. */
static bool block_keys(int64_t *j0, int64_t *j1, const sizes *s, int64_t i0, int64_t n)
{
    int64_t ignored;
    keys_of(j0, &ignored, s, i0);
    keys_of(&ignored, j1, s, i0 + n - 1);
    return *j1 > *j0;
}

/* --- forward ------------------------------------------------------------------------------------------------------------------------------- */
static void forward(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    const gg__loops *l = v->g->loops;
    const int64_t w = gg__width(v);
    void *gemm = gg__scratch(v, worker);
    char *prob = (char *)gemm + gg_gemm_scratch();
    for (int64_t x = first; x < last; x++) {
        const int64_t b = x / s->H, h = x % s->H;
        const place p = place_of(v->in[0], v->in[1], v->in[2], v->n_in == 4 ? v->in[3] : NULL, s, b, h);
        char *out = (char *)v->data + (b * s->T * s->H + h) * s->d * w;
        for (int64_t i0 = 0; i0 < s->T; i0 += BLOCK) {
            const int64_t n = s->T - i0 < BLOCK ? s->T - i0 : BLOCK;
            int64_t j0, j1;
            if (!block_keys(&j0, &j1, s, i0, n)) {
                for (int64_t r = 0; r < n; r++)
                    l->fill(out + (i0 + r) * p.rq * w, 0, s->d);
                continue;
            }
            probabilities(v, prob, &p, s, i0, n, j0, j1, gemm);
            l->gemm(out + i0 * p.rq * w, p.rq, prob, (gg_strides){j1 - j0, 1}, p.v + j0 * p.rk * w, (gg_strides){p.rk, 1}, n, s->d, j1 - j0, false, gemm);
        }
    }
}

gg_status gg__run_attention(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->B * s->H, s->T * s->S * (s->d / 4 + 4), forward);
    return GG_OK;
}

/* --- backward: one node, dq | dk | dv laid end to end ------------------------------------------------------------------------------------------- */
/* in: q, k, v, d, o [, mask] */
static void backward(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    const gg__loops *l = v->g->loops;
    const int64_t w = gg__width(v), group = s->H / s->K, nq = v->in[0]->n, nk = v->in[1]->n;
    void *gemm = gg__scratch(v, worker);
    char *prob = (char *)gemm + gg_gemm_scratch(), *dp = prob + BLOCK * s->S * w;
    for (int64_t x = first; x < last; x++) { /* batch, key head */
        const int64_t b = x / s->K, kh = x % s->K;
        char *dk = (char *)v->data + (nq + (b * s->S * s->K + kh) * s->d) * w, *dv = dk + nk * w;
        for (int64_t j = 0; j < s->S; j++) {
            l->fill(dk + j * s->K * s->d * w, 0, s->d);
            l->fill(dv + j * s->K * s->d * w, 0, s->d);
        }
        for (int64_t h = kh * group; h < (kh + 1) * group; h++) {
            const place p = place_of(v->in[0], v->in[1], v->in[2], v->n_in == 6 ? v->in[5] : NULL, s, b, h);
            const int64_t start = (b * s->T * s->H + h) * s->d * w;
            char *dq = (char *)v->data + start;
            const char *d = (const char *)v->in[3]->data + start, *o = (const char *)v->in[4]->data + start;
            for (int64_t i0 = 0; i0 < s->T; i0 += BLOCK) {
                const int64_t n = s->T - i0 < BLOCK ? s->T - i0 : BLOCK;
                int64_t j0, j1;
                if (!block_keys(&j0, &j1, s, i0, n)) {
                    for (int64_t r = 0; r < n; r++)
                        l->fill(dq + (i0 + r) * p.rq * w, 0, s->d);
                    continue;
                }
                const int64_t m = j1 - j0, at = i0 * p.rq * w, key = j0 * p.rk * w;
                const gg_strides rows = {m, 1}, across = {1, m}, of_q = {p.rq, 1}, of_k = {p.rk, 1};
                probabilities(v, prob, &p, s, i0, n, j0, j1, gemm);
                l->gemm(dv + key, p.rk, prob, across, d + at, of_q, m, s->d, n, true, gemm);
                l->gemm(dp, m, d + at, of_q, p.v + key, (gg_strides){1, p.rk}, n, m, s->d, false, gemm);
                for (int64_t r = 0; r < n; r++)
                    l->attention_ds(dp + r * m * w, prob + r * m * w, m, d + at + r * p.rq * w, o + at + r * p.rq * w, s->d, s->scale);
                l->gemm(dq + at, p.rq, dp, rows, p.k + key, of_k, n, s->d, m, false, gemm);
                l->gemm(dk + key, p.rk, dp, across, p.q + at, of_q, m, s->d, n, true, gemm);
            }
        }
    }
}

gg_status gg__run_attention_grad(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->B * s->K, s->T * s->S * (s->H / s->K) * (s->d / 2 + 8), backward);
    return GG_OK;
}

void gg__gradient_attention(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *q = v->in[0], *k = v->in[1];
    if (!d || !(wanted[0] || wanted[1] || wanted[2]))
        return;
    const gg_shape flat = GG_SHAPE(q->n + 2 * k->n);
    gg_var *all = v->n_in == 4 ? gg__node(v->g, GG__OP_ATTENTION_GRAD, flat, q, k, v->in[2], d, v, v->in[3])
                               : gg__node(v->g, GG__OP_ATTENTION_GRAD, flat, q, k, v->in[2], d, v);
    if (!all)
        return;
    const sizes *s = v->plan;
    all->plan = v->plan;
    all->scratch_bytes = gg_gemm_scratch() + gg_mul(2 * BLOCK * s->S, gg__width(q));
    const int64_t start[3] = {0, q->n, q->n + k->n};
    for (int i = 0; i < 3; i++)
        if (wanted[i])
            d_in[i] = gg_var_reshape(gg_var_slice(all, 0, start[i], v->in[i]->n), v->in[i]->shape);
}

/* --- composites, for second derivatives ------------------------------------------------------------------------------------------------------------ */
/* (B, T, H, d) -> (B, K, G, T, d) and (B, S, K, d) -> (B, K, 1, S, d) */
static gg_var *by_head(gg_var *x, int64_t K, int64_t G)
{
    return gg_var_permute(gg_var_reshape(x, GG_SHAPE(x->shape.d[0], x->shape.d[1], K, G, x->shape.d[3])), (const int[]){0, 2, 3, 1, 4});
}

static gg_var *may_look(const gg_var *v, const sizes *s, gg_var *mask)
{
    double *look = gg__graph_alloc(v->g, gg_mul(s->T * s->S, sizeof *look));
    for (int64_t i = 0; i < s->T && look; i++) {
        int64_t first, last;
        keys_of(&first, &last, s, i);
        for (int64_t j = first; j < last; j++)
            look[i * s->S + j] = 1;
    }
    gg_var *c = look ? gg_graph_constant(v->g, GG_SHAPE(s->T, s->S), look) : NULL;
    return mask ? gg_var_mul(c, gg_var_reshape(mask, GG_SHAPE(s->B, 1, 1, 1, s->S))) : c;
}

/* The gradient from q, k, v and d alone: p, then the lines of the head comment. */
gg_var *gg__composite_attention_grad(gg_var *v)
{
    const sizes *s = v->plan;
    const int64_t G = s->H / s->K;
    gg_var *q = by_head(v->in[0], s->K, G), *k = by_head(v->in[1], s->K, 1), *w = by_head(v->in[2], s->K, 1), *d = by_head(v->in[3], s->K, G);
    gg_var *look = may_look(v, s, v->n_in == 6 ? v->in[5] : NULL);
    gg_var *score = gg_var_where(look, gg_var_scale(gg_var_matmul_nt(q, k), s->scale), gg_graph_fill(v->g, GG_SCALAR, -1e30));
    gg_var *p = gg_var_mul(gg_var_softmax(score), look);
    gg_var *o = gg_var_matmul(p, w), *dp = gg_var_matmul_nt(d, w), *own = gg_var_sum(gg_var_mul(d, o), 1u << 4, true);
    gg_var *ds = gg_var_scale(gg_var_mul(p, gg_var_sub(dp, own)), s->scale);
    gg_var *part[3] = {gg_var_matmul(ds, k), gg_var_matmul_tn(ds, q), gg_var_matmul_tn(p, d)};
    for (int i = 0; i < 3; i++) {
        gg_var *x = i ? gg_var_sum(part[i], 1u << 2, true) : part[i];
        part[i] = x ? gg_var_reshape(gg_var_permute(x, (const int[]){0, 3, 1, 2, 4}), GG_SHAPE(-1)) : NULL;
    }
    return gg_var_concat(part, 3, 0);
}

/* --- rotary positions: half-split pairs, angle t base^(-2 i / n_rot) (Su et al. 2021) ------------------------------------------------------------------ */
gg_var *gg_var_rope(gg_var *x, double base, int64_t n_rot, int64_t first)
{
    if (!x)
        return NULL;
    if (x->shape.n != 4 || n_rot < 0 || n_rot % 2 || n_rot > x->shape.d[3] || !(base > 0))
        return gg__mistake(x->g, GG_EINVAL, "rope of %s: (B, T, heads, d) with an even number of rotating dimensions up to d, not %lld", SHAPE_TEXT(x),
                           (long long)n_rot);
    const int64_t half = (n_rot ? n_rot : x->shape.d[3]) / 2, T = x->shape.d[1];
    gg_var *v = gg__node(x->g, GG__OP_ROPE, x->shape, x);
    double *table = v ? gg__graph_alloc(x->g, gg_mul(2 * T * half, sizeof *table)) : NULL;
    if (!table)
        return NULL;
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < half; i++) {
            const double angle = (double)(first + t) * pow(base, -(double)i / (double)half);
            table[(2 * t + 0) * half + i] = cos(angle);
            table[(2 * t + 1) * half + i] = sin(angle);
        }
    v->plan = table;
    v->i[0] = half;
    v->f[0] = 1; /* -1: backwards */
    return v;
}

static void rope_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t T = v->shape.d[1], H = v->shape.d[2], d = v->shape.d[3], half = v->i[0];
    for (int64_t r = first; r < last; r++) {
        const double *c = (const double *)v->plan + 2 * (r % T) * half, *s = c + half;
        for (int64_t h = 0; h < H; h++)
            v->g->loops->rotate((char *)v->data + (r * H + h) * d * gg__width(v), (const char *)v->in[0]->data + (r * H + h) * d * gg__width(v), c, s, v->f[0],
                               half, d);
    }
}

gg_status gg__run_rope(gg_var *v)
{
    gg__split(v, v->shape.d[0] * v->shape.d[1], 4 * v->shape.d[2] * v->shape.d[3], rope_rows);
    return GG_OK;
}

void gg__gradient_rope(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = wanted[0] && d ? gg__node(v->g, GG__OP_ROPE, v->shape, d) : NULL;
    if (x) {
        x->plan = v->plan;
        x->i[0] = v->i[0];
        x->f[0] = -v->f[0];
    }
    d_in[0] = x;
}
