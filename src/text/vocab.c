/* The vocabulary: texts by id and ids by text. Open addressing with the hash's upper half in the slot, so that a miss rarely touches the text. */
#include "text/text.h"
#include <utf8proc.h>

static inline uint64_t hash_text(const char *s, size_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15u ^ n, w;
    for (; n >= 8; s += 8, n -= 8) {
        memcpy(&w, s, 8);
        h = (h ^ w) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    if (n) {
        w = 0;
        memcpy(&w, s, n);
        h = (h ^ w) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    h *= 0xD6E8FEB86659FD93u;
    return h ^ h >> 29;
}

int32_t gg__vocab_find(const gg__vocab *v, const char *text, size_t n)
{
    if ((int64_t)n > v->longest || !v->slot)
        return -1;
    const uint64_t h = hash_text(text, n);
    for (uint64_t i = h & v->mask; v->slot[i]; i = (i + 1) & v->mask) {
        if (v->slot[i] >> 32 != h >> 32)
            continue;
        const int64_t id = (int64_t)(v->slot[i] & 0xFFFFFFFFu) - 1;
        if (v->at[id + 1] - v->at[id] == (int64_t)n && !memcmp(v->bytes + v->at[id], text, n))
            return (int32_t)id;
    }
    return -1;
}

gg_status gg__vocab_build(gg__vocab *v, gg_context *ctx, const char *const *text, const size_t *len, int64_t n)
{
    size_t total = 0, cap = 16;
    *v = (gg__vocab){0};
    if (n > INT32_MAX - 1)
        return gg_fail(ctx, GG_EFORMAT, "a vocabulary of %lld tokens; at most 2^31 - 2 are possible", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (text[i] && (__builtin_add_overflow(total, len[i], &total) || total > INT64_MAX))
            return gg_fail(ctx, GG_ENOMEM, "the texts of the vocabulary do not fit into memory");
    while (cap < (size_t)n * 2)
        cap *= 2;
    v->bytes = gg_alloc(ctx, total + 8); /* a broken character at the end is read beyond it */
    v->at = gg_new(ctx, int64_t, n + 1);
    v->slot = gg_new(ctx, uint64_t, cap);
    if (!v->bytes || !v->at || !v->slot) {
        gg__vocab_free(v, ctx);
        return GG_ENOMEM;
    }
    v->n = n;
    v->mask = cap - 1;
    for (int64_t i = 0; i < n; i++) {
        const size_t k = text[i] ? len[i] : 0;
        v->at[i + 1] = v->at[i] + (int64_t)k;
        if (!text[i])
            continue;
        memcpy(v->bytes + v->at[i], text[i], k);
        v->longest = (int64_t)k > v->longest ? (int64_t)k : v->longest;
        const uint64_t h = hash_text(text[i], k), tag = h >> 32 << 32;
        uint64_t s = h & v->mask;
        for (; v->slot[s]; s = (s + 1) & v->mask) {
            const int64_t j = (int64_t)(v->slot[s] & 0xFFFFFFFFu) - 1;
            if (v->slot[s] >> 32 == h >> 32 && v->at[j + 1] - v->at[j] == (int64_t)k && !memcmp(v->bytes + v->at[j], text[i], k))
                break; /* the same text again: the later one is found */
        }
        v->slot[s] = tag | (uint64_t)(i + 1);
    }
    return GG_OK;
}

void gg__vocab_free(gg__vocab *v, gg_context *ctx)
{
    gg_drop(ctx, v->bytes);
    gg_drop(ctx, v->at);
    gg_drop(ctx, v->slot);
    *v = (gg__vocab){0};
}

/* GPT-2's table (Radford et al. 2019): bytes that print stand for themselves, the 68 others for U+0100, U+0101, ... in order. */
static inline bool prints(int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; }

int32_t gg__byte_char(uint8_t byte)
{
    if (prints(byte))
        return byte;
    return byte <= 32 ? 256 + byte : byte <= 160 ? 256 + 33 + (byte - 127) : 256 + 67;
}

int gg__char_byte(int32_t c)
{
    if (c < 256)
        return prints(c) ? c : -1;
    c -= 256;
    return c <= 32 ? c : c <= 66 ? 127 + (c - 33) : c == 67 ? 173 : -1;
}

/* "<0xE2>", the tokens of single bytes in SentencePiece vocabularies. */
int gg__byte_of(const char *s, size_t n)
{
    int v = 0;
    if (n != 6 || memcmp(s, "<0x", 3) || s[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        const char c = s[i];
        const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

void gg__find_bytes(gg_tokenizer *t)
{
    for (int b = 0; b < 256; b++) {
        const char s[7] = {'<', '0', 'x', "0123456789ABCDEF"[b >> 4], "0123456789ABCDEF"[b & 15], '>', 0};
        t->byte_id[b] = gg__vocab_find(&t->vocab, s, 6);
    }
}

bool gg__is_word(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return true;
    default: /* joiners; letters in circles and squares, which are symbols and yet alphabetic */
        return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
               (c >= 0x1F170 && c <= 0x1F189);
    }
}
