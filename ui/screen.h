/* screen.h: puts the views together: the whole screen from a picture, with nothing left over from before. */
#ifndef RADIXSCOPE_UI_SCREEN_H
#define RADIXSCOPE_UI_SCREEN_H

#include "ui/view.h"

void screen_draw(const struct picture *p, struct surface *s);

#endif
