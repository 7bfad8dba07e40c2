/* Small things the files of systems/nag share: a checksum, columns of rows, a table of docids.
 *
 * XXH64: Yann Collet's, seed 0 for .nag files, as described in xxHash's specification (doc/xxhash_spec.md); chosen because readers
 * exist in every language and it runs at memory speed, so that checking a block costs less than ranking it.
 */
#include "systems/nag/nag_internal.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- XXH64 ---------------------------------------------------------------------------------------------------------------- */
#define P1 0x9E3779B185EBCA87ull
#define P2 0xC2B2AE3D27D4EB4Full
#define P3 0x165667B19E3779F9ull
#define P4 0x85EBCA77C2B2AE63ull
#define P5 0x27D4EB2F165667C5ull

static inline uint64_t rotate(uint64_t x, int r) { return x << r | x >> (64 - r); }
static inline uint64_t read64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}
static inline uint64_t lane(uint64_t acc, uint64_t x) { return rotate(acc + x * P2, 31) * P1; }
static inline uint64_t merge(uint64_t acc, uint64_t x) { return (acc ^ lane(0, x)) * P1 + P4; }

uint64_t gg__xxh64(const void *data, size_t n, uint64_t seed)
{
    const uint8_t *p = data, *end = p + n;
    uint64_t h;
    if (n >= 32) {
        uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
        for (; end - p >= 32; p += 32) {
            a = lane(a, read64(p));
            b = lane(b, read64(p + 8));
            c = lane(c, read64(p + 16));
            d = lane(d, read64(p + 24));
        }
        h = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
        h = merge(merge(merge(merge(h, a), b), c), d);
    } else {
        h = seed + P5;
    }
    h += n;
    for (; end - p >= 8; p += 8)
        h = rotate(h ^ lane(0, read64(p)), 27) * P1 + P4;
    if (end - p >= 4) {
        uint32_t x;
        memcpy(&x, p, 4);
        h = rotate(h ^ x * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++)
        h = rotate(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

/* --- the largest index ------------------------------------------------------------------------------------------------------ */
/* A loop that compilers turn into vector maxima; those of 16 bits without a sign came after SSE2. */
static inline __attribute__((always_inline)) uint16_t largest_of(const uint16_t *index, int64_t n)
{
    uint16_t most = 0;
    for (int64_t i = 0; i < n; i++)
        most = index[i] > most ? index[i] : most;
    return most;
}
#if defined(__x86_64__)
static __attribute__((target("avx2"))) uint16_t largest_avx2(const uint16_t *index, int64_t n) { return largest_of(index, n); }
#endif

uint32_t gg__nag_largest(const void *index, int index_bytes, int64_t n)
{
#if defined(__x86_64__)
    if (index_bytes == 2 && __builtin_cpu_supports("avx2"))
        return largest_avx2(index, n);
#endif
    if (index_bytes == 2)
        return largest_of(index, n);
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++)
        most = ((const uint32_t *)index)[i] > most ? ((const uint32_t *)index)[i] : most;
    return most;
}

/* --- columns --------------------------------------------------------------------------------------------------------------- */
json_t *gg__nag_column(json_t *row, const char *name)
{
    json_t *v = json_object_get(row, name);
    for (const char *dot = strchr(name, '.'); dot && !v; dot = strchr(dot + 1, '.')) { /* a.b.c: c of b of a, or c of a.b */
        json_t *inner = json_object_getn(row, name, (size_t)(dot - name));
        if (json_is_object(inner))
            v = gg__nag_column(inner, dot + 1);
    }
    return json_is_null(v) ? NULL : v;
}

const char *gg__nag_docid(json_t *row, char buffer[32])
{
    static const char *const names[] = {"docid", "meta.docid", "id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *v = gg__nag_column(row, names[i]);
        if (json_is_string(v))
            return json_string_value(v);
        if (json_is_integer(v)) {
            snprintf(buffer, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
            return buffer;
        }
    }
    return NULL;
}

bool gg__nag_number(double *out, const json_t *value)
{
    double x;
    if (json_is_number(value)) {
        x = json_number_value(value);
    } else if (json_is_string(value)) {
        const char *s = json_string_value(value);
        char *end;
        x = strtod(s, &end);
        while (*end == ' ')
            end++;
        if (end == s || *end)
            return false;
    } else {
        return false;
    }
    if (isnan(x))
        return false;
    *out = x;
    return true;
}

void gg__nag_columns(gg_str *out, json_t *row)
{
    const char *key;
    json_t *value;
    const char *between = "";
    json_object_foreach(row, key, value) {
        gg_str_printf(out, "%s%s", between, key);
        between = ", ";
    }
    if (!*between)
        gg_str_puts(out, "none");
}

/* --- docids ---------------------------------------------------------------------------------------------------------------- */
static int64_t slot_of(const gg__docids *d, const char *docid, uint64_t h)
{
    int64_t i = (int64_t)(h & (uint64_t)(d->n_slots - 1));
    while (d->slot[i] && !(d->hash[i] == h && strcmp(d->at[d->slot[i] - 1], docid) == 0))
        i = (i + 1) & (d->n_slots - 1);
    return i;
}

static gg_status widen(gg__docids *d)
{
    const int64_t n = d->n_slots ? 2 * d->n_slots : 1024;
    int64_t *slot = gg_new(d->ctx, int64_t, n);
    uint64_t *hash = gg_new(d->ctx, uint64_t, n);
    if (!slot || !hash) {
        gg_drop(d->ctx, slot);
        gg_drop(d->ctx, hash);
        return GG_ENOMEM;
    }
    for (int64_t i = 0; i < d->n_slots; i++) {
        if (!d->slot[i])
            continue;
        int64_t j = (int64_t)(d->hash[i] & (uint64_t)(n - 1));
        while (slot[j])
            j = (j + 1) & (n - 1);
        slot[j] = d->slot[i];
        hash[j] = d->hash[i];
    }
    gg_drop(d->ctx, d->slot);
    gg_drop(d->ctx, d->hash);
    d->slot = slot;
    d->hash = hash;
    d->n_slots = n;
    return GG_OK;
}

gg_status gg__docids_add(gg__docids *d, const char *docid, int64_t *found)
{
    if (2 * (d->n + 1) > d->n_slots)
        GG_TRY(widen(d));
    GG_TRY(gg_grow(d->ctx, &d->at, d->n, &d->cap, 512));
    const uint64_t h = gg__xxh64(docid, strlen(docid), 1);
    const int64_t i = slot_of(d, docid, h);
    *found = d->slot[i] - 1;
    d->at[d->n++] = docid;
    if (*found < 0) {
        d->slot[i] = d->n;
        d->hash[i] = h;
    }
    return GG_OK;
}

int64_t gg__docids_find(const gg__docids *d, const char *docid)
{
    return d->n_slots ? d->slot[slot_of(d, docid, gg__xxh64(docid, strlen(docid), 1))] - 1 : -1;
}

void gg__docids_free(gg__docids *d)
{
    gg_drop(d->ctx, d->slot);
    gg_drop(d->ctx, d->hash);
    gg_drop(d->ctx, d->at);
    *d = (gg__docids){.ctx = d->ctx};
}
