#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "script/worker.h"
#include "tape/check.h"

#define MODEL "data/model"
#define LETTERS "tokens letters\npool 64\n"

static struct script *parse(const char *text)
{
    struct err e = {0};
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    if (s == NULL)
        fail_msg("%s", e.what);
    return s;
}

static struct worker *start(const char *text)
{
    struct err e = {0};
    struct script *s = parse(text);
    struct runner_config cfg = {.model_dir = MODEL};
    struct worker *w = worker_new(s, &cfg, &e);
    if (w == NULL)
        fail_msg("%s", e.what);
    assert_int_equal(worker_submit(w, s, -1, 0, &e), 0);
    return w;
}

static void the_tape_exists_before_anything_ran(void **state)
{
    (void)state;
    struct err e = {0};
    struct script *s = parse("pool 64\nrequest hello max=2\n");
    struct runner_config cfg = {.model_dir = MODEL};
    struct worker *w = worker_new(s, &cfg, &e);
    struct cursor c;
    assert_non_null(w);
    assert_int_equal(cursor_init(&c, worker_tape(w), &e), 0);
    assert_int_equal(tape_length(worker_tape(w), 0), 1); /* start */
    cursor_done(&c);
    worker_free(w);
    script_free(s);
}

/* A reader follows through the descriptor while the worker writes. */
static void a_reader_follows(void **state)
{
    (void)state;
    struct worker *w = start("pool 128\nrequest \"What color is grass?\" max=4\nrequest \"What color is snow?\" max=4\n");
    struct cursor c;
    struct err e = {0};
    struct worker_status st;
    uint32_t wakes = 0;
    assert_int_equal(cursor_init(&c, worker_tape(w), &e), 0);
    do {
        struct pollfd p = {.fd = worker_fd(w), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        worker_drain(w);
        worker_get_status(w, &st);
        cursor_seek(&c, 0, UINT32_MAX);
        for (uint32_t n = 1; n <= c.at; n++) {
            struct step step;
            struct buf b = {0};
            struct event_words words = lexicon_words(runner_lexicon(worker_runner(w)));
            tape_step(worker_tape(w), 0, n, &step);
            event_sentence(cursor_scene(&c), &words, step.kind, step.arg, &b);
            assert_true(b.len > 0);
            buf_free(&b);
        }
        wakes++;
    } while (st.state == WORKER_RUNNING);
    assert_int_equal(st.state, WORKER_IDLE);
    assert_true(wakes >= 1);
    worker_wait(w);
    cursor_seek(&c, 0, UINT32_MAX);
    assert_true(world_equal(c.w, tape_world(worker_tape(w))));
    cursor_done(&c);
    worker_free(w);
}

static void lines_are_run_in_order(void **state)
{
    (void)state;
    struct worker *w = start(LETTERS "insert abc\n");
    struct err e = {0};
    struct worker_status st;
    assert_int_equal(worker_submit_line(w, "insert abd", -1, 0, &e), 0);
    assert_int_equal(worker_submit_line(w, "expect nodes=3 matched=2", -1, 0, &e), 0);
    worker_wait(w);
    worker_get_status(w, &st);
    assert_int_equal(st.state, WORKER_IDLE);
    assert_int_equal(worker_submit_line(w, "insrt abd", -1, 0, &e), -1);
    assert_string_equal(e.what, "'insrt' is no command");
    err_clear(&e);
    assert_int_equal(worker_submit_line(w, "pool 3", -1, 0, &e), -1);
    worker_wait(w);
    worker_free(w);
}

static void a_failure_is_kept(void **state)
{
    (void)state;
    struct worker *w = start(LETTERS "insert abc\nexpect nodes=7\ninsert never\n");
    struct worker_status st;
    struct err e = {0};
    worker_wait(w);
    worker_get_status(w, &st);
    assert_int_equal(st.state, WORKER_FAILED);
    assert_string_equal(st.failure.what, "t.rxs:4:14: expected nodes=7, but it is 1");
    assert_int_equal(worker_submit_line(w, "insert abd", -1, 0, &e), 0);
    worker_wait(w);
    worker_get_status(w, &st);
    assert_int_equal(st.state, WORKER_IDLE);
    worker_free(w);
}

static void acting_in_the_past_makes_a_branch(void **state)
{
    (void)state;
    struct worker *w = start(LETTERS "insert abc\ninsert abd\n");
    struct err e = {0};
    struct worker_status st;
    worker_wait(w);
    const struct tape *t = worker_tape(w);
    uint32_t end = tape_length(t, 0), at = tape_find_kind(t, 0, 1, 1, -1);
    assert_true(at > 1 && at < end);
    assert_int_equal(worker_submit_line(w, "insert xyz", 0, at, &e), 0);
    worker_wait(w);
    worker_get_status(w, &st);
    assert_int_equal(st.branch, 1);
    assert_int_equal(tape_branches(t), 2);
    assert_int_equal(tape_length(t, 0), end);
    worker_free(w);
}

/* Cancelling at any moment leaves a whole world, and the next script runs. */
static void cancelling_leaves_order(void **state)
{
    (void)state;
    uint32_t cancelled = 0;
    for (int round = 0; round < 12; round++) {
        struct worker *w = start("pool 600\nrequest \"Count.\" raw max=400\nrequest \"Again.\" raw max=400\n");
        struct worker_status st;
        struct err e = {0};
        for (int i = 0; i < round; i++) {
            struct pollfd p = {.fd = worker_fd(w), .events = POLLIN};
            poll(&p, 1, 1);
        }
        worker_cancel(w);
        worker_wait(w);
        worker_get_status(w, &st);
        cancelled += st.state == WORKER_CANCELLED;
        assert_true(st.state != WORKER_FAILED);
        assert_int_equal(world_check(tape_scene(worker_tape(w)), &e), 0);
        assert_int_equal(worker_submit_line(w, "insert hello ns=other", -1, 0, &e), 0);
        worker_wait(w);
        worker_get_status(w, &st);
        assert_int_equal(st.state, WORKER_IDLE);
        worker_free(w);
    }
    assert_true(cancelled > 0);
    print_message("%u of 12 were cancelled while they ran\n", cancelled);
}

static void leaving_while_it_runs(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct worker *w = start("pool 600\nrequest \"Count.\" raw max=400\nrequest \"Again.\" raw max=400\n");
        struct pollfd p = {.fd = worker_fd(w), .events = POLLIN};
        poll(&p, 1, round);
        worker_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tape_exists_before_anything_ran), cmocka_unit_test(a_reader_follows),
        cmocka_unit_test(lines_are_run_in_order),              cmocka_unit_test(a_failure_is_kept),
        cmocka_unit_test(acting_in_the_past_makes_a_branch),   cmocka_unit_test(cancelling_leaves_order),
        cmocka_unit_test(leaving_while_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
