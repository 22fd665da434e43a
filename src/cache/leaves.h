/* leaves.h: the evictable leaves in the order in which a policy would take them.
 *
 * Derived from the world, never journalled. A heap of four children a node holds every evictable leaf
 * (unlocked, no child) with the policy's key as it was when it was last looked at:
 *
 *      lru (0, last_access)      lfu  (hit_count, last_access)     slru (hit_count >= 2, last_access)
 *      mru (0, -last_access)     fifo (0, creation_time)           filo (0, -creation_time)
 *      priority (priority, last_access)                            smallest goes first (sglang §2)
 *
 * Except under mru every key only ever grows, so a key that has grown since is noticed when its leaf
 * comes to the top and put where it belongs then: a match costs nothing here. Under mru a touched leaf
 * is moved at once. Taking a victim is O(log leaves); SGLang builds a heap of all leaves in each call and
 * takes the same ones.
 */
#ifndef RADIXSCOPE_CACHE_LEAVES_H
#define RADIXSCOPE_CACHE_LEAVES_H

#include "tape/world.h"

struct leaf_entry {
    double time;
    int32_t rank;            /* compared first */
    uint32_t node;
};

struct leaf_order {
    struct leaf_entry *heap;   /* (count), 4-ary, smallest first */
    size_t heap_cap;
    uint32_t *where;           /* by node: place in the heap + 1, 0 = not in it */
    size_t where_cap;
    uint32_t count;
};

struct leaf_entry leaf_key(const struct world *w, uint32_t node); /* the node with the policy's key now */

bool leaves_reserve(struct leaf_order *o, uint32_t nodes);
void leaves_clear(struct leaf_order *o);
void leaves_free(struct leaf_order *o);
/* Put the node in or take it out, as the world says. Call it when its lock or its children changed. */
void leaves_update(struct leaf_order *o, const struct world *w, uint32_t node);
/* Under mru: the node's key has become smaller, move it if it is in. */
void leaves_touch(struct leaf_order *o, const struct world *w, uint32_t node);
void leaves_remove(struct leaf_order *o, uint32_t node);      /* if it is in */
uint32_t leaves_first(struct leaf_order *o, const struct world *w); /* 0 when there is none */
/* The best `most` (at most LEAVES_BEST) leaves in order into out; returns how many. */
enum { LEAVES_BEST = 16 };
uint32_t leaves_best(struct leaf_order *o, const struct world *w, uint32_t most, struct leaf_entry *out);

#endif
