/* The bug museum: each bug does harm in its scene, is found where the table says, steps both ways, and none can make
 * the program stumble, whatever is done to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "cache/museum.h"
#include "lesson/liar.h"
#include "lesson/run.h"
#include "script/runner.h"
#include "tape/check.h"

/* What shows the bug, and which invariant breaks first behind which kind of step (NULL: none does; then a node is
 * gone, or a match differs, that would not without it). */
static const struct scene_of_bug {
    const char *name, *commands, *breaks;
    unsigned behind;
} SCENES[] = {
    {"lock-skips-node", "insert \"the cat sat\"\nlock one \"the cat sat\"\n", "locks:", EV_LOCK_NODE},
    {"split-old-time", "insert \"the cat sat\"\ninsert dog\nlock d dog\nmatch \"the cat ran\"\nevict 3\nunlock d\nevict 1\n",
     NULL, 0},
    {"split-sum", "insert \"the cat sat\"\nmatch \"the cat ran\"\n", "sums:", EV_MATCHED},
    {"split-forgets-lock", "insert \"the cat sat\"\nlock one \"the cat sat\"\nmatch \"the cat ran\"\n", "locks:", EV_MATCHED},
    {"split-wrong-key", "insert \"the cat sat\"\ninsert \"the cat ran\"\nmatch \"the cat sat\"\n", NULL, 0},
    {"lock-leaks", "insert \"the cat sat\"\nlock one \"the cat ran\"\nunlock one\n", "locks:", EV_LOCK_NODE},
    {"counted-twice", "request \"the cat sat\" max=2\nrequest \"the cat sat\" max=2\n", "requests:", EV_LOCK_NODE},
    {"fifo-named-lru", "insert \"the cat sat\"\ninsert dog\nmatch \"the cat sat\"\nevict 1\n", NULL, 0},
};

static struct runner *run(const char *bug, const char *commands, bool model)
{
    char text[2048];
    struct err e = {0};
    struct runner_config cfg = {.model_dir = "data/model"};
    snprintf(text, sizeof text, "%s\npool %d\n%s%s\n%s", model ? "" : "tokens letters", model ? 256 : 40,
             bug != NULL ? "bug " : "", bug != NULL ? bug : "", commands);
    struct script *s = script_parse("t.rxs", text, strlen(text), 1, &e);
    struct runner *r = s != NULL ? runner_new(s, &cfg, &e) : NULL;
    if (r == NULL)
        fail_msg("%s", e.what);
    runner_script(r, s, &e);
    script_free(s);
    return r;
}

/* The first settled step behind which an invariant is broken; 0: none. */
static uint32_t first_broken(const struct tape *t, struct err *e)
{
    struct cursor c;
    uint32_t found = 0;
    assert_int_equal(cursor_init(&c, t, e), 0);
    for (uint32_t n = 1; n <= tape_length(t, 0) && found == 0; n++) {
        struct step s;
        tape_step(t, 0, n, &s);
        cursor_seek(&c, 0, n);
        if (s.settled && world_check(cursor_scene(&c), e) != 0)
            found = n;
    }
    cursor_done(&c);
    return found;
}

static uint64_t steps_hash(const struct tape *t, unsigned kind)
{
    uint64_t h = 1;
    for (uint32_t n = 1; n <= tape_length(t, 0); n++) {
        struct step s;
        tape_step(t, 0, n, &s);
        for (int i = 0; s.kind == kind && i < s.nargs; i++)
            h = h * 1000003 + s.arg[i];
    }
    return h;
}

static void test_each_bug_shows(void **state)
{
    unsigned shown = 0;
    (void)state;
    assert_int_equal(ARRAY_LEN(SCENES), BUG_COUNT - 1);
    for (size_t i = 0; i < ARRAY_LEN(SCENES); i++) {
        const struct scene_of_bug *s = &SCENES[i];
        bool model = strstr(s->commands, "request") != NULL;
        struct err e = {0};
        assert_string_equal(museum_info((unsigned)i + 1)->name, s->name);
        struct runner *r = run(s->name, s->commands, model), *well = run(NULL, s->commands, model);
        assert_int_equal(first_broken(runner_tape(well), &e), 0);
        uint32_t n = first_broken(runner_tape(r), &e);
        if (s->breaks != NULL) {
            struct step step;
            assert_true(n > 0);
            tape_step(runner_tape(r), 0, n, &step);
            if (strncmp(e.what, s->breaks, strlen(s->breaks)) != 0 || step.kind != s->behind)
                fail_msg("%s: step %u (%s) breaks \"%s\"", s->name, n, event_info(step.kind)->name, e.what);
        } else {
            assert_int_equal(n, 0);
            assert_true(steps_hash(runner_tape(r), EV_VICTIM) != steps_hash(runner_tape(well), EV_VICTIM) ||
                        steps_hash(runner_tape(r), EV_MATCHED) != steps_hash(runner_tape(well), EV_MATCHED));
        }
        shown++;
        runner_free(r);
        runner_free(well);
    }
    assert_int_equal(shown, 8);
}

static void add_command(struct prng *r, char *out, size_t n)
{
    static const char *const KEYS[] = {"the cat sat", "the cat ran", "the cow", "dog", "dogs bark", "the cat", "a"};
    const char *key = KEYS[prng_below(r, 7)];
    switch (prng_below(r, 8)) {
    case 0: snprintf(out, n, "evict %u\n", 1 + prng_below(r, 12)); break;
    case 1: snprintf(out, n, "lock l%u \"%s\"\n", prng_below(r, 3), key); break;
    case 2: snprintf(out, n, "unlock l%u\n", prng_below(r, 3)); break;
    case 3:
    case 4: snprintf(out, n, "match \"%s\"\n", key); break;
    default: snprintf(out, n, "insert \"%s\"\n", key); break;
    }
}

/* Whatever is done, in any order: an error of the script may end it, nothing else. And the way back is exact. */
static void test_nothing_stumbles(void **state)
{
    unsigned runs = 0;
    (void)state;
    struct prng r;
    prng_seed(&r, 11);
    for (int round = 0; round < 60; round++)
        for (unsigned bug = 1; bug < BUG_COUNT; bug++, runs++) {
            char commands[1200] = "";
            for (int k = 0; k < 30; k++)
                add_command(&r, commands + strlen(commands), sizeof commands - strlen(commands));
            struct runner *run_ = run(museum_info(bug)->name, commands, false);
            struct cursor c;
            struct err e = {0};
            assert_int_equal(cursor_init(&c, runner_tape(run_), &e), 0);
            uint64_t begin = world_hash(c.w);
            cursor_seek(&c, 0, tape_length(runner_tape(run_), 0));
            assert_true(world_equal(c.w, tape_world(runner_tape(run_))));
            cursor_seek(&c, 0, 0);
            assert_true(world_hash(c.w) == begin);
            cursor_done(&c);
            runner_free(run_);
        }
    assert_int_equal(runs, 60 * (BUG_COUNT - 1));
}

/* What a person can see of a moment, but for the bug itself. */
static uint64_t visible(const struct world *w)
{
    uint64_t h = w->head.evictable_size * 31 + w->head.protected_size;
    for (uint32_t n = ROOT; n != 0; n = node_preorder(w, n)) {
        const struct node *k = &w->node[n];
        const uint32_t seen[] = {k->id, k->parent, k->len, k->key_off, k->lock_ref, k->hit_count, k->last_access};
        for (size_t i = 0; i < ARRAY_LEN(seen); i++)
            h = h * 1000003 + seen[i];
    }
    return h;
}

static uint64_t visible_history(struct lesson_run *r, size_t block)
{
    uint64_t h = 0;
    struct lesson_env env;
    struct err e = {0};
    static const char *const NAMES[] = {"north", "east", "west"};
    struct lesson_env last = run_env(r, r->lesson->items - 1);
    assert_int_equal(env_at_block(&last, NAMES[block], false, &env, &e), 0);
    for (uint32_t n = env.from + 1, end = env.at; n <= end; n++) {
        struct step s;
        tape_step(env.scene->cursor.tape, env.branch, n, &s);
        env.at = n;
        h = h * 31 + (s.settled ? visible(env_scene(&env).w) : s.kind);
    }
    return h;
}

/* Of three engines two are the same at every step, and one is not: whatever the seed. */
static void test_liars_can_be_found(void **state)
{
    unsigned liars[3] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 120; seed++) {
        struct buf text = {0};
        struct err e = {0};
        struct lesson_host host = {.model_dir = "data/model"};
        liar_write(seed, &text);
        struct lesson *l = lesson_parse("liar", buf_text(&text), text.len, &e);
        struct lesson_run *r = l != NULL ? lesson_run_new(l, &host, &e) : NULL;
        if (r == NULL)
            fail_msg("seed %u: %s", (unsigned)seed, e.what);
        uint64_t h[3] = {visible_history(r, 0), visible_history(r, 1), visible_history(r, 2)};
        int odd = h[0] == h[1] ? 2 : h[0] == h[2] ? 1 : 0;
        assert_true(h[(odd + 1) % 3] == h[(odd + 2) % 3] && h[odd] != h[(odd + 1) % 3]);
        liars[odd]++;
        lesson_run_free(r);
        lesson_free(l);
        buf_free(&text);
    }
    assert_true(liars[0] > 20 && liars[1] > 20 && liars[2] > 20);
}

static void test_names(void **state)
{
    struct buf names = {0}, notice = {0};
    (void)state;
    buf_puts(&names, "none");
    for (unsigned bug = 1; bug < BUG_COUNT; bug++)
        buf_printf(&names, "|%s", museum_info(bug)->name);
    assert_string_equal(buf_text(&names), MUSEUM_NAMES);
    assert_null(museum_info(BUG_NONE));
    assert_ptr_equal(museum_info(BUG_SPLIT_SUM | BUG_HIDDEN), museum_info(BUG_SPLIT_SUM));
    museum_notice(BUG_SPLIT_SUM | BUG_HIDDEN, &notice);
    assert_null(strstr(buf_text(&notice), "evictable"));
    buf_free(&names);
    buf_free(&notice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_bug_shows),
        cmocka_unit_test(test_nothing_stumbles),
        cmocka_unit_test(test_liars_can_be_found),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
