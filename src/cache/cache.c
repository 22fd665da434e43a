#include "cache/cache.h"

#include "base/xalloc.h"
#include "cache/compact.h"

int cache_init(struct cache *c, struct tape *t, struct err *e)
{
    *c = (struct cache){.t = t, .w = tape_world(t), .s = tape_store(t), .stale = true};
    if (!index_reserve(&c->index, 32, 64) || !leaves_reserve(&c->leaves, 64)) {
        cache_done(c);
        return err_memory(e, 4096, "the cache's index");
    }
    return 0;
}

void cache_done(struct cache *c)
{
    index_free(&c->index);
    leaves_free(&c->leaves);
    xfree(c->scratch);
    c->scratch = NULL;
}

static bool cache_rebuild(struct cache *c)
{
    struct scene sc = {c->w, c->s};
    if (!index_reserve(&c->index, c->w->head.node_count + 4, c->w->head.node_top + 4) || !leaves_reserve(&c->leaves, c->w->head.node_top + 4))
        return false;
    index_clear(&c->index);
    leaves_clear(&c->leaves);
    for (uint32_t n = node_preorder(c->w, ROOT); n != 0; n = node_preorder(c->w, n)) {
        index_add(&c->index, sc, n);
        leaves_update(&c->leaves, c->w, n);
    }
    c->stale = false;
    return true;
}

static bool store_room(const struct cache *c, uint32_t units)
{
    return (uint64_t)c->s->token_top + units + 8 < STORE_UNITS && (uint64_t)c->s->value_top + units + 8 < STORE_UNITS;
}

/* Nothing records and nothing has to grow: the usual case when speed counts. */
static bool roomy(const struct cache *c, uint32_t units, uint32_t more)
{
    const struct head *h = &c->w->head;
    uint32_t top = h->node_top + more;
    return !tape_recording(c->t) && (size_t)units + h->page_size + 8 <= c->scratch_cap && top < WORLD_NODES &&
           top <= c->index.hash_cap && top <= c->leaves.heap_cap && top <= c->leaves.where_cap &&
           (h->node_count + more) * 5ull <= (c->index.mask + 1ull) * 3 && h->clock < UINT32_MAX / 2 &&
           store_room(c, units);
}

/* An operation makes at most two nodes (a split and a leaf), walks no deeper than the key has pages or
 * the tree has nodes, and writes no more than a few words a node and two a unit. */
bool cache_more(struct cache *c, uint32_t units)
{
    const struct head *h = &c->w->head;
    uint32_t depth = units / h->page_size + 1;
    if (depth > h->node_count + 2)
        depth = h->node_count + 2;
    /* at its beginning an operation takes more than it can use, so that asking again finds it there */
    uint32_t more = tape_in_operation(c->t) ? 4 : 16;
    c->asked = units;
    if (roomy(c, units, more))
        return true;
    void *scratch = c->scratch;
    bool ok = xgrow(&scratch, &c->scratch_cap, (size_t)units + h->page_size + 8, sizeof *c->scratch);
    c->scratch = scratch;
    return ok && tape_room(c->t, 24 * depth + 4 * units + 4 * h->page_size + 256, 4 * depth + 32) &&
           index_reserve(&c->index, h->node_count + more, h->node_top + more) &&
           leaves_reserve(&c->leaves, h->node_top + more) && h->node_top + more < WORLD_NODES &&
           h->clock < UINT32_MAX - 2 * depth - 64 && store_room(c, units);
}

/* Why cache_more said no. */
static int no_room(const struct cache *c, struct err *e)
{
    const struct head *h = &c->w->head;
    if (tape_full(c->t)) {
        err_set(e, "history is full: the limit of --history-mb is reached");
        return err_hint(e, "every step so far is kept; to go further, start again with a larger --history-mb");
    }
    if (!store_room(c, c->asked) && tape_recording(c->t)) {
        err_set(e, "history is full: the edges of all its trees fill the store of %d tokens", STORE_UNITS);
        return err_hint(e, "save it and begin a new one");
    }
    if (!store_room(c, c->asked) || h->node_top + 16 >= WORLD_NODES)
        return err_set(e, "the tree is full: it can hold %d nodes and %d tokens", WORLD_NODES, STORE_UNITS);
    if (h->clock >= UINT32_MAX - 2 * c->asked - 64)
        return err_set(e, "the logical clock has run out after %u ticks", h->clock);
    return err_memory(e, (size_t)c->asked * 16, "an operation of the cache; nothing of it remains");
}

int cache_begin(struct cache *c, uint32_t units, struct err *e)
{
    cache_compact_if_due(c);
    c->asked = units;
    if ((c->stale && !cache_rebuild(c)) || !cache_more(c, units))
        return no_room(c, e);
    tape_begin(c->t);
    return 0;
}

void cache_end(struct cache *c)
{
    tape_commit(c->t);
}

int cache_fail(struct cache *c, struct err *e)
{
    tape_rollback(c->t);
    c->stale = true;
    return no_room(c, e);
}

void cache_moved(struct cache *c)
{
    c->stale = true;
}

uint32_t key_units(const struct world *w, uint32_t raw)
{
    uint32_t units = w->head.bigram ? (raw > 0 ? raw - 1 : 0) : raw;
    return units - units % w->head.page_size;
}

struct key key_make(const struct world *w, const uint32_t *tok, uint32_t n, uint32_t limit, uint32_t ns)
{
    return (struct key){tok, key_units(w, n < limit ? n : limit), ns, n, false};
}

uint32_t cache_tick(struct cache *c)
{
    uint32_t before = c->w->head.clock;
    CACHE_SET(c, c->w->head.clock, before + 1);
    /* classic: count up, then hand out; unified: hand out, then count up (sglang §13) */
    return c->w->head.rules == RULES_UNIFIED ? before : before + 1;
}
