/* Threads that wait for work: a short while by looking (a step of training hands out the next piece within microseconds), then asleep.
 *
 * A round is announced by raising `round`; workers take pieces from `next` until none is left, and the caller, which works too, waits
 * until every worker has said that it saw the round, so that the next one cannot begin under a worker that still looks at this one.
 * Trap: a spinning worker on a machine with fewer free cores than threads takes the time of the one that works, so looking is bounded.
 */
#include "base/team.h"
#include "base/context.h"
#include "base/memory.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#if defined(__x86_64__)
#include <immintrin.h>
#define PAUSE() _mm_pause()
#else
#define PAUSE() ((void)0)
#endif

enum { LOOKS = 2000 }; /* some 10 to 40 microseconds, as long as a PAUSE takes */

typedef struct member {
    gg_team *team;
    pthread_t thread;
    int index;
} member;

struct gg_team {
    gg_context *ctx;
    int n_threads;
    member *member; /* (n_threads,), 0 unused */
    gg_piece body;
    void *user;
    int64_t n;
    _Alignas(64) _Atomic int64_t next;
    _Alignas(64) _Atomic uint64_t round;
    _Alignas(64) atomic_int busy; /* workers that have not ended this round */
    atomic_bool ending;
    atomic_int asleep;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

static void take_pieces(gg_team *t, int worker)
{
    for (int64_t i; (i = atomic_fetch_add(&t->next, 1)) < t->n;)
        t->body(t->user, i, worker);
}

static uint64_t wait_for_round(gg_team *t, uint64_t seen)
{
    for (int look = 0; look < LOOKS; look++) {
        const uint64_t now = atomic_load(&t->round);
        if (now != seen)
            return now;
        PAUSE();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->asleep, 1);
    while (atomic_load(&t->round) == seen)
        pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->asleep, 1);
    pthread_mutex_unlock(&t->lock);
    return atomic_load(&t->round);
}

static void *member_main(void *arg)
{
    member *m = arg;
    gg_team *t = m->team;
    for (uint64_t seen = 0;;) {
        seen = wait_for_round(t, seen);
        if (atomic_load(&t->ending))
            return NULL;
        take_pieces(t, m->index);
        atomic_fetch_sub(&t->busy, 1);
    }
}

static void announce(gg_team *t)
{
    atomic_fetch_add(&t->round, 1);
    if (atomic_load(&t->asleep) > 0) {
        pthread_mutex_lock(&t->lock);
        pthread_cond_broadcast(&t->wake);
        pthread_mutex_unlock(&t->lock);
    }
}

void gg_team_run(gg_team *t, int64_t n, gg_piece body, void *user)
{
    if (t->n_threads == 1 || n <= 1) {
        for (int64_t i = 0; i < n; i++)
            body(user, i, 0);
        return;
    }
    t->body = body;
    t->user = user;
    t->n = n;
    atomic_store(&t->next, 0);
    atomic_store(&t->busy, t->n_threads - 1);
    announce(t);
    take_pieces(t, 0);
    for (int look = 0; atomic_load(&t->busy) > 0; look++)
        if (look < LOOKS)
            PAUSE();
        else
            sched_yield();
}

gg_status gg_team_create(gg_team **out, gg_context *ctx, int n_threads)
{
    gg_team *t = gg_new(ctx, gg_team, 1);
    member *m = gg_new(ctx, member, n_threads < 1 ? 1 : n_threads);
    if (!t || !m) {
        gg_drop(ctx, t);
        gg_drop(ctx, m);
        return GG_ENOMEM;
    }
    t->ctx = ctx;
    t->member = m;
    t->n_threads = 1;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    for (; t->n_threads < n_threads; t->n_threads++) {
        m[t->n_threads] = (member){.team = t, .index = t->n_threads};
        if (!gg__thread_start(&m[t->n_threads].thread, member_main, &m[t->n_threads]))
            break;
    }
    *out = t;
    return GG_OK;
}

void gg_team_free(gg_team *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    atomic_store(&t->ending, true);
    announce(t);
    for (int i = 1; i < t->n_threads; i++)
        pthread_join(t->member[i].thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    gg_drop(ctx, t->member);
    gg_drop(ctx, t);
}

int gg_team_threads(const gg_team *t) { return t->n_threads; }
