/* Work: threads, random numbers, progress. */
#ifndef GG_BASE_WORK_H
#define GG_BASE_WORK_H
#include <golgi/base.h>

/* Runs body(user, i, worker) for i in [0, n) on the context's threads; worker < gg_context_threads(ctx).
 * Each index runs once, any order. Returns the failure of the lowest failing index, or GG_EINTR when stopped.
 * Inside, oneDNN, OpenBLAS and OpenMP are set to one thread. Nested calls run inline. */
typedef gg_status (*gg_body)(void *user, int64_t i, int worker);
gg_status gg_parallel(gg_context *ctx, int64_t n, gg_body body, void *user);
/* Runs body once per worker, i = worker (for pipelines that hand out their own work). */
gg_status gg_parallel_workers(gg_context *ctx, gg_body body, void *user);

/* Philox 4x32-10 (Salmon et al. 2011; Random123): the n-th number of a stream is a pure function of (seed, stream, n). */
typedef struct gg_random {
    uint64_t seed, stream, n;
} gg_random;
static inline gg_random gg_random_of(uint64_t seed, uint64_t stream) { return (gg_random){seed, stream, 0}; }
uint64_t gg_random_u64(gg_random *r);
double gg_random_uniform(gg_random *r);                    /* [0, 1), 53 bits */
double gg_random_normal(gg_random *r);                     /* mean 0, variance 1 */
int64_t gg_random_below(gg_random *r, int64_t n);          /* [0, n), unbiased */
void gg_random_shuffle(gg_random *r, int64_t *x, int64_t n);

double gg_time(void);     /* monotonic seconds */
double gg_cpu_time(void); /* seconds of a processor that the calling thread has had: waiting does not count */

/* Where the time of a pass over documents goes. A thread has a clock of its own: a mark gives the CPU time since the mark before it to
 * a phase. A NULL clock costs one test a mark. */
typedef enum gg_phase {
    GG_PHASE_READ,        /* bytes to documents */
    GG_PHASE_TOKENISE,
    GG_PHASE_PRODUCTS,    /* matrix products */
    GG_PHASE_ATTENTION,
    GG_PHASE_ELEMENTWISE, /* embedding, norms, rotations, activations, sums, changes of number format */
    GG_PHASE_LISTEN,      /* actions and listeners at the taps: NAG's impacts and top K */
    GG_PHASE_WRITE,       /* documents handed over: results out */
    GG_PHASE_COUNT
} gg_phase;
typedef struct gg_clock {
    double last, seconds[GG_PHASE_COUNT];
} gg_clock;
static inline void gg_clock_mark(gg_clock *c, gg_phase p)
{
    if (c) {
        const double now = gg_cpu_time();
        c->seconds[p] += now - c->last;
        c->last = now;
    }
}

/* Progress on standard error: one rewritten line on a terminal, a line every ten seconds elsewhere, nothing when quiet.
 * Made by the program (cli); the library only reports to it through gg_progress_add. NULL progress is fine everywhere. */
typedef struct gg_progress gg_progress;
gg_status gg_progress_create(gg_progress **out, gg_context *ctx, const char *title, const char *unit, int64_t total /* <= 0: unknown */);
void gg_progress_add(gg_progress *p, int64_t units); /* any thread */
void gg_progress_before(gg_progress *p, int64_t units); /* done by an earlier run: counted, but not as this run's speed */
void gg_progress_note(gg_progress *p, const char *text); /* shown at the end of the line */
/* Arithmetic that was done, and the most a second that this machine does: the line then shows the part that is reached. Any thread. */
void gg_progress_work(gg_progress *p, double operations);
void gg_progress_roof(gg_progress *p, double operations_per_second, const char *name /* "fp32" */);
void gg_progress_free(gg_progress *p);               /* clears the line */
#endif
