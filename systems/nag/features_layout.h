/* The .nag file, byte for byte (docs/formats.md tells it to others).
 *
 *     magic, version, JSON header | block ... | footer
 *     block:  32 bytes (magic, n, docid bytes, body bytes, XXH64 of the body), then the body: token_num (n) int64, n_scored (n) uint32,
 *             docid_end (n) uint32, docids with a NUL each, then per site the indices (n, layers, K); each part padded to 8 bytes
 *     footer: 32 bytes (magic, 0, documents, chain of all checksums, file size)
 *
 * Little-endian. What stands before the indices is 3 to 6 % of a block: token counts and docids can be read without the rest.
 */
#ifndef GOLGI_NAG_FEATURES_LAYOUT_H
#define GOLGI_NAG_FEATURES_LAYOUT_H
#include "systems/nag/nag_internal.h"
#include "base/file.h"
#include "base/input.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, ".nag files hold little-endian numbers and are used as they are read");

#define gg__nag_magic "\x89NAG\r\n\x1a\n"
#define gg__nag_block_magic "BLK1"
#define gg__nag_footer_magic "END1"
enum { HEAD_BYTES = 16, BLOCK_BYTES = 32, FOOTER_BYTES = 32, BLOCK_DOCUMENTS_MAX = 65536 };

typedef struct gg__nag_kind {
    const char *name, *magic; /* 8 bytes */
    uint32_t version, header_max;
} gg__nag_kind;
#define gg__nag_kind_features (&(const gg__nag_kind){".nag", gg__nag_magic, 1, 1 << 20})

typedef struct gg__nag_block_head {
    char magic[4];
    uint32_t n;
    uint64_t docid_bytes; /* padded */
    uint64_t body_bytes;
    uint64_t checksum;
} gg__nag_block_head;
typedef struct gg__nag_footer {
    char magic[4];
    uint32_t zero;
    uint64_t n_documents;
    uint64_t chain;
    uint64_t file_bytes;
} gg__nag_footer;
_Static_assert(sizeof(gg__nag_block_head) == BLOCK_BYTES && sizeof(gg__nag_footer) == FOOTER_BYTES, "on-disk layout");

static inline uint64_t gg__nag_pad8(uint64_t n) { return (n + 7) & ~(uint64_t)7; }

/* The head of either kind of file (head.c). n_bytes: how long it is; chain: XXH64 of it, on which the checksums of the blocks are chained. A NULL
 * header is one that there was no memory for. What is read is the caller's (json_decref). Errors: EFORMAT, EUNSUPPORTED (version), ENOMEM, EIO. */
gg_status gg__nag_head_write(uint64_t *n_bytes, uint64_t *chain, gg_context *ctx, gg_out *out, const gg__nag_kind *k, const json_t *header);
gg_status gg__nag_head_read(json_t **header, uint64_t *n_bytes, uint64_t *chain, gg_context *ctx, gg_in *in, const char *path, const gg__nag_kind *k);

/* NULL: fine; else what is wrong. */
const char *gg__nag_header_from_json(gg_nag_header *h, const json_t *o);

#endif
