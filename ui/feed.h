/* feed.h: what the screen is given to show. The caller (src/cli) owns all of it and keeps it alive until
 * app_run returns.
 *
 *      worker thread ──writes──> tape ──read through a cursor──> screen
 *            └──── makes wake_fd readable: "there is more" ───────┘
 *
 * The screen never runs engine code. It polls wake_fd beside the keyboard; when it becomes readable it
 * calls `progress`, which empties the descriptor and says how the work stands. A recording has no worker:
 * wake_fd is -1 and `progress` NULL.
 *
 * Threads: the worker must block all signals (pthread_sigmask before it starts), so that a resize or ^C
 * reaches the thread that waits for keys.
 */
#ifndef RADIXSCOPE_UI_FEED_H
#define RADIXSCOPE_UI_FEED_H

#include <stdbool.h>

#include "base/err.h"
#include "tape/evidence.h"
#include "tape/tape.h"

struct ui_progress {
    bool working;         /* more steps will come by themselves */
    bool failed;          /* the work ended early; `line` says why */
    bool loading;         /* it comes from a file that is being read; `line` says how far */
    char line[512];       /* one sentence for people, "" when there is nothing to say */
};

struct ui_words {
    struct event_words said; /* tokens in sentences, quoted */
    /* Appends the bytes of a token as they stand in the text, for the tree's edges and the request.
     * NULL: the quoted text (or the number) is shown instead. */
    void (*bytes)(void *ctx, uint32_t id, struct buf *b);
    void *ctx;
};

/* A history that can stand beside the one that is shown. */
struct ui_history {
    const struct tape *tape;
    int branch;
    struct ui_words words;
    bool working;         /* more steps of it will come */
    char why[160];        /* what it is and why it was made; "": its tape says so */
};

/* Ways to keep KV that have no steps: block tables, lists. They can stand on the right of a history of the same requests,
 * which have the numbers 1 … in both. Read by the screen's thread; nothing of it is changed by reading. */
struct ui_asked {
    uint32_t prompt, left, right;      /* tokens; from the cache */
    bool left_refused, right_refused;
};

struct ui_designs {
    int count;
    bool first;           /* they come before the histories; else after them */
    const char *(*name)(void *ctx, int which);
    /* What stands where after so many requests, a line a thing. -1 and *e: no memory. */
    int (*list)(void *ctx, int which, uint32_t requests, struct buf *out, struct err *e);
    bool (*asked)(void *ctx, int which, uint32_t request, struct ui_asked *out); /* false: there is no such request */
    void *ctx;
};

/* Where a person stands. */
struct ui_place {
    int branch;
    uint32_t at;
    uint32_t view;        /* which view is open, as app_view_id numbers them */
    int beside;           /* which history is on the right of it */
};

struct player;

/* Floats, and what only an engine can compute. A member that is NULL: there is none. */
struct ui_evidence {
    bool (*observed)(void *ctx, struct observed *out);   /* rows of keys, values and queries; false: none yet */
    /* Ask; returns at once. -1 and *e when it cannot be answered here at all. */
    int (*ask)(void *ctx, const struct inquiry *q, struct err *e);
    int (*answer)(void *ctx, const struct inquiry *q, struct answer *out); /* a copy, for answer_done; -1: no memory */
    bool recording;       /* what is missing here was not recorded */
    void *ctx;
};

struct room_tally;

/* A lesson in a room: given to others, or followed. The screen calls, src/cli answers; none of it blocks. */
struct ui_room {
    bool follows;         /* the screen of one who follows: it can look and answer, nothing else */
    bool shown;           /* the presenter shows the distribution */
    bool aside;           /* follows: the presenter tries something beside the path, */
    uint32_t view;        /* with this view open (app_view_id) */
    const struct room_tally *tally;
    char line[200];       /* who is there, who has answered */
    char mine[64];        /* follows: the answer that was given; "" */
    bool (*news)(void *ctx);   /* wake_fd is readable: true if the player was moved */
    /* The screen stands here now. */
    void (*stand)(void *ctx, int branch, uint32_t at, uint32_t view, bool aside);
    int (*answer)(void *ctx, const char *text, struct err *e); /* follows: give it; -1 and *e: it cannot be one */
    void *ctx;
};

struct ui_feed {
    const struct tape *tape;
    const char *title;    /* of the scenario or the file: the first word of the title line */
    const char *mode;     /* "exact", "fast"; NULL when no model is run */
    struct ui_words words;
    int wake_fd;          /* -1: nothing more will come */
    void (*progress)(void *ctx, struct ui_progress *out);
    /* Run one command of the script language from step `at` of `branch` (":" and forks); returns at once,
     * 1: it runs beside this history (other); -1 and *e when it cannot be understood. NULL: read only, a recording. */
    int (*command)(void *ctx, int branch, uint32_t at, const char *line, struct err *e);
    /* Append one line that opens this place elsewhere; -1 and *e. NULL: this is a recording. */
    int (*state)(void *ctx, const struct ui_place *place, struct buf *out, struct err *e);
    const char *own;      /* beside another run: what this one is; NULL: its tape says so */
    /* Another run of the same work; false: there is none. NULL: there can be none. */
    bool (*other)(void *ctx, struct ui_history *out);
    const struct ui_designs *designs; /* that can stand beside it; NULL: none */
    /* A lesson: who knows its way (NULL: none), and `turn`: put tape and words of the player's scene into this feed;
     * true if they are others than before. */
    struct player *lesson;
    bool (*turn)(void *ctx);
    struct ui_room *room;  /* of the lesson; NULL: it is taken alone */
    /* Write the session to a file: .rxs what made it, .rxt what happened. -1 and *e. NULL: it cannot be written. */
    int (*keep)(void *ctx, const char *path, struct err *e);
    /* How text would be cut into tokens, piece by piece, while it is typed. NULL: nobody knows. */
    void (*cut)(void *ctx, const char *text, size_t len, void (*piece)(void *to, const char *bytes, size_t n), void *to);
    void *ctx;
    struct ui_evidence evidence;
};

#endif
