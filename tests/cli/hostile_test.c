/* Documents that nobody should write and somebody has: each is taken, repaired and counted, or refused with its line; none takes the program
 * with it, and memory and time stay in proportion. GOLGI_LONG makes the largest of them full-sized. */
#include "cli/program.h"
#include <golgi/golgi.h>
#include <math.h>
#include <sys/resource.h>
#include "systems/nag/nag.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SLOW = 8 };
#else
enum { SLOW = 1 };
#endif

static int prepare(void **state)
{
    (void)state;
    D = make_folder_in_memory();
    return 0;
}

static void must_say(const char *text)
{
    if (!strstr(s.err, text))
        fail_msg("\"%s\" is not in: %s", text, s.err);
}

static void refuses(const char *line, const char *says, const char *says_too)
{
    run_line(&s, D, line);
    if (s.code != 1 || !strstr(s.err, says) || !strstr(s.err, says_too))
        fail_msg("%s: exit %d: %s", line, s.code, s.err);
    assert_false(present(D, "new.nag"));
}

#define EXTRACT "$G nag extract --model $M --dtype f32 --input "

static FILE *create(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", D, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    return f;
}

/* --- size --------------------------------------------------------------------------------------------------------------- */

/* Extracts a pool whose second document is `bytes` of the piece; what it used. wait4 and not RUSAGE_CHILDREN, whose memory is that of the largest child
 * so far. */
static struct rusage extract_long(const char *piece, size_t bytes)
{
    FILE *f = create("long.jsonl");
    fputs("{\"docid\": \"first\", \"doc\": \"a short one\"}\n{\"docid\": \"long\", \"doc\": \"x", f);
    for (size_t n = 0; n < bytes; n += strlen(piece))
        fputs(piece, f);
    fputs("\"}\n{\"docid\": \"last\", \"doc\": \"a short one\"}\n", f);
    assert_int_equal(fclose(f), 0);
    char in[4200], out[4200], err[4200];
    snprintf(in, sizeof in, "%s/long.jsonl", D);
    snprintf(out, sizeof out, "%s/long.jsonl.zst", D);
    snprintf(err, sizeof err, "%s/.err", D);
    const pid_t child = fork();
    if (child == 0) {
        if (freopen(err, "w", stderr))
            execl(golgi(), "golgi", "nag", "extract", "--model", TINY, "--dtype", "f32", "--input", in, "--output", out, (char *)NULL);
        _exit(127);
    }
    struct rusage used;
    int status;
    assert_int_equal(wait4(child, &status, 0, &used), child);
    slurp(s.err, sizeof s.err, err);
    if (status != 0)
        fail_msg("%zu bytes of \"%s\": status %x: %s", bytes, piece, (unsigned)status, s.err);
    must_say("extracted 3 documents, ");
    return used;
}

static double seconds_of(struct rusage used)
{
    return (double)used.ru_utime.tv_sec + 1e-6 * (double)used.ru_utime.tv_usec;
}

/* 50 MB on one line: with words, without any place to cut, of one character, of characters of four bytes. Time is in proportion: ten times the bytes
 * take about ten times as long, not a hundred. Peak memory is the line and its copies (the window, the value, the row), not a multiple of the tokens. */
static void a_line_of_50_megabytes_is_a_document(void **state)
{
    (void)state;
    static const char *const piece[] = {"word and ", "abcdefghij", "    ", "\xf0\x9f\xa6\x93", "1234567890"};
    const size_t bytes = (size_t)50000000 / SLOW;
    for (size_t i = 0; i < sizeof piece / sizeof *piece; i++) {
        const double small = seconds_of(extract_long(piece[i], bytes / 10));
        const struct rusage used = extract_long(piece[i], bytes);
        print_message("50 MB of \"%s\": %.1f s of work, %.2f s for a tenth, %ld MB\n", piece[i], seconds_of(used), small, used.ru_maxrss / 1024);
        assert_true(seconds_of(used) < 30);
        assert_true(seconds_of(used) < 25 * small);
        assert_true(used.ru_maxrss < 900 * 1024L);
    }
}

/* As many documents as a pool has, of one word each. */
static void tiny_documents_come_out_all_and_in_order(void **state)
{
    (void)state;
    const int n = getenv("GOLGI_LONG") ? 1000000 : 20000 / SLOW;
    FILE *f = create("tiny.jsonl");
    for (int i = 0; i < n; i++)
        fprintf(f, "{\"docid\":\"%d\",\"doc\":\"%c\",\"token_num\":1}\n", i, 'a' + i % 26);
    assert_int_equal(fclose(f), 0);
    shell(EXTRACT "$D/tiny.jsonl --top-k 3 --quiet --output $D/tiny.nag");
    gg_context *ctx = NULL;
    gg_nag_set *set = NULL;
    char path[4200], docid[16];
    const char *paths = path;
    snprintf(path, sizeof path, "%s/tiny.nag", D);
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    assert_int_equal(gg_nag_set_read(&set, ctx, &paths, 1, 0), GG_OK);
    assert_int_equal(set->f.n, n);
    for (int i = 0; i < n; i++) {
        snprintf(docid, sizeof docid, "%d", i);
        assert_string_equal(set->f.docid[i], docid);
        assert_int_equal(set->f.token_num[i], 1);
        assert_int_equal(set->f.n_scored[i], 1);
    }
    gg_nag_set_free(set);
    gg_context_free(ctx);
    shell("$G nag rank --target $D/tiny.nag --pool $D/tiny.nag --fraction 0.01 --output $D/tiny.csv");
    char line[128];
    snprintf(line, sizeof line, "test $(tail -n +2 $D/tiny.csv | wc -l) = %d", n / 100);
    shell(line);
}

/* --- what stands in the texts ------------------------------------------------------------------------------------------------- */

/* The features of a document, as the program writes them. */
static void features(char out[1 << 15], const char *row)
{
    put_text(D, "one.jsonl", row);
    shell(EXTRACT "$D/one.jsonl --quiet --top-k 9 --output -");
    const char *begin = strstr(s.out, "\"fwd_up_feature\"");
    assert_non_null(begin);
    assert_true(strlen(begin) < 1 << 15);
    strcpy(out, begin);
}

static void escapes_and_bytes_mean_the_same(void **state)
{
    (void)state;
    static char a[1 << 15], b[1 << 15];
    static const char *const pairs[][2] = {
        {"caf\\u00e9 \\ud83e\\udd93", "caf\xc3\xa9 \xf0\x9f\xa6\x93"},
        {"\\u05e9\\u05dc\\u05d5\\u05dd \\u202e", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe2\x80\xae"},      /* right to left */
        {"e\\u0301\\u0301\\u0301 n\\u0303", "e\xcc\x81\xcc\x81\xcc\x81 n\xcc\x83"},                      /* combining marks, more than any letter has */
        {"\\ud800 and \\udc00\\ud800", "\xef\xbf\xbd and \xef\xbf\xbd\xef\xbf\xbd"},                      /* halves of surrogates */
        {"a\\u0000b", "a\\u0000b"},
        {"\\u0001\\u001f\\u007f", "\\u0001\\u001f\x7f"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char row[512];
        snprintf(row, sizeof row, "{\"docid\": \"x\", \"doc\": \"%s\"}\n", pairs[i][0]);
        features(a, row);
        snprintf(row, sizeof row, "{\"docid\": \"x\", \"doc\": \"%s\"}\n", pairs[i][1]);
        features(b, row);
        assert_string_equal(a, b);
    }
    features(a, "{\"docid\": \"x\", \"doc\": \"a\\u0000b\"}\n");
    features(b, "{\"docid\": \"x\", \"doc\": \"a\"}\n");
    assert_string_not_equal(a, b); /* NUL does not end a text */
}

static void what_is_no_text_is_repaired_and_counted(void **state)
{
    (void)state;
    put_text(D, "bad.jsonl", "{\"docid\": \"a\", \"doc\": \"\\ud800 half\"}\n{\"docid\": \"b\", \"doc\": \"\xff\xfe and \xc3\"}\n");
    shell(EXTRACT "$D/bad.jsonl --output $D/bad.nag");
    must_say("4 places were not UTF-8 and became U+FFFD");
    shell("$G nag select --model $M --target $D/bad.jsonl --pool $D/bad.jsonl --output $D/bad-selected.jsonl");
    must_say("pool:\n  4 places were not UTF-8");
}

static void white_space_is_no_document(void **state)
{
    (void)state;
    put_text(D, "white.jsonl",
             "{\"docid\": 1, \"doc\": \"\"}\n\n   \n{\"docid\": 2, \"doc\": \" \\t\\n\\u00a0\\u3000\\u2028\\ufeff\"}\n{\"docid\": 3, \"doc\": "
             "null}\n{\"docid\": 4, \"doc\": \".\"}\n");
    shell(EXTRACT "$D/white.jsonl --output $D/white.nag");
    must_say("extracted 1 document, ");
    must_say("3 empty documents were skipped: ");
    must_say("white.jsonl:1, ");
    must_say("white.jsonl:4, ");
    must_say("white.jsonl:5");
    put_text(D, "nothing.jsonl", "{\"docid\": 1, \"doc\": \"  \"}\n");
    shell(EXTRACT "$D/nothing.jsonl --output $D/nothing.nag");
    must_say("extracted 0 documents");
    refuses("$G nag rank --target $D/nothing.nag --pool $D/white.nag --output $D/new.nag.jsonl", "nothing.nag", "at least one");
    put_text(D, "empty.jsonl", "");
    shell(EXTRACT "$D/empty.jsonl --output $D/empty.nag");
    must_say("extracted 0 documents");
}

/* --- what stands in the rows ---------------------------------------------------------------------------------------------------- */

static void rows_that_are_too_much_are_refused_with_their_line(void **state)
{
    (void)state;
    static char deep[1 << 16];
    static const struct {
        const char *row, *says;
    } bad[] = {
        {"{\"docid\": \"a\", \"doc\": \"x\", \"n\": 1e999}\n", "beyond the range"},
        {"{\"docid\": \"a\", \"doc\": \"x\", \"n\": -1e999}\n", "beyond the range"},
        {"{\"docid\": \"a\", \"doc\": \"x\", \"n\": NaN}\n", "NaN is not JSON"},
        {"{\"docid\": \"a\", \"doc\": \"x\", \"n\": 01}\n", "begins with 0"},
        {"{\"docid\": \"a\", \"doc\": \"x\ty\"}\n", "control character 0x09"},
        {"{\"docid\": \"a\\u0000b\", \"doc\": \"x\"}\n", "NUL"},
        {"{\"docid\": \"a\", \"doc\\u0000\": \"x\"}\n", "NUL"},
        {"{\"docid\": {\"a\": 1}, \"doc\": \"x\"}\n", "docid is an object"},
        {"{\"docid\": 1.5, \"doc\": \"x\"}\n", "docid is a number"},
        {"{\"docid\": 123456789012345678901234567890, \"doc\": \"x\"}\n", "docid is a number"},
        {"{\"docid\": true, \"doc\": \"x\"}\n", "docid is a truth value"},
        {"{\"docid\": \"\", \"doc\": \"x\"}\n", "docid is missing"},
        {"{\"docid\": \"a\", \"doc\": [\"x\"]}\n", "the text is a list"},
        {"{\"docid\": \"a\", \"doc\": \"x\", \"token_num\": -3}\n", "whole number"},
        {"{\"docid\": \"a\", \"doc\": \"x\", \"token_num\": 1e300}\n", "whole number"},
        {"{\"docid\": \"a\", \"doc\": \"x\"} {\"docid\": \"b\"}\n", "expected the end"},
        {"[1, 2, 3]\n", "a list"},
        {"\"text\"\n", "a text"},
        {"{\"docid\": \"a\", \"doc\": \"\\x41\"}\n", "an escape that JSON does not have"},
        {"{\"docid\": \"a\", \"doc\": \"\\u12g4\"}\n", "four hexadecimal digits"},
        {"{\"docid\": \"a\", \"doc\": \"never closed\n", "without its closing quote"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char rows[1024];
        snprintf(rows, sizeof rows, "{\"docid\": \"good\", \"doc\": \"fine\"}\n%s", bad[i].row);
        put_text(D, "bad.jsonl", rows);
        refuses(EXTRACT "$D/bad.jsonl --output $D/new.nag", "bad.jsonl:2: ", bad[i].says);
    }
    put_file(D, "bad.jsonl", "{\"docid\": \"good\", \"doc\": \"fine\"}\n{\"docid\": \"a\", \"doc\": \"x\0y\"}\n", 63);
    refuses(EXTRACT "$D/bad.jsonl --output $D/new.nag", "bad.jsonl:2: ", "0x00");
    for (int depth = 2047; depth <= 30000; depth = depth == 2047 ? 2048 : 30000 + (depth == 30000)) { /* the row itself is one more */
        memset(deep, '[', (size_t)depth);
        memset(deep + depth, ']', (size_t)depth);
        FILE *f = create("deep.jsonl");
        fprintf(f, "{\"docid\": \"a\", \"doc\": \"x\"}\n{\"docid\": \"b\", \"doc\": \"y\", \"z\": %.*s}\n", 2 * depth, deep);
        assert_int_equal(fclose(f), 0);
        if (depth < 2048)
            shell(EXTRACT "$D/deep.jsonl --output $D/deep.nag");
        else
            refuses(EXTRACT "$D/deep.jsonl --output $D/new.nag", "deep.jsonl:2: ", "2048 deep");
    }
}

static void rows_that_are_only_odd_are_taken(void **state)
{
    (void)state;
    static char a[1 << 15], b[1 << 15];
    features(a, "{\"docid\": \"x\", \"doc\": \"first\", \"doc\": \"the last of a key given twice\"}\n");
    features(b, "{\"docid\": \"x\", \"doc\": \"the last of a key given twice\"}\n");
    assert_string_equal(a, b);
    put_text(
        D, "odd.jsonl",
        "\xef\xbb\xbf{\"docid\": 17, \"doc\": \"a byte order mark before\", \"big\": 123456789012345678901234567890, \"small\": 5e-324, \"zero\": -0.0}\r\n"
        "{\"docid\": \"b\", \"doc\": \"keys of many kinds\", \"\": 1, \"a.b\": {\"c\": null}, \"\\ud83e\\udd93\": []}\n"
        "{\"docid\": \"c\", \"doc\": \"no newline at the end\", \"token_num\": \"12\"}");
    shell(EXTRACT "$D/odd.jsonl --output $D/odd.nag && $G nag rank --target $D/odd.nag --pool $D/odd.nag --payload $D/odd.jsonl --fraction 1 --output "
                  "$D/odd.ranked.jsonl");
    shell("cat $D/odd.ranked.jsonl");
    assert_non_null(strstr(s.out, "\"docid\":17,"));
    assert_non_null(strstr(s.out, "1.2345678901234568e+29"));
    assert_non_null(strstr(s.out, "4.94065645841247e-324"));
    assert_non_null(strstr(s.out, "\"a.b\":{\"c\":null}"));
    assert_non_null(strstr(s.out, "\"\xf0\x9f\xa6\x93\":[]"));
}

/* --- weights ------------------------------------------------------------------------------------------------------------------------ */

/* The model with its tensor's first number of `width` bytes replaced. */
static void put_weight(const char *name, const char *tensor, const void *bits, size_t width)
{
    static char model[1 << 20];
    gg_context *ctx = NULL;
    gg_tensors *t = NULL;
    slurp(model, 1, TINY);
    FILE *f = fopen(TINY, "rb");
    const size_t n = fread(model, 1, sizeof model, f);
    fclose(f);
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    assert_int_equal(gg_tensors_open(&t, ctx, TINY), GG_OK);
    const gg_tensor *x = gg_tensors_find(t, tensor);
    assert_non_null(x);
    memcpy(memmem(model, n, x->data, (size_t)x->n_bytes), bits, width);
    put_file(D, name, model, n);
    gg_tensors_free(t);
    gg_context_free(ctx);
}

static void weights_that_are_no_numbers_are_named(void **state)
{
    (void)state;
    const float nan = (float)NAN, inf = (float)INFINITY, minus = (float)-INFINITY;
    const uint16_t half_inf = 0x7c00; /* the scale of a block of Q8_0 */
    static const char *const plain[] = {"blk.0.attn_q.weight", "blk.1.ffn_down.weight", "output_norm.weight"};
    put_text(D, "pool.jsonl", "{\"docid\": \"a\", \"doc\": \"In the beginning\"}\n");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        for (int k = 0; k < 3; k++) {
            put_weight("bad.gguf", plain[i], k == 0 ? &nan : k == 1 ? &inf : &minus, 4);
            refuses("$G score --model $D/bad.gguf --input $D/pool.jsonl --output $D/new.nag.jsonl", "bad.gguf", plain[i]);
            must_say("finite");
        }
    put_weight("bad.gguf", "blk.0.ffn_up.weight", &half_inf, 2);
    refuses(EXTRACT "$D/pool.jsonl --model $D/bad.gguf --output $D/new.nag", "bad.gguf", "blk.0.ffn_up.weight");
    put_weight("bad.gguf", "token_embd.weight", &half_inf, 2); /* of token 0, which the head uses always */
    refuses("$G score --model $D/bad.gguf --input $D/pool.jsonl --output $D/new.nag.jsonl", "bad.gguf", "token_embd.weight");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_50_megabytes_is_a_document),
        cmocka_unit_test(tiny_documents_come_out_all_and_in_order),
        cmocka_unit_test(escapes_and_bytes_mean_the_same),
        cmocka_unit_test(what_is_no_text_is_repaired_and_counted),
        cmocka_unit_test(white_space_is_no_document),
        cmocka_unit_test(rows_that_are_too_much_are_refused_with_their_line),
        cmocka_unit_test(rows_that_are_only_odd_are_taken),
        cmocka_unit_test(weights_that_are_no_numbers_are_named),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
