/* What the tests of all floors share: contexts that must have been given everything back, a folder that is gone afterwards, files in it, and assertions
 * that show what the library says.
 */
#ifndef GG_TESTS_SUPPORT_H
#define GG_TESTS_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <golgi/base.h>

#define assert_text_has(text, part)                                             \
    do {                                                                        \
        const char *text_ = (text), *part_ = (part);                            \
        if (!strstr(text_, part_))                                              \
            fail_msg("\"%.3000s\" does not say \"%s\"", text_, part_);          \
    } while (0)

#define assert_ok_of(context, call, shown)                                                 \
    do {                                                                                   \
        const gg_status st_ = (call);                                                      \
        if (st_ != GG_OK)                                                                  \
            fail_msg("%s: %s: %s", shown, gg_status_name(st_), gg_message(context));       \
    } while (0)
#define assert_fails_of(context, call, shown, status, part)                                                                    \
    do {                                                                                                                       \
        const gg_status st_ = (call);                                                                                          \
        if (st_ != (status) || !strstr(gg_message(context), (part)))                                                           \
            fail_msg("%s: %s \"%s\", expected %s \"...%s...\"", shown, gg_status_name(st_), gg_message(context), gg_status_name(status), part); \
    } while (0)
#define assert_ok_in(context, call) assert_ok_of(context, call, #call)
#define assert_fails(context, call, status, part) assert_fails_of(context, call, #call, status, part)

/* --- contexts: as the state of a group or a test; of a floor that has one for all, context.h ----------------------------- */

static inline int make_context(void **state)
{
    return gg_context_create((gg_context **)state, &(gg_context_options){.n_threads = 2});
}

/* Every byte that was asked for must have been given back. */
static inline int context_end(gg_context *context)
{
    const size_t held = gg_context_bytes(context, NULL);
    gg_context_free(context);
    if (held != 0)
        fprintf(stderr, "%zu bytes were not given back\n", held);
    return held != 0;
}

static inline int drop_context(void **state) { return context_end(*state); }

/* --- a folder --------------------------------------------------------------------------------------------------------- */

static char test_folder[64];

static inline int folder_make(const char *name)
{
    snprintf(test_folder, sizeof test_folder, "/tmp/golgi-%s-test-XXXXXX", name);
    return mkdtemp(test_folder) == NULL;
}

static inline int folder_remove(void)
{
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", test_folder);
    return system(line) != 0;
}

static inline int drop_context_and_folder(void **state)
{
    const int failed = folder_remove();
    return drop_context(state) || failed;
}

/* A path in the folder; good for the next 511 calls. */
static inline const char *at(const char *format, ...)
{
    static char path[512][256];
    static int turn;
    char *p = path[turn = (turn + 1) % 512];
    va_list ap;
    va_start(ap, format);
    const int n = snprintf(p, sizeof path[0], "%s/", test_folder);
    vsnprintf(p + n, sizeof path[0] - (size_t)n, format, ap);
    va_end(ap);
    return p;
}

static inline const char *write_bytes(const char *name, const void *data, size_t n)
{
    const char *path = at("%s", name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}
static inline const char *write_text_file(const char *name, const char *text) { return write_bytes(name, text, strlen(text)); }

/* A whole file with a NUL behind it; freed by free(). n may be NULL. */
static inline char *read_file(size_t *n, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read (tests run from the root of the repository)", path);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    const size_t size = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(size + 1);
    assert_int_equal(fread(data, 1, size, f), size);
    fclose(f);
    data[size] = 0;
    if (n)
        *n = size;
    return data;
}

static inline void assert_same_file(const char *a, const char *b)
{
    size_t n_a, n_b;
    char *x = read_file(&n_a, a), *y = read_file(&n_b, b);
    if (n_a != n_b || memcmp(x, y, n_a) != 0)
        fail_msg("%s and %s differ", a, b);
    free(x);
    free(y);
}
#endif
