/* A report: one HTML file that needs nothing else. Owns the page's structure; report.html.h its style and script; svg.c makes pictures fit.
 *
 * The page grows in memory in reading order and is written whole at the end. Every text that comes in is escaped, every picture
 * is read and written again with ids of its own. Text functions return nothing: what fails in them is remembered and told by commit.
 */
#include "base/file.h"
#include "base/memory.h"
#include "plot/plot.h"
#include "plot/report.html.h"
#include "plot/svg.h"
#include <stdio.h>

struct gg_report {
    gg_context *ctx;
    gg_str body, facts;
    char *title;
    int n_sections, n_figures, n_tables;
    bool in_section, in_table, misused;
    int n_columns;
    bool *is_number; /* (n_columns,) of the open table */
};

static void report_free(gg_report *r)
{
    gg_context *ctx = r->ctx;
    gg_str_free(&r->body);
    gg_str_free(&r->facts);
    gg_drop(ctx, r->title);
    gg_drop(ctx, r->is_number);
    gg_drop(ctx, r);
}

gg_status gg_report_create(gg_report **out, gg_context *ctx, const char *title, const char *headline)
{
    *out = NULL;
    gg_report *r = gg_new(ctx, gg_report, 1);
    if (!r)
        return GG_ENOMEM;
    *r = (gg_report){.ctx = ctx, .body = {.ctx = ctx}, .facts = {.ctx = ctx}, .title = gg_strdup(ctx, title)};
    gg_str_puts(&r->body, "<header>\n<p class=\"kicker\">");
    gg__xml_escape(&r->body, title);
    gg_str_puts(&r->body, "</p>\n<h1>");
    gg__xml_escape(&r->body, headline);
    gg_str_puts(&r->body, "</h1>\n</header>\n");
    if (!r->title || r->body.failed) {
        report_free(r);
        return GG_ENOMEM;
    }
    *out = r;
    return GG_OK;
}

/* An empty line begins a new paragraph. */
static void paragraphs(gg_report *r, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        const size_t n = end ? (size_t)(end - text) : strlen(text);
        char *one = gg_strndup(r->ctx, text, n);
        if (!one) {
            r->body.failed = true;
            return;
        }
        gg_str_puts(&r->body, "<p>");
        gg__xml_escape(&r->body, one);
        gg_str_puts(&r->body, "</p>\n");
        gg_drop(r->ctx, one);
        text += n;
        text += strspn(text, "\n");
    }
}

static void end_section(gg_report *r)
{
    gg_report_table_end(r);
    if (r->in_section)
        gg_str_puts(&r->body, "</section>\n");
    r->in_section = false;
}

void gg_report_section(gg_report *r, const char *heading, const char *paragraph)
{
    end_section(r);
    r->in_section = true;
    r->n_sections++;
    gg_str_printf(&r->body, "<section aria-labelledby=\"section%d\">\n<h2 id=\"section%d\">", r->n_sections, r->n_sections);
    gg__xml_escape(&r->body, heading);
    gg_str_puts(&r->body, "</h2>\n");
    if (paragraph)
        paragraphs(r, paragraph);
}

gg_status gg_report_figure(gg_report *r, const char *svg_path, const char *caption)
{
    gg_report_table_end(r);
    gg_map file;
    GG_TRY(gg_map_open(&file, r->ctx, svg_path));
    gg_str svg = {.ctx = r->ctx};
    char prefix[32], extra[96];
    const int number = r->n_figures + 1;
    snprintf(prefix, sizeof prefix, "f%d-", number);
    snprintf(extra, sizeof extra, " role=\"img\" aria-labelledby=\"figure%d\"", number);
    const gg_status s = gg__svg_embed(&svg, (const char *)file.data, file.size, svg_path, prefix, extra);
    gg_map_close(&file);
    if (s == GG_OK) { /* the page changes only when the picture is whole */
        r->n_figures = number;
        gg_str_printf(&r->body, "<figure>\n<div class=\"box plot\" tabindex=\"0\" role=\"group\" aria-labelledby=\"figure%d\">", number);
        gg_str_add(&r->body, svg.data, svg.len);
        gg_str_printf(&r->body, "</div>\n<figcaption id=\"figure%d\">", number);
        gg__xml_escape(&r->body, caption);
        gg_str_puts(&r->body, "</figcaption>\n</figure>\n");
    }
    gg_str_free(&svg);
    return s == GG_OK && r->body.failed ? GG_ENOMEM : s;
}

void gg_report_table_begin(gg_report *r, const char *caption, const char *const *column, const bool *is_number, int n_columns)
{
    gg_report_table_end(r);
    if (n_columns < 1) {
        r->misused = true;
        return;
    }
    gg_drop(r->ctx, r->is_number);
    r->is_number = gg_new(r->ctx, bool, n_columns);
    if (!r->is_number) {
        r->body.failed = true;
        return;
    }
    memcpy(r->is_number, is_number, (size_t)n_columns * sizeof *is_number);
    r->n_columns = n_columns;
    r->in_table = true;
    r->n_tables++;
    gg_str_printf(&r->body, "<div class=\"table\">\n<div class=\"bar\"><h3 id=\"table%d\">", r->n_tables);
    gg__xml_escape(&r->body, caption);
    gg_str_printf(&r->body, "</h3><button type=\"button\" class=\"csv\" aria-live=\"polite\">Copy as CSV</button></div>\n"
                            "<div class=\"box\" tabindex=\"0\" role=\"group\" aria-labelledby=\"table%d\"><table aria-labelledby=\"table%d\">\n<thead><tr>",
                  r->n_tables, r->n_tables);
    for (int c = 0; c < n_columns; c++) {
        gg_str_puts(&r->body, is_number[c] ? "<th scope=\"col\" class=\"n\"><button type=\"button\">" : "<th scope=\"col\"><button type=\"button\">");
        gg__xml_escape(&r->body, column[c]);
        gg_str_puts(&r->body, "</button></th>");
    }
    gg_str_puts(&r->body, "</tr></thead>\n<tbody>\n");
}

void gg_report_table_row(gg_report *r, const char *const *cell)
{
    if (!r->in_table) {
        r->misused = r->misused || !r->body.failed;
        return;
    }
    gg_str_puts(&r->body, "<tr>");
    for (int c = 0; c < r->n_columns; c++) {
        const bool is_long = cell[c] && strlen(cell[c]) > 40; /* on a phone it needs room more than the page needs to fit */
        gg_str_puts(&r->body, r->is_number[c] ? "<td class=\"n\">" : is_long ? "<td class=\"t\">" : "<td>");
        if (cell[c])
            gg__xml_escape(&r->body, cell[c]);
        gg_str_puts(&r->body, "</td>");
    }
    gg_str_puts(&r->body, "</tr>\n");
}

void gg_report_table_end(gg_report *r)
{
    if (r->in_table)
        gg_str_puts(&r->body, "</tbody>\n</table></div>\n</div>\n");
    r->in_table = false;
}

/* Words with hyphens each in a box of their own: a browser would break a command line within "--model". */
static void put_words(gg_report *r, gg_str *out, const char *text)
{
    while (*text) {
        const size_t blank = strspn(text, " \t\n"), word = strcspn(text + blank, " \t\n");
        const bool boxed = memchr(text + blank, '-', word) != NULL;
        char *one = gg_strndup(r->ctx, text + blank, word);
        if (!one) {
            out->failed = true;
            return;
        }
        gg_str_add(out, text, blank);
        gg_str_puts(out, boxed ? "<span>" : "");
        gg__xml_escape(out, one);
        gg_str_puts(out, boxed ? "</span>" : "");
        gg_drop(r->ctx, one);
        text += blank + word;
    }
}

void gg_report_fact(gg_report *r, const char *name, const char *value)
{
    gg_str_puts(&r->facts, "<dt>");
    gg__xml_escape(&r->facts, name);
    gg_str_puts(&r->facts, "</dt><dd>");
    put_words(r, &r->facts, value);
    gg_str_puts(&r->facts, "</dd>\n");
}

static gg_status write_page(gg_report *r, const char *path)
{
    if (r->misused)
        return gg_fail(r->ctx, GG_EINTERNAL, "%s: a table of this report has no columns, or rows stand outside a table", path);
    end_section(r);
    gg_str page = {.ctx = r->ctx};
    gg_str_puts(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                       "script-src 'unsafe-inline'; img-src data:\">\n"
                       "<meta name=\"generator\" content=\"golgi " GG_VERSION_TEXT "\">\n<title>");
    gg__xml_escape(&page, r->title);
    gg_str_puts(&page, "</title>\n<style>\n");
    gg_str_add(&page, STYLE, sizeof STYLE - 1);
    gg_str_puts(&page, "</style>\n</head>\n<body>\n<main>\n");
    if (r->body.len)
        gg_str_add(&page, r->body.data, r->body.len);
    if (r->facts.len) {
        gg_str_puts(&page, "<section aria-labelledby=\"made\">\n<h2 id=\"made\">How this was made</h2>\n<dl>\n");
        gg_str_add(&page, r->facts.data, r->facts.len);
        gg_str_puts(&page, "</dl>\n</section>\n");
    }
    gg_str_puts(&page, "</main>\n<footer>golgi " GG_VERSION_TEXT "</footer>\n<script>\n");
    gg_str_add(&page, SCRIPT, sizeof SCRIPT - 1);
    gg_str_puts(&page, "</script>\n</body>\n</html>\n");
    const gg_status s = page.failed || r->body.failed || r->facts.failed ? GG_ENOMEM : gg_file_write(r->ctx, path, page.data, page.len);
    gg_str_free(&page);
    return s;
}

gg_status gg_report_commit(gg_report *r, const char *path)
{
    const gg_status s = write_page(r, path);
    report_free(r);
    return s;
}

void gg_report_discard(gg_report *r)
{
    if (r)
        report_free(r);
}
