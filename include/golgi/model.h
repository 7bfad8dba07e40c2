/* golgi/model.h - pretrained decoders with taps. Floor 5.
 *
 *     #include <golgi/model.h>
 *     #include <stdio.h>
 *
 *     static gg_status tell(void *user, const gg_score_row *r)
 *     {
 *         return fprintf(user, "%s: %.3f nats a token\n", r->docid, r->mean_nll) > 0 ? GG_OK : GG_EIO;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         const char *text = argc > 2 ? argv[2] : "documents.jsonl";
 *         gg_context *ctx = NULL;
 *         gg_model *m = NULL;
 *         gg_documents *d = NULL;
 *         gg_run_result r;
 *         gg_context_create(&ctx, NULL);
 *         const bool done = gg_model_open(&m, ctx, argc > 1 ? argv[1] : "model.gguf", &(gg_model_options){.dtype = GG_F32}) == GG_OK &&
 *                           gg_documents_open(&d, ctx, &text, 1, &(gg_documents_options){0}) == GG_OK &&
 *                           gg_score(&r, m, d, &(gg_run_options){.max_tokens = 120}, 0, tell, stdout) == GG_OK;
 *         if (!done)
 *             fprintf(stderr, "%s\n", gg_message(ctx));
 *         gg_documents_close(d);
 *         gg_model_free(m);
 *         gg_context_free(ctx);
 *         return !done;
 *     }
 *
 * A family (llama, qwen3, gemma2, gpt2, ...) is a description, not a copy of code: gg_model_description says all that the
 * engine knows of it. Documents are packed without padding; only the work that the taps need is done.
 */
#ifndef GOLGI_MODEL_H
#define GOLGI_MODEL_H
#include <golgi/action.h>
#include <golgi/listener.h>
#include <golgi/rows.h>
#include <golgi/tensors.h>
#include <golgi/tokenizer.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_norm_kind { GG_NORM_RMS, GG_NORM_LAYER } gg_norm_kind;
typedef enum gg_norm_place {
    GG_NORM_PRE,     /* x + f(norm x): llama, gpt2 */
    GG_NORM_POST,    /* x + norm f(x): olmo2 */
    GG_NORM_SANDWICH /* x + norm f(norm x): gemma2, gemma3 */
} gg_norm_place;
typedef enum gg_act_kind { GG_ACT_SILU, GG_ACT_GELU_TANH, GG_ACT_GELU_ERF, GG_ACT_RELU } gg_act_kind;
typedef enum gg_qk_norm { GG_QK_NORM_NONE, GG_QK_NORM_HEAD /* each head: qwen3, gemma3 */, GG_QK_NORM_FULL /* all heads as one row: olmo2 */ } gg_qk_norm;
typedef enum gg_rope_scaling { GG_ROPE_PLAIN, GG_ROPE_LINEAR, GG_ROPE_LLAMA3, GG_ROPE_FACTORS /* longrope: a factor a frequency */ } gg_rope_scaling;

typedef struct gg_layer_description {
    bool rope;        /* false: no positions in this layer (NoPE, smollm3) */
    int64_t window;   /* tokens a query sees, itself included; 0: all before it */
    double rope_base; /* theta */
    bool rope_scaled; /* does the model's scaling apply here (gemma3: not in local layers) */
} gg_layer_description;

typedef struct gg_model_description {
    char family[32]; /* "llama" */
    char name[128];  /* "SmolLM2 135M Instruct" or the folder's name */
    int n_layers;
    int64_t d_model, d_ff, d_head, n_vocab, n_ctx;
    int n_heads, n_kv_heads;
    gg_norm_kind norm;
    gg_norm_place norm_place;
    float norm_eps, norm_offset; /* weight = offset + w: 1 for gemma in Hugging Face files */
    gg_act_kind act;
    bool gated;          /* hid = act(gate) * up, else act(up) */
    bool parallel;       /* attention and MLP both read resid_in: pythia */
    gg_qk_norm qk_norm;
    double rope_fraction; /* part of the head that rotates; 0: no RoPE anywhere */
    gg_rope_scaling rope_scaling;
    double rope_factor, rope_low, rope_high, rope_original; /* of the scaling */
    double rope_attention;     /* factor on cos and sin (longrope), 1 */
    bool learned_positions;    /* gpt2 */
    float attention_scale;     /* 1 / sqrt(d_head) unless the family says otherwise */
    float attention_softcap, logit_softcap; /* 0: none */
    float embedding_scale;     /* sqrt(d_model) for gemma, 1 */
    bool tied;                 /* the head is the embedding */
    gg_layer_description *layer; /* (n_layers,), owned by the model */
} gg_model_description;

typedef struct gg_model gg_model;
typedef struct gg_model_options {
    gg_dtype dtype;            /* of the products: GG_F32, GG_BF16 or GG_I8 (zero value: GG_F32) */
    const gg_actions *actions; /* checked against the model; must outlive it; may be NULL */
    bool no_weights;           /* description and tokenizer only (model show, tokenize) */
    bool no_head;              /* logits will not be asked for: the head is not packed */
} gg_model_options;

/* Weights are read and packed once. GG_EUNSUPPORTED lists the families; GG_ENOENT names a missing tensor; GG_EFORMAT a wrong shape. */
GG_API gg_status gg_model_open(gg_model **out, gg_context *ctx, const char *path, const gg_model_options *o);
GG_API void gg_model_free(gg_model *m);
/* Other actions from the next run on (NULL: none); they are checked, and must outlive the model or the next call. Not while a run is under way.
 * On failure the model acts as before. */
GG_API gg_status gg_model_act(gg_model *m, const gg_actions *actions);
GG_API const gg_model_description *gg_model_describe(const gg_model *m);
GG_API gg_tensors *gg_model_tensors(const gg_model *m);
GG_API const gg_tokenizer *gg_model_tokenizer(const gg_model *m); /* NULL when the files have none; see gg_model_need_tokenizer */
GG_API gg_status gg_model_need_tokenizer(const gg_tokenizer **out, const gg_model *m);
GG_API gg_status gg_model_hash(const gg_model *m, char hex[65]);
/* A model of a Hugging Face folder (llama, gpt2), opened with no_weights, as a GGUF file for llama.cpp and for here: F32, F16, BF16 or Q8_0. */
GG_API gg_status gg_model_convert(const gg_model *m, const char *path, gg_dtype t);
GG_API gg_dtype gg_model_dtype(const gg_model *m);
GG_API int64_t gg_model_parameters(const gg_model *m);
GG_API int64_t gg_model_packed_bytes(const gg_model *m); /* of the matrices that were packed: what products read */
/* Neurons of a site; 0 when this model has no such site. layer is ignored but for the range. */
GG_API int64_t gg_model_width(const gg_model *m, int layer, gg_site site);
/* The families that can be opened, comma-separated. */
GG_API const char *gg_model_families(void);

/* --- one group on one thread -------------------------------------------------------------------------------------- */
typedef struct gg_session gg_session; /* buffers of one thread; several sessions share a model */
GG_API gg_status gg_session_create(gg_session **out, const gg_model *m);
GG_API void gg_session_free(gg_session *s);
/* Runs the group and offers its sites. Calls only `tap` of the listeners (states: (n_listeners,), may be NULL).
 * Stops after the last layer and site that any listener asks for. GG_EINVAL: token id outside the vocabulary, document longer than n_ctx. */
GG_API gg_status gg_session_forward(gg_session *s, const gg_group *g, const gg_listener *listeners, void *const *states, int n_listeners);

/* --- gradients ------------------------------------------------------------------------------------------------------ */
typedef enum gg_objective_kind {
    GG_OBJECTIVE_NONE,
    GG_OBJECTIVE_NLL,  /* mean negative log-likelihood of a document, nats a token, as gg_score gives it; of one token: 0 */
    GG_OBJECTIVE_LOGIT /* logit of `token` after the last token of a document */
} gg_objective_kind;
typedef struct gg_objective {
    gg_objective_kind kind;
    int32_t token;
} gg_objective;
/* Runs the group forth and back and offers, in place of each site that a listener asks for, d y / d site (same shape), y the objective of each document by
 * itself; the site is what a forward pass would offer (behind its action). From the logits down to the lowest layer asked for; weights get no gradient, and
 * one layer's are in memory as float32 at a time. The model must be opened in GG_F32 and with its head. */
GG_API gg_status gg_session_gradients(gg_session *s, const gg_group *g, gg_objective of, const gg_listener *listeners, void *const *states, int n_listeners);

/* --- a whole document source on all threads ------------------------------------------------------------------------ */
typedef struct gg_run_options {
    int64_t max_tokens;   /* of a document; 0: n_ctx of the model */
    bool special;         /* add special tokens */
    int64_t group_tokens; /* rows of a group; 0: chosen. Changes speed, never results */
    gg_objective gradients; /* of kind none: listeners hear the sites; else the gradients of this with respect to them (gg_session_gradients) */
    struct gg_progress *progress; /* gets 1 a document; may be NULL */
    struct gg_clock *clock; /* gets the CPU seconds of each phase, summed over the threads; NULL: nothing is measured */
} gg_run_options;
typedef struct gg_run_result {
    int64_t n_documents, n_tokens, n_cut; /* n_cut: documents longer than max_tokens */
    double operations; /* multiplications and additions of the products and of attention (its causal half) that had to be done */
} gg_run_result;
/* Reads, tokenises, runs; hands documents to the listeners in input order. The result does not depend on threads or grouping.
 * GG_EINTR: stopped; the documents handed over so far are a prefix of the input. */
GG_API gg_status gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners);
/* The same over bare ids: row i of ids (n_rows, n_columns) int32. */
GG_API gg_status gg_run_ids(gg_run_result *out, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns, const gg_run_options *o,
                            const gg_listener *listeners, int n_listeners);
/* And over documents that are tokens already, of any length, end to end: document i is ids[start[i]] .. ids[start[i + 1] - 1]; start: (n_documents + 1,)
 * rising, from any number on. */
GG_API gg_status gg_run_tokens(gg_run_result *out, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents, const gg_run_options *o,
                               const gg_listener *listeners, int n_listeners);

/* --- losses ----------------------------------------------------------------------------------------------------------- */
/* Mean negative log-likelihood (nats a token) of each document under the model: out (n,), as `golgi score` reports it; one-token documents give NaN. */
typedef struct gg_score_row {
    const char *docid;
    int64_t n_tokens;
    double mean_nll;
    int n_top;
    const int32_t *top_id; /* largest logits after the last token */
    const float *top_logit;
} gg_score_row;
GG_API gg_status gg_score(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, int n_top,
                          gg_status (*row)(void *user, const gg_score_row *r), void *user);
/* The same over bare ids; docid is NULL. */
GG_API gg_status gg_score_ids(gg_run_result *out, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns, const gg_run_options *o,
                              int n_top, gg_status (*row)(void *user, const gg_score_row *r), void *user);
GG_API gg_status gg_score_tokens(gg_run_result *out, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents, const gg_run_options *o,
                                 int n_top, gg_status (*row)(void *user, const gg_score_row *r), void *user);

/* --- text -------------------------------------------------------------------------------------------------------------- */
typedef struct gg_generate_options {
    int64_t n_tokens;      /* at most so many new ones */
    double temperature;    /* 0: the likeliest token (of equal ones the lowest id); else softmax of logits / temperature */
    int64_t top_k;         /* draw among so many likeliest; 0: all */
    uint64_t seed;         /* the token at a place is drawn by (seed, place) */
    gg_status (*token)(void *user, int32_t id); /* told of each new one, when it is in ids; may be NULL. Anything but GG_OK ends */
    void *user;
} gg_generate_options;
/* Appends to ids (one at least; they see at most their last n_ctx), until n_tokens or the tokenizer's eos, which is appended too. One thread. */
GG_API gg_status gg_generate(gg_token_list *ids, gg_model *m, const gg_generate_options *o);

#ifdef __cplusplus
}
#endif
#endif
