/* Synthetic features, to rank without a model: build/bench/rank_pool OUT.nag N [--layers L] [--top-k K] [--width W] [--seed S]
 *
 * Lists look like real ones where speed is concerned: some neurons are common (the smaller of two draws), each document leans towards one
 * of 64 topics, docids are texts of different lengths, token counts lie between 20 and 2000. A gigabyte takes a few seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "systems/nag/nag.h"

static uint64_t state;
static inline uint64_t draw(void) /* SplitMix64 (Steele, Lea & Flood 2014) */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int64_t word(int argc, char **argv, const char *name, int64_t otherwise)
{
    for (int i = 3; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoll(argv[i + 1], NULL, 10);
    return otherwise;
}

/* One document's lists, (layers, K): 3 of 4 neurons from the whole layer, the others from the topic's. */
static void lists(uint16_t *index, int64_t layers, int64_t K, int64_t width, uint64_t topic)
{
    for (int64_t j = 0; j < layers * K; j++) {
        const uint64_t z = draw();
        const uint64_t a = (z & 0xffff) * (uint64_t)width >> 16, b = (z >> 16 & 0xffff) * (uint64_t)width >> 16;
        index[j] = (uint16_t)(z >> 32 & 3 ? (a < b ? a : b) : (topic * 37 + (z >> 34 & 15) * 5 + (uint64_t)(j / K)) % (uint64_t)width);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc % 2 == 0) {
        fprintf(stderr, "rank_pool OUT.nag N [--layers L] [--top-k K] [--width W] [--seed S]\n");
        return 2;
    }
    const int64_t n = strtoll(argv[2], NULL, 10), layers = word(argc, argv, "--layers", 30), K = word(argc, argv, "--top-k", 10);
    const int64_t width = word(argc, argv, "--width", 1536), seed = word(argc, argv, "--seed", 1);
    gg_context *ctx = NULL;
    gg_nag_writer *w = NULL;
    if (layers < 1 || layers > GG_NAG_MAX_LAYERS || width < 1 || width > 65535 || K < 1 || K > width || gg_context_create(&ctx, NULL) != GG_OK)
        return 2;
    gg_nag_header h = {.model = "synthetic", .dtype = "f32", .max_tokens = 120, .n_layers = (int)layers, .n_sites = 1, .site = {{GG_NAG_UP, width, K}}};
    memset(h.model_hash, '0', 64);
    for (int l = 0; l < layers; l++)
        h.layer[l] = l;
    uint16_t *index = gg_new(ctx, uint16_t, gg_mul(layers, K));
    gg_status s = index ? gg_nag_writer_open(&w, ctx, argv[1], &h) : GG_ENOMEM;
    state = (uint64_t)seed << 32;
    for (int64_t i = 0; i < n && s == GG_OK; i++) {
        char name[64];
        const char *docid = name;
        const uint64_t z = draw();
        const int64_t tokens = 20 + (int64_t)(z % 1981), scored = tokens < 120 ? tokens : 120;
        snprintf(name, sizeof name, "%llu-%s-%llu", (unsigned long long)seed, z >> 40 & 1 ? "web" : "encyclopedia", (unsigned long long)i);
        lists(index, layers, K, width, z >> 48 & 63);
        s = gg_nag_writer_add(w, &(gg_nag_features){.n = 1, .docid = &docid, .token_num = &tokens, .n_scored = &scored, .index_bytes = 2, .index = {index}});
    }
    if (s == GG_OK)
        s = gg_nag_writer_commit(w);
    else
        gg_nag_writer_discard(w);
    if (s != GG_OK)
        fprintf(stderr, "%s\n", gg_message(ctx));
    gg_drop(ctx, index);
    gg_context_free(ctx);
    return s == GG_OK ? 0 : 1;
}
