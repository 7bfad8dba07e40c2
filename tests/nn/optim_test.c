/* Optimisers against their formulas written out number by number in double, over steps with and without decay, momentum, clipping; schedules at
 * points that can be computed by hand. (tests/golden/train holds them to PyTorch.) */
#include "grad/support.h"
#include <golgi/optim.h>

enum { N = 37, STEPS = 7 };

typedef struct state {
    double a[N], b[N], c[N];
} state;

static double or_else(double x, double y) { return x == 0 ? y : x; }

/* One number, as torch.optim's pages write it. */
static void twin(double *w, double g, state *s, int i, int t, const gg_optim_options *o, bool decays)
{
    const double lr = o->lr, wd = decays ? o->weight_decay : 0, b1 = or_else(o->beta1, 0.9), b2 = or_else(o->beta2, 0.999),
                 eps = or_else(o->eps, o->kind == GG_OPTIM_ADAGRAD ? 1e-10 : 1e-8);
    if (o->kind == GG_OPTIM_ADAMW)
        *w -= lr * wd * *w;
    else if (o->kind != GG_OPTIM_RPROP)
        g += wd * *w;
    switch (o->kind) {
    case GG_OPTIM_SGD:
        if (o->momentum != 0) {
            s->a[i] = t == 1 ? g : o->momentum * s->a[i] + (1 - o->dampening) * g;
            g = o->nesterov ? g + o->momentum * s->a[i] : s->a[i];
        }
        *w -= lr * g;
        break;
    case GG_OPTIM_ADAM:
    case GG_OPTIM_ADAMW:
        s->a[i] = b1 * s->a[i] + (1 - b1) * g;
        s->b[i] = b2 * s->b[i] + (1 - b2) * g * g;
        *w -= lr * (s->a[i] / (1 - pow(b1, t))) / (sqrt(s->b[i] / (1 - pow(b2, t))) + eps);
        break;
    case GG_OPTIM_RMSPROP: {
        const double alpha = or_else(o->alpha, 0.99);
        s->a[i] = alpha * s->a[i] + (1 - alpha) * g * g;
        s->b[i] = alpha * s->b[i] + (1 - alpha) * g;
        const double mean = sqrt(s->a[i] - (o->centered ? s->b[i] * s->b[i] : 0)) + eps;
        s->c[i] = o->momentum * s->c[i] + g / mean;
        *w -= lr * s->c[i];
        break;
    }
    case GG_OPTIM_ADAGRAD:
        s->a[i] += g * g;
        *w -= lr / (1 + (t - 1) * o->lr_decay) * g / (sqrt(s->a[i]) + eps);
        break;
    default: {
        const double same = g * s->a[i];
        double step = t == 1 ? lr : s->b[i];
        step = fmin(fmax(step * (same > 0 ? 1.2 : same < 0 ? 0.5 : 1), 1e-6), 50);
        g = same < 0 ? 0 : g;
        *w -= step * ((g > 0) - (g < 0));
        s->a[i] = g;
        s->b[i] = step;
    }
    }
}

static void updates_are_those_of_the_formulas(void **state_)
{
    (void)state_;
    static const gg_optim_options list[] = {
        {.kind = GG_OPTIM_SGD, .lr = 0.1}, {.kind = GG_OPTIM_SGD, .lr = 0.1, .weight_decay = 0.1},
        {.kind = GG_OPTIM_SGD, .lr = 0.05, .momentum = 0.9, .weight_decay = 0.01}, {.kind = GG_OPTIM_SGD, .lr = 0.05, .momentum = 0.9, .dampening = 0.3},
        {.kind = GG_OPTIM_SGD, .lr = 0.05, .momentum = 0.8, .nesterov = true}, {.kind = GG_OPTIM_ADAM, .lr = 0.01},
        {.kind = GG_OPTIM_ADAM, .lr = 0.01, .weight_decay = 0.1, .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3},
        {.kind = GG_OPTIM_ADAMW, .lr = 0.01, .weight_decay = 0.1}, {.kind = GG_OPTIM_RMSPROP, .lr = 0.01},
        {.kind = GG_OPTIM_RMSPROP, .lr = 0.01, .centered = true, .momentum = 0.9, .weight_decay = 0.1, .alpha = 0.8},
        {.kind = GG_OPTIM_ADAGRAD, .lr = 0.1, .lr_decay = 0.1, .weight_decay = 0.01}, {.kind = GG_OPTIM_RPROP, .lr = 0.01}};
    for (size_t k = 0; k < sizeof list / sizeof *list; k++)
        for (int f64 = 0; f64 < 2; f64++) {
            gg_params *p = NULL;
            gg_optim *o = NULL;
            assert_ok(gg_params_create(&p, ctx, f64 ? GG_F64 : GG_F32));
            assert_ok(gg_params_add(p, "w", GG_SHAPE(N), 0));
            assert_ok(gg_params_add(p, "still", GG_SHAPE(3), GG_PARAM_FROZEN));
            assert_ok(gg_params_add(p, "b", GG_SHAPE(N), GG_PARAM_NO_DECAY));
            assert_ok(gg_optim_create(&o, ctx, p, &list[k]));
            static state s[2];
            memset(s, 0, sizeof s);
            double w[2][N];
            gg_random r = gg_random_of(2, k);
            for (int side = 0; side < 2; side++)
                for (int i = 0; i < N; i++) {
                    w[side][i] = gg_random_normal(&r);
                    if (f64)
                        ((double *)gg_params_value(p, 2 * side))[i] = w[side][i];
                    else
                        ((float *)gg_params_value(p, 2 * side))[i] = (float)w[side][i];
                }
            for (int t = 1; t <= STEPS; t++) {
                for (int side = 0; side < 2; side++)
                    for (int i = 0; i < N; i++) {
                        const double g = gg_random_normal(&r);
                        if (f64)
                            ((double *)gg_params_gradient(p, 2 * side))[i] = g;
                        else
                            ((float *)gg_params_gradient(p, 2 * side))[i] = (float)g;
                        twin(&w[side][i], f64 ? g : (double)(float)g, &s[side], i, t, &list[k], side == 0);
                    }
                if (f64)
                    ((double *)gg_params_gradient(p, 1))[0] = 5;
                else
                    ((float *)gg_params_gradient(p, 1))[0] = 5;
                const int64_t before = gg_context_allocations(ctx);
                assert_ok(gg_optim_step(o));
                assert_int_equal(gg_context_allocations(ctx), before);
            }
            assert_int_equal(gg_optim_steps(o), STEPS);
            for (int side = 0; side < 2; side++)
                for (int i = 0; i < N; i++) {
                    const double found = f64 ? ((double *)gg_params_value(p, 2 * side))[i] : (double)((float *)gg_params_value(p, 2 * side))[i];
                    if (!(fabs(found - w[side][i]) <= (f64 ? 1e-13 : 3e-6) * (1 + fabs(w[side][i]))))
                        fail_msg("case %d (%s), %s: w[%d] is %.17g, expected %.17g", (int)k, gg_optim_name(list[k].kind), f64 ? "f64" : "f32", i, found,
                                 w[side][i]);
                }
            const void *still = gg_params_value(p, 1);
            assert_true(f64 ? *(const double *)still == 0 : *(const float *)still == 0);
            gg_optim_free(o);
            gg_params_free(p);
        }
}

static void gradients_are_clipped_by_norm_and_by_value(void **state_)
{
    (void)state_;
    gg_params *p = NULL;
    gg_optim *o = NULL;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    assert_ok(gg_params_add(p, "w", GG_SHAPE(2), 0));
    assert_ok(gg_params_add(p, "frozen", GG_SHAPE(1), GG_PARAM_FROZEN));
    assert_ok(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_SGD, .lr = 1, .clip_norm = 1, .clip_value = 0.7}));
    float *g = gg_params_gradient(p, 0), *w = gg_params_value(p, 0);
    *(float *)gg_params_gradient(p, 1) = 1e9f; /* not part of the norm */
    g[0] = 3, g[1] = 4;
    assert_ok(gg_optim_step(o));
    assert_true(gg_optim_norm(o) == 5);
    assert_true(fabsf(w[0] + 0.6f) < 1e-6f && fabsf(w[1] + 0.7f) < 1e-6f);
    g[0] = NAN;
    assert_int_equal(gg_optim_step(o), GG_ENAN);
    assert_true(fabsf(w[0] + 0.6f) < 1e-6f);
    gg_optim_free(o);
    assert_int_equal(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAM, .beta1 = 1}), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "adam: beta1 is 1"));
    assert_int_equal(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_SGD, .nesterov = true}), GG_EINVAL);
    gg_params_free(p);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * (1 + fabs(b)); }

static void schedules_pass_through_known_points(void **state_)
{
    (void)state_;
    gg_schedule s = {.kind = GG_SCHEDULE_COSINE, .lr = 1, .lr_min = 0.1, .warmup = 10, .steps = 110};
    assert_true(near(gg_schedule_at(&s, 0), 0.1) && near(gg_schedule_at(&s, 9), 1) && near(gg_schedule_at(&s, 10), 1) && near(gg_schedule_at(&s, 60), 0.55) &&
                near(gg_schedule_at(&s, 110), 0.1) && near(gg_schedule_at(&s, 10000), 0.1));
    s = (gg_schedule){.kind = GG_SCHEDULE_STEP, .lr = 1, .steps = 30};
    assert_true(near(gg_schedule_at(&s, 29), 1) && near(gg_schedule_at(&s, 30), 0.1) && near(gg_schedule_at(&s, 65), 0.01));
    s = (gg_schedule){.kind = GG_SCHEDULE_EXPONENTIAL, .lr = 2, .gamma = 0.5, .steps = 2};
    assert_true(near(gg_schedule_at(&s, 1), 2 * sqrt(0.5)) && near(gg_schedule_at(&s, 4), 0.5));
    s = (gg_schedule){.kind = GG_SCHEDULE_ONE_CYCLE, .lr = 1, .steps = 100};
    assert_true(near(gg_schedule_at(&s, 0), 0.04) && near(gg_schedule_at(&s, 29), 1) && near(gg_schedule_at(&s, 99), 4e-6));
    s = (gg_schedule){.kind = GG_SCHEDULE_PLATEAU, .lr = 1, .patience = 1, .lr_min = 0.05};
    const double seen[] = {5, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3};
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        gg_schedule_look(&s, seen[i]);
    assert_true(near(gg_schedule_at(&s, 7), 0.05));
    assert_true(near(s.factor, 1e-4));
    s = (gg_schedule){.kind = GG_SCHEDULE_PLATEAU, .lr = 1, .patience = 1};
    const double undefined[] = {NAN, INFINITY, NAN, 5, NAN, 5, NAN, NAN, 5}; /* scores that say nothing: the second look that is no better is the last */
    for (size_t i = 0; i < sizeof undefined / sizeof *undefined; i++) {
        gg_schedule_look(&s, undefined[i]);
        assert_true(isfinite(s.best) && near(gg_schedule_at(&s, 0), i < 8 ? 1 : 0.1));
    }
    assert_true(near(s.best, 5));
    assert_string_equal(gg_schedule_name(GG_SCHEDULE_ONE_CYCLE), "one_cycle");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_those_of_the_formulas),
        cmocka_unit_test(gradients_are_clipped_by_norm_and_by_value),
        cmocka_unit_test(schedules_pass_through_known_points),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
