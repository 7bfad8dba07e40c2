/* Standardisation: y = (x - shift) / factor, with numbers taken from the samples that a model is trained on and from no others.
 *
 * Mean and variance by Welford's update over samples in order, missing numbers passed over. A feature that never changes is moved to 0 and not
 * divided. Trap: the mean of a million equal numbers, summed, is not that number and leaves a variance of 1e-20 to divide by; gg__moments_add is exact there.
 */
#include "nn/data.h"
#include "nn/config.h"
#include <math.h>

static const char *const names[] = {"none", "standard", "channel", "range", "unit"};
const char *gg_scale_name(gg_scale_kind k) { return (unsigned)k < GG_SCALES ? names[k] : "?"; }

static gg_status scaler_create(gg_scaler **out, gg_context *ctx, gg_scale_kind kind, int64_t n, int64_t shared)
{
    gg_scaler *s = *out = gg_new(ctx, gg_scaler, 1);
    double *block = s ? gg_new(ctx, double, gg_mul(4, n)) : NULL;
    if (!block) {
        gg_drop(ctx, s);
        *out = NULL;
        return GG_ENOMEM;
    }
    *s = (gg_scaler){.ctx = ctx, .kind = kind, .n = n, .shared = shared, .shift = block, .factor = block + n, .inverse = block + 2 * n, .fill = block + 3 * n};
    return GG_OK;
}

void gg_scaler_free(gg_scaler *s)
{
    if (!s)
        return;
    gg_drop(s->ctx, s->shift);
    gg_drop(s->ctx, s->byte);
    gg_drop(s->ctx, s);
}

/* What follows from shift and factor. Bytes that share a few factors are looked up. */
static gg_status finish(gg_scaler *s)
{
    for (int64_t k = 0; k < s->n; k++)
        s->inverse[k] = 1 / s->factor[k];
    if (s->n > 16 || s->shared < 64)
        return GG_OK;
    if (!(s->byte = gg_new(s->ctx, float, 256 * s->n)))
        return GG_ENOMEM;
    for (int64_t k = 0; k < s->n; k++)
        for (int v = 0; v < 256; v++)
            s->byte[256 * k + v] = (float)((v - s->shift[k]) * s->inverse[k]);
    return GG_OK;
}

static void look(gg__moments *m, const gg_data *d, const gg_scaler *s)
{
    const gg__store *store = d->store;
    for (int64_t i = 0; i < d->about.n; i++) {
        const int64_t row = gg__data_row(d, NULL, i) * store->row;
        for (int64_t j = 0; j < store->width; j++) {
            const double v = gg__data_number(store->x, store->about.dtype, row + j);
            if (!isnan(v))
                gg__moments_add(&m[j / s->shared], v);
        }
    }
}

static gg_status take_moments(gg_scaler *s, const gg_data *d)
{
    gg_context *ctx = s->ctx;
    gg__moments *m = gg_new(ctx, gg__moments, s->n);
    if (!m)
        return GG_ENOMEM;
    look(m, d, s);
    gg_status status = GG_OK;
    for (int64_t k = 0; k < s->n && status == GG_OK; k++) {
        const char *name = d->about.feature_name && s->shared == 1 ? d->about.feature_name[k] : NULL;
        const double range = m[k].greatest - m[k].least, sd = sqrt(m[k].m2 / (double)m[k].n);
        if (!m[k].n)
            status = gg_fail(ctx, GG_EINVAL, "feature %lld%s%s has no number that is not missing", (long long)k, name ? ": " : "", name ? name : "");
        s->fill[k] = m[k].mean;
        const bool standard = s->kind == GG_SCALE_STANDARD || s->kind == GG_SCALE_CHANNEL;
        s->shift[k] = standard ? s->fill[k] : s->kind == GG_SCALE_RANGE ? m[k].least : 0;
        const double factor = standard ? sd : s->kind == GG_SCALE_RANGE ? range : s->kind == GG_SCALE_UNIT ? 255 : 1;
        s->factor[k] = (standard || s->kind == GG_SCALE_RANGE) && !(factor > 0) ? 1 : factor;
    }
    gg_drop(ctx, m);
    return status;
}

gg_status gg_scaler_fit(gg_scaler **out, const gg_data *d, gg_scale_kind kind)
{
    const gg__store *store = d->store;
    gg_context *ctx = store->ctx;
    *out = NULL;
    if ((unsigned)kind >= GG_SCALES)
        return gg_fail(ctx, GG_EINVAL, "%d is no kind of scale", (int)kind);
    if (store->about.tokens)
        return gg_fail(ctx, GG_EMISMATCH, "tokens are not scaled");
    if (kind == GG_SCALE_CHANNEL && d->about.sample.n < 2)
        return gg_fail(ctx, GG_EMISMATCH, "samples of %d dimensions have no channels: (channels, ...) is wanted", d->about.sample.n);
    /* Bytes are never missing: one factor for all, and nobody need look. Others may be missing when the model predicts, if not here. */
    const bool whole = (kind == GG_SCALE_NONE || kind == GG_SCALE_UNIT) && store->about.dtype == GG_U8;
    const int64_t n = whole ? 1 : kind == GG_SCALE_CHANNEL ? d->about.sample.d[0] : store->width;
    gg_scaler *s;
    GG_TRY(scaler_create(&s, ctx, kind, n, store->width / n));
    gg_status status = GG_OK;
    if (whole)
        s->factor[0] = kind == GG_SCALE_UNIT ? 255 : 1;
    else
        status = take_moments(s, d);
    if (status == GG_OK)
        status = finish(s);
    if (status != GG_OK)
        gg_scaler_free(s);
    else
        *out = s;
    return status;
}

int64_t gg_scaler_size(const gg_scaler *s) { return s->n; }
const double *gg_scaler_shift(const gg_scaler *s) { return s->shift; }
const double *gg_scaler_factor(const gg_scaler *s) { return s->factor; }

/* --- checkpoints ---------------------------------------------------------------------------------------------------------------------------- */
gg_status gg_scaler_save(json_t **out, const gg_scaler *s)
{
    json_t *o = *out = json_object();
    if (o && json_object_set_new(o, "scale", json_string(gg_scale_name(s->kind))) == 0 && json_object_set_new(o, "shared", json_integer(s->shared)) == 0 &&
        json_object_set_new(o, "shift", gg__json_numbers(s->shift, s->n)) == 0 && json_object_set_new(o, "factor", gg__json_numbers(s->factor, s->n)) == 0 &&
        json_object_set_new(o, "fill", gg__json_numbers(s->fill, s->n)) == 0)
        return GG_OK;
    json_decref(o);
    *out = NULL;
    return gg_fail(s->ctx, GG_ENOMEM, "out of memory for a scaler");
}

static gg_status load_numbers(double *out, gg_context *ctx, const json_t *json, const char *key, int64_t n)
{
    const json_t *a = json_object_get(json, key);
    if (!json_is_array(a) || (int64_t)json_array_size(a) != n)
        return gg_fail(ctx, GG_EFORMAT, "a scaler's \"%s\" is a list of as many numbers as its \"shift\"", key);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, (size_t)i);
        out[i] = json_number_value(v);
        if (!json_is_number(v) || !isfinite(out[i]))
            return gg_fail(ctx, GG_EFORMAT, "a scaler's \"%s\": number %lld is none", key, (long long)i);
    }
    return GG_OK;
}

static gg_status load_all(gg_scaler *s, const json_t *json)
{
    GG_TRY(load_numbers(s->shift, s->ctx, json, "shift", s->n));
    GG_TRY(load_numbers(s->factor, s->ctx, json, "factor", s->n));
    GG_TRY(load_numbers(s->fill, s->ctx, json, "fill", s->n));
    for (int64_t k = 0; k < s->n; k++)
        if (!(s->factor[k] > 0))
            return gg_fail(s->ctx, GG_EFORMAT, "a scaler's \"factor\": number %lld is %g, it must be positive", (long long)k, s->factor[k]);
    return finish(s);
}

gg_status gg_scaler_load(gg_scaler **out, gg_context *ctx, const json_t *json)
{
    *out = NULL;
    const char *name = json_string_value(json_object_get(json, "scale"));
    const int64_t n = (int64_t)json_array_size(json_object_get(json, "shift")), shared = json_integer_value(json_object_get(json, "shared"));
    int kind = 0;
    while (name && kind < GG_SCALES && strcmp(name, names[kind]) != 0)
        kind++;
    if (!name || kind == GG_SCALES || n < 1 || shared < 1 || shared > INT64_MAX / n)
        return gg_fail(ctx, GG_EFORMAT,
                       "a scaler has \"scale\" (none, standard, channel, range, unit), \"shared\" (1 and more), \"shift\", \"factor\" and \"fill\"");
    gg_scaler *s;
    GG_TRY(scaler_create(&s, ctx, (gg_scale_kind)kind, n, shared));
    const gg_status status = load_all(s, json);
    if (status != GG_OK)
        gg_scaler_free(s);
    else
        *out = s;
    return status;
}
