/* The inside of the context, for the files of base only. */
#ifndef GG_BASE_CONTEXT_H
#define GG_BASE_CONTEXT_H
#include <golgi/base.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/io.h"
#include "base/work.h"

enum { GG__MESSAGE_SIZE = 4096 };

struct gg_context {
    gg_allocator allocator;
    gg_io_hook io;                /* of the tests; io.c */
    uint64_t seed;
    int n_threads;
    void (*log)(void *user, gg_log_level level, const char *text);
    void *log_user;
    pthread_mutex_t message_lock; /* guards message */
    pthread_mutex_t log_lock;     /* one log line at a time */
    pthread_mutex_t lock;         /* gg__context_lock: recursive */
    atomic_size_t bytes, peak;
    _Atomic int64_t allocations;
    atomic_int stopped;
    const char *events;    /* --log-json: the command's name; NULL: text for a person */
    gg_progress *progress; /* the line that stands on the terminal, if any; guarded by log_lock */
    char message[GG__MESSAGE_SIZE];
};

/* While a thread works inside gg_parallel its messages go to a desk of its own, so that the message that is kept in the end is that
 * of the failure that is returned, and not that of the thread which failed last. */
typedef struct gg__desk {
    gg_context *ctx;
    char message[GG__MESSAGE_SIZE];
} gg__desk;
gg__desk *gg__desk_set(gg__desk *d); /* of the calling thread; returns the one before */

/* pthread_create for golgi's own threads: signals find the main thread, except those that a thread brings upon itself. False: the system gave none. */
bool gg__thread_start(pthread_t *out, void *(*body)(void *user), void *user);

/* Writes one line to standard error around a progress line that may stand there. */
void gg__progress_say(gg_progress *p, const char *line);
#endif
