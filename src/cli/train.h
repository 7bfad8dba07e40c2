/* What the files of golgi train, eval and predict share. */
#ifndef GG_CLI_TRAIN_H
#define GG_CLI_TRAIN_H
#include <golgi/trainer.h>
#include "base/command.h"
#include "base/memory.h"
#include "nn/config.h"

/* One run: a configuration with changes, in a folder of its own. */
typedef struct gg__run {
    const char *config;     /* path */
    const char *folder;
    const char *const *set; /* (n_set,) changes */
    int n_set;
    const gg_trainer *like; /* whose data it may use; NULL */
    int n_threads;
    const char *command;    /* for the report */
    bool report;
    gg_context *parent;     /* when it is stopped, so is this run; NULL */
    const gg_command *verb; /* whose progress line counts its steps; NULL: none */
    bool finished;          /* out: nothing was left to train, its folder had the parameters of the last step */
} gg__run;
/* Trains, judges the best on validation and test data, writes metrics.json and the report. *result: what metrics.json holds. */
gg_status gg__train_one(json_t **result, gg_context *ctx, gg__run *r);
/* All points of the grid, all seeds, `jobs` at a time; *result: {"runs": [...], "points": [...]}. */
typedef struct gg__many {
    gg__run base;           /* folder: around theirs */
    const char *const *grid; /* (n_grid,) "optimizer.lr=0.1,0.01" */
    int n_grid;
    int64_t seeds, jobs;
} gg__many;
gg_status gg__train_many(json_t **result, gg_context *ctx, const gg_command *c, const gg__many *m);

/* {"loss": 0.1, "accuracy": 0.9, ...}: the scores that are defined. NULL: out of memory */
json_t *gg__scores_json(const gg_scores *s);
void gg__scores_print(FILE *to, const json_t *const *column, const char *const *name, int n);
void gg__confusion_print(FILE *to, const json_t *confusion, const json_t *classes);
json_t *gg__confusion_json(const int64_t *count, int64_t n);
/* A file's name without its folder. */
const char *gg__name_of(const char *path);
/* The layers with what they give and hold. */
void gg__net_print(FILE *to, gg_net *net);
json_t *gg__net_json(gg_net *net);
/* curves of loss and of one score, and report.html, from log.jsonl and the result. */
gg_status gg__train_report(gg_context *ctx, const char *folder, const json_t *result, const char *command);
/* The same of many runs: a curve a point, a row a point. */
gg_status gg__many_report(gg_context *ctx, const char *folder, const json_t *result, const char *command);
#endif
