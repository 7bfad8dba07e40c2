/* A histogram over the bits of scores. A double above 0 rises with its bits, so a cell is sign, exponent and the first ten bits of the fraction:
 * 1024 cells from 1/2 to 1, as many from 1/4 to 1/2, down to 2^-14; what is smaller, and 0, shares the first cell. Scores are at most 2.
 * Cells are exact (no score is on the wrong side of an edge) and their sums are whole numbers, so merging is associative and free of order.
 */
#include "systems/nag/sketch.h"
#include <math.h>

enum { SHIFT = 52 - GG__NAG_CELL_BITS };
#define LOWEST ((uint64_t)(1023 - 14) << 52) /* 2^-14 */

gg_status gg__nag_sketch_create(gg__nag_sketch **out, gg_context *ctx)
{
    gg__nag_sketch *s = gg_new(ctx, gg__nag_sketch, 1);
    if (!s)
        return GG_ENOMEM;
    s->ctx = ctx;
    if (!(s->n = gg_new(ctx, int64_t, 2 * GG__NAG_CELLS))) {
        gg_drop(ctx, s);
        return GG_ENOMEM;
    }
    s->tokens = s->n + GG__NAG_CELLS;
    *out = s;
    return GG_OK;
}

void gg__nag_sketch_free(gg__nag_sketch *s)
{
    if (!s)
        return;
    gg_drop(s->ctx, s->n);
    gg_drop(s->ctx, s);
}

int gg__nag_sketch_cell(double score)
{
    uint64_t bits;
    memcpy(&bits, &score, 8);
    if (!(score >= 0x1p-14)) /* and a distance that rounding left a little below 0 */
        return 0;
    const uint64_t cell = (bits - LOWEST) >> SHIFT;
    return cell < GG__NAG_CELLS ? (int)cell : GG__NAG_CELLS - 1;
}

double gg__nag_sketch_end(int cell)
{
    if (cell == GG__NAG_CELLS - 1)
        return INFINITY;
    const uint64_t bits = LOWEST + ((uint64_t)(cell + 1) << SHIFT) - 1;
    double score;
    memcpy(&score, &bits, 8);
    return score;
}

void gg__nag_sketch_merge(gg__nag_sketch *s, const gg__nag_sketch *from)
{
    for (int i = 0; i < GG__NAG_CELLS; i++) {
        s->n[i] += from->n[i];
        s->tokens[i] += from->tokens[i];
    }
}

double gg__nag_sketch_reach(const gg__nag_sketch *s, int64_t budget)
{
    int64_t sum = 0;
    for (int i = 0; i < GG__NAG_CELLS; i++) {
        sum += s->tokens[i];
        if (sum > budget)
            return gg__nag_sketch_end(i);
    }
    return INFINITY;
}
