/* The grid of cells: widths, clipping, lines that join, wrapping, and what it makes of hostile bytes. */
#include "tests/ui/scene.h"

#include "ui/surface.h"
#include "ui/text.h"

static struct surface grid(int w, int h, bool ascii)
{
    struct surface s;
    assert_int_equal(surface_init(&s, w, h, ascii, NULL), 0);
    return s;
}

static void assert_screen(const struct surface *s, const char *want)
{
    struct buf b = {0};
    surface_to_text(s, &b);
    assert_string_equal(buf_text(&b), want);
    buf_free(&b);
}

/* Each cell is 1 wide, or 2 followed by a 0. */
static void assert_whole(const struct surface *s)
{
    for (int y = 0; y < s->h; y++) {
        for (int x = 0; x < s->w; x++) {
            int width = surface_cell(s, x, y)->width;
            assert_true(width >= 0 && width <= 2);
            if (width == 2)
                assert_true(x + 1 < s->w && surface_cell(s, x + 1, y)->width == 0);
            if (width == 0)
                assert_true(x > 0 && surface_cell(s, x - 1, y)->width == 2);
        }
    }
}

static void wide_characters(void **state)
{
    (void)state;
    struct surface s = grid(6, 2, false);
    struct rect all = surface_all(&s);
    assert_int_equal(surface_puts(&s, all, 0, 0, ROLE_TEXT, "a界b"), 4);
    assert_screen(&s, "a界b\n\n");
    surface_put(&s, all, 2, 0, ROLE_TEXT, 'x'); /* over its right half: the left half becomes a space */
    assert_screen(&s, "a xb\n\n");
    surface_puts(&s, all, 0, 0, ROLE_TEXT, "界界界");
    surface_put(&s, all, 2, 0, ROLE_TEXT, 'x'); /* over a left half */
    assert_screen(&s, "界x 界\n\n");
    surface_puts(&s, all, 1, 0, ROLE_TEXT, "界界");
    assert_whole(&s);
    assert_screen(&s, " 界界\n\n");
    surface_done(&s);
}

static void clipping(void **state)
{
    (void)state;
    struct surface s = grid(8, 3, false);
    struct rect r = {2, 1, 3, 1};
    assert_int_equal(surface_puts(&s, r, 0, 1, ROLE_TEXT, "abcdefgh"), 8);
    assert_screen(&s, "\n  cde\n\n");
    surface_puts(&s, r, 2, 0, ROLE_TEXT, "above");
    surface_puts(&s, r, 2, 2, ROLE_TEXT, "below");
    surface_puts(&s, r, -100, 1, ROLE_TEXT, "left");
    surface_puts(&s, r, 100, 1, ROLE_TEXT, "right");
    assert_screen(&s, "\n  cde\n\n");
    surface_puts(&s, r, 2, 1, ROLE_TEXT, "z界界"); /* the second one has half a place */
    assert_whole(&s);
    assert_screen(&s, "\n  z界\n\n");
    surface_puts(&s, r, 1, 1, ROLE_TEXT, "界é"); /* the left half is outside */
    assert_whole(&s);
    assert_screen(&s, "\n   é\n\n");
    surface_puts(&s, (struct rect){-5, -5, 100, 100}, 6, 2, ROLE_TEXT, "edge");
    assert_whole(&s);
    surface_done(&s);
}

static void hostile_bytes(void **state)
{
    (void)state;
    struct surface s = grid(24, 1, false);
    struct rect all = surface_all(&s);
    static const char NASTY[] = "a\033[2Jb\x80\xff\xe4\xb8" "c\td\ne\x7f\xc2\x9b" "f";
    surface_text(&s, all, 0, 0, ROLE_TEXT, NASTY, sizeof NASTY - 1);
    assert_screen(&s, "a?[2Jb????c d e??f\n");
    surface_clear(&s);
    surface_puts(&s, all, 0, 0, ROLE_TEXT,
                 "a\xe2\x80\x8d"
                 "b\xe2\x80\xae"
                 "c\xef\xb8\x8f"
                 "d"); /* joiner, override, selector */
    assert_screen(&s, "abcd\n");
    surface_clear(&s);
    surface_puts(&s, all, 0, 0, ROLE_TEXT, "e\xcc\x81\xcc\x82\xcc\x83x"); /* three marks: two are kept */
    assert_screen(&s, "e\xcc\x81\xcc\x82x\n");
    surface_clear(&s);
    surface_puts(&s, all, 0, 0, ROLE_TEXT, "\xcc\x81x"); /* a mark without a letter */
    assert_screen(&s, "x\n");
    surface_done(&s);
}

static void lines_join(void **state)
{
    (void)state;
    for (int ascii = 0; ascii < 2; ascii++) {
        struct surface s = grid(7, 5, ascii);
        struct rect all = surface_all(&s);
        surface_box(&s, all, ROLE_FRAME);
        surface_vline(&s, all, 3, 0, 3, ROLE_FRAME);
        surface_hline(&s, all, 0, 2, 7, ROLE_FRAME);
        assert_screen(&s, ascii ? "+--+--+\n|  |  |\n+--+--+\n|     |\n+-----+\n"
                                : "┌──┬──┐\n│  │  │\n├──┴──┤\n│     │\n└─────┘\n");
        surface_done(&s);
    }
}

static void ascii_only(void **state)
{
    (void)state;
    struct surface s = grid(12, 1, true);
    surface_puts(&s, surface_all(&s), 0, 0, ROLE_TEXT, "aé界🙂z");
    for (int x = 0; x < 12; x++)
        assert_true(surface_cell(&s, x, 0)->code < 0x7f && surface_cell(&s, x, 0)->mark[0] == 0);
    assert_screen(&s, "a???z\n");
    surface_done(&s);
}

static void assert_wrapped(const char *words, int width, const char *want)
{
    struct surface s = grid(width, 6, false);
    struct text t = {0};
    text_puts(&t, ROLE_TEXT, words);
    text_wrap(&t, width);
    text_draw(&t, &s, surface_all(&s), 0);
    assert_whole(&s);
    assert_screen(&s, want);
    text_done(&t);
    surface_done(&s);
}

static void wrapping(void **state)
{
    (void)state;
    assert_wrapped("one two three", 7, "one two\nthree\n\n\n\n\n");
    assert_wrapped("one two three", 8, "one two\nthree\n\n\n\n\n");
    assert_wrapped("abcdefghij kl", 4, "abcd\nefgh\nij\nkl\n\n\n");
    assert_wrapped("界界界", 5, "界界\n界\n\n\n\n\n");
    assert_wrapped("a\n\nb", 5, "a\n\nb\n\n\n\n");
    assert_wrapped("界", 1, "\n\n\n\n\n\n"); /* no room for it: left out, and the end is reached */
    assert_wrapped("", 5, "\n\n\n\n\n\n");
    assert_wrapped("x\n- one two three\ny z", 9, "x\n- one two\n  three\ny z\n\n\n"); /* an item hangs below its words */
    assert_wrapped("1  one two", 7, "1  one\n   two\n\n\n\n\n");
    assert_wrapped("3 one two", 6, "3 one\ntwo\n\n\n\n\n");
    assert_wrapped("- abcdef", 2, "-\nab\ncd\nef\n\n\n"); /* no room to hang in */
}

static void colours_as_escapes(void **state)
{
    (void)state;
    struct surface s = grid(4, 1, false);
    struct buf b = {0};
    surface_puts(&s, surface_all(&s), 0, 0, ROLE_CACHED, "ab");
    surface_puts(&s, surface_all(&s), 2, 0, ROLE_TEXT | STYLE_REVERSE, "c");
    surface_to_ansi(&s, theme_find("default"), &b);
    assert_string_equal(buf_text(&b), "\033[0;32mab\033[0;7mc\033[0m\n");
    buf_clear(&b);
    surface_to_ansi(&s, theme_find("mono"), &b);
    assert_null(strstr(buf_text(&b), ";3")); /* no colour at all */
    buf_free(&b);
    surface_done(&s);
}

/* In every theme what must be told apart is: cached, computed, generated and changed differ in paint. */
static void themes_tell_apart(void **state)
{
    (void)state;
    unsigned n = 0;
    for (const struct theme *t; (t = theme_at(n)) != NULL; n++) {
        const unsigned role[] = {ROLE_CACHED, ROLE_COMPUTED, ROLE_GENERATED};
        for (unsigned i = 0; i < 3; i++) {
            struct paint a = theme_paint(t, role[i]), b = theme_paint(t, role[(i + 1) % 3]);
            assert_true(a.fg != b.fg || a.bg != b.bg || a.flags != b.flags);
        }
        assert_ptr_equal(theme_find(t->name), t);
    }
    assert_true(n >= 5);
    assert_null(theme_find("no such theme"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_characters), cmocka_unit_test(clipping), cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(lines_join), cmocka_unit_test(ascii_only), cmocka_unit_test(wrapping),
        cmocka_unit_test(colours_as_escapes), cmocka_unit_test(themes_tell_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
