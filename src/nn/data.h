/* Inside data sets: the memory that views share, and what the readers of files fill. */
#ifndef GG_NN_DATA_H
#define GG_NN_DATA_H
#include "base/memory.h"
#include <golgi/data.h>
#include <stdatomic.h>

/* Samples in memory with their targets. Lives while a view of it does. */
typedef struct gg__store {
    gg_context *ctx;
    atomic_int users;
    gg_arena arena;              /* names, labels, values, groups */
    gg_data_description about;   /* n: of all samples */
    const void *x;               /* row i begins `row` elements behind row i - 1; a row is contiguous */
    void *own;                   /* what of x is to be freed, or NULL */
    int64_t row, width;          /* elements between rows, numbers of a sample */
    const int32_t *label;        /* (n,); tokens: x one further on */
    const float *value;          /* (n, n_values) */
    int64_t *group;              /* (n,) from 0, in the order of their first sample */
    json_t *schema;              /* of tables */
} gg__store;

struct gg_data {
    gg__store *store;
    gg_data_description about;
    const int64_t *index;        /* (about.n,) rows of the store; NULL: all */
    int64_t *own;                /* what of it is to be freed */
};

struct gg_scaler {
    gg_context *ctx;
    gg_scale_kind kind;
    int64_t n, shared;           /* factors; numbers of a sample that each is for: number j has factor j / shared */
    double *shift, *factor, *inverse, *fill; /* (n,) fill: what a missing number is taken for */
    float *byte;                 /* (n, 256) what a byte becomes, when few share it; or NULL */
};

/* Mean and square deviations of numbers one after another (Welford 1962), exact where all are the same; begins as {0}. */
typedef struct gg__moments {
    int64_t n;
    double mean, m2, least, greatest;
} gg__moments;
static inline void gg__moments_add(gg__moments *m, double v)
{
    const double from = v - m->mean;
    m->mean += from / (double)++m->n;
    m->m2 += from * (v - m->mean);
    m->least = m->n == 1 || v < m->least ? v : m->least;
    m->greatest = m->n == 1 || v > m->greatest ? v : m->greatest;
}

static inline int64_t gg__data_row(const gg_data *d, const int64_t *index, int64_t i)
{
    const int64_t at = index ? index[i] : i;
    return d->index ? d->index[at] : at;
}

gg_status gg__store_create(gg__store **out, gg_context *ctx);
void gg__store_drop(gg__store *s); /* one user less */
/* n_classes of these names, copied; name NULL: "0", "1", ... */
gg_status gg__store_classes(gg__store *s, int64_t n_classes, const char *const *name);
/* (n,) labels from any integers: checks them, and counts classes when n_classes is 0. Copies. what: for messages, "labels.idx: label". */
gg_status gg__store_labels(gg__store *s, const int32_t *label, int64_t n_classes, const char *const *name, const char *what);
/* Every number is finite; or NaN, which with may_miss sets about.missing. what: "x.npy: sample". */
gg_status gg__store_check(gg__store *s, bool may_miss, const char *what);
/* A view of all of s. Takes s over, and drops it when so_far is a failure. */
gg_status gg__data_whole(gg_data **out, gg__store *s, gg_status so_far);

/* The number at `at` of x; formats that gg__data_takes. */
double gg__data_number(const void *x, gg_dtype t, int64_t at);
bool gg__data_takes(gg_dtype t);

/* Readers, one a kind of file. */
gg_status gg__data_table(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o);
gg_status gg__data_idx(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o);
gg_status gg__data_numpy(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o);
gg_status gg__data_images(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o);
gg_status gg__data_text(gg_data **out, gg_context *ctx, const char *path, const gg_data_options *o);
#endif
