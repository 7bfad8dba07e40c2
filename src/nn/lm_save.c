/* A trained model as a Hugging Face folder: config.json, model.safetensors, tokenizer.json and tokenizer_config.json. Llama's names are one to one; GPT-2 keeps
 * q, k, v in one matrix and all matrices transposed (its Conv1D is x W, W (in, out)).
 *
 * Traps: transformers makes up what is not said: token 2 ends a text, a llama has its own kind of tokenizer. So ids and the kind are written, null too. */
#include "nn/lm.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <golgi/tokenizer.h>
#include <stdio.h>

static const float *value(const gg_lm *lm, const char *format, int64_t layer, gg_shape *shape)
{
    char name[64];
    snprintf(name, sizeof name, format, (int)layer);
    const int i = gg_params_find(lm->params, name);
    *shape = gg_params_shape(lm->params, i);
    return gg_params_value(lm->params, i);
}

/* ours (a format of the layer's number), theirs */
typedef struct pair {
    const char *ours, *theirs;
} pair;
static const pair llama[] = {{"block%d.attn_norm.weight", "input_layernorm.weight"}, {"block%d.attn.q.weight", "self_attn.q_proj.weight"},
                             {"block%d.attn.k.weight", "self_attn.k_proj.weight"},   {"block%d.attn.v.weight", "self_attn.v_proj.weight"},
                             {"block%d.attn.o.weight", "self_attn.o_proj.weight"},   {"block%d.mlp_norm.weight", "post_attention_layernorm.weight"},
                             {"block%d.mlp.gate.weight", "mlp.gate_proj.weight"},    {"block%d.mlp.up.weight", "mlp.up_proj.weight"},
                             {"block%d.mlp.down.weight", "mlp.down_proj.weight"}};
static const pair gpt2[] = {{"block%d.attn_norm.weight", "ln_1.weight"},      {"block%d.attn_norm.bias", "ln_1.bias"},
                            {"block%d.attn.o.weight", "attn.c_proj.weight"},  {"block%d.attn.o.bias", "attn.c_proj.bias"},
                            {"block%d.mlp_norm.weight", "ln_2.weight"},       {"block%d.mlp_norm.bias", "ln_2.bias"},
                            {"block%d.mlp.up.weight", "mlp.c_fc.weight"},     {"block%d.mlp.up.bias", "mlp.c_fc.bias"},
                            {"block%d.mlp.down.weight", "mlp.c_proj.weight"}, {"block%d.mlp.down.bias", "mlp.c_proj.bias"}};

static gg_status add(gg_tensors_writer *w, const gg_lm *lm, const char *ours, int64_t layer, const char *theirs, bool transposed)
{
    gg_shape s;
    const float *v = value(lm, ours, layer, &s);
    if (!transposed || s.n != 2)
        return gg_tensors_writer_add(w, theirs, GG_F32, s.n, s.d, v);
    float *t = gg_new(lm->ctx, float, gg_mul(s.d[0], s.d[1]));
    if (!t)
        return GG_ENOMEM;
    for (int64_t i = 0; i < s.d[0]; i++)
        for (int64_t j = 0; j < s.d[1]; j++)
            t[j * s.d[0] + i] = v[i * s.d[1] + j];
    const int64_t turned[2] = {s.d[1], s.d[0]};
    const gg_status st = gg_tensors_writer_add(w, theirs, GG_F32, 2, turned, t);
    gg_drop(lm->ctx, t);
    return st;
}

/* q, k, v side by side: weight (d, 3 d), bias (3 d,) */
static gg_status add_fused(gg_tensors_writer *w, const gg_lm *lm, int64_t layer, const char *theirs, bool bias)
{
    static const char *const ours[2][3] = {{"block%d.attn.q.weight", "block%d.attn.k.weight", "block%d.attn.v.weight"},
                                           {"block%d.attn.q.bias", "block%d.attn.k.bias", "block%d.attn.v.bias"}};
    const int64_t d = lm->o.d_model, rows = bias ? 1 : d, shape[2] = {d, 3 * d}, flat = 3 * d;
    float *t = gg_new(lm->ctx, float, gg_mul(rows, 3 * d));
    if (!t)
        return GG_ENOMEM;
    for (int part = 0; part < 3; part++) {
        gg_shape s;
        const float *v = value(lm, ours[bias][part], layer, &s);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < rows; j++)
                t[j * 3 * d + part * d + i] = v[i * rows + j];
    }
    const gg_status st = bias ? gg_tensors_writer_add(w, theirs, GG_F32, 1, &flat, t) : gg_tensors_writer_add(w, theirs, GG_F32, 2, shape, t);
    gg_drop(lm->ctx, t);
    return st;
}

static gg_status add_all(gg_tensors_writer *w, const gg_lm *lm)
{
    const bool is_llama = lm->o.kind == GG_LM_LLAMA;
    char name[96];
    GG_TRY(gg_tensors_writer_text(w, "format", "pt"));
    GG_TRY(add(w, lm, "wte.weight", 0, is_llama ? "model.embed_tokens.weight" : "transformer.wte.weight", false));
    GG_TRY(add(w, lm, "norm.weight", 0, is_llama ? "model.norm.weight" : "transformer.ln_f.weight", false));
    if (!is_llama) {
        GG_TRY(add(w, lm, "wpe.weight", 0, "transformer.wpe.weight", false));
        GG_TRY(add(w, lm, "norm.bias", 0, "transformer.ln_f.bias", false));
    }
    if (lm->o.untied)
        GG_TRY(add(w, lm, "head.weight", 0, "lm_head.weight", false));
    for (int64_t l = 0; l < lm->o.n_layers; l++) {
        for (size_t i = 0; i < (is_llama ? sizeof llama / sizeof *llama : sizeof gpt2 / sizeof *gpt2); i++) {
            const pair *p = is_llama ? &llama[i] : &gpt2[i];
            snprintf(name, sizeof name, is_llama ? "model.layers.%d.%s" : "transformer.h.%d.%s", (int)l, p->theirs);
            GG_TRY(add(w, lm, p->ours, l, name, !is_llama));
        }
        for (int bias = 0; bias < 2 && !is_llama; bias++) {
            snprintf(name, sizeof name, "transformer.h.%d.attn.c_attn.%s", (int)l, bias ? "bias" : "weight");
            GG_TRY(add_fused(w, lm, l, name, bias));
        }
    }
    return GG_OK;
}

static json_t *config_of(const gg_lm_options *o, const gg_tokenizer *t)
{
    const int64_t bos = t ? gg_tokenizer_bos(t) : -1, eos = t ? gg_tokenizer_eos(t) : -1;
    json_t *c = o->kind == GG_LM_LLAMA
                    ? json_pack("{s:[s], s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:b}", "architectures", "LlamaForCausalLM", "model_type", "llama",
                                "hidden_act", "silu", "hidden_size", (json_int_t)o->d_model, "intermediate_size", (json_int_t)o->d_ff, "num_key_value_heads",
                                (json_int_t)o->n_kv_heads, "head_dim", (json_int_t)(o->d_model / o->n_heads), "rms_norm_eps", 1e-6, "rope_theta", o->rope_base,
                                "attention_bias", 0, "mlp_bias", 0)
                    : json_pack("{s:[s], s:s, s:s, s:I, s:I, s:f}", "architectures", "GPT2LMHeadModel", "model_type", "gpt2", "activation_function", "gelu_new",
                                "n_embd", (json_int_t)o->d_model, "n_inner", (json_int_t)o->d_ff, "layer_norm_epsilon", 1e-5);
    const bool llama_ = o->kind == GG_LM_LLAMA;
    json_t *rest = json_pack("{s:I, s:I, s:I, s:I, s:b, s:s, s:o, s:o}", llama_ ? "num_hidden_layers" : "n_layer", (json_int_t)o->n_layers,
                             llama_ ? "num_attention_heads" : "n_head", (json_int_t)o->n_heads, llama_ ? "max_position_embeddings" : "n_positions",
                             (json_int_t)o->n_ctx, "vocab_size", (json_int_t)o->n_vocab, "tie_word_embeddings", (int)!o->untied, "torch_dtype", "float32",
                             "bos_token_id", bos >= 0 ? json_integer(bos) : json_null(), "eos_token_id", eos >= 0 ? json_integer(eos) : json_null());
    const bool made = c && rest && json_object_update(c, rest) == 0;
    json_decref(rest);
    if (made)
        return c;
    json_decref(c);
    return NULL;
}

static json_t *tokenizer_config_of(const gg_lm_options *o, const gg_tokenizer *t)
{
    size_t n_bos = 0, n_eos = 0;
    const char *bos = gg_tokenizer_piece(t, gg_tokenizer_bos(t), &n_bos), *eos = gg_tokenizer_piece(t, gg_tokenizer_eos(t), &n_eos);
    return json_pack("{s:s, s:I, s:b, s:o, s:o}", "tokenizer_class", "PreTrainedTokenizerFast", "model_max_length", (json_int_t)o->n_ctx,
                     "clean_up_tokenization_spaces", 0, "bos_token", bos ? json_stringn(bos, n_bos) : json_null(), "eos_token",
                     eos ? json_stringn(eos, n_eos) : json_null());
}

/* Takes j over. */
static gg_status write_json(gg_context *ctx, const char *path, json_t *j)
{
    const gg_status s = gg_json_write_file(ctx, path, j, 2);
    json_decref(j);
    return s;
}

/* FOLDER/name */
static gg_status place(gg_str *path, const char *folder, const char *name)
{
    path->len = 0;
    gg_str_printf(path, "%s/%s", folder, name);
    return path->failed ? GG_ENOMEM : GG_OK;
}

static gg_status copy_file(gg_context *ctx, const char *from, const char *to)
{
    char *text = NULL;
    size_t n = 0;
    gg_status s = gg_file_read(&text, &n, ctx, from);
    if (s == GG_OK)
        s = gg_file_write(ctx, to, text, n);
    gg_drop(ctx, text);
    return s;
}

/* tokenizer.json, and its tokenizer_config.json: the one that stands beside it, or one made here. The tokenizer is *t, NULL when the folder has none. */
static gg_status save_tokenizer(gg_tokenizer **t, gg_lm *lm, const char *folder, const char *json)
{
    gg_str path = {.ctx = lm->ctx}, beside = {.ctx = lm->ctx};
    const char *slash = json ? strrchr(json, '/') : NULL;
    bool there = false;
    gg_status s = place(&path, folder, "tokenizer.json");
    if (s == GG_OK && json && (s = copy_file(lm->ctx, json, path.data)) == GG_OK) {
        gg_str_printf(&beside, "%.*stokenizer_config.json", slash ? (int)(slash - json) + 1 : 0, json);
        s = beside.failed ? GG_ENOMEM : place(&path, folder, "tokenizer_config.json");
        there = s == GG_OK && gg_file_exists(beside.data);
        if (there)
            s = copy_file(lm->ctx, beside.data, path.data);
    } else if (s == GG_OK && (s = place(&path, folder, "tokenizer_config.json")) == GG_OK)
        there = gg_file_exists(path.data);
    if (s == GG_OK && (s = place(&path, folder, "tokenizer.json")) == GG_OK && gg_file_exists(path.data)) {
        s = gg_tokenizer_open_path(t, lm->ctx, path.data);
        if (s == GG_OK && (s = place(&path, folder, "tokenizer_config.json")) == GG_OK && !there)
            s = write_json(lm->ctx, path.data, tokenizer_config_of(&lm->o, *t));
    }
    gg_str_free(&path);
    gg_str_free(&beside);
    return s;
}

gg_status gg_lm_save(gg_lm *lm, const char *folder, const char *tokenizer_json)
{
    gg_str path = {.ctx = lm->ctx};
    gg_tensors_writer *w = NULL;
    gg_tokenizer *t = NULL;
    GG_TRY(gg_file_mkdirs(lm->ctx, folder));
    gg_status s = place(&path, folder, "model.safetensors");
    if (s == GG_OK)
        s = gg_tensors_writer_open(&w, lm->ctx, path.data);
    if (s == GG_OK && (s = add_all(w, lm)) != GG_OK)
        gg_tensors_writer_discard(w);
    else if (s == GG_OK)
        s = gg_tensors_writer_commit(w);
    if (s == GG_OK)
        s = save_tokenizer(&t, lm, folder, tokenizer_json);
    if (s == GG_OK && (s = place(&path, folder, "config.json")) == GG_OK) /* last: a folder with a configuration is a whole one */
        s = write_json(lm->ctx, path.data, config_of(&lm->o, t));
    gg_tokenizer_free(t);
    gg_str_free(&path);
    return s;
}
