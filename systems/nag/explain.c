/* Why a document stands where it stands: every neuron's part in its distance, and in the difference to the pool's mean (nag.h has the
 * equations). Owns: two passes over the pool's features, three where a neuron is rare.
 *
 * The first pass finds the document and counts the pool's neurons, which also is all that contrast weights need. The second ranks the
 * document, adds up the layers' similarities, and keeps the documents that share most neurons with it; those are the witnesses.
 * Of a neuron that too few of them hold the third finds the most alike of all that do.
 * Trap: neurons that every document excites bring the most similarity and explain nothing, so reasons are ordered by their part in the
 * difference to the pool, not by what they bring.
 */
#include "systems/nag/nag_internal.h"
#include "base/command.h"
#include <stdio.h>
#include <stdlib.h>

enum { ALIKE_KEPT = 64, SUGGEST_AMONG = 1000000 };

typedef struct job {
    gg_nag_explanation e; /* first: freeing gets the outer back */
    const gg_nag_explain_options *o;
    gg_nag_counts *target, *pool;
    gg_nag_profile *profile;
    int64_t K, per_document;
    uint32_t *own;        /* (n_layers, K) the document's lists */
    bool found, told;     /* told: that files were not made in the same way */
    char near[256];       /* not found: a docid like the one that was asked for, or "" */
    char *has;            /* (n_layers, width) is it in the document's list? */
    double *layer_sum;    /* (n_layers,) of the pool's similarities */
    double distance_sum;
    uint32_t *lists;      /* (ALIKE_KEPT, n_layers, K) of `like` */
    int n_beyond;         /* of `like`, documents behind the n_like */
    int32_t *place;       /* (n_layers, width) of a neuron with too few witnesses: its number in `more`, from 1; 0: none */
    gg_nag_alike *more;   /* (n_more, GG_NAG_WITNESSES) who else holds it, most alike first; docid NULL: nobody */
    int64_t n_more;
} job;

static void drop_work(job *j)
{
    gg_context *ctx = j->e.ctx;
    gg_nag_counts_free(j->target);
    gg_nag_counts_free(j->pool);
    gg_nag_profile_free(j->profile);
    gg_drop(ctx, j->own);
    gg_drop(ctx, j->has);
    gg_drop(ctx, j->layer_sum);
    gg_drop(ctx, j->lists);
    gg_drop(ctx, j->place);
    for (int64_t i = 0; i < j->n_more * GG_NAG_WITNESSES; i++)
        gg_drop(ctx, (void *)(uintptr_t)j->more[i].docid);
    gg_drop(ctx, j->more);
    j->target = j->pool = NULL;
    j->profile = NULL;
    j->own = j->lists = NULL;
    j->has = NULL;
    j->layer_sum = NULL;
    j->place = NULL;
    j->more = NULL;
    j->n_more = 0;
}

void gg_nag_explanation_free(gg_nag_explanation *e)
{
    if (!e)
        return;
    job *j = (job *)e;
    gg_context *ctx = e->ctx;
    drop_work(j);
    for (int i = 0; i < e->n_like + j->n_beyond; i++)
        gg_drop(ctx, (void *)(uintptr_t)e->like[i].docid);
    gg_drop(ctx, e->like);
    gg_drop(ctx, e->has);
    gg_drop(ctx, e->lacks);
    gg_drop(ctx, e->similarity);
    gg_drop(ctx, e->pool_similarity);
    gg_drop(ctx, j);
}

static inline uint32_t index_at(const gg_nag_features *f, int s, int64_t i)
{
    return f->index_bytes == 2 ? ((const uint16_t *)f->index[s])[i] : ((const uint32_t *)f->index[s])[i];
}

/* --- passes over the pool --------------------------------------------------------------------------------------------------------- */
static gg_status each_batch(job *j, gg_status (*batch)(job *, const gg_nag_features *, int s))
{
    const gg_nag_explain_options *o = j->o;
    gg_context *ctx = j->e.ctx;
    gg__nag_files files;
    gg_status st = gg__nag_files_of(&files, ctx, o->pool, o->n_pool);
    for (int p = 0; p < files.n && st == GG_OK; p++) {
        const char *path = files.path[p];
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        if ((st = gg_nag_reader_open(&r, ctx, path, j->e.header.n_layers)) != GG_OK)
            break;
        const gg_nag_header *h = gg_nag_reader_header(r);
        st = gg__nag_header_match(&j->told, ctx, &j->e.header, o->target[0], h, path, o->type);
        const int s = gg_nag_header_find(h, o->type);
        if (st == GG_OK && !j->pool)
            st = gg_nag_counts_create(&j->pool, ctx, h->n_layers, h->site[s].top_k, h->site[s].width);
        while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK)
            st = gg_context_stopped(ctx) ? gg_fail(ctx, GG_EINTR, "stopped while reading %s", path) : batch(j, &f, s);
        gg_nag_reader_close(r);
        st = st == GG_END ? GG_OK : st;
    }
    gg__nag_files_free(&files, ctx);
    return st;
}

/* Of the pool's docids the one most like the word that was not found, for the message. */
static gg_status nearest_pass(job *j, const gg_nag_features *f, int s)
{
    (void)s;
    const char *near = gg_nearest(j->o->docid, f->docid, f->n <= INT32_MAX ? (int)f->n : INT32_MAX);
    if (near && !j->near[0] && strlen(near) < sizeof j->near)
        snprintf(j->near, sizeof j->near, "%s", near);
    return GG_OK;
}

static gg_status first_pass(job *j, const gg_nag_features *f, int s)
{
    for (int64_t i = 0; i < f->n && !j->found; i++) {
        if (strcmp(f->docid[i], j->o->docid) != 0)
            continue;
        for (int64_t n = 0; n < j->per_document; n++)
            j->own[n] = index_at(f, s, i * j->per_document + n);
        j->found = true;
    }
    return gg_nag_counts_add(j->pool, f, s);
}

static double distance_of(const job *j, const gg_nag_features *f, int s, int64_t i)
{
    gg_nag_features one = *f;
    double distance;
    one.n = 1;
    one.index[s] = (const char *)f->index[s] + i * j->per_document * f->index_bytes;
    gg_nag_distance(&distance, j->profile, &one, s);
    return distance;
}

static double similarity_of(const job *j, const gg_nag_features *f, int s, int64_t i)
{
    int64_t common = 0;
    for (int l = 0; l < j->profile->n_layers; l++)
        for (int64_t k = 0; k < j->K; k++) {
            const int64_t neuron = index_at(f, s, i * j->per_document + l * j->K + k);
            if (neuron < j->profile->width)
                common += j->has[l * j->profile->width + neuron];
        }
    return (double)common / (double)j->per_document;
}

/* More alike first, ties in the order of docids. */
static bool comes_before(const gg_nag_alike *a, double similarity, const char *docid)
{
    return a->similarity > similarity || (a->similarity == similarity && strcmp(a->docid, docid) <= 0);
}

/* Documents alike are few: insertion into a short list. */
static gg_status keep_alike(job *j, const gg_nag_features *f, int s, int64_t i, double similarity, double distance)
{
    gg_nag_explanation *e = &j->e;
    const char *docid = f->docid[i];
    int at = e->n_like;
    while (at > 0 && !comes_before(&e->like[at - 1], similarity, docid))
        at--;
    if (at == ALIKE_KEPT)
        return GG_OK;
    char *copy = gg_strdup(e->ctx, docid);
    if (!copy)
        return GG_ENOMEM;
    if (e->n_like == ALIKE_KEPT)
        gg_drop(e->ctx, (void *)(uintptr_t)e->like[--e->n_like].docid);
    memmove(e->like + at + 1, e->like + at, sizeof *e->like * (size_t)(e->n_like - at));
    memmove(j->lists + (at + 1) * j->per_document, j->lists + at * j->per_document, sizeof *j->lists * (size_t)((e->n_like - at) * j->per_document));
    e->like[at] = (gg_nag_alike){.docid = copy, .similarity = similarity, .distance = distance};
    for (int64_t n = 0; n < j->per_document; n++)
        j->lists[at * j->per_document + n] = index_at(f, s, i * j->per_document + n);
    e->n_like++;
    return GG_OK;
}

static gg_status second_pass(job *j, const gg_nag_features *f, int s)
{
    gg_nag_explanation *e = &j->e;
    const gg_nag_profile *p = j->profile;
    for (int64_t i = 0; i < f->n; i++) {
        const double distance = distance_of(j, f, s, i);
        for (int l = 0; l < e->header.n_layers; l++)
            for (int64_t k = 0; k < j->K; k++) {
                const int64_t neuron = index_at(f, s, i * j->per_document + l * j->K + k);
                if (neuron < p->width)
                    j->layer_sum[l] += p->weight[l * p->width + neuron];
            }
        j->distance_sum += distance;
        const bool itself = strcmp(f->docid[i], j->o->docid) == 0;
        if (itself)
            continue;
        e->rank += distance < e->distance || (distance == e->distance && strcmp(f->docid[i], j->o->docid) < 0);
        GG_TRY(keep_alike(j, f, s, i, similarity_of(j, f, s, i), distance));
    }
    return GG_OK;
}

/* A document that holds a neuron with too few witnesses and is not one of those alike. */
static gg_status keep_witness(const job *j, gg_nag_alike *more, const char *docid, double similarity, double distance)
{
    int at = GG_NAG_WITNESSES;
    while (at > 0 && (!more[at - 1].docid || !comes_before(&more[at - 1], similarity, docid)))
        at--;
    if (at == GG_NAG_WITNESSES)
        return GG_OK;
    char *copy = gg_strdup(j->e.ctx, docid);
    if (!copy)
        return GG_ENOMEM;
    gg_drop(j->e.ctx, (void *)(uintptr_t)more[GG_NAG_WITNESSES - 1].docid);
    memmove(more + at + 1, more + at, sizeof *more * (size_t)(GG_NAG_WITNESSES - 1 - at));
    more[at] = (gg_nag_alike){.docid = copy, .similarity = similarity, .distance = distance};
    return GG_OK;
}

static gg_status third_pass(job *j, const gg_nag_features *f, int s)
{
    const gg_nag_alike *last = &j->e.like[ALIKE_KEPT - 1];
    const int64_t width = j->profile->width;
    for (int64_t i = 0; i < f->n; i++) {
        double similarity = -1, distance = 0;
        if (strcmp(f->docid[i], j->o->docid) == 0)
            continue;
        for (int64_t n = 0; n < j->per_document; n++) {
            const int64_t neuron = index_at(f, s, i * j->per_document + n);
            const int32_t place = neuron < width ? j->place[n / j->K * width + neuron] : 0;
            if (!place)
                continue;
            if (similarity < 0) {
                similarity = similarity_of(j, f, s, i);
                distance = distance_of(j, f, s, i);
            }
            if (similarity > last->similarity || (similarity == last->similarity && strcmp(f->docid[i], last->docid) <= 0))
                break; /* one of those alike, which were asked already */
            GG_TRY(keep_witness(j, j->more + (place - 1) * GG_NAG_WITNESSES, f->docid[i], similarity, distance));
        }
    }
    return GG_OK;
}

/* --- reasons ------------------------------------------------------------------------------------------------------------------------ */
static int more_first(const void *pa, const void *pb) /* larger |part|, then in order of place */
{
    const gg_nag_reason *a = pa, *b = pb;
    const double x = a->part < 0 ? -a->part : a->part, y = b->part < 0 ? -b->part : b->part;
    if (x != y)
        return x < y ? 1 : -1;
    if (a->gain != b->gain)
        return a->gain < b->gain ? 1 : -1;
    return a->layer != b->layer ? a->layer - b->layer : (a->neuron > b->neuron) - (a->neuron < b->neuron);
}

static double share(const gg_nag_counts *c, int l, int64_t k)
{
    return k < c->width ? (double)c->count[l * c->width + k] / (double)c->n_documents : 0;
}

static void call_witnesses(const job *j, gg_nag_reason *r)
{
    for (int i = 0; i < j->e.n_like && r->n_others < GG_NAG_WITNESSES; i++) {
        const uint32_t *list = j->lists + i * j->per_document + r->layer * j->K;
        bool holds = false;
        for (int64_t k = 0; k < j->K; k++)
            holds |= list[k] == (uint64_t)r->neuron;
        if (holds)
            r->other[r->n_others++] = i;
    }
}

static gg_status find_reasons(job *j)
{
    gg_nag_explanation *e = &j->e;
    const gg_nag_profile *p = j->profile;
    int64_t n = 0;
    for (int64_t i = 0; i < p->n_layers * p->width; i++)
        n += p->weight[i] > 0;
    e->has = gg_new(e->ctx, gg_nag_reason, n);
    e->lacks = gg_new(e->ctx, gg_nag_reason, n);
    if (!e->has || !e->lacks)
        return GG_ENOMEM;
    for (int l = 0; l < p->n_layers; l++)
        for (int64_t k = 0; k < p->width; k++) {
            const int64_t at = l * p->width + k;
            if (p->weight[at] <= 0)
                continue;
            const bool has = j->has[at];
            gg_nag_reason r = {
                .layer = l, .neuron = k, .gain = p->weight[at] / p->n_layers, .in_targets = share(j->target, l, k), .in_pool = share(j->pool, l, k)};
            r.part = has ? (1 - r.in_pool) * r.gain : -r.in_pool * r.gain;
            call_witnesses(j, &r);
            if (has)
                e->has[e->n_has++] = r;
            else
                e->lacks[e->n_lacks++] = r;
        }
    qsort(e->has, (size_t)e->n_has, sizeof *e->has, more_first);
    qsort(e->lacks, (size_t)e->n_lacks, sizeof *e->lacks, more_first);
    return GG_OK;
}

/* Fewer are witnesses than could be. */
static bool lacks_witnesses(const job *j, const gg_nag_reason *r)
{
    const int64_t at = r->layer * j->profile->width + r->neuron;
    const int64_t others = (r->neuron < j->pool->width ? j->pool->count[r->layer * j->pool->width + r->neuron] : 0) - j->has[at];
    return r->n_others < GG_NAG_WITNESSES && r->n_others < others;
}

static void add_witnesses(job *j, gg_nag_reason *reason, int64_t n)
{
    gg_nag_explanation *e = &j->e;
    for (gg_nag_reason *r = reason; r < reason + n; r++) {
        const int32_t place = j->place[r->layer * j->profile->width + r->neuron];
        if (!place)
            continue;
        gg_nag_alike *more = j->more + (place - 1) * GG_NAG_WITNESSES;
        for (int k = 0; k < GG_NAG_WITNESSES && more[k].docid && r->n_others < GG_NAG_WITNESSES; k++) {
            r->other[r->n_others++] = e->n_like + j->n_beyond;
            e->like[e->n_like + j->n_beyond++] = more[k];
            more[k].docid = NULL; /* it is `like`'s now */
        }
    }
}

/* Rare neurons: those alike do not hold them, others may. */
static gg_status find_more_witnesses(job *j)
{
    gg_nag_explanation *e = &j->e;
    if (e->n_like < ALIKE_KEPT) /* all of the pool */
        return GG_OK;
    if (!(j->place = gg_new(e->ctx, int32_t, j->profile->n_layers * j->profile->width)))
        return GG_ENOMEM;
    int32_t n = 0;
    for (int64_t i = 0; i < e->n_has + e->n_lacks; i++) {
        const gg_nag_reason *r = i < e->n_has ? &e->has[i] : &e->lacks[i - e->n_has];
        if (lacks_witnesses(j, r))
            j->place[r->layer * j->profile->width + r->neuron] = ++n;
    }
    if (n == 0)
        return GG_OK;
    gg_nag_alike *like = gg_renew(e->ctx, e->like, gg_nag_alike, ALIKE_KEPT + 1 + (int64_t)n * GG_NAG_WITNESSES);
    if (!like)
        return GG_ENOMEM;
    e->like = like;
    if (!(j->more = gg_new(e->ctx, gg_nag_alike, (int64_t)n * GG_NAG_WITNESSES)))
        return GG_ENOMEM;
    j->n_more = n;
    GG_TRY(each_batch(j, third_pass));
    add_witnesses(j, e->has, e->n_has);
    add_witnesses(j, e->lacks, e->n_lacks);
    return GG_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------- */
static gg_status read_target(job *j)
{
    const gg_nag_explain_options *o = j->o;
    gg_nag_set *set = NULL;
    GG_TRY(gg_nag_set_read(&set, j->e.ctx, o->target, o->n_target, o->n_layers));
    const gg_nag_header *h = &set->header;
    const int s = gg_nag_header_find(h, o->type);
    gg_status st = s < 0 ? gg_fail(j->e.ctx, GG_ENOENT, "%s has no features of site %s", o->target[0], gg_nag_type_name(o->type))
                         : gg_nag_counts_create(&j->target, j->e.ctx, h->n_layers, h->site[s].top_k, h->site[s].width);
    if (st == GG_OK)
        st = gg_nag_counts_add(j->target, &set->f, s);
    if (st == GG_OK && set->f.n == 0)
        st = gg_fail(j->e.ctx, GG_EINVAL, "%s holds no documents: a target needs at least one", o->target[0]);
    j->e.header = *h;
    j->e.n_targets = set->f.n;
    j->K = s < 0 ? 0 : h->site[s].top_k;
    j->per_document = h->n_layers * j->K;
    gg_nag_set_free(set);
    return st;
}

static gg_status make_profile(job *j)
{
    const gg_nag_explain_options *o = j->o;
    return o->weights == GG_NAG_CONTRAST ? gg_nag_profile_contrast(&j->profile, j->target, j->pool)
                                         : gg_nag_profile_frequency(&j->profile, j->target, o->power == 0 ? 1 : o->power);
}

/* The document itself, by the profile. */
static gg_status look_at_document(job *j)
{
    gg_nag_explanation *e = &j->e;
    const gg_nag_profile *p = j->profile;
    gg_nag_features own = {.n = 1, .docid = &j->o->docid, .index_bytes = 4, .index = {j->own}};
    gg_nag_distance(&e->distance, p, &own, 0);
    if (!(j->has = gg_alloc(e->ctx, gg_mul(p->width, p->n_layers))))
        return GG_ENOMEM;
    for (int l = 0; l < p->n_layers; l++)
        for (int64_t k = 0; k < j->K; k++)
            if (j->own[l * j->K + k] < p->width) {
                j->has[l * p->width + j->own[l * j->K + k]] = 1;
                e->similarity[l] += p->weight[l * p->width + j->own[l * j->K + k]];
            }
    return GG_OK;
}

static gg_status explain(job *j)
{
    gg_nag_explanation *e = &j->e;
    GG_TRY(read_target(j));
    const int L = e->header.n_layers;
    j->own = gg_new(e->ctx, uint32_t, j->per_document);
    j->layer_sum = gg_new(e->ctx, double, L);
    j->lists = gg_alloc(e->ctx, gg_mul((ALIKE_KEPT + 1) * (int64_t)sizeof *j->lists, j->per_document));
    e->like = gg_new(e->ctx, gg_nag_alike, ALIKE_KEPT + 1);
    e->similarity = gg_new(e->ctx, double, L);
    e->pool_similarity = gg_new(e->ctx, double, L);
    if (!j->own || !j->layer_sum || !j->lists || !e->like || !e->similarity || !e->pool_similarity)
        return GG_ENOMEM;
    GG_TRY(each_batch(j, first_pass));
    if (!j->found) {
        const int64_t n = j->pool ? j->pool->n_documents : 0;
        if (n <= SUGGEST_AMONG)
            GG_TRY(each_batch(j, nearest_pass));
        return gg_fail(e->ctx, GG_ENOENT, "%s%s: no document \"%s\" among %lld%s%s%s", j->o->pool[0], j->o->n_pool > 1 ? " and the others" : "", j->o->docid,
                       (long long)n, j->near[0] ? ". Did you mean \"" : "", j->near, j->near[0] ? "\"?" : "");
    }
    GG_TRY(make_profile(j));
    GG_TRY(look_at_document(j));
    e->rank = 1;
    GG_TRY(each_batch(j, second_pass));
    e->n_pool = j->pool->n_documents;
    e->pool_distance = j->distance_sum / (double)e->n_pool;
    for (int l = 0; l < L; l++)
        e->pool_similarity[l] = j->layer_sum[l] / (double)e->n_pool;
    GG_TRY(find_reasons(j));
    return find_more_witnesses(j);
}

gg_status gg_nag_explain(gg_nag_explanation **out, gg_context *ctx, const gg_nag_explain_options *o)
{
    if (o->n_target < 1 || o->n_pool < 1 || !o->docid)
        return gg_fail(ctx, GG_EINVAL, "an explanation needs features of a target and of a pool, and a document's id");
    for (int p = 0; p < o->n_pool; p++)
        if (strcmp(o->pool[p], "-") == 0)
            return gg_fail(ctx, GG_EINVAL, "the pool is read twice: standard input cannot be one of its files");
    job *j = gg_new(ctx, job, 1);
    if (!j)
        return GG_ENOMEM;
    *j = (job){.e = {.ctx = ctx}, .o = o};
    const gg_status st = explain(j);
    drop_work(j);
    j->o = NULL;
    if (st != GG_OK) {
        gg_nag_explanation_free(&j->e);
        return st;
    }
    *out = &j->e;
    return GG_OK;
}
