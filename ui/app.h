/* app.h: the stepper. One struct app holds everything that the screen remembers; one loop serves it.
 *
 *      key ──> app_key ──> changes the view state        (handlers never draw)
 *                             │
 *      app_draw: screen = f(world, step, size, theme, view state) ──> surface ──> terminal
 *
 * The same step looks the same whichever way it was reached: nothing on the screen depends on where the
 * cursor was before.
 *
 * app_run opens the terminal, serves keys until the person leaves and restores the terminal on every way
 * out. The other functions need no terminal: tests drive them.
 */
#ifndef RADIXSCOPE_UI_APP_H
#define RADIXSCOPE_UI_APP_H

#include "ui/command.h"
#include "ui/feed.h"
#include "ui/view.h"
#include "ui/view_lesson.h"

struct ui_options {
    const char *theme;    /* a name of theme.h; NULL: "default" (NO_COLOR in the environment: "mono") */
    bool ascii;           /* lines and marks in ASCII even where the locale has more */
    bool mono;            /* no colour at all */
    bool big;             /* for a projector, from the start */
    uint32_t start;       /* step to open at, as soon as it is there; 0: the first */
    uint32_t *left_at;    /* gets the step where the person left; may be NULL */
    struct ui_place place; /* at 0: nowhere; else where to go as soon as that step is there */
    bool compare;         /* open with the feed's other history beside this one */
};

/* Can a screen be drawn here? 0 if so. -1 and a sentence (no terminal, TERM=dumb, …) if not: print plain
 * text instead. Draws nothing. */
int ui_available(struct err *e);

/* Show the feed until the person leaves. Returns the exit code: 0 after `q`, 130 after ^C, or -1 and *e
 * (the terminal is as it was before). */
int app_run(const struct ui_feed *feed, const struct ui_options *options, struct err *e);

/* ---- the parts, for tests: no terminal is touched below ------------------------------------------- */

enum { BACK_STEPS = 32, PAST_COMMANDS = 32 };

/* A search that goes on while nothing else happens. */
struct search {
    int dir;              /* 0: none */
    uint32_t at;          /* the step it looked at last */
    bool touch, slot;     /* for what touches this slot or node; else for what was typed */
    uint32_t what;
};

/* What a lesson's screen has asked an engine for (app_work.c). */
enum work_kind { WORK_COMMAND, WORK_NEXT, WORK_BACK, WORK_PART, WORK_RESTART, WORK_NEWS };

struct app_work {
    struct lesson_job *job;   /* owned; NULL: no lesson */
    struct lesson_halt *halt;
    bool busy;                /* it runs: the player, its scenes and the room are another thread's until it is done */
    enum work_kind kind;
    char line[256];           /* of COMMAND */
    int branch;
    uint32_t from;            /* … which acts here, */
    uint32_t ran;             /* with so many commands of the challenge before it */
    size_t part;              /* of PART */
    int rc;
    struct err err;
    struct surface picture;   /* of the screen when it began */
};

struct app {
    const struct ui_feed *feed;
    const struct theme *theme;
    struct cursor cursor;
    struct moment m;
    struct marks marks;
    struct view v;
    struct ui_progress progress;
    struct insight insight;
    struct list list;     /* of the open list view, */
    struct list_key {     /* filled for this */
        uint32_t show;
        int branch;
        uint32_t at, length;
        struct look look;
        uint32_t answer[2];   /* its state, and per mille of it */
    } list_key;
    struct lesson_view lesson; /* of feed->lesson */
    struct app_work work;
    struct series series; /* of the numbers: begun when they are first looked at */
    struct ui_place wanted; /* where to go as soon as the step is there; at 0: nowhere */
    struct beside beside; /* while comparing: what stands on the right */
    char find_node[64];   /* and in the tree */
    struct keymap keys;   /* as the person has bound them */
    struct search search;
    char find[64];        /* what was looked for last */
    int w, h;             /* of the surface that was drawn last */
    bool ascii;
    bool following;       /* a command was sent: go to where it writes */
    bool dragging;        /* the mouse went down on the timeline and is still down */
    char *past[PAST_COMMANDS]; /* commands typed before, newest last; owned */
    int pasts, past_at;   /* past_at: the one in the text field; pasts: none */
    uint32_t back[BACK_STEPS]; /* where jumps came from, newest last */
    int backs;
    bool quit;
    int exit_code;
};

int app_init(struct app *a, const struct ui_feed *feed, const struct ui_options *options, struct err *e);
void app_done(struct app *a);

void app_key(struct app *a, int key);      /* one key (key.h) */
void app_click(struct app *a, int x, int y, int w, int h); /* the mouse, on a screen of w x h */
void app_drag(struct app *a, int x, int y, int w, int h);  /* it moves with its button held */
void app_wake(struct app *a);              /* the feed has something new */
void app_look(struct app *a);              /* while it works: are there more steps? */
void app_tick(struct app *a);              /* playing: the time for the next step has come */
bool app_idle(struct app *a);              /* read on for the timeline; false while there is more to read */
void app_draw(struct app *a, struct surface *s);
int app_wake_fd(const struct app *a);      /* what app_wake waits for */
void app_settle(struct app *a);            /* wait until nothing runs for a lesson any more */
void app_goto(struct app *a, uint32_t at); /* clipped to the steps there are */
uint32_t app_view_id(enum show show);      /* the same in every version that has a view of this title */
void app_switch(struct app *a, int branch, uint32_t at);

#endif
