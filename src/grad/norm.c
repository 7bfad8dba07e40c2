/* Layer and RMS normalisation over the last axis, and the composite that second derivatives go through.
 *
 *     layer: h = (x - mean) r, r = 1 / sqrt(var + eps)        rms: h = x r, r = 1 / sqrt(mean x^2 + eps)        y = h w + b
 *     with g = d w:   dx = r (g - [mean g] - h mean(g h)),   dw = sum d h,   db = sum d            ([..]: layer only)
 * Statistics are computed anew where they are needed: a row is in the first cache, and reading it again costs less than keeping them.
 */
#include "grad/graph.h"

enum { LAYER, RMS };
static inline int64_t last_axis(const gg_var *v) { return v->shape.d[v->shape.n - 1]; }
static inline void *row_of(const gg_var *v, int64_t r, int64_t n) { return (char *)v->data + r * n * gg__width(v); }

static gg_var *norm(gg_var *x, gg_var *weight, gg_var *bias, double eps, int kind)
{
    if (!x || !weight)
        return NULL;
    if (x->shape.n < 1 || weight->shape.n != 1 || weight->n != last_axis(x) || (bias && !gg__shape_equal(bias->shape, weight->shape)))
        return gg__mistake(x->g, GG_EINVAL, "norm of %s: weights of the shape (%lld,) are needed, not %s", SHAPE_TEXT(x),
                           (long long)(x->shape.n ? last_axis(x) : 0), SHAPE_TEXT(weight));
    gg_var *v = bias ? gg__node(x->g, GG__OP_NORM, x->shape, x, weight, bias) : gg__node(x->g, GG__OP_NORM, x->shape, x, weight);
    if (v) {
        v->f[0] = eps;
        v->i[0] = kind;
    }
    return v;
}

gg_var *gg_var_layer_norm(gg_var *x, gg_var *weight, gg_var *bias, double eps) { return bias ? norm(x, weight, bias, eps, LAYER) : NULL; }
gg_var *gg_var_rms_norm(gg_var *x, gg_var *weight, double eps) { return norm(x, weight, NULL, eps, RMS); }

/* --- kernels -------------------------------------------------------------------------------------------------------------------------- */
static void norm_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v);
    for (int64_t r = first; r < last; r++)
        v->g->loops->norm(row_of(v, r, n), row_of(v->in[0], r, n), v->in[1]->data, v->n_in == 3 ? v->in[2]->data : NULL, n, v->f[0], v->i[0] == LAYER);
}

gg_status gg__run_norm(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 4 * last_axis(v), norm_rows);
    return GG_OK;
}

/* in: x, weight, d */
static void norm_dx_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v);
    for (int64_t r = first; r < last; r++)
        v->g->loops->norm_dx(row_of(v, r, n), row_of(v->in[0], r, n), v->in[1]->data, row_of(v->in[2], r, n), n, v->f[0], v->i[0] == LAYER);
}

gg_status gg__run_norm_dx(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 8 * last_axis(v), norm_dx_rows);
    return GG_OK;
}

/* in: x, d. Rows in 32 fixed parts, each summed on its own, so that the order does not depend on the threads. */
enum { PARTS = 32 };
static void norm_dw_part(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = v->n, rows = v->in[0]->n / n;
    for (int64_t part = first; part < last; part++) {
        char *sum = (char *)v->parts + part * n * gg__width(v);
        memset(sum, 0, (size_t)(n * gg__width(v)));
        for (int64_t r = rows * part / PARTS; r < rows * (part + 1) / PARTS; r++)
            v->g->loops->norm_dw(sum, row_of(v->in[0], r, n), row_of(v->in[1], r, n), n, v->f[0], v->i[0] == LAYER);
    }
}

gg_status gg__run_norm_dw(gg_var *v)
{
    gg__split(v, PARTS, 4 * v->in[0]->n / PARTS, norm_dw_part);
    v->g->loops->fill(v->data, 0, v->n);
    for (int64_t part = 0; part < PARTS; part++)
        v->g->loops->add_to(v->data, (const char *)v->parts + part * v->n * gg__width(v), v->n);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
void gg__gradient_norm(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = v->in[0], *w = v->in[1], *dx = wanted[0] ? gg__node(v->g, GG__OP_NORM_DX, x->shape, x, w, d) : NULL;
    gg_var *dw = wanted[1] ? gg__node(v->g, GG__OP_NORM_DW, w->shape, x, d) : NULL;
    if (dw && !(dw->parts = gg__graph_alloc(v->g, gg_mul(PARTS * w->n, gg__width(w)))))
        return;
    for (int i = 0; i < 2; i++) {
        gg_var *one = i ? dw : dx;
        if (one) {
            one->f[0] = v->f[0];
            one->i[0] = v->i[0];
        }
    }
    d_in[0] = dx;
    d_in[1] = dw;
    if (v->n_in == 3 && wanted[2])
        d_in[2] = gg__sum_to(d, v->in[2]->shape);
}

static gg_var *row_mean(gg_var *x) { return x ? gg_var_mean(x, 1u << (x->shape.n - 1), true) : NULL; }

/* h and r of the head comment. */
static void statistics(gg_var **h, gg_var **r, gg_var *x, const gg_var *v)
{
    gg_var *centred = v->i[0] == LAYER ? gg_var_sub(x, row_mean(x)) : x;
    *r = gg_var_rsqrt(gg_var_shift(row_mean(gg_var_square(centred)), v->f[0]));
    *h = gg_var_mul(centred, *r);
}

gg_var *gg__composite_norm_dx(gg_var *v)
{
    gg_var *h, *r, *g = gg_var_mul(v->in[2], v->in[1]);
    statistics(&h, &r, v->in[0], v);
    gg_var *inner = gg_var_sub(g, gg_var_mul(h, row_mean(gg_var_mul(g, h))));
    return gg_var_mul(r, v->i[0] == LAYER ? gg_var_sub(inner, row_mean(g)) : inner);
}

gg_var *gg__composite_norm_dw(gg_var *v)
{
    gg_var *h, *r;
    statistics(&h, &r, v->in[0], v);
    return gg__sum_to(gg_var_mul(h, v->in[1]), v->shape);
}
