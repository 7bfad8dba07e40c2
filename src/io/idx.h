/* IDX: the files of MNIST and of what took its form. */
#ifndef GG_IO_IDX_H
#define GG_IO_IDX_H
#include <golgi/array.h>

typedef struct gg_idx {
    gg_array array; /* contiguous, in this machine's byte order */
} gg_idx;
/* Plain or compressed (told by its bytes). GG_EFORMAT with the byte: no IDX, cut off, or longer than it says. */
gg_status gg_idx_open(gg_idx *out, gg_context *ctx, const char *path);
void gg_idx_free(gg_idx *x, gg_context *ctx);
#endif
