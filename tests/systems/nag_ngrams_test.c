/* The bag-of-n-grams baseline: words and pairs as DSIR counts them, weights against the definition, a planted domain found, a control without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/work.h"
#include "systems/nag/nag_internal.h"
#include "systems/nag/ngrams.h"

static double a[GG__NGRAM_BUCKETS], b[GG__NGRAM_BUCKETS], c[GG__NGRAM_BUCKETS], ratio[GG__NGRAM_BUCKETS];

static int bucket(const char *text) { return (int)(gg__xxh64(text, strlen(text), 0) % GG__NGRAM_BUCKETS); }

static void words_and_pairs_are_counted(void **state)
{
    (void)state;
    memset(a, 0, sizeof a);
    const char text[] = "In the Beginning, the word: the word!!";
    /* in the beginning , the word : the word !! */
    assert_int_equal(gg__ngrams_add(a, text, sizeof text - 1), 10 + 9);
    static const struct {
        const char *gram;
        int times;
    } want[] = {{"in", 1}, {"the", 3}, {"word", 2}, {",", 1}, {"!!", 1}, {"in the", 1}, {"the word", 2}, {"beginning ,", 1}, {"word !!", 1}, {"word :", 1}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_true(a[bucket(want[i].gram)] >= want[i].times);
    double sum = 0;
    for (int i = 0; i < GG__NGRAM_BUCKETS; i++)
        sum += a[i];
    assert_true(sum == 19);
    assert_int_equal(gg__ngrams_add(a, "  \n\t ", 5), 0);
}

static void the_weight_is_that_of_the_definition(void **state)
{
    (void)state;
    gg_random r = gg_random_of(1, 1);
    double na = 0, nb = 0, want = 0;
    for (int i = 0; i < GG__NGRAM_BUCKETS; i++) {
        na += a[i] = (double)gg_random_below(&r, 4);
        nb += b[i] = (double)gg_random_below(&r, 9);
        c[i] = gg_random_below(&r, 50) == 0 ? (double)gg_random_below(&r, 3) : 0;
    }
    for (int i = 0; i < GG__NGRAM_BUCKETS; i++)
        want += c[i] * (log(a[i] / na + 1e-8) - log(b[i] / nb + 1e-8));
    gg__ngrams_ratios(ratio, a, b);
    assert_true(fabs(gg__ngrams_weight(c, ratio) - want) < 1e-9 * (1 + fabs(want)));
    gg__ngrams_ratios(ratio, b, b);
    assert_true(gg__ngrams_weight(c, ratio) == 0); /* target like pool: nothing to choose by */
}

static void a_planted_domain_weighs_more(void **state)
{
    (void)state;
    memset(a, 0, sizeof a), memset(b, 0, sizeof b);
    gg_random r = gg_random_of(1, 2);
    char text[64];
    double mean[2] = {0};
    for (int pass = 0; pass < 3; pass++) { /* targets, pool, then the weights of both kinds */
        gg__ngrams_ratios(ratio, a, b);
        for (int i = 0; i < 200; i++) {
            const int kind = pass == 0 ? 0 : i % 2;
            memset(c, 0, sizeof c);
            for (int w = 0; w < 10; w++) { /* two thirds of the words of a kind are its own */
                const int own = gg_random_below(&r, 3) > 0;
                const int n = snprintf(text, sizeof text, " %s%d", own ? kind ? "nay" : "yea" : "so", (int)gg_random_below(&r, 30));
                gg__ngrams_add(pass == 0 ? a : pass == 1 ? b : c, text, (size_t)n);
            }
            if (pass == 2)
                mean[kind] += gg__ngrams_weight(c, ratio) / 100;
        }
    }
    assert_true(mean[0] > 3);
    assert_true(mean[1] < -20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_pairs_are_counted),
        cmocka_unit_test(the_weight_is_that_of_the_definition),
        cmocka_unit_test(a_planted_domain_weighs_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
