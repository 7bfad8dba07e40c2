/* Softmax, its logarithm, and cross-entropy, over the last axis.
 *
 *     y = softmax x           dx = y (d - sum d y)
 *     y = log softmax x       dx = d - e^y sum d
 *     l = logsumexp x - x_t   dx = d (softmax x - e_t)
 * Each gradient is one node; those of the gradients are chains.
 */
#include "grad/graph.h"

static inline int64_t last_axis(const gg_var *v) { return v->shape.d[v->shape.n - 1]; }
static inline void *row_of(const gg_var *v, int64_t r, int64_t n) { return (char *)v->data + r * n * gg__width(v); }

static bool has_rows(gg_var *x, const char *what)
{
    if (x && (x->shape.n == 0 || last_axis(x) == 0 || x->dtype == GG_I32))
        gg__mistake(x->g, GG_EINVAL, "%s of %s: the last axis has no numbers", what, SHAPE_TEXT(x));
    return x && x->g->status == GG_OK;
}

gg_var *gg_var_softmax(gg_var *x) { return has_rows(x, "softmax") ? gg__node(x->g, GG__OP_SOFTMAX, x->shape, x) : NULL; }
gg_var *gg_var_log_softmax(gg_var *x) { return has_rows(x, "log_softmax") ? gg__node(x->g, GG__OP_LOG_SOFTMAX, x->shape, x) : NULL; }

gg_var *gg_var_logsumexp(gg_var *x)
{
    if (!has_rows(x, "logsumexp"))
        return NULL;
    gg_shape s = x->shape;
    s.n--;
    return gg__node(x->g, GG__OP_LOGSUMEXP, s, x);
}

gg_var *gg_var_cross_entropy(gg_var *x, gg_var *target, int64_t ignore)
{
    if (!has_rows(x, "cross_entropy") || !target)
        return NULL;
    gg_shape s = x->shape;
    s.n--;
    if (target->dtype != GG_I32 || !gg__shape_equal(target->shape, s))
        return gg__mistake(x->g, GG_EINVAL, "cross_entropy of %s: targets are int32 of the shape %s, not %s %s", SHAPE_TEXT(x), gg__shape_say(s).text,
                           gg_dtype_name(target->dtype), SHAPE_TEXT(target));
    gg_var *v = gg__node(x->g, GG__OP_CROSS_ENTROPY, s, x, target);
    if (v)
        v->i[0] = ignore;
    return v;
}

/* --- kernels -------------------------------------------------------------------------------------------------------------------------- */
static void softmax_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v);
    void (*f)(void *, const void *, int64_t) = v->op == GG__OP_SOFTMAX ? v->g->loops->softmax : v->g->loops->log_softmax;
    for (int64_t r = first; r < last; r++)
        f(row_of(v, r, n), row_of(v->in[0], r, n), n);
}

gg_status gg__run_softmax(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 8 * last_axis(v), softmax_rows);
    return GG_OK;
}

static void softmax_grad_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v);
    void (*f)(void *, const void *, const void *, int64_t) = v->op == GG__OP_SOFTMAX_GRAD ? v->g->loops->softmax_grad : v->g->loops->log_softmax_grad;
    for (int64_t r = first; r < last; r++)
        f(row_of(v, r, n), row_of(v->in[0], r, n), row_of(v->in[1], r, n), n);
}

gg_status gg__run_softmax_grad(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 6 * last_axis(v), softmax_grad_rows);
    return GG_OK;
}

static void logsumexp_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v->in[0]);
    for (int64_t r = first; r < last; r++)
        v->g->loops->fill(row_of(v, r, 1), v->g->loops->logsumexp(row_of(v->in[0], r, n), n), 1);
}

gg_status gg__run_logsumexp(gg_var *v)
{
    gg__split(v, v->n, 6 * last_axis(v->in[0]), logsumexp_rows);
    return GG_OK;
}

static void cross_entropy_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v->in[0]);
    const int32_t *target = v->in[1]->data;
    for (int64_t r = first; r < last; r++) {
        const bool counts = target[r] != v->i[0];
        v->g->loops->fill(row_of(v, r, 1), counts ? v->g->loops->logsumexp(row_of(v->in[0], r, n), n) - gg__number(v->in[0], r * n + target[r]) : 0, 1);
    }
}

gg_status gg__run_cross_entropy(gg_var *v)
{
    const int64_t n = last_axis(v->in[0]);
    const int32_t *target = v->in[1]->data;
    for (int64_t r = 0; r < v->n; r++)
        if (target[r] != v->i[0] && (target[r] < 0 || target[r] >= n))
            return gg_fail(v->g->ctx, GG_EINVAL, "cross_entropy: target %lld of %s is %d, classes are 0..%lld", (long long)r,
                           v->in[1]->name ? v->in[1]->name : "the targets", (int)target[r], (long long)n - 1);
    gg__split(v, v->n, 6 * n, cross_entropy_rows);
    return GG_OK;
}

/* in: x, target, d */
static void cross_entropy_grad_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const int64_t n = last_axis(v);
    const int32_t *target = v->in[1]->data;
    for (int64_t r = first; r < last; r++)
        if (target[r] == v->i[0])
            v->g->loops->fill(row_of(v, r, n), 0, n);
        else
            v->g->loops->cross_entropy_grad(row_of(v, r, n), gg__number(v->in[2], r), row_of(v->in[0], r, n), target[r], n);
}

gg_status gg__run_cross_entropy_grad(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 8 * last_axis(v), cross_entropy_grad_rows);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
static gg_var *row_sum(gg_var *x) { return x ? gg_var_sum(x, 1u << (x->shape.n - 1), true) : NULL; }
static gg_var *as_column(gg_var *x) /* (...) -> (..., 1) */
{
    if (!x)
        return NULL;
    gg_shape s = x->shape;
    s.d[s.n++] = 1;
    return gg_var_reshape(x, s);
}

void gg__gradient_softmax(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_SOFTMAX_GRAD, v->shape, d, v) : NULL;
}

/* r = y (d - s), s = sum d y:   dd = y (g - sum g y),   dy = g (d - s) - d sum g y */
void gg__gradient_softmax_grad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *g)
{
    gg_var *d = v->in[0], *y = v->in[1];
    gg_var *gy = row_sum(gg_var_mul(g, y));
    if (wanted[0])
        d_in[0] = gg__node(v->g, GG__OP_SOFTMAX_GRAD, v->shape, g, y);
    if (wanted[1])
        d_in[1] = gg_var_sub(gg_var_mul(g, gg_var_sub(d, row_sum(gg_var_mul(d, y)))), gg_var_mul(d, gy));
}

void gg__gradient_log_softmax(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_LOG_SOFTMAX_GRAD, v->shape, d, v) : NULL;
}

/* r = d - e^y s, s = sum d:   dd = g - sum g e^y,   dy = -g e^y s */
void gg__gradient_log_softmax_grad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *g)
{
    gg_var *ge = gg_var_mul(g, gg_var_exp(v->in[1]));
    if (wanted[0])
        d_in[0] = gg_var_sub(g, row_sum(ge));
    if (wanted[1])
        d_in[1] = gg_var_neg(gg_var_mul(ge, row_sum(v->in[0])));
}

void gg__gradient_logsumexp(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_mul(gg_var_softmax(v->in[0]), as_column(d)) : NULL;
}

void gg__gradient_cross_entropy(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *r = wanted[0] && d ? gg__node(v->g, GG__OP_CROSS_ENTROPY_GRAD, v->in[0]->shape, v->in[0], v->in[1], d) : NULL;
    if (r)
        r->i[0] = v->i[0];
    d_in[0] = r;
}

/* r = d (p - e_t):   dd = sum g (p - e_t) = (sum g r of d = 1),   dx = d p (g - sum g p); rows that are ignored have r = 0 */
void gg__gradient_cross_entropy_grad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *g)
{
    gg_var *x = v->in[0], *d = v->in[2], *ones = gg_graph_fill(v->g, d->shape, 1);
    gg_var *unit = ones ? gg__node(v->g, GG__OP_CROSS_ENTROPY_GRAD, v->shape, x, v->in[1], ones) : NULL;
    if (!unit)
        return;
    unit->i[0] = v->i[0];
    if (wanted[2])
        d_in[2] = gg_var_sum(gg_var_mul(g, unit), 1u << (v->shape.n - 1), false);
    if (wanted[0]) {
        gg_var *counts = gg_var_step(row_sum(gg_var_abs(unit))); /* 0 for ignored rows, whose p is not to flow */
        gg_var *p = gg_var_softmax(x), *inner = gg__node(v->g, GG__OP_SOFTMAX_GRAD, v->shape, g, p);
        d_in[0] = gg_var_mul(gg_var_mul(inner, counts), as_column(d));
    }
}
