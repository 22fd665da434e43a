/* lesson_room.h: a lesson in a room: `--present` gives it, `--follow` and `--notes` follow it. The sockets are
 * room_host's and room_guest's, the way through the lesson is the player's; this joins them and fills what screens
 * show (ui_room).
 */
#ifndef RADIXSCOPE_CLI_LESSON_ROOM_H
#define RADIXSCOPE_CLI_LESSON_ROOM_H

#include <time.h>

#include "cli/lesson_cli.h"
#include "cli/room_guest.h"
#include "cli/room_host.h"
#include "cli/state_string.h"
#include "lesson/present.h"
#include "ui/feed.h"

enum room_part { ROOM_ALONE, ROOM_PRESENTS, ROOM_FOLLOWS, ROOM_SPEAKS }; /* SPEAKS: the speaker's notes */

struct lesson_room {
    enum room_part part;
    struct lesson_open *open;    /* borrowed */
    struct player *player;       /* borrowed */
    struct ui_room ui;
    struct room_tally tally;
    struct rx_log log;           /* what was typed in the scene that is shown; of `logged` */
    const struct lesson_scene *logged;
    uint32_t logged_epoch;       /* challenges until then: a new one may stand where an old one stood */
    struct room_place place;     /* the last one that was told */
    bool told;
    bool told_shown;
    struct timespec begun;
    struct room_host *host;
    struct room_guest *guest;
    struct room_news news;
    struct follower follower;
    struct lesson_run *spare;    /* the run of the session before; screens may still look at it */
    char trouble[200];           /* why the place cannot be shown; "" */
};

/* Which of the three options was given? -1 and *e: more than one, or one that does not belong to it. */
int lesson_room_part(const struct cli *c, enum room_part *out, struct err *e);

/* player: made (player_init); with ALONE only lesson_room_ran and lesson_room_state do something. */
int lesson_room_open(struct lesson_room *r, struct cli *c, enum room_part part, struct lesson_open *o, struct player *p,
                     struct err *e);
void lesson_room_close(struct lesson_room *r);

int lesson_room_fd(const struct lesson_room *r);          /* -1: alone */
bool lesson_room_news(struct lesson_room *r);             /* true: the player was moved */
void lesson_room_stand(struct lesson_room *r, int branch, uint32_t at, uint32_t view, bool aside); /* tell it if it is new */

/* Before a typed line runs: can the others be told? After it: tell them. */
int lesson_room_may_run(const struct lesson_room *r, const char *line, struct err *e);
void lesson_room_ran(struct lesson_room *r, const struct lesson_scene *s, int branch, uint32_t at, const char *line);

/* Append the state string of the scene on the screen. -1 and *e: there is none. */
int lesson_room_state(struct lesson_room *r, const struct ui_place *place, struct buf *out, struct err *e);

uint32_t lesson_room_elapsed(const struct lesson_room *r); /* seconds since the presenter began */

#endif
