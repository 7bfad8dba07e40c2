/* golgi/grad.h - the graph: record once, plan memory once, replay many times; gradients of any order. Floor 2.
 *
 *     #include <golgi/grad.h>
 *     #include <stdio.h>
 *     #include <string.h>
 *
 *     int main(void)
 *     {
 *         static const float batch[32 * 3] = {1, 2, 3};
 *         gg_context *ctx = NULL;
 *         gg_params *p = NULL;
 *         gg_graph *g = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_params_create(&p, ctx, GG_F32);
 *         gg_params_add(p, "w", GG_SHAPE(3, 2), 0);
 *         gg_graph_create(&g, ctx, &(gg_graph_options){.dtype = GG_F32});
 *         gg_var *x = gg_graph_input(g, "x", GG_SHAPE(32, 3));
 *         gg_var *y = gg_var_matmul(x, gg_graph_param(g, p, "w"));
 *         gg_var *loss = gg_var_mean(gg_var_square(y), GG_ALL_AXES, false);
 *         gg_graph_backward(loss);                          // d loss / d w goes to gg_params_gradient(p, 0)
 *         const gg_status s = gg_graph_plan(g, &loss, 1);   // the first mistake made above is told here
 *         if (s == GG_OK) {
 *             memcpy(gg_var_data(x), batch, gg_var_bytes(x));
 *             gg_graph_run(g);                              // as often as you like: allocates nothing
 *             printf("%g\n", gg_var_item(loss));
 *         }
 *         gg_graph_free(g);
 *         gg_params_free(p);
 *         gg_context_free(ctx);
 *         return s != GG_OK;
 *     }
 *
 * A gg_var is one array of a graph, row-major, of the graph's number format (GG_F32 or GG_F64) or, for indices, int32. The functions that make
 * one compute nothing: they record. Its graph owns it. What cannot be recorded (shapes that do not fit) gives NULL; NULL goes in and comes
 * out of all of them, and gg_graph_plan returns the first mistake, so that a model reads like its mathematics.
 *
 * Broadcasting is NumPy's. Axes may be negative, counted from the last. Gradients are graphs too (gg_var_gradients), so they have gradients.
 * Results do not depend on the number of threads, bit for bit: what is cut into pieces is cut by its shape alone.
 * Errors: GG_EINVAL with both shapes in the message, GG_ENOMEM, GG_ENAN with the name of the operation (gg_graph_run with check).
 */
#ifndef GOLGI_GRAD_H
#define GOLGI_GRAD_H
#include <golgi/array.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_shape {
    int n; /* dimensions, 0: a scalar */
    int64_t d[GG_MAX_DIMS];
} gg_shape;
#define GG_SHAPE(...) \
    ((gg_shape){.n = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .d = {__VA_ARGS__}})
#define GG_SCALAR ((gg_shape){.n = 0})
#define GG_ALL_AXES (~0u) /* axes are a set of bits: 1u << axis */

typedef struct gg_graph gg_graph;
typedef struct gg_var gg_var;

/* --- parameters: values and gradients, each one contiguous block, shared by any number of graphs -------------------------------------- */
typedef struct gg_params gg_params;
enum {
    GG_PARAM_NO_DECAY = 1, /* weight decay passes it by (biases, norms) */
    GG_PARAM_FROZEN = 2,
    GG_PARAM_BUFFER = 4 /* no parameter: a value that runs keep up to date (running statistics), in checkpoints but without gradient or optimiser */
};

/* dtype: GG_F32 or GG_F64. Freed after every graph that uses it. */
GG_API gg_status gg_params_create(gg_params **out, gg_context *ctx, gg_dtype dtype);
GG_API void gg_params_free(gg_params *p);
/* A new parameter, zeroed; names are unique. Only before a graph that uses p is planned. GG_EINVAL. */
GG_API gg_status gg_params_add(gg_params *p, const char *name, gg_shape shape, unsigned flags);
GG_API int gg_params_count(const gg_params *p);
GG_API int gg_params_find(const gg_params *p, const char *name); /* -1: none */
GG_API const char *gg_params_name(const gg_params *p, int i);
GG_API gg_shape gg_params_shape(const gg_params *p, int i);
GG_API unsigned gg_params_flags(const gg_params *p, int i);
/* Those whose name begins with prefix ("": all). A frozen one keeps its place in the blocks; graphs recorded later give it no gradient. */
GG_API void gg_params_set_flags(gg_params *p, const char *prefix, unsigned set, unsigned clear);
GG_API gg_dtype gg_params_dtype(const gg_params *p);
GG_API int64_t gg_params_size(const gg_params *p, int i);   /* numbers of parameter i; of all with i = -1 */
GG_API int64_t gg_params_offset(const gg_params *p, int i); /* where it begins in the blocks; each begins on 64 bytes, gaps are zero */
GG_API int64_t gg_params_extent(const gg_params *p);        /* numbers of a whole block, gaps included */
/* Parameter i, or the block with i = -1. Valid once no more is added. NULL: out of memory, told on the context. */
GG_API void *gg_params_value(gg_params *p, int i);
GG_API void *gg_params_gradient(gg_params *p, int i);
GG_API void gg_params_zero_gradient(gg_params *p);

/* --- recording ---------------------------------------------------------------------------------------------------------------------- */
typedef struct gg_graph_options {
    gg_dtype dtype;  /* GG_F32 (zero value) or GG_F64 */
    int n_threads;   /* 0: one. More only pay for large arrays */
    bool accumulate; /* gg_graph_backward adds to the parameters' gradients; else a run replaces them */
} gg_graph_options;
GG_API gg_status gg_graph_create(gg_graph **out, gg_context *ctx, const gg_graph_options *o);
GG_API void gg_graph_free(gg_graph *g);

GG_API gg_var *gg_graph_input(gg_graph *g, const char *name, gg_shape shape);
GG_API gg_var *gg_graph_index(gg_graph *g, const char *name, gg_shape shape); /* int32 */
GG_API gg_var *gg_graph_param(gg_graph *g, gg_params *p, const char *name);
GG_API gg_var *gg_graph_fill(gg_graph *g, gg_shape shape, double value);             /* a constant */
GG_API gg_var *gg_graph_constant(gg_graph *g, gg_shape shape, const double *values); /* copied */

GG_API gg_shape gg_var_shape(const gg_var *v);
GG_API int64_t gg_var_size(const gg_var *v); /* numbers */
GG_API size_t gg_var_bytes(const gg_var *v);
GG_API gg_dtype gg_var_dtype(const gg_var *v);

/* Elementwise of one. gelu: x Phi(x); gelu_tanh: the approximation. softplus: log(1 + e^x). step: x > 0. */
#define GG_UNARY_MAP(X)                                                                                                               \
    X(NEG, neg) X(ABS, abs) X(SIGN, sign) X(SQUARE, square) X(RECIPROCAL, reciprocal) X(SQRT, sqrt) X(RSQRT, rsqrt) X(EXP, exp)       \
    X(LOG, log) X(SIN, sin) X(COS, cos) X(TANH, tanh) X(SIGMOID, sigmoid) X(SOFTPLUS, softplus) X(ERF, erf) X(GELU, gelu)             \
    X(GELU_TANH, gelu_tanh) X(SILU, silu) X(RELU, relu) X(STEP, step)
/* Elementwise of two, broadcast. Comparisons give 0 or 1 and have no gradient; max and min give theirs to a where a = b. */
#define GG_BINARY_MAP(X) \
    X(ADD, add) X(SUB, sub) X(MUL, mul) X(DIV, div) X(MAX, max) X(MIN, min) X(LESS, less) X(LESS_EQUAL, less_equal) X(EQUAL, equal)
#define GG_X(code, name) GG_API gg_var *gg_var_##name(gg_var *x);
GG_UNARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) GG_API gg_var *gg_var_##name(gg_var *a, gg_var *b);
GG_BINARY_MAP(GG_X)
#undef GG_X
GG_API gg_var *gg_var_scale(gg_var *x, double factor);
GG_API gg_var *gg_var_shift(gg_var *x, double term);
GG_API gg_var *gg_var_pow(gg_var *x, double exponent);
GG_API gg_var *gg_var_clip(gg_var *x, double low, double high);      /* gradient 1 inside and at the ends, 0 outside */
GG_API gg_var *gg_var_leaky_relu(gg_var *x, double slope);           /* slope: below zero */
GG_API gg_var *gg_var_elu(gg_var *x, double alpha);                  /* alpha (e^x - 1) below zero */
GG_API gg_var *gg_var_where(gg_var *condition, gg_var *a, gg_var *b); /* a where condition is not 0 */
GG_API gg_var *gg_var_stop_gradient(gg_var *x);
GG_API gg_var *gg_var_greater(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_greater_equal(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_not_equal(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_relu6(gg_var *x); /* clip to [0, 6] */
GG_API gg_var *gg_var_selu(gg_var *x);
GG_API gg_var *gg_var_celu(gg_var *x, double alpha);
GG_API gg_var *gg_var_prelu(gg_var *x, gg_var *weight); /* weight x below zero, broadcast */
GG_API gg_var *gg_var_hard_sigmoid(gg_var *x);          /* clip(x / 6 + 1/2, 0, 1) */
GG_API gg_var *gg_var_hard_swish(gg_var *x);            /* x hard_sigmoid(x) */
GG_API gg_var *gg_var_mish(gg_var *x);                  /* x tanh(softplus(x)) */

/* Over a set of axes. Sums in a fixed order. The gradient of max is shared by equals. */
GG_API gg_var *gg_var_sum(gg_var *x, unsigned axes, bool keep);
GG_API gg_var *gg_var_mean(gg_var *x, unsigned axes, bool keep);
GG_API gg_var *gg_var_amax(gg_var *x, unsigned axes, bool keep);
GG_API gg_var *gg_var_amin(gg_var *x, unsigned axes, bool keep);
GG_API gg_var *gg_var_variance(gg_var *x, unsigned axes, bool keep, int64_t correction); /* sum (x - mean)^2 / (n - correction) */
GG_API gg_var *gg_var_argmax(gg_var *x); /* of the last axis, int32; ties to the lowest */
GG_API gg_var *gg_var_cumsum(gg_var *x, int axis);
/* 1 at the k largest of the last axis (ties to the lowest index), else 0. Straight through: its gradient is passed on to x as if it were x. A layer that
 * keeps its k largest, with their own gradient: x stop_gradient(top_k(x)). */
GG_API gg_var *gg_var_top_k(gg_var *x, int64_t k);
/* Of indices: 1 where index = value, else 0; and with another in its place (int32). */
GG_API gg_var *gg_var_index_is(gg_var *index, int64_t value);
GG_API gg_var *gg_var_index_replace(gg_var *index, int64_t value, int64_t with);

/* (..., M, K) x (..., K, N), leading axes broadcast. _nt: b is (..., N, K); _tn: a is (..., K, M). affine: x (..., K) W (N, K)^T + b (N,), as
 * PyTorch's Linear. */
GG_API gg_var *gg_var_matmul(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_matmul_nt(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_matmul_tn(gg_var *a, gg_var *b);
GG_API gg_var *gg_var_affine(gg_var *x, gg_var *weight, gg_var *bias);
GG_API gg_var *gg_var_linear(gg_var *x, gg_var *weight); /* affine without bias */

/* Shapes. One dimension of reshape may be -1. */
GG_API gg_var *gg_var_reshape(gg_var *x, gg_shape shape);
GG_API gg_var *gg_var_permute(gg_var *x, const int *axes); /* (n,) where each new axis comes from */
GG_API gg_var *gg_var_transpose(gg_var *x);                /* the last two */
GG_API gg_var *gg_var_broadcast(gg_var *x, gg_shape shape);
GG_API gg_var *gg_var_slice(gg_var *x, int axis, int64_t start, int64_t length);
GG_API gg_var *gg_var_pad(gg_var *x, int axis, int64_t before, int64_t after); /* zeros */
GG_API gg_var *gg_var_concat(gg_var *const *x, int n, int axis);
GG_API gg_var *gg_var_gather(gg_var *table, gg_var *index);                   /* table (V, ...), index (...) -> (..., ...): embedding */
GG_API gg_var *gg_var_scatter_add(gg_var *x, gg_var *index, int64_t n_rows); /* its transpose: rows of x summed to where index says */

/* Over the last axis. */
GG_API gg_var *gg_var_softmax(gg_var *x);
GG_API gg_var *gg_var_log_softmax(gg_var *x);
GG_API gg_var *gg_var_logsumexp(gg_var *x); /* (...,) */
/* -log softmax(x)[target], x (..., C), target (...) int32 -> (...); 0 where the target is `ignore`. Targets outside [0, C) fail the run. */
GG_API gg_var *gg_var_cross_entropy(gg_var *x, gg_var *target, int64_t ignore);

/* weight, bias: of the last axis. (Ba et al. 2016; Zhang & Sennrich 2019) */
GG_API gg_var *gg_var_layer_norm(gg_var *x, gg_var *weight, gg_var *bias, double eps);
GG_API gg_var *gg_var_rms_norm(gg_var *x, gg_var *weight, double eps);
/* x (N, C, ...), over all but the second axis; weight, bias, running_mean, running_var (C,), the running ones parameters with GG_PARAM_BUFFER. While the
 * graph is training (gg_graph_set_training) a run takes the batch's own mean and variance and moves the running ones towards them by `momentum` (the
 * variance unbiased, as in PyTorch); else the running ones are taken as they are. (Ioffe & Szegedy 2015) */
GG_API gg_var *gg_var_batch_norm(gg_var *x, gg_var *weight, gg_var *bias, gg_var *running_mean, gg_var *running_var, double momentum, double eps);
/* Each group of channels of each sample on its own: x (N, C, ...), weight and bias (C,). groups = C: instance norm. (Wu & He 2018) */
GG_API gg_var *gg_var_group_norm(gg_var *x, int64_t groups, gg_var *weight, gg_var *bias, double eps);

/* Each by axis (H, W); of conv1d the first. Zero reads as 1, but for padding: 0. */
typedef struct gg_conv_options {
    int64_t stride[2], padding[2], dilation[2], groups;
    int64_t output_padding[2]; /* of the transposed */
    bool causal;               /* conv1d: padded before only, by what makes y as long as x at stride 1 */
} gg_conv_options;
/* Cross-correlation: x (N, C, H, W), w (O, C / groups, kh, kw) -> (N, O, H', W'). conv1d: x (N, C, T), w (O, C / groups, k). Transposed: x (N, C, H, W),
 * w (C, O / groups, kh, kw), the gradient of conv2d with respect to its input. A bias is an addition of (O, 1, 1). options may be NULL. */
GG_API gg_var *gg_var_conv2d(gg_var *x, gg_var *w, const gg_conv_options *options);
GG_API gg_var *gg_var_conv1d(gg_var *x, gg_var *w, const gg_conv_options *options);
GG_API gg_var *gg_var_conv_transpose2d(gg_var *x, gg_var *w, const gg_conv_options *options);
GG_API gg_var *gg_var_conv_transpose1d(gg_var *x, gg_var *w, const gg_conv_options *options); /* x (N, C, T), w (C, O / groups, k) */
typedef struct gg_pool_options {
    int64_t size[2], stride[2], padding[2]; /* stride 0: the size. Padding at most half the size */
    bool count_padding;                     /* avg: padding counts as zeros (torch's default does) */
} gg_pool_options;
/* Over the last two axes. The gradient of max goes to the first largest of a window. */
GG_API gg_var *gg_var_max_pool2d(gg_var *x, const gg_pool_options *options);
GG_API gg_var *gg_var_avg_pool2d(gg_var *x, const gg_pool_options *options);
GG_API gg_var *gg_var_max_pool1d(gg_var *x, const gg_pool_options *options); /* over the last; the first of each pair of options */
GG_API gg_var *gg_var_avg_pool1d(gg_var *x, const gg_pool_options *options);
/* To a given size, over windows [floor(i h / height), ceil((i + 1) h / height)). (1, 1): over everything. */
GG_API gg_var *gg_var_adaptive_avg_pool2d(gg_var *x, int64_t height, int64_t width);
GG_API gg_var *gg_var_adaptive_max_pool2d(gg_var *x, int64_t height, int64_t width);
GG_API gg_var *gg_var_adaptive_avg_pool1d(gg_var *x, int64_t n);
GG_API gg_var *gg_var_adaptive_max_pool1d(gg_var *x, int64_t n);

typedef struct gg_attention_options {
    bool causal;
    int64_t window;   /* causal only: keys a query sees, its own included; 0: all before it */
    double scale;     /* 0: 1 / sqrt(d) */
    gg_var *key_mask; /* (B, S), 0: nobody sees this key; NULL: none */
} gg_attention_options;
/* q (B, T, H, d), k and v (B, S, K, d) with K a divisor of H (grouped heads) -> (B, T, H, d). Causal: query i sees keys up to i + S - T. Memory is
 * linear in T. options may be NULL. */
GG_API gg_var *gg_var_attention(gg_var *q, gg_var *k, gg_var *v, const gg_attention_options *options);
/* Rotary positions, half-split pairs: x (B, T, heads, d), the first n_rot of d rotate (0: all), positions first, first + 1, ... */
GG_API gg_var *gg_var_rope(gg_var *x, double base, int64_t n_rot, int64_t first);
/* Zeroes each number with probability p while the graph is training (gg_graph_set_training), scaling the rest by 1 / (1 - p). */
GG_API gg_var *gg_var_dropout(gg_var *x, double p);

/* Gates of recurrent cells, in PyTorch's order. LSTM: a (B, 4 H) the sums of i, f, g, o before their functions, c (B, H) -> the new c; hidden: a and the
 * new c -> h. GRU: x, y (B, 3 H) the sums of r, z, n from input and state, h (B, H) -> the new h. */
GG_API gg_var *gg_var_lstm_cell(gg_var *a, gg_var *c);
GG_API gg_var *gg_var_lstm_hidden(gg_var *a, gg_var *c);
GG_API gg_var *gg_var_gru_cell(gg_var *x, gg_var *y, gg_var *h);

/* --- one's own operations, and less memory ------------------------------------------------------------------------------------------------- */
/* An operation of one's own. run: fills y (its gg_var_data, gg_var_shape) from in, of the graph's number format; called in a run, on one thread; what it
 * returns ends the run unless GG_OK. gradient: records d_in[i], what flows to in[i] when d flows to y, from operations or customs; NULL
 * entries: nothing. With NULL for gradient nothing flows back. Copied; user outlives the graph. */
typedef struct gg_custom {
    const char *name; /* for messages */
    gg_status (*run)(void *user, gg_var *y, gg_var *const *in, int n_in);
    void (*gradient)(void *user, gg_var **d_in, gg_var *const *in, int n_in, gg_var *y, gg_var *d);
    void *user;
} gg_custom;
GG_API gg_var *gg_var_custom(gg_graph *g, gg_shape shape, gg_var *const *in, int n_in, const gg_custom *op);
/* y, with all that lies between `from` (n) and y not kept for gradients but computed again on the way back: the same numbers, bit for bit, for less memory
 * (gg_graph_arena_bytes) and one more forward pass of that segment. Use the result in place of y; from is what the segment reads of earlier ones (leaves
 * need no mention). No loops over time inside. */
GG_API gg_var *gg_var_checkpoint(gg_var *y, gg_var *const *from, int n);

/* --- loops over time ---------------------------------------------------------------------------------------------------------------------- */
/* Records one step in `body`, a graph of its own: next[i] (n_carry) from carry and in, out (n_out) what it gives at this time. Values of the graph
 * around it come in through gg_graph_capture, parameters through gg_graph_param(body, ...). Failing returns are told by gg_graph_plan. */
typedef gg_status (*gg_scan_step)(void *user, gg_graph *body, gg_var **next, gg_var **out, gg_var *const *carry, gg_var *const *in);
GG_API gg_var *gg_graph_capture(gg_graph *body, gg_var *outer);
/* Runs the step for t in [0, T), nothing unrolled: in[i] (T, ...) is read slice by slice, out[i] (T, ...) stacked, last[i] the carry after the
 * last step. Gradients flow back through time (BPTT); truncate > 0: not across times that are a multiple of it. First derivatives only. */
GG_API gg_status gg_var_scan(gg_var **last, gg_var **out, gg_graph *g, gg_scan_step step, void *user, gg_var *const *carry, int n_carry,
                             gg_var *const *in, int n_in, int n_out, int64_t truncate);

/* --- gradients ------------------------------------------------------------------------------------------------------------------------ */
/* out[i] = d y / d wrt[i], weighted by dy (shape of y; NULL: ones); zeros where y does not depend on it. */
GG_API gg_status gg_var_gradients(gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n);
/* d loss / d parameter for every parameter of the graph that is not frozen, into gg_params_gradient. loss: a scalar. */
GG_API gg_status gg_graph_backward(gg_var *loss);

/* H v: out[i] = sum over j of d2 y / (d wrt[i] d wrt[j]) v[j], v[j] of the shape of wrt[j]. y: a scalar. (Pearlmutter 1994) */
GG_API gg_status gg_var_hessian_vector(gg_var **out, gg_var *y, gg_var *const *v, gg_var *const *wrt, int n);
/* (n, shape of x): d y[rows[k]] / d x, y counted flat. rows NULL: all of y in order. A row costs a pass back. */
GG_API gg_var *gg_var_jacobian_rows(gg_var *y, gg_var *x, const int64_t *rows, int64_t n);
/* Gradients of each sample's own loss: out[i] (B, shape of wrt[i]), *losses (B,) (losses may be NULL). `loss` records the loss of one sample, a scalar, in
 * `body` from the slices in[i] of in (B, ...); parameters come in through gg_graph_param(body, ...) or a layer (gg_nn with body for its graph), other
 * values through gg_graph_capture. wrt: of g. One sample's pass is recorded and run B times; no loops over time inside. */
typedef gg_var *(*gg_sample_loss)(void *user, gg_graph *body, gg_var *const *in, int n_in);
GG_API gg_status gg_var_per_sample_gradients(gg_var **out, gg_var **losses, gg_graph *g, gg_sample_loss loss, void *user, gg_var *const *in, int n_in,
                                             gg_var *const *wrt, int n);

/* --- replaying -------------------------------------------------------------------------------------------------------------------------- */
/* Lays out memory so that what is never alive together shares it; the values of keep (n) can be read after a run, as can inputs. The first mistake
 * of the recording comes back here. Nothing may be recorded afterwards. */
GG_API gg_status gg_graph_plan(gg_graph *g, gg_var *const *keep, int n);
GG_API gg_status gg_graph_run(gg_graph *g);
/* The same, looking at every result: GG_ENAN names the operation and its shape. */
GG_API gg_status gg_graph_run_checked(gg_graph *g);
/* training: dropout draws, from seed and the number of the run. A new graph is not training. */
GG_API void gg_graph_set_training(gg_graph *g, bool training, uint64_t seed);
GG_API void *gg_var_data(gg_var *v);      /* inputs and constants always, others after planning when kept */
GG_API double gg_var_item(const gg_var *v); /* of a scalar that was kept */
GG_API size_t gg_graph_arena_bytes(const gg_graph *g);
GG_API int gg_graph_nodes(const gg_graph *g); /* that a run computes */

/* --- variable length: graphs by shape --------------------------------------------------------------------------------------------------- */
/* Records the graph for a shape (what it means is the caller's: batch and length, say), with var[] (n_vars) the inputs to fill and the results to read,
 * all of which are kept. Called once a shape. */
typedef gg_status (*gg_plans_record)(void *user, gg_graph *g, gg_shape shape, gg_var **var);
typedef struct gg_plans gg_plans;
/* Keeps the graphs of the last `capacity` shapes that came. They share their parameters. user and ctx outlive it; freed by gg_plans_free. */
GG_API gg_status gg_plans_create(gg_plans **out, gg_context *ctx, const gg_graph_options *o, int capacity, int n_vars, gg_plans_record record, void *user);
GG_API void gg_plans_free(gg_plans *p);
/* The graph for a shape, recorded and planned if it is not there; *g and *var belong to p and live until `capacity` other shapes have come. A graph counts
 * its own runs, so training with dropout gives each step its seed: gg_graph_set_training(*g, true, step). */
GG_API gg_status gg_plans_get(gg_graph **g, gg_var *const **var, gg_plans *p, gg_shape shape);
GG_API int64_t gg_plans_recorded(const gg_plans *p); /* how often one had to be */

/* Largest relative error of the gradients of a scalar with respect to inputs and parameters, against central differences: for tests. GG_F64 graphs,
 * planned with loss and gradients kept. wrt: inputs or parameters; d: their gradients. */
GG_API gg_status gg_graph_check(double *worst, gg_graph *g, gg_var *loss, gg_var *const *wrt, gg_var *const *d, int n, double step);

#ifdef __cplusplus
}
#endif
#endif
