/* Fuzzes GGUF files as what they are for: models that are opened with their tokenizer and run over a text. */
#include "fuzz/fuzz.h"

static gg_status hear(void *user, void *state, const gg_group *g, const gg_tap *t)
{
    (void)state, (void)g;
    volatile float *sum = user;
    for (int64_t i = 0; i < t->n_rows * t->width; i++)
        *sum += t->x[i];
    return GG_OK;
}

static void fuzz_one(gg_context *ctx, const char *path)
{
    static const char text[] = "And God said, caf\xc3\xa9 12345 <|end|>\n";
    gg_model *m = NULL;
    if (gg_model_open(&m, ctx, path, NULL) != GG_OK)
        return;
    int32_t ids[8] = {0, 1, 2, 3};
    int64_t n = 4;
    gg_token_list list = {.ctx = ctx};
    if (gg_model_tokenizer(m) &&
        gg_tokenizer_encode(gg_model_tokenizer(m), &list, text, sizeof text - 1, 8, GG_TOKENIZE_SPECIAL | GG_TOKENIZE_PARSE_SPECIAL) == GG_OK)
        memcpy(ids, list.id, sizeof *ids * (size_t)(n = list.n));
    float sum = 0;
    const gg_listener y = {.sites = 1u << GG_SITE_UP | 1u << GG_SITE_LOGITS, .tap = hear, .user = &sum};
    gg_run_result r;
    gg_run_ids(&r, m, ids, 1, n, NULL, &y, 1);
    gg_token_list_free(&list);
    gg_model_free(m);
}
FUZZ_TARGET(".gguf")
