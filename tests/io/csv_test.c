/* CSV and TSV against Python's csv module (tests/golden/csv), and what golgi adds: repairs, line numbers, one window at a time. */
#include "support.h"

/* Rows of the file as Python would list them: [[names], [values], ...]; NULL when it was refused. */
static json_t *as_lists(gg_status *end, const char *path)
{
    gg_rows *r = NULL;
    *end = gg_rows_open(&r, ctx, path);
    if (*end != GG_OK)
        return NULL;
    json_t *all = json_array(), *row;
    while ((*end = gg_rows_next(r, &row)) == GG_OK) {
        json_t *names = json_array(), *values = json_array(), *v;
        const char *key;
        json_object_foreach(row, key, v)
        {
            json_array_append_new(names, json_string(key));
            json_array_append(values, v);
        }
        if (json_array_size(all) == 0)
            json_array_append(all, names);
        json_array_append_new(all, values);
        json_decref(names);
        json_decref(row);
    }
    gg_rows_close(r);
    if (*end == GG_END)
        return all;
    json_decref(all);
    return NULL;
}

static void reading_agrees_with_python(void **state)
{
    (void)state;
    gg_rows *cases;
    json_t *c;
    int n_read = 0, n_refused = 0;
    assert_int_equal(gg_rows_open(&cases, ctx, "tests/golden/csv/cases.jsonl"), GG_OK);
    while (gg_rows_next(cases, &c) == GG_OK) {
        const char *text = json_string_value(json_object_get(c, "text"));
        bool tab = json_string_value(json_object_get(c, "separator"))[0] == '\t';
        const char *path = write_text_file(tab ? "case.tsv" : "case.csv", text);
        json_t *want = json_object_get(c, "rows");
        gg_status end;
        json_t *got = as_lists(&end, path);
        if (json_is_null(want)) {
            if (end != GG_EFORMAT)
                fail_msg("line %lld must be refused", (long long)gg_rows_line(cases));
            n_refused++;
        } else {
            if (!got)
                fail_msg("line %lld: %s", (long long)gg_rows_line(cases), gg_message(ctx));
            if (json_array_size(want) > 1 ? !json_equal(got, want) : json_array_size(got) != 0)
                fail_msg("line %lld: %s", (long long)gg_rows_line(cases), json_dumps(got, 0));
            n_read++;
        }
        json_decref(got);
        json_decref(c);
    }
    gg_rows_close(cases);
    assert_true(n_read > 200 && n_refused > 200);
}

static void writing_agrees_with_python(void **state)
{
    (void)state;
    gg_rows *cases;
    json_t *c;
    int n = 0;
    assert_int_equal(gg_rows_open(&cases, ctx, "tests/golden/csv/cases.jsonl"), GG_OK);
    for (; gg_rows_next(cases, &c) == GG_OK; json_decref(c)) {
        json_t *rows = json_object_get(c, "rows");
        if (json_array_size(rows) < 2) /* without a row nobody knows the names */
            continue;
        const char *path = at(json_string_value(json_object_get(c, "separator"))[0] == '\t' ? "w.tsv" : "w.csv");
        gg_rows_writer *w;
        assert_int_equal(gg_rows_writer_open(&w, ctx, path), GG_OK);
        json_t *names = json_array_get(rows, 0);
        for (size_t i = 1; i < json_array_size(rows); i++) {
            json_t *row = json_object();
            for (size_t k = 0; k < json_array_size(names); k++)
                json_object_set(row, json_string_value(json_array_get(names, k)), json_array_get(json_array_get(rows, i), k));
            assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
            json_decref(row);
        }
        assert_int_equal(gg_rows_writer_commit(w), GG_OK);
        char got[4096] = "";
        FILE *f = fopen(path, "rb");
        got[fread(got, 1, sizeof got - 1, f)] = 0;
        fclose(f);
        assert_string_equal(got, json_string_value(json_object_get(c, "write")));
        n++;
    }
    gg_rows_close(cases);
    assert_true(n > 100);
}

static void damage_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "bad.csv: empty; the first line must name the columns"},
        {"a,b\n1,2\n1\n", "bad.csv:3: 1 values, but the first line names 2 columns"},
        {"a,b\n\"1\n\n2\",2\n1,2,3\n", "bad.csv:5: 3 values"},
        {"a,b\n\n1,\"x\ny\n", "bad.csv:3: the quote opened here (value 2 of its row) is never closed"},
        {"a,b\n1,\"x\n\"y\n", "bad.csv:3: value 2 goes on behind its closing quote"},
        {"a,b,a\n", "bad.csv:1: two columns are named \"a\""},
        {"\xFF\xFE" "a\0", "UTF-16LE"},
    };
    gg_status end;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(as_lists(&end, write_text_file("bad.csv", cases[i].text)));
        assert_int_equal(end, GG_EFORMAT);
        expect_message(cases[i].message);
    }
    assert_null(as_lists(&end, write_bytes("bad.csv", "a,b\0c\n1,2\n", 10)));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("the name of column 2 has a NUL");
}

static void marks_and_bad_bytes_are_put_right(void **state)
{
    (void)state;
    expect_rows(write_text_file("bom.csv", "\xEF\xBB\xBF\"docid\",doc\r\nx,caf\xE9\r\n"), "{\"docid\":\"x\",\"doc\":\"caf\xEF\xBF\xBD\"}\n");
    expect_rows(write_text_file("names.csv", "na\xFFme\nx\n"), "{\"na\xEF\xBF\xBDme\":\"x\"}\n");
    expect_rows(write_bytes("nul.csv", "a\nx\0y\n", 6), "{\"a\":\"x\\u0000y\"}\n");
    char packed[200];
    expect_rows(write_bytes("z.tsv.zst", packed, pack_zst(packed, sizeof packed, "a\tb\n1\t\"2\"\n", 10)), "{\"a\":\"1\",\"b\":\"2\"}\n");
}

/* Fields with line ends, quotes and separators fall on every border of the reader's windows. */
static void a_record_may_lie_across_windows(void **state)
{
    (void)state;
    size_t cap = 4 << 20, at = 0;
    char *text = malloc(cap);
    at += (size_t)sprintf(text, "i,x,y\r\n");
    int n = 0;
    while (at < cap - 1000) {
        at += (size_t)sprintf(text + at, "%d,\"%.*s\"\"\r\n,\",%.*s\r\n", n, n % 97,
                              "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789", n % 13, "abcdefghijklm");
        n++;
    }
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, write_bytes("long.csv", text, at)), GG_OK);
    for (int i = 0; i < n; i++) {
        char want[128];
        assert_int_equal(gg_rows_next(r, &row), GG_OK);
        assert_int_equal(gg_rows_line(r), 2 + 2 * i);
        assert_int_equal(atoi(json_string_value(json_object_get(row, "i"))), i);
        snprintf(want, sizeof want, "%.*s\"\r\n,", i % 97,
                 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
        assert_string_equal(json_string_value(json_object_get(row, "x")), want);
        assert_int_equal(json_string_length(json_object_get(row, "y")), i % 13);
        json_decref(row);
    }
    assert_int_equal(gg_rows_next(r, &row), GG_END);
    gg_rows_close(r);
    free(text);
}

static void values_that_are_no_texts_are_written_as_json(void **state)
{
    (void)state;
    gg_rows_writer *w;
    json_t *row = json_pack("{s:i,s:f,s:b,s:n,s:[i,s],s:s}", "i", 7, "x", 0.1, "t", 1, "n", "l", 1, "b", "s", "q\"t"), *other = json_pack("{s:i}", "new", 1),
           *few_columns = json_pack("{s:s}", "s", "");
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("v.csv")), GG_OK);
    assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
    assert_int_equal(gg_rows_writer_add(w, few_columns), GG_OK);
    assert_int_equal(gg_rows_writer_add(w, other), GG_EMISMATCH);
    expect_message("row 3 has the column \"new\", which the first row lacks");
    assert_int_equal(gg_rows_writer_commit(w), GG_OK);
    expect_rows(at("v.csv"), "{\"i\":\"7\",\"x\":\"0.1\",\"t\":\"true\",\"n\":\"\",\"l\":\"[1,\\\"b\\\"]\",\"s\":\"q\\\"t\"}\n"
                                    "{\"i\":\"\",\"x\":\"\",\"t\":\"\",\"n\":\"\",\"l\":\"\",\"s\":\"\"}\n");
    json_decref(row);
    json_decref(other);
    json_decref(few_columns);
}

static gg_status read_and_write(gg_context *c) { return pass_rows(c, at("oom.csv"), at("oom-out.tsv.zst")); }

static void memory_may_run_out_at_any_point(void **state)
{
    (void)state;
    write_text_file("oom.csv", "a,b\n\"x\"\"\ny\",\xFF\n1,2\n");
    every_allocation_may_fail(read_and_write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_agrees_with_python),
        cmocka_unit_test(writing_agrees_with_python),
        cmocka_unit_test(damage_is_told_with_its_line),
        cmocka_unit_test(marks_and_bad_bytes_are_put_right),
        cmocka_unit_test(a_record_may_lie_across_windows),
        cmocka_unit_test(values_that_are_no_texts_are_written_as_json),
        cmocka_unit_test(memory_may_run_out_at_any_point),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
