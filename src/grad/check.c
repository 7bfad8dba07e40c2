/* Gradients against central differences: (f(x + h) - f(x - h)) / 2h for every number of every input asked for. For tests: slow, and in double. */
#include "grad/graph.h"
#include <math.h>

gg_status gg_graph_check(double *worst, gg_graph *g, gg_var *loss, gg_var *const *wrt, gg_var *const *d, int n, double step)
{
    if (g->dtype != GG_F64 || !g->planned || !loss || !loss->kept)
        return gg_fail(g->ctx, GG_EINVAL, "check: a planned graph in F64 with its loss kept is needed");
    *worst = 0;
    for (int k = 0; k < n; k++) {
        double *x = wrt[k]->data, *found = gg_new(g->ctx, double, d[k]->n);
        if (!found)
            return GG_ENOMEM;
        gg_status s = gg_graph_run(g);
        memcpy(found, d[k]->data, gg_var_bytes(d[k]));
        double size = 0;
        for (int64_t i = 0; i < wrt[k]->n; i++)
            size = fmax(size, fabs(found[i]));
        for (int64_t i = 0; i < wrt[k]->n && s == GG_OK; i++) {
            const double here = x[i], h = step * fmax(1, fabs(here));
            double f[2] = {0};
            for (int side = 0; side < 2 && s == GG_OK; side++) {
                x[i] = here + (side ? h : -h);
                s = gg_graph_run(g);
                f[side] = gg_var_item(loss);
            }
            x[i] = here;
            const double want = (f[1] - f[0]) / (2 * h), error = fabs(found[i] - want) / fmax(1e-3, fmax(size, fabs(want)));
            *worst = error > *worst || isnan(error) ? error : *worst;
        }
        gg_drop(g->ctx, found);
        GG_TRY(s);
    }
    return gg_graph_run(g);
}
