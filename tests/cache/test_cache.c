/* The cache as a reader meets it: the worked example of radix.h, the cache switched off, reset, the names
 * of pages, candidates, and what happens when something is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/kvevents.h"
#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "engine/engine.h"
#include "tape/check.h"

enum { THE = 1, CAT, SAT, RAN, FAST };

static struct engine *engine_of(const struct world_config *cfg)
{
    struct engine_config c = {.world = *cfg};
    struct err e = {0};
    struct engine *en = engine_new(&c, &e);
    assert_non_null(en);
    return en;
}

static void sound(struct engine *en)
{
    struct err e = {0};
    struct pool_sum s = pool_sums(tape_world(engine_tape(en)));
    if (world_check(tape_scene(engine_tape(en)), &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(s.free + s.evictable + s.protected_ + s.held, s.pool);
}

static void insert(struct engine *en, const uint32_t *tok, uint32_t n, uint32_t matched, uint32_t added)
{
    struct err e = {0};
    uint32_t m, a;
    if (engine_insert(en, tok, n, NULL, 0, &m, &a, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(m, matched);
    assert_int_equal(a, added);
    sound(en);
}

/* ---- the worked example of radix.h --------------------------------------------------------------------------- */

static uint32_t find_step(struct engine *en, uint32_t from, int kind)
{
    return tape_find_kind(engine_tape(en), 0, from, 1, kind);
}

static void slots_are(struct engine *en, uint32_t node, const uint32_t *slots, uint32_t n)
{
    assert_int_equal(tape_world(engine_tape(en))->node[node].len, n);
    assert_memory_equal(node_slots(tape_scene(engine_tape(en)), node), slots, n * sizeof *slots);
}

static void test_the_cat_sat(void **state)
{
    struct world_config cfg = {.pool = 16, .page_size = 1};
    struct engine *en = engine_of(&cfg);
    const struct world *w = tape_world(engine_tape(en));
    struct err e = {0};
    uint32_t matched, c;
    (void)state;
    insert(en, (const uint32_t[]){THE, CAT, SAT}, 3, 0, 3);
    uint32_t a = w->node[ROOT].first_child, before = tape_length(engine_tape(en), 0);
    slots_are(en, a, (const uint32_t[]){1, 2, 3}, 3);
    insert(en, (const uint32_t[]){THE, CAT, RAN}, 3, 2, 1);
    uint32_t split = find_step(en, before, EV_SPLIT), leaf = find_step(en, before, EV_LEAF);
    assert_true(split != 0 && split < leaf); /* I3 before I4 */
    uint32_t b = w->node[ROOT].first_child;
    assert_int_equal(w->node[a].id, 1); /* handles stay valid */
    assert_int_equal(w->node[b].id, 2);
    assert_int_equal(w->node[a].parent, b);
    slots_are(en, b, (const uint32_t[]){1, 2}, 2);
    slots_are(en, a, (const uint32_t[]){3}, 1);
    if (engine_match(en, (const uint32_t[]){THE, CAT, RAN, FAST}, 4, NULL, &matched, &c, &e) != 0)
        fail_msg("%s", e.what);
    assert_int_equal(matched, 3);
    assert_int_equal(w->node[c].id, 3);
    assert_int_equal(w->node[a].next, c); /* in the order in which they came */
    slots_are(en, c, (const uint32_t[]){4}, 1);
    /* a match that ends inside "the cat" splits it, and stamps what it did not match, too */
    engine_match(en, (const uint32_t[]){THE, RAN}, 2, NULL, &matched, &c, &e);
    assert_int_equal(matched, 1);
    assert_int_equal(w->node[c].id, 4);
    assert_int_equal(w->node[b].parent, c);
    assert_int_equal(w->node[b].last_access, w->node[ROOT].last_access);
    assert_true(w->node[c].last_access > w->node[b].last_access);
    engine_free(en);
}

/* ---- candidates -------------------------------------------------------------------------------------------------- */

static void test_candidates_hang_on_the_eviction(void **state)
{
    struct world_config cfg = {.pool = 64, .page_size = 1};
    struct engine *en = engine_of(&cfg);
    struct err e = {0};
    uint32_t freed, matched, node;
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        insert(en, (const uint32_t[]){100 + i, 1, 2}, 3, 0, 3);
    for (uint32_t i = 0; i < 3; i++) /* the first three are used again: they are the last now */
        engine_match(en, (const uint32_t[]){100 + i, 1, 2}, 3, NULL, &matched, &node, &e);
    uint32_t before = tape_length(engine_tape(en), 0);
    assert_int_equal(engine_evict(en, 5, &freed, &e), 0);
    assert_int_equal(freed, 6); /* whole nodes */
    uint32_t at = find_step(en, before, EV_EVICT), victim = find_step(en, before, EV_VICTIM);
    struct observation o;
    struct step s;
    assert_true(tape_observation(engine_tape(en), 0, at, 0, &o));
    assert_int_equal(o.kind, OBS_CANDIDATES);
    assert_int_equal(o.bytes, 16 * sizeof(struct obs_candidate));
    const struct obs_candidate *c = o.data;
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(c[i].id, 4 + i); /* 4 … 19: made in this order, 1 to 3 come last */
        assert_true(i == 0 || c[i - 1].key[1] < c[i].key[1]);
        assert_true(c[i].units == 3 && c[i].locked == 0);
    }
    tape_step(engine_tape(en), 0, at, &s);
    assert_int_equal(s.arg[event_arg(EV_EVICT, "leaves")], 20); /* how many there were */
    tape_step(engine_tape(en), 0, victim, &s);
    assert_int_equal(s.arg[0], c[0].node);
    engine_free(en);
}

/* ---- the cache switched off ------------------------------------------------------------------------------------- */

static void test_cache_off(void **state)
{
    struct world_config cfg = {.pool = 32, .page_size = 4, .disabled = true};
    struct engine *en = engine_of(&cfg);
    struct cache *c = engine_cache(en);
    struct err e = {0};
    uint32_t tok[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, matched, node, freed;
    (void)state;
    for (int round = 0; round < 3; round++) { /* the same prompt never finds itself */
        bool got;
        struct req_spec spec = {.tok = tok, .n = 12, .cap = 20, .max_new = 4};
        assert_int_equal(cache_begin(c, 32, &e), 0);
        uint32_t req = req_new(c, &spec);
        req_set_state(c, req, REQ_PREFILL, FINISH_NONE);
        assert_int_equal(req_match_and_lock(c, req, 11).units, 0);
        assert_true(req_alloc(c, req, 12, 12, &got) && got);
        cache_end(c);
        sound(en);
        assert_int_equal(cache_begin(c, 32, &e), 0);
        assert_true(req_cache_unfinished(c, req, 12, false));
        cache_end(c);
        assert_int_equal(pool_sums(c->w).held, 12);
        assert_int_equal(cache_begin(c, 32, &e), 0);
        req_set_state(c, req, REQ_FINISHED, FINISH_LENGTH);
        assert_true(req_cache_finished(c, req, 12, true));
        cache_end(c);
        sound(en);
        assert_int_equal(pool_free_slots(c->w), 32);
        assert_int_equal(c->w->head.node_count, 1);
    }
    insert(en, tok, 12, 0, 0);
    assert_int_equal(engine_match(en, tok, 12, NULL, &matched, &node, &e), 0);
    assert_true(matched == 0 && node == ROOT);
    assert_int_equal(engine_evict(en, 4, &freed, &e), 0);
    assert_int_equal(freed, 0);
    engine_free(en);
}

/* ---- reset ---------------------------------------------------------------------------------------------------------- */

static void count_cleared(void *ctx)
{
    ++*(int *)ctx;
}

static void test_reset(void **state)
{
    struct world_config cfg = {.pool = 32, .page_size = 4};
    struct engine *en = engine_of(&cfg);
    struct cache *c = engine_cache(en);
    struct err e = {0};
    int cleared = 0;
    uint32_t tok[16] = {1, 2, 3, 4, 5, 6, 7, 8}, node, at;
    (void)state;
    c->listen.ctx = &cleared;
    c->listen.cleared = count_cleared;
    insert(en, tok, 8, 0, 8);
    assert_int_equal(engine_lock(en, tok, 8, NULL, &node, &e), 0);
    assert_int_equal(engine_reset(en, &e), -1); /* somebody holds a node */
    assert_non_null(strstr(e.what, "cannot be reset"));
    err_clear(&e);
    assert_int_equal(engine_unlock(en, node, &e), 0);
    assert_int_equal(engine_reset(en, &e), 0);
    sound(en);
    assert_int_equal(cleared, 1);
    assert_int_equal(pool_free_slots(c->w), 32);
    assert_int_equal(c->w->node[ROOT].id, 2); /* ids go on */
    assert_int_equal((int32_t)c->w->node[ROOT].priority, ROOT_PRIORITY);
    assert_int_equal(c->w->head.free_first, 1);
    at = tape_length(engine_tape(en), 0);
    insert(en, tok, 8, 0, 8); /* and everything begins again */
    struct cursor cur;
    assert_int_equal(cursor_init(&cur, engine_tape(en), &e), 0);
    cursor_seek(&cur, 0, at - 1);
    assert_int_equal(cur.w->node[ROOT].child_count, 1); /* the moment before the reset is still there */
    cursor_done(&cur);
    engine_free(en);
}

/* ---- the names of pages ------------------------------------------------------------------------------------------------ */

static void test_names_of_pages(void **state)
{
    struct world_config plain = {.pool = 16, .page_size = 2}, pairs = {.pool = 16, .page_size = 2, .bigram = true};
    struct err e = {0};
    struct world *w = world_new(&plain, &e), *b = world_new(&pairs, &e);
    const uint32_t four[] = {1, 2, 3, 4}, five[] = {5, 6, 7, 8, 9};
    (void)state;
    struct page_hash first = page_hash_next(w, NULL, four), second = page_hash_next(w, &first, four + 2);
    assert_true(page_hash_id(&first) == 3817746824117602890 && page_hash_id(&second) == -4216701448867210342);
    first = page_hash_next(b, NULL, five);
    second = page_hash_next(b, &first, five + 2);
    assert_true(page_hash_id(&first) == -9126664957108753978 && page_hash_id(&second) == 2949541632292197550);
    world_free(w);
    world_free(b);
}

/* ---- what is full ------------------------------------------------------------------------------------------------------- */

static void test_history_is_full(void **state)
{
    struct world_config cfg = {.pool = 64, .page_size = 1};
    struct engine *en = engine_of(&cfg);
    struct cache *c = engine_cache(en);
    struct err e = {0};
    uint32_t m, a, tok[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    (void)state;
    insert(en, tok, 4, 0, 4);
    uint64_t hash = world_hash(c->w);
    uint32_t top = c->s->token_top;
    c->s->token_top = STORE_UNITS - 10; /* as after very many inserts */
    assert_int_equal(engine_insert(en, tok, 8, NULL, 0, &m, &a, &e), -1);
    assert_non_null(strstr(e.what, "history is full"));
    assert_true(e.hint[0] != '\0');
    assert_true(world_hash(c->w) == hash);
    c->s->token_top = top;
    insert(en, tok, 8, 4, 4);
    err_clear(&e);
    tape_limit(engine_tape(en), 1000);
    for (uint32_t i = 0; i < 100 && !e.set; i++)
        engine_match(en, tok, 8, NULL, &m, &a, &e);
    assert_non_null(strstr(e.what, "history is full"));
    sound(en);
    engine_free(en);
}

/* Without a tape the store follows the live tree: many times its size goes through it. */
static void test_memory_follows_the_tree(void **state)
{
    struct world_config cfg = {.pool = 4096, .page_size = 1, .bigram = true};
    struct engine *en = engine_of(&cfg);
    struct cache *c = engine_cache(en);
    struct err e = {0};
    uint32_t tok[600], m, a, most = 0;
    uint64_t through = 0;
    (void)state;
    tape_record(engine_tape(en), false);
    for (uint32_t i = 0; i < 3000; i++) {
        for (uint32_t k = 0; k < 600; k++)
            tok[k] = k < 100 ? i % 3 : i * 7919 + k;
        assert_int_equal(engine_insert(en, tok, 600, NULL, 0, &m, &a, &e), 0);
        through += a;
        most = c->s->token_top > most ? c->s->token_top : most;
        if (i % 100 == 0)
            sound(en);
    }
    assert_true(through > 1000000);
    assert_true(most < 2 * 4096 + (1 << 16) + 2000);
    sound(en);
    engine_free(en);
}

/* More requests than a world has entries, never none: without a tape the ended ones' are used again. */
static void test_requests_without_end(void **state)
{
    struct world_config cfg = {.pool = 64, .page_size = 1};
    struct engine *en = engine_of(&cfg);
    struct cache *c = engine_cache(en);
    struct err e = {0};
    uint32_t tok[4] = {1, 2, 3, 4}, last = 0;
    bool got;
    (void)state;
    tape_record(engine_tape(en), false);
    for (uint32_t i = 0; i < WORLD_REQUESTS + 1000; i++) {
        struct req_spec spec = {.tok = tok, .n = 4, .cap = 8, .max_new = 2};
        tok[3] = i;
        assert_int_equal(cache_begin(c, 16, &e), 0);
        uint32_t req = req_new(c, &spec);
        assert_true(req != 0 && req != last);
        req_set_state(c, req, REQ_PREFILL, FINISH_NONE);
        req_match_and_lock(c, req, 3);
        assert_true(req_alloc(c, req, 4, 4, &got) && got);
        if (last != 0) {
            req_set_state(c, last, REQ_FINISHED, FINISH_LENGTH);
            assert_true(req_cache_finished(c, last, 4, true));
        }
        cache_end(c);
        assert_int_equal(c->w->request[req].rid, i + 1);
        last = req;
    }
    sound(en);
    engine_free(en);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_cat_sat),
        cmocka_unit_test(test_candidates_hang_on_the_eviction),
        cmocka_unit_test(test_cache_off),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_names_of_pages),
        cmocka_unit_test(test_history_is_full),
        cmocka_unit_test(test_memory_follows_the_tree),
        cmocka_unit_test(test_requests_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
