/* golgi/tokenizer.h - text to token ids and back. Floor 3.
 *
 *     #include <golgi/tokenizer.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         gg_context *ctx = NULL;
 *         gg_tensors *model = NULL;
 *         gg_tokenizer *t = NULL;
 *         gg_context_create(&ctx, NULL);
 *         gg_token_list ids = {.ctx = ctx};
 *         if (gg_tensors_open(&model, ctx, argc > 1 ? argv[1] : "model.gguf") == GG_OK && gg_tokenizer_open(&t, ctx, model) == GG_OK)
 *             gg_tokenizer_encode(t, &ids, "Hello, neuron", 13, 120, 0); // at most 120 ids, no special tokens
 *         for (int64_t i = 0; i < ids.n; i++)
 *             printf("%d ", ids.id[i]);
 *         const bool done = ids.n > 0;
 *         gg_token_list_free(&ids);
 *         gg_tokenizer_free(t);
 *         gg_tensors_free(model);
 *         gg_context_free(ctx);
 *         return !done;
 *     }
 *
 * Kinds: byte-level BPE, SentencePiece-style BPE (scores or merges, byte fallback), unigram, WordPiece. Read-only after opening: threads share it.
 */
#ifndef GOLGI_TOKENIZER_H
#define GOLGI_TOKENIZER_H
#include <golgi/tensors.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_tokenizer gg_tokenizer;
typedef struct gg_token_list {
    gg_context *ctx;
    int32_t *id;
    int64_t n, cap;
} gg_token_list;
GG_API void gg_token_list_free(gg_token_list *l);

enum {
    GG_TOKENIZE_SPECIAL = 1,      /* add the special tokens the model expects around a text (bos, eos, [CLS]...) */
    GG_TOKENIZE_PARSE_SPECIAL = 2 /* read "<|endoftext|>" in the text as that token, not as letters */
};

/* GG_ENOENT no tokenizer there, GG_EUNSUPPORTED an unknown kind or pre-tokenizer (its name is in the message), GG_EFORMAT. */
GG_API gg_status gg_tokenizer_open(gg_tokenizer **out, gg_context *ctx, const gg_tensors *model);
GG_API gg_status gg_tokenizer_open_json(gg_tokenizer **out, gg_context *ctx, const char *path); /* a tokenizer.json */
/* By path alone: a GGUF file, with or without weights and of whatever family, a model's folder, or a tokenizer.json (any .json). */
GG_API gg_status gg_tokenizer_open_path(gg_tokenizer **out, gg_context *ctx, const char *path);
GG_API void gg_tokenizer_free(gg_tokenizer *t);
GG_API const char *gg_tokenizer_kind(const gg_tokenizer *t); /* "bpe smollm", "spm", "unigram", "wordpiece" */

/* Replaces the contents of ids. Stops after max_tokens (<= 0: no bound), with the same ids that the whole text would begin with.
 * Invalid UTF-8 counts as U+FFFD. */
GG_API gg_status gg_tokenizer_encode(const gg_tokenizer *t, gg_token_list *ids, const char *text, size_t n, int64_t max_tokens, int flags);
/* Text of the ids; *out freed by gg_tokenizer_text_free. Special tokens are left out unless `special`. Bytes that do not form UTF-8 stay as they are. */
GG_API gg_status gg_tokenizer_decode(const gg_tokenizer *t, char **out, size_t *n_out, const int32_t *id, int64_t n, bool special);
GG_API void gg_tokenizer_text_free(gg_context *ctx, char *text);
GG_API int64_t gg_tokenizer_size(const gg_tokenizer *t);
GG_API const char *gg_tokenizer_piece(const gg_tokenizer *t, int64_t id, size_t *n); /* as stored in the vocabulary; NULL outside */
GG_API int64_t gg_tokenizer_bos(const gg_tokenizer *t); /* -1: none */
GG_API int64_t gg_tokenizer_eos(const gg_tokenizer *t);
/* Its metadata for a GGUF of a model with n_tokens rows of embedding. Byte-level BPE only; GG_EUNSUPPORTED says what of it a GGUF does not carry. */
GG_API gg_status gg_tokenizer_write_gguf(gg_gguf_writer *w, const gg_tokenizer *t, int64_t n_tokens);

/* --- training a byte-level BPE vocabulary (GPT-2's bytes and pieces) ------------------------------------------------------------------------
 *     gg_bpe_trainer_create(&t, ctx);
 *     gg_bpe_trainer_add(t, text, n);                            // document after document, valid UTF-8
 *     gg_bpe_trainer_write(t, &n_tokens, "tokenizer.json", 2048, 2, "<|endoftext|>");
 */
typedef struct gg_bpe_trainer gg_bpe_trainer;
GG_API gg_status gg_bpe_trainer_create(gg_bpe_trainer **out, gg_context *ctx);
GG_API void gg_bpe_trainer_free(gg_bpe_trainer *t);
GG_API gg_status gg_bpe_trainer_add(gg_bpe_trainer *t, const char *text, size_t n);
/* Merges until n_vocab tokens (or no pair occurs min_count times) and writes a tokenizer.json that Hugging Face's library reads too; special has id 0.
 * Once only. *n_tokens: how many there are. */
GG_API gg_status gg_bpe_trainer_write(gg_bpe_trainer *t, int64_t *n_tokens, const char *path, int64_t n_vocab, int64_t min_count, const char *special);
/* Instead: each character of the texts is one token, and so are its beginnings where it has several bytes. Bytes that are not in the texts vanish. */
GG_API gg_status gg_bpe_trainer_write_characters(gg_bpe_trainer *t, int64_t *n_tokens, const char *path, const char *special);

#ifdef __cplusplus
}
#endif
#endif
