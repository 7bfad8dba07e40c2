/* What the verbs of the program share. */
#include "cli/common.h"
#include "base/memory.h"
#include <string.h>

gg_dtype gg_cli_gguf_format(const char *text)
{
    return !strcmp(text, "f32") ? GG_F32 : !strcmp(text, "f16") ? GG_F16 : !strcmp(text, "bf16") ? GG_BF16 : GG_Q8_0;
}

void gg_cli_say_empty(FILE *to, const gg_documents *d)
{
    const long long n = d ? (long long)gg_documents_empty(d) : 0;
    if (n)
        fprintf(to, "skipped %lld empty document%s: %s\n", n, n == 1 ? "" : "s", gg_documents_empty_list(d));
}
