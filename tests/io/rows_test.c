/* Rows of JSON Lines, plain and compressed, read and written; text folders; what is said when they are damaged. */
#include "support.h"
#include "base/json.h"
#include "base/memory.h"
#include <math.h>

static void rows_keep_their_keys_order_and_values(void **state)
{
    (void)state;
    expect_rows(write_text_file("a.jsonl", "{\"z\":1,\"a\":[1,2.5,null,true],\"m\":{\"k\":\"\xC3\xA9\"}}\n"
                                           "\n   \r\n{\"b\": \"x\"}   \r\n"
                                           "{\"c\":-9223372036854775808}"),
                "{\"z\":1,\"a\":[1,2.5,null,true],\"m\":{\"k\":\"\xC3\xA9\"}}\n{\"b\":\"x\"}\n{\"c\":-9223372036854775808}\n");
    expect_rows(write_text_file("empty.jsonl", ""), "");
    expect_rows(write_text_file("bom.ndjson", "\xEF\xBB\xBF{\"a\":1}\n"), "{\"a\":1}\n");
    expect_rows(write_text_file("twice.json", "{\"a\":1,\"b\":2,\"a\":3}\n"), "{\"a\":3,\"b\":2}\n"); /* the last value counts, at the first place */
}

static void lines_are_counted_with_the_blank_ones(void **state)
{
    (void)state;
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, write_text_file("n.jsonl", "{}\n\n\n{}\n")), GG_OK);
    assert_int_equal(gg_rows_next(r, &row), GG_OK);
    json_decref(row);
    assert_int_equal(gg_rows_line(r), 1);
    assert_int_equal(gg_rows_next(r, &row), GG_OK);
    json_decref(row);
    assert_int_equal(gg_rows_line(r), 4);
    assert_int_equal(gg_rows_next(r, &row), GG_END);
    assert_int_equal(gg_rows_next(r, &row), GG_END);
    gg_rows_close(r);
}

static void what_cannot_be_text_becomes_fffd_and_is_counted(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
        int repaired;
    } cases[] = {
        {"{\"a\":\"x\xFFy\"}", "{\"a\":\"x\xEF\xBF\xBDy\"}\n", 1},
        {"{\"a\":\"\xE2\x82\"}", "{\"a\":\"\xEF\xBF\xBD\"}\n", 1},
        {"{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"}\n", 3},
        {"{\"a\":\"\\ud800\"}", "{\"a\":\"\xEF\xBF\xBD\"}\n", 1},
        {"{\"a\":\"\\uDC00\\uD800x\"}", "{\"a\":\"\xEF\xBF\xBD\xEF\xBF\xBDx\"}\n", 2},
        {"{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\xF0\x9F\x98\x80\"}\n", 0},
        {"{\"a\":\"\\ud83d\\ud83d\\ude00\"}", "{\"a\":\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"}\n", 1},
        {"{\"a\":\"\\\\ud800\"}", "{\"a\":\"\\\\ud800\"}\n", 0}, /* an escaped backslash, then letters */
        {"{\"a\":\"\\\\\\ud800\"}", "{\"a\":\"\\\\\xEF\xBF\xBD\"}\n", 1},
        {"{\"\\ud800\":\"\xFF\"}", "{\"\xEF\xBF\xBD\":\"\xEF\xBF\xBD\"}\n", 2},
        {"{\"a\":\"b\\u0000c\"}", "{\"a\":\"b\\u0000c\"}\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = write_text_file("r.jsonl", cases[i].line);
        expect_rows(path, cases[i].want);
        gg_rows *r;
        json_t *row;
        assert_int_equal(gg_rows_open(&r, ctx, path), GG_OK);
        assert_int_equal(gg_rows_next(r, &row), GG_OK);
        json_decref(row);
        assert_int_equal(gg_rows_repaired(r), cases[i].repaired);
        gg_rows_close(r);
    }
}

static void integers_beyond_64_bits_become_doubles(void **state)
{
    (void)state;
    gg_rows *r;
    json_t *row;
    const char *path = write_text_file("big.jsonl", "{\"a\":9223372036854775807,\"b\":9223372036854775808,\"c\":-9223372036854775809,"
                                                    "\"d\":\"9223372036854775808\",\"e\":[18446744073709551616],\"f\":1.23456789012345678901e5}");
    assert_int_equal(gg_rows_open(&r, ctx, path), GG_OK);
    assert_int_equal(gg_rows_next(r, &row), GG_OK);
    assert_true(json_integer_value(json_object_get(row, "a")) == INT64_MAX);
    assert_true(json_real_value(json_object_get(row, "b")) == 0x1p63);
    assert_true(json_real_value(json_object_get(row, "c")) == -0x1p63);
    assert_string_equal(json_string_value(json_object_get(row, "d")), "9223372036854775808");
    assert_true(json_real_value(json_array_get(json_object_get(row, "e"), 0)) == 0x1p64);
    assert_true(json_real_value(json_object_get(row, "f")) == 123456.789012345678901);
    assert_int_equal(gg_rows_repaired(r), 0);
    json_decref(row);
    gg_rows_close(r);
}

/* Compact and by levels. */
static void writing_agrees_with_jansson(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", "[]", "[[], {}, [1]]",
                                        "{\"a\": [1, -2.5, \"\\n\\u0001\\\"\"], \"b\": {\"c\": null, \"d\": [true, {\"e\": false}]}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int indent = 0; indent <= 2; indent++) {
            gg_str mine = {.ctx = ctx};
            json_t *j = json_loads(texts[i], 0, NULL);
            char *theirs = json_dumps(j, indent ? (size_t)JSON_INDENT(indent) : JSON_COMPACT);
            gg_json_write(&mine, j, indent);
            assert_false(mine.failed);
            assert_string_equal(mine.data, theirs);
            gg_str_free(&mine);
            free(theirs);
            json_decref(j);
        }
}

/* jansson is the judge: what it reads, golgi reads the same; what it refuses, golgi refuses, the three repairs aside. */
static void reading_agrees_with_jansson(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"a\":[1,-2,0.5,1e3,-0,-0.0,123456789012345678,1.7976931348623157e308],\"b\":{\"c\":\"x\\n\\u00e9\\ud83d\\ude00\\\"\\/\"},\"d\":null}",
        "[true,false,null,\"\",[],{},[[[]]],{\"\":{\"k\":\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 long enough for words of eight\"}}]",
        " { \"k\" : 9223372036854775807 , \"k\" : -9223372036854775808 , \"n\" : 0.1234567890123456789E-5 } ",
        "[0.1,0.25,3.14159265358979,1e-7,5e-324,2.2250738585072014e-308,1e22,1e23,123456.789012345,100000000000000.5,0.000000000000001]",
    };
    static const char bytes[] = "{}[]\",:\\u0019eE+-. \ttfnaD8\xC3\xA9\xED\xA0\xFF\x01";
    unsigned x = 5;
    gg_str scratch = {.ctx = ctx};
    int read = 0, refused = 0, repaired_lines = 0;
    for (int round = 0; round < 60000; round++) {
        char text[512];
        size_t n = strlen(seeds[round % 4]);
        memcpy(text, seeds[round % 4], n);
        for (int k = round < 4 ? 3 : (int)(x >> 20) % 3; k < 3; k++) {
            x = x * 1664525u + 1013904223u;
            size_t at = (x >> 8) % n;
            if (x >> 30 == 1) { /* one byte less, one more, or another one */
                memmove(text + at, text + at + 1, n - at - 1);
                n--;
                continue;
            }
            if (x >> 30 == 0) {
                memmove(text + at + 1, text + at, n - at);
                n++;
            }
            text[at] = bytes[(x >> 4) % (sizeof bytes - 1)];
        }
        char *exact = malloc(n); /* no byte to spare */
        memcpy(exact, text, n);
        json_error_t why;
        json_t *want = json_loadb(exact, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &why), *got;
        gg_json_error error;
        int64_t repaired = 0;
        gg_status s = gg_json_parse(&got, &scratch, exact, n, &repaired, &error);
        if (want) {
            if (s != GG_OK || repaired != 0 || !json_equal(got, want))
                fail_msg("%.*s: %s", (int)n, exact, s == GG_OK ? "another value" : error.what);
            read++;
        } else if (s == GG_OK) {
            if (repaired == 0 && !strstr(why.text, "too big"))
                fail_msg("%.*s: jansson refuses it: %s", (int)n, exact, why.text);
            repaired_lines++;
        } else {
            assert_int_equal(s, GG_EFORMAT);
            assert_true(error.column >= 1 && error.column <= (int64_t)n + 1);
            refused++;
        }
        json_decref(want);
        json_decref(got);
        free(exact);
    }
    gg_str_free(&scratch);
    assert_true(read > 5000 && refused > 5000 && repaired_lines > 200);
}

static void damaged_lines_are_told_with_file_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"a\":1}\n{\"a\":}\n", "bad.jsonl:2: not a JSON object: "},
        {"{\"a\":1}\n{\"a\":}\n", "near column 6"},
        {"{\"a\":1}\n\n[1,2]\n", "bad.jsonl:3: not a JSON object but a list"},
        {"[{\"a\":1}]\n", "jq -c '.[]'"},
        {"[\n{\"a\":1}]\n", "jq -c '.[]'"},
        {"{\"a\":1} x\n", "bad.jsonl:1: not a JSON object"},
        {"{\"a\":1}{\"a\":2}\n", "bad.jsonl:1: not a JSON object"},
        {"\"text\"\n", "not a JSON object but a text"},
        {"{\"a\":NaN}\n", "bad.jsonl:1: not a JSON object: NaN is not JSON; write null near column 6"},
        {"{\"a\":-Infinity}\n", "Infinity is not JSON; write null near column 7"},
        {"{\"a\":1e999}\n", "a number beyond the range of doubles near column 6"},
        {"{\"a\":\"\n\"}\n", "bad.jsonl:1: not a JSON object: a text without its closing quote near column 6"},
        {"{\"a\":\"\t\"}\n", "the control character 0x09 in a text; write \\u0009 near column 7"},
        {"{\"a\":\"\\x41\"}\n", "an escape that JSON does not have near column 7"},
        {"{\"a\":\"\\u12g4\"}\n", "\\u needs four hexadecimal digits near column 7"},
        {"{\"a\\u0000b\":1}\n", "a name with a NUL in it near column 2"},
        {"{\"a\":01}\n", "a number that begins with 0 near column 6"},
        {"{\"a\":1,}\n", "expected a name in quotes, found '}' near column 8"},
        {"{'a':1}\n", "expected a name in quotes, found ''' near column 2"},
        {"{\"a\" 1}\n", "expected ':' behind a name, found '1' near column 6"},
        {"{\"a\":1", "expected ',' or '}', found the end near column 7"},
        {"{\"a\":tru}", "expected a value, found 't' near column 6"},
        {"\xFF\xFE{\0\0", "UTF-16LE"},
        {"\x1F\x8B and no more", "bad.jsonl"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gg_status end;
        free(all_rows(&end, write_text_file("bad.jsonl", cases[i].text)));
        assert_int_equal(end, GG_EFORMAT);
        expect_message(cases[i].message);
    }
    char *deep = malloc(1 << 20);
    memset(deep, '[', 1 << 20);
    gg_status end;
    free(all_rows(&end, write_bytes("bad.jsonl", deep, 1 << 20)));
    assert_int_equal(end, GG_EFORMAT);
    free(deep);
    free(all_rows(&end, at("nothing.jsonl")));
    assert_int_equal(end, GG_ENOENT);
    expect_message("nothing.jsonl");
    free(all_rows(&end, write_text_file("rows.xml", "<a/>")));
    assert_int_equal(end, GG_EUNSUPPORTED);
    expect_message(".jsonl");
}

/* Rows that do not compress well, so that streams are longer than the buffers. */
static char *many_rows(size_t *n, int n_rows)
{
    char *text = malloc((size_t)n_rows * 64);
    size_t at = 0;
    unsigned x = 1;
    for (int i = 0; i < n_rows; i++) {
        x = x * 1664525u + 1013904223u;
        at += (size_t)sprintf(text + at, "{\"i\":%d,\"x\":\"%08x%08x\"}\n", i, x, x * 2654435761u ^ x >> 3);
    }
    *n = at;
    return text;
}

static void compressed_streams_of_several_members_are_one(void **state)
{
    (void)state;
    size_t n, cap = 4 << 20, a, b;
    char *text = many_rows(&n, 50000), *packed = malloc(2 * cap);
    for (int format = 0; format < 2; format++) {
        size_t (*pack)(void *, size_t, const void *, size_t) = format ? pack_zst : pack_gz;
        a = pack(packed, cap, text, n / 3); /* cut inside a row */
        b = pack(packed + a, cap, "", 0);   /* an empty member between */
        b += pack(packed + a + b, cap, text + n / 3, n - n / 3);
        expect_rows(write_bytes(format ? "m.jsonl.zst" : "m.jsonl.gz", packed, a + b), text);
        expect_rows(write_bytes("unnamed.jsonl", packed, a + b), text); /* told by its bytes */
    }
    memset(packed + pack_gz(packed, cap, text, n), 0, 1000); /* padded with zeros, as on tapes */
    a = pack_gz(packed, cap, text, n);
    memset(packed + a, 0, 1000);
    expect_rows(write_bytes("padded.jsonl.gz", packed, a + 1000), text);
    free(packed);
    free(text);
}

static void damaged_compressed_streams_are_told_with_the_byte(void **state)
{
    (void)state;
    size_t n, cap = 4 << 20;
    char *text = many_rows(&n, 20000), *packed = malloc(cap), message[100];
    gg_status end;
    for (int format = 0; format < 2; format++) {
        const char *name = format ? "d.jsonl.zst" : "d.jsonl.gz";
        size_t full = format ? pack_zst(packed, cap, text, n) : pack_gz(packed, cap, text, n);
        const size_t cuts[] = {5, 20, full / 2, full - 9, full - 1};
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
            free(all_rows(&end, write_bytes(name, packed, cuts[i])));
            assert_int_equal(end, GG_EFORMAT);
            snprintf(message, sizeof message, "the file ends at byte %zu", cuts[i]);
            expect_message(message);
        }
        for (size_t i = full / 2; i < full / 2 + 200; i++)
            packed[i] = (char)(packed[i] ^ 0x5A);
        free(all_rows(&end, write_bytes(name, packed, full)));
        assert_int_equal(end, GG_EFORMAT);
    }
    free(all_rows(&end, write_text_file("text.jsonl.gz", "{\"a\":1}\n")));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("1f 8b");
    free(all_rows(&end, write_bytes("gz.jsonl.zst", packed, pack_gz(packed, cap, text, 100))));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("name it .gz");
    free(all_rows(&end, write_text_file("empty.jsonl.zst", "")));
    assert_int_equal(end, GG_EFORMAT);
    size_t a = pack_gz(packed, cap, text, n);
    memcpy(packed + a, "rubbish", 7);
    free(all_rows(&end, write_bytes("tail.jsonl.gz", packed, a + 7)));
    assert_int_equal(end, GG_EFORMAT);
    snprintf(message, sizeof message, "byte %zu", a);
    expect_message(message);
    free(packed);
    free(text);
}

static void a_line_of_50_megabytes_is_a_row(void **state)
{
    (void)state;
    size_t n = 50 << 20;
    char *line = malloc(n + 64), *packed = malloc(1 << 20);
    size_t head = (size_t)sprintf(line, "{\"docid\":\"long\",\"doc\":\"");
    memset(line + head, 'a', n);
    memcpy(line + head + n, "\"}\n{\"b\":2}", 10);
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, write_bytes("long.jsonl.zst", packed, pack_zst(packed, 1 << 20, line, head + n + 10))), GG_OK);
    assert_int_equal(gg_rows_next(r, &row), GG_OK);
    assert_int_equal(json_string_length(json_object_get(row, "doc")), n);
    json_decref(row);
    assert_int_equal(gg_rows_next(r, &row), GG_OK);
    assert_int_equal(gg_rows_line(r), 2);
    json_decref(row);
    gg_rows_close(r);
    free(line);
    free(packed);
}

static void memory_does_not_grow_with_the_file(void **state)
{
    (void)state;
    size_t n, cap = 16 << 20;
    char *text = many_rows(&n, 200000), *packed = malloc(cap);
    const char *path = write_bytes("g.jsonl.gz", packed, pack_gz(packed, cap, text, n));
    size_t before, peak, first_peak = 0;
    gg_context *c;
    assert_int_equal(gg_context_create(&c, NULL), GG_OK);
    before = gg_context_bytes(c, NULL);
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, c, path), GG_OK);
    int64_t allocations = 0;
    for (int i = 0; gg_rows_next(r, &row) == GG_OK; i++) {
        if (i == 20000) {
            gg_context_bytes(c, &first_peak);
            allocations = gg_context_allocations(c);
        }
        json_decref(row);
    }
    assert_int_equal(gg_context_allocations(c), allocations);
    gg_rows_close(r);
    gg_context_bytes(c, &peak);
    assert_int_equal(peak, first_peak);
    assert_int_equal(gg_context_bytes(c, NULL), before);
    gg_context_free(c);
    free(packed);
    free(text);
}

static void what_is_written_reads_back_the_same(void **state)
{
    (void)state;
    static const char *const names[] = {"w.jsonl", "w.jsonl.gz", "w.jsonl.zst"};
    static const char *const lines[] = {"{\"z\":1,\"a\":\"tab\\tquote\\\" back\\\\ \\u0001\\u0000 \xC3\xA9\",\"n\":null}", "{\"l\":[[],{},[1,[2]],true,false]}",
                                        "{}"};
    for (size_t f = 0; f < 3; f++) {
        gg_rows_writer *w;
        assert_int_equal(gg_rows_writer_open(&w, ctx, at(names[f])), GG_OK);
        for (int i = 0; i < 9000; i++) {
            json_t *row = json_loads(lines[i % 3], JSON_ALLOW_NUL, NULL);
            assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
            json_decref(row);
        }
        assert_int_not_equal(access(at(names[f]), F_OK), 0); /* not there before it is whole */
        assert_int_equal(gg_rows_writer_commit(w), GG_OK);
        gg_rows *r;
        json_t *row;
        int i = 0;
        assert_int_equal(gg_rows_open(&r, ctx, at(names[f])), GG_OK);
        for (; gg_rows_next(r, &row) == GG_OK; i++) {
            json_t *want = json_loads(lines[i % 3], JSON_ALLOW_NUL, NULL);
            assert_true(json_equal(row, want));
            json_decref(want);
            json_decref(row);
        }
        assert_int_equal(i, 9000);
        gg_rows_close(r);
    }
}

static void doubles_come_back_bit_for_bit_and_short(void **state)
{
    (void)state;
    static const struct {
        double x;
        const char *text;
    } known[] = {{0.1, "{\"x\":0.1}\n"}, {1, "{\"x\":1.0}\n"}, {1e22, "{\"x\":1e+22}\n"}, {-0.0, "{\"x\":-0.0}\n"}, {1.0 / 3, "{\"x\":0.3333333333333333}\n"},
                 {5e-324, "{\"x\":4.94065645841247e-324}\n"}, {0.1 + 0.2, "{\"x\":0.30000000000000004}\n"}};
    gg_rows_writer *w;
    gg_rows *r;
    json_t *row;
    char bytes[100] = "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal(gg_rows_writer_open(&w, ctx, at("x.jsonl")), GG_OK);
        row = json_pack("{s:f}", "x", known[i].x);
        assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
        json_decref(row);
        assert_int_equal(gg_rows_writer_commit(w), GG_OK);
        FILE *f = fopen(at("x.jsonl"), "r");
        assert_non_null(fgets(bytes, sizeof bytes, f));
        fclose(f);
        assert_string_equal(bytes, known[i].text);
    }
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("x.jsonl")), GG_OK);
    uint64_t bits = 88172645463325252u;
    double xs[2000];
    for (int i = 0; i < 2000; i++) {
        do {
            bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
            memcpy(&xs[i], &bits, 8);
        } while (!isfinite(xs[i]));
        row = json_pack("{s:f}", "x", xs[i]);
        assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
        json_decref(row);
    }
    assert_int_equal(gg_rows_writer_commit(w), GG_OK);
    assert_int_equal(gg_rows_open(&r, ctx, at("x.jsonl")), GG_OK);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(gg_rows_next(r, &row), GG_OK);
        double back = json_real_value(json_object_get(row, "x"));
        assert_memory_equal(&back, &xs[i], 8);
        json_decref(row);
    }
    gg_rows_close(r);
}

static void a_writer_discarded_leaves_nothing(void **state)
{
    (void)state;
    gg_rows_writer *w;
    json_t *row = json_pack("{s:i}", "a", 1), *list = json_array();
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("gone.jsonl.zst")), GG_OK);
    assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
    assert_int_equal(gg_rows_writer_add(w, list), GG_EINVAL);
    gg_rows_writer_discard(w);
    assert_int_not_equal(access(at("gone.jsonl.zst"), F_OK), 0);
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("x.docx")), GG_EUNSUPPORTED);
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("no/such/folder/x.jsonl")), GG_ENOENT);
    json_decref(row);
    json_decref(list);
}

static void a_folder_gives_its_texts_in_order(void **state)
{
    (void)state;
    mkdir(at("texts"), 0755);
    mkdir(at("texts/b"), 0755);
    mkdir(at("texts/b/.hidden"), 0755);
    write_text_file("texts/b/two.txt", "\xEF\xBB\xBFsecond\r\nline\xFF");
    write_text_file("texts/c.txt", "");
    write_text_file("texts/a.txt", "first");
    write_text_file("texts/b/.hidden/x.txt", "no");
    write_text_file("texts/notes.md", "no");
    assert_int_equal(symlink("..", at("texts/b/ring")), 0);
    expect_rows(at("texts"),
                "{\"docid\":\"a\",\"doc\":\"first\"}\n{\"docid\":\"b/two\",\"doc\":\"second\\r\\nline\xEF\xBF\xBD\"}\n{\"docid\":\"c\",\"doc\":\"\"}\n");
    expect_rows(at("texts/b/two.txt"), "{\"docid\":\"two\",\"doc\":\"second\\r\\nline\xEF\xBF\xBD\"}\n");
    char packed[200];
    expect_rows(write_bytes("one.v2.txt.gz", packed, pack_gz(packed, sizeof packed, "packed", 6)), "{\"docid\":\"one.v2\",\"doc\":\"packed\"}\n");
    mkdir(at("bare"), 0755);
    gg_status end;
    free(all_rows(&end, at("bare")));
    assert_int_equal(end, GG_ENOENT);
    expect_message("no .txt file");
}

/* Rows go in through standard input, compressed, a few bytes at a time, and out through standard output. */
static void a_dash_is_standard_input_and_output(void **state)
{
    (void)state;
    const char *text = "{\"a\":1}\n{\"a\":\"\xC3\xA9\"}\n";
    char packed[256], got[256] = "";
    size_t n = pack_zst(packed, sizeof packed, text, strlen(text));
    int ends[2], stdin_was = dup(STDIN_FILENO), stdout_was = dup(STDOUT_FILENO);
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(write(ends[1], packed + i, 1), 1);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    gg_rows *r = NULL;
    gg_rows_writer *w = NULL;
    json_t *row;
    FILE *out = fopen(at("stdout"), "w+b");
    fflush(stdout);
    dup2(fileno(out), STDOUT_FILENO);
    gg_status opened = gg_rows_open(&r, ctx, "-"), s = opened == GG_OK ? gg_rows_writer_open(&w, ctx, "-") : opened;
    while (s == GG_OK && (s = gg_rows_next(r, &row)) == GG_OK) {
        s = gg_rows_writer_add(w, row);
        json_decref(row);
    }
    gg_status committed = w ? gg_rows_writer_commit(w) : s;
    dup2(stdout_was, STDOUT_FILENO);
    dup2(stdin_was, STDIN_FILENO);
    close(stdout_was);
    close(stdin_was);
    assert_int_equal(s, GG_END);
    assert_int_equal(committed, GG_OK);
    assert_string_equal(gg_rows_path(r), "standard input");
    gg_rows_close(r);
    rewind(out);
    got[fread(got, 1, sizeof got - 1, out)] = 0;
    fclose(out);
    assert_string_equal(got, text);
}

static gg_status read_and_write(gg_context *c) { return pass_rows(c, at("oom.jsonl.gz"), at("oom-out.jsonl.gz")); }

static void every_allocation_of_reading_and_writing_may_fail(void **state)
{
    (void)state;
    char packed[4096];
    const char *text = "{\"a\":\"\xFF\\ud800\",\"b\":18446744073709551616}\n{\"c\":[1,2,3]}\n";
    write_bytes("oom.jsonl.gz", packed, pack_gz(packed, sizeof packed, text, strlen(text)));
    every_allocation_may_fail(read_and_write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_keep_their_keys_order_and_values),
        cmocka_unit_test(lines_are_counted_with_the_blank_ones),
        cmocka_unit_test(what_cannot_be_text_becomes_fffd_and_is_counted),
        cmocka_unit_test(integers_beyond_64_bits_become_doubles),
        cmocka_unit_test(reading_agrees_with_jansson),
        cmocka_unit_test(writing_agrees_with_jansson),
        cmocka_unit_test(damaged_lines_are_told_with_file_line_and_column),
        cmocka_unit_test(compressed_streams_of_several_members_are_one),
        cmocka_unit_test(damaged_compressed_streams_are_told_with_the_byte),
        cmocka_unit_test(a_line_of_50_megabytes_is_a_row),
        cmocka_unit_test(memory_does_not_grow_with_the_file),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(doubles_come_back_bit_for_bit_and_short),
        cmocka_unit_test(a_writer_discarded_leaves_nothing),
        cmocka_unit_test(a_folder_gives_its_texts_in_order),
        cmocka_unit_test(a_dash_is_standard_input_and_output),
        cmocka_unit_test(every_allocation_of_reading_and_writing_may_fail),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
