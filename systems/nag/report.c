/* The report of a selection: what was chosen, how far each document is, the neurons the target leans on, a map of the documents.
 * Several targets of one pool are chapters of one report.
 *
 * Every number of the page is computed here from the ranking it is given; nothing is read back from files but the lists of the
 * documents on the map and the pool's counts of neurons.
 * Traps: a pool may have hundreds of domains: the largest are shown, the others together. A domain keeps its colour in all pictures, so
 * classes are made once, by name. Documents at exactly the same place of the map are copies of one another.
 */
#include "systems/nag/cmd.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NBSP "\u00a0" /* keeps a number and its sign on one line of the headline */
enum { DOMAINS_SHOWN = 12, NEURONS_SHOWN = 20, MAP_DOCUMENTS = 1500, MAP_TARGETS = 100, BINS = 48, TOLD_IN_HEADLINE = 3 };

typedef struct classes { /* of the pool's documents, for colours */
    const char **name;   /* (n,) */
    int n;
    int32_t *of_label;   /* (n_labels + 1,) class of a label, the last: of documents without one */
} classes;

typedef struct job {
    gg_context *ctx;
    const gg__nag_chapter *chapter;
    int n_chapters;
    gg__nag_pages pages;
    classes classes;
    int64_t *rank;        /* (wanted.n,) positions in the first chapter's ranking of the pool documents on the map */
    gg__docids wanted;    /* their docids */
    gg__nag_picked pool;
    gg_arena names;       /* of the map's classes */
} job;

static void drop(job *j)
{
    gg__nag_pages_discard(&j->pages);
    gg_drop(j->ctx, j->classes.name);
    gg_drop(j->ctx, j->classes.of_label);
    gg_drop(j->ctx, j->rank);
    gg__docids_free(&j->wanted);
    gg__nag_picked_free(&j->pool);
    gg_arena_free(&j->names);
}

/* A picture's name: with several targets the target's is before it. */
static const char *place(job *j, const gg__nag_chapter *c, const char *name)
{
    char text[256];
    snprintf(text, sizeof text, "%.200s%s%s", j->n_chapters > 1 ? c->story->target_name : "", j->n_chapters > 1 ? "-" : "", name);
    return gg__nag_place(&j->pages, text);
}

static void section(job *j, const gg__nag_chapter *c, const char *heading, const char *paragraph)
{
    char text[512];
    if (j->n_chapters > 1)
        snprintf(text, sizeof text, "%.300s: %c%s", c->story->target_name, heading[0] | 0x20, heading + 1);
    else
        snprintf(text, sizeof text, "%s", heading);
    gg_report_section(j->pages.report, text, paragraph);
}

/* --- classes -------------------------------------------------------------------------------------------------------------------- */
typedef struct domain {
    int label;
    const char *name;
    int64_t n;
} domain;

static int larger_first(const void *pa, const void *pb)
{
    const domain *a = pa, *b = pb;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : strcmp(a->name, b->name);
}

static int by_name(const void *pa, const void *pb)
{
    const domain *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

/* The largest domains each have a class, the others one together, documents without a domain one. No labels at all: chosen or not. */
static gg_status make_classes(classes *c, const gg_nag_ranking *r)
{
    domain *d = gg_new(r->ctx, domain, r->n_labels);
    c->name = gg_new(r->ctx, const char *, DOMAINS_SHOWN + 2);
    c->of_label = gg_new(r->ctx, int32_t, r->n_labels + 1);
    if (!d || !c->name || !c->of_label) {
        gg_drop(r->ctx, d);
        return GG_ENOMEM;
    }
    int64_t n_none = 0;
    for (int i = 0; i < r->n_labels; i++)
        d[i] = (domain){.label = i, .name = r->label[i]};
    for (int64_t i = 0; i < r->n; i++)
        if (r->row[i].label < 0)
            n_none++;
        else
            d[r->row[i].label].n++;
    qsort(d, (size_t)r->n_labels, sizeof *d, larger_first);
    const int shown = r->n_labels < DOMAINS_SHOWN ? r->n_labels : DOMAINS_SHOWN;
    qsort(d, (size_t)shown, sizeof *d, by_name);
    for (int i = 0; i < r->n_labels; i++) {
        c->of_label[d[i].label] = i < shown ? i : shown;
        if (i < shown)
            c->name[c->n++] = d[i].name;
    }
    if (shown < r->n_labels)
        c->name[c->n++] = "(other)";
    if (r->n_labels && n_none) {
        c->of_label[r->n_labels] = c->n;
        c->name[c->n++] = "(none)";
    }
    if (!r->n_labels) {
        c->name[c->n++] = "chosen";
        c->name[c->n++] = "not chosen";
    }
    gg_drop(r->ctx, d);
    return GG_OK;
}

static int32_t class_of(const classes *c, const gg_nag_ranking *r, int64_t i)
{
    if (!r->n_labels)
        return i >= r->n_selected;
    return c->of_label[r->row[i].label < 0 ? r->n_labels : r->row[i].label];
}

/* --- the headline ------------------------------------------------------------------------------------------------------------------ */
/* The label that a sentence about this target is about: the right one, else that of most chosen tokens. -1: no labels. */
static int told_label(const gg_nag_ranking *r, const double *chosen)
{
    int best = r->right;
    for (int i = 0; i < r->n_labels && r->right < 0; i++)
        best = best < 0 || chosen[i] > chosen[best] ? i : best;
    return best;
}

static double median_score(const gg_nag_ranking *r) /* rows are in its order */
{
    return 0.5 * (r->row[(r->n - 1) / 2].score + r->row[r->n / 2].score);
}

static gg_status headline(gg_str *out, job *j)
{
    char a[32], b[32];
    const bool several = j->n_chapters > 1;
    if (several)
        gg_str_printf(out, "Chosen out of %s documents: ", gg__nag_count_text(a, j->chapter[0].r->n));
    for (int i = 0; i < j->n_chapters && i < TOLD_IN_HEADLINE; i++) {
        const gg__nag_chapter *c = &j->chapter[i];
        const gg_nag_ranking *r = c->r;
        double *pool, *chosen;
        GG_TRY(gg__nag_shares(&pool, &chosen, r));
        const int label = told_label(r, chosen);
        if (several)
            gg_str_printf(out, "%sfor %s ", i ? "; " : "", c->story->target_name);
        else
            gg_str_printf(out, "For %s, %s of %s documents were chosen: ", c->story->target_name, gg__nag_count_text(a, r->n_selected),
                          gg__nag_count_text(b, r->n));
        if (label >= 0)
            gg_str_printf(out,
                          several ? "%.0f" NBSP "%% of the tokens are %s (pool: %.0f" NBSP "%%)"
                                  : "%.0f" NBSP "%% of their tokens are %s, against %.0f" NBSP "%% in the pool",
                          100 * chosen[label], r->label[label], 100 * pool[label]);
        else
            gg_str_printf(out, "%s %.3f to %.3f (pool's median: %.3f)", r->combined ? "score" : "distance", r->row[0].score, r->row[r->n_selected - 1].score,
                          median_score(r));
        gg_drop(r->ctx, pool);
    }
    if (j->n_chapters > TOLD_IN_HEADLINE)
        gg_str_printf(out, "; and %d more targets", j->n_chapters - TOLD_IN_HEADLINE);
    gg_str_puts(out, ".");
    return out->failed ? GG_ENOMEM : GG_OK;
}

/* --- what was chosen ----------------------------------------------------------------------------------------------------------------- */
typedef struct share {
    const char *name;
    double pool, chosen;
    int64_t n, n_chosen;
} share;

static int more_chosen_first(const void *pa, const void *pb)
{
    const share *a = pa, *b = pb;
    if (a->chosen != b->chosen)
        return a->chosen < b->chosen ? 1 : -1;
    return a->pool != b->pool ? (a->pool < b->pool ? 1 : -1) : strcmp(a->name, b->name);
}

/* Tokens by label, or by class (fewer) for the picture. */
static gg_status make_shares(share **out, int *n_out, const job *j, const gg_nag_ranking *r, bool by_class)
{
    const int n = by_class ? j->classes.n : r->n_labels + 1;
    share *s = gg_new(r->ctx, share, n);
    if (!s)
        return GG_ENOMEM;
    for (int i = 0; i < n; i++)
        s[i].name = by_class ? j->classes.name[i] : i < r->n_labels ? r->label[i] : "(none)";
    for (int64_t i = 0; i < r->n; i++) {
        share *at = &s[by_class ? class_of(&j->classes, r, i) : r->row[i].label < 0 ? r->n_labels : r->row[i].label];
        at->n++;
        at->pool += (double)r->row[i].token_num;
        if (i < r->n_selected) {
            at->n_chosen++;
            at->chosen += (double)r->row[i].token_num;
        }
    }
    int kept = 0;
    for (int i = 0; i < n; i++) {
        s[i].pool /= (double)r->n_tokens;
        s[i].chosen /= (double)(r->n_selected_tokens ? r->n_selected_tokens : 1);
        if (s[i].n)
            s[kept++] = s[i];
    }
    qsort(s, (size_t)kept, sizeof *s, more_chosen_first);
    *out = s;
    *n_out = kept;
    return GG_OK;
}

static gg_status plot_shares(job *j, const gg__nag_chapter *c)
{
    const gg_nag_ranking *r = c->r;
    share *s = NULL;
    int n = 0;
    GG_TRY(make_shares(&s, &n, j, r, true));
    const char **name = gg_new(r->ctx, const char *, n);
    double *pool = gg_new(r->ctx, double, gg_mul(2, n)), *chosen = pool ? pool + n : NULL;
    gg_status st = name && pool ? GG_OK : GG_ENOMEM;
    for (int i = 0; i < n && st == GG_OK; i++) {
        name[i] = s[i].name;
        pool[i] = fmin(1, s[i].pool);
        chosen[i] = fmin(1, s[i].chosen);
    }
    char title[256], caption[512];
    snprintf(title, sizeof title, "Tokens by %.60s: the pool, and what was chosen for %.60s", c->o->label_column, c->story->target_name);
    snprintf(caption, sizeof caption,
             "Share of the tokens, in the pool and among the chosen. A selection that knew nothing of the target would look like the pool.");
    if (st == GG_OK)
        st = gg__nag_picture(&j->pages, gg_plot_shares(r->ctx, place(j, c, "shares"), title, name, n, pool, "pool", chosen, "chosen", "share of the tokens"),
                             caption);
    gg_drop(r->ctx, name);
    gg_drop(r->ctx, pool);
    gg_drop(r->ctx, s);
    return st;
}

static gg_status table_of_shares(job *j, const gg__nag_chapter *c)
{
    share *s = NULL;
    int n = 0;
    GG_TRY(make_shares(&s, &n, j, c->r, false));
    gg_report_table_begin(j->pages.report, "Shares of the tokens",
                          (const char *[]){c->o->label_column, "pool, %", "chosen, %", "times as much", "documents", "of them chosen"},
                          (const bool[]){false, true, true, true, true, true}, 6);
    for (int i = 0; i < n; i++) {
        char t[5][32];
        snprintf(t[0], 32, "%.1f", 100 * s[i].pool);
        snprintf(t[1], 32, "%.1f", 100 * s[i].chosen);
        snprintf(t[2], 32, "%.2f", s[i].pool > 0 ? s[i].chosen / s[i].pool : 0);
        gg_report_table_row(j->pages.report,
                            (const char *[]){s[i].name, t[0], t[1], t[2], gg__nag_count_text(t[3], s[i].n), gg__nag_count_text(t[4], s[i].n_chosen)});
    }
    gg_report_table_end(j->pages.report);
    gg_drop(j->ctx, s);
    return GG_OK;
}

static gg_status what_was_chosen(job *j, const gg__nag_chapter *c)
{
    const gg_nag_ranking *r = c->r;
    char a[32], b[32], d[32], e[32], f[32];
    gg_str text = {.ctx = r->ctx};
    gg_str_printf(&text, "%s of %s documents: %s of %s tokens (%.1f %%; asked for: %g %%), the nearest to %s target document%s.",
                  gg__nag_count_text(a, r->n_selected), gg__nag_count_text(b, r->n), gg__nag_count_text(d, r->n_selected_tokens),
                  gg__nag_count_text(e, r->n_tokens), 100.0 * (double)r->n_selected_tokens / (double)r->n_tokens, 100 * c->o->fraction,
                  gg__nag_count_text(f, r->n_targets), r->n_targets == 1 ? "" : "s");
    if (r->right >= 0) {
        int64_t n = 0;
        for (int64_t i = 0; i < r->n; i++)
            n += r->row[i].label == r->right;
        gg_str_printf(&text, " The pool holds %s documents of %s; of the %s nearest, %.1f %% are of it (%.1f %% with %s weights).", gg__nag_count_text(a, n),
                      r->label[r->right], gg__nag_count_text(b, n), 100 * r->precision[c->o->weights], 100 * r->precision[!c->o->weights],
                      c->o->weights == GG_NAG_CONTRAST ? "frequency" : "contrast");
    }
    if (r->n_unpaid)
        gg_str_printf(&text, " %s documents of the features are not in the payload and were left out.", gg__nag_count_text(a, r->n_unpaid));
    if (r->n_unrated)
        gg_str_printf(&text, " %s documents without %s were left out.", gg__nag_count_text(a, r->n_unrated), c->o->quality_column);
    if (!text.failed)
        section(j, c, "What was chosen", text.data);
    gg_status st = text.failed ? GG_ENOMEM : GG_OK;
    gg_str_free(&text);
    if (st == GG_OK && r->n_labels && (st = plot_shares(j, c)) == GG_OK)
        st = table_of_shares(j, c);
    return st;
}

/* --- how far ------------------------------------------------------------------------------------------------------------------------- */
static gg_status plot_distances(job *j, const gg__nag_chapter *c)
{
    const gg_nag_ranking *r = c->r;
    double *x = gg_new(r->ctx, double, r->n);
    int32_t *label = gg_new(r->ctx, int32_t, r->n);
    gg_status st = x && label ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < r->n && st == GG_OK; i++) {
        x[i] = r->row[i].distance;
        label[i] = class_of(&j->classes, r, i);
    }
    char title[256];
    snprintf(title, sizeof title, "How far the documents are from %.80s", c->story->target_name);
    if (st == GG_OK)
        st = gg_plot_histogram(r->ctx, place(j, c, "distances"), title, x, label, r->n, j->classes.name, j->classes.n, BINS,
                               "distance (0: the same neurons, 1: none in common)", "documents");
    gg_drop(r->ctx, x);
    gg_drop(r->ctx, label);
    return gg__nag_picture(&j->pages, st, "Distances to the target. Left: documents that excite the target's neurons.");
}

static void table_of_ends(job *j, const gg__nag_chapter *c, const char *caption, const gg__nag_excerpt *x)
{
    const gg_nag_ranking *r = c->r;
    const bool labels = r->n_labels > 0;
    gg_report_table_begin(j->pages.report, caption,
                          labels ? (const char *[]){"rank", "document", r->combined ? "score" : "distance", c->o->label_column, "tokens", "begins with"}
                                 : (const char *[]){"rank", "document", r->combined ? "score" : "distance", "tokens", "begins with"},
                          labels ? (const bool[]){true, false, true, false, true, false} : (const bool[]){true, false, true, true, false}, labels ? 6 : 5);
    for (int i = 0; i < c->story->n_ends; i++) {
        const gg_nag_row *row = &r->row[x[i].rank];
        char rank[32], score[32], tokens[32];
        gg__nag_count_text(rank, x[i].rank + 1);
        gg__nag_count_text(tokens, row->token_num);
        snprintf(score, sizeof score, "%.4f", row->score);
        gg_report_table_row(j->pages.report, labels ? (const char *[]){rank, row->docid, score, row->label < 0 ? NULL : r->label[row->label], tokens, x[i].text}
                                                    : (const char *[]){rank, row->docid, score, tokens, x[i].text});
    }
    gg_report_table_end(j->pages.report);
}

static gg_status how_far(job *j, const gg__nag_chapter *c)
{
    const bool contrast = c->o->weights == GG_NAG_CONTRAST;
    section(
        j, c, "How far each document is",
        contrast
            ? "The distance is one minus the weight of the document's neurons, where a neuron weighs the more the oftener it is among the most excited ones "
              "of the target's documents and the rarer among those of the pool's. 0: the best lists a document could have."
            : "For each layer a document is described by the few neurons that it excites most. The distance is one minus the share of those neurons that "
              "a target document has too, the mean over layers and target documents. 0: the same neurons; 1: none in common.");
    if (!j->pages.blind)
        GG_TRY(plot_distances(j, c));
    table_of_ends(j, c, "Nearest", c->story->near);
    table_of_ends(j, c, "Farthest", c->story->far);
    return GG_OK;
}

/* --- neurons ---------------------------------------------------------------------------------------------------------------------------- */
static gg_status neurons(job *j, const gg__nag_chapter *c)
{
    const gg_nag_ranking *r = c->r;
    const gg_nag_profile *p = r->profile;
    section(j, c, "The neurons it leans on",
            "The profile says how much each neuron counts in the distance. Neurons that every document of the pool excites are in it too, and tell nothing "
            "about the "
            "target; those that the target has and the pool hardly has are its own.");
    if (!j->pages.blind) {
        char title[256];
        snprintf(title, sizeof title, "The profile of %.80s: weight of each neuron", c->story->target_name);
        GG_TRY(gg__nag_picture(&j->pages, gg_plot_heat(r->ctx, place(j, c, "profile"), title, p->weight, p->n_layers, p->width, "neuron of the layer (index)",
                                                       "layer (bottom: next to the input)", "weight"),
                               "Every bright point is a neuron that many of the target's documents excite strongly."));
    }
    gg__nag_neuron best[NEURONS_SHOWN];
    const int n = gg__nag_heaviest(best, NEURONS_SHOWN, p, r->counts, j->pool.counts);
    gg_report_table_begin(j->pages.report, "Neurons that weigh most (among equals: the rarest in the pool first)",
                          (const char *[]){"neuron", "weight", "target documents, %", "pool documents, %"}, (const bool[]){false, true, true, true}, 4);
    for (int i = 0; i < n; i++) {
        char name[64], t[3][32];
        snprintf(t[0], 32, "%.4f", best[i].weight);
        snprintf(t[1], 32, "%.1f", 100 * best[i].share);
        snprintf(t[2], 32, "%.1f", 100 * best[i].base);
        gg_report_table_row(j->pages.report,
                            (const char *[]){gg__nag_neuron_name(name, &r->header, c->o->type, best[i].layer, best[i].index), t[0], t[1], t[2]});
    }
    gg_report_table_end(j->pages.report);
    return GG_OK;
}

/* --- the map ------------------------------------------------------------------------------------------------------------------------------ */
typedef struct map {
    gg_nag_set set;     /* the pool's documents, then each chapter's targets; one site, 4-byte indices */
    int32_t *label;     /* (set.f.n,) */
    double *xy;
    const char **name;  /* of the classes */
    int n_names;
    int64_t per_document;
} map;

static gg_status name_class(job *j, map *m, const char *before, const char *name)
{
    const size_t n = strlen(before) + strlen(name) + 1;
    char *text = gg_arena_alloc(&j->names, n);
    if (!text)
        return GG_ENOMEM;
    snprintf(text, n, "%s%s", before, name);
    m->name[m->n_names++] = text;
    return GG_OK;
}

/* By domain, or by what was chosen; of several targets without domains: for which of them. */
static gg_status label_pool(job *j, map *m, int32_t *label /* (wanted.n,) */)
{
    const int n = j->n_chapters;
    if (n == 1 || j->chapter[0].r->n_labels) {
        for (int i = 0; i < j->classes.n; i++)
            m->name[m->n_names++] = j->classes.name[i];
        for (int64_t i = 0; i < j->wanted.n; i++)
            label[i] = class_of(&j->classes, j->chapter[0].r, j->rank[i]);
        return GG_OK;
    }
    for (int64_t i = 0; i < j->wanted.n; i++)
        label[i] = n + 1;
    for (int c = 0; c < n; c++) {
        for (int64_t i = 0; i < j->chapter[c].r->n_selected; i++) {
            const int64_t at = gg__docids_find(&j->wanted, j->chapter[c].r->row[i].docid);
            if (at >= 0)
                label[at] = label[at] == n + 1 ? c : n;
        }
        GG_TRY(name_class(j, m, "for ", j->chapter[c].story->target_name));
    }
    GG_TRY(name_class(j, m, "for several", ""));
    return name_class(j, m, "not chosen", "");
}

static void append(map *m, const gg__nag_picked *p, int64_t i, int32_t label)
{
    if (!p->there[i])
        return;
    memcpy((uint32_t *)(uintptr_t)m->set.f.index[0] + m->set.f.n * m->per_document, (const uint32_t *)p->set.f.index[0] + i * m->per_document,
           sizeof(uint32_t) * (size_t)m->per_document);
    m->label[m->set.f.n++] = label;
}

static gg_status append_targets(job *j, map *m, const gg__nag_chapter *c)
{
    const gg_nag_ranking *r = c->r;
    int64_t *drawn = gg_new(j->ctx, int64_t, MAP_TARGETS), found;
    gg__docids ids = {.ctx = j->ctx};
    gg__nag_picked p = {0};
    gg_status st = drawn ? name_class(j, m, "target ", c->story->target_name) : GG_ENOMEM;
    const int64_t n = drawn ? gg__nag_draw(drawn, j->ctx, r->n_targets, MAP_TARGETS) : 0;
    for (int64_t i = 0; i < n && st == GG_OK; i++)
        st = gg__docids_add(&ids, r->target[drawn[i]], &found);
    if (st == GG_OK)
        st = gg__nag_pick(&p, j->ctx, c->o->target, c->o->n_target, r->header.n_layers, c->o->type, &ids);
    for (int64_t i = 0; i < n && st == GG_OK; i++)
        append(m, &p, i, m->n_names - 1);
    gg__nag_picked_free(&p);
    gg__docids_free(&ids);
    gg_drop(j->ctx, drawn);
    return st;
}

static gg_status fill_map(job *j, map *m)
{
    const int64_t most = j->wanted.n + (int64_t)j->n_chapters * MAP_TARGETS;
    m->per_document = j->pool.set.header.n_layers * j->pool.set.header.site[0].top_k;
    m->set = (gg_nag_set){.ctx = j->ctx, .header = j->pool.set.header, .f = {.index_bytes = 4}};
    m->set.f.index[0] = gg_alloc(j->ctx, gg_mul(most, (int64_t)sizeof(uint32_t) * m->per_document));
    m->label = gg_new(j->ctx, int32_t, most);
    m->xy = gg_new(j->ctx, double, gg_mul(2, most));
    m->name = gg_new(j->ctx, const char *, j->classes.n + 2 + 2 * j->n_chapters);
    int32_t *label = gg_new(j->ctx, int32_t, j->wanted.n);
    gg_status st = m->set.f.index[0] && m->label && m->xy && m->name && label ? label_pool(j, m, label) : GG_ENOMEM;
    for (int64_t i = 0; i < j->wanted.n && st == GG_OK; i++)
        append(m, &j->pool, i, label[i]);
    for (int c = 0; c < j->n_chapters && st == GG_OK; c++)
        st = append_targets(j, m, &j->chapter[c]);
    gg_drop(j->ctx, label);
    return st;
}

static gg_status draw_map(job *j, map *m)
{
    char n_shown[32], n_all[32], caption[512];
    GG_TRY(fill_map(j, m));
    GG_TRY(gg__nag_map(m->xy, j->ctx, &m->set, j->chapter[0].o->type));
    snprintf(
        caption, sizeof caption,
        "%s of %s documents of the pool%s, and the target%s. Neighbours excite the same neurons; directions and the gaps between far groups mean nothing.",
        gg__nag_count_text(n_shown, j->wanted.n), gg__nag_count_text(n_all, j->chapter[0].r->n),
        j->wanted.n < j->chapter[0].r->n ? " (drawn with the seed below)" : "", j->n_chapters > 1 ? "s" : "");
    return gg__nag_picture(&j->pages,
                           gg_plot_map(j->ctx, gg__nag_place(&j->pages, "map"), "Documents by the neurons that they excite", m->xy, m->label, m->set.f.n,
                                       m->name, m->n_names, "t-SNE 1 (no unit)", "t-SNE 2 (no unit)"),
                           caption);
}

static gg_status the_map(job *j)
{
    map m = {0};
    if (j->pages.blind)
        return GG_OK;
    gg_report_section(j->pages.report, "A map of the documents",
                      "Exact t-SNE of the paper's distance between two documents: one minus the share of their neurons that both have.");
    const gg_status st = draw_map(j, &m);
    gg_drop(j->ctx, (void *)(uintptr_t)m.set.f.index[0]);
    gg_drop(j->ctx, m.label);
    gg_drop(j->ctx, m.xy);
    gg_drop(j->ctx, m.name);
    return st;
}

/* --- the whole ---------------------------------------------------------------------------------------------------------------------------- */
/* The documents of the map, and the pool's counts of neurons, in one pass over the pool's features. */
static gg_status look_at_pool(job *j)
{
    const gg__nag_chapter *c = &j->chapter[0];
    int64_t found;
    if (!(j->rank = gg_new(j->ctx, int64_t, MAP_DOCUMENTS)))
        return GG_ENOMEM;
    const int64_t n = gg__nag_draw(j->rank, j->ctx, c->r->n, MAP_DOCUMENTS);
    for (int64_t i = 0; i < n; i++)
        GG_TRY(gg__docids_add(&j->wanted, c->r->row[j->rank[i]].docid, &found));
    return gg__nag_pick(&j->pool, j->ctx, c->o->pool, c->o->n_pool, c->r->header.n_layers, c->o->type, &j->wanted);
}

static gg_status write_report(job *j, const char *folder, const gg__nag_made *made)
{
    const gg__nag_chapter *first = &j->chapter[0];
    gg_str text = {.ctx = j->ctx};
    gg_status st = headline(&text, j);
    if (st == GG_OK)
        st = gg__nag_pages_open(&j->pages, j->ctx, folder, text.data);
    gg_str_free(&text);
    GG_TRY(st);
    GG_TRY(make_classes(&j->classes, first->r));
    GG_TRY(look_at_pool(j));
    for (int i = 0; i < j->n_chapters; i++) {
        GG_TRY(what_was_chosen(j, &j->chapter[i]));
        GG_TRY(how_far(j, &j->chapter[i]));
        GG_TRY(neurons(j, &j->chapter[i]));
    }
    GG_TRY(the_map(j));
    return gg__nag_pages_commit(&j->pages, &first->r->header, first->o->type, made);
}

gg_status gg__nag_report(const gg__nag_chapter *chapter, int n_chapters, const char *folder, const gg__nag_made *made)
{
    gg_context *ctx = chapter[0].r->ctx;
    job j = {.ctx = ctx, .chapter = chapter, .n_chapters = n_chapters, .wanted = {.ctx = ctx}, .names = {.ctx = ctx}};
    const gg_status st = write_report(&j, folder, made);
    drop(&j);
    return st;
}
