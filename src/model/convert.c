/* A model of a Hugging Face folder as one GGUF file, with the names, the keys and the order of rows that llama.cpp reads. Owns: what of a description
 * those keys can say, and the refusal of what they cannot.
 *
 * Rows of q and k of the llama family: Hugging Face turns the two halves of a head against each other, ggml neighbours; so row (head, p d_head / 2 + i)
 * becomes row (head, 2 i + p). Conv1D matrices of GPT-2 are turned over. Vectors, and GPT-2's positions, stay float32; rows that are no whole blocks of
 * Q8_0 become float16. All that is llama.cpp's own converter's doing, and the reader's here (weights.c).
 */
#include "model/model.h"
#include "base/memory.h"
#include "math/kernels.h"
#include <math.h>
#include <stdio.h>

typedef struct job {
    gg_context *ctx;
    const gg_model *m;
    gg_model to; /* m with the names of GGUF */
    gg_gguf_writer *w;
    gg_dtype dtype;
} job;

typedef struct piece { /* one tensor */
    gg__slot slot;
    int layer;
    const char *ending;
    int64_t rows, columns; /* as written; columns 0: a vector */
    bool turned;           /* stored (columns, rows) */
    bool permuted;         /* rows of q or k */
    bool wide;             /* float32 whatever was asked for */
} piece;

/* --- metadata ------------------------------------------------------------------------------------------------------------------------- */
static gg_status refuse(const gg_model *m, const char *what)
{
    return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: %s, which a GGUF of the family %s does not say", gg_tensors_path(m->tensors), what, m->family->name);
}

static gg_status check(const gg_model *m, gg_dtype t)
{
    const gg_model_description *d = &m->d;
    if (m->gguf)
        return gg_fail(m->ctx, GG_EINVAL, "%s is a GGUF already; a Hugging Face folder is converted", gg_tensors_path(m->tensors));
    if (strcmp(m->family->name, "llama") != 0 && strcmp(m->family->name, "gpt2") != 0)
        return gg_fail(m->ctx, GG_EUNSUPPORTED, "%s: models of the families llama and gpt2 are converted, this one is %s", gg_tensors_path(m->tensors),
                       m->family->name);
    if (t != GG_F32 && t != GG_F16 && t != GG_BF16 && t != GG_Q8_0)
        return gg_fail(m->ctx, GG_EINVAL, "weights are written as F32, F16, BF16 or Q8_0, not as %s", gg_dtype_name(t));
    if (d->act != m->family->act)
        return refuse(m, "another activation than its family's");
    if (fabsf(d->attention_scale * sqrtf((float)d->d_head) - 1) > 1e-6f)
        return refuse(m, "a scale of attention of its own");
    if (d->rope_scaling == GG_ROPE_FACTORS)
        return refuse(m, "RoPE with a factor for each frequency");
    return GG_OK;
}

static gg_status put_uint(job *j, const char *key, int64_t value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", j->m->family->gguf, key);
    return gg_gguf_writer_uint(j->w, name, (uint32_t)value);
}

static gg_status put_float(job *j, const char *key, double value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", j->m->family->gguf, key);
    return gg_gguf_writer_float(j->w, name, (float)value);
}

static gg_status describe_rope(job *j)
{
    const gg_model_description *d = &j->m->d;
    if (d->rope_fraction == 0)
        return GG_OK;
    GG_TRY(put_uint(j, "rope.dimension_count", j->m->n_rot));
    GG_TRY(put_float(j, "rope.freq_base", d->layer[0].rope_base));
    if (d->rope_scaling != GG_ROPE_LINEAR)
        return GG_OK;
    char name[96];
    snprintf(name, sizeof name, "%s.rope.scaling.type", j->m->family->gguf);
    GG_TRY(gg_gguf_writer_text(j->w, name, "linear"));
    return put_float(j, "rope.scaling.factor", d->rope_factor);
}

static gg_status describe(job *j)
{
    const gg_model_description *d = &j->m->d;
    const uint32_t file_type = j->dtype == GG_F32 ? 0 : j->dtype == GG_F16 ? 1 : j->dtype == GG_BF16 ? 32 : 7;
    GG_TRY(gg_gguf_writer_text(j->w, "general.architecture", j->m->family->gguf));
    GG_TRY(gg_gguf_writer_text(j->w, "general.type", "model"));
    GG_TRY(gg_gguf_writer_text(j->w, "general.name", d->name));
    GG_TRY(gg_gguf_writer_uint(j->w, "general.file_type", file_type));
    GG_TRY(gg_gguf_writer_uint(j->w, "general.quantization_version", 2));
    GG_TRY(put_uint(j, "block_count", d->n_layers));
    GG_TRY(put_uint(j, "context_length", d->n_ctx));
    GG_TRY(put_uint(j, "embedding_length", d->d_model));
    GG_TRY(put_uint(j, "feed_forward_length", d->d_ff));
    GG_TRY(put_uint(j, "vocab_size", d->n_vocab));
    GG_TRY(put_uint(j, "attention.head_count", d->n_heads));
    GG_TRY(put_uint(j, "attention.head_count_kv", d->n_kv_heads));
    GG_TRY(put_uint(j, "attention.key_length", d->d_head));
    GG_TRY(put_uint(j, "attention.value_length", d->d_head));
    GG_TRY(put_float(j, d->norm == GG_NORM_RMS ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", (double)d->norm_eps));
    GG_TRY(describe_rope(j));
    const gg_tokenizer *t = NULL;
    const gg_status s = gg_model_need_tokenizer(&t, j->m);
    if (s == GG_ENOENT) {
        gg_log(j->ctx, GG_LOG_WARNING, "%s has no tokenizer, so the GGUF has none either", gg_tensors_path(j->m->tensors));
        return gg_gguf_writer_text(j->w, "tokenizer.ggml.model", "none");
    }
    return s != GG_OK ? s : gg_tokenizer_write_gguf(j->w, t, d->n_vocab);
}

/* --- tensors -------------------------------------------------------------------------------------------------------------------------- */
typedef gg_status (*visit)(job *j, const piece *p);

/* A piece and its bias, if it is there. */
static gg_status both(job *j, visit f, piece p)
{
    p.ending = "weight";
    GG_TRY(f(j, &p));
    if (!gg__model_tensor(j->m, p.slot, p.layer, "bias"))
        return GG_OK;
    p.ending = "bias";
    p.columns = 0;
    p.turned = false;
    return f(j, &p);
}

static gg_status each_of_layer(job *j, visit f, int l)
{
    const gg_model_description *d = &j->m->d;
    const int64_t D = d->d_model, nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    const bool fused = !j->m->names->slot[GG__Q], turned = j->m->names->conv1d, permuted = j->m->family->qk_permuted;
    GG_TRY(both(j, f, (piece){GG__ATTN_PRE, l, .rows = D}));
    if (fused)
        GG_TRY(both(j, f, (piece){GG__QKV, l, .rows = nq + 2 * nkv, .columns = D, .turned = turned}));
    else {
        GG_TRY(both(j, f, (piece){GG__Q, l, .rows = nq, .columns = D, .permuted = permuted}));
        GG_TRY(both(j, f, (piece){GG__K, l, .rows = nkv, .columns = D, .permuted = permuted}));
        GG_TRY(both(j, f, (piece){GG__V, l, .rows = nkv, .columns = D}));
    }
    GG_TRY(both(j, f, (piece){GG__O, l, .rows = D, .columns = nq, .turned = turned}));
    GG_TRY(both(j, f, (piece){GG__MLP_PRE, l, .rows = D}));
    if (d->gated)
        GG_TRY(both(j, f, (piece){GG__GATE, l, .rows = d->d_ff, .columns = D, .turned = turned}));
    GG_TRY(both(j, f, (piece){GG__UP, l, .rows = d->d_ff, .columns = D, .turned = turned}));
    return both(j, f, (piece){GG__DOWN, l, .rows = D, .columns = d->d_ff, .turned = turned});
}

static gg_status each(job *j, visit f)
{
    const gg_model_description *d = &j->m->d;
    GG_TRY(both(j, f, (piece){GG__EMBEDDING, .rows = d->n_vocab, .columns = d->d_model}));
    if (d->learned_positions)
        GG_TRY(both(j, f, (piece){GG__POSITIONS, .rows = d->n_ctx, .columns = d->d_model, .wide = true}));
    for (int l = 0; l < d->n_layers; l++)
        GG_TRY(each_of_layer(j, f, l));
    GG_TRY(both(j, f, (piece){GG__FINAL_NORM, .rows = d->d_model}));
    return d->tied ? GG_OK : both(j, f, (piece){GG__HEAD, .rows = d->n_vocab, .columns = d->d_model});
}

static gg_status announce(job *j, const piece *p)
{
    char name[160];
    const int64_t shape[2] = {p->rows, p->columns};
    gg_dtype t = p->wide || p->columns == 0 ? GG_F32 : j->dtype;
    gg__model_tensor_name(name, sizeof name, &j->to, p->slot, p->layer, p->ending);
    if (p->columns && gg_dtype_bytes(t, p->columns) < 0) {
        t = GG_F16;
        gg_log(j->ctx, GG_LOG_INFO, "%s: rows of %lld are no whole blocks of %s: written as F16", name, (long long)p->columns, gg_dtype_name(j->dtype));
    }
    return gg_gguf_writer_tensor(j->w, name, t, p->columns ? 2 : 1, shape);
}

static void put_rows(float *to, const float *from, const piece *p, int64_t d_head)
{
    const int64_t width = p->columns ? p->columns : 1;
    for (int64_t r = 0; r < p->rows; r++) {
        const int64_t i = r % d_head, at = p->permuted ? r / d_head * d_head + 2 * (i % (d_head / 2)) + i / (d_head / 2) : r;
        for (int64_t c = 0; c < width; c++)
            to[at * width + c] = from[p->turned ? c * p->rows + r : r * width + c];
    }
}

static gg_status write(job *j, const piece *p)
{
    const gg_tensor *t = NULL;
    const int64_t n = p->rows * (p->columns ? p->columns : 1), first = p->turned ? p->columns : p->rows, second = p->turned ? p->rows : p->columns;
    GG_TRY(gg__model_need_tensor(&t, j->m, p->slot, p->layer, p->ending, first, second));
    float *x = gg_new(j->ctx, float, n), *y = p->turned || p->permuted ? gg_new(j->ctx, float, n) : x;
    gg_status s = x && y ? gg_to_f32(x, t->data, t->dtype, n) : GG_ENOMEM;
    if (s == GG_OK)
        s = gg__model_check_finite(j->m, x, n, t->name);
    if (s == GG_OK && y != x)
        put_rows(y, x, p, j->m->d.d_head);
    if (s == GG_OK)
        s = gg_gguf_writer_data(j->w, y);
    if (y != x)
        gg_drop(j->ctx, y);
    gg_drop(j->ctx, x);
    return s;
}

/* What the scaling of Llama 3 divides each frequency by. */
static gg_status write_factors(job *j, bool announced)
{
    const gg_model *m = j->m;
    const int64_t n = m->n_rot / 2;
    if (m->d.rope_scaling != GG_ROPE_LLAMA3)
        return GG_OK;
    if (!announced)
        return gg_gguf_writer_tensor(j->w, "rope_freqs.weight", GG_F32, 1, &n);
    float *x = gg_new(j->ctx, float, n);
    if (!x)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(pow(m->rope[0].base, -2.0 * (double)i / (double)m->n_rot) / (double)m->rope[0].frequency[0][i]);
    const gg_status s = gg_gguf_writer_data(j->w, x);
    gg_drop(j->ctx, x);
    return s;
}

gg_status gg_model_convert(const gg_model *m, const char *path, gg_dtype t)
{
    job j = {.ctx = m->ctx, .m = m, .to = *m, .dtype = t};
    j.to.names = &gg__names_gguf;
    j.to.prefix = "";
    GG_TRY(check(m, t));
    GG_TRY(gg_gguf_writer_open(&j.w, m->ctx, path));
    gg_status s = describe(&j);
    if (s == GG_OK && (s = write_factors(&j, false)) == GG_OK)
        s = each(&j, announce);
    if (s == GG_OK && (s = write_factors(&j, true)) == GG_OK)
        s = each(&j, write);
    if (s == GG_OK)
        return gg_gguf_writer_commit(j.w);
    gg_gguf_writer_discard(j.w);
    return s;
}
