#include "cache/compact.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum { SLACK = 1 << 16 }; /* units: a small tree never pays for this */

struct extent {
    uint32_t at, node;
};

static int extent_order(const void *a, const void *b)
{
    uint32_t x = ((const struct extent *)a)->at, y = ((const struct extent *)b)->at;
    return x < y ? -1 : x > y;
}

static uint32_t sorted_extents(const struct cache *c, struct extent *x, bool tokens)
{
    uint32_t n = 0;
    for (uint32_t i = node_preorder(c->w, ROOT); i != 0; i = node_preorder(c->w, i))
        x[n++] = (struct extent){tokens ? c->w->node[i].key_off : c->w->node[i].val_off, i};
    qsort(x, n, sizeof *x, extent_order);
    return n;
}

/* Slide the extents of one array down, in order; returns its new top. */
static uint32_t slide(struct cache *c, struct extent *x, bool tokens)
{
    uint32_t *base = tokens ? c->s->token : c->s->value, n = sorted_extents(c, x, tokens), to = 0, end = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct node *node = &c->w->node[x[i].node];
        uint32_t len = tokens ? node_raw_len(c->w, x[i].node) : node->len;
        uint32_t shared = end > x[i].at ? end - x[i].at : 0; /* with the extent before: bigram borders */
        uint32_t at = to - shared;
        memmove(base + at, base + x[i].at, len * sizeof *base);
        end = x[i].at + len;
        to = at + len;
        if (tokens)
            CACHE_SET(c, node->key_off, at);
        else
            CACHE_SET(c, node->val_off, at);
    }
    return to;
}

void cache_compact(struct cache *c)
{
    ASSERT(!tape_recording(c->t) && !tape_in_operation(c->t));
    struct extent *x = xmalloc(c->w->head.node_count * sizeof *x);
    if (x == NULL)
        return;
    c->s->token_top = slide(c, x, true);
    c->s->value_top = slide(c, x, false);
    xfree(x);
    c->stale = true; /* the index repeats where tokens are */
}

void cache_compact_if_due(struct cache *c)
{
    const struct head *h = &c->w->head;
    uint64_t live = (uint64_t)h->evictable_size + h->protected_size;
    if (c->s->value_top > 2 * live + SLACK && !tape_recording(c->t) && !tape_in_operation(c->t))
        cache_compact(c);
}
