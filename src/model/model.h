/* Inside of a model, shared by the files of this folder. */
#ifndef GG_MODEL_MODEL_H
#define GG_MODEL_MODEL_H
#include <golgi/model.h>
#include "math/linear.h"

/* --- tensor names (names.c) ------------------------------------------------------------------------------------------ */
typedef enum gg__slot {
    GG__EMBEDDING, GG__POSITIONS, GG__FINAL_NORM, GG__HEAD, /* once */
    GG__ATTN_PRE, GG__ATTN_POST, GG__MLP_PRE, GG__MLP_POST, /* in a block: norms before and after attention and MLP */
    GG__Q, GG__K, GG__V, GG__QKV, GG__Q_NORM, GG__K_NORM, GG__O,
    GG__GATE, GG__UP, GG__GATE_UP, GG__DOWN,
    GG__SLOT_COUNT
} gg__slot;

typedef struct gg__names {
    const char *prefix;                /* before all but the head; files of a bare trunk leave it out */
    const char *block;                 /* "layers.%d." */
    const char *slot[GG__SLOT_COUNT];  /* NULL: not in this family */
    bool conv1d;                       /* projections are stored (n_in, n_out) */
    bool qkv_by_head;                  /* rows of the fused projection: q, k, v of head 0, then of head 1, ... */
} gg__names;

extern const gg__names gg__names_llama, gg__names_gemma, gg__names_olmo2, gg__names_phi3, gg__names_gpt2, gg__names_gptneox, gg__names_gguf;

/* --- families (description.c) ---------------------------------------------------------------------------------------- */
typedef enum gg__window_rule {
    GG__WINDOW_NONE,
    GG__WINDOW_ALL,     /* every layer, where the file gives a window */
    GG__WINDOW_TYPES,   /* layers >= max_window_layers, when use_sliding_window is on */
    GG__WINDOW_PATTERN  /* all but every n-th layer */
} gg__window_rule;

typedef struct gg__family {
    const char *name;
    const char *hf;   /* model_type in config.json */
    const char *gguf; /* general.architecture */
    const gg__names *names; /* of Hugging Face files */
    gg_norm_kind norm;
    gg_norm_place place;
    gg_act_kind act;
    gg_qk_norm qk_norm;
    bool gated, learned_positions, scaled_embedding, tied;
    bool qk_permuted; /* GGUF: rows of q and k are in the order of the interleaved RoPE */
    bool parallel;
    bool qkv_bias;    /* the biases of q, k, v must be there; elsewhere they are read where they are */
    float norm_offset; /* in Hugging Face files; GGUF stores the sum */
    double eps, rope_base, rope_fraction; /* where the file says nothing */
    double rope_base_local; /* of layers with a window; 0: as the others */
    gg__window_rule window;
    int window_pattern;
    int nope_interval; /* every n-th layer has no positions; 0: all have */
} gg__family;

/* --- the model ------------------------------------------------------------------------------------------------------- */
typedef struct gg__norm {
    float *w, *b; /* b NULL: none */
} gg__norm;

typedef struct gg__layer {
    gg__norm attn_pre, attn_post, mlp_pre, mlp_post, q_norm, k_norm;
    gg_linear *q, *k, *v, *o, *gate, *up, *down;
    int rope; /* which of the model's; -1: none */
} gg__layer;

enum { GG__ROPES_MAX = 4 };
typedef struct gg__rope {
    double base;
    bool scaled;
    float *frequency[2]; /* (n_rot / 2,): for documents up to rope_original tokens, and for longer ones; the second may be NULL: the same */
} gg__rope;

struct gg_model {
    gg_context *ctx;
    gg_tensors *tensors;
    gg_tokenizer *tokenizer; /* NULL: none there, and why: */
    gg_status no_tokenizer;
    char *why_no_tokenizer;
    gg_model_description d;
    const gg__family *family;
    const gg__names *names;
    const char *prefix; /* names->prefix or "" */
    bool gguf, weights;
    gg_dtype dtype;
    const gg_actions *actions;
    int64_t n_rot; /* numbers of a head that rotate */
    int n_ropes;
    gg__rope rope[GG__ROPES_MAX];
    const gg_tensor *embedding; /* (n_vocab, d_model) in the mapping, any dtype */
    float *positions;           /* (n_ctx, d_model) or NULL */
    gg__norm final;
    gg_linear *head; /* NULL with no_head */
    gg__layer *layer;
};

/* description.c: fills family, names, d, n_rot, ropes of a model whose tensors are open. */
gg_status gg__model_describe(gg_model *m);
/* names.c: the name of a slot's tensor; layer is ignored for what comes once. False: no such tensor in this family. */
bool gg__model_tensor_name(char *out, size_t n, const gg_model *m, gg__slot slot, int layer, const char *ending);
const gg_tensor *gg__model_tensor(const gg_model *m, gg__slot slot, int layer, const char *ending); /* NULL: absent */
/* weights.c: checks every shape, then reads and packs. */
gg_status gg__model_load(gg_model *m, bool head);
void gg__model_unload(gg_model *m);
/* A tensor that must be there in this shape; columns 0: a vector. */
gg_status gg__model_need_tensor(const gg_tensor **out, const gg_model *m, gg__slot slot, int layer, const char *ending, int64_t rows, int64_t columns);
gg_status gg__model_check_finite(const gg_model *m, const float *x, int64_t n, const char *name);
/* One projection (GG__Q ... GG__DOWN) once more, as float32 in the order of neurons: w (n_out, n_in), bias (n_out,), zeros where there is none. */
gg_status gg__model_read_linear(float *w, float *bias, const gg_model *m, int layer, gg__slot which);
gg_status gg__model_head(const gg_tensor **out, const gg_model *m); /* (n_vocab, d_model), in any dtype */
/* session.c: a clock that the session marks (NULL: none), and the operations it has done (see gg_run_result). */
struct gg_clock;
void gg__session_clock(gg_session *s, struct gg_clock *c);
double gg__session_operations(const gg_session *s);
const gg_model *gg__session_model(const gg_session *s);
/* After a forward pass over a document of n tokens: cosines and sines (n, n_rot / 2) of one of the model's ropes. */
void gg__session_positions(const gg_session *s, int rope, int64_t n, const float **cosine, const float **sine);
/* model.c */
int64_t gg__model_site_width(const gg_model_description *d, gg_site site);
#endif
