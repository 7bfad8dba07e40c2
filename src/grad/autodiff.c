/* Gradients: reverse accumulation, recorded as more nodes of the same graph, so that gradients have gradients.
 *
 *     d[y] = dy;  for v from y down:  d[in] += (d v / d in)^T d[v]
 * Only nodes on a path from something asked for get one. Nodes are numbered as they were recorded, so going down the numbers is a
 * topological order.
 */
#include "grad/graph.h"

static void accumulate(gg_var **d, gg_var *more)
{
    if (more)
        *d = *d ? gg_var_add(*d, more) : more;
}

/* Through a chain that computes the same: for what has no rule of its own, above all the gradients of large operations. The inputs are independent
 * here, though one of them may have been computed from another: nothing flows on behind them. */
void gg__gradient_composite(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const int32_t floor = v->g->n;
    gg_var *same = gg__operation_of(v->op)->composite(v), **wrt = gg__graph_alloc(v->g, gg_mul(v->n_in, sizeof *wrt));
    for (int i = 0; i < v->n_in && wrt; i++) {
        bool again = false; /* one value at two places: what flows to it is found once, for both */
        for (int j = 0; j < i; j++)
            again = again || v->in[j] == v->in[i];
        wrt[i] = wanted[i] && !again ? v->in[i] : NULL;
    }
    if (same && wrt)
        gg__gradients_above(floor, d_in, same, d, wrt, v->n_in);
}

static void flow(gg_graph *g, gg_var **d, const bool *needed, gg_var *v)
{
    const gg__operation *op = gg__operation_of(v->op);
    if (v->n_in == 0 || v->no_gradient || !op->gradient)
        return;
    gg_var **d_in = gg__graph_alloc(g, (size_t)v->n_in * sizeof *d_in);
    bool *wanted = gg__graph_alloc(g, (size_t)v->n_in);
    if (!d_in || !wanted)
        return;
    for (int i = 0; i < v->n_in; i++)
        wanted[i] = needed[v->in[i]->id];
    if (v->op == GG__OP_SCAN)
        gg__gradient_scan(d_in, wanted, v, d);
    else
        op->gradient(d_in, wanted, v, d[v->id]);
    for (int i = 0; i < v->n_in; i++) {
        if (!wanted[i] || !d_in[i])
            continue;
        if (!gg__shape_equal(d_in[i]->shape, v->in[i]->shape)) {
            gg__mistake(g, GG_EINTERNAL, "the gradient of %s has the shape %s, its input %s", op->name, SHAPE_TEXT(d_in[i]), SHAPE_TEXT(v->in[i]));
            return;
        }
        accumulate(&d[v->in[i]->id], d_in[i]);
    }
}

/* Nodes before `floor` are looked at only where they are asked for. */
static gg_status sweep(int32_t floor, gg_var **out, gg_var *const *y, gg_var *const *dy, int n_y, gg_var *const *wrt, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = NULL;
    int32_t last = -1;
    for (int k = 0; k < n_y; k++) {
        if (!y[k])
            return GG_EINVAL; /* plan tells the mistake that made it so */
        if (dy[k] && !gg__shape_equal(dy[k]->shape, y[k]->shape)) {
            gg__mistake(y[k]->g, GG_EINVAL, "gradients: the weights have the shape %s, y %s", SHAPE_TEXT(dy[k]), SHAPE_TEXT(y[k]));
            return GG_EINVAL;
        }
        last = y[k]->id > last ? y[k]->id : last;
    }
    if (n_y == 0)
        return GG_OK;
    gg_graph *g = y[0]->g;
    bool *needed = gg__graph_alloc(g, (size_t)last + 1);
    gg_var **d = gg__graph_alloc(g, gg_mul(last + 1, sizeof *d));
    if (!needed || !d)
        return GG_ENOMEM;
    for (int i = 0; i < n; i++)
        if (wrt[i] && wrt[i]->id <= last)
            needed[wrt[i]->id] = true;
    for (int32_t k = floor; k <= last; k++) {
        const gg_var *v = g->node[k];
        for (int i = 0; i < v->n_in && !v->no_gradient && gg__operation_of(v->op)->gradient; i++)
            needed[k] = needed[k] || needed[v->in[i]->id];
    }
    for (int k = 0; k < n_y; k++)
        accumulate(&d[y[k]->id], dy[k] ? dy[k] : gg_graph_fill(g, y[k]->shape, 1));
    for (int32_t k = last; k >= floor && g->status == GG_OK; k--)
        if (needed[k] && (d[k] || (g->node[k]->op == GG__OP_SCAN && gg__scan_flows(g->node[k], d))))
            flow(g, d, needed, g->node[k]);
    for (int i = 0; i < n; i++)
        out[i] = wrt[i] && wrt[i]->id <= last && needed[wrt[i]->id] ? d[wrt[i]->id] : NULL;
    return g->status;
}

gg_status gg__gradients_of(gg_var **out, gg_var *const *y, gg_var *const *dy, int n_y, gg_var *const *wrt, int n) { return sweep(0, out, y, dy, n_y, wrt, n); }
gg_status gg__gradients(gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n) { return sweep(0, out, &y, &dy, 1, wrt, n); }

gg_status gg__gradients_above(int32_t floor, gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n)
{
    return sweep(floor, out, &y, &dy, 1, wrt, n);
}

gg_status gg_var_gradients(gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n)
{
    GG_TRY(gg__gradients(out, y, dy, wrt, n));
    for (int i = 0; i < n; i++)
        out[i] = out[i] ? out[i] : gg__zeros_like(wrt[i]);
    return y->g->status;
}

gg_status gg_graph_backward(gg_var *loss)
{
    if (!loss)
        return GG_EINVAL;
    gg_graph *g = loss->g;
    if (loss->n != 1) {
        gg__mistake(g, GG_EINVAL, "backward: the loss has the shape %s, a scalar is needed (take its mean or sum)", SHAPE_TEXT(loss));
        return g->status;
    }
    gg_var **wrt = gg__graph_alloc(g, gg_mul(2 * (int64_t)g->n, sizeof *wrt));
    if (!wrt)
        return GG_ENOMEM;
    gg_var **d = wrt + g->n;
    int n = 0;
    for (int32_t k = 0; k < g->n; k++)
        if (g->node[k]->op == GG__OP_PARAM && !(gg_params_flags(g->node[k]->params, g->node[k]->param) & (GG_PARAM_FROZEN | GG_PARAM_BUFFER)))
            wrt[n++] = g->node[k];
    GG_TRY(gg_var_gradients(d, loss, NULL, wrt, n));
    for (int i = 0; i < n; i++) {
        gg_var *s = gg__node(g, GG__OP_STORE, wrt[i]->shape, d[i]);
        if (!s)
            return g->status;
        s->params = wrt[i]->params;
        s->param = wrt[i]->param;
    }
    return g->status;
}
