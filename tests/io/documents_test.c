/* Documents: which columns, which ids, what is refused. */
#include "support.h"

/* "index docid token_num text|" of each document; the last status in *end. Freed by free(). */
static char *all_documents(gg_status *end, gg_documents **keep, const char *const *paths, int n_paths, const gg_documents_options *o)
{
    char *text = calloc(1, 1 << 16);
    gg_documents *d = NULL;
    *end = gg_documents_open(&d, ctx, paths, n_paths, o);
    gg_document doc;
    while (*end == GG_OK && (*end = gg_documents_next(d, &doc)) == GG_OK) {
        sprintf(text + strlen(text), "%lld %s %lld %s|", (long long)doc.index, doc.docid, (long long)doc.token_num, doc.text);
        json_decref(doc.row);
    }
    if (keep)
        *keep = d;
    else
        gg_documents_close(d);
    return text;
}

static void expect_documents(const char *path, const gg_documents_options *o, const char *want)
{
    gg_status end;
    char *got = all_documents(&end, NULL, &path, 1, o);
    if (end != GG_END)
        fail_msg("%s", gg_message(ctx));
    assert_string_equal(got, want);
    free(got);
}

static void expect_failure(const char *text, const gg_documents_options *o, gg_status want, const char *message)
{
    gg_status end;
    const char *path = write_text_file("bad.jsonl", text);
    free(all_documents(&end, NULL, &path, 1, o));
    if (end != want)
        fail_msg("%s: %s instead of %s: %s", text, gg_status_name(end), gg_status_name(want), gg_message(ctx));
    expect_message(message);
}

static void columns_have_defaults_in_a_fixed_order(void **state)
{
    (void)state;
    static const struct {
        const char *row, *want;
    } cases[] = {
        {"{\"text\":\"t\",\"doc\":\"d\",\"id\":\"i\",\"docid\":\"x\"}", "0 x -1 d|"},
        {"{\"content\":\"c\",\"content_split\":\"s\",\"id\":7,\"meta.docid\":\"m\"}", "0 m -1 s|"},
        {"{\"content\":\"c\",\"meta\":{\"docid\":\"inner\"},\"token_num\":12}", "0 inner 12 c|"},
        {"{\"meta\":{\"docid\":\"inner\"},\"meta.docid\":\"literal\",\"text\":\"t\"}", "0 literal -1 t|"},
        {"{\"id\":-9007199254740993,\"text\":\"t\",\"token_num\":3.0}", "0 -9007199254740993 3 t|"},
        {"{\"id\":12.0,\"text\":\"t\",\"token_num\":\"31\"}", "0 12 31 t|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_documents(write_text_file("c.jsonl", cases[i].row), NULL, cases[i].want);
}

static void named_columns_reach_into_objects(void **state)
{
    (void)state;
    const char *path = write_text_file("n.jsonl", "{\"a\":{\"b\":{\"c\":\"deep\"}},\"a.b\":{\"k\":\"half\"},\"n\":4,\"doc\":\"no\"}");
    expect_documents(path, &(gg_documents_options){.text_column = "a.b.c", .id_column = "a.b.k", .token_column = "n"}, "0 half 4 deep|");
}

static void an_id_that_is_a_number_becomes_text_in_the_row_too(void **state)
{
    (void)state;
    const char *path = write_text_file("i.jsonl", "{\"first\":1,\"meta\":{\"docid\":17,\"x\":2},\"text\":\"t\"}");
    gg_documents *d;
    gg_document doc;
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, NULL), GG_OK);
    assert_int_equal(gg_documents_next(d, &doc), GG_OK);
    gg_documents_close(d);
    char *row = json_dumps(doc.row, JSON_COMPACT); /* the document outlives its source */
    assert_string_equal(row, "{\"first\":1,\"meta\":{\"docid\":\"17\",\"x\":2},\"text\":\"t\"}");
    assert_string_equal(doc.docid, "17");
    free(row);
    json_decref(doc.row);
}

static void a_missing_column_lists_those_present(void **state)
{
    (void)state;
    expect_failure("{\"body\":\"x\",\"docid\":\"a\"}", NULL, GG_ENOENT, "bad.jsonl:1: no column doc, text, content_split or content; present: body, docid");
    expect_failure("{\"doc\":\"x\",\"name\":\"a\"}", NULL, GG_ENOENT, "no column docid, meta.docid or id; present: doc, name");
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\"}", &(gg_documents_options){.text_column = "txt"}, GG_ENOENT, "no column txt; present: doc, docid");
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\"}", &(gg_documents_options){.token_column = "n"}, GG_ENOENT, "no column n; present");
    expect_failure("{}", NULL, GG_ENOENT, "present: none");
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\"}\n{\"text\":\"x\",\"docid\":\"b\"}", NULL, GG_ENOENT, "bad.jsonl:2: no column doc;");
}

static void ids_must_be_there_and_differ(void **state)
{
    (void)state;
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\"}\n\n{\"doc\":\"x\"}", NULL, GG_EFORMAT, "bad.jsonl:3: column docid: the docid is missing");
    expect_failure("{\"doc\":\"x\",\"docid\":null}", NULL, GG_EFORMAT, "bad.jsonl:1: column docid: the docid is missing");
    expect_failure("{\"doc\":\"x\",\"docid\":\"\"}", NULL, GG_EFORMAT, "missing (an empty text)");
    expect_failure("{\"doc\":\"x\",\"docid\":[1]}", NULL, GG_EFORMAT, "the docid is a list");
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\\u0000b\"}", NULL, GG_EFORMAT, "NUL");
    expect_failure("{\"doc\":\"x\",\"docid\":18446744073709551615}", NULL, GG_EFORMAT, "write ids as texts");
    expect_failure("{\"doc\":\"x\",\"docid\":1.5}", NULL, GG_EFORMAT, "write ids as texts");
    expect_failure("{\"doc\":\"x\",\"docid\":\"a\"}\n{\"doc\":\"y\",\"docid\":\"b\"}\n\n{\"doc\":\"z\",\"docid\":\"a\"}", NULL, GG_EFORMAT,
                   "bad.jsonl:4: the docid \"a\" was already at");
    expect_message("bad.jsonl:1; ids must differ");
    expect_failure("{\"doc\":\"x\",\"docid\":\"7\"}\n{\"doc\":\"y\",\"docid\":7}", NULL, GG_EFORMAT, "bad.jsonl:2: the docid \"7\" was already");

    const char *paths[3] = {write_text_file("one.jsonl", "{\"doc\":\"x\",\"docid\":\"a\"}\n{\"doc\":\"x\",\"docid\":\"b\"}\n"),
                            write_text_file("two.csv", "docid,doc\nc,\"x\ny\"\nd,z\n"), write_text_file("three.jsonl", "{\"doc\":\"x\",\"docid\":\"d\"}\n")};
    gg_status end;
    free(all_documents(&end, NULL, paths, 3, NULL));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("three.jsonl:1: the docid \"d\" was already at");
    expect_message("two.csv:4");
}

static void many_ids_are_all_told_apart(void **state)
{
    (void)state;
    const int n = 100000;
    char *text = malloc((size_t)n * 40 + 100), *at = text;
    for (int i = 0; i < n; i++)
        at += sprintf(at, "{\"id\":%d,\"text\":\"x\"}\n", i);
    sprintf(at, "{\"id\":31415,\"text\":\"x\"}\n");
    const char *path = write_text_file("many.jsonl", text);
    free(text);
    gg_documents *d;
    gg_document doc;
    gg_status s;
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, NULL), GG_OK);
    int64_t read = 0;
    for (; (s = gg_documents_next(d, &doc)) == GG_OK; read++)
        json_decref(doc.row);
    gg_documents_close(d);
    assert_int_equal(read, n);
    assert_int_equal(s, GG_EFORMAT);
    expect_message("many.jsonl:100001: the docid \"31415\" was already at");
    expect_message("many.jsonl:31416;");
}

static void the_first_ids_are_remembered_and_memory_ends_there(void **state)
{
    (void)state;
    const int n = 20000;
    char *text = malloc((size_t)n * 40 + 100), *at = text;
    for (int i = 0; i < n; i++)
        at += sprintf(at, "{\"id\":%d,\"text\":\"x\"}\n", i < n - 1 ? i : 999); /* one of the first thousand comes again */
    const char *path = write_text_file("remembered.jsonl", text);
    free(text);
    size_t peak[2] = {0};
    for (int all = 0; all < 2; all++) {
        gg_documents *d = NULL;
        gg_document doc;
        gg_status s = gg_documents_open(&d, ctx, &path, 1, &(gg_documents_options){.remember = all ? 0 : 1000});
        while (s == GG_OK && (s = gg_documents_next(d, &doc)) == GG_OK) {
            json_decref(doc.row);
            const size_t now = gg_context_bytes(ctx, NULL);
            peak[all] = now > peak[all] ? now : peak[all];
        }
        gg_documents_close(d);
        assert_int_equal(s, GG_EFORMAT);
        expect_message("remembered.jsonl:20000: the docid \"999\" was already at");
    }
    assert_true(peak[1] - peak[0] >= (32768 - 2048) * 16);

    gg_status end; /* those that come later are compared with the first only */
    path = write_text_file("later.jsonl", "{\"id\":1,\"doc\":\"x\"}\n{\"id\":2,\"doc\":\"x\"}\n{\"id\":2,\"doc\":\"x\"}\n{\"id\":1,\"doc\":\"x\"}\n");
    free(all_documents(&end, NULL, &path, 1, &(gg_documents_options){.remember = 1}));
    assert_int_equal(end, GG_EFORMAT);
    expect_message("later.jsonl:4: the docid \"1\" was already");
}

static void empty_documents_are_passed_over_and_counted_or_refused(void **state)
{
    (void)state;
    const char *text = "{\"doc\":\"a\",\"docid\":\"1\"}\n{\"doc\":\"\",\"docid\":\"2\"}\n{\"doc\":\" \\n\\u00a0\",\"docid\":\"3\"}\n"
                       "{\"doc\":null,\"docid\":\"4\"}\n{\"doc\":\"b\\ud800\",\"docid\":\"5\"}\n";
    const char *path = write_text_file("e.jsonl", text);
    gg_status end;
    gg_documents *d;
    char *got = all_documents(&end, &d, &path, 1, NULL);
    assert_int_equal(end, GG_END);
    assert_string_equal(got, "0 1 -1 a|1 5 -1 b\xEF\xBF\xBD|");
    free(got);
    assert_int_equal(gg_documents_empty(d), 3);
    assert_int_equal(gg_documents_repaired(d), 1);
    int64_t done, total;
    gg_documents_position(d, &done, &total);
    assert_int_equal(total, strlen(text));
    assert_int_equal(done, total);
    gg_documents_close(d);
    expect_failure(text, &(gg_documents_options){.strict = true}, GG_EFORMAT, "bad.jsonl:2: the document \"2\" is empty");
}

static void values_of_the_wrong_kind_are_told(void **state)
{
    (void)state;
    expect_failure("{\"doc\":3,\"docid\":\"1\"}", NULL, GG_EFORMAT, "bad.jsonl:1: column doc: the text is a number");
    expect_failure("{\"doc\":\"x\",\"docid\":\"1\",\"token_num\":-1}", NULL, GG_EFORMAT, "column token_num");
    expect_failure("{\"doc\":\"x\",\"docid\":\"1\",\"token_num\":\"many\"}", NULL, GG_EFORMAT, "column token_num");
    expect_failure("{\"doc\":\"x\",\"docid\":\"1\",\"token_num\":1.5}", NULL, GG_EFORMAT, "column token_num");
    expect_failure("{\"doc\":\"x\",\"docid\":\"1\",\"n\":null}", &(gg_documents_options){.token_column = "n"}, GG_EFORMAT, "column n");
}

static void several_files_of_several_layouts_are_one_source(void **state)
{
    (void)state;
    mkdir(at("folder"), 0755);
    write_text_file("folder/z.txt", "zz");
    write_text_file("folder/y.txt", "");
    const char *paths[4] = {write_text_file("1.jsonl", "{\"text\":\"a\",\"id\":1}\n"), write_text_file("2.tsv", "docid\tdoc\ttoken_num\nb\tbb\t5\n"),
                            at("folder"), write_text_file("4.jsonl", "{\"text\":\"d\",\"docid\":\"dd\"}\n")};
    gg_status end;
    gg_documents *d;
    char *got = all_documents(&end, &d, paths, 4, NULL);
    assert_int_equal(end, GG_END);
    assert_string_equal(got, "0 1 -1 a|1 b 5 bb|2 z -1 zz|3 dd -1 d|");
    assert_int_equal(gg_documents_empty(d), 1);
    assert_int_equal(gg_documents_line(d), 1);
    assert_non_null(strstr(gg_documents_path(d), "4.jsonl"));
    free(got);
    gg_documents_close(d);
    paths[3] = at("missing.jsonl"); /* told before anything is read */
    assert_int_equal(gg_documents_open(&d, ctx, paths, 4, NULL), GG_ENOENT);
    expect_message("missing.jsonl");
    assert_int_equal(gg_documents_open(&d, ctx, paths, 0, NULL), GG_EINVAL);
}

static gg_status read_documents(gg_context *c)
{
    const char *paths[2] = {at("1.jsonl"), at("2.tsv")};
    gg_documents *d = NULL;
    gg_document doc;
    gg_status s = gg_documents_open(&d, c, paths, 2, &(gg_documents_options){.id_column = NULL, .text_column = NULL});
    while (s == GG_OK && (s = gg_documents_next(d, &doc)) == GG_OK)
        json_decref(doc.row);
    gg_documents_close(d);
    return s == GG_END ? GG_OK : s;
}

static void every_allocation_may_fail_and_nothing_leaks(void **state)
{
    (void)state;
    every_allocation_may_fail(read_documents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_have_defaults_in_a_fixed_order),
        cmocka_unit_test(named_columns_reach_into_objects),
        cmocka_unit_test(an_id_that_is_a_number_becomes_text_in_the_row_too),
        cmocka_unit_test(a_missing_column_lists_those_present),
        cmocka_unit_test(ids_must_be_there_and_differ),
        cmocka_unit_test(many_ids_are_all_told_apart),
        cmocka_unit_test(the_first_ids_are_remembered_and_memory_ends_there),
        cmocka_unit_test(empty_documents_are_passed_over_and_counted_or_refused),
        cmocka_unit_test(values_of_the_wrong_kind_are_told),
        cmocka_unit_test(several_files_of_several_layouts_are_one_source),
        cmocka_unit_test(every_allocation_may_fail_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, io_setup, end_folder);
}
