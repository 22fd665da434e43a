/* evict.h: making room (sglang §2 "evict", §3 "eviction on demand").
 *
 * evict(n)
 *      E1  the candidates are the leaves that nobody holds, smallest policy key first (leaves.h)
 *      E2  while fewer than n units are free'd and a candidate is left:
 *      E2a     the first one goes: its slots to the pool in one call, the node out of the tree
 *      E2b     its parent, if that was its last child and nobody holds it, becomes a candidate
 *
 * Whole nodes go: freed may exceed n by up to one node. A node is never split to evict a part of it.
 */
#ifndef RADIXSCOPE_CACHE_EVICT_H
#define RADIXSCOPE_CACHE_EVICT_H

#include "cache/cache.h"

/* Free at least n units if that many can be had; *freed says how many were. false: no memory, the
 * operation must be rolled back (cache_fail). `req` only for the sentences. */
bool evict(struct cache *c, uint32_t n, uint32_t req, uint32_t *freed);

#endif
