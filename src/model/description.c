/* From a file's metadata to a description. Owns: the table of families, and what config.json and GGUF call the same number.
 *
 * RoPE frequencies (Su et al. 2021), i in [0, n_rot / 2), as Hugging Face computes them (float32 at the end):
 *     f_i = base^(-2i / n_rot)
 *     linear   f_i / factor                                        (Chen et al. 2023)
 *     llama3   wavelength 2 pi / f_i above original / low:   f_i / factor
 *              below original / high:                        f_i
 *              between: (1 - s) f_i / factor + s f_i,        s = (original / wavelength - low) / (high - low)
 *     longrope f_i / factor_i, short factors for documents up to `original` tokens, long ones above (Ding et al. 2024);
 *              cos and sin times sqrt(1 + ln(n_ctx / original) / ln original) unless the file gives the factor
 *
 * Traps: GGUF files of llama 3 carry the division as a tensor (rope_freqs), those of phi3 as two. gemma3's scaling is for its global
 * layers alone. smollm3's no_rope_layers holds 1 where there IS RoPE. A window counts the token itself. GGUF files of OLMo 3 say olmo2
 * and have windows.
 */
#include "model/model.h"
#include "base/memory.h"
#include <math.h>
#include <stdio.h>

/* name, model_type in config.json, architecture in GGUF ("": none of its own), names in Hugging Face files, and the rest of the row */
#define FAMILIES(X)                                                                                                                        \
    X(llama, "llama", "llama", llama, .gated = true, .qk_permuted = true, .eps = 1e-6, .rope_base = 1e4, .rope_fraction = 1)               \
    X(mistral, "mistral", "", llama, .gated = true, .eps = 1e-6, .rope_base = 1e4, .rope_fraction = 1, .window = GG__WINDOW_ALL)           \
    X(qwen2, "qwen2", "qwen2", llama, .gated = true, .qkv_bias = true, .eps = 1e-6, .rope_base = 1e4, .rope_fraction = 1,                  \
      .window = GG__WINDOW_TYPES)                                                                                                          \
    X(qwen3, "qwen3", "qwen3", llama, .gated = true, .qk_norm = GG_QK_NORM_HEAD, .eps = 1e-6, .rope_base = 1e4, .rope_fraction = 1,        \
      .window = GG__WINDOW_TYPES)                                                                                                          \
    X(smollm3, "smollm3", "smollm3", llama, .gated = true, .qk_permuted = true, .tied = true, .eps = 1e-6, .rope_base = 2e6,               \
      .rope_fraction = 1, .window = GG__WINDOW_TYPES, .nope_interval = 4)                                                                  \
    X(gemma2, "gemma2", "gemma2", gemma, .place = GG_NORM_SANDWICH, .act = GG_ACT_GELU_TANH, .gated = true, .scaled_embedding = true,      \
      .tied = true, .norm_offset = 1, .eps = 1e-6, .rope_base = 1e4, .rope_fraction = 1, .window = GG__WINDOW_PATTERN, .window_pattern = 2) \
    X(gemma3, "gemma3_text", "gemma3", gemma, .place = GG_NORM_SANDWICH, .act = GG_ACT_GELU_TANH, .gated = true,                           \
      .qk_norm = GG_QK_NORM_HEAD, .scaled_embedding = true, .tied = true, .norm_offset = 1, .eps = 1e-6, .rope_base = 1e6,                 \
      .rope_fraction = 1, .rope_base_local = 1e4, .window = GG__WINDOW_PATTERN, .window_pattern = 6)                                       \
    X(olmo2, "olmo2", "olmo2", olmo2, .place = GG_NORM_POST, .gated = true, .qk_norm = GG_QK_NORM_FULL, .eps = 1e-5, .rope_base = 1e4,     \
      .rope_fraction = 1, .window = GG__WINDOW_PATTERN, .window_pattern = 4)                                                               \
    X(phi3, "phi3", "phi3", phi3, .gated = true, .eps = 1e-5, .rope_base = 1e4, .rope_fraction = 1, .window = GG__WINDOW_ALL)              \
    X(gpt2, "gpt2", "gpt2", gpt2, .norm = GG_NORM_LAYER, .act = GG_ACT_GELU_TANH, .learned_positions = true, .qkv_bias = true, .tied = true,     \
      .eps = 1e-5)                                                                                                                         \
    X(gptneox, "gpt_neox", "gptneox", gptneox, .norm = GG_NORM_LAYER, .act = GG_ACT_GELU_ERF, .parallel = true, .eps = 1e-5,               \
      .rope_base = 1e4, .rope_fraction = 0.25)

static const gg__family families[] = {
#define GG_X(family, in_hf, in_gguf, tensor_names, ...) {.name = #family, .hf = in_hf, .gguf = in_gguf, .names = &gg__names_##tensor_names, __VA_ARGS__},
    FAMILIES(GG_X)
#undef GG_X
};
enum { N_FAMILIES = sizeof families / sizeof *families };

const char *gg_model_families(void)
{
#define GG_X(family, ...) ", " #family
    return &(FAMILIES(GG_X))[2]; /* without the first comma */
#undef GG_X
}

/* --- reading metadata ------------------------------------------------------------------------------------------------ */

/* One thing under the names of both traditions. hf: alternatives, comma-separated; gguf: what follows "llama.". NULL: not there. */
typedef struct meta {
    const char *hf, *gguf;
} meta;

/* The key that is present, in `key`; false when there is none. */
static bool key_of(char *key, size_t n, const gg_model *m, meta x)
{
    if (m->gguf) {
        if (!x.gguf)
            return false;
        snprintf(key, n, "%s.%s", m->family->gguf, x.gguf);
        return gg_tensors_has(m->tensors, key);
    }
    for (const char *w = x.hf; w && *w;) {
        const size_t len = strcspn(w, ",");
        snprintf(key, n, "%.*s", (int)len, w);
        int64_t i;
        double d;
        bool b;
        const char *text;
        if (gg_tensors_double(m->tensors, key, &d) || gg_tensors_int(m->tensors, key, &i) || gg_tensors_bool(m->tensors, key, &b) ||
            gg_tensors_text(m->tensors, key, &text) || gg_tensors_array(m->tensors, key) >= 0)
            return true; /* null is absent */
        w += len + (w[len] == ',');
    }
    return false;
}

static bool get_int(const gg_model *m, meta x, int64_t *out)
{
    char key[128];
    return key_of(key, sizeof key, m, x) && gg_tensors_int(m->tensors, key, out);
}

static bool get_double(const gg_model *m, meta x, double *out)
{
    char key[128];
    return key_of(key, sizeof key, m, x) && gg_tensors_double(m->tensors, key, out);
}

static bool get_bool(const gg_model *m, meta x, bool *out)
{
    char key[128];
    return key_of(key, sizeof key, m, x) && gg_tensors_bool(m->tensors, key, out);
}

static bool get_text(const gg_model *m, meta x, const char **out)
{
    char key[128];
    return key_of(key, sizeof key, m, x) && gg_tensors_text(m->tensors, key, out);
}

static gg_status unsupported(const gg_model *m, const char *what, const char *value)
{
    return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: %s %s is not supported for %s", gg_tensors_path(m->tensors), what, value, m->family->name);
}

/* --- the family ------------------------------------------------------------------------------------------------------ */

static gg_status find_family(gg_model *m)
{
    const gg_tensors_kind kind = gg_tensors_kind_of(m->tensors);
    const char *path = gg_tensors_path(m->tensors), *word = NULL;
    m->gguf = kind == GG_TENSORS_GGUF;
    if (kind != GG_TENSORS_GGUF && kind != GG_TENSORS_FOLDER)
        return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: tensors without a description; give a GGUF file, or the folder that holds config.json", path);
    const char *key = m->gguf ? "general.architecture" : "model_type";
    if (!gg_tensors_text(m->tensors, key, &word))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: no \"%s\", so the kind of model is not known", path, key);
    for (int i = 0; i < N_FAMILIES; i++)
        if (strcmp(word, m->gguf ? families[i].gguf : families[i].hf) == 0) {
            m->family = &families[i];
            m->names = m->gguf ? &gg__names_gguf : families[i].names;
            m->prefix = m->names->prefix;
            if (!gg__model_tensor(m, GG__EMBEDDING, 0, "weight")) { /* the bare trunk, as AutoModel saves it? */
                m->prefix = "";
                if (!gg__model_tensor(m, GG__EMBEDDING, 0, "weight"))
                    m->prefix = m->names->prefix;
            }
            return GG_OK;
        }
    return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: a model of the kind \"%.60s\" is not supported; supported are %s", path, word, gg_model_families());
}

/* --- sizes ----------------------------------------------------------------------------------------------------------- */

static gg_status need_size(const gg_model *m, meta x, int64_t limit, int64_t *out)
{
    char key[128];
    if (!get_int(m, x, out))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: no number under \"%s%s%s\"", gg_tensors_path(m->tensors), m->gguf ? m->family->gguf : "",
                       m->gguf ? "." : "", m->gguf ? x.gguf : x.hf);
    key_of(key, sizeof key, m, x);
    if (*out < 1 || *out > limit)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: \"%s\" is %lld, expected 1 to %lld", gg_tensors_path(m->tensors), key, (long long)*out, (long long)limit);
    return GG_OK;
}

static gg_status optional_size(const gg_model *m, meta x, int64_t limit, int64_t *out)
{
    char key[128];
    return key_of(key, sizeof key, m, x) ? need_size(m, x, limit, out) : GG_OK;
}

static gg_status describe_sizes(gg_model *m)
{
    enum { WIDTH_MAX = 1 << 24, LAYERS_MAX = 4096 };
    gg_model_description *d = &m->d;
    int64_t n_layers, n_heads, n_kv_heads;
    GG_TRY(need_size(m, (meta){"num_hidden_layers,n_layer", "block_count"}, LAYERS_MAX, &n_layers));
    GG_TRY(need_size(m, (meta){"hidden_size,n_embd", "embedding_length"}, WIDTH_MAX, &d->d_model));
    GG_TRY(need_size(m, (meta){"num_attention_heads,n_head", "attention.head_count"}, WIDTH_MAX, &n_heads));
    GG_TRY(need_size(m, (meta){"max_position_embeddings,n_positions,n_ctx", "context_length"}, INT32_MAX, &d->n_ctx));
    n_kv_heads = n_heads;
    GG_TRY(optional_size(m, (meta){"num_key_value_heads", "attention.head_count_kv"}, WIDTH_MAX, &n_kv_heads));
    d->d_ff = 4 * d->d_model;
    if (m->family->learned_positions && !m->gguf)
        GG_TRY(optional_size(m, (meta){"n_inner", NULL}, WIDTH_MAX, &d->d_ff));
    else
        GG_TRY(need_size(m, (meta){"intermediate_size", "feed_forward_length"}, WIDTH_MAX, &d->d_ff));
    d->d_head = d->d_model / n_heads;
    GG_TRY(optional_size(m, (meta){"head_dim", "attention.key_length"}, WIDTH_MAX, &d->d_head));
    int64_t d_value = d->d_head;
    GG_TRY(optional_size(m, (meta){NULL, "attention.value_length"}, WIDTH_MAX, &d_value));
    if (d->d_head < 1 || n_heads % n_kv_heads != 0 || n_heads * d->d_head > WIDTH_MAX || d_value != d->d_head)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: %lld heads, %lld of keys and values, %lld and %lld numbers a head: these do not fit together",
                       gg_tensors_path(m->tensors), (long long)n_heads, (long long)n_kv_heads, (long long)d->d_head, (long long)d_value);
    if (m->gguf) {
        const gg_tensor *e = gg__model_tensor(m, GG__EMBEDDING, 0, "weight");
        d->n_vocab = e && e->n_dims == 2 ? e->shape[0] : 0; /* 0: the loader will name what is missing */
    } else {
        GG_TRY(need_size(m, (meta){"vocab_size", NULL}, INT32_MAX, &d->n_vocab));
    }
    d->n_layers = (int)n_layers;
    d->n_heads = (int)n_heads;
    d->n_kv_heads = (int)n_kv_heads;
    return GG_OK;
}

static void describe_name(gg_model *m)
{
    const char *name = NULL, *path = gg_tensors_path(m->tensors);
    snprintf(m->d.family, sizeof m->d.family, "%s", m->family->name);
    if (m->gguf && gg_tensors_text(m->tensors, "general.name", &name) && *name) {
        snprintf(m->d.name, sizeof m->d.name, "%.120s", name);
        return;
    }
    size_t end = strlen(path); /* the last part of the path */
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    snprintf(m->d.name, sizeof m->d.name, "%.*s", (int)(end - begin < 120 ? end - begin : 120), path + begin);
}

/* --- what the layers do ---------------------------------------------------------------------------------------------- */

static gg_status describe_block(gg_model *m)
{
    gg_model_description *d = &m->d;
    const gg__family *f = m->family;
    double eps = f->eps, scalar = 0, soft = 0;
    d->norm = f->norm;
    d->norm_place = f->place;
    d->norm_offset = m->gguf ? 0 : f->norm_offset;
    d->act = f->act;
    d->gated = f->gated;
    d->parallel = f->parallel;
    d->qk_norm = f->qk_norm;
    d->learned_positions = f->learned_positions;
    d->embedding_scale = f->scaled_embedding ? (float)sqrt((double)d->d_model) : 1;
    d->tied = m->gguf ? !gg__model_tensor(m, GG__HEAD, 0, "weight") : f->tied;
    get_bool(m, (meta){"tie_word_embeddings", NULL}, &d->tied);
    get_bool(m, (meta){"use_parallel_residual", "use_parallel_residual"}, &d->parallel);
    const char *gguf_eps = f->norm == GG_NORM_RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
    get_double(m, (meta){"rms_norm_eps,layer_norm_epsilon,layer_norm_eps", gguf_eps}, &eps);
    if (!(eps >= 0 && eps < 1))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: the norm's epsilon is %g, expected 0 to 1", gg_tensors_path(m->tensors), eps);
    d->norm_eps = (float)eps;

    static const struct { const char *name; gg_act_kind act; } acts[] = {
        {"silu", GG_ACT_SILU}, {"swish", GG_ACT_SILU}, {"gelu", GG_ACT_GELU_ERF}, {"relu", GG_ACT_RELU},
        {"gelu_new", GG_ACT_GELU_TANH}, {"gelu_fast", GG_ACT_GELU_TANH}, {"gelu_pytorch_tanh", GG_ACT_GELU_TANH}};
    const char *act;
    if (get_text(m, (meta){"hidden_activation,hidden_act,activation_function", NULL}, &act)) {
        size_t i = 0;
        while (i < sizeof acts / sizeof *acts && strcmp(act, acts[i].name) != 0)
            i++;
        if (i == sizeof acts / sizeof *acts)
            return unsupported(m, "the activation", act);
        d->act = acts[i].act;
    }

    bool flag = false, scaled = true;
    int64_t experts = 0;
    if (get_int(m, (meta){"num_local_experts,num_experts", "expert_count"}, &experts) && experts > 0)
        return unsupported(m, "a mixture", "of experts");
    if (get_bool(m, (meta){"scale_attn_by_inverse_layer_idx", NULL}, &flag) && flag)
        return unsupported(m, "attention", "scaled by the layer's number");
    if (get_bool(m, (meta){"use_bidirectional_attention", NULL}, &flag) && flag)
        return unsupported(m, "attention", "to later tokens");
    d->attention_scale = (float)(1 / sqrt((double)d->d_head));
    if (get_bool(m, (meta){"scale_attn_weights", NULL}, &scaled) && !scaled)
        d->attention_scale = 1;
    if (f->scaled_embedding) { /* gemma: GGUF does not say, but only the 27B sizes (46 and 62 layers) differ from d_head */
        const bool large = m->gguf && d->n_layers == (f->qk_norm == GG_QK_NORM_NONE ? 46 : 62);
        if (!get_double(m, (meta){"query_pre_attn_scalar", NULL}, &scalar))
            scalar = large ? (double)d->d_model / d->n_heads : (double)d->d_head;
        if (!(scalar > 0))
            return gg_fail(m->ctx, GG_EFORMAT, "%s: query_pre_attn_scalar is %g, expected a positive number", gg_tensors_path(m->tensors), scalar);
        d->attention_scale = (float)(1 / sqrt(scalar));
    }
    if (get_double(m, (meta){NULL, "attention.scale"}, &scalar) && scalar > 0)
        d->attention_scale = (float)scalar;
    if (get_double(m, (meta){"attn_logit_softcapping", "attn_logit_softcapping"}, &soft))
        d->attention_softcap = (float)soft;
    if (get_double(m, (meta){"final_logit_softcapping", "final_logit_softcapping"}, &soft))
        d->logit_softcap = (float)soft;
    return GG_OK;
}

static gg_status describe_layers(gg_model *m)
{
    gg_model_description *d = &m->d;
    const gg__family *f = m->family;
    int64_t window = 0, pattern = f->window_pattern, interval = f->nope_interval, first = 0;
    double base = f->rope_base, local = f->rope_base_local;
    bool windowed = f->window != GG__WINDOW_NONE;
    d->layer = gg_new(m->ctx, gg_layer_description, d->n_layers);
    if (!d->layer)
        return GG_ENOMEM;
    if (f->window == GG__WINDOW_TYPES) {
        windowed = false;
        get_bool(m, (meta){"use_sliding_window", NULL}, &windowed);
        get_int(m, (meta){"max_window_layers", NULL}, &first);
    }
    if (windowed)
        get_int(m, (meta){"sliding_window", "attention.sliding_window"}, &window);
    get_int(m, (meta){"sliding_window_pattern,_sliding_window_pattern", "attention.sliding_window_pattern"}, &pattern);
    get_int(m, (meta){"no_rope_layer_interval", NULL}, &interval);
    get_double(m, (meta){"rope_theta,rotary_emb_base,rope_parameters.rope_theta", "rope.freq_base"}, &base);
    if (local > 0)
        get_double(m, (meta){"rope_local_base_freq", "rope.freq_base_swa"}, &local);
    if (window < 0 || pattern < 0 || interval < 0 || (f->rope_fraction > 0 && !(base > 0)) || local < 0)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: a negative window, pattern, interval or RoPE base", gg_tensors_path(m->tensors));

    char slide_key[128];
    const bool typed = !m->gguf && gg_tensors_array(m->tensors, "layer_types") == d->n_layers;
    const bool flagged = m->gguf && key_of(slide_key, sizeof slide_key, m, (meta){NULL, "attention.sliding_window_pattern"}) &&
                         gg_tensors_array(m->tensors, slide_key) == d->n_layers;
    const bool listed = !m->gguf && interval && gg_tensors_array(m->tensors, "no_rope_layers") == d->n_layers;
    for (int l = 0; l < d->n_layers; l++) {
        gg_layer_description *y = &d->layer[l];
        const char *type;
        size_t n;
        bool slides = f->window == GG__WINDOW_ALL || (f->window == GG__WINDOW_TYPES && l >= first) ||
                      (f->window == GG__WINDOW_PATTERN && pattern > 0 && (l + 1) % pattern != 0);
        if (typed && gg_tensors_array_text(m->tensors, "layer_types", l, &type, &n))
            slides = n == strlen("sliding_attention") && memcmp(type, "sliding_attention", n) == 0;
        if (flagged)
            gg_tensors_array_bool(m->tensors, slide_key, l, &slides);
        y->window = slides ? window : 0;
        y->rope = f->rope_fraction > 0 && (!interval || (l + 1) % interval != 0);
        int64_t on;
        if (listed && gg_tensors_array_int(m->tensors, "no_rope_layers", l, &on))
            y->rope = on != 0;
        y->rope_base = local > 0 && slides ? local : base;
        y->rope_scaled = !(local > 0 && slides);
    }
    return GG_OK;
}

/* --- RoPE ------------------------------------------------------------------------------------------------------------ */

static gg_status describe_rope(gg_model *m)
{
    gg_model_description *d = &m->d;
    const char *type = NULL;
    int64_t n_rot;
    d->rope_fraction = m->family->rope_fraction;
    d->rope_attention = d->rope_factor = 1;
    if (d->rope_fraction == 0)
        return GG_OK;
    get_double(m, (meta){"partial_rotary_factor,rotary_pct", NULL}, &d->rope_fraction);
    if (get_int(m, (meta){NULL, "rope.dimension_count"}, &n_rot))
        d->rope_fraction = (double)n_rot / (double)d->d_head;
    if (!(d->rope_fraction > 0 && d->rope_fraction <= 1))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: %g of a head rotates, expected a part between 0 and 1", gg_tensors_path(m->tensors), d->rope_fraction);
    m->n_rot = (int64_t)((double)d->d_head * d->rope_fraction + 1e-6);
    if (m->n_rot < 2 || m->n_rot % 2)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: %lld numbers of a head rotate, expected an even count", gg_tensors_path(m->tensors), (long long)m->n_rot);

    get_text(m, (meta){"rope_scaling.rope_type,rope_scaling.type,rope_parameters.rope_type", "rope.scaling.type"}, &type);
    const bool factors = m->gguf && (gg_tensors_find(m->tensors, "rope_freqs.weight") || gg_tensors_find(m->tensors, "rope_factors_long.weight"));
    if (type && strcmp(type, "llama3") == 0)
        d->rope_scaling = GG_ROPE_LLAMA3;
    else if (factors || (type && (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0)))
        d->rope_scaling = GG_ROPE_FACTORS;
    else if (type && strcmp(type, "linear") == 0)
        d->rope_scaling = GG_ROPE_LINEAR;
    else if (type && strcmp(type, "default") != 0 && strcmp(type, "none") != 0)
        return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: RoPE scaling \"%.40s\" is not supported; supported are linear, llama3 and longrope",
                       gg_tensors_path(m->tensors), type);
    d->rope_original = (double)d->n_ctx;
    get_double(m, (meta){"original_max_position_embeddings,rope_scaling.original_max_position_embeddings", "rope.scaling.original_context_length"},
               &d->rope_original);
    get_double(m, (meta){"rope_scaling.factor", "rope.scaling.factor"}, &d->rope_factor);
    get_double(m, (meta){"rope_scaling.low_freq_factor", NULL}, &d->rope_low);
    get_double(m, (meta){"rope_scaling.high_freq_factor", NULL}, &d->rope_high);
    if (d->rope_scaling == GG_ROPE_FACTORS) {
        const double stretch = (double)d->n_ctx / d->rope_original;
        if (!m->gguf && stretch > 1 && d->rope_original > 1)
            d->rope_attention = sqrt(1 + log(stretch) / log(d->rope_original));
        get_double(m, (meta){"rope_scaling.attention_factor", "rope.scaling.attn_factor"}, &d->rope_attention);
    }
    if (!(d->rope_factor > 0) || !(d->rope_original > 0) || !(d->rope_attention > 0) ||
        (d->rope_scaling == GG_ROPE_LLAMA3 && !(d->rope_low > 0 && d->rope_high > d->rope_low)))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: the numbers of the RoPE scaling are not positive", gg_tensors_path(m->tensors));
    return GG_OK;
}

/* The divisor of frequency i: `second` for documents longer than rope_original. */
static gg_status rope_divisor(const gg_model *m, int64_t i, bool second, double *out)
{
    float x;
    *out = 1;
    if (m->gguf) {
        const char *name = second ? "rope_factors_long.weight" : "rope_factors_short.weight";
        const gg_tensor *t = gg_tensors_find(m->tensors, name);
        if (!t)
            t = gg_tensors_find(m->tensors, name = "rope_freqs.weight");
        if (!t || t->dtype != GG_F32 || t->n_dims != 1 || t->shape[0] != m->n_rot / 2)
            return gg_fail(m->ctx, GG_EFORMAT, "%s: %s must hold %lld numbers (F32)", gg_tensors_path(m->tensors), name, (long long)(m->n_rot / 2));
        memcpy(&x, (const char *)t->data + i * (int64_t)sizeof x, sizeof x);
        *out = (double)x;
    } else {
        const char *key = second ? "rope_scaling.long_factor" : "rope_scaling.short_factor";
        if (gg_tensors_array(m->tensors, key) != m->n_rot / 2 || !gg_tensors_array_double(m->tensors, key, i, out))
            return gg_fail(m->ctx, GG_EFORMAT, "%s: \"%s\" must hold %lld numbers", gg_tensors_path(m->tensors), key, (long long)(m->n_rot / 2));
    }
    if (!(*out > 0))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: a RoPE factor is %g, expected a positive number", gg_tensors_path(m->tensors), *out);
    return GG_OK;
}

static gg_status frequencies(gg_model *m, gg__rope *r, int second)
{
    const gg_model_description *d = &m->d;
    float *f = gg_new(m->ctx, float, m->n_rot / 2);
    if (!f)
        return GG_ENOMEM;
    r->frequency[second] = f;
    for (int64_t i = 0; i < m->n_rot / 2; i++) {
        double w = pow(r->base, -2.0 * (double)i / (double)m->n_rot), divisor;
        if (r->scaled && d->rope_scaling == GG_ROPE_LINEAR)
            w /= d->rope_factor;
        if (r->scaled && d->rope_scaling == GG_ROPE_FACTORS) {
            GG_TRY(rope_divisor(m, i, second, &divisor));
            w /= divisor;
        }
        if (r->scaled && d->rope_scaling == GG_ROPE_LLAMA3) {
            const double length = 2 * M_PI / w;
            const double s = (d->rope_original / length - d->rope_low) / (d->rope_high - d->rope_low);
            if (length > d->rope_original / d->rope_low)
                w /= d->rope_factor;
            else if (length >= d->rope_original / d->rope_high)
                w = (1 - s) * w / d->rope_factor + s * w;
        }
        f[i] = (float)w;
    }
    return GG_OK;
}

static gg_status collect_ropes(gg_model *m)
{
    for (int l = 0; l < m->d.n_layers; l++) {
        const gg_layer_description *y = &m->d.layer[l];
        int k = 0;
        if (!y->rope)
            continue;
        while (k < m->n_ropes && (m->rope[k].base != y->rope_base || m->rope[k].scaled != y->rope_scaled))
            k++;
        if (k < m->n_ropes)
            continue;
        if (k == GG__ROPES_MAX)
            return gg_fail(m->ctx, GG_EINTERNAL, "more than %d kinds of RoPE in one model", GG__ROPES_MAX);
        m->n_ropes++;
        m->rope[k] = (gg__rope){.base = y->rope_base, .scaled = y->rope_scaled};
        GG_TRY(frequencies(m, &m->rope[k], 0));
        if (y->rope_scaled && m->d.rope_scaling == GG_ROPE_FACTORS)
            GG_TRY(frequencies(m, &m->rope[k], 1));
    }
    return GG_OK;
}

gg_status gg__model_describe(gg_model *m)
{
    GG_TRY(find_family(m));
    GG_TRY(describe_sizes(m));
    describe_name(m);
    GG_TRY(describe_block(m));
    GG_TRY(describe_layers(m));
    GG_TRY(describe_rope(m));
    return collect_ropes(m);
}
