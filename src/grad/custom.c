/* An operation of the user's: one function that computes it, one that records its gradient. */
#include "grad/graph.h"

gg_var *gg_var_custom(gg_graph *g, gg_shape shape, gg_var *const *in, int n, const gg_custom *op)
{
    if (!op->run)
        return gg__mistake(g, GG_EINVAL, "custom operation %s: there is no function that computes it", op->name ? op->name : "");
    gg_var *v = gg__node_new(g, GG__OP_CUSTOM, g->dtype, shape, in, n);
    gg_custom *own = v ? gg__graph_alloc(g, sizeof *own) : NULL;
    if (!own)
        return NULL;
    *own = *op;
    v->plan = own;
    v->no_gradient = !op->gradient;
    if (op->name)
        v->name = gg_arena_strndup(&g->arena, op->name, strlen(op->name));
    return v;
}

gg_status gg__run_custom(gg_var *v)
{
    const gg_custom *op = v->plan;
    return op->run(op->user, v, v->in, v->n_in);
}

void gg__gradient_custom(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const gg_custom *op = v->plan;
    (void)wanted; /* what nobody wants is recorded, and never run */
    op->gradient(op->user, d_in, v->in, v->n_in, v, d);
}
