/* golgi/base.h - status codes, the context, memory. Floor 0.
 *
 *     #include <golgi/golgi.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_model *m = NULL;
 *         if (argc < 2 || gg_context_create(&ctx, &(gg_context_options){.n_threads = 2, .seed = 1}) != GG_OK)
 *             return 2;
 *         const gg_status s = gg_model_open(&m, ctx, argv[1], NULL);
 *         if (s != GG_OK)
 *             fprintf(stderr, "%s\n", gg_message(ctx));
 *         gg_model_free(m);
 *         gg_context_free(ctx);
 *         return s == GG_OK ? 0 : 1;
 *     }
 *
 * Ownership: what `gg_x_create` or `gg_x_open` gives is freed by `gg_x_free`; every *_free takes NULL.
 * Errors:    functions that can fail return gg_status; the context keeps the message with the values in it.
 * Threads:   two threads may use two contexts. One context may be used by the threads golgi itself starts.
 * The library never prints, never exits, and has no globals that a caller could see.
 */
#ifndef GOLGI_BASE_H
#define GOLGI_BASE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GG_VERSION_MAJOR 0
#define GG_VERSION_MINOR 1
#define GG_VERSION_PATCH 0
#define GG_VERSION_TEXT "0.1.0"
#define GG_VERSION_DATE "2026-11-26"

#if defined(__GNUC__)
#define GG_API __attribute__((visibility("default")))
#define GG_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define GG_API
#define GG_PRINTF(f, a)
#endif

/* code, text. The texts are what a person sees when no better message is known. */
#define GG_STATUS_MAP(X)                                          \
    X(OK, "no error")                                             \
    X(END, "the end was reached")                                 \
    X(EINVAL, "an argument is outside its range")                 \
    X(ENOMEM, "out of memory")                                    \
    X(EIO, "reading or writing failed")                           \
    X(ENOENT, "no such file, tensor, column or neuron")           \
    X(EFORMAT, "the file is damaged or not of the expected form") \
    X(EUNSUPPORTED, "valid, but not supported")                   \
    X(EMISMATCH, "two inputs do not belong together")             \
    X(ENAN, "a value is not a finite number")                     \
    X(EBUSY, "another process holds it")                          \
    X(EINTR, "stopped on request")                                \
    X(EINTERNAL, "a defect in golgi")

typedef enum gg_status {
#define GG_X(code, text) GG_##code,
    GG_STATUS_MAP(GG_X)
#undef GG_X
} gg_status;

GG_API const char *gg_status_name(gg_status s); /* "EINVAL" */
GG_API const char *gg_status_text(gg_status s);
GG_API const char *gg_version(void);            /* "0.1.0" */

typedef struct gg_context gg_context;

/* The one allocator hook: resize `old` (old_size bytes, NULL when 0) to new_size (0 frees). Must return memory
 * aligned to 64 bytes, or NULL when it cannot. Called from several threads. */
typedef struct gg_allocator {
    void *(*resize)(void *user, void *old, size_t old_size, size_t new_size);
    void *user;
} gg_allocator;

typedef enum gg_log_level { GG_LOG_ERROR, GG_LOG_WARNING, GG_LOG_INFO, GG_LOG_DEBUG } gg_log_level;

typedef struct gg_context_options {
    gg_allocator allocator;     /* default: the C library */
    uint64_t seed;              /* of everything random; default 0 */
    int n_threads;              /* worker threads; 0: the processors this process may use */
    void (*log)(void *user, gg_log_level level, const char *text); /* default: nothing is said */
    void *log_user;
} gg_context_options;

/* options may be NULL. Freed by gg_context_free. GG_ENOMEM. */
GG_API gg_status gg_context_create(gg_context **out, const gg_context_options *options);
GG_API void gg_context_free(gg_context *ctx);

/* The message of the last failure ("" when there was none). Valid until the next failure on ctx. */
GG_API const char *gg_message(const gg_context *ctx);
GG_API int gg_context_threads(const gg_context *ctx);
GG_API uint64_t gg_context_seed(const gg_context *ctx);
/* Bytes held now and at most so far, through the allocator hook. */
GG_API size_t gg_context_bytes(const gg_context *ctx, size_t *peak);
/* Allocations made so far: tests use it to prove that a loop makes none. */
GG_API int64_t gg_context_allocations(const gg_context *ctx);

/* Asks running work to end at the next unit (document, group); it then returns GG_EINTR. Async-signal-safe. */
GG_API void gg_context_stop(gg_context *ctx);
GG_API bool gg_context_stopped(const gg_context *ctx);

#ifdef __cplusplus
}
#endif
#endif
