/* golgi nag rank, merge, slice. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/work.h"

/* --- rank: targets by name, outputs by name -------------------------------------------------------------------------------------- */
typedef struct ranking_words {
    gg_context *ctx;
    gg_command *c;
    gg_texts target, targets, pool, payload, target_payload;
    const char *output, *weights, *site, *text_column, *report;
    int64_t n_layers;
    double keep, up_to;
    bool all;
    bool from_parts, to_part;                    /* .rank files come in, one goes out */
    gg_nag_rank_options o;
    gg_arena arena;
    int n;                                       /* targets */
    gg_nag_target one[GG_NAG_MAX_TARGETS];
    const char *path[GG_NAG_MAX_TARGETS];        /* rows of each */
    gg_lock *lock[GG_NAG_MAX_TARGETS];           /* of each */
    const char *summary[GG_NAG_MAX_TARGETS][2];  /* JSON and text of each; NULL: no files */
    gg__nag_story story[GG_NAG_MAX_TARGETS];
} ranking_words;

static const char *text_of(ranking_words *w, const char *a, int n, const char *b, const char *c)
{
    gg_str s = {.ctx = w->ctx};
    gg_str_printf(&s, "%.*s%s%s", n, a, b, c);
    const char *kept = s.failed ? NULL : gg_arena_strndup(&w->arena, s.data, s.len);
    gg_str_free(&s);
    return kept;
}

/* "NAME=F", or F alone, named after the file or the folder as select does. */
static gg_status name_target(ranking_words *w, const char *word)
{
    gg_nag_target *t = &w->one[w->n];
    const char *equals = strchr(word, '='), **path = gg_arena_alloc(&w->arena, sizeof *path);
    char *stem = equals ? gg_strndup(w->ctx, word, (size_t)(equals - word)) : gg__nag_stem(w->ctx, word);
    t->name = stem ? gg_arena_strndup(&w->arena, stem, strlen(stem)) : NULL;
    gg_drop(w->ctx, stem);
    if (!path || !t->name)
        return GG_ENOMEM;
    if (!*t->name || strchr(t->name, '/') || t->name[0] == '.')
        return gg_fail(w->ctx, GG_EINVAL, "--targets %s: \"%s\" cannot name a target: its files are called after it", word, t->name);
    path[0] = equals ? equals + 1 : word;
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->one[i].name, t->name) == 0)
            return gg_fail(w->ctx, GG_EINVAL, "--targets: %s and %s would both be called \"%s\"; name them yourself: NAME=%s", w->one[i].path[0], path[0],
                           t->name, path[0]);
    t->path = path;
    t->n_paths = 1;
    w->n++;
    return GG_OK;
}

static gg_status name_targets(ranking_words *w)
{
    if (w->target.n && w->targets.n)
        return gg_fail(w->ctx, GG_EINVAL, "--target is one target and --targets are several: give one of the two");
    if (!w->target.n && !w->targets.n)
        return gg_fail(w->ctx, GG_EINVAL, "--target is missing: feature files that show what is wanted (or --targets, for several at once)");
    if (w->targets.n > GG_NAG_MAX_TARGETS)
        return gg_fail(w->ctx, GG_EINVAL, "--targets: %d; one pass takes at most %d", w->targets.n, GG_NAG_MAX_TARGETS);
    for (int i = 0; i < w->targets.n; i++)
        GG_TRY(name_target(w, w->targets.at[i]));
    if (w->target.n) {
        w->one[0] = (gg_nag_target){w->o.target_label ? w->o.target_label : w->o.target_filter ? w->o.target_filter : w->target.at[0], w->target.at,
                                    w->target.n};
        w->n = 1;
    }
    return GG_OK;
}

/* Words that are of use only beside others. */
static gg_status check_words(const ranking_words *w)
{
    const gg_nag_rank_options *o = &w->o;
    const struct {
        bool given, of_use;
        const char *name, *needs;
    } words[] = {{o->target_filter_column, o->target_filter, "target-filter-column", "--target-filter"},
                 {w->target_payload.n, o->target_filter, "target-payload", "--target-filter"},
                 {w->keep > 0, w->to_part, "keep", "an --output that ends in .rank"},
                 {w->up_to > 0, w->to_part, "up-to", "an --output that ends in .rank"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].given && !words[i].of_use)
            return gg_fail(w->ctx, GG_EINVAL, "--%s says nothing without %s", words[i].name, words[i].needs);
    if (w->keep > 0 && w->up_to > 0)
        return gg_fail(w->ctx, GG_EINVAL, "--keep and --up-to both say how much a .rank file holds: give one of the two");
    return gg__nag_check_rank_words(w->ctx, w->weights, o);
}

/* What the .rank files have in them is not asked again. */
static gg_status check_parts(const ranking_words *w)
{
    const gg_nag_rank_options *o = &w->o;
    const struct {
        bool given;
        const char *name;
    } words[] = {{w->target.n, "target"}, {w->targets.n, "targets"}, {w->target_payload.n, "target-payload"}, {o->target_filter, "target-filter"},
                 {o->token_column, "token-column"}, {o->quality_column, "quality-column"}, {o->label_column, "label-column"},
                 {o->target_label, "target-label"}, {w->all, "all"}, {w->report, "report"}, {strcmp(w->weights, "contrast") == 0, "weights contrast"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].given)
            return gg_fail(w->ctx, GG_EINVAL, "--%s: the pool is made of .rank files, whose documents are scored; this can be asked only when they are made",
                           words[i].name);
    return GG_OK;
}

/* One target: --output is its file. Several: a folder, or a name in which {} stands for theirs. */
static gg_status name_outputs(ranking_words *w)
{
    const char *place = strstr(w->output, "{}");
    if (!w->targets.n && w->n == 1 && !place) {
        w->path[0] = w->output;
        return GG_OK;
    }
    if (strcmp(w->output, "-") == 0)
        return gg_fail(w->ctx, GG_EINVAL, "--output -: several targets need several files; name a folder, or a file with {} for the target's name");
    if (!place)
        GG_TRY(gg_file_mkdirs(w->ctx, w->output));
    for (int i = 0; i < w->n; i++) {
        const char *name = w->one[i].name;
        if (place) {
            w->path[i] = text_of(w, w->output, (int)(place - w->output), name, place + 2);
        } else {
            const char *stem = text_of(w, w->output, (int)strlen(w->output), "/", name);
            for (int k = 0; k < 2 && stem; k++)
                w->summary[i][k] = text_of(w, stem, (int)strlen(stem), k ? ".txt" : ".json", "");
            w->path[i] = stem ? text_of(w, stem, (int)strlen(stem), ".jsonl", "") : NULL;
        }
        for (int k = 0; w->path[i] && k < w->payload.n; k++)
            if (gg_file_same(w->path[i], w->payload.at[k]))
                return gg_fail(w->ctx, GG_EINVAL, "--output %s: for \"%s\" that is %s, which would be written over; choose another name", w->output, name,
                               w->path[i]);
        if (!w->path[i] || (!place && (!w->summary[i][0] || !w->summary[i][1])))
            return GG_ENOMEM;
    }
    return GG_OK;
}

/* Locks what has its name by now: the one output before the work, several after it. */
static gg_status hold_outputs(ranking_words *w)
{
    const bool one = w->to_part || (!w->from_parts && !w->targets.n && !strstr(w->output, "{}"));
    if (one && !w->lock[0])
        GG_TRY(gg_lock_take(&w->lock[0], w->ctx, w->output));
    for (int i = 0; i < w->n && w->path[i]; i++)
        if (!w->lock[i])
            GG_TRY(gg_lock_take(&w->lock[i], w->ctx, w->path[i]));
    return GG_OK;
}

/* --- rank: what is told -------------------------------------------------------------------------------------------------------------- */
static gg_status write_summary(ranking_words *w, int i, const gg_nag_ranking *r, const json_t *j)
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    gg_status st = memory ? GG_OK : gg_fail(w->ctx, GG_ENOMEM, "out of memory (summary of %s)", w->one[i].name);
    if (memory) {
        gg__nag_tell(memory, r, &w->o, &w->story[i]);
        fclose(memory);
    }
    if (st == GG_OK)
        st = gg_json_write_file(w->ctx, w->summary[i][0], j, 2);
    if (st == GG_OK)
        st = gg_file_write(w->ctx, w->summary[i][1], text, n);
    free(text);
    return st;
}

/* Several targets on a line each. */
static void tell_line(FILE *to, const ranking_words *w, int i, const gg_nag_ranking *r, int wide)
{
    char a[32], b[32];
    if (i == 0)
        fprintf(to, "  %-*s  targets      chosen    tokens  nearest  last chosen\n", wide, "target");
    fprintf(to, "  %-*s  %7s  %10s  %6.2f %%    %.3f        %.3f   %s\n", wide, w->one[i].name, gg__nag_count_text(a, r->n_targets),
            gg__nag_count_text(b, r->n_selected),
            100.0 * (double)r->n_selected_tokens / (double)r->n_tokens, r->near[0].score, r->row[r->n_selected - 1].score, w->path[i]);
}

static gg_status tell(ranking_words *w, gg_nag_ranking *const *r)
{
    json_t *all = json_array();
    FILE *to = !w->c->quiet && !w->c->json ? gg_command_say_begin(w->c) : NULL;
    int wide = 6;
    gg_status st = all ? GG_OK : gg_fail(w->ctx, GG_ENOMEM, "out of memory (summary)");
    for (int i = 0; i < w->n; i++)
        wide = (int)strlen(w->one[i].name) > wide ? (int)strlen(w->one[i].name) : wide;
    for (int i = 0; i < w->n && st == GG_OK; i++) {
        json_t *j = gg__nag_tell_json(r[i], &w->o, &w->story[i]);
        if (!j || json_object_set_new(j, "output", json_string(w->path[i])) != 0 || json_array_append(all, j) != 0)
            st = gg_fail(w->ctx, GG_ENOMEM, "out of memory (summary)");
        if (st == GG_OK && w->summary[i][0])
            st = write_summary(w, i, r[i], j);
        json_decref(j);
        if (st == GG_OK && to && w->n > 1)
            tell_line(to, w, i, r[i], wide);
        else if (st == GG_OK && to)
            gg__nag_tell(to, r[i], &w->o, &w->story[i]);
    }
    if (st == GG_OK && to && w->report)
        fprintf(to, "\n%s/report.html\n", w->report);
    if (to)
        gg_command_say_end(w->c, to);
    if (st == GG_OK && w->c->json && strcmp(w->output, "-") != 0)
        st = gg_json_print(w->ctx, json_incref(w->targets.n || w->n > 1 ? all : json_array_get(all, 0)));
    json_decref(all);
    return st;
}

/* A chapter a target. */
static gg_status write_report(ranking_words *w, gg_nag_ranking *const *r, double start, int argc, char **argv)
{
    gg_str command = {.ctx = w->ctx};
    const char **path = gg_new(w->ctx, const char *, w->target.n + w->n + w->pool.n);
    gg__nag_chapter *chapter = gg_new(w->ctx, gg__nag_chapter, w->n);
    gg_nag_rank_options *single = gg_new(w->ctx, gg_nag_rank_options, w->n); /* as if each target had been ranked alone */
    gg_status st = path && chapter && single ? gg__nag_command_line(&command, "nag rank", argc, argv) : GG_ENOMEM;
    gg__nag_files features = {0};
    int n = 0;
    for (int t = 0; t < w->n && st == GG_OK; t++) {
        single[t] = w->o;
        st = gg__nag_paths(single[t].target, &single[t].n_target, w->ctx, (gg_texts){w->one[t].n_paths, (const char **)(uintptr_t)w->one[t].path}, "--target");
        chapter[t] = (gg__nag_chapter){.r = r[t], .o = &single[t], .story = &w->story[t]};
        for (int i = 0; i < w->one[t].n_paths; i++)
            path[n++] = w->one[t].path[i];
    }
    for (int i = 0; i < w->pool.n && st == GG_OK; i++)
        path[n++] = w->pool.at[i];
    if (st == GG_OK)
        st = gg__nag_files_of(&features, w->ctx, path, n);
    const char **input = gg_new(w->ctx, const char *, features.n + w->payload.n);
    st = st == GG_OK && !input ? GG_ENOMEM : st;
    for (int i = 0; i < features.n + w->payload.n && st == GG_OK; i++)
        input[i] = i < features.n ? features.path[i] : w->payload.at[i - features.n];
    if (st == GG_OK)
        st = gg__nag_report(chapter, w->n, w->report,
                            &(gg__nag_made){.command = command.data, .input = input, .n_inputs = features.n + w->payload.n, .started = start});
    gg__nag_files_free(&features, w->ctx);
    gg_drop(w->ctx, input);
    gg_drop(w->ctx, path);
    gg_drop(w->ctx, chapter);
    gg_drop(w->ctx, single);
    gg_str_free(&command);
    return st;
}

/* A .rank file goes out. */
static gg_status make_part(ranking_words *w)
{
    const gg_nag_rank_options *o = &w->o;
    if (!w->from_parts && w->target.n) { /* on another machine the same file may stand elsewhere */
        char *stem = gg__nag_stem(w->ctx, w->target.at[0]);
        w->one[0].name = stem ? gg_arena_strndup(&w->arena, stem, strlen(stem)) : NULL;
        gg_drop(w->ctx, stem);
        if (!w->one[0].name)
            return GG_ENOMEM;
    }
    if (w->from_parts)
        GG_TRY(gg_nag_partial_merge(w->ctx, o->pool, o->n_pool, w->output));
    else
        GG_TRY(gg_nag_partial_write(w->ctx, o, w->one, w->n, w->output, w->keep > 0 ? w->keep : fmin(1, 2 * o->fraction), w->up_to > 0 ? w->up_to : INFINITY));
    if (w->c->quiet)
        return GG_OK;
    if (w->c->json)
        return gg_json_print(w->ctx, json_pack("{s:s}", "output", w->output));
    FILE *to = gg_command_say_begin(w->c);
    fprintf(to, "%s\n", w->output);
    gg_command_say_end(w->c, to);
    return GG_OK;
}

static gg_status take(ranking_words *w, gg_nag_ranking **r)
{
    if (!w->from_parts)
        return gg_nag_rank_many(r, w->ctx, &w->o, w->one, w->n);
    GG_TRY(gg_nag_partial_rank(r, &w->n, w->ctx, w->o.pool, w->o.n_pool, &w->o));
    for (int i = 0; i < w->n; i++)
        w->one[i].name = r[i]->name;
    return GG_OK;
}

static gg_status rank(ranking_words *w, int argc, char **argv)
{
    const double start = gg_time();
    gg_nag_rank_options *o = &w->o;
    gg_nag_ranking *r[GG_NAG_MAX_TARGETS] = {NULL};
    gg__nag_rows *rows = NULL;
    const size_t n = strlen(w->output);
    w->to_part = n >= 5 && strcmp(w->output + n - 5, ".rank") == 0;
    GG_TRY(gg__nag_type_parse(&o->type, w->ctx, w->site));
    GG_TRY(gg__nag_paths(o->pool, &o->n_pool, w->ctx, w->pool, "--pool"));
    GG_TRY(gg__nag_paths(o->payload, &o->n_payload, w->ctx, w->payload, "--payload"));
    GG_TRY(gg__nag_paths(o->target_payload, &o->n_target_payload, w->ctx, w->target_payload, "--target-payload"));
    o->weights = strcmp(w->weights, "contrast") == 0 ? GG_NAG_CONTRAST : GG_NAG_FREQUENCY;
    o->n_layers = (int)w->n_layers;
    o->chosen_only = !w->all && !w->report; /* a report draws every document */
    GG_TRY(gg__nag_is_partial(&w->from_parts, w->ctx, w->pool.at[0]));
    GG_TRY(w->from_parts ? check_parts(w) : name_targets(w));
    GG_TRY(check_words(w));
    GG_TRY(hold_outputs(w));
    if (w->to_part)
        return make_part(w);
    if (w->report) /* a place that cannot be written is told before the work */
        GG_TRY(gg_file_mkdirs(w->ctx, w->report));
    gg_status st = take(w, r);
    if (st == GG_OK)
        st = name_outputs(w);
    if (st == GG_OK)
        st = hold_outputs(w);
    if (st == GG_OK)
        st = gg__nag_rows_open(&rows, w->ctx, o, r, w->n, (w->all ? GG__NAG_ROWS_ALL : GG__NAG_ROWS_CHOSEN) | GG__NAG_ROWS_ENDS, w->path[0]);
    if (st == GG_OK)
        st = gg__nag_rankings_write(r, w->n, rows, w->path, w->all);
    for (int i = 0; i < w->n && st == GG_OK; i++) {
        w->story[i].target_name = w->one[i].name;
        st = gg__nag_excerpts_of(&w->story[i], r[i], rows, w->text_column);
    }
    gg__nag_rows_close(rows);
    if (st == GG_OK && w->report)
        st = write_report(w, r, start, argc, argv);
    if (st == GG_OK)
        st = tell(w, r);
    for (int i = 0; i < w->n; i++)
        gg_nag_ranking_free(r[i]);
    return st;
}

int gg__nag_cmd_rank(int argc, char **argv)
{
    ranking_words w = {.o = {.power = 1, .fraction = 0.2}, .weights = "frequency", .site = "up"};
    const gg_option options[] = {
        {"Input", "target", GG_OPT_TEXTS, &w.target, "F", "feature files of the target; a folder stands for the .nag files in it", NULL, false, 0, 0},
        {NULL, "targets", GG_OPT_TEXTS, &w.targets, "NAME=F",
         "instead: several targets in one pass (up to 64), each with a selection of its own; F alone is named after the file", NULL, false, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &w.pool, "F", "feature files of the pool, or folders of them; or .rank files of all its pieces (see below)", NULL, true,
         0, 0},
        {NULL, "payload", GG_OPT_TEXTS, &w.payload, "POOL",
         "the pool's documents, or folders of them: all their columns are carried to the output", NULL, false, 0, 0},
        {NULL, "token-column", GG_OPT_TEXT, &w.o.token_column, "NAME",
         "column of the token counts in the payload (default: the features' own, else token_num)", NULL, false, 0, 0},
        {NULL, "target-filter", GG_OPT_TEXT, &w.o.target_filter, "V", "keep the target rows whose column says V", NULL, false, 0, 0},
        {NULL, "target-filter-column", GG_OPT_TEXT, &w.o.target_filter_column, "NAME", "that column (default dataset)", NULL, false, 0, 0},
        {NULL, "target-payload", GG_OPT_TEXTS, &w.target_payload, "T", "the target's documents, where that column is", NULL, false, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &w.n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "fraction", GG_OPT_DOUBLE, &w.o.fraction, "R", "part of the pool's tokens to choose for each target, in (0, 1] [r_f]", NULL, false, 0, 0},
        {NULL, "site", GG_OPT_TEXT, &w.site, "TYPE", "neuron type to compare: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &w.weights, "W", "frequency: the paper's; contrast: what the target has more than the pool", "frequency|contrast",
         false, 0, 0},
        {NULL, "power", GG_OPT_DOUBLE, &w.o.power, "P", "exponent on the target's counts (frequency only)", NULL, false, 0, 0},
        {NULL, "quality-column", GG_OPT_TEXT, &w.o.quality_column, "C", "mix minmax(distance) with minmax of this column; lower is better", NULL, false, 0, 0},
        {NULL, "invert-quality", GG_OPT_FLAG, &w.o.invert_quality, NULL, "higher is better in that column", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &w.o.label_column, "NAME", "column of known domains: shares by domain and precision at n are told", NULL, false,
         0, 0},
        {NULL, "target-label", GG_OPT_TEXT, &w.o.target_label, "V", "the domain that counts as right (with --targets: that of the target's name)", NULL,
         false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &w.output, "OUT",
         "rows, nearest first: .jsonl[.gz|.zst], .csv, .tsv, .parquet, or -; .rank: of a piece of the pool, to be merged. With "
         "--targets a folder, which gets NAME.jsonl, "
         "NAME.json and NAME.txt of each; or a file with {} for the name", NULL, true, 0, 0},
        {NULL, "keep", GG_OPT_DOUBLE, &w.keep, "R", "for a .rank file: part of the piece's tokens whose documents it holds (default: twice the fraction)", NULL,
         false, 0, 1},
        {NULL, "up-to", GG_OPT_DOUBLE, &w.up_to, "D", "for a .rank file: instead, hold all documents of no larger distance", NULL, false, 0, 0},
        {NULL, "all", GG_OPT_FLAG, &w.all, NULL, "write the whole ranking, not only the chosen (and hold it in memory)", NULL, false, 0, 0},
        {NULL, "text-column", GG_OPT_TEXT, &w.text_column, "NAME", "column whose first words are shown of the nearest and farthest", NULL, false, 0, 0},
        {NULL, "report", GG_OPT_TEXT, &w.report, "DIR", "plots (PNG, SVG) and one report.html into this folder (every document is held in memory)", NULL,
         false, 0, 0},
    };
    gg_command c = {.name = "nag rank",
                    .sentence = "Orders a pool by its distance to a target and chooses the nearest documents within a token budget.",
                    .example = "golgi nag rank --target target.nag --pool pool.nag --payload pool.jsonl.zst --fraction 0.2 --output chosen.jsonl",
                    .notes = "Several targets cost little more than one:\n"
                             "  golgi nag rank --targets arc.nag hellaswag.nag --pool pool.nag --fraction 0.1 --output chosen/\n"
                             "A pool on many machines is ranked in pieces, whose .rank files are merged in any order, also in several steps; "
                             "the selection is that of one run:\n"
                             "  golgi nag rank --target target.nag --pool shards/007.nag --output ranks/007.rank\n"
                             "  golgi nag rank --pool ranks --output chosen.jsonl\n"
                             "Memory is that of the chosen rows and 21 bytes a document of the pool (more with a payload: 8 for a quality, 2 for a label).",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    w.c = &c;
    if ((s = gg_command_context(&w.ctx, &c)) == GG_OK) {
        w.arena.ctx = w.ctx;
        s = gg_command_progress(&w.o.progress, &c, w.ctx, "rank", "docs", -1);
    }
    if (s == GG_OK)
        s = rank(&w, argc, argv);
    for (int i = 0; i < GG_NAG_MAX_TARGETS; i++)
        gg_lock_free(w.lock[i]);
    gg_progress_free(w.o.progress);
    gg_arena_free(&w.arena);
    return gg_command_close(&c, w.ctx, s);
}

int gg__nag_cmd_merge(int argc, char **argv)
{
    gg_texts input = {0};
    const char *output = NULL;
    bool deduplicate = false;
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXTS, &input, "SEL", "selections, in the order in which they shall follow", NULL, true, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "OUT", "rows: .jsonl[.gz|.zst], .csv, .tsv, .parquet, or -", NULL, true, 0, 0},
        {NULL, "deduplicate", GG_OPT_FLAG, &deduplicate, NULL, "keep only the first row of a docid (the paper keeps all)", NULL, false, 0, 0},
    };
    gg_command c = {.name = "nag merge",
                    .sentence = "Joins the selections of several targets into one corpus.",
                    .example = "golgi nag merge arc.jsonl hellaswag.jsonl --output both.jsonl",
                    .notes = "With M targets, give each rank a fraction of r_f / M, so that all together use the budget.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_lock *lock = NULL;
    gg_nag_merge_result r;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, ctx, output)) == GG_OK &&
        (s = gg_nag_merge(&r, ctx, output, input.at, input.n, deduplicate)) == GG_OK) {
        if (c.json && strcmp(output, "-") != 0)
            s = gg_json_print(
                ctx, json_pack("{s:s, s:I, s:I}", "output", output, "n_rows", (json_int_t)r.n_rows, "n_duplicates", (json_int_t)r.n_duplicates));
        else if (!c.quiet) {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "merged %d selections: %lld rows%s -> %s\n", input.n, (long long)r.n_rows, deduplicate ? ", each document once" : "", output);
            gg_command_say_end(&c, to);
        }
    }
    gg_lock_free(lock);
    return gg_command_close(&c, ctx, s);
}

int gg__nag_cmd_slice(int argc, char **argv)
{
    const char *input = NULL, *output = NULL, *layers = NULL;
    int64_t n_layers = 0, n = 0;
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXT, &input, "F", "features", NULL, true, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &n_layers, "L", "layers of a row file that does not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "layers", GG_OPT_TEXT, &layers, "LIST", "first, last, 0,3,7 or 2-5", NULL, true, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "G", "features of those layers: .nag, .jsonl[.gz|.zst] or .parquet", NULL, true, 0, 0},
    };
    gg_command c = {.name = "nag slice",
                    .sentence = "Keeps some layers of features.",
                    .example = "golgi nag slice --layers last pool.nag --output pool-last.nag",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_lock *lock = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, ctx, output)) == GG_OK &&
        (s = gg_nag_slice(&n, ctx, output, input, layers, (int)n_layers)) == GG_OK && !c.quiet) {
        if (c.json && strcmp(output, "-") != 0)
            s = gg_json_print(ctx, json_pack("{s:s, s:I, s:s}", "output", output, "n_documents", (json_int_t)n, "layers", layers));
        else {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "kept layers %s of %lld documents -> %s\n", layers, (long long)n, output);
            gg_command_say_end(&c, to);
        }
    }
    gg_lock_free(lock);
    return gg_command_close(&c, ctx, s);
}
