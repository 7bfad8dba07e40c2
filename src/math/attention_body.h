/* Causal attention of the query heads that read one head of keys, part of kernels_body.h (compiled once an instruction set).
 *
 * A row is one head of one token; the rows of a token stand together, so that the heads of a group share the transposed keys and meet the
 * same diagonal. QUERIES rows at a time: scores against the keys up to the last of them (keys transposed once, so that a vector holds W keys
 * of one channel), masked where a key is not for a row; their exponentials; the weighted sum of the values. In both products a tile of
 * QUERIES x NV vectors stays in registers, and the six chains of the softmax run side by side.
 *
 * Every element is one chain of multiply-adds, over the channels or over the keys in rising order, whatever the tile; a row's softmax is
 * summed in W chains of every W-th key: so a row depends on nothing but itself and the keys before it. A masked key adds 0 * v = 0; where v is
 * not finite (0 * inf is NaN) rows are taken one at a time, so that nothing from a later token reaches an earlier one.
 *
 * Narrow, where the processor has the instruction: both products in bfloat16, two channels or two keys a step. Queries and keys are
 * rounded as they come, weights after e^x and before they are normed; all sums are float32. Heads narrower than a vector take the float32 way.
 *
 * Tails: the last row is repeated to fill six; the last channels are covered by a vector that overlaps the one before;
 * heads narrower than a vector take a plain loop. */

enum { QUERIES = 6, NV = W == 16 ? 4 : 2, ALIGN = 16 };

/* Floats from one channel of the transposed keys to the next: whole cache lines, an odd number of them so that channels do not share
 * cache sets. */
ALWAYS int64_t key_stride(int64_t T) { return (T + ALIGN - 1) / ALIGN * ALIGN | ALIGN; }

typedef float v4u __attribute__((vector_size(16), aligned(4), may_alias));

/* kt[i][j] = k[j][i]; zeros behind the last key */
static void transpose_keys(float *kt, int64_t st, const float *k, int64_t sk, int64_t T, int64_t d)
{
    int64_t i, j;
    for (j = 0; j + 16 <= T; j += 16) {
        for (i = 0; i + 4 <= d; i += 4)
            for (int64_t b = 0; b < 16; b += 4) {
                const float *p = k + (j + b) * sk + i;
                float *o = kt + i * st + j + b;
                v4 r0 = (v4) * (const v4u *)p, r1 = (v4) * (const v4u *)(p + sk), r2 = (v4) * (const v4u *)(p + 2 * sk),
                   r3 = (v4) * (const v4u *)(p + 3 * sk);
                v4 a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
                v4 e = __builtin_shufflevector(r0, r1, 2, 6, 3, 7), g = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
                *(v4u *)o = (v4u)__builtin_shufflevector(a, c, 0, 1, 4, 5);
                *(v4u *)(o + st) = (v4u)__builtin_shufflevector(a, c, 2, 3, 6, 7);
                *(v4u *)(o + 2 * st) = (v4u)__builtin_shufflevector(e, g, 0, 1, 4, 5);
                *(v4u *)(o + 3 * st) = (v4u)__builtin_shufflevector(e, g, 2, 3, 6, 7);
            }
        for (; i < d; i++)
            for (int64_t b = 0; b < 16; b++)
                kt[i * st + j + b] = k[(j + b) * sk + i];
    }
    for (i = 0; i < d; i++)
        for (int64_t b = j; b < st; b++)
            kt[i * st + b] = b < T ? k[b * sk + i] : 0;
}

/* Without the instruction nothing is narrow. */
#ifndef DOT_BF16
#define DOT_BF16(a, x, b) (a)
#define HAS_DOT_BF16 false
#else
#define HAS_DOT_BF16 true
#endif
typedef int32_t viu_any __attribute__((vector_size(4 * W), aligned(4), may_alias));
typedef uint32_t pair __attribute__((may_alias)); /* two bfloat16 */
ALWAYS vi load_pairs(const pair *p) { return (vi) * (const viu_any *)p; }

/* Rows of floats to rows of pairs, (n, (d + 1) / 2); the last pair of an odd row ends in 0. */
static void pair_rows(pair *out, const float *x, int64_t stride, int64_t n, int64_t d)
{
    const int64_t pairs = (d + 1) / 2;
    for (int64_t r = 0; r < n; r++) {
        out[r * pairs + pairs - 1] = 0;
        for (int64_t i = 0; i < d; i += W)
            put(out + r * pairs, true, i, d - i < W ? load_part(x + r * stride + i, d - i, 0) : load(x + r * stride + i), d - i);
    }
}

/* v2[j][c] = v[2 j][c], v[2 j + 1][c] for j in [from, to); 0 for keys outside [first, end). d >= W */
static void pair_values(pair *v2, const float *v, int64_t sv, int64_t from, int64_t to, int64_t first, int64_t end, int64_t d)
{
    for (int64_t j = from; j < to; j++)
        for (int64_t c = 0; c < d; c += W) {
            const int64_t at = d - c < W ? d - W : c;
            const vf a = 2 * j >= first ? load(v + 2 * j * sv + at) : all(0), b = 2 * j + 1 < end ? load(v + (2 * j + 1) * sv + at) : all(0);
            const vi low = (vi)__builtin_convertvector(NARROW(a), vw), high = (vi)(__builtin_convertvector(NARROW(b), vw) << 16);
            *(viu_any *)(v2 + j * d + at) = (viu_any)(low | high);
        }
}

/* QUERIES rows: where they are read and written, and the keys that each sees. */
typedef struct rows {
    const float *q[QUERIES]; /* narrow: pairs */
    float *out[QUERIES];
    int32_t first[QUERIES], last[QUERIES];
    vf max[QUERIES]; /* of the scores, W chains */
} rows;

ALWAYS vi lanes(void)
{
    vi v;
    for (int i = 0; i < W; i++)
        v[i] = i;
    return v;
}

/* s[r][c + 0 .. nv W) = scale * sum_i q[r][i] kt[i][c + ...], -inf where a row does not see the key; the maxima go on. Narrow: d counts pairs. */
ALWAYS void score_tile(float *s, int64_t ss, rows *x, const float *kt, int64_t st, int64_t d, int64_t c, float scale, float softcap, bool masked, const int nq,
                       const int nv, const bool narrow)
{
    vf a[QUERIES][NV], b[NV];
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            a[r][n] = all(0);
    for (int64_t i = 0; i < d; i++) {
        for (int n = 0; n < nv; n++)
            b[n] = load(kt + i * st + c + n * W);
        for (int r = 0; r < nq; r++) {
            vf q = narrow ? (vf)((vi){0} + (int32_t)((const pair *)x->q[r])[i]) : all(x->q[r][i]);
            for (int n = 0; n < nv; n++)
                a[r][n] = narrow ? DOT_BF16(a[r][n], q, b[n]) : FMA(q, b[n], a[r][n]);
        }
    }
    if (!masked && softcap <= 0) {
        for (int r = 0; r < nq; r++)
            for (int n = 0; n < nv; n++) {
                vf v = a[r][n] * scale;
                store(s + r * ss + c + n * W, v);
                x->max[r] = MAX(v, x->max[r]);
            }
        return;
    }
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++) {
            vf v = a[r][n] * scale;
            vi key = lanes() + (int32_t)(c + n * W);
            if (softcap > 0)
                v = softcap * v_tanh(v / softcap);
            v = SELECT((key >= x->first[r]) & (key <= x->last[r]), v, all(-INFINITY));
            store(s + r * ss + c + n * W, v);
            x->max[r] = MAX(v, x->max[r]);
        }
}

/* Scores of keys [from, to) to e^(score - largest), in place; narrow: to bfloat16 from the beginning of the row on, where scores were read already.
 * 1 / sum of each row. */
ALWAYS void weights(float *s, int64_t ss, float factor[QUERIES], const rows *x, int64_t from, int64_t to, const int nq, const bool narrow)
{
    vf max[QUERIES], sum[QUERIES];
    for (int r = 0; r < nq; r++) {
        max[r] = all(max_of(x->max[r]));
        sum[r] = all(0);
    }
    for (int64_t c = from; c < to; c += W)
        for (int r = 0; r < nq; r++) {
            vf e = v_exp(load(s + r * ss + c) - max[r]);
            put(s + r * ss, narrow, c, e, W);
            sum[r] += e;
        }
    for (int r = 0; r < nq; r++)
        factor[r] = 1.0f / sum_of(sum[r]);
}

/* out[r][at + 0 .. nv W) = factor[r] * sum_j p[r][j] v[j][at + ...], j in [first, end). Narrow: first, end and v's rows count pairs of keys. */
ALWAYS void value_tile(float *const *out, int64_t at, const float *p, int64_t sp, const float *v, int64_t sv, int64_t first, int64_t end,
                       const float *factor, const int nq, const int nv, const bool narrow)
{
    vf a[QUERIES][NV], b[NV];
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            a[r][n] = all(0);
    for (int64_t j = first; j < end; j++) {
        for (int n = 0; n < nv; n++)
            b[n] = load(v + j * sv + at + n * W);
        for (int r = 0; r < nq; r++) {
            vf x = narrow ? (vf)((vi){0} + (int32_t)((const pair *)(p + r * sp))[j]) : all(p[r * sp + j]);
            for (int n = 0; n < nv; n++)
                a[r][n] = narrow ? DOT_BF16(a[r][n], x, b[n]) : FMA(x, b[n], a[r][n]);
        }
    }
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            store(out[r] + at + n * W, a[r][n] * factor[r]);
}

typedef struct head {
    float *out;
    const float *q, *v; /* narrow: v in pairs of rows */
    int64_t so, sq, sv, T, d, window, st, n_heads;
    float scale, softcap;
    float *kt, *s; /* (d, st), narrow: of pairs; (QUERIES, st) */
    pair *q2;      /* (QUERIES, (d + 1) / 2) */
} head;

/* Rows row0 .. row0 + nq - 1, those behind the last row of the document as the last. */
ALWAYS void attend(const head *h, int64_t row0, const int nq, const bool narrow)
{
    rows x;
    float factor[QUERIES];
    const int64_t n_rows = h->T * h->n_heads, n_pairs = (h->d + 1) / 2, steps = narrow ? n_pairs : h->d;
    for (int r = 0; r < nq; r++) {
        const int64_t row = row0 + r < n_rows ? row0 + r : n_rows - 1, t = row / h->n_heads, i = row % h->n_heads;
        x.q[r] = h->q + t * h->sq + i * h->d;
        if (narrow) {
            pair_rows(h->q2 + r * n_pairs, x.q[r], 0, 1, h->d);
            x.q[r] = (const float *)(h->q2 + r * n_pairs);
        }
        x.out[r] = h->out + t * h->so + i * h->d;
        x.first[r] = (int32_t)(h->window > 0 && t - h->window + 1 > 0 ? t - h->window + 1 : 0);
        x.last[r] = (int32_t)t;
        x.max[r] = all(-INFINITY);
    }
    const int64_t first = x.first[0], last = x.last[nq - 1], from = first / W * W, to = (last + W) / W * W;
    const int64_t begin = narrow ? first / 2 : first, end = narrow ? last / 2 + 1 : last + 1; /* of the values */
    int64_t c = from;
#define MASKED(n) (c < x.first[nq - 1] || c + (n) * W > x.last[0] + 1)
    for (; c + NV * W <= to; c += NV * W)
        score_tile(h->s, h->st, &x, h->kt, h->st, steps, c, h->scale, h->softcap, MASKED(NV), nq, NV, narrow);
    for (; NV > 2 && c + 2 * W <= to; c += 2 * W)
        score_tile(h->s, h->st, &x, h->kt, h->st, steps, c, h->scale, h->softcap, MASKED(2), nq, 2, narrow);
    for (; c < to; c += W)
        score_tile(h->s, h->st, &x, h->kt, h->st, steps, c, h->scale, h->softcap, MASKED(1), nq, 1, narrow);
#undef MASKED
    weights(h->s, h->st, factor, &x, from, to, nq, narrow);
    for (c = 0; c + NV * W <= h->d; c += NV * W)
        value_tile(x.out, c, h->s, h->st, h->v, h->sv, begin, end, factor, nq, NV, narrow);
    for (; c + W <= h->d; c += W)
        value_tile(x.out, c, h->s, h->st, h->v, h->sv, begin, end, factor, nq, 1, narrow);
    if (c < h->d && h->d >= W)
        value_tile(x.out, h->d - W, h->s, h->st, h->v, h->sv, begin, end, factor, nq, 1, narrow);
    for (; c < h->d && h->d < W; c++)
        for (int r = 0; r < nq; r++) {
            float a = 0;
            for (int64_t j = first; j <= last; j++)
                a += h->s[r * h->st + j] * h->v[j * h->sv + c];
            x.out[r][c] = a * factor[r];
        }
}

static void attend_narrow(head *h, const float *k, int64_t sk, bool finite)
{
    const int64_t n_pairs = (h->d + 1) / 2, sv = h->sv;
    const float *v = h->v;
    h->s = h->kt + n_pairs * h->st;
    h->q2 = (pair *)(h->s + QUERIES * h->st);
    pair *v2 = h->q2 + QUERIES * n_pairs; /* ((T + 1) / 2, d); first the keys' rows, which are as many */
    pair_rows(v2, k, sk, h->T, h->d);
    transpose_keys(h->kt, h->st, (const float *)v2, n_pairs, h->T, n_pairs);
    h->v = (const float *)v2;
    h->sv = h->d;
    if (finite) {
        pair_values(v2, v, sv, 0, (h->T + 1) / 2, 0, h->T, h->d);
        for (int64_t row = 0; row < h->T * h->n_heads; row += QUERIES)
            attend(h, row, QUERIES, true);
        return;
    }
    for (int64_t t = 0; t < h->T; t++) { /* the pairs at both ends may hold a key that is not for this token */
        const int64_t first = h->window > 0 && t - h->window + 1 > 0 ? t - h->window + 1 : 0;
        pair_values(v2, v, sv, first / 2, first / 2 + 1, first, t + 1, h->d);
        pair_values(v2, v, sv, t / 2, t / 2 + 1, first, t + 1, h->d);
        for (int64_t i = 0; i < h->n_heads; i++)
            attend(h, t * h->n_heads + i, 1, true);
    }
}

static void k_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv, int64_t T,
                        int64_t d_head, float scale, float softcap, int64_t window, bool narrow, float *scratch)
{
    head h = {.out = out, .q = q, .v = v, .so = so, .sq = sq, .sv = skv, .T = T, .d = d_head, .window = window, .scale = scale,
              .softcap = softcap, .st = key_stride(T), .n_heads = n_heads};
    bool finite = true;
    for (int64_t j = 0; j < T && finite; j++)
        finite = k_all_finite(v + j * skv, d_head);
    h.kt = (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    if (narrow && HAS_DOT_BF16 && d_head >= W) {
        attend_narrow(&h, k, skv, finite);
        return;
    }
    h.s = h.kt + d_head * h.st;
    transpose_keys(h.kt, h.st, k, skv, T, d_head);
    if (finite)
        for (int64_t row = 0; row < T * n_heads; row += QUERIES)
            attend(&h, row, QUERIES, false);
    else
        for (int64_t row = 0; row < T * n_heads; row++)
            attend(&h, row, 1, false);
}
