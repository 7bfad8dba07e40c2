/* JSON values from bytes that may be damaged, and back to text. Owns: the repair before jansson reads, and the writing.
 *
 * jansson refuses bytes that are not UTF-8, surrogate escapes without their partner and integers beyond 64 bits, all of which real pools hold.
 * A good text goes straight through; only what jansson refused is repaired and read again. The repairs:
 *     bytes that are not UTF-8         U+FFFD per maximal subpart (base/utf8.h)
 *     \ud800 .. \udfff without partner \ufffd, of the same length, so columns stay
 *     an integer beyond 64 bits        ".0" behind it: a double, as in every reader that knows only doubles
 * The first two are counted; the third loses digits, not text, and is not.
 *
 * Written here and not by jansson because a pool's own 0.1 must come back as 0.1: jansson has a fixed number of digits and would
 * write 0.10000000000000001.
 */
#include "io/formats.h"
#include "base/memory.h"
#include "base/utf8.h"

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of a \uXXXX escape at s, -1 when it is none. */
static int escape_value(const char *s, size_t n)
{
    if (n < 6 || s[0] != '\\' || s[1] != 'u')
        return -1;
    int value = 0;
    for (int i = 2; i < 6; i++) {
        int h = hex_value(s[i]);
        if (h < 0)
            return -1;
        value = value << 4 | h;
    }
    return value;
}

/* Lone surrogate escapes in place. A backslash stands only in texts, so the JSON around them need not be understood. */
static int64_t repair_surrogates(char *s, size_t n)
{
    int64_t count = 0;
    for (size_t i = 0; i < n;) {
        char *b = memchr(s + i, '\\', n - i);
        if (!b)
            break;
        i = (size_t)(b - s);
        int v = escape_value(s + i, n - i);
        if (v < 0) {
            i += 2; /* some other escape, "\\" among them */
            continue;
        }
        if (v >= 0xD800 && v <= 0xDBFF) {
            int low = escape_value(s + i + 6, n - i - 6);
            if (low >= 0xDC00 && low <= 0xDFFF) {
                i += 12;
                continue;
            }
        }
        if (v >= 0xD800 && v <= 0xDFFF) {
            memcpy(s + i + 2, "fffd", 4);
            count++;
        }
        i += 6;
    }
    return count;
}

/* True when the digits (an integer without sign) are beyond int64. */
static bool beyond_int64(const char *digits, size_t n, bool negative)
{
    const char *most = negative ? "9223372036854775808" : "9223372036854775807";
    return n > 19 || (n == 19 && memcmp(digits, most, 19) > 0);
}

/* Copies s to out, ".0" behind integers that need it; returns their number. out has room for all of s and 2 bytes per 19 of it. */
static int64_t widen_integers(gg_str *out, const char *s, size_t n)
{
    int64_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n;) {
        if (s[i] == '"') {
            for (i++; i < n && s[i] != '"'; i++)
                if (s[i] == '\\')
                    i++;
            i++;
        } else if (s[i] >= '0' && s[i] <= '9') {
            size_t from = i;
            while (i < n && s[i] >= '0' && s[i] <= '9')
                i++;
            bool integer = i == n || (s[i] != '.' && s[i] != 'e' && s[i] != 'E');
            if (integer && beyond_int64(s + from, i - from, from > 0 && s[from - 1] == '-')) {
                gg_str_add(out, s + kept, i - kept);
                gg_str_puts(out, ".0");
                kept = i;
                count++;
            }
            while (!integer && i < n && (s[i] == '.' || s[i] == '+' || s[i] == '-' || s[i] == 'e' || s[i] == 'E' || (s[i] >= '0' && s[i] <= '9')))
                i++;
        } else
            i++;
    }
    if (kept < n)
        gg_str_add(out, s + kept, n - kept);
    return count;
}

static json_t *load(const char *text, size_t n, gg_json_error *error)
{
    json_error_t e;
    json_t *value = json_loadb(text, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
    if (value)
        return value;
    snprintf(error->what, sizeof error->what, "%s", e.text);
    error->column = e.column > 0 ? e.column : 1;
    return NULL;
}

gg_status gg_json_parse(json_t **out, gg_context *ctx, const char *text, size_t n, int64_t *repaired, gg_json_error *error)
{
    *out = load(text, n, error);
    if (*out)
        return GG_OK;
    size_t n_copy = n;
    char *copy = gg_alloc(ctx, gg_mul(gg_utf8_is_valid(text, n) ? 1 : 3, (int64_t)n));
    if (!copy)
        return GG_ENOMEM;
    int64_t count = gg_utf8_repair(copy, &n_copy, text, n);
    count += repair_surrogates(copy, n_copy);
    gg_str wide = {.ctx = ctx};
    int64_t widened = widen_integers(&wide, copy, n_copy);
    if (!wide.failed && (count > 0 || widened > 0))
        *out = load(wide.data ? wide.data : "", wide.len, error);
    gg_status s = wide.failed ? GG_ENOMEM : *out ? GG_OK : GG_EFORMAT;
    gg_drop(ctx, copy);
    gg_str_free(&wide);
    *repaired += s == GG_OK ? count : 0;
    return s;
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

void gg_json_write(gg_str *out, const json_t *value)
{
    const char *key;
    json_t *v;
    size_t i;
    bool first = true;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        gg_str_add(out, "{", 1);
        json_object_foreach((json_t *)value, key, v)
        {
            if (!first)
                gg_str_add(out, ",", 1);
            first = false;
            write_text(out, key, strlen(key));
            gg_str_add(out, ":", 1);
            gg_json_write(out, v);
        }
        gg_str_add(out, "}", 1);
        break;
    case JSON_ARRAY:
        gg_str_add(out, "[", 1);
        json_array_foreach(value, i, v)
        {
            if (i > 0)
                gg_str_add(out, ",", 1);
            gg_json_write(out, v);
        }
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
