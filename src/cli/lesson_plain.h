/* lesson_plain.h: a lesson as a conversation in lines: the plain twin of the lesson on the screen.
 *
 *      The second prompt                               text, as far as the next thing to do
 *      How many new slots does `the cat ran` need?
 *      > 3                                             an answer; Enter alone goes on
 *      Right. …
 */
#ifndef RADIXSCOPE_CLI_LESSON_PLAIN_H
#define RADIXSCOPE_CLI_LESSON_PLAIN_H

#include <stdio.h>

#include "cli/lesson_room.h"
#include "lesson/player.h"

/* Serve lines from `in` until the lesson is over, quit, or their end. */
int lesson_converse(struct player *p, struct lesson_room *room, FILE *in, struct err *e);

/* The same for one who follows: what the presenter shows is printed when it comes; a line from standard input is an
 * answer. Until the end of the input. */
int lesson_follow_plain(struct lesson_room *room, struct err *e);

/* Append what is to be read now; the steps from where the player stands to its limit; the moment. */
void lesson_show_pieces(const struct player *p, bool only_fresh, struct buf *out);
void lesson_show_steps(struct player *p, struct buf *out);
void lesson_show_world(struct player *p, struct buf *out);
void lesson_show_room(const struct lesson_room *room, struct buf *out);   /* who is there, what they have answered */

#endif
