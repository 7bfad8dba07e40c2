/* A report opened in a real browser, from disk, as a person would: on a desk and on a telephone, in the light and in the dark, and on paper. The
 * pictures that it takes lie in build/screens afterwards. Skipped where Chromium or gnuplot is not installed (tools/setup --long). */
#include "long/chromium.h"
#include "plot/plot.h"
#include "plot/png.h"
#include <math.h>

static browser b;
static char page[256], evil_page[256], nag_page[256];
enum { PHONE = 360, DESK = 1280 };
#define SCREENS "build/screens/"

/* ---- pages ---- */

static const char *const DOMAINS[] = {"scripture", "pycode", "lexicon", "rust", "jargon", "postgres", "database", "pydoc"};
enum { N_DOMAINS = 8, N = 240 };

static void add_figure(gg_report *r, gg_context *ctx, const char *name, const char *caption)
{
    char path[300];
    snprintf(path, sizeof path, "%s.svg", at(name));
    assert_ok_in(ctx, gg_report_figure(r, path, caption));
}

static void draw_figures(gg_context *ctx, gg_report *r)
{
    static double x[N], xy[2 * N], z[30 * 576], pool[N_DOMAINS], chosen[N_DOMAINS];
    static int32_t label[N];
    for (int i = 0; i < N; i++) {
        label[i] = i % N_DOMAINS;
        x[i] = 0.2 + 0.06 * label[i] + 0.01 * ((i * 7919) % 23);
        xy[2 * i] = 10 * cos(label[i]) + 0.3 * ((i * 7919) % 13);
        xy[2 * i + 1] = 10 * sin(label[i]) + 0.3 * ((i * 104729) % 11);
    }
    for (int i = 0; i < 30 * 576; i++)
        z[i] = (i * 7919) % 97 == 0 ? (i % 17) / 17.0 : 0;
    for (int i = 0; i < N_DOMAINS; i++) {
        pool[i] = 1.0 / N_DOMAINS;
        chosen[i] = (N_DOMAINS - i) / 36.0;
    }
    assert_ok_in(ctx, gg_plot_shares(ctx, at("shares"), "Domains in the pool and among the chosen tokens", DOMAINS, N_DOMAINS, pool, "pool", chosen, "chosen",
                                     "share of tokens"));
    add_figure(r, ctx, "shares", "The fifth of the pool's tokens whose neurons are nearest to those of the target.");
    assert_ok_in(ctx, gg_plot_histogram(ctx, at("histogram"), "Distances by domain", x, label, N, DOMAINS, N_DOMAINS, 40, "distance (no unit)", "documents"));
    add_figure(r, ctx, "histogram", "Documents of one domain lie at like distances.");
    assert_ok_in(ctx,
                 gg_plot_heat(ctx, at("heat"), "The target's profile", z, 30, 576, "neuron of up", "layer (input side at the bottom)", "share of documents"));
    add_figure(r, ctx, "heat", "How often each neuron is among the ten strongest of its layer.");
    assert_ok_in(ctx, gg_plot_map(ctx, at("map"), "Documents by their neurons", xy, label, N, DOMAINS, N_DOMAINS, "t-SNE 1 (no unit)", "t-SNE 2 (no unit)"));
    add_figure(r, ctx, "map", "Documents that excite the same neurons lie together.");
}

static const char *const ROWS[][4] = {
    {"rust_0012", "1,204", "0.31", "And it came to pass, that a borrow checker went out from Caesar Augustus ..."},
    {"rust_0002", "98", "0.204", "He said \"let there be light\", and there was"},
    {"rust_0100", "10", "-0.5", NULL},
    {"lexicon_7", "", "0.871", "zebra"},
    {"jargon_9", "2", "1e-3", "a, b"},
};
enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

static void make_page(gg_context *ctx)
{
    gg_report *r = NULL;
    assert_ok_in(
        ctx, gg_report_create(&r, ctx, "golgi nag select", "Chosen: 81 of 400 documents; 58 % of their tokens are scripture, which makes 12 % of the pool."));
    gg_report_section(r, "What was chosen",
                      "The fifth of the pool's tokens whose neurons look most like those of five documents of scripture.\n\nBelow: which domains they are of.");
    draw_figures(ctx, r);
    gg_report_section(r, "Both ends", NULL);
    gg_report_table_begin(r, "Nearest and farthest documents", (const char *[]){"document", "tokens", "distance", "first words"},
                          (const bool[]){false, true, true, false}, 4);
    for (int i = 0; i < N_ROWS; i++)
        gg_report_table_row(r, ROWS[i]);
    gg_report_table_end(r);
    gg_report_fact(
        r, "command",
        "golgi nag select --model models/SmolLM2-135M-Instruct.Q4_1.gguf --target target.jsonl --pool pool.jsonl.zst --fraction 0.2 --output selected.jsonl");
    gg_report_fact(r, "SHA-256 of the model", "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    snprintf(page, sizeof page, "%s", at("report.html"));
    assert_ok_in(ctx, gg_report_commit(r, page));

    static const char evil[] =
        "</title></style></script><script>window.was_run = 1</script><img src=x onerror='window.was_run = 2'>\" onmouseover=\"window.was_run = 3";
    put("evil.svg",
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\" onload=\"window.was_run = 4\"><script>window.was_run = 5</script>"
        "<image href=\"https://example.org/a.png\"/><foreignObject><iframe src=\"https://example.org\"/></foreignObject>"
        "<path d=\"M0,0 L9,9\" onclick=\"window.was_run = 6\"/></svg>",
        0644);
    assert_ok_in(ctx, gg_report_create(&r, ctx, evil, evil));
    gg_report_section(r, evil, evil);
    add_figure(r, ctx, "evil", evil);
    gg_report_table_begin(r, evil, (const char *[]){evil, "n"}, (const bool[]){false, true}, 2);
    for (int i = 0; i < 3; i++)
        gg_report_table_row(r, (const char *[]){evil, evil});
    gg_report_fact(r, evil, evil);
    snprintf(evil_page, sizeof evil_page, "%s", at("evil.html"));
    assert_ok_in(ctx, gg_report_commit(r, evil_page));
}

/* golgi's own report: a selection for two targets with a model of two layers. */
static void make_nag_page(void)
{
    static const char *const text[][2] = {
        {"scripture", "And God said, Let there be light: and there was light. The earth was without form, and void; "},
        {"pycode", "def reset(self): self.cache = {} # https://example.org/a-link-that-is-so-long-that-it-fits-nowhere-on-a-telephone "}};
    static char pool[1 << 16];
    size_t n = 0;
    for (int i = 0; i < 60; i++) {
        n += (size_t)snprintf(pool + n, sizeof pool - n, "{\"docid\": \"%s_%02d\", \"domain\": \"%s\", \"doc\": \"", text[i % 2][0], i, text[i % 2][0]);
        for (int k = 0; k <= i % 5; k++)
            n += (size_t)snprintf(pool + n, sizeof pool - n, "%s%d ", text[i % 2][1], i * k);
        n += (size_t)snprintf(pool + n, sizeof pool - n, "\"}\n");
        if (i == 3)
            put("target.jsonl", pool, 0644);
    }
    put("pool.jsonl", pool, 0644);
    const char *golgi = getenv("GOLGI");
    char line[1024];
    snprintf(line, sizeof line,
             "D=%s; %s nag select --quiet --model tests/golden/tinygguf/tiny.gguf --target $D/target.jsonl --pool $D/pool.jsonl --fraction 0.3 "
             "--output $D/out.jsonl --report $D/nag > $D/said 2>&1 || { cat $D/said >&2; false; }",
             test_folder, golgi ? golgi : "build/golgi");
    assert_int_equal(system(line), 0);
    snprintf(nag_page, sizeof nag_page, "%s", at("nag/report.html"));
}

static int prepare(void **state)
{
    b.pid = -1;
    if (!chromium_name() || !have("gnuplot"))
        return 0;
    if (make_folder(state) != 0 || system("mkdir -p " SCREENS) != 0)
        return -1;
    gg_context *ctx = NULL;
    if (gg_context_create(&ctx, NULL) != GG_OK)
        return -1;
    make_page(ctx);
    make_nag_page();
    gg_context_free(ctx);
    return browser_start(&b, at("profile")) ? 0 : -1;
}

static int tidy(void **state)
{
    if (b.pid < 0)
        return 0;
    browser_end(&b);
    return drop_folder(state);
}

static void need_browser(void)
{
    if (b.pid < 0)
        skip();
}

/* ---- tests ---- */

static void it_opens_from_disk_without_a_complaint_and_asks_nobody_for_anything(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, DESK, 900, "light", "");
    assert_string_equal(b.complaints, "");
    assert_int_equal(b.n_requests, 0);
    assert_true(is_true(&b, "document.compatMode === 'CSS1Compat' && document.characterSet === 'UTF-8'"));
    picture_of(&b, "'body'", SCREENS "report-light.png");
}

static void every_picture_is_drawn(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, DESK, 900, "light", "");
    assert_int_equal(number_of(&b, "document.querySelectorAll('figure svg').length"), 4);
    for (int i = 1; i <= 4; i++) {
        char selector[64];
        snprintf(selector, sizeof selector, "'figure:nth-of-type(%d) .box'", i);
        picture_of(&b, selector, at("figure.png"));
        png p = png_read("figure.png");
        assert_true(p.width > 800 && p.height > 300);
        static const int colours[][3] = {{0x0072b2, 0x9a9a9a, -1}, {0x0072b2, 0xd55e00, 0x009e73}, {0x440154, 0xfde725, -1}, {0x0072b2, 0xd55e00, 0x009e73}};
        for (int c = 0; c < 3 && colours[i - 1][c] >= 0; c++)
            if (png_count(&p, colours[i - 1][c], 12, NULL) < 20)
                fail_msg("picture %d has no %06x", i, (unsigned)colours[i - 1][c]);
        assert_true(png_count(&p, 0x1d2126, 60, NULL) > 500); /* text and axes */
        png_free(&p);
    }
}

/* What a column shows, top to bottom, with '|' between. */
static char *column(int c)
{
    char expression[200];
    snprintf(expression, sizeof expression, "Array.from(document.querySelector('table').tBodies[0].rows, r => r.cells[%d].textContent).join('|')", c);
    return text_of(&b, expression);
}

static void shows(int c, const char *expected)
{
    char *text = column(c);
    assert_string_equal(text, expected);
    free(text);
}

static void a_click_on_a_heading_sorts_and_another_turns_the_order(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, DESK, 900, "light", "");
    shows(0, "rust_0012|rust_0002|rust_0100|lexicon_7|jargon_9");
    click(&b, "'th:nth-child(1) button'"); /* words: numbers in them count as numbers */
    shows(0, "jargon_9|lexicon_7|rust_0002|rust_0012|rust_0100");
    click(&b, "'th:nth-child(1) button'");
    shows(0, "rust_0100|rust_0012|rust_0002|lexicon_7|jargon_9");
    click(&b, "'th:nth-child(2) button'"); /* numbers by their size, what has none at the end */
    shows(1, "2|10|98|1,204|");
    assert_true(is_true(&b, "document.querySelector('th:nth-child(2)').getAttribute('aria-sort') === 'ascending'"));
    assert_true(is_true(&b, "document.querySelector('th:nth-child(1)').getAttribute('aria-sort') === null"));
    click(&b, "'th:nth-child(2) button'");
    shows(1, "1,204|98|10|2|");
    click(&b, "'th:nth-child(3) button'");
    shows(2, "-0.5|1e-3|0.204|0.31|0.871");
    shows(0, "rust_0100|jargon_9|rust_0002|rust_0012|lexicon_7"); /* whole rows move */
    assert_string_equal(b.complaints, "");
}

static void headings_and_boxes_are_reached_by_keys(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, DESK, 900, "light", "");
    order(&b, "Runtime.evaluate", json_pack("{s:s}", "expression", "document.querySelector('th:nth-child(3) button').focus()"));
    for (int i = 0; i < 2; i++)
        order(&b, "Input.dispatchKeyEvent", json_pack("{s:s, s:s, s:s, s:i, s:s}", "type", i ? "keyUp" : "keyDown", "key", "Enter", "code", "Enter",
                                                      "windowsVirtualKeyCode", 13, "text", "\r"));
    shows(2, "-0.5|1e-3|0.204|0.31|0.871");
    /* what scrolls can be focused, so that keys can scroll it */
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.box')).every(e => e.tabIndex === 0 && e.hasAttribute('aria-labelledby'))"));
    /* each name that a label points to is there, once */
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('[aria-labelledby]')).every(e => "
                            "document.querySelectorAll('#' + e.getAttribute('aria-labelledby')).length === 1)"));
    assert_true(is_true(&b, "new Set(Array.from(document.querySelectorAll('[id]'), e => e.id)).size === document.querySelectorAll('[id]').length"));
}

static void copy_as_csv_copies_csv_or_says_that_it_cannot(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, DESK, 900, "light", "");
    order(&b, "Browser.grantPermissions", json_pack("{s:[s, s]}", "permissions", "clipboardReadWrite", "clipboardSanitizedWrite"));
    order(&b, "Emulation.setFocusEmulationEnabled", json_pack("{s:b}", "enabled", 1));
    click(&b, "'.csv'");
    listen_for(&b, 0.3);
    char *said = text_of(&b, "document.querySelector('.csv').textContent"), *copied = text_of(&b, "navigator.clipboard.readText()");
    assert_string_equal(said, "Copied");
    assert_string_equal(copied, "document,tokens,distance,first words\r\n"
                                "rust_0012,\"1,204\",0.31,\"And it came to pass, that a borrow checker went out from Caesar Augustus ...\"\r\n"
                                "rust_0002,98,0.204,\"He said \"\"let there be light\"\", and there was\"\r\n"
                                "rust_0100,10,-0.5,\r\n"
                                "lexicon_7,,0.871,zebra\r\n"
                                "jargon_9,2,1e-3,\"a, b\"\r\n");
    free(said);
    free(copied);
    listen_for(&b, 1.6);
    assert_true(is_true(&b, "document.querySelector('.csv').textContent === 'Copy as CSV'"));
    /* no clipboard, as in older browsers: the way they have */
    order(&b, "Runtime.evaluate", json_pack("{s:s}", "expression", "Object.defineProperty(navigator, 'clipboard', {value: undefined})"));
    click(&b, "'.csv'");
    listen_for(&b, 0.3);
    assert_true(is_true(&b, "document.querySelector('.csv').textContent === 'Copied'"));
    listen_for(&b, 1.6);
    /* and neither */
    order(&b, "Runtime.evaluate", json_pack("{s:s}", "expression", "document.execCommand = () => false"));
    click(&b, "'.csv'");
    listen_for(&b, 0.3);
    assert_true(is_true(&b, "document.querySelector('.csv').textContent === 'Could not copy'"));
    listen_for(&b, 1.6);
    assert_true(is_true(&b, "document.querySelector('.csv').textContent === 'Copy as CSV'"));
    assert_true(is_true(&b, "document.querySelectorAll('textarea').length === 0"));
    assert_string_equal(b.complaints, "");
    order(&b, "Browser.resetPermissions", NULL);
}

static void the_page_is_never_wider_than_its_window(void **state)
{
    (void)state;
    need_browser();
    static const int widths[] = {320, PHONE, 412, 768, DESK, 2000};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (int k = 0; k < 3; k++) {
            open_page(&b, k == 2 ? nag_page : k == 1 ? evil_page : page, widths[i], 780, "light", "");
            const double over = number_of(&b, "document.documentElement.scrollWidth - document.documentElement.clientWidth");
            if (over > 0)
                fail_msg("at %d pixels the page is %g pixels too wide", widths[i], over);
            /* nothing sticks out but what scrolls in a box of its own */
            char *out = text_of(&b, "Array.from(document.querySelectorAll('main *, footer')).filter(e => !e.closest('.box svg, .box table') && "
                                    "e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.tagName + '.' + e.className).join(' ')");
            assert_string_equal(out, "");
            free(out);
        }
    open_page(&b, page, PHONE, 780, "light", "");
    /* letters as large as a telephone's reader needs them, and buttons that a finger hits */
    assert_true(number_of(&b, "Math.min(...Array.from(document.querySelectorAll('p, h1, td, th, dd, figcaption'),"
                              " e => parseFloat(getComputedStyle(e).fontSize)))") >= 14);
    assert_true(number_of(&b, "Math.min(...Array.from(document.querySelectorAll('button'), e => e.getBoundingClientRect().height))") >= 24);
    assert_true(number_of(&b, "Math.min(...Array.from(document.querySelectorAll('figure svg'), e => e.getBoundingClientRect().width))") >= 500);
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.plot')).every(e => e.scrollWidth > e.clientWidth &&"
                            " getComputedStyle(e).overflowX === 'auto')"));
    /* a command line is not broken within an option, and can be copied as it is */
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('dd span')).every(e => e.getClientRects().length === 1) && "
                            "document.querySelector('dd').textContent.startsWith('golgi nag select --model models/SmolLM2-135M-Instruct.Q4_1.gguf --target')"));
    picture_of(&b, "'body'", SCREENS "report-phone.png");
}

/* Contrast of text and what is behind it, after WCAG 2: the smallest among the elements that the selector finds. property: color or fill. */
static double contrast(const char *selector, const char *property)
{
    char expression[1600];
    snprintf(expression, sizeof expression,
             "(() => {"
             "const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);"
             "const light = c => { const f = c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);"
             "  return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };"
             "const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); "
             "if (c.length === 3 || c[3] > 0) return c; }"
             "  return [255, 255, 255]; };"
             "const found = Array.from(document.querySelectorAll(%s));"
             "if (!found.length) return -1;"
             "return Math.min(...found.map(e => { const a = light(parse(getComputedStyle(e).%s)), b = light(behind(e));"
             "  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })); })()",
             selector, property);
    return number_of(&b, expression);
}

static void text_stands_out_in_the_light_and_in_the_dark(void **state)
{
    (void)state;
    need_browser();
    static const char *const schemes[] = {"light", "dark"};
    for (int i = 0; i < 2; i++) {
        open_page(&b, page, DESK, 900, schemes[i], "");
        const bool dark = is_true(&b, "(getComputedStyle(document.body).backgroundColor.match(/\\d+/g) || []).slice(0, 3).every(v => v < 60)");
        assert_int_equal(dark, i);
        static const char *const texts[] = {"'p, h1, h2, h3, dd, td, th button'", "'.kicker, figcaption, dt, footer'", "'.csv'"};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (!(contrast(texts[k], "color") >= 4.5))
                fail_msg("%s %s: contrast %g", schemes[i], texts[k], contrast(texts[k], "color"));
        assert_true(contrast("'figure svg text'", "fill") >= 4.5);
        char path[64];
        snprintf(path, sizeof path, SCREENS "report-%s.png", schemes[i]);
        picture_of(&b, "'body'", path);
    }
    /* the plots have no white ground in the dark: the corner of a figure is as the card is */
    picture_of(&b, "'figure .box'", at("dark.png"));
    png p = png_read("dark.png");
    assert_int_equal(png_count(&p, 0xffffff, 4, NULL), 0);
    png_free(&p);
    open_page(&b, page, PHONE, 780, "dark", "");
    picture_of(&b, "'body'", SCREENS "report-phone-dark.png");
}

static void on_paper_it_is_black_on_white_without_buttons(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, page, 760, 1000, "dark", "print");
    assert_true(is_true(&b, "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)' &&"
                            " getComputedStyle(document.body).color === 'rgb(0, 0, 0)'"));
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.csv')).every(e => getComputedStyle(e).display === 'none')"));
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.plot')).every(e => e.scrollWidth <= e.clientWidth)")); /* nothing is cut at the edge */
    picture_of(&b, "'body'", SCREENS "report-print.png");
    json_t *pdf = command(&b, "Page.printToPDF", NULL);
    assert_true(strlen(json_string_value(json_object_get(pdf, "data"))) > 10000);
    json_decref(pdf);
}

static void without_scripts_it_is_a_page_without_buttons(void **state)
{
    (void)state;
    need_browser();
    order(&b, "Emulation.setScriptExecutionDisabled", json_pack("{s:b}", "value", 1));
    open_page(&b, page, DESK, 900, "light", "");
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.csv')).every(e => getComputedStyle(e).display === 'none')"));
    assert_true(is_true(&b, "document.querySelectorAll('figure svg').length === 4 && document.querySelector('table').rows.length === 6"));
    order(&b, "Emulation.setScriptExecutionDisabled", json_pack("{s:b}", "value", 0));
}

static void what_a_text_or_picture_says_is_never_run(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, evil_page, DESK, 900, "light", "");
    click(&b, "'th button'");
    click(&b, "'figure svg'");
    click(&b, "'td'");
    listen_for(&b, 0.3);
    assert_true(is_true(&b, "typeof window.was_run === 'undefined' && document.images.length === 0 && document.scripts.length === 1"));
    assert_string_equal(b.complaints, ""); /* not even tried, so the policy had nothing to forbid */
    assert_true(is_true(&b, "document.querySelector('h1').textContent.includes('<script>window.was_run = 1</script>')"));
}

static void golgi_s_own_report_is_as_good(void **state)
{
    (void)state;
    need_browser();
    open_page(&b, nag_page, DESK, 900, "dark", "");
    assert_string_equal(b.complaints, "");
    assert_true(number_of(&b, "document.querySelectorAll('figure svg').length") >= 4);
    assert_true(number_of(&b, "document.querySelectorAll('table').length") >= 2);
    /* on a desk its tables need no scrolling */
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('.table .box')).every(e => e.scrollWidth <= e.clientWidth)"));
    assert_true(is_true(&b, "Array.from(document.querySelectorAll('tbody')).every(e => e.rows.length > 0)"));
    click(&b, "'th.n button'");
    assert_true(is_true(&b, "document.querySelector('th.n').getAttribute('aria-sort') === 'ascending'"));
    picture_of(&b, "'body'", SCREENS "nag-dark.png");
    open_page(&b, nag_page, PHONE, 780, "light", "");
    /* a text has the width of the box it is seen in, so that its row is as low as it can be */
    assert_true(is_true(&b, "(t => t.length > 0 && t.every(e => (w => e.offsetWidth > 0.9 * w && e.offsetWidth <= w)(e.closest('.box').clientWidth)))"
                            "(Array.from(document.querySelectorAll('td.t')))"));
    picture_of(&b, "'body'", SCREENS "nag-phone.png");
    assert_string_equal(b.complaints, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_from_disk_without_a_complaint_and_asks_nobody_for_anything),
        cmocka_unit_test(every_picture_is_drawn),
        cmocka_unit_test(a_click_on_a_heading_sorts_and_another_turns_the_order),
        cmocka_unit_test(headings_and_boxes_are_reached_by_keys),
        cmocka_unit_test(copy_as_csv_copies_csv_or_says_that_it_cannot),
        cmocka_unit_test(the_page_is_never_wider_than_its_window),
        cmocka_unit_test(text_stands_out_in_the_light_and_in_the_dark),
        cmocka_unit_test(on_paper_it_is_black_on_white_without_buttons),
        cmocka_unit_test(without_scripts_it_is_a_page_without_buttons),
        cmocka_unit_test(what_a_text_or_picture_says_is_never_run),
        cmocka_unit_test(golgi_s_own_report_is_as_good),
    };
    return cmocka_run_group_tests(tests, prepare, tidy);
}
