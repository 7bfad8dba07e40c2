/* Derivatives that have names of their own, recorded with gg_var_gradients: Hessian-vector products, rows of Jacobians, gradients of each sample. */
#include "grad/graph.h"

/* H v = d (d y / d x . v) / d x (Pearlmutter 1994) */
gg_status gg_var_hessian_vector(gg_var **out, gg_var *y, gg_var *const *v, gg_var *const *wrt, int n)
{
    gg_var *along = NULL;
    for (int i = 0; i < n; i++)
        out[i] = NULL;
    if (!y)
        return GG_EINVAL; /* plan tells the mistake that made it so */
    if (y->n != 1) {
        gg__mistake(y->g, GG_EINVAL, "hessian_vector: y has the shape %s, a scalar is needed", SHAPE_TEXT(y));
        return y->g->status;
    }
    for (int i = 0; i < n; i++)
        if (!wrt[i] || !v[i])
            return GG_EINVAL;
        else if (!gg__shape_equal(v[i]->shape, wrt[i]->shape)) {
            gg__mistake(y->g, GG_EINVAL, "hessian_vector: vector %d has the shape %s, its variable %s", i, SHAPE_TEXT(v[i]), SHAPE_TEXT(wrt[i]));
            return y->g->status;
        }
    GG_TRY(gg_var_gradients(out, y, NULL, wrt, n));
    for (int i = 0; i < n; i++) {
        gg_var *part = gg_var_sum(gg_var_mul(out[i], gg_var_stop_gradient(v[i])), GG_ALL_AXES, false);
        along = along ? gg_var_add(along, part) : part;
    }
    return along ? gg_var_gradients(out, along, NULL, wrt, n) : y->g->status;
}

/* --- rows of a Jacobian -------------------------------------------------------------------------------------------------------------------- */
gg_var *gg_var_jacobian_rows(gg_var *y, gg_var *x, const int64_t *rows, int64_t n)
{
    if (!y || !x)
        return NULL;
    gg_graph *g = y->g;
    n = rows ? n : y->n;
    if (n < 1 || n > INT32_MAX || x->shape.n == GG_MAX_DIMS)
        return gg__mistake(g, GG_EINVAL, "jacobian_rows: %lld rows of d %s / d %s", (long long)n, SHAPE_TEXT(y), SHAPE_TEXT(x));
    gg_var **row = gg__graph_alloc(g, gg_mul(n, sizeof *row)), *one = gg_graph_fill(g, GG_SHAPE(1), 1);
    gg_shape s = {.n = x->shape.n + 1, .d = {1}};
    for (int d = 0; d < x->shape.n; d++)
        s.d[d + 1] = x->shape.d[d];
    for (int64_t k = 0; k < n && row; k++) {
        const int64_t at = rows ? rows[k] : k;
        if (at < 0 || at >= y->n)
            return gg__mistake(g, GG_EINVAL, "jacobian_rows: row %lld of %lld", (long long)at, (long long)y->n);
        gg_var *d = NULL, *dy = gg_var_reshape(gg_var_pad(one, 0, at, y->n - 1 - at), y->shape);
        if (!dy || gg_var_gradients(&d, y, dy, &x, 1) != GG_OK)
            return NULL;
        row[k] = gg_var_reshape(d, s);
    }
    return row ? gg_var_concat(row, (int)n, 0) : NULL;
}

/* --- gradients of each sample: a loop over samples whose step holds the gradient of one -------------------------------------------------------------- */
typedef struct samples {
    gg_sample_loss loss;
    void *user;
    gg_var *const *wrt;
    int n, n_in;
} samples;

static gg_status one_sample(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    (void)next, (void)carry;
    const samples *s = user;
    gg_var **wrt = gg__graph_alloc(g, gg_mul(2 * s->n, sizeof *wrt)), **d = wrt ? wrt + s->n : NULL;
    if (!wrt)
        return GG_ENOMEM;
    for (int i = 0; i < s->n; i++)
        wrt[i] = gg_graph_capture(g, s->wrt[i]);
    gg_var *y = s->loss(s->user, g, in, s->n_in);
    if (y && y->n != 1)
        y = gg__mistake(g, GG_EINVAL, "per_sample_gradients: the loss of a sample has the shape %s, a scalar is needed", SHAPE_TEXT(y));
    if (!y)
        return GG_EINVAL;
    GG_TRY(gg_var_gradients(d, y, NULL, wrt, s->n));
    for (int i = 0; i < s->n; i++)
        d[i] = gg_var_reshape(d[i], GG_SHAPE(-1));
    out[0] = gg_var_reshape(y, GG_SCALAR);
    out[1] = gg_var_concat(d, s->n, 0);
    return GG_OK;
}

gg_status gg_var_per_sample_gradients(gg_var **out, gg_var **losses, gg_graph *g, gg_sample_loss loss, void *user, gg_var *const *in, int n_in,
                                      gg_var *const *wrt, int n)
{
    samples s = {.loss = loss, .user = user, .wrt = wrt, .n = n, .n_in = n_in};
    gg_var *both[2] = {NULL, NULL}, *none = NULL;
    int64_t at = 0;
    for (int i = 0; i < n; i++)
        out[i] = NULL;
    for (int i = 0; i < n; i++)
        if (!wrt[i])
            return GG_EINVAL;
        else if (wrt[i]->shape.n == GG_MAX_DIMS) {
            gg__mistake(g, GG_EINVAL, "per_sample_gradients: %s has no room for another axis", SHAPE_TEXT(wrt[i]));
            return g->status;
        }
    const gg_status status = n > 0 ? gg_var_scan(&none, both, g, one_sample, &s, &none, 0, in, n_in, 2, 0) : GG_EINVAL;
    if (losses)
        *losses = both[0];
    for (int i = 0; i < n && both[1]; i++) {
        gg_shape shape = {.n = wrt[i]->shape.n + 1, .d = {both[1]->shape.d[0]}};
        memcpy(shape.d + 1, wrt[i]->shape.d, (size_t)wrt[i]->shape.n * sizeof *shape.d);
        out[i] = gg_var_reshape(gg_var_slice(both[1], 1, at, wrt[i]->n), shape);
        at += wrt[i]->n;
    }
    return status;
}
