/* A loop over time: one step is recorded as a graph of its own, the body, and run T times. Nothing is unrolled.
 *
 *     (carry_1+t, out_t) = body(carry_t, in_t)                              t = 0 .. T-1
 *     (d carry_t, d in_t, + d captured) = body'(d carry_1+t, d out_t)       t = T-1 .. 0
 * The body holds its own gradient: nodes recorded behind those of the step. Values of the step that the gradient reads are taped, each as an array
 * (T, ...), so that going back computes nothing twice; step t works on slice t by moving pointers, without copies.
 * Gradients of what is captured (weights) are sums over t. One that is a product of two taped arrays, (B, M)^T (B, N), or the sum of the rows of one,
 * waits until the loop is over and is one product, or sum, of (T B) rows: the same, at the speed of a large one.
 *
 * Where every operation of the step computes rows of a batch from the same rows (a recurrent net), threads share the batch and not the operations: each
 * goes through all of time with its own rows, on its own copy of the nodes, and they meet at the end. A row's numbers do not depend on how many rows
 * are with it, so the parts change no bit. Weights are brought to the order in which products read them once a loop.
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

typedef struct part { /* rows [first, last) of every step, of n_rows; all that a thread changes while it goes through time */
    int64_t first, last;
    gg_var *copy;       /* (nodes of the body,); NULL: the nodes themselves */
    gg_var **step;      /* as in the body's steps */
    moving *moving;
    char *d_carry[MOST], *d_carry_next[MOST];
} part;

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
    bool by_rows;                       /* else there is one part, and one row: everything */
    int64_t n_rows;
    gg__range *rows;                    /* (steps of the body,) where the step goes by rows */
    part *part;
    int n_parts, n_moving, n_steps_forward;
    char **tape;                        /* (nodes of the body,) of roots; NULL: not taped */
    char *carry_tape[MOST];             /* (T + 1, ...), or (2, ...) used in turn when nothing goes back */
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
            gg__mistake(g, GG_EINVAL, "scan: carry %d has the shape %s and becomes %s", i, SHAPE_TEXT(s->carry[i]),
                        s->next[i] ? SHAPE_TEXT(s->next[i]) : "nothing");
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

/* d = (B, M)^T (B, N), or the sum of (B, N) over B */
static bool sums_rows(const gg_var *d)
{
    if (d->op == GG__OP_SUM)
        return d->i[0] == 1 && d->in[0]->shape.n > 0 && d->in[0]->dtype == d->dtype && gg_var_size(d) * d->in[0]->shape.d[0] == d->in[0]->n;
    return d->op == GG__OP_MATMUL && d->i[0] && !d->i[1] && d->n_in == 2 && d->in[0]->shape.n == 2 && d->in[1]->shape.n == 2;
}

static bool defer(gg_var *scan_node, scan *s, gg_var *d)
{
    while (d->op == GG__OP_ALIAS)
        d = d->in[0];
    if (!sums_rows(d))
        return false;
    for (int32_t k = d->id + 1; k < s->body->n; k++) /* nobody else reads it */
        for (int i = 0; i < s->body->node[k]->n_in; i++)
            if (s->body->node[k]->in[i] == d && s->body->node[k]->op != GG__OP_ALIAS)
                return false;
    for (int i = 0; i < d->n_in; i++)
        if (!stackable(scan_node, s, d->in[i]))
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
            s->part->moving[s->n_moving++] = (moving){s->body->node[k], base, stride, period};
}

static gg_status lay_out_loop(gg_var *v, scan *s)
{
    gg_graph *b = s->body;
    const int64_t slices = s->backward ? s->T + 1 : 2;
    s->tape = (char **)memory(v, (int64_t)sizeof *s->tape * b->n);
    s->part = (part *)memory(v, (int64_t)sizeof *s->part * gg_team_threads(b->team));
    s->captured_data = (char **)memory(v, (int64_t)sizeof *s->captured_data * s->n_captured);
    if (!s->tape || !s->part || !s->captured_data || !(s->part->moving = (moving *)memory(v, (int64_t)sizeof *s->part->moving * b->n)))
        return GG_ENOMEM;
    for (int i = 0; i < s->n_carry; i++) {
        const int64_t bytes = bytes_of(s->carry[i]);
        s->carry_tape[i] = memory(v, slices * bytes);
        s->part->d_carry[i] = memory(v, bytes);
        s->part->d_carry_next[i] = memory(v, bytes);
        if (!s->carry_tape[i] || !s->part->d_carry[i] || !s->part->d_carry_next[i])
            return GG_ENOMEM;
        gg_var *root = b->node[s->next[i]->root];
        if (s->backward && root->n_in > 0 && !root->taped) { /* made where the next step will read it */
            root->taped = true;
            s->tape[root->id] = s->carry_tape[i] + bytes;
        }
        move(s, s->carry[i]->id, &s->carry_tape[i], bytes, slices);
        if (s->d_next[i])
            move(s, s->d_next[i]->id, &s->part->d_carry[i], 0, 1);
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

/* Does x have the batch as its first axis? Leaves that are given to the step do, what was captured does not (it is read as a whole). */
static bool follows_batch(const scan *s, const bool *batch, const gg_var *x)
{
    for (int i = 0; i < s->n_carry; i++)
        if (x == s->carry[i] || x == s->d_next[i])
            return true;
    for (int i = 0; i < s->n_in; i++)
        if (x == s->in[i])
            return true;
    for (int i = 0; i < s->n_out; i++)
        if (x == s->d_out[i])
            return true;
    bool any = false;
    for (int i = 0; i < x->n_in; i++)
        any = any || batch[x->in[i]->id];
    return any;
}

static bool has_rows(const gg_var *x, int64_t B) { return x->shape.n > 0 && x->shape.d[0] == B; }

/* Its rows from the same rows of inputs that follow the batch? */
static bool goes_by_rows(const gg_var *x, const bool *batch, int64_t B)
{
    if (!has_rows(x, B) || (x->op != GG__OP_ALIAS && !gg__rows_of(x->op)))
        return false;
    if (x->op == GG__OP_MATMUL)
        return x->shape.n == 2 && !x->i[0] && batch[x->in[0]->id] && !batch[x->in[1]->id] && x->in[0]->shape.n == 2 && x->in[1]->shape.n == 2 &&
               (x->n_in == 2 || x->in[2]->shape.n == 1 + batch[x->in[2]->id]);
    bool any = false;
    for (int i = 0; i < x->n_in; i++) {
        if (batch[x->in[i]->id] && (!has_rows(x->in[i], B) || (x->op != GG__OP_ALIAS && x->in[i]->shape.n != x->shape.n)))
            return false;
        any = any || batch[x->in[i]->id];
    }
    return any;
}

/* Every step of the body, and every gradient of what was captured behind the loop. */
static bool all_by_rows(gg_var *v, scan *s)
{
    gg_graph *b = s->body;
    bool *batch = (bool *)memory(v, b->n);
    if (!batch || s->n_carry == 0 || s->carry[0]->shape.n == 0)
        return false;
    const int64_t B = s->carry[0]->shape.d[0];
    for (int32_t k = 0; k < b->n; k++) {
        const gg_var *x = b->node[k];
        batch[k] = follows_batch(s, batch, x);
        if (x->used && batch[k] && (x->n_in == 0 ? !has_rows(x, B) : x->op == GG__OP_ALIAS && !goes_by_rows(x, batch, B) && !x->deferred))
            return false;
    }
    for (int i = 0; i < b->n_steps; i++)
        if (!goes_by_rows(b->step[i], batch, B))
            return false;
    for (int i = 0; i < s->n_captured && s->backward; i++) {
        const int at = s->n_carry + s->n_in + i;
        if (s->d[at] && s->outer_d[at] && s->outer_d[at]->used && !s->deferred[i])
            return false;
    }
    for (int i = 0; i < s->n_carry + s->n_in && s->backward; i++)
        if (s->d[i] && !has_rows(s->d[i], B))
            return false;
    for (int i = 0; i < s->n_out; i++)
        if (!has_rows(s->out[i], B))
            return false;
    s->n_rows = B;
    return B > 0;
}

/* A copy of the nodes whose values between the steps lie in memory of its own. */
static gg_status copy_nodes(gg_var *v, scan *s, part *p)
{
    gg_graph *b = s->body;
    p->copy = (gg_var *)memory(v, (int64_t)sizeof *p->copy * b->n);
    p->step = (gg_var **)memory(v, (int64_t)sizeof *p->step * b->n_steps);
    p->moving = (moving *)memory(v, (int64_t)sizeof *p->moving * s->n_moving);
    char *values = memory(v, (int64_t)b->memory_bytes), *old = b->memory;
    if (!p->copy || !p->step || !p->moving || !values)
        return GG_ENOMEM;
    for (int32_t k = 0; k < b->n; k++) {
        gg_var *x = &p->copy[k];
        *x = *b->node[k];
        if (!(x->in = (gg_var **)memory(v, (int64_t)sizeof *x->in * (x->n_in + 1))))
            return GG_ENOMEM;
        for (int i = 0; i < x->n_in; i++)
            x->in[i] = &p->copy[b->node[k]->in[i]->id];
        if (x->data && (char *)x->data >= old && (char *)x->data < old + b->memory_bytes)
            x->data = values + ((char *)x->data - old);
    }
    for (int i = 0; i < b->n_steps; i++)
        p->step[i] = &p->copy[b->step[i]->id];
    for (int i = 0; i < s->n_moving; i++) {
        moving m = s->part->moving[i];
        for (int k = 0; k < s->n_carry; k++)
            m.base = m.base == &s->part->d_carry[k] ? &p->d_carry[k] : m.base;
        m.v = &p->copy[m.v->id];
        p->moving[i] = m;
    }
    return GG_OK;
}

static gg_status make_parts(gg_var *v, scan *s)
{
    enum { PAYS = 1 << 16, LEAST = 8 }; /* numbers touched in a part of the loop; rows */
    gg_graph *b = s->body;
    s->n_parts = 1;
    s->n_rows = 1;
    s->by_rows = all_by_rows(v, s);
    s->part->step = b->step;
    if (s->by_rows) {
        int64_t cost = 0;
        if (!(s->rows = (gg__range *)memory(v, (int64_t)sizeof *s->rows * b->n_steps)))
            return GG_ENOMEM;
        for (int i = 0; i < b->n_steps; i++) {
            gg_var *x = b->step[i];
            s->rows[i] = gg__rows_of(x->op);
            cost += x->op == GG__OP_MATMUL ? x->n * (x->in[0]->shape.d[1] / 8 + 1) : 4 * x->n;
            if (x->op == GG__OP_MATMUL && !gg__matmul_pack_plan(x))
                return GG_ENOMEM;
        }
        const int64_t most = gg_team_threads(b->team), pay = s->T * cost / PAYS, fit = s->n_rows / LEAST;
        int64_t n = pay < most ? pay : most;
        n = fit < n ? fit : n;
        s->n_parts = n > 1 ? (int)n : 1;
    }
    for (int i = 0; i < s->n_parts; i++) {
        part *p = &s->part[i];
        p->first = s->n_rows * i / s->n_parts;
        p->last = s->n_rows * (i + 1) / s->n_parts;
        memcpy(p->d_carry, s->part->d_carry, sizeof p->d_carry);
        memcpy(p->d_carry_next, s->part->d_carry_next, sizeof p->d_carry_next);
        if (i > 0)
            GG_TRY(copy_nodes(v, s, p));
    }
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
    return make_parts(v, s);
}

/* --- running ------------------------------------------------------------------------------------------------------------------------------- */
static gg_var *node_of(const part *p, gg_var *v) { return p->copy ? &p->copy[v->id] : v; }

static void move_to(const scan *s, const part *p, int64_t t)
{
    for (int i = 0; i < s->n_moving; i++) {
        const moving *m = &p->moving[i];
        m->v->data = *m->base + (t < m->period ? t : t % m->period) * m->stride;
    }
}

static gg_status run_steps(const scan *s, const part *p, int first, int last, int worker)
{
    for (int i = first; i < last; i++)
        if (s->by_rows)
            s->rows[i](p->step[i], p->first, p->last, worker);
        else
            GG_TRY(p->step[i]->run(p->step[i]));
    return GG_OK;
}

/* The part's rows of x, which has n_rows in all. */
static void copy_rows(const scan *s, const part *p, void *to, const void *from, const gg_var *x)
{
    const int64_t row = bytes_of(x) / s->n_rows;
    memcpy((char *)to + p->first * row, (const char *)from + p->first * row, (size_t)((p->last - p->first) * row));
}
static void zero_rows(const scan *s, const part *p, void *to, const gg_var *x)
{
    const int64_t row = bytes_of(x) / s->n_rows;
    memset((char *)to + p->first * row, 0, (size_t)((p->last - p->first) * row));
}

/* Where the outer graph's values lie now: they move when it is itself the body of a loop. */
static void read_outer(scan *s, const gg_var *v)
{
    for (int i = 0; i < s->n_in; i++)
        s->in_data[i] = v->in[s->n_carry + i]->data;
    for (int i = 0; i < s->n_captured; i++)
        s->captured_data[i] = v->in[s->n_carry + s->n_in + i]->data;
}

static void pack_weights(const scan *s, int first, int last)
{
    if (!s->by_rows)
        return;
    move_to(s, s->part, 0);
    for (int i = first; i < last; i++)
        if (s->body->step[i]->op == GG__OP_MATMUL)
            gg__matmul_pack(s->body->step[i]);
}

typedef struct pass { /* through time, forward or back, by parts */
    scan *s;
    gg_var *v;      /* the forward node, or that of the gradient */
    bool give;      /* results to the outer graph */
    gg_status status;
} pass;

static gg_status forward_part(const pass *w, part *p, int worker)
{
    const scan *s = w->s;
    const gg_var *v = w->v;
    const int64_t slices = s->backward ? s->T + 1 : 2;
    for (int i = 0; i < s->n_carry; i++)
        copy_rows(s, p, s->carry_tape[i], v->in[i]->data, s->carry[i]);
    for (int64_t t = 0; t < s->T; t++) {
        move_to(s, p, t);
        GG_TRY(run_steps(s, p, 0, s->n_steps_forward, worker));
        for (int i = 0; i < s->n_out; i++)
            if (w->give && s->outer_out[i]->used)
                copy_rows(s, p, (char *)s->outer_out[i]->data + t * bytes_of(s->out[i]), node_of(p, s->out[i])->data, s->out[i]);
        for (int i = 0; i < s->n_carry; i++) {
            char *to = s->carry_tape[i] + (t + 1) % slices * bytes_of(s->carry[i]);
            if (node_of(p, s->next[i])->data != to)
                copy_rows(s, p, to, node_of(p, s->next[i])->data, s->carry[i]);
        }
    }
    for (int i = 0; i < s->n_carry; i++)
        if (w->give && s->outer_out[s->n_out + i]->used)
            copy_rows(s, p, s->outer_out[s->n_out + i]->data, s->carry_tape[i] + s->T % slices * bytes_of(s->carry[i]), s->carry[i]);
    return GG_OK;
}

static void forward_piece(void *user, int64_t piece, int worker)
{
    pass *w = user;
    const gg_status status = forward_part(w, &w->s->part[piece], worker);
    if (status != GG_OK) /* then it is the only part: rows do not fail */
        w->status = status;
}

static gg_status run_forward(scan *s, gg_var *v, bool give)
{
    pass w = {s, v, give, GG_OK};
    read_outer(s, v);
    pack_weights(s, 0, s->n_steps_forward);
    gg_team_run(s->body->team, s->n_parts, forward_piece, &w);
    return w.status;
}

gg_status gg__run_scan(gg_var *v) { return run_forward(scan_of(v), v, true); }

static void finish_deferred(const scan *s, gg_var *v, int i)
{
    gg_var *d = s->d[s->n_carry + s->n_in + i], *to = s->outer_d[s->n_carry + s->n_in + i];
    while (d->op == GG__OP_ALIAS)
        d = d->in[0];
    const gg_var *a = d->in[0], *b = d->in[d->n_in - 1];
    const int64_t rows = s->T * a->shape.d[0];
    move_to(s, s->part, 0); /* slice 0 of each is where the whole begins */
    if (d->op == GG__OP_MATMUL)
        gg__matmul_of(v, d, to->data, a->data, b->data, rows);
    else
        gg__sum_rows(v, to->data, a->data, rows, d->n);
}

/* in: the forward node, what that one reads, gradients of its results (the node itself: none) */
static gg_status back_part(const pass *w, part *p, int worker)
{
    const scan *s = w->s;
    const gg_var *v = w->v, *forward = v->in[0];
    const int n = forward->n_in;
    for (int i = 0; i < s->n_carry; i++) {
        const gg_var *d = v->in[1 + n + s->n_out + i];
        if (d == forward)
            zero_rows(s, p, p->d_carry[i], s->carry[i]);
        else
            copy_rows(s, p, p->d_carry[i], d->data, s->carry[i]);
    }
    for (int64_t t = s->T - 1; t >= 0; t--) {
        move_to(s, p, t);
        GG_TRY(run_steps(s, p, s->n_steps_forward, s->body->n_steps, worker));
        for (int i = s->n_carry; i < n; i++) {
            const gg_var *d = s->d[i], *to = s->outer_d[i];
            if (!to || !to->used)
                continue;
            if (i < s->n_carry + s->n_in)
                copy_rows(s, p, (char *)to->data + t * bytes_of(d), node_of(p, s->d[i])->data, d);
            else if (!s->deferred[i - s->n_carry - s->n_in])
                v->g->loops->add_to(to->data, d->data, d->n);
        }
        for (int i = 0; i < s->n_carry; i++) /* into the other buffer: one carry's gradient may be another's leaf as it stands */
            if (!s->d[i] || (s->truncate > 0 && t % s->truncate == 0))
                zero_rows(s, p, p->d_carry_next[i], s->carry[i]);
            else
                copy_rows(s, p, p->d_carry_next[i], node_of(p, s->d[i])->data, s->carry[i]);
        for (int i = 0; i < s->n_carry; i++) {
            char *now = p->d_carry[i];
            p->d_carry[i] = p->d_carry_next[i];
            p->d_carry_next[i] = now;
        }
    }
    for (int i = 0; i < s->n_carry; i++)
        if (s->outer_d[i] && s->outer_d[i]->used)
            copy_rows(s, p, s->outer_d[i]->data, p->d_carry[i], s->carry[i]);
    return GG_OK;
}

static void back_piece(void *user, int64_t piece, int worker)
{
    pass *w = user;
    const gg_status status = back_part(w, &w->s->part[piece], worker);
    if (status != GG_OK) /* then it is the only part: rows do not fail */
        w->status = status;
}

gg_status gg__run_scan_grad(gg_var *v)
{
    scan *s = scan_of(v);
    gg_var *forward = v->in[0];
    if (v->g->outer) /* a loop in a loop has the tape of its last round only */
        GG_TRY(run_forward(s, forward, false));
    read_outer(s, forward);
    for (int i = 0; i < s->n_out; i++)
        s->d_out_data[i] = v->in[1 + forward->n_in + i]->data;
    for (int i = s->n_carry + s->n_in; i < forward->n_in; i++)
        if (s->outer_d[i] && s->outer_d[i]->used)
            memset(s->outer_d[i]->data, 0, gg_var_bytes(s->outer_d[i]));
    for (int i = s->n_carry; i < s->n_carry + s->n_in; i++)
        if (s->outer_d[i] && s->outer_d[i]->used && !s->d[i])
            memset(s->outer_d[i]->data, 0, gg_var_bytes(s->outer_d[i]));
    pass w = {s, v, true, GG_OK};
    pack_weights(s, s->n_steps_forward, s->body->n_steps);
    gg_team_run(s->body->team, s->n_parts, back_piece, &w);
    GG_TRY(w.status);
    for (int i = 0; i < s->n_captured; i++)
        if (s->deferred[i])
            finish_deferred(s, v, i);
    return GG_OK;
}

gg_graph *gg__scan_body(const gg_var *v) { return scan_of(v)->body; }
int gg__scan_parts(const gg_var *v) { return scan_of(v)->n_parts; }

void gg__scan_release(gg_var *v)
{
    scan *s = scan_of(v);
    if (s)
        gg_graph_free(s->body);
}
