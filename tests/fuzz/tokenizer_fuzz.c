/* Fuzzes tokenizer.json: what opens must encode, few ids must be those that the whole text begins with, and all must decode. */
#include "fuzz/fuzz.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    static const char text[] = "And God said, caf\xc3\xa9 12345 \xe6\x97\xa5\xe6\x9c\xac <s>  <unk>"
                               "\xcc\x81\n\t\xff abc <0x41> \xf0\x9f\x98\x80\xe2\x80\x8d##ing";
    gg_tokenizer *t = NULL;
    gg_token_list all = {.ctx = ctx}, some = {.ctx = ctx};
    if (gg_tokenizer_open_json(&t, ctx, path) == GG_OK)
        for (int flags = 0; flags < 4; flags++) {
            char *back = NULL;
            size_t n = 0;
            if (gg_tokenizer_encode(t, &all, text, sizeof text - 1, 0, flags) != GG_OK)
                continue;
            for (int64_t max = 1; max <= all.n; max += 3)
                if (gg_tokenizer_encode(t, &some, text, sizeof text - 1, max, flags) != GG_OK || some.n != max ||
                    memcmp(some.id, all.id, sizeof *all.id * (size_t)max))
                    abort();
            if (gg_tokenizer_decode(t, &back, &n, all.id, all.n, true) == GG_OK)
                gg_tokenizer_text_free(ctx, back);
        }
    gg_token_list_free(&all);
    gg_token_list_free(&some);
    gg_tokenizer_free(t);
}
FUZZ_TARGET(".json")
