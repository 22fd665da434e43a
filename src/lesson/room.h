/* room.h: what is said in a classroom, line by line: the presenter's place, and the answers of those who follow.
 * Pure: no sockets here (cli/room_host.h, cli/room_guest.h). docs/classroom.md describes the lines.
 *
 *      presenter                                            guest
 *        <──── radixscope-room 1 follow                        who listens: follow, notes
 *        radixscope-room 1 SESSION SEED SUM ID ────>           which lesson, to the byte
 *        ran SEQ EPOCH SCENE BRANCH AT LINE ────>              commands beside the lesson's own blocks
 *        at ROUND PART PHASE … ────>                           where the screen stands
 *        votes PRESENT ANSWERED SHOWN ────>                    then one `vote COUNT TEXT` for each answer
 *        <──── answer ROUND TEXT
 *        bye ────>
 *
 * Every line is at most ROOM_LINE bytes with its end. Numbers are decimal; the last field is the rest of the line.
 * A reader keeps no more than one line: what is longer is an error, not memory.
 */
#ifndef RADIXSCOPE_LESSON_ROOM_H
#define RADIXSCOPE_LESSON_ROOM_H

#include "lesson/lesson.h"

enum { ROOM_VERSION = 1, ROOM_LINE = 2048, ROOM_TEXT = 1024, ROOM_ANSWER = 64, ROOM_GUESTS = 64, ROOM_DIFFERENT = 16,
       ROOM_RAN = 2000 };

enum room_scene { ROOM_NO_SCENE = -1, ROOM_CHALLENGE = -2 }; /* else a number of lesson_run.scene */

enum room_role { ROOM_FOLLOW, ROOM_NOTES };

struct room_hello {
    uint32_t session;        /* another one: the presenter began anew */
    uint32_t seed;           /* of a lesson that is made from one */
    uint32_t sum;            /* of the lesson's file: both must have the same */
    char id[40];
};

/* Where the presenter's screen stands: a player (lesson/player.h) in few words. */
struct room_place {
    uint32_t round;          /* which asking of a question; answers name it */
    uint32_t part, phase, hints, tries, commands;
    int scene, branch;
    uint32_t step, limit;
    uint32_t epoch;          /* challenges opened so far */
    uint32_t view;           /* which view is open (app_view_id) */
    uint32_t elapsed;        /* seconds since the presenter began */
    bool aside;              /* something is tried beside the path */
    bool open;               /* a question may be answered */
    bool revealed;           /* its answer is on the screen */
    char chunk[40];          /* id */
    char answer[ROOM_ANSWER]; /* what the presenter answered; "" */
};

/* The same place, as far as a screen shows it: all but the clock. */
bool room_place_same(const struct room_place *a, const struct room_place *b);

struct room_ran {
    uint32_t seq;            /* 1, 2, … of a session */
    uint32_t epoch;          /* of the challenge; 0: a scene of the lesson */
    int scene, branch;
    uint32_t at;
    char line[ROOM_TEXT];
};

enum room_kind { ROOM_UNKNOWN, ROOM_HELLO, ROOM_GUEST, ROOM_AT, ROOM_RAN_LINE, ROOM_VOTES, ROOM_VOTE, ROOM_ANSWERED,
                 ROOM_BYE, ROOM_ERROR };

struct room_line {
    enum room_kind kind;     /* UNKNOWN: a word of a later version, to be ignored */
    union {
        struct room_hello hello;
        enum room_role role;
        struct room_place place;
        struct room_ran ran;
        struct { uint32_t present, answered; bool shown; } votes;
        struct { uint32_t count; char text[ROOM_ANSWER]; } vote;
        struct { uint32_t round; char text[ROOM_ANSWER]; } answer;
        char error[ROOM_TEXT];
    } u;
};

/* Read one line without its end. -1 and *e: it breaks the rules above. */
int room_read(const char *line, size_t n, struct room_line *out, struct err *e);
void room_write(const struct room_line *l, struct buf *out);   /* appends the line and its end */

/* Bytes as they come, cut into lines. */
struct room_reader {
    char bytes[ROOM_LINE];
    size_t n, from;          /* bytes held; where the next line begins */
};

/* How many more bytes can be taken, and where to put them; then say how many came. */
size_t room_reader_room(struct room_reader *r, char **to);
void room_reader_came(struct room_reader *r, size_t n);
/* 1 and the next line (good until the next call with room_reader_room); 0: none is whole yet; -1: it is too long. */
int room_reader_line(struct room_reader *r, const char **line, size_t *n);

/* ---- answers ------------------------------------------------------------------------------------------ */

struct room_tally {
    uint32_t present, answered;   /* followers, and those of them who have answered */
    bool shown;                   /* the room may see the distribution */
    struct { uint32_t count; char text[ROOM_ANSWER]; } one[ROOM_DIFFERENT]; /* most first, then by text */
    int n;
    uint32_t others;              /* answers that found no place in one[] */
};

/* One form for answers that are judged alike: "03" is 3, node 2 is B, "3,1,2" is "3 1 2". -1 and *e: no answer to this
 * question. Judges nothing. */
int room_answer(const struct question *q, const char *answer, char out[ROOM_ANSWER], struct err *e);
void room_tally_add(struct room_tally *t, const char *answer);
void room_tally_sort(struct room_tally *t);

bool room_carries(const char *text);   /* short enough for a line, and nothing in it that a terminal would act on */

/* FNV-1a of a lesson's text. */
uint32_t room_sum(const char *text, size_t n);

#endif
