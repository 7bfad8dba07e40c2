/* The kernels themselves, in vectors of W floats (compilers' vector extensions), compiled once an instruction set: see kernels_isa.h.
 * The includer includes one of isa_*.h before.
 *
 * Order of sums: four running vectors over the whole row, its last part filled with zeros, then a fixed tree; it depends on n alone.
 */
#include "kernels_isa.h"
#include "vector_body.h"

/* To nearest even. A NaN whose payload sits in the low bits would become infinity, so NaN is made quiet before it is cut. */
typedef uint16_t vh __attribute__((vector_size(2 * W)));
typedef uint16_t vhu __attribute__((vector_size(2 * W), aligned(2), may_alias));
typedef uint32_t vw __attribute__((vector_size(4 * W)));
ALWAYS vh to_bf16(vf v)
{
    vw u = (vw)v, rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16, quiet = u >> 16 | 0x40;
    return __builtin_convertvector((vw)SELECT(v != v, (vf)quiet, (vf)rounded), vh);
}
#ifndef NARROW
#define NARROW(v) to_bf16(v)
#endif

/* n <= W numbers of v to place i of an output in float32 or bfloat16. */
ALWAYS void put(void *y, bool narrow, int64_t i, vf v, int64_t n)
{
    if (narrow && n >= W)
        *(vhu *)((uint16_t *)y + i) = (vhu)NARROW(v);
    else if (narrow) {
        uint16_t b[W];
        *(vhu *)b = (vhu)NARROW(v);
        memcpy((uint16_t *)y + i, b, (size_t)n * sizeof *b);
    } else if (n >= W)
        store((float *)y + i, v);
    else
        store_part((float *)y + i, v, n);
}

#define EACH(name, expression)                                 \
    static void name(float *y, const float *x, int64_t n)      \
    {                                                          \
        int64_t i = 0;                                         \
        for (; i + W <= n; i += W) {                           \
            vf v = load(x + i);                                \
            store(y + i, (expression));                        \
        }                                                      \
        if (i < n) {                                           \
            vf v = load_part(x + i, n - i, 0);                 \
            store_part(y + i, (expression), n - i);            \
        }                                                      \
    }
EACH(k_exp, v_exp(v))
EACH(k_silu, v_silu(v))
EACH(k_gelu_tanh, v_gelu_tanh(v))
EACH(k_gelu_erf, v_gelu_erf(v))
EACH(k_tanh, v_tanh(v))
EACH(k_relu, SELECT(v < all(0), all(0), v))
#undef EACH

static void k_softcap(float *y, const float *x, float cap, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        store(y + i, cap * v_tanh(load(x + i) / cap));
    if (i < n)
        store_part(y + i, cap * v_tanh(load_part(x + i, n - i, 0) / cap), n - i);
}

/* ---- plain arithmetic: the compiler makes the vectors */

static void k_mul(float *y, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

static void k_add(float *y, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void k_scale(float *y, float alpha, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = alpha * x[i];
}

static void k_abs_add(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += fabsf(x[i]);
}

static void k_to_bf16(uint16_t *y, const float *x, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W)
        *(vhu *)(y + i) = (vhu)to_bf16(load(x + i));
    if (i < n) {
        uint16_t b[W];
        *(vhu *)b = (vhu)to_bf16(load_part(x + i, n - i, 0));
        memcpy(y + i, b, (size_t)(n - i) * sizeof *b);
    }
}

/* y = act(g) u in one go */
#define GATED(name, act)                                                                                                                 \
    ALWAYS void name##_to(void *y, bool narrow, const float *g, const float *u, int64_t n)                                               \
    {                                                                                                                                    \
        for (int64_t i = 0; i + W <= n; i += W)                                                                                          \
            put(y, narrow, i, act(load(g + i)) * load(u + i), W);                                                                        \
        const int64_t rest = n % W, i = n - rest;                                                                                        \
        if (rest)                                                                                                                        \
            put(y, narrow, i, act(load_part(g + i, rest, 0)) * load_part(u + i, rest, 0), rest);                                         \
    }                                                                                                                                    \
    static void name(void *y, bool narrow, const float *g, const float *u, int64_t n)                                                    \
    {                                                                                                                                    \
        if (narrow)                                                                                                                      \
            name##_to(y, true, g, u, n);                                                                                                 \
        else                                                                                                                             \
            name##_to(y, false, g, u, n);                                                                                                \
    }
ALWAYS vf v_relu(vf v) { return SELECT(v < all(0), all(0), v); }
GATED(k_silu_mul, v_silu)
GATED(k_gelu_tanh_mul, v_gelu_tanh)
GATED(k_gelu_erf_mul, v_gelu_erf)
GATED(k_relu_mul, v_relu)
#undef GATED

/* Sums of 0 x tell whether all are finite. A row so small that 127 / max is infinite becomes zeros. */
typedef int8_t vb __attribute__((vector_size(W)));
typedef int8_t vbu __attribute__((vector_size(W), aligned(1), may_alias));
static float k_to_i8(int8_t *y, const float *x, int64_t n)
{
    vf most[4] = {{0}}, zero[4] = {{0}};
    int64_t i = 0;
#define MEET(v, j)                                               \
    do {                                                         \
        most[j] = MAX((vf)((vi)(v) & INT32_MAX), most[j]);       \
        zero[j] = FMA(v, all(0), zero[j]);                       \
    } while (0)
    for (; i + 4 * W <= n; i += 4 * W)
        for (int j = 0; j < 4; j++)
            MEET(load(x + i + j * W), j);
    for (; i < n; i += W)
        MEET(n - i < W ? load_part(x + i, n - i, 0) : load(x + i), 0);
#undef MEET
    const float max = max_of(MAX(MAX(most[0], most[1]), MAX(most[2], most[3])));
    const float inverse = 127 / max, is_zero = sum_of((zero[0] + zero[1]) + (zero[2] + zero[3]));
    if (is_zero != 0 || isinf(inverse)) {
        memset(y, 0, (size_t)n);
        return is_zero != 0 ? NAN : 0;
    }
#define ROUND(v) __builtin_convertvector((vi)((v) * inverse + 0x1.8p23f) - 0x4b400000, vb)
    for (i = 0; i + W <= n; i += W)
        *(vbu *)(y + i) = (vbu)ROUND(load(x + i));
    if (i < n) {
        const vb b = ROUND(load_part(x + i, n - i, 0));
        memcpy(y + i, &b, (size_t)(n - i));
    }
#undef ROUND
    return max / 127;
}

typedef int32_t viu __attribute__((vector_size(4 * W), aligned(4), may_alias));
static void k_from_i32(float *y, const int32_t *x, float a, const float *w, const float *b, int64_t n)
{
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf v = __builtin_convertvector((vi) * (const viu *)(x + i), vf) * (a * load(w + i));
        store(y + i, b ? v + load(b + i) : v);
    }
    for (; i < n; i++) {
        int32_t whole;
        memcpy(&whole, x + i, sizeof whole); /* y and x may be one */
        const float v = (float)whole * (a * w[i]);
        y[i] = b ? v + b[i] : v;
    }
}

static bool k_all_finite(const float *x, int64_t n)
{
    vi bad = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W)
        bad |= ((vi)load(x + i) & 0x7f800000) == 0x7f800000;
    if (i < n)
        bad |= ((vi)load_part(x + i, n - i, 0) & 0x7f800000) == 0x7f800000;
    return !ANY(bad);
}

static void k_rope(float *x, const float *c, const float *s, int64_t n_heads, int64_t d_head, int64_t n_rot)
{
    int64_t half = n_rot / 2;
    for (int64_t h = 0; h < n_heads; h++, x += d_head)
        for (int64_t i = 0; i < half; i++) {
            float a = x[i], b = x[i + half];
            x[i] = a * c[i] - b * s[i];
            x[i + half] = b * c[i] + a * s[i];
        }
}

/* ---- sums over a row */

/* `term` is an expression in v (part of x, or of a with w part of b), added up over the row. */
#define SUM_ROW(result, n, load_full, load_last, term)          \
    do {                                                        \
        vf s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};              \
        int64_t i = 0;                                          \
        for (; i + 4 * W <= (n); i += 4 * W) {                  \
            { load_full(i); s0 = term(s0); }                    \
            { load_full(i + W); s1 = term(s1); }                \
            { load_full(i + 2 * W); s2 = term(s2); }            \
            { load_full(i + 3 * W); s3 = term(s3); }            \
        }                                                       \
        for (; i + W <= (n); i += W) {                          \
            load_full(i);                                       \
            s0 = term(s0);                                      \
        }                                                       \
        if (i < (n)) {                                          \
            load_last(i, (n) - i);                              \
            s1 = term(s1);                                      \
        }                                                       \
        (result) = sum_of((s0 + s1) + (s2 + s3));               \
    } while (0)

static float k_dot(const float *a, const float *b, int64_t n)
{
    float r;
#define FULL(at) vf v = load(a + (at)), w = load(b + (at))
#define LAST(at, m) vf v = load_part(a + (at), (m), 0), w = load_part(b + (at), (m), 0)
#define TERM(s) FMA(v, w, s)
    SUM_ROW(r, n, FULL, LAST, TERM);
#undef FULL
#undef LAST
#undef TERM
    return r;
}

static float row_sum(const float *x, int64_t n)
{
    float r;
#define FULL(at) vf v = load(x + (at))
#define LAST(at, m) vf v = load_part(x + (at), (m), 0)
#define TERM(s) (s + v)
    SUM_ROW(r, n, FULL, LAST, TERM);
#undef FULL
#undef LAST
#undef TERM
    return r;
}

static float row_max(const float *x, int64_t n)
{
    vf m = all(-INFINITY);
    int64_t i = 0;
    for (; i + W <= n; i += W)
        m = MAX(load(x + i), m);
    if (i < n)
        m = MAX(load_part(x + i, n - i, -INFINITY), m);
    return max_of(m);
}

/* x = exp(x - max) in place; gives the sum */
static float exp_row(float *x, float max, int64_t n)
{
    vf s = {0};
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        vf e = v_exp(load(x + i) - max);
        store(x + i, e);
        s += e;
    }
    if (i < n) {
        vf e = v_exp(load_part(x + i, n - i, -INFINITY) - max);
        store_part(x + i, e, n - i);
        s += e; /* the filling gave zeros */
    }
    return sum_of(s);
}

static void k_softmax(float *x, int64_t n)
{
    float sum = exp_row(x, row_max(x, n), n);
    k_scale(x, 1.0f / sum, x, n);
}

static double k_logsumexp(const float *x, int64_t n)
{
    float max = row_max(x, n), e[W];
    if (isinf(max)) { /* nothing to subtract from: log 0 or inf, unless there is a NaN, which max passes by */
        for (int64_t i = 0; i < n; i++)
            if (isnan(x[i]))
                return NAN;
        return max;
    }
    double part[W] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i += W) {
        store(e, v_exp((n - i < W ? load_part(x + i, n - i, -INFINITY) : load(x + i)) - max));
        for (int j = 0; j < W; j++)
            part[j] += (double)e[j];
    }
    for (int j = 0; j < W; j++)
        sum += part[j];
    return (double)max + log(sum);
}

/* x += d (NULL: nothing), then y = x / rms (offset + w). The sum of squares is k_dot's. */
ALWAYS void rms_norm_row(void *y, bool narrow, float *x, const float *d, const float *w, float offset, float eps, int64_t n)
{
    float square;
    if (d) {
#define FULL(at) vf v = load(x + (at)) + load(d + (at)); store(x + (at), v)
#define LAST(at, m) vf v = load_part(x + (at), (m), 0) + load_part(d + (at), (m), 0); store_part(x + (at), v, (m))
#define TERM(s) FMA(v, v, s)
        SUM_ROW(square, n, FULL, LAST, TERM);
#undef FULL
#undef LAST
#undef TERM
    } else
        square = k_dot(x, x, n);
    const float r = 1.0f / sqrtf(square / (float)n + eps);
    for (int64_t i = 0; i < n; i += W) {
        const int64_t m = n - i < W ? n - i : W;
        vf v = (m < W ? load_part(x + i, m, 0) : load(x + i)) * r;
        put(y, narrow, i, w ? v * (offset + (m < W ? load_part(w + i, m, 0) : load(w + i))) : v, m);
    }
}

static void k_rms_norm(float *y, const float *x, const float *w, float offset, float eps, int64_t n)
{
    rms_norm_row(y, false, (float *)(uintptr_t)x, NULL, w, offset, eps, n); /* without a d, x is only read */
}

static void k_add_rms_norm(void *y, bool narrow, float *x, const float *d, const float *w, float offset, float eps, int64_t n)
{
    if (narrow)
        rms_norm_row(y, true, x, d, w, offset, eps, n);
    else
        rms_norm_row(y, false, x, d, w, offset, eps, n);
}

static void k_layer_norm(float *y, const float *x, const float *w, const float *b, float eps, int64_t n)
{
    float mean = row_sum(x, n) / (float)n;
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] - mean;
    float r = 1.0f / sqrtf(k_dot(y, y, n) / (float)n + eps);
    for (int64_t i = 0; i < n; i++) {
        float v = y[i] * r * (w ? w[i] : 1.0f);
        y[i] = b ? v + b[i] : v;
    }
}

/* ---- the k largest */

/* NaN below all, -0 and 0 alike: the order of floats as an order of integers */
ALWAYS int32_t rank_of(float x)
{
    int32_t i;
    x += 0.0f;
    memcpy(&i, &x, 4);
    return x != x ? INT32_MIN : i >= 0 ? i : INT32_MIN - i;
}

/* a after b in the result */
ALWAYS bool after(const float *x, int32_t a, int32_t b)
{
    int32_t ra = rank_of(x[a]), rb = rank_of(x[b]);
    return ra < rb || (ra == rb && a > b);
}

static void sift_down(int32_t *heap, const float *x, int64_t n, int64_t at)
{
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && after(x, heap[child + 1], heap[child]))
            child++;
        if (!after(x, heap[child], heap[at]))
            return;
        int32_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
    }
}

/* Many: a heap with the last of the chosen on top, then sorted in place. */
static void top_many(int32_t *index, const float *x, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        index[i] = (int32_t)i;
    for (int64_t i = k / 2; i-- > 0;)
        sift_down(index, x, k, i);
    for (int64_t i = k; i < n; i++)
        if (after(x, index[0], (int32_t)i)) {
            index[0] = (int32_t)i;
            sift_down(index, x, k, 0);
        }
    for (int64_t left = k; left-- > 1;) {
        int32_t t = index[0];
        index[0] = index[left];
        index[left] = t;
        sift_down(index, x, left, 0);
    }
}

/* Few: a sorted list; whole vectors that hold nothing above its last member are skipped. */
enum { FEW = 64 };
static void top_few(int32_t *index, const float *x, int64_t n, int64_t k)
{
    int32_t rank[FEW];
    int64_t have = 0;
    float last = -INFINITY;
    for (int64_t i = 0; i < n; i += W) {
        if (have == k && i + W <= n && !ANY(~(load(x + i) <= all(last)))) /* a NaN passes and is refused below */
            continue;
        for (int64_t j = i; j < n && j < i + W; j++) {
            int32_t r = rank_of(x[j]);
            if (have == k && r <= rank[k - 1])
                continue;
            int64_t at = have < k ? have++ : k - 1;
            for (; at > 0 && rank[at - 1] < r; at--) {
                rank[at] = rank[at - 1];
                index[at] = index[at - 1];
            }
            rank[at] = r;
            index[at] = (int32_t)j;
        }
        last = x[index[have - 1]];
    }
}

static void k_top_k(int32_t *index, float *value, const float *x, int64_t n, int64_t k)
{
    if (k > n)
        k = n;
    if (k <= 0)
        return;
    (k <= FEW ? top_few : top_many)(index, x, n, k);
    if (value)
        for (int64_t i = 0; i < k; i++)
            value[i] = x[index[i]];
}

#include "attention_body.h"

const gg__kernels ISA(gg__kernels) = {
    .name = ISA_NAME,
    .exp = k_exp,
    .silu = k_silu,
    .gelu_tanh = k_gelu_tanh,
    .gelu_erf = k_gelu_erf,
    .relu = k_relu,
    .tanh = k_tanh,
    .softcap = k_softcap,
    .silu_mul = k_silu_mul,
    .gelu_tanh_mul = k_gelu_tanh_mul,
    .gelu_erf_mul = k_gelu_erf_mul,
    .relu_mul = k_relu_mul,
    .mul = k_mul,
    .add = k_add,
    .scale = k_scale,
    .dot = k_dot,
    .abs_add = k_abs_add,
    .to_bf16 = k_to_bf16,
    .to_i8 = k_to_i8,
    .from_i32 = k_from_i32,
    .all_finite = k_all_finite,
    .softmax = k_softmax,
    .logsumexp = k_logsumexp,
    .rms_norm = k_rms_norm,
    .add_rms_norm = k_add_rms_norm,
    .layer_norm = k_layer_norm,
    .rope = k_rope,
    .attention = k_attention,
    .top_k = k_top_k,
};
