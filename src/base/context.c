/* The context: the message of the last failure, seed, threads, the log, the stop flag. Owns nothing else; memory.c counts into it.
 *
 * Trap: a message often quotes the message before it, so texts are made in a buffer on the stack and copied afterwards.
 */
#include "base/context.h"
#include "base/memory.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *text;
} statuses[] = {
#define GG_X(code, text) {#code, text},
    GG_STATUS_MAP(GG_X)
#undef GG_X
};
enum { N_STATUSES = sizeof statuses / sizeof *statuses };

const char *gg_status_name(gg_status s)
{
    return (unsigned)s < N_STATUSES ? statuses[s].name : "unknown";
}

const char *gg_status_text(gg_status s)
{
    return (unsigned)s < N_STATUSES ? statuses[s].text : "an unknown status code";
}

const char *gg_version(void)
{
    return GG_VERSION_TEXT;
}

static void *libc_resize(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    void *p = NULL;
    if (posix_memalign(&p, 64, new_size) != 0)
        return NULL;
    if (old) {
        memcpy(p, old, old_size < new_size ? old_size : new_size);
        free(old);
    }
    return p;
}

static int usable_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

gg_status gg_context_create(gg_context **out, const gg_context_options *options)
{
    *out = NULL;
    const gg_context_options o = options ? *options : (gg_context_options){0};
    const gg_allocator a = o.allocator.resize ? o.allocator : (gg_allocator){libc_resize, NULL};
    if (o.n_threads < 0 || o.n_threads > 4096)
        return GG_EINVAL;
    gg_context *ctx = a.resize(a.user, NULL, 0, sizeof *ctx);
    if (!ctx)
        return GG_ENOMEM;
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = a;
    ctx->seed = o.seed;
    ctx->n_threads = o.n_threads ? o.n_threads : usable_processors();
    ctx->log = o.log;
    ctx->log_user = o.log_user;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&ctx->lock, &recursive);
    pthread_mutex_init(&ctx->log_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&ctx->message_lock, NULL);
    *out = ctx;
    return GG_OK;
}

void gg_context_free(gg_context *ctx)
{
    if (!ctx)
        return;
    pthread_mutex_destroy(&ctx->lock);
    pthread_mutex_destroy(&ctx->log_lock);
    pthread_mutex_destroy(&ctx->message_lock);
    const gg_allocator a = ctx->allocator;
    a.resize(a.user, ctx, sizeof *ctx, 0);
}

/* The calling thread's desk, when it is at work inside gg_parallel. */
static _Thread_local gg__desk *desk;

gg__desk *gg__desk_set(gg__desk *d)
{
    gg__desk *before = desk;
    desk = d;
    return before;
}

static bool at_desk(const gg_context *ctx)
{
    return desk && desk->ctx == ctx;
}

const char *gg_message(const gg_context *ctx)
{
    return !ctx ? "" : at_desk(ctx) ? desk->message : ctx->message;
}

static void message_set(gg_context *ctx, const char *text)
{
    if (at_desk(ctx)) {
        snprintf(desk->message, sizeof desk->message, "%s", text);
        return;
    }
    pthread_mutex_lock(&ctx->message_lock);
    snprintf(ctx->message, sizeof ctx->message, "%s", text);
    pthread_mutex_unlock(&ctx->message_lock);
}

/* A text that was cut ends in "...", so that nobody takes a part for the whole. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size)
        memcpy(text + size - 4, "...", 4);
}

gg_status gg_fail(gg_context *ctx, gg_status s, const char *format, ...)
{
    if (!ctx)
        return s;
    char text[GG__MESSAGE_SIZE];
    va_list ap;
    va_start(ap, format);
    mark_cut(text, sizeof text, vsnprintf(text, sizeof text, format, ap));
    va_end(ap);
    message_set(ctx, text);
    return s;
}

gg_status gg_fail_prefix(gg_context *ctx, gg_status s, const char *format, ...)
{
    if (!ctx)
        return s;
    char text[GG__MESSAGE_SIZE];
    va_list ap;
    va_start(ap, format);
    const int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    mark_cut(text, sizeof text, n);
    if (n >= 0 && (size_t)n < sizeof text) {
        const char *before = gg_message(ctx);
        mark_cut(text, sizeof text, n + snprintf(text + n, sizeof text - (size_t)n, ": %s", *before ? before : gg_status_text(s)));
    }
    message_set(ctx, text);
    return s;
}

void gg_log(gg_context *ctx, gg_log_level level, const char *format, ...)
{
    if (!ctx || !ctx->log)
        return;
    char text[GG__MESSAGE_SIZE];
    va_list ap;
    va_start(ap, format);
    mark_cut(text, sizeof text, vsnprintf(text, sizeof text, format, ap));
    va_end(ap);
    pthread_mutex_lock(&ctx->log_lock);
    ctx->log(ctx->log_user, level, text);
    pthread_mutex_unlock(&ctx->log_lock);
}

int gg_context_threads(const gg_context *ctx)
{
    return ctx ? ctx->n_threads : 1;
}

uint64_t gg_context_seed(const gg_context *ctx)
{
    return ctx ? ctx->seed : 0;
}

size_t gg_context_bytes(const gg_context *ctx, size_t *peak)
{
    if (peak)
        *peak = ctx ? atomic_load(&ctx->peak) : 0;
    return ctx ? atomic_load(&ctx->bytes) : 0;
}

int64_t gg_context_allocations(const gg_context *ctx)
{
    return ctx ? atomic_load(&ctx->allocations) : 0;
}

void gg_context_stop(gg_context *ctx)
{
    if (ctx)
        atomic_store(&ctx->stopped, 1);
}

bool gg_context_stopped(const gg_context *ctx)
{
    return ctx && atomic_load(&ctx->stopped) != 0;
}

void gg__context_lock(gg_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
}

void gg__context_unlock(gg_context *ctx)
{
    pthread_mutex_unlock(&ctx->lock);
}
