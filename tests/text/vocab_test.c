/* Real vocabularies: the ids that the models' own tokenizers give (tests/golden/tokenizers/README.md, tests/golden/nag/README.md). */
#include "support.h"

#define SMOLLM2 "models/SmolLM2-135M-Instruct.Q4_1.gguf"
#define GEMMA3 "models/gemma-3-270m-q4_k_m.gguf"

/* Hard texts, by other independent code. */
static void compare_hostile(gg_context *ctx, gg_tokenizer *t, const char *name)
{
    gg_rows *rows = NULL;
    json_t *row;
    int n_texts = 0;
    assert_ok_in(ctx, gg_rows_open(&rows, ctx, GOLDEN "tokenizers/hostile.jsonl.zst"));
    for (; gg_rows_next(rows, &row) == GG_OK; n_texts++) {
        assert_encodes(ctx, t, name, json_object_get(row, "text"), json_object_get(row, name), 0);
        json_decref(row);
    }
    gg_rows_close(rows);
    assert_true(n_texts > 300);
}

/* One of the vocabularies of llama.cpp: texts with a separator behind each, and a line of ids for each. */
static void compare_vocabulary(gg_context *ctx, const char *name, const char *kind)
{
    static const char behind[] = "\n__ggml_vocab_test__\n";
    char path[128];
    size_t n_in, n_out;
    snprintf(path, sizeof path, GOLDEN "tokenizers/%s.gguf", name);
    gg_tokenizer *t = open_gguf(ctx, path);
    assert_string_equal(gg_tokenizer_kind(t), kind);
    snprintf(path, sizeof path, GOLDEN "tokenizers/%s.gguf.inp", name);
    char *in = read_file(&n_in, path);
    snprintf(path, sizeof path, GOLDEN "tokenizers/%s.gguf.out", name);
    char *out = read_file(&n_out, path);

    int n_texts = 0;
    gg_token_list got = {.ctx = ctx};
    for (const char *s = in, *line = out; *line; n_texts++) {
        const char *end = strstr(s, behind), *next = strchr(line, '\n');
        const size_t n = end ? (size_t)(end - s) : 0;
        int32_t want[512];
        int64_t n_want = 0;
        assert_non_null(next);
        for (char *stop; line < next; line = stop) {
            want[n_want] = (int32_t)strtol(line, &stop, 10);
            if (stop > next || stop == line) /* an empty line: no ids */
                break;
            assert_true(++n_want < 512);
            stop += strspn(stop, " ");
        }
        assert_ok_in(ctx, gg_tokenizer_encode(t, &got, s, n, 0, 0));
        assert_ids(name, s, n, &got, want, n_want);
        assert_prefixes(ctx, t, name, s, n, 0);
        assert_non_null(end);
        s = end + sizeof behind - 1;
        line = next + 1;
    }
    assert_int_equal(n_texts, 46);
    gg_token_list_free(&got);
    free(in);
    free(out);
    compare_hostile(ctx, t, name);
    gg_tokenizer_free(t);
}

static void bert_wordpiece_agrees(void **state) { compare_vocabulary(*state, "bert-bge", "wordpiece"); }
static void gpt2_byte_level_agrees(void **state) { compare_vocabulary(*state, "gpt-2", "bpe gpt-2"); }
static void llama_sentencepiece_agrees(void **state) { compare_vocabulary(*state, "llama-spm", "spm"); }

/* --- real models, where they are at hand ------------------------------------------------------------------------------ */

/* One of them spells a special token, "<filename>", which the published code reads as that token. */
static void smollm2_agrees_on_every_document(void **state)
{
    gg_rows *rows = NULL;
    json_t *row;
    int n_texts = 0;
    if (access(SMOLLM2, R_OK) != 0)
        skip();
    gg_tokenizer *t = open_gguf(*state, SMOLLM2);
    assert_string_equal(gg_tokenizer_kind(t), "bpe smollm");
    gg_token_list got = {.ctx = *state};
    assert_ok_in(*state, gg_rows_open(&rows, *state, GOLDEN "nag/docs.jsonl.zst"));
    while (gg_rows_next(rows, &row) == GG_OK) {
        const json_t *text = json_object_get(row, "doc");
        if (text) {
            int32_t *want;
            const int64_t n = ids_of_json(&want, json_object_get(row, "tokens"));
            const char *docid = json_string_value(json_object_get(row, "docid"));
            assert_ok_in(*state, gg_tokenizer_encode(t, &got, json_string_value(text), json_string_length(text), 120, GG_TOKENIZE_PARSE_SPECIAL));
            assert_ids(docid, json_string_value(text), json_string_length(text), &got, want, n);
            assert_ok_in(*state, gg_tokenizer_encode(t, &got, json_string_value(text), json_string_length(text), 0, GG_TOKENIZE_PARSE_SPECIAL));
            got.n = got.n < 120 ? got.n : 120;
            assert_ids(docid, json_string_value(text), json_string_length(text), &got, want, n);
            free(want);
            n_texts++;
        }
        json_decref(row);
    }
    gg_rows_close(rows);
    assert_int_equal(n_texts, 157); /* the texts of the other 43, French and German manual pages, are under the GPL and not here */
    gg_token_list_free(&got);
    gg_tokenizer_free(t);
}

/* The texts are among the documents of the NAG results; the ids have the special tokens in front that the model expects. */
static void compare_beginnings(gg_context *ctx, const char *model, const char *golden)
{
    char docid[64];
    int n, n_texts = 0;
    double nll;
    if (access(model, R_OK) != 0)
        skip();
    gg_tokenizer *t = open_gguf(ctx, model);
    gg_token_list got = {.ctx = ctx};
    FILE *f = fopen(golden, "r");
    assert_non_null(f);
    while (fscanf(f, "%63s %d %lf", docid, &n, &nll) == 3) {
        int32_t want[5 + 128];
        gg_rows *rows = NULL;
        json_t *row;
        assert_in_range(n, 2, 128);
        for (int i = 0; i < 5 + n; i++) /* five predictions, then the ids */
            assert_int_equal(fscanf(f, "%d", &want[i]), 1);
        assert_ok_in(ctx, gg_rows_open(&rows, ctx, GOLDEN "nag/docs.jsonl.zst"));
        while (gg_rows_next(rows, &row) == GG_OK) {
            if (strcmp(json_string_value(json_object_get(row, "docid")), docid) == 0) {
                const json_t *text = json_object_get(row, "doc");
                assert_ok_in(ctx, gg_tokenizer_encode(t, &got, json_string_value(text), json_string_length(text), n, GG_TOKENIZE_SPECIAL));
                assert_ids(docid, json_string_value(text), json_string_length(text), &got, want + 5, n);
                n_texts++;
            }
            json_decref(row);
        }
        gg_rows_close(rows);
    }
    fclose(f);
    assert_int_equal(n_texts, 9);
    gg_token_list_free(&got);
    gg_tokenizer_free(t);
}

static void smollm2_agrees_on_beginnings(void **state) { compare_beginnings(*state, SMOLLM2, GOLDEN "forward/smollm2.txt"); }
static void gemma3_agrees_on_beginnings(void **state) { compare_beginnings(*state, GEMMA3, GOLDEN "forward/gemma3.txt"); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_wordpiece_agrees),
        cmocka_unit_test(gpt2_byte_level_agrees),
        cmocka_unit_test(llama_sentencepiece_agrees),
        cmocka_unit_test(smollm2_agrees_on_every_document),
        cmocka_unit_test(smollm2_agrees_on_beginnings),
        cmocka_unit_test(gemma3_agrees_on_beginnings),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
