/* strongest - the neurons that some documents excite most: the mean of |x| over all their tokens, the five largest of every layer.
 *
 *     cc -std=c17 -o strongest strongest.c $(pkg-config --cflags --libs golgi)
 *     ./strongest model.gguf documents.jsonl up
 *
 * An example of a listener that works on several threads and still gives the same bits with any number of them: each group of documents has
 * statistics of its own, and they are merged where documents are handed over in the order of the input.
 */
#include <golgi/golgi.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 5 };

typedef struct totals {
    gg_context *ctx;
    int n_layers;
    int64_t width;
    gg_stats **layer; /* (n_layers,) over all documents */
} totals;

static void forget(gg_stats **layer, int n)
{
    for (int l = 0; layer && l < n; l++)
        gg_stats_free(layer[l]);
    free(layer);
}

static gg_status make(gg_stats ***out, gg_context *ctx, int n, int64_t width)
{
    *out = calloc((size_t)n, sizeof **out);
    gg_status s = *out ? GG_OK : GG_ENOMEM;
    for (int l = 0; l < n && s == GG_OK; l++)
        s = gg_stats_create(&(*out)[l], ctx, width);
    return s;
}

static gg_status open_group(void *user, void **state, const gg_group *g)
{
    (void)g;
    const totals *t = user;
    gg_stats **own = NULL;
    const gg_status s = make(&own, t->ctx, t->n_layers, t->width);
    *state = own;
    return s;
}

static gg_status tap(void *user, void *state, const gg_group *g, const gg_tap *x)
{
    (void)user;
    (void)g;
    return gg_stats_add(((gg_stats **)state)[x->layer], x->x, x->n_rows);
}

static gg_status document(void *user, void *state, const gg_group *g, int i)
{
    totals *t = user;
    gg_status s = GG_OK;
    for (int l = 0; l < t->n_layers && i == g->n_documents - 1 && s == GG_OK; l++)
        s = gg_stats_merge(t->layer[l], ((gg_stats **)state)[l]);
    return s;
}

static void close_group(void *user, void *state)
{
    forget(state, ((totals *)user)->n_layers);
}

static void show(const totals *t, gg_site site, double *mean)
{
    for (int l = 0; l < t->n_layers; l++) {
        gg_stats_mean_abs(mean, t->layer[l]);
        for (int k = 0; k < SHOWN && k < t->width; k++) {
            int64_t best = 0;
            for (int64_t i = 1; i < t->width; i++)
                best = mean[i] > mean[best] ? i : best;
            char name[64];
            gg_neuron_name(name, sizeof name, (gg_neuron){l, site, best});
            printf("%s%-16s %8.3f", k ? "   " : "", name, mean[best]);
            mean[best] = -1;
        }
        putchar('\n');
    }
}

static gg_status strongest(gg_context *ctx, const char *model, const char *documents, const char *site_name)
{
    gg_model *m = NULL;
    gg_documents *d = NULL;
    gg_site site = GG_SITE_UP;
    gg_run_result r;
    totals t = {.ctx = ctx};
    gg_status s = gg_site_parse(&site, ctx, site_name);
    if (s == GG_OK)
        s = gg_model_open(&m, ctx, model, &(gg_model_options){.no_head = true});
    if (s == GG_OK)
        s = gg_documents_open(&d, ctx, &documents, 1, &(gg_documents_options){0});
    if (s == GG_OK) {
        t.n_layers = gg_model_describe(m)->n_layers;
        t.width = gg_model_width(m, 0, site);
        s = make(&t.layer, ctx, t.n_layers, t.width); /* refuses a site that this model does not have */
    }
    if (s == GG_OK) {
        const gg_listener listener = {.sites = 1u << site, .open = open_group, .tap = tap, .document = document, .close = close_group, .user = &t};
        s = gg_run(&r, m, d, &(gg_run_options){.max_tokens = 120}, &listener, 1);
    }
    double *mean = s == GG_OK ? malloc((size_t)t.width * sizeof *mean) : NULL;
    if (mean) {
        printf("%lld documents, %lld tokens; mean |x| of %s\n", (long long)r.n_documents, (long long)r.n_tokens, gg_site_name(site));
        show(&t, site, mean);
    }
    free(mean);
    forget(t.layer, t.n_layers);
    gg_documents_close(d);
    gg_model_free(m);
    return s;
}

int main(int argc, char **argv)
{
    gg_context *ctx = NULL;
    if (argc < 3) {
        fprintf(stderr, "strongest MODEL DOCUMENTS [SITE]\n");
        return 2;
    }
    if (gg_context_create(&ctx, NULL) != GG_OK)
        return 1;
    const gg_status s = strongest(ctx, argv[1], argv[2], argc > 3 ? argv[3] : "up");
    if (s != GG_OK)
        fprintf(stderr, "strongest: %s\n", *gg_message(ctx) ? gg_message(ctx) : gg_status_text(s));
    gg_context_free(ctx);
    return s == GG_OK ? 0 : 1;
}
