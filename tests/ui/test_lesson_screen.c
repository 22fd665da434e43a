/* The lesson's screen: golden screens of a small lesson of the test's own at four sizes, in UTF-8 and ASCII. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/xalloc.h"
#include "cli/lesson_screen.h"
#include "ui/app.h"
#include "ui/key.h"

static const char LESSON[] =
    "---\nid: small\ntitle: A small lesson\nminutes: 5\nobjectives:\n  - See every kind of moment\n---\n\n"
    "## Two keys {#keys}\n\nA first key fills slots; there are {= pool @ first} of them.\n\n"
    "```rxs first\ntokens letters\npool 32\ninsert \"the cat sat\"\n```\n\n"
    "[A](node:A) holds `{= edge(A)}`, and {= used} slots are used.\n\n"
    "```ask number how-much-new\ntext: How many **new** slots does `the cat ran` need?\nanswer: added(second)\n"
    "wrong: tokens(\"the cat ran\")\n  why: The first {= matched(second)} are there already.\notherwise: Count what is behind "
    "the shared beginning.\nright: Right: {= added(second)}.\nhint: What do both keys share?\nhint: All up to the second blank.\n"
    "hint: Only `ran` is new.\ndecides: split_node\n```\n\n"
    "```rxs second\ninsert \"the cat ran\"\n```\n\n```expect\nnodes == 3\n```\n\n"
    "## Challenge {#challenge}\n\n```ask do golf\ntext: Make a tree of three nodes.\nstart:\n  tokens letters\n  pool 32\n"
    "allow: insert, match\ngoal: nodes == 3\npar: 2\nsolution:\n  insert \"ab\"\n  insert \"ac\"\n"
    "hint: Two keys that share a beginning make a fork.\nhint: A fork is three nodes.\nhint: Two letters each are enough.\n```\n\n"
    "## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* A letter to answer with, and an action that begins anew. */
static const char LETTERS[] =
    "---\nid: letters\ntitle: Letters\nminutes: 5\nobjectives:\n  - Answer with a letter\n---\n\n"
    "## One {#one}\n\nTwo keys.\n\n```rxs first\ntokens letters\npool 32\ninsert \"the cat sat\"\ninsert \"the cat ran\"\n```\n\n"
    "```ask pick-node who\ntext: Which node holds `ran`?\nanswer: if(used == 2, \"B\", \"A\")\nwrong: \"A\"\n  why: Another one.\n"
    "otherwise: No.\nright: Yes.\nhint: a\nhint: b\nhint: c\ndecides: new_leaf\n```\n\n"
    "```rxs again\ntokens letters\npool 8\ninsert \"ab\"\n```\n\n"
    "## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* A tree that is wider than the rows that a lesson's page usually leaves it. */
static const char BUSHY[] =
    "---\nid: bushy\ntitle: Bushy\nminutes: 5\nobjectives:\n  - See all of it\n---\n\n"
    "## One {#one}\n\n```rxs first\ntokens letters\npool 400\ninsert \"xa\"\ninsert \"xb\"\ninsert \"xc\"\ninsert \"xd\"\n"
    "insert \"xe\"\ninsert \"xf\"\ninsert \"xg\"\n```\n\nOne line.\n\n"
    "## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* Words are tokens, and an answer is given that would seem a part of the last one. */
static const char GIVEN[] =
    "---\nid: given\ntitle: Given\nminutes: 5\nobjectives:\n  - See where an answer begins\n---\n\n"
    "## One {#one}\n\n```rxs first\ntokens letters\npool 40\nschedule fcfs batch=1\nrequest \"nobody\" answer=\"true\"\nserve\n```\n\nDone.\n\n"
    "## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* '~' stands for Enter. */
static const struct moment_of_lesson {
    const char *name, *keys;
} MOMENTS[] = {
    {"text", ""},
    {"action", "~~"},
    {"question", "~~~"},
    {"hint", "~~~h"},
    {"wrong", "~~~11~"},
    {"right", "~~~3~"},
    {"challenge", "~~~3~~~~:insert \"ab\"~"},
};

static const struct {
    int w, h;
} SIZES[] = {{60, 16}, {80, 24}, {120, 40}, {200, 50}};

struct taking {
    struct lesson *lesson;
    struct lesson_run *run;
    struct lesson_host host;
    struct lesson_halt halt;
    struct progress progress; /* kept nowhere */
    struct player player;
    struct lesson_room room;
    struct screening screen;
    struct app app;
};

static void begin_with(struct taking *t, const char *text, bool ascii)
{
    struct err e = {0};
    struct ui_options options = {.theme = "mono", .ascii = ascii};
    *t = (struct taking){.host = {.model_dir = "data/model", .halt = &t->halt}};
    lesson_halt_init(&t->halt);
    t->lesson = lesson_parse("small.md", text, strlen(text), &e);
    t->run = t->lesson != NULL ? lesson_run_new(t->lesson, &t->host, &e) : NULL;
    if (t->run == NULL)
        fail_msg("%s", e.what);
    assert_int_equal(player_init(&t->player, t->run, &t->progress, true, &e), 0);
    t->room.player = &t->player;
    assert_int_equal(screening_open(&t->screen, &t->player, &t->room, &e), 0);
    assert_int_equal(app_init(&t->app, &t->screen.feed, &options, &e), 0);
}

static void begin(struct taking *t, bool ascii)
{
    begin_with(t, LESSON, ascii);
}

static void press(struct taking *t, const char *keys)
{
    struct surface s;
    assert_int_equal(surface_init(&s, 100, 30, true, NULL), 0);
    for (const char *c = keys; *c != '\0'; c++) { /* keys scroll what was drawn */
        app_draw(&t->app, &s);
        app_key(&t->app, *c == '~' ? K_ENTER : *c == '^' ? K_ESC : *c == '<' ? K_BACKSPACE : *c == '>' ? K_RIGHT : *c == '|' ? K_TAB : *c);
        app_settle(&t->app);
    }
    app_draw(&t->app, &s);
    surface_done(&s);
}

static void end(struct taking *t)
{
    app_done(&t->app);
    screening_close(&t->screen);
    lesson_room_close(&t->room);
    player_done(&t->player);
    lesson_run_free(t->run);
    lesson_free(t->lesson);
    lesson_halt_done(&t->halt);
    progress_done(&t->progress);
}

static bool same_as_file(const char *name, const struct buf *got)
{
    char path[256], *want;
    size_t len;
    struct err e = {0};
    snprintf(path, sizeof path, "tests/ui/golden/%s.txt", name);
    if (getenv("UPDATE") != NULL)
        assert_int_equal(file_write(path, got->data, got->len, NULL), 0);
    if (file_read(path, 1 << 20, &want, &len, &e) != 0) {
        print_error("%s: %s\n", name, e.what);
        return false;
    }
    bool same = len == got->len && memcmp(want, got->data, len) == 0;
    if (!same)
        print_error("%s differs. Wanted:\n%.*s\nGot:\n%s\n", name, (int)len, want, buf_text(got));
    xfree(want);
    return same;
}

static bool shot(struct taking *t, const char *moment, int w, int h, bool ascii)
{
    char name[96];
    struct surface s;
    struct buf b = {0};
    assert_int_equal(surface_init(&s, w, h, ascii, NULL), 0);
    app_draw(&t->app, &s);
    assert_true(s.cursor_x >= 0 && s.cursor_x < w && s.cursor_y >= 0 && s.cursor_y < h);
    surface_to_text(&s, &b);
    surface_done(&s);
    for (size_t i = 0; ascii && i < b.len; i++)
        assert_true(b.data[i] == '\n' || (b.data[i] >= 0x20 && b.data[i] < 0x7f));
    snprintf(name, sizeof name, "lesson-%s-%dx%d%s", moment, w, h, ascii ? "-ascii" : "");
    bool same = same_as_file(name, &b);
    buf_free(&b);
    return same;
}

static void test_every_moment(void **state)
{
    unsigned cases = 0, bad = 0;
    (void)state;
    for (size_t m = 0; m < ARRAY_LEN(MOMENTS); m++)
        for (size_t k = 0; k < 2 * ARRAY_LEN(SIZES); k++, cases++) {
            struct taking t;
            begin(&t, k % 2 == 1);
            struct surface first; /* keys scroll what was drawn */
            assert_int_equal(surface_init(&first, SIZES[k / 2].w, SIZES[k / 2].h, k % 2 == 1, NULL), 0);
            for (const char *c = MOMENTS[m].keys; *c != '\0'; c++) {
                app_draw(&t.app, &first);
                app_key(&t.app, *c == '~' ? K_ENTER : *c);
                app_settle(&t.app);
            }
            app_draw(&t.app, &first);
            surface_done(&first);
            bad += !shot(&t, MOMENTS[m].name, SIZES[k / 2].w, SIZES[k / 2].h, k % 2 == 1);
            end(&t);
        }
    assert_int_equal(cases, 2 * ARRAY_LEN(SIZES) * ARRAY_LEN(MOMENTS));
    assert_int_equal(bad, 0);
}

/* Keys at the question, what then stands in the field, whether something else is shown, whether something was said. */
static void test_typing(void **state)
{
    static const struct {
        const char *lesson, *keys, *typed;
        bool said;
    } CASES[] = {
        {LESSON, "4,033,920", "4033920", false},   {LESSON, "4_033 920", "4033920", false},
        {LESSON, "4 million", "4", true},          {LESSON, "12q", "12", true},
        {LESSON, "12x", "12", true},               {LESSON, "12s", "12", true},
        {LESSON, "12h", "12", true},               {LESSON, "12>", "12", true},
        {LESSON, "12?", "12", true},               {LESSON, "1.5", "1.5", false},
        {LESSON, "1e3", "1e3", false},             {LESSON, "12^", "", false},
        {LESSON, "12<", "1", false},               {LETTERS, "b", "B", false},
        {LETTERS, "bc", "C", false},               {LETTERS, "C", "C", false},
        {LETTERS, "Ci", "C", true},                {LETTERS, "3", "3", false},
        {LETTERS, "3b", "B", false},               {LETTERS, "b3", "3", false},
    };
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++, cases++) {
        struct taking t;
        begin_with(&t, CASES[i].lesson, true);
        press(&t, "~~~");
        assert_int_equal(t.player.phase, PHASE_ASK);
        press(&t, CASES[i].keys);
        if (strcmp(t.app.v.typed, CASES[i].typed) != 0 || (t.app.v.message[0] != '\0') != CASES[i].said)
            fail_msg("%s: '%s' is in the field, '%s' is said", CASES[i].keys, t.app.v.typed, t.app.v.message);
        assert_int_equal(t.player.phase, PHASE_ASK);
        assert_int_equal(t.app.v.show, SHOW_STEPPER);
        assert_int_equal(t.app.v.typing, TYPE_NOTHING);
        assert_false(t.app.quit);
        end(&t);
    }
    assert_int_equal(cases, 20);
}

static const char PICKING[] =
    "---\nid: picking\ntitle: Pick one\nminutes: 5\nobjectives:\n  - Pick a token\n---\n\n"
    "## One request {#one}\n\n```rxs one\ntokens words\npool 32\nrequest \"where do the small fish live\" answer=\"water\" label=fish\n"
    "```\n\n```ask pick-token who\ntext: Who lives?\nrequest: fish\nanswer: 4\nwrong: 0\n  why: That asks.\notherwise: No.\n"
    "right: Yes.\nhint: a\nhint: b\nhint: c\ndecides: matched @ one\n```\n\n## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* Draws, and gives the cell with the cursor. */
static uint32_t look(struct taking *t, struct surface *s)
{
    app_draw(&t->app, s);
    return surface_cell(s, s->cursor_x, s->cursor_y)->code;
}

static void press_at(struct taking *t, struct surface *s, const int *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        look(t, s);
        app_key(&t->app, keys[i]);
        app_settle(&t->app);
    }
}

/* A token is picked with the cursor on it, with the mouse, by the slot that holds its KV, or by its position. */
static void test_a_token_is_picked(void **state)
{
    static const int TO_QUESTION[] = {K_ENTER, K_ENTER, K_ENTER}, TAB[] = {K_TAB}, RIGHT[] = {K_RIGHT}, DOWN[] = {K_DOWN},
                     LEFT[] = {K_LEFT}, ENTER[] = {K_ENTER}, FOUR[] = {'4', K_ENTER};
    unsigned cases = 0;
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(SIZES); k++)
        for (int way = 0; way < 5; way++, cases++) {
            struct taking t;
            struct surface s;
            begin_with(&t, PICKING, way == 1);
            assert_int_equal(surface_init(&s, SIZES[k].w, SIZES[k].h, way == 1, NULL), 0);
            while (t.player.phase != PHASE_ASK)
                press_at(&t, &s, TO_QUESTION, 1);
            if (way == 0 || way == 1) { /* the cursor walks from token to token and stays within them */
                press_at(&t, &s, TAB, 1);
                press_at(&t, &s, LEFT, 1);
                for (uint32_t i = 0; i < 5; i++) {
                    assert_int_equal(look(&t, &s), '0' + i);
                    assert_int_equal(surface_cell(&s, s.cursor_x + 1, s.cursor_y)->code, ':');
                    press_at(&t, &s, way == 0 ? RIGHT : DOWN, 1);
                }
                press_at(&t, &s, RIGHT, 1);
                assert_int_equal(look(&t, &s), '5');
                press_at(&t, &s, LEFT, 1);
            } else if (way == 2) { /* the mouse */
                look(&t, &s);
                for (int x = 0, y = 0; y < SIZES[k].h && t.app.v.focus == FOCUS_NONE; x = (x + 1) % SIZES[k].w, y += x == 0)
                    if (surface_cell(&s, x, y)->code == '4' && x + 2 < SIZES[k].w && surface_cell(&s, x + 1, y)->code == ':')
                        app_click(&t.app, x + 2, y, SIZES[k].w, SIZES[k].h);
                assert_true(t.app.v.focus == FOCUS_TOKENS && t.app.v.token == 4);
            } else if (way == 3) { /* the slots, of which the first is position 0 */
                while (t.app.v.focus != FOCUS_SLOTS)
                    press_at(&t, &s, TAB, 1);
                for (int i = 0; i < 4; i++)
                    press_at(&t, &s, DOWN, 1);
            }
            press_at(&t, &s, way == 4 ? FOUR : ENTER, way == 4 ? 2 : 1);
            assert_int_equal(t.player.phase, PHASE_RIGHT);
            assert_int_equal(t.app.v.focus, FOCUS_NONE);
            surface_done(&s);
            end(&t);
        }
    assert_int_equal(cases, 5 * ARRAY_LEN(SIZES));
}

/* What a screen says after some keys, and what it does not. */
static const struct words_of_screen {
    const char *lesson, *keys;
    int w, h;
    const char *says, *never; /* never: NULL: nothing */
} WORDS[] = {
    /* a tree that the next action does not begin from is not shown as if it did */
    {LETTERS, "~~~", 60, 16, "From the part before; the next action begins anew", NULL},
    {LETTERS, "~~~", 100, 30, "From the part before; the next action begins anew", NULL},
    {LETTERS, "~~~", 120, 40, "From the part before: 3 nodes", "Radix tree"},
    {LETTERS, "~~~", 120, 40, "the part before; the next action begins anew", NULL},
    {LETTERS, "~~~B~", 80, 24, "From the part before", NULL},
    {LETTERS, "~~~A~", 80, 24, "Radix tree: 1 node", "From the part before"}, /* the deciding step is of the next one */
    {LETTERS, "~~~B~~", 80, 24, "Radix tree", "From the part before"},
    {LESSON, "~~~", 80, 24, "Radix tree", "From the part before"},
    /* an error is shown as a whole, and takes no key's place */
    {LESSON, "~~~3~~~~:lock me \"ab\"~", 60, 16, "insert match", NULL},
    {LESSON, "~~~3~~~~:lock me \"ab\"~", 80, 24, "lock is not allowed in this challenge; allowed: insert match", NULL},
    {LESSON, "~~~3~~~~:match work without any model and with too many words in it, so that the answer is long~", 80, 24, "R begin anew", "Up op before"},
    {LESSON, "~~~3~~~~:match work without any model and with too many words in it, so that the answer is long~", 120, 40, "R begin anew", "Up op before"},
    /* all of the tree where there is room, and a mark where there is not */
    {BUSHY, "~~~", 80, 24, "H  \"g\"", "more"},
    {BUSHY, "~~~", 60, 16, "8 tokens; +2 more", NULL},
    /* who gives up reads why */
    {LESSON, "~~~hhhh~", 80, 24, "The answer: 3. The step that decides it is shown.", "Hint 4"},
    {LESSON, "~~~hhhh~", 80, 24, "is split after", "answer: _"},
    {LESSON, "~~~s", 80, 24, "The answer: 3.", "answer: _"},
    {LESSON, "~~~s~", 80, 24, "match_prefix", "The answer"},
    {LESSON, "~~~ss", 80, 24, "match_prefix", "The answer"},
    /* how far a goal is reached */
    {LESSON, "~~~3~~~~", 80, 24, "Commands so far: 0", "Not yet"},
    {LESSON, "~~~3~~~~:insert \"ab\"~", 80, 24, "Not yet: nodes == 3 (now 1)", NULL},
    {LESSON, "~~~3~~~~:insert \"ab\"~:insert \"ac\"~", 80, 24, "Solved", "Not yet"},
    /* what the marks mean stands first in a lesson, and no key is chosen by chance */
    {LESSON, "~~~?", 60, 16, "marks", NULL},
    {LESSON, "~~~?", 80, 24, "prio: what the policy priority goes by", ">      "},
    {LESSON, "~~~?", 80, 24, "exact, at the top", NULL},
    {LESSON, "~~~?~", 80, 24, "answer: _", NULL},
    /* an answer does not run on from its prompt; one request runs, not "run" */
    {GIVEN, "~~", 120, 40, "nobody+true", "nobodytrue"},
    {GIVEN, "~>", 200, 50, "At most 1 request at a time", NULL},
    /* keys that do something here */
    {LESSON, "~~", 80, 24, "Left back", "Right step"},
    {LESSON, "~", 80, 24, "Right step", "Left back"},
    {LESSON, "~", 80, 24, "Down next op", NULL},
    {LESSON, "~~>", 80, 24, "Enter goes on", "q leaves"},
    {LESSON, "~~~>", 80, 24, "when the question is answered", "Enter goes on"},
    {LESSON, "~~~3~~~~:insert \"ab\"~", 80, 24, "Left back", "Right step"},
    {LESSON, "~~~3~~~~:insert \"ab\"~>", 80, 24, "type : and a command", "q leaves"},
    {LESSON, "~~~3~~~~:insert \"ab\"~:insert \"ac\"~", 80, 24, "R begin anew", NULL},
};

/* A title that does not fit ends with a whole word. */
static void test_long_title(void **state)
{
    static const struct { int w; const char *says; } CASES[] = {
        {60, " Holding very many different keys, while...   "}, {80, " Holding very many different keys, while somebody else evicts...  "},
        {100, " Holding very many different keys, while somebody else evicts everything  "},
    };
    char lesson[sizeof LETTERS + 100];
    const char *rest = strstr(LETTERS, "\nminutes");
    (void)state;
    snprintf(lesson, sizeof lesson, "---\nid: letters\ntitle: Holding very many different keys, while somebody else evicts everything%s", rest);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct taking t;
        struct surface s;
        struct buf b = {0};
        begin_with(&t, lesson, true);
        assert_int_equal(surface_init(&s, CASES[i].w, 24, true, NULL), 0);
        app_draw(&t.app, &s);
        surface_to_text(&s, &b);
        if (strncmp(buf_text(&b), CASES[i].says, strlen(CASES[i].says)) != 0)
            fail_msg("at %d: %.100s", CASES[i].w, buf_text(&b));
        buf_free(&b);
        surface_done(&s);
        end(&t);
    }
}

static void test_words(void **state)
{
    unsigned bad = 0, cases = 0;
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(WORDS); i++, cases++) {
        const struct words_of_screen *c = &WORDS[i / 2];
        struct taking t;
        struct surface s;
        struct buf b = {0};
        begin_with(&t, c->lesson, i % 2 == 1);
        assert_int_equal(surface_init(&s, c->w, c->h, i % 2 == 1, NULL), 0);
        for (const char *k = c->keys; *k != '\0'; k++) {
            app_draw(&t.app, &s);
            app_key(&t.app, *k == '~' ? K_ENTER : *k == '>' ? K_RIGHT : *k);
        }
        app_draw(&t.app, &s);
        surface_to_text(&s, &b);
        if (strstr(buf_text(&b), c->says) == NULL || (c->never != NULL && strstr(buf_text(&b), c->never) != NULL)) {
            print_error("after %s at %dx%d, %s but not %s:\n%s\n", c->keys, c->w, c->h, c->says, c->never != NULL ? c->never : "-",
                        buf_text(&b));
            bad++;
        }
        buf_free(&b);
        surface_done(&s);
        end(&t);
    }
    assert_int_equal(cases, 2 * ARRAY_LEN(WORDS));
    assert_int_equal(bad, 0);
}

static const char HOLDING[] =
    "---\nid: holding\ntitle: Hold\nminutes: 5\nobjectives:\n  - Hold a key\n---\n\n## Do {#do}\n\n"
    "```ask do golf\ntext: Keep only ab.\nstart:\n  tokens letters\n  pool 8\n  insert \"ab\"\n  insert \"cd\"\n"
    "allow: lock, unlock, evict\ngoal: used == 2 and protected == 0\npar: 3\nsolution:\n  lock me \"ab\"\n  evict 8\n  unlock me\n"
    "hint: a\nhint: b\nhint: c\n```\n\n## Cheat sheet {#sheet}\n\n- What to remember.\n";

/* What is typed at `:`, what is offered then; a Tab (|) completes. Only what the challenge allows is offered. */
static void test_commands_of_a_challenge(void **state)
{
    static const struct {
        const char *keys, *typed, *hint;
    } CASES[] = {
        {"", "", "lock unlock evict"},
        {"u", "u", "NAME - let go of what lock held under this name"},
        {"u|", "unlock ", "NAME - let go of what lock held under this name"},
        {"insert", "insert", "no such command in this challenge"},
        {"lock a \"b;c", "lock a \"b;c", "NAME TEXT - hold the nodes that match text; unlock by name"},
        {"lock a \"b\";", "lock a \"b\";", "lock unlock evict"},
        {"lock a b; ev|", "lock a b; evict ", "TOKENS - ask eviction to free this many slots"},
    };
    unsigned cases = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++, cases++) {
        struct taking t;
        begin_with(&t, HOLDING, true);
        press(&t, ":");
        press(&t, CASES[i].keys);
        assert_string_equal(t.app.v.typed, CASES[i].typed);
        assert_string_equal(t.app.v.hint, CASES[i].hint);
        end(&t);
    }
    assert_int_equal(cases, 7);
}

/* A line of several commands solves it; one that fails in its middle is shown as far as it ran, and says why. */
static void test_several_commands_on_a_line(void **state)
{
    struct taking t;
    (void)state;
    begin_with(&t, HOLDING, true);
    press(&t, ":lock me ab; unlock you; evict 8~");
    assert_int_equal(t.player.commands, 1);
    assert_int_equal(t.app.m.at, t.player.step);
    assert_non_null(strstr(t.app.v.message, "you"));
    press(&t, "R:lock me \"ab\"; evict 8; unlock me~");
    assert_int_equal(t.player.phase, PHASE_SOLVED);
    assert_int_equal(t.player.commands, 3);
    assert_int_equal(t.app.m.at, t.player.step);
    assert_string_equal(t.app.v.message, "");
    end(&t);
}

/* Commands that run for seconds: their engine is cancelled long before. */
#define LONG "workload shared-prefix requests=20000"
static const char SLOW[] =
    "---\nid: slow\ntitle: Slow\nminutes: 5\nobjectives:\n  - Wait for nothing\n---\n\n"
    "## One {#one}\n\n```rxs one\npool 4000\ninsert \"a b\"\n```\n\n"
    "## Challenge {#challenge}\n\n```ask do golf\ntext: Two nodes.\nstart:\n  pool 4000\n"
    "  workload shared-prefix requests=100\n  reset\nallow: insert, workload\ngoal: nodes == 2\npar: 2\nsolution:\n  insert \"a\"\n"
    "  insert \"b\"\nhint: a\nhint: b\nhint: c\n```\n\n## Cheat sheet {#sheet}\n\n- What to remember.\n";

static void type_line(struct taking *t, const char *line)
{
    app_key(&t->app, ':');
    for (const char *c = line; *c != '\0'; c++)
        app_key(&t->app, *c);
    app_key(&t->app, K_ENTER);
}

static bool shows(struct taking *t, int w, int h, const char *words)
{
    struct surface s;
    struct buf b = {0};
    assert_int_equal(surface_init(&s, w, h, false, NULL), 0);
    app_draw(&t->app, &s);
    assert_true(s.cursor_x >= 0 && s.cursor_x < w && s.cursor_y >= 0 && s.cursor_y < h);
    surface_to_text(&s, &b);
    surface_done(&s);
    bool found = strstr(buf_text(&b), words) != NULL;
    buf_free(&b);
    return found;
}

/* While an engine runs every key is answered, at every size; Esc cancels, nothing is counted, and what comes next runs. */
static void test_a_long_command(void **state)
{
    struct taking t;
    (void)state;
    begin_with(&t, SLOW, false);
    press(&t, "~~"); /* the block has been watched */
    for (int again = 0; again < 2; again++) {
        type_line(&t, LONG);
        assert_true(t.app.work.busy);
        for (size_t k = 0; k < ARRAY_LEN(SIZES); k++)
            assert_true(shows(&t, SIZES[k].w, SIZES[k].h, "workload runs, step "));
        static const int KEYS[] = {K_ENTER, K_RIGHT, 'u', ':', '?', K_TAB, K_PAGE_DOWN, 'i'};
        for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
            app_key(&t.app, KEYS[i]);
            assert_true(shows(&t, 80, 24, "Something is being computed: Esc cancels it."));
        }
        app_click(&t.app, 40, 10, 80, 24);
        app_tick(&t.app);
        app_wake(&t.app);
        assert_true(t.app.work.busy && app_idle(&t.app) && app_wake_fd(&t.app) >= 0);
        app_key(&t.app, K_ESC);
        assert_true(shows(&t, 80, 24, "It is being cancelled"));
        app_settle(&t.app);
        assert_non_null(strstr(t.app.v.message, "workload was cancelled"));
        assert_false(shows(&t, 80, 24, "workload runs"));
    }
    type_line(&t, "insert \"a c\"");
    app_settle(&t.app);
    assert_true(t.app.lesson.aside && t.app.m.at > 0);
    press(&t, "^");
    end(&t);
}

static void test_a_challenge_that_takes_its_time(void **state)
{
    struct taking t;
    (void)state;
    begin_with(&t, SLOW, false);
    for (int i = 0; i < 9 && !t.app.work.busy; i++) { /* to the challenge: its start runs */
        shows(&t, 100, 30, "");
        app_key(&t.app, K_ENTER);
    }
    assert_true(t.app.work.busy && shows(&t, 80, 24, "The challenge is being made."));
    app_key(&t.app, K_ESC);
    app_settle(&t.app);
    assert_int_equal(t.player.phase, PHASE_DO);
    assert_null(t.player.challenge);
    type_line(&t, "insert \"a\"");
    app_settle(&t.app);
    assert_non_null(strstr(t.app.v.message, "R makes it"));
    press(&t, "R");
    assert_non_null(t.player.challenge);
    type_line(&t, "insert \"a\"");
    app_settle(&t.app);
    assert_int_equal(t.player.commands, 1);
    type_line(&t, LONG);
    assert_true(t.app.work.busy);
    app_key(&t.app, K_ESC);
    app_settle(&t.app);
    assert_int_equal(t.player.commands, 1); /* it did not run to its end */
    type_line(&t, LONG); /* and who leaves does not wait for it */
    app_key(&t.app, 'q');
    assert_true(t.app.quit && t.app.work.busy);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_moment), cmocka_unit_test(test_typing), cmocka_unit_test(test_words), cmocka_unit_test(test_long_title),
                                       cmocka_unit_test(test_a_token_is_picked),
                                       cmocka_unit_test(test_commands_of_a_challenge),
                                       cmocka_unit_test(test_several_commands_on_a_line),
                                       cmocka_unit_test(test_a_long_command),
                                       cmocka_unit_test(test_a_challenge_that_takes_its_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
