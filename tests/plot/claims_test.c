/* Claims: verdicts follow from values alone, numbers do not hide them, and every way of telling says the same. */
#include "../support.h"
#include <math.h>
#include "base/file.h"
#include "base/memory.h"
#include "plot/claims.h"

static char *printed(const gg_claims *c, int part)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    gg_claims_print(c, f, part);
    fclose(f);
    return text;
}

static gg_claims *two_parts(gg_context *ctx)
{
    gg_claims *c = NULL;
    char claim[] = "the many words of this claim are wrapped to the width of their column, wherever that is"; /* copied: it changes below */
    double v[3] = {10, 11, 15};
    assert_int_equal(gg_claims_create(&c, ctx), GG_OK);
    assert_int_equal(gg_claims_part(c, "first", "what it is about"), GG_OK);
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = claim, .paper = "12.5", .unit = "times", .over = "seeds", .bound = 12, .note = "a remark"}, v, 3),
                     GG_OK);
    memset(claim, 'x', sizeof claim - 1);
    v[0] = v[1] = v[2] = 0;
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "small", .relation = GG_AT_MOST, .bound = 1e-4}, (double[]){2e-4}, 1), GG_OK);
    assert_int_equal(gg_claims_part(c, "second", NULL), GG_OK);
    assert_int_equal(gg_claims_skip(c, &(gg_claim){.claim = "absent", .bound = 0.9, .note = "not this"}, "there is no such pool"), GG_OK);
    return c;
}

static void a_verdict_is_where_the_mean_stands(void **state)
{
    static const struct { double value[3]; int n; gg_relation relation; double bound; gg_verdict is; } table[] = {
        {{1}, 1, GG_AT_LEAST, 1, GG_HELD},          {{0.999999999}, 1, GG_AT_LEAST, 1, GG_NOT_HELD},
        {{1}, 1, GG_AT_MOST, 1, GG_HELD},           {{1.000000001}, 1, GG_AT_MOST, 1, GG_NOT_HELD},
        {{1}, 1, GG_MORE_THAN, 1, GG_NOT_HELD},     {{1.000000001}, 1, GG_MORE_THAN, 1, GG_HELD},
        {{0, 3, 3}, 3, GG_AT_LEAST, 2, GG_HELD},    {{0, 3, 2.9}, 3, GG_AT_LEAST, 2, GG_NOT_HELD},
        {{NAN}, 1, GG_AT_LEAST, 0, GG_NOT_HELD},    {{NAN}, 1, GG_AT_MOST, 0, GG_NOT_HELD},
        {{1, NAN}, 2, GG_MORE_THAN, 0, GG_NOT_HELD}, {{INFINITY}, 1, GG_AT_LEAST, 10, GG_HELD}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        gg_claims *c = NULL;
        assert_int_equal(gg_claims_create(&c, *state), GG_OK);
        assert_int_equal(gg_claims_part(c, "p", ""), GG_OK);
        assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "c", .relation = table[i].relation, .bound = table[i].bound}, table[i].value, table[i].n),
                         GG_OK);
        for (int v = 0; v < GG_VERDICTS; v++)
            if (gg_claims_count(c, (gg_verdict)v) != (v == (int)table[i].is))
                fail_msg("row %zu: %d claims are %s", i, gg_claims_count(c, (gg_verdict)v), gg_verdict_name((gg_verdict)v));
        gg_claims_free(c);
    }
}

static void nothing_is_held_without_values(void **state)
{
    gg_claims *c = NULL;
    assert_int_equal(gg_claims_create(&c, *state), GG_OK);
    assert_int_equal(gg_claims_skip(c, &(gg_claim){.claim = "early"}, "no part"), GG_EINVAL);
    assert_int_equal(gg_claims_part(c, "p", ""), GG_OK);
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "empty", .relation = GG_AT_MOST, .bound = 1}, NULL, 0), GG_EINVAL);
    assert_text_has(gg_message(*state), "\"empty\" comes without values");
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "odd", .relation = (gg_relation)9}, (double[]){1}, 1), GG_EINVAL);
    assert_int_equal(gg_claims_skip(c, &(gg_claim){.claim = "skipped", .relation = GG_AT_MOST, .bound = 1}, "why"), GG_OK);
    assert_int_equal(gg_claims_count(c, GG_HELD), 0);
    assert_int_equal(gg_claims_count(c, GG_NOT_TRIED), 1);
    gg_claims_free(c);
}

static void tables_wrap_and_say_all(void **state)
{
    gg_claims *c = two_parts(*state);
    char *first = printed(c, 0), *second = printed(c, 1);
    assert_text_has(first, "first - what it is about\n");
    assert_text_has(first, "the many words of this claim are wrapped");
    assert_text_has(first, "12 +- 2.6 times (3");
    assert_text_has(first, "held (>= 12)");
    assert_text_has(first, "not held (<=");
    assert_text_has(first, "      a remark\n");
    assert_text_has(second, "not tried (>= 0.9)");
    assert_text_has(second, "      there is no such pool\n");
    assert_null(strstr(second, "not this"));
    for (const char *line = first; *line;) {
        const size_t n = strcspn(line, "\n");
        assert_true(n <= 112);
        assert_true(n == 0 || line[n - 1] != ' ');
        line += n + (line[n] == '\n');
    }
    free(first);
    free(second);
    gg_claims_free(c);
}

static void a_number_is_not_rounded_over_its_bound(void **state)
{
    gg_claims *c = NULL;
    assert_int_equal(gg_claims_create(&c, *state), GG_OK);
    assert_int_equal(gg_claims_part(c, "p", ""), GG_OK);
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "all equal", .bound = 1}, (double[]){0.9999962}, 1), GG_OK);
    assert_int_equal(gg_claims_add(c, &(gg_claim){.claim = "long", .bound = 0.5}, (double[]){0.123456789}, 1), GG_OK);
    char *text = printed(c, 0);
    assert_text_has(text, "0.999996 ");
    assert_text_has(text, "0.1235 ");
    free(text);
    gg_claims_free(c);
}

static void json_has_every_value(void **state)
{
    gg_claims *c = two_parts(*state);
    json_t *j = gg_claims_json(c), *want;
    json_error_t e;
    assert_non_null(want = json_loads(
        "[{\"part\": \"first\", \"about\": \"what it is about\", \"claims\": ["
        "{\"claim\": \"the many words of this claim are wrapped to the width of their column, wherever that is\", \"paper\": \"12.5\","
        " \"values\": [10.0, 11.0, 15.0], \"mean\": 12.0, \"sd\": 0.0, \"over\": \"seeds\", \"unit\": \"times\", \"relation\": \"at least\", \"bound\": 12.0,"
        " \"verdict\": \"held\", \"note\": \"a remark\"},"
        "{\"claim\": \"small\", \"paper\": null, \"values\": [2e-4], \"mean\": 2e-4, \"sd\": null, \"over\": null, \"unit\": null, \"relation\": \"at most\","
        " \"bound\": 1e-4, \"verdict\": \"not held\", \"note\": null}]},"
        "{\"part\": \"second\", \"about\": \"\", \"claims\": [{\"claim\": \"absent\", \"paper\": null, \"values\": [], \"mean\": null, \"sd\": null,"
        " \"over\": null, \"unit\": null, \"relation\": \"at least\", \"bound\": 0.9, \"verdict\": \"not tried\", \"note\": \"there is no such pool\"}]}]",
        0, &e));
    json_t *row = json_array_get(json_object_get(json_array_get(j, 0), "claims"), 0);
    assert_true(fabs(json_real_value(json_object_get(row, "sd")) - sqrt(7)) < 1e-12);
    assert_true(fabs(json_real_value(json_object_get(row, "mean")) - 12) < 1e-12);
    json_object_set_new(row, "sd", json_real(0));
    json_object_set_new(row, "mean", json_real(12));
    assert_true(json_equal(j, want));
    json_decref(j);
    json_decref(want);
    gg_claims_free(c);
}

static void a_report_has_the_rows(void **state)
{
    gg_claims *c = two_parts(*state);
    gg_report *r = NULL;
    char path[] = "/tmp/golgi-claims-test-XXXXXX", *page = NULL;
    size_t n;
    close(mkstemp(path));
    assert_int_equal(gg_report_create(&r, *state, "t", "h"), GG_OK);
    for (int p = 0; p < gg_claims_parts(c); p++) {
        gg_report_section(r, gg_claims_part_name(c, p), gg_claims_part_about(c, p));
        assert_int_equal(gg_claims_table(c, r, p), GG_OK);
    }
    assert_int_equal(gg_report_commit(r, path), GG_OK);
    assert_int_equal(gg_file_read(&page, &n, *state, path), GG_OK);
    assert_text_has(page, "12 +- 2.6 times (3 seeds)");
    assert_text_has(page, "&lt;= 0.0001");
    assert_text_has(page, "<td>not tried</td>");
    assert_text_has(page, "there is no such pool");
    gg_drop(*state, page);
    unlink(path);
    gg_claims_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verdict_is_where_the_mean_stands),
        cmocka_unit_test(nothing_is_held_without_values),
        cmocka_unit_test(tables_wrap_and_say_all),
        cmocka_unit_test(a_number_is_not_rounded_over_its_bound),
        cmocka_unit_test(json_has_every_value),
        cmocka_unit_test(a_report_has_the_rows),
    };
    return cmocka_run_group_tests(tests, make_context, drop_context);
}
