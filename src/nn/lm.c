/* Small language models: what they are, how they begin, how they are judged. lm_train.c trains them, lm_save.c writes them. */
#include "nn/lm.h"
#include "base/memory.h"
#include "base/ranks.h"
#include "base/work.h"
#include <math.h>
#include <stdio.h>

static gg_status check(gg_context *ctx, const gg_lm_options *o)
{
    const struct {
        const char *name;
        int64_t value;
    } positive[] = {{"n_layers", o->n_layers}, {"d_model", o->d_model}, {"n_heads", o->n_heads}, {"n_vocab", o->n_vocab}, {"n_ctx", o->n_ctx}};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++)
        if (positive[i].value < 1 || positive[i].value > INT32_MAX)
            return gg_fail(ctx, GG_EINVAL, "a language model with %s = %lld", positive[i].name, (long long)positive[i].value);
    const int64_t kv = o->n_kv_heads ? o->n_kv_heads : o->n_heads;
    if (o->d_model % o->n_heads || kv < 1 || o->n_heads % kv)
        return gg_fail(ctx, GG_EINVAL, "d_model %lld, %lld heads, %lld key/value heads: each must divide the one before", (long long)o->d_model,
                       (long long)o->n_heads, (long long)kv);
    if (o->kind == GG_LM_LLAMA && o->d_model / o->n_heads % 2)
        return gg_fail(ctx, GG_EINVAL, "heads of %lld numbers: rotary positions turn pairs", (long long)(o->d_model / o->n_heads));
    if (!(o->dropout >= 0 && o->dropout < 1) || o->d_ff < 0)
        return gg_fail(ctx, GG_EINVAL, "dropout %g, d_ff %lld", o->dropout, (long long)o->d_ff);
    return GG_OK;
}

/* --- recording ---------------------------------------------------------------------------------------------------------------------- */
gg_var *gg_lm_logits(gg_lm *lm, gg_graph *g, gg_var *index)
{
    const gg_lm_options *o = &lm->o;
    const gg_nn nn = {g, lm->params, NULL};
    const bool llama = o->kind == GG_LM_LLAMA;
    if (!index)
        return NULL;
    gg_var *table = gg_nn_param(&nn, "wte.weight", GG_SHAPE(o->n_vocab, o->d_model), GG_INIT_NORMAL, 0.02, 0), *h = gg_var_gather(table, index);
    if (!llama) {
        gg_var *place = gg_nn_param(&nn, "wpe.weight", GG_SHAPE(o->n_ctx, o->d_model), GG_INIT_NORMAL, 0.02, 0);
        h = gg_var_add(h, gg_var_slice(place, 0, 0, gg_var_shape(index).d[1]));
    }
    h = gg_var_dropout(h, o->dropout);
    for (int64_t l = 0; l < o->n_layers; l++) {
        char name[32];
        snprintf(name, sizeof name, "block%d", (int)l);
        h = gg_nn_block(&nn, name, h,
                        &(gg_block_options){.n_heads = o->n_heads,
                                            .n_kv_heads = o->n_kv_heads,
                                            .d_ff = o->d_ff,
                                            .causal = true,
                                            .rope_base = llama ? o->rope_base : 0,
                                            .rms = llama,
                                            .dropout = o->dropout,
                                            .eps = llama ? 1e-6 : 1e-5});
    }
    h = llama ? gg_nn_rms_norm(&nn, "norm", h, 1e-6) : gg_nn_layer_norm(&nn, "norm", h, 1e-5);
    return gg_var_linear(h, o->untied ? gg_nn_param(&nn, "head.weight", GG_SHAPE(o->n_vocab, o->d_model), GG_INIT_NORMAL, 0.02, 0) : table);
}

/* Matrices normal of 0.02, narrower where they write to the residual stream; biases 0. */
static gg_status begin(gg_lm *lm, uint64_t seed)
{
    GG_TRY(gg_nn_init(lm->params, seed)); /* norms */
    for (int i = 0; i < gg_params_count(lm->params); i++) {
        const char *name = gg_params_name(lm->params, i);
        float *v = gg_params_value(lm->params, i);
        const bool out = strstr(name, "attn.o.") || strstr(name, "mlp.down."), matrix = gg_params_shape(lm->params, i).n == 2;
        if (!matrix && !strstr(name, ".bias"))
            continue;
        const double sd = !matrix ? 0 : out ? 0.02 / sqrt(2.0 * (double)lm->o.n_layers) : 0.02;
        gg_random r = gg_random_of(seed, 0x100000000u + (uint64_t)i);
        for (int64_t k = 0; k < gg_params_size(lm->params, i); k++)
            v[k] = (float)(sd * gg_random_normal(&r));
    }
    return GG_OK;
}

gg_status gg_lm_create(gg_lm **out, gg_context *ctx, const gg_lm_options *options, uint64_t seed)
{
    GG_TRY(check(ctx, options));
    gg_lm *lm = gg_new(ctx, gg_lm, 1);
    if (!lm)
        return GG_ENOMEM;
    lm->ctx = ctx;
    lm->o = *options;
    gg_lm_options *o = &lm->o;
    o->n_kv_heads = o->n_kv_heads && o->kind == GG_LM_LLAMA ? o->n_kv_heads : o->n_heads;
    o->d_ff = o->d_ff ? o->d_ff : o->kind == GG_LM_LLAMA ? (8 * o->d_model / 3 + 15) / 16 * 16 : 4 * o->d_model;
    o->rope_base = o->rope_base > 0 ? o->rope_base : 10000;
    gg_graph *g = NULL; /* recorded once so that the parameters are there */
    gg_status s = gg_params_create(&lm->params, ctx, GG_F32);
    if (s == GG_OK && (s = gg_graph_create(&g, ctx, NULL)) == GG_OK) {
        gg_var *y = gg_lm_logits(lm, g, gg_graph_index(g, "tokens", GG_SHAPE(1, 1)));
        s = gg_graph_plan(g, &y, 1);
    }
    gg_graph_free(g);
    if (s == GG_OK)
        s = begin(lm, seed);
    if (s != GG_OK) {
        gg_lm_free(lm);
        return s;
    }
    *out = lm;
    return GG_OK;
}

void gg_lm_free(gg_lm *lm)
{
    if (!lm)
        return;
    gg_graph_free(lm->judge);
    gg_params_free(lm->params);
    gg_drop(lm->ctx, lm);
}

const gg_lm_options *gg_lm_describe(const gg_lm *lm) { return &lm->o; }
gg_params *gg_lm_params(gg_lm *lm) { return lm->params; }
int64_t gg_lm_size(const gg_lm *lm) { return gg_params_size(lm->params, -1); }

/* --- judging ---------------------------------------------------------------------------------------------------------------------------- */
enum { WINDOWS = 8 };

static gg_status make_judge(gg_lm *lm, int n_threads)
{
    if (lm->judge)
        return GG_OK;
    GG_TRY(gg_graph_create(&lm->judge, lm->ctx, &(gg_graph_options){.n_threads = n_threads}));
    lm->judge_x = gg_graph_index(lm->judge, "tokens", GG_SHAPE(WINDOWS, lm->o.n_ctx));
    lm->judge_t = gg_graph_index(lm->judge, "targets", GG_SHAPE(WINDOWS, lm->o.n_ctx));
    lm->judge_loss = gg_var_cross_entropy(gg_lm_logits(lm, lm->judge, lm->judge_x), lm->judge_t, -1);
    const gg_status s = gg_graph_plan(lm->judge, &lm->judge_loss, 1);
    if (s != GG_OK) {
        gg_graph_free(lm->judge);
        lm->judge = NULL;
    }
    return s;
}

/* The sum over the tokens, of this rank's share of the windows. */
static gg_status sum_losses(double *sum, gg_lm *lm, const int32_t *token, int64_t n, int n_threads, const gg_ranks *ranks)
{
    const int64_t T = lm->o.n_ctx;
    *sum = 0;
    GG_TRY(make_judge(lm, n_threads));
    for (int64_t first = gg_ranks_self(ranks) * WINDOWS * T; first < n - 1; first += gg_ranks_count(ranks) * WINDOWS * T) {
        int32_t *x = gg_var_data(lm->judge_x), *t = gg_var_data(lm->judge_t);
        for (int64_t i = 0; i < WINDOWS * T; i++) { /* behind the end: any token, and no target */
            x[i] = first + i < n ? token[first + i] : 0;
            t[i] = first + i + 1 < n ? token[first + i + 1] : -1;
        }
        GG_TRY(gg_graph_run(lm->judge));
        const float *l = gg_var_data(lm->judge_loss);
        for (int64_t i = 0; i < WINDOWS * T; i++)
            *sum += (double)l[i];
    }
    return GG_OK;
}

gg_status gg__lm_loss(double *out, gg_lm *lm, const int32_t *token, int64_t n, int n_threads, gg_ranks *ranks)
{
    double sum;
    if (n < 2)
        return gg_fail(lm->ctx, GG_EINVAL, "the loss of %lld tokens: at least two are needed", (long long)n);
    GG_TRY(gg_ranks_agree(ranks, sum_losses(&sum, lm, token, n, n_threads, ranks)));
    GG_TRY(gg_ranks_sum(ranks, &sum, 1));
    *out = sum / (double)(n - 1);
    return GG_OK;
}

gg_status gg_lm_loss(double *out, gg_lm *lm, const int32_t *token, int64_t n, int n_threads) { return gg__lm_loss(out, lm, token, n, n_threads, NULL); }
