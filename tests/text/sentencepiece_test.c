/* SentencePiece models in GGUF files, unigram and BPE, as models have them in several ways: ids and texts are SentencePiece's own
 * (tests/golden/sentencepiece). */
#include "support.h"

#define FOLDER GOLDEN "sentencepiece/"

/* How many ids or decoded texts of one model differ; the first is shown. */
static int count_wrong(gg_context *ctx, const json_t *texts, const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    char path[128];
    snprintf(path, sizeof path, FOLDER "%s.gguf", name);
    gg_tokenizer *t = open_gguf(ctx, path);
    gg_token_list got = {.ctx = ctx};
    const json_t *text;
    size_t i;
    int n_wrong = 0, n_wrong_texts = 0;
    json_array_foreach(texts, i, text) {
        const char *s = json_string_value(text);
        const size_t n = json_string_length(text);
        int32_t *want;
        if (json_is_null(json_array_get(json_object_get(row, "ids"), i)))
            continue;
        const int64_t n_want = ids_of_json(&want, json_array_get(json_object_get(row, "ids"), i));
        assert_ok_in(ctx, gg_tokenizer_encode(t, &got, s, n, 0, 0));
        if (!same_ids(&got, want, n_want) && n_wrong++ == 0)
            print_error("%s\n", difference(name, s, n, &got, want, n_want));
        assert_prefixes(ctx, t, name, s, n, 0);

        const json_t *decoded = json_array_get(json_object_get(row, "decoded"), i);
        char *back = NULL;
        size_t n_back = 0, n_valid = 0;
        assert_ok_in(ctx, gg_tokenizer_decode(t, &back, &n_back, want, n_want, true));
        char *valid = malloc(3 * n_back + 1);
        gg_utf8_repair(valid, &n_valid, back, n_back);
        bool unknown = false; /* that has a text of its own in SentencePiece, " \u2047 " */
        for (int64_t k = 0; k < n_want; k++)
            unknown = unknown || want[k] == 0;
        if (!unknown && (n_valid != json_string_length(decoded) || memcmp(valid, json_string_value(decoded), n_valid)) && n_wrong_texts++ == 0)
            print_error("%s: %s\n    decodes to \"%.*s\", expected \"%s\"\n", name, s, (int)n_valid, valid, json_string_value(decoded));
        free(valid);
        gg_tokenizer_text_free(ctx, back);
        free(want);
    }
    gg_token_list_free(&got);
    gg_tokenizer_free(t);
    return n_wrong + n_wrong_texts;
}

static void every_model_gives_sentencepieces_ids_and_texts(void **state)
{
    gg_rows *rows = NULL;
    json_t *first, *row;
    int n_wrong = 0, n_models = 0;
    assert_ok_in(*state, gg_rows_open(&rows, *state, FOLDER "cases.jsonl.zst"));
    assert_ok_in(*state, gg_rows_next(rows, &first));
    for (; gg_rows_next(rows, &row) == GG_OK; n_models++) {
        n_wrong += count_wrong(*state, json_object_get(first, "texts"), row);
        json_decref(row);
    }
    json_decref(first);
    gg_rows_close(rows);
    assert_int_equal(n_models, 7);
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_gives_sentencepieces_ids_and_texts),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
