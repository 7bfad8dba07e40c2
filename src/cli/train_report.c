/* The report of a run: curves of loss and of the score that people ask for first, scores of the best epoch, the confusion matrix, how it was made. Of many
 * runs: a curve and a row for each point of the grid, over its seeds. */
#include "cli/train.h"
#include "base/json.h"
#include "plot/plot.h"
#include <golgi/rows.h>
#include <math.h>
#include <stdio.h>

typedef struct history {
    int64_t n;
    double *epoch, *train, *val, *score; /* (n,) */
    const char *score_name;
} history;

static void free_history(history *h, gg_context *ctx)
{
    gg_drop(ctx, h->epoch);
    gg_drop(ctx, h->train);
    gg_drop(ctx, h->val);
    gg_drop(ctx, h->score);
}

static gg_status read_history(history *h, gg_context *ctx, const char *folder)
{
    gg_str path = {.ctx = ctx};
    gg_rows *in = NULL;
    json_t *row;
    int64_t cap = 0;
    gg_str_printf(&path, "%s/log.jsonl", folder);
    gg_status s = path.failed ? GG_ENOMEM : gg_rows_open(&in, ctx, path.data);
    while (s == GG_OK && (s = gg_rows_next(in, &row)) == GG_OK) {
        if (h->n == cap) {
            double **list[] = {&h->epoch, &h->train, &h->val, &h->score};
            cap = cap ? 2 * cap : 256;
            for (int i = 0; i < 4 && s == GG_OK; i++) {
                double *more = gg_renew(ctx, *list[i], double, cap);
                if (more)
                    *list[i] = more;
                else
                    s = GG_ENOMEM;
            }
        }
        if (s == GG_OK) {
            h->score_name = json_object_get(row, "val_accuracy") ? "accuracy" : json_object_get(row, "val_r2") ? "R2" : NULL;
            const json_t *val = json_object_get(row, "val_loss"),
                         *score = json_object_get(row, h->score_name && *h->score_name == 'a' ? "val_accuracy" : "val_r2");
            h->epoch[h->n] = json_number_value(json_object_get(row, "epoch"));
            h->train[h->n] = json_number_value(json_object_get(row, "train_loss"));
            h->val[h->n] = json_is_number(val) ? json_number_value(val) : NAN;
            h->score[h->n++] = json_is_number(score) ? json_number_value(score) : NAN;
        }
        json_decref(row);
    }
    gg_rows_close(in);
    gg_str_free(&path);
    return s == GG_END ? GG_OK : s;
}

static bool all_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

/* FOLDER/loss and FOLDER/score, as .svg and .png. GG_EUNSUPPORTED: no gnuplot. */
static gg_status draw(gg_context *ctx, const char *folder, const history *h, bool *has_score)
{
    gg_str path = {.ctx = ctx};
    const bool val = all_finite(h->val, h->n);
    bool log_scale = true;
    for (int64_t i = 0; i < h->n; i++)
        log_scale &= h->train[i] > 0 && (!val || h->val[i] > 0);
    const gg_plot_series loss[2] = {{"training", h->epoch, h->train, h->n, true}, {"validation", h->epoch, h->val, h->n, true}};
    const gg_plot_series score = {h->score_name, h->epoch, h->score, h->n, true};
    gg_str_printf(&path, "%s/loss", folder);
    gg_status s = path.failed ? GG_ENOMEM
                              : gg_plot_curves(ctx, path.data, "Loss", loss, val ? 2 : 1, &(gg_plot_axis){"epoch", false}, &(gg_plot_axis){"loss", log_scale});
    *has_score = val && h->score_name && all_finite(h->score, h->n);
    path.len = 0;
    gg_str_printf(&path, "%s/score", folder);
    if (s == GG_OK && *has_score)
        s = path.failed ? GG_ENOMEM
                        : gg_plot_curves(ctx, path.data, "Validation", &score, 1, &(gg_plot_axis){"epoch", false}, &(gg_plot_axis){h->score_name, false});
    gg_str_free(&path);
    return s;
}

static void score_table(gg_report *r, const json_t *result)
{
    const char *const columns[] = {"score", "validation", "test"};
    const bool numbers[] = {false, true, true};
    const json_t *part[] = {json_object_get(result, "validation"), json_object_get(result, "test")};
    gg_report_table_begin(r, "Scores of the best epoch", columns, numbers, 3);
    for (int k = 0; k < GG_METRICS; k++) {
        char text[2][32];
        const char *name = gg_metric_name((gg_metric)k);
        const char *cell[3] = {name, "", ""};
        bool any = false;
        for (int i = 0; i < 2; i++) {
            const json_t *v = json_object_get(part[i], name);
            if (!v)
                continue;
            snprintf(text[i], sizeof text[i], "%.4f", json_number_value(v));
            cell[i + 1] = text[i];
            any = true;
        }
        if (any)
            gg_report_table_row(r, cell);
    }
    gg_report_table_end(r);
}

static void confusion_table(gg_report *r, const json_t *result)
{
    enum { MOST = 40 };
    const json_t *count = json_object_get(result, "confusion"), *classes = json_object_get(result, "classes");
    const size_t n = json_array_size(count);
    const char *column[MOST + 1] = {"is, predicted as"};
    bool number[MOST + 1] = {false};
    if (n == 0 || n > MOST)
        return;
    for (size_t k = 0; k < n; k++) {
        column[k + 1] = json_string_value(json_array_get(classes, k));
        number[k + 1] = true;
    }
    gg_report_table_begin(r, "Confusion matrix of the test part", column, number, (int)n + 1);
    for (size_t i = 0; i < n; i++) {
        char text[MOST][24];
        const char *cell[MOST + 1] = {column[i + 1]};
        for (size_t k = 0; k < n; k++) {
            snprintf(text[k], sizeof text[k], "%lld", (long long)json_integer_value(json_array_get(json_array_get(count, i), k)));
            cell[k + 1] = text[k];
        }
        gg_report_table_row(r, cell);
    }
    gg_report_table_end(r);
}

static void facts(gg_report *r, gg_context *ctx, const json_t *result, const char *command)
{
    static const char *const whole[] = {"seed", "parameters", "epochs", "best_epoch", "steps"};
    gg_str s = {.ctx = ctx};
    gg_str config = {.ctx = ctx};
    gg_json_write(&config, json_object_get(result, "config"), 0);
    gg_report_fact(r, "command", command);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        s.len = 0;
        gg_str_printf(&s, "%lld", (long long)json_integer_value(json_object_get(result, whole[i])));
        gg_report_fact(r, whole[i], s.failed ? "" : s.data);
    }
    const json_t *n = json_object_get(result, "samples");
    s.len = 0;
    gg_str_printf(&s, "%lld to train on, %lld for validation, %lld for the test", (long long)json_integer_value(json_object_get(n, "train")),
                  (long long)json_integer_value(json_object_get(n, "validation")), (long long)json_integer_value(json_object_get(n, "test")));
    gg_report_fact(r, "samples", s.failed ? "" : s.data);
    s.len = 0;
    gg_str_printf(&s, "%.1f s", json_number_value(json_object_get(result, "seconds")));
    gg_report_fact(r, "time of training", s.failed ? "" : s.data);
    gg_report_fact(r, "configuration", config.failed ? "" : config.data);
    gg_report_fact(r, "version", gg_version());
    gg_str_free(&config);
    gg_str_free(&s);
}

static void headline(gg_str *s, const json_t *result)
{
    const json_t *test = json_object_get(result, "test"), *part = test ? test : json_object_get(result, "validation");
    const json_t *accuracy = json_object_get(part, "accuracy"), *r2 = json_object_get(part, "r2");
    const char *where = test ? "test" : "validation";
    if (json_object_get(part, "perplexity"))
        gg_str_printf(s, "The perplexity is %.2f on %lld %s samples.", json_number_value(json_object_get(part, "perplexity")),
                      (long long)json_integer_value(json_object_get(part, "samples")), where);
    else if (accuracy)
        gg_str_printf(s, "%.1f %% of %lld %s samples are told right.", 100 * json_number_value(accuracy),
                      (long long)json_integer_value(json_object_get(part, "samples")), where);
    else if (r2)
        gg_str_printf(s, "R2 is %.3f on %lld %s samples.", json_number_value(r2), (long long)json_integer_value(json_object_get(part, "samples")), where);
    else
        gg_str_printf(s, "The loss of training fell to %.4g.", json_number_value(json_object_get(result, "train_loss")));
}

gg_status gg__train_report(gg_context *ctx, const char *folder, const json_t *result, const char *command)
{
    history h = {0};
    gg_report *r = NULL;
    gg_str path = {.ctx = ctx}, head = {.ctx = ctx};
    bool has_score = false;
    gg_status s = read_history(&h, ctx, folder), drawn = GG_OK;
    headline(&head, result);
    if (s == GG_OK)
        drawn = draw(ctx, folder, &h, &has_score);
    if (drawn != GG_OK && drawn != GG_EUNSUPPORTED)
        s = drawn;
    else if (drawn == GG_EUNSUPPORTED)
        gg_log(ctx, GG_LOG_WARNING, "no curves: %s", gg_message(ctx));
    if (s == GG_OK)
        s = head.failed ? GG_ENOMEM : gg_report_create(&r, ctx, "golgi train", head.data);
    if (s == GG_OK)
        gg_report_section(r, "How it was learned", NULL);
    for (int i = 0; i < (has_score ? 2 : 1) && s == GG_OK && drawn == GG_OK; i++) {
        path.len = 0;
        gg_str_printf(&path, "%s/%s.svg", folder, i ? "score" : "loss");
        s = path.failed ? GG_ENOMEM
                        : gg_report_figure(r, path.data,
                                           i ? "The score on validation data after each epoch."
                                             : "The mean loss of each epoch, on the samples it learned from and on others.");
    }
    if (s == GG_OK) {
        gg_report_section(r, "How good it is", NULL);
        score_table(r, result);
        confusion_table(r, result);
        facts(r, ctx, result, command);
        path.len = 0;
        gg_str_printf(&path, "%s/report.html", folder);
        s = path.failed ? GG_ENOMEM : gg_report_commit(r, path.data);
        if (!path.failed)
            r = NULL;
    }
    gg_report_discard(r);
    free_history(&h, ctx);
    gg_str_free(&path);
    gg_str_free(&head);
    return s;
}

/* --- many runs ------------------------------------------------------------------------------------------------------------------------ */
enum { MOST_CURVES = 6 };

/* The mean over a point's seeds of the loss that is watched, as far as all of them went. */
static gg_status mean_curve(history *out, gg_context *ctx, const json_t *runs, int64_t first, int64_t seeds)
{
    gg_status s = GG_OK;
    for (int64_t k = 0; k < seeds && s == GG_OK; k++) {
        history one = {0};
        const char *folder = json_string_value(json_object_get(json_array_get(runs, (size_t)(first + k)), "folder"));
        s = read_history(&one, ctx, folder);
        const double *loss = all_finite(one.val, one.n) ? one.val : one.train;
        if (s == GG_OK && k == 0) {
            if (loss == one.train)
                memcpy(one.val, one.train, (size_t)one.n * sizeof *one.val);
            *out = one;
            continue;
        }
        out->n = one.n < out->n ? one.n : out->n;
        for (int64_t i = 0; i < out->n && s == GG_OK; i++)
            out->val[i] += (loss[i] - out->val[i]) / (double)(k + 1);
        free_history(&one, ctx);
    }
    return s;
}

static gg_status draw_points(gg_context *ctx, const char *path, const json_t *result, int *n_drawn)
{
    const json_t *runs = json_object_get(result, "runs"), *points = json_object_get(result, "points");
    history h[MOST_CURVES] = {{0}};
    gg_plot_series series[MOST_CURVES];
    gg_status s = GG_OK;
    int64_t first = 0;
    int n = 0;
    bool log_scale = true;
    for (; n < MOST_CURVES && n < (int)json_array_size(points) && s == GG_OK; n++) {
        const json_t *p = json_array_get(points, (size_t)n);
        const int64_t seeds = (int64_t)json_integer_value(json_object_get(p, "seeds"));
        s = mean_curve(&h[n], ctx, runs, first, seeds);
        first += seeds;
        series[n] = (gg_plot_series){json_string_value(json_object_get(p, "name")), h[n].epoch, h[n].val, h[n].n, true};
        for (int64_t i = 0; i < h[n].n; i++)
            log_scale &= h[n].val[i] > 0;
    }
    if (s == GG_OK)
        s = gg_plot_curves(ctx, path, "Loss, mean over seeds", series, n, &(gg_plot_axis){"epoch", false}, &(gg_plot_axis){"loss", log_scale});
    for (int i = 0; i < MOST_CURVES; i++)
        free_history(&h[i], ctx);
    *n_drawn = n;
    return s;
}

/* A row a point: mean +- sd of the scores that people ask for first. */
static void points_table(gg_report *r, const json_t *points)
{
    static const char *const scores[] = {"test accuracy", "test f1_macro",       "test auroc",    "test r2",        "test mae",
                                         "test loss",     "validation accuracy", "validation r2", "validation loss"};
    enum { N = sizeof scores / sizeof *scores };
    const json_t *first = json_object_get(json_array_get(points, 0), "scores");
    const char *column[N + 1] = {"point"};
    bool number[N + 1] = {false};
    int which[N], n = 0;
    size_t i;
    json_t *p;
    for (int k = 0; k < N; k++)
        if (json_object_get(first, scores[k])) {
            which[n++] = k;
            column[n] = scores[k];
            number[n] = true;
        }
    gg_report_table_begin(r, "Scores, mean and standard deviation over seeds", column, number, n + 1);
    json_array_foreach ((json_t *)points, i, p) {
        char text[N][48];
        const char *name = json_string_value(json_object_get(p, "name")), *cell[N + 1] = {*name ? name : "all seeds"};
        for (int k = 0; k < n; k++) {
            const json_t *v = json_object_get(json_object_get(p, "scores"), scores[which[k]]);
            snprintf(text[k], sizeof text[k], "%.4f +- %.4f", json_number_value(json_object_get(v, "mean")), json_number_value(json_object_get(v, "sd")));
            cell[k + 1] = v ? text[k] : NULL;
        }
        gg_report_table_row(r, cell);
    }
    gg_report_table_end(r);
}

gg_status gg__many_report(gg_context *ctx, const char *folder, const json_t *result, const char *command)
{
    const json_t *points = json_object_get(result, "points"), *runs = json_object_get(result, "runs");
    gg_report *r = NULL;
    gg_str path = {.ctx = ctx}, head = {.ctx = ctx}, caption = {.ctx = ctx};
    int n = 0;
    gg_str config = {.ctx = ctx};
    gg_json_write(&config, json_object_get(json_array_get(runs, 0), "config"), 0);
    gg_str_printf(&path, "%s/loss", folder);
    gg_str_printf(&head, "%zu runs: %zu points, %lld seeds each.", json_array_size(runs), json_array_size(points),
                  (long long)json_integer_value(json_object_get(json_array_get(points, 0), "seeds")));
    gg_status s = path.failed || head.failed ? GG_ENOMEM : GG_OK, drawn = s == GG_OK ? draw_points(ctx, path.data, result, &n) : s;
    if (drawn == GG_EUNSUPPORTED)
        gg_log(ctx, GG_LOG_WARNING, "no curves: %s", gg_message(ctx));
    else
        s = drawn;
    gg_str_printf(&caption, "The loss on validation data (on the training part where there are none) after each epoch%s.",
                  (size_t)n < json_array_size(points) ? ", of the first points" : "");
    gg_str_puts(&path, ".svg");
    if (s == GG_OK && (s = path.failed || caption.failed ? GG_ENOMEM : gg_report_create(&r, ctx, "golgi train", head.data)) == GG_OK) {
        gg_report_section(r, "Which was best", NULL);
        points_table(r, points);
        if (drawn == GG_OK)
            s = gg_report_figure(r, path.data, caption.data);
    }
    path.len = 0;
    gg_str_printf(&path, "%s/report.html", folder);
    if (s == GG_OK && (s = path.failed ? GG_ENOMEM : GG_OK) == GG_OK) {
        gg_report_fact(r, "command", command);
        gg_report_fact(r, "configuration of the first run", config.failed ? "" : config.data);
        gg_report_fact(r, "version", gg_version());
        s = gg_report_commit(r, path.data);
        r = NULL;
    }
    gg_report_discard(r);
    gg_str_free(&config);
    gg_str_free(&path);
    gg_str_free(&head);
    gg_str_free(&caption);
    return s;
}
