/* A program of the machine, run without a shell. */
#ifndef GG_PLOT_PROGRAM_H
#define GG_PLOT_PROGRAM_H
#include "base/memory.h"

typedef struct gg__program_end {
    int status;     /* exit status; 128 + signal when it was killed; -1: unknown */
    char said[300]; /* the line that matters of its standard error, "" when it said nothing */
} gg__program_end;

/* Runs argv[0], found on PATH; input (NULL: none) is its standard input, what it writes is appended to out. Its exit status is for the caller to
 * judge. GG_ENOENT: no such program. GG_EIO: it cannot be started or read, or writes more than 256 MiB. */
gg_status gg__program_run(gg_str *out, gg__program_end *end, gg_context *ctx, const char *const *argv /* NULL at its end */, const gg_str *input);
#endif
