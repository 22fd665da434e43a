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

#include "cli/lesson_cli.h"
#include "lesson/player.h"

/* Serve lines from `in` until the lesson is over, quit, or their end. */
int lesson_converse(struct player *p, FILE *in, struct err *e);

#endif
