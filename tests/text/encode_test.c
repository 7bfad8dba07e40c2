/* What holds for every tokenizer: special tokens around a text, ids that decode to the text they came from, texts that are no UTF-8, texts of any size
 * in bounded memory, failing allocations. */
#include "support.h"
#include "text/text.h"
#include <pthread.h>

static const char *const gguf_files[] = {GOLDEN "tokenizers/gpt-2.gguf", GOLDEN "tokenizers/llama-spm.gguf", GOLDEN "tokenizers/bert-bge.gguf",
                                         GOLDEN "sentencepiece/unigram.gguf", GOLDEN "sentencepiece/bpe-no-prefix.gguf",
                                         GOLDEN "sentencepiece/unigram-bytes.gguf"};

/* A small byte-level vocabulary: 256 bytes, a few merges, special tokens 260 (control), 261 (user-defined). */
static const char *write_small(const char *pre, int add_bos, int add_eos) /* -1: the file does not say */
{
    static char text[262][16];
    const char *all[262];
    static const char *const merged[] = {"\xC4\xA0t", "he", "\xC4\xA0the", "in"}, *const merges[] = {"\xC4\xA0 t", "h e", "\xC4\xA0t he", "i n"};
    int32_t type[262];
    gguf g = {0};
    for (int i = 0; i < 262; i++) {
        if (i < 256)
            text[i][gg__utf8_put(text[i], gg__byte_char((uint8_t)i))] = 0;
        else
            strcpy(text[i], i < 260 ? merged[i - 256] : i == 260 ? "<|end|>" : "<|us\xC3\xA9r|>");
        all[i] = text[i];
        type[i] = i < 260 ? GG__TYPE_NORMAL : i == 260 ? GG__TYPE_CONTROL : GG__TYPE_USER;
    }
    gguf_text(&g, "tokenizer.ggml.model", "gpt2");
    gguf_text(&g, "tokenizer.ggml.pre", pre);
    gguf_texts(&g, "tokenizer.ggml.tokens", all, NULL, 262);
    gguf_texts(&g, "tokenizer.ggml.merges", merges, NULL, 4);
    gguf_words(&g, "tokenizer.ggml.token_type", GGUF_I32, type, 262);
    gguf_int(&g, "tokenizer.ggml.bos_token_id", 260);
    gguf_int(&g, "tokenizer.ggml.eos_token_id", 260);
    if (add_bos >= 0)
        gguf_bool(&g, "tokenizer.ggml.add_bos_token", add_bos);
    if (add_eos >= 0)
        gguf_bool(&g, "tokenizer.ggml.add_eos_token", add_eos);
    return gguf_write(&g);
}

static void assert_text_ids(gg_context *ctx, const gg_tokenizer *t, const char *text, int64_t max, int flags, const int32_t *want, int64_t n)
{
    gg_token_list got = {.ctx = ctx};
    assert_ok_in(ctx, gg_tokenizer_encode(t, &got, text, strlen(text), max, flags));
    assert_ids(text, text, strlen(text), &got, want, n);
    gg_token_list_free(&got);
}

static void special_tokens_stand_where_the_file_says(void **state)
{
    static const int32_t both[] = {260, 't', 257, 260};
    static const struct {
        const char *pre;
        int bos, eos;
        bool begins, ends;
    } table[] = {{"gpt-2", -1, -1, false, false}, {"gpt-2", 1, 1, true, true}, {"gpt-2", 1, -1, true, false}, {"gpt-2", 0, 1, false, true},
                 {"llama-bpe", -1, -1, true, false}, {"llama-bpe", 0, -1, false, false}, {"tekken", -1, -1, true, false}, {"qwen2", -1, -1, false, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_tokenizer *t = open_gguf(*state, write_small(table[i].pre, table[i].bos, table[i].eos));
        assert_int_equal(gg_tokenizer_bos(t), 260);
        assert_int_equal(gg_tokenizer_eos(t), 260);
        assert_int_equal(gg_tokenizer_size(t), 262);
        assert_text_ids(*state, t, "the", 0, 0, both + 1, 2);
        assert_text_ids(*state, t, "the", 0, GG_TOKENIZE_SPECIAL, both + !table[i].begins, 2 + table[i].begins + table[i].ends);
        for (int64_t max = 1; max < 4; max++) { /* they count */
            const int64_t n = 2 + table[i].begins + table[i].ends;
            assert_text_ids(*state, t, "the", max, GG_TOKENIZE_SPECIAL, both + !table[i].begins, max < n ? max : n);
        }
        assert_text_ids(*state, t, "", 0, 0, both, 0);
        gg_tokenizer_free(t);
    }
}

static void special_tokens_in_a_text_are_read_when_asked(void **state)
{
    static const int32_t read[] = {'a', 260, 'b', 261, 'c'};
    static const int32_t letters[] = {'a', '<', '|', 'e', 'n', 'd', '|', '>', 'b', 261, 'c'}; /* user-defined ones are always read */
    gg_tokenizer *t = open_gguf(*state, write_small("gpt-2", -1, -1));
    assert_text_ids(*state, t, "a<|end|>b<|us\xC3\xA9r|>c", 0, GG_TOKENIZE_PARSE_SPECIAL, read, 5);
    assert_text_ids(*state, t, "a<|end|>b<|us\xC3\xA9r|>c", 0, 0, letters, 11);
    assert_prefixes(*state, t, "special", "a<|end|>b<|us\xC3\xA9r|>c", 19, GG_TOKENIZE_PARSE_SPECIAL);

    char *text = NULL;
    size_t n = 0;
    assert_ok_in(*state, gg_tokenizer_decode(t, &text, &n, read, 5, true));
    assert_string_equal(text, "a<|end|>b<|us\xC3\xA9r|>c"); /* its letters are no bytes of the table */
    gg_tokenizer_text_free(*state, text);
    assert_ok_in(*state, gg_tokenizer_decode(t, &text, &n, read, 5, false));
    assert_string_equal(text, "ab<|us\xC3\xA9r|>c");
    assert_int_equal(n, strlen(text));
    gg_tokenizer_text_free(*state, text);
    gg_tokenizer_free(t);
}

static void ids_outside_are_refused_and_pieces_absent(void **state)
{
    static const int32_t bad[][2] = {{5, 262}, {5, -1}};
    gg_tokenizer *t = open_gguf(*state, write_small("gpt-2", -1, -1));
    char *text = (char *)1;
    size_t n = 7;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gg_tokenizer_decode(t, &text, &n, bad[i], 2, true), GG_EINVAL);
        assert_null(text);
        assert_int_equal(n, 0);
        assert_text_has(gg_message(*state), "token 1 is");
        assert_text_has(gg_message(*state), "ids 0 to 261");
    }
    const char *piece = gg_tokenizer_piece(t, 260, &n);
    assert_int_equal(n, 7);
    assert_memory_equal(piece, "<|end|>", 7);
    assert_null(gg_tokenizer_piece(t, 262, &n));
    assert_null(gg_tokenizer_piece(t, -1, NULL));
    gg_tokenizer_free(t);
}

/* --- round trips ----------------------------------------------------------------------------------------------------- */

/* The ids of s must decode to the repaired s. */
static void assert_comes_back(gg_context *ctx, const gg_tokenizer *t, const char *s, size_t n)
{
    gg_token_list ids = {.ctx = ctx}, again = {.ctx = ctx};
    char *back = NULL, *valid = malloc(3 * n + 1);
    size_t n_back = 0, n_valid = 0;
    gg_utf8_repair(valid, &n_valid, s, n);
    assert_ok_in(ctx, gg_tokenizer_encode(t, &ids, s, n, 0, 0));
    assert_ok_in(ctx, gg_tokenizer_decode(t, &back, &n_back, ids.id, ids.n, true));
    assert_int_equal(n_back, n_valid);
    assert_memory_equal(back, valid, n_valid);
    assert_ok_in(ctx, gg_tokenizer_encode(t, &again, valid, n_valid, 0, 0)); /* repaired before or inside: the same ids */
    assert_ids("repaired", valid, n_valid, &again, ids.id, ids.n);
    gg_token_list_free(&ids);
    gg_token_list_free(&again);
    gg_tokenizer_text_free(ctx, back);
    free(valid);
}

static void texts_come_back(void **state)
{
    state_of_random = 0x9E3779B97F4A7C15u;
    static const char *const files[] = {GOLDEN "tokenizers/gpt-2.gguf", GOLDEN "tokenizers/llama-spm.gguf", GOLDEN "sentencepiece/bpe.gguf",
                                        GOLDEN "sentencepiece/bpe-no-prefix.gguf"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        gg_tokenizer *t = open_gguf(*state, files[f]);
        gg_rows *rows = NULL;
        json_t *row;
        assert_ok_in(*state, gg_rows_open(&rows, *state, GOLDEN "tokenizers/hostile.jsonl.zst"));
        while (gg_rows_next(rows, &row) == GG_OK) {
            const json_t *text = json_object_get(row, "text");
            if (f == 0 || !strstr(json_string_value(text), GG__METASPACE)) /* U+2581 comes back as a space there */
                assert_comes_back(*state, t, json_string_value(text), json_string_length(text));
            json_decref(row);
        }
        gg_rows_close(rows);
        for (int k = 0; k < 3000; k++) { /* random bytes, most of them no UTF-8, among them NUL and the halves of characters */
            static const char *const parts[] = {"\xE2\x82", "\xF0\x9F\x98", "\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xC0\x80", "\xE6\x97\xA5",
                                                " ", "a", "\n", "\x80"};
            char s[64];
            size_t n = 0;
            for (int i = (int)rnd(12); i >= 0; i--)
                if (rnd(2)) {
                    const char *p = parts[rnd(12)];
                    memcpy(s + n, p, strlen(p));
                    n += strlen(p);
                } else
                    s[n++] = (char)rnd(256);
            for (size_t i = 0; i + 2 < n; i++) /* not U+2581 */
                if (f && !memcmp(s + i, GG__METASPACE, 3))
                    s[i] = 'x';
            assert_comes_back(*state, t, s, n);
        }
        gg_tokenizer_free(t);
    }
}

/* A bounded encode of bytes that are no UTF-8: windows may end inside a broken character. */
static void broken_bytes_do_not_disturb_a_bounded_encode(void **state)
{
    for (size_t f = 0; f < sizeof gguf_files / sizeof *gguf_files; f++) {
        gg_tokenizer *t = open_gguf(*state, gguf_files[f]);
        for (int k = 0; k < 40; k++) {
            static char s[6000];
            for (size_t i = 0; i < sizeof s; i++)
                s[i] = rnd(4) ? (char)rnd(256) : " aeiou"[rnd(6)];
            gg_token_list all = {.ctx = *state}, some = {.ctx = *state};
            const size_t n = 3000 + rnd(3000);
            assert_ok_in(*state, gg_tokenizer_encode(t, &all, s, n, 0, 0));
            for (int64_t max = 1; max < 200; max += 1 + rnd(20)) {
                assert_ok_in(*state, gg_tokenizer_encode(t, &some, s, n, max, 0));
                assert_ids(gguf_files[f], s, n, &some, all.id, max < all.n ? max : all.n);
            }
            gg_token_list_free(&all);
            gg_token_list_free(&some);
        }
        gg_tokenizer_free(t);
    }
}

/* --- size ------------------------------------------------------------------------------------------------------------ */

/* 16 MB that nothing cuts, of one letter and of several: a few ids cost a few kilobytes, however long the text is. */
static void few_ids_of_a_long_text_cost_little(void **state)
{
    const size_t n = 16 << 20;
    char *s = malloc(n);
    for (int kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < n; i++)
            s[i] = kind == 0 ? 'a' : kind == 1 ? "abc"[i * i % 3] : i % 6 == 5 ? ' ' : "etaoin"[(i * 7 + i / 13) % 6];
        for (size_t f = 0; f < sizeof gguf_files / sizeof *gguf_files; f++) {
            if (strstr(gguf_files[f], "bert") && kind < 2) /* where a word ends decides over its first token */
                continue;
            if (strstr(gguf_files[f], "unigram.gguf") && kind == 0) /* it has runs of 1 and of 16 of them: the first token depends on the length */
                continue;
            gg_tokenizer *t = open_gguf(*state, gguf_files[f]);
            gg_token_list ids = {.ctx = *state};
            size_t peak = 0;
            const size_t before = gg_context_bytes(*state, NULL);
            const int64_t n_before = gg_context_allocations(*state);
            assert_ok_in(*state, gg_tokenizer_encode(t, &ids, s, n, 120, 0));
            assert_int_equal(ids.n, 120);
            gg_context_bytes(*state, &peak);
            assert_true(gg_context_bytes(*state, NULL) - before < 4096);
            assert_true(gg_context_allocations(*state) - n_before < 150);
            gg_token_list_free(&ids);
            gg_tokenizer_free(t);
        }
    }
    free(s);
}

/* Twice the text takes about twice the time, even where nothing cuts it; a quadratic way would take a hundred times as long. */
static double seconds_of(gg_context *ctx, const gg_tokenizer *t, const char *s, size_t n)
{
    struct timespec a, b;
    gg_token_list ids = {.ctx = ctx};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    assert_ok_in(ctx, gg_tokenizer_encode(t, &ids, s, n, 0, 0));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    gg_token_list_free(&ids);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static void time_grows_with_the_text_and_no_faster(void **state)
{
    const size_t n = 1 << 19;
    char *s = malloc(n);
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < n; i++)
            s[i] = kind == 0 ? 'a' : kind == 1 ? ' ' : kind == 2 ? "ab"[i / 7 % 2] : "\xCC\x81"[i % 2]; /* the last: combining marks */
        for (size_t f = 0; f < sizeof gguf_files / sizeof *gguf_files; f++) {
            gg_tokenizer *t = open_gguf(*state, gguf_files[f]);
            const double part = seconds_of(*state, t, s, n / 16), whole = seconds_of(*state, t, s, n);
            if (whole > 16 * 5 * part + 0.05)
                fail_msg("%s, kind %d: %.3f s for a sixteenth, %.3f s for the whole", gguf_files[f], kind, part, whole);
            gg_tokenizer_free(t);
        }
    }
    free(s);
}

/* --- threads --------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const gg_tokenizer *t;
    gg_context *ctx;
    char *text;
    size_t n;
    gg_token_list ids;
    bool same;
} job;

static void *encode_often(void *arg)
{
    job *j = arg;
    gg_token_list ids = {.ctx = j->ctx};
    j->same = true;
    for (int k = 0; k < 20; k++)
        j->same = gg_tokenizer_encode(j->t, &ids, j->text, j->n, 0, 0) == GG_OK && same_ids(&ids, j->ids.id, j->ids.n) && j->same;
    gg_token_list_free(&ids);
    return NULL;
}

static void threads_share_a_tokenizer(void **state)
{
    for (size_t f = 0; f < 3; f++) {
        gg_tokenizer *t = open_gguf(*state, gguf_files[f]);
        job j[3] = {0};
        pthread_t thread[3];
        for (int i = 0; i < 3; i++) {
            char path[64];
            snprintf(path, sizeof path, GOLDEN "tokenizers/%s.gguf.inp", i == 0 ? "gpt-2" : i == 1 ? "llama-spm" : "bert-bge");
            j[i] = (job){.t = t, .ctx = *state, .ids = {.ctx = *state}};
            j[i].text = read_file(&j[i].n, path);
            j[i].n -= (size_t)i * 100;
            assert_ok_in(*state, gg_tokenizer_encode(t, &j[i].ids, j[i].text, j[i].n, 0, 0));
        }
        for (int i = 0; i < 3; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, encode_often, &j[i]), 0);
        for (int i = 0; i < 3; i++) {
            pthread_join(thread[i], NULL);
            assert_true(j[i].same);
            gg_token_list_free(&j[i].ids);
            free(j[i].text);
        }
        gg_tokenizer_free(t);
    }
}

/* --- the n-th allocation fails --------------------------------------------------------------------------------------- */

/* *sum: of the ids and the text that they decode to. */
static gg_status open_encode_decode(uint64_t *sum, gg_context *ctx, const char *path)
{
    static const char text[] = " Hello, the \xE6\x97\xA5\xE6\x9C\xAC caf\xC3\xA9 cafe\xCC\x81 <s><|a|> 123 \xFF\n\n "
                               " \xF0\x9F\x98\x80 whoami aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    gg_tensors *m = NULL;
    gg_tokenizer *t = NULL;
    gg_token_list ids = {.ctx = ctx};
    char *back = NULL;
    size_t n = 0;
    gg_status s;
    if (strstr(path, ".json"))
        s = gg_tokenizer_open_json(&t, ctx, path);
    else {
        s = gg_tensors_open(&m, ctx, path);
        if (s == GG_OK)
            s = gg_tokenizer_open(&t, ctx, m);
        gg_tensors_free(m);
    }
    if (s == GG_OK)
        s = gg_tokenizer_encode(t, &ids, text, sizeof text - 1, 0, GG_TOKENIZE_SPECIAL | GG_TOKENIZE_PARSE_SPECIAL);
    if (s == GG_OK)
        s = gg_tokenizer_encode(t, &ids, text, sizeof text - 1, 7, 0);
    if (s == GG_OK)
        s = gg_tokenizer_decode(t, &back, &n, ids.id, ids.n, true);
    *sum = 0;
    for (int64_t i = 0; s == GG_OK && i < ids.n; i++)
        *sum = *sum * 31 + (uint64_t)ids.id[i];
    for (size_t i = 0; s == GG_OK && i < n; i++)
        *sum = *sum * 31 + (unsigned char)back[i];
    gg_tokenizer_text_free(ctx, back);
    gg_token_list_free(&ids);
    gg_tokenizer_free(t);
    return s;
}

/* One failure may be passed over: that PCRE2 has no memory for machine code. Its interpreter finds the same. */
static void fail_each_allocation(gg_context *fine, const char *name, const char *path)
{
    bool through = false;
    uint64_t sum, want;
    assert_ok_in(fine, open_encode_decode(&want, fine, path));
    for (int64_t k = 1; !through; k++) {
        ration c = {0, k};
        gg_context *ctx = NULL;
        if (gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &c}, .n_threads = 1}) != GG_OK)
            continue; /* the context itself */
        const gg_status s = open_encode_decode(&sum, ctx, path);
        through = c.n < k;
        if (s == GG_OK ? sum != want : s != GG_ENOMEM || through)
            fail_msg("%s, allocation %lld: %s: %s", name, (long long)k, gg_status_name(s), gg_message(ctx));
        if (s != GG_OK)
            assert_text_has(gg_message(ctx), "memory");
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
}

static void every_failing_allocation_is_reported_and_nothing_leaks(void **state)
{
    static const char *const files[] = {GOLDEN "sentencepiece/unigram.gguf", GOLDEN "sentencepiece/bpe-no-prefix.gguf",
                                        GOLDEN "sentencepiece/unigram-bytes.gguf"};
    gg_rows *rows = NULL;
    json_t *row;
    int n = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        fail_each_allocation(*state, files[i], files[i]);
    fail_each_allocation(*state, "small", write_small("falcon", 1, 1));
    fail_each_allocation(*state, "small", write_small("llama-bpe", 1, 1));
    assert_ok_in(*state, gg_rows_open(&rows, *state, GOLDEN "tokenizerjson/cases.jsonl.zst"));
    while (gg_rows_next(rows, &row) == GG_OK) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (name && (strncmp(name, "pre-tokenizer ", 14) && strncmp(name, "normalizer ", 11) ? n++ % 2 == 0 : n++ % 8 == 0)) {
            char *s = json_dumps(json_object_get(row, "tokenizer"), JSON_COMPACT);
            fail_each_allocation(*state, name, write_bytes("tokenizer.json", s, strlen(s)));
            free(s);
        }
        json_decref(row);
    }
    gg_rows_close(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_tokens_stand_where_the_file_says),
        cmocka_unit_test(special_tokens_in_a_text_are_read_when_asked),
        cmocka_unit_test(ids_outside_are_refused_and_pieces_absent),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(broken_bytes_do_not_disturb_a_bounded_encode),
        cmocka_unit_test(few_ids_of_a_long_text_cost_little),
        cmocka_unit_test(time_grows_with_the_text_and_no_faster),
        cmocka_unit_test(threads_share_a_tokenizer),
        cmocka_unit_test(every_failing_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, begin, drop_context_and_folder);
}
