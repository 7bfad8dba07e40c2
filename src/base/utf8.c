/* UTF-8. Owns: the table of well-formed sequences (Unicode 15, table 3-7) and nothing else.
 *
 *     lead      second    further
 *     00..7F
 *     C2..DF    80..BF
 *     E0        A0..BF    80..BF              no overlong forms
 *     E1..EC    80..BF    80..BF
 *     ED        80..9F    80..BF              no surrogates
 *     EE..EF    80..BF    80..BF
 *     F0        90..BF    80..BF 80..BF       no overlong forms
 *     F1..F3    80..BF    80..BF 80..BF
 *     F4        80..8F    80..BF 80..BF       nothing above 10FFFF
 * Trap: the replacement is per maximal subpart, not per byte and not per attempted character: only the second byte has
 * narrower bounds, and a byte that does not fit is looked at again as a lead.
 */
#include "base/utf8.h"
#include <string.h>

int gg_utf8_decode(int32_t *cp, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned lead = s[0];
    if (lead < 0x80) {
        *cp = (int32_t)lead;
        return 1;
    }
    *cp = -1;
    if (lead < 0xC2 || lead > 0xF4)
        return 1;
    int length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    int32_t value = (int32_t)(lead & (length == 2 ? 0x1Fu : length == 3 ? 0x0Fu : 0x07u));
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= n || s[i] < low || s[i] > high)
            return i;
        value = value << 6 | (s[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *cp = value;
    return length;
}

/* Bytes of ASCII at the start of s, in steps of a machine word: texts are mostly ASCII, and this is what reading costs. */
static size_t ascii_prefix(const char *s, size_t n)
{
    const uint64_t top = 0x8080808080808080u;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        uint64_t w[4];
        memcpy(w, s + i, 32);
        if ((w[0] | w[1] | w[2] | w[3]) & top)
            break;
    }
    while (i < n && !(s[i] & 0x80))
        i++;
    return i;
}

size_t gg_utf8_valid_prefix(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (!(s[i] & 0x80)) {
            i += ascii_prefix(s + i, n - i);
            continue;
        }
        int32_t cp;
        int length = gg_utf8_decode(&cp, s + i, n - i);
        if (cp < 0)
            return i;
        i += (size_t)length;
    }
    return n;
}

int gg_utf8_encode(char out[4], int32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

int64_t gg_utf8_repair(char *out, size_t *n_out, const char *s, size_t n)
{
    int64_t count = 0;
    size_t i = 0, o = 0;
    while (i < n) {
        size_t good = gg_utf8_valid_prefix(s + i, n - i);
        if (good > 0) /* s may be NULL only when n is 0 */
            memcpy(out + o, s + i, good);
        i += good;
        o += good;
        if (i == n)
            break;
        int32_t cp;
        i += (size_t)gg_utf8_decode(&cp, s + i, n - i);
        memcpy(out + o, "\xEF\xBF\xBD", 3);
        o += 3;
        count++;
    }
    *n_out = o;
    return count;
}

bool gg_utf8_is_space(int32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) ||
           cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000 || cp == 0xFEFF;
}

bool gg_utf8_is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        int32_t cp;
        i += (size_t)gg_utf8_decode(&cp, s + i, n - i);
        if (!gg_utf8_is_space(cp))
            return false;
    }
    return true;
}
