/* A whole source of documents on all threads. Owns: groups in flight and the order in which they are handed over.
 *
 * Every worker goes round: take documents (one worker at a time) until a group is full; tokenise, run, listen (all at once); put the
 * group down as done; hand over the groups that are next in order, if nobody else is at it. So `document` sees the input's order,
 * never two at once, and a slow listener holds nobody up until GROUPS_AHEAD groups a worker wait.
 *
 * What a group holds depends on the input and the number of threads, never on who was first, and groups are numbered as they are taken. The first group
 * of each thread is small, so that the first documents come out soon. Documents are read some groups ahead, so that the end is seen
 * before it is reached: from there on groups shrink, each an even part of what is left, and the threads end together. A failure belongs to its group's number:
 * groups before it are handed over, it and those after are not, and the lowest number's message is reported. So a run that fails or
 * is stopped leaves the same clean prefix as a run over that many documents. A pipe whose other end is slow makes small groups: a document never
 * waits for one that was not written yet.
 */
#include "model/model.h"
#include "base/memory.h"
#include "base/work.h"
#include <pthread.h>
#include <stdio.h>

enum {
    GROUPS_AHEAD = 3,      /* groups in flight, a worker */
    GROUP_TOKENS = 480,    /* rows that fill the products (measured: more gain nothing, and use memory) */
    BYTES_PER_TOKEN = 3,   /* a guess on the safe side, to fill a group before its tokens are counted */
    AHEAD = 2,             /* groups a worker whose documents are read before they are wanted */
    SMALLEST = 4,          /* groups at the start and at the end are no smaller than this part of a whole one */
    MESSAGE_SIZE = 4096
};

typedef struct job {
    struct job *next;      /* in the list of free ones, or of done ones by number */
    gg_group g;
    int32_t *token;        /* (cap_tokens,) */
    int64_t *start;        /* (cap_documents + 1,) */
    gg_document *document; /* (cap_documents,) */
    int64_t cap_tokens, cap_documents, n_cut;
    void **state;          /* (n_listeners,) */
    int n_open;            /* states opened */
    gg_status status;
    char *message;         /* MESSAGE_SIZE bytes, of a failure */
} job;

typedef struct runner {
    gg_model *m;
    gg_context *ctx;
    gg_run_options o;
    const gg_listener *listeners;
    int n_listeners;
    int64_t max_tokens, in_flight_max;
    gg_documents *documents;         /* or */
    const int32_t *ids;              /* (n_rows, n_columns), or, where `start` is there, rows of any length end to end */
    const int64_t *start;            /* (n_rows + 1,) or NULL */
    int64_t n_rows, n_columns, next_row;
    const gg_tokenizer *tokenizer;

    gg_document *ahead;          /* (cap_ahead,) read and not taken: ahead_first .. ahead_end - 1 */
    int64_t ahead_first, ahead_end, cap_ahead, ahead_tokens;
    gg_status source;            /* GG_END, or what went wrong behind the last of them */
    char source_message[MESSAGE_SIZE];

    pthread_mutex_t order;       /* guards all below */
    pthread_cond_t moved;        /* a group was taken or handed over */
    bool taking;                 /* someone is taking: the source and what was read ahead are his */
    bool ended;                  /* nothing more to take */
    int64_t n_taken, n_handed;   /* groups */
    bool handing;                /* someone is handing over */
    job *done, *free;            /* done: by number */
    gg_status status;            /* of the lowest failing group */
    int64_t failed;              /* its number; INT64_MAX: none */
    char message[MESSAGE_SIZE];
    gg_run_result result;
} runner;

/* --- jobs ------------------------------------------------------------------------------------------------------------ */

static void job_free(gg_context *ctx, job *j)
{
    if (!j)
        return;
    gg_drop(ctx, j->token);
    gg_drop(ctx, j->start);
    gg_drop(ctx, j->document);
    gg_drop(ctx, j->state);
    gg_drop(ctx, j->message);
    gg_drop(ctx, j);
}

static job *job_create(runner *r)
{
    job *j = gg_new(r->ctx, job, 1);
    if (!j)
        return NULL;
    j->state = gg_new(r->ctx, void *, r->n_listeners);
    j->message = gg_alloc(r->ctx, MESSAGE_SIZE);
    if (!j->state || !j->message) {
        job_free(r->ctx, j);
        return NULL;
    }
    return j;
}

static gg_status job_fail(job *j, gg_context *ctx, gg_status s)
{
    if (s != GG_OK && j->status == GG_OK) {
        j->status = s;
        snprintf(j->message, MESSAGE_SIZE, "%s", gg_message(ctx));
    }
    return s;
}

static void job_empty(runner *r, job *j)
{
    for (int i = 0; i < j->n_open; i++)
        if (r->listeners[i].close)
            r->listeners[i].close(r->listeners[i].user, j->state[i]);
    for (int i = 0; r->documents && i < j->g.n_documents; i++)
        json_decref(j->document[i].row);
    j->n_open = 0;
    j->g = (gg_group){0};
    j->n_cut = 0;
    j->status = GG_OK;
}

static gg_status job_room_documents(gg_context *ctx, job *j, int64_t n)
{
    if (n <= j->cap_documents)
        return GG_OK;
    const int64_t cap = n + n / 2 + 8;
    int64_t *start = gg_renew(ctx, j->start, int64_t, cap + 1);
    if (!start)
        return GG_ENOMEM;
    j->start = start;
    gg_document *document = gg_renew(ctx, j->document, gg_document, cap);
    if (!document)
        return GG_ENOMEM;
    j->document = document;
    j->cap_documents = cap;
    return GG_OK;
}

static gg_status job_room_tokens(gg_context *ctx, job *j, int64_t n)
{
    if (n <= j->cap_tokens)
        return GG_OK;
    const int64_t cap = n + n / 2;
    int32_t *token = gg_renew(ctx, j->token, int32_t, cap);
    if (!token)
        return GG_ENOMEM;
    j->token = token;
    j->cap_tokens = cap;
    return GG_OK;
}

/* --- taking ---------------------------------------------------------------------------------------------------------- */

static int64_t guess_tokens(const runner *r, const gg_document *d)
{
    const int64_t n = (int64_t)(d->n_text / BYTES_PER_TOKEN) + 1;
    return n < r->max_tokens ? n : r->max_tokens;
}

/* Room for one more document that is read ahead. */
static gg_status room_ahead(runner *r)
{
    const int64_t n = r->ahead_end - r->ahead_first;
    if (r->ahead_end < r->cap_ahead)
        return GG_OK;
    if (r->ahead_first > 0) {
        memmove(r->ahead, r->ahead + r->ahead_first, sizeof *r->ahead * (size_t)n);
        r->ahead_first = 0;
        r->ahead_end = n;
    }
    if (2 * n < r->cap_ahead)
        return GG_OK;
    const int64_t cap = 2 * r->cap_ahead + 16;
    gg_document *ahead = gg_renew(r->ctx, r->ahead, gg_document, cap);
    if (!ahead)
        return GG_ENOMEM;
    r->ahead = ahead;
    r->cap_ahead = cap;
    return GG_OK;
}

static void read_ahead(runner *r)
{
    const int64_t enough = (gg_context_threads(r->ctx) > 1 ? 1 + (int64_t)AHEAD * gg_context_threads(r->ctx) : 1) * r->o.group_tokens;
    while (r->source == GG_OK && r->ahead_tokens < enough) {
        if (r->ahead_end > r->ahead_first && !gg_documents_ready(r->documents)) /* a pipe that stalls: what is here goes on its way */
            return;
        gg_status s = room_ahead(r);
        if (s == GG_OK)
            s = gg_documents_next(r->documents, &r->ahead[r->ahead_end]);
        if (s == GG_OK)
            r->ahead_tokens += guess_tokens(r, &r->ahead[r->ahead_end++]);
        else {
            r->source = s;
            snprintf(r->source_message, sizeof r->source_message, "%s", gg_message(r->ctx));
        }
    }
}

/* Tokens of the next group. left: all that will still come, or -1 while the end is not in sight. */
static int64_t group_size(const runner *r, int64_t left)
{
    const int64_t whole = r->o.group_tokens, smallest = whole / SMALLEST + 1, n = gg_context_threads(r->ctx), share = left / (2 * n);
    if (n == 1)
        return r->n_taken == 0 ? smallest : whole;
    if (r->n_taken < n)
        return smallest;
    return left < 0 || share > whole ? whole : share > smallest ? share : smallest;
}

/* Documents of one group, not yet tokenised. GG_END: no more after those in j (which may be none). */
static gg_status take_documents(runner *r, job *j)
{
    read_ahead(r);
    const int64_t size = group_size(r, r->source == GG_OK ? -1 : r->ahead_tokens);
    for (int64_t tokens = 0, n; tokens < size && r->ahead_first < r->ahead_end; tokens += n) {
        GG_TRY(job_room_documents(r->ctx, j, j->g.n_documents + 1));
        const gg_document *d = &r->ahead[r->ahead_first++];
        j->document[j->g.n_documents++] = *d;
        n = guess_tokens(r, d);
        r->ahead_tokens -= n;
    }
    if (r->ahead_first < r->ahead_end || r->source == GG_OK)
        return GG_OK;
    return r->source == GG_END ? GG_END : gg_fail(r->ctx, r->source, "%s", r->source_message);
}

static int64_t row_tokens(const runner *r, int64_t row)
{
    const int64_t n = r->start ? r->start[row + 1] - r->start[row] : r->n_columns;
    return n < r->max_tokens ? n : r->max_tokens;
}

/* Rows of bare ids until a group is full. An empty row counts as one, so that a group of them ends too. */
static gg_status take_rows(runner *r, job *j)
{
    const int64_t enough = (int64_t)AHEAD * gg_context_threads(r->ctx) * r->o.group_tokens;
    int64_t left = 0, row = r->next_row;
    for (; row < r->n_rows && left < enough; row++)
        left += row_tokens(r, row) + 1;
    const int64_t size = group_size(r, row < r->n_rows ? -1 : left);
    for (int64_t tokens = 0, n = 0; tokens < size && r->next_row < r->n_rows; r->next_row++) {
        const int64_t from = r->start ? r->start[r->next_row] : r->next_row * r->n_columns;
        const int64_t whole = r->start ? r->start[r->next_row + 1] - from : r->n_columns, kept = row_tokens(r, r->next_row);
        GG_TRY(job_room_documents(r->ctx, j, j->g.n_documents + 1));
        GG_TRY(job_room_tokens(r->ctx, j, n + kept));
        if (kept > 0) /* an empty table may be NULL */
            memcpy(j->token + n, r->ids + from, sizeof *j->token * (size_t)kept);
        j->start[++j->g.n_documents] = n += kept;
        j->n_cut += kept < whole;
        tokens += kept > 0 ? kept : 1;
    }
    return r->next_row < r->n_rows ? GG_OK : GG_END;
}

/* The next group, or NULL when there is none. Waits while someone else takes, and while too many are in flight. Trap: whoever takes may wait for a pipe,
 * so the others wait for `moved` and not for a lock: under ThreadSanitizer a thread that waits for a lock gets no signal. */
static job *take(runner *r)
{
    pthread_mutex_lock(&r->order);
    while (r->taking || (!r->ended && r->status == GG_OK && r->n_taken - r->n_handed >= r->in_flight_max))
        pthread_cond_wait(&r->moved, &r->order);
    if (r->ended || r->status != GG_OK || gg_context_stopped(r->ctx)) {
        pthread_mutex_unlock(&r->order);
        return NULL;
    }
    job *j = r->free;
    if (j)
        r->free = j->next;
    r->taking = true;
    pthread_mutex_unlock(&r->order);

    if (!j)
        j = job_create(r);
    const gg_status s = !j ? GG_ENOMEM : r->documents ? take_documents(r, j) : take_rows(r, j);

    pthread_mutex_lock(&r->order);
    const bool any = j && j->g.n_documents > 0;
    if (any)
        j->g.number = r->n_taken++;
    if (s != GG_OK)
        r->ended = true;
    if (s != GG_OK && s != GG_END && r->n_taken < r->failed) { /* belongs behind the documents that were read before it */
        r->failed = r->n_taken;
        r->status = s;
        snprintf(r->message, sizeof r->message, "%s", gg_message(r->ctx));
    }
    if (j && !any) {
        j->next = r->free;
        r->free = j;
        j = NULL;
    }
    r->taking = false;
    pthread_cond_broadcast(&r->moved);
    pthread_mutex_unlock(&r->order);
    return j;
}

/* --- running --------------------------------------------------------------------------------------------------------- */

static gg_status tokenise(runner *r, job *j, gg_token_list *list)
{
    int64_t n = 0;
    j->start[0] = 0;
    for (int i = 0; r->documents && i < j->g.n_documents; i++) {
        const gg_document *d = &j->document[i];
        /* one more than wanted tells whether something was cut; "<filename>" in a text is that token, as Hugging Face tokenizers have it */
        const int flags = GG_TOKENIZE_PARSE_SPECIAL | (r->o.special ? GG_TOKENIZE_SPECIAL : 0);
        GG_TRY(gg_tokenizer_encode(r->tokenizer, list, d->text, d->n_text, r->max_tokens + 1, flags));
        const int64_t kept = list->n < r->max_tokens ? list->n : r->max_tokens;
        j->n_cut += kept < list->n;
        GG_TRY(job_room_tokens(r->ctx, j, n + kept));
        memcpy(j->token + n, list->id, sizeof *j->token * (size_t)kept);
        j->start[i + 1] = n += kept;
    }
    j->g.n_tokens = j->start[j->g.n_documents];
    j->g.token = j->token;
    j->g.start = j->start;
    j->g.document = r->documents ? j->document : NULL;
    return GG_OK;
}

static gg_status run_job(runner *r, job *j, gg_session *session, gg_token_list *list, gg_clock *clock)
{
    GG_TRY(tokenise(r, j, list));
    gg_clock_mark(clock, GG_PHASE_TOKENISE);
    for (int i = 0; i < r->n_listeners; i++, j->n_open++) {
        const gg_listener *y = &r->listeners[i];
        j->state[i] = NULL;
        if (y->open)
            GG_TRY(y->open(y->user, &j->state[i], &j->g));
    }
    gg_clock_mark(clock, GG_PHASE_LISTEN);
    return r->o.gradients.kind == GG_OBJECTIVE_NONE ? gg_session_forward(session, &j->g, r->listeners, j->state, r->n_listeners)
                                                    : gg_session_gradients(session, &j->g, r->o.gradients, r->listeners, j->state, r->n_listeners);
}

/* --- handing over ---------------------------------------------------------------------------------------------------- */

static gg_status hand_over(runner *r, job *j)
{
    for (int d = 0; d < j->g.n_documents; d++) {
        for (int i = 0; i < r->n_listeners; i++) {
            const gg_listener *y = &r->listeners[i];
            if (y->document)
                GG_TRY(y->document(y->user, j->state[i], &j->g, d));
        }
        r->result.n_documents++;
        r->result.n_tokens += j->g.start[d + 1] - j->g.start[d];
        gg_progress_add(r->o.progress, 1);
    }
    r->result.n_cut += j->n_cut;
    return GG_OK;
}

/* Called with `order` held: puts j among the done, then hands over what is next unless someone is at it. */
static void put_down(runner *r, job *j)
{
    job **at = &r->done;
    while (*at && (*at)->g.number < j->g.number)
        at = &(*at)->next;
    j->next = *at;
    *at = j;
    if (r->handing)
        return;
    r->handing = true;
    while ((j = r->done) && j->g.number == r->n_handed) {
        r->done = j->next;
        const bool wanted = j->g.number < r->failed;
        pthread_mutex_unlock(&r->order);
        if (wanted && j->status == GG_OK)
            job_fail(j, r->ctx, hand_over(r, j));
        const gg_status s = wanted ? j->status : GG_OK;
        const int64_t number = j->g.number;
        pthread_mutex_lock(&r->order);
        if (s != GG_OK && number < r->failed) {
            r->failed = number;
            r->status = s;
            snprintf(r->message, sizeof r->message, "%s", j->message);
        }
        pthread_mutex_unlock(&r->order);
        job_empty(r, j); /* listeners may take their time here too */
        pthread_mutex_lock(&r->order);
        j->next = r->free;
        r->free = j;
        r->n_handed++;
        pthread_cond_broadcast(&r->moved);
    }
    r->handing = false;
}

/* Has no earlier group failed? */
static bool is_wanted(runner *r, const job *j)
{
    pthread_mutex_lock(&r->order);
    const bool wanted = j->g.number < r->failed;
    pthread_mutex_unlock(&r->order);
    return wanted;
}

static gg_status worker(void *user, int64_t index, int w)
{
    runner *r = user;
    gg_session *session = NULL;
    gg_token_list list = {.ctx = r->ctx};
    (void)index;
    (void)w;
    const gg_status made = gg_session_create(&session, r->m);
    gg_clock mine = {.last = gg_cpu_time()}, *clock = r->o.clock ? &mine : NULL;
    double told = 0; /* operations that the progress knows of */
    if (made == GG_OK)
        gg__session_clock(session, clock);
    for (job *j; (j = take(r));) {
        gg_clock_mark(clock, GG_PHASE_READ);
        if (made != GG_OK)
            job_fail(j, r->ctx, made);
        else if (is_wanted(r, j))
            job_fail(j, r->ctx, run_job(r, j, session, &list, clock));
        if (made == GG_OK && r->o.progress) {
            gg_progress_work(r->o.progress, gg__session_operations(session) - told);
            told = gg__session_operations(session);
        }
        pthread_mutex_lock(&r->order);
        put_down(r, j);
        pthread_mutex_unlock(&r->order);
        gg_clock_mark(clock, GG_PHASE_WRITE);
    }
    gg_clock_mark(clock, GG_PHASE_READ);
    pthread_mutex_lock(&r->order);
    for (int i = 0; clock && i < GG_PHASE_COUNT; i++)
        r->o.clock->seconds[i] += mine.seconds[i];
    if (made == GG_OK)
        r->result.operations += gg__session_operations(session);
    pthread_mutex_unlock(&r->order);
    gg_token_list_free(&list);
    gg_session_free(session);
    return GG_OK;
}

/* --- the whole ------------------------------------------------------------------------------------------------------- */

static gg_status run_all(gg_run_result *out, runner *r, gg_model *m, const gg_run_options *o, const gg_listener *listeners, int n_listeners)
{
    r->m = m;
    r->ctx = m->ctx;
    r->o = o ? *o : (gg_run_options){0};
    r->listeners = listeners;
    r->n_listeners = n_listeners;
    r->failed = INT64_MAX;
    r->in_flight_max = (int64_t)GROUPS_AHEAD * gg_context_threads(m->ctx);
    r->max_tokens = r->o.max_tokens > 0 && r->o.max_tokens < m->d.n_ctx ? r->o.max_tokens : m->d.n_ctx;
    if (r->o.group_tokens <= 0)
        r->o.group_tokens = GROUP_TOKENS;
    pthread_mutex_init(&r->order, NULL);
    pthread_cond_init(&r->moved, NULL);
    gg_status s = gg_parallel_workers(m->ctx, worker, r);
    if (s == GG_OK && r->status != GG_OK)
        s = gg_fail(m->ctx, r->status, "%s", r->message);
    else if (s == GG_OK && !r->ended)
        s = gg_fail(m->ctx, GG_EINTR, "stopped on request after %lld documents", (long long)r->result.n_documents);
    while (r->free) {
        job *j = r->free;
        r->free = j->next;
        job_free(m->ctx, j);
    }
    for (int64_t i = r->ahead_first; i < r->ahead_end; i++)
        json_decref(r->ahead[i].row);
    gg_drop(m->ctx, r->ahead);
    pthread_cond_destroy(&r->moved);
    pthread_mutex_destroy(&r->order);
    *out = r->result;
    return s;
}

gg_status gg_run(gg_run_result *out, gg_model *m, gg_documents *documents, const gg_run_options *o, const gg_listener *listeners, int n_listeners)
{
    runner r = {.documents = documents};
    *out = (gg_run_result){0};
    GG_TRY(gg_model_need_tokenizer(&r.tokenizer, m));
    return run_all(out, &r, m, o, listeners, n_listeners);
}

gg_status gg_run_ids(gg_run_result *out, gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns, const gg_run_options *o,
                     const gg_listener *listeners, int n_listeners)
{
    runner r = {.ids = ids, .n_rows = n_rows, .n_columns = n_columns};
    *out = (gg_run_result){0};
    if (n_rows < 0 || n_columns < 0 || n_columns > INT32_MAX)
        return gg_fail(m->ctx, GG_EINVAL, "%lld rows of %lld token ids", (long long)n_rows, (long long)n_columns);
    return run_all(out, &r, m, o, listeners, n_listeners);
}

gg_status gg_run_tokens(gg_run_result *out, gg_model *m, const int32_t *ids, const int64_t *start, int64_t n_documents, const gg_run_options *o,
                        const gg_listener *listeners, int n_listeners)
{
    runner r = {.ids = ids, .start = start, .n_rows = n_documents};
    *out = (gg_run_result){0};
    for (int64_t i = 0; i < n_documents; i++)
        if (start[i] < 0 || start[i + 1] < start[i])
            return gg_fail(m->ctx, GG_EINVAL, "document %lld of bare tokens begins at %lld and ends at %lld", (long long)i, (long long)start[i],
                           (long long)start[i + 1]);
    return run_all(out, &r, m, o, listeners, n_listeners);
}
