/* Importance resampling by hashed n-grams (DSIR, Xie et al. 2023): the bag-of-words baseline that selection by neurons is held against. */
#ifndef GOLGI_NAG_NGRAMS_H
#define GOLGI_NAG_NGRAMS_H
#include <golgi/base.h>

enum { GG__NGRAM_BUCKETS = 10000 };

/* count: (GG__NGRAM_BUCKETS,) += the words and pairs of neighbouring words of a text. Words are lower-cased runs of letters, digits and _ (ASCII; other
 * bytes count as letters), and runs of anything else that is no space; hashed with XXH64. Returns how many were added. */
int64_t gg__ngrams_add(double *count, const char *text, size_t n);
/* ratio: (GG__NGRAM_BUCKETS,) log p - log q with p, q the shares of target and raw counts, each + 1e-8. */
void gg__ngrams_ratios(double *ratio, const double *target, const double *raw);
/* sum of count ratio: the log importance weight of DSIR. */
double gg__ngrams_weight(const double *count, const double *ratio);
#endif
