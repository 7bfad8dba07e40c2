/* The targets' profile. Owns: counts of neurons and the weights made of them; distance.c looks them up.
 *
 *     frequency (the paper):  w_lk = c_lk^p / sum_j c_lj^p          c_lk = targets whose list of layer l holds neuron k; p = 1
 *     similarity(c) = (1/L) sum_l sum_{k in N_l(c)} w_lk,           distance = 1 - similarity
 * With p = 1 the similarity is the mean over the targets of |N(c) & N(c')| / (L K) (paper, appendix D).
 *
 *     contrast (ours):  p_lk = (c_lk + a q_lk) / (n + a),   q_lk = (C_lk + 1/2) / (N + 1),   a = 1
 *                       s_lk = sqrt(2 (n + a) (p log(p/q) + (1 - p) log((1 - p) / (1 - q))))        where p_lk > q_lk and c_lk > 0, else 0
 *                       w_lk = s_lk / ((1/L) sum_l of the K largest s_lj)
 * n targets, N pool documents, C_lk the pool's counts: the root of the deviance - how many standard deviations the target's count is above what the
 * pool's share would give (Dunning 1993) - with one imagined document of the pool among the targets, so that a single count weighs little. The
 * paper weighs always-on neurons most, which every document shares; here they weigh next to nothing. The scale makes the best possible list have
 * distance 0; it does not change the order.
 * Traps: log-odds alone give an always-on neuron log(n/q + 1) > 0, as n of n looks like certainty; the neurons on top were then half of them
 * always-on, and switching them off hurt every text alike (golgi reproduce nag --part causality). Log-odds over their standard error punish n of n as
 * much, because the error has no bound there (Hauck & Donner 1977): a neuron of 5 of 30 targets and 2 % of the pool outweighed one of 30 of 30 and 25 %.
 * How it was chosen: mean precision at n over 12 draws of 5 targets a domain, golden documents and examples/pool: 0.685, 0.666 (over their error 0.681,
 * 0.669; plain log-odds 0.681, 0.670; frequency 0.632, 0.606): no difference in ranking. Of the five heaviest neurons a layer, shares of the targets'
 * and of the pool's lists that hold them: 0.67, 0.25 (0.58, 0.20; 0.70, 0.34; 0.98, 0.75): common in the target and rare outside.
 */
#include "systems/nag/nag_internal.h"
#include <math.h>

/* --- counts ---------------------------------------------------------------------------------------------------------------- */
gg_status gg_nag_counts_create(gg_nag_counts **out, gg_context *ctx, int n_layers, int64_t top_k, int64_t width)
{
    if (n_layers < 1 || top_k < 1 || width < 0)
        return gg_fail(ctx, GG_EINVAL, "counts of %d layers, K %lld, %lld neurons", n_layers, (long long)top_k, (long long)width);
    gg_nag_counts *c = gg_new(ctx, gg_nag_counts, 1);
    if (!c)
        return GG_ENOMEM;
    *c = (gg_nag_counts){.ctx = ctx, .n_layers = n_layers, .top_k = top_k, .width = width, .growing = width == 0};
    if (width && !(c->count = gg_alloc(ctx, gg_mul(width, (int64_t)sizeof *c->count * n_layers)))) {
        gg_drop(ctx, c);
        return GG_ENOMEM;
    }
    *out = c;
    return GG_OK;
}

void gg_nag_counts_free(gg_nag_counts *c)
{
    if (!c)
        return;
    gg_drop(c->ctx, c->count);
    gg_drop(c->ctx, c);
}

static gg_status widen(gg_nag_counts *c, int64_t need)
{
    const int64_t width = need > 2 * c->width ? need : 2 * c->width;
    int64_t *count = gg_alloc(c->ctx, gg_mul(width, (int64_t)sizeof *count * c->n_layers));
    if (!count)
        return GG_ENOMEM;
    for (int l = 0; l < c->n_layers && c->width; l++)
        memcpy(count + l * width, c->count + l * c->width, sizeof *count * (size_t)c->width);
    gg_drop(c->ctx, c->count);
    c->count = count;
    c->width = width;
    return GG_OK;
}

gg_status gg_nag_counts_add(gg_nag_counts *c, const gg_nag_features *f, int s)
{
    const int64_t per_document = c->n_layers * c->top_k;
    int64_t need = 0;
    for (int64_t j = 0; j < f->n * per_document; j++)
        need = gg__nag_index(f, s, j) >= need ? gg__nag_index(f, s, j) + 1 : need;
    if (need > c->width && !c->growing)
        return gg_fail(c->ctx, GG_EINVAL, "neuron %lld of layers that have %lld", (long long)need - 1, (long long)c->width);
    if (need > c->width)
        GG_TRY(widen(c, need));
    for (int64_t i = 0; i < f->n; i++)
        for (int l = 0; l < c->n_layers; l++)
            for (int64_t k = 0; k < c->top_k; k++)
                c->count[l * c->width + gg__nag_index(f, s, i * per_document + l * c->top_k + k)]++;
    c->n_documents += f->n;
    return GG_OK;
}

gg_status gg_nag_counts_merge(gg_nag_counts *c, const gg_nag_counts *from)
{
    if (from->n_layers != c->n_layers || from->top_k != c->top_k || (from->width > c->width && !c->growing))
        return gg_fail(c->ctx, GG_EMISMATCH, "counts of %d layers of %lld neurons and K %lld, and of %d, %lld and %lld, cannot be added", c->n_layers,
                       (long long)c->width, (long long)c->top_k, from->n_layers, (long long)from->width, (long long)from->top_k);
    if (from->width > c->width)
        GG_TRY(widen(c, from->width));
    for (int l = 0; l < c->n_layers; l++)
        for (int64_t k = 0; k < from->width; k++)
            c->count[l * c->width + k] += from->count[l * from->width + k];
    c->n_documents += from->n_documents;
    return GG_OK;
}

/* --- weights ---------------------------------------------------------------------------------------------------------------- */
static gg_status profile_create(gg_nag_profile **out, const gg_nag_counts *c)
{
    if (c->n_documents == 0)
        return gg_fail(c->ctx, GG_EINVAL, "no target documents: a profile needs at least one");
    gg_nag_profile *p = gg_new(c->ctx, gg_nag_profile, 1);
    if (!p)
        return GG_ENOMEM;
    *p = (gg_nag_profile){.ctx = c->ctx, .n_layers = c->n_layers, .top_k = c->top_k, .width = c->width};
    if (!(p->weight = gg_alloc(c->ctx, gg_mul(c->width, (int64_t)sizeof *p->weight * c->n_layers)))) {
        gg_drop(c->ctx, p);
        return GG_ENOMEM;
    }
    *out = p;
    return GG_OK;
}

void gg_nag_profile_free(gg_nag_profile *p)
{
    if (!p)
        return;
    gg_drop(p->ctx, p->weight);
    gg_drop(p->ctx, p);
}

gg_status gg_nag_profile_frequency(gg_nag_profile **out, const gg_nag_counts *target, double power)
{
    if (!isfinite(power))
        return gg_fail(target->ctx, GG_EINVAL, "the power of the counts is not a finite number");
    gg_nag_profile *p = NULL;
    GG_TRY(profile_create(&p, target));
    for (int l = 0; l < p->n_layers; l++) {
        const int64_t *c = target->count + l * p->width;
        double *w = p->weight + l * p->width;
        double sum = 0;
        for (int64_t k = 0; k < p->width; k++)
            sum += w[k] = c[k] == 0 ? 0 : power == 1 ? (double)c[k] : pow((double)c[k], power);
        for (int64_t k = 0; k < p->width; k++)
            w[k] = w[k] / sum;
    }
    *out = p;
    return GG_OK;
}

/* Sum of the k largest of w >= 0: (n,). */
static double sum_of_largest(const double *w, int64_t n, int64_t k, double *heap /* (k,) */)
{
    int64_t size = 0; /* a min-heap of the largest so far */
    for (int64_t i = 0; i < n; i++) {
        if (w[i] <= 0 || (size == k && w[i] <= heap[0]))
            continue;
        int64_t at = size < k ? size++ : 0;
        if (size == k && at == 0) { /* replace the smallest, sift down */
            for (int64_t child; (child = 2 * at + 1) < size; at = child) {
                child += child + 1 < size && heap[child + 1] < heap[child];
                if (heap[child] >= w[i])
                    break;
                heap[at] = heap[child];
            }
        } else { /* append, sift up */
            for (; at > 0 && heap[(at - 1) / 2] > w[i]; at = (at - 1) / 2)
                heap[at] = heap[(at - 1) / 2];
        }
        heap[at] = w[i];
    }
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += heap[i];
    return sum;
}

gg_status gg_nag_profile_contrast(gg_nag_profile **out, const gg_nag_counts *target, const gg_nag_counts *pool)
{
    if (pool->n_documents == 0)
        return gg_fail(pool->ctx, GG_EINVAL, "no pool documents: a contrast needs both sides");
    if (pool->n_layers != target->n_layers || pool->top_k != target->top_k)
        return gg_fail(pool->ctx, GG_EMISMATCH, "the target's counts have %d layers and K %lld, the pool's %d and %lld", target->n_layers,
                       (long long)target->top_k, pool->n_layers, (long long)pool->top_k);
    gg_nag_profile *p = NULL;
    GG_TRY(profile_create(&p, target));
    double *heap = gg_new(p->ctx, double, p->top_k);
    if (!heap) {
        gg_nag_profile_free(p);
        return GG_ENOMEM;
    }
    const double a = 1, n = (double)target->n_documents, N = (double)pool->n_documents;
    double best = 0;
    for (int l = 0; l < p->n_layers; l++) {
        double *w = p->weight + l * p->width;
        for (int64_t k = 0; k < p->width; k++) {
            const double c = (double)target->count[l * p->width + k];
            const double C = k < pool->width ? (double)pool->count[l * pool->width + k] : 0;
            const double q = (C + 0.5) / (N + 1);
            const double p_k = (c + a * q) / (n + a);
            w[k] = c > 0 && p_k > q ? sqrt(2 * (n + a) * (p_k * log(p_k / q) + (1 - p_k) * (log1p(-p_k) - log1p(-q)))) : 0; /* c = 0 is never above the pool */
        }
        best += sum_of_largest(w, p->width, p->top_k, heap);
    }
    gg_drop(p->ctx, heap);
    if (best > 0) {
        const double scale = p->n_layers / best;
        for (int64_t j = 0; j < p->n_layers * p->width; j++)
            p->weight[j] *= scale;
    }
    *out = p;
    return GG_OK;
}
