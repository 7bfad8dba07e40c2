/* The loops of distance.c for one instruction set, one width of vector and one type of index. Defined by who includes it:
 * NAME(x), TARGET (an attribute or nothing), VALUE (double, or a vector of them: one lane a profile), INDEX. */

/* *out = the n <= 128 lookups in NumPy's order */
static inline __attribute__((always_inline)) void NAME(sum)(VALUE *out, const VALUE *w, const INDEX *index, int64_t n)
{
    VALUE sum;
    int64_t i = 8;
    if (n < 8) {
        sum = w[index[0]];
        for (i = 1; i < n; i++)
            sum += w[index[i]];
    } else {
        VALUE r[8];
        for (int64_t j = 0; j < 8; j++)
            r[j] = w[index[j]];
        for (; i < n - n % 8; i += 8)
            for (int64_t j = 0; j < 8; j++)
                r[j] += w[index[i + j]];
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        for (; i < n; i++)
            sum += w[index[i]];
    }
    *out = sum;
}

TARGET static void NAME(halves)(VALUE *out, const VALUE *w, const INDEX *index, int64_t n)
{
    if (n <= 128) {
        NAME(sum)(out, w, index, n);
        return;
    }
    const int64_t half = n / 2 - n / 2 % 8;
    VALUE a, b;
    NAME(halves)(&a, w, index, half);
    NAME(halves)(&b, w, index + half, n - half);
    *out = a + b;
}

/* Called with K a constant where that pays: the sum is then straight code. The lists of the documents ahead are fetched: they stand too far
 * apart for the processor to foresee. */
static inline __attribute__((always_inline)) void NAME(documents)(VALUE *acc, const VALUE *w, const INDEX *index, int64_t n, int64_t stride, int64_t K)
{
    for (int64_t i = 0; i < n; i++) {
        VALUE sum;
        __builtin_prefetch((const void *)((uintptr_t)(index + i * stride) + sizeof *index * 16 * (uintptr_t)stride));
        NAME(sum)(&sum, w, index + i * stride, K);
        acc[i] += sum;
    }
}

/* acc[i] += the K lookups of document i in one layer. acc: (n,), w: (width + 1,), index: (n, stride) of which the first K count */
TARGET static void NAME(layer)(void *acc_, const void *w, const void *index_, int64_t n, int64_t stride, int64_t K)
{
    VALUE *acc = acc_;
    const INDEX *index = index_;
    if (K == 10) {
        NAME(documents)(acc, w, index, n, stride, 10);
    } else if (K <= 128) {
        NAME(documents)(acc, w, index, n, stride, K);
    } else {
        for (int64_t i = 0; i < n; i++) {
            VALUE sum;
            NAME(halves)(&sum, w, index + i * stride, K);
            acc[i] += sum;
        }
    }
}
#undef NAME
#undef TARGET
#undef VALUE
#undef INDEX
