/* Training from a configuration: opens and splits the data, fits what is fitted on the training part, builds the net, trains, writes the model.
 *
 * Whatever is learned from data - the scaler, classes' weights, the scale of values - is learned from the training part alone.
 */
#include "nn/trainer.h"
#include "base/file.h"
#include "base/json.h"
#include "io/stream.h"
#include "nn/data.h"
#include "nn/net.h"
#include "nn/train.h"
#include <math.h>
#include <stdio.h>

struct gg_trainer {
    gg_context *ctx;
    gg__config config;
    gg__data_config data;
    gg__plan_config plan;
    gg_data *part[GG_PARTS];
    gg_scaler *scaler;
    double *value_shift, *value_scale;
    bool shared;            /* parts, scaler and scales are another's */
    gg_net *net;
    json_t *made_with;
    char *folder;
};

gg_status gg__path_beside(gg_str *out, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    out->len = 0;
    if (*path != '/' && slash)
        gg_str_add(out, file, (size_t)(slash - file) + 1);
    gg_str_puts(out, path);
    return out->failed ? GG_ENOMEM : GG_OK;
}

/* --- data ------------------------------------------------------------------------------------------------------------------------------------------ */
/* labels: the file of targets, of IDX and NPY; like: the part that is learned from, of the others. */
static gg_status open_file(gg_data **out, const gg_trainer *t, const char *path, const char *labels, const gg_data *like)
{
    gg_context *ctx = t->ctx;
    const gg__data_config *d = &t->data;
    gg_str file = {.ctx = ctx}, labels_file = {.ctx = ctx}, tokens = {.ctx = ctx};
    gg_tokenizer *tokenizer = NULL;
    json_t *schema = NULL;
    const bool npy = gg_name_ends(path, ".npy");
    if (npy && !labels && like)
        return gg_fail(ctx, GG_EINVAL, "%s: a .npy has no targets in it: name their file, \"%s\"", path, path == d->test ? "test_labels" : "validation_labels");
    labels = npy && !labels ? d->y : labels;
    gg_status s = gg__path_beside(&file, t->config.file, path);
    if (s == GG_OK && labels)
        s = gg__path_beside(&labels_file, t->config.file, labels);
    if (s == GG_OK && d->tokenizer && (s = gg__path_beside(&tokens, t->config.file, d->tokenizer)) == GG_OK)
        s = gg_tokenizer_open_path(&tokenizer, ctx, tokens.data);
    if (s == GG_OK && like)
        s = gg_data_schema(&schema, like);
    if (s == GG_OK)
        s = gg_data_open(out, ctx, file.data,
                         &(gg_data_options){.target = (gg_target_kind)d->task,
                                            .target_column = d->target,
                                            .group_column = like ? NULL : d->group, /* only what is split has groups */
                                            .ignore = d->ignore,
                                            .n_ignore = d->n_ignore,
                                            .no_header = !d->header,
                                            .missing_mean = d->missing == 1,
                                            .schema = schema,
                                            .labels = labels ? labels_file.data : NULL,
                                            .x = d->x,
                                            .y = npy ? labels_file.data : gg__data_config_y(d, path),
                                            .n_classes = like ? gg_data_describe(like)->n_classes : d->n_classes,
                                            .tokenizer = tokenizer,
                                            .length = d->length,
                                            .stride = d->stride});
    json_decref(schema);
    gg_tokenizer_free(tokenizer);
    gg_str_free(&file);
    gg_str_free(&labels_file);
    gg_str_free(&tokens);
    return s;
}

static gg_status split(gg_trainer *t, gg_data *all)
{
    const gg__data_config *d = &t->data;
    const double fraction[GG_PARTS] = {1 - d->validation_part - d->test_part, d->validation_part, d->test_part};
    double part[GG_PARTS];
    gg_data *made[GG_PARTS];
    int which[GG_PARTS], n = 0;
    for (int i = 0; i < GG_PARTS; i++)
        if (fraction[i] > 0) {
            part[n] = fraction[i];
            which[n++] = i;
        }
    const bool stratify = d->stratify && !d->grouped && !d->ordered && gg_data_describe(all)->target == GG_TARGET_CLASS;
    GG_TRY(
        gg_data_split(made, all, part, n, &(gg_split_options){.stratify = stratify, .grouped = d->grouped, .ordered = d->ordered, .seed = (uint64_t)d->seed}));
    for (int i = 0; i < n; i++)
        t->part[which[i]] = made[i];
    return GG_OK;
}

/* Mean and standard deviation of each value over the training part. */
static gg_status fit_values(gg_trainer *t)
{
    const gg_data_description *d = gg_data_describe(t->part[GG_PART_TRAIN]);
    float *v = gg_new(t->ctx, float, gg_mul(d->n, d->n_values));
    t->value_shift = gg_new(t->ctx, double, d->n_values);
    t->value_scale = gg_new(t->ctx, double, d->n_values);
    gg_status s = v && t->value_shift && t->value_scale ? gg_data_values(v, t->part[GG_PART_TRAIN], NULL, d->n) : GG_ENOMEM;
    for (int64_t k = 0; k < d->n_values && s == GG_OK; k++) {
        gg__moments m = {0};
        for (int64_t i = 0; i < d->n; i++)
            gg__moments_add(&m, (double)v[i * d->n_values + k]);
        t->value_shift[k] = m.mean;
        t->value_scale[k] = m.m2 > 0 ? sqrt(m.m2 / (double)m.n) : 1;
    }
    gg_drop(t->ctx, v);
    return s;
}

static gg_scale_kind scale_of(const gg_trainer *t, const gg_data_description *d)
{
    if (t->data.scale >= 0)
        return (gg_scale_kind)t->data.scale;
    return d->feature_name ? GG_SCALE_STANDARD : d->dtype == GG_U8 ? GG_SCALE_UNIT : GG_SCALE_NONE;
}

static gg_status open_data(gg_trainer *t)
{
    const gg__data_config *d = &t->data;
    gg_data *all = NULL;
    GG_TRY(open_file(&all, t, d->train, d->labels, NULL));
    gg_status s = split(t, all);
    if (s == GG_OK && d->validation)
        s = open_file(&t->part[GG_PART_VALIDATION], t, d->validation, d->validation_labels, all);
    if (s == GG_OK && d->test)
        s = open_file(&t->part[GG_PART_TEST], t, d->test, d->test_labels, all);
    gg_data_free(all);
    const gg_data_description *train = s == GG_OK ? gg_data_describe(t->part[GG_PART_TRAIN]) : NULL;
    if (s == GG_OK && train->target == GG_TARGET_NONE)
        s = gg_fail(t->ctx, GG_EINVAL, "%s: the data have no targets to learn", d->train);
    if (s == GG_OK && train->target == GG_TARGET_CLASS)
        s = gg_data_need_classes(t->part[GG_PART_TRAIN], "the training part");
    if (s == GG_OK && !train->tokens)
        s = gg_scaler_fit(&t->scaler, t->part[GG_PART_TRAIN], scale_of(t, train));
    if (s == GG_OK && d->scale_target)
        s = train->target == GG_TARGET_VALUE ? fit_values(t) : gg_fail(t->ctx, GG_EINVAL, "scale_target: the targets are no values");
    return s;
}

/* --- what follows from them ----------------------------------------------------------------------------------------------------------------------------- */
static gg_status weigh_classes(gg_trainer *t, const gg_data_description *d, const gg__place *root)
{
    gg__place loss;
    gg__plan_config *p = &t->plan;
    gg__place_member(&loss, root, "loss");
    if (p->balanced) {
        int64_t *count = gg_new(t->ctx, int64_t, d->n_classes);
        p->class_weight = gg_new(t->ctx, double, d->n_classes);
        p->n_weight = d->n_classes;
        gg_status s = count && p->class_weight ? gg_data_class_counts(count, t->part[GG_PART_TRAIN]) : GG_ENOMEM;
        for (int64_t i = 0; i < d->n_classes && s == GG_OK; i++)
            p->class_weight[i] = (double)d->n / ((double)d->n_classes * (double)count[i]);
        gg_drop(t->ctx, count);
        GG_TRY(s);
    }
    if (p->class_weight && p->n_weight != d->n_classes)
        return gg__place_fail(&loss, "%lld weights for %lld classes", (long long)p->n_weight, (long long)d->n_classes);
    p->o.loss.class_weight = p->class_weight;
    return GG_OK;
}

static gg_status build(gg_trainer *t, const gg__place *root)
{
    const gg_data_description *d = gg_data_describe(t->part[GG_PART_TRAIN]);
    gg__place model, stopping;
    if (!gg__place_member(&model, root, "model"))
        return gg__place_fail(root, "\"model\" is needed, a list of layers");
    GG_TRY(gg__net_create(&t->net, t->ctx, &model, &(gg_net_input){.sample = d->sample, .n_vocab = d->tokens ? d->n_vocab : 0}));
    gg_train_options *o = &t->plan.o;
    if (d->target == GG_TARGET_CLASS || t->plan.balanced || t->plan.class_weight)
        GG_TRY(d->target == GG_TARGET_CLASS ? weigh_classes(t, d, root) : gg__place_fail(root, "weights of classes: the targets are no classes"));
    o->scaler = t->scaler;
    o->value_shift = t->value_shift;
    o->value_scale = t->value_scale;
    gg__place loss, training;
    gg__place_member(&loss, root, "loss");
    gg_status s = gg__loss_check(t->ctx, &o->loss, d, o);
    if (s != GG_OK)
        return gg__place_prefix(&loss, s);
    if ((s = gg__loss_check_net(t->ctx, &o->loss, d, t->net)) != GG_OK)
        return gg__place_prefix(&model, s);
    gg__place_member(&training, root, "training");
    if (gg__place_member(&stopping, &training, "early_stopping")) {
        if (!t->part[GG_PART_VALIDATION])
            return gg__place_fail(&stopping, "there is no validation part: give /data/validation a file, or a part as 0.2");
        if (!gg__score_applies(d->target, o->metric))
            return gg__place_fail(&stopping, "val_%s is no score of these targets", gg_metric_name(o->metric));
    }
    gg__plan_config_steps(&t->plan, gg__steps_per_epoch(o, d->n));
    t->made_with = json_pack("{sO sO}", "data", json_object_get(t->config.root, "data"), "model", model.value);
    o->made_with = t->made_with;
    return t->made_with ? GG_OK : gg_fail(t->ctx, GG_ENOMEM, "out of memory for the configuration");
}

static gg_status read_config(gg_trainer *t, const char *path, const gg_trainer_options *o)
{
    static const gg__key keys[] = {{"data", NULL, GG__KEY_ANY, 0, 0, 0, NULL, GG__KEY_REQUIRED},
                                   {"model", NULL, GG__KEY_ANY, 0, 0, 0, NULL, GG__KEY_REQUIRED},
                                   {"loss", NULL, GG__KEY_ANY, 0, 0, 0, NULL, GG__KEY_REQUIRED},
                                   {"optimizer", NULL, GG__KEY_ANY, 0, 0, 0, NULL, GG__KEY_REQUIRED},
                                   {"schedule", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
                                   {"training", NULL, GG__KEY_ANY, 0, 0, 0, NULL, GG__KEY_REQUIRED}};
    gg__place data;
    GG_TRY(gg__config_read(&t->config, t->ctx, path));
    GG_TRY(gg__config_set(&t->config, o->set, o->n_set));
    const gg__place root = gg__place_root(&t->config);
    char nothing;
    GG_TRY(gg__place_object(&nothing, &root, "the configuration", keys, sizeof keys / sizeof *keys));
    gg__place_member(&data, &root, "data");
    GG_TRY(gg__data_config_read(&t->data, &data));
    return gg__plan_config_read(&t->plan, &root);
}

static bool share_data(gg_trainer *t, const gg_trainer *like)
{
    if (!like || !json_equal(json_object_get(t->config.root, "data"), json_object_get(like->config.root, "data")))
        return false;
    memcpy(t->part, like->part, sizeof t->part);
    t->scaler = like->scaler;
    t->value_shift = like->value_shift;
    t->value_scale = like->value_scale;
    return t->shared = true;
}

gg_status gg_trainer_open(gg_trainer **out, gg_context *ctx, const char *path, const gg_trainer_options *o)
{
    static const gg_trainer_options none;
    o = o ? o : &none;
    *out = NULL;
    gg_trainer *t = gg_new(ctx, gg_trainer, 1);
    if (!t)
        return GG_ENOMEM;
    t->ctx = ctx;
    gg_status s = o->folder && !(t->folder = gg_strdup(ctx, o->folder)) ? GG_ENOMEM : read_config(t, path, o);
    if (s == GG_OK && !share_data(t, o->like))
        s = open_data(t);
    if (s == GG_OK) {
        const gg__place root = gg__place_root(&t->config);
        s = build(t, &root);
    }
    t->plan.o.folder = t->folder;
    t->plan.o.n_threads = o->n_threads;
    t->config.set = NULL; /* the caller's */
    t->config.n_set = 0;
    if (s != GG_OK) {
        gg_trainer_free(t);
        return s;
    }
    *out = t;
    return GG_OK;
}

void gg_trainer_free(gg_trainer *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    gg_net_free(t->net);
    if (!t->shared) {
        for (int i = 0; i < GG_PARTS; i++)
            gg_data_free(t->part[i]);
        gg_scaler_free(t->scaler);
        gg_drop(ctx, t->value_shift);
        gg_drop(ctx, t->value_scale);
    }
    json_decref(t->made_with);
    gg__plan_config_free(&t->plan, ctx);
    gg__data_config_free(&t->data, ctx);
    gg__config_free(&t->config);
    gg_drop(ctx, t->folder);
    gg_drop(ctx, t);
}

gg_net *gg_trainer_net(gg_trainer *t) { return t->net; }
const gg_data *gg_trainer_data(const gg_trainer *t, gg_part part) { return t->part[part]; }
const gg_train_options *gg_trainer_plan(const gg_trainer *t) { return &t->plan.o; }
const json_t *gg_trainer_config(const gg_trainer *t) { return t->config.root; }
gg__trainer_parts gg__trainer_look(const gg_trainer *t)
{
    return (gg__trainer_parts){.data = &t->data, .scaler = t->scaler, .file = t->config.file, .value_shift = t->value_shift, .value_scale = t->value_scale};
}

/* model.json is written once the folder is known to be of this configuration: after the first epoch, or at the end. */
typedef struct watch {
    gg_trainer *t;
    void (*step)(void *user, int64_t step, double loss);
    gg_status (*look)(void *user, const gg_epoch *e);
    void *user;
    bool written;
} watch;

static void watch_step(void *user, int64_t step, double loss)
{
    const watch *w = user;
    w->step(w->user, step, loss);
}

static gg_status watch_epoch(void *user, const gg_epoch *e)
{
    watch *w = user;
    if (!w->written && w->t->folder)
        GG_TRY(gg__trained_write(w->t, w->t->folder));
    w->written = true;
    return w->look ? w->look(w->user, e) : GG_OK;
}

gg_status gg_trainer_run(gg_train_result *out, gg_trainer *t, void (*step)(void *, int64_t, double), gg_status (*look)(void *, const gg_epoch *), void *user)
{
    watch w = {t, step, look, user, false};
    gg_train_options o = t->plan.o;
    o.step = step ? watch_step : NULL;
    o.look = watch_epoch;
    o.user = &w;
    GG_TRY(gg_train(out, t->net, t->part[GG_PART_TRAIN], t->part[GG_PART_VALIDATION], &o));
    return w.written || !t->folder ? GG_OK : gg__trained_write(t, t->folder);
}
