/* Files: mapped for reading, written whole or not at all. The system's calls on them go through io.h. */
#ifndef GG_BASE_FILE_H
#define GG_BASE_FILE_H
#include <golgi/base.h>

/* A read-only mapping of a whole file. An empty file gives data = NULL, size = 0. */
typedef struct gg_map {
    const uint8_t *data;
    size_t size;
} gg_map;
gg_status gg_map_open(gg_map *out, gg_context *ctx, const char *path); /* GG_ENOENT, GG_EIO with path and reason */
void gg_map_close(gg_map *m);

bool gg_file_exists(const char *path);
bool gg_file_is_folder(const char *path);
bool gg_file_same(const char *a, const char *b); /* both are there, and are one file, whatever they are called */
bool gg_file_is_stream(const char *path); /* "-", a pipe or a device: written as it comes, and once */
gg_status gg_file_mkdirs(gg_context *ctx, const char *path);
/* A file, or a folder that is empty. What is not there is no failure. */
gg_status gg_file_remove(gg_context *ctx, const char *path);
/* Reads a whole small file (NUL-terminated copy); freed by gg_drop. */
gg_status gg_file_read(char **out, size_t *n, gg_context *ctx, const char *path);

/* A file that appears under its name only when committed: temporary beside it (of which the dead leave none behind for good), fsync, rename. "-" is standard
 * output (written as it comes, flushed on commit). Buffered. One gg_out is used by one thread. */
typedef struct gg_out gg_out;
gg_status gg_out_open(gg_out **out, gg_context *ctx, const char *path);
gg_status gg_out_write(gg_out *o, const void *data, size_t n);
gg_status gg_out_printf(gg_out *o, const char *format, ...) GG_PRINTF(2, 3);
gg_status gg_out_flush(gg_out *o);
gg_status gg_out_patch(gg_out *o, uint64_t offset, const void *data, size_t n); /* overwrites bytes written before; not on "-" */
uint64_t gg_out_tell(const gg_out *o);
gg_status gg_out_becomes(gg_out *o, const char *path); /* another name in the same folder, when the right one is known only now; not of "-" */
const char *gg_out_temporary(const gg_out *o);  /* path of the temporary, for programs that write it themselves */
gg_status gg_out_commit(gg_out *o); /* frees o whatever comes back */
void gg_out_discard(gg_out *o);     /* removes the temporary, frees o; NULL is fine */

/* A whole file from memory. */
gg_status gg_file_write(gg_context *ctx, const char *path, const void *data, size_t n);

/* SHA-256 (libcrypto). hex: 64 digits and NUL. */
typedef struct gg_hash gg_hash;
gg_status gg_hash_create(gg_hash **out, gg_context *ctx);
void gg_hash_add(gg_hash *h, const void *data, size_t n);
void gg_hash_finish(gg_hash *h, char hex[65]); /* frees h */
#endif
