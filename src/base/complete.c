/* Completion: what may stand where a word is being written. Shells ask the program (packaging/), so that they know what it knows.
 *
 * The values of an option are files unless its argument in the help is one of the names below or a list with commas.
 */
#include "base/command_state.h"

static bool takes_files(const gg_option *o)
{
    static const char *const other[] = {"NAME", "V", "C", "TYPE", "LIST"};
    if (o->type != GG_OPT_TEXT && o->type != GG_OPT_TEXTS)
        return false;
    const char *arg = gg__option_arg(o);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(arg, other[i]) == 0)
            return false;
    return !strchr(arg, ',');
}

static void put_word(FILE *f, const char *before, const char *word, size_t n, const char *meaning, const char *begun)
{
    const size_t b = strlen(before), m = strlen(begun);
    if (m > b + n || strncmp(before, begun, m < b ? m : b) != 0 || (m > b && strncmp(word, begun + b, m - b) != 0))
        return;
    fprintf(f, "%s%.*s", before, (int)n, word);
    if (meaning)
        fprintf(f, "\t%.*s", (int)strcspn(meaning, "\n"), meaning);
    fputc('\n', f);
}

static void put_values(FILE *f, const gg_option *o, const char *begun)
{
    for (const char *c = o->choices; o->type == GG_OPT_CHOICE && *c; c += strspn(c, "|")) {
        const size_t n = strcspn(c, "|");
        put_word(f, "", c, n, NULL, begun);
        c += n;
    }
    if (takes_files(o))
        fputs(":files\n", f);
}

void gg__complete_command(FILE *f, gg_command_state *st, int n_words, char **words)
{
    gg__entry *open = NULL; /* the option whose value comes next; a TEXTS option stays open */
    bool needs = false, plain = false;
    for (int i = 0; i + 1 < n_words; i++) {
        const char *w = words[i];
        if (open && needs) {
            needs = false;
            if (open->o->type != GG_OPT_TEXTS)
                open = NULL;
        } else if (!plain && strcmp(w, "--") == 0) {
            plain = true;
            open = NULL;
        } else if (!plain && strncmp(w, "--", 2) == 0) {
            const size_t n = strcspn(w + 2, "=");
            gg__entry *e = gg__entry_find(st, w + 2, n);
            if (e)
                e->given = true;
            open = e && e->o->type != GG_OPT_FLAG && (w[2 + n] == 0 || e->o->type == GG_OPT_TEXTS) ? e : NULL;
            needs = open && w[2 + n] == 0;
        }
    }
    const char *begun = n_words > 0 ? words[n_words - 1] : "";
    if (open && (needs || begun[0] != '-')) {
        put_values(f, open->o, begun);
        return;
    }
    for (int i = 0; i < st->n_entries && begun[0] != '-'; i++)
        if (!st->entries[i].o->name) { /* a word of its own */
            put_values(f, st->entries[i].o, begun);
            return;
        }
    for (int i = 0; i < st->n_entries && !plain; i++) {
        const gg_option *o = st->entries[i].o;
        if (o->name && (!st->entries[i].given || o->type == GG_OPT_TEXTS))
            put_word(f, "--", o->name, strlen(o->name), o->doc, begun);
    }
    if (!plain)
        put_word(f, "--", "help", 4, "what it does, with its options", begun);
}

void gg__complete_verbs(FILE *f, const gg_verb *verbs, int n, const char *begun, bool help)
{
    for (int i = 0; i < n; i++)
        put_word(f, "", verbs[i].name, strlen(verbs[i].name), verbs[i].summary, begun);
    if (help)
        put_word(f, "", "help", 4, "what a verb does, with its options", begun);
}
