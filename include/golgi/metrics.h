/* golgi/metrics.h - how good predictions are: classes, scores, probabilities, values. Floor 1.
 *
 *     #include <golgi/metrics.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const int32_t truth[6] = {0, 0, 1, 1, 2, 2}, predicted[6] = {0, 1, 1, 1, 2, 0};
 *         const float score[4] = {0.1f, 0.4f, 0.35f, 0.8f};
 *         const int32_t positive[4] = {0, 0, 1, 1};
 *         double auroc = 0;
 *         gg_context *ctx = NULL;
 *         gg_confusion *c = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_confusion_create(&c, ctx, 3);
 *         gg_confusion_add(c, predicted, truth, 6); // as often as you like
 *         gg_auroc(&auroc, ctx, score, positive, 4);
 *         const double accuracy = gg_confusion_accuracy(c);
 *         printf("accuracy %.3f, macro F1 %.3f, AUROC %.2f\n", accuracy, gg_confusion_mean(c, GG_MEAN_MACRO).f1, auroc);
 *         gg_confusion_free(c);
 *         gg_context_free(ctx);
 *         return !(accuracy > 0.66 && accuracy < 0.67 && auroc == 0.75);
 *     }
 *
 * Scores are float32, as nets give them; sums are float64 in the order of the samples. Definitions are scikit-learn's (tests/golden/metrics); where a
 * metric is not defined (precision of a class that nobody predicted) it is 0 and said so below, or a GG_EINVAL with the reason.
 * Errors: GG_EINVAL a label outside its range, with its place; GG_ENAN a score that is not finite.
 */
#ifndef GOLGI_METRICS_H
#define GOLGI_METRICS_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- classes: a confusion matrix, added to in any number of pieces --------------------------------------------------------------------------- */
typedef struct gg_confusion gg_confusion;
typedef struct gg_class_quality {
    double precision, recall, f1; /* 0 where the denominator is 0 */
    int64_t support;              /* samples that are truly of the class */
} gg_class_quality;
typedef enum gg_mean_kind {
    GG_MEAN_MACRO,   /* over classes, those without samples and predictions included (as 0) */
    GG_MEAN_MICRO,   /* of the counts of all classes together: the accuracy */
    GG_MEAN_WEIGHTED /* over classes, by support */
} gg_mean_kind;
GG_API gg_status gg_confusion_create(gg_confusion **out, gg_context *ctx, int64_t n_classes);
GG_API void gg_confusion_free(gg_confusion *c);
/* predicted, truth: (n,). All are looked at before any is counted. */
GG_API gg_status gg_confusion_add(gg_confusion *c, const int32_t *predicted, const int32_t *truth, int64_t n);
GG_API gg_status gg_confusion_add_counts(gg_confusion *c, const int64_t *count); /* as gg_confusion_counts gives them */
GG_API gg_status gg_confusion_merge(gg_confusion *c, const gg_confusion *from);
GG_API const int64_t *gg_confusion_counts(const gg_confusion *c); /* (truth, predicted), n_classes each */
GG_API int64_t gg_confusion_total(const gg_confusion *c);
GG_API double gg_confusion_accuracy(const gg_confusion *c);          /* NaN without samples, as the next */
GG_API double gg_confusion_balanced_accuracy(const gg_confusion *c); /* mean recall of the classes that have samples */
GG_API gg_class_quality gg_confusion_class(const gg_confusion *c, int64_t k);
GG_API gg_class_quality gg_confusion_mean(const gg_confusion *c, gg_mean_kind kind);

/* --- logits: score (n, n_classes) -------------------------------------------------------------------------------------------------------------- */
GG_API void gg_argmax_rows(int32_t *out, const float *score, int64_t n, int64_t n_classes); /* (n,); ties to the lowest, NaN never */
/* Softmax of each row, in float64. One column: the sigmoid. out may be score. */
GG_API void gg_softmax_rows(float *out, const float *score, int64_t n, int64_t n_classes);
/* *hits: samples whose truth is among the k highest scores; of equal scores the lower class comes first. 1 <= k. */
GG_API gg_status gg_top_k_hits(int64_t *hits, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes, int64_t k);

/* Negative log likelihood of softmax(score) at the truth; streaming: begins as {0}. Places whose truth is `ignore` are passed over. */
typedef struct gg_likelihood {
    int64_t n;
    double sum; /* nats */
} gg_likelihood;
GG_API gg_status gg_likelihood_add(gg_likelihood *l, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes, int64_t ignore);
GG_API double gg_likelihood_mean(const gg_likelihood *l);       /* NaN without samples, as the next */
GG_API double gg_likelihood_perplexity(const gg_likelihood *l); /* e^mean */

/* --- ranking: score (n,), positive (n,) 0 or 1. GG_EINVAL unless both occur ---------------------------------------------------------------------- */
/* P(score of a positive > of a negative) + P(equal) / 2. */
GG_API gg_status gg_auroc(double *out, gg_context *ctx, const float *score, const int32_t *positive, int64_t n);
/* Sum over thresholds of (R_i - R_{i-1}) P_i; equal scores are one threshold. */
GG_API gg_status gg_average_precision(double *out, gg_context *ctx, const float *score, const int32_t *positive, int64_t n);
/* One class against the rest, the plain mean over classes; score (n, n_classes). Each class must have samples. */
GG_API gg_status gg_auroc_macro(double *out, gg_context *ctx, const float *score, const int32_t *truth, int64_t n, int64_t n_classes);

/* --- probabilities: p (n, n_classes), rows that sum to 1; one column: that of class 1 of two -------------------------------------------------------- */
/* Mean of -log p at the truth, p cut to [2^-52, 1 - 2^-52]. */
GG_API gg_status gg_log_loss(double *out, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes);
/* Mean over samples of the sum over classes of (p - truth)^2, in [0, 2] (Brier 1950); one column: of (p - truth)^2, in [0, 1]. */
GG_API gg_status gg_brier(double *out, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes);

/* Calibration: confidence in [0, 1] against how often it was right, in equal bins (low, high], 0 in the first (Guo et al. 2017). Streaming. */
#define GG_CALIBRATION_BINS_MAX 100
typedef struct gg_calibration {
    int n_bins; /* begins as {.n_bins = 15} */
    int64_t count[GG_CALIBRATION_BINS_MAX];
    double confidence[GG_CALIBRATION_BINS_MAX], right[GG_CALIBRATION_BINS_MAX]; /* sums; divided by count they are a reliability diagram */
} gg_calibration;
/* Two classes: confidence the probability of class 1, right the truth. More: the highest probability, and whether its class is the truth. */
GG_API gg_status gg_calibration_add(gg_calibration *c, gg_context *ctx, const float *confidence, const int32_t *right, int64_t n);
/* The highest probability of each row of p (n, n_classes), n_classes >= 2. */
GG_API gg_status gg_calibration_add_rows(gg_calibration *c, gg_context *ctx, const float *p, const int32_t *truth, int64_t n, int64_t n_classes);
GG_API double gg_calibration_ece(const gg_calibration *c); /* expected error: bins by their share of samples; NaN without, as the next */
GG_API double gg_calibration_mce(const gg_calibration *c); /* the largest error of a bin */

/* --- values: streaming; begins as {0} -------------------------------------------------------------------------------------------------------------- */
typedef struct gg_regression {
    int64_t n;
    double mean_p, mean_t, m2_p, m2_t, c; /* means, sums of squares and products about them */
    double sum_squares, sum_abs;          /* of predicted - truth */
} gg_regression;
GG_API gg_status gg_regression_add(gg_regression *r, gg_context *ctx, const float *predicted, const float *truth, int64_t n);
GG_API void gg_regression_merge(gg_regression *r, const gg_regression *from);
/* NaN without samples. */
GG_API double gg_regression_r2(const gg_regression *r); /* constant truth: 1 when all is right, else 0 */
GG_API double gg_regression_mae(const gg_regression *r);
GG_API double gg_regression_rmse(const gg_regression *r);
GG_API double gg_regression_pearson(const gg_regression *r); /* NaN when either is constant */

#ifdef __cplusplus
}
#endif
#endif
