/* How wide letters are, and which of them the fonts of this machine have. Owns: the boxes that stand for the others.
 *
 * Trap: for a letter without a glyph Pango draws a box with its number in it, and gnuplot's pngcairo scales that box as if it were a
 * letter of its oversampled canvas: one missing letter paints the picture black. So the letters are looked up before, in what
 * fontconfig lists (Pango depends on it, so where gnuplot draws PNG, fc-list is there). SVG needs none of this: its reader has fonts.
 */
#include "plot/fonts.h"
#include "base/utf8.h"
#include "plot/program.h"
#include <stdlib.h>
#include <utf8proc.h>

enum { BOX = 0x25a1, MOST_DOUBTFUL = 4096 };

/* Letters of every font one would draw a plot with; looked up are the others only. */
static bool is_common(int32_t cp)
{
    return cp < 0x180 || (cp >= 0x391 && cp <= 0x3c9) || (cp >= 0x410 && cp <= 0x44f) || (cp >= 0x2010 && cp <= 0x2026);
}

/* Joiners, marks of direction, selectors of variants: Pango draws nothing for them. */
static bool is_invisible(int32_t cp)
{
    return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) ||
           cp == 0xfeff || (cp >= 0xe0000 && cp <= 0xe0fff);
}

typedef struct doubtful {
    int n;
    int32_t cp[MOST_DOUBTFUL]; /* (n,) rising, once each */
    bool has[MOST_DOUBTFUL];   /* (n,) a font has it */
} doubtful;

/* Position of cp, or of the first above it. */
static int position(const doubtful *d, int32_t cp)
{
    int low = 0, high = d->n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (d->cp[middle] < cp)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(doubtful *d, int32_t cp)
{
    const int at = position(d, cp);
    if ((at < d->n && d->cp[at] == cp) || d->n == MOST_DOUBTFUL)
        return;
    memmove(d->cp + at + 1, d->cp + at, (size_t)(d->n - at) * sizeof *d->cp);
    d->cp[at] = cp;
    d->n++;
}

/* `list`: a line a font, "TrueType 20-7e a0-17f 192". Bitmaps and Type 1 fonts are listed too, and Pango does not draw with them. */
static void look_up(doubtful *d, const char *list)
{
    for (const char *line = list; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "TrueType ", 9) != 0 && strncmp(line, "CFF ", 4) != 0)
            continue;
        for (const char *at = strchr(line, ' '); *at == ' ';) {
            char *end;
            const long first = strtol(at, &end, 16);
            long last = first;
            if (end == at)
                break;
            if (*end == '-') {
                at = end + 1;
                last = strtol(at, &end, 16);
            }
            for (int i = position(d, (int32_t)first); i < d->n && d->cp[i] <= last; i++)
                d->has[i] = true;
            at = end;
        }
    }
}

static gg_status find(doubtful *d, gg_context *ctx)
{
    static const char *const argv[] = {"fc-list", "--format", "%{fontformat} %{charset}\n", NULL};
    gg_str list = {.ctx = ctx};
    gg__program_end end;
    const gg_status s = gg__program_run(&list, &end, ctx, argv, NULL);
    if (s == GG_OK && list.len)
        look_up(d, list.data);
    gg_str_free(&list);
    return s == GG_ENOMEM ? s : GG_OK; /* a machine that cannot tell has common letters only */
}

static void copy(gg_str *out, const gg_str *script, const doubtful *d)
{
    const int box = position(d, BOX);
    const bool has_box = box < d->n && d->cp[box] == BOX && d->has[box];
    size_t kept = 0;
    for (size_t i = 0; i < script->len;) {
        int32_t cp;
        const size_t n = (size_t)gg_utf8_decode(&cp, script->data + i, script->len - i);
        if (!is_common(cp) && !is_invisible(cp)) {
            const int at = position(d, cp);
            if (!(at < d->n && d->cp[at] == cp && d->has[at])) {
                gg_str_add(out, script->data + kept, i - kept);
                gg_str_puts(out, has_box ? "\xe2\x96\xa1" : "?");
                kept = i + n;
            }
        }
        i += n;
    }
    gg_str_add(out, script->data + kept, script->len - kept);
}

gg_status gg__fonts_fit(gg_str *out, const gg_str *script, const char *name)
{
    gg_context *ctx = out->ctx;
    doubtful *d = gg_new(ctx, doubtful, 1);
    if (!d)
        return GG_ENOMEM;
    for (size_t i = 0; i < script->len;) {
        int32_t cp;
        i += (size_t)gg_utf8_decode(&cp, script->data + i, script->len - i);
        if (!is_common(cp) && !is_invisible(cp))
            insert(d, cp);
    }
    gg_status s = GG_OK;
    if (d->n > 0) {
        insert(d, BOX);
        s = find(d, ctx);
        int missing = 0;
        int32_t first = 0;
        for (int i = 0; i < d->n; i++)
            if (!d->has[i] && d->cp[i] != BOX && missing++ == 0)
                first = d->cp[i];
        if (s == GG_OK && missing > 0) {
            char letter[5] = {0};
            gg_utf8_encode(letter, first);
            gg_log(ctx, GG_LOG_WARNING,
                   "%s: no font here has \"%s\" (U+%04X)%s: a box stands in its place. A font helps: apt-get install fonts-noto-core fonts-noto-cjk",
                   name, letter, (unsigned)first, missing > 1 ? " and other letters" : "");
        }
    }
    if (s == GG_OK)
        copy(out, script, d);
    gg_drop(ctx, d);
    return s;
}

int gg__fonts_width(int32_t cp)
{
    static const unsigned char ASCII[] = {
        32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, /* space to / */
        64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54, /* 0 to ? */
        100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79, /* @ to O */
        61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50, /* P to _ */
        50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, /* ` to o */
        64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84}; /* p to ~ */
    if (cp >= 0x20 && cp < 0x7f)
        return ASCII[cp - 0x20];
    const int columns = cp >= 0 ? utf8proc_charwidth(cp) : 0;
    return columns == 0 ? 0 : columns > 1 || cp >= 0x2000 ? 100 : 72;
}
