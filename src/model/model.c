/* Opening, describing and freeing a model. */
#include "model/model.h"
#include "base/memory.h"

static int64_t width_of(void *user, int layer, gg_site site)
{
    return gg_model_width(user, layer, site);
}

gg_status gg_model_act(gg_model *m, const gg_actions *a)
{
    char hash[65];
    const bool any = gg_actions_count(a) > 0;
    if (any) {
        GG_TRY(gg_model_hash(m, hash));
        GG_TRY(gg_actions_check(a, hash, m->d.n_layers, width_of, m));
    }
    m->actions = any ? a : NULL;
    return GG_OK;
}

static gg_status open_all(gg_model *m, const char *path, const gg_model_options *o)
{
    m->dtype = o->dtype;
    if (m->dtype != GG_F32 && m->dtype != GG_BF16 && m->dtype != GG_I8)
        return gg_fail(m->ctx, GG_EINVAL, "products are computed in F32, BF16 or I8, not in %s", gg_dtype_name(m->dtype));
    GG_TRY(gg_tensors_open(&m->tensors, m->ctx, path));
    GG_TRY(gg__model_describe(m));
    GG_TRY(gg_model_act(m, o->actions));
    if (!o->no_weights)
        GG_TRY(gg__model_load(m, !o->no_head));
    /* A model without a tokenizer can still run ids; who needs it asks through gg_model_need_tokenizer and gets the reason. */
    m->no_tokenizer = gg_tokenizer_open(&m->tokenizer, m->ctx, m->tensors);
    if (m->no_tokenizer == GG_OK)
        return GG_OK;
    m->why_no_tokenizer = gg_strdup(m->ctx, gg_message(m->ctx));
    return m->why_no_tokenizer && m->no_tokenizer != GG_ENOMEM ? GG_OK : GG_ENOMEM;
}

gg_status gg_model_open(gg_model **out, gg_context *ctx, const char *path, const gg_model_options *o)
{
    gg_model *m = gg_new(ctx, gg_model, 1);
    if (!m)
        return GG_ENOMEM;
    m->ctx = ctx;
    const gg_status s = open_all(m, path, o ? o : &(gg_model_options){.dtype = GG_F32});
    if (s != GG_OK) {
        gg_model_free(m);
        return s;
    }
    *out = m;
    return GG_OK;
}

void gg_model_free(gg_model *m)
{
    if (!m)
        return;
    gg__model_unload(m);
    gg_drop(m->ctx, m->d.layer);
    gg_tokenizer_free(m->tokenizer);
    gg_drop(m->ctx, m->why_no_tokenizer);
    gg_tensors_free(m->tensors);
    gg_drop(m->ctx, m);
}

const gg_model_description *gg_model_describe(const gg_model *m)
{
    return &m->d;
}

gg_tensors *gg_model_tensors(const gg_model *m)
{
    return m->tensors;
}

const gg_tokenizer *gg_model_tokenizer(const gg_model *m)
{
    return m->tokenizer;
}

gg_status gg_model_need_tokenizer(const gg_tokenizer **out, const gg_model *m)
{
    if (!m->tokenizer)
        return gg_fail(m->ctx, m->no_tokenizer, "%s", m->why_no_tokenizer);
    *out = m->tokenizer;
    return GG_OK;
}

gg_status gg_model_hash(const gg_model *m, char hex[65])
{
    return gg_tensors_hash(m->tensors, hex);
}

gg_dtype gg_model_dtype(const gg_model *m)
{
    return m->dtype;
}

int64_t gg_model_parameters(const gg_model *m)
{
    int64_t n = 0;
    for (int64_t i = 0; i < gg_tensors_count(m->tensors); i++) {
        const gg_tensor *t = gg_tensors_at(m->tensors, i);
        int64_t k = 1;
        for (int j = 0; j < t->n_dims; j++)
            k *= t->shape[j];
        n += k;
    }
    return n;
}

int64_t gg_model_packed_bytes(const gg_model *m)
{
    int64_t n = m->head ? gg_linear_bytes(m->head) : 0;
    for (int l = 0; m->layer && l < m->d.n_layers; l++) {
        const gg__layer *y = &m->layer[l];
        gg_linear *const linears[] = {y->q, y->k, y->v, y->o, y->gate, y->up, y->down};
        for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
            n += linears[i] ? gg_linear_bytes(linears[i]) : 0;
    }
    return n;
}

int64_t gg__model_site_width(const gg_model_description *d, gg_site site)
{
    switch (site) {
    case GG_SITE_Q:
    case GG_SITE_Z: return d->n_heads * d->d_head;
    case GG_SITE_K:
    case GG_SITE_V: return d->n_kv_heads * d->d_head;
    case GG_SITE_Q_NORM: return d->qk_norm == GG_QK_NORM_NONE ? 0 : d->n_heads * d->d_head;
    case GG_SITE_K_NORM: return d->qk_norm == GG_QK_NORM_NONE ? 0 : d->n_kv_heads * d->d_head;
    case GG_SITE_GATE: return d->gated ? d->d_ff : 0;
    case GG_SITE_UP:
    case GG_SITE_ACT:
    case GG_SITE_HID: return d->d_ff;
    case GG_SITE_LOGITS: return d->n_vocab;
    case GG_SITE_RESID_IN:
    case GG_SITE_ATTN_OUT:
    case GG_SITE_MLP_OUT:
    case GG_SITE_RESID_OUT:
    case GG_SITE_FINAL: return d->d_model;
    default: return 0;
    }
}

int64_t gg_model_width(const gg_model *m, int layer, gg_site site)
{
    const bool once = site == GG_SITE_FINAL || site == GG_SITE_LOGITS;
    if (layer < 0 || layer >= m->d.n_layers + once)
        return 0;
    return gg__model_site_width(&m->d, site);
}
