/* term.h: the terminal. The only user of curses.
 *
 *      surface ──compared with the last one──> changed cells ──> curses ──one write──> terminal
 *      keys, resize, ^C, ^Z  <── term_wait ── poll(keyboard, signals, wake-up of the feed)
 *
 * The terminal is restored on every way out: term_close, exit(), a failed ASSERT, SIGHUP, SIGTERM, SIGSEGV,
 * SIGABRT and their like. ^C arrives as a key (K_INTERRUPT), ^Z stops the program with the terminal
 * restored, and continuing paints the screen anew. While the terminal is open, what is written to stderr
 * is kept aside and written out when it is closed.
 *
 * One terminal at a time: signal handlers have to find it.
 */
#ifndef RADIXSCOPE_UI_TERM_H
#define RADIXSCOPE_UI_TERM_H

#include <stdbool.h>

#include "base/err.h"
#include "ui/key.h"
#include "ui/surface.h"
#include "ui/theme.h"

struct term;

/* 0 if stdin and stdout are a terminal that can place its cursor; -1 and a sentence if not. */
int term_check(struct err *e);

struct term *term_open(struct err *e);   /* NULL and *e; nothing has changed then */
void term_close(struct term *t);         /* may be NULL */

void term_size(const struct term *t, int *w, int *h);
bool term_utf8(const struct term *t);    /* can it show more than ASCII? (the locale says) */
/* The terminal type used, and whether it had to replace an unknown TERM. */
const char *term_name(const struct term *t, bool *replaced);

/* Show a surface: hands curses the cells that changed, refreshes once. `theme` must live on. */
void term_draw(struct term *t, const struct surface *s, const struct theme *theme);

enum { TERM_KEY = 1, TERM_WAKE = 2, TERM_LOST = 4 }; /* what ended the wait; 0: the time is up */
/* Sleep until a key or signal comes, wake_fd (-1: none) is readable, or `ms` are over (-1: for ever). */
int term_wait(struct term *t, int wake_fd, int ms);
/* Ask for the mouse, or leave it to the terminal (so that text can be copied). */
void term_mouse(struct term *t, bool on);
void term_mouse_at(const struct term *t, int *x, int *y); /* of the last K_CLICK or K_DRAG */
int term_key(struct term *t);            /* the next key, K_NONE when there is none; never waits */

#endif
