/* Real models, further than model/real_test goes: tokens written one after the other, token ids of a second model, and its neurons. Skipped where the
 * models are not (tools/setup, tools/setup --model gemma3-270m). */
#include "model/support.h"
#include "systems/nag/nag.h"

enum { FIRST = 24, WRITTEN = 12, TEXTS = 9, MOST = 128 };
#define SMOLLM2 "models/SmolLM2-135M-Instruct.Q4_1.gguf"
#define GEMMA3 "models/gemma-3-270m-q4_k_m.gguf"

/* --- greedy tokens ------------------------------------------------------------------------------------------------------------------------ */
typedef struct written {
    int n;
    int32_t next[TEXTS];
} written;

static gg_status keep_next(void *user, const gg_score_row *r)
{
    written *w = user;
    w->next[w->n++] = r->top_id[0];
    return GG_OK;
}

static void read_ids(const char *path, int32_t ids[TEXTS][MOST], int n[TEXTS])
{
    char name[64];
    double nll;
    int skipped;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (int i = 0; i < TEXTS; i++) {
        assert_int_equal(fscanf(f, "%63s %d %lf", name, &n[i], &nll), 3);
        assert_in_range(n[i], FIRST, MOST);
        for (int k = 0; k < 5; k++)
            assert_int_equal(fscanf(f, "%d", &skipped), 1);
        for (int k = 0; k < n[i]; k++)
            assert_int_equal(fscanf(f, "%d", &ids[i][k]), 1);
    }
    fclose(f);
}

static void check_greedy(gg_context *ctx, const char *model, const char *golden, const char *greedy)
{
    int32_t ids[TEXTS][MOST], rows[TEXTS * (FIRST + WRITTEN)], want[TEXTS][WRITTEN];
    int n[TEXTS], n_same = 0;
    char name[64];
    if (access(model, R_OK) != 0)
        skip();
    read_ids(golden, ids, n);
    FILE *f = fopen(greedy, "r");
    assert_non_null(f);
    for (int i = 0; i < TEXTS; i++) {
        assert_int_equal(fscanf(f, "%63s", name), 1);
        for (int k = 0; k < WRITTEN; k++)
            assert_int_equal(fscanf(f, "%d", &want[i][k]), 1);
    }
    fclose(f);
    gg_model *m = open_model(ctx, model, NULL);
    for (int t = 0; t < WRITTEN; t++) {
        written w = {0};
        gg_run_result r;
        for (int i = 0; i < TEXTS; i++)
            memcpy(rows + i * (FIRST + t), ids[i], sizeof *rows * (FIRST + (size_t)t));
        assert_ok_in(ctx, gg_score_ids(&r, m, rows, TEXTS, FIRST + t, NULL, 1, keep_next, &w));
        assert_int_equal(w.n, TEXTS);
        for (int i = 0; i < TEXTS; i++)
            ids[i][FIRST + t] = w.next[i];
    }
    gg_model_free(m);
    for (int i = 0; i < TEXTS; i++)
        n_same += memcmp(ids[i] + FIRST, want[i], sizeof want[i]) == 0;
    print_message("%s: the %d greedy tokens of %d of %d texts\n", model, WRITTEN, n_same, TEXTS);
    assert_true(10 * n_same >= 9 * TEXTS);
}

static void smollm2_writes_what_independent_code_writes(void **state)
{
    check_greedy(*state, SMOLLM2, "tests/golden/forward/smollm2.txt", "tests/golden/forward/smollm2.greedy.txt");
}

static void gemma3_writes_what_independent_code_writes(void **state)
{
    check_greedy(*state, GEMMA3, "tests/golden/forward/gemma3.txt", "tests/golden/forward/gemma3.greedy.txt");
}

/* --- Gemma's tokens and neurons ----------------------------------------------------------------------------------------------------------- */

/* The text of a document, freed by the caller. */
static char *text_of(gg_context *ctx, const char *docid)
{
    gg_rows *in = NULL;
    json_t *row;
    char *text = NULL;
    assert_ok_in(ctx, gg_rows_open(&in, ctx, "tests/golden/nag/docs.jsonl.zst"));
    while (!text && gg_rows_next(in, &row) == GG_OK) {
        if (strcmp(json_string_value(json_object_get(row, "docid")), docid) == 0)
            text = strdup(json_string_value(json_object_get(row, "doc")));
        json_decref(row);
    }
    gg_rows_close(in);
    assert_non_null(text);
    return text;
}

static void gemma3_reads_texts_as_the_reference_does(void **state)
{
    char name[64];
    double nll;
    int n, id;
    if (access(GEMMA3, R_OK) != 0)
        skip();
    gg_model *m = open_model(*state, GEMMA3, &(gg_model_options){.no_weights = true});
    gg_token_list list = {.ctx = *state};
    FILE *f = fopen("tests/golden/forward/gemma3.txt", "r");
    assert_non_null(f);
    while (fscanf(f, "%63s %d %lf", name, &n, &nll) == 3) {
        char *text = text_of(*state, name);
        assert_ok_in(*state, gg_tokenizer_encode(gg_model_tokenizer(m), &list, text, strlen(text), n, GG_TOKENIZE_SPECIAL));
        assert_int_equal(list.n, n);
        for (int k = 0; k < 5; k++)
            assert_int_equal(fscanf(f, "%d", &id), 1);
        for (int k = 0; k < n; k++) {
            assert_int_equal(fscanf(f, "%d", &id), 1);
            if (list.id[k] != id)
                fail_msg("%s: token %d is %d, the reference has %d", name, k, list.id[k], id);
        }
        free(text);
    }
    fclose(f);
    gg_token_list_free(&list);
    gg_model_free(m);
}

typedef struct neurons {
    FILE *want;
    int64_t n, n_same, n_cells;
} neurons;

static gg_status compare_neurons(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    enum { K = 10 };
    neurons *x = user;
    char name[64];
    assert_int_equal(fscanf(x->want, "%63s", name), 1);
    for (int l = 0; l < h->n_layers; l++) {
        int n_in = 0;
        for (int k = 0; k < K; k++) {
            int want;
            assert_int_equal(fscanf(x->want, "%d", &want), 1);
            for (int j = 0; j < K; j++)
                n_in += ((const uint16_t *)f->index[0])[l * K + j] == want;
        }
        x->n_cells++;
        x->n_same += n_in == K;
    }
    x->n++;
    return GG_OK;
}

static void gemma3_has_the_neurons_of_the_reference(void **state)
{
    int32_t ids[TEXTS][MOST], tokens[TEXTS * MOST];
    int64_t start[TEXTS + 1] = {0};
    int n[TEXTS];
    neurons x = {0};
    gg_nag_extract_result r;
    if (access(GEMMA3, R_OK) != 0)
        skip();
    read_ids("tests/golden/forward/gemma3.txt", ids, n);
    for (int i = 0; i < TEXTS; i++) {
        memcpy(tokens + start[i], ids[i], sizeof *tokens * (size_t)n[i]);
        start[i + 1] = start[i] + n[i];
    }
    gg_model *m = open_model(*state, GEMMA3, &(gg_model_options){.no_head = true});
    assert_non_null(x.want = fopen("tests/golden/forward/gemma3.up.txt", "r"));
    assert_ok_in(*state, gg_nag_extract_tokens(&r, *state, m, tokens, start, TEXTS, &(gg_nag_extract_options){0}, compare_neurons, &x));
    fclose(x.want);
    gg_model_free(m);
    print_message("%lld of %lld (document, layer)\n", (long long)x.n_same, (long long)x.n_cells);
    assert_int_equal(x.n_cells, TEXTS * 18);
    assert_true((double)x.n_same >= 0.995 * (double)x.n_cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smollm2_writes_what_independent_code_writes),
        cmocka_unit_test(gemma3_writes_what_independent_code_writes),
        cmocka_unit_test(gemma3_reads_texts_as_the_reference_does),
        cmocka_unit_test(gemma3_has_the_neurons_of_the_reference),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
