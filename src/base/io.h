/* The door between golgi and the system's files: the calls of file.c and input.c pass here, so that a test can make any one of them fail,
 * be interrupted or come back short, as the allocator hook does for memory. Without a hook a call costs one look at the context. */
#ifndef GG_BASE_IO_H
#define GG_BASE_IO_H
#include <golgi/base.h>
#include <sys/stat.h>
#include <sys/types.h>

typedef enum gg_io_call {
    GG_IO_OPEN,
    GG_IO_LOOK,   /* fstat */
    GG_IO_READ,
    GG_IO_MAP,
    GG_IO_WRITE,
    GG_IO_SYNC,
    GG_IO_CLOSE,  /* of what was written: the call that may report a full disk */
    GG_IO_RENAME,
    GG_IO_REMOVE,
    GG_IO_FOLDER, /* mkdir, opendir, readdir */
    GG_IO_CALLS
} gg_io_call;

/* Asked before each call, from any thread. 0: the call is made. Else it is not made and fails with this errno (a file is closed all the
 * same). *n: the bytes that a read or a write asks for, which the hook may make less; 0 for other calls. */
typedef struct gg_io_hook {
    int (*before)(void *user, gg_io_call call, size_t *n);
    void *user;
} gg_io_hook;
void gg__io_set(gg_context *ctx, gg_io_hook hook); /* {0}: none */

/* As the calls of the same names: -1 (NULL, MAP_FAILED) and errno. Interrupted opens and mkdirs are tried again. */
int gg__io_open(gg_context *ctx, const char *path, int flags, mode_t mode);
int gg__io_fstat(gg_context *ctx, int fd, struct stat *st);
ssize_t gg__io_read(gg_context *ctx, int fd, void *to, size_t n);
ssize_t gg__io_read_at(gg_context *ctx, int fd, void *to, size_t n, uint64_t offset);
void *gg__io_map(gg_context *ctx, int fd, size_t n); /* fd -1: memory of its own, else the file, to be read */
ssize_t gg__io_write(gg_context *ctx, int fd, const void *from, size_t n, int64_t offset /* < 0: where the file stands */);
int gg__io_fsync(gg_context *ctx, int fd);
int gg__io_close(gg_context *ctx, int fd);
int gg__io_rename(gg_context *ctx, const char *from, const char *to);
int gg__io_mkdir(gg_context *ctx, const char *path);
int gg__io_remove(gg_context *ctx, const char *path);
/* Asks the hook on behalf of a call that is made elsewhere; 0, or -1 and errno. */
int gg__io_ask(gg_context *ctx, gg_io_call call);

/* "PATH: cannot DOING: reason. What to do." Returns the status that belongs to the errno: GG_ENOENT, GG_ENOMEM, GG_EIO. doing: "open it". */
gg_status gg__io_fail(gg_context *ctx, int error, const char *doing, const char *path);
/* The folder that `path` stands in, without its last slash ("." for a bare name). In the context's memory; NULL: there is none left. */
char *gg__io_folder_of(gg_context *ctx, const char *path);
#endif
