/* Checkpointing of a segment (Griewank & Walther 2000; Chen et al. 2016): what lies between `from` and y is not kept for the way back, but computed again.
 *
 * CHECKPOINT is y under another name, with the segment's boundary among its inputs: `from`, and the leaves that the segment reads. On the way back the
 * nodes of the segment are recorded once more, behind everything, and their gradient is taken: the first ones then die where the
 * forward pass has no more use for them. The copies have the same attributes, so dropout draws the same; running statistics do not move again.
 */
#include "grad/graph.h"

typedef struct segment {
    int n, n_edges;
    gg_var **node; /* (n,) in order; the last is y */
    gg_var **edge; /* (n_edges,) what they read; a copy of the whole has others in their place (its inputs behind the first) */
} segment;

static bool is_leaf(const gg_var *v) { return v->op == GG__OP_INPUT || v->op == GG__OP_PARAM || v->op == GG__OP_CONSTANT; }

gg_var *gg_var_checkpoint(gg_var *y, gg_var *const *from, int n)
{
    if (!y)
        return NULL;
    gg_graph *g = y->g;
    enum { NO, INSIDE, EDGE };
    char *place = gg__graph_alloc(g, (size_t)y->id + 1);
    segment *s = gg__graph_alloc(g, sizeof *s);
    for (int i = 0; i < n; i++)
        if (!from[i] || from[i]->g != g)
            return from[i] ? gg__mistake(g, GG_EINVAL, "checkpoint: an input belongs to another graph") : NULL;
    if (!place || !s)
        return NULL;
    place[y->id] = INSIDE;
    for (int32_t k = y->id; k >= 0; k--) {
        gg_var *v = g->node[k];
        if (place[k] == NO)
            continue;
        bool edge = is_leaf(v);
        for (int i = 0; i < n; i++)
            edge = edge || from[i] == v;
        if (edge) {
            place[k] = EDGE;
            s->n_edges++;
            continue;
        }
        if (v->op == GG__OP_SCAN || v->op == GG__OP_SCAN_GRAD)
            return gg__mistake(g, GG_EUNSUPPORTED, "checkpoint: a loop over time (scan) keeps its own tape and cannot be computed again");
        s->n++;
        for (int i = 0; i < v->n_in; i++)
            place[v->in[i]->id] = INSIDE;
    }
    if (place[y->id] == EDGE)
        return y;
    gg_var **in = gg__graph_alloc(g, gg_mul(1 + s->n_edges, sizeof *in));
    if (!(s->node = gg__graph_alloc(g, gg_mul(s->n, sizeof *s->node))) || !in)
        return NULL;
    in[0] = y;
    s->edge = in + 1;
    int inside = 0, edges = 0;
    for (int32_t k = 0; k <= y->id; k++)
        if (place[k] == INSIDE)
            s->node[inside++] = g->node[k];
        else if (place[k] == EDGE)
            in[1 + edges++] = g->node[k];
    gg_var *v = gg__node_new(g, GG__OP_CHECKPOINT, y->dtype, y->shape, in, 1 + s->n_edges);
    if (v)
        v->plan = s;
    return v;
}

static gg_var *copy_of(gg_var *v, gg_var *const *again, gg_var **in)
{
    for (int i = 0; i < v->n_in; i++)
        in[i] = again[v->in[i]->id];
    gg_var *c = gg__node_new(v->g, v->op, v->dtype, v->shape, in, v->n_in);
    if (!c)
        return NULL;
    memcpy(c->f, v->f, sizeof c->f);
    memcpy(c->i, v->i, sizeof c->i);
    c->loop1 = v->loop1;
    c->loop2 = v->loop2;
    c->plan = v->plan;
    c->parts = v->parts;
    c->scratch_bytes = v->scratch_bytes;
    c->no_gradient = v->no_gradient;
    c->name = v->name;
    if (v->op == GG__OP_BATCH_STATS)
        c->i[0] = 1;
    return c;
}

void gg__gradient_checkpoint(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_graph *g = v->g;
    const segment *s = v->plan;
    int most = v->n_in;
    for (int k = 0; k < s->n; k++)
        most = s->node[k]->n_in > most ? s->node[k]->n_in : most;
    const int32_t last = s->node[s->n - 1]->id, floor = g->n;
    gg_var **again = gg__graph_alloc(g, gg_mul(last + 1, sizeof *again)), **in = gg__graph_alloc(g, gg_mul(most, sizeof *in));
    if (!again || !in)
        return;
    for (int i = 0; i < s->n_edges; i++)
        again[s->edge[i]->id] = v->in[1 + i];
    for (int k = 0; k < s->n; k++)
        if (!(again[s->node[k]->id] = copy_of(s->node[k], again, in)))
            return;
    for (int i = 1; i < v->n_in; i++)
        in[i] = wanted[i] ? v->in[i] : NULL;
    in[0] = NULL; /* y itself takes no gradient: its copy does */
    gg__gradients_above(floor, d_in, again[last], d, in, v->n_in);
}
