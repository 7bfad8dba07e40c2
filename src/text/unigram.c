/* Unigram language model (Kudo 2018): of all ways to cut a piece into tokens the one with the largest sum of scores, by Viterbi over byte
 * positions. A character that no token of one character covers may stand as unknown, at the score of the worst token less ten.
 *
 * Ties go to the path that was found first, as in the published code, which keeps a path unless the new one is strictly better.
 * Long pieces go in blocks: every path through a text has an end in the last `longest` bytes of a block, so what the best paths to all these ends
 * have in common at their front is the front of the best path through the whole text. */
#include "text/text.h"

/* Prefixes of tokens, so that a search ends where no token goes on. Sorted texts with binary search would do; a trie in first-child,
 * next-sibling form would be slow: this is a hash of (node, byte). */
struct gg__trie {
    uint64_t *slot; /* (node << 8 | byte) + 1 in the upper 40 bits is too narrow for hostile sizes: two arrays */
    int32_t *child;
    uint64_t mask;
    int32_t *id; /* (n_nodes,) the token that ends here, or -1 */
    int64_t n_nodes;
};

static inline uint64_t hash_edge(uint64_t edge)
{
    const uint64_t h = edge * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

static inline int32_t follow(const struct gg__trie *r, int32_t node, uint8_t c)
{
    const uint64_t edge = (uint64_t)node << 8 | c;
    for (uint64_t i = hash_edge(edge) & r->mask; r->slot[i]; i = (i + 1) & r->mask)
        if (r->slot[i] == edge + 1)
            return r->child[i];
    return -1;
}

gg_status gg__unigram_prepare(gg_tokenizer *t, int64_t n_scores)
{
    struct gg__trie *r = t->trie = gg_new(t->ctx, struct gg__trie, 1);
    if (!r)
        return GG_ENOMEM;
    int64_t bytes = 0, cap = 16;
    double worst = 0;
    bool any = false;
    for (int64_t i = 0; i < t->vocab.n; i++) {
        bytes += t->vocab.at[i + 1] - t->vocab.at[i];
        if (t->score[i] != t->score[i])
            return gg_fail(t->ctx, GG_EFORMAT, "token %lld has a score that is no number", (long long)i);
        if (i < n_scores && (!any || t->score[i] < worst)) {
            worst = t->score[i];
            any = true;
        }
    }
    t->unk_score = worst - 10;
    if (bytes >= INT32_MAX)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "the texts of the vocabulary have %lld bytes; less than 2^31 are possible", (long long)bytes);
    while (cap < bytes * 2)
        cap *= 2;
    r->slot = gg_new(t->ctx, uint64_t, cap);
    r->child = gg_new(t->ctx, int32_t, cap);
    r->id = gg_new(t->ctx, int32_t, bytes + 1);
    if (!r->slot || !r->child || !r->id)
        return GG_ENOMEM;
    r->mask = (uint64_t)cap - 1;
    r->n_nodes = 1;
    r->id[0] = -1;
    for (int64_t i = 0; i < t->vocab.n; i++) {
        size_t n;
        const char *s = gg__vocab_text(&t->vocab, i, &n);
        int32_t node = 0;
        if (!n || i >= n_scores || t->type[i] == GG__TYPE_CONTROL || t->type[i] == GG__TYPE_BYTE || t->type[i] == GG__TYPE_UNKNOWN ||
            gg__vocab_find(&t->vocab, s, n) != i)
            continue;
        for (size_t k = 0; k < n; k++) {
            const uint64_t edge = (uint64_t)node << 8 | (uint8_t)s[k];
            uint64_t at = hash_edge(edge) & r->mask;
            while (r->slot[at] && r->slot[at] != edge + 1)
                at = (at + 1) & r->mask;
            if (!r->slot[at]) {
                r->slot[at] = edge + 1;
                r->child[at] = (int32_t)r->n_nodes;
                r->id[r->n_nodes++] = -1;
            }
            node = r->child[at];
        }
        r->id[node] = (int32_t)i;
    }
    return GG_OK;
}

void gg__unigram_free(gg_tokenizer *t)
{
    if (!t->trie)
        return;
    gg_drop(t->ctx, t->trie->slot);
    gg_drop(t->ctx, t->trie->child);
    gg_drop(t->ctx, t->trie->id);
    gg_drop(t->ctx, t->trie);
    t->trie = NULL;
}

static gg_status reserve(gg__encoder *e, int64_t n)
{
    if (n <= e->cap_best)
        return GG_OK;
    gg_drop(e->ctx, e->best);
    gg_drop(e->ctx, e->from);
    gg_drop(e->ctx, e->via);
    e->cap_best = 0;
    e->best = gg_new(e->ctx, double, n);
    e->from = gg_new(e->ctx, int32_t, n);
    e->via = gg_new(e->ctx, int32_t, n);
    if (!e->best || !e->from || !e->via)
        return GG_ENOMEM;
    e->cap_best = n;
    return GG_OK;
}

static inline double add(const gg_tokenizer *t, double sum, double score) { return t->single ? (double)((float)sum + (float)score) : sum + score; }

/* best[], from[], via[] of every position of text[0, n) that a path reaches; from = -1: none. sum: the score of the path so far. */
static void forward(gg__encoder *e, const char *text, int32_t n, double sum)
{
    const gg_tokenizer *t = e->t;
    for (int32_t i = 0; i <= n; i++)
        e->from[i] = -1;
    e->best[0] = sum;
    e->via[0] = -1;
    for (int32_t i = 0, k; i < n; i += k) {
        k = gg__utf8_len((unsigned char)text[i]);
        k = k < n - i ? k : n - i;
        bool single = false;
        for (int32_t j = i, node = 0; j < n && (node = follow(t->trie, node, (uint8_t)text[j])) >= 0; j++) {
            const int32_t id = t->trie->id[node], end = j + 1;
            if (id < 0)
                continue;
            const double score = add(t, e->best[i], t->score[id]);
            if (e->from[end] < 0 || score > e->best[end]) {
                e->best[end] = score;
                e->from[end] = i;
                e->via[end] = id;
            }
            single = single || end - i == k;
        }
        if (!single) {
            const double score = add(t, e->best[i], t->unk_score);
            if (e->from[i + k] < 0 || score > e->best[i + k]) {
                e->best[i + k] = score;
                e->from[i + k] = i;
                e->via[i + k] = -1;
            }
        }
    }
}

/* The longest common front of the best paths to all ends in (n - longest, n]. */
static int32_t common_front(const gg__encoder *e, int32_t n)
{
    int32_t front = -1;
    if (e->t->vocab.longest + 3 >= n) /* one token may reach across all of it */
        return 0;
    for (int32_t end = n, low = n - (int32_t)e->t->vocab.longest - 3; end > low; end--) {
        if (e->from[end] < 0)
            continue;
        if (front < 0) {
            front = end;
            continue;
        }
        int32_t other = end; /* both walk back until they meet */
        while (front != other)
            if (front > other)
                front = e->from[front];
            else
                other = e->from[other];
    }
    return front < 0 ? 0 : front;
}

gg_status gg__unigram_encode(gg__encoder *e, const char *text, size_t n, bool open)
{
    int64_t block = e->t->block;
    double sum = 0;
    for (size_t at = 0; at < n;) {
        const bool part = (int64_t)(n - at) > block;
        size_t len = part ? (size_t)block : n - at;
        while (part && len > 1 && ((unsigned char)text[at + len] & 0xC0) == 0x80)
            len--;
        if (len >= INT32_MAX / 2)
            return gg_fail(e->ctx, GG_EUNSUPPORTED, "a word of more than 1 GB");
        GG_TRY(reserve(e, (int64_t)len + 1));
        forward(e, text + at, (int32_t)len, sum);
        const int32_t end = part || open ? common_front(e, (int32_t)len) : (int32_t)len;
        sum = e->best[end];
        /* turn the path around: from[i] becomes the end of the token that begins at i */
        for (int32_t to = end, id = e->via[end], i = end ? e->from[end] : -1; i >= 0;) {
            const int32_t before = e->from[i], id_before = e->via[i];
            e->from[i] = to;
            e->via[i] = id;
            to = i;
            id = id_before;
            i = before;
        }
        for (int32_t first = 0; first < end; first = e->from[first]) {
            if (e->via[first] >= 0) {
                e->last_unk = false;
                GG_TRY(gg__emit(e, e->via[first]));
            } else
                GG_TRY(gg__emit_unknown(e, text + at + first, (size_t)(e->from[first] - first)));
        }
        if (open && !part)
            return gg__want_more(e);
        if (!end)
            block *= 2;
        at += (size_t)end;
    }
    return GG_OK;
}
