/* Work shared between the processes of an MPI job, and what they do together. Owns: MPI_Init, MPI_Finalize and every message in between.
 *
 *     worker -> 0   letter: the index just done (-1: none yet), its status, its facts, its message
 *     0 -> worker   the next index, or -1: no more
 * One exchange an index, so an index should be minutes of work. Messages are bytes of one struct: all ranks run this program on one kind of machine.
 * Traps: MPI_Recv, MPI_Barrier and MPI_Finalize of Open MPI wait by spinning, which on a busy machine takes a processor from those who work: so
 * ranks look, and sleep in between: at once where minutes are waited for, after some looks where a sum is. A rank that fails before sharing must still come to
 * share, or rank 0 would wait for it: hence `before`.
 */
#include "base/ranks.h"
#include "base/memory.h"

#ifdef GG_HAVE_MPI
#include <limits.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { TAG_LETTER = 1, TAG_INDEX = 2, NAP_MICROSECONDS = 2000, MESSAGE_BYTES = 1024 };

typedef struct letter {
    int64_t index, status, facts[GG_RANKS_FACTS];
    char message[MESSAGE_BYTES];
} letter;

struct gg_ranks {
    gg_context *ctx;
    int self, count;
};

bool gg_ranks_built(void) { return true; }
int gg_ranks_self(const gg_ranks *r) { return r ? r->self : 0; }
int gg_ranks_count(const gg_ranks *r) { return r ? r->count : 1; }

static gg_status check(gg_context *ctx, int code, const char *doing)
{
    char text[MPI_MAX_ERROR_STRING];
    int n = 0;
    if (code == MPI_SUCCESS)
        return GG_OK;
    MPI_Error_string(code, text, &n);
    return gg_fail(ctx, GG_EIO, "MPI: cannot %s: %.*s", doing, n, text);
}

gg_status gg_ranks_open(gg_ranks **out, gg_context *ctx)
{
    int had = 0, got = 0;
    *out = NULL;
    MPI_Initialized(&had);
    if (had)
        return gg_fail(ctx, GG_EINVAL, "this process belongs to an MPI job already");
    gg_ranks *r = gg_new(ctx, gg_ranks, 1);
    if (!r)
        return GG_ENOMEM;
    r->ctx = ctx;
    gg_status s = check(ctx, MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &got), "start");
    if (s == GG_OK) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        s = check(ctx, MPI_Comm_rank(MPI_COMM_WORLD, &r->self), "tell the rank");
    }
    if (s == GG_OK)
        s = check(ctx, MPI_Comm_size(MPI_COMM_WORLD, &r->count), "count the ranks");
    if (s != GG_OK) {
        gg_drop(ctx, r);
        return s;
    }
    *out = r;
    return GG_OK;
}

void gg_ranks_close(gg_ranks *r)
{
    if (!r)
        return;
    MPI_Request all;
    int here = MPI_Ibarrier(MPI_COMM_WORLD, &all) != MPI_SUCCESS;
    while (!here && MPI_Test(&all, &here, MPI_STATUS_IGNORE) == MPI_SUCCESS && !here)
        usleep(NAP_MICROSECONDS);
    MPI_Finalize();
    gg_drop(r->ctx, r);
}

/* Sleeps until a message with this tag is there. */
static gg_status wait_for(gg_ranks *r, int source, int tag, MPI_Status *from)
{
    for (int there = 0;;) {
        GG_TRY(check(r->ctx, MPI_Iprobe(source, tag, MPI_COMM_WORLD, &there, from), "look for messages"));
        if (there)
            return GG_OK;
        usleep(NAP_MICROSECONDS);
    }
}

static void note(letter *l, gg_context *ctx, int64_t index, gg_status s)
{
    l->index = index;
    l->status = s;
    l->message[0] = 0;
    if (s != GG_OK)
        snprintf(l->message, sizeof l->message, "%s", gg_message(ctx));
}

/* --- a worker --------------------------------------------------------------------------------------------------------------------- */
static gg_status work_for(gg_ranks *r, gg_status before, const gg_ranks_work *work)
{
    gg_status mine = before;
    letter l = {0};
    note(&l, r->ctx, -1, before);
    for (;;) {
        int64_t next = -1;
        MPI_Status from;
        GG_TRY(check(r->ctx, MPI_Send(&l, sizeof l, MPI_BYTE, 0, TAG_LETTER, MPI_COMM_WORLD), "send to rank 0"));
        GG_TRY(wait_for(r, 0, TAG_INDEX, &from));
        GG_TRY(check(r->ctx, MPI_Recv(&next, sizeof next, MPI_BYTE, 0, TAG_INDEX, MPI_COMM_WORLD, &from), "hear from rank 0"));
        if (next < 0)
            return mine != GG_OK ? gg_fail(r->ctx, mine, "%s", l.message) : GG_OK;
        l = (letter){0};
        mine = work->run(work->user, next, l.facts);
        note(&l, r->ctx, next, mine);
    }
}

/* --- rank 0 ------------------------------------------------------------------------------------------------------------------------ */
typedef struct failure {
    gg_status status;
    int rank;
    char message[MESSAGE_BYTES];
} failure;

static gg_status hand_out(gg_ranks *r, gg_status before, int64_t n, const gg_ranks_work *work)
{
    failure first = {.status = before};
    if (before != GG_OK)
        snprintf(first.message, sizeof first.message, "%s", gg_message(r->ctx));
    int64_t next = 0;
    for (int active = r->count - 1; active > 0;) {
        MPI_Status from;
        letter l;
        GG_TRY(wait_for(r, MPI_ANY_SOURCE, TAG_LETTER, &from));
        GG_TRY(check(r->ctx, MPI_Recv(&l, sizeof l, MPI_BYTE, from.MPI_SOURCE, TAG_LETTER, MPI_COMM_WORLD, &from), "hear from a worker"));
        if (l.status != GG_OK && first.status == GG_OK) {
            first = (failure){.status = (gg_status)l.status, .rank = from.MPI_SOURCE};
            memcpy(first.message, l.message, sizeof first.message);
        }
        if (l.status == GG_OK && l.index >= 0 && work->done)
            work->done(work->user, l.index, l.facts);
        const bool more = first.status == GG_OK && next < n && !gg_context_stopped(r->ctx);
        const int64_t index = more ? next++ : -1;
        active -= !more;
        GG_TRY(check(r->ctx, MPI_Send(&index, sizeof index, MPI_BYTE, from.MPI_SOURCE, TAG_INDEX, MPI_COMM_WORLD), "send to a worker"));
    }
    if (first.status != GG_OK && first.rank == 0)
        return gg_fail(r->ctx, first.status, "%s", first.message);
    if (first.status != GG_OK)
        return gg_fail(r->ctx, first.status, "rank %d: %s", first.rank, first.message);
    return next < n ? gg_fail(r->ctx, GG_EINTR, "stopped") : GG_OK;
}

gg_status gg_ranks_share(gg_ranks *r, gg_status before, int64_t n, const gg_ranks_work *work)
{
    if (r->count > 1)
        return r->self == 0 ? hand_out(r, before, n, work) : work_for(r, before, work);
    for (int64_t i = 0; i < n && before == GG_OK; i++) {
        int64_t facts[GG_RANKS_FACTS] = {0};
        before = gg_context_stopped(r->ctx) ? gg_fail(r->ctx, GG_EINTR, "stopped") : work->run(work->user, i, facts);
        if (before == GG_OK && work->done)
            work->done(work->user, i, facts);
    }
    return before;
}

/* --- together --------------------------------------------------------------------------------------------------------------------------- */
enum { LOOKS = 5000, SHORT_NAP_MICROSECONDS = 100, AT_ONCE = 1 << 26 /* elements of one message */ };

static gg_status finish(gg_ranks *r, int begun, MPI_Request *q, const char *doing)
{
    int there = 0;
    GG_TRY(check(r->ctx, begun, doing));
    for (int64_t i = 0; !there; i++) {
        GG_TRY(check(r->ctx, MPI_Test(q, &there, MPI_STATUS_IGNORE), doing));
        if (!there && i < LOOKS)
            sched_yield();
        else if (!there)
            usleep(SHORT_NAP_MICROSECONDS);
    }
    return GG_OK;
}

static gg_status sum(gg_ranks *r, void *x, int64_t n, MPI_Datatype type, size_t size)
{
    for (int64_t at = 0; gg_ranks_count(r) > 1 && at < n; at += AT_ONCE) {
        MPI_Request q;
        const int begun = MPI_Iallreduce(MPI_IN_PLACE, (char *)x + (size_t)at * size, (int)(n - at < AT_ONCE ? n - at : AT_ONCE), type, MPI_SUM, MPI_COMM_WORLD,
                                         &q);
        GG_TRY(finish(r, begun, &q, "sum over the ranks"));
    }
    return GG_OK;
}

gg_status gg_ranks_sum(gg_ranks *r, double *x, int64_t n) { return sum(r, x, n, MPI_DOUBLE, sizeof *x); }
gg_status gg_ranks_sum_f32(gg_ranks *r, float *x, int64_t n) { return sum(r, x, n, MPI_FLOAT, sizeof *x); }

static gg_status spread_from(gg_ranks *r, int rank, void *data, int64_t n)
{
    for (int64_t at = 0; gg_ranks_count(r) > 1 && at < n; at += AT_ONCE) {
        MPI_Request q;
        const int begun = MPI_Ibcast((char *)data + at, (int)(n - at < AT_ONCE ? n - at : AT_ONCE), MPI_BYTE, rank, MPI_COMM_WORLD, &q);
        GG_TRY(finish(r, begun, &q, "send to all ranks"));
    }
    return GG_OK;
}

gg_status gg_ranks_spread(gg_ranks *r, void *data, int64_t n_bytes) { return spread_from(r, 0, data, n_bytes); }

gg_status gg_ranks_agree(gg_ranks *r, gg_status mine)
{
    letter l = {0};
    MPI_Request q;
    if (gg_ranks_count(r) == 1)
        return mine;
    int first = mine == GG_OK ? INT_MAX : r->self;
    note(&l, r->ctx, -1, mine);
    GG_TRY(finish(r, MPI_Iallreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &q), &q, "hear from all ranks"));
    if (first == INT_MAX)
        return GG_OK;
    GG_TRY(spread_from(r, first, &l, sizeof l));
    return first == 0 ? gg_fail(r->ctx, (gg_status)l.status, "%s", l.message) : gg_fail(r->ctx, (gg_status)l.status, "rank %d: %s", first, l.message);
}

#else

struct gg_ranks {
    int unused;
};

bool gg_ranks_built(void) { return false; }
int gg_ranks_self(const gg_ranks *r) { return (void)r, 0; }
int gg_ranks_count(const gg_ranks *r) { return (void)r, 1; }
void gg_ranks_close(gg_ranks *r) { (void)r; }

gg_status gg_ranks_open(gg_ranks **out, gg_context *ctx)
{
    *out = NULL;
    return gg_fail(ctx, GG_EUNSUPPORTED, "this golgi was built without MPI; install Open MPI (tools/setup --cluster) and build again");
}

gg_status gg_ranks_share(gg_ranks *r, gg_status before, int64_t n, const gg_ranks_work *work)
{
    (void)r, (void)before, (void)n, (void)work;
    return GG_EUNSUPPORTED;
}

gg_status gg_ranks_agree(gg_ranks *r, gg_status mine) { return (void)r, mine; }
gg_status gg_ranks_sum(gg_ranks *r, double *x, int64_t n) { return (void)r, (void)x, (void)n, GG_OK; }
gg_status gg_ranks_sum_f32(gg_ranks *r, float *x, int64_t n) { return (void)r, (void)x, (void)n, GG_OK; }
gg_status gg_ranks_spread(gg_ranks *r, void *data, int64_t n_bytes) { return (void)r, (void)data, (void)n_bytes, GG_OK; }

#endif
