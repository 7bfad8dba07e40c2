/* Fuzzes tables that are read as data sets: with and without names, with what is missing, and by the schema of themselves. */
#include "fuzz/fuzz.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    for (int k = 0; k < 4; k++) {
        gg_data *d = NULL, *again = NULL;
        json_t *schema = NULL;
        if (gg_data_open(&d, ctx, path, &(gg_data_options){.no_header = k & 1, .missing_mean = k & 2, .target = k == 2 ? GG_TARGET_CLASS : GG_TARGET_AUTO}) !=
            GG_OK)
            continue;
        if (gg_data_schema(&schema, d) != GG_OK ||
            gg_data_open(&again, ctx, path, &(gg_data_options){.no_header = k & 1, .missing_mean = k & 2, .schema = schema}) != GG_OK)
            abort(); /* what was read once is read again */
        if (gg_data_describe(again)->sample.d[0] != gg_data_describe(d)->sample.d[0] || gg_data_describe(again)->n != gg_data_describe(d)->n)
            abort();
        json_decref(schema);
        gg_data_free(again);
        gg_data_free(d);
    }
}

FUZZ_TARGET(".csv")
