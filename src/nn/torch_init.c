/* Initial values as PyTorch draws them on a CPU: its generator (MT19937, Matsumoto & Nishimura 1998) and its ways from bits to numbers.
 *
 *     uniform_:  24 bits of one word (double: 53 of two), u (to - from) + from, in the number format and rounded once
 *     normal_:   fewer than 16 numbers: pairs r cos, r sin by Box-Muller in double, the second kept for the next, whoever asks for it; from 16 on: all
 *                uniforms first, then in blocks of 16 u[0..8) with u[8..16); a tail draws the last 16 anew, some of them for the second time
 * Uniform values are the same bits; normal ones to the rounding of logarithm and cosine, which torch takes from other libraries on other processors.
 */
#include <golgi/nn.h>
#include "grad/graph.h"
#include "nn/layers.h"
#include <math.h>

enum { N = 624, M = 397 };
typedef struct twister {
    uint32_t state[N];
    int at;
    double spare;
    bool has_spare;
} twister;

static void seed_with(twister *t, uint64_t seed)
{
    *t = (twister){.at = N};
    t->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < N; i++)
        t->state[i] = 1812433253u * (t->state[i - 1] ^ t->state[i - 1] >> 30) + i;
}

static uint32_t word(twister *t)
{
    if (t->at == N) {
        for (int i = 0; i < N; i++) {
            const uint32_t both = (t->state[i] & 0x80000000u) | (t->state[(i + 1) % N] & 0x7fffffffu);
            t->state[i] = t->state[(i + M) % N] ^ both >> 1 ^ (both & 1 ? 0x9908b0dfu : 0);
        }
        t->at = 0;
    }
    uint32_t x = t->state[t->at++];
    x ^= x >> 11;
    x ^= x << 7 & 0x9d2c5680u;
    x ^= x << 15 & 0xefc60000u;
    return x ^ x >> 18;
}

static float unit_f32(twister *t) { return (float)(word(t) & 0xffffffu) * 0x1p-24f; }
static double unit_f64(twister *t)
{
    const uint64_t high = word(t);
    return (double)((high << 32 | word(t)) & 0x1fffffffffffffu) * 0x1p-53;
}

static void uniform(twister *t, void *out, int64_t n, bool f64, double bound)
{
    const float from = (float)-bound, to = (float)bound;
    for (int64_t i = 0; i < n; i++)
        if (f64)
            ((double *)out)[i] = fma(unit_f64(t), bound - -bound, -bound);
        else
            ((float *)out)[i] = fmaf(unit_f32(t), to - from, from);
}

static double number(const void *x, int64_t i, bool f64) { return f64 ? ((const double *)x)[i] : (double)((const float *)x)[i]; }
static void put(void *x, int64_t i, bool f64, double value)
{
    if (f64)
        ((double *)x)[i] = value;
    else
        ((float *)x)[i] = (float)value;
}

static void units(twister *t, void *out, int64_t first, int64_t n, bool f64)
{
    for (int64_t i = first; i < first + n; i++)
        put(out, i, f64, f64 ? unit_f64(t) : (double)unit_f32(t));
}

/* Sixteen uniforms from `first` on become normal. In float each line is rounded, as there: an angle of 2 pi u is off by up to 2e-7, and the number with it. */
static void sixteen(void *out, int64_t first, bool f64, double sd)
{
    float *x = out;
    for (int64_t i = first; i < first + 8; i++)
        if (f64) {
            const double r = sqrt(-2 * log(1 - number(out, i, true))), angle = 2 * M_PI * number(out, i + 8, true);
            put(out, i, true, r * cos(angle) * sd);
            put(out, i + 8, true, r * sin(angle) * sd);
        } else {
            const float r = sqrtf(-2 * logf(1 - x[i])), angle = (float)(2 * M_PI) * x[i + 8];
            x[i] = r * cosf(angle) * (float)sd;
            x[i + 8] = r * sinf(angle) * (float)sd;
        }
}

static void normal(twister *t, void *out, int64_t n, bool f64, double sd)
{
    for (int64_t i = 0; i < n && n < 16; i++) {
        double x = t->spare;
        if (!t->has_spare) {
            const double u = unit_f64(t), r = sqrt(-2 * log1p(-unit_f64(t)));
            x = r * cos(2 * M_PI * u);
            t->spare = r * sin(2 * M_PI * u);
        }
        t->has_spare = !t->has_spare;
        put(out, i, f64, x * sd);
    }
    if (n < 16)
        return;
    units(t, out, 0, n, f64);
    for (int64_t i = 0; i + 16 <= n; i += 16)
        sixteen(out, i, f64, sd);
    if (n % 16) {
        units(t, out, n - 16, 16, f64);
        sixteen(out, n - 16, f64, sd);
    }
}

gg_status gg_nn_init_torch(gg_params *p, uint64_t seed)
{
    const bool f64 = gg_params_dtype(p) == GG_F64;
    twister t;
    seed_with(&t, seed);
    for (int i = 0; i < gg_params_count(p); i++) {
        int kind;
        double bound;
        void *value = gg_params_value(p, i);
        const int64_t n = gg_params_size(p, i);
        if (!value)
            return GG_ENOMEM;
        if (!gg__params_init_of(p, i, &kind, &bound))
            continue;
        if (kind == GG_INIT_UNIFORM || kind == GG__INIT_ZERO_DRAWN)
            uniform(&t, value, n, f64, bound);
        else if (kind == GG_INIT_NORMAL)
            normal(&t, value, n, f64, bound);
        for (int64_t k = 0; k < n && (kind == GG_INIT_CONSTANT || kind == GG__INIT_ZERO_DRAWN); k++)
            put(value, k, f64, kind == GG_INIT_CONSTANT ? bound : 0);
    }
    return GG_OK;
}
