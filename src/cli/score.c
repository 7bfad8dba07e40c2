/* golgi score: how well a model predicts each document, and what it would say next. */
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/lock.h"
#include "base/memory.h"
#include "math/roof.h"
#include <math.h>
#include <stdio.h>

struct sink {
    gg_rows_writer *out;
    gg_context *ctx;
    double sum_nll; /* over predicted tokens */
    int64_t n_predicted;
};

static gg_status write_row(void *user, const gg_score_row *r)
{
    struct sink *k = user;
    json_t *top = json_array();
    for (int i = 0; i < r->n_top && top; i++)
        if (json_array_append_new(top, json_pack("[i, f]", (int)r->top_id[i], (double)r->top_logit[i])) != 0) {
            json_decref(top);
            top = NULL;
        }
    json_t *row = json_pack("{s:s, s:I, s:o, s:o}", "docid", r->docid, "n_tokens", (json_int_t)r->n_tokens, "mean_nll",
                            gg_json_number(r->mean_nll), "top", top);
    if (!row)
        return gg_fail(k->ctx, GG_ENOMEM, "out of memory while writing the score of %s", r->docid);
    if (r->n_tokens > 1 && isfinite(r->mean_nll)) {
        k->sum_nll += r->mean_nll * (double)(r->n_tokens - 1);
        k->n_predicted += r->n_tokens - 1;
    }
    const gg_status s = gg_rows_writer_add(k->out, row);
    json_decref(row);
    return s;
}

int gg_cli_score(int argc, char **argv)
{
    const char *model = NULL, *output = NULL, *action = NULL, *dtype = "f32", *text = NULL, *id = NULL;
    gg_texts input = {0};
    int64_t max_tokens = 0, top = 5;
    bool special = false, strict = false;
    const gg_option options[] = {
        GG_CLI_MODEL(model),
        GG_CLI_DOCUMENTS(input, text, id, strict, true),
        {"Method", "top", GG_OPT_INT, &top, "K", "largest logits after the last token", NULL, false, 0, 1000},
        GG_CLI_RUN(max_tokens, special, action, dtype),
        {"Output", "output", GG_OPT_TEXT, &output, "S.jsonl", "rows docid, n_tokens, mean_nll (nats a token), top [[id, logit], ...]; .jsonl[.gz|.zst], or -",
         NULL, true, 0, 0},
    };
    gg_command c = {.name = "score",
                    .sentence = "How well a model predicts each document: mean negative log-likelihood in nats a token, and the likeliest next tokens.",
                    .example = "golgi score --model M.gguf --input pool.jsonl --max-tokens 120 --output scores.jsonl",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;

    gg_context *ctx = NULL;
    gg_actions *actions = NULL;
    gg_model *m = NULL;
    gg_documents *d = NULL;
    gg_progress *p = NULL;
    gg_lock *lock = NULL;
    struct sink sink = {0};
    gg_run_result r = {0};
    double roof = 0;
    if ((s = gg_command_context(&ctx, &c)) != GG_OK || (s = gg_lock_take(&lock, ctx, output)) != GG_OK ||
        (action && (s = gg_actions_read(&actions, ctx, action)) != GG_OK) ||
        (s = gg_documents_open(&d, ctx, input.at, input.n, &(gg_documents_options){.text_column = text, .id_column = id, .strict = strict})) != GG_OK ||
        (s = gg_model_open(&m, ctx, model, &(gg_model_options){.dtype = gg_linear_dtype(ctx, dtype), .actions = actions})) != GG_OK ||
        (s = gg_rows_writer_open(&sink.out, ctx, output)) != GG_OK || (s = gg_command_progress(&p, &c, ctx, input.at[0], "documents", 0)) != GG_OK)
        goto end;
    sink.ctx = ctx;
    if ((s = gg_roof_show(p, &roof, ctx, gg_model_dtype(m))) == GG_OK)
        s = gg_score(&r, m, d, &(gg_run_options){.max_tokens = max_tokens, .special = special, .progress = p}, (int)top, write_row, &sink);
    gg_progress_free(p);
    if (s == GG_OK) {
        s = gg_rows_writer_commit(sink.out);
        sink.out = NULL;
    }
    const double mean = sink.n_predicted ? sink.sum_nll / (double)sink.n_predicted : (double)NAN;
    if (s == GG_OK && c.json && strcmp(output, "-") != 0) {
        s = gg_json_print(ctx, json_pack("{s:s, s:I, s:I, s:I, s:o, s:I}", "output", output, "n_documents", (json_int_t)r.n_documents, "n_tokens",
                                             (json_int_t)r.n_tokens, "n_predicted", (json_int_t)sink.n_predicted, "mean_nll",
                                             gg_json_number(mean), "n_empty", (json_int_t)gg_documents_empty(d)));
    } else if (s == GG_OK && !c.quiet) {
        FILE *to = gg_command_say_begin(&c);
        fprintf(to, "scored %lld document%s, %lld tokens: ", (long long)r.n_documents, r.n_documents == 1 ? "" : "s", (long long)r.n_tokens);
        if (sink.n_predicted)
            fprintf(to, "mean %.4f nats a token -> %s\n", mean, output);
        else
            fprintf(to, "none has another before it to be predicted from -> %s\n", output);
        gg_cli_say_empty(to, d);
        gg_command_say_end(&c, to);
    }
end:
    if (s == GG_EINTR && strcmp(output, "-") != 0) /* wherever it was stopped */
        gg_fail(ctx, s, "stopped after %lld documents; %s was not written", (long long)r.n_documents, output);
    gg_rows_writer_discard(sink.out);
    gg_lock_free(lock);
    gg_documents_close(d);
    gg_model_free(m);
    gg_actions_free(actions);
    return gg_command_close(&c, ctx, s);
}
