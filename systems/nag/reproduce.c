/* golgi reproduce nag: the paper's claims, computed anew on this machine. Owns the command, the order of the parts, and how the whole is told;
 * reproduce.h says who does what. */
#include <stdio.h>
#include "systems/nag/reproduce.h"
#include "base/file.h"
#include "base/json.h"

typedef struct part {
    const char *name;
    gg_status (*run)(gg__lab *lab);
} part;

static const part parts[] = {
    {"exactness", gg__nag_lab_exactness}, {"discrimination", gg__nag_lab_discrimination},
    {"contrast", gg__nag_lab_contrast},   {"target-size", gg__nag_lab_target_size},
    {"bf16", gg__nag_lab_bf16},           {"causality", gg__nag_lab_causality},
    {"proxy", gg__nag_lab_proxy},         {"utility", gg__nag_lab_utility},
};
enum { N_PARTS = sizeof parts / sizeof *parts };

#define DEFAULT_MODEL "models/SmolLM2-135M-Instruct.Q4_1.gguf"
#define DEFAULT_POOL "examples/pool.jsonl.zst"

/* "causality,proxy" -> which; NULL: all */
static gg_status choose(bool on[N_PARTS], gg_context *ctx, const char *words)
{
    for (int i = 0; i < N_PARTS; i++)
        on[i] = !words;
    for (const char *w = words; w && *w;) {
        const size_t n = strcspn(w, ",");
        int i = 0;
        while (i < N_PARTS && (strlen(parts[i].name) != n || strncmp(parts[i].name, w, n) != 0))
            i++;
        if (i == N_PARTS) {
            gg_str names = {.ctx = ctx};
            const char *known[N_PARTS];
            for (int k = 0; k < N_PARTS; k++)
                gg_str_printf(&names, "%s%s", k ? ", " : "", known[k] = parts[k].name);
            char word[32];
            snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), w);
            const char *near = gg_nearest(word, known, N_PARTS);
            const gg_status s = gg_fail(ctx, GG_EINVAL, "--part: there is no part \"%s\"%s%s%s; the parts are %s", word, near ? ", did you mean \"" : "",
                                        near ? near : "", near ? "\"?" : "", names.failed ? "?" : names.data);
            gg_str_free(&names);
            return s;
        }
        on[i] = true;
        w += n + (w[n] == ',');
    }
    return GG_OK;
}

static gg_status check_files(const gg__lab *lab)
{
    if (!gg_file_exists(lab->model))
        return gg_fail(lab->ctx, GG_ENOENT, "there is no model %s: name one with --model, or fetch the default one (golgi model get smollm2-135m-instruct)",
                       lab->model);
    for (int i = 0; i < lab->pool.n; i++)
        if (!gg_file_exists(lab->pool.at[i]))
            return gg_fail(lab->ctx, GG_ENOENT, "there is no pool %s: name documents with --pool and their domains with --label-column", lab->pool.at[i]);
    return GG_OK;
}

/* --- telling ------------------------------------------------------------------------------------------------------------------------------ */
static void say_counts(gg_str *out, const gg_claims *c)
{
    gg_str_printf(out, "%d held, %d not held, %d not tried", gg_claims_count(c, GG_HELD), gg_claims_count(c, GG_NOT_HELD), gg_claims_count(c, GG_NOT_TRIED));
}

/* What this run did not compute itself, because one before it did. */
static void say_kept(gg_str *out, const gg__lab *lab)
{
    if (lab->n_kept || lab->n_losses_kept || lab->n_models_kept)
        gg_str_printf(out, " (features of %lld documents and %lld losses, %lld trained models, found in %s, from a run of this version with the same "
                           "model and documents)",
                      (long long)lab->n_kept, (long long)lab->n_losses_kept, (long long)lab->n_models_kept, lab->work);
}

static gg_status command_line(gg_str *out, int argc, char **argv)
{
    gg_str_puts(out, "golgi reproduce nag");
    for (int i = 1; i < argc; i++)
        gg_str_printf(out, strpbrk(argv[i], " \t'\"$") ? " '%s'" : " %s", argv[i]);
    return out->failed ? GG_ENOMEM : GG_OK;
}

static gg_status write_report(gg__lab *lab, const char *command, double seconds)
{
    gg_report *r = NULL;
    gg_str headline = {.ctx = lab->ctx}, text = {.ctx = lab->ctx};
    char hash[65];
    GG_TRY(gg_model_hash(lab->m, hash));
    gg_str_puts(&headline, "Neuron-Activated Graphs, redone: ");
    say_counts(&headline, lab->claims);
    gg_status s = headline.failed ? GG_ENOMEM : gg_report_create(&r, lab->ctx, "golgi reproduce nag", headline.data);
    gg_str_free(&headline);
    GG_TRY(s);
    for (int p = 0; p < gg_claims_parts(lab->claims) && s == GG_OK; p++) {
        gg_report_section(r, gg_claims_part_name(lab->claims, p), gg_claims_part_about(lab->claims, p));
        for (int f = 0; f < lab->n_figures && s == GG_OK; f++)
            if (lab->figure[f].part == p)
                s = gg_report_figure(r, lab->figure[f].svg, lab->figure[f].caption);
        if (s == GG_OK)
            s = gg_claims_table(lab->claims, r, p);
    }
    gg_report_fact(r, "paper", "Target-Oriented Pretraining Data Selection via Neuron-Activated Graph, arXiv 2604.15706");
    gg_report_fact(r, "verdict",
                   "a claim holds when the mean of what was measured in this run stands in its relation to the bound; +- is the standard deviation");
    gg_report_fact(r, "command", command);
    gg_report_fact(r, "model", gg_model_describe(lab->m)->name);
    gg_report_fact(r, "model's SHA-256", hash);
    for (int i = 0; i < lab->pool.n; i++)
        gg_report_fact(r, "pool", lab->pool.at[i]);
    gg_str_printf(&text, "%llu", (unsigned long long)gg_context_seed(lab->ctx));
    gg_report_fact(r, "seed", text.failed ? "?" : text.data);
    text.len = 0;
    gg_str_printf(&text, "%.0f s", seconds);
    say_kept(&text, lab);
    gg_report_fact(r, "time", text.failed ? "?" : text.data);
    text.len = 0;
    gg_str_printf(&text, "%s/report.html", lab->report);
    s = s != GG_OK || text.failed ? (gg_report_discard(r), s != GG_OK ? s : GG_ENOMEM) : gg_report_commit(r, text.data);
    gg_str_free(&text);
    return s;
}

static gg_status print_json(const gg__lab *lab, double seconds)
{
    char hash[65];
    GG_TRY(gg_model_hash(lab->m, hash));
    json_t *pool = json_array();
    for (int i = 0; i < lab->pool.n; i++)
        gg_json_add(&pool, json_string(lab->pool.at[i]));
    json_t *j = json_pack("{ss ss s{ss ss} s{so sI si ss} sI sI sb sf s{sI sI sI} so si si si}", "system", "nag", "version", gg_version(), "model", "name",
                          gg_model_describe(lab->m)->name, "sha256", hash, "pool", "paths", pool, "documents", (json_int_t)lab->n, "domains", lab->n_labels,
                          "label_column", lab->label_column, "seed", (json_int_t)gg_context_seed(lab->ctx), "seeds", (json_int_t)lab->n_seeds, "quick",
                          (int)lab->quick, "seconds", seconds, "found_in_work", "features", (json_int_t)lab->n_kept, "losses", (json_int_t)lab->n_losses_kept,
                          "models", (json_int_t)lab->n_models_kept, "parts", gg_claims_json(lab->claims), "held", gg_claims_count(lab->claims, GG_HELD),
                          "not_held", gg_claims_count(lab->claims, GG_NOT_HELD), "not_tried", gg_claims_count(lab->claims, GG_NOT_TRIED));
    return gg_json_print(lab->ctx, j);
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------------------- */
static gg_status open_model(gg__lab *lab)
{
    GG_TRY(gg_model_open(&lab->m, lab->ctx, lab->model, &(gg_model_options){.dtype = GG_F32}));
    const gg_model_description *d = gg_model_describe(lab->m);
    return d->n_ctx < lab->max_tokens ? gg_fail(lab->ctx, GG_EUNSUPPORTED, "the model takes %lld tokens; the experiments take %lld", (long long)d->n_ctx,
                                                (long long)lab->max_tokens)
                                      : GG_OK;
}

static gg_status run(gg__lab *lab, const char *words, int argc, char **argv)
{
    const double begin = gg_time();
    bool on[N_PARTS];
    GG_TRY(choose(on, lab->ctx, words));
    GG_TRY(check_files(lab));
    if (lab->report)
        GG_TRY(gg_file_mkdirs(lab->ctx, lab->report));
    GG_TRY(gg_claims_create(&lab->claims, lab->ctx));
    GG_TRY(open_model(lab));
    for (int i = 0; i < N_PARTS; i++) {
        const int before = lab->claims ? gg_claims_parts(lab->claims) : 0;
        if (!on[i])
            continue;
        GG_TRY(parts[i].run(lab));
        for (int p = before; p < gg_claims_parts(lab->claims) && !lab->c->json; p++)
            gg_claims_print(lab->claims, stdout, p);
        fflush(stdout);
    }
    const double seconds = gg_time() - begin;
    gg_str command = {.ctx = lab->ctx}, counts = {.ctx = lab->ctx};
    gg_status s = command_line(&command, argc, argv);
    if (s == GG_OK && lab->report)
        s = write_report(lab, command.data, seconds);
    say_counts(&counts, lab->claims);
    if (s == GG_OK && lab->c->json) {
        s = print_json(lab, seconds);
    } else if (s == GG_OK) {
        gg_str_printf(&counts, "; %.0f s", seconds);
        say_kept(&counts, lab);
        puts(counts.failed ? "?" : counts.data);
        if (lab->report)
            printf("%s/report.html\n", lab->report);
    }
    gg_str_free(&command);
    gg_str_free(&counts);
    return s;
}

int gg_nag_reproduce(int argc, char **argv)
{
    gg__lab lab = {.model = DEFAULT_MODEL, .label_column = "domain", .distinct = "scripture,pycode,french,german,lexicon,rust", .golden = "tests/golden/nag",
                   .n_seeds = 0, .max_tokens = 120};
    const char *words = NULL;
    const gg_option options[] = {
        {"Input", "model", GG_OPT_TEXT, &lab.model, "M", "the frozen model: a GGUF file or a Hugging Face folder", NULL, false, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &lab.pool, "P", "documents of known domains [" DEFAULT_POOL "]", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &lab.label_column, "NAME", "column of the domain", NULL, false, 0, 0},
        {NULL, "text-column", GG_OPT_TEXT, &lab.text_column, "NAME", "column of the text; tried when not given: doc, text, content_split, content",
         NULL, false, 0, 0},
        {NULL, "id-column", GG_OPT_TEXT, &lab.id_column, "NAME", "column of the id; tried when not given: docid, meta.docid, id", NULL, false, 0, 0},
        {NULL, "golden", GG_OPT_TEXT, &lab.golden, "DIR", "results of the published code, for exactness", NULL, false, 0, 0},
        {"Method", "part", GG_OPT_TEXT, &words, "LIST",
         "of exactness, discrimination, contrast, target-size, bf16, causality, proxy, utility; all when not given", NULL, false, 0, 0},
        {NULL, "quick", GG_OPT_FLAG, &lab.quick, NULL, "fewer documents, 2 seeds: a few minutes on two cores", NULL, false, 0, 0},
        {NULL, "seeds", GG_OPT_INT, &lab.n_seeds, "N", "draws of whatever is drawn at random (5; quick: 2)", NULL, false, 1, 60},
        {NULL, "per-domain", GG_OPT_INT, &lab.per_domain, "N", "at most so many documents of a domain, the first ones (all; quick: 20)", NULL, false, 10, 1e9},
        {NULL, "steps", GG_OPT_INT, &lab.steps, "N", "training steps of utility's language models (150; quick: 60)", NULL, false, 5, 1e6},
        {NULL, "distinct", GG_OPT_TEXT, &lab.distinct, "LIST", "domains that differ in kind, which discrimination also clusters alone", NULL, false, 0, 0},
        {"Output", "report", GG_OPT_TEXT, &lab.report, "DIR", "plots (PNG, SVG) and report.html into this folder", NULL, false, 0, 0},
        {NULL, "work", GG_OPT_TEXT, &lab.work, "DIR", "keep features, losses and results of models there: the same command, stopped or killed, goes on",
         NULL, false, 0, 0},
    };
    gg_command c =
        {.name = "reproduce nag", .sentence = "Computes the paper's claims anew: claim, the paper's figure, ours, held or not.",
         .example = "golgi reproduce nag --quick",
         .notes = "A claim is held when the mean of what this run measured stands in its relation to the bound in brackets; +- is the standard deviation.",
         .options = options, .n_options = sizeof options / sizeof *options};
    static const char *default_pool[] = {DEFAULT_POOL};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    if (lab.pool.n == 0)
        lab.pool = (gg_texts){.n = 1, .at = default_pool};
    lab.n_seeds = lab.n_seeds ? lab.n_seeds : lab.quick ? 2 : 5;
    lab.steps = lab.steps ? lab.steps : lab.quick ? 60 : 150;
    lab.per_domain = lab.per_domain ? lab.per_domain : lab.quick ? 20 : 0;
    lab.c = &c;
    if ((s = gg_command_context(&lab.ctx, &c)) == GG_OK) {
        lab.arena.ctx = lab.ctx;
        s = run(&lab, words, argc, argv);
        if (s == GG_EINTR && lab.work)
            gg_fail(lab.ctx, s, "stopped; what was measured is kept in %s, and the same command goes on from there", lab.work);
        gg__lab_free(&lab);
    }
    return gg_command_close(&c, lab.ctx, s);
}
