/* Causal attention of one head, part of kernels_body.h (compiled once an instruction set).
 *
 * Six queries at a time: scores against the keys up to the last of them (keys transposed once, so that a vector holds W keys of one
 * channel), masked and exponentiated in place, then the weighted sum of the values. In both products a tile of 6 x NV vectors stays in
 * registers. Every element is one chain of multiply-adds, over the channels or over the keys in rising order, whatever the tile: so a row
 * depends on nothing but itself and the keys before it. A masked key adds 0 * v = 0; where v is not finite (0 * inf is NaN) queries are
 * taken one at a time, so that nothing from a later token reaches an earlier one.
 *
 * Tails: the last queries are repeated to fill six; the last channels are covered by a vector that overlaps the one before;
 * heads narrower than a vector take a plain loop. */

enum { QUERIES = 6, NV = W == 16 ? 4 : 2, ALIGN = 16 };

/* Floats from one channel of the transposed keys to the next: whole cache lines, an odd number of them so that channels do not share
 * cache sets. */
ALWAYS int64_t key_stride(int64_t T) { return (T + ALIGN - 1) / ALIGN * ALIGN | ALIGN; }

typedef float v4 __attribute__((vector_size(16)));
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

/* s[r][0, nv W) = scale * sum_i q[r][i] kt[i][...]. */
ALWAYS void score_tile(float *s, int64_t ss, const float *const *q, const float *kt, int64_t st, int64_t d, float scale, const int nq,
                       const int nv)
{
    vf a[QUERIES][NV], b[NV];
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            a[r][n] = all(0);
    for (int64_t i = 0; i < d; i++) {
        for (int n = 0; n < nv; n++)
            b[n] = load(kt + i * st + n * W);
        for (int r = 0; r < nq; r++) {
            vf x = all(q[r][i]);
            for (int n = 0; n < nv; n++)
                a[r][n] = FMA(x, b[n], a[r][n]);
        }
    }
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            store(s + r * ss + n * W, a[r][n] * scale);
}

/* out[r][0, nv W) = factor[r] * sum_j p[r][j] v[j][...], j in [first, end). */
ALWAYS void value_tile(float *const *out, int64_t at, const float *p, int64_t sp, const float *v, int64_t sv, int64_t first, int64_t end,
                       const float *factor, const int nq, const int nv)
{
    vf a[QUERIES][NV], b[NV];
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            a[r][n] = all(0);
    for (int64_t j = first; j < end; j++) {
        for (int n = 0; n < nv; n++)
            b[n] = load(v + j * sv + at + n * W);
        for (int r = 0; r < nq; r++) {
            vf x = all(p[r * sp + j]);
            for (int n = 0; n < nv; n++)
                a[r][n] = FMA(x, b[n], a[r][n]);
        }
    }
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            store(out[r] + at + n * W, a[r][n] * factor[r]);
}

ALWAYS vi lanes(void)
{
    vi v;
    for (int i = 0; i < W; i++)
        v[i] = i;
    return v;
}

/* Row t of the scores, columns [from, to), whole vectors: e^(s - max) at [first, t], zero elsewhere. Gives 1 / sum. */
ALWAYS float weights(float *s, int64_t from, int64_t to, int64_t first, int64_t t, float softcap)
{
    vf max = all(-INFINITY), sum = {0};
    for (int64_t c = from; c < to; c += W) {
        vf v = load(s + c);
        vi j = lanes() + (int32_t)c;
        if (softcap > 0)
            v = softcap * v_tanh(v / softcap);
        v = SELECT((j >= (int32_t)first) & (j <= (int32_t)t), v, all(-INFINITY));
        store(s + c, v);
        max = MAX(v, max);
    }
    float m = max_of(max);
    for (int64_t c = from; c < to; c += W) {
        vf e = v_exp(load(s + c) - m);
        store(s + c, e);
        sum += e;
    }
    return 1.0f / sum_of(sum);
}

typedef struct head {
    float *out;
    const float *q, *v;
    int64_t so, sq, sv, T, d, window, st;
    float scale, softcap;
    float *kt, *s; /* (d, st), (QUERIES, st) */
} head;

ALWAYS void attend(const head *h, int64_t t0, const int nq)
{
    const float *q[QUERIES];
    float *out[QUERIES], factor[QUERIES];
    int64_t last = t0 + nq - 1 < h->T ? t0 + nq - 1 : h->T - 1;
    int64_t first = h->window > 0 && t0 - h->window + 1 > 0 ? t0 - h->window + 1 : 0;
    int64_t from = first / W * W, to = (last + W) / W * W, c = from;
    for (int r = 0; r < nq; r++) {
        int64_t t = t0 + r < last ? t0 + r : last;
        q[r] = h->q + t * h->sq;
        out[r] = h->out + t * h->so;
    }
    for (; c + NV * W <= to; c += NV * W)
        score_tile(h->s + c, h->st, q, h->kt + c, h->st, h->d, h->scale, nq, NV);
    for (; NV > 2 && c + 2 * W <= to; c += 2 * W)
        score_tile(h->s + c, h->st, q, h->kt + c, h->st, h->d, h->scale, nq, 2);
    for (; c < to; c += W)
        score_tile(h->s + c, h->st, q, h->kt + c, h->st, h->d, h->scale, nq, 1);
    for (int r = 0; r < nq; r++) {
        int64_t t = t0 + r < last ? t0 + r : last, start = h->window > 0 && t - h->window + 1 > 0 ? t - h->window + 1 : 0;
        factor[r] = weights(h->s + r * h->st, from, to, start, t, h->softcap);
    }
    for (c = 0; c + NV * W <= h->d; c += NV * W)
        value_tile(out, c, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, NV);
    for (; c + W <= h->d; c += W)
        value_tile(out, c, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, 1);
    if (c < h->d && h->d >= W)
        value_tile(out, h->d - W, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, 1);
    for (; c < h->d && h->d < W; c++)
        for (int r = 0; r < nq; r++) {
            float a = 0;
            for (int64_t j = first; j <= last; j++)
                a += h->s[r * h->st + j] * h->v[j * h->sv + c];
            out[r][c] = a * factor[r];
        }
}

static void k_attention(float *out, int64_t so, const float *q, int64_t sq, const float *k, const float *v, int64_t skv,
                        int64_t T, int64_t d_head, float scale, float softcap, int64_t window, float *scratch)
{
    head h = {.out = out, .q = q, .v = v, .so = so, .sq = sq, .sv = skv, .T = T, .d = d_head, .window = window, .scale = scale,
              .softcap = softcap, .st = key_stride(T)};
    h.kt = (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    h.s = h.kt + d_head * h.st;
    transpose_keys(h.kt, h.st, k, skv, T, d_head);
    bool finite = true;
    for (int64_t j = 0; j < T && finite; j++)
        finite = k_all_finite(v + j * skv, d_head);
    if (finite)
        for (int64_t t = 0; t < T; t += QUERIES)
            attend(&h, t, QUERIES);
    else
        for (int64_t t = 0; t < T; t++)
            attend(&h, t, 1);
}
