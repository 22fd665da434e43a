#include "ui/layout.h"

enum { SMALL_W = 60, SMALL_H = 16, FULL_H = 22 };

int layout_slot_group(uint32_t page)
{
    return page >= 4 && page <= 16 ? (int)page : 8;
}

int layout_slot_label(uint32_t slots)
{
    int digits = 4;
    for (uint32_t ten = 10000; ten <= slots && ten < 1000000000; ten *= 10)
        digits++;
    return digits + 1;
}

int layout_slots_per_row(int width, uint32_t slots, uint32_t page)
{
    int group = layout_slot_group(page), room = width - layout_slot_label(slots);
    int groups = (room + 1) / (group + 1);
    return groups > 0 ? groups * group : room > 0 ? room : 1;
}

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

static int slot_rows(int w, uint32_t slots, uint32_t page, int most)
{
    uint32_t row = (uint32_t)layout_slots_per_row(w - 4, slots, page);
    uint32_t rows = (slots + row - 1) / row;
    return rows < (uint32_t)most ? (int)rows : most;
}

static struct layout layout_plain(int w, int h)
{
    struct layout l = {.kind = LAYOUT_PLAIN, .slots_edge = -1, .story_edge = -1, .time_edge = -1};
    l.title = (struct rect){0, 0, w, h > 1 ? 1 : 0};
    l.keys = (struct rect){0, h - 1, w, h > 3 ? 1 : 0};
    l.body = (struct rect){0, l.title.h, w, h - l.title.h - l.keys.h};
    return l;
}

struct layout layout_make(int w, int h, uint32_t slots, uint32_t page, bool big)
{
    if (w < SMALL_W || h < SMALL_H)
        return layout_plain(w, h);
    bool full = h >= FULL_H;
    struct layout l = {.kind = full ? LAYOUT_FULL : LAYOUT_SMALL, .big = big};
    int story = big ? at_most(9, h / 3) : h >= 30 || w < 80 ? 4 : 3;
    int room = h - (full ? 8 : 6) - story; /* rows for panes and slots */
    int grid = big ? -1 : slot_rows(w, slots, page, at_least(1, full ? room / 3 : 1)); /* -1: nor an edge */
    int panes = room - grid;
    int divide = w < 120 ? w * 3 / 5 : at_most(w * 3 / 5, w - 56);
    l.title = (struct rect){1, 0, w - 2, 1};
    l.tree = (struct rect){1, 2, divide - 1, panes};
    l.request = (struct rect){divide + 1, 2, w - divide - 2, panes};
    l.slots_edge = big ? -1 : 2 + panes;
    l.slots = (struct rect){2, 3 + panes, w - 4, grid};
    l.story_edge = l.slots.y + grid;
    l.story = (struct rect){2, l.story_edge + 1, w - 4, story};
    l.time_edge = full ? l.story.y + story : -1;
    l.time = (struct rect){2, l.story.y + story + (full ? 1 : 0), w - 4, 1};
    l.keys = (struct rect){1, h - 1, w - 2, 1};
    l.body = (struct rect){1, 2, w - 2, h - 4};
    return l;
}

void layout_draw(const struct layout *l, struct surface *s)
{
    if (l->kind == LAYOUT_PLAIN)
        return;
    bool full = l->kind == LAYOUT_FULL;
    int bottom = full ? s->h - 2 : l->time.y; /* a small screen has no line below the sentence: */
    struct rect all = {0, 0, s->w, full ? s->h : bottom}; /* its sides are cut off there */
    surface_hline(s, all, 0, 1, s->w, ROLE_FRAME);
    surface_vline(s, all, 0, 1, bottom, ROLE_FRAME);
    surface_vline(s, all, s->w - 1, 1, bottom, ROLE_FRAME);
    int under = l->slots_edge >= 0 ? l->slots_edge : l->story_edge;
    surface_hline(s, all, 0, under, s->w, ROLE_FRAME);
    surface_hline(s, all, 0, l->story_edge, s->w, ROLE_FRAME);
    surface_vline(s, all, l->request.x - 1, 1, under, ROLE_FRAME);
    if (full) {
        surface_hline(s, all, 0, l->time_edge, s->w, ROLE_FRAME);
        surface_hline(s, all, 0, bottom, s->w, ROLE_FRAME);
    }
}
