#include "trace/belady.h"

#include "base/xalloc.h"

static uint32_t victim(void *ctx);

void belady_init(struct belady *b, const struct future *f, struct cache *c)
{
    *b = (struct belady){.f = f, .c = c};
    c->victim = victim;
    c->victim_ctx = b;
}

void belady_free(struct belady *b)
{
    xfree(b->heap);
    *b = (struct belady){0};
}

/* ---- the heap -------------------------------------------------------------------------------------------- */

static bool goes_before(struct belady_entry a, struct belady_entry b)
{
    return a.use != b.use ? a.use > b.use : a.time < b.time;
}

static void push(struct belady *b, struct belady_entry x)
{
    uint32_t i = b->count++;
    ASSERT(b->count <= b->cap); /* belady_begin comes first */
    for (; i > 0 && goes_before(x, b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = x;
}

static void pop(struct belady *b)
{
    struct belady_entry last = b->heap[--b->count];
    uint32_t i = 0;
    for (uint32_t child; (child = 2 * i + 1) < b->count; i = child) {
        if (child + 1 < b->count && goes_before(b->heap[child + 1], b->heap[child]))
            child++;
        if (!goes_before(b->heap[child], last))
            break;
        b->heap[i] = b->heap[child];
    }
    b->heap[i] = last;
}

static struct belady_entry entry_of(const struct belady *b, uint32_t node)
{
    const struct world *w = b->c->w;
    uint32_t first = node_tokens((struct scene){w, b->c->s}, node)[0];
    return (struct belady_entry){future_next(b->f, first, b->now), w->node[node].last_access, node};
}

static bool is_leaf(const struct belady *b, uint32_t node)
{
    return node < b->c->leaves.where_cap && b->c->leaves.where[node] != 0;
}

static uint32_t victim(void *ctx)
{
    struct belady *b = ctx;
    for (; b->count > 0; pop(b)) {
        struct belady_entry top = b->heap[0];
        if (!is_leaf(b, top.node))
            continue;
        struct belady_entry is = entry_of(b, top.node);
        if (is.use == top.use && is.time == top.time)
            return top.node;
    }
    return 0;
}

/* ---- when leaves change ---------------------------------------------------------------------------------- */

/* Room for all that this request can push: once a node that goes, and what touch is called for. */
bool belady_begin(struct belady *b, uint32_t now)
{
    const struct leaf_order *leaves = &b->c->leaves;
    void *heap = b->heap;
    bool anew = !b->whole || b->count > 2 * leaves->count + 64;
    size_t most = (size_t)(anew ? leaves->count : b->count) + b->c->w->head.node_count + 8;
    bool ok = xgrow(&heap, &b->cap, most, sizeof *b->heap);
    b->heap = heap;
    b->now = now;
    if (!ok || !anew)
        return ok;
    b->count = 0;
    b->whole = true;
    for (uint32_t i = 0; i < leaves->count; i++)
        push(b, entry_of(b, leaves->heap[i].node));
    return true;
}

void belady_touch(struct belady *b, uint32_t node)
{
    if (b->f != NULL && node != 0 && is_leaf(b, node))
        push(b, entry_of(b, node));
}

void belady_removed(struct belady *b, uint32_t node)
{
    if (b->f == NULL)
        return;
    const struct world *w = b->c->w;
    uint32_t up = w->node[node].parent;
    if (up != ROOT && w->node[up].child_count == 1 && w->node[up].lock_ref == 0)
        push(b, entry_of(b, up));
}
