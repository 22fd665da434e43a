/* index.h: from (parent, namespace, first page of units) to the child, in one probe or two.
 *
 * Derived from the world, never journalled. Two children of one parent never share a first page
 * (sglang §1 "Child slot"), so the three together name one child. Open addressing with linear probing;
 * removal shifts entries back, so there are no tombstones. At most 60 % full.
 *
 *      entry  [hash of (parent, ns, page) | node | where its tokens are]      node 0: empty
 *
 * The place of the tokens stands in the node, too: here it lets the processor fetch the tokens while it
 * still waits for the node, which is most of what a hit costs in a large tree. A node's hash is kept by
 * node, so that taking it out need not read its tokens again.
 */
#ifndef RADIXSCOPE_CACHE_INDEX_H
#define RADIXSCOPE_CACHE_INDEX_H

#include "tape/world.h"

struct index_entry {
    uint32_t hash, node, key_off;
};

struct child_index {
    struct index_entry *entry; /* (mask + 1) */
    uint32_t mask, count;
    uint32_t *hash;            /* by node */
    size_t hash_cap;
};

/* Room for `count` nodes whose indices are below `top`; false: no memory. */
bool index_reserve(struct child_index *x, uint32_t count, uint32_t top);
void index_clear(struct child_index *x);
void index_free(struct child_index *x);
void index_add(struct child_index *x, struct scene sc, uint32_t node);    /* by its own parent and key */
void index_remove(struct child_index *x, uint32_t node);
/* `upper` now stands where `node` stood, with the same first page. */
void index_replace(struct child_index *x, uint32_t node, uint32_t upper);
/* The child of `parent` that begins with the page at `tok`; 0 when there is none. */
uint32_t index_find(const struct child_index *x, struct scene sc, uint32_t parent, uint32_t ns,
                    const uint32_t *tok);

#endif
