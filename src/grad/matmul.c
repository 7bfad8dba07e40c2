/* Matrix products: one operation, (batch) op(A) op(B) [+ bias], with op the transposition or nothing.
 *
 *     C = A B      dA = dC B^T    dB = A^T dC          C = A^T B    dA = B dC^T    dB = A dC
 *     C = A B^T    dA = dC B      dB = dC^T A          C = A^T B^T  dA = B^T dC^T  dB = dC^T A^T
 * A weight under a batch is multiplied once, with the rows of the whole batch: A is flattened to two axes first.
 */
#include "grad/graph.h"

typedef struct product {
    int64_t M, N, K, batch;
    gg__walk walk; /* over the batch: where the matrices of A and B begin */
    gg_strides a, b;
} product;

static gg_var *flattened(gg_var *x, int64_t columns) { return gg_var_reshape(x, GG_SHAPE(x->n / (columns ? columns : 1), columns)); }

static gg_var *product_of(gg_var *a, gg_var *b, bool ta, bool tb, gg_var *bias)
{
    if (!a || !b)
        return NULL;
    gg_graph *g = a->g;
    const int na = a->shape.n, nb = b->shape.n;
    if (na < 2 || nb < 2 || a->dtype == GG_I32 || b->dtype == GG_I32)
        return gg__mistake(g, GG_EINVAL, "matmul of %s and %s: both need at least two axes of numbers", SHAPE_TEXT(a), SHAPE_TEXT(b));
    const int64_t ra = a->shape.d[na - 2], ca = a->shape.d[na - 1], rb = b->shape.d[nb - 2], cb = b->shape.d[nb - 1];
    product p = {.M = ta ? ca : ra, .K = ta ? ra : ca, .N = tb ? rb : cb, .batch = 1, .a = ta ? (gg_strides){1, ca} : (gg_strides){ca, 1},
                 .b = tb ? (gg_strides){1, cb} : (gg_strides){cb, 1}};
    if (p.K != (tb ? cb : rb))
        return gg__mistake(g, GG_EINVAL, "matmul: %s%s x %s%s: the inner lengths %lld and %lld differ", SHAPE_TEXT(a), ta ? "^T" : "", SHAPE_TEXT(b), tb ? "^T" : "",
                           (long long)p.K, (long long)(tb ? cb : rb));
    if (na > 2 && nb == 2 && !ta) {
        gg_var *flat = product_of(flattened(a, ca), b, ta, tb, bias);
        gg_shape s = a->shape;
        s.d[s.n - 1] = p.N;
        return gg_var_reshape(flat, s);
    }
    gg_shape batch_a = a->shape, batch_b = b->shape, s;
    batch_a.n -= 2;
    batch_b.n -= 2;
    if (!gg__shape_broadcast(&s, batch_a, batch_b))
        return gg__mistake(g, GG_EINVAL, "matmul: the leading axes of %s and %s do not fit together", SHAPE_TEXT(a), SHAPE_TEXT(b));
    int64_t stride[3][GG_MAX_DIMS] = {0}, step[2] = {ra * ca, rb * cb};
    for (int i = 1; i <= s.n; i++) {
        const gg_shape *of[2] = {&batch_a, &batch_b};
        for (int k = 0; k < 2; k++) {
            const int64_t size = i <= of[k]->n ? of[k]->d[of[k]->n - i] : 1;
            stride[k][s.n - i] = size == 1 ? 0 : step[k];
            step[k] *= size;
        }
        p.batch *= s.d[s.n - i];
    }
    gg__walk_merge(&p.walk, s.n, s.d, stride);
    s.d[s.n++] = p.M;
    s.d[s.n++] = p.N;
    gg_var *v = bias ? gg__node(g, GG__OP_MATMUL, s, a, b, bias) : gg__node(g, GG__OP_MATMUL, s, a, b);
    if (!v || !(v->plan = gg__graph_alloc(g, sizeof p)))
        return NULL;
    memcpy(v->plan, &p, sizeof p);
    v->i[0] = ta;
    v->i[1] = tb;
    v->scratch_bytes = gg_gemm_scratch();
    return v;
}

gg_var *gg_var_matmul(gg_var *a, gg_var *b) { return product_of(a, b, false, false, NULL); }
gg_var *gg_var_matmul_nt(gg_var *a, gg_var *b) { return product_of(a, b, false, true, NULL); }
gg_var *gg_var_matmul_tn(gg_var *a, gg_var *b) { return product_of(a, b, true, false, NULL); }

static gg_var *affine(gg_var *x, gg_var *weight, gg_var *bias)
{
    if (weight->shape.n != 2)
        return gg__mistake(x->g, GG_EINVAL, "linear: the weight has the shape %s, (out, in) is needed", SHAPE_TEXT(weight));
    if (bias && (bias->shape.n != 1 || bias->n != weight->shape.d[0]))
        return gg__mistake(x->g, GG_EINVAL, "affine: the bias has the shape %s, the weight %s", SHAPE_TEXT(bias), SHAPE_TEXT(weight));
    if (x->shape.n > 1)
        return product_of(x, weight, false, true, bias);
    gg_var *row = product_of(gg_var_reshape(x, GG_SHAPE(1, x->n)), weight, false, true, bias);
    return gg_var_reshape(row, GG_SHAPE(weight->shape.d[0]));
}

gg_var *gg_var_affine(gg_var *x, gg_var *weight, gg_var *bias) { return x && weight && bias ? affine(x, weight, bias) : NULL; }
gg_var *gg_var_linear(gg_var *x, gg_var *weight) { return x && weight ? affine(x, weight, NULL) : NULL; }

/* --- kernel ------------------------------------------------------------------------------------------------------------------------------ */
/* Rows [first, last) of all matrices of the batch laid one below the other. */
static void rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    const product *p = v->plan;
    const int64_t w = v->dtype == GG_F64 ? 8 : 4;
    while (first < last) {
        const int64_t m = first % p->M, n_rows = p->M - m < last - first ? p->M - m : last - first;
        int64_t matrix = first / p->M, at[2] = {0, 0};
        for (int d = p->walk.n - 1; d >= 0; d--) {
            for (int k = 0; k < 2; k++)
                at[k] += matrix % p->walk.size[d] * p->walk.stride[k][d];
            matrix /= p->walk.size[d];
        }
        char *c = (char *)v->data + first * p->N * w;
        v->g->loops->gemm_from(c, p->N, v->n_in == 3 ? v->in[2]->data : NULL, 0, (const char *)v->in[0]->data + (at[0] + m * p->a.row) * w, p->a,
                               (const char *)v->in[1]->data + at[1] * w, p->b, NULL, n_rows, p->N, p->K, gg__scratch(v, worker));
        first += n_rows;
    }
}

/* The same for a few rows of x against weights (N, K): by columns of C. */
static void few_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const product *p = v->plan;
    const int64_t w = v->dtype == GG_F64 ? 8 : 4;
    for (int64_t m = 0; m < p->M; m++)
        v->g->loops->dots((char *)v->data + (m * p->N + first) * w, (const char *)v->in[1]->data + first * p->b.column * w, p->b.column,
                              (const char *)v->in[0]->data + m * p->a.row * w, v->n_in == 3 ? (const char *)v->in[2]->data + first * w : NULL, last - first, p->K);
}

gg_status gg__run_matmul(gg_var *v)
{
    const product *p = v->plan;
    if (p->M <= 3 && p->batch == 1 && v->i[1] && !v->i[0]) {
        gg__split(v, p->N, p->M * p->K, few_rows);
        return GG_OK;
    }
    gg__split(v, p->batch * p->M, p->N * (p->K / 8 + 1), rows);
    return GG_OK;
}

void gg__gradient_matmul(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *a = v->in[0], *b = v->in[1];
    const bool ta = v->i[0], tb = v->i[1];
    if (wanted[0])
        d_in[0] = gg__sum_to(ta ? product_of(b, d, tb, true, NULL) : product_of(d, b, false, !tb, NULL), a->shape);
    if (wanted[1])
        d_in[1] = gg__sum_to(tb ? product_of(d, a, true, ta, NULL) : product_of(a, d, !ta, false, NULL), b->shape);
    if (v->n_in == 3 && wanted[2])
        d_in[2] = gg__sum_to(d, v->in[2]->shape);
}
