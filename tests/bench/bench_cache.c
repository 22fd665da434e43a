/* bench_cache: what the tree costs, as ratios within one run, one thread, medians. No tape.
 *
 * Each figure stands beside its bound; the program exits 1 if one is missed. SGLang's own figures are
 * constants from a machine of this kind (Python tree, commit 8905cbd42). */
#include "bench.h"

#include <math.h>

#define XXH_INLINE_ALL /* the compiler sees it whole: the table's best case */
#include <xxhash.h>

/* Times are taken over small groups of keys, and the median group counts: being interrupted by another
 * program spoils a group, not a figure. */
enum { GROUP = 128, MOST = 4096 };

struct samples {
    double ns[MOST]; /* per key */
    size_t n;
};

static void sample(struct samples *s, double start, uint32_t keys)
{
    if (s->n < MOST)
        s->ns[s->n++] = (now_ns() - start) / keys;
}

static uint32_t group_end(const struct keyset *k, uint32_t from)
{
    return from + GROUP < k->n ? from + GROUP : k->n;
}

static double middle(struct samples *s)
{
    return median(s->ns, s->n);
}

/* ---- comparing bytes: what a hit cannot be faster than ----------------------------------------------------- */

static volatile int sink;

static void time_memcmp(const struct keyset *k, uint32_t *const *copy, struct samples *s)
{
    int all = 0;
    for (uint32_t from = 0, to; from < k->n; from = to) {
        double start = now_ns();
        to = group_end(k, from);
        for (uint32_t i = from; i < to; i++)
            all |= memcmp(k->tok[i], copy[i], k->len[i] * sizeof(uint32_t));
        sample(s, start, to - from);
    }
    sink = all;
}

/* ---- vLLM's way: a table of 16-token blocks, each hashed with the hash of the one before --------------------- */

enum { BLOCK_TOKENS = 16 };

struct block_table {
    struct { uint64_t hash; uint32_t block, last_use; } *at;
    uint64_t mask;
};

/* XXH3 of 72 bytes: the hash before, 16 tokens. */
static uint64_t block_hash(uint64_t before, const uint32_t *tok)
{
    uint8_t in[72];
    memcpy(in, &before, 8);
    memcpy(in + 8, tok, 64);
    return XXH3_64bits(in, sizeof in);
}

static uint64_t table_find(const struct block_table *t, uint64_t hash)
{
    uint64_t i = hash & t->mask;
    while (t->at[i].hash != hash && t->at[i].hash != 0)
        i = (i + 1) & t->mask;
    return i;
}

static void table_insert(struct block_table *t, const uint32_t *tok, uint32_t n)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i + BLOCK_TOKENS <= n; i += BLOCK_TOKENS) {
        h = block_hash(h, tok + i);
        uint64_t at = table_find(t, h);
        t->at[at].hash = h;
        t->at[at].block = i / BLOCK_TOKENS + 1;
    }
}

static uint32_t table_match(struct block_table *t, const uint32_t *tok, uint32_t n, uint32_t now)
{
    uint64_t h = 0;
    uint32_t i = 0;
    for (; i + BLOCK_TOKENS <= n; i += BLOCK_TOKENS) {
        h = block_hash(h, tok + i);
        uint64_t at = table_find(t, h);
        if (t->at[at].hash == 0)
            break;
        t->at[at].last_use = now;
    }
    return i;
}

static void time_table(const struct keyset *k, struct block_table *t, struct samples *s)
{
    uint64_t units = 0;
    for (uint32_t from = 0, to; from < k->n; from = to) {
        double start = now_ns();
        to = group_end(k, from);
        for (uint32_t i = from; i < to; i++)
            units += table_match(t, k->tok[i], k->len[i], i);
        sample(s, start, to - from);
    }
    if (units != k->tokens)
        exit(1);
}

/* ---- full hits and inserts of 512 tokens ------------------------------------------------------------------------ */

static void time_hits(struct rig *g, const struct keyset *k, struct samples *s)
{
    uint64_t units = 0;
    for (uint32_t from = 0, to; from < k->n; from = to) {
        double start = now_ns();
        to = group_end(k, from);
        for (uint32_t i = from; i < to; i++)
            units += rig_match(g, k->tok[i], k->len[i]);
        sample(s, start, to - from);
    }
    if (g->c.w->head.page_size == 1 && units != k->tokens) {
        fprintf(stderr, "a full hit was none\n");
        exit(1);
    }
}

static void time_inserts(struct rig *g, const struct keyset *k, struct samples *s)
{
    for (uint32_t from = 0, to; from < k->n; from = to) {
        double start = now_ns();
        to = group_end(k, from);
        for (uint32_t i = from; i < to; i++)
            rig_insert(g, k->tok[i], k->len[i], k->slots);
        sample(s, start, to - from);
    }
}

/* Forget the tree; its slots were never taken from the pool. */
static void forget(struct rig *g)
{
    struct err e = {0};
    if (cache_begin(&g->c, g->c.w->head.pool, &e) != 0)
        exit(1);
    radix_reset(&g->c);
    cache_end(&g->c);
}

static void any_slots(struct keyset *k)
{
    k->slots = malloc(k->longest * sizeof *k->slots);
    for (uint32_t i = 0; i < k->longest; i++)
        k->slots[i] = 64 + i;
}

/* A copy of each key, none beside the one that is compared next: cold means cold for both sides. */
static uint32_t **copies(const struct keyset *k)
{
    uint32_t **copy = malloc(k->n * sizeof *copy);
    for (uint32_t i = 0; i < k->n; i++) {
        uint32_t at = (uint32_t)((uint64_t)i * 7919 % k->n);
        copy[at] = malloc(k->len[at] * sizeof **copy);
        memcpy(copy[at], k->tok[at], k->len[at] * sizeof **copy);
    }
    return copy;
}

static void bench_512(int *failed, uint32_t ways, uint32_t page, double most)
{
    struct prng r;
    prng_seed(&r, ways);
    struct keyset k = keys_levels(&r, ways);
    any_slots(&k);
    uint32_t **copy = copies(&k);
    uint64_t nodes = ways + ways * ways + ways * ways * ways + k.n, cells = 64;
    while (cells < 2 * nodes * (128 / BLOCK_TOKENS))
        cells *= 2;
    struct block_table t = {calloc(cells, sizeof *t.at), cells - 1};
    struct rig g;
    struct samples compare = {.n = 0}, hit = {.n = 0}, chain = {.n = 0}, insert = {.n = 0};
    uint32_t passes = 30000 / k.n + 1;
    rig_open(&g, page, POLICY_LRU, 4096, false);
    for (uint32_t i = 0; i < k.n; i++)
        table_insert(&t, k.tok[i], k.len[i]);
    for (uint32_t p = 0; p < passes; p++) {
        forget(&g);
        time_inserts(&g, &k, &insert);
        time_hits(&g, &k, &hit);
        time_hits(&g, &k, &hit);
        time_memcmp(&k, copy, &compare);
        time_memcmp(&k, copy, &compare);
        time_table(&k, &t, &chain);
        time_table(&k, &t, &chain);
    }
    double c = middle(&compare), h = middle(&hit), x = middle(&chain), i = middle(&insert);
    printf("%u keys of 512 tokens, page size %u: compare %.0f ns, hit %.0f ns, hash chain %.0f ns, insert %.0f ns\n", k.n,
           page, c, h, x, i);
    verdict(failed, "a full hit / comparing the same bytes", h / c, "<=", most, "x");
    if (page == 1)
        verdict(failed, "hash chain of 16-token blocks / a full hit", x / h, ">=", 2, "x");
    else
        printf("  %-62s %9.3g x\n", "hash chain of 16-token blocks / a full hit", x / h);
    verdict(failed, "insert / a full hit", i / h, "<=", 4, "x");
    for (uint32_t n = 0; n < k.n; n++)
        free(copy[n]);
    free(copy);
    free(t.at);
    rig_close(&g);
    keys_free(&k);
}

/* ---- SGLang's workloads -------------------------------------------------------------------------------------------- */

struct peer {
    const char *name;
    struct keyset (*make)(struct prng *r);
    uint32_t page;
    double insert_us, match_us, evict_us, per_s; /* SGLang: per request; evict of 5 %; nodes a second */
};

static struct keyset make_random(struct prng *r)
{
    return keys_random(r, 10000, 16, 512, 32000);
}

static struct keyset make_branching(struct prng *r)
{
    return keys_branching(r, 10000);
}

static struct keyset make_letters(struct prng *r)
{
    return keys_random(r, 10000, 1, 32, 3);
}

static const struct peer PEERS[] = {
    {"shared, page 1", keys_shared, 1, 19.6, 15.9, 269, 300e3},
    {"shared, page 16", keys_shared, 16, 20.4, 18.0, 296, 225e3},
    {"shared, page 64", keys_shared, 64, 22.3, 21.3, 372, 167e3},
    {"random", make_random, 1, 10.5, 9.8, 3305, 286e3},
    {"branching", make_branching, 1, 33.8, 32.3, 6370, 242e3},
    {"branching, page 16", make_branching, 16, 25.7, 22.8, 5468, 200e3},
    {"letters", make_letters, 1, 36.9, 25.9, 3594, 251e3},
};

/* The tree's part of eviction: victims are chosen and taken out, slots are not given back. */
static double evict_tree(struct rig *g, uint32_t units, uint32_t *nodes)
{
    struct err e = {0};
    uint32_t freed = 0, node;
    double start = now_ns();
    if (cache_begin(&g->c, 0, &e) != 0)
        exit(1);
    while (freed < units && (node = leaves_first(&g->c.leaves, g->c.w)) != 0) {
        freed += g->c.w->node[node].len;
        radix_delete_leaf(&g->c, node);
        ++*nodes;
    }
    cache_end(&g->c);
    return now_ns() - start;
}

static void bench_peer(int *failed, const struct peer *p)
{
    struct samples insert = {.n = 0}, match = {.n = 0};
    enum { MOST_ROUNDS = 45 };
    double evict[10 * MOST_ROUNDS], all[MOST_ROUNDS];
    uint32_t evicts = 0, nodes = 0, tree = 0;
    struct prng r;
    struct rig g;
    prng_seed(&r, 42);
    struct keyset k = p->make(&r);
    any_slots(&k);
    rig_open(&g, p->page, POLICY_LRU, 4096, false);
    uint32_t rounds = k.n > 1000 ? 5 : MOST_ROUNDS; /* a small workload is over in a millisecond: any disturbance would be its median */
    for (uint32_t n = 0; n < rounds; n++) { /* the first time pays for touching memory: the median does not */
        time_inserts(&g, &k, &insert);
        time_hits(&g, &k, &match);
        tree = g.c.w->head.node_count - 1;
        uint32_t cached = g.c.w->head.evictable_size, gone = 0;
        for (int i = 0; i < 10; i++)
            evict[evicts++] = evict_tree(&g, cached / 20, &gone) / 1e3;
        gone = 0;
        double t = evict_tree(&g, UINT32_MAX, &gone);
        all[n] = gone / t * 1e9;
        nodes = gone;
        forget(&g);
    }
    rig_close(&g);
    keys_free(&k);
    double i = middle(&insert) / 1e3, m = middle(&match) / 1e3, e = median(evict, evicts), s = median(all, rounds);
    printf("%s (%u nodes): insert %.2f us (SGLang %.1f), match %.2f us (%.1f), evict 5 %% %.1f us (%.0f), one call that "
           "evicts %u: %.2g nodes/s (%.2g)\n", p->name, tree, i, p->insert_us, m, p->match_us, e, p->evict_us, nodes, s,
           p->per_s);
    verdict(failed, "insert, times faster than SGLang's tree", p->insert_us / i, ">=", 20, "x");
    verdict(failed, "match, times faster", p->match_us / m, ">=", 20, "x");
    verdict(failed, "evict 5 % per call, times faster", p->evict_us / e, ">=", 50, "x");
}

/* inc_lock_ref and dec_lock_ref over the branching tree. SGLang: 4.3 and 4.4 us. */
static void bench_locks(void)
{
    struct prng r;
    struct rig g;
    struct err e = {0};
    prng_seed(&r, 42);
    struct keyset k = make_branching(&r);
    uint32_t *node = malloc(k.n * sizeof *node);
    struct samples none = {.n = 0};
    any_slots(&k);
    rig_open(&g, 1, POLICY_LRU, 4096, false);
    time_inserts(&g, &k, &none);
    if (cache_begin(&g.c, 1 << 20, &e) != 0)
        exit(1);
    for (uint32_t i = 0; i < k.n; i++) {
        struct key key = key_make(g.c.w, k.tok[i], k.len[i], k.len[i], 0);
        node[i] = radix_match_prefix(&g.c, &key, 0).node;
    }
    double start = now_ns();
    for (uint32_t i = 0; i < k.n; i++)
        radix_inc_lock_ref(&g.c, node[i], 0);
    double inc = (now_ns() - start) / k.n;
    start = now_ns();
    for (uint32_t i = 0; i < k.n; i++)
        radix_dec_lock_ref(&g.c, node[i], 0);
    printf("branching: inc_lock_ref %.2f us (SGLang 4.3), dec_lock_ref %.2f us (4.4)\n", inc / 1e3,
           (now_ns() - start) / k.n / 1e3);
    cache_end(&g.c);
    rig_close(&g);
    free(node);
    keys_free(&k);
}

/* ---- memory -------------------------------------------------------------------------------------------------------- */

static double resident(void)
{
    long pages = 0, size = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL && fscanf(f, "%ld %ld", &size, &pages) != 2)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (double)pages * 4096;
}

/* 1,000,000 nodes of 10 tokens: 100 shared beginnings, then every key its own end. */
static void bench_memory(int *failed)
{
    struct rig g;
    struct prng r;
    uint32_t tok[20], slots[20];
    prng_seed(&r, 9);
    double before = resident();
    rig_open(&g, 1, POLICY_LRU, 1 << 24, false);
    double world = resident() - before; /* the pool's free list: 4 bytes a slot, of the pool, not of the tree */
    for (uint32_t i = 0; i < 20; i++)
        slots[i] = 1 + i;
    while (g.c.w->head.node_count < 1000000) {
        uint32_t which = prng_below(&r, 1000);
        for (uint32_t i = 0; i < 10; i++)
            tok[i] = which * 10 + i;
        fill(&r, tok, 10, 20, 1u << 30);
        rig_insert(&g, tok, 20, slots);
    }
    const struct head *h = &g.c.w->head;
    double tokens = (double)h->evictable_size, bytes = resident() - before - world;
    printf("a tree of %.3g tokens in %u nodes: %.0f MiB resident\n", tokens, h->node_count, bytes / 1048576);
    verdict(failed, "bytes per node besides 8 per token", (bytes - 8 * tokens) / h->node_count, "<=", 160, "B");
    rig_close(&g);
}

int main(void)
{
    int failed = 0;
    bench_512(&failed, 4, 1, 5);
    bench_512(&failed, 4, 16, 5);
    bench_512(&failed, 10, 1, 2.5);
    bench_512(&failed, 10, 16, 2.5);
    for (size_t i = 0; i < sizeof PEERS / sizeof *PEERS; i++)
        bench_peer(&failed, &PEERS[i]);
    bench_locks();
    bench_memory(&failed);
    printf(failed > 0 ? "%d bounds MISSED\n" : "every bound is kept\n", failed);
    return failed > 0;
}
