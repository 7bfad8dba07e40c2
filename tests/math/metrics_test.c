/* Metrics against scikit-learn (tests/golden/metrics), against their definitions, in pieces, and what they refuse. */
#include "math/golden.h"
#include <golgi/metrics.h>
#include <math.h>

static json_t *golden;

static float *singles(int64_t *n, int64_t *d, json_t *list)
{
    double *x = golden_numbers(n, d, list);
    const int64_t count = *n * (d && *d ? *d : 1);
    float *f = malloc(sizeof *f * (size_t)(count + 1));
    for (int64_t i = 0; i < count; i++)
        f[i] = (float)x[i];
    free(x);
    return f;
}

static double number_at(json_t *list, int64_t i) { return json_number_value(json_array_get(list, (size_t)i)); }

static void assert_quality(gg_class_quality q, json_t *three)
{
    assert_near(q.precision, number_at(three, 0), 1e-14);
    assert_near(q.recall, number_at(three, 1), 1e-14);
    assert_near(q.f1, number_at(three, 2), 1e-14);
}

static void classes_agree_with_scikit_learn(void **state)
{
    json_t *e;
    size_t i;
    json_array_foreach(golden_at(golden, "classes"), i, e)
    {
        int64_t n, n_classes = (int64_t)golden_number(e, "n_classes");
        int32_t *truth = golden_labels(&n, golden_at(e, "truth")), *predicted = golden_labels(&n, golden_at(e, "predicted"));
        double *count = golden_numbers(NULL, NULL, golden_at(e, "confusion"));
        gg_confusion *of_samples, *c; /* c: of the counts of the other */
        assert_int_equal(gg_confusion_create(&of_samples, *state, n_classes), GG_OK);
        assert_int_equal(gg_confusion_create(&c, *state, n_classes), GG_OK);
        assert_int_equal(gg_confusion_add(of_samples, predicted, truth, n), GG_OK);
        assert_int_equal(gg_confusion_add_counts(c, gg_confusion_counts(of_samples)), GG_OK);
        assert_int_equal(gg_confusion_total(c), n);
        gg_confusion_free(of_samples);
        for (int64_t k = 0; k < n_classes * n_classes; k++)
            assert_int_equal(gg_confusion_counts(c)[k], (int64_t)count[k]);
        assert_near(gg_confusion_accuracy(c), golden_number(e, "accuracy"), 1e-14);
        assert_near(gg_confusion_balanced_accuracy(c), golden_number(e, "balanced"), 1e-14);
        for (int64_t k = 0; k < n_classes; k++) {
            const gg_class_quality q = gg_confusion_class(c, k);
            assert_near(q.precision, number_at(golden_at(e, "precision"), k), 1e-14);
            assert_near(q.recall, number_at(golden_at(e, "recall"), k), 1e-14);
            assert_near(q.f1, number_at(golden_at(e, "f1"), k), 1e-14);
            assert_int_equal(q.support, (int64_t)number_at(golden_at(e, "support"), k));
        }
        assert_quality(gg_confusion_mean(c, GG_MEAN_MACRO), golden_at(e, "macro"));
        assert_quality(gg_confusion_mean(c, GG_MEAN_MICRO), golden_at(e, "micro"));
        assert_quality(gg_confusion_mean(c, GG_MEAN_WEIGHTED), golden_at(e, "weighted"));
        gg_confusion_free(c);
        free(truth);
        free(predicted);
        free(count);
    }
}

static void scores_of_many_classes_agree_with_scikit_learn(void **state)
{
    json_t *e;
    size_t i;
    json_array_foreach(golden_at(golden, "scores"), i, e)
    {
        int64_t n, n_classes;
        int32_t *truth = golden_labels(&n, golden_at(e, "truth"));
        float *logits = singles(&n, &n_classes, golden_at(e, "logits")), *p = singles(&n, &n_classes, golden_at(e, "p"));
        double v;
        const char *k;
        json_t *want;
        json_object_foreach(golden_at(e, "top"), k, want)
        {
            int64_t hits;
            assert_int_equal(gg_top_k_hits(&hits, *state, logits, truth, n, n_classes, atoi(k)), GG_OK);
            assert_near((double)hits / (double)n, json_number_value(want), 1e-14);
        }
        assert_int_equal(gg_auroc_macro(&v, *state, p, truth, n, n_classes), GG_OK);
        assert_near(v, golden_number(e, "auroc"), 1e-13);
        assert_int_equal(gg_log_loss(&v, *state, p, truth, n, n_classes), GG_OK);
        assert_near(v, golden_number(e, "log_loss"), 1e-13);
        assert_int_equal(gg_brier(&v, *state, p, truth, n, n_classes), GG_OK);
        assert_near(v, golden_number(e, "brier"), 1e-13);
        gg_likelihood l = {0};
        assert_int_equal(gg_likelihood_add(&l, *state, logits, truth, n / 2, n_classes, -1), GG_OK);
        assert_int_equal(gg_likelihood_add(&l, *state, logits + n / 2 * n_classes, truth + n / 2, n - n / 2, n_classes, -1), GG_OK);
        assert_near(gg_likelihood_mean(&l), golden_number(e, "nll"), 1e-13);
        assert_near(gg_likelihood_perplexity(&l), exp(golden_number(e, "nll")), 1e-12);
        float *soft = malloc(sizeof *soft * (size_t)(n * n_classes));
        gg_softmax_rows(soft, logits, n, n_classes);
        for (int64_t j = 0; j < n * n_classes; j++)
            assert_near(soft[j], p[j], 2e-7); /* p was normalised in float32, here in float64 */
        free(soft);
        free(truth);
        free(logits);
        free(p);
    }
}

static void rankings_and_probabilities_agree_with_scikit_learn(void **state)
{
    json_t *e;
    size_t i;
    json_array_foreach(golden_at(golden, "binary"), i, e)
    {
        int64_t n;
        int32_t *truth = golden_labels(&n, golden_at(e, "truth"));
        float *score = singles(&n, NULL, golden_at(e, "score"));
        double v;
        assert_int_equal(gg_auroc(&v, *state, score, truth, n), GG_OK);
        assert_near(v, golden_number(e, "auroc"), 1e-13);
        assert_int_equal(gg_average_precision(&v, *state, score, truth, n), GG_OK);
        assert_near(v, golden_number(e, "ap"), 1e-13);
        assert_int_equal(gg_log_loss(&v, *state, score, truth, n, 1), GG_OK);
        assert_near(v, golden_number(e, "log_loss"), 1e-12);
        assert_int_equal(gg_brier(&v, *state, score, truth, n, 1), GG_OK);
        assert_near(v, golden_number(e, "brier"), 1e-13);
        static const struct {
            int bins;
            const char *name;
        } curves[] = {{5, "calibration5"}, {8, "calibration8"}, {10, "calibration10"}}; /* of 8, the case with ties has scores on every border */
        for (int k = 0; k < 3; k++) {
            const int bins = curves[k].bins;
            json_t *curve = golden_at(e, curves[k].name);
            json_t *right = golden_at(curve, "right"), *confidence = golden_at(curve, "confidence");
            gg_calibration c = {.n_bins = bins};
            int64_t at = 0;
            double ece = 0;
            assert_int_equal(gg_calibration_add(&c, *state, score, truth, n / 3), GG_OK);
            assert_int_equal(gg_calibration_add(&c, *state, score + n / 3, truth + n / 3, n - n / 3), GG_OK);
            for (int b = 0; b < bins; b++)
                if (c.count[b]) {
                    assert_near(c.right[b] / (double)c.count[b], number_at(right, at), 1e-13);
                    assert_near(c.confidence[b] / (double)c.count[b], number_at(confidence, at), 1e-13);
                    ece += (double)c.count[b] / (double)n * fabs(number_at(right, at) - number_at(confidence, at));
                    at++;
                }
            assert_int_equal(at, json_array_size(right));
            assert_near(gg_calibration_ece(&c), ece, 1e-13);
        }
        free(truth);
        free(score);
    }
}

static void values_agree_with_scikit_learn_and_scipy(void **state)
{
    json_t *e;
    size_t i;
    json_array_foreach(golden_at(golden, "values"), i, e)
    {
        int64_t n;
        float *truth = singles(&n, NULL, golden_at(e, "truth")), *predicted = singles(&n, NULL, golden_at(e, "predicted"));
        for (int64_t cut = 0; cut <= n; cut += n / 5) { /* any two halves, joined, are the whole */
            gg_regression r = {0}, other = {0};
            assert_int_equal(gg_regression_add(&r, *state, predicted, truth, cut), GG_OK);
            assert_int_equal(gg_regression_add(&other, *state, predicted + cut, truth + cut, n - cut), GG_OK);
            gg_regression_merge(&r, &other);
            assert_int_equal(r.n, n);
            assert_near(gg_regression_r2(&r), golden_number(e, "r2"), 1e-11 * fmax(1, fabs(golden_number(e, "r2"))));
            assert_near(gg_regression_mae(&r), golden_number(e, "mae"), 1e-12);
            assert_near(gg_regression_rmse(&r), golden_number(e, "rmse"), 1e-12);
            assert_near(gg_regression_pearson(&r), golden_number(e, "pearson"), 1e-11);
        }
        free(truth);
        free(predicted);
    }
}

/* The definition: a pair of a positive and a negative at a time. Fails when ties are decided by the order of samples. */
static void auroc_is_the_share_of_pairs(void **state)
{
    enum { N = 60 };
    float score[N];
    int32_t positive[N];
    double pairs = 0, all = 0, v, w;
    for (int i = 0; i < N; i++) {
        score[i] = (float)(i * 37 % 11);
        positive[i] = i * 7 % 5 < 2;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (positive[i] && !positive[j]) {
                pairs += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
                all++;
            }
    assert_int_equal(gg_auroc(&v, *state, score, positive, N), GG_OK);
    assert_near(v, pairs / all, 1e-15);
    for (int i = 0; i < N / 2; i++) { /* turned round, the same to the bit */
        const float s = score[i];
        const int32_t p = positive[i];
        score[i] = score[N - 1 - i];
        positive[i] = positive[N - 1 - i];
        score[N - 1 - i] = s;
        positive[N - 1 - i] = p;
    }
    assert_int_equal(gg_auroc(&w, *state, score, positive, N), GG_OK);
    assert_true(v == w);
}

static void equal_scores_go_to_the_lower_class(void **state)
{
    const float score[] = {1, 3, 3, 3, 0};
    int64_t hits;
    int32_t best;
    for (int32_t truth = 0; truth < 5; truth++)
        for (int64_t k = 1; k <= 6; k++) {
            const int64_t place[] = {4, 1, 2, 3, 5};
            assert_int_equal(gg_top_k_hits(&hits, *state, score, &truth, 1, 5, k), GG_OK);
            assert_int_equal(hits, place[truth] <= k);
        }
    gg_argmax_rows(&best, score, 1, 5);
    assert_int_equal(best, 1);
    gg_argmax_rows(&best, (const float[]){NAN, -INFINITY, 2, NAN}, 1, 4);
    assert_int_equal(best, 2);
}

static void extreme_logits_stay_finite(void **state)
{
    const float logits[] = {1000, -1000, 0};
    float p[3];
    gg_likelihood l = {0};
    gg_softmax_rows(p, logits, 1, 3);
    assert_true(p[0] == 1 && p[1] == 0 && p[2] == 0);
    assert_int_equal(gg_likelihood_add(&l, *state, logits, &(int32_t){1}, 1, 3, -1), GG_OK);
    assert_near(gg_likelihood_mean(&l), 2000, 1e-12);
    gg_softmax_rows(p, (const float[]){-800, 0, 800}, 3, 1); /* one column: sigmoids */
    assert_true(p[0] == 0 && p[1] == 0.5f && p[2] == 1);
}

static void places_to_ignore_do_not_count(void **state)
{
    const float logits[] = {1, 2, NAN, NAN, 0, 0};
    gg_likelihood l = {0};
    assert_int_equal(gg_likelihood_add(&l, *state, logits, (const int32_t[]){0, -1, 1}, 3, 2, -1), GG_OK);
    assert_int_equal(l.n, 2);
    assert_near(l.sum, log(1 + exp(1)) + log(2), 1e-14);
}

static void the_highest_probability_is_the_confidence(void **state)
{
    const float p[] = {0.7f, 0.3f, 0.2f, 0.8f, 0.55f, 0.45f, 1, 0};
    gg_calibration c = {.n_bins = 10};
    assert_int_equal(gg_calibration_add_rows(&c, *state, p, (const int32_t[]){0, 0, 1, 0}, 4, 2), GG_OK);
    assert_true(c.count[6] == 1 && c.count[8] == 1 && c.count[5] == 1 && c.count[9] == 1); /* 0.7f is below 0.7, 0.8f above 0.8 */
    assert_near(gg_calibration_ece(&c), (fabs(0.7f - 1) + 0.8f + 0.55f + 0) / 4, 1e-15);
    assert_near(gg_calibration_mce(&c), 0.8f, 1e-15);
}

static void nothing_seen_is_not_a_number(void **state)
{
    gg_confusion *c;
    const gg_regression r = {0};
    const gg_calibration b = {.n_bins = 15};
    const gg_likelihood l = {0};
    assert_int_equal(gg_confusion_create(&c, *state, 3), GG_OK);
    assert_true(isnan(gg_confusion_accuracy(c)) && isnan(gg_confusion_balanced_accuracy(c)) && gg_confusion_mean(c, GG_MEAN_MACRO).f1 == 0);
    assert_true(isnan(gg_regression_r2(&r)) && isnan(gg_regression_mae(&r)) && isnan(gg_regression_rmse(&r)) && isnan(gg_regression_pearson(&r)));
    assert_true(isnan(gg_calibration_ece(&b)) && isnan(gg_calibration_mce(&b)) && isnan(gg_likelihood_mean(&l)) && isnan(gg_likelihood_perplexity(&l)));
    gg_confusion_free(c);
}

static void a_constant_truth_has_a_defined_r2(void **state)
{
    gg_regression right = {0}, wrong = {0};
    const float same[] = {2, 2, 2}, other[] = {2, 2, 3};
    assert_int_equal(gg_regression_add(&right, *state, same, same, 3), GG_OK);
    assert_int_equal(gg_regression_add(&wrong, *state, other, same, 3), GG_OK);
    assert_true(gg_regression_r2(&right) == 1 && gg_regression_r2(&wrong) == 0 && isnan(gg_regression_pearson(&wrong)));
}

static void what_cannot_be_is_refused_and_nothing_is_counted(void **state)
{
    gg_confusion *c, *d;
    double v;
    int64_t hits;
    const float p[] = {0.5f, 0.5f, 0.9f, 0.3f}, bad[] = {0, NAN, 1, 2};
    const int32_t truth[] = {0, 1};
    assert_int_equal(gg_confusion_create(&c, *state, 0), GG_EINVAL);
    assert_null(c);
    assert_int_equal(gg_confusion_create(&c, *state, 2), GG_OK);
    assert_int_equal(gg_confusion_create(&d, *state, 3), GG_OK);
    assert_int_equal(gg_confusion_add(c, truth, (const int32_t[]){0, 2}, 2), GG_EINVAL);
    assert_text_has(gg_message(*state), "sample 1 is class 2, the classes are 0..1");
    assert_int_equal(gg_confusion_add(c, (const int32_t[]){0, -1}, truth, 2), GG_EINVAL);
    assert_text_has(gg_message(*state), "the prediction for sample 1 is class -1");
    assert_int_equal(gg_confusion_total(c), 0);
    assert_int_equal(gg_confusion_counts(c)[0], 0);
    assert_int_equal(gg_confusion_merge(c, d), GG_EINVAL);
    assert_int_equal(gg_confusion_add_counts(c, (const int64_t[]){1, 2, -3, 4}), GG_EINVAL);
    assert_text_has(gg_message(*state), "class 1 is taken for class 0 -3 times");
    assert_int_equal(gg_confusion_total(c), 0);
    assert_int_equal(gg_auroc(&v, *state, p, (const int32_t[]){1, 1, 1, 1}, 4), GG_EINVAL);
    assert_text_has(gg_message(*state), "4 of 4 samples are of class 1");
    assert_int_equal(gg_average_precision(&v, *state, p, (const int32_t[]){0, 0, 0, 0}, 4), GG_EINVAL);
    assert_int_equal(gg_auroc(&v, *state, p, (const int32_t[]){0, 1, 2, 1}, 4), GG_EINVAL);
    assert_int_equal(gg_auroc(&v, *state, bad, (const int32_t[]){0, 1, 0, 1}, 4), GG_ENAN);
    assert_text_has(gg_message(*state), "sample 1");
    assert_int_equal(gg_auroc_macro(&v, *state, p, (const int32_t[]){0, 0}, 2, 2), GG_EINVAL);
    assert_int_equal(gg_log_loss(&v, *state, p, truth, 2, 2), GG_EINVAL);
    assert_text_has(gg_message(*state), "sample 1 sum to 1.2");
    assert_int_equal(gg_brier(&v, *state, (const float[]){-0.5f, 1.5f}, truth, 1, 2), GG_EINVAL);
    assert_int_equal(gg_log_loss(&v, *state, p, truth, 0, 2), GG_EINVAL);
    assert_int_equal(gg_top_k_hits(&hits, *state, p, truth, 2, 2, 0), GG_EINVAL);
    assert_int_equal(gg_calibration_add(&(gg_calibration){.n_bins = 101}, *state, p, truth, 1), GG_EINVAL);
    assert_int_equal(gg_regression_add(&(gg_regression){0}, *state, bad, p, 2), GG_ENAN);
    assert_text_has(gg_message(*state), "the prediction of sample 1");
    gg_confusion_free(c);
    gg_confusion_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_agree_with_scikit_learn),
        cmocka_unit_test(scores_of_many_classes_agree_with_scikit_learn),
        cmocka_unit_test(rankings_and_probabilities_agree_with_scikit_learn),
        cmocka_unit_test(values_agree_with_scikit_learn_and_scipy),
        cmocka_unit_test(auroc_is_the_share_of_pairs),
        cmocka_unit_test(equal_scores_go_to_the_lower_class),
        cmocka_unit_test(extreme_logits_stay_finite),
        cmocka_unit_test(places_to_ignore_do_not_count),
        cmocka_unit_test(the_highest_probability_is_the_confidence),
        cmocka_unit_test(nothing_seen_is_not_a_number),
        cmocka_unit_test(a_constant_truth_has_a_defined_r2),
        cmocka_unit_test(what_cannot_be_is_refused_and_nothing_is_counted),
    };
    golden = golden_load("tests/golden/metrics/metrics.json");
    const int failed = cmocka_run_group_tests(tests, make_context, drop_context);
    json_decref(golden);
    return failed;
}
