/* What training keeps in its folder, and going on from it.
 *
 *     last.safetensors    parameters, the optimiser's state (golgi.state0, ...), and in the metadata golgi.training: counters, history, what it was made with
 *     best.safetensors    parameters of the best epoch
 *     state.json          the same as golgi.training, to be read along
 *     log.csv, log.jsonl  the history, a row an epoch
 *
 * Each file appears whole or not at all, and last.safetensors alone says where to go on; the others are written before it. A kill in between leaves files
 * that are of the future: they are reached again with the same bits, so that does no harm. Behind it, they would be missing from a run that is done.
 */
#include "nn/train.h"
#include "base/file.h"
#include "base/json.h"
#include "base/work.h"
#include "grad/graph.h"
#include "nn/config.h"
#include "nn/net.h"
#include <golgi/rows.h>
#include <golgi/tensors.h>
#include <math.h>
#include <stdio.h>

bool gg__score_applies(gg_target_kind target, gg_metric s)
{
    const bool of_classes = s >= GG_METRIC_ACCURACY && s <= GG_METRIC_ECE, of_values = s >= GG_METRIC_R2;
    if (s == GG_METRIC_LOSS)
        return true;
    if (target == GG_TARGET_TOKEN)
        return s == GG_METRIC_PERPLEXITY || s == GG_METRIC_ACCURACY;
    return target == GG_TARGET_CLASS ? of_classes : target == GG_TARGET_VALUE && of_values;
}

/* --- JSON -------------------------------------------------------------------------------------------------------------------------------------- */
static double number_of(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
static int64_t whole_of(const json_t *row, const char *key) { return (int64_t)json_integer_value(json_object_get(row, key)); }

json_t *gg__training_row(const gg__training *t, const gg_epoch *e)
{
    const gg_target_kind target = gg_data_describe(t->data)->target;
    json_t *row = json_pack("{s:I, s:I, s:o}", "epoch", (json_int_t)e->epoch, "step", (json_int_t)e->step, "train_loss", gg_json_number(e->train_loss));
    for (int i = 0; e->has_val && i < GG_METRICS; i++) {
        char key[64];
        snprintf(key, sizeof key, "val_%s", gg_metric_name((gg_metric)i));
        if (gg__score_applies(target, (gg_metric)i))
            gg_json_put(&row, key, gg_json_number(e->val.value[i]));
    }
    gg_json_put(&row, "lr", gg_json_number(e->lr));
    gg_json_put(&row, "seconds", gg_json_number(e->seconds));
    gg_json_put(&row, "best", json_boolean(e->best));
    return row;
}

static void epoch_of_row(gg_epoch *e, const json_t *row, int64_t n_val)
{
    *e = (gg_epoch){.epoch = whole_of(row, "epoch"),
                    .step = whole_of(row, "step"),
                    .train_loss = number_of(row, "train_loss"),
                    .has_val = n_val > 0,
                    .lr = number_of(row, "lr"),
                    .seconds = number_of(row, "seconds"),
                    .best = json_is_true(json_object_get(row, "best"))};
    e->val.n = n_val;
    for (int i = 0; i < GG_METRICS; i++) {
        char key[64];
        snprintf(key, sizeof key, "val_%s", gg_metric_name((gg_metric)i));
        e->val.value[i] = number_of(row, key);
    }
}

/* --- what it was made with ---------------------------------------------------------------------------------------------------------------------- */
static uint64_t mix(uint64_t sum, const void *data, size_t n)
{
    const unsigned char *s = data;
    uint64_t word;
    for (; n >= 8; n -= 8, s += 8) {
        memcpy(&word, s, 8);
        sum = (sum ^ word) * 1099511628211u;
        sum ^= sum >> 29;
    }
    for (; n > 0; n--)
        sum = (sum ^ *s++) * 1099511628211u;
    return sum;
}

/* Of all samples and targets as they are learned from, and of those that choose the best epoch. */
static gg_status fingerprint(uint64_t *out, gg__training *t)
{
    gg__stage *st = &t->whole;
    const gg_data *const part[] = {t->data, t->val};
    uint64_t sum = 1469598103934665603u;
    int64_t *index = gg_new(t->ctx, int64_t, st->batch);
    gg_status s = index ? GG_OK : GG_ENOMEM;
    for (int p = 0; p < 2 && part[p] && s == GG_OK; p++) {
        const int64_t n = gg_data_describe(part[p])->n;
        sum = mix(sum, &n, sizeof n);
        for (int64_t first = 0; s == GG_OK && first < n; first += st->batch) {
            const int64_t here = n - first < st->batch ? n - first : st->batch;
            for (int64_t i = 0; i < here; i++)
                index[i] = first + i;
            if ((s = gg__stage_fill(st, part[p], index, here, &t->o)) == GG_OK)
                sum = mix(mix(sum, gg_var_data(st->x), gg_var_bytes(st->x)), gg_var_data(st->t), gg_var_bytes(st->t));
        }
    }
    gg_drop(t->ctx, index);
    *out = sum;
    return s;
}

static json_t *loss_json(const gg__training *t)
{
    const gg_loss *l = &t->o.loss;
    return json_pack("{s:s, s:f, s:f, s:o}", "name", gg_loss_name(l->kind), "label_smoothing", l->label_smoothing, "delta", l->delta, "weight",
                     gg__json_numbers(l->class_weight, gg_data_describe(t->data)->n_classes));
}

static json_t *optim_json(const gg_optim_options *p)
{
    const struct {
        const char *name;
        double value;
    } list[] = {{"lr", p->lr},
                {"momentum", p->momentum},
                {"dampening", p->dampening},
                {"nesterov", p->nesterov},
                {"beta1", p->beta1},
                {"beta2", p->beta2},
                {"alpha", p->alpha},
                {"centered", p->centered},
                {"eps", p->eps},
                {"weight_decay", p->weight_decay},
                {"lr_decay", p->lr_decay},
                {"eta_minus", p->eta_minus},
                {"eta_plus", p->eta_plus},
                {"step_min", p->step_min},
                {"step_max", p->step_max},
                {"max_iter", (double)p->max_iter},
                {"max_eval", (double)p->max_eval},
                {"history", p->history},
                {"strong_wolfe", p->strong_wolfe},
                {"tolerance_grad", p->tolerance_grad},
                {"tolerance_change", p->tolerance_change},
                {"clip_norm", p->clip_norm},
                {"clip_value", p->clip_value}};
    json_t *j = json_pack("{s:s}", "name", gg_optim_name(p->kind));
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        gg_json_put(&j, list[i].name, json_real(list[i].value));
    return j;
}

static json_t *schedule_json(const gg_schedule *s)
{
    return json_pack("{s:s, s:f, s:f, s:I, s:I, s:f, s:f, s:I, s:f}", "name", gg_schedule_name(s->kind), "lr", s->lr, "lr_min", s->lr_min, "warmup",
                     (json_int_t)s->warmup, "steps", (json_int_t)s->steps, "gamma", s->gamma, "rise", s->rise, "patience", (json_int_t)s->patience, "threshold",
                     s->threshold);
}

gg_status gg__training_made(gg__training *t)
{
    const gg_train_options *o = &t->o;
    char data[32];
    uint64_t samples;
    GG_TRY(fingerprint(&samples, t));
    snprintf(data, sizeof data, "%016llx", (unsigned long long)samples);
    json_t *j = o->made_with ? json_deep_copy(o->made_with) : json_object();
    json_t *training = json_pack("{s:I, s:I, s:b, s:b, s:s, s:b, s:f, s:I}", "batch_size", (json_int_t)o->batch_size, "seed", (json_int_t)o->seed, "drop_last",
                                 (int)o->drop_last, "ordered", (int)o->ordered, "metric", gg_metric_name(o->metric), "largest", (int)o->largest, "min_delta",
                                 o->min_delta, "validation_samples", (json_int_t)(t->val ? gg_data_describe(t->val)->n : 0));
    json_t *options = json_pack("{s:o, s:o, s:o, s:o, s:s}", "loss", loss_json(t), "optimizer", optim_json(&o->optim), "schedule", schedule_json(&o->schedule),
                                "training", training, "samples", data);
    if (j && options && json_object_update(j, options) == 0)
        t->made = json_incref(j);
    json_decref(j);
    json_decref(options);
    return t->made ? GG_OK : gg_fail(t->ctx, GG_ENOMEM, "out of memory for what training is made with");
}

/* --- differences ---------------------------------------------------------------------------------------------------------------------------------- */
static void short_text(gg_str *s, const json_t *v)
{
    gg_str whole = {.ctx = s->ctx};
    if (!v) {
        gg_str_puts(s, "nothing");
        return;
    }
    gg_json_write(&whole, v, 0);
    if (!whole.failed)
        gg_str_printf(s, "%.60s%s", whole.data, whole.len > 60 ? "..." : "");
    s->failed |= whole.failed;
    gg_str_free(&whole);
}

static void differences(gg_str *s, gg_str *path, const json_t *a, const json_t *b, int *left)
{
    if (*left <= 0 || (a && b && json_equal(a, b)))
        return;
    const size_t len = path->len;
    if (json_is_object(a) && json_is_object(b)) {
        const char *key;
        json_t *v;
        json_object_foreach ((json_t *)a, key, v) {
            gg_str_printf(path, "/%s", key);
            differences(s, path, v, json_object_get(b, key), left);
            path->data[path->len = len] = 0;
        }
        json_object_foreach ((json_t *)b, key, v)
            if (!json_object_get(a, key)) {
                gg_str_printf(path, "/%s", key);
                differences(s, path, NULL, v, left);
                path->data[path->len = len] = 0;
            }
        return;
    }
    if (json_is_array(a) && json_is_array(b) && json_array_size(a) == json_array_size(b)) {
        for (size_t i = 0; i < json_array_size(a); i++) {
            gg_str_printf(path, "/%zu", i);
            differences(s, path, json_array_get(a, i), json_array_get(b, i), left);
            path->data[path->len = len] = 0;
        }
        return;
    }
    (*left)--;
    if (strcmp(path->data, "/samples") == 0) {
        gg_str_puts(s, "\n  the samples are others");
        return;
    }
    gg_str_printf(s, "\n  %s: ", path->data);
    short_text(s, a);
    gg_str_puts(s, " there, ");
    short_text(s, b);
    gg_str_puts(s, " now");
}

/* The first of them, "/optimizer/lr: 0.1 there, 0.01 now", at most six lines. */
static void tell_differences(gg_str *s, const json_t *there, const json_t *now)
{
    gg_str path = {.ctx = s->ctx};
    int left = 6;
    gg_str_puts(&path, "");
    if (!path.failed)
        differences(s, &path, there, now, &left);
    s->failed |= path.failed;
    gg_str_free(&path);
}

/* --- tensors ----------------------------------------------------------------------------------------------------------------------------------------- */
static gg_status tell_mismatch(gg_params *p, gg_context *ctx, const gg_tensors *t)
{
    gg_str what = {.ctx = ctx};
    int left = 6;
    for (int i = 0; i < gg_params_count(p) && left > 0; i++) {
        const gg_tensor *x = gg_tensors_find(t, gg_params_name(p, i));
        const gg_shape want = gg_params_shape(p, i);
        gg_shape is = {.n = x ? x->n_dims : 0};
        for (int k = 0; x && k < x->n_dims; k++)
            is.d[k] = x->shape[k];
        if (!x)
            gg_str_printf(&what, "\n  %s %s is missing", gg_params_name(p, i), gg__shape_say(want).text);
        else if (!gg__shape_equal(is, want) || x->dtype != GG_F32)
            gg_str_printf(&what, "\n  %s is %s %s there, the model needs F32 %s", gg_params_name(p, i), gg_dtype_name(x->dtype), gg__shape_say(is).text,
                          gg__shape_say(want).text);
        else
            continue;
        left--;
    }
    for (int64_t i = 0; i < gg_tensors_count(t) && left > 0; i++) {
        const char *name = gg_tensors_at(t, i)->name;
        if (strncmp(name, "golgi.", 6) != 0 && gg_params_find(p, name) < 0 && left-- > 0)
            gg_str_printf(&what, "\n  %s is there, the model has no such parameter", name);
    }
    const gg_status s = what.failed ? GG_ENOMEM : what.len ? gg_fail(ctx, GG_EMISMATCH, "%s is not of this model:%s", gg_tensors_path(t), what.data) : GG_OK;
    gg_str_free(&what);
    return s;
}

static gg_status take_tensors(void *block, gg_params *p, gg_context *ctx, const gg_tensors *t)
{
    float *to = block ? block : gg_params_value(p, -1);
    if (!to)
        return GG_ENOMEM;
    GG_TRY(tell_mismatch(p, ctx, t));
    for (int i = 0; i < gg_params_count(p); i++)
        memcpy(to + gg_params_offset(p, i), gg_tensors_find(t, gg_params_name(p, i))->data, (size_t)gg_params_size(p, i) * sizeof *to);
    return GG_OK;
}

gg_status gg__params_read(void *block, gg_params *p, gg_context *ctx, const char *path)
{
    gg_tensors *t = NULL;
    GG_TRY(gg_tensors_open(&t, ctx, path));
    const gg_status s = take_tensors(block, p, ctx, t);
    gg_tensors_free(t);
    return s;
}

static gg_status add_tensors(gg_tensors_writer *w, gg_params *p, const float *block)
{
    for (int i = 0; i < gg_params_count(p); i++) {
        const gg_shape shape = gg_params_shape(p, i);
        GG_TRY(gg_tensors_writer_add(w, gg_params_name(p, i), GG_F32, shape.n, shape.d, block + gg_params_offset(p, i)));
    }
    return GG_OK;
}

static gg_status close_writer(gg_tensors_writer *w, gg_status s)
{
    if (s == GG_OK)
        return gg_tensors_writer_commit(w);
    gg_tensors_writer_discard(w);
    return s;
}

gg_status gg_net_save(gg_net *n, const char *path)
{
    gg_params *p = gg_net_params(n);
    gg_tensors_writer *w = NULL;
    const float *block = gg_params_value(p, -1);
    if (!block)
        return GG_ENOMEM;
    GG_TRY(gg_tensors_writer_open(&w, gg__net_context(n), path));
    return close_writer(w, add_tensors(w, p, block));
}

gg_status gg_net_load(gg_net *n, const char *path) { return gg__params_read(NULL, gg_net_params(n), gg__net_context(n), path); }

/* --- keeping ------------------------------------------------------------------------------------------------------------------------------------------ */
static gg_status path_in(gg_str *s, const gg__training *t, const char *name)
{
    s->len = 0;
    gg_str_printf(s, "%s/%s", t->o.folder, name);
    return s->failed ? GG_ENOMEM : GG_OK;
}

static json_t *state_of(const gg__training *t)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:f, s:{s:f, s:f, s:I}, s:O, s:O}", "format", "golgi training 1", "epoch",
                     (json_int_t)t->epoch, "step", (json_int_t)t->step, "steps", (json_int_t)t->steps_total, "batches", (json_int_t)t->in_epoch, "loss_sum",
                     t->loss_sum, "loss_n", t->loss_n, "best_epoch", (json_int_t)(t->has_best ? t->best.epoch : 0), "bad_epochs", (json_int_t)t->bad_epochs,
                     "seconds", t->seconds_before + gg_time() - t->start, "plateau", "best", t->schedule.best, "factor", t->schedule.factor, "looks",
                     (json_int_t)t->schedule.looks, "made_with", t->made, "history", t->history);
}

static gg_status write_best(gg__training *t, gg_str *path)
{
    gg_tensors_writer *w = NULL;
    char epoch[32];
    snprintf(epoch, sizeof epoch, "%lld", (long long)t->best.epoch);
    GG_TRY(path_in(path, t, "best.safetensors"));
    GG_TRY(gg_tensors_writer_open(&w, t->ctx, path->data));
    gg_status s = gg_tensors_writer_text(w, "golgi.epoch", epoch);
    if (s == GG_OK)
        s = add_tensors(w, gg_net_params(t->net), t->best_value);
    return close_writer(w, s);
}

static gg_status write_last(gg__training *t, gg_str *path, const char *state)
{
    gg_params *p = gg_net_params(t->net);
    gg_tensors_writer *w = NULL;
    GG_TRY(path_in(path, t, "last.safetensors"));
    GG_TRY(gg_tensors_writer_open(&w, t->ctx, path->data));
    gg_status s = gg_tensors_writer_text(w, "golgi.training", state);
    if (s == GG_OK)
        s = add_tensors(w, p, gg_params_value(p, -1));
    for (int k = 0; k < gg_optim_blocks(t->optim) && s == GG_OK; k++) {
        char name[32];
        const int64_t n = gg_params_extent(p);
        snprintf(name, sizeof name, "golgi.state%d", k);
        s = gg_tensors_writer_add(w, name, GG_F32, 1, &n, gg_optim_block(t->optim, k));
    }
    return close_writer(w, s);
}

static gg_status write_logs(gg__training *t, gg_str *path)
{
    for (int kind = 0; kind < 2; kind++) {
        gg_rows_writer *w = NULL;
        GG_TRY(path_in(path, t, kind ? "log.jsonl" : "log.csv"));
        GG_TRY(gg_rows_writer_open(&w, t->ctx, path->data));
        gg_status s = GG_OK;
        for (size_t i = 0; i < json_array_size(t->history) && s == GG_OK; i++)
            s = gg_rows_writer_add(w, json_array_get(t->history, i));
        if (s != GG_OK) {
            gg_rows_writer_discard(w);
            return s;
        }
        GG_TRY(gg_rows_writer_commit(w));
    }
    return GG_OK;
}

gg_status gg__training_keep(gg__training *t)
{
    gg_str path = {.ctx = t->ctx}, text = {.ctx = t->ctx};
    json_t *state = state_of(t);
    gg_json_write(&text, state, 0);
    gg_status s = !state || text.failed ? gg_fail(t->ctx, GG_ENOMEM, "out of memory for the state of training") : GG_OK;
    if (s == GG_OK && t->has_best && !t->best_written) {
        s = write_best(t, &path);
        t->best_written = s == GG_OK;
    }
    if (s == GG_OK && json_array_size(t->history) > 0)
        s = write_logs(t, &path);
    if (s == GG_OK && (s = path_in(&path, t, "state.json")) == GG_OK) {
        gg_str_puts(&text, "\n");
        s = text.failed ? GG_ENOMEM : gg_file_write(t->ctx, path.data, text.data, text.len);
    }
    if (s == GG_OK)
        s = write_last(t, &path, text.data);
    t->written = gg_time();
    json_decref(state);
    gg_str_free(&path);
    gg_str_free(&text);
    return s;
}

/* --- going on ------------------------------------------------------------------------------------------------------------------------------------------ */
static gg_status damaged(const gg_tensors *t, gg_context *ctx)
{
    return gg_fail(ctx, GG_EFORMAT, "%s is no checkpoint of training: remove it, or name another folder", gg_tensors_path(t));
}

static gg_status take_counters(gg__training *t, const json_t *j, const gg_tensors *file)
{
    const json_t *history = json_object_get(j, "history"), *plateau = json_object_get(j, "plateau");
    const int64_t best = whole_of(j, "best_epoch"), n_val = t->val ? gg_data_describe(t->val)->n : 0;
    t->epoch = whole_of(j, "epoch");
    t->step = whole_of(j, "step");
    t->in_epoch = whole_of(j, "batches");
    t->loss_sum = number_of(j, "loss_sum");
    t->loss_n = number_of(j, "loss_n");
    t->bad_epochs = whole_of(j, "bad_epochs");
    t->seconds_before = number_of(j, "seconds");
    t->schedule.best = number_of(plateau, "best");
    t->schedule.factor = number_of(plateau, "factor");
    t->schedule.looks = whole_of(plateau, "looks");
    if (!json_is_array(history) || (int64_t)json_array_size(history) != t->epoch || best < 0 || best > t->epoch || t->step < 0 || t->in_epoch < 0 ||
        (t->epoch > 0 && best < 1) || json_array_extend(t->history, (json_t *)history) != 0)
        return damaged(file, t->ctx);
    if (t->epoch > 0) {
        epoch_of_row(&t->last, json_array_get(history, (size_t)t->epoch - 1), n_val);
        epoch_of_row(&t->best, json_array_get(history, (size_t)best - 1), n_val);
        t->has_best = true;
    }
    return gg_batches_seek(t->batches, t->epoch, t->in_epoch) == GG_OK ? GG_OK : damaged(file, t->ctx);
}

static gg_status compare(const gg__training *t, const json_t *there, const gg_tensors *file)
{
    gg_str what = {.ctx = t->ctx};
    tell_differences(&what, there, t->made);
    const gg_status s = what.failed ? GG_ENOMEM
                        : what.len  ? gg_fail(t->ctx, GG_EMISMATCH, "%s was made with other options; remove it to begin anew, or name another folder%s",
                                              gg_tensors_path(file), what.data)
                                    : GG_OK;
    gg_str_free(&what);
    return s;
}

static gg_status take_state(gg__training *t, const gg_tensors *file)
{
    gg_params *p = gg_net_params(t->net);
    for (int k = 0; k < gg_optim_blocks(t->optim); k++) {
        char name[32];
        snprintf(name, sizeof name, "golgi.state%d", k);
        const gg_tensor *x = gg_tensors_find(file, name);
        if (!x || x->dtype != GG_F32 || x->n_bytes != gg_params_extent(p) * 4)
            return damaged(file, t->ctx);
        memcpy(gg_optim_block(t->optim, k), x->data, (size_t)x->n_bytes);
    }
    gg_optim_set_steps(t->optim, t->step);
    return GG_OK;
}

gg_status gg__training_restore(gg__training *t, bool *found)
{
    gg_str path = {.ctx = t->ctx};
    gg_tensors *file = NULL;
    json_t *j = NULL;
    const char *text = NULL;
    gg_status s = path_in(&path, t, "last.safetensors");
    *found = false;
    if (s == GG_OK && gg_file_exists(path.data) && (s = gg_tensors_open(&file, t->ctx, path.data)) == GG_OK) {
        s = gg_tensors_text(file, "golgi.training", &text) ? gg_json_document(&j, t->ctx, text, strlen(text), path.data, "the state of training")
                                                           : damaged(file, t->ctx);
        if (s == GG_OK)
            s = compare(t, json_object_get(j, "made_with"), file);
        if (s == GG_OK)
            s = path_in(&path, t, "best.safetensors");
        const bool best_is_there = s != GG_OK || whole_of(j, "best_epoch") == 0 || gg_file_exists(path.data);
        if (!best_is_there)
            gg_log(t->ctx, GG_LOG_WARNING, "%s is not there: training begins anew", path.data);
        if (s == GG_OK && best_is_there)
            s = take_tensors(NULL, gg_net_params(t->net), t->ctx, file);
        if (s == GG_OK && best_is_there && (s = take_counters(t, j, file)) == GG_OK)
            s = take_state(t, file);
        *found = s == GG_OK && best_is_there;
    }
    if (*found && t->has_best && (s = path_in(&path, t, "best.safetensors")) == GG_OK) {
        s = gg__params_read(t->best_value, gg_net_params(t->net), t->ctx, path.data);
        t->best_written = true;
    }
    json_decref(j);
    gg_tensors_free(file);
    gg_str_free(&path);
    return s;
}
