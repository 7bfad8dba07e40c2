/* Manual pages: the tables that the help is made of, written as roff, so that the two cannot differ. The macros are those of man(7).
 *
 * Traps: a line that begins with a full stop or an apostrophe is a request; '-' alone is a hyphen, which nobody can paste into a shell; a
 * backslash begins an escape; quotes, carets and tildes turn into other characters unless they are named.
 */
#include "base/command_state.h"
#include <ctype.h>
#include <stdlib.h>

enum { LINE = 78 };

/* ---- roff ---- */

/* How a letter is written; NULL: as it is. */
static const char *name_of(char c)
{
    static const struct {
        char c;
        const char *roff;
    } named[] = {{'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'"', "\\(dq"}, {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (c == named[i].c)
            return named[i].roff;
    return NULL;
}

static int length_of(const char *text, size_t n)
{
    int length = 0;
    for (size_t i = 0; i < n; i++)
        length += name_of(text[i]) ? (int)strlen(name_of(text[i])) : 1;
    return length;
}

static void put_letter(FILE *f, char c)
{
    if (name_of(c))
        fputs(name_of(c), f);
    else
        fputc(c, f);
}

static void put_exact(FILE *f, const char *text, size_t n)
{
    if (n && *text == '.')
        fputs("\\&", f);
    for (size_t i = 0; i < n; i++)
        put_letter(f, text[i]);
}

/* A paragraph, in short lines; a line feed in it breaks the line, two begin another paragraph. */
static void put_text(FILE *f, const char *text)
{
    int at = 0;
    for (const char *p = text; *p;) {
        if (*p == '\n') {
            fputs(at ? "\n" : "", f);
            fputs(p[1] == '\n' ? ".PP\n" : p[1] ? ".br\n" : "", f);
            p += strspn(p, "\n");
            at = 0;
            continue;
        }
        if (*p == ' ') {
            p++;
            continue;
        }
        const size_t n = strcspn(p, " \n");
        const int length = length_of(p, n);
        if (at && at + 1 + length > LINE) {
            fputc('\n', f);
            at = 0;
        }
        at += at ? fprintf(f, " ") : 0;
        at += length;
        put_exact(f, p, n);
        p += n;
    }
    fputs(at ? "\n" : "", f);
}

/* A command as it is typed. */
static void put_example(FILE *f, const char *line, size_t n, bool first)
{
    fputs(first ? ".SH EXAMPLES\n.EX\n" : ".PP\n.EX\n", f);
    put_exact(f, line, n);
    fputs("\n.EE\n", f);
}

/* "nag rank" as "-nag-rank", behind the name of the program */
static void put_page_name(FILE *f, const char *name, size_t n)
{
    fputs(n ? "\\-" : "", f);
    for (size_t i = 0; i < n; i++)
        put_letter(f, (char)(name[i] == ' ' ? '-' : name[i]));
}

/* The title line and the first section. name: "nag rank", "" for the program; what: a sentence, of which the capital and the full stop go. */
static void put_title(FILE *f, const char *name, const char *what, size_t n)
{
    fputs(".TH GOLGI", f);
    for (const char *c = name; *c; c++)
        fprintf(f, "%s%c", c == name ? "-" : "", *c == ' ' ? '-' : toupper((unsigned char)*c));
    fputs(" 1 \"" GG_VERSION_DATE "\" \"golgi " GG_VERSION_TEXT "\" \"golgi manual\"\n.nh\n.ad l\n.SH NAME\ngolgi", f);
    put_page_name(f, name, strlen(name));
    fputs(" \\- ", f);
    n -= n && what[n - 1] == '.';
    const bool word = n > 1 && isupper((unsigned char)what[0]) && !isupper((unsigned char)what[1]);
    for (size_t i = 0; i < n; i++)
        put_letter(f, (char)(i == 0 && word ? tolower((unsigned char)what[0]) : what[i]));
    fputc('\n', f);
}

static void put_codes(FILE *f)
{
    fputs(".SH EXIT STATUS\n.TP\n0\nthe work is done\n.TP\n1\nit failed; standard error says why, and nothing is left half-written\n.TP\n2\n"
          "the command line was not understood\n.TP\n130, 143\nstopped by SIGINT or SIGTERM\n",
          f);
}

static void put_see_also(FILE *f, const char *name)
{
    fputs(".SH SEE ALSO\n.BR golgi (1)", f);
    const char *space = strchr(name, ' '); /* the verbs beside it are listed on the page of their list */
    if (space) {
        fputs(",\n.BR golgi", f);
        put_page_name(f, name, (size_t)(space - name));
        fputs(" (1)", f);
    }
    fputc('\n', f);
}

/* ---- pages ---- */

static void put_group(void *user, const char *name)
{
    FILE *f = user;
    fputs(".SS ", f);
    put_exact(f, name, strlen(name));
    fputc('\n', f);
}

/* ".B \-\-top\-k \fIK\fR" */
static void put_term(FILE *f, const gg_option *o)
{
    if (o->name) {
        fputs("\\fB\\-\\-", f);
        put_exact(f, o->name, strlen(o->name));
        fputs("\\fR", f);
    }
    const char *arg = gg__option_arg(o);
    if (!arg)
        return;
    fprintf(f, "%s\\fI", o->name ? " " : "");
    put_exact(f, arg, strlen(arg));
    fprintf(f, "\\fR%s", o->type == GG_OPT_TEXTS && !strstr(arg, "...") ? "...\\&" : ""); /* not the end of a sentence */
}

static void put_option(void *user, gg_command_state *st, const gg_option *o)
{
    FILE *f = user;
    gg_str doc = {.ctx = st->own};
    gg__option_doc(&doc, o);
    fputs(".TP\n", f);
    put_term(f, o);
    fputc('\n', f);
    if (!doc.failed && doc.len)
        put_text(f, doc.data);
    gg_str_free(&doc);
}

void gg__manual_of_command(FILE *f, gg_command_state *st)
{
    const gg_command *c = st->c;
    put_title(f, c->name, c->sentence, strlen(c->sentence));
    fputs(".SH SYNOPSIS\n.B golgi ", f);
    put_exact(f, c->name, strlen(c->name));
    fputc('\n', f);
    for (int named = 1; named >= 0; named--) /* words that belong to no option come last */
        for (int i = 0; i < st->n_entries; i++)
            if (st->entries[i].o->required && (st->entries[i].o->name != NULL) == named) {
                put_term(f, st->entries[i].o);
                fputc('\n', f);
            }
    fputs("[\\fIoptions\\fR]\n.SH DESCRIPTION\n", f);
    put_text(f, c->sentence);
    if (c->notes) {
        fputs(".PP\n", f);
        put_text(f, c->notes);
    }
    fputs(".SH OPTIONS\n", f);
    gg__entries_by_group(st, put_group, put_option, f);
    if (c->example)
        put_example(f, c->example, strlen(c->example), true);
    put_codes(f);
    put_see_also(f, c->name);
}

void gg__manual_of_verbs(FILE *f, const char *prefix, const char *head, const gg_verb *verbs, int n)
{
    /* "golgi nag - what it is for." and, after an empty line, examples by two spaces from the margin */
    const char *what = head, *dash = strstr(head, " - ");
    const size_t line = strcspn(head, "\n");
    if (dash && dash < head + line)
        what = dash + 3;
    put_title(f, prefix, what, (size_t)(head + line - what));
    fputs(".SH SYNOPSIS\n.B golgi", f);
    fputs(*prefix ? " " : "", f);
    put_exact(f, prefix, strlen(prefix));
    fputs("\n\\fIVERB\\fR [\\fIoptions\\fR]\n.br\n.B golgi help", f);
    fputs(*prefix ? " " : "", f);
    put_exact(f, prefix, strlen(prefix));
    fputs("\n\\fIVERB\\fR\n.SH DESCRIPTION\n", f);
    char *first = strndup(what, (size_t)(head + line - what));
    if (first) {
        first[0] = (char)toupper((unsigned char)first[0]);
        put_text(f, first);
        free(first);
    }
    if (*prefix == 0)
        fputs(".PP\nEvery verb explains itself:\n.B golgi help\n\\fIVERB\\fR.\n", f);
    fputs(".SH VERBS\n", f);
    for (int i = 0; i < n; i++) {
        fputs(".TP\n.BR golgi", f);
        put_page_name(f, prefix, strlen(prefix));
        put_page_name(f, verbs[i].name, strlen(verbs[i].name));
        fputs(" (1)\n", f);
        put_text(f, verbs[i].summary);
    }
    bool any = false;
    for (const char *p = head; *p; p += strcspn(p, "\n"), p += *p == '\n')
        if (p[0] == ' ' && p[1] == ' ') {
            put_example(f, p + 2, strcspn(p + 2, "\n"), !any);
            any = true;
        }
    put_codes(f);
    if (*prefix)
        put_see_also(f, "");
    else
        fputs(".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nset to anything, no colours are used on a terminal\n", f);
}
