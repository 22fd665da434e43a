/* lockstep.h: two histories of the same work, step beside step.
 *
 *      one     | start | request 1 ……… | request 2 ……………… | request 3 …
 *      other   | start | request 1 ……… | set | request 2 …… | request 3 …
 *                part 0   part 1                part 2            part 3
 *
 * A part begins with a request, or with a command about a key; the k-th parts belong together, and in them the j-th
 * operations, and in those the j-th events. What only says or sets something (note, set, start) has no partner: it
 * is the cause, not what is compared. Two branches of one tape, or two tapes.
 *
 * The ledger pairs requests (and keys) that ask the same (prompt and namespace), in order, wherever they stand; those
 * that no other is equal to are paired in order.
 *
 * Read in slices (lockstep_read), because a history may have a million steps. Owns its tables; the tapes must
 * outlive it.
 */
#ifndef RADIXSCOPE_TAPE_LOCKSTEP_H
#define RADIXSCOPE_TAPE_LOCKSTEP_H

#include "tape/tape.h"

struct history {
    const struct tape *tape;
    int branch;
};

struct lock_part {
    uint32_t begin[2];        /* its first step in each; 0: there is none */
    uint32_t differ[2];       /* the first steps in it that differ; 0, 0: none. One may be 0: it has nothing there */
};

struct lock_request {         /* or a key that was typed: match, insert, lock */
    uint32_t step, rid, index;
    uint32_t key;             /* its number among the keys, from 1; 0: this is a request */
    uint32_t prompt, cached;  /* tokens; cached: at its admission, a key's: what stood in the tree before it */
    uint64_t what;            /* a hash of what it asks */
    bool admitted, refused;
    uint32_t partner;         /* its number in the other history, from 1; 0: none */
};

struct lock_side {
    struct history of;
    struct cursor cursor;
    uint32_t length, read;    /* steps; those that were looked at */
    uint32_t parts;
    struct lock_request *request; /* (requests) owned */
    uint32_t requests, keys;  /* keys: of them */
    size_t request_cap;
    bool in_key;              /* the last of them is a key whose command is being read */
    bool settled;             /* the step that was read last */
};

struct lockstep {
    struct lock_side side[2];
    struct lock_part *part;   /* (parts) owned; part 0 begins with step 1 */
    uint32_t parts;
    size_t part_cap;
    uint32_t compared;        /* parts */
    bool paired, failed;      /* failed: no memory; what there is stays right, and is not all */
};

/* Begin to compare. -1 and *e without memory. */
int lockstep_open(struct lockstep *k, struct history one, struct history other, struct err *e);
void lockstep_done(struct lockstep *k);

/* Read on, about `budget` steps; true when all is read. */
bool lockstep_read(struct lockstep *k, uint32_t budget);
unsigned lockstep_percent(const struct lockstep *k);

/* Has either history grown since it was opened? */
bool lockstep_stale(const struct lockstep *k);

/* The position in the other history that belongs to position `at` of side 0 or 1. */
uint32_t lockstep_partner(const struct lockstep *k, int side, uint32_t at);

/* The next part after (dir 1) or before (dir -1) position `at` of side 0 in which they differ; NULL: none (yet).
 * *step: where in side 0 to look at it. */
const struct lock_part *lockstep_difference(const struct lockstep *k, uint32_t at, int dir, uint32_t *step);

/* Sums over the requests that have been admitted by `at` of a side: how many, tokens of their prompts, cached. */
struct lock_sum {
    uint32_t requests;
    uint64_t prompt, cached;
};
struct lock_sum lockstep_sum(const struct lockstep *k, int side, uint32_t at);

/* Append why a branch exists: where it left which other, and what it did then. */
void lockstep_origin(struct history h, const struct event_words *words, struct buf *b);

#endif
