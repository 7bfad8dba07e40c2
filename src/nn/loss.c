/* Losses, as chains of the graph's operations; torch.nn's of the same names, before reduction. */
#include <golgi/nn.h>
#include "grad/graph.h"
#include <math.h>

gg_var *gg_nn_mse(gg_var *p, gg_var *t) { return gg_var_square(gg_var_sub(p, t)); }
gg_var *gg_nn_mae(gg_var *p, gg_var *t) { return gg_var_abs(gg_var_sub(p, t)); }

/* 0.5 e^2 below delta, delta (|e| - 0.5 delta) above: with m = min(|e|, delta), m (|e| - 0.5 m) */
gg_var *gg_nn_huber(gg_var *p, gg_var *t, double delta)
{
    gg_var *e = gg_var_abs(gg_var_sub(p, t)), *m = gg_var_clip(e, 0, delta);
    return gg_var_mul(m, gg_var_sub(e, gg_var_scale(m, 0.5)));
}

/* softplus(x) - t x: nothing overflows, nothing cancels */
gg_var *gg_nn_bce_logits(gg_var *logits, gg_var *t) { return gg_var_sub(gg_var_softplus(logits), gg_var_mul(t, logits)); }

static gg_var *cut_log(gg_var *p) { return gg_var_clip(gg_var_log(p), -100, INFINITY); }

gg_var *gg_nn_bce(gg_var *p, gg_var *t)
{
    gg_var *yes = gg_var_mul(t, cut_log(p)), *no = gg_var_mul(gg_var_shift(gg_var_neg(t), 1), cut_log(gg_var_shift(gg_var_neg(p), 1)));
    return gg_var_neg(gg_var_add(yes, no));
}

gg_var *gg_nn_kl(gg_var *log_p, gg_var *t)
{
    if (!log_p || !t)
        return NULL;
    gg_var *own = gg_var_mul(t, gg_var_log(gg_var_clip(t, 1e-37, INFINITY))); /* 0 log 0 = 0 */
    return gg_var_sum(gg_var_sub(own, gg_var_mul(t, log_p)), 1u << (log_p->shape.n - 1), false);
}

gg_var *gg_nn_soft_cross_entropy(gg_var *logits, gg_var *t)
{
    return logits && t ? gg_var_neg(gg_var_sum(gg_var_mul(t, gg_var_log_softmax(logits)), 1u << (logits->shape.n - 1), false)) : NULL;
}

/* 1 where a target counts. */
static gg_var *counting(gg_var *index, int64_t ignore) { return gg_var_shift(gg_var_neg(gg_var_index_is(index, ignore)), 1); }

static bool smoothing_fits(gg_var *logits, double smoothing)
{
    const bool fits = smoothing >= 0 && smoothing < 1;
    if (!fits && logits)
        gg__mistake(logits->g, GG_EINVAL, "label smoothing of %g lies outside [0, 1)", smoothing);
    return fits && logits;
}

/* (1 - s) l(target) + s mean over classes of -log p */
gg_var *gg_nn_smooth_cross_entropy(gg_var *logits, gg_var *index, double smoothing)
{
    gg_var *l = gg_var_cross_entropy(logits, index, -100);
    if (!l || smoothing == 0 || !smoothing_fits(logits, smoothing))
        return smoothing == 0 ? l : NULL;
    gg_var *all = gg_var_mul(counting(index, -100), gg_var_neg(gg_var_mean(gg_var_log_softmax(logits), 1u << (logits->shape.n - 1), false)));
    return gg_var_add(gg_var_scale(l, 1 - smoothing), gg_var_scale(all, smoothing));
}

/* [(1 - s) sum w[t] l + s / C sum over targets and classes of -w[c] log p[c]] / sum w[t] */
gg_var *gg_nn_cross_entropy(gg_var *logits, gg_var *index, gg_var *weight, int64_t ignore, double smoothing)
{
    gg_var *l = gg_var_cross_entropy(logits, index, ignore), *count = counting(index, ignore);
    if (!l || !count || !smoothing_fits(logits, smoothing))
        return NULL;
    gg_var *w = weight ? gg_var_mul(gg_var_gather(weight, gg_var_index_replace(index, ignore, 0)), count) : count;
    gg_var *sum = gg_var_sum(weight ? gg_var_mul(w, l) : l, GG_ALL_AXES, false);
    if (smoothing > 0) {
        const int last = logits->shape.n - 1;
        gg_var *log_p = gg_var_log_softmax(logits), *all = gg_var_sum(weight ? gg_var_mul(log_p, weight) : log_p, 1u << last, false);
        gg_var *spread = gg_var_scale(gg_var_sum(gg_var_mul(count, all), GG_ALL_AXES, false), -smoothing / (double)logits->shape.d[last]);
        sum = gg_var_add(gg_var_scale(sum, 1 - smoothing), spread);
    }
    return gg_var_div(sum, gg_var_sum(w, GG_ALL_AXES, false));
}

gg_var *gg_nn_weighted_cross_entropy(gg_var *logits, gg_var *index, gg_var *weight)
{
    return weight ? gg_nn_cross_entropy(logits, index, weight, -100, 0) : NULL;
}
