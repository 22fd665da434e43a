/* The miss doctor and the chains of causes, on runs of the real model whose reasons are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "engine/engine.h"
#include "model/chat.h"
#include "tape/why.h"

static struct model *model;

static int open_model(void **state)
{
    struct err e = {0};
    (void)state;
    return model_open("data/model", &model, &e);
}

static int close_model(void **state)
{
    (void)state;
    model_close(model);
    return 0;
}

static struct engine *engine_of(uint32_t pool, uint32_t page)
{
    struct err e = {0};
    struct engine_config c = {.world = {.pool = pool, .page_size = page}, .model = model};
    struct engine *en = engine_new(&c, &e);
    assert_non_null(en);
    return en;
}

/* Ask with n tokens first, first + 1, … unless they are given. */
static uint32_t ask(struct engine *en, uint32_t first, uint32_t n, const char *ns)
{
    uint32_t ids[64];
    struct err e = {0};
    struct request_report r;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = first + i;
    struct request_spec s = {.ids = ids, .n = n, .max_new = 1, .extra_key = ns};
    if (engine_request(en, &s, &r, &e) != 0)
        fail_msg("%s", e.what);
    return r.request;
}

static struct miss examine(struct engine *en, uint32_t req, const char *sentence)
{
    struct cursor c;
    struct err e = {0};
    struct miss m;
    struct buf b = {0};
    struct tape *t = engine_tape(en);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    cursor_seek(&c, 0, 3);
    assert_true(miss_examine(&c, tape_length(t, 0), req, &m));
    assert_int_equal(c.at, 3); /* it stands where it stood */
    cursor_seek(&c, 0, tape_length(t, 0));
    miss_sentence(cursor_scene(&c), NULL, &m, &b);
    assert_string_equal(buf_text(&b), sentence);
    buf_free(&b);
    cursor_done(&c);
    return m;
}

static void test_every_reason(void **state)
{
    struct engine *en = engine_of(128, 1);
    unsigned seen = 0;
    (void)state;
    struct miss m = examine(en, ask(en, 100, 10, NULL), "Request 1: cold: nobody has sent these 10 tokens before.");
    seen |= 1u << m.code;
    m = examine(en, ask(en, 100, 10, NULL),
                "Request 2: all it may reuse was cached, 9 of 10 tokens; the last one is always computed.");
    seen |= 1u << m.code;
    uint32_t other[10] = {100, 101, 102, 103, 900, 901, 902, 903, 904, 905};
    struct request_spec s = {.ids = other, .n = 10, .max_new = 1};
    struct request_report r;
    struct err e = {0};
    assert_int_equal(engine_request(en, &s, &r, &e), 0);
    m = examine(en, r.request, "Request 3: it leaves the tree at token 5: it has 900 901 where the tree has 104 105; "
                               "6 of 10 tokens are computed.");
    assert_int_equal(m.at, 4);
    seen |= 1u << m.code;
    m = examine(en, ask(en, 100, 10, "lora"),
                "Request 4: 9 more of its tokens are cached, but in no namespace: namespaces share nothing.");
    seen |= 1u << m.code;
    m = examine(en, ask(en, 100, 14, NULL), "Request 5: new from token 11 on: nobody has gone on from there before.");
    assert_int_equal(m.code, MISS_COLD);
    engine_free(en);
    en = engine_of(64, 4);
    ask(en, 100, 10, NULL);
    s.n = 10;
    other[4] = 104;
    assert_int_equal(engine_request(en, &s, &r, &e), 0); /* five tokens equal, one page */
    m = examine(en, r.request, "Request 2: 1 more token was equal, but a page has 4 and only whole pages are shared.");
    seen |= 1u << m.code;
    m = examine(en, ask(en, 100, 10, NULL),
                "Request 3: all it may reuse was cached, 8 of 10 tokens; the last one is always computed, and only whole "
                "pages of 4 count.");
    assert_int_equal(m.code, MISS_LAST_TOKEN);
    engine_free(en);
    en = engine_of(16, 1);
    ask(en, 100, 10, NULL);
    ask(en, 200, 12, NULL); /* evicts the first */
    m = examine(en, ask(en, 100, 10, NULL), "Request 3: 9 more of its tokens were cached, but evicted at step 25.");
    struct step at;
    tape_step(engine_tape(en), 0, m.step, &at);
    assert_int_equal(at.kind, EV_VICTIM);
    seen |= 1u << m.code;
    m = examine(en, ask(en, 300, 20, NULL), "Request 4: it was refused, so it reuses nothing.");
    seen |= 1u << m.code;
    engine_free(en);
    assert_int_equal(seen, (1u << MISS_OFF) - 1); /* every reason but the last, which needs the cache off */
}

static void test_a_victim_has_a_chain(void **state)
{
    struct engine *en = engine_of(16, 1);
    struct cursor c;
    struct err e = {0};
    struct cause chain[CAUSES];
    struct tape *t = engine_tape(en);
    (void)state;
    ask(en, 100, 10, NULL);
    ask(en, 200, 12, NULL);
    ask(en, 100, 10, NULL);
    uint32_t victim = tape_find_kind(t, 0, 0, 1, EV_VICTIM);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    int n = why_chain(&c, NULL, victim, chain);
    assert_int_equal(n, 5);
    static const char *const says[] = {"Request 2 needs 12 new slots", "evict(12)", "Node 1 (A) goes",
                                       "It was last used here", "What it cost: request 3 computes 9 tokens again"};
    for (int i = 0; i < n; i++) {
        if (strstr(chain[i].text, says[i]) == NULL)
            fail_msg("entry %d says: %s", i, chain[i].text);
        assert_in_range(chain[i].step, 1, tape_length(t, 0));
    }
    assert_int_equal(chain[2].step, victim);
    cursor_done(&c);
    engine_free(en);
}

static void test_reverse_watch_finds_the_writers(void **state)
{
    struct engine *en = engine_of(16, 1);
    struct tape *t = engine_tape(en);
    struct step s;
    (void)state;
    ask(en, 100, 10, NULL);
    ask(en, 200, 12, NULL);
    uint32_t n = watch_find(t, 0, tape_length(t, 0), -1, WATCH_NODE, tape_world(t)->node[ROOT].first_child);
    assert_int_not_equal(n, 0);
    uint32_t writer = 0, found = 0;
    for (n = 0; (n = watch_find(t, 0, n, 1, WATCH_SLOT, 3)) != 0; found++) {
        tape_step(t, 0, n, &s);
        writer = s.kind == EV_KV_WRITE ? n : writer;
    }
    assert_int_equal(found, 5); /* taken, written, freed by eviction, taken again, written again */
    tape_step(t, 0, writer, &s);
    assert_int_equal(s.arg[0], 2);
    assert_int_equal(watch_find(t, 0, tape_length(t, 0), -1, WATCH_SLOT, 3), writer);
    assert_int_equal(watch_find(t, 0, 0, 1, WATCH_TOKEN, 65000), 0);
    engine_free(en);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason),
        cmocka_unit_test(test_a_victim_has_a_chain),
        cmocka_unit_test(test_reverse_watch_finds_the_writers),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
