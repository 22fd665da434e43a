/* The home screen: golden screens, the choice always in sight, keys. */
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
#include "ui/home.h"
#include "ui/key.h"

static const struct home_entry ENTRIES[] = {
    {"continue", "two-strings", "Where you were: step 8."},
    {"scenarios", "adapters", "LoRA adapters: same prompt, same tokens, and nothing may be shared."},
    {"scenarios", "agent-loop", "An agent calls tools in a loop: every call sends the whole history again."},
    {"scenarios", "chunked-prefill", "A long prompt is computed in pieces, and each piece can be shared at once."},
    {"scenarios", "exact-repeat", "The same prompt twice: everything is known, and still one token is computed."},
    {"scenarios", "few-shot", "The examples are computed once and serve every question."},
    {"scenarios", "namespaces", "The same text in two namespaces never meets in the tree."},
    {"scenarios", "pages", "Slots are handed out and shared four at a time."},
    {"scenarios", "shared-system-prompt", "Three users of one assistant: the system prompt is computed once."},
    {"scenarios", "small-pool", "Who was used longest ago goes first, and what is locked may not go."},
    {"scenarios", "two-strings", "The smallest radix tree that splits."},
    {"sandbox", "letters", "An empty tree, and every letter is a token."},
    {"sandbox", "a name \xe7\x95\x8c\xe7\x95\x8c\xe7\x95\x8c that is much too long", "It is cut."},
    {"traces", "day.jsonl", "Mooncake, blocks of 512 tokens, 3.1 MB."},
    {"recordings", "run.rxt", "A recorded run, opened without a model."},
};

static const struct shot {
    const char *name;
    int w, h, chosen;
    bool ascii;
} SHOTS[] = {
    {"home-60x16", 60, 16, 4, false},   {"home-60x16-ascii", 60, 16, 13, true},
    {"home-80x24", 80, 24, 0, false},   {"home-80x24-ascii", 80, 24, 12, true},
    {"home-120x40", 120, 40, 8, false}, {"home-120x40-ascii", 120, 40, 8, true},
    {"home-200x50", 200, 50, 8, false}, {"home-200x50-ascii", 200, 50, 8, true},
    {"home-20x5", 20, 5, 3, false},
};

static void draw(int chosen, int w, int h, bool ascii, struct buf *out, int *x, int *y)
{
    struct home home = {.entry = ENTRIES, .count = ARRAY_LEN(ENTRIES), .chosen = chosen};
    struct surface s;
    assert_int_equal(surface_init(&s, w, h, ascii, NULL), 0);
    home_draw(&home, &s);
    surface_to_text(&s, out);
    *x = s.cursor_x;
    *y = s.cursor_y;
    surface_done(&s);
}

static void golden_screens(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(SHOTS); i++) {
        struct buf b = {0};
        char path[128], *want;
        size_t len;
        int x, y;
        draw(SHOTS[i].chosen, SHOTS[i].w, SHOTS[i].h, SHOTS[i].ascii, &b, &x, &y);
        snprintf(path, sizeof path, "tests/ui/golden/%s.txt", SHOTS[i].name);
        if (getenv("UPDATE") != NULL)
            assert_int_equal(file_write(path, b.data, b.len, NULL), 0);
        assert_int_equal(file_read(path, 1 << 20, &want, &len, NULL), 0);
        assert_string_equal(want, buf_text(&b));
        for (size_t k = 0; SHOTS[i].ascii && k < b.len; k++)
            assert_true(b.data[k] == '\n' || (b.data[k] >= ' ' && b.data[k] < 0x7f));
        xfree(want);
        buf_free(&b);
    }
}

/* At every size with a line to show, the line under the cursor names what is chosen. */
static void the_choice_is_in_sight(void **state)
{
    (void)state;
    size_t seen = 0;
    for (int h = 2; h < 40; h++) {
        for (int chosen = 0; chosen < (int)ARRAY_LEN(ENTRIES); chosen++) {
            struct buf b = {0};
            int x, y;
            draw(chosen, 60, h, true, &b, &x, &y);
            char *line = b.data;
            for (int k = 0; k < y; k++)
                line = strchr(line, '\n') + 1;
            assert_int_equal(line[x], '>');
            assert_memory_equal(line + x + 2, ENTRIES[chosen].name, 4);
            buf_free(&b);
            seen++;
        }
    }
    assert_true(seen > 500);
}

static void keys_choose(void **state)
{
    (void)state;
    struct home h = {.entry = ENTRIES, .count = ARRAY_LEN(ENTRIES)};
    home_key(&h, K_UP);
    assert_int_equal(h.chosen, 0);
    home_key(&h, K_DOWN);
    assert_int_equal(h.chosen, 1);
    home_key(&h, K_TAB);
    assert_string_equal(ENTRIES[h.chosen].group, "sandbox");
    assert_string_equal(ENTRIES[h.chosen - 1].group, "scenarios");
    home_key(&h, K_END);
    assert_int_equal(h.chosen, (int)ARRAY_LEN(ENTRIES) - 1);
    home_key(&h, K_DOWN);
    assert_int_equal(h.chosen, (int)ARRAY_LEN(ENTRIES) - 1);
    home_key(&h, K_TAB);
    assert_int_equal(h.chosen, 0);
    home_key(&h, K_PAGE_DOWN);
    assert_int_equal(h.chosen, 10);
    assert_int_equal(home_key(&h, K_ENTER), HOME_OPENS);
    assert_int_equal(home_key(&h, 'q'), HOME_LEAVES);
    assert_int_equal(home_key(&h, 'z'), HOME_STAYS);
    h.count = 0;
    assert_int_equal(home_key(&h, K_ENTER), HOME_STAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_screens),
        cmocka_unit_test(the_choice_is_in_sight),
        cmocka_unit_test(keys_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
