/* A program found on PATH, started without a shell: text to its standard input, what it writes taken into memory.
 *
 * The input lies in an anonymous file, so there is no pipe that could break under us (SIGPIPE) or fill while the program's own fills;
 * what the program says goes to another, for the message when it fails.
 * Traps: a descriptor below 3 would be overwritten by dup2; golgi's threads block signals, and a child inherits that.
 */
#include "plot/program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Moves a descriptor out of the way of 0, 1 and 2. -1 stays -1. */
static int above_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
    close(fd);
    errno = error;
    return moved;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool write_from_start(int fd, const char *data, size_t n)
{
    for (size_t put = 0; put < n;) {
        const ssize_t w = pwrite(fd, data + put, n - put, (off_t)put);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        put += (size_t)w;
    }
    return true;
}

/* What the program said, the line that matters: gnuplot draws a caret under the place before it says what is wrong. */
static void complaint(char *out, size_t n, int fd)
{
    char text[4096];
    const ssize_t got = pread(fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = 0;
    const char *best = "", *at = text;
    size_t length = 0;
    while (*at) {
        const size_t line = strcspn(at, "\n");
        const size_t blank = strspn(at, " \t^");
        if (blank < line && (length == 0 || strncmp(at + blank, "line ", 5) == 0)) {
            best = at + blank;
            length = line - blank;
        }
        at += line + (at[line] == '\n');
    }
    if (length >= n)
        length = n - 1;
    memcpy(out, best, length);
    out[length] = 0;
}

typedef struct child {
    int in, out, log, tell; /* input; our end of the pipe; what it says; its end of the pipe */
} child;

static int start(pid_t *pid, const child *c, const char *const *argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    int error = posix_spawn_file_actions_init(&files);
    if (error)
        return error;
    error = posix_spawnattr_init(&how);
    if (!error) {
        posix_spawnattr_setsigmask(&how, &none);
        posix_spawnattr_setsigdefault(&how, &usual);
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        error = posix_spawn_file_actions_adddup2(&files, c->in, 0);
        error = error ? error : posix_spawn_file_actions_adddup2(&files, c->tell, 1);
        error = error ? error : posix_spawn_file_actions_adddup2(&files, c->log, 2);
        error = error ? error : posix_spawnp(pid, argv[0], &files, &how, (char *const *)argv, environ);
        posix_spawnattr_destroy(&how);
    }
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static gg_status drain(gg_str *out, gg_context *ctx, int fd, const char *name)
{
    enum { MOST = 256 << 20 };
    char block[16384];
    for (;;) {
        const ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gg_fail(ctx, GG_EIO, "reading what %s writes failed: %s", name, strerror(errno));
        if (n == 0)
            return GG_OK;
        gg_str_add(out, block, (size_t)n);
        if (out->failed)
            return GG_ENOMEM;
        if (out->len > MOST)
            return gg_fail(ctx, GG_EIO, "%s wrote more than %d MiB", name, MOST >> 20);
    }
}

/* Its exit status; -1 when somebody else's handler has taken it. */
static int wait_for(pid_t pid)
{
    int status;
    pid_t r;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

gg_status gg__program_run(gg_str *out, gg__program_end *end, gg_context *ctx, const char *const *argv, const gg_str *input)
{
    *end = (gg__program_end){.status = -1};
    child c = {.in = above_standard(memfd_create("golgi-program-input", MFD_CLOEXEC)), .out = -1, .tell = -1,
               .log = above_standard(memfd_create("golgi-program-log", MFD_CLOEXEC))};
    int ends[2] = {-1, -1};
    gg_status s = GG_OK;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        c.out = above_standard(ends[0]);
        c.tell = above_standard(ends[1]);
    }
    if (c.in < 0 || c.log < 0 || c.out < 0 || c.tell < 0 || (input && !write_from_start(c.in, input->data, input->len)))
        s = gg_fail(ctx, GG_EIO, "no room for a text to %s: %s", argv[0], strerror(errno));
    pid_t pid = -1;
    if (s == GG_OK) {
        const int error = start(&pid, &c, argv);
        if (error == ENOENT || error == ENOTDIR || error == EACCES)
            s = gg_fail(ctx, GG_ENOENT, "the program %s is not on PATH", argv[0]);
        else if (error)
            s = gg_fail(ctx, GG_EIO, "%s cannot be started: %s", argv[0], strerror(error));
    }
    close_one(&c.tell);
    if (s == GG_OK) {
        s = drain(out, ctx, c.out, argv[0]);
        close_one(&c.out); /* after a failure the program must not wait for us to read on */
        end->status = wait_for(pid);
        complaint(end->said, sizeof end->said, c.log);
        if (s == GG_OK && end->status == 127) /* how some C libraries say that there is no such program */
            s = gg_fail(ctx, GG_ENOENT, "the program %s is not on PATH", argv[0]);
    }
    close_one(&c.in);
    close_one(&c.log);
    close_one(&c.out);
    return s;
}
