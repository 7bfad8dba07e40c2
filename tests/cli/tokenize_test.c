/* golgi tokenize, run as a person would: the ids of real vocabularies, in all forms of output, from files, standard input and odd bytes. */
#include "cli/program.h"
#include <golgi/golgi.h>

#define VOCABS "tests/golden/tokenizers/"

/* Each sixth text of the three vocabularies, as a file. */
static void the_ids_are_those_of_the_models_own_tokenizers(void **state)
{
    (void)state;
    static const char *const names[] = {"bert-bge", "gpt-2", "llama-spm"}, behind[] = "\n__ggml_vocab_test__\n";
    static char in[1 << 14], out[1 << 14];
    for (int v = 0; v < 3; v++) {
        char path[128], words[256];
        snprintf(path, sizeof path, VOCABS "%s.gguf.inp", names[v]);
        slurp(in, sizeof in, path);
        snprintf(path, sizeof path, VOCABS "%s.gguf.out", names[v]);
        slurp(out, sizeof out, path);
        snprintf(words, sizeof words, "tokenize --model " VOCABS "%s.gguf $D/one.txt", names[v]);
        int n = 0;
        for (char *text = in, *line = out, *end; (end = strstr(text, behind)); text = end + sizeof behind - 1, n++) {
            char *next = strchr(line, '\n') + 1;
            if (n % 6 == v) {
                put_file(D, "one.txt", text, (size_t)(end - text));
                must(words);
                assert_string_equal(s.err, "");
                char want[8192];
                line += *line == ' ';
                snprintf(want, sizeof want, "%.*s", (int)(next - line), line);
                assert_string_equal(s.out, want);
            }
            line = next;
        }
        assert_int_equal(n, 46);
    }
}

static void special_tokens_are_added_when_asked(void **state)
{
    (void)state;
    put_text(D, "hello.txt", "Hello world");
    must("tokenize --model " VOCABS "bert-bge.gguf $D/hello.txt");
    assert_string_equal(s.out, "7592 2088\n");
    must("tokenize --special --model " VOCABS "bert-bge.gguf $D/hello.txt");
    assert_string_equal(s.out, "101 7592 2088 102\n");
    must("tokenize --special --model " VOCABS "llama-spm.gguf $D/hello.txt");
    assert_string_equal(s.out, "1 15043 3186\n");
    must("tokenize --special --model " VOCABS "gpt-2.gguf $D/hello.txt");
    assert_string_equal(s.out, "15496 995\n");
    must("tokenize --special --model " VOCABS "llama-spm.gguf --pieces $D/hello.txt");
    assert_string_equal(s.out, "       1  \"<s>\"\n   15043  \"\xE2\x96\x81Hello\"\n    3186  \"\xE2\x96\x81world\"\n");
}

static void json_has_ids_and_pieces(void **state)
{
    (void)state;
    put_text(D, "hello.txt", "say \"caf\xC3\xA9\"\n");
    must("tokenize --json --model " VOCABS "gpt-2.gguf $D/hello.txt");
    json_t *j = json_said();
    assert_int_equal(json_integer_value(json_object_get(j, "n_tokens")), json_array_size(json_object_get(j, "ids")));
    assert_int_equal(json_integer_value(json_object_get(j, "n_repaired")), 0);
    assert_null(json_object_get(j, "pieces"));
    json_decref(j);
    must("tokenize --json --pieces --model " VOCABS "gpt-2.gguf $D/hello.txt");
    j = json_said();
    const json_t *pieces = json_object_get(j, "pieces");
    assert_int_equal(json_array_size(pieces), json_array_size(json_object_get(j, "ids")));
    assert_string_equal(json_string_value(json_array_get(pieces, 0)), "say");
    assert_string_equal(json_string_value(json_array_get(pieces, 1)), "\xC4\xA0\"");
    json_decref(j);
}

static void standard_input_is_a_text_too(void **state)
{
    (void)state;
    run_line(&s, D, "printf 'Hello world' | $G tokenize --model " VOCABS "gpt-2.gguf -");
    assert_int_equal(s.code, 0);
    assert_string_equal(s.out, "15496 995\n");
}

/* NUL is a character; what is no UTF-8 is U+FFFD, and the person is told how often. */
static void odd_bytes_are_read_and_counted(void **state)
{
    (void)state;
    put_file(D, "nul.txt", "a\0b", 3);
    must("tokenize --model " VOCABS "gpt-2.gguf $D/nul.txt");
    assert_string_equal(s.out, "64 188 65\n");
    put_file(D, "bad.txt", "a\xFF" "b\xE2\x82" "c", 6);
    put_text(D, "good.txt", "a\xEF\xBF\xBD" "b\xEF\xBF\xBD" "c");
    static struct said good;
    run(&good, D, "tokenize --model " VOCABS "gpt-2.gguf $D/good.txt");
    must("tokenize --model " VOCABS "gpt-2.gguf $D/bad.txt");
    assert_string_equal(s.out, good.out);
    assert_non_null(strstr(s.err, "bad.txt: 2 places were not UTF-8"));
    assert_string_equal(good.err, "");
    must("tokenize --json --model " VOCABS "gpt-2.gguf $D/bad.txt");
    assert_non_null(strstr(s.out, "\"n_repaired\": 2"));
    put_text(D, "empty.txt", "");
    must("tokenize --model " VOCABS "gpt-2.gguf $D/empty.txt");
    assert_string_equal(s.out, "\n");
}

static void a_tokenizer_json_needs_no_model(void **state)
{
    (void)state;
    put_text(D, "tokenizer.json", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}}");
    put_text(D, "ab.txt", "abba");
    must("tokenize --model $D/tokenizer.json $D/ab.txt");
    assert_string_equal(s.out, "2 1 0\n");
    must("tokenize --model $D $D/ab.txt");
    assert_string_equal(s.out, "2 1 0\n");
    must("tokenize --model $D/ $D/ab.txt");
    assert_string_equal(s.out, "2 1 0\n");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int code;
        const char *says;
    } table[] = {
        {"tokenize --model " VOCABS "gpt-2.gguf $D/absent.txt", 1, "absent.txt"},
        {"tokenize --model $D/absent.gguf $D/ab.txt", 1, "absent.gguf"},
        {"tokenize --model $D/broken/tokenizer.json $D/ab.txt", 1, "broken/tokenizer.json:1:9: "},
        {"tokenize --model tests/golden/tensors/all.gguf $D/ab.txt", 1, "tokenizer"},
        {"tokenize --model " VOCABS "gpt-2.gguf.inp $D/ab.txt", 1, "gpt-2.gguf.inp"},
        {"tokenize $D/ab.txt", 2, "--model"},
        {"tokenize --model " VOCABS "gpt-2.gguf", 2, "FILE"},
        {"tokenize --model " VOCABS "gpt-2.gguf --peaces $D/ab.txt", 2, "--pieces"},
    };
    run_line(&s, D, "mkdir $D/broken && printf '{\"model\"' >$D/broken/tokenizer.json");
    assert_int_equal(s.code, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        run(&s, D, table[i].words);
        if (s.code != table[i].code || !strstr(s.err, table[i].says) || !strstr(s.err, "golgi: tokenize: "))
            fail_msg("golgi %s: exit %d, expected %d: %s, expected \"%s\"", table[i].words, s.code, table[i].code, s.err, table[i].says);
        assert_string_equal(s.out, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ids_are_those_of_the_models_own_tokenizers),
        cmocka_unit_test(special_tokens_are_added_when_asked),
        cmocka_unit_test(json_has_ids_and_pieces),
        cmocka_unit_test(standard_input_is_a_text_too),
        cmocka_unit_test(odd_bytes_are_read_and_counted),
        cmocka_unit_test(a_tokenizer_json_needs_no_model),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, prepare_folder, tidy);
}
