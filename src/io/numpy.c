/* NPY and NPZ are recognised by their first bytes. */
#include "io/tensors.h"

gg_status gg__npy_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file, const char *name)
{
    (void)data, (void)size, (void)name;
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "%s: an NPY file", file);
}

gg_status gg__npz_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file)
{
    (void)data, (void)size;
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "%s: an NPZ file", file);
}
