/* How the tokens of a pool spread over the scores: a histogram that adds up over shards, in any order. See sketch.c. */
#ifndef GOLGI_NAG_SKETCH_H
#define GOLGI_NAG_SKETCH_H
#include "systems/nag/nag_internal.h"

typedef struct gg__nag_sketch {
    gg_context *ctx;
    int64_t *n;      /* (GG__NAG_CELLS,) documents */
    int64_t *tokens; /* (GG__NAG_CELLS,) */
} gg__nag_sketch;
enum { GG__NAG_CELL_BITS = 10, GG__NAG_CELLS = 16 << GG__NAG_CELL_BITS };

gg_status gg__nag_sketch_create(gg__nag_sketch **out, gg_context *ctx);
void gg__nag_sketch_free(gg__nag_sketch *s);
/* The cell of a score; cells rise with scores. */
int gg__nag_sketch_cell(double score);
/* No score of the cell or of one below it is larger. */
double gg__nag_sketch_end(int cell);
static inline void gg__nag_sketch_add(gg__nag_sketch *s, double score, int64_t tokens)
{
    const int cell = gg__nag_sketch_cell(score);
    s->n[cell]++;
    s->tokens[cell] += tokens;
}
void gg__nag_sketch_merge(gg__nag_sketch *s, const gg__nag_sketch *from);
/* A score below which there are more tokens than the budget: no selection within it reaches further. Infinity: none is needed. */
double gg__nag_sketch_reach(const gg__nag_sketch *s, int64_t budget);

#endif
