/* Pre-tokenizers: cut a text into the pieces inside which tokens form. Owns: the table of GGUF's names, the translation of the published
 * regular expressions (Oniguruma's dialect) to PCRE2, and the steps of tokenizer.json, which work one inside the other.
 *
 * A step sees only the piece that the step before cut; look-aheads do not reach past it. When the end of the text is not known (open) the
 * expressions run with PCRE2_PARTIAL_HARD: a match that wants to look behind the end is no match yet but a wish for more text.
 *
 * Traps: PCRE2's \s holds U+180E (no white space since Unicode 6.3), its \w and [:alpha:] are not Oniguruma's, so these are spelled out;
 * Oniguruma's \h is a hexadecimal digit, its $ ends every line, [a&&b] is an intersection there: the first is refused, the second set, the third
 * refused. A GGUF names no normalizer: where a model was published with one (NFC: mpt, olmo, command-r, qwen2), who reads its GGUF goes without.
 */
#include "text/text.h"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define LLAMA3                                                                                                                                     \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                                                                                                      \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(s) "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" s "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" s
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define TEKKEN CASED("") "|\\p{N}" TAIL
#define GPT4O CASED("(?i:'s|'t|'re|'ve|'m|'ll|'d)?") "|\\p{N}{1,3}" TAIL
/* DeepSeek-LLM lists the letters of the bicameral scripts one by one. Escaped are those that a normal form would change: editors do. */
#define DEEPSEEK_LETTERS                                                                                                                           \
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\\u1F7D" \
    "ᾀ-ᾴᾶ-ᾼ\\u1FBEῂ-ῄῆ-ῌῐ-\\u1FD3ῖ-\\u1FDBῠ-Ῥῲ-ῴῶ-ῼ" \
    "ℂℇℊ-ℓℕℙ-ℝℤ\\u2126ℨ\\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
#define CJK "[一-龥ࠀ-一가-퟿]+"
#define PUNCTUATION "[!-/:-@\\[-`{-~\\p{P}]"

#define OF_BYTES "(*BYTES)" /* this one sees bytes, not characters; and so do those behind it */

typedef struct named {
    const char *name;
    bool ignores_merges;  /* a pre-token that is a token stays whole */
    const char *regex[6]; /* each cuts the pieces of the one before; matches stand alone */
} named;
static const named table[] = {
    {"gpt-2", false, {GPT2}},
    {"mpt", false, {GPT2}},
    {"olmo", false, {GPT2}},
    {"starcoder", false, {"\\p{N}", GPT2}},
    {"refact", false, {"\\p{N}", GPT2}},
    {"command-r", false, {"\\p{N}", GPT2}},
    {"smollm", false, {"\\p{N}", GPT2}},
    {"llama-bpe", true, {LLAMA3}},
    {"qwen2", false, {QWEN2}},
    /* Falcon looks for numbers among the characters that stand for bytes: the bytes of some letters look like 2, 3, 1, 1/4, 1/2 and 3/4. */
    {"falcon", false, {PUNCTUATION "+", GPT2, OF_BYTES "[0-9\\xB2\\xB3\\xB9\\xBC-\\xBE]+", OF_BYTES "[0-9][0-9][0-9]"}},
    {"deepseek-llm", false, {"[\\r\\n]", DEEPSEEK_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", CJK, "\\p{N}"}},
    {"deepseek-coder", false, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}},
    {"tekken", true, {TEKKEN}},
    {"gpt-4o", false, {GPT4O}},
};

/* ---- the dialect ---- */

#define SPACES "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define WORDS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define LONE_WORDS WORDS "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}" /* \w outside of [ ] has Latin-1's small numbers */

/* [:alpha:] and the like, which PCRE2 sees otherwise: graph and print are refused. */
static const char *posix_class(const char *name, size_t n)
{
    static const char *const classes[][2] = {
        {"alpha", "\\p{Alphabetic}"}, {"alnum", "\\p{Alphabetic}\\p{Nd}"}, {"upper", "\\p{Uppercase}"}, {"lower", "\\p{Lowercase}"}, {"digit", "\\p{Nd}"},
        {"punct", "\\p{P}\\p{S}"}, {"space", SPACES}, {"blank", "\\p{Zs}\\t"}, {"xdigit", "0-9A-Fa-f"}, {"cntrl", "\\p{Cc}"},
        {"word", WORDS}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i][0]) == n && !memcmp(classes[i][0], name, n))
            return classes[i][1];
    return NULL;
}

static gg_status refuse(gg_tokenizer *t, const char *pattern, size_t n, size_t at, const char *what)
{
    return gg_fail(t->ctx, GG_EUNSUPPORTED, "the regular expression '%.*s' uses %s (byte %zu), which golgi does not read", n > 200 ? 200 : (int)n, pattern,
                   what, at);
}

static gg_status translate(gg_str *out, gg_tokenizer *t, const char *p, size_t n)
{
    bool in_class = false;
    size_t opened = 0;
    for (size_t i = 0; i < n; i++) {
        const char c = p[i], d = i + 1 < n ? p[i + 1] : 0;
        if (c == '\\' && d) {
            i++;
            switch (d) {
            case 's': gg_str_puts(out, in_class ? SPACES : "[" SPACES "]"); continue;
            case 'w': gg_str_puts(out, in_class ? WORDS : "[" LONE_WORDS "]"); continue;
            case 'S':
            case 'W':
                if (!in_class)
                    gg_str_puts(out, d == 'S' ? "[^" SPACES "]" : "[^" LONE_WORDS "]");
                else if (d == 'S')
                    gg_str_puts(out, "\\S\\x{180E}");
                else
                    return refuse(t, p, n, i - 1, "\\W inside [ ]");
                continue;
            case 'u': /* \u0041 */
                if (n - i < 5)
                    return refuse(t, p, n, i - 1, "a broken \\u");
                gg_str_printf(out, "\\x{%.4s}", p + i + 1);
                i += 4;
                continue;
            case 'h':
            case 'H':
            case 'K':
            case 'k':
            case 'g':
            case 'M':
            case 'C':
            case 'c':
            case 'y':
            case 'Y':
            case 'O':
            case 'b':
            case 'B': {
                const char what[] = {'\\', d, 0};
                return refuse(t, p, n, i - 1, what);
            }
            default: gg_str_add(out, p + i - 1, 2); continue;
            }
        }
        if (in_class) {
            if (c == '[' && d != ':')
                return refuse(t, p, n, i, "a class inside [ ]");
            if (c == '[') {
                const char *end = memmem(p + i + 2, n - i - 2, ":]", 2), *class = end ? posix_class(p + i + 2, (size_t)(end - p) - i - 2) : NULL;
                if (!class)
                    return refuse(t, p, n, i, "an unknown [: :]");
                gg_str_puts(out, class);
                i = (size_t)(end - p) + 1;
                continue;
            }
            if (c == '&' && d == '&')
                return refuse(t, p, n, i, "an intersection of classes (&&)");
            if (c == ']' && i > opened)
                in_class = false;
        } else if (c == '[') {
            in_class = true;
            opened = i + 1 + (d == '^'); /* a ']' here is a letter */
            if (d == '^') {
                gg_str_add(out, "[^", 2);
                i++;
                continue;
            }
        } else if (c == '(' && d == '?' && i + 2 < n) {
            if (!strchr(":=!><i", p[i + 2]) || (p[i + 2] == '<' && (i + 3 >= n || !strchr("=!", p[i + 3]))) ||
                (p[i + 2] == 'i' && (i + 3 >= n || !strchr(":)", p[i + 3]))))
                return refuse(t, p, n, i, "a group option other than (?: (?= (?! (?> (?<= (?<! (?i: (?i)");
        }
        gg_str_add(out, &c, 1);
    }
    return out->failed ? GG_ENOMEM : GG_OK;
}

static gg_status compile(pcre2_code **out, gg_tokenizer *t, const char *pattern, size_t n, uint32_t options)
{
    gg_str s = {.ctx = t->ctx};
    gg_status st = translate(&s, t, pattern, n);
    *out = NULL;
    if (st == GG_OK) {
        int error = 0;
        PCRE2_SIZE at = 0;
        pcre2_compile_context *cc = pcre2_compile_context_create(t->pcre_memory);
        if (cc) {
            pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
            *out = pcre2_compile((PCRE2_SPTR)(s.data ? s.data : ""), s.len, options | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, cc);
            pcre2_compile_context_free(cc);
        } else
            error = PCRE2_ERROR_NOMEMORY;
        if (!*out) {
            PCRE2_UCHAR text[200] = {0};
            pcre2_get_error_message(error, text, sizeof text);
            if (!cc || error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
                st = gg_fail(t->ctx, GG_ENOMEM, "out of memory for the regular expression '%.*s'", n > 200 ? 200 : (int)n, pattern);
            else
                st = gg_fail(t->ctx, GG_EUNSUPPORTED, "the regular expression '%.*s' is not readable: %s (at byte %zu of its translation)",
                             n > 200 ? 200 : (int)n, pattern, (const char *)text, (size_t)at);
        } else
            pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD); /* without it the interpreter gives the same matches */
    }
    gg_str_free(&s);
    return st;
}

gg_status gg__regex_compile(pcre2_code **out, gg_tokenizer *t, const char *pattern, size_t n)
{
    return compile(out, t, pattern, n, PCRE2_UTF | PCRE2_UCP);
}

int gg__regex_match(gg__encoder *e, const pcre2_code *code, const char *text, size_t n, size_t at, bool open)
{
    const uint32_t how = PCRE2_NO_UTF_CHECK | (open ? PCRE2_PARTIAL_HARD : 0u);
    int rc = pcre2_match(code, (PCRE2_SPTR)text, n, at, how, e->match, e->limits ? e->limits : e->t->pcre_limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && !e->stack) { /* the 32 KiB of the machine stack were too few */
        e->limits = pcre2_match_context_copy(e->t->pcre_limits);
        e->stack = pcre2_jit_stack_create(1 << 16, (size_t)1 << 30, e->t->pcre_memory);
        if (!e->limits || !e->stack)
            return PCRE2_ERROR_NOMEMORY;
        pcre2_jit_stack_assign(e->limits, NULL, e->stack);
        rc = pcre2_match(code, (PCRE2_SPTR)text, n, at, how, e->match, e->limits);
    }
    return rc;
}

static gg_status match_failed(gg__encoder *e, int rc)
{
    PCRE2_UCHAR text[200] = {0};
    pcre2_get_error_message(rc, text, sizeof text);
    return gg_fail(e->ctx, rc == PCRE2_ERROR_NOMEMORY ? GG_ENOMEM : GG_EUNSUPPORTED, "the tokenizer's regular expression gave up on this text: %s",
                   (const char *)text);
}

/* ---- building ---- */

gg_status gg__pre_add(gg_tokenizer *t, gg__pre **out)
{
    if (t->n_pre == 16)
        return gg_fail(t->ctx, GG_EUNSUPPORTED, "a pre-tokenizer of more than 16 steps");
    gg__pre *p = gg_renew(t->ctx, t->pre, gg__pre, t->n_pre + 1);
    if (!p)
        return GG_ENOMEM;
    t->pre = p;
    *out = p + t->n_pre++;
    return GG_OK;
}

gg_status gg__pre_regex(gg_tokenizer *t, const char *pattern, gg__behaviour how, bool invert)
{
    gg__pre *p = NULL;
    GG_TRY(gg__pre_add(t, &p));
    *p = (gg__pre){.kind = GG__PRE_REGEX, .how = how, .invert = invert, .text = gg_strdup(t->ctx, pattern), .n_text = strlen(pattern)};
    return p->text ? gg__regex_compile(&p->code, t, pattern, p->n_text) : GG_ENOMEM;
}

gg_status gg__pre_punctuation(gg_tokenizer *t, gg__behaviour how) { return gg__pre_regex(t, PUNCTUATION, how, false); }

gg_status gg__bert_pre_tokenizer(gg_tokenizer *t)
{
    GG_TRY(gg__pre_regex(t, "\\s+", GG__REMOVED, false));
    return gg__pre_punctuation(t, GG__ISOLATED);
}

gg_status gg__pre_named(gg_tokenizer *t, const char *name)
{
    const size_t n = sizeof table / sizeof *table;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, table[i].name)) {
            for (int k = 0; k < 6 && table[i].regex[k]; k++) {
                const char *regex = table[i].regex[k];
                const bool bytes = !strncmp(regex, OF_BYTES, sizeof OF_BYTES - 1);
                gg__pre *p = NULL;
                GG_TRY(gg__pre_add(t, &p));
                *p = (gg__pre){.kind = GG__PRE_REGEX, .how = GG__ISOLATED, .text = gg_strdup(t->ctx, regex), .n_text = strlen(regex)};
                if (!p->text)
                    return GG_ENOMEM;
                regex += bytes ? sizeof OF_BYTES - 1 : 0;
                GG_TRY(compile(&p->code, t, regex, strlen(regex), bytes ? 0 : PCRE2_UTF | PCRE2_UCP));
            }
            return GG_OK;
        }
    gg_str s = {.ctx = t->ctx};
    for (size_t i = 0; i < n; i++)
        gg_str_printf(&s, "%s%s", i ? ", " : "", table[i].name);
    const gg_status st = gg_fail(t->ctx, GG_EUNSUPPORTED, "pre-tokenizer '%s' (tokenizer.ggml.pre) is not known; known are %s", name, s.data ? s.data : "");
    gg_str_free(&s);
    return st;
}

bool gg__pre_ignores_merges(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(name, table[i].name))
            return table[i].ignores_merges;
    return false;
}

static bool is_named(const gg_tokenizer *t, const named *row)
{
    int k = 0;
    for (; k < 6 && row->regex[k]; k++) {
        const gg__pre *p = &t->pre[k];
        if (k >= t->n_pre || p->kind != GG__PRE_REGEX || p->how != GG__ISOLATED || p->invert || p->n_text != strlen(row->regex[k]) ||
            memcmp(p->text, row->regex[k], p->n_text) != 0)
            return false;
    }
    return k == t->n_pre;
}

const char *gg__pre_name(const gg_tokenizer *t)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (is_named(t, &table[i]))
            return table[i].name;
    return NULL;
}

/* ---- running ---- */

static gg_status model_encode(gg__encoder *e, const char *text, size_t n, bool open)
{
    e->last_unk = false;
    switch (e->t->model) {
    case GG__UNIGRAM: return gg__unigram_encode(e, text, n, open);
    case GG__WORDPIECE: return gg__wordpiece_encode(e, text, n, open);
    default: return gg__bpe_encode(e, text, n, open);
    }
}

/* Ranges come in, alternately text between matches and matches; pieces go out to the next step. */
typedef struct splitter {
    gg__encoder *e;
    int step;
    gg__behaviour how;
    bool invert, first;
    const char *text;
    size_t from, to; /* the range that waits for its neighbour */
    bool waits, is_match;
} splitter;

static gg_status hand_on(splitter *s, size_t a, size_t b, bool open)
{
    return gg__pre_run(s->e, s->step + 1, s->text + a, b - a, s->first && a == 0, open);
}

/* One range. With-previous: a match joins the text before it unless a match came right before. With-next: mirrored. */
static gg_status range(splitter *s, size_t a, size_t b, bool match)
{
    match ^= s->invert;
    switch (s->how) {
    case GG__ISOLATED: return hand_on(s, a, b, false);
    case GG__REMOVED: return match ? GG_OK : hand_on(s, a, b, false);
    case GG__CONTIGUOUS:
        if (s->waits && s->is_match == match) {
            s->to = b;
            return GG_OK;
        }
        break;
    case GG__WITH_PREVIOUS:
        if (match && s->waits && !s->is_match) {
            s->waits = false;
            return hand_on(s, s->from, b, false);
        }
        if (match) { /* nothing to join: alone */
            if (s->waits)
                GG_TRY(hand_on(s, s->from, s->to, false));
            s->waits = false;
            return hand_on(s, a, b, false);
        }
        break;
    case GG__WITH_NEXT:
        if (!match) {
            const size_t from = s->waits ? s->from : a;
            s->waits = false;
            return hand_on(s, from, b, false);
        }
        break;
    }
    const bool waited = s->waits;
    const size_t from = s->from, to = s->to;
    s->waits = true;
    s->is_match = match;
    s->from = a;
    s->to = b;
    return waited ? hand_on(s, from, to, false) : GG_OK;
}

/* The rest [a, n), text between matches, which may go on behind n when open. */
static gg_status finish(splitter *s, size_t a, size_t n, bool open)
{
    if (!open) {
        if (a < n)
            GG_TRY(range(s, a, n, false));
        return s->waits ? (s->waits = false, hand_on(s, s->from, s->to, false)) : GG_OK;
    }
    if (s->how == GG__WITH_NEXT || s->how == GG__WITH_PREVIOUS || s->how == GG__CONTIGUOUS || s->invert) /* its neighbour decides: wait for it */
        return gg__want_more(s->e);
    if (a < n)
        GG_TRY(hand_on(s, a, n, true));
    return gg__want_more(s->e);
}

static gg_status split_regex(splitter *s, const pcre2_code *code, size_t n, bool open)
{
    gg__encoder *e = s->e;
    size_t gap = 0, at = 0;
    bool matched = false;
    while (at <= n) {
        const int rc = gg__regex_match(e, code, s->text, n, at, open);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        const PCRE2_SIZE *v = pcre2_get_ovector_pointer(e->match);
        if (rc == PCRE2_ERROR_PARTIAL)
            return finish(s, gap, v[0] > gap ? v[0] : gap, true);
        if (rc < 0)
            return match_failed(e, rc);
        const size_t a = v[0], b = v[1];
        const bool empty = b <= a; /* cuts, too; but not where the last match ended */
        at = !empty ? b : a < n ? a + (size_t)gg__utf8_len((unsigned char)s->text[a]) : n + 1;
        if (empty && matched && a == gap)
            continue;
        if (a > gap)
            GG_TRY(range(s, gap, a, false));
        GG_TRY(range(s, a, empty ? a : b, true));
        gap = empty ? a : b;
        matched = true;
    }
    return finish(s, gap, n, open);
}

static gg_status split_literal(splitter *s, const char *what, size_t k, size_t n, bool open)
{
    size_t gap = 0, known = n;
    if (open) /* the literal may begin in the last bytes */
        for (known = n > k ? n - k : 0; known && ((unsigned char)s->text[known] & 0xC0) == 0x80;)
            known--;
    for (;;) {
        const char *hit = k ? memmem(s->text + gap, n - gap, what, k) : NULL;
        if (!hit)
            break;
        const size_t a = (size_t)(hit - s->text);
        if (a > gap)
            GG_TRY(range(s, gap, a, false));
        GG_TRY(range(s, a, a + k, true));
        gap = a + k;
    }
    return finish(s, gap, open && known > gap ? known : open ? gap : n, open);
}

static bool begins_with(const char *s, size_t n, const char *w, size_t k) { return n >= k && !memcmp(s, w, k); }

gg_status gg__pre_run(gg__encoder *e, int step, const char *text, size_t n, bool first, bool open)
{
    const gg_tokenizer *t = e->t;
    if (!n)
        return open ? gg__want_more(e) : GG_OK;
    if (step == t->n_pre)
        return model_encode(e, text, n, open);
    const gg__pre *p = t->pre + step;
    splitter s = {.e = e, .step = step, .how = p->how, .invert = p->invert, .first = first, .text = text};
    gg__buffer *b = e->step + step;
    switch (p->kind) {
    case GG__PRE_REGEX: return split_regex(&s, p->code, n, open);
    case GG__PRE_LITERAL: return split_literal(&s, p->text, p->n_text, n, open);
    case GG__PRE_PREFIX:
        if (begins_with(text, n, p->text, p->n_text))
            return gg__pre_run(e, step + 1, text, n, first, open);
        b->n = 0;
        GG_TRY(gg__buffer_add(e, b, p->text, p->n_text));
        GG_TRY(gg__buffer_add(e, b, text, n));
        return gg__pre_run(e, step + 1, b->data, b->n, first, open);
    case GG__PRE_BYTES:
        b->n = 0;
        for (size_t i = 0; i < n; i++) {
            char c[4];
            GG_TRY(gg__buffer_add(e, b, c, (size_t)gg__utf8_put(c, gg__byte_char((uint8_t)text[i]))));
        }
        return gg__pre_run(e, step + 1, b->data, b->n, first, open);
    case GG__PRE_METASPACE:
        b->n = 0;
        if ((p->prepend == GG__ALWAYS || (p->prepend == GG__FIRST && first && e->text_start)) && text[0] != ' ' && !begins_with(text, n, p->text, p->n_text))
            GG_TRY(gg__buffer_add(e, b, p->text, p->n_text));
        for (size_t i = 0; i < n;) {
            const char *space = memchr(text + i, ' ', n - i);
            const size_t end = space ? (size_t)(space - text) : n;
            GG_TRY(gg__buffer_add(e, b, text + i, end - i));
            if (space)
                GG_TRY(gg__buffer_add(e, b, p->text, p->n_text));
            i = end + (space != NULL);
        }
        if (!p->split)
            return gg__pre_run(e, step + 1, b->data, b->n, first, open);
        s.text = b->data;
        s.how = GG__WITH_NEXT;
        return split_literal(&s, p->text, p->n_text, b->n, open);
    }
    return gg_fail(e->ctx, GG_EINTERNAL, "unknown pre-tokenizer step");
}
