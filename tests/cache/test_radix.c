/* The radix tree against an independent flat table (naive.h), operation by operation: what is returned,
 * what is freed and evicted in which order, the clock, the counters, the free list and the whole tree.
 *
 *   ITERS=10000000 SEED=7 build/tests/cache/test_radix      the long run (make fuzz-cache)
 *
 * A failure prints the seed, the episode and the operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/compact.h"
#include "cache/evict.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "naive.h"
#include "tape/check.h"

enum { CORPUS = 24, PINS = 6, SPACES = 3, SESSIONS = 4 };

/* Where keys come from. */
enum keys { KEYS_SHARED, KEYS_DIVERGE, KEYS_REPEAT, KEYS_PREFIX, KEYS_TINY, KEYS_LONG, KEYS_MIXED, KEYS_COUNT };
enum hard { HARD_NONE, HARD_EVICT, HARD_SPLIT, HARD_GROW, HARD_COUNT };

struct key_text {
    uint32_t tok[N_RAW], n, ns;
};

struct episode {
    struct world_config cfg;
    enum keys keys;
    enum hard hard;
    bool record;
    uint32_t alphabet, max_len;
};

struct pair {
    struct episode ep;
    struct tape *t;
    struct cache c;
    struct naive m;
    struct n_log log;            /* what the real one freed and evicted */
    struct prng rng;
    struct key_text corpus[CORPUS];
    uint32_t corpus_n, shared[4][N_RAW];
    uint32_t space[SPACES], session[SESSIONS], session_no;
    struct { uint32_t node, id; } pin[PINS];
    uint32_t pins;
    uint32_t req[N_REQS];        /* the real ones */
    struct cursor cursor;        /* follows, back and forth */
    struct world *before;
    uint64_t seed;
    unsigned long op, episode;
};

struct totals {
    unsigned long ops, splits, evictions, duplicates, refused, merges, steps, kind[16], keys[KEYS_COUNT], closed;
};

#define CHECK(p, claim)                                                                                      \
    do {                                                                                                     \
        if (!(claim))                                                                                        \
            fail_msg("SEED=%llu episode %lu operation %lu (page %u, %s, %s%s): %s",                         \
                     (unsigned long long)(p)->seed, (p)->episode, (p)->op, (p)->m.cfg.page_size,             \
                     policy_name((p)->m.cfg.policy), (p)->m.cfg.rules == RULES_UNIFIED ? "unified" : "classic", \
                     (p)->m.cfg.bigram ? ", bigram" : "", #claim);                                           \
    } while (0)

static struct scene scene_of(const struct pair *p)
{
    return (struct scene){p->c.w, p->c.s};
}

static void hear_freed(void *ctx, const uint32_t *slots, uint32_t n)
{
    struct pair *p = ctx;
    n_note(&p->log, N_FREED + n);
    for (uint32_t i = 0; i < n; i++)
        n_note(&p->log, slots[i]);
}

static void hear_removed(void *ctx, uint32_t node)
{
    struct pair *p = ctx;
    n_note(&p->log, N_EVICTED + p->c.w->node[node].id);
}

/* ---- comparing ------------------------------------------------------------------------------------------ */

static void compare_node(struct pair *p, uint32_t n, uint32_t start, const uint32_t *path)
{
    const struct node *x = &p->c.w->node[n];
    const struct n_node *y = &p->m.node[x->id];
    const uint32_t *slots = node_slots(scene_of(p), n);
    uint32_t size = p->m.cfg.page_size;
    CHECK(p, x->id < p->m.nodes);
    CHECK(p, x->last_access == y->last && x->last_minus == y->minus && x->creation_time == y->created);
    CHECK(p, x->hit_count == y->hits && (int32_t)x->priority == y->priority && x->lock_ref == y->lock);
    for (uint32_t u = size; u <= x->len; u += size) {
        int row = n_find(&p->m, x->ns, path, start + u);
        CHECK(p, row >= 0 && p->m.own[row] == x->id);
        CHECK(p, memcmp(p->m.row[row].slot, slots + u - size, size * 4) == 0);
    }
}

static void compare_tree(struct pair *p)
{
    uint32_t path[N_RAW + 8], units = 0;
    const struct world *w = p->c.w;
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n)) {
        uint32_t start = node_start(w, n);
        CHECK(p, start + node_raw_len(w, n) <= N_RAW);
        memcpy(path + start, node_tokens(scene_of(p), n), node_raw_len(w, n) * 4);
        compare_node(p, n, start, path);
        units += w->node[n].len;
    }
    CHECK(p, units == p->m.rows * p->m.cfg.page_size);
    CHECK(p, w->head.evictable_size == n_sum(&p->m, false) && w->head.protected_size == n_sum(&p->m, true));
}

static void compare_pool(struct pair *p)
{
    const struct head *h = &p->c.w->head;
    CHECK(p, h->free_pages == p->m.free_n && h->side_pages == p->m.side_n);
    uint32_t page = h->free_first;
    for (uint32_t i = 0; i < p->m.free_n; i++, page = p->c.w->page[page])
        CHECK(p, page == p->m.free[i]);
    struct pool_sum s = pool_sums(p->c.w);
    CHECK(p, s.free + s.evictable + s.protected_ + s.held == s.pool);
    CHECK(p, s.slack < p->m.cfg.page_size * N_REQS);
}

static void compare_requests(struct pair *p)
{
    for (uint32_t i = 0; i < N_REQS; i++) {
        const struct n_request *q = &p->m.req[i];
        if (!q->live)
            continue;
        const struct request *r = &p->c.w->request[p->req[i]];
        CHECK(p, r->kv_len == q->kv && r->protected_len == q->prot && p->c.w->node[r->node].id == q->node);
        CHECK(p, memcmp(p->c.w->row_slot + r->row_off, q->row, q->kv * 4) == 0);
    }
}

/* Back to where the operation began and forward again, one step at a time. */
static void walk(struct pair *p, struct totals *sum)
{
    uint32_t from = p->cursor.at, to = tape_length(p->t, 0);
    cursor_seek(&p->cursor, 0, to);
    CHECK(p, world_equal(p->cursor.w, p->c.w) && world_equal(p->c.w, p->cursor.w));
    for (uint32_t n = to; n > from; n--)
        cursor_seek(&p->cursor, 0, n - 1);
    CHECK(p, world_equal(p->cursor.w, p->before));
    for (uint32_t n = from; n < to; n++)
        cursor_seek(&p->cursor, 0, n + 1);
    CHECK(p, world_equal(p->cursor.w, p->c.w));
    sum->steps += to - from;
}

static void compare(struct pair *p, struct totals *sum)
{
    struct err e = {0};
    CHECK(p, p->log.n == p->m.log.n && memcmp(p->log.v, p->m.log.v, p->log.n * 4) == 0);
    CHECK(p, p->c.w->head.clock == p->m.clock && p->c.w->head.next_id == p->m.nodes);
    compare_tree(p);
    compare_pool(p);
    compare_requests(p);
    if (world_check(scene_of(p), &e) != 0)
        fail_msg("SEED=%llu episode %lu operation %lu: %s", (unsigned long long)p->seed, p->episode, p->op, e.what);
    if (p->ep.record)
        walk(p, sum);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static uint32_t below(struct pair *p, uint32_t n)
{
    return prng_below(&p->rng, n);
}

static void random_tail(struct pair *p, struct key_text *k, uint32_t upto)
{
    for (; k->n < upto; k->n++)
        k->tok[k->n] = below(p, p->ep.alphabet);
}

static void old_key(struct pair *p, struct key_text *k)
{
    if (p->corpus_n > 0)
        *k = p->corpus[below(p, p->corpus_n)];
}

static uint32_t some_length(struct pair *p)
{
    return 1 + below(p, p->ep.max_len);
}

static void shared_key(struct pair *p, struct key_text *k)
{
    uint32_t which = below(p, 4), n = (1 + which) * p->ep.max_len / 8;
    memcpy(k->tok, p->shared[which], n * 4);
    k->n = n;
    random_tail(p, k, n + some_length(p) / 2);
}

/* An old key with one token changed somewhere: it leaves the tree inside an edge. */
static void diverging_key(struct pair *p, struct key_text *k)
{
    old_key(p, k);
    if (k->n == 0) {
        random_tail(p, k, some_length(p));
        return;
    }
    uint32_t at = below(p, k->n);
    k->tok[at] = (k->tok[at] + 1 + below(p, 5)) % (p->ep.alphabet + 5);
    if (below(p, 2) == 0) {
        k->n = at + 1;
        random_tail(p, k, at + 1 + below(p, p->ep.max_len - at));
    }
}

static void make_key(struct pair *p, struct key_text *k, struct totals *sum)
{
    enum keys how = p->ep.keys == KEYS_MIXED ? (enum keys)below(p, KEYS_MIXED) : p->ep.keys;
    if (p->ep.hard == HARD_SPLIT && below(p, 4) != 0)
        how = KEYS_DIVERGE;
    sum->keys[how]++;
    *k = (struct key_text){.ns = below(p, 3) == 0 ? p->space[below(p, SPACES)] : 0};
    switch (how) {
    case KEYS_SHARED: shared_key(p, k); break;
    case KEYS_DIVERGE: diverging_key(p, k); break;
    case KEYS_REPEAT:
        if (below(p, 3) > 0)
            old_key(p, k);
        break;
    case KEYS_PREFIX:
        old_key(p, k);
        k->n = k->n > 0 ? below(p, k->n) : 0;
        break;
    case KEYS_LONG: random_tail(p, k, p->ep.max_len); break;
    default: break;
    }
    if (k->n == 0)
        random_tail(p, k, some_length(p));
    p->corpus[p->corpus_n < CORPUS ? p->corpus_n++ : below(p, CORPUS)] = *k;
}

/* ---- operations ----------------------------------------------------------------------------------------------- */

static void begin(struct pair *p)
{
    struct err e = {0};
    if (cache_begin(&p->c, N_RAW + 64, &e) != 0)
        fail_msg("%s", e.what);
}

static void op_match(struct pair *p, struct totals *sum)
{
    struct key_text k;
    uint32_t slots[N_RAW], ours[N_RAW];
    make_key(p, &k, sum);
    uint32_t limit = below(p, 4) == 0 ? below(p, k.n + 1) : k.n;
    struct n_match f = n_match(&p->m, k.ns, k.tok, limit, slots);
    begin(p);
    struct key key = key_make(p->c.w, k.tok, k.n, limit, k.ns);
    struct match m = radix_match_prefix(&p->c, &key, 0);
    cache_end(&p->c);
    radix_path_slots(scene_of(p), m.node, ours);
    CHECK(p, m.units == f.units && p->c.w->node[m.node].id == f.node);
    CHECK(p, memcmp(ours, slots, m.units * 4) == 0);
}

static void evict_both(struct pair *p, uint32_t n)
{
    uint32_t freed, want = n_evict(&p->m, n);
    CHECK(p, evict(&p->c, n, 0, &freed));
    CHECK(p, freed == want);
}

static void op_evict(struct pair *p, struct totals *sum)
{
    (void)sum;
    begin(p);
    evict_both(p, below(p, 2 * p->m.cfg.page_size + 2));
    cache_end(&p->c);
}

/* All of the key's slots are fresh: what the tree had already comes back as duplicates. */
static void insert_fresh(struct pair *p, const struct key_text *k, uint32_t owned, uint32_t *slots)
{
    int32_t priority = (int32_t)below(p, 5) - 2;
    bool chunked = below(p, 4) == 0, classic = p->m.cfg.rules == RULES_CLASSIC;
    struct n_match f = n_insert(&p->m, k->ns, k->tok, k->n, slots, priority, chunked, owned);
    struct key key = key_make(p->c.w, k->tok, k->n, k->n, k->ns);
    struct match m = radix_insert(&p->c, &key, slots, priority, chunked, owned, 0);
    CHECK(p, m.units == f.units && p->c.w->node[m.node].id == f.node);
    if (classic && m.units > owned) {
        n_give(&p->m, slots + owned, m.units - owned);
        p->m.duplicates++;
        slots_free(&p->c, slots + owned, m.units - owned);
        CACHE_EMIT(&p->c, FREE_DUPLICATES, 0, m.units - owned, slots[owned], pool_free_slots(p->c.w));
    }
}

static void op_insert(struct pair *p, struct totals *sum)
{
    struct key_text k;
    uint32_t slots[N_RAW], ours[N_RAW];
    make_key(p, &k, sum);
    uint32_t units = n_units(&p->m, k.n);
    begin(p);
    if (n_free_slots(&p->m) < units)
        evict_both(p, units);
    bool had = n_take(&p->m, 0, 0, units, false, slots);
    CHECK(p, slots_alloc(&p->c, units, ours) == had);
    CACHE_EMIT(&p->c, TAKE, 0, units, had && units > 0 ? ours[0] : 0, pool_free_slots(p->c.w));
    if (had) {
        CHECK(p, memcmp(ours, slots, units * 4) == 0);
        insert_fresh(p, &k, 0, slots);
    }
    cache_end(&p->c);
}

static void op_lock(struct pair *p, struct totals *sum)
{
    struct key_text k;
    uint32_t slots[N_RAW];
    if (p->pins == PINS)
        return;
    make_key(p, &k, sum);
    struct n_match f = n_match(&p->m, k.ns, k.tok, k.n, slots);
    n_lock(&p->m, f.node, 1);
    begin(p);
    struct key key = key_make(p->c.w, k.tok, k.n, k.n, k.ns);
    struct match m = radix_match_prefix(&p->c, &key, 0);
    radix_pin(&p->c, m.node);
    CACHE_EMIT(&p->c, MATCHED, m.node, m.units, k.n, 0, 0);
    cache_end(&p->c);
    p->pin[p->pins].node = m.node;
    p->pin[p->pins++].id = f.node;
}

static void op_unlock(struct pair *p, struct totals *sum)
{
    (void)sum;
    if (p->pins == 0)
        return;
    uint32_t i = below(p, p->pins);
    n_lock(&p->m, p->pin[i].id, -1);
    begin(p);
    radix_unpin(&p->c, p->pin[i].node);
    CACHE_EMIT(&p->c, RELEASED, 0, 0);
    cache_end(&p->c);
    p->pin[i] = p->pin[--p->pins];
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static int some_request(struct pair *p, bool live)
{
    for (uint32_t i = 0, at = below(p, N_REQS); i < N_REQS; i++, at = (at + 1) % N_REQS)
        if (p->m.req[at].live == live)
            return (int)at;
    return -1;
}

static void op_start(struct pair *p, struct totals *sum)
{
    struct key_text k;
    int at = some_request(p, false);
    make_key(p, &k, sum);
    if (at < 0)
        return;
    struct n_request *q = &p->m.req[at];
    *q = (struct n_request){.n = k.n, .ns = k.ns, .priority = (int32_t)below(p, 3)};
    memcpy(q->tok, k.tok, k.n * 4);
    q->session = p->m.cfg.sessions && below(p, 2) == 0 ? p->session[below(p, SESSIONS)] : 0;
    struct n_match f = n_start(&p->m, q, k.n - 1);
    struct req_spec spec = {.tok = k.tok, .n = k.n, .cap = N_RAW, .max_new = 64, .ns = k.ns, .session = q->session,
                            .priority = q->priority};
    begin(p);
    uint32_t req = req_new(&p->c, &spec), extend = f.units + 1 + below(p, k.n - f.units), size = p->m.cfg.page_size;
    bool got;
    CHECK(p, req != 0);
    p->req[at] = req;
    req_set_state(&p->c, req, REQ_PREFILL, FINISH_NONE);
    struct match m = req_match_and_lock(&p->c, req, k.n - 1);
    CHECK(p, m.units == f.units && p->c.w->node[m.node].id == f.node);
    extend = below(p, 3) > 0 ? k.n : extend;
    bool admitted = n_admit(&p->m, q, extend);
    CHECK(p, req_alloc(&p->c, req, extend, extend - f.units + (size > 1 ? size : 0), &got));
    CHECK(p, got == admitted);
    if (!got) {
        req_unadmit(&p->c, req);
        req_set_state(&p->c, req, REQ_REFUSED, FINISH_NO_SLOTS);
        CACHE_EMIT(&p->c, REFUSE, req, extend, 0, FINISH_NO_SLOTS);
    }
    cache_end(&p->c);
}

/* A chunk more, or a token more behind a finished prompt. */
static void op_extend(struct pair *p, struct totals *sum)
{
    int at = some_request(p, true);
    (void)sum;
    if (at < 0 || p->m.req[at].kv + 1 >= N_RAW - 8)
        return;
    struct n_request *q = &p->m.req[at];
    uint32_t req = p->req[at], size = p->m.cfg.page_size;
    bool chunk = q->kv < q->n, got;
    uint32_t upto = chunk ? q->kv + 1 + below(p, q->n - q->kv) : q->kv + 1, need = upto - q->kv;
    uint32_t ask = chunk ? (size > 1 ? need + size : need) : size;
    begin(p);
    if (!chunk) {
        q->tok[q->n++] = below(p, p->ep.alphabet);
        req_push_token(&p->c, req, q->tok[q->n - 1]);
    }
    bool had = n_alloc(&p->m, q, upto, ask);
    CHECK(p, req_alloc(&p->c, req, upto, ask, &got) && got == had);
    CACHE_EMIT(&p->c, SAMPLE, req, q->tok[q->n - 1], q->n);
    cache_end(&p->c);
}

static void op_unfinished(struct pair *p, struct totals *sum)
{
    int at = some_request(p, true);
    (void)sum;
    if (at < 0)
        return;
    struct n_request *q = &p->m.req[at];
    bool chunked = q->kv < q->n;
    begin(p);
    n_unfinished(&p->m, q, q->kv, chunked);
    CHECK(p, req_cache_unfinished(&p->c, p->req[at], q->kv, chunked));
    cache_end(&p->c);
}

static void op_finish(struct pair *p, struct totals *sum)
{
    int at = some_request(p, true);
    (void)sum;
    if (at < 0)
        return;
    bool insert = below(p, 4) != 0;
    begin(p);
    n_finish(&p->m, &p->m.req[at], insert);
    req_set_state(&p->c, p->req[at], insert ? REQ_FINISHED : REQ_ABORTED, FINISH_LENGTH);
    CHECK(p, req_cache_finished(&p->c, p->req[at], p->c.w->request[p->req[at]].kv_len, insert));
    cache_end(&p->c);
}

static void op_close(struct pair *p, struct totals *sum)
{
    if (!p->m.cfg.sessions || below(p, 8) != 0 || p->m.closed_n == 60)
        return;
    uint32_t which = below(p, SESSIONS), nodes, gone = n_close(&p->m, p->session[which]);
    begin(p);
    CHECK(p, req_close_session(&p->c, p->session[which], NULL, NULL, &nodes) && nodes == gone);
    cache_end(&p->c);
    sum->closed += nodes;
    char name[24];
    snprintf(name, sizeof name, "session %u", ++p->session_no);
    p->session[which] = store_intern(p->c.s, name); /* a closed one is never tagged again */
}

/* ---- episodes ------------------------------------------------------------------------------------------------------ */

/* Some stand more than once: trees should be full and requests should end. */
static void (*const OPS[])(struct pair *, struct totals *) = {
    op_match, op_match,  op_insert,     op_insert,     op_insert, op_evict,  op_lock,  op_unlock, op_start,
    op_start, op_extend, op_unfinished, op_unfinished, op_finish, op_finish, op_close,
};

static struct episode some_episode(struct prng *r)
{
    static const uint32_t sizes[] = {1, 2, 4, 16, 64};
    struct episode ep = {.keys = (enum keys)prng_below(r, KEYS_COUNT), .hard = (enum hard)prng_below(r, HARD_COUNT)};
    uint32_t size = sizes[prng_below(r, ARRAY_LEN(sizes))];
    uint32_t pages = ep.hard == HARD_EVICT ? 4 + prng_below(r, 8) : ep.hard == HARD_GROW ? 150 : 16 + prng_below(r, 60);
    ep.cfg = (struct world_config){.page_size = size, .pool = pages * size, .policy = prng_below(r, POLICY_COUNT),
                                   .rules = prng_below(r, 2), .bigram = prng_below(r, 2) == 0,
                                   .need_sort = prng_below(r, 4) == 0};
    ep.cfg.sessions = prng_below(r, 4) == 0;
    ep.alphabet = ep.keys == KEYS_TINY || prng_below(r, 3) == 0 ? 2 + prng_below(r, 2) : 1000;
    uint32_t most = size * (ep.keys == KEYS_LONG ? 24 : ep.hard == HARD_GROW ? 3 : 8) + 2;
    ep.max_len = most < 200 ? most : 200;
    ep.record = prng_below(r, 4) == 0;
    return ep;
}

static void pair_init(struct pair *p, const struct episode *ep, uint64_t seed, unsigned long episode)
{
    struct err e = {0};
    memset(p, 0, sizeof *p);
    p->ep = *ep;
    p->seed = seed;
    p->episode = episode;
    prng_seed(&p->rng, seed * 1000003 + episode);
    p->t = tape_new(&ep->cfg, &e);
    assert_non_null(p->t);
    tape_record(p->t, ep->record);
    assert_int_equal(cache_init(&p->c, p->t, &e), 0);
    p->c.listen = (struct cache_listener){p, hear_freed, NULL, hear_removed, NULL};
    n_init(&p->m, &ep->cfg);
    static const char *const spaces[SPACES] = {"A", "B", ""};
    for (uint32_t i = 0; i < SPACES; i++)
        p->space[i] = store_intern(p->c.s, spaces[i]);
    for (; p->session_no < SESSIONS; p->session_no++)
        p->session[p->session_no] = store_intern(p->c.s, (const char *[]){"s0", "s1", "s2", "s3"}[p->session_no]);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t k = 0; k < N_RAW; k++)
            p->shared[i][k] = below(p, ep->alphabet);
    if (ep->record) {
        p->before = world_new(&ep->cfg, &e);
        assert_non_null(p->before);
        assert_int_equal(cursor_init(&p->cursor, p->t, &e), 0);
    }
}

static void add_totals(struct totals *sum, const struct naive *m)
{
    sum->splits += m->splits;
    sum->evictions += m->evictions;
    sum->duplicates += m->duplicates;
    sum->refused += m->refused;
    sum->merges += m->merges;
}

/* The tape from its beginning gives the live world; then everything is given back. */
static void pair_done(struct pair *p, struct totals *sum)
{
    if (p->ep.record) {
        cursor_seek(&p->cursor, 0, 0);
        cursor_seek(&p->cursor, 0, tape_length(p->t, 0));
        CHECK(p, world_equal(p->cursor.w, p->c.w));
        cursor_done(&p->cursor);
        world_free(p->before);
    }
    add_totals(sum, &p->m);
    cache_done(&p->c);
    tape_free(p->t);
    n_done(&p->m);
}

static void one_op(struct pair *p, struct totals *sum)
{
    struct err e = {0};
    uint32_t kind = below(p, ARRAY_LEN(OPS));
    p->log.n = p->m.log.n = 0;
    if (p->ep.record)
        world_copy(p->before, p->c.w);
    if (p->ep.hard == HARD_GROW && below(p, 16) == 0) { /* index and order begin at their smallest again */
        struct cache_listener listen = p->c.listen;
        cache_done(&p->c);
        assert_int_equal(cache_init(&p->c, p->t, &e), 0);
        p->c.listen = listen;
    }
    if (!p->ep.record && below(p, 32) == 0)
        cache_compact(&p->c);
    OPS[kind](p, sum);
    if (p->ep.hard == HARD_EVICT) {
        begin(p);
        evict_both(p, 1);
        cache_end(&p->c);
    }
    sum->kind[kind]++;
    compare(p, sum);
}

static void run_episode(const struct episode *ep, uint64_t seed, unsigned long number, unsigned long ops,
                        struct totals *sum)
{
    static struct pair p; /* half a megabyte */
    pair_init(&p, ep, seed, number);
    for (p.op = 0; p.op < ops; p.op++)
        one_op(&p, sum);
    sum->ops += ops;
    pair_done(&p, sum);
}

static unsigned long env_number(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoul(text, NULL, 10) : otherwise;
}

static void check_totals(const struct totals *sum)
{
    assert_true(sum->splits > 50 && sum->evictions > 50 && sum->duplicates > 20 && sum->refused > 5);
    assert_true(sum->merges > 0 && sum->steps > 100 && sum->closed > 0);
    for (size_t i = 0; i < ARRAY_LEN(OPS); i++)
        assert_true(sum->kind[i] > 0);
    for (size_t i = 0; i < KEYS_MIXED; i++)
        assert_true(sum->keys[i] > 0);
}

static void test_random_operations(void **state)
{
    unsigned long iters = env_number("ITERS", 200000), seed = env_number("SEED", 1), per = 300;
    struct totals sum = {0};
    struct prng r;
    (void)state;
    prng_seed(&r, seed);
    for (unsigned long n = 0; sum.ops < iters; n++) {
        struct episode ep = some_episode(&r);
        run_episode(&ep, seed, n, ep.record ? per : 4 * per, &sum);
        if (iters >= 1000000 && n % 1000 == 999)
            print_message("  %lu operations\n", sum.ops);
    }
    print_message("  %lu operations: %lu splits, %lu evictions, %lu duplicates freed, %lu refused, %lu sorted "
                  "merges, %lu steps back and forth\n",
                  sum.ops, sum.splits, sum.evictions, sum.duplicates, sum.refused, sum.merges, sum.steps);
    check_totals(&sum);
}

/* Every combination once, so that none depends on luck. */
static void test_every_setting(void **state)
{
    static const uint32_t sizes[] = {1, 2, 4, 16, 64};
    struct totals sum = {0};
    unsigned long cases = 0;
    (void)state;
    for (uint32_t k = 0; k < ARRAY_LEN(sizes) * 2 * 2 * POLICY_COUNT; k++) {
        struct episode ep = {.keys = KEYS_MIXED, .hard = (enum hard)(k % HARD_COUNT), .alphabet = 3, .record = k % 5 == 0};
        ep.cfg = (struct world_config){.page_size = sizes[k / 4 / POLICY_COUNT], .policy = k / 4 % POLICY_COUNT,
                                       .rules = k & 1, .bigram = (k & 2) != 0};
        ep.cfg.pool = ep.cfg.page_size * 40;
        ep.max_len = 4 * ep.cfg.page_size + 8 < 200 ? 4 * ep.cfg.page_size + 8 : 200;
        run_episode(&ep, 1, k, 60, &sum);
        cases++;
    }
    assert_int_equal(cases, 140);
    assert_int_equal(sum.ops, cases * 60);
    assert_true(sum.splits > 0 && sum.evictions > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_setting),
        cmocka_unit_test(test_random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
