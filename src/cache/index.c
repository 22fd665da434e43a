#include "cache/index.h"

#include <string.h>

#include "base/xalloc.h"

/* Raw tokens that decide a child: a page of units is one token more in bigram mode. */
static uint32_t page_raw(const struct world *w)
{
    return w->head.page_size + w->head.bigram;
}

/* Pairs of tokens are multiplied and the products added: no step waits for the one before. */
static uint32_t page_hash(const struct world *w, uint32_t parent, uint32_t ns, const uint32_t *tok)
{
    uint64_t h = ((uint64_t)parent << 32 | ns) * 0x9e3779b97f4a7c15u;
    uint32_t n = page_raw(w), i = 0;
    for (; i + 1 < n; i += 2)
        h += (uint64_t)(tok[i] + 0x9e3779b1u * (i + 1)) * (tok[i + 1] + 0x85ebca77u * (i + 1));
    if (i < n)
        h += tok[i] * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 29) * 0x94d049bb133111ebu;
    return (uint32_t)(h >> 32);
}

static void index_put(struct child_index *x, struct index_entry e)
{
    uint32_t i = e.hash & x->mask;
    while (x->entry[i].node != 0)
        i = (i + 1) & x->mask;
    x->entry[i] = e;
    x->count++;
}

static bool reserve_entries(struct child_index *x, uint32_t count)
{
    if (x->entry != NULL && (uint64_t)count * 5 <= ((uint64_t)x->mask + 1) * 3)
        return true;
    uint32_t size = 64;
    while ((uint64_t)size * 3 < (uint64_t)count * 5)
        size *= 2;
    struct index_entry *fresh = xcalloc(size, sizeof *fresh), *old = x->entry;
    if (fresh == NULL)
        return false;
    uint32_t olds = old != NULL ? x->mask + 1 : 0;
    x->entry = fresh;
    x->mask = size - 1;
    x->count = 0;
    for (uint32_t i = 0; i < olds; i++)
        if (old[i].node != 0)
            index_put(x, old[i]);
    xfree(old);
    return true;
}

bool index_reserve(struct child_index *x, uint32_t count, uint32_t top)
{
    void *hash = x->hash;
    bool ok = xgrow(&hash, &x->hash_cap, top, sizeof *x->hash);
    x->hash = hash;
    return ok && reserve_entries(x, count);
}

void index_clear(struct child_index *x)
{
    memset(x->entry, 0, ((size_t)x->mask + 1) * sizeof *x->entry);
    x->count = 0;
}

void index_free(struct child_index *x)
{
    xfree(x->entry);
    xfree(x->hash);
    *x = (struct child_index){0};
}

void index_add(struct child_index *x, struct scene sc, uint32_t node)
{
    const struct node *n = &sc.w->node[node];
    x->hash[node] = page_hash(sc.w, n->parent, n->ns, node_tokens(sc, node));
    index_put(x, (struct index_entry){x->hash[node], node, n->key_off});
}

static uint32_t place_of(const struct child_index *x, uint32_t node)
{
    uint32_t i = x->hash[node] & x->mask;
    while (x->entry[i].node != node)
        i = (i + 1) & x->mask;
    return i;
}

void index_remove(struct child_index *x, uint32_t node)
{
    uint32_t i = place_of(x, node);
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

void index_replace(struct child_index *x, uint32_t node, uint32_t upper)
{
    x->entry[place_of(x, node)].node = upper;
    x->hash[upper] = x->hash[node];
}

static bool same_page(const uint32_t *a, const uint32_t *b, uint32_t n)
{
    return n == 1 ? *a == *b : memcmp(a, b, n * sizeof *a) == 0;
}

uint32_t index_find(const struct child_index *x, struct scene sc, uint32_t parent, uint32_t ns,
                    const uint32_t *tok)
{
    uint32_t hash = page_hash(sc.w, parent, ns, tok), raw = page_raw(sc.w);
    for (uint32_t i = hash & x->mask; x->entry[i].node != 0; i = (i + 1) & x->mask) {
        const struct index_entry *e = &x->entry[i];
        const struct node *n = &sc.w->node[e->node];
        if (e->hash == hash && same_page(sc.s->token + e->key_off, tok, raw) && n->parent == parent && n->ns == ns)
            return e->node;
    }
    return 0;
}
