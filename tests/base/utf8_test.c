/* UTF-8 against Python's decoder (tests/golden/utf8) and against itself. */
#include "base/utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static size_t from_hex(char *out, const char *hex)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (char)strtoul(two, NULL, 16);
    }
    return n;
}

static void repair_is_pythons_replacement(void **state)
{
    (void)state;
    FILE *f = fopen("tests/golden/utf8/cases.txt", "r");
    assert_non_null(f);
    char in_hex[256], out_hex[256];
    long long count;
    int cases = 0;
    while (fscanf(f, "%255s %255s %lld", in_hex, out_hex, &count) == 3) {
        char in[128], want[128], got[384];
        size_t n_in = from_hex(in, in_hex), n_want = from_hex(want, out_hex), n_got;
        char *exact = malloc(n_in); /* no byte to spare: a read past the end shows under ASan */
        memcpy(exact, in, n_in);
        int64_t repaired = gg_utf8_repair(got, &n_got, exact, n_in);
        if (n_got != n_want || memcmp(got, want, n_want) != 0 || repaired != count)
            fail_msg("%s: expected %s and %lld repairs, got %lld repairs", in_hex, out_hex, count, (long long)repaired);
        assert_int_equal(gg_utf8_is_valid(exact, n_in), count == 0);
        assert_true(gg_utf8_is_valid(got, n_got));
        free(exact);
        cases++;
    }
    fclose(f);
    assert_true(cases > 1000);
}

static void every_code_point_goes_there_and_back(void **state)
{
    (void)state;
    for (int32_t cp = 0; cp <= 0x10FFFF; cp++) {
        char s[4];
        int32_t back;
        if (cp == 0xD800)
            cp = 0xE000;
        int n = gg_utf8_encode(s, cp);
        assert_int_equal(gg_utf8_decode(&back, s, (size_t)n), n);
        assert_int_equal(back, cp);
        assert_true(gg_utf8_is_valid(s, (size_t)n));
        if (n > 1)
            assert_int_equal(gg_utf8_valid_prefix(s, (size_t)n - 1), 0);
    }
}

static void the_valid_prefix_ends_at_the_first_bad_byte(void **state)
{
    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (size_t bad = 0; bad <= n; bad++) {
            char s[101];
            memset(s, 'a', sizeof s);
            if (bad < n)
                s[bad] = (char)0xFF;
            assert_int_equal(gg_utf8_valid_prefix(s, n), bad);
        }
    assert_int_equal(gg_utf8_valid_prefix(NULL, 0), 0);
}

static void white_space_is_blank_and_text_is_not(void **state)
{
    (void)state;
    static const char *const blank[] = {"", " \t\r\n\v\f", "\xC2\xA0\xE2\x80\x83\xE3\x80\x80", "\xEF\xBB\xBF \xE2\x80\xA8"};
    static const char *const text[] = {"a", "   .", "\xE2\x80\x8B", "\xC2\xA0x", "\xEF\xBF\xBD"};
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
        assert_true(gg_utf8_is_blank(blank[i], strlen(blank[i])));
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        assert_false(gg_utf8_is_blank(text[i], strlen(text[i])));
    assert_false(gg_utf8_is_blank("\0", 1)); /* NUL is no white space */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repair_is_pythons_replacement),
        cmocka_unit_test(every_code_point_goes_there_and_back),
        cmocka_unit_test(the_valid_prefix_ends_at_the_first_bad_byte),
        cmocka_unit_test(white_space_is_blank_and_text_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
