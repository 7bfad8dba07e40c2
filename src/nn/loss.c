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

/* (1 - s) l(target) + s mean over classes of -log p */
gg_var *gg_nn_smooth_cross_entropy(gg_var *logits, gg_var *index, double smoothing)
{
    gg_var *l = gg_var_cross_entropy(logits, index, -100);
    if (!l || smoothing == 0)
        return l;
    if (!(smoothing > 0 && smoothing < 1))
        return gg__mistake(logits->g, GG_EINVAL, "label smoothing of %g lies outside [0, 1)", smoothing);
    gg_var *all = gg_var_neg(gg_var_mean(gg_var_log_softmax(logits), 1u << (logits->shape.n - 1), false));
    return gg_var_add(gg_var_scale(l, 1 - smoothing), gg_var_scale(all, smoothing));
}

gg_var *gg_nn_weighted_cross_entropy(gg_var *logits, gg_var *index, gg_var *weight)
{
    gg_var *w = weight && index ? gg_var_gather(weight, index) : NULL, *l = gg_var_cross_entropy(logits, index, -100);
    return gg_var_div(gg_var_sum(gg_var_mul(w, l), GG_ALL_AXES, false), gg_var_sum(w, GG_ALL_AXES, false));
}
