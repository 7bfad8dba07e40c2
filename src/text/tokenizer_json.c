/* tokenizer.json, the format of Hugging Face's tokenizers: models BPE, Unigram and WordPiece with their normalizers, pre-tokenizers, post-processors,
 * decoders and added tokens. What is not known is refused by name; nothing is skipped in silence but truncation and padding, which golgi does itself.
 *
 * Traps: a pre-tokenizer may stand behind ByteLevel and then sees the characters that stand for bytes, not the text (Falcon's digits); the
 * patterns of added tokens with "normalized" go through the normalizer, too; of a merge that is listed twice the last one counts. */
#include "text/text.h"
#include "base/file.h"
#include "base/json.h"
#include <jansson.h>
#include <stdio.h>

#define TRY_NEW(call)                   \
    do {                                \
        if (!(call))                    \
            return GG_ENOMEM;           \
    } while (0)

static gg_status unsupported(gg_tokenizer *t, const char *part, const char *name)
{
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "%s '%s' is not supported", part, name ? name : "(without a type)");
}

/* ---- reading fields ---- */

static const char *type_of(const json_t *o) { return json_string_value(json_object_get(o, "type")); }
static bool flag_of(const json_t *o, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}
static const char *text_of(const json_t *o, const char *key, size_t *n)
{
    const json_t *v = json_object_get(o, key);
    *n = json_string_length(v);
    return json_string_value(v);
}

static gg_status copy(char **out, size_t *n_out, gg_tokenizer *t, const char *s, size_t n)
{
    *out = gg_strndup(t->ctx, s ? s : "", s ? n : 0);
    *n_out = s ? n : 0;
    return *out ? GG_OK : GG_ENOMEM;
}

/* {"String": s} or {"Regex": r} */
static gg_status pattern_of(gg_tokenizer *t, const json_t *o, const char **text, size_t *n, bool *regex)
{
    const json_t *p = json_object_get(o, "pattern");
    *text = text_of(p, "String", n);
    if (!*text)
        *text = text_of(p, "Regex", n);
    *regex = !json_is_string(json_object_get(p, "String")) || !*n; /* an empty text is found between all characters */
    return *text ? GG_OK : gg_fail(t->ctx, GG_EFORMAT, "a pattern that is neither a String nor a Regex");
}

/* ---- normalizers ---- */

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

static gg_status charsmap_of(gg_tokenizer *t, const json_t *o)
{
    size_t n, m = 0;
    const char *s = text_of(o, "precompiled_charsmap", &n);
    if (!s)
        return gg_fail(t->ctx, GG_EFORMAT, "a Precompiled normalizer without precompiled_charsmap");
    uint8_t *b = gg_alloc(t->ctx, n / 4 * 3 + 4);
    TRY_NEW(b);
    uint32_t bits = 0;
    for (size_t i = 0; i < n && s[i] != '='; i++) {
        const int v = base64_value(s[i]);
        if (v < 0) {
            gg_drop(t->ctx, b);
            return gg_fail(t->ctx, GG_EFORMAT, "precompiled_charsmap is no base64 (character %zu)", i + 1);
        }
        bits = bits << 6 | (uint32_t)v;
        if (i % 4)
            b[m++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    const gg_status st = gg__norm_charsmap(t, b, m, false);
    gg_drop(t->ctx, b);
    return st;
}

static gg_status read_normalizer(gg_tokenizer *t, const json_t *o, int depth)
{
    static const struct {
        const char *name;
        gg__norm form;
    } plain[] = {
        {"NFC", {.kind = GG__NORM_FORM, .compose = true}},
        {"NFD", {.kind = GG__NORM_FORM}},
        {"NFKC", {.kind = GG__NORM_FORM, .compose = true, .compat = true}},
        {"NFKD", {.kind = GG__NORM_FORM, .compat = true}},
        {"Lowercase", {.kind = GG__NORM_LOWER}},
        {"StripAccents", {.kind = GG__NORM_STRIP_MARKS}},
        {"Nmt", {.kind = GG__NORM_NMT}},
        {"ByteLevel", {.kind = GG__NORM_BYTES}},
    };
    const char *type = type_of(o), *s;
    gg__norm *f = NULL;
    size_t n;
    if (!o || json_is_null(o))
        return GG_OK;
    if (!type || depth > 8)
        return unsupported(t, "normalizer", type);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(type, plain[i].name)) {
            GG_TRY(gg__norm_add(t, &f));
            *f = plain[i].form;
            return GG_OK;
        }
    if (!strcmp(type, "Sequence")) {
        size_t i;
        json_t *each;
        json_array_foreach(json_object_get(o, "normalizers"), i, each)
            GG_TRY(read_normalizer(t, each, depth + 1));
        return GG_OK;
    }
    if (!strcmp(type, "BertNormalizer")) {
        const bool lower = flag_of(o, "lowercase", true);
        return gg__bert_normalizer(t, flag_of(o, "clean_text", true), flag_of(o, "handle_chinese_chars", true), flag_of(o, "strip_accents", lower), lower);
    }
    if (!strcmp(type, "Precompiled"))
        return charsmap_of(t, o);
    if (!strcmp(type, "Strip")) {
        GG_TRY(gg__norm_add(t, &f));
        f->kind = GG__NORM_STRIP;
        f->left = flag_of(o, "strip_left", true);
        f->right = flag_of(o, "strip_right", true);
        return GG_OK;
    }
    if (!strcmp(type, "Prepend")) {
        GG_TRY(gg__norm_add(t, &f));
        f->kind = GG__NORM_PREPEND;
        s = text_of(o, "prepend", &n);
        return copy(&f->to, &f->n_to, t, s, n);
    }
    if (!strcmp(type, "Replace")) {
        bool regex;
        size_t m;
        const char *content = text_of(o, "content", &m);
        GG_TRY(pattern_of(t, o, &s, &n, &regex));
        GG_TRY(gg__norm_add(t, &f));
        f->kind = regex ? GG__NORM_REGEX : GG__NORM_REPLACE;
        GG_TRY(copy(&f->to, &f->n_to, t, content, m));
        return regex ? gg__regex_compile(&f->code, t, s, n) : copy(&f->from, &f->n_from, t, s, n);
    }
    return unsupported(t, "normalizer", type);
}

/* ---- pre-tokenizers ---- */

static gg_status behaviour_of(gg__behaviour *out, gg_tokenizer *t, const json_t *o, gg__behaviour otherwise)
{
    static const char *const names[] = {"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *s = json_string_value(json_object_get(o, "behavior"));
    *out = otherwise;
    if (!s)
        return GG_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(s, names[i])) {
            *out = (gg__behaviour)i;
            return GG_OK;
        }
    return unsupported(t, "split behavior", s);
}

static gg_status prepend_of(gg__prepend *out, gg_tokenizer *t, const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "prepend_scheme"));
    *out = flag_of(o, "add_prefix_space", true) ? GG__ALWAYS : GG__NEVER;
    if (!s || !strcmp(s, "always"))
        *out = s ? GG__ALWAYS : *out;
    else if (!strcmp(s, "first"))
        *out = GG__FIRST;
    else if (!strcmp(s, "never"))
        *out = GG__NEVER;
    else
        return unsupported(t, "prepend_scheme", s);
    return GG_OK;
}

static gg_status replacement_of(char **out, size_t *n_out, gg_tokenizer *t, const json_t *o)
{
    size_t n;
    const char *s = text_of(o, "replacement", &n);
    return copy(out, n_out, t, s ? s : GG__METASPACE, s ? n : 3);
}

/* *bytes: ByteLevel has come by. Its mapping is a step of its own only if another step follows; otherwise the model maps. */
static gg_status read_pre(gg_tokenizer *t, const json_t *o, bool *bytes, int depth)
{
    const char *type = type_of(o), *s;
    gg__pre *p = NULL;
    gg__behaviour how;
    size_t n;
    if (!o || json_is_null(o))
        return GG_OK;
    if (!type || depth > 8)
        return unsupported(t, "pre_tokenizer", type);
    if (!strcmp(type, "Sequence")) {
        size_t i;
        json_t *each;
        json_array_foreach(json_object_get(o, "pretokenizers"), i, each)
            GG_TRY(read_pre(t, each, bytes, depth + 1));
        return GG_OK;
    }
    if (*bytes) {
        *bytes = false;
        GG_TRY(gg__pre_add(t, &p));
        *p = (gg__pre){.kind = GG__PRE_BYTES};
    }
    if (!strcmp(type, "ByteLevel")) {
        if (flag_of(o, "add_prefix_space", true)) {
            GG_TRY(gg__pre_add(t, &p));
            *p = (gg__pre){.kind = GG__PRE_PREFIX};
            GG_TRY(copy(&p->text, &p->n_text, t, " ", 1));
        }
        if (flag_of(o, "use_regex", true))
            GG_TRY(gg__pre_named(t, "gpt-2"));
        *bytes = true;
        return GG_OK;
    }
    if (!strcmp(type, "Split")) {
        bool regex;
        GG_TRY(pattern_of(t, o, &s, &n, &regex));
        GG_TRY(behaviour_of(&how, t, o, GG__ISOLATED));
        GG_TRY(gg__pre_add(t, &p));
        *p = (gg__pre){.kind = regex ? GG__PRE_REGEX : GG__PRE_LITERAL, .how = how, .invert = flag_of(o, "invert", false)};
        GG_TRY(copy(&p->text, &p->n_text, t, s, n));
        return regex ? gg__regex_compile(&p->code, t, s, n) : GG_OK;
    }
    if (!strcmp(type, "CharDelimiterSplit")) {
        s = text_of(o, "delimiter", &n);
        GG_TRY(gg__pre_add(t, &p));
        *p = (gg__pre){.kind = GG__PRE_LITERAL, .how = GG__REMOVED};
        return copy(&p->text, &p->n_text, t, s, n);
    }
    if (!strcmp(type, "Metaspace")) {
        gg__prepend prepend;
        GG_TRY(prepend_of(&prepend, t, o));
        GG_TRY(gg__pre_add(t, &p));
        *p = (gg__pre){.kind = GG__PRE_METASPACE, .prepend = prepend, .split = flag_of(o, "split", true)};
        return replacement_of(&p->text, &p->n_text, t, o);
    }
    if (!strcmp(type, "Digits"))
        return gg__pre_regex(t, "\\p{N}", flag_of(o, "individual_digits", false) ? GG__ISOLATED : GG__CONTIGUOUS, false);
    if (!strcmp(type, "Punctuation")) {
        GG_TRY(behaviour_of(&how, t, o, GG__ISOLATED));
        return gg__pre_punctuation(t, how);
    }
    if (!strcmp(type, "Whitespace"))
        return gg__pre_regex(t, "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}]+|[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}\\s]+",
                             GG__REMOVED, true);
    if (!strcmp(type, "WhitespaceSplit"))
        return gg__pre_regex(t, "\\s+", GG__REMOVED, false);
    if (!strcmp(type, "BertPreTokenizer"))
        return gg__bert_pre_tokenizer(t);
    return unsupported(t, "pre_tokenizer", type);
}

/* ---- post-processors: which tokens stand around a text ---- */

static gg_status put_around(gg_tokenizer *t, const int32_t *id, int64_t n, bool front)
{
    int32_t **list = front ? &t->before : &t->after;
    int64_t *have = front ? &t->n_before : &t->n_after;
    int32_t *p = gg_renew(t->ctx, *list, int32_t, *have + n);
    TRY_NEW(p);
    *list = p;
    if (front) { /* a later processor stands outside */
        memmove(p + n, p, (size_t)*have * sizeof *p);
        memcpy(p, id, (size_t)n * sizeof *p);
    } else
        memcpy(p + *have, id, (size_t)n * sizeof *p);
    *have += n;
    return GG_OK;
}

static gg_status check_id(gg_tokenizer *t, const json_t *v, int32_t *out)
{
    const json_int_t id = json_integer_value(v);
    if (!json_is_integer(v) || id < 0 || id >= t->vocab.n)
        return gg_fail(t->ctx, GG_EFORMAT, "the post_processor names the token id %lld; the vocabulary has ids 0 to %lld", (long long)id,
                       (long long)t->vocab.n - 1);
    *out = (int32_t)id;
    return GG_OK;
}

static gg_status read_template(gg_tokenizer *t, const json_t *o)
{
    const json_t *table = json_object_get(o, "special_tokens");
    int32_t front[16], back[16];
    int64_t n_front = 0, n_back = 0;
    bool seen = false;
    size_t i, k;
    json_t *each, *v;
    json_array_foreach(json_object_get(o, "single"), i, each) {
        const json_t *special = json_object_get(each, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        if (!special) {
            if (!json_object_get(each, "Sequence") || seen)
                return unsupported(t, "post_processor template", "other than special tokens around one text");
            seen = true;
            continue;
        }
        const json_t *ids = json_object_get(json_object_get(table, name ? name : ""), "ids");
        if (!json_is_array(ids))
            return gg_fail(t->ctx, GG_EFORMAT, "the post_processor's template names '%s', which its special_tokens do not have", name ? name : "");
        json_array_foreach(ids, k, v) {
            if (n_front == 16 || n_back == 16)
                return unsupported(t, "post_processor template", "of more than 16 special tokens");
            GG_TRY(check_id(t, v, seen ? back + n_back : front + n_front));
            *(seen ? &n_back : &n_front) += 1;
        }
    }
    if (!seen)
        return gg_fail(t->ctx, GG_EFORMAT, "the post_processor's template has no place for the text");
    GG_TRY(put_around(t, front, n_front, true));
    return put_around(t, back, n_back, false);
}

static gg_status read_post(gg_tokenizer *t, const json_t *o, int depth)
{
    const char *type = type_of(o);
    if (!o || json_is_null(o))
        return GG_OK;
    if (!type || depth > 8)
        return unsupported(t, "post_processor", type);
    if (!strcmp(type, "Sequence")) {
        size_t i;
        json_t *each;
        json_array_foreach(json_object_get(o, "processors"), i, each)
            GG_TRY(read_post(t, each, depth + 1));
        return GG_OK;
    }
    if (!strcmp(type, "ByteLevel"))
        return GG_OK;
    if (!strcmp(type, "TemplateProcessing"))
        return read_template(t, o);
    if (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing")) {
        int32_t cls, sep;
        GG_TRY(check_id(t, json_array_get(json_object_get(o, "cls"), 1), &cls));
        GG_TRY(check_id(t, json_array_get(json_object_get(o, "sep"), 1), &sep));
        GG_TRY(put_around(t, &cls, 1, true));
        return put_around(t, &sep, 1, false);
    }
    return unsupported(t, "post_processor", type);
}

/* ---- decoders ---- */

static gg_status read_decoder(gg_tokenizer *t, const json_t *o, int depth)
{
    const char *type = type_of(o), *s;
    gg__dec *d = NULL;
    size_t n;
    if (!type || depth > 8)
        return unsupported(t, "decoder", type);
    if (!strcmp(type, "Sequence")) {
        size_t i;
        json_t *each;
        json_array_foreach(json_object_get(o, "decoders"), i, each)
            GG_TRY(read_decoder(t, each, depth + 1));
        return GG_OK;
    }
    GG_TRY(gg__dec_add(t, &d));
    *d = (gg__dec){0};
    if (!strcmp(type, "ByteLevel"))
        d->kind = GG__DEC_BYTES;
    else if (!strcmp(type, "ByteFallback"))
        d->kind = GG__DEC_BYTE_FALLBACK;
    else if (!strcmp(type, "Fuse"))
        d->kind = GG__DEC_FUSE;
    else if (!strcmp(type, "Metaspace")) {
        gg__prepend prepend;
        d->kind = GG__DEC_METASPACE;
        GG_TRY(prepend_of(&prepend, t, o));
        d->flag = prepend != GG__NEVER;
        return replacement_of(&d->from, &d->n_from, t, o);
    } else if (!strcmp(type, "WordPiece")) {
        d->kind = GG__DEC_WORDPIECE;
        d->flag = flag_of(o, "cleanup", true);
        s = text_of(o, "prefix", &n);
        return copy(&d->from, &d->n_from, t, s ? s : "##", s ? n : 2);
    } else if (!strcmp(type, "BPEDecoder")) {
        d->kind = GG__DEC_SUFFIX;
        s = text_of(o, "suffix", &n);
        return copy(&d->from, &d->n_from, t, s ? s : "</w>", s ? n : 4);
    } else if (!strcmp(type, "Strip")) {
        d->kind = GG__DEC_STRIP;
        d->start = json_integer_value(json_object_get(o, "start"));
        d->stop = json_integer_value(json_object_get(o, "stop"));
        s = text_of(o, "content", &n);
        return copy(&d->from, &d->n_from, t, s, n);
    } else if (!strcmp(type, "Replace")) {
        bool regex;
        size_t m;
        const char *content = text_of(o, "content", &m);
        d->kind = GG__DEC_REPLACE;
        GG_TRY(pattern_of(t, o, &s, &n, &regex));
        if (regex)
            return unsupported(t, "decoder", "Replace with a regular expression");
        GG_TRY(copy(&d->from, &d->n_from, t, s, n));
        return copy(&d->to, &d->n_to, t, content, m);
    } else
        return unsupported(t, "decoder", type);
    return GG_OK;
}

/* ---- vocabulary ---- */

/* Texts by id: the model's, then the added tokens. */
static gg_status build_vocab(gg_tokenizer *t, const json_t *vocab, const json_t *added, bool pairs)
{
    int64_t n = 0, count = 0;
    size_t i;
    const char *key;
    json_t *v;
    if (pairs)
        n = count = (int64_t)json_array_size(vocab);
    else
        json_object_foreach((json_t *)(uintptr_t)vocab, key, v) {
            const json_int_t id = json_integer_value(v);
            if (!json_is_integer(v) || id < 0 || id > INT32_MAX - 2)
                return gg_fail(t->ctx, GG_EFORMAT, "the token '%.80s' has no id between 0 and 2^31 - 3", key);
            n = id >= n ? id + 1 : n;
            count++;
        }
    json_array_foreach(added, i, v) {
        const json_int_t id = json_integer_value(json_object_get(v, "id"));
        if (!json_is_string(json_object_get(v, "content")) || !json_is_integer(json_object_get(v, "id")) || id < 0 || id > INT32_MAX - 2)
            return gg_fail(t->ctx, GG_EFORMAT, "added token %zu has no content, or no id between 0 and 2^31 - 3", i);
        n = id >= n ? id + 1 : n;
        count++;
    }
    if (n > 64 * count + 1024)
        return gg_fail(t->ctx, GG_EFORMAT, "the largest token id is %lld, but there are only %lld tokens", (long long)n - 1, (long long)count);
    const char **text = gg_new(t->ctx, const char *, n);
    size_t *len = gg_new(t->ctx, size_t, n);
    t->type = gg_new(t->ctx, uint8_t, n);
    gg_status s = text && len && t->type ? GG_OK : GG_ENOMEM;
    if (s == GG_OK) {
        memset(t->type, GG__TYPE_NORMAL, (size_t)n);
        if (pairs) {
            json_array_foreach(vocab, i, v) {
                const json_t *w = json_array_get(v, 0);
                text[i] = json_string_value(w);
                len[i] = json_string_length(w);
                if (!text[i] && s == GG_OK)
                    s = gg_fail(t->ctx, GG_EFORMAT, "vocabulary entry %zu is not [text, score]", i);
            }
        } else {
            void *it;
            for (it = json_object_iter((json_t *)(uintptr_t)vocab); it; it = json_object_iter_next((json_t *)(uintptr_t)vocab, it)) {
                const json_int_t id = json_integer_value(json_object_iter_value(it));
                text[id] = json_object_iter_key(it);
                len[id] = json_object_iter_key_len(it);
            }
        }
        json_array_foreach(added, i, v) {
            const json_int_t id = json_integer_value(json_object_get(v, "id"));
            const json_t *w = json_object_get(v, "content");
            text[id] = json_string_value(w);
            len[id] = json_string_length(w);
            t->type[id] = flag_of(v, "special", false) ? GG__TYPE_CONTROL : GG__TYPE_USER;
        }
    }
    if (s == GG_OK)
        s = gg__vocab_build(&t->vocab, t->ctx, text, len, n);
    gg_drop(t->ctx, text);
    gg_drop(t->ctx, len);
    return s;
}

/* The texts of added tokens; those that are matched in normalized text are normalized themselves. After the normalizers. */
static gg_status read_added(gg_tokenizer *t, const json_t *added)
{
    gg__encoder e = {.t = t, .ctx = t->ctx};
    gg_status s = (e.match = pcre2_match_data_create(1, t->pcre_memory)) ? GG_OK : GG_ENOMEM;
    size_t i;
    json_t *v;
    json_array_foreach(added, i, v) {
        const json_t *w = json_object_get(v, "content");
        const char *text = json_string_value(w);
        gg__added a = {.n = json_string_length(w), .id = (int32_t)json_integer_value(json_object_get(v, "id")), .special = flag_of(v, "special", false),
                       .normalized = flag_of(v, "normalized", true), .lstrip = flag_of(v, "lstrip", false), .rstrip = flag_of(v, "rstrip", false),
                       .single_word = flag_of(v, "single_word", false)};
        if (s == GG_OK && a.normalized && t->n_norm)
            s = gg__normalize(&e, &text, &a.n, text, a.n, false);
        a.text = (char *)(uintptr_t)text;
        if (s == GG_OK && a.n)
            s = gg__added_add(t, &a);
    }
    gg__encoder_free(&e);
    return s;
}

/* ---- models ---- */

static gg_status unknown_of(gg_tokenizer *t, const json_t *m)
{
    size_t n;
    const char *s = text_of(m, "unk_token", &n);
    if (!s)
        return GG_OK;
    t->unk = gg__vocab_find(&t->vocab, s, n);
    return t->unk >= 0 ? GG_OK : gg_fail(t->ctx, GG_EFORMAT, "the unk_token '%.*s' is not in the vocabulary", n > 80 ? 80 : (int)n, s);
}

static int32_t last_char(const char *s, size_t n)
{
    int k;
    while (n && ((unsigned char)s[n - 1] & 0xC0) == 0x80)
        n--;
    return n ? gg__utf8_get(s + n - 1, &k) : -1;
}

static gg_status read_merges(gg_tokenizer *t, const json_t *merges)
{
    const size_t n = json_array_size(merges);
    GG_TRY(gg__pairs_alloc(t, (int64_t)n));
    const bool cuts = !t->n_word_prefix && !t->n_word_suffix;
    if (cuts)
        GG_TRY(gg__bigrams_alloc(t, (int64_t)n));
    gg_str whole = {.ctx = t->ctx};
    gg_status st = GG_OK;
    bool bytes_merge = false;
    for (size_t i = 0; i < n && st == GG_OK; i++) {
        const json_t *m = json_array_get(merges, i);
        const char *a, *b;
        size_t na, nb;
        if (json_is_array(m)) {
            a = json_string_value(json_array_get(m, 0));
            na = json_string_length(json_array_get(m, 0));
            b = json_string_value(json_array_get(m, 1));
            nb = json_string_length(json_array_get(m, 1));
        } else {
            a = json_string_value(m);
            const char *space = a ? memchr(a, ' ', json_string_length(m)) : NULL;
            b = space ? space + 1 : NULL;
            na = space ? (size_t)(space - a) : 0;
            nb = space ? json_string_length(m) - na - 1 : 0;
        }
        if (!a || !b || !na || nb <= t->n_word_prefix) {
            st = gg_fail(t->ctx, GG_EFORMAT, "merge %zu is not two texts", i);
            break;
        }
        whole.len = 0;
        gg_str_add(&whole, a, na);
        gg_str_add(&whole, b + t->n_word_prefix, nb - t->n_word_prefix);
        if (whole.failed) {
            st = GG_ENOMEM;
            break;
        }
        const int32_t left = gg__vocab_find(&t->vocab, a, na), right = gg__vocab_find(&t->vocab, b, nb);
        const int32_t both = gg__vocab_find(&t->vocab, whole.data, whole.len);
        if (left < 0 || right < 0 || both < 0) {
            st = gg_fail(t->ctx, GG_EFORMAT, "merge %zu '%.*s' '%.*s': %s is not in the vocabulary", i, na > 80 ? 80 : (int)na, a, nb > 80 ? 80 : (int)nb, b,
                         left < 0 ? "its left side" : right < 0 ? "its right side" : "what it gives");
            break;
        }
        st = gg__pairs_add(t, left, right, (uint32_t)i, both, true);
        if (cuts) {
            int k;
            gg__bigrams_add(t, last_char(a, na), gg__utf8_get(b, &k));
            bytes_merge = bytes_merge || gg__byte_of(a, na) >= 0 || gg__byte_of(b, nb) >= 0;
        }
    }
    gg_str_free(&whole);
    if (bytes_merge && t->byte_fallback) { /* then characters say nothing about what may join */
        gg_drop(t->ctx, t->bigram);
        t->bigram = NULL;
    }
    return st;
}

static gg_status read_bpe(gg_tokenizer *t, const json_t *m, bool bytes)
{
    const json_t *dropout = json_object_get(m, "dropout");
    size_t n;
    if (json_is_number(dropout) && json_number_value(dropout) > 0)
        return unsupported(t, "BPE model option", "dropout");
    const char *s = text_of(m, "continuing_subword_prefix", &n);
    GG_TRY(copy(&t->word_prefix, &t->n_word_prefix, t, s, n));
    s = text_of(m, "end_of_word_suffix", &n);
    GG_TRY(copy(&t->word_suffix, &t->n_word_suffix, t, s, n));
    if (t->n_word_prefix > 32 || t->n_word_suffix > 32)
        return unsupported(t, "BPE model option", "a word prefix or suffix of more than 32 bytes");
    t->byte_fallback = flag_of(m, "byte_fallback", false);
    t->fuse_unk = flag_of(m, "fuse_unk", false);
    t->ignore_merges = flag_of(m, "ignore_merges", false);
    GG_TRY(unknown_of(t, m));
    t->model = bytes && !t->byte_fallback && !t->n_word_prefix && !t->n_word_suffix ? GG__BPE_BYTES : GG__BPE_CHARS;
    if (t->model == GG__BPE_BYTES)
        for (int b = 0; b < 256; b++) {
            char c[4];
            t->byte_id[b] = gg__vocab_find(&t->vocab, c, (size_t)gg__utf8_put(c, gg__byte_char((uint8_t)b)));
        }
    else {
        gg__find_bytes(t);
        if (bytes) {
            gg__pre *p = NULL;
            GG_TRY(gg__pre_add(t, &p));
            *p = (gg__pre){.kind = GG__PRE_BYTES};
        }
    }
    GG_TRY(read_merges(t, json_object_get(m, "merges")));
    snprintf(t->kind, sizeof t->kind, "bpe");
    return GG_OK;
}

static gg_status read_unigram(gg_tokenizer *t, const json_t *m)
{
    const json_t *vocab = json_object_get(m, "vocab"), *unk = json_object_get(m, "unk_id");
    const size_t n = json_array_size(vocab);
    t->model = GG__UNIGRAM;
    t->fuse_unk = true;
    t->byte_fallback = flag_of(m, "byte_fallback", false);
    TRY_NEW(t->score = gg_new(t->ctx, double, t->vocab.n));
    for (size_t i = 0; i < n; i++) {
        const json_t *score = json_array_get(json_array_get(vocab, i), 1);
        if (!json_is_number(score))
            return gg_fail(t->ctx, GG_EFORMAT, "vocabulary entry %zu is not [text, score]", i);
        t->score[i] = json_number_value(score);
    }
    if (json_is_integer(unk)) {
        if (json_integer_value(unk) < 0 || json_integer_value(unk) >= (json_int_t)n)
            return gg_fail(t->ctx, GG_EFORMAT, "the unk_id %lld is not in the vocabulary", (long long)json_integer_value(unk));
        t->unk = (int32_t)json_integer_value(unk);
    }
    gg__find_bytes(t);
    snprintf(t->kind, sizeof t->kind, "unigram");
    return gg__unigram_prepare(t, (int64_t)n);
}

static gg_status read_wordpiece(gg_tokenizer *t, const json_t *m)
{
    size_t n;
    const char *s = text_of(m, "continuing_subword_prefix", &n);
    t->model = GG__WORDPIECE;
    GG_TRY(unknown_of(t, m));
    if (json_is_integer(json_object_get(m, "max_input_chars_per_word")))
        t->max_word = json_integer_value(json_object_get(m, "max_input_chars_per_word"));
    TRY_NEW(t->start_mark = gg_strdup(t->ctx, ""));
    TRY_NEW(t->inner_mark = gg_strndup(t->ctx, s ? s : "##", s ? n : 2));
    snprintf(t->kind, sizeof t->kind, "wordpiece");
    return GG_OK;
}

/* ---- the whole ---- */

#define END "<|endoftext|>"

/* Which tokens begin and end a text is said in tokenizer_config.json, if it is there; else what the post-processor puts around; and <|endoftext|>, if it
 * is a special token, ends a text where nothing is said. */
static int32_t named_token(gg_tokenizer *t, const json_t *config, const char *key)
{
    const json_t *v = json_object_get(config, key);
    if (json_is_object(v))
        v = json_object_get(v, "content");
    return json_is_string(v) ? gg__vocab_find(&t->vocab, json_string_value(v), json_string_length(v)) : -1;
}

static gg_status find_ends(gg_tokenizer *t, const char *path)
{
    const char *slash = strrchr(path, '/');
    gg_str beside = {.ctx = t->ctx};
    gg_str_printf(&beside, "%.*stokenizer_config.json", slash ? (int)(slash - path) + 1 : 0, path);
    gg_status s = beside.failed ? GG_ENOMEM : GG_OK;
    gg_map map = {0};
    if (s == GG_OK && gg_file_exists(beside.data) && (s = gg_map_open(&map, t->ctx, beside.data)) == GG_OK) {
        json_t *config = NULL;
        if ((s = gg_json_vocabulary(&config, t->ctx, (const char *)map.data, map.size, beside.data)) == GG_OK) {
            t->bos = named_token(t, config, "bos_token");
            t->eos = named_token(t, config, "eos_token");
        }
        json_decref(config);
        gg_map_close(&map);
    }
    gg_str_free(&beside);
    if (t->bos < 0 && t->n_before)
        t->bos = t->before[0];
    if (t->eos < 0 && t->n_after)
        t->eos = t->after[0];
    const int32_t end = gg__vocab_find(&t->vocab, END, strlen(END));
    if (t->eos < 0 && end >= 0 && t->type[end] == GG__TYPE_CONTROL)
        t->eos = end;
    return s;
}

static gg_status read_all(gg_tokenizer *t, const json_t *root)
{
    const json_t *m = json_object_get(root, "model"), *added = json_object_get(root, "added_tokens"), *decoder = json_object_get(root, "decoder");
    const json_t *vocab = json_object_get(m, "vocab");
    const char *type = type_of(m);
    if (!json_is_object(m) || !vocab)
        return gg_fail(t->ctx, GG_EFORMAT, "no model with a vocab: not a tokenizer.json");
    if (!type) /* files of old versions do not say it */
        type = json_object_get(m, "merges") ? "BPE" : json_is_array(vocab) ? "Unigram" : json_object_get(m, "max_input_chars_per_word") ? "WordPiece" : NULL;
    const bool bpe = type && !strcmp(type, "BPE"), unigram = type && !strcmp(type, "Unigram"), wordpiece = type && !strcmp(type, "WordPiece");
    if (!bpe && !unigram && !wordpiece)
        return unsupported(t, "tokenizer model", type);
    if (unigram ? !json_is_array(vocab) : !json_is_object(vocab))
        return gg_fail(t->ctx, GG_EFORMAT, "the vocab of a %s model must be %s", type, unigram ? "a list" : "an object");
    GG_TRY(build_vocab(t, vocab, added, unigram));
    GG_TRY(read_normalizer(t, json_object_get(root, "normalizer"), 0));
    GG_TRY(read_added(t, added));
    bool bytes = false;
    GG_TRY(read_pre(t, json_object_get(root, "pre_tokenizer"), &bytes, 0));
    if (bytes && !bpe) {
        gg__pre *p = NULL;
        GG_TRY(gg__pre_add(t, &p));
        *p = (gg__pre){.kind = GG__PRE_BYTES};
    }
    GG_TRY(bpe ? read_bpe(t, m, bytes) : unigram ? read_unigram(t, m) : read_wordpiece(t, m));
    GG_TRY(read_post(t, json_object_get(root, "post_processor"), 0));
    if (decoder && !json_is_null(decoder))
        return read_decoder(t, decoder, 0);
    gg__dec *d = NULL;
    GG_TRY(gg__dec_add(t, &d));
    *d = (gg__dec){.kind = GG__DEC_SPACES};
    return GG_OK;
}

gg_status gg__tokenizer_from_json(gg_tokenizer *t, const char *path)
{
    gg_map map = {0};
    json_t *root = NULL;
    GG_TRY(gg_map_open(&map, t->ctx, path));
    gg_status s = gg_json_vocabulary(&root, t->ctx, (const char *)map.data, map.size, path);
    gg_map_close(&map);
    GG_TRY(s);
    s = read_all(t, root);
    json_decref(root);
    if (s != GG_OK)
        return gg_fail_prefix(t->ctx, s, "%s", path);
    return find_ends(t, path);
}
