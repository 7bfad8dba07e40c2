/* What the tests of this floor share. The group's state is a context. */
#ifndef GG_TESTS_NEURON_SUPPORT_H
#define GG_TESTS_NEURON_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <golgi/base.h>

static inline int make_context(void **state)
{
    return gg_context_create((gg_context **)state, &(gg_context_options){.n_threads = 2});
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

#define assert_text_has(text, part)                                             \
    do {                                                                        \
        const char *text_ = (text);                                             \
        if (!strstr(text_, (part)))                                             \
            fail_msg("\"%s\" does not say \"%s\"", text_, (part));              \
    } while (0)
#endif
