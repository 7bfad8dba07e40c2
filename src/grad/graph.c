/* Recording: the graph, its leaves, its mistakes; shapes and the strided walks over them. Owns all nodes through one arena. */
#include "grad/graph.h"
#include <stdio.h>

/* --- shapes ---------------------------------------------------------------------------------------------------------------------- */
int64_t gg__shape_size(gg_shape s)
{
    int64_t n = 1;
    if (s.n < 0 || s.n > GG_MAX_DIMS)
        return -1;
    for (int i = 0; i < s.n; i++)
        if (s.d[i] < 0 || __builtin_mul_overflow(n, s.d[i], &n) || n > INT64_MAX / 16)
            return -1;
    return n;
}

bool gg__shape_equal(gg_shape a, gg_shape b)
{
    if (a.n != b.n)
        return false;
    for (int i = 0; i < a.n; i++)
        if (a.d[i] != b.d[i])
            return false;
    return true;
}

bool gg__shape_broadcast(gg_shape *out, gg_shape a, gg_shape b)
{
    *out = (gg_shape){.n = a.n > b.n ? a.n : b.n};
    for (int i = 1; i <= out->n; i++) {
        const int64_t x = i <= a.n ? a.d[a.n - i] : 1, y = i <= b.n ? b.d[b.n - i] : 1;
        if (x != y && x != 1 && y != 1)
            return false;
        out->d[out->n - i] = x == 1 ? y : x;
    }
    return true;
}

gg__shape_text gg__shape_say(gg_shape s)
{
    gg__shape_text t = {"("};
    size_t at = 1;
    for (int i = 0; i < s.n && i < GG_MAX_DIMS; i++)
        at += (size_t)snprintf(t.text + at, sizeof t.text - at, i ? ", %lld" : "%lld", (long long)s.d[i]);
    snprintf(t.text + at, sizeof t.text - at, s.n == 1 ? ",)" : ")");
    return t;
}

int gg__axis(const gg_var *v, int axis)
{
    const int a = axis < 0 ? axis + v->shape.n : axis;
    if (a < 0 || a >= v->shape.n) {
        gg__mistake(v->g, GG_EINVAL, "axis %d of %s: it has %d", axis, SHAPE_TEXT(v), v->shape.n);
        return -1;
    }
    return a;
}

/* --- walks ------------------------------------------------------------------------------------------------------------------------ */
void gg__walk_merge(gg__walk *w, int n_dims, const int64_t *size, int64_t stride[3][GG_MAX_DIMS])
{
    *w = (gg__walk){.rows = 1};
    for (int d = 0; d < n_dims; d++) {
        if (size[d] == 1)
            continue;
        bool joins = w->n > 0;
        for (int k = 0; k < 3 && joins; k++)
            joins = w->stride[k][w->n - 1] == stride[k][d] * size[d];
        if (!joins)
            w->n++;
        w->size[w->n - 1] = (joins ? w->size[w->n - 1] : 1) * size[d];
        for (int k = 0; k < 3; k++)
            w->stride[k][w->n - 1] = stride[k][d];
    }
    if (w->n == 0) {
        w->n = 1;
        w->size[0] = 1;
    }
    for (int d = 0; d < w->n - 1; d++)
        w->rows *= w->size[d];
}

void gg__walk_broadcast(gg__walk *w, gg_shape out, gg_var *const *in, int n_in)
{
    int64_t stride[3][GG_MAX_DIMS] = {0};
    for (int k = 0; k < n_in; k++) {
        const gg_shape s = in[k]->shape;
        int64_t step = 1;
        for (int i = 1; i <= s.n; i++) {
            stride[k][out.n - i] = s.d[s.n - i] == 1 ? 0 : step;
            step *= s.d[s.n - i];
        }
    }
    gg__walk_merge(w, out.n, out.d, stride);
}

/* --- the graph ---------------------------------------------------------------------------------------------------------------------- */
gg_status gg_graph_create(gg_graph **out, gg_context *ctx, const gg_graph_options *o)
{
    const gg_graph_options none = {0};
    o = o ? o : &none;
    if (o->dtype != GG_F32 && o->dtype != GG_F64)
        return gg_fail(ctx, GG_EINVAL, "a graph computes in F32 or F64, not %s", gg_dtype_name(o->dtype));
    gg_graph *g = gg_new(ctx, gg_graph, 1);
    if (!g)
        return GG_ENOMEM;
    *g = (gg_graph){.ctx = ctx, .dtype = o->dtype, .accumulate = o->accumulate, .arena = {.ctx = ctx}, .loops = gg__loops_best(o->dtype == GG_F64)};
    if (gg_team_create(&g->team, ctx, o->n_threads > 0 ? o->n_threads : 1) != GG_OK) {
        gg_graph_free(g);
        return GG_ENOMEM;
    }
    *out = g;
    return GG_OK;
}

gg_status gg__graph_create_inner(gg_graph **out, gg_graph *outer)
{
    gg_graph *g = gg_new(outer->ctx, gg_graph, 1);
    if (!g)
        return GG_ENOMEM;
    *g = (gg_graph){.ctx = outer->ctx, .dtype = outer->dtype, .arena = {.ctx = outer->ctx}, .loops = outer->loops, .team = outer->team, .outer = outer};
    *out = g;
    return GG_OK;
}

void gg_graph_free(gg_graph *g)
{
    if (!g)
        return;
    gg_context *ctx = g->ctx;
    for (int32_t k = 0; k < g->n; k++)
        if (g->node[k]->op == GG__OP_SCAN)
            gg__scan_release(g->node[k]);
    if (!g->outer)
        gg_team_free(g->team);
    gg_arena_free(&g->arena);
    gg_drop(ctx, g->node);
    gg_drop(ctx, g->step);
    gg_drop(ctx, g->message);
    gg_drop(ctx, g->memory);
    gg_drop(ctx, g->scratch);
    gg_drop(ctx, g);
}

gg_var *gg__mistake(gg_graph *g, gg_status s, const char *format, ...)
{
    if (g->status != GG_OK)
        return NULL;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    g->status = s;
    g->message = gg_strdup(g->ctx, text);
    return NULL;
}

void *gg__graph_alloc(gg_graph *g, size_t bytes)
{
    void *p = gg_arena_alloc(&g->arena, bytes);
    if (!p)
        gg__mistake(g, GG_ENOMEM, "out of memory while recording");
    return p;
}

gg_var *gg__node_new(gg_graph *g, gg__op op, gg_dtype dtype, gg_shape shape, gg_var *const *in, int n_in)
{
    if (g->status != GG_OK)
        return NULL;
    const int64_t n = gg__shape_size(shape);
    if (g->planned)
        return gg__mistake(g, GG_EINVAL, "%s is recorded after planning", gg__operation_of(op)->name);
    if (n < 0)
        return gg__mistake(g, GG_EINVAL, "%s: no array has the shape %s", gg__operation_of(op)->name, gg__shape_say(shape).text);
    for (int i = 0; i < n_in; i++)
        if (!in[i] || in[i]->g != g)
            return in[i] ? gg__mistake(g, GG_EINVAL, "%s: an input belongs to another graph", gg__operation_of(op)->name) : NULL;
    gg_var *v = gg__graph_alloc(g, sizeof *v);
    gg_var **own = v && n_in ? gg__graph_alloc(g, (size_t)n_in * sizeof *own) : NULL;
    if (!v || (n_in && !own) || gg_grow(g->ctx, &g->node, g->n, &g->cap, 256) != GG_OK)
        return gg__mistake(g, GG_ENOMEM, "out of memory while recording");
    for (int i = 0; i < n_in; i++)
        own[i] = in[i];
    *v = (gg_var){.g = g, .id = g->n, .op = op, .dtype = dtype, .shape = shape, .n = n, .n_in = n_in, .in = own, .param = -1};
    g->node[g->n++] = v;
    return v;
}

/* --- leaves -------------------------------------------------------------------------------------------------------------------------- */
static gg_var *leaf(gg_graph *g, gg__op op, gg_dtype dtype, gg_shape shape, const char *name)
{
    gg_var *v = gg__node_new(g, op, dtype, shape, NULL, 0);
    if (!v || !(v->data = gg__graph_alloc(g, gg_mul(v->n, gg_dtype_block_bytes(dtype)))))
        return NULL;
    if (name && !(v->name = gg_arena_strndup(&g->arena, name, strlen(name))))
        return gg__mistake(g, GG_ENOMEM, "out of memory while recording");
    return v;
}

gg_var *gg_graph_input(gg_graph *g, const char *name, gg_shape shape) { return leaf(g, GG__OP_INPUT, g->dtype, shape, name); }
gg_var *gg_graph_index(gg_graph *g, const char *name, gg_shape shape) { return leaf(g, GG__OP_INPUT, GG_I32, shape, name); }

gg_var *gg_graph_param(gg_graph *g, gg_params *p, const char *name)
{
    const int i = gg_params_find(p, name);
    if (i < 0)
        return gg__mistake(g, GG_ENOENT, "there is no parameter %s", name);
    if (gg_params_dtype(p) != g->dtype)
        return gg__mistake(g, GG_EMISMATCH, "parameter %s is %s, the graph %s", name, gg_dtype_name(gg_params_dtype(p)), gg_dtype_name(g->dtype));
    if (g->outer)
        return gg_graph_capture(g, gg_graph_param(g->outer, p, name));
    for (int32_t k = 0; k < g->n; k++) /* the same leaf for the same parameter: its gradients add up */
        if (g->node[k]->op == GG__OP_PARAM && g->node[k]->params == p && g->node[k]->param == i)
            return g->node[k];
    gg_var *v = gg__node_new(g, GG__OP_PARAM, g->dtype, gg_params_shape(p, i), NULL, 0);
    if (v) {
        v->params = p;
        v->param = i;
        v->name = gg_params_name(p, i);
    }
    return v;
}

gg_var *gg_graph_constant(gg_graph *g, gg_shape shape, const double *values)
{
    gg_var *v = leaf(g, GG__OP_CONSTANT, g->dtype, shape, NULL);
    for (int64_t i = 0; v && i < v->n; i++)
        gg__put(v, i, values[i]);
    return v;
}

gg_var *gg_graph_fill(gg_graph *g, gg_shape shape, double value)
{
    gg_var *v = leaf(g, GG__OP_CONSTANT, g->dtype, GG_SCALAR, NULL); /* one number, however large the shape */
    if (v)
        gg__put(v, 0, value);
    return v && shape.n ? gg_var_broadcast(v, shape) : v;
}

gg_var *gg__zeros_like(gg_var *v) { return v ? gg_graph_fill(v->g, v->shape, 0) : NULL; }

gg_shape gg_var_shape(const gg_var *v) { return v->shape; }
int64_t gg_var_size(const gg_var *v) { return v->n; }
gg_dtype gg_var_dtype(const gg_var *v) { return v->dtype; }
size_t gg_var_bytes(const gg_var *v) { return gg_mul(v->n, gg_dtype_block_bytes(v->dtype)); }
size_t gg_graph_arena_bytes(const gg_graph *g) { return g->memory_bytes; }
int gg_graph_nodes(const gg_graph *g) { return g->n_steps; }
