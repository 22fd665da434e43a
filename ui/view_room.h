/* view_room.h: what a lesson's screen shows of the room, below the text:
 *
 *      7 follow, 5 have answered
 *      3            ############# 4        once the presenter shows them; most first
 *      11           ### 1
 */
#ifndef RADIXSCOPE_UI_VIEW_ROOM_H
#define RADIXSCOPE_UI_VIEW_ROOM_H

#include "lesson/player.h"
#include "ui/view.h"

/* Rows that it wants of `h`; 0 without a room. */
int view_room_rows(const struct ui_room *r, const struct player *p, int h);
void view_room_draw(const struct ui_room *r, const struct player *p, struct surface *s, struct rect rect);

/* The bars alone, in as many rows as there are. */
void view_room_bars(const struct room_tally *t, const char *right, struct surface *s, struct rect rect);

/* What Enter does because of the room; NULL: what it always does. */
const char *view_room_enter(const struct ui_room *r, const struct player *p, bool typed);

#endif
