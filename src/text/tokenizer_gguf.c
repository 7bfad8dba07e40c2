/* The tokenizer that a GGUF file carries: metadata `tokenizer.ggml.*`. Kinds: gpt2 (byte-level BPE with a named pre-tokenizer), llama
 * (SentencePiece BPE by scores), t5 (unigram), bert (WordPiece, words marked with U+2581 in front, no ##).
 * Token types: control tokens are read in a text only when asked, user-defined ones always. */
#include "text/text.h"
#include "base/utf8.h"
#include <stdio.h>

static gg_status mark_of(char **out, gg_tokenizer *t, const char *s)
{
    *out = gg_strdup(t->ctx, s);
    return *out ? GG_OK : GG_ENOMEM;
}

static int32_t id_of(const gg_tokenizer *t, const gg_tensors *m, const char *key)
{
    int64_t id;
    return gg_tensors_int(m, key, &id) && id >= 0 && id < t->vocab.n ? (int32_t)id : -1;
}

static gg_status read_vocab(gg_tokenizer *t, const gg_tensors *m)
{
    const int64_t n = gg_tensors_array(m, "tokenizer.ggml.tokens"), n_types = gg_tensors_array(m, "tokenizer.ggml.token_type");
    if (n <= 0)
        return gg_fail(t->ctx, GG_EFORMAT, "the tokenizer has no vocabulary (tokenizer.ggml.tokens)");
    if (n_types >= 0 && n_types != n)
        return gg_fail(t->ctx, GG_EFORMAT, "the tokenizer has %lld tokens but %lld token types", (long long)n, (long long)n_types);
    const char **text = gg_new(t->ctx, const char *, n);
    size_t *len = gg_new(t->ctx, size_t, n);
    t->type = gg_new(t->ctx, uint8_t, n);
    gg_status s = text && len && t->type ? GG_OK : GG_ENOMEM;
    for (int64_t i = 0; s == GG_OK && i < n; i++) {
        int64_t type = GG__TYPE_NORMAL;
        if (!gg_tensors_array_text(m, "tokenizer.ggml.tokens", i, &text[i], &len[i]))
            s = gg_fail(t->ctx, GG_EFORMAT, "tokenizer.ggml.tokens[%lld] is not a text", (long long)i);
        if (n_types >= 0)
            gg_tensors_array_int(m, "tokenizer.ggml.token_type", i, &type);
        t->type[i] = (uint8_t)(type >= 1 && type <= 6 ? type : GG__TYPE_NORMAL);
    }
    if (s == GG_OK)
        s = gg__vocab_build(&t->vocab, t->ctx, text, len, n);
    for (int64_t i = 0; s == GG_OK && i < n; i++)
        if ((t->type[i] == GG__TYPE_CONTROL || t->type[i] == GG__TYPE_USER || t->type[i] == GG__TYPE_UNKNOWN) && gg_utf8_is_valid(text[i], len[i]))
            s = gg__added_add(t, &(gg__added){.text = (char *)(uintptr_t)text[i], .n = len[i], .id = (int32_t)i, .special = t->type[i] != GG__TYPE_USER});
    gg_drop(t->ctx, text);
    gg_drop(t->ctx, len);
    return s;
}

static gg_status read_merges(gg_tokenizer *t, const gg_tensors *m)
{
    const int64_t n = gg_tensors_array(m, "tokenizer.ggml.merges");
    if (n < 0)
        return gg_fail(t->ctx, GG_EFORMAT, "the BPE tokenizer has no merges (tokenizer.ggml.merges)");
    GG_TRY(gg__pairs_alloc(t, n));
    char *whole = gg_alloc(t->ctx, (size_t)t->vocab.longest + 1);
    if (!whole)
        return GG_ENOMEM;
    gg_status st = GG_OK;
    for (int64_t i = 0; i < n && st == GG_OK; i++) {
        const char *s;
        size_t len;
        const char *space = NULL;
        if (gg_tensors_array_text(m, "tokenizer.ggml.merges", i, &s, &len) && len > 2)
            space = memchr(s + 1, ' ', len - 2);
        if (!space) {
            st = gg_fail(t->ctx, GG_EFORMAT, "tokenizer.ggml.merges[%lld] is not two texts with a space between", (long long)i);
            break;
        }
        const size_t a = (size_t)(space - s), b = len - a - 1;
        int32_t both = -1;
        if ((int64_t)(a + b) <= t->vocab.longest) {
            memcpy(whole, s, a);
            memcpy(whole + a, space + 1, b);
            both = gg__vocab_find(&t->vocab, whole, a + b);
        }
        const int32_t left = gg__vocab_find(&t->vocab, s, a), right = gg__vocab_find(&t->vocab, space + 1, b);
        if (left < 0 || right < 0 || both < 0)
            st = gg_fail(t->ctx, GG_EFORMAT, "tokenizer.ggml.merges[%lld] '%.*s': %s is not in the vocabulary", (long long)i, len > 80 ? 80 : (int)len, s,
                         left < 0 ? "its left side" : right < 0 ? "its right side" : "what it gives");
        else
            st = gg__pairs_add(t, left, right, (uint32_t)i, both, false);
    }
    gg_drop(t->ctx, whole);
    return st;
}

static gg_status around(gg_tokenizer *t, const gg_tensors *m, bool begin, bool end, int32_t first, int32_t last)
{
    gg_tensors_bool(m, "tokenizer.ggml.add_bos_token", &begin);
    gg_tensors_bool(m, "tokenizer.ggml.add_eos_token", &end);
    if (begin && first >= 0) {
        if (!(t->before = gg_new(t->ctx, int32_t, 1)))
            return GG_ENOMEM;
        t->before[t->n_before++] = first;
    }
    if (end && last >= 0) {
        if (!(t->after = gg_new(t->ctx, int32_t, 1)))
            return GG_ENOMEM;
        t->after[t->n_after++] = last;
    }
    return GG_OK;
}

static gg_status dec_text(gg_tokenizer *t, gg__dec_kind kind, const char *from, const char *to)
{
    gg__dec *d = NULL;
    GG_TRY(gg__dec_add(t, &d));
    *d = (gg__dec){.kind = kind, .n_from = strlen(from), .n_to = strlen(to)};
    GG_TRY(mark_of(&d->from, t, from));
    return mark_of(&d->to, t, to);
}

static gg_status open_bpe(gg_tokenizer *t, const gg_tensors *m)
{
    const char *pre = NULL;
    if (!gg_tensors_text(m, "tokenizer.ggml.pre", &pre))
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "the BPE tokenizer does not name its pre-tokenizer (tokenizer.ggml.pre); "
                                                "convert the model again with a converter that writes it");
    t->model = GG__BPE_BYTES;
    GG_TRY(gg__pre_named(t, pre));
    GG_TRY(read_merges(t, m));
    for (int b = 0; b < 256; b++) {
        char c[4];
        t->byte_id[b] = gg__vocab_find(&t->vocab, c, (size_t)gg__utf8_put(c, gg__byte_char((uint8_t)b)));
    }
    t->ignore_merges = gg__pre_ignores_merges(pre);
    GG_TRY(dec_text(t, GG__DEC_BYTES, "", ""));
    GG_TRY(around(t, m, t->ignore_merges, false, t->bos, t->eos));
    snprintf(t->kind, sizeof t->kind, "bpe %s", pre);
    return GG_OK;
}

static gg_status read_scores(float **out, gg_tokenizer *t, const gg_tensors *m)
{
    const int64_t n = gg_tensors_array(m, "tokenizer.ggml.scores");
    if (n != t->vocab.n)
        return gg_fail(t->ctx, GG_EFORMAT, "the tokenizer has %lld tokens but %lld scores (tokenizer.ggml.scores)", (long long)t->vocab.n,
                       (long long)(n < 0 ? 0 : n));
    float *s = *out = gg_new(t->ctx, float, n);
    if (!s)
        return GG_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        double x = 0;
        gg_tensors_array_double(m, "tokenizer.ggml.scores", i, &x);
        s[i] = (float)x;
    }
    return GG_OK;
}

static gg_status spaces_to_marks(gg_tokenizer *t)
{
    gg__norm *p = NULL;
    GG_TRY(gg__norm_add(t, &p));
    *p = (gg__norm){.kind = GG__NORM_REPLACE, .n_from = 1, .n_to = 3};
    GG_TRY(mark_of(&p->from, t, " "));
    return mark_of(&p->to, t, GG__METASPACE);
}

static gg_status decode_marks(gg_tokenizer *t, bool prefix)
{
    GG_TRY(dec_text(t, GG__DEC_REPLACE, GG__METASPACE, " "));
    GG_TRY(dec_text(t, GG__DEC_BYTE_FALLBACK, "", ""));
    GG_TRY(dec_text(t, GG__DEC_FUSE, "", ""));
    if (!prefix)
        return GG_OK;
    GG_TRY(dec_text(t, GG__DEC_STRIP, " ", ""));
    t->dec[t->n_dec - 1].start = 1;
    return GG_OK;
}

static gg_status open_spm(gg_tokenizer *t, const gg_tensors *m)
{
    float *score = NULL;
    t->model = GG__SPM;
    t->byte_fallback = t->fuse_unk = true;
    t->unk = id_of(t, m, "tokenizer.ggml.unknown_token_id");
    gg__find_bytes(t);
    gg_status s = read_scores(&score, t, m);
    if (s == GG_OK)
        s = gg__spm_prepare(t, score);
    gg_drop(t->ctx, score);
    GG_TRY(s);
    t->prefix_per_segment = true;
    gg_tensors_bool(m, "tokenizer.ggml.add_space_prefix", &t->prefix_per_segment);
    GG_TRY(decode_marks(t, t->prefix_per_segment));
    GG_TRY(around(t, m, true, false, t->bos, t->eos));
    snprintf(t->kind, sizeof t->kind, "spm");
    return GG_OK;
}

static gg_status open_unigram(gg_tokenizer *t, const gg_tensors *m)
{
    float *score = NULL;
    t->model = GG__UNIGRAM;
    t->unk = id_of(t, m, "tokenizer.ggml.unknown_token_id");
    t->fuse_unk = t->single = true;
    for (int64_t i = 0; i < t->vocab.n && !t->byte_fallback; i++)
        t->byte_fallback = t->type[i] == GG__TYPE_BYTE;
    gg__find_bytes(t);
    gg_status s = read_scores(&score, t, m);
    t->score = s == GG_OK ? gg_new(t->ctx, double, t->vocab.n) : NULL;
    for (int64_t i = 0; t->score && i < t->vocab.n; i++)
        t->score[i] = t->type[i] == GG__TYPE_USER ? 0 : (double)score[i];
    gg_drop(t->ctx, score);
    GG_TRY(s);
    if (!t->score)
        return GG_ENOMEM;
    const int64_t n = gg_tensors_array(m, "tokenizer.ggml.precompiled_charsmap");
    if (n > 0) {
        uint8_t *map = gg_new(t->ctx, uint8_t, n);
        if (!map)
            return GG_ENOMEM;
        for (int64_t i = 0; i < n; i++) {
            int64_t b = 0;
            gg_tensors_array_int(m, "tokenizer.ggml.precompiled_charsmap", i, &b);
            map[i] = (uint8_t)b;
        }
        s = gg__norm_charsmap(t, map, (size_t)n, true);
        gg_drop(t->ctx, map);
        GG_TRY(s);
    }
    bool prefix = true, merge = false;
    gg_tensors_bool(m, "tokenizer.ggml.add_space_prefix", &prefix);
    gg_tensors_bool(m, "tokenizer.ggml.remove_extra_whitespaces", &merge);
    gg__norm *p = NULL;
    GG_TRY(gg__norm_add(t, &p));
    *p = (gg__norm){.kind = GG__NORM_SP_SPACES, .prefix = prefix, .merge = merge};
    GG_TRY(gg__unigram_prepare(t, t->vocab.n));
    GG_TRY(decode_marks(t, prefix));
    GG_TRY(around(t, m, false, true, t->bos, t->eos));
    snprintf(t->kind, sizeof t->kind, "unigram");
    return GG_OK;
}

/* Whether the words were lower-cased for training is not in the file; a vocabulary with a capital at a word's begin was not. */
static bool is_cased(const gg_tokenizer *t)
{
    for (int64_t i = 0; i < t->vocab.n; i++) {
        size_t n;
        const char *s = gg__vocab_text(&t->vocab, i, &n);
        if (t->type[i] == GG__TYPE_NORMAL && n > 3 && !memcmp(s, GG__METASPACE, 3) && s[3] >= 'A' && s[3] <= 'Z')
            return true;
    }
    return false;
}

static gg_status open_bert(gg_tokenizer *t, const gg_tensors *m)
{
    t->model = GG__WORDPIECE;
    t->unk = id_of(t, m, "tokenizer.ggml.unknown_token_id");
    if (t->unk < 0)
        t->unk = gg__vocab_find(&t->vocab, "[UNK]", 5);
    int32_t cls = id_of(t, m, "tokenizer.ggml.cls_token_id"), sep = id_of(t, m, "tokenizer.ggml.seperator_token_id");
    cls = cls >= 0 ? cls : t->bos >= 0 ? t->bos : gg__vocab_find(&t->vocab, "[CLS]", 5);
    sep = sep >= 0 ? sep : t->eos >= 0 ? t->eos : gg__vocab_find(&t->vocab, "[SEP]", 5);
    t->bos = cls;
    t->eos = sep;
    GG_TRY(mark_of(&t->start_mark, t, GG__METASPACE));
    GG_TRY(mark_of(&t->inner_mark, t, ""));
    GG_TRY(gg__bert_normalizer(t, true, true, !is_cased(t), !is_cased(t)));
    GG_TRY(gg__bert_pre_tokenizer(t));
    GG_TRY(dec_text(t, GG__DEC_REPLACE, GG__METASPACE, " "));
    GG_TRY(dec_text(t, GG__DEC_FUSE, "", ""));
    GG_TRY(dec_text(t, GG__DEC_STRIP, " ", ""));
    t->dec[t->n_dec - 1].start = 1;
    GG_TRY(around(t, m, true, true, cls, sep));
    snprintf(t->kind, sizeof t->kind, "wordpiece");
    return GG_OK;
}

gg_status gg__tokenizer_from_gguf(gg_tokenizer *t, const gg_tensors *m)
{
    const char *model = NULL;
    if (!gg_tensors_text(m, "tokenizer.ggml.model", &model) || !strcmp(model, "none"))
        return gg_fail(t->ctx, GG_ENOENT, "the file carries no tokenizer (no tokenizer.ggml.model)");
    static const struct {
        const char *name;
        gg_status (*open)(gg_tokenizer *t, const gg_tensors *m);
    } kind[] = {{"gpt2", open_bpe}, {"llama", open_spm}, {"t5", open_unigram}, {"bert", open_bert}};
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        if (!strcmp(model, kind[i].name)) {
            GG_TRY(read_vocab(t, m));
            t->bos = id_of(t, m, "tokenizer.ggml.bos_token_id");
            t->eos = id_of(t, m, "tokenizer.ggml.eos_token_id");
            GG_TRY(kind[i].open(t, m));
            return strcmp(model, "llama") ? GG_OK : spaces_to_marks(t);
        }
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "tokenizer kind '%s' (tokenizer.ggml.model) is not known; known are gpt2, llama, t5, bert", model);
}
