/* The tape against a naive journal that keeps a whole picture of every moment: stepping, seeking,
 * rollback, branches, observations, what a step changed; and readers on another thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "base/xalloc.h"
#include "tape/tape_io.h"

enum { WINDOW = 96, FIRST = 64 + 20 * 7, BRANCHES = 40 }; /* words that the tests write; where they begin */

static const struct world_config CONFIG = {.pool = 64, .page_size = 1};

/* ---- the naive journal ---------------------------------------------------------------------------------- */

struct moment {
    uint32_t image[WINDOW];
    uint32_t kind, nargs, arg[EVENT_ARGS], note;  /* note: what was observed, 0 = nothing */
    bool settled;
};

struct line {                    /* one branch: all its moments from 0, parents' included */
    struct moment **at;
    uint32_t n, cap;
};

struct book {
    struct line line[BRANCHES];
    int lines, current;
    struct moment *all[1 << 17];
    uint32_t all_n;
};

static void line_push(struct line *l, struct moment *m)
{
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 1024 : 2 * l->cap;
        l->at = realloc(l->at, l->cap * sizeof *l->at);
    }
    l->at[l->n++] = m;
}

static struct moment *moment_new(struct book *b, const struct world *w)
{
    assert_true(b->all_n < ARRAY_LEN(b->all));
    struct moment *m = calloc(1, sizeof *m);
    b->all[b->all_n++] = m;
    memcpy(m->image, w->word + FIRST, sizeof m->image);
    return m;
}

static struct book *book_new(const struct world *w)
{
    struct book *b = calloc(1, sizeof *b);
    b->lines = 1;
    line_push(&b->line[0], moment_new(b, w));
    return b;
}

static void book_free(struct book *b)
{
    for (uint32_t i = 0; i < b->all_n; i++)
        free(b->all[i]);
    for (int i = 0; i < b->lines; i++)
        free(b->line[i].at);
    free(b);
}

/* ---- random writing ---------------------------------------------------------------------------------------- */

static uint32_t odd_value(struct prng *r)
{
    static const uint32_t edge[] = {0,          1,          0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff,
                                    0x80000000, 0xbfffffff, 0xc0000000, 0xc0000001, 0xfffffffe, UINT32_MAX};
    return prng_below(r, 3) == 0 ? edge[prng_below(r, ARRAY_LEN(edge))] : prng_below(r, 1000);
}

static void set(struct tape *t, uint32_t i, uint32_t v)
{
    W_SET(t, tape_world(t)->word[FIRST + i], v);
}

static void write_run(struct tape *t, struct prng *r)
{
    uint32_t at = prng_below(r, WINDOW), n = prng_below(r, WINDOW - at) + 1, first = odd_value(r), step = odd_value(r);
    bool noisy = prng_below(r, 4) == 0;
    for (uint32_t i = 0; i < n; i++)
        set(t, at + i, first + i * step + (noisy ? prng_below(r, 2) : 0));
}

static void write_something(struct tape *t, struct prng *r)
{
    uint32_t at = prng_below(r, WINDOW), old = tape_world(t)->word[FIRST + at];
    switch (prng_below(r, 6)) {
    case 0: break;                                     /* a step that changes nothing */
    case 1: write_run(t, r); break;
    case 2:
        set(t, at, old + 1);
        set(t, at, old); break;                        /* there and back */
    case 3:
        for (uint32_t i = WINDOW; i-- > WINDOW / 2;)   /* against the order of words */
            set(t, i, odd_value(r));
        break;
    default:
        for (uint32_t k = prng_below(r, 8); k > 0; k--)
            set(t, prng_below(r, WINDOW), odd_value(r));
    }
}

static const uint16_t KINDS[] = {EV_REQUEST, EV_MATCH, EV_WALK, EV_SPLIT, EV_FREE};

static struct moment *emit_step(struct tape *t, struct prng *r, struct book *b)
{
    write_something(t, r);
    uint32_t arg[EVENT_ARGS], nargs = prng_below(r, EVENT_ARGS + 1), kind = KINDS[prng_below(r, ARRAY_LEN(KINDS))];
    for (uint32_t i = 0; i < nargs; i++)
        arg[i] = odd_value(r);
    uint32_t note = prng_below(r, 5) == 0 ? prng_below(r, 1000) + 1 : 0;
    if (note != 0)
        tape_observe(t, OBS_LOGITS, &note, sizeof note);
    tape_emit(t, kind, arg, nargs);
    struct moment *m = moment_new(b, tape_world(t));
    m->kind = kind;
    m->nargs = nargs;
    memcpy(m->arg, arg, nargs * sizeof *arg);
    m->note = note;
    return m;
}

/* One operation of a few steps; every tenth is rolled back and must leave no trace. */
static void operate(struct tape *t, struct prng *r, struct book *b)
{
    struct line *l = &b->line[b->current];
    uint32_t before = l->n, steps = 1 + prng_below(r, 12);
    assert_true(tape_room(t, steps * 2 * WINDOW + WINDOW, steps + 1));
    tape_begin(t);
    tape_begin(t); /* they nest */
    for (uint32_t i = 0; i < steps; i++)
        line_push(l, emit_step(t, r, b));
    tape_commit(t);
    if (prng_below(r, 10) == 0) {
        write_something(t, r); /* in the middle of a step */
        tape_rollback(t);
        l->n = before;
        assert_memory_equal(tape_world(t)->word + FIRST, l->at[before - 1]->image, sizeof l->at[0]->image);
    } else {
        tape_commit(t);
        l->at[l->n - 1]->settled = true;
    }
    assert_int_equal(tape_length(t, b->current), l->n - 1);
}

/* Act from a moment of the past. At the end of a branch that branch goes on, else a new one begins. */
static void act(struct tape *t, struct prng *r, struct book *b)
{
    int from = (int)prng_below(r, (uint32_t)b->lines);
    struct line *l = &b->line[from];
    uint32_t at = prng_below(r, 3) == 0 || b->lines == BRANCHES ? l->n - 1 : prng_below(r, l->n);
    struct err e = {0};
    int branch = tape_act_at(t, from, at, &e);
    assert_false(e.set);
    if (at < l->n - 1) {
        assert_int_equal(branch, b->lines);
        uint32_t base;
        assert_int_equal(tape_parent(t, branch, &base), from);
        assert_int_equal(base, at);
        for (uint32_t i = 0; i <= at; i++)
            line_push(&b->line[branch], b->line[from].at[i]);
        b->lines++;
    } else
        assert_int_equal(branch, from);
    b->current = branch;
    assert_memory_equal(tape_world(t)->word + FIRST, l->at[at]->image, sizeof l->at[0]->image);
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

struct changed {
    bool word[WINDOW];
    uint32_t n;
};

static void visit(void *ctx, uint32_t word, uint32_t count)
{
    struct changed *c = ctx;
    assert_in_range(word, FIRST, FIRST + WINDOW - 1);
    for (uint32_t i = 0; i < count; i++, c->n++) {
        assert_false(c->word[word - FIRST + i]); /* runs of one step are disjoint */
        c->word[word - FIRST + i] = true;
    }
}

static void check_step(const struct tape *t, const struct book *b, int branch, uint32_t n)
{
    const struct moment *m = b->line[branch].at[n], *before = b->line[branch].at[n - 1];
    struct step s;
    struct changed c = {.n = 0};
    tape_step(t, branch, n, &s);
    assert_int_equal(s.kind, m->kind);
    assert_int_equal(s.depth, event_info(m->kind)->depth);
    assert_int_equal(s.settled, m->settled);
    assert_int_equal(s.nargs, m->nargs);
    assert_memory_equal(s.arg, m->arg, m->nargs * sizeof *m->arg);
    tape_changes(t, branch, n, visit, &c);
    assert_int_equal(s.words, c.n);
    for (uint32_t i = 0; i < WINDOW; i++)
        if (m->image[i] != before->image[i])
            assert_true(c.word[i]);
    struct observation o;
    assert_int_equal(tape_observation(t, branch, n, 0, &o), m->note != 0);
    if (m->note != 0)
        assert_true(o.kind == OBS_LOGITS && o.bytes == 4 && *(const uint32_t *)o.data == m->note);
    assert_false(tape_observation(t, branch, n, 1, &o));
}

static void check_find(const struct tape *t, const struct book *b, int branch, uint32_t from, int dir, int depth)
{
    const struct line *l = &b->line[branch];
    uint32_t n = from + (uint32_t)dir, settled = 0;
    while (n >= 1 && n < l->n && event_info(l->at[n]->kind)->depth > depth)
        n += (uint32_t)dir;
    n = n >= 1 && n < l->n ? n : dir > 0 ? l->n - 1 : 0;
    assert_int_equal(tape_find_depth(t, branch, from, dir, depth), n);
    for (n = from + (uint32_t)dir; n >= 1 && n < l->n && settled == 0; n += (uint32_t)dir)
        settled = l->at[n]->settled ? n : 0;
    assert_int_equal(tape_find_kind(t, branch, from, dir, -1), settled);
}

static void check_seek(struct cursor *c, const struct book *b, struct prng *r)
{
    int branch = (int)prng_below(r, (uint32_t)b->lines);
    uint32_t at = prng_below(r, b->line[branch].n);
    cursor_seek(c, branch, at);
    assert_true(c->branch == branch && c->at == at);
    assert_memory_equal(c->w->word + FIRST, b->line[branch].at[at]->image, sizeof b->line[0].at[0]->image);
    if (at > 0)
        check_step(c->tape, b, branch, at);
    check_find(c->tape, b, branch, at, prng_below(r, 2) == 0 ? 1 : -1, (int)prng_below(r, 3));
}

static struct tape *tape_open(void)
{
    struct err e = {0};
    struct tape *t = tape_new(&CONFIG, &e);
    assert_non_null(t);
    return t;
}

static void test_random_history(void **state)
{
    struct prng r;
    struct tape *t = tape_open();
    struct book *b = book_new(tape_world(t));
    struct cursor c;
    struct err e = {0};
    uint32_t seeks = 0;
    (void)state;
    prng_seed(&r, 11);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (uint32_t i = 0; i < 8000; i++) {
        operate(t, &r, b);
        if (prng_below(&r, 200) == 0)
            act(t, &r, b);
        for (; prng_below(&r, 20) == 0; seeks++)
            check_seek(&c, b, &r);
    }
    for (uint32_t i = 0; i < 300; i++, seeks++)
        check_seek(&c, b, &r);
    assert_true(seeks > 500 && b->lines > 20 && b->all_n > 40000);
    for (uint32_t n = b->line[0].n - 1; n > 0; n--) /* one step at a time to the very beginning */
        cursor_seek(&c, 0, n - 1);
    assert_memory_equal(c.w->word + FIRST, b->line[0].at[0]->image, sizeof b->line[0].at[0]->image);
    cursor_seek(&c, 0, UINT32_MAX); /* clipped */
    assert_int_equal(c.at, b->line[0].n - 1);
    cursor_done(&c);
    book_free(b);
    tape_free(t);
}

/* A long branch, so that seeking leaps over many steps at once; the same moments from either side. */
static void test_long_seeks(void **state)
{
    struct prng r;
    struct tape *t = tape_open();
    struct book *b = book_new(tape_world(t));
    struct cursor c;
    struct err e = {0};
    (void)state;
    prng_seed(&r, 12);
    assert_int_equal(cursor_init(&c, t, &e), 0);
    while (b->line[0].n < 100000)
        operate(t, &r, b);
    for (uint32_t i = 0; i < 400; i++)
        check_seek(&c, b, &r);
    struct err none = {0};
    assert_int_equal(tape_act_at(t, 0, 70000, &none), 1); /* and over a fork in the middle of it */
    for (uint32_t i = 0; i <= 70000; i++)
        line_push(&b->line[1], b->line[0].at[i]);
    b->lines = 2;
    b->current = 1;
    for (uint32_t i = 0; i < 3000; i++)
        operate(t, &r, b);
    for (uint32_t i = 0; i < 400; i++)
        check_seek(&c, b, &r);
    cursor_done(&c);
    book_free(b);
    tape_free(t);
}

/* ---- how runs are kept ------------------------------------------------------------------------------------------- */

static void test_difference_edges(void **state)
{
    static const struct {
        uint32_t before, after;
    } cases[] = {{0, 0x3fffffff},          {0, 0x40000000},          {0x40000000, 0},
                 {0x40000001, 0},          {0, 0x80000000},          {0x80000000, 0},
                 {UINT32_MAX, 0},          {0, UINT32_MAX},          {1, UINT32_MAX},
                 {0x80000000, 0x7fffffff}, {0x7fffffff, 0x80000000}, {5, 5}};
    struct tape *t = tape_open();
    struct cursor c;
    struct err e = {0};
    size_t ran = 0;
    (void)state;
    assert_int_equal(cursor_init(&c, t, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++, ran++) {
        assert_true(tape_room(t, 4, 2));
        tape_begin(t);
        set(t, 3, cases[i].before);
        tape_emit(t, EV_WALK, NULL, 0);
        set(t, 3, cases[i].after);
        tape_emit(t, EV_WALK, NULL, 0);
        tape_commit(t);
        uint32_t n = tape_length(t, 0);
        for (int twice = 0; twice < 2; twice++) {
            cursor_seek(&c, 0, n);
            assert_int_equal(c.w->word[FIRST + 3], cases[i].after);
            cursor_seek(&c, 0, n - 1);
            assert_int_equal(c.w->word[FIRST + 3], cases[i].before);
        }
    }
    assert_int_equal(ran, 12);
    cursor_done(&c);
    tape_free(t);
}

/* Freeing a leaf of 200 slots is one run with a stride, not 200 entries. */
static void test_a_stride_is_one_run(void **state)
{
    struct tape *t = tape_open();
    (void)state;
    assert_true(tape_room(t, 400, 1));
    size_t before = tape_bytes(t);
    tape_begin(t);
    for (uint32_t i = 0; i < 200; i++)
        W_SET(t, tape_world(t)->row_slot[100 + i], 7 + 3 * i);
    tape_emit(t, EV_FREE, NULL, 0);
    tape_commit(t);
    assert_in_range(tape_bytes(t) - before, 1, 60);
    struct step s;
    tape_step(t, 0, 1, &s);
    assert_int_equal(s.words, 200);
    tape_free(t);
}

/* ---- limits and failures ----------------------------------------------------------------------------------------- */

static void test_off_and_on(void **state)
{
    struct tape *t = tape_open();
    struct prng r;
    struct book *b = book_new(tape_world(t));
    (void)state;
    prng_seed(&r, 1);
    operate(t, &r, b);
    assert_true(tape_length(t, 0) > 1);
    assert_int_equal(tape_act_at(t, 0, 1, NULL), 1); /* a second history */
    assert_true(tape_room(t, 1, 1));
    tape_begin(t);
    set(t, 0, 4710);
    EMIT(t, NOTE, 0);
    tape_commit(t);
    uint64_t was = world_hash(tape_world(t));
    xalloc_fail_at(1, true); /* forgetting needs no memory */
    tape_record(t, false);
    assert_int_equal(xalloc_failures(), 0);
    xalloc_fail_at(0, false);
    assert_int_equal(world_hash(tape_world(t)), was);
    assert_int_equal(tape_branches(t), 1);
    assert_int_equal(tape_branch(t), 0);
    assert_int_equal(tape_length(t, 0), 0); /* history is forgotten */
    tape_begin(t);
    set(t, 0, 4711);
    EMIT(t, NOTE, 0);
    tape_commit(t);
    assert_int_equal(tape_world(t)->word[FIRST], 4711);
    assert_int_equal(tape_bytes(t), 0);
    tape_record(t, true);
    assert_true(tape_room(t, 1, 1));
    tape_begin(t);
    set(t, 0, 4712);
    EMIT(t, NOTE, 0);
    tape_commit(t);
    assert_int_equal(tape_length(t, 0), 1);
    book_free(b);
    tape_free(t);
}

static void test_history_can_be_full(void **state)
{
    struct tape *t = tape_open();
    struct prng r;
    struct book *b = book_new(tape_world(t));
    uint32_t ops = 0;
    (void)state;
    prng_seed(&r, 2);
    tape_limit(t, 20000);
    while (tape_room(t, 1, 1)) {
        operate(t, &r, b);
        assert_true(++ops < 10000);
    }
    assert_true(tape_full(t) && ops > 10);
    book_free(b);
    tape_free(t);
}

static void test_no_memory(void **state)
{
    struct err e = {0};
    unsigned long injected = 0;
    (void)state;
    for (int forever = 0; forever < 2; forever++)
        for (unsigned long n = 1;; n++) {
            err_clear(&e);
            xalloc_fail_at(n, forever);
            struct tape *t = tape_new(&CONFIG, &e);
            bool failed = xalloc_failures() > 0;
            injected += xalloc_failures();
            xalloc_fail_at(0, false);
            assert_int_equal(t == NULL, failed);
            assert_int_equal(e.set, failed);
            tape_free(t);
            if (!failed)
                break;
        }
    struct tape *t = tape_open();
    xalloc_fail_at(1, true);
    assert_false(tape_room(t, 10, 10));
    assert_true(xalloc_failures() > 0);
    injected += xalloc_failures();
    xalloc_fail_at(0, false);
    assert_false(tape_full(t)); /* memory, not the limit */
    assert_true(tape_room(t, 10, 10));
    tape_begin(t);
    set(t, 0, 1);
    EMIT(t, NOTE, 0);
    tape_commit(t);
    xalloc_fail_at(1, true); /* no memory for another branch: nothing has moved */
    assert_int_equal(tape_act_at(t, 0, 0, &e), -1);
    injected += xalloc_failures();
    xalloc_fail_at(0, false);
    assert_int_equal(tape_world(t)->word[FIRST], 1);
    assert_int_equal(tape_branches(t), 1);
    assert_true(injected > 10);
    tape_free(t);
}

/* Room that was granted is there, whichever allocation failed before. */
static void test_room_is_kept(void **state)
{
    unsigned long refused = 0;
    (void)state;
    for (unsigned long n = 1; n < 12; n++) {
        struct tape *t = tape_open();
        xalloc_fail_at(n, false);
        bool ok = tape_room(t, 60000, 40);
        xalloc_fail_at(0, false);
        refused += !ok;
        if (!ok)
            assert_true(tape_room(t, 60000, 40));
        tape_begin(t);
        for (uint32_t i = 0; i < 60000; i++)
            W_SET(t, tape_world(t)->row_slot[1 + i * 3 % 65536], i + 1);
        EMIT(t, NOTE, 0);
        tape_commit(t);
        tape_free(t);
    }
    assert_true(refused > 4);
}

static void test_no_such_moment(void **state)
{
    struct tape *t = tape_open();
    struct err e = {0};
    (void)state;
    assert_int_equal(tape_act_at(t, 0, 1, &e), -1);
    assert_non_null(strstr(e.what, "no step 1"));
    err_clear(&e);
    assert_int_equal(tape_act_at(t, 1, 0, &e), -1);
    assert_true(e.set);
    tape_free(t);
}

/* Observations that find no memory are dropped; nothing else changes. */
static void test_observation_without_memory(void **state)
{
    struct tape *t = tape_open();
    struct observation o;
    uint32_t bytes = 5;
    (void)state;
    assert_true(tape_room(t, 1, 1));
    tape_begin(t);
    xalloc_fail_at(1, true);
    tape_observe(t, OBS_LOGITS, &bytes, sizeof bytes);
    assert_int_equal(xalloc_failures(), 1);
    xalloc_fail_at(0, false);
    EMIT(t, NOTE, 0);
    tape_commit(t);
    assert_false(tape_observation(t, 0, 1, 0, &o));
    assert_int_equal(tape_observation_bytes(t), 0);
    tape_free(t);
}

/* ---- readers on another thread -------------------------------------------------------------------------------------- */

struct reading {
    const struct tape *t;
    atomic_bool stop;
    unsigned long seeks;
    uint32_t furthest;
    bool wrong;
};

/* At every settled moment the window's first two words add up to 1000. */
static void *read_along(void *arg)
{
    struct reading *x = arg;
    struct cursor c;
    struct prng r;
    struct err e = {0};
    prng_seed(&r, 5);
    x->wrong = cursor_init(&c, x->t, &e) != 0;
    while (!x->wrong && (!atomic_load(&x->stop) || x->seeks < 100)) {
        uint32_t length = tape_length(x->t, 0), at = prng_below(&r, length + 1);
        struct step s = {.settled = true};
        cursor_seek(&c, 0, prng_below(&r, 2) == 0 ? at : length);
        if (c.at > 0)
            tape_step(x->t, 0, c.at, &s);
        uint32_t sum = c.w->word[FIRST] + c.w->word[FIRST + 1];
        struct observation o;
        if (c.at > 0 && tape_observation(x->t, 0, c.at, 0, &o))
            x->wrong = *(const uint32_t *)o.data != c.w->word[FIRST + 2];
        x->wrong = x->wrong || (s.settled && c.at > 0 && sum != 1000);
        x->furthest = c.at > x->furthest ? c.at : x->furthest;
        x->seeks++;
    }
    cursor_done(&c);
    return NULL;
}

static void test_readers_on_another_thread(void **state)
{
    struct tape *t = tape_open();
    struct reading x = {.t = t};
    struct prng r;
    pthread_t thread;
    (void)state;
    prng_seed(&r, 6);
    atomic_init(&x.stop, false);
    assert_int_equal(pthread_create(&thread, NULL, read_along, &x), 0);
    for (uint32_t i = 0; i < 30000; i++) {
        assert_true(tape_room(t, 16, 4));
        tape_begin(t);
        uint32_t a = prng_below(&r, 1001);
        set(t, 0, a);
        EMIT(t, WALK, 1, 2, 3);
        set(t, 1, 1000 - a);
        set(t, 2, i);
        tape_observe(t, OBS_LOGITS, &i, sizeof i);
        EMIT(t, WALK, 4, 5, 6);
        if (i % 16 == 7)
            tape_rollback(t);
        else
            tape_commit(t);
    }
    atomic_store(&x.stop, true);
    pthread_join(thread, NULL);
    assert_false(x.wrong);
    assert_true(x.seeks >= 100 && x.furthest > 0);
    tape_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_history),
        cmocka_unit_test(test_long_seeks),
        cmocka_unit_test(test_difference_edges),
        cmocka_unit_test(test_a_stride_is_one_run),
        cmocka_unit_test(test_off_and_on),
        cmocka_unit_test(test_history_can_be_full),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_room_is_kept),
        cmocka_unit_test(test_no_such_moment),
        cmocka_unit_test(test_observation_without_memory),
        cmocka_unit_test(test_readers_on_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
