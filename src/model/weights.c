/* From tensors to packed weights. Owns: shapes, the splitting of fused projections, the order of rows.
 *
 * Everything ends in Hugging Face's order of neurons, so that L3.q[17] is the same neuron whatever file the model came from:
 *     fused q,k,v (phi3, gpt2; GGUF of gptneox)   rows: all of q, all of k, all of v
 *     fused by head (gptneox in Hugging Face)     rows: q, k, v of head 0, then of head 1, ...
 *     fused gate,up (phi3)                        rows: all of gate, all of up
 *     llama and smollm3 in GGUF                   row (head, 2 i + p) is Hugging Face's row (head, p d_head / 2 + i), p in {0, 1}: the converter
 *                                                 interleaves the halves because its RoPE turns neighbours. Undone here for weights and biases.
 *     gpt2 in Hugging Face (Conv1D)               stored (n_in, n_out)
 * Where rows stay in one piece the packing reads the mapping itself; otherwise they are gathered into a temporary float32 matrix.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include "math/kernels.h"
#include <stdio.h>

typedef enum row_order { ROWS_PLAIN, ROWS_BY_HEAD, ROWS_PERMUTED } row_order;

/* Which rows of a stored matrix make one projection. */
typedef struct part {
    gg__slot slot;
    int64_t n_out, n_in;
    int64_t n_stored; /* rows of the stored matrix; n_out when nothing is fused */
    int64_t first;    /* ROWS_PLAIN: rows first .. first + n_out - 1; ROWS_BY_HEAD: first within a head's rows */
    row_order order;
    bool bias_needed;
} part;

static int64_t stored_row(const gg_model *m, const part *p, int64_t r)
{
    const int64_t d = m->d.d_head, head = r / d, i = r % d;
    switch (p->order) {
    case ROWS_BY_HEAD: return head * 3 * d + p->first + i;
    case ROWS_PERMUTED: return head * d + 2 * (i % (d / 2)) + i / (d / 2);
    default: return p->first + r;
    }
}

/* --- tensors with the right shape ------------------------------------------------------------------------------------ */

static gg_status wrong_shape(const gg_model *m, const gg_tensor *t, int64_t rows, int64_t columns)
{
    char found[128] = "", expected[64];
    size_t len = 0;
    for (int i = 0; i < t->n_dims; i++)
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    snprintf(expected, sizeof expected, columns > 0 ? "%lld, %lld" : "%lld", (long long)rows, (long long)columns);
    return gg_fail(m->ctx, GG_EFORMAT, "%s: %s is (%s), expected (%s)", gg_tensors_path(m->tensors), t->name, found, expected);
}

gg_status gg__model_need_tensor(const gg_tensor **out, const gg_model *m, gg__slot slot, int layer, const char *ending, int64_t rows, int64_t columns)
{
    char name[160];
    if (!gg__model_tensor_name(name, sizeof name, m, slot, layer, ending))
        return gg_fail(m->ctx, GG_EINTERNAL, "%s has no name for tensor %d", m->family->name, (int)slot);
    GG_TRY(gg_tensors_need(out, m->tensors, name));
    const gg_tensor *t = *out;
    if (t->n_dims != (columns > 0 ? 2 : 1) || t->shape[0] != rows || (columns > 0 && t->shape[1] != columns))
        return wrong_shape(m, t, rows, columns);
    if (gg_dtype_bytes(t->dtype, columns > 0 ? columns : rows) < 0)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: rows of %s are not whole blocks of %s", gg_tensors_path(m->tensors), name, gg_dtype_name(t->dtype));
    return GG_OK;
}

gg_status gg__model_check_finite(const gg_model *m, const float *x, int64_t n, const char *name)
{
    if (gg_all_finite(x, n))
        return GG_OK;
    return gg_fail(m->ctx, GG_ENAN, "%s: %s holds a value that is not a finite number", gg_tensors_path(m->tensors), name);
}

/* A vector as float32; with `p` in the order of that part. */
static gg_status read_vector(float **out, const gg_model *m, const gg_tensor *t, const part *p)
{
    const int64_t n_stored = t->shape[0], n = p ? p->n_out : n_stored;
    float *stored = gg_new(m->ctx, float, n_stored), *x = p ? gg_new(m->ctx, float, n) : stored;
    gg_status s = stored && x ? gg_to_f32(stored, t->data, t->dtype, n_stored) : GG_ENOMEM;
    for (int64_t r = 0; p && s == GG_OK && r < n; r++)
        x[r] = stored[stored_row(m, p, r)];
    if (s == GG_OK)
        s = gg__model_check_finite(m, x, n, t->name);
    if (p)
        gg_drop(m->ctx, stored);
    if (s != GG_OK) {
        gg_drop(m->ctx, x);
        return s;
    }
    *out = x;
    return GG_OK;
}

/* --- one projection -------------------------------------------------------------------------------------------------- */

static gg_status gather_rows(float *w, const gg_model *m, const gg_tensor *t, const part *p)
{
    const int64_t row_bytes = gg_dtype_bytes(t->dtype, p->n_in);
    for (int64_t r = 0; r < p->n_out; r++)
        GG_TRY(gg_to_f32(w + r * p->n_in, (const char *)t->data + stored_row(m, p, r) * row_bytes, t->dtype, p->n_in));
    return GG_OK;
}

/* Conv1D: columns first .. first + n_out - 1 of a matrix (n_in, n_stored), into w[i by_in + r by_out]. `row` holds n_stored floats. */
static gg_status gather_columns(float *w, int64_t by_in, int64_t by_out, float *row, const gg_tensor *t, const part *p)
{
    const int64_t row_bytes = gg_dtype_bytes(t->dtype, p->n_stored);
    for (int64_t i = 0; i < p->n_in; i++) {
        GG_TRY(gg_to_f32(row, (const char *)t->data + i * row_bytes, t->dtype, p->n_stored));
        for (int64_t r = 0; r < p->n_out; r++)
            w[i * by_in + r * by_out] = row[p->first + r];
    }
    return GG_OK;
}

static gg_status pack(gg_linear **out, const gg_model *m, const gg_tensor *t, const part *p, const float *bias)
{
    const bool conv1d = m->names->conv1d;
    if (!conv1d && p->order == ROWS_PLAIN) {
        const int64_t row_bytes = gg_dtype_bytes(t->dtype, p->n_in);
        return gg_linear_create(out, m->ctx, (const char *)t->data + p->first * row_bytes, t->dtype, 0, bias, p->n_out, p->n_in, m->dtype);
    }
    float *w = gg_alloc(m->ctx, gg_mul(p->n_out, p->n_in * (int64_t)sizeof(float))), *row = gg_new(m->ctx, float, p->n_stored);
    gg_status s = !w || !row ? GG_ENOMEM : conv1d ? gather_columns(w, p->n_out, 1, row, t, p) : gather_rows(w, m, t, p);
    if (s == GG_OK)
        s = gg_linear_create_f32(out, m->ctx, w, conv1d, bias, p->n_out, p->n_in, m->dtype);
    gg_drop(m->ctx, w);
    gg_drop(m->ctx, row);
    return s;
}

static gg_status load_linear(gg_linear **out, const gg_model *m, int layer, const part *p)
{
    const gg_tensor *t, *b = gg__model_tensor(m, p->slot, layer, "bias");
    const bool conv1d = m->names->conv1d;
    float *bias = NULL;
    GG_TRY(gg__model_need_tensor(&t, m, p->slot, layer, "weight", conv1d ? p->n_in : p->n_stored, conv1d ? p->n_stored : p->n_in));
    if (b || p->bias_needed) {
        GG_TRY(gg__model_need_tensor(&b, m, p->slot, layer, "bias", p->n_stored, 0));
        GG_TRY(read_vector(&bias, m, b, p));
    }
    const gg_status s = pack(out, m, t, p, bias);
    gg_drop(m->ctx, bias);
    return s == GG_OK ? GG_OK : gg_fail_prefix(m->ctx, s, "%s: %s", gg_tensors_path(m->tensors), t->name);
}

static gg_status load_norm(gg__norm *out, const gg_model *m, gg__slot slot, int layer, int64_t width)
{
    const gg_tensor *t;
    if (!m->names->slot[slot])
        return GG_OK;
    GG_TRY(gg__model_need_tensor(&t, m, slot, layer, "weight", width, 0));
    GG_TRY(read_vector(&out->w, m, t, NULL));
    if (m->d.norm != GG_NORM_LAYER || !gg__model_tensor(m, slot, layer, "bias"))
        return GG_OK;
    GG_TRY(gg__model_need_tensor(&t, m, slot, layer, "bias", width, 0));
    return read_vector(&out->b, m, t, NULL);
}

/* --- one block ------------------------------------------------------------------------------------------------------- */

/* Where the rows of a projection (GG__Q ... GG__DOWN) are. */
static gg_status part_of(part *out, const gg_model *m, int l, gg__slot which)
{
    const gg_model_description *d = &m->d;
    const int64_t nq = d->n_heads * d->d_head, nkv = d->n_kv_heads * d->d_head;
    const bool qkv = which == GG__Q || which == GG__K || which == GG__V, gate_up = d->gated && (which == GG__GATE || which == GG__UP);
    *out = (part){.slot = which, .n_out = d->d_model, .n_in = which == GG__O ? nq : which == GG__DOWN ? d->d_ff : d->d_model};
    if (qkv)
        out->n_out = which == GG__Q ? nq : nkv;
    else if (which == GG__GATE || which == GG__UP)
        out->n_out = d->d_ff;
    out->n_stored = out->n_out;
    if (qkv && (!m->names->slot[GG__Q] || (m->gguf && gg__model_tensor(m, GG__QKV, l, "weight")))) {
        const bool by_head = m->names->qkv_by_head;
        out->slot = GG__QKV;
        out->n_stored = nq + 2 * nkv;
        out->order = by_head ? ROWS_BY_HEAD : ROWS_PLAIN;
        out->first = which == GG__Q ? 0 : which == GG__K ? (by_head ? d->d_head : nq) : by_head ? 2 * d->d_head : nq + nkv;
        if (by_head && nq != nkv)
            return gg_fail(m->ctx, GG_EFORMAT, "%s: a projection fused by head needs as many heads of keys as of queries", gg_tensors_path(m->tensors));
    } else if (which == GG__Q || which == GG__K) {
        out->order = m->gguf && m->family->qk_permuted ? ROWS_PERMUTED : ROWS_PLAIN;
    }
    out->bias_needed = qkv && m->family->qkv_bias;
    if (gate_up && (!m->names->slot[GG__GATE] || (m->gguf && !gg__model_tensor(m, GG__GATE, l, "weight") && m->family->names->slot[GG__GATE_UP]))) {
        out->slot = GG__GATE_UP;
        out->n_stored = 2 * d->d_ff;
        out->first = which == GG__UP ? d->d_ff : 0;
    }
    return GG_OK;
}

static gg_status load_linears(gg_model *m, int l)
{
    gg__layer *y = &m->layer[l];
    const struct {
        gg__slot which;
        gg_linear **to;
    } list[] = {{GG__Q, &y->q}, {GG__K, &y->k}, {GG__V, &y->v}, {GG__O, &y->o}, {GG__GATE, &y->gate}, {GG__UP, &y->up}, {GG__DOWN, &y->down}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        part p;
        if (list[i].which == GG__GATE && !m->d.gated)
            continue;
        GG_TRY(part_of(&p, m, l, list[i].which));
        GG_TRY(load_linear(list[i].to, m, l, &p));
    }
    return GG_OK;
}

gg_status gg__model_read_linear(float *w, float *bias, const gg_model *m, int layer, gg__slot which)
{
    part p;
    const gg_tensor *t, *b;
    float *x = NULL;
    GG_TRY(part_of(&p, m, layer, which));
    const bool conv1d = m->names->conv1d;
    GG_TRY(gg__model_need_tensor(&t, m, p.slot, layer, "weight", conv1d ? p.n_in : p.n_stored, conv1d ? p.n_stored : p.n_in));
    if (conv1d) {
        float *row = gg_new(m->ctx, float, p.n_stored);
        const gg_status s = row ? gather_columns(w, 1, p.n_in, row, t, &p) : GG_ENOMEM;
        gg_drop(m->ctx, row);
        GG_TRY(s);
    } else {
        GG_TRY(gather_rows(w, m, t, &p));
    }
    memset(bias, 0, sizeof *bias * (size_t)p.n_out);
    if (!(b = gg__model_tensor(m, p.slot, layer, "bias")))
        return GG_OK;
    GG_TRY(read_vector(&x, m, b, &p));
    memcpy(bias, x, sizeof *bias * (size_t)p.n_out);
    gg_drop(m->ctx, x);
    return GG_OK;
}

static gg_status load_norms(gg_model *m, int l)
{
    const gg_model_description *d = &m->d;
    gg__layer *y = &m->layer[l];
    const bool full = d->qk_norm == GG_QK_NORM_FULL;
    if (d->norm_place != GG_NORM_POST) {
        GG_TRY(load_norm(&y->attn_pre, m, GG__ATTN_PRE, l, d->d_model));
        GG_TRY(load_norm(&y->mlp_pre, m, GG__MLP_PRE, l, d->d_model));
    }
    if (d->norm_place != GG_NORM_PRE) {
        GG_TRY(load_norm(&y->attn_post, m, GG__ATTN_POST, l, d->d_model));
        GG_TRY(load_norm(&y->mlp_post, m, GG__MLP_POST, l, d->d_model));
    }
    if (d->qk_norm != GG_QK_NORM_NONE) {
        GG_TRY(load_norm(&y->q_norm, m, GG__Q_NORM, l, full ? d->n_heads * d->d_head : d->d_head));
        GG_TRY(load_norm(&y->k_norm, m, GG__K_NORM, l, full ? d->n_kv_heads * d->d_head : d->d_head));
    }
    return GG_OK;
}

/* --- all of it ------------------------------------------------------------------------------------------------------- */

static gg_status load_once(gg_model *m)
{
    const gg_model_description *d = &m->d;
    GG_TRY(gg__model_need_tensor(&m->embedding, m, GG__EMBEDDING, 0, "weight", d->n_vocab, d->d_model));
    GG_TRY(load_norm(&m->final, m, GG__FINAL_NORM, 0, d->d_model));
    if (!d->learned_positions)
        return GG_OK;
    const gg_tensor *t;
    GG_TRY(gg__model_need_tensor(&t, m, GG__POSITIONS, 0, "weight", d->n_ctx, d->d_model));
    m->positions = gg_alloc(m->ctx, gg_mul(d->n_ctx, d->d_model * (int64_t)sizeof(float)));
    if (!m->positions)
        return GG_ENOMEM;
    const int64_t row_bytes = gg_dtype_bytes(t->dtype, d->d_model);
    for (int64_t i = 0; i < d->n_ctx; i++)
        GG_TRY(gg_to_f32(m->positions + i * d->d_model, (const char *)t->data + i * row_bytes, t->dtype, d->d_model));
    return gg__model_check_finite(m, m->positions, d->n_ctx * d->d_model, t->name);
}

/* A head is never transposed, not even beside Conv1D. */
gg_status gg__model_head(const gg_tensor **out, const gg_model *m)
{
    *out = m->embedding;
    return m->d.tied ? GG_OK : gg__model_need_tensor(out, m, GG__HEAD, 0, "weight", m->d.n_vocab, m->d.d_model);
}

static gg_status load_head(gg_model *m)
{
    const gg_model_description *d = &m->d;
    const gg_tensor *t, *b = d->tied ? NULL : gg__model_tensor(m, GG__HEAD, 0, "bias");
    float *bias = NULL;
    GG_TRY(gg__model_head(&t, m));
    if (b) {
        GG_TRY(gg__model_need_tensor(&b, m, GG__HEAD, 0, "bias", d->n_vocab, 0));
        GG_TRY(read_vector(&bias, m, b, NULL));
    }
    const gg_status s = gg_linear_create(&m->head, m->ctx, t->data, t->dtype, 0, bias, d->n_vocab, d->d_model, m->dtype);
    gg_drop(m->ctx, bias);
    return s == GG_OK ? GG_OK : gg_fail_prefix(m->ctx, s, "%s: %s", gg_tensors_path(m->tensors), t->name);
}

/* Blocks and the head are packed side by side; the head, the largest piece, goes first. */
typedef struct loading {
    gg_model *m;
    bool head;
} loading;

static gg_status load_piece(void *user, int64_t i, int worker)
{
    const loading *o = user;
    const int l = (int)(i - o->head);
    (void)worker;
    if (l < 0)
        return load_head(o->m);
    GG_TRY(load_norms(o->m, l));
    return load_linears(o->m, l);
}

gg_status gg__model_load(gg_model *m, bool head)
{
    GG_TRY(load_once(m));
    m->layer = gg_new(m->ctx, gg__layer, m->d.n_layers);
    if (!m->layer)
        return GG_ENOMEM;
    for (int l = 0; l < m->d.n_layers; l++) {
        const gg_layer_description *y = &m->d.layer[l];
        int k = 0;
        while (y->rope && (m->rope[k].base != y->rope_base || m->rope[k].scaled != y->rope_scaled))
            k++;
        m->layer[l].rope = y->rope ? k : -1;
    }
    m->weights = true;
    return gg_parallel(m->ctx, m->d.n_layers + head, load_piece, &(loading){m, head});
}

static void drop_norm(gg_context *ctx, gg__norm *n)
{
    gg_drop(ctx, n->w);
    gg_drop(ctx, n->b);
}

void gg__model_unload(gg_model *m)
{
    for (int l = 0; m->layer && l < m->d.n_layers; l++) {
        gg__layer *y = &m->layer[l];
        gg_linear *const linears[] = {y->q, y->k, y->v, y->o, y->gate, y->up, y->down};
        gg__norm *const norms[] = {&y->attn_pre, &y->attn_post, &y->mlp_pre, &y->mlp_post, &y->q_norm, &y->k_norm};
        for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
            gg_linear_free(linears[i]);
        for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
            drop_norm(m->ctx, norms[i]);
    }
    gg_drop(m->ctx, m->layer);
    gg_drop(m->ctx, m->positions);
    drop_norm(m->ctx, &m->final);
    gg_linear_free(m->head);
    for (int k = 0; k < m->n_ropes; k++)
        for (int i = 0; i < 2; i++)
            gg_drop(m->ctx, m->rope[k].frequency[i]);
}
