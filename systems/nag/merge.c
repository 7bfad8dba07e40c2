/* Several selections as one corpus: the paper's equal-budget mixture. Each target chooses its share on its own, then the rows follow
 * one another in the order of the files. A document that two targets chose comes twice (its weight in training), unless deduplicated:
 * then its first row stays.
 */
#include "systems/nag/nag_internal.h"

gg_status gg_nag_merge(gg_nag_merge_result *out, gg_context *ctx, const char *path, const char *const *inputs, int n_inputs, bool deduplicate)
{
    *out = (gg_nag_merge_result){0};
    if (n_inputs < 1)
        return gg_fail(ctx, GG_EINVAL, "merge needs at least one selection");
    gg__docids ids = {.ctx = ctx};
    gg_arena arena = {.ctx = ctx};
    gg_rows_writer *w = NULL;
    gg_status st = gg_rows_writer_open(&w, ctx, path);
    for (int p = 0; p < n_inputs && st == GG_OK; p++) {
        gg_rows *in = NULL;
        json_t *row;
        if ((st = gg_rows_open(&in, ctx, inputs[p])) != GG_OK)
            break;
        while (st == GG_OK && (st = gg_rows_next(in, &row)) == GG_OK) {
            char number[32];
            bool keep = true;
            if (deduplicate) {
                const char *docid = gg__nag_docid(row, number);
                char *copy = docid ? gg_arena_strndup(&arena, docid, strlen(docid)) : NULL;
                int64_t found = -1;
                st = !docid ? gg_fail(ctx, GG_EFORMAT, "%s:%lld: no docid", inputs[p], (long long)gg_rows_line(in))
                     : copy ? gg__docids_add(&ids, copy, &found) : GG_ENOMEM;
                keep = found < 0;
            }
            if (st == GG_OK && keep)
                st = gg_rows_writer_add(w, row);
            out->n_rows += keep;
            out->n_duplicates += !keep;
            json_decref(row);
            if (st == GG_OK && gg_context_stopped(ctx))
                st = gg_fail(ctx, GG_EINTR, "stopped; nothing was written");
        }
        st = st == GG_END ? GG_OK : st;
        gg_rows_close(in);
    }
    gg__docids_free(&ids);
    gg_arena_free(&arena);
    if (st != GG_OK) {
        if (w)
            gg_rows_writer_discard(w);
        return st;
    }
    return gg_rows_writer_commit(w);
}
