/* NAG through real models: the published features of SmolLM2 (when the model is there), the q/k norm of a tiny Qwen3, and work that is
 * stopped and gone on with. */
#include <math.h>
#include "context.h"
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "math/kernels.h"

#define MODEL "models/SmolLM2-135M-Instruct.Q4_1.gguf"
#if defined(__SANITIZE_ADDRESS__)
enum { N = 3, L = 30, K = 10 }; /* the sanitizers slow a model down tenfold */
#else
enum { N = 8, L = 30, K = 10 };
#endif

static gg_model *model;   /* NULL: not on this machine */
static json_t *golden[N]; /* rows with texts */

static int set_up(void **state)
{
    (void)state;
    if (begin_folder("nag-model", 2) != 0)
        return -1;
    if (!gg_file_exists(MODEL))
        return 0;
    if (gg_model_open(&model, ctx, MODEL, &(gg_model_options){.dtype = GG_F32, .no_head = true}) != GG_OK) {
        fprintf(stderr, "%s\n", gg_message(ctx));
        return -1;
    }
    gg_rows *in = NULL;
    json_t *row;
    FILE *out = fopen(at("eight.jsonl"), "w"), *back = fopen(at("backwards.jsonl"), "w");
    if (!out || !back || gg_rows_open(&in, ctx, "tests/golden/nag/docs.jsonl.zst") != GG_OK)
        return -1;
    int regular = 0;
    for (int n = 0, seen_texts = 0; n < N && gg_rows_next(in, &row) == GG_OK;) { /* every 20th that has a text; and the one that spells a special token */
        const bool has = json_object_get(row, "doc") != NULL;
        const char *docid = json_string_value(json_object_get(row, "docid"));
        const bool spelled = strcmp(docid, "pycode_0041") == 0, chosen = has && !spelled && regular < N - 1 && seen_texts++ % 20 == 0;
        if (spelled || chosen)
            golden[n++] = json_incref(row);
        regular += chosen;
        json_decref(row);
    }
    gg_rows_close(in);
    if (!golden[N - 1])
        return -1;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < N; i++) {
            json_t *r = json_pack("{s:O, s:O}", "docid", json_object_get(golden[side ? N - 1 - i : i], "docid"), "doc",
                                  json_object_get(golden[side ? N - 1 - i : i], "doc"));
            json_dumpf(r, side ? back : out, JSON_COMPACT);
            fputc('\n', side ? back : out);
            json_decref(r);
        }
    return fclose(out) + fclose(back);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        json_decref(golden[i]);
    gg_model_free(model);
    return end_folder(state);
}

#define need_model() do { if (!model) skip(); } while (0)

static gg_nag_source source_of(const char *path)
{
    static const char *paths[16];
    static int turn;
    paths[turn = (turn + 1) % 16] = path;
    return (gg_nag_source){.paths = &paths[turn], .n_paths = 1};
}

/* KV neuron of a repeated index: 9 query heads, 3 KV heads of 64. */
static int64_t kv_neuron(int64_t i) { return i / 64 / 3 * 64 + i % 64; }

static bool same_set(const uint16_t *a, const json_t *b, gg_nag_type t)
{
    for (int i = 0; i < K; i++) {
        bool in = false;
        for (int j = 0; j < K; j++) {
            const int64_t y = json_integer_value(json_array_get(b, (size_t)j));
            in |= t == GG_NAG_K || t == GG_NAG_V ? kv_neuron(a[i]) == kv_neuron(y) : a[i] == y;
        }
        if (!in)
            return false;
    }
    return true;
}

static void six_sites_are_the_published_ones_and_so_are_whole_vectors(void **state)
{
    (void)state;
    need_model();
    gg_nag_extract_result r;
    const gg_nag_source source = source_of(at("eight.jsonl"));
    assert_ok(gg_nag_extract_file(&r, ctx, model, &source, at("eight.nag"),
                                  &(gg_nag_extract_options){.types = 63, .scores = at("scores.safetensors"), .scores_documents = N}));
    assert_int_equal(r.n_documents, N);
    gg_nag_set *s = NULL;
    assert_ok(gg_nag_set_read(&s, ctx, (const char *[]){at("eight.nag")}, 1, 0));
    assert_int_equal(s->header.n_sites, 6);
    assert_int_equal(s->header.site[GG_NAG_K].width, 576);
    assert_string_equal(s->header.dtype, "f32");
    for (int i = 0; i < N; i++) {
        assert_string_equal(s->f.docid[i], json_string_value(json_object_get(golden[i], "docid")));
        assert_int_equal(s->f.n_scored[i], json_integer_value(json_object_get(golden[i], "token_num"))); /* theirs is of the first 120 */
        assert_true(s->f.token_num[i] >= s->f.n_scored[i]);
        for (int t = 0; t < GG_NAG_TYPES; t++)
            for (int l = 0; l < L; l++)
                if (!same_set((const uint16_t *)s->f.index[t] + (i * L + l) * K,
                              json_array_get(json_object_get(golden[i], gg_nag_type_name((gg_nag_type)t)), (size_t)l), (gg_nag_type)t))
                    fail_msg("%s L%d.%s", s->f.docid[i], l, gg_nag_type_name((gg_nag_type)t));
    }
    gg_nag_set_free(s);
    gg_tensors *want = NULL, *got = NULL;
    assert_ok(gg_tensors_open(&want, ctx, "tests/golden/nag/scores.safetensors"));
    assert_ok(gg_tensors_open(&got, ctx, at("scores.safetensors")));
    for (int64_t i = 0; i < gg_tensors_count(want); i++) {
        const gg_tensor *a = gg_tensors_at(want, i), *b = NULL;
        assert_ok(gg_tensors_need(&b, got, a->name));
        assert_int_equal(a->n_bytes, b->n_bytes);
        for (int64_t j = 0; j < a->n_bytes / 4; j++) {
            const double x = ((const float *)a->data)[j], y = ((const float *)b->data)[j];
            if (!(fabs(x - y) <= 1e-4 * fabs(x)))
                fail_msg("%s[%lld]: %g, published %g", a->name, (long long)j, y, x);
        }
    }
    gg_tensors_free(want);
    gg_tensors_free(got);
}

static void order_and_threads_change_no_bit(void **state)
{
    (void)state;
    need_model();
    gg_context *one = NULL;
    gg_model *m = NULL;
    gg_nag_extract_result r;
    const gg_nag_source forth = source_of(at("eight.jsonl")), back = source_of(at("backwards.jsonl"));
    const gg_nag_extract_options o = {.types = 1u << GG_NAG_UP | 1u << GG_NAG_DOWN};
    assert_int_equal(gg_context_create(&one, &(gg_context_options){.n_threads = 1}), GG_OK);
    assert_int_equal(gg_model_open(&m, one, MODEL, &(gg_model_options){.no_head = true}), GG_OK);
    assert_ok(gg_nag_extract_file(&r, ctx, model, &forth, at("two-threads.nag"), &o));
    assert_int_equal(gg_nag_extract_file(&r, one, m, &back, at("one-thread.nag"), &o), GG_OK);
    assert_int_equal(gg_nag_extract_file(&r, one, m, &forth, at("one-thread-forth.nag"), &o), GG_OK);
    gg_model_free(m);
    gg_context_free(one);
    assert_same_file(at("two-threads.nag"), at("one-thread-forth.nag"));
    gg_nag_set *f = NULL, *g = NULL;
    assert_ok(gg_nag_set_read(&f, ctx, (const char *[]){at("two-threads.nag")}, 1, 0));
    assert_ok(gg_nag_set_read(&g, ctx, (const char *[]){at("one-thread.nag")}, 1, 0));
    for (int i = 0; i < N; i++)
        for (int s = 0; s < 2; s++)
            assert_memory_equal((const uint16_t *)f->f.index[s] + i * L * K, (const uint16_t *)g->f.index[s] + (N - 1 - i) * L * K, L * K * 2);
    gg_nag_set_free(f);
    gg_nag_set_free(g);
}

static gg_status stop_after_five(void *user, void *state, const gg_group *g, int i)
{
    (void)state;
    (void)g;
    (void)i;
    int *n = user;
    if (++*n == 5)
        gg_context_stop(ctx);
    return GG_OK;
}
static gg_status hear_nothing(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user;
    (void)state;
    (void)g;
    (void)t;
    return GG_OK;
}

static void stopped_work_goes_on_to_the_same_bytes(void **state)
{
    (void)state;
    need_model();
    if (N < 8) /* all in one group, which a stop does not cut */
        skip();
    /* a context that was stopped stays so: the second half runs in another one */
    gg_context *second = NULL, *first = ctx;
    gg_model *m = NULL;
    gg_nag_extract_result r;
    const gg_nag_source source = source_of(at("eight.jsonl"));
    int n = 0;
    const gg_listener stopper = {.sites = 1u << GG_SITE_UP, .tap = hear_nothing, .document = stop_after_five, .user = &n};
    assert_int_equal(gg_context_create(&second, &(gg_context_options){.n_threads = 1}), GG_OK);
    assert_int_equal(gg_model_open(&m, second, MODEL, &(gg_model_options){.no_head = true}), GG_OK);
    ctx = second; /* stop_after_five stops this one */
    assert_int_equal(gg_nag_extract_file(&r, second, m, &source, at("resumed.nag"), &(gg_nag_extract_options){.others = &stopper, .n_others = 1}), GG_EINTR);
    assert_non_null(strstr(gg_message(second), "the same command goes on from there"));
    ctx = first;
    assert_true(r.n_documents >= 5 && r.n_documents < N);
    assert_false(gg_file_exists(at("resumed.nag")));
    const int64_t kept = r.n_documents;
    gg_model_free(m);
    gg_context_free(second);
    assert_ok(gg_nag_extract_file(&r, ctx, model, &source, at("resumed.nag"), &(gg_nag_extract_options){0}));
    assert_int_equal(r.n_reused, kept);
    assert_int_equal(r.n_documents, N);
    assert_false(gg_file_exists(at("resumed.nag.parts")));
    assert_ok(gg_nag_extract_file(&r, ctx, model, &source, at("whole.nag"), &(gg_nag_extract_options){0}));
    assert_int_equal(r.n_reused, 0);
    assert_same_file(at("resumed.nag"), at("whole.nag"));
}

static void a_bad_line_leaves_nothing_behind(void **state)
{
    (void)state;
    need_model();
    gg_nag_extract_result r;
    const char text[] = "{\"docid\": \"a\", \"doc\": \"one\"}\n{\"docid\": \"b\", \"doc\": \"two\"}\n{\"docid\": \"c\", \n";
    assert_ok(gg_file_write(ctx, at("bad.jsonl"), text, sizeof text - 1));
    const gg_nag_source source = source_of(at("bad.jsonl"));
    assert_int_equal(gg_nag_extract_file(&r, ctx, model, &source, at("bad.nag"), &(gg_nag_extract_options){0}), GG_EFORMAT);
    assert_non_null(strstr(gg_message(ctx), "bad.jsonl:3"));
    assert_false(gg_file_exists(at("bad.nag")));
    assert_false(gg_file_exists(at("bad.nag.parts")));
}

static void neurons_that_are_off_are_in_no_list(void **state)
{
    (void)state;
    need_model();
    gg_nag_set *before = NULL, *after = NULL;
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    gg_actions *a = NULL;
    gg_model *m = NULL;
    gg_nag_extract_result r;
    const gg_nag_source source = source_of(at("eight.jsonl"));
    assert_ok(gg_nag_extract_file(&r, ctx, model, &source, at("on.nag"), &(gg_nag_extract_options){0}));
    assert_ok(gg_nag_set_read(&before, ctx, (const char *[]){at("on.nag")}, 1, 0));
    assert_ok(gg_nag_counts_create(&c, ctx, L, K, 1536));
    assert_ok(gg_nag_counts_add(c, &before->f, 0));
    assert_ok(gg_nag_profile_frequency(&p, c, 1));
    assert_ok(gg_actions_create(&a, ctx));
    assert_ok(gg_nag_deactivate(a, p, &before->header, GG_NAG_UP, 5));
    assert_int_equal(gg_actions_count(a), 5 * L);
    assert_ok(gg_model_open(&m, ctx, MODEL, &(gg_model_options){.no_head = true, .actions = a}));
    assert_ok(gg_nag_extract_file(&r, ctx, m, &source, at("off.nag"), &(gg_nag_extract_options){.actions = a}));
    assert_ok(gg_nag_set_read(&after, ctx, (const char *[]){at("off.nag")}, 1, 0));
    int64_t best[5 * L];
    assert_ok(gg_nag_strongest(best, p, 5));
    for (int i = 0; i < N; i++)
        for (int l = 0; l < L; l++)
            for (int k = 0; k < K; k++)
                for (int b = 0; b < 5; b++)
                    assert_int_not_equal(((const uint16_t *)after->f.index[0])[(i * L + l) * K + k], best[l * 5 + b]);
    assert_int_equal(gg_nag_header_match(ctx, &before->header, "on.nag", &after->header, "off.nag", GG_NAG_UP), GG_EMISMATCH);
    gg_nag_set_free(before);
    gg_nag_set_free(after);
    gg_nag_counts_free(c);
    gg_nag_profile_free(p);
    gg_model_free(m);
    gg_actions_free(a);
}

/* --- a tiny Qwen3: q/k norm, and K beyond the layer ------------------------------------------------------------------------------------ */
enum { TINY_T = 24 };
typedef struct seen {
    gg_nag_header h;
    int64_t n;
    uint16_t index[GG_NAG_TYPES][2 * 3 * 72];
    char docid[2][8];
} seen;

static gg_status keep(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    seen *s = user;
    s->h = *h;
    for (int i = 0; i < h->n_sites; i++) {
        const int64_t n = h->n_layers * h->site[i].top_k;
        memcpy(s->index[i] + s->n * n, f->index[i], sizeof(uint16_t) * (size_t)n);
    }
    snprintf(s->docid[s->n], sizeof s->docid[0], "%s", f->docid[0]);
    s->n++;
    return GG_OK;
}

/* impact: (heads d_head,) of the normed and repeated projection, by the definition. */
static void naive_impact(double *impact, const float *y, const float *w, int heads, int kv_heads, int d_head)
{
    for (int h = 0; h < heads; h++)
        for (int c = 0; c < d_head; c++)
            impact[h * d_head + c] = 0;
    for (int t = 0; t < TINY_T; t++)
        for (int h = 0; h < heads; h++) {
            const float *row = y + (t * kv_heads + h / (heads / kv_heads)) * d_head;
            double sum = 0;
            for (int c = 0; c < d_head; c++)
                sum += (double)row[c] * row[c];
            const double scale = w ? 1 / sqrt(sum / d_head + 1e-6) : 1;
            for (int c = 0; c < d_head; c++)
                impact[h * d_head + c] += fabs(row[c] * scale * (w ? w[c] : 1)) / TINY_T;
        }
}

static void qwen3_is_read_after_its_q_and_k_norm_and_repeated(void **state)
{
    (void)state;
    gg_model *m = NULL;
    gg_tensors *want = NULL;
    const gg_tensor *ids = NULL;
    gg_nag_extract_result r;
    static seen s;
    s.n = 0;
    assert_ok(gg_model_open(&m, ctx, "tests/golden/tiny/qwen3", NULL));
    assert_ok(gg_tensors_open(&want, ctx, "tests/golden/tiny/qwen3/expected.safetensors"));
    assert_ok(gg_tensors_need(&ids, want, "input_ids"));
    const gg_model_description *d = gg_model_describe(m);
    const int heads = d->n_heads, kv = d->n_kv_heads, dh = (int)d->d_head, width = heads * dh;
    assert_ok(gg_nag_extract_ids(&r, ctx, m, ids->data, 2, TINY_T, &(gg_nag_extract_options){.types = 63, .top_k = 6}, keep, &s));
    assert_int_equal(s.n, 2);
    assert_string_equal(s.docid[1], "1");
    for (int i = 0; i < 3; i++) { /* q, k, v */
        static const char *const names[] = {"q", "k", "v"};
        const gg_nag_type t = (gg_nag_type)(GG_NAG_Q + i);
        assert_int_equal(s.h.site[t].width, width);
        for (int doc = 0; doc < 2; doc++)
            for (int l = 0; l < 3; l++) {
                char name[96];
                const gg_tensor *y = NULL, *w = NULL;
                double impact[128];
                snprintf(name, sizeof name, "tap.model.layers.%d.self_attn.%s_proj", l, names[i]);
                assert_ok(gg_tensors_need(&y, want, name));
                snprintf(name, sizeof name, "model.layers.%d.self_attn.%s_norm.weight", l, names[i]);
                if (i < 2)
                    assert_ok(gg_tensors_need(&w, gg_model_tensors(m), name));
                const int own = i == 0 ? heads : kv;
                naive_impact(impact, (const float *)y->data + doc * TINY_T * own * dh, w ? w->data : NULL, heads, own, dh);
                const uint16_t *got = s.index[t] + (doc * 3 + l) * 6;
                for (int k = 0; k < 6; k++) { /* no neuron outside is larger, and among equals the lowest stands first */
                    if (k > 0)
                        assert_true(impact[got[k]] <= impact[got[k - 1]] * (1 + 1e-5));
                    if (k > 0 && impact[got[k]] == impact[got[k - 1]])
                        assert_true(got[k] > got[k - 1]);
                }
                for (int j = 0; j < width; j++) {
                    bool in = false;
                    for (int k = 0; k < 6; k++)
                        in |= got[k] == j;
                    assert_true(in || impact[j] <= impact[got[5]] * (1 + 1e-5));
                }
            }
    }
    gg_tensors_free(want);
    gg_model_free(m);
}

static char warned[512];
static int n_warned;
static void hear(void *user, gg_log_level level, const char *text)
{
    (void)user;
    if (level == GG_LOG_WARNING) {
        snprintf(warned, sizeof warned, "%s", text);
        n_warned++;
    }
}

static void k_beyond_the_layer_is_clamped_with_a_warning(void **state)
{
    (void)state;
    gg_context *c = NULL;
    gg_model *m = NULL;
    gg_nag_header h;
    assert_int_equal(gg_context_create(&c, &(gg_context_options){.n_threads = 1, .log = hear}), GG_OK);
    assert_int_equal(gg_model_open(&m, c, "tests/golden/tiny/qwen3", NULL), GG_OK);
    const gg_nag_extract_options o = {.types = 1u << GG_NAG_UP | 1u << GG_NAG_O, .top_k = 50, .max_tokens = 8};
    assert_int_equal(gg_nag_header_of(&h, c, m, &o), GG_OK);
    assert_int_equal(h.site[0].top_k, 50);
    assert_int_equal(h.site[1].top_k, 32);
    const int32_t ids[4] = {1, 2, 3, 4};
    static seen s;
    gg_nag_extract_result r;
    s.n = n_warned = 0;
    assert_int_equal(gg_nag_extract_ids(&r, c, m, ids, 1, 4, &o, keep, &s), GG_OK);
    assert_int_equal(n_warned, 1);
    assert_non_null(strstr(warned, "a layer's o has 32 neurons"));
    gg_model_free(m);
    gg_context_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_sites_are_the_published_ones_and_so_are_whole_vectors),
        cmocka_unit_test(order_and_threads_change_no_bit),
        cmocka_unit_test(stopped_work_goes_on_to_the_same_bytes),
        cmocka_unit_test(a_bad_line_leaves_nothing_behind),
        cmocka_unit_test(neurons_that_are_off_are_in_no_list),
        cmocka_unit_test(qwen3_is_read_after_its_q_and_k_norm_and_repeated),
        cmocka_unit_test(k_beyond_the_layer_is_clamped_with_a_warning),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
