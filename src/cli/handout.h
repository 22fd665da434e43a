/* handout.h: a lesson on paper: Markdown, or one HTML page with a style for the printer and nothing else in it.
 *
 *      title, objectives
 *      ## chunk          prose with its figures, as measured in this run
 *        commands        and the screen behind them
 *        question        with room for an answer, or (answers) with the right one and why
 *      ## cheat sheet
 *
 * Without answers, what a question asks for is not given away further down in its chunk: the figures behind it become
 * blanks to be filled in, and the screen behind the block that decides it a frame to be drawn in.
 */
#ifndef RADIXSCOPE_CLI_HANDOUT_H
#define RADIXSCOPE_CLI_HANDOUT_H

#include "lesson/player.h"

/* Appends the screen (lines of text) of a scene at a step of branch 0. */
typedef int (*handout_screen)(void *ctx, struct lesson_scene *s, uint32_t step, struct buf *out, struct err *e);

struct handout {
    const struct lesson_run *run;
    bool html, answers;
    handout_screen screen;
    void *ctx;
};

int handout_write(const struct handout *h, struct buf *out, struct err *e);

#endif
