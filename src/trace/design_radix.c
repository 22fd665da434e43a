/* design_radix.c: the project's own cache (src/cache), request by request as engine/told.h runs them.
 *
 *      told_run ── match_prefix, inc_lock_ref, alloc, evict, cache_unfinished_req, cache_finished_req
 *
 * Belady's choice: each node remembers a request whose path runs through it, so that the page with which the node
 * begins is known in the trie of what comes (future.h). Of the leaves that eviction may take, the one goes whose
 * first page is read again last, or never; of equal ones the one used longest ago.
 *
 * Invariants: those of world_check.
 */
#include <stdio.h>

#include "base/xalloc.h"
#include "cache/cache.h"
#include "engine/told.h"
#include "tape/check.h"
#include "trace/design.h"
#include "trace/future.h"
#include "trace/keymap.h"

struct radix_design {
    struct design_config cfg;
    struct tape *tape;
    struct cache cache;
    uint32_t *owner;           /* (owner_cap) by node: a request through it, + 1 */
    size_t owner_cap;
    uint32_t now;              /* the request that is served */
    struct design_result *out; /* its result */
};

/* When is the leaf's first page read again? */
static uint32_t next_use(const struct radix_design *d, uint32_t node)
{
    uint32_t owner = node < d->owner_cap ? d->owner[node] : 0;
    if (owner == 0)
        return FUTURE_NEVER;
    const struct future *f = d->cfg.future;
    uint32_t page = node_start(d->cache.w, node) / f->page_size;
    return future_next(f, f->page[f->request[owner - 1].path + page], d->now);
}

static uint32_t choose_victim(void *self)
{
    const struct radix_design *d = self;
    const struct world *w = d->cache.w;
    uint32_t best = 0, best_use = 0;
    for (uint32_t i = 0; i < d->cache.leaves.count; i++) {
        uint32_t node = d->cache.leaves.heap[i].node, use = next_use(d, node);
        if (best == 0 || use > best_use || (use == best_use && w->node[node].last_access < w->node[best].last_access)) {
            best = node;
            best_use = use;
        }
    }
    return best;
}

static void on_removed(void *self, uint32_t node)
{
    struct radix_design *d = self;
    const struct node *n = &d->cache.w->node[node];
    d->out->victims++;
    d->out->evicted += n->len;
    d->out->which = hash_mix(hash_mix(d->out->which, n->id), n->len);
    if (node < d->owner_cap)
        d->owner[node] = 0;
}

int design_radix_policy(void *self, uint32_t policy, const struct future *future, struct err *e)
{
    struct radix_design *d = self;
    bool belady = policy >= POLICY_COUNT;
    if (belady && (future == NULL || future->page_size != d->cfg.page))
        return err_set(e, "Belady's choice needs what comes, by pages of %u", d->cfg.page);
    d->cfg.policy = policy;
    d->cfg.future = future;
    d->cache.victim = belady ? choose_victim : NULL;
    d->cache.victim_ctx = d;
    return 0;
}

static void radix_free(void *self)
{
    struct radix_design *d = self;
    if (d == NULL)
        return;
    cache_done(&d->cache);
    tape_free(d->tape);
    xfree(d->owner);
    xfree(d);
}

static int begin(struct radix_design *d, struct err *e)
{
    const struct design_config *cfg = &d->cfg;
    struct world_config w = {.pool = cfg->pool / cfg->page * cfg->page, .page_size = cfg->page,
                             .policy = cfg->policy < POLICY_COUNT ? cfg->policy : POLICY_LRU};
    d->tape = tape_new(&w, e);
    if (d->tape == NULL)
        return -1;
    tape_record(d->tape, cfg->record);
    if (cache_init(&d->cache, d->tape, e) != 0 || design_radix_policy(d, cfg->policy, cfg->future, e) != 0 ||
        cache_begin(&d->cache, 0, e) != 0)
        return -1;
    CACHE_EMIT(&d->cache, START, w.pool, w.page_size, cfg->policy, w.rules);
    cache_end(&d->cache);
    d->cache.listen = (struct cache_listener){.ctx = d, .removed = on_removed};
    return 0;
}

static void *radix_make(const struct design_config *cfg, struct err *e)
{
    struct radix_design *d = xcalloc(1, sizeof *d);
    if (d == NULL) {
        err_memory(e, sizeof *d, "a design");
        return NULL;
    }
    d->cfg = *cfg;
    if (begin(d, e) == 0)
        return d;
    radix_free(d);
    return NULL;
}

/* Every node on the request's path is known to lie on it. */
static int own_path(struct radix_design *d, const struct load_request *q, const uint32_t *tok, struct err *e)
{
    const struct cache *c = &d->cache;
    void *grown = d->owner;
    size_t had = d->owner_cap, need = c->w->head.node_top;
    bool room = xgrow(&grown, &d->owner_cap, need, sizeof *d->owner);
    d->owner = grown;
    if (!room)
        return err_memory(e, need * sizeof *d->owner, "who comes");
    for (; had < d->owner_cap; had++)
        d->owner[had] = 0;
    uint32_t node = ROOT, at = 0, end = key_units(c->w, q->kv);
    while (at < end && (node = index_find(&c->index, (struct scene){c->w, c->s}, node, q->ns, tok + at)) != 0) {
        d->owner[node] = d->now + 1;
        at += c->w->node[node].len;
    }
    return 0;
}

static int radix_serve(void *self, uint32_t request, struct design_result *out, struct err *e)
{
    struct radix_design *d = self;
    const struct load_request *q = &d->cfg.load->request[request];
    const uint32_t *tok = load_tokens(d->cfg.load, request);
    char ns[16], label[16];
    snprintf(ns, sizeof ns, "%u", q->ns);
    snprintf(label, sizeof label, "%u", request + 1);
    struct told_request asked = {.prompt = tok, .n = q->prompt, .answer = tok + q->prompt, .out = q->out,
                                 .extra_key = q->ns != 0 ? ns : NULL, .label = label};
    struct told_report said;
    *out = (struct design_result){0};
    d->now = request;
    d->out = out;
    if (told_run(&d->cache, &asked, &said, e) != 0)
        return -1;
    out->hit = said.cached;
    out->ops = said.walked;
    out->refused = said.refused;
    if (said.refused || d->cfg.future == NULL)
        return 0;
    struct load_request known = *q;
    known.ns = store_find(d->cache.s, asked.extra_key);
    return own_path(d, &known, tok, e);
}

static size_t radix_bytes(const void *self)
{
    const struct radix_design *d = self;
    const struct head *h = &d->cache.w->head; /* a node: itself, its place in index and order; a unit: key and slot */
    size_t a_node = sizeof(struct node) + sizeof(struct index_entry) + sizeof(struct leaf_entry) + 2 * sizeof(uint32_t);
    return h->node_count * a_node + (h->evictable_size + h->protected_size) * 2 * sizeof(uint32_t) +
           (h->pool / h->page_size) * sizeof(uint32_t);
}

static uint32_t radix_held(const void *self)
{
    const struct head *h = &((const struct radix_design *)self)->cache.w->head;
    return h->evictable_size + h->protected_size;
}

static const char *radix_check(const void *self)
{
    const struct radix_design *d = self;
    static const char BROKEN[] = "world_check finds an invariant broken";
    struct err e = {0};
    return world_check((struct scene){d->cache.w, d->cache.s}, &e) == 0 ? NULL : BROKEN;
}

static void radix_list(const void *self, struct buf *out)
{
    const struct radix_design *d = self;
    const struct world *w = d->cache.w;
    for (uint32_t n = node_preorder(w, ROOT); n != 0; n = node_preorder(w, n)) {
        uint32_t depth = 0;
        for (uint32_t up = w->node[n].parent; up != ROOT; up = w->node[up].parent)
            depth++;
        buf_printf(out, "  %*snode %u: %u tokens, used at tick %u, inserted %u times\n", (int)depth * 2, "", w->node[n].id,
                   w->node[n].len, w->node[n].last_access, w->node[n].hit_count);
    }
}

struct cache *design_radix_cache(void *self)
{
    return &((struct radix_design *)self)->cache;
}

const struct design_class DESIGN_RADIX = {"radix", "SGLang's radix tree: runs of tokens, split where prompts part",
                                          radix_make, radix_serve, radix_bytes, radix_held, radix_check, radix_list,
                                          radix_free};
