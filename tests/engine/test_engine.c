/* The life of a request on the real model: what is reused, what is computed, and that it makes no
 * difference to a single bit of a single logit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "engine/engine.h"
#include "model/chat.h"
#include "model/forward.h"
#include "tape/check.h"
#include "tape/tape_io.h"

#define SYSTEM "You are a helpful assistant. Answer in a short sentence. Be kind and clear. If you do not know, say so."

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

static struct ids prompt_of(const char *user)
{
    struct ids ids = {0};
    struct err e = {0};
    struct chat_message m[2] = {{"system", SYSTEM, strlen(SYSTEM)}, {"user", user, strlen(user)}};
    assert_int_equal(chat_render(model, m, 2, true, &ids, &e), 0);
    return ids;
}

static struct engine *engine_of(uint32_t pool, uint32_t page)
{
    struct err e = {0};
    struct engine_config c = {.world = {.pool = pool, .page_size = page}, .model = model};
    struct engine *en = engine_new(&c, &e);
    assert_non_null(en);
    return en;
}

static void check_engine(struct engine *en)
{
    struct err e = {0};
    if (world_check(tape_scene(engine_tape(en)), &e) != 0)
        fail_msg("%s", e.what);
    struct pool_sum s = pool_sums(tape_world(engine_tape(en)));
    assert_int_equal(s.free + s.evictable + s.protected_ + s.held, s.pool);
}

/* Every logit of every computed position, by position. */
struct seen {
    float *logits; /* (positions, vocab) */
    uint32_t vocab, positions;
    bool *has;     /* (positions) */
};

static void see(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct seen *s = ctx;
    assert_true(position < s->positions);
    memcpy(s->logits + (size_t)position * vocab, logits, vocab * sizeof *logits);
    s->has[position] = true;
}

static struct seen seen_new(uint32_t positions)
{
    uint32_t vocab = model_get_config(model)->vocab;
    return (struct seen){xcalloc((size_t)positions * vocab, sizeof(float)), vocab, positions,
                         xcalloc(positions, sizeof(bool))};
}

static void seen_free(struct seen *s)
{
    xfree(s->logits);
    xfree(s->has);
}

/* Positions that both saw; fails if one logit differs in one bit. */
static uint32_t same_bits(const struct seen *a, const struct seen *b, bool *equal)
{
    uint32_t both = 0;
    *equal = true;
    for (uint32_t p = 0; p < a->positions && p < b->positions; p++) {
        if (!a->has[p] || !b->has[p])
            continue;
        both++;
        size_t at = (size_t)p * a->vocab;
        *equal = *equal && memcmp(a->logits + at, b->logits + at, a->vocab * sizeof(float)) == 0;
    }
    return both;
}

static struct request_report ask(struct engine *en, const uint32_t *ids, size_t n, uint32_t max_new, struct seen *s)
{
    struct err e = {0};
    struct request_report out;
    struct request_spec spec = {.ids = ids, .n = (uint32_t)n, .max_new = max_new,
                                .logits = s != NULL ? see : NULL, .logits_ctx = s};
    if (engine_request(en, &spec, &out, &e) != 0)
        fail_msg("%s", e.what);
    check_engine(en);
    return out;
}

static void answer_is(struct engine *en, const struct request_report *r, const char *text)
{
    uint32_t n;
    const uint32_t *ids = engine_generated(en, r->request, &n);
    struct buf b = {0};
    assert_int_equal(n, r->generated_tokens);
    assert_int_equal(r->reason, FINISH_END_TOKEN);
    for (uint32_t i = 0; i + 1 < n; i++) { /* the last one is the end token */
        size_t len;
        const char *bytes = tokenizer_token_bytes(model_get_tokenizer(model), ids[i], &len);
        buf_add(&b, bytes, len);
    }
    assert_string_equal(buf_text(&b), text);
    buf_free(&b);
}

/* ---- the numbers of the original demonstration ------------------------------------------------------------ */

static void test_three_requests_share_29_tokens(void **state)
{
    static const struct {
        const char *question, *answer;
        uint32_t cached;
    } asked[] = {{"What color is grass?", "Grass is green.", 0},
                 {"Where do fish live?", "Fish live in water.", 29},
                 {"How do birds fly?", "Birds fly with wings.", 29}};
    struct engine *en = engine_of(128, 1);
    uint32_t splits = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct ids ids = prompt_of(asked[i].question);
        struct request_report r = ask(en, ids.at, ids.len, 24, NULL);
        assert_int_equal(r.prompt_tokens, 36);
        assert_int_equal(r.cached_tokens, asked[i].cached);
        assert_int_equal(r.computed_tokens, 36 - asked[i].cached);
        answer_is(en, &r, asked[i].answer);
        ids_free(&ids);
    }
    struct tape *t = engine_tape(en);
    for (uint32_t n = 0; (n = tape_find_kind(t, 0, n, 1, EV_SPLIT)) != 0;)
        splits++;
    assert_int_equal(splits, 1);
    engine_free(en);
}

static void test_every_step_back_and_forward(void **state)
{
    struct engine *en = engine_of(56, 1); /* small: the third request evicts */
    const char *asked[] = {"What color is grass?", "Where do fish live?", "How do birds fly?"};
    struct err e = {0};
    uint64_t hash[2048];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct ids ids = prompt_of(asked[i]);
        ask(en, ids.at, ids.len, 24, NULL);
        ids_free(&ids);
    }
    struct tape *t = engine_tape(en);
    struct cursor c;
    assert_int_equal(cursor_init(&c, t, &e), 0);
    uint32_t length = tape_length(t, 0), settled = 0;
    assert_in_range(length, 100, ARRAY_LEN(hash) - 1);
    assert_true(tape_find_kind(t, 0, 0, 1, EV_VICTIM) != 0);
    for (uint32_t n = 0; n <= length; n++) {
        struct step s = {0};
        cursor_seek(&c, 0, n);
        hash[n] = world_hash(c.w);
        if (n > 0)
            tape_step(t, 0, n, &s);
        if (s.settled) {
            settled++;
            assert_int_equal(world_check(cursor_scene(&c), &e), 0);
        }
    }
    assert_true(world_equal(c.w, tape_world(t)));
    assert_true(settled > 30);
    for (uint32_t n = length; n > 0; n--) {
        cursor_seek(&c, 0, n - 1);
        assert_true(world_hash(c.w) == hash[n - 1]);
    }
    cursor_done(&c);
    engine_free(en);
}

/* ---- exactness -------------------------------------------------------------------------------------------- */

/* For every k: somebody has asked the first k tokens before. Same bits as a cold run, wherever the
 * prompt is split between cache and computation. */
static void every_split(uint32_t page, uint32_t chunk)
{
    struct ids ids = prompt_of("What color is grass?");
    struct seen cold = seen_new(64), cached = seen_new(64);
    struct engine *en = engine_of(256, page);
    ask(en, ids.at, ids.len, 8, &cold);
    engine_free(en);
    uint32_t tried = 0, reused = 0;
    for (uint32_t k = 1; k < ids.len; k++) {
        struct err e = {0};
        struct engine_config cfg = {.world = {.pool = 256, .page_size = page}, .model = model, .chunk = chunk};
        en = engine_new(&cfg, &e);
        assert_non_null(en);
        ask(en, ids.at, k, 1, NULL);
        memset(cached.has, 0, cached.positions);
        struct request_report r = ask(en, ids.at, ids.len, 8, &cached);
        assert_int_equal(r.cached_tokens, k / page * page);
        bool equal;
        assert_int_equal(same_bits(&cold, &cached, &equal), r.computed_tokens + r.generated_tokens - 1);
        assert_true(equal);
        reused += r.cached_tokens;
        tried++;
        engine_free(en);
    }
    assert_int_equal(tried, 35);
    assert_true(reused > 0);
    seen_free(&cold);
    seen_free(&cached);
    ids_free(&ids);
}

static void test_cached_equals_cold_at_every_split(void **state)
{
    (void)state;
    every_split(1, 0);
}

static void test_cached_equals_cold_in_pages_and_chunks(void **state)
{
    (void)state;
    every_split(4, 0);
    every_split(16, 0);
    every_split(1, 5);
    every_split(4, 8);
}

/* A cache that lies is found out: one KV row changed, or two slots swapped. */
static void broken(bool swap)
{
    struct ids ids = prompt_of("Where do fish live?");
    struct seen cold = seen_new(64), cached = seen_new(64);
    struct engine *en = engine_of(128, 1);
    ask(en, ids.at, ids.len, 8, &cold);
    struct world *w = engine_tape(en)->w;
    uint32_t *values = tape_store(engine_tape(en))->value;
    if (swap) {
        uint32_t spare = values[3];
        values[3] = values[4];
        values[4] = spare;
    } else {
        kvrows_edit_k(engine_kvrows(en), w->kv[values[5]], 0)[0] += 0.25f;
    }
    ask(en, ids.at, ids.len, 8, &cached);
    bool equal;
    assert_true(same_bits(&cold, &cached, &equal) > 0);
    assert_false(equal);
    seen_free(&cold);
    seen_free(&cached);
    ids_free(&ids);
    engine_free(en);
}

static void test_a_changed_row_is_found_out(void **state)
{
    (void)state;
    broken(false);
}

static void test_a_swapped_slot_is_found_out(void **state)
{
    (void)state;
    broken(true);
}

/* Random requests on a pool that is always under pressure give what a cold engine gives. */
static void test_under_pressure_answers_stay_the_same(void **state)
{
    static const char *const asked[] = {"What color is grass?", "Where do fish live?", "How do birds fly?",
                                        "What color is snow?", "Where do bees live?"};
    struct prng r;
    struct engine *en = engine_of(64, 4);
    uint32_t hits = 0, runs = 0;
    (void)state;
    prng_seed(&r, 7);
    for (int i = 0; i < 24; i++) {
        struct ids ids = prompt_of(asked[prng_below(&r, ARRAY_LEN(asked))]);
        struct seen cold = seen_new(80), warm = seen_new(80);
        struct engine *fresh = engine_of(64, 4);
        struct err e = {0};
        assert_int_equal(engine_set_policy(en, prng_below(&r, POLICY_COUNT), &e), 0);
        struct request_report a = ask(fresh, ids.at, ids.len, 12, &cold), b = ask(en, ids.at, ids.len, 12, &warm);
        bool equal;
        assert_true(same_bits(&cold, &warm, &equal) > 0);
        assert_true(equal);
        assert_int_equal(a.generated_tokens, b.generated_tokens);
        hits += b.cached_tokens;
        runs++;
        engine_free(fresh);
        seen_free(&cold);
        seen_free(&warm);
        ids_free(&ids);
    }
    assert_int_equal(runs, 24);
    assert_true(hits > 0);
    assert_true(tape_find_kind(engine_tape(en), 0, 0, 1, EV_VICTIM) != 0);
    engine_free(en);
}

/* ---- when it cannot be ------------------------------------------------------------------------------------- */

static void test_refusals_leave_nothing_behind(void **state)
{
    struct ids ids = prompt_of("Where do fish live?");
    struct engine *en = engine_of(20, 1);
    struct err e = {0};
    struct request_report r = ask(en, ids.at, ids.len, 8, NULL);
    (void)state;
    assert_int_equal(r.outcome, OUTCOME_REFUSED);
    assert_int_equal(r.reason, FINISH_NO_SLOTS);
    assert_string_equal(r.why, "request 1 cannot run: the pool is too small (it needs 36, there are 20)");
    assert_int_equal(pool_free_slots(tape_world(engine_tape(en))), 20);
    uint32_t context = model_get_config(model)->context;
    uint32_t *longer = xcalloc(context + 8, sizeof *longer);
    r = ask(en, longer, context, 8, NULL);
    assert_int_equal(r.outcome, OUTCOME_REFUSED);
    assert_int_equal(r.reason, FINISH_TOO_LONG);
    struct request_spec bad[] = {{.ids = longer, .n = 0, .max_new = 1}, {.ids = longer, .n = 3, .max_new = 0},
                                 {.ids = longer, .n = 4, .max_new = 1}};
    const char *says[] = {"a request needs at least one prompt token", "a request must be allowed at least one new token",
                          "token 3 of the prompt is 999999"};
    longer[2] = 999999;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint32_t steps = tape_length(engine_tape(en), 0);
        err_clear(&e);
        bad[i].n = i == 1 ? 2 : bad[i].n;
        assert_int_equal(engine_request(en, &bad[i], &r, &e), -1);
        assert_non_null(strstr(e.what, says[i]));
        assert_int_equal(tape_length(engine_tape(en), 0), steps);
        check_engine(en);
    }
    xfree(longer);
    ids_free(&ids);
    engine_free(en);
}

static void test_an_answer_is_cut_off_when_slots_run_out(void **state)
{
    struct ids ids = prompt_of("Where do fish live?");
    struct engine *en = engine_of(38, 1);
    (void)state;
    struct request_report r = ask(en, ids.at, ids.len, 8, NULL);
    assert_int_equal(r.outcome, OUTCOME_DONE);
    assert_int_equal(r.reason, FINISH_NO_SLOTS);
    assert_int_equal(r.generated_tokens, 3); /* 36 + 2 slots, and the last token has none */
    assert_non_null(strstr(r.why, "cut off after 3 tokens"));
    ids_free(&ids);
    engine_free(en);
}

/* Cancels at the n-th layer that any forward pass of the request finishes. */
struct canceller {
    struct engine *en;
    uint32_t after;
};

static void cancel_at(void *ctx, uint32_t position, const float *logits, uint32_t vocab)
{
    struct canceller *c = ctx;
    (void)logits;
    (void)vocab;
    if (position >= c->after)
        engine_cancel(c->en);
}

static void test_cancelling_gives_everything_back(void **state)
{
    struct ids ids = prompt_of("Where do fish live?");
    uint32_t cancelled = 0;
    (void)state;
    for (uint32_t after = 35; after < 39; after++) {
        struct engine *en = engine_of(128, 4);
        struct err e = {0};
        struct canceller c = {en, after};
        struct request_spec spec = {.ids = ids.at, .n = (uint32_t)ids.len, .max_new = 8, .logits = cancel_at, .logits_ctx = &c};
        struct request_report r;
        assert_int_equal(engine_request(en, &spec, &r, &e), 0);
        assert_int_equal(r.outcome, OUTCOME_CANCELLED);
        check_engine(en);
        assert_int_equal(tape_world(engine_tape(en))->head.protected_size, 0);
        r = ask(en, ids.at, ids.len, 8, NULL); /* what was inserted before is still good */
        assert_int_equal(r.cached_tokens, 32);
        cancelled++;
        engine_free(en);
    }
    assert_int_equal(cancelled, 4);
    ids_free(&ids);
}

/* ---- other histories ---------------------------------------------------------------------------------------- */

static void test_acting_while_rewound_keeps_both_histories(void **state)
{
    struct ids a = prompt_of("What color is grass?"), b = prompt_of("Where do fish live?");
    struct engine *en = engine_of(128, 1);
    struct err e = {0};
    (void)state;
    ask(en, a.at, a.len, 8, NULL);
    uint32_t fork = tape_length(engine_tape(en), 0);
    ask(en, b.at, b.len, 8, NULL);
    uint32_t length = tape_length(engine_tape(en), 0);
    struct cursor c;
    assert_int_equal(cursor_init(&c, engine_tape(en), &e), 0);
    cursor_seek(&c, 0, length);
    uint64_t before = world_hash(c.w);
    assert_int_equal(engine_act_at(en, 0, fork, &e), 0);
    struct request_report r = ask(en, b.at, b.len, 4, NULL);
    assert_int_equal(r.cached_tokens, 29);
    assert_int_equal(tape_branches(engine_tape(en)), 2);
    cursor_seek(&c, 1, tape_length(engine_tape(en), 1));
    assert_true(world_equal(c.w, tape_world(engine_tape(en))));
    cursor_seek(&c, 0, length);
    assert_true(world_hash(c.w) == before);
    cursor_done(&c);
    ids_free(&a);
    ids_free(&b);
    engine_free(en);
}

static void test_without_a_tape_the_answers_are_the_same(void **state)
{
    struct ids ids = prompt_of("How do birds fly?");
    struct engine *en = engine_of(64, 1);
    (void)state;
    tape_record(engine_tape(en), false);
    for (int i = 0; i < 40; i++) {
        struct request_report r = ask(en, ids.at, ids.len, 8, NULL);
        assert_int_equal(r.cached_tokens, i == 0 ? 0 : 35);
        answer_is(en, &r, "Birds fly with wings.");
    }
    assert_true(kvrows_live(engine_kvrows(en)) <= 64); /* rows are used again */
    ids_free(&ids);
    engine_free(en);
}

static void test_a_namespace_shares_nothing(void **state)
{
    struct ids ids = prompt_of("How do birds fly?");
    struct engine *en = engine_of(128, 1);
    struct err e = {0};
    struct request_spec spec = {.ids = ids.at, .n = (uint32_t)ids.len, .max_new = 8, .extra_key = "lora-1"};
    struct request_report r;
    (void)state;
    ask(en, ids.at, ids.len, 8, NULL);
    assert_int_equal(engine_request(en, &spec, &r, &e), 0);
    assert_int_equal(r.cached_tokens, 0);
    assert_int_equal(engine_request(en, &spec, &r, &e), 0);
    assert_int_equal(r.cached_tokens, 35);
    ids_free(&ids);
    engine_free(en);
}

static void test_hand_made_entries_have_no_keys_and_values(void **state)
{
    struct ids ids = prompt_of("How do birds fly?");
    struct engine *en = engine_of(128, 1);
    struct err e = {0};
    uint32_t matched, added;
    struct request_spec spec = {.ids = ids.at, .n = (uint32_t)ids.len, .max_new = 8};
    struct request_report r;
    (void)state;
    assert_int_equal(engine_insert(en, ids.at, 10, NULL, 0, &matched, &added, &e), 0);
    assert_int_equal(added, 10);
    assert_int_equal(engine_request(en, &spec, &r, &e), -1);
    assert_non_null(strstr(e.what, "inserted by hand"));
    check_engine(en);
    assert_int_equal(tape_world(engine_tape(en))->head.protected_size, 0);
    ids_free(&ids);
    engine_free(en);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_requests_share_29_tokens),
        cmocka_unit_test(test_every_step_back_and_forward),
        cmocka_unit_test(test_cached_equals_cold_at_every_split),
        cmocka_unit_test(test_cached_equals_cold_in_pages_and_chunks),
        cmocka_unit_test(test_a_changed_row_is_found_out),
        cmocka_unit_test(test_a_swapped_slot_is_found_out),
        cmocka_unit_test(test_under_pressure_answers_stay_the_same),
        cmocka_unit_test(test_refusals_leave_nothing_behind),
        cmocka_unit_test(test_an_answer_is_cut_off_when_slots_run_out),
        cmocka_unit_test(test_cancelling_gives_everything_back),
        cmocka_unit_test(test_acting_while_rewound_keeps_both_histories),
        cmocka_unit_test(test_without_a_tape_the_answers_are_the_same),
        cmocka_unit_test(test_a_namespace_shares_nothing),
        cmocka_unit_test(test_hand_made_entries_have_no_keys_and_values),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
