/* The inside of training, for train*.c, scores.c and trainer*.c. */
#ifndef GG_NN_TRAIN_H
#define GG_NN_TRAIN_H
#include <golgi/trainer.h>
#include "base/memory.h"

/* --- a net recorded for batches of one size, with its loss ------------------------------------------------------------------------------------ */
typedef struct gg__stage {
    gg_graph *g;
    gg_var *x, *t;         /* t NULL: nothing to compare with */
    gg_var *out, *each;    /* (B, ...); the loss of each place, not yet weighted; NULL without t */
    gg_var *weight;        /* of each place: classes' weights; NULL: all alike */
    gg_var *loss;          /* the mean; of stages that learn */
    int64_t batch;
    int32_t *label;        /* (B,) between data and t, which holds numbers; of bce_with_logits */
} gg__stage;
/* Does this loss fit these data, and what the net gives? GG_EINVAL says what does. */
gg_status gg__loss_check(gg_context *ctx, const gg_loss *l, const gg_data_description *d, const gg_train_options *o);
gg_status gg__loss_check_net(gg_context *ctx, const gg_loss *l, const gg_data_description *d, const gg_net *net);
/* learns: gradients, and dropout on. targets: data have them. */
gg_status gg__stage_create(gg__stage *st, gg_net *net, const gg_data *data, int64_t batch, const gg_train_options *o, bool targets, bool learns);
void gg__stage_free(gg__stage *st, gg_context *ctx);
/* n samples by their numbers, n <= batch; the rest of the batch repeats the last. */
gg_status gg__stage_fill(gg__stage *st, const gg_data *data, const int64_t *index, int64_t n, const gg_train_options *o);

/* --- judging --------------------------------------------------------------------------------------------------------------------------------- */
typedef struct gg__judge gg__judge;
gg_status gg__judge_create(gg__judge **out, gg_net *net, const gg_data *data, const gg_train_options *o);
gg_status gg__judge_run(gg_scores *out, int64_t *confusion, gg__judge *j);
void gg__judge_free(gg__judge *j);

/* --- what is kept -------------------------------------------------------------------------------------------------------------------------------- */
typedef struct gg__training {
    gg_context *ctx;
    gg_net *net;
    const gg_data *data, *val;
    gg_train_options o;       /* defaults filled in */
    gg__stage whole, rest;    /* full batches; the incomplete last one */
    gg__stage *now;           /* of these the one of this step */
    gg__judge *judge;
    gg_optim *optim;
    gg_batches *batches;
    gg_schedule schedule;
    int64_t epoch, step, in_epoch; /* epochs and steps done; batches of the epoch under way */
    int64_t steps_total;
    double loss_sum, loss_n;  /* of the epoch under way */
    int64_t bad_epochs;       /* since the best */
    double seconds_before, start, written;
    gg_epoch last, best;
    float *best_value;        /* (extent,) parameters of the best epoch */
    bool has_best, best_written;
    json_t *history;          /* a list of rows */
    json_t *made;             /* all that decides the bits, but for how long it goes on; of runs with a folder */
} gg__training;
/* Fills made in: looks at all samples once. */
gg_status gg__training_made(gg__training *t);
/* Goes on from the folder's last checkpoint, if there is one. GG_EMISMATCH says what it was made with and what is asked for now. */
gg_status gg__training_restore(gg__training *t, bool *found);
/* last.safetensors, from which all goes on; best.safetensors when there is a new one; state.json and the logs, to be read along. */
gg_status gg__training_keep(gg__training *t);
json_t *gg__training_row(const gg__training *t, const gg_epoch *e);
/* Does a score belong to such targets? */
bool gg__score_applies(gg_target_kind target, gg_metric s);
/* Tensors of a file into a block of the parameters; NULL: their values. Whatever is missing, of another shape or unknown (but golgi.*) is told. */
gg_status gg__params_read(void *block, gg_params *p, gg_context *ctx, const char *path);
#endif
