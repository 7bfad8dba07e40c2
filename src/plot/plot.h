/* Plots through gnuplot (a program, found on PATH): data is handed over in a pipe, PNG and SVG come out whole. And reports: one
 * self-contained HTML file. Absent gnuplot is GG_EUNSUPPORTED with what to install; callers go on without pictures. */
#ifndef GG_PLOT_PLOT_H
#define GG_PLOT_PLOT_H
#include <golgi/base.h>

typedef struct gg_plot_size { int width, height; } gg_plot_size; /* pixels; zero: chosen */

/* path without ending: writes path.png and path.svg. Labels are UTF-8, any characters. */
/* Two bars a category: share[0][i], share[1][i] in [0, 1]; names of the two series. */
gg_status gg_plot_shares(gg_context *ctx, const char *path, const char *title, const char *const *category, int n,
                         const double *first, const char *first_name, const double *second, const char *second_name, const char *y_label);
/* Overlaid step histograms of values by class: x (n,), label (n,) in [0, n_classes). */
gg_status gg_plot_histogram(gg_context *ctx, const char *path, const char *title, const double *x, const int32_t *label, int64_t n,
                            const char *const *class_name, int n_classes, int n_bins, const char *x_label, const char *y_label);
/* z (n_rows, n_columns), row 0 at the bottom, viridis. */
gg_status gg_plot_heat(gg_context *ctx, const char *path, const char *title, const double *z, int64_t n_rows, int64_t n_columns,
                       const char *x_label, const char *y_label, const char *z_label);
/* Points (n, 2) coloured and shaped by class. */
gg_status gg_plot_map(gg_context *ctx, const char *path, const char *title, const double *xy, const int32_t *label, int64_t n,
                      const char *const *class_name, int n_classes, const char *x_label, const char *y_label);

/* An HTML report, in reading order: headline, figures, tables, facts ("how it was made"). Everything is escaped here. */
typedef struct gg_report gg_report;
gg_status gg_report_create(gg_report **out, gg_context *ctx, const char *title, const char *headline);
void gg_report_section(gg_report *r, const char *heading, const char *paragraph /* NULL: none */);
gg_status gg_report_figure(gg_report *r, const char *svg_path, const char *caption); /* the SVG is embedded */
void gg_report_table_begin(gg_report *r, const char *caption, const char *const *column, const bool *is_number, int n_columns);
void gg_report_table_row(gg_report *r, const char *const *cell);
void gg_report_table_end(gg_report *r); /* sortable by click on a heading, "copy as CSV" button */
void gg_report_fact(gg_report *r, const char *name, const char *value); /* listed at the end under "How this was made" */
gg_status gg_report_commit(gg_report *r, const char *path); /* writes whole; frees r */
void gg_report_discard(gg_report *r);
#endif
