/* golgi nag: the verbs. One file a group: cmd_extract.c (extract, select), cmd_rank.c (rank, merge, slice), cmd_look.c (show, cluster,
 * deactivate).
 */
#include "systems/nag/nag_internal.h"
#include "base/command.h"

int gg_nag_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 2;
}

int gg_nag_reproduce(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 2;
}
