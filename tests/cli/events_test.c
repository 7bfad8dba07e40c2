/* --log-json: every line on standard error is one JSON object, whatever happens; the last says how it ended. */
#include "cli/program.h"

static int prepare(void **state)
{
    (void)state;
    D = make_folder();
    put_text(D, "pool.jsonl", "{\"docid\": \"a\", \"doc\": \"In the beginning\", \"domain\": \"x\", \"token_num\": 5}\n"
                              "{\"docid\": \"b\", \"doc\": \"  \", \"domain\": \"x\", \"token_num\": 4}\n"
                              "{\"docid\": \"c\", \"doc\": \"and it was \\\"good\\\"\", \"domain\": \"y\", \"token_num\": 4}\n");
    return 0;
}

enum { MAX_TITLES = 8 };

/* Runs it and reads every line; how many events of that name there were. Of progress, which comes every five seconds besides the end: how many titles,
 * each with its total. The last event of a title whose total is known has come to it. */
static int events(const char *words, const char *name, json_t **last)
{
    json_t *of_title[MAX_TITLES] = {0};
    int n = 0, n_titles = 0;
    run(&s, D, words);
    *last = NULL;
    for (char *rest, *line = strtok_r(s.err, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *j = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (!j)
            fail_msg("golgi %s: no JSON object: %s", words, line);
        assert_true(json_is_string(json_object_get(j, "time")) && json_is_string(json_object_get(j, "command")));
        const char *event = json_string_value(json_object_get(j, "event"));
        n += strcmp(event, name) == 0;
        if (strcmp(event, "progress") == 0) {
            int i = 0;
            assert_true(json_is_string(json_object_get(j, "title")));
            while (i < n_titles && !json_equal(json_object_get(of_title[i], "title"), json_object_get(j, "title")))
                i++;
            assert_true(i < MAX_TITLES);
            n_titles += i == n_titles;
            json_decref(of_title[i]);
            of_title[i] = json_incref(j);
        }
        json_decref(*last);
        *last = j;
    }
    assert_non_null(*last);
    assert_string_equal(json_string_value(json_object_get(*last, "event")), "end");
    assert_int_equal(json_integer_value(json_object_get(*last, "exit")), s.code);
    const bool wanted = strcmp(name, "progress") == 0;
    for (int i = 0; i < n_titles; i++) {
        const json_t *done = json_object_get(of_title[i], "done"), *total = json_object_get(of_title[i], "total");
        if (s.code == 0 && (wanted || total) && !json_equal(done, total))
            fail_msg("golgi %s: the last progress of \"%s\" is not at the end", words, json_string_value(json_object_get(of_title[i], "title")));
        json_decref(of_title[i]);
    }
    return wanted ? n_titles : n;
}

static void every_line_is_an_object_and_the_last_is_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *words, *event;
        int n, code;
        const char *status;
    } cases[] = {
        {"nag extract --model $M --input $D/pool.jsonl --output $D/a.nag --log-json", "progress", 1, 0, NULL},
        {"nag extract --model $M --input $D/pool.jsonl --output $D/b.nag --log-json", "said", 1, 0, NULL},
        {"nag extract --model $M --input $D/pool.jsonl --output $D/w.nag --log-json --top-k 999", "log", 1, 0, NULL},
        {"nag extract --log-json --model $M --input $D/pool.jsonl --output $D/c.nag --quiet", "progress", 0, 0, NULL},
        {"nag select --model $M --target $D/pool.jsonl --pool $D/pool.jsonl --output $D/s.jsonl --log-json", "progress", 2, 0, NULL},
        {"nag rank --target $D/a.nag --pool $D/a.nag --output $D/r.jsonl --log-json", "said", 1, 0, NULL},
        {"nag show $D/a.nag --log-json", "end", 1, 0, NULL},
        {"score --model $M --input $D/pool.jsonl --output $D/s.jsonl --log-json", "said", 1, 0, NULL},
        {"activations --model $M --input $D/pool.jsonl --sites up --output $D/t.safetensors --log-json", "said", 1, 0, NULL},
        {"nag show $D/absent.nag --log-json", "end", 1, 1, "ENOENT"},
        {"nag extract --model $M --input $D/pool.jsonl --strict --output $D/d.nag --log-json", "end", 1, 1, "EFORMAT"},
        {"nag rank --target $D/a.nag --log-json", "end", 1, 2, "EINVAL"},
        {"nag rank --tarpet $D/a.nag --log-json", "end", 1, 2, "EINVAL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *last;
        const int n = events(cases[i].words, cases[i].event, &last);
        if (n != cases[i].n || s.code != cases[i].code)
            fail_msg("golgi %s: %d of event %s, exit %d", cases[i].words, n, cases[i].event, s.code);
        const char *status = json_string_value(json_object_get(last, "status"));
        if (cases[i].status ? !status || strcmp(status, cases[i].status) != 0 : status != NULL)
            fail_msg("golgi %s: status %s", cases[i].words, status ? status : "none");
        json_decref(last);
    }
}

static void a_progress_event_has_the_numbers(void **state)
{
    (void)state;
    run(&s, D, "nag extract --model $M --input $D/pool.jsonl --output $D/p.nag --log-json");
    json_t *j = NULL;
    for (char *rest, *line = strtok_r(s.err, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strstr(line, "\"progress\"")) { /* the last one */
            json_decref(j);
            j = json_loads(line, 0, NULL);
        }
    assert_non_null(j);
    assert_int_equal(json_integer_value(json_object_get(j, "done")), 2);
    assert_int_equal(json_integer_value(json_object_get(j, "total")), 2);
    assert_string_equal(json_string_value(json_object_get(j, "unit")), "docs");
    assert_true(json_number_value(json_object_get(j, "per_second")) > 0);
    assert_true(json_number_value(json_object_get(j, "roof_share")) > 0 && json_is_string(json_object_get(j, "roof")));
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_is_an_object_and_the_last_is_the_end),
        cmocka_unit_test(a_progress_event_has_the_numbers),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
