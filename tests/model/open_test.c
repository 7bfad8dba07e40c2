/* Opening: what a model says of itself, and what a person is told when it cannot be opened. */
#include "ration.h"
#include "edit.h"

static void bad_number(float *x, const int64_t *shape)
{
    x[shape[1] + 1] = NAN;
}
static void bad_vector(float *x, const int64_t *shape)
{
    x[shape[0] - 1] = INFINITY;
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *folder;
        edit e;
        gg_status status;
        const char *says, *says_too;
    } table[] = {
        {"llama", {.config = "\"model_type\": \"llama\"", .config_becomes = "\"model_type\": \"bloom\""}, GG_EUNSUPPORTED, "\"bloom\" is not supported",
         "llama, mistral, qwen2"},
        {"llama", {.config = "\"model_type\"", .config_becomes = "\"modle_type\""}, GG_EFORMAT, "no \"model_type\"", ""},
        {"llama", {.config = "\"hidden_size\"", .config_becomes = "\"x\""}, GG_EFORMAT, "no number under \"hidden_size", ""},
        {"llama", {.config = "\"hidden_size\": 32", .config_becomes = "\"hidden_size\": -32"}, GG_EFORMAT, "\"hidden_size\" is -32", "expected 1 to"},
        {"llama", {.config = "\"hidden_size\": 32", .config_becomes = "\"hidden_size\": \"32\""}, GG_EFORMAT, "no number under \"hidden_size", ""},
        {"llama", {.config = "\"num_hidden_layers\": 3", .config_becomes = "\"num_hidden_layers\": 1000000000000"}, GG_EFORMAT,
         "\"num_hidden_layers\" is 1000000000000", ""},
        {"llama", {.config = "\"num_hidden_layers\": 3", .config_becomes = "\"num_hidden_layers\": 4"}, GG_ENOENT, "model.layers.3.", ""},
        {"llama", {.config = "\"num_attention_heads\": 4", .config_becomes = "\"num_attention_heads\": 5"}, GG_EFORMAT, "5 heads, 2 of keys", "do not fit"},
        {"llama", {.config = "\"intermediate_size\": 72", .config_becomes = "\"intermediate_size\": 73"}, GG_EFORMAT,
         "gate_proj.weight is (72, 32), expected (73, 32)", ""},
        {"llama", {.config = "\"vocab_size\": 80", .config_becomes = "\"vocab_size\": 81"}, GG_EFORMAT, "embed_tokens.weight is (80, 32), expected (81, 32)",
         ""},
        {"llama", {.config = "\"hidden_act\": \"silu\"", .config_becomes = "\"hidden_act\": \"mish\""}, GG_EUNSUPPORTED, "activation mish", ""},
        {"llama", {.config = "\"rms_norm_eps\": 1e-06", .config_becomes = "\"rms_norm_eps\": -1"}, GG_EFORMAT, "epsilon is -1", ""},
        {"llama", {.config = "\"rope_scaling\": null", .config_becomes = "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}"}, GG_EUNSUPPORTED,
         "\"yarn\" is not supported", "linear, llama3 and longrope"},
        {"llama", {.config = "\"rope_scaling\": null", .config_becomes = "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0}"}, GG_EFORMAT,
         "not positive", ""},
        {"llama3-rope", {.config = "\"low_freq_factor\"", .config_becomes = "\"x\""}, GG_EFORMAT, "not positive", ""},
        {"phi3-longrope", {.config = "\"long_factor\": [", .config_becomes = "\"long_factor\": [3.0,"}, GG_EFORMAT,
         "\"rope_scaling.long_factor\" must hold 4 numbers", ""},
        {"gpt2", {.config = "\"scale_attn_by_inverse_layer_idx\": false", .config_becomes = "\"scale_attn_by_inverse_layer_idx\": true"}, GG_EUNSUPPORTED,
         "layer's number", ""},
        {"pythia", {.config = "\"partial_rotary_factor\": 0.5", .config_becomes = "\"partial_rotary_factor\": 1.5"}, GG_EFORMAT, "1.5 of a head rotates", ""},
        {"llama", {.name = "layers.1.mlp.down_proj", .leave_out = true}, GG_ENOENT, "model.layers.1.mlp.down_proj.weight", "nearest"},
        {"llama", {.name = "embed_tokens", .leave_out = true}, GG_ENOENT, "model.embed_tokens.weight", ""},
        {"llama", {.name = "model.norm", .leave_out = true}, GG_ENOENT, "model.norm.weight", ""},
        {"llama", {.name = "lm_head", .leave_out = true}, GG_ENOENT, "lm_head.weight", ""},
        {"qwen2", {.name = "layers.2.self_attn.k_proj.bias", .leave_out = true}, GG_ENOENT, "layers.2.self_attn.k_proj.bias", ""},
        {"qwen3", {.name = "layers.0.self_attn.q_norm", .leave_out = true}, GG_ENOENT, "layers.0.self_attn.q_norm.weight", ""},
        {"llama", {.name = "layers.1.mlp.down_proj", .turn = true}, GG_EFORMAT, "down_proj.weight is (72, 32), expected (32, 72)", ""},
        {"phi3", {.name = "layers.1.self_attn.qkv_proj", .turn = true}, GG_EFORMAT, "qkv_proj.weight is (32, 64), expected (64, 32)", ""},
        {"gpt2", {.name = "h.1.attn.c_attn.weight", .turn = true}, GG_EFORMAT, "c_attn.weight is (96, 32), expected (32, 96)", ""},
        {"llama", {.name = "layers.1.mlp.up_proj", .numbers = bad_number}, GG_ENAN, "layers.1.mlp.up_proj.weight", ""},
        {"llama", {.name = "lm_head", .numbers = bad_number}, GG_ENAN, "lm_head.weight", ""},
        {"llama", {.name = "layers.1.input_layernorm", .numbers = bad_vector}, GG_ENAN, "layers.1.input_layernorm.weight", ""},
        {"gpt2", {.name = "h.2.attn.c_attn.weight", .numbers = bad_number}, GG_ENAN, "h.2.attn.c_attn.weight", ""},
        {"gpt2", {.name = "wpe", .numbers = bad_number}, GG_ENAN, "wpe.weight", ""},
        {"pythia", {.name = "layers.0.attention.query_key_value.bias", .numbers = bad_vector}, GG_ENAN, "query_key_value.bias", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_model *m = NULL;
        const gg_status s = gg_model_open(&m, *state, edited(*state, table[i].folder, &table[i].e), NULL);
        if (s != table[i].status)
            fail_msg("row %zu (%s): %s, expected %s: %s", i, table[i].says, gg_status_name(s), gg_status_name(table[i].status), gg_message(*state));
        assert_text_has(gg_message(*state), table[i].says);
        assert_text_has(gg_message(*state), table[i].says_too);
        assert_text_has(gg_message(*state), edit_folder); /* the file */
        assert_null(m);
    }
}

/* Rows of the embedding are read when a token needs them. */
static void a_bad_embedding_is_found_when_it_is_used(void **state)
{
    static const int32_t good[2] = {0, 2}, bad[2] = {0, 1};
    gg_run_result r;
    gg_model *m = open_model(*state, edited(*state, "llama", &(edit){.name = "embed_tokens", .numbers = bad_number}), NULL);
    assert_ok_in(*state, gg_run_ids(&r, m, good, 1, 2, NULL, NULL, 0));
    assert_int_equal(gg_run_ids(&r, m, bad, 1, 2, NULL, NULL, 0), GG_ENAN);
    assert_text_has(gg_message(*state), "embed_tokens.weight");
    assert_text_has(gg_message(*state), "token 1");
    gg_model_free(m);
}

static void files_without_a_description_are_refused(void **state)
{
    gg_model *m = NULL;
    assert_int_equal(gg_model_open(&m, *state, TINY "llama/model.safetensors", NULL), GG_EUNSUPPORTED);
    assert_text_has(gg_message(*state), "config.json");
    assert_int_equal(gg_model_open(&m, *state, TINY "absent", NULL), GG_ENOENT);
    assert_int_equal(gg_model_open(&m, *state, TINY "llama", &(gg_model_options){.dtype = GG_Q4_1}), GG_EINVAL);
    assert_text_has(gg_message(*state), "Q4_1");
}

static void actions_are_checked_against_the_model(void **state)
{
    static const struct { gg_neuron n; const char *says; } table[] = {
        {{3, GG_SITE_UP, 0}, "layers 0 to 2"}, {{1, GG_SITE_UP, 72}, "L1.up has 72 neurons"}, {{1, GG_SITE_Q_NORM, 0}, "no site q_norm"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_actions *a = NULL;
        gg_model *m = NULL;
        assert_ok_in(*state, gg_actions_create(&a, *state));
        assert_ok_in(*state, gg_actions_add(a, table[i].n, GG_OP_ZERO, 0));
        assert_int_equal(gg_model_open(&m, *state, TINY "llama", &(gg_model_options){.actions = a}), GG_ENOENT);
        assert_text_has(gg_message(*state), table[i].says);
        gg_actions_free(a);
    }
}

static void a_model_describes_itself(void **state)
{
    gg_model *m = open_model(*state, TINY "gemma3/", &(gg_model_options){.no_weights = true});
    const gg_model_description *d = gg_model_describe(m);
    assert_string_equal(d->family, "gemma3");
    assert_string_equal(d->name, "gemma3");
    assert_int_equal(d->n_layers, 3);
    assert_int_equal(d->layer[0].window, 8);
    assert_int_equal(d->layer[2].window, 0);
    assert_true(d->layer[0].rope_base == 1e4 && d->layer[2].rope_base > 1e4);
    assert_true(d->tied && d->gated && d->norm_place == GG_NORM_SANDWICH && d->qk_norm == GG_QK_NORM_HEAD);
    assert_int_equal(gg_model_width(m, 0, GG_SITE_UP), d->d_ff);
    assert_int_equal(gg_model_width(m, 0, GG_SITE_K), d->n_kv_heads * d->d_head);
    assert_int_equal(gg_model_width(m, 3, GG_SITE_LOGITS), d->n_vocab);
    assert_int_equal(gg_model_width(m, 3, GG_SITE_UP), 0);
    assert_int_equal(gg_model_width(m, -1, GG_SITE_UP), 0);
    assert_true(gg_model_parameters(m) > 1000);
    assert_null(gg_model_tokenizer(m));
    const gg_tokenizer *t;
    assert_int_not_equal(gg_model_need_tokenizer(&t, m), GG_OK);
    assert_text_has(gg_message(*state), "tokenizer");
    gg_model_free(m);
    assert_text_has(gg_model_families(), "llama, mistral,");
    assert_text_has(gg_model_families(), "gptneox");
}

/* As AutoModel saves it: no "model." before the names. */
static void a_bare_trunk_opens_too(void **state)
{
    gg_tensors *t = NULL;
    gg_tensors_writer *w = NULL;
    char path[256];
    static const int32_t ids[4] = {1, 2, 3, 4};
    edit_config("qwen3", &(edit){.name = NULL});
    assert_ok_in(*state, gg_tensors_open(&t, *state, TINY "qwen3"));
    snprintf(path, sizeof path, "%s/model.safetensors", edit_folder);
    assert_ok_in(*state, gg_tensors_writer_open(&w, *state, path));
    for (int64_t i = 0; i < gg_tensors_count(t); i++) {
        const gg_tensor *x = gg_tensors_at(t, i);
        const char *name = strncmp(x->name, "model.", 6) == 0 ? x->name + 6 : x->name;
        assert_ok_in(*state, gg_tensors_writer_add(w, name, x->dtype, x->n_dims, x->shape, x->data));
    }
    assert_ok_in(*state, gg_tensors_writer_commit(w));
    gg_tensors_free(t);
    gg_model *a = open_model(*state, edit_folder, NULL), *b = open_model(*state, TINY "qwen3", NULL);
    recording *x = record_ids(a, ids, 1, 4, 0, 1u << GG_SITE_FINAL), *y = record_ids(b, ids, 1, 4, 0, 1u << GG_SITE_FINAL);
    assert_memory_equal(x->x[3][GG_SITE_FINAL], y->x[3][GG_SITE_FINAL], sizeof(float) * 4 * 32);
    drop_recording(x);
    drop_recording(y);
    gg_model_free(a);
    gg_model_free(b);
}

/* --- the n-th allocation fails --------------------------------------------------------------------------------------- */

static gg_status ignore_row(void *user, const gg_score_row *r)
{
    (void)user;
    (void)r;
    return GG_OK;
}

static gg_status open_and_score(gg_context *ctx, const char *path)
{
    static const int32_t ids[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    gg_model *m = NULL;
    gg_run_result r;
    gg_status s = gg_model_open(&m, ctx, path, NULL);
    if (s == GG_OK)
        s = gg_score_ids(&r, m, ids, 2, 4, &(gg_run_options){.group_tokens = 4}, 3, ignore_row, NULL);
    gg_model_free(m);
    return s;
}

static void every_failing_allocation_is_reported_and_nothing_leaks(void **state)
{
    static const char *const some[] = {"gemma3", "gpt2", "phi3-longrope", "pythia"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, TINY "%s", some[i]);
        bool through = false;
        for (int64_t k = 1; !through; k++) {
            ration c = {0, k};
            gg_context *ctx = NULL;
            if (gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &c}, .n_threads = 1}) != GG_OK)
                continue; /* the context itself */
            const gg_status s = open_and_score(ctx, path);
            through = c.n < k;
            if (s != (through ? GG_OK : GG_ENOMEM))
                fail_msg("%s, allocation %lld: %s: %s", some[i], (long long)k, gg_status_name(s), gg_message(ctx));
            assert_int_equal(gg_context_bytes(ctx, NULL), 0);
            gg_context_free(ctx);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_bad_embedding_is_found_when_it_is_used),
        cmocka_unit_test(files_without_a_description_are_refused),
        cmocka_unit_test(actions_are_checked_against_the_model),
        cmocka_unit_test(a_model_describes_itself),
        cmocka_unit_test(a_bare_trunk_opens_too),
        cmocka_unit_test(every_failing_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, make_edit_folder, drop_edit_folder);
}
