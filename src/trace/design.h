/* design.h: ways to keep KV for reuse, each behind the same few functions, so that they can race.
 *
 *      radix   design_radix.c   SGLang's tree: the project's own cache, any eviction policy, or Belady's choice
 *      chain   design_chain.c   vLLM's: blocks of 16 tokens found by a chain of hashes, a free list in LRU order
 *      trie    design_trie.c    one node a token, LRU
 *      exact   design_exact.c   whole prompts only, LRU
 *      none    design_none.c    nothing is kept
 *      bound   future.h         no design: the most that any of them could hit
 *
 * All run one request at a time on a pool of equally many slots. A request whose prompt and answer (without its
 * last token) do not fit into the empty pool is refused and changes nothing. At most prompt - 1 tokens hit.
 *
 * `ops` counts what a design touches: nodes, blocks or entries looked up, made, moved in an order or removed
 * (radix: nodes on the paths of look-ups and inserts, made, split, removed). Bytes are those of the structures
 * that stand at that moment, keys and indices included, KV itself not.
 *
 * A design is created by its class's make and freed by its free; the load is borrowed for as long.
 */
#ifndef RADIXSCOPE_TRACE_DESIGN_H
#define RADIXSCOPE_TRACE_DESIGN_H

#include "trace/load.h"

struct future;

struct design_config {
    const struct load *load;
    uint32_t pool;             /* slots */
    uint32_t page;             /* radix: tokens of a page */
    uint32_t block;            /* chain: tokens of a block */
    uint32_t policy;           /* radix: enum policy, or POLICY_COUNT: Belady's choice */
    const struct future *future; /* of the load, by `page`; needed for Belady's choice */
    bool record;               /* radix: keep the steps */
};

enum { DESIGN_BLOCK = 16 };

struct design_result {         /* of one request */
    uint32_t hit;              /* prompt tokens reused */
    uint32_t evicted;          /* tokens forgotten to make room for it */
    uint32_t victims;          /* nodes, blocks or entries that went */
    uint64_t which;            /* a hash of what went, in order; comparable within one class */
    uint64_t ops;
    bool refused;
};

struct design_class {
    const char *name, *brief;
    void *(*make)(const struct design_config *cfg, struct err *e);
    int (*serve)(void *self, uint32_t request, struct design_result *out, struct err *e);
    size_t (*bytes)(const void *self);
    uint32_t (*held)(const void *self);               /* tokens whose KV is kept */
    const char *(*check)(const void *self);           /* NULL: all invariants hold; else which does not */
    void (*list)(const void *self, struct buf *out);  /* what stands where, a line a thing */
    void (*free)(void *self);
};

extern const struct design_class DESIGN_RADIX, DESIGN_CHAIN, DESIGN_TRIE, DESIGN_EXACT, DESIGN_NONE;

/* "radix", "chain", …; NULL past the end. */
const struct design_class *design_at(unsigned i);

/* Of a radix design: its cache, for the screen. */
struct cache *design_radix_cache(void *self);
/* From here on it evicts like that (enum policy, or POLICY_COUNT with a future). */
int design_radix_policy(void *self, uint32_t policy, const struct future *future, struct err *e);
#endif
