/* Reading features. Owns: the reader of .nag files, block by block, by one thread or by several.
 *
 * A block is claimed (its head is read, in the order of the file, so that the chain of checksums and the footer can be verified) and then
 * read, which any thread may do with any block. Blocks are read into memory of their own instead of being mapped: a file that is cut
 * short meanwhile, or a disk that fails, is then an error with a message and not a signal, and what was used does not stay resident.
 * Traps: a file without its footer was cut and is refused even when every block is whole; docids are checked to end where they say;
 * indices are checked against the width once a block, so that the ranking may look up without looking.
 */
#include "systems/nag/features_layout.h"
#include "base/file.h"
#include "base/input.h"
#include "base/json.h"

struct gg_nag_reader {
    gg_context *ctx;
    gg_nag_header h;
    char *path;
    gg__row_reader *rows;
    gg_in *in;
    uint64_t size, at, chain, n_documents;
    json_t *units; /* of the header, or NULL */
    bool done;
    gg__nag_block own; /* of gg_nag_reader_next */
};

const gg_nag_header *gg_nag_reader_header(const gg_nag_reader *r) { return &r->h; }
json_t *gg__nag_reader_units(const gg_nag_reader *r) { return r->units; }
bool gg__nag_reader_is_shared(const gg_nag_reader *r) { return !r->rows; }

void gg_nag_reader_close(gg_nag_reader *r)
{
    if (!r)
        return;
    gg__row_reader_close(r->rows);
    gg_in_close(r->in);
    json_decref(r->units);
    gg__nag_block_free(&r->own, r->ctx);
    gg_drop(r->ctx, r->path);
    gg_drop(r->ctx, r);
}

#define DAMAGED(r, ...) gg_fail((r)->ctx, GG_EFORMAT, __VA_ARGS__)

/* --- head and footer ------------------------------------------------------------------------------------------------------- */
static gg_status read_head(gg_nag_reader *r)
{
    json_t *j = NULL;
    GG_TRY(gg__nag_head_read(&j, &r->at, &r->chain, r->ctx, r->in, r->path, gg__nag_kind_features));
    const char *wrong = gg__nag_header_from_json(&r->h, j);
    r->units = json_incref(json_object_get(j, "units"));
    json_decref(j);
    return wrong ? DAMAGED(r, "%s: byte %d: %s", r->path, HEAD_BYTES, wrong) : GG_OK;
}

gg_status gg_nag_reader_open(gg_nag_reader **out, gg_context *ctx, const char *path, int n_layers)
{
    gg_nag_reader *r = gg_new(ctx, gg_nag_reader, 1);
    if (!r)
        return GG_ENOMEM;
    r->ctx = ctx;
    r->path = gg_strdup(ctx, path);
    gg_status st = r->path ? GG_OK : GG_ENOMEM;
    if (st == GG_OK && !gg__nag_is_binary(path)) {
        st = strcmp(path, "-") != 0 && !gg_file_exists(path) ? gg_fail(ctx, GG_ENOENT, "%s: no such file or folder", path) : gg__nag_rows_may_hold(ctx, path);
        if (st == GG_OK)
            st = gg__row_reader_open(&r->rows, &r->h, ctx, path, n_layers);
    } else if (st == GG_OK) {
        st = gg_in_open(&r->in, ctx, path);
        r->size = st == GG_OK ? (uint64_t)gg_in_size(r->in) : 0;
        if (st == GG_OK)
            st = read_head(r);
    }
    if (st != GG_OK) {
        gg_nag_reader_close(r);
        return st;
    }
    *out = r;
    return GG_OK;
}

int64_t gg__nag_reader_position(const gg_nag_reader *r) { return (int64_t)r->n_documents; }

gg_status gg__nag_reader_promised(int64_t *n, const gg_nag_reader *r)
{
    gg__nag_footer e = {.zero = 1};
    *n = -1;
    if (r->in && r->size >= sizeof e)
        GG_TRY(gg_in_read_at(r->in, &e, sizeof e, r->size - sizeof e));
    const bool whole = memcmp(e.magic, gg__nag_footer_magic, 4) == 0 && e.zero == 0 && e.file_bytes == r->size;
    if (whole && e.n_documents <= r->size / 16) /* a document takes more than that */
        *n = (int64_t)e.n_documents;
    return GG_OK;
}

static gg_status check_footer(gg_nag_reader *r, const gg__nag_block_head *h)
{
    gg__nag_footer e;
    memcpy(&e, h, sizeof e);
    if (e.chain != r->chain || e.n_documents != r->n_documents || e.file_bytes != r->at + sizeof e)
        return DAMAGED(r, "%s: byte %llu: the footer speaks of %llu documents in %llu bytes, %llu documents came before it: blocks are missing or "
                       "changed; extract the file again", r->path, (unsigned long long)r->at, (unsigned long long)e.n_documents,
                       (unsigned long long)e.file_bytes, (unsigned long long)r->n_documents);
    if (r->size != r->at + sizeof e)
        return DAMAGED(r, "%s: byte %llu: %llu bytes after the end; files of features are joined by `golgi nag`, not by cat", r->path,
                       (unsigned long long)(r->at + sizeof e), (unsigned long long)(r->size - r->at - sizeof e));
    r->done = true;
    return GG_END;
}

/* --- blocks ---------------------------------------------------------------------------------------------------------------- */
void gg__nag_block_free(gg__nag_block *b, gg_context *ctx)
{
    gg_drop(ctx, b->body);
    gg_drop(ctx, b->docid);
    gg_drop(ctx, b->n_scored);
    *b = (gg__nag_block){0};
}

static gg_status claim_rows(gg_nag_reader *r, gg__nag_block *b)
{
    GG_TRY(gg__row_reader_next(r->rows, &b->f));
    b->first = (int64_t)r->n_documents;
    r->n_documents += (uint64_t)b->f.n;
    for (int s = 0; s < r->h.n_sites; s++)
        b->top[s] = gg__nag_largest(b->f.index[s], b->f.index_bytes, b->f.n * r->h.n_layers * r->h.site[s].top_k);
    return GG_OK;
}

gg_status gg__nag_block_claim(gg_nag_reader *r, gg__nag_block *b)
{
    b->r = r;
    if (r->rows)
        return claim_rows(r, b);
    if (r->done)
        return GG_END;
    gg__nag_block_head h;
    if (r->size - r->at < sizeof h)
        return DAMAGED(r, "%s: cut at byte %llu: neither a block nor the footer follows; extract the file again", r->path, (unsigned long long)r->size);
    GG_TRY(gg_in_read_at(r->in, &h, sizeof h, r->at));
    if (memcmp(h.magic, gg__nag_footer_magic, 4) == 0)
        return check_footer(r, &h);
    if (memcmp(h.magic, gg__nag_block_magic, 4) != 0)
        return DAMAGED(r, "%s: byte %llu: neither a block nor the footer", r->path, (unsigned long long)r->at);
    const uint64_t bytes = (uint64_t)gg_nag_index_bytes(&r->h);
    uint64_t body = (uint64_t)h.n * 16 + h.docid_bytes;
    for (int s = 0; s < r->h.n_sites; s++) /* n <= 65536, 1024 layers, K <= 2^20, 4 bytes: below 2^48 */
        body += gg__nag_pad8((uint64_t)h.n * (uint64_t)r->h.n_layers * (uint64_t)r->h.site[s].top_k * bytes);
    if (h.n == 0 || h.n > BLOCK_DOCUMENTS_MAX || h.docid_bytes % 8 != 0 || h.docid_bytes > r->size || body != h.body_bytes)
        return DAMAGED(r, "%s: byte %llu: a block of %u documents in %llu bytes cannot be", r->path, (unsigned long long)r->at, h.n,
                       (unsigned long long)h.body_bytes);
    if (r->size - r->at - sizeof h < body)
        return DAMAGED(r, "%s: cut at byte %llu: the block at byte %llu needs %llu more; extract the file again", r->path, (unsigned long long)r->size,
                       (unsigned long long)r->at, (unsigned long long)(body - (r->size - r->at - sizeof h)));
    b->f = (gg_nag_features){.n = h.n, .index_bytes = (int)bytes};
    b->first = (int64_t)r->n_documents;
    b->at = r->at;
    b->docid_bytes = h.docid_bytes;
    b->body_bytes = body;
    b->checksum = h.checksum;
    const uint64_t link[2] = {r->chain, h.checksum};
    r->chain = gg__xxh64(link, sizeof link, 0);
    r->at += sizeof h + body;
    r->n_documents += h.n;
    return GG_OK;
}

static gg_status reserve(gg__nag_block *b, gg_context *ctx, uint64_t bytes)
{
    if (b->cap < bytes) {
        gg_drop(ctx, b->body);
        b->cap = 0;
        if (!(b->body = gg_alloc(ctx, bytes)))
            return GG_ENOMEM;
        b->cap = bytes;
    }
    if (b->docid_cap < b->f.n) {
        gg_drop(ctx, b->docid);
        gg_drop(ctx, b->n_scored);
        b->docid_cap = 0;
        b->docid = gg_new(ctx, const char *, b->f.n);
        b->n_scored = gg_new(ctx, int64_t, b->f.n);
        if (!b->docid || !b->n_scored)
            return GG_ENOMEM;
        b->docid_cap = b->f.n;
    }
    return GG_OK;
}

gg_status gg__nag_block_read(gg__nag_block *b, bool names_only)
{
    gg_nag_reader *r = b->r;
    if (r->rows)
        return GG_OK;
    const int64_t n = b->f.n;
    const uint64_t names = (uint64_t)n * 16 + b->docid_bytes;
    GG_TRY(reserve(b, r->ctx, names_only ? names : b->body_bytes));
    GG_TRY(gg_in_read_at(r->in, b->body, names_only ? names : b->body_bytes, b->at + BLOCK_BYTES));
    if (!names_only && gg__xxh64(b->body, b->body_bytes, 0) != b->checksum)
        return DAMAGED(r, "%s: byte %llu: the block's checksum does not agree with its bytes; extract the file again", r->path, (unsigned long long)b->at);
    b->f.token_num = (const int64_t *)b->body;
    b->f.n_scored = b->n_scored;
    b->f.docid = b->docid;
    const uint32_t *scored = (const uint32_t *)(b->body + n * 8), *end = scored + n;
    const char *docids = (const char *)(b->body + n * 16);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t from = i ? end[i - 1] : 0;
        if (end[i] <= from || end[i] > b->docid_bytes || docids[end[i] - 1] != '\0' || b->f.token_num[i] < -1)
            return DAMAGED(r, "%s: byte %llu: document %lld of the block has no proper docid or token count", r->path, (unsigned long long)b->at, (long long)i);
        b->docid[i] = docids + from;
        b->n_scored[i] = scored[i] == UINT32_MAX ? -1 : (int64_t)scored[i];
    }
    const uint8_t *p = b->body + names;
    for (int s = 0; s < r->h.n_sites && !names_only; s++) {
        const gg_nag_site *site = &r->h.site[s];
        const int64_t count = n * r->h.n_layers * site->top_k;
        b->f.index[s] = p;
        b->top[s] = gg__nag_largest(p, b->f.index_bytes, count);
        if (b->top[s] > INT32_MAX || (site->width && b->top[s] >= (uint64_t)site->width))
            return DAMAGED(r, "%s: byte %llu: neuron %u of site %s, which has %lld", r->path, (unsigned long long)b->at, b->top[s],
                           gg_nag_type_name(site->type), (long long)site->width);
        p += gg__nag_pad8((uint64_t)(count * b->f.index_bytes));
    }
    return GG_OK;
}

gg_status gg_nag_reader_next(gg_nag_reader *r, gg_nag_features *f)
{
    GG_TRY(gg__nag_block_claim(r, &r->own));
    GG_TRY(gg__nag_block_read(&r->own, false));
    *f = r->own.f;
    return GG_OK;
}
