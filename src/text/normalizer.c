/* Normalizers: rewrite a text before it is cut. Owns: Unicode normal forms (through utf8proc), BERT's cleaning, SentencePiece's character map.
 *
 * When the text goes on (open) a step gives only what no continuation changes: a normal form ends before the last character that
 * can neither combine with what stands before it nor move, a replacement keeps back what might be half of its pattern.
 *
 * Traps: BERT strips the nonspacing marks, StripAccents all marks; the canonical ordering of a hostile run of combining marks is quadratic when
 * sorted by exchanges, so long runs are sorted by counting. tokenizer.json's Precompiled looks a whole grapheme up and takes the shortest entry,
 * SentencePiece itself the longest at each character: two rules for one table. */
#include "text/text.h"
#include "base/utf8.h"
#include <utf8proc.h>

enum { CHUNK = 1 << 16 };

gg_status gg__norm_add(gg_tokenizer *t, gg__norm **out)
{
    if (t->n_norm == INT32_MAX)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "too many normalizers");
    gg__norm *p = gg_renew(t->ctx, t->norm, gg__norm, t->n_norm + 1);
    if (!p)
        return GG_ENOMEM;
    t->norm = p;
    *out = p + t->n_norm++;
    **out = (gg__norm){0};
    return GG_OK;
}

bool gg__norm_streams(const gg_tokenizer *t)
{
    for (int i = 0; i < t->n_norm; i++)
        if (t->norm[i].kind == GG__NORM_REGEX || (t->norm[i].kind == GG__NORM_CHARSMAP && !t->norm[i].longest))
            return false;
    return true;
}

gg_status gg__bert_normalizer(gg_tokenizer *t, bool clean, bool cjk, bool strip_accents, bool lower)
{
    gg__norm *p = NULL;
    if (clean) {
        GG_TRY(gg__norm_add(t, &p));
        p->kind = GG__NORM_BERT_CLEAN;
    }
    if (cjk) {
        GG_TRY(gg__norm_add(t, &p));
        p->kind = GG__NORM_BERT_CJK;
    }
    if (strip_accents) {
        GG_TRY(gg__norm_add(t, &p));
        p->kind = GG__NORM_FORM;
        GG_TRY(gg__norm_add(t, &p));
        p->kind = GG__NORM_STRIP_NONSPACING;
    }
    if (lower) {
        GG_TRY(gg__norm_add(t, &p));
        p->kind = GG__NORM_LOWER;
    }
    return GG_OK;
}

/* ---- normal forms ---- */

static bool is_ascii(const char *s, size_t n)
{
    uint64_t w, any = 0;
    for (; n >= 8; s += 8, n -= 8) {
        memcpy(&w, s, 8);
        any |= w;
    }
    for (; n; s++, n--)
        any |= (uint64_t)(unsigned char)*s;
    return !(any & 0x8080808080808080u);
}

/* Nothing before such a character is changed by it or by what follows. */
static bool is_boundary(int32_t c)
{
    if (c < 0x300)
        return true;
    if ((c >= 0x1160 && c <= 0x11FF) || (c >= 0x16D60 && c <= 0x16D6F)) /* vowels that compose with the letter before */
        return false;
    const utf8proc_property_t *p = utf8proc_get_property(c);
    return p->combining_class == 0 && p->category != UTF8PROC_CATEGORY_MN && p->category != UTF8PROC_CATEGORY_MC && p->category != UTF8PROC_CATEGORY_ME &&
           p->category != UTF8PROC_CATEGORY_CN && p->decomp_type == 0 && p->decomp_seqindex == UINT16_MAX;
}

/* The begin of the last boundary character: everything before it is settled. 0: none. */
static size_t settled(const char *s, size_t n)
{
    while (n) {
        int k;
        do
            n--;
        while (n && ((unsigned char)s[n] & 0xC0) == 0x80);
        if (is_boundary(gg__utf8_get(s + n, &k)))
            return n;
    }
    return 0;
}

static void order_marks(int32_t *c, int64_t n, int32_t *spare)
{
    if (n <= 24) {
        for (int64_t i = 1; i < n; i++) {
            const int32_t x = c[i];
            const utf8proc_propval_t k = utf8proc_get_property(x)->combining_class;
            int64_t j = i;
            for (; j && utf8proc_get_property(c[j - 1])->combining_class > k; j--)
                c[j] = c[j - 1];
            c[j] = x;
        }
        return;
    }
    int64_t at[257] = {0};
    for (int64_t i = 0; i < n; i++)
        at[utf8proc_get_property(c[i])->combining_class + 1]++;
    for (int i = 0; i < 256; i++)
        at[i + 1] += at[i];
    for (int64_t i = 0; i < n; i++)
        spare[at[utf8proc_get_property(c[i])->combining_class]++] = c[i];
    memcpy(c, spare, (size_t)n * sizeof *c);
}

/* One chunk with settled ends. */
static gg_status form_chunk(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n)
{
    if (is_ascii(s, n))
        return gg__buffer_add(e, out, s, n);
    const int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (f->compat ? UTF8PROC_COMPAT : 0);
    int64_t m = 0;
    int k, last_class = 0;
    for (size_t i = 0; i < n; i += (size_t)k) {
        const int32_t c = gg__utf8_get(s + i, &k);
        if (e->cap_point < 2 * (m + 32)) {
            const int64_t cap = 4 * (m + 256);
            int32_t *p = gg_renew(e->ctx, e->point, int32_t, cap);
            if (!p)
                return GG_ENOMEM;
            e->point = p;
            e->cap_point = cap;
        }
        const utf8proc_ssize_t got = utf8proc_decompose_char(c, e->point + m, 24, (utf8proc_option_t)options, &last_class);
        if (got < 0 || got > 24) /* no decomposition is longer than 18 */
            e->point[m++] = c;
        else
            m += got;
    }
    for (int64_t i = 0; i < m;) { /* canonical order */
        int64_t j = i;
        while (j < m && utf8proc_get_property(e->point[j])->combining_class)
            j++;
        if (j - i > 1)
            order_marks(e->point + i, j - i, e->point + m);
        i = j + (j == i);
    }
    if (f->compose) {
        const utf8proc_ssize_t got = utf8proc_normalize_utf32(e->point, m, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        m = got < 0 ? m : got;
    }
    for (int64_t i = 0; i < m; i++) {
        char c[4];
        GG_TRY(gg__buffer_add(e, out, c, (size_t)gg__utf8_put(c, e->point[i])));
    }
    return GG_OK;
}

static gg_status form(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n, bool open)
{
    if (open)
        n = settled(s, n);
    size_t chunk = CHUNK;
    for (size_t at = 0; at < n;) {
        size_t len = n - at;
        if (len > chunk) {
            len = chunk;
            while (len && ((unsigned char)s[at + len] & 0xC0) == 0x80)
                len--;
            len = settled(s + at, len);
            if (!len) {
                chunk *= 2;
                continue;
            }
        }
        GG_TRY(form_chunk(e, out, f, s + at, len));
        at += len;
    }
    return GG_OK;
}

/* ---- character by character ---- */

static bool is_other(int32_t c)
{
    const int k = utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CS;
}

static bool is_mark(int32_t c)
{
    const int k = c >= 0x300 ? (int)utf8proc_category(c) : 0;
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

static bool is_cjk(int32_t c) /* BERT's list of blocks */
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static int32_t nmt(int32_t c) /* -1: dropped */
{
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
        return -1;
    if (c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
        c == 0xFEFF || c == 0xFFFD)
        return ' ';
    return c;
}

static gg_status characters(gg__encoder *e, gg__buffer *out, gg__norm_kind kind, const char *s, size_t n)
{
    int k;
    for (size_t i = 0; i < n; i += (size_t)k) {
        int32_t c = gg__utf8_get(s + i, &k);
        char w[8];
        size_t len = 0;
        switch (kind) {
        case GG__NORM_LOWER:
            if (c == 0x130) { /* the one letter whose lower case is two characters */
                len = (size_t)gg__utf8_put(w, 'i');
                c = 0x307;
            } else
                c = c < 0x80 ? (c >= 'A' && c <= 'Z' ? c + 32 : c) : utf8proc_tolower(c);
            break;
        case GG__NORM_STRIP_MARKS: c = is_mark(c) ? -1 : c; break;
        case GG__NORM_STRIP_NONSPACING: c = c >= 0x300 && utf8proc_category(c) == UTF8PROC_CATEGORY_MN ? -1 : c; break;
        case GG__NORM_BERT_CLEAN:
            if (gg__is_space(c) && c != 0x85 && c != 0xB && c != 0xC) /* tab and line ends are spaces, other control characters go */
                c = ' ';
            else if (c == 0 || c == 0xFFFD || is_other(c))
                c = -1;
            break;
        case GG__NORM_BERT_CJK:
            if (is_cjk(c)) {
                w[len++] = ' ';
                len += (size_t)gg__utf8_put(w + len, c);
                c = ' ';
            }
            break;
        case GG__NORM_NMT: c = nmt(c); break;
        default: break;
        }
        if (c >= 0)
            len += (size_t)gg__utf8_put(w + len, c);
        GG_TRY(gg__buffer_add(e, out, w, len));
    }
    return GG_OK;
}

/* ---- replacing ---- */

static gg_status replace(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n, bool open)
{
    size_t at = 0;
    for (const char *hit; (hit = memmem(s + at, n - at, f->from, f->n_from)); at = (size_t)(hit - s) + f->n_from) {
        GG_TRY(gg__buffer_add(e, out, s + at, (size_t)(hit - s) - at));
        GG_TRY(gg__buffer_add(e, out, f->to, f->n_to));
    }
    size_t end = n;
    if (open && f->n_from > 1) {
        end = n - at >= f->n_from ? n - f->n_from + 1 : at;
        while (end > at && end < n && ((unsigned char)s[end] & 0xC0) == 0x80)
            end--;
    }
    return gg__buffer_add(e, out, s + at, end - at);
}

static gg_status replace_regex(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n)
{
    size_t gap = 0, at = 0;
    bool matched = false;
    while (at <= n) {
        const int rc = gg__regex_match(e, f->code, s, n, at, false);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return gg_fail(e->ctx, rc == PCRE2_ERROR_NOMEMORY ? GG_ENOMEM : GG_EUNSUPPORTED,
                           "the normalizer's regular expression gave up (PCRE2 error %d)", rc);
        const PCRE2_SIZE *v = pcre2_get_ovector_pointer(e->match);
        const size_t a = v[0], b = v[1] > v[0] ? v[1] : v[0];
        at = b > a ? b : b + (b < n ? (size_t)gg__utf8_len((unsigned char)s[b]) : 1);
        if (b == a && matched && a == gap) /* an empty match right behind another one is none */
            continue;
        GG_TRY(gg__buffer_add(e, out, s + gap, a - gap));
        GG_TRY(gg__buffer_add(e, out, f->to, f->n_to));
        gap = b;
        matched = true;
    }
    return gg__buffer_add(e, out, s + gap, n - gap);
}

static void strip(const char **s, size_t *n, bool left, bool right)
{
    int k;
    while (left && *n && gg__is_space(gg__utf8_get(*s, &k))) {
        *s += k;
        *n -= (size_t)k;
    }
    while (right && *n) {
        size_t at = *n;
        do
            at--;
        while (at && ((unsigned char)(*s)[at] & 0xC0) == 0x80);
        if (!gg__is_space(gg__utf8_get(*s + at, &k)))
            break;
        *n = at;
    }
}

/* ---- SentencePiece ---- */

/* The table: length of a double array (bytes, little-endian), the array (Darts: Yata 2008), then NUL-terminated replacements. */
gg_status gg__norm_charsmap(gg_tokenizer *t, const void *data, size_t n, bool longest)
{
    const uint8_t *p = data;
    gg__norm *f = NULL;
    const size_t bytes = n >= 4 ? (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24 : 0;
    if (!n)
        return GG_OK;
    if (bytes < 4 || bytes % 4 || bytes > n - 4)
        return gg_fail(t->ctx, GG_EFORMAT, "the normalizer's character map has %zu bytes and names a table of %zu", n, bytes);
    GG_TRY(gg__norm_add(t, &f));
    f->kind = GG__NORM_CHARSMAP;
    f->longest = longest;
    f->n_trie = (int64_t)(bytes / 4);
    f->trie = gg_new(t->ctx, uint32_t, f->n_trie);
    f->n_to = n - 4 - bytes;
    f->to = gg_alloc(t->ctx, f->n_to + 1);
    if (!f->trie || !f->to)
        return GG_ENOMEM;
    for (int64_t i = 0; i < f->n_trie; i++, p += 4)
        f->trie[i] = (uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
    memcpy(f->to, p + 4, f->n_to);
    const size_t valid = gg_utf8_valid_prefix(f->to, f->n_to);
    if (valid < f->n_to)
        return gg_fail(t->ctx, GG_EFORMAT, "the replacements of the normalizer's character map are no UTF-8 (byte %zu)", 4 + bytes + valid);
    return GG_OK;
}

/* The replacement of the shortest or the longest entry that s begins with; NULL: none. */
static const char *look_up(const gg__norm *f, const char *s, size_t n, size_t *used)
{
    uint32_t node = 0, unit = f->trie[0];
    const char *found = NULL;
    node ^= unit >> 10 << ((unit & 512) >> 6);
    for (size_t i = 0; i < n && s[i]; i++) {
        const uint32_t c = (uint8_t)s[i];
        node ^= c;
        if (node >= f->n_trie || ((unit = f->trie[node]) & 0x800000FFu) != c)
            break;
        node ^= unit >> 10 << ((unit & 512) >> 6);
        if (unit >> 8 & 1) {
            const uint32_t value = node < f->n_trie ? f->trie[node] & 0x7FFFFFFFu : UINT32_MAX;
            if (value >= f->n_to || ((unsigned char)f->to[value] & 0xC0) == 0x80)
                break;
            if (i + 1 < n && ((unsigned char)s[i + 1] & 0xC0) == 0x80) /* would cut a character */
                continue;
            found = f->to + value;
            *used = i + 1;
            if (!f->longest)
                break;
        }
    }
    return found;
}

static gg_status charsmap(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n, bool open)
{
    size_t used = 0;
    if (f->longest) {
        for (size_t i = 0; i < n;) {
            if (open && n - i < 64) /* an entry might be cut off */
                break;
            const char *to = look_up(f, s + i, n - i, &used);
            if (to)
                GG_TRY(gg__buffer_add(e, out, to, strlen(to)));
            else
                GG_TRY(gg__buffer_add(e, out, s + i, used = (size_t)gg__utf8_len((unsigned char)s[i])));
            i += used;
        }
        return GG_OK;
    }
    for (size_t i = 0; i < n;) {
        int k;
        int32_t state = 0, c = gg__utf8_get(s + i, &k);
        size_t end = i + (size_t)k;
        while (end < n) { /* to the end of the grapheme */
            const int32_t d = gg__utf8_get(s + end, &k);
            if (utf8proc_grapheme_break_stateful(c, d, &state))
                break;
            c = d;
            end += (size_t)k;
        }
        const char *to = end - i < 6 ? look_up(f, s + i, end - i, &used) : NULL;
        if (to) {
            GG_TRY(gg__buffer_add(e, out, to, strlen(to)));
            i = end;
        }
        for (; i < end; i += (size_t)k) {
            k = gg__utf8_len((unsigned char)s[i]);
            to = look_up(f, s + i, (size_t)k, &used);
            GG_TRY(gg__buffer_add(e, out, to ? to : s + i, to ? strlen(to) : (size_t)k));
        }
    }
    return GG_OK;
}

/* Spaces become U+2581; runs become one and those at the ends go when merge; one stands in front of a text when prefix. */
static gg_status sp_spaces(gg__encoder *e, gg__buffer *out, const gg__norm *f, const char *s, size_t n)
{
    bool in_word = false, begun = false;
    if (f->prefix && !f->merge && n)
        GG_TRY(gg__buffer_add(e, out, GG__METASPACE, 3));
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ') {
            in_word = false;
            if (!f->merge)
                GG_TRY(gg__buffer_add(e, out, GG__METASPACE, 3));
            continue;
        }
        if (!in_word) {
            in_word = true;
            if (f->merge && (begun || f->prefix))
                GG_TRY(gg__buffer_add(e, out, GG__METASPACE, 3));
            begun = true;
        }
        GG_TRY(gg__buffer_add(e, out, s + i, 1));
    }
    while (f->merge && out->n >= 3 && !memcmp(out->data + out->n - 3, GG__METASPACE, 3)) /* spelled in the text, it counts as a space there */
        out->n -= 3;
    return GG_OK;
}

gg_status gg__normalize(gg__encoder *e, const char **text, size_t *n_out, const char *s, size_t n, bool open)
{
    const gg_tokenizer *t = e->t;
    for (int i = 0; i < t->n_norm && n; i++) {
        const gg__norm *f = t->norm + i;
        gg__buffer *out = e->norm + (i & 1);
        out->n = 0;
        switch (f->kind) {
        case GG__NORM_FORM: GG_TRY(form(e, out, f, s, n, open)); break;
        case GG__NORM_REPLACE: GG_TRY(replace(e, out, f, s, n, open)); break;
        case GG__NORM_REGEX: GG_TRY(replace_regex(e, out, f, s, n)); break;
        case GG__NORM_CHARSMAP: GG_TRY(charsmap(e, out, f, s, n, open)); break;
        case GG__NORM_SP_SPACES: GG_TRY(sp_spaces(e, out, f, s, n)); break;
        case GG__NORM_PREPEND:
            GG_TRY(gg__buffer_add(e, out, f->to, f->n_to));
            GG_TRY(gg__buffer_add(e, out, s, n));
            break;
        case GG__NORM_STRIP:
            strip(&s, &n, f->left, f->right || open);
            GG_TRY(gg__buffer_add(e, out, s, n));
            break;
        case GG__NORM_BYTES:
            for (size_t k = 0; k < n; k++) {
                char c[4];
                GG_TRY(gg__buffer_add(e, out, c, (size_t)gg__utf8_put(c, gg__byte_char((uint8_t)s[k]))));
            }
            break;
        default: GG_TRY(characters(e, out, f->kind, s, n)); break;
        }
        s = out->data ? out->data : "";
        n = out->n;
    }
    *text = s;
    *n_out = n;
    return GG_OK;
}
