/* golgi nag: the list of verbs and what they share. Extraction is in cmd_extract.c, ranking in cmd_rank.c, select in cmd_select.c, looking at
 * features in cmd_look.c, cmd_cluster.c and cmd_explain.c. */
#include <stdio.h>
#include "systems/nag/cmd.h"

int gg_nag_main(int argc, char **argv)
{
    static const gg_verb verbs[] = {
        {"select", "everything at once: choose the part of a pool that serves a target", gg__nag_cmd_select},
        {"extract", "run a model over documents and keep each one's most excited neurons", gg__nag_cmd_extract},
        {"rank", "order a pool by its distance to a target and choose within a token budget", gg__nag_cmd_rank},
        {"merge", "join the selections of several targets", gg__nag_cmd_merge},
        {"merge-shards", "join features that many processes extracted", gg__nag_cmd_merge_shards},
        {"slice", "keep some layers of features", gg__nag_cmd_slice},
        {"show", "what a feature file holds, and the neurons that its documents use most", gg__nag_cmd_show},
        {"explain", "why a document is near a target or far from it", gg__nag_cmd_explain},
        {"cluster", "group documents by their neurons and compare with known labels", gg__nag_cmd_cluster},
        {"deactivate", "write an action file that switches a target's neurons off", gg__nag_cmd_deactivate},
    };
    return gg_verbs_run("nag",
                        "golgi nag - choose training text by the neurons it excites (Neuron-Activated Graphs, arXiv 2604.15706).\n\n"
                        "  golgi nag select --model M --target T.jsonl --pool P.jsonl --fraction 0.2 --output out.jsonl",
                        verbs, (int)(sizeof verbs / sizeof *verbs), argc, argv);
}

gg_status gg__nag_open_model(gg_model **m, gg_actions **actions, gg_context *ctx, const gg__nag_run_words *w)
{
    if (w->action)
        GG_TRY(gg_actions_read(actions, ctx, w->action));
    return gg_model_open(m, ctx, w->model, &(gg_model_options){.dtype = gg_linear_dtype(ctx, w->dtype), .actions = *actions, .no_head = true});
}

gg_status gg__nag_extract_options_of(gg_nag_extract_options *o, gg_context *ctx, const gg__nag_run_words *w, const gg_actions *actions)
{
    *o = (gg_nag_extract_options){.top_k = w->top_k, .max_tokens = w->max_tokens, .special = w->special, .actions = actions};
    return gg_nag_types_parse(&o->types, ctx, w->sites);
}

gg_documents_options gg__nag_documents_options_of(const gg__nag_run_words *w)
{
    return (gg_documents_options){.text_column = w->text_column, .id_column = w->id_column, .token_column = w->token_column, .strict = w->strict};
}

gg_status gg__nag_inputs(gg_parts *files, const char ***paths, gg_context *ctx, gg_texts words)
{
    *paths = NULL;
    GG_TRY(gg_parts_list(files, ctx, words.at, words.n));
    if (!(*paths = gg_new(ctx, const char *, files->n)))
        return GG_ENOMEM;
    for (int64_t i = 0; i < files->n; i++)
        (*paths)[i] = files->at[i].path;
    return files->n <= INT32_MAX ? GG_OK : gg_fail(ctx, GG_EUNSUPPORTED, "%lld files", (long long)files->n);
}

gg_status gg__nag_type_parse(gg_nag_type *out, gg_context *ctx, const char *text)
{
    uint32_t types;
    GG_TRY(gg_nag_types_parse(&types, ctx, text));
    if (types & (types - 1))
        return gg_fail(ctx, GG_EINVAL, "\"%s\" names several sites; one was expected", text);
    *out = (gg_nag_type)__builtin_ctz(types);
    return GG_OK;
}

gg_status gg__nag_check_weights(gg_context *ctx, const char *weights, double power)
{
    if (power == 0)
        return gg_fail(ctx, GG_EINVAL, "--power 0: every neuron that a target document has would count alike; must not be 0");
    if (power != 1 && strcmp(weights, "contrast") == 0)
        return gg_fail(ctx, GG_EINVAL, "--power %g is for --weights frequency; contrast has no power", power);
    return GG_OK;
}

gg_status gg__nag_check_rank_words(gg_context *ctx, const char *weights, const gg_nag_rank_options *o)
{
    GG_TRY(gg__nag_check_weights(ctx, weights, o->power));
    if (o->invert_quality && !o->quality_column)
        return gg_fail(ctx, GG_EINVAL, "--invert-quality without a quality: name its column with --quality-column");
    return GG_OK;
}

gg_status gg__nag_paths(const char **out, int *n, gg_context *ctx, gg_texts words, const char *option)
{
    if (words.n > GG_NAG_MAX_FILES)
        return gg_fail(ctx, GG_EINVAL, "%s: %d files; at most %d", option, words.n, GG_NAG_MAX_FILES);
    for (int i = 0; i < words.n; i++)
        out[i] = words.at[i];
    *n = words.n;
    return GG_OK;
}

gg_status gg__nag_command_line(gg_str *out, const char *name, int argc, char **argv)
{
    gg_str_printf(out, "golgi %s", name);
    for (int i = 1; i < argc; i++) {
        const bool plain = argv[i][0] && !strpbrk(argv[i], " \t\n'\"$`\\*?[]{}()<>|&;#~!");
        gg_str_puts(out, plain ? " " : " '");
        for (const char *c = argv[i]; *c; c++)
            gg_str_add(out, *c == '\'' && !plain ? "'\\''" : c, *c == '\'' && !plain ? 4 : 1);
        gg_str_puts(out, plain ? "" : "'");
    }
    return out->failed ? GG_ENOMEM : GG_OK;
}

char *gg__nag_stem(gg_context *ctx, const char *path)
{
    size_t n = strlen(path), from = 0;
    while (n > 1 && path[n - 1] == '/')
        n--;
    for (size_t i = 0; i < n; i++)
        from = path[i] == '/' ? i + 1 : from;
    const char *name = path + from;
    if (strncmp(name, "target", 6) == 0 && (name[6] == '-' || name[6] == '_') && name[7] && name[7] != '.')
        name += 7;
    return gg_strndup(ctx, name, name[0] == '.' ? (size_t)(path + n - name) : strcspn(name, "./"));
}
