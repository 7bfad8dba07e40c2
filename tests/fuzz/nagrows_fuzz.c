/* Fuzzes features as rows, the published layout. */
#include "fuzz/fuzz.h"
#include "systems/nag/nag.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    for (int n_layers = 0; n_layers < 3; n_layers++) {
        gg_nag_set *s = NULL;
        if (gg_nag_set_read(&s, ctx, &path, 1, n_layers) == GG_OK)
            gg_nag_set_free(s);
    }
    gg_nag_ranking *r = NULL;
    if (gg_nag_rank(&r, ctx, &(gg_nag_rank_options){.target = {path}, .n_target = 1, .pool = {path}, .n_pool = 1, .payload = {path}, .n_payload = 1,
                                                    .fraction = 0.5, .weights = GG_NAG_CONTRAST}) == GG_OK)
        gg_nag_ranking_free(r);
}
FUZZ_TARGET(".jsonl")
