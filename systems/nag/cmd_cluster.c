/* golgi nag cluster: documents grouped by their neurons alone, compared with labels that the method never saw.
 *
 * k-means on the 0/1 vectors of the lists, which is k-means in the paper's distance (analyse.c). Purity: share of the documents that are of
 * the commonest label of their cluster. NMI: I / sqrt(H H'). ARI: agreement of pairs, 0 for chance, 1 for equal partitions.
 * Trap: purity grows with the number of clusters and is 1 when each document is its own; NMI grows a little too; ARI does not.
 */
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"
#include "base/lock.h"
#include "base/work.h"

enum { COLUMNS_SHOWN = 12, CLUSTER_NEURONS = 3, CLASSES_SHOWN = 12 };

typedef struct job {
    gg_context *ctx;
    gg_texts files, labels;
    const char *label_column, *site, *layers, *output, *report;
    gg_lock *lock; /* of output */
    int64_t k, restarts, most, n_layers;
    gg_nag_type type;
    gg_arena arena;
    gg__docids ids;        /* documents with a label */
    int32_t *label_of;     /* (ids.n,) */
    int64_t label_cap;
    gg__docids names;      /* of labels */
    gg__nag_picked picked; /* the documents that are clustered */
    int64_t n_passed;      /* documents that could have been */
    int64_t n;             /* clustered */
    int32_t *truth;        /* (n,) label of each; all 0 without labels */
    gg_kmeans_result found;
    double purity, nmi, ari;
    int64_t *table;        /* (k, n_labels) documents */
    int32_t *order;        /* (k,) clusters in the order that is shown */
} job;

static int n_labels(const job *j) { return j->names.n ? (int)j->names.n : 1; }

static void drop(job *j)
{
    gg_arena_free(&j->arena);
    gg__docids_free(&j->ids);
    gg__docids_free(&j->names);
    gg__nag_picked_free(&j->picked);
    if (j->found.label)
        gg_kmeans_result_free(j->ctx, &j->found);
    gg_drop(j->ctx, j->label_of);
    gg_drop(j->ctx, j->truth);
    gg_drop(j->ctx, j->table);
    gg_drop(j->ctx, j->order);
}

/* --- labels -------------------------------------------------------------------------------------------------------------------------- */
static gg_status label_number(job *j, int32_t *out, const char *text)
{
    int64_t found = gg__docids_find(&j->names, text);
    if (found < 0) {
        char *copy = gg_arena_strndup(&j->arena, text, strlen(text));
        int64_t none;
        if (!copy)
            return GG_ENOMEM;
        found = j->names.n;
        GG_TRY(gg__docids_add(&j->names, copy, &none));
    }
    *out = (int32_t)found;
    return GG_OK;
}

static gg_status add_label(job *j, json_t *row)
{
    char number[32], value[32];
    const char *docid = gg__nag_docid(row, number);
    const json_t *v = gg__nag_column(row, j->label_column);
    const char *text = json_string_value(v);
    if (!text && json_is_integer(v)) {
        snprintf(value, sizeof value, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        text = value;
    }
    if (!docid || !text || gg__docids_find(&j->ids, docid) >= 0)
        return GG_OK;
    GG_TRY(gg_grow(j->ctx, &j->label_of, j->ids.n, &j->label_cap, 1024));
    char *copy = gg_arena_strndup(&j->arena, docid, strlen(docid));
    int64_t found;
    if (!copy)
        return GG_ENOMEM;
    GG_TRY(label_number(j, &j->label_of[j->ids.n], text));
    return gg__docids_add(&j->ids, copy, &found);
}

static gg_status read_labels(job *j)
{
    gg_str present = {.ctx = j->ctx};
    gg_status st = GG_OK;
    for (int p = 0; p < j->labels.n && st == GG_OK; p++) {
        gg_rows *in = NULL;
        json_t *row;
        if ((st = gg_rows_open(&in, j->ctx, j->labels.at[p])) != GG_OK)
            break;
        while (st == GG_OK && (st = gg_rows_next(in, &row)) == GG_OK) {
            if (!present.data)
                gg__nag_columns(&present, row);
            st = add_label(j, row);
            json_decref(row);
        }
        st = st == GG_END ? GG_OK : st;
        gg_rows_close(in);
    }
    if (st == GG_OK && j->labels.n && j->ids.n == 0)
        st = gg_fail(j->ctx, GG_ENOENT, "%s: no document has a docid and a column %s; it has: %s", j->labels.at[0], j->label_column,
                     present.data ? present.data : "none");
    gg_str_free(&present);
    return st;
}

static bool has_label(void *user, const char *docid)
{
    return gg__docids_find(&((const job *)user)->ids, docid) >= 0;
}

/* --- clusters ------------------------------------------------------------------------------------------------------------------------- */
static gg_status gather(job *j)
{
    GG_TRY(gg__nag_sample(&j->picked, &j->n_passed, j->ctx, (const char *const *)j->files.at, j->files.n, (int)j->n_layers, j->type, j->most,
                          j->labels.n ? has_label : NULL, j));
    if (j->layers)
        GG_TRY(gg__nag_picked_slice(&j->picked, j->layers));
    j->n = j->picked.set.f.n;
    if (j->n < 2)
        return gg_fail(j->ctx, GG_EINVAL, "%s: %lld documents%s; at least 2 are needed", j->files.at[0], (long long)j->n, j->labels.n ? " with a label" : "");
    if (!(j->truth = gg_new(j->ctx, int32_t, j->n)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < j->n && j->labels.n; i++)
        j->truth[i] = j->label_of[gg__docids_find(&j->ids, j->picked.set.f.docid[i])];
    if (j->k == 0)
        j->k = n_labels(j);
    if (j->k > j->n)
        return gg_fail(j->ctx, GG_EINVAL, "--k %lld: there are %lld documents", (long long)j->k, (long long)j->n);
    return GG_OK;
}

typedef struct group {
    int32_t cluster, label; /* the commonest of its documents */
    int64_t n;
} group;

static int by_label(const void *pa, const void *pb)
{
    const group *a = pa, *b = pb;
    return a->label != b->label ? a->label - b->label : a->n != b->n ? (a->n < b->n ? 1 : -1) : a->cluster - b->cluster;
}

/* Clusters in the order of their commonest label, so that the table reads along its diagonal. */
static gg_status put_in_order(job *j)
{
    const int L = n_labels(j);
    group *g = gg_new(j->ctx, group, j->k);
    if (!g)
        return GG_ENOMEM;
    for (int32_t c = 0; c < j->k; c++) {
        g[c].cluster = c;
        for (int32_t l = 0; l < L; l++) {
            g[c].n += j->table[c * L + l];
            if (j->table[c * L + l] > j->table[c * L + g[c].label])
                g[c].label = l;
        }
    }
    qsort(g, (size_t)j->k, sizeof *g, by_label);
    for (int64_t c = 0; c < j->k; c++)
        j->order[c] = g[c].cluster;
    gg_drop(j->ctx, g);
    return GG_OK;
}

static gg_status find_clusters(job *j)
{
    double *x = NULL;
    int64_t d = 0;
    GG_TRY(gg_nag_multi_hot(&x, &d, j->ctx, &j->picked.set, j->type));
    const gg_status st = gg_kmeans(&j->found, j->ctx, x, j->n, d,
                                   &(gg_kmeans_options){.k = (int)j->k, .n_restarts = (int)j->restarts, .seed = gg_context_seed(j->ctx)});
    gg_drop(j->ctx, x);
    GG_TRY(st);
    j->table = gg_alloc(j->ctx, gg_mul(j->k * (int64_t)sizeof *j->table, n_labels(j)));
    j->order = gg_new(j->ctx, int32_t, j->k);
    if (!j->table || !j->order)
        return GG_ENOMEM;
    for (int64_t i = 0; i < j->n; i++)
        j->table[j->found.label[i] * n_labels(j) + j->truth[i]]++;
    if (j->labels.n) {
        GG_TRY(gg_purity(&j->purity, j->ctx, j->found.label, j->truth, j->n));
        GG_TRY(gg_nmi(&j->nmi, j->ctx, j->found.label, j->truth, j->n));
        GG_TRY(gg_ari(&j->ari, j->ctx, j->found.label, j->truth, j->n));
    }
    return put_in_order(j);
}

static int64_t size_of(const job *j, int32_t cluster)
{
    int64_t n = 0;
    for (int l = 0; l < n_labels(j); l++)
        n += j->table[cluster * n_labels(j) + l];
    return n;
}

/* The neurons that the cluster's documents have and the others have not, by contrast weights. */
static gg_status own_neurons(gg_str *out, const job *j, int32_t cluster)
{
    const gg_nag_header *h = &j->picked.set.header;
    const gg_nag_site *site = &h->site[0];
    gg_nag_counts *own = NULL;
    gg_nag_profile *p = NULL;
    gg_status st = gg_nag_counts_create(&own, j->ctx, h->n_layers, site->top_k, site->width);
    for (int64_t i = 0; i < j->n && st == GG_OK; i++) {
        gg_nag_features one = j->picked.set.f;
        one.n = 1;
        one.index[0] = (const uint32_t *)one.index[0] + i * h->n_layers * site->top_k;
        if (j->found.label[i] == cluster)
            st = gg_nag_counts_add(own, &one, 0);
    }
    if (st == GG_OK)
        st = gg_nag_profile_contrast(&p, own, j->picked.counts);
    if (st == GG_OK) {
        gg__nag_neuron best[CLUSTER_NEURONS];
        const int n = gg__nag_heaviest(best, CLUSTER_NEURONS, p, own, j->picked.counts);
        for (int i = 0; i < n; i++) {
            char name[64];
            gg_str_printf(out, "%s%s", i ? ", " : "", gg__nag_neuron_name(name, h, j->type, best[i].layer, best[i].index));
        }
        st = out->failed ? GG_ENOMEM : GG_OK;
    }
    gg_nag_counts_free(own);
    gg_nag_profile_free(p);
    return st;
}

/* --- to a person ---------------------------------------------------------------------------------------------------------------------- */
static void tell_settings(gg_str *s, const job *j)
{
    const gg_nag_header *h = &j->picked.set.header;
    char a[32];
    gg_str_printf(s, "%s documents in %lld clusters by their neurons (%s, K %lld, %d layer%s; best of %lld starts, seed %llu)", gg__nag_count_text(a, j->n),
                  (long long)j->k, gg_nag_type_name(j->type), (long long)h->site[0].top_k, h->n_layers, h->n_layers == 1 ? "" : "s", (long long)j->restarts,
                  (unsigned long long)gg_context_seed(j->ctx));
}

static gg_status tell(const job *j)
{
    gg_str s = {.ctx = j->ctx};
    char a[32], b[32];
    tell_settings(&s, j);
    if (!s.failed)
        printf("%s\n", s.data);
    gg_str_free(&s);
    if (j->n < j->n_passed)
        printf("  %s of %s documents, drawn with the seed; more with --documents\n", gg__nag_count_text(a, j->n), gg__nag_count_text(b, j->n_passed));
    const int L = n_labels(j), shown = j->labels.n ? (L < COLUMNS_SHOWN ? L : COLUMNS_SHOWN) : 0;
    if (j->labels.n)
        printf("\n  purity %.3f   NMI %.3f   ARI %.3f   against %d values of %s\n", j->purity, j->nmi, j->ari, L, j->label_column);
    printf("\n  cluster  documents");
    for (int l = 0; l < shown; l++)
        printf("  %9.9s", j->names.at[l]);
    puts(shown < L && j->labels.n ? "      other" : "");
    for (int64_t c = 0; c < j->k; c++) {
        int64_t other = size_of(j, j->order[c]);
        printf("  %7lld  %9lld", (long long)c, (long long)other);
        for (int l = 0; l < shown; l++) {
            const int64_t n = j->table[j->order[c] * L + l];
            other -= n;
            if (n)
                printf("  %9lld", (long long)n);
            else
                printf("  %9s", ".");
        }
        if (shown < L && j->labels.n)
            printf("  %9lld", (long long)other);
        putchar('\n');
    }
    return GG_OK;
}

static json_t *as_json(const job *j)
{
    const gg_nag_header *h = &j->picked.set.header;
    const int L = n_labels(j);
    json_t *labels = json_array(), *clusters = json_array(), *layers = json_array();
    for (int64_t l = 0; l < j->names.n; l++)
        gg_json_add(&labels, json_string(j->names.at[l]));
    for (int l = 0; l < h->n_layers; l++)
        gg_json_add(&layers, json_integer(h->layer[l]));
    for (int64_t c = 0; c < j->k; c++) {
        json_t *row = json_array();
        for (int l = 0; l < L && j->labels.n; l++)
            gg_json_add(&row, json_integer(j->table[j->order[c] * L + l]));
        gg_json_add(&clusters,
                              json_pack("{s:I, s:I, s:o}", "cluster", (json_int_t)c, "n_documents", (json_int_t)size_of(j, j->order[c]), "by_label", row));
    }
    json_t *all = json_pack("{s:I, s:I, s:s, s:I, s:o, s:I, s:I, s:f, s:o, s:o}", "n_documents", (json_int_t)j->n, "k", (json_int_t)j->k, "site",
                            gg_nag_type_name(j->type), "top_k", (json_int_t)h->site[0].top_k, "layers", layers, "restarts", (json_int_t)j->restarts, "seed",
                            (json_int_t)gg_context_seed(j->ctx), "inertia", j->found.inertia, "labels", labels, "clusters", clusters);
    if (all && j->labels.n) {
        gg_json_put(&all, "purity", json_real(j->purity));
        gg_json_put(&all, "nmi", json_real(j->nmi));
        gg_json_put(&all, "ari", json_real(j->ari));
    }
    return all;
}

/* --- to files ---------------------------------------------------------------------------------------------------------------------------- */
static int64_t place_of(const job *j, int32_t cluster)
{
    int64_t c = 0;
    while (j->order[c] != cluster)
        c++;
    return c;
}

static gg_status write_rows(const job *j)
{
    gg_rows_writer *w = NULL;
    GG_TRY(gg_rows_writer_open(&w, j->ctx, j->output));
    gg_status st = GG_OK;
    for (int64_t i = 0; i < j->n && st == GG_OK; i++) {
        json_t *row = json_pack("{s:s, s:I}", "docid", j->picked.set.f.docid[i], "cluster", (json_int_t)place_of(j, j->found.label[i]));
        if (row && j->labels.n)
            gg_json_put(&row, j->label_column, json_string(j->names.at[j->truth[i]]));
        st = row ? gg_rows_writer_add(w, row) : gg_fail(j->ctx, GG_ENOMEM, "out of memory (row %lld)", (long long)i);
        json_decref(row);
    }
    if (st == GG_OK)
        return gg_rows_writer_commit(w);
    gg_rows_writer_discard(w);
    return st;
}

/* One map: classes beyond those that can be told apart are one class. name_of: (n_classes,) */
static gg_status draw_map(gg__nag_pages *p, const job *j, const double *xy, const int32_t *class, const char *const *name_of, int64_t n_classes,
                          const char *place, const char *title, const char *caption)
{
    const char *name[CLASSES_SHOWN + 1];
    const int64_t shown = n_classes < CLASSES_SHOWN ? n_classes : CLASSES_SHOWN;
    int32_t *class_shown = gg_new(j->ctx, int32_t, j->n);
    if (!class_shown)
        return GG_ENOMEM;
    for (int64_t c = 0; c < shown; c++)
        name[c] = name_of[c];
    name[shown] = "(other)";
    for (int64_t i = 0; i < j->n; i++)
        class_shown[i] = class[i] < shown ? class[i] : (int32_t)shown;
    const gg_status st = gg_plot_map(j->ctx, gg__nag_place(p, place), title, xy, class_shown, j->n, name, (int)(shown + (shown < n_classes)),
                                     "t-SNE 1 (no unit)", "t-SNE 2 (no unit)");
    gg_drop(j->ctx, class_shown);
    return gg__nag_picture(p, st, caption);
}

static gg_status draw_maps(gg__nag_pages *p, job *j)
{
    double *xy = gg_new(j->ctx, double, gg_mul(2, j->n));
    int32_t *class = gg_new(j->ctx, int32_t, j->n);
    const char **name = gg_new(j->ctx, const char *, j->k);
    gg_status st = xy && class && name ? gg__nag_map(xy, j->ctx, &j->picked.set, j->type) : GG_ENOMEM;
    if (st == GG_OK && j->labels.n) {
        char title[128];
        snprintf(title, sizeof title, "Documents by the neurons that they excite, coloured by %.60s", j->label_column);
        st = draw_map(p, j, xy, j->truth, j->names.at, j->names.n, "map-labels", title,
                      "t-SNE of one minus the share of common neurons; the labels were not used to place the documents.");
    }
    for (int64_t c = 0; c < j->k && st == GG_OK; c++) {
        char *text = gg_arena_alloc(&j->arena, 32);
        if (!text)
            st = GG_ENOMEM;
        else
            snprintf(text, 32, "cluster %lld", (long long)c);
        name[c] = text;
    }
    for (int64_t i = 0; i < j->n && st == GG_OK; i++)
        class[i] = (int32_t)place_of(j, j->found.label[i]);
    if (st == GG_OK)
        st = draw_map(p, j, xy, class, name, j->k, "map-clusters", "Documents by the neurons that they excite, coloured by cluster",
                      j->labels.n ? "The same map: what k-means found without the labels." : "t-SNE of one minus the share of common neurons.");
    gg_drop(j->ctx, xy);
    gg_drop(j->ctx, class);
    gg_drop(j->ctx, name);
    return st;
}

static gg_status table_of_clusters(gg__nag_pages *p, const job *j)
{
    const int L = n_labels(j), columns = 2 + (j->labels.n ? L : 0);
    const char **cell = gg_new(j->ctx, const char *, columns);
    bool *number = gg_new(j->ctx, bool, columns);
    char(*text)[24] = gg_alloc(j->ctx, gg_mul(24, columns));
    if (!cell || !number || !text) {
        gg_drop(j->ctx, cell);
        gg_drop(j->ctx, number);
        gg_drop(j->ctx, text);
        return GG_ENOMEM;
    }
    cell[0] = "cluster";
    cell[1] = "documents";
    for (int l = 0; l < columns - 2; l++)
        cell[2 + l] = j->names.at[l];
    for (int c = 0; c < columns; c++)
        number[c] = true;
    gg_report_table_begin(p->report, j->labels.n ? "Clusters and labels" : "Clusters", cell, number, columns);
    for (int64_t c = 0; c < j->k; c++) {
        snprintf(text[0], sizeof text[0], "%lld", (long long)c);
        snprintf(text[1], sizeof text[1], "%lld", (long long)size_of(j, j->order[c]));
        for (int l = 0; l < columns - 2; l++)
            snprintf(text[2 + l], sizeof text[0], "%lld", (long long)j->table[j->order[c] * L + l]);
        for (int i = 0; i < columns; i++)
            cell[i] = text[i];
        gg_report_table_row(p->report, cell);
    }
    gg_report_table_end(p->report);
    gg_drop(j->ctx, cell);
    gg_drop(j->ctx, number);
    gg_drop(j->ctx, text);
    return GG_OK;
}

static gg_status table_of_neurons(gg__nag_pages *p, const job *j)
{
    gg_status st = GG_OK;
    gg_report_table_begin(p->report, "Neurons that a cluster's documents have and the others have not", (const char *[]){"cluster", "its own neurons"},
                          (const bool[]){true, false}, 2);
    for (int64_t c = 0; c < j->k && st == GG_OK; c++) {
        gg_str own = {.ctx = j->ctx};
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)c);
        if ((st = own_neurons(&own, j, j->order[c])) == GG_OK)
            gg_report_table_row(p->report, (const char *[]){number, own.data});
        gg_str_free(&own);
    }
    gg_report_table_end(p->report);
    return st;
}

static gg_status fill_report(gg__nag_pages *p, job *j)
{
    gg_str s = {.ctx = j->ctx};
    tell_settings(&s, j);
    gg_str_puts(&s, ".");
    if (j->labels.n)
        gg_str_printf(&s,
                      " Purity %.3f: share of the documents that are of the commonest %s of their cluster. NMI %.3f and ARI %.3f are 1 for equal partitions; "
                      "for chance "
                      "NMI is near 0 and ARI 0.",
                      j->purity, j->label_column, j->nmi, j->ari);
    if (!s.failed)
        gg_report_section(p->report, "Clusters", s.data);
    const gg_status st = s.failed ? GG_ENOMEM : GG_OK;
    gg_str_free(&s);
    GG_TRY(st);
    GG_TRY(draw_maps(p, j));
    GG_TRY(table_of_clusters(p, j));
    return table_of_neurons(p, j);
}

static gg_status write_report(job *j, double start, int argc, char **argv)
{
    gg__nag_pages p;
    gg_str command = {.ctx = j->ctx}, headline = {.ctx = j->ctx};
    const char **input = gg_new(j->ctx, const char *, j->files.n + j->labels.n);
    char a[32];
    if (j->labels.n)
        gg_str_printf(&headline, "Grouped by their neurons alone, %.1f\u00a0%% of %s documents lie with those of their %s.", 100 * j->purity,
                      gg__nag_count_text(a, j->n), j->label_column);
    else
        gg_str_printf(&headline, "%s documents in %lld groups by their neurons.", gg__nag_count_text(a, j->n), (long long)j->k);
    gg_status st = headline.failed || !input ? GG_ENOMEM : gg__nag_command_line(&command, "nag cluster", argc, argv);
    for (int i = 0; i < j->files.n + j->labels.n && st == GG_OK; i++)
        input[i] = i < j->files.n ? j->files.at[i] : j->labels.at[i - j->files.n];
    if (st == GG_OK && (st = gg__nag_pages_open(&p, j->ctx, j->report, headline.data)) == GG_OK) {
        st = fill_report(&p, j);
        if (st == GG_OK)
            st = gg__nag_pages_commit(&p, &j->picked.set.header, j->type,
                                      &(gg__nag_made){.command = command.data, .input = input, .n_inputs = j->files.n + j->labels.n, .started = start});
        gg__nag_pages_discard(&p);
    }
    gg_drop(j->ctx, input);
    gg_str_free(&command);
    gg_str_free(&headline);
    return st;
}

static gg_status run(job *j, gg_command *c, double start, int argc, char **argv)
{
    GG_TRY(gg__nag_type_parse(&j->type, j->ctx, j->site));
    if (j->k == 0 && !j->labels.n)
        return gg_fail(j->ctx, GG_EINVAL, "how many clusters? Give --k, or labels to compare with: --labels POOL");
    j->arena.ctx = j->ids.ctx = j->names.ctx = j->ctx;
    if (j->output)
        GG_TRY(gg_lock_take(&j->lock, j->ctx, j->output));
    GG_TRY(read_labels(j));
    GG_TRY(gather(j));
    GG_TRY(find_clusters(j));
    if (j->output)
        GG_TRY(write_rows(j));
    if (j->report)
        GG_TRY(write_report(j, start, argc, argv));
    if (c->json)
        return gg_json_print(j->ctx, as_json(j));
    if (c->quiet)
        return GG_OK;
    GG_TRY(tell(j));
    if (j->report || j->output)
        printf("\n%s%s%s%s\n", j->output ? j->output : "", j->output && j->report ? "   " : "", j->report ? j->report : "", j->report ? "/report.html" : "");
    return GG_OK;
}

int gg__nag_cmd_cluster(int argc, char **argv)
{
    job j = {.site = "up", .label_column = "domain", .restarts = 10, .most = 2000};
    const double start = gg_time();
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXTS, &j.files, "F", "feature files; a folder stands for the .nag files in it", NULL, true, 0, 0},
        {NULL, "labels", GG_OPT_TEXTS, &j.labels, "POOL",
         "the documents, with a column of known labels; documents without one are left out", NULL, false, 0, 0},
        {NULL, "label-column", GG_OPT_TEXT, &j.label_column, "NAME", "that column", NULL, false, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &j.n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "k", GG_OPT_INT, &j.k, "N", "number of clusters (as many as there are labels)", NULL, false, 1, 1e6},
        {NULL, "restarts", GG_OPT_INT, &j.restarts, "N", "starts of k-means; the best is kept", NULL, false, 1, 1e6},
        {NULL, "layers", GG_OPT_TEXT, &j.layers, "LIST", "only these: first, last, 0,3,7 or 2-5", NULL, false, 0, 0},
        {NULL, "site", GG_OPT_TEXT, &j.site, "TYPE", "neuron type: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "documents", GG_OPT_INT, &j.most, "N", "at most so many, drawn with the seed", NULL, false, 2, 1e5},
        {"Output", "output", GG_OPT_TEXT, &j.output, "OUT", "rows docid, cluster, label: .jsonl[.gz|.zst], .csv, .tsv, .parquet", NULL, false, 0, 0},
        {NULL, "report", GG_OPT_TEXT, &j.report, "DIR", "maps (PNG, SVG) and one report.html into this folder", NULL, false, 0, 0},
    };
    gg_command c = {.name = "nag cluster",
                    .sentence = "Groups documents by their neurons (k-means in the distance of NAG) and compares the groups with labels.",
                    .example = "golgi nag cluster pool.nag --labels pool.jsonl.zst --label-column domain",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    if ((s = gg_command_context(&j.ctx, &c)) == GG_OK)
        s = run(&j, &c, start, argc, argv);
    gg_lock_free(j.lock);
    drop(&j);
    return gg_command_close(&c, j.ctx, s);
}
