/* golgi lm train: a small language model from text (generate: lm_generate.c). golgi tokenizer train: a vocabulary from text. */
#include "cli/common.h"
#include "cli/lm.h"
#include "cli/verbs.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "io/stream.h"
#include <golgi/lm.h>
#include <math.h>
#include <stdio.h>

/* --- texts to tokens ------------------------------------------------------------------------------------------------------------------------ */
static gg_status each_text(gg_context *ctx, gg_texts paths, const gg_documents_options *o, gg_status (*take)(void *user, const char *text, size_t n),
                           void *user)
{
    gg_documents *d = NULL;
    gg_document doc;
    GG_TRY(gg_documents_open(&d, ctx, paths.at, paths.n, o));
    gg_status s;
    while ((s = gg_documents_next(d, &doc)) == GG_OK) {
        s = take(user, doc.text, doc.n_text);
        json_decref(doc.row);
        if (s != GG_OK)
            break;
    }
    gg_documents_close(d);
    return s == GG_END ? GG_OK : s;
}

static gg_status to_trainer(void *user, const char *text, size_t n) { return gg_bpe_trainer_add(user, text, n); }

static gg_status train_vocabulary(int64_t *n_tokens, gg_context *ctx, gg_texts input, const gg_documents_options *o, int64_t vocab, int64_t min_count,
                                  bool characters, const char *output)
{
    gg_bpe_trainer *t = NULL;
    GG_TRY(gg_bpe_trainer_create(&t, ctx));
    gg_status s = vocab > 257 || characters ? each_text(ctx, input, o, to_trainer, t) : GG_OK; /* the bytes alone need no text */
    if (s == GG_OK)
        s = characters ? gg_bpe_trainer_write_characters(t, n_tokens, output, "<|endoftext|>")
                       : gg_bpe_trainer_write(t, n_tokens, output, vocab, min_count, "<|endoftext|>");
    gg_bpe_trainer_free(t);
    return s;
}

typedef struct corpus {
    gg_context *ctx;
    const gg_tokenizer *tokenizer;
    int32_t end; /* put behind every document; -1: none */
    gg_token_list one, all;
    int64_t n_documents;
} corpus;

static gg_status to_tokens(void *user, const char *text, size_t n)
{
    corpus *c = user;
    GG_TRY(gg_tokenizer_encode(c->tokenizer, &c->one, text, n, 0, 0));
    const int64_t need = c->all.n + c->one.n + 1;
    if (need > c->all.cap) {
        const int64_t cap = need > 2 * c->all.cap ? need : 2 * c->all.cap;
        int32_t *id = gg_renew(c->ctx, c->all.id, int32_t, cap);
        if (!id)
            return GG_ENOMEM;
        c->all.id = id;
        c->all.cap = cap;
    }
    memcpy(c->all.id + c->all.n, c->one.id, (size_t)c->one.n * sizeof *c->one.id);
    c->all.n += c->one.n;
    if (c->end >= 0)
        c->all.id[c->all.n++] = c->end;
    c->n_documents++;
    return gg_context_stopped(c->ctx) ? gg_fail(c->ctx, GG_EINTR, "stopped") : GG_OK;
}

static gg_status read_corpus(corpus *c, gg_context *ctx, const gg_tokenizer *t, gg_texts input, const gg_documents_options *o)
{
    *c = (corpus){.ctx = ctx, .tokenizer = t, .end = (int32_t)gg_tokenizer_eos(t), .one = {.ctx = ctx}, .all = {.ctx = ctx}};
    const gg_status s = each_text(ctx, input, o, to_tokens, c);
    gg_token_list_free(&c->one);
    if (s == GG_OK && c->n_documents == 1 && c->end >= 0) /* one text, not a row of documents */
        c->all.n--;
    return s;
}

/* --- golgi tokenizer train ---------------------------------------------------------------------------------------------------------------------- */
static int tokenizer_train(int argc, char **argv)
{
    gg_texts input = {0};
    const char *output = NULL, *text = NULL, *id = NULL;
    int64_t vocab = 2048, min_count = 2, n = 0;
    bool strict = false, characters = false;
    const gg_option options[] = {
        GG_CLI_DOCUMENTS(input, text, id, strict, true),
        {"Method", "vocab", GG_OPT_INT, &vocab, "N", "tokens, the 256 bytes and <|endoftext|> among them", NULL, false, 257, 1 << 24},
        {NULL, "min-count", GG_OPT_INT, &min_count, "N", "merge only pairs that occur so often", NULL, false, 1, 1e15},
        {NULL, "characters", GG_OPT_FLAG, &characters, NULL, "instead: each character of the texts is a token", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &output, "T.json", "the vocabulary, as a tokenizer.json", NULL, true, 0, 0},
    };
    gg_command c = {.name = "tokenizer train",
                    .sentence = "Learns a byte-level BPE vocabulary (GPT-2's bytes and pieces) from texts.",
                    .example = "golgi tokenizer train --input pool.jsonl.zst --vocab 2048 --output tokenizer.json",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK &&
        (s = train_vocabulary(&n, ctx, input, &(gg_documents_options){.text_column = text, .id_column = id, .strict = strict}, vocab, min_count, characters,
                              output)) == GG_OK) {
        if (c.json) {
            s = gg_json_print(ctx, json_pack("{s:s, s:I}", "output", output, "n_tokens", (json_int_t)n));
        } else if (!c.quiet) {
            FILE *to = gg_command_say_begin(&c);
            fprintf(to, "%lld tokens -> %s%s\n", (long long)n, output, n < vocab && !characters ? " (no other pair is frequent enough)" : "");
            gg_command_say_end(&c, to);
        }
    }
    return gg_command_close(&c, ctx, s);
}

int gg_cli_tokenizer(int argc, char **argv)
{
    static const gg_verb verbs[] = {{"train", "learn a vocabulary from texts", tokenizer_train}};
    return gg_verbs_run("tokenizer", "golgi tokenizer - vocabularies made here. (Texts to ids: golgi tokenize.)", verbs, 1, argc, argv);
}

/* --- golgi lm train -------------------------------------------------------------------------------------------------------------------------------- */
typedef struct words {
    gg_texts input, validation;
    const char *text, *id, *arch, *tokenizer, *output, *gguf;
    int64_t layers, width, heads, kv_heads, d_ff, context, batch, steps, eval_every, vocab;
    double lr, lr_end, warmup, beta2, clip, dropout, val_fraction, weight_decay;
    const char *schedule;
    bool strict, untied, characters, mpi;
} words;

typedef struct watch {
    gg_context *ctx;
    gg_progress *progress;
    bool begun;
} watch;

static gg_status look(void *user, const gg_lm_step *s)
{
    watch *w = user;
    if (!w->begun && s->step > 1)
        gg_progress_before(w->progress, s->step - 1); /* of an earlier sitting */
    w->begun = true;
    gg_progress_add(w->progress, 1);
    if (!isnan(s->val_loss))
        gg_log(w->ctx, GG_LOG_INFO, "step %lld: loss %.4f, validation %.4f", (long long)s->step, s->loss, s->val_loss);
    return GG_OK;
}

typedef struct job {
    gg_context *ctx;
    gg_command *c;
    const words *w;
    gg_ranks *ranks;                /* of an MPI job; NULL: alone */
    gg_lock *lock;                  /* rank 0's */
    gg_documents_options columns;
    gg_str path, checkpoint, log;   /* of the tokenizer, and in the folder */
    gg_tokenizer *t;
    corpus in, val;
    int64_t n_train, n_val;
    gg_lm *lm;
    watch watch;
    gg_lm_result r;
} job;

static bool writes(const job *j) { return gg_ranks_self(j->ranks) == 0; }

/* The folder, and the vocabulary that is learned: by rank 0. */
static gg_status learn(job *j)
{
    const words *w = j->w;
    gg_str config = {.ctx = j->ctx};
    int64_t n = 0;
    gg_str_printf(&j->checkpoint, "%s/checkpoint.safetensors", w->output);
    gg_str_printf(&j->log, "%s/train.csv", w->output);
    gg_str_printf(&j->path, w->tokenizer ? "%s" : "%s/tokenizer.json", w->tokenizer ? w->tokenizer : w->output);
    gg_str_printf(&config, "%s/tokenizer_config.json", w->output); /* of an earlier vocabulary */
    gg_status s = j->checkpoint.failed || j->log.failed || j->path.failed || config.failed ? GG_ENOMEM : GG_OK;
    if (s == GG_OK && writes(j) && (s = gg_file_mkdirs(j->ctx, w->output)) == GG_OK && (s = gg_lock_take(&j->lock, j->ctx, j->checkpoint.data)) == GG_OK)
        gg_lock_sweep_folder(j->ctx, w->output);
    if (s == GG_OK && writes(j) && !w->tokenizer && (s = gg_file_remove(j->ctx, config.data)) == GG_OK)
        s = train_vocabulary(&n, j->ctx, w->input, &j->columns, w->vocab, 2, w->characters, j->path.data);
    gg_str_free(&config);
    return s;
}

/* What every rank has: tokens and a model. */
static gg_status make_ready(job *j)
{
    const words *w = j->w;
    GG_TRY(gg_tokenizer_open_path(&j->t, j->ctx, j->path.data));
    GG_TRY(read_corpus(&j->in, j->ctx, j->t, w->input, &j->columns));
    if (w->validation.n)
        GG_TRY(read_corpus(&j->val, j->ctx, j->t, w->validation, &j->columns));
    j->n_val = w->validation.n ? j->val.all.n : (int64_t)(w->val_fraction * (double)j->in.all.n);
    j->n_train = w->validation.n ? j->in.all.n : j->in.all.n - j->n_val;
    return gg_lm_create(&j->lm, j->ctx,
                        &(gg_lm_options){.kind = strcmp(w->arch, "gpt2") == 0 ? GG_LM_GPT2 : GG_LM_LLAMA,
                                         .n_layers = w->layers,
                                         .d_model = w->width,
                                         .n_heads = w->heads,
                                         .n_kv_heads = w->kv_heads,
                                         .d_ff = w->d_ff,
                                         .n_vocab = gg_tokenizer_size(j->t),
                                         .n_ctx = w->context,
                                         .dropout = w->dropout,
                                         .untied = w->untied},
                        (uint64_t)j->c->seed);
}

static gg_status begin(job *j)
{
    if (!writes(j))
        return GG_OK;
    if (!j->c->quiet && !j->c->json) {
        FILE *to = gg_command_say_begin(j->c);
        fprintf(to, "%lld parameters, %lld tokens to train on, %lld to look at\n", (long long)gg_lm_size(j->lm), (long long)j->n_train, (long long)j->n_val);
        gg_command_say_end(j->c, to);
    }
    return gg_command_progress(&j->watch.progress, j->c, j->ctx, "lm train", "steps", j->w->steps);
}

static gg_status run(job *j)
{
    const words *w = j->w;
    const int32_t *val = j->n_val <= 1 ? NULL : w->validation.n ? j->val.all.id : j->in.all.id + j->n_train;
    return gg_lm_train(
        &j->r, j->lm, j->in.all.id, j->n_train, val, j->n_val,
        &(gg_lm_train_options){.batch = w->batch,
                               .steps = w->steps,
                               .optim = {.kind = GG_OPTIM_ADAMW, .lr = w->lr, .beta2 = w->beta2, .weight_decay = w->weight_decay, .clip_norm = w->clip},
                               .schedule = {.kind = strcmp(w->schedule, "cosine") == 0 ? GG_SCHEDULE_COSINE : GG_SCHEDULE_CONSTANT,
                                            .lr = w->lr,
                                            .lr_min = w->lr * w->lr_end,
                                            .warmup = (int64_t)(w->warmup * (double)w->steps),
                                            .steps = w->steps},
                               .seed = (uint64_t)j->c->seed,
                               .n_threads = gg_context_threads(j->ctx),
                               .eval_every = w->eval_every,
                               .checkpoint = j->checkpoint.data,
                               .log = j->log.data,
                               .look = look,
                               .user = &j->watch,
                               .ranks = j->ranks});
}

/* The saved folder as DIR/model.gguf. */
static gg_status convert(gg_context *ctx, const words *w)
{
    gg_str path = {.ctx = ctx};
    gg_model *m = NULL;
    gg_str_printf(&path, "%s/model.gguf", w->output);
    gg_status s = path.failed ? GG_ENOMEM : gg_model_open(&m, ctx, w->output, &(gg_model_options){.no_weights = true});
    if (s == GG_OK)
        s = gg_model_convert(m, path.data, gg_cli_gguf_format(w->gguf));
    gg_model_free(m);
    gg_str_free(&path);
    return s;
}

/* The tokenizer.json to be copied into the folder, in `path`; false: there is none. A folder's is in it. */
static bool find_json(gg_str *path)
{
    if (gg_file_is_folder(path->data))
        gg_str_puts(path, "/tokenizer.json");
    return !path->failed && gg_name_ends(path->data, ".json") && gg_file_exists(path->data);
}

static gg_status save(job *j)
{
    const words *w = j->w;
    if (!writes(j))
        return GG_OK;
    const bool is_json = find_json(&j->path);
    GG_TRY(gg_lm_save(j->lm, w->output, w->tokenizer && is_json ? j->path.data : NULL));
    if (w->tokenizer && !is_json)
        gg_log(j->ctx, GG_LOG_WARNING, "the folder has no tokenizer.json: give --tokenizer a tokenizer.json to have it copied");
    return w->gguf ? convert(j->ctx, w) : GG_OK;
}

static gg_status tell(const job *j)
{
    const gg_lm_result *r = &j->r;
    if (j->c->json)
        return gg_json_print(j->ctx, json_pack("{s:s, s:I, s:I, s:o, s:o, s:f, s:I, s:i}", "output", j->w->output, "parameters",
                                               (json_int_t)gg_lm_size(j->lm), "train_tokens", (json_int_t)j->n_train, "loss", gg_json_number(r->loss),
                                               "val_loss", gg_json_number(r->val_loss), "seconds", r->seconds, "from_step", (json_int_t)r->from_step,
                                               "ranks", gg_ranks_count(j->ranks)));
    if (j->c->quiet)
        return GG_OK;
    FILE *to = gg_command_say_begin(j->c);
    if (isnan(r->loss))
        fputs("no step was left to make", to);
    else
        fprintf(to, "loss %.4f", r->loss);
    if (!isnan(r->val_loss)) /* there were tokens to look at */
        fprintf(to, ", validation %.4f nats a token (perplexity %.1f)", r->val_loss, exp(r->val_loss));
    else if (!isnan(r->loss))
        fputs(" nats a token", to);
    fprintf(to, "; %.1f s, %.0f tokens/s -> %s\n", r->seconds, (double)r->n_tokens / fmax(r->seconds, 1e-9), j->w->output);
    gg_command_say_end(j->c, to);
    return GG_OK;
}

static gg_status train(gg_context *ctx, gg_command *c, const words *w)
{
    job j = {.ctx = ctx,
             .c = c,
             .w = w,
             .columns = {.text_column = w->text, .id_column = w->id, .strict = w->strict},
             .path = {.ctx = ctx},
             .checkpoint = {.ctx = ctx},
             .log = {.ctx = ctx},
             .in = {.ctx = ctx},
             .val = {.ctx = ctx},
             .watch = {.ctx = ctx}};
    gg_status s = w->mpi ? gg_ranks_open(&j.ranks, ctx) : GG_OK;
    if (s != GG_OK)
        return s;
    gg_status (*const stages[])(job *) = {learn, make_ready, begin, run, save};
    for (size_t i = 0; i < sizeof stages / sizeof *stages && s == GG_OK; i++)
        s = gg_ranks_agree(j.ranks, stages[i](&j)); /* a rank that fails must not be waited for */
    gg_progress_free(j.watch.progress);
    if (s == GG_OK && writes(&j))
        s = tell(&j);
    if (s != GG_OK && !writes(&j))
        s = GG_OK; /* rank 0 says it */
    gg_lock_free(j.lock);
    gg_ranks_close(j.ranks);
    gg_lm_free(j.lm);
    gg_token_list_free(&j.in.all);
    gg_token_list_free(&j.val.all);
    gg_tokenizer_free(j.t);
    gg_str_free(&j.path);
    gg_str_free(&j.checkpoint);
    gg_str_free(&j.log);
    return s;
}

static int lm_train(int argc, char **argv)
{
    words w = {.arch = "llama",
               .layers = 4,
               .width = 128,
               .heads = 4,
               .context = 64,
               .batch = 12,
               .steps = 2000,
               .eval_every = 250,
               .vocab = 257,
               .lr = 1e-3,
               .lr_end = 0.1,
               .warmup = 0.05,
               .beta2 = 0.99,
               .clip = 1,
               .schedule = "cosine",
               .val_fraction = 0.1,
               .weight_decay = 0.1};
    const gg_option options[] = {
        GG_CLI_DOCUMENTS(w.input, w.text, w.id, w.strict, true),
        {NULL, "validation", GG_OPT_TEXTS, &w.validation, "POOL", "documents to look at while training", NULL, false, 0, 0},
        {NULL, "val-fraction", GG_OPT_DOUBLE, &w.val_fraction, "R", "without --validation: the last part of the tokens, kept aside", NULL, false, 0, 0.9},
        {NULL, "tokenizer", GG_OPT_TEXT, &w.tokenizer, "T", "a tokenizer.json, GGUF or model folder (else one is learned from the input)", NULL, false, 0, 0},
        {NULL, "vocab", GG_OPT_INT, &w.vocab, "N", "tokens of the vocabulary that is learned; 257: the bytes", NULL, false, 257, 1 << 20},
        {NULL, "characters", GG_OPT_FLAG, &w.characters, NULL, "instead: each character of the input is a token", NULL, false, 0, 0},
        {"Model", "arch", GG_OPT_CHOICE, &w.arch, "A", "the family", "llama|gpt2", false, 0, 0},
        {NULL, "layers", GG_OPT_INT, &w.layers, "L", "blocks", NULL, false, 1, 1000},
        {NULL, "width", GG_OPT_INT, &w.width, "D", "d_model", NULL, false, 1, 1e6},
        {NULL, "heads", GG_OPT_INT, &w.heads, "H", "attention heads", NULL, false, 1, 1e5},
        {NULL, "kv-heads", GG_OPT_INT, &w.kv_heads, "K", "key/value heads (llama); 0: as many as heads", NULL, false, 0, 1e5},
        {NULL, "d-ff", GG_OPT_INT, &w.d_ff, "N", "width of the MLP; 0: 4 D (llama: 8/3 D)", NULL, false, 0, 1e7},
        {NULL, "context", GG_OPT_INT, &w.context, "T", "tokens that the model sees", NULL, false, 1, 1e6},
        {NULL, "dropout", GG_OPT_DOUBLE, &w.dropout, "P", "probability", NULL, false, 0, 0.99},
        {NULL, "untied", GG_OPT_FLAG, &w.untied, NULL, "a head of its own instead of the embedding", NULL, false, 0, 0},
        {"Method", "steps", GG_OPT_INT, &w.steps, "N", "optimiser steps (AdamW)", NULL, false, 1, 1e12},
        {NULL, "batch", GG_OPT_INT, &w.batch, "B", "windows a step", NULL, false, 1, 1e6},
        {NULL, "lr", GG_OPT_DOUBLE, &w.lr, "X", "learning rate at its peak", NULL, false, 0, 0},
        {NULL, "schedule", GG_OPT_CHOICE, &w.schedule, "S", "of the learning rate, after its rise", "cosine|constant", false, 0, 0},
        {NULL, "warmup", GG_OPT_DOUBLE, &w.warmup, "R", "part of the steps in which it rises", NULL, false, 0, 1},
        {NULL, "lr-end", GG_OPT_DOUBLE, &w.lr_end, "R", "where the cosine ends, as a part of the peak", NULL, false, 0, 1},
        {NULL, "beta2", GG_OPT_DOUBLE, &w.beta2, "X", "AdamW's second beta", NULL, false, 0.1, 0.99999},
        {NULL, "clip", GG_OPT_DOUBLE, &w.clip, "X", "largest norm of all gradients together; 0: any", NULL, false, 0, 0},
        {NULL, "weight-decay", GG_OPT_DOUBLE, &w.weight_decay, "X", "of matrices, decoupled", NULL, false, 0, 0},
        {NULL, "eval-every", GG_OPT_INT, &w.eval_every, "N", "steps between looks at the validation tokens", NULL, false, 0, 1e12},
        {"Output", "output", GG_OPT_TEXT, &w.output, "DIR", "the model as a Hugging Face folder, train.csv, checkpoint.safetensors", NULL, true, 0, 0},
        {NULL, "gguf", GG_OPT_CHOICE, &w.gguf, "T", "also model.gguf in this number format, for llama.cpp", GG_CLI_GGUF_FORMATS, false, 0, 0},
        {"Scale", "mpi", GG_OPT_FLAG, &w.mpi, NULL, "under mpirun: each rank takes a part of every batch", NULL, false, 0, 0},
    };
    gg_command c = {.name = "lm train",
                    .sentence = "Trains a small language model on texts and saves it as a Hugging Face folder, which every verb with --model takes.",
                    .example = "golgi lm train --input shakespeare.txt --steps 2000 --output out/small",
                    .notes = "Stopped or killed, the same command goes on from DIR/checkpoint.safetensors and ends with the same bits. One seed, the same "
                             "result with any number of threads.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK)
        s = train(ctx, &c, &w);
    return gg_command_close(&c, ctx, s);
}

int gg_cli_lm(int argc, char **argv)
{
    static const gg_verb verbs[] = {{"train", "train a small language model on texts", lm_train}, {"generate", "text from a model", gg_cli_lm_generate}};
    return gg_verbs_run("lm", "golgi lm - small language models made here, and what they write. (What one thinks of a text: golgi score.)", verbs, 2, argc,
                        argv);
}
