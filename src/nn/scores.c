/* How good a net is on data: one pass in batches, losses summed in double in the order of the data, the rest from what it gave for all samples.
 *
 * The loss is that of training (smoothing and weights included), so the two curves can be laid over one another. Scores that data do not allow (AUROC of
 * a class that does not occur) are NaN.
 */
#include "nn/train.h"
#include "nn/net.h"
#include <golgi/metrics.h>
#include <math.h>

enum { JUDGE_BATCH = 256 };

static const struct {
    const char *name;
    bool up;
} scores[GG_METRICS] = {
#define GG_X(code, name, up) {#name, up},
    GG_METRIC_MAP(GG_X)
#undef GG_X
};
const char *gg_metric_name(gg_metric s) { return scores[s].name; }
bool gg_metric_up(gg_metric s) { return scores[s].up; }

struct gg__judge {
    gg_context *ctx;
    const gg_data *data;
    gg_train_options o;
    gg__stage stage;
    int64_t n, width;  /* samples; numbers that the net gives for each */
    int64_t *index;    /* (batch,) */
    float *out;        /* (n, width), not for tokens */
    float *value;      /* (n, n_values) as they truly are */
    int32_t *truth, *guess; /* (n,) */
};

static gg_status create(gg__judge **out, gg_net *net, const gg_data *data, const gg_train_options *o, bool targets)
{
    gg_context *ctx = gg__net_context(net);
    const gg_data_description *d = gg_data_describe(data);
    gg_train_options all = *o;
    all.loss.delta = o->loss.delta > 0 ? o->loss.delta : 1;
    if (d->n < 1)
        return gg_fail(ctx, GG_EINVAL, "no samples to look at");
    if (targets) {
        GG_TRY(gg__loss_check(ctx, &all.loss, d, o));
        GG_TRY(gg__loss_check_net(ctx, &all.loss, d, net));
    }
    gg__judge *j = gg_new(ctx, gg__judge, 1);
    if (!j)
        return GG_ENOMEM;
    const gg_shape s = gg_net_shape(net);
    *j = (gg__judge){.ctx = ctx, .data = data, .o = all, .n = d->n, .width = 1};
    for (int i = 0; i < s.n; i++)
        j->width *= s.d[i];
    const bool tokens = targets && d->target == GG_TARGET_TOKEN;
    const int64_t batch = d->n < JUDGE_BATCH ? d->n : tokens ? 32 : JUDGE_BATCH;
    gg_status st = gg__stage_create(&j->stage, net, data, batch, &j->o, targets, false);
    if (st == GG_OK && (!(j->index = gg_new(ctx, int64_t, batch)) || (!tokens && !(j->out = gg_new(ctx, float, gg_mul(d->n, j->width))))))
        st = GG_ENOMEM;
    if (st == GG_OK && targets && d->target == GG_TARGET_CLASS && (!(j->truth = gg_new(ctx, int32_t, d->n)) || !(j->guess = gg_new(ctx, int32_t, d->n))))
        st = GG_ENOMEM;
    if (st == GG_OK && targets && d->target == GG_TARGET_VALUE && !(j->value = gg_new(ctx, float, gg_mul(d->n, d->n_values))))
        st = GG_ENOMEM;
    if (st != GG_OK) {
        gg__judge_free(j);
        return st;
    }
    *out = j;
    return GG_OK;
}

gg_status gg__judge_create(gg__judge **out, gg_net *net, const gg_data *data, const gg_train_options *o) { return create(out, net, data, o, true); }

void gg__judge_free(gg__judge *j)
{
    if (!j)
        return;
    gg__stage_free(&j->stage, j->ctx);
    gg_drop(j->ctx, j->index);
    gg_drop(j->ctx, j->out);
    gg_drop(j->ctx, j->value);
    gg_drop(j->ctx, j->truth);
    gg_drop(j->ctx, j->guess);
    gg_drop(j->ctx, j);
}

/* Values as they were before they were scaled. */
static void unscale(float *out, int64_t n, int64_t n_values, const gg_train_options *o)
{
    for (int64_t i = 0; o->value_scale && i < n * n_values; i++)
        out[i] = (float)((double)out[i] * o->value_scale[i % n_values] + o->value_shift[i % n_values]);
}

typedef struct sums {
    double loss, weight;
    gg_likelihood likelihood;
    int64_t right, places;
} sums;

/* Losses and, of tokens, all else of one batch; outputs of others are kept. */
static gg_status take_batch(gg__judge *j, sums *s, int64_t first, int64_t n)
{
    gg__stage *st = &j->stage;
    if (st->t) {
        const int64_t per = gg_var_size(st->each) / st->batch;
        const float *each = gg_var_data(st->each), *weight = st->weight ? gg_var_data(st->weight) : NULL;
        for (int64_t i = 0; i < n * per; i++) {
            s->loss += (weight ? (double)weight[i] : 1) * (double)each[i];
            s->weight += weight ? (double)weight[i] : 1;
        }
    }
    const float *out = gg_var_data(st->out);
    if (j->out) {
        memcpy(j->out + first * j->width, out, (size_t)(n * j->width) * sizeof *out);
        return GG_OK;
    }
    const gg_data_description *d = gg_data_describe(j->data);
    const int64_t places = n * d->sample.d[0];
    const int32_t *t = gg_var_data(st->t);
    for (int64_t i = 0; i < places; i++) {
        int32_t guess;
        gg_argmax_rows(&guess, out + i * d->n_vocab, 1, d->n_vocab);
        s->right += guess == t[i];
    }
    s->places += places;
    return gg_likelihood_add(&s->likelihood, j->ctx, out, t, places, d->n_vocab, -100);
}

static gg_status pass(gg__judge *j, sums *s)
{
    for (int64_t first = 0; first < j->n; first += j->stage.batch) {
        const int64_t n = j->n - first < j->stage.batch ? j->n - first : j->stage.batch;
        for (int64_t i = 0; i < n; i++)
            j->index[i] = first + i;
        GG_TRY(gg__stage_fill(&j->stage, j->data, j->index, n, &j->o));
        GG_TRY(gg_graph_run(j->stage.g));
        GG_TRY(take_batch(j, s, first, n));
        if (gg_context_stopped(j->ctx))
            return gg_fail(j->ctx, GG_EINTR, "stopped");
    }
    return GG_OK;
}

/* Has every class a sample? */
static bool all_occur(const gg_confusion *c, int64_t n_classes)
{
    for (int64_t k = 0; k < n_classes; k++)
        if (gg_confusion_class(c, k).support == 0)
            return false;
    return true;
}

/* (n,) what speaks for the second of two classes: a logit, or the difference of two. */
static void margins(float *to, const gg__judge *j)
{
    for (int64_t i = 0; i < j->n; i++)
        to[i] = j->width == 1 ? j->out[i] : j->out[2 * i + 1] - j->out[2 * i];
}

/* AUROC, while out still holds what the net gave; probabilities are left in it. */
static gg_status judge_ranking(double *v, gg__judge *j, const gg_confusion *c, int64_t n_classes)
{
    if (!all_occur(c, n_classes)) {
        gg_softmax_rows(j->out, j->out, j->n, j->width);
        return GG_OK;
    }
    if (n_classes > 2) { /* logits of one column cannot be compared between samples, probabilities can */
        gg_softmax_rows(j->out, j->out, j->n, n_classes);
        return gg_auroc_macro(&v[GG_METRIC_AUROC], j->ctx, j->out, j->truth, j->n, n_classes);
    }
    float *margin = gg_new(j->ctx, float, j->n);
    if (!margin)
        return GG_ENOMEM;
    margins(margin, j);
    gg_softmax_rows(j->out, j->out, j->n, j->width);
    const gg_status s = gg_auroc(&v[GG_METRIC_AUROC], j->ctx, margin, j->truth, j->n);
    gg_drop(j->ctx, margin);
    return s;
}

static gg_status judge_classes(double *v, int64_t *confusion, gg__judge *j, int64_t n_classes)
{
    gg_confusion *c = NULL;
    gg_calibration cal = {.n_bins = 15};
    if (j->width == 1)
        for (int64_t i = 0; i < j->n; i++)
            j->guess[i] = j->out[i] > 0;
    else
        gg_argmax_rows(j->guess, j->out, j->n, n_classes);
    GG_TRY(gg_data_labels(j->truth, j->data, NULL, j->n));
    GG_TRY(gg_confusion_create(&c, j->ctx, n_classes));
    gg_status s = gg_confusion_add(c, j->guess, j->truth, j->n);
    if (s == GG_OK) {
        v[GG_METRIC_ACCURACY] = gg_confusion_accuracy(c);
        v[GG_METRIC_BALANCED_ACCURACY] = gg_confusion_balanced_accuracy(c);
        v[GG_METRIC_F1_MACRO] = gg_confusion_mean(c, GG_MEAN_MACRO).f1;
        v[GG_METRIC_F1_MICRO] = gg_confusion_mean(c, GG_MEAN_MICRO).f1;
        if (confusion)
            memcpy(confusion, gg_confusion_counts(c), (size_t)(n_classes * n_classes) * sizeof *confusion);
        s = judge_ranking(v, j, c, n_classes);
    }
    gg_confusion_free(c);
    if (s != GG_OK)
        return s;
    GG_TRY(gg_brier(&v[GG_METRIC_BRIER], j->ctx, j->out, j->truth, j->n, j->width));
    if (j->width == 1)
        GG_TRY(gg_calibration_add(&cal, j->ctx, j->out, j->truth, j->n));
    else
        GG_TRY(gg_calibration_add_rows(&cal, j->ctx, j->out, j->truth, j->n, n_classes));
    v[GG_METRIC_ECE] = gg_calibration_ece(&cal);
    return GG_OK;
}

/* Of several values: R2 and the like of all numbers together, each value about its own mean. */
static gg_status judge_values(double *v, gg__judge *j, int64_t n_values)
{
    double squares = 0, abs_ = 0, about = 0;
    gg_regression all = {0};
    GG_TRY(gg_data_values(j->value, j->data, NULL, j->n));
    unscale(j->out, j->n, n_values, &j->o);
    for (int64_t k = 0; k < n_values; k++) {
        gg_regression one = {0};
        for (int64_t i = 0; i < j->n; i++)
            GG_TRY(gg_regression_add(&one, j->ctx, &j->out[i * n_values + k], &j->value[i * n_values + k], 1));
        squares += one.sum_squares;
        abs_ += one.sum_abs;
        about += one.m2_t;
        gg_regression_merge(&all, &one);
    }
    v[GG_METRIC_R2] = n_values == 1 ? gg_regression_r2(&all) : about > 0 ? 1 - squares / about : squares == 0;
    v[GG_METRIC_MAE] = abs_ / (double)(j->n * n_values);
    v[GG_METRIC_RMSE] = sqrt(squares / (double)(j->n * n_values));
    v[GG_METRIC_PEARSON] = gg_regression_pearson(&all);
    return GG_OK;
}

gg_status gg__judge_run(gg_scores *out, int64_t *confusion, gg__judge *j)
{
    const gg_data_description *d = gg_data_describe(j->data);
    sums s = {0};
    *out = (gg_scores){.n = j->n};
    for (int i = 0; i < GG_METRICS; i++)
        out->value[i] = NAN;
    GG_TRY(pass(j, &s));
    out->value[GG_METRIC_LOSS] = s.loss / s.weight;
    if (!isfinite(out->value[GG_METRIC_LOSS]))
        return gg_fail(j->ctx, GG_ENAN, "the loss over %lld samples is %g", (long long)j->n, out->value[GG_METRIC_LOSS]);
    if (d->target == GG_TARGET_TOKEN) {
        out->value[GG_METRIC_PERPLEXITY] = gg_likelihood_perplexity(&s.likelihood);
        out->value[GG_METRIC_ACCURACY] = (double)s.right / (double)s.places;
        return GG_OK;
    }
    return d->target == GG_TARGET_CLASS ? judge_classes(out->value, confusion, j, d->n_classes) : judge_values(out->value, j, d->n_values);
}

gg_status gg_net_scores(gg_scores *out, int64_t *confusion, gg_net *net, const gg_data *data, const gg_train_options *o)
{
    gg__judge *j = NULL;
    GG_TRY(gg__judge_create(&j, net, data, o));
    const gg_status s = gg__judge_run(out, confusion, j);
    gg__judge_free(j);
    return s;
}

gg_status gg_net_predict(float *out, gg_net *net, const gg_data *data, const gg_train_options *o)
{
    gg__judge *j = NULL;
    sums s = {0};
    GG_TRY(create(&j, net, data, o, false));
    gg_status st = pass(j, &s);
    if (st == GG_OK) {
        const bool values = o->loss.kind == GG_LOSS_MSE || o->loss.kind == GG_LOSS_MAE || o->loss.kind == GG_LOSS_HUBER;
        if (values)
            unscale(j->out, j->n, j->width, o);
        else {
            const gg_shape shape = gg_net_shape(net);
            const int64_t last = shape.d[shape.n - 1];
            gg_softmax_rows(j->out, j->out, j->n * (j->width / last), last);
        }
        memcpy(out, j->out, (size_t)(j->n * j->width) * sizeof *out);
        for (int64_t i = 0; i < j->n * j->width && st == GG_OK; i++)
            if (!isfinite(out[i]))
                st = gg_fail(j->ctx, GG_ENAN, "the net gives %g for sample %lld", (double)out[i], (long long)(i / j->width));
    }
    gg__judge_free(j);
    return st;
}
