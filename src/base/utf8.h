/* UTF-8: validation, decoding, repair. Every text that enters golgi passes here once; behind it all texts are valid UTF-8.
 *
 * Repair puts one U+FFFD (EF BF BD) for each maximal subpart of an ill-formed sequence (Unicode 15, section 3.9, table 3-8), which is what
 * Python's bytes.decode(errors="replace") and the WHATWG decoder do: a truncated E2 82 becomes one U+FFFD, the surrogate ED A0 80 three.
 */
#ifndef GG_BASE_UTF8_H
#define GG_BASE_UTF8_H
#include <golgi/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Length in bytes of the longest valid prefix of s: n when all of it is valid. */
size_t gg_utf8_valid_prefix(const char *s, size_t n);
static inline bool gg_utf8_is_valid(const char *s, size_t n) { return gg_utf8_valid_prefix(s, n) == n; }

/* Decodes the code point at s (n > 0 bytes left); returns the bytes it takes, 1..4. Ill-formed: *cp = -1 and the
 * length of the maximal subpart. */
int gg_utf8_decode(int32_t *cp, const char *s, size_t n);

/* Writes cp (0..10FFFF, no surrogate) and returns its length, 1..4. */
int gg_utf8_encode(char out[4], int32_t cp);

/* Writes the repaired text to out, which has room for 3 n bytes, and its length to n_out; returns the U+FFFD written. */
int64_t gg_utf8_repair(char *out, size_t *n_out, const char *s, size_t n);

/* True for the code points of Unicode's White_Space property, and for U+FEFF. */
bool gg_utf8_is_space(int32_t cp);
/* True when a valid text is empty or only white space. */
bool gg_utf8_is_blank(const char *s, size_t n);

#ifdef __cplusplus
}
#endif
#endif
