/* Fuzzes configurations of training: all that is read of them before there are data, and the net over inputs of several shapes. Nets that would be
 * large are not built: what is tried here is reading. */
#include "fuzz/fuzz.h"
#include "nn/net.h"
#include "nn/trainer.h"

/* The largest whole number anywhere in it. */
static double largest_number(const json_t *j)
{
    double most = 0;
    size_t i;
    const char *key;
    json_t *v;
    if (json_is_number(j))
        return json_number_value(j);
    json_object_foreach ((json_t *)j, key, v)
        most = largest_number(v) > most ? largest_number(v) : most;
    json_array_foreach ((json_t *)j, i, v)
        most = largest_number(v) > most ? largest_number(v) : most;
    return most;
}

static void fuzz_one(gg_context *ctx, const char *path)
{
    static const char *const set[] = {"training.epochs=3", "model.0.n=8"};
    static const gg_net_input inputs[] = {
        {.sample = {.n = 1, .d = {6}}}, {.sample = {.n = 3, .d = {1, 8, 8}}}, {.sample = {.n = 2, .d = {5, 4}}}, {.sample = {.n = 1, .d = {5}}, .n_vocab = 9}};
    gg__config c;
    gg__data_config data;
    gg__plan_config plan;
    gg__place at;
    if (gg__config_read(&c, ctx, path) != GG_OK)
        return;
    const gg__place root = gg__place_root(&c);
    if (gg__place_member(&at, &root, "data")) {
        gg__data_config_read(&data, &at);
        gg__data_config_free(&data, ctx);
    }
    if (gg__plan_config_read(&plan, &root) == GG_OK)
        gg__plan_config_steps(&plan, 100);
    gg__plan_config_free(&plan, ctx);
    if (gg__place_member(&at, &root, "model") && json_array_size(at.value) < 20 && largest_number(at.value) < 100)
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
            gg_net *net = NULL;
            if (gg__net_create(&net, ctx, &at, &inputs[i]) == GG_OK)
                gg_net_free(net);
        }
    gg__config_set(&c, set, 2);
    gg__config_free(&c);
}
FUZZ_TARGET(".json")
