/* golgi/listener.h - one pass over a model, many listeners. Floor 4.
 *
 *     #include <golgi/model.h>
 *     #include <stdio.h>
 *
 *     static gg_status tap(void *user, void *state, const gg_group *g, const gg_tap *t)
 *     {
 *         (void)state;
 *         for (int64_t i = 0; i < t->n_rows * t->width; i++) // (n_rows, width): the tokens of g's documents, end to end
 *             *(float *)user = t->x[i] > *(float *)user ? t->x[i] : *(float *)user;
 *         return g->n_tokens > 0 ? GG_OK : GG_END;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         const char *text = argc > 2 ? argv[2] : "documents.jsonl";
 *         float largest = -1e30f;
 *         gg_context *ctx = NULL;
 *         gg_model *m = NULL;
 *         gg_documents *d = NULL;
 *         gg_run_result r;
 *         gg_context_create(&ctx, &(gg_context_options){.n_threads = 1}); // one thread: tap writes where all groups do
 *         const gg_listener up = {.sites = 1u << GG_SITE_UP, .tap = tap, .user = &largest};
 *         const bool done = gg_model_open(&m, ctx, argc > 1 ? argv[1] : "model.gguf", NULL) == GG_OK &&
 *                           gg_documents_open(&d, ctx, &text, 1, &(gg_documents_options){0}) == GG_OK &&
 *                           gg_run(&r, m, d, &(gg_run_options){.max_tokens = 120}, &up, 1) == GG_OK;
 *         printf("%s %g\n", done ? "the largest value of up is" : gg_message(ctx), (double)largest);
 *         gg_documents_close(d);
 *         gg_model_free(m);
 *         gg_context_free(ctx);
 *         return !done;
 *     }
 *
 * A group is a few documents laid end to end (no padding). A worker runs a group through the model and offers each tapped site
 * to every listener. Groups run on several threads; documents are handed over (`document`) in input order, one at a time.
 */
#ifndef GOLGI_LISTENER_H
#define GOLGI_LISTENER_H
#include <golgi/site.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_group {
    int64_t number;             /* 0.. in input order */
    int n_documents;
    int64_t n_tokens;           /* rows of the group */
    const int32_t *token;       /* (n_tokens,) */
    const int64_t *start;       /* (n_documents + 1,) rows of document i: start[i] .. start[i+1]-1 */
    const struct gg_document *document; /* (n_documents,); NULL when the caller runs bare token ids */
} gg_group;

typedef struct gg_tap {
    int layer;
    gg_site site;
    int64_t row;     /* first row of the group offered here: 0, except for logits, which come in several pieces */
    int64_t n_rows;
    int64_t width;   /* neurons */
    const float *x;  /* (n_rows, width) contiguous; valid during the call */
} gg_tap;

typedef struct gg_listener {
    uint32_t sites;                  /* bit mask: 1u << gg_site */
    const bool *layers;              /* (n_layers,) or NULL: all. Not consulted for final and logits */
    /* All but `tap` may be NULL. state: what the listener keeps for one group. Called by worker threads, one group one thread. */
    gg_status (*open)(void *user, void **state, const gg_group *g);
    gg_status (*tap)(void *user, void *state, const gg_group *g, const gg_tap *t);
    gg_status (*document)(void *user, void *state, const gg_group *g, int i); /* in input order, never two at once */
    void (*close)(void *user, void *state);                                   /* always called once for each opened state */
    void *user;
} gg_listener;

#ifdef __cplusplus
}
#endif
#endif
