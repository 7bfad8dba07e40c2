/* What the layers share: named parameters and PyTorch's bounds of their initial values. */
#ifndef GG_NN_LAYERS_H
#define GG_NN_LAYERS_H
#include <golgi/nn.h>

enum { GG__INIT_ZERO_DRAWN = GG_INIT_NORMAL + 1 }; /* 0; PyTorch draws them uniformly before it puts them to 0, so its later draws are others */

/* NAME.PART under the prefix, found or added. */
gg_var *gg__nn_part(const gg_nn *n, const char *name, const char *part, gg_shape shape, int init, double bound, unsigned flags);
double gg__nn_bound(int64_t fan_in);                    /* of torch.nn.Linear, Conv: kaiming_uniform_ with a = sqrt 5; 1 / sqrt(fan_in) but for rounding */
double gg__nn_xavier(int64_t fan_in, int64_t fan_out);  /* xavier_uniform_ */
#endif
