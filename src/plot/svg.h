/* SVG files made fit to stand in a page, or on their own. */
#ifndef GG_PLOT_SVG_H
#define GG_PLOT_SVG_H
#include "base/memory.h"

/* Appends `text` as the content of an element or a quoted attribute of XML or HTML: the five special characters as entities, what no such
 * file may hold (control characters, ill-formed UTF-8) as U+FFFD. */
void gg__xml_escape(gg_str *out, const char *text);

/* Appends the svg element of a file for use inside HTML: only drawing elements, no scripts, no links outside the file, every id preceded by
 * `prefix`, the attributes `extra` on its root. Plots of golgi take the page's text colour and lose their background; other pictures get
 * a white one. GG_EFORMAT: `name`, the byte, what was expected. */
gg_status gg__svg_embed(gg_str *out, const char *svg, size_t n, const char *name, const char *prefix, const char *extra);

/* What gnuplot wrote, tidied: our mark on its root, the plot's title, fonts that exist elsewhere, images with hard cells. */
gg_status gg__svg_tidy(gg_str *out, const char *svg, size_t n, const char *name, const char *title);
#endif
