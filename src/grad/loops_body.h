/* The loops of one number format and instruction set. The includer defines T, NAME(x), F64 (0 or 1) and, before, one of math/isa_*.h and
 * math/vector_body.h.
 *
 * Simple arithmetic is written for one number and made into vectors by the compiler. Functions of float go through the vectors of
 * vector_body.h, those of double through libm: double is for checking gradients, not for speed.
 * NaN goes through max, min, relu and clip, as in PyTorch.
 */
#ifdef __clang__ /* its word for this is a demand, and not met where libm is called */
#define SAME_PLACE
#else /* y may be x, but never overlaps it otherwise: without this gcc takes the slow way then */
#define SAME_PLACE _Pragma("GCC ivdep")
#endif
#define RANGE(...)                                \
    SAME_PLACE for (int64_t i = 0; i < n; i++)    \
    {                                             \
        __VA_ARGS__;                              \
    }

#define LOOP1(name, expression)                                                         \
    static void NAME(name)(void *py, const void *px, int64_t n, const double *f)        \
    {                                                                                   \
        (void)f;                                                                        \
        T *y = py;                                                                      \
        const T *px_ = px;                                                              \
        RANGE(const T x = px_[i]; y[i] = (T)(expression))                               \
    }
#if F64
#define LOOP1V(name, vector, number) LOOP1(name, number)
#else
#define LOOP1V(name, vector, number)                                                    \
    static void NAME(name)(void *py, const void *px, int64_t n, const double *f)        \
    {                                                                                   \
        (void)f;                                                                        \
        float *y = py;                                                                  \
        const float *from = px;                                                         \
        int64_t i = 0;                                                                  \
        for (; i + W <= n; i += W) {                                                    \
            const vf x = load(from + i);                                                \
            store(y + i, vector);                                                       \
        }                                                                               \
        if (i < n) {                                                                    \
            const vf x = load_part(from + i, n - i, 1);                                 \
            store_part(y + i, vector, n - i);                                           \
        }                                                                               \
    }
#endif
#if F64
#define M_(name) name
#else
#define M_(name) name##f
#endif

#define PHI(x) (0.39894228040143267794 * exp(-0.5 * (double)(x) * (x)))
LOOP1(neg, -x)
LOOP1(abs, x < 0 ? -x : x)
LOOP1(sign, x > 0 ? 1 : x < 0 ? -1 : x)
LOOP1(square, x * x)
LOOP1(reciprocal, 1 / x)
LOOP1(sqrt, M_(sqrt)(x))
LOOP1(rsqrt, 1 / M_(sqrt)(x))
LOOP1V(exp, v_exp(x), exp(x))
LOOP1V(log, v_log(x), log(x))
LOOP1(sin, M_(sin)(x))
LOOP1(cos, M_(cos)(x))
LOOP1V(tanh, v_tanh(x), tanh(x))
LOOP1V(sigmoid, v_sigmoid(x), x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)))
LOOP1V(softplus, v_softplus(x), (x > 0 ? x : 0) + log1p(exp(-fabs(x))))
LOOP1(erf, M_(erf)(x))
LOOP1V(gelu, v_gelu_erf(x), x * 0.5 * erfc(-0.70710678118654752440 * x))
LOOP1V(gelu_tanh, v_gelu_tanh(x), 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))
LOOP1V(silu, v_silu(x), x / (1 + exp(-x)))
LOOP1(relu, x < 0 ? 0 : x)
LOOP1(step, x > 0)
LOOP1(scale, x * (T)f[0])
LOOP1(shift, x + (T)f[0])
LOOP1(pow, M_(pow)(x, (T)f[0]))
LOOP1(clip, x < (T)f[0] ? (T)f[0] : x > (T)f[1] ? (T)f[1] : x)
LOOP1(leaky_relu, x < 0 ? x * (T)f[0] : x)
LOOP1(elu, x > 0 ? x : (T)f[0] * M_(expm1)(x))

#define LOOP2(name, expression)                                                                                                          \
    static void NAME(name)(void *py, const void *pa, int64_t sa, const void *pb, int64_t sb, int64_t n, const double *f)                  \
    {                                                                                                                                    \
        (void)f;                                                                                                                         \
        T *y = py;                                                                                                                       \
        const T *a_ = pa, *b_ = pb;                                                                                                      \
        if (sa == 1 && sb == 1) {                                                                                                        \
            RANGE(const T a = a_[i], b = b_[i]; y[i] = (T)(expression))                                                                  \
        } else if (sa == 1 && sb == 0) {                                                                                                 \
            const T b = *b_;                                                                                                             \
            RANGE(const T a = a_[i]; y[i] = (T)(expression))                                                                             \
        } else if (sa == 0 && sb == 1) {                                                                                                 \
            const T a = *a_;                                                                                                             \
            RANGE(const T b = b_[i]; y[i] = (T)(expression))                                                                             \
        } else {                                                                                                                         \
            RANGE(const T a = a_[i * sa], b = b_[i * sb]; y[i] = (T)(expression))                                                        \
        }                                                                                                                                \
    }
#if F64
#define LOOP2V(name, vector, number) LOOP2(name, number)
#else
/* d and x of one size: gradients are never broadcast */
#define LOOP2V(name, vector, number)                                                                                                     \
    static void NAME(name)(void *py, const void *pa, int64_t sa, const void *pb, int64_t sb, int64_t n, const double *f)                  \
    {                                                                                                                                    \
        (void)f;                                                                                                                         \
        float *y = py;                                                                                                                   \
        const float *a_ = pa, *b_ = pb;                                                                                                  \
        for (int64_t i = 0; i < n; i += W) {                                                                                             \
            const int64_t m = n - i < W ? n - i : W;                                                                                     \
            float pa_[W] = {0}, pb_[W] = {0};                                                                                            \
            vf a, b;                                                                                                                     \
            if (m == W && sa == 1 && sb == 1) {                                                                                          \
                a = load(a_ + i);                                                                                                        \
                b = load(b_ + i);                                                                                                        \
                store(y + i, vector);                                                                                                    \
                continue;                                                                                                                \
            }                                                                                                                            \
            for (int64_t j = 0; j < m; j++) {                                                                                            \
                pa_[j] = a_[(i + j) * sa];                                                                                               \
                pb_[j] = b_[(i + j) * sb];                                                                                               \
            }                                                                                                                            \
            a = load(pa_);                                                                                                               \
            b = load(pb_);                                                                                                               \
            store_part(y + i, vector, m);                                                                                                \
        }                                                                                                                                \
    }
#endif
LOOP2(add, a + b)
LOOP2(sub, a - b)
LOOP2(mul, a *b)
LOOP2(div, a / b)
LOOP2(max, a >= b || a != a ? a : b)
LOOP2(min, a <= b || a != a ? a : b)
LOOP2(less, a < b)
LOOP2(less_equal, a <= b)
LOOP2(equal, a == b)
LOOP2(tanh_grad, a *(1 - b * b))
LOOP2(sigmoid_grad, a *(b * (1 - b)))
LOOP2V(gelu_grad, a * v_gelu_slope(b), a *(0.5 * erfc(-0.70710678118654752440 * b) + b * PHI(b)))
LOOP2V(gelu_tanh_grad, a * v_gelu_tanh_slope(b), a *NAME(gelu_tanh_slope)(b))
LOOP2V(silu_grad, a * v_silu_slope(b), a *NAME(silu_slope)(b))
LOOP2(relu_grad, b > 0 ? a : 0 * a)
LOOP2(clip_grad, b < (T)f[0] || b > (T)f[1] ? 0 * a : a)
LOOP2(leaky_relu_grad, b > 0 ? a : a * (T)f[0])
LOOP2(elu_grad, b > 0 ? a : a * ((T)f[0] * M_(exp)(b)))

static void NAME(where)(void *py, const void *pc, int64_t sc, const void *pa, int64_t sa, const void *pb, int64_t sb, int64_t n)
{
    T *y = py;
    const T *c = pc, *a = pa, *b = pb;
    RANGE(y[i] = c[i * sc] != 0 ? a[i * sa] : b[i * sb])
}

static void NAME(copy)(void *py, const void *px, int64_t sx, int64_t n)
{
    T *y = py;
    const T *x = px;
    if (sx == 1)
        memcpy(y, x, (size_t)n * sizeof(T));
    else
        RANGE(y[i] = x[i * sx])
}

static void NAME(fill)(void *py, double value, int64_t n)
{
    T *y = py;
    RANGE(y[i] = (T)value)
}

/* ---- over a row. Sums run in 4 W lanes and join in a fixed tree, so they depend on n alone */
#define SUM_LANES (4 * W)
/* The rounds of the tree are written out: in a loop over them the lanes would go through memory. */
#define SUM_HALF(half)                                                        \
    for (int64_t l_ = 0; l_ < (half) && (half) < SUM_LANES; l_++)             \
        lane_[l_] += lane_[(l_ + (half)) % SUM_LANES];
#define SUM_OF(result, term)                                            \
    T result;                                                           \
    {                                                                   \
        T lane_[SUM_LANES] = {0};                                       \
        int64_t i = 0;                                                  \
        for (; i + SUM_LANES <= n; i += SUM_LANES)                      \
            for (int64_t l_ = 0; l_ < SUM_LANES; l_++) {                \
                const int64_t at = i + l_;                              \
                lane_[l_] += (term);                                    \
            }                                                           \
        for (int64_t l_ = 0; i + l_ < n; l_++) {                        \
            const int64_t at = i + l_;                                  \
            lane_[l_] += (term);                                        \
        }                                                               \
        SUM_HALF(32) SUM_HALF(16) SUM_HALF(8) SUM_HALF(4) SUM_HALF(2) SUM_HALF(1) \
        result = lane_[0];                                              \
    }

/* Long rows are summed in blocks, and the blocks in double: the error does not grow with the length. */
static double NAME(sum)(const void *px, int64_t all)
{
    double total = 0;
    for (int64_t first = 0; first < all; first += 4096) {
        const T *x = (const T *)px + first;
        const int64_t n = all - first < 4096 ? all - first : 4096;
        SUM_OF(s, x[at])
        total += (double)s;
    }
    return total;
}

static double NAME(sum_squares)(const void *px, int64_t all)
{
    double total = 0;
    for (int64_t first = 0; first < all; first += 4096) {
        const T *x = (const T *)px + first;
        const int64_t n = all - first < 4096 ? all - first : 4096;
        SUM_OF(s, x[at] * x[at])
        total += (double)s;
    }
    return total;
}

static double NAME(amax)(const void *px, int64_t n)
{
    const T *x = px;
    T most = x[0];
    bool nan = false;
    RANGE(most = x[i] > most ? x[i] : most; nan |= x[i] != x[i])
    return nan ? NAN : (double)most;
}

static void NAME(add_to)(void *py, const void *px, int64_t n)
{
    T *y = py;
    const T *x = px;
    RANGE(y[i] += x[i])
}

/* y += the sum of rows ldx apart, one row after the other; columns stay in registers meanwhile */
static void NAME(add_rows)(void *py, const void *px, int64_t ldx, int64_t rows, int64_t n)
{
    int64_t first = 0;
#define COLUMNS_(wide)                                          \
    for (; first + (wide) <= n && rows > 0; first += (wide)) {  \
        const T *x = (const T *)px + first;                     \
        T *y = (T *)py + first, sum[wide];                      \
        for (int i = 0; i < (wide); i++)                        \
            sum[i] = x[i];                                      \
        for (int64_t r = 1; r < rows; r++)                      \
            for (int i = 0; i < (wide); i++)                    \
                sum[i] += x[r * ldx + i];                       \
        for (int i = 0; i < (wide); i++)                        \
            y[i] += sum[i];                                     \
    }
    COLUMNS_(4 * W)
    COLUMNS_(W)
    COLUMNS_(W / 2)
    COLUMNS_(1)
#undef COLUMNS_
}

static void NAME(add_strided)(void *py, int64_t sy, const void *px, int64_t n)
{
    T *y = py;
    const T *x = px;
    RANGE(y[i * sy] += x[i])
}

static void NAME(max_to)(void *py, const void *px, int64_t n)
{
    T *y = py;
    const T *x = px;
    RANGE(y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i])
}

static int64_t NAME(argmax)(const void *px, int64_t n)
{
    const T *x = px;
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

/* y = e^(x - shift); returns the sum. */
static T NAME(exp_sum)(T *y, const T *x, T shift, int64_t n)
{
#if F64
    RANGE(y[i] = exp(x[i] - shift))
#else
    int64_t j = 0;
    for (; j + W <= n; j += W)
        store(y + j, v_exp(load(x + j) - all(shift)));
    if (j < n)
        store_part(y + j, v_exp(load_part(x + j, n - j, 0) - all(shift)), n - j);
#endif
    SUM_OF(s, y[at])
    return s;
}

static void NAME(softmax)(void *py, const void *px, int64_t n)
{
    T *y = py;
    const T s = 1 / NAME(exp_sum)(y, px, (T)NAME(amax)(px, n), n);
    RANGE(y[i] *= s)
}

static void NAME(softmax_grad)(void *pdx, const void *pd, const void *py, int64_t n)
{
    T *dx = pdx;
    const T *d = pd, *y = py;
    SUM_OF(s, d[at] * y[at])
    RANGE(dx[i] = y[i] * (d[i] - s))
}

/* The sum of exponentials without keeping them: in chunks that stay in the first cache. */
static double NAME(logsumexp)(const void *px, int64_t all)
{
    const T *x = px;
    const T most = (T)NAME(amax)(px, all);
    double total = 0;
    T e[512];
    for (int64_t first = 0; first < all; first += 512)
        total += (double)NAME(exp_sum)(e, x + first, most, all - first < 512 ? all - first : 512);
    return (double)most + log(total);
}

static void NAME(log_softmax)(void *py, const void *px, int64_t n)
{
    T *y = py;
    const T *x = px;
    const T most = (T)NAME(amax)(px, n), rest = (T)(NAME(logsumexp)(px, n) - (double)most);
    RANGE(y[i] = (x[i] - most) - rest)
}

static void NAME(log_softmax_grad)(void *pdx, const void *pd, const void *py, int64_t n)
{
    T *dx = pdx;
    const T *d = pd, *y = py;
    SUM_OF(s, d[at])
    T e[512];
    for (int64_t first = 0; first < n; first += 512) {
        const int64_t m = n - first < 512 ? n - first : 512;
        NAME(exp_sum)(e, y + first, 0, m);
        for (int64_t i = 0; i < m; i++)
            dx[first + i] = d[first + i] - e[i] * s;
    }
}

static void NAME(cross_entropy_grad)(void *pdx, double d, const void *px, int64_t target, int64_t n)
{
    T *dx = pdx;
    const T s = (T)d / NAME(exp_sum)(dx, px, (T)NAME(amax)(px, n), n);
    RANGE(dx[i] *= s)
    dx[target] -= (T)d;
}

static void NAME(gemm_)(void *C, int64_t ldc, const void *A, gg_strides a, const void *B, gg_strides b, int64_t M, int64_t N, int64_t K, bool add,
                        void *scratch)
{
    NAME(gg_gemm)(C, ldc, A, a, B, b, M, N, K, add, scratch);
}

static void NAME(gemm_from)(void *C, int64_t ldc, const void *from, int64_t ldf, const void *A, gg_strides a, const void *B, gg_strides b, const void *packed,
                            int64_t M, int64_t N, int64_t K, void *scratch)
{
    NAME(gg_gemm_from)(C, ldc, from, ldf, A, a, B, b, packed, M, N, K, scratch);
}

static void NAME(gemm_pack)(void *to, const void *B, gg_strides b, int64_t N, int64_t K, int64_t first, int64_t last)
{
    NAME(gg_gemm_pack)(to, B, b, N, K, first, last);
}

static void NAME(dots)(void *y, const void *B, int64_t ldb, const void *x, const void *bias, int64_t N, int64_t K) { NAME(gg_dots)(y, B, ldb, x, bias, N, K); }

static void NAME(gemm_shifts)(void *C, int64_t ldc, const void *A, gg_strides a, const void *X, const int64_t *at, int64_t M, int64_t N, int64_t K)
{
    NAME(gg_gemm_shifts)(C, ldc, A, a, X, at, M, N, K);
}

static void NAME(gemm_shifts_over)(void *C, int64_t ldc, const void *X, const int64_t *at, int64_t below, const void *D, int64_t height, int64_t width,
                                   int64_t M, int64_t N, void *panel)
{
    NAME(gg_gemm_shifts_over)(C, ldc, X, at, below, D, height, width, M, N, panel);
}

static void NAME(turn)(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t M, int64_t N) { NAME(gg_turn)(y, ldy, x, ldx, M, N); }
static void NAME(copy_lines)(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t rows, int64_t n) { NAME(gg_copy_lines)(y, ldy, x, ldx, rows, n); }

static bool NAME(all_finite)(const void *px, int64_t n)
{
    const T *x = px;
    T bad = 0;
    RANGE(bad += x[i] * 0)
    return bad == 0;
}

static void NAME(larger)(void *pbest, int32_t *index, const void *px, int64_t stride, int64_t at, int64_t n)
{
    T *best = pbest;
    const T *x = px;
    if (!index)
        RANGE(best[i] = x[i * stride] > best[i] || x[i * stride] != x[i * stride] ? x[i * stride] : best[i])
    else
        RANGE(const T here = x[i * stride]; const bool more = here > best[i] || here != here; best[i] = more ? here : best[i];
              index[i] = more ? (int32_t)(at + i * stride) : index[i])
}

/* ---- normalisation, attention, rotation */
static void NAME(moments)(T *mean, T *r, const T *x, int64_t n, double eps, bool layer)
{
    *mean = 0;
    if (layer) {
        SUM_OF(s, x[at])
        *mean = s / (T)n;
    }
    const T m = *mean;
    SUM_OF(square, (x[at] - m) * (x[at] - m))
    *r = 1 / M_(sqrt)(square / (T)n + (T)eps);
}

static void NAME(norm)(void *py, const void *px, const void *pw, const void *pb, int64_t n, double eps, bool layer)
{
    T *y = py, m, r;
    const T *x = px, *w = pw, *b = pb;
    NAME(moments)(&m, &r, x, n, eps, layer);
    if (b)
        RANGE(y[i] = (x[i] - m) * r * w[i] + b[i])
    else
        RANGE(y[i] = (x[i] - m) * r * w[i])
}

static void NAME(norm_dx)(void *pdx, const void *px, const void *pw, const void *pd, int64_t n, double eps, bool layer)
{
    T *dx = pdx, m, r;
    const T *x = px, *w = pw, *d = pd;
    NAME(moments)(&m, &r, x, n, eps, layer);
    SUM_OF(g, d[at] * w[at])
    SUM_OF(gh, d[at] * w[at] * ((x[at] - m) * r))
    const T mean_g = layer ? g / (T)n : 0, mean_gh = gh / (T)n;
    RANGE(dx[i] = r * (d[i] * w[i] - mean_g - (x[i] - m) * r * mean_gh))
}

static void NAME(norm_dw)(void *pdw, const void *px, const void *pd, int64_t n, double eps, bool layer)
{
    T *dw = pdw, m, r;
    const T *x = px, *d = pd;
    NAME(moments)(&m, &r, x, n, eps, layer);
    RANGE(dw[i] += d[i] * ((x[i] - m) * r))
}

static void NAME(attention_ds)(void *pdp, const void *pp, int64_t all, const void *pd, const void *po, int64_t n, double scale)
{
    T *dp = pdp, own;
    const T *p = pp, *d = pd, *o = po;
    {
        SUM_OF(s, d[at] * o[at])
        own = s;
    }
    n = all;
    RANGE(dp[i] = p[i] * (dp[i] - own) * (T)scale)
}

static void NAME(rotate)(void *py, const void *px, const double *c, const double *s, double sign, int64_t n, int64_t all)
{
    T *y = py;
    const T *x = px;
    RANGE(const T a = x[i], b = x[i + n], cos_ = (T)c[i], sin_ = (T)(sign * s[i]); y[i] = a * cos_ - b * sin_; y[i + n] = a * sin_ + b * cos_)
    if (y != x && all > 2 * n)
        memcpy(y + 2 * n, x + 2 * n, (size_t)(all - 2 * n) * sizeof(T));
}

/* ---- gates of recurrent cells: in vectors of LANES_; the last vector of a row lies over the one before, so results are written twice and not summed */
#if F64
#define V_ double
#define LANES_ 1
#define AT(p) ((p)[j])
#define PUT(p, x) ((p)[j] = (x))
#define SIG(x) (1 / (1 + exp(-(x))))
#define TANH(x) tanh(x)
#else
#define V_ vf
#define LANES_ W
#define AT(p) (m == W ? load((p) + j) : load_part((p) + j, m, 0))
#define PUT(p, x) (m == W ? store((p) + j, (x)) : store_part((p) + j, (x), m))
#define SIG(x) v_sigmoid(x)
#define TANH(x) v_tanh(x)
#endif
#define CELL(name, ...)                                                                                                         \
    static void NAME(name)(void *py, const void *pa, const void *pb, const void *pc, const void *pd, const void *pe, int64_t n) \
    {                                                                                                                           \
        T *y = py;                                                                                                              \
        const T *a = pa, *b = pb, *c = pc, *d = pd, *e = pe;                                                                    \
        (void)a, (void)b, (void)c, (void)d, (void)e;                                                                            \
        for (int64_t j = 0; j < n; j += LANES_) {                                                                               \
            const int64_t m = n < LANES_ ? n : LANES_;                                                                          \
            (void)m;                                                                                                            \
            if (j + LANES_ > n && n > LANES_)                                                                                   \
                j = n - LANES_;                                                                                                 \
            __VA_ARGS__                                                                                                         \
        }                                                                                                                       \
    }
CELL(lstm_gates, PUT(y, SIG(AT(a))); PUT(y + n, SIG(AT(a + n))); PUT(y + 2 * n, TANH(AT(a + 2 * n))); PUT(y + 3 * n, SIG(AT(a + 3 * n)));)
#define GATE_SLOPE(s, d) ((d) * ((s) * (1 - (s))))
/* a: s, b: ds */
CELL(lstm_gates_da, const V_ i = AT(a), f = AT(a + n), g = AT(a + 2 * n), o = AT(a + 3 * n); PUT(y, GATE_SLOPE(i, AT(b))); PUT(y + n, GATE_SLOPE(f, AT(b + n)));
     PUT(y + 2 * n, AT(b + 2 * n) * (1 - g * g)); PUT(y + 3 * n, GATE_SLOPE(o, AT(b + 3 * n)));)
/* a: s, b: c */
CELL(lstm_cell, PUT(y, AT(a + n) * AT(b) + AT(a) * AT(a + 2 * n));)
/* a: s, b: c, c: d */
CELL(lstm_cell_ds, const V_ u = AT(c); PUT(y, u * AT(a + 2 * n)); PUT(y + n, u * AT(b)); PUT(y + 2 * n, u * AT(a)); PUT(y + 3 * n, u * 0);)
/* a: s, b: d */
CELL(lstm_cell_dc, PUT(y, AT(b) * AT(a + n));)
/* a: s, b: t */
CELL(lstm_hidden, PUT(y, AT(a + 3 * n) * AT(b));)
/* a: s, b: t, c: d */
CELL(lstm_hidden_ds, const V_ u = AT(c), none = u * 0; PUT(y, none); PUT(y + n, none); PUT(y + 2 * n, none); PUT(y + 3 * n, u * AT(b));)
/* a: s, b: d */
CELL(lstm_hidden_dt, PUT(y, AT(b) * AT(a + 3 * n));)
/* a: s, b: c, c: d of c', d: t, e: d of h: the gates' slopes of both */
CELL(lstm_da, const V_ i = AT(a), f = AT(a + n), g = AT(a + 2 * n), o = AT(a + 3 * n), u = AT(c), v = AT(e) * AT(d);
     PUT(y, GATE_SLOPE(i, u * g)); PUT(y + n, GATE_SLOPE(f, u * AT(b))); PUT(y + 2 * n, u * i * (1 - g * g)); PUT(y + 3 * n, GATE_SLOPE(o, v));)
#undef GATE_SLOPE
/* a: x, b: y, c: h, d: d */
CELL(gru_cell, const V_ r = SIG(AT(a) + AT(b)), z = SIG(AT(a + n) + AT(b + n)), t = TANH(AT(a + 2 * n) + r * AT(b + 2 * n)); PUT(y, t + z * (AT(c) - t));)
#define GRU_BACK(last)                                                                                                                                        \
    const V_ r = SIG(AT(a) + AT(b)), z = SIG(AT(a + n) + AT(b + n)), yn = AT(b + 2 * n), t = TANH(AT(a + 2 * n) + r * yn), u = AT(d);                          \
    const V_ dn = u * (1 - z) * (1 - t * t);                                                                                                                  \
    PUT(y, dn * yn * (r * (1 - r)));                                                                                                                          \
    PUT(y + n, u * (AT(c) - t) * (z * (1 - z)));                                                                                                              \
    PUT(y + 2 * n, last);
CELL(gru_cell_dx, GRU_BACK(dn))
CELL(gru_cell_dy, GRU_BACK(dn * r))
/* c: d */
CELL(gru_cell_dh, PUT(y, AT(c) * SIG(AT(a + n) + AT(b + n)));)

/* ---- pooling by halves: n windows of 2 x 2 side by side, rows of x `below` numbers apart. The second of two is taken only where it is larger, or NaN */
#if F64
#define PAIR(a, b, p) const V_ a = (p)[0], b = (p)[1]
#define PUT_PAIR(p, a, b) ((p)[0] = (a), (p)[1] = (b))
#define WHERE(m, a, b) ((m) ? (a) : (b))
#define FLAG_ bool
#else
#define PAIR(a, b, p)                                                                                         \
    const vf a##_ = 2 * m < W ? load_part(p, 2 * m, 0) : load(p), b##_ = 2 * m <= W ? a##_ : 2 * m < 2 * W ? load_part((p) + W, 2 * m - W, 0) : load((p) + W); \
    const vf a = EVENS_F32(a##_, b##_), b = ODDS_F32(a##_, b##_)
#define PUT_PAIR(p, a, b) NAME(put_pair)(p, a, b, 2 * m)
#define WHERE(m, a, b) SELECT((vi)(m), a, b)
#define FLAG_ vi
ALWAYS void NAME(put_pair)(T *p, vf a, vf b, int64_t n)
{
    if (n < W)
        store_part(p, LOW_F32(a, b), n);
    else
        store(p, LOW_F32(a, b));
    if (n > W && n < 2 * W)
        store_part(p + W, HIGH_F32(a, b), n - W);
    else if (n == 2 * W)
        store(p + W, HIGH_F32(a, b));
}
#endif
#define MORE(b, a) (((b) > (a)) | ((b) != (b)))
static void NAME(halve)(void *py, const void *px, int64_t below, int64_t n)
{
    T *y = py;
    for (int64_t i = 0; i < n; i += LANES_) {
        const T *x = (const T *)px + 2 * i;
        const int64_t m = n - i < LANES_ ? n - i : LANES_, j = i;
        PAIR(a, b, x);
        PAIR(c, d, x + below);
        const V_ top = WHERE(MORE(b, a), b, a), low = WHERE(MORE(d, c), d, c);
        (void)m;
        PUT(y, WHERE(MORE(low, top), low, top));
    }
}

/* dx = d where the largest is, else 0 */
static void NAME(halve_grad)(void *pdx, const void *px, const void *pd, int64_t below, int64_t n)
{
    const T *from = pd;
    for (int64_t i = 0; i < n; i += LANES_) {
        const T *x = (const T *)px + 2 * i;
        T *dx = (T *)pdx + 2 * i;
        const int64_t m = n - i < LANES_ ? n - i : LANES_, j = i;
        PAIR(a, b, x);
        PAIR(c, d, x + below);
        const FLAG_ right = MORE(b, a), right_low = MORE(d, c);
        const V_ top = WHERE(right, b, a), low = WHERE(right_low, d, c), g = AT(from), none = (V_){0};
        const FLAG_ lower = MORE(low, top);
        const V_ of_top = WHERE(lower, none, g), of_low = WHERE(lower, g, none);
        (void)m;
        PUT_PAIR(dx, WHERE(right, none, of_top), WHERE(right, of_top, none));
        PUT_PAIR(dx + below, WHERE(right_low, none, of_low), WHERE(right_low, of_low, none));
    }
}
#undef MORE
#undef PAIR
#undef PUT_PAIR
#undef WHERE
#undef FLAG_

/* ---- optimisers, as torch.optim has them; p as nn/optim.c fills it */
#define UPDATE(name, ...)                                                                                     \
    static void NAME(name)(void *pw, const void *pg, void *pa, void *pb, void *pc, int64_t n, const double *p) \
    {                                                                                                         \
        T *restrict w = pw, *restrict a = pa, *restrict b = pb, *restrict c = pc;                             \
        const T *restrict g_ = pg;                                                                            \
        (void)a, (void)b, (void)c;                                                                            \
        __VA_ARGS__                                                                                           \
    }
UPDATE(sgd_plain, const T lr = (T)p[0], l2 = (T)p[1]; RANGE(w[i] -= lr * (g_[i] + l2 * w[i])))
UPDATE(sgd, const T lr = (T)p[0], l2 = (T)p[1], momentum = (T)p[2], rest = (T)p[3]; const bool nesterov = p[4] != 0;
       RANGE(const T g = g_[i] + l2 * w[i]; a[i] = momentum * a[i] + rest * g; w[i] -= lr * (nesterov ? g + momentum * a[i] : a[i])))
UPDATE(adam, const T lr = (T)p[0], l2 = (T)p[1], b1 = (T)p[2], b2 = (T)p[3], eps = (T)p[4], keep = (T)p[5], unbias = (T)p[6],
       r1 = (T)(1 - p[2]), r2 = (T)(1 - p[3]);
       RANGE(const T g = g_[i] + l2 * w[i]; a[i] = b1 * a[i] + r1 * g; b[i] = b2 * b[i] + r2 * g * g;
             w[i] = keep * w[i] - lr * a[i] / (M_(sqrt)(b[i]) * unbias + eps)))
UPDATE(rmsprop, const T lr = (T)p[0], l2 = (T)p[1], alpha = (T)p[2], rest = (T)(1 - p[2]), eps = (T)p[3], momentum = (T)p[4], mean = p[5] != 0;
       RANGE(const T g = g_[i] + l2 * w[i]; a[i] = alpha * a[i] + rest * g * g; b[i] = alpha * b[i] + rest * g;
             c[i] = momentum * c[i] + g / (M_(sqrt)(a[i] - mean * b[i] * b[i]) + eps); w[i] -= lr * c[i]))
UPDATE(adagrad, const T lr = (T)p[0], l2 = (T)p[1], eps = (T)p[2]; RANGE(const T g = g_[i] + l2 * w[i]; a[i] += g * g; w[i] -= lr * g / (M_(sqrt)(a[i]) + eps)))
/* a: the gradient before, b: the size of the step */
UPDATE(rprop, const bool begins = p[0] != 0; const T lr = (T)p[1], less = (T)p[2], more = (T)p[3], low = (T)p[4], high = (T)p[5];
       RANGE(const T same = g_[i] * a[i]; T step = begins ? lr : b[i]; step *= same > 0 ? more : same < 0 ? less : 1;
             step = step < low ? low : step > high ? high : step;
             const T g = same < 0 ? 0 : g_[i]; w[i] -= g > 0 ? step : g < 0 ? -step : 0; a[i] = g; b[i] = step))

static const gg__loops NAME(loops) = {
#define GG_X(code, name) .name = NAME(name),
    GG_UNARY_MAP(GG_X) GG__UNARY_F_MAP(GG_X) GG_BINARY_MAP(GG_X) GG__BINARY_F_MAP(GG_X)
#undef GG_X
    .where = NAME(where), .copy = NAME(copy), .fill = NAME(fill), .sum = NAME(sum), .amax = NAME(amax), .add_to = NAME(add_to),
    .add_rows = NAME(add_rows), .max_to = NAME(max_to), .add_strided = NAME(add_strided), .argmax = NAME(argmax), .softmax = NAME(softmax),
    .softmax_grad = NAME(softmax_grad), .log_softmax = NAME(log_softmax), .log_softmax_grad = NAME(log_softmax_grad), .logsumexp = NAME(logsumexp),
    .cross_entropy_grad = NAME(cross_entropy_grad), .gemm = NAME(gemm_), .lstm_gates = NAME(lstm_gates), .lstm_gates_da = NAME(lstm_gates_da),
    .lstm_cell = NAME(lstm_cell), .lstm_cell_ds = NAME(lstm_cell_ds), .lstm_cell_dc = NAME(lstm_cell_dc), .lstm_hidden = NAME(lstm_hidden),
    .lstm_hidden_ds = NAME(lstm_hidden_ds),
    .lstm_hidden_dt = NAME(lstm_hidden_dt), .lstm_da = NAME(lstm_da), .gru_cell = NAME(gru_cell), .gru_cell_dx = NAME(gru_cell_dx),
    .gru_cell_dy = NAME(gru_cell_dy), .gru_cell_dh = NAME(gru_cell_dh), .gemm_from = NAME(gemm_from), .gemm_pack = NAME(gemm_pack), .dots = NAME(dots),
    .gemm_shifts = NAME(gemm_shifts), .gemm_shifts_over = NAME(gemm_shifts_over), .copy_lines = NAME(copy_lines), .turn = NAME(turn), .larger = NAME(larger),
    .halve = NAME(halve), .halve_grad = NAME(halve_grad), .all_finite = NAME(all_finite), .norm = NAME(norm), .norm_dx = NAME(norm_dx),
    .norm_dw = NAME(norm_dw), .attention_ds = NAME(attention_ds), .rotate = NAME(rotate), .sum_squares = NAME(sum_squares), .sgd_plain = NAME(sgd_plain),
    .sgd = NAME(sgd),
    .adam = NAME(adam), .rmsprop = NAME(rmsprop), .adagrad = NAME(adagrad), .rprop = NAME(rprop),
};
#undef RANGE
#undef SAME_PLACE
#undef LOOP1
#undef LOOP1V
#undef LOOP2
#undef LOOP2V
#undef UPDATE
#undef V_
#undef LANES_
#undef AT
#undef PUT
#undef SIG
#undef TANH
#undef CELL
#undef GRU_BACK
#undef M_
#undef PHI
#undef SUM_LANES
#undef SUM_HALF
#undef SUM_OF
#undef T
#undef NAME
#undef F64
