/* Ranking a pool against targets. Owns: the order, the token budget, the passes over the pool.
 *
 *     order    (score, docid) ascending, docids as bytes; score = distance, or with a quality column
 *              minmax(distance) + minmax(quality)        (or + 1 - minmax(quality) when higher is better; a constant column gives 0)
 *     budget   floor(fraction * all tokens); rows are kept from the top while their running sum of tokens stays within it, and the
 *              first row is kept even when it alone is more. Nothing after the first row that does not fit is kept.
 * min and max are over the whole pool, after the rows without a quality were left out (they do not count towards the budget either).
 *
 * There is one way through, for a pool of ten documents and of 10^9, for one target and for 64:
 *     targets -> counts;  pool -> census (docids, token counts, columns; with contrast also counts);  counts -> profiles -> one table
 *     [with a quality: pool -> smallest and largest distance]
 *     pool -> distances of a piece of documents to all targets -> each target's front
 * The census bounds the budget, the budget bounds the front (front.c), and so a front holds little more than what is chosen. With everything
 * held, the bound is infinite and nothing else differs.
 * Traps: contrast needs the pool's counts first, hence a census that reads the lists too; the token counts of a payload may make the
 * budget smaller than its bound, never larger.
 */
#include "systems/nag/rank.h"
#include "base/work.h"
#include <math.h>
#include <stdlib.h>

/* --- the pieces ------------------------------------------------------------------------------------------------------------ */
static int64_t prefix(int64_t *tokens, const gg_nag_row *row, int64_t n, int64_t budget)
{
    int64_t kept = 0, sum = 0;
    while (kept < n && sum + row[kept].token_num <= budget)
        sum += row[kept++].token_num;
    if (kept == 0 && n > 0)
        sum = row[kept++].token_num;
    *tokens = sum;
    return kept;
}

static int64_t budget_of(int64_t n_tokens, double fraction) { return (int64_t)((double)n_tokens * fraction); }

int64_t gg_nag_budget(int64_t *budget, int64_t *total, const gg_nag_row *row, int64_t n, double fraction)
{
    int64_t all = 0, tokens;
    for (int64_t i = 0; i < n; i++)
        all += row[i].token_num;
    *budget = budget_of(all, fraction);
    *total = all;
    return prefix(&tokens, row, n, *budget);
}

void gg__nag_choose(gg_nag_ranking *r, int64_t n_tokens, double fraction)
{
    r->n_tokens = n_tokens;
    r->budget = budget_of(n_tokens, fraction);
    r->n_selected = prefix(&r->n_selected_tokens, r->row, r->n_rows, r->budget);
}

static double minmax(double x, double least, double most) { return most == least ? 0 : (x - least) / (most - least); }

void gg_nag_minmax(double *out, const double *x, int64_t n)
{
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = minmax(x[i], least, most);
}

/* --- scoring: a pass that computes every distance ------------------------------------------------------------------------------- */
typedef struct worker { /* what one thread has for itself */
    double *distance;           /* (gg__nag_table_numbers,) */
    gg_nag_row *document;       /* (cap,) docid, quality, tokens and label of a piece's documents that count */
    int64_t *at;                /* (cap,) where they stand in the piece */
    gg_nag_row *row;            /* (cap,) those for a front */
    int64_t cap;
    gg__nag_lists list[GG__NAG_PIECE];
    void *scratch[GG__NAG_PIECE];
    int64_t scratch_cap[GG__NAG_PIECE];
    int64_t n_tokens, n_uncounted;
    int64_t *label_tokens;      /* (n_labels + 1,) */
    double *least, *most;       /* (n_aims,) of the distances */
    gg__nag_sketch **sketch;    /* (n_aims,); NULL: not wanted */
} worker;

typedef struct scoring {
    gg__nag_job *j;
    bool only_range;            /* distances are not kept, their smallest and largest are wanted */
    worker *worker;             /* (threads,) */
} scoring;

static gg_status worker_reserve(worker *w, const gg__nag_job *j, int64_t n)
{
    gg_context *ctx = j->ctx;
    if (!w->least) {
        if (!(w->least = gg_new(ctx, double, gg_mul(2, j->n_aims))) || !(w->label_tokens = gg_new(ctx, int64_t, j->census->labels.n + 1)))
            return GG_ENOMEM;
        w->most = w->least + j->n_aims;
        for (int a = 0; a < j->n_aims; a++) {
            w->least[a] = INFINITY;
            w->most[a] = -INFINITY;
        }
        if (j->sketched && !(w->sketch = gg_new(ctx, gg__nag_sketch *, j->n_aims)))
            return GG_ENOMEM;
        for (int a = 0; a < j->n_aims && j->sketched; a++)
            GG_TRY(gg__nag_sketch_create(&w->sketch[a], ctx));
    }
    if (n <= w->cap)
        return GG_OK;
    gg_drop(ctx, w->distance);
    gg_drop(ctx, w->document);
    gg_drop(ctx, w->at);
    gg_drop(ctx, w->row);
    w->cap = 0;
    w->distance = gg_new(ctx, double, gg__nag_table_numbers(j->table, n));
    w->document = gg_new(ctx, gg_nag_row, n);
    w->row = gg_new(ctx, gg_nag_row, n);
    w->at = gg_new(ctx, int64_t, n);
    if (!w->distance || !w->document || !w->row || !w->at)
        return GG_ENOMEM;
    w->cap = n;
    return GG_OK;
}

static void worker_free(worker *w, const gg__nag_job *j)
{
    gg_context *ctx = j->ctx;
    gg_drop(ctx, w->distance);
    gg_drop(ctx, w->document);
    gg_drop(ctx, w->at);
    gg_drop(ctx, w->row);
    gg_drop(ctx, w->least);
    gg_drop(ctx, w->label_tokens);
    for (int a = 0; w->sketch && a < j->n_aims; a++)
        gg__nag_sketch_free(w->sketch[a]);
    gg_drop(ctx, w->sketch);
    for (int b = 0; b < GG__NAG_PIECE; b++)
        gg_drop(ctx, w->scratch[b]);
}

/* What is known of the block's documents beside their distances: those that count into w->document. `at`: of the block's first in the piece. */
static int64_t take_documents(worker *w, const scoring *s, const gg_nag_features *f, int64_t number, int64_t at, int64_t n_documents)
{
    const gg__nag_census *c = s->j->census;
    const bool own = !s->j->o->token_column;
    for (int64_t i = 0; i < f->n; i++, number++) {
        if (!gg__nag_is_paid(c, number) || (c->quality && isnan(c->quality[number])))
            continue;
        int64_t tokens = own && f->token_num[i] >= 0 ? f->token_num[i] : c->tokens ? c->tokens[number] : -1;
        const int32_t label = c->label && c->label[number] != GG__NAG_NO_LABEL ? c->label[number] : -1;
        if (!s->only_range) {
            w->n_uncounted += tokens < 0;
            tokens = tokens < 0 ? 0 : tokens;
            w->n_tokens += tokens;
            w->label_tokens[label < 0 ? c->labels.n : label] += tokens;
        }
        w->at[n_documents] = at + i;
        w->document[n_documents++] = (gg_nag_row){.docid = f->docid[i], .quality = c->quality ? c->quality[number] : NAN, .token_num = tokens, .label = label};
    }
    return n_documents;
}

static double quality_part(const gg__nag_job *j, double quality)
{
    const double q = minmax(quality, j->census->least_quality, j->census->most_quality);
    return j->o->invert_quality ? 1.0 - q : q;
}

/* Offers the piece's documents to fronts of one order; column: their distances by the weights that it goes by. */
static gg_status offer(worker *w, const gg__nag_job *j, const gg__nag_aim *a, gg__nag_front *const *front, int n_fronts, const double *column, int64_t stride,
                       int64_t n, bool mixed)
{
    int64_t m = 0;
    double low = -INFINITY, high = INFINITY; /* scores between them are wanted by none */
    for (int f = 0; f < n_fronts; f++)
        gg__nag_front_widen(front[f], &low, &high);
    for (int64_t i = 0; i < n; i++) {
        const double distance = column[w->at[i] * stride];
        const double score = mixed ? minmax(distance, a->least, a->most) + quality_part(j, w->document[i].quality) : distance;
        if (score > low && score < high)
            continue;
        w->row[m] = w->document[i];
        w->row[m].distance = distance;
        w->row[m++].score = score;
    }
    for (int f = 0; f < n_fronts; f++)
        GG_TRY(gg__nag_front_add(front[f], w->row, m));
    return GG_OK;
}

static gg_status score_aim(worker *w, const scoring *s, int at, int64_t n, int64_t n_all)
{
    const gg__nag_job *j = s->j;
    gg__nag_aim *a = j->aim[at];
    const gg_nag_weights weights = j->o->weights;
    const bool mixed = j->o->quality_column != NULL;
    int64_t stride;
    const double *column = gg__nag_table_column(&stride, j->table, w->distance, n_all, a->column[weights]);
    if (s->only_range) {
        for (int64_t i = 0; i < n; i++) {
            w->least[at] = fmin(w->least[at], column[w->at[i] * stride]);
            w->most[at] = fmax(w->most[at], column[w->at[i] * stride]);
        }
        return GG_OK;
    }
    for (int64_t i = 0; i < n && w->sketch; i++)
        gg__nag_sketch_add(w->sketch[at], column[w->at[i] * stride], w->document[i].token_num);
    GG_TRY(offer(w, j, a, (gg__nag_front *const[]){&a->front, &a->near, &a->far}, 3, column, stride, n, mixed));
    for (int v = 0; v < 2 && a->r.right >= 0; v++) {
        column = gg__nag_table_column(&stride, j->table, w->distance, n_all, a->column[v]);
        GG_TRY(offer(w, j, a, (gg__nag_front *const[]){&a->precise[v]}, 1, column, stride, n, false));
    }
    return GG_OK;
}

static gg_status score_piece(void *user, const gg__nag_piece *p, int index)
{
    const scoring *s = user;
    worker *w = &s->worker[index];
    int64_t n_all = 0, n = 0;
    for (int b = 0; b < p->n_blocks; b++)
        n_all += p->block[b].f.n;
    GG_TRY(worker_reserve(w, s->j, n_all));
    for (int64_t b = 0, at = 0; b < p->n_blocks; at += p->block[b++].f.n) {
        const gg__nag_block *block = &p->block[b];
        GG_TRY(gg__nag_lists_of(&w->list[b], &w->scratch[b], &w->scratch_cap[b], s->j->table, &block->f, p->site, block->top[p->site]));
        n = take_documents(w, s, &block->f, p->base + block->first, at, n);
    }
    gg__nag_table_distance(w->distance, s->j->table, w->list, p->n_blocks);
    for (int a = 0; a < s->j->n_aims; a++)
        GG_TRY(score_aim(w, s, a, n, n_all));
    return GG_OK;
}

/* The sums of all workers. Whole numbers, smallest and largest: who did what leaves no trace. */
static void gather(const scoring *s)
{
    gg__nag_job *j = s->j;
    for (int i = 0; i < gg_context_threads(j->ctx); i++) {
        const worker *w = &s->worker[i];
        if (!w->least)
            continue;
        j->n_tokens += w->n_tokens;
        j->n_uncounted += w->n_uncounted;
        for (int64_t l = 0; l <= j->census->labels.n; l++)
            j->label_tokens[l] += w->label_tokens[l];
        for (int a = 0; a < j->n_aims; a++) {
            j->aim[a]->least = fmin(j->aim[a]->least, w->least[a]);
            j->aim[a]->most = fmax(j->aim[a]->most, w->most[a]);
            if (w->sketch)
                gg__nag_sketch_merge(j->aim[a]->sketch, w->sketch[a]);
        }
    }
}

static gg_status score(gg__nag_job *j, bool only_range)
{
    scoring s = {.j = j, .only_range = only_range, .worker = gg_new(j->ctx, worker, gg_context_threads(j->ctx))};
    if (!s.worker)
        return GG_ENOMEM;
    const gg_status st = gg__nag_pool_pass(&j->pool, false, gg__nag_table_batch(j->table), score_piece, &s);
    if (st == GG_OK)
        gather(&s);
    for (int i = 0; i < gg_context_threads(j->ctx); i++)
        worker_free(&s.worker[i], j);
    gg_drop(j->ctx, s.worker);
    return st;
}

/* --- options ------------------------------------------------------------------------------------------------------------------------- */
static gg_status check_options(gg_context *ctx, const gg_nag_rank_options *o, int n_targets)
{
    if (!(o->fraction > 0 && o->fraction <= 1))
        return gg_fail(ctx, GG_EINVAL, "--fraction %g is outside (0, 1]", o->fraction);
    if (n_targets < 1 || o->n_pool < 1)
        return gg_fail(ctx, GG_EINVAL, "rank needs feature files of a target and of a pool");
    if (n_targets > GG_NAG_MAX_TARGETS)
        return gg_fail(ctx, GG_EINVAL, "%d targets; one pass takes at most %d", n_targets, GG_NAG_MAX_TARGETS);
    if (o->label_column && (o->n_payload == 0) && gg__nag_is_binary(o->pool[0]))
        return gg_fail(ctx, GG_EINVAL, "labels are in the pool's documents: give them with --payload");
    if (o->quality_column && (o->n_payload == 0) && gg__nag_is_binary(o->pool[0]))
        return gg_fail(ctx, GG_EINVAL, "the quality is in the pool's documents: give them with --payload");
    if (o->target_label && !o->label_column)
        return gg_fail(ctx, GG_EINVAL, "a target label needs a label column");
    for (int p = 0; p < o->n_pool + o->n_payload; p++)
        if (strcmp(p < o->n_pool ? o->pool[p] : o->payload[p - o->n_pool], "-") == 0)
            return gg_fail(ctx, GG_EINVAL, "pool and payload are read twice: standard input cannot be one of them");
    return GG_OK;
}

/* Row files may not say how many layers they have; a binary file beside them does. */
static gg_status find_layers(int *n_layers, gg_context *ctx, char *const *path, int n)
{
    for (int i = 0; i < n && *n_layers == 0; i++) {
        if (!gg__nag_is_binary(path[i]))
            continue;
        gg_nag_reader *r = NULL;
        GG_TRY(gg_nag_reader_open(&r, ctx, path[i], 0));
        *n_layers = gg_nag_reader_header(r)->n_layers;
        gg_nag_reader_close(r);
    }
    return GG_OK;
}

gg_status gg__nag_job_targets(gg__nag_job *j, const gg_nag_target *target, int n)
{
    const gg_nag_rank_options *o = j->o;
    gg_context *ctx = j->ctx;
    const gg_nag_target single = {.name = o->n_target ? o->target[0] : NULL, .path = o->target, .n_paths = o->n_target};
    if (!target) {
        target = &single;
        n = o->n_target > 0;
    }
    j->pool = (gg__nag_pool){.ctx = ctx, .type = o->type, .is_piece = j->sketched, .n_layers = o->n_layers, .like = &j->target, .progress = o->progress};
    GG_TRY(check_options(ctx, o, n));
    GG_TRY(gg__nag_files_of(&j->pool.files, ctx, o->pool, o->n_pool));
    for (int a = 0; a < n && j->pool.n_layers == 0; a++) {
        gg__nag_files files;
        GG_TRY(gg__nag_files_of(&files, ctx, target[a].path, target[a].n_paths));
        const gg_status st = find_layers(&j->pool.n_layers, ctx, files.path, files.n);
        gg__nag_files_free(&files, ctx);
        GG_TRY(st);
    }
    GG_TRY(find_layers(&j->pool.n_layers, ctx, j->pool.files.path, j->pool.files.n));
    if (!(j->aim = gg_new(ctx, gg__nag_aim *, n)))
        return GG_ENOMEM;
    j->target_path = j->pool.like_path = target[0].path[0];
    for (int a = 0; a < n; a++) {
        gg_nag_header h;
        if (!(j->aim[a] = gg__nag_aim_create(ctx)))
            return GG_ENOMEM;
        j->n_aims++;
        const char *name = target[a].name ? target[a].name : "";
        if (!(j->aim[a]->r.name = gg_arena_strndup(&j->aim[a]->arena, name, strlen(name))))
            return GG_ENOMEM;
        GG_TRY(gg__nag_aim_read(j->aim[a], &h, o, target[a].path, target[a].n_paths, j->pool.n_layers));
        if (a == 0)
            j->target = h;
        else
            GG_TRY(gg_nag_header_match(ctx, &j->target, j->target_path, &h, target[a].path[0], o->type));
    }
    j->pool.n_layers = j->target.n_layers;
    return GG_OK;
}

/* --- between the passes ---------------------------------------------------------------------------------------------------------------- */
static gg_status check_columns(const gg__nag_job *j)
{
    const gg_nag_rank_options *o = j->o;
    const gg__nag_census *c = j->census;
    const char *has = c->present.data ? c->present.data : "none";
    const char *where = o->n_payload ? o->payload[0] : o->pool[0];
    if (c->n_kept == 0 && j->sketched) /* a piece of a pool may be empty */
        return GG_OK;
    if (c->n_kept == 0 && c->n_unrated && c->saw_quality)
        return gg_fail(j->ctx, GG_EINVAL, "nothing to rank: %s: no document has a number in its column %s", where, o->quality_column);
    if (c->n_kept == 0 && !c->n_unrated)
        return gg_fail(j->ctx, GG_EINVAL, "nothing to rank: %s%s", o->pool[0],
                       c->n_unpaid ? " and the payload have no docid in common" : " holds no documents");
    if (!c->saw_tokens && o->token_column)
        return gg_fail(j->ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->token_column, has);
    if (!c->saw_tokens)
        return gg_fail(j->ctx, GG_ENOENT, "no token counts: neither the features nor %s have token_num; give documents that do with --payload, "
                       "or name their column with --token-column", where);
    if (o->quality_column && !c->saw_quality)
        return gg_fail(j->ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->quality_column, has);
    if (o->label_column && !c->saw_label)
        return gg_fail(j->ctx, GG_ENOENT, "%s has no column %s; it has: %s", where, o->label_column, has);
    return GG_OK;
}

static gg_status name_labels(gg__nag_job *j, gg__nag_aim *a)
{
    gg_nag_ranking *r = &a->r;
    const gg__docids *labels = &j->census->labels;
    if (!(r->label = gg_new(j->ctx, char *, labels->n)) || !(r->label_tokens = gg_new(j->ctx, int64_t, labels->n + 1)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < labels->n; i++)
        if (!(r->label[i] = gg_arena_strndup(&a->arena, labels->at[i], strlen(labels->at[i]))))
            return GG_ENOMEM;
    r->n_labels = (int)labels->n;
    const gg_nag_rank_options *o = j->o;
    const char *right = o->target_label ? o->target_label : o->target_filter ? o->target_filter : j->n_aims > 1 ? r->name : NULL;
    r->right = right ? (int32_t)gg__docids_find(labels, right) : -1;
    if (o->target_label && r->right < 0)
        return gg_fail(j->ctx, GG_ENOENT, "no document of the pool has %s = %s", o->label_column, o->target_label);
    return GG_OK;
}

static gg_status make_profiles(gg__nag_job *j)
{
    const gg_nag_rank_options *o = j->o;
    const bool both = o->label_column != NULL; /* with labels both weights are compared */
    const gg_nag_profile **all = gg_new(j->ctx, const gg_nag_profile *, gg_mul(2, j->n_aims));
    int n = 0;
    gg_status st = all ? GG_OK : GG_ENOMEM;
    for (int w = 0; w < 2 && st == GG_OK; w++)
        for (int i = 0; i < j->n_aims && st == GG_OK; i++) {
            gg__nag_aim *a = j->aim[i];
            if (!both && (int)o->weights != w)
                continue;
            st = w == GG_NAG_CONTRAST ? gg_nag_profile_contrast(&a->profile[w], a->r.counts, j->census->counts[0])
                                      : gg_nag_profile_frequency(&a->profile[w], a->r.counts, o->power == 0 ? 1 : o->power);
            a->column[w] = n;
            all[n] = a->profile[w];
            n += st == GG_OK;
        }
    for (int i = 0; i < j->n_aims && st == GG_OK; i++)
        j->aim[i]->r.profile = j->aim[i]->profile[o->weights];
    if (st == GG_OK)
        st = gg__nag_table_create(&j->table, j->ctx, all, n);
    gg_drop(j->ctx, all);
    return st;
}

static gg_status make_fronts(gg__nag_job *j)
{
    const int64_t bound = j->keep_all || j->keep >= 1 ? INT64_MAX : budget_of(j->census->most_tokens, j->keep);
    for (int i = 0; i < j->n_aims; i++) {
        gg__nag_aim *a = j->aim[i];
        gg__nag_front_init(&a->front, j->ctx, bound, GG__NAG_BY_TOKENS);
        gg__nag_front_limit(&a->front, j->up_to);
        gg__nag_front_init(&a->near, j->ctx, GG_NAG_ENDS, GG__NAG_BY_COUNT);
        gg__nag_front_init(&a->far, j->ctx, GG_NAG_ENDS, GG__NAG_BY_COUNT | GG__NAG_FROM_THE_END);
        for (int w = 0; w < 2 && a->r.right >= 0; w++)
            gg__nag_front_init(&a->precise[w], j->ctx, j->census->n_of_label[a->r.right], GG__NAG_BY_COUNT);
        if (j->sketched)
            GG_TRY(gg__nag_sketch_create(&a->sketch, j->ctx));
    }
    return GG_OK;
}

/* --- after them -------------------------------------------------------------------------------------------------------------------------- */
/* Of the first n rows by distance, n = documents of the right label, the share that has it. */
static gg_status precision_at_n(double *out, gg__nag_front *f, int32_t right, int64_t n)
{
    int64_t hit = 0;
    GG_TRY(gg__nag_front_finish(f));
    for (int64_t i = 0; i < n; i++)
        hit += f->row[i].label == right;
    *out = n ? (double)hit / (double)n : NAN;
    gg__nag_front_free(f);
    return GG_OK;
}

static gg_status finish_aim(void *user, int64_t i, int index)
{
    (void)index;
    const gg__nag_job *j = user;
    gg__nag_aim *a = j->aim[i];
    gg_nag_ranking *r = &a->r;
    GG_TRY(gg__nag_front_finish(&a->front));
    GG_TRY(gg__nag_front_finish(&a->near));
    GG_TRY(gg__nag_front_finish(&a->far));
    for (int w = 0; w < 2 && r->right >= 0; w++)
        GG_TRY(precision_at_n(&r->precision[w], &a->precise[w], r->right, j->census->n_of_label[r->right]));
    r->header = j->pool.header;
    r->n = j->census->n_kept;
    r->n_tokens = j->n_tokens;
    r->row = a->front.row;
    r->n_rows = a->front.n;
    r->n_ends = (int)(r->n < GG_NAG_ENDS ? r->n : GG_NAG_ENDS);
    for (int k = 0; k < r->n_ends; k++) {
        r->near[k] = a->near.row[k];
        r->far[k] = a->far.row[k];
    }
    r->n_unpaid = j->census->n_unpaid;
    r->n_unrated = j->census->n_unrated;
    r->n_uncounted = j->n_uncounted;
    r->combined = j->o->quality_column != NULL;
    memcpy(r->label_tokens, j->label_tokens, sizeof *r->label_tokens * (size_t)(r->n_labels + 1));
    return GG_OK;
}

gg_status gg__nag_job_run(gg__nag_job *j)
{
    const gg_nag_rank_options *o = j->o;
    GG_TRY(gg__nag_census_take(&j->census, &j->pool, o, o->weights == GG_NAG_CONTRAST || o->label_column));
    GG_TRY(gg__nag_census_close(j->census));
    GG_TRY(check_columns(j));
    GG_TRY(make_profiles(j));
    if (!(j->label_tokens = gg_new(j->ctx, int64_t, j->census->labels.n + 1)))
        return GG_ENOMEM;
    for (int a = 0; a < j->n_aims; a++)
        GG_TRY(name_labels(j, j->aim[a]));
    GG_TRY(make_fronts(j));
    if (o->quality_column)
        GG_TRY(score(j, true));
    GG_TRY(score(j, false));
    return gg_parallel(j->ctx, j->n_aims, finish_aim, j);
}

void gg__nag_job_free(gg__nag_job *j)
{
    for (int a = 0; j->aim && a < j->n_aims; a++)
        gg_nag_ranking_free(j->aim[a] ? &j->aim[a]->r : NULL);
    gg_drop(j->ctx, j->aim);
    gg_drop(j->ctx, j->label_tokens);
    gg__nag_table_free(j->table);
    gg__nag_census_free(j->census);
    gg__nag_pool_free(&j->pool);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------------------------ */
gg_status gg_nag_rank_many(gg_nag_ranking **out, gg_context *ctx, const gg_nag_rank_options *o, const gg_nag_target *target, int n)
{
    gg__nag_job j = {.ctx = ctx, .o = o, .keep_all = !o->chosen_only, .keep = o->fraction, .up_to = INFINITY};
    gg_status st = gg__nag_job_targets(&j, target, n);
    if (st == GG_OK)
        st = gg__nag_job_run(&j);
    if (st == GG_OK && j.n_tokens == 0)
        st = gg_fail(ctx, GG_EINVAL, "all token counts of the pool are 0: a share of them cannot be chosen");
    for (int a = 0; a < j.n_aims && st == GG_OK; a++) {
        gg_nag_ranking *r = &j.aim[a]->r;
        gg__nag_choose(r, j.n_tokens, o->fraction);
        if (o->chosen_only)
            r->n_rows = r->n_selected;
        out[a] = r;
        j.aim[a] = NULL;
    }
    gg__nag_job_free(&j);
    return st;
}

gg_status gg_nag_rank(gg_nag_ranking **out, gg_context *ctx, const gg_nag_rank_options *o) { return gg_nag_rank_many(out, ctx, o, NULL, 1); }
