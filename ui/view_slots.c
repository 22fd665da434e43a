#include <stdio.h>

#include "ui/view.h"

/* The KV slots, one cell each:
 *
 *         1 AAAAAAAA AAAAAAAA AAAAAAAA AAAAABBB BBBB1111 1111·   …
 *        65 ········               A-Z node (later ones a-z), 1-9 request, + being inserted, · free
 *
 * What changed its owner in this step is reversed. Of a pool with more rows than the pane, the rows are
 * shown where this step happens, in windows that move by half pages. Very large pools are a bar of
 * proportions.
 */

char view_node_sign(const struct world *w, uint32_t node)
{
    char letter = node_letter(w, node);
    return letter == '#' ? (char)('a' + (w->node[node].id - 27) % 26) : letter;
}

char view_owner_letter(const struct world *w, uint32_t owner, unsigned *style)
{
    *style = ROLE_QUIET;
    if (owner == OWNER_FREE)
        return '.';
    if (owner == OWNER_TRANSIT) {
        *style = ROLE_HELD;
        return '+';
    }
    if (owner & OWNER_REQUEST) {
        *style = ROLE_HELD;
        return (char)('0' + w->request[owner & ~OWNER_REQUEST].rid % 10);
    }
    *style = theme_owner(w->node[owner].id);
    return view_node_sign(w, owner);
}

struct grid {
    int per_row, group, label;
    uint32_t first, end;       /* slots shown: first … end - 1 */
};

/* The slot to look at: the chosen one, the first that this step changed, or where the path ends. */
static uint32_t slot_focus(const struct picture *p)
{
    const struct moment *m = p->m;
    if (p->v->focus == FOCUS_SLOTS)
        return p->v->slot;
    for (uint32_t i = 0; m->owner_before != NULL && i < m->slots; i++)
        if (m->owner[i] != m->owner_before[i])
            return i;
    uint32_t tip = moment_focus(m);
    return m->sc.w->node[tip].len > 0 ? *node_slots(m->sc, tip) : m->sc.w->head.page_size;
}

static struct grid grid_of(const struct picture *p, struct rect r)
{
    uint32_t page = p->m->sc.w->head.page_size, slots = p->m->slots - page;
    struct grid g = {.per_row = layout_slots_per_row(r.w, slots, page), .group = layout_slot_group(page),
                     .label = layout_slot_label(slots), .first = page, .end = p->m->slots};
    uint32_t row = (uint32_t)g.per_row, h = (uint32_t)(r.h > 0 ? r.h : 1), rows = (slots + row - 1) / row;
    if (rows <= h)
        return g;
    uint32_t half = h / 2 > 0 ? h / 2 : 1, at = slot_focus(p) > page ? (slot_focus(p) - page) / row : 0;
    uint32_t top = at < h ? 0 : at / half * half - (h > 1 ? half / 2 : 0);
    top = top + h <= rows ? top : rows - h;
    g.first = page + top * row;
    g.end = g.first + h * row < g.end ? g.first + h * row : g.end;
    return g;
}

static void draw_cell(const struct picture *p, struct surface *s, struct rect r, int x, int y, uint32_t slot)
{
    const struct moment *m = p->m;
    unsigned style;
    char letter = view_owner_letter(m->sc.w, m->owner[slot], &style);
    uint32_t code = letter == '.' && !s->ascii ? 0xb7 : (uint32_t)(unsigned char)letter; /* a middle dot */
    if (m->owner[slot] != OWNER_FREE && (m->sc.w->kv[slot] & KV_SPOILED) != 0) {
        code = '!'; /* on purpose: poison, share */
        style = ROLE_ALERT | STYLE_BOLD;
    }
    if (m->owner_before != NULL && m->owner_before[slot] != m->owner[slot])
        style |= STYLE_REVERSE | STYLE_BOLD;
    surface_put(s, r, x, y, style, code);
    if (p->v->focus == FOCUS_SLOTS && p->v->slot == slot) {
        surface_style(s, (struct rect){x, y, 1, 1}, ROLE_SELECTED | STYLE_UNDER);
        s->cursor_x = x;
        s->cursor_y = y;
    }
}

static void draw_grid(const struct picture *p, struct surface *s, struct rect r)
{
    struct grid g = grid_of(p, r);
    uint32_t slot = g.first;
    for (int y = r.y; y < r.y + r.h && slot < g.end; y++) {
        surface_printf(s, r, r.x, y, ROLE_LABEL, "%*u", g.label - 1, slot);
        for (int i = 0; i < g.per_row && slot < g.end; i++, slot++)
            draw_cell(p, s, r, r.x + g.label + i + i / g.group, y, slot);
    }
}

uint32_t view_slots_at(const struct picture *p, struct rect r, int x, int y)
{
    if (p->m->owner == NULL)
        return 0;
    struct grid g = grid_of(p, r);
    int column = x - r.x - g.label, group = column / (g.group + 1), in = column % (g.group + 1);
    if (column < 0 || in == g.group || group * g.group + in >= g.per_row)
        return 0;
    uint32_t slot = g.first + (uint32_t)((y - r.y) * g.per_row + group * g.group + in);
    return slot < g.end ? slot : 0;
}

static int bar_part(const struct moment *m, uint32_t units, int width)
{
    return (int)((uint64_t)units * (uint64_t)width / m->sc.w->head.pool);
}

/* A pool too large to be drawn slot by slot: its parts in proportion. */
static void draw_bar(const struct moment *m, struct surface *s, struct rect r)
{
    const struct head *h = &m->sc.w->head;
    int width = r.w * r.h, at = 0;
    const struct {
        uint32_t units, code;
        unsigned style;
    } part[] = {{h->protected_size, 'P', ROLE_CACHED}, {h->evictable_size, 'E', ROLE_COMPUTED},
                {moment_held(m), 'R', ROLE_HELD}};
    for (size_t i = 0; i < ARRAY_LEN(part); i++)
        for (int n = bar_part(m, part[i].units, width); n > 0 && at < width; n--, at++)
            surface_put(s, r, r.x + at % r.w, r.y + at / r.w, part[i].style, part[i].code);
    for (; at < width; at++)
        surface_put(s, r, r.x + at % r.w, r.y + at / r.w, ROLE_QUIET, '.');
}

void view_slots_draw(const struct picture *p, struct surface *s, struct rect r)
{
    if (p->m->owner != NULL)
        draw_grid(p, s, r);
    else
        draw_bar(p->m, s, r);
}

void view_slots_title(const struct picture *p, struct rect r, char *out, size_t n)
{
    if (p->m->owner == NULL) {
        snprintf(out, n, "KV slots: Protected Evictable Running");
        return;
    }
    struct grid g = grid_of(p, r);
    if (g.end - g.first == p->m->slots - p->m->sc.w->head.page_size)
        snprintf(out, n, "KV slots");
    else
        snprintf(out, n, "KV slots %u-%u", g.first, g.end - 1);
}

void view_slots_counts(const struct picture *p, char *out, size_t n)
{
    const struct head *h = &p->m->sc.w->head;
    snprintf(out, n, "free %u + evictable %u + protected %u + held %u = %u", pool_free_slots(p->m->sc.w),
             h->evictable_size, h->protected_size, moment_held(p->m), h->pool);
}
