/* Text from a model, token by token: the likeliest, or one drawn among the likeliest. Owns: the choice.
 *
 * There is no cache of keys and values: each token runs what the model sees once more, which for short texts and small models is soon done, and uses
 * no other path through the model than everything else. When the text outgrows the model, the model sees its last n_ctx tokens.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include "math/kernels.h"
#include "text/token_list.h"
#include <golgi/metrics.h>
#include <math.h>

typedef struct generator {
    float *logit; /* (n_vocab,) after the last token */
    float *best;  /* (n_vocab,) the likeliest of them, the first first */
    int32_t *id;  /* (n_vocab,) whose they are */
    int64_t n_vocab;
} generator;

static gg_status keep_last(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)state;
    const generator *k = user;
    if (t->row + t->n_rows == g->n_tokens)
        memcpy(k->logit, t->x + (t->n_rows - 1) * t->width, sizeof *k->logit * (size_t)k->n_vocab);
    return GG_OK;
}

/* Softmax of logit / temperature over the top_k likeliest. */
static int32_t draw(const generator *k, const gg_generate_options *o, int64_t position)
{
    const int64_t n = o->top_k > 0 && o->top_k < k->n_vocab ? o->top_k : k->n_vocab;
    gg_random r = gg_random_of(o->seed, (uint64_t)position);
    double sum = 0, at;
    gg_top_k(k->id, k->best, k->logit, k->n_vocab, n);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)(k->best[i] - k->best[0]) / o->temperature);
    at = gg_random_uniform(&r) * sum;
    for (int64_t i = 0; i < n; i++)
        if ((at -= exp((double)(k->best[i] - k->best[0]) / o->temperature)) < 0)
            return k->id[i];
    return k->id[n - 1];
}

static gg_status go_on(gg_token_list *ids, gg_session *session, const gg_model *m, const generator *k, const gg_generate_options *o)
{
    const int64_t eos = m->tokenizer ? gg_tokenizer_eos(m->tokenizer) : -1;
    const gg_listener listener = {.sites = 1u << GG_SITE_LOGITS, .tap = keep_last, .user = (void *)(uintptr_t)k};
    void *state = NULL;
    for (int64_t i = 0; i < o->n_tokens; i++) {
        const int64_t n = ids->n < m->d.n_ctx ? ids->n : m->d.n_ctx, start[2] = {0, n};
        if (gg_context_stopped(m->ctx))
            return gg_fail(m->ctx, GG_EINTR, "stopped after %lld of %lld tokens", (long long)i, (long long)o->n_tokens);
        GG_TRY(gg_session_forward(session, &(gg_group){.n_documents = 1, .n_tokens = n, .token = ids->id + ids->n - n, .start = start}, &listener, &state, 1));
        int32_t id;
        if (o->temperature > 0)
            id = draw(k, o, ids->n);
        else
            gg_argmax_rows(&id, k->logit, 1, k->n_vocab);
        GG_TRY(gg__token_list_add(ids, m->ctx, id));
        if (id == eos)
            return GG_OK;
        if (o->token)
            GG_TRY(o->token(o->user, id));
    }
    return GG_OK;
}

gg_status gg_generate(gg_token_list *ids, gg_model *m, const gg_generate_options *o)
{
    generator k = {.n_vocab = m->d.n_vocab};
    gg_session *session = NULL;
    if (ids->n < 1)
        return gg_fail(m->ctx, GG_EINVAL, "a text to go on from has one token at least");
    if (o->n_tokens < 0 || o->top_k < 0 || !(o->temperature >= 0 && o->temperature < 1e6))
        return gg_fail(m->ctx, GG_EINVAL, "%lld tokens, top_k %lld, temperature %g: none may be negative", (long long)o->n_tokens, (long long)o->top_k,
                       o->temperature);
    k.logit = gg_new(m->ctx, float, k.n_vocab);
    k.best = gg_new(m->ctx, float, k.n_vocab);
    k.id = gg_new(m->ctx, int32_t, k.n_vocab);
    gg_status s = k.logit && k.best && k.id ? gg_session_create(&session, m) : GG_ENOMEM;
    if (s == GG_OK)
        s = go_on(ids, session, m, &k, o);
    gg_session_free(session);
    gg_drop(m->ctx, k.logit);
    gg_drop(m->ctx, k.best);
    gg_drop(m->ctx, k.id);
    return s;
}
