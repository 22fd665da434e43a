/* cache.h: the cache as a whole: the world it works on, what is derived from it, how operations begin
 * and end.
 *
 *      radix.h    match_prefix, insert, split_node, inc/dec_lock_ref       the tree
 *      slots.h    alloc, free                                               the pool
 *      evict.h    evict                                                     who goes
 *      req.h      cache_unfinished_req, cache_finished_req, sessions        a request's part
 *      index.h, leaves.h                                                    derived: child look-up, order
 *      compact.h    while nothing records, memory follows the live tree
 *
 * Truth is in the world and changes through the tape alone. The child index and the order of leaves can
 * be derived from it: they are not journalled, but kept in step while operations run forwards and
 * rebuilt before the first operation after a rollback or a move in time (`stale`).
 *
 * Every operation is  cache_begin … cache_end.  cache_begin takes all the memory that the operation can
 * need, so that nothing fails half way; where the need is not known beforehand (evict), cache_more asks
 * again and cache_fail rolls everything back.
 */
#ifndef RADIXSCOPE_CACHE_CACHE_H
#define RADIXSCOPE_CACHE_CACHE_H

#include "cache/index.h"
#include "cache/leaves.h"
#include "cache/museum.h"
#include "tape/tape.h"

/* Who wants to hear what happens, in the order in which it happens (conformance, KV events). Any
 * function may be NULL. Called within the operation; the world may be read. */
struct cache_listener {
    void *ctx;
    void (*freed)(void *ctx, const uint32_t *slots, uint32_t n);  /* one allocator.free call */
    void (*stored)(void *ctx, uint32_t node);                     /* a new leaf stands in the tree */
    void (*removed)(void *ctx, uint32_t node);                    /* evicted or closed; still in place */
    void (*cleared)(void *ctx);
};

struct cache {
    struct tape *t;            /* borrowed */
    const struct world *w;     /* the tape's world */
    struct store *s;
    struct child_index index;
    struct leaf_order leaves;
    bool stale;                /* index and leaves do not fit the world: rebuild before acting */
    uint32_t *scratch;         /* slots or pages of the call at hand */
    size_t scratch_cap;
    uint32_t asked;            /* units that cache_more was last asked for */
    uint32_t holder;           /* name of the lock that is taken or released by hand; 0: it has none */
    uint32_t spoiled;          /* what a bug of the museum remembers within an operation */
    uint32_t key_text;         /* name of the key as a person typed it, for sentences; 0: nobody did */
    struct cache_listener listen;
    /* Who goes, instead of the policy's first leaf: one that knows what comes (trace/future.h). NULL: the policy.
     * 0: nobody. Called while evict runs. */
    uint32_t (*victim)(void *ctx);
    void *victim_ctx;
};

/* A key as the tree sees it: whole pages of units, with their namespace (sglang §1 "Key"). */
struct key {
    const uint32_t *tok;       /* (units), or (units + 1) raw tokens in bigram mode */
    uint32_t units;            /* a multiple of the page size */
    uint32_t ns;
    uint32_t raw;              /* raw tokens given, before limit and alignment */
    bool again;                /* the caller looks for what it has just inserted: another sentence */
};

int cache_init(struct cache *c, struct tape *t, struct err *e);
void cache_done(struct cache *c);

/* Begin an operation on keys or rows of up to `units` units: takes memory, rebuilds what is stale.
 * -1 and *e: nothing has happened. */
int cache_begin(struct cache *c, uint32_t units, struct err *e);
/* Room for another part that touches `units` units, inside an operation. false: call cache_fail. */
bool cache_more(struct cache *c, uint32_t units);
void cache_end(struct cache *c);
int cache_fail(struct cache *c, struct err *e); /* roll back, report; always -1 */
/* The world has been moved (tape_act_at) or rolled back by somebody else. */
void cache_moved(struct cache *c);

/* A key of n raw tokens, of which at most `limit` count: made into units and cut to whole pages. */
struct key key_make(const struct world *w, const uint32_t *tok, uint32_t n, uint32_t limit, uint32_t ns);
uint32_t key_units(const struct world *w, uint32_t raw); /* units of that many raw tokens, page-aligned */

/* The logical clock (sglang §1.1): one call. */
uint32_t cache_tick(struct cache *c);

/* One teaching step, if anybody records. An engine that is broken on purpose breaks here (museum.h). */
#define CACHE_EMIT(c, kind, ...)                                                                             \
    do {                                                                                                     \
        if ((c)->w->head.bug != 0)                                                                           \
            museum_spoil((c), EV_##kind, (const uint32_t[]){__VA_ARGS__});                                   \
        EMIT((c)->t, kind, __VA_ARGS__);                                                                     \
    } while (0)
#define CACHE_SET(c, place, value) W_SET((c)->t, place, value)

#endif
