/* Byte-pair merging: the tokens of one piece (Sennrich et al. 2016). Owns: the table of merges, the merging by priority, SentencePiece's
 * variant in which any two neighbours whose joined text is a token may merge, best score first.
 *
 * Short pieces: scan for the best pair, merge, repeat. Long ones: a linked list and a heap, O(n log n), in blocks of bounded size.
 *
 * Blocks. Merging the front part of a text alone gives wrong tokens near its end, because the last token might have merged with what
 * follows. To find how far they are right, a pretended event stands in the heap for "the last token merges with something unknown", at the earliest
 * priority of all its merges that agree with the bytes known. When it is popped, the token is given up: the one before it is then next
 * to something unknown, and so on. True merges with the unknown never come before their pretended event, so the tokens that
 * are left at the end are those of the whole text; and as no merge crosses their end, the rest can be merged by itself.
 * Bounded memory, linear time on any length, and an encode that asks for few ids reads little, even if nothing cuts the text.
 */
#include "text/text.h"

enum { SHORT = 48 };

/* ---- the table of merges ---- */

static inline uint64_t hash_pair(int32_t a, int32_t b)
{
    uint64_t h = ((uint64_t)(uint32_t)a << 32 | (uint32_t)b) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 31;
}

static inline const gg__pair *find_pair(const gg_tokenizer *t, int32_t a, int32_t b)
{
    for (uint64_t i = hash_pair(a, b) & t->pair_mask;; i = (i + 1) & t->pair_mask) {
        const gg__pair *p = t->pair + i;
        if (p->left == a && p->right == b)
            return p;
        if (p->left < 0)
            return NULL;
    }
}

gg_status gg__pairs_alloc(gg_tokenizer *t, int64_t n_merges)
{
    int64_t cap = 16;
    while (cap < n_merges * 2)
        cap *= 2;
    t->pair = gg_new(t->ctx, gg__pair, cap);
    t->onwards = gg_new(t->ctx, int32_t, t->vocab.n);
    t->merge = gg_new(t->ctx, gg__merge, n_merges);
    if (!t->pair || !t->onwards || !t->merge)
        return GG_ENOMEM;
    memset(t->onwards, 0xFF, (size_t)t->vocab.n * sizeof *t->onwards);
    t->pair_mask = (uint64_t)cap - 1;
    for (int64_t i = 0; i < cap; i++)
        t->pair[i].left = -1;
    return GG_OK;
}

/* Of a pair that is listed twice the first rank counts, or the last one. */
gg_status gg__pairs_add(gg_tokenizer *t, int32_t left, int32_t right, uint32_t rank, int32_t id, bool last)
{
    uint64_t i = hash_pair(left, right) & t->pair_mask;
    for (; t->pair[i].left >= 0; i = (i + 1) & t->pair_mask)
        if (t->pair[i].left == left && t->pair[i].right == right) {
            if (!last)
                return GG_OK;
            break;
        }
    t->pair[i] = (gg__pair){left, right, rank, id};
    t->merge[t->n_merge] = (gg__merge){t->onwards[left], right, rank};
    t->onwards[left] = (int32_t)t->n_merge++;
    return GG_OK;
}

/* ---- where a text may be cut for certain ---- */

gg_status gg__bigrams_alloc(gg_tokenizer *t, int64_t n)
{
    int64_t bits = 1 << 16;
    while (bits < n * 8 && bits < 1 << 23)
        bits *= 2;
    t->bigram = gg_new(t->ctx, uint64_t, bits / 64);
    t->bigram_mask = (uint64_t)bits - 1;
    return t->bigram ? GG_OK : GG_ENOMEM;
}

void gg__bigrams_add(gg_tokenizer *t, int32_t a, int32_t b)
{
    const uint64_t h = hash_pair(a, b) & t->bigram_mask;
    t->bigram[h >> 6] |= (uint64_t)1 << (h & 63);
}

bool gg__may_join(const gg_tokenizer *t, int32_t a, int32_t b)
{
    if (!t->bigram)
        return true;
    const uint64_t h = hash_pair(a, b) & t->bigram_mask;
    return t->bigram[h >> 6] >> (h & 63) & 1;
}

gg_status gg__bigrams_of_vocab(gg_tokenizer *t)
{
    GG_TRY(gg__bigrams_alloc(t, t->vocab.n));
    for (int64_t i = 0; i < t->vocab.n; i++) {
        size_t n;
        const char *s = gg__vocab_text(&t->vocab, i, &n);
        if (t->type[i] == GG__TYPE_CONTROL || t->type[i] == GG__TYPE_UNKNOWN || t->type[i] == GG__TYPE_BYTE)
            continue;
        int32_t before = -1;
        int k = 0;
        for (size_t at = 0; at < n; at += (size_t)k) {
            const int32_t c = gg__utf8_get(s + at, &k);
            if (before >= 0)
                gg__bigrams_add(t, before, c);
            before = c;
        }
    }
    return GG_OK;
}

/* ---- output ---- */

gg_status gg__emit_unknown(gg__encoder *e, const char *text, size_t n)
{
    const gg_tokenizer *t = e->t;
    if (t->byte_fallback) {
        size_t known = 0;
        while (known < n && t->byte_id[(uint8_t)text[known]] >= 0)
            known++;
        if (known == n) {
            e->last_unk = false;
            for (size_t i = 0; i < n; i++)
                GG_TRY(gg__emit(e, t->byte_id[(uint8_t)text[i]]));
            return GG_OK;
        }
    }
    if (t->unk < 0 || (t->fuse_unk && e->last_unk))
        return GG_OK;
    e->last_unk = true;
    return gg__emit(e, t->unk);
}

static inline gg_status put(gg__encoder *e, int32_t id, const char *text, size_t n)
{
    if (id < 0)
        return gg__emit_unknown(e, text, n);
    e->last_unk = false;
    return gg__emit(e, id);
}

/* ---- merging ---- */

/* Short pieces of byte-level BPE: sym[0..n) is merged in place. */
static int merge_short(const gg_tokenizer *t, int32_t *sym, int n)
{
    uint32_t rank[SHORT];
    int32_t to[SHORT];
    for (int i = 0; i + 1 < n; i++) {
        const gg__pair *p = find_pair(t, sym[i], sym[i + 1]);
        rank[i] = p ? p->rank : GG__NO_RANK;
        to[i] = p ? p->id : -1;
    }
    while (n > 1) {
        int at = 0;
        for (int i = 1; i + 1 < n; i++)
            if (rank[i] < rank[at])
                at = i;
        if (rank[at] == GG__NO_RANK)
            break;
        sym[at] = to[at];
        n--;
        for (int i = at + 1; i < n; i++) {
            sym[i] = sym[i + 1];
            rank[i] = rank[i + 1];
            to[i] = to[i + 1];
        }
        for (int i = at ? at - 1 : 0; i <= at && i + 1 < n; i++) {
            const gg__pair *p = find_pair(t, sym[i], sym[i + 1]);
            rank[i] = p ? p->rank : GG__NO_RANK;
            to[i] = p ? p->id : -1;
        }
    }
    return n;
}

static inline bool before(gg__heap_item a, gg__heap_item b) { return a.key != b.key ? a.key < b.key : a.pos < b.pos; }

static void sift_down(gg__heap_item *h, int64_t n, int64_t i)
{
    const gg__heap_item x = h[i];
    for (int64_t k; (k = 2 * i + 1) < n; i = k) {
        k += k + 1 < n && before(h[k + 1], h[k]);
        if (!before(h[k], x))
            break;
        h[i] = h[k];
    }
    h[i] = x;
}

static gg_status heap_room(gg__encoder *e) { return gg_grow(e->ctx, &e->heap, e->n_heap, &e->cap_heap, 1024); }

static gg_status heap_push(gg__encoder *e, gg__heap_item x)
{
    GG_TRY(heap_room(e));
    int64_t i = e->n_heap++;
    for (int64_t up; i && before(x, e->heap[up = (i - 1) / 2]); i = up)
        e->heap[i] = e->heap[up];
    e->heap[i] = x;
    return GG_OK;
}

static gg_status reserve(gg__encoder *e, int64_t n)
{
    if (n <= e->cap_sym)
        return GG_OK;
    gg_drop(e->ctx, e->next);
    gg_drop(e->ctx, e->prev);
    gg_drop(e->ctx, e->sym);
    e->cap_sym = 0;
    e->next = gg_new(e->ctx, int32_t, n);
    e->prev = gg_new(e->ctx, int32_t, n);
    e->sym = gg_new(e->ctx, int32_t, n);
    if (!e->next || !e->prev || !e->sym)
        return GG_ENOMEM;
    e->cap_sym = n;
    return GG_OK;
}

/* The priority and the token of the neighbours [i, j) and [j, k). */
static inline bool joined(const gg__encoder *e, const char *text, int32_t i, int32_t j, int32_t k, uint32_t *key, int32_t *id)
{
    const gg_tokenizer *t = e->t;
    if (t->model == GG__SPM) {
        *id = gg__vocab_find(&t->vocab, text + i, (size_t)(k - i));
        if (*id < 0 || t->key[*id] == GG__NO_RANK)
            return false;
        *key = t->key[*id];
        return true;
    }
    if (e->sym[i] < 0 || e->sym[j] < 0)
        return false;
    const gg__pair *p = find_pair(t, e->sym[i], e->sym[j]);
    if (!p)
        return false;
    *key = p->rank;
    *id = p->id;
    return true;
}

/* Whether a text that goes on with s[0, n), and then unknown, may go on with token `id` of at least `least` bytes. */
static bool may_follow(const gg_tokenizer *t, int32_t id, const char *s, size_t n, size_t least)
{
    size_t len;
    const char *p = gg__vocab_text(&t->vocab, id, &len);
    if (t->model != GG__BPE_BYTES)
        return len >= least && !memcmp(p, s, len < n ? len : n);
    size_t i = 0;
    for (size_t at = 0; at < len; i++) {
        int k;
        const int32_t c = gg__utf8_get(p + at, &k);
        if (i < n && gg__char_byte(c) != (uint8_t)s[i])
            return false;
        at += (size_t)k;
    }
    return i >= least;
}

/* The earliest that the token at i, which ends at `end`, may merge with what follows it. text[0, n) is known, and that what follows has at least
 * `least` bytes: it was a token of that length when it was given up, and tokens only grow. */
static uint32_t rank_onwards(const gg__encoder *e, const char *text, int32_t i, int32_t end, int32_t n, int32_t least)
{
    const gg_tokenizer *t = e->t;
    const int32_t id = e->sym[i];
    uint32_t best = GG__NO_RANK;
    if (t->model != GG__SPM) {
        for (int32_t m = id >= 0 ? t->onwards[id] : -1; m >= 0; m = t->merge[m].next)
            if (t->merge[m].rank < best && may_follow(t, t->merge[m].right, text + end, (size_t)(n - end), (size_t)least))
                best = t->merge[m].rank;
        return best;
    }
    if (id < 0)
        return 0;
    if (n - end <= t->vocab.longest)
        return t->first_rank[id];
    for (int32_t k = end + (least ? least : 1); k - i <= t->vocab.longest; k++) { /* all that it may become lies before our eyes */
        const int32_t to = gg__vocab_find(&t->vocab, text + i, (size_t)(k - i));
        if (to >= 0 && t->key[to] < best)
            best = t->key[to];
    }
    return best;
}

/* The symbols a text begins with: characters (or bytes), looked up; text: n bytes. Returns the end of the last one in next[]. */
static void first_symbols(gg__encoder *e, const char *text, int32_t n, bool whole_begin, bool whole_end)
{
    const gg_tokenizer *t = e->t;
    int32_t last = -1;
    for (int32_t i = 0; i < n;) {
        int32_t k = t->model == GG__BPE_BYTES ? 1 : gg__utf8_len((unsigned char)text[i]), id;
        if (k > n - i)
            k = n - i;
        if (t->model == GG__BPE_BYTES)
            id = t->byte_id[(uint8_t)text[i]];
        else if (t->n_word_prefix || t->n_word_suffix) {
            char w[80];
            size_t m = 0;
            if (t->n_word_prefix && !(whole_begin && i == 0)) {
                memcpy(w, t->word_prefix, t->n_word_prefix);
                m = t->n_word_prefix;
            }
            memcpy(w + m, text + i, (size_t)k);
            m += (size_t)k;
            if (t->n_word_suffix && whole_end && i + k == n) {
                memcpy(w + m, t->word_suffix, t->n_word_suffix);
                m += t->n_word_suffix;
            }
            id = gg__vocab_find(&t->vocab, w, m);
        } else
            id = gg__vocab_find(&t->vocab, text + i, (size_t)k);
        if (id < 0 && t->model == GG__BPE_CHARS && t->byte_fallback) { /* bytes are symbols too, and might merge */
            bool all = true;
            for (int32_t j = 0; j < k; j++)
                all = all && t->byte_id[(uint8_t)text[i + j]] >= 0;
            if (all) {
                id = t->byte_id[(uint8_t)text[i]];
                for (int32_t j = 0; j + 1 < k; j++) {
                    e->sym[i + j] = t->byte_id[(uint8_t)text[i + j]];
                    e->prev[i + j] = last;
                    e->next[i + j] = i + j + 1;
                    last = i + j;
                }
                i += k - 1;
                id = t->byte_id[(uint8_t)text[i]];
                k = 1;
            }
        }
        e->sym[i] = id;
        e->prev[i] = last;
        e->next[i] = i + k;
        last = i;
        i += k;
    }
}

/* Merges text[0, n) with the heap. *settled: the bytes from the front whose tokens (e->sym along e->next) hold whatever follows. */
static gg_status merge_long(gg__encoder *e, const char *text, int32_t n, bool open, bool whole_begin, bool whole_end, int32_t *settled)
{
    int32_t frontier = n, least = 0, last = -1, id = -1;
    uint32_t key = 0;
    GG_TRY(reserve(e, n));
    first_symbols(e, text, n, whole_begin, whole_end);
    e->n_heap = 0;
    for (int32_t i = 0; i < n; last = i, i = e->next[i])
        if (e->next[i] < n && joined(e, text, i, e->next[i], e->next[e->next[i]], &key, &id)) {
            GG_TRY(heap_room(e));
            e->heap[e->n_heap++] = (gg__heap_item){key, (uint32_t)i, (uint32_t)(e->next[e->next[i]] - i), id};
        }
    for (int64_t i = e->n_heap / 2 - 1; i >= 0; i--)
        sift_down(e->heap, e->n_heap, i);
    if (open && last >= 0 && (key = rank_onwards(e, text, last, n, n, 0)) != GG__NO_RANK)
        GG_TRY(heap_push(e, (gg__heap_item){key, (uint32_t)last, 0, -1}));

    while (e->n_heap) {
        const gg__heap_item x = e->heap[0];
        e->heap[0] = e->heap[--e->n_heap];
        if (e->n_heap)
            sift_down(e->heap, e->n_heap, 0);
        const int32_t i = (int32_t)x.pos;
        int32_t j = e->next[i]; /* 0: i went into its left neighbour */
        if (!j || i >= frontier)
            continue;
        if (!x.size) {
            if (j != frontier)
                continue;
            least = j - i;
            frontier = i;
            const int32_t left = e->prev[i];
            if (left >= 0 && (key = rank_onwards(e, text, left, frontier, n, least)) != GG__NO_RANK)
                GG_TRY(heap_push(e, (gg__heap_item){key, (uint32_t)left, 0, -1}));
            continue;
        }
        if (j >= frontier || (uint32_t)(e->next[j] - i) != x.size)
            continue; /* out of date: one of the two has grown */
        e->sym[i] = x.id;
        e->next[i] = e->next[j];
        e->next[j] = 0;
        j = e->next[i];
        if (j < n)
            e->prev[j] = i;
        if (j < frontier && joined(e, text, i, j, e->next[j], &key, &id))
            GG_TRY(heap_push(e, (gg__heap_item){key, (uint32_t)i, (uint32_t)(e->next[j] - i), id}));
        if (open && j == frontier && (key = rank_onwards(e, text, i, frontier, n, least)) != GG__NO_RANK)
            GG_TRY(heap_push(e, (gg__heap_item){key, (uint32_t)i, 0, -1}));
        const int32_t h = e->prev[i];
        if (h >= 0 && joined(e, text, h, i, e->next[i], &key, &id))
            GG_TRY(heap_push(e, (gg__heap_item){key, (uint32_t)h, (uint32_t)(e->next[i] - h), id}));
    }
    *settled = frontier;
    return GG_OK;
}

/* One stretch that nothing cuts, [0, n) of a piece. */
static gg_status merge_stretch(gg__encoder *e, const char *text, size_t n, bool open, bool whole_begin, bool whole_end)
{
    const bool affixes = e->t->n_word_prefix || e->t->n_word_suffix; /* the first and the last symbol differ: no blocks */
    int64_t block = affixes ? INT32_MAX : e->t->block;
    for (size_t at = 0; at < n;) {
        const bool part = (int64_t)(n - at) > block;
        if (part && block >= INT32_MAX / 2)
            return gg_fail(e->ctx, GG_EUNSUPPORTED, "a word of more than 2 GB");
        size_t len = part ? (size_t)block : n - at;
        if (part && e->t->model != GG__BPE_BYTES)
            while (len > 1 && ((unsigned char)text[at + len] & 0xC0) == 0x80)
                len--;
        int32_t settled = 0;
        if (affixes && open)
            return gg__want_more(e);
        GG_TRY(merge_long(e, text + at, (int32_t)len, open || part, whole_begin, whole_end, &settled));
        for (int32_t i = 0; i < settled; i = e->next[i])
            GG_TRY(put(e, e->sym[i], text + at + i, (size_t)(e->next[i] - i)));
        if (open && !part)
            return gg__want_more(e);
        if (!settled)
            block *= 2;
        at += (size_t)settled;
    }
    return GG_OK;
}

/* Without an unknown token the characters that are no token vanish, and their neighbours may merge. */
static gg_status drop_unknown(gg__encoder *e, const char **text, size_t *n)
{
    const gg_tokenizer *t = e->t;
    const bool bytes = t->model == GG__BPE_BYTES;
    size_t k, gap = 0;
    bool any = false;
    for (size_t i = 0; i < *n; i += k) {
        k = bytes ? 1 : (size_t)gg__utf8_len((unsigned char)(*text)[i]);
        if ((bytes ? t->byte_id[(uint8_t)(*text)[i]] : gg__vocab_find(&t->vocab, *text + i, k)) >= 0)
            continue;
        if (!any)
            e->word.n = 0;
        any = true;
        GG_TRY(gg__buffer_add(e, &e->word, *text + gap, i - gap));
        gap = i + k;
    }
    if (any) {
        GG_TRY(gg__buffer_add(e, &e->word, *text + gap, *n - gap));
        *text = e->word.data;
        *n = e->word.n;
    }
    return GG_OK;
}

gg_status gg__bpe_encode(gg__encoder *e, const char *text, size_t n, bool open)
{
    const gg_tokenizer *t = e->t;
    if (t->ignore_merges && !open) {
        int32_t id;
        if (t->model == GG__BPE_BYTES) {
            char w[512];
            size_t m = 0;
            if (n <= sizeof w / 2) {
                for (size_t i = 0; i < n; i++)
                    m += (size_t)gg__utf8_put(w + m, gg__byte_char((uint8_t)text[i]));
                id = gg__vocab_find(&t->vocab, w, m);
            } else
                id = -1;
        } else
            id = gg__vocab_find(&t->vocab, text, n);
        if (id >= 0 && t->type[id] == GG__TYPE_NORMAL)
            return put(e, id, text, n);
    }
    if (t->drops_unknown) {
        GG_TRY(drop_unknown(e, &text, &n));
        if (!n)
            return open ? gg__want_more(e) : GG_OK;
    }
    if (t->model == GG__BPE_BYTES) {
        if (n <= SHORT && !open) {
            int32_t sym[SHORT];
            for (size_t i = 0; i < n; i++) {
                sym[i] = t->byte_id[(uint8_t)text[i]];
                if (sym[i] < 0)
                    return merge_stretch(e, text, n, open, true, true);
            }
            const int m = merge_short(t, sym, (int)n);
            for (int i = 0; i < m; i++)
                GG_TRY(gg__emit(e, sym[i]));
            return GG_OK;
        }
        return merge_stretch(e, text, n, open, true, true);
    }
    if (t->n_word_prefix || t->n_word_suffix)
        return merge_stretch(e, text, n, open, true, true);
    /* Cut where no token holds the two neighbours; the stretches do not touch each other. */
    size_t begin = 0;
    int32_t last = -1;
    int k = 0;
    for (size_t i = 0; i < n; i += (size_t)k) {
        const int32_t c = gg__utf8_get(text + i, &k);
        if (last >= 0 && !gg__may_join(t, last, c)) {
            GG_TRY(merge_stretch(e, text + begin, i - begin, false, true, true));
            begin = i;
        }
        last = c;
    }
    return merge_stretch(e, text + begin, n - begin, open, true, true);
}
