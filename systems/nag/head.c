/* What a .nag and a .rank file begin with: 8 bytes of signature, version and length of the header (uint32 each), the header in JSON, padded with
 * spaces to a multiple of 64 bytes. */
#include "systems/nag/features_layout.h"
#include "base/json.h"

gg_status gg__nag_head_write(uint64_t *n_bytes, uint64_t *chain, gg_context *ctx, gg_out *out, const gg__nag_kind *k, const json_t *header)
{
    gg_str text = {.ctx = ctx, .failed = !header};
    gg_json_write(&text, header, 0);
    const size_t total = (HEAD_BYTES + text.len + 63) & ~(size_t)63;
    uint8_t *head = NULL;
    gg_status st = GG_OK;
    if (text.failed)
        st = gg_fail(ctx, GG_ENOMEM, "out of memory (header of a %s file)", k->name);
    else if (total - HEAD_BYTES > k->header_max)
        st = gg_fail(ctx, GG_EUNSUPPORTED, "a header of %zu bytes; a %s file takes at most %u", total, k->name, k->header_max);
    else if (!(head = gg_alloc(ctx, total)))
        st = GG_ENOMEM;
    else {
        const uint32_t n_json = (uint32_t)(total - HEAD_BYTES);
        memcpy(head, k->magic, 8);
        memcpy(head + 8, &k->version, 4);
        memcpy(head + 12, &n_json, 4);
        memset(head + HEAD_BYTES, ' ', n_json);
        memcpy(head + HEAD_BYTES, text.data, text.len);
        *n_bytes = total;
        *chain = gg__xxh64(head, total, 0);
        st = gg_out_write(out, head, total);
    }
    gg_drop(ctx, head);
    gg_str_free(&text);
    return st;
}

gg_status gg__nag_head_read(json_t **header, uint64_t *n_bytes, uint64_t *chain, gg_context *ctx, gg_in *in, const char *path, const gg__nag_kind *k)
{
    const uint64_t size = (uint64_t)gg_in_size(in);
    uint8_t first[HEAD_BYTES] = {0};
    uint32_t version = 0, n_json = 0;
    if (size >= HEAD_BYTES)
        GG_TRY(gg_in_read_at(in, first, HEAD_BYTES, 0));
    if (memcmp(first, k->magic, 8) != 0)
        return gg_fail(ctx, GG_EFORMAT, "%s: not a %s file: the first 8 bytes are not its signature (%llu bytes in all)", path, k->name,
                       (unsigned long long)size);
    memcpy(&version, first + 8, 4);
    memcpy(&n_json, first + 12, 4);
    if (version != k->version)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: %s version %u; this golgi reads version %u", path, k->name, version, k->version);
    if (n_json > k->header_max || (HEAD_BYTES + n_json) % 64 != 0 || size - HEAD_BYTES < n_json)
        return gg_fail(ctx, GG_EFORMAT, "%s: byte 12: a header of %u bytes does not fit a file of %llu", path, n_json, (unsigned long long)size);
    uint8_t *head = gg_alloc(ctx, HEAD_BYTES + n_json);
    if (!head)
        return GG_ENOMEM;
    gg_status st = gg_in_read_at(in, head, HEAD_BYTES + n_json, 0);
    if (st == GG_OK)
        st = gg_json_document(header, ctx, (const char *)head + HEAD_BYTES, n_json, path, "the header (from byte 16)");
    *n_bytes = HEAD_BYTES + n_json;
    *chain = st == GG_OK ? gg__xxh64(head, *n_bytes, 0) : 0;
    gg_drop(ctx, head);
    return st;
}
