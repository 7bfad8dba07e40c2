/* Work beside the caller's. Messages of the body go to a desk of its own (context.h) and reach the context when its end is waited for, so
 * that they never stand over the caller's. */
#include "base/beside.h"
#include "base/context.h"
#include "base/memory.h"

struct gg_beside {
    gg_context *ctx;
    gg_status (*body)(void *user);
    void *user;
    pthread_t thread;
    bool started;
    atomic_bool unwanted;
    gg_status status;
    gg__desk desk;
};

static _Thread_local const gg_beside *mine; /* whose body this thread runs */

bool gg_beside_unwanted(void) { return mine && atomic_load(&mine->unwanted); }

static void *thread_main(void *arg)
{
    gg_beside *b = arg;
    gg__desk *before = gg__desk_set(&b->desk);
    mine = b;
    b->status = b->body(b->user);
    mine = NULL;
    gg__desk_set(before);
    return NULL;
}

gg_status gg_beside_start(gg_beside **out, gg_context *ctx, gg_status (*body)(void *user), void *user)
{
    gg_beside *b = *out = gg_new(ctx, gg_beside, 1);
    if (!b)
        return GG_ENOMEM;
    *b = (gg_beside){.ctx = ctx, .body = body, .user = user, .desk = {.ctx = ctx}};
    b->started = gg__thread_start(&b->thread, thread_main, b);
    return GG_OK;
}

gg_status gg_beside_end(gg_beside *b)
{
    if (b->started)
        pthread_join(b->thread, NULL);
    else
        thread_main(b);
    const gg_status st = b->status == GG_OK ? GG_OK : gg_fail(b->ctx, b->status, "%s", b->desk.message);
    gg_drop(b->ctx, b);
    return st;
}

void gg_beside_drop(gg_beside *b)
{
    if (!b)
        return;
    atomic_store(&b->unwanted, true);
    if (b->started)
        pthread_join(b->thread, NULL);
    gg_drop(b->ctx, b);
}
