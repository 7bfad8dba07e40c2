/* Sums and maxima over sets of axes.
 *
 * Axes next to each other that are both kept, or both reduced, are one. If the last is reduced, every result is a sum of rows along memory;
 * if it is kept, results are whole rows to which rows are added, 64 at a time into a row of their own, so that the error of a long sum grows
 * with the number of blocks and not of terms. The order is fixed by the shape.
 */
#include "grad/graph.h"

typedef struct reduction {
    int n;                        /* merged axes, at least 1 */
    int64_t size[GG_MAX_DIMS], stride[GG_MAX_DIMS];
    bool reduced[GG_MAX_DIMS];
    int64_t outer, inner, terms;  /* kept rows (or results), length of the last axis, rows reduced into one */
} reduction;

static gg_var *reduce(gg_var *x, gg__op op, unsigned axes, bool keep)
{
    if (!x)
        return NULL;
    if (x->dtype == GG_I32)
        return gg__mistake(x->g, GG_EINVAL, "%s of indices", gg__operation_of(op)->name);
    if (axes != GG_ALL_AXES && axes >> x->shape.n)
        return gg__mistake(x->g, GG_EINVAL, "%s over axes %#x of %s: it has %d", gg__operation_of(op)->name, axes, SHAPE_TEXT(x), x->shape.n);
    if (op == GG__OP_AMAX && x->n == 0)
        return gg__mistake(x->g, GG_EINVAL, "amax of nothing: %s", SHAPE_TEXT(x));
    reduction r = {.outer = 1, .terms = 1};
    gg_shape s = {0};
    int64_t step = x->n;
    for (int d = 0; d < x->shape.n; d++) {
        const bool reduced = axes >> d & 1;
        const int64_t size = x->shape.d[d];
        if (!reduced || keep)
            s.d[s.n++] = reduced ? 1 : size;
        step = size ? step / size : 0;
        if (size == 1 && x->n)
            continue;
        const bool joins = r.n && r.reduced[r.n - 1] == reduced;
        r.n += !joins;
        r.size[r.n - 1] = (joins ? r.size[r.n - 1] : 1) * size;
        r.stride[r.n - 1] = step;
        r.reduced[r.n - 1] = reduced;
    }
    if (r.n == 0)
        r = (reduction){.n = 1, .size = {1}, .stride = {1}, .outer = 1, .terms = 1};
    r.inner = r.size[r.n - 1];
    for (int d = 0; d < r.n - 1; d++)
        *(r.reduced[d] ? &r.terms : &r.outer) *= r.size[d];
    gg_var *v = gg__node(x->g, op, s, x);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof r)))
        return NULL;
    v->i[0] = (int64_t)axes;
    memcpy(v->plan, &r, sizeof r);
    if (!r.reduced[r.n - 1])
        v->scratch_bytes = gg_mul(r.inner, gg_dtype_block_bytes(v->dtype));
    return v;
}

gg_var *gg_var_sum(gg_var *x, unsigned axes, bool keep) { return reduce(x, GG__OP_SUM, axes, keep); }
gg_var *gg_var_amax(gg_var *x, unsigned axes, bool keep) { return reduce(x, GG__OP_AMAX, axes, keep); }

gg_var *gg_var_mean(gg_var *x, unsigned axes, bool keep)
{
    gg_var *s = gg_var_sum(x, axes, keep);
    return s ? gg_var_scale(s, (double)s->n / (double)x->n) : NULL;
}

gg_var *gg_var_argmax(gg_var *x)
{
    if (!x)
        return NULL;
    if (x->shape.n == 0 || x->shape.d[x->shape.n - 1] == 0 || x->dtype == GG_I32)
        return gg__mistake(x->g, GG_EINVAL, "argmax of %s: the last axis has no numbers", SHAPE_TEXT(x));
    gg_shape s = x->shape;
    s.n--;
    return gg__node_new(x->g, GG__OP_ARGMAX, GG_I32, s, &x, 1);
}

gg_var *gg__sum_to(gg_var *x, gg_shape shape)
{
    if (!x || gg__shape_equal(x->shape, shape))
        return x;
    unsigned axes = 0;
    for (int i = 1; i <= x->shape.n; i++)
        if (i > shape.n || (shape.d[shape.n - i] == 1 && x->shape.d[x->shape.n - i] != 1))
            axes |= 1u << (x->shape.n - i);
    return gg_var_reshape(axes ? gg_var_sum(x, axes, false) : x, shape);
}

/* --- kernels -------------------------------------------------------------------------------------------------------------------------- */
/* Where the row of kept index o and reduced index t begins. */
static int64_t start_of(const reduction *r, int64_t o, int64_t t)
{
    int64_t at = 0;
    for (int d = r->n - 2; d >= 0; d--) {
        int64_t *i = r->reduced[d] ? &t : &o;
        at += *i % r->size[d] * r->stride[d];
        *i /= r->size[d];
    }
    return at;
}

static void along_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const reduction *r = v->plan;
    const gg__loops *l = v->g->loops;
    const char *x = v->in[0]->data;
    for (int64_t o = first; o < last; o++) {
        double total = 0;
        for (int64_t t = 0; t < r->terms; t++) {
            const void *row = x + start_of(r, o, t) * gg__width(v);
            if (v->op == GG__OP_SUM)
                total += l->sum(row, r->inner);
            else {
                const double most = l->amax(row, r->inner);
                total = t == 0 || most > total || most != most ? most : total;
            }
        }
        l->fill((char *)v->data + o * gg__width(v), total, 1);
    }
}

enum { BLOCK = 64 }; /* rows whose sum is made before it is added */

/* Columns [first, last) of the rows of kept index o. */
static void add_rows(gg_var *v, int64_t o, int64_t first, int64_t last, int worker)
{
    const reduction *r = v->plan;
    const gg__loops *l = v->g->loops;
    const char *x = v->in[0]->data;
    const int64_t n = last - first, w = gg__width(v);
    char *y = (char *)v->data + (o * r->inner + first) * w, *part = gg__scratch(v, worker);
    if (r->terms == 0 || v->op == GG__OP_SUM)
        l->fill(y, 0, n);
    if (v->op == GG__OP_SUM && r->n == (r->outer == 1 ? 2 : 3) && r->terms > 1) { /* they lie one stride apart */
        const int64_t stride = start_of(r, o, 1) - start_of(r, o, 0);
        for (int64_t t = 0; t < r->terms; t += BLOCK)
            l->add_rows(y, x + (start_of(r, o, t) + first) * w, stride, r->terms - t < BLOCK ? r->terms - t : BLOCK, n);
        return;
    }
    for (int64_t t = 0; t < r->terms; t++) {
        const void *row = x + (start_of(r, o, t) + first) * w;
        char *to = t < BLOCK || v->op == GG__OP_AMAX ? y : part;
        if (t == 0 || (t % BLOCK == 0 && v->op == GG__OP_SUM))
            l->copy(to, row, 1, n);
        else if (v->op == GG__OP_SUM)
            l->add_to(to, row, n);
        else
            l->max_to(to, row, n);
        if (to == part && (t % BLOCK == BLOCK - 1 || t == r->terms - 1))
            l->add_to(y, part, n);
    }
}

static void across_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    const reduction *r = v->plan;
    for (int64_t o = first; o < last; o++)
        add_rows(v, o, 0, r->inner, worker);
}

static void across_one_row(gg_var *v, int64_t first, int64_t last, int worker) { add_rows(v, 0, first, last, worker); }

static void reduce_run(gg_var *v)
{
    const reduction *r = v->plan;
    if (r->reduced[r->n - 1])
        gg__split(v, r->outer, r->terms * r->inner, along_rows);
    else if (r->outer == 1)
        gg__split(v, r->inner, r->terms, across_one_row);
    else
        gg__split(v, r->outer, r->terms * r->inner, across_rows);
}

void gg__sum_rows(gg_var *v, void *y, const void *x, int64_t rows, int64_t n)
{
    v->g->loops->fill(y, 0, n);
    for (int64_t r = 0; r < rows; r += BLOCK)
        v->g->loops->add_rows(y, (const char *)x + r * n * gg__width(v), n, rows - r < BLOCK ? rows - r : BLOCK, n);
}

gg_status gg__run_sum(gg_var *v)
{
    reduce_run(v);
    return GG_OK;
}

gg_status gg__run_amax(gg_var *v)
{
    reduce_run(v);
    return GG_OK;
}

gg_status gg__run_argmax(gg_var *v)
{
    const gg_var *x = v->in[0];
    const int64_t n = x->shape.d[x->shape.n - 1];
    for (int64_t i = 0; i < v->n; i++)
        ((int32_t *)v->data)[i] = (int32_t)v->g->loops->argmax((const char *)x->data + i * n * gg__width(x), n);
    return GG_OK;
}

/* --- cumulative sums along one axis; i[0]: the axis, i[1]: from the end. Each in double, so that the error does not grow with the length --------------- */
static gg_var *cumsum(gg_var *x, int a, bool from_end)
{
    gg_var *v = x ? gg__node(x->g, GG__OP_CUMSUM, x->shape, x) : NULL;
    if (v) {
        v->i[0] = a;
        v->i[1] = from_end;
    }
    return v;
}

gg_var *gg_var_cumsum(gg_var *x, int axis)
{
    if (x && x->dtype == GG_I32)
        return gg__mistake(x->g, GG_EINVAL, "cumsum of indices");
    const int a = x ? gg__axis(x, axis) : -1;
    return a < 0 ? NULL : cumsum(x, a, false);
}

static void cumsum_lines(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    int64_t inner = 1;
    const int64_t n = v->shape.d[v->i[0]];
    for (int d = (int)v->i[0] + 1; d < v->shape.n; d++)
        inner *= v->shape.d[d];
    for (int64_t line = first; line < last; line++) {
        const int64_t start = line / inner * n * inner + line % inner;
        double sum = 0;
        for (int64_t t = 0; t < n; t++) {
            const int64_t at = start + (v->i[1] ? n - 1 - t : t) * inner;
            if (v->dtype == GG_F64)
                ((double *)v->data)[at] = sum += ((const double *)v->in[0]->data)[at];
            else
                ((float *)v->data)[at] = (float)(sum += (double)((const float *)v->in[0]->data)[at]);
        }
    }
}

gg_status gg__run_cumsum(gg_var *v)
{
    const int64_t n = v->shape.d[v->i[0]];
    if (n)
        gg__split(v, v->n / n, 2 * n, cumsum_lines);
    return GG_OK;
}

void gg__gradient_cumsum(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d) { d_in[0] = wanted[0] ? cumsum(d, (int)v->i[0], !v->i[1]) : NULL; }

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
/* The result with its reduced axes back, of length 1. */
static gg_var *kept(gg_var *y, const gg_var *x, unsigned axes)
{
    gg_shape s = x->shape;
    for (int d = 0; d < s.n; d++)
        s.d[d] = axes >> d & 1 ? 1 : s.d[d];
    return gg_var_reshape(y, s);
}

void gg__gradient_sum(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_broadcast(kept(d, v->in[0], (unsigned)v->i[0]), v->in[0]->shape) : NULL;
}

void gg__gradient_amax(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    if (!wanted[0])
        return;
    const unsigned axes = (unsigned)v->i[0];
    gg_var *x = v->in[0], *here = gg_var_equal(x, kept(v, x, axes));
    d_in[0] = gg_var_mul(here, gg_var_div(kept(d, x, axes), gg_var_sum(here, axes, true)));
}
