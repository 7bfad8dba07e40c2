/* JSON: jansson's values, read and written by golgi (json.c says why). */
#ifndef GG_BASE_JSON_H
#define GG_BASE_JSON_H
#include <golgi/base.h>
#include <jansson.h>
#include "base/memory.h"

/* One JSON value from text (n bytes). Repaired, and counted in *repaired: bytes that are not UTF-8 and lone surrogate escapes become U+FFFD.
 * NUL (\u0000) may be in texts. A key given twice: the last value counts, at the place of the first. Integers beyond 64 bits
 * become doubles. GG_EFORMAT: *error says why and where. scratch: zero-initialised with its context, kept from call to call, freed by the caller. */
typedef struct gg_json_error {
    char what[160];
    int64_t column; /* byte of the text, from 1 */
} gg_json_error;
gg_status gg_json_parse(json_t **out, gg_str *scratch, const char *text, size_t n, int64_t *repaired, gg_json_error *error);
/* A whole file or header that is JSON, held to it: names once in an object, all bytes UTF-8. "FILE:LINE:COLUMN: WHAT is no valid JSON: ...".
 * Unlike jansson's own reader it tells want of memory from bad text, and never takes a part of a text for the whole when memory is short. */
gg_status gg_json_document(json_t **out, gg_context *ctx, const char *text, size_t n, const char *file, const char *what);
/* The same of a file. */
gg_status gg_json_read_file(json_t **out, gg_context *ctx, const char *path, const char *what);
/* gg_json_document where names are tokens: they may hold NUL, and of one that is there twice the last value counts. */
gg_status gg_json_vocabulary(json_t **out, gg_context *ctx, const char *text, size_t n, const char *file);
/* "an object", "a number", ... */
const char *gg_json_kind(const json_t *value);

/* Appends value as JSON, keys in their order, doubles in the fewest digits that read back as the same double. indent: 0 for one line without needless
 * spaces, else an entry a line, each level so many spaces further in. NULL (a value there was no memory for) fails as an append does. */
void gg_json_write(gg_str *out, const json_t *value, int indent);
/* The same as a whole file. */
gg_status gg_json_write_file(gg_context *ctx, const char *path, const json_t *value, int indent);
/* The result of a command, indented, on standard output. Takes it over; NULL (there was no memory for it) fails. */
gg_status gg_json_print(gg_context *ctx, json_t *value);
/* A number, or null for what JSON has no number for: NaN and infinities. NULL: out of memory. */
json_t *gg_json_number(double x);
/* Lists and objects that are whole or NULL: a part that could not be made, or put in, takes all of it away. Take the part over. */
void gg_json_add(json_t **list, json_t *part);
void gg_json_put(json_t **object, const char *key, json_t *part);
#endif
