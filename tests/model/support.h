/* What the tests of this floor share: a context as the group's state, and recorded runs.
 *
 * A recording holds everything that a run offers at chosen sites: for each (layer, site) the rows of all documents, one after the other.
 */
#ifndef GG_TESTS_MODEL_SUPPORT_H
#define GG_TESTS_MODEL_SUPPORT_H
#include "../support.h"
#include <math.h>
#include <golgi/model.h>

#define TINY "tests/golden/tiny/"

static inline gg_model *open_model(gg_context *ctx, const char *path, const gg_model_options *o)
{
    gg_model *m = NULL;
    assert_ok_in(ctx, gg_model_open(&m, ctx, path, o));
    return m;
}

/* --- recordings ------------------------------------------------------------------------------------------------------ */

enum { RECORD_LAYERS = 40 };
typedef struct recording {
    float *x[RECORD_LAYERS][GG_SITE_COUNT]; /* (rows, width) */
    int64_t rows[RECORD_LAYERS][GG_SITE_COUNT], width[RECORD_LAYERS][GG_SITE_COUNT];
} recording;

/* What one group offered; appended to the recording when its documents are handed over. */
typedef struct heard {
    recording now;
} heard;

static inline void recording_add(recording *r, int layer, int site, const float *x, int64_t rows, int64_t width)
{
    float **at = &r->x[layer][site];
    int64_t *n = &r->rows[layer][site];
    r->width[layer][site] = width;
    *at = realloc(*at, sizeof **at * (size_t)((*n + rows) * width + 1));
    memcpy(*at + *n * width, x, sizeof **at * (size_t)(rows * width));
    *n += rows;
}

static inline void recording_free(recording *r)
{
    for (int l = 0; l < RECORD_LAYERS; l++)
        for (int s = 0; s < GG_SITE_COUNT; s++)
            free(r->x[l][s]);
    memset(r, 0, sizeof *r);
}

static gg_status record_open(void *user, void **state, const gg_group *g)
{
    (void)user;
    (void)g;
    *state = calloc(1, sizeof(recording));
    return GG_OK;
}

static gg_status record_tap(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)user;
    (void)g;
    recording *r = state;
    assert_int_equal(t->row, r->rows[t->layer][t->site]); /* pieces come in order */
    recording_add(r, t->layer, t->site, t->x, t->n_rows, t->width);
    return GG_OK;
}

static gg_status record_document(void *user, void *state, const gg_group *g, int i)
{
    recording *all = user;
    const recording *r = state;
    for (int l = 0; l < RECORD_LAYERS; l++)
        for (int s = 0; s < GG_SITE_COUNT; s++)
            if (r->x[l][s])
                recording_add(all, l, s, r->x[l][s] + g->start[i] * r->width[l][s], g->start[i + 1] - g->start[i], r->width[l][s]);
    return GG_OK;
}

static void record_close(void *user, void *state)
{
    (void)user;
    recording_free(state);
    free(state);
}

static inline gg_listener recorder(recording *r, uint32_t sites)
{
    return (gg_listener){.sites = sites, .open = record_open, .tap = record_tap, .document = record_document, .close = record_close, .user = r};
}

/* Every site that the model has. */
static inline uint32_t all_sites(const gg_model *m)
{
    uint32_t mask = 0;
    for (int s = 0; s < GG_SITE_COUNT; s++)
        if (gg_model_width(m, 0, (gg_site)s) > 0)
            mask |= 1u << s;
    return mask;
}

static inline recording *record_ids(gg_model *m, const int32_t *ids, int64_t n_rows, int64_t n_columns, int64_t group_tokens, uint32_t sites)
{
    recording *r = calloc(1, sizeof *r);
    gg_run_result result;
    const gg_listener y = recorder(r, sites);
    const gg_status s = gg_run_ids(&result, m, ids, n_rows, n_columns, &(gg_run_options){.group_tokens = group_tokens}, &y, 1);
    assert_int_equal(s, GG_OK);
    assert_int_equal(result.n_documents, n_rows);
    return r;
}

static inline void drop_recording(recording *r)
{
    recording_free(r);
    free(r);
}

/* Largest |a - b| as a part of the largest |b|. */
static inline double distance(const float *a, const float *b, int64_t n)
{
    double worst = 0, largest = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= worst))
            worst = d; /* NaN sticks */
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst / largest;
}
#endif
