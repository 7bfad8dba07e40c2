/* The inside of gg_trainer: what a configuration of training says. */
#ifndef GG_NN_TRAINER_H
#define GG_NN_TRAINER_H
#include <golgi/trainer.h>
#include "base/memory.h"
#include "nn/config.h"

/* The part "data". Texts live with the configuration; paths are as written there. */
typedef struct gg__data_config {
    const char *train, *validation, *test; /* paths; NULL: none, or a part of train */
    double validation_part, test_part;
    bool stratify, grouped, ordered;
    int64_t seed;
    const char *target, *group;
    char target_number[24];                /* a target given by its number */
    int task;                              /* gg_target_kind: auto, class or value */
    const char **ignore;                   /* (n_ignore,) */
    int n_ignore;
    bool header;
    int missing;                           /* error|mean */
    const char *labels, *validation_labels, *test_labels, *x, *y;
    int64_t n_classes, length, stride;
    const char *tokenizer;
    int scale;                             /* gg_scale_kind */
    bool scale_target;
} gg__data_config;
gg_status gg__data_config_read(gg__data_config *d, const gg__place *data);
void gg__data_config_free(gg__data_config *d, gg_context *ctx);
/* The name of the targets inside the file: of .npz, when that is what "y" names. NULL: the usual one. */
const char *gg__data_config_y(const gg__data_config *d, const char *path);

typedef struct gg__plan_config {
    gg_train_options o;      /* but for the schedule, which counts in epochs until the number of steps of one is known */
    double *class_weight;    /* (n_weight,) or NULL */
    int64_t n_weight;
    bool balanced;           /* weights by how rare a class is */
    double warmup, step_size; /* epochs */
    int64_t history;          /* of lbfgs */
    bool has_metric;
} gg__plan_config;
/* Loss, optimizer, schedule and training. */
gg_status gg__plan_config_read(gg__plan_config *p, const gg__place *root);
void gg__plan_config_free(gg__plan_config *p, gg_context *ctx);
/* Steps that go once over n samples. */
static inline int64_t gg__steps_per_epoch(const gg_train_options *o, int64_t n)
{
    return o->drop_last && n >= o->batch_size ? n / o->batch_size : (n + o->batch_size - 1) / o->batch_size;
}
/* The schedule in steps. */
void gg__plan_config_steps(gg__plan_config *p, int64_t steps_per_epoch);

/* A path as the configuration at `file` means it: beside it, unless it is absolute. */
gg_status gg__path_beside(gg_str *out, const char *file, const char *path);
/* model.json: all that is needed to look at other data. */
gg_status gg__trained_write(gg_trainer *t, const char *folder);
/* For trained.c, of the trainer. */
typedef struct gg__trainer_parts {
    const gg__data_config *data;
    const gg_scaler *scaler;
    const char *file;
    const double *value_shift, *value_scale;
} gg__trainer_parts;
gg__trainer_parts gg__trainer_look(const gg_trainer *t);
#endif
