#include "cache/index.h"

#include <string.h>

#include "base/xalloc.h"

/* Raw tokens that decide a child: a page of units is one token more in bigram mode. */
static uint32_t page_raw(const struct world *w)
{
    return w->head.page_size + w->head.bigram;
}

static uint32_t page_hash(const struct world *w, uint32_t parent, uint32_t ns, const uint32_t *tok)
{
    uint64_t h = ((uint64_t)parent << 32 | ns) * 0x9e3779b97f4a7c15u;
    for (uint32_t i = 0, n = page_raw(w); i < n; i++)
        h = (h ^ (h >> 29) ^ tok[i]) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(h ^ (h >> 32));
}

static uint32_t node_hash(struct scene sc, uint32_t node)
{
    const struct node *n = &sc.w->node[node];
    return page_hash(sc.w, n->parent, n->ns, node_tokens(sc, node));
}

static void index_put(struct child_index *x, uint32_t hash, uint32_t node)
{
    uint32_t i = hash & x->mask;
    while (x->entry[i].node != 0)
        i = (i + 1) & x->mask;
    x->entry[i] = (struct index_entry){hash, node};
    x->count++;
}

bool index_reserve(struct child_index *x, uint32_t nodes)
{
    if (x->entry != NULL && (uint64_t)nodes * 5 <= ((uint64_t)x->mask + 1) * 3)
        return true;
    uint32_t size = 64;
    while ((uint64_t)size * 3 < (uint64_t)nodes * 5)
        size *= 2;
    struct index_entry *fresh = xcalloc(size, sizeof *fresh);
    if (fresh == NULL)
        return false;
    struct child_index grown = {fresh, size - 1, 0};
    for (uint32_t i = 0; x->entry != NULL && i <= x->mask; i++)
        if (x->entry[i].node != 0)
            index_put(&grown, x->entry[i].hash, x->entry[i].node);
    xfree(x->entry);
    *x = grown;
    return true;
}

void index_clear(struct child_index *x)
{
    memset(x->entry, 0, ((size_t)x->mask + 1) * sizeof *x->entry);
    x->count = 0;
}

void index_free(struct child_index *x)
{
    xfree(x->entry);
    *x = (struct child_index){0};
}

void index_add(struct child_index *x, struct scene sc, uint32_t node)
{
    index_put(x, node_hash(sc, node), node);
}

void index_remove(struct child_index *x, struct scene sc, uint32_t node)
{
    uint32_t i = node_hash(sc, node) & x->mask;
    while (x->entry[i].node != node)
        i = (i + 1) & x->mask;
    x->count--;
    /* close the gap: an entry may move back as long as that does not put it before its own hash */
    for (uint32_t k = (i + 1) & x->mask; x->entry[k].node != 0; k = (k + 1) & x->mask) {
        uint32_t home = x->entry[k].hash & x->mask;
        if (((k - home) & x->mask) >= ((k - i) & x->mask)) {
            x->entry[i] = x->entry[k];
            i = k;
        }
    }
    x->entry[i].node = 0;
}

uint32_t index_find(const struct child_index *x, struct scene sc, uint32_t parent, uint32_t ns,
                    const uint32_t *tok)
{
    uint32_t hash = page_hash(sc.w, parent, ns, tok);
    size_t bytes = page_raw(sc.w) * sizeof *tok;
    for (uint32_t i = hash & x->mask; x->entry[i].node != 0; i = (i + 1) & x->mask) {
        const struct node *n = &sc.w->node[x->entry[i].node];
        if (x->entry[i].hash == hash && n->parent == parent && n->ns == ns &&
            memcmp(sc.s->token + n->key_off, tok, bytes) == 0)
            return x->entry[i].node;
    }
    return 0;
}
