/* Fuzzes config.json beside the weights of the tiny llama: described, loaded, run. */
#include "fuzz/fuzz.h"
#include <sys/stat.h>

static void put_link(const char *folder, const char *name)
{
    static const char home[] = "tests/golden/tiny/llama";
    char target[4096], link[128], cwd[2048];
    snprintf(target, sizeof target, "%s/%s/%s", getcwd(cwd, sizeof cwd), home, name);
    snprintf(link, sizeof link, "%s/%s", folder, name);
    if (symlink(target, link) != 0)
        abort();
}

static void fuzz_one(gg_context *ctx, const char *path)
{
    char folder[80], config[128];
    snprintf(folder, sizeof folder, "%s.folder", path);
    snprintf(config, sizeof config, "%s/config.json", folder);
    if (mkdir(folder, 0700) != 0 || rename(path, config) != 0)
        abort();
    put_link(folder, "model.safetensors");
    for (int weights = 0; weights < 2; weights++) {
        gg_model *m = NULL;
        gg_run_result r;
        if (gg_model_open(&m, ctx, folder, &(gg_model_options){.no_weights = !weights}) == GG_OK && weights)
            gg_run_ids(&r, m, (const int32_t[]){1, 2, 3, 4}, 1, 4, NULL, NULL, 0);
        gg_model_free(m);
    }
    unlink(config);
    snprintf(config, sizeof config, "%s/model.safetensors", folder);
    unlink(config);
    rmdir(folder);
}
FUZZ_TARGET(".json")
