/* tape_io.h: the insides of a tape, for tape.c and for recordings (recording.c). Nobody else.
 *
 * A branch is four piles. Step n (n > base) has index n - base - 1; its runs and words are those between
 * the previous step's ends and its own; its arguments are the last `nargs` of its words.
 *
 *      steps   {run_end, word_end, kind, depth, nargs, settled}
 *      runs    {at, info}    info: small (one word, 31-bit difference, nothing in words), or
 *                            count << 3 | after is a stride | before is a stride
 *      words   before side, after side of each run (a side: 2 words as a stride, else count), arguments
 *      obs     {step, kind, bytes, data}
 *      skips   blocks of merged changes (skip.h), in order; derived: a recording does not hold them
 */
#ifndef RADIXSCOPE_TAPE_TAPE_IO_H
#define RADIXSCOPE_TAPE_TAPE_IO_H

#include <stdatomic.h>

#include "tape/skip.h"
#include "tape/tape.h"

enum {
    PILE_SHIFT = 14,           /* elements in a chunk: 16,384 */
    PILE_CHUNKS = 1 << 16,
    TAPE_BRANCHES = 4096,
    TAPE_HANGING = 2,          /* observations of one step */
    RUN_SMALL = 1, RUN_BEFORE_STRIDE = 2, RUN_AFTER_STRIDE = 4, RUN_SHIFT = 3,
};

struct pile {
    void **chunk;
    uint32_t n, chunks;
    size_t size;               /* bytes of an element */
};

struct step_record {
    uint32_t run_end, word_end;
    uint16_t kind;
    uint8_t depth : 4, settled : 4;
    uint8_t nargs;
};

struct run_record {
    uint32_t at, info;
};

struct obs_record {
    uint32_t step, kind, bytes;
    void *data;                /* owned by the branch */
};

struct branch {
    int parent;                /* -1: none */
    uint32_t base;             /* steps of its parents that come before its own */
    _Atomic uint32_t length;   /* base + its own steps that readers may see */
    _Atomic uint32_t obs_length;
    struct pile steps, runs, words, obs;
    _Atomic uint32_t skip_count;
    struct pile skips;
};

struct tape {
    struct tape_pen pen;       /* first: tape.h casts to it */
    struct world_config cfg;
    struct world *w;
    struct store *store;
    bool full;
    uint32_t nesting;
    struct pending *spare;     /* (pending_cap) for sorting */
    size_t pending_cap, spare_cap;
    struct obs_record hanging[TAPE_HANGING];
    uint32_t hanging_n;
    struct { uint32_t steps, runs, words, obs, pending; } start; /* where the operation began */
    struct skip_maker skip;
    size_t limit, obs_bytes, skip_bytes;
    uint32_t step_limit;       /* of a branch; 0: none */
    _Atomic int current;
    _Atomic int branch_count;
    struct branch *branch[TAPE_BRANCHES];
};

/* Make the skip blocks of a tape whose steps were not written here, one by one, but read from a file. Nobody else may
 * use it meanwhile. Without memory there are fewer blocks, and whoever comes by walks. */
void tape_make_skips(struct tape *t);

static inline void *pile_at(const struct pile *p, uint32_t i)
{
    return (char *)p->chunk[i >> PILE_SHIFT] + (size_t)(i & ((1u << PILE_SHIFT) - 1)) * p->size;
}

static inline uint32_t pile_word(const struct branch *b, uint32_t i)
{
    return ((const uint32_t *)b->words.chunk[i >> PILE_SHIFT])[i & ((1u << PILE_SHIFT) - 1)];
}

#endif
