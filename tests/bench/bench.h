/* bench.h: what the two benches share: time, medians, verdicts, the workloads of SGLang's figures. */
#ifndef RADIXSCOPE_BENCH_H
#define RADIXSCOPE_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/prng.h"
#include "cache/cache.h"
#include "cache/evict.h"
#include "cache/radix.h"
#include "cache/slots.h"

static inline double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int double_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, double_order);
    return v[n / 2];
}

/* One bound: prints the figure beside it; a bench's exit code says whether all were kept. */
static inline void verdict(int *failed, const char *what, double value, const char *relation, double bound,
                           const char *unit)
{
    bool ok = relation[0] == '<' ? value <= bound : value >= bound;
    printf("  %-62s %9.3g %s  (%s %g)%s\n", what, value, unit, relation, bound, ok ? "" : "   MISSED");
    *failed += !ok;
}

/* ---- the workloads behind SGLang's figures: shapes, not numbers, matter --------------------------------- */

struct keyset {
    uint32_t **tok, *len;
    uint32_t *slots;          /* (longest): which slots a key is given does not matter to the tree */
    uint32_t n, longest;
    uint64_t tokens;
};

static inline struct keyset keys_new(uint32_t n)
{
    struct keyset k = {calloc(n, sizeof(uint32_t *)), calloc(n, sizeof(uint32_t)), NULL, n, 0, 0};
    return k;
}

static inline uint32_t *keys_add(struct keyset *k, uint32_t i, uint32_t len)
{
    k->tok[i] = malloc(len * sizeof(uint32_t));
    k->len[i] = len;
    k->longest = len > k->longest ? len : k->longest;
    k->tokens += len;
    return k->tok[i];
}

static inline void keys_free(struct keyset *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        free(k->tok[i]);
    free(k->tok);
    free(k->len);
    free(k->slots);
}

static inline void fill(struct prng *r, uint32_t *tok, uint32_t from, uint32_t to, uint32_t tokens)
{
    for (uint32_t i = from; i < to; i++)
        tok[i] = prng_below(r, tokens);
}

static inline struct keyset keys_shared(struct prng *r)
{
    struct keyset k = keys_new(1000);
    uint32_t shared[2000];
    fill(r, shared, 0, 2000, 32000);
    for (uint32_t i = 0; i < k.n; i++) {
        uint32_t *tok = keys_add(&k, i, 2200);
        memcpy(tok, shared, sizeof shared);
        fill(r, tok, 2000, 2200, 32000);
    }
    return k;
}

static inline struct keyset keys_random(struct prng *r, uint32_t n, uint32_t least, uint32_t most, uint32_t tokens)
{
    struct keyset k = keys_new(n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = least + prng_below(r, most - least + 1);
        fill(r, keys_add(&k, i, len), 0, len, tokens);
    }
    return k;
}

static inline void branching_key(struct prng *r, struct keyset *k, uint32_t i)
{
    if (i == 0 || prng_below(r, 10) >= 8) {
        uint32_t len = 16 + prng_below(r, 241);
        fill(r, keys_add(k, i, len), 0, len, 32000);
        return;
    }
    uint32_t back = 1 + prng_below(r, i < 500 ? i : 500), from = k->len[i - back];
    uint32_t cut = from / 2 + prng_below(r, from - from / 2 + 1), len = cut + 1 + prng_below(r, 64);
    len = len > 1024 ? 1024 : len;
    cut = cut > len ? len : cut;
    uint32_t *tok = keys_add(k, i, len);
    memcpy(tok, k->tok[i - back], cut * sizeof *tok);
    fill(r, tok, cut, len, 32000);
}

static inline struct keyset keys_branching(struct prng *r, uint32_t n)
{
    struct keyset k = keys_new(n);
    for (uint32_t i = 0; i < n; i++)
        branching_key(r, &k, i);
    return k;
}

/* Keys of 512 tokens in four levels of 128, `ways` children a node, in random order. */
static inline struct keyset keys_levels(struct prng *r, uint32_t ways)
{
    struct keyset k = keys_new(ways * ways * ways * ways);
    uint32_t *level[4], count = 1;
    for (int d = 0; d < 4; d++) {
        count *= ways;
        level[d] = malloc((size_t)count * 128 * sizeof(uint32_t));
        fill(r, level[d], 0, count * 128, 32000);
    }
    for (uint32_t i = 0; i < k.n; i++) {
        uint32_t *tok = keys_add(&k, i, 512), at = i;
        for (int d = 3; d >= 0; d--, at /= ways)
            memcpy(tok + 128 * d, level[d] + 128 * (size_t)at, 512);
    }
    for (uint32_t i = k.n - 1; i > 0; i--) { /* shuffle */
        uint32_t j = prng_below(r, i + 1), *t = k.tok[i];
        k.tok[i] = k.tok[j];
        k.tok[j] = t;
    }
    for (int d = 0; d < 4; d++)
        free(level[d]);
    return k;
}

/* ---- a cache without requests --------------------------------------------------------------------------- */

struct rig {
    struct tape *t;
    struct cache c;
    struct err e; /* one for all operations: clearing its 770 bytes would cost a tenth of a hit */
};

static inline void rig_open(struct rig *g, uint32_t page, uint32_t policy, uint32_t pool, bool record)
{
    struct world_config cfg = {.pool = pool, .page_size = page, .policy = policy};
    g->e = (struct err){0};
    g->t = tape_new(&cfg, &g->e);
    if (g->t == NULL || cache_init(&g->c, g->t, &g->e) != 0) {
        fprintf(stderr, "%s\n", g->e.what);
        exit(1);
    }
    tape_record(g->t, record);
}

static inline void rig_close(struct rig *g)
{
    cache_done(&g->c);
    tape_free(g->t);
}

static inline uint32_t rig_match(struct rig *g, const uint32_t *tok, uint32_t n)
{
    if (cache_begin(&g->c, n, &g->e) != 0)
        exit(1);
    struct key key = key_make(g->c.w, tok, n, n, 0);
    struct match m = radix_match_prefix(&g->c, &key, 0);
    cache_end(&g->c);
    return m.units;
}

static inline uint32_t rig_insert(struct rig *g, const uint32_t *tok, uint32_t n, const uint32_t *slots)
{
    if (cache_begin(&g->c, n, &g->e) != 0)
        exit(1);
    struct key key = key_make(g->c.w, tok, n, n, 0);
    struct match m = radix_insert(&g->c, &key, slots, 0, false, 0, 0);
    cache_end(&g->c);
    return m.units;
}

static inline uint32_t rig_evict(struct rig *g, uint32_t units)
{
    struct err e = {0};
    uint32_t freed;
    if (cache_begin(&g->c, 0, &e) != 0 || !evict(&g->c, units, 0, &freed))
        exit(1);
    cache_end(&g->c);
    return freed;
}

#endif
