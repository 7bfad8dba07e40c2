/* Loss of documents under the model, and the largest logits after the last token. A listener on the logits, nothing more.
 *     nll = mean over t in [0, T - 1) of  log(sum_j exp logit[t, j]) - logit[t, token[t + 1]]      (nats, in double)
 */
#include "model/model.h"
#include "base/memory.h"
#include "math/kernels.h"
#include <math.h>
#include <pthread.h>

/* What is kept for one group. Taken from a list and put back, so that a long run allocates nothing. */
typedef struct kept {
    struct kept *next;
    int64_t cap;
    double *nll;      /* (cap,) sums */
    int32_t *top_id;  /* (cap, n_top) */
    float *top_logit;
    int document;     /* of the row that comes next */
} kept;

typedef struct scorer {
    gg_context *ctx;
    int n_top;
    gg_status (*row)(void *user, const gg_score_row *r);
    void *user;
    pthread_mutex_t lock;
    kept *free;
} scorer;

static void kept_free(gg_context *ctx, kept *k)
{
    gg_drop(ctx, k->nll);
    gg_drop(ctx, k->top_id);
    gg_drop(ctx, k->top_logit);
    gg_drop(ctx, k);
}

static gg_status kept_room(gg_context *ctx, kept *k, int64_t n, int n_top)
{
    if (n <= k->cap)
        return GG_OK;
    k->cap = 0;
    n += n / 2;
    double *nll = gg_renew(ctx, k->nll, double, n);
    if (nll)
        k->nll = nll;
    int32_t *id = gg_realloc(ctx, k->top_id, gg_mul(n, n_top * (int64_t)sizeof *id));
    if (id)
        k->top_id = id;
    float *logit = gg_realloc(ctx, k->top_logit, gg_mul(n, n_top * (int64_t)sizeof *logit));
    if (logit)
        k->top_logit = logit;
    if (!nll || !id || !logit)
        return GG_ENOMEM;
    k->cap = n;
    return GG_OK;
}

static gg_status score_open(void *user, void **state, const gg_group *g)
{
    scorer *s = user;
    pthread_mutex_lock(&s->lock);
    kept *k = s->free;
    if (k)
        s->free = k->next;
    pthread_mutex_unlock(&s->lock);
    if (!k && !(k = gg_new(s->ctx, kept, 1)))
        return GG_ENOMEM;
    const gg_status status = kept_room(s->ctx, k, g->n_documents, s->n_top);
    if (status != GG_OK) {
        kept_free(s->ctx, k);
        return status;
    }
    memset(k->nll, 0, sizeof *k->nll * (size_t)g->n_documents);
    k->document = 0;
    *state = k;
    return GG_OK;
}

static gg_status score_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    const scorer *s = user;
    kept *k = state;
    for (int64_t i = 0; i < t->n_rows; i++) {
        const int64_t row = t->row + i;
        const float *x = t->x + i * t->width;
        while (row >= g->start[k->document + 1])
            k->document++;
        if (row + 1 < g->start[k->document + 1])
            k->nll[k->document] += gg_logsumexp(x, t->width) - (double)x[g->token[row + 1]];
        else if (s->n_top > 0)
            gg_top_k(k->top_id + (int64_t)k->document * s->n_top, k->top_logit + (int64_t)k->document * s->n_top, x, t->width, s->n_top);
    }
    return GG_OK;
}

static gg_status score_document(void *user, void *state, const gg_group *g, int i)
{
    const scorer *s = user;
    const kept *k = state;
    const int64_t n = g->start[i + 1] - g->start[i];
    const gg_score_row r = {.docid = g->document ? g->document[i].docid : NULL, .n_tokens = n,
                            .mean_nll = n > 1 ? k->nll[i] / (double)(n - 1) : NAN, .n_top = n > 0 ? s->n_top : 0,
                            .top_id = k->top_id + (int64_t)i * s->n_top, .top_logit = k->top_logit + (int64_t)i * s->n_top};
    return s->row(s->user, &r);
}

static void score_close(void *user, void *state)
{
    scorer *s = user;
    kept *k = state;
    if (!k)
        return;
    pthread_mutex_lock(&s->lock);
    k->next = s->free;
    s->free = k;
    pthread_mutex_unlock(&s->lock);
}

typedef struct source { /* documents, or bare ids: a table, or rows of any length */
    gg_documents *documents;
    const int32_t *ids;
    const int64_t *start;
    int64_t n_rows, n_columns;
} source;

static gg_status score_with(gg_run_result *out, gg_model *m, const source *from, const gg_run_options *o, int n_top,
                            gg_status (*row)(void *user, const gg_score_row *r), void *user)
{
    *out = (gg_run_result){0};
    if (n_top < 0 || n_top > m->d.n_vocab)
        return gg_fail(m->ctx, GG_EINVAL, "the %d largest of %lld logits are asked for", n_top, (long long)m->d.n_vocab);
    scorer s = {.ctx = m->ctx, .n_top = n_top, .row = row, .user = user};
    const gg_listener y = {.sites = 1u << GG_SITE_LOGITS, .open = score_open, .tap = score_tap, .document = score_document, .close = score_close, .user = &s};
    pthread_mutex_init(&s.lock, NULL);
    const gg_status status = from->documents ? gg_run(out, m, from->documents, o, &y, 1)
                             : from->start   ? gg_run_tokens(out, m, from->ids, from->start, from->n_rows, o, &y, 1)
                                             : gg_run_ids(out, m, from->ids, from->n_rows, from->n_columns, o, &y, 1);
    while (s.free) {
        kept *k = s.free;
        s.free = k->next;
        kept_free(m->ctx, k);
    }
    pthread_mutex_destroy(&s.lock);
    return status;
}

gg_status gg_score(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, int n_top,
                   gg_status (*row)(void *user, const gg_score_row *r), void *user)
{
    return score_with(out, m, &(source){.documents = documents}, o, n_top, row, user);
}

gg_status gg_score_ids(gg_run_result *out, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns, const gg_run_options *o, int n_top,
                       gg_status (*row)(void *user, const gg_score_row *r), void *user)
{
    return score_with(out, m, &(source){.ids = ids, .n_rows = n_rows, .n_columns = n_columns}, o, n_top, row, user);
}

gg_status gg_score_tokens(gg_run_result *out, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents, const gg_run_options *o, int n_top,
                          gg_status (*row)(void *user, const gg_score_row *r), void *user)
{
    return score_with(out, m, &(source){.ids = ids, .start = start, .n_rows = n_documents}, o, n_top, row, user);
}
