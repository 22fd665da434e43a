/* room_guest.h: a guest's end of a classroom: it reads the presenter's place, and may answer.
 *
 *      presenter ──lines──> a thread of its own ──> [mutex] ──fd──> screen
 *                <──answer──                     <──
 *
 * When the presenter is gone the thread asks once a second whether somebody is there again.
 */
#ifndef RADIXSCOPE_CLI_ROOM_GUEST_H
#define RADIXSCOPE_CLI_ROOM_GUEST_H

#include "lesson/room.h"

struct room_guest;

enum room_link { ROOM_SEEKS, ROOM_THERE, ROOM_GONE, ROOM_REFUSED }; /* SEEKS: nobody has been there yet */

struct room_news {
    enum room_link link;
    char why[200];               /* of ROOM_REFUSED; "" */
    uint32_t session;            /* 0: none has begun */
    struct room_place place;     /* the newest; placed: there is one */
    bool placed;
    int64_t place_ms;            /* CLOCK_MONOTONIC when it came */
    struct room_tally tally;
    size_t ran;                  /* commands of the session so far */
};

/* `hello`: the lesson as it is here; a presenter of another one is refused. path NULL: the person's own places. */
struct room_guest *room_guest_open(const struct room_hello *hello, const char *path, enum room_role role, struct err *e);
void room_guest_close(struct room_guest *g);   /* may be NULL */

int room_guest_fd(const struct room_guest *g); /* readable: there are news (room_guest_news empties it) */
void room_guest_news(struct room_guest *g, struct room_news *out);
bool room_guest_ran(struct room_guest *g, uint32_t session, size_t i, struct room_ran *out); /* false: not of this session */
/* Give, or change, the answer to the open question. */
void room_guest_answer(struct room_guest *g, uint32_t round, const char *text);

#endif
