/* Fuzzes tokenizer.json. */
#include "fuzz/fuzz.h"

static void fuzz_one(gg_context *ctx, const char *path)
{
    gg_tokenizer *t = NULL;
    gg_token_list ids = {.ctx = ctx};
    if (gg_tokenizer_open_json(&t, ctx, path) == GG_OK && gg_tokenizer_encode(t, &ids, "And God said, caf\xc3\xa9 12345", 22, 0, GG_TOKENIZE_SPECIAL) == GG_OK) {
        char *text = NULL;
        size_t n = 0;
        if (gg_tokenizer_decode(t, &text, &n, ids.id, ids.n, true) == GG_OK)
            gg_tokenizer_text_free(ctx, text);
    }
    gg_token_list_free(&ids);
    gg_tokenizer_free(t);
}
FUZZ_TARGET(".json")
