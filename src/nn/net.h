/* The inside of nets that are lists of layers. */
#ifndef GG_NN_NET_H
#define GG_NN_NET_H
#include <golgi/trainer.h>
#include "nn/config.h"

/* Reads, checks and records the list at p once, for its shapes and parameters; p is not needed afterwards. */
gg_status gg__net_create(gg_net **out, gg_context *ctx, const gg__place *p, const gg_net_input *in);
gg_context *gg__net_context(const gg_net *n);
#endif
