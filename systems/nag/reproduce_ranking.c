/* Parts contrast, target-size and bf16: what the order of a pool depends on. Each ranks all documents of the pool for every domain in turn.
 *
 *     contrast      five targets a domain, drawn anew for each seed; the pool is every document that is no target of any domain.
 *                   Precision at n: the share of the domain among the n nearest, n = its documents in the pool.
 *     target-size   a profile of few targets against one of four fifths of the domain, over all other documents: Spearman's correlation of the
 *                   distances, and Jaccard = |A & B| / |A or B| of the nearest fifths.
 *     bf16          lists and distances when products are computed in bfloat16, against float32.
 */
#include <math.h>
#include <stdio.h>
#include "systems/nag/reproduce.h"

enum { K = 10, TARGETS = 5 };

/* --- contrast ----------------------------------------------------------------------------------------------------------------------------- */
typedef enum method { FREQUENCY, CONTRAST, LAST_LAYER, METHODS } method;

typedef struct split { /* of one seed */
    int64_t *target;   /* (n_labels, TARGETS) */
    int64_t *pool;     /* (n,) */
    int64_t n;
    gg__lab_view lists, last; /* of the pool: all layers, the last one */
    gg_nag_counts *counts;    /* of the pool */
    double *distance;         /* (n,) */
    gg_nag_row *row;          /* (n,) */
} split;

static void split_free(gg__lab *lab, split *s)
{
    gg_drop(lab->ctx, s->target);
    gg_drop(lab->ctx, s->pool);
    gg_drop(lab->ctx, s->distance);
    gg_drop(lab->ctx, s->row);
    gg_nag_counts_free(s->counts);
    s->lists.set.ctx = s->last.set.ctx = lab->ctx;
    gg__lab_view_free(&s->lists);
    gg__lab_view_free(&s->last);
}

static gg_status split_make(split *s, gg__lab *lab, int64_t seed)
{
    gg_random r = gg_random_of(gg_context_seed(lab->ctx) + (uint64_t)seed, GG__LAB_TARGETS);
    *s = (split){.target = gg_new(lab->ctx, int64_t, gg_mul(lab->n_labels, TARGETS)), .pool = gg_new(lab->ctx, int64_t, lab->n),
                 .distance = gg_new(lab->ctx, double, lab->n), .row = gg_new(lab->ctx, gg_nag_row, lab->n)};
    int64_t *order = gg_new(lab->ctx, int64_t, lab->n);
    if (!s->target || !s->pool || !s->distance || !s->row || !order) {
        gg_drop(lab->ctx, order);
        return GG_ENOMEM;
    }
    for (int l = 0; l < lab->n_labels; l++) {
        const int64_t n = gg__lab_shuffled(order, lab, l, &r);
        memcpy(s->target + l * TARGETS, order, sizeof *order * TARGETS);
        memcpy(s->pool + s->n, order + TARGETS, sizeof *order * (size_t)(n - TARGETS));
        s->n += n - TARGETS;
    }
    gg_drop(lab->ctx, order);
    GG_TRY(gg__lab_view_make(&s->lists, lab, s->pool, s->n, K, 0));
    GG_TRY(gg__lab_view_make(&s->last, lab, s->pool, s->n, K, lab->header.n_layers - 1));
    return gg__lab_count(&s->counts, lab, s->pool, s->n, K);
}

static gg_status profile_of(gg_nag_profile **out, const gg__lab *lab, const split *s, int label, method m)
{
    gg_nag_counts *c = NULL;
    gg_status st;
    if (m == LAST_LAYER) {
        gg__lab_view v;
        GG_TRY(gg__lab_view_make(&v, lab, s->target + label * TARGETS, TARGETS, K, lab->header.n_layers - 1));
        st = gg_nag_counts_create(&c, lab->ctx, 1, K, lab->header.site[0].width);
        if (st == GG_OK)
            st = gg_nag_counts_add(c, &v.set.f, 0);
        gg__lab_view_free(&v);
    } else {
        st = gg__lab_count(&c, lab, s->target + label * TARGETS, TARGETS, K);
    }
    if (st == GG_OK)
        st = m == CONTRAST ? gg_nag_profile_contrast(out, c, s->counts) : gg_nag_profile_frequency(out, c, 1);
    gg_nag_counts_free(c);
    return st;
}

/* precision at n, and the share of the domain's documents in the first half */
static gg_status rank(double *precision, double *in_half, const gg__lab *lab, split *s, int label, method m)
{
    gg_nag_profile *p = NULL;
    GG_TRY(profile_of(&p, lab, s, label, m));
    gg_nag_distance(s->distance, p, m == LAST_LAYER ? &s->last.set.f : &s->lists.set.f, 0);
    gg_nag_profile_free(p);
    for (int64_t i = 0; i < s->n; i++)
        s->row[i] = (gg_nag_row){.docid = lab->docid[s->pool[i]], .distance = s->distance[i], .score = s->distance[i], .label = lab->label[s->pool[i]]};
    gg_nag_sort(s->row, s->n);
    const int64_t right = gg__lab_size(lab, label) - TARGETS;
    int64_t near = 0, half = 0;
    for (int64_t i = 0; i < s->n; i++) {
        near += i < right && s->row[i].label == label;
        half += i < s->n / 2 && s->row[i].label == label;
    }
    *precision = (double)near / (double)right;
    *in_half = (double)half / (double)right;
    return GG_OK;
}

static gg_status draw_precision(gg__lab *lab, const double *by_label /* (METHODS, n_labels) */)
{
    const char *path = gg__lab_figure_path(lab, "precision");
    if (!path)
        return GG_OK;
    return gg__lab_figure_add(lab,
                              gg_plot_shares(lab->ctx, path, "Precision at n by domain", lab->label_name, lab->n_labels, by_label, "frequency",
                                             by_label + lab->n_labels, "contrast", "share of the domain among its n nearest documents"),
                              path,
                              "How many of the n documents nearest to five targets are of the targets' domain; n is the number of such documents in the pool.");
}

gg_status gg__nag_lab_contrast(gg__lab *lab)
{
    GG_TRY(gg__lab_extract(lab));
    char about[160], note[160];
    const int64_t S = lab->n_seeds;
    double *mean = gg_arena_alloc(&lab->arena, gg_mul(METHODS * S, (int64_t)sizeof *mean));
    double *half = gg_arena_alloc(&lab->arena, gg_mul(S, (int64_t)sizeof *half)), *gain = gg_arena_alloc(&lab->arena, gg_mul(2 * S, (int64_t)sizeof *gain));
    double *by_label = gg_arena_alloc(&lab->arena, gg_mul(METHODS * lab->n_labels, (int64_t)sizeof *by_label)), chance = 0;
    if (!mean || !half || !gain || !by_label)
        return GG_ENOMEM;
    for (int64_t seed = 0; seed < S; seed++) {
        split s;
        gg_status st = split_make(&s, lab, seed);
        for (int l = 0; l < lab->n_labels && st == GG_OK; l++) {
            chance += (double)(gg__lab_size(lab, l) - TARGETS) / (double)(s.n * lab->n_labels * S);
            for (int m = 0; m < METHODS && st == GG_OK; m++) {
                double precision, in_half;
                if ((st = rank(&precision, &in_half, lab, &s, l, (method)m)) != GG_OK)
                    break;
                mean[m * S + seed] += precision / lab->n_labels;
                by_label[m * lab->n_labels + l] += precision / (double)S;
                half[seed] += m == FREQUENCY ? in_half / lab->n_labels : 0;
            }
        }
        split_free(lab, &s);
        GG_TRY(st);
        gain[seed] = mean[CONTRAST * S + seed] - mean[FREQUENCY * S + seed];
        gain[S + seed] = mean[FREQUENCY * S + seed] - mean[LAST_LAYER * S + seed];
    }
    double m[METHODS] = {0};
    for (int k = 0; k < METHODS; k++)
        for (int64_t seed = 0; seed < S; seed++)
            m[k] += mean[k * S + seed] / (double)S;
    snprintf(about, sizeof about, "%d targets of each of %d domains drawn anew for each seed; the other documents ranked for each, K = %d", TARGETS,
             lab->n_labels, K);
    GG_TRY(gg_claims_part(lab->claims, "contrast", about));
    snprintf(note, sizeof note, "an order by chance has half of them there; precision at n %.3f, by chance %.3f", m[FREQUENCY], chance);
    GG_TRY(gg_claims_add(lab->claims,
                         &(gg_claim){.claim = "the targets' domain stands in the first half of the ranking: share of its documents there",
                                     .paper = "1 (demo, 5 of 20 texts)", .over = "seeds", .bound = 0.95, .note = note}, half, S));
    char gained[160];
    snprintf(gained, sizeof gained, "mean precision at n over the domains: last layer only %.3f, all layers %.3f", m[LAST_LAYER], m[FREQUENCY]);
    GG_TRY(gg_claims_add(lab->claims,
                         &(gg_claim){.claim = "all layers rank better than the last one alone: precision at n gained", .paper = "4.1 points of mean accuracy",
                                     .over = "seeds", .relation = GG_MORE_THAN, .bound = 0, .note = gained}, gain + S, S));
    snprintf(gained, sizeof gained, "mean precision at n over the domains: frequency %.3f, contrast %.3f; beyond the paper", m[FREQUENCY], m[CONTRAST]);
    GG_TRY(gg_claims_add(lab->claims,
                         &(gg_claim){.claim = "weights by contrast with the pool rank better than by frequency: precision at n gained", .over = "seeds",
                                     .relation = GG_MORE_THAN, .bound = 0, .note = gained}, gain, S));
    return draw_precision(lab, by_label);
}

/* --- target-size -------------------------------------------------------------------------------------------------------------------------- */
enum { SIZES = 6 };
static const int64_t size_of[SIZES] = {5, 10, 20, 50, 100, 200};

/* Rows sorted by distance: the first n / 5 are marked in `in`: (lab->n,). */
static void mark_nearest(bool *in, const gg__lab *lab, gg_nag_row *row, const double *distance, const bool *is_target)
{
    int64_t n = 0;
    for (int64_t i = 0; i < lab->n; i++) {
        in[i] = false;
        if (!is_target[i])
            row[n++] = (gg_nag_row){.docid = lab->docid[i], .score = distance[i], .token_num = i};
    }
    gg_nag_sort(row, n);
    for (int64_t i = 0; i < n / 5; i++)
        in[row[i].token_num] = true;
}

typedef struct sizing { /* scratch */
    gg__lab_view all;
    gg_nag_row *row;
    double *distance[2], *paired[2]; /* (n,) of the few and of the many */
    bool *is_target, *nearest[2];
    int64_t *order;
} sizing;

static gg_status sizing_make(sizing *z, gg__lab *lab)
{
    *z = (sizing){.row = gg_new(lab->ctx, gg_nag_row, lab->n), .is_target = gg_new(lab->ctx, bool, lab->n), .order = gg_new(lab->ctx, int64_t, lab->n)};
    bool ok = z->row && z->is_target && z->order;
    for (int i = 0; i < 2; i++)
        ok = (z->distance[i] = gg_new(lab->ctx, double, lab->n)) && (z->paired[i] = gg_new(lab->ctx, double, lab->n)) &&
             (z->nearest[i] = gg_new(lab->ctx, bool, lab->n)) && ok;
    z->all.set.ctx = lab->ctx;
    return ok ? gg__lab_view_make(&z->all, lab, NULL, lab->n, K, 0) : GG_ENOMEM;
}

static void sizing_free(gg__lab *lab, sizing *z)
{
    gg_drop(lab->ctx, z->row);
    gg_drop(lab->ctx, z->is_target);
    gg_drop(lab->ctx, z->order);
    for (int i = 0; i < 2; i++) {
        gg_drop(lab->ctx, z->distance[i]);
        gg_drop(lab->ctx, z->paired[i]);
        gg_drop(lab->ctx, z->nearest[i]);
    }
    gg__lab_view_free(&z->all);
}

static gg_status distances_to(double *out, const gg__lab *lab, const sizing *z, int64_t n_targets)
{
    gg_nag_counts *c = NULL;
    gg_nag_profile *p = NULL;
    GG_TRY(gg__lab_count(&c, lab, z->order, n_targets, K));
    const gg_status s = gg_nag_profile_frequency(&p, c, 1);
    if (s == GG_OK)
        gg_nag_distance(out, p, &z->all.set.f, 0);
    gg_nag_counts_free(c);
    gg_nag_profile_free(p);
    return s;
}

/* Adds this label's figures of every size below `most` to spearman[size], jaccard[size]. */
static gg_status add_sizes(double *spearman, double *jaccard, gg__lab *lab, sizing *z, int label, gg_random *r, int64_t most)
{
    gg__lab_shuffled(z->order, lab, label, r);
    memset(z->is_target, 0, sizeof *z->is_target * (size_t)lab->n);
    const int64_t many = gg__lab_size(lab, label) * 4 / 5;
    for (int64_t i = 0; i < many; i++)
        z->is_target[z->order[i]] = true;
    GG_TRY(distances_to(z->distance[1], lab, z, many));
    mark_nearest(z->nearest[1], lab, z->row, z->distance[1], z->is_target);
    for (int k = 0; k < SIZES && size_of[k] < most; k++) {
        double rho;
        int64_t n = 0, both = 0, either = 0;
        GG_TRY(distances_to(z->distance[0], lab, z, size_of[k]));
        mark_nearest(z->nearest[0], lab, z->row, z->distance[0], z->is_target);
        for (int64_t i = 0; i < lab->n; i++) {
            both += z->nearest[0][i] && z->nearest[1][i];
            either += z->nearest[0][i] || z->nearest[1][i];
            for (int side = 0; side < 2 && !z->is_target[i]; side++)
                z->paired[side][n] = z->distance[side][i];
            n += !z->is_target[i];
        }
        GG_TRY(gg_spearman(&rho, lab->ctx, z->paired[0], z->paired[1], n));
        spearman[k] += rho / lab->n_labels;
        jaccard[k] += (double)both / (double)either / lab->n_labels;
    }
    return GG_OK;
}

/* value: (n_seeds,). Sizes that the pool cannot have are told up to 50, which is where the experiment was meant to be; larger ones are left out. */
static gg_status add_size(gg__lab *lab, bool jaccard, int64_t size, int64_t most, const double *value)
{
    char text[96];
    snprintf(text, sizeof text,
             jaccard ? "%lld targets choose what many choose: Jaccard of the nearest fifths" : "%lld targets order the pool as many do: Spearman of distances",
             (long long)size);
    const gg_claim c = {.claim = text, .paper = jaccard ? "0.940 (200 of 10,000)" : "0.999 (200 of 10,000)", .over = "seeds", .bound = jaccard ? 0.9 : 0.99};
    if (size < most)
        return gg_claims_add(lab->claims, &c, value, lab->n_seeds);
    return size <= 50 ? gg_claims_skip(lab->claims, &c, "the pool has not so many more documents of a domain to compare with") : GG_OK;
}

static gg_status draw_sizes(gg__lab *lab, const double *value /* (2, SIZES, n_seeds) */, int64_t most)
{
    const char *path = gg__lab_figure_path(lab, "target-size");
    double x[SIZES], mean[2][SIZES] = {{0}};
    int n = 0;
    if (!path)
        return GG_OK;
    for (; n < SIZES && size_of[n] < most; n++) {
        x[n] = (double)size_of[n];
        for (int what = 0; what < 2; what++)
            for (int64_t seed = 0; seed < lab->n_seeds; seed++)
                mean[what][n] += value[(what * SIZES + n) * lab->n_seeds + seed] / (double)lab->n_seeds;
    }
    if (n < 2)
        return GG_OK;
    const gg_plot_series series[] = {{.name = "Spearman of distances", .x = x, .y = mean[0], .n = n, .line = true},
                                     {.name = "Jaccard of nearest fifths", .x = x, .y = mean[1], .n = n, .line = true}};
    return gg__lab_figure_add(lab,
                              gg_plot_curves(lab->ctx, path, "Few targets against many", series, 2, &(gg_plot_axis){.label = "target documents", .log = true},
                                             &(gg_plot_axis){.label = "agreement with many (no unit)"}),
                              path, "How well a ranking by few targets agrees with one by four fifths of the domain, mean over domains and seeds.");
}

gg_status gg__nag_lab_target_size(gg__lab *lab)
{
    GG_TRY(gg__lab_extract(lab));
    sizing z;
    char about[160];
    const int64_t S = lab->n_seeds;
    int64_t smallest = INT64_MAX;
    for (int l = 0; l < lab->n_labels; l++)
        smallest = gg__lab_size(lab, l) < smallest ? gg__lab_size(lab, l) : smallest;
    const int64_t most = smallest * 4 / 5;
    double *value = gg_arena_alloc(&lab->arena, gg_mul(2 * SIZES * S, (int64_t)sizeof *value)); /* (2, SIZES, S) */
    if (!value)
        return GG_ENOMEM;
    gg_status s = sizing_make(&z, lab);
    for (int64_t seed = 0; seed < S && s == GG_OK; seed++) {
        gg_random r = gg_random_of(gg_context_seed(lab->ctx) + (uint64_t)seed, GG__LAB_SIZES);
        double spearman[SIZES] = {0}, jaccard[SIZES] = {0};
        for (int l = 0; l < lab->n_labels && s == GG_OK; l++)
            s = add_sizes(spearman, jaccard, lab, &z, l, &r, most);
        for (int k = 0; k < SIZES; k++) {
            value[k * S + seed] = spearman[k];
            value[(SIZES + k) * S + seed] = jaccard[k];
        }
    }
    sizing_free(lab, &z);
    GG_TRY(s);
    snprintf(about, sizeof about, "few targets of a domain against four fifths of it (%lld documents or more), over all other documents, mean over %d domains",
             (long long)most, lab->n_labels);
    GG_TRY(gg_claims_part(lab->claims, "target-size", about));
    for (int what = 0; what < 2; what++)
        for (int k = 0; k < SIZES; k++)
            GG_TRY(add_size(lab, what == 1, size_of[k], most, value + (what * SIZES + k) * S));
    return draw_sizes(lab, value, most);
}

/* --- bf16 --------------------------------------------------------------------------------------------------------------------------------- */
enum { BF16_DOCUMENTS = 50 /* of a domain */ };

typedef struct narrow { /* the same documents' lists from bfloat16 products */
    char *index;        /* (n, n_layers, K) */
    size_t one;         /* bytes of a document */
    int64_t n;
} narrow;

static gg_status keep_narrow(void *user, const gg_nag_header *h, const gg_nag_features *f)
{
    (void)h;
    narrow *x = user;
    memcpy(x->index + (size_t)x->n++ * x->one, f->index[0], x->one);
    return GG_OK;
}

static gg_status extract_narrow(narrow *x, gg__lab *lab, const int64_t *document, int64_t n)
{
    gg_model *m = NULL;
    gg_nag_extract_result r;
    int64_t *start;
    int32_t *token;
    gg_status s = gg__lab_gather(&token, &start, lab, document, n);
    if (s == GG_OK)
        s = gg__lab_progress(lab, "bf16", "docs", n);
    if (s == GG_OK)
        s = gg_model_open(&m, lab->ctx, lab->model, &(gg_model_options){.dtype = GG_BF16, .no_head = true});
    if (s == GG_OK)
        s = gg_nag_extract_tokens(&r, lab->ctx, m, token, start, n,
                                  &(gg_nag_extract_options){.top_k = K, .max_tokens = lab->max_tokens, .progress = lab->progress}, keep_narrow, x);
    gg_model_free(m);
    gg_drop(lab->ctx, start);
    gg_drop(lab->ctx, token);
    const gg_status done = gg__lab_progress(lab, NULL, NULL, 0);
    return s != GG_OK ? s : done;
}

static int64_t index_at(const gg_nag_features *f, int64_t j)
{
    return f->index_bytes == 2 ? ((const uint16_t *)f->index[0])[j] : ((const uint32_t *)f->index[0])[j];
}

/* Mean over documents and layers of |A & B| / |A or B|. */
static double mean_jaccard(const gg_nag_features *a, const gg_nag_features *b, int n_layers)
{
    double sum = 0;
    for (int64_t cell = 0; cell < a->n * n_layers; cell++) {
        int common = 0;
        for (int i = 0; i < K; i++)
            for (int j = 0; j < K; j++)
                common += index_at(a, cell * K + i) == index_at(b, cell * K + j);
        sum += (double)common / (2 * K - common);
    }
    return sum / (double)(a->n * n_layers);
}

/* Spearman of both sides' distances to their own profile of the documents [first, first + TARGETS), over the others. */
static gg_status compare_distances(double *rho, gg__lab *lab, const gg_nag_features *const side[2], int64_t first, double *distance[2])
{
    int64_t n = 0;
    for (int k = 0; k < 2; k++) {
        gg_nag_features target = *side[k];
        gg_nag_counts *c = NULL;
        gg_nag_profile *p = NULL;
        target.n = TARGETS;
        target.index[0] = (const char *)target.index[0] + (size_t)(first * lab->header.n_layers * K) * (size_t)target.index_bytes;
        gg_status s = gg_nag_counts_create(&c, lab->ctx, lab->header.n_layers, K, lab->header.site[0].width);
        if (s == GG_OK)
            s = gg_nag_counts_add(c, &target, 0);
        if (s == GG_OK)
            s = gg_nag_profile_frequency(&p, c, 1);
        if (s == GG_OK)
            gg_nag_distance(distance[k], p, side[k], 0);
        gg_nag_counts_free(c);
        gg_nag_profile_free(p);
        GG_TRY(s);
        n = 0;
        for (int64_t i = 0; i < side[k]->n; i++)
            if (i < first || i >= first + TARGETS)
                distance[k][n++] = distance[k][i];
    }
    return gg_spearman(rho, lab->ctx, distance[0], distance[1], n);
}

gg_status gg__nag_lab_bf16(gg__lab *lab)
{
    GG_TRY(gg__lab_extract(lab));
    char about[160];
    const int64_t most = lab->n_labels * BF16_DOCUMENTS;
    int64_t n = 0, *document = gg_arena_alloc(&lab->arena, gg_mul(most, (int64_t)sizeof *document)),
            *first = gg_arena_alloc(&lab->arena, gg_mul(lab->n_labels, (int64_t)sizeof *first));
    double *rho = gg_arena_alloc(&lab->arena, gg_mul(lab->n_labels, (int64_t)sizeof *rho)), *distance[2];
    for (int k = 0; k < 2; k++)
        distance[k] = gg_arena_alloc(&lab->arena, gg_mul(most, (int64_t)sizeof **distance));
    narrow x = {.one = (size_t)lab->header.n_layers * K * (size_t)gg_nag_index_bytes(&lab->header)};
    x.index = gg_arena_alloc(&lab->arena, gg_mul(most, (int64_t)x.one));
    if (!document || !first || !rho || !distance[0] || !distance[1] || !x.index)
        return GG_ENOMEM;
    for (int l = 0; l < lab->n_labels; l++) {
        first[l] = n;
        for (int64_t i = lab->first[l]; i < lab->first[l + 1] && i < lab->first[l] + BF16_DOCUMENTS; i++)
            document[n++] = lab->member[i];
    }
    GG_TRY(extract_narrow(&x, lab, document, n));
    gg__lab_view v;
    GG_TRY(gg__lab_view_make(&v, lab, document, n, K, 0));
    gg_nag_features narrow_lists = v.set.f;
    narrow_lists.index[0] = x.index;
    const gg_nag_features *const side[] = {&v.set.f, &narrow_lists};
    const double jaccard = mean_jaccard(side[0], side[1], lab->header.n_layers);
    gg_status s = GG_OK;
    for (int l = 0; l < lab->n_labels && s == GG_OK; l++)
        s = compare_distances(&rho[l], lab, side, first[l], distance);
    gg__lab_view_free(&v);
    GG_TRY(s);
    snprintf(about, sizeof about, "products in bfloat16 against float32, %lld documents, K = %d", (long long)n, K);
    GG_TRY(gg_claims_part(lab->claims, "bf16", about));
    GG_TRY(gg_claims_add(lab->claims, &(gg_claim){.claim = "bfloat16 finds the same neurons: mean Jaccard of a layer's lists", .bound = 0.98,
                                                  .note = "PyTorch's own bfloat16 gave 0.992 on other documents"}, &jaccard, 1));
    return gg_claims_add(lab->claims, &(gg_claim){.claim = "bfloat16 orders documents alike: Spearman of distances", .over = "domains", .bound = 0.999,
                                                  .note = "PyTorch's own bfloat16 gave 0.9991 to 0.9997 on other documents"}, rho, lab->n_labels);
}
