/* The tree as rows: every order, folded to one path or not, has each node once or counts it; places rise; the
 * share of hits is that of the nodes not shown; a search finds every node that holds the text, round and round. */
#include "tests/ui/scene.h"

#include "ui/key.h"
#include "ui/rows.h"

/* Of one parent: children shown as rows, and what they were hit. */
static void count_kids(const struct outline *o, uint32_t parent, uint32_t *shown, uint64_t *hits)
{
    struct row kid[FAN_ROWS];
    int n = rows_kids(o, parent, kid);
    *shown = 0;
    *hits = 0;
    for (int i = 0; i < n; i++) {
        if (kid[i].kind != ROW_NODE)
            continue;
        ++*shown;
        *hits += o->m->sc.w->node[kid[i].node].hit_count;
    }
}

static void check_more(const struct outline *o, uint32_t parent)
{
    const struct world *w = o->m->sc.w;
    uint32_t shown;
    uint64_t hits, all = 0;
    count_kids(o, parent, &shown, &hits);
    for (uint32_t c = w->node[parent].first_child; c != 0; c = w->node[c].next)
        all += w->node[c].hit_count;
    assert_int_equal(rows_hidden(o, parent) + shown, w->node[parent].child_count);
    int percent = rows_hidden_hits(o, parent);
    if (all == 0)
        assert_int_equal(percent, -1);
    else
        assert_true(llabs((long long)percent * (long long)all - 100 * (long long)(all - hits)) * 2 <= (long long)all);
}

static size_t walk(const struct outline *o)
{
    size_t rows = 0;
    double last = -1;
    bool chosen = false;
    for (struct row at = {ROW_NODE, ROOT}; at.kind != ROW_NONE; at = rows_next(o, at), rows++) {
        double place = rows_place(o, at);
        assert_true(place > last && place < 1);
        last = place;
        chosen |= at.kind == ROW_NODE && at.node == o->chosen;
        if (at.kind == ROW_MORE)
            check_more(o, at.node);
    }
    assert_true(chosen);
    return rows;
}

static void rows_hold_the_tree(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct ui_options options = {.theme = "default"};
    size_t rows = 0, fewer = 0, outlines = 0;
    scene_fan(&g, 60);
    assert_int_equal(app_init(&a, &g.feed, &options, NULL), 0);
    for (uint32_t n = 1; n <= tape_length(g.t, 0); n += 17) {
        app_goto(&a, n);
        for (uint32_t k = 0; k < ORDER_COUNT * 2; k++, outlines++) {
            uint32_t node = 1 + (n * 7 + k * 31) % (a.m.sc.w->head.node_top - 1);
            if (!node_live(a.m.sc.w, node))
                node = ROOT;
            struct outline o = {.m = &a.m, .chosen = node, .order = (enum order)(k / 2)}, one = o;
            one.only = true;
            size_t all = walk(&o), path = walk(&one);
            rows += all;
            fewer += path < all;
        }
    }
    assert_true(outlines > 1000 && rows > 10000 && fewer > outlines / 2);
    app_done(&a);
    stage_close(&g);
}

static void type(struct app *a, const char *keys)
{
    for (; *keys != '\0'; keys++)
        app_key(a, *keys);
}

static void search_finds_all(void **state)
{
    (void)state;
    struct stage g;
    struct app a;
    struct ui_options options = {.theme = "default"};
    bool found[256] = {false};
    size_t want = 0, got = 0;
    scene_fan(&g, 60);
    assert_int_equal(app_init(&a, &g.feed, &options, NULL), 0);
    app_goto(&a, UINT32_MAX);
    for (uint32_t n = node_preorder(a.m.sc.w, ROOT); n != 0; n = node_preorder(a.m.sc.w, n)) {
        const uint32_t *tok = node_tokens(a.m.sc, n);
        bool holds = false;
        for (uint32_t i = 0; i < a.m.sc.w->node[n].len; i++)
            holds |= strstr(g.word[tok[i]], "tion4") != NULL;
        want += holds;
    }
    assert_int_equal(want, 11); /* Question4, 40 to 49 */
    type(&a, "tQUESTION4\n");
    for (size_t i = 0; i < want; i++, type(&a, "t\n")) {
        assert_int_equal(a.v.focus, FOCUS_TREE);
        assert_true(a.v.node < 256 && !found[a.v.node]);
        found[a.v.node] = true;
        got++;
    }
    assert_true(found[a.v.node]); /* round again */
    type(&a, "tnowhere\n");
    assert_non_null(strstr(a.v.message, "No node says"));
    assert_int_equal(got, want);
    app_done(&a);
    stage_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_the_tree),
        cmocka_unit_test(search_finds_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
