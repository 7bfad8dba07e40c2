/* Command lines, for the program. glibc's argp finds the options; the words of help and of errors are ours.
 *
 * Traps: getopt takes the next option for a value ("--model --input x"), so a value that is the name of an option is refused; and
 * its error gives no index, so the position after the last thing understood is kept. Words after a TEXTS option belong to it until
 * another option or "--" comes.
 */
#include "base/command.h"
#include "base/command_state.h"
#include "base/context.h"
#include "base/event.h"
#include "base/file.h"
#include "base/memory.h"
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FIRST_KEY = 0x1000, KEY_HELP = 'h' }; /* beyond the characters: argp sees one short option, -h */

typedef gg__entry entry;
typedef gg_command_state state;

/* ---- words ---- */

static int imin(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein, with adjacent swaps (optimal string alignment). Both shorter than MAX_WORD. */
enum { MAX_WORD = 64 };
static int edit_distance(const char *a, const char *b)
{
    int d[3][MAX_WORD + 1];
    const int n = (int)strlen(a), m = (int)strlen(b);
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            row[j] = imin(imin(up[j], row[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = imin(row[j], up2[j - 2] + 1);
        }
    }
    return d[n % 3][m];
}

const char *gg_nearest(const char *word, const char *const *candidates, int n)
{
    const size_t len = strlen(word);
    if (len == 0 || len >= MAX_WORD)
        return NULL;
    const char *best = NULL, *begun = NULL;
    int least = (int)len / 3, n_begun = 0;
    for (int i = 0; i < n; i++) {
        if (strlen(candidates[i]) >= MAX_WORD)
            continue;
        const int d = edit_distance(word, candidates[i]);
        if (d <= least && (!best || d < least)) {
            best = candidates[i];
            least = d;
        }
        if (len >= 2 && strncmp(word, candidates[i], len) == 0) {
            begun = candidates[i];
            n_begun++;
        }
    }
    return best ? best : n_begun == 1 ? begun : NULL;
}

/* ---- help ---- */

int gg__width_of(FILE *f)
{
    struct winsize w = {0};
    if (ioctl(fileno(f), TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
        return imin(w.ws_col, 110);
    return 100;
}

/* Prints text in lines from column `left` on; the cursor stands at column `at`. */
void gg__put_wrapped(FILE *f, const char *text, int left, int at, int width)
{
    if (at > left) {
        fputc('\n', f);
        at = 0;
    }
    bool first = true;
    for (const char *p = text; *p;) {
        const int n = (int)strcspn(p, " \n");
        if (!first && at + 1 + n > width) {
            fputc('\n', f);
            at = 0;
            first = true;
        }
        if (first)
            at += fprintf(f, "%*s", left - at, "");
        else
            at += fprintf(f, " ");
        at += fprintf(f, "%.*s", n, p);
        first = false;
        p += n;
        if (*p == '\n') {
            fputc('\n', f);
            at = 0;
            first = true;
        }
        p += *p != 0;
    }
    fputc('\n', f);
}

/* " [10]", " [all processors]" or nothing */
void gg__option_default(gg_str *s, const gg_option *o)
{
    switch (o->type) {
    case GG_OPT_TEXT:
    case GG_OPT_CHOICE: {
        const char *text = *(const char **)o->value;
        if (text && strcmp(text, "\n") == 0) /* as it would be typed */
            text = "$'\\n'";
        if (text)
            gg_str_printf(s, " [%s]", text);
        break;
    }
    case GG_OPT_TEXTS: {
        const gg_texts *t = o->value;
        for (int i = 0; i < t->n; i++)
            gg_str_printf(s, "%s%s%s", i ? " " : " [", t->at[i], i + 1 == t->n ? "]" : "");
        break;
    }
    case GG_OPT_INT:
        if (*(int64_t *)o->value)
            gg_str_printf(s, " [%lld]", (long long)*(int64_t *)o->value);
        break;
    case GG_OPT_DOUBLE:
        if (*(double *)o->value != 0)
            gg_str_printf(s, " [%g]", *(double *)o->value);
        break;
    case GG_OPT_FLAG:
        break;
    }
}

const char *gg__option_arg(const gg_option *o)
{
    if (o->type == GG_OPT_FLAG)
        return NULL;
    return o->arg ? o->arg : o->type == GG_OPT_INT ? "N" : o->type == GG_OPT_DOUBLE ? "X" : o->choices ? o->choices : "TEXT";
}

void gg__option_name(gg_str *s, const gg_option *o)
{
    if (o->name)
        gg_str_printf(s, "--%s", o->name);
    const char *arg = gg__option_arg(o);
    if (arg)
        gg_str_printf(s, "%s%s%s", o->name ? " " : "", arg, o->type == GG_OPT_TEXTS && !strstr(arg, "...") ? "..." : "");
}

void gg__option_doc(gg_str *s, const gg_option *o)
{
    gg_str_puts(s, o->doc ? o->doc : "");
    if (o->choices && o->arg && strcmp(o->arg, o->choices) != 0)
        gg_str_printf(s, "%s%s", s->len ? ": " : "", o->choices);
    gg__option_default(s, o);
    if (o->required)
        gg_str_puts(s, " (required)");
}

static void put_option(FILE *f, state *st, const gg_option *o, int width)
{
    enum { LEFT = 30 };
    gg_str name = {.ctx = st->own}, doc = {.ctx = st->own};
    gg__option_name(&name, o);
    gg__option_doc(&doc, o);
    if (!name.failed && !doc.failed) {
        const int at = fprintf(f, "  %s", name.data);
        gg__put_wrapped(f, doc.data, LEFT, at + 2 > LEFT ? at + 2 : at, width);
    }
    gg_str_free(&name);
    gg_str_free(&doc);
}

static void put_head(FILE *f, const gg_command *c, int width)
{
    gg__put_wrapped(f, c->sentence, 0, 0, width);
    if (c->example)
        fprintf(f, "\n  %s\n", c->example);
}

void gg__entries_by_group(state *st, void (*group)(void *user, const char *name), void (*body)(void *user, state *st, const gg_option *o), void *user)
{
    for (int i = 0; i < st->n_entries; i++) {
        const char *name = st->entries[i].group;
        bool seen = false;
        for (int j = 0; j < i; j++)
            seen |= strcmp(st->entries[j].group, name) == 0;
        if (seen)
            continue;
        group(user, name);
        for (int j = i; j < st->n_entries; j++)
            if (strcmp(st->entries[j].group, name) == 0)
                body(user, st, st->entries[j].o);
    }
}

static void put_group(void *user, const char *name)
{
    fprintf(user, "\n%s\n", name);
}

static void put_grouped(void *user, state *st, const gg_option *o)
{
    put_option(user, st, o, gg__width_of(user));
}

static void put_help(FILE *f, state *st)
{
    const int width = gg__width_of(f);
    put_head(f, st->c, width);
    gg__entries_by_group(st, put_group, put_grouped, f);
    if (st->c->notes) {
        fputc('\n', f);
        gg__put_wrapped(f, st->c->notes, 0, 0, width);
    }
}

static void put_short_help(FILE *f, state *st)
{
    const int width = gg__width_of(f);
    put_head(f, st->c, width);
    fputs("\nIt needs\n", f);
    for (int i = 0; i < st->n_entries; i++)
        if (st->entries[i].o->required)
            put_option(f, st, st->entries[i].o, width);
    fprintf(f, "\n  golgi help %s      shows all options\n", st->c->name);
}

/* ---- events ---- */

static void end_event(state *st, int code, gg_status s, const char *text)
{
    gg_str e = {.ctx = st->own};
    gg__event_begin(&e, st->c->name, "end");
    gg__event_number(&e, "exit", code);
    gg__event_number(&e, "seconds", gg_time() - st->start);
    if (s != GG_OK) {
        gg__event_text(&e, "status", gg_status_name(s));
        gg__event_text(&e, "text", text);
    }
    gg__event_end(&e);
}

FILE *gg_command_say_begin(gg_command *c)
{
    FILE *f = c->log_json ? open_memstream(&c->state->said, &c->state->n_said) : NULL;
    return f ? f : stderr;
}

void gg_command_say_end(gg_command *c, FILE *f)
{
    state *st = c->state;
    if (f == stderr)
        return;
    if (fclose(f) == 0) {
        gg_str e = {.ctx = st->own};
        while (st->n_said > 0 && st->said[st->n_said - 1] == '\n')
            st->said[--st->n_said] = 0;
        gg__event_begin(&e, c->name, "said");
        gg__event_text(&e, "text", st->said);
        gg__event_end(&e);
    }
    free(st->said);
    st->said = NULL;
}

/* ---- mistakes ---- */

static gg_status mistake(state *st, const char *format, ...) GG_PRINTF(2, 3);
static gg_status mistake(state *st, const char *format, ...)
{
    if (st->status != GG_OK)
        return st->status; /* one is enough */
    char text[2048];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    if (st->c->log_json)
        end_event(st, 2, GG_EINVAL, text);
    else
        fprintf(stderr, "golgi: %s: %s\n", st->c->name, text);
    return st->status = GG_EINVAL;
}

static gg_status no_memory(state *st)
{
    return mistake(st, "out of memory while reading the command line");
}

entry *gg__entry_find(state *st, const char *name, size_t n)
{
    for (int i = 0; i < st->n_entries; i++) {
        const char *have = st->entries[i].o->name;
        if (have && strlen(have) == n && memcmp(have, name, n) == 0)
            return &st->entries[i];
    }
    return NULL;
}

/* Says what is wrong with the word that getopt did not take. */
static gg_status bad_option(state *st, const char *word)
{
    const char *name = word + strspn(word, "-");
    const size_t n = strcspn(name, "=");
    const bool two = word[0] == '-' && word[1] == '-';
    const entry *e = two ? gg__entry_find(st, name, n) : NULL;
    const char **names = gg_new(st->own, const char *, st->n_entries + 1);
    char *plain = gg_strndup(st->own, name, n);
    if (!names || !plain)
        return no_memory(st);
    int n_names = 0, n_begun = 0;
    gg_str begun = {.ctx = st->own};
    for (int i = 0; i < st->n_entries; i++) {
        const gg_option *o = st->entries[i].o;
        if (!o->name)
            continue;
        names[n_names++] = o->name;
        if (two && strncmp(o->name, plain, n) == 0) {
            gg_str_printf(&begun, "%s--%s", n_begun++ ? ", " : "", o->name);
            if (n_begun == 1)
                e = e ? e : &st->entries[i];
        }
    }
    names[n_names++] = "help";
    const char *near = gg_nearest(plain, names, n_names);
    if (e && (n_begun == 1 || strlen(e->o->name) == n)) {
        if (e->o->type == GG_OPT_FLAG)
            mistake(st, "--%s takes no value, \"%s\" gives one", e->o->name, word);
        else
            mistake(st, "--%s needs a value%s%s", e->o->name, e->o->arg ? ": " : "", e->o->arg ? e->o->arg : "");
    } else if (n_begun > 1)
        mistake(st, "\"%s\" may mean %s: write more of it", word, begun.failed ? "several options" : begun.data);
    else if (near)
        mistake(st, "there is no option \"%s\". Did you mean --%s?", word, near);
    else
        mistake(st, "there is no option \"%s\". See: golgi help %s", word, st->c->name);
    gg_str_free(&begun);
    gg_drop(st->own, names);
    gg_drop(st->own, plain);
    return st->status;
}

/* ---- values ---- */

static const char *shown_name(const gg_option *o)
{
    return o->name ? o->name : o->arg ? o->arg : "";
}

static gg_status set_int(state *st, const gg_option *o, const char *text)
{
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text))
        return mistake(st, "--%s %s: a whole number is expected", shown_name(o), text);
    if (errno == ERANGE || (o->min < o->max && ((double)v < o->min || (double)v > o->max))) {
        if (o->min < o->max)
            return mistake(st, "--%s %s: must be from %.0f to %.0f", shown_name(o), text, o->min, o->max);
        return mistake(st, "--%s %s: the number is too large", shown_name(o), text);
    }
    *(int64_t *)o->value = v;
    return GG_OK;
}

static gg_status set_double(state *st, const gg_option *o, const char *text)
{
    char *end;
    const double v = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(v))
        return mistake(st, "--%s %s: a number is expected", shown_name(o), text);
    if (o->min < o->max && (v < o->min || v > o->max))
        return mistake(st, "--%s %s: must be from %g to %g", shown_name(o), text, o->min, o->max);
    *(double *)o->value = v;
    return GG_OK;
}

static gg_status set_choice(state *st, const gg_option *o, const char *text)
{
    enum { MOST = 32 };
    char *copy = gg_strdup(st->own, o->choices);
    if (!copy)
        return no_memory(st);
    const char *list[MOST];
    int n = 0, at = -1;
    char *rest = NULL;
    for (char *p = strtok_r(copy, "|", &rest); p && n < MOST; p = strtok_r(NULL, "|", &rest)) {
        if (strcmp(p, text) == 0)
            at = n;
        list[n++] = p;
    }
    if (at >= 0)
        *(const char **)o->value = text;
    else {
        const char *near = gg_nearest(text, list, n);
        if (near)
            mistake(st, "--%s %s: not one of %s. Did you mean %s?", shown_name(o), text, o->choices, near);
        else
            mistake(st, "--%s %s: not one of %s", shown_name(o), text, o->choices);
    }
    gg_drop(st->own, copy);
    return st->status;
}

static gg_status add_text(state *st, entry *e, const char *text)
{
    gg_texts *t = e->o->value;
    if (!e->given)
        *t = (gg_texts){0, NULL}; /* the default gives way */
    if (t->n == e->cap) {
        const int64_t cap = e->cap ? 2 * e->cap : 8;
        const char **at = gg_renew(st->own, e->cap ? t->at : NULL, const char *, cap);
        if (!at)
            return no_memory(st);
        t->at = at;
        e->cap = cap;
    }
    t->at[t->n++] = text;
    return GG_OK;
}

static gg_status set(state *st, entry *e, const char *text)
{
    const gg_option *o = e->o;
    if (o->name && text && text[0] == '-' && text[1] == '-' && gg__entry_find(st, text + 2, strcspn(text + 2, "=")))
        return mistake(st, "--%s needs a value, and %s follows", o->name, text);
    gg_status s = GG_OK;
    switch (o->type) {
    case GG_OPT_FLAG:
        *(bool *)o->value = true;
        break;
    case GG_OPT_TEXT:
        if (!o->name && e->given)
            return mistake(st, "\"%s\" is one word too many after \"%s\". See: golgi help %s", text, *(const char **)o->value, st->c->name);
        *(const char **)o->value = text;
        break;
    case GG_OPT_TEXTS:
        s = add_text(st, e, text);
        break;
    case GG_OPT_INT:
        s = set_int(st, o, text);
        break;
    case GG_OPT_DOUBLE:
        s = set_double(st, o, text);
        break;
    case GG_OPT_CHOICE:
        s = set_choice(st, o, text);
        break;
    }
    e->given = true;
    return s;
}

static gg_status word(state *st, const char *text)
{
    if (st->texts)
        return set(st, st->texts, text);
    for (int i = 0; i < st->n_entries; i++)
        if (!st->entries[i].o->name)
            return set(st, &st->entries[i], text);
    return mistake(st, "\"%s\" belongs to no option. See: golgi help %s", text, st->c->name);
}

static error_t on_key(int key, char *arg, struct argp_state *as)
{
    state *st = as->input;
    switch (key) {
    case KEY_HELP:
        st->help = true;
        break;
    case ARGP_KEY_ARG:
        if (as->quoted && as->next > as->quoted)
            st->texts = NULL;
        if (word(st, arg) != GG_OK)
            return EINVAL;
        break;
    case ARGP_KEY_ERROR:
        if (st->status == GG_OK && !st->help)
            bad_option(st, st->next < as->argc ? as->argv[st->next] : "");
        return 0;
    default: {
        if (key < FIRST_KEY || key >= FIRST_KEY + st->n_entries)
            return ARGP_ERR_UNKNOWN;
        entry *e = &st->entries[key - FIRST_KEY];
        if (set(st, e, arg) != GG_OK)
            return EINVAL;
        st->texts = e->o->type == GG_OPT_TEXTS ? e : NULL;
    }
    }
    st->next = as->next;
    return 0;
}

/* ---- parsing ---- */

static void state_free(gg_command *c)
{
    state *st = c->state;
    if (!st)
        return;
    gg_context *own = st->own;
    for (int i = 0; i < st->n_entries; i++)
        if (st->entries[i].cap) {
            gg_texts *t = st->entries[i].o->value;
            gg_drop(own, t->at);
            *t = (gg_texts){0, NULL};
        }
    gg_drop(own, st->entries);
    gg_drop(own, st);
    gg_context_free(own);
    c->state = NULL;
}

static gg_status state_create(gg_command *c)
{
    gg_context *own = NULL;
    GG_TRY(gg_context_create(&own, &(gg_context_options){.n_threads = 1}));
    state *st = gg_new(own, state, 1);
    entry *entries = gg_new(own, entry, c->n_options + GG__MACHINE_OPTIONS);
    if (!st || !entries) {
        gg_drop(own, st);
        gg_drop(own, entries);
        gg_context_free(own);
        return GG_ENOMEM;
    }
    *st = (state){.own = own, .c = c, .entries = entries, .next = 1, .start = gg_time()};
    c->state = st;
    const char *group = "Options";
    for (int i = 0; i < c->n_options; i++) {
        group = c->options[i].group ? c->options[i].group : group;
        st->entries[st->n_entries++] = (entry){.o = &c->options[i], .group = group};
    }
    const gg_option machine[GG__MACHINE_OPTIONS] = {
        {.name = "threads", .type = GG_OPT_INT, .value = &c->threads, .arg = "N", .min = 0, .max = 4096,
         .doc = "worker threads; 0: all processors this process may use [0]"},
        {.name = "seed", .type = GG_OPT_INT, .value = &c->seed, .arg = "N", .doc = "seed of everything random [0]"},
        {.name = "json", .type = GG_OPT_FLAG, .value = &c->json, .doc = "print results as JSON, with all their digits"},
        {.name = "log-json", .type = GG_OPT_FLAG, .value = &c->log_json, .doc = "progress, warnings and failures on standard error as JSON, one object a line"},
        {.name = "quiet", .type = GG_OPT_FLAG, .value = &c->quiet, .doc = "no progress, warnings only"},
        {.name = "verbose", .type = GG_OPT_FLAG, .value = &c->verbose, .doc = "say more of what is done"},
    };
    memcpy(st->machine, machine, sizeof machine);
    const int n_own = st->n_entries;
    for (int i = 0; i < GG__MACHINE_OPTIONS; i++) {
        bool taken = false;
        for (int j = 0; j < n_own; j++)
            taken |= st->entries[j].o->name && strcmp(st->entries[j].o->name, machine[i].name) == 0;
        if (!taken)
            st->entries[st->n_entries++] = (entry){.o = &st->machine[i], .group = "Machine"};
    }
    return GG_OK;
}

static gg_status check_required(state *st)
{
    gg_str missing = {.ctx = st->own};
    for (int i = 0; i < st->n_entries; i++) {
        const gg_option *o = st->entries[i].o;
        if (o->required && !st->entries[i].given) {
            gg_str_puts(&missing, missing.len ? ", " : "");
            gg__option_name(&missing, o);
        }
    }
    if (missing.failed)
        no_memory(st);
    else if (missing.len)
        mistake(st, "missing: %s. See: golgi help %s", missing.data, st->c->name);
    gg_str_free(&missing);
    return st->status;
}

/* The file that a command writes must not be one that it reads: nothing would be left of that. */
static gg_status check_output(state *st, const char *option)
{
    const entry *out = gg__entry_find(st, option, strlen(option));
    const char *path = out && out->given && out->o->type == GG_OPT_TEXT ? *(const char **)out->o->value : NULL;
    for (int i = 0; path && i < st->n_entries; i++) {
        const gg_option *o = st->entries[i].o;
        const bool one = o->type == GG_OPT_TEXT, many = o->type == GG_OPT_TEXTS;
        const gg_texts words = many ? *(const gg_texts *)o->value : (gg_texts){1, o->value};
        for (int k = 0; (one || many) && st->entries[i].given && o != out->o && k < words.n; k++)
            if (gg_file_same(path, words.at[k]))
                return mistake(st, "--%s %s is also what %s%s names: it would be written over. Name another file", option, path,
                               o->name ? "--" : "", shown_name(o));
    }
    return st->status;
}

static bool anything_required(const state *st)
{
    for (int i = 0; i < st->n_entries; i++)
        if (st->entries[i].o->required)
            return true;
    return false;
}

/* Another program asks what there is. */
static bool asked(state *st, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, GG__ASK_MAN) == 0)
        gg__manual_of_command(stdout, st);
    else if (strcmp(what, GG__ASK_VERBS) == 0)
        printf("%s\n", st->c->name);
    else if (strcmp(what, GG__ASK_WORDS) == 0)
        gg__complete_command(stdout, st, argc - 2, argv + 2);
    else
        return false;
    return true;
}

static gg_status parse(state *st, int argc, char **argv)
{
    if (asked(st, argc, argv))
        return GG_END;
    if (argc < 2 && anything_required(st)) {
        put_short_help(stderr, st);
        return GG_EINVAL;
    }
    struct argp_option *options = gg_new(st->own, struct argp_option, st->n_entries + 2);
    if (!options)
        return no_memory(st);
    int n = 0;
    for (int i = 0; i < st->n_entries; i++) {
        const gg_option *o = st->entries[i].o;
        if (o->name)
            options[n++] = (struct argp_option){.name = o->name, .key = FIRST_KEY + i, .arg = o->type == GG_OPT_FLAG ? NULL : "X"};
    }
    options[n++] = (struct argp_option){.name = "help", .key = KEY_HELP};
    const struct argp a = {.options = options, .parser = on_key};
    const error_t e = argp_parse(&a, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_IN_ORDER, NULL, st);
    gg_drop(st->own, options);
    if (st->help && st->status == GG_OK) {
        put_help(stdout, st);
        return GG_END;
    }
    if (e == ENOMEM && st->status == GG_OK)
        return no_memory(st);
    if (e != 0 && st->status == GG_OK)
        return mistake(st, "the command line was not understood: %s", strerror(e));
    if (st->status == GG_OK && check_required(st) == GG_OK && check_output(st, "output") == GG_OK)
        check_output(st, "scores");
    return st->status;
}

gg_status gg_command_parse(gg_command *c, int argc, char **argv)
{
    c->state = NULL;
    if (state_create(c) != GG_OK) {
        fprintf(stderr, "golgi: %s: out of memory\n", c->name);
        return GG_EINVAL;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) /* known before the first mistake */
        c->log_json |= strcmp(argv[i], "--log-json") == 0;
    const gg_status s = parse(c->state, argc, argv);
    if (s != GG_OK)
        state_free(c);
    return s;
}

/* ---- running ---- */

/* Signals belong to the process, so these do as well. */
static gg_context *_Atomic signal_ctx;
static atomic_int signal_got;     /* the first one's number; 0: none came */
static int64_t _Atomic signal_at; /* when it came, in milliseconds; 0: none came */

/* The first one stops the work; a second ends the process. What comes within half a second is the first one's echo: timeout(1) and batch systems send
 * a signal to the process and then to its group. Two may come at once on two threads (SIGPIPE belongs to the one that wrote): signal_at says who was first. */
static void on_signal(int number)
{
    const int64_t now = 1 + (int64_t)(1e3 * gg_time()); /* never 0 */
    int64_t first = 0;
    if (atomic_compare_exchange_strong(&signal_at, &first, now)) {
        atomic_store(&signal_got, number);
        gg_context_stop(atomic_load(&signal_ctx));
    } else if (number != SIGPIPE && now - first > 500) {
        signal(number, SIG_DFL);
        raise(number); /* comes when this function returns */
    }
}

static void on_log(void *user, gg_log_level level, const char *text)
{
    state *st = user;
    const gg_command *c = st->c;
    if (level > (c->verbose ? GG_LOG_DEBUG : c->quiet ? GG_LOG_WARNING : GG_LOG_INFO))
        return;
    static const char *const words[] = {"error: ", "warning: ", "", ""}, *const levels[] = {"error", "warning", "info", "debug"};
    if (c->log_json) {
        gg_str e = {.ctx = st->own};
        gg__event_begin(&e, c->name, "log");
        gg__event_text(&e, "level", levels[level]);
        gg__event_text(&e, "text", text);
        gg__event_end(&e);
        return;
    }
    gg_str line = {.ctx = st->own};
    gg_str_printf(&line, "golgi: %s: %s%s", c->name, words[level], text);
    if (!line.failed)
        gg__progress_say(st->ctx ? st->ctx->progress : NULL, line.data);
    gg_str_free(&line);
}

gg_status gg_command_context(gg_context **out, gg_command *c)
{
    *out = NULL;
    state *st = c->state;
    const gg_context_options options = {.seed = (uint64_t)c->seed, .n_threads = (int)c->threads, .log = on_log, .log_user = st};
    GG_TRY(gg_context_create(out, &options));
    st->ctx = *out;
    (*out)->events = c->log_json ? c->name : NULL;
    atomic_store(&signal_got, 0);
    atomic_store(&signal_at, 0);
    atomic_store(&signal_ctx, *out);
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&act.sa_mask);
    sigaddset(&act.sa_mask, SIGINT);
    sigaddset(&act.sa_mask, SIGTERM);
    sigaction(SIGINT, &act, &st->before[0]);
    sigaction(SIGTERM, &act, &st->before[1]);
    sigaction(SIGPIPE, &act, &st->before[2]); /* the write that met it fails, and all is tidied up */
    /* a shell starts background jobs with SIGINT ignored; leave it so */
    if (st->before[0].sa_handler == SIG_IGN)
        sigaction(SIGINT, &st->before[0], NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the limit (ulimit -f) is a failed write with a message, not a death that leaves parts behind */
    st->handlers = true;
    return GG_OK;
}

int gg_command_close(gg_command *c, gg_context *ctx, gg_status s)
{
    if (c->state && c->state->handlers) {
        sigaction(SIGINT, &c->state->before[0], NULL);
        sigaction(SIGTERM, &c->state->before[1], NULL);
        sigaction(SIGPIPE, &c->state->before[2], NULL);
        atomic_store(&signal_ctx, NULL);
    }
    const bool written = fflush(stdout) == 0 && !ferror(stdout);
    const int got = atomic_load(&signal_got);
    const bool unread = s != GG_OK && got == SIGPIPE; /* who reads our output has had enough: `--output - | head`, the end of any filter */
    char text[GG__MESSAGE_SIZE] = "";
    if (s != GG_OK) {
        snprintf(text, sizeof text, "%s", *gg_message(ctx) ? gg_message(ctx) : gg_status_text(s));
    } else if (!written) {
        snprintf(text, sizeof text, "standard output cannot be written: %s", strerror(errno));
        s = GG_EIO;
    }
    const int code = unread || (s == GG_EINTR && got) ? 128 + got : s == GG_OK ? 0 : 1;
    if (c->log_json && c->state)
        end_event(c->state, code, s, text);
    else if (s != GG_OK && !unread)
        fprintf(stderr, "golgi: %s: %s\n", c->name, text);
    gg_context_free(ctx);
    state_free(c);
    return code;
}

gg_status gg_command_progress(gg_progress **out, const gg_command *c, gg_context *ctx, const char *title, const char *unit, int64_t total)
{
    *out = NULL;
    if (c->quiet)
        return GG_OK;
    gg_str s = {.ctx = ctx};
    if (!c->log_json) /* an event names the command already */
        gg_str_puts(&s, c->name);
    if (title && *title)
        gg_str_printf(&s, "%s%s", c->log_json ? "" : "  ", title);
    const gg_status r = s.failed ? GG_ENOMEM : gg_progress_create(out, ctx, s.data, unit, total);
    gg_str_free(&s);
    return r;
}
