/* Hessian-vector products, rows of Jacobians and gradients of each sample, against what they are made of; graphs by shape. */
#include "grad/support.h"
#include <golgi/nn.h>

static gg_graph *graph(gg_dtype t)
{
    gg_graph *g = NULL;
    assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = t}));
    return g;
}

/* y = x^T M x / 2 + sum of cubes over two arrays: its Hessian is known. */
static void hessian_vector_products_are_those_of_a_known_hessian(void **state)
{
    (void)state;
    enum { N = 5 };
    gg_graph *g = graph(GG_F64);
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(1, N)), *z = gg_graph_input(g, "z", GG_SHAPE(N)), *M = gg_graph_input(g, "M", GG_SHAPE(N, N));
    gg_var *v[2] = {gg_graph_input(g, "v", GG_SHAPE(1, N)), gg_graph_input(g, "u", GG_SHAPE(N))}, *hv[2];
    gg_var *quadratic = gg_var_scale(gg_var_sum(gg_var_mul(gg_var_matmul(x, M), x), GG_ALL_AXES, false), 0.5);
    gg_var *y = gg_var_add(quadratic, gg_var_sum(gg_var_mul(gg_var_pow(z, 3), x), GG_ALL_AXES, false)); /* and sum z^3 x couples them */
    assert_ok(gg_var_hessian_vector(hv, y, v, (gg_var *[]){x, z}, 2));
    assert_ok(gg_graph_plan(g, hv, 2));
    randomise(x, 1), randomise(z, 2), randomise(M, 3), randomise(v[0], 4), randomise(v[1], 5);
    assert_ok(gg_graph_run(g));
    const double *X = gg_var_data(x), *Z = gg_var_data(z), *A = gg_var_data(M), *V = gg_var_data(v[0]), *U = gg_var_data(v[1]);
    for (int i = 0; i < N; i++) {
        double want = 3 * Z[i] * Z[i] * U[i];
        for (int j = 0; j < N; j++)
            want += 0.5 * (A[i * N + j] + A[j * N + i]) * V[j];
        assert_true(fabs(((double *)gg_var_data(hv[0]))[i] - want) < 1e-12);
        assert_true(fabs(((double *)gg_var_data(hv[1]))[i] - (3 * Z[i] * Z[i] * V[i] + 6 * Z[i] * X[i] * U[i])) < 1e-12);
    }
    gg_graph_free(g);
}

/* Of a net, against differences of its gradient along v. */
static void hessian_vector_products_of_a_net_agree_with_differences(void **state)
{
    (void)state;
    gg_params *p = NULL;
    gg_graph *g = graph(GG_F64);
    assert_ok(gg_params_create(&p, ctx, GG_F64));
    const gg_nn nn = {g, p, NULL};
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(2, 4, 8)), *t = gg_graph_index(g, "t", GG_SHAPE(2, 4));
    gg_var *h = gg_nn_block(&nn, "b", x, &(gg_block_options){.n_heads = 2, .d_ff = 12, .causal = true});
    gg_var *loss = gg_var_mean(gg_var_cross_entropy(gg_nn_linear(&nn, "out", h, 5, true), t, -100), GG_ALL_AXES, false);
    gg_var *wrt[3] = {gg_graph_param(g, p, "b.attn.q.weight"), gg_graph_param(g, p, "b.mlp.up.weight"), gg_graph_param(g, p, "b.mlp_norm.bias")}, *v[3],
        *keep[6];
    for (int i = 0; i < 3; i++)
        v[i] = gg_graph_input(g, "v", gg_var_shape(wrt[i]));
    assert_ok(gg_var_gradients(keep, loss, NULL, wrt, 3));
    assert_ok(gg_var_hessian_vector(keep + 3, loss, v, wrt, 3));
    assert_ok(gg_graph_plan(g, keep, 6));
    assert_ok(gg_nn_init(p, 1));
    randomise(x, 1);
    for (int i = 0; i < 8; i++)
        ((int32_t *)gg_var_data(t))[i] = i % 5;
    for (int i = 0; i < 3; i++)
        randomise(v[i], 10 + (uint64_t)i);
    const double step = 1e-5;
    static double side[2][3][256];
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < 3; i++)
            for (int64_t k = 0; k < gg_var_size(wrt[i]); k++)
                ((double *)gg_var_data(wrt[i]))[k] += (s ? 2 : -1) * step * ((double *)gg_var_data(v[i]))[k];
        assert_ok(gg_graph_run(g));
        for (int i = 0; i < 3; i++)
            memcpy(side[s][i], gg_var_data(keep[i]), gg_var_bytes(keep[i]));
    }
    for (int i = 0; i < 3; i++)
        for (int64_t k = 0; k < gg_var_size(wrt[i]); k++)
            ((double *)gg_var_data(wrt[i]))[k] -= step * ((double *)gg_var_data(v[i]))[k];
    assert_ok(gg_graph_run(g));
    for (int i = 0; i < 3; i++)
        for (int64_t k = 0; k < gg_var_size(wrt[i]); k++) {
            const double want = (side[1][i][k] - side[0][i][k]) / (2 * step), found = ((double *)gg_var_data(keep[3 + i]))[k];
            if (!(fabs(found - want) <= 1e-6 * (0.1 + fabs(want))))
                fail_msg("array %d, number %d: %.12g, differences give %.12g", i, (int)k, found, want);
        }
    gg_graph_free(g);
    gg_params_free(p);
}

static void rows_of_a_jacobian(void **state)
{
    (void)state;
    gg_graph *g = graph(GG_F64);
    gg_var *x = gg_graph_input(g, "x", GG_SHAPE(2, 3)), *W = gg_graph_input(g, "W", GG_SHAPE(3, 4)), *y = gg_var_exp(gg_var_matmul(x, W));
    gg_var *all = gg_var_jacobian_rows(y, x, NULL, 0), *some = gg_var_jacobian_rows(y, x, (const int64_t[]){6, 1}, 2);
    assert_ok(gg_graph_plan(g, (gg_var *[]){y, all, some}, 3));
    assert_int_equal(gg_var_shape(all).n, 3);
    assert_int_equal(gg_var_shape(all).d[0], 8);
    randomise(x, 1), randomise(W, 2);
    assert_ok(gg_graph_run(g));
    const double *Y = gg_var_data(y), *J = gg_var_data(all), *w = gg_var_data(W);
    for (int r = 0; r < 8; r++)
        for (int i = 0; i < 6; i++)
            assert_true(fabs(J[r * 6 + i] - (r / 4 == i / 3 ? Y[r] * w[i % 3 * 4 + r % 4] : 0)) < 1e-12);
    assert_memory_equal(gg_var_data(some), J + 36, 6 * sizeof *J);
    assert_memory_equal((double *)gg_var_data(some) + 6, J + 6, 6 * sizeof *J);
    gg_graph_free(g);
    g = graph(GG_F64);
    y = gg_graph_input(g, "y", GG_SHAPE(3));
    assert_null(gg_var_jacobian_rows(y, y, (const int64_t[]){3}, 1));
    assert_int_equal(gg_graph_plan(g, &y, 1), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "jacobian_rows: row 3 of 3"));
    gg_graph_free(g);
}

/* A small convolutional net on one image (1, 6, 6), or on a batch of them. */
static gg_var *image_loss(const gg_nn *nn, gg_var *x, gg_var *t, int64_t B)
{
    gg_var *h = gg_var_tanh(gg_nn_conv2d(nn, "conv", gg_var_reshape(x, GG_SHAPE(B, 1, 6, 6)), 3, 3, 3, true, NULL));
    h = gg_nn_layer_norm(nn, "norm", gg_var_reshape(h, GG_SHAPE(B, 48)), 0);
    return gg_var_mean(gg_var_cross_entropy(gg_nn_linear(nn, "out", h, 4, true), gg_var_index_replace(gg_var_reshape(t, GG_SHAPE(B)), -1, 0), -100),
                       GG_ALL_AXES, false);
}

static gg_var *sample_loss(void *user, gg_graph *body, gg_var *const *in, int n)
{
    assert_int_equal(n, 2);
    const gg_nn nn = {body, user, NULL};
    return image_loss(&nn, in[0], in[1], 1);
}

static void gradients_of_each_sample(void **state)
{
    (void)state;
    enum { B = 7, P = 6 };
    static const char *const names[P] = {"conv.weight", "conv.bias", "norm.weight", "norm.bias", "out.weight", "out.bias"};
    gg_params *p = NULL;
    assert_ok(gg_params_create(&p, ctx, GG_F64));
    gg_graph *g = graph(GG_F64), *one = graph(GG_F64);
    const gg_nn nn = {one, p, NULL};
    gg_var *x1 = gg_graph_input(one, "x", GG_SHAPE(36)), *t1 = gg_graph_index(one, "t", GG_SHAPE(1)), *loss1 = image_loss(&nn, x1, t1, 1);
    assert_ok(gg_graph_backward(loss1));
    assert_ok(gg_graph_plan(one, &loss1, 1));
    gg_var *in[2] = {gg_graph_input(g, "x", GG_SHAPE(B, 36)), gg_graph_index(g, "t", GG_SHAPE(B))}, *wrt[P], *out[P + 1];
    for (int i = 0; i < P; i++)
        wrt[i] = gg_graph_param(g, p, names[i]);
    assert_ok(gg_var_per_sample_gradients(out, &out[P], g, sample_loss, p, in, 2, wrt, P));
    assert_ok(gg_graph_plan(g, out, P + 1));
    assert_ok(gg_nn_init(p, 2));
    randomise(in[0], 1);
    for (int b = 0; b < B; b++)
        ((int32_t *)gg_var_data(in[1]))[b] = b % 4;
    assert_ok(gg_graph_run(g));
    for (int b = 0; b < B; b++) {
        memcpy(gg_var_data(x1), (double *)gg_var_data(in[0]) + 36 * b, 36 * sizeof(double));
        *(int32_t *)gg_var_data(t1) = b % 4;
        assert_ok(gg_graph_run(one));
        assert_true(gg_var_item(loss1) == ((double *)gg_var_data(out[P]))[b]);
        for (int i = 0; i < P; i++) {
            const int64_t n = gg_params_size(p, gg_params_find(p, names[i]));
            assert_int_equal(gg_var_size(out[i]), B * n);
            assert_memory_equal((double *)gg_var_data(out[i]) + b * n, gg_params_gradient(p, gg_params_find(p, names[i])), (size_t)n * sizeof(double));
        }
    }
    gg_graph_free(g);
    gg_graph_free(one);
    gg_params_free(p);
}

/* --- graphs by shape --- */
static int recordings;
static gg_status record(void *user, gg_graph *g, gg_shape s, gg_var **var)
{
    const gg_nn nn = {g, user, NULL};
    recordings++;
    gg_var *last = NULL;
    var[0] = gg_graph_input(g, "x", GG_SHAPE(s.d[1], s.d[0], 5));
    var[1] = gg_graph_index(g, "t", GG_SHAPE(s.d[0]));
    gg_nn_gru(&nn, "gru", var[0], s.d[1] == 13 ? 7 : 6, &last, NULL); /* length 13: a mistake */
    var[2] = gg_var_mean(gg_var_cross_entropy(gg_nn_linear(&nn, "out", last, 3, true), var[1], -100), GG_ALL_AXES, false);
    return gg_graph_backward(var[2]);
}

static void fill(gg_var *const *var, int step)
{
    randomise(var[0], 100 + (uint64_t)step);
    for (int64_t i = 0; i < gg_var_size(var[1]); i++)
        ((int32_t *)gg_var_data(var[1]))[i] = (int32_t)(i + step) % 3;
}

/* Twelve steps over batches of three lengths, from one cache with room for `capacity`, or with a graph recorded anew each step. */
static void train(float *end, int capacity)
{
    static const int64_t length[] = {4, 7, 4, 2, 7, 4, 4, 2, 2, 7, 4, 7};
    gg_params *p = NULL;
    gg_plans *plans = NULL;
    gg_optim *o = NULL;
    assert_ok(gg_params_create(&p, ctx, GG_F32));
    assert_ok(gg_plans_create(&plans, ctx, NULL, capacity > 0 ? capacity : 1, 3, record, p));
    recordings = 0;
    for (int step = 0; step < 12; step++) {
        gg_graph *g = NULL;
        gg_var *const *var = NULL, *own[3];
        if (capacity) {
            const int before = recordings;
            const int64_t allocations = gg_context_allocations(ctx);
            assert_ok(gg_plans_get(&g, &var, plans, GG_SHAPE(3, length[step])));
            assert_true(recordings > before || gg_context_allocations(ctx) == allocations);
        } else {
            assert_ok(gg_graph_create(&g, ctx, NULL));
            assert_ok(record(p, g, GG_SHAPE(3, length[step]), own));
            assert_ok(gg_graph_plan(g, own, 3));
            var = own;
        }
        if (step == 0) {
            assert_ok(gg_nn_init(p, 3));
            assert_ok(gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAM, .lr = 0.05}));
        }
        fill(var, step);
        assert_ok(gg_graph_run(g));
        assert_ok(gg_optim_step(o));
        if (!capacity)
            gg_graph_free(g);
    }
    assert_int_equal(gg_plans_recorded(plans), capacity ? recordings : 0);
    if (capacity == 1) { /* a mistake in a recording is told, and leaves the others in place */
        gg_graph *g;
        gg_var *const *var;
        assert_int_equal(gg_plans_get(&g, &var, plans, GG_SHAPE(3, 13)), GG_EMISMATCH);
        assert_non_null(strstr(gg_message(ctx), "gru.weight_ih_l0 has the shape (18, 5)"));
        const int before = recordings;
        assert_ok(gg_plans_get(&g, &var, plans, GG_SHAPE(3, 7)));
        assert_int_equal(recordings, before);
    }
    assert_true(gg_params_extent(p) <= 1024);
    memcpy(end, gg_params_value(p, -1), (size_t)gg_params_extent(p) * sizeof(float));
    gg_optim_free(o);
    gg_plans_free(plans);
    gg_params_free(p);
}

static void graphs_by_shape_share_parameters_and_are_recorded_once(void **state)
{
    (void)state;
    static float end[3][1024];
    train(end[0], 0);
    train(end[1], 3);
    assert_int_equal(recordings, 3);
    assert_memory_equal(end[1], end[0], sizeof end[0]);
    train(end[2], 1);
    assert_int_equal(recordings - 1, 10); /* twelve steps, of which two follow one of their own length; and the mistake */
    assert_memory_equal(end[2], end[0], sizeof end[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hessian_vector_products_are_those_of_a_known_hessian),
        cmocka_unit_test(hessian_vector_products_of_a_net_agree_with_differences),
        cmocka_unit_test(rows_of_a_jacobian),
        cmocka_unit_test(gradients_of_each_sample),
        cmocka_unit_test(graphs_by_shape_share_parameters_and_are_recorded_once),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
