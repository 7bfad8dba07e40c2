/* The inside of plotting: scripts, and gnuplot that runs them. */
#ifndef GG_PLOT_GNUPLOT_H
#define GG_PLOT_GNUPLOT_H
#include "base/memory.h"

/* The colour of text and axes. A report turns it into that of its own text, so that plots read in dark mode too. */
#define GG__INK "#222222"
#define GG__FAINT "#d9d9d9"

/* Appends `text` as gnuplot's single-quoted string: repaired UTF-8, no control characters, at most `most` characters (then an ellipsis). */
void gg__gnuplot_quote(gg_str *script, const char *text, int most);
/* The same broken into at most three lines of `width` characters, at spaces; returns the lines. */
int gg__gnuplot_quote_lines(gg_str *script, const char *text, int width);

/* Runs the script twice and writes path.png (twice the pixels, for sharp screens) and path.svg, each whole. The script sets no terminal
 * and no output, and finds the fonts `large` and `small` (the two terminals count in different units). GG_EUNSUPPORTED: no gnuplot, or one without these terminals. */
gg_status gg__gnuplot_write(gg_context *ctx, const char *path, const char *title, const gg_str *script, int width, int height);
#endif
