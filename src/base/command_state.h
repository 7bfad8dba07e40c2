/* The inside of command lines, for the files that read them (command.c), and that explain them (manual.c, complete.c). */
#ifndef GG_BASE_COMMAND_STATE_H
#define GG_BASE_COMMAND_STATE_H
#include <signal.h>
#include <stdio.h>
#include "base/command.h"
#include "base/memory.h"

typedef struct gg__entry {
    const gg_option *o;
    const char *group;
    bool given;
    int64_t cap; /* of a TEXTS array that we made; 0: the caller's default */
} gg__entry;

enum { GG__MACHINE_OPTIONS = 6 }; /* that every command has */
typedef struct gg_command_state {
    gg_context *own; /* memory of the parse */
    gg_context *ctx; /* the command's */
    gg_command *c;
    gg__entry *entries; /* (n_entries,) the command's own options, then the machine options */
    int n_entries;
    gg__entry *texts;   /* the TEXTS option that takes the next words, or NULL */
    int next;           /* index in argv after what was understood */
    bool help;
    gg_status status;
    gg_option machine[GG__MACHINE_OPTIONS];
    double start; /* gg_time() */
    char *said;   /* what gg_command_say_begin collects, with --log-json */
    size_t n_said;
    struct sigaction before[3];
    bool handlers;
} gg_command_state;

/* What golgi tells of itself to other programs: asked for as `golgi help --man VERB...`, `--verbs`, `--words WORD...`, handed on to a verb
 * as its first word. */
#define GG__ASK_MAN "--help-man"     /* the manual page, as roff */
#define GG__ASK_VERBS "--help-verbs" /* its full name, a line; of a list of verbs those of all in it */
#define GG__ASK_WORDS "--help-words" /* what may stand where the last of the words that follow is begun */

gg__entry *gg__entry_find(gg_command_state *st, const char *name, size_t n);
/* Calls body for each entry, groups together, in the order in which their first option stands. */
void gg__entries_by_group(gg_command_state *st, void (*group)(void *user, const char *name), void (*body)(void *user, gg_command_state *st, const gg_option *o),
                          void *user);
void gg__option_name(gg_str *s, const gg_option *o);    /* "--top-k K" */
void gg__option_default(gg_str *s, const gg_option *o); /* " [10]" or nothing */
void gg__option_doc(gg_str *s, const gg_option *o);     /* what it means, its choices and its default */
const char *gg__option_arg(const gg_option *o);         /* "K"; of a flag NULL */

int gg__width_of(FILE *f); /* columns to write in */
/* Prints text in lines from column `left` on; the cursor stands at column `at`. */
void gg__put_wrapped(FILE *f, const char *text, int left, int at, int width);

/* The manual page of a command, and of a list of verbs. */
void gg__manual_of_command(FILE *f, gg_command_state *st);
void gg__manual_of_verbs(FILE *f, const char *prefix, const char *head, const gg_verb *verbs, int n);

/* Words that may follow, one a line, with what they mean behind a tab; ":files" when a file may. words: those after the verb, the last one is being
 * written and may be empty. */
void gg__complete_command(FILE *f, gg_command_state *st, int n_words, char **words);
void gg__complete_verbs(FILE *f, const gg_verb *verbs, int n, const char *begun, bool help);
#endif
