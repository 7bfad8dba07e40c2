/* Fuzzes .nag features: read, ranked against themselves. */
#include "fuzz/fuzz.h"
#include "systems/nag/nag.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    gg_nag_set *s = NULL;
    if (gg_nag_set_read(&s, ctx, &path, 1, 0) == GG_OK)
        gg_nag_set_free(s);
    gg_nag_ranking *r = NULL;
    if (gg_nag_rank(&r, ctx, &(gg_nag_rank_options){.target = {path}, .n_target = 1, .pool = {path}, .n_pool = 1, .fraction = 0.5}) == GG_OK)
        gg_nag_ranking_free(r);
}
FUZZ_TARGET(".nag")
