#include "cache/leaves.h"

#include <string.h>

#include "base/xalloc.h"

enum { WAYS = 4, SLRU_THRESHOLD = 2 };

struct leaf_entry leaf_key(const struct world *w, uint32_t node)
{
    const struct node *n = &w->node[node];
    switch ((enum policy)w->head.policy) {
    case POLICY_LFU: return (struct leaf_entry){node_last_access(w, node), (int32_t)n->hit_count, node};
    case POLICY_SLRU: return (struct leaf_entry){node_last_access(w, node), n->hit_count >= SLRU_THRESHOLD, node};
    case POLICY_PRIORITY: return (struct leaf_entry){node_last_access(w, node), (int32_t)n->priority, node};
    case POLICY_FIFO: return (struct leaf_entry){n->creation_time, 0, node};
    case POLICY_FILO: return (struct leaf_entry){-(double)n->creation_time, 0, node};
    case POLICY_MRU: return (struct leaf_entry){-node_last_access(w, node), 0, node};
    default: return (struct leaf_entry){node_last_access(w, node), 0, node};
    }
}

/* Both parts are always compared: which key is smaller cannot be foretold, and a branch guessed wrong costs more
 * than the second comparison. */
static bool entry_less(const struct leaf_entry *a, const struct leaf_entry *b)
{
    return (a->rank < b->rank) | ((a->rank == b->rank) & (a->time < b->time));
}

bool leaves_reserve(struct leaf_order *o, uint32_t nodes)
{
    void *heap = o->heap, *where = o->where;
    size_t had = o->where_cap;
    bool ok = xgrow(&heap, &o->heap_cap, nodes, sizeof *o->heap);
    o->heap = heap;
    ok = xgrow(&where, &o->where_cap, nodes, sizeof *o->where) && ok;
    o->where = where;
    if (o->where_cap > had)
        memset(o->where + had, 0, (o->where_cap - had) * sizeof *o->where);
    return ok;
}

void leaves_clear(struct leaf_order *o)
{
    memset(o->where, 0, o->where_cap * sizeof *o->where);
    o->count = 0;
}

void leaves_free(struct leaf_order *o)
{
    xfree(o->heap);
    xfree(o->where);
    *o = (struct leaf_order){0};
}

static void place(struct leaf_order *o, uint32_t at, struct leaf_entry x)
{
    o->heap[at] = x;
    o->where[x.node] = at + 1;
}

static void sift_up(struct leaf_order *o, uint32_t at, struct leaf_entry x)
{
    while (at > 0 && entry_less(&x, &o->heap[(at - 1) / WAYS])) {
        place(o, at, o->heap[(at - 1) / WAYS]);
        at = (at - 1) / WAYS;
    }
    place(o, at, x);
}

static void sift_down(struct leaf_order *o, uint32_t at, struct leaf_entry x)
{
    for (;;) {
        uint32_t first = at * WAYS + 1, best = first;
        if (first >= o->count)
            break;
        for (uint32_t k = first + 1; k < first + WAYS && k < o->count; k++)
            best = entry_less(&o->heap[k], &o->heap[best]) ? k : best;
        if (!entry_less(&o->heap[best], &x))
            break;
        place(o, at, o->heap[best]);
        at = best;
    }
    place(o, at, x);
}

static void resift(struct leaf_order *o, uint32_t at, struct leaf_entry x)
{
    if (at > 0 && entry_less(&x, &o->heap[(at - 1) / WAYS]))
        sift_up(o, at, x);
    else
        sift_down(o, at, x);
}

void leaves_remove(struct leaf_order *o, uint32_t node)
{
    uint32_t at = o->where[node];
    if (at == 0)
        return;
    o->where[node] = 0;
    struct leaf_entry last = o->heap[--o->count];
    if (last.node != node)
        resift(o, at - 1, last);
}

void leaves_update(struct leaf_order *o, const struct world *w, uint32_t node)
{
    bool in = o->where[node] != 0, should = node_evictable(w, node);
    if (should && !in)
        sift_up(o, o->count++, leaf_key(w, node));
    else if (in && !should)
        leaves_remove(o, node);
}

void leaves_touch(struct leaf_order *o, const struct world *w, uint32_t node)
{
    if (w->head.policy == POLICY_MRU && o->where[node] != 0)
        resift(o, o->where[node] - 1, leaf_key(w, node));
}

/* Bring the entry at `at` up to date: while its leaf was used since, it sinks and another comes up. */
static void freshen(struct leaf_order *o, const struct world *w, uint32_t at)
{
    for (;;) {
        struct leaf_entry now = leaf_key(w, o->heap[at].node);
        if (!entry_less(&o->heap[at], &now))
            return;
        sift_down(o, at, now);
    }
}

uint32_t leaves_first(struct leaf_order *o, const struct world *w)
{
    if (o->count == 0)
        return 0;
    freshen(o, w, 0);
    return o->heap[0].node;
}

/* The heap's smallest in order: the next one is always the root or a child of one that was taken. */
uint32_t leaves_best(struct leaf_order *o, const struct world *w, uint32_t most, struct leaf_entry *out)
{
    uint32_t edge[LEAVES_BEST * WAYS], edges = 0, n = 0;
    ASSERT(most <= LEAVES_BEST);
    if (o->count > 0) {
        freshen(o, w, 0);
        edge[edges++] = 0;
    }
    for (; n < most && edges > 0; n++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < edges; i++)
            if (entry_less(&o->heap[edge[i]], &o->heap[edge[best]]))
                best = i;
        uint32_t at = edge[best];
        out[n] = o->heap[at];
        edge[best] = edge[--edges];
        for (uint32_t k = at * WAYS + 1; k <= at * WAYS + WAYS && k < o->count; k++) {
            freshen(o, w, k);
            edge[edges++] = k;
        }
    }
    return n;
}
