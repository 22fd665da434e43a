/* belady.h: Belady's choice on a tree of known paths (future.h): of the leaves that eviction may take, the one whose
 * first block is read again last, or never; of equal ones the one used longest ago. Nodes go whole and differ in size,
 * so it need not be the best that a tree can do.
 *
 *      heap   [next use, last use, node]      farthest next use first, then the oldest
 *
 * The tree's tokens are the numbers of future.h's nodes, so that a node's first token says which block it begins with.
 * An entry is stale when its node has been used, locked or evicted since; it is dropped when it comes to the top.
 * Invariant: each evictable leaf has an entry that is not stale. Leaves come to be, or change, in four places only:
 * where a request's path ends (when it is unlocked), behind a split, above a victim, and when a world is taken over.
 */
#ifndef RADIXSCOPE_TRACE_BELADY_H
#define RADIXSCOPE_TRACE_BELADY_H

#include "cache/cache.h"
#include "trace/future.h"

struct belady_entry {
    uint32_t use, time, node;
};

struct belady {
    const struct future *f;      /* borrowed; NULL: nobody looks ahead */
    const struct cache *c;       /* borrowed */
    struct belady_entry *heap;   /* (count) */
    size_t cap;
    uint32_t count, now;         /* now: the request that is served */
    bool whole;                  /* every leaf has its entry; false: begin anew */
};

void belady_init(struct belady *b, const struct future *f, struct cache *c); /* sets the cache's choice */
void belady_free(struct belady *b);

/* Before request `now`, inside its operation (cache_begin has made the order of leaves). false: no memory. */
bool belady_begin(struct belady *b, uint32_t now);
void belady_touch(struct belady *b, uint32_t node);    /* maybe a leaf now, or used */
void belady_removed(struct belady *b, uint32_t node);  /* is about to go: its parent may be a leaf then */

#endif
