/* Operations that are chains of others: activations that nobody waits for, reductions, normalisation by groups, convolution and pooling of one axis,
 * adaptive pooling. Their gradients are those of the chain. */
#include "grad/graph.h"
#include <math.h>

/* --- comparisons and activations ---------------------------------------------------------------------------------------------------------- */
gg_var *gg_var_greater(gg_var *a, gg_var *b) { return gg_var_less(b, a); }
gg_var *gg_var_greater_equal(gg_var *a, gg_var *b) { return gg_var_less_equal(b, a); }
gg_var *gg_var_not_equal(gg_var *a, gg_var *b) { return gg_var_shift(gg_var_neg(gg_var_equal(a, b)), 1); }

gg_var *gg_var_relu6(gg_var *x) { return gg_var_clip(x, 0, 6); }
gg_var *gg_var_selu(gg_var *x) { return gg_var_scale(gg_var_elu(x, 1.6732632423543772848170429916717), 1.0507009873554804934193349852946); }
gg_var *gg_var_celu(gg_var *x, double alpha) { return gg_var_scale(gg_var_elu(gg_var_scale(x, 1 / alpha), 1), alpha); }
gg_var *gg_var_prelu(gg_var *x, gg_var *weight) { return gg_var_sub(gg_var_relu(x), gg_var_mul(weight, gg_var_relu(gg_var_neg(x)))); }
gg_var *gg_var_hard_sigmoid(gg_var *x) { return gg_var_clip(gg_var_shift(gg_var_scale(x, 1.0 / 6), 0.5), 0, 1); }
gg_var *gg_var_hard_swish(gg_var *x) { return gg_var_mul(x, gg_var_hard_sigmoid(x)); }
gg_var *gg_var_mish(gg_var *x) { return gg_var_mul(x, gg_var_tanh(gg_var_softplus(x))); }

/* --- reductions ------------------------------------------------------------------------------------------------------------------------------ */
gg_var *gg_var_amin(gg_var *x, unsigned axes, bool keep) { return gg_var_neg(gg_var_amax(gg_var_neg(x), axes, keep)); }

gg_var *gg_var_variance(gg_var *x, unsigned axes, bool keep, int64_t correction)
{
    gg_var *s = x ? gg_var_sum(gg_var_square(gg_var_sub(x, gg_var_mean(x, axes, true))), axes, keep) : NULL;
    const int64_t n = s && s->n ? x->n / s->n - correction : 1;
    if (n < 1)
        return gg__mistake(x->g, GG_EINVAL, "variance of %s: %lld numbers, less a correction of %lld", SHAPE_TEXT(x), (long long)(n + correction),
                           (long long)correction);
    return s ? gg_var_scale(s, 1 / (double)n) : NULL;
}

/* --- normalisation by groups of channels (Wu & He 2018) ------------------------------------------------------------------------------------------ */
gg_var *gg_var_group_norm(gg_var *x, int64_t groups, gg_var *weight, gg_var *bias, double eps)
{
    if (!x || !weight || !bias)
        return NULL;
    if (x->shape.n < 2 || x->n == 0 || groups < 1 || x->shape.d[1] % groups || weight->shape.n != 1 || weight->n != x->shape.d[1]
        || !gg__shape_equal(bias->shape, weight->shape))
        return gg__mistake(x->g, GG_EINVAL, "group_norm of %s in %lld groups: (N, C, ...), C in equal groups, weight and bias (C,)", SHAPE_TEXT(x),
                           (long long)groups);
    const int64_t n = x->n / x->shape.d[0] / groups;
    gg_shape by_channel = {.n = x->shape.n - 1, .d = {x->shape.d[1]}};
    for (int i = 1; i < by_channel.n; i++)
        by_channel.d[i] = 1;
    gg_var *h = gg_var_layer_norm(gg_var_reshape(x, GG_SHAPE(x->shape.d[0] * groups, n)), gg_graph_fill(x->g, GG_SHAPE(n), 1),
                                  gg_graph_fill(x->g, GG_SHAPE(n), 0), eps);
    return gg_var_add(gg_var_mul(gg_var_reshape(h, x->shape), gg_var_reshape(weight, by_channel)), gg_var_reshape(bias, by_channel));
}

/* --- one axis: two with a first of length 1 ------------------------------------------------------------------------------------------------------- */
static gg_var *with_height(gg_var *x, const char *what)
{
    if (!x)
        return NULL;
    if (x->shape.n < 1 || x->shape.n == GG_MAX_DIMS)
        return gg__mistake(x->g, GG_EINVAL, "%s of %s: the last axis is time", what, SHAPE_TEXT(x));
    gg_shape s = x->shape;
    s.d[s.n] = s.d[s.n - 1];
    s.d[s.n - 1] = 1;
    s.n++;
    return gg_var_reshape(x, s);
}

static gg_var *without_height(gg_var *x)
{
    if (!x)
        return NULL;
    gg_shape s = x->shape;
    s.n--;
    s.d[s.n - 1] = s.d[s.n];
    return gg_var_reshape(x, s);
}

gg_var *gg_var_conv_transpose1d(gg_var *x, gg_var *w, const gg_conv_options *o)
{
    const gg_conv_options none = {0};
    o = o ? o : &none;
    if (x && w && (x->shape.n != 3 || w->shape.n != 3))
        return gg__mistake(x->g, GG_EINVAL, "conv_transpose1d of %s by %s: (N, C, T) and (C, O / groups, k) are needed", SHAPE_TEXT(x), SHAPE_TEXT(w));
    const gg_conv_options flat = {.stride = {1, o->stride[0]}, .padding = {0, o->padding[0]}, .dilation = {1, o->dilation[0]}, .groups = o->groups,
                                  .output_padding = {0, o->output_padding[0]}};
    return without_height(gg_var_conv_transpose2d(with_height(x, "conv_transpose1d"), with_height(w, "conv_transpose1d"), &flat));
}

static gg_pool_options flat_pool(const gg_pool_options *o)
{
    return (gg_pool_options){.size = {1, o->size[0]}, .stride = {1, o->stride[0]}, .padding = {0, o->padding[0]}, .count_padding = o->count_padding};
}

gg_var *gg_var_max_pool1d(gg_var *x, const gg_pool_options *o)
{
    const gg_pool_options flat = flat_pool(o);
    return without_height(gg_var_max_pool2d(with_height(x, "max_pool1d"), &flat));
}

gg_var *gg_var_avg_pool1d(gg_var *x, const gg_pool_options *o)
{
    const gg_pool_options flat = flat_pool(o);
    return without_height(gg_var_avg_pool2d(with_height(x, "avg_pool1d"), &flat));
}

/* --- adaptive pooling: window i of n over a length m is [floor(i m / n), ceil((i + 1) m / n)) ------------------------------------------------------------ */
static void window(int64_t *first, int64_t *last, int64_t i, int64_t m, int64_t n)
{
    *first = i * m / n;
    *last = ((i + 1) * m + n - 1) / n;
}

/* (m, n): column i is the mean over window i. */
static gg_var *means(gg_graph *g, int64_t m, int64_t n)
{
    double *a = gg__graph_alloc(g, gg_mul(gg_mul(m, n), sizeof *a));
    for (int64_t i = 0; i < n && a; i++) {
        int64_t first, last;
        window(&first, &last, i, m, n);
        for (int64_t j = first; j < last; j++)
            a[j * n + i] = 1 / (double)(last - first);
    }
    return a ? gg_graph_constant(g, GG_SHAPE(m, n), a) : NULL;
}

static gg_var *maxima(gg_var *x, int axis, int64_t n)
{
    if (!x)
        return NULL;
    const int a = gg__axis(x, axis);
    gg_var **part = gg__graph_alloc(x->g, gg_mul(n, sizeof *part));
    for (int64_t i = 0; i < n && part; i++) {
        int64_t first, last;
        window(&first, &last, i, x->shape.d[a], n);
        part[i] = gg_var_amax(gg_var_slice(x, a, first, last - first), 1u << a, true);
    }
    return part ? gg_var_concat(part, (int)n, a) : NULL;
}

static gg_var *adaptive(gg_var *x, int64_t H, int64_t W, bool max)
{
    if (!x)
        return NULL;
    if (x->shape.n < 2 || x->n == 0 || H < 1 || W < 1)
        return gg__mistake(x->g, GG_EINVAL, "adaptive pooling of %s to (%lld, %lld)", SHAPE_TEXT(x), (long long)H, (long long)W);
    const int64_t h = x->shape.d[x->shape.n - 2], w = x->shape.d[x->shape.n - 1];
    if (h % H == 0 && w % W == 0) {
        const gg_pool_options o = {.size = {h / H, w / W}};
        return max ? gg_var_max_pool2d(x, &o) : gg_var_avg_pool2d(x, &o);
    }
    if (max)
        return maxima(maxima(x, -1, W), -2, H);
    gg_var *rows = gg_var_matmul(x, means(x->g, w, W)); /* (..., h, W) */
    return gg_var_matmul(gg_var_transpose(means(x->g, h, H)), rows);
}

gg_var *gg_var_adaptive_avg_pool2d(gg_var *x, int64_t H, int64_t W) { return adaptive(x, H, W, false); }
gg_var *gg_var_adaptive_max_pool2d(gg_var *x, int64_t H, int64_t W) { return adaptive(x, H, W, true); }
gg_var *gg_var_adaptive_avg_pool1d(gg_var *x, int64_t n) { return without_height(adaptive(with_height(x, "adaptive_avg_pool1d"), 1, n, false)); }
gg_var *gg_var_adaptive_max_pool1d(gg_var *x, int64_t n) { return without_height(adaptive(with_height(x, "adaptive_max_pool1d"), 1, n, true)); }
