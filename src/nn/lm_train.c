/* Training of a language model: windows at random places, one optimiser step each batch, looks at the validation tokens, checkpoints.
 *
 * The windows of step s are a function of (seed, s) alone, so nothing but parameters, the optimiser's state and the number of the step is needed to go
 * on: a run that was killed ends with the same bits as one that was not. A checkpoint also has what is told of each step, so that the log of a run is whole
 * however many sittings it took. The log is written before the checkpoint: one that is ahead of it is reached again.
 *
 * Ranks draw the same windows and each runs its part of them; gradients and losses are summed, and all make the same step. Rank 0 alone reads and writes
 * files and shows the steps. What can go wrong on one rank is carried to the next sum, where all learn of it: nobody waits for a rank that gave up.
 */
#include "nn/lm.h"
#include "nn/parallel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/work.h"
#include "grad/graph.h"
#include <golgi/rows.h>
#include <golgi/tensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct past {
    double loss, val_loss, lr, seconds; /* of a step, from the first sitting on */
} past;

typedef struct run {
    gg_lm *lm;
    gg_lm_train_options o;
    gg_graph *g;
    gg_optim *optim;
    gg_var *x, *t, *loss;
    const int32_t *token, *val;
    int64_t n, n_val;
    gg_part part;      /* of the batch's windows, this rank's */
    bool stopped;      /* some rank was asked to */
    gg_status so_far;  /* what went wrong on this rank since all last agreed */
    past *past;        /* of each step that was made; rank 0 */
    int64_t n_past, cap_past;
    char options[768]; /* what a checkpoint must have been made with */
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
    if (r->o.batch < gg_ranks_count(r->o.ranks))
        return gg_fail(ctx, GG_EINVAL, "%lld windows a step for %d ranks: each needs one at least", (long long)r->o.batch, gg_ranks_count(r->o.ranks));
    for (int64_t i = 0; i < r->n + r->n_val; i++) {
        const int32_t id = i < r->n ? r->token[i] : r->val[i - r->n];
        if (id < 0 || id >= r->lm->o.n_vocab)
            return gg_fail(ctx, GG_EINVAL, "token %lld is %d, the vocabulary is 0..%lld", (long long)(i < r->n ? i : i - r->n), (int)id,
                           (long long)r->lm->o.n_vocab - 1);
    }
    return GG_OK;
}

static gg_status prepare(run *r)
{
    gg_context *ctx = r->lm->ctx;
    const int64_t B = r->part.n, T = r->o.context;
    GG_TRY(gg_graph_create(&r->g, ctx, &(gg_graph_options){.n_threads = r->o.n_threads}));
    r->x = gg_graph_index(r->g, "tokens", GG_SHAPE(B, T));
    r->t = gg_graph_index(r->g, "targets", GG_SHAPE(B, T));
    r->loss = gg_var_mean(gg_var_cross_entropy(gg_lm_logits(r->lm, r->g, r->x), r->t, -1), GG_ALL_AXES, false);
    gg_graph_backward(r->loss);
    GG_TRY(gg_graph_plan(r->g, &r->loss, 1));
    gg_graph_set_training(r->g, true, r->o.seed);
    gg__graph_set_part(r->g, r->part.first, r->part.n);
    return gg_optim_create(&r->optim, ctx, r->lm->params, &r->o.optim);
}

static void draw_windows(run *r, int64_t step)
{
    const int64_t T = r->o.context, first = r->part.first, n = r->part.n;
    gg_random random = gg_random_of(r->o.seed, (uint64_t)step);
    int32_t *x = gg_var_data(r->x), *t = gg_var_data(r->t);
    for (int64_t b = 0; b < r->o.batch; b++) { /* those of the other ranks too, so that all draw alike */
        const int64_t at = gg_random_below(&random, r->n - T);
        if (b < first || b >= first + n)
            continue;
        memcpy(x + (b - first) * T, r->token + at, (size_t)T * sizeof *x);
        memcpy(t + (b - first) * T, r->token + at + 1, (size_t)T * sizeof *t);
    }
}

/* --- checkpoints -------------------------------------------------------------------------------------------------------------------------- */
static void describe_options(run *r)
{
    const gg_lm_options *m = &r->lm->o;
    const gg_optim_options *p = &r->o.optim;
    const gg_schedule *s = &r->o.schedule;
    uint64_t sum = 1469598103934665603u;
    for (int64_t i = 0; i < r->n; i++)
        sum = (sum ^ (uint32_t)r->token[i]) * 1099511628211u;
    snprintf(r->options, sizeof r->options,
             "%s layers %lld width %lld heads %lld of %lld mlp %lld sees %lld rope %.17g dropout %.17g%s "
             "batch %lld context %lld steps %lld seed %llu %s lr %.17g beta %.17g %.17g wd %.17g clip %.17g schedule %s %.17g %.17g %lld tokens %lld %016llx",
             m->kind == GG_LM_GPT2 ? "gpt2" : "llama", (long long)m->n_layers, (long long)m->d_model, (long long)m->n_heads, (long long)m->n_kv_heads,
             (long long)m->d_ff, (long long)m->n_ctx, m->rope_base, m->dropout, m->untied ? " untied" : "", (long long)r->o.batch, (long long)r->o.context,
             (long long)r->o.steps, (unsigned long long)r->o.seed, gg_optim_name(p->kind), p->lr, p->beta1,
             p->beta2, p->weight_decay, p->clip_norm, gg_schedule_name(s->kind), s->lr, s->lr_min, (long long)s->warmup, (long long)r->n,
             (unsigned long long)sum);
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
        s = gg_tensors_writer_add(w, "golgi.past", GG_F64, 2, (int64_t[]){r->n_past, (int64_t)(sizeof *r->past / sizeof(double))}, r->past);
    if (s == GG_OK)
        return gg_tensors_writer_commit(w);
    gg_tensors_writer_discard(w);
    return s;
}

static gg_status write_log(const run *r)
{
    gg_rows_writer *w = NULL;
    GG_TRY(gg_rows_writer_open(&w, r->lm->ctx, r->o.log));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < r->n_past && s == GG_OK; i++) {
        const past *p = &r->past[i];
        json_t *row = json_pack("{s:I, s:o, s:o, s:f, s:f}", "step", (json_int_t)i + 1, "loss", gg_json_number(p->loss), "val_loss",
                                gg_json_number(p->val_loss), "lr", p->lr, "seconds", p->seconds);
        s = row ? gg_rows_writer_add(w, row) : gg_fail(r->lm->ctx, GG_ENOMEM, "out of memory for the log of training");
        json_decref(row);
    }
    if (s == GG_OK)
        return gg_rows_writer_commit(w);
    gg_rows_writer_discard(w);
    return s;
}

static gg_status take(gg_context *ctx, void *to, const gg_tensors *t, const char *name, gg_dtype dtype, int64_t bytes)
{
    const gg_tensor *x = NULL;
    GG_TRY(gg_tensors_need(&x, t, name));
    if (x->dtype != dtype || x->n_bytes != bytes)
        return gg_fail(ctx, GG_EMISMATCH, "%s: %s has %lld bytes, the model needs %lld", gg_tensors_path(t), name, (long long)x->n_bytes, (long long)bytes);
    memcpy(to, x->data, (size_t)bytes);
    return GG_OK;
}

static gg_status take_past(run *r, const gg_tensors *t, int64_t n)
{
    if (n < 1 || n > r->o.steps)
        return gg_fail(r->lm->ctx, GG_EFORMAT, "%s: step %lld of %lld", gg_tensors_path(t), (long long)n, (long long)r->o.steps);
    if (!(r->past = gg_new(r->lm->ctx, past, n)))
        return GG_ENOMEM;
    r->n_past = r->cap_past = n;
    return take(r->lm->ctx, r->past, t, "golgi.past", GG_F64, n * (int64_t)sizeof *r->past);
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
        s = gg_fail(r->lm->ctx, GG_EMISMATCH, "%s was made with other options; remove it to begin anew\n  there  %s\n  now    %s", r->o.checkpoint, options,
                    r->options);
    for (int i = 0; i < gg_params_count(p) && s == GG_OK; i++)
        s = take(r->lm->ctx, gg_params_value(p, i), t, gg_params_name(p, i), GG_F32, gg_params_size(p, i) * 4);
    for (int k = 0; k < gg_optim_blocks(r->optim) && s == GG_OK; k++) {
        char name[32];
        snprintf(name, sizeof name, "golgi.state%d", k);
        s = take(r->lm->ctx, gg_optim_block(r->optim, k), t, name, GG_F32, gg_params_extent(p) * 4);
    }
    if (s == GG_OK)
        s = take_past(r, t, strtoll(text, NULL, 10));
    if (s == GG_OK) {
        char *rest;
        *step = r->n_past;
        result->best_val = strtod(best, &rest);
        result->best_step = strtoll(rest, NULL, 10);
        gg_optim_set_steps(r->optim, *step);
        r->g->n_runs = (uint64_t)*step; /* dropout draws by it */
    }
    gg_tensors_free(t);
    return s;
}

/* --- ranks ------------------------------------------------------------------------------------------------------------------------------------- */
/* All see the same texts and options, and begin with what rank 0 has: its weights, or its checkpoint. */
static gg_status begin_together(run *r, gg_lm_result *out)
{
    gg_ranks *ranks = r->o.ranks;
    char of_0[sizeof r->options];
    int64_t step = out->from_step;
    if (gg_ranks_count(ranks) == 1)
        return GG_OK;
    memcpy(of_0, r->options, sizeof of_0);
    GG_TRY(gg_ranks_spread(ranks, of_0, sizeof of_0));
    GG_TRY(gg_ranks_agree(ranks, strcmp(of_0, r->options) == 0
                                     ? GG_OK
                                     : gg_fail(r->lm->ctx, GG_EMISMATCH, "other texts or options than rank 0\n  there  %s\n  here   %s", of_0, r->options)));
    GG_TRY(gg_params_spread(r->lm->params, ranks));
    GG_TRY(gg_ranks_spread(ranks, &step, sizeof step));
    GG_TRY(gg_ranks_spread(ranks, &out->best_val, sizeof out->best_val));
    GG_TRY(gg_ranks_spread(ranks, &out->best_step, sizeof out->best_step));
    for (int k = 0; k < gg_optim_blocks(r->optim); k++)
        GG_TRY(gg_ranks_spread(ranks, gg_optim_block(r->optim, k), gg_params_extent(r->lm->params) * 4));
    out->from_step = step;
    gg_optim_set_steps(r->optim, step);
    r->g->n_runs = (uint64_t)step;
    return GG_OK;
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status look_at_validation(run *r, gg_lm_result *out, int64_t step)
{
    GG_TRY(gg__lm_loss(&out->val_loss, r->lm, r->val, r->n_val, r->o.n_threads, r->o.ranks));
    if (!(out->val_loss >= out->best_val)) {
        out->best_val = out->val_loss;
        out->best_step = step;
    }
    return GG_OK;
}

/* Loss and gradients of this rank's part. */
static gg_status forth_and_back(double *loss, run *r, int64_t step)
{
    draw_windows(r, step);
    GG_TRY(gg_graph_run(r->g));
    *loss = gg_var_item(r->loss);
    if (isfinite(*loss))
        return GG_OK;
    const gg_status s = gg_graph_run_checked(r->g);
    return s == GG_ENAN ? gg_fail_prefix(r->lm->ctx, s, "step %lld, loss %g", (long long)step, *loss) : s;
}

static gg_status one_step(run *r, gg_lm_result *out, int64_t step)
{
    const double share = (double)r->part.n / (double)r->o.batch;
    double loss = NAN;
    if (r->so_far == GG_OK)
        r->so_far = forth_and_back(&loss, r, step);
    double facts[3] = {r->so_far == GG_OK ? loss * share : 0, r->so_far != GG_OK, gg_context_stopped(r->lm->ctx)};
    GG_TRY(gg_ranks_sum(r->o.ranks, facts, 3));
    if (facts[1] > 0)
        return gg_ranks_agree(r->o.ranks, r->so_far);
    out->loss = facts[0];
    r->stopped = facts[2] > 0;
    GG_TRY(gg_params_sum_gradients(r->lm->params, r->o.ranks, share));
    gg_optim_set_lr(r->optim, gg_schedule_at(&r->o.schedule, step));
    return gg_optim_step(r->optim);
}

/* Rank 0's: the log, the checkpoint, and who watches. before: seconds of earlier sittings */
static gg_status tell(run *r, gg_lm_result *out, int64_t step, bool looked, double before)
{
    const bool due = step == r->o.steps || r->stopped || step % r->o.checkpoint_every == 0;
    if (gg_ranks_self(r->o.ranks) > 0)
        return GG_OK;
    const past p = {out->loss, looked ? out->val_loss : NAN, gg_optim_lr(r->optim), before + out->seconds};
    GG_TRY(gg_grow(r->lm->ctx, &r->past, r->n_past, &r->cap_past, 1024));
    r->past[r->n_past++] = p;
    if (r->o.log && due)
        GG_TRY(write_log(r));
    if (r->o.checkpoint && due)
        GG_TRY(write_checkpoint(r, step, out));
    return r->o.look ? r->o.look(r->o.user, &(gg_lm_step){step, r->o.steps, p.loss, p.val_loss, p.lr, p.seconds}) : GG_OK;
}

static gg_status loop(run *r, gg_lm_result *out, int64_t from)
{
    const double start = gg_time(), before = r->n_past ? r->past[r->n_past - 1].seconds : 0;
    const bool alone = gg_ranks_count(r->o.ranks) == 1;
    for (int64_t step = from + 1; step <= r->o.steps; step++) {
        GG_TRY(one_step(r, out, step - 1));
        const bool last = step == r->o.steps, looks = r->val && (last || (r->o.eval_every > 0 && step % r->o.eval_every == 0));
        if (looks)
            GG_TRY(look_at_validation(r, out, step));
        out->seconds = gg_time() - start;
        out->n_tokens = (step - from) * r->o.batch * r->o.context;
        r->stopped = alone ? gg_context_stopped(r->lm->ctx) : r->stopped;
        r->so_far = tell(r, out, step, looks, before);
        if (alone)
            GG_TRY(r->so_far);
        if (r->stopped && !last) {
            GG_TRY(gg_ranks_agree(r->o.ranks, r->so_far));
            return gg_fail(r->lm->ctx, GG_EINTR, "stopped after step %lld of %lld%s", (long long)step, (long long)r->o.steps,
                           r->o.checkpoint ? "; the same command goes on from there" : "");
        }
    }
    GG_TRY(gg_ranks_agree(r->o.ranks, r->so_far));
    return alone ? GG_OK : gg_params_check_same(r->lm->params, r->lm->ctx, r->o.ranks);
}

gg_status gg_lm_train(gg_lm_result *out, gg_lm *lm, const int32_t *token, int64_t n, const int32_t *val, int64_t n_val, const gg_lm_train_options *options)
{
    run r = {.lm = lm, .o = with_defaults(lm, options), .token = token, .n = n, .val = val, .n_val = val ? n_val : 0};
    *out = (gg_lm_result){.loss = NAN, .val_loss = NAN, .best_val = NAN};
    r.part = gg_part_of(r.o.ranks, r.o.batch);
    gg_status s = check(&r);
    if (s == GG_OK)
        s = prepare(&r);
    if (s == GG_OK) {
        describe_options(&r);
        if (r.o.checkpoint && gg_ranks_self(r.o.ranks) == 0 && gg_file_exists(r.o.checkpoint))
            s = read_checkpoint(&r, &out->from_step, out);
    }
    s = gg_ranks_agree(r.o.ranks, s);
    if (s == GG_OK)
        s = begin_together(&r, out);
    if (s == GG_OK)
        s = loop(&r, out, out->from_step);
    if (s == GG_OK && r.val && isnan(out->val_loss)) /* the checkpoint was already at the end */
        s = look_at_validation(&r, out, r.o.steps);
    gg_drop(lm->ctx, r.past);
    gg_optim_free(r.optim);
    gg_graph_free(r.g);
    return s;
}
