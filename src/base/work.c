/* Threads: n pieces of work handed out in order to the context's workers; worker 0 is the calling thread.
 *
 * Indices are handed out upwards, so when index i fails every lower one was handed out too: the lowest failing index does not
 * depend on timing, and its message is the one that is kept (each worker writes messages to its own desk, see context.h).
 * Traps: OpenMP's thread count belongs to a thread, OpenBLAS's to the process; both must be one inside, or p workers start p * p
 * threads. Fresh threads block signals so that Ctrl-C interrupts the main thread.
 */
#include "base/context.h"
#include "base/memory.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

/* Of libgomp and OpenBLAS; golgi is compiled without OpenMP and their headers are not needed. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);
extern void openblas_set_num_threads(int n);
extern int openblas_get_num_threads(void);

static _Thread_local bool inside; /* this thread is at work for gg_parallel */

/* How many runs there are in the process, and what OpenBLAS had before the first. */
static pthread_mutex_t blas_lock = PTHREAD_MUTEX_INITIALIZER;
static int blas_runs, blas_before;

static void blas_enter(void)
{
    pthread_mutex_lock(&blas_lock);
    if (blas_runs++ == 0) {
        blas_before = openblas_get_num_threads();
        openblas_set_num_threads(1);
    }
    pthread_mutex_unlock(&blas_lock);
}

static void blas_leave(void)
{
    pthread_mutex_lock(&blas_lock);
    if (--blas_runs == 0)
        openblas_set_num_threads(blas_before);
    pthread_mutex_unlock(&blas_lock);
}

typedef struct run {
    gg_context *ctx;
    gg_body body;
    void *user;
    int64_t n;
    bool by_worker;        /* gg_parallel_workers: worker w does index w and no other */
    _Atomic int64_t next;  /* the first index not handed out */
    atomic_bool failed;    /* hand out no more */
    pthread_mutex_t lock;  /* guards the rest */
    int64_t failed_index;  /* the lowest; n: none */
    gg_status status;
    char message[GG__MESSAGE_SIZE];
} run;

typedef struct worker {
    run *run;
    int index;
    pthread_t thread;
    bool started;
} worker;

static void note_failure(run *r, int64_t i, gg_status s, const char *message)
{
    atomic_store(&r->failed, true);
    pthread_mutex_lock(&r->lock);
    if (i < r->failed_index) {
        r->failed_index = i;
        r->status = s;
        snprintf(r->message, sizeof r->message, "%s", message);
    }
    pthread_mutex_unlock(&r->lock);
}

static void work(run *r, int index)
{
    gg__desk mine = {.ctx = r->ctx};
    gg__desk *before = gg__desk_set(&mine);
    inside = true;
    if (r->by_worker) {
        const gg_status s = r->body(r->user, index, index);
        if (s != GG_OK)
            note_failure(r, index, s, mine.message);
    } else
        while (!atomic_load(&r->failed) && !gg_context_stopped(r->ctx)) {
            const int64_t i = atomic_fetch_add(&r->next, 1);
            if (i >= r->n)
                break;
            const gg_status s = r->body(r->user, i, index);
            if (s != GG_OK)
                note_failure(r, i, s, mine.message);
        }
    inside = false;
    gg__desk_set(before);
}

static void *thread_main(void *arg)
{
    const worker *w = arg;
    omp_set_num_threads(1);
    work(w->run, w->index);
    return NULL;
}

static gg_status stopped(gg_context *ctx)
{
    return gg_fail(ctx, GG_EINTR, "%s", gg_status_text(GG_EINTR));
}

/* Inside another run: this thread does everything, with the libraries already at one thread. */
static gg_status run_inline(gg_context *ctx, int64_t n, gg_body body, void *user, bool by_worker)
{
    for (int64_t i = 0; i < n; i++) {
        if (!by_worker && gg_context_stopped(ctx))
            return stopped(ctx);
        GG_TRY(body(user, i, by_worker ? (int)i : 0));
    }
    return GG_OK;
}

bool gg__thread_start(pthread_t *out, void *(*body)(void *user), void *user)
{
    sigset_t all, before;
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPIPE}; /* they belong to the thread that made them */
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(out, NULL, body, user) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static gg_status run_all(gg_context *ctx, int64_t n, gg_body body, void *user, bool by_worker)
{
    if (n <= 0)
        return GG_OK;
    if (inside)
        return run_inline(ctx, n, body, user, by_worker);
    const int n_workers = n < gg_context_threads(ctx) ? (int)n : gg_context_threads(ctx);
    run *r = gg_new(ctx, run, 1);
    worker *w = gg_new(ctx, worker, n_workers);
    if (!r || !w) {
        gg_drop(ctx, r);
        gg_drop(ctx, w);
        return GG_ENOMEM;
    }
    *r = (run){.ctx = ctx, .body = body, .user = user, .n = n, .by_worker = by_worker, .failed_index = n};
    pthread_mutex_init(&r->lock, NULL);
    for (int i = 0; i < n_workers; i++)
        w[i] = (worker){.run = r, .index = i};

    const int omp_before = omp_get_max_threads();
    omp_set_num_threads(1);
    blas_enter();
    for (int i = 1; i < n_workers; i++)
        w[i].started = gg__thread_start(&w[i].thread, thread_main, &w[i]);
    work(r, 0);
    for (int i = 1; i < n_workers; i++)
        if (w[i].started)
            pthread_join(w[i].thread, NULL);
        else if (by_worker)
            work(r, i); /* the system gave no thread: its share is still due */
    blas_leave();
    omp_set_num_threads(omp_before);

    gg_status s = r->status;
    if (s != GG_OK)
        gg_fail(ctx, s, "%s", r->message);
    else if (!by_worker && atomic_load(&r->next) < n)
        s = stopped(ctx);
    pthread_mutex_destroy(&r->lock);
    gg_drop(ctx, r);
    gg_drop(ctx, w);
    return s;
}

gg_status gg_parallel(gg_context *ctx, int64_t n, gg_body body, void *user)
{
    return run_all(ctx, n, body, user, false);
}

gg_status gg_parallel_workers(gg_context *ctx, gg_body body, void *user)
{
    return run_all(ctx, gg_context_threads(ctx), body, user, true);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double gg_time(void) { return seconds_of(CLOCK_MONOTONIC); }
double gg_cpu_time(void) { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }
