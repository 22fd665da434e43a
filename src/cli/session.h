/* session.h: the stepper as a conversation: commands on stdin, plain text on stdout.
 *
 *      > next evict_node
 *      61 EVICT_NODE node=3 …   Node 3 (C) goes: …
 *      > show
 */
#ifndef RADIXSCOPE_CLI_SESSION_H
#define RADIXSCOPE_CLI_SESSION_H

#include <stdio.h>

#include "cli/plain.h"

/* Serve lines from `in` until quit or its end. `act` runs a line of the script language from where the
 * person stands and returns when it is done; NULL: there is no engine, only a recording. */
struct session {
    struct plain plain;
    int (*act)(void *ctx, int branch, uint32_t at, const char *line, struct err *e);
    bool (*other)(void *ctx, struct ui_history *out); /* another run to compare with; NULL: never */
    int (*state)(void *ctx, const struct ui_place *place, struct buf *out, struct err *e); /* NULL: a recording */
    void *ctx;
    struct ui_evidence evidence; /* for the words about the model */
    bool fast;                   /* the mode of the run */
};

/* Stand at a step of a branch and append its line; -1 and *e if there is none. */
int session_go(struct session *s, int branch, uint32_t at, struct buf *out, struct err *e);

int session_run(struct session *s, FILE *in, struct err *e);

#endif
