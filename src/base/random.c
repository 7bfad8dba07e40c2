/* Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011, doi 10.1145/2063384.2063405), through Random123.
 *
 * The n-th 64-bit number of a stream is one half of a block: key = seed, counter = (n / 2, stream), half = n mod 2.
 * A normal number takes two of them (Box & Muller 1958, the cosine branch only, so that no state is carried).
 */
#include "base/work.h"
#include <Random123/philox.h>
#include <math.h>

uint64_t gg_random_u64(gg_random *r)
{
    const uint64_t block = r->n >> 1;
    const philox4x32_ctr_t c = {{(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r->stream, (uint32_t)(r->stream >> 32)}};
    const philox4x32_key_t k = {{(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}};
    const philox4x32_ctr_t x = philox4x32(c, k);
    const int at = r->n & 1 ? 2 : 0;
    r->n++;
    return (uint64_t)x.v[at] | (uint64_t)x.v[at + 1] << 32;
}

double gg_random_uniform(gg_random *r)
{
    return (double)(gg_random_u64(r) >> 11) * 0x1p-53;
}

double gg_random_normal(gg_random *r)
{
    const double radius = sqrt(-2.0 * log(1.0 - gg_random_uniform(r))); /* 1 - u is never 0 */
    return radius * cos(6.283185307179586476925287 * gg_random_uniform(r));
}

/* Lemire 2019: the high half of a 128-bit product; low halves below 2^64 mod n are thrown back, which removes the bias. */
int64_t gg_random_below(gg_random *r, int64_t n)
{
    if (n <= 1)
        return 0;
    const uint64_t width = (uint64_t)n, least = -width % width;
    for (;;) {
        const unsigned __int128 product = (unsigned __int128)gg_random_u64(r) * width;
        if ((uint64_t)product >= least)
            return (int64_t)(product >> 64);
    }
}

void gg_random_shuffle(gg_random *r, int64_t *x, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = gg_random_below(r, i + 1), t = x[i];
        x[i] = x[j];
        x[j] = t;
    }
}
