/* design_chain.c: blocks found by a chain of hashes, as vLLM's v1 engine keeps them (KVCacheManager, BlockPool;
 * its page "Automatic Prefix Caching").
 *
 *      tokens   | 16 | 16 | 16 | 9          hash of a block = hash(hash of the block before, its 16 tokens)
 *      table      b3   b7   b1   b9          only full blocks have a hash
 *
 *      free list   first (next to be used) b5 ── b2 ── b8 ── last        hashed blocks on it can still be hit
 *
 *   1  the prompt's full blocks are looked up one by one until one is missing; of a prompt that is there as a
 *      whole, the last block does not count: a token must be computed, and a block is computed whole
 *   2  found blocks leave the free list; new ones are taken from its front, and forget what they held
 *   3  a block that is full gets its hash. Two blocks may have one hash; the older is found
 *   4  at the end the blocks go to the end of the free list, the last one first: tails are used up before heads
 *
 * One request runs at a time, so reference counts are 0 or 1. vLLM sets a null block aside; here all blocks of
 * the pool can be used.
 *
 * Invariants: between requests all blocks are on the free list, once; a block is in the map, or behind its older
 * twin, if and only if it has a hash.
 */
#include "base/xalloc.h"
#include "trace/design.h"
#include "trace/keymap.h"

struct block {
    uint64_t hash;             /* 0: none */
    uint32_t prev, next;       /* on the free list */
    uint32_t twin;             /* the next younger block with the same hash; 0: none */
    uint32_t ref;              /* 1: of the request that runs */
};

struct chain {
    struct design_config cfg;
    struct block *block;       /* (1 + blocks) */
    uint32_t *table;           /* (blocks) of the request that runs, then of the last one */
    uint32_t blocks, first, last, free_count, table_len, hashed;
    struct keymap by_hash;     /* the oldest block with it */
};

static void free_append(struct chain *c, uint32_t at)
{
    struct block *b = &c->block[at];
    b->prev = c->last;
    b->next = 0;
    *(c->last != 0 ? &c->block[c->last].next : &c->first) = at;
    c->last = at;
    c->free_count++;
}

static void free_remove(struct chain *c, uint32_t at)
{
    struct block *b = &c->block[at];
    *(b->prev != 0 ? &c->block[b->prev].next : &c->first) = b->next;
    *(b->next != 0 ? &c->block[b->next].prev : &c->last) = b->prev;
    c->free_count--;
}

static void chain_free(void *self)
{
    struct chain *c = self;
    if (c == NULL)
        return;
    keymap_free(&c->by_hash);
    xfree(c->block);
    xfree(c->table);
    xfree(c);
}

static void *chain_make(const struct design_config *cfg, struct err *e)
{
    struct chain *c = xcalloc(1, sizeof *c);
    if (c != NULL) {
        c->cfg = *cfg;
        c->blocks = cfg->pool / cfg->block;
        c->block = xcalloc((size_t)c->blocks + 1, sizeof *c->block);
        c->table = xcalloc((size_t)c->blocks + 1, sizeof *c->table);
    }
    if (c == NULL || c->block == NULL || c->table == NULL) {
        chain_free(c);
        err_memory(e, cfg->pool / cfg->block * sizeof(struct block), "a design");
        return NULL;
    }
    for (uint32_t at = 1; at <= c->blocks; at++)
        free_append(c, at);
    return c;
}

static uint64_t block_hash(const struct chain *c, uint64_t before, const uint32_t *tok)
{
    for (uint32_t i = 0; i < c->cfg.block; i++)
        before = hash_mix(before, tok[i]);
    return before != 0 ? before : 1;
}

/* 2: the front block, which forgets what it held. */
static uint32_t take_block(struct chain *c, struct design_result *out)
{
    uint32_t at = c->first;
    struct block *b = &c->block[at];
    ASSERT(at != 0);
    free_remove(c, at);
    out->ops++;
    if (b->hash == 0)
        return at;
    uint32_t oldest = keymap_get(&c->by_hash, b->hash);
    if (oldest == at && b->twin == 0)
        keymap_remove(&c->by_hash, b->hash);
    else if (oldest == at)
        keymap_put(&c->by_hash, b->hash, b->twin); /* the key is there: takes no memory */
    else {
        while (c->block[oldest].twin != at)
            oldest = c->block[oldest].twin;
        c->block[oldest].twin = b->twin;
    }
    out->which = hash_mix(out->which, b->hash);
    out->evicted += c->cfg.block;
    out->victims++;
    out->ops++;
    b->hash = 0;
    b->twin = 0;
    c->hashed--;
    return at;
}

/* 3 */
static bool name_block(struct chain *c, uint32_t at, uint64_t hash)
{
    uint32_t older = keymap_get(&c->by_hash, hash);
    if (older == 0 && !keymap_put(&c->by_hash, hash, at))
        return false;
    if (older != 0) {
        while (c->block[older].twin != 0)
            older = c->block[older].twin;
        c->block[older].twin = at;
    }
    c->block[at].hash = hash;
    c->hashed++;
    return true;
}

/* 1: the hit blocks into the table; *hash is the last one's. */
static void find_blocks(struct chain *c, const struct load_request *q, const uint32_t *tok, uint64_t *hash,
                        struct design_result *out)
{
    uint32_t size = c->cfg.block;
    for (uint32_t n = 0; n < (q->prompt - 1) / size; n++) {
        uint64_t next = block_hash(c, *hash, tok + n * size);
        uint32_t at = keymap_get(&c->by_hash, next);
        out->ops++;
        if (at == 0)
            break;
        *hash = next;
        c->table[c->table_len++] = at;
    }
    out->hit = c->table_len * size;
}

static int chain_serve(void *self, uint32_t request, struct design_result *out, struct err *e)
{
    struct chain *c = self;
    const struct load_request *q = &c->cfg.load->request[request];
    const uint32_t *tok = load_tokens(c->cfg.load, request);
    uint32_t size = c->cfg.block, want = (q->kv + size - 1) / size;
    uint64_t hash = hash_mix(0, q->ns);
    *out = (struct design_result){.refused = want > c->blocks};
    if (out->refused)
        return 0;
    c->table_len = 0;
    find_blocks(c, q, tok, &hash, out);
    for (uint32_t i = 0; i < c->table_len; i++) {
        free_remove(c, c->table[i]);
        c->block[c->table[i]].ref = 1;
    }
    for (uint32_t i = c->table_len; i < want; i++) {
        uint32_t at = c->table[c->table_len++] = take_block(c, out);
        c->block[at].ref = 1;
        if ((i + 1) * size > q->kv)
            continue; /* not full */
        hash = block_hash(c, hash, tok + i * size);
        if (!name_block(c, at, hash))
            return err_memory(e, keymap_bytes(&c->by_hash), "a block's hash");
        out->ops++;
    }
    for (uint32_t i = want; i-- > 0;) { /* 4 */
        c->block[c->table[i]].ref = 0;
        free_append(c, c->table[i]);
        out->ops++;
    }
    return 0;
}

static size_t chain_bytes(const void *self)
{
    const struct chain *c = self;
    return ((size_t)c->blocks + 1) * sizeof(struct block) + keymap_bytes(&c->by_hash) +
           c->table_len * sizeof *c->table;
}

static uint32_t chain_held(const void *self)
{
    const struct chain *c = self;
    return c->hashed * c->cfg.block;
}

static const char *chain_check(const void *self)
{
    const struct chain *c = self;
    uint32_t n = 0, hashed = 0, back = 0, reached = 0;
    for (uint32_t at = c->first; at != 0 && n <= c->blocks; at = c->block[at].next, n++) {
        if (c->block[at].prev != back || c->block[at].ref != 0)
            return "the free list is torn";
        back = at;
        if (c->block[at].hash == 0)
            continue;
        hashed++;
        uint32_t twin = keymap_get(&c->by_hash, c->block[at].hash);
        while (twin != 0 && twin != at)
            twin = c->block[twin].twin;
        reached += twin == at;
    }
    return n != c->blocks || n != c->free_count ? "a block is lost"
           : reached != hashed || hashed != c->hashed ? "a hash is lost"
                                                      : NULL;
}

static void chain_list(const void *self, struct buf *out)
{
    const struct chain *c = self;
    buf_printf(out, "  blocks of %u; the last request's table:", c->cfg.block);
    for (uint32_t i = 0; i < c->table_len; i++)
        buf_printf(out, " %u", c->table[i]);
    buf_puts(out, "\n  free list, the next to be used first (* can be hit):");
    for (uint32_t at = c->first; at != 0; at = c->block[at].next)
        buf_printf(out, " %u%s", at, c->block[at].hash != 0 ? "*" : "");
    buf_putc(out, '\n');
}

const struct design_class DESIGN_CHAIN = {"chain", "blocks found by chained hashes, free list in LRU order (vLLM)",
                                          chain_make, chain_serve, chain_bytes, chain_held, chain_check, chain_list,
                                          chain_free};
