/* A tokenizer into a GGUF and back: the same ids for every text, whatever tokenizer.json it came from; or a refusal, never other ids. */
#include "support.h"
#include <golgi/rows.h>

static gg_status write_gguf(const gg_tokenizer *t, const char *path, int64_t n)
{
    gg_gguf_writer *w = NULL;
    const float x = 1;
    const int64_t one = 1;
    assert_int_equal(gg_gguf_writer_open(&w, t->ctx, path), GG_OK);
    const gg_status s = gg_tokenizer_write_gguf(w, t, n);
    if (s != GG_OK) {
        gg_gguf_writer_discard(w);
        return s;
    }
    assert_int_equal(gg_gguf_writer_tensor(w, "x", GG_F32, 1, &one), GG_OK);
    assert_int_equal(gg_gguf_writer_data(w, &x), GG_OK);
    return gg_gguf_writer_commit(w);
}

static void assert_same(gg_context *ctx, const char *what, const gg_tokenizer *a, const gg_tokenizer *b, const char *text, size_t n)
{
    static const int flags[] = {0, GG_TOKENIZE_PARSE_SPECIAL, GG_TOKENIZE_SPECIAL};
    gg_token_list want = {.ctx = ctx}, got = {.ctx = ctx};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        assert_ok_in(ctx, gg_tokenizer_encode(a, &want, text, n, 0, flags[i]));
        assert_ok_in(ctx, gg_tokenizer_encode(b, &got, text, n, 0, flags[i]));
        assert_ids(what, text, n, &got, want.id, want.n);
    }
    gg_token_list_free(&want);
    gg_token_list_free(&got);
}

/* True when it was taken. */
static bool goes_round(gg_context *ctx, const char *name, const gg_tokenizer *t, const json_t *const texts[2])
{
    const gg_status st = write_gguf(t, at("vocab.gguf"), gg_tokenizer_size(t) + 3);
    json_t *text;
    size_t k;
    if (st == GG_EUNSUPPORTED)
        return false;
    if (st != GG_OK)
        fail_msg("%s: %s", name, gg_message(ctx));
    gg_tokenizer *back = open_gguf(ctx, at("vocab.gguf"));
    assert_int_equal(gg_tokenizer_size(back), gg_tokenizer_size(t) + 3);
    assert_int_equal(gg_tokenizer_bos(back), gg_tokenizer_bos(t));
    assert_int_equal(gg_tokenizer_eos(back), gg_tokenizer_eos(t));
    for (int i = 0; i < 2; i++)
        json_array_foreach(texts[i], k, text) {
            assert_same(ctx, name, t, back, json_string_value(text), json_string_length(text));
        }
    gg_tokenizer_free(back);
    return true;
}

/* Without what a GGUF does not carry. */
static void plain(json_t *j)
{
    static const char *const off[] = {"lstrip", "rstrip", "single_word", "add_prefix_space"};
    const char *key;
    json_t *v;
    size_t i;
    json_array_foreach(j, i, v) {
        plain(v);
    }
    for (i = 0; i < sizeof off / sizeof *off; i++)
        if (json_is_true(json_object_get(j, off[i])))
            json_object_set_new(j, off[i], json_false());
    if (json_object_get(j, "normalizer"))
        json_object_set_new(j, "normalizer", json_null());
    json_object_foreach(j, key, v) {
        plain(v);
    }
}

static void what_is_taken_comes_back_and_the_rest_is_refused(void **state)
{
    gg_context *ctx = *state;
    gg_rows *rows = NULL;
    json_t *first = NULL, *row;
    int taken = 0, refused = 0;
    assert_ok_in(ctx, gg_rows_open(&rows, ctx, GOLDEN "tokenizerjson/cases.jsonl.zst"));
    assert_ok_in(ctx, gg_rows_next(rows, &first));
    const json_t *const texts[2] = {json_object_get(first, "texts"), json_object_get(first, "added")};
    while (gg_rows_next(rows, &row) == GG_OK) {
        for (int way = 0; way < 2; way++) {
            if (way == 1)
                plain(json_object_get(row, "tokenizer"));
            char *whole = json_dumps(json_object_get(row, "tokenizer"), JSON_COMPACT);
            gg_tokenizer *t = open_json(ctx, write_bytes("tokenizer.json", whole, strlen(whole)));
            const bool round = goes_round(ctx, json_string_value(json_object_get(row, "name")), t, texts);
            taken += round;
            refused += !round;
            free(whole);
            gg_tokenizer_free(t);
        }
        json_decref(row);
    }
    gg_rows_close(rows);
    json_decref(first);
    if (taken < 10 || refused < 100)
        fail_msg("%d taken, %d refused", taken, refused);
}

static void a_large_vocabulary_comes_back(void **state)
{
    gg_context *ctx = *state;
    size_t n = 0;
    gg_tokenizer *t = open_gguf(ctx, GOLDEN "tokenizers/gpt-2.gguf");
    char *text = read_file(&n, GOLDEN "tokenizers/gpt-2.gguf.inp");
    assert_int_equal(write_gguf(t, at("vocab.gguf"), gg_tokenizer_size(t) - 1), GG_EMISMATCH);
    assert_text_has(gg_message(ctx), "the tokenizer has 50257 tokens, the model 50256");
    assert_ok_in(ctx, write_gguf(t, at("vocab.gguf"), gg_tokenizer_size(t)));
    gg_tokenizer *back = open_gguf(ctx, at("vocab.gguf"));
    assert_same(ctx, "gpt-2", t, back, text, n);
    assert_int_equal(back->n_merge, t->n_merge);
    gg_tokenizer_free(back);
    gg_tokenizer_free(t);
    free(text);
}

static void other_kinds_are_refused(void **state)
{
    gg_context *ctx = *state;
    static const char *const files[] = {"llama-spm", "bert-bge"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        snprintf(path, sizeof path, GOLDEN "tokenizers/%s.gguf", files[i]);
        gg_tokenizer *t = open_gguf(ctx, path);
        assert_int_equal(write_gguf(t, at("vocab.gguf"), gg_tokenizer_size(t)), GG_EUNSUPPORTED);
        assert_text_has(gg_message(ctx), "only byte-level BPE");
        gg_tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_comes_back_and_the_rest_is_refused),
        cmocka_unit_test(a_large_vocabulary_comes_back),
        cmocka_unit_test(other_kinds_are_refused),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
