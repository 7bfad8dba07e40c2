/* Graphs by shape: each is recorded and planned when its shape first comes, and kept while it is among the last `capacity` that came. */
#include "grad/graph.h"

typedef struct plan {
    gg_shape shape;
    gg_graph *g;
    gg_var **var; /* (n_vars,) */
    int64_t last; /* when it was asked for */
} plan;

struct gg_plans {
    gg_context *ctx;
    gg_graph_options options;
    gg_plans_record record;
    void *user;
    int capacity, n, n_vars;
    plan *at; /* (capacity,) */
    int64_t asked, recorded;
};

gg_status gg_plans_create(gg_plans **out, gg_context *ctx, const gg_graph_options *o, int capacity, int n_vars, gg_plans_record record, void *user)
{
    if (capacity < 1 || n_vars < 1)
        return gg_fail(ctx, GG_EINVAL, "plans: room for %d graphs of %d variables", capacity, n_vars);
    gg_plans *p = gg_new(ctx, gg_plans, 1);
    plan *at = p ? gg_new(ctx, plan, capacity) : NULL;
    if (!at) {
        gg_drop(ctx, p);
        return GG_ENOMEM;
    }
    *p = (gg_plans){.ctx = ctx, .options = o ? *o : (gg_graph_options){0}, .record = record, .user = user, .capacity = capacity, .n_vars = n_vars, .at = at};
    *out = p;
    return GG_OK;
}

static void drop(gg_plans *p, plan *one)
{
    gg_graph_free(one->g);
    gg_drop(p->ctx, one->var);
    *one = (plan){0};
}

void gg_plans_free(gg_plans *p)
{
    if (!p)
        return;
    gg_context *ctx = p->ctx;
    for (int i = 0; i < p->n; i++)
        drop(p, &p->at[i]);
    gg_drop(ctx, p->at);
    gg_drop(ctx, p);
}

static gg_status record(gg_plans *p, plan *one)
{
    GG_TRY(gg_graph_create(&one->g, p->ctx, &p->options));
    gg_var **keep = one->var = gg_new(p->ctx, gg_var *, 2 * (int64_t)p->n_vars);
    if (!keep)
        return GG_ENOMEM;
    keep += p->n_vars;
    const gg_status s = p->record(p->user, one->g, one->shape, one->var);
    int n = 0;
    for (int i = 0; i < p->n_vars; i++)
        if (one->var[i])
            keep[n++] = one->var[i];
    GG_TRY(gg_graph_plan(one->g, keep, n)); /* tells mistakes of the recording before what record made of them */
    return s;
}

gg_status gg_plans_get(gg_graph **g, gg_var *const **var, gg_plans *p, gg_shape shape)
{
    plan *found = NULL, *oldest = p->at;
    for (int i = 0; i < p->n; i++) {
        found = gg__shape_equal(p->at[i].shape, shape) ? &p->at[i] : found;
        oldest = p->at[i].last < oldest->last ? &p->at[i] : oldest;
    }
    if (!found) {
        plan one = {.shape = shape};
        const gg_status s = record(p, &one);
        if (s != GG_OK) {
            drop(p, &one);
            return s;
        }
        found = p->n < p->capacity ? &p->at[p->n++] : oldest;
        if (found->g)
            drop(p, found);
        *found = one;
        p->recorded++;
    }
    found->last = ++p->asked;
    *g = found->g;
    *var = found->var;
    return GG_OK;
}

int64_t gg_plans_recorded(const gg_plans *p) { return p->recorded; }
