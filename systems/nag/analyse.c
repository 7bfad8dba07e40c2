/* What features tell beyond a ranking: clusters, maps, the neurons a task leans on.
 *
 *     multi-hot x(c) in {0,1}^(L width), x_lk = 1 iff k in N_l(c):   |x(a) - x(b)|^2 = 2 L K (1 - Sim(a, b))
 * so Euclidean k-means on it is k-means in the paper's distance (whose own clustering "based on NAG similarity" is not further described),
 * and t-SNE takes the matrix 1 - Sim as it is. The published map instead feeds the raw index numbers to a Euclidean t-SNE; that is
 * a distance between names, and is not done here.
 * Columns that no document uses are left out of the multi-hot table: they are 0 for all and change no distance.
 */
#include "systems/nag/nag_internal.h"
#include "base/work.h"
#include <stdlib.h>

static gg_status need_site(int *s, gg_context *ctx, const gg_nag_header *h, gg_nag_type t)
{
    *s = gg_nag_header_find(h, t);
    return *s >= 0 ? GG_OK : gg_fail(ctx, GG_ENOENT, "the features have no site %s", gg_nag_type_name(t));
}

gg_status gg_nag_multi_hot(double **out, int64_t *n_columns, gg_context *ctx, const gg_nag_set *set, gg_nag_type t)
{
    int s;
    GG_TRY(need_site(&s, ctx, &set->header, t));
    const int64_t L = set->header.n_layers, K = set->header.site[s].top_k, n = set->f.n;
    int64_t width = 0, used = 0;
    for (int64_t j = 0; j < n * L * K; j++)
        width = gg__nag_index(&set->f, s, j) >= width ? gg__nag_index(&set->f, s, j) + 1 : width;
    int64_t *column = gg_alloc(ctx, gg_mul(L * (int64_t)sizeof *column, width)); /* (L, width): 1 + column of the table, 0: unused */
    if (!column)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < L; l++)
            for (int64_t k = 0; k < K; k++) {
                int64_t *c = &column[l * width + gg__nag_index(&set->f, s, (i * L + l) * K + k)];
                *c = *c ? *c : ++used;
            }
    double *x = gg_alloc(ctx, gg_mul(n * (int64_t)sizeof *x, used));
    for (int64_t i = 0; x && i < n; i++)
        for (int64_t l = 0; l < L; l++)
            for (int64_t k = 0; k < K; k++)
                x[i * used + column[l * width + gg__nag_index(&set->f, s, (i * L + l) * K + k)] - 1] = 1;
    gg_drop(ctx, column);
    if (!x)
        return GG_ENOMEM;
    *out = x;
    *n_columns = used;
    return GG_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

gg_status gg_nag_pairwise(double *out, gg_context *ctx, const gg_nag_set *set, gg_nag_type t)
{
    int s;
    GG_TRY(need_site(&s, ctx, &set->header, t));
    const int64_t L = set->header.n_layers, K = set->header.site[s].top_k, n = set->f.n;
    uint32_t *sorted = gg_alloc(ctx, gg_mul(n * (int64_t)sizeof *sorted, L * K)); /* each list rising: intersections by merging */
    if (!sorted)
        return GG_ENOMEM;
    for (int64_t j = 0; j < n * L * K; j++)
        sorted[j] = (uint32_t)gg__nag_index(&set->f, s, j);
    for (int64_t j = 0; j < n * L; j++)
        qsort(sorted + j * K, (size_t)K, sizeof *sorted, by_number);
    for (int64_t a = 0; a < n; a++) {
        out[a * n + a] = 0;
        for (int64_t b = 0; b < a; b++) {
            int64_t common = 0;
            for (int64_t l = 0; l < L; l++) {
                const uint32_t *x = sorted + (a * L + l) * K, *y = sorted + (b * L + l) * K;
                for (int64_t i = 0, j = 0; i < K && j < K;) {
                    common += x[i] == y[j];
                    const bool left = x[i] <= y[j], right = y[j] <= x[i];
                    i += left;
                    j += right;
                }
            }
            out[a * n + b] = out[b * n + a] = 1.0 - (double)common / (double)(L * K);
        }
    }
    gg_drop(ctx, sorted);
    return GG_OK;
}

gg_status gg_nag_strongest(int64_t *out, const gg_nag_profile *p, int64_t per_layer)
{
    if (per_layer < 1)
        return gg_fail(p->ctx, GG_EINVAL, "%lld neurons a layer: at least 1", (long long)per_layer);
    for (int l = 0; l < p->n_layers; l++) {
        const double *w = p->weight + l * p->width;
        int64_t *best = out + l * per_layer, n = 0;
        for (int64_t k = 0; k < p->width; k++) { /* insertion into the few best so far; an equal weight stays behind */
            if (w[k] <= 0 || (n == per_layer && w[k] <= w[best[n - 1]]))
                continue;
            int64_t at = n < per_layer ? n++ : n - 1;
            for (; at > 0 && w[best[at - 1]] < w[k]; at--)
                best[at] = best[at - 1];
            best[at] = k;
        }
        for (; n < per_layer; n++)
            best[n] = -1;
    }
    return GG_OK;
}

static gg_status site_to_act_on(gg_site *out, gg_context *ctx, gg_nag_type t)
{
    static const gg_site site_of[GG_NAG_TYPES] = {GG_SITE_UP, GG_SITE_MLP_OUT, GG_SITE_Q, GG_SITE_COUNT, GG_SITE_COUNT, GG_SITE_ATTN_OUT};
    *out = site_of[t];
    if (site_of[t] == GG_SITE_COUNT)
        return gg_fail(ctx, GG_EUNSUPPORTED,
                       "the features of %s repeat each KV head for its query heads, so one neuron has several numbers; deactivate takes up, down, q or o",
                       gg_nag_type_name(t));
    return GG_OK;
}

gg_status gg_nag_deactivate(gg_actions *out, const gg_nag_profile *p, const gg_nag_header *h, gg_nag_type t, int64_t per_layer)
{
    gg_site site;
    GG_TRY(site_to_act_on(&site, p->ctx, t));
    int64_t *best = gg_alloc(p->ctx, gg_mul(p->n_layers * (int64_t)sizeof *best, per_layer));
    gg_status st = best ? gg_nag_strongest(best, p, per_layer) : GG_ENOMEM;
    for (int64_t j = 0; j < p->n_layers * per_layer && st == GG_OK; j++)
        if (best[j] >= 0)
            st = gg_actions_add(out, (gg_neuron){.layer = h->layer[j / per_layer], .site = site, .index = best[j]}, GG_OP_ZERO, 0);
    gg_drop(p->ctx, best);
    return st;
}

gg_status gg_nag_deactivate_random(gg_actions *out, gg_context *ctx, const gg_nag_header *h, gg_nag_type t, int64_t per_layer)
{
    gg_site site;
    int s;
    GG_TRY(site_to_act_on(&site, ctx, t));
    GG_TRY(need_site(&s, ctx, h, t));
    const int64_t width = h->site[s].width;
    if (width == 0)
        return gg_fail(ctx, GG_EINVAL, "these features do not say how many neurons a layer has, so none can be drawn; .nag files do");
    if (per_layer < 1 || per_layer > width)
        return gg_fail(ctx, GG_EINVAL, "%lld neurons a layer: 1 to %lld", (long long)per_layer, (long long)width);
    int64_t *order = gg_new(ctx, int64_t, width);
    gg_status st = order ? GG_OK : GG_ENOMEM;
    for (int l = 0; l < h->n_layers && st == GG_OK; l++) {
        gg_random r = gg_random_of(gg_context_seed(ctx), 0x6f6666 + (uint64_t)h->layer[l]); /* "off" and the layer: slices draw alike */
        for (int64_t k = 0; k < width; k++)
            order[k] = k;
        gg_random_shuffle(&r, order, width);
        for (int64_t j = 0; j < per_layer && st == GG_OK; j++)
            st = gg_actions_add(out, (gg_neuron){.layer = h->layer[l], .site = site, .index = order[j]}, GG_OP_ZERO, 0);
    }
    gg_drop(ctx, order);
    return st;
}
