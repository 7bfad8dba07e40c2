/* What the verbs of the program share. */
#include "cli/common.h"
#include "math/linear.h"
#include <string.h>

gg_dtype gg_cli_dtype(gg_context *ctx, const char *text)
{
    if (!strcmp(text, "auto"))
        return gg_bf16_is_fast(ctx) ? GG_BF16 : GG_F32;
    return !strcmp(text, "bf16") ? GG_BF16 : !strcmp(text, "i8") ? GG_I8 : GG_F32;
}

gg_dtype gg_cli_gguf_format(const char *text)
{
    return !strcmp(text, "f32") ? GG_F32 : !strcmp(text, "f16") ? GG_F16 : !strcmp(text, "bf16") ? GG_BF16 : GG_Q8_0;
}
