/* The verbs of the program: int gg_cli_NAME(int argc, char **argv) for each line of verbs.def; returns the exit code. */
#ifndef GG_CLI_VERBS_H
#define GG_CLI_VERBS_H
#define GG_VERB(name, summary) int gg_cli_##name(int argc, char **argv);
#include "cli/verbs.def"
#undef GG_VERB
#endif
