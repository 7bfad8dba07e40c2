/* Optimisers, clipping and schedules against PyTorch, in double: the same small net, losses of every step and the parameters at the end
 * (tests/golden/train/optim.py). L-BFGS with what it has of its own. */
#include "grad/support.h"
#include <golgi/nn.h>
#include <golgi/tensors.h>

static gg_tensors *golden;

static const double *vector(const char *name, const char *part, int64_t *n)
{
    char full[64];
    const gg_tensor *t = NULL;
    snprintf(full, sizeof full, "%s/%s", name, part);
    assert_ok(gg_tensors_need(&t, golden, *part ? full : name));
    assert_int_equal(t->dtype, GG_F64);
    if (n)
        *n = t->n_bytes / 8;
    return t->data;
}

typedef struct net {
    gg_graph *g;
    gg_params *p;
    gg_var *loss;
    int64_t calls, poison; /* evaluations; the one that fails */
} net;

static net make(gg_dtype dtype)
{
    net n = {.poison = -1};
    assert_ok(gg_params_create(&n.p, ctx, dtype));
    assert_ok(gg_graph_create(&n.g, ctx, &(gg_graph_options){.dtype = dtype}));
    const gg_nn nn = {n.g, n.p, NULL};
    gg_var *x = gg_graph_constant(n.g, GG_SHAPE(20, 3), vector("x", "", NULL)), *y = gg_graph_constant(n.g, GG_SHAPE(20, 1), vector("y", "", NULL));
    gg_var *h = gg_var_tanh(gg_nn_linear(&nn, "fc1", x, 8, true));
    n.loss = gg_var_mean(gg_nn_mse(gg_nn_linear(&nn, "fc2", h, 1, true), y), GG_ALL_AXES, false);
    assert_ok(gg_graph_backward(n.loss));
    assert_ok(gg_graph_plan(n.g, &n.loss, 1));
    gg_params_set_flags(n.p, "", 0, GG_PARAM_NO_DECAY); /* torch's default decays biases too */
    for (int i = 0; i < 4; i++) {
        const double *from = vector("first", gg_params_name(n.p, i), NULL);
        for (int64_t k = 0; k < gg_params_size(n.p, i); k++)
            if (dtype == GG_F64)
                ((double *)gg_params_value(n.p, i))[k] = from[k];
            else
                ((float *)gg_params_value(n.p, i))[k] = (float)from[k];
    }
    return n;
}

static void drop(net *n)
{
    gg_graph_free(n->g);
    gg_params_free(n->p);
}

static gg_status evaluate(void *user, double *loss)
{
    net *n = user;
    if (n->calls++ == n->poison)
        return GG_EINTR;
    const gg_status s = gg_graph_run(n->g);
    *loss = gg_var_item(n->loss);
    return s;
}

static const struct {
    const char *name;
    gg_optim_options o;
} cases[] = {
    {"sgd", {.kind = GG_OPTIM_SGD, .lr = 0.05}},
    {"sgd_nesterov", {.kind = GG_OPTIM_SGD, .lr = 0.02, .momentum = 0.9, .nesterov = true, .weight_decay = 0.01}},
    {"sgd_dampened", {.kind = GG_OPTIM_SGD, .lr = 0.02, .momentum = 0.9, .dampening = 0.5}},
    {"sgd_clip_norm", {.kind = GG_OPTIM_SGD, .lr = 0.2, .clip_norm = 0.1}},
    {"sgd_clip_value", {.kind = GG_OPTIM_SGD, .lr = 0.2, .clip_value = 0.02}},
    {"adam", {.kind = GG_OPTIM_ADAM, .lr = 0.02, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.01}},
    {"adamw", {.kind = GG_OPTIM_ADAMW, .lr = 0.02, .weight_decay = 0.1}},
    {"rmsprop", {.kind = GG_OPTIM_RMSPROP, .lr = 0.01, .alpha = 0.9, .momentum = 0.5, .centered = true}},
    {"adagrad", {.kind = GG_OPTIM_ADAGRAD, .lr = 0.1, .lr_decay = 0.05, .weight_decay = 0.01}},
    {"rprop", {.kind = GG_OPTIM_RPROP, .lr = 0.01, .eta_minus = 0.4, .eta_plus = 1.3, .step_min = 1e-5, .step_max = 0.5}},
    {"adamw_groups", {.kind = GG_OPTIM_ADAMW, .lr = 0.01, .weight_decay = 0.05}},
    {"sgd_groups", {.kind = GG_OPTIM_SGD, .lr = 0.01, .momentum = 0.9, .weight_decay = 0.05}},
    {"lbfgs", {.kind = GG_OPTIM_LBFGS, .lr = 0.3, .max_iter = 4, .history = 5}},
    {"lbfgs_wolfe", {.kind = GG_OPTIM_LBFGS, .max_iter = 5, .history = 3, .strong_wolfe = true}},
    {"lbfgs_wolfe_far", {.kind = GG_OPTIM_LBFGS, .lr = 40, .max_iter = 3, .max_eval = 30, .history = 4, .strong_wolfe = true}},
    {"lbfgs_to_the_end", {.kind = GG_OPTIM_LBFGS, .max_iter = 300, .max_eval = 1000, .tolerance_change = 1e-5, .strong_wolfe = true}},
};

static void losses_are_those_of_torch(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        net n = make(GG_F64);
        gg_optim *o = NULL;
        int64_t steps;
        const double *want = vector(cases[k].name, "losses", &steps), *last = vector(cases[k].name, "last", NULL);
        double worst = 0;
        assert_ok(gg_optim_create(&o, ctx, n.p, &cases[k].o));
        if (strstr(cases[k].name, "groups")) {
            assert_ok(gg_optim_group(o, "fc1", 3, 0.2));
            assert_ok(gg_optim_group(o, "fc2.weight", 0.25, -1));
        }
        for (int64_t i = 0; i < steps; i++) {
            double loss;
            const int64_t before = gg_context_allocations(ctx);
            assert_ok(gg_optim_step_with(o, evaluate, &n, &loss));
            assert_int_equal(gg_context_allocations(ctx), before);
            worst = fmax(worst, fabs(loss - want[i]) / fabs(want[i]));
        }
        for (int i = 0; i < 4; i++)
            for (int64_t j = 0; j < gg_params_size(n.p, i); j++, last++)
                worst = fmax(worst, fabs(((double *)gg_params_value(n.p, i))[j] - *last));
        if (!(worst < 1e-9)) {
            print_error("%s: off by %.2e\n", cases[k].name, worst);
            wrong++;
        }
        gg_optim_free(o);
        drop(&n);
    }
    assert_int_equal(wrong, 0);
}

/* Numbers held at zero, against a net that multiplies its weight by the mask: the same training, under every optimiser. */
static void masked_numbers_stay_zero_and_change_nothing_else(void **state)
{
    (void)state;
    double keep[24];
    for (int i = 0; i < 24; i++)
        keep[i] = i % 3 != 1;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        if (strstr(cases[k].name, "groups"))
            continue;
        net masked = make(GG_F64), other = {.poison = -1};
        gg_optim *o[2] = {NULL};
        gg_optim_options plain = cases[k].o;
        plain.clip_norm = 0.5;
        assert_ok(gg_params_create(&other.p, ctx, GG_F64));
        assert_ok(gg_graph_create(&other.g, ctx, &(gg_graph_options){.dtype = GG_F64}));
        const gg_nn nn = {other.g, other.p, NULL};
        gg_var *x = gg_graph_constant(other.g, GG_SHAPE(20, 3), vector("x", "", NULL)), *y = gg_graph_constant(other.g, GG_SHAPE(20, 1), vector("y", "", NULL));
        gg_var *w = gg_nn_param(&nn, "fc1.weight", GG_SHAPE(8, 3), GG_INIT_CONSTANT, 0, 0),
               *b = gg_nn_param(&nn, "fc1.bias", GG_SHAPE(8), GG_INIT_CONSTANT, 0, 0);
        gg_var *h = gg_var_tanh(gg_var_affine(x, gg_var_mul(w, gg_graph_constant(other.g, GG_SHAPE(8, 3), keep)), b));
        other.loss = gg_var_mean(gg_nn_mse(gg_nn_linear(&nn, "fc2", h, 1, true), y), GG_ALL_AXES, false);
        assert_ok(gg_graph_backward(other.loss));
        assert_ok(gg_graph_plan(other.g, &other.loss, 1));
        gg_params_set_flags(other.p, "", 0, GG_PARAM_NO_DECAY);
        memcpy(gg_params_value(other.p, -1), gg_params_value(masked.p, -1), (size_t)gg_params_extent(masked.p) * sizeof(double));
        assert_ok(gg_optim_create(&o[0], ctx, masked.p, &plain));
        assert_ok(gg_optim_mask(o[0], "fc1.weight", keep));
        for (int i = 0; i < 24; i++) /* what the mask hides is not part of the other's weights either */
            ((double *)gg_params_value(other.p, 0))[i] *= keep[i];
        assert_ok(gg_optim_create(&o[1], ctx, other.p, &plain));
        for (int i = 0; i < 8; i++) {
            assert_ok(gg_optim_step_with(o[0], evaluate, &masked, NULL));
            assert_ok(gg_optim_step_with(o[1], evaluate, &other, NULL));
        }
        const double *a = gg_params_value(masked.p, -1), *c = gg_params_value(other.p, -1);
        for (int64_t i = 0; i < gg_params_extent(masked.p); i++)
            if (!(fabs(a[i] - c[i]) < 1e-12))
                fail_msg("%s: number %d is %.17g, in the other net %.17g", cases[k].name, (int)i, a[i], c[i]);
        for (int i = 0; i < 24; i++)
            assert_true((a[i] != 0) == (keep[i] != 0));
        gg_optim_free(o[0]);
        gg_optim_free(o[1]);
        drop(&masked);
        drop(&other);
    }
}

/* Stopped after any number of steps and gone on from its blocks: the same bits. In float, where the parameters have gaps and one is frozen. */
static void lbfgs_goes_on_from_its_blocks(void **state)
{
    (void)state;
    const gg_optim_options o = {.kind = GG_OPTIM_LBFGS, .max_iter = 2, .history = 3, .strong_wolfe = true, .weight_decay = 1e-3};
    float end[2][256];
    for (int stop = 0; stop < 6; stop++) {
        net n = make(GG_F32);
        gg_optim *a = NULL, *b = NULL;
        gg_params_set_flags(n.p, "fc2.bias", GG_PARAM_FROZEN, 0);
        ((float *)gg_params_value(n.p, 3))[0] = 0.25f;
        assert_ok(gg_optim_create(&a, ctx, n.p, &o));
        for (int i = 0; i < stop; i++)
            assert_ok(gg_optim_step_with(a, evaluate, &n, NULL));
        assert_ok(gg_optim_create(&b, ctx, n.p, &o));
        assert_int_equal(gg_optim_blocks(b), 8);
        for (int k = 0; k < gg_optim_blocks(a); k++)
            memcpy(gg_optim_block(b, k), gg_optim_block(a, k), (size_t)gg_params_extent(n.p) * sizeof(float));
        gg_optim_set_steps(b, gg_optim_steps(a));
        for (int i = stop; i < 6; i++)
            assert_ok(gg_optim_step_with(b, evaluate, &n, NULL));
        assert_int_equal(gg_optim_steps(b), 6);
        assert_true(((float *)gg_params_value(n.p, 3))[0] == 0.25f);
        assert_true(gg_params_extent(n.p) <= 256);
        memcpy(end[stop > 0], gg_params_value(n.p, -1), (size_t)gg_params_extent(n.p) * sizeof(float));
        assert_memory_equal(end[stop > 0], end[0], (size_t)gg_params_extent(n.p) * sizeof(float));
        gg_optim_free(a);
        gg_optim_free(b);
        drop(&n);
    }
}

static void lbfgs_needs_a_function_and_passes_on_its_failures(void **state)
{
    (void)state;
    net n = make(GG_F64);
    gg_optim *o = NULL;
    assert_ok(gg_optim_create(&o, ctx, n.p, &(gg_optim_options){.kind = GG_OPTIM_LBFGS, .strong_wolfe = true}));
    assert_int_equal(gg_optim_step(o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "gg_optim_step_with"));
    assert_int_equal(gg_optim_group(o, "fc1", 2, 0), GG_EINVAL);
    assert_int_equal(gg_optim_mask(o, "fc3.weight", (const double[]){0}), GG_ENOENT);
    assert_non_null(strstr(gg_message(ctx), "no parameter fc3.weight to mask"));
    for (n.poison = 0; n.poison < 6; n.poison++) {
        n.calls = 0;
        assert_int_equal(gg_optim_step_with(o, evaluate, &n, NULL), GG_EINTR);
    }
    n.poison = -1;
    ((double *)gg_params_value(n.p, 0))[0] = NAN;
    assert_int_equal(gg_optim_step_with(o, evaluate, &n, NULL), GG_ENAN);
    gg_optim_free(o);
    assert_int_equal(gg_optim_create(&o, ctx, n.p, &(gg_optim_options){.kind = GG_OPTIM_LBFGS, .history = -1}), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "lbfgs: history is -1"));
    drop(&n);
}

static void schedules_are_those_of_torch(void **state)
{
    (void)state;
    const struct {
        const char *name;
        gg_schedule s;
    } list[] = {{"step", {.kind = GG_SCHEDULE_STEP, .lr = 0.5, .steps = 7, .gamma = 0.5}},
                {"exponential", {.kind = GG_SCHEDULE_EXPONENTIAL, .lr = 0.5, .gamma = 0.93}},
                {"cosine", {.kind = GG_SCHEDULE_COSINE, .lr = 0.5, .lr_min = 0.05, .steps = 40}},
                {"one_cycle", {.kind = GG_SCHEDULE_ONE_CYCLE, .lr = 0.5, .steps = 50}},
                {"one_cycle_rise", {.kind = GG_SCHEDULE_ONE_CYCLE, .lr = 0.5, .steps = 50, .rise = 0.2}},
                {"plateau", {.kind = GG_SCHEDULE_PLATEAU, .lr = 0.5, .gamma = 0.3, .patience = 2, .threshold = 1e-3, .lr_min = 0.01}},
                {"warmup", {.kind = GG_SCHEDULE_CONSTANT, .lr = 0.5, .warmup = 10}}};
    const double *seen = vector("plateau", "seen", NULL);
    for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
        gg_schedule s = list[k].s;
        int64_t n;
        const double *want = vector(list[k].name, "lr", &n);
        for (int64_t i = 0; i < n; i++) {
            const double lr = gg_schedule_at(&s, i);
            if (!(fabs(lr - want[i]) <= 1e-12))
                fail_msg("%s, step %d: %.15g, PyTorch has %.15g", list[k].name, (int)i, lr, want[i]);
            if (s.kind == GG_SCHEDULE_PLATEAU)
                gg_schedule_look(&s, seen[i]);
        }
    }
}

static int open_golden(void **state) { return context_open(state) || gg_tensors_open(&golden, ctx, "tests/golden/train/optim.safetensors") != GG_OK; }
static int close_golden(void **state)
{
    gg_tensors_free(golden);
    return context_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_those_of_torch),
        cmocka_unit_test(masked_numbers_stay_zero_and_change_nothing_else),
        cmocka_unit_test(lbfgs_goes_on_from_its_blocks),
        cmocka_unit_test(lbfgs_needs_a_function_and_passes_on_its_failures),
        cmocka_unit_test(schedules_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
