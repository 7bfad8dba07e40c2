/* Training shared by the ranks of a job. */
#include "nn/parallel.h"
#include "base/memory.h"

gg_part gg_part_of(const gg_ranks *r, int64_t n)
{
    const int64_t count = gg_ranks_count(r), self = gg_ranks_self(r), each = n / count, more = n % count;
    return (gg_part){.first = self * each + (self < more ? self : more), .n = each + (self < more)};
}

static int64_t bytes_of(const gg_params *p) { return gg_params_extent(p) * gg_dtype_block_bytes(gg_params_dtype(p)); }

gg_status gg_params_spread(gg_params *p, gg_ranks *r) { return gg_ranks_spread(r, gg_params_value(p, -1), bytes_of(p)); }

gg_status gg_params_sum_gradients(gg_params *p, gg_ranks *r, double share)
{
    const int64_t n = gg_params_extent(p);
    if (gg_ranks_count(r) == 1)
        return GG_OK;
    if (gg_params_dtype(p) == GG_F64) {
        double *d = gg_params_gradient(p, -1);
        for (int64_t i = 0; i < n; i++)
            d[i] *= share;
        return gg_ranks_sum(r, d, n);
    }
    float *d = gg_params_gradient(p, -1);
    for (int64_t i = 0; i < n; i++)
        d[i] *= (float)share;
    return gg_ranks_sum_f32(r, d, n);
}

gg_status gg_params_check_same(gg_params *p, gg_context *ctx, gg_ranks *r)
{
    const uint8_t *v = gg_params_value(p, -1);
    uint64_t sum = 1469598103934665603u, of_0;
    for (int64_t i = 0; i < bytes_of(p); i++)
        sum = (sum ^ v[i]) * 1099511628211u;
    of_0 = sum;
    GG_TRY(gg_ranks_spread(r, &of_0, sizeof of_0));
    return gg_ranks_agree(r, sum == of_0 ? GG_OK : gg_fail(ctx, GG_EINTERNAL, "the parameters of this rank are not those of rank 0"));
}
