/* Memory, failures and small helpers shared by every floor. */
#ifndef GG_BASE_MEMORY_H
#define GG_BASE_MEMORY_H
#include <golgi/base.h>
#include <string.h>

/* Sets the message and returns `s`, so that a failing function is one line. Safe from several threads: the last one wins. */
gg_status gg_fail(gg_context *ctx, gg_status s, const char *format, ...) GG_PRINTF(3, 4);
/* Puts "prefix: " before the message that is already there and returns s. */
gg_status gg_fail_prefix(gg_context *ctx, gg_status s, const char *format, ...) GG_PRINTF(3, 4);
void gg_log(gg_context *ctx, gg_log_level level, const char *format, ...) GG_PRINTF(3, 4);

/* return the failure of an inner call */
#define GG_TRY(call)                    \
    do {                                \
        gg_status gg_s_ = (call);       \
        if (gg_s_ != GG_OK)             \
            return gg_s_;               \
    } while (0)

/* count * size without overflow: SIZE_MAX when it does not fit, which no allocator gives. */
static inline size_t gg_mul(int64_t a, int64_t b)
{
    size_t r;
    return a < 0 || b < 0 || __builtin_mul_overflow((size_t)a, (size_t)b, &r) ? SIZE_MAX : r;
}

/* All memory is 64-byte aligned and zeroed. NULL sets the message "out of memory (N bytes for what)". n = 0 gives a valid pointer. */
void *gg_alloc(gg_context *ctx, size_t bytes);
void *gg_realloc(gg_context *ctx, void *p, size_t bytes); /* grown part zeroed; p NULL: like gg_alloc; on failure p stays valid */
void gg_drop(gg_context *ctx, void *p);                   /* NULL is fine */
char *gg_strdup(gg_context *ctx, const char *s);
char *gg_strndup(gg_context *ctx, const char *s, size_t n);
#define gg_new(ctx, type, n) ((type *)gg_alloc((ctx), gg_mul((int64_t)sizeof(type), (int64_t)(n))))
#define gg_renew(ctx, p, type, n) ((type *)gg_realloc((ctx), (p), gg_mul((int64_t)sizeof(type), (int64_t)(n))))

/* Room for one more in the array *at, which has n of *cap and doubles from `first` on. On failure both are as they were. */
#define gg_grow(ctx, at, n, cap, first) ((n) < *(cap) ? GG_OK : gg__grow((ctx), (at), (int64_t)sizeof **(at), (cap), (first)))
gg_status gg__grow(gg_context *ctx, void *at, int64_t size, int64_t *cap, int64_t first);

/* A bump allocator: zeroed memory that is freed all at once. */
typedef struct gg_arena {
    gg_context *ctx;
    struct gg_arena_block *block; /* newest */
} gg_arena;
void *gg_arena_alloc(gg_arena *a, size_t bytes); /* 64-byte aligned; NULL: out of memory */
char *gg_arena_strndup(gg_arena *a, const char *s, size_t n);
void gg_arena_free(gg_arena *a);

/* A growing text. Zero-initialise with .ctx set; any append may fail and then sets `failed`, so check once at the end. */
typedef struct gg_str {
    gg_context *ctx;
    char *data; /* always NUL-terminated once something was appended */
    size_t len, cap;
    bool failed;
} gg_str;
void gg_str_add(gg_str *s, const char *text, size_t n);
void gg_str_puts(gg_str *s, const char *text);
void gg_str_printf(gg_str *s, const char *format, ...) GG_PRINTF(2, 3);
void gg_str_free(gg_str *s);

/* The library's own use of the context. */
void gg__context_lock(gg_context *ctx);
void gg__context_unlock(gg_context *ctx);
#endif
