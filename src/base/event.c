/* Events of --log-json, as text. Owns nothing. */
#include "base/event.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

void gg__json_quote(gg_str *s, const char *text)
{
    size_t left = strlen(text);
    gg_str_puts(s, "\"");
    while (left > 0) {
        int32_t cp;
        char bytes[4];
        const int n = gg_utf8_decode(&cp, text, left);
        text += n;
        left -= (size_t)n;
        cp = cp < 0 ? 0xfffd : cp;
        if (cp == '"' || cp == '\\')
            gg_str_printf(s, "\\%c", (char)cp);
        else if (cp == '\n')
            gg_str_puts(s, "\\n");
        else if (cp < 0x20 || cp == 0x7f)
            gg_str_printf(s, "\\u%04x", (unsigned)cp);
        else
            gg_str_add(s, bytes, (size_t)gg_utf8_encode(bytes, cp));
    }
    gg_str_puts(s, "\"");
}

void gg__event_text(gg_str *s, const char *name, const char *text)
{
    gg_str_printf(s, ",\"%s\":", name);
    gg__json_quote(s, text);
}

void gg__event_number(gg_str *s, const char *name, double x)
{
    if (!isfinite(x))
        gg_str_printf(s, ",\"%s\":null", name);
    else if (x == floor(x) && fabs(x) <= 9007199254740992.0)
        gg_str_printf(s, ",\"%s\":%.0f", name, x);
    else
        gg_str_printf(s, ",\"%s\":%.6g", name, x);
}

void gg__event_begin(gg_str *s, const char *command, const char *event)
{
    struct timespec now;
    struct tm utc;
    char date[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    gg_str_printf(s, "{\"time\":\"%s.%03ldZ\"", date, now.tv_nsec / 1000000);
    gg__event_text(s, "command", command);
    gg__event_text(s, "event", event);
}

void gg__event_end(gg_str *s)
{
    gg_str_puts(s, "}\n");
    if (!s->failed)
        fputs(s->data, stderr); /* unbuffered: one write, so that lines of several processes do not mix */
    gg_str_free(s);
}
