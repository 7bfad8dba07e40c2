/* Elementwise operations: of one, of two with broadcasting, of three. Recording, kernels over walks, gradients.
 *
 * The gradient of an activation is one node, d f'(x) (the *_grad operations), not a chain; gradients of those are chains of others.
 */
#include "grad/graph.h"
#include <math.h>
#include <stddef.h>

/* --- recording ---------------------------------------------------------------------------------------------------------------------- */
static const size_t loop_place[GG__OPS] = {
#define GG_X(code, name) [GG__OP_##code] = offsetof(gg__loops, name),
    GG_UNARY_MAP(GG_X) GG__UNARY_F_MAP(GG_X) GG_BINARY_MAP(GG_X) GG__BINARY_F_MAP(GG_X)
#undef GG_X
};

static bool real(gg_var *v, gg__op op)
{
    if (v && v->dtype == GG_I32)
        gg__mistake(v->g, GG_EINVAL, "%s of %s: indices are not numbers to compute with", gg__operation_of(op)->name, SHAPE_TEXT(v));
    return v && v->dtype != GG_I32;
}

static gg_var *unary(gg_var *x, gg__op op, double f0, double f1)
{
    gg_var *v = real(x, op) ? gg__node(x->g, op, x->shape, x) : NULL;
    if (v) {
        v->f[0] = f0;
        v->f[1] = f1;
        memcpy(&v->loop1, (const char *)v->g->loops + loop_place[op], sizeof v->loop1);
    }
    return v;
}

static gg_var *binary(gg_var *a, gg_var *b, gg__op op, const double *f)
{
    gg_shape s;
    if (!real(a, op) || !real(b, op))
        return NULL;
    if (!gg__shape_broadcast(&s, a->shape, b->shape))
        return gg__mistake(a->g, GG_EINVAL, "%s: the shapes %s and %s do not fit together", gg__operation_of(op)->name, SHAPE_TEXT(a), SHAPE_TEXT(b));
    gg_var *v = gg__node(a->g, op, s, a, b);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof(gg__walk))))
        return NULL;
    gg__walk_broadcast(v->plan, s, v->in, 2);
    if (f)
        memcpy(v->f, f, sizeof v->f);
    memcpy(&v->loop2, (const char *)v->g->loops + loop_place[op], sizeof v->loop2);
    return v;
}

#define GG_X(code, name) \
    gg_var *gg_var_##name(gg_var *x) { return unary(x, GG__OP_##code, 0, 0); }
GG_UNARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) \
    gg_var *gg_var_##name(gg_var *a, gg_var *b) { return binary(a, b, GG__OP_##code, NULL); }
GG_BINARY_MAP(GG_X)
#undef GG_X
gg_var *gg_var_scale(gg_var *x, double factor) { return unary(x, GG__OP_SCALE, factor, 0); }
gg_var *gg_var_shift(gg_var *x, double term) { return unary(x, GG__OP_SHIFT, term, 0); }
gg_var *gg_var_pow(gg_var *x, double exponent) { return unary(x, GG__OP_POW, exponent, 0); }
gg_var *gg_var_clip(gg_var *x, double low, double high) { return unary(x, GG__OP_CLIP, low, high); }
gg_var *gg_var_leaky_relu(gg_var *x, double slope) { return unary(x, GG__OP_LEAKY_RELU, slope, 0); }
gg_var *gg_var_elu(gg_var *x, double alpha) { return unary(x, GG__OP_ELU, alpha, 0); }

gg_var *gg_var_where(gg_var *condition, gg_var *a, gg_var *b)
{
    gg_shape s, t;
    if (!real(condition, GG__OP_WHERE) || !real(a, GG__OP_WHERE) || !real(b, GG__OP_WHERE))
        return NULL;
    if (!gg__shape_broadcast(&s, a->shape, b->shape) || !gg__shape_broadcast(&t, s, condition->shape))
        return gg__mistake(a->g, GG_EINVAL, "where: the shapes %s, %s and %s do not fit together", SHAPE_TEXT(condition), SHAPE_TEXT(a), SHAPE_TEXT(b));
    gg_var *v = gg__node(a->g, GG__OP_WHERE, t, condition, a, b);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof(gg__walk))))
        return NULL;
    gg__walk_broadcast(v->plan, t, v->in, 3);
    return v;
}

/* --- kernels -------------------------------------------------------------------------------------------------------------------------- */
static inline void *at(const gg_var *v, int64_t i) { return (char *)v->data + i * gg__width(v); }

static void unary_range(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    v->loop1(at(v, first), at(v->in[0], first), last - first, v->f);
}

gg_status gg__run_unary(gg_var *v)
{
    gg__split(v, v->n, 2, unary_range);
    return GG_OK;
}

/* Where row r of a walk begins in input k. */
static int64_t row_start(const gg__walk *w, int k, int64_t r)
{
    int64_t start = 0;
    for (int d = w->n - 2; d >= 0; d--) {
        start += r % w->size[d] * w->stride[k][d];
        r /= w->size[d];
    }
    return start;
}

static void binary_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg__walk *w = v->plan;
    const int64_t n = w->size[w->n - 1], sa = w->stride[0][w->n - 1], sb = w->stride[1][w->n - 1];
    if (w->n == 1) {
        v->loop2(at(v, first), at(v->in[0], first * sa), sa, at(v->in[1], first * sb), sb, last - first, v->f);
        return;
    }
    for (int64_t r = first; r < last; r++)
        v->loop2(at(v, r * n), at(v->in[0], row_start(w, 0, r)), sa, at(v->in[1], row_start(w, 1, r)), sb, n, v->f);
}

gg_status gg__run_binary(gg_var *v)
{
    const gg__walk *w = v->plan;
    gg__split(v, w->n == 1 ? v->n : w->rows, w->n == 1 ? 3 : 3 * w->size[w->n - 1], binary_rows);
    return GG_OK;
}

static void where_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg__walk *w = v->plan;
    const int64_t n = w->size[w->n - 1], *s[3] = {&w->stride[0][w->n - 1], &w->stride[1][w->n - 1], &w->stride[2][w->n - 1]};
    if (w->n == 1) {
        v->g->loops->where(at(v, first), at(v->in[0], first * *s[0]), *s[0], at(v->in[1], first * *s[1]), *s[1], at(v->in[2], first * *s[2]), *s[2],
                           last - first);
        return;
    }
    for (int64_t r = first; r < last; r++)
        v->g->loops->where(at(v, r * n), at(v->in[0], row_start(w, 0, r)), *s[0], at(v->in[1], row_start(w, 1, r)), *s[1], at(v->in[2], row_start(w, 2, r)),
                           *s[2], n);
}

gg_status gg__run_where(gg_var *v)
{
    const gg__walk *w = v->plan;
    gg__split(v, w->n == 1 ? v->n : w->rows, w->n == 1 ? 4 : 4 * w->size[w->n - 1], where_rows);
    return GG_OK;
}

/* Rows of axis 0: of a walk of one dimension so many numbers, of others so many of its rows. */
void gg__rows_unary(gg_var *v, int64_t first, int64_t last, int worker)
{
    const int64_t each = v->n / v->shape.d[0];
    unary_range(v, first * each, last * each, worker);
}
void gg__rows_binary(gg_var *v, int64_t first, int64_t last, int worker)
{
    const gg__walk *w = v->plan;
    const int64_t each = (w->n == 1 ? v->n : w->rows) / v->shape.d[0];
    binary_rows(v, first * each, last * each, worker);
}
void gg__rows_where(gg_var *v, int64_t first, int64_t last, int worker)
{
    const gg__walk *w = v->plan;
    const int64_t each = (w->n == 1 ? v->n : w->rows) / v->shape.d[0];
    where_rows(v, first * each, last * each, worker);
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
static gg_var *slope(gg_var *d, gg_var *at_, gg__op op, const gg_var *v) { return binary(d, at_, op, v->f); }

void gg__gradient_unary(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = v->in[0], **out = d_in;
    if (!wanted[0])
        return;
    switch (v->op) {
    case GG__OP_NEG: *out = gg_var_neg(d); break;
    case GG__OP_ABS: *out = gg_var_mul(d, gg_var_sign(x)); break;
    case GG__OP_SQUARE: *out = gg_var_scale(gg_var_mul(d, x), 2); break;
    case GG__OP_RECIPROCAL: *out = gg_var_neg(gg_var_mul(d, gg_var_square(v))); break;
    case GG__OP_SQRT: *out = gg_var_scale(gg_var_div(d, v), 0.5); break;
    case GG__OP_RSQRT: *out = gg_var_scale(gg_var_mul(d, gg_var_mul(v, gg_var_square(v))), -0.5); break;
    case GG__OP_EXP: *out = gg_var_mul(d, v); break;
    case GG__OP_LOG: *out = gg_var_div(d, x); break;
    case GG__OP_SIN: *out = gg_var_mul(d, gg_var_cos(x)); break;
    case GG__OP_COS: *out = gg_var_neg(gg_var_mul(d, gg_var_sin(x))); break;
    case GG__OP_TANH: *out = slope(d, v, GG__OP_TANH_GRAD, v); break;
    case GG__OP_SIGMOID: *out = slope(d, v, GG__OP_SIGMOID_GRAD, v); break;
    case GG__OP_SOFTPLUS: *out = gg_var_mul(d, gg_var_sigmoid(x)); break;
    case GG__OP_ERF: *out = gg_var_scale(gg_var_mul(d, gg_var_exp(gg_var_neg(gg_var_square(x)))), 1.12837916709551257390); break;
    case GG__OP_GELU: *out = slope(d, x, GG__OP_GELU_GRAD, v); break;
    case GG__OP_GELU_TANH: *out = slope(d, x, GG__OP_GELU_TANH_GRAD, v); break;
    case GG__OP_SILU: *out = slope(d, x, GG__OP_SILU_GRAD, v); break;
    case GG__OP_RELU: *out = slope(d, x, GG__OP_RELU_GRAD, v); break;
    case GG__OP_SCALE: *out = gg_var_scale(d, v->f[0]); break;
    case GG__OP_SHIFT: *out = d; break;
    case GG__OP_POW: *out = gg_var_scale(gg_var_mul(d, gg_var_pow(x, v->f[0] - 1)), v->f[0]); break;
    case GG__OP_CLIP: *out = slope(d, x, GG__OP_CLIP_GRAD, v); break;
    case GG__OP_LEAKY_RELU: *out = slope(d, x, GG__OP_LEAKY_RELU_GRAD, v); break;
    case GG__OP_ELU: *out = slope(d, x, GG__OP_ELU_GRAD, v); break;
    default: break; /* sign, step: 0 wherever there is one */
    }
}

void gg__gradient_binary(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *a = v->in[0], *b = v->in[1], *da = NULL, *db = NULL;
    switch (v->op) {
    case GG__OP_ADD: da = db = d; break;
    case GG__OP_SUB:
        da = d;
        db = wanted[1] ? gg_var_neg(d) : NULL;
        break;
    case GG__OP_MUL:
        da = wanted[0] ? gg_var_mul(d, b) : NULL;
        db = wanted[1] ? gg_var_mul(d, a) : NULL;
        break;
    case GG__OP_DIV:
        da = wanted[0] || wanted[1] ? gg_var_div(d, b) : NULL;
        db = wanted[1] ? gg_var_neg(gg_var_mul(da, v)) : NULL;
        break;
    case GG__OP_MAX:
    case GG__OP_MIN: {
        gg_var *other = v->op == GG__OP_MAX ? gg_var_less(a, b) : gg_var_less(b, a); /* 1 where b was taken */
        da = wanted[0] ? gg_var_sub(d, gg_var_mul(d, other)) : NULL;
        db = wanted[1] ? gg_var_mul(d, other) : NULL;
        break;
    }
    default: return;
    }
    d_in[0] = wanted[0] && da ? gg__sum_to(da, a->shape) : NULL;
    d_in[1] = wanted[1] && db ? gg__sum_to(db, b->shape) : NULL;
}

/* f'' of the smooth activations, as chains; at their argument x, or result y. */
static gg_var *second(gg_var *v)
{
    gg_var *x = v->in[1];
    switch (v->op) {
    case GG__OP_TANH_GRAD: return gg_var_scale(x, -2);                        /* d/dy (1 - y^2) */
    case GG__OP_SIGMOID_GRAD: return gg_var_shift(gg_var_scale(x, -2), 1);    /* d/dy y (1 - y) */
    case GG__OP_GELU_GRAD: {                                                  /* phi(x) (2 - x^2) */
        gg_var *xx = gg_var_square(x);
        return gg_var_mul(gg_var_scale(gg_var_exp(gg_var_scale(xx, -0.5)), 0.39894228040143267794), gg_var_shift(gg_var_neg(xx), 2));
    }
    case GG__OP_SILU_GRAD: { /* s' (2 + x (1 - 2 s)), s' = s (1 - s) */
        gg_var *s = gg_var_sigmoid(x), *slope_ = gg_var_sub(s, gg_var_square(s));
        return gg_var_mul(slope_, gg_var_shift(gg_var_mul(x, gg_var_shift(gg_var_scale(s, -2), 1)), 2));
    }
    case GG__OP_GELU_TANH_GRAD: { /* x s(w), w = c (x + k x^3): 2 s' w' + x (s'' w'^2 + s' w''), s'' = s' (1 - 2 s) */
        const double c = 2 * 0.79788456080286535588, k = 0.044715;
        gg_var *xx = gg_var_square(x), *w = gg_var_mul(x, gg_var_shift(gg_var_scale(xx, c * k), c)), *w1 = gg_var_shift(gg_var_scale(xx, 3 * c * k), c);
        gg_var *s = gg_var_sigmoid(w), *s1 = gg_var_sub(s, gg_var_square(s));
        gg_var *inner = gg_var_add(gg_var_mul(gg_var_shift(gg_var_scale(s, -2), 1), gg_var_square(w1)), gg_var_scale(x, 6 * c * k));
        return gg_var_mul(s1, gg_var_add(gg_var_scale(w1, 2), gg_var_mul(x, inner)));
    }
    case GG__OP_ELU_GRAD: return gg_var_mul(gg_var_scale(gg_var_exp(gg_var_clip(x, -INFINITY, 0)), v->f[0]), gg_var_step(gg_var_neg(x)));
    default: return NULL; /* piecewise linear */
    }
}

void gg__gradient_slope(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? slope(d, v->in[1], v->op, v) : NULL;
    gg_var *f2 = wanted[1] ? second(v) : NULL;
    d_in[1] = f2 ? gg_var_mul(gg_var_mul(d, v->in[0]), f2) : NULL;
}

void gg__gradient_where(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *zero = gg_graph_fill(v->g, GG_SCALAR, 0);
    d_in[1] = wanted[1] ? gg__sum_to(gg_var_where(v->in[0], d, zero), v->in[1]->shape) : NULL;
    d_in[2] = wanted[2] ? gg__sum_to(gg_var_where(v->in[0], zero, d), v->in[2]->shape) : NULL;
}
