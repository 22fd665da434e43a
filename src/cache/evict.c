#include "cache/evict.h"

#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"

/* The best candidates hang on the step, so that "why this victim" can be shown. */
static void observe_candidates(struct cache *c)
{
    if (!tape_recording(c->t))
        return;
    struct leaf_entry best[LEAVES_BEST];
    struct obs_candidate seen[LEAVES_BEST] = {0};
    uint32_t n = leaves_best(&c->leaves, c->w, LEAVES_BEST, best);
    for (uint32_t i = 0; i < n; i++) {
        const struct node *node = &c->w->node[best[i].node];
        seen[i] = (struct obs_candidate){best[i].node, node->id, node->len, node->lock_ref,
                                         {(double)best[i].rank, best[i].time}};
    }
    tape_observe(c->t, OBS_CANDIDATES, seen, n * sizeof *seen);
}

/* The tick that the policy's order ends with: of making for fifo and filo, else of the last use. */
static uint32_t deciding_tick(const struct world *w, uint32_t node)
{
    bool by_birth = w->head.policy == POLICY_FIFO || w->head.policy == POLICY_FILO;
    return by_birth ? w->node[node].creation_time : w->node[node].last_access;
}

static uint32_t order_of(const struct cache *c)
{
    return c->victim != NULL ? POLICY_COUNT : c->w->head.policy;
}

static void evict_node(struct cache *c, uint32_t node, uint32_t *freed, uint32_t want)
{
    uint32_t parent = c->w->node[node].parent, len = c->w->node[node].len; /* E2a */
    if (c->listen.removed != NULL)
        c->listen.removed(c->listen.ctx, node);
    slots_free(c, node_slots((struct scene){c->w, c->s}, node), len);
    req_drop_tags(c, node);
    radix_delete_leaf(c, node);
    *freed += len;
    uint32_t next = tape_recording(c->t) && c->victim == NULL ? leaves_first(&c->leaves, c->w) : 0; /* only for the sentence */
    CACHE_EMIT(c, VICTIM, node, len, *freed, want, deciding_tick(c->w, node), order_of(c), next,
               next != 0 ? deciding_tick(c->w, next) : 0);
    if (node_evictable(c->w, parent)) /* E2b */
        CACHE_EMIT(c, NEW_CANDIDATE, parent);
}

bool evict(struct cache *c, uint32_t n, uint32_t req, uint32_t *freed)
{
    *freed = 0;
    if (c->w->head.disabled)
        return true;
    if (c->victim == NULL) /* the policy's order says nothing about it */
        observe_candidates(c); /* E1 */
    CACHE_EMIT(c, EVICT, n, pool_free_slots(c->w), c->leaves.count, order_of(c), req);
    while (*freed < n) { /* E2 */
        uint32_t node = c->victim != NULL ? c->victim(c->victim_ctx) : leaves_first(&c->leaves, c->w);
        if (node == 0)
            break;
        if (!cache_more(c, c->w->node[node].len))
            return false;
        evict_node(c, node, freed, n);
    }
    CACHE_EMIT(c, EVICTED, *freed, n, c->leaves.count);
    return true;
}
