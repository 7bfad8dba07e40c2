/* Real models, where they are at hand: losses and strongest predictions are those of independent code (tests/golden/forward/README.md). */
#include "support.h"

enum { TOP = 5, TOKENS = 128 };

typedef struct wanted {
    char name[64];
    int n;
    double nll, worst;
    int top[TOP], n_wrong;
} wanted;

static gg_status compare_row(void *user, const gg_score_row *r)
{
    wanted *w = user;
    w->worst = fmax(w->worst, fabs(r->mean_nll - w->nll));
    for (int i = 0; i < TOP; i++)
        w->n_wrong += r->top_id[i] != w->top[i];
    return GG_OK;
}

/* Returns false when the model is not there. */
static bool compare_model(gg_context *ctx, wanted *w, const char *model, const char *golden, gg_dtype dtype)
{
    gg_run_result result;
    int32_t ids[TOKENS];
    int n_texts = 0;
    if (access(model, R_OK) != 0)
        return false;
    gg_model *m = open_model(ctx, model, &(gg_model_options){.dtype = dtype});
    FILE *f = fopen(golden, "r");
    assert_non_null(f);
    *w = (wanted){0};
    while (fscanf(f, "%63s %d %lf", w->name, &w->n, &w->nll) == 3) {
        assert_in_range(w->n, 2, TOKENS);
        for (int i = 0; i < TOP; i++)
            assert_int_equal(fscanf(f, "%d", &w->top[i]), 1);
        for (int i = 0; i < w->n; i++)
            assert_int_equal(fscanf(f, "%d", &ids[i]), 1);
        assert_ok_in(ctx, gg_score_ids(&result, m, ids, 1, w->n, NULL, TOP, compare_row, w));
        n_texts++;
    }
    fclose(f);
    gg_model_free(m);
    assert_int_equal(n_texts, 9);
    return true;
}

static void check(gg_context *ctx, const char *model, const char *golden)
{
    wanted w;
    if (!compare_model(ctx, &w, model, golden, GG_F32))
        skip();
    if (!(w.worst < 1e-4) || w.n_wrong)
        fail_msg("%s: losses differ by up to %.2g, %d of the strongest predictions are others", model, w.worst, w.n_wrong);
}

static void smollm2_agrees_with_independent_code(void **state)
{
    check(*state, "models/SmolLM2-135M-Instruct.Q4_1.gguf", "tests/golden/forward/smollm2.txt");
}

static void gemma3_agrees_with_independent_code(void **state)
{
    check(*state, "models/gemma-3-270m-q4_k_m.gguf", "tests/golden/forward/gemma3.txt");
}

static void bfloat16_costs_a_hundredth_of_a_nat(void **state)
{
    wanted w;
    if (!compare_model(*state, &w, "models/SmolLM2-135M-Instruct.Q4_1.gguf", "tests/golden/forward/smollm2.txt", GG_BF16))
        skip();
    assert_true(w.worst > 1e-5 && w.worst < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smollm2_agrees_with_independent_code),
        cmocka_unit_test(gemma3_agrees_with_independent_code),
        cmocka_unit_test(bfloat16_costs_a_hundredth_of_a_nat),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
