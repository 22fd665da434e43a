/* room_path.h: where a classroom's socket is, and who may open it.
 *
 *      $XDG_RUNTIME_DIR/radixscope/lesson-ID          the person alone: folder 0700, socket 0600
 *      /tmp/radixscope-UID/lesson-ID                  without that variable, or with a group:
 *                                                     folder 0710, socket 0660, both of that group
 *      …/lesson-ID.lock                               held (fcntl) by the one presenter, as long as it lives
 *
 * A socket is stale when nobody holds its lock; it is then replaced. The folder must belong to the person and may be
 * written by nobody else: in /tmp anybody could have made it.
 */
#ifndef RADIXSCOPE_CLI_ROOM_PATH_H
#define RADIXSCOPE_CLI_ROOM_PATH_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/err.h"

struct room_door {
    int listener, lock;      /* open, not blocking; -1: not open */
    char path[sizeof ((struct sockaddr_un *)NULL)->sun_path];
};

/* Open it for lesson `id`; `group` NULL: for the person alone. -1 and *e: somebody presents it already, no such group … */
int room_door_open(struct room_door *d, const char *id, const char *group, struct err *e);
void room_door_close(struct room_door *d); /* the socket is gone then; the folder stays */

/* Connect to a presenter: at `path`, or (NULL) at the person's own places. The descriptor, not blocking; -1: there is
 * nobody, or *e says what is wrong with the path. */
int room_connect(const char *path, const char *id, struct err *e);

#endif
