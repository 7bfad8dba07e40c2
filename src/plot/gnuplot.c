/* gnuplot: texts and scripts for it, and the pictures that come back. program.c runs it.
 *
 * Pictures are taken into memory, looked at, and written by file.c.
 * Traps: -d, or a person's ~/.gnuplot changes our plots; text goes in single quotes only (in double quotes a backquote runs a command), and
 * an apostrophe in it is a string of its own, appended (gnuplot 5.4 misreads a doubled one that begins a string or follows another, and takes
 * what comes then for commands); "noenhanced", or an underscore in a name lowers the next letter; the text of a tick is a format, in which a per
 * cent sign must be doubled.
 */
#include "plot/gnuplot.h"
#include "base/file.h"
#include "base/utf8.h"
#include "plot/fonts.h"
#include "plot/program.h"
#include "plot/svg.h"

/* ---- text ---- */

typedef struct letters {
    const char *at;
    size_t left;
} letters;

/* The next character, fit for a picture; -1 at the end. */
static int32_t next_letter(letters *l)
{
    if (l->left == 0)
        return -1;
    int32_t cp;
    const int n = gg_utf8_decode(&cp, l->at, l->left);
    l->at += n;
    l->left -= (size_t)n;
    if (cp < 0 || cp == 0xfffe || cp == 0xffff)
        return 0xfffd;
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ? ' ' : cp;
}

static void put_letter(gg_str *script, int32_t cp)
{
    char bytes[4];
    if (cp == '\'')
        gg_str_puts(script, "'.\"'\".'");
    else
        gg_str_add(script, bytes, (size_t)gg_utf8_encode(bytes, cp));
}

/* In hundredths of the font's size. */
static int64_t width_of(letters l)
{
    int64_t n = 0;
    for (int32_t cp; (cp = next_letter(&l)) >= 0;)
        n += gg__fonts_width(cp);
    return n;
}

double gg__gnuplot_width(const char *text)
{
    return (double)width_of((letters){text, strlen(text)}) / 100;
}

/* Letters until `most` is reached, and an ellipsis if that is before the end. */
static void put_letters(gg_str *script, letters *l, int64_t most, bool is_format)
{
    enum { ELLIPSIS = 0x2026 };
    const bool cut = width_of(*l) > most;
    int64_t used = cut ? gg__fonts_width(ELLIPSIS) : 0;
    for (;;) {
        const letters here = *l;
        const int32_t cp = next_letter(l);
        used += cp >= 0 ? gg__fonts_width(cp) : 0;
        if (cp < 0 || used > most) {
            *l = here;
            break;
        }
        put_letter(script, cp);
        if (is_format && cp == '%')
            put_letter(script, cp);
    }
    if (cut)
        put_letter(script, ELLIPSIS);
}

void gg__gnuplot_quote(gg_str *script, const char *text, double most)
{
    letters l = {text, strlen(text)};
    gg_str_puts(script, "'");
    put_letters(script, &l, (int64_t)(100 * most), false);
    gg_str_puts(script, "'");
}

void gg__gnuplot_quote_tick(gg_str *script, const char *text, double most)
{
    letters l = {text, strlen(text)};
    gg_str_puts(script, "'");
    put_letters(script, &l, (int64_t)(100 * most), true);
    gg_str_puts(script, "'");
}

const char *gg__gnuplot_quote_line(gg_str *script, const char *text, double most)
{
    const int64_t room = (int64_t)(100 * most);
    letters l = {text, strlen(text)}, scan = l, cut = l, space = l;
    bool at_space = false;
    if (width_of(l) <= room) {
        gg__gnuplot_quote(script, text, most);
        return NULL;
    }
    for (int64_t used = 0;;) { /* to the last space that fits, or as many letters as fit */
        cut = scan;
        const int32_t cp = next_letter(&scan);
        used += gg__fonts_width(cp);
        if (used > room)
            break;
        if (cp == ' ') {
            space = cut;
            at_space = true;
        }
    }
    const char *const end = at_space ? space.at : cut.at;
    gg_str_puts(script, "'");
    while (l.at < end)
        put_letter(script, next_letter(&l));
    gg_str_puts(script, "'");
    if (at_space)
        next_letter(&l);
    return l.at;
}

/* ---- pictures ---- */

static gg_status run(gg_str *picture, gg_context *ctx, const gg_str *script)
{
    static const char *const argv[] = {"gnuplot", "-d", NULL};
    gg__program_end end;
    const gg_status s = gg__program_run(picture, &end, ctx, argv, script);
    if (s == GG_ENOENT)
        return gg_fail(ctx, GG_EUNSUPPORTED, "plots need the program gnuplot, and it is not on PATH: apt-get install gnuplot-nox fonts-dejavu-core");
    if (s == GG_OK && strstr(end.said, "unknown or ambiguous terminal"))
        return gg_fail(ctx, GG_EUNSUPPORTED, "this gnuplot cannot draw PNG or SVG (%s): apt-get install gnuplot-nox", end.said);
    if (s == GG_OK && end.status > 0)
        return gg_fail(ctx, GG_EIO, "gnuplot ended with status %d: %s", end.status, *end.said ? end.said : "it did not say why");
    return s;
}

static bool ends_with(const gg_str *s, const char *end, size_t n)
{
    return s->len >= n && memcmp(s->data + s->len - n, end, n) == 0;
}

static gg_status draw(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height, bool png)
{
    gg_str whole = {.ctx = ctx}, picture = {.ctx = ctx}, name = {.ctx = ctx};
    gg_str_puts(&whole, "set encoding utf8\n");
    if (png)
        gg_str_printf(&whole,
                      "large = ',16'; small = ',10'; dot = 0.9\n"
                      "set terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,10.5' fontscale 2 linewidth 2 pointscale 2 background '#ffffff'\n",
                      2 * width, 2 * height);
    else
        gg_str_printf(&whole,
                      "large = ',21'; small = ',13'; dot = 0.65\n"
                      "set terminal svg noenhanced standalone fixed size %d,%d font 'DejaVu Sans,14' background '#ffffff'\n",
                      width, height);
    gg_str_printf(&name, "%s.%s", path, png ? "png" : "svg");
    gg_status s = whole.failed || name.failed || script->failed ? GG_ENOMEM : GG_OK;
    if (s == GG_OK && png)
        s = gg__fonts_fit(&whole, script, name.data);
    else
        gg_str_add(&whole, script->data, script->len);
    gg_str_puts(&whole, "unset output\n");
    if (s == GG_OK)
        s = whole.failed ? GG_ENOMEM : run(&picture, ctx, &whole);
    if (s == GG_OK && !(png ? ends_with(&picture, "IEND\xae\x42\x60\x82", 8) : ends_with(&picture, "</svg>\n", 7) || ends_with(&picture, "</svg>\n\n", 8)))
        s = gg_fail(ctx, GG_EIO, "gnuplot gave no whole picture for %s (%zu bytes)", name.data, picture.len);
    gg_str tidy = {.ctx = ctx};
    if (s == GG_OK && !png)
        s = gg__svg_tidy(&tidy, picture.data, picture.len, name.data, title);
    if (s == GG_OK)
        s = gg_file_write(ctx, name.data, png ? picture.data : tidy.data, png ? picture.len : tidy.len);
    gg_str_free(&tidy);
    gg_str_free(&whole);
    gg_str_free(&picture);
    gg_str_free(&name);
    return s;
}

gg_status gg__gnuplot_write(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height)
{
    GG_TRY(draw(ctx, path, title, script, width, height, true));
    return draw(ctx, path, title, script, width, height, false);
}
