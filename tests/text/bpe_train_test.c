/* Training of byte-level BPE against Hugging Face's trainer: the same merges in the same order, the same ids; and its own reader reads what it writes. */
#include "context.h"
#include <jansson.h>
#include <golgi/tokenizer.h>

static json_t *expected;
static char path[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/golgi-bpe-train-XXXXXX");
    const int fd = mkstemp(path);
    expected = json_load_file("tests/golden/bpe_train/expected.json", 0, NULL);
    return fd < 0 || close(fd) || !expected || gg_context_create(&ctx, NULL) != GG_OK;
}

static int tear_down(void **state)
{
    json_decref(expected);
    unlink(path);
    return context_close(state);
}

static int64_t train(int64_t n_vocab, int64_t min_count)
{
    gg_bpe_trainer *t = NULL;
    int64_t n = 0;
    size_t i;
    json_t *text;
    assert_ok(gg_bpe_trainer_create(&t, ctx));
    json_array_foreach(json_object_get(expected, "texts"), i, text) {
        assert_ok(gg_bpe_trainer_add(t, json_string_value(text), json_string_length(text)));
    }
    assert_ok(gg_bpe_trainer_write(t, &n, path, n_vocab, min_count, "<|endoftext|>"));
    gg_bpe_trainer_free(t);
    return n;
}

static void merges_are_those_of_hugging_face(void **state)
{
    (void)state;
    assert_int_equal(train(700, 2), json_integer_value(json_object_get(expected, "n_vocab")));
    json_t *got = json_load_file(path, 0, NULL), *merges = json_object_get(json_object_get(got, "model"), "merges"),
           *want = json_object_get(expected, "merges");
    assert_int_equal(json_array_size(merges), json_array_size(want));
    for (size_t i = 0; i < json_array_size(want); i++)
        for (size_t side = 0; side < 2; side++)
            assert_string_equal(json_string_value(json_array_get(json_array_get(merges, i), side)),
                                json_string_value(json_array_get(json_array_get(want, i), side)));
    json_decref(got);
}

static void the_vocabulary_is_read_back_and_gives_the_same_ids(void **state)
{
    (void)state;
    train(700, 2);
    gg_tokenizer *t = NULL;
    gg_token_list ids = {.ctx = ctx};
    assert_ok(gg_tokenizer_open_json(&t, ctx, path));
    for (size_t k = 0; k < json_array_size(json_object_get(expected, "ids")); k++) {
        json_t *text = json_array_get(json_object_get(expected, "texts"), k), *want = json_array_get(json_object_get(expected, "ids"), k);
        assert_ok(gg_tokenizer_encode(t, &ids, json_string_value(text), json_string_length(text), 0, 0));
        assert_int_equal(ids.n, json_array_size(want));
        for (int64_t i = 0; i < ids.n; i++)
            assert_int_equal(ids.id[i], json_integer_value(json_array_get(want, (size_t)i)));
        char *back = NULL;
        size_t n;
        assert_ok(gg_tokenizer_decode(t, &back, &n, ids.id, ids.n, false));
        assert_int_equal(n, json_string_length(text));
        assert_memory_equal(back, json_string_value(text), n);
        gg_tokenizer_text_free(ctx, back);
    }
    gg_token_list_free(&ids);
    gg_tokenizer_free(t);
}

static void it_ends_when_nothing_is_frequent_enough(void **state)
{
    (void)state;
    const int64_t few = train(100000, 50), many = train(100000, 1);
    assert_true(few > 257 && few < 500);
    assert_true(many > 700 && many < 100000);
    gg_bpe_trainer *t = NULL;
    int64_t n;
    assert_ok(gg_bpe_trainer_create(&t, ctx));
    assert_int_equal(gg_bpe_trainer_write(t, &n, path, 100, 1, "<|endoftext|>"), GG_EINVAL);
    assert_int_equal(gg_bpe_trainer_add(t, "\xff\xfe", 2), GG_EFORMAT);
    gg_bpe_trainer_free(t);
}

static void characters_are_one_token_each(void **state)
{
    (void)state;
    static const char text[] = "h\xc3\xa9llo, \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80\xf0\x9f\x98\x81 'tis\n\n\xc3\xa8 \xe6\xbc\xaa  x",
                      other[] = "\xc3\xaah!\xe6\xbc\xabx";
    gg_bpe_trainer *b = NULL;
    gg_tokenizer *t = NULL;
    gg_token_list ids = {.ctx = ctx};
    int64_t n = 0, n_characters = 0;
    char *back = NULL;
    size_t n_back;
    for (const char *p = text; *p; p++)
        n_characters += ((unsigned char)*p & 0xc0) != 0x80;
    assert_ok(gg_bpe_trainer_create(&b, ctx));
    assert_ok(gg_bpe_trainer_add(b, text, sizeof text - 1));
    assert_ok(gg_bpe_trainer_write_characters(b, &n, path, "<|endoftext|>"));
    gg_bpe_trainer_free(b);
    assert_ok(gg_tokenizer_open_json(&t, ctx, path));
    assert_int_equal(gg_tokenizer_size(t), n);
    /* the end; 11 of one byte; of the others 15 bytes, 7 characters, and the beginnings e6bc e5ad f09f f09f98 */
    assert_int_equal(n, 1 + 11 + 15 + 7 + 4);
    assert_ok(gg_tokenizer_encode(t, &ids, text, sizeof text - 1, 0, 0));
    assert_int_equal(ids.n, n_characters);
    assert_ok(gg_tokenizer_decode(t, &back, &n_back, ids.id, ids.n, false));
    assert_int_equal(n_back, sizeof text - 1);
    assert_memory_equal(back, text, n_back);
    gg_tokenizer_text_free(ctx, back);
    assert_ok(gg_tokenizer_encode(t, &ids, other, sizeof other - 1, 0, 0)); /* of strangers nothing is left but bytes that others have too */
    assert_ok(gg_tokenizer_decode(t, &back, &n_back, ids.id, ids.n, false));
    assert_non_null(memchr(back, 'h', n_back));
    assert_null(memchr(back, '!', n_back));
    assert_int_equal(back[n_back - 1], 'x');
    gg_tokenizer_text_free(ctx, back);
    gg_token_list_free(&ids);
    gg_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_are_those_of_hugging_face),
        cmocka_unit_test(the_vocabulary_is_read_back_and_gives_the_same_ids),
        cmocka_unit_test(it_ends_when_nothing_is_frequent_enough),
        cmocka_unit_test(characters_are_one_token_each),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
