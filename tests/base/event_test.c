/* Events are JSON whatever the texts hold: read back by another reader (jansson). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/event.h"
#include <jansson.h>
#include <math.h>

static gg_context *ctx;

static json_t *read_back(gg_str *s)
{
    gg_str_puts(s, "}");
    assert_false(s->failed);
    json_error_t e;
    json_t *j = json_loads(s->data, 0, &e);
    if (!j)
        fail_msg("%s: %s", s->data, e.text);
    gg_str_free(s);
    return j;
}

static void any_text_comes_back(void **state)
{
    (void)state;
    static const struct { const char *text, *back; } cases[] = {
        {"", ""}, {"plain", "plain"}, {"\"quoted\" and \\", "\"quoted\" and \\"}, {"line\nline\ttab\x01\x1f\x7f", "line\nline\ttab\x01\x1f\x7f"},
        {"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80"}, {"a\xff" "b\xe2\x82", "a\xef\xbf\xbd" "b\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gg_str s = {.ctx = ctx};
        gg__event_begin(&s, "nag rank", "log");
        gg__event_text(&s, "text", cases[i].text);
        json_t *j = read_back(&s);
        assert_string_equal(json_string_value(json_object_get(j, "text")), cases[i].back);
        assert_string_equal(json_string_value(json_object_get(j, "event")), "log");
        assert_string_equal(json_string_value(json_object_get(j, "command")), "nag rank");
        assert_int_equal(strlen(json_string_value(json_object_get(j, "time"))), strlen("2026-01-31T12:00:00.123Z"));
        json_decref(j);
    }
}

static void numbers_are_whole_or_close_and_never_infinite(void **state)
{
    (void)state;
    gg_str s = {.ctx = ctx};
    gg__event_begin(&s, "x", "y");
    gg__event_number(&s, "big", 9007199254740992.0);
    gg__event_number(&s, "part", 0.125);
    gg__event_number(&s, "none", NAN);
    gg__event_number(&s, "all", INFINITY);
    json_t *j = read_back(&s);
    assert_true(json_integer_value(json_object_get(j, "big")) == 9007199254740992);
    assert_true(json_real_value(json_object_get(j, "part")) == 0.125);
    assert_true(json_is_null(json_object_get(j, "none")) && json_is_null(json_object_get(j, "all")));
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_text_comes_back),
        cmocka_unit_test(numbers_are_whole_or_close_and_never_infinite),
    };
    if (gg_context_create(&ctx, NULL) != GG_OK)
        return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const size_t left = gg_context_bytes(ctx, NULL);
    gg_context_free(ctx);
    return failed || left ? 1 : 0;
}
