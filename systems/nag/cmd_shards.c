/* golgi nag extract into a folder of units (--shard, a Slurm job array, --mpi), and golgi nag merge-shards.
 *
 * Which shard is ours: --shard i/N; else, inside a Slurm job array, (SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN) / SLURM_ARRAY_TASK_STEP of
 * SLURM_ARRAY_TASK_COUNT; else all of it. Trap: an array task that extracts a file of its own is no shard, so Slurm is asked only when
 * the output is a folder.
 */
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/ranks.h"
#include "base/work.h"
#include "math/roof.h"

enum { UNIT_BYTES = 64 << 20 };

/* --- words -------------------------------------------------------------------------------------------------------------------------- */
/* "3/16" */
static gg_status parse_shard(gg__nag_shard *out, gg_context *ctx, const char *text)
{
    int n = 0;
    int i = -1, of = -1;
    if (sscanf(text, "%d/%d%n", &i, &of, &n) != 2 || text[n] || of < 1 || i < 0 || i >= of)
        return gg_fail(ctx, GG_EINVAL, "--shard %s: i/N is expected, with i from 0 to N - 1 (0/4 1/4 2/4 3/4)", text);
    out->shard = i;
    out->n_shards = of;
    return GG_OK;
}

/* "64M" */
static gg_status parse_size(int64_t *out, gg_context *ctx, const char *text)
{
    char *end;
    const double x = strtod(text, &end);
    const char *const letters = "kKmMgGtT", *letter = *end ? strchr(letters, *end) : NULL;
    const double bytes = x * (letter ? (double)((int64_t)1 << (10 + (letter - letters) / 2 * 10)) : 1);
    if (end == text || (*end && !letter) || (letter && end[1]) || !(bytes >= 1 && bytes <= 1e15))
        return gg_fail(ctx, GG_EINVAL, "--unit-size %s: a number of bytes is expected, as 64M or 1G", text);
    *out = (int64_t)bytes;
    return GG_OK;
}

/* A number that Slurm tells a task, `absent` where it tells none. What is there and no number is refused: taken for absent, every task would do all. */
static gg_status slurm(int64_t *out, gg_context *ctx, const char *name, int64_t absent)
{
    const char *text = getenv(name);
    char *end;
    *out = absent;
    if (!text || !*text)
        return GG_OK;
    *out = strtoll(text, &end, 10);
    if (end == text || *end || *out < 0 || *out > INT32_MAX)
        return gg_fail(ctx, GG_EINVAL, "%s is \"%s\", and a number is expected; give --shard i/N", name, text);
    return GG_OK;
}

static gg_status shard_of_array(gg__nag_shard *out, gg_context *ctx)
{
    int64_t id, count, min, step;
    GG_TRY(slurm(&id, ctx, "SLURM_ARRAY_TASK_ID", -1));
    GG_TRY(slurm(&count, ctx, "SLURM_ARRAY_TASK_COUNT", -1));
    GG_TRY(slurm(&min, ctx, "SLURM_ARRAY_TASK_MIN", 0));
    GG_TRY(slurm(&step, ctx, "SLURM_ARRAY_TASK_STEP", 1));
    if (id < 0)
        return GG_OK;
    if (count < 0)
        return gg_fail(ctx, GG_EINVAL, "SLURM_ARRAY_TASK_ID is %lld, of how many SLURM_ARRAY_TASK_COUNT does not say; give --shard i/N", (long long)id);
    if (step < 1)
        step = 1;
    const int64_t i = (id - min) / step;
    if (id < min || (id - min) % step || i >= count)
        return gg_fail(ctx, GG_EINVAL, "task %lld of a Slurm array of %lld tasks from %lld on: the numbers have gaps, so they name no shards; give --shard i/N",
                       (long long)id, (long long)count, (long long)min);
    out->shard = (int32_t)i;
    out->n_shards = (int32_t)count;
    return GG_OK;
}

gg_status gg__nag_shard_parse(gg__nag_shard *out, gg_context *ctx, const gg__nag_shard_words *w, const char *output)
{
    const size_t n = strlen(output);
    const bool folder = n > 0 && output[n - 1] == '/';
    *out = (gg__nag_shard){.units = folder || w->shard || w->mpi, .mpi = w->mpi, .n_shards = 1, .unit_bytes = UNIT_BYTES};
    if (out->units && !folder && !gg_file_is_folder(output) &&
        (strcmp(output, "-") == 0 || strchr(output + (strrchr(output, '/') ? strrchr(output, '/') - output : 0), '.')))
        return gg_fail(ctx, GG_EINVAL, "--output %s: units need a folder; write it %s/", output, strcmp(output, "-") == 0 ? "features" : output);
    if (!out->units && gg_file_is_folder(output))
        return gg_fail(ctx, GG_EINVAL, "%s is a folder. Name a file, or, for a folder of units, write it %s/", output, output);
    if (w->unit_size && !out->units)
        return gg_fail(ctx, GG_EINVAL, "--unit-size is of units, which need a folder: --output %s/", output);
    if (w->unit_size)
        GG_TRY(parse_size(&out->unit_bytes, ctx, w->unit_size));
    if (w->shard && w->mpi)
        return gg_fail(ctx, GG_EINVAL, "--shard and --mpi are two ways to share the work out; give one");
    if (w->shard)
        return parse_shard(out, ctx, w->shard);
    return out->units && !w->mpi ? shard_of_array(out, ctx) : GG_OK;
}

/* --- extraction ----------------------------------------------------------------------------------------------------------------------- */
typedef struct job {
    gg_command *c;
    gg_context *ctx;
    const gg__nag_run_words *w;
    const gg__nag_shard *shard;
    const gg_nag_source *source;
    const char *folder;
    gg_nag_extract_options o;
    gg_actions *actions;
    gg_model *m;
    gg_nag_plan *plan;
    gg_progress *p;
    gg_nag_shard_result r;
} job;

static void tell(const job *j, const char *who, double seconds)
{
    const gg_nag_shard_result *r = &j->r;
    char a[32], b[32], d[32];
    FILE *to = gg_command_say_begin(j->c);
    fprintf(to, "%s: %s of the input's %s units, %s documents", who, gg__nag_count_text(a, r->n_done), gg__nag_count_text(b, r->n_units),
            gg__nag_count_text(d, r->sum.n_documents));
    const int64_t ran = r->sum.n_documents - r->sum.n_reused;
    if (ran > 0 && seconds > 0)
        fprintf(to, "; %.1f s, %.1f docs/s", seconds, (double)ran / seconds);
    fprintf(to, " -> %s\n", j->folder);
    if (r->sum.n_reused)
        fprintf(to, "  %s of them were there before\n", gg__nag_count_text(a, r->sum.n_reused));
    gg__nag_tell_odd(to, &r->sum, 0);
    gg_command_say_end(j->c, to);
}

static gg_status tell_json(const job *j, double seconds)
{
    const gg_nag_shard_result *r = &j->r;
    json_t *t = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "output", j->folder, "n_units", (json_int_t)r->n_units, "n_mine",
                          (json_int_t)r->n_mine, "n_done", (json_int_t)r->n_done, "n_before", (json_int_t)r->n_before, "n_documents",
                          (json_int_t)r->sum.n_documents, "n_tokens", (json_int_t)r->sum.n_tokens, "n_empty", (json_int_t)r->sum.n_empty, "n_cut",
                          (json_int_t)r->sum.n_cut, "n_reused", (json_int_t)r->sum.n_reused, "seconds", seconds);
    return gg_json_print(j->ctx, t);
}

static gg_status open_plan(job *j)
{
    GG_TRY(gg__nag_open_model(&j->m, &j->actions, j->ctx, j->w));
    double roof = 0;
    j->o.actions = j->actions;
    j->o.progress = j->p;
    GG_TRY(gg_roof_show(j->p, &roof, j->ctx, gg_model_dtype(j->m)));
    return gg_nag_plan_open(&j->plan, j->ctx, j->m, j->source, j->folder, j->shard->unit_bytes, &j->o);
}

static gg_status by_shard(job *j)
{
    const double start = gg_time();
    char who[64];
    snprintf(who, sizeof who, j->shard->n_shards > 1 ? "shard %d/%d" : "units", j->shard->shard, j->shard->n_shards);
    GG_TRY(gg_command_progress(&j->p, j->c, j->ctx, who, "docs", -1));
    GG_TRY(open_plan(j));
    const gg_status st = gg_nag_plan_run_shard(&j->r, j->plan, j->shard->shard, j->shard->n_shards);
    gg_progress_free(j->p);
    j->p = NULL;
    if (st == GG_OK && j->c->json)
        return tell_json(j, gg_time() - start);
    if (st == GG_OK && !j->c->quiet)
        tell(j, who, gg_time() - start);
    return st;
}

/* --- ranks ------------------------------------------------------------------------------------------------------------------------------ */
enum { DOCUMENTS, TOKENS, EMPTY, CUT, REPAIRED, REUSED, BEFORE };

static gg_status run_unit(void *user, int64_t i, int64_t *facts)
{
    job *j = user;
    gg_nag_extract_result r;
    if (i >= gg_nag_plan_units(j->plan))
        return gg_fail(j->ctx, GG_EMISMATCH, "this rank sees %lld units and rank 0 more: do all machines see the same files?",
                       (long long)gg_nag_plan_units(j->plan));
    GG_TRY(gg_nag_plan_run(&r, j->plan, i));
    facts[DOCUMENTS] = r.n_documents;
    facts[TOKENS] = r.n_tokens;
    facts[EMPTY] = r.n_empty;
    facts[CUT] = r.n_cut;
    facts[REPAIRED] = r.n_repaired;
    facts[REUSED] = r.n_reused;
    facts[BEFORE] = r.n_reused == r.n_documents;
    return GG_OK;
}

static void count_unit(void *user, int64_t i, const int64_t *facts)
{
    job *j = user;
    (void)i;
    const gg_nag_extract_result r = {.n_documents = facts[DOCUMENTS], .n_tokens = facts[TOKENS], .n_empty = facts[EMPTY], .n_cut = facts[CUT],
                                     .n_repaired = facts[REPAIRED], .n_reused = facts[REUSED]};
    gg__nag_result_add(&j->r.sum, &r);
    j->r.n_done++;
    j->r.n_before += facts[BEFORE];
    gg_progress_add(j->p, 1);
}

static gg_status by_ranks(job *j)
{
    const double start = gg_time();
    gg_ranks *ranks = NULL;
    GG_TRY(gg_ranks_open(&ranks, j->ctx));
    const int self = gg_ranks_self(ranks), n = gg_ranks_count(ranks);
    gg_status st = GG_OK;
    if (self == 0) {
        st = gg_nag_plan_count(&j->r.n_units, j->ctx, j->source, j->shard->unit_bytes);
        if (st == GG_OK)
            st = gg_command_progress(&j->p, j->c, j->ctx, j->source->paths[0], "units", j->r.n_units);
        j->r.n_mine = j->r.n_units;
    }
    gg_progress *units = j->p; /* counts units, not the documents that a plan would add */
    j->p = NULL;
    if (st == GG_OK && (self > 0 || n == 1))
        st = open_plan(j);
    j->p = units;
    st = gg_ranks_share(ranks, st, j->r.n_units, &(gg_ranks_work){.run = run_unit, .done = count_unit, .user = j});
    gg_progress_free(j->p);
    j->p = NULL;
    if (st == GG_EINTR && self == 0)
        gg_fail(j->ctx, st, "stopped after %lld of %lld units; what was begun is kept in %s, and the same command goes on from there", (long long)j->r.n_done,
                (long long)j->r.n_units, j->folder);
    if (st == GG_OK && self == 0 && j->c->json)
        st = tell_json(j, gg_time() - start);
    else if (st == GG_OK && self == 0 && !j->c->quiet) {
        char who[64];
        snprintf(who, sizeof who, "%d rank%s", n, n == 1 ? "" : "s");
        tell(j, who, gg_time() - start);
    }
    gg_ranks_close(ranks);
    return st;
}

gg_status gg__nag_extract_units(gg_command *c, gg_context *ctx, const gg__nag_run_words *w, const gg__nag_shard *shard, const gg_nag_source *source,
                                const char *folder, const gg_nag_extract_options *o)
{
    job j = {.c = c, .ctx = ctx, .w = w, .shard = shard, .source = source, .folder = folder, .o = *o};
    const gg_status st = shard->mpi ? by_ranks(&j) : by_shard(&j);
    gg_nag_plan_close(j.plan);
    gg_progress_free(j.p);
    gg_model_free(j.m);
    gg_actions_free(j.actions);
    return st;
}

/* --- golgi nag merge-shards ---------------------------------------------------------------------------------------------------------------- */
int gg__nag_cmd_merge_shards(int argc, char **argv)
{
    gg_texts input = {0};
    const char *output = NULL;
    bool partial = false;
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXTS, &input, "DIR", "folders of units, single units, or what was joined of them before; in any order", NULL, true, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "F.nag", "all features in the order of the input: the bytes that one process would have written",
         NULL, true, 0, 0},
        {NULL, "partial", GG_OPT_FLAG, &partial, NULL, "join what is there although units are missing; the result can be joined again", NULL, false, 0, 0},
    };
    gg_command c = {.name = "nag merge-shards",
                    .sentence = "Joins the features that many processes extracted (golgi nag extract --shard, a Slurm array, --mpi) into one file.",
                    .example = "golgi nag merge-shards features/ --output pool.nag",
                    .notes = "rank reads a folder of units as it is; joining is for keeping or sending one file.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_lock *lock = NULL;
    gg_nag_merge_shards_result r;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, ctx, output)) == GG_OK &&
        (s = gg_nag_merge_shards(&r, ctx, output, input.at, input.n, partial)) == GG_OK) {
        char a[32], b[32];
        if (c.json && strcmp(output, "-") != 0) {
            json_t *j = json_pack("{s:s, s:I, s:I, s:I}", "output", output, "n_documents", (json_int_t)r.n_documents, "n_units", (json_int_t)r.n_units,
                                  "n_missing", (json_int_t)r.n_missing);
            s = gg_json_print(ctx, j);
        } else if (!c.quiet) {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "joined %s units, %s documents -> %s\n", gg__nag_count_text(a, r.n_units), gg__nag_count_text(b, r.n_documents), output);
            if (r.n_missing)
                fprintf(to, "  %s units are still missing; join this file with them\n", gg__nag_count_text(a, r.n_missing));
            gg_command_say_end(&c, to);
        }
    }
    gg_lock_free(lock);
    return gg_command_close(&c, ctx, s);
}
