/* The layout of the world: the arithmetic that world.h's head comment promises, and what a new world is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "tape/check.h"
#include "tape/tape_io.h"

#define MIB (1024.0 * 1024.0)

static double mib(size_t bytes)
{
    return (double)bytes / MIB;
}

static void test_arithmetic_of_the_header(void **state)
{
    (void)state;
    struct world *w = NULL; /* only sizes are taken */
    assert_true(mib(sizeof w->node) == 160.0);
    assert_true(mib(sizeof w->page) == 128.0);
    assert_true(mib(sizeof w->kv) == 128.0);
    assert_true(mib(sizeof w->row_token + sizeof w->row_slot) == 512.0);
    assert_true(mib(sizeof w->request) == 8.0);
    assert_true(mib(sizeof w->tag) == 16.0);
    assert_true(mib((size_t)STORE_UNITS * 8) == 2048.0);
    assert_true((int)mib(1000000 * sizeof(struct node)) == 76);
    assert_true(WORLD_NODES > 2 * 1000000);
    assert_true(STORE_UNITS >= 40000ull * 6000); /* "40,000 inserts of 6,000 new tokens" */
    assert_true((uint64_t)WORLD_WORDS * 4 == sizeof(struct world));
    assert_true(sizeof(struct world) / 4 < UINT32_MAX); /* a word's number fits into a word */
}

/* Words and names are the same memory: undo writes by word what the cache writes by name. */
static void test_words_and_names(void **state)
{
    struct world_config cfg = {.pool = 64, .page_size = 64};
    struct err e = {0};
    (void)state;
    struct world *w = world_new(&cfg, &e);
    assert_non_null(w);
    uint32_t *last = &w->served[WORLD_REQUESTS - 1].spare[1];
    assert_ptr_equal(last, &w->word[WORLD_WORDS - 1]);
    w->word[offsetof(struct world, node) / 4 + 20 * 5] = 77;
    assert_int_equal(w->node[5].id, 77);
    world_free(w);
}

static void test_a_new_world(void **state)
{
    static const uint32_t sizes[] = {1, 2, 4, 16, 64};
    struct store *s;
    struct err e = {0};
    size_t cases = 0;
    (void)state;
    s = store_new(&e);
    assert_non_null(s);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++, cases++) {
        struct world_config cfg = {.pool = 640, .page_size = sizes[i], .rules = i % 2};
        struct world *w = world_new(&cfg, &e);
        assert_non_null(w);
        assert_int_equal(world_check((struct scene){w, s}, &e), 0);
        struct pool_sum sum = pool_sums(w);
        assert_int_equal(sum.free, 640);
        assert_int_equal(sum.free + sum.evictable + sum.protected_ + sum.held, sum.pool);
        assert_int_equal(w->head.free_pages, 640 / sizes[i]);
        assert_int_equal(w->page[640 / sizes[i]], FREE_END);
        assert_int_equal(w->node[ROOT].lock_ref, 1);
        assert_int_equal((int32_t)w->node[ROOT].priority, ROOT_PRIORITY);
        assert_int_equal(w->head.clock, cfg.rules == RULES_UNIFIED ? 3 : 2);
        world_free(w);
    }
    assert_int_equal(cases, 5);
    store_free(s);
}

static void test_impossible_settings(void **state)
{
    static const struct {
        struct world_config cfg;
        const char *says;
    } bad[] = {
        {{.pool = 0, .page_size = 1}, "a pool of 0 slots"},
        {{.pool = 64, .page_size = 0}, "page size 0"},
        {{.pool = 64, .page_size = 5000}, "page size 5000"},
        {{.pool = 65, .page_size = 4}, "not a whole number of pages"},
        {{.pool = WORLD_SLOTS, .page_size = 1}, "is not possible"},
        {{.pool = 64, .page_size = 1, .policy = POLICY_COUNT}, "unknown policy"},
        {{.pool = 64, .page_size = 1, .rules = 2}, "rule set"},
    };
    size_t cases = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++, cases++) {
        struct err e = {0};
        assert_null(world_new(&bad[i].cfg, &e));
        assert_true(e.set && strstr(e.what, bad[i].says) != NULL);
    }
    assert_int_equal(cases, 7);
}

static void test_equal_copy_hash(void **state)
{
    struct world_config cfg = {.pool = 256, .page_size = 4, .sessions = true};
    struct err e = {0};
    (void)state;
    struct world *a = world_new(&cfg, &e), *b = world_new(&cfg, &e);
    assert_true(a != NULL && b != NULL && world_equal(a, b));
    a->head.node_top = 9;
    a->node[8].len = 3;
    assert_false(world_equal(a, b));
    assert_true(world_hash(a) != world_hash(b));
    world_copy(b, a);
    assert_true(world_equal(a, b) && world_equal(b, a) && world_hash(a) == world_hash(b));
    b->closed[WORLD_CLOSED - 1] = 1; /* the very last word counts too */
    assert_false(world_equal(a, b));
    world_free(a);
    world_free(b);
}

static void test_names(void **state)
{
    struct err e = {0};
    struct store *s = store_new(&e);
    (void)state;
    assert_non_null(s);
    assert_int_equal(store_intern(s, NULL), 0);
    uint32_t empty = store_intern(s, ""), a = store_intern(s, "lora-1"), b = store_intern(s, "lora-2");
    assert_true(empty != 0 && a != b && a != empty); /* "" is a namespace, NULL is none */
    assert_int_equal(store_intern(s, "lora-1"), a);
    assert_int_equal(store_find(s, "lora-3"), UINT32_MAX);
    assert_string_equal(store_name(s, b), "lora-2");
    assert_string_equal(store_name(s, 0), "");
    xalloc_fail_at(1, true);
    assert_int_equal(store_intern(s, "no memory"), UINT32_MAX);
    assert_int_equal(xalloc_failures(), 1);
    xalloc_fail_at(0, false);
    store_free(s);
}

static void test_policies(void **state)
{
    size_t cases = 0;
    (void)state;
    for (uint32_t p = 0; p < POLICY_COUNT; p++, cases++) {
        uint32_t found = 99;
        struct err e = {0};
        assert_int_equal(policy_parse(policy_name(p), &found, &e), 0);
        assert_int_equal(found, p);
    }
    uint32_t p;
    struct err e = {0};
    assert_int_equal(policy_parse("SLRU", &p, &e), 0); /* any case */
    assert_int_equal(p, POLICY_SLRU);
    assert_int_equal(policy_parse("arc", &p, &e), -1);
    assert_non_null(strstr(e.hint, "slru"));
    assert_int_equal(cases, 7);
}

/* k subtractions of 0.00001 in double precision, not one of k times as much. */
static void test_unified_times(void **state)
{
    struct world_config cfg = {.pool = 1, .page_size = 1, .rules = RULES_UNIFIED};
    struct err e = {0};
    (void)state;
    struct world *w = world_new(&cfg, &e);
    w->node[ROOT].last_access = 1234;
    w->node[ROOT].last_minus = 7;
    double t = 1234.0;
    for (int i = 0; i < 7; i++)
        t -= 0.00001;
    assert_true(node_last_access(w, ROOT) == t);
    assert_true(t != 1234.0 - 7 * 0.00001);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic_of_the_header), cmocka_unit_test(test_words_and_names),
        cmocka_unit_test(test_a_new_world),              cmocka_unit_test(test_impossible_settings),
        cmocka_unit_test(test_equal_copy_hash),          cmocka_unit_test(test_names),
        cmocka_unit_test(test_policies),                 cmocka_unit_test(test_unified_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
