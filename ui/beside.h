/* beside.h: what stands on the right while two histories are compared (view_compare.c draws it).
 *
 *      left:  the branch of the stepper         right: another branch of its tape, or another run (feed->other)
 *
 * or a design without steps (feed->designs): then `designs` is set, nothing is open, and its list is that after the
 * request which has come last on the left.
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
    const struct ui_designs *designs; /* NULL: a history stands there */
    int which;                /* of them */
    uint32_t requests;        /* that it has served */
    struct buf list;          /* what stands where then */
};

/* Histories and designs that can stand on the right of this branch. */
int beside_choices(const struct ui_feed *feed, int branch);

/* Have the `which`-th of them (of beside_choices, counted round) on the right of step `at` of `branch`; opens,
 * changes or reads on as needed. -1 and *e: there is none, or no memory. */
int beside_stand(struct beside *b, const struct ui_feed *feed, int which, int branch, uint32_t at, struct err *e);
void beside_close(struct beside *b);

/* With a design: the next request after `request` which it serves otherwise than the left one; 0: none. */
uint32_t beside_next_otherwise(const struct beside *b, uint32_t request);

/* Read on; true when there is nothing more to read. */
bool beside_idle(struct beside *b);

#endif
