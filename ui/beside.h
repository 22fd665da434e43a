/* beside.h: what stands on the right while two histories are compared (view_compare.c draws it).
 *
 *      left:  the branch of the stepper         right: another branch of its tape, or another run (feed->other)
 *
 * The right cursor is locked to the left one: where it stands follows from the left position alone, so that a
 * screen is the same whichever way it was reached.
 */
#ifndef RADIXSCOPE_UI_BESIDE_H
#define RADIXSCOPE_UI_BESIDE_H

#include "tape/lockstep.h"
#include "ui/moment.h"

struct beside {
    bool open;
    struct ui_history right;
    struct lockstep lock;
    struct cursor cursor;
    struct moment m;          /* of the right one, where it stands */
    bool read;                /* everything is compared */
};

/* Histories that can stand on the right of this branch. */
int beside_choices(const struct ui_feed *feed, int branch);

/* Have the `which`-th of them (of beside_choices, counted round) on the right of step `at` of `branch`; opens,
 * changes or reads on as needed. -1 and *e: there is none, or no memory. */
int beside_stand(struct beside *b, const struct ui_feed *feed, int which, int branch, uint32_t at, struct err *e);
void beside_close(struct beside *b);

/* Read on; true when there is nothing more to read. */
bool beside_idle(struct beside *b);

#endif
