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

/* Of a row of windows: where the maxima are, and they. */
static size_t scratch_of(const sizes *s) { return gg_mul(s->OW, 12) + 64; }

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
        if (s.H * s.W > INT32_MAX || s.size[i] < 1 || s.stride[i] < 1 || s.pad[i] < 0 || 2 * s.pad[i] > s.size[i] || n + 2 * s.pad[i] < s.size[i])
            return gg__mistake(x->g, GG_EINVAL, "pooling of %s: window %lld, stride %lld, padding %lld (at most half the window)", SHAPE_TEXT(x),
                               (long long)s.size[i], (long long)s.stride[i], (long long)s.pad[i]);
        *(i ? &s.OW : &s.OH) = y.d[x->shape.n - 2 + i] = (n + 2 * s.pad[i] - s.size[i]) / s.stride[i] + 1;
    }
    gg_var *v = gg__node(x->g, op, y, x);
    if (!v || !(v->plan = gg__graph_alloc(v->g, sizeof s)))
        return NULL;
    memcpy(v->plan, &s, sizeof s);
    v->scratch_bytes = scratch_of(&s);
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

/* The largest of each window of output row y, and where it is (index, unless NULL): window places in turn, all windows of the row at once. */
static void row_maxima(const gg_var *v, const sizes *s, void *best, int32_t *index, const char *x, int64_t y)
{
    const int64_t w = gg__width(v);
    int64_t y0, y1;
    window(&y0, &y1, s, 0, y);
    v->g->loops->fill(best, -INFINITY, s->OW);
    for (int64_t p = 0; p < s->OW && index; p++)
        index[p] = (int32_t)(y0 * s->W + (p * s->stride[1] > s->pad[1] ? p * s->stride[1] - s->pad[1] : 0));
    for (int64_t i = y0; i < y1; i++)
        for (int64_t j = 0; j < s->size[1]; j++) {
            const int64_t left = j - s->pad[1], step = s->stride[1];
            const int64_t first = left < 0 ? (-left + step - 1) / step : 0, fit = left >= s->W ? 0 : (s->W - 1 - left) / step + 1,
                          last = fit < s->OW ? fit : s->OW;
            if (first < last) {
                const int64_t at = i * s->W + first * step + left;
                v->g->loops->larger((char *)best + first * w, index ? index + first : NULL, x + at * w, step, at, last - first);
            }
        }
}

/* The common pooling: halves both sides, nothing overlaps, nothing is padded. */
static bool halves(const sizes *s) { return s->size[0] == 2 && s->size[1] == 2 && s->stride[0] == 2 && s->stride[1] == 2 && s->pad[0] == 0 && s->pad[1] == 0; }

static void half_plane(const gg_var *v, const sizes *s, int64_t plane)
{
    const int64_t w = gg__width(v), big = s->H * s->W * w, small = s->OH * s->OW * w;
    const char *x = (const char *)v->in[0]->data + plane * big;
    const bool grad = v->op == GG__OP_MAX_POOL_GRAD;
    char *y = (char *)v->data + plane * (grad ? big : small);
    if (grad && (s->H % 2 || s->W % 2))
        v->g->loops->fill(y, 0, s->H * s->W); /* what no window covers */
    for (int64_t r = 0; r < s->OH; r++)
        if (grad)
            v->g->loops->halve_grad(y + 2 * r * s->W * w, x + 2 * r * s->W * w, (const char *)v->in[1]->data + plane * small + r * s->OW * w, s->W, s->OW);
        else
            v->g->loops->halve(y + r * s->OW * w, x + 2 * r * s->W * w, s->W, s->OW);
}

static void max_plane(const gg_var *v, const sizes *s, int64_t plane, char *scratch)
{
    if (halves(s) && v->op != GG__OP_MAX_POOL_PICK) {
        half_plane(v, s, plane);
        return;
    }
    const int64_t w = gg__width(v), big = s->H * s->W * w, small = s->OH * s->OW * w;
    const char *x = (const char *)v->in[0]->data + plane * big;
    const bool grad = v->op == GG__OP_MAX_POOL_GRAD;
    int32_t *index = (int32_t *)scratch;
    char *best = scratch + (s->OW * 4 + 63) / 64 * 64, *y = (char *)v->data + plane * (grad ? big : small);
    if (grad)
        v->g->loops->fill(y, 0, s->H * s->W);
    for (int64_t r = 0; r < s->OH; r++) {
        if (v->op == GG__OP_MAX_POOL) {
            row_maxima(v, s, y + r * s->OW * w, NULL, x, r);
            continue;
        }
        row_maxima(v, s, best, index, x, r);
        const char *d = (const char *)v->in[1]->data + (grad ? plane * small + r * s->OW * w : plane * big);
        for (int64_t p = 0; p < s->OW; p++)
            if (w == 8 && grad)
                ((double *)y)[index[p]] += ((const double *)d)[p];
            else if (w == 8)
                ((double *)y)[r * s->OW + p] = ((const double *)d)[index[p]];
            else if (grad)
                ((float *)y)[index[p]] += ((const float *)d)[p];
            else
                ((float *)y)[r * s->OW + p] = ((const float *)d)[index[p]];
    }
}

/* Means, and their transpose, as sums of strided rows. */
static void avg_plane(const gg_var *v, const sizes *s, int64_t plane)
{
    const int64_t w = gg__width(v), big = s->H * s->W * w, small = s->OH * s->OW * w;
    const bool grad = v->op == GG__OP_AVG_POOL_GRAD;
    const char *from = (const char *)v->in[0]->data + plane * (grad ? small : big);
    char *to = (char *)v->data + plane * (grad ? big : small);
    v->g->loops->fill(to, 0, (grad ? big : small) / w);
    for (int64_t p = 0; p < s->OH * s->OW; p++) {
        int64_t y0, y1, x0, x1;
        window(&y0, &y1, s, 0, p / s->OW);
        window(&x0, &x1, s, 1, p % s->OW);
        const double share = 1 / (double)(s->count_padding ? s->size[0] * s->size[1] : (y1 - y0) * (x1 - x0));
        double sum = 0;
        for (int64_t i = y0; i < y1; i++)
            for (int64_t j = x0; j < x1; j++)
                if (w == 8 && grad)
                    ((double *)to)[i * s->W + j] += ((const double *)from)[p] * share;
                else if (w == 8)
                    sum += ((const double *)from)[i * s->W + j];
                else if (grad)
                    ((float *)to)[i * s->W + j] += ((const float *)from)[p] * (float)share;
                else
                    sum += (double)((const float *)from)[i * s->W + j];
        if (!grad && w == 8)
            ((double *)to)[p] = sum * share;
        else if (!grad)
            ((float *)to)[p] = (float)(sum * share);
    }
}

static void planes(gg_var *v, int64_t first, int64_t last, int worker)
{
    for (int64_t plane = first; plane < last; plane++)
        if (v->op == GG__OP_AVG_POOL || v->op == GG__OP_AVG_POOL_GRAD)
            avg_plane(v, v->plan, plane);
        else
            max_plane(v, v->plan, plane, gg__scratch(v, worker));
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
    if (n) {
        n->plan = v->plan;
        n->scratch_bytes = scratch_of(v->plan);
    }
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
