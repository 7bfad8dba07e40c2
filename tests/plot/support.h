/* What the tests of plots share: a folder of their own, contexts that count and refuse, files read back, PATHs with and without gnuplot. */
#ifndef GG_TESTS_PLOT_SUPPORT_H
#define GG_TESTS_PLOT_SUPPORT_H
#include <sys/stat.h>
#include "../support.h"
#include "ration.h"
#include "base/memory.h"

/* ---- a folder ---- */

static inline int make_folder(void **state)
{
    (void)state;
    return folder_make("plot");
}

static inline int drop_folder(void **state)
{
    (void)state;
    return folder_remove();
}

static inline bool there(const char *name)
{
    struct stat st;
    return stat(at("%s", name), &st) == 0;
}

static inline void put(const char *name, const char *text, mode_t mode) { assert_int_equal(chmod(write_text_file(name, text), mode), 0); }

/* ---- contexts ---- */

static char heard[4096]; /* what the context of this test logged */
static inline void hear(void *user, gg_log_level level, const char *text)
{
    (void)user;
    (void)level;
    snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%s\n", text);
}

static inline int make_listener(void **state)
{
    heard[0] = 0;
    return gg_context_create((gg_context **)state, &(gg_context_options){.n_threads = 1, .log = hear});
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
