/* golgi/trainer.h - nets as lists of layers, their training, and how good they are. Floor 5.
 *
 *     #include <golgi/trainer.h>
 *     #include <stdio.h>
 *
 *     int main(void) // a point lies inside a circle or outside
 *     {
 *         static float x[400 * 2];
 *         static int32_t inside[400];
 *         for (int i = 0; i < 400; i++) {
 *             x[2 * i] = (float)(i % 20) / 10 - 1, x[2 * i + 1] = (float)(i / 20) / 10 - 1;
 *             inside[i] = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1] < 0.5f;
 *         }
 *         gg_context *ctx = NULL;
 *         gg_data *all = NULL, *part[2] = {NULL, NULL};
 *         gg_net *net = NULL;
 *         gg_train_result r = {0};
 *         gg_scores test = {0};
 *         gg_context_create(&ctx, NULL);
 *         json_t *layers = json_loads("[{\"layer\": \"linear\", \"n\": 16}, \"tanh\", {\"layer\": \"linear\", \"n\": 2}]", 0, NULL);
 *         gg_status s = gg_data_create(&all, ctx, &(gg_data_arrays){.x = gg_array_rows(x, GG_F32, 400, 2), .label = inside, .n_classes = 2});
 *         if (s == GG_OK && (s = gg_data_split(part, all, (const double[]){0.8, 0.2}, 2, &(gg_split_options){.stratify = true})) == GG_OK)
 *             s = gg_net_create(&net, ctx, layers, &(gg_net_input){.sample = GG_SHAPE(2)});
 *         const gg_train_options o = {.epochs = 60, .optim = {.kind = GG_OPTIM_ADAM, .lr = 0.02}};
 *         if (s == GG_OK && (s = gg_train(&r, net, part[0], NULL, &o)) == GG_OK)
 *             s = gg_net_scores(&test, NULL, net, part[1], &o);
 *         printf("%s; accuracy %.2f\n", s == GG_OK ? "trained" : gg_message(ctx), test.value[GG_METRIC_ACCURACY]);
 *         gg_net_free(net);
 *         gg_data_free(part[0]);
 *         gg_data_free(part[1]);
 *         gg_data_free(all);
 *         json_decref(layers);
 *         gg_context_free(ctx);
 *         return !(s == GG_OK && test.value[GG_METRIC_ACCURACY] > 0.9);
 *     }
 *
 * A net is a list of layers in JSON, in PyTorch's words (docs/train.md has them all). A run is a function of its options, seed and data: the same bits with
 * any number of threads, and after it was killed and went on from its folder. gg_trainer is the whole of it from one configuration file.
 * Errors: GG_EINVAL with the place in the list (/model/3/kernel) or the option; GG_ENAN names the operation and the step; GG_EMISMATCH says what differs.
 */
#ifndef GOLGI_TRAINER_H
#define GOLGI_TRAINER_H
#include <golgi/data.h>
#include <golgi/nn.h>
#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- nets ------------------------------------------------------------------------------------------------------------------------------- */
typedef struct gg_net gg_net;
typedef struct gg_net_input {
    gg_shape sample; /* of one, without the batch */
    int64_t n_vocab; /* > 0: samples are token ids below it */
} gg_net_input;
typedef struct gg_net_layer {
    const char *kind, *name;
    gg_shape output;              /* of one sample */
    int64_t n_params;             /* numbers */
    int first_param, n_tensors;   /* its parameters in gg_net_params */
} gg_net_layer;
/* Parameters are called "0.weight", "0.bias", "2.weight", ... by the layer's place, as in torch.nn.Sequential; they are zero until gg_nn_init. */
GG_API gg_status gg_net_create(gg_net **out, gg_context *ctx, const json_t *model, const gg_net_input *in);
GG_API void gg_net_free(gg_net *n);
GG_API gg_params *gg_net_params(gg_net *n);
GG_API int gg_net_count(const gg_net *n);
GG_API const gg_net_layer *gg_net_at(const gg_net *n, int i);
GG_API gg_shape gg_net_shape(const gg_net *n); /* of what it gives for one sample */
GG_API const gg_net_input *gg_net_takes(const gg_net *n);
/* Records it: x (B, sample) -> (B, ...). */
GG_API gg_var *gg_net_output(gg_net *n, gg_graph *g, gg_var *x);
/* Parameters from a .safetensors file; other tensors in it whose names begin with "golgi." are passed over. GG_EMISMATCH lists what is missing, of another
 * shape, or unknown. */
GG_API gg_status gg_net_load(gg_net *n, const char *path);
GG_API gg_status gg_net_save(gg_net *n, const char *path);

/* --- training --------------------------------------------------------------------------------------------------------------------------- */
/* code, name. cross_entropy: classes (or tokens) from as many outputs; bce_with_logits: two classes from one output; the others: values */
#define GG_LOSS_MAP(X) X(CROSS_ENTROPY, cross_entropy) X(BCE_WITH_LOGITS, bce_with_logits) X(MSE, mse) X(MAE, mae) X(HUBER, huber)
typedef enum gg_loss_kind {
#define GG_X(code, name) GG_LOSS_##code,
    GG_LOSS_MAP(GG_X)
#undef GG_X
    GG_LOSSES
} gg_loss_kind;
GG_API const char *gg_loss_name(gg_loss_kind k);
typedef struct gg_loss {
    gg_loss_kind kind;
    double label_smoothing;     /* cross_entropy, [0, 1) */
    double delta;               /* huber; 0: 1 */
    const double *class_weight; /* cross_entropy: (n_classes,), or NULL */
} gg_loss;

/* code, name, larger is better. NaN where a score is not defined. */
#define GG_METRIC_MAP(X)                                                                                                                          \
    X(LOSS, loss, 0) X(ACCURACY, accuracy, 1) X(BALANCED_ACCURACY, balanced_accuracy, 1) X(F1_MACRO, f1_macro, 1) X(F1_MICRO, f1_micro, 1)       \
    X(AUROC, auroc, 1) X(BRIER, brier, 0) X(ECE, ece, 0) X(PERPLEXITY, perplexity, 0) X(R2, r2, 1) X(MAE, mae, 0) X(RMSE, rmse, 0)                \
    X(PEARSON, pearson, 1)
typedef enum gg_metric {
#define GG_X(code, name, up) GG_METRIC_##code,
    GG_METRIC_MAP(GG_X)
#undef GG_X
    GG_METRICS
} gg_metric;
GG_API const char *gg_metric_name(gg_metric s); /* "f1_macro" */
GG_API bool gg_metric_up(gg_metric s);          /* larger is better */
typedef struct gg_scores {
    int64_t n; /* samples */
    double value[GG_METRICS];
} gg_scores;

typedef struct gg_epoch {
    int64_t epoch, step;  /* done so far */
    double train_loss;    /* mean over the epoch's samples, as they were learned from */
    bool has_val;
    gg_scores val;
    double lr, seconds;   /* of the last step; since the start, over all sittings */
    bool best;            /* the best so far */
} gg_epoch;

/* All zeros but epochs (or steps) is a sensible run. */
typedef struct gg_train_options {
    gg_loss loss;
    gg_optim_options optim;
    gg_schedule schedule;        /* lr 0: constant, optim.lr */
    int64_t epochs, steps;       /* passes over the data; steps > 0: it ends after so many */
    int64_t batch_size;          /* 32 */
    bool drop_last, ordered;     /* an incomplete last batch is left out; samples come in the order of the data */
    uint64_t seed;               /* of initial values, batches and dropout */
    int n_threads;               /* 0: one */
    const gg_scaler *scaler;     /* of the inputs; NULL: as they are */
    const double *value_shift, *value_scale; /* (n_values,) values are learned as (v - shift) / scale; NULL: as they are. Scores are of values */
    /* which epoch is the best, and when to stop */
    gg_metric metric;             /* of the validation data; without any, the training loss */
    bool largest;                /* loss 0 is best: false */
    int64_t patience;            /* epochs without a better one before training stops; 0: never */
    double min_delta;            /* what counts as better */
    /* what is kept */
    const char *folder;          /* best.safetensors, last.safetensors, state.json, log.csv, log.jsonl; NULL: nothing. What lies there is gone on from */
    double checkpoint_seconds;   /* between writings of last.safetensors (30); < 0: every step */
    const json_t *made_with;     /* an object: a checkpoint that was made with another one is refused. NULL: not looked at */
    void (*step)(void *user, int64_t step, double loss);   /* after each; may be NULL */
    gg_status (*look)(void *user, const gg_epoch *e);      /* after each epoch; may be NULL. Anything but GG_OK ends the run */
    void *user;
} gg_train_options;
typedef struct gg_train_result {
    gg_epoch last, best;
    int64_t from_step;    /* > 0: gone on from a checkpoint */
    bool stopped_early;
    double seconds;
} gg_train_result;
/* Leaves the best parameters in the net (without validation data: of the smallest training loss). val may be NULL. GG_EINTR: stopped; a checkpoint was
 * written. */
GG_API gg_status gg_train(gg_train_result *out, gg_net *net, const gg_data *train, const gg_data *val, const gg_train_options *o);

/* --- judging ------------------------------------------------------------------------------------------------------------------------------ */
/* Of loss, scaler, value_shift, value_scale and n_threads in the options. confusion: (n_classes, n_classes) truth by predicted, or NULL. */
GG_API gg_status gg_net_scores(gg_scores *out, int64_t *confusion, gg_net *net, const gg_data *data, const gg_train_options *o);
/* What it gives for each sample: (n, outputs) numbers in the order of the data: classes' probabilities, values as they were before scaling. */
GG_API gg_status gg_net_predict(float *out, gg_net *net, const gg_data *data, const gg_train_options *o);

/* --- all of it from a configuration: docs/train.md says what its keys are ------------------------------------------------------------------ */
typedef struct gg_trainer gg_trainer;
typedef enum gg_part { GG_PART_TRAIN, GG_PART_VALIDATION, GG_PART_TEST, GG_PARTS } gg_part;
typedef struct gg_trainer_options {
    const char *const *set; /* (n_set,) "training.epochs=5": in place of what the file says */
    int n_set;
    const char *folder;     /* as in gg_train_options; the model is written there too */
    int n_threads;
    const gg_trainer *like; /* its data are used where the configuration asks for the same; it outlives this one. NULL: none */
} gg_trainer_options;
/* Reads the configuration, opens and splits the data, fits the scaler, builds the net. Unknown keys, wrong types and values outside their ranges are told
 * with file, line and place. Freed by gg_trainer_free. */
GG_API gg_status gg_trainer_open(gg_trainer **out, gg_context *ctx, const char *path, const gg_trainer_options *o);
GG_API void gg_trainer_free(gg_trainer *t);
GG_API gg_net *gg_trainer_net(gg_trainer *t);
GG_API const gg_data *gg_trainer_data(const gg_trainer *t, gg_part part); /* NULL: there is no such part */
GG_API const gg_train_options *gg_trainer_plan(const gg_trainer *t);      /* what gg_train is called with */
GG_API const json_t *gg_trainer_config(const gg_trainer *t);             /* with what was set */
/* Trains, or goes on, and writes model.json beside the checkpoints. The callbacks are those of gg_train_options. */
GG_API gg_status gg_trainer_run(gg_train_result *out, gg_trainer *t, void (*step)(void *, int64_t, double), gg_status (*look)(void *, const gg_epoch *),
                                void *user);

/* A trained net as its folder holds it: model.json and best.safetensors (or another file of parameters, by its path). */
typedef struct gg_trained gg_trained;
GG_API gg_status gg_trained_open(gg_trained **out, gg_context *ctx, const char *folder, const char *parameters);
GG_API void gg_trained_free(gg_trained *m);
GG_API gg_net *gg_trained_net(gg_trained *m);
/* For gg_net_scores and gg_net_predict. */
GG_API gg_train_options *gg_trained_options(gg_trained *m);
GG_API gg_target_kind gg_trained_target(const gg_trained *m);
GG_API int64_t gg_trained_classes(const gg_trained *m, const char *const **name); /* 0: it gives values */
/* Data that the net can look at: the same columns, categories and classes. targets: they are there too. */
GG_API gg_status gg_trained_data(gg_data **out, gg_trained *m, const char *path, bool targets);

#ifdef __cplusplus
}
#endif
#endif
