/* Pooling over windows of the last two axes.
 *
 * max: the first largest of a window takes the gradient; the mean counts padding out (torch's count_include_pad=False), or in. The gradient of max is
 * MAX_POOL_GRAD (x, d), linear in d, and its transpose MAX_POOL_PICK (x, g) reads g where the maxima are.
 */
#include "grad/graph.h"
#include <math.h>

typedef struct sizes {
    int64_t planes, H, W, OH, OW, size[2], stride[2], pad[2];
    bool count_padding;
} sizes;

static gg_var *pool(gg_var *x, gg__op op, const gg_pool_options *o)
{
    if (!x)
        return NULL;
    if (x->shape.n < 2)
        return gg__mistake(x->g, GG_EINVAL, "pooling of %s: the last two axes are pooled", SHAPE_TEXT(x));
    gg_shape y = x->shape;
    sizes s = {.H = x->shape.d[x->shape.n - 2], .W = x->shape.d[x->shape.n - 1], .planes = 1, .count_padding = o->count_padding};
    for (int d = 0; d < x->shape.n - 2; d++)
        s.planes *= x->shape.d[d];
    for (int i = 0; i < 2; i++) {
        const int64_t n = i ? s.W : s.H;
        s.size[i] = o->size[i];
        s.stride[i] = o->stride[i] ? o->stride[i] : o->size[i];
        s.pad[i] = o->padding[i];
        if (s.size[i] < 1 || s.stride[i] < 1 || s.pad[i] < 0 || 2 * s.pad[i] > s.size[i] || n + 2 * s.pad[i] < s.size[i])
            return gg__mistake(x->g, GG_EINVAL, "pooling of %s: window %lld, stride %lld, padding %lld (at most half the window)", SHAPE_TEXT(x), (long long)s.size[i],
                               (long long)s.stride[i], (long long)s.pad[i]);
        *(i ? &s.OW : &s.OH) = y.d[x->shape.n - 2 + i] = (n + 2 * s.pad[i] - s.size[i]) / s.stride[i] + 1;
    }
    gg_var *v = gg__node(x->g, op, y, x);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof s)))
        return NULL;
    memcpy(v->plan, &s, sizeof s);
    return v;
}

gg_var *gg_var_max_pool2d(gg_var *x, const gg_pool_options *o) { return pool(x, GG__OP_MAX_POOL, o); }
gg_var *gg_var_avg_pool2d(gg_var *x, const gg_pool_options *o) { return pool(x, GG__OP_AVG_POOL, o); }

/* --- kernels -------------------------------------------------------------------------------------------------------------------------- */
static void window(int64_t *first, int64_t *last, const sizes *s, int axis, int64_t p)
{
    const int64_t n = axis ? s->W : s->H, at = p * s->stride[axis] - s->pad[axis];
    *first = at < 0 ? 0 : at;
    *last = at + s->size[axis] < n ? at + s->size[axis] : n;
}

/* One plane in each number format: the loops are over short windows, not over memory. */
#define PLANES(T, name)                                                                                                                   \
    static int64_t best_##name(const T *x, const sizes *s, int64_t y0, int64_t y1, int64_t x0, int64_t x1)                                 \
    {                                                                                                                                     \
        int64_t best = y0 * s->W + x0;                                                                                                    \
        for (int64_t i = y0; i < y1; i++)                                                                                                 \
            for (int64_t j = x0; j < x1; j++) {                                                                                           \
                const T here = x[i * s->W + j];                                                                                           \
                best = here > x[best] || (here != here && x[best] == x[best]) ? i * s->W + j : best;                                      \
            }                                                                                                                             \
        return best;                                                                                                                      \
    }                                                                                                                                     \
    static void plane_##name(const gg_var *v, const sizes *s, int64_t plane)                                                               \
    {                                                                                                                                     \
        const int64_t big = s->H * s->W, small = s->OH * s->OW;                                                                           \
        const bool to_big = v->op == GG__OP_MAX_POOL_GRAD || v->op == GG__OP_AVG_POOL_GRAD;                                               \
        const bool averages = v->op == GG__OP_AVG_POOL || v->op == GG__OP_AVG_POOL_GRAD;                                                  \
        const T *x = averages && to_big ? NULL : (const T *)v->in[0]->data + plane * big;                                                 \
        const T *d = averages ? (to_big ? (const T *)v->in[0]->data + plane * small : NULL)                                               \
                     : to_big ? (const T *)v->in[1]->data + plane * small : v->op == GG__OP_MAX_POOL_PICK ? (const T *)v->in[1]->data + plane * big : x; \
        T *y = (T *)v->data + plane * (to_big ? big : small);                                                                             \
        for (int64_t i = 0; i < big && to_big; i++)                                                                                       \
            y[i] = 0;                                                                                                                     \
        for (int64_t p = 0; p < small; p++) {                                                                                             \
            int64_t y0, y1, x0, x1;                                                                                                       \
            window(&y0, &y1, s, 0, p / s->OW);                                                                                            \
            window(&x0, &x1, s, 1, p % s->OW);                                                                                            \
            if (!averages) {                                                                                                              \
                const int64_t best = best_##name(x, s, y0, y1, x0, x1);                                                                   \
                if (to_big)                                                                                                               \
                    y[best] += d[p];                                                                                                      \
                else                                                                                                                      \
                    y[p] = d[best];                                                                                                       \
                continue;                                                                                                                 \
            }                                                                                                                             \
            const T share = 1 / (T)(s->count_padding ? s->size[0] * s->size[1] : (y1 - y0) * (x1 - x0));                                  \
            T sum = 0;                                                                                                                    \
            for (int64_t i = y0; i < y1; i++)                                                                                             \
                for (int64_t j = x0; j < x1; j++)                                                                                         \
                    if (to_big)                                                                                                           \
                        y[i * s->W + j] += d[p] * share;                                                                                  \
                    else                                                                                                                  \
                        sum += x[i * s->W + j];                                                                                           \
            if (!to_big)                                                                                                                  \
                y[p] = sum * share;                                                                                                       \
        }                                                                                                                                 \
    }
PLANES(float, f32)
PLANES(double, f64)
#undef PLANES

static void planes(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    for (int64_t plane = first; plane < last; plane++)
        if (v->dtype == GG_F64)
            plane_f64(v, v->plan, plane);
        else
            plane_f32(v, v->plan, plane);
}

gg_status gg__run_pool(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->planes, 4 * s->OH * s->OW * s->size[0] * s->size[1], planes);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
static gg_var *like(gg_var *v, gg__op op, gg_shape shape, gg_var *a, gg_var *b)
{
    gg_var *n = !a ? NULL : b ? gg__node(v->g, op, shape, a, b) : gg__node(v->g, op, shape, a);
    if (n)
        n->plan = v->plan;
    return n;
}

void gg__gradient_max_pool(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] && d ? like(v, GG__OP_MAX_POOL_GRAD, v->in[0]->shape, v->in[0], d) : NULL;
}
void gg__gradient_max_pool_grad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *g)
{
    d_in[1] = wanted[1] && g ? like(v, GG__OP_MAX_POOL_PICK, v->in[1]->shape, v->in[0], g) : NULL;
}
void gg__gradient_max_pool_pick(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[1] = wanted[1] && d ? like(v, GG__OP_MAX_POOL_GRAD, v->in[1]->shape, v->in[0], d) : NULL;
}
void gg__gradient_avg_pool(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    d_in[0] = wanted[0] ? like(v, GG__OP_AVG_POOL_GRAD, v->in[0]->shape, d, NULL) : NULL;
}
void gg__gradient_avg_pool_grad(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *g)
{
    d_in[0] = wanted[0] ? like(v, GG__OP_AVG_POOL, v->in[0]->shape, g, NULL) : NULL;
}
