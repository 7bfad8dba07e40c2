/* --log-json: what a command says on standard error, one JSON object a line, for machines that read along.
 *
 *     {"time":"2026-01-31T12:00:00.123Z","command":"nag select","event":"progress","title":"pool","done":120,"total":400,"unit":"docs",...}
 *
 * Events: log (level, text), progress, said (a summary in text), end (exit, and of a failure status and text). docs/formats.md lists their members. */
#ifndef GG_BASE_EVENT_H
#define GG_BASE_EVENT_H
#include "base/memory.h"

/* Begins an object in s (zeroed but for ctx), adds members, writes it whole and frees s. Want of memory loses the line. */
void gg__event_begin(gg_str *s, const char *command, const char *event);
void gg__event_text(gg_str *s, const char *name, const char *text);
void gg__event_number(gg_str *s, const char *name, double x); /* integers up to 2^53 whole; what is not finite: null */
void gg__event_end(gg_str *s);

/* Appends text as a JSON string with its quotes; ill-formed UTF-8 becomes U+FFFD. */
void gg__json_quote(gg_str *s, const char *text);
#endif
