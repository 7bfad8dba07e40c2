/* Training of a language model: windows at random places, one optimiser step each batch, looks at the validation tokens, checkpoints.
 *
 * The windows of step s are a function of (seed, s) alone, so nothing but parameters, the optimiser's state and the number of the step is needed to go
 * on: a run that was killed ends with the same bits as one that was not.
 */
#include "nn/lm.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/work.h"
#include "grad/graph.h"
#include <golgi/tensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct run {
    gg_lm *lm;
    gg_lm_train_options o;
    gg_graph *g;
    gg_optim *optim;
    gg_var *x, *t, *loss;
    const int32_t *token, *val;
    int64_t n, n_val;
    char options[512]; /* what a checkpoint must have been made with */
} run;

static gg_lm_train_options with_defaults(const gg_lm *lm, const gg_lm_train_options *given)
{
    gg_lm_train_options o = *given;
    const gg_optim_options bare = {.kind = o.optim.kind, .lr = o.optim.lr};
    if (o.optim.kind == 0 && memcmp(&o.optim, &bare, sizeof bare) == 0)
        o.optim = (gg_optim_options){.kind = GG_OPTIM_ADAMW, .lr = bare.lr > 0 ? bare.lr : 1e-3, .beta2 = 0.99, .weight_decay = 0.1, .clip_norm = 1};
    o.batch = o.batch > 0 ? o.batch : 12;
    o.context = o.context > 0 ? o.context : lm->o.n_ctx;
    o.checkpoint_every = o.checkpoint_every > 0 ? o.checkpoint_every : 500;
    if (o.schedule.lr == 0)
        o.schedule = (gg_schedule){.kind = GG_SCHEDULE_COSINE, .lr = o.optim.lr, .lr_min = o.optim.lr / 10, .warmup = o.steps / 20, .steps = o.steps};
    return o;
}

static gg_status check(run *r)
{
    gg_context *ctx = r->lm->ctx;
    if (r->o.context > r->lm->o.n_ctx)
        return gg_fail(ctx, GG_EINVAL, "windows of %lld tokens: the model sees %lld", (long long)r->o.context, (long long)r->lm->o.n_ctx);
    if (r->n <= r->o.context)
        return gg_fail(ctx, GG_EINVAL, "%lld tokens to train on: more than one window of %lld is needed", (long long)r->n, (long long)r->o.context);
    if (r->o.steps < 1)
        return gg_fail(ctx, GG_EINVAL, "%lld steps of training", (long long)r->o.steps);
    for (int64_t i = 0; i < r->n + r->n_val; i++) {
        const int32_t id = i < r->n ? r->token[i] : r->val[i - r->n];
        if (id < 0 || id >= r->lm->o.n_vocab)
            return gg_fail(ctx, GG_EINVAL, "token %lld is %d, the vocabulary is 0..%lld", (long long)(i < r->n ? i : i - r->n), (int)id, (long long)r->lm->o.n_vocab - 1);
    }
    return GG_OK;
}

static gg_status prepare(run *r)
{
    gg_context *ctx = r->lm->ctx;
    const int64_t B = r->o.batch, T = r->o.context;
    GG_TRY(gg_graph_create(&r->g, ctx, &(gg_graph_options){.n_threads = r->o.n_threads}));
    r->x = gg_graph_index(r->g, "tokens", GG_SHAPE(B, T));
    r->t = gg_graph_index(r->g, "targets", GG_SHAPE(B, T));
    r->loss = gg_var_mean(gg_var_cross_entropy(gg_lm_logits(r->lm, r->g, r->x), r->t, -1), GG_ALL_AXES, false);
    gg_graph_backward(r->loss);
    GG_TRY(gg_graph_plan(r->g, &r->loss, 1));
    gg_graph_set_training(r->g, true, r->o.seed);
    return gg_optim_create(&r->optim, ctx, r->lm->params, &r->o.optim);
}

static void draw_windows(run *r, int64_t step)
{
    const int64_t B = r->o.batch, T = r->o.context;
    gg_random random = gg_random_of(r->o.seed, (uint64_t)step);
    int32_t *x = gg_var_data(r->x), *t = gg_var_data(r->t);
    for (int64_t b = 0; b < B; b++) {
        const int64_t at = gg_random_below(&random, r->n - T);
        memcpy(x + b * T, r->token + at, (size_t)T * sizeof *x);
        memcpy(t + b * T, r->token + at + 1, (size_t)T * sizeof *t);
    }
}

/* --- checkpoints -------------------------------------------------------------------------------------------------------------------------- */
static void describe_options(run *r)
{
    const gg_optim_options *p = &r->o.optim;
    const gg_schedule *s = &r->o.schedule;
    uint64_t sum = 1469598103934665603u;
    for (int64_t i = 0; i < r->n; i++)
        sum = (sum ^ (uint32_t)r->token[i]) * 1099511628211u;
    snprintf(r->options, sizeof r->options, "batch %lld context %lld steps %lld seed %llu %s lr %.17g beta %.17g %.17g wd %.17g clip %.17g schedule %s %.17g %.17g %lld tokens %lld %016llx",
             (long long)r->o.batch, (long long)r->o.context, (long long)r->o.steps, (unsigned long long)r->o.seed, gg_optim_name(p->kind), p->lr, p->beta1, p->beta2, p->weight_decay,
             p->clip_norm, gg_schedule_name(s->kind), s->lr, s->lr_min, (long long)s->warmup, (long long)r->n, (unsigned long long)sum);
}

static gg_status write_checkpoint(run *r, int64_t step, const gg_lm_result *result)
{
    gg_params *p = r->lm->params;
    gg_tensors_writer *w = NULL;
    char text[64];
    GG_TRY(gg_tensors_writer_open(&w, r->lm->ctx, r->o.checkpoint));
    snprintf(text, sizeof text, "%lld", (long long)step);
    gg_status s = gg_tensors_writer_text(w, "golgi.step", text);
    snprintf(text, sizeof text, "%.17g %lld", result->best_val, (long long)result->best_step);
    if (s == GG_OK && (s = gg_tensors_writer_text(w, "golgi.best", text)) == GG_OK)
        s = gg_tensors_writer_text(w, "golgi.options", r->options);
    for (int i = 0; i < gg_params_count(p) && s == GG_OK; i++) {
        const gg_shape shape = gg_params_shape(p, i);
        s = gg_tensors_writer_add(w, gg_params_name(p, i), GG_F32, shape.n, shape.d, gg_params_value(p, i));
    }
    for (int k = 0; k < gg_optim_blocks(r->optim) && s == GG_OK; k++) {
        char name[32];
        const int64_t n = gg_params_extent(p);
        snprintf(name, sizeof name, "golgi.state%d", k);
        s = gg_tensors_writer_add(w, name, GG_F32, 1, &n, gg_optim_block(r->optim, k));
    }
    if (s == GG_OK)
        return gg_tensors_writer_commit(w);
    gg_tensors_writer_discard(w);
    return s;
}

static gg_status take(gg_context *ctx, void *to, const gg_tensors *t, const char *name, int64_t bytes)
{
    const gg_tensor *x = NULL;
    GG_TRY(gg_tensors_need(&x, t, name));
    if (x->dtype != GG_F32 || x->n_bytes != bytes)
        return gg_fail(ctx, GG_EMISMATCH, "%s: %s has %lld bytes, the model needs %lld", gg_tensors_path(t), name, (long long)x->n_bytes, (long long)bytes);
    memcpy(to, x->data, (size_t)bytes);
    return GG_OK;
}

static gg_status read_checkpoint(run *r, int64_t *step, gg_lm_result *result)
{
    gg_params *p = r->lm->params;
    gg_tensors *t = NULL;
    const char *text = NULL, *options = NULL, *best = NULL;
    GG_TRY(gg_tensors_open(&t, r->lm->ctx, r->o.checkpoint));
    gg_status s = GG_OK;
    if (!gg_tensors_text(t, "golgi.step", &text) || !gg_tensors_text(t, "golgi.options", &options) || !gg_tensors_text(t, "golgi.best", &best))
        s = gg_fail(r->lm->ctx, GG_EFORMAT, "%s is no checkpoint of training: remove it or name another file", r->o.checkpoint);
    else if (strcmp(options, r->options) != 0)
        s = gg_fail(r->lm->ctx, GG_EMISMATCH, "%s was made with other options; remove it to begin anew\n  there  %s\n  now    %s", r->o.checkpoint, options, r->options);
    for (int i = 0; i < gg_params_count(p) && s == GG_OK; i++)
        s = take(r->lm->ctx, gg_params_value(p, i), t, gg_params_name(p, i), gg_params_size(p, i) * 4);
    for (int k = 0; k < gg_optim_blocks(r->optim) && s == GG_OK; k++) {
        char name[32];
        snprintf(name, sizeof name, "golgi.state%d", k);
        s = take(r->lm->ctx, gg_optim_block(r->optim, k), t, name, gg_params_extent(p) * 4);
    }
    if (s == GG_OK) {
        char *rest;
        *step = strtoll(text, NULL, 10);
        result->best_val = strtod(best, &rest);
        result->best_step = strtoll(rest, NULL, 10);
        gg_optim_set_steps(r->optim, *step);
        r->g->n_runs = (uint64_t)*step; /* dropout draws by it */
    }
    gg_tensors_free(t);
    return s;
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status look_at_validation(run *r, gg_lm_result *out, int64_t step)
{
    GG_TRY(gg_lm_loss(&out->val_loss, r->lm, r->val, r->n_val, r->o.n_threads));
    if (!(out->val_loss >= out->best_val)) {
        out->best_val = out->val_loss;
        out->best_step = step;
    }
    return GG_OK;
}

static gg_status loop(run *r, gg_lm_result *out, int64_t from)
{
    const double start = gg_time();
    for (int64_t step = from; step < r->o.steps; step++) {
        draw_windows(r, step);
        gg_optim_set_lr(r->optim, gg_schedule_at(&r->o.schedule, step));
        GG_TRY(gg_graph_run(r->g));
        out->loss = gg_var_item(r->loss);
        if (!isfinite(out->loss)) {
            const gg_status s = gg_graph_run_checked(r->g);
            return s == GG_ENAN ? gg_fail_prefix(r->lm->ctx, s, "step %lld, loss %g", (long long)step, out->loss) : s;
        }
        GG_TRY(gg_optim_step(r->optim));
        const bool last = step == r->o.steps - 1, looks = r->val && (last || (r->o.eval_every > 0 && (step + 1) % r->o.eval_every == 0));
        if (looks)
            GG_TRY(look_at_validation(r, out, step + 1));
        out->seconds = gg_time() - start;
        out->n_tokens = (step + 1 - from) * r->o.batch * r->o.context;
        const bool stopped = gg_context_stopped(r->lm->ctx);
        if (r->o.checkpoint && (last || stopped || (step + 1) % r->o.checkpoint_every == 0))
            GG_TRY(write_checkpoint(r, step + 1, out));
        if (r->o.look)
            GG_TRY(r->o.look(r->o.user, &(gg_lm_step){step + 1, r->o.steps, out->loss, looks ? out->val_loss : NAN, gg_optim_lr(r->optim), out->seconds}));
        if (stopped && !last)
            return gg_fail(r->lm->ctx, GG_EINTR, "stopped after step %lld of %lld%s", (long long)step + 1, (long long)r->o.steps, r->o.checkpoint ? "; the same command goes on from there" : "");
    }
    return GG_OK;
}

gg_status gg_lm_train(gg_lm_result *out, gg_lm *lm, const int32_t *token, int64_t n, const int32_t *val, int64_t n_val, const gg_lm_train_options *options)
{
    run r = {.lm = lm, .o = with_defaults(lm, options), .token = token, .n = n, .val = val, .n_val = val ? n_val : 0};
    *out = (gg_lm_result){.loss = NAN, .val_loss = NAN, .best_val = NAN};
    GG_TRY(check(&r));
    gg_status s = prepare(&r);
    if (s == GG_OK && r.o.checkpoint) {
        describe_options(&r);
        if (gg_file_exists(r.o.checkpoint))
            s = read_checkpoint(&r, &out->from_step, out);
    }
    if (s == GG_OK)
        s = loop(&r, out, out->from_step);
    if (s == GG_OK && r.val && isnan(out->val_loss)) /* the checkpoint was already at the end */
        s = look_at_validation(&r, out, r.o.steps);
    gg_optim_free(r.optim);
    gg_graph_free(r.g);
    return s;
}
