/* Files read in order, and folders listed. The reading twin of gg_out: for what is too large to map, and for pipes. */
#ifndef GG_BASE_INPUT_H
#define GG_BASE_INPUT_H
#include <golgi/base.h>

typedef struct gg_in gg_in;
/* "-" is standard input. GG_ENOENT, GG_EIO with path and reason; a folder is refused. */
gg_status gg_in_open(gg_in **out, gg_context *ctx, const char *path);
/* Bytes [from, to) of a file. GG_EFORMAT when it is shorter, now or while it is read. */
gg_status gg_in_open_range(gg_in **out, gg_context *ctx, const char *path, int64_t from, int64_t to);
/* Reads at most n bytes; *got = 0 only at the end. Short reads and interrupted calls are gone on with; GG_EINTR when the context was stopped. */
gg_status gg_in_read(gg_in *in, size_t *got, void *data, size_t n);
/* Exactly n bytes from `offset` of a regular file, leaving the place where gg_in_read reads as it is. Any thread. GG_EFORMAT when the file ends
 * before. */
gg_status gg_in_read_at(gg_in *in, void *data, size_t n, uint64_t offset);
/* Bytes of the whole file, or of the range; 0 for pipes, where nobody knows. */
int64_t gg_in_size(const gg_in *in);
/* False when a read would have to wait: a pipe whose other end has written nothing more, and not closed it. */
bool gg_in_ready(const gg_in *in);
void gg_in_close(gg_in *in); /* NULL is fine */

/* Bytes of a regular file, 0 for anything else. */
int64_t gg_file_size(const char *path);

/* The files below a folder whose names end with `ending`, whatever the depth, sorted by the bytes of their paths. Names that begin with a
 * dot are passed over, and links to folders are not followed, so that a ring of links ends. */
typedef struct gg_folder {
    int64_t n, cap;
    char **paths; /* (n,) below the folder, with '/' between the parts */
    int64_t bytes; /* of all files together */
} gg_folder;
gg_status gg_folder_list(gg_folder *out, gg_context *ctx, const char *path, const char *ending);
/* The files of the folder itself only. */
gg_status gg_folder_names(gg_folder *out, gg_context *ctx, const char *path);
/* The folders in it, by the bytes of their names; links to folders too. */
gg_status gg_folder_folders(gg_folder *out, gg_context *ctx, const char *path);
void gg_folder_free(gg_folder *f, gg_context *ctx);
#endif
