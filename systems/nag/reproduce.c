/* golgi reproduce nag: the paper's claims, computed anew on this machine. */
#include "systems/nag/cmd.h"

int gg_nag_reproduce(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 2;
}
