/* Sweeps: against the naive model of tests/cache on random traces; against the figures of the real SGLang; the same
 * figures with a tape, in batches, on any number of threads; lists, output, cancelling, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cache/naive.h"
#include "base/prng.h"
#include "base/xalloc.h"
#include "script/runner.h"
#include "tape/check.h"
#include "tape/recording.h"
#include "trace/excerpt.h"
#include "trace/stack_distance.h"
#include "trace/sweep.h"
#include "trace/tracer.h"

#define TRACES "../shared/traces/"
#define EXPECTED "../shared/reference/sglang/mooncake_synthetic.expected.jsonl"

/* A random trace of prefixes that branch: a parent a block, as in real ones. */
struct random_trace {
    uint32_t ids[300][24], len[300], n;
    struct buf text;
};

static void make_trace(struct random_trace *t, uint64_t seed, uint32_t requests)
{
    struct prng r;
    prng_seed(&r, seed);
    *t = (struct random_trace){.n = requests};
    uint32_t ways = 2 + prng_below(&r, 3), deep = 2 + prng_below(&r, 14);
    for (uint32_t i = 0; i < requests; i++) {
        uint32_t path = 1;
        t->len[i] = prng_below(&r, deep + 1);
        buf_printf(&t->text, "{\"timestamp\":%u,\"input_length\":%u,\"output_length\":0,\"hash_ids\":[", i, t->len[i] * 512);
        for (uint32_t k = 0; k < t->len[i]; k++) {
            path = path * 31 + prng_below(&r, k % 3 == 0 ? ways : 1);
            t->ids[i][k] = path;
            buf_printf(&t->text, "%s%u", k > 0 ? "," : "", path);
        }
        buf_puts(&t->text, "]}\n");
    }
}

static unsigned long oracle_evictions, oracle_refused;

/* Belady's choice by looking: the first request from here on whose path holds the first block of the node. */
struct ahead {
    const struct random_trace *t;
    uint32_t now;
};

static uint32_t next_reader(const struct naive *m, uint32_t id)
{
    const struct ahead *a = m->choose_ctx;
    const struct n_row *end = &m->row[n_end(m, id)];
    uint32_t first = m->ends[n_end(m, id)] - n_len(m, id) + 1;
    for (uint32_t i = a->now + 1; i < a->t->n; i++)
        if (a->t->len[i] >= first && memcmp(a->t->ids[i], end->tok, first * sizeof(uint32_t)) == 0)
            return i;
    return UINT32_MAX;
}

static bool read_later(const struct naive *m, uint32_t a, uint32_t b)
{
    uint32_t one = next_reader(m, a), two = next_reader(m, b);
    return one != two ? one > two : m->node[a].last < m->node[b].last;
}

/* The rule of replay.h, word for word, on the model. */
static struct replay_figures oracle(const struct random_trace *t, uint32_t capacity, uint32_t policy)
{
    struct world_config cfg = {.pool = capacity, .page_size = 1, .policy = policy % POLICY_COUNT};
    struct naive *m = calloc(1, sizeof *m);
    struct replay_figures f = {0};
    struct ahead ahead = {.t = t};
    uint32_t slots[N_RAW];
    n_init(m, &cfg);
    m->before = policy == SWEEP_BELADY ? read_later : NULL;
    m->choose_ctx = &ahead;
    for (uint32_t i = 0; i < t->n; i++) {
        ahead.now = i;
        uint32_t n = t->len[i], nodes;
        struct n_match have = n_match(m, 0, t->ids[i], n, slots);
        uint32_t need = n - have.units;
        f.requests++;
        f.blocks += n;
        f.hit_blocks += have.units;
        f.hits_hash = f.hits_hash * 1000003u + have.units;
        n_lock(m, have.node, 1);
        nodes = (uint32_t)m->evictions;
        if (n_free_slots(m) < need)
            f.evicted_blocks += n_evict(m, need - n_free_slots(m));
        f.evicted_nodes += (uint32_t)m->evictions - nodes;
        if (n_free_slots(m) < need)
            f.too_big++;
        else if (need > 0) {
            assert_true(n_take(m, 0, 0, need, false, slots + have.units));
            n_insert(m, 0, t->ids[i], n, slots, 0, false, have.units);
        }
        n_lock(m, have.node, -1);
        m->log.n = 0;
    }
    oracle_evictions += f.evicted_nodes;
    oracle_refused += f.too_big;
    n_done(m);
    free(m);
    return f;
}

static void same_figures(const struct replay_figures *a, const struct replay_figures *b)
{
    assert_int_equal(a->requests, b->requests);
    assert_int_equal(a->blocks, b->blocks);
    assert_int_equal(a->hit_blocks, b->hit_blocks);
    assert_int_equal(a->too_big, b->too_big);
    assert_int_equal(a->evicted_nodes, b->evicted_nodes);
    assert_int_equal(a->evicted_blocks, b->evicted_blocks);
    assert_int_equal(a->hits_hash, b->hits_hash);
}

static void run_text(struct sweep *s, const struct buf *text)
{
    struct err e = {0};
    struct lines *l = lines_of("t", text->data, text->len, &e);
    assert_non_null(l);
    if (sweep_run(s, l, &e) != SWEEP_DONE)
        fail_msg("%s", e.what);
    lines_close(l);
}

static void test_against_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static struct random_trace t;
        struct sweep s = {.batch = seed % 3 == 0 ? 7 : 0, .threads = 1 + (uint32_t)seed % 3};
        struct err e = {0};
        make_trace(&t, seed, 120);
        assert_int_equal(sweep_points(&s, "3,17,40,90,unlimited", NULL, &e), 0);
        run_text(&s, &t.text);
        assert_int_equal(s.points, 5 * POLICY_COUNT);
        for (uint32_t i = 0; i < s.points; i++) {
            uint32_t capacity = s.point[i].capacity == REPLAY_UNLIMITED ? N_ROWS : s.point[i].capacity;
            struct replay_figures f = oracle(&t, capacity, s.point[i].policy);
            same_figures(&s.point[i].f, &f);
        }
        sweep_done(&s);
        buf_free(&t.text);
    }
    assert_true(oracle_evictions > 10000 && oracle_refused > 1000);
}

/* A block LRU, block by block: the list of blocks (as prefixes) by their last use. */
static uint64_t block_lru(const struct future *f, uint32_t capacity)
{
    static uint32_t stack[8192];
    uint32_t n = 0;
    uint64_t hits = 0;
    for (uint32_t r = 0; r < f->requests; r++) {
        const uint32_t *page = replay_path(f, r);
        for (uint32_t i = 0; i < f->request[r].pages; i++)
            for (uint32_t k = 0; k < n && k < capacity; k++)
                hits += stack[k] == page[i];
        for (uint32_t i = f->request[r].pages; i-- > 0;) {
            uint32_t k = 0;
            while (k < n && stack[k] != page[i])
                k++;
            n += k == n;
            memmove(stack + 1, stack, k * sizeof *stack);
            stack[0] = page[i];
        }
    }
    return hits;
}

static int future_of(const struct random_trace *t, struct future *f, struct err *e)
{
    static uint32_t ids[300 * 24];
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; n += t->len[i++])
        memcpy(ids + n, t->ids[i], t->len[i] * sizeof *ids);
    return future_of_ids(f, ids, t->len, t->n, e);
}

static void flat_ids(const struct random_trace *t, struct future *f)
{
    struct err e = {0};
    assert_int_equal(future_of(t, f, &e), 0);
}

/* Belady's choice against the model that looks for itself; what looks ahead is never below what does not; unlimited,
 * all are one. */
static void test_looking_ahead(void **state)
{
    (void)state;
    static const uint32_t AT[] = {3, 17, 40, 90, REPLAY_UNLIMITED};
    unsigned long better = 0, evicted = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static struct random_trace t;
        struct sweep s = {.batch = seed % 3 == 0 ? 7 : 0, .threads = 1 + (uint32_t)seed % 3};
        struct future f;
        struct err e = {0};
        make_trace(&t, seed, 120);
        flat_ids(&t, &f);
        assert_int_equal(sweep_points(&s, "3,17,40,90,unlimited", "lru,Belady,bound,block-lru", &e), 0);
        run_text(&s, &t.text);
        for (uint32_t i = 0; i < ARRAY_LEN(AT); i++) {
            uint32_t pool = AT[i] == REPLAY_UNLIMITED ? N_ROWS : AT[i];
            const struct sweep_point *p = &s.point[4 * i];
            struct replay_figures want = oracle(&t, pool, SWEEP_BELADY);
            same_figures(&p[1].f, &want);
            assert_true(p[1].f.hit_blocks <= p[2].f.hit_blocks && p[0].f.hit_blocks <= p[2].f.hit_blocks);
            assert_int_equal(p[3].f.hit_blocks, block_lru(&f, AT[i] == REPLAY_UNLIMITED ? UINT32_MAX : AT[i]));
            for (uint32_t k = 0; k < 4; k++)
                assert_true(p[k].f.requests == 120 && p[k].f.blocks == p[0].f.blocks &&
                            (AT[i] != REPLAY_UNLIMITED || p[k].f.hit_blocks == p[0].f.hit_blocks));
            assert_true(p[2].f.too_big == p[1].f.too_big);
            better += p[1].f.hit_blocks > p[0].f.hit_blocks;
            evicted += want.evicted_nodes;
            refused += want.too_big;
        }
        future_done(&f);
        sweep_done(&s);
        buf_free(&t.text);
    }
    assert_true(better > 50 && evicted > 3000 && refused > 100);
}

/* The most that any cache can hit: every set of blocks that could be kept is tried. hits[set]: -1 never met. */
static int best_of_all(const struct future *f, uint32_t pool)
{
    static int hits[1 << 12], next[1 << 12];
    uint32_t sets = 1u << f->nodes;
    for (uint32_t s = 0; s < sets; s++)
        hits[s] = s == 0 ? 0 : -1;
    for (uint32_t r = 0; r < f->requests; r++) {
        uint32_t path = 0;
        for (uint32_t i = 0; i < f->request[r].pages; i++)
            path |= 1u << (replay_path(f, r)[i] - 1);
        bool large = f->request[r].pages > pool;
        memset(next, -1, sizeof next);
        for (uint32_t s = 0; s < sets; s++)
            for (uint32_t kept = s, more = hits[s] >= 0; more; more = kept != 0, kept = (kept - 1) & s) {
                uint32_t then = large ? kept : kept | path;
                int now = hits[s] + __builtin_popcount(s & path);
                if ((uint32_t)__builtin_popcount(then) <= pool && now > next[then])
                    next[then] = now;
            }
        memcpy(hits, next, sizeof hits);
    }
    int best = 0;
    for (uint32_t s = 0; s < sets; s++)
        best = hits[s] > best ? hits[s] : best;
    return best;
}

/* On small traces: the bound is what trying everything finds (with requests that are too large: not less), and
 * where each request is one block, so is Belady's choice. */
static void test_against_everything(void **state)
{
    (void)state;
    struct prng r;
    unsigned long exact = 0, met = 0;
    prng_seed(&r, 5);
    for (uint32_t round = 0; round < 120; round++) {
        struct future f;
        struct err e = {0};
        uint32_t ids[40], len[12], n = 0, deep = round % 3 == 0 ? 1 : 4, kinds = deep == 1 ? 6 : 2;
        for (uint32_t q = 0; q < 12; q++) {
            len[q] = 1 + prng_below(&r, deep > 1 ? 3 : 1);
            for (uint32_t i = 0; i < len[q]; i++)
                ids[n++] = prng_below(&r, i == 2 ? 1 : kinds);
        }
        assert_int_equal(future_of_ids(&f, ids, len, 12, &e), 0);
        assert_true(f.nodes <= 12);
        for (uint32_t pool = 1; pool <= 4; pool++) {
            struct replay belady;
            uint64_t bound;
            bool large = false;
            assert_int_equal(future_bound(&f, pool, NULL, &bound, &e), 0);
            assert_int_equal(replay_open(&belady, pool, POLICY_LRU, 0, false, &e), 0);
            replay_foresee(&belady, &f);
            for (uint32_t q = 0; q < 12; q++) {
                large = large || len[q] > pool;
                assert_int_equal(replay_request(&belady, replay_path(&f, q), len[q], &e), 0);
            }
            int best = best_of_all(&f, pool);
            assert_true(large ? (int)bound >= best : (int)bound == best);
            assert_true((int)belady.f.hit_blocks <= best);
            assert_true(deep > 1 || (int)belady.f.hit_blocks == best);
            exact += !large;
            met += (uint64_t)best;
            replay_close(&belady);
        }
        future_done(&f);
    }
    assert_true(exact > 200 && met > 500);
}

/* With a tape, every moment sound, and the same figures; from the middle on, too. */
static void test_recorded(void **state)
{
    (void)state;
    unsigned long steps = 0;
    for (uint64_t seed = 1; seed <= 14; seed++) {
        static struct random_trace t;
        struct replay plain, before, whole, part;
        struct err e = {0};
        uint32_t capacity = 10 + (uint32_t)seed * 4, policy = (uint32_t)seed % POLICY_COUNT, cut = 40;
        bool belady = seed % 2 == 0;
        struct future f;
        make_trace(&t, seed, 80);
        flat_ids(&t, &f);
        assert_int_equal(replay_open(&plain, capacity, policy, 0, false, &e), 0);
        assert_int_equal(replay_open(&before, capacity, policy, 0, false, &e), 0);
        assert_int_equal(replay_open(&whole, capacity, policy, 0, true, &e), 0);
        assert_int_equal(replay_open(&part, capacity, policy, 0, true, &e), 0);
        struct replay *all[] = {&plain, &before, &whole, &part};
        for (uint32_t i = 0; belady && i < ARRAY_LEN(all); i++)
            replay_foresee(all[i], &f);
        assert_int_equal(replay_begin(&whole, NULL, "note", &e), 0);
        for (uint32_t i = 0; i < t.n; i++) {
            const uint32_t *ids = belady ? replay_path(&f, i) : t.ids[i];
            if (i < cut)
                assert_int_equal(replay_request(&before, ids, t.len[i], &e), 0);
            if (i == cut)
                assert_int_equal(replay_begin(&part, &before, "note", &e), 0);
            if (i >= cut)
                assert_int_equal(replay_recorded(&part, ids, t.len[i], &e), 0);
            assert_int_equal(replay_request(&plain, ids, t.len[i], &e), 0);
            assert_int_equal(replay_recorded(&whole, ids, t.len[i], &e), 0);
            if (world_check(tape_scene(whole.t), &e) != 0 || (i >= cut && world_check(tape_scene(part.t), &e) != 0))
                fail_msg("%s", e.what);
        }
        same_figures(&plain.f, &whole.f);
        same_figures(&plain.f, &part.f);
        if (belady) {
            struct replay_figures want = oracle(&t, capacity, SWEEP_BELADY);
            same_figures(&plain.f, &want);
        }
        future_done(&f);
        struct cursor c;
        assert_int_equal(cursor_init(&c, part.t, &e), 0);
        cursor_seek(&c, 0, UINT32_MAX); /* by the steps alone */
        assert_true(world_equal(c.w, tape_world(part.t)));
        for (uint32_t n = tape_length(part.t, 0); n > 0; n--) {
            struct step st;
            tape_step(part.t, 0, n, &st);
            cursor_seek(&c, 0, n);
            if (st.settled && world_check(cursor_scene(&c), &e) != 0)
                fail_msg("step %u: %s", n, e.what);
            steps++;
        }
        cursor_done(&c);
        replay_close(&plain);
        replay_close(&before);
        replay_close(&whole);
        replay_close(&part);
        buf_free(&t.text);
    }
    assert_true(steps > 5000);
}

/* A recording of Belady's choices opens and names them; one with a policy that nobody knows is refused. */
static void test_belady_is_recorded(void **state)
{
    (void)state;
    static struct random_trace t;
    struct replay r;
    struct future f;
    struct err e = {0};
    struct buf b = {0};
    unsigned victims = 0;
    make_trace(&t, 4, 60);
    flat_ids(&t, &f);
    assert_int_equal(replay_open(&r, 26, POLICY_LRU, 0, true, &e), 0);
    replay_foresee(&r, &f);
    assert_int_equal(replay_begin(&r, NULL, "note", &e), 0);
    for (uint32_t i = 0; i < t.n; i++)
        assert_int_equal(replay_recorded(&r, replay_path(&f, i), t.len[i], &e), 0);
    assert_int_equal(recording_pack(r.t, &(struct recording_info){.branch = -1}, &b, &e), 0);
    struct recording *rec = recording_parse("a.rxt", b.data, b.len, &e);
    if (rec == NULL)
        fail_msg("%s", e.what);
    const struct tape *back = recording_tape(rec);
    assert_true(world_equal(tape_world(back), tape_world(r.t)));
    for (uint32_t n = 1; n <= tape_length(back, 0); n++) {
        struct step s;
        struct buf said = {0};
        tape_step(back, 0, n, &s);
        if (s.kind == EV_VICTIM || s.kind == EV_EVICT || s.kind == EV_START) {
            event_fields(tape_scene(back), NULL, s.kind, s.arg, &said);
            assert_non_null(strstr(buf_text(&said), s.kind == EV_VICTIM ? "read again last" : "policy=belady"));
            victims += s.kind == EV_VICTIM;
        }
        buf_free(&said);
    }
    assert_true(victims > 10);
    recording_free(rec);
    assert_int_equal(cache_begin(&r.cache, 0, &e), 0);
    EMIT(r.t, START, 26, 1, POLICY_COUNT + 1, 0);
    cache_end(&r.cache);
    buf_clear(&b);
    assert_int_equal(recording_pack(r.t, &(struct recording_info){.branch = -1}, &b, &e), 0);
    assert_null(recording_parse("a.rxt", b.data, b.len, &e));
    assert_non_null(strstr(e.what, "a policy in a step 8"));
    buf_free(&b);
    replay_close(&r);
    future_done(&f);
    buf_free(&t.text);
}

static void test_figures_of_sglang(void **state)
{
    (void)state;
    if (access(EXPECTED, R_OK) != 0 || access(TRACES "mooncake_synthetic.jsonl", R_OK) != 0)
        skip();
    static const char *const SHOWN[] = {"policy", "capacity", "requests", "blocks", "hit_blocks", "requests_too_big",
                                        "evicted_nodes", "evicted_blocks"};
    struct sweep s = {.points = 0};
    struct err e = {0};
    FILE *f = fopen(EXPECTED, "r");
    struct lines *l = lines_open(TRACES "mooncake_synthetic.jsonl", &e);
    assert_int_equal(sweep_points(&s, "1000000,20000,5000,1000", "lru,lfu,fifo,mru,filo,slru", &e), 0);
    assert_int_equal(sweep_run(&s, l, &e), SWEEP_DONE);
    for (uint32_t i = 0; i < s.points; i++) {
        struct buf b = {0};
        char hash[20];
        json_t *want = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL), *got;
        sweep_json(&s.point[i], &b);
        got = json_loadb(b.data, b.len, 0, NULL);
        for (size_t k = 0; k < ARRAY_LEN(SHOWN); k++)
            assert_true(json_equal(json_object_get(want, SHOWN[k]), json_object_get(got, SHOWN[k])));
        double rate = json_real_value(json_object_get(want, "hit_rate"));
        assert_true(rate == json_real_value(json_object_get(got, "hit_rate")));
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)s.point[i].f.hits_hash);
        assert_string_equal(hash, json_string_value(json_object_get(want, "hits_hash")));
        json_decref(want);
        json_decref(got);
        buf_free(&b);
    }
    assert_int_equal(s.points, 24);
    sweep_done(&s);
    lines_close(l);
    fclose(f);
}

static void test_lists(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {{"", "lru"}, {"1,,2", "lru"}, {"1,", "lru"}, {"0", "lru"}, {"x", "lru"}, {"-1", "lru"},
                                         {"1 ,2", "lru"}, {"99999999999", "lru"}, {"1", ""}, {"1", "lru,"}, {"1", "best"},
                                         {"1", "lru lfu"}, {"1.5", "lru"}};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct sweep s = {.points = 0};
        struct err e = {0};
        assert_int_equal(sweep_points(&s, BAD[i][0], BAD[i][1], &e), -1);
        assert_true(e.set && e.usage);
        sweep_done(&s);
    }
    struct sweep s = {.points = 0};
    struct err e = {0};
    struct buf b = {0};
    assert_int_equal(sweep_points(&s, "30,Unlimited,10", "SLRU,lru", &e), 0);
    for (uint32_t i = 0; i < s.points; i++)
        sweep_csv(&s.point[i], &b);
    assert_string_equal(buf_text(&b), "slru,30,0,0,0,0.000000,0,0,0\nlru,30,0,0,0,0.000000,0,0,0\n"
                                      "slru,unlimited,0,0,0,0.000000,0,0,0\nlru,unlimited,0,0,0,0.000000,0,0,0\n"
                                      "slru,10,0,0,0,0.000000,0,0,0\nlru,10,0,0,0,0.000000,0,0,0\n");
    buf_free(&b);
    sweep_done(&s);
}

/* ---- cancelling, errors, no memory ----------------------------------------------------------------------- */

static void cancel_soon(void *ctx, const struct sweep_progress *p)
{
    (void)p;
    atomic_store((atomic_bool *)ctx, true);
}

static void test_cancelled(void **state)
{
    (void)state;
    static struct random_trace t;
    atomic_bool cancel = false;
    struct sweep s = {.cancel = &cancel, .progress = cancel_soon, .ctx = &cancel, .batch = 5};
    struct err e = {0};
    make_trace(&t, 3, 200);
    struct lines *l = lines_of("t", t.text.data, t.text.len, &e);
    assert_int_equal(sweep_points(&s, "5,50", NULL, &e), 0);
    assert_int_equal(sweep_run(&s, l, &e), SWEEP_CANCELLED);
    assert_true(s.point[0].f.requests < 200);
    lines_close(l);
    sweep_done(&s);
    buf_free(&t.text);
}

static void test_bad_trace(void **state)
{
    (void)state;
    static struct random_trace t;
    struct sweep s = {.batch = 9};
    struct err e = {0};
    make_trace(&t, 3, 200);
    buf_puts(&t.text, "{}\n");
    struct lines *l = lines_of("t", t.text.data, t.text.len, &e);
    assert_int_equal(sweep_points(&s, "5,50", NULL, &e), 0);
    assert_int_equal(sweep_run(&s, l, &e), SWEEP_FAILED);
    assert_non_null(strstr(e.what, "t:201:"));
    lines_close(l);
    sweep_done(&s);
    buf_free(&t.text);
}

static void test_no_memory(void **state)
{
    (void)state;
    static struct random_trace t;
    unsigned long injected = 0;
    bool done = false;
    make_trace(&t, 5, 20);
    for (unsigned long n = 1; n < 2000 && !done; n++) {
        struct err e = {0};
        struct replay r = {.t = NULL};
        struct future f = {0};
        xalloc_fail_at(n, false);
        int rc = replay_open(&r, 20, POLICY_LRU, 0, true, &e);
        bool open = rc == 0;
        if (open && (rc = future_of(&t, &f, &e)) == 0) {
            uint32_t *at = stack_distances(&f);
            rc = at != NULL ? 0 : err_memory(&e, 0, "distances");
            xfree(at);
            replay_foresee(&r, &f);
        }
        rc = rc == 0 ? replay_begin(&r, NULL, "note", &e) : -1;
        for (uint32_t i = 0; rc == 0 && i < t.n; i++)
            rc = replay_recorded(&r, replay_path(&f, i), t.len[i], &e);
        done = xalloc_failures() == 0;
        injected += xalloc_failures();
        xalloc_fail_at(0, false);
        assert_int_equal(rc != 0, e.set);
        if (open) {
            struct err broken = {0};
            assert_int_equal(world_check(tape_scene(r.t), &broken), 0);
            replay_close(&r);
        }
        future_done(&f);
    }
    assert_true(done && injected > 20);
    buf_free(&t.text);
}

/* ---- the stepper's side ---------------------------------------------------------------------------------- */

static void test_tracer(void **state)
{
    (void)state;
    static struct random_trace t;
    char path[] = "/tmp/radixscope-tracer-XXXXXX";
    struct err e = {0};
    make_trace(&t, 8, 300);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, t.text.data, t.text.len), (ssize_t)t.text.len);
    close(fd);
    for (int way = 0; way < 8; way++) {
        int part = way % 4;
        static const uint64_t FIRST[] = {0, 1, 250, 301}, LAST[] = {0, 10, 260, 0}, RID[] = {300, 10, 260, 0};
        struct trace_options o = {.capacity = 30, .policy = way < 4 ? POLICY_LFU : POLICY_COUNT, .first = FIRST[part], .last = LAST[part]};
        struct tracer *tr = tracer_new(path, &o, &e);
        struct tracer_status st;
        assert_non_null(tr);
        assert_int_equal(tracer_start(tr, &e), 0);
        tracer_wait(tr);
        tracer_get_status(tr, &st);
        assert_false(st.running);
        assert_int_equal(st.failed, part == 3);
        if (part == 3)
            assert_non_null(strstr(st.failure.what, "has 300 requests; there is no request 301"));
        else
            assert_int_equal(tape_world(tracer_tape(tr))->head.next_rid, RID[part] + 1);
        for (uint32_t rid = 1; part < 3 && rid <= 301; rid++) { /* any request can be found */
            uint32_t at = tape_find_request(tracer_tape(tr), 0, rid);
            bool there = rid >= FIRST[part] && rid <= RID[part];
            struct step step;
            assert_int_equal(at != 0, there);
            if (!there)
                continue;
            tape_step(tracer_tape(tr), 0, at, &step);
            assert_int_equal(step.kind, EV_REQUEST);
            assert_int_equal(tape_world(tracer_tape(tr))->request[step.arg[0]].rid, rid);
            const struct request *q = &tape_world(tracer_tape(tr))->request[step.arg[0]];
            assert_int_equal(q->prompt_len, t.len[rid - 1]);
            for (uint32_t i = 0; i < q->prompt_len; i++) /* the ids that a person knows */
                assert_int_equal(tracer_id(tr, tape_world(tracer_tape(tr))->row_token[q->row_off + i]), t.ids[rid - 1][i]);
        }
        tracer_free(tr);
    }
    unlink(path);
    buf_free(&t.text);
}

/* ---- excerpts -------------------------------------------------------------------------------------------- */

static void add_matched(void *ctx, const struct runner_report *r)
{
    *(uint64_t *)ctx += r->matched;
}

static void excerpt_of(const struct random_trace *t, const struct excerpt *x, struct buf *out, struct err *e)
{
    struct excerpt_summary sum = {0};
    struct lines *l = lines_of("folder/t", t->text.data, t->text.len, e);
    int rc = excerpt_write(l, 0, x, out, &sum, e);
    assert_int_equal(rc != 0, e->set);
    lines_close(l);
}

/* The script runs, and hits what the same requests hit in a replay of them alone. */
static void test_excerpt(void **state)
{
    (void)state;
    static struct random_trace t;
    make_trace(&t, 11, 90);
    for (uint64_t first = 1; first < 40; first += 7) {
        struct excerpt x = {.first = first, .last = first + 30};
        struct buf text = {0};
        struct err e = {0};
        struct replay alone;
        uint64_t matched = 0;
        excerpt_of(&t, &x, &text, &e);
        struct script *s = script_parse("", text.data, text.len, 1, &e);
        struct runner_config cfg = {.report = add_matched, .ctx = &matched};
        struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
        if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
            fail_msg("%s", e.what);
        assert_int_equal(replay_open(&alone, REPLAY_UNLIMITED, POLICY_LRU, 4000, false, &e), 0);
        for (uint64_t i = first - 1; i < first + 30; i++)
            assert_int_equal(replay_request(&alone, t.ids[i], t.len[i], &e), 0);
        assert_int_equal(matched, alone.f.hit_blocks);
        assert_int_equal(tape_world(runner_tape(r))->head.pool, replay_cached(&alone));
        replay_close(&alone);
        runner_free(r);
        script_free(s);
        buf_free(&text);
    }
    static const struct { struct excerpt x; const char *says; } BAD[] = {
        {{.first = 0}, "at most 60"}, {{.first = 1, .last = 61}, "at most 60"}, {{.first = 85, .last = 91}, "no request 91"},
        {{.first = 99}, "no request 99"}};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf text = {0};
        struct err e = {0};
        excerpt_of(&t, &BAD[i].x, &text, &e);
        assert_non_null(strstr(e.what, BAD[i].says));
        buf_free(&text);
    }
    buf_free(&t.text);
}

static void test_ranges(void **state)
{
    (void)state;
    static const char *const BAD[] = {"", "0", "0-3", "5-4", "a", "3-b", "-3", "1-2-3", "3 - 4", "99999999999999999999"};
    uint64_t first, last;
    struct err e = {0};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        err_clear(&e);
        assert_int_equal(trace_range_parse(BAD[i], &first, &last, &e), -1);
        assert_true(e.usage);
    }
    err_clear(&e);
    assert_int_equal(trace_range_parse("17-60", &first, &last, &e), 0);
    assert_true(first == 17 && last == 60);
    assert_int_equal(trace_range_parse("17-", &first, &last, &e), 0);
    assert_true(first == 17 && last == 0);
    assert_int_equal(trace_range_parse("17", &first, &last, &e), 0);
    assert_true(first == 17 && last == 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_the_model), cmocka_unit_test(test_looking_ahead),
        cmocka_unit_test(test_against_everything), cmocka_unit_test(test_recorded), cmocka_unit_test(test_belady_is_recorded),  cmocka_unit_test(test_figures_of_sglang),
        cmocka_unit_test(test_lists),             cmocka_unit_test(test_cancelled), cmocka_unit_test(test_bad_trace),
        cmocka_unit_test(test_no_memory),         cmocka_unit_test(test_tracer),    cmocka_unit_test(test_ranges),    cmocka_unit_test(test_excerpt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
