#include "cli/room_path.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAITING = 64 }; /* connections that the system holds until they are taken */

/* ---- the folder --------------------------------------------------------------------------------------- */

/* "": there is none of this kind. */
static void runtime_folder(char *out, size_t n)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    *out = '\0';
    if (dir != NULL && dir[0] == '/' && snprintf(out, n, "%s/radixscope", dir) >= (int)n)
        *out = '\0';
}

static void shared_folder(char *out, size_t n)
{
    snprintf(out, n, "/tmp/radixscope-%lu", (unsigned long)getuid());
}

static int check_folder(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, "%.200s is not a folder: the classroom's socket has no place", path);
    if (st.st_uid != getuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return err_set(e, "%.200s belongs to or can be written by somebody else: no socket is put there", path);
    return 0;
}

static int make_folder(const char *path, const gid_t *group, struct err *e)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_set(e, "%.200s cannot be made: %s", path, strerror(errno));
    if (check_folder(path, e) != 0)
        return -1;
    if (group != NULL && (chown(path, (uid_t)-1, *group) != 0 || chmod(path, 0710) != 0))
        return err_set(e, "%.200s cannot be given to the group: %s", path, strerror(errno));
    return 0;
}

static int join(char *out, size_t n, const char *folder, const char *id, const char *end, struct err *e)
{
    if (snprintf(out, n, "%s/lesson-%s%s", folder, id, end) >= (int)n)
        return err_set(e, "the name of the classroom's socket in %.200s is too long for the system", folder);
    return 0;
}

/* ---- the presenter's side ----------------------------------------------------------------------------- */

static int find_group(const char *name, gid_t *out, struct err *e)
{
    const struct group *g = getgrnam(name);
    if (g == NULL)
        return err_set(e, "there is no group %.60s on this machine", name);
    *out = g->gr_gid;
    return 0;
}

static int take_lock(struct room_door *d, const char *path, const char *id, struct err *e)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (d->lock < 0)
        return err_set(e, "%.200s cannot be opened: %s", path, strerror(errno));
    if (fcntl(d->lock, F_SETLK, &all) == 0)
        return 0;
    return err_set(e, "lesson %.40s is presented already, in another terminal of this person", id);
}

/* Nobody can connect before listen(): the permissions are right by then. */
static int begin_listening(struct room_door *d, const gid_t *group, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, d->path, sizeof a.sun_path);
    unlink(d->path); /* whoever made it is gone: we hold the lock */
    d->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (d->listener < 0 || fcntl(d->listener, F_SETFD, FD_CLOEXEC) != 0 || fcntl(d->listener, F_SETFL, O_NONBLOCK) != 0 ||
        bind(d->listener, (const struct sockaddr *)&a, sizeof a) != 0)
        return err_set(e, "the socket %.120s cannot be made: %s", d->path, strerror(errno));
    if ((group != NULL && chown(d->path, (uid_t)-1, *group) != 0) || chmod(d->path, group != NULL ? 0660 : 0600) != 0)
        return err_set(e, "%.120s cannot be given its permissions: %s", d->path, strerror(errno));
    return listen(d->listener, WAITING) == 0 ? 0 : err_set(e, "the socket %.120s cannot listen: %s", d->path, strerror(errno));
}

int room_door_open(struct room_door *d, const char *id, const char *group, struct err *e)
{
    char folder[400], lock[500];
    gid_t gid = 0;
    *d = (struct room_door){.listener = -1, .lock = -1};
    if (group != NULL && find_group(group, &gid, e) != 0)
        return -1;
    runtime_folder(folder, sizeof folder);
    if (group != NULL || *folder == '\0')
        shared_folder(folder, sizeof folder);
    if (make_folder(folder, group != NULL ? &gid : NULL, e) != 0 || join(d->path, sizeof d->path, folder, id, "", e) != 0 ||
        join(lock, sizeof lock, folder, id, ".lock", e) != 0)
        return -1;
    if (take_lock(d, lock, id, e) == 0 && begin_listening(d, group != NULL ? &gid : NULL, e) == 0)
        return 0;
    if (d->listener >= 0)
        close(d->listener);
    if (d->lock >= 0)
        close(d->lock);
    d->listener = d->lock = -1;
    return -1;
}

void room_door_close(struct room_door *d)
{
    if (d->listener < 0)
        return;
    unlink(d->path); /* before the lock goes: the next presenter's socket is not ours */
    close(d->listener);
    close(d->lock);
    d->listener = d->lock = -1;
}

/* ---- the guests' side --------------------------------------------------------------------------------- */

static int connect_to(const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(e, "%.200s is too long for the name of a socket", path);
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    /* Not blocking before it connects: a presenter whose queue is full is tried again later. */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
        connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    if (errno == EACCES)
        err_set(e, "%.120s may not be opened by you: the presenter lets a group in with --group", path);
    close(fd);
    return -1;
}

int room_connect(const char *path, const char *id, struct err *e)
{
    char folder[400], file[500];
    if (path != NULL)
        return connect_to(path, e);
    runtime_folder(folder, sizeof folder);
    for (int i = 0; i < 2; i++) {
        if (*folder != '\0' && join(file, sizeof file, folder, id, "", e) != 0)
            return -1;
        int fd = *folder != '\0' && check_folder(folder, NULL) == 0 ? connect_to(file, e) : -1;
        if (fd >= 0)
            return fd;
        shared_folder(folder, sizeof folder);
    }
    return -1;
}
