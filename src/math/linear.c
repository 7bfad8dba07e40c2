/* y = x W^T + b through oneDNN: weights packed once into the layout its kernels ask for, primitives made once a thread and shape.
 *
 * Rows are handed over in pieces of ROWS, the rest in a piece of whole STEPs that ends at the last row and so computes up to seven rows
 * twice: no copies, at most 31 primitives a shape, and a row sees the same sequence of multiply-adds in each. Fewer rows than a step are
 * padded (a single row has a primitive of its own: generation).
 *
 * Traps:
 * - oneDNN bakes the number of OpenMP threads into a primitive, and may then split the sum over n_in among them: every call here
 *   runs under omp_set_num_threads(1), whatever the caller's setting, so that no sum depends on it.
 * - Its blocked kernels (AVX-512) give equal bits for every number of rows. Its plain GEMM (AVX2 and less, where the packed layout is no
 *   blocked one) does not: it is only ever called with PLAIN_ROWS rows, a number that gave every row of a piece equal bits (32 did not).
 * - dnnl_memory_set_data_handle writes the padding of a blocked layout. The weights' memory object is therefore made once with the
 *   linear, before threads share it; only the plain x, y and scratch change hands.
 * - Packing goes by slices of output rows, so that the float32 form of a large matrix never exists as a whole. (Not in int8: that layout
 *   carries sums over the columns behind the weights, which only a reorder of the whole makes; but int8 is small.)
 *
 * int8: W[o, i] = round(127 W[o, i] / max_i |W[o, i]|), x likewise by rows; the sums are exact int32; then
 *     y[r, o] = sum * (scale of row r * scale of column o) + b[o]
 * which oneDNN could do in part (scales of columns are constants of its primitives, of rows it knows none), so it is done here, a piece at a time
 * while it is near. */
#include "linear.h"
#include "base/memory.h"
#include "base/work.h"
#include "kernels.h"
#include <dnnl.h>
#include <stdatomic.h>

/* Of libgomp; clang has no omp.h without packages of its own. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

enum { ROWS = 240, ROWS_I8 = 128, STEP = 8, PLAIN_ROWS = 16, SLICE = 256 };

struct gg_linear {
    gg_context *ctx;
    int64_t n_out, n_in;
    gg_dtype compute;
    bool blocked;
    dnnl_engine_t engine;
    dnnl_memory_desc_t layout; /* of the packed weights */
    dnnl_memory_t weights, bias;
    void *packed;
    float *bias_copy;
    float *scale; /* (n_out,) of GG_I8 */
    size_t packed_bytes;
};

typedef struct product {
    int64_t n_out, n_in, n_rows;
    gg_dtype compute;
    bool has_bias;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, work;
    size_t work_bytes;
} product;

struct gg_linear_scratch {
    gg_context *ctx;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    product *products;
    int64_t n_products, cap_products;
    void *work; /* oneDNN's scratchpad, the largest asked for */
    size_t work_bytes;
    char *x_padded; /* (step, n_in) and (step, n_out) of the largest linear that met fewer rows than a step */
    float *y_padded;
    size_t x_bytes, y_bytes;
};

static gg_status failed(gg_context *ctx, dnnl_status_t s, const char *what)
{
    return gg_fail(ctx, s == dnnl_out_of_memory ? GG_ENOMEM : s == dnnl_unimplemented ? GG_EUNSUPPORTED : GG_EINTERNAL,
                   "oneDNN could not %s (its status %d%s)", what, (int)s,
                   s == dnnl_out_of_memory ? ", out of memory" : s == dnnl_unimplemented ? ", not supported on this processor" : "");
}

#define TRY_DNNL(ctx, call, what)               \
    do {                                        \
        dnnl_status_t s_ = (call);              \
        if (s_ != dnnl_success)                 \
            return failed((ctx), s_, (what));   \
    } while (0)

static dnnl_data_type_t type_of(gg_dtype t) { return t == GG_BF16 ? dnnl_bf16 : t == GG_I8 ? dnnl_s8 : dnnl_f32; }
static size_t size_of(gg_dtype t) { return t == GG_BF16 ? 2 : t == GG_I8 ? 1 : 4; }

static int one_thread(void)
{
    int n = omp_get_max_threads();
    if (n != 1)
        omp_set_num_threads(1);
    return n;
}

static void as_before(int n)
{
    if (n != 1)
        omp_set_num_threads(n);
}

/* Describes x (n_rows, n_in) times W^T (n_in, n_out); layout NULL: oneDNN chooses. */
static dnnl_status_t describe(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, int64_t n_rows, int64_t n_out, int64_t n_in,
                              gg_dtype compute, bool has_bias, const dnnl_memory_desc_t *layout)
{
    dnnl_memory_desc_t x, w, y, b;
    dnnl_matmul_desc_t d;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&x, 2, (dnnl_dims_t){n_rows, n_in}, type_of(compute), dnnl_ab);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&y, 2, (dnnl_dims_t){n_rows, n_out}, compute == GG_I8 ? dnnl_s32 : dnnl_f32, dnnl_ab);
    if (!s)
        s = dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){1, n_out}, dnnl_f32, dnnl_ab);
    if (!s && !layout)
        s = dnnl_memory_desc_init_by_tag(&w, 2, (dnnl_dims_t){n_in, n_out}, type_of(compute), dnnl_format_tag_any);
    if (!s)
        s = dnnl_matmul_desc_init(&d, &x, layout ? layout : &w, has_bias ? &b : NULL, &y);
    if (!s)
        s = dnnl_primitive_attr_create(&attr);
    if (!s)
        s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (!s)
        s = dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

/* ---- packing */

/* Plain weights at `rows`, (n, n_in) row-major, into `to`, which is all of the packed weights or a part. */
static gg_status reorder(gg_linear *l, dnnl_stream_t stream, void *rows, dnnl_data_type_t type, int64_t n, const dnnl_memory_desc_t *to)
{
    dnnl_memory_desc_t from;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t a = NULL, b = NULL;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&from, 2, (dnnl_dims_t){l->n_in, n}, type, dnnl_ba);
    if (!s)
        s = dnnl_reorder_primitive_desc_create(&pd, &from, l->engine, to, l->engine, NULL);
    if (!s)
        s = dnnl_primitive_create(&primitive, pd);
    if (!s)
        s = dnnl_memory_create(&a, &from, l->engine, rows);
    if (!s)
        s = dnnl_memory_create(&b, to, l->engine, l->packed);
    if (!s)
        s = dnnl_primitive_execute(primitive, stream, 2, (dnnl_exec_arg_t[]){{DNNL_ARG_FROM, a}, {DNNL_ARG_TO, b}});
    if (!s)
        s = dnnl_stream_wait(stream);
    if (a)
        dnnl_memory_destroy(a);
    if (b)
        dnnl_memory_destroy(b);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return s ? failed(l->ctx, s, "pack a weight matrix") : GG_OK;
}

/* Rows [first, first + n) of W as float32, row-major (n, n_in): into the packed weights, or in int8 to their place in `whole`. */
static gg_status pack_slice(gg_linear *l, dnnl_stream_t stream, float *rows, int8_t *whole, int64_t first, int64_t n)
{
    for (int64_t r = 0; r < n; r++)
        if (!gg_all_finite(rows + r * l->n_in, l->n_in))
            return gg_fail(l->ctx, GG_ENAN, "row %lld of a (%lld, %lld) weight matrix holds a number that is not finite",
                           (long long)(first + r), (long long)l->n_out, (long long)l->n_in);
    if (whole) {
        for (int64_t r = 0; r < n; r++)
            l->scale[first + r] = gg_f32_to_i8(whole + (first + r) * l->n_in, rows + r * l->n_in, l->n_in);
        return GG_OK;
    }
    dnnl_memory_desc_t to;
    TRY_DNNL(l->ctx, dnnl_memory_desc_init_submemory(&to, &l->layout, (dnnl_dims_t){l->n_in, n}, (dnnl_dims_t){0, first}), "pack a weight matrix");
    return reorder(l, stream, rows, dnnl_f32, n, &to);
}

typedef struct source {
    const char *data;
    gg_dtype dtype;
    int64_t stride; /* bytes from one output row to the next; of a transposed source from one element to the next */
    bool transposed;
} source;

static gg_status pack(gg_linear *l, dnnl_stream_t stream, float *rows, int8_t *whole, const source *w)
{
    for (int64_t first = 0; first < l->n_out; first += SLICE) {
        int64_t n = l->n_out - first < SLICE ? l->n_out - first : SLICE;
        if (w->transposed) {
            const float *m = (const float *)w->data + first;
            for (int64_t i = 0; i < l->n_in; i++)
                for (int64_t r = 0; r < n; r++)
                    rows[r * l->n_in + i] = m[i * l->n_out + r];
        } else {
            for (int64_t r = 0; r < n; r++)
                GG_TRY(gg_to_f32(rows + r * l->n_in, w->data + (first + r) * w->stride, w->dtype, l->n_in));
        }
        GG_TRY(pack_slice(l, stream, rows, whole, first, n));
    }
    return whole ? reorder(l, stream, whole, dnnl_s8, l->n_out, &l->layout) : GG_OK;
}

static gg_status fill(gg_linear *l, const source *w, const float *bias)
{
    gg_context *ctx = l->ctx;
    dnnl_primitive_desc_t pd = NULL;
    TRY_DNNL(ctx, dnnl_engine_create(&l->engine, dnnl_cpu, 0), "start");
    TRY_DNNL(ctx, describe(&pd, l->engine, ROWS, l->n_out, l->n_in, l->compute, bias != NULL && l->compute != GG_I8, NULL),
             l->compute == GG_BF16 ? "make a bfloat16 product" : l->compute == GG_I8 ? "make an int8 product" : "make a float32 product");
    l->layout = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_primitive_desc_destroy(pd);
    l->blocked = l->layout.format_kind == dnnl_blocked && l->layout.format_desc.blocking.inner_nblks > 0;
    l->packed_bytes = dnnl_memory_desc_get_size(&l->layout);
    l->packed = gg_alloc(ctx, l->packed_bytes);
    if (!l->packed)
        return GG_ENOMEM;
    TRY_DNNL(ctx, dnnl_memory_create(&l->weights, &l->layout, l->engine, l->packed), "hold a weight matrix");
    if (bias) {
        l->bias_copy = gg_new(ctx, float, l->n_out);
        if (!l->bias_copy)
            return GG_ENOMEM;
        memcpy(l->bias_copy, bias, (size_t)l->n_out * sizeof *bias);
        if (!gg_all_finite(bias, l->n_out))
            return gg_fail(ctx, GG_ENAN, "the bias of a (%lld, %lld) weight matrix holds a number that is not finite", (long long)l->n_out,
                           (long long)l->n_in);
        dnnl_memory_desc_t b;
        TRY_DNNL(ctx, dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){1, l->n_out}, dnnl_f32, dnnl_ab), "hold a bias");
        if (l->compute != GG_I8) /* else it is added with the scales */
            TRY_DNNL(ctx, dnnl_memory_create(&l->bias, &b, l->engine, l->bias_copy), "hold a bias");
    }
    int64_t n_slice = l->n_out < SLICE ? l->n_out : SLICE;
    const bool i8 = l->compute == GG_I8;
    float *rows = gg_alloc(ctx, gg_mul((int64_t)gg_mul(n_slice, l->n_in), sizeof(float)));
    int8_t *whole = i8 ? gg_alloc(ctx, gg_mul(l->n_out, l->n_in)) : NULL;
    l->scale = i8 ? gg_new(ctx, float, l->n_out) : NULL;
    dnnl_stream_t stream = NULL;
    gg_status s = !rows || (i8 && (!whole || !l->scale)) ? GG_ENOMEM : GG_OK;
    if (s == GG_OK) {
        dnnl_status_t made = dnnl_stream_create(&stream, l->engine, dnnl_stream_default_flags);
        s = made ? failed(ctx, made, "start") : pack(l, stream, rows, whole, w);
    }
    if (stream)
        dnnl_stream_destroy(stream);
    gg_drop(ctx, rows);
    gg_drop(ctx, whole);
    return s;
}

static gg_status create(gg_linear **out, gg_context *ctx, const source *w, const float *bias, int64_t n_out, int64_t n_in,
                        gg_dtype compute)
{
    *out = NULL;
    if (n_out < 1 || n_in < 1 || n_in > INT32_MAX || n_out > INT32_MAX)
        return gg_fail(ctx, GG_EINVAL, "a weight matrix of shape (%lld, %lld)", (long long)n_out, (long long)n_in);
    if (compute != GG_F32 && compute != GG_BF16 && compute != GG_I8)
        return gg_fail(ctx, GG_EINVAL, "products are computed in F32, BF16 or I8, not in %s", gg_dtype_name(compute));
    if (compute == GG_I8 && !gg_i8_is_there())
        return gg_fail(ctx, GG_EUNSUPPORTED, "products in int8 need the AVX-512 VNNI instructions, which this processor does not have");
    gg_linear *l = gg_new(ctx, gg_linear, 1);
    if (!l)
        return GG_ENOMEM;
    l->ctx = ctx;
    l->n_out = n_out;
    l->n_in = n_in;
    l->compute = compute;
    int threads = one_thread();
    gg_status s = fill(l, w, bias);
    as_before(threads);
    if (s != GG_OK) {
        gg_linear_free(l);
        return s;
    }
    *out = l;
    return GG_OK;
}

gg_status gg_linear_create(gg_linear **out, gg_context *ctx, const void *W, gg_dtype dtype, int64_t row_stride_bytes,
                           const float *bias, int64_t n_out, int64_t n_in, gg_dtype compute)
{
    int64_t row = gg_dtype_bytes(dtype, n_in);
    *out = NULL;
    if (row < 0)
        return gg_fail(ctx, GG_EINVAL, "a row of %lld numbers is not a whole number of %s blocks (%lld each)", (long long)n_in,
                       gg_dtype_name(dtype), (long long)gg_dtype_block(dtype));
    source w = {W, dtype, row_stride_bytes ? row_stride_bytes : row, false};
    return create(out, ctx, &w, bias, n_out, n_in, compute);
}

gg_status gg_linear_create_f32(gg_linear **out, gg_context *ctx, const float *W, bool transposed, const float *bias,
                               int64_t n_out, int64_t n_in, gg_dtype compute)
{
    source w = {(const char *)W, GG_F32, n_in * (int64_t)sizeof(float), transposed};
    return create(out, ctx, &w, bias, n_out, n_in, compute);
}

void gg_linear_free(gg_linear *l)
{
    if (!l)
        return;
    if (l->weights)
        dnnl_memory_destroy(l->weights);
    if (l->bias)
        dnnl_memory_destroy(l->bias);
    if (l->engine)
        dnnl_engine_destroy(l->engine);
    gg_drop(l->ctx, l->packed);
    gg_drop(l->ctx, l->bias_copy);
    gg_drop(l->ctx, l->scale);
    gg_drop(l->ctx, l);
}

int64_t gg_linear_bytes(const gg_linear *l)
{
    const size_t vector = (size_t)l->n_out * sizeof(float);
    return (int64_t)(l->packed_bytes + (l->bias_copy ? vector : 0) + (l->scale ? vector : 0));
}
int64_t gg_linear_n_out(const gg_linear *l) { return l->n_out; }
int64_t gg_linear_n_in(const gg_linear *l) { return l->n_in; }

/* ---- scratch */

gg_status gg_linear_scratch_create(gg_linear_scratch **out, gg_context *ctx)
{
    *out = NULL;
    gg_linear_scratch *s = gg_new(ctx, gg_linear_scratch, 1);
    if (!s)
        return GG_ENOMEM;
    s->ctx = ctx;
    dnnl_status_t made = dnnl_engine_create(&s->engine, dnnl_cpu, 0);
    if (!made)
        made = dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags);
    if (made) {
        gg_linear_scratch_free(s);
        return failed(ctx, made, "start");
    }
    *out = s;
    return GG_OK;
}

static void drop_product(product *p)
{
    if (p->x)
        dnnl_memory_destroy(p->x);
    if (p->y)
        dnnl_memory_destroy(p->y);
    if (p->work)
        dnnl_memory_destroy(p->work);
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
}

void gg_linear_scratch_free(gg_linear_scratch *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n_products; i++)
        drop_product(s->products + i);
    if (s->stream)
        dnnl_stream_destroy(s->stream);
    if (s->engine)
        dnnl_engine_destroy(s->engine);
    gg_drop(s->ctx, s->products);
    gg_drop(s->ctx, s->work);
    gg_drop(s->ctx, s->x_padded);
    gg_drop(s->ctx, s->y_padded);
    gg_drop(s->ctx, s);
}

/* Makes *p at least `bytes` large; what it held is not kept. */
static gg_status grow(gg_context *ctx, void **p, size_t *had, size_t bytes)
{
    if (*had >= bytes)
        return GG_OK;
    gg_drop(ctx, *p);
    *had = 0;
    *p = gg_alloc(ctx, bytes);
    if (!*p)
        return GG_ENOMEM;
    *had = bytes;
    return GG_OK;
}

static gg_status make_product(product *p, gg_linear_scratch *s, const gg_linear *l)
{
    dnnl_primitive_desc_t pd = NULL;
    TRY_DNNL(s->ctx, describe(&pd, s->engine, p->n_rows, p->n_out, p->n_in, p->compute, p->has_bias, &l->layout), "make a product");
    const dnnl_memory_desc_t *work = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    p->work_bytes = dnnl_memory_desc_get_size(work);
    dnnl_status_t e = dnnl_primitive_create(&p->primitive, pd);
    if (!e)
        e = dnnl_memory_create(&p->x, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), s->engine, DNNL_MEMORY_NONE);
    if (!e)
        e = dnnl_memory_create(&p->y, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0), s->engine, DNNL_MEMORY_NONE);
    if (!e)
        e = dnnl_memory_create(&p->work, work, s->engine, DNNL_MEMORY_NONE);
    dnnl_primitive_desc_destroy(pd);
    return e ? failed(s->ctx, e, "make a product") : grow(s->ctx, &s->work, &s->work_bytes, p->work_bytes);
}

static gg_status find_product(product **out, gg_linear_scratch *s, const gg_linear *l, int64_t n_rows)
{
    for (int64_t i = 0; i < s->n_products; i++) {
        product *p = s->products + i;
        if (p->n_rows == n_rows && p->n_out == l->n_out && p->n_in == l->n_in && p->compute == l->compute &&
            p->has_bias == (l->bias != NULL)) {
            *out = p;
            return GG_OK;
        }
    }
    GG_TRY(gg_grow(s->ctx, &s->products, s->n_products, &s->cap_products, 32));
    product *p = s->products + s->n_products;
    *p = (product){.n_out = l->n_out, .n_in = l->n_in, .n_rows = n_rows, .compute = l->compute, .has_bias = l->bias != NULL};
    gg_status e = make_product(p, s, l);
    if (e != GG_OK) {
        drop_product(p);
        return e;
    }
    s->n_products++;
    *out = p;
    return GG_OK;
}

/* ---- the product */

static gg_status run(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, int64_t n_rows)
{
    product *p;
    GG_TRY(find_product(&p, s, l, n_rows));
    /* oneDNN takes a writable pointer for x and does not write to it */
    TRY_DNNL(s->ctx, dnnl_memory_set_data_handle(p->x, (void *)(uintptr_t)x), "take a pointer");
    TRY_DNNL(s->ctx, dnnl_memory_set_data_handle(p->y, y), "take a pointer");
    TRY_DNNL(s->ctx, dnnl_memory_set_data_handle(p->work, s->work), "take a pointer");
    dnnl_exec_arg_t arg[5] = {{DNNL_ARG_SRC, p->x}, {DNNL_ARG_WEIGHTS, l->weights}, {DNNL_ARG_DST, p->y}, {DNNL_ARG_SCRATCHPAD, p->work}};
    int n_args = 4;
    if (l->bias)
        arg[n_args++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, l->bias};
    TRY_DNNL(s->ctx, dnnl_primitive_execute(p->primitive, s->stream, n_args, arg), "multiply");
    TRY_DNNL(s->ctx, dnnl_stream_wait(s->stream), "multiply");
    return GG_OK;
}

/* The same, and of int8 the sums to numbers; x_scale: (n_rows,) then. */
static gg_status run_piece(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, const float *x_scale, int64_t n_rows)
{
    GG_TRY(run(l, s, y, x, n_rows));
    for (int64_t r = 0; x_scale && r < n_rows; r++)
        gg_i32_to_f32(y + r * l->n_out, (const int32_t *)(y + r * l->n_out), x_scale[r], l->scale, l->bias_copy, l->n_out);
    return GG_OK;
}

static gg_status run_padded(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, const float *x_scale, int64_t n_rows, int64_t step)
{
    size_t row = (size_t)l->n_in * size_of(l->compute), y_row = (size_t)l->n_out * sizeof(float);
    float scale[PLAIN_ROWS] = {0};
    void *xp = s->x_padded, *yp = s->y_padded;
    gg_status e = grow(s->ctx, &xp, &s->x_bytes, (size_t)step * row);
    s->x_padded = xp;
    if (e == GG_OK)
        e = grow(s->ctx, &yp, &s->y_bytes, (size_t)step * y_row);
    s->y_padded = yp;
    GG_TRY(e);
    memcpy(s->x_padded, x, (size_t)n_rows * row);
    memset(s->x_padded + (size_t)n_rows * row, 0, (size_t)(step - n_rows) * row);
    if (x_scale)
        memcpy(scale, x_scale, (size_t)n_rows * sizeof *scale);
    GG_TRY(run_piece(l, s, s->y_padded, s->x_padded, x_scale ? scale : NULL, step));
    memcpy(y, s->y_padded, (size_t)n_rows * y_row);
    return GG_OK;
}

static gg_status apply_pieces(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, const float *x_scale, int64_t n_rows)
{
    int64_t most = !l->blocked ? PLAIN_ROWS : l->compute == GG_I8 ? ROWS_I8 : ROWS, step = l->blocked ? STEP : PLAIN_ROWS;
    if (l->blocked && n_rows == 1)
        return run_piece(l, s, y, x, x_scale, 1);
    if (n_rows < step)
        return run_padded(l, s, y, x, x_scale, n_rows, step);
    for (int64_t at = 0; at < n_rows;) {
        int64_t left = n_rows - at, n = left < most ? (left + step - 1) / step * step : most;
        if (n > n_rows)
            n -= step; /* the only piece so far: whole steps first */
        else if (n > left)
            at = n_rows - n;
        GG_TRY(run_piece(l, s, y + at * l->n_out, (const char *)x + (size_t)(at * l->n_in) * size_of(l->compute), x_scale ? x_scale + at : NULL, n));
        at += n;
    }
    return GG_OK;
}

static gg_status apply(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, const float *x_scale, int64_t n_rows)
{
    if (n_rows < 0)
        return gg_fail(s->ctx, GG_EINVAL, "%lld rows", (long long)n_rows);
    if ((l->compute == GG_I8) != (x_scale != NULL))
        return gg_fail(s->ctx, GG_EINTERNAL, "a product in %s was given rows %s scales", gg_dtype_name(l->compute), x_scale ? "with" : "without");
    if (n_rows == 0)
        return GG_OK;
    int threads = one_thread();
    gg_status e = apply_pieces(l, s, y, x, x_scale, n_rows);
    as_before(threads);
    return e;
}

gg_status gg_linear_apply(const gg_linear *l, gg_linear_scratch *s, float *y, const void *x, int64_t n_rows) { return apply(l, s, y, x, NULL, n_rows); }

gg_status gg_linear_apply_i8(const gg_linear *l, gg_linear_scratch *s, float *y, const int8_t *x, const float *x_scale, int64_t n_rows)
{
    return apply(l, s, y, x, x_scale, n_rows);
}

void gg_naive_linear(float *y, const float *x, const float *W, const float *bias, int64_t n_rows, int64_t n_out, int64_t n_in)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t o = 0; o < n_out; o++) {
            double sum = 0;
            for (int64_t i = 0; i < n_in; i++)
                sum += (double)x[r * n_in + i] * (double)W[o * n_in + i];
            y[r * n_out + o] = (float)(sum + (bias ? (double)bias[o] : 0));
        }
}

/* ---- is bfloat16 worth it here? Some processors have its instructions at half the rate of fp32's. */

static double seconds(gg_context *ctx, gg_dtype compute, const float *zeros, float *y, int64_t n)
{
    gg_linear *l = NULL;
    gg_linear_scratch *s = NULL;
    double best = 1e9;
    if (gg_linear_create(&l, ctx, zeros, GG_F32, 0, NULL, n, n, compute) == GG_OK && gg_linear_scratch_create(&s, ctx) == GG_OK)
        for (int i = 0; i < 8; i++) {
            double t = gg_time();
            if (gg_linear_apply(l, s, y, zeros, 64) != GG_OK)
                break;
            t = gg_time() - t;
            best = t < best ? t : best;
        }
    gg_linear_scratch_free(s);
    gg_linear_free(l);
    return best;
}

bool gg_i8_is_there(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

bool gg_bf16_is_fast(gg_context *ctx)
{
    static atomic_int known; /* 0 not measured, 1 no, 2 yes */
    int k = atomic_load(&known);
    if (k)
        return k == 2;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx512bf16"))
        return false; /* emulated at best */
#endif
    enum { N = 512 };
    float *zeros = gg_new(ctx, float, N * N), *y = gg_new(ctx, float, 64 * N);
    bool fast = false;
    if (zeros && y) {
        double f32 = seconds(ctx, GG_F32, zeros, y, N), bf16 = seconds(ctx, GG_BF16, zeros, y, N);
        fast = bf16 <= f32;
        atomic_store(&known, fast ? 2 : 1);
    }
    gg_drop(ctx, zeros);
    gg_drop(ctx, y);
    return fast;
}

gg_dtype gg_linear_dtype(gg_context *ctx, const char *word)
{
    if (!strcmp(word, "auto"))
        return gg_bf16_is_fast(ctx) ? GG_BF16 : GG_F32;
    return !strcmp(word, "bf16") ? GG_BF16 : !strcmp(word, "i8") ? GG_I8 : GG_F32;
}
