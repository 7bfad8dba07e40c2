/* Many runs of one configuration: all points of a grid, several seeds each, side by side on the cores.
 *
 * A run is one thread with a context of its own, so it gives the bits that it gives alone. The data are read once and shared. Each run has a folder,
 * DIR/[POINT/]seed-K; what lies finished there is taken as it is, what lies begun is gone on with.
 */
#include "cli/train.h"
#include "base/file.h"
#include "base/json.h"
#include "base/work.h"
#include "nn/trainer.h"
#include <golgi/rows.h>
#include <math.h>
#include <stdio.h>

enum { MAX_GRID = 16, MAX_RUNS = 100000 };

typedef struct axis {
    const char *name;      /* "optimizer.lr" */
    size_t n_name;
    const char *value;     /* "0.1,0.01" */
    int n;
} axis;

typedef struct one {
    char *point, *folder;  /* "optimizer.lr=0.1", "" without a grid */
    char **change;         /* (n_change,) */
    int n_change;
    int64_t seed;
    json_t *result;
    bool finished;
} one;

typedef struct many {
    gg_context *ctx, *pool;
    const gg__many *m;
    gg_trainer *like;
    gg_progress *progress;
    axis axis[MAX_GRID];
    one *run;              /* (n,) */
    int64_t n, points;
} many;

/* The comma behind a value, or its end: commas in brackets are the value's own, as in optimizer.betas=[0.9,0.99]. */
static const char *end_of_value(const char *s)
{
    int depth = 0;
    for (; *s && (*s != ',' || depth > 0); s++)
        depth += *s == '[' || *s == '{' ? 1 : (*s == ']' || *s == '}') && depth > 0 ? -1 : 0;
    return s;
}

static const char *nth_value(const axis *a, int64_t i, size_t *n)
{
    const char *s = a->value;
    for (; i > 0; i--)
        s = end_of_value(s) + 1;
    *n = (size_t)(end_of_value(s) - s);
    return s;
}

static gg_status read_axes(many *w)
{
    w->points = 1;
    if (w->m->n_grid > MAX_GRID)
        return gg_fail(w->ctx, GG_EINVAL, "--grid: at most %d axes", MAX_GRID);
    for (int i = 0; i < w->m->n_grid; i++) {
        const char *text = w->m->grid[i], *equal = strchr(text, '=');
        if (!equal || equal == text || !equal[1])
            return gg_fail(w->ctx, GG_EINVAL, "--grid %s: NAME=VALUE,VALUE,... is needed, as optimizer.lr=0.1,0.01", text);
        axis *a = &w->axis[i];
        *a = (axis){.name = text, .n_name = (size_t)(equal - text), .value = equal + 1, .n = 1};
        if (a->n_name == strlen("training.seed") && strncmp(a->name, "training.seed", a->n_name) == 0)
            return gg_fail(w->ctx, GG_EINVAL, "--grid %s: seeds are given by --seeds N, from training.seed on", text);
        for (const char *s = a->value; *(s = end_of_value(s)); s++)
            a->n++;
        for (int k = 0; k < a->n; k++) {
            size_t n;
            nth_value(a, k, &n);
            if (n == 0)
                return gg_fail(w->ctx, GG_EINVAL, "--grid %s: value %d is empty", text, k + 1);
        }
        w->points *= a->n;
        if (w->points > MAX_RUNS)
            return gg_fail(w->ctx, GG_EINVAL, "--grid: more than %d points", MAX_RUNS);
    }
    w->n = w->points * w->m->seeds;
    return w->n <= MAX_RUNS ? GG_OK : gg_fail(w->ctx, GG_EINVAL, "%lld runs: at most %d", (long long)w->n, MAX_RUNS);
}

static char *finish(gg_str *s)
{
    if (s->failed || !s->data) {
        gg_str_free(s);
        return NULL;
    }
    char *text = gg_strdup(s->ctx, s->data);
    gg_str_free(s);
    return text;
}

static gg_status describe_run(many *w, one *r, int64_t point, int64_t seed)
{
    gg_str name = {.ctx = w->ctx}, folder = {.ctx = w->ctx};
    const gg__run *base = &w->m->base;
    r->seed = seed;
    r->n_change = base->n_set + w->m->n_grid + 1;
    if (!(r->change = gg_new(w->ctx, char *, r->n_change)))
        return GG_ENOMEM;
    for (int i = 0; i < base->n_set; i++)
        if (!(r->change[i] = gg_strdup(w->ctx, base->set[i])))
            return GG_ENOMEM;
    gg_str_puts(&name, "");
    for (int i = w->m->n_grid - 1; i >= 0; i--) { /* the last axis turns fastest */
        const axis *a = &w->axis[i];
        size_t n;
        gg_str change = {.ctx = w->ctx};
        const char *value = nth_value(a, point % a->n, &n);
        point /= a->n;
        gg_str_printf(&change, "%.*s=%.*s", (int)a->n_name, a->name, (int)n, value);
        if (!(r->change[base->n_set + i] = finish(&change)))
            return GG_ENOMEM;
    }
    for (int i = 0; i < w->m->n_grid; i++)
        gg_str_printf(&name, "%s%s", i ? "," : "", r->change[base->n_set + i]);
    for (char *c = name.data; c && *c; c++)
        *c = *c == '/' ? '_' : *c;
    if (!(r->point = finish(&name)))
        return GG_ENOMEM;
    gg_str_printf(&folder, "training.seed=%lld", (long long)seed);
    r->change[r->n_change - 1] = finish(&folder);
    gg_str_printf(&folder, "%s%s%s/seed-%lld", base->folder, *r->point ? "/" : "", r->point, (long long)seed);
    r->folder = finish(&folder);
    return r->folder && r->change[r->n_change - 1] ? GG_OK : GG_ENOMEM;
}

static gg_status run_one(void *user, int64_t i, int worker)
{
    many *w = user;
    one *r = &w->run[i];
    gg_context *ctx = NULL;
    (void)worker;
    if (gg_context_stopped(w->ctx))
        return gg_fail(w->pool, GG_EINTR, "stopped; what is done is kept, and the same command goes on from there");
    GG_TRY(gg_context_create(&ctx, &(gg_context_options){.n_threads = 1, .seed = gg_context_seed(w->ctx)}));
    gg__run run = {.config = w->m->base.config,
                   .folder = r->folder,
                   .set = (const char *const *)r->change,
                   .n_set = r->n_change,
                   .like = w->like,
                   .n_threads = 1,
                   .parent = w->ctx};
    const gg_status s = gg__train_one(&r->result, ctx, &run);
    r->finished = run.finished;
    if (s != GG_OK) { /* what fails in the data that all share is told on their context */
        const char *said = *gg_message(ctx) ? gg_message(ctx) : gg_message(w->ctx);
        gg_fail(w->pool, s, "%s: %s", r->folder, *said ? said : gg_status_text(s));
    }
    gg_context_free(ctx);
    if (r->finished)
        gg_progress_before(w->progress, 1);
    else
        gg_progress_add(w->progress, 1);
    return s;
}

/* --- the summary --------------------------------------------------------------------------------------------------------------------------------------- */
static json_t *spread(const double *x, int64_t n)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    return json_pack("{s:f, s:f, s:o}", "mean", mean, "sd", n > 1 ? sqrt(square / (double)(n - 1)) : 0.0, "values",
                     gg__json_numbers(x, n));
}

/* A point's scores over its seeds: those of the test part, or else of the validation part, that every run has. */
static json_t *point_json(const many *w, int64_t point)
{
    const one *first = &w->run[point * w->m->seeds];
    json_t *scores = json_object();
    double *x = gg_new(w->ctx, double, w->m->seeds);
    for (int part = 0; part < 2 && x; part++) {
        const char *name = part ? "test" : "validation";
        for (int k = 0; k < GG_METRICS; k++) {
            int64_t n = 0;
            char key[64];
            for (int64_t i = 0; i < w->m->seeds; i++) {
                const json_t *v = json_object_get(json_object_get(first[i].result, name), gg_metric_name((gg_metric)k));
                if (v)
                    x[n++] = json_number_value(v);
            }
            snprintf(key, sizeof key, "%s %s", name, gg_metric_name((gg_metric)k));
            if (n == w->m->seeds)
                gg_json_put(&scores, key, spread(x, n));
        }
    }
    if (!x) {
        json_decref(scores);
        return NULL;
    }
    gg_drop(w->ctx, x);
    return json_pack("{s:s, s:I, s:o}", "name", first->point, "seeds", (json_int_t)w->m->seeds, "scores", scores);
}

static gg_status write_table(const many *w)
{
    gg_str path = {.ctx = w->ctx};
    gg_rows_writer *out = NULL;
    gg_str_printf(&path, "%s/summary.csv", w->m->base.folder);
    gg_status s = path.failed ? GG_ENOMEM : gg_rows_writer_open(&out, w->ctx, path.data);
    for (int64_t i = 0; i < w->n && s == GG_OK; i++) {
        const one *r = &w->run[i];
        json_t *row =
            json_pack("{s:s, s:I, s:O, s:O, s:O}", "point", r->point, "seed", (json_int_t)r->seed, "best_epoch", json_object_get(r->result, "best_epoch"),
                      "train_loss", json_object_get(r->result, "train_loss"), "seconds", json_object_get(r->result, "seconds"));
        for (int part = 0; part < 2; part++) {
            const char *name = part ? "test" : "validation";
            for (int k = 1; k < GG_METRICS + 1; k++) {
                char key[64];
                const json_t *v = json_object_get(json_object_get(w->run[0].result, name), gg_metric_name((gg_metric)(k - 1)));
                snprintf(key, sizeof key, "%s_%s", name, gg_metric_name((gg_metric)(k - 1)));
                if (v && (v = json_object_get(json_object_get(r->result, name), gg_metric_name((gg_metric)(k - 1)))))
                    gg_json_put(&row, key, json_incref((json_t *)v));
            }
        }
        s = row ? gg_rows_writer_add(out, row) : gg_fail(w->ctx, GG_ENOMEM, "out of memory for the summary");
        json_decref(row);
    }
    if (s == GG_OK)
        s = gg_rows_writer_commit(out);
    else
        gg_rows_writer_discard(out);
    gg_str_free(&path);
    return s;
}

static gg_status summarise(json_t **result, const many *w)
{
    json_t *runs = json_array(), *points = json_array();
    int64_t before = 0;
    for (int64_t i = 0; i < w->n; i++) {
        gg_json_add(&runs, json_incref(w->run[i].result));
        before += w->run[i].finished;
    }
    for (int64_t p = 0; p < w->points; p++)
        gg_json_add(&points, point_json(w, p));
    *result = json_pack("{s:s, s:I, s:o, s:o}", "folder", w->m->base.folder, "done_before", (json_int_t)before, "points", points, "runs", runs);
    if (!*result)
        return gg_fail(w->ctx, GG_ENOMEM, "out of memory for the summary");
    gg_str path = {.ctx = w->ctx};
    gg_str_printf(&path, "%s/summary.json", w->m->base.folder);
    gg_status s = path.failed ? GG_ENOMEM : gg_json_write_file(w->ctx, path.data, *result, 2);
    gg_str_free(&path);
    return s == GG_OK ? write_table(w) : s;
}

static void release(many *w)
{
    for (int64_t i = 0; i < w->n && w->run; i++) {
        for (int k = 0; k < w->run[i].n_change && w->run[i].change; k++)
            gg_drop(w->ctx, w->run[i].change[k]);
        gg_drop(w->ctx, w->run[i].change);
        gg_drop(w->ctx, w->run[i].point);
        gg_drop(w->ctx, w->run[i].folder);
        json_decref(w->run[i].result);
    }
    gg_drop(w->ctx, w->run);
    gg_progress_free(w->progress);
    gg_trainer_free(w->like);
    gg_context_free(w->pool);
}

gg_status gg__train_many(json_t **result, gg_context *ctx, const gg_command *c, const gg__many *m)
{
    many w = {.ctx = ctx, .m = m};
    *result = NULL;
    GG_TRY(read_axes(&w));
    const int jobs = m->jobs > 0 ? (int)m->jobs : gg_context_threads(ctx);
    gg_status s = gg_trainer_open(&w.like, ctx, m->base.config, &(gg_trainer_options){.set = m->base.set, .n_set = m->base.n_set});
    if (s == GG_OK && !(w.run = gg_new(ctx, one, w.n)))
        s = GG_ENOMEM;
    const int64_t first = s == GG_OK ? (int64_t)gg_trainer_plan(w.like)->seed : 0;
    for (int64_t i = 0; i < w.n && s == GG_OK; i++)
        s = describe_run(&w, &w.run[i], i / m->seeds, first + i % m->seeds);
    if (s == GG_OK && (s = gg_file_mkdirs(ctx, m->base.folder)) == GG_OK)
        s = gg_command_progress(&w.progress, c, ctx, gg__name_of(m->base.config), "runs", w.n);
    if (s == GG_OK)
        s = gg_context_create(&w.pool, &(gg_context_options){.n_threads = jobs < w.n ? jobs : (int)w.n});
    if (s == GG_OK && (s = gg_parallel(w.pool, w.n, run_one, &w)) != GG_OK)
        gg_fail(ctx, s, "%s", gg_message(w.pool));
    if (s == GG_OK && (s = summarise(result, &w)) == GG_OK && m->base.report)
        s = gg__many_report(ctx, m->base.folder, *result, m->base.command);
    release(&w);
    return s;
}
