/* gnuplot as a program: found on PATH, started without a shell, the script on its standard input, the picture from its standard output.
 *
 * The script lies in an anonymous file, so there is no pipe that could break under us (SIGPIPE) or fill while gnuplot's own fills;
 * what gnuplot says goes to another, for the message when it fails. Pictures are taken into memory, looked at, and written by file.c.
 * Traps: -d, or a person's ~/.gnuplot changes our plots; text goes in single quotes only (in double quotes a backquote
 * runs a command); "noenhanced", or an underscore in a name lowers the next letter; a descriptor below 3 would be overwritten by dup2.
 */
#include "plot/gnuplot.h"
#include "base/file.h"
#include "base/utf8.h"
#include "plot/svg.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- text ---- */

typedef struct letters {
    const char *at;
    size_t left;
} letters;

/* The next character, fit for a picture; -1 at the end. */
static int32_t next_letter(letters *l)
{
    if (l->left == 0)
        return -1;
    int32_t cp;
    const int n = gg_utf8_decode(&cp, l->at, l->left);
    l->at += n;
    l->left -= (size_t)n;
    if (cp < 0 || cp == 0xfffe || cp == 0xffff)
        return 0xfffd;
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ? ' ' : cp;
}

static void put_letter(gg_str *script, int32_t cp)
{
    char bytes[4];
    if (cp == '\'')
        gg_str_add(script, "'", 1); /* doubled */
    gg_str_add(script, bytes, (size_t)gg_utf8_encode(bytes, cp));
}

static int64_t count_letters(letters l)
{
    int64_t n = 0;
    while (next_letter(&l) >= 0)
        n++;
    return n;
}

void gg__gnuplot_quote(gg_str *script, const char *text, int most)
{
    letters l = {text, strlen(text)};
    const int64_t n = count_letters(l), keep = n > most ? most - 1 : n;
    gg_str_add(script, "'", 1);
    for (int64_t i = 0; i < keep; i++)
        put_letter(script, next_letter(&l));
    if (keep < n)
        put_letter(script, 0x2026);
    gg_str_add(script, "'", 1);
}

int gg__gnuplot_quote_lines(gg_str *script, const char *text, int width)
{
    letters l = {text, strlen(text)};
    int lines = 1;
    for (gg_str_add(script, "'", 1); l.left > 0;) {
        /* a line: to the last space before `width`, or all that is left */
        letters scan = l;
        int64_t n = 0, cut = 0;
        for (int32_t cp; n <= width && (cp = next_letter(&scan)) >= 0; n++)
            if (cp == ' ')
                cut = n;
        const bool last = n <= width, full = lines == 3 && !last;
        const int64_t keep = last ? n : full ? width - 1 : cut > 0 ? cut : width;
        for (int64_t i = 0; i < keep; i++)
            put_letter(script, next_letter(&l));
        if (full)
            put_letter(script, 0x2026);
        if (last || full)
            break;
        if (cut > 0)
            next_letter(&l); /* the space */
        gg_str_puts(script, "'.\"\\n\".'");
        lines++;
    }
    gg_str_add(script, "'", 1);
    return lines;
}

/* ---- the program ---- */

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

/* What gnuplot said, the line that matters: it draws a caret under the place before it says what is wrong. */
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
    int in, out, log, tell; /* script; our end of the pipe; what it says; its end of the pipe */
} child;

static int start(pid_t *pid, const child *c)
{
    static char name[] = "gnuplot", defaults[] = "-d";
    char *argv[] = {name, defaults, NULL};
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
        posix_spawnattr_setsigmask(&how, &none); /* golgi's threads block signals; gnuplot must not inherit that */
        posix_spawnattr_setsigdefault(&how, &usual);
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        error = posix_spawn_file_actions_adddup2(&files, c->in, 0);
        error = error ? error : posix_spawn_file_actions_adddup2(&files, c->tell, 1);
        error = error ? error : posix_spawn_file_actions_adddup2(&files, c->log, 2);
        error = error ? error : posix_spawnp(pid, name, &files, &how, argv, environ);
        posix_spawnattr_destroy(&how);
    }
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static gg_status missing(gg_context *ctx)
{
    return gg_fail(ctx, GG_EUNSUPPORTED, "plots need the program gnuplot, and it is not on PATH: apt-get install gnuplot-nox fonts-dejavu-core");
}

static gg_status drain(gg_str *picture, gg_context *ctx, int fd)
{
    enum { MOST = 256 << 20 };
    char block[16384];
    for (;;) {
        const ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return gg_fail(ctx, GG_EIO, "reading gnuplot's picture failed: %s", strerror(errno));
        if (n == 0)
            return GG_OK;
        gg_str_add(picture, block, (size_t)n);
        if (picture->failed)
            return GG_ENOMEM;
        if (picture->len > MOST)
            return gg_fail(ctx, GG_EIO, "gnuplot's picture is larger than %d MiB", MOST >> 20);
    }
}

/* exit: its status; -1 when somebody else's handler has taken it. */
static int wait_for(pid_t pid)
{
    int status;
    pid_t r;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static gg_status run(gg_str *picture, gg_context *ctx, const gg_str *script)
{
    child c = {.in = above_standard(memfd_create("golgi-gnuplot-script", MFD_CLOEXEC)), .out = -1, .tell = -1,
               .log = above_standard(memfd_create("golgi-gnuplot-log", MFD_CLOEXEC))};
    int ends[2] = {-1, -1};
    gg_status s = GG_OK;
    if (pipe2(ends, O_CLOEXEC) == 0) {
        c.out = above_standard(ends[0]);
        c.tell = above_standard(ends[1]);
    }
    if (c.in < 0 || c.log < 0 || c.out < 0 || c.tell < 0 || !write_from_start(c.in, script->data, script->len))
        s = gg_fail(ctx, GG_EIO, "no room for a script to gnuplot: %s", strerror(errno));
    pid_t pid = -1;
    if (s == GG_OK) {
        const int error = start(&pid, &c);
        if (error == ENOENT || error == ENOTDIR || error == EACCES)
            s = missing(ctx);
        else if (error)
            s = gg_fail(ctx, GG_EIO, "gnuplot cannot be started: %s", strerror(error));
    }
    close_one(&c.tell);
    if (s == GG_OK) {
        s = drain(picture, ctx, c.out);
        close_one(&c.out); /* after a failure gnuplot must not wait for us to read on */
        const int exit_status = wait_for(pid);
        char said[300];
        complaint(said, sizeof said, c.log);
        if (s == GG_OK && exit_status == 127)
            s = missing(ctx);
        else if (s == GG_OK && strstr(said, "unknown or ambiguous terminal"))
            s = gg_fail(ctx, GG_EUNSUPPORTED, "this gnuplot cannot draw PNG or SVG (%s): apt-get install gnuplot-nox", said);
        else if (s == GG_OK && exit_status > 0)
            s = gg_fail(ctx, GG_EIO, "gnuplot ended with status %d: %s", exit_status, *said ? said : "it did not say why");
    }
    close_one(&c.in);
    close_one(&c.log);
    close_one(&c.out);
    return s;
}

/* ---- pictures ---- */

static bool ends_with(const gg_str *s, const char *end, size_t n)
{
    return s->len >= n && memcmp(s->data + s->len - n, end, n) == 0;
}

static gg_status draw(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height, bool png)
{
    gg_str whole = {.ctx = ctx}, picture = {.ctx = ctx}, name = {.ctx = ctx};
    gg_str_puts(&whole, "set encoding utf8\n");
    if (png)
        gg_str_printf(&whole, "large = ',16'; small = ',10'\nset terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,10.5' fontscale 2 linewidth 2 pointscale 2 background '#ffffff'\n",
                      2 * width, 2 * height);
    else
        gg_str_printf(&whole, "large = ',21'; small = ',13'\nset terminal svg noenhanced standalone fixed size %d,%d font 'DejaVu Sans,14' background '#ffffff'\n", width, height);
    gg_str_add(&whole, script->data, script->len);
    gg_str_puts(&whole, "unset output\n");
    gg_str_printf(&name, "%s.%s", path, png ? "png" : "svg");
    gg_status s = whole.failed || name.failed || script->failed ? GG_ENOMEM : run(&picture, ctx, &whole);
    if (s == GG_OK && !(png ? ends_with(&picture, "IEND\xae\x42\x60\x82", 8) : ends_with(&picture, "</svg>\n", 7) || ends_with(&picture, "</svg>\n\n", 8)))
        s = gg_fail(ctx, GG_EIO, "gnuplot gave no whole picture for %s (%zu bytes)", name.data, picture.len);
    gg_str tidy = {.ctx = ctx};
    if (s == GG_OK && !png)
        s = gg__svg_tidy(&tidy, picture.data, picture.len, name.data, title);
    if (s == GG_OK)
        s = gg_file_write(ctx, name.data, png ? picture.data : tidy.data, png ? picture.len : tidy.len);
    gg_str_free(&tidy);
    gg_str_free(&whole);
    gg_str_free(&picture);
    gg_str_free(&name);
    return s;
}

gg_status gg__gnuplot_write(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height)
{
    GG_TRY(draw(ctx, path, title, script, width, height, true));
    return draw(ctx, path, title, script, width, height, false);
}
