/* Plots through gnuplot (a program, found on PATH): PNG and SVG come out whole. And reports: one self-contained HTML file.
 *
 *     gg_plot_map(ctx, "out/map", "Documents by their neurons", xy, label, 400, domain, 8, "t-SNE 1 (no unit)", "t-SNE 2 (no unit)");
 *     gg_report *r = NULL;
 *     gg_report_create(&r, ctx, "golgi nag", "Chosen: 81 of 400 documents; 58 % of their tokens are scripture.");
 *     gg_report_section(r, "What was chosen", NULL);
 *     gg_report_figure(r, "out/map.svg", "Documents that excite the same neurons lie together.");
 *     gg_report_fact(r, "seed", "1");
 *     gg_report_commit(r, "out/report.html");
 *
 * Errors: absent gnuplot is GG_EUNSUPPORTED with what to install (callers go on without pictures); numbers that are not finite GG_ENAN;
 * labels and shares outside their range GG_EINVAL; a picture that is no drawing GG_EFORMAT with file and byte.
 */
#ifndef GG_PLOT_PLOT_H
#define GG_PLOT_PLOT_H
#include <golgi/base.h>

/* path is without ending: path.png (twice the pixels, for sharp screens and print) and path.svg are written. All labels are UTF-8 with any
 * characters, shown as they are; long ones are broken (titles) or cut with an ellipsis. Classes without points are left out; a class keeps
 * its colour and shape from plot to plot. */

/* Two horizontal bars a category, with their percentages: first[i], second[i] in [0, 1]; y_label names the axis of shares. */
gg_status gg_plot_shares(gg_context *ctx, const char *path, const char *title, const char *const *category, int n,
                         const double *first, const char *first_name, const double *second, const char *second_name, const char *y_label);
/* Step histograms of values by class: x (n,), label (n,) in [0, n_classes). Up to three classes lie over one another; more get a row each, lowest
 * median at the top, every row to its own scale. */
gg_status gg_plot_histogram(gg_context *ctx, const char *path, const char *title, const double *x, const int32_t *label, int64_t n,
                            const char *const *class_name, int n_classes, int n_bins, const char *x_label, const char *y_label);
/* z (n_rows, n_columns), row 0 at the bottom, viridis. Beyond 1024 rows or columns neighbours are pooled by their largest, and the scale says so. */
gg_status gg_plot_heat(gg_context *ctx, const char *path, const char *title, const double *z, int64_t n_rows, int64_t n_columns,
                       const char *x_label, const char *y_label, const char *z_label);
/* Points (n, 2) coloured and shaped by class; one unit is as long on both axes. */
gg_status gg_plot_map(gg_context *ctx, const char *path, const char *title, const double *xy, const int32_t *label, int64_t n,
                      const char *const *class_name, int n_classes, const char *x_label, const char *y_label);
/* Series of points; with `line` they are joined in their order. Several series have names, which make the legend. A logarithmic axis takes numbers above 0. */
typedef struct gg_plot_series {
    const char *name;
    const double *x, *y; /* (n,) */
    int64_t n;
    bool line;
} gg_plot_series;
typedef struct gg_plot_axis {
    const char *label;
    bool log;
} gg_plot_axis;
gg_status gg_plot_curves(gg_context *ctx, const char *path, const char *title, const gg_plot_series *series, int n_series,
                         const gg_plot_axis *x, const gg_plot_axis *y);

/* An HTML report, in reading order: headline (the answer, one sentence), sections with figures and tables, facts ("How this was made").
 * Everything is escaped here. Want of memory in a function without status is told by commit. */
typedef struct gg_report gg_report;
gg_status gg_report_create(gg_report **out, gg_context *ctx, const char *title, const char *headline);
void gg_report_section(gg_report *r, const char *heading, const char *paragraph /* NULL: none; an empty line begins another */);
gg_status gg_report_figure(gg_report *r, const char *svg_path, const char *caption); /* the SVG is embedded; on failure r is as before */
void gg_report_table_begin(gg_report *r, const char *caption, const char *const *column, const bool *is_number, int n_columns);
void gg_report_table_row(gg_report *r, const char *const *cell); /* (n_columns,); NULL: empty */
void gg_report_table_end(gg_report *r);                          /* sortable by its headings, "Copy as CSV" button */
void gg_report_fact(gg_report *r, const char *name, const char *value);
gg_status gg_report_commit(gg_report *r, const char *path); /* writes whole; frees r whatever comes back */
void gg_report_discard(gg_report *r);                       /* NULL is fine */
#endif
