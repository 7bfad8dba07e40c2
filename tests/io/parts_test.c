/* Inputs cut into parts: whatever the size, each row once and in order; who gets which; what a part's hash sees; pipes that stall. */
#include "support.h"
#include "io/parts.h"
#include "base/input.h"
#include <fcntl.h>
#include <stdint.h>

/* All rows of all parts, one a line, as a run over the parts in their order meets them. */
static char *rows_of_parts(const char *const *paths, int n_paths, int64_t bytes, int64_t *n_parts)
{
    gg_parts p;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (gg_parts_cut(&p, ctx, paths, n_paths, bytes) != GG_OK)
        fail_msg("%s", gg_message(ctx));
    for (int64_t i = 0; i < p.n; i++) {
        gg_rows_part exact;
        gg_rows *r = NULL;
        json_t *row;
        gg_status s;
        if (gg_part_settle(&exact, ctx, &p.at[i]) != GG_OK || gg_rows_open_part(&r, ctx, p.at[i].path, exact) != GG_OK)
            fail_msg("%s", gg_message(ctx));
        while ((s = gg_rows_next(r, &row)) == GG_OK) {
            json_dumpf(row, f, JSON_COMPACT);
            fputc('\n', f);
            json_decref(row);
        }
        if (s != GG_END)
            fail_msg("parts of %lld bytes, part %lld: %s", (long long)bytes, (long long)i, gg_message(ctx));
        gg_rows_close(r);
    }
    *n_parts = p.n;
    gg_parts_free(&p, ctx);
    fclose(f);
    return text;
}

static const char *const lines = "\xEF\xBB\xBF{\"a\":1}\n{\"a\":\"a longer line, longer than several of the smaller parts that are tried\"}\n"
                                 "\n\n   \r\n{\"a\":2}\r\n{\"b\":[]}\n{\"c\":3}\n\n{\"last\":\"without its end\"}";

static void every_size_gives_each_line_once_and_in_order(void **state)
{
    (void)state;
    const char *path = write_text_file("lines.jsonl", lines), *ended = write_text_file("ended.ndjson", "{\"x\":1}\n{\"x\":2}\n");
    const char *const paths[] = {path, ended, path};
    const int64_t size = (int64_t)strlen(lines);
    int64_t n, most = 0;
    char *want = rows_of_parts(paths, 3, 1 << 20, &n);
    assert_int_equal(n, 3);
    for (int64_t bytes = 1; bytes <= size + 1; bytes++) {
        char *got = rows_of_parts(paths, 3, bytes, &n);
        if (strcmp(got, want) != 0)
            fail_msg("parts of %lld bytes:\n%s\nwhole:\n%s", (long long)bytes, got, want);
        free(got);
        assert_true(n >= 2 * ((size + bytes - 1) / bytes) + 1); /* none is larger than was asked for */
        most = n > most ? n : most;
    }
    assert_true(most > 2 * size);
    free(want);
}

static void what_cannot_be_entered_in_its_middle_is_one_part(void **state)
{
    (void)state;
    char packed[4096];
    gg_parts p;
    size_t n = pack_gz(packed, sizeof packed, lines, strlen(lines));
    const char *gz = write_bytes("a.jsonl.gz", packed, n), *hidden = write_bytes("hidden.jsonl", packed, n);
    n = pack_zst(packed, sizeof packed, lines, strlen(lines));
    const char *zst = write_bytes("a.jsonl.zst", packed, n);
    const char *csv = write_text_file("a.csv", "docid,doc\n1,\"two\nlines\"\n2,x\n");
    const char *const paths[] = {gz, hidden, zst, csv, write_text_file("empty.jsonl", "")};
    assert_int_equal(gg_parts_cut(&p, ctx, paths, 5, 10), GG_OK);
    assert_int_equal(p.n, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(p.at[i].rows.to, 0);
    assert_true(p.at[2].weight > 2 * p.at[2].bytes); /* more text than bytes */
    gg_parts_free(&p, ctx);
    gg_rows *r = NULL;
    assert_int_equal(gg_rows_open_part(&r, ctx, csv, (gg_rows_part){3, 9}), GG_EUNSUPPORTED);
    expect_message("only JSONL and Parquet");
    assert_int_equal(gg_rows_open_part(&r, ctx, csv, (gg_rows_part){9, 3}), GG_EINVAL);
    const char *const standard[] = {"-"};
    assert_int_equal(gg_parts_cut(&p, ctx, standard, 1, 10), GG_EUNSUPPORTED);
    expect_message("standard input cannot be cut");
    const char *const missing[] = {gz, at("nothing.jsonl")};
    assert_int_equal(gg_parts_cut(&p, ctx, missing, 2, 10), GG_ENOENT);
    expect_message("nothing.jsonl: no such file or folder");
    assert_int_equal(gg_parts_cut(&p, ctx, paths, 1, 0), GG_EINVAL);
}

static void messages_of_a_part_say_where_it_begins(void **state)
{
    (void)state;
    const char *path =
        write_text_file("bad.jsonl", "{\"docid\":\"0\",\"doc\":\"x\"}\n{\"docid\":\"1\",\"doc\":\"x\"}\n{\"docid\":\"1\",\"doc\":\"y\"}\nnonsense\n");
    gg_documents *d = NULL;
    gg_document doc;
    const gg_documents_options o = {.part = {24, 81}};
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, &o), GG_OK);
    assert_int_equal(gg_documents_next(d, &doc), GG_OK);
    assert_string_equal(doc.docid, "1");
    json_decref(doc.row);
    assert_int_equal(gg_documents_next(d, &doc), GG_EFORMAT);
    expect_message("bad.jsonl (from byte 24):2: the docid \"1\" was already at ");
    expect_message("bad.jsonl (from byte 24):1;");
    gg_documents_close(d);
    const char *const two[] = {path, path};
    assert_int_equal(gg_documents_open(&d, ctx, two, 2, &o), GG_EINVAL);
    gg_in *in = NULL;
    assert_int_equal(gg_in_open_range(&in, ctx, path, 10, 1000), GG_EFORMAT); /* shorter than when it was cut */
    expect_message("became shorter");
    const gg_part gone = {.path = path, .rows = {0, 1000}};
    gg_rows_part exact;
    assert_int_equal(gg_part_settle(&exact, ctx, &gone), GG_EFORMAT);
}

static void parquet_is_cut_between_row_groups(void **state)
{
    (void)state;
    if (!gg_rows_parquet())
        return;
    gg_rows_writer *w = NULL;
    const char *path = at("groups.parquet");
    assert_int_equal(gg_rows_writer_open(&w, ctx, path), GG_OK);
    for (int i = 0; i < 140000; i++) { /* groups of 65536 rows */
        json_t *row = json_pack("{s:i}", "n", i);
        assert_int_equal(gg_rows_writer_add(w, row), GG_OK);
        json_decref(row);
    }
    assert_int_equal(gg_rows_writer_commit(w), GG_OK);
    gg_parts p;
    const int64_t sizes[] = {1, 300 << 10, 1 << 30}, counts[] = {3, 0, 1};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(gg_parts_cut(&p, ctx, &path, 1, sizes[k]), GG_OK);
        assert_true(counts[k] == 0 || p.n == counts[k]);
        json_int_t next = 0;
        char hash[65], before[65] = "";
        for (int64_t i = 0; i < p.n; i++) {
            gg_rows_part exact;
            gg_rows *r = NULL;
            json_t *row;
            assert_int_equal(gg_part_settle(&exact, ctx, &p.at[i]), GG_OK);
            assert_int_equal(gg_rows_open_part(&r, ctx, path, exact), GG_OK);
            gg_status s;
            while ((s = gg_rows_next(r, &row)) == GG_OK) {
                assert_int_equal(json_integer_value(json_object_get(row, "n")), next++);
                json_decref(row);
            }
            assert_int_equal(s, GG_END);
            gg_rows_close(r);
            assert_int_equal(gg_part_hash(hash, ctx, path, exact), GG_OK);
            assert_string_not_equal(hash, before);
            memcpy(before, hash, sizeof hash);
        }
        assert_int_equal(next, 140000);
        gg_parts_free(&p, ctx);
    }
    gg_rows *r = NULL;
    assert_int_equal(gg_rows_open_part(&r, ctx, path, (gg_rows_part){2, 5}), GG_EFORMAT);
    expect_message("3 row groups");
}

static void expect_list(const char *folder, const char *want)
{
    gg_parts p;
    char got[1024] = "";
    assert_int_equal(gg_parts_list(&p, ctx, &folder, 1), GG_OK);
    for (int64_t i = 0; i < p.n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", p.at[i].path + strlen(test_folder) + 1, i + 1 < p.n ? " " : "");
    gg_parts_free(&p, ctx);
    assert_string_equal(got, want);
}

static void a_folder_is_its_files_of_rows_in_the_order_of_their_paths(void **state)
{
    (void)state;
    mkdir(at("data"), 0777);
    mkdir(at("data/2024"), 0777);
    mkdir(at("data/_temporary"), 0777);
    const char *const names[] = {"data/b.jsonl", "data/a.csv.gz", "data/_SUCCESS", "data/.hidden.jsonl", "data/2024/z.parquet", "data/_temporary/x.jsonl",
                                 "data/dataset_info.json", "data/README.md", "data/c.json.gz"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_text_file(names[i], "x");
    expect_list(at("data"), "data/2024/z.parquet data/a.csv.gz data/b.jsonl data/c.json.gz");
    expect_list(at("data/"), "data/2024/z.parquet data/a.csv.gz data/b.jsonl data/c.json.gz");
    mkdir(at("json"), 0777);
    write_text_file("json/part-1.json", "{}");
    write_text_file("json/part-0.json", "{}");
    expect_list(at("json"), "json/part-0.json json/part-1.json"); /* as Spark writes them */
    mkdir(at("texts"), 0777);
    write_text_file("texts/a.txt", "x");
    expect_list(at("texts"), "texts");
    gg_parts p;
    assert_int_equal(gg_parts_list(&p, ctx, NULL, 0), GG_EINVAL);
}

static void shares_are_even_and_always_the_same(void **state)
{
    (void)state;
    enum { N = 1000 };
    gg_part *at = gg_new(ctx, gg_part, N);
    int32_t *shard = gg_new(ctx, int32_t, N), *again = gg_new(ctx, int32_t, N);
    for (int64_t i = 0; i < N; i++)
        at[i].weight = 1000 + i * 7919 % 997 * (i % 10 == 0 ? 50 : 1); /* some are far larger */
    const gg_parts p = {.n = N, .at = at};
    const int32_t counts[] = {1, 2, 3, 7, 16, 500, 1000, 3000};
    for (int k = 0; k < 8; k++) {
        assert_int_equal(gg_parts_assign(shard, ctx, &p, counts[k]), GG_OK);
        assert_int_equal(gg_parts_assign(again, ctx, &p, counts[k]), GG_OK);
        assert_memory_equal(shard, again, sizeof *shard * N);
        int64_t *load = gg_new(ctx, int64_t, counts[k]), total = 0, most = 0, largest = 0;
        for (int64_t i = 0; i < N; i++) {
            assert_true(shard[i] >= 0 && shard[i] < counts[k]);
            load[shard[i]] += at[i].weight;
            total += at[i].weight;
            largest = at[i].weight > largest ? at[i].weight : largest;
        }
        for (int32_t i = 0; i < counts[k]; i++)
            most = load[i] > most ? load[i] : most;
        const double best = (double)total / counts[k] > (double)largest ? (double)total / counts[k] : (double)largest;
        assert_true((double)most <= 4.0 / 3.0 * best + N);
        if (counts[k] <= 16)
            assert_true((double)most <= 1.01 * best);
        gg_drop(ctx, load);
    }
    gg_drop(ctx, at);
    gg_drop(ctx, shard);
    gg_drop(ctx, again);
}

static void a_parts_hash_sees_its_own_bytes_only(void **state)
{
    (void)state;
    char text[] = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", a[65], b[65], c[65];
    const char *path = write_text_file("h.jsonl", text);
    const gg_rows_part middle = {8, 16}, last = {16, 24};
    assert_int_equal(gg_part_hash(a, ctx, path, middle), GG_OK);
    assert_int_equal(gg_part_hash(c, ctx, path, last), GG_OK);
    text[21] = '4';
    write_text_file("h.jsonl", text);
    assert_int_equal(gg_part_hash(b, ctx, path, middle), GG_OK);
    assert_string_equal(a, b);
    assert_int_equal(gg_part_hash(b, ctx, path, last), GG_OK);
    assert_string_not_equal(c, b);
    mkdir(at("hashed"), 0777);
    write_text_file("hashed/1.txt", "one");
    assert_int_equal(gg_part_hash(a, ctx, at("hashed"), (gg_rows_part){0}), GG_OK);
    write_text_file("hashed/2.txt", "");
    assert_int_equal(gg_part_hash(b, ctx, at("hashed"), (gg_rows_part){0}), GG_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(gg_part_hash(a, ctx, at("no.jsonl"), (gg_rows_part){0}), GG_ENOENT);
    assert_string_equal(a, "");
    assert_int_equal(gg_part_hash(a, ctx, path, (gg_rows_part){16, 99}), GG_EFORMAT);
}

/* --- a pipe ------------------------------------------------------------------------------------------------------------------------- */
static void say(int fd, const char *text) { assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text)); }

static void expect_document(gg_documents *d, const char *docid)
{
    gg_document doc;
    assert_true(gg_documents_ready(d));
    assert_int_equal(gg_documents_next(d, &doc), GG_OK);
    assert_string_equal(doc.docid, docid);
    json_decref(doc.row);
}

static void a_pipe_is_ready_when_a_whole_line_is_there(void **state)
{
    (void)state;
    const char *path = at("pipe.jsonl");
    assert_int_equal(mkfifo(path, 0600), 0);
    const int fd = open(path, O_RDWR); /* both ends, so that nobody waits for the other to open */
    assert_true(fd >= 0);
    gg_documents *d = NULL;
    gg_document doc;
    say(fd, "{\"docid\":\"a\",\"doc\":\"x\"}\n{\"docid\":\"b\",\"do");
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, NULL), GG_OK);
    expect_document(d, "a");
    assert_false(gg_documents_ready(d)); /* half a line */
    assert_false(gg_documents_ready(d));
    say(fd, "c\":\"y\"}");
    assert_false(gg_documents_ready(d));
    say(fd, "\n\n  \n");
    expect_document(d, "b");
    assert_false(gg_documents_ready(d)); /* blank lines are no rows */
    say(fd, "{\"docid\":\"c\",\"doc\":\"z\"}\n{\"docid\":");
    expect_document(d, "c");
    assert_false(gg_documents_ready(d));
    gg_context_stop(ctx); /* and nobody waits for ever */
    assert_int_equal(gg_documents_next(d, &doc), GG_EINTR);
    gg_documents_close(d);
    close(fd);
}

static void the_end_of_a_pipe_is_ready(void **state)
{
    (void)state;
    int ends[2];
    const int kept = dup(0);
    assert_int_equal(pipe(ends), 0);
    say(ends[1], "{\"docid\":\"a\",\"doc\":\"x\"}\n{\"docid\":\"b\",\"doc\":\"y\"}");
    dup2(ends[0], 0);
    close(ends[0]);
    const char *path = "-";
    gg_documents *d = NULL;
    gg_document doc;
    assert_int_equal(gg_documents_open(&d, ctx, &path, 1, NULL), GG_OK);
    expect_document(d, "a");
    assert_false(gg_documents_ready(d));
    close(ends[1]);
    expect_document(d, "b");
    assert_true(gg_documents_ready(d));
    assert_int_equal(gg_documents_next(d, &doc), GG_END);
    gg_documents_close(d);
    dup2(kept, 0);
    close(kept);
}

static gg_status cut_and_read(gg_context *c)
{
    const char *const paths[] = {at("lines.jsonl"), at("data")};
    gg_parts p;
    int32_t shard[64];
    gg_rows_part exact;
    gg_rows *r = NULL;
    char hex[65];
    GG_TRY(gg_parts_cut(&p, c, paths, 2, 60));
    gg_status s = gg_parts_assign(shard, c, &p, 3);
    if (s == GG_OK)
        s = gg_part_settle(&exact, c, &p.at[1]);
    if (s == GG_OK)
        s = gg_part_hash(hex, c, p.at[1].path, exact);
    if (s == GG_OK)
        s = gg_rows_open_part(&r, c, p.at[1].path, exact);
    gg_rows_close(r);
    gg_parts_free(&p, c);
    return s;
}

static void allocations_may_fail(void **state)
{
    (void)state;
    write_text_file("lines.jsonl", lines);
    every_allocation_may_fail(cut_and_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_gives_each_line_once_and_in_order),
        cmocka_unit_test(what_cannot_be_entered_in_its_middle_is_one_part),
        cmocka_unit_test(messages_of_a_part_say_where_it_begins),
        cmocka_unit_test(parquet_is_cut_between_row_groups),
        cmocka_unit_test(a_folder_is_its_files_of_rows_in_the_order_of_their_paths),
        cmocka_unit_test(shares_are_even_and_always_the_same),
        cmocka_unit_test(a_parts_hash_sees_its_own_bytes_only),
        cmocka_unit_test(the_end_of_a_pipe_is_ready),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(a_pipe_is_ready_when_a_whole_line_is_there), /* last: it stops the context */
    };
    return cmocka_run_group_tests_name("parts", tests, io_setup, end_folder);
}
