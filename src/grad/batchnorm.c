/* Batch normalisation (Ioffe & Szegedy 2015) over all axes but the second: x (N, C, ...), M = N L numbers a channel.
 *
 *     training:  mean, var of the batch (var / M), which move the running ones: r = (1 - m) r + m new, the variance by M / (M - 1), as in PyTorch
 *     else:      the running ones
 *     h = (x - mean) r, r = 1 / sqrt(var + eps)      y = h w + b
 *     dw = sum d h,   db = sum d,   dx = w r (d - t (db + h dw) / M)        t = 1 in training, else 0
 * Which of the two is known when the graph runs, as with dropout, so one recording serves both. Four nodes: BATCH_STATS (mean, var), BATCH_NORM (y),
 * BATCH_NORM_SUMS (dw, db), BATCH_NORM_DX; each passes once over x. Second derivatives go through composites, in which t is a node (TRAINING).
 * A channel's sums are one worker's, so threads change no bit.
 */
#include "grad/graph.h"
#include <math.h>

typedef struct sizes {
    int64_t N, C, L;
} sizes;

static inline const char *at(const gg_var *v, int64_t i) { return (const char *)v->data + i * gg__width(v); }

static bool is_buffer(const gg_var *v, int64_t C)
{
    return v->op == GG__OP_PARAM && (gg_params_flags(v->params, v->param) & GG_PARAM_BUFFER) && v->shape.n == 1 && v->n == C;
}

/* A node over x with these sizes. Scratch: three numbers a channel, and a row. */
static gg_var *finish(gg_var *v, const gg_var *x)
{
    if (!v)
        return NULL;
    sizes *s = gg__graph_alloc(v->g, sizeof *s);
    if (!s)
        return NULL;
    *s = (sizes){x->shape.d[0], x->shape.d[1], x->n / (x->shape.d[0] * x->shape.d[1])};
    v->plan = s;
    v->scratch_bytes = gg_mul(3 * s->C + (s->L > 1 ? s->L : s->C), gg__width(v)) + 64;
    return v;
}

gg_var *gg_var_batch_norm(gg_var *x, gg_var *weight, gg_var *bias, gg_var *running_mean, gg_var *running_var, double momentum, double eps)
{
    if (!x || !weight || !bias || !running_mean || !running_var)
        return NULL;
    gg_graph *g = x->g;
    if (x->shape.n < 2 || x->n == 0 || x->dtype == GG_I32)
        return gg__mistake(g, GG_EINVAL, "batch_norm of %s: (N, C, ...) is needed, with numbers in it", SHAPE_TEXT(x));
    const int64_t C = x->shape.d[1];
    if (weight->shape.n != 1 || weight->n != C || !gg__shape_equal(bias->shape, weight->shape))
        return gg__mistake(g, GG_EINVAL, "batch_norm of %s: weight and bias of the shape (%lld,) are needed, not %s and %s", SHAPE_TEXT(x), (long long)C,
                           SHAPE_TEXT(weight), SHAPE_TEXT(bias));
    if (!is_buffer(running_mean, C) || !is_buffer(running_var, C))
        return gg__mistake(g, GG_EINVAL, "batch_norm of %s: the running mean and variance are parameters (%lld,) with GG_PARAM_BUFFER", SHAPE_TEXT(x),
                           (long long)C);
    if (!(momentum >= 0 && momentum <= 1))
        return gg__mistake(g, GG_EINVAL, "batch_norm: a momentum of %g lies outside [0, 1]", momentum);
    gg_var *stats = finish(gg__node(g, GG__OP_BATCH_STATS, GG_SHAPE(2, C), x, running_mean, running_var), x);
    gg_var *v = finish(gg__node(g, GG__OP_BATCH_NORM, x->shape, x, weight, bias, stats), x);
    if (!v)
        return NULL;
    stats->f[0] = momentum;
    v->f[0] = eps;
    return v;
}

/* --- kernels: a channel is N rows of L numbers, or with L = 1 a column: then channels first .. last - 1 of a row go together -------------------------- */
static double sum_of(const gg_var *v, const gg_var *x, const sizes *s, int64_t c)
{
    double sum = 0;
    for (int64_t n = 0; n < s->N; n++)
        sum += v->g->loops->sum(at(x, (n * s->C + c) * s->L), s->L);
    return sum;
}

/* sum (x - mean)^2, or with d: sum d (x - mean) */
static double centred_sum(const gg_var *v, const gg_var *x, const gg_var *d, double mean, const sizes *s, int64_t c, char *scratch)
{
    const gg__loops *l = v->g->loops;
    double sum = 0;
    mean = -mean;
    for (int64_t n = 0; n < s->N; n++) {
        l->shift(scratch, at(x, (n * s->C + c) * s->L), s->L, &mean);
        if (d)
            l->mul(scratch, scratch, 1, at(d, (n * s->C + c) * s->L), 1, s->L, NULL);
        sum += d ? l->sum(scratch, s->L) : l->sum_squares(scratch, s->L);
    }
    return sum;
}

/* The same for columns; mean NULL: plain sums. In blocks of rows, so that the error does not grow with their number. scratch: three rows; the first is
 * the result. */
static void column_sums(const gg_var *v, const gg_var *x, const gg_var *d, const char *mean, const sizes *s, int64_t first, int64_t n, char *scratch)
{
    enum { BLOCK = 32 };
    const gg__loops *l = v->g->loops;
    char *part = scratch + n * gg__width(v), *row = part + n * gg__width(v);
    l->fill(scratch, 0, n);
    for (int64_t r = 0; r < s->N; r++) {
        const char *from = at(x, r * s->C + first);
        if (r % BLOCK == 0)
            l->fill(part, 0, n);
        if (mean) {
            l->sub(row, from, 1, mean, 1, n, NULL);
            l->mul(row, row, 1, d ? at(d, r * s->C + first) : row, 1, n, NULL);
        }
        l->add_to(part, mean ? row : from, n);
        if (r % BLOCK == BLOCK - 1 || r == s->N - 1)
            l->add_to(scratch, part, n);
    }
}

/* in: x, running mean, running variance. i[0]: computed again (checkpoint.c), the running ones have moved. */
static void stats_channels(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    const double M = (double)(s->N * s->L), m = v->f[0];
    gg_var column = *v;
    column.data = gg__scratch(v, worker);
    if (!v->g->training) {
        for (int64_t c = first; c < last; c++) {
            gg__put(v, c, gg__number(v->in[1], c));
            gg__put(v, s->C + c, gg__number(v->in[2], c));
        }
        return;
    }
    for (int what = 0; what < 2; what++) { /* mean, variance */
        if (s->L == 1)
            column_sums(v, v->in[0], NULL, what ? at(v, first) : NULL, s, first, last - first, column.data);
        for (int64_t c = first; c < last; c++) {
            const double sum = s->L == 1 ? gg__number(&column, c - first)
                               : what    ? centred_sum(v, v->in[0], NULL, gg__number(v, c), s, c, column.data)
                                         : sum_of(v, v->in[0], s, c);
            gg__put(v, what * s->C + c, sum / M);
        }
    }
    for (int64_t c = first; c < last && !v->i[0]; c++) {
        gg__put(v->in[1], c, (1 - m) * gg__number(v->in[1], c) + m * gg__number(v, c));
        gg__put(v->in[2], c, (1 - m) * gg__number(v->in[2], c) + m * gg__number(v, s->C + c) * (M / (M - 1)));
    }
}

gg_status gg__run_batch_stats(gg_var *v)
{
    const sizes *s = v->plan;
    if (v->g->training && s->N * s->L == 1)
        return gg_fail(v->g->ctx, GG_EINVAL, "batch_norm of %s while training: one number a channel has no variance", SHAPE_TEXT(v->in[0]));
    gg__split(v, s->C, 6 * s->N * s->L, stats_channels);
    return GG_OK;
}

/* y = a x + c of one row, coefficients by channel: a and c are of the graph's format, `step` 1 when the row runs over channels. in: x, weight, bias, stats */
static void apply_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    const gg__loops *l = v->g->loops;
    const int64_t n = s->L == 1 ? s->C : s->L, step = s->L == 1, w = gg__width(v);
    gg_var a = *v, c = *v;
    a.data = gg__scratch(v, worker);
    c.data = (char *)a.data + s->C * w;
    for (int64_t k = 0; k < s->C; k++) {
        const double r = gg__number(v->in[1], k) / sqrt(gg__number(v->in[3], s->C + k) + v->f[0]);
        gg__put(&a, k, r);
        gg__put(&c, k, gg__number(v->in[2], k) - gg__number(v->in[3], k) * r);
    }
    for (int64_t i = first; i < last; i++) {
        const int64_t k = s->L == 1 ? 0 : i % s->C;
        char *y = (char *)v->data + i * n * w;
        l->mul(y, at(v->in[0], i * n), 1, at(&a, k), step, n, NULL);
        l->add(y, y, 1, at(&c, k), step, n, NULL);
    }
}

gg_status gg__run_batch_norm(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->L == 1 ? s->N : s->N * s->C, 4 * (s->L == 1 ? s->C : s->L), apply_rows);
    return GG_OK;
}

/* in: x, d, stats -> (2, C): sum d h, sum d */
static void sums_channels(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    gg_var column = *v;
    column.data = gg__scratch(v, worker);
    for (int what = 0; what < 2; what++) { /* of d h, of d */
        if (s->L == 1)
            column_sums(v, v->in[what], what ? NULL : v->in[1], what ? NULL : at(v->in[2], first), s, first, last - first, column.data);
        for (int64_t c = first; c < last; c++) {
            const double r = what ? 1 : 1 / sqrt(gg__number(v->in[2], s->C + c) + v->f[0]);
            const double sum = s->L == 1 ? gg__number(&column, c - first)
                               : what    ? sum_of(v, v->in[1], s, c)
                                         : centred_sum(v, v->in[0], v->in[1], gg__number(v->in[2], c), s, c, column.data);
            gg__put(v, what * s->C + c, sum * r);
        }
    }
}

gg_status gg__run_batch_norm_sums(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->C, 8 * s->N * s->L, sums_channels);
    return GG_OK;
}

/* dx = A d + B x + c. in: x, weight, d, stats, sums */
static void dx_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = v->plan;
    const gg__loops *l = v->g->loops;
    const int64_t n = s->L == 1 ? s->C : s->L, step = s->L == 1, w = gg__width(v);
    const double share = v->g->training ? 1 / (double)(s->N * s->L) : 0;
    gg_var a = *v, b = *v, c = *v;
    a.data = gg__scratch(v, worker);
    b.data = (char *)a.data + s->C * w;
    c.data = (char *)b.data + s->C * w;
    char *part = (char *)c.data + s->C * w;
    for (int64_t k = 0; k < s->C; k++) {
        const double r = 1 / sqrt(gg__number(v->in[3], s->C + k) + v->f[0]), A = gg__number(v->in[1], k) * r, B = -A * share * gg__number(v->in[4], k) * r;
        gg__put(&a, k, A);
        gg__put(&b, k, B);
        gg__put(&c, k, -A * share * gg__number(v->in[4], s->C + k) - B * gg__number(v->in[3], k));
    }
    for (int64_t i = first; i < last; i++) {
        const int64_t k = s->L == 1 ? 0 : i % s->C;
        char *y = (char *)v->data + i * n * w;
        l->mul(part, at(v->in[0], i * n), 1, at(&b, k), step, n, NULL);
        l->add(part, part, 1, at(&c, k), step, n, NULL);
        l->mul(y, at(v->in[2], i * n), 1, at(&a, k), step, n, NULL);
        l->add_to(y, part, n);
    }
}

gg_status gg__run_batch_norm_dx(gg_var *v)
{
    const sizes *s = v->plan;
    gg__split(v, s->L == 1 ? s->N : s->N * s->C, 6 * (s->L == 1 ? s->C : s->L), dx_rows);
    return GG_OK;
}

gg_status gg__run_training(gg_var *v)
{
    gg__put(v, 0, v->g->training);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
void gg__gradient_batch_norm(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = v->in[0], *w = v->in[1], *stats = v->in[3];
    gg_var *sums = d ? finish(gg__node(v->g, GG__OP_BATCH_NORM_SUMS, stats->shape, x, d, stats), x) : NULL;
    if (!sums)
        return;
    sums->f[0] = v->f[0];
    gg_var *dx = wanted[0] ? finish(gg__node(v->g, GG__OP_BATCH_NORM_DX, x->shape, x, w, d, stats, sums), x) : NULL;
    if (dx)
        dx->f[0] = v->f[0];
    d_in[0] = dx;
    for (int i = 0; i < 2; i++)
        if (wanted[1 + i])
            d_in[1 + i] = gg_var_reshape(gg_var_slice(sums, 0, i, 1), w->shape);
}

/* --- composites, for second derivatives ------------------------------------------------------------------------------------------------------ */
static unsigned all_but_channels(const gg_var *x) { return ((1u << x->shape.n) - 1) & ~2u; }

static gg_var *by_channel(gg_var *v, const gg_var *x) /* (C,) -> (C, 1, ...) */
{
    gg_shape s = {.n = x->shape.n - 1, .d = {x->shape.d[1]}};
    for (int i = 1; i < s.n; i++)
        s.d[i] = 1;
    return gg_var_reshape(v, s);
}

/* h and r of the head comment, with t; stats: the node of that kind. */
static void statistics(gg_var **h, gg_var **r, gg_var **t, gg_var *x, const gg_var *stats, double eps)
{
    const unsigned axes = all_but_channels(x);
    *t = gg__node_new(x->g, GG__OP_TRAINING, x->dtype, GG_SCALAR, NULL, 0);
    gg_var *mean = gg_var_where(*t, gg_var_mean(x, axes, true), by_channel(stats->in[1], x)), *centred = gg_var_sub(x, mean);
    gg_var *var = gg_var_where(*t, gg_var_mean(gg_var_square(centred), axes, true), by_channel(stats->in[2], x));
    *r = gg_var_rsqrt(gg_var_shift(var, eps));
    *h = gg_var_mul(centred, *r);
}

gg_var *gg__composite_batch_norm_sums(gg_var *v)
{
    gg_var *x = v->in[0], *d = v->in[1], *h, *r, *t;
    statistics(&h, &r, &t, x, v->in[2], v->f[0]);
    const unsigned axes = all_but_channels(x);
    gg_var *dw = gg_var_sum(gg_var_mul(d, h), axes, false), *db = gg_var_sum(d, axes, false);
    return gg_var_reshape(gg_var_concat((gg_var *const[]){dw, db}, 2, 0), v->shape);
}

gg_var *gg__composite_batch_norm_dx(gg_var *v)
{
    gg_var *x = v->in[0], *d = v->in[2], *h, *r, *t;
    statistics(&h, &r, &t, x, v->in[3], v->f[0]);
    const unsigned axes = all_but_channels(x);
    gg_var *back = gg_var_add(gg_var_mean(d, axes, true), gg_var_mul(h, gg_var_mean(gg_var_mul(d, h), axes, true)));
    return gg_var_mul(gg_var_mul(by_channel(v->in[1], x), r), gg_var_sub(d, gg_var_mul(t, back)));
}
