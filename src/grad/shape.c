/* Operations that move numbers and compute none: other shapes, other orders, parts, joins, rows by index. */
#include "grad/graph.h"

/* --- the same numbers under another shape ---------------------------------------------------------------------------------------------- */
gg_var *gg_var_reshape(gg_var *x, gg_shape shape)
{
    if (!x)
        return NULL;
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < shape.n; i++) {
        if (shape.d[i] == -1 && open < 0)
            open = i;
        else
            known *= shape.d[i];
    }
    if (open >= 0 && known > 0)
        shape.d[open] = x->n / known;
    if (gg__shape_size(shape) != x->n)
        return gg__mistake(x->g, GG_EINVAL, "reshape: %s has %lld numbers, %s another count", SHAPE_TEXT(x), (long long)x->n, gg__shape_say(shape).text);
    return gg__shape_equal(shape, x->shape) ? x : gg__node_new(x->g, GG__OP_ALIAS, x->dtype, shape, &x, 1);
}

gg_var *gg_var_stop_gradient(gg_var *x)
{
    gg_var *v = x ? gg__node_new(x->g, GG__OP_ALIAS, x->dtype, x->shape, &x, 1) : NULL;
    if (v)
        v->no_gradient = true;
    return v;
}

void gg__gradient_alias(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_reshape(d, v->in[0]->shape) : NULL;
}

/* --- strided reads ------------------------------------------------------------------------------------------------------------------------ */
/* i[0]: where the first number lies in the input. */
static gg_var *strided(gg_var *x, gg__op op, gg_shape shape, const int64_t *stride, int64_t start)
{
    gg_var *v = gg__node_new(x->g, op, x->dtype, shape, &x, 1);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof(gg__walk))))
        return NULL;
    int64_t all[3][GG_MAX_DIMS] = {0};
    memcpy(all[0], stride, (size_t)shape.n * sizeof *stride);
    gg__walk_merge(v->plan, shape.n, shape.d, all);
    v->i[0] = start;
    return v;
}

static void strides_of(int64_t stride[GG_MAX_DIMS], gg_shape s)
{
    int64_t step = 1;
    for (int d = s.n - 1; d >= 0; d--) {
        stride[d] = step;
        step *= s.d[d];
    }
}

static void strided_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg__walk *w = v->plan;
    const int64_t n = w->size[w->n - 1], s = w->stride[0][w->n - 1], b = gg__width(v);
    for (int64_t r = first; r < last; r++) {
        int64_t at = v->i[0], rest = r;
        for (int d = w->n - 2; d >= 0; d--) {
            at += rest % w->size[d] * w->stride[0][d];
            rest /= w->size[d];
        }
        v->g->loops->copy((char *)v->data + r * n * b, (const char *)v->in[0]->data + at * b, s, n);
    }
}

gg_status gg__run_strided(gg_var *v)
{
    const gg__walk *w = v->plan;
    if (v->n)
        gg__split(v, w->rows, 2 * w->size[w->n - 1], strided_rows);
    return GG_OK;
}

static bool movable(gg_var *x, const char *what)
{
    if (x && x->dtype != x->g->dtype)
        gg__mistake(x->g, GG_EINVAL, "%s of indices", what);
    return x && x->dtype == x->g->dtype;
}

gg_var *gg_var_permute(gg_var *x, const int *axes)
{
    if (!movable(x, "permute"))
        return NULL;
    int64_t from[GG_MAX_DIMS], stride[GG_MAX_DIMS];
    gg_shape s = {.n = x->shape.n};
    unsigned seen = 0;
    strides_of(from, x->shape);
    for (int d = 0; d < s.n; d++) {
        const int a = gg__axis(x, axes[d]);
        if (a < 0)
            return NULL;
        seen |= 1u << a;
        s.d[d] = x->shape.d[a];
        stride[d] = from[a];
    }
    if (seen + 1 != 1u << s.n)
        return gg__mistake(x->g, GG_EINVAL, "permute of %s: an axis comes twice", SHAPE_TEXT(x));
    gg_var *v = strided(x, GG__OP_PERMUTE, s, stride, 0);
    int *back = v ? gg__graph_alloc(v->g, GG_MAX_DIMS * sizeof *back) : NULL;
    if (!back)
        return NULL;
    for (int d = 0; d < s.n; d++)
        back[gg__axis(x, axes[d])] = d;
    v->i[1] = (int64_t)(intptr_t)back;
    return v;
}

gg_var *gg_var_transpose(gg_var *x)
{
    int axes[GG_MAX_DIMS] = {0};
    if (!x)
        return NULL;
    if (x->shape.n < 2)
        return gg__mistake(x->g, GG_EINVAL, "transpose of %s: two axes are needed", SHAPE_TEXT(x));
    for (int d = 0; d < x->shape.n; d++)
        axes[d] = d;
    axes[x->shape.n - 2] = x->shape.n - 1;
    axes[x->shape.n - 1] = x->shape.n - 2;
    return gg_var_permute(x, axes);
}

void gg__gradient_permute(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_permute(d, (const int *)(intptr_t)v->i[1]) : NULL;
}

gg_var *gg_var_broadcast(gg_var *x, gg_shape shape)
{
    gg_shape s;
    if (!movable(x, "broadcast"))
        return NULL;
    if (!gg__shape_broadcast(&s, x->shape, shape) || !gg__shape_equal(s, shape))
        return gg__mistake(x->g, GG_EINVAL, "broadcast: %s does not become %s", SHAPE_TEXT(x), gg__shape_say(shape).text);
    if (gg__shape_equal(x->shape, shape))
        return x;
    int64_t from[GG_MAX_DIMS], stride[GG_MAX_DIMS] = {0};
    strides_of(from, x->shape);
    for (int i = 1; i <= x->shape.n; i++)
        stride[s.n - i] = x->shape.d[x->shape.n - i] == 1 ? 0 : from[x->shape.n - i];
    return strided(x, GG__OP_BROADCAST, s, stride, 0);
}

void gg__gradient_broadcast(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg__sum_to(d, v->in[0]->shape) : NULL;
}

gg_var *gg_var_slice(gg_var *x, int axis, int64_t start, int64_t length)
{
    const int a = movable(x, "slice") ? gg__axis(x, axis) : -1;
    if (a < 0)
        return NULL;
    if (start < 0 || length < 0 || start > x->shape.d[a] - length)
        return gg__mistake(x->g, GG_EINVAL, "slice: %lld..%lld of axis %d of %s", (long long)start, (long long)(start + length), a, SHAPE_TEXT(x));
    int64_t stride[GG_MAX_DIMS];
    gg_shape s = x->shape;
    strides_of(stride, x->shape);
    s.d[a] = length;
    gg_var *v = strided(x, GG__OP_SLICE, s, stride, start * stride[a]);
    if (v) {
        v->i[1] = a;
        v->i[2] = start;
    }
    return v;
}

void gg__gradient_slice(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const int a = (int)v->i[1];
    d_in[0] = wanted[0] ? gg_var_pad(d, a, v->i[2], v->in[0]->shape.d[a] - v->i[2] - v->shape.d[a]) : NULL;
}

/* --- padding and joining --------------------------------------------------------------------------------------------------------------------- */
gg_var *gg_var_pad(gg_var *x, int axis, int64_t before, int64_t after)
{
    const int a = movable(x, "pad") ? gg__axis(x, axis) : -1;
    if (a < 0)
        return NULL;
    if (before < 0 || after < 0)
        return gg__mistake(x->g, GG_EINVAL, "pad: %lld before and %lld after %s", (long long)before, (long long)after, SHAPE_TEXT(x));
    if (before + after == 0)
        return x;
    gg_shape s = x->shape;
    s.d[a] += before + after;
    gg_var *v = gg__node(x->g, GG__OP_PAD, s, x);
    if (v) {
        v->i[0] = a;
        v->i[1] = before;
    }
    return v;
}

/* Copies x into v at `start` of axis a. */
static void insert(gg_var *v, const gg_var *x, int a, int64_t start)
{
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < v->shape.n; d++)
        *(d < a ? &outer : &inner) *= d == a ? 1 : v->shape.d[d];
    const int64_t b = inner * gg__width(v), whole = v->shape.d[a] * b, part = x->shape.d[a] * b;
    for (int64_t o = 0; o < outer; o++)
        memcpy((char *)v->data + o * whole + start * b, (const char *)x->data + o * part, (size_t)part);
}

gg_status gg__run_pad(gg_var *v)
{
    memset(v->data, 0, gg_var_bytes(v));
    insert(v, v->in[0], (int)v->i[0], v->i[1]);
    return GG_OK;
}

void gg__gradient_pad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_slice(d, (int)v->i[0], v->i[1], v->in[0]->shape.d[v->i[0]]) : NULL;
}

gg_var *gg_var_concat(gg_var *const *x, int n, int axis)
{
    const int a = n > 0 && movable(x[0], "concat") ? gg__axis(x[0], axis) : -1;
    if (a < 0)
        return NULL;
    gg_shape s = x[0]->shape;
    for (int i = 1; i < n; i++) {
        if (!movable(x[i], "concat"))
            return NULL;
        gg_shape t = x[i]->shape;
        if (t.n == s.n) {
            const int64_t own = t.d[a];
            t.d[a] = s.d[a];
            if (gg__shape_equal(s, t)) {
                s.d[a] += own;
                continue;
            }
        }
        return gg__mistake(x[0]->g, GG_EINVAL, "concat along axis %d: %s and %s differ elsewhere", a, SHAPE_TEXT(x[0]), SHAPE_TEXT(x[i]));
    }
    gg_var *v = gg__node_new(x[0]->g, GG__OP_CONCAT, x[0]->dtype, s, x, n);
    if (v)
        v->i[0] = a;
    return v;
}

gg_status gg__run_concat(gg_var *v)
{
    int64_t start = 0;
    for (int i = 0; i < v->n_in; i++) {
        insert(v, v->in[i], (int)v->i[0], start);
        start += v->in[i]->shape.d[v->i[0]];
    }
    return GG_OK;
}

void gg__gradient_concat(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    int64_t start = 0;
    for (int i = 0; i < v->n_in; i++) {
        const int64_t n = v->in[i]->shape.d[v->i[0]];
        d_in[i] = wanted[i] ? gg_var_slice(d, (int)v->i[0], start, n) : NULL;
        start += n;
    }
}

/* --- rows by index ---------------------------------------------------------------------------------------------------------------------------- */
/* i[0]: numbers a row. */
gg_var *gg_var_gather(gg_var *table, gg_var *index)
{
    if (!movable(table, "gather") || !index)
        return NULL;
    if (table->shape.n < 1 || index->dtype != GG_I32 || index->shape.n + table->shape.n - 1 > GG_MAX_DIMS)
        return gg__mistake(table->g, GG_EINVAL, "gather from %s by %s: rows of a table by int32 indices, at most %d axes", SHAPE_TEXT(table), SHAPE_TEXT(index),
                           GG_MAX_DIMS);
    gg_shape s = index->shape;
    for (int d = 1; d < table->shape.n; d++)
        s.d[s.n++] = table->shape.d[d];
    gg_var *v = gg__node(table->g, GG__OP_GATHER, s, table, index);
    if (v)
        v->i[0] = table->shape.d[0] ? table->n / table->shape.d[0] : 0;
    return v;
}

static gg_status check_index(const gg_var *v, const gg_var *index, int64_t n_rows)
{
    const int32_t *i = index->data;
    for (int64_t k = 0; k < index->n; k++)
        if (i[k] < 0 || i[k] >= n_rows)
            return gg_fail(v->g->ctx, GG_EINVAL, "%s: index %lld of %s is %d, rows are 0..%lld", gg__operation_of(v->op)->name, (long long)k,
                           index->name ? index->name : "the indices", (int)i[k], (long long)n_rows - 1);
    return GG_OK;
}

gg_status gg__run_gather(gg_var *v)
{
    const int32_t *i = v->in[1]->data;
    const size_t b = (size_t)(v->i[0] * gg__width(v));
    GG_TRY(check_index(v, v->in[1], v->in[0]->shape.d[0]));
    for (int64_t k = 0; k < v->in[1]->n; k++)
        memcpy((char *)v->data + (size_t)k * b, (const char *)v->in[0]->data + (size_t)i[k] * b, b);
    return GG_OK;
}

void gg__gradient_gather(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_scatter_add(d, v->in[1], v->in[0]->shape.d[0]) : NULL;
}

gg_var *gg_var_scatter_add(gg_var *x, gg_var *index, int64_t n_rows)
{
    if (!movable(x, "scatter_add") || !index)
        return NULL;
    bool fits = index->dtype == GG_I32 && index->shape.n <= x->shape.n && n_rows >= 0;
    for (int d = 0; fits && d < index->shape.n; d++)
        fits = index->shape.d[d] == x->shape.d[d];
    if (!fits)
        return gg__mistake(x->g, GG_EINVAL, "scatter_add of %s by %s: the indices (int32) need the first axes of the rows", SHAPE_TEXT(x), SHAPE_TEXT(index));
    gg_shape s = {.n = 1, .d = {n_rows}};
    for (int d = index->shape.n; d < x->shape.n; d++)
        s.d[s.n++] = x->shape.d[d];
    gg_var *v = gg__node(x->g, GG__OP_SCATTER_ADD, s, x, index);
    if (v)
        v->i[0] = index->n ? x->n / index->n : 0;
    return v;
}

/* One thread: rows that meet in one place are added in the order of their indices. */
gg_status gg__run_scatter_add(gg_var *v)
{
    const int32_t *i = v->in[1]->data;
    const int64_t b = v->i[0] * gg__width(v);
    GG_TRY(check_index(v, v->in[1], v->shape.d[0]));
    memset(v->data, 0, gg_var_bytes(v));
    for (int64_t k = 0; k < v->in[1]->n; k++)
        v->g->loops->add_to((char *)v->data + i[k] * b, (const char *)v->in[0]->data + k * b, v->i[0]);
    return GG_OK;
}

void gg__gradient_scatter_add(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? gg_var_gather(d, v->in[1]) : NULL;
}
