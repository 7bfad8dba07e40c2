/* Dropout: a number stays with probability 1 - p, divided by it, else it is 0 (Srivastava et al. 2014, inverted).
 *
 * Which ones stay is a function of (seed, how many dropouts were recorded before, run, position) through Philox, so the way back draws the same
 * without keeping a mask, and nothing depends on threads. The position is that in the whole batch where the graph runs a part of it
 * (gg__graph_set_part), whose rows are slowest. When the graph is not training it is a copy.
 */
#include "grad/graph.h"
#include <Random123/philox.h>

gg_var *gg_var_dropout(gg_var *x, double p)
{
    if (!x)
        return NULL;
    if (!(p >= 0 && p < 1))
        return gg__mistake(x->g, GG_EINVAL, "dropout of %g: a probability below 1", p);
    if (p == 0)
        return x;
    gg_var *v = gg__node(x->g, GG__OP_DROPOUT, x->shape, x);
    if (v) {
        v->f[0] = p;
        v->i[0] = v->g->n_draws++;
    }
    return v;
}

static void dropout_range(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg_graph *g = v->g;
    const uint32_t limit = (uint32_t)(v->f[0] * 4294967296.0);
    const double keep = 1 / (1 - v->f[0]);
    const philox4x32_key_t key = {{(uint32_t)g->seed, (uint32_t)(g->seed >> 32)}};
    const int64_t before = g->part_n ? v->n / g->part_n * g->part_first : 0, end = 4 * last < v->n ? 4 * last : v->n;
    for (int64_t i = 4 * first; i < end;) {
        const uint64_t block = (uint64_t)(before + i) / 4; /* four numbers each */
        const philox4x32_ctr_t at = {{(uint32_t)block, (uint32_t)(block >> 32) ^ (uint32_t)v->i[0] << 8, (uint32_t)g->n_runs, (uint32_t)(g->n_runs >> 32)}};
        const philox4x32_ctr_t r = philox4x32(at, key);
        for (int64_t k = (before + i) & 3; k < 4 && i < end; k++, i++)
            if (v->dtype == GG_F64)
                ((double *)v->data)[i] = r.v[k] >= limit ? ((const double *)v->in[0]->data)[i] * keep : 0;
            else
                ((float *)v->data)[i] = r.v[k] >= limit ? ((const float *)v->in[0]->data)[i] * (float)keep : 0;
    }
}

gg_status gg__run_dropout(gg_var *v)
{
    if (v->g->training)
        gg__split(v, (v->n + 3) / 4, 40, dropout_range);
    else if (v->data != v->in[0]->data)
        memcpy(v->data, v->in[0]->data, gg_var_bytes(v));
    return GG_OK;
}

void gg__gradient_dropout(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = wanted[0] && d ? gg__node(v->g, GG__OP_DROPOUT, v->shape, d) : NULL;
    if (x) {
        x->f[0] = v->f[0];
        x->i[0] = v->i[0]; /* the same draw */
    }
    d_in[0] = x;
}
