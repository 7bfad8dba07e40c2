/* Ids back to text. A tokenizer has a chain of decoders, each of which rewrites the list of token texts (as in tokenizer.json; a GGUF's
 * kind implies its chain); at the end the texts are joined. Added tokens do not pass the byte table: they are letters already. */
#include "text/text.h"

gg_status gg__dec_add(gg_tokenizer *t, gg__dec **out)
{
    gg__dec *p = gg_renew(t->ctx, t->dec, gg__dec, t->n_dec + 1);
    if (!p)
        return GG_ENOMEM;
    t->dec = p;
    *out = p + t->n_dec++;
    return GG_OK;
}

typedef struct word {
    char *s; /* in the arena or in the vocabulary */
    size_t n;
    bool added;
} word;

typedef struct words {
    const gg_tokenizer *t;
    gg_arena arena;
    word *w;
    int64_t n;
} words;

/* GPT-2's table backwards. A token with a character that stands for no byte stays as it is. */
static gg_status do_bytes(words *l)
{
    for (int64_t i = 0; i < l->n; i++) {
        word *w = l->w + i;
        size_t n = 0;
        int k = 1;
        if (w->added)
            continue;
        char *out = gg_arena_alloc(&l->arena, w->n + 1);
        if (!out)
            return GG_ENOMEM;
        for (size_t at = 0; at < w->n; at += (size_t)k) {
            const int b = (size_t)gg__utf8_len((unsigned char)w->s[at]) <= w->n - at ? gg__char_byte(gg__utf8_get(w->s + at, &k)) : -1;
            if (b < 0)
                break;
            out[n++] = (char)b;
            if (at + (size_t)k == w->n) {
                w->s = out;
                w->n = n;
                break;
            }
        }
    }
    return GG_OK;
}

static gg_status do_replace(words *l, const char *from, size_t n_from, const char *to, size_t n_to)
{
    for (int64_t i = 0; i < l->n && n_from; i++) {
        word *w = l->w + i;
        size_t hits = 0;
        for (const char *s = w->s, *end = w->s + w->n; (s = memmem(s, (size_t)(end - s), from, n_from)); s += n_from)
            hits++;
        if (!hits)
            continue;
        char *out = gg_arena_alloc(&l->arena, gg_mul((int64_t)(w->n + 1), (int64_t)(n_to / n_from + 2))), *o = out;
        if (!out)
            return GG_ENOMEM;
        const char *s = w->s, *end = w->s + w->n;
        for (const char *hit; (hit = memmem(s, (size_t)(end - s), from, n_from)); s = hit + n_from) {
            memcpy(o, s, (size_t)(hit - s));
            o += hit - s;
            memcpy(o, to, n_to);
            o += n_to;
        }
        memcpy(o, s, (size_t)(end - s));
        w->s = out;
        w->n = (size_t)(o - out) + (size_t)(end - s);
    }
    return GG_OK;
}

static gg_status do_byte_fallback(words *l)
{
    for (int64_t i = 0; i < l->n; i++) {
        const int b = l->w[i].added ? -1 : gg__byte_of(l->w[i].s, l->w[i].n);
        if (b < 0)
            continue;
        char *c = gg_arena_alloc(&l->arena, 1);
        if (!c)
            return GG_ENOMEM;
        *c = (char)b;
        l->w[i].s = c;
        l->w[i].n = 1;
    }
    return GG_OK;
}

static gg_status do_fuse(words *l)
{
    size_t total = 0, at = 0;
    for (int64_t i = 0; i < l->n; i++)
        total += l->w[i].n;
    char *out = gg_arena_alloc(&l->arena, total + 1);
    if (!out)
        return GG_ENOMEM;
    for (int64_t i = 0; i < l->n; i++) {
        memcpy(out + at, l->w[i].s, l->w[i].n);
        at += l->w[i].n;
    }
    if (l->n)
        l->w[0] = (word){.s = out, .n = total};
    l->n = l->n > 0;
    return GG_OK;
}

static gg_status do_strip(words *l, const gg__dec *d)
{
    for (int64_t i = 0; i < l->n && d->n_from; i++) {
        word *w = l->w + i;
        for (int64_t k = 0; k < d->start && w->n >= d->n_from && !memcmp(w->s, d->from, d->n_from); k++) {
            w->s += d->n_from;
            w->n -= d->n_from;
        }
        for (int64_t k = 0; k < d->stop && w->n >= d->n_from && !memcmp(w->s + w->n - d->n_from, d->from, d->n_from); k++)
            w->n -= d->n_from;
    }
    return GG_OK;
}

static gg_status do_prefixed(words *l, int64_t i, const char *front, size_t skip)
{
    word *w = l->w + i;
    const size_t k = strlen(front);
    char *out = gg_arena_alloc(&l->arena, w->n - skip + k + 1);
    if (!out)
        return GG_ENOMEM;
    memcpy(out, front, k);
    memcpy(out + k, w->s + skip, w->n - skip);
    w->s = out;
    w->n = w->n - skip + k;
    return GG_OK;
}

/* "##ing" joins, every other word gets a space in front; the clean-up takes the space before punctuation and in contractions away. */
static gg_status do_wordpiece(words *l, const gg__dec *d)
{
    static const char *const clean[][2] = {{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
                                           {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (int64_t i = 1; i < l->n; i++) {
        const word *w = l->w + i;
        if (w->n >= d->n_from && !memcmp(w->s, d->from, d->n_from)) {
            l->w[i].s += d->n_from;
            l->w[i].n -= d->n_from;
        } else
            GG_TRY(do_prefixed(l, i, " ", 0));
    }
    for (size_t k = 0; d->flag && k < sizeof clean / sizeof *clean; k++)
        GG_TRY(do_replace(l, clean[k][0], strlen(clean[k][0]), clean[k][1], strlen(clean[k][1])));
    return GG_OK;
}

static gg_status do_metaspace(words *l, const gg__dec *d)
{
    if (d->flag && l->n) { /* all marks of the first token, as the published code does */
        const int64_t n = l->n;
        l->n = 1;
        const gg_status s = do_replace(l, d->from, d->n_from, "", 0);
        l->n = n;
        GG_TRY(s);
    }
    return do_replace(l, d->from, d->n_from, " ", 1);
}

/* "</w>" ends a word: a space, but not after the last one. */
static gg_status do_suffix(words *l, const gg__dec *d)
{
    word *const all = l->w;
    const int64_t n = l->n;
    gg_status s = GG_OK;
    if (!n)
        return GG_OK;
    l->n = n - 1;
    s = do_replace(l, d->from, d->n_from, " ", 1);
    l->w = all + n - 1;
    l->n = 1;
    if (s == GG_OK)
        s = do_replace(l, d->from, d->n_from, "", 0);
    l->w = all;
    l->n = n;
    return s;
}

static gg_status do_spaces(words *l)
{
    for (int64_t i = 1; i < l->n; i++)
        GG_TRY(do_prefixed(l, i, " ", 0));
    return GG_OK;
}

static gg_status decode(words *l, char **out, size_t *n_out, const int32_t *id, int64_t n, bool special)
{
    const gg_tokenizer *t = l->t;
    l->w = gg_new(t->ctx, word, n);
    if (!l->w)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        if (id[i] < 0 || id[i] >= t->vocab.n)
            return gg_fail(t->ctx, GG_EINVAL, "token %lld is %d; the vocabulary has ids 0 to %lld", (long long)i, id[i], (long long)t->vocab.n - 1);
        const uint8_t type = t->type[id[i]];
        if (!special && (type == GG__TYPE_CONTROL || type == GG__TYPE_UNKNOWN))
            continue;
        word *w = l->w + l->n++;
        w->s = (char *)(uintptr_t)gg__vocab_text(&t->vocab, id[i], &w->n);
        w->added = type == GG__TYPE_CONTROL || type == GG__TYPE_USER;
    }
    for (int i = 0; i < t->n_dec; i++) {
        const gg__dec *d = t->dec + i;
        switch (d->kind) {
        case GG__DEC_BYTES: GG_TRY(do_bytes(l)); break;
        case GG__DEC_METASPACE: GG_TRY(do_metaspace(l, d)); break;
        case GG__DEC_WORDPIECE: GG_TRY(do_wordpiece(l, d)); break;
        case GG__DEC_BYTE_FALLBACK: GG_TRY(do_byte_fallback(l)); break;
        case GG__DEC_FUSE: GG_TRY(do_fuse(l)); break;
        case GG__DEC_STRIP: GG_TRY(do_strip(l, d)); break;
        case GG__DEC_REPLACE: GG_TRY(do_replace(l, d->from, d->n_from, d->to, d->n_to)); break;
        case GG__DEC_SUFFIX: GG_TRY(do_suffix(l, d)); break;
        case GG__DEC_SPACES: GG_TRY(do_spaces(l)); break;
        }
    }
    size_t total = 0;
    for (int64_t i = 0; i < l->n; i++)
        total += l->w[i].n;
    char *s = *out = gg_alloc(t->ctx, total + 1);
    if (!s)
        return GG_ENOMEM;
    for (int64_t i = 0; i < l->n; s += l->w[i++].n)
        memcpy(s, l->w[i].s, l->w[i].n);
    *n_out = total;
    return GG_OK;
}

gg_status gg_tokenizer_decode(const gg_tokenizer *t, char **out, size_t *n_out, const int32_t *id, int64_t n, bool special)
{
    words l = {.t = t, .arena = {.ctx = t->ctx}};
    *out = NULL;
    *n_out = 0;
    const gg_status s = decode(&l, out, n_out, id, n, special);
    gg_drop(t->ctx, l.w);
    gg_arena_free(&l.arena);
    return s;
}

void gg_tokenizer_text_free(gg_context *ctx, char *text) { gg_drop(ctx, text); }
