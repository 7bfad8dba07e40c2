/* Fuzzes partial rankings: ranked, merged with nothing else. Nearly every changed byte is caught by a checksum, so the checksums are put right and
 * the file is tried again: what is behind them must hold by itself. */
#include "fuzz/fuzz.h"
#include "systems/nag/nag.h"
#include "systems/nag/features_layout.h"

/* Heads of blocks, chain and footer after whatever places and blocks there are. */
static void put_right(uint8_t *b, size_t n)
{
    uint32_t n_json = 0;
    if (n < HEAD_BYTES + FOOTER_BYTES)
        return;
    memcpy(&n_json, b + 12, 4);
    uint64_t at = HEAD_BYTES + (uint64_t)n_json, places = at, first;
    for (first = at; first + BLOCK_BYTES <= n && memcmp(b + first, gg__nag_block_magic, 4) != 0;)
        first += 8;
    if (first + BLOCK_BYTES > n)
        return;
    uint64_t chain = gg__xxh64(b, places, 0);
    for (at = first; n - at >= BLOCK_BYTES && memcmp(b + at, gg__nag_block_magic, 4) == 0;) {
        gg__nag_block_head h;
        memcpy(&h, b + at, sizeof h);
        if (h.body_bytes > n - at - sizeof h)
            return;
        h.checksum = gg__xxh64(b + at + sizeof h, h.body_bytes, 0);
        memcpy(b + at, &h, sizeof h);
        const uint64_t link[2] = {chain, h.checksum};
        chain = gg__xxh64(link, sizeof link, 0);
        at += sizeof h + h.body_bytes;
    }
    if (n - at != FOOTER_BYTES)
        return;
    gg__nag_footer e;
    const uint64_t link[2] = {chain, gg__xxh64(b + places, first - places, 0)};
    memcpy(&e, b + at, sizeof e);
    e.chain = gg__xxh64(link, sizeof link, 0);
    e.file_bytes = n;
    memcpy(b + at, &e, sizeof e);
}

static void try_file(gg_context *ctx, const char *path)
{
    gg_nag_ranking *r[GG_NAG_MAX_TARGETS];
    gg_nag_rank_options o = {.fraction = 0.5};
    char out[80];
    int n = 0;
    if (gg_nag_partial_rank(r, &n, ctx, &path, 1, &o) == GG_OK)
        while (n > 0)
            gg_nag_ranking_free(r[--n]);
    snprintf(out, sizeof out, "%s.merged", path);
    if (gg_nag_partial_merge(ctx, &path, 1, out) == GG_OK)
        unlink(out);
}

static void fuzz_one(gg_context *ctx, const char *path)
{
    static uint8_t bytes[1 << 20];
    try_file(ctx, path);
    FILE *f = fopen(path, "r+b");
    const size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (!f)
        return;
    put_right(bytes, n);
    rewind(f);
    const bool written = fwrite(bytes, 1, n, f) == n;
    if (fclose(f) == 0 && written)
        try_file(ctx, path);
}
FUZZ_TARGET(".rank")
