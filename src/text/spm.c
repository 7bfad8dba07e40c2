/* SentencePiece-style BPE (Kudo & Richardson 2018) as GGUF's `llama` kind stores it: tokens with scores, no merges. Any two neighbours whose joined text is
 * a token may merge; the highest score first, then the leftmost. The merging itself is bpe.c's.
 *
 * Control, unknown and byte tokens never arise from letters. */
#include "text/text.h"

/* Unsigned order = descending order of the scores. */
static uint32_t key_of(float score)
{
    uint32_t u;
    memcpy(&u, &score, 4);
    u = u >> 31 ? ~u : u | 0x80000000u; /* ascending */
    return u ? ~u : GG__NO_RANK - 1;
}

gg_status gg__spm_prepare(gg_tokenizer *t, const float *score)
{
    const int64_t n = t->vocab.n;
    t->key = gg_new(t->ctx, uint32_t, n);
    t->first_rank = gg_new(t->ctx, uint32_t, n);
    if (!t->key || !t->first_rank)
        return GG_ENOMEM;
    memset(t->first_rank, 0xFF, (size_t)n * sizeof *t->first_rank);
    for (int64_t i = 0; i < n; i++) {
        const bool letters = t->type[i] != GG__TYPE_CONTROL && t->type[i] != GG__TYPE_UNKNOWN && t->type[i] != GG__TYPE_BYTE;
        t->key[i] = letters && score[i] == score[i] ? key_of(score[i]) : GG__NO_RANK;
    }
    /* the best merge that begins with a token: the best token that it is a prefix of */
    for (int64_t i = 0; i < n; i++) {
        size_t len;
        const char *s = gg__vocab_text(&t->vocab, i, &len);
        if (t->key[i] == GG__NO_RANK)
            continue;
        for (size_t k = len ? (size_t)gg__utf8_len((unsigned char)s[0]) : 0; k < len; k += (size_t)gg__utf8_len((unsigned char)s[k])) {
            const int32_t left = gg__vocab_find(&t->vocab, s, k);
            if (left >= 0 && t->key[i] < t->first_rank[left])
                t->first_rank[left] = t->key[i];
        }
    }
    return gg__bigrams_of_vocab(t);
}
