/* Sampling per request: the seed alone decides, stop strings end an answer, and the cache changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/xalloc.h"
#include "engine/stop.h"
#include "model/model.h"
#include "script/compare.h"
#include "script/runner.h"

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

struct last {
    char answer[400];
    struct request_report report;
    bool labelled;             /* only the request with a label counts */
};

static void remember(void *ctx, const struct runner_report *rep)
{
    struct last *l = ctx;
    if (rep->request == NULL || (l->labelled && script_text(rep->command, "label") == NULL))
        return;
    snprintf(l->answer, sizeof l->answer, "%s", rep->answer);
    l->report = *rep->request;
}

static struct script *parse(const char *text)
{
    struct err e = {0};
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    if (s == NULL)
        fail_msg("%s", e.what);
    return s;
}

/* Run text; what its (labelled) request answered. */
static struct last run(const char *text, const struct sampling *over, bool labelled)
{
    struct last last = {.labelled = labelled};
    struct script *s = parse(text);
    struct runner_config cfg = {.model = model, .report = remember, .ctx = &last};
    struct err e = {0};
    if (over != NULL)
        cfg.sampling = *over;
    struct runner *r = runner_new(s, &cfg, &e);
    if (r == NULL || runner_script(r, s, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    runner_free(r);
    script_free(s);
    return last;
}

#define SYSTEM "system \"You are a helpful assistant. Answer in a short sentence.\"\n"
#define HOT "temperature=3 top_k=60 top_p=0.98 min_p=0.001 repetition_penalty=1.1 max=20"

/* The request with this seed, between whatever stands before and after it. */
static struct last ask(const char *before, unsigned seed, const char *after)
{
    char text[1000];
    snprintf(text, sizeof text, "%s" "request \"What color is the sky?\" " HOT " seed=%u label=x\n%s", before, seed,
             after);
    return run(text, NULL, true);
}

static void the_seed_alone_decides(void **state)
{
    (void)state;
    char first[400] = "";
    unsigned others = 0;
    for (unsigned seed = 1; seed <= 8; seed++) {
        struct last cold = ask(SYSTEM, seed, "");
        struct last again = ask(SYSTEM, seed, "");
        struct last cached = ask(SYSTEM "request \"What color is the grass?\"\n", seed, "");
        struct last between = ask(SYSTEM "request \"What color is the sky?\" " HOT " seed=99\n"
                                  "request \"Where do fish live?\" " HOT " seed=4\n", seed, "request \"Hi\" " HOT "\n");
        struct last pages = ask("page 4\nchunk 5\npool 128\n" SYSTEM "request \"What color is the snow?\" " HOT "\n",
                                seed, "");
        assert_int_equal(cold.report.cached_tokens, 0);
        assert_true(cached.report.cached_tokens > 10 && between.report.cached_tokens > 10);
        assert_true(pages.report.cached_tokens > 10);
        assert_string_equal(cold.answer, again.answer);
        assert_string_equal(cold.answer, cached.answer);
        assert_string_equal(cold.answer, between.answer);
        assert_string_equal(cold.answer, pages.answer);
        assert_int_equal(cold.report.generated_tokens, between.report.generated_tokens);
        if (seed == 1)
            memcpy(first, cold.answer, sizeof first);
        others += strcmp(first, cold.answer) != 0;
    }
    assert_true(others > 2); /* and it does decide something */
}

static void compare_draws_the_same_tokens(void **state)
{
    (void)state;
    struct script *s = parse(SYSTEM "request \"What color is grass?\" " HOT " seed=3\n"
                             "request \"Where do fish live?\" " HOT " seed=4\nturn \"Thank you!\" " HOT " seed=5\n");
    struct runner_config cfg = {.model = model};
    struct compare c = {0};
    struct err e = {0};
    if (compare_run(&c, s, &cfg, DAMAGE_NONE, &e) != RUN_DONE)
        fail_msg("%s", e.what);
    assert_int_equal(c.count, 3);
    for (uint32_t i = 0; i < c.count; i++)
        assert_true(compare_equal(&c.request[i], 0.0));
    assert_true(c.request[1].cached_tokens > 10);
    compare_done(&c);
    script_free(s);
}

/* Every part of an answer ends it where it stands first, whether it is one token or the middle of several. */
static void every_stop_string_is_found(void **state)
{
    (void)state;
    char text[200];
    struct last whole = run("request \"What color is the sky?\"\n", NULL, false);
    size_t len = strlen(whole.answer);
    assert_int_equal(whole.report.reason, FINISH_END_TOKEN);
    for (size_t from = 0; from < len; from++)
        for (size_t n = 1; from + n <= len && n <= 9; n++) {
            char stop[16] = "";
            memcpy(stop, whole.answer + from, n);
            snprintf(text, sizeof text, "request \"What color is the sky?\" stop=\"not there\" stop=\"%s\"\n", stop);
            struct last cut = run(text, NULL, false);
            size_t before = (size_t)(strstr(whole.answer, stop) - whole.answer);
            assert_int_equal(cut.report.reason, FINISH_STOP);
            assert_int_equal(cut.report.text_len, before);
            assert_int_equal(strlen(cut.answer), before);
            assert_memory_equal(cut.answer, whole.answer, before);
        }
}

/* A character whose bytes come with several tokens counts when it is whole. */
static void stop_strings_hold_any_character(void **state)
{
    (void)state;
    const char *text = "na\xc3\xafve caf\xc3\xa9 \xf0\x9f\x99\x82 fin", *const stops[] = {"\xf0\x9f\x99\x82"};
    struct err e = {0};
    struct ids ids = {0};
    struct stop_watch w = {.tokenizer = model_get_tokenizer(model), .stops = stops, .count = 1};
    uint32_t before = 0;
    size_t at = 0;
    assert_int_equal(tokenizer_encode(w.tokenizer, text, strlen(text), TOKENIZER_PLAIN, &ids, &e), 0);
    while (at < ids.len && stop_push(&w, ids.at[at], &before, &e) == 0)
        at++;
    assert_true(at < ids.len - 1);
    assert_int_equal(before, strstr(text, stops[0]) - text);
    stop_done(&w);
    ids_free(&ids);
}

static void what_is_given_first_wins(void **state)
{
    (void)state;
    struct script *s = parse("request a temperature=0.5 top_k=3 seed=4 stop=x stop=y\n");
    struct sampling sampling = {.given = 1u << SAMPLING_SEED, .value = {[SAMPLING_SEED] = 9}};
    struct sample_params p;
    struct err e = {0};
    sampling_read(&sampling, &s->command[0]);
    assert_int_equal(sampling_params(&sampling, &p, &e), 0);
    assert_true(p.temperature == 0.5 && p.top_p == 1 && p.min_p == 0 && p.repetition_penalty == 1);
    assert_int_equal(p.top_k, 3);
    assert_int_equal(p.seed, 9);
    assert_int_equal(sampling.stops, 2);
    assert_string_equal(sampling.stop[1], "y");
    script_free(s);
    struct sampling stop = {.stop = {"sky"}, .stops = 1};
    assert_string_equal(run("request \"What color is the sky?\" stop=blue\n", &stop, false).answer, "The ");
}

struct bad {
    const char *text, *what;
};

static void impossible_values_are_named_before_anything_runs(void **state)
{
    static const struct bad BAD[] = {
        {"request a\nrequest a temperature=101",
         "t.rxs:2:1: temperature is 101, but 0 (greedy) to 100 was expected"},
        {"request a top_p=0", "t.rxs:1:1: top-p is 0, but more than 0 and at most 1 was expected"},
        {"request a top_p=1.01", "t.rxs:1:1: top-p is 1.01, but more than 0 and at most 1 was expected"},
        {"turn a min_p=2", "t.rxs:1:1: min-p is 2, but 0 to 1 was expected"},
        {"request a repetition_penalty=0",
         "t.rxs:1:1: the repetition penalty is 0, but more than 0 and at most 100 was expected"},
        {"request a stop=\"\"", "t.rxs:1:1: a stop string is empty, and an empty text stands everywhere"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct script *s = parse(BAD[i].text);
        struct script_settings set;
        struct err e = {0};
        script_settings(s, &set);
        assert_int_equal(script_check(s, &set, &e), -1);
        assert_string_equal(e.what, BAD[i].what);
        script_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_alone_decides),
        cmocka_unit_test(compare_draws_the_same_tokens),
        cmocka_unit_test(every_stop_string_is_found),
        cmocka_unit_test(stop_strings_hold_any_character),
        cmocka_unit_test(what_is_given_first_wins),
        cmocka_unit_test(impossible_values_are_named_before_anything_runs),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
