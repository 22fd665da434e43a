/* present.h: a lesson given to a room: the presenter's player in few words, and another player put at the same place.
 *
 *      presenter's player ──present_place──> room_place ──lines (room.h)──> follow_* ──> follower's player
 *
 * Both have run the same file on engines of their own; engines are exact, so a step's number means the same step. What was
 * typed beside the blocks is told as commands (room_ran) and run again, in order, on the same branch.
 */
#ifndef RADIXSCOPE_LESSON_PRESENT_H
#define RADIXSCOPE_LESSON_PRESENT_H

#include "lesson/player.h"
#include "lesson/room.h"

/* The player's part of a place; round, view, elapsed and aside are the caller's. */
void present_place(const struct player *p, struct room_place *out);
int present_scene(const struct player *p, const struct lesson_scene *s); /* its number in room.h's terms */

/* Answer the open question with what is right, for all to see. 1: no question is open. */
int present_reveal(struct player *p, struct err *e);

/* The script that makes the scene on the screen, without what was typed: NULL and *e if nothing has run. The caller
 * frees it with xfree. */
char *present_script(const struct player *p, struct err *e);

struct follower {
    struct player *player;       /* borrowed; with a progress that is not saved */
    uint32_t epoch;              /* of its challenge; 0: none */
    size_t ran;                  /* commands that have been run here */
    bool typed;                  /* some of them in the lesson's scenes: another session needs another run */
};

/* The three steps, in this order: be at the part (with its challenge), run what is missing, stand at the step. -1 and
 * *e: this copy of the lesson has no such place; the player then stands at the beginning of some part. A command of a
 * challenge that is not open yet (its epoch is above the place's) waits for the next place. */
int follow_part(struct follower *f, const struct room_place *to, struct err *e);
void follow_ran(struct follower *f, const struct room_ran *ran); /* a command that failed there fails here */
int follow_stand(struct follower *f, const struct room_place *to, struct err *e);

#endif
