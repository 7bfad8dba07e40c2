/* The verbs of golgi lm that stand in a file of their own. */
#ifndef GG_CLI_LM_H
#define GG_CLI_LM_H
int gg_cli_lm_generate(int argc, char **argv);
#endif
