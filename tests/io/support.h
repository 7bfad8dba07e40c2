/* What the tests of rows share: a folder that goes away, files of given bytes, an allocator that fails when told, rows as one text. */
#ifndef TESTS_IO_SUPPORT_H
#define TESTS_IO_SUPPORT_H
#include "context.h"
#include <golgi/rows.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

/* One gzip member or zstd frame; out has room for n + 1000 bytes and more. */
static inline size_t pack_gz(void *out, size_t cap, const void *data, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)data;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t made = cap - z.avail_out;
    deflateEnd(&z);
    return made;
}
static inline size_t pack_zst(void *out, size_t cap, const void *data, size_t n)
{
    size_t made = ZSTD_compress(out, cap, data, n, 3);
    assert_false(ZSTD_isError(made));
    return made;
}

/* All rows as JSON, one a line; the status that ended it in *end. Freed by free(). */
static inline char *all_rows(gg_status *end, const char *path)
{
    size_t cap = 1 << 16, n = 0;
    char *text = calloc(1, cap);
    gg_rows *r = NULL;
    *end = gg_rows_open(&r, ctx, path);
    if (*end != GG_OK)
        return text;
    json_t *row;
    while ((*end = gg_rows_next(r, &row)) == GG_OK) {
        char *line = json_dumps(row, JSON_COMPACT);
        size_t m = strlen(line);
        while (n + m + 2 > cap)
            text = realloc(text, cap *= 2);
        memcpy(text + n, line, m);
        n += m;
        text[n++] = '\n';
        text[n] = 0;
        free(line);
        json_decref(row);
    }
    gg_rows_close(r);
    return text;
}

static inline void expect_rows(const char *path, const char *want)
{
    gg_status end;
    char *got = all_rows(&end, path);
    if (end != GG_END)
        fail_msg("%s: %s", path, gg_message(ctx));
    assert_string_equal(got, want);
    free(got);
}

/* An allocator that gives out only `left` more blocks (-1: no limit). */
typedef struct few {
    long left;
} few;
static inline void *few_resize(void *user, void *old, size_t old_size, size_t new_size)
{
    few *f = user;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    if (f->left == 0)
        return NULL;
    if (f->left > 0)
        f->left--;
    void *p = aligned_alloc(64, (new_size + 63) / 64 * 64);
    if (old && p)
        memcpy(p, old, old_size < new_size ? old_size : new_size);
    if (p)
        free(old);
    return p;
}

/* Runs job with the first 0, 1, 2 ... allocations granted until it succeeds; it must fail with GG_ENOMEM before and leave nothing behind. */
static inline void every_allocation_may_fail(gg_status (*job)(gg_context *c))
{
    for (long n = 0; n < 5000; n++) {
        few f = {-1};
        gg_context *c = NULL;
        assert_int_equal(gg_context_create(&c, &(gg_context_options){.allocator = {few_resize, &f}, .n_threads = 1}), GG_OK);
        size_t before = gg_context_bytes(c, NULL);
        f.left = n;
        gg_status s = job(c);
        bool done = s == GG_OK;
        if (!done && s != GG_ENOMEM)
            fail_msg("allocation %ld: %s %s", n, gg_status_name(s), gg_message(c));
        assert_int_equal(gg_context_bytes(c, NULL), before);
        gg_context_free(c);
        if (done) {
            assert_true(n > 0);
            return;
        }
    }
    fail_msg("never succeeded");
}

/* Reads the rows of one file and writes them to another. */
static inline gg_status pass_rows(gg_context *c, const char *from, const char *to)
{
    gg_rows *r = NULL;
    gg_rows_writer *w = NULL;
    json_t *row;
    gg_status s = gg_rows_open(&r, c, from);
    if (s == GG_OK)
        s = gg_rows_writer_open(&w, c, to);
    while (s == GG_OK && (s = gg_rows_next(r, &row)) == GG_OK) {
        s = gg_rows_writer_add(w, row);
        json_decref(row);
    }
    gg_rows_close(r);
    if (s != GG_END) {
        gg_rows_writer_discard(w);
        return s;
    }
    return gg_rows_writer_commit(w);
}

static inline int io_setup(void **state)
{
    (void)state;
    return begin_folder("io", 0);
}
#endif
