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

/* QUERIES rows: where they are read and written, and the keys that each sees. */
typedef struct rows {
    const float *q[QUERIES];
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

/* s[r][c + 0 .. nv W) = scale * sum_i q[r][i] kt[i][c + ...], -inf where a row does not see the key; the maxima go on. */
ALWAYS void score_tile(float *s, int64_t ss, rows *x, const float *kt, int64_t st, int64_t d, int64_t c, float scale, float softcap, bool masked, const int nq,
                       const int nv)
{
    vf a[QUERIES][NV], b[NV];
    for (int r = 0; r < nq; r++)
        for (int n = 0; n < nv; n++)
            a[r][n] = all(0);
    for (int64_t i = 0; i < d; i++) {
        for (int n = 0; n < nv; n++)
            b[n] = load(kt + i * st + c + n * W);
        for (int r = 0; r < nq; r++) {
            vf q = all(x->q[r][i]);
            for (int n = 0; n < nv; n++)
                a[r][n] = FMA(q, b[n], a[r][n]);
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

/* Scores of keys [from, to) to e^(score - largest), in place; 1 / sum of each row. */
ALWAYS void weights(float *s, int64_t ss, float factor[QUERIES], const rows *x, int64_t from, int64_t to, const int nq)
{
    vf max[QUERIES], sum[QUERIES];
    for (int r = 0; r < nq; r++) {
        max[r] = all(max_of(x->max[r]));
        sum[r] = all(0);
    }
    for (int64_t c = from; c < to; c += W)
        for (int r = 0; r < nq; r++) {
            vf e = v_exp(load(s + r * ss + c) - max[r]);
            store(s + r * ss + c, e);
            sum[r] += e;
        }
    for (int r = 0; r < nq; r++)
        factor[r] = 1.0f / sum_of(sum[r]);
}

/* out[r][at + 0 .. nv W) = factor[r] * sum_j p[r][j] v[j][at + ...], j in [first, end). */
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

typedef struct head {
    float *out;
    const float *q, *v;
    int64_t so, sq, sv, T, d, window, st, n_heads;
    float scale, softcap;
    float *kt, *s; /* (d, st), (QUERIES, st) */
} head;

/* Rows row0 .. row0 + nq - 1, those behind the last row of the document as the last. */
ALWAYS void attend(const head *h, int64_t row0, const int nq)
{
    rows x;
    float factor[QUERIES];
    const int64_t n_rows = h->T * h->n_heads;
    for (int r = 0; r < nq; r++) {
        const int64_t row = row0 + r < n_rows ? row0 + r : n_rows - 1, t = row / h->n_heads, i = row % h->n_heads;
        x.q[r] = h->q + t * h->sq + i * h->d;
        x.out[r] = h->out + t * h->so + i * h->d;
        x.first[r] = (int32_t)(h->window > 0 && t - h->window + 1 > 0 ? t - h->window + 1 : 0);
        x.last[r] = (int32_t)t;
        x.max[r] = all(-INFINITY);
    }
    const int64_t first = x.first[0], last = x.last[nq - 1], from = first / W * W, to = (last + W) / W * W;
    int64_t c = from;
#define MASKED(n) (c < x.first[nq - 1] || c + (n) * W > x.last[0] + 1)
    for (; c + NV * W <= to; c += NV * W)
        score_tile(h->s, h->st, &x, h->kt, h->st, h->d, c, h->scale, h->softcap, MASKED(NV), nq, NV);
    for (; NV > 2 && c + 2 * W <= to; c += 2 * W)
        score_tile(h->s, h->st, &x, h->kt, h->st, h->d, c, h->scale, h->softcap, MASKED(2), nq, 2);
    for (; c < to; c += W)
        score_tile(h->s, h->st, &x, h->kt, h->st, h->d, c, h->scale, h->softcap, MASKED(1), nq, 1);
#undef MASKED
    weights(h->s, h->st, factor, &x, from, to, nq);
    for (c = 0; c + NV * W <= h->d; c += NV * W)
        value_tile(x.out, c, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, NV);
    for (; c + W <= h->d; c += W)
        value_tile(x.out, c, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, 1);
    if (c < h->d && h->d >= W)
        value_tile(x.out, h->d - W, h->s, h->st, h->v, h->sv, first, last + 1, factor, nq, 1);
    for (; c < h->d && h->d < W; c++)
        for (int r = 0; r < nq; r++) {
            float a = 0;
            for (int64_t j = first; j <= last; j++)
                a += h->s[r * h->st + j] * h->v[j * h->sv + c];
            x.out[r][c] = a * factor[r];
        }
}

static void k_attention(float *out, int64_t so, const float *q, int64_t sq, int64_t n_heads, const float *k, const float *v, int64_t skv, int64_t T,
                        int64_t d_head, float scale, float softcap, int64_t window, float *scratch)
{
    head h = {.out = out, .q = q, .v = v, .so = so, .sq = sq, .sv = skv, .T = T, .d = d_head, .window = window, .scale = scale,
              .softcap = softcap, .st = key_stride(T), .n_heads = n_heads};
    h.kt = (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63);
    h.s = h.kt + d_head * h.st;
    transpose_keys(h.kt, h.st, k, skv, T, d_head);
    bool finite = true;
    for (int64_t j = 0; j < T && finite; j++)
        finite = k_all_finite(v + j * skv, d_head);
    if (finite)
        for (int64_t row = 0; row < T * n_heads; row += QUERIES)
            attend(&h, row, QUERIES);
    else
        for (int64_t row = 0; row < T * n_heads; row++)
            attend(&h, row, 1);
}
