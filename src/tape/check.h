/* check.h: world_check() derives every invariant again from nothing and compares.
 *
 *   1  links: parents and children name each other, siblings are a list both ways, counts fit
 *   2  keys: whole pages, inside the store; a child has its parent's namespace (any, below the root);
 *      no two siblings share namespace and first page
 *   3  sums: evictable_size + protected_size = units in the tree, by lock_ref
 *   4  locks: lock_ref = requests here + pins here + the children's lock_refs; the root has 1
 *   5  slots: every page belongs to exactly one of: free list, side list, the tree, one request's row
 *   6  requests: protected <= kv_len <= row, node given back when they end; while one holds what its first admission
 *      found, no more cached than has slots
 *   7  tags: each is on its node's list and on its session's list once
 *   8  schedule: with one, every request that is planned, waits or runs is on the list of its state, once (or is the
 *      one in chunks); the counts fit; planned ones stand in the order of their times
 * It holds at every settled step (an operation's end); between, links may be half way.
 */
#ifndef RADIXSCOPE_TAPE_CHECK_H
#define RADIXSCOPE_TAPE_CHECK_H

#include "tape/world.h"

/* 0, or -1 and the first broken invariant in *e: which, where, both values. */
int world_check(struct scene sc, struct err *e);

/* Where every slot of the pool is: free + evictable + protected + held = pool. held counts whole pages
 * (each running request's row rounded up to a page, less its protected length); slack is their unused
 * rest. */
struct pool_sum {
    uint32_t pool, free, evictable, protected_, held, slack;
};
struct pool_sum pool_sums(const struct world *w);

/* Owner of each slot: 0 free, node index, or OWNER_REQUEST + request index. out: (pool + page_size) words
 * by slot number; entry below page_size unused. */
#define OWNER_REQUEST 0x80000000u
void pool_owners(struct scene sc, uint32_t *out);

static inline bool request_running(const struct request *r)
{
    return r->state == REQ_PREFILL || r->state == REQ_DECODE;
}

#endif
