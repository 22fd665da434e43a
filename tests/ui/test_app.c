/* Keys and what comes by itself, without a terminal: moving in time, waiting for a run that still goes on,
 * playing, choosing, unknown keys, and 100,000 random keys with resizes in between. */
#include "tests/ui/inside.h"
#include "tests/ui/scene.h"

#include <unistd.h>

#include "base/file.h"
#include "base/prng.h"
#include "base/xalloc.h"
#include "tape/check.h"
#include "tape/why.h"
#include "ui/app_parts.h"
#include "ui/command.h"
#include "ui/prefs.h"

static const struct ui_options OPTIONS = {.theme = "default"};

static void open_app(struct app *a, struct stage *g)
{
    assert_int_equal(app_init(a, &g->feed, &OPTIONS, NULL), 0);
}

static void keys(struct app *a, const int *key, size_t n)
{
    for (size_t i = 0; i < n; i++)
        app_key(a, key[i]);
}

#define PRESS(a, ...) keys((a), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static const char *kind_here(const struct app *a)
{
    return event_info(a->m.step.kind)->name;
}

static void moving(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    scene_three(&g);
    open_app(&a, &g);
    uint32_t length = tape_length(g.t, 0);
    assert_int_equal(a.m.at, 1); /* opens at the first step, with no text field in the way */
    assert_int_equal(a.v.focus, FOCUS_NONE);
    PRESS(&a, K_LEFT);
    assert_int_equal(a.m.at, 1);
    assert_non_null(strstr(a.v.message, "first step"));
    PRESS(&a, K_RIGHT, K_RIGHT, K_LEFT);
    assert_int_equal(a.m.at, 2);
    assert_string_equal(a.v.message, "");
    PRESS(&a, K_DOWN);
    assert_string_equal(kind_here(&a), "match_prefix");
    PRESS(&a, K_DOWN);
    assert_string_equal(kind_here(&a), "alloc");
    PRESS(&a, K_UP);
    assert_string_equal(kind_here(&a), "match_prefix");
    PRESS(&a, ']');
    assert_string_equal(kind_here(&a), "request");
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 2);
    PRESS(&a, K_RIGHT, '[');
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 2);
    PRESS(&a, '[');
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 1);
    PRESS(&a, ']', ']', ']');
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 3);
    assert_non_null(strstr(a.v.message, "no later request"));
    PRESS(&a, K_END);
    assert_int_equal(a.m.at, length);
    PRESS(&a, K_RIGHT);
    assert_int_equal(a.m.at, length);
    assert_non_null(strstr(a.v.message, "last step"));
    PRESS(&a, K_HOME);
    assert_int_equal(a.m.at, 1);
    PRESS(&a, '3', ']');
    assert_string_equal(kind_here(&a), "request");
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 3);
    PRESS(&a, '4', ']');
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 3);
    assert_non_null(strstr(a.v.message, "no request 4"));
    PRESS(&a, '1', ']');
    assert_int_equal(a.m.sc.w->request[a.m.request].rid, 1);
    PRESS(&a, '5', '3', 'G');
    assert_int_equal(a.m.at, 53);
    PRESS(&a, '9', '9', '9', '9', 'G');
    assert_int_equal(a.m.at, 53);
    assert_non_null(strstr(a.v.message, "There are"));
    PRESS(&a, 'G');
    assert_int_equal(a.m.at, length);
    assert_false(a.quit);
    PRESS(&a, 'q');
    assert_true(a.quit);
    assert_int_equal(a.exit_code, 0);
    app_done(&a);
    stage_close(&g);
}

static void playing(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    scene_three(&g);
    open_app(&a, &g);
    app_tick(&a);
    assert_int_equal(a.m.at, 1); /* not yet */
    PRESS(&a, ' ');
    app_tick(&a);
    PRESS(&a, '+'); /* while playing */
    app_tick(&a);
    assert_true(a.v.playing);
    assert_int_equal(a.m.at, 3);
    assert_int_equal(a.v.speed, VIEW_SPEED_START + 1);
    for (int i = 0; i < 20; i++)
        PRESS(&a, '-');
    assert_int_equal(a.v.speed, 0);
    for (int i = 0; i < 20; i++)
        PRESS(&a, '+');
    assert_int_equal(a.v.speed, VIEW_SPEEDS - 1);
    for (uint32_t i = 0; i < tape_length(g.t, 0); i++)
        app_tick(&a);
    assert_false(a.v.playing); /* stops at the end */
    assert_int_equal(a.m.at, tape_length(g.t, 0));
    app_done(&a);
    stage_close(&g);
}

static void unknown_keys(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    int tried = 0;
    scene_three(&g);
    open_app(&a, &g);
    app_goto(&a, 20);
    struct view before = a.v;
    for (int key = 1; key < 0x250; key++) {
        if (command_of(key) != CMD_NONE || (key >= '0' && key <= '9'))
            continue;
        app_key(&a, key);
        assert_true(a.v.message[0] != '\0');
        assert_true(memchr(a.v.message, '\n', sizeof a.v.message) == NULL);
        memcpy(a.v.message, before.message, sizeof a.v.message);
        assert_memory_equal(&a.v, &before, sizeof before);
        assert_int_equal(a.m.at, 20);
        tried++;
    }
    assert_true(tried > 500);
    app_done(&a);
    stage_close(&g);
}

/* No key has two commands, and every command has a line of help. */
static void command_table(void **state)
{
    (void)state;
    for (int c = 0; c < CMD_COUNT; c++) {
        const struct command_info *i = command_info((enum command)c);
        assert_int_equal(command_of(i->key), c);
        assert_true(i->other == 0 || command_of(i->other) == (enum command)c);
        assert_true(strlen(i->help) > 5 && strlen(i->written) > 0 && strlen(i->brief) > 0);
    }
}

/* docs/keys.md lists every key as the program does. */
static void keys_in_docs(void **state)
{
    (void)state;
    char *doc;
    size_t len;
    int found = 0;
    assert_int_equal(file_read("docs/keys.md", 1 << 20, &doc, &len, NULL), 0);
    for (int c = 0; c < CMD_COUNT; c++) {
        const struct command_info *i = command_info((enum command)c);
        char row[256];
        snprintf(row, sizeof row, "| `%s` | %s |", i->written, i->help);
        char name[24], quoted[28];
        command_name((enum command)c, name);
        snprintf(quoted, sizeof quoted, "`%s`", name);
        if (strstr(doc, row) == NULL || strstr(doc, quoted) == NULL)
            print_error("docs/keys.md lacks: %s or %s\n", row, quoted);
        else
            found++;
    }
    xfree(doc);
    assert_int_equal(found, CMD_COUNT);
}

/* ---- views into the model --------------------------------------------------------------------------- */

static void go_to_kind(struct app *a, struct stage *g, unsigned kind, int nth)
{
    uint32_t n = 0;
    while (nth-- > 0)
        n = tape_find_kind(g->t, 0, n, 1, (int)kind);
    assert_true(n > 0);
    app_goto(a, n);
}

static const char *list_find(struct app *a, const char *what)
{
    const struct list *l = app_list(a);
    for (int i = 0; i < l->n; i++)
        if (strstr(list_text(l, i), what) != NULL)
            return list_text(l, i);
    fail_msg("no line says %s", what);
    return NULL;
}

static void inside_the_model(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    double done = 0.25;
    scene_inside(&g);
    g.feed.evidence = inside_evidence(&done);
    open_app(&a, &g);
    go_to_kind(&a, &g, EV_KV_WRITE, 6);
    uint32_t at = a.m.at;
    PRESS(&a, 'M', K_DOWN, K_DOWN, K_DOWN, K_DOWN, K_DOWN, K_UP, K_ENTER); /* layers 0 to 3 */
    assert_int_equal(a.v.show, SHOW_ATTENTION);
    assert_int_equal(a.v.look.layer, 2);
    app_list(&a);
    assert_int_equal(a.v.look.query, a.insight.pass.n - 1);
    PRESS(&a, '.', '.', '.', '.', '.', ',', '}', '}', '{', K_UP, ')', ')', '(');
    app_list(&a);
    assert_int_equal(a.v.look.head, 2);
    assert_int_equal(a.v.look.layer, 2);
    assert_int_equal(a.v.look.query, a.insight.pass.n - 2);
    assert_int_equal(a.v.look.key, 1);
    for (int i = 0; i < 40; i++)
        PRESS(&a, K_UP);
    assert_int_equal(a.v.look.query, a.insight.pass.from); /* those before it ran in other passes */
    assert_int_equal(a.m.at, at);
    PRESS(&a, K_RIGHT);
    assert_int_equal(a.m.at, at + 1); /* time goes on as ever */
    PRESS(&a, K_LEFT, K_ESC, '=');
    assert_int_equal(a.v.show, SHOW_PROOF);
    list_find(&a, "25 %");
    done = 0.75;
    app_look(&a);
    list_find(&a, "75 %");
    done = 1;
    app_look(&a);
    list_find(&a, "first differing bit: none");
    PRESS(&a, '=');
    list_find(&a, "in layer 1, at position 30");
    done = 0; /* a new question behind one that was answered: drawn once while it waits */
    PRESS(&a, '=');
    list_find(&a, "0 %");
    done = 1;
    app_look(&a);
    list_find(&a, "first differing bit: none");
    PRESS(&a, K_ESC, 'P');
    list_find(&a, "1 of 2 requests read it");
    PRESS(&a, K_DOWN, K_ENTER);
    assert_int_equal(a.v.show, SHOW_STEPPER);
    assert_int_equal(a.m.at, 50); /* where the answer says that request 2 began */
    PRESS(&a, K_ESC, '{');
    assert_non_null(strstr(a.v.message, "M, A, K"));
    app_done(&a);
    stage_close(&g);
}

/* The lens says the floats' bits as the rows have them, for every slot of the tree. */
static void lens_shows_the_bits(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    uint32_t slots = 0, floats = 0;
    scene_inside(&g);
    open_app(&a, &g);
    PRESS(&a, K_END, K_TAB);
    a.v.node = a.m.sc.w->node[ROOT].first_child;
    PRESS(&a, 'K', '}', '.', '.');
    for (uint32_t last = 0; last != a.v.look.slot; slots++) {
        uint32_t row = kv_row(a.m.sc.w, a.v.look.slot);
        last = a.v.look.slot;
        for (int d = 0; d < INSIDE_DIM; d++, floats++) {
            char want[32];
            uint32_t bits[2];
            memcpy(&bits[0], inside_row(NULL, row, 1, ROW_K) + INSIDE_DIM + d, 4); /* head 2 reads KV head 1 */
            memcpy(&bits[1], inside_row(NULL, row, 1, ROW_V) + INSIDE_DIM + d, 4);
            snprintf(want, sizeof want, "  %08x", bits[0]);
            assert_non_null(strstr(list_find(&a, want), want));
            snprintf(want, sizeof want, "  %08x", bits[1]);
            list_find(&a, want);
        }
        PRESS(&a, ')');
    }
    assert_true(slots > 20 && floats > 150);
    app_done(&a);
    stage_close(&g);
}

/* ---- looking for steps and reasons ------------------------------------------------------------------ */

static void type(struct app *a, const char *text)
{
    for (; *text != '\0'; text++)
        app_key(a, (unsigned char)*text);
}

static void finding(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    scene_evict(&g);
    open_app(&a, &g);
    PRESS(&a, 'n');
    assert_non_null(strstr(a.v.message, "Type /"));
    type(&a, "/SPLIT");
    assert_true(a.v.typing == TYPE_FIND && !a.quit);
    PRESS(&a, K_ENTER);
    assert_string_equal(kind_here(&a), "split_node");
    uint32_t first = a.m.at;
    PRESS(&a, 'n');
    assert_string_equal(kind_here(&a), "split_node");
    uint32_t second = a.m.at;
    assert_true(second > first);
    PRESS(&a, 'N');
    assert_int_equal(a.m.at, first);
    PRESS(&a, 'N');
    assert_int_equal(a.m.at, first);
    assert_non_null(strstr(a.v.message, "No step before"));
    PRESS(&a, K_BACKSPACE); /* each jump can be undone */
    assert_int_equal(a.m.at, second);
    PRESS(&a, K_BACKSPACE, K_BACKSPACE);
    assert_int_equal(a.m.at, 1);
    PRESS(&a, K_BACKSPACE);
    assert_non_null(strstr(a.v.message, "no jump"));
    type(&a, "/qqx"); /* q in a text field is a letter */
    PRESS(&a, K_BACKSPACE);
    assert_string_equal(a.v.typed, "qq");
    PRESS(&a, K_ESC);
    assert_true(a.v.typing == TYPE_NOTHING && !a.quit);
    type(&a, "/(D)\r");
    struct buf b = {0};
    event_sentence(a.m.sc, &g.feed.words.said, a.m.step.kind, a.m.step.arg, &b);
    assert_non_null(strstr(buf_text(&b), "(D)"));
    buf_free(&b);
    app_done(&a);
    stage_close(&g);
}

/* The name of an event finds that event, though sentences before it hold the word; behind the last one, the text again. */
static void an_event_by_its_name(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    scene_evict(&g);
    open_app(&a, &g);
    type(&a, "/evict\r");
    uint32_t want = tape_find_kind(g.t, 0, 1, 1, EV_EVICT);
    assert_int_not_equal(want, 0);
    assert_int_equal(a.m.at, want);
    app_goto(&a, 1);
    type(&a, "/insert\r");
    assert_string_equal(kind_here(&a), "insert");
    assert_int_equal(a.m.at, tape_find_kind(g.t, 0, 1, 1, EV_INSERT));
    for (uint32_t next; (next = tape_find_kind(g.t, 0, a.m.at, 1, EV_INSERT)) != 0;) {
        PRESS(&a, 'n');
        assert_int_equal(a.m.at, next);
    }
    app_done(&a);
    stage_close(&g);
}

/* Filters find what they say and nothing else: from the first step on, every step that fits, by hand. */
static void filters(void **state)
{
    (void)state;
    static const char *const FILTERS[] = {"kind:evict_node", "slot:3", "request:2", "node:2", "token:the"};
    struct stage g;
    struct app a;
    scene_evict(&g);
    open_app(&a, &g);
    for (size_t i = 0; i < ARRAY_LEN(FILTERS); i++) {
        uint32_t found = 0, last = 1, wanted = 0;
        app_goto(&a, 1);
        app_key(&a, '/');
        type(&a, FILTERS[i]);
        for (app_key(&a, K_ENTER); a.m.at > last && found < 1000; app_key(&a, 'n'), found++) {
            last = a.m.at;
            struct step s = a.m.step;
            bool named = false;
            for (int k = 0; k < s.nargs; k++)
                named = named || (event_arg_type(s.kind, k) == 'n' && s.arg[k] != 0 && a.m.sc.w->node[s.arg[k]].id == 2);
            assert_true(i != 0 || s.kind == EV_VICTIM);
            assert_true(i != 2 || a.m.sc.w->request[event_about(s.kind, s.arg, 'r')].rid == 2);
            assert_true(i != 3 || named);
        }
        for (uint32_t n = 1; i == 1 && (n = watch_find(g.t, 0, n, 1, WATCH_SLOT, 3)) != 0;)
            wanted++;
        for (uint32_t n = 1; i == 0 && (n = tape_find_kind(g.t, 0, n, 1, EV_VICTIM)) != 0;)
            wanted++;
        assert_true(i > 1 || found == wanted);
        if (found == 0)
            fail_msg("%s finds nothing", FILTERS[i]);
        assert_int_equal(a.cursor.at, a.m.at);
    }
    app_done(&a);
    stage_close(&g);
}

static void reasons(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    scene_evict(&g);
    open_app(&a, &g);
    type(&a, "/evict_node\r");
    uint32_t victim = a.m.at, node = a.m.step.arg[0];
    PRESS(&a, 'w');
    assert_int_equal(a.v.show, SHOW_WHY);
    int leads = 0;
    for (int i = 0; i < 12; i++) { /* every line that can be chosen leads somewhere, and back */
        int line = a.v.line;
        PRESS(&a, K_ENTER);
        assert_int_equal(a.v.show, SHOW_STEPPER);
        leads += a.m.at != victim;
        while (a.m.at != victim)
            PRESS(&a, K_BACKSPACE);
        PRESS(&a, 'w');
        for (int k = 0; k < i + 1; k++)
            PRESS(&a, K_DOWN);
        if (a.v.line == line)
            break;
    }
    assert_true(leads >= 3);
    PRESS(&a, K_ESC, '<'); /* who touched the victim before it went? */
    assert_true(a.m.at < victim);
    PRESS(&a, K_BACKSPACE, K_TAB);
    assert_int_equal(a.v.focus, FOCUS_TREE);
    assert_int_not_equal(a.v.node, node); /* it is gone */
    PRESS(&a, K_TAB, '<');
    assert_int_equal(a.v.focus, FOCUS_SLOTS);
    assert_non_null(strstr(a.v.message, "slot 1"));
    PRESS(&a, 'i');
    assert_int_equal(a.v.show, SHOW_INVARIANTS);
    PRESS(&a, K_END, 'l'); /* time moves under an open view */
    assert_int_equal(a.v.show, SHOW_LOG);
    assert_int_equal(a.m.at, tape_length(g.t, 0));
    PRESS(&a, K_UP, K_UP, 'l');
    assert_int_equal(a.m.at, tape_length(g.t, 0) - 2);
    app_done(&a);
    stage_close(&g);
}

static bool list_says(const struct list *l, const char *text, uint32_t step)
{
    for (int i = 0; i < l->n; i++)
        if (l->line[i].step == step && strstr(list_text(l, i), text) != NULL)
            return true;
    return false;
}

/* `w` at any step says something that can be gone to; at ordinary ones whose operation it is and why. */
static void reasons_everywhere(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_typed};
    uint32_t asked = 0;
    for (size_t k = 0; k < ARRAY_LEN(scenes); k++) {
        struct stage g;
        struct app a;
        scenes[k](&g);
        open_app(&a, &g);
        for (uint32_t n = 1; n <= tape_length(g.t, 0); n++, asked++) {
            app_goto(&a, n);
            PRESS(&a, 'w');
            int jumps = 0;
            for (int i = 0; i < app_list(&a)->n; i++)
                jumps += app_list(&a)->line[i].step != 0;
            if (jumps == 0)
                print_error("step %u (%s) has no reason\n", n, kind_here(&a));
            assert_true(jumps > 0);
            assert_int_equal(a.cursor.at, n);
            PRESS(&a, 'w');
        }
        app_done(&a);
        stage_close(&g);
    }
    assert_true(asked > 400);
    struct stage g;
    struct app a;
    scene_typed(&g);
    open_app(&a, &g);
    uint32_t take = tape_find_kind(g.t, 0, 20, 1, EV_TAKE);
    app_goto(&a, take);
    PRESS(&a, 'w');
    assert_true(list_says(app_list(&a), "needs 8 new slots", tape_find_kind(g.t, 0, take, -1, EV_ALLOC)));
    assert_true(list_says(app_list(&a), "key \"a b c", tape_find_kind(g.t, 0, take, -1, EV_MATCH)));
    app_done(&a);
    stage_close(&g);
}

/* The command of a typed key is about that key from its look-up to its end, and about nothing before. */
static void typed_keys(void **state)
{
    (void)state;
    static const struct {
        const char *event;
        int nth;
        enum key_state state;
        uint32_t found, fresh, of;
    } CASES[] = {
        {"match_prefix", 2, KEY_LOOKING, 0, 0, 4}, {"split_node", 1, KEY_LOOKING, 2, 0, 4},
        {"matched", 2, KEY_LOOKED, 2, 0, 4},       {"alloc", 2, KEY_NEEDS, 2, 0, 4},
        {"take", 2, KEY_TAKEN, 2, 2, 4},           {"insert", 2, KEY_TAKEN, 2, 2, 4},
        {"new_leaf", 2, KEY_IN, 2, 2, 4},          {"inserted", 2, KEY_IN, 2, 2, 4},
        {"evict", 1, KEY_NEEDS, 0, 0, 8},          {"evict_node", 1, KEY_NEEDS, 0, 0, 8},
        {"alloc_fail", 1, KEY_FAILED, 0, 0, 14},
    };
    struct stage g;
    struct app a;
    size_t cases = 0;
    scene_typed(&g);
    open_app(&a, &g);
    assert_int_equal(a.m.key.begin, 0); /* "start" is about no key */
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++, cases++) {
        uint32_t at = 0;
        for (int n = 0; n < CASES[i].nth; n++)
            at = tape_find_kind(g.t, 0, at, 1, event_find(CASES[i].event));
        app_goto(&a, at);
        assert_true(a.m.key.begin > 0 && a.m.key.begin <= at);
        assert_int_equal(a.m.key.state, CASES[i].state);
        assert_int_equal(a.m.key.found, CASES[i].found);
        assert_int_equal(moment_key_new(&a.m), CASES[i].fresh);
        assert_int_equal(a.m.key.of, CASES[i].of);
    }
    assert_int_equal(cases, ARRAY_LEN(CASES));
    app_done(&a);
    stage_close(&g);
    scene_three(&g); /* requests have keys of their own: this pane is theirs */
    open_app(&a, &g);
    for (uint32_t n = 1; n <= tape_length(g.t, 0); n++) {
        app_goto(&a, n);
        assert_int_equal(a.m.key.begin, 0);
    }
    app_done(&a);
    stage_close(&g);
}

/* Clicks meet what is drawn under them: compared with the surface itself. */
static void clicking(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct surface s;
    int nodes = 0, slots = 0, steps = 0;
    scene_evict(&g);
    open_app(&a, &g);
    assert_int_equal(surface_init(&s, 80, 24, false, NULL), 0);
    for (int y = 0; y < 24; y++) {
        for (int x = 0; x < 80; x++) {
            a.v.focus = FOCUS_NONE;
            app_goto(&a, 150);
            app_draw(&a, &s);
            uint32_t code = surface_cell(&s, x, y)->code;
            app_click(&a, x, y, 80, 24);
            bool margin = x < 4 || x > 14; /* letters stand left of the texts, which hold letters too */
            if (a.v.focus == FOCUS_TREE && !margin &&
                code == (uint32_t)(unsigned char)node_letter(a.m.sc.w, a.v.node))
                nodes++;
            if (a.v.focus == FOCUS_SLOTS) {
                unsigned style;
                uint32_t drawn =
                    (uint32_t)(unsigned char)view_owner_letter(a.m.sc.w, a.m.owner[a.v.slot], &style);
                assert_true(code == drawn || (drawn == '.' && code == 0xb7));
                slots++;
            }
            steps += a.m.at != 150;
        }
    }
    assert_int_equal(nodes, a.m.sc.w->head.node_count - 1); /* each letter that is drawn chooses its node */
    assert_int_equal(slots, 64);
    assert_true(steps > 40);
    surface_done(&s);
    app_done(&a);
    stage_close(&g);
}

/* Pressed on the timeline and moved: the step under the mouse, wherever the hand goes; pressed elsewhere, or let go: none. */
static void dragging(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct surface s;
    size_t moved = 0;
    scene_evict(&g);
    open_app(&a, &g);
    assert_int_equal(surface_init(&s, 80, 24, false, NULL), 0);
    app_goto(&a, 40);
    app_draw(&a, &s);
    struct layout l = layout_make(80, 24, 64, 1, false);
    app_drag(&a, l.time.x + 20, l.time.y, 80, 24);
    assert_int_equal(a.m.at, 40); /* nothing was pressed */
    app_click(&a, l.tree.x + 4, l.tree.y + 2, 80, 24);
    app_drag(&a, l.time.x + 20, l.time.y, 80, 24);
    assert_int_equal(a.m.at, 40);
    app_click(&a, l.time.x + 10, l.time.y, 80, 24);
    uint32_t pressed = a.m.at;
    for (int x = -3; x < 90; x++) {
        uint32_t was = a.m.at;
        app_drag(&a, x, x % 24, 80, 24); /* any line */
        assert_true(x <= -3 || a.m.at >= was);
        app_draw(&a, &s);
        bool on = x >= l.time.x && x < l.time.x + l.time.w && surface_cell(&s, x, l.time.y)->code == '@';
        moved += on;
    }
    assert_int_equal(a.m.at, tape_length(g.t, 0)); /* beyond the end is the end */
    assert_true(moved > 40);                        /* the mark follows the mouse */
    app_drag(&a, -5, 0, 80, 24);
    assert_int_equal(a.m.at, 1);
    app_key(&a, K_RELEASE);
    app_drag(&a, 60, l.time.y, 80, 24);
    assert_int_equal(a.m.at, 1);
    app_key(&a, K_BACKSPACE); /* one jump, however long it was dragged */
    assert_int_equal(a.m.at, 40);
    assert_true(pressed != 40);
    surface_done(&s);
    app_done(&a);
    stage_close(&g);
}

/* O and U from every step, against a walk over the depths of all steps. */
static void out_of_here(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_typed};
    size_t looked = 0;
    for (size_t k = 0; k < ARRAY_LEN(scenes); k++) {
        struct stage g;
        struct app a;
        scenes[k](&g);
        open_app(&a, &g);
        uint32_t length = tape_length(g.t, 0);
        struct step s;
        for (uint32_t n = 1; n <= length; n++, looked++) {
            uint32_t op = n, request; /* the last steps before the next operation, and before the next request */
            while (op < length && (tape_step(g.t, 0, op + 1, &s), s.depth > DEPTH_OPERATION))
                op++;
            for (request = op; request < length && (tape_step(g.t, 0, request + 1, &s), s.depth > DEPTH_REQUEST);)
                request++;
            app_goto(&a, n);
            PRESS(&a, 'O');
            assert_int_equal(a.m.at, op > n ? op : request > n ? request : a.m.at);
            assert_true(a.m.at > n || n == length);
            app_goto(&a, n);
            uint32_t begin = a.m.op_at;
            PRESS(&a, 'U');
            tape_step(g.t, 0, a.m.at, &s);
            assert_true(begin > 0 && begin < n ? a.m.at == begin : a.m.at == 1 || s.depth == DEPTH_REQUEST);
            assert_true(a.m.at < n || n == 1);
        }
        int presses = 0;
        for (app_goto(&a, 1); a.m.at < length; presses++)
            PRESS(&a, 'O');
        for (; a.m.at > 1; presses++)
            PRESS(&a, 'U');
        assert_true(presses < (int)length);
        PRESS(&a, 'U');
        assert_non_null(strstr(a.v.message, "first step"));
        app_done(&a);
        stage_close(&g);
    }
    assert_true(looked > 300);
}

/* Every row of the outline is reached once, downwards and upwards, in every order, folded or not. */
static void outlines(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    int walks = 0;
    scene_fan(&g, 40);
    open_app(&a, &g);
    app_goto(&a, tape_length(g.t, 0) - 3);
    uint32_t trunk = a.m.sc.w->node[ROOT].first_child;
    for (int order = 0; order < ORDER_COUNT; order++) {
        for (int folded = 0; folded < 2; folded++, walks++) {
            struct outline o = {
                .m = &a.m, .chosen = ROOT, .order = (enum order)order, .folded = &trunk, .folds = folded};
            struct row down[400], at = {ROW_NODE, ROOT};
            int n = 0;
            for (; at.kind != ROW_NONE; at = rows_next(&o, at)) {
                assert_true(n < 400);
                down[n++] = at;
            }
            assert_int_equal(rows_last(&o, down[n - 1]), true);
            for (int i = n - 1; i >= 0; i--) {
                struct row up = rows_prev(&o, down[i]);
                assert_int_equal(up.kind, i > 0 ? down[i - 1].kind : ROW_NONE);
                assert_true(i == 0 || up.node == down[i - 1].node);
            }
            assert_true(folded ? n == 2 : n > 15 && n < 80);
        }
    }
    assert_int_equal(walks, 8);
    PRESS(&a, 'f');
    app_goto(&a, 1); /* the node does not exist there: its fold is remembered, and does no harm */
    app_goto(&a, tape_length(g.t, 0));
    assert_int_equal(a.v.folds, 1);
    app_done(&a);
    stage_close(&g);
}

/* Preferences: what is said counts, what is wrong is named with its line, and nothing else is lost. */
static void preferences(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
        const char *theme;
        int speed;
        bool ascii, mouse, projector;
    } CASES[] = {
        {"", NULL, "", -1, false, false, false},
        {"# nothing\n\n   \n", NULL, "", -1, false, false, false},
        {"theme = dark\nspeed=4 # fast\n ascii = on\r\nmouse\t=\ton\nprojector = on", NULL, "dark", 3, true, true, true},
        {"speed = 0.1\n", NULL, "", 0, false, false, false},
        {"speed = 99999\n", NULL, "", VIEW_SPEEDS - 1, false, false, false},
        {"theme = dark\ncolour = red\nmouse = on", "c:2:", "dark", -1, false, true, false},
        {"mouse = yes\nascii = on", "c:1:", "", -1, true, false, false},
        {"theme = pink", "c:1:", "", -1, false, false, false},
        {"speed = fast", "c:1:", "", -1, false, false, false},
        {"speed = nan", "c:1:", "", -1, false, false, false},
        {"speed =", "c:1:", "", -1, false, false, false},
        {"\n\ndark", "c:3:", "", -1, false, false, false},
    };
    size_t cases = 0;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++, cases++) {
        struct prefs c;
        struct err e = {0};
        int rc = prefs_parse("c", CASES[i].text, strlen(CASES[i].text), &c, &e);
        assert_int_equal(rc, CASES[i].error != NULL ? -1 : 0);
        assert_int_equal(e.set, CASES[i].error != NULL);
        assert_true(CASES[i].error == NULL || strncmp(e.what, CASES[i].error, strlen(CASES[i].error)) == 0);
        assert_string_equal(c.theme, CASES[i].theme);
        assert_int_equal(c.speed, CASES[i].speed);
        assert_true(c.ascii == CASES[i].ascii && c.mouse == CASES[i].mouse && c.projector == CASES[i].projector);
    }
    char line[600]; /* longer than a line may be, and bytes of every kind */
    for (size_t i = 0; i < sizeof line; i++)
        line[i] = (char)(i * 7);
    struct prefs c;
    struct err e = {0};
    assert_int_equal(prefs_parse("c", line, sizeof line, &c, &e), -1);
    assert_int_equal(cases, ARRAY_LEN(CASES));
}

/* Keys bound anew: commands may change places, not share a key; a mistake is named with its line. */
static void bound_keys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
        int key;
        enum command command;
    } CASES[] = {
        {"key.fold = ^", NULL, '^', CMD_FOLD},
        {"key.fold = ^", NULL, 'f', CMD_NONE},
        {"key.fold = o\nkey.order = f", NULL, 'o', CMD_FOLD},
        {"key.play = PageDown", NULL, K_PAGE_DOWN, CMD_PLAY},
        {"key.next-op = j # as in vi\nkey.prev-op = _", NULL, '_', CMD_PREV_OP},
        {"key.numbers = f\nkey.fold = # # a comment", NULL, '#', CMD_FOLD},
        {"key.play = Space", NULL, ' ', CMD_PLAY},
        {"\nkey.fold = q", "c:2: the key q would be both", 'q', CMD_QUIT},
        {"key.fold = ~\nkey.order = ~", "c:2: the key ~ would be both", 'f', CMD_FOLD},
        {"key.flod = ^", "c:1: there is no command 'flod'", 'f', CMD_FOLD},
        {"key.fold = 7", "c:1: this is no key: '7'", 'f', CMD_FOLD},
        {"key.fold = ^F", "c:1: this is no key", 'f', CMD_FOLD},
        {"key.fold =", "c:1: this is no key", 'f', CMD_FOLD},
        {"key.order = \xc3\xa9", NULL, 0xe9, CMD_ORDER},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct prefs c;
        struct err e = {0};
        int rc = prefs_parse("c", CASES[i].text, strlen(CASES[i].text), &c, &e);
        if (rc != (CASES[i].error != NULL ? -1 : 0))
            fail_msg("%s: %s", CASES[i].text, e.what);
        if (CASES[i].error != NULL)
            assert_non_null(strstr(e.what, CASES[i].error));
        assert_int_equal(keymap_command(&c.keys, CASES[i].key), CASES[i].command);
        enum command a, b;
        assert_false(keymap_conflict(&c.keys, &a, &b));
    }
    for (int i = 0; i < CMD_COUNT; i++) { /* every command has a name, and docs/keys.md does not lie about it */
        char name[24];
        command_name((enum command)i, name);
        assert_int_equal(command_named(name), i);
    }
    struct stage g;
    struct app a;
    struct surface s;
    struct buf b = {0};
    scene_three(&g);
    open_app(&a, &g);
    a.v.keys = &a.keys;
    a.keys.key[CMD_STEP] = '~';
    snprintf(a.keys.written[CMD_STEP], sizeof a.keys.written[CMD_STEP], "~");
    PRESS(&a, '~', '~');
    assert_int_equal(a.m.at, 3);
    PRESS(&a, K_RIGHT);
    assert_int_equal(a.m.at, 3);
    PRESS(&a, K_DOWN);
    assert_int_equal(surface_init(&s, 80, 24, true, NULL), 0);
    app_draw(&a, &s);
    surface_to_text(&s, &b);
    assert_non_null(strstr(buf_text(&b), "~ step")); /* the footer, */
    buf_clear(&b);
    PRESS(&a, '?');
    app_draw(&a, &s);
    surface_to_text(&s, &b);
    assert_non_null(strstr(buf_text(&b), "~  one step forward")); /* and the help say what is bound */
    buf_free(&b);
    surface_done(&s);
    app_done(&a);
    stage_close(&g);
}

/* The screen as files, and a folder that cannot be written. */
static void saving(void **state)
{
    (void)state;
    static const char *const ENDS[] = {"txt", "ansi", "svg", "cast"};
    static const char *const HOLDS[] = {"Radix tree: ", "\033[0;1m", "<svg ", "\"m\",\"53 split_node\"]"};
    struct stage g;
    struct app a;
    struct surface s;
    char path[64], *bytes;
    size_t len, written = 0;
    scene_three(&g);
    open_app(&a, &g);
    app_goto(&a, 53);
    assert_int_equal(surface_init(&s, 80, 24, false, NULL), 0);
    app_draw(&a, &s);
    for (size_t i = 0; i < 4; i++, written++) {
        snprintf(path, sizeof path, "/tmp/radixscope-test-%d.%s", (int)getpid(), ENDS[i]);
        PRESS(&a, 'x');
        for (int k = 0; k < 40; k++)
            PRESS(&a, K_BACKSPACE);
        type(&a, path);
        PRESS(&a, K_ENTER);
        assert_non_null(strstr(a.v.message, "Written"));
        assert_int_equal(file_read(path, 1 << 22, &bytes, &len, NULL), 0);
        assert_non_null(strstr(bytes, HOLDS[i]));
        assert_null(strstr(bytes, "save as")); /* not the text field itself */
        xfree(bytes);
        remove(path);
    }
    assert_int_equal(written, 4);
    assert_int_equal(a.m.at, 53); /* writing a run moves nobody */
    PRESS(&a, 'x');
    for (int k = 0; k < 40; k++)
        PRESS(&a, K_BACKSPACE);
    type(&a, "/no/such/folder/screen.txt\r");
    assert_non_null(strstr(a.v.message, "/no/such/folder"));
    surface_done(&s);
    app_done(&a);
    stage_close(&g);
}

/* ---- a run that goes on ----------------------------------------------------------------------------- */

static void still_working(void *ctx, struct ui_progress *out)
{
    *out = *(struct ui_progress *)ctx;
}

static void waiting(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct ui_progress progress = {.working = true};
    struct buf b = {0};
    stage_open(&g, 128, 1, "still running");
    g.feed.progress = still_working;
    g.feed.ctx = &progress;
    open_app(&a, &g);
    PRESS(&a, K_RIGHT); /* the step is not there yet */
    assert_true(a.v.waiting);
    struct surface s;
    assert_int_equal(surface_init(&s, 80, 24, false, NULL), 0);
    app_draw(&a, &s);
    surface_to_text(&s, &b);
    assert_non_null(strstr(buf_text(&b), "waiting for the next step: 1 steps so far"));
    app_wake(&a); /* a wake-up without news changes nothing */
    assert_true(a.v.waiting);
    stage_request(&g, "Hello there", "Hi. <|end|>");
    app_wake(&a);
    assert_false(a.v.waiting);
    assert_int_equal(a.m.at, 2); /* one step, not all of them */
    assert_string_equal(a.v.message, "");
    assert_int_equal(a.m.length, tape_length(g.t, 0));
    PRESS(&a, K_END, K_RIGHT);
    assert_true(a.v.waiting);
    progress = (struct ui_progress){.failed = true, .line = "the pool is too small"};
    app_wake(&a);
    assert_false(a.v.waiting);
    buf_free(&b);
    surface_done(&s);
    app_done(&a);
    stage_close(&g);
}

/* ---- commands and branches -------------------------------------------------------------------------- */

struct bench {             /* stands in for the worker: runs what is sent at once */
    struct stage *g;
    int sent;
    char line[256];
    struct ui_progress progress;
};

static int run_line(void *ctx, int branch, uint32_t at, const char *line, struct err *e)
{
    struct bench *b = ctx;
    if (strncmp(line, "request ", 8) != 0)
        return err_set(e, "no command");
    b->sent++;
    snprintf(b->line, sizeof b->line, "%s", line);
    assert_true(tape_act_at(b->g->t, branch, at, NULL) >= 0);
    cache_moved(&b->g->c);
    stage_request(b->g, line + 8, "Yes. <|end|>");
    b->progress.working = false;
    return 0;
}

static void bench_progress(void *ctx, struct ui_progress *out)
{
    *out = ((struct bench *)ctx)->progress;
}

static void commands(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct bench b = {.g = &g};
    scene_three(&g);
    g.feed.progress = bench_progress;
    g.feed.ctx = &b;
    open_app(&a, &g);
    type(&a, ":request hi\r");
    assert_non_null(strstr(a.v.message, "recording"));
    g.feed.command = run_line;
    PRESS(&a, ':', 'r', 'e', 'q', K_TAB);
    assert_string_equal(a.v.typed, "request ");
    type(&a, "hello q");
    assert_false(a.quit);
    PRESS(&a, K_ESC);
    assert_int_equal(b.sent, 0);
    type(&a, ":nonsense\r");
    assert_non_null(strstr(a.v.message, "no command"));
    uint32_t length = tape_length(g.t, 0);
    app_goto(&a, 70); /* in the middle of request 2 */
    type(&a, ":request Something new\r");
    assert_int_equal(b.sent, 1);
    assert_string_equal(kind_here(&a), "answer"); /* it waits for that request to be answered */
    uint32_t fork = a.m.at;
    app_wake(&a);
    assert_int_equal(a.m.branch, 1);
    assert_int_equal(a.m.at, fork + 1); /* and shows the first step of what was asked for */
    assert_string_equal(kind_here(&a), "request");
    assert_int_equal(tape_length(g.t, 0), length); /* the old history stays */
    PRESS(&a, 'b');
    assert_int_equal(a.m.branch, 0);
    assert_int_equal(a.marks.n, length);
    PRESS(&a, 'b', K_END);
    assert_int_equal(a.m.at, tape_length(g.t, 1));
    type(&a, ":request At the end\r");
    app_wake(&a);
    assert_int_equal(a.m.branch, 1); /* no new branch at the end of one */
    PRESS(&a, ':', K_UP);
    assert_string_equal(a.v.typed, "request At the end");
    PRESS(&a, K_UP);
    assert_string_equal(a.v.typed, "request Something new");
    PRESS(&a, K_UP, K_DOWN, K_DOWN);
    assert_string_equal(a.v.typed, "");
    for (int i = 0; i < 1000; i++) /* the field has an end */
        PRESS(&a, 0x754c);
    assert_true(strlen(a.v.typed) < sizeof a.v.typed);
    app_done(&a);
    stage_close(&g);
}

/* ---- random keys ------------------------------------------------------------------------------------ */

/* ? / a word Enter Enter: the key that is found is pressed. Every key can be reached so. */
static void keys_are_found_and_done(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    size_t reached = 0;
    scene_three(&g);
    open_app(&a, &g);
    app_goto(&a, 20);
    for (const char *k = "?/forward\n"; *k != '\0'; k++)
        app_key(&a, *k);
    assert_int_equal(view_help_command(&a.v), CMD_STEP);
    app_key(&a, K_ENTER);
    assert_int_equal(a.m.at, 21);
    assert_int_equal(a.v.show, SHOW_STEPPER);
    for (int c = 0; c < CMD_COUNT; c++, reached++) { /* by its help, which is its own */
        app_key(&a, '?');
        app_key(&a, '/');
        for (int i = 0; i < 30 && command_info((enum command)c)->help[i] != '\0'; i++)
            app_key(&a, command_info((enum command)c)->help[i]);
        app_key(&a, K_ENTER);
        int first = view_help_command(&a.v);
        assert_true(first >= 0 && first <= c && strncmp(command_info((enum command)first)->help, command_info((enum command)c)->help, 30) == 0);
        app_key(&a, K_ESC);
        assert_int_equal(a.v.show, SHOW_STEPPER);
    }
    app_key(&a, '?'); /* a page of it, and back */
    app_key(&a, K_PAGE_DOWN);
    assert_int_equal(view_help_command(&a.v), 10);
    app_key(&a, K_PAGE_UP);
    app_key(&a, K_PAGE_UP);
    assert_true(view_help_command(&a.v) == CMD_STEP && a.v.message[0] == '\0');
    app_key(&a, K_ESC);
    for (const char *k = "?/no such thing\n\n"; *k != '\0'; k++)
        app_key(&a, *k);
    assert_int_equal(a.v.show, SHOW_STEPPER);
    assert_int_equal(a.m.at, 21);
    app_key(&a, '?');
    for (int i = 0; i < 500; i++)
        app_key(&a, K_DOWN);
    assert_int_equal(a.v.line, view_help_last(&a.v));
    assert_int_equal(view_help_command(&a.v), CMD_NONE); /* among the marks no key is chosen, */
    app_key(&a, K_ENTER);
    assert_true(a.v.show == SHOW_STEPPER && !a.quit); /* the last one, q, least of all */
    assert_int_equal(reached, CMD_COUNT);
    app_done(&a);
    stage_close(&g);
}

static int random_key(struct prng *r)
{
    uint32_t pick = prng_below(r, 10);
    if (pick < 5) { /* a command */
        enum command c = (enum command)prng_below(r, CMD_COUNT);
        return c == CMD_QUIT || c == CMD_SAVE ? K_ESC : command_info(c)->key;
    }
    if (pick < 7)
        return (int)('0' + prng_below(r, 10));
    if (pick < 9)
        return (int)prng_below(r, 'q'); /* neither q nor x: x would write files */
    return 0x80 + (int)prng_below(r, 0x10ff90);
}

static void check_stop(struct app *walked, struct app *fresh, struct surface *s, struct surface *t)
{
    struct buf b = {0}, c = {0};
    struct err e = {0};
    fresh->v = walked->v;
    app_switch(fresh, walked->m.branch, UINT32_MAX);
    app_goto(fresh, walked->m.at);
    fresh->v = walked->v; /* choosing a node that is gone moves on: both did */
    app_draw(walked, s);
    app_draw(fresh, t);
    surface_to_text(s, &b);
    surface_to_text(t, &c);
    assert_string_equal(buf_text(&b), buf_text(&c));
    if (walked->m.at > 0 && walked->m.step.settled)
        assert_int_equal(world_check(walked->m.sc, &e), 0);
    buf_free(&b);
    buf_free(&c);
}

static void random_keys(void **state)
{
    (void)state;
    const char *wanted = getenv("KEYS"), *seed = getenv("SEED");
    long total = wanted != NULL ? atol(wanted) : 30000, stops = 0;
    struct stage g;
    struct app a, fresh;
    struct surface s, t;
    struct prng r;
    prng_seed(&r, seed != NULL ? strtoull(seed, NULL, 10) : 5);
    uint32_t shown = 0;
    scene_evict(&g);
    assert_true(tape_act_at(g.t, 0, 1, NULL) == 1); /* another history: key B has something to compare */
    cache_moved(&g.c);
    stage_request(&g, "Another beginning of it all", "Yes. <|end|>");
    g.feed.evidence = inside_evidence(NULL);
    open_app(&a, &g);
    open_app(&fresh, &g);
    assert_int_equal(surface_init(&s, 80, 24, false, NULL), 0);
    assert_int_equal(surface_init(&t, 80, 24, false, NULL), 0);
    for (long i = 0; i < total; i++) {
        if (prng_below(&r, 8) == 0)
            app_click(&a, (int)prng_below(&r, 200) - 5, (int)prng_below(&r, 60) - 5, s.w, s.h);
        if (prng_below(&r, 8) == 0)
            app_drag(&a, (int)prng_below(&r, 200) - 5, (int)prng_below(&r, 60) - 5, s.w, s.h);
        int key = random_key(&r), in_help = a.v.show == SHOW_HELP ? view_help_command(&a.v) : CMD_NONE;
        bool enter = key == K_ENTER || key == '\n';
        app_key(&a, enter && (in_help == CMD_QUIT || in_help == CMD_SAVE) ? K_ESC : key); /* as above */
        assert_false(a.quit);
        assert_true(a.m.at >= 1 && a.m.at <= tape_length(g.t, a.m.branch));
        shown |= 1u << a.v.show;
        if (a.v.playing)
            app_tick(&a);
        if (prng_below(&r, 16) == 0) { /* another size */
            int w = 1 + (int)prng_below(&r, 160), h = 1 + (int)prng_below(&r, 50);
            s.ascii = t.ascii = prng_below(&r, 2) == 0;
            assert_int_equal(surface_resize(&s, w, h, NULL), 0);
            assert_int_equal(surface_resize(&t, w, h, NULL), 0);
        }
        if (prng_below(&r, 24) == 0) {
            check_stop(&a, &fresh, &s, &t);
            stops++;
        }
    }
    assert_true(stops > total / 50);
    for (int c = 0; c < CMD_COUNT && total >= 100000; c++) { /* every view that a key opens was there */
        app_goto(&a, 1);
        a.v.show = SHOW_STEPPER;
        a.v.typing = TYPE_NOTHING;
        app_key(&a, command_info((enum command)c)->key);
        assert_true(shown >> a.v.show & 1);
    }
    surface_done(&s);
    surface_done(&t);
    app_done(&a);
    app_done(&fresh);
    stage_close(&g);
}

/* ---- no memory -------------------------------------------------------------------------------------- */

static void no_memory(void **state)
{
    (void)state;
    struct stage g;
    unsigned long failed = 0;
    scene_three(&g);
    for (unsigned long nth = 1; nth < 60; nth++) {
        struct app a;
        struct err e = {0};
        xalloc_fail_at(nth, false);
        int rc = app_init(&a, &g.feed, &OPTIONS, &e);
        bool injected = xalloc_failures() > 0;
        if (rc == 0) { /* what failed was something to be left out: it still draws */
            struct surface s;
            if (surface_init(&s, 80, 24, false, &e) == 0) {
                app_goto(&a, 60);
                app_draw(&a, &s);
                surface_done(&s);
            }
            injected = xalloc_failures() > 0;
            app_done(&a);
        }
        xalloc_fail_at(0, false);
        failed += injected;
        assert_true(rc == 0 || e.set);
    }
    assert_true(failed > 5);
    stage_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moving),        cmocka_unit_test(playing),      cmocka_unit_test(unknown_keys),
        cmocka_unit_test(command_table), cmocka_unit_test(keys_in_docs), cmocka_unit_test(inside_the_model), cmocka_unit_test(lens_shows_the_bits),
        cmocka_unit_test(finding), cmocka_unit_test(an_event_by_its_name),
        cmocka_unit_test(reasons), cmocka_unit_test(typed_keys), cmocka_unit_test(reasons_everywhere),      cmocka_unit_test(clicking), cmocka_unit_test(dragging), cmocka_unit_test(out_of_here),     cmocka_unit_test(saving), cmocka_unit_test(preferences), cmocka_unit_test(bound_keys), cmocka_unit_test(filters),
        cmocka_unit_test(outlines),      cmocka_unit_test(waiting),      cmocka_unit_test(commands),
        cmocka_unit_test(keys_are_found_and_done), cmocka_unit_test(random_keys),   cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
