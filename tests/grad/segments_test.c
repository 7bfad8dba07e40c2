/* Segments computed again, operations of the user's, straight-through choices, running statistics: what a comparison of gradients with differences does
 * not see. */
#include "grad/support.h"
#include <golgi/nn.h>

enum { LAYERS = 12, WIDTH = 64, BATCH = 128 };

/* LAYERS layers with dropout and batch norm, in segments of `every` (0: none); gradients into p, what was needed to *bytes. */
static double deep(gg_params *p, int every, bool training, size_t *bytes)
{
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.n_threads = 2}));
    const gg_nn nn = {g, p, NULL};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(BATCH, WIDTH)), *h = x, *from = x;
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "fc%d", i);
        h = gg_nn_linear(&nn, name, h, WIDTH, true);
        snprintf(name, sizeof name, "bn%d", i);
        h = gg_var_dropout(gg_var_tanh(gg_nn_batch_norm(&nn, name, gg_var_gelu(h), 0, 0)), 0.2);
        h = gg_var_add(gg_var_sin(h), gg_var_sigmoid(gg_var_square(h)));
        if (every && (i + 1) % every == 0)
            from = h = gg_var_checkpoint(h, &from, 1);
    }
    gg_var *loss = gg_var_mean(gg_var_square(h), GG_ALL_AXES, false);
    assert_ok(gg_graph_backward(loss));
    assert_ok(gg_graph_plan(g, &loss, 1));
    assert_ok(gg_nn_init(p, 5));
    randomise(x, 1);
    gg_graph_set_training(g, training, 9);
    for (int i = 0; i < 3; i++) /* several runs: draws and running statistics go on */
        assert_ok(gg_graph_run(g));
    const double end = gg_var_item(loss);
    *bytes = gg_graph_arena_bytes(g);
    gg_graph_free(g);
    return end;
}

static void a_segment_computed_again_gives_the_same_bits_for_less_memory(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        gg_params *p[3] = {NULL};
        double loss[3];
        size_t bytes[3];
        const int every[] = {0, 1, 3};
        for (int k = 0; k < 3; k++) {
            assert_ok(gg_params_create(&p[k], ctx, GG_F32));
            loss[k] = deep(p[k], every[k], training, &bytes[k]);
            assert_true(loss[k] == loss[0] && loss[k] > 0);
            const size_t n = (size_t)gg_params_extent(p[0]) * sizeof(float);
            assert_memory_equal(gg_params_value(p[k], -1), gg_params_value(p[0], -1), n); /* running statistics moved once a run */
            assert_memory_equal(gg_params_gradient(p[k], -1), gg_params_gradient(p[0], -1), n);
        }
        /* kept: several values a layer. In segments of three: one value for three layers, and what one segment needs */
        if (!(bytes[1] < bytes[0] / 2 && bytes[2] < bytes[0] / 2))
            fail_msg("%zu bytes whole, %zu in segments of one layer, %zu of three", bytes[0], bytes[1], bytes[2]);
        for (int k = 0; k < 3; k++)
            gg_params_free(p[k]);
    }
}

static gg_status one_step(void *user, gg_graph *b, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    (void)user, (void)b;
    next[0] = out[0] = gg_var_tanh(gg_var_add(carry[0], in[0]));
    return GG_OK;
}

static void a_loop_in_a_segment_is_refused(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, NULL));
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(3, 2)), *zero = gg_graph_fill(g, GG_SHAPE(2), 0), *last, *out;
    gg_var_scan(&last, &out, g, one_step, NULL, &zero, 1, &x, 1, 1, 0);
    gg_var *y = gg_var_checkpoint(gg_var_exp(out), &x, 1);
    assert_int_equal(gg_graph_plan(g, &y, 1), GG_EUNSUPPORTED);
    assert_non_null(strstr(gg_message(ctx), "checkpoint: a loop over time"));
    gg_graph_free(g);
}

static gg_status refuse(void *user, gg_var *y, gg_var *const *in, int n)
{
    (void)user, (void)n;
    if (((float *)gg_var_data(in[0]))[0] < 0)
        return GG_EINVAL;
    ((float *)gg_var_data(y))[0] = sqrtf(((float *)gg_var_data(in[0]))[0] - 4);
    return GG_OK;
}

static void a_users_operation_may_fail_and_is_named(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, NULL));
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(1)), *y = gg_var_custom(g, GG_SHAPE(1), &x, 1, &(gg_custom){"root_of_rest", refuse, NULL, NULL}), *d;
    assert_ok(gg_var_gradients(&d, gg_var_add(gg_var_sum(y, GG_ALL_AXES, false), gg_var_sum(x, GG_ALL_AXES, false)), NULL, &x, 1));
    assert_ok(gg_graph_plan(g, (gg_var *[]){y, d}, 2));
    float *v = gg_var_data(x);
    *v = 8;
    assert_ok(gg_graph_run_checked(g));
    assert_true(gg_var_item(y) == 2 && gg_var_item(d) == 1); /* no gradient was given: nothing flows through it */
    *v = 1;
    assert_int_equal(gg_graph_run_checked(g), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "root_of_rest"));
    *v = -1;
    assert_int_equal(gg_graph_run(g), GG_EINVAL);
    gg_graph_free(g);
}

static void the_k_largest_are_chosen_and_gradients_go_straight_through(void **state)
{
    (void)state;
    enum { R = 200, N = 37 };
    for (int64_t k = 1; k <= N; k += 6) {
        gg_graph *g = NULL;
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_var *x = gg_graph_input(g, "x", GG_SHAPE(R, N)), *w = gg_graph_input(g, "w", GG_SHAPE(R, N)), *y = gg_var_top_k(x, k), *d;
        assert_ok(gg_var_gradients(&d, gg_var_sum(gg_var_mul(y, w), GG_ALL_AXES, false), NULL, &x, 1));
        assert_ok(gg_graph_plan(g, (gg_var *[]){y, d}, 2));
        randomise(x, 1);
        randomise(w, 2);
        float *a = gg_var_data(x);
        for (int64_t i = 0; i < R * N; i += 2)
            a[i] = roundf(a[i]); /* many equals */
        a[5] = NAN;
        a[3 * N + 7] = INFINITY;
        assert_ok(gg_graph_run(g));
        const float *chosen = gg_var_data(y);
        for (int64_t r = 0; r < R; r++)
            for (int64_t i = 0; i < N; i++) {
                int64_t before = 0; /* how many go before i: larger, or equal and to the left; NaN is the largest */
                for (int64_t j = 0; j < N; j++) {
                    const float u = isnan(a[r * N + j]) ? INFINITY : a[r * N + j], v = isnan(a[r * N + i]) ? INFINITY : a[r * N + i];
                    before += u > v || (u == v && j < i);
                }
                assert_true(chosen[r * N + i] == (before < k ? 1 : 0));
            }
        assert_memory_equal(gg_var_data(d), gg_var_data(w), R * N * sizeof(float));
        gg_graph_free(g);
    }
}

/* A net with batch norm: what training moves, what evaluation reads, what the optimiser leaves alone; another graph over the same parameters. */
static void running_statistics_are_buffers(void **state)
{
    (void)state;
    enum { N = 50, C = 3 };
    gg_params *p = NULL;
    gg_graph *g[2] = {NULL};
    gg_var *x[2], *y[2], *loss = NULL;
    gg_optim *o = NULL;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    for (int k = 0; k < 2; k++) {
        assert_ok(gg_graph_create(&g[k], ctx, NULL));
        const gg_nn nn = {g[k], p, "net."};
        x[k] = gg_graph_input(g[k], "x", GG_SHAPE(k ? 1 : N, C));
        y[k] = gg_nn_batch_norm(&nn, "bn", x[k], 0.25, 0);
        if (k == 0) {
            loss = gg_var_mean(gg_var_square(gg_var_shift(y[k], -1)), GG_ALL_AXES, false);
            assert_ok(gg_graph_backward(loss));
        }
        assert_ok(gg_graph_plan(g[k], (gg_var *[]){y[k], loss}, k ? 1 : 2));
    }
    assert_ok(gg_nn_init(p, 1));
    assert_ok(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_SGD, .lr = 0.1, .weight_decay = 0.5}));
    const int mean = gg_params_find(p, "net.bn.running_mean"), var = gg_params_find(p, "net.bn.running_var");
    assert_int_equal(gg_params_flags(p, mean), GG_PARAM_BUFFER);
    randomise(x[0], 4);
    float *a = gg_var_data(x[0]);
    for (int i = 0; i < N * C; i++)
        a[i] = 3 * a[i] + (float)(i % C);
    gg_graph_set_training(g[0], true, 1);
    double want[2][C] = {{0, 0, 0}, {1, 1, 1}};
    for (int step = 0; step < 5; step++) {
        assert_ok(gg_graph_run(g[0]));
        assert_ok(gg_optim_step(o));
        for (int c = 0; c < C; c++) {
            double sum = 0, squares = 0;
            for (int i = 0; i < N; i++)
                sum += (double)a[i * C + c];
            for (int i = 0; i < N; i++)
                squares += ((double)a[i * C + c] - sum / N) * ((double)a[i * C + c] - sum / N);
            want[0][c] = 0.75 * want[0][c] + 0.25 * sum / N;
            want[1][c] = 0.75 * want[1][c] + 0.25 * squares / (N - 1);
        }
    }
    for (int c = 0; c < C; c++) {
        assert_true(fabs((double)((float *)gg_params_value(p, mean))[c] - want[0][c]) < 1e-5);
        assert_true(fabs((double)((float *)gg_params_value(p, var))[c] - want[1][c]) < 1e-4);
        assert_true(((float *)gg_params_gradient(p, mean))[c] == 0 && ((float *)gg_params_gradient(p, var))[c] == 0);
        assert_true(((float *)gg_params_value(p, gg_params_find(p, "net.bn.bias")))[c] > 0.2f); /* learned: y is to be 1 */
        ((float *)gg_var_data(x[1]))[c] = 2;
    }
    assert_ok(gg_graph_run(g[1])); /* one sample, evaluated by what was learned */
    for (int c = 0; c < C; c++) {
        const double w = (double)((float *)gg_params_value(p, 0))[c], b = (double)((float *)gg_params_value(p, 1))[c];
        assert_true(fabs((double)((float *)gg_var_data(y[1]))[c] - (w * (2 - want[0][c]) / sqrt(want[1][c] + 1e-5) + b)) < 1e-4);
        assert_true(fabs((double)((float *)gg_params_value(p, mean))[c] - want[0][c]) < 1e-5); /* and nothing moved */
    }
    gg_graph_set_training(g[1], true, 1);
    assert_int_equal(gg_graph_run(g[1]), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "one number a channel has no variance"));
    gg_optim_free(o);
    gg_graph_free(g[0]);
    gg_graph_free(g[1]);
    gg_params_free(p);
}

static void threads_change_no_bit_of_batch_norm(void **state)
{
    (void)state;
    const gg_shape shapes[] = {GG_SHAPE(3001, 37), GG_SHAPE(9, 13, 31, 29)};
    for (int k = 0; k < 2; k++) {
        float *first[3] = {NULL};
        for (int threads = 1; threads <= 3; threads++) {
            gg_params *p = NULL;
            gg_graph *g = NULL;
            assert_ok(gg_params_create(&p, ctx, GG_F32));
            assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.n_threads = threads}));
            const gg_nn nn = {g, p, NULL};
            gg_var *x = gg_graph_input(g, "x", shapes[k]), *w = gg_graph_input(g, "w", shapes[k]), *y = gg_nn_batch_norm(&nn, "bn", x, 0, 0), *d = NULL;
            gg_var *loss = gg_var_sum(gg_var_mul(y, w), GG_ALL_AXES, false);
            assert_ok(gg_var_gradients(&d, loss, NULL, &x, 1));
            assert_ok(gg_graph_backward(loss));
            gg_var *keep[2] = {y, d};
            assert_ok(gg_graph_plan(g, keep, 2));
            assert_ok(gg_nn_init(p, 1));
            randomise(x, 1);
            randomise(w, 2);
            gg_graph_set_training(g, true, 1);
            assert_ok(gg_graph_run(g));
            const size_t bytes[3] = {gg_var_bytes(y), gg_var_bytes(d), (size_t)gg_params_extent(p) * sizeof(float)};
            for (int i = 0; i < 3; i++) {
                const void *now = i < 2 ? gg_var_data(keep[i]) : gg_params_value(p, -1);
                if (threads == 1)
                    memcpy(first[i] = malloc(2 * bytes[i]), now, bytes[i]);
                assert_memory_equal(first[i], now, bytes[i]);
                if (i == 2 && threads == 1)
                    memcpy((char *)first[2] + bytes[2], gg_params_gradient(p, -1), bytes[2]);
            }
            assert_memory_equal((char *)first[2] + bytes[2], gg_params_gradient(p, -1), bytes[2]);
            gg_graph_free(g);
            gg_params_free(p);
        }
        for (int i = 0; i < 3; i++)
            free(first[i]);
    }
}

static void mistakes_are_told(void **state)
{
    (void)state;
    static const char *const must[] = {"top_k of (2, 3): 4 of the last axis", "running mean and variance are parameters (3,) with GG_PARAM_BUFFER",
                                       "group_norm of (2, 3) in 2 groups",
                                       "index_is of (2, 3): int32 indices", "label smoothing of 1", "variance of (2, 3): 2 numbers, less a correction of 2"};
    for (size_t i = 0; i < sizeof must / sizeof *must; i++) {
        gg_graph *g = NULL;
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_var *x = gg_graph_input(g, "x", GG_SHAPE(2, 3)), *w = gg_graph_input(g, "w", GG_SHAPE(3)), *t = gg_graph_index(g, "t", GG_SHAPE(2)), *y = NULL;
        switch (i) {
        case 0: y = gg_var_top_k(x, 4); break;
        case 1: y = gg_var_batch_norm(x, w, w, w, w, 0.1, 1e-5); break;
        case 2: y = gg_var_group_norm(x, 2, w, w, 1e-5); break;
        case 3: y = gg_var_index_is(x, 1); break;
        case 4: y = gg_nn_cross_entropy(x, t, NULL, -100, 1); break;
        default: y = gg_var_variance(x, 1u << 0, false, 2); break;
        }
        assert_null(y);
        assert_int_not_equal(gg_graph_plan(g, &x, 1), GG_OK);
        if (!strstr(gg_message(ctx), must[i]))
            fail_msg("case %d: \"%s\" lacks \"%s\"", (int)i, gg_message(ctx), must[i]);
        gg_graph_free(g);
    }
}

/* --- each allocation may fail: recording, planning and one run of all that is tested here --- */
static gg_var *loss_of_one(void *user, gg_graph *body, gg_var *const *in, int n)
{
    (void)n;
    const gg_nn nn = {body, user, NULL};
    return gg_var_mean(gg_var_square(gg_nn_linear(&nn, "fc", in[0], 3, true)), GG_ALL_AXES, false);
}

static void record_gradient(void *user, gg_var **d_in, gg_var *const *in, int n, gg_var *y, gg_var *d)
{
    (void)user, (void)n, (void)y;
    d_in[0] = gg_var_mul(d, gg_var_sigmoid(in[0]));
}

static gg_status run_copy(void *user, gg_var *y, gg_var *const *in, int n)
{
    (void)user, (void)n;
    memcpy(gg_var_data(y), gg_var_data(in[0]), gg_var_bytes(y));
    return GG_OK;
}

static gg_status record_all(void *user, gg_graph *g, gg_shape shape, gg_var **var)
{
    gg_params *p = user;
    const gg_nn nn = {g, p, NULL};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(shape.d[0], 8)), *h = gg_nn_linear(&nn, "in", x, 8, true), *from = h;
    h = gg_var_dropout(gg_nn_batch_norm(&nn, "bn", gg_var_cumsum(h, 1), 0, 0), 0.1);
    h = gg_var_checkpoint(gg_var_mish(h), &from, 1);
    h = gg_var_custom(g, GG_SHAPE(shape.d[0], 8), &h, 1, &(gg_custom){"copy", run_copy, record_gradient, NULL});
    gg_var *loss = gg_var_mean(gg_var_square(gg_var_mul(h, gg_var_top_k(h, 3))), GG_ALL_AXES, false),
           *wrt = gg_nn_param(&nn, "fc.weight", GG_SHAPE(3, 8), GG_INIT_UNIFORM, 1, 0);
    gg_nn_param(&nn, "fc.bias", GG_SHAPE(3), GG_INIT_UNIFORM, 1, 0);
    gg_var *again = gg_graph_param(g, p, "in.weight"), *v = gg_graph_input(g, "v", GG_SHAPE(8, 8));
    gg_var_per_sample_gradients(&var[1], NULL, g, loss_of_one, p, &h, 1, &wrt, 1);
    gg_var_hessian_vector(&var[2], loss, &v, &again, 1);
    gg_graph_backward(loss);
    var[0] = loss;
    return GG_OK;
}

static gg_status run_all(gg_context *own)
{
    gg_params *p = NULL;
    gg_plans *plans = NULL;
    gg_graph *g = NULL;
    gg_var *const *var = NULL;
    gg_status s = gg_params_create(&p, own, GG_F32);
    if (s == GG_OK && (s = gg_plans_create(&plans, own, NULL, 2, 3, record_all, p)) == GG_OK && (s = gg_plans_get(&g, &var, plans, GG_SHAPE(6))) == GG_OK &&
        (s = gg_nn_init_torch(p, 1)) == GG_OK) {
        gg_graph_set_training(g, true, 1);
        s = gg_graph_run(g);
    }
    gg_plans_free(plans);
    gg_params_free(p);
    return s;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_each_allocation_may_fail(run_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_computed_again_gives_the_same_bits_for_less_memory),
        cmocka_unit_test(a_loop_in_a_segment_is_refused),
        cmocka_unit_test(a_users_operation_may_fail_and_is_named),
        cmocka_unit_test(the_k_largest_are_chosen_and_gradients_go_straight_through),
        cmocka_unit_test(running_statistics_are_buffers),
        cmocka_unit_test(threads_change_no_bit_of_batch_norm),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
