/* A large input cut into parts that can be worked on apart: files of rows and folders of them, cut by size.
 *
 *     gg_parts p = {0};
 *     gg_parts_cut(&p, ctx, paths, n_paths, 64 << 20);           // looks at sizes and footers, reads no rows
 *     gg_parts_assign(shard, &p, n_shards);                      // shard[i]: who does part i
 *     gg_part_settle(&rows, ctx, &p.at[i]);                      // moves both ends to where lines begin
 *     gg_documents_open(&d, ctx, &p.at[i].path, 1, &(gg_documents_options){.part = rows});
 *     gg_parts_free(&p, ctx);
 *
 * All parts in their order are the input in its order, each row once, whatever the size.
 */
#ifndef GG_IO_PARTS_H
#define GG_IO_PARTS_H
#include <golgi/rows.h>
#include "base/memory.h"

typedef struct gg_part {
    const char *path;
    gg_rows_part rows; /* as cut; to = 0: the whole file */
    int64_t bytes;     /* on the disk */
    int64_t weight;    /* bytes of text, about: what the work will be */
} gg_part;

typedef struct gg_parts {
    int64_t n, cap;
    gg_part *at;     /* (n,) in the order of the input */
    int64_t bytes;   /* of all */
    gg_arena names;
} gg_parts;

/* The files that paths mean, as parts that are whole: a folder stands for the files of rows below it, whatever the depth, sorted by the bytes of
 * their paths, without names that begin with '.' or '_'; plain .json files count where there are no others. A folder without files of
 * rows stays itself (a folder of .txt files). "-" stays. GG_ENOENT. */
gg_status gg_parts_list(gg_parts *out, gg_context *ctx, const char *const *paths, int n_paths);

/* The same, and files larger than `bytes` (> 0) cut: plain JSONL into equal parts of at most so many bytes, Parquet into runs of whole row groups of about so
 * many. Compressed JSONL, CSV and folders of texts are one part each, as nothing else can be known of them without reading them. GG_EUNSUPPORTED: "-". */
gg_status gg_parts_cut(gg_parts *out, gg_context *ctx, const char *const *paths, int n_paths, int64_t bytes);
void gg_parts_free(gg_parts *p, gg_context *ctx);

/* shard: (p->n,) in [0, n_shards): the heaviest part first, each to the shard that has least so far. Depends on the parts alone. GG_ENOMEM. */
gg_status gg_parts_assign(int32_t *shard, gg_context *ctx, const gg_parts *p, int32_t n_shards);

/* A part's exact rows: of JSONL, the lines that begin in [from, to). */
gg_status gg_part_settle(gg_rows_part *out, gg_context *ctx, const gg_part *part);

/* SHA-256 of all that decides a settled part's rows: its bytes, and Parquet's footer; of a folder of texts, names and bytes. GG_EINTR when the context was
 * stopped, or the work beside that this is part of is not wanted any more. */
gg_status gg_part_hash(char hex[65], gg_context *ctx, const char *path, gg_rows_part rows);
#endif
