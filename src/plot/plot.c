/* The five plots: shares, distributions, a heat map, a map of points, curves. Owns what they look like; gnuplot.c owns how they are drawn.
 *
 * Colours of classes are Okabe & Ito's (2008), told apart with any kind of colour vision, but for their yellow, which is lost on white;
 * the eighth class starts over with open shapes, and every class has its own shape or its own row, so that no plot leans on colour alone.
 * Heat is viridis (van der Walt & Smith 2015): its lightness rises steadily. A class keeps colour and shape whatever classes are
 * absent, so one domain looks alike in all plots of a report.
 *
 * Traps: a heat map drawn with fewer pixels than cells loses the one hot cell among a thousand cold ones: cells are pooled here,
 * by their largest. Distributions of more than three classes drawn over one another cannot be read: each gets a row of its own.
 */
#include "plot/plot.h"
#include "base/memory.h"
#include "plot/gnuplot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WIDTH = 860, MOST_CELLS = 1024, MOST_CLASSES = 400, FONT = 14, TITLE_FONT = 21, LINE = 26 /* of title and legend */ };
/* widths of texts, in sizes of their font */
static const double NAME = 17, LEGEND = 13, TITLE = (WIDTH - 28.0) / TITLE_FONT;

static const char *const COLOUR[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", GG__INK};
/* gnuplot's numbers of filled shapes (circle, square, triangles, diamond, pentagon, star) and of open ones, shifted by one so that the
 * two classes of one colour differ in outline too */
static const int SHAPE[] = {7, 5, 9, 11, 13, 15, 3, 4, 8, 10, 12, 14, 6, 2};
enum { N_COLOURS = sizeof COLOUR / sizeof *COLOUR, N_SHAPES = sizeof SHAPE / sizeof *SHAPE };

static const char *colour_of(int c)
{
    return COLOUR[c % N_COLOURS];
}

/* Each round through the shapes begins with the next one, so that the first 98 classes differ in colour or shape. */
static int shape_of(int c)
{
    return SHAPE[(c + c / N_SHAPES) % N_SHAPES];
}

/* ---- what all have in common ---- */

/* Title at the top left, below it a note or room for the lines of a legend, quiet axes. Returns the pixels that these take. */
static int begin(gg_str *s, const char *title, int legend_lines, const char *note, int height_without_title)
{
    enum { MOST_LINES = 3 };
    const char *line[MOST_LINES] = {title};
    gg_str quoted[MOST_LINES] = {{.ctx = s->ctx}, {.ctx = s->ctx}, {.ctx = s->ctx}};
    int n = 0;
    for (; n < MOST_LINES - 1 && line[n]; n++)
        line[n + 1] = gg__gnuplot_quote_line(&quoted[n], line[n], TITLE);
    if (line[n]) {
        gg__gnuplot_quote(&quoted[n], line[n], TITLE);
        n++;
    }
    const int top = 26 + LINE * (n + (note ? 1 : legend_lines));
    const double height = height_without_title + top;
    for (int i = 0; i < n; i++) { /* each where it belongs: gnuplot's terminals differ in the distance of lines */
        gg_str_printf(s, "set label %d %s at screen %.5f,%.5f left font large textcolor rgb '" GG__INK "'\n", 4 + i, quoted[i].failed ? "''" : quoted[i].data,
                      14.0 / WIDTH, 1 - (24 + LINE * i) / height);
        s->failed = s->failed || quoted[i].failed;
        gg_str_free(&quoted[i]);
    }
    gg_str_puts(s, "set border 3 lc rgb '" GG__INK "' lw 1\n"
                   "set tics nomirror out scale 0.5 textcolor rgb '" GG__INK "'\n"
                   "set format '%g'\n");
    gg_str_printf(s, "set tmargin at screen %.5f\n", 1 - top / height);
    gg_str_puts(s, "unset key\n");
    if (note)
        gg_str_printf(s, "set label 2 '%s' at screen %.5f,%.5f left textcolor rgb '" GG__INK "'\n", note, 14.0 / WIDTH, 1 - (top - 24) / height);
    return top;
}

/* pixels: room along the axis */
static void axis(gg_str *s, const char *which, const char *label, int pixels)
{
    gg_str_printf(s, "set %s ", which);
    gg__gnuplot_quote(s, label, (double)pixels / FONT);
    gg_str_puts(s, " textcolor rgb '" GG__INK "'\n");
}

/* Whole numbers on an axis that counts from 0: gnuplot would set ticks at halves when there are few. */
static void count_axis(gg_str *s, const char *which, int64_t most)
{
    if (most <= 8)
        gg_str_printf(s, "set %s 0,1\n", which);
}

/* An entry of the legend below the title, at x pixels; returns where the next one begins. gnuplot's own legend takes all letters to be of one
 * width, and its names lie over one another when they are not. dash: of a line; 0: a box. */
static double legend_entry(gg_str *s, int number, double x, const char *name, const char *colour, int dash, int height, int top)
{
    const int sample = dash ? 42 : 26; /* a dash must be seen to be one */
    enum { GAP = 8, BETWEEN = 28 };
    const double y = 1 - (double)(top - 21) / height, half = 5.0 / height;
    if (dash)
        gg_str_printf(s, "set arrow %d from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 2 dt %d lc rgb '%s'\n", number, x / WIDTH, y,
                      (x + sample) / WIDTH, y, dash, colour);
    else
        gg_str_printf(s, "set object %d rectangle from screen %.5f,%.5f to screen %.5f,%.5f fs solid noborder fc rgb '%s'\n", number, x / WIDTH, y - half,
                      (x + sample) / WIDTH, y + half, colour);
    gg_str_printf(s, "set label %d ", 10 + number);
    gg__gnuplot_quote(s, name, LEGEND);
    gg_str_printf(s, " at screen %.5f,%.5f left textcolor rgb '" GG__INK "'\n", (x + sample + GAP) / WIDTH, y);
    return x + sample + GAP + FONT * fmin(gg__gnuplot_width(name), LEGEND) + BETWEEN;
}

/* The name of an upright axis at the given x, where gnuplot would set it into the numbers or out of the picture. pixels: room along the axis */
static void upright(gg_str *s, const char *label, double x, int pixels)
{
    gg_str_puts(s, "set label 3 ");
    gg__gnuplot_quote(s, label, (double)pixels / FONT);
    gg_str_printf(s, " at screen %.5f, graph 0.5 center rotate by 90 textcolor rgb '" GG__INK "'\n", x / WIDTH);
}

/* Names at the ticks of the left axis: gnuplot takes all letters to be of one width when it leaves room for them. */
static void name_margin(gg_str *s, double widest, bool y_label)
{
    gg_str_printf(s, "set lmargin at screen %.5f\n", (26 + (y_label ? 22 : 0) + FONT * widest) / WIDTH);
}

static gg_status finish(gg_context *ctx, const char *path, const char *title, gg_str *s, int height)
{
    const gg_status status = s->failed ? GG_ENOMEM : gg__gnuplot_write(ctx, path, title, s, WIDTH, height);
    gg_str_free(s);
    return status;
}

/* gnuplot's own ranges overflow before double does. */
static gg_status check_number(gg_context *ctx, const char *path, const char *what, int64_t i, double x)
{
    if (!isfinite(x))
        return gg_fail(ctx, GG_ENAN, "%s: %s %lld is not a finite number", path, what, (long long)i);
    if (fabs(x) > 1e300)
        return gg_fail(ctx, GG_EINVAL, "%s: %s %lld is %g: numbers beyond 1e300 cannot be drawn", path, what, (long long)i, x);
    return GG_OK;
}

static gg_status check_points(gg_context *ctx, const char *path, const double *x, int64_t per_point, const int32_t *label, int64_t n, int n_classes)
{
    if (n < 1 || n_classes < 1)
        return gg_fail(ctx, GG_EINVAL, "%s: a plot of %lld points in %d classes: at least one of each is needed", path, (long long)n, n_classes);
    if (n_classes > MOST_CLASSES)
        return gg_fail(ctx, GG_EINVAL, "%s: a plot of %d classes: at most %d can be drawn", path, n_classes, MOST_CLASSES);
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0 || label[i] >= n_classes)
            return gg_fail(ctx, GG_EINVAL, "%s: point %lld is of class %d, classes are 0..%d", path, (long long)i, (int)label[i], n_classes - 1);
        for (int64_t c = 0; c < per_point; c++)
            GG_TRY(check_number(ctx, path, "point", i, x[i * per_point + c]));
    }
    return GG_OK;
}

/* ---- shares ---- */

gg_status gg_plot_shares(gg_context *ctx, const char *path, const char *title, const char *const *category, int n, const double *first,
                         const char *first_name, const double *second, const char *second_name, const char *y_label)
{
    if (n < 1 || n > MOST_CLASSES)
        return gg_fail(ctx, GG_EINVAL, "%s: shares of %d categories: 1..%d can be drawn", path, n, MOST_CLASSES);
    double largest = 0, widest = 0;
    for (int i = 0; i < n; i++) {
        if (!(first[i] >= 0 && first[i] <= 1 + 1e-9 && second[i] >= 0 && second[i] <= 1 + 1e-9))
            return gg_fail(ctx, GG_EINVAL, "%s: category %d has shares %g and %g: both must lie in 0..1", path, i, first[i], second[i]);
        largest = fmax(largest, fmax(first[i], second[i]));
        widest = fmax(widest, fmin(gg__gnuplot_width(category[i]), NAME));
    }
    static const char *const BAR[] = {"#9a9a9a", "#0072B2"};
    gg_str s = {.ctx = ctx};
    const int row = n <= 12 ? 42 : n <= 30 ? 30 : 22, body = 96 + row * n, top = begin(&s, title, 1, NULL, body), height = body + top;
    axis(&s, "xlabel", y_label, WIDTH - 300);
    name_margin(&s, widest, false);
    const double next = legend_entry(&s, 1, 14, first_name, BAR[0], 0, height, top);
    legend_entry(&s, 2, next, second_name, BAR[1], 0, height, top);
    gg_str_printf(&s, "set grid x back lt 1 lc rgb '" GG__FAINT "' lw 1\n"
                      "set border 2\nset xrange [0:%.17g]\nset yrange [%d.62:-0.62]\nset ytics scale 0 (", largest > 0 ? 112 * largest : 1, n - 1);
    for (int i = 0; i < n; i++) {
        gg_str_puts(&s, i ? "," : "");
        gg__gnuplot_quote_tick(&s, category[i], NAME);
        gg_str_printf(&s, " %d", i);
    }
    gg_str_printf(&s, ")\nset format x '%%g %%%%'\nset style fill solid 1 noborder\n$d << EOD\n");
    for (int i = 0; i < n; i++) /* middle of the two bars, their ends */
        gg_str_printf(&s, "%g %g %.17g %.17g\n", i - 0.2, i + 0.2, 100 * first[i], 100 * second[i]);
    gg_str_puts(&s, "EOD\ntext(x) = x > 0 && x < 0.05 ? '< 0.1 %' : sprintf(x > 0 && x < 0.95 ? '%.1f %%' : '%.0f %%', x)\nplot ");
    for (int b = 0; b < 2; b++)
        gg_str_printf(&s, "%s$d using (0.5*$%d):%d:(0):%d:($%d-0.17):($%d+0.17) with boxxyerror lc rgb '%s'", b ? ", " : "", b + 3, b + 1, b + 3,
                      b + 1, b + 1, BAR[b]);
    for (int b = 0; b < 2; b++)
        gg_str_printf(&s, ", $d using %d:%d:(text($%d)) with labels left offset char 0.6,0 font small textcolor rgb '" GG__INK "'", b + 3, b + 1, b + 3);
    gg_str_puts(&s, "\n");
    return finish(ctx, path, title, &s, height);
}

/* ---- distributions ---- */

typedef struct bins {
    double low, width;
    int n;
    int64_t *count;  /* (n_classes, n) */
    int64_t *total;  /* (n_classes,) */
    double *median;  /* (n_classes,) NaN: the class is empty */
    int *order;      /* (n_shown,) classes that have points, lowest median first */
    int n_shown;
} bins;

static void bins_free(gg_context *ctx, bins *b)
{
    gg_drop(ctx, b->count);
    gg_drop(ctx, b->total);
    gg_drop(ctx, b->median);
    gg_drop(ctx, b->order);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static gg_status find_medians(bins *b, gg_context *ctx, const double *x, const int32_t *label, int64_t n, int n_classes)
{
    double *own = gg_new(ctx, double, n);
    if (!own)
        return GG_ENOMEM;
    for (int c = 0; c < n_classes; c++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++)
            if (label[i] == c)
                own[m++] = x[i];
        qsort(own, (size_t)m, sizeof *own, by_size);
        b->median[c] = m ? 0.5 * (own[(m - 1) / 2] + own[m / 2]) : NAN;
        if (m == 0)
            continue;
        int at = b->n_shown++; /* insertion by median, ties by class */
        for (; at > 0 && b->median[b->order[at - 1]] > b->median[c]; at--)
            b->order[at] = b->order[at - 1];
        b->order[at] = c;
    }
    gg_drop(ctx, own);
    return GG_OK;
}

static gg_status bins_make(bins *b, gg_context *ctx, const double *x, const int32_t *label, int64_t n, int n_classes, int n_bins)
{
    double low = x[0], high = x[0];
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    if (!(high > low)) { /* one value: a bin around it */
        const double pad = low != 0 ? fabs(low) * 1e-3 : 0.5;
        low -= pad;
        high += pad;
    }
    *b = (bins){.low = low, .width = high / n_bins - low / n_bins, .n = n_bins, .count = gg_new(ctx, int64_t, gg_mul(n_classes, n_bins)),
                .total = gg_new(ctx, int64_t, n_classes), .median = gg_new(ctx, double, n_classes), .order = gg_new(ctx, int, n_classes)};
    gg_status s = b->count && b->total && b->median && b->order ? find_medians(b, ctx, x, label, n, n_classes) : GG_ENOMEM;
    if (s != GG_OK) {
        bins_free(ctx, b);
        return s;
    }
    for (int64_t i = 0; i < n; i++) {
        const double at = (x[i] - low) / b->width;
        const int bin = at >= n_bins ? n_bins - 1 : at > 0 ? (int)at : 0; /* the largest value belongs to the last bin */
        b->count[label[i] * n_bins + bin]++;
        b->total[label[i]]++;
    }
    return GG_OK;
}

/* The outline of a class's steps as a data block $d<class>, on `base`, heights times `scale`. */
static void outline(gg_str *s, const bins *b, int c, double base, double scale)
{
    gg_str_printf(s, "$d%d << EOD\n%.17g %.9g\n", c, b->low, base);
    for (int i = 0; i < b->n; i++) {
        const double y = base + scale * (double)b->count[(int64_t)c * b->n + i], x = b->low + i * b->width;
        gg_str_printf(s, "%.17g %.9g\n%.17g %.9g\n", x, y, x + b->width, y);
    }
    gg_str_printf(s, "%.17g %.9g\nEOD\n", b->low + b->n * b->width, base);
}

static int64_t largest_count(const bins *b, int c)
{
    int64_t most = 0;
    for (int i = 0; i < b->n; i++)
        most = b->count[(int64_t)c * b->n + i] > most ? b->count[(int64_t)c * b->n + i] : most;
    return most;
}

/* Few classes: drawn over one another, counts on the axis. */
static int overlaid(gg_str *s, const bins *b, const char *title, const char *const *class_name, const char *y_label)
{
    static const int DASH[] = {1, 2, 4};
    const int top = begin(s, title, 1, NULL, 370), height = 370 + top;
    int64_t most = 0;
    for (int k = 0; k < b->n_shown; k++)
        most = largest_count(b, b->order[k]) > most ? largest_count(b, b->order[k]) : most;
    axis(s, "ylabel", y_label, 340);
    count_axis(s, "ytics", most);
    gg_str_puts(s, "set grid y back lt 1 lc rgb '" GG__FAINT "' lw 1\nset yrange [0:*]\n");
    double x = 14;
    for (int k = 0; k < b->n_shown; k++) {
        outline(s, b, b->order[k], 0, 1);
        x = legend_entry(s, k + 1, x, class_name[b->order[k]], colour_of(b->order[k]), DASH[k], height, top);
    }
    gg_str_puts(s, "plot ");
    for (int k = 0; k < b->n_shown; k++) /* fills first: a line must not lie under a fill */
        gg_str_printf(s, "$d%d with filledcurves closed fs transparent solid 0.18 noborder lc rgb '%s', ", b->order[k], colour_of(b->order[k]));
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        gg_str_printf(s, "%s$d%d with lines lw 2 dt %d lc rgb '%s'", k ? ", " : "", c, DASH[k], colour_of(c));
    }
    gg_str_puts(s, "\n");
    return height;
}

/* Many classes: a row each, lowest median at the top, each to its own highest bin, a bar at the median. */
static int rows(gg_str *s, const bins *b, const char *title, const char *const *class_name, const char *y_label)
{
    const int row = b->n_shown <= 16 ? 40 : 26, body = 76 + row * b->n_shown;
    const int height = body + begin(s, title, 0, "each row to its own scale; bar: the median; (n): how many", body);
    double widest = 0;
    for (int k = 0; k < b->n_shown; k++) {
        char count[32];
        snprintf(count, sizeof count, " (%lld)", (long long)b->total[b->order[k]]);
        widest = fmax(widest, fmin(gg__gnuplot_width(class_name[b->order[k]]), NAME) + gg__gnuplot_width(count));
    }
    upright(s, y_label, 20, height - 130);
    name_margin(s, widest, true);
    gg_str_printf(s, "set grid x back lt 1 lc rgb '" GG__FAINT "' lw 1\nset border 1\nset yrange [-0.15:%d.05]\nset ytics scale 0 (", b->n_shown);
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        gg_str_puts(s, k ? "," : "");
        gg__gnuplot_quote_tick(s, class_name[c], NAME);
        gg_str_printf(s, ".' (%lld)' %.2f", (long long)b->total[c], b->n_shown - 1 - k + 0.25);
    }
    gg_str_puts(s, ")\n");
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        outline(s, b, c, b->n_shown - 1 - k, 0.86 / (double)largest_count(b, c));
    }
    gg_str_puts(s, "plot ");
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k], base = b->n_shown - 1 - k;
        gg_str_printf(s, "%s$d%d with filledcurves closed fs transparent solid 0.35 noborder lc rgb '%s', $d%d with lines lw 1.5 lc rgb '%s', "
                         "'+' using (%.17g):(%d):(0):(0.9) every ::0::0 with vectors nohead lw 3 lc rgb '%s'",
                      k ? ", " : "", c, colour_of(c), c, colour_of(c), b->median[c], base, colour_of(c));
    }
    gg_str_puts(s, "\n");
    return height;
}

gg_status gg_plot_histogram(gg_context *ctx, const char *path, const char *title, const double *x, const int32_t *label, int64_t n,
                            const char *const *class_name, int n_classes, int n_bins, const char *x_label, const char *y_label)
{
    GG_TRY(check_points(ctx, path, x, 1, label, n, n_classes));
    if (n_bins < 1 || n_bins > 10000)
        return gg_fail(ctx, GG_EINVAL, "%s: a histogram of %d bins: 1..10000 can be drawn", path, n_bins);
    bins b;
    GG_TRY(bins_make(&b, ctx, x, label, n, n_classes, n_bins));
    gg_str s = {.ctx = ctx};
    axis(&s, "xlabel", x_label, WIDTH - 300);
    const double high = b.low + b.n * b.width;
    gg_str_printf(&s, "set xrange [%.17g:%.17g]\n", b.low - 0.01 * (high - b.low), high + 0.01 * (high - b.low));
    const int height = b.n_shown <= 3 ? overlaid(&s, &b, title, class_name, y_label) : rows(&s, &b, title, class_name, y_label);
    bins_free(ctx, &b);
    return finish(ctx, path, title, &s, height);
}

/* ---- heat ---- */

/* Cells of `every` neighbours, by their largest. */
static int64_t pooled(int64_t n)
{
    return (n + MOST_CELLS - 1) / MOST_CELLS;
}

static double largest_of(const double *z, int64_t n_rows, int64_t n_columns, int64_t r0, int64_t c0, int64_t per_row, int64_t per_column)
{
    double largest = -INFINITY;
    for (int64_t r = r0; r < r0 + per_row && r < n_rows; r++)
        for (int64_t c = c0; c < c0 + per_column && c < n_columns; c++)
            largest = fmax(largest, z[r * n_columns + c]);
    return largest;
}

gg_status gg_plot_heat(gg_context *ctx, const char *path, const char *title, const double *z, int64_t n_rows, int64_t n_columns,
                       const char *x_label, const char *y_label, const char *z_label)
{
    static const char VIRIDIS[][8] = {"#440154", "#481A6C", "#472F7D", "#414487", "#39568C", "#31688E", "#2A788E", "#23888E", "#1F988B",
                                      "#22A884", "#35B779", "#54C568", "#7AD151", "#A5DB36", "#D2E21B", "#FDE725"};
    if (n_rows < 1 || n_columns < 1 || n_rows > INT64_MAX / n_columns)
        return gg_fail(ctx, GG_EINVAL, "%s: a heat map of %lld x %lld cells: at least one is needed", path, (long long)n_rows, (long long)n_columns);
    double low = z[0], high = z[0];
    for (int64_t i = 0; i < n_rows * n_columns; i++) {
        if (!(fabs(z[i]) <= 1e300))
            return gg_fail(ctx, isfinite(z[i]) ? GG_EINVAL : GG_ENAN, "%s: row %lld, column %lld is %s", path, (long long)(i / n_columns),
                           (long long)(i % n_columns), isfinite(z[i]) ? "beyond 1e300, which cannot be drawn" : "not a finite number");
        low = fmin(low, z[i]);
        high = fmax(high, z[i]);
    }
    gg_str s = {.ctx = ctx}, what = {.ctx = ctx};
    const int64_t per_row = pooled(n_rows), per_column = pooled(n_columns);
    const int body = (int)fmin(620, fmax(300, 110 + 12.0 * (double)n_rows)), height = body + begin(&s, title, 0, NULL, body);
    axis(&s, "xlabel", x_label, WIDTH - 200);
    axis(&s, "ylabel", y_label, body - 20);
    count_axis(&s, "xtics", n_columns - 1);
    count_axis(&s, "ytics", n_rows - 1);
    gg_str_puts(&what, z_label);
    if (per_row * per_column > 1)
        gg_str_printf(&what, " (largest of %lld)", (long long)(per_row * per_column));
    upright(&s, what.failed ? "" : what.data, WIDTH - 14, body - 20);
    s.failed = s.failed || what.failed;
    gg_str_free(&what);
    gg_str_puts(&s, "set palette defined (");
    for (size_t i = 0; i < sizeof VIRIDIS / sizeof *VIRIDIS; i++)
        gg_str_printf(&s, "%s%zu '%s'", i ? "," : "", i, VIRIDIS[i]);
    gg_str_printf(&s, ")\nset cbrange [%.17g:%.17g]\nset cbtics textcolor rgb '" GG__INK "'\nset xrange [-0.5:%lld.5]\nset yrange [-0.5:%lld.5]\n"
                      "set rmargin at screen %.5f\nset colorbox user origin graph 1.02,graph 0 size graph 0.022,graph 1 noborder\n",
                  low, high > low ? high : low + 1, (long long)(n_columns - 1), (long long)(n_rows - 1), 1 - 128.0 / WIDTH);
    /* gnuplot's images have two rows and columns at least: a single one is given twice, each copy half as wide */
    const int twice_row = n_rows == 1 ? 2 : 1, twice_column = n_columns == 1 ? 2 : 1;
    gg_str_puts(&s, "$d << EOD\n");
    for (int64_t r = 0; r < n_rows * twice_row; r += per_row)
        for (int64_t c = 0; c < n_columns * twice_column; c += per_column)
            gg_str_printf(&s, "%.12g%c", largest_of(z, n_rows, n_columns, r / twice_row, c / twice_column, per_row, per_column),
                          c + per_column < n_columns * twice_column ? ' ' : '\n');
    gg_str_printf(&s, "EOD\nplot $d using (%g*$1+%g):(%g*$2+%g):3 matrix with image\n", (double)per_column / twice_column,
                  0.5 * ((double)per_column / twice_column - 1), (double)per_row / twice_row, 0.5 * ((double)per_row / twice_row - 1));
    return finish(ctx, path, title, &s, height);
}

/* ---- a map ---- */

static bool has_points(const int32_t *label, int64_t n, int c)
{
    for (int64_t i = 0; i < n; i++)
        if (label[i] == c)
            return true;
    return false;
}

/* Ranges such that a distance looks the same in every direction; returns the height of the map in pixels, at most TALLEST, for its width. */
static int equal_axes(gg_str *s, const double *xy, int64_t n, int width)
{
    enum { LOWEST = 300, TALLEST = 620 };
    double low[2] = {xy[0], xy[1]}, high[2] = {xy[0], xy[1]};
    for (int64_t i = 0; i < 2 * n; i++) {
        low[i % 2] = fmin(low[i % 2], xy[i]);
        high[i % 2] = fmax(high[i % 2], xy[i]);
    }
    const double across = 1.06 * (high[0] - low[0]), up = 1.06 * (high[1] - low[1]);
    double pixel = fmax(across / width, up / TALLEST); /* in units of the axes */
    pixel = pixel > 0 ? pixel : 1.0 / width;
    const int height = (int)fmax(LOWEST, up / pixel);
    for (int a = 0; a < 2; a++) {
        const double middle = 0.5 * low[a] + 0.5 * high[a], half = 0.5 * pixel * (a ? height : width);
        gg_str_printf(s, "set %crange [%.17g:%.17g]\n", "xy"[a], middle - half, middle + half);
    }
    return height;
}

gg_status gg_plot_map(gg_context *ctx, const char *path, const char *title, const double *xy, const int32_t *label, int64_t n,
                      const char *const *class_name, int n_classes, const char *x_label, const char *y_label)
{
    GG_TRY(check_points(ctx, path, xy, 2, label, n, n_classes));
    enum { ACROSS = 540, LEFT = 76, BOTTOM = 68, ENTRY = 21 }; /* the legend has what is left of WIDTH */
    gg_str s = {.ctx = ctx};
    const int up = equal_axes(&s, xy, n, ACROSS);
    int n_shown = 0;
    for (int c = 0; c < n_classes; c++)
        n_shown += has_points(label, n, c);
    const int below = ENTRY * n_shown > up ? ENTRY * n_shown - up : 0, body = up + BOTTOM + below, height = body + begin(&s, title, 0, NULL, body);
    gg_str_printf(&s, "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset bmargin at screen %.5f\n", (double)LEFT / WIDTH,
                  (double)(LEFT + ACROSS) / WIDTH, (double)(BOTTOM + below) / height);
    axis(&s, "xlabel", x_label, ACROSS);
    axis(&s, "ylabel", y_label, up);
    gg_str_puts(&s, "set grid back lt 1 lc rgb '" GG__FAINT "' lw 1\n");
    gg_str plot = {.ctx = ctx};
    int line = 0;
    for (int c = 0; c < n_classes; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            if (label[i] != c)
                continue;
            if (count++ == 0)
                gg_str_printf(&s, "$d%d << EOD\n", c);
            gg_str_printf(&s, "%.17g %.17g\n", xy[2 * i], xy[2 * i + 1]);
        }
        if (count == 0)
            continue;
        gg_str_puts(&s, "EOD\n");
        char style[80];
        snprintf(style, sizeof style, "pt %d ps %s lw 1.3 lc rgb '%s'", shape_of(c), n > 1500 ? "0.6*dot" : "dot", colour_of(c));
        gg_str_printf(&plot, "%s$d%d with points %s", plot.len ? ", " : "plot ", c, style);
        gg_str_printf(&s, "set label %d ", 10 + c); /* the legend: gnuplot's own leaves out what it finds too much */
        gg__gnuplot_quote(&s, class_name[c], (double)(WIDTH - LEFT - ACROSS - 58) / FONT);
        gg_str_printf(&s, " at screen %.5f,%.5f left point %s offset 1.3,-0.25 textcolor rgb '" GG__INK "'\n", (LEFT + ACROSS + 28.0) / WIDTH,
                      1 - (height - body + 10.0 + ENTRY * line++) / height, style);
    }
    gg_str_add(&s, plot.data, plot.len);
    gg_str_puts(&s, "\n");
    s.failed = s.failed || plot.failed;
    gg_str_free(&plot);
    return finish(ctx, path, title, &s, height);
}

/* ---- curves ---- */

/* Entries of a legend from left to right, and on to another line where there is no room. */
typedef struct legend {
    int n_lines;
    double next; /* where the next entry begins */
} legend;

static double place(legend *l, const char *name)
{
    enum { MARGIN = 14, MARK = 20, BETWEEN = 28 };
    const double width = MARK + FONT * fmin(gg__gnuplot_width(name), LEGEND);
    if (l->n_lines == 0 || l->next + width > WIDTH - MARGIN) {
        l->n_lines++;
        l->next = MARGIN;
    }
    const double at = l->next;
    l->next += width + BETWEEN;
    return at;
}

static gg_status check_curves(gg_context *ctx, const char *path, const gg_plot_series *series, int n_series, const gg_plot_axis *x, const gg_plot_axis *y)
{
    if (n_series < 1 || n_series > MOST_CLASSES)
        return gg_fail(ctx, GG_EINVAL, "%s: curves of %d series: 1..%d can be drawn", path, n_series, MOST_CLASSES);
    for (int c = 0; c < n_series; c++) {
        if (series[c].n < 1)
            return gg_fail(ctx, GG_EINVAL, "%s: series %d has %lld points: at least one is needed", path, c, (long long)series[c].n);
        for (int64_t i = 0; i < series[c].n; i++) {
            const double px = series[c].x[i], py = series[c].y[i];
            GG_TRY(check_number(ctx, path, "point", i, px));
            GG_TRY(check_number(ctx, path, "point", i, py));
            if ((x->log && px <= 0) || (y->log && py <= 0))
                return gg_fail(ctx, GG_EINVAL, "%s: point %lld of series %d is (%g, %g): a logarithmic axis takes numbers above 0", path, (long long)i,
                               c, px, py);
        }
    }
    return GG_OK;
}

/* Marks of a logarithmic axis: 1, 2, 5 times powers of ten; over many decades the powers alone; where that gives fewer than three, round numbers
 * at equal steps. */
static void log_ticks(gg_str *s, double low, double high)
{
    const bool powers = log10(high / low) >= 4;
    gg_str marks = {.ctx = s->ctx};
    int n = 0;
    for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++)
        for (int k = 0; k < (powers ? 1 : 3); k++) {
            const double at = (k == 0 ? 1 : k == 1 ? 2 : 5) * pow(10, e);
            if (at >= low && at <= high)
                gg_str_printf(&marks, "%s'%g' %.17g", n++ ? ", " : "", at, at);
        }
    if (n >= 3)
        gg_str_add(s, marks.data, marks.len);
    s->failed = s->failed || marks.failed;
    gg_str_free(&marks);
    if (n >= 3)
        return;
    double step = pow(10, floor(log10((high - low) / 3)));
    step *= (high - low) / step > 15 ? 5 : (high - low) / step > 7 ? 2 : 1;
    const int64_t first = (int64_t)ceil(low / step), last = (int64_t)floor(high / step);
    for (int64_t i = first; i <= last; i++)
        gg_str_printf(s, "%s'%.6g' %.17g", i > first ? ", " : "", (double)i * step, (double)i * step);
}

/* A range around all points. */
static void range(gg_str *s, char which, const gg_plot_axis *a, const gg_plot_series *series, int n_series)
{
    double low = INFINITY, high = -INFINITY;
    for (int c = 0; c < n_series; c++)
        for (int64_t i = 0; i < series[c].n; i++) {
            const double v = which == 'x' ? series[c].x[i] : series[c].y[i];
            low = fmin(low, v);
            high = fmax(high, v);
        }
    if (!a->log) {
        const double pad = high > low ? 0.05 * (high - low) : fabs(high) + 1;
        gg_str_printf(s, "set %crange [%.17g:%.17g]\n", which, low - pad, high + pad);
        return;
    }
    const double factor = fmax(pow(high / low, 0.06), 1.1);
    low /= factor;
    high *= factor;
    gg_str_printf(s, "set logscale %c\nset %crange [%.17g:%.17g]\nset %ctics (", which, which, low, high, which);
    log_ticks(s, low, high);
    gg_str_puts(s, ")\n");
}

gg_status gg_plot_curves(gg_context *ctx, const char *path, const char *title, const gg_plot_series *series, int n_series, const gg_plot_axis *x,
                         const gg_plot_axis *y)
{
    enum { BODY = 400 };
    GG_TRY(check_curves(ctx, path, series, n_series, x, y));
    gg_str s = {.ctx = ctx}, plot = {.ctx = ctx};
    legend l = {0};
    for (int c = 0; c < n_series && n_series > 1; c++)
        place(&l, series[c].name);
    const int n_lines = l.n_lines, top = begin(&s, title, n_lines, NULL, BODY), height = BODY + top;
    l = (legend){0};
    axis(&s, "xlabel", x->label, WIDTH - 200);
    axis(&s, "ylabel", y->label, BODY - 60);
    gg_str_puts(&s, "set grid back lt 1 lc rgb '" GG__FAINT "' lw 1\n");
    range(&s, 'x', x, series, n_series);
    range(&s, 'y', y, series, n_series);
    for (int c = 0; c < n_series; c++) {
        char style[80];
        snprintf(style, sizeof style, "pt %d ps dot lw 1.5 lc rgb '%s'", shape_of(c), colour_of(c));
        gg_str_printf(&s, "$d%d << EOD\n", c);
        for (int64_t i = 0; i < series[c].n; i++)
            gg_str_printf(&s, "%.17g %.17g\n", series[c].x[i], series[c].y[i]);
        gg_str_puts(&s, "EOD\n");
        gg_str_printf(&plot, "%s$d%d with %s %s", c ? ", " : "plot ", c, series[c].line ? "linespoints" : "points", style);
        if (n_series < 2)
            continue;
        gg_str_printf(&s, "set label %d ", 10 + c); /* the legend, below the title */
        gg__gnuplot_quote(&s, series[c].name, LEGEND);
        const double left = place(&l, series[c].name), below = top - 21.0 - LINE * (n_lines - l.n_lines);
        gg_str_printf(&s, " at screen %.5f,%.5f left point %s offset 1.3,-0.25 textcolor rgb '" GG__INK "'\n", (left + 6) / WIDTH, 1 - below / height, style);
    }
    gg_str_add(&s, plot.data, plot.len);
    gg_str_puts(&s, "\n");
    s.failed = s.failed || plot.failed;
    gg_str_free(&plot);
    return finish(ctx, path, title, &s, height);
}
