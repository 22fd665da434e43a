/* queue_scene.h: a schedule on words, with no model: lpm, two at a time, chunks of 8, a cold request that is passed, one
 * that is held back, one that is aborted, one that decode has no slot for. Included by tests of ui/.
 */
#ifndef RADIXSCOPE_TESTS_UI_QUEUE_SCENE_H
#define RADIXSCOPE_TESTS_UI_QUEUE_SCENE_H

#include "engine/sched.h"
#include "tests/ui/scene.h"

static uint32_t queue_request(struct stage *g, const char *prompt, const char *answer, const char *label, uint32_t at_ms)
{
    uint32_t tok[128], given[64], n = stage_tokens(g, prompt, tok), out = stage_tokens(g, answer, given), req;
    struct request_spec spec = {.ids = tok, .n = n, .max_new = out + 2, .label = label};
    struct sched_extra x = {.at = at_ms * 1000u, .given = given, .n_given = out};
    struct err e = {0};
    if (sched_enqueue(g->engine, &spec, &x, &req, &e) != 0)
        fail_msg("%s", e.what);
    return req;
}

#define QUEUE_LONG "a b c d e f g h i j k l m n o p q r s t u v w x y z and then so much more of it"

static inline void scene_queue(struct stage *g)
{
    struct engine_config cfg = {.world = {.pool = 96, .page_size = 1}};
    struct sched_config sched = {.policy = SCHED_LPM, .max_running = 2, .max_prefill = 64, .chunk = 16, .cost = cost_default()};
    struct err e = {0};
    memset(g, 0, sizeof *g);
    g->engine = engine_new(&cfg, &e);
    assert_non_null(g->engine);
    g->t = engine_tape(g->engine);
    g->feed = (struct ui_feed){.tape = g->t, .title = "a waiting queue", .wake_fd = -1,
                               .words = {{g, stage_quoted}, stage_bytes, g}, .cut = stage_cut};
    assert_int_equal(sched_begin(g->engine, &sched, &e), 0);
    queue_request(g, "you are a helpful assistant now tell me of cats", "they say meow", "first", 0);
    queue_request(g, "zebra stripes are", "black and white", "cold", 1);
    queue_request(g, QUEUE_LONG " one", "yes it is", "long", 2);
    queue_request(g, QUEUE_LONG " two", "no it is not", "twin", 2);
    for (int i = 0; i < 4; i++)
        queue_request(g, "you are a helpful assistant now tell me of dogs", "they bark", i % 2 == 0 ? "warm" : NULL, 3 + 6 * (uint32_t)i);
    assert_int_equal(sched_abort(g->engine, queue_request(g, "never mind this", "ok", "gone", 4), 9000, &e), 0);
    if (sched_serve(g->engine, 0, &e) != 0)
        fail_msg("%s", e.what);
}

#endif
