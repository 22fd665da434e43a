/* progress.h: what a learner has done, in one small text file.
 *
 *      $XDG_STATE_HOME/radixscope/progress          # radixscope progress
 *      or ~/.local/state/radixscope/progress        split at 7              the furthest part that was reached
 *                                                   split right nodes 2     answered right, at this try
 *                                                   split golf split-golf 3 solved with so many commands
 *                                                   split done
 *
 * Lines say facts that only grow (at: the largest counts; right, golf: the smallest), so that two files are merged by
 * putting one behind the other: cat a b > c. A line that cannot be understood makes the file damaged: it is set aside
 * under another name, whole, and the lines that are understood count.
 */
#ifndef RADIXSCOPE_LESSON_PROGRESS_H
#define RADIXSCOPE_LESSON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum fact { FACT_AT, FACT_RIGHT, FACT_GOLF, FACT_DONE, FACT_COUNT };

struct progress_fact {
    char lesson[40], question[40]; /* question "": of the lesson */
    enum fact fact;
    uint32_t value;
};

struct progress {
    struct progress_fact *fact;    /* (n) owned */
    size_t n, cap;
    char *path;                    /* owned; NULL: nothing is saved */
};

/* Read facts out of text; *bad: the first line that cannot be understood, 0: none. -1: no memory. */
int progress_parse(struct progress *p, const char *text, size_t len, uint32_t *bad, struct err *e);
void progress_print(const struct progress *p, struct buf *out);

/* Read the person's file. No file: nothing has been done. A damaged one is set aside; `message` (n bytes) says so, ""
 * otherwise. -1 and *e: it cannot be read, and *p has no path, so that nothing is written over it. */
int progress_load(struct progress *p, char *message, size_t n, struct err *e);
int progress_save(const struct progress *p, struct err *e);   /* does nothing without a path */
void progress_done(struct progress *p);

/* Say a fact; what is known better already stays. -1: no memory. */
int progress_note(struct progress *p, enum fact fact, const char *lesson, const char *question, uint32_t value,
                  struct err *e);
/* The value of a fact; `otherwise` when it is not known. FACT_DONE: 1. */
uint32_t progress_value(const struct progress *p, enum fact fact, const char *lesson, const char *question, uint32_t otherwise);
void progress_reset(struct progress *p, const char *lesson);  /* forget one lesson */

#endif
