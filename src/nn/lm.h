/* The inside of a language model, for lm.c, lm_train.c and lm_save.c. */
#ifndef GG_NN_LM_H
#define GG_NN_LM_H
#include <golgi/lm.h>

struct gg_lm {
    gg_context *ctx;
    gg_lm_options o;
    gg_params *params;
    gg_graph *judge; /* of gg_lm_loss; made when first asked for */
    gg_var *judge_x, *judge_t, *judge_loss;
};
#endif
