#include <string.h>

#include "ui/view.h"

/* The whole run on one line, and the keys under it:
 *
 *      |=====h=s====|====h=@------------|-------------   @ here   | request  h hit  m miss  s split  e evict
 *      past '='      marks of steps      still to come '-'
 */

/* The meaning of the marks, at the right end where there is room. */
static const char *legend(struct rect r)
{
    if (r.w < 56)
        return "";
    return r.w >= 100 ? "  h hit  m miss  s split  e evict  | request" : "  h hit m miss s split e evict";
}

static int line_width(struct rect r)
{
    int width = r.w - (int)strlen(legend(r));
    return width < MARK_COLUMNS ? width : MARK_COLUMNS;
}

uint32_t view_timeline_at(const struct picture *p, struct rect r, int x)
{
    int width = line_width(r);
    if (x < r.x || x >= r.x + width)
        return 0;
    uint32_t step = marks_step(p->marks, width, x - r.x);
    return step > 0 ? step : 1;
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
    int width = line_width(r);
    surface_puts(s, r, r.x + r.w - (int)strlen(legend(r)), r.y, ROLE_LABEL, legend(r));
    if (width < 2)
        return;
    const uint8_t *mark = marks_line(p->marks, width);
    int here = marks_column(p->marks, width, p->m->at), end = marks_column(p->marks, width, p->limit);
    for (int i = 0; i < width; i++) {
        enum mark at = i <= end ? (enum mark)mark[i] : MARK_NONE; /* a lesson asks what comes before it shows it */
        uint32_t code = at != MARK_NONE ? (uint32_t)mark_letter(at) : i < here ? '=' : '-';
        surface_put(s, r, r.x + i, r.y, at != MARK_NONE ? mark_style(at) : ROLE_QUIET, code);
    }
    surface_put(s, r, r.x + here, r.y, ROLE_SELECTED | STYLE_BOLD, '@');
    if (p->v->focus == FOCUS_NONE) {
        s->cursor_x = r.x + here;
        s->cursor_y = r.y;
    }
}
