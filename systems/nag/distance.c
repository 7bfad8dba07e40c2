/* The distance of documents to profiles. Owns: the sum of lookups, for one profile and for many at once.
 *
 *     similarity(c) = (1/L) sum_l sum_{k in N_l(c)} w_lk,   distance = 1 - similarity
 *
 * Trap: equal distances that differ in the last bit decide the order of a ranking. The sums are taken in the order in which the published
 * NumPy code takes them: the K lookups of a layer in eight partial sums up to 128, beyond that in halves rounded to a multiple of eight; then
 * layer after layer. Vectors run over profiles and never over lookups, and nothing is fused: a profile has the same bits alone, among
 * 64, and on any processor, and the golden order is met bit for bit.
 *
 * One profile: (L, width + 1) weights, a layer at a time over a block of documents, so that its 12 KB stay in the first cache.
 * Many: tiles of eight profiles, (tile, L, width + 1, 8): a neuron's eight weights are one cache line and one vector. A layer of a tile is 98 KB
 * and stays in the second cache while a batch of documents passes; the whole table (24 MB for 64) comes from further away once a batch,
 * hence batches of thousands. The last row of each layer is zero: indices beyond the width are sent there before the loop.
 */
#include "systems/nag/nag_internal.h"

/* --- the twin: one profile, any index, no preparation ---------------------------------------------------------------------------- */
static double sum_of(const double *w, int64_t width, const gg_nag_features *f, int s, int64_t at, int64_t n)
{
#define WEIGHT(i) (gg__nag_index(f, s, at + (i)) < width ? w[gg__nag_index(f, s, at + (i))] : 0)
    double sum = 0;
    if (n < 8) {
        for (int64_t i = 0; i < n; i++)
            sum += WEIGHT(i);
        return sum;
    }
    if (n > 128) {
        const int64_t half = n / 2 - n / 2 % 8;
        return sum_of(w, width, f, s, at, half) + sum_of(w, width, f, s, at + half, n - half);
    }
    double r[8];
    for (int64_t i = 0; i < 8; i++)
        r[i] = WEIGHT(i);
    int64_t i = 8;
    for (; i < n - n % 8; i += 8)
        for (int64_t j = 0; j < 8; j++)
            r[j] += WEIGHT(i + j);
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += WEIGHT(i);
    return sum;
#undef WEIGHT
}

void gg_nag_distance(double *out, const gg_nag_profile *p, const gg_nag_features *f, int s)
{
    for (int64_t i = 0; i < f->n; i++) {
        double sum = 0;
        for (int l = 0; l < p->n_layers; l++)
            sum += sum_of(p->weight + l * p->width, p->width, f, s, (i * p->n_layers + l) * p->top_k, p->top_k);
        out[i] = 1.0 - sum / p->n_layers;
    }
}

/* --- the loops ------------------------------------------------------------------------------------------------------------------------ */
typedef double eight __attribute__((vector_size(64)));

#define NAME(x) one_u16_##x
#define TARGET
#define VALUE double
#define INDEX uint16_t
#include "systems/nag/distance_body.h"
#define NAME(x) one_u32_##x
#define TARGET
#define VALUE double
#define INDEX uint32_t
#include "systems/nag/distance_body.h"
#define NAME(x) eight_u16_##x
#define TARGET
#define VALUE eight
#define INDEX uint16_t
#include "systems/nag/distance_body.h"
#define NAME(x) eight_u32_##x
#define TARGET
#define VALUE eight
#define INDEX uint32_t
#include "systems/nag/distance_body.h"
#if defined(__x86_64__)
#define NAME(x) avx2_u16_##x
#define TARGET __attribute__((target("avx2")))
#define VALUE eight
#define INDEX uint16_t
#include "systems/nag/distance_body.h"
#define NAME(x) avx2_u32_##x
#define TARGET __attribute__((target("avx2")))
#define VALUE eight
#define INDEX uint32_t
#include "systems/nag/distance_body.h"
#define NAME(x) avx512_u16_##x
#define TARGET __attribute__((target("avx512f")))
#define VALUE eight
#define INDEX uint16_t
#include "systems/nag/distance_body.h"
#define NAME(x) avx512_u32_##x
#define TARGET __attribute__((target("avx512f")))
#define VALUE eight
#define INDEX uint32_t
#include "systems/nag/distance_body.h"
#endif

typedef void layer_loop(void *acc, const void *w, const void *index, int64_t n, int64_t stride, int64_t K);

static layer_loop *loop_of(int isa, int lanes, int index_bytes)
{
    static layer_loop *const one[2] = {one_u16_layer, one_u32_layer};
    static layer_loop *const many[GG__NAG_ISAS][2] = {
        {eight_u16_layer, eight_u32_layer},
#if defined(__x86_64__)
        {avx2_u16_layer, avx2_u32_layer},
        {avx512_u16_layer, avx512_u32_layer},
#endif
    };
    return lanes == 1 ? one[index_bytes == 4] : many[isa][index_bytes == 4];
}

static int best_isa(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") ? GG__NAG_AVX512 : __builtin_cpu_supports("avx2") ? GG__NAG_AVX2 : GG__NAG_PLAIN;
#else
    return GG__NAG_PLAIN;
#endif
}

/* --- many profiles -------------------------------------------------------------------------------------------------------------------- */
struct gg__nag_table {
    gg_context *ctx;
    int n_profiles, n_tiles, lanes; /* lanes: 1 or 8 */
    int n_layers;
    int64_t top_k, width;
    int isa;
    double *weight;                 /* (n_tiles, n_layers, width + 1, lanes) */
};

gg_status gg__nag_table_create(gg__nag_table **out, gg_context *ctx, const gg_nag_profile *const *profile, int n_profiles)
{
    gg__nag_table *t = gg_new(ctx, gg__nag_table, 1);
    if (!t)
        return GG_ENOMEM;
    *t = (gg__nag_table){.ctx = ctx, .n_profiles = n_profiles, .lanes = n_profiles == 1 ? 1 : 8, .n_layers = profile[0]->n_layers, .top_k = profile[0]->top_k,
                         .isa = best_isa()};
    t->n_tiles = (n_profiles + t->lanes - 1) / t->lanes;
    for (int p = 0; p < n_profiles; p++)
        t->width = profile[p]->width > t->width ? profile[p]->width : t->width; /* row files promise no width: theirs is the largest index seen */
    if (!(t->weight = gg_alloc(ctx, gg_mul(t->width + 1, (int64_t)sizeof *t->weight * t->n_layers * t->lanes * t->n_tiles)))) {
        gg_drop(ctx, t);
        return GG_ENOMEM;
    }
    for (int p = 0; p < n_profiles; p++)
        for (int64_t l = 0; l < t->n_layers; l++) {
            double *to = t->weight + (p / t->lanes * t->n_layers + l) * (t->width + 1) * t->lanes + p % t->lanes;
            for (int64_t k = 0; k < profile[p]->width; k++)
                to[k * t->lanes] = profile[p]->weight[l * profile[p]->width + k];
        }
    *out = t;
    return GG_OK;
}

void gg__nag_table_free(gg__nag_table *t)
{
    if (!t)
        return;
    gg_drop(t->ctx, t->weight);
    gg_drop(t->ctx, t);
}

bool gg__nag_table_force(gg__nag_table *t, int isa)
{
    if (isa > best_isa())
        return false;
    t->isa = isa;
    return true;
}

int64_t gg__nag_table_batch(const gg__nag_table *t) { return t->n_tiles == 1 ? 1 : 8192; }
int64_t gg__nag_table_numbers(const gg__nag_table *t, int64_t n) { return n * t->lanes * t->n_tiles; }

const double *gg__nag_table_column(int64_t *stride, const gg__nag_table *t, const double *out, int64_t n, int p)
{
    *stride = t->lanes;
    return out + p / t->lanes * n * t->lanes + p % t->lanes;
}

void gg__nag_table_distance(double *out, const gg__nag_table *t, const gg__nag_lists *list, int n_lists)
{
    const int64_t row = (t->width + 1) * t->lanes;
    int64_t n = 0;
    for (int b = 0; b < n_lists; b++)
        n += list[b].n;
    const int64_t numbers = gg__nag_table_numbers(t, n);
    memset(out, 0, sizeof *out * (size_t)numbers);
    for (int64_t tile = 0; tile < t->n_tiles; tile++)
        for (int64_t l = 0; l < t->n_layers; l++) {
            double *acc = out + tile * n * t->lanes;
            for (int b = 0; b < n_lists; acc += list[b++].n * t->lanes) {
                const char *index = (const char *)list[b].index + l * t->top_k * list[b].index_bytes;
                loop_of(t->isa, t->lanes, list[b].index_bytes)(acc, t->weight + (tile * t->n_layers + l) * row, index, list[b].n, t->n_layers * t->top_k,
                                                               t->top_k);
            }
        }
    for (int64_t i = 0; i < numbers; i++)
        out[i] = 1.0 - out[i] / t->n_layers;
}

gg_status gg__nag_lists_of(gg__nag_lists *out, void **scratch, int64_t *cap, const gg__nag_table *t, const gg_nag_features *f, int s, uint32_t top)
{
    *out = (gg__nag_lists){f->index[s], f->n, f->index_bytes};
    if (top < t->width)
        return GG_OK;
    const int64_t n = f->n * t->n_layers * t->top_k;
    if (*cap < n * 4) {
        gg_drop(t->ctx, *scratch);
        *cap = 0;
        if (!(*scratch = gg_alloc(t->ctx, gg_mul(n, 4))))
            return GG_ENOMEM;
        *cap = n * 4;
    }
    uint32_t *to = *scratch;
    for (int64_t j = 0; j < n; j++)
        to[j] = (uint32_t)(gg__nag_index(f, s, j) < t->width ? gg__nag_index(f, s, j) : t->width);
    *out = (gg__nag_lists){to, f->n, 4};
    return GG_OK;
}
