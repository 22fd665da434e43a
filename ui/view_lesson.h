/* view_lesson.h: the screen while a lesson is taken.
 *
 *      104 columns and more                        narrower: text and tree           narrower: an action
 *      | lesson split        part 3 of 11  ... |   | lesson split   part 3 of 11 |   | (the whole stepper) |
 *      | text              | tree              |   | text                        |   |                     |
 *      | question          | slots             |   | question                    |   |                     |
 *      | answer: 3_        | what happened     |   | tree                        |   |                     |
 *      | Enter answer  h hint  ...             |   | slots                       |   | Enter the rest      |
 *
 * Words of the text have the mark and the style of the objects they are bound to.
 */
#ifndef RADIXSCOPE_UI_VIEW_LESSON_H
#define RADIXSCOPE_UI_VIEW_LESSON_H

#include "lesson/player.h"
#include "ui/text.h"
#include "ui/view.h"

enum { LESSON_TOKENS = 256 };

/* What the screen of a lesson remembers besides the stepper's view. */
struct lesson_view {
    const struct player *player;
    const struct ui_room *room; /* NULL: it is taken alone */
    int scroll;              /* lines of the text that were scrolled past; -1: as the text wants */
    int first, rows, hidden; /* of the text that was drawn last: first line shown, lines shown, lines below */
    bool aside;              /* the learner tries something beside the path */
    struct { int x, y, w; } token[LESSON_TOKENS]; /* where tokens to pick from were drawn last; y -1: out of sight */
    struct surface inner;    /* the stepper's panes, drawn apart and copied */
};

/* Columns that the text takes beside the stepper; 0: the screen is too narrow for both. */
int view_lesson_columns(int w);

/* Draw the whole screen. */
void view_lesson_draw(const struct picture *p, struct lesson_view *l, struct surface *s);

#endif
