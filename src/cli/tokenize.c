/* golgi tokenize: text to token ids, and a look at the pieces. */
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/file.h"
#include "base/memory.h"
#include <stdio.h>

/* A piece of the vocabulary in quotes, control bytes as \xNN. */
static void print_piece(const char *p, size_t n)
{
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];
        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else if (c == '"' || c == '\\')
            printf("\\%c", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_ids(const gg_token_list *ids, const char *between)
{
    for (int64_t i = 0; i < ids->n; i++)
        printf("%s%d", i ? between : "", ids->id[i]);
}

static void print_pieces(const gg_tokenizer *t, const gg_token_list *ids)
{
    for (int64_t i = 0; i < ids->n; i++) {
        size_t n = 0;
        const char *p = gg_tokenizer_piece(t, ids->id[i], &n);
        printf("%8d  ", ids->id[i]);
        print_piece(p ? p : "", p ? n : 0);
        putchar('\n');
    }
}

int gg_cli_tokenize(int argc, char **argv)
{
    const char *model = NULL, *file = NULL;
    bool special = false, pieces = false;
    const gg_option options[] = {
        GG_CLI_MODEL(model),
        {NULL, NULL, GG_OPT_TEXT, &file, "FILE", "the text, read whole; - reads standard input", NULL, true, 0, 0},
        {"Method", "special", GG_OPT_FLAG, &special, NULL, "add the special tokens that the model expects around a text", NULL, false, 0, 0},
        {"Output", "pieces", GG_OPT_FLAG, &pieces, NULL, "one line a token: its id and its piece of the vocabulary", NULL, false, 0, 0},
    };
    gg_command c = {.name = "tokenize",
                    .sentence = "Turn a text into the token ids of a model: the ids of the whole file on one line.",
                    .example = "golgi tokenize --model models/SmolLM2-135M-Instruct.Q4_1.gguf notes.txt",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;

    gg_context *ctx = NULL;
    gg_model *m = NULL;
    const gg_tokenizer *t = NULL;
    char *text = NULL;
    size_t n = 0;
    gg_token_list ids = {0};
    if ((s = gg_command_context(&ctx, &c)) != GG_OK || (s = gg_model_open(&m, ctx, model, &(gg_model_options){.no_weights = true})) != GG_OK ||
        (s = gg_model_need_tokenizer(&t, m)) != GG_OK || (s = gg_file_read(&text, &n, ctx, strcmp(file, "-") ? file : "/dev/stdin")) != GG_OK)
        goto end;
    ids.ctx = ctx;
    if ((s = gg_tokenizer_encode(t, &ids, text, n, 0, GG_TOKENIZE_PARSE_SPECIAL | (special ? GG_TOKENIZE_SPECIAL : 0))) != GG_OK)
        goto end;
    if (pieces) {
        print_pieces(t, &ids);
    } else if (c.json) {
        printf("{\"n_tokens\": %lld, \"ids\": [", (long long)ids.n);
        print_ids(&ids, ", ");
        printf("]}\n");
    } else {
        print_ids(&ids, " ");
        putchar('\n');
    }
end:
    if (ctx) {
        gg_token_list_free(&ids);
        gg_drop(ctx, text);
    }
    gg_model_free(m);
    return gg_command_close(&c, ctx, s);
}
