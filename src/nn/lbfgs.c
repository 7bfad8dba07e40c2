/* L-BFGS (Nocedal 1980; Liu & Nocedal 1989), as torch.optim.LBFGS: its order of tests, its first step, its line search.
 *
 *     y = g - g', s = the last step; kept when y.s > 1e-10      H = (y.s / y.y) I at first
 *     d = -H g by the two loops over the pairs (s_i, y_i)        w += t d, t = lr, in the very first iteration min(1, 1 / |g|_1) lr
 * strong_wolfe: t by the search of Nocedal & Wright (2006), algorithms 3.5 and 3.6, with cubic interpolation, c1 = 1e-4, c2 = 0.9.
 * State, for checkpoints: block 0 g', block 1 s, then the pairs y_i, s_i, oldest first; a pair is there when it is not zero. Dots are summed in double.
 */
#include "nn/optim.h"
#include <math.h>

enum { LAST_G, LAST_S, PAIRS };                     /* blocks */
enum { DIRECTION, START, BRACKET_A, BRACKET_B, PREVIOUS }; /* work: the last three hold gradients of the line search */

static void *value(const gg_optim *o) { return gg_params_value(o->params, -1); }
static void *gradient(const gg_optim *o) { return gg_params_gradient(o->params, -1); }
static bool is_f64(const gg_optim *o) { return gg_params_dtype(o->params) == GG_F64; }

/* --- vectors: the parameters that are trained, range by range --------------------------------------------------------------------------------- */
static double dot(const gg_optim *o, const void *a, const void *b)
{
    double sum = 0;
    for (int r = 0; r < o->n_ranges; r++)
        for (int64_t i = o->range[r].first; i < o->range[r].first + o->range[r].n; i++)
            sum += is_f64(o) ? ((const double *)a)[i] * ((const double *)b)[i] : (double)((const float *)a)[i] * (double)((const float *)b)[i];
    return sum;
}

/* y += k x */
static void add_scaled(const gg_optim *o, void *y, double k, const void *x)
{
    for (int r = 0; r < o->n_ranges; r++)
        for (int64_t i = o->range[r].first; i < o->range[r].first + o->range[r].n; i++)
            if (is_f64(o))
                ((double *)y)[i] += k * ((const double *)x)[i];
            else
                ((float *)y)[i] += (float)k * ((const float *)x)[i];
}

/* y = k x */
static void set_scaled(const gg_optim *o, void *y, double k, const void *x)
{
    for (int r = 0; r < o->n_ranges; r++)
        o->loops->scale(gg__optim_at(o, y, o->range[r].first), gg__optim_at(o, (void *)x, o->range[r].first), o->range[r].n, &k);
}

static void copy(const gg_optim *o, void *y, const void *x) { set_scaled(o, y, 1, x); }

typedef enum measure { LARGEST, ABSOLUTE_SUM } measure;
static double size_of(const gg_optim *o, const void *x, measure what)
{
    double largest = 0, sum = 0;
    for (int r = 0; r < o->n_ranges; r++)
        for (int64_t i = o->range[r].first; i < o->range[r].first + o->range[r].n; i++) {
            const double a = fabs(is_f64(o) ? ((const double *)x)[i] : (double)((const float *)x)[i]);
            largest = a > largest || isnan(a) ? a : largest;
            sum += a;
        }
    return what == LARGEST ? largest : sum;
}

static bool is_zero(const gg_optim *o, const void *x)
{
    for (int r = 0; r < o->n_ranges; r++)
        for (int64_t i = o->range[r].first; i < o->range[r].first + o->range[r].n; i++)
            if (is_f64(o) ? ((const double *)x)[i] != 0 : ((const float *)x)[i] != 0)
                return false;
    return true;
}

/* --- the function ------------------------------------------------------------------------------------------------------------------------------ */
typedef struct problem {
    gg_optim *o;
    gg_optim_evaluate evaluate;
    void *user;
    int64_t calls;
} problem;

/* The loss, and the gradients with weight decay in them. */
static gg_status evaluate(problem *p, double *loss)
{
    gg_optim *o = p->o;
    GG_TRY(p->evaluate(p->user, loss));
    p->calls++;
    GG_TRY(gg__optim_clip(o));
    for (int r = 0; r < o->n_ranges; r++)
        for (int64_t i = o->range[r].first; i < o->range[r].first + o->range[r].n && o->range[r].decay > 0; i++)
            if (is_f64(o))
                ((double *)gradient(o))[i] += o->range[r].decay * ((double *)value(o))[i];
            else
                ((float *)gradient(o))[i] += (float)o->range[r].decay * ((float *)value(o))[i];
    return GG_OK;
}

/* --- the line search --------------------------------------------------------------------------------------------------------------------------- */
typedef struct point { /* on the line start + t d */
    double t, f, slope;
    void *g; /* its gradient */
} point;

/* The loss and slope at t; the gradient stays where gradients are, the parameters at start. */
static gg_status look(problem *p, point *out, double t)
{
    gg_optim *o = p->o;
    out->t = t;
    add_scaled(o, value(o), t, o->work[DIRECTION]);
    const gg_status s = evaluate(p, &out->f);
    copy(o, value(o), o->work[START]);
    out->slope = dot(o, gradient(o), o->work[DIRECTION]);
    return s;
}

static double between(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

static double cubic(const point *a, const point *b, double low, double high)
{
    const double d1 = a->slope + b->slope - 3 * (a->f - b->f) / (a->t - b->t), square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return (low + high) / 2;
    const double d2 = sqrt(square);
    const point *x = a->t <= b->t ? a : b, *y = a->t <= b->t ? b : a;
    return between(y->t - (y->t - x->t) * ((y->slope + d2 - d1) / (y->slope - x->slope + 2 * d2)), low, high);
}

/* From loss f, with its gradient in place, and slope along d: *t becomes the step; loss and gradients those at the new point, parameters still at start. */
static gg_status strong_wolfe(problem *p, double *t, double *f, double slope)
{
    enum { MOST = 25 };
    const double c1 = 1e-4, c2 = 0.9;
    gg_optim *o = p->o;
    const point start = {0, *f, slope, o->block[LAST_G]};
    point before = {0, *f, slope, o->work[PREVIOUS]}, now = {.g = gradient(o)}, side[2] = {{.g = o->work[BRACKET_A]}, {.g = o->work[BRACKET_B]}};
    copy(o, before.g, gradient(o));
    GG_TRY(look(p, &now, *t));
    int tries = 0, n_sides = 0;
    bool done = false;
    while (tries < MOST) {
        const bool too_high = now.f > start.f + c1 * now.t * slope || (tries > 1 && now.f >= before.f), flat = fabs(now.slope) <= -c2 * slope;
        if (too_high || flat || now.slope >= 0) {
            done = !too_high && flat;
            n_sides = done ? 1 : 2;
            break;
        }
        const double next = cubic(&before, &now, now.t + 0.01 * (now.t - before.t), now.t * 10);
        before = (point){now.t, now.f, now.slope, before.g};
        copy(o, before.g, now.g);
        GG_TRY(look(p, &now, next));
        tries++;
    }
    const point *ends[2] = {n_sides == 1 ? &now : n_sides == 2 ? &before : &start, &now};
    for (int i = 0; i < 2; i++) {
        void *g = side[i].g;
        copy(o, g, ends[i]->g);
        side[i] = *ends[i];
        side[i].g = g;
    }
    int low = side[0].f <= side[1].f ? 0 : 1;
    const double reach = size_of(o, o->work[DIRECTION], LARGEST);
    bool stuck = false;
    while (!done && tries < MOST && fabs(side[1].t - side[0].t) * reach >= o->o.tolerance_change) {
        const double left = fmin(side[0].t, side[1].t), right = fmax(side[0].t, side[1].t), margin = 0.1 * (right - left);
        double next = cubic(&side[0], &side[1], left, right);
        if (fmin(right - next, next - left) < margin) { /* near an end: for the second time, or at it, a tenth away from it */
            const bool away = stuck || next >= right || next <= left;
            if (away)
                next = fabs(next - right) < fabs(next - left) ? right - margin : left + margin;
            stuck = !away;
        } else {
            stuck = false;
        }
        GG_TRY(look(p, &now, next));
        tries++;
        point *to = &side[1 - low];
        if (now.f > start.f + c1 * now.t * slope || now.f >= side[low].f) {
            copy(o, to->g, now.g);
            *to = (point){now.t, now.f, now.slope, to->g};
            low = side[0].f <= side[1].f ? 0 : 1;
            continue;
        }
        done = fabs(now.slope) <= -c2 * slope;
        if (!done && now.slope * (to->t - side[low].t) >= 0) {
            copy(o, to->g, side[low].g);
            *to = (point){side[low].t, side[low].f, side[low].slope, to->g};
        }
        copy(o, side[low].g, now.g);
        side[low] = (point){now.t, now.f, now.slope, side[low].g};
    }
    *t = side[low].t;
    *f = side[low].f;
    copy(o, gradient(o), side[low].g);
    return GG_OK;
}

/* --- iterations ---------------------------------------------------------------------------------------------------------------------------------- */
static int pairs_of(const gg_optim *o)
{
    int n = 0;
    while (n < o->o.history && !is_zero(o, o->block[PAIRS + 2 * n + 1]))
        n++;
    return n;
}

/* Takes y = g - g' and the last step in, when they curve upwards. *n pairs. */
static void remember(gg_optim *o, int *n)
{
    const int at = *n < o->o.history ? *n : 0; /* the place that is free, or the oldest */
    void *y = o->work[DIRECTION], *s = o->block[LAST_S];
    copy(o, y, gradient(o));
    add_scaled(o, y, -1, o->block[LAST_G]);
    if (!(dot(o, y, s) > 1e-10))
        return;
    void *pair[2] = {o->block[PAIRS + 2 * at], o->block[PAIRS + 2 * at + 1]};
    if (*n == o->o.history) /* the oldest goes: its memory becomes the newest's */
        memmove(o->block + PAIRS, o->block + PAIRS + 2, (size_t)(2 * (*n - 1)) * sizeof *o->block);
    else
        (*n)++;
    copy(o, pair[0], y);
    copy(o, pair[1], s);
    o->block[PAIRS + 2 * *n - 2] = pair[0];
    o->block[PAIRS + 2 * *n - 1] = pair[1];
}

/* d = -H g */
static void direction(gg_optim *o, int n)
{
    void *d = o->work[DIRECTION];
    double *al = o->work[BRACKET_A]; /* free now, and large enough (gg_optim_create) */
    set_scaled(o, d, -1, gradient(o));
    for (int i = n - 1; i >= 0; i--) {
        void *y = o->block[PAIRS + 2 * i], *s = o->block[PAIRS + 2 * i + 1];
        al[i] = dot(o, s, d) / dot(o, y, s);
        add_scaled(o, d, -al[i], y);
    }
    if (n) {
        void *y = o->block[PAIRS + 2 * n - 2], *s = o->block[PAIRS + 2 * n - 1];
        set_scaled(o, d, dot(o, y, s) / dot(o, y, y), d);
    }
    for (int i = 0; i < n; i++) {
        void *y = o->block[PAIRS + 2 * i], *s = o->block[PAIRS + 2 * i + 1];
        add_scaled(o, d, al[i] - dot(o, y, d) / dot(o, y, s), s);
    }
}

gg_status gg__lbfgs_step(gg_optim *o, gg_optim_evaluate f, void *user, double *at_start)
{
    problem p = {o, f, user, 0};
    double loss;
    GG_TRY(evaluate(&p, &loss));
    *at_start = loss;
    if (!isfinite(loss))
        return gg_fail(o->ctx, GG_ENAN, "lbfgs, step %lld: the loss is %g", (long long)o->steps + 1, loss);
    int n = pairs_of(o);
    bool flat = size_of(o, gradient(o), LARGEST) <= o->o.tolerance_grad;
    for (int64_t i = 1; i <= o->o.max_iter && !flat; i++) {
        const bool first = is_zero(o, o->block[LAST_G]);
        if (!first)
            remember(o, &n);
        direction(o, n);
        copy(o, o->block[LAST_G], gradient(o));
        const double before = loss, slope = dot(o, gradient(o), o->work[DIRECTION]);
        double t = first ? fmin(1, 1 / size_of(o, gradient(o), ABSOLUTE_SUM)) * o->o.lr : o->o.lr;
        if (slope > -o->o.tolerance_change) {
            set_scaled(o, o->block[LAST_S], t, o->work[DIRECTION]);
            break;
        }
        if (o->o.strong_wolfe) {
            copy(o, o->work[START], value(o));
            GG_TRY(strong_wolfe(&p, &t, &loss, slope));
        }
        add_scaled(o, value(o), t, o->work[DIRECTION]);
        set_scaled(o, o->block[LAST_S], t, o->work[DIRECTION]);
        if (!o->o.strong_wolfe && i < o->o.max_iter)
            GG_TRY(evaluate(&p, &loss));
        flat = (o->o.strong_wolfe || i < o->o.max_iter) && size_of(o, gradient(o), LARGEST) <= o->o.tolerance_grad;
        if (p.calls >= o->o.max_eval || size_of(o, o->block[LAST_S], LARGEST) <= o->o.tolerance_change || fabs(loss - before) < o->o.tolerance_change)
            break;
    }
    o->steps++;
    return GG_OK;
}
