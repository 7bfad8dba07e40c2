/* SVG, read as XML and written again. Owns the list of what may stay.
 *
 * Inside an HTML page all pictures share one space of ids and one of styles, and a picture may carry scripts and fetch files. So
 * only elements of the list below are copied, with their attributes less handlers, classes, foreign namespaces and references that
 * leave the file; ids and the references to them get a prefix. What is not well formed is refused: an HTML parser would repair it in a
 * way of its own, and what stands behind it in the page would be drawn into the picture.
 *
 * Plots of golgi are known by a mark on their root. Their ink (gnuplot.h) becomes currentColor, the colour of the page's text, so they are
 * legible in dark mode; grid lines become a faint shade of it; their white background is left out.
 */
#include "plot/svg.h"
#include "base/utf8.h"
#include <stdlib.h>

enum { MOST_DEPTH = 200, MOST_ATTRIBUTES = 64, NAME = 48 };
static const char MARK[] = "data-golgi";

static const char *const DRAWING[] = {"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "textPath",
                                      "defs", "use", "symbol", "image", "clipPath", "mask", "pattern", "marker", "linearGradient", "radialGradient",
                                      "stop", "filter", "feFlood", "feComposite", "feBlend", "feGaussianBlur", "feOffset", "feMerge", "feMergeNode",
                                      "feColorMatrix"};

typedef struct span {
    const char *at;
    size_t n;
} span;

typedef struct attribute {
    span name, value; /* the value as it stands between its quotes */
} attribute;

typedef struct tag {
    span name;
    attribute attribute[MOST_ATTRIBUTES];
    int n;
    bool closes, is_empty; /* </x>, <x/> */
} tag;

typedef struct reader {
    gg_context *ctx;
    const char *start, *at, *end, *name;
    span open[MOST_DEPTH];
    int depth, skip; /* skip: the depth at which copying was stopped, 0: copying */
    gg_str *out;
    bool embed, own;
    const char *prefix, *extra, *title;
} reader;

static gg_status bad(const reader *r, const char *what)
{
    return gg_fail(r->ctx, GG_EFORMAT, "%s, byte %lld: %s", r->name, (long long)(r->at - r->start), what);
}

static bool is(span s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.at, text, s.n) == 0;
}

static bool begins(span s, const char *text)
{
    return s.n >= strlen(text) && memcmp(s.at, text, strlen(text)) == 0;
}

static const char *find(span s, const char *text)
{
    return s.n ? memmem(s.at, s.n, text, strlen(text)) : NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* ASCII is enough: all names that are kept are. */
static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ':' || (c & 0x80);
}

/* Text as it may stand in XML: no '<', no control characters, '&' only as one of the five names or a number. */
static gg_status check_text(reader *r, span s)
{
    for (size_t i = 0; i < s.n; i++) {
        const unsigned char c = (unsigned char)s.at[i];
        r->at = c == '<' || c == '&' || (c < 0x20 && !is_blank(s.at[i])) ? s.at + i : r->at;
        if (c == '<')
            return bad(r, "'<' inside a value");
        if (c < 0x20 && !is_blank(s.at[i]))
            return bad(r, "a control character");
        if (c != '&')
            continue;
        static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
        const span rest = {s.at + i, s.n - i};
        bool good = false;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            good = good || begins(rest, known[k]);
        size_t d = begins(rest, "&#x") ? 3 : 2;
        if (begins(rest, "&#")) {
            const size_t first = d;
            while (d < rest.n && ((rest.at[d] >= '0' && rest.at[d] <= '9') || (first == 3 && strchr("abcdefABCDEF", rest.at[d]) && rest.at[d])))
                d++;
            good = d > first && d < first + 8 && d < rest.n && rest.at[d] == ';';
        }
        if (!good)
            return bad(r, "'&' that begins no known entity");
    }
    return GG_OK;
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

static span read_name(reader *r)
{
    const char *first = r->at;
    while (r->at < r->end && is_name(*r->at))
        r->at++;
    return (span){first, (size_t)(r->at - first)};
}

/* r->at stands behind '<'. */
static gg_status read_tag(tag *t, reader *r)
{
    *t = (tag){.closes = r->at < r->end && *r->at == '/'};
    r->at += t->closes;
    t->name = read_name(r);
    if (t->name.n == 0 || t->name.n >= NAME)
        return bad(r, "the name of an element was expected");
    for (;;) {
        skip_blanks(r);
        if (r->at < r->end && *r->at == '/' && !t->closes) {
            t->is_empty = true;
            r->at++;
            if (r->at >= r->end || *r->at != '>')
                return bad(r, "'>' was expected");
        }
        if (r->at < r->end && *r->at == '>') {
            r->at++;
            return GG_OK;
        }
        if (t->closes || t->n == MOST_ATTRIBUTES)
            return bad(r, t->closes ? "'>' was expected" : "an element has more attributes than golgi reads");
        attribute *a = &t->attribute[t->n++];
        a->name = read_name(r);
        if (a->name.n == 0)
            return bad(r, "the name of an attribute was expected");
        for (int i = 0; i + 1 < t->n; i++)
            if (t->attribute[i].name.n == a->name.n && memcmp(t->attribute[i].name.at, a->name.at, a->name.n) == 0)
                return bad(r, "an attribute is given twice");
        skip_blanks(r);
        if (r->at >= r->end || *r->at != '=')
            return bad(r, "'=' was expected");
        r->at++;
        skip_blanks(r);
        if (r->at >= r->end || (*r->at != '"' && *r->at != '\''))
            return bad(r, "a quoted value was expected");
        const char quote = *r->at++, *close = memchr(r->at, quote, (size_t)(r->end - r->at));
        if (!close)
            return bad(r, "a value has no closing quote");
        a->value = (span){r->at, (size_t)(close - r->at)};
        GG_TRY(check_text(r, a->value));
        r->at = close + 1;
        if (r->at < r->end && is_name(*r->at))
            return bad(r, "white space was expected between attributes");
    }
}

void gg__xml_escape(gg_str *out, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        int32_t cp;
        const int n = gg_utf8_decode(&cp, text, left);
        if (cp < 0 || (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0) || (cp & 0xfffe) == 0xfffe || (cp >= 0xfdd0 && cp <= 0xfdef))
            gg_str_puts(out, "\xef\xbf\xbd");
        else if (cp == '&' || cp == '<' || cp == '>' || cp == '"' || cp == '\'')
            gg_str_puts(out, cp == '&' ? "&amp;" : cp == '<' ? "&lt;" : cp == '>' ? "&gt;" : cp == '"' ? "&quot;" : "&#39;");
        else
            gg_str_add(out, text, (size_t)n);
        text += n;
        left -= (size_t)n;
    }
}

/* ---- what stays ---- */

static bool is_drawing(span name)
{
    for (size_t i = 0; i < sizeof DRAWING / sizeof *DRAWING; i++)
        if (is(name, DRAWING[i]))
            return true;
    return false;
}

static const attribute *attribute_of(const tag *t, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (is(t->attribute[i].name, name))
            return &t->attribute[i];
    return NULL;
}

static bool same_letters(span s, const char *lower)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.at[i] | 0x20) != lower[i])
            return false;
    return true;
}

/* A reference that may leave the file, however it is written ("URL(", escapes of CSS or XML). */
static bool leaves(span value)
{
    for (size_t i = 0; i < value.n; i++) {
        const span rest = {value.at + i, value.n - i};
        if (*rest.at == '\\' || *rest.at == '@' || begins(rest, "&#"))
            return true;
        if (rest.n >= 4 && same_letters((span){rest.at, 3}, "url") && rest.at[3] == '(' && !(rest.n > 4 && rest.at[4] == '#'))
            return true;
        if (rest.n >= 9 && same_letters((span){rest.at, 9}, "image-set"))
            return true;
    }
    return false;
}

static bool keeps(const reader *r, const tag *t, const attribute *a)
{
    const span n = a->name, v = a->value;
    if (!r->embed)
        return true;
    const bool link = is(n, "href") || is(n, "xlink:href");
    if (link)
        return begins(v, "#") || (is(t->name, "image") && (begins(v, "data:image/png;base64,") || begins(v, "data:image/jpeg;base64,")));
    if ((n.n > 2 && (n.at[0] | 0x20) == 'o' && (n.at[1] | 0x20) == 'n') || is(n, "class") || memchr(n.at, ':', n.n) || begins(n, "data-") ||
        is(n, "tabindex") || begins(n, "aria-") || is(n, "role") || begins(n, "xmlns"))
        return false;
    for (size_t i = 0; i < n.n; i++)
        if (n.at[i] & 0x80)
            return false;
    if (r->depth == 0 && (is(n, "id") || is(n, "width") || is(n, "height") || is(n, "x") || is(n, "y") || is(n, "version") || is(n, "style") ||
                          is(n, "preserveAspectRatio")))
        return false;
    return !leaves(v);
}

/* Is this value gnuplot's way to write rgb c c c? */
static bool is_grey(span v, int c)
{
    int digits[3] = {0}, k = 0;
    if (!begins(v, "rgb("))
        return false;
    for (size_t i = 4; i < v.n && k < 3; i++) {
        if (v.at[i] >= '0' && v.at[i] <= '9' && digits[k] < 1000)
            digits[k] = 10 * digits[k] + v.at[i] - '0';
        else if (v.at[i] == ',' || v.at[i] == ')')
            k++;
        else if (v.at[i] != ' ')
            return false;
    }
    return k == 3 && digits[0] == c && digits[1] == c && digits[2] == c;
}

/* A value between double quotes, ids in it prefixed. */
static void put_value(const reader *r, span name, span v)
{
    gg_str *o = r->out;
    if (r->embed && is(name, "id"))
        gg_str_puts(o, r->prefix);
    for (size_t i = 0; i < v.n; i++) {
        const span rest = {v.at + i, v.n - i};
        if (*rest.at == '"')
            gg_str_puts(o, "&quot;");
        else
            gg_str_add(o, rest.at, 1);
        const bool link = i == 0 && (is(name, "href") || is(name, "xlink:href"));
        if (r->embed && *rest.at == '#' && (link || (i >= 4 && same_letters((span){rest.at - 4, 3}, "url") && rest.at[-1] == '(')))
            gg_str_puts(o, r->prefix);
    }
}

static void put_attribute(const reader *r, const attribute *a)
{
    gg_str *o = r->out;
    const bool paint = is(a->name, "stroke") || is(a->name, "fill") || is(a->name, "color");
    span name = a->name;
    if (r->embed && is(name, "xlink:href"))
        name = (span){"href", 4};
    gg_str_puts(o, " ");
    gg_str_add(o, name.at, name.n);
    gg_str_puts(o, "=\"");
    if (r->embed && r->own && paint && (is_grey(a->value, 34) || is(a->value, "black")))
        gg_str_puts(o, "currentColor");
    else if (r->embed && r->own && is(name, "stroke") && is_grey(a->value, 217))
        gg_str_puts(o, "currentColor\" stroke-opacity=\"0.17");
    else if (!r->embed && is(name, "stroke-width") && is(a->value, "0.190")) /* outlines of gnuplot's point shapes: too thin to show a colour */
        gg_str_puts(o, "0.3");
    else
        put_value(r, name, a->value);
    if (!r->embed && is(name, "font-family")) /* where gnuplot's font is not installed */
        gg_str_puts(o, ", Verdana, Helvetica, Arial, sans-serif");
    gg_str_puts(o, "\"");
}

static gg_status put_root(reader *r, const tag *t)
{
    gg_str *o = r->out;
    if (!is(t->name, "svg"))
        return bad(r, "the root of an SVG file is <svg>");
    const attribute *mark = attribute_of(t, MARK), *box = attribute_of(t, "viewBox"), *w = attribute_of(t, "width"), *h = attribute_of(t, "height");
    r->own = mark && is(mark->value, "plot");
    if (!r->embed) {
        gg_str_printf(o, " %s=\"plot\" role=\"img\"", MARK);
        return GG_OK;
    }
    if (!box) {
        double width = 0, height = 0;
        char text[2][32] = {{0}};
        for (int k = 0; k < 2; k++) {
            const attribute *a = k ? h : w;
            if (a && a->value.n < sizeof text[k] && !memchr(a->value.at, '%', a->value.n)) {
                memcpy(text[k], a->value.at, a->value.n);
                *(k ? &height : &width) = strtod(text[k], NULL);
            }
        }
        if (!(width > 0 && width < 1e6 && height > 0 && height < 1e6))
            return bad(r, "the picture names no size (viewBox, or width and height)");
        gg_str_printf(o, " viewBox=\"0 0 %.6g %.6g\"", width, height);
    }
    gg_str_puts(o, r->extra);
    if (!r->own)
        gg_str_puts(o, " style=\"background:#fff;color:#000\"");
    return GG_OK;
}

/* Copies an element's tag, or begins to skip. The white background of our own plots is not drawn: the page has one. */
static gg_status put_element(reader *r, const tag *t)
{
    const attribute *fill = attribute_of(t, "fill");
    const bool background = r->embed && r->own && is(t->name, "rect") && fill && is(fill->value, "#ffffff");
    if (!is_drawing(t->name) || background) {
        if (r->depth == 0)
            return bad(r, "the root of an SVG file is <svg>");
        if (!t->is_empty)
            r->skip = r->depth + 1;
        return GG_OK;
    }
    gg_str *o = r->out;
    gg_str_puts(o, "<");
    gg_str_add(o, t->name.at, t->name.n);
    const bool root = r->depth == 0;
    if (root)
        GG_TRY(put_root(r, t));
    for (int i = 0; i < t->n; i++)
        if (keeps(r, t, &t->attribute[i]))
            put_attribute(r, &t->attribute[i]);
    if (!r->embed && is(t->name, "image"))
        gg_str_puts(o, " style=\"image-rendering:pixelated\"");
    gg_str_puts(o, t->is_empty ? "/>" : ">");
    if (root && r->title) {
        gg_str_puts(o, "\n<title>");
        gg__xml_escape(o, r->title);
        gg_str_puts(o, "</title>");
    }
    return GG_OK;
}

/* Skips from "<!" or "<?" to its end. */
static gg_status skip_markup(reader *r)
{
    const span rest = {r->at, (size_t)(r->end - r->at)};
    const char *end;
    size_t n;
    if (begins(rest, "!--"))
        end = find((span){rest.at + 3, rest.n - 3}, "-->"), n = 3;
    else if (begins(rest, "![CDATA["))
        return bad(r, "a CDATA section (golgi reads drawings without them)");
    else if (begins(rest, "?"))
        end = find(rest, "?>"), n = 2;
    else {
        end = find(rest, ">"), n = 1;
        if (end && memchr(rest.at, '[', (size_t)(end - rest.at)))
            return bad(r, "a DOCTYPE with declarations of its own");
    }
    if (!end)
        return bad(r, "the file ends inside a comment or declaration");
    r->at = end + n;
    return GG_OK;
}

static gg_status rewrite(reader *r)
{
    bool had_root = false;
    if (r->end - r->at >= 3 && memcmp(r->at, "\xef\xbb\xbf", 3) == 0)
        r->at += 3;
    const size_t valid = gg_utf8_valid_prefix(r->at, (size_t)(r->end - r->at));
    if (r->at + valid < r->end) {
        r->at += valid;
        return bad(r, "not UTF-8");
    }
    while (r->at < r->end) {
        const char *open = memchr(r->at, '<', (size_t)(r->end - r->at));
        const span text = {r->at, (size_t)((open ? open : r->end) - r->at)};
        GG_TRY(check_text(r, text));
        for (size_t i = 0; r->depth == 0 && i < text.n; i++)
            if (!is_blank(text.at[i]))
                return bad(r, "text outside the picture");
        if (r->depth > 0 && !r->skip)
            gg_str_add(r->out, text.at, text.n);
        if (!open)
            break;
        r->at = open + 1;
        if (r->at < r->end && (*r->at == '!' || *r->at == '?')) {
            GG_TRY(skip_markup(r));
            continue;
        }
        tag t;
        GG_TRY(read_tag(&t, r));
        if (t.closes) {
            if (r->depth == 0 || r->open[r->depth - 1].n != t.name.n || memcmp(r->open[r->depth - 1].at, t.name.at, t.name.n) != 0)
                return bad(r, "an element is closed that is not open here");
            if (!r->skip)
                gg_str_printf(r->out, "</%.*s>", (int)t.name.n, t.name.at);
            if (r->skip == r->depth)
                r->skip = 0;
            r->depth--;
            continue;
        }
        if (had_root && r->depth == 0)
            return bad(r, "a second root");
        had_root = true;
        if (!r->skip)
            GG_TRY(put_element(r, &t));
        if (!t.is_empty) {
            if (r->depth == MOST_DEPTH)
                return bad(r, "elements nested deeper than golgi reads");
            r->open[r->depth++] = t.name;
        }
    }
    if (!had_root || r->depth > 0) {
        r->at = r->end;
        return bad(r, had_root ? "the file ends inside an element" : "no <svg> element");
    }
    return r->out->failed ? GG_ENOMEM : GG_OK;
}

gg_status gg__svg_embed(gg_str *out, const char *svg, size_t n, const char *name, const char *prefix, const char *extra)
{
    return rewrite(&(reader){.ctx = out->ctx, .start = svg, .at = svg, .end = svg + n, .name = name, .out = out, .embed = true, .prefix = prefix,
                             .extra = extra});
}

gg_status gg__svg_tidy(gg_str *out, const char *svg, size_t n, const char *name, const char *title)
{
    gg_str_puts(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    GG_TRY(rewrite(&(reader){.ctx = out->ctx, .start = svg, .at = svg, .end = svg + n, .name = name, .out = out, .title = title}));
    gg_str_puts(out, "\n");
    return out->failed ? GG_ENOMEM : GG_OK;
}
