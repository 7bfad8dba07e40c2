/* golgi reproduce nag --part exactness: a folder of published results is made here, by plain loops over whole impact vectors, and must be found
 * to hold; what is then changed in it must be told, and only that. (That the folder of the published code itself holds needs its model:
 * golgi reproduce nag.) */
#include "cli/program.h"
#include <golgi/model.h>
#include <math.h>

enum { N = 24, L = 2, K = 10, SITES = 6, SCORED = 3 };
static gg_context *ctx;
static json_t *row, *ranking; /* as made: docs.jsonl and ranking.json */
static const char *const site[SITES] = {"up", "down", "q", "k", "v", "o"};

static json_t *at(json_t *list, size_t i) { return json_array_get(list, i); }
static const char *docid_of(size_t i) { return json_string_value(json_object_get(at(row, i), "docid")); }

/* The K largest of a layer, largest first, and how near the next one comes. */
static void add_cell(json_t *lists, json_t *gaps, const float *x, int64_t width)
{
    json_t *list = json_array();
    bool taken[256] = {false};
    double last = 0;
    for (int k = 0; k <= K; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < width; i++)
            if (!taken[i] && (best < 0 || x[i] > x[best]))
                best = i;
        taken[best] = true;
        if (k < K)
            json_array_append_new(list, json_integer(best));
        else
            json_array_append_new(gaps, json_real((last - x[best]) / last));
        last = x[best];
    }
    json_array_append_new(lists, list);
}

static void make_rows(void)
{
    static const char *const word[2][6] = {{"light", "earth", "void", "waters", "firmament", "day"}, {"int", "return;", "while(1)", "{}", "0x7f", "#define"}};
    gg_model *m = NULL;
    const gg_tokenizer *t;
    gg_token_list ids = {.ctx = ctx};
    gg_tensors *scores = NULL;
    char path[256], line[1024], pool[1 << 15];
    size_t n = 0;
    uint32_t x = 7;
    row = json_array();
    for (int i = 0; i < N; i++) {
        char text[512], docid[8];
        size_t k = 0;
        for (int w = 0; w < 20; w++) {
            x = x * 1664525 + 1013904223;
            k += (size_t)snprintf(text + k, sizeof text - k, "%s ", word[i % 2][(x >> 16) % 6]);
        }
        snprintf(docid, sizeof docid, "d%02d", i);
        n += (size_t)snprintf(pool + n, sizeof pool - n, "{\"docid\": \"%s\", \"domain\": \"%s\", \"doc\": \"%s\"}\n", docid, i % 2 ? "code" : "verse", text);
        json_array_append_new(row, json_pack("{s:s, s:s, s:[]}", "docid", docid, "doc", text, "tokens"));
    }
    put_text(D, "pool.jsonl", pool);
    static const char extract[] = "$G nag extract --model $M --dtype f32 --quiet --sites up,down,q,k,v,o --input $D/pool.jsonl";
    snprintf(line, sizeof line, "mkdir $D/golden && %s --output $D/own.nag --scores $D/own.safetensors --scores-documents %d", extract, N);
    run_line(&s, D, line);
    assert_string_equal(s.err, "");
    snprintf(line, sizeof line, "%s --output $D/few.nag --scores $D/golden/scores.safetensors --scores-documents %d", extract, SCORED);
    run_line(&s, D, line);
    assert_string_equal(s.err, "");
    assert_int_equal(gg_model_open(&m, ctx, TINY, NULL), GG_OK);
    assert_int_equal(gg_model_need_tokenizer(&t, m), GG_OK);
    snprintf(path, sizeof path, "%s/own.safetensors", D);
    assert_int_equal(gg_tensors_open(&scores, ctx, path), GG_OK);
    for (size_t i = 0; i < N; i++) {
        json_t *r = at(row, i);
        const json_t *text = json_object_get(r, "doc");
        assert_int_equal(gg_tokenizer_encode(t, &ids, json_string_value(text), json_string_length(text), 120, GG_TOKENIZE_PARSE_SPECIAL), GG_OK);
        for (int64_t k = 0; k < ids.n; k++)
            json_array_append_new(json_object_get(r, "tokens"), json_integer(ids.id[k]));
        json_object_set_new(r, "token_num", json_integer(ids.n));
        for (int k = 0; k < SITES; k++) {
            char name[32];
            const gg_tensor *v;
            json_t *lists = json_array(), *gaps = json_array();
            snprintf(name, sizeof name, "%s.%s", docid_of(i), site[k]);
            assert_int_equal(gg_tensors_need(&v, scores, name), GG_OK);
            for (int l = 0; l < L; l++)
                add_cell(lists, gaps, (const float *)v->data + l * v->shape[1], v->shape[1]);
            snprintf(name, sizeof name, "%s_gap", site[k]);
            json_object_set_new(r, site[k], lists);
            json_object_set_new(r, name, gaps);
        }
    }
    char hash[65];
    assert_int_equal(gg_model_hash(m, hash), GG_OK);
    ranking = json_pack("{s:s, s:s, s:{}}", "model", "a tiny model", "model_hash", hash, "target");
    gg_tensors_free(scores);
    gg_token_list_free(&ids);
    gg_model_free(m);
}

/* How many of a document's up neurons are the other's, over all layers. */
static int shared(size_t a, size_t b)
{
    int n = 0;
    for (size_t l = 0; l < L; l++)
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                n += json_equal(at(at(json_object_get(at(row, a), "up"), l), i), at(at(json_object_get(at(row, b), "up"), l), j));
    return n;
}

/* One target a domain: the others by falling overlap, then by docid; chosen while they fit a fifth of the tokens. */
static void make_rankings(void)
{
    for (size_t target = 0; target < 2; target++) {
        json_t *order = json_array(), *distance = json_array(), *selected = json_array();
        int64_t total = 0, used = 0;
        for (int n = L * K; n >= 0; n--)
            for (size_t i = 0; i < N; i++)
                if (i != target && shared(i, target) == n) {
                    json_array_append_new(order, json_string(docid_of(i)));
                    json_array_append_new(distance, json_real(1 - n / (double)(L * K)));
                    total += json_integer_value(json_object_get(at(row, i), "token_num"));
                }
        for (size_t k = 0; k < json_array_size(order); k++)
            for (size_t i = 0; i < N; i++)
                if (strcmp(docid_of(i), json_string_value(at(order, k))) == 0) {
                    used += json_integer_value(json_object_get(at(row, i), "token_num"));
                    if (used <= total / 5)
                        json_array_append_new(selected, json_string(docid_of(i)));
                }
        assert_true(json_array_size(selected) > 1);
        json_object_set_new(json_object_get(ranking, "target"), target ? "code" : "verse",
                            json_pack("{s:[s], s:o, s:o, s:o}", "targets", docid_of(target), "order", order, "distance", distance, "selected_0.2", selected));
    }
}

static int prepare(void **state)
{
    (void)state;
    D = make_folder();
    if (gg_context_create(&ctx, NULL) != GG_OK)
        return -1;
    make_rows();
    make_rankings();
    return 0;
}

static int tidy_all(void **state)
{
    json_decref(row);
    json_decref(ranking);
    gg_context_free(ctx);
    return tidy(state);
}

/* The folder as these say, then the part: its claims, or NULL where the program failed. */
static json_t *try_with(const json_t *rows, const json_t *rankings)
{
    char path[256];
    snprintf(path, sizeof path, "%s/docs.jsonl", D);
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_dumpf(json_array_get(rows, i), f, JSON_COMPACT);
        fputc('\n', f);
    }
    fclose(f);
    snprintf(path, sizeof path, "%s/golden/ranking.json", D);
    assert_int_equal(json_dump_file(rankings, path, JSON_COMPACT), 0);
    run_line(&s, D, "zstd -qf $D/docs.jsonl -o $D/golden/docs.jsonl.zst"
                    " && $G reproduce nag --model $M --pool $D/pool.jsonl --json --quiet --part exactness --golden $D/golden");
    json_t *j = s.code ? NULL : json_loads(s.out, 0, NULL), *claims = NULL;
    assert_true(!j == (s.code != 0));
    if (j)
        claims = json_incref(json_object_get(at(json_object_get(j, "parts"), 0), "claims"));
    json_decref(j);
    return claims;
}

static const char tokens[] = "token ids", up[] = "the ten neurons of a layer's up", k_lists[] = "the ten neurons of a layer's k",
                  wide[] = "lists differ only where", vectors[] = "whole impact vectors", distances[] = "distances on equal lists",
                  fifth[] = "the fifth of a pool";

/* All claims hold but these (up to NULL); the first of them has this mean. */
static void expect_only(json_t *claims, double mean, const char *const *broken)
{
    size_t i;
    json_t *c;
    int left = 0;
    for (const char *const *b = broken; *b; b++)
        left++;
    if (!claims)
        fail_msg("%s", s.err);
    assert_int_equal(json_array_size(claims), 12);
    json_array_foreach(claims, i, c) {
        const char *text = json_string_value(json_object_get(c, "claim")), *verdict = json_string_value(json_object_get(c, "verdict"));
        bool is_broken = false;
        for (const char *const *b = broken; *b; b++) {
            if (strncmp(text, *b, strlen(*b)) != 0)
                continue;
            is_broken = true;
            left--;
            if (b == broken && fabs(json_number_value(json_object_get(c, "mean")) - mean) > 1e-5 * fabs(mean))
                fail_msg("%s: %.9g, expected %.9g", text, json_number_value(json_object_get(c, "mean")), mean);
        }
        if (strcmp(verdict, is_broken ? "not held" : "held") != 0)
            fail_msg("%s: %s (%.9g)", text, verdict, json_number_value(json_object_get(c, "mean")));
    }
    assert_int_equal(left, 0);
    json_decref(claims);
}
#define only(claims, mean, ...) expect_only(claims, mean, (const char *const[]){__VA_ARGS__ __VA_OPT__(,) NULL})

/* A copy of the rows with one list's first neuron exchanged for one that is not in it. */
static json_t *exchange(size_t document, const char *name, int64_t width)
{
    json_t *rows = json_deep_copy(row), *list = at(json_object_get(at(rows, document), name), 1);
    for (int64_t i = 0; i < width; i++) {
        bool in = false;
        for (size_t k = 0; k < K; k++)
            in |= json_integer_value(at(list, k)) % 16 == i % 16; /* nor a repetition of one: heads have 16 neurons */
        if (!in) {
            json_array_set_new(list, 0, json_integer(i));
            break;
        }
    }
    return rows;
}

static void results_that_agree_hold(void **state)
{
    (void)state;
    only(try_with(row, ranking), 0);
    json_t *rows = json_deep_copy(row); /* a document whose licence keeps its text out */
    json_object_del(at(rows, 5), "doc");
    json_object_del(at(rows, 5), "tokens");
    only(try_with(rows, ranking), 0);
    json_decref(rows);
}

static void what_differs_is_told_and_nothing_else(void **state)
{
    (void)state;
    json_t *rows = json_deep_copy(row), *other = json_deep_copy(ranking);
    json_array_set_new(json_object_get(at(rows, 4), "tokens"), 2, json_integer(1));
    only(try_with(rows, ranking), (N - 1) / (double)N, tokens);
    json_decref(rows);

    rows = exchange(7, "up", 96); /* in a document that is no target and has another distance then: not compared */
    only(try_with(rows, ranking), (N * L - 1) / (double)(N * L), up, wide);
    json_decref(rows);

    json_array_set_new(json_object_get(json_object_get(json_object_get(other, "target"), "code"), "distance"), 3, json_real(2));
    json_t *claims = try_with(row, other);
    const double was = json_number_value(at(json_object_get(json_object_get(json_object_get(ranking, "target"), "code"), "distance"), 3));
    only(claims, 2 - was, distances);

    json_array_remove(json_object_get(json_object_get(json_object_get(other, "target"), "code"), "selected_0.2"), 0);
    json_array_set_new(json_object_get(json_object_get(json_object_get(other, "target"), "code"), "distance"), 3, json_real(was));
    only(try_with(row, other), 0.5, fifth);
    json_decref(other);

    /* one number of a vector: the file is the header and then float32 */
    char path[256];
    float x;
    snprintf(path, sizeof path, "%s/golden/scores.safetensors", D);
    FILE *f = fopen(path, "r+b");
    fseek(f, -4, SEEK_END);
    assert_int_equal(fread(&x, sizeof x, 1, f), 1);
    const float changed = x * 0.5f;
    fseek(f, -4, SEEK_END);
    assert_int_equal(fwrite(&changed, sizeof x, 1, f), 1);
    fclose(f);
    only(try_with(row, ranking), 1, vectors);
    f = fopen(path, "r+b");
    fseek(f, -4, SEEK_END);
    assert_int_equal(fwrite(&x, sizeof x, 1, f), 1);
    fclose(f);
}

/* Which of the equal heads that repeat a KV neuron stands in a list is nobody's business. */
static void repeated_heads_are_one_neuron(void **state)
{
    (void)state;
    json_t *rows = json_deep_copy(row);
    size_t i, k;
    json_t *r, *x;
    json_array_foreach(rows, i, r)
        for (size_t l = 0; l < L; l++)
            json_array_foreach(at(json_object_get(r, "k"), l), k, x)
                json_integer_set(x, json_integer_value(x) ^ 16); /* the other head of the pair */
    only(try_with(rows, ranking), 0);
    json_decref(rows);
    rows = exchange(3, "k", 64);
    only(try_with(rows, ranking), (N * L - 1) / (double)(N * L), k_lists, wide);
    json_decref(rows);
}

static void expect_error(const json_t *rows, const json_t *rankings, const char *says)
{
    assert_null(try_with(rows, rankings));
    if (s.code != 1 || !strstr(s.err, says))
        fail_msg("exit %d, \"%s\"; expected \"%s\"", s.code, s.err, says);
}

static void folders_of_something_else_are_refused(void **state)
{
    (void)state;
    json_t *rows = json_deep_copy(row), *other = json_deep_copy(ranking);
    json_object_del(at(rows, 2), "v");
    expect_error(rows, ranking, "docs.jsonl.zst:3: not a row of published results");
    json_decref(rows);
    json_array_set_new(json_object_get(json_object_get(json_object_get(other, "target"), "verse"), "targets"), 0, json_string("nobody"));
    expect_error(row, other, "names a document \"nobody\"");
    json_object_clear(json_object_get(other, "target"));
    expect_error(row, other, "not rankings of a published run");
    json_decref(other);
    rows = json_deep_copy(row);
    size_t i;
    json_t *r;
    json_array_foreach(rows, i, r)
        json_object_del(r, "doc");
    expect_error(rows, ranking, "no document has its text");
    json_decref(rows);
    put_text(D, "golden/ranking.json", "{\"target\":\n]");
    run(&s, D, "reproduce nag --model $M --pool $D/pool.jsonl --quiet --part exactness --golden $D/golden");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "ranking.json:2:1: "));
}

static void results_of_another_model_are_not_tried(void **state)
{
    (void)state;
    json_t *other = json_deep_copy(ranking);
    json_object_set_new(other, "model_hash", json_string("0123"));
    json_t *claims = try_with(row, other);
    assert_int_equal(json_array_size(claims), 1);
    assert_string_equal(json_string_value(json_object_get(at(claims, 0), "verdict")), "not tried");
    assert_string_equal(json_string_value(json_object_get(at(claims, 0), "note")), "the published results are of a tiny model");
    json_decref(claims);
    json_decref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_that_agree_hold),
        cmocka_unit_test(what_differs_is_told_and_nothing_else),
        cmocka_unit_test(repeated_heads_are_one_neuron),
        cmocka_unit_test(folders_of_something_else_are_refused),
        cmocka_unit_test(results_of_another_model_are_not_tried),
    };
    return cmocka_run_group_tests(tests, prepare, tidy_all);
}
