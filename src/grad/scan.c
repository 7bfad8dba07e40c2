/* A loop over time: one step is recorded as a graph of its own, the body, and run T times. Nothing is unrolled.
 *
 *     (carry_1+t, out_t) = body(carry_t, in_t)                              t = 0 .. T-1
 *     (d carry_t, d in_t, + d captured) = body'(d carry_1+t, d out_t)       t = T-1 .. 0
 * The body holds its own gradient: nodes recorded behind those of the step. Values of the step that the gradient reads are taped, each as an array
 * (T, ...), so that going back computes nothing twice; step t works on slice t by moving pointers, without copies.
 * Gradients of what is captured (weights) are sums over t. One that is a product of two taped arrays, (B, M)^T (B, N), waits until the loop is
 * over and is one product of (T B) rows: the same sum, at the speed of a large product.
 *
 * In the outer graph the loop is a SCAN node, its results SCAN_OUT nodes, and the same for its gradient; a SCAN node writes the memory
 * of its SCAN_OUTs, whose lives begin with it.
 */
#include "grad/graph.h"

enum { MOST = 16 };

typedef struct moving { /* a node whose memory is slice t % period of an array */
    gg_var *v;
    char *const *base;
    int64_t stride, period; /* bytes, slices */
} moving;

typedef struct scan {
    gg_graph *body;
    int64_t T, truncate;
    int n_carry, n_in, n_out, n_captured;
    int32_t n_forward;                                       /* nodes of the step; the rest is its gradient */
    gg_var *carry[MOST], *in[MOST], *next[MOST], *out[MOST]; /* of the body */
    gg_var **captured;                                       /* (n_captured,) leaves of the body */
    gg_var *outer_out[2 * MOST];                             /* SCAN_OUTs: out, then the last carries */
    /* the gradient */
    bool backward;
    gg_var *back;                       /* its node */
    gg_var *d_next[MOST], *d_out[MOST]; /* leaves of the body; NULL: nothing flows in */
    gg_var **d;                         /* (n_carry + n_in + n_captured,) results of the body; NULL: none */
    gg_var **outer_d;                   /* the same, SCAN_OUTs of `back`; NULL: not wanted */
    bool *deferred;                     /* (n_captured,) */
    /* after planning */
    bool planned;
    moving *moving;
    int n_moving, n_steps_forward;
    char **tape;                        /* (nodes of the body,) of roots; NULL: not taped */
    char *carry_tape[MOST];             /* (T + 1, ...), or (2, ...) used in turn when nothing goes back */
    char *d_carry[MOST], *d_carry_next[MOST];
    char *in_data[MOST], *d_out_data[MOST], **captured_data;
} scan;

static scan *scan_of(const gg_var *v) { return v->plan; }
static int64_t bytes_of(const gg_var *v) { return (int64_t)gg_var_bytes(v); }

/* --- recording ------------------------------------------------------------------------------------------------------------------------ */
gg_var *gg_graph_capture(gg_graph *body, gg_var *outer)
{
    if (!outer)
        return NULL;
    for (int32_t k = 0; k < body->n; k++)
        if (body->node[k]->outer == outer)
            return body->node[k];
    gg_var *v = gg__node_new(body, GG__OP_INPUT, outer->dtype, outer->shape, NULL, 0);
    if (v)
        v->outer = outer;
    return v;
}

static gg_shape without_first(gg_shape s)
{
    gg_shape t = {.n = s.n - 1};
    for (int d = 1; d < s.n; d++)
        t.d[d - 1] = s.d[d];
    return t;
}

static gg_shape with_first(gg_shape s, int64_t T)
{
    gg_shape t = {.n = s.n + 1, .d = {T}};
    for (int d = 0; d < s.n; d++)
        t.d[d + 1] = s.d[d];
    return t;
}

/* A leaf of the body whose memory is given later. */
static gg_var *leaf_like(gg_graph *body, gg_dtype t, gg_shape s) { return gg__node_new(body, GG__OP_INPUT, t, s, NULL, 0); }

static gg_var *outer_out(gg_var *node, gg_shape s, int i)
{
    gg_var *v = gg__node_new(node->g, GG__OP_SCAN_OUT, node->g->dtype, s, &node, 1);
    if (v)
        v->i[0] = i;
    return v;
}

static bool check_step(gg_graph *g, const scan *s, gg_status made)
{
    gg_graph *b = s->body;
    if (b->status != GG_OK) {
        gg__mistake(g, b->status, "scan: %s", b->message ? b->message : gg_status_text(b->status));
        return false;
    }
    if (made != GG_OK) {
        gg__mistake(g, made, "scan: the step failed");
        return false;
    }
    for (int i = 0; i < s->n_carry; i++)
        if (!s->next[i] || !gg__shape_equal(s->next[i]->shape, s->carry[i]->shape)) {
            gg__mistake(g, GG_EINVAL, "scan: carry %d has the shape %s and becomes %s", i, SHAPE_TEXT(s->carry[i]), s->next[i] ? SHAPE_TEXT(s->next[i]) : "nothing");
            return false;
        }
    for (int i = 0; i < s->n_out; i++)
        if (!s->out[i] || s->out[i]->shape.n == GG_MAX_DIMS) {
            gg__mistake(g, GG_EINVAL, "scan: result %d is missing, or has too many axes", i);
            return false;
        }
    return true;
}

/* What the loop reads: carries, inputs, what the step captured. */
static bool connect(gg_var *v, scan *s, gg_var *const *carry, gg_var *const *in)
{
    gg_graph *g = v->g;
    const int n = s->n_carry + s->n_in + s->n_captured;
    gg_var **all = gg__graph_alloc(g, gg_mul(n, sizeof *all));
    if (!all)
        return false;
    memcpy(all, carry, (size_t)s->n_carry * sizeof *all);
    memcpy(all + s->n_carry, in, (size_t)s->n_in * sizeof *all);
    for (int i = 0; i < s->n_captured; i++)
        all[s->n_carry + s->n_in + i] = s->captured[i]->outer;
    v->in = all;
    v->n_in = n;
    return true;
}

gg_status gg_var_scan(gg_var **last, gg_var **out, gg_graph *g, gg_scan_step step, void *user, gg_var *const *carry, int n_carry, gg_var *const *in, int n_in,
                      int n_out, int64_t truncate)
{
    for (int i = 0; i < n_carry; i++)
        last[i] = NULL;
    for (int i = 0; i < n_out; i++)
        out[i] = NULL;
    if (n_carry > MOST || n_in > MOST || n_out > MOST || n_in < 1) {
        gg__mistake(g, GG_EINVAL, "scan: %d carries, %d inputs, %d results: at most %d each, and at least one input", n_carry, n_in, n_out, MOST);
        return g->status;
    }
    for (int i = 0; i < n_carry + n_in; i++)
        if (!(i < n_carry ? carry[i] : in[i - n_carry]))
            return GG_EINVAL;
    for (int i = 0; i < n_in; i++)
        if (in[i]->shape.n == 0 || in[i]->shape.d[0] != in[0]->shape.d[0]) {
            gg__mistake(g, GG_EINVAL, "scan: input %d has the shape %s, the first %s: the first axis is time", i, SHAPE_TEXT(in[i]), SHAPE_TEXT(in[0]));
            return g->status;
        }
    scan *s = gg__graph_alloc(g, sizeof *s);
    gg_var *v = s ? gg__node_new(g, GG__OP_SCAN, g->dtype, (gg_shape){.n = 1, .d = {0}}, NULL, 0) : NULL; /* owns the body whatever happens */
    if (!v)
        return g->status;
    v->plan = s;
    if (gg__graph_create_inner(&s->body, g) != GG_OK) {
        gg__mistake(g, GG_ENOMEM, "out of memory while recording");
        return g->status;
    }
    s->T = in[0]->shape.d[0];
    s->truncate = truncate;
    s->n_carry = n_carry;
    s->n_in = n_in;
    s->n_out = n_out;
    for (int i = 0; i < n_carry; i++)
        s->carry[i] = leaf_like(s->body, carry[i]->dtype, carry[i]->shape);
    for (int i = 0; i < n_in; i++)
        s->in[i] = leaf_like(s->body, in[i]->dtype, without_first(in[i]->shape));
    const gg_status made = step(user, s->body, s->next, s->out, s->carry, s->in);
    if (!check_step(g, s, made))
        return g->status;
    s->n_forward = s->body->n;
    s->captured = gg__graph_alloc(g, gg_mul(s->body->n, sizeof *s->captured));
    for (int32_t k = 0; k < s->body->n && s->captured; k++)
        if (s->body->node[k]->outer)
            s->captured[s->n_captured++] = s->body->node[k];
    if (!s->captured || !connect(v, s, carry, in))
        return g->status;
    for (int i = 0; i < n_out; i++)
        out[i] = s->outer_out[i] = outer_out(v, with_first(s->out[i]->shape, s->T), i);
    for (int i = 0; i < n_carry; i++)
        last[i] = s->outer_out[n_out + i] = outer_out(v, s->carry[i]->shape, n_out + i);
    return g->status;
}

/* --- its gradient ------------------------------------------------------------------------------------------------------------------------ */
bool gg__scan_flows(const gg_var *v, gg_var *const *d)
{
    const scan *s = scan_of(v);
    for (int i = 0; i < s->n_out + s->n_carry; i++)
        if (s->outer_out[i] && d[s->outer_out[i]->id])
            return true;
    return false;
}

/* In the body: d (carry, in, captured) of  sum d_next next + sum d_out out. */
static void record_backward(gg_graph *g, scan *s, const bool *wanted, gg_var *const *d_outer)
{
    gg_graph *b = s->body;
    const int n = s->n_carry + s->n_in + s->n_captured;
    gg_var **wrt = gg__graph_alloc(g, gg_mul(n, sizeof *wrt)), *y[2 * MOST], *dy[2 * MOST];
    int n_y = 0;
    s->d = gg__graph_alloc(g, gg_mul(n, sizeof *s->d));
    s->outer_d = gg__graph_alloc(g, gg_mul(n, sizeof *s->outer_d));
    s->deferred = gg__graph_alloc(g, (size_t)s->n_captured);
    if (!wrt || !s->d || !s->outer_d || !s->deferred)
        return;
    for (int i = 0; i < n; i++) {
        gg_var *leaf = i < s->n_carry ? s->carry[i] : i < s->n_carry + s->n_in ? s->in[i - s->n_carry] : s->captured[i - s->n_carry - s->n_in];
        wrt[i] = leaf->dtype == b->dtype && (wanted[i] || i < s->n_carry) ? leaf : NULL; /* what flows through time is always wanted */
    }
    for (int k = 0; k < s->n_carry + s->n_out; k++) {
        gg_var *result = k < s->n_carry ? s->next[k] : s->out[k - s->n_carry];
        gg_var **leaf = k < s->n_carry ? &s->d_next[k] : &s->d_out[k - s->n_carry];
        if (k >= s->n_carry && !d_outer[s->outer_out[k - s->n_carry]->id])
            continue;
        *leaf = leaf_like(b, b->dtype, result->shape);
        y[n_y] = result;
        dy[n_y++] = *leaf;
    }
    gg__gradients_of(s->d, y, dy, n_y, wrt, n);
    if (b->status != GG_OK)
        gg__mistake(g, b->status, "scan: %s", b->message ? b->message : gg_status_text(b->status));
}

void gg__gradient_scan(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *const *d)
{
    gg_graph *g = v->g;
    scan *s = scan_of(v);
    if (s->backward) {
        gg__mistake(g, GG_EUNSUPPORTED, "scan: the gradients of one loop were asked for twice");
        return;
    }
    record_backward(g, s, wanted, d);
    const int n = v->n_in, n_d = s->n_out + s->n_carry;
    gg_var **all = gg__graph_alloc(g, gg_mul(1 + n + n_d, sizeof *all));
    if (!all || g->status != GG_OK)
        return;
    s->backward = true;
    int count = 0;
    all[count++] = v;
    for (int i = 0; i < n; i++) /* they must live until then */
        all[count++] = v->in[i];
    for (int i = 0; i < n_d; i++) /* the position tells which: those without a gradient repeat the node */
        all[count++] = d[s->outer_out[i]->id] ? d[s->outer_out[i]->id] : v;
    gg_var *back = gg__node_new(g, GG__OP_SCAN_GRAD, g->dtype, (gg_shape){.n = 1, .d = {0}}, all, count);
    if (!back)
        return;
    back->plan = s;
    back->scratch_bytes = gg_gemm_scratch();
    s->back = back;
    for (int i = 0; i < n; i++)
        if (wanted[i] && s->d[i]) {
            s->outer_d[i] = outer_out(back, v->in[i]->shape, i);
            d_in[i] = s->outer_d[i];
        }
}

/* What flows to a result of the loop is taken by gg__gradient_scan; to a result of its gradient nothing may flow. */
void gg__gradient_scan_out(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    (void)d_in, (void)wanted, (void)d;
    if (v->in[0]->op == GG__OP_SCAN_GRAD)
        gg__mistake(v->g, GG_EUNSUPPORTED, "scan: a loop has first derivatives only");
}

/* --- planning ------------------------------------------------------------------------------------------------------------------------------ */
static char *memory(gg_var *v, int64_t bytes) { return gg__graph_alloc(v->g, (size_t)bytes); }

/* Is this value one array (T, ...) over the whole loop? A node of the gradient can be made so. */
static bool stackable(gg_var *scan_node, scan *s, gg_var *x)
{
    const int32_t r = x->root;
    const gg_var *root = s->body->node[r];
    for (int i = 0; i < s->n_in; i++)
        if (root == s->in[i])
            return true;
    for (int i = 0; i < s->n_carry; i++)
        if (root == s->carry[i])
            return true;
    for (int i = 0; i < s->n_out; i++)
        if (root == s->d_out[i])
            return true;
    if (root->n_in == 0 || s->tape[r])
        return s->tape[r] != NULL;
    s->body->node[r]->taped = true;
    return (s->tape[r] = memory(scan_node, s->T * bytes_of(root))) != NULL;
}

static bool defer(gg_var *scan_node, scan *s, gg_var *d)
{
    while (d->op == GG__OP_ALIAS)
        d = d->in[0];
    if (d->op != GG__OP_MATMUL || !d->i[0] || d->i[1] || d->n_in != 2 || d->in[0]->shape.n != 2 || d->in[1]->shape.n != 2)
        return false;
    for (int32_t k = d->id + 1; k < s->body->n; k++) /* nobody else reads it */
        for (int i = 0; i < s->body->node[k]->n_in; i++)
            if (s->body->node[k]->in[i] == d && s->body->node[k]->op != GG__OP_ALIAS)
                return false;
    if (!stackable(scan_node, s, d->in[0]) || !stackable(scan_node, s, d->in[1]))
        return false;
    d->deferred = true;
    return true;
}

/* What the gradient reads of the step is taped. */
static gg_status tape_crossing(gg_var *v, scan *s)
{
    gg_graph *b = s->body;
    for (int32_t k = s->n_forward; k < b->n; k++)
        for (int i = 0; i < b->node[k]->n_in && b->node[k]->used; i++) {
            gg_var *x = b->node[k]->in[i], *root = b->node[x->root];
            if (x->id >= s->n_forward || root->n_in == 0 || root->taped)
                continue;
            root->taped = true;
            if (!(s->tape[x->root] = memory(v, s->T * bytes_of(root))))
                return GG_ENOMEM;
        }
    return GG_OK;
}

/* All nodes that have the storage of root r. */
static void move(scan *s, int32_t r, char *const *base, int64_t stride, int64_t period)
{
    for (int32_t k = r; k < s->body->n; k++)
        if (s->body->node[k]->root == r)
            s->moving[s->n_moving++] = (moving){s->body->node[k], base, stride, period};
}

static gg_status lay_out_loop(gg_var *v, scan *s)
{
    gg_graph *b = s->body;
    const int64_t slices = s->backward ? s->T + 1 : 2;
    s->tape = (char **)memory(v, (int64_t)sizeof *s->tape * b->n);
    s->moving = (moving *)memory(v, (int64_t)sizeof *s->moving * b->n);
    s->captured_data = (char **)memory(v, (int64_t)sizeof *s->captured_data * s->n_captured);
    if (!s->tape || !s->moving || !s->captured_data)
        return GG_ENOMEM;
    for (int i = 0; i < s->n_carry; i++) {
        const int64_t bytes = bytes_of(s->carry[i]);
        s->carry_tape[i] = memory(v, slices * bytes);
        s->d_carry[i] = memory(v, bytes);
        s->d_carry_next[i] = memory(v, bytes);
        if (!s->carry_tape[i] || !s->d_carry[i] || !s->d_carry_next[i])
            return GG_ENOMEM;
        gg_var *root = b->node[s->next[i]->root];
        if (s->backward && root->n_in > 0 && !root->taped) { /* made where the next step will read it */
            root->taped = true;
            s->tape[root->id] = s->carry_tape[i] + bytes;
        }
        move(s, s->carry[i]->id, &s->carry_tape[i], bytes, slices);
        if (s->d_next[i])
            move(s, s->d_next[i]->id, &s->d_carry[i], 0, 1);
    }
    if (s->backward)
        GG_TRY(tape_crossing(v, s));
    for (int i = 0; i < s->n_captured; i++) {
        const int at = s->n_carry + s->n_in + i;
        if (s->backward && s->d[at] && s->outer_d[at] && s->outer_d[at]->used)
            s->deferred[i] = defer(v, s, s->d[at]);
        move(s, s->captured[i]->id, &s->captured_data[i], 0, 1);
    }
    for (int32_t k = 0; k < b->n; k++)
        if (s->tape[k])
            move(s, k, &s->tape[k], bytes_of(b->node[k]), INT64_MAX);
    for (int i = 0; i < s->n_in; i++)
        move(s, s->in[i]->id, &s->in_data[i], bytes_of(s->in[i]), INT64_MAX);
    for (int i = 0; i < s->n_out; i++)
        if (s->d_out[i])
            move(s, s->d_out[i]->id, &s->d_out_data[i], bytes_of(s->d_out[i]), INT64_MAX);
    return GG_OK;
}

gg_status gg__scan_plan(gg_var *v)
{
    scan *s = scan_of(v);
    gg_graph *b = s->body;
    if (s->planned)
        return GG_OK;
    s->planned = true;
    if (s->back && !s->back->used)
        s->backward = false;
    gg_var **keep = (gg_var **)memory(v, (int64_t)sizeof *keep * (s->n_carry + s->n_out + v->n_in));
    if (!keep)
        return GG_ENOMEM;
    int n = 0;
    for (int i = 0; i < s->n_carry; i++)
        keep[n++] = s->next[i];
    for (int i = 0; i < s->n_out; i++)
        keep[n++] = s->out[i];
    for (int i = 0; i < v->n_in && s->backward; i++)
        if (s->d[i] && (i < s->n_carry || (s->outer_d[i] && s->outer_d[i]->used)))
            keep[n++] = s->d[i];
    GG_TRY(gg__plan_begin(b, keep, n));
    GG_TRY(lay_out_loop(v, s));
    GG_TRY(gg__plan_end(b));
    int kept = 0;
    for (int i = 0; i < b->n_steps; i++) /* deferred products are done once, behind the loop */
        if (!b->step[i]->deferred) {
            b->step[kept++] = b->step[i];
            s->n_steps_forward = b->step[kept - 1]->id < s->n_forward ? kept : s->n_steps_forward;
        }
    b->n_steps = kept;
    return GG_OK;
}

/* --- running ------------------------------------------------------------------------------------------------------------------------------- */
static void move_to(const scan *s, int64_t t)
{
    for (int i = 0; i < s->n_moving; i++)
        s->moving[i].v->data = *s->moving[i].base + t % s->moving[i].period * s->moving[i].stride;
}

static gg_status run_steps(const scan *s, int first, int last)
{
    for (int i = first; i < last; i++)
        GG_TRY(s->body->step[i]->run(s->body->step[i]));
    return GG_OK;
}

/* Where the outer graph's values lie now: they move when it is itself the body of a loop. */
static void read_outer(scan *s, const gg_var *v)
{
    for (int i = 0; i < s->n_in; i++)
        s->in_data[i] = v->in[s->n_carry + i]->data;
    for (int i = 0; i < s->n_captured; i++)
        s->captured_data[i] = v->in[s->n_carry + s->n_in + i]->data;
}

static gg_status run_forward(scan *s, gg_var *v, bool give)
{
    const int64_t slices = s->backward ? s->T + 1 : 2;
    read_outer(s, v);
    for (int i = 0; i < s->n_carry; i++)
        memcpy(s->carry_tape[i], v->in[i]->data, gg_var_bytes(s->carry[i]));
    for (int64_t t = 0; t < s->T; t++) {
        move_to(s, t);
        GG_TRY(run_steps(s, 0, s->n_steps_forward));
        for (int i = 0; i < s->n_out; i++)
            if (give && s->outer_out[i]->used)
                memcpy((char *)s->outer_out[i]->data + t * bytes_of(s->out[i]), s->out[i]->data, gg_var_bytes(s->out[i]));
        for (int i = 0; i < s->n_carry; i++) {
            char *to = s->carry_tape[i] + (t + 1) % slices * bytes_of(s->carry[i]);
            if (s->next[i]->data != to)
                memcpy(to, s->next[i]->data, gg_var_bytes(s->carry[i]));
        }
    }
    for (int i = 0; i < s->n_carry; i++)
        if (give && s->outer_out[s->n_out + i]->used)
            memcpy(s->outer_out[s->n_out + i]->data, s->carry_tape[i] + s->T % slices * bytes_of(s->carry[i]), gg_var_bytes(s->carry[i]));
    return GG_OK;
}

gg_status gg__run_scan(gg_var *v) { return run_forward(scan_of(v), v, true); }

static void finish_deferred(const scan *s, gg_var *v, int i)
{
    gg_var *d = s->d[s->n_carry + s->n_in + i];
    while (d->op == GG__OP_ALIAS)
        d = d->in[0];
    const gg_var *a = d->in[0], *b = d->in[1];
    const int64_t rows = s->T * a->shape.d[0], M = a->shape.d[1], N = b->shape.d[1];
    move_to(s, 0); /* slice 0 of each is where the whole begins */
    v->g->loops->gemm(s->outer_d[s->n_carry + s->n_in + i]->data, N, a->data, (gg_strides){1, M}, b->data, (gg_strides){N, 1}, M, N, rows, false, gg__scratch(v, 0));
}

/* in: the forward node, what that one reads, gradients of its results (the node itself: none) */
gg_status gg__run_scan_grad(gg_var *v)
{
    scan *s = scan_of(v);
    gg_var *forward = v->in[0];
    const int n = forward->n_in;
    if (v->g->outer) /* a loop in a loop has the tape of its last round only */
        GG_TRY(run_forward(s, forward, false));
    read_outer(s, forward);
    for (int i = 0; i < s->n_out; i++)
        s->d_out_data[i] = v->in[1 + n + i]->data;
    for (int i = 0; i < s->n_carry; i++) {
        const gg_var *d = v->in[1 + n + s->n_out + i];
        if (d == forward)
            memset(s->d_carry[i], 0, gg_var_bytes(s->carry[i]));
        else
            memcpy(s->d_carry[i], d->data, gg_var_bytes(s->carry[i]));
    }
    for (int i = s->n_carry; i < n; i++)
        if (s->outer_d[i] && s->outer_d[i]->used)
            memset(s->outer_d[i]->data, 0, gg_var_bytes(s->outer_d[i]));
    for (int64_t t = s->T - 1; t >= 0; t--) {
        move_to(s, t);
        GG_TRY(run_steps(s, s->n_steps_forward, s->body->n_steps));
        for (int i = s->n_carry; i < n; i++) {
            const gg_var *d = s->d[i], *to = s->outer_d[i];
            if (!to || !to->used)
                continue;
            if (i < s->n_carry + s->n_in)
                memcpy((char *)to->data + t * bytes_of(d), d->data, gg_var_bytes(d));
            else if (!s->deferred[i - s->n_carry - s->n_in])
                v->g->loops->add_to(to->data, d->data, d->n);
        }
        for (int i = 0; i < s->n_carry; i++) /* into the other buffer: one carry's gradient may be another's leaf as it stands */
            if (!s->d[i] || (s->truncate > 0 && t % s->truncate == 0))
                memset(s->d_carry_next[i], 0, gg_var_bytes(s->carry[i]));
            else
                memcpy(s->d_carry_next[i], s->d[i]->data, gg_var_bytes(s->carry[i]));
        for (int i = 0; i < s->n_carry; i++) {
            char *now = s->d_carry[i];
            s->d_carry[i] = s->d_carry_next[i];
            s->d_carry_next[i] = now;
        }
    }
    for (int i = 0; i < s->n_captured; i++)
        if (s->deferred[i])
            finish_deferred(s, v, i);
    for (int i = 0; i < s->n_carry; i++)
        if (s->outer_d[i] && s->outer_d[i]->used)
            memcpy(s->outer_d[i]->data, s->d_carry[i], gg_var_bytes(s->carry[i]));
    return GG_OK;
}

gg_graph *gg__scan_body(const gg_var *v) { return scan_of(v)->body; }

void gg__scan_release(gg_var *v)
{
    scan *s = scan_of(v);
    if (s)
        gg_graph_free(s->body);
}
