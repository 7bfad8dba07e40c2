/* What the verbs of the program share. */
#include "cli/common.h"
#include "base/memory.h"
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

gg_status gg_cli_print_json(gg_context *ctx, json_t *j)
{
    const bool made = j && json_dumpf(j, stdout, JSON_INDENT(2)) == 0;
    json_decref(j);
    putchar('\n'); /* whether all went out is asked when the command closes */
    return made || ferror(stdout) ? GG_OK : gg_fail(ctx, GG_ENOMEM, "out of memory for the summary");
}

void gg_cli_say_empty(FILE *to, const gg_documents *d)
{
    const long long n = d ? (long long)gg_documents_empty(d) : 0;
    if (n)
        fprintf(to, "skipped %lld empty document%s: %s\n", n, n == 1 ? "" : "s", gg_documents_empty_list(d));
}
