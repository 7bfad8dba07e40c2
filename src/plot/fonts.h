/* Letters: how wide they are, and whether this machine can draw them. */
#ifndef GG_PLOT_FONTS_H
#define GG_PLOT_FONTS_H
#include "base/memory.h"

/* Appends a script whose picture, `name`, is drawn with this machine's fonts: a letter that none of them has becomes a box, with a warning
 * that names the first. */
gg_status gg__fonts_fit(gg_str *out, const gg_str *script, const char *name);

/* About how wide a letter is in DejaVu Sans, the font of the plots, in hundredths of its size. Others that stand in for it are as wide or narrower. */
int gg__fonts_width(int32_t cp);
#endif
