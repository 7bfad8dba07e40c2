/* Features: their header, whether two files belong together, and writing them. The layout on disk is in features_layout.h, reading in
 * features_read.c, rows in features_rows.c. */
#include "systems/nag/features_layout.h"
#include "base/file.h"
#include "io/formats.h"
#include <stdio.h>

/* --- names ------------------------------------------------------------------------------------------------------------- */
static const char *const type_name[] = {
#define GG_X(code, name, published) #name,
    GG_NAG_TYPE_MAP(GG_X)
#undef GG_X
};
static const char *const type_published[] = {
#define GG_X(code, name, published) #published,
    GG_NAG_TYPE_MAP(GG_X)
#undef GG_X
};
const char *gg_nag_type_name(gg_nag_type t) { return (unsigned)t < GG_NAG_TYPES ? type_name[t] : "?"; }
const char *gg_nag_type_published(gg_nag_type t) { return (unsigned)t < GG_NAG_TYPES ? type_published[t] : "?"; }

gg_status gg_nag_types_parse(uint32_t *types, gg_context *ctx, const char *text)
{
    static const struct { gg_site site; gg_nag_type type; } of[] = {
        {GG_SITE_UP, GG_NAG_UP}, {GG_SITE_MLP_OUT, GG_NAG_DOWN}, {GG_SITE_Q, GG_NAG_Q}, {GG_SITE_Q_NORM, GG_NAG_Q},
        {GG_SITE_K, GG_NAG_K}, {GG_SITE_K_NORM, GG_NAG_K}, {GG_SITE_V, GG_NAG_V}, {GG_SITE_ATTN_OUT, GG_NAG_O}};
    uint32_t sites = 0, got = 0, known = 0;
    if (gg_site_list_parse(&sites, ctx, text) != GG_OK)
        return gg_fail(ctx, GG_ENOENT, "\"%s\" names no neuron type of NAG; there are up, down, q, k, v, o (and their other names: golgi model sites M)", text);
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        known |= 1u << of[i].site;
        if (sites >> of[i].site & 1)
            got |= 1u << of[i].type;
    }
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (sites & ~known & 1u << s)
            return gg_fail(ctx, GG_ENOENT, "\"%s\": NAG reads the types up, down, q, k, v, o; \"%s\" is none of them", text, gg_site_name((gg_site)s));
    *types = got;
    return GG_OK;
}

bool gg__nag_is_binary(const char *path)
{
    const size_t n = strlen(path);
    return n >= 4 && strcmp(path + n - 4, ".nag") == 0;
}

gg_status gg__nag_rows_may_hold(gg_context *ctx, const char *path)
{
    static const char *const no[] = {".csv", ".tsv", ".txt"}; /* rows, but a list of numbers has no place in them */
    const size_t n = gg_name_plain_length(path);
    bool may = strcmp(path, "-") == 0 || gg_rows_are_named(path) || gg_file_is_stream(path);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        may = may && !(n > strlen(no[i]) && strncasecmp(path + n - strlen(no[i]), no[i], strlen(no[i])) == 0);
    return may ? GG_OK : gg_fail(ctx, GG_EUNSUPPORTED, "%s: no known kind of features; expected .nag, .jsonl (also .gz or .zst), .parquet, or -", path);
}

int gg_nag_header_find(const gg_nag_header *h, gg_nag_type t)
{
    for (int s = 0; s < h->n_sites; s++)
        if (h->site[s].type == t)
            return s;
    return -1;
}

int gg_nag_index_bytes(const gg_nag_header *h)
{
    for (int s = 0; s < h->n_sites; s++)
        if (h->site[s].width == 0 || h->site[s].width > 65536)
            return 4;
    return 2;
}

/* --- do two files belong together --------------------------------------------------------------------------------------- */
void gg__nag_describe(gg_str *out, const gg_nag_header *h, const char *path, gg_nag_type t)
{
    const int s = gg_nag_header_find(h, t);
    gg_str_printf(out, "  %s", path);
    if (h->model_hash[0])
        gg_str_printf(out, "  %s (%.8s)", h->model, h->model_hash);
    if (s >= 0)
        gg_str_printf(out, "  site %s  K %lld  %d layer%s", gg_nag_type_name(t), (long long)h->site[s].top_k, h->n_layers, h->n_layers == 1 ? "" : "s");
    else
        gg_str_printf(out, "  no site %s", gg_nag_type_name(t));
    if (s >= 0 && h->site[s].width)
        gg_str_printf(out, "  %lld neurons", (long long)h->site[s].width);
    if (h->action_hash[0])
        gg_str_printf(out, "  actions %.8s", h->action_hash);
}

gg_status gg__nag_header_match(bool *told, gg_context *ctx, const gg_nag_header *a, const char *path_a, const gg_nag_header *b, const char *path_b,
                               gg_nag_type t)
{
    const int sa = gg_nag_header_find(a, t), sb = gg_nag_header_find(b, t);
    const bool both = a->model_hash[0] && b->model_hash[0]; /* row files do not name their model */
    const char *advice = NULL;
    if (sa < 0 || sb < 0)
        advice = "Extract both with the same --sites, or choose another --site.";
    else if (both && strcmp(a->model_hash, b->model_hash) != 0)
        advice = "Extract both with the same --model.";
    else if (a->site[sa].width && b->site[sb].width && a->site[sa].width != b->site[sb].width)
        advice = "Extract both with the same --model.";
    else if (a->site[sa].top_k != b->site[sb].top_k)
        advice = "Extract both with the same --top-k.";
    else if (a->n_layers != b->n_layers || (both && memcmp(a->layer, b->layer, sizeof *a->layer * (size_t)a->n_layers) != 0))
        advice = "Slice both to the same --layers.";
    else if (both && strcmp(a->action_hash, b->action_hash) != 0)
        advice = "Extract both with the same --action.";
    if (!advice) {
        if (!*told && both && (a->max_tokens != b->max_tokens || a->special != b->special || strcmp(a->dtype, b->dtype) != 0)) {
            gg_log(ctx, GG_LOG_WARNING, "%s (max-tokens %lld, %s%s) and %s (max-tokens %lld, %s%s) were not extracted in the same way", path_a,
                   (long long)a->max_tokens, a->dtype, a->special ? ", special tokens" : "", path_b, (long long)b->max_tokens, b->dtype,
                   b->special ? ", special tokens" : "");
            *told = true;
        }
        return GG_OK;
    }
    gg_str m = {.ctx = ctx};
    gg__nag_describe(&m, a, path_a, t);
    gg_str_puts(&m, "\n");
    gg__nag_describe(&m, b, path_b, t);
    gg_status st = m.failed ? GG_ENOMEM : gg_fail(ctx, GG_EMISMATCH, "features do not match\n%s\n  %s", m.data, advice);
    gg_str_free(&m);
    return st;
}

gg_status gg_nag_header_match(gg_context *ctx, const gg_nag_header *a, const char *path_a, const gg_nag_header *b, const char *path_b, gg_nag_type t)
{
    bool told = false;
    return gg__nag_header_match(&told, ctx, a, path_a, b, path_b, t);
}

/* --- header <-> JSON ------------------------------------------------------------------------------------------------------ */
json_t *gg__nag_header_json(const gg_nag_header *h)
{
    json_t *layers = json_array(), *sites = json_array();
    bool ok = layers && sites;
    for (int l = 0; l < h->n_layers; l++)
        ok = ok && json_array_append_new(layers, json_integer(h->layer[l])) == 0;
    for (int s = 0; s < h->n_sites; s++)
        ok = ok && json_array_append_new(sites, json_pack("{s:s, s:I, s:I}", "type", gg_nag_type_name(h->site[s].type), "width", (json_int_t)h->site[s].width,
                                                          "top_k", (json_int_t)h->site[s].top_k)) == 0;
    if (!ok) {
        json_decref(layers);
        json_decref(sites);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:i, s:o, s:o}", "golgi", GG_VERSION_TEXT, "model", h->model, "model_hash", h->model_hash,
                     "action_hash", h->action_hash, "dtype", h->dtype, "max_tokens", (json_int_t)h->max_tokens, "special", h->special, "index_bytes",
                     gg_nag_index_bytes(h), "layers", layers, "sites", sites);
}

static bool take_text(char *out, size_t size, const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s && strlen(s) < size && snprintf(out, size, "%s", s) >= 0;
}

const char *gg__nag_header_from_json(gg_nag_header *h, const json_t *o)
{
    *h = (gg_nag_header){0};
    if (!json_is_object(o))
        return "the header is not a JSON object";
    if (!take_text(h->model, sizeof h->model, o, "model") || !take_text(h->model_hash, sizeof h->model_hash, o, "model_hash") ||
        !take_text(h->action_hash, sizeof h->action_hash, o, "action_hash") || !take_text(h->dtype, sizeof h->dtype, o, "dtype"))
        return "the header lacks model, model_hash, action_hash or dtype, or one is too long";
    h->max_tokens = json_integer_value(json_object_get(o, "max_tokens"));
    h->special = json_is_true(json_object_get(o, "special"));
    const json_t *layers = json_object_get(o, "layers"), *sites = json_object_get(o, "sites");
    if (!json_is_array(layers) || json_array_size(layers) < 1 || json_array_size(layers) > GG_NAG_MAX_LAYERS)
        return "the header's layers are not a list of 1 to 1024 numbers";
    h->n_layers = (int)json_array_size(layers);
    for (int l = 0; l < h->n_layers; l++) {
        const json_int_t v = json_is_integer(json_array_get(layers, (size_t)l)) ? json_integer_value(json_array_get(layers, (size_t)l)) : -1;
        if (v < 0 || v > 1 << 20 || (l > 0 && v <= h->layer[l - 1]))
            return "the header's layers do not rise";
        h->layer[l] = (int32_t)v;
    }
    if (!json_is_array(sites) || json_array_size(sites) < 1 || json_array_size(sites) > GG_NAG_TYPES)
        return "the header's sites are not a list of 1 to 6";
    h->n_sites = (int)json_array_size(sites);
    for (int s = 0; s < h->n_sites; s++) {
        const json_t *e = json_array_get(sites, (size_t)s);
        const char *name = json_string_value(json_object_get(e, "type"));
        int t = 0;
        while (t < GG_NAG_TYPES && !(name && strcmp(name, type_name[t]) == 0))
            t++;
        if (t == GG_NAG_TYPES)
            return "the header names an unknown site";
        for (int i = 0; i < s; i++)
            if (h->site[i].type == (gg_nag_type)t)
                return "the header names a site twice";
        const json_int_t width = json_integer_value(json_object_get(e, "width")), k = json_integer_value(json_object_get(e, "top_k"));
        if (width < 0 || width > INT32_MAX || k < 1 || k > 1 << 20 || (width && k > width))
            return "the header's width or top_k is outside its range";
        h->site[s] = (gg_nag_site){.type = (gg_nag_type)t, .width = width, .top_k = k};
    }
    if (json_integer_value(json_object_get(o, "index_bytes")) != gg_nag_index_bytes(h))
        return "the header's index_bytes does not follow from its widths";
    return NULL;
}

/* --- writer ------------------------------------------------------------------------------------------------------------------ */
struct gg_nag_writer {
    gg_context *ctx;
    gg_nag_header h;
    gg_out *out;             /* .nag */
    gg_rows_writer *rows;    /* else */
    uint64_t n_documents, chain;
    /* the block that is being filled */
    int64_t n, block_n;
    int64_t *token_num;      /* (block_n,) */
    uint32_t *n_scored, *docid_end;
    gg_str docids;
    uint8_t *index[GG_NAG_TYPES];
    int64_t document_bytes[GG_NAG_TYPES];
    uint8_t *body;
    size_t body_cap;
};

void gg_nag_writer_discard(gg_nag_writer *w)
{
    if (!w)
        return;
    gg_out_discard(w->out);
    if (w->rows)
        gg_rows_writer_discard(w->rows);
    gg_drop(w->ctx, w->token_num);
    gg_drop(w->ctx, w->n_scored);
    gg_drop(w->ctx, w->docid_end);
    gg_str_free(&w->docids);
    for (int s = 0; s < GG_NAG_TYPES; s++)
        gg_drop(w->ctx, w->index[s]);
    gg_drop(w->ctx, w->body);
    gg_drop(w->ctx, w);
}

static gg_status write_head(gg_nag_writer *w, json_t *units)
{
    json_t *j = gg__nag_header_json(&w->h);
    if (j && units && json_object_set(j, "units", units) != 0) {
        json_decref(j);
        j = NULL;
    }
    uint64_t n_bytes;
    const gg_status st = gg__nag_head_write(&n_bytes, &w->chain, w->ctx, w->out, gg__nag_kind_features, j);
    json_decref(j);
    return st;
}

gg_status gg_nag_writer_open(gg_nag_writer **out, gg_context *ctx, const char *path, const gg_nag_header *h)
{
    return gg__nag_writer_open_units(out, ctx, path, h, NULL);
}

gg_status gg__nag_writer_open_units(gg_nag_writer **out, gg_context *ctx, const char *path, const gg_nag_header *h, json_t *units)
{
    gg_nag_writer *w = gg_new(ctx, gg_nag_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg_nag_writer){.ctx = ctx, .h = *h, .docids = {.ctx = ctx}};
    gg_status st = GG_OK;
    if (gg__nag_is_binary(path)) {
        int64_t bytes = 0;
        for (int s = 0; s < h->n_sites; s++)
            bytes += w->document_bytes[s] = h->n_layers * h->site[s].top_k * gg_nag_index_bytes(h);
        w->block_n = (int64_t)(8 << 20) / bytes; /* blocks of at most 8 MiB */
        w->block_n = w->block_n < 1 ? 1 : w->block_n > GG__NAG_BATCH ? GG__NAG_BATCH : w->block_n;
        w->token_num = gg_new(ctx, int64_t, w->block_n);
        w->n_scored = gg_new(ctx, uint32_t, w->block_n);
        w->docid_end = gg_new(ctx, uint32_t, w->block_n);
        if (!w->token_num || !w->n_scored || !w->docid_end)
            st = GG_ENOMEM;
        for (int s = 0; s < h->n_sites && st == GG_OK; s++)
            if (!(w->index[s] = gg_alloc(ctx, gg_mul(w->block_n, w->document_bytes[s]))))
                st = GG_ENOMEM;
        if (st == GG_OK)
            st = gg_out_open(&w->out, ctx, path);
        if (st == GG_OK)
            st = write_head(w, units);
    } else {
        st = gg__nag_rows_may_hold(ctx, path);
        if (st == GG_OK)
            st = gg_rows_writer_open(&w->rows, ctx, path);
    }
    if (st != GG_OK) {
        gg_nag_writer_discard(w);
        return st;
    }
    *out = w;
    return GG_OK;
}

static gg_status flush_block(gg_nag_writer *w)
{
    if (w->n == 0)
        return GG_OK;
    gg__nag_block_head b = {.n = (uint32_t)w->n, .docid_bytes = gg__nag_pad8(w->docids.len)};
    memcpy(b.magic, gg__nag_block_magic, 4);
    b.body_bytes = (uint64_t)w->n * 16 + b.docid_bytes;
    for (int s = 0; s < w->h.n_sites; s++)
        b.body_bytes += gg__nag_pad8((uint64_t)(w->n * w->document_bytes[s]));
    if (w->body_cap < b.body_bytes) {
        gg_drop(w->ctx, w->body);
        w->body_cap = 0;
        if (!(w->body = gg_alloc(w->ctx, b.body_bytes)))
            return GG_ENOMEM;
        w->body_cap = b.body_bytes;
    }
    memset(w->body, 0, b.body_bytes);
    uint8_t *p = w->body;
    memcpy(p, w->token_num, (size_t)w->n * 8);
    memcpy(p += w->n * 8, w->n_scored, (size_t)w->n * 4);
    memcpy(p += w->n * 4, w->docid_end, (size_t)w->n * 4);
    memcpy(p += w->n * 4, w->docids.data, w->docids.len);
    p += b.docid_bytes;
    for (int s = 0; s < w->h.n_sites; s++) {
        memcpy(p, w->index[s], (size_t)(w->n * w->document_bytes[s]));
        p += gg__nag_pad8((uint64_t)(w->n * w->document_bytes[s]));
    }
    b.checksum = gg__xxh64(w->body, b.body_bytes, 0);
    const uint64_t link[2] = {w->chain, b.checksum};
    w->chain = gg__xxh64(link, sizeof link, 0);
    w->n_documents += (uint64_t)w->n;
    w->n = 0;
    w->docids.len = 0;
    GG_TRY(gg_out_write(w->out, &b, sizeof b));
    return gg_out_write(w->out, w->body, b.body_bytes);
}

/* Indices of document i of f into the block, converted between 2 and 4 bytes when the two differ (rows to .nag). */
static gg_status put_index(gg_nag_writer *w, int s, const gg_nag_features *f, int64_t i)
{
    const gg_nag_site *site = &w->h.site[s];
    const int64_t n = w->h.n_layers * site->top_k;
    const int to = gg_nag_index_bytes(&w->h);
    for (int64_t j = 0; j < n; j++) {
        const uint32_t k = f->index_bytes == 2 ? ((const uint16_t *)f->index[s])[i * n + j] : ((const uint32_t *)f->index[s])[i * n + j];
        if (site->width && k >= (uint64_t)site->width)
            return gg_fail(w->ctx, GG_EINVAL, "document \"%s\" names neuron %u of L%d.%s, which has %lld", f->docid[i], k,
                           w->h.layer[j / site->top_k], gg_nag_type_name(site->type), (long long)site->width);
        if (to == 2)
            ((uint16_t *)w->index[s])[w->n * n + j] = (uint16_t)k;
        else
            ((uint32_t *)w->index[s])[w->n * n + j] = k;
    }
    return GG_OK;
}

gg_status gg_nag_writer_add(gg_nag_writer *w, const gg_nag_features *f)
{
    if (w->rows) {
        w->n_documents += (uint64_t)f->n;
        return gg__row_write(w->rows, &w->h, f, w->ctx);
    }
    for (int64_t i = 0; i < f->n; i++) {
        for (int s = 0; s < w->h.n_sites; s++)
            GG_TRY(put_index(w, s, f, i));
        w->token_num[w->n] = f->token_num[i];
        w->n_scored[w->n] = f->n_scored[i] < 0 || f->n_scored[i] >= UINT32_MAX ? UINT32_MAX : (uint32_t)f->n_scored[i];
        gg_str_add(&w->docids, f->docid[i], strlen(f->docid[i]) + 1);
        if (w->docids.failed)
            return GG_ENOMEM;
        w->docid_end[w->n] = (uint32_t)w->docids.len;
        if (++w->n == w->block_n || w->docids.len > 1 << 28)
            GG_TRY(flush_block(w));
    }
    return GG_OK;
}

gg_status gg__nag_writer_becomes(gg_nag_writer *w, const char *path) { return gg_out_becomes(w->out, path); }

gg_status gg_nag_writer_commit(gg_nag_writer *w)
{
    gg_status st = GG_OK;
    if (w->rows) {
        st = gg_rows_writer_commit(w->rows);
        w->rows = NULL;
    } else {
        st = flush_block(w);
        if (st == GG_OK) {
            gg__nag_footer e = {.n_documents = w->n_documents, .chain = w->chain, .file_bytes = gg_out_tell(w->out) + sizeof e};
            memcpy(e.magic, gg__nag_footer_magic, 4);
            st = gg_out_write(w->out, &e, sizeof e);
        }
        if (st == GG_OK) {
            st = gg_out_commit(w->out);
            w->out = NULL;
        }
    }
    gg_nag_writer_discard(w);
    return st;
}
