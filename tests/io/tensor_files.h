/* What the tests of tensor files share: bytes put together one by one, files read whole, everything of a table touched. */
#ifndef TESTS_IO_TENSOR_FILES_H
#define TESTS_IO_TENSOR_FILES_H
#include "io/support.h"
#include "io/tensors.h"
#define GOLDEN "tests/golden/tensors/"

typedef struct bytes {
    uint8_t at[4096];
    size_t n;
} bytes;

static inline void put(bytes *b, const void *p, size_t n)
{
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, p, n);
    b->n += n;
}
static inline void put_u32(bytes *b, uint32_t v) { put(b, &v, 4); }
static inline void put_u64(bytes *b, uint64_t v) { put(b, &v, 8); }
static inline void put_f32(bytes *b, float v) { put(b, &v, 4); }
static inline void put_text(bytes *b, const char *s)
{
    put_u64(b, strlen(s));
    put(b, s, strlen(s));
}
static inline void put_zeros(bytes *b, size_t n)
{
    while (n--)
        put(b, "", 1);
}
static inline void pad_to(bytes *b, size_t multiple)
{
    while (b->n % multiple)
        put(b, "", 1);
}

/* The head of a GGUF file. */
static inline bytes gguf_head(uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    bytes b = {.n = 0};
    put(&b, "GGUF", 4);
    put_u32(&b, version);
    put_u64(&b, n_tensors);
    put_u64(&b, n_keys);
    return b;
}
static inline void put_key(bytes *b, const char *key, uint32_t type)
{
    put_text(b, key);
    put_u32(b, type);
}
/* A description of a two-dimensional tensor; extents as in the file, fastest first. */
static inline void put_tensor(bytes *b, const char *name, uint64_t columns, uint64_t rows, uint32_t type, uint64_t offset)
{
    put_text(b, name);
    put_u32(b, 2);
    put_u64(b, columns);
    put_u64(b, rows);
    put_u32(b, type);
    put_u64(b, offset);
}

/* A safetensors file with this header and n zero bytes of data. */
static inline bytes safe_file(const char *header, size_t n)
{
    bytes b = {.n = 0};
    put_text(&b, header);
    put_zeros(&b, n);
    return b;
}

/* A whole file in exactly as many bytes (so that a sanitizer sees the first one behind it). Freed by free(). */
static inline uint8_t *read_whole(size_t *n, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there (run from the root of the repository)", path);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(*n ? *n : 1);
    assert_int_equal(fread(data, 1, *n, f), *n);
    fclose(f);
    return data;
}

static inline gg_tensors *opened(const char *path)
{
    gg_tensors *t = NULL;
    if (gg_tensors_open(&t, ctx, path) != GG_OK)
        fail_msg("%s", gg_message(ctx));
    return t;
}

static inline gg_tensors *parsed(const bytes *b, const char *name)
{
    gg_tensors *t = NULL;
    if (gg__tensors_parse(&t, ctx, b->at, b->n, name) != GG_OK)
        fail_msg("%s", gg_message(ctx));
    return t;
}

/* Reads every byte of data and every piece of metadata, as a user might. */
static inline uint64_t touch(const gg_tensors *t)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < gg_tensors_count(t); i++) {
        const gg_tensor *w = gg_tensors_at(t, i);
        assert_ptr_equal(gg_tensors_find(t, w->name), w);
        for (int64_t k = 0; k < w->n_bytes; k++)
            sum += ((const uint8_t *)w->data)[k];
    }
    const char *key, *text;
    for (int64_t i = 0; (key = gg_tensors_key(t, i)); i++) {
        char about[200];
        gg_tensors_describe(t, key, about, sizeof about);
        sum += strlen(about);
        if (gg_tensors_text(t, key, &text))
            sum += strlen(text);
        const int64_t n = gg_tensors_array(t, key);
        for (int64_t k = -1; k <= n && k < 100000; k++) {
            size_t len;
            double d;
            int64_t whole;
            bool b;
            if (gg_tensors_array_text(t, key, k, &text, &len))
                for (size_t c = 0; c < len; c++)
                    sum += (uint8_t)text[c];
            sum += gg_tensors_array_double(t, key, k, &d) + gg_tensors_array_int(t, key, k, &whole) + gg_tensors_array_bool(t, key, k, &b);
        }
    }
    return sum;
}

/* Element i is (i - 5) / 4, in integers i - 5, in booleans i % 3 == 0: what tests/golden/tensors.py wrote. `add` is added to it. */
static inline void expect_ramp_plus(const gg_tensor *w, double add)
{
    assert_non_null(w);
    int64_t n = 1;
    for (int d = 0; d < w->n_dims; d++)
        n *= w->shape[d];
    assert_int_equal(w->n_bytes, gg_dtype_bytes(w->dtype, n));
    for (int64_t i = 0; i < n; i++) {
        const double f = (double)(i - 5) / 4 + add;
        const int64_t whole = i - 5;
        bool same = false;
        float f32;
        switch (w->dtype) {
        case GG_F64: same = ((const double *)w->data)[i] == f; break;
        case GG_I8: same = ((const int8_t *)w->data)[i] == (int8_t)whole; break;
        case GG_U8: same = ((const uint8_t *)w->data)[i] == (uint8_t)whole; break;
        case GG_I16: same = ((const int16_t *)w->data)[i] == (int16_t)whole; break;
        case GG_U16: same = ((const uint16_t *)w->data)[i] == (uint16_t)whole; break;
        case GG_I32: same = ((const int32_t *)w->data)[i] == (int32_t)whole; break;
        case GG_U32: same = ((const uint32_t *)w->data)[i] == (uint32_t)whole; break;
        case GG_I64: same = ((const int64_t *)w->data)[i] == whole; break;
        case GG_U64: same = ((const uint64_t *)w->data)[i] == (uint64_t)whole; break;
        case GG_BOOL: same = ((const uint8_t *)w->data)[i] == (i % 3 == 0); break;
        default:
            assert_int_equal(gg_to_f32(&f32, (const char *)w->data + i * gg_dtype_block_bytes(w->dtype), w->dtype, 1), GG_OK);
            same = f32 == (float)f;
        }
        if (!same)
            fail_msg("%s: element %lld is wrong", w->name, (long long)i);
    }
}
static inline void expect_ramp(const gg_tensor *w) { expect_ramp_plus(w, 0); }

static inline void expect_shape(const gg_tensor *w, gg_dtype t, int n_dims, int64_t a, int64_t b, int64_t c)
{
    assert_non_null(w);
    assert_int_equal(w->dtype, t);
    assert_int_equal(w->n_dims, n_dims);
    const int64_t shape[3] = {a, b, c};
    for (int d = 0; d < n_dims; d++)
        assert_int_equal(w->shape[d], shape[d]);
}
#endif
