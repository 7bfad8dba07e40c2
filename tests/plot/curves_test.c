/* Curves: ranges and marks are chosen by golgi, not by gnuplot's decades; what cannot be drawn is named. */
#include "../support.h"
#include <math.h>
#include "base/file.h"
#include "base/memory.h"
#include "plot/plot.h"

static int prepare(void **state) { return folder_make("curves") || make_context(state); }

static const double x[] = {0.4, 0.5, 0.6, 1.3}, y[] = {0.1, 0.09, 0.3, 6.3}, dark[] = {1, 0, 2, 3}, nothing[] = {1, NAN, 2, 3};
static const gg_plot_axis plain = {.label = "x (nats)"}, logarithmic = {.label = "y (nats)", .log = true};

static void marks_of_a_logarithmic_axis_stand_inside_the_range(void **state)
{
    char path[96], file[112], *svg = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/curves", test_folder);
    const gg_plot_series series[] = {{.name = "with <a line>", .x = x, .y = y, .n = 4, .line = true}, {.name = "points", .x = y, .y = x, .n = 4}};
    const gg_status s = gg_plot_curves(*state, path, "Two series", series, 2, &plain, &logarithmic);
    if (s == GG_EUNSUPPORTED)
        skip();
    if (s != GG_OK)
        fail_msg("%s", gg_message(*state));
    snprintf(file, sizeof file, "%s.svg", path);
    assert_int_equal(gg_file_read(&svg, &n, *state, file), GG_OK);
    for (const char **mark = (const char *[]){">0.1<", ">0.2<", ">0.5<", ">5<", "&lt;a", NULL}; *mark; mark++)
        if (!strstr(svg, *mark))
            fail_msg("\"%s\" is not in the picture", *mark);
    assert_null(strstr(svg, ">0.01<"));
    assert_null(strstr(svg, ">100<"));
    gg_drop(*state, svg);
    snprintf(file, sizeof file, "%s.png", path);
    assert_true(gg_file_exists(file));
}

/* Between 1.6 and 2.3 there is one of 1, 2, 5: the axis then has round numbers at equal steps. */
static void a_narrow_logarithmic_axis_has_marks_too(void **state)
{
    static const double at[] = {1, 2, 3}, up[] = {1.7, 1.9, 2.1};
    char path[96], file[112], *svg = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/narrow", test_folder);
    const gg_plot_series series = {.name = "", .x = at, .y = up, .n = 3, .line = true};
    const gg_status s = gg_plot_curves(*state, path, "Narrow", &series, 1, &plain, &logarithmic);
    if (s == GG_EUNSUPPORTED)
        skip();
    if (s != GG_OK)
        fail_msg("%s", gg_message(*state));
    snprintf(file, sizeof file, "%s.svg", path);
    assert_int_equal(gg_file_read(&svg, &n, *state, file), GG_OK);
    for (const char **mark = (const char *[]){">1.6<", ">1.8<", ">2<", ">2.2<", NULL}; *mark; mark++)
        if (!strstr(svg, *mark))
            fail_msg("\"%s\" is not in the picture", *mark);
    gg_drop(*state, svg);
}

static void what_cannot_be_drawn_is_named(void **state)
{
    static const struct { gg_plot_series series; int n; const gg_plot_axis *y; gg_status is; const char *says; } table[] = {
        {{.x = x, .y = y, .n = 4}, 0, &plain, GG_EINVAL, "curves of 0 series: 1..400 can be drawn"},
        {{.x = x, .y = y, .n = 0}, 1, &plain, GG_EINVAL, "series 0 has 0 points"},
        {{.x = x, .y = nothing, .n = 4}, 1, &plain, GG_ENAN, "point 1 is not a finite number"},
        {{.x = x, .y = dark, .n = 4}, 1, &logarithmic, GG_EINVAL, "point 1 of series 0 is (0.5, 0): a logarithmic axis"},
    };
    char path[96];
    snprintf(path, sizeof path, "%s/none", test_folder);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(gg_plot_curves(*state, path, "t", &table[i].series, table[i].n, &plain, table[i].y), table[i].is);
        if (!strstr(gg_message(*state), table[i].says))
            fail_msg("\"%s\" does not say \"%s\"", gg_message(*state), table[i].says);
        assert_false(gg_file_exists(path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_of_a_logarithmic_axis_stand_inside_the_range),
        cmocka_unit_test(a_narrow_logarithmic_axis_has_marks_too),
        cmocka_unit_test(what_cannot_be_drawn_is_named),
    };
    return cmocka_run_group_tests(tests, prepare, drop_context_and_folder);
}
