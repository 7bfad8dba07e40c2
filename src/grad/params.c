/* Parameters: values and gradients as two contiguous blocks, so that an optimiser is one loop and a checkpoint one write. Owns both blocks.
 *
 * The blocks are made when somebody first asks for a value: until then more parameters may come, afterwards none, because graphs hold
 * pointers into them. Each parameter begins on 64 bytes; the gaps are zero and stay zero (all their gradients are).
 */
#include "grad/graph.h"

typedef struct param {
    char *name;
    gg_shape shape;
    unsigned flags;
    int64_t n, offset;
    int init; /* for nn: 0 none, else 1 + its kind */
    double bound;
} param;

struct gg_params {
    gg_context *ctx;
    gg_dtype dtype;
    int n;
    int64_t cap;
    param *at;
    int64_t extent, size;
    void *value, *gradient;
};

gg_status gg_params_create(gg_params **out, gg_context *ctx, gg_dtype dtype)
{
    if (dtype != GG_F32 && dtype != GG_F64)
        return gg_fail(ctx, GG_EINVAL, "parameters are F32 or F64, not %s", gg_dtype_name(dtype));
    gg_params *p = gg_new(ctx, gg_params, 1);
    if (!p)
        return GG_ENOMEM;
    p->ctx = ctx;
    p->dtype = dtype;
    *out = p;
    return GG_OK;
}

void gg_params_free(gg_params *p)
{
    if (!p)
        return;
    gg_context *ctx = p->ctx;
    for (int i = 0; i < p->n; i++)
        gg_drop(ctx, p->at[i].name);
    gg_drop(ctx, p->at);
    gg_drop(ctx, p->value);
    gg_drop(ctx, p->gradient);
    gg_drop(ctx, p);
}

static int64_t width(const gg_params *p) { return gg_dtype_block_bytes(p->dtype); }

gg_status gg_params_add(gg_params *p, const char *name, gg_shape shape, unsigned flags)
{
    const int64_t n = gg__shape_size(shape), step = 64 / width(p);
    if (p->value)
        return gg_fail(p->ctx, GG_EINVAL, "parameter %s comes too late: the blocks are in use", name);
    if (n < 0 || n > INT64_MAX / 16 - p->extent - step)
        return gg_fail(p->ctx, GG_EINVAL, "parameter %s has the shape %s", name, gg__shape_say(shape).text);
    if (gg_params_find(p, name) >= 0)
        return gg_fail(p->ctx, GG_EINVAL, "two parameters are called %s", name);
    GG_TRY(gg_grow(p->ctx, &p->at, p->n, &p->cap, 16));
    char *own = gg_strdup(p->ctx, name);
    if (!own)
        return GG_ENOMEM;
    p->at[p->n++] = (param){.name = own, .shape = shape, .flags = flags, .n = n, .offset = p->extent};
    p->extent += (n + step - 1) / step * step;
    p->size += n;
    return GG_OK;
}

int gg_params_count(const gg_params *p) { return p->n; }

int gg_params_find(const gg_params *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->at[i].name, name) == 0)
            return i;
    return -1;
}

const char *gg_params_name(const gg_params *p, int i) { return p->at[i].name; }
gg_shape gg_params_shape(const gg_params *p, int i) { return p->at[i].shape; }
unsigned gg_params_flags(const gg_params *p, int i) { return p->at[i].flags; }
gg_dtype gg_params_dtype(const gg_params *p) { return p->dtype; }
int64_t gg_params_size(const gg_params *p, int i) { return i < 0 ? p->size : p->at[i].n; }
int64_t gg_params_offset(const gg_params *p, int i) { return p->at[i].offset; }
int64_t gg_params_extent(const gg_params *p) { return p->extent; }

void gg_params_set_flags(gg_params *p, const char *prefix, unsigned set, unsigned clear)
{
    for (int i = 0; i < p->n; i++)
        if (strncmp(p->at[i].name, prefix, strlen(prefix)) == 0)
            p->at[i].flags = (p->at[i].flags | set) & ~clear;
}

static void *place(gg_params *p, void **block, int i)
{
    if (!p->value) {
        void *value = gg_alloc(p->ctx, gg_mul(p->extent, width(p))), *gradient = gg_alloc(p->ctx, gg_mul(p->extent, width(p)));
        if (!value || !gradient) {
            gg_drop(p->ctx, value);
            gg_drop(p->ctx, gradient);
            return NULL;
        }
        p->value = value;
        p->gradient = gradient;
    }
    return (char *)*block + (i < 0 ? 0 : p->at[i].offset * width(p));
}

void *gg_params_value(gg_params *p, int i) { return place(p, &p->value, i); }
void *gg_params_gradient(gg_params *p, int i) { return place(p, &p->gradient, i); }

void gg_params_zero_gradient(gg_params *p)
{
    if (p->gradient)
        memset(p->gradient, 0, (size_t)(p->extent * width(p)));
}

void gg__params_set_init(gg_params *p, int i, int kind, double bound)
{
    p->at[i].init = 1 + kind;
    p->at[i].bound = bound;
}

bool gg__params_init_of(const gg_params *p, int i, int *kind, double *bound)
{
    *kind = p->at[i].init - 1;
    *bound = p->at[i].bound;
    return p->at[i].init > 0;
}
