/* Acting from an earlier moment: the rest of a script run again in another way, and two histories step beside step.
 * Letters are tokens: no model. The oracle of a branch is a script in which the same was written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "script/runner.h"
#include "tape/lockstep.h"

#define HEAD "tokens letters\npool 16\n"
#define FIRST "insert \"apple pie\"\ninsert \"banana\"\n"

static struct runner *run(const char *text)
{
    struct err e = {0};
    struct runner_config cfg = {.model_dir = "data/model"}; /* opened where letters will not do */
    struct script *s = script_parse("", text, strlen(text), 1, &e);
    assert_non_null(s);
    struct runner *r = runner_new(s, &cfg, &e);
    assert_non_null(r);
    assert_int_equal(runner_script(r, s, &e), RUN_DONE);
    script_free(s);
    return r;
}

static enum run_result act(struct runner *r, int branch, uint32_t at, const char *line, struct err *e)
{
    struct script *s = script_parse("", line, strlen(line), 1, e);
    assert_non_null(s);
    assert_int_equal(runner_act_at(r, branch, at, e), 0);
    enum run_result rc = runner_script(r, s, e);
    script_free(s);
    return rc;
}

static uint64_t end_of(struct runner *r)
{
    const struct world *w = tape_world(runner_tape(r));
    uint64_t h = 0; /* the tree and the pool, without the clock: a `set` is an operation, too */
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n)) {
        const uint32_t *t = node_tokens(tape_scene(runner_tape(r)), n);
        for (uint32_t i = 0; i < w->node[n].len; i++)
            h = h * 31 + t[i] + 1;
        h = h * 37 + w->node[n].hit_count;
    }
    return h * 41 + pool_free_slots(w);
}

/* The step behind the two first inserts. */
static uint32_t behind_first(void)
{
    struct runner *r = run(HEAD FIRST);
    uint32_t n = tape_length(runner_tape(r), 0);
    runner_free(r);
    return n;
}

static void rest_is_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *how, *by_hand;
    } CASES[] = {
        {"match \"apple pie\"\ninsert \"cherry\"\nmatch \"banana\"\n", "rest", "match \"apple pie\"\ninsert \"cherry\"\nmatch \"banana\"\n"},
        {"match \"apple pie\"\ninsert \"cherry\"\n", "rest policy=mru", "set policy mru\nmatch \"apple pie\"\ninsert \"cherry\"\n"},
        {"insert \"cherry\"\ninsert \"plum\"\n", "rest swap", "insert \"plum\"\ninsert \"cherry\"\n"},
        {"insert \"cherry\"\ninsert \"plum\"\n", "rest from=herr to=ell", "insert \"celly\"\ninsert \"plum\"\n"},
        {"insert \"say \\\"hi\\\"\"\nevict 3\n", "rest from=\"\\\"hi\" to=\"ho\"", "insert \"say ho\\\"\"\nevict 3\n"},
        {"insert \"x\" ns=one\ninsert \"x\" ns=two priority=3\n", "rest", "insert \"x\" ns=one\ninsert \"x\" ns=two priority=3\n"},
    };
    uint32_t fork = behind_first();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[512];
        struct err e = {0};
        snprintf(text, sizeof text, HEAD FIRST "%s", CASES[i].rest);
        struct runner *r = run(text);
        uint64_t before = end_of(r);
        if (act(r, 0, fork, CASES[i].how, &e) != RUN_DONE)
            fail_msg("%s: %s", CASES[i].how, e.what);
        snprintf(text, sizeof text, HEAD FIRST "%s", CASES[i].by_hand);
        struct runner *hand = run(text);
        assert_int_equal(end_of(r), end_of(hand));
        assert_int_equal(tape_branches(runner_tape(r)), 2);
        assert_int_equal(act(r, 0, tape_length(runner_tape(r), 0), "say \"back\"", &e), RUN_DONE);
        assert_int_equal(end_of(r), before); /* the old history is as it was */
        runner_free(hand);
        runner_free(r);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
        bool at_end;
    } CASES[] = {
        {"rest", "nothing of the script", true},
        {"rest swap", "needs two requests", false},
        {"rest from=zzz to=y", "holds the text", false},
        {"rest from=zzz", "both from=TEXT and to=TEXT", false},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct runner *r = run(HEAD FIRST "insert \"plum\"\n");
        struct err e = {0};
        uint32_t at = CASES[i].at_end ? tape_length(runner_tape(r), 0) : behind_first();
        assert_int_equal(act(r, 0, at, CASES[i].line, &e), RUN_FAILED);
        assert_non_null(strstr(e.what, CASES[i].says));
        runner_free(r);
    }
    struct err e = {0};
    assert_null(script_parse("file.rxs", "rest\n", 5, 1, &e)); /* it belongs to no file */
    assert_non_null(strstr(e.what, "file.rxs:1:1"));
}

/* A command that is written parses to the same command. */
static void written(void **state)
{
    (void)state;
    static const char TEXT[] = "insert \"a \\\"b\\\" \\\\ # \\n \\x01 \\u{754c}\" ns=\"two words\" priority=-3\n"
                               "match bare\nlock name \"text\" ns=x\nunlock name\nevict 12\nset policy lfu\n"
                               "request \"q\" max=3 stop=\"a\" stop=\"b c\" raw temperature=0.5\nexpect event=evict outcome=answered\n";
    struct err e = {0};
    struct script *s = script_parse("", TEXT, sizeof TEXT - 1, 1, &e);
    assert_non_null(s);
    for (uint32_t i = 0; i < s->count; i++) {
        struct buf once = {0}, twice = {0};
        script_write(&s->command[i], &once);
        struct script *t = script_parse("", buf_text(&once), once.len, 1, &e);
        assert_non_null(t);
        assert_int_equal(t->count, 1);
        assert_int_equal(t->command[0].nargs, s->command[i].nargs);
        for (uint32_t k = 0; k < t->command[0].nargs; k++) {
            assert_int_equal(t->command[0].arg[k].len, s->command[i].arg[k].len);
            assert_memory_equal(t->command[0].arg[k].text, s->command[i].arg[k].text, s->command[i].arg[k].len);
        }
        script_write(&t->command[0], &twice);
        assert_string_equal(buf_text(&once), buf_text(&twice));
        buf_free(&once);
        buf_free(&twice);
        script_free(t);
    }
    script_free(s);
}

/* ---- step beside step --------------------------------------------------------------------------------- */

static void open_lock(struct lockstep *k, struct runner *a, int branch, struct runner *b, int other, uint32_t budget)
{
    struct err e = {0};
    assert_int_equal(lockstep_open(k, (struct history){runner_tape(a), branch}, (struct history){runner_tape(b), other}, &e), 0);
    for (int i = 0; !lockstep_read(k, budget); i++)
        assert_true(i < 100000);
}

static struct runner *random_run(struct prng *r, uint32_t keys, const char *head, uint64_t seed)
{
    struct buf b = {0};
    (void)r;
    struct prng own;
    prng_seed(&own, seed);
    buf_puts(&b, head);
    for (uint32_t i = 0; i < keys; i++) {
        buf_puts(&b, prng_below(&own, 3) == 0 ? "match \"" : "insert \"");
        for (uint32_t k = 1 + prng_below(&own, 6); k > 0; k--)
            buf_putc(&b, (char)('a' + prng_below(&own, 3)));
        buf_puts(&b, "\"\n");
    }
    struct runner *run_ = run(buf_text(&b));
    buf_free(&b);
    return run_;
}

/* Of the same history: every step is its own partner, and nothing differs, however it is read. Of a branch: the same
 * up to the fork. Of any two: the partner moves forwards as the step does, and begins parts where parts begin. */
static void partners(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 7);
    uint32_t looked = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct lockstep k;
        uint32_t step;
        struct err e = {0};
        struct runner *a = random_run(&r, 40, HEAD "policy lru\n", seed), *b = random_run(&r, 40, HEAD "policy mru\n", seed);
        struct runner *same = random_run(&r, 40, HEAD "policy lru\n", seed);
        uint32_t length = tape_length(runner_tape(a), 0);
        open_lock(&k, a, 0, same, 0, 1 + prng_below(&r, 50));
        for (uint32_t n = 0; n <= length; n++, looked++)
            assert_int_equal(lockstep_partner(&k, 0, n), n);
        assert_null(lockstep_difference(&k, 0, 1, &step));
        lockstep_done(&k);
        open_lock(&k, a, 0, b, 0, 1 + prng_below(&r, 50));
        for (uint32_t n = 1, last = 0; n <= length; n++, looked++) {
            uint32_t to = lockstep_partner(&k, 0, n);
            assert_true(to >= last && to >= 1 && to <= tape_length(runner_tape(b), 0));
            last = to;
        }
        for (uint32_t i = 0; i < k.parts; i++)
            if (k.part[i].begin[0] != 0 && k.part[i].begin[1] != 0)
                assert_int_equal(lockstep_partner(&k, 0, k.part[i].begin[0]), k.part[i].begin[1]);
        if (lockstep_difference(&k, 0, 1, &step) != NULL) { /* by hand: up to there every step is equal */
            for (uint32_t n = 2; n < step; n++) {
                struct step x, y;
                tape_step(runner_tape(a), 0, n, &x);
                tape_step(runner_tape(b), 0, n, &y);
                assert_int_equal(x.kind, y.kind);
            }
        }
        lockstep_done(&k);
        assert_int_equal(act(a, 0, length / 2, "rest swap", &e), RUN_DONE);
        uint32_t fork;
        tape_parent(runner_tape(a), 1, &fork);
        open_lock(&k, a, 1, a, 0, UINT32_MAX);
        for (uint32_t n = 0; n <= fork; n++, looked++)
            assert_int_equal(lockstep_partner(&k, 0, n), n);
        assert_true(lockstep_difference(&k, 0, 1, &step) == NULL || step > fork);
        lockstep_done(&k);
        runner_free(a);
        runner_free(b);
        runner_free(same);
    }
    assert_true(looked > 3000);
}

/* `turn` goes on with the conversation of the moment it is typed at, on any branch. */
static void turns_at_a_fork(void **state)
{
    (void)state;
    static const char GRASS[] = "request \"What color is grass?\"\n", SKY[] = "turn \"What color is the sky?\"\n",
                      FISH[] = "turn \"Where do fish live?\"\n";
    static const struct {
        const char *by_hand[4], *line;
        int branch, answers; /* typed there behind so many answers */
    } CASES[] = {
        {{GRASS, SKY, FISH}, "rest", 0, 1},
        {{GRASS, FISH}, FISH, 0, 1},
        {{GRASS, SKY, FISH}, FISH, 0, 2},
        {{GRASS, FISH, SKY}, SKY, 2, 2}, /* on the branch that the second case made */
        {{NULL}, NULL, 0, 0},
    };
    struct err e = {0};
    char text[512];
    snprintf(text, sizeof text, "pool 512\n%s%s%s", GRASS, SKY, FISH);
    struct runner *r = run(text);
    size_t cases = 0;
    for (; CASES[cases].line != NULL; cases++) {
        uint32_t at = 0;
        for (int i = 0; i < CASES[cases].answers; i++)
            at = tape_find_kind(runner_tape(r), CASES[cases].branch, at, 1, EV_ANSWER);
        assert_int_equal(act(r, CASES[cases].branch, at, CASES[cases].line, &e), RUN_DONE);
        snprintf(text, sizeof text, "pool 512\n");
        for (int i = 0; CASES[cases].by_hand[i] != NULL; i++)
            strcat(text, CASES[cases].by_hand[i]);
        struct runner *hand = run(text);
        assert_true(end_of(r) == end_of(hand));
        runner_free(hand);
    }
    assert_int_equal(cases, 4);
    assert_int_equal(act(r, 0, 1, SKY, &e), RUN_FAILED); /* nothing was said yet */
    assert_non_null(strstr(e.what, "none has been answered"));
    runner_free(r);
}

enum { LEDGER_KEYS = 60, LEDGER_LETTERS = 8 };

/* Of a key, how much some key that was inserted before it begins with: a walk over all of them. */
static uint32_t found_by_hand(const char key[][LEDGER_LETTERS], const bool *inserted, int n)
{
    uint32_t best = 0;
    for (int i = 0; i < n; i++) {
        uint32_t same = 0;
        while (inserted[i] && key[n][same] != '\0' && key[n][same] == key[i][same])
            same++;
        best = same > best ? same : best;
    }
    return best;
}

/* Typed keys in the ledger: what the tree had of each, and in the other history the same key beside it. */
static void ledger_of_keys(void **state)
{
    (void)state;
    struct prng r;
    char key[LEDGER_KEYS][LEDGER_LETTERS];
    bool inserted[LEDGER_KEYS];
    struct buf b = {0};
    struct err e = {0};
    struct lockstep k;
    uint32_t found = 0, moved = 0;
    prng_seed(&r, 3);
    buf_puts(&b, "tokens letters\npool 1024\n");
    for (int i = 0; i < LEDGER_KEYS; i++) {
        uint32_t n = 1 + prng_below(&r, LEDGER_LETTERS - 1);
        for (uint32_t c = 0; c < LEDGER_LETTERS; c++)
            key[i][c] = c < n ? (char)('a' + prng_below(&r, 3)) : '\0';
        inserted[i] = prng_below(&r, 3) != 0;
        buf_printf(&b, "%s \"%s\"\n", inserted[i] ? "insert" : "match", key[i]);
    }
    struct runner *a = run(buf_text(&b));
    assert_int_equal(act(a, 0, tape_find_kind(runner_tape(a), 0, 0, 1, EV_INSERTED), "rest swap", &e), RUN_DONE);
    open_lock(&k, a, 0, a, 1, 7);
    assert_int_equal(k.side[0].requests, LEDGER_KEYS);
    assert_int_equal(k.side[1].requests, LEDGER_KEYS);
    for (uint32_t i = 0; i < LEDGER_KEYS; i++) {
        const struct lock_request *q = &k.side[0].request[i];
        assert_true(q->admitted && !q->refused);
        assert_int_equal(q->key, i + 1);
        assert_int_equal(q->prompt, strlen(key[i]));
        assert_int_equal(q->cached, found_by_hand((const char(*)[LEDGER_LETTERS])key, inserted, (int)i));
        assert_true(q->partner != 0);
        const struct lock_request *p = &k.side[1].request[q->partner - 1];
        assert_int_equal(p->what, q->what);
        found += q->cached;
        moved += q->partner != i + 1;
    }
    assert_int_equal(lockstep_sum(&k, 0, UINT32_MAX).cached, found);
    assert_true(found > LEDGER_KEYS && moved >= 2);
    lockstep_done(&k);
    runner_free(a);
    buf_free(&b);
}

/* At the end of what has happened a command goes on, also while scheduled requests wait and run; from an earlier
 * moment within them it goes back to before them. */
static void a_schedule_goes_on(void **state)
{
    (void)state;
    static const char *const LINES[] = {"request \"a b\" answer=\"one two three\"", "serve passes=2", "serve"};
    struct runner *whole = run("tokens words\npool 40\nschedule fcfs batch=2\n"
                               "request \"a b\" answer=\"one two three\"\nserve passes=2\nserve\n");
    struct runner *r = run("tokens words\npool 40\nschedule fcfs batch=2\n");
    const struct tape *t = runner_tape(r);
    struct err e = {0};
    uint32_t under_way = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(act(r, tape_branch(t), tape_length(t, tape_branch(t)), LINES[i], &e), RUN_DONE);
        under_way += tape_world(t)->head.request_count;
    }
    assert_int_equal(under_way, 2);
    assert_int_equal(tape_branches(t), 1);
    assert_int_equal(tape_length(t, 0), tape_length(runner_tape(whole), 0));
    assert_true(end_of(r) == end_of(whole));
    uint32_t at = tape_length(t, 0) / 2, fork;
    assert_int_equal(act(r, 0, at, "serve", &e), RUN_DONE);
    tape_parent(t, 1, &fork);
    assert_true(fork < at && tape_world(t)->head.request_count == 0);
    runner_free(r);
    runner_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest_is_as_written), cmocka_unit_test(refusals), cmocka_unit_test(written),
        cmocka_unit_test(partners), cmocka_unit_test(ledger_of_keys), cmocka_unit_test(turns_at_a_fork), cmocka_unit_test(a_schedule_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
