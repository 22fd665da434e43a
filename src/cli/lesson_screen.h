/* lesson_screen.h: a lesson in the stepper. The player says which scene is shown; its tape and words become the feed's. */
#ifndef RADIXSCOPE_CLI_LESSON_SCREEN_H
#define RADIXSCOPE_CLI_LESSON_SCREEN_H

#include "cli/lesson_room.h"
#include "lesson/player.h"

struct screening {
    struct player *player;
    struct lesson_room *room;
    struct ui_feed feed;
    struct tape *empty;          /* shown while no engine has run; owned */
    const struct tape *shown;
    uint32_t challenges;         /* opened until then */
};

/* The feed of a lesson, for screens of any kind. End with screening_close, also after -1. */
int screening_open(struct screening *s, struct player *p, struct lesson_room *room, struct err *e);
void screening_close(struct screening *s);

/* Until the person leaves. Returns the exit code, or -1 and *e. */
int lesson_screen(struct cli *c, struct player *p, struct lesson_room *room, struct err *e);

#endif
