/* golgi/lm.h - small language models, trained here: decoders of the Llama and GPT-2 families. Floor 5.
 *
 *     #include <golgi/lm.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         static int32_t token[4000]; // here 0 1 2 ... 9 0 1 ...; in earnest the ids of a tokenizer
 *         for (int i = 0; i < 4000; i++)
 *             token[i] = i % 10;
 *         gg_context *ctx = NULL;
 *         gg_lm *lm = NULL;
 *         gg_lm_result r = {.val_loss = 9};
 *         gg_context_create(&ctx, NULL);
 *         gg_lm_create(&lm, ctx, &(gg_lm_options){.n_layers = 1, .d_model = 32, .n_heads = 2, .n_vocab = 10, .n_ctx = 16}, 1);
 *         gg_status s = gg_lm_train(&r, lm, token, 3000, token + 3000, 1000, &(gg_lm_train_options){.batch = 8, .steps = 100, .optim = {.lr = 1e-2}});
 *         if (s == GG_OK)
 *             s = gg_lm_save(lm, "small", NULL); // a Hugging Face folder; gg_model_open reads it back
 *         printf("%s; validation loss %.3f nats a token\n", gg_status_text(s), r.val_loss);
 *         gg_lm_free(lm);
 *         gg_context_free(ctx);
 *         return !(s == GG_OK && r.val_loss < 1);
 *     }
 *
 * Tokens are int32 in [0, n_vocab), documents laid end to end. Losses are nats a token. A run is a function of its options, seed and tokens: the same
 * bits with any number of threads, and after it was killed and went on from its checkpoint.
 */
#ifndef GOLGI_LM_H
#define GOLGI_LM_H
#include <golgi/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_lm_kind { GG_LM_LLAMA, GG_LM_GPT2 } gg_lm_kind;
typedef struct gg_lm_options {
    gg_lm_kind kind;
    int64_t n_layers, d_model, n_heads;
    int64_t n_kv_heads; /* llama; 0: n_heads */
    int64_t d_ff;       /* 0: 4 d_model; llama: 8/3 d_model, up to a multiple of 16 */
    int64_t n_vocab, n_ctx;
    double rope_base;   /* llama; 0: 10000 */
    double dropout;
    bool untied;        /* a head of its own instead of the embedding */
} gg_lm_options;

typedef struct gg_lm gg_lm;
/* Weights normal of sd 0.02 (Radford et al. 2019; those that write to the residual stream divided by sqrt(2 n_layers)), norms 1, biases 0. GG_EINVAL. */
GG_API gg_status gg_lm_create(gg_lm **out, gg_context *ctx, const gg_lm_options *o, uint64_t seed);
GG_API void gg_lm_free(gg_lm *lm);
GG_API const gg_lm_options *gg_lm_describe(const gg_lm *lm); /* defaults filled in */
GG_API gg_params *gg_lm_params(gg_lm *lm);
GG_API int64_t gg_lm_size(const gg_lm *lm); /* parameters */
/* Records the net: index (B, T), T <= n_ctx -> logits (B, T, n_vocab). */
GG_API gg_var *gg_lm_logits(gg_lm *lm, gg_graph *g, gg_var *index);
/* Mean loss over tokens (n,), in windows of n_ctx that follow one another, each token predicted once from those before it in its window. */
GG_API gg_status gg_lm_loss(double *out, gg_lm *lm, const int32_t *token, int64_t n, int n_threads);

typedef struct gg_lm_step {
    int64_t step, steps;
    double loss, val_loss; /* of this batch; of the validation tokens, NaN when not looked at */
    double lr, seconds;    /* since the first step, earlier sittings too */
} gg_lm_step;
typedef struct gg_lm_train_options {
    int64_t batch, context;  /* windows a step (12); tokens of a window (n_ctx) */
    int64_t steps;
    gg_optim_options optim;  /* all zero: adamw with lr 1e-3, beta2 0.99, weight decay 0.1, norm clipped at 1; with only lr given, the same with that */
    gg_schedule schedule;    /* lr 0: a cosine down to lr / 10 after 5 % of warm-up */
    uint64_t seed;           /* of the windows and of dropout */
    int n_threads;           /* 0: one */
    int64_t eval_every;      /* steps between looks at the validation tokens; 0: only at the end */
    const char *checkpoint;  /* a file, written every checkpoint_every steps (default 500) and gone on from; NULL: none */
    int64_t checkpoint_every;
    const char *log;         /* a table (step, loss, val_loss, lr, seconds), a row a step from the first on; written whole before each checkpoint; NULL: none */
    gg_status (*look)(void *user, const gg_lm_step *s); /* after every step; may be NULL. Anything but GG_OK ends the run */
    void *user;
    struct gg_ranks *ranks;  /* processes of an MPI job (golgi lm train --mpi): each takes a part of every batch, rank 0 looks and writes; NULL: alone */
} gg_lm_train_options;
typedef struct gg_lm_result {
    double loss, val_loss, best_val; /* the last ones; NaN without validation tokens */
    int64_t best_step, n_tokens;     /* seen in training */
    int64_t from_step;               /* > 0: gone on from a checkpoint */
    double seconds;
} gg_lm_result;
/* n > context. val may be NULL. GG_ENAN names the step when the loss is not finite, GG_EMISMATCH a checkpoint of other options, GG_EINTR stopped (the
 * checkpoint is written first). */
GG_API gg_status gg_lm_train(gg_lm_result *out, gg_lm *lm, const int32_t *token, int64_t n, const int32_t *val, int64_t n_val, const gg_lm_train_options *o);

/* config.json and model.safetensors into a folder, as transformers reads them; with tokenizer_json (NULL: what is in the folder) also that file, and the
 * tokenizer_config.json beside it, or one made for it. */
GG_API gg_status gg_lm_save(gg_lm *lm, const char *folder, const char *tokenizer_json);

#ifdef __cplusplus
}
#endif
#endif
