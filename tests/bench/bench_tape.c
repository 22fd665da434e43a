/* bench_tape: what remembering costs: time, bytes a step, one step back, seeking. One thread, medians. */
#include "bench.h"

enum { SAMPLES = 4096, WIDE_NODES = 1000000, SEEK = 1000000 };

struct samples {
    double ns[SAMPLES];
    size_t n;
};

static void check(bool ok)
{
    if (!ok) {
        fprintf(stderr, "an operation failed\n");
        exit(1);
    }
}

/* One request of the workload: look up, lock, take slots (evicting on demand), put in, unlock. */
static void serve(struct rig *g, const uint32_t *tok, uint32_t n)
{
    uint32_t slots[1024], freed;
    struct cache *c = &g->c;
    struct err e = {0};
    check(cache_begin(c, n, &e) == 0);
    struct key key = key_make(c->w, tok, n, n, 0);
    struct match m = radix_match_prefix(c, &key, 0);
    radix_pin(c, m.node);
    uint32_t need = key.units - m.units;
    if (pool_free_slots(c->w) < need)
        check(evict(c, need, 0, &freed));
    radix_path_slots((struct scene){c->w, c->s}, m.node, slots);
    check(cache_more(c, n) && slots_alloc(c, need, slots + m.units));
    CACHE_EMIT(c, TAKE, 0, need, need > 0 ? slots[m.units] : 0, pool_free_slots(c->w));
    radix_insert(c, &key, slots, 0, false, 0, 0);
    radix_unpin(c, m.node);
    CACHE_EMIT(c, RELEASED, 0, m.node);
    cache_end(c);
}

static struct keyset branching(uint32_t n)
{
    struct prng r;
    prng_seed(&r, 42);
    return keys_branching(&r, n);
}

/* Every slot of the workload, taken beforehand as SGLang's measurement does. */
static uint32_t *all_slots(struct rig *g, const struct keyset *k)
{
    uint32_t *slots = malloc(k->tokens * sizeof *slots);
    struct err e = {0};
    bool recorded = tape_recording(g->t);
    check(cache_begin(&g->c, (uint32_t)k->tokens, &e) == 0 && slots_alloc(&g->c, (uint32_t)k->tokens, slots));
    if (recorded)
        CACHE_EMIT(&g->c, TAKE, 0, (uint32_t)k->tokens, slots[0], 0);
    cache_end(&g->c);
    return slots;
}

/* The three parts of a workload, per request. */
struct parts {
    struct samples insert, match, evict;
};

static void keep(struct samples *s, double start, uint32_t n)
{
    if (s->n < SAMPLES)
        s->ns[s->n++] = (now_ns() - start) / n;
}

static void time_workload(struct rig *g, const struct keyset *k, struct parts *p)
{
    uint32_t *slots = all_slots(g, k), at = 0;
    for (uint32_t i = 0; i < k->n; i += 50) {
        double start = now_ns();
        for (uint32_t j = i; j < i + 50; j++) {
            rig_insert(g, k->tok[j], k->len[j], slots + at);
            at += k->len[j];
        }
        keep(&p->insert, start, 50);
    }
    for (uint32_t i = 0; i < k->n; i += 50) {
        double start = now_ns();
        for (uint32_t j = i; j < i + 50; j++)
            rig_match(g, k->tok[j], k->len[j]);
        keep(&p->match, start, 50);
    }
    for (uint32_t i = 0, part = g->c.w->head.evictable_size / 20; i < 20; i++) {
        double start = now_ns();
        rig_evict(g, part);
        keep(&p->evict, start, k->n / 20);
    }
    free(slots);
}

static double whole(struct parts *p)
{
    double i = median(p->insert.ns, p->insert.n), m = median(p->match.ns, p->match.n), e = median(p->evict.ns, p->evict.n);
    printf("    insert %.0f ns, match %.0f ns, evict %.0f ns a request\n", i, m, e);
    return i + m + e;
}

static void bench_time_and_bytes(int *failed)
{
    struct keyset k = branching(10000);
    static struct parts off, on;
    double bytes = 0, skip = 0;
    uint32_t steps = 0;
    for (int n = 0; n < 7; n++) {
        struct rig g;
        rig_open(&g, 1, POLICY_LRU, 1 << 23, false);
        time_workload(&g, &k, &off);
        rig_close(&g);
        rig_open(&g, 1, POLICY_LRU, 1 << 23, true);
        time_workload(&g, &k, &on);
        steps = tape_length(g.t, 0);
        bytes = (double)tape_bytes(g.t) / steps;
        skip = (double)tape_skip_bytes(g.t) / steps;
        rig_close(&g);
    }
    printf("branching workload: %u steps; without a tape, then with one:\n", steps);
    double without = whole(&off), with = whole(&on);
    verdict(failed, "time with a tape / without", with / without, "<=", 3, "x");
    verdict(failed, "bytes a step, skip index included", bytes, "<=", 120, "B");
    printf("  (of these, the skip index: %.1f B)\n", skip);
    keys_free(&k);
}

static double time_back(const struct tape *t, struct cursor *c, uint32_t steps)
{
    double best[64];
    size_t n = 0;
    cursor_seek(c, 0, tape_length(t, 0));
    for (; n < 64 && c->at > steps; n++) {
        double start = now_ns();
        for (uint32_t i = 0; i < steps; i++)
            cursor_seek(c, 0, c->at - 1);
        best[n] = (now_ns() - start) / steps;
    }
    return median(best, n);
}

static double time_seek(struct cursor *c, uint32_t from, uint32_t to)
{
    double ms[9];
    for (size_t n = 0; n < 9; n++) {
        cursor_seek(c, 0, from);
        double start = now_ns();
        cursor_seek(c, 0, to);
        ms[n] = (now_ns() - start) / 1e6;
    }
    return median(ms, 9);
}

static void report_seeks(int *failed, const struct tape *t, const char *what)
{
    struct cursor c;
    struct err e = {0};
    if (cursor_init(&c, t, &e) != 0)
        exit(1);
    uint32_t end = tape_length(t, 0), from = end - SEEK;
    cursor_seek(&c, 0, end);
    printf("%s (%u steps, %u nodes at the end)\n", what, end, c.w->head.node_count);
    verdict(failed, "one step back", time_back(t, &c, 1000), "<=", 100, "ns");
    verdict(failed, "seeking a million steps back", time_seek(&c, end, from), "<=", 16, "ms");
    verdict(failed, "seeking a million steps forward", time_seek(&c, from, end), "<=", 16, "ms");
    verdict(failed, "seeking a million steps back, from between blocks", time_seek(&c, end - 3333, from - 5555), "<=",
            16, "ms");
    cursor_done(&c);
}

static void bench_small_world(int *failed)
{
    struct keyset k = branching(40000);
    struct rig g;
    rig_open(&g, 1, POLICY_LRU, 1 << 16, true);
    for (uint32_t i = 0; tape_length(g.t, 0) < SEEK + 20000; i++)
        serve(&g, k.tok[i % k.n], k.len[i % k.n]);
    report_seeks(failed, g.t, "branching workload");
    rig_close(&g);
    keys_free(&k);
}

/* 1,000 beginnings of 10 tokens, each with as many ends. */
static void wide_key(struct prng *r, uint32_t *tok)
{
    uint32_t which = prng_below(r, 1000);
    for (uint32_t i = 0; i < 10; i++)
        tok[i] = which * 10 + i;
    fill(r, tok, 10, 20, 1u << 30);
}

/* A world of 1,000,000 nodes in which requests come and go, old ones again and new ones, all over it. */
static void bench_wide_world(int *failed)
{
    enum { KEPT = 200000 };
    struct rig g;
    struct prng r;
    uint32_t(*old)[20] = calloc(KEPT, sizeof *old), at = 0;
    prng_seed(&r, 9);
    rig_open(&g, 1, POLICY_LRU, 10100000, true);
    while (g.c.w->head.node_count < WIDE_NODES) {
        at = (at + 1) % KEPT;
        wide_key(&r, old[at]);
        serve(&g, old[at], 20);
    }
    for (uint32_t begin = tape_length(g.t, 0); tape_length(g.t, 0) < begin + SEEK + 20000;) {
        at = (at + 1) % KEPT;
        wide_key(&r, old[at]);
        serve(&g, old[at], 20);
        rig_match(&g, old[prng_below(&r, KEPT)], 20);
        rig_match(&g, old[prng_below(&r, KEPT)], 20);
    }
    report_seeks(failed, g.t, "a world of 1,000,000 nodes");
    rig_close(&g);
    free(old);
}

int main(void)
{
    int failed = 0;
    bench_time_and_bytes(&failed);
    bench_small_world(&failed);
    bench_wide_world(&failed);
    printf(failed > 0 ? "%d bounds MISSED\n" : "every bound is kept\n", failed);
    return failed > 0;
}
