/* Gates of recurrent cells as single kernels (Hochreiter & Schmidhuber 1997; Cho et al. 2014), in PyTorch's order of gates.
 *
 *     LSTM, a = (i, f, g, o):   c' = s(f) c + s(i) tanh(g)          h = s(o) tanh(c')
 *     GRU,  x = (r, z, n) from the input, y = (r, z, n) from the state:   r = s(x_r + y_r), z = s(x_z + y_z), n = tanh(x_n + r y_n),  h' = n + z (h - n)
 * Ways back, with s' = s (1 - s):
 *     of h:  da_o = dh tanh(c') s'(o),   dc' = dh s(o) (1 - tanh^2 c')
 *     of c': da_i = d g s'(i), da_f = d c s'(f), da_g = d s(i) (1 - g^2),   dc = d s(f)
 *     of h': dn = d (1 - z) (1 - n^2), dx = (dn y_n s'(r), d (h - n) s'(z), dn),  dy = the same with dn r for dn, dh = d z
 * Second derivatives go through composites.
 */
#include "grad/graph.h"

static inline int64_t width(const gg_var *v) { return v->dtype == GG_F64 ? 8 : 4; }
static inline int64_t columns(const gg_var *v) { return v->shape.d[v->shape.n - 1]; }
static inline char *row(const gg_var *v, int64_t r) { return (char *)v->data + r * columns(v) * width(v); }

static bool gates(gg_var *a, gg_var *state, int n_gates, const char *what)
{
    if (!a || !state)
        return false;
    bool fits = a->shape.n == 2 && state->shape.n == 2 && a->shape.d[0] == state->shape.d[0] && a->shape.d[1] == n_gates * state->shape.d[1];
    if (!fits)
        gg__mistake(a->g, GG_EINVAL, "%s: gates %s, state %s: (B, %d H) and (B, H) are needed", what, SHAPE_TEXT(a), SHAPE_TEXT(state), n_gates);
    return fits;
}

gg_var *gg_var_lstm_cell(gg_var *a, gg_var *c) { return gates(a, c, 4, "lstm_cell") ? gg__node(a->g, GG__OP_LSTM_CELL, c->shape, a, c) : NULL; }
gg_var *gg_var_lstm_hidden(gg_var *a, gg_var *c) { return gates(a, c, 4, "lstm_hidden") ? gg__node(a->g, GG__OP_LSTM_HIDDEN, c->shape, a, c) : NULL; }
gg_var *gg_var_gru_cell(gg_var *x, gg_var *y, gg_var *h)
{
    return gates(x, h, 3, "gru_cell") && gates(y, h, 3, "gru_cell") ? gg__node(x->g, GG__OP_GRU_CELL, h->shape, x, y, h) : NULL;
}

/* --- kernels: one row at a time ---------------------------------------------------------------------------------------------------------------- */
static void rows(gg_var *v, int64_t first, int64_t last, int worker)
{
    (void)worker;
    const gg__loops *l = v->g->loops;
    gg_var *const *in = v->in;
    for (int64_t r = first; r < last; r++) {
        char *y = row(v, r), *a = row(in[0], r), *b = row(in[1], r), *c = v->n_in > 2 ? row(in[2], r) : NULL, *d = v->n_in > 3 ? row(in[3], r) : NULL;
        switch (v->op) {
        case GG__OP_LSTM_CELL: l->lstm_cell(y, a, b, NULL, NULL, columns(in[1])); break;
        case GG__OP_LSTM_CELL_DA: l->lstm_cell_da(y, a, b, c, NULL, columns(in[1])); break;
        case GG__OP_LSTM_CELL_DC: l->lstm_cell_dc(y, a, b, NULL, NULL, columns(in[1])); break;
        case GG__OP_LSTM_HIDDEN: l->lstm_hidden(y, a, b, NULL, NULL, columns(in[1])); break;
        case GG__OP_LSTM_HIDDEN_DA: l->lstm_hidden_da(y, a, b, c, NULL, columns(in[1])); break;
        case GG__OP_LSTM_HIDDEN_DC: l->lstm_hidden_dc(y, a, b, c, NULL, columns(in[1])); break;
        case GG__OP_GRU_CELL: l->gru_cell(y, a, b, c, NULL, columns(in[2])); break;
        case GG__OP_GRU_CELL_DX: l->gru_cell_dx(y, a, b, c, d, columns(in[2])); break;
        case GG__OP_GRU_CELL_DY: l->gru_cell_dy(y, a, b, c, d, columns(in[2])); break;
        default: l->gru_cell_dh(y, a, b, c, NULL, columns(in[2])); break;
        }
    }
}

void gg__rows_cell(gg_var *v, int64_t first, int64_t last, int worker) { rows(v, first, last, worker); }

gg_status gg__run_cell(gg_var *v)
{
    gg__split(v, v->shape.d[0], 16 * v->in[0]->shape.d[1], rows);
    return GG_OK;
}

/* --- gradients -------------------------------------------------------------------------------------------------------------------------- */
void gg__gradient_lstm_cell(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *a = v->in[0], *c = v->in[1];
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_LSTM_CELL_DA, a->shape, a, c, d) : NULL;
    d_in[1] = wanted[1] && d ? gg__node(v->g, GG__OP_LSTM_CELL_DC, c->shape, a, d) : NULL;
}

void gg__gradient_lstm_hidden(gg_var **d_in, const bool *wanted, gg_var *v, gg_var *d)
{
    gg_var *a = v->in[0], *c = v->in[1];
    d_in[0] = wanted[0] && d ? gg__node(v->g, GG__OP_LSTM_HIDDEN_DA, a->shape, a, c, d) : NULL;
    d_in[1] = wanted[1] && d ? gg__node(v->g, GG__OP_LSTM_HIDDEN_DC, c->shape, a, c, d) : NULL;
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

gg_var *gg__composite_cell(gg_var *v)
{
    gg_var *a = v->in[0], *c = v->in[1], *d = v->n_in > 2 ? v->in[2] : NULL;
    if (v->op <= GG__OP_LSTM_HIDDEN_DC) {
        gg_var *i = gg_var_sigmoid(gate(a, 0, 4)), *f = gg_var_sigmoid(gate(a, 1, 4)), *g = gg_var_tanh(gate(a, 2, 4)), *o = gg_var_sigmoid(gate(a, 3, 4));
        gg_var *zero = gg_graph_fill(v->g, i ? i->shape : GG_SCALAR, 0);
        switch (v->op) {
        case GG__OP_LSTM_CELL_DA:
            return gg_var_concat((gg_var *const[]){gg_var_mul(gg_var_mul(d, g), rest(i)), gg_var_mul(gg_var_mul(d, c), rest(f)), gg_var_mul(gg_var_mul(d, i), flat(g)), zero}, 4, 1);
        case GG__OP_LSTM_CELL_DC: return gg_var_mul(c, f); /* here in[1] is d */
        case GG__OP_LSTM_HIDDEN_DA: return gg_var_concat((gg_var *const[]){zero, zero, zero, gg_var_mul(gg_var_mul(d, gg_var_tanh(c)), rest(o))}, 4, 1);
        default: return gg_var_mul(gg_var_mul(d, o), flat(gg_var_tanh(c)));
        }
    }
    gg_var *x = a, *y = c, *h = v->in[2];
    gg_var *r = gg_var_sigmoid(gg_var_add(gate(x, 0, 3), gate(y, 0, 3))), *z = gg_var_sigmoid(gg_var_add(gate(x, 1, 3), gate(y, 1, 3)));
    if (v->op == GG__OP_GRU_CELL_DH)
        return gg_var_mul(h, z); /* here in[2] is d */
    gg_var *yn = gate(y, 2, 3), *n = gg_var_tanh(gg_var_add(gate(x, 2, 3), gg_var_mul(r, yn)));
    d = v->in[3];
    gg_var *dn = gg_var_mul(gg_var_mul(d, gg_var_shift(gg_var_neg(z), 1)), flat(n));
    gg_var *dr = gg_var_mul(gg_var_mul(dn, yn), rest(r)), *dz = gg_var_mul(gg_var_mul(d, gg_var_sub(h, n)), rest(z));
    return gg_var_concat((gg_var *const[]){dr, dz, v->op == GG__OP_GRU_CELL_DX ? dn : gg_var_mul(dn, r)}, 3, 1);
}
