/* Designs and the bound: against naive models (race_naive.h) on random workloads and on every generator, at two
 * pool sizes; the bound and Belady's choice against exhaustive search. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/cache.h"
#include "race_naive.h"
#include "script/workload.h"
#include "trace/race.h"

static unsigned long compared;

/* A workload of requests that often begin alike: `kinds` tokens, prompts of 1 to `longest`. */
static void random_load(struct load *l, struct prng *r, uint32_t requests, uint32_t kinds, uint32_t longest)
{
    uint32_t tok[64], out[8];
    struct err e = {0};
    *l = (struct load){0};
    for (uint32_t i = 0; i < requests; i++) {
        uint32_t n = 1 + prng_below(r, longest), m = 1 + prng_below(r, 4), from = 0;
        if (i > 0 && prng_below(r, 4) > 0) { /* go on from an earlier one */
            const struct load_request *q = &l->request[prng_below(r, i)];
            from = prng_below(r, q->kv + 1);
            from = from < n ? from : n;
            memcpy(tok, l->token + q->at, from * 4);
        }
        for (uint32_t k = from; k < n; k++)
            tok[k] = 1 + prng_below(r, kinds);
        for (uint32_t k = 0; k < m; k++)
            out[k] = 1 + prng_below(r, kinds);
        assert_int_equal(load_add(l, tok, n, out, m, 0, &e), 0);
    }
}

static void same(const char *who, uint32_t request, const struct design_result *is, struct rn_result want)
{
    if (is->hit != want.hit || is->evicted != want.evicted || is->victims != want.victims || is->refused != want.refused)
        fail_msg("%s, request %u: hit %u evicted %u victims %u refused %d, but the naive one says %u %u %u %d", who,
                 request + 1, is->hit, is->evicted, is->victims, is->refused, want.hit, want.evicted, want.victims,
                 want.refused);
    compared++;
}

/* All designs and policies against their naive models on l. */
static void compare_all(const struct load *l, uint32_t pool, uint32_t page, uint32_t block)
{
    struct race race;
    struct err e = {0};
    assert_int_equal(race_init(&race, l, pool, page, block, &e), 0);
    assert_int_equal(race_add(&race, "radix,chain,trie,exact,none,bound", "all", &e), 0);
    if (race_run(&race, true, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(race.entries, POLICY_COUNT + 6);
    static struct naive model[POLICY_COUNT];
    static struct rn_chain chain;
    static struct rn_list trie, exact;
    chain = (struct rn_chain){.blocks = race.pool / block, .size = block};
    trie = exact = (struct rn_list){.pool = race.pool};
    for (uint32_t p = 0; p < POLICY_COUNT; p++)
        n_init(&model[p], &(struct world_config){.pool = race.pool, .page_size = page, .policy = p});
    uint32_t at = POLICY_COUNT + 1;
    for (uint32_t r = 0; r < l->requests; r++) {
        for (uint32_t p = 0; p < POLICY_COUNT; p++)
            same(race.entry[p].label, r, &race.entry[p].result[r], rn_radix(&model[p], l, r));
        same("chain", r, &race.entry[at].result[r], rn_chain_serve(&chain, l, r));
        same("trie", r, &race.entry[at + 1].result[r], rn_trie(&trie, l, r));
        same("exact", r, &race.entry[at + 2].result[r], rn_exact(&exact, l, r));
        assert_int_equal(race.entry[at + 3].result[r].hit, 0);
    }
    const struct race_total *bound = &race.entry[at + 4].total;
    for (uint32_t i = 0; i < race.entries; i++) { /* totals are the sums of the requests; nobody beats the bound */
        const struct race_total *t = &race.entry[i].total;
        uint64_t hit = 0, prompt = 0, refused = 0;
        for (uint32_t r = 0; r < l->requests; r++) {
            hit += race.entry[i].result[r].hit;
            refused += race.entry[i].result[r].refused;
            prompt += race.entry[i].result[r].refused ? 0 : l->request[r].prompt;
        }
        assert_int_equal(t->hit, hit);
        assert_int_equal(t->refused, refused);
        assert_int_equal(t->hit + t->computed, prompt);
        if (page == 1 && bound->refused == t->refused && t->hit > bound->hit)
            fail_msg("%s saves %lu tokens, the bound is %lu", race.entry[i].label, (unsigned long)t->hit,
                     (unsigned long)bound->hit);
    }
    for (uint32_t p = 0; p < POLICY_COUNT; p++) { /* what is kept at the end, too */
        assert_int_equal(race.entry[p].total.held, rn_units(&model[p]));
        n_done(&model[p]);
    }
    assert_int_equal(race.entry[at + 1].total.held, trie.n);
    race_done(&race);
}

static void test_random_workloads(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 7);
    compared = 0;
    for (uint32_t i = 0; i < 60; i++) {
        struct load l;
        uint32_t page = 1u << prng_below(&r, 3), pool = page * (8 + prng_below(&r, 12));
        random_load(&l, &r, 30, 2 + prng_below(&r, 3), 24);
        compare_all(&l, pool, page, 2 + prng_below(&r, 3));
        load_free(&l);
    }
    assert_true(compared > 60 * 30 * 9);
}

/* ---- generators ----------------------------------------------------------------------------------------- */

/* The requests of a generator, its text cut into words by hand. */
static void generated(struct load *l, enum workload which)
{
    struct workload_shape shape = workload_default(which);
    struct buf text = {0};
    struct err e = {0};
    static char word[4096][24];
    uint32_t words = 0, tok[2048];
    *l = (struct load){0};
    assert_int_equal(workload_write(which, &shape, true, &text, &e), 0);
    char *line = text.data;
    for (char *end; line != NULL && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        uint32_t n = 0, quotes = 0, prompt = 0;
        for (char *at = line; *at != '\0' && quotes < 4;) {
            size_t len = strcspn(at, " \"");
            if (len > 0 && quotes % 2 == 1) {
                uint32_t w = 0;
                snprintf(word[words], sizeof word[words], "%.*s", (int)len, at);
                while (strcmp(word[w], word[words]) != 0)
                    w++;
                words += w == words;
                tok[n++] = w + 1;
            }
            quotes += at[len] == '"';
            prompt = quotes < 3 ? n : prompt;
            at += len + (at[len] != '\0');
        }
        assert_true(prompt > 0 && n > prompt);
        assert_int_equal(load_add(l, tok, prompt, tok + prompt, n - prompt, 0, &e), 0);
    }
    assert_int_equal(l->requests, shape.requests);
    buf_free(&text);
}

/* Golden metrics, computed by the naive cache with lru: requests, prompt tokens; and at two pools the tokens saved,
 * the nodes at the end and the nodes that were evicted. `UPDATE=1` prints them anew, from the naive cache alone. */
static const struct golden {
    const char *name;
    uint32_t pool[2], prompt, saved[2], nodes[2], evicted[2];
} GOLDEN[] = {
#include "data/race_golden.inc"
};

static void golden_of(enum workload which, uint32_t pool, const struct load *l, uint32_t *saved, uint32_t *nodes,
                      uint32_t *evicted)
{
    static struct naive m;
    n_init(&m, &(struct world_config){.pool = pool, .page_size = 1});
    *saved = *evicted = 0;
    for (uint32_t r = 0; r < l->requests; r++) {
        struct rn_result one = rn_radix(&m, l, r);
        assert_false(one.refused);
        *saved += one.hit;
        *evicted += one.victims;
    }
    *nodes = rn_nodes(&m);
    n_done(&m);
    (void)which;
}

static void test_golden_metrics(void **state)
{
    (void)state;
    static const uint32_t POOLS[] = {160, 400};
    assert_true(getenv("UPDATE") != NULL || ARRAY_LEN(GOLDEN) == WORKLOAD_COUNT);
    for (unsigned w = 0; workload_name((enum workload)w) != NULL; w++) {
        struct load l;
        struct golden g = {.name = workload_name((enum workload)w), .pool = {POOLS[0], POOLS[1]}};
        generated(&l, (enum workload)w);
        for (size_t r = 0; r < l.requests; r++)
            g.prompt += l.request[r].prompt;
        for (int i = 0; i < 2; i++)
            golden_of((enum workload)w, POOLS[i], &l, &g.saved[i], &g.nodes[i], &g.evicted[i]);
        if (getenv("UPDATE") != NULL)
            printf("GOLDEN {\"%s\", {%u, %u}, %u, {%u, %u}, {%u, %u}, {%u, %u}},\n", g.name, g.pool[0], g.pool[1],
                   g.prompt, g.saved[0], g.saved[1], g.nodes[0], g.nodes[1], g.evicted[0], g.evicted[1]);
        else if (w < ARRAY_LEN(GOLDEN)) {
            assert_string_equal(GOLDEN[w].name, g.name);
            assert_memory_equal(&GOLDEN[w].pool, &g.pool, sizeof g - offsetof(struct golden, pool));
        }
        for (int i = 0; i < 2; i++) {
            struct race race; /* the real one gives the same */
            struct err e = {0};
            assert_int_equal(race_init(&race, &l, POOLS[i], 1, 16, &e), 0);
            assert_int_equal(race_add(&race, "radix", "lru", &e), 0);
            assert_int_equal(race_run(&race, false, &e), 0);
            assert_int_equal(race.entry[0].total.hit, g.saved[i]);
            assert_int_equal(race.entry[0].total.victims, g.evicted[i]);
            race_done(&race);
        }
        load_free(&l);
    }
}

/* What each generator is said to teach. */
static void test_generators_on_all_designs(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WORKLOAD_COUNT; w++) {
        struct load l;
        struct race race;
        struct err e = {0};
        generated(&l, (enum workload)w);
        compare_all(&l, 208, 1, 16);
        assert_int_equal(race_init(&race, &l, w == WORKLOAD_THRASH ? 90 : 160, 1, 16, &e), 0);
        assert_int_equal(race_add(&race, "radix,bound", "all", &e), 0);
        assert_int_equal(race_run(&race, true, &e), 0);
        uint64_t belady = race.entry[POLICY_COUNT].total.hit, bound = race.entry[POLICY_COUNT + 1].total.hit;
        assert_true(belady <= bound);
        for (uint32_t p = 0; p < POLICY_COUNT; p++) {
            assert_true(race.entry[p].total.hit <= bound);
            if (race.entry[p].total.hit > belady) /* not proved, but so it is on these */
                fail_msg("%s: %s saves %lu, belady %lu", workload_name((enum workload)w), race.entry[p].label,
                         (unsigned long)race.entry[p].total.hit, (unsigned long)belady);
        }
        if (w == WORKLOAD_THRASH)
            assert_int_equal(race.entry[POLICY_LRU].total.hit, 0);
        if (w == WORKLOAD_THRASH)
            assert_true(race.entry[POLICY_MRU].total.hit > 0);
        if (w == WORKLOAD_NEVER_REPEAT)
            assert_int_equal(bound, 0);
        race_done(&race);
        load_free(&l);
    }
}

/* ---- optimum -------------------------------------------------------------------------------------------- */

/* Exhaustive search: the most pages that requests r… can hit when the pages of `kept` (a set of trie nodes, at most
 * 32) are there before r. Between requests any set of what is there may be kept. */
struct search {
    const struct future *f;
    uint32_t pool;
    int32_t memo[12][4096];
};

static uint32_t path_set(const struct future *f, uint32_t r, uint32_t n)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < n; i++)
        set |= 1u << (f->page[f->request[r].path + i] - 1);
    return set;
}

static uint32_t bits(uint32_t set)
{
    uint32_t n = 0;
    for (; set != 0; set &= set - 1)
        n++;
    return n;
}

static uint32_t search_most(struct search *s, uint32_t r, uint32_t kept)
{
    if (r == s->f->requests)
        return 0;
    int32_t *memo = &s->memo[r][kept];
    if (*memo >= 0)
        return (uint32_t)*memo;
    const struct future_request *q = &s->f->request[r];
    uint32_t best = 0, mine = path_set(s->f, r, q->pages), hits = 0;
    if (q->slots > s->pool)
        return (uint32_t)(*memo = (int32_t)search_most(s, r + 1, kept));
    while (hits < q->reads && (kept >> (s->f->page[q->path + hits] - 1) & 1) != 0)
        hits++; /* a prefix, as the caches read it */
    uint32_t others = kept & ~mine;
    for (uint32_t stay = others;; stay = (stay - 1) & others) {
        if (bits(stay) + q->slots <= s->pool) {
            uint32_t rest = search_most(s, r + 1, stay | mine);
            best = rest > best ? rest : best;
        }
        if (stay == 0)
            break;
    }
    return (uint32_t)(*memo = (int32_t)(hits + best));
}

static void test_bound_is_the_best(void **state)
{
    (void)state;
    struct prng r;
    uint32_t cases = 0, hits = 0, tight = 0;
    static struct search s;
    prng_seed(&r, 3);
    while (cases < 400) {
        struct load l;
        struct future f;
        struct err e = {0};
        uint64_t all;
        random_load(&l, &r, 4 + prng_below(&r, 6), 2, 4);
        assert_int_equal(future_make(&f, &l, 1, &e), 0);
        if (f.nodes <= 12) {
            s = (struct search){.f = &f, .pool = 3 + prng_below(&r, 5)};
            memset(s.memo, 0xff, sizeof s.memo);
            assert_int_equal(future_bound(&f, s.pool, NULL, &all, &e), 0);
            uint32_t best = search_most(&s, 0, 0);
            if (best != all)
                fail_msg("case %u: the bound is %lu, the best is %u", cases, (unsigned long)all, best);
            cases++;
            hits += best;
            assert_int_equal(future_bound(&f, 1000, NULL, &all, &e), 0);
            tight += all > best;
        }
        future_done(&f);
        load_free(&l);
    }
    assert_true(hits > 400 && tight > 50);
}

/* Keys of one size that share nothing: Belady's choice is at least as good as the best demand cache of whole keys,
 * found by trying every victim (it may be better: it can give up the half of a key that is never read). */
static void test_belady_on_equal_keys(void **state)
{
    (void)state;
    struct prng r;
    uint32_t met = 0;
    prng_seed(&r, 11);
    for (uint32_t i = 0; i < 60; i++) {
        struct load l = {0};
        struct race race;
        struct err e = {0};
        uint32_t keys = 3 + prng_below(&r, 3), places = 2 + prng_below(&r, 2), order[10];
        for (uint32_t q = 0; q < 10; q++) {
            uint32_t k = order[q] = prng_below(&r, keys), tok[2] = {k + 1, 99};
            assert_int_equal(load_add(&l, tok, 2, NULL, 0, 0, &e), 0); /* one token of two can hit */
        }
        /* optimal number of hits of a demand cache of so many places, by trying every victim */
        uint32_t best = 0, state_set[4096] = {0}, state_hits[4096], states = 1;
        state_hits[0] = 0;
        for (uint32_t q = 0; q < 10; q++) {
            uint32_t next_set[4096], next_hits[4096], n = 0;
            for (uint32_t a = 0; a < states; a++) {
                uint32_t set = state_set[a], bit = 1u << order[q], had = (set & bit) != 0;
                for (uint32_t v = 0; v <= keys; v++) { /* v == keys: nobody goes */
                    uint32_t then = v < keys ? set & ~(1u << v) : set;
                    if ((v < keys && (had || (set >> v & 1) == 0)) || bits(then | bit) > places)
                        continue;
                    uint32_t k = 0;
                    while (k < n && next_set[k] != (then | bit))
                        k++;
                    if (k == n) {
                        next_set[n] = then | bit;
                        next_hits[n++] = 0;
                    }
                    next_hits[k] = state_hits[a] + had > next_hits[k] ? state_hits[a] + had : next_hits[k];
                }
            }
            states = n;
            memcpy(state_set, next_set, n * 4);
            memcpy(state_hits, next_hits, n * 4);
        }
        for (uint32_t a = 0; a < states; a++)
            best = state_hits[a] > best ? state_hits[a] : best;
        assert_int_equal(race_init(&race, &l, places * 2, 1, 16, &e), 0);
        assert_int_equal(race_add(&race, "radix,bound", "all", &e), 0);
        assert_int_equal(race_run(&race, true, &e), 0);
        uint64_t belady = race.entry[POLICY_COUNT].total.hit;
        assert_true(belady >= best && belady <= race.entry[POLICY_COUNT + 1].total.hit);
        for (uint32_t p = 0; p < POLICY_COUNT; p++)
            assert_true(race.entry[p].total.hit <= belady);
        met += best;
        race_done(&race);
        load_free(&l);
    }
    assert_true(met > 100);
}

/* ---- differences, errors --------------------------------------------------------------------------------- */

static void test_first_difference(void **state)
{
    (void)state;
    struct load l;
    struct race race;
    struct err e = {0};
    generated(&l, WORKLOAD_THRASH);
    assert_int_equal(race_init(&race, &l, 90, 1, 16, &e), 0);
    assert_int_equal(race_add(&race, "radix,none", "lru,mru,priority", &e), 0);
    assert_int_equal(race_run(&race, false, &e), 0);
    assert_int_equal(race_differs(&race, 0, 0), RACE_NEVER);
    assert_int_equal(race_differs(&race, 0, 2), RACE_NEVER); /* all priorities are 0: it is lru */
    assert_int_equal(race_differs(&race, 0, 1), 5);          /* the sixth is the first that does not fit */
    void *a = race_stand(&race, 0, 5, true, &e), *b = race_stand(&race, 1, 5, true, &e);
    assert_non_null(a);
    assert_non_null(b);
    struct buf x = {0}, y = {0};
    DESIGN_RADIX.list(a, &x);
    DESIGN_RADIX.list(b, &y);
    assert_string_equal(buf_text(&x), buf_text(&y)); /* up to there, the same tree */
    assert_null(DESIGN_RADIX.check(a));
    struct tape *t = design_radix_cache(a)->t;
    assert_true(tape_length(t, 0) > 5);
    buf_free(&x);
    buf_free(&y);
    DESIGN_RADIX.free(a);
    DESIGN_RADIX.free(b);
    race_done(&race);
    load_free(&l);
}

static void test_wrong_lists(void **state)
{
    (void)state;
    static const struct {
        const char *designs, *policies, *what, *hint;
    } BAD[] = {
        {"radix,chian", "lru", "'chian' is no design", "did you mean chain?"},
        {"", "lru", "'' is no design", "there are radix, chain, trie, exact, none and bound"},
        {"radix", "belad", "'belad' is no eviction policy", "did you mean belady?"},
        {"trie,trie", "lru", "trie is given twice", ""},
        {"radix", "lru,lru", "radix lru is given twice", ""},
    };
    struct load l;
    size_t run = 0;
    generated(&l, WORKLOAD_THRASH);
    for (; run < ARRAY_LEN(BAD); run++) {
        struct race race;
        struct err e = {0};
        assert_int_equal(race_init(&race, &l, 90, 1, 16, &e), 0);
        assert_int_equal(race_add(&race, BAD[run].designs, BAD[run].policies, &e), -1);
        assert_true(e.usage);
        assert_string_equal(e.what, BAD[run].what);
        assert_string_equal(e.hint, BAD[run].hint);
        race_done(&race);
    }
    assert_int_equal(run, 5);
    load_free(&l);
}

static void test_no_memory(void **state)
{
    (void)state;
    unsigned long injected = 0;
    struct load l;
    generated(&l, WORKLOAD_SHARED_PREFIX);
    for (unsigned long n = 1;; n++) {
        struct race race = {0};
        struct err e = {0};
        xalloc_fail_at(n, false);
        int rc = race_init(&race, &l, 64, 1, 16, &e);
        if (rc == 0)
            rc = race_add(&race, "chain,trie,exact,none,bound", "lru", &e); /* the tree: tests/cache/test_oom */
        if (rc == 0)
            rc = race_run(&race, false, &e);
        unsigned long failed = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failed;
        assert_int_equal(rc != 0, e.set);
        race_done(&race);
        if (failed == 0) {
            assert_int_equal(rc, 0);
            break;
        }
    }
    assert_true(injected > 30);
    load_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_workloads),  cmocka_unit_test(test_golden_metrics),
        cmocka_unit_test(test_generators_on_all_designs), cmocka_unit_test(test_bound_is_the_best),
        cmocka_unit_test(test_belady_on_equal_keys), cmocka_unit_test(test_first_difference),
        cmocka_unit_test(test_wrong_lists),       cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
