/* Questions to a worker: answered once and kept, cancelled, overtaken by a later one, dropped with the worker's
 * queue; scripts before and after them are not disturbed, nor is the status of a script that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "script/study.h"

static const char TEXT[] = "pool 128\nrequest \"What color is grass?\" max=4\npoison 3\nrequest \"What color is snow?\" max=4\n";

struct desk {
    struct worker *w;
    struct study *s;
};

static struct desk open_desk(const char *text)
{
    struct err e = {0};
    struct script *script = script_parse("t.rxs", text, strlen(text), 1, &e);
    struct runner_config cfg = {.model_dir = "data/model"};
    struct desk d = {.w = worker_new(script, &cfg, &e)};
    assert_non_null(d.w);
    d.s = study_new(d.w, &e);
    assert_non_null(d.s);
    assert_int_equal(worker_submit(d.w, script, -1, 0, &e), 0);
    return d;
}

static void close_desk(struct desk *d)
{
    study_free(d->s);
    worker_free(d->w);
}

static const struct inquiry PROOF_ONE = {.about = ASK_PROOF, .rid = 1}, PROOF_TWO = {.about = ASK_PROOF, .rid = 2},
                            FAST_ONE = {.about = ASK_PROOF, .rid = 1, .fast = true},
                            NOBODY = {.about = ASK_PROOF, .rid = 9}, ELSEWHERE = {.about = ASK_PROOF, .branch = 5, .rid = 1};

static enum answer_state state_of(struct desk *d, const struct inquiry *q)
{
    struct answer a;
    assert_int_equal(study_answer(d->s, q, &a), 0);
    enum answer_state state = a.state;
    answer_done(&a);
    return state;
}

static void answers_wait_for_the_script(void **state)
{
    (void)state;
    struct err e = {0};
    struct answer a;
    struct desk d = open_desk(TEXT);
    assert_int_equal(study_ask(d.s, &PROOF_TWO, &e), 0); /* while the script runs: it waits for its turn */
    assert_int_equal(study_ask(d.s, &PROOF_TWO, &e), 0); /* the same again: nothing new */
    assert_int_equal(state_of(&d, &PROOF_ONE), ANSWER_NONE);
    worker_wait(d.w);
    uint32_t length = tape_length(worker_tape(d.w), 0);
    assert_int_equal(study_answer(d.s, &PROOF_TWO, &a), 0);
    assert_int_equal(a.state, ANSWER_READY);
    assert_int_equal(a.proof.rid, 2);
    assert_true(difference_count(&a.proof.layer[0]) > 0); /* a spoiled row was read */
    answer_done(&a);
    struct inquiry reach = {.about = ASK_EFFECT, .step = effect_find(worker_tape(d.w), 0, length)};
    assert_int_equal(study_ask(d.s, &reach, &e), 0);
    worker_wait(d.w);
    assert_int_equal(study_answer(d.s, &reach, &a), 0);
    assert_int_equal(a.effect.count, 1);
    assert_true(a.effect.request[0].reads > 0);
    answer_done(&a);
    assert_int_equal(state_of(&d, &PROOF_TWO), ANSWER_NONE); /* another one has been asked since */
    assert_int_equal(tape_length(worker_tape(d.w), 0), length); /* no step came of it */
    close_desk(&d);
}

static void what_cannot_be_answered_says_why(void **state)
{
    (void)state;
    struct err e = {0};
    struct answer a;
    struct desk d = open_desk(TEXT);
    const struct inquiry *const asked[] = {&NOBODY, &ELSEWHERE};
    const char *const says[] = {"nothing of request 9", "no branch 6"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(study_ask(d.s, asked[i], &e), 0);
        worker_wait(d.w);
        assert_int_equal(study_answer(d.s, asked[i], &a), 0);
        assert_int_equal(a.state, ANSWER_FAILED);
        assert_non_null(strstr(a.why, says[i]));
        answer_done(&a);
    }
    close_desk(&d);
}

/* Many questions one after another without waiting: the last one is answered, the worker is not disturbed. */
static void the_last_question_counts(void **state)
{
    (void)state;
    struct err e = {0};
    struct desk d = open_desk(TEXT);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(study_ask(d.s, i % 3 == 0 ? &PROOF_ONE : i % 3 == 1 ? &FAST_ONE : &PROOF_TWO, &e), 0);
        if (i % 7 == 0)
            study_cancel(d.s);
    }
    worker_wait(d.w);
    assert_int_equal(state_of(&d, &PROOF_TWO), ANSWER_READY);
    assert_int_equal(worker_submit_line(d.w, "request \"What color is grass?\" max=2", -1, 0, &e), 0);
    worker_wait(d.w);
    struct worker_status st;
    worker_get_status(d.w, &st);
    assert_int_equal(st.state, WORKER_IDLE); /* cancelling a question cancels no request */
    assert_int_equal(tape_world(worker_tape(d.w))->request[3].state, REQ_FINISHED);
    close_desk(&d);
}

/* worker_cancel means scripts: a question that runs is left alone, and the next request runs to its end. */
static void cancelling_scripts_cancels_no_question(void **state)
{
    (void)state;
    struct err e = {0};
    struct desk d = open_desk(TEXT);
    worker_wait(d.w);
    for (uint32_t i = 0; i < 10; i++) {
        struct answer a = {0};
        assert_int_equal(study_ask(d.s, i % 2 == 0 ? &PROOF_ONE : &PROOF_TWO, &e), 0);
        do { /* until it runs */
            answer_done(&a);
            assert_int_equal(study_answer(d.s, i % 2 == 0 ? &PROOF_ONE : &PROOF_TWO, &a), 0);
        } while (a.state == ANSWER_WAITING && a.done == 0);
        worker_cancel(d.w);
        answer_done(&a);
        worker_wait(d.w);
        assert_int_equal(state_of(&d, i % 2 == 0 ? &PROOF_ONE : &PROOF_TWO), ANSWER_READY);
        assert_int_equal(worker_submit_line(d.w, "request \"What color is grass?\" max=2", -1, 0, &e), 0);
        worker_wait(d.w);
        assert_int_equal(tape_world(worker_tape(d.w))->request[3 + i].state, REQ_FINISHED);
    }
    close_desk(&d);
}

static void a_failure_is_not_forgotten(void **state)
{
    (void)state;
    struct err e = {0};
    struct worker_status st;
    struct desk d = open_desk("pool 128\nrequest \"a\" max=2\nexpect nodes=99\n");
    worker_wait(d.w);
    assert_int_equal(study_ask(d.s, &PROOF_ONE, &e), 0);
    worker_wait(d.w);
    assert_int_equal(state_of(&d, &PROOF_ONE), ANSWER_READY);
    worker_get_status(d.w, &st);
    assert_int_equal(st.state, WORKER_FAILED);
    assert_non_null(strstr(st.failure.what, "nodes"));
    close_desk(&d);
}

/* Left while everything is under way; nothing hangs, nothing is lost. */
static void leaving_in_the_middle(void **state)
{
    (void)state;
    struct err e = {0};
    for (int i = 0; i < 12; i++) {
        struct desk d = open_desk(TEXT);
        if (i % 2 == 0)
            worker_wait(d.w);
        assert_int_equal(study_ask(d.s, &PROOF_ONE, &e), 0);
        if (i % 3 == 0)
            worker_cancel(d.w);
        if (i % 4 == 0)
            worker_wait(d.w);
        close_desk(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_wait_for_the_script), cmocka_unit_test(what_cannot_be_answered_says_why),
        cmocka_unit_test(the_last_question_counts), cmocka_unit_test(cancelling_scripts_cancels_no_question),
        cmocka_unit_test(a_failure_is_not_forgotten),
        cmocka_unit_test(leaving_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
