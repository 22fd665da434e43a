/* req.h: a request's part in the cache (sglang §4, §5): what happens to its row of slots.
 *
 * A running request owns the slots of its row from protected_len on; below that they belong to the tree
 * and the request holds a lock on the node where they end.
 *
 *      row   |s s s s s s s s|s s s s s s|· · · ·|
 *             the tree's      its own      not yet
 *            0         protected_len   kv_len
 *
 * cache_unfinished_req: after prefill (or a chunk of it), before the answer
 *      U1  insert row[0:u] (u = whole pages of what is computed); m were there already
 *      U2  free row[protected:m]: somebody else has computed the same, the tree keeps its own slots
 *      U3  match the same tokens again: s slots, node n; write s into row[protected:u]
 *      U4  protected_len = u; unlock the old node, lock n
 * cache_finished_req: at the end
 *      F1  with insert: as U1 and U2
 *      F2  free what did not enter the tree: row[protected:u] if nothing was inserted; then row[u:kv_len],
 *          the tail that does not fill a page
 *      F3  unlock the node (so does a request that was admitted and then got no slots)
 * Each free stays a call of its own: their order decides the free list.
 */
#ifndef RADIXSCOPE_CACHE_REQ_H
#define RADIXSCOPE_CACHE_REQ_H

#include "cache/cache.h"
#include "cache/radix.h"

/* What a request is when it arrives. */
struct req_spec {
    const uint32_t *tok;       /* (n) */
    uint32_t n, cap;           /* tokens now; positions its row can hold */
    uint32_t max_new, ns, session, label, adapter;
    int32_t priority;
    uint32_t seed;
    bool planned;              /* it will arrive later: the caller says so instead of EMITting REQUEST */
};

/* A new request, waiting, with a row of its own. 0 when the world holds no more. Room for n units must
 * have been made. EMITs REQUEST. */
uint32_t req_new(struct cache *c, const struct req_spec *spec);

/* One more token behind the row's last one. */
void req_push_token(struct cache *c, uint32_t req, uint32_t token);
void req_set_state(struct cache *c, uint32_t req, uint32_t state, uint32_t reason);

/* Admission failed: let go of the node; no slot was taken. */
void req_unadmit(struct cache *c, uint32_t req);

/* Steps U1 to U4, F1 to F3 for the request's first `filled` tokens. Run inside an operation with room
 * for `filled` units; false: no memory, roll back. Row, node, protected_len of the request change. */
bool req_cache_unfinished(struct cache *c, uint32_t req, uint32_t filled, bool chunked);
bool req_cache_finished(struct cache *c, uint32_t req, uint32_t filled, bool insert);

/* The prefix look-up and lock of an admission: fills row[0:matched], cached_len, protected_len, node.
 * At most `limit` tokens may match. Returns the match. */
struct match req_match_and_lock(struct cache *c, uint32_t req, uint32_t limit);
/* Its two halves: whoever admits may look first and not take. */
struct match req_match(struct cache *c, uint32_t req, uint32_t limit);
void req_hold(struct cache *c, uint32_t req, struct match m);

/* Slots for row positions kv_len … upto-1, evicting first if too few are free: the full `ask`, not the
 * shortfall (sglang §3). *got: whether they were had. false: no memory, roll back. */
bool req_alloc(struct cache *c, uint32_t req, uint32_t upto, uint32_t ask, bool *got);

/* Sessions (sglang §5). */
void req_tag(struct cache *c, uint32_t node, uint32_t session);
void req_drop_tags(struct cache *c, uint32_t node);
/* Close a session: leaves tagged by it alone go. *nodes counts them. false: no memory, roll back. The
 * order of the tagged nodes is left open by upstream (a set's): `pick` names the tag to begin with next,
 * NULL takes the newest. */
typedef uint32_t (*tag_picker)(void *ctx, const struct world *w, uint32_t session);
bool req_close_session(struct cache *c, uint32_t session, tag_picker pick, void *ctx, uint32_t *nodes);

#endif
