/* room_host.h: the presenter's end of a classroom.
 *
 *      presenter's thread ──place, ran──> [mutex] ──> a thread of its own ──> guests (poll, never blocking)
 *                         <──tally, fd──          <──
 *
 * The thread sleeps until a guest speaks or something is said. A guest that does not read gets the newest place when it
 * reads again, never a queue of old ones; what waits for it is bounded. A guest that breaks the rules is told so and
 * let go. An answer counts while the guest who gave it is there, and only for the question that is open.
 */
#ifndef RADIXSCOPE_CLI_ROOM_HOST_H
#define RADIXSCOPE_CLI_ROOM_HOST_H

#include "lesson/room.h"

struct room_host;

/* NULL and *e. `hello` without its session. group: room_path.h. */
struct room_host *room_host_open(const struct room_hello *hello, const char *group, struct err *e);
void room_host_close(struct room_host *h);       /* says bye; may be NULL */

const char *room_host_path(const struct room_host *h);
int room_host_fd(const struct room_host *h);     /* readable: the tally has changed (room_host_tally empties it) */

/* Where the presenter stands. `q`: what answers must look like; NULL: none are taken. A new round forgets answers. */
void room_host_place(struct room_host *h, const struct room_place *place, const struct question *q, bool shown);
/* A command has run beside the lesson's blocks; seq is filled in. -1 and *e: there were too many. */
int room_host_ran(struct room_host *h, const struct room_ran *ran, struct err *e);
void room_host_tally(struct room_host *h, struct room_tally *out);

#endif
