/* Curves: ranges and marks are chosen by golgi, not by gnuplot's decades; what cannot be drawn is named. */
#include "../support.h"
#include <math.h>
#include "base/file.h"
#include "base/memory.h"
#include "plot/plot.h"

static int prepare(void **state) { return folder_make("curves") || make_context(state); }

static const double x[] = {0.4, 0.5, 0.6, 1.3}, y[] = {0.1, 0.09, 0.3, 6.3}, dark[] = {1, 0, 2, 3}, nothing[] = {1, NAN, 2, 3};
static const gg_plot_axis plain = {.label = "x (nats)"}, logarithmic = {.label = "y (nats)", .log = true};

/* The picture that was drawn with status s, if gnuplot is there; it has these marks (up to NULL). Freed by free(). */
static char *picture(gg_context *ctx, gg_status s, const char *name, const char **mark)
{
    if (s == GG_EUNSUPPORTED)
        skip();
    assert_ok_in(ctx, s);
    char *svg = read_file(NULL, at(name));
    for (; *mark; mark++)
        assert_text_has(svg, *mark);
    return svg;
}

static void marks_of_a_logarithmic_axis_stand_inside_the_range(void **state)
{
    const gg_plot_series series[] = {{.name = "with <a line>", .x = x, .y = y, .n = 4, .line = true}, {.name = "points", .x = y, .y = x, .n = 4}};
    const gg_status s = gg_plot_curves(*state, at("curves"), "Two series", series, 2, &plain, &logarithmic);
    char *svg = picture(*state, s, "curves.svg", (const char *[]){">0.1<", ">0.2<", ">0.5<", ">5<", "&lt;a", NULL});
    assert_null(strstr(svg, ">0.01<"));
    assert_null(strstr(svg, ">100<"));
    free(svg);
    assert_true(gg_file_exists(at("curves.png")));
}

/* Between 1.6 and 2.3 there is one of 1, 2, 5: the axis then has round numbers at equal steps. */
static void a_narrow_logarithmic_axis_has_marks_too(void **state)
{
    static const double right[] = {1, 2, 3}, up[] = {1.7, 1.9, 2.1};
    const gg_plot_series series = {.name = "", .x = right, .y = up, .n = 3, .line = true};
    const gg_status s = gg_plot_curves(*state, at("narrow"), "Narrow", &series, 1, &plain, &logarithmic);
    free(picture(*state, s, "narrow.svg", (const char *[]){">1.6<", ">1.8<", ">2<", ">2.2<", NULL}));
}

static void what_cannot_be_drawn_is_named(void **state)
{
    static const struct { gg_plot_series series; int n; const gg_plot_axis *y; gg_status is; const char *says; } table[] = {
        {{.x = x, .y = y, .n = 4}, 0, &plain, GG_EINVAL, "curves of 0 series: 1..400 can be drawn"},
        {{.x = x, .y = y, .n = 0}, 1, &plain, GG_EINVAL, "series 0 has 0 points"},
        {{.x = x, .y = nothing, .n = 4}, 1, &plain, GG_ENAN, "point 1 is not a finite number"},
        {{.x = x, .y = dark, .n = 4}, 1, &logarithmic, GG_EINVAL, "point 1 of series 0 is (0.5, 0): a logarithmic axis"},
    };
    const char *path = at("none");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(gg_plot_curves(*state, path, "t", &table[i].series, table[i].n, &plain, table[i].y), table[i].is);
        assert_text_has(gg_message(*state), table[i].says);
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
