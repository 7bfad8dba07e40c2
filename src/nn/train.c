/* The loop of training: batches, steps, an epoch's scores, the best one, the end.
 *
 * Everything random is a function of (seed, step) or (seed, epoch), so parameters, the optimiser's state and a few counters are all that is needed to go on:
 * a run that was killed ends with the same bits as one that was not. train_keep.c writes them.
 */
#include "nn/train.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/work.h"
#include "grad/graph.h"
#include "nn/net.h"
#include <math.h>

static gg_train_options with_defaults(const gg_train_options *given, bool has_val)
{
    gg_train_options o = *given;
    o.batch_size = o.batch_size > 0 ? o.batch_size : 32;
    o.loss.delta = o.loss.delta > 0 ? o.loss.delta : 1;
    o.checkpoint_seconds = o.checkpoint_seconds == 0 ? 30 : o.checkpoint_seconds;
    if (!has_val) {
        o.metric = GG_METRIC_LOSS;
        o.largest = false;
    }
    return o;
}

static gg_status check(gg__training *t)
{
    const gg_data_description *d = gg_data_describe(t->data), *v = t->val ? gg_data_describe(t->val) : d;
    const gg_net_input *in = gg_net_takes(t->net);
    if (t->o.epochs < 1 && t->o.steps < 1)
        return gg_fail(t->ctx, GG_EINVAL, "no epochs and no steps of training");
    if (d->tokens != (in->n_vocab > 0) || !gg__shape_equal(d->sample, in->sample))
        return gg_fail(t->ctx, GG_EMISMATCH, "the net takes %s %s, a sample of the data is %s of %s", in->n_vocab > 0 ? "token ids" : "numbers",
                       gg__shape_say(in->sample).text, gg__shape_say(d->sample).text, d->tokens ? "token ids" : "numbers");
    if (!gg__shape_equal(d->sample, v->sample) || d->target != v->target || d->n_classes != v->n_classes || d->n_values != v->n_values)
        return gg_fail(t->ctx, GG_EMISMATCH, "training and validation data are of different kinds");
    if (!gg__score_applies(d->target, t->o.metric))
        return gg_fail(t->ctx, GG_EINVAL, "the best epoch is to be chosen by %s, which such data do not have", gg_metric_name(t->o.metric));
    GG_TRY(gg__loss_check(t->ctx, &t->o.loss, d, &t->o));
    return gg__loss_check_net(t->ctx, &t->o.loss, d, t->net);
}

static gg_status prepare(gg__training *t)
{
    const int64_t n = gg_data_describe(t->data)->n, left = n % t->o.batch_size, batch = t->o.batch_size < n ? t->o.batch_size : n;
    GG_TRY(gg_batches_create(
        &t->batches, t->data,
        &(gg_batches_options){.size = t->o.batch_size, .shuffle = !t->o.ordered, .drop_last = t->o.drop_last && n >= t->o.batch_size, .seed = t->o.seed}));
    GG_TRY(gg__stage_create(&t->whole, t->net, t->data, batch, &t->o, true, true));
    if (left && !t->o.drop_last && batch == t->o.batch_size)
        GG_TRY(gg__stage_create(&t->rest, t->net, t->data, left, &t->o, true, true));
    if (t->val)
        GG_TRY(gg__judge_create(&t->judge, t->net, t->val, &t->o));
    GG_TRY(gg_optim_create(&t->optim, t->ctx, gg_net_params(t->net), &t->o.optim));
    t->schedule = t->o.schedule;
    if (t->schedule.lr == 0)
        t->schedule = (gg_schedule){.lr = gg_optim_lr(t->optim)};
    t->steps_total = t->o.steps > 0 ? t->o.steps : t->o.epochs * gg_batches_count(t->batches);
    GG_TRY(gg_nn_init(gg_net_params(t->net), t->o.seed));
    if (!(t->best_value = gg_new(t->ctx, float, gg_params_extent(gg_net_params(t->net)))))
        return GG_ENOMEM;
    return (t->history = json_array()) ? GG_OK : gg_fail(t->ctx, GG_ENOMEM, "out of memory for the history of training");
}

/* --- a step ---------------------------------------------------------------------------------------------------------------------------------- */
/* A loss that is not finite: which parameter, or else which operation first gave such a number. */
static gg_status tell_nan(gg__training *t, gg__stage *st, double loss)
{
    gg_params *p = gg_net_params(t->net);
    const long long step = (long long)t->step + 1, epoch = (long long)t->epoch + 1;
    for (int i = 0; i < gg_params_count(p); i++) {
        const float *w = gg_params_value(p, i);
        for (int64_t k = 0; k < gg_params_size(p, i); k++)
            if (!isfinite(w[k]))
                return gg_fail(t->ctx, GG_ENAN,
                               "step %lld of training (epoch %lld): the loss is %g; parameter %s was %s %g by the step before, at a learning rate of %g: try a "
                               "smaller one, or "
                               "clip the gradients",
                               step, epoch, loss, gg_params_name(p, i), isnan(w[k]) ? "made" : "driven to", (double)w[k], t->last.lr);
    }
    st->g->n_runs = (uint64_t)t->step;
    const gg_status s = gg_graph_run_checked(st->g);
    if (s == GG_OK)
        return gg_fail(t->ctx, GG_ENAN, "step %lld of training (epoch %lld): the loss is %g", step, epoch, loss);
    return s == GG_ENAN ? gg_fail_prefix(t->ctx, s, "step %lld of training (epoch %lld): the loss is %g", step, epoch, loss) : s;
}

/* The loss of the batch that was filled in, and its gradients. An optimiser may ask several times a step: each time dropout draws the same. */
static gg_status evaluate(void *user, double *loss)
{
    gg__training *t = user;
    t->now->g->n_runs = (uint64_t)t->step;
    GG_TRY(gg_graph_run(t->now->g));
    *loss = gg_var_item(t->now->loss);
    return isfinite(*loss) ? GG_OK : tell_nan(t, t->now, *loss);
}

static gg_status one_step(gg__training *t, const gg_batch *b)
{
    double loss = NAN;
    t->now = b->n == t->whole.batch ? &t->whole : &t->rest;
    GG_TRY(gg__stage_fill(t->now, t->data, b->index, b->n, &t->o));
    gg_optim_set_lr(t->optim, gg_schedule_at(&t->schedule, t->step));
    const gg_status s = gg_optim_step_with(t->optim, evaluate, t, &loss);
    if (s != GG_OK)
        return isfinite(loss) ? gg_fail_prefix(t->ctx, s, "step %lld of training (epoch %lld), loss %g", (long long)t->step + 1, (long long)t->epoch + 1, loss)
                              : s;
    t->step++;
    t->in_epoch++;
    t->loss_sum += loss * (double)b->n;
    t->loss_n += (double)b->n;
    t->last.lr = gg_optim_lr(t->optim);
    if (t->o.step)
        t->o.step(t->o.user, t->step, loss);
    return GG_OK;
}

static double seconds(const gg__training *t) { return t->seconds_before + gg_time() - t->start; }

static gg_status stop_or_keep(gg__training *t)
{
    const bool stopped = gg_context_stopped(t->ctx);
    if (t->o.folder && (stopped || gg_time() - t->written >= t->o.checkpoint_seconds))
        GG_TRY(gg__training_keep(t));
    return stopped ? gg_fail(t->ctx, GG_EINTR, "stopped after step %lld of %lld%s", (long long)t->step, (long long)t->steps_total,
                             t->o.folder ? "; the same command goes on from there" : "") : GG_OK;
}

/* --- an epoch -------------------------------------------------------------------------------------------------------------------------------- */
static bool is_better(const gg__training *t, double value)
{
    if (!t->has_best || isnan(value))
        return !t->has_best;
    const double best = t->val ? t->best.val.value[t->o.metric] : t->best.train_loss;
    return isnan(best) || (t->o.largest ? value > best + t->o.min_delta : value < best - t->o.min_delta);
}

static gg_status end_of_epoch(gg__training *t)
{
    gg_params *p = gg_net_params(t->net);
    gg_epoch e = {.epoch = t->epoch + 1, .step = t->step, .train_loss = t->loss_sum / t->loss_n, .has_val = t->val != NULL, .lr = t->last.lr};
    if (t->judge) {
        const gg_status s = gg__judge_run(&e.val, NULL, t->judge);
        if (s != GG_OK)
            return s == GG_EINTR ? s : gg_fail_prefix(t->ctx, s, "validation after epoch %lld", (long long)e.epoch);
    }
    const double value = t->val ? e.val.value[t->o.metric] : e.train_loss;
    e.seconds = seconds(t);
    if ((e.best = is_better(t, value))) {
        t->best = e;
        t->has_best = true;
        t->best_written = false;
        t->bad_epochs = 0;
        memcpy(t->best_value, gg_params_value(p, -1), (size_t)gg_params_extent(p) * sizeof *t->best_value);
    } else {
        t->bad_epochs++;
    }
    gg_schedule_look(&t->schedule, t->o.largest ? -value : value);
    t->last = e;
    t->epoch++;
    t->in_epoch = 0;
    t->loss_sum = t->loss_n = 0;
    json_t *row = gg__training_row(t, &e);
    if (!row || json_array_append_new(t->history, row) != 0)
        return gg_fail(t->ctx, GG_ENOMEM, "out of memory for the history of training");
    return t->o.look ? t->o.look(t->o.user, &e) : GG_OK;
}

static bool is_over(const gg__training *t)
{
    return (t->o.steps > 0 ? t->step >= t->o.steps : t->epoch >= t->o.epochs) || (t->o.patience > 0 && t->bad_epochs >= t->o.patience);
}

static gg_status loop(gg__training *t)
{
    gg_batch b;
    while (!is_over(t) || t->in_epoch > 0) {
        gg_status s;
        while ((t->o.steps <= 0 || t->step < t->o.steps) && (s = gg_batches_next(&b, t->batches)) != GG_END) {
            if (s != GG_OK || (s = one_step(t, &b)) != GG_OK || (s = stop_or_keep(t)) != GG_OK)
                return s;
        }
        s = end_of_epoch(t);
        if (s == GG_EINTR && gg_context_stopped(t->ctx)) /* the validation data were not looked at to the end: that is done again */
            return stop_or_keep(t);
        GG_TRY(s);
    }
    return GG_OK;
}

/* One run in a folder at a time; what a run that died left half written is swept away. */
static gg_status take_folder(gg_lock **lock, const gg__training *t)
{
    gg_str path = {.ctx = t->ctx};
    gg_str_printf(&path, "%s/last.safetensors", t->o.folder);
    const gg_status s = path.failed ? GG_ENOMEM : gg_lock_take(lock, t->ctx, path.data);
    if (s == GG_OK)
        gg_lock_sweep_folder(t->ctx, t->o.folder);
    gg_str_free(&path);
    return s;
}

gg_status gg_train(gg_train_result *out, gg_net *net, const gg_data *train, const gg_data *val, const gg_train_options *options)
{
    gg__training t = {.ctx = gg__net_context(net), .net = net, .data = train, .val = val, .o = with_defaults(options, val != NULL)};
    gg_lock *lock = NULL;
    bool found = false;
    *out = (gg_train_result){0};
    gg_status s = check(&t);
    if (s == GG_OK)
        s = prepare(&t);
    if (s == GG_OK && t.o.folder && (s = gg_file_mkdirs(t.ctx, t.o.folder)) == GG_OK && (s = take_folder(&lock, &t)) == GG_OK &&
        (s = gg__training_made(&t)) == GG_OK)
        s = gg__training_restore(&t, &found);
    if (s == GG_OK && found && t.step > t.steps_total) /* its best epoch may be of the steps behind the last that is asked for */
        s = gg_fail(t.ctx, GG_EMISMATCH, "%s/last.safetensors has made %lld steps, %lld are asked for now; remove it to begin anew, or name another folder",
                    t.o.folder, (long long)t.step, (long long)t.steps_total);
    t.start = t.written = gg_time();
    out->from_step = found ? t.step : 0;
    const int64_t from_epoch = t.epoch;
    if (s == GG_OK)
        s = loop(&t);
    if (s == GG_OK && t.o.folder && !(found && out->from_step == t.step && from_epoch == t.epoch)) /* its last steps may be kept, but not what ended an epoch */
        s = gg__training_keep(&t);
    if (s == GG_OK) {
        gg_params *p = gg_net_params(net);
        memcpy(gg_params_value(p, -1), t.best_value, (size_t)gg_params_extent(p) * sizeof *t.best_value);
        *out = (gg_train_result){.last = t.last,
                                 .best = t.best,
                                 .from_step = out->from_step,
                                 .stopped_early = t.o.patience > 0 && t.bad_epochs >= t.o.patience,
                                 .seconds = seconds(&t)};
    }
    gg_lock_free(lock);
    json_decref(t.history);
    json_decref(t.made);
    gg_drop(t.ctx, t.best_value);
    gg__judge_free(t.judge);
    gg_optim_free(t.optim);
    gg_batches_free(t.batches);
    gg__stage_free(&t.whole, t.ctx);
    gg__stage_free(&t.rest, t.ctx);
    return s;
}
