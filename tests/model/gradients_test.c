/* Gradients with respect to the sites of a decoder: against PyTorch for every family, against differences of the loss through actions, the same bits for
 * any grouping and any choice of sites. */
#include "support.h"

static const char *const folders[] = {"llama", "llama3-rope", "mistral-window", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "olmo2",
                                      "phi3", "phi3-longrope", "phi3-shortrope", "gpt2", "pythia", "pythia-serial"};
enum { N_FOLDERS = sizeof folders / sizeof *folders, ROWS = 2, LENGTH = 20, TOKEN = 11 };
static const int tokens_kept[2] = {6, 19}; /* of gradients.py */

static void read_ids(int32_t ids[ROWS * LENGTH], gg_context *ctx, const char *folder)
{
    char path[256];
    gg_tensors *t = NULL;
    const gg_tensor *x = NULL;
    snprintf(path, sizeof path, TINY "%s/expected.safetensors", folder);
    assert_ok_in(ctx, gg_tensors_open(&t, ctx, path));
    assert_ok_in(ctx, gg_tensors_need(&x, t, "input_ids"));
    for (int r = 0; r < ROWS; r++)
        memcpy(ids + r * LENGTH, (const int32_t *)x->data + r * x->shape[1], LENGTH * sizeof *ids);
    gg_tensors_free(t);
}

static gg_model *open_folder(gg_context *ctx, const char *folder, gg_dtype t)
{
    char path[256];
    snprintf(path, sizeof path, TINY "%s", folder);
    return open_model(ctx, path, &(gg_model_options){.dtype = t});
}

static recording *gradients(gg_model *m, gg_context *ctx, const int32_t *ids, int64_t n_columns, gg_objective of, int64_t group, uint32_t sites,
                            const bool *layers)
{
    recording *r = calloc(1, sizeof *r);
    gg_listener y = recorder(r, sites);
    gg_run_result result;
    y.layers = layers;
    assert_ok_in(ctx, gg_run_ids(&result, m, ids, ROWS, n_columns, &(gg_run_options){.gradients = of, .group_tokens = group}, &y, 1));
    return r;
}

static void drop(recording *r)
{
    recording_free(r);
    free(r);
}

/* --- PyTorch --- */
static int differ(const recording *r, int layer, gg_site site, const gg_tensor *want)
{
    const int64_t n = want->shape[1];
    double size = 0, worst = 0;
    if (!r->x[layer][site] || r->width[layer][site] != n)
        fail_msg("%s: %lld numbers wide, expected %lld", want->name, (long long)r->width[layer][site], (long long)n);
    for (int64_t i = 0; i < 4 * n; i++)
        size = fmax(size, fabs((double)((const float *)want->data)[i]));
    for (int64_t i = 0; i < 4; i++)
        for (int64_t k = 0; k < n; k++) {
            const double found = (double)r->x[layer][site][(i / 2 * LENGTH + tokens_kept[i % 2]) * n + k],
                         off = fabs(found - (double)((const float *)want->data)[i * n + k]);
            worst = off > worst || isnan(off) ? off : worst;
        }
    if (worst <= 2e-5 * size)
        return 0;
    print_error("%s: off by %.2e of the largest number\n", want->name, worst / size);
    return 1;
}

static void gradients_of_all_families_are_those_of_torch(void **state)
{
    gg_context *ctx = *state;
    gg_tensors *golden = NULL;
    int wrong = 0;
    int64_t seen = 0;
    assert_ok_in(ctx, gg_tensors_open(&golden, ctx, "tests/golden/gradients/tiny.safetensors"));
    for (int f = 0; f < N_FOLDERS; f++)
        for (int what = 0; what < 2; what++) {
            int32_t ids[ROWS * LENGTH];
            char prefix[64];
            read_ids(ids, ctx, folders[f]);
            gg_model *m = open_folder(ctx, folders[f], GG_F32);
            recording *r = gradients(m, ctx, ids, LENGTH, (gg_objective){what ? GG_OBJECTIVE_LOGIT : GG_OBJECTIVE_NLL, TOKEN}, 0, all_sites(m), NULL);
            snprintf(prefix, sizeof prefix, "%s/%s/", folders[f], what ? "logit" : "nll");
            for (int64_t i = 0; i < gg_tensors_count(golden); i++) {
                const gg_tensor *t = gg_tensors_at(golden, i);
                gg_neuron n;
                if (strncmp(t->name, prefix, strlen(prefix)) != 0)
                    continue;
                assert_ok_in(ctx, gg_neuron_parse(&n, ctx, t->name + strlen(prefix)));
                wrong += differ(r, n.site == GG_SITE_FINAL ? gg_model_describe(m)->n_layers : n.layer, n.site, t);
                seen++;
            }
            drop(r);
            gg_model_free(m);
        }
    assert_int_equal(seen, gg_tensors_count(golden));
    assert_true(seen > 1000);
    gg_tensors_free(golden);
    assert_int_equal(wrong, 0);
}

/* --- the same bits --- */
static void same(const recording *a, const recording *b, int layer, int site)
{
    assert_int_equal(a->rows[layer][site], b->rows[layer][site]);
    assert_memory_equal(a->x[layer][site], b->x[layer][site], sizeof(float) * (size_t)(a->rows[layer][site] * a->width[layer][site]));
}

static void grouping_and_choice_change_no_bit(void **state)
{
    gg_context *ctx = *state;
    for (int f = 0; f < N_FOLDERS; f += 3) {
        int32_t ids[ROWS * LENGTH];
        read_ids(ids, ctx, folders[f]);
        gg_model *m = open_folder(ctx, folders[f], GG_F32);
        const gg_objective nll = {.kind = GG_OBJECTIVE_NLL};
        const bool second[] = {false, true, false};
        assert_int_equal(gg_model_describe(m)->n_layers, 3);
        recording *all = gradients(m, ctx, ids, LENGTH, nll, 1000, all_sites(m), NULL), *apart = gradients(m, ctx, ids, LENGTH, nll, 1, all_sites(m), NULL);
        recording *some = gradients(m, ctx, ids, LENGTH, nll, 0, 1u << GG_SITE_UP | 1u << GG_SITE_Q | 1u << GG_SITE_LOGITS, second);
        for (int l = 0; l <= 3; l++)
            for (int s = 0; s < GG_SITE_COUNT; s++)
                if (all->x[l][s])
                    same(all, apart, l, s);
        same(all, some, 1, GG_SITE_UP);
        same(all, some, 1, GG_SITE_Q);
        same(all, some, 3, GG_SITE_LOGITS);
        assert_null(some->x[0][GG_SITE_UP]);
        drop(all);
        drop(apart);
        drop(some);
        gg_model_free(m);
    }
}

/* --- differences of what golgi score says, through actions --- */
static gg_status keep_loss(void *user, const gg_score_row *row)
{
    double *sum = user;
    sum[0] += row->mean_nll;
    return GG_OK;
}

static double total_loss(gg_model *m, gg_context *ctx, const int32_t *ids, const char *const *also, int n_also, const char *neuron, float add)
{
    gg_actions *a = NULL;
    gg_neuron n;
    gg_run_result result;
    double sum = 0;
    static const gg_operation op[] = {GG_OP_SCALE, GG_OP_SET, GG_OP_ZERO, GG_OP_SCALE};
    assert_ok_in(ctx, gg_actions_create(&a, ctx));
    for (int i = 0; i < n_also; i++) {
        assert_ok_in(ctx, gg_neuron_parse(&n, ctx, also[i]));
        assert_ok_in(ctx, gg_actions_add(a, n, op[i % 4], 0.5f));
    }
    if (neuron) {
        assert_ok_in(ctx, gg_neuron_parse(&n, ctx, neuron));
        assert_ok_in(ctx, gg_actions_add(a, n, GG_OP_ADD, add));
    }
    assert_ok_in(ctx, gg_model_act(m, a));
    assert_ok_in(ctx, gg_score_ids(&result, m, ids, ROWS, LENGTH, NULL, 0, keep_loss, &sum));
    assert_ok_in(ctx, gg_model_act(m, NULL));
    gg_actions_free(a);
    return sum;
}

static void gradients_agree_with_differences_through_actions(void **state)
{
    gg_context *ctx = *state;
    static const char *const neurons[] = {"L0.up[3]", "L1.hid[5]", "L2.act[70]", "L0.attn_out[9]", "L1.mlp_out[0]",  "L1.z[4]",
                                          "L0.q[6]",  "L1.k[2]",   "L2.v[1]",    "L1.resid_in[8]", "L0.resid_out[7]"};
    static const char *const also[] = {"L0.up[3]", "L1.mlp_out[2]", "L1.resid_in[4]", "L2.v[1]", "L1.q[3]", "L2.resid_out[6]", "L0.hid[9]", "L0.attn_out[9]"};
    for (int f = 0; f < N_FOLDERS; f++)
        for (int n_also = 0; n_also <= 8; n_also += 8) {
            int32_t ids[ROWS * LENGTH];
            gg_actions *a = NULL;
            gg_neuron n;
            double largest = 0, found[11], want[11];
            read_ids(ids, ctx, folders[f]);
            gg_model *m = open_folder(ctx, folders[f], GG_F32);
            assert_ok_in(ctx, gg_actions_create(&a, ctx));
            for (int i = 0; i < n_also; i++) { /* the same as total_loss does */
                static const gg_operation op[] = {GG_OP_SCALE, GG_OP_SET, GG_OP_ZERO, GG_OP_SCALE};
                assert_ok_in(ctx, gg_neuron_parse(&n, ctx, also[i]));
                assert_ok_in(ctx, gg_actions_add(a, n, op[i % 4], 0.5f));
            }
            assert_ok_in(ctx, gg_model_act(m, a));
            recording *r = gradients(m, ctx, ids, LENGTH, (gg_objective){.kind = GG_OBJECTIVE_NLL}, 0, all_sites(m), NULL);
            assert_ok_in(ctx, gg_model_act(m, NULL));
            for (int i = 0; i < 11; i++) {
                const float h = 0.008f;
                assert_ok_in(ctx, gg_neuron_parse(&n, ctx, neurons[i]));
                found[i] = 0;
                for (int64_t t = 0; t < ROWS * LENGTH; t++)
                    found[i] += (double)r->x[n.layer][n.site][t * r->width[n.layer][n.site] + n.index];
                want[i] = (total_loss(m, ctx, ids, also, n_also, neurons[i], h) - total_loss(m, ctx, ids, also, n_also, neurons[i], -h)) / (2 * (double)h);
                largest = fmax(largest, fabs(want[i]));
            }
            for (int i = 0; i < 11; i++)
                if (!(fabs(found[i] - want[i]) <= 2e-3 * largest))
                    fail_msg("%s, %d actions, %s: %.6g, differences give %.6g", folders[f], n_also, neurons[i], found[i], want[i]);
            drop(r);
            gg_actions_free(a);
            gg_model_free(m);
        }
}

static void what_cannot_be_is_told(void **state)
{
    gg_context *ctx = *state;
    int32_t ids[ROWS * LENGTH];
    read_ids(ids, ctx, "llama");
    gg_model *m = open_folder(ctx, "llama", GG_F32), *bare = open_model(ctx, TINY "llama", &(gg_model_options){.no_head = true});
    recording r = {0};
    gg_run_result result;
    const gg_listener up = recorder(&r, 1u << GG_SITE_UP), normed = recorder(&r, 1u << GG_SITE_Q_NORM);
    const struct {
        gg_model *m;
        gg_objective of;
        const gg_listener *y;
        const char *must;
    } wrong[] = {{m, {GG_OBJECTIVE_LOGIT, 80}, &up, "the logit of token 80: the vocabulary is 0 to 79"},
                 {m, {GG_OBJECTIVE_NLL, 0}, &normed, "has no site q_norm"},
                 {bare, {GG_OBJECTIVE_NLL, 0}, &up, "opened without its head"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(gg_run_ids(&result, wrong[i].m, ids, ROWS, LENGTH, &(gg_run_options){.gradients = wrong[i].of}, wrong[i].y, 1), GG_EINVAL);
        assert_text_has(gg_message(ctx), wrong[i].must);
    }
    gg_model_free(bare);
    gg_model_free(m);
    m = open_folder(ctx, "llama", GG_BF16);
    assert_int_equal(gg_run_ids(&result, m, ids, ROWS, LENGTH, &(gg_run_options){.gradients = {GG_OBJECTIVE_NLL, 0}}, &up, 1), GG_EINVAL);
    assert_text_has(gg_message(ctx), "gradients are computed in F32");
    gg_model_free(m);
    /* one token has no loss, but a logit */
    m = open_folder(ctx, "llama", GG_F32);
    for (int what = 0; what < 2; what++) {
        recording *one = gradients(m, ctx, ids, 1, (gg_objective){what ? GG_OBJECTIVE_LOGIT : GG_OBJECTIVE_NLL, TOKEN}, 0, 1u << GG_SITE_RESID_IN, NULL);
        double size = 0;
        for (int64_t k = 0; k < ROWS * 32; k++)
            size += fabs((double)one->x[0][GG_SITE_RESID_IN][k]);
        assert_true(what ? size > 0.01 : size == 0);
        drop(one);
    }
    gg_model_free(m);
    recording_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gradients_of_all_families_are_those_of_torch, make_context, drop_context),
        cmocka_unit_test_setup_teardown(grouping_and_choice_change_no_bit, make_context, drop_context),
        cmocka_unit_test_setup_teardown(gradients_agree_with_differences_through_actions, make_context, drop_context),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_told, make_context, drop_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
