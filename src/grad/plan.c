/* Planning and running. Owns the memory of all values that no leaf owns.
 *
 * What is asked for (kept values, gradients to store) and all it needs is a step; the rest is never computed. Values live from the step that
 * makes them to the last that reads them; those that are never alive together share memory: largest first, each at the lowest place that
 * is free for its life (Pisarchyk & Lee 2020, "greedy by size"). An elementwise step writes over an input that dies there. A gradient
 * is made where its parameter wants it, so that storing it costs nothing.
 */
#include "grad/graph.h"
#include <math.h>
#include <stdlib.h>

typedef struct life {
    gg_var *v;
    int first, last; /* steps */
    int64_t bytes, offset;
} life;

static bool is_leaf(const gg_var *v) { return v->op == GG__OP_INPUT || v->op == GG__OP_PARAM || v->op == GG__OP_CONSTANT; }

static void mark_used(gg_graph *g)
{
    for (int32_t k = g->n - 1; k >= 0; k--) {
        gg_var *v = g->node[k];
        v->used = v->used || v->kept || v->op == GG__OP_STORE;
        for (int i = 0; i < v->n_in && v->used; i++)
            v->in[i]->used = true;
    }
}

/* A gradient that nothing else owns is made in its parameter's place; other stores copy. */
static gg_status place_gradients(gg_graph *g)
{
    for (int32_t k = 0; k < g->n; k++) {
        gg_var *v = g->node[k];
        if (v->op != GG__OP_STORE)
            continue;
        if (!(v->data = gg_params_gradient(v->params, v->param)))
            return GG_ENOMEM;
        gg_var *root = g->node[v->in[0]->root];
        if (!g->accumulate && !is_leaf(root) && !root->data && root->n == v->n)
            root->data = v->data;
    }
    return GG_OK;
}

/* Whose storage each node has: aliases that of their input; elementwise steps that of an input which nobody needs afterwards. */
static void find_roots(gg_graph *g)
{
    for (int32_t k = 0; k < g->n; k++)
        g->node[k]->root = g->node[k]->op == GG__OP_ALIAS || g->node[k]->op == GG__OP_CHECKPOINT ? g->node[k]->in[0]->root : k;
}

static bool own_place(const gg_var *v) { return is_leaf(v) || v->data || v->taped; }

static void find_lives(life *life_, gg_graph *g)
{
    for (int32_t k = 0; k < g->n; k++) {
        gg_var *v = g->node[k];
        life *l = &life_[v->root];
        if (v->root == k) /* results of a loop are written while it runs */
            *l = (life){.v = v, .first = v->op == GG__OP_SCAN_OUT ? v->in[0]->id : k, .last = k, .bytes = (int64_t)((gg_var_bytes(v) + 63) & ~(size_t)63)};
        if (!v->used)
            continue;
        if (v->kept)
            l->last = INT32_MAX;
        for (int i = 0; i < v->n_in; i++) {
            life *in = &life_[v->in[i]->root];
            in->last = in->last > k ? in->last : k;
        }
    }
    for (int32_t k = 0; k < g->n; k++) { /* in the order of the steps: a chain writes over one place */
        gg_var *v = g->node[k];
        if (!v->used || !gg__operation_of(v->op)->elementwise || own_place(v))
            continue;
        for (int i = 0; i < v->n_in && v->root == k; i++) {
            const int32_t r = v->in[i]->root;
            const gg_var *in = g->node[r];
            if (own_place(in) || life_[r].last != k || in->n != v->n || v->in[i]->n != v->n || in->dtype != v->dtype)
                continue;
            life_[r].last = life_[k].last;
            for (int32_t later = k; later < g->n; later++) /* its aliases come along */
                if (g->node[later]->root == k)
                    g->node[later]->root = r;
        }
    }
}

static int largest_first(const void *pa, const void *pb)
{
    const life *a = *(life *const *)pa, *b = *(life *const *)pb;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : a->v->id - b->v->id;
}

static int lowest_first(const void *pa, const void *pb)
{
    const life *a = *(life *const *)pa, *b = *(life *const *)pb;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static gg_status lay_out(life *life_, gg_graph *g)
{
    life **order = gg_new(g->ctx, life *, 2 * (int64_t)g->n), **near = order + g->n;
    if (!order)
        return GG_ENOMEM;
    int n = 0;
    for (int32_t k = 0; k < g->n; k++)
        if (g->node[k]->root == k && g->node[k]->used && !own_place(g->node[k]))
            order[n++] = &life_[k];
    qsort(order, (size_t)n, sizeof *order, largest_first);
    int64_t all = 0;
    for (int i = 0; i < n; i++) {
        life *l = order[i];
        int n_near = 0;
        for (int j = 0; j < i; j++)
            if (order[j]->first <= l->last && l->first <= order[j]->last)
                near[n_near++] = order[j];
        qsort(near, (size_t)n_near, sizeof *near, lowest_first);
        int64_t at = 0;
        for (int j = 0; j < n_near && near[j]->offset < at + l->bytes; j++)
            at = near[j]->offset + near[j]->bytes > at ? near[j]->offset + near[j]->bytes : at;
        l->offset = at;
        all = at + l->bytes > all ? at + l->bytes : all;
    }
    char *memory = gg_alloc(g->ctx, (size_t)all);
    if (memory)
        for (int i = 0; i < n; i++)
            order[i]->v->data = memory + order[i]->offset;
    gg_drop(g->ctx, order);
    if (!memory)
        return GG_ENOMEM;
    g->memory = memory;
    g->memory_bytes = (size_t)all;
    return GG_OK;
}

static gg_status make_steps(gg_graph *g)
{
    g->step = gg_new(g->ctx, gg_var *, g->n);
    if (!g->step)
        return GG_ENOMEM;
    for (int32_t k = 0; k < g->n; k++) {
        gg_var *v = g->node[k];
        if (!v->used)
            continue;
        if (v->op == GG__OP_PARAM && !(v->data = gg_params_value(v->params, v->param)))
            return GG_ENOMEM;
        if (v->root != k)
            v->data = g->node[v->root]->data;
        if (v->op == GG__OP_SCAN)
            GG_TRY(gg__scan_plan(v));
        v->run = gg__operation_of(v->op)->kernel;
        if (v->run && !(v->op == GG__OP_STORE && v->data == v->in[0]->data))
            g->step[g->n_steps++] = v;
        g->scratch_bytes = v->scratch_bytes > g->scratch_bytes ? v->scratch_bytes : g->scratch_bytes;
    }
    g->scratch_bytes = (g->scratch_bytes + 63) & ~(size_t)63;
    g->scratch = gg_alloc(g->ctx, gg_mul(gg_team_threads(g->team), (int64_t)g->scratch_bytes));
    return g->scratch ? GG_OK : GG_ENOMEM;
}

gg_status gg__plan_begin(gg_graph *g, gg_var *const *keep, int n)
{
    for (int i = 0; i < n; i++)
        keep[i]->kept = true;
    mark_used(g);
    find_roots(g);
    g->planned = true;
    return place_gradients(g);
}

gg_status gg__plan_end(gg_graph *g)
{
    life *life_ = gg_new(g->ctx, life, g->n);
    if (!life_)
        return GG_ENOMEM;
    find_lives(life_, g);
    const gg_status s = lay_out(life_, g);
    gg_drop(g->ctx, life_);
    return s == GG_OK ? make_steps(g) : s;
}

gg_status gg_graph_plan(gg_graph *g, gg_var *const *keep, int n)
{
    for (int i = 0; i < n && g->status == GG_OK; i++)
        if (!keep[i])
            gg__mistake(g, GG_EINVAL, "plan: value %d to keep is NULL", i);
    if (g->status != GG_OK)
        return gg_fail(g->ctx, g->status, "%s", g->message ? g->message : gg_status_text(g->status));
    if (g->planned)
        return gg_fail(g->ctx, GG_EINVAL, "the graph is planned already");
    GG_TRY(gg__plan_begin(g, keep, n));
    return gg__plan_end(g);
}

/* --- running ------------------------------------------------------------------------------------------------------------------------- */
gg_status gg_graph_run(gg_graph *g)
{
    if (!g->step)
        return gg_fail(g->ctx, GG_EINVAL, "the graph has not been planned");
    for (int i = 0; i < g->n_steps; i++) {
        const gg_status s = g->step[i]->run(g->step[i]);
        if (s != GG_OK)
            return s;
    }
    g->n_runs++;
    return GG_OK;
}

gg_status gg_graph_run_checked(gg_graph *g)
{
    if (!g->step)
        return gg_fail(g->ctx, GG_EINVAL, "the graph has not been planned");
    for (int32_t k = 0; k < g->n; k++) {
        const gg_var *v = g->node[k];
        if (is_leaf(v) && v->used && v->dtype == g->dtype && !g->loops->all_finite(v->data, v->n))
            return gg_fail(g->ctx, GG_ENAN, "%s %s %s holds a number that is not finite", gg__operation_of(v->op)->name, v->name ? v->name : "", SHAPE_TEXT(v));
    }
    for (int i = 0; i < g->n_steps; i++) {
        gg_var *v = g->step[i];
        GG_TRY(v->run(v));
        if (v->dtype == g->dtype && !g->loops->all_finite(v->data, v->n))
            return gg_fail(g->ctx, GG_ENAN, "step %d, %s -> %s, gives a number that is not finite", i, v->name ? v->name : gg__operation_of(v->op)->name,
                           SHAPE_TEXT(v));
    }
    g->n_runs++;
    return GG_OK;
}

void gg_graph_set_training(gg_graph *g, bool training, uint64_t seed)
{
    g->training = training;
    g->seed = seed;
    for (int32_t k = 0; k < g->n; k++)
        if (g->node[k]->op == GG__OP_SCAN)
            gg_graph_set_training(gg__scan_body(g->node[k]), training, seed + (uint64_t)k + 1);
}

void gg__graph_set_part(gg_graph *g, int64_t first, int64_t n)
{
    g->part_first = first;
    g->part_n = n;
}

void *gg_var_data(gg_var *v) { return v->data; }

double gg_var_item(const gg_var *v)
{
    return !v->data ? NAN : v->dtype == GG_F64 ? *(const double *)v->data : v->dtype == GG_I32 ? *(const int32_t *)v->data : *(const float *)v->data;
}

/* --- work cut into pieces ---------------------------------------------------------------------------------------------------------------- */
typedef struct cut {
    gg_var *v;
    gg__range body;
    int64_t n, n_pieces;
} cut;

static void do_piece(void *user, int64_t piece, int worker)
{
    const cut *c = user;
    c->body(c->v, c->n * piece / c->n_pieces, c->n * (piece + 1) / c->n_pieces, worker);
}

void gg__split(gg_var *v, int64_t n, int64_t cost, gg__range body)
{
    enum { PAYS = 1 << 15 }; /* numbers touched: some 3 to 10 microseconds */
    const int64_t pieces = n * cost / PAYS;
    if (gg_team_threads(v->g->team) == 1 || pieces < 2) {
        if (n > 0)
            body(v, 0, n, 0);
        return;
    }
    const int64_t most = 4 * (int64_t)gg_team_threads(v->g->team);
    cut c = {.v = v, .body = body, .n = n, .n_pieces = pieces < most ? pieces : most};
    c.n_pieces = c.n_pieces < n ? c.n_pieces : n;
    gg_team_run(v->g->team, c.n_pieces, do_piece, &c);
}

gg_status gg__run_store(gg_var *v)
{
    if (v->g->accumulate)
        v->g->loops->add_to(v->data, v->in[0]->data, v->n);
    else
        v->g->loops->copy(v->data, v->in[0]->data, 1, v->n);
    return GG_OK;
}
