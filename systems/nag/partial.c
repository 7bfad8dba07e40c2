/* Merging partial rankings, and the ranking of a whole out of its pieces.
 *
 *     budget = floor(fraction * all tokens); rows are taken in the merged order until one does not fit
 * If they end before that and some were dropped, the selection may reach further than the pieces do: the sketches say how far at most.
 */
#include "systems/nag/partial.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- several files as one ---------------------------------------------------------------------------------------------------------------- */
typedef struct merge {
    gg_context *ctx;
    gg__nag_files files;
    gg__partial_reader **reader; /* (files.n,) */
    gg__partial_summary s;   /* of all together */
    gg__partial_piece first; /* the least of all pieces */
    /* of the target that is merged: */
    gg__nag_sketch *sketch;
    gg__nag_front near, far;
    int *heap, n_heap;       /* (files.n,) readers that have a row, the least first */
    int ends;                /* ENDS_WITH_...: the least end of all files */
    double cut_score;        /* rows beyond it are not sure */
    char *cut_docid;         /* ENDS_WITH_ROW: its docid */
    double *end_of;          /* (files.n,) each file's; infinity: it has all */
} merge;

static void merge_free(merge *m)
{
    for (int i = 0; m->reader && i < m->files.n; i++)
        gg__partial_reader_close(m->reader[i]);
    gg_drop(m->ctx, m->reader);
    gg_drop(m->ctx, m->heap);
    gg_drop(m->ctx, m->cut_docid);
    gg_drop(m->ctx, m->end_of);
    gg_drop(m->ctx, m->s.pieces);
    gg__nag_sketch_free(m->sketch);
    gg__nag_front_free(&m->near);
    gg__nag_front_free(&m->far);
    gg__nag_files_free(&m->files, m->ctx);
}

static gg_status check_alike(const merge *m, const gg__partial_reader *r)
{
    const gg__partial_summary *a = &m->s, *b = &r->s;
    const char *first = m->files.path[0];
    GG_TRY(gg_nag_header_match(m->ctx, &a->features, first, &b->features, r->path, a->type));
    if (a->type != b->type || a->power != b->power)
        return gg_fail(m->ctx, GG_EMISMATCH, "%s (site %s, power %g) and %s (site %s, power %g) were not ranked alike", first, gg_nag_type_name(a->type),
                       a->power, r->path, gg_nag_type_name(b->type), b->power);
    if (a->n_targets != b->n_targets)
        return gg_fail(m->ctx, GG_EMISMATCH, "%s was ranked against %d targets, %s against %d", first, a->n_targets, r->path, b->n_targets);
    for (int t = 0; t < a->n_targets; t++)
        if (strcmp(a->name[t], b->name[t]) != 0 || strcmp(a->hash[t], b->hash[t]) != 0)
            return gg_fail(m->ctx, GG_EMISMATCH,
                           "target %d of %s is \"%s\" (%lld documents, %.8s), that of %s \"%s\" (%lld documents, %.8s); rank both against the same", t + 1,
                           first, a->name[t], (long long)a->n_examples[t], a->hash[t], r->path, b->name[t], (long long)b->n_examples[t], b->hash[t]);
    return GG_OK;
}

static gg_status add_summary(merge *m, const gg__partial_reader *r)
{
    gg__partial_summary *a = &m->s;
    const gg__partial_summary *b = &r->s;
    if (b->n_pieces && (a->n_pieces == 0 || gg__partial_by_piece(&b->pieces[0], &m->first) < 0)) {
        /* what headers may differ in is as in the least piece, whatever the order */
        a->features = b->features;
        m->first = b->pieces[0];
    }
    gg__partial_piece *pieces = gg_renew(m->ctx, a->pieces, gg__partial_piece, a->n_pieces + b->n_pieces);
    if (!pieces)
        return GG_ENOMEM;
    a->pieces = pieces;
    memcpy(pieces + a->n_pieces, b->pieces, sizeof *pieces * (size_t)b->n_pieces);
    a->n_pieces += b->n_pieces;
    if (__builtin_add_overflow(a->n, b->n, &a->n) || __builtin_add_overflow(a->n_tokens, b->n_tokens, &a->n_tokens) ||
        __builtin_add_overflow(a->n_unpaid, b->n_unpaid, &a->n_unpaid) || __builtin_add_overflow(a->n_uncounted, b->n_uncounted, &a->n_uncounted))
        return gg_fail(m->ctx, GG_EFORMAT, "%s: the counts of the pieces add up to more than 9e18", r->path);
    return GG_OK;
}

static gg_status merge_open(merge *m, gg_context *ctx, const char *const *paths, int n_paths)
{
    *m = (merge){.ctx = ctx};
    GG_TRY(gg__nag_files_ending(&m->files, ctx, paths, n_paths, ".rank"));
    if (m->files.n < 1)
        return gg_fail(ctx, GG_EINVAL, "no partial rankings were given");
    m->reader = gg_new(ctx, gg__partial_reader *, m->files.n);
    m->heap = gg_new(ctx, int, m->files.n);
    m->end_of = gg_new(ctx, double, m->files.n);
    if (!m->reader || !m->heap || !m->end_of)
        return GG_ENOMEM;
    for (int i = 0; i < m->files.n; i++) {
        GG_TRY(gg__partial_reader_open(&m->reader[i], ctx, m->files.path[i]));
        if (i == 0) {
            m->s = m->reader[0]->s;
            m->s.pieces = NULL;
            m->s.n = m->s.n_tokens = m->s.n_unpaid = m->s.n_uncounted = m->s.n_pieces = 0;
        } else {
            GG_TRY(check_alike(m, m->reader[i]));
        }
        GG_TRY(add_summary(m, m->reader[i]));
    }
    qsort(m->s.pieces, (size_t)m->s.n_pieces, sizeof *m->s.pieces, gg__partial_by_piece);
    for (int64_t p = 1; p < m->s.n_pieces; p++)
        if (gg__partial_by_piece(&m->s.pieces[p - 1], &m->s.pieces[p]) == 0)
            return gg_fail(ctx, GG_EMISMATCH, "the same %lld documents are in two of the partial rankings: give each piece of the pool once",
                           (long long)m->s.pieces[p].n);
    return GG_OK;
}

static bool heap_before(const merge *m, int a, int b) { return gg__nag_before(&m->reader[a]->row, &m->reader[b]->row); }

static void sift_down(merge *m, int at)
{
    for (int child; (child = 2 * at + 1) < m->n_heap; at = child) {
        child += child + 1 < m->n_heap && heap_before(m, m->heap[child + 1], m->heap[child]);
        if (!heap_before(m, m->heap[child], m->heap[at]))
            return;
        GG__NAG_SWAP(int, m->heap[at], m->heap[child]);
    }
}

/* The end of a file, with the row of this docid or (NULL) with the score: is it before those of the others? */
static gg_status note_end(merge *m, double score, const char *docid)
{
    if (m->ends != ENDS_WITH_ALL &&
        (score > m->cut_score || (score == m->cut_score && (!docid || (m->ends == ENDS_WITH_ROW && strcmp(docid, m->cut_docid) >= 0)))))
        return GG_OK;
    char *copy = docid ? gg_strdup(m->ctx, docid) : NULL;
    if (docid && !copy)
        return GG_ENOMEM;
    gg_drop(m->ctx, m->cut_docid);
    m->cut_docid = copy;
    m->cut_score = score;
    m->ends = docid ? ENDS_WITH_ROW : ENDS_WITH_SCORE;
    return GG_OK;
}

static gg_status begin_file(merge *m, int i, int t)
{
    gg__partial_reader *r = m->reader[i];
    const gg__partial_place *p = &r->places[t];
    GG_TRY(gg__partial_begin(r, t, m->sketch, &m->near, &m->far));
    m->end_of[i] = p->ends == ENDS_WITH_SCORE ? p->up_to : INFINITY;
    if (p->ends == ENDS_WITH_SCORE)
        GG_TRY(note_end(m, p->up_to, NULL));
    if (p->ends == ENDS_WITH_ROW) {
        gg_nag_row row = {0};
        GG_TRY(gg__partial_last_row(&row, r));
        m->end_of[i] = row.score;
        GG_TRY(note_end(m, row.score, row.docid));
    }
    GG_TRY(gg__partial_next_row(r));
    if (r->has_row)
        m->heap[m->n_heap++] = i;
    return GG_OK;
}

/* Brings all files to target t: sketch, near and far are then those of all, and merge_next gives the rows. */
static gg_status merge_begin(merge *m, int t)
{
    gg__nag_sketch_free(m->sketch);
    m->sketch = NULL;
    gg__nag_front_free(&m->near);
    gg__nag_front_free(&m->far);
    gg__nag_front_init(&m->near, m->ctx, GG_NAG_ENDS, GG__NAG_BY_COUNT);
    gg__nag_front_init(&m->far, m->ctx, GG_NAG_ENDS, GG__NAG_BY_COUNT | GG__NAG_FROM_THE_END);
    m->n_heap = 0;
    m->ends = ENDS_WITH_ALL;
    GG_TRY(gg__nag_sketch_create(&m->sketch, m->ctx));
    for (int i = 0; i < m->files.n; i++)
        GG_TRY(begin_file(m, i, t));
    for (int at = m->n_heap / 2 - 1; at >= 0; at--)
        sift_down(m, at);
    GG_TRY(gg__nag_front_finish(&m->near));
    return gg__nag_front_finish(&m->far);
}

/* The next row of the order, valid until the next call; NULL after the last that is sure. */
static gg_status merge_next(const gg_nag_row **out, merge *m, int *from)
{
    *out = NULL;
    if (*from >= 0) { /* the file that gave the row before goes on */
        gg__partial_reader *r = m->reader[*from];
        GG_TRY(gg__partial_next_row(r));
        if (!r->has_row)
            m->heap[0] = m->heap[--m->n_heap];
        sift_down(m, 0);
    }
    if (m->n_heap == 0)
        return GG_OK;
    *from = m->heap[0];
    const gg_nag_row *row = &m->reader[*from]->row;
    if (m->ends != ENDS_WITH_ALL &&
        (row->score > m->cut_score || (row->score == m->cut_score && m->ends == ENDS_WITH_ROW && strcmp(row->docid, m->cut_docid) > 0)))
        return GG_OK;
    for (int k = 1; k <= 2 && k < m->n_heap; k++)
        if (!heap_before(m, m->heap[0], m->heap[k]))
            return gg_fail(m->ctx, GG_EFORMAT, "docid \"%s\" is in %s and in %s: the pieces of a pool have no document in common", row->docid,
                           m->files.path[*from],
                           m->files.path[m->heap[k]]);
    *out = row;
    return GG_OK;
}

gg_status gg_nag_partial_merge(gg_context *ctx, const char *const *paths, int n_paths, const char *path)
{
    merge m;
    gg__partial_writer *w = NULL;
    gg_status st = merge_open(&m, ctx, paths, n_paths);
    if (st == GG_OK)
        st = gg__partial_writer_open(&w, ctx, path, &m.s);
    for (int t = 0; t < m.s.n_targets && st == GG_OK; t++) {
        const gg_nag_row *row = NULL;
        int64_t n = 0;
        int from = -1;
        const int n_ends = (int)(m.s.n < GG_NAG_ENDS ? m.s.n : GG_NAG_ENDS);
        st = merge_begin(&m, t);
        if (st == GG_OK && (m.near.n < n_ends || m.far.n < n_ends))
            st = gg_fail(ctx, GG_EFORMAT, "%s: the ends of the order are missing", m.files.path[0]);
        if (st == GG_OK)
            st = gg__partial_put_sketch(w, t, m.sketch);
        if (st == GG_OK)
            st = gg__partial_put_ends(w, m.near.row, n_ends);
        if (st == GG_OK)
            st = gg__partial_put_ends(w, m.far.row, n_ends);
        while (st == GG_OK && (st = merge_next(&row, &m, &from)) == GG_OK && row) {
            st = gg__partial_put_row(w, row);
            if (st == GG_OK && ++n % BLOCK_ROWS == 0 && gg_context_stopped(ctx))
                st = gg_fail(ctx, GG_EINTR, "stopped; nothing was written");
        }
        if (st == GG_OK)
            st = gg__partial_end_target(w, t, n, m.ends, m.cut_score);
    }
    merge_free(&m);
    if (st == GG_OK)
        return gg__partial_writer_commit(w);
    gg__partial_writer_close(w);
    return st;
}

/* --- the ranking of the whole ------------------------------------------------------------------------------------------------------------ */
static gg_status too_short(const merge *m, int64_t budget)
{
    const double reach = gg__nag_sketch_reach(m->sketch, budget);
    gg_str names = {.ctx = m->ctx};
    int n = 0;
    for (int i = 0; i < m->files.n; i++)
        if (m->end_of[i] < reach && ++n <= 10)
            gg_str_printf(&names, "%s  %s  up to %.6f", n > 1 ? "\n" : "", m->files.path[i], m->end_of[i]);
    if (n > 10)
        gg_str_printf(&names, "\n  and %d more", n - 10);
    gg_status st = GG_ENOMEM;
    if (!names.failed && isfinite(reach))
        st = gg_fail(m->ctx, GG_EMISMATCH, "the selection may reach score %.17g, and not all pieces hold their documents so far\n%s\n  Make these again with "
                     "--up-to %.17g.", reach, names.data, reach);
    else if (!names.failed)
        st = gg_fail(m->ctx, GG_EMISMATCH, "the selection takes nearly everything, and not all pieces hold all their documents\n%s\n  Make these again "
                     "with --keep 1.", names.data);
    gg_str_free(&names);
    return st;
}

static gg_status rank_target(gg__nag_aim *a, merge *m, int t, double fraction)
{
    gg_nag_ranking *r = &a->r;
    const int64_t budget = (int64_t)((double)m->s.n_tokens * fraction);
    const gg_nag_row *row = NULL;
    int64_t sum = 0;
    int from = -1;
    if (!(r->name = gg_arena_strndup(&a->arena, m->s.name[t], strlen(m->s.name[t]))) || !(r->label_tokens = gg_new(m->ctx, int64_t, 1)))
        return GG_ENOMEM;
    gg__nag_front_init(&a->front, m->ctx, INT64_MAX, GG__NAG_BY_TOKENS);
    GG_TRY(merge_begin(m, t));
    while (sum <= budget) { /* the row that does not fit is taken, too: it may be the only one */
        GG_TRY(merge_next(&row, m, &from));
        if (!row)
            break;
        GG_TRY(gg__nag_front_add(&a->front, row, 1));
        if (__builtin_add_overflow(sum, row->token_num, &sum))
            return gg_fail(m->ctx, GG_EFORMAT, "%s: the token counts add up to more than 9e18", m->files.path[from]);
        if (a->front.n % BLOCK_ROWS == 0 && gg_context_stopped(m->ctx))
            return gg_fail(m->ctx, GG_EINTR, "stopped; nothing was written");
    }
    if (!row && m->ends != ENDS_WITH_ALL)
        return too_short(m, budget);
    r->n_ends = (int)(m->s.n < GG_NAG_ENDS ? m->s.n : GG_NAG_ENDS);
    if (m->near.n < r->n_ends || m->far.n < r->n_ends || a->front.n == 0)
        return gg_fail(m->ctx, GG_EFORMAT, "%s: rows that should be there are missing", m->files.path[0]);
    gg__nag_front_init(&a->near, m->ctx, INT64_MAX, GG__NAG_BY_COUNT);
    gg__nag_front_init(&a->far, m->ctx, INT64_MAX, GG__NAG_BY_COUNT);
    GG_TRY(gg__nag_front_add(&a->near, m->near.row, r->n_ends));
    GG_TRY(gg__nag_front_add(&a->far, m->far.row, r->n_ends));
    memcpy(r->near, a->near.row, sizeof *r->near * (size_t)r->n_ends);
    memcpy(r->far, a->far.row, sizeof *r->far * (size_t)r->n_ends);
    r->n = m->s.n;
    r->n_targets = m->s.n_examples[t];
    r->n_unpaid = m->s.n_unpaid;
    r->n_uncounted = m->s.n_uncounted;
    r->header = m->s.features;
    r->row = a->front.row;
    r->n_rows = a->front.n;
    r->label_tokens[0] = m->s.n_tokens;
    gg__nag_choose(r, m->s.n_tokens, fraction);
    r->n_rows = r->n_selected;
    return GG_OK;
}

gg_status gg_nag_partial_rank(gg_nag_ranking **out, int *n, gg_context *ctx, const char *const *paths, int n_paths, gg_nag_rank_options *o)
{
    *n = 0;
    if (!(o->fraction > 0 && o->fraction <= 1))
        return gg_fail(ctx, GG_EINVAL, "--fraction %g is outside (0, 1]", o->fraction);
    merge m;
    gg_status st = merge_open(&m, ctx, paths, n_paths);
    if (st == GG_OK && m.s.n == 0)
        st = gg_fail(ctx, GG_EINVAL, "nothing to rank: %s holds no documents", m.files.path[0]);
    if (st == GG_OK && m.s.n_tokens == 0)
        st = gg_fail(ctx, GG_EINVAL, "all token counts of the pool are 0: a share of them cannot be chosen");
    for (int t = 0; t < m.s.n_targets && st == GG_OK; t++) {
        gg__nag_aim *a = gg__nag_aim_create(ctx);
        if (a)
            out[(*n)++] = &a->r;
        st = a ? rank_target(a, &m, t, o->fraction) : GG_ENOMEM;
    }
    o->type = m.s.type;
    o->weights = GG_NAG_FREQUENCY;
    o->power = m.s.power;
    merge_free(&m);
    if (st != GG_OK)
        while (*n > 0)
            gg_nag_ranking_free(out[--*n]);
    return st;
}

/* --- a piece ------------------------------------------------------------------------------------------------------------------------------- */
static gg_status summarise(gg__partial_summary *s, gg__nag_job *j)
{
    const gg__nag_census *c = j->census;
    *s = (gg__partial_summary){.features = j->pool.header, .type = j->o->type, .power = j->o->power == 0 ? 1 : j->o->power, .n = c->n_kept,
                               .n_tokens = j->n_tokens, .n_unpaid = c->n_unpaid, .n_uncounted = j->n_uncounted, .n_targets = j->n_aims,
                               .n_pieces = c->n > 0}; /* a piece of nothing is no piece */
    if (!(s->pieces = gg_new(j->ctx, gg__partial_piece, 1)))
        return GG_ENOMEM;
    s->pieces[0] = (gg__partial_piece){c->n, c->sum};
    for (int t = 0; t < j->n_aims; t++) {
        const gg_nag_ranking *r = &j->aim[t]->r;
        const gg_nag_counts *counts = r->counts;
        if (strlen(r->name) >= sizeof s->name[0])
            return gg_fail(j->ctx, GG_EINVAL, "the target's name \"%.40s...\" is too long for a partial ranking: at most 127 bytes", r->name);
        snprintf(s->name[t], sizeof s->name[t], "%s", r->name);
        snprintf(s->hash[t], sizeof s->hash[t], "%016llx",
                 (unsigned long long)gg__xxh64(counts->count, sizeof *counts->count * (size_t)(counts->n_layers * counts->width),
                                               (uint64_t)counts->n_documents));
        s->n_examples[t] = r->n_targets;
    }
    return GG_OK;
}

static gg_status write_piece(gg__nag_job *j, const char *path)
{
    gg__partial_summary s = {0};
    gg__partial_writer *w = NULL;
    gg_status st = summarise(&s, j);
    if (st == GG_OK)
        st = gg__partial_writer_open(&w, j->ctx, path, &s);
    for (int t = 0; t < j->n_aims && st == GG_OK; t++) {
        const gg__nag_aim *a = j->aim[t];
        st = gg__partial_put_sketch(w, t, a->sketch);
        if (st == GG_OK)
            st = gg__partial_put_ends(w, a->r.near, a->r.n_ends);
        if (st == GG_OK)
            st = gg__partial_put_ends(w, a->r.far, a->r.n_ends);
        for (int64_t i = 0; i < a->front.n && st == GG_OK; i++)
            st = gg__partial_put_row(w, &a->front.row[i]);
        if (st == GG_OK)
            st = gg__partial_end_target(w, t, a->front.n, a->front.n == a->r.n ? ENDS_WITH_ALL : isfinite(j->up_to) ? ENDS_WITH_SCORE : ENDS_WITH_ROW,
                                        j->up_to);
    }
    gg_drop(j->ctx, s.pieces);
    if (st == GG_OK)
        return gg__partial_writer_commit(w);
    gg__partial_writer_close(w);
    return st;
}

gg_status gg_nag_partial_write(gg_context *ctx, const gg_nag_rank_options *o, const gg_nag_target *target, int n, const char *path, double keep, double up_to)
{
    if (o->weights == GG_NAG_CONTRAST)
        return gg_fail(ctx, GG_EUNSUPPORTED,
                       "contrast weights need the counts of the whole pool: a piece of it cannot be ranked by them; rank the folder in one run");
    if (o->quality_column || o->label_column)
        return gg_fail(ctx, GG_EUNSUPPORTED, "a %s needs the whole pool: a piece of it cannot be ranked by it; rank the folder in one run",
                       o->quality_column ? "mix with a quality" : "comparison by labels");
    if (!(keep >= 0 && keep <= 1))
        return gg_fail(ctx, GG_EINVAL, "--keep %g is outside [0, 1]", keep);
    if (isnan(up_to))
        return gg_fail(ctx, GG_EINVAL, "--up-to is not a number");
    gg__nag_job j = {.ctx = ctx, .o = o, .keep = isfinite(up_to) ? 1 : keep, .up_to = up_to, .sketched = true};
    gg_status st = gg__nag_job_targets(&j, target, n);
    if (st == GG_OK)
        st = gg__nag_job_run(&j);
    if (st == GG_OK)
        st = write_piece(&j, path);
    gg__nag_job_free(&j);
    return st;
}
