/* What a ranking says to a person, and as JSON: how much was chosen, of which domain, and what stands at either end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"

enum { LABELS_SHOWN = 12, ENDS_SHOWN = 3, TEXT_BYTES = 72 };

const char *gg__nag_count_text(char out[32], int64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int at = 0;
    for (int i = 0; i < len; i++) {
        out[at++] = digits[i];
        if (digits[i] != '-' && i < len - 1 && (len - 1 - i) % 3 == 0)
            out[at++] = ',';
    }
    out[at] = 0;
    return out;
}

/* --- both ends ----------------------------------------------------------------------------------------------------------------- */
/* The first words on one line, of at most `most` bytes: white space and control characters become one space, cut between characters. */
static void first_words(char *out, size_t size, size_t most, const char *text)
{
    size_t n = 0;
    bool space = true, cut = false;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p <= ' ' || *p == 0x7f) {
            space = true;
            continue;
        }
        if (n >= most && (*p & 0xc0) != 0x80) {
            cut = true;
            break;
        }
        if (space && n)
            out[n++] = ' ';
        space = false;
        if (n < size - 5)
            out[n++] = (char)*p;
    }
    snprintf(out + n, size - n, "%s", cut ? " ..." : "");
}

static json_t *text_of(json_t *row, const char *text_column)
{
    static const char *const names[] = {"doc", "text", "content_split", "content"};
    if (text_column)
        return gg__nag_column(row, text_column);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (gg__nag_column(row, names[i]))
            return gg__nag_column(row, names[i]);
    return NULL;
}

gg_status gg__nag_excerpts_of(gg__nag_story *story, const gg_nag_ranking *r, gg__nag_rows *rows, const char *text_column)
{
    story->n_ends = r->n_ends < GG__NAG_ENDS ? r->n_ends : GG__NAG_ENDS;
    for (int i = 0; i < 2 * story->n_ends; i++) {
        const int end = i % story->n_ends;
        gg__nag_excerpt *e = i < story->n_ends ? &story->near[end] : &story->far[end];
        json_t *row;
        *e = (gg__nag_excerpt){.rank = i < story->n_ends ? end : r->n - 1 - end};
        GG_TRY(gg__nag_rows_get(&row, rows, gg_nag_ranking_row(r, e->rank)->docid));
        const char *text = row ? json_string_value(text_of(row, text_column)) : NULL;
        if (text)
            first_words(e->text, sizeof e->text, sizeof e->text - 16, text);
        json_decref(row);
    }
    return GG_OK;
}

gg_status gg__nag_excerpts(gg__nag_story *story, const gg_nag_ranking *r, const gg_nag_rank_options *o, const char *text_column)
{
    gg__nag_rows *rows = NULL;
    gg_nag_ranking *const one = (gg_nag_ranking *)(uintptr_t)r;
    GG_TRY(gg__nag_rows_open(&rows, r->ctx, o, &one, 1, GG__NAG_ROWS_ENDS, "-"));
    const gg_status st = gg__nag_excerpts_of(story, r, rows, text_column);
    gg__nag_rows_close(rows);
    return st;
}

/* --- shares ----------------------------------------------------------------------------------------------------------------------- */
gg_status gg__nag_shares(double **pool, double **chosen, const gg_nag_ranking *r)
{
    double *p = gg_new(r->ctx, double, gg_mul(2, r->n_labels + 1));
    if (!p)
        return GG_ENOMEM;
    double *c = p + r->n_labels + 1;
    for (int i = 0; i <= r->n_labels; i++)
        p[i] = (double)r->label_tokens[i] / (double)r->n_tokens;
    for (int64_t i = 0; i < r->n_selected; i++)
        c[r->row[i].label < 0 ? r->n_labels : r->row[i].label] += (double)r->row[i].token_num / (double)(r->n_selected_tokens ? r->n_selected_tokens : 1);
    *pool = p; /* one block: freed by dropping *pool */
    *chosen = c;
    return GG_OK;
}

typedef struct by_share {
    int label;
    double share;
} by_share;
static int more_first(const void *pa, const void *pb)
{
    const by_share *a = pa, *b = pb;
    return a->share != b->share ? (a->share < b->share ? 1 : -1) : a->label - b->label;
}

static void tell_shares(FILE *to, const gg_nag_ranking *r, const char *column)
{
    double *pool, *chosen;
    if (r->n_labels == 0 || gg__nag_shares(&pool, &chosen, r) != GG_OK)
        return;
    by_share *order = gg_new(r->ctx, by_share, r->n_labels + 1);
    if (order) {
        int wide = (int)strlen(column), n = r->n_labels + (pool[r->n_labels] > 0);
        for (int i = 0; i < n; i++) {
            order[i] = (by_share){i, chosen[i]};
            if (i < r->n_labels && (int)strlen(r->label[i]) > wide)
                wide = (int)strlen(r->label[i]);
        }
        wide = wide > 32 ? 32 : wide;
        qsort(order, (size_t)n, sizeof *order, more_first);
        fprintf(to, "\n  %-*s   pool   chosen\n", wide, column);
        for (int i = 0; i < n && i < LABELS_SHOWN; i++) {
            const int at = order[i].label;
            const int bars = (int)(20 * chosen[at] + 0.5);
            fprintf(to, "  %-*.*s  %3.0f %%    %3.0f %%%s", wide, wide, at < r->n_labels ? r->label[at] : "(none)", 100 * pool[at],
                    100 * chosen[at], bars ? "  " : "");
            for (int b = 0; b < bars; b++)
                fputc('#', to);
            fputc('\n', to);
        }
        if (n > LABELS_SHOWN)
            fprintf(to, "  and %d more\n", n - LABELS_SHOWN);
    }
    gg_drop(r->ctx, order);
    gg_drop(r->ctx, pool);
}

/* --- of an extraction --------------------------------------------------------------------------------------------------------------- */
void gg__nag_tell_odd(FILE *to, const gg_nag_extract_result *r, int64_t max_tokens)
{
    char a[32], b[32];
    if (r->n_cut && max_tokens)
        fprintf(to, r->n_cut == 1 ? "  %s was longer than %s tokens and was cut there\n" : "  %s were longer than %s tokens and were cut there\n",
                gg__nag_count_text(a, r->n_cut), gg__nag_count_text(b, max_tokens));
    if (r->n_empty)
        fprintf(to, "  %s empty document%s skipped: %s\n", gg__nag_count_text(a, r->n_empty), r->n_empty == 1 ? " was" : "s were", r->empty);
    if (r->n_repaired)
        fprintf(to, "  %s place%s not UTF-8 and became U+FFFD\n", gg__nag_count_text(a, r->n_repaired), r->n_repaired == 1 ? " was" : "s were");
}

/* --- to a person -------------------------------------------------------------------------------------------------------------------- */
void gg__nag_tell(FILE *to, const gg_nag_ranking *r, const gg_nag_rank_options *o, const gg__nag_story *story)
{
    char a[32], b[32], d[32], e[32];
    fprintf(to, "selected %s of %s documents (%.1f %% of %s tokens) for target \"%s\" (%s document%s)\n", gg__nag_count_text(a, r->n_selected),
            gg__nag_count_text(b, r->n), 100.0 * (double)r->n_selected_tokens / (double)r->n_tokens, gg__nag_count_text(d, r->n_tokens), story->target_name,
            gg__nag_count_text(e, r->n_targets), r->n_targets == 1 ? "" : "s");
    if (o->label_column)
        tell_shares(to, r, o->label_column);
    fputc('\n', to);
    const int n_shown = story->n_ends < ENDS_SHOWN ? story->n_ends : ENDS_SHOWN;
    int wide = 0;
    for (int i = 0; i < n_shown; i++) {
        const int n = (int)strlen(gg_nag_ranking_row(r, story->near[i].rank)->docid), f = (int)strlen(gg_nag_ranking_row(r, story->far[i].rank)->docid);
        wide = n > wide ? n : wide;
        wide = f > wide ? f : wide;
    }
    for (int i = 0; i < 2 * n_shown; i++) {
        const gg__nag_excerpt *x = i < n_shown ? &story->near[i] : &story->far[i - n_shown];
        char text[TEXT_BYTES + 16];
        first_words(text, sizeof text, TEXT_BYTES, x->text);
        fprintf(to, "  %-8s  %-*s  %.3f%s%s\n", i == 0 ? "nearest" : i == n_shown ? "farthest" : "", wide, gg_nag_ranking_row(r, x->rank)->docid,
                gg_nag_ranking_row(r, x->rank)->score, *text ? "   " : "", text);
    }
    if (r->right >= 0)
        fprintf(to, "\n  precision at n (%s)   frequency %.3f   contrast %.3f\n", r->label[r->right], r->precision[GG_NAG_FREQUENCY],
                r->precision[GG_NAG_CONTRAST]);
    if (r->n_unpaid)
        fprintf(to, "  %s documents of the features are not in the payload and were left out\n", gg__nag_count_text(a, r->n_unpaid));
    if (r->n_unrated)
        fprintf(to, "  %s documents have no %s and were left out\n", gg__nag_count_text(a, r->n_unrated), o->quality_column);
    if (r->n_uncounted)
        fprintf(to, "  %s documents have no token count and counted as 0\n", gg__nag_count_text(a, r->n_uncounted));
    if (r->n_selected == 1 && r->n_selected_tokens > r->budget)
        fprintf(to, "  no document fits the budget of %s tokens; the nearest was kept\n", gg__nag_count_text(a, r->budget));
}

/* --- as JSON ------------------------------------------------------------------------------------------------------------------------- */
static json_t *end_json(const gg_nag_ranking *r, const gg__nag_excerpt *x, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        gg_json_add(&list, json_pack("{s:s, s:f, s:s}", "docid", gg_nag_ranking_row(r, x[i].rank)->docid,
                                              r->combined ? "combined_score" : "nag_distance", gg_nag_ranking_row(r, x[i].rank)->score, "text", x[i].text));
    return list;
}

json_t *gg__nag_tell_json(const gg_nag_ranking *r, const gg_nag_rank_options *o, const gg__nag_story *story)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "target", story->target_name, "model", r->header.model,
                          "site", gg_nag_type_name(o->type), "weights", o->weights == GG_NAG_CONTRAST ? "contrast" : "frequency", "power",
                          o->power == 0 ? 1.0 : o->power, "fraction", o->fraction, "n_targets", (json_int_t)r->n_targets, "n_documents", (json_int_t)r->n,
                          "n_selected", (json_int_t)r->n_selected, "n_tokens", (json_int_t)r->n_tokens, "n_selected_tokens", (json_int_t)r->n_selected_tokens,
                          "budget", (json_int_t)r->budget, "n_without_payload", (json_int_t)r->n_unpaid, "n_without_quality", (json_int_t)r->n_unrated,
                          "n_without_token_count", (json_int_t)r->n_uncounted);
    double *pool, *chosen;
    if (r->n_labels > 0) {
        const bool made = gg__nag_shares(&pool, &chosen, r) == GG_OK;
        json_t *labels = made ? json_array() : NULL;
        for (int i = 0; i < r->n_labels && made; i++)
            gg_json_add(&labels, json_pack("{s:s, s:f, s:f}", "label", r->label[i], "pool_share", pool[i], "chosen_share", chosen[i]));
        gg_json_put(&j, "labels", labels);
        if (made)
            gg_drop(r->ctx, pool);
    }
    if (r->right >= 0)
        gg_json_put(&j, "precision_at_n",
                     json_pack("{s:s, s:o, s:o}", "label", r->label[r->right], "frequency", gg_json_number(r->precision[GG_NAG_FREQUENCY]), "contrast",
                               gg_json_number(r->precision[GG_NAG_CONTRAST])));
    gg_json_put(&j, "nearest", end_json(r, story->near, story->n_ends));
    gg_json_put(&j, "farthest", end_json(r, story->far, story->n_ends));
    return j;
}
