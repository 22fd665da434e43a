/* Whole screens, compared with golden ones (tests/ui/golden; UPDATE=1 writes them anew, to be read before
 * they are committed), and what must hold for every screen: the same from either side, nothing outside the
 * rules of the grid, pure ASCII where that was asked for. */
#include "tests/ui/inside.h"
#include "tests/ui/queue_scene.h"
#include "tests/ui/scene.h"

#include "base/file.h"
#include "base/xalloc.h"

struct shot {
    const char *name;
    void (*scene)(struct stage *g);
    const char *event;   /* go to the nth step of this kind */
    int nth, w, h;
    bool ascii;
    const char *keys;    /* pressed then */
};

static void scene_fan_60(struct stage *g)
{
    scene_fan(g, 60);
}

static void scene_wide_text(struct stage *g)
{
    stage_open(g, 64, 4, "wide \xe6\x96\x87\xe5\xad\x97 and pages of 4");
    stage_request(g,
                  "\xe4\xb8\x96\xe7\x95\x8c \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82 e\xcc\x81t\xc3\xa9 "
                  "\033[31m bad\xff\xfe "
                  "bytes\x07 here a b c d e f g h i j k l m n o",
                  "\xe5\xa5\xbd \xf0\x9f\x91\x8d. <|end|>");
    stage_request(g, "\xe4\xb8\x96\xe7\x95\x8c \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x99\x82 e\xcc\x81t\xc3\xa9 \033[31m bad\xff\xfe "
                     "bytes\x07 here a X c d e f g h i j k l m n o", "\xe5\xa5\xbd. <|end|>");
}

#define BRANCHES_OTHER "<|user|> Say something else that is not in the cache at all <|assistant|>"

/* Three requests in a small pool, and a second history in which the last two come the other way round. */
static void scene_branches(struct stage *g)
{
    stage_open(g, 68, 1, "two histories");
    stage_request(g, SCENE_SYSTEM " What color is the clear sky? <|assistant|>", "The sky is blue. <|end|>");
    uint32_t before = tape_length(g->t, 0);
    stage_request(g, SCENE_SYSTEM " Where do the small fish live? <|assistant|>", "They live in water. <|end|>");
    stage_request(g, BRANCHES_OTHER, "Hello. <|end|>");
    assert_int_equal(tape_act_at(g->t, 0, before, NULL), 1);
    cache_moved(&g->c);
    stage_request(g, BRANCHES_OTHER, "Hello. <|end|>");
    stage_request(g, SCENE_SYSTEM " Where do the small fish live? <|assistant|>", "They live in water. <|end|>");
}

/* Typed keys, and a second history without the one that was too long. */
static void scene_typed_branches(struct stage *g)
{
    scene_typed(g);
    uint32_t second = tape_find_kind(g->t, 0, tape_find_kind(g->t, 0, 0, 1, EV_INSERTED), 1, EV_INSERTED);
    assert_int_equal(tape_act_at(g->t, 0, second, NULL), 1);
    cache_moved(&g->c);
    stage_key(g, "the quick brown cat");
    stage_key(g, "a b c d e f g h");
}

/* A design of two lists beside the tree, as `race` gives them: request n stands in line n. */
static const char *lists_name(void *ctx, int which)
{
    (void)ctx;
    return which == 0 ? "chain" : "none";
}

static int lists_list(void *ctx, int which, uint32_t requests, struct buf *out, struct err *e)
{
    (void)ctx, (void)e;
    if (which != 0)
        buf_puts(out, "  nothing is kept\n");
    for (uint32_t i = 1; which == 0 && i <= requests; i++)
        buf_printf(out, "  table of request %u: %u %u\n  free list: %u* 7 8\n", i, 2 * i, 2 * i + 1, 20 + i);
    return 0;
}

static bool lists_asked(void *ctx, int which, uint32_t request, struct ui_asked *out)
{
    (void)ctx;
    *out = (struct ui_asked){36, request > 1 ? 29 : 0, which == 0 && request > 1 ? 16 + 13 * (request == 3) : 0, false,
                             which == 1 && request == 3};
    return request >= 1 && request <= 3;
}

static const struct ui_designs LISTS = {.count = 2, .name = lists_name, .list = lists_list, .asked = lists_asked};

static void scene_designs(struct stage *g)
{
    scene_three(g);
    g->feed.own = "radix lru";
    g->feed.designs = &LISTS;
}

static const struct shot SHOTS[] = {
    {"designs-60x16", scene_designs, "split_node", 1, 60, 16, false, "B"},
    {"designs-80x24", scene_designs, "split_node", 1, 80, 24, false, "B"},
    {"designs-80x24-ascii", scene_designs, "split_node", 1, 80, 24, true, "BbD"},
    {"designs-120x40", scene_designs, "split_node", 1, 120, 40, false, "BD"},
    {"designs-200x50-ascii", scene_designs, "request", 3, 200, 50, true, "B"},
    {"start-80x24", scene_three, "start", 1, 80, 24, false, ""},
    {"request-80x24", scene_three, "request", 2, 80, 24, false, ""},
    {"split-20x5", scene_three, "split_node", 1, 20, 5, false, ""},
    {"split-40x20", scene_three, "split_node", 1, 40, 20, false, ""},
    {"split-60x16", scene_three, "split_node", 1, 60, 16, false, ""},
    {"split-60x16-ascii", scene_three, "split_node", 1, 60, 16, true, ""},
    {"split-80x24", scene_three, "split_node", 1, 80, 24, false, ""},
    {"split-80x24-ascii", scene_three, "split_node", 1, 80, 24, true, ""},
    {"split-120x40", scene_three, "split_node", 1, 120, 40, false, ""},
    {"split-120x40-ascii", scene_three, "split_node", 1, 120, 40, true, ""},
    {"split-200x50", scene_three, "split_node", 1, 200, 50, false, ""},
    {"split-200x50-ascii", scene_three, "split_node", 1, 200, 50, true, ""},
    {"matched-80x24", scene_three, "matched", 3, 80, 24, false, ""},
    {"prefill-80x24", scene_three, "kv_write", 6, 80, 24, false, ""},
    {"decode-80x24", scene_three, "kv_write", 2, 80, 24, false, ""},
    {"admitted-120x40", scene_three, "alloc", 1, 120, 40, false, ""},
    {"answer-80x24", scene_three, "answer", 3, 80, 24, false, ""},
    {"evict-80x24", scene_evict, "evict_node", 1, 80, 24, false, ""},
    {"evict-120x40", scene_evict, "evict_node", 2, 120, 40, false, ""},
    {"fan-80x24", scene_fan_60, "new_leaf", 100, 80, 24, false, ""},
    {"fan-60x16-ascii", scene_fan_60, "new_leaf", 60, 60, 16, true, ""},
    {"message-long-60x16", scene_three, "split_node", 1, 60, 16, false, "m"},
    {"typed-start-80x24", scene_typed, "start", 1, 80, 24, false, ""},
    {"typed-take-80x24", scene_typed, "take", 2, 80, 24, false, ""},
    {"typed-evict-60x16", scene_typed, "evict_node", 1, 60, 16, false, ""},
    {"typed-fail-40x20", scene_typed, "alloc_fail", 1, 40, 20, false, ""},
    {"wide-80x24", scene_wide_text, "split_node", 1, 80, 24, false, ""},
    {"wide-80x24-ascii", scene_wide_text, "split_node", 1, 80, 24, true, ""},
    {"help-80x24", scene_three, "start", 1, 80, 24, false, "?"},
    {"help-60x16-ascii", scene_three, "start", 1, 60, 16, true, "?"},
    {"help-20x5", scene_three, "start", 1, 20, 5, false, "?"},
    {"unknown-key-80x24", scene_three, "split_node", 1, 80, 24, false, "~"},
    {"number-80x24", scene_three, "split_node", 1, 80, 24, false, "12"},
    {"why-evict-80x24", scene_evict, "evict_node", 1, 80, 24, false, "w"},
    {"why-evict-60x16-ascii", scene_evict, "evict_node", 1, 60, 16, true, "w"},
    {"why-miss-80x24", scene_three, "admit", 2, 80, 24, false, "w"},
    {"why-nothing-80x24", scene_three, "start", 1, 80, 24, false, "w"},
    {"why-take-80x24", scene_typed, "take", 3, 80, 24, false, "w"},
    {"why-kv-80x24", scene_three, "kv_write", 2, 80, 24, false, "w"},
    {"log-80x24", scene_three, "split_node", 1, 80, 24, false, "l"},
    {"log-20x5", scene_three, "split_node", 1, 20, 5, false, "l"},
    {"invariants-80x24", scene_three, "answer", 2, 80, 24, false, "i"},
    {"invariants-midway-80x24", scene_three, "split_node", 1, 80, 24, false, "i"},
    {"code-60x16", scene_three, "split_node", 1, 60, 16, false, "c"},
    {"code-60x16-ascii", scene_evict, "evict_node", 1, 60, 16, true, "c"},
    {"code-80x24", scene_three, "split_node", 1, 80, 24, false, "c"},
    {"code-80x24-ascii", scene_evict, "evict_node", 1, 80, 24, true, "c"},
    {"code-120x40", scene_three, "split_node", 1, 120, 40, false, "c"},
    {"code-120x40-ascii", scene_evict, "evict_node", 1, 120, 40, true, "c"},
    {"code-200x50", scene_three, "split_node", 1, 200, 50, false, "c"},
    {"code-200x50-ascii", scene_evict, "evict_node", 1, 200, 50, true, "c"},
    {"code-none-80x24", scene_three, "sample", 1, 80, 24, false, "c"},
    {"numbers-60x16", scene_evict, "answer", 3, 60, 16, false, "#"},
    {"numbers-60x16-ascii", scene_evict, "evict_node", 1, 60, 16, true, "#"},
    {"numbers-80x24", scene_evict, "answer", 3, 80, 24, false, "#"},
    {"numbers-80x24-ascii", scene_evict, "evict_node", 1, 80, 24, true, "#"},
    {"numbers-120x40", scene_evict, "answer", 3, 120, 40, false, "#"},
    {"numbers-120x40-ascii", scene_evict, "evict_node", 1, 120, 40, true, "#"},
    {"numbers-200x50", scene_evict, "answer", 3, 200, 50, false, "#"},
    {"numbers-200x50-ascii", scene_evict, "evict_node", 1, 200, 50, true, "#"},
    {"fan-only-60x16", scene_fan_60, "new_leaf", 100, 60, 16, false, "F"},
    {"fan-find-60x16-ascii", scene_fan_60, "answer", 60, 60, 16, true, "tquestion31\n"},
    {"fan-only-80x24", scene_fan_60, "new_leaf", 100, 80, 24, false, "F"},
    {"fan-find-80x24-ascii", scene_fan_60, "answer", 60, 80, 24, true, "tquestion31\n"},
    {"fan-only-120x40", scene_fan_60, "new_leaf", 100, 120, 40, false, "F"},
    {"fan-find-120x40-ascii", scene_fan_60, "answer", 60, 120, 40, true, "tquestion31\n"},
    {"fan-only-200x50", scene_fan_60, "new_leaf", 100, 200, 50, false, "F"},
    {"fan-find-200x50-ascii", scene_fan_60, "answer", 60, 200, 50, true, "tquestion31\n"},
    {"typing-60x16", scene_three, "split_node", 1, 60, 16, false, ":insert \"the cat sat on the mat"},
    {"typing-60x16-ascii", scene_three, "split_node", 1, 60, 16, true, ":match \"What color\" ns=\"a\""},
    {"typing-80x24", scene_three, "split_node", 1, 80, 24, false, ":insert \"the cat sat on the mat"},
    {"typing-80x24-ascii", scene_three, "split_node", 1, 80, 24, true, ":match \"What color\" ns=\"a\""},
    {"typing-120x40", scene_three, "split_node", 1, 120, 40, false, ":insert \"the cat sat on the mat"},
    {"typing-120x40-ascii", scene_three, "split_node", 1, 120, 40, true, ":match \"What color\" ns=\"a\""},
    {"typing-200x50", scene_three, "split_node", 1, 200, 50, false, ":insert \"the cat sat on the mat"},
    {"typing-200x50-ascii", scene_three, "split_node", 1, 200, 50, true, ":match \"What color\" ns=\"a\""},
    {"keys-search-60x16", scene_three, "split_node", 1, 60, 16, false, "?/save"},
    {"keys-search-60x16-ascii", scene_three, "split_node", 1, 60, 16, true, "?/tree\n"},
    {"keys-search-80x24", scene_three, "split_node", 1, 80, 24, false, "?/save"},
    {"keys-search-80x24-ascii", scene_three, "split_node", 1, 80, 24, true, "?/tree\n"},
    {"keys-search-120x40", scene_three, "split_node", 1, 120, 40, false, "?/save"},
    {"keys-search-120x40-ascii", scene_three, "split_node", 1, 120, 40, true, "?/tree\n"},
    {"keys-search-200x50", scene_three, "split_node", 1, 200, 50, false, "?/save"},
    {"keys-search-200x50-ascii", scene_three, "split_node", 1, 200, 50, true, "?/tree\n"},
    {"find-80x24", scene_three, "split_node", 1, 80, 24, false, "/evi"},
    {"command-80x24", scene_three, "split_node", 1, 80, 24, false, ":"},
    {"command-request-60x16", scene_three, "split_node", 1, 60, 16, false, ":request Where are the cats?"},
    {"requests-80x24", scene_evict, "answer", 4, 80, 24, false, "r"},
    {"requests-60x16-ascii", scene_evict, "split_node", 2, 60, 16, true, "r"},
    {"projector-80x24", scene_three, "split_node", 1, 80, 24, false, "p"},
    {"projector-60x16-ascii", scene_three, "split_node", 1, 60, 16, true, "p"},
    {"save-80x24", scene_three, "split_node", 1, 80, 24, false, "x"},
    {"fold-80x24", scene_three, "split_node", 1, 80, 24, false, "f"},
    {"order-recent-80x24", scene_three, "answer", 3, 80, 24, false, "o"},
    {"order-hits-fan-80x24", scene_fan_60, "new_leaf", 100, 80, 24, false, "oo"},
    {"touch-80x24", scene_three, "split_node", 1, 80, 24, false, "<"},
    {"slot-of-node-80x24", scene_three, "split_node", 1, 80, 24, false, "\t\t"},
    {"slots-60x16", scene_three, "split_node", 1, 60, 16, false, "\t\t"},
    {"forward-60x16", scene_inside, "kv_write", 6, 60, 16, false, "M"},
    {"forward-60x16-ascii", scene_inside, "kv_write", 6, 60, 16, true, "M"},
    {"forward-80x24", scene_inside, "kv_write", 6, 80, 24, false, "M"},
    {"forward-80x24-ascii", scene_inside, "kv_write", 6, 80, 24, true, "M"},
    {"forward-120x40", scene_inside, "kv_write", 6, 120, 40, false, "M"},
    {"forward-120x40-ascii", scene_inside, "kv_write", 6, 120, 40, true, "M"},
    {"forward-200x50", scene_inside, "kv_write", 6, 200, 50, false, "M"},
    {"forward-200x50-ascii", scene_inside, "kv_write", 6, 200, 50, true, "M"},
    {"attention-60x16", scene_inside, "kv_write", 6, 60, 16, false, "A"},
    {"attention-60x16-ascii", scene_inside, "kv_write", 6, 60, 16, true, "A}..((("},
    {"attention-80x24", scene_inside, "kv_write", 6, 80, 24, false, "A"},
    {"attention-80x24-ascii", scene_inside, "kv_write", 6, 80, 24, true, "A}..((("},
    {"attention-120x40", scene_inside, "kv_write", 6, 120, 40, false, "A"},
    {"attention-120x40-ascii", scene_inside, "kv_write", 6, 120, 40, true, "A}..((("},
    {"attention-200x50", scene_inside, "kv_write", 6, 200, 50, false, "A"},
    {"attention-200x50-ascii", scene_inside, "kv_write", 6, 200, 50, true, "A}..((("},
    {"lens-60x16", scene_inside, "kv_write", 6, 60, 16, false, "K"},
    {"lens-60x16-ascii", scene_inside, "kv_write", 6, 60, 16, true, "K"},
    {"lens-80x24", scene_inside, "kv_write", 6, 80, 24, false, "K"},
    {"lens-80x24-ascii", scene_inside, "kv_write", 6, 80, 24, true, "K"},
    {"lens-120x40", scene_inside, "kv_write", 6, 120, 40, false, "K"},
    {"lens-120x40-ascii", scene_inside, "kv_write", 6, 120, 40, true, "K"},
    {"lens-200x50", scene_inside, "kv_write", 6, 200, 50, false, "K"},
    {"lens-200x50-ascii", scene_inside, "kv_write", 6, 200, 50, true, "K"},
    {"proof-60x16", scene_inside, "kv_write", 6, 60, 16, false, "="},
    {"proof-60x16-ascii", scene_inside, "kv_write", 6, 60, 16, true, "=="},
    {"proof-80x24", scene_inside, "kv_write", 6, 80, 24, false, "="},
    {"proof-80x24-ascii", scene_inside, "kv_write", 6, 80, 24, true, "=="},
    {"proof-120x40", scene_inside, "kv_write", 6, 120, 40, false, "="},
    {"proof-120x40-ascii", scene_inside, "kv_write", 6, 120, 40, true, "=="},
    {"proof-200x50", scene_inside, "kv_write", 6, 200, 50, false, "="},
    {"proof-200x50-ascii", scene_inside, "kv_write", 6, 200, 50, true, "=="},
    {"poison-60x16", scene_inside, "answer", 2, 60, 16, false, "P"},
    {"poison-60x16-ascii", scene_inside, "answer", 2, 60, 16, true, "P"},
    {"poison-80x24", scene_inside, "answer", 2, 80, 24, false, "P"},
    {"poison-80x24-ascii", scene_inside, "answer", 2, 80, 24, true, "P"},
    {"poison-120x40", scene_inside, "answer", 2, 120, 40, false, "P"},
    {"poison-120x40-ascii", scene_inside, "answer", 2, 120, 40, true, "P"},
    {"poison-200x50", scene_inside, "answer", 2, 200, 50, false, "P"},
    {"poison-200x50-ascii", scene_inside, "answer", 2, 200, 50, true, "P"},
    {"attention-heads-80x24", scene_inside, "kv_write", 8, 80, 24, false, "A.."},
    {"forward-not-recorded-80x24", scene_not_recorded, "kv_write", 6, 80, 24, false, "M"},
    {"lens-not-recorded-60x16", scene_not_recorded, "kv_write", 6, 60, 16, false, "K"},
    {"proof-not-recorded-60x16", scene_not_recorded, "kv_write", 6, 60, 16, true, "="},
    {"forward-none-60x16", scene_inside, "start", 1, 60, 16, true, "M"},
    {"spoiled-slot-80x24", scene_inside, "poison", 1, 80, 24, false, ""},
    {"queue-60x16", scene_queue, "ranked", 4, 60, 16, false, "Q"},
    {"queue-60x16-ascii", scene_queue, "clock", 6, 60, 16, true, "Q"},
    {"queue-80x24", scene_queue, "ranked", 4, 80, 24, false, "Q"},
    {"queue-80x24-ascii", scene_queue, "clock", 6, 80, 24, true, "Q"},
    {"queue-120x40", scene_queue, "ranked", 4, 120, 40, false, "Q"},
    {"queue-120x40-ascii", scene_queue, "clock", 6, 120, 40, true, "Q"},
    {"queue-200x50", scene_queue, "ranked", 4, 200, 50, false, "Q"},
    {"queue-200x50-ascii", scene_queue, "clock", 6, 200, 50, true, "Q"},
    {"queue-none-60x16", scene_three, "split_node", 1, 60, 16, false, "Q"},
    {"compare-60x16", scene_branches, "admit", 3, 60, 16, false, "B"},
    {"compare-60x16-ascii", scene_branches, "matched", 1, 60, 16, true, "BD"},
    {"compare-80x24", scene_branches, "admit", 3, 80, 24, false, "B"},
    {"compare-80x24-ascii", scene_branches, "matched", 1, 80, 24, true, "BD"},
    {"compare-120x40", scene_branches, "admit", 3, 120, 40, false, "B"},
    {"compare-120x40-ascii", scene_branches, "matched", 1, 120, 40, true, "BD"},
    {"compare-200x50", scene_branches, "admit", 3, 200, 50, false, "B"},
    {"compare-200x50-ascii", scene_branches, "matched", 1, 200, 50, true, "BD"},
    {"compare-keys-80x24", scene_typed_branches, "inserted", 2, 80, 24, false, "BD"},
    {"compare-none-60x16", scene_three, "split_node", 1, 60, 16, false, "B"},
    {"choose-80x24", scene_three, "split_node", 1, 80, 24, false, "\t"},
};

static uint32_t find_event(const struct tape *t, const char *event, int nth)
{
    uint32_t at = 0;
    int kind = event_find(event);
    assert_true(kind >= 0);
    while (nth-- > 0) {
        at = tape_find_kind(t, tape_branch(t), at, 1, kind);
        assert_true(at > 0);
    }
    return at;
}

static void open_app(struct app *a, struct stage *g)
{
    struct ui_options options = {.theme = "default"};
    assert_int_equal(app_init(a, &g->feed, &options, NULL), 0);
}

static void shoot(struct app *a, int w, int h, bool ascii, struct buf *out)
{
    struct surface s;
    assert_int_equal(surface_init(&s, w, h, ascii, NULL), 0);
    app_draw(a, &s);
    assert_true(s.cursor_x >= 0 && s.cursor_x < w && s.cursor_y >= 0 && s.cursor_y < h);
    surface_to_text(&s, out);
    surface_done(&s);
}

/* Of the code pane: without numbers, which change with every line that is written above. */
static void without_numbers(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] >= '0' && b->data[i] <= '9')
            b->data[i] = '0';
}

static bool same_as_golden(const char *name, const struct buf *got)
{
    char path[256];
    snprintf(path, sizeof path, "tests/ui/golden/%s.txt", name);
    if (getenv("UPDATE") != NULL)
        assert_int_equal(file_write(path, got->data, got->len, NULL), 0);
    struct err e = {0};
    char *want;
    size_t len;
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

static void golden_screens(void **state)
{
    (void)state;
    size_t cases = 0, bad = 0;
    for (size_t i = 0; i < ARRAY_LEN(SHOTS); i++, cases++) {
        const struct shot *t = &SHOTS[i];
        struct stage g;
        struct app a;
        struct buf b = {0};
        t->scene(&g);
        open_app(&a, &g);
        app_goto(&a, find_event(g.t, t->event, t->nth));
        for (const char *k = t->keys; *k != '\0'; k++)
            app_key(&a, *k);
        shoot(&a, t->w, t->h, t->ascii, &b);
        for (size_t k = 0; t->ascii && k < b.len; k++)
            assert_true(b.data[k] == '\n' || (b.data[k] >= 0x20 && b.data[k] < 0x7f));
        if (strncmp(t->name, "code-", 5) == 0)
            without_numbers(&b);
        bad += !same_as_golden(t->name, &b);
        buf_free(&b);
        app_done(&a);
        stage_close(&g);
    }
    assert_int_equal(cases, ARRAY_LEN(SHOTS));
    assert_int_equal(bad, 0);
}

/* Every step, reached from the left, from the right, by a jump from either end: one screen. */
static void same_from_either_side(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_fan_60, scene_wide_text, scene_typed, scene_queue};
    const int sizes[][2] = {{80, 24}, {60, 16}, {33, 9}};
    size_t compared = 0;
    for (size_t k = 0; k < ARRAY_LEN(scenes) * ARRAY_LEN(sizes); k++) {
        struct stage g;
        struct app left, right, jump;
        const int *size = sizes[k % ARRAY_LEN(sizes)];
        scenes[k / ARRAY_LEN(sizes)](&g);
        open_app(&left, &g);
        open_app(&right, &g);
        open_app(&jump, &g);
        uint32_t length = tape_length(g.t, 0), stride = length > 400 ? 7 : 1;
        char **shot = xcalloc(length + 1, sizeof *shot);
        for (uint32_t n = 1; n <= length; n++) { /* every step is walked over, some are compared */
            struct buf b = {0};
            app_goto(&left, n);
            shoot(&left, size[0], size[1], false, &b);
            shot[n] = buf_take(&b, NULL);
        }
        for (uint32_t n = length; n >= 1; n--) {
            struct buf b = {0};
            app_goto(&right, n);
            if (n % stride == 0) {
                shoot(&right, size[0], size[1], false, &b);
                assert_string_equal(buf_text(&b), shot[n]);
                buf_clear(&b);
                app_goto(&jump, n % 2 != 0 ? 1 : length);
                app_goto(&jump, n);
                shoot(&jump, size[0], size[1], false, &b);
                assert_string_equal(buf_text(&b), shot[n]);
                compared++;
            }
            buf_free(&b);
        }
        for (uint32_t n = 0; n <= length; n++)
            xfree(shot[n]);
        xfree(shot);
        app_done(&left);
        app_done(&right);
        app_done(&jump);
        stage_close(&g);
    }
    assert_true(compared > 1000);
}

/* No size is refused or overruns anything, and every one shows something. */
static void any_size(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    size_t sizes = 0;
    scene_three(&g);
    open_app(&a, &g);
    app_goto(&a, find_event(g.t, "split_node", 1));
    for (int w = 1; w < 140; w += w < 24 ? 1 : 7) {
        for (int h = 1; h < 60; h += h < 26 ? 1 : 5, sizes++) {
            struct buf b = {0};
            shoot(&a, w, h, (w + h) % 2 == 0, &b);
            assert_true(strspn(buf_text(&b), " \n") < b.len);
            buf_free(&b);
        }
    }
    assert_true(sizes > 500);
    app_done(&a);
    stage_close(&g);
}

/* Slots by owner, as the title of the pane adds them up, at every step. */
static void slots_add_up(void **state)
{
    (void)state;
    void (*const scenes[])(struct stage *) = {scene_three, scene_evict, scene_wide_text, scene_typed};
    uint32_t steps = 0;
    for (size_t k = 0; k < ARRAY_LEN(scenes); k++) {
        struct stage g;
        struct app a;
        scenes[k](&g);
        open_app(&a, &g);
        for (uint32_t n = 1; n <= tape_length(g.t, 0); n++, steps++) {
            app_goto(&a, n);
            const struct head *h = &a.m.sc.w->head;
            uint32_t free = 0, cached = 0, held = 0;
            for (uint32_t s = h->page_size; s < a.m.slots; s++) {
                uint32_t owner = a.m.owner[s];
                bool running = owner == OWNER_TRANSIT || (owner & OWNER_REQUEST) != 0;
                *(owner == OWNER_FREE ? &free : running ? &held : &cached) += 1;
            }
            assert_int_equal(free, pool_free_slots(a.m.sc.w));
            assert_int_equal(cached, h->evictable_size + h->protected_size);
            assert_int_equal(held, moment_held(&a.m));
        }
        app_done(&a);
        stage_close(&g);
    }
    assert_true(steps > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_screens), cmocka_unit_test(same_from_either_side), cmocka_unit_test(any_size),
        cmocka_unit_test(slots_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
