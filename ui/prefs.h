/* prefs.h: what a person prefers, from a small text file. docs/keys.md says what may stand in it.
 *
 *      $XDG_CONFIG_HOME/radixscope/config        # a comment
 *      or ~/.config/radixscope/config            theme = dark
 *                                                key.fold = }
 *
 * A line that cannot be understood is reported with its number; the others count. Options on the command
 * line win over the file.
 */
#ifndef RADIXSCOPE_UI_PREFS_H
#define RADIXSCOPE_UI_PREFS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ui/command.h"

struct prefs {
    char theme[32];    /* "": not said */
    int speed;         /* index of view_speed_tenths; -1: not said */
    bool ascii, mouse, projector;
    struct keymap keys;          /* without a conflict: two commands on one key undo all bindings */
    unsigned key_line[CMD_COUNT]; /* where each was bound; 0: it was not */
};

/* Read text; `name` stands for the file in errors. Returns 0, or -1 and the first error in *e; *out holds
 * what could be read in any case. */
int prefs_parse(const char *name, const char *text, size_t len, struct prefs *out, struct err *e);

/* The same from the person's file. No file: nothing is said, and that is no error. */
int prefs_load(struct prefs *out, struct err *e);

#endif
