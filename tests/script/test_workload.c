/* Workloads: the same seed gives the same text, the shape is what is asked for, and what must hit does hit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "script/runner.h"
#include "script/workload.h"

static void written(enum workload w, const struct workload_shape *shape, bool told, struct buf *out)
{
    struct err e = {0};
    if (workload_write(w, shape, told, out, &e) != 0)
        fail_msg("%s", e.what);
}

static void a_seed_decides(void **state)
{
    (void)state;
    for (unsigned w = 0; w < WORKLOAD_COUNT; w++) {
        struct workload_shape shape = workload_default((enum workload)w);
        struct buf a = {0}, b = {0}, other = {0}, asked = {0};
        struct err e = {0};
        written((enum workload)w, &shape, true, &a);
        written((enum workload)w, &shape, true, &b);
        written((enum workload)w, &shape, false, &asked);
        shape.seed++;
        written((enum workload)w, &shape, true, &other);
        assert_string_equal(buf_text(&a), buf_text(&b));
        assert_string_not_equal(buf_text(&a), buf_text(&other));
        assert_non_null(strstr(buf_text(&a), "answer="));
        assert_null(strstr(buf_text(&asked), "answer="));
        struct script *s = script_parse("", buf_text(&a), a.len, 1, &e), *t = script_parse("", buf_text(&asked), asked.len, 1, &e);
        assert_non_null(s);
        assert_non_null(t);
        assert_int_equal(s->count, shape.requests);
        assert_int_equal(t->count, shape.requests);
        for (uint32_t i = 0; i < s->count; i++)
            assert_string_equal(script_text(&s->command[i], "text"), script_text(&t->command[i], "text"));
        script_free(s);
        script_free(t);
        buf_free(&a);
        buf_free(&b);
        buf_free(&other);
        buf_free(&asked);
    }
}

struct seen {
    uint32_t requests, prompt, cached, generated;
};

static void count(void *ctx, const struct runner_report *rep)
{
    struct seen *s = ctx;
    assert_non_null(rep->request);
    assert_non_null(rep->told);
    assert_int_equal(rep->command->kind, RXS_REQUEST);
    assert_int_equal(rep->request->outcome, OUTCOME_DONE);
    s->requests++;
    s->prompt += rep->request->prompt_tokens;
    s->cached += rep->request->cached_tokens;
    s->generated += rep->request->generated_tokens;
}

static struct seen run_text(const char *text)
{
    struct err e = {0};
    struct seen seen = {0};
    struct runner_config cfg = {.report = count, .ctx = &seen};
    struct script *s = script_parse("w.rxs", text, strlen(text), 1, &e);
    struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    runner_free(r);
    script_free(s);
    return seen;
}

/* With room for everything the hits can be worked out by hand from the shape. */
static void hits_that_can_be_worked_out(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t requests, prompt, cached;
    } CASE[] = {
        /* 10 prompts of 7 + 3; the first computes the system prompt */
        {"workload shared-system requests=10 prefix=7 question=3", 10, 100, 9 * 7},
        /* 3 questions four times: all but the last token; a new question hits the instruction */
        {"workload self-consistency requests=12 turns=4 prefix=5 question=4", 12, 108, 3 * 3 * 8 + 2 * 5},
        /* 4 keys three times round */
        {"workload thrash requests=12 groups=4 prefix=6", 12, 72, 2 * 4 * 5},
        {"workload never-repeat requests=9 prefix=6", 9, 54, 0},
        /* one group: its prefix, from the second request on */
        {"workload shared-prefix requests=8 groups=1 prefix=9 question=2", 8, 88, 7 * 9},
        /* one conversation of 3 turns: 4+2, then 2 + 3 more a turn; of an answer the last token has no KV */
        {"workload multi-turn-chat requests=3 groups=1 turns=3 prefix=4 question=2 answer=3", 3, 6 + 11 + 16, 8 + 13},
        /* of a tree of 2 branches: thought 1 and 2 follow 0, 3 and 4 follow 1; answers have one token without KV */
        {"workload tree-of-thoughts requests=5 turns=2 prefix=4 question=1 answer=3", 5, 5 + 9 + 9 + 13 + 13,
         7 + 8 + 11 + 12},
    };
    size_t run = 0;
    for (; run < ARRAY_LEN(CASE); run++) {
        char text[256];
        snprintf(text, sizeof text, "tokens words\npool 4096\n%s\n", CASE[run].text);
        struct seen s = run_text(text);
        if (s.requests != CASE[run].requests || s.prompt != CASE[run].prompt || s.cached != CASE[run].cached)
            fail_msg("%s: %u requests, %u prompt tokens, %u cached", CASE[run].text, s.requests, s.prompt, s.cached);
        assert_true(s.generated >= s.requests);
    }
    assert_int_equal(run, 7);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *line, *what;
    } BAD[] = {
        {"workload rga", "w.rxs:2:1: 'rga' is no workload"},
        {"workload rag groups=0", "w.rxs:2:1: rag needs at least one of groups and of turns"},
        {"workload rag answer=0", "w.rxs:2:1: a workload needs at least one request, and answers of at least one word"},
        {"workload rag turns=65", "w.rxs:2:1: turns is 65, but at most 64 is possible"},
        {"workload rag prefix=0", "w.rxs:2:1: rag needs a prefix of at least one word"},
        {"request \"a b\" answer=\"\"", "w.rxs:2:1: a request needs at least one prompt token and one token of an answer"},
    };
    size_t n = 0;
    for (; n < ARRAY_LEN(BAD); n++) {
        char text[256];
        struct err e = {0};
        struct runner_config cfg = {0};
        snprintf(text, sizeof text, "tokens words\n%s\n", BAD[n].line);
        struct script *s = script_parse("w.rxs", text, strlen(text), 1, &e);
        assert_non_null(s);
        struct runner *r = runner_new(s, &cfg, &e);
        assert_non_null(r);
        assert_int_equal(runner_script(r, s, &e), RUN_FAILED);
        assert_string_equal(e.what, BAD[n].what);
        runner_free(r);
        script_free(s);
    }
    assert_int_equal(n, 6);
}

/* A request that is larger than the pool is refused; the next one runs. */
static void too_large_is_refused(void **state)
{
    (void)state;
    static const char TEXT[] = "tokens letters\npool 6\nrequest abcdef answer=xy\nexpect outcome=refused no_event=evict\n"
                               "request abc answer=xy\nexpect outcome=answered cached=0 prompt=3 generated=2 used=4 nodes=2\n"
                               "request abc answer=zz\nexpect cached=2 computed=1\n";
    struct err e = {0};
    struct runner_config cfg = {0};
    struct script *s = script_parse("w.rxs", TEXT, strlen(TEXT), 1, &e);
    struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    assert_int_equal(runner_refused(r), 0); /* it was expected */
    runner_free(r);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_decides),        cmocka_unit_test(hits_that_can_be_worked_out),
        cmocka_unit_test(what_is_wrong_is_said), cmocka_unit_test(too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
