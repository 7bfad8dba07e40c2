/* Partial rankings: what a merge needs to know of a piece of the pool. Owns: the .rank file, merging, the ranking of a whole out of its pieces.
 *
 *     magic, version, JSON header | places (n_targets) | per target: sketch, near, far, rows ... | footer
 *     header:  features and options that the scores depend on, sums over the piece's documents, which pieces it is made of
 *     place:   40 bytes: where the target's part begins, cells of its sketch, rows, where they end (below)
 *     sketch:  block of (cell u64, documents i64, tokens i64)
 *     rows:    blocks of score f64 (n), tokens i64 (n), docid_end u32 (n, padded), docids; by (score, docid)
 * Each block has a head of 32 bytes with its XXH64, the footer the chain of them, as in .nag files (features_layout.h). Little-endian.
 *
 * Rows are runs in the order of the ranking, so a merge holds one block of each file and no more. They end with the last document of the piece, or
 * some were dropped: then all are there up to and with the last row, or up to a score. A merge has rows up to the least such end of its
 * pieces and drops those beyond. Everything else in the file adds up or is sorted, so the same pieces give the same bytes in whatever
 * order and grouping they were merged.
 */
#include "systems/nag/partial.h"
#include "base/json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define PARTIAL_MAGIC "\x89NRK\r\n\x1a\n"
static const gg__nag_kind kind = {".rank", PARTIAL_MAGIC, 1, 64 << 20};

static bool is_named_rank(const char *path)
{
    const size_t n = strlen(path);
    return n >= 5 && strcmp(path + n - 5, ".rank") == 0;
}

gg_status gg__nag_is_partial(bool *out, gg_context *ctx, const char *path)
{
    *out = is_named_rank(path);
    if (*out || !gg_file_is_folder(path))
        return GG_OK;
    gg_folder names;
    bool features = false;
    GG_TRY(gg_folder_names(&names, ctx, path));
    for (int64_t i = 0; i < names.n; i++) {
        *out |= is_named_rank(names.paths[i]);
        features |= gg__nag_is_binary(names.paths[i]);
    }
    gg_folder_free(&names, ctx);
    *out &= !features;
    return GG_OK;
}

int gg__partial_by_piece(const void *pa, const void *pb)
{
    const gg__partial_piece *a = pa, *b = pb;
    return a->n != b->n ? (a->n < b->n ? -1 : 1) : a->sum != b->sum ? (a->sum < b->sum ? -1 : 1) : 0;
}

/* --- the header ----------------------------------------------------------------------------------------------------------------- */
static json_t *summary_json(const gg__partial_summary *s)
{
    json_t *targets = json_array(), *pieces = json_array();
    for (int t = 0; t < s->n_targets; t++)
        gg_json_add(&targets, json_pack("{s:s, s:s, s:I}", "name", s->name[t], "counts", s->hash[t], "documents", (json_int_t)s->n_examples[t]));
    for (int64_t p = 0; p < s->n_pieces; p++) {
        char hex[17];
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)s->pieces[p].sum);
        gg_json_add(&pieces, json_pack("{s:I, s:s}", "documents", (json_int_t)s->pieces[p].n, "docids", hex));
    }
    return json_pack("{s:s, s:o, s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "golgi", GG_VERSION_TEXT, "features", gg__nag_header_json(&s->features),
                     "type", gg_nag_type_name(s->type), "weights", "frequency", "power", s->power, "documents", (json_int_t)s->n, "tokens",
                     (json_int_t)s->n_tokens, "without_payload", (json_int_t)s->n_unpaid, "without_token_count", (json_int_t)s->n_uncounted, "targets",
                     targets, "pieces", pieces);
}

/* NULL: fine; else what is wrong. s->pieces is made of ctx's memory. */
static const char *summary_from_json(gg__partial_summary *s, gg_context *ctx, const json_t *j)
{
    const json_t *targets = json_object_get(j, "targets"), *pieces = json_object_get(j, "pieces");
    const char *wrong = gg__nag_header_from_json(&s->features, json_object_get(j, "features"));
    const char *type = json_string_value(json_object_get(j, "type")), *weights = json_string_value(json_object_get(j, "weights"));
    if (wrong)
        return wrong;
    int t = 0;
    while (t < GG_NAG_TYPES && !(type && strcmp(type, gg_nag_type_name((gg_nag_type)t)) == 0))
        t++;
    if (t == GG_NAG_TYPES || gg_nag_header_find(&s->features, (gg_nag_type)t) < 0 || !weights || strcmp(weights, "frequency") != 0)
        return "the header names an unknown type or weights";
    s->type = (gg_nag_type)t;
    s->power = json_number_value(json_object_get(j, "power"));
    s->n = json_integer_value(json_object_get(j, "documents"));
    s->n_tokens = json_integer_value(json_object_get(j, "tokens"));
    s->n_unpaid = json_integer_value(json_object_get(j, "without_payload"));
    s->n_uncounted = json_integer_value(json_object_get(j, "without_token_count"));
    if (s->n < 0 || s->n_tokens < 0 || s->n_unpaid < 0 || s->n_uncounted < 0 || !isfinite(s->power))
        return "the header's counts are outside their range";
    s->n_targets = (int)json_array_size(targets);
    s->n_pieces = (int64_t)json_array_size(pieces);
    if (s->n_targets < 1 || json_array_size(targets) > GG_NAG_MAX_TARGETS || !json_is_array(pieces))
        return "the header's targets or pieces are missing, or too many";
    for (int i = 0; i < s->n_targets; i++) {
        const json_t *e = json_array_get(targets, (size_t)i);
        const char *name = json_string_value(json_object_get(e, "name")), *hash = json_string_value(json_object_get(e, "counts"));
        if (!name || strlen(name) >= sizeof s->name[0] || !hash || strlen(hash) != 16)
            return "a target of the header has no proper name or hash";
        snprintf(s->name[i], sizeof s->name[i], "%s", name);
        snprintf(s->hash[i], sizeof s->hash[i], "%s", hash);
        s->n_examples[i] = json_integer_value(json_object_get(e, "documents"));
    }
    if (!(s->pieces = gg_new(ctx, gg__partial_piece, s->n_pieces)))
        return "there is no memory for the header's pieces";
    for (int64_t i = 0; i < s->n_pieces; i++) {
        const json_t *e = json_array_get(pieces, (size_t)i);
        const char *hex = json_string_value(json_object_get(e, "docids"));
        s->pieces[i] = (gg__partial_piece){json_integer_value(json_object_get(e, "documents")), hex ? strtoull(hex, NULL, 16) : 0};
        if (i && gg__partial_by_piece(&s->pieces[i - 1], &s->pieces[i]) >= 0)
            return "the header's pieces do not rise";
    }
    return NULL;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------------- */
void gg__partial_writer_close(gg__partial_writer *w)
{
    if (!w)
        return;
    gg_out_discard(w->out);
    gg_str_free(&w->docids);
    gg_str_free(&w->body);
    gg_drop(w->ctx, w->places);
    gg_drop(w->ctx, w);
}

gg_status gg__partial_writer_open(gg__partial_writer **out, gg_context *ctx, const char *path, const gg__partial_summary *s)
{
    gg__partial_writer *w = gg_new(ctx, gg__partial_writer, 1);
    if (!w)
        return GG_ENOMEM;
    *w = (gg__partial_writer){.ctx = ctx, .n_targets = s->n_targets, .docids = {.ctx = ctx}, .body = {.ctx = ctx}};
    *out = w;
    gg_status st = gg_out_open(&w->out, ctx, path);
    json_t *j = st == GG_OK ? summary_json(s) : NULL;
    if (st == GG_OK)
        st = gg__nag_head_write(&w->places_at, &w->chain, ctx, w->out, &kind, j);
    json_decref(j);
    if (st == GG_OK)
        st = (w->places = gg_new(ctx, gg__partial_place, s->n_targets)) ? gg_out_write(w->out, w->places, sizeof *w->places * (size_t)s->n_targets) : GG_ENOMEM;
    return st;
}

static gg_status put_block(gg__partial_writer *w, int64_t n, uint64_t docid_bytes, const void *body, size_t bytes)
{
    gg__nag_block_head h = {.n = (uint32_t)n, .docid_bytes = docid_bytes, .body_bytes = bytes, .checksum = gg__xxh64(body, bytes, 0)};
    memcpy(h.magic, gg__nag_block_magic, 4);
    const uint64_t link[2] = {w->chain, h.checksum};
    w->chain = gg__xxh64(link, sizeof link, 0);
    GG_TRY(gg_out_write(w->out, &h, sizeof h));
    return gg_out_write(w->out, body, bytes);
}

static void add_padded(gg_str *s, const void *data, size_t n)
{
    static const char zeros[8];
    gg_str_add(s, data, n);
    gg_str_add(s, zeros, (size_t)gg__nag_pad8(n) - n);
}

/* Blocks without rows are written too: near and far of nothing. */
static gg_status flush_rows(gg__partial_writer *w)
{
    const size_t n = (size_t)w->n;
    w->body.len = 0;
    add_padded(&w->body, w->score, n * sizeof *w->score);
    add_padded(&w->body, w->tokens, n * sizeof *w->tokens);
    add_padded(&w->body, w->end, n * sizeof *w->end);
    add_padded(&w->body, w->docids.data, w->docids.len);
    if (w->body.failed || w->docids.failed)
        return GG_ENOMEM;
    GG_TRY(put_block(w, w->n, gg__nag_pad8(w->docids.len), w->body.data, w->body.len));
    w->n = 0;
    w->docids.len = 0;
    return GG_OK;
}

gg_status gg__partial_put_row(gg__partial_writer *w, const gg_nag_row *r)
{
    w->score[w->n] = r->score;
    w->tokens[w->n] = r->token_num;
    gg_str_add(&w->docids, r->docid, strlen(r->docid) + 1);
    w->end[w->n++] = (uint32_t)w->docids.len;
    return w->n == BLOCK_ROWS || w->docids.len > 1 << 26 ? flush_rows(w) : GG_OK;
}

gg_status gg__partial_put_ends(gg__partial_writer *w, const gg_nag_row *row, int n)
{
    for (int i = 0; i < n; i++)
        GG_TRY(gg__partial_put_row(w, &row[i]));
    return flush_rows(w);
}

gg_status gg__partial_put_sketch(gg__partial_writer *w, int t, const gg__nag_sketch *s)
{
    w->places[t].at = gg_out_tell(w->out);
    w->body.len = 0;
    for (int i = 0; i < GG__NAG_CELLS; i++)
        if (s->n[i]) {
            const gg__partial_cell c = {(uint64_t)i, s->n[i], s->tokens[i]};
            gg_str_add(&w->body, (const char *)&c, sizeof c);
            w->places[t].n_cells++;
        }
    return w->body.failed ? GG_ENOMEM : put_block(w, (int64_t)w->places[t].n_cells, 0, w->body.data, w->body.len);
}

gg_status gg__partial_end_target(gg__partial_writer *w, int t, int64_t n_rows, int ends, double up_to)
{
    w->places[t].n_rows = (uint64_t)n_rows;
    w->places[t].ends = (uint64_t)ends;
    w->places[t].up_to = ends == ENDS_WITH_SCORE ? up_to : 0;
    return w->n ? flush_rows(w) : GG_OK;
}

/* Frees w whatever comes back. */
gg_status gg__partial_writer_commit(gg__partial_writer *w)
{
    const size_t bytes = sizeof *w->places * (size_t)w->n_targets;
    const uint64_t link[2] = {w->chain, gg__xxh64(w->places, bytes, 0)};
    gg__nag_footer e = {.n_documents = (uint64_t)w->n_targets, .chain = gg__xxh64(link, sizeof link, 0), .file_bytes = gg_out_tell(w->out) + sizeof e};
    memcpy(e.magic, gg__nag_footer_magic, 4);
    gg_status st = gg_out_write(w->out, &e, sizeof e);
    if (st == GG_OK)
        st = gg_out_patch(w->out, w->places_at, w->places, bytes);
    if (st == GG_OK) {
        st = gg_out_commit(w->out);
        w->out = NULL;
    }
    gg__partial_writer_close(w);
    return st;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------------ */
#define DAMAGED(r, ...) gg_fail((r)->ctx, GG_EFORMAT, __VA_ARGS__)

void gg__partial_reader_close(gg__partial_reader *r)
{
    if (!r)
        return;
    gg_in_close(r->in);
    gg_drop(r->ctx, r->path);
    gg_drop(r->ctx, r->s.pieces);
    gg_drop(r->ctx, r->places);
    gg_drop(r->ctx, r->body);
    gg_drop(r->ctx, r->last);
    gg_drop(r->ctx, r);
}

static gg_status read_head(uint64_t *chain, gg__partial_reader *r)
{
    json_t *j = NULL;
    GG_TRY(gg__nag_head_read(&j, &r->at, chain, r->ctx, r->in, r->path, &kind));
    const char *wrong = summary_from_json(&r->s, r->ctx, j);
    json_decref(j);
    return wrong ? DAMAGED(r, "%s: byte %d: %s", r->path, HEAD_BYTES, wrong) : GG_OK;
}

/* The heads of all blocks, so that a cut or patched file is found before anything of it is used. Their bodies are checked when they are read. */
static gg_status check_chain(gg__partial_reader *r, uint64_t chain /* of the head */)
{
    const uint64_t places_at = r->at, bytes = sizeof(gg__partial_place) * (uint64_t)r->s.n_targets;
    gg__nag_block_head h;
    gg__nag_footer e;
    if (r->size - places_at < bytes + sizeof e)
        return DAMAGED(r, "%s: cut at byte %llu; make it again", r->path, (unsigned long long)r->size);
    if (!(r->places = gg_new(r->ctx, gg__partial_place, r->s.n_targets)))
        return GG_ENOMEM;
    GG_TRY(gg_in_read_at(r->in, r->places, bytes, places_at));
    uint64_t at = places_at + bytes;
    for (;;) {
        if (r->size - at < sizeof h)
            return DAMAGED(r, "%s: cut at byte %llu: neither a block nor the footer follows; make it again", r->path, (unsigned long long)r->size);
        GG_TRY(gg_in_read_at(r->in, &h, sizeof h, at));
        if (memcmp(h.magic, gg__nag_footer_magic, 4) == 0)
            break;
        if (memcmp(h.magic, gg__nag_block_magic, 4) != 0 || h.body_bytes > r->size - at - sizeof h)
            return DAMAGED(r, "%s: byte %llu: no block of this file can begin like that", r->path, (unsigned long long)at);
        const uint64_t link[2] = {chain, h.checksum};
        chain = gg__xxh64(link, sizeof link, 0);
        at += sizeof h + h.body_bytes;
    }
    memcpy(&e, &h, sizeof e);
    const uint64_t link[2] = {chain, gg__xxh64(r->places, bytes, 0)};
    if (e.chain != gg__xxh64(link, sizeof link, 0) || e.file_bytes != r->size || at + sizeof e != r->size || e.n_documents != (uint64_t)r->s.n_targets)
        return DAMAGED(r, "%s: byte %llu: the footer does not agree with what is before it; make it again", r->path, (unsigned long long)at);
    return GG_OK;
}

gg_status gg__partial_reader_open(gg__partial_reader **out, gg_context *ctx, const char *path)
{
    gg__partial_reader *r = gg_new(ctx, gg__partial_reader, 1);
    if (!r)
        return GG_ENOMEM;
    *out = r;
    r->ctx = ctx;
    if (!(r->path = gg_strdup(ctx, path)))
        return GG_ENOMEM;
    GG_TRY(gg_in_open(&r->in, ctx, path));
    r->size = (uint64_t)gg_in_size(r->in);
    uint64_t chain;
    GG_TRY(read_head(&chain, r));
    return check_chain(r, chain);
}

static gg_status read_block(gg__partial_reader *r, gg__nag_block_head *h, uint64_t most)
{
    if (r->size - r->at < sizeof *h)
        return DAMAGED(r, "%s: byte %llu: a block is missing", r->path, (unsigned long long)r->at);
    GG_TRY(gg_in_read_at(r->in, h, sizeof *h, r->at));
    if (memcmp(h->magic, gg__nag_block_magic, 4) != 0 || h->n > most || h->body_bytes > r->size - r->at - sizeof *h)
        return DAMAGED(r, "%s: byte %llu: not the block that is expected there", r->path, (unsigned long long)r->at);
    if (r->cap < h->body_bytes) {
        gg_drop(r->ctx, r->body);
        r->cap = 0;
        if (!(r->body = gg_alloc(r->ctx, h->body_bytes)))
            return GG_ENOMEM;
        r->cap = h->body_bytes;
    }
    GG_TRY(gg_in_read_at(r->in, r->body, h->body_bytes, r->at + sizeof *h));
    if (gg__xxh64(r->body, h->body_bytes, 0) != h->checksum)
        return DAMAGED(r, "%s: byte %llu: the block's checksum does not agree with its bytes; make it again", r->path, (unsigned long long)r->at);
    r->at += sizeof *h + h->body_bytes;
    return GG_OK;
}

static gg_status read_rows(gg__partial_reader *r)
{
    gg__nag_block_head h;
    const uint64_t at = r->at;
    GG_TRY(read_block(r, &h, BLOCK_ROWS));
    const uint64_t n = h.n, ends = gg__nag_pad8(n * 4);
    if (h.docid_bytes > h.body_bytes || n * 16 + ends + h.docid_bytes != h.body_bytes)
        return DAMAGED(r, "%s: byte %llu: a block of %u rows in %llu bytes cannot be", r->path, (unsigned long long)at, h.n, (unsigned long long)h.body_bytes);
    r->n = (int64_t)n;
    r->i = 0;
    r->score = (const double *)r->body;
    r->tokens = (const int64_t *)(r->body + n * 8);
    r->end = (const uint32_t *)(r->body + n * 16);
    r->docids = (const char *)(r->body + n * 16 + ends);
    for (uint64_t i = 0; i < n; i++) {
        const uint32_t from = i ? r->end[i - 1] : 0;
        if (r->end[i] <= from || r->end[i] > h.docid_bytes || r->docids[r->end[i] - 1] != '\0' || r->tokens[i] < 0 || !isfinite(r->score[i]))
            return DAMAGED(r, "%s: byte %llu: row %llu of the block has no proper docid, score or token count", r->path, (unsigned long long)at,
                           (unsigned long long)i);
    }
    return GG_OK;
}

static gg_nag_row row_of(const gg__partial_reader *r, int64_t i)
{
    return (gg_nag_row){.docid = r->docids + (i ? r->end[i - 1] : 0), .distance = r->score[i], .score = r->score[i], .quality = NAN, .token_num = r->tokens[i],
                        .label = -1};
}

/* The next row of the target into r->row; has_row false after the last. Rows that do not rise are damage. */
gg_status gg__partial_next_row(gg__partial_reader *r)
{
    if (r->has_row) {
        const size_t n = strlen(r->row.docid) + 1;
        if (r->last_cap < n) {
            gg_drop(r->ctx, r->last);
            r->last_cap = 0;
            if (!(r->last = gg_alloc(r->ctx, 2 * n)))
                return GG_ENOMEM;
            r->last_cap = 2 * n;
        }
        memcpy(r->last, r->row.docid, n);
        r->row.docid = r->last;
    }
    while (r->i == r->n && r->left > 0) {
        GG_TRY(read_rows(r));
        if (r->n == 0 || r->n > r->left)
            return DAMAGED(r, "%s: byte %llu: rows are missing, or there are too many", r->path, (unsigned long long)r->at);
        r->left -= r->n;
    }
    if (r->i == r->n) {
        r->has_row = false;
        return GG_OK;
    }
    const gg_nag_row row = row_of(r, r->i++);
    if (r->has_row && !gg__nag_before(&r->row, &row))
        return DAMAGED(r, "%s: row \"%s\" is out of order", r->path, row.docid);
    r->row = row;
    r->has_row = true;
    return GG_OK;
}

/* The docid and score of the last row of the target: where a file that dropped rows ends. It is in the last block, found by the heads. */
gg_status gg__partial_last_row(gg_nag_row *out, gg__partial_reader *r)
{
    gg__nag_block_head h;
    int64_t left = r->left;
    uint64_t at = r->at;
    while (left > 0) {
        if (r->size - at < sizeof h)
            return DAMAGED(r, "%s: byte %llu: a block is missing", r->path, (unsigned long long)at);
        GG_TRY(gg_in_read_at(r->in, &h, sizeof h, at));
        if (h.n == 0 || h.n > left || h.body_bytes > r->size - at - sizeof h)
            return DAMAGED(r, "%s: byte %llu: rows are missing, or there are too many", r->path, (unsigned long long)at);
        left -= h.n;
        if (left == 0)
            break;
        at += sizeof h + h.body_bytes;
    }
    GG__NAG_SWAP(uint64_t, at, r->at);
    GG_TRY(read_rows(r));
    *out = row_of(r, r->n - 1);
    r->at = at;
    r->n = r->i = 0;
    return GG_OK;
}

gg_status gg__partial_begin(gg__partial_reader *r, int t, gg__nag_sketch *sketch, gg__nag_front *near, gg__nag_front *far)
{
    const gg__partial_place *p = &r->places[t];
    gg__nag_block_head h;
    if (p->at > r->size || p->n_rows > r->size || p->ends > ENDS_WITH_SCORE || isnan(p->up_to) || (p->ends == ENDS_WITH_ROW && p->n_rows == 0))
        return DAMAGED(r, "%s: target %d has no place in the file", r->path, t + 1);
    r->at = p->at;
    GG_TRY(read_block(r, &h, GG__NAG_CELLS));
    if (h.body_bytes != h.n * sizeof(gg__partial_cell) || h.docid_bytes != 0 || h.n != p->n_cells)
        return DAMAGED(r, "%s: the sketch of target %d has another size than it should", r->path, t + 1);
    for (uint32_t k = 0; k < h.n; k++) {
        const gg__partial_cell *c = (const gg__partial_cell *)r->body + k;
        if (c->cell >= GG__NAG_CELLS || c->n < 0 || c->n > r->s.n || c->tokens < 0 || c->tokens > r->s.n_tokens)
            return DAMAGED(r, "%s: the sketch of target %d holds what it cannot", r->path, t + 1);
        sketch->n[c->cell] += c->n;
        sketch->tokens[c->cell] += c->tokens;
    }
    for (int end = 0; end < 2; end++) {
        GG_TRY(read_rows(r));
        for (int64_t k = 0; k < r->n; k++) {
            const gg_nag_row row = row_of(r, k);
            GG_TRY(gg__nag_front_add(end ? far : near, &row, 1));
        }
    }
    r->n = r->i = 0;
    r->left = (int64_t)p->n_rows;
    r->has_row = false;
    return GG_OK;
}
