/* marks.h: what the timeline knows about every step: one byte each, read once from the tape.
 *
 *      steps    1  2  3  4  5  6  7 …         columns of the timeline show the weightiest mark
 *      marks    |  .  .  .  m  .  .           of the steps that fall on them
 */
#ifndef RADIXSCOPE_UI_MARKS_H
#define RADIXSCOPE_UI_MARKS_H

#include "tape/tape.h"

enum mark { MARK_NONE, MARK_REQUEST, MARK_HIT, MARK_MISS, MARK_SPLIT, MARK_EVICT, MARK_COUNT }; /* by weight */

enum { MARK_COLUMNS = 512 };

struct marks {
    uint8_t *mark;            /* mark[n] is step n's */
    size_t cap;
    int branch;
    uint32_t n;               /* steps read */
    uint32_t requests;        /* of them, requests that arrived */
    uint8_t column[MARK_COLUMNS]; /* the picture for (n, columns) */
    uint32_t column_n;
    int columns;
};

void marks_done(struct marks *k);

/* Read on, at most `budget` steps; true when the branch is read to its end. Another branch starts anew. */
bool marks_read(struct marks *k, const struct tape *t, int branch, uint32_t budget);

/* The column of step n on a line of `columns`; steps 0 and k->n are its ends. */
int marks_column(const struct marks *k, int columns, uint32_t n);
uint32_t marks_step(const struct marks *k, int columns, int column); /* the first step of a column */

/* The marks of a line of `columns` (at most MARK_COLUMNS). */
const uint8_t *marks_line(struct marks *k, int columns);

char mark_letter(enum mark mark);         /* '|' 'h' 'm' 's' 'e' */
const char *mark_name(enum mark mark);

#endif
