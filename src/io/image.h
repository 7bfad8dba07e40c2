/* Images as bytes: PGM and PPM always, PNG and JPEG when golgi is built with libpng and libjpeg. */
#ifndef GG_IO_IMAGE_H
#define GG_IO_IMAGE_H
#include <golgi/base.h>

typedef struct gg_image {
    int64_t channels, height, width; /* channels 1 (grey) or 3 (red, green, blue) */
    uint8_t *pixel;                  /* (channels, height, width) */
} gg_image;
/* By its first bytes. GG_EFORMAT damaged or cut off, GG_EUNSUPPORTED another kind, or one that this build does not read. */
gg_status gg_image_read(gg_image *out, gg_context *ctx, const char *path);
void gg_image_free(gg_image *x, gg_context *ctx);
/* Is a file of this name taken for an image? .pgm .ppm .pnm .png .jpg .jpeg */
bool gg_image_is_named(const char *path);
#endif
