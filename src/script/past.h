/* past.h: the commands that ran, and where in the history each stands; `rest` runs those behind a moment again.
 *
 *      branch 0   request A ── request B ── request C
 *      branch 1           └─ rest swap ── request C ── request B
 *
 * The runner owns one and notes every command that changed something. Texts are canonical (script_write), so that
 * they can be parsed again.
 */
#ifndef RADIXSCOPE_SCRIPT_PAST_H
#define RADIXSCOPE_SCRIPT_PAST_H

#include "script/script.h"
#include "tape/tape.h"

struct past_command {
    enum script_kind kind;
    int branch;
    uint32_t before, after;   /* steps (before, after] are its; equal: it makes no steps (system, adapter) */
    size_t talk;              /* the last message of the conversation after it, as the runner numbers them; 0: none */
    char *line;               /* owned */
};

struct past {
    struct past_command *command; /* (count) in the order in which they ran */
    size_t count, capacity;
};

void past_free(struct past *p);

/* One that cannot be kept for want of memory is an error: `rest` would leave it out without a word. */
int past_note(struct past *p, const struct script_command *c, int branch, uint32_t before, uint32_t after, size_t talk,
              struct err *e);

/* The conversation that was under way at step `at` of `branch`, a moment between commands; 0: none. */
size_t past_talk(const struct past *p, const struct tape *t, int branch, uint32_t at);

/* The script that `rest` (the command c) means at step `at` of `branch`, a moment between commands: what follows there,
 * or where a new branch has nothing yet, what followed where it left its parent. NULL and *e: nothing follows, or
 * what it asks for is not there. */
struct script *past_rest(const struct past *p, const struct tape *t, int branch, uint32_t at,
                         const struct script_command *c, struct err *e);

#endif
