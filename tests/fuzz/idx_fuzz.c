/* Fuzzes IDX files: images without labels, and labels of themselves. */
#include "fuzz/fuzz.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    gg_data *d = NULL;
    if (gg_data_open(&d, ctx, path, &(gg_data_options){.target = GG_TARGET_NONE}) == GG_OK) {
        const gg_data_description *a = gg_data_describe(d);
        int64_t width = 1;
        for (int k = 0; k < a->sample.n; k++)
            width *= a->sample.d[k];
        float *row = malloc(sizeof *row * (size_t)width);
        gg_scaler *s = NULL;
        const int64_t last = a->n - 1;
        if (row && gg_scaler_fit(&s, d, GG_SCALE_STANDARD) == GG_OK)
            gg_data_read(row, d, &last, 1, s);
        gg_scaler_free(s);
        free(row);
    }
    gg_data_free(d);
    if (gg_data_open(&d, ctx, path, &(gg_data_options){.labels = path}) == GG_OK)
        gg_data_free(d);
}

FUZZ_TARGET(".idx")
