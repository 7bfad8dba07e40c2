/* The front of an order: the rows that may be chosen, kept while all the others stream past.
 *
 * Rows are ordered by (score, docid). With a budget of at most `bound` (in tokens, or in documents) the chosen rows are a prefix whose
 * running sum stays within it. So a row may be forgotten as soon as it and the rows seen before it in the order weigh more than the bound: more
 * rows can only push it further back. What is kept is the prefix that fits, of what was seen, and the first row that does not: there a
 * selection stops, and it is kept when it is the first of all. When the array is half as long again as what is needed, a weighted
 * quickselect finds that row in place; its score is then the cut, and the streams bring no rows beyond it any more.
 * What is kept is a function of the set of rows and not of the order in which they came. Memory: 48 bytes a row and its docid, for at
 * most one and a half times the rows of the prefix.
 */
#include "systems/nag/front.h"
#include <math.h>
#include <stdlib.h>

enum { LEAST = 1 << 14, TEXT_BYTES = 1 << 16 };

/* --- docids ------------------------------------------------------------------------------------------------------------------ */
struct gg__nag_text { /* docids, a NUL after each */
    struct gg__nag_text *below;
    size_t used, size;
    char bytes[];
};

static void text_free(gg_context *ctx, struct gg__nag_text *t)
{
    while (t) {
        struct gg__nag_text *below = t->below;
        gg_drop(ctx, t);
        t = below;
    }
}

static const char *text_copy(gg_context *ctx, struct gg__nag_text **t, const char *s)
{
    const size_t n = strlen(s) + 1;
    if (!*t || (*t)->size - (*t)->used < n) {
        const size_t size = n > TEXT_BYTES ? n : TEXT_BYTES;
        struct gg__nag_text *more = gg_alloc(ctx, sizeof *more + size);
        if (!more)
            return NULL;
        more->below = *t;
        more->size = size;
        *t = more;
    }
    char *at = (*t)->bytes + (*t)->used;
    memcpy(at, s, n);
    (*t)->used += n;
    return at;
}

/* The docids of the rows that are left, without those of the others. */
static gg_status renew_text(gg__nag_front *f)
{
    struct gg__nag_text *old = f->text;
    f->text = NULL;
    for (int64_t i = 0; i < f->n; i++) {
        const char *docid = text_copy(f->ctx, &f->text, f->row[i].docid);
        if (!docid) { /* rows point into both */
            struct gg__nag_text **end = &f->text;
            while (*end)
                end = &(*end)->below;
            *end = old;
            return GG_ENOMEM;
        }
        f->row[i].docid = docid;
    }
    text_free(f->ctx, old);
    return GG_OK;
}

/* --- order -------------------------------------------------------------------------------------------------------------------- */
bool gg__nag_before(const gg_nag_row *a, const gg_nag_row *b)
{
    return a->score != b->score ? a->score < b->score : strcmp(a->docid, b->docid) < 0;
}

static int by_score(const void *pa, const void *pb)
{
    const gg_nag_row *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return strcmp(a->docid, b->docid);
}

void gg_nag_sort(gg_nag_row *row, int64_t n) { qsort(row, (size_t)n, sizeof *row, by_score); }

/* Scores first: their bits rise with them once the sign is turned around, and are sorted byte by byte from the lowest (radix). Few targets make
 * few different distances, so runs of equal scores are long; in each, docids are compared by the eight bytes behind what all of the run
 * begin with, and to the end only where those are equal. Rows move once, at the end. */
typedef struct key {
    uint64_t bits;
    int64_t at;
} key;

static uint64_t rising_bits(double score)
{
    uint64_t bits;
    score += 0.0; /* -0 is 0 */
    memcpy(&bits, &score, 8);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* Returns k or spare, whichever holds the result. */
static key *sort_keys(key *k, key *spare, int64_t n)
{
    int64_t count[8][256] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int byte = 0; byte < 8; byte++)
            count[byte][k[i].bits >> 8 * byte & 255]++;
    for (int byte = 0; byte < 8; byte++) {
        if (count[byte][k[0].bits >> 8 * byte & 255] == n)
            continue; /* all the same */
        int64_t to[256], sum = 0;
        for (int v = 0; v < 256; v++) {
            to[v] = sum;
            sum += count[byte][v];
        }
        for (int64_t i = 0; i < n; i++)
            spare[to[k[i].bits >> 8 * byte & 255]++] = k[i];
        GG__NAG_SWAP(key *, k, spare);
    }
    return k;
}

typedef struct name {
    uint64_t bytes; /* eight of the docid, the first the most */
    const char *docid;
    int64_t at;
} name;

static int by_name(const void *pa, const void *pb)
{
    const name *a = pa, *b = pb;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? -1 : 1) : strcmp(a->docid, b->docid);
}

/* k: (n,) of equal scores. names: room for n. */
static void sort_names(key *k, name *names, const gg_nag_row *row, int64_t n)
{
    const char *first = row[k[0].at].docid;
    size_t shared = strlen(first);
    for (int64_t i = 0; i < n; i++) {
        names[i] = (name){.docid = row[k[i].at].docid, .at = k[i].at};
        size_t same = 0;
        while (same < shared && names[i].docid[same] == first[same])
            same++;
        shared = same;
    }
    for (int64_t i = 0; i < n; i++)
        for (size_t j = 0; j < 8 && (j == 0 || names[i].docid[shared + j - 1]); j++)
            names[i].bytes |= (uint64_t)(unsigned char)names[i].docid[shared + j] << (56 - 8 * j);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int64_t i = 0; i < n; i++)
        k[i].at = names[i].at;
}

/* The order of the rows by (score, docid): keys (n,), of which .at says where the row is. */
static gg_status order_of(key **out, gg_context *ctx, const gg_nag_row *row, int64_t n)
{
    key *k = gg_new(ctx, key, n), *spare = gg_new(ctx, key, n);
    *out = NULL;
    for (int64_t i = 0; i < n && k && spare; i++)
        k[i] = (key){rising_bits(row[i].score), i};
    if (k && spare && sort_keys(k, spare, n) != k)
        GG__NAG_SWAP(key *, k, spare);
    gg_drop(ctx, spare);
    if (!k || !spare) {
        gg_drop(ctx, k);
        return GG_ENOMEM;
    }
    int64_t longest = 1;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && k[end].bits == k[i].bits;)
            end++;
        longest = end - i > longest ? end - i : longest;
    }
    name *names = gg_new(ctx, name, longest);
    for (int64_t i = 0, end; i < n && names; i = end) {
        for (end = i + 1; end < n && k[end].bits == k[i].bits;)
            end++;
        if (end - i > 1)
            sort_names(k + i, names, row, end - i);
    }
    if (!names)
        gg_drop(ctx, k);
    else
        *out = k;
    gg_drop(ctx, names);
    return *out ? GG_OK : GG_ENOMEM;
}

gg_status gg__nag_sort_rows(gg_nag_row **rows, gg_context *ctx, int64_t n)
{
    key *k;
    if (n < 2)
        return GG_OK;
    GG_TRY(order_of(&k, ctx, *rows, n));
    gg_nag_row *sorted = gg_new(ctx, gg_nag_row, n);
    for (int64_t i = 0; i < n && sorted; i++)
        sorted[i] = (*rows)[k[i].at];
    gg_drop(ctx, k);
    if (!sorted)
        return GG_ENOMEM;
    gg_drop(ctx, *rows);
    *rows = sorted;
    return GG_OK;
}

static int64_t weight_of(const gg__nag_front *f, const gg_nag_row *r) { return f->kind & GG__NAG_BY_COUNT ? 1 : r->token_num; }
static bool before(const gg__nag_front *f, const gg_nag_row *a, const gg_nag_row *b)
{
    return f->kind & GG__NAG_FROM_THE_END ? gg__nag_before(b, a) : gg__nag_before(a, b);
}

static void swap(gg_nag_row *a, gg_nag_row *b)
{
    const gg_nag_row x = *a;
    *a = *b;
    *b = x;
}

/* Of three rows spread over the n, the one between the others. */
static gg_nag_row middle(const gg__nag_front *f, int64_t lo, int64_t n)
{
    const gg_nag_row *row = f->row + lo, *a = &row[n / 4], *b = &row[n / 2], *c = &row[n - 1 - n / 4];
    const bool ab = before(f, a, b), bc = before(f, b, c), ac = before(f, a, c);
    return ab == bc ? *b : ab == ac ? *c : *a;
}

/* All rows weigh more than the bound: brings the prefix that fits and the row after it to the front. Returns how many those are, and their weight. */
static int64_t find_front(const gg__nag_front *f, int64_t *weight)
{
    int64_t lo = 0, hi = f->n, sum = 0; /* rows 0 .. lo-1 are of the prefix and weigh `sum`; the row after it is among lo .. hi-1 */
    while (hi - lo > 1) {
        const gg_nag_row pivot = middle(f, lo, hi - lo);
        int64_t mid = lo, less = 0;
        for (int64_t i = lo; i < hi; i++)
            if (before(f, &f->row[i], &pivot)) {
                less += weight_of(f, &f->row[i]);
                swap(&f->row[i], &f->row[mid++]);
            }
        if (sum + less > f->bound) {
            hi = mid;
            continue;
        }
        lo = mid;
        sum += less;
        int64_t at = lo; /* the pivot itself, the least of those that are left */
        while (before(f, &pivot, &f->row[at]))
            at++;
        swap(&f->row[lo], &f->row[at]);
        if (sum + weight_of(f, &f->row[lo]) > f->bound)
            break;
        sum += weight_of(f, &f->row[lo++]);
    }
    *weight = sum + weight_of(f, &f->row[lo]);
    return lo + 1;
}

/* --- the front ------------------------------------------------------------------------------------------------------------------ */
void gg__nag_front_init(gg__nag_front *f, gg_context *ctx, int64_t bound, int kind)
{
    *f = (gg__nag_front){.ctx = ctx, .bound = bound, .kind = kind, .least = LEAST};
    if (f->kind & GG__NAG_BY_COUNT && bound < LEAST) /* few: a far end of ten rows does not wait for thousands */
        f->least = 4 * bound + 16;
    f->full = f->least;
    pthread_mutex_init(&f->lock, NULL);
    atomic_init(&f->cut, f->kind & GG__NAG_FROM_THE_END ? -INFINITY : INFINITY);
}

void gg__nag_front_limit(gg__nag_front *f, double score) { atomic_store(&f->cut, score); }

void gg__nag_front_free(gg__nag_front *f)
{
    if (!f->ctx)
        return;
    pthread_mutex_destroy(&f->lock);
    gg_drop(f->ctx, f->row);
    text_free(f->ctx, f->text);
    *f = (gg__nag_front){0};
}

static gg_status drop_the_rest(gg__nag_front *f)
{
    if (f->weight > f->bound) {
        const int64_t n = find_front(f, &f->weight);
        if (n < f->n) {
            f->n = n;
            f->is_cut = true;
            atomic_store(&f->cut, f->row[n - 1].score);
            GG_TRY(renew_text(f));
        }
    }
    f->full = f->n + f->n / 2 > f->least ? f->n + f->n / 2 : f->least;
    return GG_OK;
}

static gg_status add(gg__nag_front *f, const gg_nag_row *row, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double cut = atomic_load_explicit(&f->cut, memory_order_relaxed);
        if (f->kind & GG__NAG_FROM_THE_END ? row[i].score < cut : row[i].score > cut)
            continue;
        if (f->n >= f->full)
            GG_TRY(drop_the_rest(f));
        if (f->n == f->cap) {
            const int64_t cap = f->cap < 256 ? 256 : f->cap + f->cap / 2;
            gg_nag_row *more = gg_renew(f->ctx, f->row, gg_nag_row, cap);
            if (!more)
                return GG_ENOMEM;
            f->row = more;
            f->cap = cap;
        }
        f->row[f->n] = row[i];
        if (!(f->row[f->n].docid = text_copy(f->ctx, &f->text, row[i].docid)))
            return GG_ENOMEM;
        f->weight += weight_of(f, &f->row[f->n++]);
    }
    return GG_OK;
}

gg_status gg__nag_front_add(gg__nag_front *f, const gg_nag_row *row, int64_t n)
{
    if (n == 0)
        return GG_OK;
    pthread_mutex_lock(&f->lock);
    const gg_status st = add(f, row, n);
    pthread_mutex_unlock(&f->lock);
    return st;
}

gg_status gg__nag_front_finish(gg__nag_front *f)
{
    GG_TRY(drop_the_rest(f));
    GG_TRY(gg__nag_sort_rows(&f->row, f->ctx, f->n));
    f->cap = f->n;
    for (int64_t i = 0, k = f->n - 1; f->kind & GG__NAG_FROM_THE_END && i < k; i++, k--)
        swap(&f->row[i], &f->row[k]);
    return GG_OK;
}
