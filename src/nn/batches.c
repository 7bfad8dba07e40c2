/* Batches: each epoch's order is a function of (seed, epoch) alone, so that a place is two numbers and a run that was killed goes on from them with the
 * batches it would have had. Owns: the order of one epoch.
 */
#include "base/work.h"
#include "nn/data.h"

struct gg_batches {
    gg_context *ctx;
    gg_batches_options o;
    int64_t n, count;      /* samples, batches of an epoch */
    int64_t epoch, at;     /* of the next batch */
    int64_t *order;        /* (n,) */
    int64_t drawn;         /* the epoch whose order it is; -1: none */
};

gg_status gg_batches_create(gg_batches **out, const gg_data *d, const gg_batches_options *options)
{
    gg_context *ctx = d->store->ctx;
    const int64_t n = d->about.n;
    gg_batches_options o = options ? *options : (gg_batches_options){0};
    *out = NULL;
    o.size = o.size ? o.size : 32;
    if (o.size < 1 || (o.drop_last && o.size > n))
        return gg_fail(ctx, GG_EINVAL, "batches of %lld from %lld samples: none would come", (long long)o.size, (long long)n);
    gg_batches *b = gg_new(ctx, gg_batches, 1);
    int64_t *order = gg_new(ctx, int64_t, n);
    if (!b || !order) {
        gg_drop(ctx, b);
        gg_drop(ctx, order);
        return GG_ENOMEM;
    }
    *b = (gg_batches){.ctx = ctx, .o = o, .n = n, .count = o.drop_last ? n / o.size : (n - 1) / o.size + 1, .order = order, .drawn = -1};
    *out = b;
    return GG_OK;
}

void gg_batches_free(gg_batches *b)
{
    if (!b)
        return;
    gg_drop(b->ctx, b->order);
    gg_drop(b->ctx, b);
}

static void draw_order(gg_batches *b)
{
    if (b->drawn == b->epoch || (!b->o.shuffle && b->drawn >= 0))
        return;
    for (int64_t i = 0; i < b->n; i++)
        b->order[i] = i;
    gg_random r = gg_random_of(b->o.seed, (uint64_t)b->epoch | UINT64_C(0xBA7C) << 48); /* no stream that weights or dropout draw from */
    if (b->o.shuffle)
        gg_random_shuffle(&r, b->order, b->n);
    b->drawn = b->epoch;
}

gg_status gg_batches_next(gg_batch *out, gg_batches *b)
{
    if (b->at == b->count) {
        b->at = 0;
        b->epoch++;
        return GG_END;
    }
    draw_order(b);
    const int64_t from = b->at * b->o.size, left = b->n - from;
    *out = (gg_batch){.index = b->order + from, .n = left < b->o.size ? left : b->o.size, .epoch = b->epoch, .at = b->at};
    b->at++;
    return GG_OK;
}

int64_t gg_batches_count(const gg_batches *b) { return b->count; }

void gg_batches_tell(const gg_batches *b, int64_t *epoch, int64_t *at)
{
    *epoch = b->epoch;
    *at = b->at;
}

gg_status gg_batches_seek(gg_batches *b, int64_t epoch, int64_t at)
{
    if (epoch < 0 || at < 0 || at > b->count)
        return gg_fail(b->ctx, GG_EINVAL, "batch %lld of epoch %lld: an epoch has %lld batches", (long long)at, (long long)epoch, (long long)b->count);
    b->epoch = epoch;
    b->at = at;
    return GG_OK;
}
