/* A libFuzzer target: static void fuzz_one(ctx, path) { ... } FUZZ_TARGET(ending). The bytes become a file with the ending that the format has,
 * and are read through the library's front door, as a person's file would be. Built by `make fuzz` (clang); tests/fuzz/replay_test.c gives the
 * kept files to the same functions in plain and sanitized builds. */
#ifndef GG_TESTS_FUZZ_H
#define GG_TESTS_FUZZ_H
#include <golgi/golgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_TARGET(ending)                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);                       \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)                        \
    {                                                                                \
        char path[64];                                                               \
        snprintf(path, sizeof path, "/tmp/golgi-fuzz-%d%s", (int)getpid(), ending);  \
        FILE *f = fopen(path, "wb");                                                 \
        if (!f || fwrite(data, 1, n, f) != n || fclose(f))                           \
            abort();                                                                 \
        gg_context *ctx = NULL;                                                      \
        if (gg_context_create(&ctx, &(gg_context_options){.n_threads = 1}) != GG_OK) \
            abort();                                                                 \
        fuzz_one(ctx, path);                                                         \
        if (gg_context_bytes(ctx, NULL) != 0)                                        \
            abort(); /* something was not given back */                              \
        gg_context_free(ctx);                                                        \
        unlink(path);                                                                \
        return 0;                                                                    \
    }
#endif
