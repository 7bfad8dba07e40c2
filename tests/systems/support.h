/* What the tests of a system share: a context, a folder that is gone afterwards, and assertions that show the library's message. */
#ifndef GOLGI_TESTS_SYSTEMS_SUPPORT_H
#define GOLGI_TESTS_SYSTEMS_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <golgi/base.h>

static gg_context *ctx;
static char folder[64];

#define assert_ok(call)                                                \
    do {                                                               \
        const gg_status st_ = (call);                                  \
        if (st_ != GG_OK)                                              \
            fail_msg("%s: %s: %s", #call, gg_status_name(st_), gg_message(ctx)); \
    } while (0)
#define assert_says(status, call, part)                                \
    do {                                                               \
        const gg_status st_ = (call);                                  \
        if (st_ != (status) || !strstr(gg_message(ctx), (part)))       \
            fail_msg("%s: %s \"%s\", expected %s \"...%s...\"", #call, gg_status_name(st_), gg_message(ctx), gg_status_name(status), part); \
    } while (0)

/* A path in the folder; good for the next 511 calls. */
static inline const char *at(const char *format, ...)
{
    static char path[512][128];
    static int turn;
    char *p = path[turn = (turn + 1) % 512];
    va_list ap;
    va_start(ap, format);
    const int n = snprintf(p, sizeof path[0], "%s/", folder);
    vsnprintf(p + n, sizeof path[0] - (size_t)n, format, ap);
    va_end(ap);
    return p;
}

static inline int begin_folder(const char *name, int n_threads)
{
    snprintf(folder, sizeof folder, "/tmp/golgi-%s-test-XXXXXX", name);
    return gg_context_create(&ctx, &(gg_context_options){.n_threads = n_threads, .seed = 3}) == GG_OK && mkdtemp(folder) ? 0 : -1;
}

/* Every byte that was asked for must have been given back. */
static inline int end_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    const int rc = system(command);
    const size_t left = gg_context_bytes(ctx, NULL);
    if (left)
        fprintf(stderr, "%zu bytes were not freed\n", left);
    gg_context_free(ctx);
    return rc == 0 && left == 0 ? 0 : -1;
}
#endif
