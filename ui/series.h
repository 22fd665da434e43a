/* series.h: the numbers of every step, read from the tape once, in order, with a cursor of its own, and kept in
 * a fixed number of buckets: a run of a million steps needs no more memory than one of a thousand.
 *
 *      steps     1 … stride | … 2 stride | …        when all buckets are used, two become one
 *      bucket    the numbers at its last step
 *
 * Reading costs a little a step, so it is done in idle time (series_read); until then less is known, and
 * views say so.
 */
#ifndef RADIXSCOPE_UI_SERIES_H
#define RADIXSCOPE_UI_SERIES_H

#include "tape/tape.h"

enum { SERIES_BUCKETS = 1024 };

/* What is counted: sums over all steps so far, then slots at that moment. */
enum number { NUM_LOOKED, NUM_FOUND, NUM_COMPUTED, NUM_EVICTABLE, NUM_PROTECTED, NUM_HELD, NUM_FREE, NUM_COUNT };

struct numbers {
    uint64_t n[NUM_COUNT];
    bool again;              /* the look-up that is under way is a request's second one: not counted */
};

struct series {
    struct cursor cursor;    /* cursor.w NULL: not begun */
    struct numbers last;     /* at step `read` */
    struct numbers bucket[SERIES_BUCKETS];
    int branch;
    uint32_t read, stride, length;
};

void series_done(struct series *s);

/* Read on, at most `budget` steps; true when the branch is read to its end (or there is no memory for the
 * cursor: then nothing is ever known). Another branch begins anew. */
bool series_read(struct series *s, const struct tape *t, int branch, uint32_t budget);

/* The numbers after the bucket that holds step n (0: all 0, as before the first step). n <= read. */
struct numbers series_near(const struct series *s, uint32_t n);

/* The sums (not the slots) after exactly step n. n <= read. */
struct numbers series_sums(const struct series *s, const struct tape *t, uint32_t n);

/* A number as people read it, and its name: NUM_LOOKED is said as the hit rate, in percent. */
uint64_t numbers_value(const struct numbers *n, enum number which);
const char *numbers_name(enum number which);

/* The slots of a moment, by whom they are used. */
void numbers_slots(const struct world *w, struct numbers *out);

#endif
