/* state_string.h: one line that opens the same scene at the same step elsewhere.
 *
 *      rx1:AbCd…       "rx1:" and base64url (no padding) of
 *                      checksum (FNV-1a, 32 bits of it) | 0 plain or 1 zstd | text
 *      the text        scene NAME, or bytes of a script
 *                      --pool=128 …         options of the command line that change the run
 *                      :BRANCH AT LINE      what was typed, in order
 *                      at BRANCH STEP VIEW BESIDE
 *
 * The same state is the same line: text and packing have one form. The model is the reader's own.
 */
#ifndef RADIXSCOPE_CLI_STATE_STRING_H
#define RADIXSCOPE_CLI_STATE_STRING_H

#include "cli/cli.h"

struct rx_line {
    int branch;
    uint32_t at;
    char *line;            /* owned */
};

struct rx_log {         /* what was typed */
    struct rx_line *line; /* (count) owned */
    size_t count, capacity;
};

struct scene_string {
    char *scene;           /* owned; a scenario's name; NULL: script */
    char *script;          /* owned; the script's own text */
    char *option[OPT_COUNT]; /* owned; NULL: not given */
    struct rx_log log;
    int branch, beside;
    uint32_t at, view;     /* view: ui's number for it (app_view_id) */
};

bool rx_is(const char *text);   /* begins like a state string of any version */

int rx_log_add(struct rx_log *log, int branch, uint32_t at, const char *line, struct err *e);
void rx_log_free(struct rx_log *log);

/* Append the line. -1 and *e without memory. */
int rx_write(const struct scene_string *s, struct buf *out, struct err *e);

/* Read one. -1 and one sentence: no state string, of a newer version, cut off, a letter changed. */
int rx_read(const char *text, struct scene_string *out, struct err *e);
void rx_done(struct scene_string *s);

/* The options that a state holds. */
bool rx_keeps(enum cli_option which);

#endif
