/* golgi activations: what a model's neurons do on each document, as tensors that other tools open; or how much a number of the document (its loss, a
 * logit) changes with them.
 *
 * Per group a slot of numbers is kept for each (layer, site): all rows, or one pooled row a document; when a document's turn comes
 * they go to the file. Memory is that of a group, not of the input.
 */
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/memory.h"
#include "io/stream.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum pool { POOL_NONE, POOL_MEAN, POOL_MEAN_ABS, POOL_MAX, POOL_LAST };
static const char *const pool_names[] = {"none", "mean", "mean-abs", "max", "last"};

struct slot {
    int64_t width;
    float *rows; /* POOL_NONE: (n_tokens, width) */
    double *sum; /* else: (n_documents, width) */
};

struct job {
    gg_context *ctx;
    gg_tensors_writer *out;
    enum pool pool;
    int n_layers;
    bool gradients;
    int64_t n_written; /* documents; names those of bare ids */
};

static int64_t slot_count(const struct job *j)
{
    return (int64_t)(j->n_layers + 1) * GG_SITE_COUNT;
}

static int64_t slot_of(const struct job *j, int layer, gg_site site)
{
    const int l = site == GG_SITE_FINAL || site == GG_SITE_LOGITS ? j->n_layers : layer;
    return (int64_t)l * GG_SITE_COUNT + site;
}

static gg_status job_open(void *user, void **state, const gg_group *g)
{
    (void)g;
    struct job *j = user;
    *state = gg_new(j->ctx, struct slot, slot_count(j));
    return *state ? GG_OK : GG_ENOMEM;
}

static void job_close(void *user, void *state)
{
    struct job *j = user;
    struct slot *slot = state;
    for (int64_t i = 0; slot && i < slot_count(j); i++) {
        gg_drop(j->ctx, slot[i].rows);
        gg_drop(j->ctx, slot[i].sum);
    }
    gg_drop(j->ctx, slot);
}

/* Adds row x: (width,), the t-th of a document, to its pooled row. */
static void pool_add(double *sum, const float *x, int64_t width, int64_t t, enum pool pool)
{
    for (int64_t k = 0; k < width; k++) {
        const double v = x[k];
        if (pool == POOL_MEAN)
            sum[k] += v;
        else if (pool == POOL_MEAN_ABS)
            sum[k] += fabs(v);
        else if (pool == POOL_LAST || t == 0 || v > sum[k])
            sum[k] = v;
    }
}

static gg_status job_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    struct job *j = user;
    struct slot *slot = (struct slot *)state + slot_of(j, t->layer, t->site);
    slot->width = t->width;
    if (j->pool == POOL_NONE) {
        if (!slot->rows && !(slot->rows = gg_new(j->ctx, float, gg_mul(g->n_tokens, t->width))))
            return GG_ENOMEM;
        memcpy(slot->rows + t->row * t->width, t->x, gg_mul(t->n_rows * t->width, sizeof(float)));
        return GG_OK;
    }
    if (!slot->sum && !(slot->sum = gg_new(j->ctx, double, gg_mul(g->n_documents, t->width))))
        return GG_ENOMEM;
    int doc = 0;
    for (int64_t r = 0; r < t->n_rows; r++) {
        const int64_t row = t->row + r;
        while (row >= g->start[doc + 1])
            doc++;
        pool_add(slot->sum + doc * t->width, t->x + r * t->width, t->width, row - g->start[doc], j->pool);
    }
    return GG_OK;
}

static gg_status write_slot(struct job *j, const struct slot *slot, const char *name, const gg_group *g, int i)
{
    const int64_t n = g->start[i + 1] - g->start[i];
    if (j->pool == POOL_NONE)
        return gg_tensors_writer_add(j->out, name, GG_F32, 2, (int64_t[]){n, slot->width}, slot->rows + g->start[i] * slot->width);
    float *row = gg_new(j->ctx, float, slot->width);
    if (!row)
        return GG_ENOMEM;
    const double per = j->pool == POOL_MEAN || j->pool == POOL_MEAN_ABS ? (double)n : 1.0;
    for (int64_t k = 0; k < slot->width; k++)
        row[k] = (float)(slot->sum[i * slot->width + k] / per);
    const gg_status s = gg_tensors_writer_add(j->out, name, GG_F32, 1, &slot->width, row);
    gg_drop(j->ctx, row);
    return s;
}

/* Names: <docid>.L<layer>.<site>, <docid>.final, <docid>.logits; of gradients with .grad behind. */
static gg_status job_document(void *user, void *state, const gg_group *g, int i)
{
    struct job *j = user;
    const struct slot *slot = state;
    gg_str name = {.ctx = j->ctx};
    gg_status s = GG_OK;
    for (int64_t k = 0; k < slot_count(j) && s == GG_OK; k++) {
        if (!slot[k].rows && !slot[k].sum)
            continue;
        const int layer = (int)(k / GG_SITE_COUNT);
        name.len = 0;
        if (g->document)
            gg_str_puts(&name, g->document[i].docid);
        else
            gg_str_printf(&name, "%lld", (long long)j->n_written);
        if (layer < j->n_layers)
            gg_str_printf(&name, ".L%d", layer);
        gg_str_printf(&name, ".%s%s", gg_site_name((gg_site)(k % GG_SITE_COUNT)), j->gradients ? ".grad" : "");
        s = name.failed ? GG_ENOMEM : write_slot(j, slot + k, name.data, g, i);
    }
    gg_str_free(&name);
    j->n_written++;
    return s;
}

/* Token ids from a file with one integer array: (n_rows, n_columns) or (n_columns,). */
static gg_status read_ids(int32_t **out, int64_t *n_rows, int64_t *n_columns, gg_context *ctx, const char *path)
{
    gg_tensors *t = NULL;
    GG_TRY(gg_tensors_open(&t, ctx, path));
    const gg_tensor *x = gg_tensors_count(t) == 1 ? gg_tensors_at(t, 0) : NULL;
    gg_status s = GG_OK;
    if (!x)
        s = gg_fail(ctx, GG_EFORMAT, "%s holds %lld arrays; --ids wants a file with one, (rows, tokens) of integers", path, (long long)gg_tensors_count(t));
    else if (x->n_dims < 1 || x->n_dims > 2 || (x->dtype != GG_I32 && x->dtype != GG_I64))
        s = gg_fail(ctx, GG_EFORMAT, "%s: --ids wants int32 or int64 of one or two dimensions, found %s of %d", path, gg_dtype_name(x->dtype), x->n_dims);
    if (s == GG_OK) {
        *n_rows = x->n_dims == 2 ? x->shape[0] : 1;
        *n_columns = x->shape[x->n_dims - 1];
        if (!(*out = gg_new(ctx, int32_t, gg_mul(*n_rows, *n_columns))))
            s = GG_ENOMEM;
    }
    for (int64_t i = 0; s == GG_OK && i < *n_rows * *n_columns; i++) {
        int64_t v = 0;
        int32_t v32 = 0;
        if (x->dtype == GG_I32) {
            memcpy(&v32, (const char *)x->data + i * 4, 4);
            v = v32;
        } else {
            memcpy(&v, (const char *)x->data + i * 8, 8);
        }
        if (v < 0 || v > INT32_MAX)
            s = gg_fail(ctx, GG_EINVAL, "%s: row %lld, column %lld is %lld, not a token id", path, (long long)(i / *n_columns), (long long)(i % *n_columns),
                        (long long)v);
        (*out)[i] = (int32_t)v;
    }
    gg_tensors_free(t);
    return s;
}

static gg_status check_sites(gg_context *ctx, const gg_model *m, uint32_t mask, const char *model)
{
    for (int site = 0; site < GG_SITE_COUNT; site++)
        if (mask >> site & 1 && gg_model_width(m, 0, (gg_site)site) == 0)
            return gg_fail(ctx, GG_ENOENT, "%s has no site %s; `golgi model sites %s` lists those it has", model, gg_site_name((gg_site)site), model);
    return GG_OK;
}

/* nll, logit:ID; NULL: none. */
static gg_status parse_objective(gg_objective *out, gg_context *ctx, const char *text)
{
    char *end = NULL;
    *out = (gg_objective){0};
    if (!text)
        return GG_OK;
    if (strcmp(text, "nll") == 0) {
        out->kind = GG_OBJECTIVE_NLL;
        return GG_OK;
    }
    const long long id = strncmp(text, "logit:", 6) == 0 && text[6] >= '0' && text[6] <= '9' ? strtoll(text + 6, &end, 10) : -1;
    if (id < 0 || *end || id > INT32_MAX)
        return gg_fail(ctx, GG_EINVAL, "--gradients %s: nll, or logit:ID with the id of a token, is expected", text);
    *out = (gg_objective){GG_OBJECTIVE_LOGIT, (int32_t)id};
    return GG_OK;
}

/* What a reader of the file needs to know about how it was made. */
static gg_status write_origin(struct job *j, const gg_model *m, const char *sites, const char *gradients)
{
    char hash[65];
    GG_TRY(gg_model_hash(m, hash));
    GG_TRY(gg_tensors_writer_text(j->out, "model_sha256", hash));
    GG_TRY(gg_tensors_writer_text(j->out, "golgi", gg_version()));
    GG_TRY(gg_tensors_writer_text(j->out, "dtype", gg_dtype_name(gg_model_dtype(m))));
    GG_TRY(gg_tensors_writer_text(j->out, "sites", sites));
    if (gradients)
        GG_TRY(gg_tensors_writer_text(j->out, "gradients", gradients));
    GG_TRY(gg_tensors_writer_text(j->out, "pooling", pool_names[j->pool]));
    return gg_tensors_writer_text(j->out, "padding", "none");
}

int gg_cli_activations(int argc, char **argv)
{
    const char *model = NULL, *ids_path = NULL, *output = NULL, *sites = "resid_out", *layers = "all", *pool = "none", *action = NULL, *dtype = "f32",
               *text = NULL, *id = NULL, *gradients = NULL;
    gg_texts input = {0};
    gg_objective objective = {0};
    int64_t max_tokens = 0;
    bool logits = false, special = false, strict = false;
    const gg_option options[] = {
        GG_CLI_MODEL(model),
        GG_CLI_DOCUMENTS(input, text, id, strict, false),
        {NULL, "ids", GG_OPT_TEXT, &ids_path, "IDS.npy", "token ids instead of documents: (rows, tokens) integers; the docid is the row number",
         NULL, false, 0, 0},
        {"Method", "sites", GG_OPT_TEXT, &sites, "S,...", "where to look: resid_in q k v q_norm k_norm z attn_out gate up act hid mlp_out resid_out final",
         NULL, false, 0, 0},
        {NULL, "layers", GG_OPT_TEXT, &layers, "LIST", "which blocks: all, first, last, 0-3,7", NULL, false, 0, 0},
        {NULL, "pool", GG_OPT_CHOICE, &pool, "HOW", "over the tokens of a document; none keeps every token", "none|mean|mean-abs|max|last", false, 0, 0},
        {NULL, "gradients", GG_OPT_TEXT, &gradients, "OF",
         "not the activity but the gradients with respect to it, <docid>.L<layer>.<site>.grad, of the mean negative "
         "log-likelihood of each document (nll) or of the logit of token ID after its last token (logit:ID); float32",
         NULL, false, 0, 0},
        {NULL, "logits", GG_OPT_FLAG, &logits, NULL, "also the logits, <docid>.logits", NULL, false, 0, 0},
        GG_CLI_RUN(max_tokens, special, action, dtype),
        {"Output", "output", GG_OPT_TEXT, &output, "A.safetensors", "tensors <docid>.L<layer>.<site>, float32, (tokens, neurons) or (neurons,)",
         NULL, true, 0, 0},
    };
    gg_command c = {.name = "activations",
                    .sentence = "What the neurons of a model do on each document, as tensors (safetensors) that other tools open.",
                    .example = "golgi activations --model M.gguf --input text.jsonl --sites up --pool mean-abs --output acts.safetensors",
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
    int32_t *ids = NULL;
    int64_t n_rows = 0, n_columns = 0;
    bool *on = NULL;
    gg_lock *lock = NULL;
    struct job job = {0};
    gg_run_result r = {0};
    uint32_t mask = 0;
    if ((s = gg_command_context(&ctx, &c)) != GG_OK)
        goto end;
    if ((input.n > 0) == (ids_path != NULL)) {
        s = gg_fail(ctx, GG_EINVAL, "give either --input (documents) or --ids (token ids)");
        goto end;
    }
    if (!gg_name_ends(output, ".safetensors") && !gg_file_is_stream(output)) { /* or a reader would take it for what its name says */
        s = gg_fail(ctx, GG_EINVAL, "%s: tensors are written as safetensors; give a name that ends in .safetensors", output);
        goto end;
    }
    if ((s = gg_lock_take(&lock, ctx, output)) != GG_OK || (s = parse_objective(&objective, ctx, gradients)) != GG_OK ||
        (s = gg_site_list_parse(&mask, ctx, sites)) != GG_OK || (action && (s = gg_actions_read(&actions, ctx, action)) != GG_OK) ||
        (ids_path && (s = read_ids(&ids, &n_rows, &n_columns, ctx, ids_path)) != GG_OK) ||
        (!ids_path &&
         (s = gg_documents_open(&d, ctx, input.at, input.n, &(gg_documents_options){.text_column = text, .id_column = id, .strict = strict})) != GG_OK))
        goto end;
    mask |= logits ? 1u << GG_SITE_LOGITS : 0;
    if ((s = gg_model_open(&m, ctx, model,
                           &(gg_model_options){.dtype = gg_linear_dtype(ctx, dtype), .actions = actions,
                                               .no_head = !gradients && !(mask >> GG_SITE_LOGITS & 1)})) != GG_OK ||
        (s = check_sites(ctx, m, mask, model)) != GG_OK)
        goto end;
    job = (struct job){.ctx = ctx, .n_layers = gg_model_describe(m)->n_layers, .gradients = gradients != NULL};
    while (strcmp(pool, pool_names[job.pool]))
        job.pool++;
    if (!(on = gg_new(ctx, bool, job.n_layers))) {
        s = GG_ENOMEM;
        goto end;
    }
    if ((s = gg_layer_list_parse(on, ctx, layers, job.n_layers)) != GG_OK || (s = gg_tensors_writer_open(&job.out, ctx, output)) != GG_OK ||
        (s = gg_command_progress(&p, &c, ctx, ids_path ? ids_path : input.at[0], "documents", n_rows)) != GG_OK)
        goto end;
    const gg_listener listener = {.sites = mask, .layers = on, .open = job_open, .tap = job_tap, .document = job_document, .close = job_close, .user = &job};
    const gg_run_options run = {.max_tokens = max_tokens, .special = special, .group_tokens = 128, .gradients = objective, .progress = p};
    s = ids ? gg_run_ids(&r, m, ids, n_rows, n_columns, &run, &listener, 1) : gg_run(&r, m, d, &run, &listener, 1);
    gg_progress_free(p);
    if (s == GG_OK && (s = write_origin(&job, m, sites, gradients)) == GG_OK) {
        s = gg_tensors_writer_commit(job.out);
        job.out = NULL;
    }
    if (s == GG_OK && c.json) {
        s = gg_json_print(ctx, json_pack("{s:s, s:I, s:I, s:I}", "output", output, "n_documents", (json_int_t)r.n_documents, "n_tokens",
                                             (json_int_t)r.n_tokens, "n_empty", (json_int_t)(d ? gg_documents_empty(d) : 0)));
    } else if (s == GG_OK && !c.quiet) {
        FILE *to = gg_command_say_begin(&c);
        fprintf(to, "wrote the %s of %lld document%s, %lld tokens -> %s\n", gradients ? "gradients" : "activity", (long long)r.n_documents,
                r.n_documents == 1 ? "" : "s", (long long)r.n_tokens, output);
        gg_cli_say_empty(to, d);
        gg_command_say_end(&c, to);
    }
end:
    if (s == GG_EINTR) /* wherever it was stopped */
        gg_fail(ctx, s, "stopped after %lld documents; %s was not written", (long long)r.n_documents, output);
    gg_tensors_writer_discard(job.out);
    gg_lock_free(lock);
    gg_documents_close(d);
    gg_model_free(m);
    gg_actions_free(actions);
    if (ctx) {
        gg_drop(ctx, on);
        gg_drop(ctx, ids);
    }
    return gg_command_close(&c, ctx, s);
}
