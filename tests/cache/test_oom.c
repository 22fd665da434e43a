/* No memory, at every allocation of every operation: once, and from then on. The state afterwards is the
 * state before (with a tape), every invariant holds, and the same operation then succeeds with the result
 * it would have had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "cache/cache.h"
#include "cache/compact.h"
#include "cache/req.h"
#include "engine/engine.h"
#include "tape/check.h"

enum { LONG = 3000 };

/* The state that every operation starts from: a tree under pressure, a running request, a lock. */
struct scene_of_crime {
    struct engine *en;
    struct cache *c;
    uint32_t locked, req;
    uint32_t tok[LONG];
};

static void keys_from(struct scene_of_crime *s, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        s->tok[i] = first + i;
}

static void must(int rc, const struct err *e)
{
    if (rc < 0)
        fail_msg("%s", e->what);
}

static void begin_request(struct scene_of_crime *s)
{
    struct err e = {0};
    bool got;
    keys_from(s, 100, 24);
    struct req_spec spec = {.tok = s->tok, .n = 24, .cap = 64, .max_new = 8, .session = store_intern(s->c->s, "chat")};
    must(cache_begin(s->c, 64, &e), &e);
    s->req = req_new(s->c, &spec);
    req_set_state(s->c, s->req, REQ_PREFILL, FINISH_NONE);
    req_match_and_lock(s->c, s->req, 23);
    assert_true(req_alloc(s->c, s->req, 24, 24, &got) && got);
    cache_end(s->c);
}

static void arrange(struct scene_of_crime *s, bool record)
{
    struct engine_config cfg = {.world = {.pool = 4096, .page_size = 4, .sessions = true, .policy = POLICY_PRIORITY}};
    struct err e = {0};
    uint32_t a, b;
    s->en = engine_new(&cfg, &e);
    assert_non_null(s->en);
    s->c = engine_cache(s->en);
    tape_record(engine_tape(s->en), record);
    for (uint32_t i = 0; i < 20; i++) {
        keys_from(s, i * 7 % 5 * 100, 16 + i);
        s->tok[15] = 5000 + i;
        must(engine_insert(s->en, s->tok, 16 + i, i % 3 == 0 ? "tenant" : NULL, (int32_t)i % 3, &a, &b, &e), &e);
    }
    keys_from(s, 100, 12);
    must(engine_lock(s->en, s->tok, 12, NULL, &s->locked, &e), &e);
    begin_request(s);
    cache_done(s->c); /* every operation begins without index, order and scratch */
    must(cache_init(s->c, engine_tape(s->en), &e), &e);
}

static void clear_away(struct scene_of_crime *s)
{
    engine_free(s->en);
}

/* ---- the operations: -1 and *e, or 0 (or 1, a result of the domain) ------------------------------------------ */

static int do_match(struct scene_of_crime *s, struct err *e)
{
    uint32_t a, b;
    keys_from(s, 100, LONG);
    return engine_match(s->en, s->tok, LONG, "fresh tenant", &a, &b, e);
}

static int do_insert(struct scene_of_crime *s, struct err *e)
{
    uint32_t a, b;
    keys_from(s, 100, LONG);
    s->tok[9] = 1;
    return engine_insert(s->en, s->tok, LONG, NULL, 1, &a, &b, e);
}

/* Larger than what is free: it evicts on demand. */
static int do_crowded_insert(struct scene_of_crime *s, struct err *e)
{
    uint32_t a, b;
    int rc = 0;
    for (uint32_t i = 0; i < 2 && rc == 0; i++) {
        keys_from(s, 9000 * (i + 1), 2000);
        rc = engine_insert(s->en, s->tok, 2000, NULL, 0, &a, &b, e);
    }
    return rc;
}

static int do_evict(struct scene_of_crime *s, struct err *e)
{
    uint32_t freed;
    return engine_evict(s->en, 200, &freed, e);
}

static int do_lock(struct scene_of_crime *s, struct err *e)
{
    uint32_t node;
    keys_from(s, 200, 10);
    return engine_lock(s->en, s->tok, 10, NULL, &node, e);
}

static int do_unlock(struct scene_of_crime *s, struct err *e)
{
    return engine_unlock(s->en, s->locked, e);
}

static int do_set_policy(struct scene_of_crime *s, struct err *e)
{
    return engine_set_policy(s->en, POLICY_MRU, e);
}

static int do_note(struct scene_of_crime *s, struct err *e)
{
    return engine_note(s->en, "a word to the reader", e);
}

static int do_unfinished(struct scene_of_crime *s, struct err *e)
{
    if (cache_begin(s->c, 24, e) != 0)
        return -1;
    if (!req_cache_unfinished(s->c, s->req, 24, true))
        return cache_fail(s->c, e);
    cache_end(s->c);
    return 0;
}

static int do_alloc(struct scene_of_crime *s, struct err *e)
{
    bool got;
    if (cache_begin(s->c, 40, e) != 0)
        return -1;
    if (!req_alloc(s->c, s->req, 60, 4096, &got))
        return cache_fail(s->c, e);
    cache_end(s->c);
    return 0;
}

static int do_finish(struct scene_of_crime *s, struct err *e)
{
    if (cache_begin(s->c, 24, e) != 0)
        return -1;
    req_set_state(s->c, s->req, REQ_FINISHED, FINISH_LENGTH);
    if (!req_cache_finished(s->c, s->req, 24, true))
        return cache_fail(s->c, e);
    cache_end(s->c);
    return 0;
}

static int do_close(struct scene_of_crime *s, struct err *e)
{
    uint32_t nodes;
    if (cache_begin(s->c, 64, e) != 0)
        return -1;
    if (!req_close_session(s->c, store_find(s->c->s, "chat"), NULL, NULL, &nodes))
        return cache_fail(s->c, e);
    cache_end(s->c);
    return 0;
}

static int do_act_at(struct scene_of_crime *s, struct err *e)
{
    if (!tape_recording(s->c->t))
        return do_note(s, e);
    uint32_t at = tape_length(s->c->t, 0), a, b;
    int rc = engine_act_at(s->en, 0, at > 20 ? tape_find_kind(s->c->t, 0, at - 20, -1, -1) : 0, e);
    keys_from(s, 7000, 30);
    return rc < 0 ? -1 : engine_insert(s->en, s->tok, 30, NULL, 0, &a, &b, e);
}

static const struct {
    const char *name;
    int (*run)(struct scene_of_crime *s, struct err *e);
    bool parts; /* more than one operation: an earlier part may stand when a later one fails */
} OPERATIONS[] = {
    {"match", do_match, false},           {"insert", do_insert, false}, {"crowded insert", do_crowded_insert, true},
    {"evict", do_evict, false},           {"lock", do_lock, false},     {"unlock", do_unlock, false},
    {"set policy", do_set_policy, false}, {"note", do_note, false},     {"cache_unfinished_req", do_unfinished, false},
    {"alloc", do_alloc, false},           {"close session", do_close, false},
    {"cache_finished_req", do_finish, false}, {"act at", do_act_at, true},
};

/* ---- the sweep --------------------------------------------------------------------------------------------------- */

static void holds(const struct scene_of_crime *s, const char *name)
{
    struct err e = {0};
    if (world_check((struct scene){s->c->w, s->c->s}, &e) != 0)
        fail_msg("after %s: %s", name, e.what);
}

/* One injection; returns false when the operation asked for fewer allocations than n. */
static bool inject(size_t op, unsigned long n, bool forever, bool record, uint64_t expect, unsigned long *injected)
{
    static struct scene_of_crime s;
    struct world_config cfg = {.pool = 4096, .page_size = 4, .sessions = true};
    struct err e = {0};
    arrange(&s, record);
    struct world *before = world_new(&cfg, &e);
    assert_non_null(before);
    world_copy(before, s.c->w);
    xalloc_fail_at(n, forever);
    int rc = OPERATIONS[op].run(&s, &e);
    unsigned long failures = xalloc_failures();
    xalloc_fail_at(0, false);
    *injected += failures;
    holds(&s, OPERATIONS[op].name);
    assert_int_equal(rc < 0, e.set);
    if (rc < 0 && record && !OPERATIONS[op].parts) {
        assert_true(world_equal(before, s.c->w) && world_equal(s.c->w, before));
        err_clear(&e);
        must(OPERATIONS[op].run(&s, &e), &e); /* now it can */
    }
    if (rc >= 0 || (record && !OPERATIONS[op].parts))
        assert_true(world_hash(s.c->w) == expect);
    holds(&s, OPERATIONS[op].name);
    world_free(before);
    clear_away(&s);
    return failures > 0;
}

static uint64_t undisturbed(size_t op, bool record)
{
    static struct scene_of_crime s;
    struct err e = {0};
    arrange(&s, record);
    must(OPERATIONS[op].run(&s, &e), &e);
    uint64_t hash = world_hash(s.c->w);
    clear_away(&s);
    return hash;
}

static void sweep(bool record)
{
    unsigned long all = 0;
    size_t cases = 0;
    for (size_t op = 0; op < ARRAY_LEN(OPERATIONS); op++, cases++) {
        uint64_t expect = undisturbed(op, record);
        unsigned long injected = 0;
        for (int forever = 0; forever < 2; forever++)
            for (unsigned long n = 1; inject(op, n, forever, record, expect, &injected); n++)
                assert_true(n < 1000);
        if (injected == 0)
            fail_msg("%s asked for no memory: nothing was tried", OPERATIONS[op].name);
        all += injected;
    }
    assert_int_equal(cases, 13);
    assert_true(all > 30);
    print_message("  %lu failures injected into %zu operations %s\n", all, cases, record ? "with a tape" : "without");
}

static void test_with_a_tape(void **state)
{
    (void)state;
    sweep(true);
}

static void test_without_a_tape(void **state)
{
    (void)state;
    sweep(false);
}

static void test_opening(void **state)
{
    struct engine_config cfg = {.world = {.pool = 64, .page_size = 1}};
    unsigned long injected = 0;
    (void)state;
    for (int forever = 0; forever < 2; forever++)
        for (unsigned long n = 1;; n++) {
            struct err e = {0};
            xalloc_fail_at(n, forever);
            struct engine *en = engine_new(&cfg, &e);
            unsigned long failures = xalloc_failures();
            xalloc_fail_at(0, false);
            injected += failures;
            assert_int_equal(en == NULL, e.set);
            assert_true(en != NULL || failures > 0); /* the skip index alone can do without */
            engine_free(en);
            if (failures == 0)
                break;
        }
    assert_true(injected > 20);
}

/* Compaction without memory leaves the store as it is, and nothing else changes. */
static void test_compaction(void **state)
{
    static struct scene_of_crime s;
    struct err e = {0};
    uint32_t freed;
    (void)state;
    arrange(&s, false);
    must(engine_evict(s.en, 60, &freed, &e), &e);
    uint64_t hash = world_hash(s.c->w);
    uint32_t top = s.c->s->token_top;
    xalloc_fail_at(1, true);
    cache_compact(s.c);
    assert_int_equal(xalloc_failures(), 1);
    xalloc_fail_at(0, false);
    assert_true(world_hash(s.c->w) == hash && s.c->s->token_top == top);
    cache_compact(s.c);
    assert_true(s.c->s->token_top < top);
    assert_int_equal(s.c->s->token_top, s.c->w->head.evictable_size + s.c->w->head.protected_size);
    holds(&s, "compaction");
    clear_away(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_a_tape),
        cmocka_unit_test(test_without_a_tape),
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_compaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
