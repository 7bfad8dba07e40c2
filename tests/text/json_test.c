/* tokenizer.json of many kinds: ids and decoded texts are those of Hugging Face's own library (tests/golden/tokenizerjson). */
#include "support.h"

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 20 }; /* the sanitizers slow this down sixfold */
#else
enum { EVERY = 4 };
#endif
#define CASES GOLDEN "tokenizerjson/cases.jsonl.zst"

typedef struct golden {
    const json_t *texts, *added; /* the texts of a case: the first n_added of these, then all of those */
    json_t *first;
    gg_rows *rows;
} golden;

static golden open_golden(gg_context *ctx)
{
    golden g = {0};
    assert_ok_in(ctx, gg_rows_open(&g.rows, ctx, CASES));
    assert_ok_in(ctx, gg_rows_next(g.rows, &g.first));
    g.texts = json_object_get(g.first, "texts");
    g.added = json_object_get(g.first, "added");
    return g;
}

static void close_golden(golden *g)
{
    json_decref(g->first);
    gg_rows_close(g->rows);
}

static const json_t *text_of(const golden *g, const json_t *row, size_t i)
{
    const size_t n_added = (size_t)json_integer_value(json_object_get(row, "n_added"));
    return i < n_added ? json_array_get(g->added, i) : json_array_get(g->texts, i - n_added);
}

static gg_tokenizer *open_row(gg_context *ctx, const json_t *row)
{
    gg_tokenizer *t = NULL;
    char *s = json_dumps(json_object_get(row, "tokenizer"), JSON_COMPACT);
    const gg_status st = gg_tokenizer_open_json(&t, ctx, write_bytes("tokenizer.json", s, strlen(s)));
    free(s);
    if (st != GG_OK)
        print_error("%s: %s\n", json_string_value(json_object_get(row, "name")), gg_message(ctx));
    return t;
}

/* Number of texts whose ids differ; the first of them is shown. */
static int count_wrong(gg_context *ctx, const gg_tokenizer *t, const golden *g, const json_t *row, const char *key, int flags)
{
    const json_t *all = json_object_get(row, key);
    gg_token_list got = {.ctx = ctx};
    int n_wrong = 0;
    for (size_t i = 0; i < json_array_size(all); i++) {
        int32_t *want;
        const int64_t n = ids_of_json(&want, json_array_get(all, i));
        const json_t *text = text_of(g, row, i);
        assert_ok_in(ctx, gg_tokenizer_encode(t, &got, json_string_value(text), json_string_length(text), 0, flags));
        if (!same_ids(&got, want, n) && n_wrong++ == 0)
            print_error("%s, %s: %s\n", json_string_value(json_object_get(row, "name")), key,
                        difference("", json_string_value(text), json_string_length(text), &got, want, n));
        free(want);
    }
    gg_token_list_free(&got);
    return n_wrong;
}

/* The ids of one key must decode to the texts of another. The published library makes text of what the decoders leave, U+FFFD for broken bytes. */
static int count_wrong_texts(gg_context *ctx, const gg_tokenizer *t, const json_t *row, const char *ids_key, const char *key, bool special)
{
    const json_t *all = json_object_get(row, key), *ids = json_object_get(row, ids_key);
    int n_wrong = 0;
    for (size_t i = 0; i < json_array_size(all); i++) {
        int32_t *id;
        char *text = NULL;
        size_t n_text = 0;
        const int64_t n = ids_of_json(&id, json_array_get(ids, i));
        const json_t *want = json_array_get(all, i);
        assert_ok_in(ctx, gg_tokenizer_decode(t, &text, &n_text, id, n, special));
        char *valid = malloc(3 * n_text + 1);
        size_t n_valid = 0;
        gg_utf8_repair(valid, &n_valid, text, n_text);
        if ((n_valid != json_string_length(want) || memcmp(valid, json_string_value(want), n_valid)) && n_wrong++ == 0) {
            json_t *a = json_stringn(valid, n_valid);
            char *got = json_dumps(a, JSON_ENCODE_ANY | JSON_ENSURE_ASCII), *wanted = json_dumps(want, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
            print_error("%s, %s:\n    %.300s, expected\n    %.300s\n", json_string_value(json_object_get(row, "name")), key, got, wanted);
            json_decref(a);
            free(got);
            free(wanted);
        }
        free(valid);
        free(id);
        gg_tokenizer_text_free(ctx, text);
    }
    return n_wrong;
}

static void every_kind_gives_the_published_ids_and_texts(void **state)
{
    golden g = open_golden(*state);
    json_t *row;
    int n_wrong = 0, n_rows = 0;
    while (gg_rows_next(g.rows, &row) == GG_OK) {
        gg_tokenizer *t = open_row(*state, row);
        if (t) {
            n_wrong += count_wrong(*state, t, &g, row, "ids", GG_TOKENIZE_PARSE_SPECIAL);
            n_wrong += count_wrong(*state, t, &g, row, "around", GG_TOKENIZE_PARSE_SPECIAL | GG_TOKENIZE_SPECIAL);
            n_wrong += count_wrong(*state, t, &g, row, "letters", 0);
            n_wrong += count_wrong_texts(*state, t, row, "ids", "decoded", true);
            n_wrong += count_wrong_texts(*state, t, row, "around", "around_decoded", false);
        } else
            n_wrong++;
        gg_tokenizer_free(t);
        json_decref(row);
        n_rows++;
    }
    close_golden(&g);
    assert_true(n_rows > 90);
    assert_int_equal(n_wrong, 0);
}

/* Through every kind of tokenizer, with and without special tokens. */
static void few_ids_are_those_that_the_whole_text_begins_with(void **state)
{
    golden g = open_golden(*state);
    gg_str text = {.ctx = *state};
    json_t *row;
    const json_t *each;
    size_t i;
    for (int k = 0; k < 1; k++) {
        json_array_foreach(g.added, i, each)
            gg_str_add(&text, json_string_value(each), json_string_length(each));
        json_array_foreach(g.texts, i, each) {
            gg_str_add(&text, json_string_value(each), json_string_length(each));
            gg_str_add(&text, "  ", (size_t)k % 3);
        }
    }
    while (gg_rows_next(g.rows, &row) == GG_OK) {
        gg_tokenizer *t = open_row(*state, row);
        const char *name = json_string_value(json_object_get(row, "name"));
        assert_non_null(t);
        for (int flags = 0; flags < 4; flags++) {
            if (flags % (EVERY / 4) == 0)
                assert_prefixes(*state, t, name, text.data, text.len, flags);
            json_array_foreach(g.added, i, each)
                assert_prefixes(*state, t, name, json_string_value(each), json_string_length(each), flags);
            json_array_foreach(g.texts, i, each)
                if ((i + (size_t)flags) % EVERY == 0)
                    assert_prefixes(*state, t, name, json_string_value(each), json_string_length(each), flags);
        }
        gg_tokenizer_free(t);
        json_decref(row);
    }
    gg_str_free(&text);
    close_golden(&g);
}

/* A vocabulary of characters may have the token "\\u0000", which the library that reads JSON takes in no key; and the noncharacter that stands in for it. */
static void a_token_may_be_the_character_nul(void **state)
{
    static const char json[] = "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 6, \"content\": \"<\\u0000>\", \"special\": false, \"single_word\": false,"
                               " \"lstrip\": false, \"rstrip\": false, \"normalized\": false}], \"normalizer\": null, \"pre_tokenizer\": null,"
                               " \"post_processor\": null, \"decoder\": {\"type\": \"Fuse\"}, \"model\": {\"type\": \"BPE\", \"unk_token\": null,"
                               " \"vocab\": {\"\\u0000\": 0, \"a\": 1, \"b\": 2, \"\\ufdd0\": 3, \"a\\u0000\": 4, \"\\\\\": 5},"
                               " \"merges\": [[\"a\", \"\\u0000\"]]}}";
    static const char text[] = "ab\0a\0\\\xEF\xB7\x90<\0>";
    static const int32_t want[] = {1, 2, 0, 4, 5, 3, 6};
    gg_tokenizer *t = NULL;
    gg_token_list got = {.ctx = *state};
    char *back = NULL;
    size_t n;
    assert_ok_in(*state, gg_tokenizer_open_json(&t, *state, write_bytes("nul.json", json, sizeof json - 1)));
    assert_ok_in(*state, gg_tokenizer_encode(t, &got, text, sizeof text - 1, 0, 0));
    assert_int_equal(got.n, sizeof want / sizeof *want);
    assert_memory_equal(got.id, want, sizeof want);
    assert_memory_equal(gg_tokenizer_piece(t, 4, &n), "a\0", 2);
    assert_int_equal(n, 2);
    assert_ok_in(*state, gg_tokenizer_decode(t, &back, &n, got.id, got.n, true));
    assert_int_equal(n, sizeof text - 1);
    assert_memory_equal(back, text, n);
    gg_tokenizer_text_free(*state, back);
    gg_token_list_free(&got);
    gg_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_may_be_the_character_nul),
        cmocka_unit_test(every_kind_gives_the_published_ids_and_texts),
        cmocka_unit_test(few_ids_are_those_that_the_whole_text_begins_with),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
