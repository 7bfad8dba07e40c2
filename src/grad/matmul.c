/* Matrix products: one operation, (batch) op(A) op(B) [+ bias], with op the transposition or nothing; the bias is a row, or as large as the result.
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
    void *turned; /* (N, M): the result is made there and turned, where that way wastes less; else NULL */
    void *packed; /* B in the order of the product, where a loop uses it again and again; else NULL */
} product;

/* Rows of C are made in whole vectors: gradients of weights with few columns (50, 10) are better made the other way round. */
static bool turns(int64_t M, int64_t N)
{
    enum { VECTOR = 16 };
    const int64_t wide_m = (M + VECTOR - 1) / VECTOR * VECTOR, wide_n = (N + VECTOR - 1) / VECTOR * VECTOR;
    return M >= 2 * N && 10 * N * wide_m < 9 * M * wide_n; /* the part of the vectors that is used: less than 0.9 of the other's */
}

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
        return gg__mistake(g, GG_EINVAL, "matmul: %s%s x %s%s: the inner lengths %lld and %lld differ", SHAPE_TEXT(a), ta ? "^T" : "", SHAPE_TEXT(b),
                           tb ? "^T" : "", (long long)p.K, (long long)(tb ? cb : rb));
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
    product *q = v->plan;
    if (!bias && ta && p.batch == 1 && turns(p.M, p.N) && !(q->turned = gg__graph_alloc(g, gg_mul(v->n, gg__width(v)))))
        return NULL;
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
gg_var *gg__linear_onto(gg_var *x, gg_var *weight, gg_var *c)
{
    const bool fits = x && weight && c && x->shape.n == 2 && weight->shape.n == 2 && gg__shape_equal(c->shape, GG_SHAPE(x->shape.d[0], weight->shape.d[0]));
    if (x && weight && c && !fits)
        return gg__mistake(x->g, GG_EINVAL, "linear of %s by %s onto %s: (B, K), (N, K) and (B, N) are needed", SHAPE_TEXT(x), SHAPE_TEXT(weight),
                           SHAPE_TEXT(c));
    return fits ? product_of(x, weight, false, true, c) : NULL;
}

/* --- kernel ------------------------------------------------------------------------------------------------------------------------------ */
typedef struct large { /* one product, cut into pieces of rows or of columns */
    gg_var *v;
    char *C;
    const char *from, *A, *B;
    int64_t ldc, ldf, M, N, K, pieces;
    gg_strides a, b;
    bool columns;
} large;

static void large_piece(void *user, int64_t piece, int worker)
{
    const large *p = user;
    const int64_t unit = p->columns ? GG_GEMM_COLUMNS : GG_GEMM_ROWS, n = p->columns ? p->N : p->M, units = (n + unit - 1) / unit,
                  w = gg__width(p->v);
    const int64_t first = units * piece / p->pieces * unit, end = units * (piece + 1) / p->pieces * unit, last = end < n ? end : n;
    const int64_t m = p->columns ? 0 : first, k = p->columns ? first : 0;
    p->v->g->loops->gemm_from(p->C + (m * p->ldc + k) * w, p->ldc, p->from ? p->from + (m * p->ldf + k) * w : NULL, p->ldf, p->A + m * p->a.row * w, p->a,
                              p->B + k * p->b.column * w, p->b, NULL, p->columns ? p->M : last - first, p->columns ? last - first : p->N, p->K,
                              gg__scratch(p->v, worker));
}

/* Every piece copies what it needs of A and B to where it is read from: cut so that little is copied twice. */
static void cut(gg_var *v, void *C, int64_t ldc, const void *from, int64_t ldf, const void *A, gg_strides a, const void *B, gg_strides b, int64_t M, int64_t N,
                int64_t K)
{
    enum { PAYS = 1 << 15 };
    const int64_t rows = (M + GG_GEMM_ROWS - 1) / GG_GEMM_ROWS, columns = (N + GG_GEMM_COLUMNS - 1) / GG_GEMM_COLUMNS;
    const int64_t most = 2 * (int64_t)gg_team_threads(v->g->team), pay = M * N * (K / 8 + 1) / PAYS;
    large p = {.v = v, .C = C, .from = from, .A = A, .B = B, .ldc = ldc, .ldf = ldf, .M = M, .N = N, .K = K, .a = a, .b = b};
    p.columns = (a.column == 1 ? 0 : M) < N ? columns >= most || columns >= rows : rows < most && columns > rows;
    const int64_t units = p.columns ? columns : rows;
    p.pieces = pay < most ? pay : most;
    p.pieces = p.pieces < units ? p.pieces : units;
    if (most == 2 || p.pieces < 2)
        v->g->loops->gemm_from(C, ldc, from, ldf, A, a, B, b, NULL, M, N, K, gg__scratch(v, 0));
    else
        gg_team_run(v->g->team, p.pieces, large_piece, &p);
}

static const char *addend(const gg_var *v, int64_t row, int64_t column)
{
    const gg_var *c = v->n_in == 3 ? v->in[2] : NULL;
    return c ? (const char *)c->data + ((c->shape.n == 1 ? 0 : row * c->shape.d[1]) + column) * gg__width(v) : NULL;
}
static int64_t addend_stride(const gg_var *v) { return v->n_in == 3 && v->in[2]->shape.n > 1 ? v->in[2]->shape.d[1] : 0; }

void gg__matmul_of(gg_var *v, const gg_var *d, void *C, const void *A, const void *B, int64_t K)
{
    const product *p = d->plan;
    if (p->turned) { /* B^T A^T */
        cut(v, p->turned, p->M, NULL, 0, B, (gg_strides){p->b.column, p->b.row}, A, (gg_strides){p->a.column, p->a.row}, p->N, p->M, K);
        v->g->loops->turn(C, p->N, p->turned, p->M, p->M, p->N);
    } else
        cut(v, C, p->N, addend(d, 0, 0), addend_stride(d), A, p->a, B, p->b, p->M, p->N, K);
}

/* Rows [first, last) of all matrices of the batch laid one below the other. */
static void rows_of_batch(gg_var *v, int64_t first, int64_t last, int worker)
{
    const product *p = v->plan;
    const int64_t w = gg__width(v);
    while (first < last) {
        const int64_t m = first % p->M, n_rows = p->M - m < last - first ? p->M - m : last - first;
        int64_t matrix = first / p->M, at[2] = {0, 0};
        for (int d = p->walk.n - 1; d >= 0; d--) {
            for (int k = 0; k < 2; k++)
                at[k] += matrix % p->walk.size[d] * p->walk.stride[k][d];
            matrix /= p->walk.size[d];
        }
        v->g->loops->gemm_from((char *)v->data + first * p->N * w, p->N, addend(v, first, 0), addend_stride(v),
                               (const char *)v->in[0]->data + (at[0] + m * p->a.row) * w, p->a, (const char *)v->in[1]->data + at[1] * w, p->b, p->packed,
                               n_rows, p->N, p->K, gg__scratch(v, worker));
        first += n_rows;
    }
}

/* The same for a few rows of x against weights (N, K): by columns of C. */
static void few_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const product *p = v->plan;
    const int64_t w = gg__width(v);
    for (int64_t m = 0; m < p->M; m++)
        v->g->loops->dots((char *)v->data + (m * p->N + first) * w, (const char *)v->in[1]->data + first * p->b.column * w, p->b.column,
                          (const char *)v->in[0]->data + m * p->a.row * w, addend(v, m, first), last - first, p->K);
}

static bool few(const gg_var *v)
{
    const product *p = v->plan;
    return p->M <= 3 && p->batch == 1 && v->i[1] && !v->i[0];
}

gg_status gg__run_matmul(gg_var *v)
{
    const product *p = v->plan;
    if (few(v))
        gg__split(v, p->N, p->M * p->K, few_rows);
    else if (p->batch == 1)
        gg__matmul_of(v, v, v->data, v->in[0]->data, v->in[1]->data, p->K);
    else
        gg__split(v, p->batch * p->M, p->N * (p->K / 8 + 1), rows_of_batch);
    return GG_OK;
}

void gg__rows_matmul(gg_var *v, int64_t first, int64_t last, int worker)
{
    if (few(v)) /* then they are all its rows */
        few_rows(v, 0, ((const product *)v->plan)->N, worker);
    else
        rows_of_batch(v, first, last, worker);
}

/* --- a right side that a loop uses again and again ------------------------------------------------------------------------------------------- */
bool gg__matmul_pack_plan(gg_var *v)
{
    product *p = v->plan;
    if (!few(v) && p->batch == 1)
        p->packed = gg__graph_alloc(v->g, gg_mul(gg_gemm_packed(p->N, p->K), gg__width(v)));
    return few(v) || p->batch != 1 || p->packed;
}

static void pack_panels(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const product *p = v->plan;
    const int64_t end = last * GG_GEMM_COLUMNS;
    v->g->loops->gemm_pack(p->packed, v->in[1]->data, p->b, p->N, p->K, first * GG_GEMM_COLUMNS, end < p->N ? end : p->N);
}

void gg__matmul_pack(gg_var *v)
{
    const product *p = v->plan;
    if (p->packed)
        gg__split(v, (p->N + GG_GEMM_COLUMNS - 1) / GG_GEMM_COLUMNS, 2 * GG_GEMM_COLUMNS * p->K, pack_panels);
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
