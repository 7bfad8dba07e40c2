/* Files: mapped for reading, written whole or not at all; SHA-256. The system's calls go through io.c, where a test can make any of them
 * fail.
 *
 * A file is written to ".NAME.tmp" in the folder it will stand in (rename does not cross file systems), then
 *     flush, fsync(file), close, rename, fsync(folder)
 * so that after a crash there is the old file or the new one. A device, a pipe or "-" cannot be replaced and is written as it comes.
 * The writer holds a lock (flock) on its temporary, which ends with the process whatever kills it: a temporary without a lock was left by
 * the dead, and the next writer of that name takes it over, so that none is left for good. While one is held, others count up:
 * ".NAME.1.tmp". Where there are no locks (some network file systems), names carry the process: ".NAME.PID-N.tmp".
 * Traps: write() may take a part or be interrupted; close() may be the call that reports a full disk.
 */
#include "base/file.h"
#include "base/io.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- system calls that are tried again ---- */

static ssize_t read_again(gg_context *ctx, int fd, void *to, size_t n)
{
    ssize_t got;
    do
        got = gg__io_read(ctx, fd, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* All n bytes, at offset (or where the file stands, offset < 0). 0, or errno. */
static int write_all(gg_context *ctx, int fd, const void *data, size_t n, int64_t offset)
{
    const char *at = data;
    while (n > 0) {
        const size_t part = n < ((size_t)1 << 30) ? n : (size_t)1 << 30;
        const ssize_t put = gg__io_write(ctx, fd, at, part, offset);
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
static int sync_again(gg_context *ctx, int fd)
{
    int r;
    do
        r = gg__io_fsync(ctx, fd);
    while (r != 0 && errno == EINTR);
    return r == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
}

/* ---- reading ---- */

/* Bytes of a pipe or device, which cannot be mapped: read into anonymous pages. */
static gg_status map_stream(gg_map *out, gg_context *ctx, const char *path, int fd)
{
    size_t cap = 1 << 20, n = 0;
    uint8_t *data = gg__io_map(ctx, -1, cap);
    if (data == MAP_FAILED)
        return gg__io_fail(ctx, errno, "read it", path);
    for (;;) {
        if (n == cap) {
            void *more = mremap(data, cap, 2 * cap, MREMAP_MAYMOVE);
            if (more == MAP_FAILED) {
                const int error = errno;
                munmap(data, cap);
                return gg__io_fail(ctx, error, "read it", path);
            }
            data = more;
            cap *= 2;
        }
        const ssize_t got = read_again(ctx, fd, data + n, cap - n);
        if (got < 0) {
            const int error = errno;
            munmap(data, cap);
            return gg__io_fail(ctx, error, "read it", path);
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
    const int fd = gg__io_open(ctx, path, O_RDONLY, 0);
    if (fd < 0)
        return gg__io_fail(ctx, errno, "open it", path);
    gg_status s = GG_OK;
    struct stat st;
    if (gg__io_fstat(ctx, fd, &st) != 0)
        s = gg__io_fail(ctx, errno, "look at it", path);
    else if (S_ISDIR(st.st_mode))
        s = gg__io_fail(ctx, EISDIR, "read it", path);
    else if (!S_ISREG(st.st_mode) || st.st_size == 0) /* files of /proc say 0 and have bytes */
        s = map_stream(out, ctx, path, fd);
    else {
        void *data = gg__io_map(ctx, fd, (size_t)st.st_size);
        if (data == MAP_FAILED)
            s = gg__io_fail(ctx, errno, "map it", path);
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

bool gg_file_same(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool gg_file_is_stream(const char *path)
{
    struct stat st;
    return strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

gg_status gg_file_remove(gg_context *ctx, const char *path)
{
    if (gg__io_remove(ctx, path) != 0 && errno != ENOENT)
        return gg__io_fail(ctx, errno, "remove it", path);
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
        const int error = gg__io_mkdir(ctx, p) == 0 ? 0 : errno;
        if (error && !gg_file_is_folder(p)) {
            if (error == EEXIST || error == ENOTDIR)
                s = gg_fail(ctx, GG_EIO, "%s: cannot make the folder: %s is a file. Name another folder, or move that file away.", path, p);
            else
                s = gg__io_fail(ctx, error, "make the folder", p);
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

/* The i-th name for a temporary beside o->final; owned: that of this process alone. NULL: out of memory. */
static char *temporary_name(const gg_out *o, int i, bool owned)
{
    const char *slash = strrchr(o->final, '/'), *name = slash ? slash + 1 : o->final;
    gg_str s = {.ctx = o->ctx};
    gg_str_add(&s, o->final, (size_t)(name - o->final));
    gg_str_printf(&s, ".%.200s", name);
    if (owned)
        gg_str_printf(&s, ".%ld-%d", (long)getpid(), i);
    else if (i > 0)
        gg_str_printf(&s, ".%d", i);
    gg_str_puts(&s, ".tmp");
    if (s.failed)
        gg_str_free(&s);
    return s.data;
}

typedef enum grip { HELD, TAKEN, NO_LOCKS } grip;

/* Is the file behind fd ours to write? Its name may have gone to the final one between our open and our lock, and a file that someone else
 * put there in a shared folder is left alone. */
static grip grip_of(int fd, const char *path)
{
    struct stat here, named;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK || errno == EINTR ? TAKEN : NO_LOCKS;
    if (fstat(fd, &here) != 0 || lstat(path, &named) != 0 || here.st_ino != named.st_ino || here.st_dev != named.st_dev)
        return TAKEN;
    return S_ISREG(here.st_mode) && here.st_nlink == 1 && here.st_uid == geteuid() ? HELD : TAKEN;
}

/* Opens the i-th temporary: HELD and o->fd, or TAKEN. *error: what no other name would mend, else 0. */
static grip try_temporary(gg_out *o, int *error, const char *name, bool owned)
{
    struct stat st;
    *error = 0;
    o->fd = gg__io_open(o->ctx, name, O_RDWR | O_CREAT | O_NOFOLLOW | (owned ? O_EXCL : 0), 0666);
    if (o->fd < 0) { /* someone's file, folder or link of that name is no reason to give up */
        const int reason = errno;
        *error = reason == EEXIST || lstat(name, &st) == 0 ? 0 : reason;
        return TAKEN;
    }
    const grip g = owned ? HELD : grip_of(o->fd, name);
    if (g == HELD && ftruncate(o->fd, 0) == 0)
        return HELD;
    if (g == NO_LOCKS && fstat(o->fd, &st) == 0 && st.st_size == 0)
        unlink(name); /* made by this very open */
    close(o->fd);
    o->fd = -1;
    return g == NO_LOCKS ? NO_LOCKS : TAKEN;
}

/* Opens a temporary beside o->final that no living process has. */
static gg_status open_temporary(gg_out *o)
{
    o->folder = gg__io_folder_of(o->ctx, o->final); /* now, so that a commit needs no memory */
    if (!o->folder)
        return GG_ENOMEM;
    bool owned = false;
    for (int i = 0; i < 1000; i++) {
        int error;
        char *name = temporary_name(o, i, owned);
        if (!name)
            return GG_ENOMEM;
        const grip g = try_temporary(o, &error, name, owned);
        if (g == HELD) {
            o->temporary = name;
            return GG_OK;
        }
        gg_drop(o->ctx, name);
        if (error)
            return gg__io_fail(o->ctx, error, "write it", o->path);
        if (g == NO_LOCKS) {
            owned = true;
            i = -1;
        }
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
            return gg__io_fail(o->ctx, EISDIR, "write it", o->path);
        if (!S_ISREG(st.st_mode)) {
            o->fd = gg__io_open(o->ctx, o->path, O_WRONLY, 0);
            return o->fd < 0 ? gg__io_fail(o->ctx, errno, "write it", o->path) : GG_OK;
        }
        char *real = realpath(o->path, NULL); /* the file a link points to is replaced, not the link */
        o->final = real ? gg_strdup(o->ctx, real) : gg_strdup(o->ctx, o->path);
        free(real);
        if (o->final && access(o->final, W_OK) != 0) /* rename would replace a file that its owner has protected */
            return gg__io_fail(o->ctx, errno, "write it", o->path);
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
    const int error = write_all(o->ctx, o->fd, data, n, -1);
    if (error)
        return o->failed = gg__io_fail(o->ctx, error, "write it", out_name(o));
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
    const int error = write_all(o->ctx, o->fd, data, n, (int64_t)offset);
    return error ? (o->failed = gg__io_fail(o->ctx, error, "write it", o->path)) : GG_OK;
}

uint64_t gg_out_tell(const gg_out *o)
{
    return o->flushed + o->n;
}

gg_status gg_out_becomes(gg_out *o, const char *path)
{
    char *name = gg_strdup(o->ctx, path), *final = gg_strdup(o->ctx, path);
    if (!name || !final) {
        gg_drop(o->ctx, name);
        gg_drop(o->ctx, final);
        return o->failed = GG_ENOMEM;
    }
    gg_drop(o->ctx, o->path);
    gg_drop(o->ctx, o->final);
    o->path = name;
    o->final = final;
    return GG_OK;
}

const char *gg_out_temporary(const gg_out *o)
{
    return o->temporary;
}

/* The rename is on the disk when the folder is. */
static int sync_folder(gg_context *ctx, const char *folder)
{
    const int fd = gg__io_open(ctx, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == EACCES ? 0 : errno; /* a folder that can be written and not read */
    const int error = sync_again(ctx, fd);
    close(fd);
    return error;
}

gg_status gg_out_commit(gg_out *o)
{
    gg_status s = gg_out_flush(o);
    if (!o->temporary) {
        if (o->fd != STDOUT_FILENO && gg__io_close(o->ctx, o->fd) != 0 && errno != EINTR && s == GG_OK)
            s = gg__io_fail(o->ctx, errno, "write it", o->path);
        out_free(o);
        return s;
    }
    int error = s == GG_OK ? sync_again(o->ctx, o->fd) : 0;
    const int twin = dup(o->fd); /* closing it flushes as closing the file does, and keeps the lock until the name is given */
    if (twin >= 0 && gg__io_close(o->ctx, twin) != 0 && errno != EINTR && !error)
        error = errno;
    if (s == GG_OK && !error && gg__io_rename(o->ctx, o->temporary, o->final) != 0)
        error = errno;
    if (s == GG_OK && error)
        s = gg__io_fail(o->ctx, error, "write it", o->path);
    if (s != GG_OK)
        unlink(o->temporary);
    close(o->fd);
    if (s == GG_OK && (error = sync_folder(o->ctx, o->folder)) != 0)
        s = gg__io_fail(o->ctx, error, "make its name last in the folder", o->path);
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
