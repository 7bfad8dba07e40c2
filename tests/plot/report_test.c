/* A report as a file: what it says, that nothing of it can do harm, and what happens when it is misused or memory is short. How it looks and works in a
 * browser is in tests/long/report_test.c. */
#include "plot/support.h"
#include "plot/plot.h"

static const char PICTURE[] = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><g id=\"a\"><path d=\"M0,0\"/></g><use href=\"#a\"/></svg>";

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static gg_report *begin(gg_context *ctx)
{
    gg_report *r = NULL;
    assert_ok_in(ctx, gg_report_create(&r, ctx, "title", "The answer."));
    return r;
}

static char *commit(gg_context *ctx, gg_report *r)
{
    assert_ok_in(ctx, gg_report_commit(r, at("r.html")));
    return read_file(NULL, at("r.html"));
}

/* Parts of the page, in their order. */
static void has_in_order(const char *page, const char *const *part, size_t n)
{
    const char *at = page;
    for (size_t i = 0; i < n; i++) {
        const char *found = strstr(at, part[i]);
        if (!found)
            fail_msg("\"%s\" is not in its place in\n%s", part[i], strstr(page, "<body>"));
        at = found + strlen(part[i]);
    }
}

static void a_report_reads_from_the_answer_to_how_it_was_made(void **state)
{
    gg_context *ctx = *state;
    put("p.svg", PICTURE, 0644);
    gg_report *r = begin(ctx);
    gg_report_fact(r, "seed", "1"); /* early, and yet at the end of the page */
    gg_report_section(r, "What was chosen", "First paragraph.\n\nSecond paragraph.");
    assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), "The first picture."));
    assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), "The second picture."));
    gg_report_table_begin(r, "Domains", (const char *[]){"domain", "share"}, (const bool[]){false, true}, 2);
    gg_report_table_row(r, (const char *[]){"rust", "12 %"});
    gg_report_table_row(r, (const char *[]){"lexicon", NULL});
    gg_report_table_end(r);
    gg_report_section(r, "What is near", NULL);
    gg_report_fact(r, "command", "golgi nag select\n  --model M");
    char *page = commit(ctx, r);
    static const char *const parts[] = {
        "<!DOCTYPE html>\n<html lang=\"en\">", "<meta charset=\"utf-8\">", "name=\"viewport\"", "Content-Security-Policy", "default-src 'none'",
        "<title>title</title>", "<style>",
        "<body>", "<header>", "title", "<h1>The answer.</h1>", "<h2 id=\"section1\">What was chosen</h2>", "<p>First paragraph.</p>\n<p>Second paragraph.</p>",
        "<figure>", "aria-labelledby=\"figure1\"", "id=\"f1-a\"", "href=\"#f1-a\"", "<figcaption id=\"figure1\">The first picture.</figcaption>",
        "<figure>", "id=\"f2-a\"", "href=\"#f2-a\"", "<figcaption id=\"figure2\">The second picture.</figcaption>",
        "<h3 id=\"table1\">Domains</h3>", "Copy as CSV",
        "<th scope=\"col\"><button type=\"button\">domain</button></th>"
        "<th scope=\"col\" class=\"n\"><button type=\"button\">share</button></th>",
        "<tbody>\n<tr><td>rust</td><td class=\"n\">12 %</td></tr>\n<tr><td>lexicon</td><td class=\"n\"></td></tr>\n</tbody>", "</section>",
        "<h2 id=\"section2\">What is near</h2>", "</section>", "How this was made",
        "<dt>seed</dt><dd>1</dd>\n<dt>command</dt><dd>golgi nag select\n  <span>--model</span> M</dd>",
        "</main>", "<footer>golgi " GG_VERSION_TEXT "</footer>", "<script>", "</html>\n",
    };
    has_in_order(page, parts, sizeof parts / sizeof *parts);
    assert_int_equal(count(page, "<section"), count(page, "</section>"));
    free(page);
}

static void whatever_is_said_is_text(void **state)
{
    gg_context *ctx = *state;
    static const char evil[] = "</title></style></script><script>alert(1)</script><img src=x onerror=alert(2)>\" onclick=\"alert(3)' &amp; \xff";
    static const char good[] = "&lt;/title&gt;&lt;/style&gt;&lt;/script&gt;"
                               "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"
                               "&quot; onclick=&quot;alert(3)&#39; &amp;amp; \xef\xbf\xbd";
    put("p.svg", PICTURE, 0644);
    gg_report *r = NULL;
    assert_ok_in(ctx, gg_report_create(&r, ctx, evil, evil));
    gg_report_section(r, evil, evil);
    assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), evil));
    gg_report_table_begin(r, evil, (const char *[]){evil}, (const bool[]){false}, 1);
    gg_report_table_row(r, (const char *[]){evil});
    gg_report_table_end(r);
    gg_report_fact(r, evil, evil);
    char *page = commit(ctx, r);
    assert_int_equal(count(page, good), 11);
    assert_int_equal(count(page, "<script>"), 1); /* ours */
    assert_int_equal(count(page, "</script>"), 1);
    assert_int_equal(count(page, "<img"), 0);
    assert_int_equal(count(page, "</style>"), 1);
    free(page);
}

static void the_page_fetches_nothing(void **state)
{
    gg_context *ctx = *state;
    put("p.svg",
        "<svg viewBox=\"0 0 1 1\" xmlns=\"http://www.w3.org/2000/svg\">"
        "<image href=\"https://example.org/a.png\"/><style>@import url(//example.org/x);</style></svg>", 0644);
    gg_report *r = begin(ctx);
    assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), "c"));
    char *page = commit(ctx, r);
    assert_int_equal(count(page, "://"), 0);
    assert_int_equal(count(page, "src="), 0);
    assert_int_equal(count(page, "@import"), 0);
    assert_int_equal(count(page, "url("), 0);
    free(page);
}

static void a_picture_that_is_none_leaves_the_report_as_it_was(void **state)
{
    gg_context *ctx = *state;
    put("p.svg", PICTURE, 0644);
    put("bad.svg", "<svg viewBox=\"0 0 1 1\"><g>", 0644);
    put("empty.svg", "", 0644);
    gg_report *r = begin(ctx);
    assert_fails(ctx, gg_report_figure(r, at("bad.svg"), "bad caption"), GG_EFORMAT, "bad.svg, byte 26: the file ends inside an element");
    assert_fails(ctx, gg_report_figure(r, at("empty.svg"), "bad caption"), GG_EFORMAT, "empty.svg, byte 0");
    assert_fails(ctx, gg_report_figure(r, at("none.svg"), "bad caption"), GG_ENOENT, "none.svg");
    assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), "good caption"));
    char *page = commit(ctx, r);
    assert_int_equal(count(page, "bad caption"), 0);
    assert_int_equal(count(page, "<figure>"), 1);
    assert_text_has(page, "id=\"figure1\">good caption");
    free(page);
}

static void a_table_left_open_is_closed_by_what_follows(void **state)
{
    gg_context *ctx = *state;
    put("p.svg", PICTURE, 0644);
    gg_report *r = begin(ctx);
    for (int k = 0; k < 5; k++) {
        gg_report_table_begin(r, "t", (const char *[]){"c"}, (const bool[]){true}, 1);
        gg_report_table_row(r, (const char *[]){"1"});
        if (k == 0)
            gg_report_section(r, "s", NULL);
        if (k == 1)
            assert_ok_in(ctx, gg_report_figure(r, at("p.svg"), "c"));
        if (k == 2)
            gg_report_table_end(r), gg_report_table_end(r);
    }
    gg_report_fact(r, "name", "value"); /* does not end a table: facts are elsewhere on the page */
    gg_report_table_row(r, (const char *[]){"2"});
    char *page = commit(ctx, r);
    assert_int_equal(count(page, "<table"), 5);
    assert_int_equal(count(page, "</table></div>\n</div>"), 5);
    assert_int_equal(count(page, "<tr><td"), 6);
    free(page);
}

static void misuse_is_a_defect_told_by_commit_and_nothing_is_written(void **state)
{
    gg_context *ctx = *state;
    for (int k = 0; k < 3; k++) {
        gg_report *r = begin(ctx);
        if (k == 0)
            gg_report_table_row(r, (const char *[]){"1"}); /* no table */
        if (k == 1)
            gg_report_table_begin(r, "t", NULL, NULL, 0);
        if (k == 2) {
            gg_report_table_begin(r, "t", (const char *[]){"c"}, (const bool[]){true}, 1);
            gg_report_table_end(r);
            gg_report_table_row(r, (const char *[]){"1"});
        }
        assert_fails(ctx, gg_report_commit(r, at("misused.html")), GG_EINTERNAL,
                     "misused.html: a table of this report has no columns, or rows stand outside a table");
        assert_false(there("misused.html"));
    }
    gg_report_discard(begin(ctx));
    gg_report_discard(NULL);
}

static void a_report_without_anything_is_still_a_page(void **state)
{
    gg_context *ctx = *state;
    char *page = commit(ctx, begin(ctx));
    assert_text_has(page, "<h1>The answer.</h1>");
    assert_int_equal(count(page, "How this was made"), 0);
    free(page);
}

static void a_page_that_cannot_be_written_says_where(void **state)
{
    gg_context *ctx = *state;
    gg_report *r = begin(ctx);
    const gg_status s = gg_report_commit(r, at("no/such/r.html")); /* frees r all the same: drop_context counts */
    assert_true(s == GG_EIO || s == GG_ENOENT);
    assert_text_has(gg_message(ctx), "no/such/r.html");
}

static gg_status whole_report(gg_context *ctx)
{
    gg_report *r = NULL;
    const gg_status made = gg_report_create(&r, ctx, "title", "headline");
    if (made != GG_OK) {
        assert_null(r);
        return made;
    }
    gg_report_section(r, "s", "one\n\ntwo");
    const gg_status drawn = gg_report_figure(r, at("p.svg"), "c");
    assert_true(drawn == GG_OK || drawn == GG_ENOMEM);
    gg_report_table_begin(r, "t", (const char *[]){"a", "b"}, (const bool[]){true, false}, 2);
    for (int i = 0; i < 30; i++)
        gg_report_table_row(r, (const char *[]){"1", "a cell whose text is longer than forty letters, as they are in tables of documents"});
    gg_report_table_end(r);
    gg_report_fact(r, "n", "v");
    const gg_status s = gg_report_commit(r, at("m.html"));
    return drawn != GG_OK ? drawn : s;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    put("p.svg", PICTURE, 0644);
    size_t whole_size = 0;
    for (int n = 1; !whole_size; n++) {
        assert_true(n < 500);
        ration r = {.fail_at = n + 1};
        gg_context *ctx = NULL;
        if (gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &r}}) != GG_OK)
            continue;
        unlink(at("m.html"));
        const gg_status s = whole_report(ctx);
        if (s == GG_OK && r.n <= n)
            free(read_file(&whole_size, at("m.html")));
        else if (s != GG_OK)
            assert_int_equal(s, GG_ENOMEM);
        if (there("m.html")) { /* with or without the picture that failed, never with a piece of it */
            char *page = read_file(NULL, at("m.html"));
            assert_int_equal(count(page, "<figure>"), count(page, "</figure>"));
            assert_int_equal(count(page, "<tr><td"), 30);
            assert_text_has(page, "</html>\n");
            free(page);
        }
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_listener, drop_context)
    const struct CMUnitTest tests[] = {
        T(a_report_reads_from_the_answer_to_how_it_was_made),
        T(whatever_is_said_is_text),
        T(the_page_fetches_nothing),
        T(a_picture_that_is_none_leaves_the_report_as_it_was),
        T(a_table_left_open_is_closed_by_what_follows),
        T(misuse_is_a_defect_told_by_commit_and_nothing_is_written),
        T(a_report_without_anything_is_still_a_page),
        T(a_page_that_cannot_be_written_says_where),
        T(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
