/* A whole source: documents are handed over in order and whole, whatever threads and groups do; failures and stops leave a prefix. */
#include "ration.h"
#include "edit.h"
#include <stdatomic.h>
#include <limits.h>
#include <time.h>

#define MODEL "tests/golden/tinygguf/tiny.gguf"
enum { N = 90, WIDTH = 96, LAYERS = 2, VOCABULARY = 512 };

static const char *pool_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/pool.jsonl", edit_folder);
    return path;
}

/* Texts from two letters to a few hundred, of plain words. */
static void write_pool(int n, int broken_row)
{
    static const char *const words[] = {"neuron", "axon", "of", "the", "silver", "stain", "dendrite", "a", "cell", "made", "visible", "whole"};
    FILE *f = fopen(pool_path(), "w");
    assert_non_null(f);
    uint32_t x = 7;
    for (int i = 0; i < n; i++) {
        if (i == broken_row)
            fputs("{\"docid\": \"broken\", \n", f);
        fprintf(f, "{\"docid\": \"d%03d\", \"doc\": \"d%d", i, i);
        for (int k = 0; k < i * 37 % 61; k++) {
            x = x * 1664525 + 1013904223;
            fprintf(f, " %s", words[(x >> 16) % 12]);
        }
        fputs("\"}\n", f);
    }
    fclose(f);
}

/* --- a listener that keeps means of |up| a document, and counts ------------------------------------------------------- */

typedef struct keeper {
    atomic_int n_open, n_close, at_once, worst_at_once;
    int n_documents, fail_document, fail_tap_document;
    gg_context *stop_at, *ctx;
    int stop_document;
    bool dawdle;
    char docid[N][16];
    int64_t n_tokens[N];
    double mean[N][LAYERS][WIDTH];
} keeper;

typedef struct kept_group {
    int n;
    double *sum; /* (n, LAYERS, WIDTH) */
} kept_group;

static gg_status keep_open(void *user, void **state, const gg_group *g)
{
    keeper *k = user;
    kept_group *s = malloc(sizeof *s);
    s->n = g->n_documents;
    s->sum = calloc((size_t)(g->n_documents * LAYERS * WIDTH), sizeof(double));
    atomic_fetch_add(&k->n_open, 1);
    *state = s;
    return GG_OK;
}

static gg_status keep_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    keeper *k = user;
    kept_group *s = state;
    assert_int_equal(t->n_rows, g->n_tokens);
    for (int d = 0; d < g->n_documents; d++) {
        if (k->fail_tap_document >= 0 && g->document && g->document[d].index == k->fail_tap_document)
            return GG_EIO;
        for (int64_t r = g->start[d]; r < g->start[d + 1]; r++)
            for (int i = 0; i < WIDTH; i++)
                s->sum[(d * LAYERS + t->layer) * WIDTH + i] += fabs((double)t->x[r * WIDTH + i]);
    }
    if (k->dawdle && g->number % 3 == 0)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    return GG_OK;
}

static gg_status keep_document(void *user, void *state, const gg_group *g, int i)
{
    keeper *k = user;
    const kept_group *s = state;
    const int now = atomic_fetch_add(&k->at_once, 1) + 1;
    if (now > k->worst_at_once)
        k->worst_at_once = now;
    const int d = k->n_documents;
    assert_in_range(d, 0, N - 1);
    gg_status status = GG_OK;
    if (d == k->fail_document)
        status = GG_EBUSY;
    else {
        snprintf(k->docid[d], sizeof k->docid[d], "%s", g->document ? g->document[i].docid : "");
        k->n_tokens[d] = g->start[i + 1] - g->start[i];
        for (int l = 0; l < LAYERS; l++)
            for (int j = 0; j < WIDTH; j++)
                k->mean[d][l][j] = s->sum[(i * LAYERS + l) * WIDTH + j] / (double)k->n_tokens[d];
        k->n_documents++;
        if (k->stop_at && k->n_documents == k->stop_document)
            gg_context_stop(k->stop_at);
    }
    atomic_fetch_sub(&k->at_once, 1);
    return status;
}

static void keep_close(void *user, void *state)
{
    keeper *k = user;
    kept_group *s = state;
    atomic_fetch_add(&k->n_close, 1);
    free(s->sum);
    free(s);
}

static keeper *new_keeper(void)
{
    keeper *k = calloc(1, sizeof *k);
    k->fail_document = k->fail_tap_document = -1;
    return k;
}

static gg_listener listener_of(keeper *k)
{
    return (gg_listener){.sites = 1u << GG_SITE_UP, .open = keep_open, .tap = keep_tap, .document = keep_document, .close = keep_close, .user = k};
}

static gg_status run_pool(gg_context *ctx, gg_run_result *r, keeper *k, const gg_run_options *o)
{
    gg_documents *d = NULL;
    const char *path = pool_path();
    gg_model *m = open_model(ctx, MODEL, &(gg_model_options){.no_head = true});
    assert_ok_in(ctx, gg_documents_open(&d, ctx, &path, 1, NULL));
    const gg_listener y = listener_of(k);
    const gg_status s = gg_run(r, m, d, o, &y, 1);
    gg_documents_close(d);
    gg_model_free(m);
    assert_int_equal(k->n_open, k->n_close);
    assert_true(k->worst_at_once <= 1);
    return s;
}

static void assert_prefix(const keeper *whole, const keeper *part, int n)
{
    assert_int_equal(part->n_documents, n);
    for (int d = 0; d < n; d++) {
        assert_string_equal(part->docid[d], whole->docid[d]);
        assert_int_equal(part->n_tokens[d], whole->n_tokens[d]);
        assert_memory_equal(part->mean[d], whole->mean[d], sizeof whole->mean[d]);
    }
}

static keeper *whole_pool(gg_context *ctx)
{
    gg_run_result r;
    keeper *k = new_keeper();
    write_pool(N, -1);
    assert_ok_in(ctx, run_pool(ctx, &r, k, &(gg_run_options){.max_tokens = 40}));
    assert_int_equal(r.n_documents, N);
    return k;
}

/* --- tests ----------------------------------------------------------------------------------------------------------- */

static void order_and_bytes_do_not_depend_on_threads_or_groups(void **state)
{
    keeper *whole = whole_pool(*state);
    for (int i = 0; i < N; i++) {
        char id[16];
        snprintf(id, sizeof id, "d%03d", i);
        assert_string_equal(whole->docid[i], id);
        assert_in_range(whole->n_tokens[i], 1, 40);
    }
    for (int threads = 1; threads <= 4; threads++)
        for (int64_t group = 1; group <= 4000; group *= 15) {
            gg_run_result r;
            gg_context *ctx = NULL;
            keeper *k = new_keeper();
            k->dawdle = true;
            assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = threads}), GG_OK);
            assert_ok_in(ctx, run_pool(ctx, &r, k, &(gg_run_options){.max_tokens = 40, .group_tokens = group}));
            assert_prefix(whole, k, N);
            int64_t n_tokens = 0;
            for (int i = 0; i < N; i++)
                n_tokens += whole->n_tokens[i];
            assert_int_equal(r.n_tokens, n_tokens);
            gg_context_free(ctx);
            free(k);
        }
    free(whole);
}

static void texts_are_their_token_ids_cut_at_the_limit(void **state)
{
    gg_run_result r;
    gg_model *m = open_model(*state, MODEL, &(gg_model_options){.no_head = true});
    keeper *whole = whole_pool(*state);
    gg_token_list ids = {.ctx = *state};
    gg_documents *docs = NULL;
    gg_document d;
    const char *path = pool_path();
    int n_cut = 0;
    assert_ok_in(*state, gg_documents_open(&docs, *state, &path, 1, NULL));
    for (int i = 0; i < N; i++) {
        keeper *k = new_keeper();
        const gg_listener y = listener_of(k);
        assert_ok_in(*state, gg_documents_next(docs, &d));
        assert_ok_in(*state, gg_tokenizer_encode(gg_model_tokenizer(m), &ids, d.text, d.n_text, 0, 0));
        n_cut += ids.n > 40;
        assert_int_equal(whole->n_tokens[i], ids.n < 40 ? ids.n : 40);
        assert_ok_in(*state, gg_run_ids(&r, m, ids.id, 1, ids.n, &(gg_run_options){.max_tokens = 40}, &y, 1));
        assert_int_equal(r.n_cut, ids.n > 40);
        assert_memory_equal(k->mean[0], whole->mean[i], sizeof k->mean[0]);
        json_decref(d.row);
        free(k);
    }
    gg_documents_close(docs);
    assert_true(n_cut > 5 && n_cut < N - 5);
    keeper *k = new_keeper();
    assert_ok_in(*state, run_pool(*state, &r, k, &(gg_run_options){.max_tokens = 40}));
    assert_int_equal(r.n_cut, n_cut);
    gg_token_list_free(&ids);
    gg_model_free(m);
    free(k);
    free(whole);
}

static void a_broken_line_fails_behind_the_documents_before_it(void **state)
{
    keeper *whole = whole_pool(*state);
    static const int rows[] = {0, 1, 47, N};
    for (int i = 0; i < 4; i++)
        for (int64_t group = 30; group < 2000; group *= 8) {
            gg_run_result r;
            keeper *k = new_keeper();
            write_pool(N, rows[i]);
            if (rows[i] == N) { /* after the last */
                FILE *f = fopen(pool_path(), "a");
                fputs("nonsense\n", f);
                fclose(f);
            }
            assert_int_equal(run_pool(*state, &r, k, &(gg_run_options){.max_tokens = 40, .group_tokens = group}), GG_EFORMAT);
            char where[32];
            snprintf(where, sizeof where, "pool.jsonl:%d", rows[i] + 1);
            assert_text_has(gg_message(*state), where);
            assert_int_equal(r.n_documents, rows[i]);
            assert_prefix(whole, k, rows[i]);
            free(k);
        }
    free(whole);
}

static void a_failing_listener_ends_the_run_with_a_prefix(void **state)
{
    keeper *whole = whole_pool(*state);
    gg_run_result r;
    for (int64_t group = 1; group < 2000; group *= 20) {
        keeper *k = new_keeper();
        k->fail_document = 33;
        assert_int_equal(run_pool(*state, &r, k, &(gg_run_options){.max_tokens = 40, .group_tokens = group}), GG_EBUSY);
        assert_prefix(whole, k, 33);
        assert_int_equal(r.n_documents, 33);
        free(k);
        k = new_keeper();
        k->fail_tap_document = 33;
        assert_int_equal(run_pool(*state, &r, k, &(gg_run_options){.max_tokens = 40, .group_tokens = group}), GG_EIO);
        assert_true(k->n_documents <= 33);
        assert_true(group > 1 || k->n_documents == 33);
        assert_prefix(whole, k, k->n_documents);
        free(k);
    }
    free(whole);
}

static void a_stop_leaves_a_clean_prefix(void **state)
{
    keeper *whole = whole_pool(*state);
    for (int threads = 1; threads <= 3; threads++)
        for (int64_t group = 1; group < 500; group *= 20) {
            gg_run_result r;
            gg_context *ctx = NULL;
            keeper *k = new_keeper();
            assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = threads}), GG_OK);
            k->stop_at = ctx;
            k->stop_document = 5;
            const gg_status s = run_pool(ctx, &r, k, &(gg_run_options){.max_tokens = 40, .group_tokens = group});
            assert_in_range(k->n_documents, 5, N);
            assert_int_equal(s, k->n_documents < N ? GG_EINTR : GG_OK); /* large groups: all was taken before the stop */
            assert_true(group > 20 || k->n_documents < N);
            assert_int_equal(r.n_documents, k->n_documents);
            assert_prefix(whole, k, k->n_documents);
            gg_context_free(ctx);
            free(k);
        }
    free(whole);
}

typedef struct shapes {
    int64_t tokens[1000];
} shapes;

static gg_status note_shape(void *user, void **state, const gg_group *g)
{
    shapes *s = user;
    *state = NULL;
    assert_true(g->number < 1000);
    s->tokens[g->number] = g->n_tokens; /* every number once, so threads do not meet */
    return GG_OK;
}

static gg_status hear_nothing(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user, (void)state, (void)g, (void)t;
    return GG_OK;
}

/* Small groups first, whole ones after, even parts of what is left at the end; always the same with the same number of threads. */
static void groups_begin_small_and_end_together(void **state)
{
    enum { N_ROWS = 230, T = 10, GROUP = 100, SMALL = 30 };
    (void)state;
    static int32_t ids[N_ROWS * T];
    for (int threads = 1; threads <= 3; threads++) {
        gg_context *ctx = NULL;
        assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = threads}), GG_OK);
        gg_model *m = open_model(ctx, TINY "llama", NULL);
        shapes s = {0}, again = {0};
        gg_run_result r;
        const gg_listener y = {.sites = 1u << GG_SITE_UP, .open = note_shape, .tap = hear_nothing, .user = &s};
        const gg_listener z = {.sites = 1u << GG_SITE_UP, .open = note_shape, .tap = hear_nothing, .user = &again};
        assert_ok_in(ctx, gg_run_ids(&r, m, ids, N_ROWS, T, &(gg_run_options){.group_tokens = GROUP}, &y, 1));
        assert_ok_in(ctx, gg_run_ids(&r, m, ids, N_ROWS, T, &(gg_run_options){.group_tokens = GROUP}, &z, 1));
        assert_memory_equal(&s, &again, sizeof s);
        int64_t sum = 0;
        int n = 0;
        for (; s.tokens[n] > 0; n++)
            sum += s.tokens[n];
        assert_int_equal(sum, N_ROWS * T);
        for (int i = 0; i < threads; i++)
            assert_true(s.tokens[i] <= SMALL);
        assert_int_equal(s.tokens[threads + 2], GROUP);
        if (threads > 1) {
            assert_true(s.tokens[n - 1] <= SMALL && s.tokens[n - threads] <= SMALL);
            for (int i = threads + 1; i < n; i++)
                assert_true(s.tokens[i] <= s.tokens[i - 1]);
        } else
            assert_int_equal(s.tokens[n - 2], GROUP); /* alone, nobody waits for the last group */
        gg_model_free(m);
        gg_context_free(ctx);
    }
}

static void two_listeners_hear_one_pass(void **state)
{
    int32_t ids[3 * 10];
    gg_run_result r;
    for (int i = 0; i < 30; i++)
        ids[i] = i * 7 % VOCABULARY;
    gg_model *m = open_model(*state, MODEL, NULL);
    recording *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    const bool second[LAYERS] = {false, true};
    gg_listener y[2] = {recorder(a, 1u << GG_SITE_Q | 1u << GG_SITE_LOGITS), recorder(b, 1u << GG_SITE_Q | 1u << GG_SITE_HID)};
    y[1].layers = second;
    assert_ok_in(*state, gg_run_ids(&r, m, ids, 3, 10, &(gg_run_options){.group_tokens = 10}, y, 2));
    assert_int_equal(a->rows[0][GG_SITE_Q], 30);
    assert_int_equal(a->rows[LAYERS][GG_SITE_LOGITS], 30);
    assert_int_equal(a->rows[1][GG_SITE_HID], 0);
    assert_int_equal(b->rows[0][GG_SITE_Q], 0);
    assert_int_equal(b->rows[1][GG_SITE_HID], 30);
    assert_memory_equal(a->x[1][GG_SITE_Q], b->x[1][GG_SITE_Q], sizeof(float) * 30 * (size_t)a->width[1][GG_SITE_Q]);
    assert_ok_in(*state, gg_run_ids(&r, m, ids, 0, 10, NULL, y, 2)); /* nothing to do is not a failure */
    assert_int_equal(r.n_documents, 0);
    drop_recording(a);
    drop_recording(b);
    gg_model_free(m);
}

static void rows_of_any_length_are_each_run_as_if_alone(void **state)
{
    enum { ROWS = 7 };
    static const int64_t start[ROWS + 1] = {5, 15, 15, 18, 60, 61, 100, 105}; /* one is empty; the first ids belong to nobody */
    int32_t ids[105];
    gg_run_result r;
    for (int i = 0; i < 105; i++)
        ids[i] = i < 5 ? -1 : i * 11 % VOCABULARY;
    gg_model *m = open_model(*state, MODEL, &(gg_model_options){.no_head = true});
    for (int64_t group = 1; group <= 64; group *= 4) {
        recording *all = calloc(1, sizeof *all);
        const gg_listener y = recorder(all, 1u << GG_SITE_UP);
        assert_ok_in(*state, gg_run_tokens(&r, m, ids, start, ROWS, &(gg_run_options){.group_tokens = group, .max_tokens = 40}, &y, 1));
        assert_int_equal(r.n_documents, ROWS);
        assert_int_equal(r.n_cut, 1);
        assert_int_equal(r.n_tokens, 98);
        int64_t row = 0;
        for (int i = 0; i < ROWS; i++) {
            const int64_t n = start[i + 1] - start[i] < 40 ? start[i + 1] - start[i] : 40;
            recording *one = record_ids(m, ids + start[i], 1, n, 0, 1u << GG_SITE_UP);
            assert_int_equal(one->rows[1][GG_SITE_UP], n);
            if (n > 0)
                assert_memory_equal(all->x[1][GG_SITE_UP] + row * WIDTH, one->x[1][GG_SITE_UP], sizeof(float) * (size_t)(n * WIDTH));
            row += n;
            drop_recording(one);
        }
        assert_int_equal(all->rows[1][GG_SITE_UP], row);
        drop_recording(all);
    }
    assert_int_equal(gg_run_tokens(&r, m, ids, (const int64_t[]){5, 9, 8}, 2, NULL, NULL, 0), GG_EINVAL);
    assert_text_has(gg_message(*state), "document 1 of bare tokens begins at 9 and ends at 8");
    gg_model_free(m);
}

/* --- scores ---------------------------------------------------------------------------------------------------------- */

enum { TOP = 4 };
typedef struct scores {
    int n;
    double nll[8];
    int32_t top[8][TOP];
    float logit[8][TOP];
} scores;

static gg_status keep_score(void *user, const gg_score_row *r)
{
    scores *s = user;
    assert_int_equal(r->n_top, TOP);
    s->nll[s->n] = r->mean_nll;
    memcpy(s->top[s->n], r->top_id, sizeof s->top[0]);
    memcpy(s->logit[s->n], r->top_logit, sizeof s->logit[0]);
    s->n++;
    return GG_OK;
}

static void losses_are_those_of_the_logits(void **state)
{
    enum { T = 50, ROWS = 3 };
    int32_t ids[ROWS * T];
    gg_run_result result;
    scores s = {0};
    for (int i = 0; i < ROWS * T; i++)
        ids[i] = (i * i + 3 * i) % VOCABULARY;
    gg_model *m = open_model(*state, MODEL, NULL);
    recording *r = record_ids(m, ids, ROWS, T, 0, 1u << GG_SITE_LOGITS);
    assert_ok_in(*state, gg_score_ids(&result, m, ids, ROWS, T, &(gg_run_options){.group_tokens = 1000}, TOP, keep_score, &s));
    assert_int_equal(s.n, ROWS);
    for (int d = 0; d < ROWS; d++) {
        double nll = 0;
        for (int t = 0; t < T; t++) {
            const float *x = r->x[LAYERS][GG_SITE_LOGITS] + (d * T + t) * VOCABULARY;
            double sum = 0;
            for (int i = 0; i < VOCABULARY; i++)
                sum += exp((double)x[i]);
            if (t + 1 < T)
                nll += log(sum) - (double)x[ids[d * T + t + 1]];
            else
                for (int k = 0; k < TOP; k++) {
                    int above = 0;
                    for (int i = 0; i < VOCABULARY; i++)
                        above += x[i] > s.logit[d][k];
                    assert_int_equal(above, k);
                    assert_true(x[s.top[d][k]] == s.logit[d][k]);
                }
        }
        assert_true(fabs(s.nll[d] - nll / (T - 1)) < 1e-5);
    }
    scores rows = {0};
    assert_ok_in(*state, gg_score_tokens(&result, m, ids, (const int64_t[]){0, T, 2 * T, 3 * T}, ROWS, NULL, TOP, keep_score, &rows));
    assert_memory_equal(&rows, &s, sizeof s);
    s.n = 0;
    assert_ok_in(*state, gg_score_ids(&result, m, ids, 2, 1, NULL, TOP, keep_score, &s));
    assert_true(isnan(s.nll[0]) && isnan(s.nll[1])); /* one token has nothing to predict */
    assert_int_equal(gg_score_ids(&result, m, ids, 1, T, NULL, VOCABULARY + 1, keep_score, &s), GG_EINVAL);
    drop_recording(r);
    gg_model_free(m);
}

/* --- memory ---------------------------------------------------------------------------------------------------------- */

static void every_failing_allocation_of_a_run_is_reported(void **state)
{
    (void)state;
    write_pool(12, -1);
    const char *path = pool_path();
    ration c = {0};
    gg_context *ctx = NULL;
    gg_model *m = NULL;
    assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &c}, .n_threads = 2}), GG_OK);
    assert_ok_in(ctx, gg_model_open(&m, ctx, MODEL, &(gg_model_options){.no_head = true}));
    bool through = false;
    for (int64_t k = 1; !through; k++) {
        gg_documents *d = NULL;
        gg_run_result r;
        keeper *y = new_keeper();
        const gg_listener listener = listener_of(y);
        const size_t held = gg_context_bytes(ctx, NULL);
        c.fail_at = LLONG_MAX;
        assert_ok_in(ctx, gg_documents_open(&d, ctx, &path, 1, NULL));
        c.n = 0;
        c.fail_at = k;
        const gg_status s = gg_run(&r, m, d, &(gg_run_options){.max_tokens = 40, .group_tokens = 50}, &listener, 1);
        through = c.n < k;
        /* a failure to start the second thread's share is the only one that may be lived with */
        if (s != GG_OK && s != GG_ENOMEM)
            fail_msg("allocation %lld: %s: %s", (long long)k, gg_status_name(s), gg_message(ctx));
        if (s == GG_OK)
            assert_int_equal(r.n_documents, 12);
        assert_int_equal(y->n_documents, r.n_documents);
        assert_int_equal(y->n_open, y->n_close);
        gg_documents_close(d);
        free(y);
        assert_int_equal(gg_context_bytes(ctx, NULL), held);
    }
    gg_model_free(m);
    gg_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_bytes_do_not_depend_on_threads_or_groups),
        cmocka_unit_test(texts_are_their_token_ids_cut_at_the_limit),
        cmocka_unit_test(a_broken_line_fails_behind_the_documents_before_it),
        cmocka_unit_test(a_failing_listener_ends_the_run_with_a_prefix),
        cmocka_unit_test(a_stop_leaves_a_clean_prefix),
        cmocka_unit_test(groups_begin_small_and_end_together),
        cmocka_unit_test(two_listeners_hear_one_pass),
        cmocka_unit_test(rows_of_any_length_are_each_run_as_if_alone),
        cmocka_unit_test(losses_are_those_of_the_logits),
        cmocka_unit_test(every_failing_allocation_of_a_run_is_reported),
    };
    return cmocka_run_group_tests(tests, make_edit_folder, drop_edit_folder);
}
