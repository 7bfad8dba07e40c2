/* WordPiece (Schuster & Nakajima 2012; BERT): a word from the left, always the longest token that fits. The first token of a word is looked up behind one
 * mark, the others behind another: "" and "##" in tokenizer.json, U+2581 and "" in GGUF. A word that does not come out even is unknown as a whole. */
#include "text/text.h"

static size_t step_back(const char *text, size_t len)
{
    do
        len--;
    while (len && ((unsigned char)text[len] & 0xC0) == 0x80);
    return len;
}

/* The tokens of one word; *whole: it came out even. */
static gg_status word(gg__encoder *e, const char *text, size_t n, bool *whole)
{
    const gg_tokenizer *t = e->t;
    gg__buffer *b = &e->word;
    *whole = false;
    for (size_t at = 0; at < n;) {
        const char *mark = at ? t->inner_mark : t->start_mark;
        const size_t m = strlen(mark);
        int32_t id = -1;
        size_t len = n - at;
        b->n = 0;
        GG_TRY(gg__buffer_add(e, b, mark, m));
        GG_TRY(gg__buffer_add(e, b, text + at, len));
        while ((id = gg__vocab_find(&t->vocab, b->data, m + len)) < 0 && len)
            len = step_back(text + at, len);
        if (!len)
            return GG_OK;
        GG_TRY(gg__emit(e, id));
        at += len;
    }
    *whole = true;
    return GG_OK;
}

gg_status gg__wordpiece_encode(gg__encoder *e, const char *text, size_t n, bool open)
{
    const gg_tokenizer *t = e->t;
    if (open) /* where the word ends decides everything */
        return gg__want_more(e);
    int64_t characters = 0;
    for (size_t i = 0; i < n && characters <= t->max_word; i++)
        characters += ((unsigned char)text[i] & 0xC0) != 0x80;
    const int64_t begin = e->ids->n, max = e->max;
    bool whole = false;
    if (characters <= t->max_word) {
        e->max = 0; /* the last letter decides whether the first token stands */
        const gg_status s = word(e, text, n, &whole);
        e->max = max;
        GG_TRY(s);
    }
    if (!whole) {
        e->ids->n = begin;
        return t->unk < 0 ? GG_OK : gg__emit(e, t->unk);
    }
    if (max <= 0 || e->ids->n < max)
        return GG_OK;
    e->ids->n = max;
    return GG_END;
}
