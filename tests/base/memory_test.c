/* What base promises about memory, messages and the context. */
#include "ration.h"
#include "base/memory.h"
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static gg_context *make(void)
{
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, NULL), GG_OK);
    return ctx;
}

static void memory_is_aligned_zeroed_and_counted(void **state)
{
    (void)state;
    gg_context *ctx = make();
    for (size_t n = 0; n < 300; n += 7) {
        char *p = gg_alloc(ctx, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 1, n);
        p = gg_realloc(ctx, p, 2 * n + 1);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t i = 0; i < 2 * n + 1; i++)
            assert_int_equal(p[i], i < n);
        gg_drop(ctx, p);
    }
    size_t peak = 0;
    assert_int_equal(gg_context_bytes(ctx, &peak), 0);
    assert_true(peak >= 294 && peak < 2000);
    assert_true(gg_context_allocations(ctx) == 2 * 43);
    gg_context_free(ctx);
}

static void an_absurd_size_is_refused_with_a_message(void **state)
{
    (void)state;
    gg_context *ctx = make();
    char *p = gg_alloc(ctx, 10);
    assert_null(gg_new(ctx, double, INT64_MAX));
    assert_null(gg_new(ctx, double, -1));
    assert_null(gg_renew(ctx, p, double, INT64_MAX / 2));
    assert_non_null(strstr(gg_message(ctx), "out of memory"));
    p[9] = 1; /* still ours */
    gg_drop(ctx, p);
    assert_int_equal(gg_context_bytes(ctx, NULL), 0);
    gg_context_free(ctx);
}

static void an_array_doubles_and_stays_where_there_is_no_more(void **state)
{
    (void)state;
    gg_context *ctx = make();
    int32_t *a = NULL;
    int64_t cap = 0;
    for (int32_t n = 0; n < 100; n++) {
        assert_int_equal(gg_grow(ctx, &a, n, &cap, 3), GG_OK);
        assert_int_equal(a[n], 0);
        a[n] = n;
    }
    assert_int_equal(cap, 192);
    assert_int_equal(gg_context_allocations(ctx), 7); /* 3, 6, ... 192 */
    for (int32_t n = 0; n < 100; n++)
        assert_int_equal(a[n], n);
    const int32_t *before = a;
    int64_t absurd = INT64_MAX / 4;
    assert_int_equal(gg_grow(ctx, &a, absurd, &absurd, 3), GG_ENOMEM);
    assert_ptr_equal(a, before);
    assert_int_equal(absurd, INT64_MAX / 4);
    gg_drop(ctx, a);
    assert_int_equal(gg_context_bytes(ctx, NULL), 0);
    gg_context_free(ctx);
}

static void the_hook_sees_every_allocation_and_may_refuse(void **state)
{
    (void)state;
    for (int n = 0; n < 8; n++) {
        ration r = {.fail_at = n + 1};
        gg_context *ctx = NULL;
        gg_status s = gg_context_create(&ctx, &(gg_context_options){.allocator = {rationed, &r}});
        if (n == 0) {
            assert_int_equal(s, GG_ENOMEM);
            assert_null(ctx);
            continue;
        }
        gg_arena a = {.ctx = ctx};
        gg_str t = {.ctx = ctx};
        int got = 0;
        got += gg_arena_alloc(&a, 100) != NULL;
        got += gg_arena_alloc(&a, 1 << 20) != NULL;
        gg_str_printf(&t, "%d neurons", 1536);
        got += !t.failed;
        char *d = gg_strdup(ctx, "");
        got += d != NULL;
        assert_int_equal(got, n >= 5 ? 4 : 3);
        gg_arena_free(&a);
        gg_str_free(&t);
        gg_drop(ctx, d);
        assert_int_equal(gg_context_bytes(ctx, NULL), 0);
        gg_context_free(ctx);
    }
}

static void an_arena_keeps_what_it_gave(void **state)
{
    (void)state;
    gg_context *ctx = make();
    gg_arena a = {.ctx = ctx};
    int64_t *p[200];
    for (int i = 0; i < 200; i++) {
        p[i] = gg_arena_alloc(&a, (size_t)(i * 97 + 8));
        assert_int_equal((uintptr_t)p[i] % 64, 0);
        *p[i] = i;
    }
    char *big = gg_arena_alloc(&a, 3 << 20);
    memset(big, 7, 3 << 20);
    for (int i = 0; i < 200; i++)
        assert_int_equal(*p[i], i);
    assert_string_equal(gg_arena_strndup(&a, "resid_out", 5), "resid");
    assert_null(gg_arena_alloc(&a, SIZE_MAX));
    gg_arena_free(&a);
    assert_int_equal(gg_context_bytes(ctx, NULL), 0);
    gg_context_free(ctx);
}

static void a_text_grows(void **state)
{
    (void)state;
    gg_context *ctx = make();
    gg_str s = {.ctx = ctx};
    for (int i = 0; i < 1000; i++)
        gg_str_printf(&s, "%d,", i);
    gg_str_puts(&s, "end");
    gg_str_add(&s, "xyz", 0);
    assert_false(s.failed);
    assert_int_equal(s.len, 3893);
    assert_int_equal(strlen(s.data), 3893);
    assert_string_equal(s.data + s.len - 7, "999,end");
    gg_str_free(&s);
    assert_int_equal(gg_context_bytes(ctx, NULL), 0);
    gg_context_free(ctx);
}

static void a_message_may_quote_itself_and_is_cut_visibly(void **state)
{
    (void)state;
    gg_context *ctx = make();
    assert_string_equal(gg_message(ctx), "");
    assert_int_equal(gg_fail(ctx, GG_EFORMAT, "byte %d", 17), GG_EFORMAT);
    gg_fail(ctx, GG_EFORMAT, "%s again", gg_message(ctx));
    gg_fail_prefix(ctx, GG_EFORMAT, "file %s", "a.gguf");
    assert_string_equal(gg_message(ctx), "file a.gguf: byte 17 again");
    char longer[10000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    gg_fail(ctx, GG_EFORMAT, "%s", longer);
    assert_string_equal(gg_message(ctx) + strlen(gg_message(ctx)) - 4, "x...");
    gg_fail_prefix(ctx, GG_EFORMAT, "%s", "head");
    assert_memory_equal(gg_message(ctx), "head: xxx", 9);
    assert_string_equal(gg_message(ctx) + strlen(gg_message(ctx)) - 4, "x...");
    gg_context_free(ctx);
}

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
    assert_string_equal(gg_status_name(GG_EINTERNAL), "EINTERNAL");
    assert_string_equal(gg_status_text(GG_ENAN), "a value is not a finite number");
    assert_string_equal(gg_status_name((gg_status)99), "unknown");
    assert_string_equal(gg_version(), "0.1.0");
}

static void heard(void *user, gg_log_level level, const char *text)
{
    snprintf(user, 64, "%d:%s", (int)level, text);
}

static void options_of_the_context_are_kept(void **state)
{
    (void)state;
    char said[64] = "";
    gg_context *ctx = NULL;
    assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.seed = 5, .n_threads = 3, .log = heard, .log_user = said}), GG_OK);
    assert_int_equal(gg_context_seed(ctx), 5);
    assert_int_equal(gg_context_threads(ctx), 3);
    gg_log(ctx, GG_LOG_WARNING, "K %d", 10);
    assert_string_equal(said, "1:K 10");
    assert_false(gg_context_stopped(ctx));
    gg_context_stop(ctx);
    assert_true(gg_context_stopped(ctx));
    gg_context_free(ctx);
    assert_int_equal(gg_context_create(&ctx, &(gg_context_options){.n_threads = -1}), GG_EINVAL);
    gg_context_free(NULL);
    ctx = make();
    assert_true(gg_context_threads(ctx) >= 1);
    gg_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_zeroed_and_counted), cmocka_unit_test(an_absurd_size_is_refused_with_a_message),
        cmocka_unit_test(an_array_doubles_and_stays_where_there_is_no_more),
        cmocka_unit_test(the_hook_sees_every_allocation_and_may_refuse), cmocka_unit_test(an_arena_keeps_what_it_gave),
        cmocka_unit_test(a_text_grows), cmocka_unit_test(a_message_may_quote_itself_and_is_cut_visibly),
        cmocka_unit_test(every_status_has_a_name_and_a_text), cmocka_unit_test(options_of_the_context_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
