/* IDX: the files of MNIST and of what took its form. */
#ifndef GG_IO_IDX_H
#define GG_IO_IDX_H
#include <golgi/array.h>

/* Plain or compressed (told by its bytes). *out is contiguous, in this machine's byte order; its data are the caller's, dropped by gg_drop.
 * GG_EFORMAT with the byte: no IDX, cut off, or longer than it says. */
gg_status gg_idx_open(gg_array *out, gg_context *ctx, const char *path);
#endif
