/* Convolution (cross-correlation, as in all nets) in one and two dimensions, transposed convolution, pooling.
 *
 *     y[n, o, p] = sum_{c, k} w[o, c, k] x[n, c, p s + k d - pad]        groups: o and c in blocks
 * The three products of training are each other's gradients, so there are derivatives of any order:
 *     CONV(x, w) -> y          CONV_DX(dy, w) -> dx (the transposed convolution)          CONV_DW(x, dy) -> dw
 * With step 1 an image is copied once, into a border of zeros; row (c, i, j) of its patches is then that image from another place on, and the products
 * read it there (gg_gemm_shifts): y in lines as wide as the bordered image, of which the ends are dropped; dx the same way from dy and the turned
 * filter; dw as (C k, O), sums over places. With other steps: the columns of an image (C k, P), gathered, times w (O, C k).
 * Images are the pieces of work. dw is summed in eight fixed parts of the batch, so threads change no bit.
 * Layout: x (N, C, H, W), w (O, C / groups, kh, kw), y (N, O, H', W'). One dimension is H = 1.
 */
#include "grad/graph.h"

enum { PARTS = 8 };

typedef struct sizes {
    int64_t N, C, H, W, O, kh, kw, OH, OW, groups;
    int64_t stride[2], pad[2], dilation[2]; /* pad: before; what is behind the end reads as 0 too */
} sizes;

typedef struct border { /* an image (C, H, W) in (C, height, width), line 0 at `top`, which may be negative: then it is cut */
    int64_t C, H, W, height, width, top, left;
} border;

typedef struct plan {
    sizes s;
    bool moved;      /* by moving the image about, not by columns */
    border b;        /* of x, for CONV_DX of dy */
    int64_t *at;     /* (C k,), for CONV_DX (O k,): where each row of the patches begins */
} plan;

static int64_t columns_rows(const sizes *s) { return s->C / s->groups * s->kh * s->kw; }
static int64_t patch_rows(const plan *p) { return p->b.C * p->s.kh * p->s.kw; }

/* --- recording ---------------------------------------------------------------------------------------------------------------------- */
enum { BEYOND = GG_GEMM_COLUMNS }; /* numbers behind the last place that a product may read */
static int64_t border_size(const border *b, const sizes *s) { return b->C * b->height * b->width + (s->kw - 1) * s->dilation[1] + BEYOND; }

/* Lines of a result of M channels that are made at a time, and the numbers that takes. */
static int64_t lines_at_once(const plan *p, int64_t M, int64_t lines)
{
    const int64_t fit = (1 << 15) / (M * p->b.width + 1);
    return fit < 1 ? 1 : fit < lines ? fit : lines;
}
static int64_t lines_size(const plan *p, int64_t M, int64_t lines)
{
    return M * ((lines_at_once(p, M, lines) * p->b.width + GG_GEMM_COLUMNS - 1) / GG_GEMM_COLUMNS * GG_GEMM_COLUMNS);
}

static bool plan_moves(gg_var *v, plan *p)
{
    const sizes *s = &p->s;
    const int64_t C = s->C / s->groups, O = s->O / s->groups, reach[2] = {s->dilation[0] * (s->kh - 1), s->dilation[1] * (s->kw - 1)};
    if (v->op == GG__OP_CONV_DX)
        p->b = (border){O, s->OH, s->OW, s->H + reach[0], s->W + reach[1], reach[0] - s->pad[0], reach[1] - s->pad[1]};
    else
        p->b = (border){C, s->H, s->W, s->OH + reach[0], s->OW + reach[1], s->pad[0], s->pad[1]};
    if (!(p->at = gg__graph_alloc(v->g, gg_mul(patch_rows(p), sizeof *p->at))))
        return false;
    int64_t *at = p->at;
    for (int64_t c = 0; c < p->b.C; c++)
        for (int64_t i = 0; i < s->kh; i++)
            for (int64_t j = 0; j < s->kw; j++)
                *at++ = (c * p->b.height + i * s->dilation[0]) * p->b.width + j * s->dilation[1];
    const int64_t rest = v->op == GG__OP_CONV ? lines_size(p, O, s->OH) : v->op == GG__OP_CONV_DX ? lines_size(p, C, s->H) : GG_GEMM_COLUMNS * s->OH * s->OW;
    v->scratch_bytes = gg_mul(border_size(&p->b, s) + rest + BEYOND, gg__width(v));
    return v->op != GG__OP_CONV_DX || (v->parts = gg__graph_alloc(v->g, gg_mul(s->C * O * s->kh * s->kw, gg__width(v)))); /* the turned filter */
}

static gg_var *node(gg_graph *g, gg__op op, gg_shape shape, gg_var *a, gg_var *b, const sizes *s)
{
    gg_var *v = a && b ? gg__node(g, op, shape, a, b) : NULL;
    plan *p = v ? v->plan = gg__graph_alloc(g, sizeof *p) : NULL;
    if (!p)
        return NULL;
    p->s = *s;
    p->moved = s->stride[0] == 1 && s->stride[1] == 1 && (op != GG__OP_CONV_DW || s->O / s->groups >= 8);
    v->scratch_bytes = gg_gemm_scratch() + gg_mul(columns_rows(s) * s->OH * s->OW, gg__width(v));
    if ((p->moved && !plan_moves(v, p)) || (op == GG__OP_CONV_DW && !(v->parts = gg__graph_alloc(g, gg_mul(PARTS * v->n, gg__width(v))))))
        return NULL;
    return v;
}

static bool fill_sizes(sizes *s, gg_graph *g, gg_shape x, gg_shape w, const gg_conv_options *o)
{
    *s = (sizes){.N = x.d[0], .C = x.d[1], .H = x.d[2], .W = x.d[3], .O = w.d[0], .kh = w.d[2], .kw = w.d[3], .groups = o->groups ? o->groups : 1};
    for (int i = 0; i < 2; i++) {
        s->stride[i] = o->stride[i] ? o->stride[i] : 1;
        s->dilation[i] = o->dilation[i] ? o->dilation[i] : 1;
        s->pad[i] = o->padding[i];
        const int64_t in = i ? s->W : s->H, k = i ? s->kw : s->kh, reach = s->dilation[i] * (k - 1) + 1, after = o->causal ? 0 : s->pad[i];
        if (s->stride[i] < 1 || s->dilation[i] < 1 || s->pad[i] < 0 || k < 1 || in + s->pad[i] + after < reach) {
            gg__mistake(g, GG_EINVAL, "conv of %s by %s: stride %lld, padding %lld, dilation %lld along axis %d leave nothing", gg__shape_say(x).text,
                        gg__shape_say(w).text, (long long)s->stride[i], (long long)s->pad[i], (long long)s->dilation[i], i + 2);
            return false;
        }
        *(i ? &s->OW : &s->OH) = (in + s->pad[i] + after - reach) / s->stride[i] + 1;
    }
    if (s->groups < 1 || s->C % s->groups || s->O % s->groups || w.d[1] * s->groups != s->C) {
        gg__mistake(g, GG_EINVAL, "conv of %s by %s in %lld groups: the weight needs (O, C / groups, kh, kw)", gg__shape_say(x).text, gg__shape_say(w).text,
                    (long long)s->groups);
        return false;
    }
    return true;
}

static gg_shape shape_y(const sizes *s) { return GG_SHAPE(s->N, s->O, s->OH, s->OW); }
static gg_shape shape_x(const sizes *s) { return GG_SHAPE(s->N, s->C, s->H, s->W); }
static gg_shape shape_w(const sizes *s) { return GG_SHAPE(s->O, s->C / s->groups, s->kh, s->kw); }

gg_var *gg_var_conv2d(gg_var *x, gg_var *w, const gg_conv_options *o)
{
    const gg_conv_options none = {0};
    sizes s;
    if (!x || !w)
        return NULL;
    if (x->shape.n != 4 || w->shape.n != 4)
        return gg__mistake(x->g, GG_EINVAL, "conv2d of %s by %s: (N, C, H, W) and (O, C, kh, kw) are needed", SHAPE_TEXT(x), SHAPE_TEXT(w));
    return fill_sizes(&s, x->g, x->shape, w->shape, o ? o : &none) ? node(x->g, GG__OP_CONV, shape_y(&s), x, w, &s) : NULL;
}

gg_var *gg_var_conv1d(gg_var *x, gg_var *w, const gg_conv_options *o)
{
    if (!x || !w)
        return NULL;
    if (x->shape.n != 3 || w->shape.n != 3)
        return gg__mistake(x->g, GG_EINVAL, "conv1d of %s by %s: (N, C, T) and (O, C, k) are needed", SHAPE_TEXT(x), SHAPE_TEXT(w));
    gg_conv_options flat = {.groups = o ? o->groups : 0, .causal = o && o->causal};
    if (o) {
        flat.stride[1] = o->stride[0];
        flat.padding[1] = o->causal ? (w->shape.d[2] - 1) * (o->dilation[0] ? o->dilation[0] : 1) : o->padding[0];
        flat.dilation[1] = o->dilation[0];
    }
    gg_var *y = gg_var_conv2d(gg_var_reshape(x, GG_SHAPE(x->shape.d[0], x->shape.d[1], 1, x->shape.d[2])),
                              gg_var_reshape(w, GG_SHAPE(w->shape.d[0], w->shape.d[1], 1, w->shape.d[2])), &flat);
    return y ? gg_var_reshape(y, GG_SHAPE(y->shape.d[0], y->shape.d[1], y->shape.d[3])) : NULL;
}

gg_var *gg_var_conv_transpose2d(gg_var *x, gg_var *w, const gg_conv_options *o)
{
    const gg_conv_options none = {0};
    o = o ? o : &none;
    if (!x || !w)
        return NULL;
    if (x->shape.n != 4 || w->shape.n != 4 || x->shape.d[1] != w->shape.d[0])
        return gg__mistake(x->g, GG_EINVAL, "conv_transpose2d of %s by %s: (N, C, H, W) and (C, O / groups, kh, kw) are needed", SHAPE_TEXT(x), SHAPE_TEXT(w));
    gg_shape big = {.n = 4, .d = {x->shape.d[0], w->shape.d[1] * (o->groups ? o->groups : 1)}};
    for (int i = 0; i < 2; i++) {
        const int64_t stride = o->stride[i] ? o->stride[i] : 1, dilation = o->dilation[i] ? o->dilation[i] : 1;
        big.d[2 + i] = (x->shape.d[2 + i] - 1) * stride - 2 * o->padding[i] + dilation * (w->shape.d[2 + i] - 1) + o->output_padding[i] + 1;
        if (big.d[2 + i] < 1 || o->output_padding[i] < 0 || o->output_padding[i] >= (stride > dilation ? stride : dilation))
            return gg__mistake(x->g, GG_EINVAL, "conv_transpose2d of %s by %s: padding %lld, output padding %lld along axis %d", SHAPE_TEXT(x), SHAPE_TEXT(w),
                               (long long)o->padding[i], (long long)o->output_padding[i], i + 2);
    }
    sizes s;
    if (!fill_sizes(&s, x->g, big, w->shape, o))
        return NULL;
    if (!gg__shape_equal(shape_y(&s), x->shape))
        return gg__mistake(x->g, GG_EINVAL, "conv_transpose2d of %s: no output has that shape", SHAPE_TEXT(x));
    return node(x->g, GG__OP_CONV_DX, shape_x(&s), x, w, &s);
}

/* --- columns ---------------------------------------------------------------------------------------------------------------------------- */
/* Positions p of an output axis whose input p stride + at lies in [0, n): [*first, *last). */
static void inside(int64_t *first, int64_t *last, int64_t at, int64_t stride, int64_t n, int64_t n_out)
{
    *first = at < 0 ? (-at + stride - 1) / stride : 0;
    *last = at >= n ? 0 : (n - 1 - at) / stride + 1;
    *last = *last < n_out ? *last : n_out;
    *first = *first < *last ? *first : *last;
}

/* (C / groups kh kw, OH OW) of one image's group; add: the columns are added back to the image instead. */
static void columns(const gg_var *v, const sizes *s, char *x, char *col, bool add)
{
    const gg__loops *l = v->g->loops;
    const int64_t w = gg__width(v), P = s->OH * s->OW;
    for (int64_t c = 0; c < s->C / s->groups; c++)
        for (int64_t i = 0; i < s->kh; i++)
            for (int64_t j = 0; j < s->kw; j++, col += P * w) {
                int64_t y0, y1, x0, x1;
                const int64_t top = i * s->dilation[0] - s->pad[0], left = j * s->dilation[1] - s->pad[1];
                inside(&y0, &y1, top, s->stride[0], s->H, s->OH);
                inside(&x0, &x1, left, s->stride[1], s->W, s->OW);
                if (!add && ((y1 - y0) != s->OH || (x1 - x0) != s->OW))
                    l->fill(col, 0, P);
                for (int64_t y = y0; y < y1 && x0 < x1; y++) {
                    char *from = x + ((c * s->H + y * s->stride[0] + top) * s->W + x0 * s->stride[1] + left) * w, *to = col + (y * s->OW + x0) * w;
                    if (add && s->stride[1] == 1)
                        l->add_to(from, to, x1 - x0);
                    else if (add)
                        l->add_strided(from, s->stride[1], to, x1 - x0);
                    else
                        l->copy(to, from, s->stride[1], x1 - x0);
                }
            }
}

static char *image(const gg_var *x, const sizes *s, int64_t n, int64_t group)
{
    return (char *)x->data + (n * s->C + group * (s->C / s->groups)) * s->H * s->W * gg__width(x);
}

static char *result(const gg_var *y, const sizes *s, int64_t n, int64_t group)
{
    return (char *)y->data + (n * s->O + group * (s->O / s->groups)) * s->OH * s->OW * gg__width(y);
}

static char *filter(const gg_var *w, const sizes *s, int64_t group) { return (char *)w->data + group * (s->O / s->groups) * columns_rows(s) * gg__width(w); }

/* --- by moving the image about ------------------------------------------------------------------------------------------------------------------ */
static const sizes *sizes_of(const gg_var *v) { return &((const plan *)v->plan)->s; }

static void put_in_border(const gg_var *v, const plan *p, char *to, const char *from)
{
    const gg__loops *l = v->g->loops;
    const border *b = &p->b;
    const int64_t w = gg__width(v), y0 = b->top < 0 ? -b->top : 0, x0 = b->left < 0 ? -b->left : 0;
    const int64_t y1 = b->height - b->top < b->H ? b->height - b->top : b->H, x1 = b->width - b->left < b->W ? b->width - b->left : b->W;
    l->fill(to, 0, border_size(b, &p->s));
    for (int64_t c = 0; c < b->C && y0 < y1 && x0 < x1; c++)
        l->copy_lines(to + ((c * b->height + b->top + y0) * b->width + b->left + x0) * w, b->width, from + ((c * b->H + y0) * b->W + x0) * w, b->W, y1 - y0,
                      x1 - x0);
}

/* y: (M, lines, columns) of one image's group = filter (M, rows of the patches) by the patches of x. */
static void moved_image(const gg_var *v, char *y, const char *filter_, char *x, int64_t M, int64_t lines, int64_t columns, int worker)
{
    const gg__loops *l = v->g->loops;
    const plan *p = v->plan;
    const int64_t w = gg__width(v), wide = p->b.width, step = lines_at_once(p, M, lines), K = patch_rows(p);
    char *image_ = gg__scratch(v, worker), *out = image_ + (border_size(&p->b, &p->s) + BEYOND - 1) / BEYOND * BEYOND * w;
    put_in_border(v, p, image_, x);
    for (int64_t first = 0; first < lines; first += step) {
        const int64_t n = lines - first < step ? lines - first : step, N = (n * wide + GG_GEMM_COLUMNS - 1) / GG_GEMM_COLUMNS * GG_GEMM_COLUMNS;
        l->gemm_shifts(out, N, filter_, (gg_strides){K, 1}, image_ + first * wide * w, p->at, M, N, K);
        for (int64_t m = 0; m < M; m++)
            l->copy_lines(y + (m * lines + first) * columns * w, columns, out + m * N * w, wide, n, columns);
    }
}

/* The filter as CONV_DX needs it: (C, O / groups, kh, kw), turned by half a circle. */
static void turn_filter(gg_var *v)
{
    const sizes *s = sizes_of(v);
    const int64_t w = gg__width(v), C = s->C / s->groups, O = s->O / s->groups, k = s->kh * s->kw;
    char *to = v->parts;
    for (int64_t c = 0; c < s->C; c++)
        for (int64_t o = 0; o < O; o++) {
            const char *from = (const char *)v->in[1]->data + ((c / C * O + o) * C + c % C) * k * w;
            for (int64_t i = k - 1; i >= 0; i--, to += w)
                memcpy(to, from + i * w, (size_t)w);
        }
}

/* --- kernels ---------------------------------------------------------------------------------------------------------------------------- */
static void conv_images(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = sizes_of(v);
    void *gemm = gg__scratch(v, worker);
    char *col = (char *)gemm + gg_gemm_scratch();
    const int64_t P = s->OH * s->OW, R = columns_rows(s), O = s->O / s->groups;
    for (int64_t n = first; n < last; n++)
        for (int64_t q = 0; q < s->groups; q++) {
            columns(v, s, image(v->in[0], s, n, q), col, false);
            v->g->loops->gemm(result(v, s, n, q), P, filter(v->in[1], s, q), (gg_strides){R, 1}, col, (gg_strides){P, 1}, O, P, R, false, gemm);
        }
}

static void moved_images(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = sizes_of(v);
    for (int64_t n = first; n < last; n++)
        for (int64_t q = 0; q < s->groups; q++)
            moved_image(v, result(v, s, n, q), filter(v->in[1], s, q), image(v->in[0], s, n, q), s->O / s->groups, s->OH, s->OW, worker);
}

/* in: dy, w */
static void conv_dx_images(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = sizes_of(v);
    void *gemm = gg__scratch(v, worker);
    char *col = (char *)gemm + gg_gemm_scratch();
    const int64_t P = s->OH * s->OW, R = columns_rows(s), O = s->O / s->groups;
    for (int64_t n = first; n < last; n++)
        for (int64_t q = 0; q < s->groups; q++) {
            v->g->loops->gemm(col, P, filter(v->in[1], s, q), (gg_strides){1, R}, result(v->in[0], s, n, q), (gg_strides){P, 1}, R, P, O, false, gemm);
            char *to = image(v, s, n, q);
            v->g->loops->fill(to, 0, s->C / s->groups * s->H * s->W);
            columns(v, s, to, col, true);
        }
}

static void moved_dx_images(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = sizes_of(v);
    const int64_t C = s->C / s->groups, turned = C * patch_rows(v->plan) * gg__width(v); /* bytes of a group's filter */
    for (int64_t n = first; n < last; n++)
        for (int64_t q = 0; q < s->groups; q++)
            moved_image(v, image(v, s, n, q), (const char *)v->parts + q * turned, result(v->in[0], s, n, q), C, s->H, s->W, worker);
}

/* in: x, dy */
static void conv_dw_parts(gg_var *v, int64_t first, int64_t last, int worker)
{
    const sizes *s = sizes_of(v);
    void *gemm = gg__scratch(v, worker);
    char *col = (char *)gemm + gg_gemm_scratch();
    const int64_t P = s->OH * s->OW, R = columns_rows(s), O = s->O / s->groups, b = v->n * gg__width(v);
    for (int64_t part = first; part < last; part++) {
        char *sum = (char *)v->parts + part * b;
        memset(sum, 0, (size_t)b);
        for (int64_t n = s->N * part / PARTS; n < s->N * (part + 1) / PARTS; n++)
            for (int64_t q = 0; q < s->groups; q++) {
                columns(v, s, image(v->in[0], s, n, q), col, false);
                v->g->loops->gemm(sum + q * O * R * gg__width(v), R, result(v->in[1], s, n, q), (gg_strides){P, 1}, col, (gg_strides){1, P}, O, R, P, true,
                                  gemm);
            }
    }
}

/* The same by moving x about: a part is (C k, O) for each group. */
static void moved_dw_parts(gg_var *v, int64_t first, int64_t last, int worker)
{
    const plan *p = v->plan;
    const sizes *s = &p->s;
    const int64_t R = columns_rows(s), O = s->O / s->groups, w = gg__width(v), b = v->n * w;
    char *image_ = gg__scratch(v, worker), *panel = image_ + (border_size(&p->b, s) + BEYOND - 1) / BEYOND * BEYOND * w;
    for (int64_t part = first; part < last; part++) {
        char *sum = (char *)v->parts + part * b;
        memset(sum, 0, (size_t)b);
        for (int64_t n = s->N * part / PARTS; n < s->N * (part + 1) / PARTS; n++)
            for (int64_t q = 0; q < s->groups; q++) {
                put_in_border(v, p, image_, image(v->in[0], s, n, q));
                v->g->loops->gemm_shifts_over(sum + q * O * R * w, O, image_, p->at, p->b.width, result(v->in[1], s, n, q), s->OH, s->OW, R, O, panel);
            }
    }
}

static bool is_moved(const gg_var *v) { return ((const plan *)v->plan)->moved; }
static int64_t cost_of_image(const sizes *s) { return s->OH * s->OW * columns_rows(s) * (s->O / 8 + 1); }

gg_status gg__run_conv(gg_var *v)
{
    const sizes *s = sizes_of(v);
    gg__split(v, s->N, cost_of_image(s), is_moved(v) ? moved_images : conv_images);
    return GG_OK;
}

gg_status gg__run_conv_dx(gg_var *v)
{
    const sizes *s = sizes_of(v);
    if (is_moved(v))
        turn_filter(v);
    gg__split(v, s->N, cost_of_image(s), is_moved(v) ? moved_dx_images : conv_dx_images);
    return GG_OK;
}

static void sum_parts(gg_var *v, char *sum, int64_t first)
{
    for (int64_t part = first; part < PARTS; part++)
        v->g->loops->add_to(sum, (const char *)v->parts + part * v->n * gg__width(v), v->n);
}

/* The parts become one in the first, which is then turned: (C k, O) -> (O, C k). */
static void sum_moved_parts(gg_var *v)
{
    const sizes *s = sizes_of(v);
    const int64_t R = columns_rows(s), O = s->O / s->groups, w = gg__width(v);
    sum_parts(v, v->parts, 1);
    for (int64_t q = 0; q < s->groups; q++)
        for (int64_t o = 0; o < O; o++)
            v->g->loops->copy((char *)v->data + (q * O + o) * R * w, (const char *)v->parts + (q * O * R + o) * w, O, R);
}

gg_status gg__run_conv_dw(gg_var *v)
{
    const sizes *s = sizes_of(v);
    gg__split(v, PARTS, (s->N / PARTS + 1) * cost_of_image(s), is_moved(v) ? moved_dw_parts : conv_dw_parts);
    if (is_moved(v)) {
        sum_moved_parts(v);
    } else {
        v->g->loops->fill(v->data, 0, v->n);
        sum_parts(v, v->data, 0);
    }
    return GG_OK;
}

/* --- gradients: each product's are the two others --------------------------------------------------------------------------------------------- */
void gg__gradient_conv(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const sizes *s = sizes_of(v);
    d_in[0] = wanted[0] ? node(v->g, GG__OP_CONV_DX, shape_x(s), d, v->in[1], s) : NULL;
    d_in[1] = wanted[1] ? node(v->g, GG__OP_CONV_DW, shape_w(s), v->in[0], d, s) : NULL;
}

void gg__gradient_conv_dx(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const sizes *s = sizes_of(v);
    d_in[0] = wanted[0] ? node(v->g, GG__OP_CONV, shape_y(s), d, v->in[1], s) : NULL;
    d_in[1] = wanted[1] ? node(v->g, GG__OP_CONV_DW, shape_w(s), d, v->in[0], s) : NULL;
}

void gg__gradient_conv_dw(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    const sizes *s = sizes_of(v);
    d_in[0] = wanted[0] ? node(v->g, GG__OP_CONV_DX, shape_x(s), v->in[1], d, s) : NULL;
    d_in[1] = wanted[1] ? node(v->g, GG__OP_CONV, shape_y(s), v->in[0], d, s) : NULL;
}
