/* The progress line, on standard error: rewritten in place on a terminal ten times a second, a line every ten seconds elsewhere; with --log-json an
 * object every five, and one at the end.
 *
 *     title  [=====>     ]  48 %   4,812 of 10,000 docs   11.2 docs/s   7 m 43 s left   84 % of this machine's fp32 roof   note
 * The rate is that of the whole run; a rate that hops about helps nobody. What an earlier run did counts as done and not for the rate.
 * On a terminal that is too narrow the bar goes first, then words, the percentage, the end of the title; the numbers stay as long as there is room.
 */
#include "base/context.h"
#include "base/event.h"
#include "base/memory.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVENT_SECONDS 5.0

struct gg_progress {
    gg_context *ctx;
    char *title, *unit;
    char note[128];
    int64_t total, done, before; /* before: of done, what an earlier run did */
    double work, roof; /* operations; operations a second, 0: not shown */
    char roof_name[16];
    double start, drawn; /* gg_time() */
    bool terminal, shown; /* shown: a line stands on the terminal */
    pthread_mutex_t lock;
};

gg_status gg_progress_create(gg_progress **out, gg_context *ctx, const char *title, const char *unit, int64_t total)
{
    *out = NULL;
    gg_progress *p = gg_new(ctx, gg_progress, 1);
    if (!p)
        return GG_ENOMEM;
    const double now = gg_time();
    *p = (gg_progress){.ctx = ctx, .total = total, .start = now, .drawn = now, .terminal = isatty(STDERR_FILENO) == 1};
    pthread_mutex_init(&p->lock, NULL);
    p->title = gg_strdup(ctx, title);
    p->unit = gg_strdup(ctx, unit);
    if (!p->title || !p->unit) {
        gg_progress_free(p);
        return GG_ENOMEM;
    }
    pthread_mutex_lock(&ctx->log_lock);
    if (!ctx->progress)
        ctx->progress = p; /* log lines are written around it */
    pthread_mutex_unlock(&ctx->log_lock);
    *out = p;
    return GG_OK;
}

/* 10000 -> "10,000" */
static void put_count(gg_str *s, int64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        gg_str_add(s, &digits[i], 1);
        if (i + 1 < len && (len - 1 - i) % 3 == 0)
            gg_str_puts(s, ",");
    }
}

static void put_duration(gg_str *s, double seconds)
{
    const long long t = (long long)(seconds + 0.5);
    if (t < 60)
        gg_str_printf(s, "%lld s", t);
    else if (t < 3600)
        gg_str_printf(s, "%lld m %02lld s", t / 60, t % 60);
    else
        gg_str_printf(s, "%lld h %02lld m", t / 3600, t % 3600 / 60);
}

/* How much of the line there is, from all of it on. */
enum { WHOLE, NO_BAR, FEW_WORDS, NUMBERS };

/* All that stands behind the title. */
static void put_rest(gg_str *s, const gg_progress *p, double now, int form)
{
    const char *gap = form >= FEW_WORDS ? "  " : "   ";
    if (p->total > 0) {
        const double part = p->done < p->total ? (double)p->done / (double)p->total : 1.0;
        if (p->terminal && form == WHOLE) {
            const int width = 20, at = (int)(part * width);
            gg_str_puts(s, "  [");
            for (int i = 0; i < width; i++)
                gg_str_puts(s, i < at ? "=" : i == at ? ">" : " ");
            gg_str_puts(s, "]");
        }
        if (form < NUMBERS)
            gg_str_printf(s, "  %2d %%", (int)(100.0 * part));
        gg_str_puts(s, gap);
        put_count(s, p->done);
        gg_str_puts(s, " of ");
        put_count(s, p->total);
    } else {
        gg_str_puts(s, gap);
        put_count(s, p->done);
    }
    gg_str_printf(s, " %s", p->unit);
    const double spent = now - p->start;
    if (p->done > p->before && spent > 0.5) {
        const double rate = (double)(p->done - p->before) / spent;
        gg_str_printf(s, rate < 100 ? "%s%.1f %s/s" : "%s%.0f %s/s", gap, rate, p->unit);
        if (p->total > p->done) {
            gg_str_puts(s, gap);
            put_duration(s, (double)(p->total - p->done) / rate);
            gg_str_puts(s, " left");
        }
    }
    if (p->roof > 0 && p->work > 0 && spent > 0.5)
        gg_str_printf(s, "%s%.0f %% of %s%s roof", gap, 100 * p->work / spent / p->roof, form >= FEW_WORDS ? "" : "this machine's ", p->roof_name);
    if (p->note[0])
        gg_str_printf(s, "%s%s", gap, p->note);
}

/* At most `width` characters, whole ones (UTF-8): their bytes. */
static size_t cut(const char *text, size_t width)
{
    size_t i = 0;
    for (size_t n = 0; text[i]; i++)
        if (((unsigned char)text[i] & 0xC0) != 0x80 && n++ == width)
            break;
    return i;
}

static size_t width_of(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* In at most `room` characters: the longest form that fits, or of the shortest what does. */
static void put_line(gg_str *s, const gg_progress *p, double now, size_t room)
{
    gg_str rest = {.ctx = s->ctx};
    size_t title = width_of(p->title), width = 0;
    for (int form = WHOLE; form <= NUMBERS; form++) {
        gg_str_free(&rest);
        put_rest(&rest, p, now, form);
        if (rest.failed)
            break;
        width = width_of(rest.data);
        if (title + width <= room)
            break;
    }
    s->failed = rest.failed;
    if (!rest.failed) {
        title = title + width <= room ? title : width < room ? room - width : 0;
        gg_str_add(s, p->title, cut(p->title, title));
        gg_str_add(s, rest.data, cut(rest.data, room - title));
    }
    gg_str_free(&rest);
}

static void draw_event(const gg_progress *p, double now)
{
    gg_str s = {.ctx = p->ctx};
    const double spent = now - p->start, rate = spent > 0 ? (double)(p->done - p->before) / spent : 0;
    gg__event_begin(&s, p->ctx->events, "progress");
    gg__event_text(&s, "title", p->title);
    gg__event_number(&s, "done", (double)p->done);
    if (p->total > 0)
        gg__event_number(&s, "total", (double)p->total);
    gg__event_text(&s, "unit", p->unit);
    gg__event_number(&s, "seconds", spent);
    gg__event_number(&s, "per_second", rate);
    if (p->total > 0 && rate > 0)
        gg__event_number(&s, "seconds_left", p->total > p->done ? (double)(p->total - p->done) / rate : 0);
    if (p->roof > 0 && p->work > 0 && spent > 0) {
        gg__event_text(&s, "roof", p->roof_name);
        gg__event_number(&s, "roof_share", p->work / spent / p->roof);
    }
    if (p->note[0])
        gg__event_text(&s, "note", p->note);
    gg__event_end(&s);
}

/* With the lock held. A line that cannot be made for want of memory is left out. */
static void draw(gg_progress *p, double now)
{
    p->drawn = now;
    if (p->ctx->events) {
        draw_event(p, now);
        return;
    }
    struct winsize w = {0};
    const int columns = p->terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
    gg_str s = {.ctx = p->ctx};
    put_line(&s, p, now, p->terminal ? (size_t)columns - 1 : SIZE_MAX);
    if (!s.failed) {
        fprintf(stderr, p->terminal ? "\r%s\033[K" : "%s\n", s.data);
        fflush(stderr);
        p->shown = p->terminal;
    }
    gg_str_free(&s);
}

void gg_progress_add(gg_progress *p, int64_t units)
{
    if (!p)
        return;
    const double now = gg_time();
    pthread_mutex_lock(&p->lock);
    p->done += units;
    if (now - p->drawn >= (p->ctx->events ? EVENT_SECONDS : p->terminal ? 0.1 : 10.0))
        draw(p, now);
    pthread_mutex_unlock(&p->lock);
}

void gg_progress_before(gg_progress *p, int64_t units)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->before += units;
    pthread_mutex_unlock(&p->lock);
    gg_progress_add(p, units);
}

void gg_progress_work(gg_progress *p, double operations)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->work += operations;
    pthread_mutex_unlock(&p->lock);
}

void gg_progress_roof(gg_progress *p, double operations_per_second, const char *name)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->roof = operations_per_second;
    snprintf(p->roof_name, sizeof p->roof_name, "%s", name);
    p->start = gg_time(); /* what was measured before is not part of the run */
    pthread_mutex_unlock(&p->lock);
}

void gg_progress_note(gg_progress *p, const char *text)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    snprintf(p->note, sizeof p->note, "%s", text);
    pthread_mutex_unlock(&p->lock);
}

void gg__progress_say(gg_progress *p, const char *line)
{
    if (p)
        pthread_mutex_lock(&p->lock);
    fprintf(stderr, "%s%s\n", p && p->shown ? "\r\033[K" : "", line);
    if (p) {
        if (p->shown)
            draw(p, gg_time());
        pthread_mutex_unlock(&p->lock);
    }
}

void gg_progress_free(gg_progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->ctx->log_lock);
    if (p->ctx->progress == p)
        p->ctx->progress = NULL;
    pthread_mutex_unlock(&p->ctx->log_lock);
    if (p->ctx->events && p->done > 0)
        draw_event(p, gg_time()); /* how it ended */
    if (p->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    pthread_mutex_destroy(&p->lock);
    gg_drop(p->ctx, p->title);
    gg_drop(p->ctx, p->unit);
    gg_drop(p->ctx, p);
}
