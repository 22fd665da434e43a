/* radix.h: the radix tree of RadixAttention. Functions, names and results are those of SGLang's
 * mem_cache/radix_cache.py (commit 8905cbd42, sglang §2); the unified rules follow §13.
 *
 * A node's edge carries a run of tokens (its key) and, for each, the KV slot that holds its K and V (its
 * value). Whoever's prompt follows a path from the root can read the slots along it instead of computing.
 *
 * Worked example. Page size 1, one word a token; "the cat sat" was inserted first:
 *
 *      root ── A "the cat sat" slots 1 2 3
 *
 * insert("the cat ran") with slots 4 5 6: I2 finds A, of whose 3 tokens 2 are equal, so I3 splits it; "ran"
 * remains, and I4 makes leaf C with slot 6. I5 returns 2: slots 4 and 5 are duplicates, the caller frees them.
 * match_prefix("the cat ran fast") then gives slots 1 2 6 and node C.
 *
 *      root ── B "the cat" slots 1 2 ─┬─ A "sat" slot 3          (A keeps its id: handles stay valid)
 *                                     └─ C "ran" slot 6
 *
 * The numbered steps stand in the code as comments (radix.c, req.c, evict.c), and the stepper's code pane
 * reads both from here: a step that is renamed in one place alone fails a test.
 *
 * match_prefix(key)
 *      M1  the key is cut to whole pages; an empty one touches nothing
 *      M2  now = clock; the root is stamped
 *      M3  while a child begins with the next page: stamp it, compare;
 *      M3a     fewer tokens equal than it has: split it there, take the upper part, stop
 *      M3b     all equal: take its slots, go down
 *      M4  the slots on the way and the last node: so many tokens need not be computed
 *
 * insert(key, slots)
 *      I1  now = clock; the root is stamped
 *      I2  while a child begins with the next page: stamp it, compare, count a hit, go down
 *      I3      fewer tokens equal than it has: split it there, go down into the upper part
 *      I4  tokens remain: a new leaf takes them and their slots
 *      I5  how many tokens were there already: the caller's slots for them are duplicates
 *
 * split_node(A, k)
 *      S1  make the upper node B: priority, hit_count and lock_ref copied from A, fresh times
 *      S2  B takes A's place among its parent's children; A becomes B's only child
 *      S3  the first k tokens and slots are B's now; nothing is copied: two offsets and lengths change
 *
 * inc_lock_ref(node), for it and every node above but the root; dec_lock_ref is the reverse
 *      L1  one that goes 0 -> 1 moves its length from evictable to protected
 *      L2  its lock_ref goes up
 *
 * Surprises (sglang §17): a match can change the tree's shape; the lower part of a split, which was not
 * matched, is stamped too; hit_count counts inserts; insert never frees what it did not need.
 *
 * All functions run inside an operation (cache_begin); they cannot fail.
 */
#ifndef RADIXSCOPE_CACHE_RADIX_H
#define RADIXSCOPE_CACHE_RADIX_H

#include "cache/cache.h"

struct match {
    uint32_t node;    /* where the walk ended; ROOT when nothing matched */
    uint32_t units;   /* matched */
};

/* The longest cached prefix of the key (steps M1 to M4). `req` (0: nobody) is only for the sentences. */
struct match radix_match_prefix(struct cache *c, const struct key *key, uint32_t req);

/* Put the key and its slots (units of them) into the tree (steps I1 to I5). matched = units that were
 * there already: the caller's slots for them are duplicates. Unified rules free the duplicates from
 * position `owned` on themselves. `chunked`: an inner chunk of a request, which counts no hit. */
struct match radix_insert(struct cache *c, const struct key *key, const uint32_t *slots, int32_t priority,
                          bool chunked, uint32_t owned, uint32_t req);

/* Make a node of the first k units of `child`; returns the upper node (steps S1 to S3). */
uint32_t radix_split_node(struct cache *c, uint32_t child, uint32_t k);

/* Hold or release a node and all above it (steps L1, L2). Return how evictable_size changed. */
int32_t radix_inc_lock_ref(struct cache *c, uint32_t node, uint32_t req);
int32_t radix_dec_lock_ref(struct cache *c, uint32_t node, uint32_t req);

/* The same by hand, for no request: counted in the node's pins. */
int32_t radix_pin(struct cache *c, uint32_t node);
int32_t radix_unpin(struct cache *c, uint32_t node);

/* Take a leaf out of the tree: its slots are the caller's to free. */
void radix_delete_leaf(struct cache *c, uint32_t node);

/* The slots of the path from the root to `node`, in order, into out (node_start + len of them). */
void radix_path_slots(struct scene sc, uint32_t node, uint32_t *out);

/* Forget everything: every node goes, every slot of the tree is free again. Ids go on. */
void radix_reset(struct cache *c);

#endif
