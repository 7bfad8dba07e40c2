/* Text from a model, token by token: the likeliest, or one drawn among the likeliest. Owns: the choice.
 *
 * There is no cache of keys and values: each token runs what the model sees once more, which for short texts and small models is soon done, and uses
 * no other path through the model than everything else. When the text outgrows the model, the model sees its last n_ctx tokens.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include <math.h>
#include <stdlib.h>

typedef struct candidate {
    float logit;
    int32_t id;
} candidate;

typedef struct generator {
    float *logit;    /* (n_vocab,) after the last token */
    candidate *among; /* (n_vocab,) */
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

static int likelier(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    return x->logit != y->logit ? (x->logit < y->logit) - (x->logit > y->logit) : (x->id > y->id) - (x->id < y->id);
}

static int32_t likeliest(const generator *k)
{
    int32_t best = 0;
    for (int32_t i = 1; i < k->n_vocab; i++)
        if (k->logit[i] > k->logit[best])
            best = i;
    return best;
}

/* Softmax of logit / temperature over the top_k likeliest. */
static int32_t draw(const generator *k, const gg_generate_options *o, int64_t position)
{
    const int64_t n = o->top_k > 0 && o->top_k < k->n_vocab ? o->top_k : k->n_vocab;
    gg_random r = gg_random_of(o->seed, (uint64_t)position);
    double sum = 0, at;
    for (int32_t i = 0; i < k->n_vocab; i++)
        k->among[i] = (candidate){k->logit[i], i};
    qsort(k->among, (size_t)k->n_vocab, sizeof *k->among, likelier);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)(k->among[i].logit - k->among[0].logit) / o->temperature);
    at = gg_random_uniform(&r) * sum;
    for (int64_t i = 0; i < n; i++)
        if ((at -= exp((double)(k->among[i].logit - k->among[0].logit) / o->temperature)) < 0)
            return k->among[i].id;
    return k->among[n - 1].id;
}

static gg_status append(gg_token_list *ids, gg_context *ctx, int32_t id)
{
    if (ids->n == ids->cap) {
        const int64_t cap = 2 * ids->n + 64;
        int32_t *grown = gg_renew(ctx, ids->id, int32_t, cap);
        if (!grown)
            return GG_ENOMEM;
        ids->id = grown;
        ids->cap = cap;
    }
    ids->id[ids->n++] = id;
    return GG_OK;
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
        const int32_t id = o->temperature > 0 ? draw(k, o, ids->n) : likeliest(k);
        GG_TRY(append(ids, m->ctx, id));
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
    k.among = gg_new(m->ctx, candidate, k.n_vocab);
    gg_status s = k.logit && k.among ? gg_session_create(&session, m) : GG_ENOMEM;
    if (s == GG_OK)
        s = go_on(ids, session, m, &k, o);
    gg_session_free(session);
    gg_drop(m->ctx, k.logit);
    gg_drop(m->ctx, k.among);
    return s;
}
