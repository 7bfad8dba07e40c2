/* The k largest of a row, and what can be asked of indices. */
#include "grad/graph.h"
#include <math.h>

static inline int64_t last_axis(const gg_var *v) { return v->shape.d[v->shape.n - 1]; }

/* --- top-k ------------------------------------------------------------------------------------------------------------------------------- */
gg_var *gg_var_top_k(gg_var *x, int64_t k)
{
    if (!x)
        return NULL;
    if (x->shape.n == 0 || x->dtype == GG_I32 || k < 1 || k > last_axis(x))
        return gg__mistake(x->g, GG_EINVAL, "top_k of %s: %lld of the last axis", SHAPE_TEXT(x), (long long)k);
    gg_var *v = gg__node(x->g, GG__OP_TOP_K, x->shape, x);
    if (v) {
        v->i[0] = k;
        v->scratch_bytes = gg_mul(last_axis(x), sizeof(double));
    }
    return v;
}

/* The k-th largest of a (n,), which is put into another order (Hoare's selection; the middle of three as pivot). */
static double kth_largest(double *a, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const double x = a[low], y = a[(low + high) / 2], z = a[high], pivot = fmax(fmin(x, y), fmin(fmax(x, y), z));
        int64_t i = low, j = high;
        while (i <= j) {
            while (a[i] > pivot)
                i++;
            while (a[j] < pivot)
                j--;
            if (i <= j) {
                const double t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        if (k - 1 <= j)
            high = j;
        else if (k - 1 >= i)
            low = i;
        else
            break;
    }
    return a[k - 1];
}

static void top_k_rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    const int64_t n = last_axis(v), k = v->i[0];
    double *a = gg__scratch(v, worker);
    for (int64_t r = first; r < last; r++) {
        for (int64_t i = 0; i < n; i++) {
            const double x = gg__number(v->in[0], r * n + i);
            a[i] = isnan(x) ? INFINITY : x; /* as torch.topk: NaN is the largest */
        }
        const double least = kth_largest(a, n, k);
        int64_t left = k;
        for (int64_t i = 0; i < k; i++) /* a begins with the chosen; those that equal the least are taken from the left */
            left -= a[i] > least;
        for (int64_t i = 0; i < n; i++) {
            const double x = gg__number(v->in[0], r * n + i), size = isnan(x) ? INFINITY : x;
            const bool equal = size == least && left > 0;
            left -= equal;
            gg__put(v, r * n + i, size > least || equal);
        }
    }
}

gg_status gg__run_top_k(gg_var *v)
{
    gg__split(v, v->n / last_axis(v), 8 * last_axis(v), top_k_rows);
    return GG_OK;
}

/* Straight through: as if the result were x (Bengio et al. 2013). */
void gg__gradient_top_k(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    (void)v;
    d_in[0] = wanted[0] ? d : NULL;
}

/* --- indices ------------------------------------------------------------------------------------------------------------------------------ */
static gg_var *of_index(gg_var *index, gg__op op, gg_dtype dtype, int64_t a, int64_t b)
{
    if (!index)
        return NULL;
    if (index->dtype != GG_I32)
        return gg__mistake(index->g, GG_EINVAL, "%s of %s: int32 indices are needed", gg__operation_of(op)->name, SHAPE_TEXT(index));
    gg_var *v = gg__node_new(index->g, op, dtype, index->shape, &index, 1);
    if (v) {
        v->i[0] = a;
        v->i[1] = b;
    }
    return v;
}

gg_var *gg_var_index_is(gg_var *index, int64_t value) { return of_index(index, GG__OP_INDEX_IS, index ? index->g->dtype : GG_F32, value, 0); }
gg_var *gg_var_index_replace(gg_var *index, int64_t value, int64_t with) { return of_index(index, GG__OP_INDEX_REPLACE, GG_I32, value, with); }

gg_status gg__run_index(gg_var *v)
{
    const int32_t *index = v->in[0]->data;
    for (int64_t i = 0; i < v->n; i++)
        if (v->op == GG__OP_INDEX_IS)
            gg__put(v, i, index[i] == v->i[0]);
        else
            ((int32_t *)v->data)[i] = index[i] == v->i[0] ? (int32_t)v->i[1] : index[i];
    return GG_OK;
}
