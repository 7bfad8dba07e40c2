/* golgi nag rank, merge, slice. */
#include <stdio.h>
#include "systems/nag/cmd.h"
#include "base/work.h"

static gg_status write_report(const gg_nag_ranking *r, const gg_nag_rank_options *o, const gg__nag_story *story, const char *folder, double start, int argc,
                              char **argv)
{
    gg_str command = {.ctx = r->ctx};
    const char **input = gg_new(r->ctx, const char *, o->n_target + o->n_pool + o->n_payload);
    gg_status st = input ? gg__nag_command_line(&command, "nag rank", argc, argv) : GG_ENOMEM;
    int n = 0;
    for (int i = 0; i < o->n_target && st == GG_OK; i++)
        input[n++] = o->target[i];
    for (int i = 0; i < o->n_pool && st == GG_OK; i++)
        input[n++] = o->pool[i];
    for (int i = 0; i < o->n_payload && st == GG_OK; i++)
        input[n++] = o->payload[i];
    if (st == GG_OK)
        st = gg__nag_report(&(gg__nag_chapter){.r = r, .o = o, .story = story}, 1, folder,
                            &(gg__nag_made){.command = command.data, .input = input, .n_inputs = n, .started = start});
    gg_drop(r->ctx, input);
    gg_str_free(&command);
    return st;
}

int gg__nag_cmd_rank(int argc, char **argv)
{
    gg_texts target = {0}, pool = {0}, payload = {0}, target_payload = {0};
    gg_nag_rank_options o = {.power = 1, .fraction = 0.2};
    const char *output = NULL, *weights = "frequency", *site = "up", *text_column = NULL, *report = NULL;
    const double start = gg_time();
    int64_t n_layers = 0;
    bool all = false;
    const gg_option options[] = {
        {"Input", "target", GG_OPT_TEXTS, &target, "F", "feature files of the target", NULL, true, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &pool, "F", "feature files of the pool", NULL, true, 0, 0},
        {NULL, "payload", GG_OPT_TEXTS, &payload, "POOL", "the pool's documents: all their columns are carried to the output", NULL, false, 0, 0},
        {NULL, "token-column", GG_OPT_TEXT, &o.token_column, "NAME",
         "column of the token counts in the payload (default: the features' own, else token_num)", NULL, false, 0, 0},
        {NULL, "target-filter", GG_OPT_TEXT, &o.target_filter, "V", "keep the target rows whose column says V", NULL, false, 0, 0},
        {NULL, "target-filter-column", GG_OPT_TEXT, &o.target_filter_column, "NAME", "that column (default dataset)", NULL, false, 0, 0},
        {NULL, "target-payload", GG_OPT_TEXTS, &target_payload, "T", "the target's documents, where that column is", NULL, false, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "fraction", GG_OPT_DOUBLE, &o.fraction, "R", "part of the pool's tokens to choose, in (0, 1] [r_f]", NULL, false, 0, 0},
        {NULL, "site", GG_OPT_TEXT, &site, "TYPE", "neuron type to compare: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &weights, "W",
         "frequency: the paper's; contrast: log-odds of the target against the pool", "frequency|contrast", false, 0, 0},
        {NULL, "power", GG_OPT_DOUBLE, &o.power, "P", "exponent on the target's counts (frequency only)", NULL, false, 0, 0},
        {NULL, "quality-column", GG_OPT_TEXT, &o.quality_column, "C", "mix minmax(distance) with minmax of this column; lower is better", NULL, false, 0, 0},
        {NULL, "invert-quality", GG_OPT_FLAG, &o.invert_quality, NULL, "higher is better in that column", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &o.label_column, "NAME",
         "column of known domains: shares by domain and precision at n are told", NULL, false, 0, 0},
        {NULL, "target-label", GG_OPT_TEXT, &o.target_label, "V", "the domain that counts as right", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "OUT", "rows, nearest first: .jsonl[.gz|.zst], .csv, .tsv, .parquet, or -", NULL, true, 0, 0},
        {NULL, "all", GG_OPT_FLAG, &all, NULL, "write the whole ranking, not only the chosen", NULL, false, 0, 0},
        {NULL, "text-column", GG_OPT_TEXT, &text_column, "NAME", "column whose first words are shown of the nearest and farthest", NULL, false, 0, 0},
        {NULL, "report", GG_OPT_TEXT, &report, "DIR", "plots (PNG, SVG) and one report.html into this folder", NULL, false, 0, 0},
    };
    gg_command c = {.name = "nag rank",
                    .sentence = "Orders a pool by its distance to a target and chooses the nearest documents within a token budget.",
                    .example = "golgi nag rank --target target.nag --pool pool.nag --payload pool.jsonl.zst --fraction 0.2 --output chosen.jsonl",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_nag_ranking *r = NULL;
    gg__nag_story story = {.target_name = o.target_label ? o.target_label : o.target_filter ? o.target_filter : target.at[0]};
    o.weights = strcmp(weights, "contrast") == 0 ? GG_NAG_CONTRAST : GG_NAG_FREQUENCY;
    o.n_layers = (int)n_layers;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg__nag_type_parse(&o.type, ctx, site)) == GG_OK &&
        (s = gg__nag_paths(o.target, &o.n_target, ctx, target, "--target")) == GG_OK && (s = gg__nag_paths(o.pool, &o.n_pool, ctx, pool, "--pool")) == GG_OK &&
        (s = gg__nag_paths(o.payload, &o.n_payload, ctx, payload, "--payload")) == GG_OK &&
        (s = gg__nag_paths(o.target_payload, &o.n_target_payload, ctx, target_payload, "--target-payload")) == GG_OK &&
        (s = gg_nag_rank(&r, ctx, &o)) == GG_OK && (s = gg_nag_ranking_write(r, &o, output, all)) == GG_OK &&
        (s = gg__nag_excerpts(&story, r, &o, text_column)) == GG_OK) {
        if (report)
            s = write_report(r, &o, &story, report, start, argc, argv);
        if (s == GG_OK && c.json && strcmp(output, "-") != 0)
            s = gg__nag_print_json(ctx, gg__nag_tell_json(r, &o, &story));
        else if (s == GG_OK && !c.quiet) {
            FILE *to = gg_command_say_begin(&c);
            gg__nag_tell(to, r, &o, &story);
            if (report)
                fprintf(to, "\n%s/report.html\n", report);
            gg_command_say_end(&c, to);
        }
    }
    gg_nag_ranking_free(r);
    return gg_command_close(&c, ctx, s);
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
    gg_nag_merge_result r;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_nag_merge(&r, ctx, output, input.at, input.n, deduplicate)) == GG_OK) {
        if (c.json && strcmp(output, "-") != 0)
            s = gg__nag_print_json(
                ctx, json_pack("{s:s, s:I, s:I}", "output", output, "n_rows", (json_int_t)r.n_rows, "n_duplicates", (json_int_t)r.n_duplicates));
        else if (!c.quiet) {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "merged %d selections: %lld rows%s -> %s\n", input.n, (long long)r.n_rows, deduplicate ? ", each document once" : "", output);
            gg_command_say_end(&c, to);
        }
    }
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
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg_nag_slice(&n, ctx, output, input, layers, (int)n_layers)) == GG_OK && !c.quiet) {
        if (c.json && strcmp(output, "-") != 0)
            s = gg__nag_print_json(ctx, json_pack("{s:s, s:I, s:s}", "output", output, "n_documents", (json_int_t)n, "layers", layers));
        else {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "kept layers %s of %lld documents -> %s\n", layers, (long long)n, output);
            gg_command_say_end(&c, to);
        }
    }
    return gg_command_close(&c, ctx, s);
}
