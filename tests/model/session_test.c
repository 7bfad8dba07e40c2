/* One group: the numbers of a document do not depend on its company, on threads, or on what else is asked for; actions do what a
 * change of the weights would do. */
#include "edit.h"
#include "math/linear.h"

enum { ROWS = 6, COLUMNS = 20 };
static const char *const folders[] = {"llama3-rope", "mistral-window", "qwen3", "smollm3", "gemma2", "gemma3", "olmo2", "phi3", "gpt2", "pythia"};
enum { N_FOLDERS = sizeof folders / sizeof *folders };

static const char *tiny(const char *folder)
{
    static char path[128];
    snprintf(path, sizeof path, TINY "%s", folder);
    return path;
}

static void make_ids(int32_t *ids, int64_t n, int64_t n_vocab)
{
    uint32_t x = 12345;
    for (int64_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        ids[i] = (int32_t)((x >> 8) % (uint64_t)n_vocab);
    }
}

/* Every (layer, site) that b has is in a, bit for bit, from row `first` of a on. */
static void assert_same(const recording *a, const recording *b, int64_t first, const char *what)
{
    for (int l = 0; l < RECORD_LAYERS; l++)
        for (int s = 0; s < GG_SITE_COUNT; s++)
            if (b->x[l][s]) {
                const int64_t w = b->width[l][s], n = b->rows[l][s];
                assert_int_equal(a->width[l][s], w);
                assert_true(a->rows[l][s] >= first + n);
                if (memcmp(a->x[l][s] + first * w, b->x[l][s], sizeof(float) * (size_t)(n * w)) != 0)
                    fail_msg("%s: L%d.%s differs", what, l, gg_site_name((gg_site)s));
            }
}

static void grouping_changes_no_bit(void **state)
{
    static const int64_t groups[] = {1, 20, 41, 100, 1000};
    for (int i = 0; i < N_FOLDERS; i++) {
        int32_t ids[ROWS * COLUMNS];
        gg_model *m = open_model(*state, tiny(folders[i]), NULL);
        make_ids(ids, ROWS * COLUMNS, gg_model_describe(m)->n_vocab);
        recording *one = record_ids(m, ids, ROWS, COLUMNS, 0, all_sites(m));
        for (size_t k = 0; k < sizeof groups / sizeof *groups; k++) {
            recording *other = record_ids(m, ids, ROWS, COLUMNS, groups[k], all_sites(m));
            assert_same(one, other, 0, folders[i]);
            drop_recording(other);
        }
        for (int r = 0; r < ROWS; r++) { /* each document alone: what stands before it changes nothing */
            recording *alone = record_ids(m, ids + r * COLUMNS, 1, COLUMNS, 0, all_sites(m));
            assert_same(one, alone, r * COLUMNS, folders[i]);
            drop_recording(alone);
        }
        drop_recording(one);
        gg_model_free(m);
    }
}

static void threads_change_no_bit(void **state)
{
    int32_t ids[ROWS * COLUMNS];
    gg_model *m = open_model(*state, tiny("gemma2"), NULL);
    make_ids(ids, ROWS * COLUMNS, gg_model_describe(m)->n_vocab);
    recording *one = record_ids(m, ids, ROWS, COLUMNS, 20, all_sites(m));
    for (int n = 1; n <= 5; n += 2) {
        gg_context *ctx = NULL;
        assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = n}), GG_OK);
        gg_model *same = open_model(ctx, tiny("gemma2"), NULL);
        recording *other = record_ids(same, ids, ROWS, COLUMNS, 20, all_sites(same));
        assert_same(one, other, 0, "threads");
        drop_recording(other);
        gg_model_free(same);
        gg_context_free(ctx);
    }
    drop_recording(one);
    gg_model_free(m);
}

/* Documents of unlike lengths in one group; the row of an empty one is simply not there. */
static void lengths_in_a_group_may_differ(void **state)
{
    const int64_t start[] = {0, 3, 3, 27, 28, 60};
    for (int i = 0; i < N_FOLDERS; i++) {
        int32_t ids[60];
        gg_session *s = NULL;
        gg_model *m = open_model(*state, tiny(folders[i]), NULL);
        make_ids(ids, 60, gg_model_describe(m)->n_vocab);
        recording *packed = calloc(1, sizeof *packed);
        gg_listener y = recorder(packed, all_sites(m));
        void *states[1] = {packed};
        const gg_group g = {.n_documents = 5, .n_tokens = 60, .token = ids, .start = start};
        assert_ok_in(*state, gg_session_create(&s, m));
        assert_ok_in(*state, gg_session_forward(s, &g, &y, states, 1));
        for (int d = 0; d < 5; d++) {
            recording *alone = record_ids(m, ids + start[d], 1, start[d + 1] - start[d], 0, all_sites(m));
            assert_same(packed, alone, start[d], folders[i]);
            drop_recording(alone);
        }
        drop_recording(packed);
        gg_session_free(s);
        gg_model_free(m);
    }
}

/* Asked alone, a site has the numbers that it has when everything is asked for; no other layer or site is shown. */
static void what_is_not_asked_for_is_left_out(void **state)
{
    for (int i = 0; i < N_FOLDERS; i++) {
        int32_t ids[2 * COLUMNS];
        gg_model *m = open_model(*state, tiny(folders[i]), NULL);
        const int n_layers = gg_model_describe(m)->n_layers;
        make_ids(ids, 2 * COLUMNS, gg_model_describe(m)->n_vocab);
        recording *all = record_ids(m, ids, 2, COLUMNS, 0, all_sites(m));
        for (int s = 0; s < GG_SITE_COUNT; s++)
            for (int l = 0; l < n_layers && gg_model_width(m, 0, (gg_site)s) > 0; l++) {
                const bool once = s == GG_SITE_FINAL || s == GG_SITE_LOGITS;
                bool on[8] = {false};
                gg_run_result result;
                recording *alone = calloc(1, sizeof *alone);
                gg_listener y = recorder(alone, 1u << s);
                on[l] = true;
                y.layers = on;
                assert_ok_in(*state, gg_run_ids(&result, m, ids, 2, COLUMNS, NULL, &y, 1));
                assert_same(all, alone, 0, folders[i]);
                for (int k = 0; k < RECORD_LAYERS; k++)
                    for (int t = 0; t < GG_SITE_COUNT; t++)
                        assert_int_equal(alone->x[k][t] != NULL, t == s && k == (once ? n_layers : l));
                drop_recording(alone);
            }
        drop_recording(all);
        gg_model_free(m);
    }
}

static void a_warm_session_allocates_nothing(void **state)
{
    int32_t ids[COLUMNS * 2];
    const int64_t start[] = {0, 10, 2 * COLUMNS};
    static const gg_dtype dtypes[] = {GG_F32, GG_BF16, GG_I8};
    for (int i = 0; i < (gg_i8_is_there() ? 3 : 2); i++) {
        gg_session *s = NULL;
        gg_model *m = open_model(*state, tiny("gemma3"), &(gg_model_options){.dtype = dtypes[i]});
        make_ids(ids, 2 * COLUMNS, gg_model_describe(m)->n_vocab);
        recording *r = calloc(1, sizeof *r);
        gg_listener y = recorder(r, all_sites(m));
        void *states[1] = {r};
        const gg_group g = {.n_documents = 2, .n_tokens = 2 * COLUMNS, .token = ids, .start = start};
        assert_ok_in(*state, gg_session_create(&s, m));
        assert_ok_in(*state, gg_session_forward(s, &g, &y, states, 1));
        const int64_t before = gg_context_allocations(*state);
        for (int k = 0; k < 3; k++) {
            recording_free(r);
            assert_ok_in(*state, gg_session_forward(s, &g, &y, states, 1));
        }
        assert_int_equal(gg_context_allocations(*state), before);
        drop_recording(r);
        gg_session_free(s);
        gg_model_free(m);
    }
}

static void bfloat16_is_near_float32(void **state)
{
    static const char *const some[] = {"llama", "gemma3", "gpt2", "pythia", "olmo2"};
    for (int i = 0; i < 5; i++) {
        int32_t ids[2 * COLUMNS];
        gg_model *m = open_model(*state, tiny(some[i]), NULL), *b = open_model(*state, tiny(some[i]), &(gg_model_options){.dtype = GG_BF16});
        make_ids(ids, 2 * COLUMNS, gg_model_describe(m)->n_vocab);
        recording *x = record_ids(m, ids, 2, COLUMNS, 0, all_sites(m)), *y = record_ids(b, ids, 2, COLUMNS, 0, all_sites(m));
        for (int l = 0; l < RECORD_LAYERS; l++)
            for (int s = 0; s < GG_SITE_COUNT; s++)
                if (x->x[l][s]) {
                    const double d = distance(y->x[l][s], x->x[l][s], x->rows[l][s] * x->width[l][s]);
                    if (!(d < 0.1))
                        fail_msg("%s: L%d.%s is %.2g away in bfloat16", some[i], l, gg_site_name((gg_site)s), d);
                    if (s == GG_SITE_UP && l == 2)
                        assert_true(d > 1e-7); /* it was computed in bfloat16 */
                }
        drop_recording(x);
        drop_recording(y);
        gg_model_free(m);
        gg_model_free(b);
    }
}

/* Coarse, but the same numbers whatever else is in the group or asked for. */
static void int8_is_near_float32_and_changes_with_nothing_else(void **state)
{
    static const char *const some[] = {"llama", "gemma3", "gpt2", "pythia", "olmo2"};
    if (!gg_i8_is_there())
        skip();
    for (int i = 0; i < 5; i++) {
        int32_t ids[2 * COLUMNS];
        gg_model *m = open_model(*state, tiny(some[i]), NULL), *q = open_model(*state, tiny(some[i]), &(gg_model_options){.dtype = GG_I8});
        make_ids(ids, 2 * COLUMNS, gg_model_describe(m)->n_vocab);
        recording *x = record_ids(m, ids, 2, COLUMNS, 0, all_sites(m)), *y = record_ids(q, ids, 2, COLUMNS, 0, all_sites(q));
        for (int l = 0; l < RECORD_LAYERS; l++)
            for (int s = 0; s < GG_SITE_COUNT; s++)
                if (x->x[l][s]) {
                    const double d = distance(y->x[l][s], x->x[l][s], x->rows[l][s] * x->width[l][s]);
                    if (!(d < 0.15))
                        fail_msg("%s: L%d.%s is %.2g away in int8", some[i], l, gg_site_name((gg_site)s), d);
                    if (s == GG_SITE_UP && l == 2)
                        assert_true(d > 1e-4); /* it was computed in int8 */
                }
        recording *alone = record_ids(q, ids + COLUMNS, 1, COLUMNS, 0, 1u << GG_SITE_RESID_OUT | 1u << GG_SITE_UP);
        assert_same(y, alone, COLUMNS, some[i]);
        drop_recording(alone);
        drop_recording(x);
        drop_recording(y);
        gg_model_free(m);
        gg_model_free(q);
    }
}

/* --- actions --------------------------------------------------------------------------------------------------------- */

static void zero_rows(float *x, const int64_t *shape)
{
    for (int64_t i = 0; i < shape[1]; i++)
        x[3 * shape[1] + i] = x[17 * shape[1] + i] = 0;
}
static void scale_row(float *x, const int64_t *shape)
{
    for (int64_t i = 0; i < shape[1]; i++)
        x[5 * shape[1] + i] *= -2;
}
static void zero_column(float *x, const int64_t *shape)
{
    for (int64_t r = 0; r < shape[0]; r++)
        x[r * shape[1] + 7] = 0;
}
static void set_bias(float *x, const int64_t *shape)
{
    (void)shape;
    x[2] += 0.75f;
}

static void an_action_does_what_a_change_of_weights_does(void **state)
{
    static const struct {
        const char *folder, *tensor, *neurons;
        void (*numbers)(float *, const int64_t *);
        gg_operation op;
        float value;
        int layer;
        gg_site last; /* compared up to here in that layer, and in all later layers */
    } table[] = {
        {"llama", "layers.1.mlp.up_proj.weight", "L1.up[3],L1.up[17]", zero_rows, GG_OP_ZERO, 0, 1, GG_SITE_UP},
        {"llama", "layers.1.mlp.down_proj.weight", "L1.mlp_out[5]", scale_row, GG_OP_SCALE, -2, 1, GG_SITE_MLP_OUT},
        {"qwen3", "layers.0.self_attn.v_proj.weight", "L0.v[3],L0.v[17]", zero_rows, GG_OP_ZERO, 0, 0, GG_SITE_V},
        {"gemma3", "layers.2.self_attn.q_proj.weight", "L2.q[5]", scale_row, GG_OP_SCALE, -2, 2, GG_SITE_Q},
        {"gemma2", "layers.1.mlp.gate_proj.weight", "L1.gate[3],L1.gate[17]", zero_rows, GG_OP_ZERO, 0, 1, GG_SITE_GATE},
        {"olmo2", "layers.0.self_attn.o_proj.weight", "L0.attn_out[5]", scale_row, GG_OP_SCALE, -2, 0, GG_SITE_ATTN_OUT},
        {"llama", "layers.1.self_attn.o_proj.weight", "L1.z[7]", zero_column, GG_OP_ZERO, 0, 1, GG_SITE_ATTN_OUT},
        {"llama", "layers.1.mlp.down_proj.weight", "L1.hid[7]", zero_column, GG_OP_ZERO, 0, 1, GG_SITE_MLP_OUT},
        {"qwen2", "layers.1.self_attn.k_proj.bias", "L1.k[2]", set_bias, GG_OP_ADD, 0.75f, 1, GG_SITE_K},
        {"pythia", "layers.1.mlp.dense_h_to_4h.bias", "L1.up[2]", set_bias, GG_OP_ADD, 0.75f, 1, GG_SITE_UP},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int32_t ids[2 * COLUMNS];
        char names[128], *save = NULL;
        gg_actions *a = NULL;
        assert_ok_in(*state, gg_actions_create(&a, *state));
        snprintf(names, sizeof names, "%s", table[i].neurons);
        for (char *w = strtok_r(names, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
            gg_neuron n;
            assert_ok_in(*state, gg_neuron_parse(&n, *state, w));
            assert_ok_in(*state, gg_actions_add(a, n, table[i].op, table[i].value));
        }
        gg_model *plain = open_model(*state, tiny(table[i].folder), NULL);
        gg_model *acted = open_model(*state, tiny(table[i].folder), &(gg_model_options){.actions = a});
        gg_model *other = open_model(*state, edited(*state, table[i].folder, &(edit){.name = table[i].tensor, .numbers = table[i].numbers}), NULL);
        make_ids(ids, 2 * COLUMNS, gg_model_describe(plain)->n_vocab);
        recording *x = record_ids(acted, ids, 2, COLUMNS, 0, all_sites(plain)), *y = record_ids(other, ids, 2, COLUMNS, 0, all_sites(plain));
        recording *z = record_ids(plain, ids, 2, COLUMNS, 0, all_sites(plain));
        int n_compared = 0;
        for (int l = 0; l < RECORD_LAYERS; l++)
            for (int s = 0; s < GG_SITE_COUNT; s++) {
                const bool is_input = l == table[i].layer && s < (int)table[i].last; /* z, hid: the action shows there, the weights do not */
                if (!x->x[l][s] || is_input)
                    continue;
                const int64_t n = x->rows[l][s] * x->width[l][s];
                const double d = distance(x->x[l][s], y->x[l][s], n);
                if (!(d < 1e-5))
                    fail_msg("%s %s: L%d.%s is %.2g away from the changed weights", table[i].folder, table[i].neurons, l, gg_site_name((gg_site)s), d);
                n_compared++;
            }
        assert_true(n_compared > 5);
        assert_ok_in(*state, gg_model_act(plain, a)); /* an open model takes actions, and gives them back */
        recording *now = record_ids(plain, ids, 2, COLUMNS, 0, all_sites(plain));
        assert_same(now, x, 0, "actions given later");
        drop_recording(now);
        assert_ok_in(*state, gg_model_act(plain, NULL));
        now = record_ids(plain, ids, 2, COLUMNS, 0, all_sites(plain));
        assert_same(now, z, 0, "actions taken away");
        drop_recording(now);
        const int last = gg_model_describe(plain)->n_layers;
        assert_true(distance(x->x[last][GG_SITE_LOGITS], z->x[last][GG_SITE_LOGITS], x->rows[last][GG_SITE_LOGITS] * x->width[last][GG_SITE_LOGITS]) > 1e-6);
        drop_recording(x);
        drop_recording(y);
        drop_recording(z);
        gg_model_free(plain);
        gg_model_free(acted);
        gg_model_free(other);
        gg_actions_free(a);
    }
}

static void an_action_at_the_door_of_a_block_is_one_at_the_exit_before(void **state)
{
    int32_t ids[COLUMNS];
    static const gg_neuron at[2] = {{1, GG_SITE_RESID_IN, 4}, {0, GG_SITE_RESID_OUT, 4}};
    recording *r[2];
    for (int i = 0; i < 2; i++) {
        gg_actions *a = NULL;
        assert_ok_in(*state, gg_actions_create(&a, *state));
        assert_ok_in(*state, gg_actions_add(a, at[i], GG_OP_SET, 3));
        gg_model *m = open_model(*state, tiny("llama"), &(gg_model_options){.actions = a});
        make_ids(ids, COLUMNS, gg_model_describe(m)->n_vocab);
        r[i] = record_ids(m, ids, 1, COLUMNS, 0, 1u << GG_SITE_RESID_IN | 1u << GG_SITE_LOGITS);
        assert_true(r[i]->x[1][GG_SITE_RESID_IN][4] == 3);
        gg_model_free(m);
        gg_actions_free(a);
    }
    assert_same(r[0], r[1], 0, "door and exit");
    drop_recording(r[0]);
    drop_recording(r[1]);
}

static void actions_on_logits_touch_every_piece(void **state)
{
    int32_t ids[5 * COLUMNS];
    gg_actions *a = NULL;
    assert_ok_in(*state, gg_actions_create(&a, *state));
    assert_ok_in(*state, gg_actions_add(a, (gg_neuron){-1, GG_SITE_LOGITS, 9}, GG_OP_SET, -50));
    gg_model *m = open_model(*state, tiny("gemma2"), &(gg_model_options){.actions = a});
    const gg_model_description *d = gg_model_describe(m);
    make_ids(ids, 5 * COLUMNS, d->n_vocab);
    recording *r = record_ids(m, ids, 5, COLUMNS, 1000, 1u << GG_SITE_LOGITS);
    for (int64_t t = 0; t < 5 * COLUMNS; t++)
        assert_true(r->x[d->n_layers][GG_SITE_LOGITS][t * d->n_vocab + 9] == -50);
    drop_recording(r);
    gg_model_free(m);
    gg_actions_free(a);
}

/* --- mistakes -------------------------------------------------------------------------------------------------------- */

static void impossible_requests_are_refused(void **state)
{
    int32_t ids[200] = {0};
    gg_run_result result;
    gg_session *s = NULL;
    gg_model *m = open_model(*state, tiny("gpt2"), &(gg_model_options){.no_head = true});
    const gg_model_description *d = gg_model_describe(m);
    recording *r = calloc(1, sizeof *r);
    gg_listener up = recorder(r, 1u << GG_SITE_UP), gate = recorder(r, 1u << GG_SITE_GATE), logits = recorder(r, 1u << GG_SITE_LOGITS);
    const struct { const gg_listener *y; int32_t id; const char *says; } table[] = {
        {&gate, 0, "gpt2 has no site gate"}, {&logits, 0, "without its head"}, {&up, (int32_t)d->n_vocab, "token 2 of document 0"}, {&up, -1, "expected 0 to"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ids[2] = table[i].id;
        assert_int_equal(gg_run_ids(&result, m, ids, 1, 4, NULL, table[i].y, 1), GG_EINVAL);
        assert_text_has(gg_message(*state), table[i].says);
        assert_int_equal(result.n_documents, 0);
    }
    const int64_t start[] = {0, d->n_ctx + 1};
    const gg_group g = {.n_documents = 1, .n_tokens = d->n_ctx + 1, .token = ids, .start = start};
    ids[2] = 0;
    assert_ok_in(*state, gg_session_create(&s, m));
    assert_int_equal(gg_session_forward(s, &g, NULL, NULL, 0), GG_EINVAL);
    assert_text_has(gg_message(*state), "longer than the model's context");
    gg_session_free(s);
    gg_model_free(m);

    m = open_model(*state, tiny("gpt2"), &(gg_model_options){.no_weights = true});
    assert_int_equal(gg_session_create(&s, m), GG_EINVAL);
    assert_text_has(gg_message(*state), "without its weights");
    gg_model_free(m);
    drop_recording(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grouping_changes_no_bit),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(lengths_in_a_group_may_differ),
        cmocka_unit_test(what_is_not_asked_for_is_left_out),
        cmocka_unit_test(a_warm_session_allocates_nothing),
        cmocka_unit_test(bfloat16_is_near_float32),
        cmocka_unit_test(int8_is_near_float32_and_changes_with_nothing_else),
        cmocka_unit_test(an_action_does_what_a_change_of_weights_does),
        cmocka_unit_test(an_action_at_the_door_of_a_block_is_one_at_the_exit_before),
        cmocka_unit_test(actions_on_logits_touch_every_piece),
        cmocka_unit_test(impossible_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, make_edit_folder, drop_edit_folder);
}
