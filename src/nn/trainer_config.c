/* What the words of a configuration mean: tables of keys for data, loss, optimizer, schedule and training. docs/train.md has the same tables. */
#include "nn/trainer.h"
#include "base/json.h"
#include "io/stream.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

#define KEYS(k) k, (int)(sizeof(k) / sizeof *(k))

/* --- data --------------------------------------------------------------------------------------------------------------------------------------- */
#define D(field) offsetof(gg__data_config, field)
static const gg__key data_keys[] = {
    {"train", "path", GG__KEY_TEXT, D(train), 0, 0, NULL, GG__KEY_REQUIRED},
    {"validation", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"test", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"stratify", NULL, GG__KEY_FLAG, D(stratify), 0, 0, NULL, 0},
    {"grouped", NULL, GG__KEY_FLAG, D(grouped), 0, 0, NULL, 0},
    {"ordered", NULL, GG__KEY_FLAG, D(ordered), 0, 0, NULL, 0},
    {"seed", NULL, GG__KEY_INT, D(seed), 0, 1e15, NULL, 0},
    {"target", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"group", NULL, GG__KEY_TEXT, D(group), 0, 0, NULL, 0},
    {"task", NULL, GG__KEY_WORD, D(task), 0, 0, "auto|class|value", 0},
    {"ignore", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"header", NULL, GG__KEY_FLAG, D(header), 0, 0, NULL, 0},
    {"missing", NULL, GG__KEY_WORD, D(missing), 0, 0, "error|mean", 0},
    {"labels", NULL, GG__KEY_TEXT, D(labels), 0, 0, NULL, 0},
    {"validation_labels", NULL, GG__KEY_TEXT, D(validation_labels), 0, 0, NULL, 0},
    {"test_labels", NULL, GG__KEY_TEXT, D(test_labels), 0, 0, NULL, 0},
    {"x", NULL, GG__KEY_TEXT, D(x), 0, 0, NULL, 0},
    {"y", NULL, GG__KEY_TEXT, D(y), 0, 0, NULL, 0},
    {"classes", NULL, GG__KEY_INT, D(n_classes), 1, 1e6, NULL, 0},
    {"tokenizer", NULL, GG__KEY_TEXT, D(tokenizer), 0, 0, NULL, 0},
    {"length", NULL, GG__KEY_INT, D(length), 1, 1e6, NULL, 0},
    {"stride", NULL, GG__KEY_INT, D(stride), 1, 1e6, NULL, 0},
    {"scale", NULL, GG__KEY_WORD, D(scale), 0, 0, "none|standard|channel|range|unit", 0},
    {"scale_target", NULL, GG__KEY_FLAG, D(scale_target), 0, 0, NULL, 0},
};

/* A path, or a part of the training file. */
static gg_status read_part(const char **path, double *part, const gg__place *data, const char *key)
{
    gg__place at;
    if (!gg__place_member(&at, data, key))
        return GG_OK;
    if (json_is_string(at.value)) {
        *path = json_string_value(at.value);
        return GG_OK;
    }
    *part = json_number_value(at.value);
    if (!json_is_number(at.value))
        return gg__place_fail(&at, "a file's path, or the part of \"train\" that is kept aside (0.2), is needed, not %s", gg_json_kind(at.value));
    return *part >= 0 && *part < 1 ? GG_OK : gg__place_fail(&at, "%.15g is outside its range: at least 0 and below 1", *part);
}

static gg_status read_texts(const char ***out, int *n, const gg__place *data, const char *key)
{
    gg__place at;
    if (!gg__place_member(&at, data, key))
        return GG_OK;
    if (!json_is_array(at.value))
        return gg__place_fail(&at, "a list of texts is needed, not %s", gg_json_kind(at.value));
    const size_t size = json_array_size(at.value);
    if (!(*out = gg_new(data->c->ctx, const char *, (int64_t)size)))
        return GG_ENOMEM;
    for (size_t i = 0; i < size; i++) {
        const gg__place item = gg__place_item(&at, (int)i);
        if (!json_is_string(item.value))
            return gg__place_fail(&item, "a text is needed, not %s", gg_json_kind(item.value));
        (*out)[(*n)++] = json_string_value(item.value);
    }
    return GG_OK;
}

gg_status gg__data_config_read(gg__data_config *d, const gg__place *data)
{
    gg__place at;
    *d = (gg__data_config){.header = true, .stratify = true, .scale = -1};
    GG_TRY(gg__place_object(d, data, "data", KEYS(data_keys)));
    static const int tasks[] = {GG_TARGET_AUTO, GG_TARGET_CLASS, GG_TARGET_VALUE};
    d->task = tasks[d->task];
    GG_TRY(read_part(&d->validation, &d->validation_part, data, "validation"));
    GG_TRY(read_part(&d->test, &d->test_part, data, "test"));
    if (d->validation_part + d->test_part >= 1)
        return gg__place_fail(data, "validation %g and test %g leave nothing to train on", d->validation_part, d->test_part);
    GG_TRY(read_texts(&d->ignore, &d->n_ignore, data, "ignore"));
    if (gg__place_member(&at, data, "target")) {
        if (json_is_integer(at.value)) {
            snprintf(d->target_number, sizeof d->target_number, "%lld", (long long)json_integer_value(at.value));
            d->target = d->target_number;
        } else if (json_is_string(at.value)) {
            d->target = json_string_value(at.value);
        } else {
            return gg__place_fail(&at, "a column's name or number is needed, not %s", gg_json_kind(at.value));
        }
    }
    return GG_OK;
}

const char *gg__data_config_y(const gg__data_config *d, const char *path)
{
    return gg_name_ends(path, ".npz") && gg_name_ends(d->train, ".npz") ? d->y : NULL; /* of .npy "y" is the path of the training file's targets */
}

void gg__data_config_free(gg__data_config *d, gg_context *ctx)
{
    gg_drop(ctx, d->ignore);
    d->ignore = NULL;
}

/* --- loss ----------------------------------------------------------------------------------------------------------------------------------------- */
#define P(field) offsetof(gg__plan_config, field)
static const gg__key loss_keys[] = {
    {"name", NULL, GG__KEY_WORD, P(o.loss.kind), 0, 0, "cross_entropy|bce_with_logits|mse|mae|huber", GG__KEY_REQUIRED},
    {"label_smoothing", NULL, GG__KEY_NUMBER, P(o.loss.label_smoothing), 0, 1, NULL, GG__KEY_BELOW},
    {"weight", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"delta", NULL, GG__KEY_NUMBER, P(o.loss.delta), 0, INFINITY, NULL, GG__KEY_ABOVE | GG__KEY_BELOW},
};
_Static_assert(sizeof(gg_loss_kind) == sizeof(int) && sizeof(gg_optim_kind) == sizeof(int) && sizeof(gg_schedule_kind) == sizeof(int), "words are read as int");

/* The name, by the first key: it says which keys there are. A word alone is one. */
static gg_status read_name(gg__plan_config *p, const gg__place *at, const char *what, const gg__key *key)
{
    gg__place name = {.c = at->c, .up = at, .key = "name", .value = at->value};
    if (!json_is_string(at->value) && !json_is_object(at->value))
        return gg__place_fail(at, "%s is an object or a word, not %s", what, gg_json_kind(at->value));
    if (json_is_object(at->value) && !gg__place_member(&name, at, "name"))
        return gg__place_fail(at, "%s needs \"name\"", what);
    return gg__place_value(p, &name, key);
}

/* All keys, once the name has said which; of a word alone nothing is left to read. */
static gg_status read_keys(gg__plan_config *p, const gg__place *at, const char *what, const gg__key *key, int n)
{
    return json_is_string(at->value) ? GG_OK : gg__place_object(p, at, what, key, n);
}

static gg_status read_loss_object(gg__plan_config *p, const gg__place *at)
{
    gg__place weight;
    GG_TRY(read_name(p, at, "the loss", &loss_keys[0]));
    GG_TRY(read_keys(p, at, "the loss", KEYS(loss_keys)));
    if (p->o.loss.label_smoothing > 0 && p->o.loss.kind != GG_LOSS_CROSS_ENTROPY)
        return gg__place_fail(at, "label_smoothing goes with cross_entropy");
    if (p->o.loss.delta > 0 && p->o.loss.kind != GG_LOSS_HUBER)
        return gg__place_fail(at, "delta goes with huber");
    if (!gg__place_member(&weight, at, "weight"))
        return GG_OK;
    if (p->o.loss.kind != GG_LOSS_CROSS_ENTROPY)
        return gg__place_fail(&weight, "weights of classes go with cross_entropy");
    if (json_is_string(weight.value)) {
        p->balanced = strcmp(json_string_value(weight.value), "balanced") == 0;
        return p->balanced ? GG_OK : gg__place_fail(&weight, "a list of numbers, one a class, or \"balanced\" is needed");
    }
    return gg__place_numbers(&p->class_weight, &p->n_weight, &weight);
}

/* --- optimizer ------------------------------------------------------------------------------------------------------------------------------------- */
enum {
    SGD = 1 << GG_OPTIM_SGD,
    ADAMS = 1 << GG_OPTIM_ADAM | 1 << GG_OPTIM_ADAMW,
    RMSPROP = 1 << GG_OPTIM_RMSPROP,
    ADAGRAD = 1 << GG_OPTIM_ADAGRAD,
    RPROP = 1 << GG_OPTIM_RPROP,
    LBFGS = 1 << GG_OPTIM_LBFGS,
    ALL = -1
};
#define ABOVE0 0, INFINITY, NULL, GG__KEY_ABOVE | GG__KEY_BELOW
#define FROM0 0, INFINITY, NULL, GG__KEY_BELOW
#define UNDER1 0, 1, NULL, GG__KEY_BELOW
static const struct {
    gg__key key;
    int kinds;
} optim_keys[] = {
    {{"name", NULL, GG__KEY_WORD, P(o.optim.kind), 0, 0, "sgd|adam|adamw|rmsprop|adagrad|rprop|lbfgs", GG__KEY_REQUIRED}, ALL},
    {{"lr", NULL, GG__KEY_NUMBER, P(o.optim.lr), ABOVE0}, ALL},
    {{"momentum", NULL, GG__KEY_NUMBER, P(o.optim.momentum), UNDER1}, SGD | RMSPROP},
    {{"dampening", NULL, GG__KEY_NUMBER, P(o.optim.dampening), 0, 1, NULL, 0}, SGD},
    {{"nesterov", NULL, GG__KEY_FLAG, P(o.optim.nesterov), 0, 0, NULL, 0}, SGD},
    {{"betas", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0}, ADAMS},
    {{"alpha", NULL, GG__KEY_NUMBER, P(o.optim.alpha), 0, 1, NULL, GG__KEY_ABOVE | GG__KEY_BELOW}, RMSPROP},
    {{"centered", NULL, GG__KEY_FLAG, P(o.optim.centered), 0, 0, NULL, 0}, RMSPROP},
    {{"eps", NULL, GG__KEY_NUMBER, P(o.optim.eps), ABOVE0}, ADAMS | RMSPROP | ADAGRAD},
    {{"weight_decay", NULL, GG__KEY_NUMBER, P(o.optim.weight_decay), FROM0}, SGD | ADAMS | RMSPROP | ADAGRAD},
    {{"lr_decay", NULL, GG__KEY_NUMBER, P(o.optim.lr_decay), FROM0}, ADAGRAD},
    {{"etas", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0}, RPROP},
    {{"step_sizes", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0}, RPROP},
    {{"max_iter", NULL, GG__KEY_INT, P(o.optim.max_iter), 1, 1e6, NULL, 0}, LBFGS},
    {{"max_eval", NULL, GG__KEY_INT, P(o.optim.max_eval), 1, 1e6, NULL, 0}, LBFGS},
    {{"history", "history_size", GG__KEY_INT, P(history), 1, 1000, NULL, 0}, LBFGS},
    {{"strong_wolfe", NULL, GG__KEY_FLAG, P(o.optim.strong_wolfe), 0, 0, NULL, 0}, LBFGS},
    {{"tolerance_grad", NULL, GG__KEY_NUMBER, P(o.optim.tolerance_grad), ABOVE0}, LBFGS},
    {{"tolerance_change", NULL, GG__KEY_NUMBER, P(o.optim.tolerance_change), ABOVE0}, LBFGS},
};
enum { N_OPTIM_KEYS = sizeof optim_keys / sizeof *optim_keys };

/* Two numbers with low < value < high each. */
static gg_status read_two(double *a, double *b, const gg__place *p, const char *key, double low, double high)
{
    gg__place at;
    double *x = NULL;
    int64_t n = 0;
    if (!gg__place_member(&at, p, key))
        return GG_OK;
    GG_TRY(gg__place_numbers(&x, &n, &at));
    gg_status s = n == 2 ? GG_OK : gg__place_fail(&at, "two numbers are needed, not %lld", (long long)n);
    for (int i = 0; i < 2 && s == GG_OK; i++)
        if (!(x[i] > low && x[i] < high))
            s = gg__place_fail(&at, "%.15g is outside its range: above %g and below %g", x[i], low, high);
    if (s == GG_OK) {
        *a = x[0];
        *b = x[1];
    }
    gg_drop(p->c->ctx, x);
    return s;
}

static gg_status read_optim_object(gg__plan_config *p, const gg__place *at)
{
    gg__key keys[N_OPTIM_KEYS];
    gg_optim_options *o = &p->o.optim;
    int n = 0;
    GG_TRY(read_name(p, at, "the optimizer", &optim_keys[0].key));
    for (int i = 0; i < N_OPTIM_KEYS; i++)
        if (optim_keys[i].kinds >> o->kind & 1)
            keys[n++] = optim_keys[i].key;
    GG_TRY(read_keys(p, at, gg_optim_name(o->kind), keys, n));
    o->history = (int)p->history;
    GG_TRY(read_two(&o->beta1, &o->beta2, at, "betas", 0, 1));
    GG_TRY(read_two(&o->eta_minus, &o->eta_plus, at, "etas", 0, INFINITY));
    GG_TRY(read_two(&o->step_min, &o->step_max, at, "step_sizes", 0, INFINITY));
    if (o->nesterov && (o->momentum == 0 || o->dampening != 0))
        return gg__place_fail(at, "nesterov needs momentum, and no dampening");
    if (o->eta_minus > 0 && !(o->eta_minus < 1 && o->eta_plus > 1))
        return gg__place_fail(at, "etas: one below 1 and one above are needed");
    return GG_OK;
}

/* --- schedule ----------------------------------------------------------------------------------------------------------------------------------------- */
enum {
    STEP = 1 << GG_SCHEDULE_STEP,
    EXPONENTIAL = 1 << GG_SCHEDULE_EXPONENTIAL,
    COSINE = 1 << GG_SCHEDULE_COSINE,
    ONE_CYCLE = 1 << GG_SCHEDULE_ONE_CYCLE,
    PLATEAU = 1 << GG_SCHEDULE_PLATEAU
};
static const struct {
    gg__key key;
    int kinds;
} schedule_keys[] = {
    {{"name", NULL, GG__KEY_WORD, P(o.schedule.kind), 0, 0, "constant|step|exponential|cosine|one_cycle|plateau", GG__KEY_REQUIRED}, ALL},
    {{"warmup", NULL, GG__KEY_NUMBER, P(warmup), 0, 1e6, NULL, 0}, ALL},
    {{"lr_min", "eta_min", GG__KEY_NUMBER, P(o.schedule.lr_min), FROM0}, COSINE | ONE_CYCLE | PLATEAU},
    {{"step_size", NULL, GG__KEY_NUMBER, P(step_size), 0, 1e6, NULL, GG__KEY_ABOVE}, STEP | EXPONENTIAL},
    {{"gamma", "factor", GG__KEY_NUMBER, P(o.schedule.gamma), 0, 1, NULL, GG__KEY_ABOVE | GG__KEY_BELOW}, STEP | EXPONENTIAL | PLATEAU},
    {{"rise", "pct_start", GG__KEY_NUMBER, P(o.schedule.rise), 0, 1, NULL, GG__KEY_ABOVE | GG__KEY_BELOW}, ONE_CYCLE},
    {{"patience", NULL, GG__KEY_INT, P(o.schedule.patience), 1, 1e6, NULL, 0}, PLATEAU},
    {{"threshold", NULL, GG__KEY_NUMBER, P(o.schedule.threshold), 0, 1, NULL, GG__KEY_ABOVE | GG__KEY_BELOW}, PLATEAU},
};
enum { N_SCHEDULE_KEYS = sizeof schedule_keys / sizeof *schedule_keys };

static gg_status read_schedule_object(gg__plan_config *p, const gg__place *at)
{
    gg__key keys[N_SCHEDULE_KEYS];
    int n = 0;
    GG_TRY(read_name(p, at, "the schedule", &schedule_keys[0].key));
    for (int i = 0; i < N_SCHEDULE_KEYS; i++)
        if (schedule_keys[i].kinds >> p->o.schedule.kind & 1)
            keys[n++] = schedule_keys[i].key;
    return read_keys(p, at, gg_schedule_name(p->o.schedule.kind), keys, n);
}

void gg__plan_config_steps(gg__plan_config *p, int64_t per_epoch)
{
    gg_schedule *s = &p->o.schedule;
    const int64_t total = p->o.steps > 0 ? p->o.steps : p->o.epochs * per_epoch;
    s->lr = p->o.optim.lr;
    s->warmup = (int64_t)llround(p->warmup * (double)per_epoch);
    s->steps = s->kind == GG_SCHEDULE_COSINE || s->kind == GG_SCHEDULE_ONE_CYCLE ? total : (int64_t)llround(p->step_size * (double)per_epoch);
    if (s->steps < 1)
        s->steps = 1;
}

/* --- training --------------------------------------------------------------------------------------------------------------------------------------------- */
typedef struct training_words {
    int64_t epochs, steps, batch_size, seed;
    bool drop_last, shuffle;
    double clip_norm, clip_value, checkpoint_seconds;
} training_words;
#define T(field) offsetof(training_words, field)
static const gg__key training_keys[] = {
    {"epochs", NULL, GG__KEY_INT, T(epochs), 1, 1e9, NULL, 0},
    {"steps", NULL, GG__KEY_INT, T(steps), 1, 1e12, NULL, 0},
    {"batch_size", NULL, GG__KEY_INT, T(batch_size), 1, 1e7, NULL, 0},
    {"seed", NULL, GG__KEY_INT, T(seed), 0, 1e15, NULL, 0},
    {"shuffle", NULL, GG__KEY_FLAG, T(shuffle), 0, 0, NULL, 0},
    {"drop_last", NULL, GG__KEY_FLAG, T(drop_last), 0, 0, NULL, 0},
    {"clip_grad_norm", NULL, GG__KEY_NUMBER, T(clip_norm), ABOVE0},
    {"clip_grad_value", NULL, GG__KEY_NUMBER, T(clip_value), ABOVE0},
    {"early_stopping", NULL, GG__KEY_ANY, 0, 0, 0, NULL, 0},
    {"checkpoint_seconds", NULL, GG__KEY_NUMBER, T(checkpoint_seconds), 0, 1e9, NULL, 0},
};

typedef struct stopping_words {
    const char *metric;
    int mode;
    int64_t patience;
    double min_delta;
} stopping_words;
static const gg__key stopping_keys[] = {
    {"metric", "monitor", GG__KEY_TEXT, offsetof(stopping_words, metric), 0, 0, NULL, 0},
    {"mode", NULL, GG__KEY_WORD, offsetof(stopping_words, mode), 0, 0, "auto|min|max", 0},
    {"patience", NULL, GG__KEY_INT, offsetof(stopping_words, patience), 0, 1e9, NULL, 0},
    {"min_delta", NULL, GG__KEY_NUMBER, offsetof(stopping_words, min_delta), FROM0},
};

static gg_status read_stopping(gg__plan_config *p, const gg__place *training)
{
    gg__place at, metric;
    stopping_words w = {0};
    char names[GG_METRICS][64];
    const char *known[GG_METRICS];
    if (!gg__place_member(&at, training, "early_stopping"))
        return GG_OK;
    GG_TRY(gg__place_object(&w, &at, "early_stopping", KEYS(stopping_keys)));
    for (int i = 0; i < GG_METRICS; i++) {
        snprintf(names[i], sizeof names[i], "val_%s", gg_metric_name((gg_metric)i));
        known[i] = names[i];
        if (w.metric && strcmp(w.metric, names[i]) == 0) {
            p->o.metric = (gg_metric)i;
            p->has_metric = true;
        }
    }
    if (w.metric && !p->has_metric) {
        if (!gg__place_member(&metric, &at, "metric"))
            gg__place_member(&metric, &at, "monitor");
        return gg__place_unknown(&metric, "metric", w.metric, known, GG_METRICS);
    }
    p->o.largest = w.mode == 0 ? gg_metric_up(p->o.metric) : w.mode == 2;
    p->o.patience = w.patience;
    p->o.min_delta = w.min_delta;
    return GG_OK;
}

static gg_status read_training(gg__plan_config *p, const gg__place *at)
{
    training_words w = {.batch_size = 32, .shuffle = true, .checkpoint_seconds = 30};
    GG_TRY(gg__place_object(&w, at, "training", KEYS(training_keys)));
    if ((w.epochs > 0) == (w.steps > 0))
        return gg__place_fail(at, "one of epochs and steps is needed%s", w.epochs > 0 ? ", not both" : "");
    p->o.epochs = w.epochs;
    p->o.steps = w.steps;
    p->o.batch_size = w.batch_size;
    p->o.seed = (uint64_t)w.seed;
    p->o.ordered = !w.shuffle;
    p->o.drop_last = w.drop_last;
    p->o.optim.clip_norm = w.clip_norm;
    p->o.optim.clip_value = w.clip_value;
    p->o.checkpoint_seconds = w.checkpoint_seconds > 0 ? w.checkpoint_seconds : -1;
    return read_stopping(p, at);
}

/* What stands at `key`, given to read. */
static gg_status read_named(gg__plan_config *p, const gg__place *root, const char *key, bool required, gg_status (*read)(gg__plan_config *, const gg__place *))
{
    gg__place at;
    if (!gg__place_member(&at, root, key))
        return required ? gg__place_fail(root, "\"%s\" is needed", key) : GG_OK;
    return read(p, &at);
}

gg_status gg__plan_config_read(gg__plan_config *p, const gg__place *root)
{
    *p = (gg__plan_config){.step_size = 1};
    GG_TRY(read_named(p, root, "loss", true, read_loss_object));
    GG_TRY(read_named(p, root, "optimizer", true, read_optim_object));
    GG_TRY(read_named(p, root, "schedule", false, read_schedule_object));
    GG_TRY(read_named(p, root, "training", true, read_training));
    if (p->o.optim.lr == 0) { /* the schedule needs it: torch's defaults */
        const bool large = p->o.optim.kind == GG_OPTIM_RMSPROP || p->o.optim.kind == GG_OPTIM_ADAGRAD || p->o.optim.kind == GG_OPTIM_RPROP;
        p->o.optim.lr = p->o.optim.kind == GG_OPTIM_LBFGS ? 1 : large ? 1e-2 : 1e-3;
    }
    return GG_OK;
}

void gg__plan_config_free(gg__plan_config *p, gg_context *ctx)
{
    gg_drop(ctx, p->class_weight);
    p->class_weight = NULL;
}
