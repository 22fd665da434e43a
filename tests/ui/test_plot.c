/* The plot of a sweep: golden screens, the chosen point always drawn and under the cursor, keys. */
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
#include "cli/sweep_plot.h"
#include "tape/world.h"
#include "ui/key.h"
#include "ui/surface.h"

enum { CAPACITIES = 5, BLOCKS = 200000 };
static const uint32_t CAPACITY[CAPACITIES] = {20000, 1000, REPLAY_UNLIMITED, 5000, 50000}; /* as a person may write them */

/* More slots, more hits; the first policies do better, and two of them the same. */
static void make_sweep(struct sweep *s, uint32_t policies)
{
    *s = (struct sweep){.points = CAPACITIES * policies, .block = 512, .kind = MOONCAKE_PLAIN};
    s->point = xcalloc(s->points, sizeof *s->point);
    assert_non_null(s->point);
    for (uint32_t i = 0; i < s->points; i++) {
        uint32_t c = CAPACITY[i / policies], policy = i % policies, size = c == REPLAY_UNLIMITED ? 120000 : c;
        uint64_t hits = c == REPLAY_UNLIMITED ? 120000 : size * 2 - size * (policy > 1 ? policy : 0) / 6;
        s->point[i] = (struct sweep_point){c, policy, {.requests = 9000, .blocks = BLOCKS, .hit_blocks = hits, .too_big = c < 2000 ? 17 : 0,
                                                        .evicted_nodes = c == REPLAY_UNLIMITED ? 0 : 40000 - size / 2,
                                                        .evicted_blocks = c == REPLAY_UNLIMITED ? 0 : 70000 - size}};
    }
}

static const struct shot {
    const char *name;
    int w, h;
    bool ascii;
    uint32_t policies, column, row;
    const char *message;
} SHOTS[] = {
    {"plot-60x16", 60, 16, false, 7, 0, 0, ""},     {"plot-60x16-ascii", 60, 16, true, 7, 4, 3, ""},
    {"plot-80x24", 80, 24, false, 7, 2, 4, ""},     {"plot-80x24-ascii", 80, 24, true, 2, 1, 1, "This trace cannot be opened."},
    {"plot-120x40", 120, 40, false, 7, 3, 6, ""},   {"plot-120x40-ascii", 120, 40, true, 7, 3, 6, ""},
    {"plot-200x50", 200, 50, false, 7, 1, 2, ""},   {"plot-200x50-ascii", 200, 50, true, 7, 1, 2, ""},
    {"plot-20x5", 20, 5, false, 7, 0, 0, ""},       {"plot-ahead-80x24", 80, 24, false, 10, 2, 9, ""},
    {"plot-ahead-120x40-ascii", 120, 40, true, 10, 1, 8, ""},
};

static void golden_screens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(SHOTS); i++) {
        const struct shot *t = &SHOTS[i];
        struct sweep sweep;
        struct sweep_plot *p = xcalloc(1, sizeof *p);
        struct surface s;
        struct buf b = {0};
        char path[128], *want;
        size_t len;
        make_sweep(&sweep, t->policies);
        sweep_plot_init(p, &sweep, "day.jsonl");
        p->column = t->column;
        p->row = t->row;
        snprintf(p->message, sizeof p->message, "%s", t->message);
        assert_int_equal(surface_init(&s, t->w, t->h, t->ascii, NULL), 0);
        sweep_plot_draw(p, &s);
        surface_to_text(&s, &b);
        snprintf(path, sizeof path, "tests/ui/golden/%s.txt", t->name);
        if (getenv("UPDATE") != NULL)
            assert_int_equal(file_write(path, b.data, b.len, NULL), 0);
        assert_int_equal(file_read(path, 1 << 20, &want, &len, NULL), 0);
        assert_string_equal(want, buf_text(&b));
        for (size_t k = 0; t->ascii && k < b.len; k++)
            assert_true(b.data[k] == '\n' || (b.data[k] >= ' ' && b.data[k] < 0x7f));
        xfree(want);
        buf_free(&b);
        surface_done(&s);
        sweep_done(&sweep);
        xfree(p);
    }
}

/* At every size that has a plot: the cursor stands on the chosen point's letter, further right for more slots, and
 * never lower for more hits. */
static void the_point_is_drawn(void **state)
{
    (void)state;
    struct sweep sweep;
    struct sweep_plot *p = xcalloc(1, sizeof *p);
    size_t seen = 0;
    make_sweep(&sweep, SWEEP_POLICIES);
    sweep_plot_init(p, &sweep, "day.jsonl");
    for (int h = 13; h < 50; h += 4) {
        for (int w = 24; w < 200; w += 17) {
            struct surface s;
            int x_was = -1;
            assert_int_equal(surface_init(&s, w, h, true, NULL), 0);
            for (p->row = 0; p->row < p->policies; p->row++, x_was = -1) {
                for (p->column = 0; p->column < p->capacities; p->column++, seen++) {
                    sweep_plot_draw(p, &s);
                    uint32_t there = surface_cell(&s, s.cursor_x, s.cursor_y)->code;
                    assert_int_equal(there, "LFIMOPSBU="[sweep_plot_at(p)->policy]);
                    assert_true(s.cursor_x >= x_was); /* equal where columns are too few */
                    x_was = s.cursor_x;
                }
            }
            surface_done(&s);
        }
    }
    assert_true(seen > 3000);
    sweep_done(&sweep);
    xfree(p);
}

/* Up never leads to fewer hits, and from the last policy of a capacity all others are passed on the way to the first. */
static void keys_choose(void **state)
{
    (void)state;
    struct sweep sweep;
    struct sweep_plot *p = xcalloc(1, sizeof *p);
    make_sweep(&sweep, 7);
    sweep_plot_init(p, &sweep, "day.jsonl");
    uint32_t before = 0;
    for (uint32_t i = 0; i < CAPACITIES; i++) {
        uint32_t passed = 1, row;
        if (i > 0)
            assert_true(sweep_plot_key(p, K_RIGHT));
        assert_true(sweep_plot_at(p)->capacity - 1 >= before); /* unlimited, 0, is more than all */
        before = sweep_plot_at(p)->capacity - 1;
        for (int k = 0; k < 20; k++)
            sweep_plot_key(p, K_DOWN);
        for (row = p->row; sweep_plot_key(p, K_UP) && p->row != row; row = p->row, passed++)
            assert_true(sweep_plot_at(p)->f.hit_blocks >=
                        sweep.point[p->order[p->column] * p->policies + row].f.hit_blocks);
        assert_int_equal(passed, 7);
    }
    sweep_plot_key(p, K_RIGHT);
    assert_int_equal(sweep_plot_at(p)->capacity, REPLAY_UNLIMITED);
    sweep_plot_key(p, K_HOME);
    assert_int_equal(sweep_plot_at(p)->capacity, 1000);
    sweep_plot_key(p, K_LEFT);
    assert_int_equal(sweep_plot_at(p)->capacity, 1000);
    sweep_plot_key(p, K_END);
    assert_int_equal(sweep_plot_at(p)->capacity, REPLAY_UNLIMITED);
    snprintf(p->message, sizeof p->message, "something");
    assert_false(sweep_plot_key(p, 'z'));
    assert_string_equal(p->message, "");
    sweep_done(&sweep);
    xfree(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_screens),
        cmocka_unit_test(the_point_is_drawn),
        cmocka_unit_test(keys_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
