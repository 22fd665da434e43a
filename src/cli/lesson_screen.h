/* lesson_screen.h: a lesson in the stepper. The player says which scene is shown; its tape and words become the feed's. */
#ifndef RADIXSCOPE_CLI_LESSON_SCREEN_H
#define RADIXSCOPE_CLI_LESSON_SCREEN_H

#include "cli/lesson_cli.h"
#include "lesson/player.h"

/* Until the person leaves. Returns the exit code, or -1 and *e. */
int lesson_screen(struct cli *c, struct player *p, struct err *e);

#endif
