/* What the reports of this system share. Owns: the folder of pictures, "how this was made", picking documents out of feature files.
 *
 * A pool may be far larger than memory, so its features are read batch by batch and only the documents that a picture shows are kept.
 * Which ones is drawn from positions in the ranking, by selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S) with the context's
 * seed: the same seed shows the same documents whatever the order of the pool.
 */
#include "systems/nag/pages.h"
#include "base/file.h"
#include "base/work.h"
#include <stdio.h>
#include <time.h>

/* --- pages ---------------------------------------------------------------------------------------------------------------------- */
gg_status gg__nag_pages_open(gg__nag_pages *p, gg_context *ctx, const char *folder, const char *headline)
{
    *p = (gg__nag_pages){.ctx = ctx, .folder = folder};
    if (strlen(folder) + 128 > sizeof p->place)
        return gg_fail(ctx, GG_EINVAL, "the path of the report's folder is longer than %zu bytes", sizeof p->place - 128);
    GG_TRY(gg_file_mkdirs(ctx, folder));
    return gg_report_create(&p->report, ctx, "golgi nag", headline);
}

void gg__nag_pages_discard(gg__nag_pages *p)
{
    gg_report_discard(p->report);
    p->report = NULL;
}

const char *gg__nag_place(gg__nag_pages *p, const char *name)
{
    int n = snprintf(p->place, sizeof p->place, "%s/", p->folder);
    for (; *name && n < (int)sizeof p->place - 8; name++) { /* names of targets are in it: nothing that a file system or a shell takes amiss */
        const char c = *name;
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        p->place[n++] = plain ? c : '_';
    }
    p->place[n] = 0;
    return p->place;
}

gg_status gg__nag_picture(gg__nag_pages *p, gg_status drawn, const char *caption)
{
    if (drawn == GG_EUNSUPPORTED) {
        if (!p->blind)
            gg_log(p->ctx, GG_LOG_WARNING, "%s; the report is made without pictures", gg_message(p->ctx));
        p->blind = true;
        return GG_OK;
    }
    GG_TRY(drawn);
    const size_t n = strlen(p->place);
    memcpy(p->place + n, ".svg", 5);
    const gg_status s = gg_report_figure(p->report, p->place, caption);
    p->place[n] = 0;
    return s;
}

static gg_status hash_file(gg_str *out, gg_context *ctx, const char *path)
{
    enum { MOST_GIB = 16 }; /* seconds, not minutes */
    gg_map map;
    if (strcmp(path, "-") == 0 || gg_file_is_folder(path)) {
        gg_str_printf(out, "%s", path);
        return GG_OK;
    }
    GG_TRY(gg_map_open(&map, ctx, path));
    char hex[65] = "not hashed";
    gg_hash *h = NULL;
    gg_status s = GG_OK;
    if (map.size <= (size_t)MOST_GIB << 30 && (s = gg_hash_create(&h, ctx)) == GG_OK) {
        gg_hash_add(h, map.data, map.size);
        gg_hash_finish(h, hex);
    }
    gg_str_printf(out, "%s  %zu bytes  SHA-256 %s", path, map.size, hex);
    gg_map_close(&map);
    return s;
}

static void fact(gg_report *r, const char *name, const char *format, ...) GG_PRINTF(3, 4);
static void fact(gg_report *r, const char *name, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    gg_report_fact(r, name, text);
}

static gg_status tell_how(gg__nag_pages *p, const gg_nag_header *h, gg_nag_type t, const gg__nag_made *made)
{
    gg_report *r = p->report;
    const int s = gg_nag_header_find(h, t);
    gg_report_fact(r, "command", made->command);
    fact(r, "model", "%s%s%s", h->model[0] ? h->model : "not said by the features", h->model_hash[0] ? "  SHA-256 " : "", h->model_hash);
    if (h->action_hash[0])
        fact(r, "actions on it", "SHA-256 %s", h->action_hash);
    char width[32] = "";
    if (h->site[s].width)
        snprintf(width, sizeof width, " of %lld", (long long)h->site[s].width);
    fact(r, "features", "type %s, K %lld%s neurons in each of %d layers; impact: mean |output| over a document's tokens, no padding",
         gg_nag_type_name(t), (long long)h->site[s].top_k, width, h->n_layers);
    if (h->max_tokens)
        fact(r, "tokens", "the first %lld of a document, %s special ones", (long long)h->max_tokens, h->special ? "with" : "without");
    if (h->dtype[0])
        gg_report_fact(r, "number format", h->dtype);
    gg_str text = {.ctx = p->ctx};
    gg_status st = GG_OK;
    for (int i = 0; i < made->n_inputs && st == GG_OK; i++) {
        gg_str_puts(&text, i ? "\n" : "");
        st = hash_file(&text, p->ctx, made->input[i]);
    }
    if (st == GG_OK && made->n_inputs)
        gg_report_fact(r, made->n_inputs == 1 ? "input" : "inputs", text.failed ? "" : text.data);
    st = st == GG_OK && text.failed ? GG_ENOMEM : st;
    gg_str_free(&text);
    fact(r, "seed", "%llu", (unsigned long long)gg_context_seed(p->ctx));
    fact(r, "version", "golgi %s", gg_version());
    char now[32] = "";
    const time_t seconds = time(NULL);
    struct tm utc;
    if (gmtime_r(&seconds, &utc))
        strftime(now, sizeof now, "%Y-%m-%d %H:%M UTC", &utc);
    fact(r, "made", "%s, in %.1f s", now, gg_time() - made->started);
    return st;
}

gg_status gg__nag_pages_commit(gg__nag_pages *p, const gg_nag_header *h, gg_nag_type t, const gg__nag_made *made)
{
    GG_TRY(tell_how(p, h, t, made));
    gg_report *r = p->report;
    p->report = NULL;
    snprintf(p->place, sizeof p->place, "%s/report.html", p->folder);
    return gg_report_commit(r, p->place);
}

/* --- picking -------------------------------------------------------------------------------------------------------------------- */
int64_t gg__nag_draw(int64_t *out, gg_context *ctx, int64_t n, int64_t m)
{
    gg_random r = gg_random_of(gg_context_seed(ctx), 0x6d6170); /* "map" */
    int64_t drawn = 0;
    for (int64_t i = 0; i < n && drawn < m; i++)
        if (n - i <= m - drawn || gg_random_below(&r, n - i) < m - drawn)
            out[drawn++] = i;
    return drawn;
}

void gg__nag_picked_free(gg__nag_picked *p)
{
    gg_context *ctx = p->set.ctx;
    if (!ctx)
        return;
    gg_drop(ctx, (void *)(uintptr_t)p->set.f.index[0]);
    gg_drop(ctx, (void *)(uintptr_t)p->set.f.docid);
    gg_drop(ctx, p->there);
    gg_nag_counts_free(p->counts);
    gg_arena_free(&p->arena);
    *p = (gg__nag_picked){0};
}

static gg_status begin_picking(gg__nag_picked *p, const gg_nag_header *h, int s, const gg__docids *wanted)
{
    gg_context *ctx = p->set.ctx;
    const gg_nag_site *site = &h->site[s];
    p->set.header = *h;
    p->set.header.n_sites = 1;
    p->set.header.site[0] = *site;
    const char **docid = gg_new(ctx, const char *, wanted->n);
    p->set.f = (gg_nag_features){.n = wanted->n, .docid = docid, .index_bytes = 4};
    p->set.f.index[0] = gg_alloc(ctx, gg_mul(wanted->n, (int64_t)sizeof(uint32_t) * h->n_layers * site->top_k));
    p->there = gg_new(ctx, bool, wanted->n);
    if (!docid || !p->set.f.index[0] || !p->there)
        return GG_ENOMEM;
    for (int64_t i = 0; i < wanted->n; i++)
        docid[i] = wanted->at[i];
    return gg_nag_counts_create(&p->counts, ctx, h->n_layers, site->top_k, site->width);
}

static void keep_wanted(gg__nag_picked *p, const gg_nag_features *f, int s, const gg__docids *wanted)
{
    const int64_t n = p->set.header.n_layers * p->set.header.site[0].top_k;
    for (int64_t i = 0; i < f->n; i++) {
        const int64_t at = gg__docids_find(wanted, f->docid[i]);
        if (at < 0)
            continue;
        uint32_t *to = (uint32_t *)(uintptr_t)p->set.f.index[0] + at * n;
        for (int64_t j = 0; j < n; j++)
            to[j] = f->index_bytes == 2 ? ((const uint16_t *)f->index[s])[i * n + j] : ((const uint32_t *)f->index[s])[i * n + j];
        p->there[at] = true;
    }
}

gg_status gg__nag_pick(gg__nag_picked *out, gg_context *ctx, const char *const *paths, int n_paths, int n_layers, gg_nag_type t, const gg__docids *wanted)
{
    *out = (gg__nag_picked){.set = {.ctx = ctx}, .arena = {.ctx = ctx}};
    gg__nag_files files;
    gg_status st = gg__nag_files_of(&files, ctx, paths, n_paths);
    for (int p = 0; p < files.n && st == GG_OK; p++) {
        const char *path = files.path[p];
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        if ((st = gg_nag_reader_open(&r, ctx, path, n_layers)) != GG_OK)
            break;
        const gg_nag_header *h = gg_nag_reader_header(r);
        const int s = gg_nag_header_find(h, t);
        if (s < 0)
            st = gg_fail(ctx, GG_ENOENT, "%s has no features of site %s", path, gg_nag_type_name(t));
        else if (p == 0)
            st = begin_picking(out, h, s, wanted);
        else
            st = gg_nag_header_match(ctx, &out->set.header, files.path[0], h, path, t);
        while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK) {
            keep_wanted(out, &f, s, wanted);
            st = gg_context_stopped(ctx) ? gg_fail(ctx, GG_EINTR, "stopped while reading %s", path) : gg_nag_counts_add(out->counts, &f, s);
        }
        gg_nag_reader_close(r);
        st = st == GG_END ? GG_OK : st;
    }
    gg__nag_files_free(&files, ctx);
    if (st != GG_OK)
        gg__nag_picked_free(out);
    return st;
}

typedef struct drawer { /* of docids at positions */
    bool (*passes)(void *user, const char *docid);
    void *user;
    int64_t n;            /* that passed */
    const int64_t *drawn; /* rising; NULL: only counting */
    int64_t n_drawn, at;
    gg__docids ids;
    gg_arena arena;
} drawer;

static gg_status go_through(drawer *d, gg_context *ctx, const char *const *paths, int n_paths, int n_layers)
{
    gg__nag_files files;
    gg_status st = gg__nag_files_of(&files, ctx, paths, n_paths);
    d->n = d->at = 0;
    for (int p = 0; p < files.n && st == GG_OK; p++) {
        gg_nag_reader *r = NULL;
        gg_nag_features f;
        st = gg_nag_reader_open(&r, ctx, files.path[p], n_layers);
        while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK)
            for (int64_t i = 0; i < f.n && st == GG_OK; i++) {
                if (d->passes && !d->passes(d->user, f.docid[i]))
                    continue;
                if (d->drawn && d->at < d->n_drawn && d->drawn[d->at] == d->n) {
                    int64_t found;
                    char *copy = gg_arena_strndup(&d->arena, f.docid[i], strlen(f.docid[i]));
                    st = copy ? gg__docids_add(&d->ids, copy, &found) : GG_ENOMEM;
                    d->at++;
                }
                d->n++;
            }
        gg_nag_reader_close(r);
        st = st == GG_END ? GG_OK : st;
    }
    gg__nag_files_free(&files, ctx);
    return st;
}

gg_status gg__nag_sample(gg__nag_picked *out, int64_t *n_passed, gg_context *ctx, const char *const *paths, int n_paths, int n_layers, gg_nag_type t,
                         int64_t most, bool (*passes)(void *user, const char *docid), void *user)
{
    drawer d = {.passes = passes, .user = user, .ids = {.ctx = ctx}, .arena = {.ctx = ctx}};
    int64_t *drawn = NULL;
    *out = (gg__nag_picked){0};
    gg_status st = go_through(&d, ctx, paths, n_paths, n_layers);
    *n_passed = d.n;
    if (st == GG_OK && !(drawn = gg_new(ctx, int64_t, most < d.n ? most : d.n)))
        st = GG_ENOMEM;
    if (st == GG_OK) {
        d.drawn = drawn;
        d.n_drawn = gg__nag_draw(drawn, ctx, d.n, most);
        st = go_through(&d, ctx, paths, n_paths, n_layers);
    }
    if (st == GG_OK)
        st = gg__nag_pick(out, ctx, paths, n_paths, n_layers, t, &d.ids);
    if (st == GG_OK)
        out->arena = d.arena;
    else
        gg_arena_free(&d.arena);
    gg_drop(ctx, drawn);
    gg__docids_free(&d.ids);
    return st;
}

gg_status gg__nag_picked_slice(gg__nag_picked *p, const char *layers)
{
    gg_context *ctx = p->set.ctx;
    gg_nag_header *h = &p->set.header;
    gg_nag_counts *counts = p->counts;
    bool on[GG_NAG_MAX_LAYERS] = {false};
    GG_TRY(gg_layer_list_parse(on, ctx, layers, h->n_layers));
    const int64_t K = h->site[0].top_k, from_size = h->n_layers * K;
    uint32_t *index = (uint32_t *)(uintptr_t)p->set.f.index[0]; /* moved forwards in place: what is kept never overtakes what is read */
    int kept = 0;
    for (int l = 0; l < h->n_layers; l++)
        kept += on[l];
    if (!kept)
        return gg_fail(ctx, GG_EINVAL, "\"%s\" keeps no layer of %d", layers, h->n_layers);
    for (int64_t i = 0, to = 0; i < p->set.f.n; i++)
        for (int l = 0; l < h->n_layers; l++)
            if (on[l]) {
                memmove(index + to, index + i * from_size + l * K, sizeof *index * (size_t)K);
                to += K;
            }
    kept = 0;
    for (int l = 0; l < h->n_layers; l++)
        if (on[l]) {
            memmove(counts->count + kept * counts->width, counts->count + l * counts->width, sizeof *counts->count * (size_t)counts->width);
            h->layer[kept++] = h->layer[l];
        }
    h->n_layers = counts->n_layers = kept;
    return GG_OK;
}

/* --- neurons -------------------------------------------------------------------------------------------------------------------- */
static bool leads(const gg__nag_neuron *a, const gg__nag_neuron *b)
{
    if (a->weight != b->weight)
        return a->weight > b->weight;
    if (a->base != b->base)
        return a->base < b->base;
    return a->layer != b->layer ? a->layer < b->layer : a->index < b->index;
}

static double share_of(const gg_nag_counts *c, int layer, int64_t k)
{
    return c && k < c->width && c->n_documents ? (double)c->count[layer * c->width + k] / (double)c->n_documents : 0;
}

int gg__nag_heaviest(gg__nag_neuron *out, int most, const gg_nag_profile *p, const gg_nag_counts *counts, const gg_nag_counts *base)
{
    int n = 0;
    for (int l = 0; l < p->n_layers; l++)
        for (int64_t k = 0; k < p->width; k++) {
            const double w = p->weight[l * p->width + k];
            if (w <= 0 || (n == most && w < out[n - 1].weight))
                continue;
            const gg__nag_neuron x = {.layer = l, .index = k, .weight = w, .share = share_of(counts, l, k), .base = share_of(base, l, k)};
            if (n == most && !leads(&x, &out[n - 1]))
                continue;
            int to = n < most ? n++ : n - 1;
            for (; to > 0 && leads(&x, &out[to - 1]); to--)
                out[to] = out[to - 1];
            out[to] = x;
        }
    return n;
}

const char *gg__nag_neuron_name(char out[64], const gg_nag_header *h, gg_nag_type t, int layer, int64_t index)
{
    snprintf(out, 64, "L%d.%s[%lld]", h->layer[layer], gg_nag_type_name(t), (long long)index);
    return out;
}

/* --- the map ---------------------------------------------------------------------------------------------------------------------- */
gg_status gg__nag_map(double *xy, gg_context *ctx, const gg_nag_set *set, gg_nag_type t)
{
    double *d = gg_alloc(ctx, gg_mul(set->f.n * (int64_t)sizeof *d, set->f.n));
    gg_status st = d ? gg_nag_pairwise(d, ctx, set, t) : GG_ENOMEM;
    if (st == GG_OK)
        st = gg_tsne(xy, NULL, ctx, d, set->f.n, &(gg_tsne_options){.seed = gg_context_seed(ctx)});
    gg_drop(ctx, d);
    return st;
}
