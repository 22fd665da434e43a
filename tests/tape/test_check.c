/* world_check: each invariant is broken once, by hand, and must be named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/xalloc.h"
#include "cache/evict.h"
#include "cache/radix.h"
#include "cache/req.h"
#include "cache/slots.h"
#include "tape/check.h"
#include "tape/tape_io.h"

/* A small world with everything in it: a split, a lock by hand, a running request, a finished one, an
 * evicted node, a session.
 *
 *      root ─┬─ upper "1…8" ─┬─ "9…12" (running request 1)
 *            │               └─ "19…22"
 *            └─ "101…108"      pinned                                  pages of 4 */
struct fixture {
    struct tape *t;
    struct cache c;
    struct world *w;          /* the same world, open to harm */
    uint32_t upper, left, right, pinned, running, ended;
};

static uint32_t insert(struct cache *c, const uint32_t *tok, uint32_t n)
{
    uint32_t slots[64];
    struct err e = {0};
    assert_int_equal(cache_begin(c, n, &e), 0);
    struct key key = key_make(c->w, tok, n, n, 0);
    struct match have = radix_match_prefix(c, &key, 0);
    radix_path_slots((struct scene){c->w, c->s}, have.node, slots);
    assert_true(slots_alloc(c, key.units - have.units, slots + have.units));
    struct match m = radix_insert(c, &key, slots, 0, false, have.units, 0);
    CACHE_EMIT(c, RELEASED, 0, m.node);
    cache_end(c);
    return m.node;
}

static void fill(uint32_t *tok, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        tok[i] = first + i;
}

static uint32_t request(struct fixture *f, const uint32_t *tok, uint32_t n, bool ends)
{
    struct cache *c = &f->c;
    struct err e = {0};
    bool got;
    struct req_spec spec = {.tok = tok, .n = n, .cap = n + 8, .max_new = 8, .session = store_intern(c->s, "chat")};
    assert_int_equal(cache_begin(c, n + 8, &e), 0);
    uint32_t req = req_new(c, &spec);
    req_set_state(c, req, REQ_PREFILL, FINISH_NONE);
    req_match_and_lock(c, req, n - 1);
    assert_true(req_alloc(c, req, n, n, &got) && got);
    if (ends) {
        req_set_state(c, req, REQ_FINISHED, FINISH_LENGTH);
        assert_true(req_cache_finished(c, req, n, true));
    }
    cache_end(c);
    return req;
}

static int build(void **state)
{
    static struct fixture f;
    struct world_config cfg = {.pool = 128, .page_size = 4, .sessions = true, .policy = POLICY_PRIORITY};
    struct err e = {0};
    uint32_t tok[32];
    f.t = tape_new(&cfg, &e);
    if (f.t == NULL || cache_init(&f.c, f.t, &e) != 0)
        return -1;
    f.w = f.t->w;
    fill(tok, 1, 12);
    f.left = insert(&f.c, tok, 12);
    fill(tok + 8, 19, 4);
    f.right = insert(&f.c, tok, 12);
    f.upper = f.w->node[f.left].parent;
    fill(tok, 101, 8);
    f.pinned = insert(&f.c, tok, 8);
    assert_int_equal(cache_begin(&f.c, 16, &e), 0);
    radix_pin(&f.c, f.pinned);
    cache_end(&f.c);
    fill(tok, 1, 18);
    f.running = request(&f, tok, 18, false);
    fill(tok, 301, 10);
    f.ended = request(&f, tok, 10, true);
    *state = &f;
    return world_check(tape_scene(f.t), &e);
}

static int drop(void **state)
{
    struct fixture *f = *state;
    cache_done(&f->c);
    tape_free(f->t);
    return 0;
}

/* Write `value` into a word, expect the check to say so, put it back. */
static void harm(struct fixture *f, const uint32_t *place, uint32_t value, const char *says)
{
    uint32_t *word = &f->w->word[place - f->w->word], before = *word;
    struct err e = {0};
    assert_true(before != value);
    *word = value;
    int rc = world_check(tape_scene(f->t), &e);
    *word = before;
    if (rc == 0 || strncmp(e.what, says, strlen(says)) != 0)
        fail_msg("expected \"%s…\", the check said \"%s\"", says, rc == 0 ? "all is well" : e.what);
    err_clear(&e);
    assert_int_equal(world_check(tape_scene(f->t), &e), 0);
}

static void test_links(void **state)
{
    struct fixture *f = *state;
    struct node *n = f->w->node;
    harm(f, &n[f->left].parent, f->right, "links");
    harm(f, &n[f->right].prev, 0, "links");
    harm(f, &n[f->left].next, 0, "links");
    harm(f, &n[f->right].next, f->left, "links");
    harm(f, &n[f->upper].last_child, f->left, "links");
    harm(f, &n[f->upper].child_count, 3, "links");
    harm(f, &n[f->upper].first_child, WORLD_NODES - 1, "links");
    harm(f, &f->w->head.node_count, f->w->head.node_count + 1, "links");
    harm(f, &f->w->head.node_count, f->w->head.node_count - 1, "links");
}

static void test_keys(void **state)
{
    struct fixture *f = *state;
    struct node *n = f->w->node;
    harm(f, &n[f->left].len, 3, "keys");
    harm(f, &n[f->left].len, 0, "keys");
    harm(f, &n[f->left].ns, 1, "keys");
    harm(f, &n[f->left].key_off, STORE_UNITS - 4, "keys");
    harm(f, &n[f->left].val_off, STORE_UNITS - 4, "keys");
    harm(f, &n[f->left].key_off, n[f->right].key_off, "keys"); /* siblings that begin alike */
}

static void test_sums_and_locks(void **state)
{
    struct fixture *f = *state;
    harm(f, &f->w->head.evictable_size, 1, "sums");
    harm(f, &f->w->head.protected_size, 1, "sums");
    harm(f, &f->w->node[f->upper].lock_ref, 0, "locks");
    harm(f, &f->w->node[f->right].lock_ref, 1, "locks");
    harm(f, &f->w->node[f->pinned].pins, 0, "locks");
    harm(f, &f->w->node[ROOT].lock_ref, 2, "locks");
    harm(f, &f->w->request[f->running].node, f->right, "locks");
}

static void test_slots(void **state)
{
    struct fixture *f = *state;
    const struct head *h = &f->w->head;
    harm(f, &h->free_pages, h->free_pages - 1, "slots");
    harm(f, &h->free_pages, h->free_pages + 1, "slots");
    harm(f, &h->free_last, h->free_first, "slots");
    harm(f, &h->free_first, f->w->page[h->free_first], "slots");
    harm(f, &f->w->page[h->free_first], 0, "slots");
    harm(f, &f->w->page[1], FREE_END, "slots");
    const struct request *q = &f->w->request[f->running];
    const uint32_t *row = f->w->row_slot + q->row_off;
    harm(f, &row[q->protected_len], row[q->protected_len] + 1, "slots");  /* does not begin a page */
    harm(f, &row[q->protected_len + 1], row[q->protected_len], "slots");  /* a torn page */
    harm(f, &f->w->node[f->left].val_off, f->w->node[f->right].val_off, "slots"); /* two owners */
    harm(f, &q->kv_len, q->kv_len - 2, "slots"); /* its last page belongs to nobody: a leak */
}

static void test_requests_and_tags(void **state)
{
    struct fixture *f = *state;
    const struct request *q = &f->w->request[f->running], *done = &f->w->request[f->ended];
    harm(f, &q->protected_len, q->kv_len + 4, "requests");
    harm(f, &q->kv_len, q->row_cap + 4, "requests");
    harm(f, &q->total_len, q->row_cap + 2, "requests");
    harm(f, &done->node, f->upper, "requests");
    harm(f, &done->protected_len, 4, "requests");
    harm(f, &q->node, f->w->head.node_top + 5, "requests");
    uint32_t chat = store_find(f->c.s, "chat"), tag = f->w->session_tags[chat];
    assert_true(tag != 0);
    harm(f, &f->w->tag[tag].node, f->upper, "tags");
    harm(f, &f->w->tag[tag].session, chat + 1, "tags");
    harm(f, &f->w->session_tags[chat], 0, "tags");
    harm(f, &f->w->tag[tag].next_of_node, tag, "tags");
}

/* The store is shared and has no journal, but the check reads it all the same. */
static void test_slots_in_the_store(void **state)
{
    struct fixture *f = *state;
    uint32_t *value = f->c.s->value + f->w->node[f->left].val_off, before = *value;
    struct err e = {0};
    *value = 2; /* page 0 is never handed out */
    assert_int_equal(world_check(tape_scene(f->t), &e), -1);
    assert_int_equal(strncmp(e.what, "slots", 5), 0);
    *value = before;
    err_clear(&e);
    assert_int_equal(world_check(tape_scene(f->t), &e), 0);
}

/* held counts whole pages of a running request's row, slack their unused rest. */
static void test_where_every_slot_is(void **state)
{
    struct fixture *f = *state;
    struct pool_sum s = pool_sums(f->w);
    const struct request *q = &f->w->request[f->running];
    assert_int_equal(q->kv_len, 18);
    assert_int_equal(q->protected_len, 12);
    assert_int_equal(s.held, 20 - 12);
    assert_int_equal(s.slack, 2);
    assert_int_equal(s.protected_, 12 + 8); /* the request's path and the pinned node */
    assert_int_equal(s.evictable, 4 + 8);
    assert_int_equal(s.free + s.evictable + s.protected_ + s.held, s.pool);
    uint32_t owner[128 + 4], mine = 0, free = 0;
    pool_owners(tape_scene(f->t), owner);
    for (uint32_t i = 4; i < 128 + 4; i++) {
        mine += owner[i] == OWNER_REQUEST + f->running;
        free += owner[i] == 0;
    }
    assert_int_equal(mine, 6);
    assert_int_equal(free, s.free + s.slack);
}

static void test_no_memory_to_check(void **state)
{
    struct fixture *f = *state;
    unsigned long injected = 0;
    for (unsigned long n = 1; n <= 3; n++) {
        struct err e = {0};
        xalloc_fail_at(n, false);
        assert_int_equal(world_check(tape_scene(f->t), &e), -1);
        injected += xalloc_failures();
        xalloc_fail_at(0, false);
        assert_non_null(strstr(e.what, "memory"));
    }
    assert_int_equal(injected, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_sums_and_locks),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_requests_and_tags),
        cmocka_unit_test(test_slots_in_the_store),
        cmocka_unit_test(test_where_every_slot_is),
        cmocka_unit_test(test_no_memory_to_check),
    };
    return cmocka_run_group_tests(tests, build, drop);
}
