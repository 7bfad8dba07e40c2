/* Every family agrees with independent code (see tests/golden/tiny/README.md): hidden states, taps and logits within 1e-4 of the
 * largest value, from a Hugging Face folder and from the GGUF that llama.cpp's converter would make of it (written here). */
#include "edit.h"
#include "gguf_writer.h"

#define TOLERANCE 1e-4

static const char *const folders[] = {"llama", "llama3-rope", "mistral-window", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "olmo2",
                                      "phi3", "phi3-longrope", "phi3-shortrope", "gpt2", "pythia", "pythia-serial"};
enum { N_FOLDERS = sizeof folders / sizeof *folders };

/* --- comparing with expected.safetensors ----------------------------------------------------------------------------- */

static void compare(const char *what, const float *x, const gg_tensor *want, int64_t n)
{
    int64_t size = 1;
    for (int i = 0; i < want->n_dims; i++)
        size *= want->shape[i];
    if (size != n)
        fail_msg("%s: %lld numbers, expected %lld", what, (long long)n, (long long)size);
    const double d = distance(x, want->data, n);
    if (!(d <= TOLERANCE))
        fail_msg("%s differs by %.2g of the largest value", what, d);
}

static void compare_site(const recording *r, int layer, gg_site site, const gg_tensor *want, const char *model)
{
    char what[160];
    snprintf(what, sizeof what, "%s L%d.%s against %s", model, layer, gg_site_name(site), want->name);
    compare(what, r->x[layer][site], want, r->rows[layer][site] * r->width[layer][site]);
}

/* The output of a fused module: sites side by side, or (by head) head by head. */
static void compare_fused(const recording *r, int layer, const gg_site *sites, int n, bool by_head, int64_t d_head, const gg_tensor *want, const char *model)
{
    const int64_t rows = r->rows[layer][sites[0]];
    int64_t width = 0;
    char what[160];
    for (int i = 0; i < n; i++)
        width += r->width[layer][sites[i]];
    float *x = malloc(sizeof *x * (size_t)(rows * width));
    for (int64_t t = 0; t < rows; t++)
        for (int64_t at = 0, i = 0; i < n; i++) {
            const int64_t w = r->width[layer][sites[i]];
            for (int64_t k = 0; k < w; k++)
                x[t * width + (by_head ? k / d_head * 3 * d_head + i * d_head + k % d_head : at + k)] = r->x[layer][sites[i]][t * w + k];
            at += w;
        }
    snprintf(what, sizeof what, "%s L%d fused against %s", model, layer, want->name);
    compare(what, x, want, rows * width);
    free(x);
}

/* tap.model.layers.1.mlp.up_proj -> layer 1, site up */
static void compare_tap(const recording *r, const gg_tensor *want, const char *module, const gg_model_description *d, const char *model)
{
    static const gg_site qkv[] = {GG_SITE_Q, GG_SITE_K, GG_SITE_V}, gate_up[] = {GG_SITE_GATE, GG_SITE_UP};
    gg_neuron n;
    int layer;
    const char *digits = module + strcspn(module, "0123456789");
    layer = atoi(digits);
    if (strstr(module, "c_attn") || strstr(module, "qkv_proj"))
        compare_fused(r, layer, qkv, 3, false, 0, want, model);
    else if (strstr(module, "query_key_value"))
        compare_fused(r, layer, qkv, 3, true, d->d_head, want, model);
    else if (strstr(module, "gate_up_proj"))
        compare_fused(r, layer, gate_up, 2, false, 0, want, model);
    else {
        gg_context *ctx = NULL;
        gg_context_create(&ctx, NULL);
        assert_ok_in(ctx, gg_neuron_parse(&n, ctx, module)); /* the aliases are tried on real module names */
        gg_context_free(ctx);
        compare_site(r, n.layer, n.site, want, model);
    }
}

/* path: the model; tiny: whose expected values. */
static void check_model(gg_context *ctx, const char *path, const char *tiny)
{
    char expected_path[256], folder[64];
    snprintf(folder, sizeof folder, "%s%s", tiny, strstr(path, ".gguf") ? " (GGUF)" : "");
    gg_tensors *expected = NULL;
    snprintf(expected_path, sizeof expected_path, TINY "%s/expected.safetensors", tiny);
    assert_ok_in(ctx, gg_tensors_open(&expected, ctx, expected_path));
    const gg_tensor *ids = gg_tensors_find(expected, "input_ids");
    assert_non_null(ids);
    gg_model *m = open_model(ctx, path, NULL);
    const gg_model_description *d = gg_model_describe(m);
    recording *r = record_ids(m, ids->data, ids->shape[0], ids->shape[1], 0, all_sites(m));
    int n_taps = 0, n_hidden = 0;
    for (int64_t i = 0; i < gg_tensors_count(expected); i++) {
        const gg_tensor *t = gg_tensors_at(expected, i);
        int layer;
        if (strcmp(t->name, "logits") == 0)
            compare_site(r, d->n_layers, GG_SITE_LOGITS, t, folder);
        else if (sscanf(t->name, "hidden.%d", &layer) == 1) {
            if (layer == d->n_layers)
                compare_site(r, layer, GG_SITE_FINAL, t, folder);
            else
                compare_site(r, layer, GG_SITE_RESID_IN, t, folder);
            if (layer > 0 && layer < d->n_layers)
                compare_site(r, layer - 1, GG_SITE_RESID_OUT, t, folder);
            n_hidden++;
        } else if (strncmp(t->name, "tap.", 4) == 0) {
            compare_tap(r, t, t->name + 4, d, folder);
            n_taps++;
        }
    }
    assert_int_equal(n_hidden, d->n_layers + 1);
    assert_true(n_taps >= 2);
    drop_recording(r);
    gg_model_free(m);
    gg_tensors_free(expected);
}

static void hugging_face_folders_agree_with_independent_code(void **state)
{
    for (int i = 0; i < N_FOLDERS; i++) {
        char path[256];
        snprintf(path, sizeof path, TINY "%s", folders[i]);
        check_model(*state, path, folders[i]);
    }
}

static void gguf_files_agree_with_independent_code(void **state)
{
    char path[] = "/tmp/golgi-families-XXXXXX.gguf";
    close(mkstemps(path, 5));
    for (int i = 0; i < N_FOLDERS; i++) {
        if (strcmp(folders[i], "mistral-window") == 0 || strcmp(folders[i], "smollm3") == 0)
            continue; /* mistral becomes llama, which says nothing of a window; smollm3's layers without RoPE are every fourth in GGUF */
        char from[256];
        snprintf(from, sizeof from, TINY "%s", folders[i]);
        write_gguf(*state, path, from);
        check_model(*state, path, folders[i]);
    }
    unlink(path);
}

/* smollm3 in GGUF has RoPE in all but every fourth layer: three layers that all have it. Its q and k are interleaved like llama's. */
static void smollm3_in_gguf_is_the_same_as_in_a_folder(void **state)
{
    static const edit all = {.config = "\"no_rope_layer_interval\": 2,\n  \"no_rope_layers\": [\n    1,\n    0,\n    1\n  ]",
                             .config_becomes = "\"no_rope_layer_interval\": 4"};
    static const int32_t ids[12] = {5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 10, 11};
    char path[] = "/tmp/golgi-smollm3-XXXXXX.gguf";
    close(mkstemps(path, 5));
    write_gguf(*state, path, edited(*state, "smollm3", &all));
    gg_model *a = open_model(*state, path, NULL), *b = open_model(*state, edit_folder, NULL);
    assert_string_equal(gg_model_describe(a)->family, "smollm3");
    recording *x = record_ids(a, ids, 1, 12, 0, all_sites(a)), *y = record_ids(b, ids, 1, 12, 0, all_sites(b));
    for (int l = 0; l < 3; l++)
        for (int s = 0; s < GG_SITE_COUNT; s++)
            if (x->x[l][s])
                assert_true(distance(x->x[l][s], y->x[l][s], x->rows[l][s] * x->width[l][s]) < 1e-6);
    drop_recording(x);
    drop_recording(y);
    gg_model_free(a);
    gg_model_free(b);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hugging_face_folders_agree_with_independent_code),
        cmocka_unit_test(gguf_files_agree_with_independent_code),
        cmocka_unit_test(smollm3_in_gguf_is_the_same_as_in_a_folder),
    };
    return cmocka_run_group_tests(tests, make_edit_folder, drop_edit_folder);
}
