/* What the tests of the graph share. */
#ifndef GG_TESTS_GRAD_SUPPORT_H
#define GG_TESTS_GRAD_SUPPORT_H
#include <math.h>
#include <golgi/grad.h>
#include "base/work.h"
#include "context.h"
#include "ration.h"

static inline void randomise(gg_var *v, uint64_t stream)
{
    gg_random r = gg_random_of(3, stream);
    for (int64_t i = 0; i < gg_var_size(v); i++) {
        const double x = gg_random_normal(&r);
        if (gg_var_dtype(v) == GG_F64)
            ((double *)gg_var_data(v))[i] = x;
        else
            ((float *)gg_var_data(v))[i] = (float)x;
    }
}

/* What `record` does in a context of its own whose n-th allocation fails (0: none); *made: how many there were. What is left behind is a failure, too. */
typedef gg_status (*recorder)(gg_context *own);
static inline gg_status with_allocation_refused(recorder record, long long n, long long *made)
{
    ration r = {.fail_at = n};
    gg_context *own = NULL;
    gg_status s = gg_context_create(&own, &(gg_context_options){.allocator = {rationed, &r}});
    if (s == GG_OK) {
        s = record(own);
        *made = r.n;
        if (gg_context_bytes(own, NULL) != 0)
            s = GG_EINTERNAL;
        gg_context_free(own);
    }
    return s;
}

static inline void assert_each_allocation_may_fail(recorder record)
{
    long long all = 0, some;
    assert_int_equal(with_allocation_refused(record, 0, &all), GG_OK);
    assert_true(all > 20);
    for (long long n = 1; n <= all; n++)
        assert_int_equal(with_allocation_refused(record, n, &some), GG_ENOMEM);
}
#endif
