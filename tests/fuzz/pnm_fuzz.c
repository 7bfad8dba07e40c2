/* Fuzzes PGM and PPM images, and whatever else begins as an image does. */
#include "fuzz/fuzz.h"
#include "io/image.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    gg_image x;
    if (gg_image_read(&x, ctx, path) == GG_OK) {
        int64_t sum = 0; /* every pixel is there */
        for (int64_t i = 0; i < x.channels * x.height * x.width; i++)
            sum += x.pixel[i];
        if (sum < 0)
            abort();
        gg_image_free(&x, ctx);
    }
}

FUZZ_TARGET(".pnm")
