/* golgi train: a net from a configuration file. */
#include "cli/train.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/file.h"
#include "base/json.h"
#include "base/work.h"
#include "io/stream.h"
#include "nn/trainer.h"
#include <math.h>
#include <stdio.h>

/* --- one run ------------------------------------------------------------------------------------------------------------------------------------------- */
typedef struct watch {
    gg__run *r;
    gg_context *ctx;
    gg_progress *progress;
    bool begun;
} watch;

static void step(void *user, int64_t at, double loss)
{
    watch *w = user;
    (void)loss;
    if (!w->begun && at > 1)
        gg_progress_before(w->progress, at - 1); /* of an earlier sitting */
    w->begun = true;
    gg_progress_add(w->progress, 1);
    if (w->r->parent && gg_context_stopped(w->r->parent))
        gg_context_stop(w->ctx);
}

static gg_status look(void *user, const gg_epoch *e)
{
    watch *w = user;
    gg_str s = {.ctx = w->ctx};
    gg_str_printf(&s, "epoch %lld  loss %.4g", (long long)e->epoch, e->train_loss);
    if (e->has_val) {
        const gg_metric shown = isnan(e->val.value[GG_METRIC_ACCURACY]) ? GG_METRIC_R2 : GG_METRIC_ACCURACY;
        gg_str_printf(&s, "  val_loss %.4g  val_%s %.4g", e->val.value[GG_METRIC_LOSS], gg_metric_name(shown), e->val.value[shown]);
    }
    if (!s.failed && !w->r->parent) {
        gg_progress_note(w->progress, s.data);
        gg_log(w->ctx, GG_LOG_DEBUG, "%s%s", s.data, e->best ? "  (best)" : "");
    }
    gg_str_free(&s);
    return GG_OK;
}

static gg_status path_in(gg_str *s, const char *folder, const char *name)
{
    s->len = 0;
    gg_str_printf(s, "%s/%s", folder, name);
    return s->failed ? GG_ENOMEM : GG_OK;
}

json_t *gg__scores_json(const gg_scores *s)
{
    json_t *j = json_pack("{s:I}", "samples", (json_int_t)s->n);
    for (int i = 0; i < GG_METRICS; i++)
        if (!isnan(s->value[i]))
            gg_json_put(&j, gg_metric_name((gg_metric)i), json_real(s->value[i]));
    return j;
}

json_t *gg__confusion_json(const int64_t *count, int64_t n)
{
    json_t *rows = json_array();
    for (int64_t i = 0; i < n; i++) {
        json_t *row = json_array();
        for (int64_t k = 0; k < n; k++)
            gg_json_add(&row, json_integer(count[i * n + k]));
        gg_json_add(&rows, row);
    }
    return rows;
}

/* Scores of one part into the result under `key`; of the test part the confusion matrix too. */
static gg_status judge(json_t *result, gg_context *ctx, gg_trainer *t, gg_part part, const char *key)
{
    const gg_data *data = gg_trainer_data(t, part);
    gg_scores scores;
    if (!data)
        return GG_OK;
    const gg_data_description *d = gg_data_describe(data);
    const int64_t n = d->target == GG_TARGET_CLASS ? d->n_classes : 0;
    int64_t *confusion = NULL;
    if (part == GG_PART_TEST && n > 0 && n <= 1000 && !(confusion = gg_new(ctx, int64_t, n * n)))
        return GG_ENOMEM;
    gg_status s = gg_net_scores(&scores, confusion, gg_trainer_net(t), data, gg_trainer_plan(t));
    if (s == GG_OK && json_object_set_new(result, key, gg__scores_json(&scores)) != 0)
        s = gg_fail(ctx, GG_ENOMEM, "out of memory for the scores");
    if (s == GG_OK && confusion) {
        json_t *names = gg__json_texts(d->class_name, n);
        if (json_object_set_new(result, "classes", names) != 0 || json_object_set_new(result, "confusion", gg__confusion_json(confusion, n)) != 0)
            s = gg_fail(ctx, GG_ENOMEM, "out of memory for the scores");
    }
    gg_drop(ctx, confusion);
    return s;
}

static int64_t samples(const gg_trainer *t, gg_part part)
{
    const gg_data *d = gg_trainer_data(t, part);
    return d ? gg_data_describe(d)->n : 0;
}

static int64_t parameters(gg_trainer *t)
{
    int64_t n = 0;
    for (int i = 0; i < gg_net_count(gg_trainer_net(t)); i++)
        n += gg_net_at(gg_trainer_net(t), i)->n_params;
    return n;
}

static gg_status tell(json_t **out, gg_context *ctx, gg_trainer *t, const gg__run *r, const gg_train_result *e)
{
    const gg_train_options *o = gg_trainer_plan(t);
    json_t *j = json_pack("{s:O, s:s, s:I, s:I, s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:b, s:f, s:f}", "config", gg_trainer_config(t), "folder", r->folder, "seed",
                          (json_int_t)o->seed, "parameters", (json_int_t)parameters(t), "samples", "train", (json_int_t)samples(t, GG_PART_TRAIN), "validation",
                          (json_int_t)samples(t, GG_PART_VALIDATION), "test", (json_int_t)samples(t, GG_PART_TEST), "epochs", (json_int_t)e->last.epoch,
                          "steps", (json_int_t)e->last.step, "best_epoch", (json_int_t)e->best.epoch, "stopped_early", (int)e->stopped_early, "train_loss",
                          e->best.train_loss, "seconds", e->seconds);
    if (!j)
        return gg_fail(ctx, GG_ENOMEM, "out of memory for the result");
    gg_status s = judge(j, ctx, t, GG_PART_VALIDATION, "validation");
    if (s == GG_OK)
        s = judge(j, ctx, t, GG_PART_TEST, "test");
    if (s != GG_OK) {
        json_decref(j);
        return s;
    }
    *out = j;
    return GG_OK;
}

/* The result that lies in the folder; NULL: there is none. */
static json_t *result_before(gg_context *ctx, const gg__run *r, gg_str *path)
{
    json_t *j = NULL;
    if (path_in(path, r->folder, "metrics.json") == GG_OK && gg_file_exists(path->data))
        gg_json_read_file(&j, ctx, path->data, "the result");
    return j;
}

/* For the progress line. */
static int64_t steps_of(const gg_trainer *t)
{
    const gg_train_options *o = gg_trainer_plan(t);
    return o->steps > 0 ? o->steps : o->epochs * gg__steps_per_epoch(o, samples(t, GG_PART_TRAIN));
}

/* The result and the report into the folder. A run that had come to its end before is opened and judged as any other, which finds samples that have changed
 * since; what it gave then and gives now is not written again. */
static gg_status keep(gg_context *ctx, const gg__run *r, json_t *result, const json_t *before, gg_str *path)
{
    bool same = r->finished && json_is_number(json_object_get(before, "seconds"));
    if (same && json_object_set(result, "seconds", json_object_get(before, "seconds")) != 0)
        return gg_fail(ctx, GG_ENOMEM, "out of memory for the result");
    same = same && json_equal(result, before);
    GG_TRY(path_in(path, r->folder, "report.html"));
    if (r->report && !(same && gg_file_exists(path->data)))
        GG_TRY(gg__train_report(ctx, r->folder, result, r->command));
    if (same)
        return GG_OK;
    GG_TRY(path_in(path, r->folder, "metrics.json"));
    return gg_json_write_file(ctx, path->data, result, 2); /* last: it says that all else is there */
}

gg_status gg__train_one(json_t **result, gg_context *ctx, gg__run *r)
{
    gg_str path = {.ctx = ctx};
    gg_trainer *t = NULL;
    gg_train_result e;
    watch w = {.r = r, .ctx = ctx};
    *result = NULL;
    gg_status s = gg_trainer_open(&t, ctx, r->config,
                            &(gg_trainer_options){.set = r->set, .n_set = r->n_set, .folder = r->folder, .n_threads = r->n_threads, .like = r->like});
    if (s == GG_OK && r->verb)
        s = gg_command_progress(&w.progress, r->verb, ctx, gg__name_of(r->config), "steps", steps_of(t));
    if (s == GG_OK && (s = gg_trainer_run(&e, t, step, look, &w)) == GG_OK && (s = tell(result, ctx, t, r, &e)) == GG_OK) {
        json_t *before = result_before(ctx, r, &path);
        r->finished = before && !w.begun;
        s = keep(ctx, r, *result, before, &path);
        json_decref(before);
    }
    gg_progress_free(w.progress);
    gg_trainer_free(t);
    gg_str_free(&path);
    if (s != GG_OK) {
        json_decref(*result);
        *result = NULL;
    }
    return s;
}

/* --- what is printed ------------------------------------------------------------------------------------------------------------------------------------- */
void gg__scores_print(FILE *to, const json_t *const *column, const char *const *name, int n)
{
    fprintf(to, "  %-18s", "");
    for (int i = 0; i < n; i++)
        fprintf(to, "%14s", name[i]);
    fputc('\n', to);
    for (int k = -1; k < GG_METRICS; k++) {
        const char *score = k < 0 ? "samples" : gg_metric_name((gg_metric)k);
        bool any = false;
        for (int i = 0; i < n; i++)
            any |= json_object_get(column[i], score) != NULL;
        if (!any)
            continue;
        fprintf(to, "  %-18s", score);
        for (int i = 0; i < n; i++) {
            const json_t *v = json_object_get(column[i], score);
            char text[32] = "-";
            if (v)
                snprintf(text, sizeof text, k < 0 ? "%.0f" : "%.4f", json_number_value(v));
            fprintf(to, "%14s", text);
        }
        fputc('\n', to);
    }
}

void gg__confusion_print(FILE *to, const json_t *confusion, const json_t *classes)
{
    const size_t n = json_array_size(confusion);
    size_t wide = 4;
    if (n == 0 || n > 20)
        return;
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(json_string_value(json_array_get(classes, i)));
        wide = len > wide ? len : wide;
    }
    wide = wide > 16 ? 16 : wide;
    fprintf(to, "\n  %-*s  predicted as\n  %-*s", (int)wide, "is", (int)wide, "");
    for (size_t k = 0; k < n; k++)
        fprintf(to, "  %*.*s", n > 10 ? 5 : 8, n > 10 ? 5 : 8, json_string_value(json_array_get(classes, k)));
    fputc('\n', to);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "  %-*.*s", (int)wide, (int)wide, json_string_value(json_array_get(classes, i)));
        for (size_t k = 0; k < n; k++)
            fprintf(to, "  %*lld", n > 10 ? 5 : 8, (long long)json_integer_value(json_array_get(json_array_get(confusion, i), k)));
        fputc('\n', to);
    }
}

static void shape_text(char out[96], const gg_shape *s)
{
    size_t at = (size_t)snprintf(out, 96, "(");
    for (int i = 0; i < s->n; i++)
        at += (size_t)snprintf(out + at, 96 - at, "%s%lld", i ? ", " : "", (long long)s->d[i]);
    snprintf(out + at, 96 - at, s->n == 1 ? ",)" : ")");
}

void gg__net_print(FILE *to, gg_net *net)
{
    char shape[96], name[96];
    const gg_net_input *in = gg_net_takes(net);
    int64_t total = 0;
    shape_text(shape, &in->sample);
    fprintf(to, "  %-28s  %-22s  %12s\n  %-28s  %s\n", "layer", "output of a sample", "parameters", in->n_vocab > 0 ? "input (token ids)" : "input", shape);
    for (int i = 0; i < gg_net_count(net); i++) {
        const gg_net_layer *l = gg_net_at(net, i);
        shape_text(shape, &l->output);
        snprintf(name, sizeof name, "%-3s %s", l->name, l->kind);
        fprintf(to, "  %-28s  %-22s  %12lld\n", name, shape, (long long)l->n_params);
        total += l->n_params;
    }
    fprintf(to, "  %lld parameters, %.3g MB\n", (long long)total, (double)total * 4 / 1e6);
}

json_t *gg__net_json(gg_net *net)
{
    json_t *list = json_array();
    for (int i = 0; i < gg_net_count(net); i++) {
        const gg_net_layer *l = gg_net_at(net, i);
        json_t *shape = json_array();
        for (int k = 0; k < l->output.n; k++)
            gg_json_add(&shape, json_integer(l->output.d[k]));
        gg_json_add(&list, json_pack("{s:s, s:s, s:o, s:I}", "name", l->name, "layer", l->kind, "output", shape, "parameters", (json_int_t)l->n_params));
    }
    return list;
}

static void print_result(FILE *to, const json_t *r)
{
    const json_t *column[2];
    const char *name[2];
    int n = 0;
    for (int i = 0; i < 2; i++) {
        const char *part = i ? "test" : "validation";
        if (json_object_get(r, part)) {
            column[n] = json_object_get(r, part);
            name[n++] = part;
        }
    }
    fprintf(to, "best epoch %lld of %lld%s, training loss %.4g\n", (long long)json_integer_value(json_object_get(r, "best_epoch")),
            (long long)json_integer_value(json_object_get(r, "epochs")), json_is_true(json_object_get(r, "stopped_early")) ? " (stopped early)" : "",
            json_number_value(json_object_get(r, "train_loss")));
    if (n)
        gg__scores_print(to, column, name, n);
    gg__confusion_print(to, json_object_get(r, "confusion"), json_object_get(r, "classes"));
    fprintf(to, "\n%s/metrics.json   %s/best.safetensors   %.1f s\n", json_string_value(json_object_get(r, "folder")),
            json_string_value(json_object_get(r, "folder")), json_number_value(json_object_get(r, "seconds")));
}

static void print_points(FILE *to, const json_t *r)
{
    const json_t *points = json_object_get(r, "points");
    size_t i;
    json_t *p, *score;
    json_array_foreach ((json_t *)points, i, p) {
        const char *name = json_string_value(json_object_get(p, "name")), *key;
        fprintf(to, "%s%s%lld seeds\n", name, *name ? "  " : "", (long long)json_integer_value(json_object_get(p, "seeds")));
        json_object_foreach (json_object_get(p, "scores"), key, score)
            fprintf(to, "  %-28s %10.4f +- %.4f\n", key, json_number_value(json_object_get(score, "mean")), json_number_value(json_object_get(score, "sd")));
    }
    fprintf(to, "\n%s/summary.json   %s/summary.csv   %lld runs, %lld done before\n", json_string_value(json_object_get(r, "folder")),
            json_string_value(json_object_get(r, "folder")), (long long)json_array_size(json_object_get(r, "runs")),
            (long long)json_integer_value(json_object_get(r, "done_before")));
}

/* --- the verb ------------------------------------------------------------ */
typedef struct words {
    const char *config, *output;
    gg_texts set, grid;
    int64_t seeds, jobs;
    bool describe, no_report;
} words;

static gg_status describe(gg_context *ctx, const gg_command *c, const gg__run *r)
{
    gg_trainer *t = NULL;
    GG_TRY(gg_trainer_open(&t, ctx, r->config, &(gg_trainer_options){.set = r->set, .n_set = r->n_set}));
    const gg_data_description *d = gg_data_describe(gg_trainer_data(t, GG_PART_TRAIN));
    gg_status s = GG_OK;
    if (c->json) {
        json_t *j = json_pack("{s:{s:I, s:I, s:I}, s:o, s:I}", "samples", "train", (json_int_t)samples(t, GG_PART_TRAIN), "validation",
                              (json_int_t)samples(t, GG_PART_VALIDATION), "test", (json_int_t)samples(t, GG_PART_TEST), "layers",
                              gg__net_json(gg_trainer_net(t)), "parameters", (json_int_t)parameters(t));
        s = gg_json_print(ctx, j);
    } else {
        printf("%s: %lld samples to train on, %lld for validation, %lld for the test", r->config, (long long)samples(t, GG_PART_TRAIN),
               (long long)samples(t, GG_PART_VALIDATION), (long long)samples(t, GG_PART_TEST));
        if (d->target == GG_TARGET_CLASS)
            printf("; %lld classes\n", (long long)d->n_classes);
        else
            printf("; %lld %s\n", (long long)(d->target == GG_TARGET_VALUE ? d->n_values : d->n_vocab), d->target == GG_TARGET_VALUE ? "values" : "tokens");
        gg__net_print(stdout, gg_trainer_net(t));
    }
    gg_trainer_free(t);
    return s;
}

const char *gg__name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A word of the command, as a shell reads it back. */
static void put_word(gg_str *s, const char *word)
{
    if (*word && !strpbrk(word, " \t\n'\"\\$`*?[]{}()<>|&;#~!")) {
        gg_str_printf(s, " %s", word);
        return;
    }
    gg_str_puts(s, " '");
    for (; *word; word++) {
        if (*word == '\'')
            gg_str_puts(s, "'\\'");
        gg_str_add(s, word, 1);
    }
    gg_str_puts(s, "'");
}

/* The command as it was given, but for how it talks and the threads. */
static void put_command(gg_str *s, const gg_command *c, const words *w)
{
    gg_str_puts(s, "golgi train");
    put_word(s, w->config);
    for (int i = 0; i < w->set.n; i++) {
        gg_str_puts(s, i ? "" : " --set");
        put_word(s, w->set.at[i]);
    }
    for (int i = 0; i < w->grid.n; i++) {
        gg_str_puts(s, i ? "" : " --grid");
        put_word(s, w->grid.at[i]);
    }
    if (w->seeds > 1)
        gg_str_printf(s, " --seeds %lld", (long long)w->seeds);
    if (w->jobs > 0)
        gg_str_printf(s, " --jobs %lld", (long long)w->jobs);
    if (c->seed != 0)
        gg_str_printf(s, " --seed %lld", (long long)c->seed);
    if (w->output) {
        gg_str_puts(s, " --output");
        put_word(s, w->output);
    }
}

static gg_status train(gg_context *ctx, gg_command *c, const words *w)
{
    gg_str folder = {.ctx = ctx}, seed = {.ctx = ctx}, command = {.ctx = ctx};
    const char *name = gg__name_of(w->config);
    const size_t n = strlen(name) - (strlen(name) > 5 && gg_name_ends(name, ".json") ? 5 : 0);
    const char **set = gg_new(ctx, const char *, w->set.n + 1);
    json_t *result = NULL;
    gg_str_printf(&folder, "%s%.*s", w->output ? w->output : "runs/", w->output ? 0 : (int)n, name);
    gg_str_printf(&seed, "training.seed=%lld", (long long)c->seed);
    put_command(&command, c, w);
    gg__run r = {.config = w->config,
                 .folder = folder.data,
                 .set = set,
                 .n_threads = gg_context_threads(ctx),
                 .command = command.data,
                 .report = !w->no_report,
                 .verb = c};
    gg_status s = !set || folder.failed || seed.failed || command.failed ? GG_ENOMEM : GG_OK;
    for (int i = 0; i < w->set.n && s == GG_OK; i++)
        set[r.n_set++] = w->set.at[i];
    if (c->seed != 0 && s == GG_OK)
        set[r.n_set++] = seed.data;
    const bool many = w->seeds > 1 || w->grid.n > 0;
    if (s == GG_OK && w->describe)
        s = describe(ctx, c, &r);
    else if (s == GG_OK && many)
        s = gg__train_many(&result, ctx, c, &(gg__many){.base = r, .grid = w->grid.at, .n_grid = w->grid.n, .seeds = w->seeds, .jobs = w->jobs});
    else if (s == GG_OK)
        s = gg__train_one(&result, ctx, &r);
    if (s == GG_OK && result && c->json) {
        s = gg_json_print(ctx, json_incref(result));
    } else if (s == GG_OK && result && !c->quiet) {
        FILE *to = gg_command_say_begin(c);
        (many ? print_points : print_result)(to, result);
        if (r.report)
            fprintf(to, "%s/report.html\n", r.folder);
        gg_command_say_end(c, to);
    }
    json_decref(result);
    gg_drop(ctx, set);
    gg_str_free(&folder);
    gg_str_free(&seed);
    gg_str_free(&command);
    return s;
}

int gg_cli_train(int argc, char **argv)
{
    words w = {.seeds = 1};
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXT, &w.config, "CONFIG.json", "data, model, loss, optimizer, schedule, training: docs/train.md has all keys", NULL, true, 0,
         0},
        {"Method", "set", GG_OPT_TEXTS, &w.set, "NAME=VALUE", "in place of what the file says: training.epochs=5 model.0.n=64", NULL, false, 0, 0},
        {NULL, "seeds", GG_OPT_INT, &w.seeds, "N", "runs with as many seeds, from training.seed on; mean and standard deviation of their scores", NULL, false,
         1, 100000},
        {NULL, "grid", GG_OPT_TEXTS, &w.grid, "NAME=V,V,...", "a run for each value; several such make all combinations", NULL, false, 0, 0},
        {NULL, "jobs", GG_OPT_INT, &w.jobs, "N", "runs side by side, each on one thread; 0: as many as threads", NULL, false, 0, 4096},
        {NULL, "describe", GG_OPT_FLAG, &w.describe, NULL, "only print the layers, the shapes of their outputs and their parameters", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &w.output, "DIR",
         "model.json, best and last .safetensors, logs, metrics.json, curves, report.html (else runs/CONFIG)", NULL, false, 0, 0},
        {NULL, "no-report", GG_OPT_FLAG, &w.no_report, NULL, "no curves and no report.html", NULL, false, 0, 0},
    };
    gg_command c = {.name = "train",
                    .sentence =
                        "Trains a net on tables, images, arrays or text from a configuration file, keeps its best epoch and judges it on the test part.",
                    .example = "golgi train examples/train/iris.json --output runs/iris",
                    .notes = "Stopped or killed, the same command goes on from DIR and ends with the same bits; what is finished is not done again. One seed, "
                             "the same result with any number of "
                             "threads. --seed N other than 0 stands for training.seed.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK)
        s = train(ctx, &c, &w);
    return gg_command_close(&c, ctx, s);
}
