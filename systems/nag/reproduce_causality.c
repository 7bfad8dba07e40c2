/* Parts causality and proxy: what happens to the loss when neurons are switched off.
 *
 *     causality   Half of a domain's documents make its profile. Of each layer the N neurons of largest weight are set to zero (site up, as the published
 *                 deactivation zeroes rows of up_proj), and the loss is measured on documents of the domain that are not in that half, and on documents
 *                 of the other domains; against N neurons of each layer drawn at random, once for each seed.
 *                     rise = mean over tokens of (loss with them off - loss)         nats
 *     proxy       Does the impact stand for what a neuron does to the loss? (Paper, appendix C.) Up neurons are ranked inside each layer by their mean impact;
 *                 bins of 50 by rank; a bin is zeroed in all layers at once, |rise| against the bin's mean impact. A bin that is not full is left out.
 * Trap: the paper's table of accuracies averages over tasks and does not say whether what was switched off was the target's own. So the rise off the target is
 * told too.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/reproduce.h"
#include "math/kernels.h"

enum { K = 10, SHORTEST = 16 /* tokens of a document whose loss is measured */ };

/* --- documents ---------------------------------------------------------------------------------------------------------------------------- */
typedef struct halves { /* the same for both parts and every run with this seed */
    int64_t *profile, *n_profile; /* (n_labels, largest) documents that make profiles; (n_labels,) */
    int64_t *held, *n_held;       /* (n_labels, largest) documents of the other half, long enough; (n_labels,) */
    int64_t largest;
} halves;

static gg_status halves_make(halves *h, gg__lab *lab)
{
    gg_random r = gg_random_of(gg_context_seed(lab->ctx), GG__LAB_SPLIT);
    *h = (halves){0};
    for (int l = 0; l < lab->n_labels; l++)
        h->largest = gg__lab_size(lab, l) > h->largest ? gg__lab_size(lab, l) : h->largest;
    const size_t table = gg_mul(lab->n_labels * (int64_t)sizeof(int64_t), h->largest), row = gg_mul(lab->n_labels, (int64_t)sizeof(int64_t));
    int64_t *order = gg_arena_alloc(&lab->arena, gg_mul(h->largest, (int64_t)sizeof *order));
    if (!(h->profile = gg_arena_alloc(&lab->arena, table)) || !(h->held = gg_arena_alloc(&lab->arena, table)) ||
        !(h->n_profile = gg_arena_alloc(&lab->arena, row)) || !(h->n_held = gg_arena_alloc(&lab->arena, row)) || !order)
        return GG_ENOMEM;
    for (int l = 0; l < lab->n_labels; l++) {
        const int64_t n = gg__lab_shuffled(order, lab, l, &r);
        for (int64_t i = 0; i < n; i++)
            if (i < n / 2)
                h->profile[l * h->largest + h->n_profile[l]++] = order[i];
            else if (lab->start[order[i] + 1] - lab->start[order[i]] >= SHORTEST)
                h->held[l * h->largest + h->n_held[l]++] = order[i];
        if (h->n_held[l] == 0)
            return gg_fail(lab->ctx, GG_EINVAL, "no document of the domain \"%s\" outside its profile has %d tokens", lab->label_name[l], SHORTEST);
    }
    return GG_OK;
}

/* --- what is switched off ----------------------------------------------------------------------------------------------------------------- */
typedef enum kind { FREQUENT, CONTRASTED, KINDS } kind;
enum { N_SIZES = 2 };
static const int size_of[N_SIZES] = {5, 20};

static gg_status strongest(gg_actions **out, gg__lab *lab, const halves *h, int label, kind k, int per_layer)
{
    gg_nag_counts *target = NULL, *pool = NULL;
    gg_nag_profile *p = NULL;
    gg_status s = gg__lab_count(&target, lab, h->profile + label * h->largest, h->n_profile[label], K);
    if (s == GG_OK && k == CONTRASTED) {
        int64_t n = 0, *all = gg_new(lab->ctx, int64_t, lab->n);
        s = all ? GG_OK : GG_ENOMEM;
        for (int l = 0; l < lab->n_labels && s == GG_OK; l++)
            for (int64_t i = 0; i < h->n_profile[l]; i++)
                all[n++] = h->profile[l * h->largest + i];
        if (s == GG_OK)
            s = gg__lab_count(&pool, lab, all, n, K);
        gg_drop(lab->ctx, all);
    }
    if (s == GG_OK)
        s = k == CONTRASTED ? gg_nag_profile_contrast(&p, target, pool) : gg_nag_profile_frequency(&p, target, 1);
    if (s == GG_OK && (s = gg_actions_create(out, lab->ctx)) == GG_OK)
        s = gg_nag_deactivate(*out, p, &lab->header, GG_NAG_UP, per_layer);
    gg_nag_counts_free(target);
    gg_nag_counts_free(pool);
    gg_nag_profile_free(p);
    return s;
}

static gg_status at_random(gg_actions **out, gg__lab *lab, int64_t seed, int per_layer)
{
    const int64_t width = lab->header.site[0].width;
    gg_random r = gg_random_of(gg_context_seed(lab->ctx) + (uint64_t)seed, GG__LAB_NEURONS);
    int64_t *neuron = gg_new(lab->ctx, int64_t, width);
    gg_status s = neuron ? gg_actions_create(out, lab->ctx) : GG_ENOMEM;
    for (int l = 0; l < lab->header.n_layers && s == GG_OK; l++) {
        for (int64_t k = 0; k < width; k++)
            neuron[k] = k;
        gg_random_shuffle(&r, neuron, width);
        for (int k = 0; k < per_layer && s == GG_OK; k++)
            s = gg_actions_add(*out, (gg_neuron){.layer = lab->header.layer[l], .site = GG_SITE_UP, .index = neuron[k]}, GG_OP_ZERO, 0);
    }
    gg_drop(lab->ctx, neuron);
    return s;
}

/* --- causality ---------------------------------------------------------------------------------------------------------------------------- */
typedef struct trial {
    halves h;
    int *target, n_targets;   /* the domains whose neurons are switched off */
    int64_t own, other;       /* documents measured: of the domain itself, of each other domain */
    double *on, *off;         /* (N_SIZES, KINDS, n_targets) rises on the domain, off it */
    double *random;           /* (N_SIZES, n_seeds) mean rise on the domains */
    double *plain, *acted;    /* scratch: losses */
    int64_t *document;        /* scratch */
} trial;

static int64_t few(int64_t wanted, int64_t there) { return wanted < there ? wanted : there; }

/* Documents of the domain (the first *n_own), then of the others. */
static int64_t measured_for(int64_t *document, int64_t *n_own, const gg__lab *lab, const trial *t, int target)
{
    int64_t n = 0;
    for (int64_t i = 0; i < few(t->own, t->h.n_held[target]); i++)
        document[n++] = t->h.held[target * t->h.largest + i];
    *n_own = n;
    for (int l = 0; l < lab->n_labels; l++)
        for (int64_t i = 0; l != target && i < few(t->other, t->h.n_held[l]); i++)
            document[n++] = t->h.held[l * t->h.largest + i];
    return n;
}

static gg_status trial_make(trial *t, gg__lab *lab)
{
    *t = (trial){.n_targets = lab->quick ? (int)few(3, lab->n_labels) : lab->n_labels, .own = lab->quick ? 6 : 8, .other = lab->quick ? 1 : 2};
    GG_TRY(halves_make(&t->h, lab));
    const int64_t cells = N_SIZES * KINDS * (int64_t)t->n_targets;
    const size_t documents = gg_mul(lab->n, (int64_t)sizeof(double));
    if (!(t->target = gg_arena_alloc(&lab->arena, gg_mul(t->n_targets, (int64_t)sizeof *t->target))) ||
        !(t->on = gg_arena_alloc(&lab->arena, gg_mul(cells, (int64_t)sizeof *t->on))) ||
        !(t->off = gg_arena_alloc(&lab->arena, gg_mul(cells, (int64_t)sizeof *t->off))) ||
        !(t->random = gg_arena_alloc(&lab->arena, gg_mul(N_SIZES * lab->n_seeds, (int64_t)sizeof *t->random))) ||
        !(t->plain = gg_arena_alloc(&lab->arena, documents)) || !(t->acted = gg_arena_alloc(&lab->arena, documents)) ||
        !(t->document = gg_arena_alloc(&lab->arena, documents)))
        return GG_ENOMEM;
    for (int i = 0; i < t->n_targets; i++)
        t->target[i] = i * lab->n_labels / t->n_targets;
    return GG_OK;
}

/* Every document that is measured for its own domain, domain after domain. */
static int64_t own_documents(int64_t *document, const trial *t)
{
    int64_t n = 0;
    for (int i = 0; i < t->n_targets; i++)
        for (int64_t j = 0; j < few(t->own, t->h.n_held[t->target[i]]); j++)
            document[n++] = t->h.held[t->target[i] * t->h.largest + j];
    return n;
}

static gg_status run_targets(trial *t, gg__lab *lab)
{
    for (int i = 0; i < t->n_targets; i++) {
        int64_t n_own;
        const int64_t n = measured_for(t->document, &n_own, lab, t, t->target[i]);
        GG_TRY(gg__lab_losses(t->plain, lab, NULL, t->document, n));
        for (int z = 0; z < N_SIZES; z++)
            for (int k = 0; k < KINDS; k++) {
                gg_actions *a = NULL;
                gg_status s = strongest(&a, lab, &t->h, t->target[i], (kind)k, size_of[z]);
                if (s == GG_OK)
                    s = gg__lab_losses(t->acted, lab, a, t->document, n);
                gg_actions_free(a);
                GG_TRY(s);
                const int64_t at = (z * KINDS + k) * (int64_t)t->n_targets + i;
                t->on[at] = gg__lab_rise(lab, t->plain, t->acted, t->document, n_own);
                t->off[at] = gg__lab_rise(lab, t->plain + n_own, t->acted + n_own, t->document + n_own, n - n_own);
            }
    }
    return GG_OK;
}

static gg_status run_random(trial *t, gg__lab *lab)
{
    const int64_t n = own_documents(t->document, t);
    GG_TRY(gg__lab_losses(t->plain, lab, NULL, t->document, n));
    for (int z = 0; z < N_SIZES; z++)
        for (int64_t seed = 0; seed < lab->n_seeds; seed++) {
            gg_actions *a = NULL;
            gg_status s = at_random(&a, lab, seed, size_of[z]);
            if (s == GG_OK)
                s = gg__lab_losses(t->acted, lab, a, t->document, n);
            gg_actions_free(a);
            GG_TRY(s);
            int64_t from = 0;
            for (int i = 0; i < t->n_targets; i++) { /* each domain counts the same, as it does for its own neurons */
                const int64_t own = few(t->own, t->h.n_held[t->target[i]]);
                t->random[z * lab->n_seeds + seed] += gg__lab_rise(lab, t->plain + from, t->acted + from, t->document + from, own) / t->n_targets;
                from += own;
            }
        }
    return GG_OK;
}

static gg_status add_rows(trial *t, gg__lab *lab, int z, kind k)
{
    static const char *const name[KINDS] = {"most frequent", "most contrasted"};
    char claim[160], note[240];
    const double *on = t->on + (z * KINDS + k) * t->n_targets, *off = t->off + (z * KINDS + k) * t->n_targets, *random = t->random + z * lab->n_seeds;
    const double on_mean = gg__lab_mean(on, t->n_targets), off_mean = gg__lab_mean(off, t->n_targets);
    const double random_mean = gg__lab_mean(random, lab->n_seeds);
    const double times = on_mean / fabs(random_mean); /* of the means: a single draw's rise can be all but 0 */
    double *share = gg_arena_alloc(&lab->arena, gg_mul(t->n_targets, (int64_t)sizeof *share));
    if (!share)
        return GG_ENOMEM;
    snprintf(claim, sizeof claim, "the %d %s neurons of each layer off: rise of the domain's loss, in rises by %d random ones", size_of[z], name[k],
             size_of[z]);
    snprintf(note, sizeof note, "%+.3f +- %.3f nats (%d domains) against %+.4f +- %.4f (%lld seeds); %.2f %% of a layer's up neurons", on_mean,
             gg__lab_deviation(on, t->n_targets), t->n_targets, random_mean, gg__lab_deviation(random, lab->n_seeds), (long long)lab->n_seeds,
             100.0 * size_of[z] / (double)lab->header.site[0].width);
    GG_TRY(gg_claims_add(lab->claims,
                         &(gg_claim){.claim = claim,
                                     .paper = k == FREQUENT ? "23.5 points of accuracy to 0.2 (20 a layer)" : "17.8 points (High-Delta, 28 in all)",
                                     .unit = "times", .bound = 10, .note = note}, &times, 1));
    for (int i = 0; i < t->n_targets; i++)
        share[i] = off[i] / on[i];
    snprintf(claim, sizeof claim, "what the %d %s do is the domain's own: rise off it, as a part of that on it", size_of[z], name[k]);
    snprintf(note, sizeof note, "%+.3f +- %.3f nats on the domain, %+.3f +- %.3f on the others%s", on_mean, gg__lab_deviation(on, t->n_targets), off_mean,
             gg__lab_deviation(off, t->n_targets), k == FREQUENT ? ": the most frequent neurons serve every text" : "");
    return gg_claims_add(lab->claims, &(gg_claim){.claim = claim, .over = "domains", .relation = GG_AT_MOST, .bound = 0.5, .note = note}, share, t->n_targets);
}

static gg_status draw_causality(const trial *t, gg__lab *lab)
{
    const char *path = gg__lab_figure_path(lab, "causality");
    if (!path)
        return GG_OK;
    const gg_plot_series series[] = {{.name = "5 most frequent", .x = t->off, .y = t->on, .n = t->n_targets},
                                     {.name = "5 most contrasted", .x = t->off + t->n_targets, .y = t->on + t->n_targets, .n = t->n_targets}};
    return gg__lab_figure_add(lab, gg_plot_curves(lab->ctx, path, "What switching off five neurons a layer does to the loss", series, 2,
                                                  &(gg_plot_axis){.label = "rise of the loss on other domains (nats)"},
                                                  &(gg_plot_axis){.label = "rise of the loss on the domain itself (nats)"}),
                              path, "A point is a domain whose neurons are off. What is the domain's own lies high and to the left.");
}

gg_status gg__nag_lab_causality(gg__lab *lab)
{
    char about[240];
    trial t;
    GG_TRY(gg__lab_extract(lab));
    GG_TRY(trial_make(&t, lab));
    int64_t n_own, total = (1 + N_SIZES * lab->n_seeds) * own_documents(t.document, &t);
    for (int i = 0; i < t.n_targets; i++)
        total += (1 + N_SIZES * KINDS) * measured_for(t.document, &n_own, lab, &t, t.target[i]);
    GG_TRY(gg__lab_progress(lab, "causality", "docs", total));
    GG_TRY(run_targets(&t, lab));
    GG_TRY(run_random(&t, lab));
    GG_TRY(gg__lab_progress(lab, NULL, NULL, 0));
    snprintf(about, sizeof about, "up neurons set to zero; loss on %lld held-out documents of each of %d domains, and on %lld of each other one",
             (long long)t.own, t.n_targets, (long long)t.other);
    GG_TRY(gg_claims_part(lab->claims, "causality", about));
    for (int k = 0; k < KINDS; k++)
        for (int z = 0; z < N_SIZES; z++)
            GG_TRY(add_rows(&t, lab, z, (kind)k));
    return draw_causality(&t, lab);
}

/* --- proxy -------------------------------------------------------------------------------------------------------------------------------- */
enum { BIN = 50 };

typedef struct impacts {
    gg__lab *lab;
    int n_layers;
    int64_t width;
    double *sum; /* (n_layers, width) over documents of the mean over tokens of |x| */
} impacts;

static gg_status impact_open(void *user, void **state, const gg_group *g)
{
    const impacts *p = user;
    *state = gg_alloc(p->lab->ctx, gg_mul(g->n_documents * p->n_layers, p->width * (int64_t)sizeof(float)));
    return *state ? GG_OK : GG_ENOMEM;
}

static gg_status impact_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    const impacts *p = user;
    for (int d = 0; d < g->n_documents; d++) {
        float *to = (float *)state + (d * (int64_t)p->n_layers + t->layer) * p->width;
        for (int64_t row = g->start[d]; row < g->start[d + 1]; row++)
            gg_abs_add(to, t->x + row * t->width, t->width);
    }
    return GG_OK;
}

static gg_status impact_document(void *user, void *state, const gg_group *g, int i)
{
    impacts *p = user;
    const int64_t n = p->n_layers * p->width, T = g->start[i + 1] - g->start[i];
    const float *x = (const float *)state + i * n;
    for (int64_t k = 0; k < n && T > 0; k++)
        p->sum[k] += (double)x[k] / (double)T;
    return GG_OK;
}

static void impact_close(void *user, void *state)
{
    const impacts *p = user;
    gg_drop(p->lab->ctx, state);
}

static gg_status mean_impacts(double *mean, gg__lab *lab, const int64_t *document, int64_t n)
{
    const gg_model_description *d = gg_model_describe(lab->m);
    impacts p = {.lab = lab, .n_layers = d->n_layers, .width = d->d_ff, .sum = mean};
    const gg_listener y = {.sites = 1u << GG_SITE_UP, .open = impact_open, .tap = impact_tap, .document = impact_document, .close = impact_close, .user = &p};
    int64_t *start;
    int32_t *token;
    gg_status s = gg__lab_gather(&token, &start, lab, document, n);
    gg_run_result r;
    if (s == GG_OK)
        s = gg_run_tokens(&r, lab->m, token, start, n, &(gg_run_options){.progress = lab->progress}, &y, 1);
    for (int64_t k = 0; k < p.n_layers * p.width && s == GG_OK; k++)
        mean[k] /= (double)n;
    gg_drop(lab->ctx, start);
    gg_drop(lab->ctx, token);
    return s;
}

typedef struct ranked { double impact; int64_t neuron; } ranked;

static int by_impact(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->impact != y->impact ? (x->impact < y->impact ? 1 : -1) : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

typedef struct bins {
    int n_layers;
    int64_t width, n;
    int64_t *neuron; /* (n_layers, width) of each layer, by rank */
    double *impact;  /* (n,) mean over a bin's neurons of all layers */
    double *plain, *acted; /* (n_documents,), (n, n_documents) losses */
} bins;

static gg_status bins_make(bins *b, gg__lab *lab, const int64_t *document, int64_t n)
{
    const gg_model_description *d = gg_model_describe(lab->m);
    *b = (bins){.n_layers = d->n_layers, .width = d->d_ff, .n = d->d_ff / BIN};
    double *mean = gg_arena_alloc(&lab->arena, gg_mul(b->n_layers * b->width, (int64_t)sizeof *mean));
    ranked *order = gg_arena_alloc(&lab->arena, gg_mul(b->width, (int64_t)sizeof *order));
    if (!(b->neuron = gg_arena_alloc(&lab->arena, gg_mul(b->n_layers * b->width, (int64_t)sizeof *b->neuron))) || !mean || !order ||
        !(b->impact = gg_arena_alloc(&lab->arena, gg_mul(b->n, (int64_t)sizeof *b->impact))) ||
        !(b->plain = gg_arena_alloc(&lab->arena, gg_mul(n, (int64_t)sizeof *b->plain))) ||
        !(b->acted = gg_arena_alloc(&lab->arena, gg_mul(n * b->n, (int64_t)sizeof *b->acted))))
        return GG_ENOMEM;
    GG_TRY(mean_impacts(mean, lab, document, n));
    for (int l = 0; l < b->n_layers; l++) {
        for (int64_t k = 0; k < b->width; k++)
            order[k] = (ranked){mean[l * b->width + k], k};
        qsort(order, (size_t)b->width, sizeof *order, by_impact);
        for (int64_t k = 0; k < b->width; k++) {
            b->neuron[l * b->width + k] = order[k].neuron;
            if (k / BIN < b->n)
                b->impact[k / BIN] += order[k].impact / (BIN * b->n_layers);
        }
    }
    return GG_OK;
}

static gg_status run_bin(bins *b, gg__lab *lab, int64_t bin, const int64_t *document, int64_t n)
{
    gg_actions *a = NULL;
    GG_TRY(gg_actions_create(&a, lab->ctx));
    gg_status s = GG_OK;
    for (int l = 0; l < b->n_layers; l++)
        for (int64_t k = bin * BIN; k < (bin + 1) * BIN && s == GG_OK; k++)
            s = gg_actions_add(a, (gg_neuron){.layer = l, .site = GG_SITE_UP, .index = b->neuron[l * b->width + k]}, GG_OP_ZERO, 0);
    if (s == GG_OK)
        s = gg__lab_losses(b->acted + bin * n, lab, a, document, n);
    gg_actions_free(a);
    return s;
}

/* |rise| of every bin over documents [from, from + n). */
static void rises(double *out, const bins *b, const gg__lab *lab, const int64_t *document, int64_t n_documents, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < b->n; i++)
        out[i] = fabs(gg__lab_rise(lab, b->plain + from, b->acted + i * n_documents + from, document + from, n));
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static gg_status proxy_rows(const bins *b, gg__lab *lab, const int64_t *document, int64_t n)
{
    enum { GROUPS = 5 };
    char note[200], claim[160];
    double *rise = gg_arena_alloc(&lab->arena, gg_mul(3 * b->n, (int64_t)sizeof *rise)), *part = rise + b->n, *middle = part + b->n, group[GROUPS], rho;
    if (!rise)
        return GG_ENOMEM;
    const int64_t per_group = n / GROUPS;
    for (int g = 0; g < GROUPS && per_group; g++) {
        rises(part, b, lab, document, n, g * per_group, per_group);
        group[g] = gg_pearson(b->impact, part, b->n);
    }
    rises(rise, b, lab, document, n, 0, n);
    const double pearson = gg_pearson(b->impact, rise, b->n);
    GG_TRY(gg_spearman(&rho, lab->ctx, b->impact, rise, b->n));
    const int64_t n_middle = b->n / 3;
    memcpy(middle, rise + n_middle, sizeof *middle * (size_t)n_middle);
    qsort(middle, (size_t)n_middle, sizeof *middle, by_size);
    const double typical = 0.5 * (middle[(n_middle - 1) / 2] + middle[n_middle / 2]), times = rise[0] / typical;
    snprintf(note, sizeof note, "%.3f +- %.3f over %d groups of %lld documents", per_group ? gg__lab_mean(group, GROUPS) : NAN,
             per_group ? gg__lab_deviation(group, GROUPS) : NAN, GROUPS, (long long)per_group);
    GG_TRY(gg_claims_add(lab->claims,
                         &(gg_claim){.claim = "impact stands for what neurons do to the loss: Pearson of a bin's impact and |rise|",
                                     .paper = "0.71 +- 0.02 (122 bins)", .bound = 0.6, .note = per_group ? note : NULL}, &pearson, 1));
    GG_TRY(gg_claims_add(lab->claims, &(gg_claim){.claim = "and so does its order: Spearman of the same", .bound = 0.6}, &rho, 1));
    snprintf(claim, sizeof claim, "the top bin (%.1f %% of a layer) weighs more than a middle one: |rise|, in rises by a middle bin",
             100.0 * BIN / (double)b->width);
    snprintf(note, sizeof note, "%.3f nats; a middle bin (median of the middle third) %.4f", rise[0], typical);
    GG_TRY(gg_claims_add(lab->claims, &(gg_claim){.claim = claim, .paper = "159 (top 0.8 %)", .unit = "times", .bound = 10, .note = note}, &times, 1));
    const char *path = gg__lab_figure_path(lab, "proxy");
    if (!path)
        return GG_OK;
    return gg__lab_figure_add(lab,
                              gg_plot_curves(lab->ctx, path, "Impact and loss, 50 neurons of each layer at a time",
                                             &(gg_plot_series){.x = b->impact, .y = rise, .n = b->n}, 1,
                                             &(gg_plot_axis){.label = "mean impact of the bin (mean |up|, no unit)", .log = true},
                                             &(gg_plot_axis){.label = "|rise of the loss| with the bin off (nats)", .log = true}),
                              path, "A point is a bin of neurons of one range of ranks, switched off in all layers at once.");
}

gg_status gg__nag_lab_proxy(gg__lab *lab)
{
    char about[160];
    halves h;
    bins b;
    GG_TRY(gg__lab_read_pool(lab));
    GG_TRY(halves_make(&h, lab));
    const int64_t most = lab->quick ? 10 : 40;
    int64_t n = 0, *document = gg_arena_alloc(&lab->arena, gg_mul(most, (int64_t)sizeof *document));
    if (!document)
        return GG_ENOMEM;
    for (int64_t round = 0, before = -1; n < most && n > before; round++) { /* a document of each domain in turn */
        before = n;
        for (int l = 0; l < lab->n_labels && n < most; l++)
            if (round < h.n_held[l])
                document[n++] = h.held[l * h.largest + round];
    }
    const int64_t n_bins = gg_model_describe(lab->m)->d_ff / BIN;
    snprintf(about, sizeof about, "up neurons ranked inside each layer by impact, bins of %d zeroed in all layers at once, %lld documents", BIN, (long long)n);
    GG_TRY(gg_claims_part(lab->claims, "proxy", about));
    if (n_bins < 6)
        return gg_claims_skip(lab->claims,
                              &(gg_claim){.claim = "impact stands for what neurons do to the loss: Pearson of a bin's impact and |rise|",
                                          .paper = "0.71 +- 0.02 (122 bins)", .bound = 0.6},
                              "a layer of this model has fewer than six bins of 50 neurons");
    GG_TRY(gg__lab_progress(lab, "proxy", "docs", (2 + n_bins) * n));
    GG_TRY(bins_make(&b, lab, document, n));
    GG_TRY(gg__lab_losses(b.plain, lab, NULL, document, n));
    for (int64_t i = 0; i < b.n; i++)
        GG_TRY(run_bin(&b, lab, i, document, n));
    GG_TRY(gg__lab_progress(lab, NULL, NULL, 0));
    return proxy_rows(&b, lab, document, n);
}
