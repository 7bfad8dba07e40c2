/* golgi/nn.h - layers: parameters with names and initial values, recorded into a graph. Floor 5.
 *
 *     #include <golgi/nn.h>
 *     #include <stdio.h>
 *     #include <string.h>
 *
 *     int main(void) // XOR
 *     {
 *         static const float in[] = {0, 0, 0, 1, 1, 0, 1, 1}, out[] = {0, 1, 1, 0};
 *         gg_context *ctx = NULL;
 *         gg_params *p = NULL;
 *         gg_graph *g = NULL;
 *         gg_optim *o = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_params_create(&p, ctx, GG_F32);
 *         gg_graph_create(&g, ctx, NULL);
 *         gg_nn nn = {g, p, NULL};
 *         gg_var *x = gg_graph_input(g, "x", GG_SHAPE(4, 2)), *t = gg_graph_input(g, "t", GG_SHAPE(4, 1));
 *         gg_var *h = gg_var_tanh(gg_nn_linear(&nn, "fc1", x, 8, true));
 *         gg_var *loss = gg_var_mean(gg_nn_bce_logits(gg_nn_linear(&nn, "fc2", h, 1, true), t), GG_ALL_AXES, false);
 *         gg_graph_backward(loss);
 *         gg_graph_plan(g, &loss, 1);
 *         gg_nn_init(p, 1);
 *         gg_optim_create(&o, ctx, p, &(gg_optim_options){.kind = GG_OPTIM_ADAM, .lr = 0.05});
 *         memcpy(gg_var_data(x), in, sizeof in);
 *         memcpy(gg_var_data(t), out, sizeof out);
 *         for (int i = 0; i < 300; i++) {
 *             gg_graph_run(g);
 *             gg_optim_step(o);
 *         }
 *         const double left = gg_var_item(loss);
 *         printf("loss %.4f\n", left);
 *         gg_optim_free(o);
 *         gg_graph_free(g);
 *         gg_params_free(p);
 *         gg_context_free(ctx);
 *         return !(left < 0.05);
 *     }
 *
 * A layer's parameters are called NAME.weight, NAME.bias, ... as in PyTorch, with its shapes. They are added when the first graph uses them and found
 * again by later graphs (another batch, evaluation): a net is a function that records it. gg_nn_init gives all parameters PyTorch's initial
 * distributions (each from its own stream of random numbers: an added layer changes no other), gg_nn_init_torch its very numbers.
 * Mistakes come back from gg_graph_plan, as those of all recording.
 */
#ifndef GOLGI_NN_H
#define GOLGI_NN_H
#include <golgi/grad.h>
#include <golgi/optim.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_nn {
    gg_graph *graph;
    gg_params *params;
    const char *prefix; /* before every name: "block0." ; NULL: none */
} gg_nn;

/* Initial values of every parameter that a layer has added, from seed. Called once all graphs are recorded (or again, to begin anew). */
GG_API gg_status gg_nn_init(gg_params *p, uint64_t seed);
/* The values that PyTorch itself gives, for comparisons: those after torch.manual_seed(seed) (its low 32 bits) and the construction of the same layers, in the
 * order in which they were added here. Uniform ones bit for bit, normal ones (embeddings) to the last bit or two. Here the order does matter. */
GG_API gg_status gg_nn_init_torch(gg_params *p, uint64_t seed);
/* A parameter of one's own: found, or added with initial values uniform in [-bound, bound] (normal of sd `bound` when normal), or `bound` everywhere
 * (constant). */
typedef enum gg_init { GG_INIT_CONSTANT, GG_INIT_UNIFORM, GG_INIT_NORMAL } gg_init;
GG_API gg_var *gg_nn_param(const gg_nn *n, const char *name, gg_shape shape, gg_init init, double bound, unsigned flags);

/* (..., K) -> (..., n_out). weight (n_out, K), bias (n_out,), both uniform in 1 / sqrt(K). */
GG_API gg_var *gg_nn_linear(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, bool bias);
/* x (N, C, H, W), kernel (kh, kw); x (N, C, T), kernel. Uniform in 1 / sqrt(C / groups kh kw). options may be NULL. */
GG_API gg_var *gg_nn_conv2d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t kh, int64_t kw, bool bias, const gg_conv_options *options);
GG_API gg_var *gg_nn_conv1d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t k, bool bias, const gg_conv_options *options);
/* Transposed: weight (C, n_out / groups, kh, kw), uniform in 1 / sqrt(n_out / groups kh kw). */
GG_API gg_var *gg_nn_conv_transpose2d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t kh, int64_t kw, bool bias,
                                      const gg_conv_options *options);
GG_API gg_var *gg_nn_conv_transpose1d(const gg_nn *n, const char *name, gg_var *x, int64_t n_out, int64_t k, bool bias, const gg_conv_options *options);
/* index (...) int32 in [0, n_rows) -> (..., width); weight (n_rows, width) normal of sd 1. */
GG_API gg_var *gg_nn_embedding(const gg_nn *n, const char *name, gg_var *index, int64_t n_rows, int64_t width);
/* Over the last axis; weight 1, bias 0, spared weight decay. eps 0: 1e-5 (rms: 1e-6). */
GG_API gg_var *gg_nn_layer_norm(const gg_nn *n, const char *name, gg_var *x, double eps);
GG_API gg_var *gg_nn_rms_norm(const gg_nn *n, const char *name, gg_var *x, double eps);

/* x (N, C, ...), over all but the second axis (BatchNorm1d, BatchNorm2d); weight 1, bias 0, and the buffers running_mean 0, running_var 1, which runs of a
 * training graph (gg_graph_set_training) move; a graph that is not training reads them. momentum 0: 0.1; eps 0: 1e-5. */
GG_API gg_var *gg_nn_batch_norm(const gg_nn *n, const char *name, gg_var *x, double momentum, double eps);
GG_API gg_var *gg_nn_group_norm(const gg_nn *n, const char *name, gg_var *x, int64_t groups, double eps); /* eps 0: 1e-5 */

/* Recurrent layers, time first: x (T, B, K) -> (T, B, H); *last (may be NULL) the state after the last step, (B, H). h0, c0 may be NULL: zeros.
 * weight_ih_l0 (gates H, K), weight_hh_l0 (gates H, H), bias_ih_l0, bias_hh_l0 (gates H,), uniform in 1 / sqrt(H). truncate: see gg_var_scan. */
typedef struct gg_rnn_options {
    gg_var *h0, *c0;
    bool relu;        /* rnn: max(0, .) instead of tanh */
    int64_t truncate;
} gg_rnn_options;
GG_API gg_var *gg_nn_rnn(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *options);
GG_API gg_var *gg_nn_lstm(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *options);
GG_API gg_var *gg_nn_gru(const gg_nn *n, const char *name, gg_var *x, int64_t H, gg_var **last, const gg_rnn_options *options);
/* Continuous time, Euler steps of `alpha` = dt / tau in (0, 1]: u' = (1 - alpha) u + alpha (W r + W_in x + b), r = tanh u (relu: max(0, u)). Gives r.
 * weight_ih_l0 (H, K), weight_hh_l0 (H, H), bias_l0 (H,). */
GG_API gg_var *gg_nn_ctrnn(const gg_nn *n, const char *name, gg_var *x, int64_t H, double alpha, gg_var **last, const gg_rnn_options *options);

/* A pre-norm transformer block on x (B, T, d_model): x + attention(norm x), then x + mlp(norm x). */
typedef struct gg_block_options {
    int64_t n_heads, n_kv_heads; /* kv 0: n_heads */
    int64_t d_ff;
    bool causal;
    int64_t window;
    double rope_base;   /* 0: no rotary positions */
    bool rms;           /* RMS norms, no biases, gated SiLU (Llama); else layer norms, biases, GELU (GPT-2) */
    double dropout, eps;
    gg_var *key_mask;   /* (B, T) or NULL */
} gg_block_options;
GG_API gg_var *gg_nn_block(const gg_nn *n, const char *name, gg_var *x, const gg_block_options *options);

/* Multi-head attention of q (B, T, d) to kv (B, S, d) -> (B, T, d), q = kv: self-attention. in_proj_weight (3 d, d) and in_proj_bias (q, k, v from top to
 * bottom), out_proj.weight (d, d), out_proj.bias. options: causal, window, key_mask as in gg_var_attention; may be NULL. */
GG_API gg_var *gg_nn_multihead_attention(const gg_nn *n, const char *name, gg_var *q, gg_var *kv, int64_t n_heads, const gg_attention_options *options);

/* torch.nn.TransformerEncoderLayer, TransformerDecoderLayer (batch_first) and stacks of them, with their names: self_attn, multihead_attn (decoder:
 * attention to memory), linear1, linear2, norm1, norm2, norm3; of a stack NAME.layers.0 ... and, with final_norm, NAME.norm. Dropout is where
 * torch has it, but for the weights of the attention, which have none. */
typedef struct gg_transformer_options {
    int64_t n_heads, d_ff;
    bool causal;          /* self-attention sees what was before only */
    bool norm_first;      /* x + f(norm x) instead of norm(x + f x) */
    bool gelu;            /* else ReLU */
    bool final_norm;      /* of stacks */
    double dropout, eps;  /* eps 0: 1e-5 */
    gg_var *key_mask;     /* (B, T), 0: nobody sees this position; NULL: none */
    gg_var *memory_mask;  /* (B, S), the same for memory */
} gg_transformer_options;
GG_API gg_var *gg_nn_transformer_encoder_layer(const gg_nn *n, const char *name, gg_var *x, const gg_transformer_options *options);
GG_API gg_var *gg_nn_transformer_decoder_layer(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, const gg_transformer_options *options);
GG_API gg_var *gg_nn_transformer_encoder(const gg_nn *n, const char *name, gg_var *x, int n_layers, const gg_transformer_options *options);
GG_API gg_var *gg_nn_transformer_decoder(const gg_nn *n, const char *name, gg_var *x, gg_var *memory, int n_layers, const gg_transformer_options *options);

/* --- losses, elementwise: take their mean. p: logits or predictions; t: of the same shape ----------------------------------------------- */
GG_API gg_var *gg_nn_mse(gg_var *p, gg_var *t);
GG_API gg_var *gg_nn_mae(gg_var *p, gg_var *t);
GG_API gg_var *gg_nn_huber(gg_var *p, gg_var *t, double delta);
GG_API gg_var *gg_nn_bce_logits(gg_var *logits, gg_var *t);
/* p in (0, 1): logarithms are cut at -100, as in PyTorch. */
GG_API gg_var *gg_nn_bce(gg_var *p, gg_var *t);
/* sum over the last axis of t (log t - log_p); t = 0 gives 0. */
GG_API gg_var *gg_nn_kl(gg_var *log_p, gg_var *t);
/* Cross-entropy with a distribution t (..., C), or an index with the rest spread: smoothing in [0, 1). -> (...). */
GG_API gg_var *gg_nn_soft_cross_entropy(gg_var *logits, gg_var *t);
GG_API gg_var *gg_nn_smooth_cross_entropy(gg_var *logits, gg_var *index, double smoothing);
/* torch.nn.CrossEntropyLoss with all it has: targets that are `ignore` (torch: -100) do not count, classes weighed by weight (C,) (NULL: ones), a part
 * `smoothing` of each target spread over all classes. A scalar: the weighed mean over the targets that count. */
GG_API gg_var *gg_nn_cross_entropy(gg_var *logits, gg_var *index, gg_var *weight, int64_t ignore, double smoothing);
/* Each class weighed: sum w[t] l / sum w[t], a scalar; weight (C,). */
GG_API gg_var *gg_nn_weighted_cross_entropy(gg_var *logits, gg_var *index, gg_var *weight);

#ifdef __cplusplus
}
#endif
#endif
