/* What of a foreign picture comes into a page, and what does not; texts made fit for XML. */
#include "plot/support.h"
#include "plot/svg.h"

#define NS "xmlns=\"http://www.w3.org/2000/svg\""
#define SVG(inside) "<svg " NS " viewBox=\"0 0 9 9\">" inside "</svg>"

static void embed(gg_context *ctx, const char *svg, const char *expected)
{
    gg_str out = {.ctx = ctx};
    assert_ok_in(ctx, gg__svg_embed(&out, svg, strlen(svg), "x.svg", "f1-", " role=\"img\""));
    if (strcmp(out.data, expected) != 0)
        fail_msg("\n%s\ngave\n%s\nand not\n%s", svg, out.data, expected);
    gg_str_free(&out);
}

static void drawing_stays_and_everything_else_goes(void **state)
{
    gg_context *ctx = *state;
#define ROOT "<svg role=\"img\" style=\"background:#fff;color:#000\" viewBox=\"0 0 9 9\">"
    static const struct {
        const char *inside, *left;
    } table[] = {
        {"<path d=\"M0,0 L1,1\"/>", "<path d=\"M0,0 L1,1\"/>"},
        {"<g><rect x='1'/></g>", "<g><rect x=\"1\"/></g>"},
        {"<text x=\"1\">a &amp; b &lt;c&gt; &#233;</text>", "<text x=\"1\">a &amp; b &lt;c&gt; &#233;</text>"},
        {"<path d='a\"b'/>", "<path d=\"a&quot;b\"/>"},
        /* scripts, frames, styles, links, comments */
        {"<script>alert(1)</script>", ""},
        {"<script href=\"https://example.org/x.js\"/>", ""},
        {"<SCRIPT>alert(1)</SCRIPT>", ""},
        {"<style>*{fill:url(https://example.org)}</style>", ""},
        {"<foreignObject><iframe src=\"https://example.org\"></iframe><svg><path d=\"M0\"/></svg></foreignObject>", ""},
        {"<a href=\"javascript:alert(1)\"><path d=\"M0\"/></a>", ""},
        {"<animate attributeName=\"href\" to=\"javascript:x\"/>", ""},
        {"<set attributeName=\"onload\" to=\"x\"/>", ""},
        {"<html:img src=\"x\"/>", ""},
        {"<!-- <script>x</script> -->", ""},
        {"<?xml-stylesheet href=\"https://example.org\"?>", ""},
        {"<g><unknown><g><script/></g></unknown><path d=\"M1\"/></g>", "<g><path d=\"M1\"/></g>"},
        /* handlers, and what belongs to the page */
        {"<path onclick=\"x\" ONLOAD=\"y\" onfocus='z' d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path class=\"csv\" data-x=\"1\" tabindex=\"0\" role=\"button\" aria-label=\"x\" xml:base=\"https://example.org\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        /* references that leave the file, however they are spelt */
        {"<use href=\"https://example.org/x.svg#a\"/>", "<use/>"},
        {"<use xlink:href=\"//example.org/x.svg#a\"/>", "<use/>"},
        {"<use href=\"data:image/svg+xml;base64,AAAA\"/>", "<use/>"},
        {"<image href=\"https://example.org/x.png\"/>", "<image/>"},
        {"<image href=\"data:image/svg+xml;base64,AAAA\"/>", "<image/>"},
        {"<image href=\"data:image/png;base64,AAAA\"/>", "<image href=\"data:image/png;base64,AAAA\"/>"},
        {"<image xlink:href=\"data:image/jpeg;base64,AAAA\"/>", "<image href=\"data:image/jpeg;base64,AAAA\"/>"},
        {"<path fill=\"url(https://example.org/p#a)\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path fill=\"URL('https://example.org/p#a')\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path fill=\"url( #a)\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path style=\"fill:\\75rl(https://example.org)\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path style=\"fill:&#117;rl(https://example.org)\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path style=\"@import 'x'\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        {"<path style=\"background:Image-Set('x' 1x)\" d=\"M0\"/>", "<path d=\"M0\"/>"},
        /* ids and what points at them are this picture's own */
        {"<path id=\"a\"/><use href=\"#a\"/>", "<path id=\"f1-a\"/><use href=\"#f1-a\"/>"},
        {"<use xlink:href='#a'/>", "<use href=\"#f1-a\"/>"},
        {"<path clip-path=\"url(#c)\" fill=\"url(#g) #123456\" d=\"M0\"/>", "<path clip-path=\"url(#f1-c)\" fill=\"url(#f1-g) #123456\" d=\"M0\"/>"},
        {"<path style=\"fill:url(#g);stroke:#fff\" d=\"M0\"/>", "<path style=\"fill:url(#f1-g);stroke:#fff\" d=\"M0\"/>"},
        {"<path fill=\"#abc\" d=\"M0\"/>", "<path fill=\"#abc\" d=\"M0\"/>"},
        {"<svg id=\"s\" width=\"3\"/>", "<svg id=\"f1-s\" width=\"3\"/>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char svg[1024], expected[1024];
        snprintf(svg, sizeof svg, SVG("%s"), table[i].inside);
        snprintf(expected, sizeof expected, ROOT "%s</svg>", table[i].left);
        embed(ctx, svg, expected);
    }
}

static void the_root_fits_into_a_page(void **state)
{
    gg_context *ctx = *state;
    embed(ctx, "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">\n"
               "<svg " NS " id=\"r\" width=\"300\" height=\"2e2\" x=\"1\" y=\"2\" version=\"1.1\" style=\"position:fixed\" "
               "preserveAspectRatio=\"none\" onload=\"x\"><g/></svg>\n",
          "<svg viewBox=\"0 0 300 200\" role=\"img\" style=\"background:#fff;color:#000\"><g/></svg>");
    /* our own plots: page colours for ink, no background */
    embed(ctx, "<svg data-golgi=\"plot\" " NS " viewBox=\"0 0 9 9\">"
               "<rect width=\"9\" fill=\"#ffffff\"/><path stroke=\"rgb( 34,  34,  34)\" fill=\"rgb(34,34,34)\"/>"
               "<path stroke=\"rgb(217, 217, 217)\"/><path stroke=\"rgb(  0, 114, 178)\"/><path fill=\"black\"/></svg>",
          "<svg role=\"img\" viewBox=\"0 0 9 9\"><path stroke=\"currentColor\" fill=\"currentColor\"/><path stroke=\"currentColor\" stroke-opacity=\"0.17\"/>"
          "<path stroke=\"rgb(  0, 114, 178)\"/><path fill=\"currentColor\"/></svg>");
    /* the same in a foreign picture is left alone */
    embed(ctx, SVG("<rect fill=\"#ffffff\"/><path stroke=\"rgb(34,34,34)\"/>"), ROOT "<rect fill=\"#ffffff\"/><path stroke=\"rgb(34,34,34)\"/></svg>");
}

static void what_is_no_drawing_is_refused_with_its_byte(void **state)
{
    gg_context *ctx = *state;
    char deep[2000] = "<svg viewBox=\"0 0 1 1\">", many[4000] = "<svg viewBox=\"0 0 1 1\"><g";
    for (int i = 0; i < 200; i++)
        strcat(deep, "<g>");
    for (int i = 0; i < 65; i++)
        snprintf(many + strlen(many), 16, " a%d=''", i);
    const struct {
        const char *svg, *said;
    } table[] = {
        {"", "x.svg, byte 0: no <svg> element"},
        {"  \n", "x.svg, byte 3: no <svg> element"},
        {"<html></html>", "x.svg, byte 6: the root of an SVG file is <svg>"},
        {"<g/>", "the root of an SVG file is <svg>"},
        {"<script>alert(1)</script>", "the root of an SVG file is <svg>"},
        {"<svg viewBox=\"0 0 1 1\"><g>", "x.svg, byte 26: the file ends inside an element"},
        {"<svg viewBox=\"0 0 1 1\"></g></svg>", "an element is closed that is not open here"},
        {"<svg viewBox=\"0 0 1 1\"><script></svg>", "an element is closed that is not open here"},
        {"<svg viewBox=\"0 0 1 1\"/><svg viewBox=\"0 0 1 1\"/>", "a second root"},
        {"<svg viewBox=\"0 0 1 1\"/>text", "text outside the picture"},
        {"text<svg viewBox=\"0 0 1 1\"/>", "x.svg, byte 0: text outside the picture"},
        {"<svg/>", "the picture names no size"},
        {"<svg width=\"100%\" height=\"100%\"/>", "the picture names no size"},
        {"<svg width=\"-3\" height=\"5\"/>", "the picture names no size"},
        {"<svg width=\"nan\" height=\"inf\"/>", "the picture names no size"},
        {"<svg viewBox=\"0 0 1 1\"><path d=\"a<b\"/></svg>", "x.svg, byte 33: '<' inside a value"},
        {"<svg viewBox=\"0 0 1 1\"><path d=\"a&b;\"/></svg>", "x.svg, byte 33: '&' that begins no known entity"},
        {"<svg viewBox=\"0 0 1 1\">&nbsp;</svg>", "'&' that begins no known entity"},
        {"<svg viewBox=\"0 0 1 1\">&#;</svg>", "'&' that begins no known entity"},
        {"<svg viewBox=\"0 0 1 1\">&#12345678;</svg>", "'&' that begins no known entity"},
        {"<svg viewBox=\"0 0 1 1\">\x01</svg>", "a control character"},
        {"<svg viewBox=\"0 0 1 1\">\xff</svg>", "x.svg, byte 23: not UTF-8"},
        {"<svg viewBox=\"0 0 1 1\"><![CDATA[<script>]]></svg>", "a CDATA section"},
        {"<!DOCTYPE svg [<!ENTITY a \"b\">]><svg viewBox=\"0 0 1 1\"/>", "a DOCTYPE with declarations of its own"},
        {"<!-- never ends", "the file ends inside a comment or declaration"},
        {"<?never ends", "the file ends inside a comment or declaration"},
        {"<svg viewBox=\"0 0 1 1\" viewBox=\"0 0 2 2\"/>", "an attribute is given twice"},
        {"<svg viewBox=\"0 0 1 1\"x=\"1\"/>", "white space was expected between attributes"},
        {"<svg viewBox=\"0 0 1 1/>", "a value has no closing quote"},
        {"<svg viewBox=0/>", "a quoted value was expected"},
        {"<svg viewBox/>", "'=' was expected"},
        {"<svg / >", "'>' was expected"},
        {"<svg", "an attribute was expected"},
        {"< svg/>", "the name of an element was expected"},
        {"<abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij/>", "the name of an element was expected"},
        {"<svg viewBox=\"0 0 1 1\"></svg x=\"1\">", "'>' was expected"},
        {deep, "elements nested deeper than golgi reads"},
        {many, "an element has more attributes than golgi reads"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_str out = {.ctx = ctx};
        assert_fails(ctx, gg__svg_embed(&out, table[i].svg, strlen(table[i].svg), "x.svg", "f1-", ""), GG_EFORMAT, table[i].said);
        gg_str_free(&out);
    }
}

/* Cut anywhere, a good picture is refused and never read past its end (the copy has no byte behind it). */
static void a_picture_cut_anywhere_is_refused(void **state)
{
    gg_context *ctx = *state;
    static const char whole[] = "<?xml version='1.0'?><!-- c --><svg viewBox=\"0 0 9 9\"><g id='a'>t &#x41; <use href='#a'/></g></svg>";
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        char *part = malloc(n ? n : 1);
        memcpy(part, whole, n);
        gg_str out = {.ctx = ctx};
        const gg_status s = gg__svg_embed(&out, part, n, "x.svg", "f1-", "");
        if (s != GG_EFORMAT)
            fail_msg("cut to %zu bytes: %s", n, gg_status_name(s));
        gg_str_free(&out);
        free(part);
    }
}

static void tidying_marks_and_names_and_keeps_the_drawing(void **state)
{
    gg_context *ctx = *state;
    static const char svg[] = "<?xml version=\"1.0\"?>\n"
                              "<svg width=\"20\" height=\"10\" " NS "><desc>Produced by GNUPLOT</desc><g id=\"gnuplot_canvas\"><rect fill=\"#ffffff\"/>"
                              "<image width=\"2\" xlink:href='data:image/png;base64,AAAA'/><text font-family=\"DejaVu Sans\">a</text></g></svg>\n";
    gg_str out = {.ctx = ctx};
    assert_ok_in(ctx, gg__svg_tidy(&out, svg, sizeof svg - 1, "x.svg", "A <title> & \"more\""));
    assert_text_has(out.data, "<svg data-golgi=\"plot\" role=\"img\" width=\"20\" height=\"10\" " NS ">\n"
                              "<title>A &lt;title&gt; &amp; &quot;more&quot;</title>");
    assert_null(strstr(out.data, "GNUPLOT"));
    assert_text_has(out.data, "<rect fill=\"#ffffff\"/>");
    assert_text_has(out.data, "style=\"image-rendering:pixelated\"");
    assert_text_has(out.data, "font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\"");
    /* and can be embedded */
    gg_str page = {.ctx = ctx};
    assert_ok_in(ctx, gg__svg_embed(&page, out.data, out.len, "x.svg", "p-", ""));
    assert_text_has(page.data, "id=\"p-gnuplot_canvas\"");
    gg_str_free(&page);
    gg_str_free(&out);
}

static void text_becomes_fit_for_xml(void **state)
{
    gg_context *ctx = *state;
#define R "\xef\xbf\xbd"
    static const char *const table[][2] = {
        {"", ""},
        {"plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x98", "plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x98"},
        {"<script>\"x\" & 'y'</script>", "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;"},
        {"&amp;", "&amp;amp;"},
        {"]]>", "]]&gt;"},
        {"a\tb\nc", "a\tb\nc"},
        {"a\rb\x01\x1f\x7f.", "a" R "b" R R R "."},
        {"\xc2\x80\xc2\x9f\xc2\xa0", R R "\xc2\xa0"},
        {"\xff\xc3(\xed\xa0\x80", R R "(" R R R},
        {"\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90\xf4\x8f\xbf\xbf", R R R R}, /* no characters at all: U+FFFE, U+FFFF, U+FDD0, U+10FFFF */
        {"\xef\xbf\xbd", R},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_str out = {.ctx = ctx};
        gg_str_puts(&out, "");
        gg__xml_escape(&out, table[i][0]);
        assert_string_equal(out.data ? out.data : "", table[i][1]);
        gg_str_free(&out);
    }
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    static const char svg[] = SVG("<g id=\"a\"><path d=\"M0\"/><text>some text that is long enough to grow a buffer, and then some more of it</text></g>");
    bool whole = false;
    for (int n = 1; !whole; n++) {
        ration r = {.fail_at = n + 1};
        gg_context *ctx = NULL;
        if (gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &r}}) != GG_OK)
            continue;
        gg_str out = {.ctx = ctx};
        const gg_status s = gg__svg_embed(&out, svg, sizeof svg - 1, "x.svg", "f1-", "");
        whole = s == GG_OK && r.n <= n;
        assert_true(s == GG_OK || s == GG_ENOMEM);
        gg_str_free(&out);
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_listener, drop_context)
    const struct CMUnitTest tests[] = {
        T(drawing_stays_and_everything_else_goes),
        T(the_root_fits_into_a_page),
        T(what_is_no_drawing_is_refused_with_its_byte),
        T(a_picture_cut_anywhere_is_refused),
        T(tidying_marks_and_names_and_keeps_the_drawing),
        T(text_becomes_fit_for_xml),
        T(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
