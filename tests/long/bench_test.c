/* golgi bench: every figure is a part of the roof that was measured before it, and belongs to the others of its line. Not how large it is: that is the
 * machine's business. Here because all of them take some ten seconds of a core. */
#include "cli/program.h"
#include <math.h>

static double number(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);
    if (!json_is_number(v))
        fail_msg("%s is not there or no number", name);
    return json_number_value(v);
}

static bool near(double a, double b) { return fabs(a - b) <= 2e-2 * b; } /* the roof is told in tenths */

/* All entries of a list: figure / roof = roof_share. */
static void is_of_the_roof(const json_t *all, const char *list, const char *figure, const char *roof)
{
    const json_t *one = json_object_get(json_object_get(all, "roof"), "one"), *entries = json_object_get(all, list);
    assert_true(json_array_size(entries) > 10);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *e = json_array_get(entries, i);
        const char *dtype = json_string_value(json_object_get(e, "dtype"));
        assert_true(number(e, figure) > 0);
        assert_true(near(number(e, "roof_share"), number(e, figure) / number(one, roof ? roof : dtype)));
    }
}

static void every_figure_is_a_part_of_the_roof(void **state)
{
    (void)state;
    json_t *j = must_json("bench --json --quiet --threads 2");
    const json_t *roof = json_object_get(j, "roof"), *one = json_object_get(roof, "one"), *rows = json_object_get(j, "rows");
    assert_int_equal(number(roof, "threads"), 2);
    const char *const units[] = {"f32", "bf16", "i8", "memory"};
    for (int i = 0; i < 4; i++)
        assert_true((number(one, units[i]) > 0) == (number(json_object_get(roof, "all"), units[i]) > 0));
    assert_true(number(one, "f32") > 0 && number(one, "memory") > 0);
    is_of_the_roof(j, "products", "gflops", NULL);
    is_of_the_roof(j, "attention", "gflops", NULL);
    is_of_the_roof(j, "rows", "gbytes_per_s", "memory");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *e = json_array_get(rows, i);
        const double bytes = number(e, "gbytes_per_s") * number(e, "ns_from_memory"); /* of a number: one float32 or two */
        assert_true(number(e, "ns_a_number") > 0);
        assert_true(near(bytes, 4) || near(bytes, 8));
    }
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_figure_is_a_part_of_the_roof)};
    return cmocka_run_group_tests(tests, prepare_folder, tidy);
}
