/* Gates of recurrent cells as single kernels (Hochreiter & Schmidhuber 1997; Cho et al. 2014), in PyTorch's order of gates.
 *
 *     LSTM, a = (i, f, g, o):   s = (s(i), s(f), tanh(g), s(o))          c' = s_f c + s_i s_g          t = tanh(c')          h = s_o t
 *     GRU,  x = (r, z, n) from the input, y = (r, z, n) from the state:   r = s(x_r + y_r), z = s(x_z + y_z), n = tanh(x_n + r y_n),  h' = n + z (h - n)
 * Ways back, with s' = s (1 - s):
 *     of h:  ds_o = dh t,   dt = dh s_o          of c': ds = (d s_g, d c, d s_i, 0),   dc = d s_f
 *     of s:  da = ds s (1 - s), for g ds (1 - s^2); where ds is the sum of what comes from h and from c', all of it in one pass (LSTM_DA)
 *     of h': dn = d (1 - z) (1 - n^2), dx = (dn y_n s'(r), d (h - n) s'(z), dn),  dy = the same with dn r for dn, dh = d z
 * Second derivatives go through composites.
 */
#include "grad/graph.h"

static inline int64_t columns(const gg_var *v) { return v->shape.d[v->shape.n - 1]; }
static inline char *row(const gg_var *v, int64_t r) { return (char *)v->data + r * columns(v) * gg__width(v); }

static bool gates(gg_var *a, gg_var *state, int n_gates, const char *what)
{
    if (!a || !state)
        return false;
    bool fits = a->shape.n == 2 && state->shape.n == 2 && a->shape.d[0] == state->shape.d[0] && a->shape.d[1] == n_gates * state->shape.d[1];
    if (!fits)
        gg__mistake(a->g, GG_EINVAL, "%s: gates %s, state %s: (B, %d H) and (B, H) are needed", what, SHAPE_TEXT(a), SHAPE_TEXT(state), n_gates);
    return fits;
}

/* s of a, once however many ask. */
static gg_var *opened(gg_var *a)
{
    for (int32_t k = a->g->n - 1; k > a->id; k--)
        if (a->g->node[k]->op == GG__OP_LSTM_GATES && a->g->node[k]->in[0] == a)
            return a->g->node[k];
    return gg__node(a->g, GG__OP_LSTM_GATES, a->shape, a);
}

gg_var *gg_var_lstm_cell(gg_var *a, gg_var *c)
{
    gg_var *s = gates(a, c, 4, "lstm_cell") ? opened(a) : NULL;
    return s ? gg__node(a->g, GG__OP_LSTM_CELL, c->shape, s, c) : NULL;
}

gg_var *gg_var_lstm_hidden(gg_var *a, gg_var *c)
{
    gg_var *s = gates(a, c, 4, "lstm_hidden") ? opened(a) : NULL, *t = s ? gg_var_tanh(c) : NULL;
    return t ? gg__node(a->g, GG__OP_LSTM_HIDDEN, c->shape, s, t) : NULL;
}

gg_var *gg_var_gru_cell(gg_var *x, gg_var *y, gg_var *h)
{
    return gates(x, h, 3, "gru_cell") && gates(y, h, 3, "gru_cell") ? gg__node(x->g, GG__OP_GRU_CELL, h->shape, x, y, h) : NULL;
}

/* --- kernels: one row at a time ---------------------------------------------------------------------------------------------------------------- */
void gg__rows_cell(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg__loops *l = v->g->loops;
    gg_var *const *in = v->in;
    const gg__cell all[] = {[GG__OP_LSTM_GATES - GG__OP_LSTM_GATES] = l->lstm_gates,
                            [GG__OP_LSTM_GATES_DA - GG__OP_LSTM_GATES] = l->lstm_gates_da,
                            [GG__OP_LSTM_CELL - GG__OP_LSTM_GATES] = l->lstm_cell,
                            [GG__OP_LSTM_CELL_DS - GG__OP_LSTM_GATES] = l->lstm_cell_ds,
                            [GG__OP_LSTM_CELL_DC - GG__OP_LSTM_GATES] = l->lstm_cell_dc,
                            [GG__OP_LSTM_HIDDEN - GG__OP_LSTM_GATES] = l->lstm_hidden,
                            [GG__OP_LSTM_HIDDEN_DS - GG__OP_LSTM_GATES] = l->lstm_hidden_ds,
                            [GG__OP_LSTM_HIDDEN_DT - GG__OP_LSTM_GATES] = l->lstm_hidden_dt,
                            [GG__OP_LSTM_DA - GG__OP_LSTM_GATES] = l->lstm_da,
                            [GG__OP_GRU_CELL - GG__OP_LSTM_GATES] = l->gru_cell,
                            [GG__OP_GRU_CELL_DX - GG__OP_LSTM_GATES] = l->gru_cell_dx,
                            [GG__OP_GRU_CELL_DY - GG__OP_LSTM_GATES] = l->gru_cell_dy,
                            [GG__OP_GRU_CELL_DH - GG__OP_LSTM_GATES] = l->gru_cell_dh};
    const gg__cell cell = all[v->op - GG__OP_LSTM_GATES];
    const int64_t n = columns(in[0]) / (v->op >= GG__OP_GRU_CELL ? 3 : 4); /* the first input is always as wide as all gates */
    for (int64_t r = first; r < last; r++) {
        const char *from[5] = {NULL};
        for (int i = 0; i < v->n_in; i++)
            from[i] = row(in[i], r);
        cell(row(v, r), from[0], from[1], from[2], from[3], from[4], n);
    }
}

gg_status gg__run_cell(gg_var *v)
{
    gg__split(v, v->shape.d[0], 16 * v->in[0]->shape.d[1], gg__rows_cell);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
void gg__gradient_lstm_gates(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    if (!wanted[0] || !d)
        return;
    const gg_var *h = d->op == GG__OP_ADD ? d->in[0] : NULL, *c = h ? d->in[1] : NULL;
    const bool both = h && h->op == GG__OP_LSTM_HIDDEN_DS && c->op == GG__OP_LSTM_CELL_DS && h->in[0] == v && c->in[0] == v;
    if (both) /* one pass; the parts of the sum are then nobody's */
        d_in[0] = gg__node(v->g, GG__OP_LSTM_DA, v->shape, v, c->in[1], c->in[2], h->in[1], h->in[2]);
    else
        d_in[0] = gg__node(v->g, GG__OP_LSTM_GATES_DA, v->shape, v, d);
}

void gg__gradient_lstm_cell(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *s = v->in[0], *c = v->in[1];
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_LSTM_CELL_DS, s->shape, s, c, d) : NULL;
    d_in[1] = wanted[1] && d ? gg__node(v->g, GG__OP_LSTM_CELL_DC, c->shape, s, d) : NULL;
}

void gg__gradient_lstm_hidden(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *s = v->in[0], *t = v->in[1];
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_LSTM_HIDDEN_DS, s->shape, s, t, d) : NULL;
    d_in[1] = wanted[1] && d ? gg__node(v->g, GG__OP_LSTM_HIDDEN_DT, t->shape, s, d) : NULL;
}

void gg__gradient_gru_cell(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *x = v->in[0], *y = v->in[1], *h = v->in[2];
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_GRU_CELL_DX, x->shape, x, y, h, d) : NULL;
    d_in[1] = wanted[1] && d ? gg__node(v->g, GG__OP_GRU_CELL_DY, y->shape, x, y, h, d) : NULL;
    d_in[2] = wanted[2] && d ? gg__node(v->g, GG__OP_GRU_CELL_DH, h->shape, x, y, d) : NULL;
}

/* --- composites --------------------------------------------------------------------------------------------------------------------------- */
static gg_var *gate(gg_var *a, int which, int of) { return gg_var_slice(a, 1, which * (a->shape.d[1] / of), a->shape.d[1] / of); }
static gg_var *rest(gg_var *s) { return gg_var_sub(s, gg_var_square(s)); }              /* s (1 - s) */
static gg_var *flat(gg_var *t) { return gg_var_shift(gg_var_neg(gg_var_square(t)), 1); } /* 1 - t^2 */

static gg_var *composite_lstm(gg_var *v)
{
    gg_var *s = v->in[0], *b = v->in[1], *d = v->n_in > 2 ? v->in[2] : NULL;
    gg_var *i = gate(s, 0, 4), *f = gate(s, 1, 4), *g = gate(s, 2, 4), *o = gate(s, 3, 4), *zero = gg_graph_fill(v->g, i ? i->shape : GG_SCALAR, 0);
#define JOIN(...) gg_var_concat((gg_var *const[]){__VA_ARGS__}, 4, 1)
    switch (v->op) {
    case GG__OP_LSTM_GATES_DA:
        return JOIN(gg_var_mul(gate(b, 0, 4), rest(i)), gg_var_mul(gate(b, 1, 4), rest(f)), gg_var_mul(gate(b, 2, 4), flat(g)),
                    gg_var_mul(gate(b, 3, 4), rest(o)));
    case GG__OP_LSTM_CELL_DS: return JOIN(gg_var_mul(d, g), gg_var_mul(d, b), gg_var_mul(d, i), zero);
    case GG__OP_LSTM_CELL_DC: return gg_var_mul(b, f);
    case GG__OP_LSTM_HIDDEN_DS: return JOIN(zero, zero, zero, gg_var_mul(d, b));
    case GG__OP_LSTM_HIDDEN_DT: return gg_var_mul(b, o);
    default:
        return JOIN(gg_var_mul(gg_var_mul(d, g), rest(i)), gg_var_mul(gg_var_mul(d, b), rest(f)), gg_var_mul(gg_var_mul(d, i), flat(g)),
                    gg_var_mul(gg_var_mul(v->in[4], v->in[3]), rest(o)));
    }
#undef JOIN
}

gg_var *gg__composite_cell(gg_var *v)
{
    if (v->op < GG__OP_GRU_CELL)
        return composite_lstm(v);
    gg_var *x = v->in[0], *y = v->in[1], *h = v->in[2];
    gg_var *r = gg_var_sigmoid(gg_var_add(gate(x, 0, 3), gate(y, 0, 3))), *z = gg_var_sigmoid(gg_var_add(gate(x, 1, 3), gate(y, 1, 3)));
    if (v->op == GG__OP_GRU_CELL_DH)
        return gg_var_mul(h, z); /* here in[2] is d */
    gg_var *yn = gate(y, 2, 3), *n = gg_var_tanh(gg_var_add(gate(x, 2, 3), gg_var_mul(r, yn)));
    gg_var *d = v->in[3], *dn = gg_var_mul(gg_var_mul(d, gg_var_shift(gg_var_neg(z), 1)), flat(n));
    gg_var *dr = gg_var_mul(gg_var_mul(dn, yn), rest(r)), *dz = gg_var_mul(gg_var_mul(d, gg_var_sub(h, n)), rest(z));
    return gg_var_concat((gg_var *const[]){dr, dz, v->op == GG__OP_GRU_CELL_DX ? dn : gg_var_mul(dn, r)}, 3, 1);
}
