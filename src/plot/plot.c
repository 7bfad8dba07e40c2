/* The four plots: shares, distributions, a heat map, a map of points. Owns what they look like; gnuplot.c owns how they are drawn.
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
#include <stdlib.h>

enum { WIDTH = 860, MOST_CELLS = 1024, NAME_LENGTH = 28, TITLE_LENGTH = 76, AXIS_LENGTH = 90 };

static const char *const COLOUR[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", GG__INK};
/* gnuplot's numbers of filled shapes (circle, square, triangles, diamond, pentagon, star) and of open ones, shifted by one so that the
 * two classes of one colour differ in outline too */
static const int SHAPE[] = {7, 5, 9, 11, 13, 15, 3, 4, 8, 10, 12, 14, 6, 2};
enum { N_COLOURS = sizeof COLOUR / sizeof *COLOUR, N_SHAPES = sizeof SHAPE / sizeof *SHAPE };

static const char *colour_of(int c)
{
    return COLOUR[c % N_COLOURS];
}

static int shape_of(int c)
{
    return SHAPE[c % N_SHAPES];
}

/* ---- what all have in common ---- */

/* Title at the top left, below it the legend if there is one, quiet axes. Returns the pixels that these take. */
static int begin(gg_str *s, const char *title, bool legend, int height_without_title)
{
    gg_str quoted = {.ctx = s->ctx};
    const int lines = gg__gnuplot_quote_lines(&quoted, title, TITLE_LENGTH), top = 30 + 22 * lines + (legend ? 26 : 0);
    const double height = height_without_title + top;
    gg_str_puts(s, "set border 3 lc rgb '" GG__INK "' lw 1\n"
                   "set tics nomirror out scale 0.5 textcolor rgb '" GG__INK "'\n"
                   "set format '%g'\n");
    gg_str_printf(s, "set label 1 %s at screen %.5f,%.5f left font large textcolor rgb '" GG__INK "'\n", quoted.failed ? "''" : quoted.data,
                  14.0 / WIDTH, 1 - 24 / height);
    gg_str_printf(s, "set tmargin at screen %.5f\n", 1 - top / height);
    if (legend)
        gg_str_printf(s, "set key at screen %.5f, screen %.5f left top Left reverse horizontal maxrows 1 samplen 1.4 width 1 textcolor rgb '" GG__INK "'\n",
                      2.0 / WIDTH, 1 - (top - 32) / height);
    else
        gg_str_puts(s, "unset key\n");
    s->failed = s->failed || quoted.failed;
    gg_str_free(&quoted);
    return top;
}

static void axis(gg_str *s, const char *which, const char *label)
{
    gg_str_printf(s, "set %s ", which);
    gg__gnuplot_quote(s, label, AXIS_LENGTH);
    gg_str_puts(s, " textcolor rgb '" GG__INK "'\n");
}

static gg_status finish(gg_context *ctx, const char *path, const char *title, gg_str *s, int height)
{
    const gg_status status = s->failed ? GG_ENOMEM : gg__gnuplot_write(ctx, path, title, s, WIDTH, height);
    gg_str_free(s);
    return status;
}

static gg_status check_points(gg_context *ctx, const char *path, const double *x, int64_t per_point, const int32_t *label, int64_t n, int n_classes)
{
    if (n < 1 || n_classes < 1)
        return gg_fail(ctx, GG_EINVAL, "%s: a plot of %lld points in %d classes: at least one of each is needed", path, (long long)n, n_classes);
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0 || label[i] >= n_classes)
            return gg_fail(ctx, GG_EINVAL, "%s: point %lld is of class %d, classes are 0..%d", path, (long long)i, (int)label[i], n_classes - 1);
        for (int64_t c = 0; c < per_point; c++)
            if (!isfinite(x[i * per_point + c]))
                return gg_fail(ctx, GG_ENAN, "%s: point %lld is not a finite number", path, (long long)i);
    }
    return GG_OK;
}

/* ---- shares ---- */

gg_status gg_plot_shares(gg_context *ctx, const char *path, const char *title, const char *const *category, int n, const double *first,
                         const char *first_name, const double *second, const char *second_name, const char *y_label)
{
    if (n < 1)
        return gg_fail(ctx, GG_EINVAL, "%s: shares of %d categories: at least one is needed", path, n);
    double largest = 0;
    for (int i = 0; i < n; i++) {
        if (!(first[i] >= 0 && first[i] <= 1 + 1e-9 && second[i] >= 0 && second[i] <= 1 + 1e-9))
            return gg_fail(ctx, GG_EINVAL, "%s: category %d has shares %g and %g: both must lie in 0..1", path, i, first[i], second[i]);
        largest = fmax(largest, fmax(first[i], second[i]));
    }
    gg_str s = {.ctx = ctx};
    const int row = n <= 12 ? 42 : n <= 30 ? 30 : 22, body = 96 + row * n, height = body + begin(&s, title, true, body);
    axis(&s, "xlabel", y_label);
    gg_str_printf(&s, "set grid x back lt 1 lc rgb '" GG__FAINT "' lw 1\n"
                      "set border 2\nset xrange [0:%.17g]\nset yrange [%d.62:-0.62]\nset ytics scale 0 (", largest > 0 ? 112 * largest : 1, n - 1);
    for (int i = 0; i < n; i++) {
        gg_str_puts(&s, i ? "," : "");
        gg__gnuplot_quote(&s, category[i], NAME_LENGTH);
        gg_str_printf(&s, " %d", i);
    }
    gg_str_printf(&s, ")\nset format x '%%g %%%%'\nset style fill solid 1 noborder\n$d << EOD\n");
    for (int i = 0; i < n; i++) /* middle of the two bars, their ends */
        gg_str_printf(&s, "%g %g %.17g %.17g\n", i - 0.2, i + 0.2, 100 * first[i], 100 * second[i]);
    gg_str_puts(&s, "EOD\nplot ");
    for (int b = 0; b < 2; b++) {
        gg_str_printf(&s, "%s$d using (0.5*$%d):%d:(0):%d:($%d-0.17):($%d+0.17) with boxxyerror lc rgb '%s' title ", b ? ", " : "", b + 3, b + 1, b + 3, b + 1,
                      b + 1, b ? "#0072B2" : "#9a9a9a");
        gg__gnuplot_quote(&s, b ? second_name : first_name, NAME_LENGTH);
    }
    for (int b = 0; b < 2; b++)
        gg_str_printf(&s, ", $d using %d:%d:(sprintf($%d > 0 && $%d < 0.95 ? '%%.1f %%%%' : '%%.0f %%%%', $%d)) with labels left offset char 0.6,0 font small textcolor rgb '" GG__INK
                      "' notitle", b + 3, b + 1, b + 3, b + 3, b + 3);
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
    gg_str_printf(s, "$d%d << EOD\n%.9g %.9g\n", c, b->low, base);
    for (int i = 0; i < b->n; i++) {
        const double y = base + scale * (double)b->count[(int64_t)c * b->n + i], x = b->low + i * b->width;
        gg_str_printf(s, "%.9g %.9g\n%.9g %.9g\n", x, y, x + b->width, y);
    }
    gg_str_printf(s, "%.9g %.9g\nEOD\n", b->low + b->n * b->width, base);
}

/* Few classes: drawn over one another, counts on the axis. */
static int overlaid(gg_str *s, const bins *b, const char *title, const char *const *class_name, const char *y_label)
{
    static const int DASH[] = {1, 2, 4};
    const int height = 370 + begin(s, title, true, 370);
    axis(s, "ylabel", y_label);
    gg_str_puts(s, "set grid y back lt 1 lc rgb '" GG__FAINT "' lw 1\nset yrange [0:*]\n");
    for (int k = 0; k < b->n_shown; k++)
        outline(s, b, b->order[k], 0, 1);
    gg_str_puts(s, "plot ");
    for (int k = 0; k < b->n_shown; k++) /* fills first: a line must not lie under a fill */
        gg_str_printf(s, "$d%d with filledcurves closed fs transparent solid 0.18 noborder lc rgb '%s' notitle, ", b->order[k], colour_of(b->order[k]));
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        gg_str_printf(s, "%s$d%d with lines lw 2 dt %d lc rgb '%s' title ", k ? ", " : "", c, DASH[k % 3], colour_of(c));
        gg__gnuplot_quote(s, class_name[c], NAME_LENGTH);
    }
    gg_str_puts(s, "\n");
    return height;
}

/* Many classes: a row each, lowest median at the top, each to its own highest bin, a bar at the median. */
static int rows(gg_str *s, const bins *b, const char *title, const char *const *class_name, const char *y_label)
{
    const int row = b->n_shown <= 16 ? 40 : 26, body = 96 + row * b->n_shown, height = body + begin(s, title, false, body);
    gg_str what = {.ctx = s->ctx};
    gg_str_printf(&what, "%s (each row to its own scale; bar: median)", y_label);
    axis(s, "ylabel", what.failed ? "" : what.data);
    s->failed = s->failed || what.failed;
    gg_str_free(&what);
    gg_str_printf(s, "set grid x back lt 1 lc rgb '" GG__FAINT "' lw 1\nset border 1\nset yrange [-0.15:%d.05]\nset ytics scale 0 (", b->n_shown);
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        gg_str_puts(s, k ? "," : "");
        gg__gnuplot_quote(s, class_name[c], NAME_LENGTH);
        gg_str_printf(s, ".' (%lld)' %.2f", (long long)b->total[c], b->n_shown - 1 - k + 0.25);
    }
    gg_str_puts(s, ")\n");
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k];
        int64_t most = 0;
        for (int i = 0; i < b->n; i++)
            most = b->count[(int64_t)c * b->n + i] > most ? b->count[(int64_t)c * b->n + i] : most;
        outline(s, b, c, b->n_shown - 1 - k, 0.86 / (double)most);
    }
    gg_str_puts(s, "plot ");
    for (int k = 0; k < b->n_shown; k++) {
        const int c = b->order[k], base = b->n_shown - 1 - k;
        gg_str_printf(s, "%s$d%d with filledcurves closed fs transparent solid 0.35 noborder lc rgb '%s', $d%d with lines lw 1.5 lc rgb '%s', "
                         "'+' using (%.9g):(%d):(0):(0.9) every ::0::0 with vectors nohead lw 3 lc rgb '%s'",
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
    axis(&s, "xlabel", x_label);
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
        if (!isfinite(z[i]))
            return gg_fail(ctx, GG_ENAN, "%s: row %lld, column %lld is not a finite number", path, (long long)(i / n_columns), (long long)(i % n_columns));
        low = fmin(low, z[i]);
        high = fmax(high, z[i]);
    }
    gg_str s = {.ctx = ctx}, what = {.ctx = ctx};
    const int64_t per_row = pooled(n_rows), per_column = pooled(n_columns);
    const int body = (int)fmin(620, fmax(300, 110 + 12.0 * (double)n_rows)), height = body + begin(&s, title, false, body);
    axis(&s, "xlabel", x_label);
    axis(&s, "ylabel", y_label);
    gg_str_puts(&what, z_label);
    if (per_row * per_column > 1)
        gg_str_printf(&what, " (largest of %lld)", (long long)(per_row * per_column));
    axis(&s, "cblabel", what.failed ? "" : what.data);
    s.failed = s.failed || what.failed;
    gg_str_free(&what);
    gg_str_puts(&s, "set palette defined (");
    for (size_t i = 0; i < sizeof VIRIDIS / sizeof *VIRIDIS; i++)
        gg_str_printf(&s, "%s%zu '%s'", i ? "," : "", i, VIRIDIS[i]);
    gg_str_printf(&s, ")\nset cbrange [%.17g:%.17g]\nset cbtics textcolor rgb '" GG__INK "'\nset xrange [-0.5:%lld.5]\nset yrange [-0.5:%lld.5]\n"
                      "set rmargin 14\nset colorbox user origin graph 1.02,graph 0 size graph 0.022,graph 1 noborder\n",
                  low, high > low ? high : low + 1, (long long)(n_columns - 1), (long long)(n_rows - 1));
    gg_str_puts(&s, "$d << EOD\n");
    for (int64_t r = 0; r < n_rows; r += per_row)
        for (int64_t c = 0; c < n_columns; c += per_column)
            gg_str_printf(&s, "%.6g%c", largest_of(z, n_rows, n_columns, r, c, per_row, per_column), c + per_column < n_columns ? ' ' : '\n');
    gg_str_printf(&s, "EOD\nplot $d using (%lld*$1+%.17g):(%lld*$2+%.17g):3 matrix with image\n", (long long)per_column, 0.5 * (double)(per_column - 1),
                  (long long)per_row, 0.5 * (double)(per_row - 1));
    return finish(ctx, path, title, &s, height);
}

/* ---- a map ---- */

/* Ranges of one length on both axes, so that a distance looks the same in every direction. */
static void square(gg_str *s, const double *xy, int64_t n)
{
    double low[2] = {xy[0], xy[1]}, high[2] = {xy[0], xy[1]};
    for (int64_t i = 0; i < 2 * n; i++) {
        low[i % 2] = fmin(low[i % 2], xy[i]);
        high[i % 2] = fmax(high[i % 2], xy[i]);
    }
    double half = 0.53 * fmax(high[0] - low[0], high[1] - low[1]);
    half = half > 0 ? half : 1;
    for (int a = 0; a < 2; a++) {
        const double middle = 0.5 * low[a] + 0.5 * high[a];
        gg_str_printf(s, "set %crange [%.9g:%.9g]\n", "xy"[a], middle - half, middle + half);
    }
}

gg_status gg_plot_map(gg_context *ctx, const char *path, const char *title, const double *xy, const int32_t *label, int64_t n,
                      const char *const *class_name, int n_classes, const char *x_label, const char *y_label)
{
    GG_TRY(check_points(ctx, path, xy, 2, label, n, n_classes));
    enum { SIDE = 520, LEFT = 76, BOTTOM = 68 }; /* the legend has what is left of WIDTH */
    gg_str s = {.ctx = ctx};
    const int body = SIDE + BOTTOM, height = body + begin(&s, title, false, body);
    gg_str_printf(&s, "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset bmargin at screen %.5f\n", (double)LEFT / WIDTH, (double)(LEFT + SIDE) / WIDTH,
                  (double)BOTTOM / height);
    axis(&s, "xlabel", x_label);
    axis(&s, "ylabel", y_label);
    square(&s, xy, n);
    gg_str_puts(&s, "set grid back lt 1 lc rgb '" GG__FAINT "' lw 1\n");
    gg_str_printf(&s, "set key at screen %.5f, graph 1 left top Left reverse samplen 0.6 spacing 1.25 textcolor rgb '" GG__INK "'\n", (LEFT + SIDE + 14.0) / WIDTH);
    gg_str plot = {.ctx = ctx};
    for (int c = 0; c < n_classes; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            if (label[i] != c)
                continue;
            if (count++ == 0)
                gg_str_printf(&s, "$d%d << EOD\n", c);
            gg_str_printf(&s, "%.9g %.9g\n", xy[2 * i], xy[2 * i + 1]);
        }
        if (count == 0)
            continue;
        gg_str_puts(&s, "EOD\n");
        gg_str_printf(&plot, "%s$d%d with points pt %d ps %s lw 1.3 lc rgb '%s' title ", plot.len ? ", " : "plot ", c, shape_of(c), n > 1500 ? "0.5" : "0.9",
                      colour_of(c));
        gg__gnuplot_quote(&plot, class_name[c], NAME_LENGTH);
    }
    gg_str_add(&s, plot.data, plot.len);
    gg_str_puts(&s, "\n");
    s.failed = s.failed || plot.failed;
    gg_str_free(&plot);
    return finish(ctx, path, title, &s, height);
}
