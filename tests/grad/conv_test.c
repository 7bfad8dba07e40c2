/* The three products of convolution against six loops in double, over borders, dilations, groups, tails and several blocks of lines; on every number of
 * threads the same bits. */
#include "grad/support.h"

typedef struct conv_case {
    int64_t N, C, H, W, O, kh, kw;
    gg_conv_options o;
} conv_case;

static const conv_case cases[] = {
    {3, 1, 28, 28, 16, 3, 3, {.padding = {1, 1}}},
    {2, 16, 14, 14, 32, 3, 3, {.padding = {1, 1}}},
    {9, 3, 7, 5, 13, 3, 2, {.padding = {1, 0}}},
    {2, 4, 6, 9, 8, 1, 1, {.groups = 1}},
    {2, 2, 5, 6, 9, 2, 3, {.padding = {3, 4}}},                         /* a border wider than the filter */
    {1, 3, 11, 10, 10, 3, 3, {.padding = {2, 3}, .dilation = {2, 3}}},
    {2, 6, 5, 7, 24, 3, 3, {.padding = {1, 1}, .groups = 3}},
    {2, 8, 6, 6, 8, 3, 3, {.padding = {1, 1}, .groups = 8}},
    {1, 2, 9, 300, 40, 3, 3, {.padding = {1, 1}}},                      /* lines in several blocks */
    {2, 40, 6, 6, 12, 3, 3, {.groups = 1}},                                       /* 360 rows of a patch: two blocks of k */
    {2, 3, 9, 8, 9, 3, 3, {.stride = {2, 1}, .padding = {1, 1}}},       /* columns */
    {2, 3, 9, 8, 9, 3, 3, {.stride = {2, 3}, .padding = {2, 1}, .dilation = {2, 1}}},
    {2, 3, 5, 5, 4, 2, 2, {.padding = {1, 1}}},                         /* few channels: dw by columns */
};

static double number(gg_var *v, int64_t i) { return gg_var_dtype(v) == GG_F64 ? ((double *)gg_var_data(v))[i] : (double)((float *)gg_var_data(v))[i]; }

/* y, dx and dw into one array each, zeroed before; how large the terms of each are, for the bound, into size. */
static void twin(const conv_case *c, int64_t OH, int64_t OW, gg_var *x, gg_var *w, gg_var *d, double *y, double *dx, double *dw, double *size[3])
{
    const int64_t groups = c->o.groups ? c->o.groups : 1, Cg = c->C / groups, Og = c->O / groups;
    for (int64_t n = 0; n < c->N; n++)
        for (int64_t o = 0; o < c->O; o++)
            for (int64_t p = 0; p < OH * OW; p++)
                for (int64_t k = 0; k < Cg * c->kh * c->kw; k++) {
                    const int64_t j = k % c->kw, i = k / c->kw % c->kh, ch = k / c->kw / c->kh + o / Og * Cg;
                    const int64_t row = p / OW * (c->o.stride[0] ? c->o.stride[0] : 1) + i * (c->o.dilation[0] ? c->o.dilation[0] : 1) - c->o.padding[0];
                    const int64_t col = p % OW * (c->o.stride[1] ? c->o.stride[1] : 1) + j * (c->o.dilation[1] ? c->o.dilation[1] : 1) - c->o.padding[1];
                    if (row < 0 || row >= c->H || col < 0 || col >= c->W)
                        continue;
                    const int64_t at_x = ((n * c->C + ch) * c->H + row) * c->W + col, at_w = o * Cg * c->kh * c->kw + k, at_y = (n * c->O + o) * OH * OW + p;
                    const double term[3] = {number(x, at_x) * number(w, at_w), number(d, at_y) * number(w, at_w), number(d, at_y) * number(x, at_x)};
                    double *to[3] = {&y[at_y], &dx[at_x], &dw[at_w]}, *sum[3] = {&size[0][at_y], &size[1][at_x], &size[2][at_w]};
                    for (int t = 0; t < 3; t++) {
                        *to[t] += term[t];
                        *sum[t] += fabs(term[t]);
                    }
                }
}

static void products_are_those_of_six_loops_on_any_threads(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int run = 0; run < 4; run++) {
            static char *bits[3]; /* of one thread, float */
            const conv_case *c = &cases[k];
            const int threads = run < 3 ? run + 1 : 1;
            gg_graph *g = NULL;
            assert_ok(gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = run == 3 ? GG_F64 : GG_F32, .n_threads = threads}));
            gg_var *x = gg_graph_input(g, "x", GG_SHAPE(c->N, c->C, c->H, c->W)),
                   *w = gg_graph_input(g, "w", GG_SHAPE(c->O, c->C / (c->o.groups ? c->o.groups : 1), c->kh, c->kw));
            gg_var *y = gg_var_conv2d(x, w, &c->o), *d = gg_graph_input(g, "d", gg_var_shape(y)), *back[2];
            assert_ok(gg_var_gradients(back, y, d, (gg_var *[]){x, w}, 2));
            gg_var *found[3] = {y, back[0], back[1]};
            assert_ok(gg_graph_plan(g, found, 3));
            randomise(x, 1), randomise(w, 2), randomise(d, 3);
            assert_ok(gg_graph_run(g));
            assert_ok(gg_graph_run(g));
            double *want[3], *size[3];
            for (int t = 0; t < 3; t++) {
                want[t] = calloc((size_t)gg_var_size(found[t]), sizeof *want[t]);
                size[t] = calloc((size_t)gg_var_size(found[t]), sizeof *size[t]);
            }
            if (run == 0 || run == 3)
                twin(c, gg_var_shape(y).d[2], gg_var_shape(y).d[3], x, w, d, want[0], want[1], want[2], size);
            for (int t = 0; t < 3; t++) {
                const size_t bytes = (size_t)gg_var_size(found[t]) * sizeof(float);
                for (int64_t i = 0; i < gg_var_size(found[t]) && (run == 0 || run == 3); i++)
                    if (!(fabs(number(found[t], i) - want[t][i]) <= (run == 3 ? 1e-14 : 2e-6) * size[t][i]))
                        fail_msg("case %d, %s[%lld] is %.9g, expected %.9g", (int)k, (const char *[]){"y", "dx", "dw"}[t], (long long)i, number(found[t], i),
                                 want[t][i]);
                if (run == 0)
                    bits[t] = memcpy(malloc(bytes), gg_var_data(found[t]), bytes);
                else if (run < 3)
                    assert_memory_equal(bits[t], gg_var_data(found[t]), bytes);
                if (run == 3)
                    free(bits[t]);
                free(want[t]), free(size[t]);
            }
            gg_graph_free(g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_those_of_six_loops_on_any_threads),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
