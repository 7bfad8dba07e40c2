/* A byte stream over plain, gzip and zstd files. Owns: two buffers, the compressed bytes and the window of plain ones.
 *
 * Traps: `cat a.gz b.gz` is one valid file with two members, and so is what pigz, bgzip and zstd's parallel writers make: the end of a member is
 * not the end of the stream. zlib reports a truncated file as "all went well, give me more": the end of the file decides. Files made by
 * `zstd --long=31` need a window of 2 GiB, which zstd refuses unless asked.
 */
#include "io/stream.h"
#include "base/input.h"
#include "base/memory.h"
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PIECE ((size_t)256 << 10) /* bytes per read, and at least free in the window before decoding */

typedef enum coding { PLAIN, GZIP, ZSTD } coding;

struct gg_stream {
    gg_context *ctx;
    gg_in *in;
    char *path;
    coding coding;
    /* compressed bytes (not used when plain): those of raw_at..raw_n are not decoded yet */
    char *raw; /* (PIECE,) */
    size_t raw_at, raw_n;
    int64_t n_read; /* bytes of the file that are in raw or behind it */
    bool in_end;
    bool between; /* at the start, or behind a whole member or frame: the file may end here */
    z_stream gz;
    bool gz_live;
    ZSTD_DCtx *zst;
    /* the window: data[at..n) */
    char *data; /* (cap,) */
    size_t at, n, cap;
    bool end;
};

bool gg_name_ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcasecmp(name + n - m, ending) == 0;
}

size_t gg_name_plain_length(const char *name)
{
    size_t n = strlen(name);
    return gg_name_ends(name, ".gz") ? n - 3 : gg_name_ends(name, ".zst") ? n - 4 : n;
}

/* zlib through the one allocator */
static voidpf gz_alloc(voidpf ctx, uInt items, uInt size) { return gg_alloc(ctx, gg_mul(items, size)); }
static void gz_free(voidpf ctx, voidpf p) { gg_drop(ctx, p); }

static gg_status start_decoder(gg_stream *s)
{
    if (s->coding == GZIP) {
        s->gz = (z_stream){.zalloc = gz_alloc, .zfree = gz_free, .opaque = s->ctx};
        if (inflateInit2(&s->gz, 15 + 16) != Z_OK) /* 16: gzip only */
            return gg_fail(s->ctx, GG_ENOMEM, "%s: out of memory for decompression", s->path);
        s->gz_live = true;
    } else if (s->coding == ZSTD) {
        s->zst = ZSTD_createDCtx();
        if (!s->zst || ZSTD_isError(ZSTD_DCtx_setParameter(s->zst, ZSTD_d_windowLogMax, 31)))
            return gg_fail(s->ctx, GG_ENOMEM, "%s: out of memory for decompression", s->path);
    }
    s->between = true;
    return GG_OK;
}

static gg_status fill_raw(gg_stream *s)
{
    if (s->raw_at > 0) {
        memmove(s->raw, s->raw + s->raw_at, s->raw_n - s->raw_at);
        s->raw_n -= s->raw_at;
        s->raw_at = 0;
    }
    size_t got;
    GG_TRY(gg_in_read(s->in, &got, s->raw + s->raw_n, PIECE - s->raw_n));
    s->raw_n += got;
    s->n_read += (int64_t)got;
    s->in_end = got == 0;
    return GG_OK;
}

/* zstd frames begin with FD2FB528, skippable ones with 184D2A50..5F (little-endian). */
static bool looks_zstd(const unsigned char *b, size_t n)
{
    return n >= 4 && ((b[0] == 0x28 && b[1] == 0xB5 && b[2] == 0x2F && b[3] == 0xFD) ||
                      ((b[0] & 0xF0) == 0x50 && b[1] == 0x2A && b[2] == 0x4D && b[3] == 0x18));
}

static bool looks_gzip(const unsigned char *b, size_t n) { return n >= 2 && b[0] == 0x1F && b[1] == 0x8B; }

bool gg_bytes_are_packed(const void *bytes, size_t n) { return looks_gzip(bytes, n) || looks_zstd(bytes, n); }

static gg_status detect(gg_stream *s)
{
    while (s->raw_n < 4 && !s->in_end)
        GG_TRY(fill_raw(s));
    const unsigned char *b = (const unsigned char *)s->raw;
    s->coding = looks_gzip(b, s->raw_n) ? GZIP : looks_zstd(b, s->raw_n) ? ZSTD : PLAIN;
    if (gg_name_ends(s->path, ".gz") && s->coding != GZIP)
        return gg_fail(s->ctx, GG_EFORMAT, "%s: not gzip data, which begins with the bytes 1f 8b%s", s->path,
                       s->coding == ZSTD ? "; this is zstd data: name it .zst" : s->raw_n == 0 ? "; the file is empty" : "");
    if (gg_name_ends(s->path, ".zst") && s->coding != ZSTD)
        return gg_fail(s->ctx, GG_EFORMAT, "%s: not zstd data, which begins with the bytes 28 b5 2f fd%s", s->path,
                       s->coding == GZIP ? "; this is gzip data: name it .gz" : s->raw_n == 0 ? "; the file is empty" : "");
    return GG_OK;
}

/* to < 0: the whole file, of any coding */
static gg_status stream_open(gg_stream **out, gg_context *ctx, const char *path, int64_t from, int64_t to)
{
    *out = NULL;
    gg_stream *s = gg_new(ctx, gg_stream, 1);
    if (!s)
        return GG_ENOMEM;
    *s = (gg_stream){.ctx = ctx};
    s->path = gg_strdup(ctx, strcmp(path, "-") == 0 ? "standard input" : path);
    s->raw = gg_new(ctx, char, PIECE);
    gg_status status = !s->path || !s->raw ? GG_ENOMEM : to < 0 ? gg_in_open(&s->in, ctx, path) : gg_in_open_range(&s->in, ctx, path, from, to);
    if (status == GG_OK && to < 0)
        status = detect(s);
    if (status == GG_OK)
        status = start_decoder(s);
    if (status != GG_OK) {
        gg_stream_close(s);
        return status;
    }
    *out = s;
    return GG_OK;
}

gg_status gg_stream_open(gg_stream **out, gg_context *ctx, const char *path) { return stream_open(out, ctx, path, 0, -1); }

gg_status gg_stream_open_range(gg_stream **out, gg_context *ctx, const char *path, int64_t from, int64_t to)
{
    return stream_open(out, ctx, path, from, to);
}

void gg_stream_close(gg_stream *s)
{
    if (!s)
        return;
    if (s->gz_live)
        inflateEnd(&s->gz);
    ZSTD_freeDCtx(s->zst);
    gg_in_close(s->in);
    gg_drop(s->ctx, s->path);
    gg_drop(s->ctx, s->raw);
    gg_drop(s->ctx, s->data);
    gg_drop(s->ctx, s);
}

void gg_stream_window(gg_window *w, const gg_stream *s)
{
    *w = (gg_window){s->at < s->n ? s->data + s->at : "", s->n - s->at, s->end};
}

bool gg_stream_ready(const gg_stream *s) { return s->end || s->raw_at < s->raw_n || gg_in_ready(s->in); }

void gg_stream_take(gg_stream *s, size_t n) { s->at += n < s->n - s->at ? n : s->n - s->at; }

void gg_stream_position(const gg_stream *s, int64_t *done, int64_t *total)
{
    *total = gg_in_size(s->in);
    *done = s->n_read - (int64_t)(s->raw_n - s->raw_at);
    if (s->coding == PLAIN)
        *done -= (int64_t)(s->n - s->at);
}

/* Room for at least PIECE more bytes behind the window. */
static gg_status make_room(gg_stream *s)
{
    if (s->at > 0 && (s->at == s->n || s->cap - s->n < PIECE)) {
        memmove(s->data, s->data + s->at, s->n - s->at);
        s->n -= s->at;
        s->at = 0;
    }
    if (s->cap - s->n >= PIECE)
        return GG_OK;
    if (s->n > GG_RECORD_MAX)
        return gg_fail(s->ctx, GG_EFORMAT, "%s: a record of more than %zu MiB; is this a text of lines?", s->path, GG_RECORD_MAX >> 20);
    size_t cap = s->cap ? 2 * s->cap : 2 * PIECE;
    char *data = gg_realloc(s->ctx, s->data, cap);
    if (!data)
        return GG_ENOMEM;
    s->data = data;
    s->cap = cap;
    return GG_OK;
}

static gg_status truncated(gg_stream *s, const char *what)
{
    return gg_fail(s->ctx, GG_EFORMAT, "%s: cut off: the file ends at byte %lld within a %s; fetch or compress it again", s->path,
                   (long long)s->n_read, what);
}

/* One step of each decoder: consumes raw, appends to the window, sets end when the stream is complete. */
static gg_status step_plain(gg_stream *s)
{
    size_t got = s->raw_n - s->raw_at;
    if (got > 0) { /* what detect() read */
        memcpy(s->data + s->n, s->raw + s->raw_at, got);
        s->raw_at = s->raw_n;
    } else {
        GG_TRY(gg_in_read(s->in, &got, s->data + s->n, s->cap - s->n));
        s->n_read += (int64_t)got;
        s->end = got == 0;
    }
    s->n += got;
    return GG_OK;
}

/* Behind a gzip member: another one, the end, or the zeros that tape and block writers pad with. */
static gg_status next_member(gg_stream *s)
{
    while (s->raw_n - s->raw_at < 2 && !s->in_end)
        GG_TRY(fill_raw(s));
    const unsigned char *b = (const unsigned char *)s->raw + s->raw_at;
    size_t n = s->raw_n - s->raw_at;
    if (looks_gzip(b, n)) {
        s->between = false;
        return inflateReset(&s->gz) == Z_OK ? GG_OK : GG_EINTERNAL;
    }
    for (;;) {
        for (; s->raw_at < s->raw_n; s->raw_at++)
            if (s->raw[s->raw_at] != 0)
                return gg_fail(s->ctx, GG_EFORMAT, "%s: byte %lld: something that is not gzip data follows a whole gzip member", s->path,
                               (long long)(s->n_read - (int64_t)(s->raw_n - s->raw_at)));
        if (s->in_end)
            break;
        GG_TRY(fill_raw(s));
    }
    s->end = true;
    return GG_OK;
}

static gg_status step_gzip(gg_stream *s)
{
    if (s->between) {
        GG_TRY(next_member(s));
        if (s->end)
            return GG_OK;
    }
    if (s->raw_at == s->raw_n && !s->in_end)
        GG_TRY(fill_raw(s));
    size_t room = s->cap - s->n < PIECE * 16 ? s->cap - s->n : PIECE * 16;
    s->gz.next_in = (Bytef *)s->raw + s->raw_at;
    s->gz.avail_in = (uInt)(s->raw_n - s->raw_at);
    s->gz.next_out = (Bytef *)s->data + s->n;
    s->gz.avail_out = (uInt)room;
    int z = inflate(&s->gz, Z_NO_FLUSH);
    size_t made = room - s->gz.avail_out;
    s->raw_at = s->raw_n - s->gz.avail_in;
    s->n += made;
    if (z == Z_STREAM_END) {
        s->between = true;
        return GG_OK;
    }
    if (z == Z_MEM_ERROR)
        return gg_fail(s->ctx, GG_ENOMEM, "%s: out of memory while decompressing", s->path);
    if (z != Z_OK && z != Z_BUF_ERROR)
        return gg_fail(s->ctx, GG_EFORMAT, "%s: damaged gzip data near byte %lld: %s", s->path,
                       (long long)(s->n_read - (int64_t)(s->raw_n - s->raw_at)), s->gz.msg ? s->gz.msg : "it does not decode");
    return made == 0 && s->in_end && s->raw_at == s->raw_n ? truncated(s, "gzip member") : GG_OK;
}

static gg_status step_zstd(gg_stream *s)
{
    if (s->raw_at == s->raw_n && !s->in_end)
        GG_TRY(fill_raw(s));
    bool drained = s->raw_at == s->raw_n;
    if (drained && s->in_end && s->between) {
        s->end = true;
        return GG_OK;
    }
    ZSTD_inBuffer in = {s->raw + s->raw_at, s->raw_n - s->raw_at, 0};
    ZSTD_outBuffer out = {s->data + s->n, s->cap - s->n, 0};
    size_t left = ZSTD_decompressStream(s->zst, &out, &in);
    s->raw_at += in.pos;
    s->n += out.pos;
    if (ZSTD_isError(left)) {
        bool memory = ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation;
        return gg_fail(s->ctx, memory ? GG_ENOMEM : GG_EFORMAT, "%s: %s near byte %lld: %s", s->path,
                       memory ? "out of memory while decompressing" : "damaged zstd data",
                       (long long)(s->n_read - (int64_t)(s->raw_n - s->raw_at)), ZSTD_getErrorName(left));
    }
    s->between = left == 0;
    return out.pos == 0 && in.pos == 0 && drained && s->in_end && !s->between ? truncated(s, "zstd frame") : GG_OK;
}

gg_status gg_stream_more(gg_window *w, gg_stream *s)
{
    if (!s->end)
        GG_TRY(make_room(s));
    size_t before = s->n;
    while (!s->end && s->n == before)
        GG_TRY(s->coding == PLAIN ? step_plain(s) : s->coding == GZIP ? step_gzip(s) : step_zstd(s));
    gg_stream_window(w, s);
    return GG_OK;
}

gg_status gg_stream_skip_bom(gg_stream *s)
{
    gg_window w;
    gg_stream_window(&w, s);
    while (w.n < 4 && !w.end)
        GG_TRY(gg_stream_more(&w, s));
    if (w.n >= 3 && memcmp(w.data, "\xEF\xBB\xBF", 3) == 0)
        gg_stream_take(s, 3);
    const char *other = NULL;
    if (w.n >= 4 && memcmp(w.data, "\0\0\xFE\xFF", 4) == 0)
        other = "UTF-32BE";
    else if (w.n >= 4 && memcmp(w.data, "\xFF\xFE\0\0", 4) == 0)
        other = "UTF-32LE";
    else if (w.n >= 2 && memcmp(w.data, "\xFF\xFE", 2) == 0)
        other = "UTF-16LE";
    else if (w.n >= 2 && memcmp(w.data, "\xFE\xFF", 2) == 0)
        other = "UTF-16BE";
    if (other)
        return gg_fail(s->ctx, GG_EFORMAT, "%s: text in %s; convert it to UTF-8: iconv -f %s -t UTF-8", s->path, other, other);
    return GG_OK;
}
