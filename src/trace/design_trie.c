/* design_trie.c: a plain trie, one node and one slot a token.
 *
 *      root ── the ── cat ─┬─ sat           a path is found child by child: map (parent, token) to child
 *                          └─ ran
 *
 *      first (used longest ago) ── … ── last       a served path is moved to the end, its deepest token first
 *
 * So a node stands before its parent on the list, and the first one is always a leaf: taking victims from the
 * front never tears a path. Exactly the shortfall goes.
 *
 * Invariants: held <= pool; a node's parent stands behind it on the list; children counts fit; every node but
 * the roots (one a namespace, no slot) is in the map.
 */
#include "base/xalloc.h"
#include "trace/design.h"
#include "trace/keymap.h"

struct trie_node {
    uint64_t key;              /* in the map: parent << 32 | token; 0: unused */
    uint32_t parent;           /* 0: below a root */
    uint32_t children;
    uint32_t prev, next;       /* in the order of use; of an unused one: next = the next unused */
};

struct trie {
    struct design_config cfg;
    struct trie_node *node;    /* (pool + 1) */
    struct keymap child;
    uint32_t first, last, held, top, unused;
    uint32_t *path;            /* (pool) nodes of the request being served */
};

static void *trie_make(const struct design_config *cfg, struct err *e)
{
    struct trie *t = xcalloc(1, sizeof *t);
    if (t != NULL) {
        t->node = xcalloc((size_t)cfg->pool + 1, sizeof *t->node);
        t->path = xcalloc((size_t)cfg->pool + 1, sizeof *t->path);
    }
    if (t == NULL || t->node == NULL || t->path == NULL) {
        if (t != NULL) {
            xfree(t->node);
            xfree(t->path);
        }
        xfree(t);
        err_memory(e, cfg->pool * sizeof *t->node, "a design");
        return NULL;
    }
    t->cfg = *cfg;
    t->top = 1;
    return t;
}

static void take_off(struct trie *t, uint32_t at)
{
    struct trie_node *n = &t->node[at];
    *(n->prev != 0 ? &t->node[n->prev].next : &t->first) = n->next;
    *(n->next != 0 ? &t->node[n->next].prev : &t->last) = n->prev;
}

static void put_last(struct trie *t, uint32_t at)
{
    struct trie_node *n = &t->node[at];
    n->prev = t->last;
    n->next = 0;
    *(t->last != 0 ? &t->node[t->last].next : &t->first) = at;
    t->last = at;
}

/* Root of namespace ns as a parent in keys: no node has such a number. */
static uint64_t child_key(uint32_t parent, uint32_t ns, uint32_t token)
{
    return (uint64_t)(parent != 0 ? parent : 0x80000000u | ns) << 32 | token;
}

static void drop_first(struct trie *t, struct design_result *out)
{
    uint32_t at = t->first;
    struct trie_node *n = &t->node[at];
    ASSERT(at != 0 && n->children == 0);
    take_off(t, at);
    keymap_remove(&t->child, n->key);
    if (n->parent != 0)
        t->node[n->parent].children--;
    out->which = hash_mix(out->which, n->key);
    *n = (struct trie_node){.next = t->unused};
    t->unused = at;
    t->held--;
    out->evicted++;
    out->victims++;
    out->ops++;
}

static uint32_t new_node(struct trie *t, uint64_t key, uint32_t parent)
{
    uint32_t at = t->unused;
    if (at != 0)
        t->unused = t->node[at].next;
    else
        at = t->top++;
    t->node[at] = (struct trie_node){.key = key, .parent = parent};
    if (parent != 0)
        t->node[parent].children++;
    t->held++;
    return at;
}

/* Down from the root as far as the tokens are there; into path. Returns how far. */
static uint32_t walk(struct trie *t, const struct load_request *q, const uint32_t *tok)
{
    uint32_t n = 0, parent = 0;
    while (n < q->kv && (parent = keymap_get(&t->child, child_key(parent, q->ns, tok[n]))) != 0)
        t->path[n++] = parent;
    return n;
}

static int trie_serve(void *self, uint32_t request, struct design_result *out, struct err *e)
{
    struct trie *t = self;
    const struct load_request *q = &t->cfg.load->request[request];
    const uint32_t *tok = load_tokens(t->cfg.load, request);
    *out = (struct design_result){.refused = q->kv > t->cfg.pool};
    if (out->refused)
        return 0;
    uint32_t there = walk(t, q, tok);
    out->hit = there < q->prompt ? there : q->prompt - 1;
    out->ops += there + (there < q->kv);
    for (uint32_t i = there; i-- > 0;) { /* out of eviction's way, deepest first */
        take_off(t, t->path[i]);
        put_last(t, t->path[i]);
    }
    while (t->held + (q->kv - there) > t->cfg.pool)
        drop_first(t, out);
    for (uint32_t i = there; i < q->kv; i++) {
        uint32_t parent = i > 0 ? t->path[i - 1] : 0;
        uint64_t key = child_key(parent, q->ns, tok[i]);
        t->path[i] = new_node(t, key, parent);
        if (!keymap_put(&t->child, key, t->path[i]))
            return err_memory(e, keymap_bytes(&t->child), "a trie");
    }
    for (uint32_t i = 0; i < there; i++)
        take_off(t, t->path[i]);
    for (uint32_t i = q->kv; i-- > 0;)
        put_last(t, t->path[i]);
    out->ops += (q->kv - there) + q->kv; /* made; moved */
    return 0;
}

static size_t trie_bytes(const void *self)
{
    const struct trie *t = self; /* a node names its slot by its own number */
    return t->held * sizeof(struct trie_node) + keymap_bytes(&t->child);
}

static uint32_t trie_held(const void *self)
{
    return ((const struct trie *)self)->held;
}

static const char *trie_check(const void *self)
{
    const struct trie *t = self;
    uint32_t n = 0, children = 0, below_root = 0;
    for (uint32_t at = t->first; at != 0 && n <= t->held; at = t->node[at].next, n++) {
        const struct trie_node *node = &t->node[at];
        if (keymap_get(&t->child, node->key) != at)
            return "a node is not in the map";
        children += node->children;
        below_root += node->parent == 0;
        uint32_t parent = node->next;
        while (parent != 0 && parent != node->parent)
            parent = t->node[parent].next;
        if (parent != node->parent)
            return "a parent stands before its child";
    }
    return n != t->held || n != t->child.count || n > t->cfg.pool ? "list, map and slots differ"
           : children + below_root != n                           ? "the children do not add up"
                                                                  : NULL;
}

static void trie_list(const void *self, struct buf *out)
{
    const struct trie *t = self;
    uint32_t leaves = 0;
    for (uint32_t at = t->first; at != 0; at = t->node[at].next)
        leaves += t->node[at].children == 0;
    buf_printf(out, "  %u nodes of one token, %u leaves\n", t->held, leaves);
}

static void trie_free(void *self)
{
    struct trie *t = self;
    if (t == NULL)
        return;
    keymap_free(&t->child);
    xfree(t->node);
    xfree(t->path);
    xfree(t);
}

const struct design_class DESIGN_TRIE = {"trie", "a node a token, LRU", trie_make, trie_serve, trie_bytes, trie_held,
                                         trie_check, trie_list, trie_free};
