#include "ui/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ui/prefs.h"
#include "ui/term.h"
#include "ui/text.h"

enum { ABOUT_ROWS = 2, NAME_CELLS = 24 };

/* ---- drawing ---------------------------------------------------------------------------------------- */

static bool begins_group(const struct home *h, int i)
{
    return i == 0 || strcmp(h->entry[i].group, h->entry[i - 1].group) != 0;
}

/* Rows above entry i: a title for each group, with a blank line before it where all would fit. */
static int row_of(const struct home *h, int i, bool airy)
{
    int row = 0;
    for (int k = 0; k <= i; k++)
        row += 1 + (begins_group(h, k) ? 1 + (airy && k > 0) : 0);
    return row - 1;
}

static void draw_entry(const struct home *h, struct surface *s, struct rect r, int y, int i)
{
    const struct home_entry *e = &h->entry[i];
    bool chosen = i == h->chosen;
    surface_puts(s, r, r.x, y, ROLE_KEY, chosen ? ">" : " ");
    int x = surface_puts(s, (struct rect){r.x, r.y, NAME_CELLS + 1, r.h}, r.x + 2, y, ROLE_TEXT | STYLE_BOLD, e->name);
    x = x > r.x + NAME_CELLS ? r.x + NAME_CELLS + 2 : r.x + NAME_CELLS;
    int end = surface_puts(s, r, x, y, ROLE_TEXT, e->about);
    if (end > r.x + r.w)
        surface_puts(s, r, r.x + r.w - 2, y, ROLE_QUIET, "..");
    if (!chosen)
        return;
    surface_style(s, (struct rect){r.x, y, r.w, 1}, ROLE_SELECTED);
    s->cursor_x = r.x;
    s->cursor_y = y;
}

static void draw_list(const struct home *h, struct surface *s, struct rect r)
{
    bool airy = row_of(h, h->count - 1, true) < r.h;
    int last = row_of(h, h->count - 1, airy), here = row_of(h, h->chosen, airy);
    int top = last < r.h || here < r.h * 2 / 3 ? 0 : here - r.h * 2 / 3;
    top = top > last - r.h + 1 && last >= r.h ? last - r.h + 1 : top;
    for (int i = 0; i < h->count; i++) {
        int y = r.y + row_of(h, i, airy) - top;
        if (begins_group(h, i) && y - 1 >= r.y && y - 1 < r.y + r.h)
            surface_puts(s, r, r.x, y - 1, ROLE_TITLE, h->entry[i].group);
        if (y >= r.y && y < r.y + r.h)
            draw_entry(h, s, r, y, i);
    }
}

/* What is chosen, in full, and the keys. */
static void draw_foot(const struct home *h, struct surface *s, struct rect r)
{
    struct text t = {0};
    const struct home_entry *e = &h->entry[h->chosen];
    text_printf(&t, ROLE_TEXT, "%s: %s", e->name, e->about);
    text_wrap(&t, r.w);
    text_draw(&t, s, (struct rect){r.x, r.y, r.w, r.h - 1}, 0);
    text_done(&t);
    static const char *const KEYS[][2] = {{"Up", "Down choose"}, {"Enter", "open"}, {"q", "leave"}};
    int x = r.x;
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        x = surface_puts(s, r, x, r.y + r.h - 1, ROLE_KEY, KEYS[i][0]);
        x = surface_puts(s, r, x + 1, r.y + r.h - 1, ROLE_TEXT, KEYS[i][1]) + 3;
    }
}

void home_draw(const struct home *h, struct surface *s)
{
    surface_clear(s);
    struct rect all = {1, 0, s->w - 2, s->h};
    int foot = s->h >= 10 ? ABOUT_ROWS + 1 : 1, head = s->h >= 6;
    if (head)
        surface_puts(s, all, 1, 0, ROLE_HEAD, "radixscope: watch RadixAttention happen");
    struct rect list = {1, head, s->w - 2, s->h - head - foot};
    if (s->h >= 10) {
        surface_box(s, (struct rect){0, 1, s->w, s->h - 1 - foot}, ROLE_FRAME);
        surface_title(s, 0, 1, s->w, ROLE_TITLE, "what can be opened");
        list = (struct rect){2, 2, s->w - 4, s->h - 3 - foot};
    }
    if (h->count == 0)
        return;
    draw_list(h, s, list);
    draw_foot(h, s, (struct rect){1, s->h - foot, s->w - 2, foot});
}

/* ---- keys ------------------------------------------------------------------------------------------- */

enum home_key home_key(struct home *h, int key)
{
    int to = h->chosen;
    switch (key) {
    case K_UP:
    case K_WHEEL_UP:
    case 'k': to--; break;
    case K_DOWN:
    case K_WHEEL_DOWN:
    case 'j': to++; break;
    case K_PAGE_UP: to -= 10; break;
    case K_PAGE_DOWN: to += 10; break;
    case K_HOME: to = 0; break;
    case K_END: to = h->count - 1; break;
    case K_TAB: /* the next group */
        while (to < h->count && strcmp(h->entry[to].group, h->entry[h->chosen].group) == 0)
            to++;
        to = to < h->count ? to : 0;
        break;
    case K_ENTER:
    case '\n':
    case K_RIGHT: return h->count > 0 ? HOME_OPENS : HOME_STAYS;
    case 'q':
    case K_ESC: return HOME_LEAVES;
    default: break;
    }
    h->chosen = to < 0 ? 0 : to >= h->count ? h->count - 1 : to;
    return HOME_STAYS;
}

/* ---- with the terminal ------------------------------------------------------------------------------ */

static const struct theme *choose_theme(const struct ui_options *o, const struct prefs *prefs)
{
    const char *no_colour = getenv("NO_COLOR");
    const struct theme *t = theme_find(o->theme != NULL ? o->theme : prefs->theme[0] != '\0' ? prefs->theme : NULL);
    if (o->mono || t == NULL || (o->theme == NULL && no_colour != NULL && no_colour[0] != '\0'))
        return theme_find("mono");
    return t;
}

static int serve(struct home *h, struct term *term, struct surface *s, const struct theme *theme, struct err *e)
{
    for (;;) {
        term_size(term, &h->w, &h->h);
        if ((h->w != s->w || h->h != s->h) && surface_resize(s, h->w, h->h, e) != 0)
            return -1;
        home_draw(h, s);
        term_draw(term, s, theme);
        if (term_wait(term, -1, -1) & TERM_LOST)
            return err_set(e, "the terminal has gone away");
        for (int key; (key = term_key(term)) != K_NONE;) {
            enum home_key what = key == K_INTERRUPT ? HOME_LEAVES : home_key(h, key);
            if (what != HOME_STAYS)
                return key == K_INTERRUPT ? 130 : what == HOME_LEAVES ? 1 : 0;
        }
    }
}

int home_run(struct home *h, const struct ui_options *options, struct err *e)
{
    struct prefs prefs;
    struct err bad = {0};
    struct surface s;
    prefs_load(&prefs, &bad); /* what is wrong there is said by the stepper */
    struct term *term = term_open(e);
    int rc = -1;
    if (term == NULL)
        return -1;
    if (surface_init(&s, 80, 24, options->ascii || prefs.ascii || !term_utf8(term), e) == 0) {
        rc = serve(h, term, &s, choose_theme(options, &prefs), e);
        surface_done(&s);
    }
    term_close(term);
    return rc;
}
