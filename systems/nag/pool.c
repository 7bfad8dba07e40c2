/* A pool of feature files: passes over its blocks, and the census of its documents.
 *
 * The census comes first. It reads what stands before the lists in each block (3 to 6 % of a .nag file), sees that no docid comes twice,
 * and adds up the token counts, so that the budget is bounded before the first distance is computed. A payload is streamed past the docids
 * once and leaves its columns in arrays by the number of the document; then the docids are forgotten.
 *
 * Memory, a document of the pool: 21 bytes for its docid while the census is taken (32 for row files, whose number is not known before), and
 * then 8 each for tokens and quality, 2 for the label and 1 bit for being in the payload, where these were asked for. Docids are known by 96
 * bits of two hashes: the chance that two of 10^9 different ones are taken for one is 10^-11.
 * Traps: a payload may lack documents of the features (left out, as the published join does, but counted and said) and have others
 * (passed over); token counts may be numbers or texts, and a damaged file's add up beyond 64 bits.
 */
#include "systems/nag/pool.h"
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include "base/work.h"
#include "io/parts.h"

/* --- passes ----------------------------------------------------------------------------------------------------------------- */
typedef struct pass {
    gg__nag_pool *pool;
    gg_nag_reader *reader;     /* of the file that is being read */
    const char *path;
    int site;
    int64_t base, most;        /* documents of the file, as far as known; -1: not yet */
    bool names_only;
    int n_blocks;              /* of a piece */
    int64_t batch;
    gg__nag_block *block;      /* (threads, n_blocks) */
    pthread_mutex_t lock;      /* guards the reader's place in the file */
    atomic_bool failed;
    gg__nag_take *take;
    void *user;
} pass;

static gg_status claim(pass *p, gg__nag_block *block, int *n_blocks)
{
    int64_t n = 0;
    gg_status st = GG_OK;
    *n_blocks = 0;
    pthread_mutex_lock(&p->lock);
    while (st == GG_OK && *n_blocks < p->n_blocks && (n < p->batch || *n_blocks == 0)) {
        gg__nag_block *b = &block[*n_blocks];
        if ((st = gg__nag_block_claim(p->reader, b)) != GG_OK)
            break;
        n += b->f.n;
        ++*n_blocks;
        if (p->most >= 0 && b->first + b->f.n > p->most)
            st = gg_fail(p->pool->ctx, GG_EMISMATCH, "%s: the file changed while it was used: it has more than %lld documents now", p->path,
                         (long long)p->most);
    }
    pthread_mutex_unlock(&p->lock);
    return st == GG_END && *n_blocks ? GG_OK : st;
}

static gg_status work(void *user, int64_t i, int worker)
{
    pass *p = user;
    gg_context *ctx = p->pool->ctx;
    gg__nag_block *block = p->block + i * p->n_blocks;
    gg_status st = GG_OK;
    while (st == GG_OK && !atomic_load(&p->failed)) {
        gg__nag_piece piece = {.path = p->path, .site = p->site, .block = block, .base = p->base};
        int64_t n = 0;
        st = gg_context_stopped(ctx) ? gg_fail(ctx, GG_EINTR, "stopped while reading %s", p->path) : claim(p, block, &piece.n_blocks);
        for (int b = 0; b < piece.n_blocks && st == GG_OK; n += block[b++].f.n)
            st = gg__nag_block_read(&block[b], p->names_only);
        if (st == GG_OK)
            st = p->take(p->user, &piece, worker);
        if (st == GG_OK && !p->names_only)
            gg_progress_add(p->pool->progress, n);
    }
    if (st != GG_OK && st != GG_END)
        atomic_store(&p->failed, true);
    return st == GG_END ? GG_OK : st;
}

static gg_status open_file(pass *p, int i)
{
    gg__nag_pool *pool = p->pool;
    p->path = pool->files.path[i];
    GG_TRY(gg_nag_reader_open(&p->reader, pool->ctx, p->path, pool->n_layers));
    const gg_nag_header *h = gg_nag_reader_header(p->reader);
    GG_TRY(gg__nag_header_match(&pool->told, pool->ctx, pool->like, pool->like_path, h, p->path, pool->type));
    if (i == 0)
        pool->header = *h;
    else
        GG_TRY(gg__nag_header_match(&pool->told, pool->ctx, &pool->header, pool->files.path[0], h, p->path, pool->type));
    p->site = gg_nag_header_find(h, pool->type);
    p->most = pool->n_of[i];
    return GG_OK;
}

gg_status gg__nag_pool_pass(gg__nag_pool *pool, bool names_only, int64_t batch, gg__nag_take *take, void *user)
{
    gg_context *ctx = pool->ctx;
    const int n_threads = gg_context_threads(ctx);
    pass p = {.pool = pool, .names_only = names_only, .n_blocks = batch > 1 ? GG__NAG_PIECE : 1, .batch = batch, .take = take, .user = user};
    if (!pool->n_of) {
        if (!(pool->n_of = gg_new(ctx, int64_t, pool->files.n)))
            return GG_ENOMEM;
        for (int i = 0; i < pool->files.n; i++)
            pool->n_of[i] = -1;
    }
    if (!(p.block = gg_new(ctx, gg__nag_block, gg_mul(n_threads, p.n_blocks))))
        return GG_ENOMEM;
    pthread_mutex_init(&p.lock, NULL);
    gg_status st = GG_OK;
    for (int i = 0; i < pool->files.n && st == GG_OK; i++) {
        st = open_file(&p, i);
        if (st == GG_OK)
            st = gg__nag_reader_is_shared(p.reader) ? gg_parallel_workers(ctx, work, &p) : work(&p, 0, 0);
        const int64_t n = st == GG_OK ? gg__nag_reader_position(p.reader) : 0;
        if (st == GG_OK && p.most >= 0 && n != p.most)
            st = gg_fail(ctx, GG_EMISMATCH, "%s: the file changed while it was used: it had %lld documents and has %lld", p.path, (long long)p.most,
                         (long long)n);
        pool->n_of[i] = n;
        p.base += n;
        gg_nag_reader_close(p.reader);
        p.reader = NULL;
    }
    for (int b = 0; b < n_threads * p.n_blocks; b++)
        gg__nag_block_free(&p.block[b], ctx);
    gg_drop(ctx, p.block);
    pthread_mutex_destroy(&p.lock);
    return st;
}

void gg__nag_pool_free(gg__nag_pool *p)
{
    gg_drop(p->ctx, p->n_of);
    gg__nag_files_free(&p->files, p->ctx);
    p->n_of = NULL;
}

/* --- docids -------------------------------------------------------------------------------------------------------------------- */
typedef struct gg__nag_slot {
    uint64_t a;
    uint32_t b, number; /* 1 + number of the document; 0: free */
} slot;

static slot hash_of(const char *docid)
{
    const size_t n = strlen(docid);
    return (slot){.a = gg__xxh64(docid, n, 1), .b = (uint32_t)gg__xxh64(docid, n, 2)};
}

static int64_t place_of(const gg__nag_census *c, uint64_t a) { return (int64_t)((unsigned __int128)a * (uint64_t)c->n_slots >> 64); }

/* Where the docid is, or the free slot where it would be. */
static slot *find_slot(const gg__nag_census *c, const slot *wanted)
{
    int64_t i = place_of(c, wanted->a);
    while (c->slot[i].number && !(c->slot[i].a == wanted->a && c->slot[i].b == wanted->b))
        i = i + 1 < c->n_slots ? i + 1 : 0;
    return &c->slot[i];
}

/* Room for n documents in all, filled to three quarters. */
static gg_status reserve_slots(gg__nag_census *c, int64_t n)
{
    if (n >= UINT32_MAX)
        return gg_fail(c->ctx, GG_EUNSUPPORTED, "a pool of %lld documents: one ranking takes 4,294,967,294; rank pieces with --part and merge them",
                       (long long)n);
    if (n + n / 3 < c->n_slots)
        return GG_OK;
    const slot *old = c->slot;
    const int64_t n_old = c->n_slots, n_slots = n + n / 3 + 64;
    slot *more = gg_new(c->ctx, slot, n_slots);
    if (!more)
        return GG_ENOMEM;
    c->slot = more;
    c->n_slots = n_slots;
    for (int64_t i = 0; i < n_old; i++)
        if (old[i].number)
            *find_slot(c, &old[i]) = old[i];
    gg_drop(c->ctx, (void *)(uintptr_t)old);
    return GG_OK;
}

/* The docids of a block get their numbers. Slots are far apart in memory: all are asked for before the first is looked at. */
static gg_status number_docids(gg__nag_census *c, const gg_nag_features *f, const slot *hash, int64_t from, const char *path)
{
    const int64_t need = c->n + f->n;
    if (from + f->n >= UINT32_MAX || need + need / 3 >= c->n_slots)
        GG_TRY(reserve_slots(c, from + f->n >= UINT32_MAX ? from + f->n : need + need / 2));
    for (int64_t i = 0; i < f->n; i++)
        __builtin_prefetch(&c->slot[place_of(c, hash[i].a)], 1);
    for (int64_t i = 0; i < f->n; i++) {
        slot *s = find_slot(c, &hash[i]);
        if (s->number)
            return gg_fail(c->ctx, GG_EFORMAT, "%s: docid \"%s\" came before: rank needs each document once", path, f->docid[i]);
        *s = hash[i];
        s->number = (uint32_t)(from + i + 1);
        c->sum += hash[i].a;
    }
    c->n += f->n;
    return GG_OK;
}

/* --- columns ------------------------------------------------------------------------------------------------------------------- */
static const char *token_column(const gg_nag_rank_options *o) { return o->token_column ? o->token_column : "token_num"; }

static gg_status label_of(gg__nag_census *c, uint16_t *out, const json_t *v)
{
    char number[32];
    const char *text = json_string_value(v);
    *out = GG__NAG_NO_LABEL;
    if (!text && json_is_integer(v)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        text = number;
    }
    if (!text)
        return GG_OK;
    int64_t known = gg__docids_find(&c->labels, text);
    if (known < 0) {
        if (c->labels.n == GG__NAG_LABELS)
            return gg_fail(c->ctx, GG_EINVAL, "column %s has more than %d different values: it does not look like a label", c->o->label_column, GG__NAG_LABELS);
        char *copy = gg_arena_strndup(&c->arena, text, strlen(text));
        int64_t found;
        known = c->labels.n;
        if (!copy || gg__docids_add(&c->labels, copy, &found) != GG_OK)
            return GG_ENOMEM;
    }
    *out = (uint16_t)known;
    return GG_OK;
}

static gg_status note_columns(gg__nag_census *c, json_t *row)
{
    if (!c->present.data)
        gg__nag_columns(&c->present, row);
    return c->present.failed ? GG_ENOMEM : GG_OK;
}

static gg_status take_columns(gg__nag_census *c, int64_t number, json_t *row)
{
    const gg_nag_rank_options *o = c->o;
    double x;
    GG_TRY(note_columns(c, row));
    if (c->tokens) {
        json_t *tokens = gg__nag_column(row, token_column(o));
        c->tokens[number] = -1;
        c->saw_tokens |= tokens != NULL;
        if (gg__nag_number(&x, tokens)) {
            if (x < 0 || x > 1e15)
                return gg_fail(c->ctx, GG_EFORMAT, "column %s holds %g: a count of tokens was expected", token_column(o), x);
            c->tokens[number] = (int64_t)x;
            if (__builtin_add_overflow(c->most_tokens, (int64_t)x, &c->most_tokens))
                return gg_fail(c->ctx, GG_EFORMAT, "column %s: the token counts add up to more than 9e18", token_column(o));
        }
    }
    if (c->quality) {
        json_t *quality = gg__nag_column(row, o->quality_column);
        c->quality[number] = NAN;
        c->saw_quality |= quality != NULL;
        if (gg__nag_number(&x, quality)) {
            if (!isfinite(x))
                return gg_fail(c->ctx, GG_ENAN, "column %s holds %g: minimum and maximum would lose their meaning", o->quality_column, x);
            c->quality[number] = x;
        }
    }
    if (c->label) {
        json_t *label = gg__nag_column(row, o->label_column);
        c->saw_label |= label != NULL;
        GG_TRY(label_of(c, &c->label[number], label));
    }
    return GG_OK;
}

#define GROW(array, type, n)                                 \
    do {                                                     \
        type *grown = gg_renew(c->ctx, c->array, type, (n)); \
        if (!grown)                                          \
            return GG_ENOMEM;                                \
        c->array = grown;                                    \
    } while (0)

/* Arrays for n documents, of the columns that were asked for. */
static gg_status reserve_columns(gg__nag_census *c, int64_t n)
{
    if (n <= c->cap)
        return GG_OK;
    const bool from_payload = c->o->n_payload > 0;
    if (c->o->token_column || (from_payload && c->n_uncounted_own))
        GROW(tokens, int64_t, n);
    if (c->o->quality_column)
        GROW(quality, double, n);
    if (c->o->label_column)
        GROW(label, uint16_t, n);
    if (from_payload)
        GROW(paid, uint64_t, n / 64 + 1);
    c->cap = n;
    return GG_OK;
}

/* --- the first pass ---------------------------------------------------------------------------------------------------------------- */
static gg_status add_counts(gg__nag_census *c, const gg__nag_piece *p, const gg__nag_block *b, int worker)
{
    if (!c->counts[worker]) {
        const gg_nag_header *h = &c->pool->header;
        const gg_nag_site *site = &h->site[gg_nag_header_find(h, c->pool->type)];
        GG_TRY(gg_nag_counts_create(&c->counts[worker], c->ctx, h->n_layers, site->top_k, site->width));
    }
    return gg_nag_counts_add(c->counts[worker], &b->f, p->site);
}

static void blank_columns(gg__nag_census *c, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        if (c->tokens)
            c->tokens[i] = -1;
        if (c->quality)
            c->quality[i] = NAN;
        if (c->label)
            c->label[i] = GG__NAG_NO_LABEL;
    }
}

static gg_status enter(gg__nag_census *c, const gg_nag_features *f, const slot *hash, int64_t from, const char *path)
{
    const gg_nag_rank_options *o = c->o;
    const bool columns = o->n_payload == 0 && (o->token_column || o->quality_column || o->label_column);
    GG_TRY(number_docids(c, f, hash, from, path));
    if (columns) {
        if (from + f->n > c->cap)
            GG_TRY(reserve_columns(c, 2 * (from + f->n)));
        blank_columns(c, from, from + f->n);
    }
    for (int64_t i = 0; i < f->n; i++) {
        if (columns && f->row) {
            GG_TRY(take_columns(c, from + i, f->row[i]));
        }
        c->n_uncounted_own += f->token_num[i] < 0;
        if (o->token_column || f->token_num[i] < 0)
            continue;
        c->saw_tokens = true;
        if (__builtin_add_overflow(c->most_tokens, f->token_num[i], &c->most_tokens))
            return gg_fail(c->ctx, GG_EFORMAT, "%s: the token counts of the documents add up to more than 9e18", path);
    }
    return GG_OK;
}

static gg_status census_piece(void *user, const gg__nag_piece *p, int worker)
{
    gg__nag_census *c = user;
    for (int b = 0; b < p->n_blocks; b++) {
        const gg_nag_features *f = &p->block[b].f;
        slot *hash = gg_new(c->ctx, slot, f->n);
        if (!hash)
            return GG_ENOMEM;
        for (int64_t i = 0; i < f->n; i++)
            hash[i] = hash_of(f->docid[i]);
        pthread_mutex_lock(&c->lock);
        gg_status st = enter(c, f, hash, p->base + p->block[b].first, p->path);
        pthread_mutex_unlock(&c->lock);
        gg_drop(c->ctx, hash);
        if (st == GG_OK && c->counts)
            st = add_counts(c, p, &p->block[b], worker);
        GG_TRY(st);
    }
    return GG_OK;
}

static gg_status sum_counts(gg__nag_census *c)
{
    for (int w = 1; w < gg_context_threads(c->ctx); w++) {
        gg_nag_counts *from = c->counts[w];
        if (!c->counts[0])
            GG__NAG_SWAP(gg_nag_counts *, c->counts[0], c->counts[w]);
        else if (from) /* of .nag files: the same width */
            GG_TRY(gg_nag_counts_merge(c->counts[0], from));
    }
    return GG_OK;
}

typedef struct whole { /* a larger input, of which some files are units (shards.c) */
    char plan[17];
    int64_t of, held;
    const char *path;
} whole;

/* w: (files,) n of them known. Adds what the header says. */
static void count_units(whole *w, int *n, const json_t *units, const char *path)
{
    const char *plan = json_string_value(json_object_get(units, "plan"));
    int k = 0;
    if (!plan)
        return;
    while (k < *n && strcmp(w[k].plan, plan) != 0)
        k++;
    if (k == *n) {
        w[(*n)++] = (whole){.of = json_integer_value(json_object_get(units, "of")), .path = path};
        snprintf(w[k].plan, sizeof w[k].plan, "%s", plan);
    }
    w[k].held += (int64_t)json_array_size(json_object_get(units, "held"));
}

/* What headers and footers promise: how many documents, so that the table is made once (what does not say is damaged, and found so by the pass, or
 * has rows), and whether all units are here: a part of a pool may be ranked, but it is said. */
static gg_status promised(int64_t *n, gg__nag_pool *pool)
{
    whole *w = gg_new(pool->ctx, whole, pool->files.n);
    gg_status st = w ? GG_OK : GG_ENOMEM;
    int n_wholes = 0;
    *n = 0;
    for (int i = 0; i < pool->files.n && st == GG_OK; i++) {
        const char *path = pool->files.path[i];
        gg_nag_reader *r = NULL;
        int64_t m = 0;
        if (!gg__nag_is_binary(path) || (st = gg_nag_reader_open(&r, pool->ctx, path, 0)) != GG_OK)
            continue;
        st = gg__nag_reader_promised(&m, r);
        count_units(w, &n_wholes, gg__nag_reader_units(r), path);
        gg_nag_reader_close(r);
        *n += m > 0 ? m : 0;
    }
    for (int k = 0; k < n_wholes && st == GG_OK; k++)
        if (!pool->is_piece && w[k].held < w[k].of)
            gg_log(pool->ctx, GG_LOG_WARNING, "%lld of the %lld units of the input that %s is of are not here: the ranking is of what is here",
                   (long long)(w[k].of - w[k].held), (long long)w[k].of, w[k].path);
    gg_drop(pool->ctx, w);
    return st;
}

gg_status gg__nag_census_take(gg__nag_census **out, gg__nag_pool *pool, const gg_nag_rank_options *o, bool with_counts)
{
    gg_context *ctx = pool->ctx;
    gg__nag_census *c = gg_new(ctx, gg__nag_census, 1);
    if (!c)
        return GG_ENOMEM;
    *c = (gg__nag_census){.ctx = ctx, .pool = pool, .o = o, .arena = {.ctx = ctx}, .labels = {.ctx = ctx}, .present = {.ctx = ctx}};
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    int64_t n = 0;
    if (with_counts && !(c->counts = gg_new(ctx, gg_nag_counts *, gg_context_threads(ctx))))
        return GG_ENOMEM;
    GG_TRY(promised(&n, pool));
    GG_TRY(reserve_slots(c, n));
    GG_TRY(gg__nag_pool_pass(pool, !with_counts, 1, census_piece, c));
    return with_counts ? sum_counts(c) : GG_OK;
}

/* --- the payload -------------------------------------------------------------------------------------------------------------------- */
static gg_status take_row(gg__nag_census *c, json_t *row, const char *path, int64_t line)
{
    char text[32];
    const char *docid = gg__nag_docid(row, text);
    if (!docid)
        return gg_fail(c->ctx, GG_EFORMAT, "%s:%lld: no docid", path, (long long)line);
    GG_TRY(note_columns(c, row));
    const slot wanted = hash_of(docid);
    const slot *s = find_slot(c, &wanted);
    if (!s->number)
        return GG_OK;
    const int64_t number = (int64_t)s->number - 1;
    if (gg__nag_is_paid(c, number))
        return gg_fail(c->ctx, GG_EFORMAT, "%s:%lld: docid \"%s\" came before", path, (long long)line, docid);
    c->paid[number >> 6] |= (uint64_t)1 << (number & 63);
    const gg_status st = take_columns(c, number, row);
    return st == GG_OK ? st : gg_fail_prefix(c->ctx, st, "%s:%lld", path, (long long)line);
}

static gg_status take_file(gg__nag_census *c, const char *path)
{
    gg_rows *in = NULL;
    json_t *row;
    GG_TRY(gg_rows_open(&in, c->ctx, path));
    gg_status st;
    while ((st = gg_rows_next(in, &row)) == GG_OK) {
        st = take_row(c, row, path, gg_rows_line(in));
        json_decref(row);
        if (st == GG_OK && gg_context_stopped(c->ctx))
            st = gg_fail(c->ctx, GG_EINTR, "stopped while reading %s", path);
        if (st != GG_OK)
            break;
    }
    gg_rows_close(in);
    return st == GG_END ? GG_OK : st;
}

static gg_status take_payload(gg__nag_census *c)
{
    gg_parts files;
    GG_TRY(reserve_columns(c, c->n + 1));
    blank_columns(c, 0, c->n);
    GG_TRY(gg_parts_list(&files, c->ctx, c->o->payload, c->o->n_payload)); /* a folder stands for its files */
    gg_status st = GG_OK;
    for (int64_t i = 0; i < files.n && st == GG_OK; i++)
        st = take_file(c, files.at[i].path);
    gg_parts_free(&files, c->ctx);
    return st;
}

gg_status gg__nag_census_close(gg__nag_census *c)
{
    if (c->o->n_payload)
        GG_TRY(take_payload(c));
    gg_drop(c->ctx, c->slot);
    c->slot = NULL;
    c->least_quality = INFINITY;
    c->most_quality = -INFINITY;
    for (int64_t i = 0; i < c->n; i++) {
        if (!gg__nag_is_paid(c, i)) {
            c->n_unpaid++;
            continue;
        }
        if (c->quality) {
            if (isnan(c->quality[i])) {
                c->n_unrated++;
                continue;
            }
            c->least_quality = fmin(c->least_quality, c->quality[i]);
            c->most_quality = fmax(c->most_quality, c->quality[i]);
        }
        if (c->label && c->label[i] != GG__NAG_NO_LABEL)
            c->n_of_label[c->label[i]]++;
        c->n_kept++;
    }
    return GG_OK;
}

void gg__nag_census_free(gg__nag_census *c)
{
    if (!c)
        return;
    gg_context *ctx = c->ctx;
    for (int w = 0; c->counts && w < gg_context_threads(ctx); w++)
        gg_nag_counts_free(c->counts[w]);
    gg_drop(ctx, c->counts);
    gg_drop(ctx, c->slot);
    gg_drop(ctx, c->paid);
    gg_drop(ctx, c->tokens);
    gg_drop(ctx, c->quality);
    gg_drop(ctx, c->label);
    gg_arena_free(&c->arena);
    gg__docids_free(&c->labels);
    gg_str_free(&c->present);
    pthread_mutex_destroy(&c->lock);
    gg_drop(ctx, c);
}
