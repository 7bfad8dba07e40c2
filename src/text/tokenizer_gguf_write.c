/* The metadata `tokenizer.ggml.*` of a tokenizer. Owns: what of a tokenizer a GGUF can carry, and the refusal of what it cannot: byte-level BPE whose
 * steps have one of GGUF's names, without a normalizer, with nothing but bos and eos around a text. What is written reads back to the same ids.
 *
 * Trap: readers assume things that are not there (llama.cpp takes 11 for bos and eos, llama-bpe begins with bos), so flags and ids are always said.
 */
#include "text/text.h"
#include <stdio.h>
#include <stdlib.h>

static gg_status refuse(const gg_tokenizer *t, const char *what)
{
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "the tokenizer has %s, which a GGUF does not carry", what);
}

static gg_status check(const char **pre, const gg_tokenizer *t, bool *bos, bool *eos)
{
    if (t->model != GG__BPE_BYTES)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "the tokenizer is of the kind %s; only byte-level BPE is written into a GGUF", t->kind);
    if (t->n_norm)
        return refuse(t, "a normalizer");
    *pre = gg__pre_name(t);
    if (!*pre)
        return refuse(t, "pre-tokenizer steps without a name");
    if (t->ignore_merges != gg__pre_ignores_merges(*pre))
        return refuse(t, t->ignore_merges ? "ignore_merges" : "a pre-tokenizer whose name implies ignore_merges, and has it off");
    for (int64_t i = 0; i < t->n_added; i++)
        if (t->added[i].lstrip || t->added[i].rstrip || t->added[i].single_word)
            return refuse(t, "an added token that takes spaces or stands for whole words only");
    for (int b = 0; b < 256; b++)
        if (t->byte_id[b] < 0 && t->unk >= 0)
            return refuse(t, "an unknown token for bytes that it lacks");
    *bos = t->n_before == 1 && t->before[0] == t->bos;
    *eos = t->n_after == 1 && t->after[0] == t->eos;
    if ((t->n_before && !*bos) || (t->n_after && !*eos))
        return refuse(t, "special tokens other than bos and eos around a text");
    return GG_OK;
}

static gg_status write_tokens(gg_gguf_writer *w, const gg_tokenizer *t, int64_t n)
{
    enum { FILLER = 24 };
    const char **text = gg_new(t->ctx, const char *, n);
    size_t *len = gg_new(t->ctx, size_t, n);
    int32_t *type = gg_new(t->ctx, int32_t, n);
    char(*filler)[FILLER] = gg_alloc(t->ctx, gg_mul(n, FILLER));
    gg_status s = text && len && type && filler ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        if (i < t->vocab.n)
            text[i] = gg__vocab_text(&t->vocab, i, &len[i]);
        type[i] = i < t->vocab.n ? t->type[i] : GG__TYPE_UNUSED;
        if (len[i] == 0) { /* rows of the embedding that no text reaches */
            len[i] = (size_t)snprintf(filler[i], FILLER, "[PAD%lld]", (long long)i);
            text[i] = filler[i];
            type[i] = GG__TYPE_UNUSED;
        }
    }
    if (s == GG_OK && (s = gg_gguf_writer_texts(w, "tokenizer.ggml.tokens", text, len, n)) == GG_OK)
        s = gg_gguf_writer_ints(w, "tokenizer.ggml.token_type", type, n);
    gg_drop(t->ctx, text);
    gg_drop(t->ctx, len);
    gg_drop(t->ctx, type);
    gg_drop(t->ctx, filler);
    return s;
}

static int by_rank(const void *a, const void *b)
{
    const gg__pair *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static gg_status write_merges(gg_gguf_writer *w, const gg_tokenizer *t)
{
    gg_arena arena = {.ctx = t->ctx};
    gg__pair *pair = gg_new(t->ctx, gg__pair, t->n_merge);
    const char **text = gg_new(t->ctx, const char *, t->n_merge);
    size_t *len = gg_new(t->ctx, size_t, t->n_merge);
    gg_status s = pair && text && len ? GG_OK : GG_ENOMEM;
    int64_t n = 0;
    for (uint64_t i = 0; s == GG_OK && i <= t->pair_mask; i++)
        if (t->pair[i].left >= 0)
            pair[n++] = t->pair[i];
    if (s == GG_OK)
        qsort(pair, (size_t)n, sizeof *pair, by_rank);
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        size_t na, nb;
        const char *a = gg__vocab_text(&t->vocab, pair[i].left, &na), *b = gg__vocab_text(&t->vocab, pair[i].right, &nb);
        char *both = gg_arena_alloc(&arena, na + nb + 2);
        if (!both) {
            s = GG_ENOMEM;
            break;
        }
        memcpy(both, a, na);
        both[na] = ' ';
        memcpy(both + na + 1, b, nb);
        text[i] = both;
        len[i] = na + 1 + nb;
    }
    if (s == GG_OK)
        s = gg_gguf_writer_texts(w, "tokenizer.ggml.merges", text, len, n);
    gg_arena_free(&arena);
    gg_drop(t->ctx, pair);
    gg_drop(t->ctx, text);
    gg_drop(t->ctx, len);
    return s;
}

gg_status gg_tokenizer_write_gguf(gg_gguf_writer *w, const gg_tokenizer *t, int64_t n_tokens)
{
    const char *pre = NULL;
    bool bos = false, eos = false;
    GG_TRY(check(&pre, t, &bos, &eos));
    if (n_tokens < t->vocab.n)
        return gg_fail(t->ctx, GG_EMISMATCH, "the tokenizer has %lld tokens, the model %lld", (long long)t->vocab.n, (long long)n_tokens);
    GG_TRY(gg_gguf_writer_text(w, "tokenizer.ggml.model", "gpt2"));
    GG_TRY(gg_gguf_writer_text(w, "tokenizer.ggml.pre", pre));
    GG_TRY(write_tokens(w, t, n_tokens));
    GG_TRY(write_merges(w, t));
    if (t->bos >= 0)
        GG_TRY(gg_gguf_writer_uint(w, "tokenizer.ggml.bos_token_id", (uint32_t)t->bos));
    if (t->eos >= 0)
        GG_TRY(gg_gguf_writer_uint(w, "tokenizer.ggml.eos_token_id", (uint32_t)t->eos));
    if (t->unk >= 0)
        GG_TRY(gg_gguf_writer_uint(w, "tokenizer.ggml.unknown_token_id", (uint32_t)t->unk));
    GG_TRY(gg_gguf_writer_bool(w, "tokenizer.ggml.add_bos_token", bos));
    return gg_gguf_writer_bool(w, "tokenizer.ggml.add_eos_token", eos);
}
