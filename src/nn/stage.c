/* A net recorded for batches of one size: inputs from data, the loss of each sample, and of those that learn the gradients of its mean. */
#include "nn/train.h"
#include "nn/net.h"
#include "grad/graph.h"
#include <math.h>

static const char *const loss_names[] = {
#define GG_X(code, name) #name,
    GG_LOSS_MAP(GG_X)
#undef GG_X
};
const char *gg_loss_name(gg_loss_kind k) { return loss_names[k]; }

static const char *target_name(gg_target_kind k)
{
    return k == GG_TARGET_CLASS ? "classes" : k == GG_TARGET_VALUE ? "values" : k == GG_TARGET_TOKEN ? "tokens" : "no targets";
}

static bool of_values(const gg_loss *l) { return l->kind == GG_LOSS_MSE || l->kind == GG_LOSS_MAE || l->kind == GG_LOSS_HUBER; }

gg_status gg__loss_check(gg_context *ctx, const gg_loss *l, const gg_data_description *d, const gg_train_options *o)
{
    const bool values = of_values(l);
    const char *name = gg_loss_name(l->kind);
    if (values ? d->target != GG_TARGET_VALUE : d->target != GG_TARGET_CLASS && d->target != GG_TARGET_TOKEN)
        return gg_fail(ctx, GG_EINVAL, "the loss %s learns %s, the data have %s", name,
                       values ? "values: mse, mae, huber" : "classes: cross_entropy, bce_with_logits", target_name(d->target));
    if (l->kind == GG_LOSS_BCE_WITH_LOGITS && (d->target != GG_TARGET_CLASS || d->n_classes != 2))
        return gg_fail(ctx, GG_EINVAL, "bce_with_logits tells two classes apart, the data have %lld: take cross_entropy", (long long)d->n_classes);
    if (l->class_weight && (l->kind != GG_LOSS_CROSS_ENTROPY || d->target != GG_TARGET_CLASS))
        return gg_fail(ctx, GG_EINVAL, "weights of classes go with cross_entropy over classes, not with %s", name);
    for (int64_t i = 0; l->class_weight && i < d->n_classes; i++)
        if (!(l->class_weight[i] >= 0 && l->class_weight[i] < INFINITY))
            return gg_fail(ctx, GG_EINVAL, "the weight of class %s is %g", d->class_name[i], l->class_weight[i]);
    for (int64_t i = 0; values && o->value_scale && i < d->n_values; i++)
        if (!(o->value_scale[i] > 0 && o->value_scale[i] < INFINITY && isfinite(o->value_shift[i])))
            return gg_fail(ctx, GG_EINVAL, "value %lld is learned as (v - %g) / %g", (long long)i, o->value_shift[i], o->value_scale[i]);
    return GG_OK;
}

gg_status gg__loss_check_net(gg_context *ctx, const gg_loss *l, const gg_data_description *d, const gg_net *net)
{
    const gg_shape s = gg_net_shape(net);
    if (l->kind == GG_LOSS_BCE_WITH_LOGITS) {
        if (s.n != 1 || s.d[0] != 1)
            return gg_fail(ctx, GG_EINVAL, "the last layer gives %s for each sample; bce_with_logits needs one number, (1,)", gg__shape_say(s).text);
    } else if (d->target == GG_TARGET_TOKEN) {
        if (s.n != 2 || s.d[0] != d->sample.d[0] || s.d[1] != d->n_vocab)
            return gg_fail(ctx, GG_EINVAL, "the last layer gives %s for each sample; (%lld, %lld) is needed, a number for each place and token",
                           gg__shape_say(s).text, (long long)d->sample.d[0], (long long)d->n_vocab);
    } else {
        const int64_t need = of_values(l) ? d->n_values : d->n_classes;
        if (s.n != 1 || s.d[0] != need)
            return gg_fail(ctx, GG_EINVAL, "the last layer gives %s for each sample, the data have %lld %s: (%lld,) is needed", gg__shape_say(s).text,
                           (long long)need, of_values(l) ? "values" : "classes", (long long)need);
    }
    return GG_OK;
}

static gg_shape with_batch(int64_t batch, gg_shape s)
{
    gg_shape out = {.n = s.n + 1, .d = {batch}};
    for (int i = 0; i < s.n && i + 1 < GG_MAX_DIMS; i++)
        out.d[i + 1] = s.d[i];
    return out;
}

static void record_loss(gg__stage *st, const gg_data_description *d, const gg_train_options *o)
{
    const gg_loss *l = &o->loss;
    const int64_t B = st->batch;
    gg_graph *g = st->g;
    switch (l->kind) {
    case GG_LOSS_CROSS_ENTROPY:
        st->t = gg_graph_index(g, "targets", d->target == GG_TARGET_TOKEN ? GG_SHAPE(B, d->sample.d[0]) : GG_SHAPE(B));
        st->each = gg_nn_smooth_cross_entropy(st->out, st->t, l->label_smoothing);
        if (l->class_weight)
            st->weight = gg_var_gather(gg_graph_constant(g, GG_SHAPE(d->n_classes), l->class_weight), st->t);
        break;
    case GG_LOSS_BCE_WITH_LOGITS:
        st->t = gg_graph_input(g, "targets", GG_SHAPE(B, 1));
        st->each = gg_nn_bce_logits(st->out, st->t);
        break;
    default:
        st->t = gg_graph_input(g, "targets", GG_SHAPE(B, d->n_values));
        st->each = l->kind == GG_LOSS_MSE   ? gg_nn_mse(st->out, st->t)
                   : l->kind == GG_LOSS_MAE ? gg_nn_mae(st->out, st->t)
                                            : gg_nn_huber(st->out, st->t, l->delta);
    }
}

gg_status gg__stage_create(gg__stage *st, gg_net *net, const gg_data *data, int64_t batch, const gg_train_options *o, bool targets, bool learns)
{
    const gg_data_description *d = gg_data_describe(data);
    const gg_net_input *in = gg_net_takes(net);
    *st = (gg__stage){.batch = batch};
    gg_context *ctx = gg__net_context(net);
    GG_TRY(gg_graph_create(&st->g, ctx, &(gg_graph_options){.n_threads = o->n_threads}));
    const gg_shape shape = with_batch(batch, in->sample);
    st->x = in->n_vocab > 0 ? gg_graph_index(st->g, "inputs", shape) : gg_graph_input(st->g, "inputs", shape);
    st->out = gg_net_output(net, st->g, st->x);
    gg_var *keep[4] = {st->out};
    int n_keep = 1;
    if (targets) {
        record_loss(st, d, o);
        keep[n_keep++] = st->each;
        if (st->weight)
            keep[n_keep++] = st->weight;
    }
    if (learns) {
        st->loss = st->weight ? gg_var_div(gg_var_sum(gg_var_mul(st->weight, st->each), GG_ALL_AXES, false), gg_var_sum(st->weight, GG_ALL_AXES, false))
                              : gg_var_mean(st->each, GG_ALL_AXES, false);
        gg_graph_backward(st->loss);
        keep[0] = st->loss; /* outputs and single losses share their memory with what comes later */
        n_keep = 1;
    }
    gg_status s = gg_graph_plan(st->g, keep, n_keep);
    if (s == GG_OK && targets && o->loss.kind == GG_LOSS_BCE_WITH_LOGITS && !(st->label = gg_new(ctx, int32_t, batch)))
        s = GG_ENOMEM;
    if (learns)
        gg_graph_set_training(st->g, true, o->seed);
    if (s != GG_OK)
        gg__stage_free(st, ctx);
    return s;
}

void gg__stage_free(gg__stage *st, gg_context *ctx)
{
    gg_graph_free(st->g);
    gg_drop(ctx, st->label);
    *st = (gg__stage){0};
}

/* What a batch lacks repeats its last sample, in rows of `width` bytes. */
static void repeat_last(void *rows, int64_t n, int64_t batch, size_t width)
{
    for (int64_t i = n; i < batch; i++)
        memcpy((char *)rows + (size_t)i * width, (char *)rows + (size_t)(n - 1) * width, width);
}

static gg_status fill_targets(gg__stage *st, const gg_data *data, const int64_t *index, int64_t n, const gg_train_options *o)
{
    const gg_data_description *d = gg_data_describe(data);
    float *t = gg_var_data(st->t);
    if (o->loss.kind == GG_LOSS_CROSS_ENTROPY)
        return gg_data_labels(gg_var_data(st->t), data, index, n);
    if (o->loss.kind == GG_LOSS_BCE_WITH_LOGITS) {
        GG_TRY(gg_data_labels(st->label, data, index, n));
        for (int64_t i = 0; i < n; i++)
            t[i] = (float)st->label[i];
        return GG_OK;
    }
    GG_TRY(gg_data_values(t, data, index, n));
    for (int64_t i = 0; o->value_scale && i < n * d->n_values; i++)
        t[i] = (float)(((double)t[i] - o->value_shift[i % d->n_values]) / o->value_scale[i % d->n_values]);
    return GG_OK;
}

gg_status gg__stage_fill(gg__stage *st, const gg_data *data, const int64_t *index, int64_t n, const gg_train_options *o)
{
    if (gg_var_dtype(st->x) == GG_I32)
        GG_TRY(gg_data_read_tokens(gg_var_data(st->x), data, index, n));
    else
        GG_TRY(gg_data_read(gg_var_data(st->x), data, index, n, o->scaler));
    repeat_last(gg_var_data(st->x), n, st->batch, gg_var_bytes(st->x) / (size_t)st->batch);
    if (!st->t)
        return GG_OK;
    GG_TRY(fill_targets(st, data, index, n, o));
    repeat_last(gg_var_data(st->t), n, st->batch, gg_var_bytes(st->t) / (size_t)st->batch);
    return GG_OK;
}
