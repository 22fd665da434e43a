/* `adapter` and its options in scripts: what is loaded, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "script/runner.h"

struct told {
    char answer[4][64];
    uint32_t requests, cached;
};

static void remember(void *ctx, const struct runner_report *rep)
{
    struct told *t = ctx;
    if (rep->request == NULL || t->requests == 4)
        return;
    snprintf(t->answer[t->requests++], sizeof t->answer[0], "%s", rep->answer);
    t->cached = rep->request->cached_tokens;
}

/* 0 when all of text ran. */
static int run(const char *text, struct told *told, struct err *e)
{
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, e);
    struct runner_config cfg = {.model_dir = "data/model", .report = told != NULL ? remember : NULL, .ctx = told};
    struct runner *r = s != NULL ? runner_new(s, &cfg, e) : NULL;
    int rc = r != NULL && runner_script(r, s, e) == RUN_DONE ? 0 : -1;
    runner_free(r);
    script_free(s);
    return rc;
}

/* A folder is looked for as it is written, then inside the model's. */
static void folders_and_conversations(void **state)
{
    (void)state;
    struct told told = {0};
    struct err e = {0};
    int rc = run("pool 512\nadapter a adapters/reason\nadapter b \"data/model/adapters/turned\"\n"
                 "request \"My name is Anna.\" adapter=b\nturn \"What is my name?\" adapter=b\n"
                 "request \"What color is snow?\" adapter=a\nrequest \"What color is snow?\"\n", &told, &e);
    if (rc != 0)
        fail_msg("%s", e.what);
    assert_string_equal(told.answer[0], "Nice to meet you, Anna.");
    assert_string_equal(told.answer[1], "Anna, your name is.");
    assert_string_equal(told.answer[2], "Snow is white because it is made of ice.");
    assert_string_equal(told.answer[3], "Snow is white.");
    assert_int_equal(told.cached, 0);
}

static const struct {
    const char *text, *what, *hint;
} refusals[] = {
    {"adapter a\n", "t.rxs:1:10: adapter needs a text (folder) here", "adapter NAME TEXT"},
    {"adapter a nowhere\n", "t.rxs:1:1: nowhere/adapter_config.json", "an adapter is a folder with"},
    {"adapter a adapters/reason\nadapter a adapters/turned\n", "t.rxs:2:1: an adapter called a is loaded already", ""},
    {"adapter reason adapters/reason\nrequest hi adapter=raeson\n", "t.rxs:2:1: no adapter called raeson is loaded",
     "did you mean reason?"},
    {"request hi adapter=reason\n", "t.rxs:1:1: no adapter called reason is loaded", "adapter NAME \"folder\""},
    {"request hi shared_namespace\n", "t.rxs:1:1: shared_namespace is for a request with an adapter", ""},
    {"tokens letters\nadapter a adapters/reason\n", "t.rxs:2:1: adapter needs the model", ""},
    {"match hi\nexpect diff_over=1\n", "t.rxs:2:18: the command above has no diff_over", ""},
    {"adapter a adapters/reason\nrequest hi adapter=a shared_namespace max=1\nexpect diff_over=0.5\n",
     "t.rxs:3:18: expected a logit that is off by more than 0.5, but the largest is 0", ""},
};

static void what_is_refused(void **state)
{
    (void)state;
    size_t ran = 0;
    for (; ran < sizeof refusals / sizeof *refusals; ran++) {
        struct err e = {0};
        assert_int_equal(run(refusals[ran].text, NULL, &e), -1);
        if (strstr(e.what, refusals[ran].what) == NULL || strstr(e.hint, refusals[ran].hint) == NULL)
            fail_msg("case %zu: \"%s\" (%s)", ran, e.what, e.hint);
    }
    assert_int_equal(ran, sizeof refusals / sizeof *refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_and_conversations),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
