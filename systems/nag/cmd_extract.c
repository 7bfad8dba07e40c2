/* golgi nag extract. */
#include <stdio.h>
#include "systems/nag/cmd.h"
#include "math/roof.h"

static void say(FILE *to, const gg_nag_extract_result *r, const gg_nag_header *h, const char *output)
{
    char a[32], b[32];
    fprintf(to, "extracted %s document%s, %s tokens: ", gg__nag_count_text(a, r->n_documents), r->n_documents == 1 ? "" : "s",
            gg__nag_count_text(b, r->n_tokens));
    for (int s = 0; s < h->n_sites; s++)
        fprintf(to, "%s%s K %lld", s ? ", " : "", gg_nag_type_name(h->site[s].type), (long long)h->site[s].top_k);
    fprintf(to, ", %d layers, %s", h->n_layers, h->dtype);
    const int64_t ran = r->n_documents - r->n_reused;
    if (ran > 0 && r->seconds > 0)
        fprintf(to, "; %.1f s, %.1f docs/s", r->seconds, (double)ran / r->seconds);
    fprintf(to, " -> %s\n", output);
    if (r->n_reused)
        fprintf(to, "  %s of them were kept from an earlier run\n", gg__nag_count_text(a, r->n_reused));
    gg__nag_tell_odd(to, r, h->max_tokens);
}

static json_t *as_json(const gg_nag_extract_result *r, const gg_nag_header *h, const char *output)
{
    json_t *j = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:f, s:o}", "output", output, "n_documents", (json_int_t)r->n_documents, "n_tokens",
                          (json_int_t)r->n_tokens, "n_empty", (json_int_t)r->n_empty, "empty", r->empty, "n_cut", (json_int_t)r->n_cut, "n_repaired",
                          (json_int_t)r->n_repaired, "n_reused", (json_int_t)r->n_reused, "seconds", r->seconds, "header", gg__nag_header_json(h));
    return j;
}

int gg__nag_cmd_extract(int argc, char **argv)
{
    gg__nag_run_words w = {GG__NAG_RUN_DEFAULTS};
    gg_texts input = {0};
    gg__nag_shard_words units = {0};
    const char *output = NULL, *scores = NULL;
    int64_t scores_documents = 3;
    const gg_option options[] = {
        GG__NAG_OPT_MODEL(w),
        {NULL, "input", GG_OPT_TEXTS, &input, "POOL", "documents: JSONL (.gz, .zst), CSV, TSV, Parquet, folders of these or of .txt files, or -",
         NULL, true, 0, 0},
        GG__NAG_OPT_COLUMNS(w),
        {NULL, "token-column", GG_OPT_TEXT, &w.token_column, "NAME",
         "column of a document's token count, kept with the features (token_num when present, else counted)", NULL, false, 0, 0},
        GG__NAG_OPT_METHOD(w),
        {"Output", "output", GG_OPT_TEXT, &output, "F", "features: .nag (binary), .jsonl[.gz|.zst] or .parquet (published layout), or -; or a folder/ of units",
         NULL, true, 0, 0},
        {NULL, "scores", GG_OPT_TEXT, &scores, "S.safetensors", "also write whole impact vectors \"<docid>.<site>\" (layers, neurons)", NULL, false, 0, 0},
        {NULL, "scores-documents", GG_OPT_INT, &scores_documents, "N", "of the first N documents", NULL, false, 1, 1e9},
        {"Many machines", "shard", GG_OPT_TEXT, &units.shard, "i/N",
         "into a folder of units: do the i-th of N even shares, i from 0 (in a Slurm job array: the task's)", NULL, false, 0, 0},
        {NULL, "unit-size", GG_OPT_TEXT, &units.unit_size, "BYTES",
         "cut the input into units of at most so many bytes: plain JSONL and Parquet; other files whole (default 64M)", NULL, false, 0, 0},
        {NULL, "mpi", GG_OPT_FLAG, &units.mpi, NULL, "under mpirun: rank 0 hands out the units, the other ranks do them", NULL, false, 0, 0},
        GG__NAG_OPT_DTYPE(w),
    };
    gg_command c = {.name = "nag extract",
                    .sentence = "Runs a model once over each document and keeps the K neurons of largest impact (mean |output|) in every layer.",
                    .example = "golgi nag extract --model M.gguf --input pool.jsonl.zst --output pool.nag",
                    .notes = "Stopped or killed, the same command goes on where it ended (OUTPUT.parts/ or the folder of units holds what is done). "
                             "Any number of processes may fill one folder of units; merge-shards joins it, rank reads it as it is. See docs/scale.md.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;

    gg_context *ctx = NULL;
    gg_actions *actions = NULL;
    gg_model *m = NULL;
    gg_progress *p = NULL;
    gg_nag_extract_options o;
    gg_nag_extract_result r;
    gg_nag_header h;
    int64_t total = -1;
    double roof = 0;
    gg_parts files = {0};
    const char **paths = NULL;
    gg__nag_shard shard = {0};
    gg_nag_source source = {.options = gg__nag_documents_options_of(&w)};
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg__nag_extract_options_of(&o, ctx, &w, NULL)) == GG_OK &&
        (s = gg__nag_shard_parse(&shard, ctx, &units, output)) == GG_OK && (s = gg__nag_inputs(&files, &paths, ctx, input)) == GG_OK) {
        source.paths = paths;
        source.n_paths = (int)files.n;
    }
    o.scores = scores;
    if (s == GG_OK && shard.units) {
        s = gg__nag_extract_units(&c, ctx, &w, &shard, &source, output, &o);
    } else if (s == GG_OK && (s = gg__nag_count(&total, ctx, &source)) == GG_OK && (s = gg__nag_open_model(&m, &actions, ctx, &w)) == GG_OK &&
        (s = gg_command_progress(&p, &c, ctx, input.at[0], "docs", total)) == GG_OK && (s = gg_roof_show(p, &roof, ctx, gg_model_dtype(m))) == GG_OK) {
        o.actions = actions;
        o.progress = p;
        o.scores_documents = scores_documents;
        s = gg_nag_extract_file(&r, ctx, m, &source, output, &o);
    }
    gg_progress_free(p);
    if (s == GG_OK && !shard.units && (s = gg_nag_header_of(&h, ctx, m, &o)) == GG_OK) {
        if (!c.quiet && !c.json) {
            FILE *to = gg_command_say_begin(&c);
            say(to, &r, &h, output);
            gg_command_say_end(&c, to);
        }
        if (c.json && strcmp(output, "-") != 0)
            s = gg_json_print(ctx, as_json(&r, &h, output));
    }
    gg_model_free(m);
    gg_actions_free(actions);
    gg_drop(ctx, paths);
    gg_parts_free(&files, ctx);
    return gg_command_close(&c, ctx, s);
}
