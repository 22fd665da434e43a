#include "cache/museum.h"

#include "cache/cache.h"

#define NODE(n) (c->w->node[n])
#define REQ(r) (c->w->request[r])

static const struct museum_info BUGS[BUG_COUNT] = {
#define X(id, name, wrong, thread) [BUG_##id] = {name, wrong, thread},
    MUSEUM_TABLE(X)
#undef X
};

const struct museum_info *museum_info(unsigned bug)
{
    bug &= ~(unsigned)BUG_HIDDEN;
    return bug > BUG_NONE && bug < BUG_COUNT ? &BUGS[bug] : NULL;
}

void museum_notice(unsigned bug, struct buf *out)
{
    const struct museum_info *info = museum_info(bug);
    if ((bug & BUG_HIDDEN) != 0)
        buf_puts(out, "This engine may have a bug on purpose. The sentences say what should happen; look whether it does.");
    else if (info != NULL)
        buf_printf(out, "This engine has a bug on purpose (%s): %s. The sentences say what should happen.", info->thread,
                   info->wrong);
}

/* ---- the tools of the trade --------------------------------------------------------------------------- */

static void move(struct cache *c, uint32_t len, bool to_protected)
{
    uint32_t up = to_protected ? 0u - len : len;
    CACHE_SET(c, c->w->head.evictable_size, c->w->head.evictable_size + up);
    CACHE_SET(c, c->w->head.protected_size, c->w->head.protected_size - up);
}

static void hold(struct cache *c, uint32_t node)
{
    if (NODE(node).lock_ref == 0)
        move(c, NODE(node).len, true);
    CACHE_SET(c, NODE(node).lock_ref, NODE(node).lock_ref + 1);
    leaves_update(&c->leaves, c->w, node);
}

static void let_go(struct cache *c, uint32_t node)
{
    CACHE_SET(c, NODE(node).lock_ref, NODE(node).lock_ref - 1);
    if (NODE(node).lock_ref == 0)
        move(c, NODE(node).len, false);
    leaves_update(&c->leaves, c->w, node);
}

/* dec_lock_ref is about to take one from every node of the path: where the bug left nothing to take, there is now.
 * The real programs went below zero here. */
static void lend(struct cache *c, uint32_t node, bool sums)
{
    for (; node != ROOT; node = NODE(node).parent)
        if (NODE(node).lock_ref == 0 && sums)
            hold(c, node);
        else if (NODE(node).lock_ref == 0)
            CACHE_SET(c, NODE(node).lock_ref, 1);
}

/* ---- the bugs ----------------------------------------------------------------------------------------- */

static void lock_skips_node(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_LOCK)
        c->spoiled = args[0];
    else if (kind == EV_LOCK_NODE && args[0] == c->spoiled) {
        let_go(c, c->spoiled);
        c->spoiled = 0;
    } else if (kind == EV_UNLOCK && node_live(c->w, args[0]))
        lend(c, args[0], true);
}

static void split_old_time(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_SPLIT)
        CACHE_SET(c, NODE(args[1]).last_access, NODE(args[0]).creation_time);
}

static void split_sum(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_SPLIT)
        CACHE_SET(c, c->w->head.evictable_size, c->w->head.evictable_size - NODE(args[1]).len);
}

static void split_forgets_lock(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_SPLIT)
        CACHE_SET(c, NODE(args[1]).lock_ref, 0);
    else if (kind == EV_UNLOCK)
        lend(c, args[0], false);
}

static void split_wrong_key(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind != EV_SPLIT)
        return;
    CACHE_SET(c, NODE(args[0]).key_off, NODE(args[1]).key_off);
    c->stale = true; /* it is looked up under that key from the next operation on */
}

static void lock_leaks(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_SPLIT)
        c->spoiled = args[0];
    else if (kind == EV_LOCK && c->spoiled != 0 && node_live(c->w, c->spoiled) && NODE(c->spoiled).parent == args[0]) {
        hold(c, c->spoiled);
        c->spoiled = 0;
    }
}

static void counted_twice(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind == EV_ADMIT)
        CACHE_SET(c, REQ(args[0]).cached_len, 2 * REQ(args[0]).cached_len);
}

static void fifo_named_lru(struct cache *c, unsigned kind, const uint32_t *args)
{
    if (kind != EV_WALK && kind != EV_INSERT_WALK)
        return;
    CACHE_SET(c, NODE(args[0]).last_access, NODE(args[0]).creation_time);
    c->stale = true; /* a key of the eviction order became smaller */
}

void museum_spoil(struct cache *c, unsigned kind, const uint32_t *args)
{
    switch (c->w->head.bug & ~(unsigned)BUG_HIDDEN) {
    case BUG_LOCK_SKIPS_NODE: lock_skips_node(c, kind, args); break;
    case BUG_SPLIT_OLD_TIME: split_old_time(c, kind, args); break;
    case BUG_SPLIT_SUM: split_sum(c, kind, args); break;
    case BUG_SPLIT_FORGETS_LOCK: split_forgets_lock(c, kind, args); break;
    case BUG_SPLIT_WRONG_KEY: split_wrong_key(c, kind, args); break;
    case BUG_LOCK_LEAKS: lock_leaks(c, kind, args); break;
    case BUG_COUNTED_TWICE: counted_twice(c, kind, args); break;
    case BUG_FIFO_NAMED_LRU: fifo_named_lru(c, kind, args); break;
    default: break;
    }
}
