/* Reports, made by the program as a person would: whole, self-contained, with the figures that the output has; without gnuplot a warning and
 * no pictures; on failure no report. */
#include "cli/program.h"

static char page[1 << 20];
enum { N_DOCS = 40 };

static int prepare(void **state)
{
    (void)state;
    static const char *const word[4] = {"alpha bravo charlie delta ", "one two three four ", "int x = 0; return x; ", "And it came to pass "};
    static char pool[1 << 18], target[2][1 << 14];
    size_t n = 0, m[2] = {0};
    D = make_folder();
    for (int i = 0; i < N_DOCS + 6; i++) {
        char text[1024] = "", row[2048];
        for (int j = 0; j < 3 + i % 5; j++)
            strcat(text, word[i % 4]);
        snprintf(row, sizeof row, "{\"docid\": \"%s%02d\", \"doc\": \"%s<b>&\", \"domain\": \"dom%d\", \"token_num\": %d}\n", i < N_DOCS ? "d" : "t", i, text,
                 i % 4, 10 + i);
        if (i < N_DOCS)
            n += (size_t)snprintf(pool + n, sizeof pool - n, "%s", row);
        else if (i % 4 < 2)
            m[i % 4] += (size_t)snprintf(target[i % 4] + m[i % 4], sizeof target[0] - m[i % 4], "%s", row);
    }
    put_text(D, "pool.jsonl", pool);
    put_text(D, "target-one.jsonl", target[0]);
    put_text(D, "two.jsonl", target[1]);
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/pool.nag");
    run(&s, D, "nag extract --model $M --input $D/two.jsonl --output $D/two.nag");
    return present(D, "pool.nag") && present(D, "two.nag") ? 0 : 1;
}

static void read_page(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", D, name);
    slurp(page, sizeof page, path);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* Whole, and nothing in it makes a browser fetch anything. */
static void assert_self_contained(void)
{
    static const char *const outside[] = {"<link", "<img src=\"http", "src=\"http", "href=\"http", "url(http", "@import", "<iframe", "fetch("};
    assert_non_null(strstr(page, "<!DOCTYPE html>"));
    assert_non_null(strstr(page, "</html>\n"));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_null(strstr(page, outside[i]));
    assert_null(strstr(page, "<b>&")); /* texts of documents are escaped */
    assert_non_null(strstr(page, "&lt;b&gt;&amp;"));
}

static bool have_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null") == 0;
}

static void a_report_of_two_targets_has_both_and_one_map(void **state)
{
    (void)state;
    must("nag select --model $M --target $D/target-one.jsonl $D/two.jsonl --pool $D/pool.jsonl --features $D/f --output $D/sel-{}.jsonl --report $D/both");
    assert_true(present(D, "sel-one.jsonl") && present(D, "sel-two.jsonl") && present(D, "both/report.html"));
    read_page("both/report.html");
    assert_self_contained();
    assert_non_null(strstr(page, "dom0: what was chosen"));
    assert_non_null(strstr(page, "dom1: what was chosen"));
    assert_non_null(strstr(page, "SHA-256"));
    assert_non_null(strstr(page, "golgi nag select <span>--model</span>"));
    if (!have_gnuplot())
        skip();
    assert_int_equal(count(page, "<figure>"), 7);
    static const char *const name[] = {"dom0-shares", "dom0-distances", "dom0-profile", "dom1-shares", "dom1-distances", "dom1-profile", "map"};
    for (size_t i = 0; i < 7; i++)
        for (int svg = 0; svg < 2; svg++) {
            char path[64];
            snprintf(path, sizeof path, "both/%s.%s", name[i], svg ? "svg" : "png");
            assert_true(present(D, path));
        }
}

/* The shares in the page are those of the summary, and the summary's are those of the output. */
static void the_figures_are_those_of_the_output(void **state)
{
    (void)state;
    must("nag rank --target $D/two.nag --pool $D/pool.nag --payload $D/pool.jsonl --label-column domain --target-label dom1 --fraction 0.3 --output $D/r.jsonl "
         "--report $D/one --json");
    json_t *j = json_said(), *label;
    size_t i;
    read_page("one/report.html");
    assert_self_contained();
    json_array_foreach(json_object_get(j, "labels"), i, label) {
        char row[256];
        snprintf(row, sizeof row, "<td>%s</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f</td>", json_string_value(json_object_get(label, "label")),
                 100 * json_number_value(json_object_get(label, "pool_share")), 100 * json_number_value(json_object_get(label, "chosen_share")));
        if (!strstr(page, row))
            fail_msg("not in the report: %s", row);
    }
    int64_t tokens = 0, right = 0;
    char path[4200];
    snprintf(path, sizeof path, "%s/r.jsonl", D);
    FILE *f = fopen(path, "r");
    for (char line[4096]; fgets(line, sizeof line, f);) {
        json_t *row = json_loads(line, 0, NULL);
        const int64_t n = json_integer_value(json_object_get(row, "token_num"));
        tokens += n;
        right += strcmp(json_string_value(json_object_get(row, "domain")), "dom1") == 0 ? n : 0;
        json_decref(row);
    }
    fclose(f);
    assert_int_equal(tokens, json_integer_value(json_object_get(j, "n_selected_tokens")));
    char said[128];
    snprintf(said, sizeof said, "%.0f\u00a0%% of their tokens are dom1", 100.0 * (double)right / (double)tokens);
    assert_non_null(strstr(page, said));
    json_decref(j);
}

static void without_gnuplot_a_warning_and_a_report_without_pictures(void **state)
{
    (void)state;
    char words[512];
    snprintf(words, sizeof words,
             "nag rank --target $D/two.nag --pool $D/pool.nag --payload $D/pool.jsonl --label-column domain --output $D/b.jsonl --report $D/blind");
    setenv("KEPT", getenv("PATH"), 1);
    char line[8192]; /* a PATH with a shell's tools but without gnuplot */
    snprintf(line, sizeof line, "mkdir -p %s/bin", D);
    assert_int_equal(system(line), 0);
    snprintf(line, sizeof line, "%s/bin", D);
    setenv("PATH", line, 1);
    run(&s, D, words);
    setenv("PATH", getenv("KEPT"), 1);
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.err, "warning: plots need the program gnuplot"));
    assert_int_equal(count(s.err, "warning"), 1);
    read_page("blind/report.html");
    assert_self_contained();
    assert_int_equal(count(page, "<figure>"), 0);
    assert_true(count(page, "<table") >= 4);
}

static void a_report_that_cannot_be_written_is_told_before_the_work(void **state)
{
    (void)state;
    put_text(D, "file", "");
    run(&s, D, "nag select --model $M --target $D/two.jsonl --pool $D/pool.jsonl --output $D/late.jsonl --report $D/file/in");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "file"));
    assert_false(present(D, "late.jsonl") || present(D, "late.jsonl.parts"));
    char line[4200];
    snprintf(line, sizeof line, "mkdir -p %s/taken/report.html/x", D); /* a folder in its place */
    assert_int_equal(system(line), 0);
    run(&s, D, "nag rank --target $D/two.nag --pool $D/pool.nag --output $D/c.jsonl --report $D/taken");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "report.html"));
    snprintf(line, sizeof line, "test $(ls -A %s/taken | grep -c -e tmp -e '^\\.') = 0", D);
    assert_int_equal(system(line), 0);
}

/* The same command again: the model is not run, the outputs are the same bytes. */
static void a_second_run_reuses_the_features(void **state)
{
    (void)state;
    must("nag select --model $M --target $D/target-one.jsonl $D/two.jsonl --pool $D/pool.jsonl --features $D/g --output $D/x-{}.jsonl");
    must("nag select --model $M --target $D/two.jsonl --pool $D/pool.jsonl --features $D/g --output $D/y.jsonl");
    assert_int_equal(count(s.err, "found in"), 2);
    char line[4200];
    snprintf(line, sizeof line, "cmp %s/x-two.jsonl %s/y.jsonl", D, D);
    assert_int_equal(system(line), 0);
    run(&s, D, "nag select --model $M --target $D/two.jsonl $D/two.jsonl --pool $D/pool.jsonl --output $D/z-{}.jsonl");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "\"two\""));
}

/* One target is told as an object, several as a list; and what is told of a target is what the way in steps tells. */
static void json_has_each_target_and_where_its_rows_are(void **state)
{
    (void)state;
    static const char *const alike[] = {"n_documents", "n_selected", "n_tokens", "n_selected_tokens", "budget", "labels"};
    json_t *steps = must_json("nag rank --json --target $D/two.nag --pool $D/pool.nag --payload $D/pool.jsonl --fraction 0.3 --output $D/steps.jsonl");
    json_t *one = must_json("nag select --json --model $M --target $D/two.jsonl --pool $D/pool.jsonl --features $D/j --fraction 0.3 --output $D/j-one.jsonl");
    json_t *all = must_json("nag select --json --model $M --target $D/target-one.jsonl $D/two.jsonl --pool $D/pool.jsonl --features $D/j --fraction 0.3"
                            " --output $D/j-{}.jsonl");
    const json_t *targets = json_object_get(all, "targets");
    assert_int_equal(json_object_size(all), 1);
    assert_int_equal(json_array_size(targets), 2);
    assert_non_null(strstr(json_string_value(json_object_get(json_array_get(targets, 0), "output")), "/j-one.jsonl"));
    assert_non_null(strstr(json_string_value(json_object_get(json_array_get(targets, 1), "output")), "/j-two.jsonl"));
    assert_non_null(strstr(json_string_value(json_object_get(one, "output")), "/j-one.jsonl"));
    assert_true(json_integer_value(json_object_get(one, "n_selected")) > 0);
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        if (strcmp(alike[i], "labels") != 0) /* rank is not told which column they are in */
            assert_true(json_equal(json_object_get(one, alike[i]), json_object_get(steps, alike[i])));
        assert_true(json_equal(json_object_get(one, alike[i]), json_object_get(json_array_get(targets, 1), alike[i])));
    }
    json_decref(steps);
    json_decref(one);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_of_two_targets_has_both_and_one_map),
        cmocka_unit_test(the_figures_are_those_of_the_output),
        cmocka_unit_test(without_gnuplot_a_warning_and_a_report_without_pictures),
        cmocka_unit_test(a_report_that_cannot_be_written_is_told_before_the_work),
        cmocka_unit_test(a_second_run_reuses_the_features),
        cmocka_unit_test(json_has_each_target_and_where_its_rows_are),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
