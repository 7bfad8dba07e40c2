/* Fuzzes action files. */
#include "fuzz/fuzz.h"

static int64_t width(void *user, int layer, gg_site site)
{
    (void)user, (void)layer;
    return site == GG_SITE_UP ? 96 : 0;
}

static void fuzz_one(gg_context *ctx, const char *path)
{
    gg_actions *a = NULL;
    if (gg_actions_read(&a, ctx, path) == GG_OK && gg_actions_check(a, NULL, 2, width, NULL) == GG_OK) {
        float x[96] = {0};
        gg_actions_apply(a, 1, GG_SITE_UP, x, 1, 96);
    }
    gg_actions_free(a);
}
FUZZ_TARGET(".json")
