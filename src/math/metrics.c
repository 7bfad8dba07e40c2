/* How good predictions are. Owns: the counts of a confusion matrix.
 *
 * With counts m[truth][predicted] of n samples:
 *     precision_k = m[k][k] / sum_i m[i][k]     recall_k = m[k][k] / sum_j m[k][j]     F1_k = 2 m[k][k] / (row + column)
 *     AUROC       = P(s+ > s-) + P(s+ = s-) / 2                        the area under the curve of Hanley & McNeil 1982, by mid-ranks
 *     AP          = sum_i (R_i - R_{i-1}) P_i                          over distinct scores from the top
 *     ECE         = sum_b n_b / n |mean confidence_b - mean right_b|   Guo, Pleiss, Sun & Weinberger 2017
 *     R2          = 1 - sum (t - p)^2 / sum (t - mean t)^2
 * Traps: equal scores must be one step of the curve, or the order of the samples decides; R2 from sums of squares loses all digits when the
 * values are large beside their spread, so means and moments are kept (Welford; Chan, Golub & LeVeque 1983).
 */
#include "base/memory.h"
#include <golgi/metrics.h>
#include <math.h>
#include <stdlib.h>

struct gg_confusion {
    gg_context *ctx;
    int64_t n_classes, n;
    int64_t count[]; /* (truth, predicted) */
};

static gg_status check_label(gg_context *ctx, const char *what, int64_t i, int64_t label, int64_t n_classes)
{
    if (label >= 0 && label < n_classes)
        return GG_OK;
    return gg_fail(ctx, GG_EINVAL, "%s %lld is class %lld, the classes are 0..%lld", what, (long long)i, (long long)label, (long long)n_classes - 1);
}

/* Scores (n, width) and labels (n,) that belong to them, where the label may also be `ignore`. */
static gg_status check_rows(gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t width, int64_t n_classes, int64_t ignore)
{
    if (width < 1 || n < 0)
        return gg_fail(ctx, GG_EINVAL, "scores of %lld samples and %lld classes", (long long)n, (long long)width);
    for (int64_t i = 0; i < n; i++) {
        if (truth[i] == ignore)
            continue;
        GG_TRY(check_label(ctx, "sample", i, truth[i], n_classes));
        for (int64_t k = 0; k < width; k++)
            if (!isfinite(score[i * width + k]))
                return gg_fail(ctx, GG_ENAN, "the score of sample %lld for class %lld is not a finite number", (long long)i, (long long)k);
    }
    return GG_OK;
}

enum { NO_LABEL = INT32_MIN }; /* an `ignore` that no label is */

/* --- classes ------------------------------------------------------------------------------------------------------------------------------- */
gg_status gg_confusion_create(gg_confusion **out, gg_context *ctx, int64_t n_classes)
{
    *out = NULL;
    if (n_classes < 1 || n_classes > INT32_MAX)
        return gg_fail(ctx, GG_EINVAL, "a confusion matrix of %lld classes", (long long)n_classes);
    const size_t cells = gg_mul(n_classes, n_classes), bytes = gg_mul((int64_t)cells, sizeof(int64_t));
    gg_confusion *c = gg_alloc(ctx, bytes > SIZE_MAX / 2 ? SIZE_MAX : sizeof *c + bytes);
    if (!c)
        return GG_ENOMEM;
    c->ctx = ctx;
    c->n_classes = n_classes;
    *out = c;
    return GG_OK;
}

void gg_confusion_free(gg_confusion *c)
{
    if (c)
        gg_drop(c->ctx, c);
}

gg_status gg_confusion_add(gg_confusion *c, const int32_t *predicted, const int32_t *truth, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        GG_TRY(check_label(c->ctx, "sample", i, truth[i], c->n_classes));
        GG_TRY(check_label(c->ctx, "the prediction for sample", i, predicted[i], c->n_classes));
    }
    for (int64_t i = 0; i < n; i++)
        c->count[truth[i] * c->n_classes + predicted[i]]++;
    c->n += n;
    return GG_OK;
}

gg_status gg_confusion_add_counts(gg_confusion *c, const int64_t *count)
{
    const int64_t n = c->n_classes * c->n_classes;
    for (int64_t i = 0; i < n; i++)
        if (count[i] < 0)
            return gg_fail(c->ctx, GG_EINVAL, "class %lld is taken for class %lld %lld times", (long long)(i / c->n_classes), (long long)(i % c->n_classes),
                           (long long)count[i]);
    for (int64_t i = 0; i < n; i++) {
        c->count[i] += count[i];
        c->n += count[i];
    }
    return GG_OK;
}

gg_status gg_confusion_merge(gg_confusion *c, const gg_confusion *from)
{
    return c->n_classes == from->n_classes ? gg_confusion_add_counts(c, from->count)
                                           : gg_fail(c->ctx, GG_EINVAL, "confusion matrices of %lld and of %lld classes", (long long)c->n_classes,
                                                     (long long)from->n_classes);
}

const int64_t *gg_confusion_counts(const gg_confusion *c) { return c->count; }
int64_t gg_confusion_total(const gg_confusion *c) { return c->n; }

double gg_confusion_accuracy(const gg_confusion *c)
{
    int64_t right = 0;
    for (int64_t k = 0; k < c->n_classes; k++)
        right += c->count[k * c->n_classes + k];
    return c->n ? (double)right / (double)c->n : NAN;
}

static double ratio(int64_t a, int64_t b) { return b ? (double)a / (double)b : 0; }

gg_class_quality gg_confusion_class(const gg_confusion *c, int64_t k)
{
    if (k < 0 || k >= c->n_classes)
        return (gg_class_quality){0};
    int64_t row = 0, column = 0;
    for (int64_t i = 0; i < c->n_classes; i++) {
        row += c->count[k * c->n_classes + i];
        column += c->count[i * c->n_classes + k];
    }
    const int64_t right = c->count[k * c->n_classes + k];
    return (gg_class_quality){ratio(right, column), ratio(right, row), ratio(2 * right, row + column), row};
}

double gg_confusion_balanced_accuracy(const gg_confusion *c)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < c->n_classes; k++) {
        const gg_class_quality q = gg_confusion_class(c, k);
        sum += q.recall;
        n += q.support > 0;
    }
    return n ? sum / (double)n : NAN;
}

gg_class_quality gg_confusion_mean(const gg_confusion *c, gg_mean_kind kind)
{
    if (kind == GG_MEAN_MICRO || !c->n) {
        const double a = c->n ? gg_confusion_accuracy(c) : 0;
        return (gg_class_quality){a, a, a, c->n};
    }
    gg_class_quality sum = {.support = c->n};
    for (int64_t k = 0; k < c->n_classes; k++) {
        const gg_class_quality q = gg_confusion_class(c, k);
        const double w = kind == GG_MEAN_WEIGHTED ? (double)q.support / (double)c->n : 1.0 / (double)c->n_classes;
        sum.precision += w * q.precision;
        sum.recall += w * q.recall;
        sum.f1 += w * q.f1;
    }
    return sum;
}

/* --- logits -------------------------------------------------------------------------------------------------------------------------------- */
void gg_argmax_rows(int32_t *out, const float *score, int64_t n, int64_t n_classes)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = score + i * n_classes;
        int64_t best = 0;
        for (int64_t k = 1; k < n_classes; k++)
            if (row[k] > row[best] || isnan(row[best]))
                best = k;
        out[i] = (int32_t)best;
    }
}

/* log sum e^x, and the largest x. */
static double log_sum_exp(const float *x, int64_t n)
{
    double top = x[0], sum = 0;
    for (int64_t k = 1; k < n; k++)
        top = x[k] > top ? x[k] : top;
    for (int64_t k = 0; k < n; k++)
        sum += exp(x[k] - top);
    return top + log(sum);
}

void gg_softmax_rows(float *out, const float *score, int64_t n, int64_t n_classes)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = score + i * n_classes;
        const double all = n_classes == 1 ? 0 : log_sum_exp(row, n_classes);
        for (int64_t k = 0; k < n_classes; k++)
            out[i * n_classes + k] = (float)(n_classes == 1 ? 1 / (1 + exp(-(double)row[k])) : exp(row[k] - all));
    }
}

gg_status gg_top_k_hits(int64_t *hits, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes, int64_t k)
{
    if (k < 1)
        return gg_fail(ctx, GG_EINVAL, "the best %lld classes: at least one", (long long)k);
    GG_TRY(check_rows(ctx, score, truth, n, n_classes, n_classes, NO_LABEL));
    *hits = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *row = score + i * n_classes;
        int64_t above = 0;
        for (int64_t j = 0; j < n_classes; j++)
            above += row[j] > row[truth[i]] || (row[j] == row[truth[i]] && j < truth[i]);
        *hits += above < k;
    }
    return GG_OK;
}

gg_status gg_likelihood_add(gg_likelihood *l, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes, int64_t ignore)
{
    GG_TRY(check_rows(ctx, score, truth, n, n_classes, n_classes, ignore));
    for (int64_t i = 0; i < n; i++)
        if (truth[i] != ignore) {
            l->sum += log_sum_exp(score + i * n_classes, n_classes) - score[i * n_classes + truth[i]];
            l->n++;
        }
    return GG_OK;
}

double gg_likelihood_mean(const gg_likelihood *l) { return l->n ? l->sum / (double)l->n : NAN; }
double gg_likelihood_perplexity(const gg_likelihood *l) { return exp(gg_likelihood_mean(l)); }

/* --- ranking ------------------------------------------------------------------------------------------------------------------------------- */
typedef struct ranked {
    float score;
    int32_t positive;
} ranked;

static int from_the_top(const void *x, const void *y)
{
    const ranked *p = x, *q = y;
    return (p->score < q->score) - (p->score > q->score);
}

/* Sorted from the highest score; `one` is the label that counts as positive. */
static gg_status rank(ranked **out, int64_t *n_positive, gg_context *ctx, const float *score, int64_t step, const int32_t *label, int64_t n, int64_t one)
{
    *out = NULL;
    *n_positive = 0;
    for (int64_t i = 0; i < n; i++)
        *n_positive += label[i] == one;
    if (*n_positive == 0 || *n_positive == n)
        return gg_fail(ctx, GG_EINVAL, "%lld of %lld samples are of class %lld: a ranking needs samples of it and others", (long long)*n_positive,
                       (long long)n, (long long)one);
    ranked *r = gg_new(ctx, ranked, n);
    if (!r)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        r[i] = (ranked){score[i * step], label[i] == one};
    qsort(r, (size_t)n, sizeof *r, from_the_top);
    *out = r;
    return GG_OK;
}

static gg_status auroc_of(double *out, gg_context *ctx, const float *score, int64_t step, const int32_t *label, int64_t n, int64_t one)
{
    ranked *r;
    int64_t n_positive, above = 0; /* positives with a higher score */
    GG_TRY(rank(&r, &n_positive, ctx, score, step, label, n, one));
    double pairs = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t ties = 0;
        for (end = i; end < n && r[end].score == r[i].score; end++)
            ties += r[end].positive;
        pairs += (double)(end - i - ties) * ((double)above + 0.5 * (double)ties);
        above += ties;
    }
    gg_drop(ctx, r);
    *out = pairs / ((double)n_positive * (double)(n - n_positive));
    return GG_OK;
}

gg_status gg_auroc(double *out, gg_context *ctx, const float *score, const int32_t *positive, int64_t n)
{
    GG_TRY(check_rows(ctx, score, positive, n, 1, 2, NO_LABEL));
    return auroc_of(out, ctx, score, 1, positive, n, 1);
}

gg_status gg_auroc_macro(double *out, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes)
{
    GG_TRY(check_rows(ctx, score, truth, n, n_classes, n_classes, NO_LABEL));
    double sum = 0;
    for (int64_t k = 0; k < n_classes; k++) {
        double a;
        GG_TRY(auroc_of(&a, ctx, score + k, n_classes, truth, n, k));
        sum += a;
    }
    *out = sum / (double)n_classes;
    return GG_OK;
}

gg_status gg_average_precision(double *out, gg_context *ctx, const float *score, const int32_t *positive, int64_t n)
{
    ranked *r;
    int64_t n_positive, found = 0;
    GG_TRY(check_rows(ctx, score, positive, n, 1, 2, NO_LABEL));
    GG_TRY(rank(&r, &n_positive, ctx, score, 1, positive, n, 1));
    double sum = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        const int64_t before = found;
        for (end = i; end < n && r[end].score == r[i].score; end++)
            found += r[end].positive;
        sum += (double)(found - before) * (double)found / (double)end;
    }
    gg_drop(ctx, r);
    *out = sum / (double)n_positive;
    return GG_OK;
}

/* --- probabilities ------------------------------------------------------------------------------------------------------------------------- */
static gg_status check_probabilities(gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes)
{
    GG_TRY(check_rows(ctx, p, truth, n, n_classes, n_classes == 1 ? 2 : n_classes, NO_LABEL));
    if (n < 1)
        return gg_fail(ctx, GG_EINVAL, "probabilities of no samples");
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n_classes; k++) {
            const double v = p[i * n_classes + k];
            if (v < 0 || v > 1)
                return gg_fail(ctx, GG_EINVAL, "the probability of class %lld for sample %lld is %g", (long long)k, (long long)i, v);
            sum += v;
        }
        if (n_classes > 1 && fabs(sum - 1) > 1e-3)
            return gg_fail(ctx, GG_EINVAL, "the probabilities of sample %lld sum to %g; logits go through gg_softmax_rows first", (long long)i, sum);
    }
    return GG_OK;
}

gg_status gg_log_loss(double *out, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes)
{
    GG_TRY(check_probabilities(ctx, p, truth, n, n_classes));
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = n_classes > 1 ? p[i * n_classes + truth[i]] : truth[i] ? p[i] : 1 - (double)p[i];
        sum -= log(fmin(fmax(v, 0x1p-52), 1 - 0x1p-52));
    }
    *out = sum / (double)n;
    return GG_OK;
}

gg_status gg_brier(double *out, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes)
{
    GG_TRY(check_probabilities(ctx, p, truth, n, n_classes));
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n_classes; k++) {
            const double d = p[i * n_classes + k] - (double)(n_classes == 1 ? truth[i] : truth[i] == k);
            sum += d * d;
        }
    *out = sum / (double)n;
    return GG_OK;
}

/* The bin (b / n, (b + 1) / n] that holds p. */
static int bin_of(const gg_calibration *c, float p)
{
    const int b = (int)ceil((double)p * c->n_bins) - 1;
    return b < 0 ? 0 : b >= c->n_bins ? c->n_bins - 1 : b;
}

static gg_status check_bins(gg_context *ctx, const gg_calibration *c)
{
    if (c->n_bins >= 1 && c->n_bins <= GG_CALIBRATION_BINS_MAX)
        return GG_OK;
    return gg_fail(ctx, GG_EINVAL, "%d bins of calibration: 1..%d", c->n_bins, GG_CALIBRATION_BINS_MAX);
}

static void put_in_bin(gg_calibration *c, float confidence, bool right)
{
    const int b = bin_of(c, confidence);
    c->count[b]++;
    c->confidence[b] += confidence;
    c->right[b] += right;
}

gg_status gg_calibration_add(gg_calibration *c, gg_context *ctx, const float *confidence, const int32_t *right, int64_t n)
{
    GG_TRY(check_bins(ctx, c));
    if (n == 0)
        return GG_OK;
    GG_TRY(check_probabilities(ctx, confidence, right, n, 1));
    for (int64_t i = 0; i < n; i++)
        put_in_bin(c, confidence[i], right[i]);
    return GG_OK;
}

gg_status gg_calibration_add_rows(gg_calibration *c, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes)
{
    GG_TRY(check_bins(ctx, c));
    if (n_classes < 2)
        return gg_fail(ctx, GG_EINVAL, "rows of %lld probabilities: two and more", (long long)n_classes);
    if (n == 0)
        return GG_OK;
    GG_TRY(check_probabilities(ctx, p, truth, n, n_classes));
    for (int64_t i = 0; i < n; i++) {
        int32_t best;
        gg_argmax_rows(&best, p + i * n_classes, 1, n_classes);
        put_in_bin(c, p[i * n_classes + best], best == truth[i]);
    }
    return GG_OK;
}

static double calibration_error(const gg_calibration *c, bool largest)
{
    double sum = 0, most = 0;
    int64_t n = 0;
    for (int b = 0; b < c->n_bins && b < GG_CALIBRATION_BINS_MAX; b++) {
        const double gap = fabs(c->confidence[b] - c->right[b]);
        n += c->count[b];
        sum += gap;
        most = c->count[b] ? fmax(most, gap / (double)c->count[b]) : most;
    }
    return !n ? NAN : largest ? most : sum / (double)n;
}

double gg_calibration_ece(const gg_calibration *c) { return calibration_error(c, false); }
double gg_calibration_mce(const gg_calibration *c) { return calibration_error(c, true); }

/* --- values -------------------------------------------------------------------------------------------------------------------------------- */
gg_status gg_regression_add(gg_regression *r, gg_context *ctx, const float *predicted, const float *truth, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(predicted[i]) || !isfinite(truth[i]))
            return gg_fail(ctx, GG_ENAN, "the %s of sample %lld is not a finite number", isfinite(truth[i]) ? "prediction" : "truth", (long long)i);
    for (int64_t i = 0; i < n; i++) {
        const double p = predicted[i], t = truth[i], inv = 1.0 / (double)++r->n, dp = p - r->mean_p, dt = t - r->mean_t;
        r->mean_p += dp * inv;
        r->mean_t += dt * inv;
        r->m2_p += dp * (p - r->mean_p);
        r->m2_t += dt * (t - r->mean_t);
        r->c += dp * (t - r->mean_t);
        r->sum_squares += (p - t) * (p - t);
        r->sum_abs += fabs(p - t);
    }
    return GG_OK;
}

void gg_regression_merge(gg_regression *r, const gg_regression *from)
{
    const int64_t n = r->n + from->n;
    if (!from->n)
        return;
    const double dp = from->mean_p - r->mean_p, dt = from->mean_t - r->mean_t, w = (double)from->n / (double)n, both = (double)r->n * w;
    r->mean_p += dp * w;
    r->mean_t += dt * w;
    r->m2_p += from->m2_p + dp * dp * both;
    r->m2_t += from->m2_t + dt * dt * both;
    r->c += from->c + dp * dt * both;
    r->sum_squares += from->sum_squares;
    r->sum_abs += from->sum_abs;
    r->n = n;
}

double gg_regression_r2(const gg_regression *r)
{
    if (!r->n)
        return NAN;
    return r->m2_t > 0 ? 1 - r->sum_squares / r->m2_t : r->sum_squares == 0 ? 1 : 0;
}

double gg_regression_mae(const gg_regression *r) { return r->n ? r->sum_abs / (double)r->n : NAN; }
double gg_regression_rmse(const gg_regression *r) { return r->n ? sqrt(r->sum_squares / (double)r->n) : NAN; }

double gg_regression_pearson(const gg_regression *r)
{
    return r->m2_p > 0 && r->m2_t > 0 ? r->c / sqrt(r->m2_p) / sqrt(r->m2_t) : NAN;
}
