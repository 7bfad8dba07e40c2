/* golgi nag select: extract the target, extract the pool, rank, write, tell. Everything that took long is kept beside the output
 * (OUTPUT.parts/), named by a hash of model, options and source, and found again by the next run.
 */
#include <stdio.h>
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "base/lock.h"

typedef struct job {
    gg_command *c;
    gg_context *ctx;
    gg__nag_run_words w;
    gg_model *m;
    gg_actions *actions;
    gg_nag_extract_options extract;
    gg_nag_rank_options rank;
    const char *output, *report, *weights;
    gg_texts target, pool;
    gg_lock *lock;
    gg_str target_features, pool_features;
    char *label_column, *target_label; /* found in the documents, ours to free */
    int64_t n_run;                     /* documents that went through the model */
    double run_seconds;
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
static gg_status find_target_label(job *j)
{
    if (!j->rank.label_column || j->rank.target_label)
        return GG_OK;
    gg_status st = GG_OK;
    bool shared = true, in_pool = false;
    for (int side = 0; side < 2 && st == GG_OK && shared; side++) {
        const gg_texts *files = side ? &j->pool : &j->target;
        if (side && !j->target_label)
            break;
        for (int p = 0; p < files->n && st == GG_OK && shared && !in_pool; p++) {
            gg_rows *in = NULL;
            json_t *row;
            if ((st = gg_rows_open(&in, j->ctx, files->at[p])) != GG_OK)
                break;
            while (st == GG_OK && shared && !in_pool && (st = gg_rows_next(in, &row)) == GG_OK) {
                const char *label = json_string_value(gg__nag_column(row, j->rank.label_column));
                if (side)
                    in_pool = label && strcmp(label, j->target_label) == 0;
                else if (!label || (j->target_label && strcmp(label, j->target_label) != 0))
                    shared = false;
                else if (!j->target_label && !(j->target_label = gg_strdup(j->ctx, label)))
                    st = GG_ENOMEM;
                json_decref(row);
            }
            st = st == GG_END ? GG_OK : st;
            gg_rows_close(in);
        }
    }
    if (st == GG_OK && shared && in_pool)
        j->rank.target_label = j->target_label;
    return st;
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

/* total: documents, -1 unknown */
static gg_status features_of(job *j, gg_str *path, const gg_texts *files, const char *what, int64_t total)
{
    gg_nag_header h;
    char key[17], count[32];
    int64_t n = 0;
    const gg_nag_source source = source_of(j, files);
    GG_TRY(gg_nag_header_of(&h, j->ctx, j->m, &j->extract));
    GG_TRY(gg_nag_key(key, j->ctx, &h, &source));
    gg_str_printf(path, "%s.parts/%s%s%s.nag", j->output, what, key[0] ? "-" : "", key);
    if (path->failed)
        return GG_ENOMEM;
    if (key[0] && is_done(j, path->data, &n)) {
        gg_log(j->ctx, GG_LOG_INFO, "features of the %s (%s documents) were made before: %s", what, gg__nag_count_text(count, n), path->data);
        if (!j->c->quiet && !j->c->json)
            fprintf(stderr, "features of the %s (%s documents) found in %s\n", what, count, path->data);
        return GG_OK;
    }
    gg_progress *p = NULL;
    gg_nag_extract_result r;
    gg_str folder = {.ctx = j->ctx};
    gg_str_printf(&folder, "%s.parts", j->output);
    gg_status st = folder.failed ? GG_ENOMEM : gg_file_mkdirs(j->ctx, folder.data);
    gg_str_free(&folder);
    GG_TRY(st);
    GG_TRY(gg_command_progress(&p, j->c, j->ctx, what, "docs", total));
    j->extract.progress = p;
    st = gg_nag_extract_file(&r, j->ctx, j->m, &source, path->data, &j->extract);
    gg_progress_free(p);
    j->extract.progress = NULL;
    GG_TRY(st);
    j->n_run += r.n_documents - r.n_reused;
    j->run_seconds += r.seconds;
    if (!j->c->quiet && !j->c->json && (r.n_empty || r.n_reused || r.n_repaired)) {
        fprintf(stderr, "%s: %lld empty documents skipped%s%s, %lld kept from an earlier run, %lld places repaired to U+FFFD\n", what, (long long)r.n_empty,
                r.n_empty ? ": " : "", r.empty, (long long)r.n_reused, (long long)r.n_repaired);
    }
    return GG_OK;
}

/* --- the whole -------------------------------------------------------------------------------------------------------------------------- */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static gg_status check_words(job *j)
{
    if (gg_file_is_stream(j->output))
        return gg_fail(j->ctx, GG_EINVAL, "--output %s: select keeps its work beside the output; name a file", j->output);
    for (int i = 0; i < j->target.n + j->pool.n; i++)
        if (gg_file_is_stream(i < j->target.n ? j->target.at[i] : j->pool.at[i - j->target.n]))
            return gg_fail(j->ctx, GG_EINVAL, "select reads its documents twice: standard input or a pipe cannot be one of them");
    if (!(j->rank.fraction > 0 && j->rank.fraction <= 1)) /* before the model is run */
        return gg_fail(j->ctx, GG_EINVAL, "--fraction %g is outside (0, 1]", j->rank.fraction);
    gg_rows_writer *w = NULL; /* so is a place that cannot be written */
    GG_TRY(gg_rows_writer_open(&w, j->ctx, j->output));
    gg_rows_writer_discard(w);
    GG_TRY(gg__nag_type_parse(&j->rank.type, j->ctx, j->w.sites));
    GG_TRY(gg__nag_paths(j->rank.payload, &j->rank.n_payload, j->ctx, j->pool, "--pool"));
    j->rank.weights = strcmp(j->weights, "contrast") == 0 ? GG_NAG_CONTRAST : GG_NAG_FREQUENCY;
    j->rank.token_column = j->w.token_column;
    GG_TRY(find_label_column(j));
    return find_target_label(j);
}

static gg_status command_line(gg_str *out, int argc, char **argv)
{
    gg_str_puts(out, "golgi nag select");
    for (int i = 1; i < argc; i++)
        gg_str_printf(out, strpbrk(argv[i], " \t'\"$") ? " '%s'" : " %s", argv[i]);
    return out->failed ? GG_ENOMEM : GG_OK;
}

static gg_status run(job *j, int argc, char **argv)
{
    const double start = gg_time();
    gg_nag_ranking *r = NULL;
    gg__nag_story story = {0};
    gg_str command = {.ctx = j->ctx};
    GG_TRY(check_words(j));
    GG_TRY(gg_lock_take(&j->lock, j->ctx, j->output));
    GG_TRY(gg__nag_extract_options_of(&j->extract, j->ctx, &j->w, NULL));
    GG_TRY(gg__nag_open_model(&j->m, &j->actions, j->ctx, &j->w));
    j->extract.actions = j->actions;
    int64_t n_target, n_pool; /* counting finds the mistakes of both before the model is run over either */
    const gg_nag_source target = source_of(j, &j->target), pool = source_of(j, &j->pool);
    GG_TRY(gg__nag_count(&n_target, j->ctx, &target));
    GG_TRY(gg__nag_count(&n_pool, j->ctx, &pool));
    GG_TRY(features_of(j, &j->target_features, &j->target, "target", n_target));
    GG_TRY(features_of(j, &j->pool_features, &j->pool, "pool", n_pool));
    j->rank.target[0] = j->target_features.data;
    j->rank.pool[0] = j->pool_features.data;
    j->rank.n_target = j->rank.n_pool = 1;
    GG_TRY(gg_nag_rank(&r, j->ctx, &j->rank));
    story.target_name = j->rank.target_label ? j->rank.target_label : base_name(j->target.at[0]);
    story.model = r->header.model;
    gg_status st = gg_nag_ranking_write(r, &j->rank, j->output, false);
    if (st == GG_OK)
        st = gg__nag_excerpts(&story, r, &j->rank, j->w.text_column);
    if (st == GG_OK && j->report && (st = command_line(&command, argc, argv)) == GG_OK)
        st = gg_fail(j->ctx, GG_EUNSUPPORTED, "reports are not built yet");
    if (st == GG_OK && j->c->json) {
        json_t *t = gg__nag_tell_json(r, &j->rank, &story);
        if (!t || json_object_set_new(t, "output", json_string(j->output)) != 0 || json_dumpf(t, stdout, JSON_INDENT(2)) != 0)
            st = gg_fail(j->ctx, GG_EIO, "the summary could not be written");
        putchar('\n');
        json_decref(t);
    } else if (st == GG_OK && !j->c->quiet) {
        gg__nag_tell(stdout, r, &j->rank, &story);
        printf("\n%s", j->output);
        if (j->report)
            printf("   %s/report.html", j->report);
        printf("   %.1f s", gg_time() - start);
        if (j->n_run && j->run_seconds > 0)
            printf(", %.1f docs/s", (double)j->n_run / j->run_seconds);
        putchar('\n');
    }
    gg_str_free(&command);
    gg_nag_ranking_free(r);
    return st;
}

int gg__nag_cmd_select(int argc, char **argv)
{
    job j = {.w = {GG__NAG_RUN_DEFAULTS}, .rank = {.fraction = 0.2, .power = 1}, .weights = "frequency"};
    const gg_option options[] = {
        GG__NAG_OPT_MODEL(j.w),
        {NULL, "target", GG_OPT_TEXTS, &j.target, "T", "documents that show what is wanted: JSONL (.gz, .zst), CSV, TSV, Parquet, a folder of .txt files", NULL, true, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &j.pool, "P", "documents to choose from", NULL, true, 0, 0},
        GG__NAG_OPT_COLUMNS(j.w),
        {NULL, "token-column", GG_OPT_TEXT, &j.w.token_column, "NAME", "column of a document's token count (token_num when present, else counted)", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &j.rank.label_column, "NAME", "column of known domains, for the table (domain or dataset when present)", NULL, false, 0, 0},
        {NULL, "target-label", GG_OPT_TEXT, &j.rank.target_label, "V", "the domain that counts as right (that of all target documents, when they share one)", NULL, false, 0, 0},
        {"Method", "fraction", GG_OPT_DOUBLE, &j.rank.fraction, "R", "part of the pool's tokens to choose, in (0, 1] [r_f]", NULL, false, 0, 0},
        {NULL, "site", GG_OPT_TEXT, &j.w.sites, "TYPE", "neuron type: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "top-k", GG_OPT_INT, &j.w.top_k, "K", "neurons kept of each layer (paper: about 0.3 % of it) [K]", NULL, false, 1, 1 << 20},
        {NULL, "max-tokens", GG_OPT_INT, &j.w.max_tokens, "N", "the first N tokens of a document", NULL, false, 1, 1e9},
        {NULL, "special", GG_OPT_FLAG, &j.w.special, NULL, "add the special tokens that the model expects around a text (the paper does not)", NULL, false, 0, 0},
        {NULL, "action", GG_OPT_TEXT, &j.w.action, "A.json", "an action file: neurons to switch, scale or set while the model runs", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &j.weights, "W", "frequency: the paper's; contrast: log-odds of the target against the pool", "frequency|contrast", false, 0, 0},
        {NULL, "power", GG_OPT_DOUBLE, &j.rank.power, "P", "exponent on the target's counts (frequency only)", NULL, false, 0, 0},
        {NULL, "quality-column", GG_OPT_TEXT, &j.rank.quality_column, "C", "mix minmax(distance) with minmax of this column; lower is better", NULL, false, 0, 0},
        {NULL, "invert-quality", GG_OPT_FLAG, &j.rank.invert_quality, NULL, "higher is better in that column", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &j.output, "OUT", "the chosen rows, nearest first: .jsonl[.gz|.zst], .csv, .tsv, .parquet", NULL, true, 0, 0},
        {NULL, "report", GG_OPT_TEXT, &j.report, "DIR", "plots (PNG, SVG) and report.html into this folder", NULL, false, 0, 0},
        GG__NAG_OPT_DTYPE(j.w),
    };
    gg_command c = {.name = "nag select",
                    .sentence = "Chooses the part of a pool that excites the same neurons as a few target documents.",
                    .example = "golgi nag select --model M --target T.jsonl --pool P.jsonl --fraction 0.2 --output out.jsonl",
                    .notes = "Features are kept in OUTPUT.parts/, so a second run with another fraction takes no time, and one that was stopped goes on. "
                             "The folder may be removed.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    j.c = &c;
    if ((s = gg_command_context(&j.ctx, &c)) == GG_OK) {
        j.target_features.ctx = j.pool_features.ctx = j.ctx;
        s = run(&j, argc, argv);
    }
    gg_lock_free(j.lock);
    gg_model_free(j.m);
    gg_actions_free(j.actions);
    gg_str_free(&j.target_features);
    gg_str_free(&j.pool_features);
    gg_drop(j.ctx, j.label_column);
    gg_drop(j.ctx, j.target_label);
    return gg_command_close(&c, j.ctx, s);
}
