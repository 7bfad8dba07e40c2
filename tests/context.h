/* One context for all cases of a test program, ctx, alone or with a folder. */
#ifndef GG_TESTS_CONTEXT_H
#define GG_TESTS_CONTEXT_H
#include "support.h"

static gg_context *ctx;

#define assert_ok(call) assert_ok_of(ctx, call, #call)
#define assert_says(status, call, part) assert_fails_of(ctx, call, #call, status, part)
#define expect_message(part) assert_text_has(gg_message(ctx), part)

static inline int context_open(void **state)
{
    (void)state;
    return gg_context_create(&ctx, &(gg_context_options){.n_threads = 2}) != GG_OK;
}

static inline int context_close(void **state)
{
    (void)state;
    return context_end(ctx);
}

static inline int begin_folder(const char *name, int n_threads)
{
    return gg_context_create(&ctx, &(gg_context_options){.n_threads = n_threads, .seed = 3}) != GG_OK || folder_make(name);
}

static inline int end_folder(void **state)
{
    const int failed = folder_remove();
    return context_close(state) || failed;
}
#endif
