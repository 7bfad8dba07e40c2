/* The inside of an optimiser, for the files of src/nn that update parameters. */
#ifndef GG_NN_OPTIM_H
#define GG_NN_OPTIM_H
#include <golgi/optim.h>
#include "base/memory.h"
#include "grad/loops.h"

typedef struct gg__optim_range { /* neighbouring parameters that are treated alike */
    int64_t first, n;
    double rate, decay; /* factor on the learning rate; weight decay */
} gg__optim_range;

struct gg_optim {
    gg_context *ctx;
    gg_params *params;
    gg_optim_options o;
    const gg__loops *loops;
    int64_t steps;
    double norm;
    int n_blocks, n_ranges;
    void **block;           /* (n_blocks, at least 3) state; NULL: none */
    void *work[5];          /* lbfgs: what a step needs besides */
    void *mask;             /* (extent,) 0 where a number stays 0; NULL: none does */
    double *rate, *decay;   /* (parameters,) of the groups */
    gg__optim_range *range; /* (n_ranges,) */
};

static inline void *gg__optim_at(const gg_optim *o, void *block, int64_t i)
{
    return block ? (char *)block + i * (gg_params_dtype(o->params) == GG_F64 ? 8 : 4) : NULL;
}
/* Clips the gradients as the options say. */
gg_status gg__optim_clip(gg_optim *o);

enum { GG__LBFGS_WORK = 5 };
gg_status gg__lbfgs_step(gg_optim *o, gg_optim_evaluate evaluate, void *user, double *loss);
#endif
