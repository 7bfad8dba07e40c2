/* The pictures that gnuplot draws for us, read back: the PNG pixel by pixel, the SVG as XML. Skipped where gnuplot is not installed (what golgi says
 * then is in gnuplot_test.c). */
#include "plot/png.h"
#include "plot/plot.h"
#include "plot/svg.h"
#include <math.h>

static const char *const DOMAINS[] = {"scripture", "pycode", "lexicon", "rust", "jargon", "postgres", "database", "pydoc"};
enum { N_DOMAINS = 8, N = 160, SIDE_OF_HEAT = 12 };

static double x[N], xy[2 * N], z[SIDE_OF_HEAT * SIDE_OF_HEAT], first[N_DOMAINS], second[N_DOMAINS];
static int32_t label[N];

/* Numbers that a test changes; made anew for each. */
static int prepare(void **state)
{
    for (int i = 0; i < N; i++) {
        label[i] = i % N_DOMAINS;
        x[i] = 0.2 + 0.05 * label[i] + 0.003 * (i / N_DOMAINS) * (i % 3);
        xy[2 * i] = 10 * cos(label[i]) + 0.1 * (i / N_DOMAINS);
        xy[2 * i + 1] = 10 * sin(label[i]) - 0.1 * (i / N_DOMAINS);
    }
    for (int i = 0; i < SIDE_OF_HEAT * SIDE_OF_HEAT; i++)
        z[i] = i % 7;
    for (int i = 0; i < N_DOMAINS; i++) {
        first[i] = 1.0 / N_DOMAINS;
        second[i] = i / 28.0;
    }
    return make_listener(state);
}

enum { SHARES, HISTOGRAM, HISTOGRAM_OF_TWO, HEAT, MAP, KINDS };

/* Any of the plots, every text on it given. */
static gg_status draw(gg_context *ctx, int kind, const char *path, const char *title, const char *const *class_name, int n_classes, const char *x_label,
                      const char *y_label)
{
    static int32_t halves[N];
    for (int i = 0; i < N; i++)
        halves[i] = label[i] % n_classes;
    switch (kind) {
    case SHARES: return gg_plot_shares(ctx, path, title, class_name, n_classes, first, x_label, second, y_label, "share of tokens");
    case HISTOGRAM: return gg_plot_histogram(ctx, path, title, x, label, N, class_name, n_classes, 30, x_label, y_label);
    case HISTOGRAM_OF_TWO: return gg_plot_histogram(ctx, path, title, x, halves, N, class_name, n_classes, 30, x_label, y_label);
    case HEAT: return gg_plot_heat(ctx, path, title, z, SIDE_OF_HEAT, SIDE_OF_HEAT, x_label, y_label, class_name[0]);
    default: return gg_plot_map(ctx, path, title, xy, label, N, class_name, n_classes, x_label, y_label);
    }
}

static int classes_of(int kind)
{
    return kind == HISTOGRAM_OF_TWO ? 2 : N_DOMAINS;
}

static void need_gnuplot(void)
{
    if (!have("gnuplot"))
        skip();
}

/* ---- SVG ---- */

/* The texts of a picture, as its reader sees them, in `out`, a line each. */
static void texts_of(char *out, size_t n, const char *svg)
{
    static const char *const entity[] = {"&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", "\"", "&apos;", "'", "&#39;", "'"};
    char *to = out;
    for (const char *at = strstr(svg, "<text"); at; at = strstr(at, "<text")) {
        for (at = strchr(at, '>') + 1; strncmp(at, "</text>", 7) != 0;) {
            if (*at == '<') { /* tspan */
                at = strchr(at, '>') + 1;
                continue;
            }
            size_t step = 1;
            char c = *at;
            for (size_t k = 0; k < sizeof entity / sizeof *entity; k += 2)
                if (strncmp(at, entity[k], strlen(entity[k])) == 0) {
                    step = strlen(entity[k]);
                    c = *entity[k + 1];
                }
            assert_true((size_t)(to - out) + 3 < n);
            *to++ = c;
            at += step;
        }
        *to++ = '\n';
    }
    *to = 0;
}

static bool has_line(const char *texts, const char *line)
{
    const size_t n = strlen(line);
    for (const char *at = texts; *at; at += strcspn(at, "\n") + 1)
        if (strncmp(at, line, n) == 0 && at[n] == '\n')
            return true;
    return false;
}

/* Texts of the picture NAME.svg; the buffer is the caller's until the next call. */
static const char *texts_in(const char *name)
{
    static char texts[1 << 16];
    char *svg = read_file(NULL, at(name));
    texts_of(texts, sizeof texts, svg);
    free(svg);
    return texts;
}

/* ---- tests ---- */

static void every_picture_is_whole_and_says_what_it_was_told(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    for (int kind = 0; kind < KINDS; kind++) {
        assert_ok_in(ctx, draw(ctx, kind, at("a"), "A title", DOMAINS, classes_of(kind), "the x axis (unit)", "the y axis (unit)"));
        png p = png_read("a.png");
        size_t n;
        char *svg = read_file(&n, at("a.svg"));
        int width = 0, height = 0;
        assert_int_equal(sscanf(strstr(svg, "<svg"), "<svg data-golgi=\"plot\" role=\"img\" width=\"%d\" height=\"%d\"", &width, &height), 2);
        assert_int_equal(width, 860);
        assert_int_equal(p.width, 2 * width);
        assert_int_equal(p.height, 2 * height);
        assert_text_has(svg, "<title>A title</title>");
        assert_int_equal(strcmp(svg + n - 7, "</svg>\n"), 0);
        gg_str whole = {.ctx = ctx}; /* reads it as XML to the end */
        assert_ok_in(ctx, gg__svg_embed(&whole, svg, n, "a.svg", "p-", ""));
        gg_str_free(&whole);
        free(svg);
        const char *texts = texts_in("a.svg");
        assert_true(has_line(texts, "A title"));
        assert_true(has_line(texts, "the x axis (unit)"));
        assert_true(has_line(texts, "the y axis (unit)"));
        for (int c = 0; c < (kind == HEAT ? 1 : classes_of(kind)); c++)
            assert_text_has(texts, DOMAINS[c]);
        const int64_t ink = png_count(&p, 0x222222, 60, NULL), paper = png_count(&p, 0xffffff, 0, NULL);
        assert_true(ink > 2000 && paper > 100000);
        png_free(&p);
        assert_string_equal(heard, "");
    }
}

static void the_same_numbers_give_the_same_bytes(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    for (int kind = 0; kind < KINDS; kind += 3)
        for (int e = 0; e < 2; e++) {
            size_t n[2];
            char *bytes[2];
            for (int k = 0; k < 2; k++) {
                if (e == 0)
                    assert_ok_in(ctx, draw(ctx, kind, at(k ? "b" : "a"), "A title", DOMAINS, classes_of(kind), "x", "y"));
                bytes[k] = read_file(&n[k], at(e ? (k ? "b.svg" : "a.svg") : (k ? "b.png" : "a.png")));
            }
            assert_int_equal(n[0], n[1]);
            assert_memory_equal(bytes[0], bytes[1], n[0]);
            free(bytes[0]);
            free(bytes[1]);
        }
}

static void labels_with_any_characters_are_shown_as_they_are(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    static const char *const hostile[] = {"a_b^c {x} @y", "'q' \"d\" ''", "`id` $(id) $HOME", "\\n \\101 {/Symbol a}", "100% %d %s%n%g",
                                          "<b>&amp; ]]>", "\xc3\xa9 \xce\xb1 \xd1\x8f -->", "# ; ! \\"};
    for (int kind = 0; kind < KINDS; kind++)
        for (int turn = 0; turn < N_DOMAINS; turn += 3) {
            const char *names[N_DOMAINS]; /* each text at a class, three of them in each other place */
            for (int i = 0; i < N_DOMAINS; i++)
                names[i] = hostile[(i + turn) % N_DOMAINS];
            assert_ok_in(ctx, draw(ctx, kind, at("h"), names[5], names, classes_of(kind), names[6], names[7]));
            const char *texts = texts_in("h.svg");
            for (int i = 5; i < 8; i++)
                if (!has_line(texts, names[i]))
                    fail_msg("plot %d does not show \"%s\", but\n%s", kind, names[i], texts);
            for (int c = 0; c < (kind == HEAT ? 1 : classes_of(kind)); c++)
                assert_text_has(texts, names[c]);
            png p = png_read("h.png");
            png_free(&p);
        }
}

static void control_characters_and_broken_utf8_become_harmless(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    assert_ok_in(ctx, draw(ctx, MAP, at("h"), "tab\there\nnext\x01\x7f.", DOMAINS, N_DOMAINS, "a\xff\xc3(", "\xed\xa0\x80"));
    const char *texts = texts_in("h.svg");
    assert_true(has_line(texts, "tab here next  ."));
    assert_true(has_line(texts, "a\xef\xbf\xbd\xef\xbf\xbd("));
    assert_true(has_line(texts, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
}

static void nothing_that_a_label_says_is_run(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    char name[4][200];
    snprintf(name[0], sizeof *name, "`touch %s`", at("ran"));
    snprintf(name[1], sizeof *name, "'; system('touch %s'); '", at("ran"));
    snprintf(name[2], sizeof *name, "'\n!touch %s\n'", at("ran"));
    snprintf(name[3], sizeof *name, "\".system(\"touch %s\").\"", at("ran"));
    const char *const names[] = {name[0], name[1], name[2], name[3], name[0], name[1], name[2], name[3]};
    for (int kind = 0; kind < KINDS; kind++)
        assert_ok_in(ctx, draw(ctx, kind, at("h"), names[kind % 4], names, classes_of(kind), names[1], names[2]));
    assert_false(there("ran"));
}

/* With "enhanced" text, gnuplot's default, braces vanish and the two titles would be alike. */
static void braces_are_drawn_in_the_png_too(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    int width[2];
    for (int k = 0; k < 2; k++) {
        assert_ok_in(ctx, gg_plot_map(ctx, at("a"), k ? "{{{{{{M_M}}}}}}" : "M_M", xy, label, 1, DOMAINS, N_DOMAINS, "", ""));
        png p = png_read("a.png");
        p.height = 80; /* the title's lines */
        int box[4];
        assert_true(png_count(&p, 0x222222, 80, box) > 100);
        width[k] = box[2] - box[0];
        png_free(&p);
    }
    assert_true(width[1] > width[0] + 12 * 18);
}

static void long_titles_are_broken_and_long_names_cut(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    const char *const title = "How strongly the neurons of the up projections of all the thirty layers of the model answer to each of the documents "
                              "of the pool, and how far that is from their answer to the documents of the target, with more words than three lines can hold, "
                              "so that some of them are left out of the picture altogether";
    const char *const name = "a name of a domain that nobody could read to its end anyway";
    const char *const names[] = {name, "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"};
    assert_ok_in(ctx, gg_plot_shares(ctx, at("a"), title, names, 2, first, "pool", second, "chosen", "share"));
    const char *texts = texts_in("a.svg");
    char back[1000] = "", *to = back;
    int lines = 0;
    for (const char *at = texts; *at; at += strcspn(at, "\n") + 1)
        if (strstr(title, (char[]){at[0], at[1], at[2], at[3], at[4], 0}) && lines < 3) {
            const size_t n = strcspn(at, "\n");
            assert_true(n > 40 && n < 90);
            memcpy(to, at, n);
            to += n;
            *to++ = ' ';
            lines++;
        }
    assert_int_equal(lines, 3);
    *to = 0;
    assert_true(to - back > 150 && memcmp(to - 4, "\xe2\x80\xa6 ", 4) == 0);
    assert_memory_equal(back, title, (size_t)(to - back) - 4);
    assert_text_has(texts, "a name of a domain that no");
    assert_text_has(texts, "\xe2\x80\xa6\nWWWWWWWWWWWWWWWW\xe2\x80\xa6\n");
    /* none of it leaves the picture: its outermost columns are blank */
    png p = png_read("a.png");
    for (int y = 0; y < p.height; y++)
        for (int column = 0; column < 16; column++)
            assert_true(png_at(&p, column, y) == 0xffffff && png_at(&p, p.width - 1 - column, y) == 0xffffff);
    png_free(&p);
}

static void classes_without_points_are_left_out_and_the_others_keep_their_looks(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    for (int i = 0; i < N; i++)
        label[i] = 2;
    for (int kind = 0; kind < 2; kind++) {
        assert_ok_in(ctx, draw(ctx, kind ? MAP : HISTOGRAM, at("a"), "t", DOMAINS, N_DOMAINS, "x", "y"));
        const char *texts = texts_in("a.svg");
        for (int c = 0; c < N_DOMAINS; c++)
            assert_int_equal(strstr(texts, DOMAINS[c]) != NULL, c == 2);
        png p = png_read("a.png");
        assert_true(png_count(&p, 0x009e73, 8, NULL) > 500); /* the third colour, though it is the first class drawn */
        assert_int_equal(png_count(&p, 0x0072b2, 8, NULL), 0);
        png_free(&p);
        char *svg = read_file(NULL, at("a.svg"));
        if (kind)
            assert_text_has(svg, "<use xlink:href=\"#gpPt8\"");
        free(svg);
    }
}

static void ninety_eight_classes_differ_and_all_are_in_the_legend(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    enum { MANY = 98 };
    static char name[MANY][16];
    const char *names[MANY];
    static double place[2 * MANY];
    static int32_t own[MANY];
    for (int c = 0; c < MANY; c++) {
        snprintf(name[c], sizeof name[c], "class %d", c);
        names[c] = name[c];
        own[c] = c;
        place[2 * c] = c % 10;
        place[2 * c + 1] = c / 10;
    }
    assert_ok_in(ctx, gg_plot_map(ctx, at("a"), "t", place, own, MANY, names, MANY, "x", "y"));
    const char *texts = texts_in("a.svg");
    for (int c = 0; c < MANY; c++)
        assert_true(has_line(texts, name[c]));
    char *svg = read_file(NULL, at("a.svg"));
    static char looks[2 * MANY][64]; /* shape and colour of each point */
    int n = 0;
    for (const char *u = strstr(svg, "\t<use xlink:href=\"#gpPt"); u; u = strstr(u + 1, "\t<use xlink:href=\"#gpPt")) {
        const char *color = strstr(u, "color=\""), *end = strchr(u, '\n');
        if (!color || color > end)
            continue; /* the shapes themselves */
        assert_true(n < 2 * MANY);
        snprintf(looks[n++], sizeof looks[0], "%.4s %.18s", u + 22, color + 7);
    }
    assert_int_equal(n, 2 * MANY); /* each in the map and in the legend */
    int distinct = 0;
    for (int i = 0; i < n; i++) {
        bool seen = false;
        for (int j = 0; j < i; j++)
            seen = seen || strcmp(looks[i], looks[j]) == 0;
        distinct += !seen;
    }
    assert_int_equal(distinct, MANY);
    free(svg);
    png p = png_read("a.png"); /* the picture grew with the legend */
    assert_true(p.height > 2 * 20 * MANY);
    png_free(&p);
}

/* Where the coloured cells are: left, top, right, bottom. */
static void cells_of(int box[4], const png *p)
{
    int own[4] = {p->width, p->height, -1, -1};
    for (int y = 0; y < p->height; y++)
        for (int column = 0; column < p->width - 2 * 128; column++) { /* the scale at the right has all colours too */
            const int c = png_at(p, column, y), r = c >> 16, g = c >> 8 & 255, b = c & 255;
            if (r > 190 && g > 190 && b > 190)
                continue;
            if (abs(r - g) < 12 && abs(g - b) < 12)
                continue; /* ink */
            own[0] = column < own[0] ? column : own[0];
            own[1] = y < own[1] ? y : own[1];
            own[2] = column > own[2] ? column : own[2];
            own[3] = y > own[3] ? y : own[3];
        }
    memcpy(box, own, sizeof own);
}

static void pooling_keeps_the_one_hot_cell_and_its_place(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    enum { ROWS = 30, COLUMNS = 5000, HOT_ROW = 7, HOT_COLUMN = 4321 };
    static double wide[ROWS * COLUMNS];
    memset(wide, 0, sizeof wide);
    wide[HOT_ROW * COLUMNS + HOT_COLUMN] = 1;
    assert_ok_in(ctx, gg_plot_heat(ctx, at("a"), "t", wide, ROWS, COLUMNS, "neuron", "layer", "share"));
    assert_true(has_line(texts_in("a.svg"), "share (largest of 5)"));
    png p = png_read("a.png");
    int all[4], hot[4];
    cells_of(all, &p);
    int64_t n = 0;
    hot[0] = p.width, hot[1] = p.height, hot[2] = hot[3] = -1;
    for (int y = all[1]; y <= all[3]; y++)
        for (int column = all[0]; column <= all[2]; column++)
            if (png_at(&p, column, y) == 0xfde725) { /* the hottest colour, unmixed */
                n++;
                hot[0] = column < hot[0] ? column : hot[0];
                hot[1] = y < hot[1] ? y : hot[1];
                hot[2] = column > hot[2] ? column : hot[2];
                hot[3] = y > hot[3] ? y : hot[3];
            }
    assert_true(n >= 10);
    const double across = (0.5 * (hot[0] + hot[2]) - all[0]) / (all[2] - all[0]) * COLUMNS, up = (all[3] - 0.5 * (hot[1] + hot[3])) / (all[3] - all[1]) * ROWS;
    assert_true(fabs(across - HOT_COLUMN - 0.5) < 6);
    assert_true(fabs(up - HOT_ROW - 0.5) < 0.25); /* row 0 is at the bottom */
    png_free(&p);
}

static void a_single_row_column_or_cell_is_drawn(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    static const int shape[][2] = {{1, 1}, {1, 3}, {3, 1}, {2, 2}, {1, 1500}, {1500, 1}};
    static const double few[1500] = {0, 1, 2};
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
        assert_ok_in(ctx, gg_plot_heat(ctx, at("a"), "t", few, shape[k][0], shape[k][1], "neuron", "layer", "share"));
        png p = png_read("a.png");
        int box[4];
        cells_of(box, &p);
        assert_true(box[2] - box[0] > 1200 && box[3] - box[1] > 350);
        static const int cold_to_hot[] = {0x440154, 0x21908d, 0xfde725};
        for (int c = 0; c < 3 && shape[k][0] == 1 && shape[k][1] == 3; c++) /* each a third of the width */
            assert_int_equal(png_at(&p, box[0] + (2 * c + 1) * (box[2] - box[0]) / 6, (box[1] + box[3]) / 2), cold_to_hot[c]);
        if (shape[k][0] == 3 && shape[k][1] == 1) /* row 0 at the bottom */
            assert_int_equal(png_at(&p, (box[0] + box[2]) / 2, box[3] - 20), 0x440154);
        png_free(&p);
        if (shape[k][0] < 9 && shape[k][1] < 9)
            assert_false(has_line(texts_in("a.svg"), "-0.5")); /* no half neurons */
    }
}

/* Two values: as many in the first bin as in the last, which holds the largest value. */
static void the_largest_value_belongs_to_the_last_bin(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    for (int i = 0; i < N; i++) {
        x[i] = i % 2;
        label[i] = 0;
    }
    assert_ok_in(ctx, gg_plot_histogram(ctx, at("a"), "t", x, label, N, DOMAINS, 1, 2, "x", "y"));
    png p = png_read("a.png");
    int box[4];
    png_count(&p, 0xd1e6f1, 6, box); /* the fill */
    const int middle = (box[0] + box[2]) / 2, row = box[1] + 30;
    assert_int_equal(png_at(&p, middle - 100, row), png_at(&p, middle + 100, row));
    assert_true(box[3] - box[1] > 500);
    png_free(&p);
}

/* Four points on a cross, twice as wide as high: pixels between them must be so too. */
static void a_distance_on_a_map_looks_the_same_in_every_direction(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    static const double wide[][2] = {{8, 4}, {4, 8}, {1, 0}, {0, 0}};
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++) {
        const double a = wide[k][0], u = wide[k][1], cross[] = {-a, 0, a, 0, 0, -u, 0, u};
        assert_ok_in(ctx, gg_plot_map(ctx, at("a"), "t", cross, (const int32_t[]){0, 0, 0, 0}, 4, DOMAINS, 1, "x", "y"));
        char *svg = read_file(NULL, at("a.svg"));
        double at[10][2];
        int n = 0;
        for (const char *dot = strstr(svg, "<use xlink:href=\"#gpPt6\" transform"); dot && n < 10;
             dot = strstr(dot + 1, "<use xlink:href=\"#gpPt6\" transform"))
            n += sscanf(dot, "<use xlink:href=\"#gpPt6\" transform=\"translate(%lf,%lf)", &at[n][0], &at[n][1]) == 2;
        assert_int_equal(n, 5); /* and that of the legend, which comes first */
        const double across = at[2][0] - at[1][0], up = at[3][1] - at[4][1];
        assert_true(fabs(across * u - up * a) <= 0.02 * 8 * (a + u));
        if (a + u > 0)
            assert_true(fmax(across, up) > 400); /* and the map is used */
        for (int i = 1; i < 5; i++)
            assert_true(at[i][0] > 70 && at[i][0] < 630 && at[i][1] > 50);
        free(svg);
    }
}

/* A legend of many names goes on in another line, and none of it is outside the picture. */
static void the_legend_of_many_curves_is_broken(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    enum { CURVES = 9 };
    static char name[CURVES][40];
    static const double right[] = {1, 2, 3}, up[] = {1, 4, 9};
    gg_plot_series series[CURVES];
    for (int c = 0; c < CURVES; c++) {
        snprintf(name[c], sizeof name[c], "curve number %d", c);
        series[c] = (gg_plot_series){.name = name[c], .x = right, .y = up, .n = 3, .line = c % 2};
    }
    const gg_plot_axis across = {.label = "x"}, upwards = {.label = "y", .log = true};
    assert_ok_in(ctx, gg_plot_curves(ctx, at("a"), "Nine curves", series, CURVES, &across, &upwards));
    const char *texts = texts_in("a.svg");
    for (int c = 0; c < CURVES; c++)
        assert_true(has_line(texts, name[c]));
    png p = png_read("a.png");
    for (int y = 0; y < p.height; y++)
        assert_true(png_at(&p, p.width - 20, y) == 0xffffff);
    png_free(&p);
}

static void few_documents_are_counted_in_whole_numbers(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    assert_ok_in(ctx, gg_plot_histogram(ctx, at("a"), "t", (double[]){0.5, 0.5}, (int32_t[]){0, 0}, 2, DOMAINS, 1, 10, "x", "documents"));
    const char *texts = texts_in("a.svg");
    assert_true(has_line(texts, "1") && has_line(texts, "2"));
    assert_false(has_line(texts, "1.5"));
}

static void a_share_that_is_not_nothing_is_not_called_nothing(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    assert_ok_in(ctx, gg_plot_shares(ctx, at("a"), "t", DOMAINS, 3, (double[]){0.0004, 0, 0.006}, "pool", (double[]){0.5, 1, 0}, "chosen", "share"));
    const char *texts = texts_in("a.svg");
    assert_true(has_line(texts, "< 0.1 %") && has_line(texts, "0 %") && has_line(texts, "0.6 %") && has_line(texts, "50 %") && has_line(texts, "100 %"));
}

/* For a letter that no font has, Pango with gnuplot would draw a box many times the size of the picture. */
static void a_letter_that_no_font_has_does_not_spoil_the_picture(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    static const char letter[] = "a\xf4\x8f\xbf\xbd z"; /* U+10FFFD, private use */
    const char *names[N_DOMAINS];
    for (int c = 0; c < N_DOMAINS; c++)
        names[c] = letter;
    for (int kind = 0; kind < KINDS; kind += 2) {
        heard[0] = 0;
        assert_ok_in(ctx, draw(ctx, kind, at("a"), letter, names, classes_of(kind), letter, letter));
        png p = png_read("a.png");
        assert_true(png_count(&p, 0x222222, 30, NULL) < (int64_t)p.width * p.height / 15);
        for (int column = 0; column < p.width; column++)
            assert_int_equal(png_at(&p, column, p.height - 1), 0xffffff);
        png_free(&p);
        assert_true(has_line(texts_in("a.svg"), letter)); /* the SVG's reader may have a font */
        assert_text_has(heard, "(U+10FFFD)");
        assert_null(strchr(strchr(heard, '\n') + 1, '\n'));
    }
}

static void what_cannot_be_drawn_is_refused_and_nothing_is_written(void **state)
{
    gg_context *ctx = *state;
    const char *const path = at("refused"), *const is_nan = "refused: point 17 is not a finite number";
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const double was = x[17];
        x[17] = xy[2 * 17 + 1] = bad[k];
        assert_fails(ctx, gg_plot_histogram(ctx, path, "t", x, label, N, DOMAINS, N_DOMAINS, 30, "x", "y"), GG_ENAN, is_nan);
        assert_fails(ctx, gg_plot_map(ctx, path, "t", xy, label, N, DOMAINS, N_DOMAINS, "x", "y"), GG_ENAN, is_nan);
        x[17] = was;
        z[5 * SIDE_OF_HEAT + 3] = bad[k];
        assert_fails(ctx, gg_plot_heat(ctx, path, "t", z, SIDE_OF_HEAT, SIDE_OF_HEAT, "x", "y", "z"), GG_ENAN,
                     "refused: row 5, column 3 is not a finite number");
        const double were = first[2];
        first[2] = bad[k];
        assert_fails(ctx, gg_plot_shares(ctx, path, "t", DOMAINS, N_DOMAINS, first, "a", second, "b", "y"), GG_EINVAL, "category 2 has shares");
        first[2] = were;
    }
    x[3] = 1e301;
    assert_fails(ctx, gg_plot_histogram(ctx, path, "t", x, label, N, DOMAINS, N_DOMAINS, 30, "x", "y"), GG_EINVAL, "point 3 is 1e+301");
    x[3] = 0;
    static const int32_t outside[] = {-1, N_DOMAINS, INT32_MAX, INT32_MIN};
    for (size_t k = 0; k < sizeof outside / sizeof *outside; k++) {
        char said[64];
        snprintf(said, sizeof said, "point 9 is of class %d, classes are 0..7", (int)outside[k]);
        label[9] = outside[k];
        assert_fails(ctx, gg_plot_histogram(ctx, path, "t", x, label, N, DOMAINS, N_DOMAINS, 30, "x", "y"), GG_EINVAL, said);
        label[9] = 0;
        xy[2 * 17 + 1] = 0;
        label[9] = outside[k];
        assert_fails(ctx, gg_plot_map(ctx, path, "t", xy, label, N, DOMAINS, N_DOMAINS, "x", "y"), GG_EINVAL, said);
    }
    label[9] = 0;
    static const double share[] = {-0.001, 1.001};
    for (size_t k = 0; k < 2; k++) {
        second[1] = share[k];
        assert_fails(ctx, gg_plot_shares(ctx, path, "t", DOMAINS, N_DOMAINS, first, "a", second, "b", "y"), GG_EINVAL, "both must lie in 0..1");
    }
    assert_fails(ctx, gg_plot_shares(ctx, path, "t", DOMAINS, 0, first, "a", second, "b", "y"), GG_EINVAL, "1..400 can be drawn");
    assert_fails(ctx, gg_plot_shares(ctx, path, "t", DOMAINS, 401, first, "a", second, "b", "y"), GG_EINVAL, "1..400 can be drawn");
    assert_fails(ctx, gg_plot_map(ctx, path, "t", xy, label, 0, DOMAINS, N_DOMAINS, "x", "y"), GG_EINVAL, "at least one of each");
    assert_fails(ctx, gg_plot_map(ctx, path, "t", xy, label, N, DOMAINS, 0, "x", "y"), GG_EINVAL, "at least one of each");
    assert_fails(ctx, gg_plot_map(ctx, path, "t", xy, label, N, DOMAINS, 401, "x", "y"), GG_EINVAL, "at most 400");
    assert_fails(ctx, gg_plot_heat(ctx, path, "t", z, 0, 4, "x", "y", "z"), GG_EINVAL, "0 x 4 cells");
    assert_fails(ctx, gg_plot_heat(ctx, path, "t", z, INT64_MAX, INT64_MAX, "x", "y", "z"), GG_EINVAL, "a heat map of");
    assert_fails(ctx, gg_plot_histogram(ctx, path, "t", x, label, N, DOMAINS, N_DOMAINS, 0, "x", "y"), GG_EINVAL, "1..10000 can be drawn");
    assert_false(there("refused.png") || there("refused.svg"));
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    gg_context *ctx = *state;
    need_gnuplot();
    const gg_status s = draw(ctx, MAP, at("no/such/a"), "t", DOMAINS, N_DOMAINS, "x", "y");
    assert_true(s == GG_EIO || s == GG_ENOENT);
    assert_text_has(gg_message(ctx), "no/such/a.png");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, prepare, drop_context)
    const struct CMUnitTest tests[] = {
        T(every_picture_is_whole_and_says_what_it_was_told),
        T(the_same_numbers_give_the_same_bytes),
        T(labels_with_any_characters_are_shown_as_they_are),
        T(control_characters_and_broken_utf8_become_harmless),
        T(nothing_that_a_label_says_is_run),
        T(braces_are_drawn_in_the_png_too),
        T(long_titles_are_broken_and_long_names_cut),
        T(classes_without_points_are_left_out_and_the_others_keep_their_looks),
        T(ninety_eight_classes_differ_and_all_are_in_the_legend),
        T(pooling_keeps_the_one_hot_cell_and_its_place),
        T(a_single_row_column_or_cell_is_drawn),
        T(the_largest_value_belongs_to_the_last_bin),
        T(a_distance_on_a_map_looks_the_same_in_every_direction),
        T(the_legend_of_many_curves_is_broken),
        T(few_documents_are_counted_in_whole_numbers),
        T(a_share_that_is_not_nothing_is_not_called_nothing),
        T(a_letter_that_no_font_has_does_not_spoil_the_picture),
        T(what_cannot_be_drawn_is_refused_and_nothing_is_written),
        T(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
