/* NAG on every published document whose text is here: `golgi reproduce nag` must hold what it says of exactness and bfloat16, and the features must be the same
 * bytes whatever threads, groups and the order of the pool. Skipped where the model is not (tools/setup). */
#include "context.h"
#include "systems/nag/nag_internal.h"
#include "base/file.h"

#define MODEL "models/SmolLM2-135M-Instruct.Q4_1.gguf"
enum { TEXTS = 157, L = 30, K = 10 };

static int prepare(void **state)
{
    (void)state;
    return begin_folder("nag-long", 2) != 0;
}

static int tidy(void **state)
{
    return end_folder(state);
}

/* --- what reproduce holds ----------------------------------------------------------------------------------------------------------------- */
static void all_is_held(const char *part, const char *words, size_t n_claims)
{
    char line[512];
    const char *golgi = getenv("GOLGI");
    json_error_t e;
    size_t i, k, n = 0;
    json_t *p, *c;
    if (!gg_file_exists(MODEL))
        skip();
    snprintf(line, sizeof line, "%s reproduce nag --quiet --json --part %s %s > %s", golgi ? golgi : "build/golgi", part, words, at("out.json"));
    assert_int_equal(system(line), 0);
    json_t *j = json_load_file(at("out.json"), 0, &e);
    assert_non_null(j);
    json_array_foreach(json_object_get(j, "parts"), i, p)
        json_array_foreach(json_object_get(p, "claims"), k, c) {
            const char *note = json_string_value(json_object_get(c, "note"));
            print_message("%-9s %s: %.10g%s%s\n", json_string_value(json_object_get(c, "verdict")), json_string_value(json_object_get(c, "claim")),
                          json_number_value(json_object_get(c, "mean")), note ? "; " : "", note ? note : "");
            assert_string_equal(json_string_value(json_object_get(c, "verdict")), "held");
            n++;
        }
    assert_int_equal(n, n_claims);
    json_decref(j);
}

static void lists_vectors_distances_and_selections_are_the_published_ones(void **state)
{
    (void)state;
    all_is_held("exactness", "", 12);
}

static void bfloat16_finds_the_same_neurons(void **state)
{
    (void)state;
    all_is_held("bf16", "--per-domain 20", 2);
}

/* --- the same bytes ----------------------------------------------------------------------------------------------------------------------- */
/* The texts of the published documents as rows: in order, backwards, or every seventh in turn. */
static void write_pool(const char *path, int order)
{
    json_t *text[TEXTS], *row;
    gg_rows *in = NULL;
    gg_rows_writer *out = NULL;
    int n = 0;
    assert_ok(gg_rows_open(&in, ctx, "tests/golden/nag/docs.jsonl.zst"));
    while (gg_rows_next(in, &row) == GG_OK) {
        if (json_object_get(row, "doc")) {
            assert_true(n < TEXTS);
            text[n++] = json_pack("{s:O, s:O}", "docid", json_object_get(row, "docid"), "doc", json_object_get(row, "doc"));
        }
        json_decref(row);
    }
    gg_rows_close(in);
    assert_int_equal(n, TEXTS);
    assert_ok(gg_rows_writer_open(&out, ctx, path));
    for (int i = 0; i < n; i++) /* 7 and 157 have no common divisor */
        assert_ok(gg_rows_writer_add(out, text[order == 0 ? i : order == 1 ? n - 1 - i : i * 7 % n]));
    assert_ok(gg_rows_writer_commit(out));
    for (int i = 0; i < n; i++)
        json_decref(text[i]);
}

static void extract(const char *path, const char *pool, int n_threads, int64_t group_tokens)
{
    gg_context *own = NULL;
    gg_model *m = NULL;
    gg_nag_extract_result r;
    const gg_nag_source source = {.paths = &pool, .n_paths = 1};
    assert_int_equal(gg_context_create(&own, &(gg_context_options){.n_threads = n_threads}), GG_OK);
    assert_int_equal(gg_model_open(&m, own, MODEL, &(gg_model_options){.dtype = GG_F32, .no_head = true}), GG_OK);
    const gg_status s = gg_nag_extract_file(&r, own, m, &source, path, &(gg_nag_extract_options){.types = 63, .group_tokens = group_tokens});
    if (s != GG_OK)
        fail_msg("%s", gg_message(own));
    assert_int_equal(r.n_documents, TEXTS);
    gg_model_free(m);
    gg_context_free(own);
}

static void threads_groups_and_order_change_no_byte(void **state)
{
    (void)state;
    static const struct { int order, n_threads; int64_t group_tokens; } table[] = {{0, 1, 1}, {0, 2, 2000}, {1, 2, 0}, {2, 1, 333}};
    if (!gg_file_exists(MODEL))
        skip();
    for (int order = 0; order < 3; order++)
        write_pool(at((const char *[]){"0.jsonl", "1.jsonl", "2.jsonl"}[order]), order);
    extract(at("first.nag"), at("0.jsonl"), 2, 0);
    gg_nag_set *first = NULL;
    assert_ok(gg_nag_set_read(&first, ctx, (const char *[]){at("first.nag")}, 1, 0));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_nag_set *s = NULL;
        extract(at("other.nag"), at((const char *[]){"0.jsonl", "1.jsonl", "2.jsonl"}[table[i].order]), table[i].n_threads, table[i].group_tokens);
        if (table[i].order == 0)
            assert_same_file(at("first.nag"), at("other.nag"));
        assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("other.nag")}, 1, 0));
        for (int d = 0; d < TEXTS; d++) {
            const int from = table[i].order == 0 ? d : table[i].order == 1 ? TEXTS - 1 - d : d * 7 % TEXTS;
            assert_string_equal(s->f.docid[d], first->f.docid[from]);
            for (int t = 0; t < GG_NAG_TYPES; t++)
                assert_memory_equal((const uint16_t *)s->f.index[t] + d * L * K, (const uint16_t *)first->f.index[t] + from * L * K, sizeof(uint16_t) * L * K);
        }
        gg_nag_set_free(s);
    }
    gg_nag_set_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_vectors_distances_and_selections_are_the_published_ones),
        cmocka_unit_test(bfloat16_finds_the_same_neurons),
        cmocka_unit_test(threads_groups_and_order_change_no_byte),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
