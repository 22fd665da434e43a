/* The scheduler in the engine: the same tokens as one request at a time, in any schedule; no slot lost, whatever is
 * aborted, retracted or preempted; stepping back and forward; each decision met at least once.
 *
 *   REQUESTS=1000000 build/tests/engine/test_sched      the long soak (make soak) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "engine/engine.h"
#include "engine/sched.h"
#include "model/chat.h"
#include "tape/check.h"

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

static struct engine *engine_of(struct model *m, uint32_t pool, uint32_t page)
{
    struct err e = {0};
    struct engine_config c = {.world = {.pool = pool, .page_size = page}, .model = m};
    struct engine *en = engine_new(&c, &e);
    assert_non_null(en);
    return en;
}

static void begin(struct engine *en, struct sched_config cfg)
{
    struct err e = {0};
    cfg.cost = cost_default();
    if (sched_begin(en, &cfg, &e) != 0)
        fail_msg("%s", e.what);
}

static void serve(struct engine *en, uint32_t passes)
{
    struct err e = {0};
    if (sched_serve(en, passes, &e) != 0)
        fail_msg("%s", e.what);
}

static void sound(struct engine *en)
{
    struct err e = {0};
    if (world_check(tape_scene(engine_tape(en)), &e) != 0)
        fail_msg("%s", e.what);
}

/* Nobody is under way: every slot is free or the tree's, and the tree holds nothing for anybody. */
static void nothing_lost(struct engine *en)
{
    const struct world *w = tape_world(engine_tape(en));
    struct pool_sum s = pool_sums(w);
    sound(en);
    assert_int_equal(s.held, 0);
    assert_int_equal(s.protected_, 0);
    assert_int_equal(s.free + s.evictable, s.pool);
    assert_int_equal(w->head.request_count + w->head.queue_count + w->head.batch_count + w->head.chunked_req, 0);
    assert_int_equal(w->head.planned_first, 0);
}

static uint32_t count_steps(struct engine *en, unsigned kind)
{
    const struct tape *t = engine_tape(en);
    uint32_t count = 0;
    struct step s;
    for (uint32_t n = 1; n <= tape_length(t, 0); n++) {
        tape_step(t, 0, n, &s);
        count += s.kind == kind;
    }
    return count;
}

/* Every step back to the beginning: the same moments as on the way forward. */
static void walks_back(struct engine *en)
{
    const struct tape *t = engine_tape(en);
    struct cursor c;
    struct err e = {0};
    struct step s;
    uint32_t n = tape_length(t, 0);
    uint64_t *hash = xcalloc((size_t)n + 1, sizeof *hash);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t i = 0; i <= n; i++) {
        cursor_seek(&c, 0, i);
        hash[i] = world_hash(c.w);
        if (i > 0)
            tape_step(t, 0, i, &s);
        if (i > 0 && s.settled && world_check(cursor_scene(&c), &e) != 0)
            fail_msg("step %u: %s", i, e.what);
    }
    assert_true(world_equal(c.w, tape_world(t)));
    for (uint32_t i = n; i > 0; i--) {
        cursor_seek(&c, 0, i - 1);
        assert_true(world_hash(c.w) == hash[i - 1]);
    }
    cursor_done(&c);
    xfree(hash);
}

/* ---- the model: alone and in any schedule ------------------------------------------------------------------------- */

enum { ASKED = 7, MOST_NEW = 10 };

struct asked {
    struct ids ids;
    uint32_t max_new, alone[MOST_NEW + 1], n;
};

static void make_asked(struct asked *a, uint32_t i)
{
    static const char *const text[ASKED] = {"What color is the sky?", "What color is grass?", "Where do fish live?",
                                            "What color is the sky?", "Who are you?", "What do cows eat?", "Hi"};
    const char *system = i % 2 == 0 ? "You are a helpful assistant. Answer in a short sentence." : "Be kind.";
    struct chat_message m[2] = {{"system", system, strlen(system)}, {"user", text[i], strlen(text[i])}};
    struct err e = {0};
    assert_int_equal(chat_render(model, m, 2, true, &a->ids, &e), 0);
    a->max_new = 3 + i % (MOST_NEW - 2);
    struct engine *en = engine_of(model, 256, 1);
    struct request_spec spec = {.ids = a->ids.at, .n = (uint32_t)a->ids.len, .max_new = a->max_new};
    struct request_report r;
    assert_int_equal(engine_request(en, &spec, &r, &e), 0);
    const uint32_t *made = engine_generated(en, r.request, &a->n);
    memcpy(a->alone, made, a->n * sizeof *made);
    engine_free(en);
}

static void check_asked(struct engine *en, const struct asked *a, uint32_t req)
{
    uint32_t n;
    const uint32_t *made = engine_generated(en, req, &n);
    assert_int_equal(tape_world(engine_tape(en))->request[req].state, REQ_FINISHED);
    assert_int_equal(n, a->n);
    assert_memory_equal(made, a->alone, n * sizeof *made);
}

static void run_asked(const struct asked *asked, struct sched_config cfg, uint32_t pool, uint32_t page, struct prng *rng,
                      uint32_t *sent_back)
{
    struct engine *en = engine_of(model, pool, page);
    uint32_t req[ASKED];
    struct err e = {0};
    begin(en, cfg);
    for (uint32_t i = 0; i < ASKED; i++) {
        struct request_spec spec = {.ids = asked[i].ids.at, .n = (uint32_t)asked[i].ids.len, .max_new = asked[i].max_new,
                                    .priority = (int32_t)prng_below(rng, 50)};
        struct sched_extra x = {.at = prng_below(rng, 30000), .routing_key = i % 3 == 0 ? "k" : NULL};
        assert_int_equal(sched_enqueue(en, &spec, &x, &req[i], &e), 0);
    }
    serve(en, 0);
    for (uint32_t i = 0; i < ASKED; i++)
        check_asked(en, &asked[i], req[i]);
    nothing_lost(en);
    *sent_back += count_steps(en, EV_RETRACT) + count_steps(en, EV_PREEMPT);
    engine_free(en);
}

static void test_same_tokens_as_alone(void **state)
{
    struct asked asked[ASKED] = {0};
    struct prng rng;
    uint32_t runs = 0, sent_back = 0;
    (void)state;
    prng_seed(&rng, 5);
    for (uint32_t i = 0; i < ASKED; i++)
        make_asked(&asked[i], i);
    for (uint32_t policy = 0; policy < SCHED_POLICIES; policy++)
        for (uint32_t k = 0; k < 4; k++, runs++) {
            static const uint32_t pages[] = {1, 4, 1, 16}, pools[] = {320, 160, 84, 256}, chunks[] = {0, 16, 8, 16};
            bool may = policy == SCHED_FCFS || policy == SCHED_LOF;
            struct sched_config cfg = {.policy = (enum sched_policy)policy, .chunk = chunks[k], .max_running = k > 1 ? 2 : 4,
                                       .priorities = may && k > 0, .preempt = may && k > 1};
            run_asked(asked, cfg, pools[k], pages[k], &rng, &sent_back);
        }
    assert_int_equal(runs, 4 * SCHED_POLICIES);
    assert_true(sent_back > 0);
    for (uint32_t i = 0; i < ASKED; i++)
        ids_free(&asked[i].ids);
}

/* ---- letters: many schedules, with aborts ---------------------------------------------------------------------------- */

enum { FLOCK = 24, LONGEST = 56 };

struct crowd {
    struct engine *en;
    struct prng rng;
    uint32_t letters[FLOCK][LONGEST]; /* prompts that later ones begin like */
    uint32_t flocks;
    bool talkative;                   /* short prompts, long answers: decode runs out of slots */
    unsigned long finished, aborted, refused, cut;
};

static uint32_t below(struct crowd *k, uint32_t n)
{
    return prng_below(&k->rng, n);
}

static uint32_t add_request(struct crowd *k)
{
    uint32_t tok[LONGEST + 16], given[64], n = 1 + below(k, k->talkative ? 5 : LONGEST - 1), req;
    const uint32_t *like = k->letters[below(k, FLOCK)], same = below(k, 2) == 0 ? n - 1 : n * 2 / 3;
    for (uint32_t i = 0; i < n; i++)
        tok[i] = i < same ? like[i] : 'a' + below(k, 3);
    memcpy(k->letters[k->flocks++ % FLOCK], tok, n * sizeof *tok);
    uint32_t out = k->talkative ? 40 + below(k, 24) : 1 + below(k, 20);
    for (uint32_t i = 0; i < out; i++)
        given[i] = 'A' + i;
    uint64_t now = word_time(tape_world(engine_tape(k->en))->head.now);
    struct request_spec spec = {.ids = tok, .n = n, .max_new = out + (k->talkative ? 0 : below(k, 8)), .priority = (int32_t)below(k, 60),
                                .extra_key = below(k, 8) == 0 ? "A" : NULL};
    struct sched_extra x = {.at = now + below(k, 60000), .given = given, .n_given = out,
                            .routing_key = below(k, 2) == 0 ? "k" : NULL};
    struct err e = {0};
    if (sched_enqueue(k->en, &spec, &x, &req, &e) != 0)
        fail_msg("%s", e.what);
    if (below(k, 6) == 0 && sched_abort(k->en, req, x.at + below(k, 90000), &e) != 0)
        fail_msg("%s", e.what);
    return req;
}

/* What it has generated is what was given, and as much as its end says. */
static void check_answer(struct crowd *k, uint32_t req)
{
    const struct request *q = &tape_world(engine_tape(k->en))->request[req];
    uint32_t n;
    const uint32_t *made = engine_generated(k->en, req, &n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(made[i], 'A' + i);
    k->finished += q->state == REQ_FINISHED;
    k->aborted += q->state == REQ_ABORTED;
    k->refused += q->state == REQ_REFUSED;
    k->cut += q->finish_reason == FINISH_NO_SLOTS && q->state == REQ_FINISHED;
    assert_true(q->state == REQ_FINISHED || q->state == REQ_ABORTED || q->state == REQ_REFUSED);
    if (q->state == REQ_FINISHED && q->finish_reason != FINISH_NO_SLOTS)
        assert_true(n > 0 && n <= q->max_new);
}

static struct sched_config any_config(struct crowd *k, uint32_t page)
{
    struct sched_config c = {.policy = (enum sched_policy)below(k, SCHED_POLICIES), .max_running = 1 + below(k, 12),
                             .max_prefill = below(k, 2) == 0 ? 24 : 0, .chunk = below(k, 2) * page * (1 + below(k, 12))};
    c.priorities = (c.policy == SCHED_FCFS || c.policy == SCHED_LOF) && below(k, 2) == 0;
    c.preempt = c.priorities && below(k, 2) == 0;
    c.low_first = c.priorities && below(k, 3) == 0;
    return c;
}

static void make_crowd(struct crowd *k, uint32_t seed, bool record)
{
    static const uint32_t pages[] = {1, 1, 2, 4};
    memset(k, 0, sizeof *k);
    prng_seed(&k->rng, seed);
    k->talkative = seed % 3 == 0;
    uint32_t page = pages[below(k, 4)], pool = page * (60 / page + below(k, 60)) + (k->talkative ? 160 : 0);
    k->en = engine_of(NULL, pool, page);
    tape_record(engine_tape(k->en), record);
    begin(k->en, any_config(k, page));
    for (uint32_t i = 0; i < FLOCK; i++)
        for (uint32_t n = 0; n < LONGEST; n++)
            k->letters[i][n] = 'a' + below(k, 3);
}

/* A wave of requests, run in pieces; every moment between two pieces is in order. */
static void run_wave(struct crowd *k, uint32_t count)
{
    uint32_t req[64];
    for (uint32_t i = 0; i < count; i++)
        req[i] = add_request(k);
    for (uint32_t pieces = below(k, 4); pieces > 0; pieces--) {
        serve(k->en, 1 + below(k, 9));
        sound(k->en);
    }
    serve(k->en, 0);
    for (uint32_t i = 0; i < count; i++)
        check_answer(k, req[i]);
    nothing_lost(k->en);
}

static void test_crowds_step_back(void **state)
{
    static const unsigned kinds[] = {EV_RETRACT, EV_PREEMPT, EV_HELD_BACK, EV_CHUNK, EV_FULL, EV_LEFT, EV_IDLE, EV_REFUSE,
                                     EV_ABORT, EV_SHORT, EV_RATIO, EV_SPLIT, EV_VICTIM};
    uint32_t met[ARRAY_LEN(kinds)] = {0}, crowds = 0;
    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++, crowds++) {
        struct crowd k;
        make_crowd(&k, seed, true);
        run_wave(&k, 24);
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            met[i] += count_steps(k.en, kinds[i]);
        if (seed % 3 == 0)
            walks_back(k.en);
        engine_free(k.en);
    }
    assert_int_equal(crowds, 60);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (met[i] == 0)
            fail_msg("no crowd met %s", event_info(kinds[i])->name);
}

static void test_soak(void **state)
{
    const char *text = getenv("REQUESTS");
    unsigned long all = text != NULL ? strtoul(text, NULL, 10) : 6000, done = 0, finished = 0, aborted = 0;
    (void)state;
    for (uint32_t seed = 1000; done < all; seed++) {
        struct crowd k;
        make_crowd(&k, seed, false);
        for (uint32_t wave = 0; wave < 40 && done < all; wave++, done += 32)
            run_wave(&k, 32);
        finished += k.finished;
        aborted += k.aborted;
        engine_free(k.en);
    }
    assert_true(finished > all / 2 && aborted > all / 20);
    print_message("  %lu requests, %lu answered, %lu aborted, no slot lost\n", done, finished, aborted);
}

/* Memory that fails once, at every place in turn: an error or none, but the world is in order, and without the failure
 * the rest is served. */
static void test_no_memory_for_a_schedule(void **state)
{
    unsigned long injected = 0;
    (void)state;
    for (uint32_t seed = 30, n = 1; seed < 40; n++) {
        struct crowd k;
        struct err e = {0};
        make_crowd(&k, seed, true);
        for (uint32_t i = 0; i < 10; i++)
            add_request(&k);
        xalloc_fail_at(n, false);
        int rc = sched_serve(k.en, 0, &e);
        unsigned long failed = xalloc_failures();
        xalloc_fail_at(0, false);
        injected += failed;
        assert_int_equal(rc != 0, e.set);
        sound(k.en);
        serve(k.en, 0);
        nothing_lost(k.en);
        engine_free(k.en);
        if (failed == 0) {
            seed++;
            n = 0;
        }
    }
    assert_true(injected > 40);
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------ */

static uint32_t letters(struct engine *en, const char *prompt, const char *answer, uint32_t max, double at_ms, int32_t priority)
{
    uint32_t tok[128], given[128], n = (uint32_t)strlen(prompt), out = (uint32_t)strlen(answer), req;
    for (uint32_t i = 0; i < n; i++)
        tok[i] = (uint32_t)prompt[i];
    for (uint32_t i = 0; i < out; i++)
        given[i] = (uint32_t)answer[i];
    struct request_spec spec = {.ids = tok, .n = n, .max_new = max, .priority = priority};
    struct sched_extra x = {.at = (uint64_t)(at_ms * 1000), .given = given, .n_given = out};
    struct err e = {0};
    if (sched_enqueue(en, &spec, &x, &req, &e) != 0)
        fail_msg("%s", e.what);
    return req;
}

/* Four requests that arrive one pass after another, each of which will generate 100 tokens, in 340 slots. Admission
 * keeps 0.7 of what the earlier ones may still generate, so all four run; before the first one ends they need about
 * 400. The last one has generated fewest: it gives way, waits again, and is answered all the same. */
static void test_retraction(void **state)
{
    struct engine *en = engine_of(NULL, 340, 1);
    char answer[101] = "";
    uint32_t req[4];
    (void)state;
    memset(answer, 'A', 100);
    begin(en, (struct sched_config){.policy = SCHED_FCFS});
    for (uint32_t i = 0; i < 4; i++)
        req[i] = letters(en, (const char *[]){"ab", "cd", "ef", "gh"}[i], answer, 100, 5 * i, 0);
    serve(en, 0);
    const struct world *w = tape_world(engine_tape(en));
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(w->served[req[i]].retracted, i == 3);
        assert_int_equal(w->request[req[i]].total_len, 102);
    }
    assert_int_equal(count_steps(en, EV_RETRACT), 1);
    assert_int_equal(count_steps(en, EV_RATIO), 1);
    nothing_lost(en);
    engine_free(en);
}

/* A running request of priority 0 gives its place to one of 11, not to one of 10 (sglang §7: by more than 10). */
static void test_preemption_margin(void **state)
{
    (void)state;
    for (int32_t priority = 10; priority <= 11; priority++) {
        struct engine *en = engine_of(NULL, 64, 1);
        begin(en, (struct sched_config){.policy = SCHED_FCFS, .priorities = true, .preempt = true, .max_running = 1});
        uint32_t a = letters(en, "abcdef", "ABCDEF", 6, 0, 0);
        letters(en, "ghi", "AB", 2, 1, priority);
        serve(en, 0);
        assert_int_equal(tape_world(engine_tape(en))->served[a].retracted, priority > 10);
        assert_int_equal(tape_world(engine_tape(en))->request[a].state, REQ_FINISHED);
        nothing_lost(en);
        engine_free(en);
    }
}

/* lpm: whoever shares a prefix with what is cached passes the cold one that came first. */
static void test_lpm_passes_the_cold_one(void **state)
{
    struct engine *en = engine_of(NULL, 200, 1);
    (void)state;
    begin(en, (struct sched_config){.policy = SCHED_LPM, .max_running = 1});
    letters(en, "aaaaaaaaaabbbb", "AB", 2, 0, 0);
    uint32_t cold = letters(en, "zzzz", "AB", 2, 1, 0), last = 0;
    for (int i = 0; i < 5; i++)
        last = letters(en, "aaaaaaaaaacc", "AB", 2, 2 + i, 0);
    serve(en, 0);
    const struct world *w = tape_world(engine_tape(en));
    assert_int_equal(w->served[cold].passed, 5);
    assert_true(word_time(w->served[cold].first) > word_time(w->served[last].first));
    engine_free(en);
}

/* A request that fits into no empty pool is refused; the others run. Refused settings say why. */
static void test_refusals(void **state)
{
    struct engine *en = engine_of(NULL, 16, 4);
    struct err e = {0};
    (void)state;
    assert_int_equal(sched_begin(en, &(struct sched_config){.policy = SCHED_LPM, .priorities = true}, &e), -1);
    assert_non_null(strstr(e.what, "fcfs and lof"));
    e = (struct err){0};
    assert_int_equal(sched_begin(en, &(struct sched_config){.preempt = true}, &e), -1);
    e = (struct err){0};
    assert_int_equal(sched_begin(en, &(struct sched_config){.chunk = 6}, &e), -1);
    assert_non_null(strstr(e.what, "pages of 4"));
    begin(en, (struct sched_config){.policy = SCHED_LPM});
    uint32_t big = letters(en, "abcdefghijklm", "ABCD", 4, 0, 0), small = letters(en, "abcd", "AB", 2, 0, 0);
    serve(en, 0);
    const struct world *w = tape_world(engine_tape(en));
    assert_int_equal(w->request[big].state, REQ_REFUSED);
    assert_int_equal(w->request[small].state, REQ_FINISHED);
    e = (struct err){0};
    assert_int_equal(sched_abort(en, small, 0, &e), -1);
    nothing_lost(en);
    engine_free(en);
}

/* The clock by hand: an H100 reads 8.03e9 weights of 2 bytes at 3.35e12 bytes/s in 4.794 ms; a prefill of 4,000 tokens
 * is 2 x 8.03e9 x 4000 + 4 x 32 x 32 x 128 x 8,002,000 operations at 989.4e12 a second. */
static void test_cost_by_hand(void **state)
{
    struct cost_model c = cost_default();
    struct cost_pass one = {0}, long_one = {0};
    (void)state;
    cost_add(&one, 0, 1);
    assert_int_equal(cost_time(&c, &one), 4794);
    cost_add(&long_one, 0, 4000);
    double us = (2 * 8.03e9 * 4000 + 4.0 * 32 * 32 * 128 * 8002000.0) / 989.4e12 * 1e6;
    assert_true(fabs((double)cost_time(&c, &long_one) - us) <= 1);
    struct cost_shape s = cost_shape_of(model);
    assert_true(s.params > 1e5 && s.params < 5e6 && s.layers == model_get_config(model)->layers);
    struct cost_model measured;
    struct err e = {0};
    assert_int_equal(cost_measure(model, &measured, &e), 0);
    assert_true(measured.measured && measured.device.flops > 0 && measured.device.bytes > 0);
    assert_true(cost_time(&measured, &one) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retraction),       cmocka_unit_test(test_preemption_margin),
        cmocka_unit_test(test_lpm_passes_the_cold_one), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cost_by_hand),     cmocka_unit_test(test_crowds_step_back),
        cmocka_unit_test(test_same_tokens_as_alone), cmocka_unit_test(test_soak),
        cmocka_unit_test(test_no_memory_for_a_schedule),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
