/* Parts of data sets. Every split is one list of all samples cut at places: drawn at random, or in such an order that each stretch of it has the classes
 * in proportion, or group by group.
 *
 * Stratified: the r-th of the n_c samples of class c (drawn in random order) gets the place (r + 1/2) / n_c in [0, 1], and the list is sorted by place, so a
 * stretch of m samples has m n_c / n of class c, give or take one. Grouped: the largest group first, each to the part that lacks most (greedy, as
 * scikit-learn's GroupKFold).
 * Traps: rounding each class's share by itself makes parts of the wrong size; a class that a part does not have makes a net that never says its name.
 */
#include "base/work.h"
#include "nn/data.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct split {
    const gg_data *d;
    gg_split_options o;
    int64_t n;
    int64_t *order;     /* (n,) the list */
    int64_t *part;      /* (n,) which part sample i is in; n_parts: none */
} split;

typedef struct place {
    double at;
    int64_t label, sample;
} place;

static int by_place(const void *x, const void *y)
{
    const place *p = x, *q = y;
    return p->at != q->at ? (p->at > q->at) - (p->at < q->at) : (p->label > q->label) - (p->label < q->label);
}

static void stratify(split *s, place *list, int64_t *count, int64_t *rank)
{
    const gg_data *d = s->d;
    gg_data_class_counts(count, d);
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t sample = s->order[i], label = d->store->label[gg__data_row(d, NULL, sample)];
        list[i] = (place){((double)rank[label]++ + 0.5) / (double)count[label], label, sample};
    }
    qsort(list, (size_t)s->n, sizeof *list, by_place);
    for (int64_t i = 0; i < s->n; i++)
        s->order[i] = list[i].sample;
}

static gg_status draw(split *s)
{
    gg_context *ctx = s->d->store->ctx;
    gg_random r = gg_random_of(s->o.seed, UINT64_C(0x5B117) << 44);
    for (int64_t i = 0; i < s->n; i++)
        s->order[i] = i;
    if (s->o.ordered)
        return GG_OK;
    gg_random_shuffle(&r, s->order, s->n);
    if (!s->o.stratify)
        return GG_OK;
    place *list = gg_new(ctx, place, s->n);
    int64_t *count = gg_new(ctx, int64_t, s->d->about.n_classes), *rank = gg_new(ctx, int64_t, s->d->about.n_classes);
    const bool ok = list && count && rank;
    if (ok)
        stratify(s, list, count, rank);
    gg_drop(ctx, list);
    gg_drop(ctx, count);
    gg_drop(ctx, rank);
    return ok ? GG_OK : GG_ENOMEM;
}

typedef struct group_size {
    int64_t group, n, turn;
} group_size;

static int by_size(const void *x, const void *y)
{
    const group_size *p = x, *q = y;
    return p->n != q->n ? (p->n < q->n) - (p->n > q->n) : (p->turn > q->turn) - (p->turn < q->turn);
}

/* size: (n_parts + 1,) what each part should have; the last is for what no part takes. */
static gg_status cut_groups(split *s, const int64_t *size, int n_parts)
{
    gg_context *ctx = s->d->store->ctx;
    int64_t n_groups = 0;
    for (int64_t i = 0; i < s->d->store->about.n; i++) /* of the store: a view may lack some */
        n_groups = s->d->store->group[i] >= n_groups ? s->d->store->group[i] + 1 : n_groups;
    group_size *g = gg_new(ctx, group_size, n_groups);
    int64_t *to = gg_new(ctx, int64_t, n_groups), *lack = gg_new(ctx, int64_t, n_parts + 1);
    gg_status status = g && to && lack ? GG_OK : GG_ENOMEM;
    if (status == GG_OK) {
        for (int64_t i = 0; i < s->n; i++) { /* the list decides among groups of one size */
            group_size *k = &g[gg_data_group(s->d, s->order[i])];
            if (!k->n++)
                k->turn = i;
        }
        for (int64_t k = 0; k < n_groups; k++)
            g[k].group = k;
        qsort(g, (size_t)n_groups, sizeof *g, by_size);
        memcpy(lack, size, (size_t)(n_parts + 1) * sizeof *lack);
        for (int64_t k = 0; k < n_groups; k++) {
            int best = 0;
            for (int p = 1; p <= n_parts; p++)
                best = lack[p] > lack[best] ? p : best;
            to[g[k].group] = best;
            lack[best] -= g[k].n;
        }
        for (int64_t i = 0; i < s->n; i++)
            s->part[i] = to[gg_data_group(s->d, i)];
        for (int p = 0; p < n_parts && status == GG_OK; p++)
            if (lack[p] == size[p])
                status = gg_fail(ctx, GG_EINVAL, "part %d of the split would have no samples: there are too few groups, or some are too large", p + 1);
    }
    gg_drop(ctx, g);
    gg_drop(ctx, to);
    gg_drop(ctx, lack);
    return status;
}

static void cut_list(split *s, const int64_t *size, int n_parts)
{
    int64_t i = 0;
    for (int p = 0; p <= n_parts; p++)
        for (const int64_t end = i + size[p]; i < end; i++)
            s->part[s->order[i]] = p;
}

static gg_status check_options(const gg_data *d, const gg_split_options *o)
{
    gg_context *ctx = d->store->ctx;
    if ((o->stratify && o->grouped) || (o->ordered && (o->stratify || o->grouped)))
        return gg_fail(ctx, GG_EINVAL, "a split is stratified, grouped or ordered, one of them");
    if (o->stratify && d->about.target != GG_TARGET_CLASS)
        return gg_fail(ctx, GG_EMISMATCH, "only data of classes can be stratified");
    if (o->grouped && !d->store->group)
        return gg_fail(ctx, GG_EMISMATCH, "a split by groups needs data that have groups: name their column");
    return GG_OK;
}

/* The samples of part p, or those outside it, in the order of the data. */
static gg_status take_part(gg_data **out, const split *s, int64_t p, bool outside)
{
    int64_t n = 0, *index = gg_new(s->d->store->ctx, int64_t, s->n);
    if (!index)
        return GG_ENOMEM;
    for (int64_t i = 0; i < s->n; i++)
        if ((s->part[i] == p) != outside)
            index[n++] = i;
    const gg_status status = gg_data_subset(out, s->d, index, n);
    gg_drop(s->d->store->ctx, index);
    return status;
}

/* Which part each sample is in. size: (n_parts + 1,). */
static gg_status assign(split *s, const gg_data *d, const gg_split_options *o, const int64_t *size, int n_parts)
{
    gg_context *ctx = d->store->ctx;
    *s = (split){.d = d, .o = o ? *o : (gg_split_options){0}, .n = d->about.n};
    GG_TRY(check_options(d, &s->o));
    s->order = gg_new(ctx, int64_t, s->n);
    s->part = gg_new(ctx, int64_t, s->n);
    if (!s->order || !s->part)
        return GG_ENOMEM;
    GG_TRY(draw(s));
    if (s->o.grouped)
        return cut_groups(s, size, n_parts);
    cut_list(s, size, n_parts);
    return GG_OK;
}

static void split_free(split *s)
{
    gg_drop(s->d->store->ctx, s->order);
    gg_drop(s->d->store->ctx, s->part);
}

/* Whole numbers of samples from fractions, by the largest remainder. */
static gg_status sizes_of(int64_t *size, gg_context *ctx, const double *part, int n_parts, int64_t n)
{
    double sum = 0;
    for (int p = 0; p < n_parts; p++) {
        if (!(part[p] > 0))
            return gg_fail(ctx, GG_EINVAL, "part %d of the split is %g: fractions of the whole or numbers of samples are wanted", p + 1, part[p]);
        sum += part[p];
    }
    const bool fractions = sum <= 1 + 1e-9;
    if (!fractions && sum > (double)n)
        return gg_fail(ctx, GG_EINVAL, "the parts of the split sum to %.17g, of %lld samples", sum, (long long)n);
    int64_t taken = 0;
    const int64_t all = fractions ? (int64_t)floor(sum * (double)n + 1e-6) : 0;
    for (int p = 0; p < n_parts; p++) {
        if (!fractions && part[p] != floor(part[p]))
            return gg_fail(ctx, GG_EINVAL, "part %d of the split is %g: the parts sum to more than 1, so they are whole numbers of samples", p + 1, part[p]);
        size[p] = (int64_t)(fractions ? floor(part[p] * (double)n + 1e-6) : part[p]);
        taken += size[p];
    }
    for (; fractions && taken < all; taken++) {
        int best = 0;
        for (int p = 1; p < n_parts; p++)
            best = part[p] * (double)n - (double)size[p] > part[best] * (double)n - (double)size[best] + 1e-9 ? p : best;
        size[best]++;
    }
    for (int p = 0; p < n_parts; p++)
        if (size[p] < 1)
            return gg_fail(ctx, GG_EINVAL, "part %d of the split, %g of %lld samples, would have none", p + 1, part[p], (long long)n);
    size[n_parts] = n - taken;
    return GG_OK;
}

/* The first part has every class; of stratified ones each part. */
static gg_status check_classes(gg_data *const *out, int n_parts, bool all)
{
    for (int p = 0; p < n_parts && (p == 0 || all); p++) {
        char what[64];
        snprintf(what, sizeof what, "part %d of the split", p + 1);
        if (out[p]->about.target == GG_TARGET_CLASS)
            GG_TRY(gg_data_need_classes(out[p], what));
    }
    return GG_OK;
}

gg_status gg_data_split(gg_data **out, const gg_data *d, const double *part, int n_parts, const gg_split_options *o)
{
    gg_context *ctx = d->store->ctx;
    split s = {.d = d};
    for (int p = 0; p < n_parts; p++)
        out[p] = NULL;
    if (n_parts < 1)
        return gg_fail(ctx, GG_EINVAL, "a split into %d parts", n_parts);
    int64_t *size = gg_new(ctx, int64_t, n_parts + 1);
    gg_status status = size ? sizes_of(size, ctx, part, n_parts, d->about.n) : GG_ENOMEM;
    if (status == GG_OK)
        status = assign(&s, d, o, size, n_parts);
    for (int p = 0; p < n_parts && status == GG_OK; p++)
        status = take_part(&out[p], &s, p, false);
    if (status == GG_OK)
        status = check_classes(out, n_parts, s.o.stratify);
    for (int p = 0; p < n_parts && status != GG_OK; p++) {
        gg_data_free(out[p]);
        out[p] = NULL;
    }
    split_free(&s);
    gg_drop(ctx, size);
    return status;
}

/* A class with fewer samples than folds is told before any fold, not by the first that lacks it. */
static gg_status enough_for_folds(const gg_data *d, int k)
{
    gg_context *ctx = d->store->ctx;
    int64_t *count = gg_new(ctx, int64_t, d->about.n_classes);
    gg_status status = count ? gg_data_class_counts(count, d) : GG_ENOMEM;
    for (int64_t c = 0; c < d->about.n_classes && status == GG_OK; c++)
        if (count[c] < k)
            status = gg_fail(ctx, GG_EINVAL, "class \"%s\" has %lld samples: not one for each of %d stratified folds", d->about.class_name[c],
                             (long long)count[c], k);
    gg_drop(ctx, count);
    return status;
}

gg_status gg_data_fold(gg_data **train, gg_data **test, const gg_data *d, int k, int fold, const gg_split_options *o)
{
    gg_context *ctx = d->store->ctx;
    split s = {.d = d};
    *train = *test = NULL;
    if (k < 2 || k > d->about.n || fold < 0 || fold >= k)
        return gg_fail(ctx, GG_EINVAL, "fold %d of %d, of %lld samples", fold, k, (long long)d->about.n);
    int64_t *size = gg_new(ctx, int64_t, k + 1);
    gg_status status = size ? GG_OK : GG_ENOMEM;
    for (int p = 0; p < k && status == GG_OK; p++)
        size[p] = d->about.n / k + (p < d->about.n % k);
    if (status == GG_OK)
        status = assign(&s, d, o, size, k);
    if (status == GG_OK && s.o.stratify)
        status = enough_for_folds(d, k);
    if (status == GG_OK)
        status = take_part(test, &s, fold, false);
    if (status == GG_OK)
        status = take_part(train, &s, fold, true);
    if (status == GG_OK && s.o.stratify)
        status = check_classes(test, 1, true);
    if (status == GG_OK)
        status = check_classes(train, 1, true);
    if (status != GG_OK) {
        gg_data_free(*train);
        gg_data_free(*test);
        *train = *test = NULL;
    }
    split_free(&s);
    gg_drop(ctx, size);
    return status;
}
