/* ops.c: the cache's own operations, as a learner or a script gives them: no request, no model. */
#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "engine/engine_parts.h"
#include "engine/sched.h"

#include <string.h>

int engine_name_key(struct engine *en, const char *text, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t name = store_intern(c->s, text);
    if (name == UINT32_MAX)
        return store_refused(c->s, "the text of a key", e);
    c->key_text = name;
    return 0;
}

int engine_name_holder(struct engine *en, const char *text, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t name = store_intern(c->s, text);
    if (name == UINT32_MAX)
        return store_refused(c->s, "the name of a lock", e);
    c->holder = name;
    return 0;
}

static uint32_t intern(struct cache *c, const char *name, struct err *e)
{
    uint32_t ns = store_intern(c->s, name);
    if (ns == UINT32_MAX)
        store_refused(c->s, "the name of a namespace", e);
    return ns;
}

int engine_match(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, uint32_t *matched,
                 uint32_t *node, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t ns = intern(c, extra_key, e);
    if (ns == UINT32_MAX || cache_begin(c, n, e) != 0)
        return -1;
    struct key key = key_make(c->w, ids, n, n, ns);
    struct match m = radix_match_prefix(c, &key, 0);
    cache_end(c);
    *matched = m.units;
    *node = m.node;
    return 0;
}

/* Slots for the part of a key that did not match, evicting on demand; into slots[matched…]. */
static int take_slots(struct cache *c, const struct key *key, uint32_t matched, uint32_t *slots, bool *got)
{
    uint32_t need = key->units - matched, freed;
    *got = true;
    if (need == 0)
        return 0;
    CACHE_EMIT(c, ALLOC, 0, need, pool_free_slots(c->w), c->key_text);
    if (pool_free_slots(c->w) < need && !evict(c, need, 0, &freed))
        return -1;
    if (!cache_more(c, key->units))
        return -1;
    *got = slots_alloc(c, need, slots + matched);
    if (*got)
        CACHE_EMIT(c, TAKE, 0, need, slots[matched], pool_free_slots(c->w));
    else
        CACHE_EMIT(c, ALLOC_FAIL, need, pool_free_slots(c->w), c->w->head.protected_size);
    return 0;
}

/* The caller's slots for what the tree had already: none beyond the match, which used the tree's own. */
static int insert_key(struct cache *c, const struct key *key, int32_t priority, uint32_t *slots, uint32_t *matched,
                      uint32_t *added)
{
    bool got;
    struct match have = radix_match_prefix(c, key, 0);
    if (c->w->head.disabled) /* there is no tree to put it into */
        return 0;
    radix_pin(c, have.node); /* eviction must not take what was just matched */
    int rc = take_slots(c, key, have.units, slots, &got);
    radix_unpin(c, have.node);
    if (rc != 0 || !got)
        return rc != 0 ? -1 : 1;
    radix_path_slots((struct scene){c->w, c->s}, have.node, slots);
    struct match m = radix_insert(c, key, slots, priority, false, have.units, 0);
    *matched = have.units;
    *added = key->units - m.units;
    return 0;
}

int engine_insert(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, int32_t priority,
                  uint32_t *matched, uint32_t *added, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t ns = intern(c, extra_key, e);
    *matched = *added = 0;
    uint32_t *slots = xcalloc((size_t)n + 1, sizeof *slots);
    if (slots == NULL)
        return err_memory(e, (size_t)n * 4, "the slots of a key");
    int rc = ns == UINT32_MAX || cache_begin(c, n, e) != 0 ? -1 : 0;
    if (rc == 0) {
        struct key key = key_make(c->w, ids, n, n, ns);
        rc = insert_key(c, &key, priority, slots, matched, added);
        if (rc >= 0)
            cache_end(c);
        else
            cache_fail(c, e);
    }
    xfree(slots);
    return rc;
}

int engine_evict(struct engine *en, uint32_t units, uint32_t *freed, struct err *e)
{
    struct cache *c = engine_cache(en);
    *freed = 0;
    if (cache_begin(c, 0, e) != 0)
        return -1;
    if (!evict(c, units, 0, freed))
        return cache_fail(c, e);
    if (c->w->head.disabled)
        CACHE_EMIT(c, EVICTED, 0, units, 0);
    cache_end(c);
    return 0;
}

/* Why the end of a key cannot be taken out; NULL: it can. */
static const char *cannot_remove(const struct cache *c, const struct key *key, uint32_t keep, struct match have)
{
    const struct node *n = &c->w->node[have.node];
    if (have.units < key->units)
        return "only a part of them is in the tree";
    if (keep >= key->units || keep % c->w->head.page_size != 0)
        return "what is kept must be shorter than they are, and whole pages";
    if (n->first_child != 0)
        return "other keys go on from there";
    return n->lock_ref > 0 ? "somebody holds them" : NULL;
}

/* The nodes below position `keep` go, the last one first. false: no memory. */
static bool remove_nodes(struct cache *c, uint32_t node, uint32_t keep, uint32_t *freed)
{
    while (node != ROOT && node_start(c->w, node) >= keep && node_evictable(c->w, node)) {
        uint32_t parent = c->w->node[node].parent, len = c->w->node[node].len;
        if (!cache_more(c, len))
            return false;
        if (c->listen.removed != NULL)
            c->listen.removed(c->listen.ctx, node);
        slots_free(c, node_slots((struct scene){c->w, c->s}, node), len);
        req_drop_tags(c, node);
        radix_delete_leaf(c, node);
        *freed += len;
        CACHE_EMIT(c, REMOVED_NODE, node, len, pool_free_slots(c->w));
        node = parent;
    }
    return true;
}

int engine_remove(struct engine *en, const uint32_t *ids, uint32_t n, uint32_t keep, const char *extra_key,
                  uint32_t *freed, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t ns = intern(c, extra_key, e);
    *freed = 0;
    if (ns == UINT32_MAX || cache_begin(c, n, e) != 0)
        return -1;
    struct key key = key_make(c->w, ids, n, n, ns);
    struct match have = radix_match_prefix(c, &key, 0);
    const char *why = cannot_remove(c, &key, keep, have);
    if (why != NULL) {
        err_set(e, "these tokens cannot be removed: %s", why);
        return cache_fail(c, e);
    }
    struct key kept = key_make(c->w, ids, keep, keep, ns);
    if (!cache_more(c, n))
        return cache_fail(c, e);
    radix_match_prefix(c, &kept, 0); /* splits there */
    CACHE_EMIT(c, REMOVE, key.units - kept.units, kept.units, ns);
    if (!remove_nodes(c, have.node, keep, freed))
        return cache_fail(c, e);
    if (*freed != key.units - kept.units) {
        err_set(e, "these tokens cannot be removed: other keys go on from among them, or somebody holds some");
        return cache_fail(c, e);
    }
    cache_end(c);
    return 0;
}

int engine_lock(struct engine *en, const uint32_t *ids, uint32_t n, const char *extra_key, uint32_t *node,
                struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t ns = intern(c, extra_key, e), holder = c->holder;
    c->holder = 0; /* also when it fails: it counts for one */
    if (ns == UINT32_MAX || cache_begin(c, n, e) != 0)
        return -1;
    c->holder = holder;
    struct key key = key_make(c->w, ids, n, n, ns);
    *node = radix_match_prefix(c, &key, 0).node;
    radix_pin(c, *node);
    c->holder = 0;
    cache_end(c);
    return 0;
}

int engine_unlock(struct engine *en, uint32_t node, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t holder = c->holder;
    c->holder = 0;
    if (!node_live(c->w, node) || (node != ROOT && c->w->node[node].pins == 0))
        return err_set(e, "no lock is held on that node");
    if (cache_begin(c, node_start(c->w, node) + c->w->node[node].len, e) != 0)
        return -1;
    c->holder = holder;
    radix_unpin(c, node);
    c->holder = 0;
    cache_end(c);
    return 0;
}

int engine_reset(struct engine *en, struct err *e)
{
    struct cache *c = engine_cache(en);
    if (c->w->head.protected_size > 0 || c->w->head.request_count > 0)
        return err_set(e, "the cache cannot be reset while requests run or locks are held");
    if (cache_begin(c, c->w->head.pool + 64, e) != 0)
        return -1;
    radix_reset(c);
    cache_end(c);
    return 0;
}

int engine_set_policy(struct engine *en, uint32_t policy, struct err *e)
{
    struct cache *c = engine_cache(en);
    if (policy >= POLICY_COUNT)
        return err_set(e, "policy %u does not exist", policy);
    uint32_t name = store_intern(c->s, "policy"), value = store_intern(c->s, policy_name(policy));
    if (name == UINT32_MAX || value == UINT32_MAX)
        return store_refused(c->s, "the name of a policy", e);
    if (cache_begin(c, 0, e) != 0)
        return -1;
    CACHE_SET(c, c->w->head.policy, policy);
    CACHE_EMIT(c, SET, name, value);
    cache_end(c);
    cache_moved(c); /* every key of the order is another one now */
    return 0;
}

int engine_note(struct engine *en, const char *text, struct err *e)
{
    struct cache *c = engine_cache(en);
    uint32_t name = store_intern(c->s, text);
    if (name == UINT32_MAX)
        return store_refused(c->s, "a note", e);
    if (cache_begin(c, 0, e) != 0)
        return -1;
    CACHE_EMIT(c, NOTE, name);
    cache_end(c);
    return 0;
}

int engine_act_at(struct engine *en, int branch, uint32_t at, struct err *e)
{
    if (tape_act_at(engine_tape(en), branch, at, e) < 0)
        return -1;
    cache_moved(engine_cache(en));
    if (en->sched != NULL)
        sched_moved(en);
    return 0;
}
