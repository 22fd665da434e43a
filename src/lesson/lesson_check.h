/* lesson_check.h: the proof of a lesson. Everything is run: all blocks and expectations, every figure, every right
 * and every listed wrong answer, every hint, every challenge by its own solution at par.
 */
#ifndef RADIXSCOPE_LESSON_LESSON_CHECK_H
#define RADIXSCOPE_LESSON_LESSON_CHECK_H

#include "lesson/run.h"

struct lesson_counts {
    uint32_t chunks, blocks, expectations, figures, links, questions, wrongs, hints, challenges, steps;
    uint32_t undecided;       /* questions whose author says that no step decides them */
};

/* What a word in the text may be bound to and only the program around knows. Either may be NULL: not checked. */
struct lesson_names {
    bool (*is_key)(void *ctx, const char *key);
    bool (*lesson)(void *ctx, const char *id, struct lesson_head *out); /* false: there is none of that id */
    void *ctx;
};

/* 0 and *counts, or -1 and *e: the first thing that is wrong, with file, line and column. */
int lesson_check(const struct lesson *l, const struct lesson_host *host, const struct lesson_names *names,
                 struct lesson_counts *counts, struct err *e);

/* The same of a lesson that has been run. */
int lesson_check_run(const struct lesson_run *r, const struct lesson_names *names, struct lesson_counts *counts, struct err *e);

/* Where a challenge's solution has `line` lines of commands: the next one from *at on, into out; false: no more. */
bool solution_line(const struct question *q, size_t *at, char *out, size_t n);

#endif
