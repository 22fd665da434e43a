/* index.h: from (parent, namespace, first page of units) to the child, in one probe or two.
 *
 * Derived from the world, never journalled. Two children of one parent never share a first page
 * (sglang §1 "Child slot"), so the three together name one child. Open addressing with linear probing;
 * removal shifts entries back, so there are no tombstones. At most 60 % full.
 *
 *      entry  [hash of (parent, ns, page) | node]      node 0: empty
 */
#ifndef RADIXSCOPE_CACHE_INDEX_H
#define RADIXSCOPE_CACHE_INDEX_H

#include "tape/world.h"

struct index_entry {
    uint32_t hash, node;
};

struct child_index {
    struct index_entry *entry; /* (mask + 1) */
    uint32_t mask, count;
};

struct key;

bool index_reserve(struct child_index *x, uint32_t nodes); /* room for that many; false: no memory */
void index_clear(struct child_index *x);
void index_free(struct child_index *x);
void index_add(struct child_index *x, struct scene sc, uint32_t node);    /* by its own parent and key */
void index_remove(struct child_index *x, struct scene sc, uint32_t node); /* before it changes */
/* The child of `parent` that begins with the page at `tok`; 0 when there is none. */
uint32_t index_find(const struct child_index *x, struct scene sc, uint32_t parent, uint32_t ns,
                    const uint32_t *tok);

#endif
