/* golgi eval and golgi predict: a net that golgi train made, on other data. */
#include "cli/train.h"
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/lock.h"
#include "base/work.h"
#include "io/stream.h"
#include <golgi/metrics.h>
#include <golgi/rows.h>
#include <golgi/tensors.h>
#include <math.h>
#include <stdio.h>

#define OPTIONS(model, parameters) \
    {"Input", "model", GG_OPT_TEXT, &(model), "DIR", "the folder that golgi train wrote", NULL, true, 0, 0}, \
    {NULL, "parameters", GG_OPT_TEXT, &(parameters), "P.safetensors", "other parameters than the best epoch's: DIR/last.safetensors", NULL, false, 0, 0}

/* --- golgi eval ------------------------------------------------------------------------------------------------------------------------------------------ */
/* Precision, recall and F1 of each class, from the confusion matrix. */
static json_t *classes_json(gg_context *ctx, const int64_t *count, int64_t n, const char *const *name)
{
    gg_confusion *c = NULL;
    if (gg_confusion_create(&c, ctx, n) != GG_OK || gg_confusion_add_counts(c, count) != GG_OK) {
        gg_confusion_free(c);
        return NULL;
    }
    json_t *list = json_array();
    for (int64_t k = 0; k < n; k++) {
        const gg_class_quality q = gg_confusion_class(c, k);
        gg_json_add(&list, json_pack("{s:s, s:f, s:f, s:f, s:I}", "class", name[k], "precision", q.precision, "recall", q.recall, "f1", q.f1, "samples",
                                      (json_int_t)q.support));
    }
    gg_confusion_free(c);
    return list;
}

static void print_classes(FILE *to, const json_t *classes)
{
    size_t i;
    json_t *c;
    fprintf(to, "\n  %-18s%12s%12s%12s%12s\n", "class", "precision", "recall", "f1", "samples");
    json_array_foreach ((json_t *)classes, i, c)
        fprintf(to, "  %-18.18s%12.4f%12.4f%12.4f%12.0f\n", json_string_value(json_object_get(c, "class")), json_number_value(json_object_get(c, "precision")),
                json_number_value(json_object_get(c, "recall")), json_number_value(json_object_get(c, "f1")), json_number_value(json_object_get(c, "samples")));
}

static gg_status evaluate(gg_context *ctx, const gg_command *c, const char *folder, const char *parameters, const char *path)
{
    gg_trained *m = NULL;
    gg_data *data = NULL;
    gg_scores scores;
    const char *const *name = NULL;
    int64_t *confusion = NULL;
    gg_status s = gg_trained_open(&m, ctx, folder, parameters);
    if (s == GG_OK)
        s = gg_trained_data(&data, m, path, true);
    const int64_t n = s == GG_OK ? gg_trained_classes(m, &name) : 0;
    if (s == GG_OK && n > 0 && n <= 1000 && !(confusion = gg_new(ctx, int64_t, n * n)))
        s = GG_ENOMEM;
    if (s == GG_OK) {
        gg_trained_options(m)->n_threads = gg_context_threads(ctx);
        s = gg_net_scores(&scores, confusion, gg_trained_net(m), data, gg_trained_options(m));
    }
    json_t *j = s == GG_OK ? gg__scores_json(&scores) : NULL, *names = gg__json_texts(name, n);
    if (s == GG_OK && confusion) {
        gg_json_put(&j, "by_class", classes_json(ctx, confusion, n, name));
        gg_json_put(&j, "confusion", gg__confusion_json(confusion, n));
        gg_json_put(&j, "classes", json_incref(names));
    }
    if (s == GG_OK && !j)
        s = gg_fail(ctx, GG_ENOMEM, "out of memory for the scores");
    if (s == GG_OK && c->json) {
        s = gg_json_print(ctx, json_incref(j));
    } else if (s == GG_OK) {
        const json_t *column[] = {j};
        gg__scores_print(stdout, column, &(const char *){"value"}, 1);
        if (confusion) {
            print_classes(stdout, json_object_get(j, "by_class"));
            gg__confusion_print(stdout, json_object_get(j, "confusion"), json_object_get(j, "classes"));
        }
    }
    json_decref(j);
    json_decref(names);
    gg_drop(ctx, confusion);
    gg_data_free(data);
    gg_trained_free(m);
    return s;
}

int gg_cli_eval(int argc, char **argv)
{
    const char *model = NULL, *parameters = NULL, *data = NULL;
    const gg_option options[] = {
        OPTIONS(model, parameters),
        {NULL, "data", GG_OPT_TEXT, &data, "FILE", "data with targets, of the kind that the net was trained on", NULL, true, 0, 0},
    };
    gg_command c = {.name = "eval",
                    .sentence = "How good a trained net is on data: accuracy, F1, AUROC, calibration, confusion; of values R2 and errors.",
                    .example = "golgi eval --model runs/iris --data more.csv",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK)
        s = evaluate(ctx, &c, model, parameters, data);
    return gg_command_close(&c, ctx, s);
}

/* --- golgi predict ------------------------------------------------------------ */
/* A row a sample: its number, then class and the probability of each, or the values. */
static json_t *row_of(int64_t i, const float *p, int64_t width, const char *const *name, int64_t n_classes)
{
    json_t *row = json_pack("{s:I}", "sample", (json_int_t)i + 1);
    char key[300];
    if (n_classes > 0) {
        int32_t best = 0;
        if (width == 1)
            best = p[0] > 0.5f;
        else
            gg_argmax_rows(&best, p, 1, width);
        gg_json_put(&row, "class", json_string(name[best]));
        for (int64_t k = 0; k < n_classes; k++) {
            snprintf(key, sizeof key, "p_%s", name[k]);
            gg_json_put(&row, key, json_real(width == 1 ? (k ? (double)p[0] : 1 - (double)p[0]) : (double)p[k]));
        }
    } else {
        for (int64_t k = 0; k < width; k++) {
            snprintf(key, sizeof key, width == 1 ? "value" : "value_%lld", (long long)k + 1);
            gg_json_put(&row, key, json_real((double)p[k]));
        }
    }
    return row;
}

static gg_status write_rows(gg_context *ctx, const char *path, const float *p, int64_t n, int64_t width, const char *const *name, int64_t n_classes)
{
    gg_rows_writer *w = NULL;
    GG_TRY(gg_rows_writer_open(&w, ctx, path));
    gg_status s = GG_OK;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        json_t *row = row_of(i, p + i * width, width, name, n_classes);
        s = row ? gg_rows_writer_add(w, row) : gg_fail(ctx, GG_ENOMEM, "out of memory for a row");
        json_decref(row);
    }
    if (s == GG_OK)
        return gg_rows_writer_commit(w);
    gg_rows_writer_discard(w);
    return s;
}

static gg_status write_array(gg_context *ctx, const char *path, const float *p, int64_t n, const gg_shape *one)
{
    int64_t shape[GG_MAX_DIMS] = {n};
    for (int i = 0; i < one->n && i + 1 < GG_MAX_DIMS; i++)
        shape[i + 1] = one->d[i];
    return gg_npy_write(ctx, path, GG_F32, one->n + 1, shape, p);
}

static gg_status predict(int64_t *n_out, gg_context *ctx, const char *folder, const char *parameters, const char *input, const char *output)
{
    gg_trained *m = NULL;
    gg_data *data = NULL;
    const char *const *name = NULL;
    float *p = NULL;
    gg_status s = gg_trained_open(&m, ctx, folder, parameters);
    if (s == GG_OK && gg_trained_target(m) == GG_TARGET_TOKEN)
        s = gg_fail(ctx, GG_EUNSUPPORTED, "%s tells next tokens: golgi eval judges it", folder);
    if (s == GG_OK)
        s = gg_trained_data(&data, m, input, false);
    const int64_t n = s == GG_OK ? gg_data_describe(data)->n : 0, n_classes = s == GG_OK ? gg_trained_classes(m, &name) : 0;
    const gg_shape one = s == GG_OK ? gg_net_shape(gg_trained_net(m)) : GG_SCALAR;
    const int64_t width = one.n ? one.d[0] : 0;
    if (s == GG_OK && !(p = gg_new(ctx, float, gg_mul(n, width))))
        s = GG_ENOMEM;
    if (s == GG_OK) {
        gg_trained_options(m)->n_threads = gg_context_threads(ctx);
        s = gg_net_predict(p, gg_trained_net(m), data, gg_trained_options(m));
    }
    if (s == GG_OK)
        s = gg_name_ends(output, ".npy") ? write_array(ctx, output, p, n, &one) : write_rows(ctx, output, p, n, width, name, n_classes);
    *n_out = n;
    gg_drop(ctx, p);
    gg_data_free(data);
    gg_trained_free(m);
    return s;
}

int gg_cli_predict(int argc, char **argv)
{
    const char *model = NULL, *parameters = NULL, *input = NULL, *output = "-";
    int64_t n = 0;
    const gg_option options[] = {
        OPTIONS(model, parameters),
        {NULL, "input", GG_OPT_TEXT, &input, "FILE", "data of the kind that the net was trained on; targets need not be there", NULL, true, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "P", "a row a sample, as .csv .jsonl .parquet; .npy: the numbers; - : JSONL", NULL, false, 0, 0},
    };
    gg_command c = {.name = "predict",
                    .sentence = "What a trained net says of each sample: its class with all probabilities, or its values.",
                    .example = "golgi predict --model runs/iris --input more.csv --output said.csv",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_lock *lock = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, ctx, output)) == GG_OK &&
        (s = predict(&n, ctx, model, parameters, input, output)) == GG_OK) {
        if (c.json && strcmp(output, "-") != 0) {
            s = gg_json_print(ctx, json_pack("{s:s, s:I}", "output", output, "samples", (json_int_t)n));
        } else if (!c.quiet && strcmp(output, "-") != 0) {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "%lld samples -> %s\n", (long long)n, output);
            gg_command_say_end(&c, to);
        }
    }
    gg_lock_free(lock);
    return gg_command_close(&c, ctx, s);
}
