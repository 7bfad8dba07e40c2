/* golgi tokenize: text to token ids, and a look at the pieces. Only the tokenizer is opened: a model need be of no family that golgi runs, nor have weights. */
#include "cli/common.h"
#include "cli/verbs.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
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

/* A piece that is no UTF-8 has U+FFFD there: JSON cannot hold its bytes. */
static gg_status print_json(gg_context *ctx, const gg_tokenizer *t, const gg_token_list *ids, int64_t n_repaired, bool pieces)
{
    printf("{\"n_tokens\": %lld, \"n_repaired\": %lld, \"ids\": [", (long long)ids->n, (long long)n_repaired);
    print_ids(ids, ", ");
    if (pieces)
        printf("], \"pieces\": [");
    for (int64_t i = 0; pieces && i < ids->n; i++) {
        size_t n = 0, n_valid = 0;
        const char *p = gg_tokenizer_piece(t, ids->id[i], &n);
        char *valid = gg_alloc(ctx, gg_mul((int64_t)n + 1, 3));
        if (!valid)
            return GG_ENOMEM;
        gg_utf8_repair(valid, &n_valid, p, n);
        json_t *text = json_stringn(valid, n_valid);
        if (i)
            printf(", ");
        gg_str quoted = {.ctx = ctx};
        gg_json_write(&quoted, text, 0);
        json_decref(text);
        gg_drop(ctx, valid);
        if (quoted.failed)
            return gg_fail(ctx, GG_ENOMEM, "out of memory for the pieces");
        fputs(quoted.data, stdout);
        gg_str_free(&quoted);
    }
    printf("]}\n");
    return GG_OK;
}

/* The file, as UTF-8. */
static gg_status read_text(char **out, size_t *n_out, int64_t *n_repaired, gg_context *ctx, const char *file)
{
    char *raw = NULL;
    size_t n = 0;
    GG_TRY(gg_file_read(&raw, &n, ctx, strcmp(file, "-") ? file : "/dev/stdin"));
    *out = raw;
    *n_out = n;
    if (gg_utf8_is_valid(raw, n))
        return GG_OK;
    *out = gg_alloc(ctx, gg_mul((int64_t)n, 3));
    if (*out)
        *n_repaired = gg_utf8_repair(*out, n_out, raw, n);
    gg_drop(ctx, raw);
    return *out ? GG_OK : GG_ENOMEM;
}

int gg_cli_tokenize(int argc, char **argv)
{
    const char *model = NULL, *file = NULL;
    bool special = false, pieces = false;
    const gg_option options[] = {
        {"Input", "model", GG_OPT_TEXT, &model, "M", "a GGUF file (a vocabulary is enough), a Hugging Face folder or a tokenizer.json", NULL, true, 0, 0},
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
    gg_tokenizer *t = NULL;
    char *text = NULL;
    size_t n = 0;
    int64_t n_repaired = 0;
    gg_token_list ids = {0};
    if ((s = gg_command_context(&ctx, &c)) != GG_OK || (s = gg_tokenizer_open_path(&t, ctx, model)) != GG_OK ||
        (s = read_text(&text, &n, &n_repaired, ctx, file)) != GG_OK)
        goto end;
    ids.ctx = ctx;
    if ((s = gg_tokenizer_encode(t, &ids, text, n, 0, GG_TOKENIZE_PARSE_SPECIAL | (special ? GG_TOKENIZE_SPECIAL : 0))) != GG_OK)
        goto end;
    if (n_repaired)
        gg_log(ctx, GG_LOG_WARNING, "%s: %lld places were not UTF-8 and became U+FFFD", file, (long long)n_repaired);
    if (c.json)
        s = print_json(ctx, t, &ids, n_repaired, pieces);
    else if (pieces)
        print_pieces(t, &ids);
    else {
        print_ids(&ids, " ");
        putchar('\n');
    }
end:
    if (ctx) {
        gg_token_list_free(&ids);
        gg_drop(ctx, text);
    }
    gg_tokenizer_free(t);
    return gg_command_close(&c, ctx, s);
}
