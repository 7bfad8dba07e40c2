/* Optimisers. Owns their state: blocks of the shape of the parameters' own, so that an update is one loop over all of them.
 *
 * Neighbouring parameters with the same flags are one range: a net without exceptions is updated in a single call. The loops are those of the
 * graph's number format and instruction set (grad/loops.h). The norm of the gradients is summed in double, range by range.
 * Formulas: torch.optim's documentation of SGD, Adam, AdamW, RMSprop, Adagrad, Rprop. (lbfgs.c has the one that calls back.)
 */
#include "nn/optim.h"
#include <math.h>

static const struct {
    const char *name;
    int blocks;
} kinds[GG_OPTIMS] = {
#define GG_X(code, name, blocks) {#name, blocks},
    GG_OPTIM_MAP(GG_X)
#undef GG_X
};

const char *gg_optim_name(gg_optim_kind k) { return kinds[k].name; }

static double or_else(double x, double otherwise) { return x == 0 ? otherwise : x; }

static gg_optim_options with_defaults(gg_optim_options o)
{
    const bool hundredth = o.kind == GG_OPTIM_RMSPROP || o.kind == GG_OPTIM_ADAGRAD || o.kind == GG_OPTIM_RPROP;
    o.lr = or_else(o.lr, o.kind == GG_OPTIM_LBFGS ? 1 : hundredth ? 1e-2 : 1e-3);
    o.beta1 = or_else(o.beta1, 0.9);
    o.beta2 = or_else(o.beta2, 0.999);
    o.alpha = or_else(o.alpha, 0.99);
    o.eps = or_else(o.eps, o.kind == GG_OPTIM_ADAGRAD ? 1e-10 : 1e-8);
    o.eta_minus = or_else(o.eta_minus, 0.5);
    o.eta_plus = or_else(o.eta_plus, 1.2);
    o.step_min = or_else(o.step_min, 1e-6);
    o.step_max = or_else(o.step_max, 50);
    o.max_iter = o.max_iter ? o.max_iter : 20;
    o.max_eval = o.max_eval ? o.max_eval : o.max_iter * 5 / 4;
    o.history = o.history ? o.history : 100;
    o.tolerance_grad = or_else(o.tolerance_grad, 1e-7);
    o.tolerance_change = or_else(o.tolerance_change, 1e-9);
    return o;
}

static gg_status check(gg_context *ctx, const gg_optim_options *o)
{
    const struct {
        const char *name;
        double value, low, high; /* low <= value < high */
    } list[] = {{"lr", o->lr, 0, INFINITY},
                {"momentum", o->momentum, 0, 1},
                {"dampening", o->dampening, 0, 1 + 1e-12},
                {"beta1", o->beta1, 0, 1},
                {"beta2", o->beta2, 0, 1},
                {"alpha", o->alpha, 0, 1},
                {"eps", o->eps, 0, INFINITY},
                {"weight_decay", o->weight_decay, 0, INFINITY},
                {"lr_decay", o->lr_decay, 0, INFINITY},
                {"eta_minus", o->eta_minus, 0, 1},
                {"eta_plus", o->eta_plus, 1, INFINITY},
                {"clip_norm", o->clip_norm, 0, INFINITY},
                {"clip_value", o->clip_value, 0, INFINITY},
                {"max_iter", (double)o->max_iter, 1, 1e9},
                {"max_eval", (double)o->max_eval, 1, 1e9},
                {"history", o->history, 1, 10000},
                {"tolerance_grad", o->tolerance_grad, 0, INFINITY},
                {"tolerance_change", o->tolerance_change, 0, INFINITY}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!(list[i].value >= list[i].low && list[i].value < list[i].high))
            return gg_fail(ctx, GG_EINVAL, "%s: %s is %g, it must be at least %g and below %g", gg_optim_name(o->kind), list[i].name, list[i].value,
                           list[i].low, list[i].high);
    if (o->nesterov && (o->momentum == 0 || o->dampening != 0))
        return gg_fail(ctx, GG_EINVAL, "sgd: nesterov needs momentum, and no dampening");
    return GG_OK;
}

static void find_ranges(gg_optim *o)
{
    const int n = gg_params_count(o->params);
    o->n_ranges = 0;
    for (int i = 0; i < n; i++) {
        const unsigned flags = gg_params_flags(o->params, i);
        const int64_t first = gg_params_offset(o->params, i), end = i + 1 < n ? gg_params_offset(o->params, i + 1) : gg_params_extent(o->params);
        const double rate = o->rate[i], decay = flags & GG_PARAM_NO_DECAY ? 0 : o->decay[i];
        gg__optim_range *last = o->n_ranges ? &o->range[o->n_ranges - 1] : NULL;
        if (flags & (GG_PARAM_FROZEN | GG_PARAM_BUFFER))
            continue;
        if (last && last->first + last->n == first && last->decay == decay && last->rate == rate)
            last->n = end - last->first;
        else
            o->range[o->n_ranges++] = (gg__optim_range){first, end - first, rate, decay};
    }
}

static gg_status first_ranges(gg_optim *o)
{
    const int n = gg_params_count(o->params);
    o->range = gg_new(o->ctx, gg__optim_range, n);
    o->rate = gg_new(o->ctx, double, n);
    o->decay = gg_new(o->ctx, double, n);
    if (!o->range || !o->rate || !o->decay)
        return GG_ENOMEM;
    for (int i = 0; i < n; i++) {
        o->rate[i] = 1;
        o->decay[i] = o->o.weight_decay;
    }
    find_ranges(o);
    return GG_OK;
}

gg_status gg_optim_group(gg_optim *o, const char *prefix, double rate, double weight_decay)
{
    int found = 0;
    if (o->o.kind == GG_OPTIM_LBFGS)
        return gg_fail(o->ctx, GG_EINVAL, "lbfgs moves all parameters together: it has no groups");
    if (!(rate >= 0 && rate < INFINITY && weight_decay < INFINITY))
        return gg_fail(o->ctx, GG_EINVAL, "%s: a group %s with the rate %g, weight decay %g", gg_optim_name(o->o.kind), prefix, rate, weight_decay);
    for (int i = 0; i < gg_params_count(o->params); i++)
        if (strncmp(gg_params_name(o->params, i), prefix, strlen(prefix)) == 0) {
            found++;
            o->rate[i] = rate;
            o->decay[i] = weight_decay >= 0 ? weight_decay : o->decay[i];
        }
    if (!found)
        return gg_fail(o->ctx, GG_ENOENT, "%s: no parameter's name begins with %s", gg_optim_name(o->o.kind), prefix);
    find_ranges(o);
    return GG_OK;
}

gg_status gg_optim_mask(gg_optim *o, const char *name, const double *keep)
{
    const int i = gg_params_find(o->params, name);
    if (i < 0)
        return gg_fail(o->ctx, GG_ENOENT, "%s: there is no parameter %s to mask", gg_optim_name(o->o.kind), name);
    const int64_t n = gg_params_size(o->params, i), first = gg_params_offset(o->params, i);
    if (!o->mask) {
        if (!(o->mask = gg_alloc(o->ctx, gg_mul(gg_params_extent(o->params), gg_params_dtype(o->params) == GG_F64 ? 8 : 4))))
            return GG_ENOMEM;
        o->loops->fill(o->mask, 1, gg_params_extent(o->params));
    }
    for (int64_t k = 0; k < n; k++)
        o->loops->fill(gg__optim_at(o, o->mask, first + k), keep[k] != 0, 1);
    void *value = gg_params_value(o->params, i);
    o->loops->mul(value, value, 1, gg__optim_at(o, o->mask, first), 1, n, NULL);
    return GG_OK;
}

gg_status gg_optim_create(gg_optim **out, gg_context *ctx, gg_params *params, const gg_optim_options *options)
{
    const gg_optim_options all = with_defaults(*options);
    GG_TRY(check(ctx, &all));
    gg_optim *o = gg_new(ctx, gg_optim, 1);
    if (!o)
        return GG_ENOMEM;
    const bool f64 = gg_params_dtype(params) == GG_F64;
    const bool lbfgs = all.kind == GG_OPTIM_LBFGS;
    *o = (gg_optim){.ctx = ctx, .params = params, .o = all, .loops = gg__loops_best(f64), .norm = NAN};
    o->n_blocks = kinds[all.kind].blocks + (lbfgs ? 2 * all.history : 0);
    gg_status s = gg_params_value(params, -1) && (o->block = gg_new(ctx, void *, o->n_blocks > 3 ? o->n_blocks : 3)) ? first_ranges(o) : GG_ENOMEM;
    const size_t bytes = gg_mul(gg_params_extent(params), f64 ? 8 : 4), least = (size_t)all.history * sizeof(double);
    for (int i = 0; i < o->n_blocks && s == GG_OK; i++)
        if (!(o->block[i] = gg_alloc(ctx, bytes)))
            s = GG_ENOMEM;
    for (int i = 0; i < GG__LBFGS_WORK && lbfgs && s == GG_OK; i++)
        if (!(o->work[i] = gg_alloc(ctx, bytes > least ? bytes : least)))
            s = GG_ENOMEM;
    if (s != GG_OK) {
        gg_optim_free(o);
        return s;
    }
    *out = o;
    return GG_OK;
}

void gg_optim_free(gg_optim *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n_blocks && o->block; i++)
        gg_drop(o->ctx, o->block[i]);
    for (int i = 0; i < GG__LBFGS_WORK; i++)
        gg_drop(o->ctx, o->work[i]);
    gg_drop(o->ctx, o->block);
    gg_drop(o->ctx, o->mask);
    gg_drop(o->ctx, o->rate);
    gg_drop(o->ctx, o->decay);
    gg_drop(o->ctx, o->range);
    gg_drop(o->ctx, o);
}

gg_status gg__optim_clip(gg_optim *o)
{
    double factor = 1;
    for (int i = 0; i < o->n_ranges && o->mask; i++) {
        void *g = gg__optim_at(o, gg_params_gradient(o->params, -1), o->range[i].first);
        o->loops->mul(g, g, 1, gg__optim_at(o, o->mask, o->range[i].first), 1, o->range[i].n, NULL);
    }
    if (o->o.clip_norm > 0) {
        double sum = 0;
        for (int i = 0; i < o->n_ranges; i++)
            sum += o->loops->sum_squares(gg__optim_at(o, gg_params_gradient(o->params, -1), o->range[i].first), o->range[i].n);
        o->norm = sqrt(sum);
        if (!isfinite(o->norm))
            return gg_fail(o->ctx, GG_ENAN, "%s, step %lld: the norm of the gradients is not finite", gg_optim_name(o->o.kind), (long long)o->steps + 1);
        factor = o->norm > o->o.clip_norm ? o->o.clip_norm / (o->norm + 1e-6) : 1;
    }
    for (int i = 0; i < o->n_ranges; i++) {
        void *g = gg__optim_at(o, gg_params_gradient(o->params, -1), o->range[i].first);
        if (factor != 1)
            o->loops->scale(g, g, o->range[i].n, &factor);
        if (o->o.clip_value > 0)
            o->loops->clip(g, g, o->range[i].n, (const double[]){-o->o.clip_value, o->o.clip_value});
    }
    return GG_OK;
}

/* The numbers that a step's loop needs, in the order in which loops_body.h reads them. */
static gg__update loop_of(const gg_optim *o, double c[8], const gg__optim_range *r)
{
    const gg_optim_options *p = &o->o;
    const double t = (double)o->steps, lr = p->lr * r->rate, l2 = p->kind != GG_OPTIM_ADAMW ? r->decay : 0;
    switch (p->kind) {
    case GG_OPTIM_SGD:
        memcpy(c, (const double[]){lr, l2, p->momentum, o->steps == 1 ? 1 : 1 - p->dampening, p->nesterov}, 5 * sizeof *c);
        return p->momentum == 0 ? o->loops->sgd_plain : o->loops->sgd;
    case GG_OPTIM_ADAM:
    case GG_OPTIM_ADAMW: {
        const double keep = p->kind == GG_OPTIM_ADAMW ? 1 - lr * r->decay : 1;
        memcpy(c, (const double[]){lr / (1 - pow(p->beta1, t)), l2, p->beta1, p->beta2, p->eps, keep, 1 / sqrt(1 - pow(p->beta2, t))}, 7 * sizeof *c);
        return o->loops->adam;
    }
    case GG_OPTIM_RMSPROP:
        memcpy(c, (const double[]){lr, l2, p->alpha, p->eps, p->momentum, p->centered}, 6 * sizeof *c);
        return o->loops->rmsprop;
    case GG_OPTIM_ADAGRAD:
        memcpy(c, (const double[]){lr / (1 + (t - 1) * p->lr_decay), l2, p->eps}, 3 * sizeof *c);
        return o->loops->adagrad;
    default:
        memcpy(c, (const double[]){o->steps == 1, lr, p->eta_minus, p->eta_plus, p->step_min, p->step_max}, 6 * sizeof *c);
        return o->loops->rprop;
    }
}

gg_status gg_optim_step(gg_optim *o)
{
    if (o->o.kind == GG_OPTIM_LBFGS)
        return gg_fail(o->ctx, GG_EINVAL, "lbfgs looks at the loss more than once a step: gg_optim_step_with is needed");
    GG_TRY(gg__optim_clip(o));
    o->steps++;
    for (int i = 0; i < o->n_ranges; i++) {
        const gg__optim_range *r = &o->range[i];
        double c[8];
        const gg__update update = loop_of(o, c, r);
        update(gg__optim_at(o, gg_params_value(o->params, -1), r->first), gg__optim_at(o, gg_params_gradient(o->params, -1), r->first),
               gg__optim_at(o, o->block[0], r->first), gg__optim_at(o, o->block[1], r->first),
               gg__optim_at(o, o->block[2], r->first), r->n, c);
    }
    return GG_OK;
}

gg_status gg_optim_step_with(gg_optim *o, gg_optim_evaluate evaluate, void *user, double *loss)
{
    double unused;
    loss = loss ? loss : &unused;
    if (o->o.kind == GG_OPTIM_LBFGS)
        return gg__lbfgs_step(o, evaluate, user, loss);
    GG_TRY(evaluate(user, loss));
    return gg_optim_step(o);
}

void gg_optim_set_lr(gg_optim *o, double lr) { o->o.lr = lr; }
double gg_optim_lr(const gg_optim *o) { return o->o.lr; }
double gg_optim_norm(const gg_optim *o) { return o->norm; }
int64_t gg_optim_steps(const gg_optim *o) { return o->steps; }
void gg_optim_set_steps(gg_optim *o, int64_t steps) { o->steps = steps; }
int gg_optim_blocks(const gg_optim *o) { return o->n_blocks; }
void *gg_optim_block(gg_optim *o, int i) { return o->block[i]; }
