/* Memory: every byte of golgi's own passes gg_realloc below, so one hook can count it or refuse it. Also arenas and growing texts.
 *
 * A block is [64-byte header: size, mark][bytes...]. The header keeps the block aligned to 64 bytes and gives the hook the old size;
 * the mark catches a pointer that was never ours, or was freed before.
 */
#include "base/context.h"
#include "base/memory.h"
#include <assert.h>
#include <stdio.h>

enum { HEAD = 64 };
static const uint64_t MARK = 0x6f6c6c6173676c6fu;

typedef struct head {
    size_t size; /* bytes given to the caller */
    uint64_t mark;
} head;

static head *head_of(void *p)
{
    head *h = (head *)((char *)p - HEAD);
    assert(h->mark == MARK);
    return h;
}

static void count(gg_context *ctx, size_t add, size_t sub)
{
    const size_t now = atomic_fetch_add(&ctx->bytes, add - sub) + add - sub;
    if (add > sub) {
        size_t peak = atomic_load(&ctx->peak);
        while (now > peak && !atomic_compare_exchange_weak(&ctx->peak, &peak, now)) {
        }
    }
}

void *gg_alloc(gg_context *ctx, size_t bytes)
{
    return gg_realloc(ctx, NULL, bytes);
}

void *gg_realloc(gg_context *ctx, void *p, size_t bytes)
{
    assert(ctx);
    head *old = p ? head_of(p) : NULL;
    const size_t old_size = old ? old->size : 0;
    const size_t wanted = bytes ? bytes : 1;
    head *h = NULL;
    if (wanted <= (size_t)PTRDIFF_MAX - HEAD)
        h = ctx->allocator.resize(ctx->allocator.user, old, old ? old_size + HEAD : 0, wanted + HEAD);
    if (!h) {
        if (wanted > (size_t)PTRDIFF_MAX - HEAD)
            gg_fail(ctx, GG_ENOMEM, "out of memory: a size passes what a machine can address (a count in the input is absurd?)");
        else
            gg_fail(ctx, GG_ENOMEM, "out of memory: %zu bytes more were refused, %zu are held", wanted - (wanted > old_size ? old_size : 0),
                    gg_context_bytes(ctx, NULL));
        return NULL;
    }
    atomic_fetch_add(&ctx->allocations, 1);
    count(ctx, wanted, old_size);
    char *given = (char *)h + HEAD;
    *h = (head){wanted, MARK};
    if (wanted > old_size)
        memset(given + old_size, 0, wanted - old_size);
    return given;
}

void gg_drop(gg_context *ctx, void *p)
{
    if (!p)
        return;
    head *h = head_of(p);
    h->mark = 0;
    count(ctx, 0, h->size);
    ctx->allocator.resize(ctx->allocator.user, h, h->size + HEAD, 0);
}

gg_status gg__grow(gg_context *ctx, void *at, int64_t size, int64_t *cap, int64_t first)
{
    void *p; /* copied in and out: the pointer behind `at` is one of any type */
    const int64_t wanted = *cap ? 2 * *cap : first;
    memcpy(&p, at, sizeof p);
    if (!(p = gg_realloc(ctx, p, gg_mul(size, wanted))))
        return GG_ENOMEM;
    memcpy(at, &p, sizeof p);
    *cap = wanted;
    return GG_OK;
}

char *gg_strndup(gg_context *ctx, const char *s, size_t n)
{
    char *d = gg_alloc(ctx, n < SIZE_MAX ? n + 1 : n);
    if (d && n)
        memcpy(d, s, n);
    return d;
}

char *gg_strdup(gg_context *ctx, const char *s)
{
    return gg_strndup(ctx, s, strlen(s));
}

/* ---- arenas ---- */

struct gg_arena_block {
    struct gg_arena_block *below; /* the one filled before */
    size_t used, size;            /* of the bytes after this header */
};
enum { ARENA_HEAD = 64, ARENA_FIRST = 64 << 10, ARENA_LARGEST = 16 << 20 };

void *gg_arena_alloc(gg_arena *a, size_t bytes)
{
    if (bytes > (size_t)PTRDIFF_MAX - 2 * ARENA_HEAD) {
        gg_alloc(a->ctx, SIZE_MAX); /* says so */
        return NULL;
    }
    const size_t take = ((bytes ? bytes : 1) + 63) & ~(size_t)63;
    struct gg_arena_block *b = a->block;
    if (!b || b->size - b->used < take) {
        size_t size = b ? 2 * b->size : ARENA_FIRST;
        size = size > ARENA_LARGEST ? ARENA_LARGEST : size;
        size = size < take ? take : size;
        b = gg_alloc(a->ctx, ARENA_HEAD + size);
        if (!b)
            return NULL;
        *b = (struct gg_arena_block){a->block, 0, size};
        a->block = b;
    }
    void *p = (char *)b + ARENA_HEAD + b->used;
    b->used += take;
    return p;
}

char *gg_arena_strndup(gg_arena *a, const char *s, size_t n)
{
    char *d = gg_arena_alloc(a, n < SIZE_MAX ? n + 1 : n);
    if (d) {
        if (n)
            memcpy(d, s, n);
        d[n] = 0;
    }
    return d;
}

void gg_arena_free(gg_arena *a)
{
    while (a->block) {
        struct gg_arena_block *below = a->block->below;
        gg_drop(a->ctx, a->block);
        a->block = below;
    }
}

/* ---- growing texts ---- */

static bool str_room(gg_str *s, size_t n)
{
    if (s->failed)
        return false;
    if (n >= SIZE_MAX / 2 - s->len) {
        s->failed = true;
        return false;
    }
    const size_t need = s->len + n + 1;
    if (need <= s->cap)
        return true;
    size_t cap = s->cap ? s->cap * 2 : 64;
    cap = cap < need ? need : cap;
    char *data = gg_realloc(s->ctx, s->data, cap);
    if (!data) {
        s->failed = true;
        return false;
    }
    s->data = data;
    s->cap = cap;
    return true;
}

void gg_str_add(gg_str *s, const char *text, size_t n)
{
    if (!str_room(s, n))
        return;
    if (n)
        memcpy(s->data + s->len, text, n);
    s->len += n;
    s->data[s->len] = 0;
}

void gg_str_puts(gg_str *s, const char *text)
{
    gg_str_add(s, text, strlen(text));
}

void gg_str_printf(gg_str *s, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    const int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0) {
        s->failed = true;
        return;
    }
    if (!str_room(s, (size_t)n))
        return;
    va_start(ap, format);
    vsnprintf(s->data + s->len, (size_t)n + 1, format, ap);
    va_end(ap);
    s->len += (size_t)n;
}

void gg_str_free(gg_str *s)
{
    gg_drop(s->ctx, s->data);
    *s = (gg_str){.ctx = s->ctx};
}
