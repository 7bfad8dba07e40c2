/* Part discrimination: do documents of one domain excite the same neurons? (The paper's clustering and its appendix on width.)
 *
 *     k-means on multi-hot lists, k = number of domains; purity, NMI and ARI against the labels; ten starts a seed.
 * Compared with the same on the last layer's lists alone, and on the mean activity after the last norm (what is commonly taken as a language model's
 * embedding of a text), as it is and scaled to length 1: the better of the two counts.
 *
 * The multi-hot table is not made. Its inner products are intersections, x(a) . x(b) = L K (1 - d(a, b)), and k-means needs nothing else:
 * centred, they give coordinates in at most n dimensions with the same distances, made once for all seeds.
 */
#include <math.h>
#include <stdio.h>
#include "systems/nag/reproduce.h"
#include "math/gram.h"

enum { K = 10, MAP_DOCUMENTS = 600 /* exact t-SNE grows with the square */, STARTS = 10 };

typedef struct agreement { /* (n_seeds,) each */
    double *purity, *nmi, *ari;
    double mean[3], sd[3];
} agreement;

static gg_status agreement_make(agreement *a, gg__lab *lab)
{
    *a = (agreement){0};
    double **const to[] = {&a->purity, &a->nmi, &a->ari};
    for (int i = 0; i < 3; i++)
        if (!(*to[i] = gg_arena_alloc(&lab->arena, gg_mul(lab->n_seeds, (int64_t)sizeof(double)))))
            return GG_ENOMEM;
    return GG_OK;
}

/* k-means of x: (n, d), once a seed. label: (n,), of n_labels. */
static gg_status cluster(agreement *a, gg__lab *lab, const double *x, int64_t n, int64_t d, const int32_t *label, int n_labels)
{
    GG_TRY(agreement_make(a, lab));
    double *const by[] = {a->purity, a->nmi, a->ari};
    for (int64_t seed = 0; seed < lab->n_seeds; seed++) {
        gg_kmeans_result r;
        GG_TRY(gg_kmeans(&r, lab->ctx, x, n, d, &(gg_kmeans_options){.k = n_labels, .n_restarts = STARTS, .seed = gg_context_seed(lab->ctx) + (uint64_t)seed}));
        gg_status s = gg_purity(&a->purity[seed], lab->ctx, r.label, label, n);
        if (s == GG_OK)
            s = gg_nmi(&a->nmi[seed], lab->ctx, r.label, label, n);
        if (s == GG_OK)
            s = gg_ari(&a->ari[seed], lab->ctx, r.label, label, n);
        gg_kmeans_result_free(lab->ctx, &r);
        GG_TRY(s);
    }
    for (int i = 0; i < 3; i++) {
        for (int64_t j = 0; j < lab->n_seeds; j++)
            a->mean[i] += by[i][j] / (double)lab->n_seeds;
        for (int64_t j = 0; j < lab->n_seeds && lab->n_seeds > 1; j++)
            a->sd[i] += (by[i][j] - a->mean[i]) * (by[i][j] - a->mean[i]) / (double)(lab->n_seeds - 1);
        a->sd[i] = sqrt(a->sd[i]);
    }
    return GG_OK;
}

/* *y: (n, *width), the distances of multi-hot lists whose pairwise distances these are. */
static gg_status coordinates(double **y, int64_t *width, gg_context *ctx, const double *distance, int64_t n, double entries)
{
    double *g = gg_new(ctx, double, gg_mul(n, n)), *mean = gg_new(ctx, double, n), all = 0;
    gg_status s = g && mean ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        for (int64_t j = 0; j < n; j++)
            mean[i] += entries * (1 - distance[i * n + j]) / (double)n;
        all += mean[i] / (double)n;
    }
    for (int64_t i = 0; i < n && s == GG_OK; i++)
        for (int64_t j = 0; j < n; j++)
            g[i * n + j] = entries * (1 - distance[i * n + j]) - mean[i] - mean[j] + all;
    if (s == GG_OK)
        s = gg__coordinates(y, width, ctx, g, n);
    gg_drop(ctx, g);
    gg_drop(ctx, mean);
    return s;
}

/* Lists of top_k neurons, from first_layer on, of some documents (NULL: all). */
static gg_status cluster_lists(agreement *a, gg__lab *lab, const int64_t *document, int64_t n, const int32_t *label, int n_labels, int64_t top_k,
                               int first_layer)
{
    gg__lab_view v;
    double *y = NULL, *distance = gg_new(lab->ctx, double, gg_mul(n, n));
    int64_t width;
    if (!distance)
        return GG_ENOMEM;
    gg_status s = gg__lab_view_make(&v, lab, document, n, top_k, first_layer);
    if (s == GG_OK) {
        s = gg_nag_pairwise(distance, lab->ctx, &v.set, GG_NAG_UP);
        gg__lab_view_free(&v);
    }
    if (s == GG_OK)
        s = coordinates(&y, &width, lab->ctx, distance, n, (double)top_k * (lab->header.n_layers - first_layer));
    if (s == GG_OK)
        s = cluster(a, lab, y, n, width, label, n_labels);
    gg_drop(lab->ctx, y);
    gg_drop(lab->ctx, distance);
    return s;
}

static gg_status cluster_embeddings(agreement *a, gg__lab *lab, bool unit)
{
    double *x = gg_new(lab->ctx, double, gg_mul(lab->n, lab->d_model));
    if (!x)
        return GG_ENOMEM;
    for (int64_t i = 0; i < lab->n; i++) {
        const float *e = lab->embedding + i * lab->d_model;
        double sum = 0;
        for (int64_t k = 0; k < lab->d_model; k++)
            sum += (double)e[k] * e[k];
        for (int64_t k = 0; k < lab->d_model; k++)
            x[i * lab->d_model + k] = e[k] / (unit && sum > 0 ? sqrt(sum) : 1);
    }
    const gg_status s = cluster(a, lab, x, lab->n, lab->d_model, lab->label, lab->n_labels);
    gg_drop(lab->ctx, x);
    return s;
}

/* --- rows ----------------------------------------------------------------------------------------------------------------------------------- */
static const char *others(char out[160], const agreement *a, const char *before)
{
    snprintf(out, 160, "%sNMI %.3f +- %.3f, ARI %.3f +- %.3f", before, a->mean[1], a->sd[1], a->mean[2], a->sd[2]);
    return out;
}

static const char *whole(char out[160], const agreement *a, const char *before)
{
    snprintf(out, 160, "%spurity %.3f +- %.3f, NMI %.3f, ARI %.3f", before, a->mean[0], a->sd[0], a->mean[1], a->mean[2]);
    return out;
}

static gg_status add_width(gg__lab *lab, agreement *a, int top_k, const char *paper)
{
    char claim[96], note[160];
    GG_TRY(cluster_lists(a, lab, NULL, lab->n, lab->label, lab->n_labels, top_k, 0));
    snprintf(claim, sizeof claim, "clusters of multi-hot lists are the domains: purity, K = %d", top_k);
    return gg_claims_add(lab->claims, &(gg_claim){.claim = claim, .paper = paper, .over = "seeds", .bound = 0.9, .note = others(note, a, "")}, a->purity,
                         lab->n_seeds);
}

static gg_status add_gain(gg__lab *lab, const gg_claim *claim, const agreement *a, const agreement *b)
{
    double *gain = gg_arena_alloc(&lab->arena, gg_mul(lab->n_seeds, (int64_t)sizeof *gain));
    if (!gain)
        return GG_ENOMEM;
    for (int64_t i = 0; i < lab->n_seeds; i++)
        gain[i] = a->purity[i] - b->purity[i];
    return gg_claims_add(lab->claims, claim, gain, lab->n_seeds);
}

static bool is_distinct(const gg__lab *lab, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = lab->distinct; (at = strstr(at, name)); at += n)
        if ((at == lab->distinct || at[-1] == ',') && (at[n] == ',' || at[n] == 0))
            return true;
    return false;
}

static gg_status add_distinct(gg__lab *lab)
{
    gg_claim claim = {.claim = "domains of clearly different kinds alone: purity, K = 10", .over = "seeds", .bound = 0.9};
    gg_str names = {.ctx = lab->ctx};
    int64_t *document = gg_new(lab->ctx, int64_t, lab->n), n = 0;
    int32_t *label = gg_new(lab->ctx, int32_t, lab->n), n_labels = 0;
    gg_status s = document && label ? GG_OK : GG_ENOMEM;
    for (int l = 0; l < lab->n_labels && s == GG_OK; l++) {
        if (!is_distinct(lab, lab->label_name[l]))
            continue;
        gg_str_printf(&names, "%s%s", n_labels ? ", " : "", lab->label_name[l]);
        for (int64_t i = lab->first[l]; i < lab->first[l + 1]; i++) {
            document[n] = lab->member[i];
            label[n++] = n_labels;
        }
        n_labels++;
    }
    agreement a;
    if (s == GG_OK && n_labels < 3) {
        s = gg_claims_skip(lab->claims, &claim, "fewer than three of the domains that --distinct names are in the pool");
    } else if (s == GG_OK && (s = cluster_lists(&a, lab, document, n, label, n_labels, K, 0)) == GG_OK) {
        char figures[160];
        gg_str note = {.ctx = lab->ctx};
        gg_str_printf(&note, "%s; %s", names.data, others(figures, &a, ""));
        claim.note = note.data;
        s = names.failed || note.failed ? GG_ENOMEM : gg_claims_add(lab->claims, &claim, a.purity, lab->n_seeds);
        gg_str_free(&note);
    }
    gg_str_free(&names);
    gg_drop(lab->ctx, document);
    gg_drop(lab->ctx, label);
    return s;
}

/* Documents that excite the same neurons lie together: every so-maneth document, so that the map stays quick. */
static gg_status draw_map(gg__lab *lab)
{
    const char *path = gg__lab_figure_path(lab, "domains");
    if (!path)
        return GG_OK;
    const int64_t step = (lab->n + MAP_DOCUMENTS - 1) / MAP_DOCUMENTS, n = (lab->n + step - 1) / step;
    gg__lab_view v = {0};
    double *distance = gg_new(lab->ctx, double, gg_mul(n, n)), *xy = gg_new(lab->ctx, double, 2 * n);
    int64_t *document = gg_new(lab->ctx, int64_t, n);
    int32_t *label = gg_new(lab->ctx, int32_t, n);
    gg_status s = distance && xy && document && label ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        document[i] = i * step;
        label[i] = lab->label[i * step];
    }
    if (s == GG_OK && (s = gg__lab_view_make(&v, lab, document, n, K, 0)) == GG_OK) {
        s = gg_nag_pairwise(distance, lab->ctx, &v.set, GG_NAG_UP);
        gg__lab_view_free(&v);
    }
    if (s == GG_OK)
        s = gg_tsne(xy, NULL, lab->ctx, distance, n, &(gg_tsne_options){.seed = gg_context_seed(lab->ctx)});
    if (s == GG_OK)
        s = gg__lab_figure_add(lab, gg_plot_map(lab->ctx, path, "Documents by the neurons they excite", xy, label, n, lab->label_name, lab->n_labels,
                                                "t-SNE 1 (no unit)", "t-SNE 2 (no unit)"),
                               path, "Each point is a document; the distance is the share of the ten neurons a layer that two documents do not share.");
    gg_drop(lab->ctx, distance);
    gg_drop(lab->ctx, xy);
    gg_drop(lab->ctx, document);
    gg_drop(lab->ctx, label);
    return s;
}

gg_status gg__nag_lab_discrimination(gg__lab *lab)
{
    char about[160], note[320], figures[160];
    agreement five, ten, twenty, last, raw, unit;
    GG_TRY(gg__lab_extract(lab));
    snprintf(about, sizeof about, "k-means, k = %d, over %lld documents of %d domains", lab->n_labels, (long long)lab->n, lab->n_labels);
    GG_TRY(gg_claims_part(lab->claims, "discrimination", about));
    GG_TRY(add_width(lab, &five, 5, "0.878 (10 data sets)"));
    GG_TRY(add_width(lab, &ten, K, NULL));
    GG_TRY(add_width(lab, &twenty, GG__LAB_K, "0.973 (10 data sets)"));
    GG_TRY(cluster_lists(&last, lab, NULL, lab->n, lab->label, lab->n_labels, K, lab->header.n_layers - 1));
    snprintf(note, sizeof note, "%s", whole(figures, &last, "last layer only: "));
    GG_TRY(add_gain(lab,
                    &(gg_claim){.claim = "all layers tell domains apart better than the last one alone: purity gained, K = 10",
                                .paper = "4.1 points of mean accuracy", .over = "seeds", .relation = GG_MORE_THAN, .bound = 0, .note = note}, &ten, &last));
    GG_TRY(cluster_embeddings(&raw, lab, false));
    GG_TRY(cluster_embeddings(&unit, lab, true));
    snprintf(note, sizeof note, "%s", whole(figures, &raw, "embeddings: "));
    snprintf(note + strlen(note), sizeof note - strlen(note), "; %s", whole(figures, &unit, "scaled to length 1: "));
    GG_TRY(add_gain(lab,
                    &(gg_claim){.claim = "lists of neurons do so better than mean final embeddings: purity gained, K = 10", .over = "seeds",
                                .relation = GG_MORE_THAN, .bound = 0, .note = note}, &ten, unit.mean[0] > raw.mean[0] ? &unit : &raw));
    GG_TRY(add_distinct(lab));
    return draw_map(lab);
}
