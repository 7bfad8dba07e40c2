/* What the tests of this floor share: a folder and a context as the group's state, random numbers, encoding in one call, vocabularies written as GGUF
 * files.
 */
#ifndef GG_TESTS_TEXT_SUPPORT_H
#define GG_TESTS_TEXT_SUPPORT_H
#include <time.h>
#include <jansson.h>
#include <golgi/golgi.h>
#include "../support.h"
#include "ration.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/text.h"

#define GOLDEN "tests/golden/"

static inline int begin(void **state) { return folder_make("text") || make_context(state); }

static inline gg_tokenizer *open_gguf(gg_context *ctx, const char *path)
{
    gg_tensors *m = NULL;
    gg_tokenizer *t = NULL;
    assert_ok_in(ctx, gg_tensors_open(&m, ctx, path));
    assert_ok_in(ctx, gg_tokenizer_open(&t, ctx, m));
    gg_tensors_free(m); /* nothing of it is needed any more */
    return t;
}

static inline gg_tokenizer *open_json(gg_context *ctx, const char *path)
{
    gg_tokenizer *t = NULL;
    assert_ok_in(ctx, gg_tokenizer_open_json(&t, ctx, path));
    return t;
}

static inline json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *j = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!j)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return j;
}

/* --- comparing ------------------------------------------------------------------------------------------------------- */

/* What differs: the first ids that do, and the text (as JSON, so that every character can be seen). Lives until the next call. */
static inline const char *difference(const char *what, const char *text, size_t n, const gg_token_list *got, const int32_t *want, int64_t n_want)
{
    static char line[4096];
    int64_t at = 0;
    while (at < got->n && at < n_want && got->id[at] == want[at])
        at++;
    json_t *j = json_stringn(text, n < 400 ? n : 400);
    char *shown = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
    int k = snprintf(line, sizeof line, "%s: %lld ids, expected %lld", what, (long long)got->n, (long long)n_want);
    for (int64_t i = at > 3 ? at - 3 : 0; i < at + 6; i++)
        k += snprintf(line + k, sizeof line - (size_t)k, "\n    id %lld: %d, expected %d", (long long)i, i < got->n ? got->id[i] : -1,
                      i < n_want ? want[i] : -1);
    snprintf(line + k, sizeof line - (size_t)k, "\n    of %s", shown ? shown : "(bytes)");
    json_decref(j);
    free(shown);
    return line;
}

static inline bool same_ids(const gg_token_list *got, const int32_t *want, int64_t n_want)
{
    return got->n == n_want && (!n_want || !memcmp(got->id, want, (size_t)n_want * sizeof *want));
}

static inline void assert_ids(const char *what, const char *text, size_t n, const gg_token_list *got, const int32_t *want, int64_t n_want)
{
    if (!same_ids(got, want, n_want))
        fail_msg("%s", difference(what, text, n, got, want, n_want));
}

static inline int64_t ids_of_json(int32_t **out, const json_t *list)
{
    const size_t n = json_array_size(list);
    *out = malloc((n + 1) * sizeof **out);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return (int64_t)n;
}

static inline void assert_encodes(gg_context *ctx, const gg_tokenizer *t, const char *what, const json_t *text, const json_t *ids, int flags)
{
    gg_token_list got = {.ctx = ctx};
    int32_t *want;
    const int64_t n = ids_of_json(&want, ids);
    assert_ok_in(ctx, gg_tokenizer_encode(t, &got, json_string_value(text), json_string_length(text), 0, flags));
    assert_ids(what, json_string_value(text), json_string_length(text), &got, want, n);
    gg_token_list_free(&got);
    free(want);
}

/* However few ids are wanted, they are those that the whole text begins with. The bounds: all small ones, then ever larger steps. The windows
 * that the library reads are made tiny, so that they end everywhere. */
static inline void assert_prefixes(gg_context *ctx, gg_tokenizer *t, const char *what, const char *text, size_t n, int flags)
{
    gg_token_list all = {.ctx = ctx}, some = {.ctx = ctx};
    const int64_t per_id = t->per_id, ahead = t->ahead, block = t->block;
    assert_ok_in(ctx, gg_tokenizer_encode(t, &all, text, n, 0, flags));
    for (int64_t max = 1, k = 0; max <= all.n + 1; max += 1 + max / 8, k++) {
        t->per_id = 1;
        t->ahead = k % 5;
        t->block = k % 3 ? 4 + k % 60 : block;
        assert_ok_in(ctx, gg_tokenizer_encode(t, &some, text, n, max, flags));
        assert_ids(what, text, n, &some, all.id, max < all.n ? max : all.n);
    }
    for (int64_t end = 2; end < (int64_t)n && n <= 64; end++) /* windows of every length, and about as many ids as they hold */
        for (int64_t k = -1; k <= 1; k++) {
            const int64_t about = all.n * end / (int64_t)n + k, max = about > 0 ? about : 1;
            t->per_id = 1;
            t->ahead = end > max ? end - max : 0;
            assert_ok_in(ctx, gg_tokenizer_encode(t, &some, text, n, max, flags));
            assert_ids(what, text, n, &some, all.id, max < all.n ? max : all.n);
        }
    t->per_id = per_id;
    t->ahead = ahead;
    t->block = block;
    gg_token_list_free(&all);
    gg_token_list_free(&some);
}

/* --- random -------------------------------------------------------------------------------------------------------- */

static uint64_t state_of_random = 88172645463325252u;
static inline uint32_t rnd(uint32_t n) /* 0 .. n - 1 */
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (uint32_t)((state_of_random >> 20) % n);
}

/* --- GGUF ------------------------------------------------------------------------------------------------------------ */

enum { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6, GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9 };

/* A GGUF file without tensors: keys as they are added. */
typedef struct gguf {
    FILE *f;
    char *bytes;
    size_t n_bytes;
    uint64_t n_keys;
} gguf;

static inline void put_u32(FILE *f, uint32_t x) { fwrite(&x, 4, 1, f); }
static inline void put_u64(FILE *f, uint64_t x) { fwrite(&x, 8, 1, f); }
static inline void put_textn(FILE *f, const char *s, size_t n)
{
    put_u64(f, n);
    fwrite(s, 1, n, f);
}
static inline void gguf_key(gguf *g, const char *key, uint32_t type)
{
    if (!g->f)
        g->f = open_memstream(&g->bytes, &g->n_bytes);
    put_textn(g->f, key, strlen(key));
    put_u32(g->f, type);
    g->n_keys++;
}
static inline void gguf_text(gguf *g, const char *key, const char *s)
{
    gguf_key(g, key, GGUF_STRING);
    put_textn(g->f, s, strlen(s));
}
static inline void gguf_int(gguf *g, const char *key, uint32_t x)
{
    gguf_key(g, key, GGUF_U32);
    put_u32(g->f, x);
}
static inline void gguf_bool(gguf *g, const char *key, bool x)
{
    gguf_key(g, key, GGUF_BOOL);
    fputc(x, g->f);
}
static inline void gguf_texts(gguf *g, const char *key, const char *const *s, const size_t *len, int64_t n) /* len NULL: strlen */
{
    gguf_key(g, key, GGUF_ARRAY);
    put_u32(g->f, GGUF_STRING);
    put_u64(g->f, (uint64_t)n);
    for (int64_t i = 0; i < n; i++)
        put_textn(g->f, s[i], len ? len[i] : strlen(s[i]));
}
static inline void gguf_words(gguf *g, const char *key, uint32_t type, const void *x, int64_t n) /* 32-bit values */
{
    gguf_key(g, key, GGUF_ARRAY);
    put_u32(g->f, type);
    put_u64(g->f, (uint64_t)n);
    fwrite(x, 4, (size_t)n, g->f);
}
static inline const char *gguf_write(gguf *g)
{
    const char *path = at("vocab.gguf");
    fclose(g->f);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite("GGUF", 1, 4, f);
    put_u32(f, 3);
    put_u64(f, 0);
    put_u64(f, g->n_keys);
    fwrite(g->bytes, 1, g->n_bytes, f);
    while (ftell(f) % 32)
        fputc(0, f);
    assert_int_equal(fclose(f), 0);
    free(g->bytes);
    *g = (gguf){0};
    return path;
}
#endif
