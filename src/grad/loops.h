/* The inner loops of the operations, over contiguous or strided numbers. loops_body.h is compiled for each number format and instruction set
 * (loops_plain.c, loops_avx2.c, loops_avx512.c). Arrays are of the table's format; y may be x (or a). f: the operation's attributes. */
#ifndef GG_GRAD_LOOPS_H
#define GG_GRAD_LOOPS_H
#include <golgi/grad.h>
#include "math/gemm.h"

/* with attributes, and gradients: name */
#define GG__UNARY_F_MAP(X) X(SCALE, scale) X(SHIFT, shift) X(POW, pow) X(CLIP, clip) X(LEAKY_RELU, leaky_relu) X(ELU, elu)
/* d times the derivative at the second: of tanh and sigmoid at their result, of the others at their argument */
#define GG__BINARY_F_MAP(X)                                                                                                               \
    X(TANH_GRAD, tanh_grad) X(SIGMOID_GRAD, sigmoid_grad) X(GELU_GRAD, gelu_grad) X(GELU_TANH_GRAD, gelu_tanh_grad) X(SILU_GRAD, silu_grad) \
    X(RELU_GRAD, relu_grad) X(CLIP_GRAD, clip_grad) X(LEAKY_RELU_GRAD, leaky_relu_grad) X(ELU_GRAD, elu_grad)

typedef void (*gg__loop1)(void *y, const void *x, int64_t n, const double *f);
/* strides of a and b in numbers: 0, 1 or any */
typedef void (*gg__loop2)(void *y, const void *a, int64_t sa, const void *b, int64_t sb, int64_t n, const double *f);

/* One step of an optimiser: values w, gradients g, state a, b, c (as many as it has), numbers of the step in p. */
typedef void (*gg__update)(void *w, const void *g, void *a, void *b, void *c, int64_t n, const double *p);

typedef void (*gg__cell)(void *y, const void *a, const void *b, const void *c, const void *d, const void *e, int64_t n);

typedef struct gg__loops {
#define GG_X(code, name) gg__loop1 name;
    GG_UNARY_MAP(GG_X) GG__UNARY_F_MAP(GG_X)
#undef GG_X
#define GG_X(code, name) gg__loop2 name;
    GG_BINARY_MAP(GG_X) GG__BINARY_F_MAP(GG_X)
#undef GG_X
    void (*where)(void *y, const void *c, int64_t sc, const void *a, int64_t sa, const void *b, int64_t sb, int64_t n);
    void (*copy)(void *y, const void *x, int64_t sx, int64_t n);
    void (*fill)(void *y, double value, int64_t n);
    double (*sum)(const void *x, int64_t n);
    double (*sum_squares)(const void *x, int64_t n);
    double (*amax)(const void *x, int64_t n);
    void (*add_to)(void *y, const void *x, int64_t n);   /* y += x */
    void (*add_rows)(void *y, const void *x, int64_t ldx, int64_t rows, int64_t n); /* y += their sum, summed in rising order first */
    void (*add_strided)(void *y, int64_t sy, const void *x, int64_t n);
    void (*max_to)(void *y, const void *x, int64_t n);   /* y = max(y, x) */
    int64_t (*argmax)(const void *x, int64_t n);
    void (*softmax)(void *y, const void *x, int64_t n);
    void (*softmax_grad)(void *dx, const void *d, const void *y, int64_t n);     /* y (d - sum d y) */
    void (*log_softmax)(void *y, const void *x, int64_t n);
    void (*log_softmax_grad)(void *dx, const void *d, const void *y, int64_t n); /* d - e^y sum d */
    double (*logsumexp)(const void *x, int64_t n);
    void (*cross_entropy_grad)(void *dx, double d, const void *x, int64_t target, int64_t n); /* d (softmax x - one at target) */
    void (*gemm)(void *C, int64_t ldc, const void *A, gg_strides a, const void *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add, void *scratch);
    void (*gemm_from)(void *C, int64_t ldc, const void *from, int64_t ldf, const void *A, gg_strides a, const void *B, gg_strides b, const void *packed,
                      int64_t M, int64_t N, int64_t K, void *scratch);
    void (*gemm_pack)(void *to, const void *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last);
    void (*gemm_shifts)(void *C, int64_t ldc, const void *A, gg_strides a, const void *X, const int64_t *at, int64_t M, int64_t N, int64_t K);
    void (*gemm_shifts_over)(void *C, int64_t ldc, const void *X, const int64_t *at, int64_t below, const void *D, int64_t height, int64_t width, int64_t M,
                             int64_t N, void *panel);
    void (*turn)(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t M, int64_t N);
    void (*copy_lines)(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t rows, int64_t n);
    void (*dots)(void *y, const void *B, int64_t ldb, const void *x, const void *bias, int64_t N, int64_t K);
    /* rows of norm.c and attention.c; layer: subtract the mean */
    void (*norm)(void *y, const void *x, const void *w, const void *b, int64_t n, double eps, bool layer);
    void (*norm_dx)(void *dx, const void *x, const void *w, const void *d, int64_t n, double eps, bool layer);
    void (*norm_dw)(void *dw, const void *x, const void *d, int64_t n, double eps, bool layer); /* dw += */
    void (*attention_ds)(void *dp, const void *p, int64_t n, const void *d, const void *o, int64_t width, double scale); /* dp = scale p (dp - d . o) */
    void (*rotate)(void *y, const void *x, const double *c, const double *s, double sign, int64_t half, int64_t n);
    /* a row of cell.c, n numbers of state; arguments in the order of the operation's inputs */
    gg__cell lstm_gates, lstm_gates_da, lstm_cell, lstm_cell_ds, lstm_cell_dc, lstm_hidden, lstm_hidden_ds, lstm_hidden_dt, lstm_da, gru_cell, gru_cell_dx,
        gru_cell_dy, gru_cell_dh;
    /* of pool.c, over outputs i: where x[i stride] is larger (or NaN), best = it and, unless index is NULL, index = at + i stride */
    void (*larger)(void *best, int32_t *index, const void *x, int64_t stride, int64_t at, int64_t n);
    /* n windows of 2 x 2 side by side, rows of x `below` numbers apart: y the largest of each; dx = d at the place of the first largest, else 0 */
    void (*halve)(void *y, const void *x, int64_t below, int64_t n);
    void (*halve_grad)(void *dx, const void *x, const void *d, int64_t below, int64_t n);
    bool (*all_finite)(const void *x, int64_t n);
    gg__update sgd_plain, sgd, adam, rmsprop, adagrad, rprop;
} gg__loops;

/* isa: as in math/kernels_isa.h; NULL where this processor does not have it. f64: of GG_F64, else of GG_F32. */
const gg__loops *gg__loops_of(int isa, bool f64);
const gg__loops *gg__loops_best(bool f64);
#endif
