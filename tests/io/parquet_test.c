/* Parquet: read as pyarrow wrote it (tests/golden/parquet), written and read back, damaged on purpose. */
#include "support.h"

/* Said and left: cmocka's own skip() reads "not ok" to those who count. */
#define NEEDS_ARROW()                                                                      \
    do {                                                                                   \
        (void)state;                                                                       \
        if (!gg_rows_parquet()) {                                                          \
            print_message("# skipped: this build has no Arrow, so it knows no Parquet\n"); \
            return;                                                                        \
        }                                                                                  \
    } while (0)

static void without_arrow_it_is_said_what_to_do(void **state)
{
    (void)state;
    if (gg_rows_parquet())
        return;
    gg_rows *r;
    gg_rows_writer *w;
    assert_int_equal(gg_rows_open(&r, ctx, "tests/golden/parquet/nag.parquet"), GG_EUNSUPPORTED);
    expect_message("tools/setup");
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("x.parquet")), GG_EUNSUPPORTED);
    expect_message("tools/setup");
}

/* Both files hold the same rows; the column `without` aside (NULL: all). */
static void expect_same(const char *path, const char *want_path, const char *without)
{
    gg_rows *got_rows = NULL, *want_rows = NULL;
    json_t *got, *want;
    gg_status s;
    int64_t n = 0;
    if (gg_rows_open(&got_rows, ctx, path) != GG_OK || gg_rows_open(&want_rows, ctx, want_path) != GG_OK)
        fail_msg("%s", gg_message(ctx));
    while ((s = gg_rows_next(want_rows, &want)) == GG_OK) {
        if (gg_rows_next(got_rows, &got) != GG_OK)
            fail_msg("row %lld: %s", (long long)n + 1, gg_message(ctx));
        assert_int_equal(gg_rows_line(got_rows), ++n);
        json_object_del(got, without);
        json_object_del(want, without);
        char *a = json_dumps(got, JSON_COMPACT), *b = json_dumps(want, JSON_COMPACT);
        assert_string_equal(a, b); /* the order of columns too */
        free(a);
        free(b);
        json_decref(got);
        json_decref(want);
    }
    assert_int_equal(s, GG_END);
    assert_int_equal(gg_rows_next(got_rows, &got), GG_END);
    gg_rows_close(got_rows);
    gg_rows_close(want_rows);
}

static void every_kind_of_column_is_read_as_pyarrow_meant_it(void **state)
{
    NEEDS_ARROW();
    expect_same("tests/golden/parquet/types.parquet", "tests/golden/parquet/types.jsonl", NULL);
    expect_same("tests/golden/parquet/nag.parquet", "tests/golden/parquet/nag.jsonl", NULL);
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, "tests/golden/parquet/types.parquet"), GG_OK);
    while (gg_rows_next(r, &row) == GG_OK)
        json_decref(row);
    assert_int_equal(gg_rows_repaired(r), 2);
    gg_rows_close(r);
}

static void a_dotted_name_reaches_into_a_struct(void **state)
{
    NEEDS_ARROW();
    const char *path = "tests/golden/parquet/types.parquet";
    gg_documents *d;
    gg_document doc;
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, &(gg_documents_options){.id_column = "meta.docid"}), GG_OK);
    assert_int_equal(gg_documents_next(d, &doc), GG_OK);
    assert_string_equal(doc.docid, "m");
    json_decref(doc.row);
    assert_int_equal(gg_documents_next(d, &doc), GG_EFORMAT);
    expect_message("types.parquet:2: column meta.docid: the docid is missing");
    gg_documents_close(d);
}

static void copy_rows(const char *to, const char *from, const char *without)
{
    gg_rows *r;
    gg_rows_writer *w;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, from), GG_OK);
    assert_int_equal(gg_rows_writer_open(&w, ctx, to), GG_OK);
    while (gg_rows_next(r, &row) == GG_OK) {
        json_object_del(row, without);
        if (gg_rows_writer_add(w, row) != GG_OK)
            fail_msg("%s", gg_message(ctx));
        json_decref(row);
    }
    gg_rows_close(r);
    if (gg_rows_writer_commit(w) != GG_OK)
        fail_msg("%s", gg_message(ctx));
}

static void what_is_written_reads_back_the_same(void **state)
{
    NEEDS_ARROW();
    copy_rows(at("nag.parquet"), "tests/golden/parquet/nag.jsonl", NULL);
    expect_same(at("nag.parquet"), "tests/golden/parquet/nag.jsonl", NULL);
    copy_rows(at("types.parquet"), "tests/golden/parquet/types.parquet", "u64"); /* integers and doubles: all would become doubles */
    expect_same(at("types.parquet"), "tests/golden/parquet/types.jsonl", "u64");
}

static void many_rows_pass_through_batches_and_row_groups(void **state)
{
    NEEDS_ARROW();
    const int n = 70000; /* more than a row group's 65,536, many batches of 1,024 */
    gg_rows_writer *w;
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("many.parquet")), GG_OK);
    for (int i = 0; i < n; i++) {
        json_t *row = i % 3 ? json_pack("{s:i,s:s,s:[i,i]}", "i", i, "t", "text\xC3\xA9", "l", i, -i) : json_pack("{s:i,s:n}", "i", i, "t");
        assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
        json_decref(row);
    }
    assert_int_equal(gg_rows_writer_commit(w), GG_OK);
    gg_rows *r;
    json_t *row;
    assert_int_equal(gg_rows_open(&r, ctx, at("many.parquet")), GG_OK);
    for (int i = 0; i < n; i++) {
        assert_int_equal(gg_rows_next(r, &row), GG_OK);
        assert_int_equal(json_integer_value(json_object_get(row, "i")), i);
        assert_int_equal(json_is_null(json_object_get(row, "t")), i % 3 == 0);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(row, "l"), 1)), i % 3 ? -i : 0);
        json_decref(row);
    }
    assert_int_equal(gg_rows_next(r, &row), GG_END);
    gg_rows_close(r);
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("none.parquet")), GG_OK); /* no rows at all */
    assert_int_equal(gg_rows_writer_commit(w), GG_OK);
    assert_int_equal(gg_rows_open(&r, ctx, at("none.parquet")), GG_OK);
    assert_int_equal(gg_rows_next(r, &row), GG_END);
    gg_rows_close(r);
}

/* Adds a row of JSON text to the writer. */
static gg_status add(gg_rows_writer *w, const char *text)
{
    json_t *row = json_loads(text, 0, NULL);
    assert_non_null(row);
    gg_status s = gg_rows_writer_add(w, row);
    json_decref(row);
    return s;
}

static void columns_have_one_type(void **state)
{
    NEEDS_ARROW();
    gg_rows_writer *w;
    assert_int_equal(gg_rows_writer_open(&w, ctx, at("t.parquet")), GG_OK);
    assert_int_equal(add(w, "{\"a\":null,\"b\":1,\"c\":[],\"d\":null}"), GG_OK);
    assert_int_equal(add(w, "{\"a\":\"x\",\"b\":2.5,\"e\":{\"k\":[1]}}"), GG_OK);
    assert_int_equal(add(w, "{\"a\":1}"), GG_EMISMATCH);
    expect_message("row 3, column a: an integer, but a text in the rows before");
    assert_int_equal(add(w, "{\"e\":{\"k\":[\"s\"]}}"), GG_EMISMATCH);
    expect_message("column e.k");
    gg_rows_writer_discard(w);
    assert_int_not_equal(access(at("t.parquet"), F_OK), 0);

    assert_int_equal(gg_rows_writer_open(&w, ctx, at("t.parquet")), GG_OK);
    for (int i = 0; i < 1024; i++)
        assert_int_equal(add(w, "{\"a\":\"x\",\"b\":1,\"m\":{\"k\":1.5}}"), GG_OK);
    assert_int_equal(add(w, "{\"a\":\"x\",\"new\":1}"), GG_EMISMATCH); /* the schema stands now */
    expect_message("row 1025, column new: not there in the first rows");
    gg_rows_writer_discard(w);

    assert_int_equal(gg_rows_writer_open(&w, ctx, at("t.parquet")), GG_OK);
    assert_int_equal(add(w, "{\"a\":2.5}"), GG_OK);
    assert_int_equal(add(w, "{\"a\":9007199254740993}"), GG_OK);
    assert_int_equal(gg_rows_writer_commit(w), GG_EMISMATCH); /* digits are not lost in silence */
    expect_message("row 2, column a: an integer that a double does not hold exactly");

    assert_int_equal(gg_rows_writer_open(&w, ctx, at("t.parquet")), GG_OK);
    assert_int_equal(add(w, "{\"a\":{}}"), GG_OK);
    assert_int_equal(gg_rows_writer_commit(w), GG_EUNSUPPORTED);
    expect_message("column a: objects without members");
    assert_int_not_equal(access(at("t.parquet"), F_OK), 0);
}

static void damaged_files_are_refused_or_read_but_never_worse(void **state)
{
    NEEDS_ARROW();
    static const char *const names[] = {"tests/golden/parquet/types.parquet", "tests/golden/parquet/nag.parquet"};
    gg_status end;
    unsigned x = 7;
    int refused = 0;
    for (int f = 0; f < 2; f++) {
        char bytes[1 << 15];
        FILE *in = fopen(names[f], "rb");
        size_t n = fread(bytes, 1, sizeof bytes, in);
        fclose(in);
        for (size_t cut = 0; cut < n; cut += n / 20) {
            free(all_rows(&end, write_bytes("cut.parquet", bytes, cut)));
            assert_int_not_equal(end, GG_END);
            expect_message("cut.parquet");
        }
        for (int i = 0; i < 400; i++) {
            char copy[1 << 15];
            memcpy(copy, bytes, n);
            for (int k = 0; k <= i % 3; k++) {
                x = x * 1664525u + 1013904223u;
                copy[(x >> 8) % n] = (char)(x >> 3);
            }
            free(all_rows(&end, write_bytes("hit.parquet", copy, n)));
            refused += end != GG_END;
        }
    }
    assert_true(refused > 50);
    free(all_rows(&end, at("nothing.parquet")));
    assert_int_equal(end, GG_ENOENT);
    free(all_rows(&end, write_text_file("text.parquet", "docid,doc\n1,this is no Parquet file at all\n")));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("text.parquet: Parquet: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arrow_it_is_said_what_to_do),
        cmocka_unit_test(every_kind_of_column_is_read_as_pyarrow_meant_it),
        cmocka_unit_test(a_dotted_name_reaches_into_a_struct),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(many_rows_pass_through_batches_and_row_groups),
        cmocka_unit_test(columns_have_one_type),
        cmocka_unit_test(damaged_files_are_refused_or_read_but_never_worse),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
