/* Loops over time against the same thing unrolled: values, gradients through time, truncation, carries that change places, loops in loops. */
#include "grad/support.h"
#include <golgi/nn.h>
#include "grad/graph.h"

enum { T = 5, B = 3, IN = 4, H = 6, MOST_D = 8 };

/* One net in two forms: h' = tanh(x W_x + h W_h + b), c' = c s(h'), y = h' W_y; the loss weighs all y, the last h and c. */
typedef struct net {
    gg_graph *g;
    gg_params *p;
    gg_var *x, *h0, *c0;
} net;

static gg_var *var_of(const net *n, gg_graph *in, gg_var *v) { return in == n->g ? v : gg_graph_capture(in, v); }

static gg_status step(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    const net *n = user;
    gg_var *wx = gg_graph_param(g, n->p, "wx"), *wh = gg_graph_param(g, n->p, "wh"), *b = gg_graph_param(g, n->p, "b"), *wy = gg_graph_param(g, n->p, "wy");
    gg_var *a = gg_var_add(gg_var_affine(in[0], wx, b), gg_var_linear(carry[0], wh));
    next[0] = gg_var_tanh(a);
    next[1] = gg_var_mul(carry[1], gg_var_sigmoid(gg_var_mul(next[0], var_of(n, g, n->c0)))); /* a value of the graph around is read in every step */
    out[0] = gg_var_add(gg_var_linear(next[0], wy), gg_var_slice(next[1], 1, 0, 2));
    out[1] = next[0];
    return GG_OK;
}

static void make(net *n, gg_dtype t, int threads)
{
    assert_ok(gg_graph_create(&n->g, ctx, &(gg_graph_options){.dtype = t, .n_threads = threads}));
    assert_ok(gg_params_create(&n->p, ctx, t));
    assert_ok(gg_params_add(n->p, "wx", GG_SHAPE(H, IN), 0));
    assert_ok(gg_params_add(n->p, "wh", GG_SHAPE(H, H), 0));
    assert_ok(gg_params_add(n->p, "b", GG_SHAPE(H), 0));
    assert_ok(gg_params_add(n->p, "wy", GG_SHAPE(2, H), 0));
    n->x = gg_graph_input(n->g, "x", GG_SHAPE(T, B, IN));
    n->h0 = gg_graph_input(n->g, "h0", GG_SHAPE(B, H));
    n->c0 = gg_graph_input(n->g, "c0", GG_SHAPE(B, H));
}

static void fill_in(net *n)
{
    randomise(n->x, 1), randomise(n->h0, 2), randomise(n->c0, 3);
    gg_random r = gg_random_of(1, 5);
    for (int i = 0; i < gg_params_count(n->p); i++)
        for (int64_t k = 0; k < gg_params_size(n->p, i); k++)
            if (gg_params_dtype(n->p) == GG_F64)
                ((double *)gg_params_value(n->p, i))[k] = 0.5 * gg_random_normal(&r);
            else
                ((float *)gg_params_value(n->p, i))[k] = (float)(0.5 * gg_random_normal(&r));
}

static void unroll(net *n, gg_var **last, gg_var **out, int64_t truncate)
{
    gg_var *carry[2] = {n->h0, n->c0}, *y[T], *h[T];
    for (int t = 0; t < T; t++) {
        gg_var *next[2], *o[2], *in = gg_var_reshape(gg_var_slice(n->x, 0, t, 1), GG_SHAPE(B, IN));
        for (int i = 0; i < 2 && truncate && t % truncate == 0; i++)
            carry[i] = gg_var_stop_gradient(carry[i]);
        step(n, n->g, next, o, carry, &in);
        for (int i = 0; i < 2; i++)
            carry[i] = next[i];
        y[t] = gg_var_reshape(o[0], GG_SHAPE(1, B, 2));
        h[t] = gg_var_reshape(o[1], GG_SHAPE(1, B, H));
    }
    out[0] = gg_var_concat(y, T, 0);
    out[1] = gg_var_concat(h, T, 0);
    last[0] = carry[0];
    last[1] = carry[1];
}

static gg_var *loss_of(net *n, gg_var **last, gg_var **out)
{
    gg_var *w = gg_graph_input(n->g, "w", GG_SHAPE(T, B, 2)), *u = gg_graph_input(n->g, "u", GG_SHAPE(B, H));
    if (w && u)
        randomise(w, 6), randomise(u, 7);
    gg_var *a = gg_var_sum(gg_var_mul(w, out[0]), GG_ALL_AXES, false), *b = gg_var_sum(gg_var_mul(u, gg_var_mul(last[0], last[1])), GG_ALL_AXES, false);
    return gg_var_add(gg_var_add(a, b), gg_var_mean(gg_var_square(out[1]), GG_ALL_AXES, false));
}

/* Loss and gradients of x, h0, c0 and the parameters, laid end to end. */
static int64_t result_of(double *to, bool loop, int64_t truncate, gg_dtype t, int threads, double *worst)
{
    net n;
    gg_var *last[2], *out[2], *d[MOST_D], *keep[MOST_D + 1];
    make(&n, t, threads);
    if (loop)
        gg_var_scan(last, out, n.g, step, &n, (gg_var *const[]){n.h0, n.c0}, 2, &n.x, 1, 2, truncate);
    else
        unroll(&n, last, out, truncate);
    gg_var *loss = loss_of(&n, last, out), *wrt[MOST_D] = {n.x, n.h0, n.c0};
    for (int i = 0; i < 4; i++)
        wrt[3 + i] = gg_graph_param(n.g, n.p, gg_params_name(n.p, i));
    gg_var_gradients(d, loss, NULL, wrt, 7);
    keep[0] = loss;
    memcpy(keep + 1, d, 7 * sizeof *d);
    assert_ok(gg_graph_plan(n.g, keep, 8));
    fill_in(&n);
    const int64_t before = gg_context_allocations(ctx);
    assert_ok(gg_graph_run(n.g));
    assert_ok(gg_graph_run(n.g)); /* a second run starts afresh */
    assert_int_equal(gg_context_allocations(ctx), before);
    int64_t count = 0;
    for (int i = 0; i < 8; i++)
        for (int64_t k = 0; k < gg_var_size(keep[i]); k++)
            to[count++] = t == GG_F64 ? ((double *)gg_var_data(keep[i]))[k] : (double)((float *)gg_var_data(keep[i]))[k];
    if (worst)
        assert_ok(gg_graph_check(worst, n.g, loss, wrt, d, 7, 1e-5));
    gg_graph_free(n.g);
    gg_params_free(n.p);
    return count;
}

static void a_loop_is_what_unrolling_gives(void **state)
{
    (void)state;
    static double loop[4096], flat[4096];
    for (int64_t truncate = 0; truncate <= 3; truncate++) {
        double worst = 0;
        const int64_t n = result_of(loop, true, truncate, GG_F64, 1, truncate ? NULL : &worst);
        assert_int_equal(result_of(flat, false, truncate, GG_F64, 1, NULL), n);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs(loop[i] - flat[i]) <= 1e-12 * (1 + fabs(flat[i]))))
                fail_msg("truncated at %d: number %d of %d is %.17g, unrolled %.17g", (int)truncate, (int)i, (int)n, loop[i], flat[i]);
        assert_true(worst < 1e-6);
    }
}

static void truncation_changes_gradients_but_no_value(void **state)
{
    (void)state;
    static double whole[4096], cut[4096];
    const int64_t n = result_of(whole, true, 0, GG_F64, 1, NULL);
    result_of(cut, true, 2, GG_F64, 1, NULL);
    double change = 0;
    for (int64_t i = 1; i < n; i++)
        change += fabs(whole[i] - cut[i]);
    assert_true(whole[0] == cut[0]);
    assert_true(change > 0.1);
}

static void threads_change_no_bit_of_a_loop(void **state)
{
    (void)state;
    static double one[4096], two[4096];
    const int64_t n = result_of(one, true, 0, GG_F32, 1, NULL);
    result_of(two, true, 0, GG_F32, 2, NULL);
    assert_memory_equal(one, two, (size_t)n * sizeof *one);
}

static gg_status fibonacci(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    (void)user, (void)g;
    next[0] = carry[1]; /* as it stands: carries change places */
    next[1] = gg_var_add(carry[0], carry[1]);
    out[0] = gg_var_mul(next[1], in[0]);
    return GG_OK;
}

/* Recurrent layers go by rows: threads share the batch and go through time without each other. */
static void threads_that_share_a_batch_change_no_bit(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        static float first[20000];
        for (int threads = 1; threads <= 4; threads++) {
            gg_graph *g = NULL;
            gg_params *p = NULL;
            assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.n_threads = threads}));
            assert_ok(gg_params_create(&p, ctx, GG_F32));
            const gg_nn nn = {g, p, NULL};
            gg_var *x = gg_graph_input(g, "x", GG_SHAPE(9, 37, 5)), *last = NULL, *out = NULL;
            const gg_rnn_options o = {.relu = kind == 1, .truncate = kind == 0 ? 4 : 0};
            switch (kind) {
            case 0:
            case 1: out = gg_nn_rnn(&nn, "n", x, 40, &last, &o); break;
            case 2: out = gg_nn_lstm(&nn, "n", x, 40, &last, &o); break;
            case 3: out = gg_nn_gru(&nn, "n", x, 40, &last, &o); break;
            default: out = gg_nn_ctrnn(&nn, "n", x, 40, 0.3, &last, &(gg_rnn_options){.relu = kind == 5}); break;
            }
            gg_var *loss = gg_var_add(gg_var_mean(gg_var_square(out), GG_ALL_AXES, false), gg_var_sum(last, GG_ALL_AXES, false));
            assert_ok(gg_graph_backward(loss));
            assert_ok(gg_graph_plan(g, (gg_var *[]){loss, out}, 2));
            for (int32_t k = 0; k < g->n; k++)
                if (g->node[k]->op == GG__OP_SCAN)
                    assert_int_equal(gg__scan_parts(g->node[k]), threads);
            assert_ok(gg_nn_init(p, 3));
            randomise(x, 1);
            const int64_t before = gg_context_allocations(ctx), n = gg_params_extent(p);
            for (int run = 0; run < 3; run++)
                assert_ok(gg_graph_run(g));
            assert_int_equal(gg_context_allocations(ctx), before);
            assert_true(n <= 20000);
            if (threads == 1)
                memcpy(first, gg_params_gradient(p, -1), (size_t)n * sizeof(float));
            assert_memory_equal(first, gg_params_gradient(p, -1), (size_t)n * sizeof(float));
            gg_graph_free(g);
            gg_params_free(p);
        }
    }
}

static void carries_may_change_places(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    for (int with_gradient = 0; with_gradient < 2; with_gradient++) {
        assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F64}));
        gg_var *one = gg_graph_input(g, "x", GG_SHAPE(10, 1)), *a = gg_graph_input(g, "a", GG_SHAPE(1)), *b = gg_graph_input(g, "b", GG_SHAPE(1)), *last[2],
               *out[1], *d[2];
        gg_var_scan(last, out, g, fibonacci, NULL, (gg_var *const[]){a, b}, 2, &one, 1, 1, 0);
        gg_var *loss = gg_var_sum(last[1], GG_ALL_AXES, false), *keep[4] = {loss, out[0]};
        if (with_gradient) {
            assert_ok(gg_var_gradients(d, loss, NULL, (gg_var *[]){a, b}, 2));
            memcpy(keep + 2, d, sizeof d);
        }
        assert_ok(gg_graph_plan(g, keep, with_gradient ? 4 : 2));
        for (int i = 0; i < 10; i++)
            ((double *)gg_var_data(one))[i] = i + 1;
        *(double *)gg_var_data(b) = 1;
        assert_ok(gg_graph_run(g));
        assert_true(gg_var_item(loss) == 89);
        assert_true(((double *)gg_var_data(out[0]))[8] == 9 * 55);
        if (with_gradient) {
            assert_true(gg_var_item(d[0]) == 55);
            assert_true(gg_var_item(d[1]) == 89);
        }
        gg_graph_free(g);
    }
}

/* The sum over t of the product over s of (x_t + w y_s): a loop in a loop, with what both capture. */
typedef struct nest {
    gg_var *w, *y, *xt;
} nest;
static gg_status inner_step(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    const nest *n = user;
    (void)out;
    next[0] = gg_var_mul(carry[0], gg_var_add(gg_graph_capture(g, n->xt), gg_var_mul(gg_graph_capture(g, n->w), in[0])));
    return GG_OK;
}
static gg_status outer_step(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    const nest *n = user;
    nest inside = {.w = gg_graph_capture(g, n->w), .xt = in[0]};
    gg_var *y = gg_graph_capture(g, n->y), *one = gg_graph_fill(g, GG_SHAPE(1), 1), *last;
    (void)out;
    gg_var_scan(&last, NULL, g, inner_step, &inside, &one, 1, &y, 1, 0, 0);
    next[0] = gg_var_add(carry[0], last);
    return GG_OK;
}

static void loops_may_hold_loops(void **state)
{
    (void)state;
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F64}));
    nest n = {.w = gg_graph_input(g, "w", GG_SHAPE(1)), .y = gg_graph_input(g, "y", GG_SHAPE(4, 1))};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(3, 1)), *zero = gg_graph_input(g, "zero", GG_SHAPE(1)), *last, *wrt[] = {n.w, n.y, x}, *d[3];
    gg_var_scan(&last, NULL, g, outer_step, &n, &zero, 1, &x, 1, 0, 0);
    gg_var *loss = gg_var_sum(last, GG_ALL_AXES, false);
    gg_var_gradients(d, loss, NULL, wrt, 3);
    assert_ok(gg_graph_plan(g, (gg_var *[]){loss, d[0], d[1], d[2]}, 4));
    randomise(n.w, 1), randomise(n.y, 2), randomise(x, 3);
    assert_ok(gg_graph_run(g));
    double want = 0;
    for (int t = 0; t < 3; t++) {
        double product = 1;
        for (int s = 0; s < 4; s++)
            product *= ((double *)gg_var_data(x))[t] + gg_var_item(n.w) * ((double *)gg_var_data(n.y))[s];
        want += product;
    }
    assert_true(fabs(gg_var_item(loss) - want) < 1e-12);
    double worst;
    assert_ok(gg_graph_check(&worst, g, loss, wrt, d, 3, 1e-5));
    assert_true(worst < 1e-6);
    gg_graph_free(g);
}

static gg_status bad_shape(void *user, gg_graph *g, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in)
{
    (void)g, (void)out, (void)carry;
    next[0] = user ? gg_var_matmul(in[0], in[0]) : in[0];
    return GG_OK;
}

static void mistakes_in_a_step_are_told(void **state)
{
    (void)state;
    static const char *const must[] = {"carry 0 has the shape (2,) and becomes (3, 4)", "matmul: (3, 4) x (3, 4)"};
    for (int i = 0; i < 2; i++) {
        gg_graph *g = NULL;
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_var *c = gg_graph_input(g, "c", GG_SHAPE(2)), *x = gg_graph_input(g, "x", GG_SHAPE(5, 3, 4)), *last;
        gg_var_scan(&last, NULL, g, bad_shape, i ? g : NULL, &c, 1, &x, 1, 0, 0);
        assert_null(last);
        assert_int_equal(gg_graph_plan(g, &last, 1), GG_EINVAL);
        assert_non_null(strstr(gg_message(ctx), must[i]));
        gg_graph_free(g);
    }
    gg_graph *g = NULL; /* second derivatives: not, and said */
    assert_ok(gg_graph_create(&g, ctx, NULL));
    gg_var *a = gg_graph_input(g, "a", GG_SHAPE(1)), *x = gg_graph_input(g, "x", GG_SHAPE(10, 1)), *last[2], *out[1], *d, *dd;
    gg_var_scan(last, out, g, fibonacci, NULL, (gg_var *const[]){a, a}, 2, &x, 1, 1, 0);
    gg_var_gradients(&d, gg_var_sum(gg_var_square(out[0]), GG_ALL_AXES, false), NULL, &a, 1);
    gg_var_gradients(&dd, gg_var_sum(d, GG_ALL_AXES, false), NULL, &a, 1);
    assert_int_equal(gg_graph_plan(g, &dd, 1), GG_EUNSUPPORTED);
    gg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_is_what_unrolling_gives),
        cmocka_unit_test(truncation_changes_gradients_but_no_value),
        cmocka_unit_test(threads_change_no_bit_of_a_loop),
        cmocka_unit_test(threads_that_share_a_batch_change_no_bit),
        cmocka_unit_test(carries_may_change_places),
        cmocka_unit_test(loops_may_hold_loops),
        cmocka_unit_test(mistakes_in_a_step_are_told),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
