/* golgi nag explain. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "systems/nag/cmd.h"

enum { LAYERS_SHOWN = 5, LIKE_SHOWN = 5 };

/* --- to a person ---------------------------------------------------------------------------------------------------------------------- */
typedef struct layer {
    int at;
    double more; /* similarity over the pool's mean */
} layer;

static int more_first(const void *pa, const void *pb)
{
    const layer *a = pa, *b = pb;
    return a->more != b->more ? (a->more < b->more ? 1 : -1) : a->at - b->at;
}

static void tell_layer(const gg_nag_explanation *e, const layer *x)
{
    char name[16];
    snprintf(name, sizeof name, "L%d", e->header.layer[x->at]);
    printf("  %-6s %10.3f  %6.3f  %+6.3f", name, e->similarity[x->at], e->pool_similarity[x->at], x->more);
    const int bars = (int)(20 * fabs(x->more) + 0.5);
    for (int i = 0; i < bars; i++)
        fputs(i == 0 ? x->more < 0 ? "  -" : "  #" : x->more < 0 ? "-" : "#", stdout);
    putchar('\n');
}

static gg_status tell_layers(const gg_nag_explanation *e)
{
    const int L = e->header.n_layers;
    layer *x = gg_new(e->ctx, layer, L);
    if (!x)
        return GG_ENOMEM;
    for (int l = 0; l < L; l++)
        x[l] = (layer){l, e->similarity[l] - e->pool_similarity[l]};
    qsort(x, (size_t)L, sizeof *x, more_first);
    printf("\n  layer  similarity    pool    more\n");
    for (int i = 0; i < L; i++) {
        if (i >= LAYERS_SHOWN && i < L - LAYERS_SHOWN) {
            printf("  ... %d layers between\n", L - 2 * LAYERS_SHOWN);
            i = L - LAYERS_SHOWN;
        }
        tell_layer(e, &x[i]);
    }
    gg_drop(e->ctx, x);
    return GG_OK;
}

static void tell_reasons(const char *heading, const char *witnesses, const gg_nag_explanation *e, gg_nag_type t, const gg_nag_reason *r, int64_t n)
{
    printf("\n  %-22s     part   targets    pool   %s\n", heading, witnesses);
    for (int64_t i = 0; i < n; i++) {
        char name[64];
        gg__nag_neuron_name(name, &e->header, t, r[i].layer, r[i].neuron);
        printf("  %-22s  %+.4f   %5.0f %%  %4.0f %%   ", name, r[i].part, 100 * r[i].in_targets, 100 * r[i].in_pool);
        for (int k = 0; k < r[i].n_others; k++)
            printf("%s%s", k ? ", " : "", e->like[r[i].other[k]].docid);
        putchar('\n');
    }
}

static double sum_of(const gg_nag_reason *r, int64_t from, int64_t n)
{
    double sum = 0;
    for (int64_t i = from; i < n; i++)
        sum += r[i].part;
    return sum;
}

static gg_status tell(const gg_nag_explanation *e, const gg_nag_explain_options *o, int64_t n_shown)
{
    char a[32], b[32], c[32];
    const int64_t n_has = e->n_has < n_shown ? e->n_has : n_shown, n_lacks = e->n_lacks < n_shown ? e->n_lacks : n_shown;
    printf("document \"%s\" is number %s of %s, nearest first: distance %.3f, the pool's mean %.3f (%s target document%s)\n", o->docid,
           gg__nag_count_text(a, e->rank), gg__nag_count_text(b, e->n_pool), e->distance, e->pool_distance, gg__nag_count_text(c, e->n_targets),
           e->n_targets == 1 ? "" : "s");
    GG_TRY(tell_layers(e));
    tell_reasons("brings it near", "also in", e, o->type, e->has, n_has);
    printf("  %-22s  %+.4f\n", "all other it has", sum_of(e->has, n_has, e->n_has));
    tell_reasons("keeps it away", "is in", e, o->type, e->lacks, n_lacks);
    printf("  %-22s  %+.4f\n", "all other it lacks", sum_of(e->lacks, n_lacks, e->n_lacks));
    printf("  %-22s  %+.4f   the pool's mean distance less its own\n", "together", sum_of(e->has, 0, e->n_has) + sum_of(e->lacks, 0, e->n_lacks));
    printf("\n  most like it ");
    for (int i = 0; i < e->n_like && i < LIKE_SHOWN; i++)
        printf("%s  %s %.0f %%", i ? "," : "", e->like[i].docid, 100 * e->like[i].similarity);
    printf("  (neurons in common)\n");
    return GG_OK;
}

/* --- as JSON ------------------------------------------------------------------------------------------------------------------------------ */
static json_t *reasons_json(const gg_nag_explanation *e, gg_nag_type t, const gg_nag_reason *r, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) {
        char name[64];
        json_t *others = json_array();
        gg__nag_neuron_name(name, &e->header, t, r[i].layer, r[i].neuron);
        for (int k = 0; k < r[i].n_others; k++)
            gg_json_add(&others, json_string(e->like[r[i].other[k]].docid));
        gg_json_add(&list, json_pack("{s:s, s:i, s:I, s:f, s:f, s:f, s:f, s:o}", "neuron", name, "layer", (int)e->header.layer[r[i].layer], "index",
                                              (json_int_t)r[i].neuron, "gain", r[i].gain, "part", r[i].part, "in_targets", r[i].in_targets, "in_pool",
                                              r[i].in_pool, "others", others));
    }
    return list;
}

static json_t *as_json(const gg_nag_explanation *e, const gg_nag_explain_options *o)
{
    json_t *layers = json_array(), *like = json_array();
    for (int l = 0; l < e->header.n_layers; l++)
        gg_json_add(&layers, json_pack("{s:i, s:f, s:f}", "layer", (int)e->header.layer[l], "similarity", e->similarity[l], "pool_similarity",
                                                e->pool_similarity[l]));
    for (int i = 0; i < e->n_like; i++)
        gg_json_add(&like, json_pack("{s:s, s:f, s:f}", "docid", e->like[i].docid, "similarity", e->like[i].similarity, "nag_distance",
                                              e->like[i].distance));
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "docid", o->docid, "site", gg_nag_type_name(o->type), "weights",
                     o->weights == GG_NAG_CONTRAST ? "contrast" : "frequency", "nag_distance", e->distance, "pool_distance", e->pool_distance, "rank",
                     (json_int_t)e->rank, "n_documents", (json_int_t)e->n_pool, "n_targets", (json_int_t)e->n_targets, "layers", layers, "has",
                     reasons_json(e, o->type, e->has, e->n_has), "lacks", reasons_json(e, o->type, e->lacks, e->n_lacks), "like", like);
}

int gg__nag_cmd_explain(int argc, char **argv)
{
    gg_texts target = {0}, pool = {0};
    gg_nag_explain_options o = {.power = 1};
    const char *weights = "frequency", *site = "up";
    int64_t n_layers = 0, n_shown = 10;
    const gg_option options[] = {
        {"Input", "pool", GG_OPT_TEXTS, &pool, "F", "feature files of the pool, or folders of .nag files", NULL, true, 0, 0},
        {NULL, "docid", GG_OPT_TEXT, &o.docid, "X", "the document of the pool to explain", NULL, true, 0, 0},
        {NULL, "target", GG_OPT_TEXTS, &target, "F", "feature files of the target", NULL, true, 0, 0},
        {NULL, "n-layers", GG_OPT_INT, &n_layers, "L", "layers of row files that do not say", NULL, false, 0, GG_NAG_MAX_LAYERS},
        {"Method", "site", GG_OPT_TEXT, &site, "TYPE", "neuron type: up, down, q, k, v or o", NULL, false, 0, 0},
        {NULL, "weights", GG_OPT_CHOICE, &weights, "W", "as the ranking had them: frequency or contrast", "frequency|contrast", false, 0, 0},
        {NULL, "power", GG_OPT_DOUBLE, &o.power, "P", "exponent on the target's counts (frequency only)", NULL, false, 0, 0},
        {"Output", "neurons", GG_OPT_INT, &n_shown, "N", "neurons shown of either kind (--json has all)", NULL, false, 0, 1e6},
    };
    gg_command c = {
        .name = "nag explain",
        .sentence = "Says which layers and neurons bring a document near a target, which keep it away, and which other documents have them too.",
        .example = "golgi nag explain --pool pool.nag --docid rust_0040 --target target.nag",
        .notes = "part: what a neuron adds to the difference between the pool's mean distance and the document's. Neurons that every document excites "
                 "add nothing. All parts add up to the difference.",
        .options = options,
        .n_options = sizeof options / sizeof *options};
    gg_status s = gg_command_parse(&c, argc, argv);
    if (s != GG_OK)
        return s == GG_END ? 0 : 2;
    gg_context *ctx = NULL;
    gg_nag_explanation *e = NULL;
    o.target = target.at;
    o.n_target = target.n;
    o.pool = pool.at;
    o.n_pool = pool.n;
    o.n_layers = (int)n_layers;
    o.weights = strcmp(weights, "contrast") == 0 ? GG_NAG_CONTRAST : GG_NAG_FREQUENCY;
    if ((s = gg_command_context(&ctx, &c)) == GG_OK && (s = gg__nag_check_weights(ctx, weights, o.power)) == GG_OK &&
        (s = gg__nag_type_parse(&o.type, ctx, site)) == GG_OK && (s = gg_nag_explain(&e, ctx, &o)) == GG_OK)
        s = c.json ? gg_json_print(ctx, as_json(e, &o)) : tell(e, &o, n_shown);
    gg_nag_explanation_free(e);
    return gg_command_close(&c, ctx, s);
}
