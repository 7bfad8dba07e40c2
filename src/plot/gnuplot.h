/* The inside of plotting: scripts, and gnuplot that runs them. */
#ifndef GG_PLOT_GNUPLOT_H
#define GG_PLOT_GNUPLOT_H
#include "base/memory.h"

/* The colour of text and axes. A report turns it into that of its own text, so that plots read in dark mode too. */
#define GG__INK "#222222"
#define GG__FAINT "#d9d9d9"

/* Appends `text` as a string of gnuplot's: repaired UTF-8, no control characters. Wider than `most` times the font's size, it is cut
 * and ends with an ellipsis. */
void gg__gnuplot_quote(gg_str *script, const char *text, double most);
/* Likewise for the text of a tick, which gnuplot reads as a format. */
void gg__gnuplot_quote_tick(gg_str *script, const char *text, double most);
/* Likewise the first line of a text that is broken at spaces; returns where the next one begins, NULL after the last. */
const char *gg__gnuplot_quote_line(gg_str *script, const char *text, double most);
/* How wide the text is, in sizes of its font; rather too much than too little. */
double gg__gnuplot_width(const char *text);

/* Runs the script twice and writes path.png (twice the pixels, for sharp screens) and path.svg, each whole. The script sets no terminal and no
 * output, and finds the fonts `large` and `small` and the size `dot` of points (the two terminals count in different units).
 * GG_EUNSUPPORTED: no gnuplot, or one without these terminals. */
gg_status gg__gnuplot_write(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height);
#endif
