/* show.h: let a person watch a run: on the screen, as a conversation, or printed to the end.
 *
 *      a terminal to draw on          the stepper (ui/), the script running on a worker thread
 *      --plain at a terminal          session.h
 *      --plain, a pipe, TERM=dumb     every step as a line
 */
#ifndef RADIXSCOPE_CLI_SHOW_H
#define RADIXSCOPE_CLI_SHOW_H

#include "cli/source.h"
#include "ui/app.h"

int show_source(struct cli *c, struct source *s, struct err *e);      /* returns the exit code, or -1 and *e */
/* For other things to watch (show_trace.c). */
enum show_way { SHOW_ON_SCREEN, SHOW_AS_SESSION, SHOW_PRINTED };
enum show_way show_choose_way(const struct cli *c);
int show_check_theme(const struct cli *c, struct err *e);
struct ui_options show_options(struct cli *c);
/* "loading: 512 requests, 13 % of the file"; size 0: nobody knows how much there is. */
void show_loading(struct ui_progress *out, uint64_t n, const char *what, uint64_t bytes, uint64_t size);

/* The stepper on a feed, at step `start`, with the other history beside it if `compare`. */
int show_feed(struct cli *c, const struct ui_feed *feed, uint32_t start, bool compare, struct err *e);
int show_recording(struct cli *c, const char *path, struct err *e);

#endif
