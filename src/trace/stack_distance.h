/* stack_distance.h: hits of a block LRU at all capacities in one pass (R. L. Mattson et al. 1970, "Evaluation techniques
 * for storage hierarchies").
 *
 *      stack    most recent  b c a e d  least recent        a has distance 3: it hits where 3 or more blocks fit
 *
 * A block LRU is no radix tree: blocks are kept one by one, whatever their tree, and a request of any length is served.
 * All of a request's blocks are looked up first; then they move to the top, its first block last, as a server that frees
 * a request from its end does it. So a block is never kept longer than those before it. Its figures differ from the
 * tree's, where nodes go whole and a path is locked: it is another curve, not an estimate of lru.
 */
#ifndef RADIXSCOPE_TRACE_STACK_DISTANCE_H
#define RADIXSCOPE_TRACE_STACK_DISTANCE_H

#include "trace/future.h"

/* at[d] (nodes + 1): how many blocks were found at distance d, from 1 on; at[0]: were new. xfree it. NULL: no memory. */
uint32_t *stack_distances(const struct future *f);

#endif
