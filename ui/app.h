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

#include "ui/feed.h"

struct ui_options {
    const char *theme;    /* a name of theme.h; NULL: "default" (NO_COLOR in the environment: "mono") */
    bool ascii;           /* lines and marks in ASCII even where the locale has more */
    bool mono;            /* no colour at all */
    uint32_t start;       /* step to open at; 0: before the first */
};

/* Can a screen be drawn here? 0 if so. -1 and a sentence (no terminal, TERM=dumb, …) if not: print plain
 * text instead. Draws nothing. */
int ui_available(struct err *e);

/* Show the feed until the person leaves. Returns the exit code: 0 after `q`, 130 after ^C, or -1 and *e
 * (the terminal is as it was before). */
int app_run(const struct ui_feed *feed, const struct ui_options *options, struct err *e);

#endif
