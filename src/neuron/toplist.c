/* Top lists of neurons. Owns: n_neurons sorted lists of (value, id).
 *
 * A pair (v, i) stands before (w, j) when v > w, or v = w and i < j: a total order, so the k first of a set are unique and the k
 * first of a union are among the k first of its parts. Nearly every offer is refused once the lists are warm, so each neuron's
 * smallest kept value stands in one dense array (`least`), and refusing is one comparison; -infinity while a list has room.
 */
#include "base/memory.h"
#include <golgi/toplist.h>
#include <math.h>

struct gg_toplist {
    gg_context *ctx;
    int64_t n_neurons, k;
    int64_t n;      /* samples offered; every list holds min(n, k) */
    float *least;   /* (n_neurons,) */
    float *value;   /* (n_neurons, k) largest first */
    int64_t *id;    /* (n_neurons, k) */
};

gg_status gg_toplist_create(gg_toplist **out, gg_context *ctx, int64_t n_neurons, int64_t k)
{
    *out = NULL;
    if (n_neurons <= 0 || k <= 0)
        return gg_fail(ctx, GG_EINVAL, "lists of the %lld largest of %lld neurons: both counts must be positive", (long long)k,
                       (long long)n_neurons);
    const int64_t cells = (int64_t)gg_mul(n_neurons, k); /* negative when it does not fit: the allocator refuses it */
    gg_toplist *t = gg_new(ctx, gg_toplist, 1);
    float *least = gg_new(ctx, float, n_neurons), *value = gg_new(ctx, float, cells);
    int64_t *id = gg_new(ctx, int64_t, cells);
    if (!t || !least || !value || !id) {
        gg_drop(ctx, t);
        gg_drop(ctx, least);
        gg_drop(ctx, value);
        gg_drop(ctx, id);
        return GG_ENOMEM;
    }
    *t = (gg_toplist){.ctx = ctx, .n_neurons = n_neurons, .k = k, .least = least, .value = value, .id = id};
    for (int64_t j = 0; j < n_neurons; j++)
        least[j] = -INFINITY;
    *out = t;
    return GG_OK;
}

void gg_toplist_free(gg_toplist *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    gg_drop(ctx, t->least);
    gg_drop(ctx, t->value);
    gg_drop(ctx, t->id);
    gg_drop(ctx, t);
}

/* Puts (v, id) into a list that holds `held`; what falls off the end of a full list is forgotten. */
static void insert(gg_toplist *t, int64_t neuron, int64_t held, float v, int64_t id)
{
    float *value = t->value + neuron * t->k;
    int64_t *ids = t->id + neuron * t->k;
    int64_t at = held < t->k ? held : t->k - 1;
    if (held == t->k && !(v > value[at] || (v == value[at] && id < ids[at])))
        return;
    for (; at > 0 && (v > value[at - 1] || (v == value[at - 1] && id < ids[at - 1])); at--) {
        value[at] = value[at - 1];
        ids[at] = ids[at - 1];
    }
    value[at] = v;
    ids[at] = id;
    if (held + 1 >= t->k)
        t->least[neuron] = value[t->k - 1];
}

gg_status gg_toplist_add(gg_toplist *t, const float *x, int64_t id)
{
    for (int64_t j = 0; j < t->n_neurons; j++)
        if (!isfinite(x[j]))
            return gg_fail(t->ctx, GG_ENAN, "sample %lld, neuron %lld is not a finite number", (long long)id, (long long)j);
    const int64_t held = t->n < t->k ? t->n : t->k;
    for (int64_t j = 0; j < t->n_neurons; j++)
        if (x[j] >= t->least[j])
            insert(t, j, held, x[j], id);
    t->n++;
    return GG_OK;
}

gg_status gg_toplist_merge(gg_toplist *t, const gg_toplist *from)
{
    if (t->n_neurons != from->n_neurons)
        return gg_fail(t->ctx, GG_EINVAL, "lists of %lld neurons cannot take in lists of %lld", (long long)t->n_neurons,
                       (long long)from->n_neurons);
    if (t == from)
        return gg_fail(t->ctx, GG_EINVAL, "a list cannot take in itself: every sample would stand twice");
    if (from->k < t->k && from->n > from->k)
        return gg_fail(t->ctx, GG_EINVAL, "lists of the %lld largest cannot take in lists that kept only %lld of %lld", (long long)t->k,
                       (long long)from->k, (long long)from->n);
    const int64_t n_from = from->n < from->k ? from->n : from->k;
    const int64_t n_take = n_from < t->k ? n_from : t->k; /* the rest of `from` stands behind k of its own */
    for (int64_t j = 0; j < t->n_neurons; j++)
        for (int64_t i = 0; i < n_take; i++) {
            const int64_t held = t->n + i < t->k ? t->n + i : t->k;
            insert(t, j, held, from->value[j * from->k + i], from->id[j * from->k + i]);
        }
    t->n += from->n;
    return GG_OK;
}

int64_t gg_toplist_count(const gg_toplist *t)
{
    return t->n;
}

int64_t gg_toplist_k(const gg_toplist *t)
{
    return t->k;
}

int64_t gg_toplist_get(float *value, int64_t *id, const gg_toplist *t, int64_t neuron)
{
    if (neuron < 0 || neuron >= t->n_neurons)
        return 0;
    const int64_t held = t->n < t->k ? t->n : t->k;
    if (value)
        memcpy(value, t->value + neuron * t->k, (size_t)held * sizeof *value);
    if (id)
        memcpy(id, t->id + neuron * t->k, (size_t)held * sizeof *id);
    return held;
}
