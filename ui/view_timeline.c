#include <stdio.h>

#include "ui/view.h"

/* The whole run on one line, and the keys under it:
 *
 *      |=====h=s====|====h=@------------|-------------   @ here   | request  h hit  m miss  s split  e evict
 *      past '='      marks of steps      still to come '-'
 */

/* Tells the marks' meaning at the right end where there is room. Returns the cells it took. */
static int draw_legend(struct surface *s, struct rect r)
{
    static const char LEGEND[] = "  h hit  m miss  s split  e evict  | request";
    static const char SHORT[] = "  h hit m miss s split e evict";
    if (r.w < 56)
        return 0;
    const char *text = r.w >= 100 ? LEGEND : SHORT;
    int n = r.w >= 100 ? (int)sizeof LEGEND - 1 : (int)sizeof SHORT - 1;
    surface_puts(s, r, r.x + r.w - n, r.y, ROLE_LABEL, text);
    return n;
}

static unsigned mark_style(enum mark mark)
{
    switch (mark) {
    case MARK_HIT: return ROLE_CACHED | STYLE_BOLD;
    case MARK_MISS: return ROLE_COMPUTED | STYLE_BOLD;
    case MARK_SPLIT: return ROLE_CHANGED;
    case MARK_EVICT: return ROLE_GONE | STYLE_BOLD;
    default: return ROLE_TEXT | STYLE_BOLD;
    }
}

void view_timeline_draw(const struct picture *p, struct surface *s, struct rect r)
{
    int width = r.w - draw_legend(s, r);
    width = width < MARK_COLUMNS ? width : MARK_COLUMNS;
    if (width < 2)
        return;
    const uint8_t *mark = marks_line(p->marks, width);
    int here = marks_column(p->marks, width, p->m->at);
    for (int i = 0; i < width; i++) {
        enum mark at = (enum mark)mark[i];
        uint32_t code = at != MARK_NONE ? (uint32_t)mark_letter(at) : i < here ? '=' : '-';
        surface_put(s, r, r.x + i, r.y, at != MARK_NONE ? mark_style(at) : ROLE_QUIET, code);
    }
    surface_put(s, r, r.x + here, r.y, ROLE_SELECTED | STYLE_BOLD, '@');
    if (p->v->focus == FOCUS_NONE) {
        s->cursor_x = r.x + here;
        s->cursor_y = r.y;
    }
}
