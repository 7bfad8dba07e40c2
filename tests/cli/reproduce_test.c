/* golgi reproduce: on a tiny model and a pool whose domains are planted, so that it is known what must be found; with labels drawn at random, what must not. */
#include "cli/program.h"
#include <math.h>

enum { N = 48 };
static json_int_t n_found, n_models; /* documents whose features, and models whose results, came from the work folder */

/* Two domains of unlike words; the column `toss` is a label that has nothing to do with the text. */
static int prepare(void **state)
{
    (void)state;
    static const char *const word[2][6] = {{"light", "earth", "void", "waters", "firmament", "day"}, {"int", "return;", "while(1)", "{}", "0x7f", "#define"}};
    static char pool[1 << 17];
    size_t n = 0;
    uint32_t x = 7;
    D = make_folder();
    for (int i = 0; i < N; i++) {
        n += (size_t)snprintf(pool + n, sizeof pool - n, "{\"docid\": \"d%02d\", \"domain\": \"%s\", \"toss\": \"%c\", \"doc\": \"", i,
                              i % 2 ? "code" : "verse", "AB"[i / 2 % 2]);
        for (int k = 0; k < 24; k++) {
            x = x * 1664525 + 1013904223;
            n += (size_t)snprintf(pool + n, sizeof pool - n, "%s ", word[i % 2][(x >> 16) % 6]);
        }
        n += (size_t)snprintf(pool + n, sizeof pool - n, "\"}\n");
    }
    put_text(D, "pool.jsonl", pool);
    return 0;
}

static json_t *reproduce(const char *words)
{
    char line[1024];
    snprintf(line, sizeof line, "reproduce nag --model $M --pool $D/pool.jsonl --json --quiet %s", words);
    json_t *j = must_json(line);
    json_object_del(j, "seconds");
    n_found = json_integer_value(json_object_get(json_object_get(j, "found_in_work"), "features"));
    n_models = json_integer_value(json_object_get(json_object_get(j, "found_in_work"), "models"));
    json_object_del(j, "found_in_work");
    return j;
}

static const json_t *part(const json_t *j, const char *name)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(j, "parts"), i, p)
        if (strcmp(json_string_value(json_object_get(p, "part")), name) == 0)
            return json_object_get(p, "claims");
    fail_msg("there is no part %s", name);
    return NULL;
}

/* The claim whose text begins so. */
static const json_t *claim(const json_t *j, const char *name, const char *begins)
{
    size_t i;
    json_t *c;
    json_array_foreach(part(j, name), i, c)
        if (strncmp(json_string_value(json_object_get(c, "claim")), begins, strlen(begins)) == 0)
            return c;
    fail_msg("no claim of %s begins with \"%s\"", name, begins);
    return NULL;
}

static const char *verdict(const json_t *c) { return json_string_value(json_object_get(c, "verdict")); }
static double mean(const json_t *c) { return json_number_value(json_object_get(c, "mean")); }

static void every_verdict_follows_from_values_of_this_run(void **state)
{
    (void)state;
    static const char *const order[] = {"exactness", "discrimination", "contrast", "target-size", "bf16", "causality", "proxy"};
    json_t *j = reproduce("--seeds 3 --part exactness,discrimination,contrast,target-size,bf16,causality,proxy"), *p, *c;
    size_t i, k;
    int n[3] = {0};
    assert_int_equal(json_array_size(json_object_get(j, "parts")), 7);
    json_array_foreach(json_object_get(j, "parts"), i, p) {
        assert_string_equal(json_string_value(json_object_get(p, "part")), order[i]);
        assert_true(json_array_size(json_object_get(p, "claims")) > 0);
        json_array_foreach(json_object_get(p, "claims"), k, c) {
            const json_t *values = json_object_get(c, "values");
            const char *relation = json_string_value(json_object_get(c, "relation"));
            const double bound = json_number_value(json_object_get(c, "bound"));
            double sum = 0;
            for (size_t v = 0; v < json_array_size(values); v++)
                sum += json_number_value(json_array_get(values, v));
            if (json_array_size(values) == 0) {
                assert_string_equal(verdict(c), "not tried");
                assert_true(json_string_length(json_object_get(c, "note")) > 0); /* and why */
                n[2]++;
                continue;
            }
            assert_true(fabs(sum / (double)json_array_size(values) - mean(c)) < 1e-9 * (1 + fabs(mean(c))));
            const bool held = strcmp(relation, "at least") == 0 ? mean(c) >= bound : strcmp(relation, "at most") == 0 ? mean(c) <= bound : mean(c) > bound;
            assert_string_equal(verdict(c), held ? "held" : "not held");
            n[!held]++;
        }
    }
    assert_int_equal(n[0], json_integer_value(json_object_get(j, "held")));
    assert_int_equal(n[1], json_integer_value(json_object_get(j, "not_held")));
    assert_int_equal(n[2], json_integer_value(json_object_get(j, "not_tried")));
    assert_true(n[0] > 5);
    assert_string_equal(verdict(json_array_get(part(j, "exactness"), 0)), "not tried"); /* another model than the published run's */
    assert_string_equal(verdict(json_array_get(part(j, "proxy"), 0)), "not tried");     /* a layer of 96 neurons has no bins of 50 */
    json_decref(j);
}

static void planted_domains_are_found_and_tossed_labels_are_not(void **state)
{
    (void)state;
    json_t *planted = reproduce("--part discrimination,contrast,target-size,bf16 --seeds 3 --distinct verse,code"),
           *tossed = reproduce("--part discrimination,contrast --seeds 3 --label-column toss");
    static const char purity[] = "clusters of multi-hot lists are the domains: purity, K = 10", half[] = "the targets' domain stands in the first half";
    assert_true(mean(claim(planted, "discrimination", purity)) == 1);
    assert_true(mean(claim(tossed, "discrimination", purity)) < 0.7);
    assert_true(mean(claim(planted, "contrast", half)) > 0.9);
    assert_true(mean(claim(tossed, "contrast", half)) < 0.7);
    assert_string_equal(verdict(claim(planted, "discrimination", "domains of clearly different kinds")), "not tried"); /* two are not enough */
    assert_string_equal(verdict(claim(planted, "target-size", "10 targets choose")), "held");
    assert_string_equal(verdict(claim(planted, "target-size", "50 targets choose")), "not tried");
    assert_true(mean(claim(planted, "bf16", "bfloat16 finds")) > 0.9);
    json_decref(planted);
    json_decref(tossed);
}

/* Half of the pool is verse, half code: what NAG chooses for verse teaches verse, and what chance chooses teaches both. */
static void models_trained_on_the_choice_know_the_domain_better(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* products are instrumented number by number: minutes */
#else
    json_t *j = reproduce("--part utility --seeds 1 --steps 20 --work $D/utility");
    const json_t *gain = claim(j, "utility", "a model trained on NAG's choice"), *spread = claim(j, "utility", "that gain in standard deviations");
    assert_true(mean(gain) > 0.02);
    assert_string_equal(verdict(gain), "held");
    assert_string_equal(verdict(spread), "not tried"); /* one seed has none */
    assert_true(mean(claim(j, "utility", "elsewhere such a model is worse")) > 0.02);
    assert_int_equal(n_models, 0);
    json_t *again = reproduce("--part utility --seeds 1 --steps 20 --work $D/utility"); /* nothing is trained again, and nothing changes */
    assert_int_equal(n_models, 12);
    assert_true(json_equal(j, again));
    json_decref(again);
    json_decref(j);
#endif
}

static void the_same_seed_gives_the_same_figures_on_any_number_of_threads(void **state)
{
    (void)state;
    static const char words[] = "--part discrimination,contrast,target-size,causality --seeds 2";
    char line[256];
    json_t *j[3];
    for (int i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "%s --threads %d --seed %d", words, i + 1 < 3 ? i + 1 : 2, i < 2 ? 5 : 6);
        j[i] = reproduce(line);
    }
    assert_true(json_equal(j[0], j[1]));
    assert_false(json_equal(json_object_get(j[0], "parts"), json_object_get(j[2], "parts")));
    for (int i = 0; i < 3; i++)
        json_decref(j[i]);
}

static void work_is_kept_and_what_is_damaged_is_made_again(void **state)
{
    (void)state;
    static const char words[] = "--part discrimination,causality --seeds 2 --work $D/work";
    json_t *first = reproduce(words);
    assert_int_equal(n_found, 0);
    json_t *second = reproduce(words);
    assert_int_equal(n_found, N);
    assert_true(json_equal(first, second));
    run(&s, D, "reproduce nag --model $M --pool $D/pool.jsonl --quiet --part discrimination,causality --seeds 2 --work $D/work");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "features of 48 documents and "));
    assert_null(strstr(s.out, " and 0 losses"));
    char line[512];
    snprintf(line, sizeof line, "cd %s/work && for f in *.nag *.npy *.json; do head -c 700 $f > x && mv x $f; done", D);
    assert_int_equal(system(line), 0);
    json_t *third = reproduce(words);
    assert_int_equal(n_found, 0);
    assert_true(json_equal(first, third));
    run(&s, D, "reproduce nag --model $M --pool $D/pool.jsonl --quiet --part discrimination --max-tokens 100 --work $D/work");
    assert_int_equal(s.code, 2); /* no such option: what changes features is fixed */
    json_decref(first);
    json_decref(second);
    json_decref(third);
}

static void a_report_shows_every_part(void **state)
{
    (void)state;
    run(&s, D, "reproduce nag --model $M --pool $D/pool.jsonl --quiet --part contrast,target-size,causality --seeds 2 --report $D/report");
    assert_int_equal(s.code, 0);
    assert_non_null(strstr(s.out, "causality - up neurons set to zero"));
    assert_non_null(strstr(s.out, "/report/report.html\n"));
    static char page[1 << 21];
    char path[256];
    snprintf(path, sizeof path, "%s/report/report.html", D);
    slurp(page, sizeof page, path);
    assert_non_null(strstr(page, "arXiv 2604.15706"));
    for (const char **p = (const char *[]){"contrast", "target-size", "causality", NULL}; *p; p++) {
        char heading[64];
        snprintf(heading, sizeof heading, ">%s</h2>", *p);
        assert_non_null(strstr(page, heading));
    }
    if (system("command -v gnuplot > /dev/null") == 0) {
        assert_true(present(D, "report/precision.svg") && present(D, "report/target-size.png") && present(D, "report/causality.svg"));
        assert_non_null(strstr(page, "<svg"));
    }
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct { const char *words, *says; } table[] = {
        {"--pool $D/pool.jsonl --part causal", "there is no part \"causal\""},
        {"--pool $D/pool.jsonl --part contrast,causalty", "did you mean \"causality\"?"},
        {"--pool $D/none.jsonl", "there is no pool"},
        {"--pool $D/pool.jsonl --part contrast --label-column dataset", "0 documents of 0 labels in column \"dataset\""},
        {"--pool $D/pool.jsonl --part contrast --label-column docid", "documents of the domain \"d00\"; the experiments need at least 10"},
        {"--pool $D/pool.jsonl --part contrast --text-column body", "docid, domain, toss, doc"},
    };
    char line[512];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        snprintf(line, sizeof line, "reproduce nag --quiet --model $M %s", table[i].words);
        run(&s, D, line);
        if (s.code != 1 || s.out[0] || !strstr(s.err, table[i].says))
            fail_msg("golgi %s: exit %d, \"%s\"; expected \"%s\"", line, s.code, s.err, table[i].says);
    }
    run(&s, D, "reproduce nag --quiet --model $D/none.gguf --pool $D/pool.jsonl");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "there is no model"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verdict_follows_from_values_of_this_run),
        cmocka_unit_test(planted_domains_are_found_and_tossed_labels_are_not),
        cmocka_unit_test(models_trained_on_the_choice_know_the_domain_better),
        cmocka_unit_test(the_same_seed_gives_the_same_figures_on_any_number_of_threads),
        cmocka_unit_test(work_is_kept_and_what_is_damaged_is_made_again),
        cmocka_unit_test(a_report_shows_every_part),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
