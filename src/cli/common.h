/* What the verbs of the program share. */
#ifndef GG_CLI_COMMON_H
#define GG_CLI_COMMON_H
#include <golgi/model.h>
#include "base/command.h"
#include "base/json.h"
#include "math/linear.h"

/* Of a GGUF that is written. */
gg_dtype gg_cli_gguf_format(const char *text);

/* "skipped 2 empty documents: ..." when there were some; d may be NULL. */
void gg_cli_say_empty(FILE *to, const gg_documents *d);

#define GG_CLI_GGUF_FORMATS "f32|f16|bf16|q8_0"

/* Options that several verbs have, one line each in their tables. */
#define GG_CLI_MODEL(v) {"Input", "model", GG_OPT_TEXT, &(v), "M", "the model: a GGUF file or a Hugging Face folder", NULL, true, 0, 0}
#define GG_CLI_DOCUMENTS(input, text, id, strict, needed)                                                                                        \
    {NULL, "input", GG_OPT_TEXTS, &(input), "POOL", "documents: JSONL (.gz, .zst), CSV, TSV, Parquet, a folder of .txt files, or -", NULL, needed, 0, 0}, \
    {NULL, "text-column", GG_OPT_TEXT, &(text), "NAME", "column of the text; tried when not given: doc, text, content_split, content", NULL, false, 0, 0}, \
    {NULL, "id-column", GG_OPT_TEXT, &(id), "NAME", "column of the id; tried when not given: docid, meta.docid, id", NULL, false, 0, 0},             \
    {NULL, "strict", GG_OPT_FLAG, &(strict), NULL, "fail on an empty document instead of skipping it", NULL, false, 0, 0}
#define GG_CLI_ACTING(action, dtype)                                                                                                              \
    {NULL, "action", GG_OPT_TEXT, &(action), "A.json", "an action file: neurons to switch, scale or set while the model runs", NULL, false, 0, 0}, \
    {NULL, "dtype", GG_OPT_CHOICE, &(dtype), "TYPE", "number format of the products; auto: the faster of f32 and bf16 here; i8: fast and coarse",  \
     GG_LINEAR_DTYPES, false, 0, 0}
#define GG_CLI_RUN(max_tokens, special, action, dtype)                                                                                            \
    {NULL, "max-tokens", GG_OPT_INT, &(max_tokens), "N", "the first N tokens of a document; 0: as many as the model takes", NULL, false, 0, 1e9},  \
    {NULL, "special", GG_OPT_FLAG, &(special), NULL, "add the special tokens that the model expects around a text", NULL, false, 0, 0},           \
    GG_CLI_ACTING(action, dtype)
#endif
