/* golgi nag show, cluster, deactivate, explain, as a person runs them. Features are planted in rows of the published layout, so that every figure
 * is known beforehand. */
#include "cli/program.h"
#include <math.h>

static char page[1 << 20];
enum { N = 60, L = 2, K = 4 };

/* Layers 0 and 1; neuron 0 in all lists, 10 g + 1, 10 g + 2 in those of group g, one more that only this document has. */
static int prepare(void **state)
{
    (void)state;
    static char rows[1 << 16], pool[1 << 16], target[1 << 12];
    size_t n = 0, m = 0, t = 0;
    D = make_folder();
    for (int i = 0; i < N; i++) {
        const int g = i % 3;
        char row[512];
        snprintf(row, sizeof row, "{\"docid\": \"d%02d\", \"fwd_up_feature\": {\"layer_topk_value_index\": [0, %d, %d, %d, 0, %d, %d, %d]}}\n", i, 10 * g + 1,
                 10 * g + 2, 100 + i, 10 * g + 1, 10 * g + 2, 200 + i);
        n += (size_t)snprintf(rows + n, sizeof rows - n, "%s", row);
        if (g == 1 && i < 12)
            t += (size_t)snprintf(target + t, sizeof target - t, "%s", row);
        if (i != 7) /* one document without a label */
            m += (size_t)snprintf(pool + m, sizeof pool - m, "{\"docid\": \"d%02d\", \"doc\": \"text\", \"group\": \"G%d\", \"token_num\": 5}\n", i, g);
    }
    put_text(D, "rows.jsonl", rows);
    put_text(D, "target.jsonl", target);
    put_text(D, "pool.jsonl", pool);
    put_text(
        D, "docs.jsonl",
        "{\"docid\": \"a\", \"doc\": \"In the beginning was the word\", \"token_num\": 5}\n{\"docid\": \"b\", \"doc\": \"and it was good, very good\"}\n");
    run(&s, D, "nag extract --model $M --input $D/docs.jsonl --output $D/docs.nag");
    return s.code;
}

static json_t *member(const json_t *j, const char *key) { return json_object_get(j, key); }
static json_t *item(const json_t *j, size_t i) { return json_array_get(j, i); }

static bool have_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null") == 0;
}

static void read_report(const char *folder, int figures)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s/report.html", D, folder);
    slurp(page, sizeof page, path);
    assert_non_null(strstr(page, "</html>\n"));
    assert_null(strstr(page, "src=\"http"));
    assert_null(strstr(page, "href=\"http"));
    int n = 0;
    for (const char *p = page; (p = strstr(p, "<figure>")); p++)
        n++;
    if (have_gnuplot())
        assert_int_equal(n, figures);
}

static void show_counts_what_is_there(void **state)
{
    (void)state;
    json_t *j = must_json("nag show $D/rows.jsonl --n-layers 2 --per-layer 2 --json --report $D/show");
    assert_int_equal(json_integer_value(member(j, "n_documents")), N);
    assert_int_equal(json_integer_value(member(j, "n_always")), L);
    json_t *layer = item(member(j, "layers"), 1);
    assert_int_equal(json_integer_value(member(layer, "n_used")), 1 + 6 + N);
    json_t *first = item(member(layer, "most_used"), 0), *second = item(member(layer, "most_used"), 1);
    assert_string_equal(json_string_value(member(first, "neuron")), "L1.up[0]");
    assert_true(json_number_value(member(first, "share")) == 1);
    assert_string_equal(json_string_value(member(second, "neuron")), "L1.up[1]");
    assert_true(fabs(json_number_value(member(second, "share")) - 1.0 / 3) < 1e-12);
    json_decref(j);
    read_report("show", 3);
    assert_non_null(strstr(page, "60 documents use 134 different neurons; 2 of them are in the list of every document."));
    must("nag extract --model $M --input $D/docs.jsonl --output $D/folder/");
    must("nag show $D/folder --json");
    must("nag explain --pool $D/folder --target $D/docs.nag --docid a");
    assert_non_null(strstr(s.out, "of 2, nearest first"));
    must("nag show $D/docs.nag");
    assert_non_null(strstr(s.out, "2 documents"));
    assert_non_null(strstr(s.out, "K 10 of 96"));
    assert_non_null(strstr(s.out, "L1.up["));
    run(&s, D, "nag show $D/docs.nag --site down");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "down"));
}

static void cluster_finds_the_groups(void **state)
{
    (void)state;
    json_t *j = must_json("nag cluster $D/rows.jsonl --n-layers 2 --labels $D/pool.jsonl --label-column group --json --output $D/c.jsonl --report $D/clusters");
    assert_int_equal(json_integer_value(member(j, "n_documents")), N - 1); /* one has no label */
    assert_int_equal(json_integer_value(member(j, "k")), 3);
    assert_true(json_number_value(member(j, "purity")) == 1);
    assert_true(fabs(json_number_value(member(j, "nmi")) - 1) < 1e-12);
    assert_true(fabs(json_number_value(member(j, "ari")) - 1) < 1e-12);
    for (size_t c = 0; c < 3; c++) { /* in the order of the labels: the table is a diagonal */
        json_t *by = member(item(member(j, "clusters"), c), "by_label");
        for (size_t l = 0; l < 3; l++)
            assert_int_equal(json_integer_value(item(by, l)), l != c ? 0 : c == 1 ? N / 3 - 1 : N / 3);
    }
    json_decref(j);
    read_report("clusters", 2);
    assert_non_null(strstr(page, "100.0\u00a0% of 59 documents lie with those of their group."));
    assert_non_null(strstr(page, "L0.up[11], L0.up[12], L1.up[11]")); /* the middle group's own neurons */
    char line[4200];
    snprintf(line, sizeof line, "test $(grep -c '\"cluster\": *2, *\"group\": *\"G2\"' %s/c.jsonl) = 20", D);
    assert_int_equal(system(line), 0);
    must("nag cluster $D/rows.jsonl --n-layers 2 --k 3 --layers last --documents 30");
    assert_non_null(strstr(s.out, "30 documents in 3 clusters"));
    assert_non_null(strstr(s.out, "30 of 60 documents"));
    must("nag cluster $D/rows.jsonl --n-layers 2 --k 3 --layers last --documents 30 --seed 9");
}

static void deactivate_writes_what_the_model_takes(void **state)
{
    (void)state;
    must("nag deactivate $D/docs.nag --per-layer 5 --output $D/off.json");
    assert_non_null(strstr(s.out, "10 up neurons of 192 (5.2 %)"));
    json_t *shown = must_json("nag show $D/docs.nag --per-layer 1 --json");
    const char *strongest = json_string_value(member(item(member(item(member(shown, "layers"), 0), "most_used"), 0), "neuron"));
    char path[4200], index[64];
    snprintf(path, sizeof path, "%s/off.json", D);
    slurp(page, sizeof page, path);
    snprintf(index, sizeof index, "%s", strchr(strongest, '[') + 1);
    index[strlen(index) - 1] = 0;
    assert_non_null(strstr(page, "L0.up"));
    assert_non_null(strstr(page, index));
    json_decref(shown);
    must("score --model $M --input $D/docs.jsonl --output $D/on.jsonl");
    must("score --model $M --input $D/docs.jsonl --action $D/off.json --output $D/off.jsonl");
    char line[8400];
    snprintf(line, sizeof line, "cmp -s %s/on.jsonl %s/off.jsonl", D, D);
    assert_int_not_equal(system(line), 0);
    must("nag deactivate $D/docs.nag --per-layer 5 --random --output $D/r1.json");
    must("nag deactivate $D/docs.nag --per-layer 5 --random --output $D/r2.json");
    must("nag deactivate $D/docs.nag --per-layer 5 --random --seed 2 --output $D/r3.json");
    snprintf(line, sizeof line, "cmp -s %s/r1.json %s/r2.json && ! cmp -s %s/r1.json %s/r3.json", D, D, D, D);
    assert_int_equal(system(line), 0);
    must("score --model $M --input $D/docs.jsonl --action $D/r1.json --output $D/r.jsonl");
    must("nag deactivate $D/target.jsonl --n-layers 2 --weights contrast --pool $D/rows.jsonl --per-layer 2 --output $D/own.json");
    snprintf(path, sizeof path, "%s/own.json", D);
    slurp(page, sizeof page, path);
    assert_non_null(strstr(page, "11"));
    assert_null(strstr(page, "[0"));
}

static void explain_names_the_planted_neurons(void **state)
{
    (void)state;
    json_t *j = must_json("nag explain --pool $D/rows.jsonl --target $D/target.jsonl --docid d58 --n-layers 2 --json"), *x;
    double gain = 0;
    size_t i;
    json_array_foreach(member(j, "has"), i, x)
        gain += json_number_value(member(x, "gain"));
    assert_true(fabs(1 - gain - json_number_value(member(j, "nag_distance"))) <= 1e-12);
    for (i = 0; i < 4; i++) { /* before neuron 0, which all documents have */
        const json_int_t neuron = json_integer_value(member(item(member(j, "has"), i), "index"));
        assert_true(neuron == 11 || neuron == 12);
    }
    assert_string_equal(json_string_value(member(item(member(j, "has"), 0), "neuron")), "L0.up[11]");
    assert_int_equal(json_array_size(member(j, "layers")), L);
    json_decref(j);
    must("nag explain --pool $D/rows.jsonl --target $D/target.jsonl --docid d57 --n-layers 2 --neurons 2");
    assert_non_null(strstr(s.out, "keeps it away"));
    assert_non_null(strstr(s.out, "L0.up[11]"));
}

static const char *others_of(const json_t *reasons, int neuron)
{
    static char text[256];
    size_t i, k;
    json_t *r, *x;
    text[0] = 0;
    json_array_foreach(reasons, i, r)
        if (json_integer_value(member(r, "index")) == neuron)
            json_array_foreach(member(r, "others"), k, x)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", json_string_value(x));
    return text;
}

/* Many documents are like this one, and none of them holds the neuron; the others that do are named all the same, most alike first. */
static void a_rare_neuron_has_its_witnesses(void **state)
{
    (void)state;
    static char rows[1 << 14];
    const char *const row = "{\"docid\": \"%s%02d\", \"fwd_up_feature\": {\"layer_topk_value_index\": [%d, %d, %d, %d]}}\n";
    size_t n = 0;
    n += (size_t)snprintf(rows + n, sizeof rows - n, row, "x", 0, 1, 2, 3, 9);
    put_text(D, "of-rare.jsonl", rows);
    for (int i = 0; i < 5; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, row, "far", i, 9, i == 3 ? 1 : 300 + i, 400 + i, 500 + i);
    for (int i = 0; i < 70; i++)
        n += (size_t)snprintf(rows + n, sizeof rows - n, row, "near", i, 1, 2, 3, 100 + i);
    put_text(D, "rare.jsonl", rows);
    json_t *j = must_json("nag explain --pool $D/rare.jsonl --target $D/of-rare.jsonl --docid x00 --n-layers 1 --json");
    assert_string_equal(others_of(member(j, "has"), 9), "far03 far00 far01 ");
    assert_string_equal(others_of(member(j, "has"), 1), "near00 near01 near02 ");
    assert_int_equal(json_array_size(member(j, "like")), 64);
    json_decref(j);
    j = must_json("nag explain --pool $D/rare.jsonl --target $D/of-rare.jsonl --docid near05 --n-layers 1 --json"); /* x00 is as like it as 69 others */
    assert_string_equal(others_of(member(j, "lacks"), 9), "x00 far03 far00 ");
    json_decref(j);
    must("nag explain --pool $D/rare.jsonl --target $D/of-rare.jsonl --docid x00 --n-layers 1");
    assert_non_null(strstr(s.out, "far03, far00, far01"));
}

static void rows_that_lose_the_numbers_of_their_layers_are_told(void **state)
{
    (void)state;
    must("nag slice --layers last $D/docs.nag --output $D/last.jsonl");
    assert_non_null(strstr(s.err, "warning: "));
    assert_non_null(strstr(s.err, "last.jsonl: rows do not say which layers"));
    must("nag slice --layers first $D/docs.nag --output $D/first.jsonl");
    assert_null(strstr(s.err, "warning"));
    must("nag slice --layers last $D/docs.nag --output $D/last.nag");
    assert_null(strstr(s.err, "warning"));
}

static const struct {
    const char *words;
    int code;
    const char *must[3];
} mistakes[] = {
    {"nag show", 2, {"golgi nag show pool.nag"}},
    {"nag show $D/absent.nag", 1, {"absent.nag"}},
    {"nag show $D/rows.jsonl", 1, {"rows.jsonl", "--n-layers"}},
    {"nag cluster $D/docs.nag", 1, {"--k", "--labels"}},
    {"nag cluster $D/docs.nag --k 3", 1, {"--k 3", "2 documents"}},
    {"nag cluster $D/docs.nag --labels $D/pool.jsonl --label-column topic", 1, {"topic", "group", "pool.jsonl"}},
    {"nag cluster $D/rows.jsonl --n-layers 2 --k 2 --layers 5", 1, {"5"}},
    {"nag deactivate $D/docs.nag --weights contrast --output $D/new.json", 1, {"--pool"}},
    {"nag deactivate $D/docs.nag --site v --output $D/new.json", 1, {"v"}},
    {"nag deactivate $D/docs.nag --random --per-layer 97 --output $D/new.json", 1, {"97", "96"}},
    {"nag explain --pool $D/docs.nag --target $D/docs.nag --docid zz", 1, {"\"zz\"", "docs.nag"}},
    {"nag explain --pool $D/rows.jsonl --target $D/target.jsonl --n-layers 2 --docid d577", 1, {"\"d577\"", "Did you mean \"d57\"?"}},
    {"nag explain --pool $D/docs.nag --target $D/rows.jsonl --n-layers 2 --docid a", 1, {"docs.nag", "rows.jsonl", "K"}},
};

static void mistakes_are_told(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        run(&s, D, mistakes[i].words);
        bool fine = s.code == mistakes[i].code && !present(D, "new.json");
        for (int k = 0; k < 3 && mistakes[i].must[k]; k++)
            fine = fine && strstr(s.err, mistakes[i].must[k]);
        if (!fine) {
            wrong++;
            print_error("golgi %s\n  exit %d, expected %d; it said: %s\n", mistakes[i].words, s.code, mistakes[i].code, s.err);
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(show_counts_what_is_there),
        cmocka_unit_test(cluster_finds_the_groups),
        cmocka_unit_test(deactivate_writes_what_the_model_takes),
        cmocka_unit_test(explain_names_the_planted_neurons), cmocka_unit_test(a_rare_neuron_has_its_witnesses),
        cmocka_unit_test(rows_that_lose_the_numbers_of_their_layers_are_told),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
