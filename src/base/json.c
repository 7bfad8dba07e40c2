/* JSON values from bytes that may be damaged, and back to text. jansson holds the values; reading and writing are golgi's own, because
 *
 *     a pool is read at the speed of a disk or of zstd, three to six times faster than jansson reads;
 *     bytes that are not UTF-8 and surrogate escapes without their partner become U+FFFD (base/utf8.h) and are counted, where jansson refuses;
 *     an integer beyond 64 bits becomes a double, as in every reader that knows only doubles, where jansson refuses;
 *     a pool's own 0.1 comes back as 0.1, where jansson writes a fixed number of digits;
 *     when memory is short, jansson reads a part of a text for the whole and leaves out keys that it writes.
 * In all else it is RFC 8259 as jansson reads it (the tests compare the two): a key given twice has its last value at its first place, keys have
 * no NUL (but those of a vocabulary), 2,048 lists and objects within each other at most, a number beyond the doubles is an error.
 */
#include "base/json.h"
#include "base/file.h"
#include "base/utf8.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 2048

typedef struct reader {
    gg_context *ctx;
    const char *s; /* (n,) */
    size_t n, i;   /* i: the byte looked at */
    gg_str *scratch; /* texts that cannot be taken as they stand, one behind the other */
    int64_t repaired;
    bool once, nul; /* names: are given once; may hold NUL */
    int depth;
    gg_status status;
    gg_json_error *error;
} reader;

/* A text of the value: where it stands in the line, or in scratch. */
typedef struct span {
    bool in_scratch;
    size_t from, n;
} span;

/* All of these return NULL or false so that a failing function is one line. */
static void *fail_memory(reader *p)
{
    p->status = GG_ENOMEM;
    return NULL;
}

static void *fail_at(reader *p, size_t at, const char *what)
{
    snprintf(p->error->what, sizeof p->error->what, "%s", what);
    p->error->column = (int64_t)at + 1;
    p->status = GG_EFORMAT;
    return NULL;
}

/* "expected ..., found ..." at byte i */
static void *fail_expected(reader *p, const char *expected)
{
    char what[sizeof p->error->what];
    size_t left = p->n - p->i;
    const char *s = p->s + p->i;
    unsigned char c = left > 0 ? (unsigned char)*s : 0;
    if (left == 0)
        snprintf(what, sizeof what, "expected %s, found the end", expected);
    else if ((left >= 3 && memcmp(s, "NaN", 3) == 0) || (left >= 8 && memcmp(s, "Infinity", 8) == 0))
        snprintf(what, sizeof what, "%s is not JSON; write null", c == 'N' ? "NaN" : "Infinity");
    else if (c >= 0x20 && c < 0x7F)
        snprintf(what, sizeof what, "expected %s, found '%c'", expected, c);
    else
        snprintf(what, sizeof what, "expected %s, found the byte 0x%02x", expected, c);
    return fail_at(p, p->i, what);
}

static void skip_space(reader *p)
{
    while (p->i < p->n && (p->s[p->i] == ' ' || p->s[p->i] == '\t' || p->s[p->i] == '\n' || p->s[p->i] == '\r'))
        p->i++;
}

static bool at_char(const reader *p, char c) { return p->i < p->n && p->s[p->i] == c; }

/* --- texts ------------------------------------------------------------------------------------------------------- */

/* Bytes of s before the first quote, backslash or control character, eight at a time; *high: a byte beyond ASCII is among them (or up to
 * seven bytes behind). For a byte b of a word w: (b ^ c) - 1 borrows from bit 7 when b == c, b - 0x20 when b < 0x20. */
static size_t plain_length(const char *s, size_t n, bool *high)
{
    const uint64_t ones = 0x0101010101010101u, top = 0x8080808080808080u;
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, s + i, 8);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
        if (((quote - ones) & ~quote & top) | ((slash - ones) & ~slash & top) | ((w - ones * 0x20) & ~w & top))
            break;
        seen |= w;
    }
    for (; i < n && s[i] != '"' && s[i] != '\\' && (unsigned char)s[i] >= 0x20; i++)
        seen |= (unsigned char)s[i];
    *high = (seen & top) != 0;
    return i;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of a \uXXXX escape at byte at, -1 when there is none. */
static int32_t escape_value(const reader *p, size_t at)
{
    if (p->n - at < 6 || p->s[at] != '\\' || p->s[at + 1] != 'u')
        return -1;
    int32_t value = 0;
    for (int k = 2; k < 6; k++) {
        int h = hex_value(p->s[at + (size_t)k]);
        if (h < 0)
            return -1;
        value = value << 4 | h;
    }
    return value;
}

/* Byte i is a backslash within a text: its meaning goes to scratch. */
static bool take_escape(reader *p)
{
    size_t at = p->i;
    char c = at + 1 < p->n ? p->s[at + 1] : 0;
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        gg_str_add(p->scratch, &meanings[letter - letters], 1);
        p->i += 2;
        return true;
    }
    int32_t cp = escape_value(p, at);
    if (cp < 0)
        return fail_at(p, at, c == 'u' ? "\\u needs four hexadecimal digits" : "an escape that JSON does not have") != NULL;
    p->i += 6;
    if (cp >= 0xD800 && cp <= 0xDFFF) {
        int32_t low = cp <= 0xDBFF ? escape_value(p, p->i) : -1;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
            p->i += 6;
        } else {
            cp = 0xFFFD;
            p->repaired++;
        }
    }
    char utf8[4];
    gg_str_add(p->scratch, utf8, (size_t)gg_utf8_encode(utf8, cp));
    return true;
}

static void add_repaired(reader *p, const char *s, size_t n)
{
    while (n > 0) {
        size_t good = gg_utf8_valid_prefix(s, n);
        gg_str_add(p->scratch, s, good);
        s += good;
        n -= good;
        if (n == 0)
            break;
        int32_t cp;
        size_t bad = (size_t)gg_utf8_decode(&cp, s, n);
        gg_str_add(p->scratch, "\xEF\xBF\xBD", 3);
        p->repaired++;
        s += bad;
        n -= bad;
    }
}

/* Byte i is the opening quote; goes behind the closing one. A text without escapes and damage is not copied. */
static bool take_text(reader *p, span *out)
{
    size_t opened = p->i++, start = p->scratch->len;
    bool high, copied = false;
    for (;;) {
        size_t from = p->i, n = plain_length(p->s + from, p->n - from, &high);
        p->i += n;
        if (p->i == p->n)
            return fail_at(p, opened, "a text without its closing quote") != NULL;
        char stop = p->s[p->i];
        bool valid = !high || gg_utf8_is_valid(p->s + from, n);
        if (stop == '"' && valid && !copied) {
            *out = (span){false, from, n};
            p->i++;
            return true;
        }
        copied = true;
        if (valid)
            gg_str_add(p->scratch, p->s + from, n);
        else
            add_repaired(p, p->s + from, n);
        if (stop == '"') {
            p->i++;
            break;
        }
        if (stop != '\\') {
            char what[64];
            snprintf(what, sizeof what, "the control character 0x%02x in a text; write \\u%04x", stop, stop);
            return fail_at(p, p->i, what) != NULL;
        }
        if (!take_escape(p))
            return false;
    }
    if (p->scratch->failed)
        return fail_memory(p) != NULL;
    *out = (span){true, start, p->scratch->len - start};
    return true;
}

static const char *span_text(const reader *p, span t) { return !t.in_scratch ? p->s + t.from : p->scratch->data ? p->scratch->data + t.from : ""; }

/* --- numbers ----------------------------------------------------------------------------------------------------- */

static size_t digits(reader *p)
{
    size_t from = p->i;
    while (p->i < p->n && p->s[p->i] >= '0' && p->s[p->i] <= '9')
        p->i++;
    return p->i - from;
}

/* The C library's strtod, whatever sign the locale has for the decimal point. */
static json_t *take_real(reader *p, size_t from)
{
    size_t n = p->i - from, start = p->scratch->len;
    gg_str_add(p->scratch, p->s + from, n);
    if (p->scratch->failed)
        return fail_memory(p);
    char *text = p->scratch->data + start, *point = memchr(text, '.', n);
    if (point)
        *point = *localeconv()->decimal_point;
    double x = strtod(text, NULL);
    p->scratch->len = start;
    json_t *v = x - x == 0 ? json_real(x) : fail_at(p, from, "a number beyond the range of doubles");
    return v ? v : p->status == GG_OK ? fail_memory(p) : NULL;
}

static json_t *take_number(reader *p)
{
    size_t from = p->i;
    bool negative = at_char(p, '-');
    p->i += negative;
    size_t first = p->i, n_integer = digits(p);
    if (n_integer == 0)
        return fail_expected(p, negative ? "a digit" : "a value");
    if (n_integer > 1 && p->s[first] == '0')
        return fail_at(p, first, "a number that begins with 0");
    uint64_t m = 0; /* the digits without the point, while they are few enough to be exact */
    for (size_t k = 0; k < n_integer && k < 20; k++)
        m = m * 10 + (uint64_t)(p->s[first + k] - '0');
    bool real = false;
    size_t n_fraction = 0;
    if (at_char(p, '.')) {
        real = true;
        p->i++;
        size_t point = p->i;
        n_fraction = digits(p);
        if (n_fraction == 0)
            return fail_expected(p, "a digit behind the point");
        for (size_t k = 0; k < n_fraction && n_integer + k < 20; k++)
            m = m * 10 + (uint64_t)(p->s[point + k] - '0');
    }
    bool exponent = at_char(p, 'e') || at_char(p, 'E');
    if (exponent) {
        real = true;
        p->i++;
        if (at_char(p, '+') || at_char(p, '-'))
            p->i++;
        if (digits(p) == 0)
            return fail_expected(p, "a digit of the exponent");
    }
    json_t *v = NULL;
    if (!real && (n_integer < 19 || (n_integer == 19 && m <= (uint64_t)INT64_MAX + negative))) {
        v = json_integer(negative ? (json_int_t)(0 - m) : (json_int_t)m);
    } else if (real && !exponent && n_integer + n_fraction <= 15) {
        /* m and a power of ten up to 10^22 are exact doubles, so their quotient is rounded once, as strtod's result is (Clinger 1990) */
        static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
        double x = (double)m / tens[n_fraction];
        v = json_real(negative ? -x : x);
    } else {
        return take_real(p, from);
    }
    return v ? v : fail_memory(p);
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static json_t *take_value(reader *p);

static bool take_element(reader *p, json_t *list)
{
    json_t *v = take_value(p);
    if (v && json_array_append_new(list, v) != 0)
        fail_memory(p);
    return p->status == GG_OK;
}

/* One "name": value of an object. */
static bool take_member(reader *p, json_t *object)
{
    size_t start = p->scratch->len, opened = p->i;
    if (!at_char(p, '"'))
        return fail_expected(p, "a name in quotes") != NULL;
    span key;
    if (!take_text(p, &key))
        return false;
    if (!p->nul && key.n > 0 && memchr(span_text(p, key), 0, key.n))
        return fail_at(p, opened, "a name with a NUL in it") != NULL;
    if (p->once && json_object_getn(object, span_text(p, key), key.n))
        return fail_at(p, opened, "a duplicate of a name before it") != NULL;
    skip_space(p);
    if (!at_char(p, ':'))
        return fail_expected(p, "':' behind a name") != NULL;
    p->i++;
    json_t *v = take_value(p);
    if (!v)
        return false;
    if (json_object_setn_new_nocheck(object, span_text(p, key), key.n, v) != 0)
        return fail_memory(p) != NULL;
    p->scratch->len = start;
    return true;
}

/* What stands between the brackets of a list or an object, into `all` (NULL: out of memory), which is taken over. */
static json_t *take_all(reader *p, json_t *all, bool (*take)(reader *p, json_t *all), char end, const char *expected)
{
    if (!all)
        return fail_memory(p);
    p->i++;
    skip_space(p);
    for (bool more = !at_char(p, end); more && take(p, all);) {
        skip_space(p);
        more = at_char(p, ',');
        p->i += more;
        if (!more && !at_char(p, end))
            fail_expected(p, expected);
        skip_space(p);
    }
    if (p->status != GG_OK) {
        json_decref(all);
        return NULL;
    }
    p->i++;
    return all;
}

static json_t *take_word(reader *p, const char *word, json_t *v)
{
    size_t n = strlen(word);
    if (p->n - p->i < n || memcmp(p->s + p->i, word, n) != 0)
        return fail_expected(p, "a value");
    p->i += n;
    return v;
}

static json_t *take_value(reader *p)
{
    skip_space(p);
    if (p->i == p->n)
        return fail_expected(p, "a value");
    json_t *v;
    switch (p->s[p->i]) {
    case '"': {
        size_t start = p->scratch->len;
        span t;
        if (!take_text(p, &t))
            return NULL;
        v = json_stringn_nocheck(span_text(p, t), t.n);
        p->scratch->len = start;
        return v ? v : fail_memory(p);
    }
    case '{':
    case '[':
        if (p->depth == DEPTH_MAX)
            return fail_at(p, p->i, "lists and objects within each other more than 2048 deep");
        p->depth++;
        v = p->s[p->i] == '{' ? take_all(p, json_object(), take_member, '}', "',' or '}'")
                              : take_all(p, json_array(), take_element, ']', "',' or ']'");
        p->depth--;
        return v;
    case 't': return take_word(p, "true", json_true());
    case 'f': return take_word(p, "false", json_false());
    case 'n': return take_word(p, "null", json_null());
    default: return take_number(p);
    }
}

static gg_status parse(json_t **out, reader *p)
{
    *out = take_value(p);
    if (*out) {
        skip_space(p);
        if (p->i < p->n) {
            fail_expected(p, "the end");
            json_decref(*out);
            *out = NULL;
        }
    }
    return p->status;
}

gg_status gg_json_parse(json_t **out, gg_str *scratch, const char *text, size_t n, int64_t *repaired, gg_json_error *error)
{
    scratch->len = 0;
    reader p = {.ctx = scratch->ctx, .s = n ? text : "", .n = n, .scratch = scratch, .error = error};
    if (parse(out, &p) == GG_ENOMEM)
        return gg_fail(p.ctx, GG_ENOMEM, "out of memory for a row of %zu bytes", n);
    *repaired += p.status == GG_OK ? p.repaired : 0;
    return p.status;
}

static gg_status document(json_t **out, gg_context *ctx, const char *text, size_t n, const char *file, const char *what, bool any_names)
{
    gg_str scratch = {.ctx = ctx};
    gg_json_error e = {.column = 1};
    reader p = {.ctx = ctx,
                .s = n ? text : "" /* an empty file has no bytes to point at */,
                .n = n,
                .scratch = &scratch,
                .error = &e,
                .once = !any_names,
                .nul = any_names};
    gg_status s = parse(out, &p);
    gg_str_free(&scratch);
    if (s == GG_ENOMEM)
        return gg_fail(ctx, s, "%s: out of memory while reading %s", file, what);
    if (s == GG_OK && p.repaired > 0) {
        json_decref(*out);
        *out = NULL;
        e.column = (int64_t)gg_utf8_valid_prefix(text, n) + 1;
        snprintf(e.what, sizeof e.what, "%s", (size_t)e.column <= n ? "bytes that are not UTF-8" : "a surrogate escape without its partner");
        e.column = (size_t)e.column <= n ? e.column : 1;
        s = GG_EFORMAT;
    }
    if (s != GG_EFORMAT)
        return s;
    int64_t line = 1, start = 0; /* of the line that the error is in */
    for (int64_t i = 0; i + 1 < e.column && i < (int64_t)n; i++)
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    return gg_fail(ctx, s, "%s:%lld:%lld: %s is no valid JSON: %s", file, (long long)line, (long long)(e.column - start), what, e.what);
}

gg_status gg_json_document(json_t **out, gg_context *ctx, const char *text, size_t n, const char *file, const char *what)
{
    return document(out, ctx, text, n, file, what, false);
}

gg_status gg_json_read_file(json_t **out, gg_context *ctx, const char *path, const char *what)
{
    char *text = NULL;
    size_t n = 0;
    *out = NULL;
    GG_TRY(gg_file_read(&text, &n, ctx, path));
    const gg_status s = gg_json_document(out, ctx, text, n, path, what);
    gg_drop(ctx, text);
    return s;
}

gg_status gg_json_vocabulary(json_t **out, gg_context *ctx, const char *text, size_t n, const char *file)
{
    return document(out, ctx, text, n, file, "the tokenizer", true);
}

const char *gg_json_kind(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a text";
    case JSON_INTEGER:
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a truth value";
    case JSON_NULL: return "null";
    }
    return "something unknown";
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void write_text(gg_str *out, const char *s, size_t n)
{
    gg_str_add(out, "\"", 1);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        gg_str_add(out, s + kept, i - kept);
        kept = i + 1;
        const char *letter = strchr("\"\"\\\\\bb\ff\nn\rr\tt", c); /* pairs: character, letter of its escape */
        if (c != 0 && letter) {
            char escape[2] = {'\\', letter[1]};
            gg_str_add(out, escape, 2);
        } else {
            gg_str_printf(out, "\\u%04x", c);
        }
    }
    gg_str_add(out, s + kept, n - kept);
    gg_str_add(out, "\"", 1);
}

/* The fewest of 15, 16, 17 digits that give the double back; always told from an integer. */
static void write_real(gg_str *out, double x)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text - 4, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    char *comma = strchr(text, ','); /* a locale's decimal sign */
    if (comma)
        *comma = '.';
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    gg_str_puts(out, text);
}

/* The next entry's place: its own line, or right here. */
static void begin_entry(gg_str *out, int indent, int depth)
{
    if (indent > 0)
        gg_str_printf(out, "\n%*s", indent * depth, "");
}

static void write_value(gg_str *out, const json_t *value, int indent, int depth)
{
    const char *key;
    json_t *v;
    size_t i;
    bool first = true;
    if (!value) { /* what there was no memory for */
        out->failed = true;
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        gg_str_add(out, "{", 1);
        json_object_foreach((json_t *)value, key, v)
        {
            if (!first)
                gg_str_add(out, ",", 1);
            first = false;
            begin_entry(out, indent, depth + 1);
            write_text(out, key, strlen(key));
            gg_str_add(out, ": ", indent > 0 ? 2 : 1);
            write_value(out, v, indent, depth + 1);
        }
        if (!first)
            begin_entry(out, indent, depth);
        gg_str_add(out, "}", 1);
        break;
    case JSON_ARRAY:
        gg_str_add(out, "[", 1);
        json_array_foreach(value, i, v)
        {
            if (i > 0)
                gg_str_add(out, ",", 1);
            begin_entry(out, indent, depth + 1);
            write_value(out, v, indent, depth + 1);
        }
        if (json_array_size(value) > 0)
            begin_entry(out, indent, depth);
        gg_str_add(out, "]", 1);
        break;
    case JSON_STRING: write_text(out, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: gg_str_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: write_real(out, json_real_value(value)); break;
    case JSON_TRUE: gg_str_puts(out, "true"); break;
    case JSON_FALSE: gg_str_puts(out, "false"); break;
    case JSON_NULL: gg_str_puts(out, "null"); break;
    }
}

void gg_json_write(gg_str *out, const json_t *value, int indent) { write_value(out, value, indent, 0); }

gg_status gg_json_write_file(gg_context *ctx, const char *path, const json_t *value, int indent)
{
    gg_str text = {.ctx = ctx};
    gg_json_write(&text, value, indent);
    const gg_status s = text.failed ? gg_fail(ctx, GG_ENOMEM, "%s: out of memory while it was written", path)
                                    : gg_file_write(ctx, path, text.data, text.len);
    gg_str_free(&text);
    return s;
}

void gg_json_add(json_t **list, json_t *part)
{
    if (!*list)
        json_decref(part);
    else if (json_array_append_new(*list, part) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

void gg_json_put(json_t **object, const char *key, json_t *part)
{
    if (!*object)
        json_decref(part);
    else if (json_object_set_new(*object, key, part) != 0) {
        json_decref(*object);
        *object = NULL;
    }
}

json_t *gg_json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

gg_status gg_json_print(gg_context *ctx, json_t *value)
{
    gg_str text = {.ctx = ctx};
    gg_json_write(&text, value, 2);
    json_decref(value);
    const gg_status s = text.failed ? gg_fail(ctx, GG_ENOMEM, "out of memory for the summary") : GG_OK;
    if (s == GG_OK)
        puts(text.data); /* whether all went out is asked when the command closes */
    gg_str_free(&text);
    return s;
}
