/* golgi nag select: extract the targets, extract the pool once, rank, write, tell. Everything that took long is kept in a folder beside the
 * output (OUTPUT.parts/, or --features), named by a hash of model, options and source, and found again by the next run.
 *
 * One target has all its files together; with "{}" in OUTPUT every target file is a target of its own, and {} stands for its name.
 */
#include <stdio.h>
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/work.h"
#include "math/roof.h"

typedef struct target {
    gg_texts files;
    const char *name;     /* for a person */
    char *stem, *label;   /* of its file, for paths; that all its documents share, if the pool has it too */
    gg_str features, output;
    gg_lock *lock;
    int64_t n;            /* its documents, -1 unknown */
    gg_nag_rank_options rank;
    gg_nag_ranking *r;
    gg__nag_story story;
} target;

typedef struct job {
    gg_command *c;
    gg_context *ctx;
    gg__nag_run_words w;
    gg_model *m;
    gg_actions *actions;
    gg_nag_extract_options extract;
    gg_nag_rank_options rank; /* what all targets share */
    const char *output, *report, *features, *weights;
    gg_texts targets, pool_words;
    gg_texts pool;            /* the files that these words mean */
    gg_parts pool_files;      /* which own their names */
    const char **pool_paths;
    gg_str folder, pool_features;
    target *target;
    int n_targets;
    char *label_column;       /* found in the pool, ours to free */
    int64_t n_run;            /* documents that went through the model */
    double run_seconds;
    double roof;              /* operations a second, once it is measured */
} job;

/* --- labels that are there unasked -------------------------------------------------------------------------------------------------- */
static gg_status find_label_column(job *j)
{
    static const char *const names[] = {"domain", "dataset"};
    if (j->rank.label_column)
        return GG_OK;
    gg_rows *in = NULL;
    json_t *row = NULL;
    GG_TRY(gg_rows_open(&in, j->ctx, j->pool.at[0]));
    const gg_status st = gg_rows_next(in, &row);
    for (int i = 0; st == GG_OK && i < 2 && !j->label_column; i++)
        if (json_is_string(gg__nag_column(row, names[i])) && !(j->label_column = gg_strdup(j->ctx, names[i]))) {
            json_decref(row);
            gg_rows_close(in);
            return GG_ENOMEM;
        }
    if (st == GG_OK)
        json_decref(row);
    gg_rows_close(in);
    j->rank.label_column = j->label_column;
    return st == GG_END ? GG_OK : st;
}

/* The label that all target rows share, provided the pool has it too. */
static gg_status find_target_label(job *j, target *t)
{
    const char *column = j->rank.label_column;
    if (!column || j->rank.target_label)
        return GG_OK;
    gg_status st = GG_OK;
    bool shared = true, in_pool = false;
    for (int side = 0; side < 2 && st == GG_OK && shared; side++) {
        const gg_texts *files = side ? &j->pool : &t->files;
        if (side && !t->label)
            break;
        for (int p = 0; p < files->n && st == GG_OK && shared && !in_pool; p++) {
            gg_rows *in = NULL;
            json_t *row;
            if ((st = gg_rows_open(&in, j->ctx, files->at[p])) != GG_OK)
                break;
            while (st == GG_OK && shared && !in_pool && (st = gg_rows_next(in, &row)) == GG_OK) {
                const char *label = json_string_value(gg__nag_column(row, column));
                if (side)
                    in_pool = label && strcmp(label, t->label) == 0;
                else if (!label || (t->label && strcmp(label, t->label) != 0))
                    shared = false;
                else if (!t->label && !(t->label = gg_strdup(j->ctx, label)))
                    st = GG_ENOMEM;
                json_decref(row);
            }
            st = st == GG_END ? GG_OK : st;
            gg_rows_close(in);
        }
    }
    if (st == GG_OK && shared && in_pool)
        t->rank.target_label = t->label;
    return st;
}

/* --- targets and their paths ------------------------------------------------------------------------------------------------------------- */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* path with {} replaced by name */
static gg_status fill_in(gg_str *out, const char *path, const char *name)
{
    const char *at = strstr(path, "{}");
    gg_str_add(out, path, at ? (size_t)(at - path) : strlen(path));
    gg_str_puts(out, at ? name : "");
    gg_str_puts(out, at ? at + 2 : "");
    return out->failed ? GG_ENOMEM : GG_OK;
}

static gg_status make_targets(job *j)
{
    const bool each = strstr(j->output, "{}") != NULL;
    const int n = each ? j->targets.n : 1;
    if (!(j->target = gg_new(j->ctx, target, n)))
        return GG_ENOMEM;
    for (j->n_targets = 0; j->n_targets < n;) {
        target *t = &j->target[j->n_targets++];
        t->files = each ? (gg_texts){1, j->targets.at + (t - j->target)} : j->targets;
        t->features.ctx = t->output.ctx = j->ctx;
        t->rank = j->rank;
        if (!(t->stem = gg__nag_stem(j->ctx, t->files.at[0])))
            return GG_ENOMEM;
        for (const target *other = j->target; other < t; other++)
            if (strcmp(other->stem, t->stem) == 0)
                return gg_fail(j->ctx, GG_EINVAL, "%s and %s would both be called \"%s\": give the target files different names", other->files.at[0],
                               t->files.at[0], t->stem);
        GG_TRY(fill_in(&t->output, j->output, t->stem));
        for (int i = 0; i < j->targets.n + j->pool_words.n; i++) { /* {} may make the name of an input of it */
            const char *input = i < j->targets.n ? j->targets.at[i] : j->pool_words.at[i - j->targets.n];
            if (gg_file_same(t->output.data, input))
                return gg_fail(j->ctx, GG_EINVAL, "--output %s: for \"%s\" that is %s, which would be written over; choose another name", j->output,
                               t->stem, input);
        }
        gg_rows_writer *w = NULL; /* a place that cannot be written is told before the model is run */
        GG_TRY(gg_rows_writer_open(&w, j->ctx, t->output.data));
        gg_rows_writer_discard(w);
        GG_TRY(find_target_label(j, t));
        t->name = t->rank.target_label ? t->rank.target_label : each ? t->stem : base_name(t->files.at[0]);
    }
    if (j->features)
        gg_str_puts(&j->folder, j->features);
    else if (fill_in(&j->folder, j->output, "targets") == GG_OK)
        gg_str_puts(&j->folder, ".parts");
    return j->folder.failed ? GG_ENOMEM : GG_OK;
}

/* --- features ------------------------------------------------------------------------------------------------------------------------- */
/* True when the file holds whole features of this header. Only the footer and the blocks' checksums can tell. */
static bool is_done(job *j, const char *path, int64_t *n)
{
    gg_nag_reader *r = NULL;
    gg_nag_features f;
    if (!gg_file_exists(path) || gg_nag_reader_open(&r, j->ctx, path, 0) != GG_OK)
        return false;
    gg_status st;
    for (*n = 0; (st = gg_nag_reader_next(r, &f)) == GG_OK; *n += f.n)
        ;
    gg_nag_reader_close(r);
    return st == GG_END;
}

static gg_nag_source source_of(const job *j, const gg_texts *files)
{
    return (gg_nag_source){.paths = files->at, .n_paths = files->n, .options = gg__nag_documents_options_of(&j->w)};
}

/* what: "pool" or "target"; name: of a target, for a source that has no key (it cannot be read twice); total: documents, -1 unknown */
static gg_status features_of(job *j, gg_str *path, const gg_texts *files, const char *what, const char *name, int64_t total)
{
    gg_nag_header h;
    char key[17], count[32];
    int64_t n = 0;
    const gg_nag_source source = source_of(j, files);
    gg__nag_seal seal = {.ctx = j->ctx, .source = &source};
    GG_TRY(gg_nag_header_of(&h, j->ctx, j->m, &j->extract));
    GG_TRY(gg__nag_key_sealed(key, &h, &seal));
    gg_str_printf(path, "%s/%s%s%s.nag", j->folder.data, what, key[0] || name[0] ? "-" : "", key[0] ? key : name);
    if (path->failed)
        return GG_ENOMEM;
    if (key[0] && is_done(j, path->data, &n)) {
        gg__nag_tidy(j->ctx, path->data);
        if (!j->c->quiet && !j->c->json) {
            FILE *to = gg_command_say_begin(j->c);
            fprintf(to, "features of the %s%s%s (%s documents) found in %s\n", what, name[0] ? " " : "", name, gg__nag_count_text(count, n), path->data);
            gg_command_say_end(j->c, to);
        }
        return GG_OK;
    }
    gg_progress *p = NULL;
    gg_nag_extract_result r;
    char title[128];
    snprintf(title, sizeof title, "%s%s%.100s", what, name[0] ? " " : "", name);
    GG_TRY(gg_file_mkdirs(j->ctx, j->folder.data));
    GG_TRY(gg_command_progress(&p, j->c, j->ctx, title, "docs", total));
    j->extract.progress = p;
    gg_status st = gg_roof_show(p, &j->roof, j->ctx, gg_model_dtype(j->m));
    if (st == GG_OK)
        st = gg__nag_extract_sealed(&r, j->ctx, j->m, path->data, &seal, &j->extract);
    gg_progress_free(p);
    j->extract.progress = NULL;
    GG_TRY(st);
    j->n_run += r.n_documents - r.n_reused;
    j->run_seconds += r.seconds;
    if (!j->c->quiet && !j->c->json && (r.n_empty || r.n_reused || r.n_repaired)) {
        FILE *to = gg_command_say_begin(j->c);
        if (r.n_reused)
            fprintf(to, "%s: %s documents were kept from an earlier run\n", title, gg__nag_count_text(count, r.n_reused));
        else
            fprintf(to, "%s:\n", title);
        gg__nag_tell_odd(to, &r, 0);
        gg_command_say_end(j->c, to);
    }
    return GG_OK;
}

/* --- the whole -------------------------------------------------------------------------------------------------------------------------- */
static gg_status check_words(job *j)
{
    if (gg_file_is_stream(j->output))
        return gg_fail(j->ctx, GG_EINVAL, "--output %s: select keeps its work beside the output; name a file", j->output);
    for (int i = 0; i < j->targets.n + j->pool_words.n; i++)
        if (gg_file_is_stream(i < j->targets.n ? j->targets.at[i] : j->pool_words.at[i - j->targets.n]))
            return gg_fail(j->ctx, GG_EINVAL, "select reads its documents twice: standard input or a pipe cannot be one of them");
    if (!(j->rank.fraction > 0 && j->rank.fraction <= 1)) /* before the model is run */
        return gg_fail(j->ctx, GG_EINVAL, "--fraction %g is outside (0, 1]", j->rank.fraction);
    GG_TRY(gg__nag_check_rank_words(j->ctx, j->weights, &j->rank));
    GG_TRY(gg__nag_type_parse(&j->rank.type, j->ctx, j->w.sites));
    GG_TRY(gg__nag_paths(j->rank.payload, &j->rank.n_payload, j->ctx, j->pool_words, "--pool"));
    GG_TRY(gg__nag_inputs(&j->pool_files, &j->pool_paths, j->ctx, j->pool_words));
    j->pool = (gg_texts){(int)j->pool_files.n, j->pool_paths};
    j->rank.weights = strcmp(j->weights, "contrast") == 0 ? GG_NAG_CONTRAST : GG_NAG_FREQUENCY;
    j->rank.token_column = j->w.token_column;
    if (j->report)
        GG_TRY(gg_file_mkdirs(j->ctx, j->report));
    GG_TRY(find_label_column(j));
    return make_targets(j);
}

static gg_status choose(job *j, target *t)
{
    t->rank.target[0] = t->features.data;
    t->rank.pool[0] = j->pool_features.data;
    t->rank.n_target = t->rank.n_pool = 1;
    GG_TRY(gg_nag_rank(&t->r, j->ctx, &t->rank));
    t->story.target_name = t->name;
    GG_TRY(gg_nag_ranking_write(t->r, &t->rank, t->output.data, false));
    return gg__nag_excerpts(&t->story, t->r, &t->rank, j->w.text_column);
}

static gg_status write_report(job *j, int argc, char **argv, double start)
{
    gg_str command = {.ctx = j->ctx};
    gg__nag_chapter *chapter = gg_new(j->ctx, gg__nag_chapter, j->n_targets);
    const char **input = gg_new(j->ctx, const char *, j->targets.n + j->pool.n);
    gg_status st = chapter && input ? gg__nag_command_line(&command, "nag select", argc, argv) : GG_ENOMEM;
    for (int i = 0; i < j->n_targets && st == GG_OK; i++)
        chapter[i] = (gg__nag_chapter){.r = j->target[i].r, .o = &j->target[i].rank, .story = &j->target[i].story};
    for (int i = 0; i < j->targets.n + j->pool.n && st == GG_OK; i++)
        input[i] = i < j->targets.n ? j->targets.at[i] : j->pool.at[i - j->targets.n];
    if (st == GG_OK)
        st = gg__nag_report(chapter, j->n_targets, j->report,
                            &(gg__nag_made){.command = command.data, .input = input, .n_inputs = j->targets.n + j->pool.n, .started = start});
    gg_drop(j->ctx, chapter);
    gg_drop(j->ctx, input);
    gg_str_free(&command);
    return st;
}

static gg_status print_json(job *j)
{
    json_t *list = json_array();
    bool made = list;
    for (int i = 0; i < j->n_targets && made; i++) {
        json_t *t = gg__nag_tell_json(j->target[i].r, &j->target[i].rank, &j->target[i].story);
        made = json_object_set_new(t, "output", json_string(j->target[i].output.data)) == 0 && json_array_append(list, t) == 0;
        json_decref(t);
    }
    json_t *all = !made ? NULL : j->n_targets == 1 ? json_incref(json_array_get(list, 0)) : json_pack("{s:O}", "targets", list);
    json_decref(list);
    return gg_json_print(j->ctx, all);
}

static void tell(job *j, double start)
{
    FILE *to = j->c->log_json ? gg_command_say_begin(j->c) : stdout;
    for (int i = 0; i < j->n_targets; i++) {
        gg__nag_tell(to, j->target[i].r, &j->target[i].rank, &j->target[i].story);
        fputc('\n', to);
    }
    for (int i = 0; i < j->n_targets; i++)
        fprintf(to, "%s   ", j->target[i].output.data);
    if (j->report)
        fprintf(to, "%s/report.html   ", j->report);
    fprintf(to, "%.1f s", gg_time() - start);
    if (j->n_run && j->run_seconds > 0)
        fprintf(to, ", %.1f docs/s", (double)j->n_run / j->run_seconds);
    fputc('\n', to);
    if (j->c->log_json)
        gg_command_say_end(j->c, to);
}

static gg_status run(job *j, int argc, char **argv)
{
    const double start = gg_time();
    GG_TRY(check_words(j));
    for (int i = 0; i < j->n_targets; i++)
        GG_TRY(gg_lock_take(&j->target[i].lock, j->ctx, j->target[i].output.data));
    GG_TRY(gg__nag_extract_options_of(&j->extract, j->ctx, &j->w, NULL));
    GG_TRY(gg__nag_open_model(&j->m, &j->actions, j->ctx, &j->w));
    j->extract.actions = j->actions;
    int64_t n_pool; /* counting finds the mistakes of all inputs before the model is run over any */
    const gg_nag_source pool = source_of(j, &j->pool);
    for (int i = 0; i < j->n_targets; i++) {
        const gg_nag_source source = source_of(j, &j->target[i].files);
        GG_TRY(gg__nag_count(&j->target[i].n, j->ctx, &source));
    }
    GG_TRY(gg__nag_count(&n_pool, j->ctx, &pool));
    for (int i = 0; i < j->n_targets; i++)
        GG_TRY(features_of(j, &j->target[i].features, &j->target[i].files, "target", j->n_targets > 1 ? j->target[i].stem : "", j->target[i].n));
    GG_TRY(features_of(j, &j->pool_features, &j->pool, "pool", "", n_pool));
    for (int i = 0; i < j->n_targets; i++)
        GG_TRY(choose(j, &j->target[i]));
    if (j->report)
        GG_TRY(write_report(j, argc, argv, start));
    if (j->c->json)
        return print_json(j);
    if (!j->c->quiet)
        tell(j, start);
    return GG_OK;
}

static void drop(job *j)
{
    for (int i = 0; j->target && i < j->n_targets; i++) {
        target *t = &j->target[i];
        gg_lock_free(t->lock);
        gg_nag_ranking_free(t->r);
        gg_str_free(&t->features);
        gg_str_free(&t->output);
        gg_drop(j->ctx, t->stem);
        gg_drop(j->ctx, t->label);
    }
    gg_drop(j->ctx, j->target);
    gg_drop(j->ctx, j->pool_paths);
    gg_parts_free(&j->pool_files, j->ctx);
    gg_model_free(j->m);
    gg_actions_free(j->actions);
    gg_str_free(&j->folder);
    gg_str_free(&j->pool_features);
    gg_drop(j->ctx, j->label_column);
}

int gg__nag_cmd_select(int argc, char **argv)
{
    job j = {.w = {GG__NAG_RUN_DEFAULTS}, .rank = {.fraction = 0.2, .power = 1}, .weights = "frequency"};
    const gg_option options[] = {
        GG__NAG_OPT_MODEL(j.w),
        {NULL, "target", GG_OPT_TEXTS, &j.targets, "T",
         "documents that show what is wanted: JSONL (.gz, .zst), CSV, TSV, Parquet, a folder of .txt files; several files are one target (but see "
         "--output)", NULL, true, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &j.pool_words, "P", "documents to choose from; a folder stands for the files of rows in it", NULL, true, 0, 0},
        GG__NAG_OPT_COLUMNS(j.w),
        {NULL, "token-column", GG_OPT_TEXT, &j.w.token_column, "NAME",
         "column of a document's token count (token_num when present, else counted)", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &j.rank.label_column, "NAME",
         "column of known domains, for the table (domain or dataset when present)", NULL, false, 0, 0},
        {NULL, "target-label", GG_OPT_TEXT, &j.rank.target_label, "V",
         "the domain that counts as right (that of all target documents, when they share one)", NULL, false, 0, 0},
        {"Method", "fraction", GG_OPT_DOUBLE, &j.rank.fraction, "R", "part of the pool's tokens to choose, in (0, 1] [r_f]", NULL, false, 0, 0},
        {NULL, "site", GG_OPT_TEXT, &j.w.sites, "TYPE", "neuron type: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "top-k", GG_OPT_INT, &j.w.top_k, "K", "neurons kept of each layer (paper: about 0.3 % of it) [K]", NULL, false, 1, 1 << 20},
        {NULL, "max-tokens", GG_OPT_INT, &j.w.max_tokens, "N", "the first N tokens of a document", NULL, false, 1, 1e9},
        {NULL, "special", GG_OPT_FLAG, &j.w.special, NULL,
         "add the special tokens that the model expects around a text (the paper does not)", NULL, false, 0, 0},
        {NULL, "action", GG_OPT_TEXT, &j.w.action, "A.json", "an action file: neurons to switch, scale or set while the model runs", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &j.weights, "W",
         "frequency: the paper's; contrast: what the target has more than the pool", "frequency|contrast", false, 0, 0},
        {NULL, "power", GG_OPT_DOUBLE, &j.rank.power, "P", "exponent on the target's counts (frequency only)", NULL, false, 0, 0},
        {NULL, "quality-column", GG_OPT_TEXT, &j.rank.quality_column, "C",
         "mix minmax(distance) with minmax of this column; lower is better", NULL, false, 0, 0},
        {NULL, "invert-quality", GG_OPT_FLAG, &j.rank.invert_quality, NULL, "higher is better in that column", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &j.output, "OUT",
         "the chosen rows, nearest first: .jsonl[.gz|.zst], .csv, .tsv, .parquet. With {} in it every target file is a target of its own, and {} becomes "
         "its name: that of the file without folder, ending and a leading \"target-\"", NULL, true, 0, 0},
        {NULL, "report", GG_OPT_TEXT, &j.report, "DIR", "plots (PNG, SVG) and one report.html into this folder", NULL, false, 0, 0},
        {NULL, "features", GG_OPT_TEXT, &j.features, "DIR",
         "where the features are kept and looked for (default: OUTPUT.parts); may be shared by many selections", NULL, false, 0, 0},
        GG__NAG_OPT_DTYPE(j.w),
    };
    gg_command c = {.name = "nag select",
                    .sentence = "Chooses the part of a pool that excites the same neurons as a few target documents.",
                    .example = "golgi nag select --model M --target T.jsonl --pool P.jsonl --fraction 0.2 --output out.jsonl",
                    .notes = "Features are kept, so a second run with another fraction or target takes no time, and one that was stopped goes on. "
                             "Their folder may be removed.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    j.c = &c;
    if ((s = gg_command_context(&j.ctx, &c)) == GG_OK) {
        j.folder.ctx = j.pool_features.ctx = j.ctx;
        s = run(&j, argc, argv);
    }
    drop(&j);
    return gg_command_close(&c, j.ctx, s);
}
