/* Locks beside outputs. Owns: PATH.lock and what it says, three lines: process, host, time (UTC).
 *
 * The right itself is flock(2) on that file: the kernel takes it back when its process ends, however that comes, and on NFS 4 and Lustre
 * (mounted with flock) it holds between hosts. So what the file says is for people; when the lock can be had, whoever it names is gone.
 * Where a file system knows no flock, the file itself is the lock: it is stale when its process was on this host and runs no more.
 * Trap: between opening the file and locking it its holder may remove it; the lock would be on a file without a name. So it is looked up
 * again after locking, and the holder removes it before letting go.
 */
#include "base/lock.h"
#include "base/io.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOLDER_BYTES = 512, ROUNDS = 100 };

struct gg_lock {
    gg_context *ctx;
    char *path;
    int fd;
};

typedef struct holder {
    long pid; /* 0: the file does not say */
    char host[128], since[40];
} holder;

static void host_name(char out[128])
{
    if (gethostname(out, 127) != 0)
        snprintf(out, 128, "unknown");
    out[127] = 0;
}

static bool is_running(long pid) { return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM); }

static holder read_holder(int fd)
{
    char text[HOLDER_BYTES];
    holder h = {0};
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "process %ld\nhost %127[^\n]\nsince %39[^\n]", &h.pid, h.host, h.since) != 3)
        h = (holder){0};
    return h;
}

static bool write_holder(int fd)
{
    char text[HOLDER_BYTES], host[128], since[40];
    const time_t now = time(NULL);
    struct tm utc;
    host_name(host);
    gmtime_r(&now, &utc);
    strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const int n = snprintf(text, sizeof text, "process %ld\nhost %s\nsince %s\n", (long)getpid(), host, since);
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

static gg_status busy(const gg_lock *l, const char *path, const holder *h, bool certain)
{
    if (!h->pid)
        return gg_fail(l->ctx, GG_EBUSY, "%s: another process is writing it (%s)", path, l->path);
    return gg_fail(l->ctx, GG_EBUSY, "%s: process %ld on %s is writing it, since %s%s%s%s", path, h->pid, h->host, h->since,
                   certain ? "" : ". If that process is gone, remove ", certain ? "" : l->path, certain ? "" : ".");
}

static gg_status again(gg_lock *l)
{
    close(l->fd);
    l->fd = -1;
    return GG_OK;
}

/* GG_OK: held, or (l->fd < 0) try again, unless this is the last round. */
static gg_status take_once(gg_lock *l, const char *path, bool last)
{
    bool made = true;
    l->fd = gg__io_open(l->ctx, l->path, O_RDWR | O_CREAT | O_EXCL, 0666);
    if (l->fd < 0 && errno == EEXIST) {
        made = false;
        l->fd = gg__io_open(l->ctx, l->path, O_RDWR, 0);
        if (l->fd < 0 && errno == ENOENT)
            return GG_OK; /* removed in between */
    }
    if (l->fd < 0) /* beside the output: that could not be made there either */
        return gg__io_fail(l->ctx, errno, "write it", path);
    int error;
    do
        error = flock(l->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    while (error == EINTR);
    const holder h = read_holder(l->fd);
    struct stat mine, there;
    if (error == EWOULDBLOCK) {
        if (h.pid || last)
            return busy(l, path, &h, true);
        usleep(10000); /* it is about to say who it is */
        return again(l);
    }
    if (error == 0) {
        if (fstat(l->fd, &mine) != 0 || stat(l->path, &there) != 0 || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
            return again(l);
    } else if (!made) { /* no flock here */
        char host[128];
        host_name(host);
        if (!h.pid || strcmp(h.host, host) != 0 || is_running(h.pid))
            return busy(l, path, &h, false);
        unlink(l->path);
        return again(l); /* the next round makes it anew; of two that come here together one does */
    }
    if (!made && h.pid)
        gg_log(l->ctx, GG_LOG_INFO, "%s: the lock of process %ld on %s (since %s), which is gone, was taken over", path, h.pid, h.host, h.since);
    if (!write_holder(l->fd)) {
        error = errno;
        unlink(l->path);
        return gg__io_fail(l->ctx, error, "lock the output", path);
    }
    return GG_OK;
}

gg_status gg_lock_take(gg_lock **out, gg_context *ctx, const char *path)
{
    struct stat st;
    *out = NULL;
    if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return GG_OK;
    gg_lock *l = gg_new(ctx, gg_lock, 1);
    if (!l)
        return GG_ENOMEM;
    *l = (gg_lock){.ctx = ctx, .fd = -1};
    char *real = realpath(path, NULL); /* two names of one file are one output */
    gg_str name = {.ctx = ctx};
    gg_str_printf(&name, "%s.lock", real ? real : path);
    free(real);
    l->path = name.data;
    gg_status s = name.failed ? GG_ENOMEM : GG_OK;
    for (int round = 0; s == GG_OK && l->fd < 0; round++)
        s = round < ROUNDS ? take_once(l, path, round + 1 == ROUNDS)
                           : gg_fail(ctx, GG_EBUSY, "%s: other processes take and give back its lock without end (%s)", path, l->path);
    if (s != GG_OK) {
        if (l->fd >= 0)
            close(l->fd);
        gg_drop(ctx, l->path);
        gg_drop(ctx, l);
        return s;
    }
    *out = l;
    return GG_OK;
}

void gg_lock_free(gg_lock *l)
{
    if (!l)
        return;
    unlink(l->path);
    close(l->fd);
    gg_drop(l->ctx, l->path);
    gg_drop(l->ctx, l);
}

/* --- what dead writers left ------------------------------------------------------------------------------------------------------ */
/* Is the entry a temporary (file.c has the rules) of the output `name`, NULL: of any? *pid: of ".NAME.PID-N.tmp"; 0: ".NAME.tmp", ".NAME.N.tmp". */
static bool is_temporary(long *pid, const char *entry, const char *name)
{
    const size_t n = strlen(entry), n_name = name ? strnlen(name, 200) : 0; /* gg_out cuts longer names there */
    *pid = 0;
    if (n < 6 || entry[0] != '.' || strcmp(entry + n - 4, ".tmp") != 0)
        return false;
    const char *base = entry + 1, *end = entry + n - 4, *dot = memrchr(base, '.', (size_t)(end - base));
    bool numbered = false;
    if (dot) {
        char *behind;
        const long number = strtol(dot + 1, &behind, 10);
        numbered = behind > dot + 1 && behind == end;
        if (behind > dot + 1 && *behind == '-' && strtol(behind + 1, &behind, 10) >= 0 && behind == end && number > 0)
            *pid = number;
    }
    if (!name)
        return true;
    if (*pid || numbered)
        if ((size_t)(dot - base) == n_name && memcmp(base, name, n_name) == 0)
            return true;
    return !*pid && (size_t)(end - base) == n_name && memcmp(base, name, n_name) == 0;
}

/* Removes it when its writer is gone: its process runs no more, or its lock can be had. The lock is kept until the name is away, so that
 * nobody takes it over in between. */
static bool remove_left(int folder, const char *entry, long pid)
{
    if (pid)
        return !is_running(pid) && unlinkat(folder, entry, 0) == 0;
    const int fd = openat(folder, entry, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool removed = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(folder, entry, 0) == 0;
    if (fd >= 0)
        close(fd);
    return removed;
}

/* name: NULL for any */
static void sweep(gg_context *ctx, const char *folder, const char *name)
{
    DIR *dir = opendir(*folder ? folder : ".");
    long pid;
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (is_temporary(&pid, e->d_name, name) && remove_left(dirfd(dir), e->d_name, pid))
            gg_log(ctx, GG_LOG_DEBUG, "removed %s, which a process that is gone had begun", e->d_name);
    if (dir)
        closedir(dir);
}

void gg_lock_sweep_folder(gg_context *ctx, const char *folder) { sweep(ctx, folder, NULL); }

void gg_lock_sweep(gg_context *ctx, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? gg_strndup(ctx, path, (size_t)(slash - path) + 1) : gg_strdup(ctx, "");
    if (folder)
        sweep(ctx, folder, slash ? slash + 1 : path);
    gg_drop(ctx, folder);
}
