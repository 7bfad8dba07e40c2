/* golgi lm generate: text from a model. */
#include "cli/common.h"
#include "cli/lm.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <stdio.h>

typedef struct teller {
    const gg_tokenizer *t;
    const gg_token_list *ids;
    size_t n_told; /* bytes of the text that are out */
    bool live;
} teller;

/* What the text has become longer by. */
static gg_status tell(void *user, int32_t id)
{
    (void)id;
    teller *w = user;
    char *text = NULL;
    size_t n = 0;
    if (!w->live)
        return GG_OK;
    GG_TRY(gg_tokenizer_decode(w->t, &text, &n, w->ids->id, w->ids->n, false));
    if (n > w->n_told) {
        fwrite(text + w->n_told, 1, n - w->n_told, stdout);
        fflush(stdout);
        w->n_told = n;
    }
    gg_tokenizer_text_free(w->ids->ctx, text);
    return GG_OK;
}

static gg_status print_json(gg_context *ctx, const gg_tokenizer *t, const gg_token_list *ids, int64_t n_prompt)
{
    char *text = NULL;
    size_t n = 0;
    GG_TRY(gg_tokenizer_decode(t, &text, &n, ids->id, ids->n, false));
    json_t *shown = gg_utf8_is_valid(text, n) ? json_stringn_nocheck(text, n) : json_null(), *list = json_array(); /* what is not UTF-8, the ids tell */
    for (int64_t i = 0; i < ids->n; i++)
        gg_json_add(&list, json_integer(ids->id[i]));
    json_t *j = json_pack("{s:o, s:I, s:o}", "text", shown, "n_prompt", (json_int_t)n_prompt, "ids", list);
    gg_str line = {.ctx = ctx};
    gg_json_write(&line, j, 0);
    json_decref(j);
    const gg_status s = line.failed ? gg_fail(ctx, GG_ENOMEM, "out of memory for the text") : GG_OK;
    if (s == GG_OK)
        puts(line.data);
    gg_str_free(&line);
    gg_tokenizer_text_free(ctx, text);
    return s;
}

static gg_status generate(gg_context *ctx, const gg_command *c, gg_model *m, const char *prompt, gg_generate_options o)
{
    gg_token_list ids = {.ctx = ctx};
    teller w = {.ids = &ids, .live = !c->json};
    GG_TRY(gg_model_need_tokenizer(&w.t, m));
    gg_status s = gg_tokenizer_encode(w.t, &ids, prompt, strlen(prompt), 0, GG_TOKENIZE_SPECIAL | GG_TOKENIZE_PARSE_SPECIAL);
    if (s == GG_OK && ids.n == 0)
        s = gg_fail(ctx, GG_EINVAL, "--prompt \"%.40s\" gives no token to go on from", prompt);
    const int64_t n_prompt = ids.n;
    o.token = tell;
    o.user = &w;
    if (s == GG_OK)
        s = tell(&w, 0);
    if (s == GG_OK)
        s = gg_generate(&ids, m, &o);
    if (s == GG_OK)
        s = c->json ? print_json(ctx, w.t, &ids, n_prompt) : putchar('\n') == EOF ? gg_fail(ctx, GG_EIO, "the text could not be written") : GG_OK;
    gg_token_list_free(&ids);
    return s;
}

int gg_cli_lm_generate(int argc, char **argv)
{
    const char *model = NULL, *prompt = "\n", *action = NULL, *dtype = "f32";
    gg_generate_options o = {.n_tokens = 200, .temperature = 0.8, .top_k = 40};
    const gg_option options[] = {
        GG_CLI_MODEL(model),
        {NULL, "prompt", GG_OPT_TEXT, &prompt, "TEXT", "what it goes on from; a line's end when not given", NULL, false, 0, 0},
        {"Method", "tokens", GG_OPT_INT, &o.n_tokens, "N", "at most so many new ones; the token that ends a text ends it", NULL, false, 0, 1e9},
        {NULL, "temperature", GG_OPT_DOUBLE, &o.temperature, "X", "0: always the likeliest token; 1: as the model has it", NULL, false, 0, 1000},
        {NULL, "top-k", GG_OPT_INT, &o.top_k, "K", "draw among the K likeliest tokens; 0: all", NULL, false, 0, 1e9},
        GG_CLI_ACTING(action, dtype),
    };
    gg_command c = {.name = "lm generate",
                    .sentence = "Writes text with a model: after a prompt, token by token.",
                    .example = "golgi lm generate --model out/small --prompt 'ROMEO:' --tokens 300",
                    .notes = "One seed, the same text. Each token runs the whole text again (its last tokens, once it is longer than the model's context).",
                    .options = options,
                    .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_actions *actions = NULL;
    gg_model *m = NULL;
    o.seed = (uint64_t)c.seed;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (!action || (s = gg_actions_read(&actions, ctx, action)) == GG_OK) &&
        (s = gg_model_open(&m, ctx, model, &(gg_model_options){.dtype = gg_linear_dtype(ctx, dtype), .actions = actions})) == GG_OK)
        s = generate(ctx, &c, m, prompt, o);
    gg_model_free(m);
    gg_actions_free(actions);
    return gg_command_close(&c, ctx, s);
}
