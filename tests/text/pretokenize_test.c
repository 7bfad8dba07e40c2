/* The pre-tokenizers that GGUF files name: on texts that are hard to cut the ids of independent code, which has the pipelines as the models were
 * published with them (tests/golden/pretokenizers). The vocabulary has tokens across every place that should be cut. */
#include "support.h"

#define FOLDER GOLDEN "pretokenizers/"

static const char **vocab_text, **vocab_merge;
static int64_t n_vocab, n_merges;
static json_t *vocab;

static int set_up(void **state)
{
    if (begin(state))
        return 1;
    vocab = read_json(FOLDER "vocab.json");
    const json_t *tokens = json_object_get(vocab, "tokens"), *merges = json_object_get(vocab, "merges");
    n_vocab = (int64_t)json_array_size(tokens);
    n_merges = (int64_t)json_array_size(merges);
    vocab_text = malloc(sizeof *vocab_text * (size_t)n_vocab);
    vocab_merge = malloc(sizeof *vocab_merge * (size_t)n_merges);
    for (int64_t i = 0; i < n_vocab; i++)
        vocab_text[i] = json_string_value(json_array_get(tokens, (size_t)i));
    for (int64_t i = 0; i < n_merges; i++)
        vocab_merge[i] = json_string_value(json_array_get(merges, (size_t)i));
    return 0;
}

static int tear_down(void **state)
{
    free(vocab_text);
    free(vocab_merge);
    json_decref(vocab);
    return drop_context_and_folder(state);
}

/* pre NULL: no name in the file. */
static const char *write_vocab(const char *pre)
{
    gguf g = {0};
    gguf_text(&g, "tokenizer.ggml.model", "gpt2");
    if (pre)
        gguf_text(&g, "tokenizer.ggml.pre", pre);
    gguf_texts(&g, "tokenizer.ggml.tokens", vocab_text, NULL, n_vocab);
    gguf_texts(&g, "tokenizer.ggml.merges", vocab_merge, NULL, n_merges);
    return gguf_write(&g);
}

static void compare(gg_context *ctx, const char *name, const char *pipeline)
{
    gg_rows *rows = NULL;
    json_t *row;
    int n_texts = 0;
    gg_tokenizer *t = open_gguf(ctx, write_vocab(name));
    assert_ok_in(ctx, gg_rows_open(&rows, ctx, FOLDER "cases.jsonl.zst"));
    while (gg_rows_next(rows, &row) == GG_OK) {
        const json_t *text = json_object_get(row, "text");
        if (text) {
            assert_encodes(ctx, t, name, text, json_object_get(row, pipeline), 0);
            assert_prefixes(ctx, t, name, json_string_value(text), json_string_length(text), 0);
            n_texts++;
        }
        json_decref(row);
    }
    gg_rows_close(rows);
    assert_true(n_texts > 200);
    gg_tokenizer_free(t);
}

static void every_name_cuts_as_published(void **state)
{
    gg_rows *rows = NULL;
    json_t *names, *also, *other;
    const char *name;
    size_t i;
    int n = 0;
    assert_ok_in(*state, gg_rows_open(&rows, *state, FOLDER "cases.jsonl.zst"));
    assert_ok_in(*state, gg_rows_next(rows, &names)); /* {pipeline: [other names of it]} */
    json_object_foreach(names, name, also) {
        compare(*state, name, name);
        n++;
        json_array_foreach(also, i, other) {
            compare(*state, json_string_value(other), name);
            n++;
        }
    }
    json_decref(names);
    gg_rows_close(rows);
    assert_int_equal(n, 14);
}

static const char *const known[] = {"gpt-2", "mpt", "olmo", "starcoder", "refact", "command-r", "smollm", "llama-bpe", "qwen2", "falcon", "deepseek-llm",
                                    "deepseek-coder", "tekken", "gpt-4o"};

static void an_unknown_name_is_an_error_that_lists_the_known(void **state)
{
    static const char *const unknown[] = {"default", "gpt2", "llama3", "GPT-2", "", "smollm "};
    gg_tensors *m = NULL;
    gg_tokenizer *t = NULL;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char quoted[64];
        const char *path = write_vocab(unknown[i]);
        snprintf(quoted, sizeof quoted, "'%s'", unknown[i]);
        assert_ok_in(*state, gg_tensors_open(&m, *state, path));
        assert_int_equal(gg_tokenizer_open(&t, *state, m), GG_EUNSUPPORTED);
        assert_null(t);
        assert_text_has(gg_message(*state), path);
        assert_text_has(gg_message(*state), quoted);
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            assert_text_has(gg_message(*state), known[k]);
        gg_tensors_free(m);
    }
}

static void a_file_that_names_none_is_an_error(void **state)
{
    gg_tensors *m = NULL;
    gg_tokenizer *t = NULL;
    assert_ok_in(*state, gg_tensors_open(&m, *state, write_vocab(NULL)));
    assert_int_equal(gg_tokenizer_open(&t, *state, m), GG_EUNSUPPORTED);
    assert_text_has(gg_message(*state), "tokenizer.ggml.pre");
    gg_tensors_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_cuts_as_published),
        cmocka_unit_test(an_unknown_name_is_an_error_that_lists_the_known),
        cmocka_unit_test(a_file_that_names_none_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
