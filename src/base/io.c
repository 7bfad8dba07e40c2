/* The door to the system's files: each call asks the context's hook first. Owns also the words for what went wrong. Trap: a close that is said to fail has
 * closed all the same, as Linux does it, or a test of failures would run out of descriptors. */
#include "base/io.h"
#include "base/context.h"
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void gg__io_set(gg_context *ctx, gg_io_hook hook)
{
    ctx->io = hook;
}

/* True: go on, with *n bytes. */
static bool allowed(gg_context *ctx, gg_io_call call, size_t *n)
{
    const int error = ctx->io.before ? ctx->io.before(ctx->io.user, call, n) : 0;
    if (error)
        errno = error;
    return error == 0;
}

int gg__io_ask(gg_context *ctx, gg_io_call call)
{
    return allowed(ctx, call, &(size_t){0}) ? 0 : -1;
}

int gg__io_open(gg_context *ctx, const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = gg__io_ask(ctx, GG_IO_OPEN) == 0 ? open(path, flags | O_CLOEXEC, mode) : -1;
    while (fd < 0 && errno == EINTR);
    return fd;
}

int gg__io_fstat(gg_context *ctx, int fd, struct stat *st)
{
    return gg__io_ask(ctx, GG_IO_LOOK) == 0 ? fstat(fd, st) : -1;
}

ssize_t gg__io_read(gg_context *ctx, int fd, void *to, size_t n)
{
    return allowed(ctx, GG_IO_READ, &n) ? read(fd, to, n) : -1;
}

ssize_t gg__io_read_at(gg_context *ctx, int fd, void *to, size_t n, uint64_t offset)
{
    return allowed(ctx, GG_IO_READ, &n) ? pread(fd, to, n, (off_t)offset) : -1;
}

void *gg__io_map(gg_context *ctx, int fd, size_t n)
{
    if (gg__io_ask(ctx, GG_IO_MAP) != 0)
        return MAP_FAILED;
    return fd < 0 ? mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
}

ssize_t gg__io_write(gg_context *ctx, int fd, const void *from, size_t n, int64_t offset)
{
    if (!allowed(ctx, GG_IO_WRITE, &n))
        return -1;
    return offset < 0 ? write(fd, from, n) : pwrite(fd, from, n, (off_t)offset);
}

int gg__io_fsync(gg_context *ctx, int fd)
{
    return gg__io_ask(ctx, GG_IO_SYNC) == 0 ? fsync(fd) : -1;
}

int gg__io_close(gg_context *ctx, int fd)
{
    const int asked = gg__io_ask(ctx, GG_IO_CLOSE), error = errno;
    const int closed = close(fd);
    if (asked != 0)
        errno = error;
    return asked != 0 ? asked : closed;
}

int gg__io_rename(gg_context *ctx, const char *from, const char *to)
{
    return gg__io_ask(ctx, GG_IO_RENAME) == 0 ? rename(from, to) : -1;
}

int gg__io_mkdir(gg_context *ctx, const char *path)
{
    int made;
    do
        made = gg__io_ask(ctx, GG_IO_FOLDER) == 0 ? mkdir(path, 0777) : -1;
    while (made != 0 && errno == EINTR);
    return made;
}

int gg__io_remove(gg_context *ctx, const char *path)
{
    return gg__io_ask(ctx, GG_IO_REMOVE) == 0 ? remove(path) : -1;
}

/* ---- what went wrong, in words that help ---- */

char *gg__io_folder_of(gg_context *ctx, const char *path)
{
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n ? gg_strndup(ctx, path, n) : gg_strdup(ctx, ".");
}

static const char *advice(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return ". Check its permissions (ls -l) or name another place.";
    case ENOSPC:
    case EDQUOT:
        return ". Free some space or name another place.";
    case EFBIG:
        return ". Raise the limit of a file's size (ulimit -f) or name another place.";
    case EROFS:
        return ". Name a place on a file system that can be written.";
    case EMFILE:
    case ENFILE:
        return ". Raise the limit of open files (ulimit -n).";
    case EISDIR:
        return ". Name a file, not a folder.";
    case ENAMETOOLONG:
        return ". Choose a shorter name.";
    default:
        return "";
    }
}

gg_status gg__io_fail(gg_context *ctx, int error, const char *doing, const char *path)
{
    char reason[128];
    const gg_status s = error == ENOENT || error == ENOTDIR ? GG_ENOENT : error == ENOMEM ? GG_ENOMEM : GG_EIO;
    const char *text = strerror_r(error, reason, sizeof reason);
    if (s == GG_ENOENT) {
        char *folder = gg__io_folder_of(ctx, path);
        if (!folder)
            return GG_ENOMEM;
        if (gg_file_is_folder(folder))
            gg_fail(ctx, s, "%s: cannot %s: %s. The folder %s is there; check the name.", path, doing, text, folder);
        else
            gg_fail(ctx, s, "%s: cannot %s: there is no folder %s%s", path, doing, folder,
                    strcmp(doing, "write it") == 0 ? ". Make it (mkdir -p) or name another." : "; check the name.");
        gg_drop(ctx, folder);
        return s;
    }
    return gg_fail(ctx, s, "%s: cannot %s: %s%s", path, doing, text, advice(error));
}
