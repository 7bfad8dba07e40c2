/* The inside of the graph: nodes, operations, kernels. For the files of src/grad.
 *
 * A node is recorded by gg__node_new with its operation, inputs and attributes; the operation says how it is computed (a kernel, on
 * the loops of the graph's number format: loops.h) and what its gradient is (a function that records more nodes). Nodes are numbered as they are
 * recorded, so every input has a smaller number than its user.
 */
#ifndef GG_GRAD_GRAPH_H
#define GG_GRAD_GRAPH_H
#include <golgi/grad.h>
#include "base/memory.h"
#include "base/team.h"
#include "grad/loops.h"

typedef enum gg__op {
    GG__OP_INPUT, GG__OP_PARAM, GG__OP_CONSTANT, /* leaves: their storage is not the arena's */
#define GG_X(code, name) GG__OP_##code,
    GG_UNARY_MAP(GG_X) GG_BINARY_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) GG__OP_##code,
    GG__UNARY_F_MAP(GG_X) GG__BINARY_F_MAP(GG_X)
#undef GG_X
    GG__OP_WHERE,
    GG__OP_ALIAS, /* reshape, stop_gradient: the input's storage under another shape */
    GG__OP_SUM, GG__OP_AMAX, GG__OP_ARGMAX, GG__OP_CUMSUM, GG__OP_TOP_K, GG__OP_INDEX_IS, GG__OP_INDEX_REPLACE,
    GG__OP_MATMUL,
    GG__OP_PERMUTE, GG__OP_BROADCAST, GG__OP_SLICE, /* strided reads */
    GG__OP_PAD, GG__OP_CONCAT, GG__OP_GATHER, GG__OP_SCATTER_ADD,
    GG__OP_SOFTMAX, GG__OP_SOFTMAX_GRAD, GG__OP_LOG_SOFTMAX, GG__OP_LOG_SOFTMAX_GRAD, GG__OP_LOGSUMEXP, GG__OP_CROSS_ENTROPY, GG__OP_CROSS_ENTROPY_GRAD,
    GG__OP_NORM, GG__OP_NORM_DX, GG__OP_NORM_DW, GG__OP_ATTENTION, GG__OP_ATTENTION_GRAD, GG__OP_ROPE, GG__OP_DROPOUT,
    GG__OP_CONV, GG__OP_CONV_DX, GG__OP_CONV_DW, GG__OP_MAX_POOL, GG__OP_MAX_POOL_GRAD, GG__OP_MAX_POOL_PICK, GG__OP_AVG_POOL, GG__OP_AVG_POOL_GRAD,
    GG__OP_LSTM_GATES, GG__OP_LSTM_GATES_DA, GG__OP_LSTM_CELL, GG__OP_LSTM_CELL_DS, GG__OP_LSTM_CELL_DC,
    GG__OP_LSTM_HIDDEN, GG__OP_LSTM_HIDDEN_DS, GG__OP_LSTM_HIDDEN_DT, GG__OP_LSTM_DA,
    GG__OP_GRU_CELL, GG__OP_GRU_CELL_DX, GG__OP_GRU_CELL_DY, GG__OP_GRU_CELL_DH,
    GG__OP_SCAN, GG__OP_SCAN_GRAD, GG__OP_SCAN_OUT, /* scan.c */
    GG__OP_TRAINING, GG__OP_BATCH_STATS, GG__OP_BATCH_NORM, GG__OP_BATCH_NORM_SUMS, GG__OP_BATCH_NORM_DX, /* batchnorm.c */
    GG__OP_CUSTOM,
    GG__OP_CHECKPOINT, /* an alias with more inputs: checkpoint.c */
    GG__OP_STORE, /* of a gradient to its parameter's place */
    GG__OPS
} gg__op;

enum { GG__MAX_ATTRIBUTES = 4 };

struct gg_var {
    gg_graph *g;
    int32_t id;
    gg__op op;
    gg_dtype dtype;
    gg_shape shape;
    int64_t n; /* numbers */
    int n_in;
    gg_var **in;
    double f[GG__MAX_ATTRIBUTES];
    int64_t i[GG__MAX_ATTRIBUTES];
    gg__loop1 loop1;   /* of elementwise operations */
    gg__loop2 loop2;
    void *plan;        /* the operation's own, made while recording, in the graph's arena */
    void *parts;       /* sums of fixed parts of its work */
    size_t scratch_bytes; /* that its kernel needs for each worker */
    bool no_gradient;  /* what comes in does not go back (stop_gradient) */
    const char *name;  /* of inputs, parameters and custom operations */
    gg_params *params; /* of parameters and stores */
    int param;
    gg_var *outer;     /* in the body of a loop: whose value this leaf is, in the graph around it */
    /* after planning */
    gg_status (*run)(gg_var *v);
    void *data;
    int32_t root;         /* the node whose storage it has */
    bool used, kept;
    bool taped, deferred; /* in the body of a loop: its storage is given step by step; it is computed behind the loop */
};

struct gg_graph {
    gg_context *ctx;
    gg_dtype dtype;
    bool accumulate, planned;
    gg_arena arena;       /* nodes, shapes, attributes */
    gg_var **node;        /* (n,) */
    int32_t n;
    int64_t cap;
    gg_status status;     /* the first mistake */
    char *message;
    gg_team *team;
    gg_graph *outer;      /* of the body of a loop: the graph around it, whose team this is; else NULL */
    const gg__loops *loops;
    void *memory;         /* of the values */
    size_t memory_bytes;
    char *scratch;        /* (threads, scratch_bytes) */
    size_t scratch_bytes; /* a worker */
    gg_var **step;        /* (n_steps,) in order */
    int n_steps;
    uint64_t n_runs, seed;
    int64_t n_draws;      /* dropouts recorded: each draws its own numbers */
    int64_t part_first, part_n; /* this graph runs rows part_first .. of a larger batch, part_n of them; 0, 0: a whole one */
    bool training;
};

/* The batch of this graph is a part of a larger one: dropout draws what the whole would draw there. */
void gg__graph_set_part(gg_graph *g, int64_t first, int64_t n);

/* What an operation is. kernel NULL: nothing is computed. gradient: d_in[i] = what flows to input i when d
 * flows to v, only where wanted[i]; NULL entries mean none; a NULL function: no gradient at all. */
typedef struct gg__operation {
    const char *name;
    bool elementwise; /* may write over an input of its own size that nobody needs any more */
    gg_status (*kernel)(gg_var *v);
    void (*gradient)(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d);
    gg_var *(*composite)(gg_var *v); /* v again, from its inputs and simpler operations: gg__gradient_composite goes through it */
} gg__operation;
const gg__operation *gg__operation_of(gg__op op);

/* --- numbers of a node: bytes of one, and one by its place */
static inline int64_t gg__width(const gg_var *v) { return v->dtype == GG_F64 ? 8 : 4; }
static inline double gg__number(const gg_var *v, int64_t i) { return v->dtype == GG_F64 ? ((const double *)v->data)[i] : (double)((const float *)v->data)[i]; }
static inline void gg__put(gg_var *v, int64_t i, double x)
{
    if (v->dtype == GG_F64)
        ((double *)v->data)[i] = x;
    else
        ((float *)v->data)[i] = (float)x;
}

/* --- recording (graph.c) */
/* NULL when an input is NULL, after a mistake, or for want of memory. n_in inputs follow as a table. */
gg_var *gg__node_new(gg_graph *g, gg__op op, gg_dtype dtype, gg_shape shape, gg_var *const *in, int n_in);
#define gg__node(g, op, shape, ...)                                                                  \
    gg__node_new(g, op, (g)->dtype, shape, (gg_var *const[]){__VA_ARGS__}, (int)(sizeof((gg_var *const[]){__VA_ARGS__}) / sizeof(gg_var *)))
/* Remembers the first mistake; returns NULL. */
gg_var *gg__mistake(gg_graph *g, gg_status s, const char *format, ...) GG_PRINTF(3, 4);
/* Memory that lives with the graph; NULL remembers the want. */
void *gg__graph_alloc(gg_graph *g, size_t bytes);
/* "(32, 784)" in a ring of buffers of the caller's graph message. */
typedef struct gg__shape_text {
    char text[128];
} gg__shape_text;
gg__shape_text gg__shape_say(gg_shape s);
#define SHAPE_TEXT(v) gg__shape_say((v)->shape).text

/* The body of a loop in g, with its team. */
gg_status gg__graph_create_inner(gg_graph **out, gg_graph *outer);

/* --- shapes */
int64_t gg__shape_size(gg_shape s); /* -1: negative dimension or overflow */
bool gg__shape_equal(gg_shape a, gg_shape b);
bool gg__shape_broadcast(gg_shape *out, gg_shape a, gg_shape b); /* false: they do not fit */
int gg__axis(const gg_var *v, int axis);                         /* counted from the end when negative; -1 and a mistake when outside */
gg_var *gg__sum_to(gg_var *x, gg_shape shape);                   /* the transpose of broadcasting */
gg_var *gg__zeros_like(gg_var *v);
gg_var *gg__linear_onto(gg_var *x, gg_var *weight, gg_var *c); /* (B, K) (N, K)^T + c (B, N) */

/* --- strided walks: up to three arrays read and one written, dimensions merged where that is possible */
typedef struct gg__walk {
    int n;                             /* dimensions, at least 1; the last is the inner loop */
    int64_t size[GG_MAX_DIMS];
    int64_t stride[3][GG_MAX_DIMS];    /* of the inputs, in numbers; the output is contiguous */
    int64_t rows;                      /* product of all sizes but the last */
} gg__walk;
void gg__walk_broadcast(gg__walk *w, gg_shape out, gg_var *const *in, int n_in);
/* sizes and strides as given, neighbours merged */
void gg__walk_merge(gg__walk *w, int n_dims, const int64_t *size, int64_t stride[3][GG_MAX_DIMS]);

/* Like gg_var_gradients, with NULL where y does not depend on wrt[i]. */
gg_status gg__gradients(gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n);
/* The same through the nodes from number `floor` on alone: what was there before is taken as independent. */
gg_status gg__gradients_above(int32_t floor, gg_var **out, gg_var *y, gg_var *dy, gg_var *const *wrt, int n);
/* of sum_k dy[k] . y[k] */
gg_status gg__gradients_of(gg_var **out, gg_var *const *y, gg_var *const *dy, int n_y, gg_var *const *wrt, int n);

/* --- planning: the two halves of gg_graph_plan. Between them storage is known (root) and may be taken out of the plan (taped). */
gg_status gg__plan_begin(gg_graph *g, gg_var *const *keep, int n);
gg_status gg__plan_end(gg_graph *g);
gg_status gg__scan_plan(gg_var *v);
void gg__scan_release(gg_var *v);
gg_graph *gg__scan_body(const gg_var *v);
int gg__scan_parts(const gg_var *v); /* among which the rows of a batch are shared; 1: they are not */
/* d: (nodes,) what flows to each. Does anything flow to the results of this loop? */
bool gg__scan_flows(const gg_var *v, gg_var *const *d);
void gg__gradient_scan(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *const *d);

/* --- running */
/* Pieces of [0, n): as many as pay at `cost` numbers touched for each, by n and cost alone. body(v, first, last, worker). */
typedef void (*gg__range)(gg_var *v, int64_t first, int64_t last, int worker);
void gg__split(gg_var *v, int64_t n, int64_t cost, gg__range body);
/* Where rows [first, last) of axis 0 of the result need only the same rows of those inputs that follow the batch, and all of the others: computes them.
 * NULL for other operations. */
gg__range gg__rows_of(gg__op op);
void gg__rows_unary(gg_var *v, int64_t first, int64_t last, int worker);
void gg__rows_binary(gg_var *v, int64_t first, int64_t last, int worker);
void gg__rows_where(gg_var *v, int64_t first, int64_t last, int worker);
void gg__rows_matmul(gg_var *v, int64_t first, int64_t last, int worker);
void gg__rows_cell(gg_var *v, int64_t first, int64_t last, int worker);
/* The product d, a MATMUL without a batch, of these A and B with K terms into C, by all threads of v's graph; gg_gemm_scratch bytes of scratch each. */
void gg__matmul_of(gg_var *v, const gg_var *d, void *C, const void *A, const void *B, int64_t K);
/* y: (n,) = the sum of contiguous rows x: (rows, n), in an order of its own. */
void gg__sum_rows(gg_var *v, void *y, const void *x, int64_t rows, int64_t n);
/* A MATMUL whose right side stays the same over many runs: room for it in the order of the product (false: no memory), and putting it there. */
bool gg__matmul_pack_plan(gg_var *v);
void gg__matmul_pack(gg_var *v);
static inline void *gg__scratch(const gg_var *v, int worker) { return v->g->scratch + (size_t)worker * v->g->scratch_bytes; }
void *gg__param_place(gg_var *v, bool gradient);

/* How a parameter begins: kept here for the layers (nn), which say what the kinds mean. False: it was added without. */
void gg__params_set_init(gg_params *p, int i, int kind, double bound);
bool gg__params_init_of(const gg_params *p, int i, int *kind, double *bound);

/* --- kernels and gradient rules, a file a kind of operation; operations.c lists them */
#define GG__KERNEL(name) gg_status gg__run_##name(gg_var *v)
#define GG__GRADIENT(name) void gg__gradient_##name(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
GG__KERNEL(unary); GG__GRADIENT(unary);
GG__KERNEL(binary); GG__GRADIENT(binary);
GG__GRADIENT(slope);
GG__KERNEL(where); GG__GRADIENT(where);
GG__GRADIENT(alias);
GG__KERNEL(sum); GG__GRADIENT(sum);
GG__KERNEL(amax); GG__GRADIENT(amax);
GG__KERNEL(argmax);
GG__KERNEL(matmul); GG__GRADIENT(matmul);
GG__KERNEL(strided); GG__GRADIENT(permute); GG__GRADIENT(broadcast); GG__GRADIENT(slice);
GG__KERNEL(pad); GG__GRADIENT(pad);
GG__KERNEL(concat); GG__GRADIENT(concat);
GG__KERNEL(gather); GG__GRADIENT(gather);
GG__KERNEL(scatter_add); GG__GRADIENT(scatter_add);
GG__KERNEL(softmax); GG__GRADIENT(softmax);
GG__KERNEL(softmax_grad); GG__GRADIENT(softmax_grad);
GG__GRADIENT(log_softmax); GG__GRADIENT(log_softmax_grad);
GG__KERNEL(logsumexp); GG__GRADIENT(logsumexp);
GG__KERNEL(cross_entropy); GG__GRADIENT(cross_entropy);
GG__KERNEL(cross_entropy_grad); GG__GRADIENT(cross_entropy_grad);
GG__KERNEL(store);
GG__KERNEL(norm); GG__GRADIENT(norm);
GG__KERNEL(norm_dx); gg_var *gg__composite_norm_dx(gg_var *v);
GG__KERNEL(norm_dw); gg_var *gg__composite_norm_dw(gg_var *v);
GG__KERNEL(attention); GG__GRADIENT(attention);
GG__KERNEL(attention_grad); gg_var *gg__composite_attention_grad(gg_var *v);
GG__KERNEL(rope); GG__GRADIENT(rope);
GG__KERNEL(dropout); GG__GRADIENT(dropout);
GG__KERNEL(conv); GG__GRADIENT(conv);
GG__KERNEL(conv_dx); GG__GRADIENT(conv_dx);
GG__KERNEL(conv_dw); GG__GRADIENT(conv_dw);
GG__KERNEL(pool); GG__GRADIENT(max_pool); GG__GRADIENT(max_pool_grad); GG__GRADIENT(max_pool_pick); GG__GRADIENT(avg_pool); GG__GRADIENT(avg_pool_grad);
GG__KERNEL(cell); GG__GRADIENT(lstm_gates); GG__GRADIENT(lstm_cell); GG__GRADIENT(lstm_hidden); GG__GRADIENT(gru_cell); gg_var *gg__composite_cell(gg_var *v);
GG__GRADIENT(composite);
GG__KERNEL(cumsum); GG__GRADIENT(cumsum);
GG__KERNEL(top_k); GG__GRADIENT(top_k);
GG__KERNEL(index);
GG__KERNEL(training);
GG__KERNEL(batch_stats);
GG__KERNEL(batch_norm); GG__GRADIENT(batch_norm);
GG__KERNEL(batch_norm_sums); gg_var *gg__composite_batch_norm_sums(gg_var *v);
GG__KERNEL(batch_norm_dx); gg_var *gg__composite_batch_norm_dx(gg_var *v);
GG__KERNEL(custom); GG__GRADIENT(custom);
GG__GRADIENT(checkpoint);
GG__KERNEL(scan);
GG__KERNEL(scan_grad);
GG__GRADIENT(scan_out);
GG__KERNEL(nothing); GG__GRADIENT(nothing);
#endif
