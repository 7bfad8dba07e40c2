/* Files: mapped for reading, written whole or not at all; SHA-256. Every system call of golgi on a file is in this source, so that
 * a test can make any of them fail.
 *
 * A file is written to ".NAME.PID-N.tmp" in the folder it will stand in (rename does not cross file systems), then
 *     flush, fsync(file), close, rename, fsync(folder)
 * so that after a crash there is the old file or the new one. A device, a pipe or "-" cannot be replaced and is written as it comes.
 * Traps: write() may take a part or be interrupted; close() may be the call that reports a full disk.
 */
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what went wrong, in words that help ---- */

/* The folder that `path` stands in, without its last slash ("." for a bare name). In the context's memory. */
static char *folder_of(gg_context *ctx, const char *path)
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

static gg_status fail_errno(gg_context *ctx, int error, const char *doing, const char *path)
{
    char reason[128];
    const gg_status s = error == ENOENT || error == ENOTDIR ? GG_ENOENT : error == ENOMEM ? GG_ENOMEM : GG_EIO;
    const char *text = strerror_r(error, reason, sizeof reason);
    if (s == GG_ENOENT) {
        char *folder = folder_of(ctx, path);
        if (!folder)
            return GG_ENOMEM;
        if (gg_file_is_folder(folder))
            gg_fail(ctx, s, "%s: cannot %s it: %s. The folder %s is there; check the name.", path, doing, text, folder);
        else
            gg_fail(ctx, s, "%s: cannot %s it: there is no folder %s. Make it (mkdir -p) or name another.", path, doing, folder);
        gg_drop(ctx, folder);
        return s;
    }
    return gg_fail(ctx, s, "%s: cannot %s it: %s%s", path, doing, text, advice(error));
}

/* ---- system calls that are tried again ---- */

static int open_again(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t read_again(int fd, void *to, size_t n)
{
    ssize_t got;
    do
        got = read(fd, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* All n bytes, at offset (or where the file stands, offset < 0). 0, or errno. */
static int write_all(int fd, const void *data, size_t n, int64_t offset)
{
    const char *at = data;
    while (n > 0) {
        const size_t part = n < ((size_t)1 << 30) ? n : (size_t)1 << 30;
        const ssize_t put = offset < 0 ? write(fd, at, part) : pwrite(fd, at, part, (off_t)offset);
        if (put < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        if (put == 0)
            return ENOSPC;
        at += put;
        n -= (size_t)put;
        if (offset >= 0)
            offset += put;
    }
    return 0;
}

/* Some file systems cannot sync a folder or a device; that is no failure of ours. */
static int sync_again(int fd)
{
    int r;
    do
        r = fsync(fd);
    while (r != 0 && errno == EINTR);
    return r == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

/* ---- reading ---- */

/* Bytes of a pipe or device, which cannot be mapped: read into anonymous pages. */
static gg_status map_stream(gg_map *out, gg_context *ctx, const char *path, int fd)
{
    size_t cap = 1 << 20, n = 0;
    uint8_t *data = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return fail_errno(ctx, errno, "read", path);
    for (;;) {
        if (n == cap) {
            void *more = mremap(data, cap, 2 * cap, MREMAP_MAYMOVE);
            if (more == MAP_FAILED) {
                const int error = errno;
                munmap(data, cap);
                return fail_errno(ctx, error, "read", path);
            }
            data = more;
            cap *= 2;
        }
        const ssize_t got = read_again(fd, data + n, cap - n);
        if (got < 0) {
            const int error = errno;
            munmap(data, cap);
            return fail_errno(ctx, error, "read", path);
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), keep = (n + page - 1) / page * page;
    if (keep < cap)
        munmap(data + keep, cap - keep); /* so that gg_map_close, which knows n only, gives everything back */
    *out = n ? (gg_map){data, n} : (gg_map){NULL, 0};
    return GG_OK;
}

gg_status gg_map_open(gg_map *out, gg_context *ctx, const char *path)
{
    *out = (gg_map){NULL, 0};
    const int fd = open_again(path, O_RDONLY, 0);
    if (fd < 0)
        return fail_errno(ctx, errno, "open", path);
    gg_status s = GG_OK;
    struct stat st;
    if (fstat(fd, &st) != 0)
        s = fail_errno(ctx, errno, "look at", path);
    else if (S_ISDIR(st.st_mode))
        s = fail_errno(ctx, EISDIR, "read", path);
    else if (!S_ISREG(st.st_mode) || st.st_size == 0) /* files of /proc say 0 and have bytes */
        s = map_stream(out, ctx, path, fd);
    else {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            s = fail_errno(ctx, errno, "map", path);
        else
            *out = (gg_map){data, (size_t)st.st_size};
    }
    close(fd);
    return s;
}

void gg_map_close(gg_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (gg_map){NULL, 0};
}

bool gg_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool gg_file_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

gg_status gg_file_remove(gg_context *ctx, const char *path)
{
    if (remove(path) != 0 && errno != ENOENT)
        return fail_errno(ctx, errno, "remove", path);
    return GG_OK;
}

gg_status gg_file_mkdirs(gg_context *ctx, const char *path)
{
    char *p = gg_strdup(ctx, path);
    if (!p)
        return GG_ENOMEM;
    gg_status s = GG_OK;
    for (size_t i = 1; s == GG_OK && *path; i++) {
        if (p[i - 1] == 0)
            break;
        if (p[i] != '/' && p[i] != 0)
            continue;
        const char kept = p[i];
        p[i] = 0;
        if (mkdir(p, 0777) != 0 && !gg_file_is_folder(p)) {
            const int error = errno;
            if (error == EEXIST || error == ENOTDIR)
                s = gg_fail(ctx, GG_EIO, "%s: cannot make the folder: %s is a file. Name another folder, or move that file away.", path, p);
            else
                s = fail_errno(ctx, error, "make the folder", p);
        }
        p[i] = kept;
    }
    gg_drop(ctx, p);
    return s;
}

gg_status gg_file_read(char **out, size_t *n, gg_context *ctx, const char *path)
{
    *out = NULL;
    if (n)
        *n = 0;
    gg_map m;
    GG_TRY(gg_map_open(&m, ctx, path));
    char *text = gg_strndup(ctx, (const char *)m.data, m.size);
    if (text && n)
        *n = m.size;
    gg_map_close(&m);
    *out = text;
    return text ? GG_OK : GG_ENOMEM;
}

/* ---- writing ---- */

enum { OUT_BUFFER = 1 << 18 };

struct gg_out {
    gg_context *ctx;
    char *path;      /* as the caller named it, for messages */
    char *final;     /* what is renamed to: path with links followed; NULL: written as it comes */
    char *temporary; /* NULL: written as it comes */
    char *folder;    /* of both */
    int fd;
    gg_status failed; /* the first failure; later calls give it again */
    uint64_t flushed; /* bytes that went to fd */
    size_t n;         /* bytes in the buffer */
    char *buffer;     /* (OUT_BUFFER,) */
};

static void out_free(gg_out *o)
{
    gg_context *ctx = o->ctx;
    gg_drop(ctx, o->path);
    gg_drop(ctx, o->final);
    gg_drop(ctx, o->temporary);
    gg_drop(ctx, o->folder);
    gg_drop(ctx, o->buffer);
    gg_drop(ctx, o);
}

/* Opens a temporary beside o->final under a name that nobody has. */
static gg_status open_temporary(gg_out *o)
{
    const char *slash = strrchr(o->final, '/'), *name = slash ? slash + 1 : o->final;
    o->folder = folder_of(o->ctx, o->final); /* now, so that a commit needs no memory */
    if (!o->folder)
        return GG_ENOMEM;
    for (int i = 0; i < 1000; i++) {
        gg_str s = {.ctx = o->ctx};
        gg_str_add(&s, o->final, (size_t)(name - o->final));
        gg_str_printf(&s, ".%.200s.%ld-%d.tmp", name, (long)getpid(), i);
        if (s.failed) {
            gg_str_free(&s);
            return GG_ENOMEM;
        }
        o->fd = open_again(s.data, O_RDWR | O_CREAT | O_EXCL, 0666);
        if (o->fd >= 0) {
            o->temporary = s.data;
            return GG_OK;
        }
        const int error = errno;
        gg_str_free(&s);
        if (error != EEXIST)
            return fail_errno(o->ctx, error, "write", o->path);
    }
    return gg_fail(o->ctx, GG_EIO, "%s: a thousand unfinished files (.*.tmp) of this name stand beside it. Remove them.", o->path);
}

static gg_status open_target(gg_out *o)
{
    if (strcmp(o->path, "-") == 0) {
        o->fd = STDOUT_FILENO;
        return GG_OK;
    }
    if (!*o->path)
        return gg_fail(o->ctx, GG_EINVAL, "the name of the output file is empty");
    struct stat st;
    if (stat(o->path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return fail_errno(o->ctx, EISDIR, "write", o->path);
        if (!S_ISREG(st.st_mode)) {
            o->fd = open_again(o->path, O_WRONLY, 0);
            return o->fd < 0 ? fail_errno(o->ctx, errno, "write", o->path) : GG_OK;
        }
        char *real = realpath(o->path, NULL); /* the file a link points to is replaced, not the link */
        o->final = real ? gg_strdup(o->ctx, real) : gg_strdup(o->ctx, o->path);
        free(real);
        if (o->final && access(o->final, W_OK) != 0) /* rename would replace a file that its owner has protected */
            return fail_errno(o->ctx, errno, "write", o->path);
    } else
        o->final = gg_strdup(o->ctx, o->path);
    return o->final ? open_temporary(o) : GG_ENOMEM;
}

gg_status gg_out_open(gg_out **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    gg_out *o = gg_new(ctx, gg_out, 1);
    if (!o)
        return GG_ENOMEM;
    *o = (gg_out){.ctx = ctx, .fd = -1};
    o->path = gg_strdup(ctx, path);
    o->buffer = gg_new(ctx, char, OUT_BUFFER);
    const gg_status s = o->path && o->buffer ? open_target(o) : GG_ENOMEM;
    if (s != GG_OK) {
        out_free(o);
        return s;
    }
    *out = o;
    return GG_OK;
}

static const char *out_name(const gg_out *o)
{
    return o->fd == STDOUT_FILENO && !o->temporary ? "standard output" : o->path;
}

static gg_status put(gg_out *o, const void *data, size_t n)
{
    const int error = write_all(o->fd, data, n, -1);
    if (error)
        return o->failed = fail_errno(o->ctx, error, "write", out_name(o));
    o->flushed += n;
    return GG_OK;
}

gg_status gg_out_flush(gg_out *o)
{
    if (o->failed)
        return o->failed;
    GG_TRY(put(o, o->buffer, o->n));
    o->n = 0;
    return GG_OK;
}

gg_status gg_out_write(gg_out *o, const void *data, size_t n)
{
    if (o->failed)
        return o->failed;
    if (n > OUT_BUFFER - o->n)
        GG_TRY(gg_out_flush(o));
    if (n >= OUT_BUFFER)
        return put(o, data, n);
    if (n)
        memcpy(o->buffer + o->n, data, n);
    o->n += n;
    return GG_OK;
}

gg_status gg_out_printf(gg_out *o, const char *format, ...)
{
    if (o->failed)
        return o->failed;
    for (int round = 0; round < 2; round++) {
        va_list ap;
        va_start(ap, format);
        const int n = vsnprintf(o->buffer + o->n, OUT_BUFFER - o->n, format, ap);
        va_end(ap);
        if (n < 0)
            return o->failed = gg_fail(o->ctx, GG_EINVAL, "%s: a text could not be formatted", out_name(o));
        if ((size_t)n < OUT_BUFFER - o->n) {
            o->n += (size_t)n;
            return GG_OK;
        }
        GG_TRY(gg_out_flush(o));
    }
    va_list ap; /* longer than the whole buffer */
    va_start(ap, format);
    const int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *text = gg_alloc(o->ctx, (size_t)n + 1);
    if (!text)
        return o->failed = GG_ENOMEM;
    va_start(ap, format);
    vsnprintf(text, (size_t)n + 1, format, ap);
    va_end(ap);
    const gg_status st = gg_out_write(o, text, (size_t)n);
    gg_drop(o->ctx, text);
    return st;
}

gg_status gg_out_patch(gg_out *o, uint64_t offset, const void *data, size_t n)
{
    if (o->failed)
        return o->failed;
    if (!o->temporary)
        return gg_fail(o->ctx, GG_EUNSUPPORTED, "%s: this format goes back to its head and needs a file with a name", out_name(o));
    if (offset > gg_out_tell(o) || n > gg_out_tell(o) - offset)
        return gg_fail(o->ctx, GG_EINVAL, "%s: bytes %llu..%llu are not yet written", o->path, (unsigned long long)offset,
                       (unsigned long long)(offset + n));
    GG_TRY(gg_out_flush(o));
    const int error = write_all(o->fd, data, n, (int64_t)offset);
    return error ? (o->failed = fail_errno(o->ctx, error, "write", o->path)) : GG_OK;
}

uint64_t gg_out_tell(const gg_out *o)
{
    return o->flushed + o->n;
}

const char *gg_out_temporary(const gg_out *o)
{
    return o->temporary;
}

/* The rename is on the disk when the folder is. */
static int sync_folder(const char *folder)
{
    const int fd = open_again(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == EACCES ? 0 : errno; /* a folder that can be written and not read */
    const int error = sync_again(fd);
    close(fd);
    return error;
}

gg_status gg_out_commit(gg_out *o)
{
    gg_status s = gg_out_flush(o);
    if (!o->temporary) {
        if (o->fd != STDOUT_FILENO && close(o->fd) != 0 && errno != EINTR && s == GG_OK)
            s = fail_errno(o->ctx, errno, "write", o->path);
        out_free(o);
        return s;
    }
    int error = s == GG_OK ? sync_again(o->fd) : 0;
    if (close(o->fd) != 0 && errno != EINTR && !error)
        error = errno;
    o->fd = -1;
    if (s == GG_OK && !error && rename(o->temporary, o->final) != 0)
        error = errno;
    if (s == GG_OK && error)
        s = fail_errno(o->ctx, error, "write", o->path);
    if (s != GG_OK)
        unlink(o->temporary);
    else if ((error = sync_folder(o->folder)) != 0)
        s = fail_errno(o->ctx, error, "sync the folder of", o->path);
    out_free(o);
    return s;
}

void gg_out_discard(gg_out *o)
{
    if (!o)
        return;
    if (o->temporary)
        unlink(o->temporary);
    if (o->fd >= 0 && (o->temporary || o->fd != STDOUT_FILENO))
        close(o->fd);
    out_free(o);
}

gg_status gg_file_write(gg_context *ctx, const char *path, const void *data, size_t n)
{
    gg_out *o = NULL;
    GG_TRY(gg_out_open(&o, ctx, path));
    const gg_status s = gg_out_write(o, data, n);
    if (s != GG_OK) {
        gg_out_discard(o);
        return s;
    }
    return gg_out_commit(o);
}

/* ---- SHA-256 ---- */

struct gg_hash {
    gg_context *ctx;
    EVP_MD_CTX *md;
    bool failed;
};

gg_status gg_hash_create(gg_hash **out, gg_context *ctx)
{
    *out = NULL;
    gg_hash *h = gg_new(ctx, gg_hash, 1);
    if (!h)
        return GG_ENOMEM;
    *h = (gg_hash){ctx, EVP_MD_CTX_new(), false};
    if (!h->md || EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(h->md);
        gg_drop(ctx, h);
        return gg_fail(ctx, GG_ENOMEM, "libcrypto gives no SHA-256 (out of memory, or switched off in openssl.cnf)");
    }
    *out = h;
    return GG_OK;
}

void gg_hash_add(gg_hash *h, const void *data, size_t n)
{
    if (n && EVP_DigestUpdate(h->md, data, n) != 1)
        h->failed = true;
}

/* A hash that failed gives a text that equals no hash. */
void gg_hash_finish(gg_hash *h, char hex[65])
{
    unsigned char bytes[EVP_MAX_MD_SIZE] = {0};
    unsigned int n = 0;
    if (h->failed || EVP_DigestFinal_ex(h->md, bytes, &n) != 1 || n != 32)
        snprintf(hex, 65, "%s", "failed");
    else
        for (int i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    EVP_MD_CTX_free(h->md);
    gg_drop(h->ctx, h);
}
