/* Training of a byte-level BPE vocabulary (Sennrich et al. 2016; GPT-2's bytes and pieces), written as a tokenizer.json.
 *
 * Texts are cut by GPT-2's expression; each distinct piece is a word with a count, at first one symbol a byte. The most frequent pair of neighbours
 * becomes a symbol, everywhere; ties go to the pair of lowest ids, so the result is a function of the text. Ids: the special token, the 256 bytes in the
 * order of the characters that stand for them, then the merges: the order, and the ties, of Hugging Face's trainer, which is the oracle.
 * A heap holds pairs with the count they had when they were put there; a count that has changed since is noticed when it comes up.
 */
#include "base/file.h"
#include "base/json.h"
#include "text/text.h"
#include <jansson.h>
#include <stdlib.h>

#define PIECES "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

typedef struct word {
    int32_t *symbol; /* in the arena */
    int32_t n;
    int64_t count;
    const char *text;
    size_t n_text;
} word;

typedef struct pair {
    uint64_t key; /* left << 32 | right, plus 1; 0: a free slot */
    int64_t count;
    int32_t *where; /* words that hold it, or did; a word may be there twice */
    int32_t n_where, cap_where;
} pair;

typedef struct heap_entry {
    int64_t count;
    uint64_t key;
} heap_entry;

struct gg_bpe_trainer {
    gg_context *ctx;
    gg_arena arena;
    pcre2_code *code;
    pcre2_match_data *match;
    word *word;
    int32_t n_words;
    int64_t cap_words;
    int32_t *slot; /* of words: 1 + index, open addressing */
    int64_t n_slots;
    pair *pair;
    int64_t n_pairs, n_pair_slots;
    heap_entry *heap;
    int64_t n_heap, cap_heap;
    int64_t n_bytes;
};

static uint64_t hash_of(const char *text, size_t n)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h ^ h >> 29;
}

gg_status gg_bpe_trainer_create(gg_bpe_trainer **out, gg_context *ctx)
{
    gg_bpe_trainer *t = gg_new(ctx, gg_bpe_trainer, 1);
    if (!t)
        return GG_ENOMEM;
    t->ctx = ctx;
    t->arena.ctx = ctx;
    int error;
    PCRE2_SIZE where;
    t->code = pcre2_compile((PCRE2_SPTR)PIECES, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &error, &where, NULL);
    t->match = t->code ? pcre2_match_data_create_from_pattern(t->code, NULL) : NULL;
    if (!t->match) {
        gg_bpe_trainer_free(t);
        return gg_fail(ctx, GG_ENOMEM, "out of memory for the expression that cuts texts");
    }
    pcre2_jit_compile(t->code, PCRE2_JIT_COMPLETE);
    *out = t;
    return GG_OK;
}

void gg_bpe_trainer_free(gg_bpe_trainer *t)
{
    if (!t)
        return;
    gg_context *ctx = t->ctx;
    for (int64_t i = 0; i < t->n_pair_slots; i++)
        gg_drop(ctx, t->pair[i].where);
    gg_drop(ctx, t->word);
    gg_drop(ctx, t->slot);
    gg_drop(ctx, t->pair);
    gg_drop(ctx, t->heap);
    gg_arena_free(&t->arena);
    pcre2_match_data_free(t->match);
    pcre2_code_free(t->code);
    gg_drop(ctx, t);
}

/* --- words --------------------------------------------------------------------------------------------------------------------------------- */
static int64_t word_slot(const gg_bpe_trainer *t, const char *text, size_t n)
{
    int64_t i = (int64_t)(hash_of(text, n) & (uint64_t)(t->n_slots - 1));
    while (t->slot[i] && !(t->word[t->slot[i] - 1].n_text == n && memcmp(t->word[t->slot[i] - 1].text, text, n) == 0))
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

static gg_status widen_words(gg_bpe_trainer *t)
{
    if (t->n_words == INT32_MAX / 2)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "more than %d different pieces of text", INT32_MAX / 2);
    GG_TRY(gg_grow(t->ctx, &t->word, t->n_words, &t->cap_words, 4096));
    if (2 * ((int64_t)t->n_words + 1) > t->n_slots) {
        gg_drop(t->ctx, t->slot);
        const int64_t n = t->n_slots ? 2 * t->n_slots : 16384;
        t->n_slots = 0;
        if (!(t->slot = gg_new(t->ctx, int32_t, n)))
            return GG_ENOMEM;
        t->n_slots = n;
        for (int32_t k = 0; k < t->n_words; k++)
            t->slot[word_slot(t, t->word[k].text, t->word[k].n_text)] = k + 1;
    }
    return GG_OK;
}

static gg_status count_piece(gg_bpe_trainer *t, const char *text, size_t n)
{
    GG_TRY(widen_words(t));
    const int64_t i = word_slot(t, text, n);
    if (t->slot[i]) {
        t->word[t->slot[i] - 1].count++;
        return GG_OK;
    }
    char *own = gg_arena_strndup(&t->arena, text, n);
    if (!own)
        return GG_ENOMEM;
    t->word[t->n_words++] = (word){.text = own, .n_text = n, .count = 1};
    t->slot[i] = t->n_words;
    return GG_OK;
}

gg_status gg_bpe_trainer_add(gg_bpe_trainer *t, const char *text, size_t n)
{
    t->n_bytes += (int64_t)n;
    for (size_t at = 0; at < n;) {
        const int rc = pcre2_match(t->code, (PCRE2_SPTR)text, n, at, at ? PCRE2_NO_UTF_CHECK : 0, t->match, NULL);
        if (rc < 0)
            return gg_fail(t->ctx, GG_EFORMAT, "the text is not UTF-8, or cannot be cut (PCRE2 error %d)", rc);
        const PCRE2_SIZE *found = pcre2_get_ovector_pointer(t->match);
        if (found[1] == at)
            break;
        GG_TRY(count_piece(t, text + found[0], found[1] - found[0]));
        at = found[1];
    }
    return GG_OK;
}

/* --- pairs ---------------------------------------------------------------------------------------------------------------------------------- */
static uint64_t key_of(int32_t a, int32_t b) { return ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) + 1; }

static int64_t pair_slot(const gg_bpe_trainer *t, uint64_t key)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    int64_t i = (int64_t)((h ^ h >> 32) & (uint64_t)(t->n_pair_slots - 1));
    while (t->pair[i].key && t->pair[i].key != key)
        i = (i + 1) & (t->n_pair_slots - 1);
    return i;
}

static gg_status find_pair(pair **out, gg_bpe_trainer *t, uint64_t key)
{
    if (2 * (t->n_pairs + 1) > t->n_pair_slots) {
        pair *old = t->pair;
        const int64_t n_old = t->n_pair_slots, n = n_old ? 2 * n_old : 16384;
        pair *wide = gg_new(t->ctx, pair, n);
        if (!wide)
            return GG_ENOMEM;
        t->pair = wide;
        t->n_pair_slots = n;
        for (int64_t i = 0; i < n_old; i++)
            if (old[i].key)
                t->pair[pair_slot(t, old[i].key)] = old[i];
        gg_drop(t->ctx, old);
    }
    pair *p = &t->pair[pair_slot(t, key)];
    t->n_pairs += p->key == 0;
    p->key = key;
    *out = p;
    return GG_OK;
}

static gg_status pair_add(gg_bpe_trainer *t, uint64_t key, int64_t count, int32_t in_word)
{
    pair *p = NULL;
    GG_TRY(find_pair(&p, t, key));
    p->count += count;
    if (count <= 0 || (p->n_where && p->where[p->n_where - 1] == in_word))
        return GG_OK;
    if (p->n_where == p->cap_where) {
        const int32_t cap = p->cap_where ? 2 * p->cap_where : 4;
        int32_t *where = gg_renew(t->ctx, p->where, int32_t, cap);
        if (!where)
            return GG_ENOMEM;
        p->where = where;
        p->cap_where = cap;
    }
    p->where[p->n_where++] = in_word;
    return GG_OK;
}

static bool before(heap_entry a, heap_entry b) { return a.count != b.count ? a.count > b.count : a.key < b.key; }

static gg_status heap_push(gg_bpe_trainer *t, heap_entry e)
{
    GG_TRY(gg_grow(t->ctx, &t->heap, t->n_heap, &t->cap_heap, 4096));
    int64_t i = t->n_heap++;
    for (; i > 0 && before(e, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = e;
    return GG_OK;
}

static heap_entry heap_pop(gg_bpe_trainer *t)
{
    const heap_entry top = t->heap[0], e = t->heap[--t->n_heap];
    int64_t i = 0;
    for (int64_t child; (child = 2 * i + 1) < t->n_heap; i = child) {
        child += child + 1 < t->n_heap && before(t->heap[child + 1], t->heap[child]);
        if (!before(t->heap[child], e))
            break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = e;
    return top;
}

/* --- merging ---------------------------------------------------------------------------------------------------------------------------------- */
static gg_status begin(gg_bpe_trainer *t, const int32_t id_of_byte[256])
{
    for (int32_t w = 0; w < t->n_words; w++) {
        word *x = &t->word[w];
        if (!(x->symbol = gg_arena_alloc(&t->arena, x->n_text * sizeof *x->symbol)))
            return GG_ENOMEM;
        x->n = (int32_t)x->n_text;
        for (int32_t i = 0; i < x->n; i++)
            x->symbol[i] = id_of_byte[(uint8_t)x->text[i]];
        for (int32_t i = 0; i + 1 < x->n; i++)
            GG_TRY(pair_add(t, key_of(x->symbol[i], x->symbol[i + 1]), x->count, w));
    }
    for (int64_t i = 0; i < t->n_pair_slots; i++)
        if (t->pair[i].key && t->pair[i].count > 0)
            GG_TRY(heap_push(t, (heap_entry){t->pair[i].count, t->pair[i].key}));
    return GG_OK;
}

static gg_status change(gg_bpe_trainer *t, int32_t a, int32_t b, int64_t count, int32_t w)
{
    const uint64_t key = key_of(a, b);
    GG_TRY(pair_add(t, key, count, w));
    return count > 0 ? heap_push(t, (heap_entry){t->pair[pair_slot(t, key)].count, key}) : GG_OK;
}

static gg_status merge_in_word(gg_bpe_trainer *t, int32_t w, int32_t a, int32_t b, int32_t id)
{
    word *x = &t->word[w];
    int32_t to = 0;
    for (int32_t i = 0; i < x->n; i++) {
        if (x->symbol[i] != a || i + 1 >= x->n || x->symbol[i + 1] != b) {
            x->symbol[to++] = x->symbol[i];
            continue;
        }
        if (to > 0) {
            GG_TRY(change(t, x->symbol[to - 1], a, -x->count, w));
            GG_TRY(change(t, x->symbol[to - 1], id, x->count, w));
        }
        i++;
        if (i + 1 < x->n) {
            GG_TRY(change(t, b, x->symbol[i + 1], -x->count, w));
            GG_TRY(change(t, id, x->symbol[i + 1], x->count, w));
        }
        x->symbol[to++] = id;
    }
    x->n = to;
    return GG_OK;
}

/* The next merge; GG_END when no pair is frequent enough. */
static gg_status merge_next(gg_bpe_trainer *t, int32_t id, int64_t min_count, int32_t pair_out[2])
{
    while (t->n_heap > 0) {
        const heap_entry top = heap_pop(t);
        pair *p = &t->pair[pair_slot(t, top.key)];
        if (p->count != top.count) {
            if (p->count > 0 && p->count < top.count)
                GG_TRY(heap_push(t, (heap_entry){p->count, p->key}));
            continue;
        }
        if (top.count < 1 || top.count < min_count)
            return GG_END;
        const int32_t a = (int32_t)((top.key - 1) >> 32), b = (int32_t)((top.key - 1) & 0xffffffffu), n_where = p->n_where;
        int32_t *where = p->where;
        p->where = NULL; /* words of a merged pair need not be found again */
        p->n_where = p->cap_where = 0;
        p->count = 0;
        gg_status s = GG_OK;
        for (int32_t i = 0; i < n_where && s == GG_OK; i++)
            s = merge_in_word(t, where[i], a, b, id);
        gg_drop(t->ctx, where);
        t->pair[pair_slot(t, top.key)].count = 0;
        pair_out[0] = a;
        pair_out[1] = b;
        return s;
    }
    return GG_END;
}

/* --- the file ----------------------------------------------------------------------------------------------------------------------------------- */
static int by_char(const void *a, const void *b)
{
    const int32_t x = gg__byte_char(*(const uint8_t *)a), y = gg__byte_char(*(const uint8_t *)b);
    return (x > y) - (x < y);
}

static json_t *document(const char *special, json_t *vocab, json_t *merges)
{
    return json_pack("{s:s, s:n, s:n, s:[{s:i, s:s, s:b, s:b, s:b, s:b, s:b}], s:n, s:{s:s, s:b, s:b, s:b}, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, "
                     "s:n, s:n, s:b, s:b, s:o, s:o}}",
                     "version", "1.0", "truncation", "padding", "added_tokens", "id", 0, "content", special, "single_word", 0, "lstrip", 0, "rstrip", 0,
                     "normalized", 0, "special", 1, "normalizer", "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                     1, "post_processor", "decoder", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE",
                     "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0, "vocab", vocab, "merges",
                     merges);
}

/* Takes vocab and merges. so_far: what went wrong before, if anything did. */
static gg_status write_document(gg_context *ctx, const char *path, const char *special, json_t *vocab, json_t *merges, gg_status so_far)
{
    if (so_far != GG_OK) {
        json_decref(vocab);
        json_decref(merges);
        return so_far == GG_ENOMEM ? gg_fail(ctx, so_far, "out of memory while writing %s", path) : so_far;
    }
    json_t *all = document(special, vocab, merges);
    const gg_status s = gg_json_write_file(ctx, path, all, 1);
    json_decref(all);
    return s;
}

gg_status gg_bpe_trainer_write(gg_bpe_trainer *t, int64_t *n_tokens, const char *path, int64_t n_vocab, int64_t min_count, const char *special)
{
    gg_context *ctx = t->ctx;
    if (n_vocab < 257 || n_vocab > 1 << 24)
        return gg_fail(ctx, GG_EINVAL, "a vocabulary of %lld: 257 (the bytes and one special token) to %d", (long long)n_vocab, 1 << 24);
    char **text = gg_new(ctx, char *, n_vocab);
    json_t *vocab = json_object(), *merges = json_array();
    uint8_t order[256];
    int32_t id_of_byte[256];
    gg_status s = text && vocab && merges ? GG_OK : GG_ENOMEM;
    for (int i = 0; i < 256; i++)
        order[i] = (uint8_t)i;
    qsort(order, 256, 1, by_char);
    if (s == GG_OK)
        s = json_object_set_new(vocab, special, json_integer(0)) == 0 ? GG_OK : GG_ENOMEM;
    for (int i = 0; i < 256 && s == GG_OK; i++) {
        char c[8] = {0};
        gg__utf8_put(c, gg__byte_char(order[i]));
        id_of_byte[order[i]] = 1 + i;
        s = (text[1 + i] = gg_arena_strndup(&t->arena, c, strlen(c))) && json_object_set_new(vocab, c, json_integer(1 + i)) == 0 ? GG_OK : GG_ENOMEM;
    }
    if (s == GG_OK)
        s = begin(t, id_of_byte);
    int64_t n = 257;
    for (; n < n_vocab && s == GG_OK; n++) {
        int32_t pair_[2];
        if ((s = merge_next(t, (int32_t)n, min_count, pair_)) != GG_OK)
            break;
        gg_str joined = {.ctx = ctx};
        gg_str_printf(&joined, "%s%s", text[pair_[0]], text[pair_[1]]);
        s = !joined.failed && (text[n] = gg_arena_strndup(&t->arena, joined.data, joined.len)) && json_object_set_new(vocab, text[n], json_integer(n)) == 0 &&
                    json_array_append_new(merges, json_pack("[s, s]", text[pair_[0]], text[pair_[1]])) == 0
                ? GG_OK
                : GG_ENOMEM;
        gg_str_free(&joined);
        if (s == GG_OK && gg_context_stopped(ctx))
            s = gg_fail(ctx, GG_EINTR, "stopped after %lld of %lld tokens", (long long)n, (long long)n_vocab);
    }
    s = s == GG_END ? GG_OK : s;
    s = write_document(ctx, path, special, vocab, merges, s);
    gg_drop(ctx, text);
    *n_tokens = n;
    return s;
}

/* --- characters ----------------------------------------------------------------------------------------------------------------------------- */
/* The letters that stand for n bytes of a character, as one text. */
static const char *letters(gg_bpe_trainer *t, const char *bytes, int n)
{
    char out[16] = {0};
    size_t len = 0;
    for (int i = 0; i < n; i++)
        len += (size_t)gg__utf8_put(out + len, gg__byte_char((uint8_t)bytes[i]));
    return gg_arena_strndup(&t->arena, out, len);
}

static gg_status add_token(json_t *vocab, const char *text, int64_t *n)
{
    if (!text || (!json_object_get(vocab, text) && json_object_set_new(vocab, text, json_integer(*n)) != 0))
        return GG_ENOMEM;
    *n = (int64_t)json_object_size(vocab);
    return GG_OK;
}

/* A character of several bytes: its beginnings of two, three, four bytes, each the merge of the one before and a byte. */
static gg_status add_character(gg_bpe_trainer *t, json_t *vocab, json_t *merges, const char *bytes, int64_t *n)
{
    const int len = gg__utf8_len((unsigned char)bytes[0]);
    for (int i = 2; i <= len; i++) {
        const char *left = letters(t, bytes, i - 1), *right = letters(t, bytes + i - 1, 1), *both = letters(t, bytes, i);
        if (!left || !right || !both)
            return GG_ENOMEM;
        if (json_object_get(vocab, both))
            continue;
        GG_TRY(add_token(vocab, both, n));
        if (json_array_append_new(merges, json_pack("[s, s]", left, right)) != 0)
            return GG_ENOMEM;
    }
    return GG_OK;
}

gg_status gg_bpe_trainer_write_characters(gg_bpe_trainer *t, int64_t *n_tokens, const char *path, const char *special)
{
    enum { POINTS = 0x110000 };
    gg_context *ctx = t->ctx;
    uint8_t *seen = gg_new(ctx, uint8_t, POINTS);
    bool byte_seen[256] = {false};
    uint8_t order[256];
    json_t *vocab = json_object(), *merges = json_array();
    gg_status s = seen && vocab && merges ? GG_OK : GG_ENOMEM;
    int64_t n = 0;
    for (int32_t w = 0; w < t->n_words && s == GG_OK; w++)
        for (size_t i = 0; i < t->word[w].n_text;) {
            int len;
            seen[gg__utf8_get(t->word[w].text + i, &len)] = 1;
            for (int k = 0; k < len; k++)
                byte_seen[(uint8_t)t->word[w].text[i + (size_t)k]] = true;
            i += (size_t)len;
        }
    if (s == GG_OK)
        s = add_token(vocab, special, &n);
    for (int i = 0; i < 256; i++)
        order[i] = (uint8_t)i;
    qsort(order, 256, 1, by_char);
    for (int i = 0; i < 256 && s == GG_OK; i++)
        if (byte_seen[order[i]])
            s = add_token(vocab, letters(t, (const char *)&order[i], 1), &n);
    for (int32_t c = 0x80; c < POINTS && s == GG_OK; c++)
        if (seen[c]) {
            char bytes[4];
            gg__utf8_put(bytes, c);
            s = add_character(t, vocab, merges, bytes, &n);
        }
    s = write_document(ctx, path, special, vocab, merges, s);
    gg_drop(ctx, seen);
    *n_tokens = n;
    return s;
}
