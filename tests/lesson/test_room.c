/* The lines of a classroom: what is written is read again, what is spoiled is refused or ignored and never more than a
 * line is kept; answers in one form; the distribution against counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "lesson/room.h"

enum { LINES = 4000, SPOILED = 60000, VOTERS = 300 };

static void random_words(struct prng *r, char *out, size_t cap, bool may)
{
    static const char *const PIECES[] = {"a", "Z", "7", " ", "\"", ":", "é", "世", "=", "insert ", "-"};
    size_t n = 0, want = prng_below(r, (uint32_t)cap);
    while (n < want) {
        const char *piece = PIECES[prng_below(r, ARRAY_LEN(PIECES))];
        if (n + strlen(piece) >= cap)
            break;
        memcpy(out + n, piece, strlen(piece));
        n += strlen(piece);
    }
    if (n == 0 && !may)
        out[n++] = 'x';
    out[n] = '\0';
}

static int random_scene(struct prng *r)
{
    int scenes[] = {ROOM_NO_SCENE, ROOM_CHALLENGE, 0, 3, LESSON_ITEMS};
    return scenes[prng_below(r, ARRAY_LEN(scenes))];
}

static uint32_t any(struct prng *r)
{
    uint32_t edges[] = {0, 1, 9, 10, UINT32_MAX - 1, UINT32_MAX};
    return prng_below(r, 2) ? edges[prng_below(r, ARRAY_LEN(edges))] : (uint32_t)prng_next(r);
}

static void random_place(struct prng *r, struct room_place *p)
{
    p->round = any(r);
    p->part = prng_below(r, 2 * LESSON_ITEMS);
    p->phase = prng_below(r, 8);
    p->hints = prng_below(r, LESSON_HINTS + 2);
    p->tries = any(r);
    p->commands = any(r);
    p->scene = random_scene(r);
    p->branch = (int)prng_below(r, INT32_MAX);
    p->step = any(r);
    p->limit = any(r);
    p->epoch = any(r);
    p->view = any(r);
    p->elapsed = any(r);
    p->aside = prng_below(r, 2) != 0;
    p->open = prng_below(r, 2) != 0;
    p->revealed = prng_below(r, 2) != 0;
    snprintf(p->chunk, sizeof p->chunk, "chunk-%u", prng_below(r, 100));
    random_words(r, p->answer, sizeof p->answer, true);
}

static void random_line(struct prng *r, struct room_line *l)
{
    memset(l, 0, sizeof *l);
    l->kind = (enum room_kind)(1 + prng_below(r, ROOM_ERROR));
    switch (l->kind) {
    case ROOM_HELLO:
        l->u.hello = (struct room_hello){.session = any(r), .seed = any(r), .sum = any(r), .id = "two-words"};
        break;
    case ROOM_GUEST: l->u.role = (enum room_role)prng_below(r, 2); break;
    case ROOM_AT: random_place(r, &l->u.place); break;
    case ROOM_RAN_LINE:
        l->u.ran.seq = 1 + prng_below(r, ROOM_RAN);
        l->u.ran.epoch = any(r);
        do
            l->u.ran.scene = random_scene(r);
        while (l->u.ran.scene == ROOM_NO_SCENE);
        l->u.ran.branch = (int)prng_below(r, 5);
        l->u.ran.at = any(r);
        random_words(r, l->u.ran.line, sizeof l->u.ran.line, false);
        break;
    case ROOM_VOTES:
        l->u.votes.present = prng_below(r, ROOM_GUESTS + 1);
        l->u.votes.answered = prng_below(r, ROOM_GUESTS + 1);
        l->u.votes.shown = prng_below(r, 2) != 0;
        break;
    case ROOM_VOTE:
        l->u.vote.count = prng_below(r, ROOM_GUESTS + 1);
        random_words(r, l->u.vote.text, sizeof l->u.vote.text, true);
        break;
    case ROOM_ANSWERED:
        l->u.answer.round = any(r);
        random_words(r, l->u.answer.text, sizeof l->u.answer.text, false);
        break;
    case ROOM_ERROR: random_words(r, l->u.error, sizeof l->u.error, false); break;
    default: break;
    }
}

static void same_lines(const struct room_line *a, const struct room_line *b)
{
    struct buf x = {0}, y = {0};
    room_write(a, &x);
    room_write(b, &y);
    assert_int_equal(a->kind, b->kind);
    assert_string_equal(buf_text(&x), buf_text(&y));
    buf_free(&x);
    buf_free(&y);
}

/* The same fields over other bytes, so that what stands between the fields and behind the texts differs. */
static void copy_fields(struct room_place *to, const struct room_place *p, int filler)
{
    memset(to, filler, sizeof *to);
    to->round = p->round;
    to->part = p->part;
    to->phase = p->phase;
    to->hints = p->hints;
    to->tries = p->tries;
    to->commands = p->commands;
    to->scene = p->scene;
    to->branch = p->branch;
    to->step = p->step;
    to->limit = p->limit;
    to->epoch = p->epoch;
    to->view = p->view;
    to->elapsed = p->elapsed;
    to->aside = p->aside;
    to->open = p->open;
    to->revealed = p->revealed;
    strcpy(to->chunk, p->chunk);
    strcpy(to->answer, p->answer);
}

static void change_field(struct prng *r, int which, struct room_place *p)
{
    uint32_t *const NUMBERS[] = {&p->round, &p->part, &p->phase, &p->hints, &p->tries, &p->commands, &p->step, &p->limit,
                                 &p->epoch, &p->view, &p->elapsed};
    bool *const FLAGS[] = {&p->aside, &p->open, &p->revealed};
    int numbers = ARRAY_LEN(NUMBERS);
    if (which < numbers)
        *NUMBERS[which] ^= 1u << prng_below(r, 32);
    else if (which < numbers + 3)
        *FLAGS[which - numbers] ^= true;
    else if (which == numbers + 3)
        p->scene = p->scene == 3 ? 0 : 3;
    else if (which == numbers + 4)
        p->branch ^= 1;
    else
        snprintf(which == numbers + 5 ? p->chunk : p->answer, sizeof p->chunk, "other");
}

/* Two places are the same if and only if the lines that tell them are, but for the clock. */
static void places_are_compared_by_what_they_say(void **state)
{
    struct prng r;
    unsigned same = 0, other = 0;
    (void)state;
    prng_seed(&r, 71);
    for (int i = 0; i < LINES; i++) {
        struct room_place p, q;
        struct room_line a = {.kind = ROOM_AT}, b = {.kind = ROOM_AT};
        struct buf x = {0}, y = {0};
        int which = i % 19; /* 18 fields; then none */
        random_place(&r, &p);
        copy_fields(&q, &p, 0xff);
        change_field(&r, which < 18 ? which : 10, &q);
        a.u.place = p;
        b.u.place = q;
        a.u.place.elapsed = b.u.place.elapsed = 0;
        room_write(&a, &x);
        room_write(&b, &y);
        bool want = strcmp(buf_text(&x), buf_text(&y)) == 0;
        assert_int_equal(room_place_same(&p, &q), want);
        same += want;
        other += !want;
        buf_free(&x);
        buf_free(&y);
    }
    assert_true(same > 300 && other > 3000);
}

static void what_is_written_is_read(void **state)
{
    struct prng r;
    unsigned seen[ROOM_ERROR + 1] = {0};
    (void)state;
    prng_seed(&r, 61);
    for (int i = 0; i < LINES; i++) {
        struct room_line l, again;
        struct buf b = {0};
        struct err e = {0};
        random_line(&r, &l);
        room_write(&l, &b);
        assert_true(b.len <= ROOM_LINE);
        if (room_read(buf_text(&b), b.len - 1, &again, &e) != 0)
            fail_msg("%s: %s", e.what, buf_text(&b));
        same_lines(&l, &again);
        if (l.kind == ROOM_AT)
            assert_memory_equal(&l.u.place, &again.u.place, sizeof l.u.place);
        seen[l.kind]++;
        buf_free(&b);
    }
    for (int k = ROOM_HELLO; k <= ROOM_ERROR; k++)
        assert_true(seen[k] > 100);
}

/* A byte changed, taken away, doubled; the end cut off: either refused, or it means what its own writing says. */
static void spoiled_lines_are_refused_or_mean_something(void **state)
{
    struct prng r;
    unsigned refused = 0, ignored = 0, meant = 0;
    (void)state;
    prng_seed(&r, 62);
    for (int i = 0; i < SPOILED; i++) {
        struct room_line l, again;
        struct buf b = {0};
        struct err e = {0};
        random_line(&r, &l);
        room_write(&l, &b);
        size_t n = b.len - 1, at = n > 0 ? prng_below(&r, (uint32_t)n) : 0;
        switch (prng_below(&r, 3)) {
        case 0: b.data[at] = (char)prng_below(&r, 256); break;
        case 1: n = at; break;
        default: memmove(b.data + at, b.data + at + 1, n - at); n -= n > at; break;
        }
        int rc = room_read(b.data, n, &l, &e);
        assert_true((rc != 0) == e.set);
        refused += rc != 0;
        ignored += rc == 0 && l.kind == ROOM_UNKNOWN;
        if (rc == 0 && l.kind != ROOM_UNKNOWN) {
            struct buf c = {0};
            meant++;
            room_write(&l, &c);
            assert_true(c.len == n + 1 && memcmp(c.data, b.data, n) == 0); /* there is one way to write it */
            assert_int_equal(room_read(c.data, c.len - 1, &again, &e), 0);
            buf_free(&c);
        }
        buf_free(&b);
    }
    assert_true(refused > 1000 && ignored > 100 && meant > 1000);
}

static void hostile_lines(void **state)
{
    static const char *const BAD[] = {
        "", " ", "at", "at ", "at 1 2 3", "radixscope-room", "radixscope-room 1", "radixscope-room 1 lead", "radixscope-room 2 follow",
        "radixscope-room 01 follow", "radixscope-room 1 follow ", "radixscope-room -1 follow", "radixscope-room 1 1 2 3 ../../etc",
        "radixscope-room 1 1 2 4294967296 split", "answer", "answer 1", "answer 1 ", "answer x 3", "answer 1 \033[2J",
        "answer 1 \x80", "answer 99999999999999999999 3", "votes 65 0 0", "votes 1 1 2", "vote 1", "ran 0 0 0 0 0 x",
        "ran 2001 0 0 0 0 x", "ran 1 0 - 0 0 x", "ran 1 0 0 0 0 ", "bye now", "at 1 2 3 4 5 6 - 0 0 0 0 0 0 0 0 2 x ",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct room_line l;
        struct err e = {0};
        if (room_read(BAD[i], strlen(BAD[i]), &l, &e) == 0)
            fail_msg("taken: '%s'", BAD[i]);
        assert_true(e.set && l.kind == ROOM_UNKNOWN);
    }
    struct room_line l;
    struct err e = {0};
    assert_int_equal(room_read("wave 1 2 3", 10, &l, &e), 0); /* of a later version */
    assert_int_equal(l.kind, ROOM_UNKNOWN);
    assert_int_equal(room_read("answer 7 3\0 4", 13, &l, &e), -1);
}

/* However bytes are cut, the same lines come out; a line without an end is an error after ROOM_LINE bytes. */
static void a_reader_keeps_one_line(void **state)
{
    struct prng r;
    struct buf all = {0}, got = {0};
    struct room_reader in = {0};
    const char *line;
    char *to;
    size_t n;
    (void)state;
    prng_seed(&r, 63);
    for (int i = 0; i < 500; i++) {
        struct room_line l;
        random_line(&r, &l);
        room_write(&l, &all);
    }
    for (size_t at = 0; at < all.len;) {
        size_t room = room_reader_room(&in, &to), some = 1 + prng_below(&r, 700);
        some = some < room ? some : room;
        some = some < all.len - at ? some : all.len - at;
        memcpy(to, all.data + at, some);
        room_reader_came(&in, some);
        at += some;
        int rc;
        while ((rc = room_reader_line(&in, &line, &n)) == 1) {
            buf_add(&got, line, n);
            buf_putc(&got, '\n');
        }
        assert_int_equal(rc, 0);
    }
    assert_string_equal(buf_text(&got), buf_text(&all));
    in = (struct room_reader){0};
    for (;;) {
        size_t room = room_reader_room(&in, &to);
        if (room == 0)
            break;
        memset(to, 'x', room);
        room_reader_came(&in, room);
        if (room_reader_line(&in, &line, &n) != 0)
            break;
    }
    assert_int_equal(room_reader_line(&in, &line, &n), -1);
    buf_free(&all);
    buf_free(&got);
}

static void answers_have_one_form(void **state)
{
    static const struct { enum question_kind kind; int options; const char *answer, *form; } CASES[] = {
        {ASK_NUMBER, 0, " 03 ", "3"},  {ASK_NUMBER, 0, "3.0", "3"},   {ASK_NUMBER, 0, "-0", "0"},    {ASK_NUMBER, 0, "1e3", "1000"},
        {ASK_NUMBER, 0, "three", NULL}, {ASK_NUMBER, 0, "nan", NULL}, {ASK_NUMBER, 0, "inf", NULL},  {ASK_NUMBER, 0, "", NULL},
        {ASK_CHOOSE, 4, "4", "4"},     {ASK_CHOOSE, 4, "5", NULL},    {ASK_CHOOSE, 4, "1.5", NULL},  {ASK_CHOOSE, 4, "0", NULL},
        {ASK_NODE, 0, "b", "B"},       {ASK_NODE, 0, "2", "B"},       {ASK_NODE, 0, "27", "27"},     {ASK_NODE, 0, "BB", NULL},
        {ASK_ORDER, 3, "213", "2 1 3"}, {ASK_ORDER, 3, "2, 1,3", "2 1 3"}, {ASK_ORDER, 3, "2 1", NULL}, {ASK_ORDER, 3, "2 2 1", NULL},
        {ASK_ORDER, 3, "2 1 4", NULL}, {ASK_SLOT, 0, "12", "12"},     {ASK_DO, 0, "1", NULL},        {ASK_NUMBER, 0, "1\t2", NULL},
        {ASK_ORDER, 12, "12 11 10 9 8 7 6 5 4 3 2 1", "12 11 10 9 8 7 6 5 4 3 2 1"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct question q = {.kind = CASES[i].kind, .options = CASES[i].options};
        char form[ROOM_ANSWER] = "?", again[ROOM_ANSWER];
        struct err e = {0};
        int rc = room_answer(&q, CASES[i].answer, form, &e);
        assert_int_equal(rc, CASES[i].form == NULL ? -1 : 0);
        assert_true(e.set == (rc != 0));
        if (rc != 0)
            continue;
        assert_string_equal(form, CASES[i].form);
        assert_int_equal(room_answer(&q, form, again, &e), 0);
        assert_string_equal(again, form);
    }
}

static void the_distribution_counts_everybody(void **state)
{
    struct prng r;
    (void)state;
    prng_seed(&r, 64);
    for (uint32_t different = 1; different < 40; different++) {
        struct room_tally t = {0};
        uint32_t count[40] = {0}, sum = 0;
        for (int i = 0; i < VOTERS; i++) {
            uint32_t k = prng_below(&r, different);
            char text[ROOM_ANSWER];
            snprintf(text, sizeof text, "%u", k);
            room_tally_add(&t, text);
            count[k]++;
        }
        room_tally_sort(&t);
        assert_int_equal(t.answered, VOTERS);
        assert_true(t.n <= ROOM_DIFFERENT);
        for (int i = 0; i < t.n; i++) {
            unsigned k;
            assert_int_equal(sscanf(t.one[i].text, "%u", &k), 1);
            assert_int_equal(t.one[i].count, count[k]);
            assert_true(i == 0 || t.one[i - 1].count > t.one[i].count ||
                        (t.one[i - 1].count == t.one[i].count && strcmp(t.one[i - 1].text, t.one[i].text) < 0));
            sum += t.one[i].count;
        }
        assert_int_equal(sum + t.others, VOTERS);
        assert_true(t.others == 0 || t.n == ROOM_DIFFERENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_compared_by_what_they_say),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(spoiled_lines_are_refused_or_mean_something),
        cmocka_unit_test(hostile_lines),
        cmocka_unit_test(a_reader_keeps_one_line),
        cmocka_unit_test(answers_have_one_form),
        cmocka_unit_test(the_distribution_counts_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
