/* show.h: let a person watch a run: on the screen, as a conversation, or printed to the end.
 *
 *      a terminal to draw on          the stepper (ui/), the script running on a worker thread
 *      --plain at a terminal          session.h
 *      --plain, a pipe, TERM=dumb     every step as a line
 */
#ifndef RADIXSCOPE_CLI_SHOW_H
#define RADIXSCOPE_CLI_SHOW_H

#include "cli/source.h"

int show_source(struct cli *c, struct source *s, struct err *e);      /* returns the exit code, or -1 and *e */
int show_recording(struct cli *c, const char *path, struct err *e);

#endif
