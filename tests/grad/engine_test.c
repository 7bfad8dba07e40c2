/* The engine: mistakes told with both shapes, memory shared and never allocated in a run, threads that change no bit, loops of every instruction
 * set against libm. */
#include "grad/support.h"
#include "grad/graph.h"
#include "math/kernels_isa.h"

static gg_graph *graph(gg_dtype t, int threads)
{
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = t, .n_threads = threads}));
    return g;
}

/* A small classifier; loss and, in p, parameters. */
static gg_var *classifier(gg_graph *g, gg_params *p, int64_t batch, gg_var **x, gg_var **t)
{
    static const int64_t width[] = {13, 40, 40, 7};
    if (gg_params_count(p) == 0)
        for (int i = 0; i < 3; i++) {
            char name[16];
            snprintf(name, sizeof name, "w%d", i);
            assert_ok(gg_params_add(p, name, GG_SHAPE(width[i + 1], width[i]), 0));
            snprintf(name, sizeof name, "b%d", i);
            assert_ok(gg_params_add(p, name, GG_SHAPE(width[i + 1]), GG_PARAM_NO_DECAY));
        }
    *x = gg_graph_input(g, "x", GG_SHAPE(batch, width[0]));
    *t = gg_graph_index(g, "t", GG_SHAPE(batch));
    gg_var *h = *x;
    for (int i = 0; i < 3; i++) {
        char w[16], b[16];
        snprintf(w, sizeof w, "w%d", i);
        snprintf(b, sizeof b, "b%d", i);
        h = gg_var_affine(h, gg_graph_param(g, p, w), gg_graph_param(g, p, b));
        h = i < 2 ? gg_var_gelu(h) : h;
    }
    return gg_var_mean(gg_var_cross_entropy(h, *t, -100), GG_ALL_AXES, false);
}

static void fill_params(gg_params *p)
{
    gg_random r = gg_random_of(1, 9);
    for (int i = 0; i < gg_params_count(p); i++) {
        float *v = gg_params_value(p, i);
        for (int64_t k = 0; k < gg_params_size(p, i); k++)
            v[k] = (float)(0.2 * gg_random_normal(&r));
    }
}

static void mistakes_are_told_at_planning_with_both_shapes(void **state)
{
    (void)state;
    static const struct {
        int which;
        const char *must;
    } wrong[] = {{0, "(3, 4) and (5,)"}, {1, "matmul: (3, 4) x (3, 4): the inner lengths 4 and 3 differ"}, {2, "reshape: (3, 4) has 12 numbers, (5, 2)"},
                 {3, "slice: 3..5 of axis 1 of (3, 4)"}, {4, "there is no parameter w"}, {5, "axis 2 of (3, 4)"}, {6, "the loss has the shape (3, 4)"},
                 {7, "targets are int32 of the shape (3,)"}, {8, "value 0 to keep is NULL"}, {9, "the weight has the shape (4,)"},
                 {10, "concat along axis 0: (3, 4) and (5,) differ elsewhere"}, {11, "indices"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gg_graph *g = graph(GG_F32, 1);
        gg_params *p = NULL;
        assert_ok(gg_params_create(&p, ctx, GG_F32));
        gg_var *a = gg_graph_input(g, "a", GG_SHAPE(3, 4)), *b = gg_graph_input(g, "b", GG_SHAPE(5)), *index = gg_graph_index(g, "i", GG_SHAPE(4)), *y = NULL;
        switch (wrong[i].which) {
        case 0: y = gg_var_add(a, b); break;
        case 1: y = gg_var_matmul(a, a); break;
        case 2: y = gg_var_reshape(a, GG_SHAPE(5, 2)); break;
        case 3: y = gg_var_slice(a, 1, 3, 2); break;
        case 4: y = gg_graph_param(g, p, "w"); break;
        case 5: y = gg_var_slice(a, 2, 0, 1); break;
        case 6:
            y = a;
            gg_graph_backward(a);
            break;
        case 7: y = gg_var_cross_entropy(a, index, 0); break;
        case 8: break;
        case 9: y = gg_var_linear(a, gg_graph_input(g, "w", GG_SHAPE(4))); break;
        case 10: y = gg_var_concat((gg_var *const[]){a, b}, 2, 0); break;
        case 11: y = gg_var_exp(index); break;
        }
        y = gg_var_relu(gg_var_scale(y, 2)); /* goes on without harm */
        if (wrong[i].which == 8)
            y = NULL;
        assert_int_not_equal(gg_graph_plan(g, &y, 1), GG_OK);
        if (!strstr(gg_message(ctx), wrong[i].must))
            fail_msg("case %d: \"%s\" lacks \"%s\"", (int)i, gg_message(ctx), wrong[i].must);
        assert_int_not_equal(gg_graph_run(g), GG_OK);
        gg_graph_free(g);
        gg_params_free(p);
    }
}

static void a_bad_index_fails_the_run_and_names_it(void **state)
{
    (void)state;
    gg_graph *g = graph(GG_F32, 1);
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(2, 3)), *t = gg_graph_index(g, "labels", GG_SHAPE(2)), *y = gg_var_cross_entropy(x, t, -100),
           *e = gg_var_gather(x, t);
    assert_ok(gg_graph_plan(g, (gg_var *[]){y, e}, 2));
    int32_t *target = gg_var_data(t);
    target[1] = 3;
    assert_int_equal(gg_graph_run(g), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "target 1 of labels is 3, classes are 0..2"));
    target[1] = 2;
    assert_int_equal(gg_graph_run(g), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "index 1 of labels is 2, rows are 0..1"));
    target[1] = 1;
    assert_ok(gg_graph_run(g));
    gg_graph_free(g);
}

static void a_checked_run_names_the_operation_that_made_a_nan(void **state)
{
    (void)state;
    gg_graph *g = graph(GG_F32, 1);
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(4)), *y = gg_var_sum(gg_var_exp(gg_var_log(x)), GG_ALL_AXES, false);
    assert_ok(gg_graph_plan(g, &y, 1));
    float *v = gg_var_data(x);
    for (int i = 0; i < 4; i++)
        v[i] = 1;
    assert_ok(gg_graph_run_checked(g));
    v[2] = -1;
    assert_ok(gg_graph_run(g));
    assert_int_equal(gg_graph_run_checked(g), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "log -> (4,)"));
    v[2] = INFINITY;
    assert_int_equal(gg_graph_run_checked(g), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "input x"));
    gg_graph_free(g);
}

static void a_run_allocates_nothing_and_values_share_memory(void **state)
{
    (void)state;
    gg_params *p = NULL;
    gg_var *x, *t;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    gg_graph *g = graph(GG_F32, 2);
    gg_var *loss = classifier(g, p, 50, &x, &t);
    assert_ok(gg_graph_backward(loss));
    int64_t all = 0;
    for (int32_t k = 0; k < g->n; k++)
        all += g->node[k]->op > GG__OP_CONSTANT ? g->node[k]->n * 4 : 0;
    assert_ok(gg_graph_plan(g, &loss, 1));
    fill_params(p);
    randomise(x, 1);
    assert_true((int64_t)gg_graph_arena_bytes(g) < all / 2);
    const int64_t before = gg_context_allocations(ctx);
    for (int i = 0; i < 20; i++)
        assert_ok(gg_graph_run(g));
    assert_int_equal(gg_context_allocations(ctx), before);
    assert_int_equal(gg_params_add(p, "late", GG_SHAPE(1), 0), GG_EINVAL);
    gg_graph_free(g);
    gg_params_free(p);
}

/* Values that share memory must not: every value kept gives the same numbers as only the last. */
static void keeping_everything_changes_no_bit(void **state)
{
    (void)state;
    gg_params *p = NULL;
    float first[4096], second[4096];
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    for (int keep_all = 0; keep_all < 2; keep_all++) {
        gg_graph *g = graph(GG_F32, 1);
        gg_var *x, *t, *loss = classifier(g, p, 50, &x, &t), *keep[512];
        assert_ok(gg_graph_backward(loss));
        int n = 0;
        for (int32_t k = 0; k < g->n && keep_all; k++)
            keep[n++] = g->node[k];
        if (!keep_all)
            keep[n++] = loss;
        assert_ok(gg_graph_plan(g, keep, n));
        fill_params(p);
        randomise(x, 1);
        for (int i = 0; i < 50; i++)
            ((int32_t *)gg_var_data(t))[i] = i % 7;
        assert_ok(gg_graph_run(g));
        assert_true(gg_params_extent(p) < 4096);
        memcpy(keep_all ? second : first, gg_params_gradient(p, -1), (size_t)gg_params_extent(p) * sizeof(float));
        gg_graph_free(g);
    }
    assert_memory_equal(first, second, (size_t)gg_params_extent(p) * sizeof(float));
    gg_params_free(p);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    gg_params *p = NULL;
    float first[4096];
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    for (int threads = 1; threads <= 3; threads++) {
        gg_graph *g = graph(GG_F32, threads);
        gg_var *x, *t, *loss = classifier(g, p, 3000, &x, &t),
                       *more = gg_var_mean(gg_var_square(gg_var_softmax(gg_var_permute(x, (const int[]){1, 0}))), GG_ALL_AXES, false);
        loss = gg_var_add(loss, more);
        assert_ok(gg_graph_backward(loss));
        assert_ok(gg_graph_plan(g, &loss, 1));
        fill_params(p);
        randomise(x, 1);
        for (int i = 0; i < 3000; i++)
            ((int32_t *)gg_var_data(t))[i] = i % 7;
        assert_ok(gg_graph_run(g));
        first[4095] = threads == 1 ? (float)gg_var_item(loss) : first[4095];
        assert_true(first[4095] == (float)gg_var_item(loss));
        if (threads == 1)
            memcpy(first, gg_params_gradient(p, -1), (size_t)gg_params_extent(p) * sizeof(float));
        assert_memory_equal(first, gg_params_gradient(p, -1), (size_t)gg_params_extent(p) * sizeof(float));
        gg_graph_free(g);
    }
    gg_params_free(p);
}

static void gradients_accumulate_when_asked_and_frozen_ones_have_none(void **state)
{
    (void)state;
    gg_params *p = NULL;
    gg_var *x, *t;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    gg_graph *g = graph(GG_F32, 1), *sum = NULL;
    gg_var *loss = classifier(g, p, 5, &x, &t);
    gg_params_set_flags(p, "w1", GG_PARAM_FROZEN, 0);
    assert_ok(gg_graph_backward(loss));
    assert_ok(gg_graph_plan(g, &loss, 1));
    fill_params(p);
    randomise(x, 1);
    assert_ok(gg_graph_run(g));
    float one[4096], *d = gg_params_gradient(p, -1);
    memcpy(one, d, (size_t)gg_params_extent(p) * sizeof(float));
    assert_ok(gg_graph_create(&sum, ctx, &(gg_graph_options){.accumulate = true}));
    gg_var *x2, *t2, *loss2 = classifier(sum, p, 5, &x2, &t2);
    assert_ok(gg_graph_backward(loss2));
    assert_ok(gg_graph_plan(sum, &loss2, 1));
    randomise(x2, 1);
    assert_ok(gg_graph_run(sum));
    assert_ok(gg_graph_run(sum));
    const int frozen = gg_params_find(p, "w1");
    for (int i = 0; i < gg_params_count(p); i++)
        for (int64_t k = 0; k < gg_params_size(p, i); k++) {
            const float before = one[gg_params_offset(p, i) + k], now = d[gg_params_offset(p, i) + k];
            assert_true(i == frozen ? before == 0 && now == 0 : fabsf(now - 3 * before) <= 1e-5f * fabsf(before) + 1e-9f);
        }
    gg_params_zero_gradient(p);
    assert_true(d[0] == 0);
    gg_graph_free(g);
    gg_graph_free(sum);
    gg_params_free(p);
}

/* --- loops: floats against libm in double, over the range where an activation lives and beyond --- */
static double want_of(const char *name, double x)
{
    const double phi = 0.39894228040143267794 * exp(-0.5 * x * x), Phi = 0.5 * erfc(-0.70710678118654752440 * x),
                 s = x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
    const double u = 2 * 0.79788456080286535588 * (x + 0.044715 * x * x * x), su = 1 / (1 + exp(-u)), ru = 1 / (1 + exp(u));
    if (strcmp(name, "log") == 0)
        return log(x);
    if (strcmp(name, "softplus") == 0)
        return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
    if (strcmp(name, "gelu_grad") == 0)
        return Phi + x * phi;
    if (strcmp(name, "silu_grad") == 0)
        return s + x * s * (1 / (1 + exp(x)));
    if (strcmp(name, "gelu_tanh_grad") == 0)
        return su + (su * ru == 0 ? 0 : x * su * ru * 2 * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x));
    return NAN;
}

static void float_loops_agree_with_libm(void **state)
{
    (void)state;
    static const float special[] = {0, -0.0f, 1e-45f, 1e-38f, -1e-38f, 88, -88, 1e4f, -1e4f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN, 0.70710677f, 1, 2};
    enum { N = 4001, S = sizeof special / sizeof *special };
    float x[N], y[N], one[N];
    for (int i = 0; i < N; i++) {
        x[i] = i < S ? special[i] : (float)((i - N / 2) * 0.01);
        one[i] = 1;
    }
    for (int isa = 0; isa < GG__ISA_COUNT; isa++) {
        const gg__loops *l = gg__loops_of(isa, false);
        if (!l)
            continue;
        if (isa > GG__ISA_PLAIN)
            assert_ptr_not_equal(l, gg__loops_of(GG__ISA_PLAIN, false));
        const struct {
            const char *name;
            gg__loop1 f;
            gg__loop2 d;
            double floor; /* absolute error that is forgiven: slopes pass through zero */
        } list[] = {{"log", l->log, NULL, 0}, {"softplus", l->softplus, NULL, 0}, {"gelu_grad", NULL, l->gelu_grad, 1.5e-7},
                    {"silu_grad", NULL, l->silu_grad, 1.5e-7}, {"gelu_tanh_grad", NULL, l->gelu_tanh_grad, 3e-7}};
        for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
            if (list[k].f)
                list[k].f(y, x, N, NULL);
            else
                list[k].d(y, one, 1, x, 1, N, NULL);
            for (int i = 0; i < N; i++) {
                const double want = want_of(list[k].name, x[i]);
                const bool fine = isnan(want)   ? isnan(y[i]) || (isinf(x[i]) && list[k].d)
                                  : isinf(want) ? y[i] == (float)want
                                                : fabs(y[i] - want) <= 4e-7 * fabs(want) + list[k].floor + 1e-44;
                if (!fine && !(list[k].d && !isfinite(x[i])))
                    fail_msg("set %d, %s(%.9g) is %.9g, expected %.9g", isa, list[k].name, (double)x[i], (double)y[i], want);
            }
        }
    }
}

/* Pooling by halves has loops of its own. The twin looks at one window at a time: the first largest, or the last that is not a number. */
static void pooling_by_halves_takes_the_first_largest(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{2, 2}, {3, 5}, {14, 14}, {28, 28}, {6, 32}, {4, 33}, {5, 64}, {2, 71}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int wide = 0; wide < 2; wide++) {
            const int64_t H = sizes[i][0], W = sizes[i][1], OH = H / 2, OW = W / 2;
            gg_graph *g = graph(wide ? GG_F64 : GG_F32, 1);
            gg_var *x = gg_graph_input(g, "x", GG_SHAPE(3, H, W)), *y = gg_var_max_pool2d(x, &(gg_pool_options){.size = {2, 2}}),
                   *d = gg_graph_input(g, "d", GG_SHAPE(3, OH, OW)), *dx;
            assert_ok(gg_var_gradients(&dx, y, d, &x, 1));
            assert_ok(gg_graph_plan(g, (gg_var *[]){y, dx}, 2));
            gg_random r = gg_random_of(4, i);
            randomise(d, 5);
            for (int64_t k = 0; k < 3 * H * W; k++) { /* many equal, some NaN */
                const double u = gg_random_uniform(&r), value = u < 0.05 ? NAN : floor(4 * u);
                if (wide)
                    ((double *)gg_var_data(x))[k] = value;
                else
                    ((float *)gg_var_data(x))[k] = (float)value;
            }
#define AT(v, k) (wide ? ((double *)gg_var_data(v))[k] : (double)((float *)gg_var_data(v))[k])
            assert_ok(gg_graph_run(g));
            for (int64_t plane = 0; plane < 3; plane++)
                for (int64_t k = 0; k < H * W; k++) {
                    const int64_t p = k / W / 2, q = k % W / 2, first = plane * H * W + 2 * p * W + 2 * q,
                                  place[4] = {first, first + 1, first + W, first + W + 1};
                    int64_t best = first;
                    for (int j = 1; j < 4 && p < OH && q < OW; j++)
                        best = AT(x, place[j]) > AT(x, best) || isnan(AT(x, place[j])) ? place[j] : best;
                    const int64_t here = plane * H * W + k, out = (plane * OH + p) * OW + q;
                    const bool taken = p < OH && q < OW && best == here;
                    assert_true(AT(dx, here) == (taken ? AT(d, out) : 0));
                    if (taken)
                        assert_true(AT(y, out) == AT(x, here) || (isnan(AT(y, out)) && isnan(AT(x, here))));
                }
#undef AT
            gg_graph_free(g);
        }
}

static void every_instruction_set_pools_alike(void **state)
{
    (void)state;
    enum { N = 40 };
    float x[4 * N], d[N], dx[2][4 * N], y[2][N];
    gg_random r = gg_random_of(8, 1);
    for (int i = 0; i < 4 * N; i++)
        x[i] = i % 37 == 5 ? NAN : (float)floor(3 * gg_random_uniform(&r));
    for (int i = 0; i < N; i++)
        d[i] = (float)gg_random_normal(&r);
    for (int isa = 0; isa < GG__ISA_COUNT; isa++)
        for (int n = 1; n <= N && gg__loops_of(isa, false); n++) {
            for (int which = 0; which < 2; which++) {
                const gg__loops *l = gg__loops_of(which ? isa : GG__ISA_PLAIN, false);
                memset(y[which], 1, sizeof y[which]), memset(dx[which], 1, sizeof dx[which]);
                l->halve(y[which], x, 2 * N, n);
                l->halve_grad(dx[which], x, d, 2 * N, n);
            }
            assert_memory_equal(y[0], y[1], sizeof y[0]); /* what is behind the last window, too */
            assert_memory_equal(dx[0], dx[1], sizeof dx[0]);
        }
}

static gg_status run_twenty_layers(gg_context *own)
{
    gg_params *p = NULL;
    gg_graph *g = NULL;
    gg_status s = gg_params_create(&p, own, GG_F32);
    for (int i = 0; i < 20 && s == GG_OK; i++) {
        char name[8];
        snprintf(name, sizeof name, "w%d", i);
        s = gg_params_add(p, name, GG_SHAPE(4, 4), 0);
    }
    if (s == GG_OK && (s = gg_graph_create(&g, own, &(gg_graph_options){.n_threads = 2})) == GG_OK) {
        gg_var *h = gg_graph_input(g, "x", GG_SHAPE(3, 4));
        for (int i = 0; i < 20; i++) {
            char name[8];
            snprintf(name, sizeof name, "w%d", i);
            h = gg_var_tanh(gg_var_linear(h, gg_graph_param(g, p, name)));
        }
        gg_var *loss = gg_var_mean(h, GG_ALL_AXES, false);
        gg_graph_backward(loss);
        s = gg_graph_plan(g, &loss, 1);
        if (s == GG_OK)
            s = gg_graph_run(g);
    }
    gg_graph_free(g);
    gg_params_free(p);
    return s;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_each_allocation_may_fail(run_twenty_layers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_at_planning_with_both_shapes),
        cmocka_unit_test(a_bad_index_fails_the_run_and_names_it),
        cmocka_unit_test(a_checked_run_names_the_operation_that_made_a_nan),
        cmocka_unit_test(a_run_allocates_nothing_and_values_share_memory),
        cmocka_unit_test(keeping_everything_changes_no_bit),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(gradients_accumulate_when_asked_and_frozen_ones_have_none),
        cmocka_unit_test(float_loops_agree_with_libm),
        cmocka_unit_test(pooling_by_halves_takes_the_first_largest),
        cmocka_unit_test(every_instruction_set_pools_alike),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
