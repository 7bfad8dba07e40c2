/* Text token by token: the likeliest is what the logits of a whole run say, draws have the frequencies of the softmax, and a text may outgrow the model. */
#include "support.h"
#include "base/memory.h"

static gg_token_list text_of(gg_context *ctx, const int32_t *id, int64_t n)
{
    gg_token_list ids = {.ctx = ctx, .n = n, .cap = n};
    ids.id = gg_alloc(ctx, sizeof *id * (size_t)n);
    memcpy(ids.id, id, sizeof *id * (size_t)n);
    return ids;
}

/* Logits after the last of n tokens; freed by free(). */
static float *last_logits(gg_model *m, const int32_t *id, int64_t n)
{
    const int64_t V = gg_model_describe(m)->n_vocab;
    recording *r = record_ids(m, id, 1, n, 0, 1u << GG_SITE_LOGITS);
    float *x = malloc(sizeof *x * (size_t)V);
    for (int l = 0; l < RECORD_LAYERS; l++)
        if (r->x[l][GG_SITE_LOGITS])
            memcpy(x, r->x[l][GG_SITE_LOGITS] + (n - 1) * V, sizeof *x * (size_t)V);
    drop_recording(r);
    return x;
}

static void the_likeliest_is_that_of_a_whole_run(void **state)
{
    gg_context *ctx = *state;
    static const char *const folders[] = {TINY "llama", TINY "gpt2", TINY "mistral-window"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        gg_model *m = open_model(ctx, folders[f], NULL);
        const int64_t n_ctx = gg_model_describe(m)->n_ctx, more = n_ctx < 60 ? n_ctx + 5 : 40; /* beyond what it sees where that is soon */
        gg_token_list ids = text_of(ctx, (const int32_t[]){5, 17, 3}, 3);
        assert_ok_in(ctx, gg_generate(&ids, m, &(gg_generate_options){.n_tokens = more}));
        assert_int_equal(ids.n, 3 + more);
        for (int64_t n = 3; n < ids.n; n += 7) {
            const int64_t seen = n < n_ctx ? n : n_ctx;
            float *x = last_logits(m, ids.id + n - seen, seen);
            int32_t best = 0;
            for (int32_t i = 1; i < gg_model_describe(m)->n_vocab; i++)
                best = x[i] > x[best] ? i : best;
            assert_int_equal(ids.id[n], best);
            free(x);
        }
        gg_token_list again = text_of(ctx, (const int32_t[]){5, 17, 3}, 3);
        assert_ok_in(ctx, gg_generate(&again, m, &(gg_generate_options){.n_tokens = more, .temperature = 2, .top_k = 1, .seed = 9}));
        assert_int_equal(again.n, ids.n);
        assert_memory_equal(again.id, ids.id, sizeof *ids.id * (size_t)ids.n);
        gg_token_list_free(&ids);
        gg_token_list_free(&again);
        gg_model_free(m);
    }
}

static void draws_have_the_frequencies_of_the_softmax(void **state)
{
    gg_context *ctx = *state;
    enum { DRAWS = 2000, K = 6 };
    gg_model *m = open_model(ctx, TINY "llama", NULL);
    const int64_t V = gg_model_describe(m)->n_vocab;
    static const int32_t prompt[] = {5, 17, 3};
    static const double temperature = 0.7;
    float *x = last_logits(m, prompt, 3);
    int64_t *seen = calloc((size_t)V, sizeof *seen);
    for (int i = 0; i < DRAWS; i++) {
        gg_token_list ids = text_of(ctx, prompt, 3);
        assert_ok_in(ctx, gg_generate(&ids, m, &(gg_generate_options){.n_tokens = 1, .temperature = temperature, .top_k = K, .seed = (uint64_t)i}));
        seen[ids.id[3]]++;
        gg_token_list_free(&ids);
    }
    double sum = 0, chi2 = 0;
    int among = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < V; i++) {
            int above = 0;
            for (int64_t j = 0; j < V; j++)
                above += x[j] > x[i] || (x[j] == x[i] && j < i);
            const double p = above < K ? exp((double)x[i] / temperature) : 0;
            if (pass == 0)
                sum += p;
            else if (above >= K)
                assert_int_equal(seen[i], 0);
            else {
                const double want = DRAWS * p / sum;
                chi2 += ((double)seen[i] - want) * ((double)seen[i] - want) / want;
                among++;
            }
        }
    assert_int_equal(among, K);
    assert_true(chi2 < 20.5); /* five degrees of freedom: one run in a thousand is above */
    free(seen);
    free(x);
    gg_model_free(m);
}

static gg_status third_is_enough(void *user, int32_t id)
{
    return id >= 0 && ++*(int *)user == 3 ? GG_END : GG_OK;
}

static void it_ends_when_told_and_mistakes_are_named(void **state)
{
    gg_context *ctx = *state;
    gg_model *m = open_model(ctx, TINY "llama", NULL);
    gg_token_list ids = text_of(ctx, (const int32_t[]){5}, 1), none = {.ctx = ctx};
    int n = 0;
    assert_int_equal(gg_generate(&ids, m, &(gg_generate_options){.n_tokens = 10, .token = third_is_enough, .user = &n}), GG_END);
    assert_int_equal(ids.n, 4);
    assert_int_equal(gg_generate(&none, m, &(gg_generate_options){.n_tokens = 1}), GG_EINVAL);
    assert_text_has(gg_message(ctx), "one token at least");
    assert_int_equal(gg_generate(&ids, m, &(gg_generate_options){.n_tokens = 1, .temperature = -1}), GG_EINVAL);
    ids.id[0] = 1 << 20;
    assert_int_equal(gg_generate(&ids, m, &(gg_generate_options){.n_tokens = 1}), GG_EINVAL);
    gg_token_list_free(&ids);
    gg_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_likeliest_is_that_of_a_whole_run),
        cmocka_unit_test(draws_have_the_frequencies_of_the_softmax),
        cmocka_unit_test(it_ends_when_told_and_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
