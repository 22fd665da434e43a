/* skip.h: leaping over thousands of steps at once.
 *
 * Walking a million steps through a world of a million nodes touches memory at random, five words a step.
 * So every SKIP_STEPS steps the tape keeps what they have changed together: each word once, in order, with
 * its value before the first and after the last of them.
 *
 *      steps    ──┤ 8,192 steps ├──┤ 8,192 steps ├── … one by one …
 *      blocks      runs {word, n}, before[], after[]      a long run that rises evenly: first value, stride
 *
 * The owner notes the first change of every word since the last block: a bit says whether it was noted, so
 * that a change costs one look at a bit. A block is made when an operation ends; the words after it stand
 * in the world itself. It costs no order of comparing: the bits, read in order, are the words in order.
 * Blocks never change; readers on other threads use them. Without memory there is no block, and whoever
 * comes by walks.
 */
#ifndef RADIXSCOPE_TAPE_SKIP_H
#define RADIXSCOPE_TAPE_SKIP_H

#include "tape/world.h"

enum { SKIP_STEPS = 8192 };

struct skip_run {
    uint32_t at, n : 30, before_even : 1, after_even : 1; /* even: two words stand for the n */
};

struct skip_block {
    uint32_t from, to;         /* positions: it leads from one to the other, either way */
    uint32_t runs, befores, afters;
    struct skip_run *run;      /* (runs) */
    uint32_t *before, *after;  /* (befores), (afters) */
};

struct skip_noted {
    uint32_t at, before;
};

/* What is noted of the block that is being made. */
struct skip_maker {
    int branch;
    uint32_t from, at;         /* position where it begins; where the last operation ended */
    bool broken;               /* no memory: this block is not to be */
    struct skip_noted *noted;  /* each word once, in the order of its first change */
    size_t noted_cap;
    uint32_t noted_n;
    uint64_t *bit;             /* one a word of the world: noted */
    uint64_t *group;           /* one a word of bit: some are set */
    uint32_t *rank;            /* by word of bit: how many words stand before it in order */
};

bool skip_init(struct skip_maker *m);                /* false: no memory */
void skip_done(struct skip_maker *m);
bool skip_room(struct skip_maker *m, uint32_t words); /* for so many more notes; false: the block is broken */
void skip_restart(struct skip_maker *m, int branch, uint32_t at); /* forget what is noted; begin here */

static inline void skip_note(struct skip_maker *m, uint32_t at, uint32_t before)
{
    uint64_t bit = (uint64_t)1 << (at & 63);
    if ((m->bit[at >> 6] & bit) != 0 || m->broken)
        return;
    m->bit[at >> 6] |= bit;
    m->group[at >> 12] |= (uint64_t)1 << (at >> 6 & 63);
    m->noted[m->noted_n++] = (struct skip_noted){at, before};
}

/* The block from where the maker began to position `to`, at which w stands. false: no memory. */
bool skip_make(struct skip_maker *m, const struct world *w, uint32_t to, struct skip_block *out);
void skip_apply(const struct skip_block *b, struct world *w, bool forward);
size_t skip_bytes(const struct skip_block *b);
void skip_free(struct skip_block *b);

#endif
