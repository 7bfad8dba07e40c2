/* What the tests of plots share: a folder of their own, contexts that count and refuse, files read back, PATHs with and without gnuplot. */
#ifndef GG_TESTS_PLOT_SUPPORT_H
#define GG_TESTS_PLOT_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "ration.h"
#include "base/memory.h"

#define assert_text_has(text, part)                                             \
    do {                                                                        \
        const char *text_ = (text), *part_ = (part);                            \
        if (!strstr(text_, part_))                                              \
            fail_msg("\"%.3000s\" does not say \"%s\"", text_, part_);          \
    } while (0)

#define assert_ok(ctx, call)                                                    \
    do {                                                                        \
        const gg_status s_ = (call);                                            \
        if (s_ != GG_OK)                                                        \
            fail_msg("%s: %s", gg_status_name(s_), gg_message(ctx));            \
    } while (0)

#define assert_fails(ctx, call, status, part)                                   \
    do {                                                                        \
        assert_string_equal(gg_status_name(call), gg_status_name(status));      \
        assert_text_has(gg_message(ctx), part);                                 \
    } while (0)

/* ---- a folder ---- */

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/golgi-plot-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int drop_folder(void **state)
{
    (void)state;
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    return system(line);
}

/* A path in the folder; four may be in use at once. */
static inline const char *in(const char *name)
{
    static char path[4][256];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static inline bool there(const char *name)
{
    struct stat st;
    return stat(in(name), &st) == 0;
}

static inline void put(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(in(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(in(name), mode), 0);
}

/* The whole file, NUL behind it; freed by free. */
static inline char *take(const char *name, size_t *n)
{
    FILE *f = fopen(in(name), "rb");
    if (!f)
        fail_msg("%s is not there", in(name));
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    const long size = ftell(f);
    rewind(f);
    char *data = malloc((size_t)size + 1);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    fclose(f);
    data[size] = 0;
    if (n)
        *n = (size_t)size;
    return data;
}

/* ---- contexts ---- */

static char heard[4096]; /* what the context of this test logged */
static inline void hear(void *user, gg_log_level level, const char *text)
{
    (void)user;
    (void)level;
    snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%s\n", text);
}

static inline int make_context(void **state)
{
    heard[0] = 0;
    return gg_context_create((gg_context **)state, &(gg_context_options){.n_threads = 1, .log = hear});
}

/* Every byte that was asked for must have been given back. */
static inline int drop_context(void **state)
{
    const size_t held = gg_context_bytes(*state, NULL);
    gg_context_free(*state);
    if (held != 0)
        fprintf(stderr, "%zu bytes were not given back\n", held);
    return held != 0;
}

/* ---- programs ---- */

static char usual_path[4096];

static inline void set_path(const char *path)
{
    if (!*usual_path)
        snprintf(usual_path, sizeof usual_path, "%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    setenv("PATH", path ? path : usual_path, 1);
}

static inline bool have(const char *program)
{
    char line[128];
    snprintf(line, sizeof line, "command -v %s > /dev/null 2>&1", program);
    return system(line) == 0;
}
#endif
