/* golgi nag show and deactivate: what a feature file holds, and an action file that switches its neurons off. */
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/work.h"

enum { MAP_DOCUMENTS = 1500, ENDS = 10, BINS = 48, MOST_PER_LAYER = 1 << 20 };

/* --- show: facts ---------------------------------------------------------------------------------------------------------------------- */
typedef struct look {
    gg_context *ctx;
    gg_texts words;        /* as given */
    gg__nag_files files;   /* folders opened */
    int n_layers;
    gg_nag_type type;
    gg_nag_header header;  /* of the first file */
    int s;                 /* the site that is looked at */
    int64_t n, n_tokens, n_scored, n_uncounted;
    gg_nag_counts *counts;
    gg_nag_profile *profile; /* frequency */
    int64_t per_layer;
    int64_t *used;         /* (n_layers, per_layer) most used neurons, -1: none */
    int64_t *n_used;       /* (n_layers,) different neurons */
    int64_t n_always;      /* neurons in the list of every document */
} look;

static void look_free(look *k)
{
    gg__nag_files_free(&k->files, k->ctx);
    gg_nag_counts_free(k->counts);
    gg_nag_profile_free(k->profile);
    gg_drop(k->ctx, k->used);
    gg_drop(k->ctx, k->n_used);
}

/* One type of those in the file: the one that is asked for, else the first. */
static gg_status choose_site(look *k, const char *site)
{
    if (site)
        GG_TRY(gg__nag_type_parse(&k->type, k->ctx, site));
    else
        k->type = k->header.site[0].type;
    k->s = gg_nag_header_find(&k->header, k->type);
    return k->s >= 0 ? GG_OK : gg_fail(k->ctx, GG_ENOENT, "%s has no features of site %s", k->files.path[0], gg_nag_type_name(k->type));
}

static gg_status count_files(look *k, const char *site)
{
    GG_TRY(gg__nag_files_of(&k->files, k->ctx, (const char *const *)k->words.at, k->words.n));
    for (int p = 0; p < k->files.n; p++) {
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        GG_TRY(gg_nag_reader_open(&r, k->ctx, k->files.path[p], k->header.n_layers ? k->header.n_layers : k->n_layers));
        const gg_nag_header *h = gg_nag_reader_header(r);
        gg_status st = GG_OK;
        if (p == 0) {
            k->header = *h;
            if ((st = choose_site(k, site)) == GG_OK)
                st = gg_nag_counts_create(&k->counts, k->ctx, h->n_layers, h->site[k->s].top_k, h->site[k->s].width);
        } else {
            st = gg_nag_header_match(k->ctx, &k->header, k->files.path[0], h, k->files.path[p], k->type);
        }
        const int s = gg_nag_header_find(h, k->type);
        while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK) {
            for (int64_t i = 0; i < f.n; i++) {
                k->n_tokens += f.token_num[i] > 0 ? f.token_num[i] : 0;
                k->n_scored += f.n_scored[i] > 0 ? f.n_scored[i] : 0;
                k->n_uncounted += f.token_num[i] < 0;
            }
            k->n += f.n;
            st = gg_context_stopped(k->ctx) ? gg_fail(k->ctx, GG_EINTR, "stopped while reading %s", k->files.path[p]) : gg_nag_counts_add(k->counts, &f, s);
        }
        gg_nag_reader_close(r);
        if (st != GG_END)
            return st;
    }
    return k->n ? GG_OK : gg_fail(k->ctx, GG_EINVAL, "%s holds no documents", k->files.path[0]);
}

static gg_status find_used(look *k)
{
    const int L = k->header.n_layers;
    GG_TRY(gg_nag_profile_frequency(&k->profile, k->counts, 1));
    k->per_layer = k->per_layer < k->counts->width ? k->per_layer : k->counts->width;
    k->used = gg_alloc(k->ctx, gg_mul(L * (int64_t)sizeof *k->used, k->per_layer));
    k->n_used = gg_new(k->ctx, int64_t, L);
    if (!k->used || !k->n_used)
        return GG_ENOMEM;
    for (int l = 0; l < L; l++)
        for (int64_t i = 0; i < k->counts->width; i++) {
            const int64_t c = k->counts->count[l * k->counts->width + i];
            k->n_used[l] += c > 0;
            k->n_always += c == k->n;
        }
    return gg_nag_strongest(k->used, k->profile, k->per_layer);
}

static double used_share(const look *k, int l, int64_t neuron)
{
    return (double)k->counts->count[l * k->counts->width + neuron] / (double)k->n;
}

static void tell(const look *k)
{
    const gg_nag_header *h = &k->header;
    const gg_nag_site *site = &h->site[k->s];
    char a[32], b[32], c[32];
    printf("%s%s   %s documents", k->words.at[0], k->words.n > 1 ? " and others" : "", gg__nag_count_text(a, k->n));
    if (k->n_uncounted == 0)
        printf(", %s tokens", gg__nag_count_text(b, k->n_tokens));
    if (k->n_scored)
        printf(", %s of them through the model", gg__nag_count_text(c, k->n_scored));
    printf("\n  model    %s%s%.12s%s%s\n", h->model[0] ? h->model : "not said (row files do not)", h->model_hash[0] ? "   SHA-256 " : "", h->model_hash,
           h->model_hash[0] ? "...   " : "", h->dtype);
    if (h->action_hash[0])
        printf("  actions  SHA-256 %.12s...\n", h->action_hash);
    if (h->max_tokens)
        printf("  text     the first %s tokens of a document, %s special ones\n", gg__nag_count_text(a, h->max_tokens), h->special ? "with" : "without");
    printf("  sites    ");
    for (int s = 0; s < h->n_sites; s++) {
        printf("%s%s  K %lld", s ? ",  " : "", gg_nag_type_name(h->site[s].type), (long long)h->site[s].top_k);
        if (h->site[s].width)
            printf(" of %s", gg__nag_count_text(a, h->site[s].width));
    }
    printf("\n  layers   %d: L%d to L%d\n", h->n_layers, h->layer[0], h->layer[h->n_layers - 1]);
    int64_t least = k->n_used[0], most = k->n_used[0], all = 0;
    for (int l = 0; l < h->n_layers; l++) {
        least = k->n_used[l] < least ? k->n_used[l] : least;
        most = k->n_used[l] > most ? k->n_used[l] : most;
        all += k->n_used[l];
    }
    printf("  in use   %s different %s neurons, %s to %s a layer (a document has %lld);", gg__nag_count_text(a, all), gg_nag_type_name(k->type),
           gg__nag_count_text(b, least), gg__nag_count_text(c, most), (long long)site->top_k);
    printf(" %s %s in the list of every document\n\n", gg__nag_count_text(a, k->n_always), k->n_always == 1 ? "is" : "are");
    printf("most used neurons, and the share of the documents whose list holds them; input side first\n");
    for (int l = 0; l < h->n_layers; l++) {
        for (int64_t i = 0; i < k->per_layer && k->used[l * k->per_layer + i] >= 0; i++) {
            char name[64];
            const int64_t neuron = k->used[l * k->per_layer + i];
            printf("  %-14s %3.0f %%", gg__nag_neuron_name(name, h, k->type, l, neuron), 100 * used_share(k, l, neuron));
        }
        putchar('\n');
    }
}

static json_t *as_json(const look *k)
{
    const gg_nag_header *h = &k->header;
    json_t *layers = json_array();
    for (int l = 0; l < h->n_layers; l++) {
        json_t *list = json_array();
        for (int64_t i = 0; i < k->per_layer && k->used[l * k->per_layer + i] >= 0; i++) {
            char name[64];
            const int64_t neuron = k->used[l * k->per_layer + i];
            gg_json_add(&list, json_pack("{s:s, s:I, s:f}", "neuron", gg__nag_neuron_name(name, h, k->type, l, neuron), "index", (json_int_t)neuron,
                                                  "share", used_share(k, l, neuron)));
        }
        gg_json_add(&layers, json_pack("{s:i, s:I, s:o}", "layer", (int)h->layer[l], "n_used", (json_int_t)k->n_used[l], "most_used", list));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:o, s:o}", "path", k->words.at[0], "n_documents", (json_int_t)k->n, "n_tokens", (json_int_t)k->n_tokens,
                     "n_scored", (json_int_t)k->n_scored, "site", gg_nag_type_name(k->type), "n_always", (json_int_t)k->n_always, "header",
                     gg__nag_header_json(h), "layers", layers);
}

/* --- show: report ------------------------------------------------------------------------------------------------------------------------- */
typedef struct typical { /* how far each document is from the file's own profile */
    int64_t n;
    double *distance;            /* (n,) */
    struct { double distance; char *docid; } near[ENDS], far[ENDS];
    int n_near, n_far;
    gg_arena arena;
} typical;

/* Keeps the ENDS smallest of sign * distance; the arena holds a name for each that was among them once. */
static gg_status keep_end(typical *t, bool far, double distance, const char *docid)
{
    const double x = far ? -distance : distance;
    int *n = far ? &t->n_far : &t->n_near;
    int at = *n;
    while (at > 0) {
        const double y = far ? -t->far[at - 1].distance : t->near[at - 1].distance;
        if (y < x || (y == x && strcmp(far ? t->far[at - 1].docid : t->near[at - 1].docid, docid) < 0))
            break;
        at--;
    }
    if (at == ENDS)
        return GG_OK;
    char *copy = gg_arena_strndup(&t->arena, docid, strlen(docid));
    if (!copy)
        return GG_ENOMEM;
    *n = *n < ENDS ? *n + 1 : ENDS;
    for (int i = *n - 1; i > at; i--)
        if (far)
            t->far[i] = t->far[i - 1];
        else
            t->near[i] = t->near[i - 1];
    if (far) {
        t->far[at].distance = distance;
        t->far[at].docid = copy;
    } else {
        t->near[at].distance = distance;
        t->near[at].docid = copy;
    }
    return GG_OK;
}

static gg_status measure(typical *t, const look *k)
{
    double d[GG__NAG_BATCH];
    if (!(t->distance = gg_new(k->ctx, double, k->n)))
        return GG_ENOMEM;
    for (int p = 0; p < k->files.n; p++) {
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        gg_status st = gg_nag_reader_open(&r, k->ctx, k->files.path[p], k->header.n_layers);
        const int s = st == GG_OK ? gg_nag_header_find(gg_nag_reader_header(r), k->type) : 0;
        while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK)
            for (int64_t from = 0; from < f.n && st == GG_OK; from += GG__NAG_BATCH) {
                gg_nag_features part = f;
                part.n = f.n - from < GG__NAG_BATCH ? f.n - from : GG__NAG_BATCH;
                part.index[s] = (const char *)f.index[s] + from * k->header.n_layers * k->header.site[k->s].top_k * f.index_bytes;
                gg_nag_distance(d, k->profile, &part, s);
                for (int64_t i = 0; i < part.n && t->n < k->n && st == GG_OK; i++) {
                    t->distance[t->n++] = d[i];
                    st = keep_end(t, false, d[i], f.docid[from + i]);
                    st = st == GG_OK ? keep_end(t, true, d[i], f.docid[from + i]) : st;
                }
            }
        gg_nag_reader_close(r);
        if (st != GG_END)
            return st;
    }
    return GG_OK;
}

static void table_of_ends(gg_report *r, const typical *t)
{
    gg_report_table_begin(r, "The most typical and the most unusual documents", (const char *[]){"typical", "distance", "unusual", "distance "},
                          (const bool[]){false, true, false, true}, 4);
    for (int i = 0; i < t->n_near; i++) {
        char a[32], b[32];
        snprintf(a, sizeof a, "%.4f", t->near[i].distance);
        snprintf(b, sizeof b, "%.4f", t->far[i].distance);
        gg_report_table_row(r, (const char *[]){t->near[i].docid, a, t->far[i].docid, b});
    }
    gg_report_table_end(r);
}

static gg_status table_of_neurons(gg_report *r, const look *k)
{
    gg_report_table_begin(r, "Each layer's neurons (layer 0 is next to the input)",
                          (const char *[]){"layer", "different ones", "most used, with the share of the documents"}, (const bool[]){true, true, false}, 3);
    for (int l = 0; l < k->header.n_layers; l++) {
        char layer[16], n[32];
        gg_str names = {.ctx = k->ctx};
        for (int64_t i = 0; i < k->per_layer && k->used[l * k->per_layer + i] >= 0; i++) {
            char name[64];
            const int64_t neuron = k->used[l * k->per_layer + i];
            gg_str_printf(&names, "%s%s %.0f\u00a0%%", i ? ", " : "", gg__nag_neuron_name(name, &k->header, k->type, l, neuron),
                          100 * used_share(k, l, neuron));
        }
        snprintf(layer, sizeof layer, "%d", k->header.layer[l]);
        if (!names.failed)
            gg_report_table_row(r, (const char *[]){layer, gg__nag_count_text(n, k->n_used[l]), names.data});
        const bool failed = names.failed;
        gg_str_free(&names);
        if (failed)
            return GG_ENOMEM;
    }
    gg_report_table_end(r);
    return GG_OK;
}

static gg_status draw_use(gg__nag_pages *p, const look *k)
{
    const int64_t n = k->header.n_layers * k->counts->width;
    double *share = gg_new(k->ctx, double, n);
    if (!share)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        share[i] = (double)k->counts->count[i] / (double)k->n;
    const gg_status st = gg_plot_heat(k->ctx, gg__nag_place(p, "profile"), "How often each neuron is used", share, k->header.n_layers, k->counts->width,
                                      "neuron of the layer (index)", "layer (bottom: next to the input)", "share of the documents");
    gg_drop(k->ctx, share);
    return gg__nag_picture(p, st, "Every bright point is a neuron that many documents excite strongly.");
}

static gg_status draw_map(gg__nag_pages *p, const look *k)
{
    gg__nag_picked sample = {0};
    int64_t n_all;
    GG_TRY(gg__nag_sample(&sample, &n_all, k->ctx, (const char *const *)k->words.at, k->words.n, k->header.n_layers, k->type, MAP_DOCUMENTS, NULL, NULL));
    const int64_t n = sample.set.f.n;
    double *xy = gg_new(k->ctx, double, gg_mul(2, n));
    int32_t *label = gg_new(k->ctx, int32_t, n);
    char a[32], b[32], caption[256];
    gg_status st = xy && label ? gg__nag_map(xy, k->ctx, &sample.set, k->type) : GG_ENOMEM;
    snprintf(caption, sizeof caption,
             "t-SNE of one minus the share of common neurons, %s of %s documents. Directions, and the gaps between far groups, mean nothing.",
             gg__nag_count_text(a, n), gg__nag_count_text(b, n_all));
    if (st == GG_OK)
        st = gg__nag_picture(p, gg_plot_map(k->ctx, gg__nag_place(p, "map"), "Documents by the neurons that they excite", xy, label, n,
                                            (const char *[]){"documents"}, 1, "t-SNE 1 (no unit)", "t-SNE 2 (no unit)"), caption);
    gg_drop(k->ctx, xy);
    gg_drop(k->ctx, label);
    gg__nag_picked_free(&sample);
    return st;
}

static gg_status draw_distances(gg__nag_pages *p, const look *k, const typical *t)
{
    int32_t *label = gg_new(k->ctx, int32_t, t->n);
    if (!label)
        return GG_ENOMEM;
    const gg_status st = gg_plot_histogram(k->ctx, gg__nag_place(p, "distances"), "How typical the documents are", t->distance, label, t->n,
                                           (const char *[]){"documents"}, 1, BINS, "distance to the profile of all (0: its neurons, 1: none of them)",
                                           "documents");
    gg_drop(k->ctx, label);
    return gg__nag_picture(p, st, "Left: documents that excite what most do. Right: documents unlike the others.");
}

static gg_status fill_report(gg__nag_pages *p, const look *k, const typical *t)
{
    gg_report_section(p->report, "The neurons in use", "The share of the documents that have a neuron among the most excited of its layer.");
    GG_TRY(draw_use(p, k));
    GG_TRY(table_of_neurons(p->report, k));
    gg_report_section(p->report, "Typical and unusual documents", NULL);
    if (!p->blind)
        GG_TRY(draw_distances(p, k, t));
    table_of_ends(p->report, t);
    if (p->blind || k->n < 3)
        return GG_OK;
    gg_report_section(p->report, "A map of the documents", NULL);
    return draw_map(p, k);
}

static gg_status write_report(const look *k, const char *folder, double start, int argc, char **argv)
{
    gg__nag_pages p;
    typical t = {.arena = {.ctx = k->ctx}};
    gg_str command = {.ctx = k->ctx}, headline = {.ctx = k->ctx};
    char a[32], b[32], c[32];
    int64_t all = 0;
    for (int l = 0; l < k->header.n_layers; l++)
        all += k->n_used[l];
    gg_str_printf(&headline, "%s documents use %s different neurons; %s of them are in the list of every document.", gg__nag_count_text(a, k->n),
                  gg__nag_count_text(b, all), gg__nag_count_text(c, k->n_always));
    gg_status st = headline.failed ? GG_ENOMEM : gg__nag_command_line(&command, "nag show", argc, argv);
    if (st == GG_OK)
        st = gg__nag_pages_open(&p, k->ctx, folder, headline.data);
    if (st == GG_OK) {
        st = measure(&t, k);
        if (st == GG_OK)
            st = fill_report(&p, k, &t);
        if (st == GG_OK)
            st = gg__nag_pages_commit(&p, &k->header, k->type,
                                      &(gg__nag_made){.command = command.data, .input = k->words.at, .n_inputs = k->words.n, .started = start});
        gg__nag_pages_discard(&p);
    }
    gg_drop(k->ctx, t.distance);
    gg_arena_free(&t.arena);
    gg_str_free(&command);
    gg_str_free(&headline);
    return st;
}

int gg__nag_cmd_show(int argc, char **argv)
{
    look k = {.per_layer = 3};
    const char *site = NULL, *report = NULL;
    const double start = gg_time();
    int64_t n_layers = 0;
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXTS, &k.words, "F", "feature files that belong together: .nag, .jsonl[.gz|.zst], .parquet, folders of .nag", NULL, true, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "site", GG_OPT_TEXT, &site, "TYPE", "neuron type to look at: up, down, q, k, v or o (the first that the file has)", NULL, false, 0, 0},
        {"Output", "per-layer", GG_OPT_INT, &k.per_layer, "N", "most used neurons told of each layer", NULL, false, 1, MOST_PER_LAYER},
        {NULL, "report", GG_OPT_TEXT, &report, "DIR", "plots (PNG, SVG) and one report.html into this folder", NULL, false, 0, 0},
    };
    gg_command c = {.name = "nag show",
                    .sentence = "Shows what a feature file holds, and the neurons that its documents use most.",
                    .example = "golgi nag show pool.nag",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    k.n_layers = (int)n_layers;
    if ((s = gg_command_context(&k.ctx, &c)) == GG_OK && (s = count_files(&k, site)) == GG_OK && (s = find_used(&k)) == GG_OK &&
        (s = report ? write_report(&k, report, start, argc, argv) : GG_OK) == GG_OK) {
        if (c.json)
            s = gg_json_print(k.ctx, as_json(&k));
        else {
            tell(&k);
            if (report)
                printf("\n%s/report.html\n", report);
        }
    }
    look_free(&k);
    return gg_command_close(&c, k.ctx, s);
}

/* --- deactivate ----------------------------------------------------------------------------------------------------------------------------- */
typedef struct switches {
    gg_context *ctx;
    gg_texts target, pool;
    const char *site, *weights, *output;
    int64_t per_layer, n_layers;
    bool random;
    gg_nag_type type;
    gg__nag_picked seen, base; /* only their counts */
    gg_nag_profile *profile;
    gg_actions *actions;
} switches;

static gg_status make_actions(switches *w)
{
    gg__docids none = {.ctx = w->ctx};
    const bool contrast = strcmp(w->weights, "contrast") == 0;
    GG_TRY(gg__nag_type_parse(&w->type, w->ctx, w->site));
    if (contrast && !w->random && !w->pool.n)
        return gg_fail(w->ctx, GG_EINVAL, "--weights contrast needs the features that the target is compared with: --pool P");
    GG_TRY(gg__nag_pick(&w->seen, w->ctx, (const char *const *)w->target.at, w->target.n, (int)w->n_layers, w->type, &none));
    GG_TRY(gg_actions_create(&w->actions, w->ctx));
    const gg_nag_header *h = &w->seen.set.header;
    if (w->random)
        return gg_nag_deactivate_random(w->actions, w->ctx, h, w->type, w->per_layer);
    if (contrast) {
        GG_TRY(gg__nag_pick(&w->base, w->ctx, (const char *const *)w->pool.at, w->pool.n, h->n_layers, w->type, &none));
        GG_TRY(gg_nag_header_match(w->ctx, h, w->target.at[0], &w->base.set.header, w->pool.at[0], w->type));
        GG_TRY(gg_nag_profile_contrast(&w->profile, w->seen.counts, w->base.counts));
    } else {
        GG_TRY(gg_nag_profile_frequency(&w->profile, w->seen.counts, 1));
    }
    return gg_nag_deactivate(w->actions, w->profile, h, w->type, w->per_layer);
}

static gg_status tell_actions(const switches *w, const gg_command *c)
{
    const gg_nag_header *h = &w->seen.set.header;
    const int64_t n = gg_actions_count(w->actions), all = h->site[0].width * h->n_layers;
    if (c->json)
        return gg_json_print(w->ctx, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "output", w->output, "site", gg_nag_type_name(w->type), "weights",
                                                    w->random ? "random" : w->weights, "n_documents", (json_int_t)w->seen.counts->n_documents, "per_layer",
                                                    (json_int_t)w->per_layer, "n_layers", (json_int_t)h->n_layers, "n_neurons", (json_int_t)n));
    if (c->quiet)
        return GG_OK;
    char a[32], b[32];
    printf("%s %s neurons", gg__nag_count_text(a, n), gg_nag_type_name(w->type));
    if (all)
        printf(" of %s (%.2g %%)", gg__nag_count_text(b, all), 100.0 * (double)n / (double)all);
    printf(", at most %lld a layer, %s -> %s\n", (long long)w->per_layer,
           w->random ? "drawn at random" : strcmp(w->weights, "contrast") == 0 ? "those most of the target's own" : "the most used", w->output);
    printf("To see what they do:  golgi score --model M --input TEXTS --action %s --output scores.jsonl\n", w->output);
    return GG_OK;
}

int gg__nag_cmd_deactivate(int argc, char **argv)
{
    switches w = {.site = "up", .weights = "frequency", .per_layer = 20};
    const gg_option options[] = {
        {"Input", NULL, GG_OPT_TEXTS, &w.target, "F", "feature files of the target, or folders of .nag files", NULL, true, 0, 0},
        {NULL, "pool", GG_OPT_TEXTS, &w.pool, "P", "features that contrast compares with", NULL, false, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &w.n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "per-layer", GG_OPT_INT, &w.per_layer, "N", "neurons switched off in each layer", NULL, false, 1, MOST_PER_LAYER},
        {NULL, "site", GG_OPT_TEXT, &w.site, "TYPE", "neuron type: up, down, q or o", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &w.weights, "W",
         "which ones. frequency: those most of the target's documents have (the paper's); contrast: those that are the target's own, against the pool",
         "frequency|contrast", false, 0, 0},
        {NULL, "random", GG_OPT_FLAG, &w.random, NULL, "as many drawn at random instead (--seed): the control", NULL, false, 0, 0},
        {"Output", "output", GG_OPT_TEXT, &w.output, "A.json", "the action file", NULL, true, 0, 0},
    };
    gg_command c = {.name = "nag deactivate",
                    .sentence = "Writes an action file that switches off the neurons that a target leans on.",
                    .example = "golgi nag deactivate target.nag --per-layer 20 --output off.json",
                    .notes = "Every command that runs a model takes the file: golgi score, activations, nag extract and select, with --action.",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_lock *lock = NULL;
    if ((s = gg_command_context(&w.ctx, &c)) == GG_OK && (s = gg_lock_take(&lock, w.ctx, w.output)) == GG_OK && (s = make_actions(&w)) == GG_OK) {
        const char *hash = w.seen.set.header.model_hash;
        if ((s = gg_actions_write(w.actions, w.output, hash[0] ? hash : NULL)) == GG_OK)
            s = tell_actions(&w, &c);
    }
    gg_lock_free(lock);
    gg_actions_free(w.actions);
    gg_nag_profile_free(w.profile);
    gg__nag_picked_free(&w.seen);
    gg__nag_picked_free(&w.base);
    return gg_command_close(&c, w.ctx, s);
}
