/* Work beside the caller's: its end is waited for, its message comes with it, and what nobody wants stops. */
#include "context.h"
#include "base/beside.h"
#include "base/context.h"
#include "base/memory.h"
#include <errno.h>

typedef struct meeting {
    atomic_bool caller_went_on, ended;
    pthread_t who;
} meeting;

/* Ends only when the caller has come back from starting it. */
static gg_status wait_for_caller(void *user)
{
    meeting *m = user;
    m->who = pthread_self();
    while (!atomic_load(&m->caller_went_on) && !gg_beside_unwanted())
        usleep(100);
    atomic_store(&m->ended, true);
    return gg_fail(ctx, GG_EFORMAT, "line %d of what was read", 7);
}

static void the_caller_goes_on_and_the_message_comes_at_the_end(void **state)
{
    (void)state;
    meeting m = {0};
    gg_beside *b = NULL;
    assert_int_equal(gg_beside_start(&b, ctx, wait_for_caller, &m), GG_OK);
    gg_fail(ctx, GG_EINVAL, "mine");
    atomic_store(&m.caller_went_on, true);
    while (!atomic_load(&m.ended))
        usleep(100);
    assert_string_equal(gg_message(ctx), "mine");
    assert_int_equal(gg_beside_end(b), GG_EFORMAT);
    assert_string_equal(gg_message(ctx), "line 7 of what was read");
    assert_false(pthread_equal(m.who, pthread_self()));
}

static void what_is_dropped_is_told_and_says_nothing(void **state)
{
    (void)state;
    meeting m = {0};
    gg_beside *b = NULL;
    gg_fail(ctx, GG_EINVAL, "mine");
    assert_int_equal(gg_beside_start(&b, ctx, wait_for_caller, &m), GG_OK);
    gg_beside_drop(b); /* would never come back if the body were not told */
    assert_true(atomic_load(&m.ended));
    assert_string_equal(gg_message(ctx), "mine");
    assert_false(gg_beside_unwanted());
    gg_beside_drop(NULL);
}

/* No thread to be had: --wrap=pthread_create in the Makefile. */
extern int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg);
static bool refused;
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    return refused ? EAGAIN : __real_pthread_create(t, a, f, arg);
}

static gg_status note_who(void *user)
{
    ((meeting *)user)->who = pthread_self();
    atomic_store(&((meeting *)user)->ended, true);
    return GG_OK;
}

static void without_a_thread_it_is_done_at_the_end(void **state)
{
    (void)state;
    meeting m = {0};
    gg_beside *b = NULL;
    refused = true;
    assert_int_equal(gg_beside_start(&b, ctx, note_who, &m), GG_OK);
    assert_false(m.ended);
    assert_int_equal(gg_beside_end(b), GG_OK);
    assert_true(m.ended && pthread_equal(m.who, pthread_self()));
    m.ended = false;
    assert_int_equal(gg_beside_start(&b, ctx, note_who, &m), GG_OK);
    gg_beside_drop(b);
    refused = false;
    assert_false(m.ended); /* nobody wanted it */
}

static void *no_memory(void *user, void *old, size_t old_size, size_t new_size)
{
    (void)user, (void)old, (void)old_size, (void)new_size;
    return NULL;
}

static void without_memory_nothing_is_started(void **state)
{
    (void)state;
    gg_beside *b = NULL;
    meeting m = {0};
    const gg_allocator before = ctx->allocator;
    ctx->allocator = (gg_allocator){.resize = no_memory};
    assert_int_equal(gg_beside_start(&b, ctx, note_who, &m), GG_ENOMEM);
    ctx->allocator = before;
    assert_null(b);
    assert_false(m.ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caller_goes_on_and_the_message_comes_at_the_end),
        cmocka_unit_test(what_is_dropped_is_told_and_says_nothing),
        cmocka_unit_test(without_a_thread_it_is_done_at_the_end),
        cmocka_unit_test(without_memory_nothing_is_started),
    };
    return cmocka_run_group_tests(tests, context_open, context_close);
}
