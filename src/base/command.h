/* Command lines: options declared in a table, parsed by argp; help that shows the sentence and the example first; errors as
 * "golgi: nag rank: ..."; the nearest name suggested for an unknown verb or option. The only part of base that prints. */
#ifndef GG_BASE_COMMAND_H
#define GG_BASE_COMMAND_H
#include <golgi/base.h>
#include "base/work.h"
#include <stdio.h>

typedef struct gg_texts {
    int n;
    const char **at;
} gg_texts;

typedef enum gg_option_type {
    GG_OPT_FLAG,   /* bool */
    GG_OPT_TEXT,   /* const char * */
    GG_OPT_TEXTS,  /* gg_texts: one or more words after the option, until the next option; may be given again */
    GG_OPT_INT,    /* int64_t, min..max checked when min < max */
    GG_OPT_DOUBLE, /* double, min..max checked when min < max */
    GG_OPT_CHOICE  /* const char *, one of .choices "f32|bf16|auto" */
} gg_option_type;

typedef struct gg_option {
    const char *group; /* heading: "Input", "Method", "Output", "Machine"; NULL: the one above */
    const char *name;  /* "top-k"; NULL: the words that belong to no option (type TEXT or TEXTS) */
    gg_option_type type;
    void *value;       /* holds the default before, the given value after; a default that is not NULL/0/false is shown in the help */
    const char *arg;   /* "K". The value may be a file, and shells offer files, unless this is NAME, V, C, TYPE, LIST or has a comma */
    const char *doc;   /* one sentence, with the unit and the paper's symbol where there is one */
    const char *choices;
    bool required;
    double min, max;
} gg_option;

typedef struct gg_command {
    const char *name;     /* "nag rank" */
    const char *sentence; /* what it does, in one sentence */
    const char *example;  /* the line most people need, without the prompt */
    const char *notes;    /* shown after the options; may be NULL */
    const gg_option *options;
    int n_options;
    /* filled by the machine options that every command has: --threads N --quiet --verbose --json --log-json --seed N */
    int64_t threads, seed;
    bool quiet, verbose, json, log_json;
    struct gg_command_state *state; /* private */
} gg_command;

/* GG_OK: go on. GG_END: help was printed, return 0. GG_EINVAL: the mistake was printed, return 2. Without any words and with a
 * required option: short help, GG_EINVAL. argv[0] is the verb. Texts point into argv; gg_texts arrays live until gg_command_close. */
gg_status gg_command_parse(gg_command *c, int argc, char **argv);
/* The context of this command: threads, seed, log to standard error ("golgi: nag rank: warning: ..."), SIGINT/SIGTERM stop it. */
gg_status gg_command_context(gg_context **out, gg_command *c);
/* Prints "golgi: NAME: message" for a failure; returns the exit code: 0 for GG_OK, 130 or 143 when a signal stopped it (what was kept is for the
 * caller to say), 141 and no word when nobody reads its output any more, else 1. Frees the context and what parsing made. */
int gg_command_close(gg_command *c, gg_context *ctx, gg_status s);
/* Progress for the command; NULL (and GG_OK) when quiet. */
gg_status gg_command_progress(gg_progress **out, const gg_command *c, gg_context *ctx, const char *title, const char *unit, int64_t total);

/* The stream for what a command tells a person on standard error, and its end: with --log-json the text becomes one event. */
FILE *gg_command_say_begin(gg_command *c);
void gg_command_say_end(gg_command *c, FILE *f);

typedef struct gg_verb {
    const char *name;    /* "rank" */
    const char *summary; /* one line */
    int (*main)(int argc, char **argv);
} gg_verb;
/* Finds argv[1] among the verbs and runs it with the rest; "help VERB" and "--help" are understood; unknown: suggestion, 2. No word: the list, 2.
 * prefix: "" for the program, "nag" for a system. head: text shown before the list. */
int gg_verbs_run(const char *prefix, const char *head, const gg_verb *verbs, int n, int argc, char **argv);

/* The candidate nearest to word (edit distance, at most a third of its length), or NULL. */
const char *gg_nearest(const char *word, const char *const *candidates, int n);
#endif
