/* The inside of a language model, for lm.c, lm_train.c and lm_save.c. */
#ifndef GG_NN_LM_H
#define GG_NN_LM_H
#include <golgi/lm.h>

struct gg_ranks;

struct gg_lm {
    gg_context *ctx;
    gg_lm_options o;
    gg_params *params;
    gg_graph *judge; /* of gg_lm_loss; made when first asked for */
    gg_var *judge_x, *judge_t, *judge_loss;
};

/* gg_lm_loss, its windows shared among the ranks (NULL: none); every rank gets the sum. */
gg_status gg__lm_loss(double *out, gg_lm *lm, const int32_t *token, int64_t n, int n_threads, struct gg_ranks *ranks);
#endif
