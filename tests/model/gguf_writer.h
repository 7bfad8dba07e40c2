/* A GGUF file of a tiny Hugging Face folder, as llama.cpp's converter would write it (float32): what the loader must undo is done here
 * in its own words: q and k of llama with the halves of each head interleaved, gemma's norms with one added, Conv1D transposed, the
 * fused rows of GPT-NeoX put in the order q, k, v, the llama3 scaling as a tensor of divisors.
 */
#ifndef GG_TESTS_MODEL_GGUF_WRITER_H
#define GG_TESTS_MODEL_GGUF_WRITER_H
#include "support.h"

typedef struct gguf_tensor {
    char name[80];
    int n_dims;
    int64_t shape[2];
    float *x;
} gguf_tensor;

typedef struct gguf_file {
    FILE *keys; /* the metadata, in memory until the count is known */
    char *key_bytes;
    size_t n_key_bytes;
    uint64_t n_keys, n_tensors;
    const char *arch;
    gguf_tensor tensor[96];
} gguf_file;

enum { GGUF_U32 = 4, GGUF_F32 = 6, GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9 };

static inline void put_u32(FILE *f, uint32_t x) { fwrite(&x, 4, 1, f); }
static inline void put_u64(FILE *f, uint64_t x) { fwrite(&x, 8, 1, f); }
static inline void put_text(FILE *f, const char *s)
{
    put_u64(f, strlen(s));
    fwrite(s, 1, strlen(s), f);
}

static inline void put_key(gguf_file *g, const char *suffix, uint32_t type)
{
    char key[128];
    snprintf(key, sizeof key, "%s.%s", g->arch, suffix);
    put_text(g->keys, strncmp(suffix, "general.", 8) == 0 ? suffix : key);
    put_u32(g->keys, type);
    g->n_keys++;
}
static inline void key_int(gguf_file *g, const char *suffix, int64_t x)
{
    put_key(g, suffix, GGUF_U32);
    put_u32(g->keys, (uint32_t)x);
}
static inline void key_float(gguf_file *g, const char *suffix, double x)
{
    const float v = (float)x;
    put_key(g, suffix, GGUF_F32);
    fwrite(&v, 4, 1, g->keys);
}
static inline void key_bool(gguf_file *g, const char *suffix, bool x)
{
    put_key(g, suffix, GGUF_BOOL);
    fwrite(&x, 1, 1, g->keys);
}
static inline void key_text(gguf_file *g, const char *suffix, const char *x)
{
    put_key(g, suffix, GGUF_STRING);
    put_text(g->keys, x);
}

static inline gguf_tensor *add_tensor(gguf_file *g, const char *name, int n_dims, int64_t rows, int64_t columns, const float *x)
{
    gguf_tensor *t = &g->tensor[g->n_tensors++];
    assert_true(g->n_tensors <= 96);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->n_dims = n_dims;
    t->shape[0] = rows;
    t->shape[1] = n_dims == 2 ? columns : 1;
    t->x = malloc(sizeof *x * (size_t)(t->shape[0] * t->shape[1]));
    memcpy(t->x, x, sizeof *x * (size_t)(t->shape[0] * t->shape[1]));
    return t;
}

/* --- what the converter does to the numbers -------------------------------------------------------------------------- */

/* Row (head, half p, i) goes to (head, i, p). */
static inline void interleave(gguf_tensor *t, int64_t n_heads)
{
    const int64_t d = t->shape[0] / n_heads, w = t->shape[1];
    float *y = malloc(sizeof *y * (size_t)(t->shape[0] * w));
    for (int64_t h = 0; h < n_heads; h++)
        for (int64_t p = 0; p < 2; p++)
            for (int64_t i = 0; i < d / 2; i++)
                memcpy(y + (h * d + 2 * i + p) * w, t->x + (h * d + p * d / 2 + i) * w, sizeof *y * (size_t)w);
    free(t->x);
    t->x = y;
}

static inline void transpose(gguf_tensor *t)
{
    const int64_t r = t->shape[0], c = t->shape[1];
    float *y = malloc(sizeof *y * (size_t)(r * c));
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < c; j++)
            y[j * r + i] = t->x[i * c + j];
    free(t->x);
    t->x = y;
    t->shape[0] = c;
    t->shape[1] = r;
}

/* (head, {q, k, v}, d) -> ({q, k, v}, head, d) */
static inline void by_kind(gguf_tensor *t, int64_t n_heads)
{
    const int64_t d = t->shape[0] / (3 * n_heads), w = t->shape[1];
    float *y = malloc(sizeof *y * (size_t)(t->shape[0] * w));
    for (int64_t h = 0; h < n_heads; h++)
        for (int64_t k = 0; k < 3; k++)
            memcpy(y + (k * n_heads + h) * d * w, t->x + (h * 3 + k) * d * w, sizeof *y * (size_t)(d * w));
    free(t->x);
    t->x = y;
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static inline bool gguf_name(char *out, size_t n, const char *hf, const char *model_type)
{
    static const char *const table[][3] = { /* Hugging Face, GGUF, families that alone use the line ("" all) */
        {"embed_tokens.", "token_embd.", ""}, {"wte.", "token_embd.", ""}, {"embed_in.", "token_embd.", ""}, {"wpe.", "position_embd.", ""},
        {"lm_head.", "output.", ""}, {"embed_out.", "output.", ""}, {"ln_f.", "output_norm.", ""}, {"final_layer_norm.", "output_norm.", ""},
        {"model.norm.", "output_norm.", ""}, {"q_norm.", "attn_q_norm.", ""}, {"k_norm.", "attn_k_norm.", ""},
        {"q_proj.", "attn_q.", ""}, {"k_proj.", "attn_k.", ""}, {"gate_up_proj.", "ffn_up.", ""}, {"qkv_proj.", "attn_qkv.", ""}, {"v_proj.", "attn_v.", ""},
        {"o_proj.", "attn_output.", ""}, {"gate_proj.", "ffn_gate.", ""}, {"up_proj.", "ffn_up.", ""}, {"down_proj.", "ffn_down.", ""},
        {"pre_feedforward_layernorm.", "ffn_norm.", ""}, {"post_feedforward_layernorm.", "post_ffw_norm.", ""},
        {"post_attention_layernorm.", "post_attention_norm.", "gemma2 gemma3_text olmo2"}, {"post_attention_layernorm.", "ffn_norm.", ""},
        {"input_layernorm.", "attn_norm.", ""}, {"ln_1.", "attn_norm.", ""}, {"ln_2.", "ffn_norm.", ""},
        {"c_attn.", "attn_qkv.", ""}, {"attn.c_proj.", "attn_output.", ""}, {"mlp.c_proj.", "ffn_down.", ""}, {"c_fc.", "ffn_up.", ""},
        {"query_key_value.", "attn_qkv.", ""}, {"attention.dense.", "attn_output.", ""}, {"dense_h_to_4h.", "ffn_up.", ""}, {"dense_4h_to_h.", "ffn_down.", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *at = strstr(hf, table[i][0]);
        if (!at || (*table[i][2] && !strstr(table[i][2], model_type)))
            continue;
        const char *digits = hf + strcspn(hf, "0123456789");
        if (digits < at)
            snprintf(out, n, "blk.%d.%s%s", atoi(digits), table[i][1], at + strlen(table[i][0]));
        else
            snprintf(out, n, "%s%s", table[i][1], at + strlen(table[i][0]));
        return true;
    }
    return false;
}

static inline int64_t config_int(const gg_tensors *t, const char *a, const char *b, int64_t otherwise)
{
    int64_t x = otherwise;
    if (!gg_tensors_int(t, a, &x) && b)
        gg_tensors_int(t, b, &x);
    return x;
}
static inline double config_double(const gg_tensors *t, const char *a, const char *b, double otherwise)
{
    double x = otherwise;
    if (!gg_tensors_double(t, a, &x) && b)
        gg_tensors_double(t, b, &x);
    return x;
}

/* --- the file -------------------------------------------------------------------------------------------------------- */

static inline void convert_keys(gguf_file *g, const gg_tensors *c, const char *type)
{
    const int64_t width = config_int(c, "hidden_size", "n_embd", 0), heads = config_int(c, "num_attention_heads", "n_head", 0);
    const int64_t layers = config_int(c, "num_hidden_layers", "n_layer", 0), d_head = config_int(c, "head_dim", NULL, width / heads);
    const int64_t n_ctx = config_int(c, "max_position_embeddings", "n_positions", 0), window = config_int(c, "sliding_window", NULL, 0);
    const double rotary = config_double(c, "rotary_pct", "partial_rotary_factor", 1);
    double x;
    bool flag;
    key_text(g, "general.architecture", g->arch);
    key_int(g, "block_count", layers);
    key_int(g, "embedding_length", width);
    key_int(g, "context_length", n_ctx);
    key_int(g, "feed_forward_length", config_int(c, "intermediate_size", "n_inner", 4 * width));
    key_int(g, "attention.head_count", heads);
    if (strcmp(type, "gpt2") && strcmp(type, "gpt_neox")) {
        key_int(g, "attention.head_count_kv", config_int(c, "num_key_value_heads", NULL, heads));
        key_float(g, "attention.layer_norm_rms_epsilon", config_double(c, "rms_norm_eps", NULL, 0));
        key_float(g, "rope.freq_base", config_double(c, "rope_theta", NULL, 0));
    } else
        key_float(g, "attention.layer_norm_epsilon", config_double(c, "layer_norm_eps", "layer_norm_epsilon", 0));
    if (strcmp(type, "gpt2"))
        key_int(g, "rope.dimension_count", (int64_t)(rotary * (double)d_head));
    if (d_head != width / heads) {
        key_int(g, "attention.key_length", d_head);
        key_int(g, "attention.value_length", d_head);
    }
    if (window > 0)
        key_int(g, "attention.sliding_window", window);
    if (strcmp(type, "gemma3_text") == 0) { /* the tiny model's pattern is not the default six */
        put_key(g, "attention.sliding_window_pattern", GGUF_ARRAY);
        put_u32(g->keys, GGUF_BOOL);
        put_u64(g->keys, (uint64_t)layers);
        for (int l = 0; l < layers; l++)
            fputc((l + 1) % config_int(c, "_sliding_window_pattern", NULL, 6) != 0, g->keys);
    }
    if (gg_tensors_double(c, "query_pre_attn_scalar", &x))
        key_float(g, "attention.scale", 1 / sqrt(x));
    if (gg_tensors_double(c, "attn_logit_softcapping", &x))
        key_float(g, "attn_logit_softcapping", x);
    if (gg_tensors_double(c, "final_logit_softcapping", &x))
        key_float(g, "final_logit_softcapping", x);
    if (gg_tensors_bool(c, "use_parallel_residual", &flag))
        key_bool(g, "use_parallel_residual", flag);
}

static inline void convert_rope(gguf_file *g, const gg_tensors *c)
{
    const int64_t d_head = config_int(c, "head_dim", NULL, config_int(c, "hidden_size", NULL, 0) / config_int(c, "num_attention_heads", NULL, 1));
    const char *type = NULL;
    float x[256];
    if (!gg_tensors_text(c, "rope_scaling.rope_type", &type) && !gg_tensors_text(c, "rope_scaling.type", &type))
        return;
    if (strcmp(type, "llama3") == 0) {
        const double factor = config_double(c, "rope_scaling.factor", NULL, 0), low = config_double(c, "rope_scaling.low_freq_factor", NULL, 0);
        const double high = config_double(c, "rope_scaling.high_freq_factor", NULL, 0), base = config_double(c, "rope_theta", NULL, 0);
        const double old = config_double(c, "rope_scaling.original_max_position_embeddings", NULL, 0);
        for (int64_t i = 0; i < d_head / 2; i++) {
            const double wave = 2 * 3.14159265358979323846 * pow(base, 2 * (double)i / (double)d_head), s = (old / wave - low) / (high - low);
            x[i] = (float)(wave < old / high ? 1 : wave > old / low ? factor : 1 / ((1 - s) / factor + s));
        }
        add_tensor(g, "rope_freqs.weight", 1, d_head / 2, 1, x);
        return;
    }
    if (strcmp(type, "linear") == 0) {
        key_text(g, "rope.scaling.type", "linear");
        key_float(g, "rope.scaling.factor", config_double(c, "rope_scaling.factor", NULL, 0));
        return;
    }
    assert_string_equal(type, "longrope");
    const double old = config_double(c, "original_max_position_embeddings", NULL, 0), now = config_double(c, "max_position_embeddings", NULL, 0);
    double v;
    key_int(g, "rope.scaling.original_context_length", (int64_t)old);
    key_float(g, "rope.scaling.attn_factor", now > old ? sqrt(1 + log(now / old) / log(old)) : 1);
    for (int k = 0; k < 2; k++) {
        const char *key = k ? "rope_scaling.long_factor" : "rope_scaling.short_factor";
        const int64_t n = gg_tensors_array(c, key);
        for (int64_t i = 0; i < n && gg_tensors_array_double(c, key, i, &v); i++)
            x[i] = (float)v;
        add_tensor(g, k ? "rope_factors_long.weight" : "rope_factors_short.weight", 1, n, 1, x);
    }
}

static inline void convert_tensors(gguf_file *g, const gg_tensors *c, const char *type)
{
    const int64_t heads = config_int(c, "num_attention_heads", "n_head", 0), kv_heads = config_int(c, "num_key_value_heads", NULL, heads);
    for (int64_t i = 0; i < gg_tensors_count(c); i++) {
        const gg_tensor *t = gg_tensors_at(c, i);
        char name[80];
        if (!gguf_name(name, sizeof name, t->name, type))
            fail_msg("no GGUF name for %s", t->name);
        assert_int_equal(t->dtype, GG_F32);
        gguf_tensor *y = add_tensor(g, name, t->n_dims, t->shape[0], t->n_dims == 2 ? t->shape[1] : 1, t->data);
        if (strcmp(type, "llama") == 0 || strcmp(type, "smollm3") == 0) {
            if (strstr(name, "attn_q."))
                interleave(y, heads);
            if (strstr(name, "attn_k."))
                interleave(y, kv_heads);
        }
        if (strstr(type, "gemma") && strstr(name, "norm."))
            for (int64_t k = 0; k < y->shape[0]; k++)
                y->x[k] += 1;
        if (strcmp(type, "gpt2") == 0 && t->n_dims == 2 && strstr(name, "blk."))
            transpose(y);
        if (strstr(t->name, "query_key_value"))
            by_kind(y, heads);
    }
}

static inline void write_gguf(gg_context *ctx, const char *path, const char *folder)
{
    gg_tensors *c = NULL;
    const char *type = NULL;
    gguf_file *g = calloc(1, sizeof *g);
    assert_ok_in(ctx, gg_tensors_open(&c, ctx, folder));
    assert_true(gg_tensors_text(c, "model_type", &type));
    g->arch = strcmp(type, "gemma3_text") == 0 ? "gemma3" : strcmp(type, "gpt_neox") == 0 ? "gptneox" : type;
    g->keys = open_memstream(&g->key_bytes, &g->n_key_bytes);
    convert_keys(g, c, type);
    convert_rope(g, c);
    convert_tensors(g, c, type);
    fclose(g->keys);

    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite("GGUF", 1, 4, f);
    put_u32(f, 3);
    put_u64(f, g->n_tensors);
    put_u64(f, g->n_keys);
    fwrite(g->key_bytes, 1, g->n_key_bytes, f);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        const gguf_tensor *t = &g->tensor[i];
        put_text(f, t->name);
        put_u32(f, (uint32_t)t->n_dims);
        for (int k = t->n_dims - 1; k >= 0; k--)
            put_u64(f, (uint64_t)t->shape[k]);
        put_u32(f, 0); /* F32 */
        put_u64(f, offset);
        offset += ((uint64_t)(t->shape[0] * t->shape[1]) * 4 + 31) / 32 * 32;
    }
    while (ftell(f) % 32)
        fputc(0, f);
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        fwrite(g->tensor[i].x, 4, (size_t)(g->tensor[i].shape[0] * g->tensor[i].shape[1]), f);
        while (ftell(f) % 32)
            fputc(0, f);
        free(g->tensor[i].x);
    }
    fclose(f);
    free(g->key_bytes);
    free(g);
    gg_tensors_free(c);
}
#endif
