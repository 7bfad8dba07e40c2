/* Reads NPZ: a ZIP archive of NPY files (APPNOTE.TXT 6.3, sections 4.3 to 4.5), members stored or deflated. Owns: the ZIP directory.
 *
 *     end record "PK\5\6", before it with ZIP64 a locator "PK\6\7" and a larger end record "PK\6\6" -> directory of "PK\1\2" entries
 *     entry -> local header "PK\3\4" (whose name and extra fields have their own lengths) -> the bytes
 *
 * Traps: NumPy writes ZIP64 fields into every local header; only the directory is trusted for sizes. A small archive can claim huge members
 * ("bomb"), or many that share their bytes: deflate gains at most 1032 to 1, and all members together hold no more bytes than the file.
 */
#include "io/tensors.h"
#include <zlib.h>

typedef struct member {
    const uint8_t *name;
    size_t n_name;
    uint64_t packed, size, at; /* bytes in the file, bytes unpacked, where its local header is */
    uint32_t crc;
    int method, flags;
} member;

typedef struct archive {
    gg_tensors *t;
    const char *file;
    const uint8_t *data;
    size_t size;
    uint64_t taken; /* bytes of the members so far */
    int64_t n_arrays;
    bool is_torch;
} archive;

static uint64_t le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static gg_status damaged(const archive *a, const char *what, uint64_t at)
{
    return gg_fail(a->t->ctx, GG_EFORMAT, "%s: %s at byte %llu of %zu: the archive is truncated or damaged", a->file, what, (unsigned long long)at, a->size);
}

/* The directory: where it begins and how many entries it has. */
static gg_status find_directory(uint64_t *at, uint64_t *end, uint64_t *n, const archive *a)
{
    size_t e = a->size;
    bool found = false;
    for (size_t back = 22; back <= a->size && back <= 22 + 65535 && !found; back++) {
        e = a->size - back;
        found = memcmp(a->data + e, "PK\5\6", 4) == 0 && le(a->data + e + 20, 2) == back - 22;
    }
    if (!found)
        return damaged(a, "no end record of a ZIP archive", a->size);
    *n = le(a->data + e + 10, 2);
    *at = le(a->data + e + 16, 4);
    *end = e;
    if (e >= 20 && memcmp(a->data + e - 20, "PK\6\7", 4) == 0) {
        const uint64_t z = le(a->data + e - 20 + 8, 8);
        if (a->size < 56 || z > a->size - 56 || memcmp(a->data + z, "PK\6\6", 4) != 0)
            return damaged(a, "no ZIP64 end record", z);
        *n = le(a->data + z + 32, 8);
        *at = le(a->data + z + 48, 8);
        *end = z;
    }
    if (*at > *end)
        return damaged(a, "the directory begins behind its end", *at);
    return GG_OK;
}

/* Sizes and position that did not fit 32 bits stand in the extra field 1, in this order, each only if needed. */
static gg_status wide_fields(member *m, const archive *a, const uint8_t *extra, size_t n, uint64_t entry)
{
    uint64_t *field[3] = {&m->size, &m->packed, &m->at};
    for (size_t i = 0; i + 4 <= n;) {
        const size_t len = (size_t)le(extra + i + 2, 2);
        if (len > n - i - 4)
            return damaged(a, "a broken extra field of the entry", entry);
        if (le(extra + i, 2) == 1)
            for (size_t k = 0, used = 0; k < 3; k++)
                if (*field[k] == UINT32_MAX) {
                    if (used + 8 > len)
                        return damaged(a, "a short ZIP64 field of the entry", entry);
                    *field[k] = le(extra + i + 4 + used, 8);
                    used += 8;
                }
        i += 4 + len;
    }
    return GG_OK;
}

static gg_status take_entry(member *m, const archive *a, uint64_t *at, uint64_t end)
{
    const uint64_t entry = *at;
    if (end - entry < 46 || memcmp(a->data + entry, "PK\1\2", 4) != 0)
        return damaged(a, "no directory entry", entry);
    const uint8_t *p = a->data + entry;
    const size_t n_extra = (size_t)le(p + 30, 2), n_comment = (size_t)le(p + 32, 2);
    *m = (member){.name = p + 46, .n_name = (size_t)le(p + 28, 2), .packed = le(p + 20, 4), .size = le(p + 24, 4), .at = le(p + 42, 4),
                  .crc = (uint32_t)le(p + 16, 4), .method = (int)le(p + 10, 2), .flags = (int)le(p + 8, 2)};
    if (end - entry - 46 < m->n_name + n_extra + n_comment)
        return damaged(a, "a directory entry that leaves the directory", entry);
    *at = entry + 46 + m->n_name + n_extra + n_comment;
    return wide_fields(m, a, p + 46 + m->n_name, n_extra, entry);
}

static void *zlib_alloc(void *ctx, unsigned n, unsigned size)
{
    return gg_alloc(ctx, gg_mul(n, size));
}

static void zlib_free(void *ctx, void *p)
{
    gg_drop(ctx, p);
}

/* Unpacks exactly m->size bytes to out. zlib counts in 32 bits, so both sides are fed in parts. */
static gg_status inflate_member(uint8_t *out, const archive *a, const member *m, const uint8_t *packed)
{
    gg_context *ctx = a->t->ctx;
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = ctx};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return GG_ENOMEM;
    uint64_t in_left = m->packed, out_left = m->size;
    z.next_in = (Bytef *)(uintptr_t)packed;
    z.next_out = out;
    int r = Z_OK;
    while (r == Z_OK) {
        if (z.avail_in == 0 && in_left) {
            z.avail_in = in_left > 1u << 30 ? 1u << 30 : (uInt)in_left;
            in_left -= z.avail_in;
        }
        if (z.avail_out == 0 && out_left) {
            z.avail_out = out_left > 1u << 30 ? 1u << 30 : (uInt)out_left;
            out_left -= z.avail_out;
        }
        r = inflate(&z, Z_NO_FLUSH);
    }
    const bool whole = r == Z_STREAM_END && !in_left && !out_left && !z.avail_in && !z.avail_out;
    inflateEnd(&z);
    if (r == Z_MEM_ERROR)
        return GG_ENOMEM;
    if (!whole)
        return gg_fail(ctx, GG_EFORMAT, "%s: the member \"%s\" cannot be unpacked: the archive is damaged", a->file, gg__show(m->name, m->n_name));
    return GG_OK;
}

/* The bytes of a member as they are in the file. */
static gg_status find_packed(const uint8_t **out, archive *a, const member *m)
{
    if (a->size < 30 || m->at > a->size - 30 || memcmp(a->data + m->at, "PK\3\4", 4) != 0)
        return damaged(a, "no local header", m->at);
    const uint64_t begin = m->at + 30 + le(a->data + m->at + 26, 2) + le(a->data + m->at + 28, 2);
    if (begin > a->size || m->packed > a->size - begin)
        return gg_fail(a->t->ctx, GG_EFORMAT, "%s: the member \"%s\" takes %llu bytes from byte %llu, the file ends at byte %zu: it is truncated or damaged",
                       a->file, gg__show(m->name, m->n_name), (unsigned long long)m->packed, (unsigned long long)begin, a->size);
    a->taken += m->packed;
    if (a->taken > a->size)
        return gg_fail(a->t->ctx, GG_EFORMAT, "%s: the members hold more bytes than the archive: they overlap", a->file);
    *out = a->data + begin;
    return GG_OK;
}

static gg_status take_array(archive *a, const member *m)
{
    gg_context *ctx = a->t->ctx;
    const uint8_t *bytes = NULL;
    if (memchr(m->name, 0, m->n_name))
        return gg_fail(ctx, GG_EFORMAT, "%s: the name of the member \"%s\" has a NUL byte in it: the archive is damaged", a->file,
                       gg__show(m->name, m->n_name));
    if (m->flags & 1)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: the member \"%s\" is encrypted", a->file, gg__show(m->name, m->n_name));
    if (m->method != 0 && m->method != 8)
        return gg_fail(ctx, GG_EUNSUPPORTED, "%s: the member \"%s\" is packed with method %d; golgi reads 0 (stored) and 8 (deflated)", a->file,
                       gg__show(m->name, m->n_name), m->method);
    GG_TRY(find_packed(&bytes, a, m));
    if (m->method == 0 && m->packed != m->size)
        return gg_fail(ctx, GG_EFORMAT, "%s: the member \"%s\" is stored, but has two sizes (%llu and %llu bytes): the archive is damaged", a->file,
                       gg__show(m->name, m->n_name), (unsigned long long)m->packed, (unsigned long long)m->size);
    if (m->method == 8) {
        void *copy = NULL;
        if (m->size / 1032 > m->packed + 1)
            return gg_fail(ctx, GG_EFORMAT, "%s: the member \"%s\" claims to unpack from %llu to %llu bytes, more than deflate can: the archive is damaged",
                           a->file, gg__show(m->name, m->n_name), (unsigned long long)m->packed, (unsigned long long)m->size);
        GG_TRY(gg__tensors_copy(&copy, a->t, (size_t)m->size));
        GG_TRY(inflate_member(copy, a, m, bytes));
        bytes = copy;
    }
    if (crc32_z(crc32_z(0, NULL, 0), bytes, (size_t)m->size) != m->crc)
        return gg_fail(ctx, GG_EFORMAT, "%s: the checksum of the member \"%s\" is wrong: the archive is damaged", a->file, gg__show(m->name, m->n_name));
    char *name = gg_strndup(ctx, (const char *)m->name, m->n_name - 4);
    if (!name)
        return GG_ENOMEM;
    const gg_status s = gg__npy_parse(a->t, bytes, (size_t)m->size, a->file, name);
    gg_drop(ctx, name);
    a->n_arrays++;
    return s;
}

gg_status gg__npz_parse(gg_tensors *t, const uint8_t *data, size_t size, const char *file)
{
    archive a = {.t = t, .file = file, .data = data, .size = size};
    uint64_t at = 0, end = 0, n = 0;
    GG_TRY(find_directory(&at, &end, &n, &a));
    for (uint64_t i = 0; i < n; i++) {
        member m = {0};
        GG_TRY(take_entry(&m, &a, &at, end));
        if (m.n_name > 4 && memcmp(m.name + m.n_name - 4, ".npy", 4) == 0)
            GG_TRY(take_array(&a, &m));
        else if (m.n_name >= 8 && memcmp(m.name + m.n_name - 8, "data.pkl", 8) == 0)
            a.is_torch = true;
    }
    if (a.is_torch && !a.n_arrays)
        return gg_fail(t->ctx, GG_EUNSUPPORTED,
                       "%s: a PyTorch checkpoint (a ZIP archive with a pickle, which can run code when opened): convert it to safetensors", file);
    if (n && !a.n_arrays)
        return gg_fail(t->ctx, GG_EFORMAT, "%s: a ZIP archive of %llu files, none of them .npy: expected NPZ", file, (unsigned long long)n);
    return GG_OK;
}
