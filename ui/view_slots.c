#include <stdio.h>

#include "ui/view.h"

/* The KV slots, one cell each:
 *
 *         1 AAAAAAAA AAAAAAAA AAAAAAAA AAAAABBB BBBB1111 1111·   …
 *        65 ········                       A-Z node, 1-9 request, · free
 *
 * What changed its owner in this step is reversed. When the pool has more slots than the pane has cells,
 * a cell stands for several ('+': of several owners); larger pools yet are a bar of proportions.
 */

enum { LABEL = 6 };

char view_owner_letter(const struct world *w, uint32_t owner, unsigned *style)
{
    *style = ROLE_QUIET;
    if (owner == OWNER_FREE)
        return '.';
    if (owner == OWNER_TRANSIT) {
        *style = ROLE_HELD;
        return '?';
    }
    if (owner & OWNER_REQUEST) {
        *style = ROLE_HELD;
        return (char)('0' + w->request[owner & ~OWNER_REQUEST].rid % 10);
    }
    *style = theme_owner(w->node[owner].id);
    return node_letter(w, owner);
}

struct grid {
    int per_row, group;
    uint32_t first, per_cell;  /* first slot; slots behind one cell */
};

static struct grid grid_of(const struct moment *m, struct rect r)
{
    uint32_t page = m->sc.w->head.page_size, slots = m->slots - page;
    struct grid g = {.per_row = layout_slots_per_row(r.w, page), .first = page, .per_cell = 1};
    g.group = page >= 4 && page <= 16 ? (int)page : 8;
    uint32_t cells = (uint32_t)(g.per_row * (r.h > 0 ? r.h : 1));
    while (cells * g.per_cell < slots)
        g.per_cell *= 2;
    return g;
}

/* What one cell shows: its slots' owner, whether they have several, whether this step changed it. */
struct cell_of {
    uint32_t owner;
    bool mixed, changed;
};

static struct cell_of cell_of(const struct moment *m, uint32_t first, uint32_t n)
{
    struct cell_of c = {.owner = m->owner[first]};
    for (uint32_t i = first; i < first + n && i < m->slots; i++) {
        c.mixed |= m->owner[i] != c.owner;
        c.changed |= m->owner_before != NULL && m->owner_before[i] != m->owner[i];
    }
    return c;
}

static void draw_cell(const struct picture *p, struct surface *s, struct rect r, int x, int y, uint32_t slot,
                      uint32_t n)
{
    unsigned style;
    struct cell_of c = cell_of(p->m, slot, n);
    char letter = view_owner_letter(p->m->sc.w, c.owner, &style);
    uint32_t code = c.mixed ? '+' : (uint32_t)(unsigned char)letter;
    if (code == '.' && !s->ascii)
        code = 0xb7; /* a middle dot */
    if (c.changed)
        style |= STYLE_REVERSE | STYLE_BOLD;
    surface_put(s, r, x, y, c.mixed ? ROLE_TEXT : style, code);
    if (p->v->focus == FOCUS_SLOTS && p->v->slot >= slot && p->v->slot < slot + n) {
        surface_style(s, (struct rect){x, y, 1, 1}, ROLE_SELECTED | STYLE_UNDER);
        s->cursor_x = x;
        s->cursor_y = y;
    }
}

static void draw_grid(const struct picture *p, struct surface *s, struct rect r)
{
    struct grid g = grid_of(p->m, r);
    uint32_t slot = g.first;
    for (int y = 0; y < r.h && slot < p->m->slots; y++) {
        surface_printf(s, r, r.x, r.y + y, ROLE_LABEL, "%*u", LABEL - 2, slot);
        for (int i = 0; i < g.per_row && slot < p->m->slots; i++, slot += g.per_cell)
            draw_cell(p, s, r, r.x + LABEL - 1 + i + i / g.group, r.y + y, slot, g.per_cell);
    }
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
    uint32_t each = p->m->owner != NULL ? grid_of(p->m, r).per_cell : 0;
    if (each == 1)
        snprintf(out, n, "KV slots");
    else if (each > 1)
        snprintf(out, n, "KV slots, %u a cell", each);
    else
        snprintf(out, n, "KV slots: Protected Evictable Running");
}

void view_slots_counts(const struct picture *p, char *out, size_t n)
{
    const struct head *h = &p->m->sc.w->head;
    snprintf(out, n, "free %u + evictable %u + protected %u + held %u = %u", pool_free_slots(p->m->sc.w),
             h->evictable_size, h->protected_size, moment_held(p->m), h->pool);
}
