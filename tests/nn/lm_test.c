/* Language models trained here: a planted grammar is learned down to its entropy and shuffled text is not; the same bits with any threads and after a
 * kill; saved folders give the same logits through the decoder engine. */
#include "grad/support.h"
#include "ration.h"
#include "grad/graph.h"
#include <golgi/lm.h>
#include <golgi/model.h>

#if defined(__SANITIZE_ADDRESS__) /* instrumented products are slow: one family is enough there */
enum { LAST_KIND = GG_LM_LLAMA };
#else
enum { LAST_KIND = GG_LM_GPT2 };
#endif
enum { VOCAB = 12, N = 6000, CONTEXT = 16 };
static int32_t text[N], shuffled[N];

/* Each token follows from the last but one (5 x + 1, or one more with probability a half, modulo 12), so attention is needed; log 2 nats are left. */
static int set_up(void **state)
{
    if (context_open(state))
        return 1;
    gg_random r = gg_random_of(2, 1);
    for (int i = 0; i < N; i++)
        text[i] = (int32_t)(i < 2 ? gg_random_below(&r, VOCAB) : (5 * text[i - 2] + 1 + gg_random_below(&r, 2)) % VOCAB);
    int64_t order[N];
    for (int i = 0; i < N; i++)
        order[i] = i;
    gg_random_shuffle(&r, order, N);
    for (int i = 0; i < N; i++)
        shuffled[i] = text[order[i]];
    return folder_make("lm");
}

static gg_lm *small(gg_lm_kind kind)
{
    gg_lm *lm = NULL;
    assert_ok(gg_lm_create(
        &lm, ctx, &(gg_lm_options){.kind = kind, .n_layers = 2, .d_model = 32, .n_heads = 4, .n_kv_heads = 2, .d_ff = 64, .n_vocab = VOCAB, .n_ctx = CONTEXT},
        5));
    return lm;
}

static gg_lm_train_options options(int64_t steps)
{
    return (gg_lm_train_options){.batch = 16, .steps = steps, .optim = {.lr = 1e-2}, .seed = 3};
}

static void the_grammar_is_learned_to_its_entropy_and_noise_is_not(void **state)
{
    (void)state;
    const double floor_ = ((CONTEXT - 1) * log(2) + log(VOCAB)) / CONTEXT; /* the second token of a window has nothing to go by */
    for (int kind = GG_LM_LLAMA; kind <= (int)LAST_KIND; kind++) {
        gg_lm *lm = small((gg_lm_kind)kind);
        gg_lm_result r;
        double before, noise;
        const gg_lm_train_options o = options(600);
        assert_ok(gg_lm_loss(&before, lm, text + 5000, 1000, 1));
        assert_true(fabs(before - log(VOCAB)) < 0.05);
        assert_ok(gg_lm_train(&r, lm, text, 5000, text + 5000, 1000, &o));
        assert_ok(gg_lm_loss(&noise, lm, shuffled + 5000, 1000, 1));
        if (!(r.val_loss < floor_ + 0.06 && r.val_loss > floor_ - 0.03))
            fail_msg("kind %d: validation loss %g, the grammar leaves %g", kind, r.val_loss, floor_);
        assert_true(noise > log(VOCAB));
        assert_true(r.best_val == r.val_loss && r.best_step == 600 && r.n_tokens == 600 * 16 * CONTEXT);
        gg_lm_free(lm);
        lm = small((gg_lm_kind)kind);
        assert_ok(gg_lm_train(&r, lm, shuffled, 5000, shuffled + 5000, 1000, &(gg_lm_train_options){.batch = 16, .steps = 60, .optim = {.lr = 1e-2}}));
        assert_true(r.val_loss > log(VOCAB) - 0.05);
        gg_lm_free(lm);
    }
}

static gg_status stop_at_30(void *user, const gg_lm_step *s)
{
    (void)user;
    if (s->step == 30)
        gg_context_stop(ctx);
    return GG_OK;
}

static void threads_and_interruptions_change_no_bit(void **state)
{
    (void)state;
    float *whole = NULL;
    size_t bytes = 0;
    for (int way = 0; way < 3; way++) {
        gg_lm *lm = NULL;
        gg_lm_result r;
        assert_ok(gg_lm_create(&lm, ctx, &(gg_lm_options){.n_layers = 1, .d_model = 32, .n_heads = 2, .n_vocab = VOCAB, .n_ctx = CONTEXT, .dropout = 0.1}, 5));
        gg_lm_train_options o = options(60);
        o.n_threads = way == 1 ? 2 : 1;
        if (way == 2) { /* a stop asks for the end at the next step, whose checkpoint the same call goes on from */
            o.checkpoint = at("check.safetensors");
            o.look = stop_at_30;
            assert_int_equal(gg_lm_train(&r, lm, text, N, NULL, 0, &o), GG_EINTR);
            assert_non_null(strstr(gg_message(ctx), "stopped after step 31 of 60"));
            gg_lm_free(lm);
            lm = NULL;
            context_close(state);
            assert_int_equal(context_open(state), 0);
            assert_ok(
                gg_lm_create(&lm, ctx, &(gg_lm_options){.n_layers = 1, .d_model = 32, .n_heads = 2, .n_vocab = VOCAB, .n_ctx = CONTEXT, .dropout = 0.1}, 99));
            o.look = NULL;
        }
        assert_ok(gg_lm_train(&r, lm, text, N, NULL, 0, &o));
        assert_int_equal(r.from_step, way == 2 ? 31 : 0);
        gg_params *p = gg_lm_params(lm);
        if (way == 0) {
            bytes = (size_t)gg_params_extent(p) * sizeof *whole;
            whole = malloc(bytes);
            memcpy(whole, gg_params_value(p, -1), bytes);
        }
        assert_memory_equal(whole, gg_params_value(p, -1), bytes);
        if (way == 2) {
            o.seed = 4;
            assert_int_equal(gg_lm_train(&r, lm, text, N, NULL, 0, &o), GG_EMISMATCH);
            assert_non_null(strstr(gg_message(ctx), "made with other options"));
        }
        gg_lm_free(lm);
    }
    free(whole);
}

typedef struct last_logits {
    float x[VOCAB];
} last_logits;
static gg_status keep_logits(void *user, void *st, const gg_group *g, const gg_tap *t)
{
    (void)st;
    if (t->row + t->n_rows == g->n_tokens)
        memcpy(((last_logits *)user)->x, t->x + (t->n_rows - 1) * t->width, sizeof(last_logits));
    return GG_OK;
}

static void a_saved_folder_gives_the_same_logits_and_so_does_its_gguf(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        gg_lm *lm = NULL;
        gg_lm_result r;
        assert_ok(gg_lm_create(&lm, ctx,
                               &(gg_lm_options){.kind = kind % 2 ? GG_LM_GPT2 : GG_LM_LLAMA,
                                                .n_layers = 2,
                                                .d_model = 32,
                                                .n_heads = 4,
                                                .n_kv_heads = 2,
                                                .n_vocab = VOCAB,
                                                .n_ctx = CONTEXT,
                                                .untied = kind >= 2},
                               5));
        const gg_lm_train_options o = options(40);
        assert_ok(gg_lm_train(&r, lm, text, N, NULL, 0, &o));
        char name[16];
        snprintf(name, sizeof name, "model%d", kind);
        assert_ok(gg_lm_save(lm, at(name), NULL));
        gg_graph *g = NULL;
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_var *x = gg_graph_index(g, "x", GG_SHAPE(1, CONTEXT)), *y = gg_lm_logits(lm, g, x);
        assert_ok(gg_graph_plan(g, &y, 1));
        memcpy(gg_var_data(x), text, CONTEXT * sizeof *text);
        assert_ok(gg_graph_run(g));
        gg_model *m = NULL;
        last_logits found = {{0}};
        gg_run_result run;
        assert_ok(gg_model_open(&m, ctx, at(name), NULL));
        const gg_listener l = {.sites = 1u << GG_SITE_LOGITS, .tap = keep_logits, .user = &found};
        assert_ok(gg_run_ids(&run, m, text, 1, CONTEXT, &(gg_run_options){0}, &l, 1));
        const float *want = (float *)gg_var_data(y) + (CONTEXT - 1) * VOCAB;
        for (int i = 0; i < VOCAB; i++)
            assert_true(fabsf(found.x[i] - want[i]) < 1e-4f);
        last_logits again = {{0}};
        const gg_listener same = {.sites = 1u << GG_SITE_LOGITS, .tap = keep_logits, .user = &again};
        assert_ok(gg_model_convert(m, at("model.gguf"), GG_F32));
        gg_model_free(m);
        assert_ok(gg_model_open(&m, ctx, at("model.gguf"), NULL));
        assert_ok(gg_run_ids(&run, m, text, 1, CONTEXT, &(gg_run_options){0}, &same, 1));
        assert_memory_equal(again.x, found.x, sizeof found.x);
        gg_model_free(m);
        gg_graph_free(g);
        gg_lm_free(lm);
    }
}

/* Rows of 15 numbers, so that a part does not begin where a draw of four does. */
static void a_part_of_a_batch_drops_what_the_whole_drops(void **state)
{
    (void)state;
    float whole[2][7 * 15];
    for (int part = 0; part < 4; part++) { /* 0: all seven rows; else rows 0 1 2, 3 4, 5 6 */
        const int64_t first = part == 0 ? 0 : (int64_t[]){0, 3, 5}[part - 1], n = part == 0 ? 7 : part == 1 ? 3 : 2;
        gg_graph *g = NULL;
        assert_ok(gg_graph_create(&g, ctx, NULL));
        gg_var *x = gg_graph_input(g, "x", GG_SHAPE(n, 3, 5)), *y = gg_var_dropout(x, 0.5);
        assert_ok(gg_graph_plan(g, &y, 1));
        gg_graph_set_training(g, true, 7);
        if (part > 0)
            gg__graph_set_part(g, first, n);
        for (int64_t i = 0; i < n * 15; i++)
            ((float *)gg_var_data(x))[i] = 1;
        for (int run = 0; run < 2; run++) {
            assert_ok(gg_graph_run(g));
            if (part == 0)
                memcpy(whole[run], gg_var_data(y), sizeof whole[run]);
            assert_memory_equal(gg_var_data(y), whole[run] + first * 15, sizeof(float) * (size_t)n * 15);
        }
        gg_graph_free(g);
    }
    assert_memory_not_equal(whole[0], whole[1], sizeof whole[0]);
}

/* A vocabulary, a model, its folder, its GGUF, a text from that: all of it once. */
static gg_status whole_way(gg_context *c, const char *to)
{
    static const char words[] = "caf\xc3\xa9 and caf\xc3\xa9, again and again";
    char path[3][200];
    gg_bpe_trainer *b = NULL;
    gg_lm *lm = NULL;
    gg_model *m = NULL;
    gg_token_list ids = {.ctx = c};
    const gg_tokenizer *t = NULL;
    int64_t n = 0;
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s%s", to, (const char *const[]){"", "-characters.json", "-model.gguf"}[i]);
    gg_status s = gg_bpe_trainer_create(&b, c);
    if (s == GG_OK && (s = gg_bpe_trainer_add(b, words, sizeof words - 1)) == GG_OK)
        s = gg_bpe_trainer_write_characters(b, &n, path[1], "<|endoftext|>");
    if (s == GG_OK)
        s = gg_lm_create(&lm, c, &(gg_lm_options){.n_layers = 1, .d_model = 32, .n_heads = 2, .n_vocab = n, .n_ctx = 8}, 1);
    if (s == GG_OK && (s = gg_lm_save(lm, path[0], path[1])) == GG_OK && (s = gg_model_open(&m, c, path[0], &(gg_model_options){.no_weights = true})) == GG_OK)
        s = gg_model_convert(m, path[2], GG_Q8_0);
    gg_model_free(m);
    m = NULL;
    if (s == GG_OK && (s = gg_model_open(&m, c, path[2], NULL)) == GG_OK && (s = gg_model_need_tokenizer(&t, m)) == GG_OK &&
        (s = gg_tokenizer_encode(t, &ids, words, sizeof words - 1, 4, 0)) == GG_OK)
        s = gg_generate(&ids, m, &(gg_generate_options){.n_tokens = 2, .temperature = 1, .top_k = 3});
    gg_token_list_free(&ids);
    gg_model_free(m);
    gg_lm_free(lm);
    gg_bpe_trainer_free(b);
    return s;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    ration r = {0};
    long long all = 0;
    int none = 0;
    for (long long k = 0; k <= all; k += k < 12 ? 1 : 11) { /* 0: none fails, they are counted */
        gg_context *c = NULL;
        r = (ration){.fail_at = 0};
        assert_int_equal(gg_context_create(&c, &(gg_context_options){.n_threads = 1, .allocator = {rationed, &r}}), GG_OK);
        const long long before = atomic_load(&r.n);
        r.fail_at = k > 0 ? before + k : 0;
        const gg_status s = whole_way(c, at("way"));
        if (k == 0)
            all = atomic_load(&r.n) - before;
        none += s == GG_OK; /* what PCRE2 wants for compiled expressions it can do without */
        if (s != GG_OK && (k == 0 || s != GG_ENOMEM))
            fail_msg("allocation %lld of %lld: %s: %s", k, all, gg_status_name(s), gg_message(c));
        assert_int_equal(gg_context_bytes(c, NULL), 0);
        gg_context_free(c);
    }
    assert_true(all > 300 && none < 8);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    gg_lm *lm = NULL;
    gg_lm_result r;
    assert_int_equal(gg_lm_create(&lm, ctx, &(gg_lm_options){.n_layers = 1, .d_model = 30, .n_heads = 4, .n_vocab = 5, .n_ctx = 8}, 1), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "d_model 30, 4 heads"));
    assert_int_equal(gg_lm_create(&lm, ctx, &(gg_lm_options){.n_layers = 1, .d_model = 32, .n_heads = 4, .n_ctx = 8}, 1), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "n_vocab = 0"));
    lm = small(GG_LM_LLAMA);
    gg_lm_train_options o = options(1);
    assert_int_equal(gg_lm_train(&r, lm, text, CONTEXT, NULL, 0, &o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "16 tokens to train on"));
    int32_t bad[100] = {0};
    bad[70] = VOCAB;
    assert_int_equal(gg_lm_train(&r, lm, bad, 100, NULL, 0, &o), GG_EINVAL);
    assert_non_null(strstr(gg_message(ctx), "token 70 is 12"));
    o.context = 17;
    assert_int_equal(gg_lm_train(&r, lm, text, N, NULL, 0, &o), GG_EINVAL);
    o = options(50);
    o.optim = (gg_optim_options){.kind = GG_OPTIM_SGD, .lr = 1e12, .weight_decay = 1e-9};
    o.schedule = (gg_schedule){.lr = 1e12};
    assert_int_equal(gg_lm_train(&r, lm, text, N, NULL, 0, &o), GG_ENAN);
    assert_non_null(strstr(gg_message(ctx), "step "));
    gg_lm_free(lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_learned_to_its_entropy_and_noise_is_not),
        cmocka_unit_test(threads_and_interruptions_change_no_bit),
        cmocka_unit_test(a_saved_folder_gives_the_same_logits_and_so_does_its_gguf),
        cmocka_unit_test(a_part_of_a_batch_drops_what_the_whole_drops),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, end_folder);
}
