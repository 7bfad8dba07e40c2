/* DSIR's features and weights: log w(x) = sum_j c_j(x) (log p_j - log q_j), p and q the bag-of-hashed-n-grams distributions of target and pool. A
 * resampling without replacement takes the largest log w + Gumbel noise (Xie et al. 2023, section 3 and Kool et al. 2019). */
#include "systems/nag/ngrams.h"
#include "systems/nag/nag_internal.h"
#include <ctype.h>
#include <math.h>

static bool is_word(unsigned char c) { return isalnum(c) || c == '_' || c >= 0x80; }

int64_t gg__ngrams_add(double *count, const char *text, size_t n)
{
    char pair[256];
    size_t n_before = 0, start = 0;
    int64_t added = 0;
    for (size_t i = 0; i < n;) {
        if (isspace((unsigned char)text[i])) {
            i++;
            continue;
        }
        const bool word = is_word((unsigned char)text[i]);
        for (start = i; i < n && !isspace((unsigned char)text[i]) && is_word((unsigned char)text[i]) == word;)
            i++;
        const size_t len = i - start < 120 ? i - start : 120; /* longer words count by their beginning */
        pair[n_before] = ' ';
        char *own = pair + n_before + 1;
        for (size_t k = 0; k < len; k++)
            own[k] = (char)tolower((unsigned char)text[start + k]);
        count[gg__xxh64(own, len, 0) % GG__NGRAM_BUCKETS]++;
        added++;
        if (n_before) {
            count[gg__xxh64(pair, n_before + 1 + len, 0) % GG__NGRAM_BUCKETS]++;
            added++;
        }
        memmove(pair, own, len);
        n_before = len;
    }
    return added;
}

void gg__ngrams_ratios(double *ratio, const double *target, const double *raw)
{
    double n_target = 0, n_raw = 0;
    for (int j = 0; j < GG__NGRAM_BUCKETS; j++) {
        n_target += target[j];
        n_raw += raw[j];
    }
    for (int j = 0; j < GG__NGRAM_BUCKETS; j++)
        ratio[j] = log(target[j] / n_target + 1e-8) - log(raw[j] / n_raw + 1e-8);
}

double gg__ngrams_weight(const double *count, const double *ratio)
{
    double sum = 0;
    for (int j = 0; j < GG__NGRAM_BUCKETS; j++)
        sum += count[j] * ratio[j];
    return sum;
}
