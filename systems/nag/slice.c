/* Keeping some layers of features: "all layers against the last one" of the paper, without extracting again. */
#include "systems/nag/nag_internal.h"

/* out keeps the layers that are on, of h. */
static void slice_header(gg_nag_header *out, const gg_nag_header *h, const bool *on)
{
    *out = *h;
    out->n_layers = 0;
    memset(out->layer, 0, sizeof out->layer);
    for (int l = 0; l < h->n_layers; l++)
        if (on[l])
            out->layer[out->n_layers++] = h->layer[l];
}

static void slice_features(void *const *out, const gg_nag_features *f, const gg_nag_header *h, const bool *on)
{
    for (int s = 0; s < h->n_sites; s++) {
        const size_t one = (size_t)h->site[s].top_k * (size_t)f->index_bytes;
        const char *from = f->index[s];
        char *to = out[s];
        for (int64_t i = 0; i < f->n; i++)
            for (int l = 0; l < h->n_layers; l++, from += one)
                if (on[l]) {
                    memcpy(to, from, one);
                    to += one;
                }
    }
}

gg_status gg_nag_slice(int64_t *n_documents, gg_context *ctx, const char *path, const char *input, const char *layers, int n_layers)
{
    gg_nag_reader *r = NULL;
    gg_nag_writer *w = NULL;
    gg_nag_header sliced;
    bool on[GG_NAG_MAX_LAYERS] = {false};
    void *part[GG_NAG_TYPES] = {NULL};
    int64_t cap = 0;
    *n_documents = 0;
    GG_TRY(gg_nag_reader_open(&r, ctx, input, n_layers));
    const gg_nag_header *h = gg_nag_reader_header(r);
    gg_status st = gg_layer_list_parse(on, ctx, layers, h->n_layers);
    if (st == GG_OK) {
        slice_header(&sliced, h, on);
        st = sliced.n_layers ? gg_nag_writer_open(&w, ctx, path, &sliced) : gg_fail(ctx, GG_EINVAL, "\"%s\" keeps no layer of %d", layers, h->n_layers);
    }
    if (st == GG_OK && !gg__nag_is_binary(path) && sliced.layer[sliced.n_layers - 1] != sliced.n_layers - 1)
        gg_log(ctx, GG_LOG_WARNING, "%s: rows do not say which layers these are, and who reads them calls them L0 to L%d; a .nag file does", path,
               sliced.n_layers - 1);
    gg_nag_features f;
    while (st == GG_OK && (st = gg_nag_reader_next(r, &f)) == GG_OK) {
        for (int s = 0; s < h->n_sites && f.n > cap && st == GG_OK; s++) {
            gg_drop(ctx, part[s]);
            part[s] = gg_alloc(ctx, gg_mul(f.n, sliced.n_layers * sliced.site[s].top_k * f.index_bytes));
            st = part[s] ? GG_OK : GG_ENOMEM;
        }
        if (st != GG_OK)
            break;
        cap = f.n > cap ? f.n : cap;
        slice_features(part, &f, h, on);
        for (int s = 0; s < h->n_sites; s++)
            f.index[s] = part[s];
        *n_documents += f.n;
        st = gg_context_stopped(ctx) ? gg_fail(ctx, GG_EINTR, "stopped; nothing was written") : gg_nag_writer_add(w, &f);
    }
    for (int s = 0; s < GG_NAG_TYPES; s++)
        gg_drop(ctx, part[s]);
    gg_nag_reader_close(r);
    if (st != GG_END) {
        gg_nag_writer_discard(w);
        return st;
    }
    return gg_nag_writer_commit(w);
}
