/* state.h: where the person was last, for "continue" on the home screen.
 *
 *      $XDG_STATE_HOME/radixscope/last           play
 *      or ~/.local/state/radixscope/last         two-strings
 *                                                12
 *
 * A file that is missing or makes no sense means: nowhere. What cannot be written is forgotten; nothing else
 * depends on it.
 */
#ifndef RADIXSCOPE_CLI_STATE_H
#define RADIXSCOPE_CLI_STATE_H

#include "cli/cli.h"

struct state {
    char command[16];    /* play, replay */
    char what[1024];     /* a scenario's name, or the whole path of a file */
    uint32_t step;
};

bool state_load(struct state *out);
void state_save(const struct state *s);

/* Remember what this command line showed, and the step where the screen was left (c->left_at; 0: it was not
 * shown). Runs with settings of their own are not remembered: the name alone would not bring them back. */
void state_remember(const struct cli *c, const char *command, const char *what);

/* Traces that were opened, newest first, for the home screen: $XDG_STATE_HOME/radixscope/traces, a path a line. */
enum { STATE_TRACES = 8 };
void state_trace_opened(const char *path);
int state_traces(char *out[STATE_TRACES]);   /* fills in whole paths, owned by the caller; returns how many */

#endif
