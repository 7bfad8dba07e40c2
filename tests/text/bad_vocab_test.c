/* Damaged and unsupported vocabularies: which file, what and where; nothing is left behind. */
#include "support.h"
#include "base/file.h"

/* --- tokenizer.json -------------------------------------------------------------------------------------------------- */

static const char bpe[] =
    "{\"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true}],\n"
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"},\n"
    "  {\"type\": \"Replace\", \"pattern\": {\"String\": \"q\"}, \"content\": \"a\"}]},\n"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a-c]+|x\"},"
    " \"behavior\": \"Isolated\"},\n"
    "  {\"type\": \"Metaspace\", \"prepend_scheme\": \"never\"}]},\n"
    " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}],\n"
    "  \"special_tokens\": {\"<s>\": {\"ids\": [6]}}},\n"
    " \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": 1}]},\n"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": \"u\", \"dropout\": null, \"continuing_subword_prefix\": \"\",\n"
    "  \"vocab\": {\"u\": 0, \"a\": 1, \"b\": 2, \"c\": 3, \"ab\": 4, \"abc\": 5},\n"
    "  \"merges\": [\"a b\", [\"ab\", \"c\"]]}}\n";
static const char unigram[] =
    "{\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"CAAAAAAAAAAAAAAA\"},\n"
    " \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"u\", 0], [\"a\", -1.5], [\"b\", -2]]}}\n";
static const char wordpiece[] =
    "{\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 2], \"cls\": [\"[CLS]\", 1]},\n"
    " \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"max_input_chars_per_word\": 100,\n"
    "  \"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"a\": 3}}}\n";

/* A copy of `base` with the first `from` become `to`. */
static const char *edited(const char *base, const char *from, const char *to)
{
    static char text[8192];
    const char *at = strstr(base, from);
    if (!at)
        fail_msg("the file has no %s", from);
    const int n = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - base), base, to, at + strlen(from));
    return write_bytes("tokenizer.json", text, (size_t)n);
}

/* What opening gave is this status, with a tokenizer only where it is GG_OK and else with a message that names the file and says both. */
static void assert_refused(gg_context *ctx, const gg_tokenizer *t, gg_status s, gg_status want, const char *path, const char *says, const char *says_too)
{
    if (s != want)
        fail_msg("%s: %s, expected %s: %s", says, gg_status_name(s), gg_status_name(want), s == GG_OK ? "" : gg_message(ctx));
    assert_true((t != NULL) == (s == GG_OK));
    if (s != GG_OK) {
        assert_text_has(gg_message(ctx), path);
        assert_text_has(gg_message(ctx), says);
        assert_text_has(gg_message(ctx), says_too);
    }
}

static void sound_files_open(void **state)
{
    static const char *const all[] = {bpe, unigram, wordpiece};
    for (int i = 0; i < 3; i++)
        gg_tokenizer_free(open_json(*state, write_bytes("tokenizer.json", all[i], strlen(all[i]))));
}

#define PATTERN "{\"Regex\": \"[a-c]+|x\"}"

static void what_is_wrong_with_a_json_is_named(void **state)
{
    static const struct {
        const char *base, *from, *to;
        gg_status status;
        const char *says, *says_too;
    } table[] = {
        {bpe, "\"decoder\": {", "\"decoder\" {", GG_EFORMAT, ".json:8:", ""},
        {bpe, "]]}}\n", "]]}", GG_EFORMAT, ".json:11:", ""},
        {bpe, "\"model\"", "\"modle\"", GG_EFORMAT, "no model", "not a tokenizer.json"},
        {bpe, "\"vocab\"", "\"x\"", GG_EFORMAT, "no model with a vocab", ""},
        {bpe, "\"BPE\"", "\"WordLevel\"", GG_EUNSUPPORTED, "tokenizer model 'WordLevel'", ""},
        {bpe, "\"BPE\"", "\"Unigram\"", GG_EFORMAT, "vocab of a Unigram model must be a list", ""},
        {unigram, "\"Unigram\"", "\"BPE\"", GG_EFORMAT, "vocab of a BPE model must be an object", ""},
        {bpe, "\"b\": 2", "\"b\": -2", GG_EFORMAT, "token 'b' has no id", ""},
        {bpe, "\"b\": 2", "\"b\": \"2\"", GG_EFORMAT, "token 'b' has no id", ""},
        {bpe, "\"b\": 2", "\"b\": 2147483647", GG_EFORMAT, "token 'b' has no id", "2^31"},
        {bpe, "\"b\": 2", "\"b\": 2000000", GG_EFORMAT, "largest token id is 2000000", "only 7 tokens"},
        {bpe, "\"b\": 2", "\"b\": 2.5", GG_EFORMAT, "token 'b' has no id", ""},
        {bpe, "\"id\": 6", "\"id\": -6", GG_EFORMAT, "added token 0", ""},
        {bpe, "\"content\": \"<s>\"", "\"content\": 7", GG_EFORMAT, "added token 0", ""},
        {bpe, "\"a b\"", "\"ab\"", GG_EFORMAT, "merge 0 is not two texts", ""},
        {bpe, "[\"ab\", \"c\"]", "[\"ab\"]", GG_EFORMAT, "merge 1 is not two texts", ""},
        {bpe, "[\"ab\", \"c\"]", "17", GG_EFORMAT, "merge 1 is not two texts", ""},
        {bpe, "[\"ab\", \"c\"]", "[\"bb\", \"c\"]", GG_EFORMAT, "merge 1 'bb' 'c': its left side is not in the vocabulary", ""},
        {bpe, "[\"ab\", \"c\"]", "[\"ab\", \"d\"]", GG_EFORMAT, "merge 1 'ab' 'd': its right side is not in the vocabulary", ""},
        {bpe, "[\"ab\", \"c\"]", "[\"c\", \"c\"]", GG_EFORMAT, "merge 1 'c' 'c': what it gives is not in the vocabulary", ""},
        {bpe, "\"unk_token\": \"u\"", "\"unk_token\": \"v\"", GG_EFORMAT, "unk_token 'v' is not in the vocabulary", ""},
        {bpe, "\"dropout\": null", "\"dropout\": 0.1", GG_EUNSUPPORTED, "dropout", ""},
        {bpe, "\"continuing_subword_prefix\": \"\"",
         "\"continuing_subword_prefix\": \"123456789012345678901234567890123\"", GG_EUNSUPPORTED, "more than 32 bytes", ""},
        {bpe, "\"NFC\"", "\"NFX\"", GG_EUNSUPPORTED, "normalizer 'NFX'", ""},
        {bpe, "{\"type\": \"NFC\"}", "{\"kind\": \"NFC\"}", GG_EUNSUPPORTED, "normalizer '(without a type)'", ""},
        {bpe, "{\"String\": \"q\"}", "{\"Text\": \"q\"}", GG_EFORMAT, "neither a String nor a Regex", ""},
        {bpe, "{\"String\": \"q\"}", "{\"Regex\": \"(q\"}", GG_EUNSUPPORTED, "'(q' is not readable", "parenthesis"},
        {bpe, "\"Split\"", "\"UnicodeScripts\"", GG_EUNSUPPORTED, "pre_tokenizer 'UnicodeScripts'", ""},
        {bpe, PATTERN, "{\"Regex\": \"[a-c\"}", GG_EUNSUPPORTED, "'[a-c' is not readable", ""},
        {bpe, PATTERN, "{\"Regex\": \"a\\\\hb\"}", GG_EUNSUPPORTED, "uses \\h (byte 1)", ""},
        {bpe, PATTERN, "{\"Regex\": \"[a-z&&[^x]]\"}", GG_EUNSUPPORTED, "intersection", "byte 4"},
        {bpe, PATTERN, "{\"Regex\": \"[a[bc]]\"}", GG_EUNSUPPORTED, "a class inside [ ]", "byte 2"},
        {bpe, PATTERN, "{\"Regex\": \"[\\\\W]\"}", GG_EUNSUPPORTED, "\\W inside [ ]", ""},
        {bpe, PATTERN, "{\"Regex\": \"[[:graph:]]\"}", GG_EUNSUPPORTED, "an unknown [: :]", "byte 1"},
        {bpe, PATTERN, "{\"Regex\": \"[[:alpha\"}", GG_EUNSUPPORTED, "an unknown [: :]", ""},
        {bpe, PATTERN, "{\"Regex\": \"(?m:a.)\"}", GG_EUNSUPPORTED, "group option", ""},
        {bpe, PATTERN, "{\"Regex\": \"(?<name>a)\"}", GG_EUNSUPPORTED, "group option", ""},
        {bpe, PATTERN, "{\"Regex\": \"\\\\u00\"}", GG_EUNSUPPORTED, "a broken \\u", ""},
        {bpe, PATTERN, "{\"Regex\": \"\\\\bword\"}", GG_EUNSUPPORTED, "uses \\b", ""},
        {bpe, PATTERN, "[1]", GG_EFORMAT, "neither a String nor a Regex", ""},
        {bpe, "\"Isolated\"", "\"Isolate\"", GG_EUNSUPPORTED, "split behavior 'Isolate'", ""},
        {bpe, "\"never\"", "\"sometimes\"", GG_EUNSUPPORTED, "prepend_scheme 'sometimes'", ""},
        {bpe, "\"TemplateProcessing\"", "\"Template\"", GG_EUNSUPPORTED, "post_processor 'Template'", ""},
        {bpe, "\"special_tokens\": {\"<s>\"", "\"special_tokens\": {\"<t>\"", GG_EFORMAT, "template names '<s>'", ""},
        {bpe, "\"ids\": [6]", "\"ids\": [7]", GG_EFORMAT, "token id 7", "ids 0 to 6"},
        {bpe, "\"ids\": [6]", "\"ids\": [-1]", GG_EFORMAT, "token id -1", ""},
        {bpe, "\"ids\": [6]", "\"ids\": [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", GG_EUNSUPPORTED, "more than 16 special tokens", ""},
        {bpe, ", {\"Sequence\": {\"id\": \"A\"}}", "", GG_EFORMAT, "no place for the text", ""},
        {bpe, "{\"Sequence\": {\"id\": \"A\"}}", "{\"Sequence\": {\"id\": \"A\"}}, {\"Sequence\": {\"id\": \"A\"}}", GG_EUNSUPPORTED, "around one text", ""},
        {bpe, "\"Fuse\"", "\"CTC\"", GG_EUNSUPPORTED, "decoder 'CTC'", ""},
        {bpe, "{\"type\": \"Fuse\"}",
         "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x\"}, \"content\": \"\"}", GG_EUNSUPPORTED, "Replace with a regular expression", ""},
        {unigram, "[\"a\", -1.5]", "[\"a\"]", GG_EFORMAT, "vocabulary entry 1 is not [text, score]", ""},
        {unigram, "[\"a\", -1.5]", "[1, -1.5]", GG_EFORMAT, "vocabulary entry 1 is not [text, score]", ""},
        {unigram, "[\"a\", -1.5]", "\"a\"", GG_EFORMAT, "vocabulary entry 1 is not [text, score]", ""},
        {unigram, "\"unk_id\": 0", "\"unk_id\": 3", GG_EFORMAT, "unk_id 3", ""},
        {unigram, "\"unk_id\": 0", "\"unk_id\": -1", GG_EFORMAT, "unk_id -1", ""},
        {unigram, "CAAAAAAAAAAAAAAA", "CAA*AAAA", GG_EFORMAT, "no base64 (character 4)", ""},
        {unigram, "CAAAAAAAAAAAAAAA", "gAAAAAAAAAAAAAAA", GG_EFORMAT, "has 12 bytes and names a table of 128", ""},
        {unigram, "CAAAAAAAAAAAAAAA", "CAA=", GG_EFORMAT, "character map has", ""},
        {unigram, "\"precompiled_charsmap\": \"CAAAAAAAAAAAAAAA\"", "\"x\": 1", GG_EFORMAT, "without precompiled_charsmap", ""},
        {wordpiece, "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[X]\"", GG_EFORMAT, "unk_token '[X]'", ""},
        {wordpiece, "[\"[SEP]\", 2]", "[\"[SEP]\", 4]", GG_EFORMAT, "token id 4", ""},
        {wordpiece, "[\"[CLS]\", 1]", "[\"[CLS]\"]", GG_EFORMAT, "post_processor", ""},
        {wordpiece, "\"[SEP]\", 2]", "\"[SEP]\", \"2\"]", GG_EFORMAT, "post_processor", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_tokenizer *t = NULL;
        const char *path = edited(table[i].base, table[i].from, table[i].to);
        const gg_status s = gg_tokenizer_open_json(&t, *state, path);
        assert_refused(*state, t, s, table[i].status, path, table[i].says, table[i].says_too);
    }
}

/* No shorter file is taken for the whole one. */
static void a_json_cut_short_is_refused(void **state)
{
    static const char *const all[] = {bpe, unigram, wordpiece};
    for (int i = 0; i < 3; i++)
        for (size_t n = 0; n + 2 < strlen(all[i]); n++) {
            gg_tokenizer *t = NULL;
            assert_int_equal(gg_tokenizer_open_json(&t, *state, write_bytes("tokenizer.json", all[i], n)), GG_EFORMAT);
            assert_text_has(gg_message(*state), "tokenizer.json:");
        }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    gg_tokenizer *t = NULL;
    assert_int_equal(gg_tokenizer_open_json(&t, *state, "/tmp/absent/tokenizer.json"), GG_ENOENT);
    assert_text_has(gg_message(*state), "/tmp/absent/tokenizer.json");
}

static void a_broken_tokenizer_config_is_named(void **state)
{
    gg_tokenizer *t = NULL;
    static const char sound[] = "{\"bos_token\": {\"content\": \"ab\"},\n \"eos_token\": \"abc\"}",
        broken[] = "{\"bos_token\": {\"content\": \"ab\"},\n \"eos_token\"}";
    write_bytes("tokenizer_config.json", sound, sizeof sound - 1);
    t = open_json(*state, write_bytes("tokenizer.json", bpe, strlen(bpe)));
    assert_int_equal(gg_tokenizer_bos(t), 4);
    assert_int_equal(gg_tokenizer_eos(t), 5);
    gg_tokenizer_free(t);
    t = NULL;
    write_bytes("tokenizer_config.json", broken, sizeof broken - 1);
    assert_int_equal(gg_tokenizer_open_json(&t, *state, at("tokenizer.json")), GG_EFORMAT);
    assert_text_has(gg_message(*state), "tokenizer_config.json:2:");
    assert_null(t);
    unlink(at("tokenizer_config.json"));
    t = open_json(*state, at("tokenizer.json"));
    assert_int_equal(gg_tokenizer_bos(t), 6); /* what the post-processor puts in front */
    assert_int_equal(gg_tokenizer_eos(t), -1);
    gg_tokenizer_free(t);
}

/* --- GGUF ------------------------------------------------------------------------------------------------------------ */

typedef struct parts {
    const char *model, *pre;
    const char *const *tokens, *const *merges;
    int n_tokens, n_merges, n_types, n_scores; /* -1: the key is absent */
    bool numbers;                              /* the tokens are numbers */
} parts;

static const char *write_parts(const parts *p)
{
    static const int32_t types[8] = {1, 1, 1, 1, 1, 1, 1, 1}, numbers[8] = {0};
    static const float scores[8] = {-1, -2, -3, -4, -5, -6, -7, -8};
    gguf g = {0};
    gguf_text(&g, "general.name", "broken");
    if (p->model)
        gguf_text(&g, "tokenizer.ggml.model", p->model);
    if (p->pre)
        gguf_text(&g, "tokenizer.ggml.pre", p->pre);
    if (p->numbers)
        gguf_words(&g, "tokenizer.ggml.tokens", GGUF_I32, numbers, p->n_tokens);
    else if (p->n_tokens >= 0)
        gguf_texts(&g, "tokenizer.ggml.tokens", p->tokens, NULL, p->n_tokens);
    if (p->n_merges >= 0)
        gguf_texts(&g, "tokenizer.ggml.merges", p->merges, NULL, p->n_merges);
    if (p->n_types >= 0)
        gguf_words(&g, "tokenizer.ggml.token_type", GGUF_I32, types, p->n_types);
    if (p->n_scores >= 0)
        gguf_words(&g, "tokenizer.ggml.scores", GGUF_F32, scores, p->n_scores);
    return gguf_write(&g);
}

static void what_is_wrong_with_a_gguf_is_named(void **state)
{
    static const char *const tokens[] = {"a", "b", "ab", "c"};
    static const char *const good[] = {"a b"}, *const no_space[] = {"ab"}, *const left[] = {"x b"}, *const right[] = {"a x"}, *const result[] = {"b a"},
        *const second[] = {"a b", "ab ab"};
    static const struct {
        parts p;
        gg_status status;
        const char *says, *says_too;
    } table[] = {
        {{"gpt2", "gpt-2", tokens, good, 4, 1, 4, -1, false}, GG_OK, "", ""},
        {{"llama", NULL, tokens, good, 4, -1, 4, 4, false}, GG_OK, "", ""},
        {{"t5", NULL, tokens, good, 4, -1, -1, 4, false}, GG_OK, "", ""},
        {{"bert", NULL, tokens, good, 4, -1, 4, -1, false}, GG_OK, "", ""},
        {{NULL, "gpt-2", tokens, good, 4, 1, 4, -1, false}, GG_ENOENT, "carries no tokenizer", "tokenizer.ggml.model"},
        {{"rwkv", "gpt-2", tokens, good, 4, 1, 4, -1, false}, GG_EUNSUPPORTED, "tokenizer kind 'rwkv'", "gpt2, llama, t5, bert"},
        {{"gpt2", "gpt-2", tokens, good, -1, 1, 4, -1, false}, GG_EFORMAT, "no vocabulary", "tokenizer.ggml.tokens"},
        {{"gpt2", "gpt-2", tokens, good, 0, 1, 0, -1, false}, GG_EFORMAT, "no vocabulary", ""},
        {{"gpt2", "gpt-2", tokens, good, 4, 1, 4, -1, true}, GG_EFORMAT, "tokenizer.ggml.tokens[0] is not a text", ""},
        {{"gpt2", "gpt-2", tokens, good, 4, 1, 3, -1, false}, GG_EFORMAT, "4 tokens but 3 token types", ""},
        {{"gpt2", "gpt-2", tokens, good, 4, -1, 4, -1, false}, GG_EFORMAT, "no merges", "tokenizer.ggml.merges"},
        {{"gpt2", "gpt-2", tokens, no_space, 4, 1, 4, -1, false}, GG_EFORMAT, "tokenizer.ggml.merges[0] is not two texts", ""},
        {{"gpt2", "gpt-2", tokens, left, 4, 1, 4, -1, false}, GG_EFORMAT, "merges[0] 'x b': its left side", ""},
        {{"gpt2", "gpt-2", tokens, right, 4, 1, 4, -1, false}, GG_EFORMAT, "merges[0] 'a x': its right side", ""},
        {{"gpt2", "gpt-2", tokens, result, 4, 1, 4, -1, false}, GG_EFORMAT, "merges[0] 'b a': what it gives", ""},
        {{"gpt2", "gpt-2", tokens, second, 4, 2, 4, -1, false}, GG_EFORMAT, "merges[1] 'ab ab': what it gives", ""},
        {{"llama", NULL, tokens, good, 4, -1, 4, -1, false}, GG_EFORMAT, "4 tokens but 0 scores", "tokenizer.ggml.scores"},
        {{"llama", NULL, tokens, good, 4, -1, 4, 5, false}, GG_EFORMAT, "4 tokens but 5 scores", ""},
        {{"t5", NULL, tokens, good, 4, -1, 4, 3, false}, GG_EFORMAT, "4 tokens but 3 scores", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_tensors *m = NULL;
        gg_tokenizer *t = NULL;
        const char *path = write_parts(&table[i].p);
        assert_ok_in(*state, gg_tensors_open(&m, *state, path));
        const gg_status s = gg_tokenizer_open(&t, *state, m);
        assert_refused(*state, t, s, table[i].status, path, table[i].says, table[i].says_too);
        gg_tokenizer_free(t);
        gg_tensors_free(m);
    }
}

/* --- any damage ------------------------------------------------------------------------------------------------------ */

/* Bytes are changed at random: what still opens must still encode and decode, what does not must say why (the sanitizers watch). */
static void any_damage_is_survived(void **state)
{
    static const char *const files[] = {GOLDEN "sentencepiece/unigram.gguf", GOLDEN "sentencepiece/bpe-no-prefix.gguf", "tokenizer.json", "tokenizer.json",
                                        "tokenizer.json"};
    static const char *const all[] = {bpe, unigram, wordpiece};
    static const char text[] = " abc <s> Hello \xE6\x97\xA5 caf\xC3\xA9 \xCC\x81\xFF\n  12 u qq";
    int n_open = 0, n_refused = 0;
    state_of_random = 0xD1B54A32D192ED03u;
    for (int k = 0; k < 1500; k++) {
        const int f = k % 5;
        size_t n = 0;
        char *s = NULL;
        if (f < 2)
            s = read_file(&n, files[f]);
        else {
            s = strdup(all[f - 2]);
            n = strlen(s);
        }
        for (int i = (int)rnd(4); i >= 0; i--)
            s[rnd(2) ? rnd((uint32_t)n) : rnd(n < 400 ? (uint32_t)n : 400)] = rnd(2) ? (char)rnd(256) : "0-9\"[]{}:,\\x\xE6"[rnd(13)];
        const char *path = write_bytes(f < 2 ? "vocab.gguf" : "tokenizer.json", s, n);
        gg_tensors *m = NULL;
        gg_tokenizer *t = NULL;
        gg_status st;
        if (f < 2) {
            st = gg_tensors_open(&m, *state, path);
            if (st == GG_OK)
                st = gg_tokenizer_open(&t, *state, m);
            gg_tensors_free(m);
        } else
            st = gg_tokenizer_open_json(&t, *state, path);
        if (st != GG_OK) {
            assert_true(st == GG_EFORMAT || st == GG_EUNSUPPORTED || st == GG_ENOENT || st == GG_ENOMEM);
            assert_text_has(gg_message(*state), path);
            n_refused++;
        } else {
            gg_token_list ids = {.ctx = *state};
            char *back = NULL;
            size_t n_back = 0;
            for (int max = 0; max < 20; max += 3)
                assert_ok_in(*state, gg_tokenizer_encode(t, &ids, text, sizeof text - 1, max, (int)rnd(4)));
            assert_ok_in(*state, gg_tokenizer_decode(t, &back, &n_back, ids.id, ids.n, rnd(2)));
            gg_tokenizer_text_free(*state, back);
            gg_token_list_free(&ids);
            gg_tokenizer_free(t);
            n_open++;
        }
        free(s);
    }
    assert_true(n_open > 100 && n_refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_files_open),
        cmocka_unit_test(what_is_wrong_with_a_json_is_named),
        cmocka_unit_test(a_json_cut_short_is_refused),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_broken_tokenizer_config_is_named),
        cmocka_unit_test(what_is_wrong_with_a_gguf_is_named),
        cmocka_unit_test(any_damage_is_survived),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
