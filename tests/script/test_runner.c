#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "script/compare.h"
#include "script/runner.h"
#include "tape/check.h"

#define MODEL "data/model"
#define SCENARIOS "data/scenarios"

static struct script *parse(const char *text)
{
    struct err e = {0};
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    if (s == NULL)
        fail_msg("%s", e.what);
    return s;
}

struct told {
    uint32_t commands, requests;
    char answer[4][64];
    uint32_t cached[4];
};

static void remember(void *ctx, const struct runner_report *rep)
{
    struct told *t = ctx;
    t->commands++;
    if (rep->request == NULL || t->requests == 4)
        return;
    snprintf(t->answer[t->requests], sizeof t->answer[0], "%s", rep->answer);
    t->cached[t->requests++] = rep->request->cached_tokens;
}

/* Run text; returns its error ("" when all went well). The caller's config may be NULL. */
static const char *run(const char *text, struct err *e)
{
    struct script *s = parse(text);
    struct runner_config cfg = {.model_dir = MODEL};
    *e = (struct err){0};
    struct runner *r = runner_new(s, &cfg, e);
    if (r != NULL)
        runner_script(r, s, e);
    runner_free(r);
    script_free(s);
    return e->what;
}

/* ---- every scenario, every step, both ways ------------------------------------------------------------- */

static uint32_t walk_both_ways(const struct tape *t)
{
    struct cursor c, fresh;
    struct err e = {0};
    assert_int_equal(cursor_init(&c, t, &e), 0);
    assert_int_equal(cursor_init(&fresh, t, &e), 0);
    uint32_t end = tape_length(t, 0);
    uint64_t *hash = xcalloc(end + 1, sizeof *hash);
    for (uint32_t n = 0; n <= end; n++) {
        struct step step = {.settled = true};
        cursor_seek(&c, 0, n);
        hash[n] = world_hash(c.w);
        if (n > 0)
            tape_step(t, 0, n, &step);
        if (step.settled && world_check(cursor_scene(&c), &e) != 0)
            fail_msg("step %u: %s", n, e.what);
    }
    assert_true(world_equal(c.w, tape_world(t)));
    for (uint32_t n = end; n > 0; n--) {
        cursor_seek(&c, 0, n - 1);
        assert_true(world_hash(c.w) == hash[n - 1]);
    }
    assert_true(world_equal(c.w, fresh.w));
    xfree(hash);
    cursor_done(&c);
    cursor_done(&fresh);
    return end;
}

static uint32_t run_scenario(const char *name)
{
    char path[512];
    struct err e = {0};
    snprintf(path, sizeof path, SCENARIOS "/%s", name);
    struct script *s = script_load(path, &e);
    if (s == NULL)
        fail_msg("%s", e.what);
    struct runner_config cfg = {.model_dir = MODEL};
    struct runner *r = runner_new(s, &cfg, &e);
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    struct script_settings set;
    script_settings(s, &set);
    assert_string_not_equal(set.title, s->name); /* every scenario has a title */
    assert_int_equal(runner_refused(r), 0);      /* what is refused is expected to be */
    uint32_t steps = walk_both_ways(runner_tape(r));
    runner_free(r);
    script_free(s);
    return steps;
}

static void every_scenario_holds_its_word(void **state)
{
    (void)state;
    DIR *dir = opendir(SCENARIOS);
    struct dirent *entry;
    uint32_t scenarios = 0, steps = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (n < 5 || strcmp(entry->d_name + n - 4, ".rxs") != 0)
            continue;
        steps += run_scenario(entry->d_name);
        scenarios++;
    }
    closedir(dir);
    assert_true(scenarios >= 14);
    assert_true(steps > 300);
    print_message("%u scenarios, %u steps, both ways\n", scenarios, steps);
}

/* ---- expectations ------------------------------------------------------------------------------------------ */

struct expectation {
    const char *text, *error;
};

#define LETTERS "tokens letters\npool 16\n"
static const struct expectation EXPECTATIONS[] = {
    {LETTERS "insert abc\nexpect matched=0 added=3 nodes=1 leaves=1 used=3 free=13 evictable=3 protected=0", ""},
    {LETTERS "insert abc\nexpect nodes=2", "t.rxs:4:14: expected nodes=2, but it is 1"},
    {LETTERS "insert abc\ninsert abd\nexpect matched=2 added=1 event=split_node no_event=evict_node", ""},
    {LETTERS "insert abc\nexpect event=split_node",
     "t.rxs:4:14: expected the event split_node, but none of the 8 steps is one"},
    {LETTERS "insert abc\nexpect no_event=new_leaf", "t.rxs:4:17: expected no event new_leaf, but there are 1"},
    {LETTERS "insert abc\nexpect event=spilt_node", "t.rxs:4:14: 'spilt_node' is no event"},
    {LETTERS "insert abc\nexpect cached=0", "t.rxs:4:15: the command above has no cached to expect"},
    {LETTERS "insert abc\nexpect text=x", "t.rxs:4:13: the command above gave no answer"},
    {LETTERS "insert abcdefghijklmnopq\nexpect outcome=no_slots nodes=0", ""},
    {LETTERS "insert abc\nexpect outcome=no_slots", "t.rxs:4:16: expected outcome=no_slots, but it is answered"},
    {LETTERS "insert abc\nlock k ab\nexpect protected=2 evictable=1\nevict 9\nexpect freed=1\nunlock k\n"
             "expect protected=0\nevict 9\nexpect freed=2 free=16 nodes=0", ""},
    {LETTERS "unlock k", "t.rxs:3:1: nothing is locked under the name k"},
    {LETTERS "insert abc\nlock k a\nlock k b", "t.rxs:5:1: the name k holds a lock already: unlock it first"},
    {LETTERS "insert abc\nlock k a\nreset",
     "t.rxs:5:1: the cache cannot be reset while requests run or locks are held"},
    {LETTERS "insert abc\nreset\nexpect nodes=0 free=16\nset policy lfu\nsay \"done\"\nexpect event=note", ""},
    {LETTERS "insert abc ns=a\nmatch abc\nexpect matched=0\nmatch abc ns=a\nexpect matched=3", ""},
    {"tokens words\npool 8\ninsert \"the cat sat\"\nmatch \"the cat ran\"\nexpect matched=2 nodes=2", ""},
    {"pool 10\npage 4\ntokens letters\ninsert a", "a pool of 10 slots is not a whole number of pages of 4"},
    {"pool 8\npage 4\ntokens letters\ninsert abcdefg\nexpect added=4 used=4\nmatch abcdefg\nexpect matched=4", ""},
    {"pool 64\nturn hello", "t.rxs:2:1: turn continues a conversation, and none has been answered yet"},
    {"pool 4\nrequest \"What color is grass?\"\nexpect outcome=refused nodes=0 free=4", ""},
    {"pool 8\nrequest \"What color is grass?\"\nexpect outcome=no_slots generated=1 protected=0", ""},
    {"pool 8\nrequest \"What color is grass?\"\nexpect outcome=answered",
     "t.rxs:3:16: expected outcome=answered, but it is no_slots"},
    {"pool 64\nrequest \"What color is grass?\" max=2\nexpect generated=2 answer=\"Grass is\"", ""},
    {"pool 64\nrequest \"What color is grass?\"\nexpect text=\"blue\"",
     "t.rxs:3:13: expected the answer to hold \"blue\", but it is \"Grass is green.\""},
    {"pool 64\nrequest hello max=0", "t.rxs:2:1: a request must be allowed at least one new token"},
    {"pool 64\nrequest \"\" raw", "t.rxs:2:1: a request needs at least one prompt token"},
    {"tokens letters\nrequest hello", "t.rxs:2:1: request needs the model, but this script has tokens letters"},
};

static void expectations_say_both_values(void **state)
{
    (void)state;
    size_t ran = 0;
    for (size_t i = 0; i < ARRAY_LEN(EXPECTATIONS); i++, ran++) {
        struct err e;
        assert_string_equal(run(EXPECTATIONS[i].text, &e), EXPECTATIONS[i].error);
    }
    assert_int_equal(ran, ARRAY_LEN(EXPECTATIONS));
}

/* ---- requests ------------------------------------------------------------------------------------------------ */

static void conversations_continue(void **state)
{
    (void)state;
    struct script *s = parse("pool 256\nsystem \"You are a helpful assistant.\"\n"
                             "request \"My name is Anna.\"\nturn \"What is my name?\"\n"
                             "request \"What is my name?\"\n");
    struct told told = {0};
    struct runner_config cfg = {.model_dir = MODEL, .report = remember, .ctx = &told};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_non_null(r);
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    assert_int_equal(told.requests, 3);
    assert_non_null(strstr(told.answer[1], "Anna"));
    assert_null(strstr(told.answer[2], "Anna")); /* a new conversation knows nothing */
    assert_true(told.cached[1] > told.cached[2]);
    assert_true(told.cached[2] > 0);             /* but its system prompt is cached */
    runner_free(r);
    script_free(s);
}

static void a_prompt_longer_than_the_context_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_puts(&b, "pool 8192\nrequest \"");
    for (int i = 0; i < 1200; i++)
        buf_puts(&b, "cat ");
    buf_puts(&b, "\"\nexpect outcome=refused event=refuse used=0 requests=0\nrequest \"What color is grass?\"\n"
                 "expect text=green\n");
    struct err e;
    assert_string_equal(run(buf_text(&b), &e), "");
    buf_free(&b);
}

static void a_missing_model_is_named(void **state)
{
    (void)state;
    struct script *s = parse("request hello");
    struct runner_config cfg = {.model_dir = "/nonexistent"};
    struct err e = {0};
    assert_null(runner_new(s, &cfg, &e));
    assert_non_null(strstr(e.what, "/nonexistent/config.json"));
    script_free(s);
}

static void no_history_gives_the_same_answers(void **state)
{
    (void)state;
    struct script *s = parse("pool 128\nrequest \"What color is grass?\"\nrequest \"What color is snow?\"\n");
    struct told told[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct runner_config cfg = {.model_dir = MODEL, .report = remember, .ctx = &told[i], .no_history = i == 1};
        struct err e = {0};
        struct runner *r = runner_new(s, &cfg, &e);
        assert_non_null(r);
        assert_int_equal(runner_script(r, s, &e), RUN_DONE);
        assert_int_equal(tape_length(runner_tape(r), 0) == 0, i == 1);
        runner_free(r);
    }
    assert_memory_equal(&told[0], &told[1], sizeof told[0]);
    assert_int_equal(told[0].requests, 2);
    script_free(s);
}

static void typed_lines_bring_no_settings(void **state)
{
    (void)state;
    struct script *s = parse(LETTERS), *set = parse("policy lru"), *fine = parse("insert a");
    struct runner_config cfg = {.model_dir = MODEL};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_int_equal(runner_accepts(r, fine, &e), 0);
    assert_int_equal(runner_accepts(r, set, &e), -1);
    assert_string_equal(e.what, "t.rxs:1:1: policy is a setting of the whole run, which has begun");
    assert_string_equal(e.hint, "use: set policy NAME");
    runner_free(r);
    script_free(s);
    script_free(set);
    script_free(fine);
}

/* Forgetting where the tape stood would corrupt the world: act from every step of a small run. */
static void acting_from_any_step_forks(void **state)
{
    (void)state;
    struct script *s = parse(LETTERS "insert abcd\ninsert abxy\nmatch ab\n"), *more = parse("insert abcz\n");
    struct runner_config cfg = {.model_dir = MODEL};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    const struct tape *t = runner_tape(r);
    uint32_t end = tape_length(t, 0), forks = 0;
    for (uint32_t n = 0; n < end; n++) { /* also from within operations: it goes back to where one ended */
        assert_int_equal(runner_act_at(r, 0, n, &e), 0);
        assert_int_equal(runner_script(r, more, &e), RUN_DONE);
        assert_int_equal(world_check(tape_scene(t), &e), 0);
        forks++;
    }
    assert_int_equal(tape_branches(t), (int)forks + 1);
    assert_int_equal(tape_length(t, 0), end);
    assert_true(forks > 20);
    runner_free(r);
    script_free(s);
    script_free(more);
}

/* Names and typed keys have numbers, and those can run out: then it is not memory that is missing, and what was named
 * before goes on. */
static void names_can_run_out(void **state)
{
    (void)state;
    static const char *const REFUSED[] = {"insert new\n", "match other\n", "insert abcd ns=x\n", "lock hold abcd\n", "say hello\n",
                                          "set policy lfu\n", "request abcd answer=x label=who\n"};
    struct script *s = parse("tokens letters\npool 64\ninsert abcd\n"), *again = parse("insert abcd\nmatch abcd\n");
    struct runner_config cfg = {.model_dir = MODEL};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    unsigned refused = 0;
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    struct store *names = tape_store(runner_tape(r));
    for (uint32_t i = 0; names->name_count < names->name_cap; i++) {
        char name[20];
        snprintf(name, sizeof name, "n%u", i);
        assert_int_not_equal(store_intern(names, name), UINT32_MAX);
    }
    for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++) {
        struct script *one = parse(REFUSED[i]);
        struct err inner = {0};
        assert_int_equal(runner_script(r, one, &inner), RUN_FAILED);
        if (strstr(inner.what, "65535 different names and typed keys") == NULL || strstr(inner.what, "memory") != NULL)
            fail_msg("%s%s", REFUSED[i], inner.what);
        assert_int_equal(world_check(tape_scene(runner_tape(r)), &e), 0);
        refused++;
        script_free(one);
    }
    assert_int_equal(runner_script(r, again, &e), RUN_DONE);
    assert_int_equal(refused, 7);
    runner_free(r);
    script_free(s);
    script_free(again);
}

/* One command can bring thousands of operations: none begins behind the limit. */
static void a_step_limit_ends_a_command(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "tokens words\npool 4000\nworkload shared-prefix requests=500\n",
        "tokens words\npool 4000\nschedule fcfs\nworkload shared-prefix requests=500\nserve\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        struct script *s = parse(TEXTS[i]);
        struct runner_config cfg = {.model_dir = MODEL, .step_limit = 3000};
        struct err e = {0};
        struct runner *r = runner_new(s, &cfg, &e);
        assert_int_equal(runner_script(r, s, &e), RUN_FAILED);
        assert_true(e.set && tape_full(runner_tape(r)));
        assert_true(tape_length(runner_tape(r), 0) > 3000);
        assert_true(tape_length(runner_tape(r), 0) < 3100);
        assert_int_equal(world_check(tape_scene(runner_tape(r)), &e), 0);
        runner_free(r);
        script_free(s);
    }
}

/* In the middle of a request there are locks and slots that somebody must give back: not from there. */
static void acting_within_a_request_goes_back_before_it(void **state)
{
    (void)state;
    struct script *s = parse("pool 64\nrequest \"What color is grass?\"\n"), *more = parse("insert hello ns=x\nreset\n");
    struct runner_config cfg = {.model_dir = MODEL};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    const struct tape *t = runner_tape(r);
    uint32_t end = tape_length(t, 0);
    for (uint32_t n = 2; n < end; n += 5) {
        uint32_t from;
        assert_int_equal(runner_act_at(r, 0, n, &e), 0);
        tape_parent(t, tape_branch(t), &from);
        assert_int_equal(from, 1);
        if (runner_script(r, more, &e) != RUN_DONE)
            fail_msg("%s", e.what);
    }
    assert_true(tape_branches(t) > 5);
    runner_free(r);
    script_free(s);
    script_free(more);
}

/* A request of a schedule is planned in one command and served by the next one: at the end of a branch it stays. */
static void at_the_end_a_planned_request_stays(void **state)
{
    (void)state;
    struct script *s = parse("tokens words\npool 16\nschedule fcfs\nrequest \"a b\" answer=\"c\" label=one\n");
    struct script *more = parse("serve\n");
    struct runner_config cfg = {0};
    struct err e = {0};
    struct runner *r = runner_new(s, &cfg, &e);
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    const struct tape *t = runner_tape(r);
    assert_int_equal(runner_act_at(r, 0, tape_length(t, 0), &e), 0);
    assert_int_equal(runner_script(r, more, &e), RUN_DONE);
    assert_int_equal(tape_branches(t), 1);
    assert_int_equal(tape_world(t)->request[1].state, REQ_FINISHED);
    assert_int_equal(world_check(tape_scene(t), &e), 0);
    runner_free(r);
    script_free(s);
    script_free(more);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    struct script *s = parse("tokens words\npool 16\ninsert \"a b c\" ns=x\nmatch \"a b d\"\nlock k \"a\"\nunlock k\n"
                             "evict 2\nset policy lfu\nsay \"x\"\nreset\n");
    unsigned long injected = 0, nth = 1;
    for (bool more = true; more; nth++) {
        struct err e = {0};
        struct runner_config cfg = {0};
        xalloc_fail_at(nth, nth % 2 == 0);
        struct runner *r = runner_new(s, &cfg, &e);
        enum run_result rc = r != NULL ? runner_script(r, s, &e) : RUN_FAILED;
        more = xalloc_failures() > 0;
        injected += more;
        xalloc_fail_at(0, false);
        assert_true(rc == RUN_DONE ? !e.set : e.set); /* what nothing depends on may fail unnoticed */
        struct err broken = {0};
        if (r != NULL && world_check(tape_scene(runner_tape(r)), &broken) != 0)
            fail_msg("%lu: %s", nth, broken.what);
        runner_free(r);
    }
    assert_true(injected > 20);
    script_free(s);
}

/* ---- compare ---------------------------------------------------------------------------------------------------- */

static struct compare compared(const char *text, enum compare_damage damage)
{
    struct script *s = parse(text);
    struct runner_config cfg = {.model_dir = MODEL};
    struct compare c = {0};
    struct err e = {0};
    if (compare_run(&c, s, &cfg, damage, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    script_free(s);
    return c;
}

#define TWO "pool 128\nsystem \"You are a helpful assistant.\"\nrequest \"What color is grass?\"\n" \
            "request \"Where do fish live?\"\n"

static void cold_and_cached_are_equal(void **state)
{
    (void)state;
    struct compare c = compared(TWO "turn \"Thank you!\"\n", DAMAGE_NONE);
    assert_int_equal(c.count, 3);
    for (uint32_t i = 0; i < c.count; i++) {
        const struct compare_request *q = &c.request[i];
        assert_true(compare_equal(q, 0.0));
        assert_int_equal(q->cold.computed, q->prompt_tokens);
        assert_int_equal(q->cached.computed, q->prompt_tokens - q->cached_tokens);
        /* all that the cached run computed: the rest of the prompt, and the answer but its last token */
        assert_int_equal(q->positions, q->cached.computed + q->cached.generated - 1);
        assert_true(i == 0 ? q->cached.flops == q->cold.flops : q->cached.flops < q->cold.flops);
    }
    assert_true(c.request[1].cached_tokens > 5);
    compare_done(&c);
}

static void one_changed_row_is_caught(void **state)
{
    (void)state;
    struct compare c = compared(TWO, DAMAGE_ROW);
    assert_true(compare_equal(&c.request[0], 0.0));
    assert_false(compare_equal(&c.request[1], 0.0));
    assert_true(c.request[1].max_diff > 0);
    compare_done(&c);
}

static void one_swapped_slot_is_caught(void **state)
{
    (void)state;
    struct compare c = compared(TWO, DAMAGE_SLOT);
    assert_true(compare_equal(&c.request[0], 0.0));
    assert_false(compare_equal(&c.request[1], 0.0));
    compare_done(&c);
}

static void fast_mode_agrees_within_its_tolerance(void **state)
{
    (void)state;
    struct compare c = compared("mode fast\n" TWO, DAMAGE_NONE);
    for (uint32_t i = 0; i < c.count; i++)
        assert_true(compare_equal(&c.request[i], 1e-2));
    assert_int_equal(c.count, 2);
    compare_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scenario_holds_its_word),
        cmocka_unit_test(expectations_say_both_values),
        cmocka_unit_test(conversations_continue),
        cmocka_unit_test(a_prompt_longer_than_the_context_is_refused),
        cmocka_unit_test(a_missing_model_is_named),
        cmocka_unit_test(no_history_gives_the_same_answers),
        cmocka_unit_test(typed_lines_bring_no_settings),
        cmocka_unit_test(acting_from_any_step_forks),
        cmocka_unit_test(a_step_limit_ends_a_command),
        cmocka_unit_test(names_can_run_out),
        cmocka_unit_test(acting_within_a_request_goes_back_before_it),
        cmocka_unit_test(at_the_end_a_planned_request_stays),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(cold_and_cached_are_equal),
        cmocka_unit_test(one_changed_row_is_caught),
        cmocka_unit_test(one_swapped_slot_is_caught),
        cmocka_unit_test(fast_mode_agrees_within_its_tolerance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
