/* screen.h: puts the views together: the whole screen from a picture, with nothing left over from before. */
#ifndef RADIXSCOPE_UI_SCREEN_H
#define RADIXSCOPE_UI_SCREEN_H

#include "ui/view.h"

/* The title of a view that takes the place of the panes. */
const char *screen_show_title(enum show show);

void screen_draw(const struct picture *p, struct surface *s);

#endif
