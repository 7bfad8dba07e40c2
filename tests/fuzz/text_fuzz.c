/* Fuzzes texts against sound tokenizers of every kind. Four bytes choose the tokenizer, the flags, how many ids are wanted and how small the
 * library's windows and blocks are; the rest is the text. Few ids must be those that the whole text begins with; byte-level ids must decode to the text. */
#include "fuzz/fuzz.h"
#include "base/utf8.h"
#include "text/text.h"

enum { TEXT_TOKENIZERS = 9 };
static gg_context *text_ctx;
static gg_tokenizer *text_tokenizer[TEXT_TOKENIZERS];

static void text_open(void)
{
    static const char *const paths[TEXT_TOKENIZERS] = {
        "tests/golden/tokenizers/gpt-2.gguf", "tests/golden/tokenizers/bert-bge.gguf", "tests/golden/sentencepiece/unigram.gguf",
        "tests/golden/sentencepiece/bpe-no-prefix.gguf", "tests/golden/sentencepiece/unigram-bytes.gguf", "tests/fuzz/corpus/tokenizer/llama.json",
        "tests/fuzz/corpus/tokenizer/split.json", "tests/fuzz/corpus/tokenizer/unigram.json", "tests/fuzz/corpus/tokenizer/bytes.json"};
    if (gg_context_create(&text_ctx, &(gg_context_options){.n_threads = 1}) != GG_OK)
        abort();
    for (int i = 0; i < TEXT_TOKENIZERS; i++) {
        const gg_status s =
            i < 5 ? gg_tokenizer_open_path(&text_tokenizer[i], text_ctx, paths[i]) : gg_tokenizer_open_json(&text_tokenizer[i], text_ctx, paths[i]);
        if (s != GG_OK) {
            fprintf(stderr, "%s\n", gg_message(text_ctx));
            abort();
        }
    }
}

static void text_check_decoded(const gg_tokenizer *t, const gg_token_list *ids, const char *text, size_t n, bool comes_back)
{
    char *decoded = NULL, *valid = malloc(3 * n + 1);
    size_t n_decoded = 0, n_valid = 0;
    gg_utf8_repair(valid, &n_valid, text, n);
    if (gg_tokenizer_decode(t, &decoded, &n_decoded, ids->id, ids->n, true) != GG_OK)
        abort();
    if (comes_back && (n_decoded != n_valid || memcmp(decoded, valid, n_valid)))
        abort();
    gg_tokenizer_text_free(text_ctx, decoded);
    free(valid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!text_ctx)
        text_open();
    if (size < 4)
        return 0;
    gg_tokenizer *t = text_tokenizer[data[0] % TEXT_TOKENIZERS];
    const int flags = data[0] / TEXT_TOKENIZERS % 4;
    const int64_t max = 1 + data[1], per_id = t->per_id, ahead = t->ahead, block = t->block;
    const char *text = (const char *)data + 4;
    const size_t n = size - 4, before = gg_context_bytes(text_ctx, NULL);
    gg_token_list all = {.ctx = text_ctx}, some = {.ctx = text_ctx};
    if (gg_tokenizer_encode(t, &all, text, n, 0, flags) != GG_OK)
        abort();
    text_check_decoded(t, &all, text, n, t == text_tokenizer[0] && !(flags & GG_TOKENIZE_SPECIAL));
    t->per_id = 1;
    t->ahead = data[2];
    t->block = 4 + data[3];
    if (gg_tokenizer_encode(t, &some, text, n, max, flags) != GG_OK)
        abort();
    if (some.n != (max < all.n ? max : all.n) || (some.n && memcmp(some.id, all.id, sizeof *all.id * (size_t)some.n)))
        abort();
    t->per_id = per_id;
    t->ahead = ahead;
    t->block = block;
    gg_token_list_free(&all);
    gg_token_list_free(&some);
    if (gg_context_bytes(text_ctx, NULL) != before)
        abort();
    return 0;
}
