/* A byte stream over plain, gzip and zstd files and standard input, seen through a window that grows until a record is whole.
 *
 *     gg_window w;
 *     gg_stream_window(&w, s);                     // the bytes not taken yet
 *     while (!(eol = memchr(w.data, '\n', w.n)) && !w.end)
 *         GG_TRY(gg_stream_more(&w, s));           // w may have moved
 *     gg_stream_take(s, n_bytes);
 *
 * Compression is told by the first bytes, not by the name; a name that promises another one is an error. Several gzip members or
 * zstd frames in a row are one stream. A stream that ends early or does not decode is GG_EFORMAT with the byte of the (compressed) file.
 */
#ifndef GG_IO_STREAM_H
#define GG_IO_STREAM_H
#include <golgi/base.h>

#define GG_RECORD_MAX ((size_t)1 << 30) /* a record (line, text file) may be 1 GiB */

typedef struct gg_stream gg_stream;
typedef struct gg_window {
    const char *data; /* (n,) valid until the next gg_stream_more or gg_stream_close */
    size_t n;
    bool end;         /* nothing follows */
} gg_window;

gg_status gg_stream_open(gg_stream **out, gg_context *ctx, const char *path);
/* Bytes [from, to) of a plain file. */
gg_status gg_stream_open_range(gg_stream **out, gg_context *ctx, const char *path, int64_t from, int64_t to);
void gg_stream_close(gg_stream *s); /* NULL is fine */
void gg_stream_window(gg_window *w, const gg_stream *s);
/* Adds at least one byte to the window, or sets w->end. */
gg_status gg_stream_more(gg_window *w, gg_stream *s);
/* False when gg_stream_more would wait for a pipe. */
bool gg_stream_ready(const gg_stream *s);
void gg_stream_take(gg_stream *s, size_t n); /* the first n bytes of the window are done with */
/* Bytes of the file read so far, and in all (0: unknown). */
void gg_stream_position(const gg_stream *s, int64_t *done, int64_t *total);
/* Passes over a UTF-8 byte order mark; GG_EFORMAT for text in UTF-16 or UTF-32. To be called once, before anything was taken. */
gg_status gg_stream_skip_bom(gg_stream *s);

/* True when a file that begins with these bytes is gzip or zstd data. */
bool gg_bytes_are_packed(const void *bytes, size_t n);
/* True when name ends with ending, in any case of letters. */
bool gg_name_ends(const char *name, const char *ending);
/* The length of name without .gz or .zst. */
size_t gg_name_plain_length(const char *name);
#endif
