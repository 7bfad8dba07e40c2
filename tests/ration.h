/* An allocator hook that counts what it is asked for and refuses one allocation: the fail_at-th (0: none). For any thread. */
#ifndef GOLGI_TESTS_RATION_H
#define GOLGI_TESTS_RATION_H
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct ration {
    atomic_llong n;
    long long fail_at;
} ration;

static inline void *rationed(void *user, void *old, size_t old_size, size_t new_size)
{
    ration *r = user;
    void *p = NULL;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    if (atomic_fetch_add(&r->n, 1) + 1 == r->fail_at || posix_memalign(&p, 64, new_size))
        return NULL;
    if (old) {
        memcpy(p, old, old_size < new_size ? old_size : new_size);
        free(old);
    }
    return p;
}
#endif
