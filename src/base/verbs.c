/* Lists of verbs: the program's, and those of verbs that have verbs of their own. Owns: finding the one that is meant, and what golgi tells of
 * them to people (help), to man pages and to shells (see command_state.h).
 */
#include "base/command.h"
#include "base/command_state.h"
#include <stdio.h>

static void put_verbs(FILE *f, const char *prefix, const char *head, const gg_verb *verbs, int n)
{
    const int width = gg__width_of(f);
    if (head)
        fprintf(f, "%s\n\n", head);
    for (int i = 0; i < n; i++)
        gg__put_wrapped(f, verbs[i].summary, 18, fprintf(f, "  %-14s", verbs[i].name), width);
    fprintf(f, "\n  golgi help %s%sVERB      shows what one of them does, with its options\n", prefix, *prefix ? " " : "");
}

static const gg_verb *find(const gg_verb *verbs, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

/* "help --man rank" becomes "rank --help-man", "help --words rank x" "--help-words rank x"; the arguments are changed in place. */
static void hand_on(int *argc, char **argv)
{
    static char man[] = GG__ASK_MAN, verbs[] = GG__ASK_VERBS, words[] = GG__ASK_WORDS, help[] = "--help";
    const char *second = *argc > 2 ? argv[2] : "";
    if (strcmp(argv[1], "help") != 0)
        return;
    char *what = strcmp(second, "--man") == 0 ? man : strcmp(second, "--verbs") == 0 ? verbs : strcmp(second, "--words") == 0 ? words : help;
    const int taken = what == help ? 1 : 2, rest = *argc - 1 - taken;
    const bool first = what == words;
    memmove(argv + (first ? 2 : 1), argv + 1 + taken, (size_t)rest * sizeof *argv);
    argv[first ? 1 : 1 + rest] = what;
    *argc = 2 + rest;
    argv[*argc] = NULL;
}

/* Answers what another program asks; -1: it asked nothing. */
static int answer(const char *prefix, const char *head, const gg_verb *verbs, int n, int argc, char **argv)
{
    static char ask_verbs[] = GG__ASK_VERBS;
    if (strcmp(argv[1], GG__ASK_MAN) == 0) {
        gg__manual_of_verbs(stdout, prefix, head, verbs, n);
        return 0;
    }
    if (strcmp(argv[1], GG__ASK_VERBS) == 0) {
        printf("%s%s", prefix, *prefix ? "\n" : "");
        for (int i = 0; i < n; i++)
            verbs[i].main(2, (char *[]){(char *)verbs[i].name, ask_verbs, NULL});
        return 0;
    }
    if (strcmp(argv[1], GG__ASK_WORDS) != 0)
        return -1;
    if (argc > 3 && strcmp(argv[2], "help") == 0) {
        memmove(argv + 2, argv + 3, (size_t)(argc - 2) * sizeof *argv);
        argc--;
    }
    if (argc < 4) {
        gg__complete_verbs(stdout, verbs, n, argc == 3 ? argv[2] : "", !*prefix);
        return 0;
    }
    const gg_verb *v = find(verbs, n, argv[2]);
    if (!v)
        return 0;
    char *ask = argv[1];
    argv[1] = argv[2];
    argv[2] = ask;
    return v->main(argc - 1, argv + 1);
}

int gg_verbs_run(const char *prefix, const char *head, const gg_verb *verbs, int n, int argc, char **argv)
{
    if (argc < 2) {
        put_verbs(stderr, prefix, head, verbs, n);
        return 2;
    }
    if (argc == 2 && (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        put_verbs(stdout, prefix, head, verbs, n);
        return 0;
    }
    hand_on(&argc, argv);
    const int answered = answer(prefix, head, verbs, n, argc, argv);
    if (answered >= 0)
        return answered;
    const char *name = argv[1];
    if (!*prefix && strcmp(name, "--version") == 0)
        name += 2;
    const gg_verb *v = find(verbs, n, name);
    if (v)
        return v->main(argc - 1, argv + 1);
    const char *names[128];
    for (int i = 0; i < n && i < 127; i++)
        names[i] = verbs[i].name;
    names[n < 127 ? n : 127] = "help";
    const char *near = gg_nearest(name, names, n < 127 ? n + 1 : 128);
    fprintf(stderr, "golgi: %s%sthere is no verb \"%s\".", prefix, *prefix ? ": " : "", name);
    if (near)
        fprintf(stderr, " Did you mean \"%s\"?\n", near);
    else
        fprintf(stderr, " See: golgi%s%s --help\n", *prefix ? " " : "", prefix);
    return 2;
}
