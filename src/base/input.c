/* Reading in order. Owns: the descriptor and nothing else; buffering is the reader's (io/stream.c).
 * Trap: read(2) on a pipe gives short counts long before the end, and on a folder fails only at the first read, with EISDIR. */
#include "base/input.h"
#include "base/io.h"
#include "base/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* folders within folders */

struct gg_in {
    gg_context *ctx;
    char *path;
    int fd;
    bool is_file; /* a regular one */
    int64_t size;
    int64_t left; /* of the range; -1: to the end */
};

gg_status gg_in_open(gg_in **out, gg_context *ctx, const char *path)
{
    *out = NULL;
    bool standard = strcmp(path, "-") == 0;
    gg_in *in = gg_new(ctx, gg_in, 1);
    char *name = gg_strdup(ctx, standard ? "standard input" : path);
    if (!in || !name) {
        gg_drop(ctx, in);
        gg_drop(ctx, name);
        return GG_ENOMEM;
    }
    *in = (gg_in){.ctx = ctx, .path = name, .left = -1, .fd = standard ? STDIN_FILENO : gg__io_open(ctx, path, O_RDONLY, 0)};
    gg_status s = GG_OK;
    struct stat st;
    if (in->fd < 0 || gg__io_fstat(ctx, in->fd, &st) != 0)
        s = gg__io_fail(ctx, errno, "open it", name);
    else if (S_ISDIR(st.st_mode))
        s = gg_fail(ctx, GG_EIO, "%s is a folder, a file was expected", name);
    else if ((in->is_file = S_ISREG(st.st_mode)))
        in->size = st.st_size;
    if (s != GG_OK) {
        gg_in_close(in);
        return s;
    }
    *out = in;
    return GG_OK;
}

/* At most a fifth of a second. */
static bool wait_ready(const gg_in *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    const int n = poll(&p, 1, 200);
    return n > 0 || (n < 0 && errno != EINTR);
}

static gg_status shorter(const gg_in *in)
{
    return gg_fail(in->ctx, GG_EFORMAT, "%s became shorter while it was in use", in->path);
}

gg_status gg_in_open_range(gg_in **out, gg_context *ctx, const char *path, int64_t from, int64_t to)
{
    gg_in *in = NULL;
    *out = NULL;
    GG_TRY(gg_in_open(&in, ctx, path));
    gg_status s = GG_OK;
    if (!in->is_file)
        s = gg_fail(ctx, GG_EUNSUPPORTED, "%s: only a file has parts", path);
    else if (in->size < to)
        s = shorter(in);
    else if (lseek(in->fd, from, SEEK_SET) != from)
        s = gg__io_fail(ctx, errno, "go through it", path);
    if (s != GG_OK) {
        gg_in_close(in);
        return s;
    }
    in->size = in->left = to - from;
    *out = in;
    return GG_OK;
}

gg_status gg_in_read(gg_in *in, size_t *got, void *data, size_t n)
{
    *got = 0;
    if (n > 1 << 30)
        n = 1 << 30; /* what Linux gives in one call is below 2 GiB anyway */
    while (!in->is_file && !wait_ready(in)) /* read(2) on a pipe is gone on with after a signal, so the wait is here */
        if (gg_context_stopped(in->ctx))
            return gg_fail(in->ctx, GG_EINTR, "%s: reading was stopped", in->path);
    if (in->left >= 0 && (int64_t)n > in->left)
        n = (size_t)in->left;
    for (;;) {
        const ssize_t r = gg__io_read(in->ctx, in->fd, data, n);
        if (r == 0 && n > 0 && in->left > 0)
            return shorter(in);
        if (r >= 0) {
            *got = (size_t)r;
            in->left -= in->left >= 0 ? r : 0;
            return GG_OK;
        }
        if (errno != EINTR)
            return gg__io_fail(in->ctx, errno, "read it", in->path);
        if (gg_context_stopped(in->ctx))
            return gg_fail(in->ctx, GG_EINTR, "%s: reading was stopped", in->path);
    }
}

gg_status gg_in_read_at(gg_in *in, void *data, size_t n, uint64_t offset)
{
    char *to = data;
    while (n > 0) {
        const ssize_t r = gg__io_read_at(in->ctx, in->fd, to, n < 1 << 30 ? n : 1 << 30, offset);
        if (r == 0)
            return gg_fail(in->ctx, GG_EFORMAT, "%s: the file ends at byte %llu, %zu bytes too early", in->path, (unsigned long long)offset, n);
        if (r < 0 && errno != EINTR)
            return gg__io_fail(in->ctx, errno, "read it", in->path);
        if (r < 0 && gg_context_stopped(in->ctx))
            return gg_fail(in->ctx, GG_EINTR, "%s: reading was stopped", in->path);
        const size_t got = r > 0 ? (size_t)r : 0;
        to += got;
        offset += got;
        n -= got;
    }
    return GG_OK;
}

int64_t gg_in_size(const gg_in *in) { return in->size; }

bool gg_in_ready(const gg_in *in)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    return in->is_file || poll(&p, 1, 0) != 0; /* an error is found by the read */
}

void gg_in_close(gg_in *in)
{
    if (!in)
        return;
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    gg_drop(in->ctx, in->path);
    gg_drop(in->ctx, in);
}

int64_t gg_file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
}

/* --- folders ----------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    return n > m && strcmp(s + n - m, ending) == 0;
}

static char *join(gg_context *ctx, const char *folder, const char *name)
{
    gg_str s = {.ctx = ctx};
    if (*folder)
        gg_str_printf(&s, "%s/", folder);
    gg_str_puts(&s, name);
    if (s.failed) {
        gg_str_free(&s);
        return NULL;
    }
    return s.data;
}

static gg_status keep(gg_folder *f, gg_context *ctx, char *relative, int64_t bytes)
{
    GG_TRY(gg_grow(ctx, &f->paths, f->n, &f->cap, 64));
    f->paths[f->n++] = relative;
    f->bytes += bytes;
    return GG_OK;
}

typedef enum wanted {
    FILES,      /* of the folder itself */
    FILES_DEEP, /* and of folders within it */
    FOLDERS     /* of the folder itself, links to folders too */
} wanted;

/* relative: the folder's path below root, "" for root itself */
static gg_status walk(gg_folder *f, gg_context *ctx, const char *root, const char *relative, const char *ending, wanted want, int depth)
{
    char *path = *relative ? join(ctx, root, relative) : gg_strdup(ctx, root);
    if (!path)
        return GG_ENOMEM;
    gg_status s = GG_OK;
    DIR *dir;
    do
        dir = gg__io_ask(ctx, GG_IO_FOLDER) == 0 ? opendir(path) : NULL;
    while (!dir && errno == EINTR);
    if (!dir)
        s = gg__io_fail(ctx, errno, "list the folder", path);
    else if (depth > DEPTH_MAX)
        s = gg_fail(ctx, GG_EUNSUPPORTED, "%s: more than %d folders within folders", path, DEPTH_MAX);
    while (s == GG_OK) {
        struct dirent *e;
        do {
            errno = 0;
            e = gg__io_ask(ctx, GG_IO_FOLDER) == 0 ? readdir(dir) : NULL;
        } while (!e && errno == EINTR);
        if (!e) {
            if (errno)
                s = gg__io_fail(ctx, errno, "list the folder", path);
            break;
        }
        if (e->d_name[0] == '.')
            continue;
        struct stat st;
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* went away while we looked */
        bool link = S_ISLNK(st.st_mode);
        if (link && fstatat(dirfd(dir), e->d_name, &st, 0) != 0)
            continue;
        bool folder = S_ISDIR(st.st_mode) && !link && want != FOLDERS;
        bool file = want == FOLDERS ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode) && ends_with(e->d_name, ending);
        if (folder ? want != FILES_DEEP : !file)
            continue;
        char *below = join(ctx, relative, e->d_name);
        if (!below)
            s = GG_ENOMEM;
        else if (folder)
            s = walk(f, ctx, root, below, ending, want, depth + 1);
        else
            s = keep(f, ctx, below, st.st_size);
        if (folder || s != GG_OK)
            gg_drop(ctx, below);
    }
    if (dir)
        closedir(dir);
    gg_drop(ctx, path);
    return s;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static gg_status folder(gg_folder *out, gg_context *ctx, const char *path, const char *ending, wanted want)
{
    *out = (gg_folder){0};
    gg_status s = walk(out, ctx, path, "", ending, want, 0);
    if (s != GG_OK)
        gg_folder_free(out, ctx);
    else if (out->n > 1)
        qsort(out->paths, (size_t)out->n, sizeof *out->paths, by_bytes);
    return s;
}

gg_status gg_folder_list(gg_folder *out, gg_context *ctx, const char *path, const char *ending)
{
    return folder(out, ctx, path, ending, FILES_DEEP);
}

gg_status gg_folder_names(gg_folder *out, gg_context *ctx, const char *path)
{
    return folder(out, ctx, path, "", FILES);
}

gg_status gg_folder_folders(gg_folder *out, gg_context *ctx, const char *path)
{
    return folder(out, ctx, path, "", FOLDERS);
}

void gg_folder_free(gg_folder *f, gg_context *ctx)
{
    for (int64_t i = 0; i < f->n; i++)
        gg_drop(ctx, f->paths[i]);
    gg_drop(ctx, f->paths);
    *f = (gg_folder){0};
}
