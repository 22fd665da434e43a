#include <stdio.h>
#include <string.h>

#include "ui/view.h"

/* The numbers over time, one row of bars each; the column of this step is marked, its values stand at the end:
 *
 *      hit rate      ▁▁▁▁▂▂▄▄▄▄▅▅▅▅▆▆▆    40 % > 54 %     before this step > after it
 *      free slots    ████▇▇▇▅▅▅▅▄▄▄▂▂▂        12
 *                           ^ step 53 of 169
 */

enum { LABEL_CELLS = 17, VALUE_CELLS = 19, LEVELS = 8, ROWS = NUM_COUNT };

struct row_of {
    enum number number;       /* NUM_LOOKED: the hit rate */
    unsigned style;
};

static const struct row_of NUMBERS[ROWS] = {
    {NUM_LOOKED, ROLE_CACHED},    {NUM_FOUND, ROLE_CACHED}, {NUM_COMPUTED, ROLE_COMPUTED}, {NUM_EVICTABLE, ROLE_COMPUTED},
    {NUM_PROTECTED, ROLE_CACHED}, {NUM_HELD, ROLE_HELD},    {NUM_FREE, ROLE_TEXT},
};

/* What a full bar stands for. */
static uint64_t full(const struct picture *p, enum number which)
{
    uint64_t most = which == NUM_LOOKED ? 100 : p->m->sc.w->head.pool;
    if (which == NUM_FOUND || which == NUM_COMPUTED)
        most = p->series->last.n[NUM_FOUND] > p->series->last.n[NUM_COMPUTED] ? p->series->last.n[NUM_FOUND]
                                                                              : p->series->last.n[NUM_COMPUTED];
    return most > 0 ? most : 1;
}

static uint32_t bar(const struct surface *s, int level)
{
    static const char RAMP[LEVELS + 1] = " .:-=+*#@";
    if (level <= 0)
        return ' ';
    level = level < LEVELS ? level : LEVELS;
    return s->ascii ? (uint32_t)(unsigned char)RAMP[level] : 0x2580u + (uint32_t)level; /* ▁ … █ */
}

/* Columns of bars; a value that is not 0 shows at least the lowest one. */
static void draw_bars(const struct picture *p, struct surface *s, struct rect r, const struct row_of *row)
{
    uint64_t most = full(p, row->number), units = (uint64_t)r.h * LEVELS;
    for (int i = 0; i < r.w; i++) {
        uint32_t step = numbers_step(r.w, i, p->m->length);
        if (step > p->series->read) {
            surface_put(s, r, r.x + i, r.y + r.h - 1, ROLE_QUIET, '?');
            continue;
        }
        struct numbers n = series_near(p->series, step);
        uint64_t v = numbers_value(&n, row->number), up = (v * units + most - 1) / most;
        for (int y = r.h - 1; y >= 0; y--) {
            uint64_t below = (uint64_t)(r.h - 1 - y) * LEVELS;
            uint32_t code = bar(s, up > below ? (int)(up - below) : 0);
            surface_put(s, r, r.x + i, r.y + y, row->style, code);
        }
    }
}

static void draw_value(const struct picture *p, struct surface *s, struct rect r, const struct row_of *row)
{
    char text[64];
    const struct numbers *now = &p->now[1], *was = &p->now[0];
    const char *unit = row->number == NUM_LOOKED ? " %" : "";
    uint64_t a = numbers_value(was, row->number), b = numbers_value(now, row->number);
    bool sums = row->number <= NUM_COMPUTED;
    if (sums && p->m->at > p->series->read)
        snprintf(text, sizeof text, "still counting");
    else if (row->number == NUM_LOOKED && now->n[NUM_LOOKED] == 0)
        snprintf(text, sizeof text, "-");
    else if (a != b)
        snprintf(text, sizeof text, "%llu > %llu%s", (unsigned long long)a, (unsigned long long)b, unit);
    else
        snprintf(text, sizeof text, "%llu%s", (unsigned long long)b, unit);
    surface_right(s, r, r.x + r.w, r.y + r.h - 1, a != b ? ROLE_CHANGED | STYLE_BOLD : ROLE_TEXT, text);
}

static void draw_words(const struct picture *p, struct surface *s, struct rect r)
{
    const struct numbers *n = &p->now[1];
    if (p->m->at > p->series->read) {
        surface_printf(s, r, r.x, r.y, ROLE_ALERT, "Still counting: %u of %u steps.", p->series->read, p->m->length);
        return;
    }
    surface_printf(s, r, r.x, r.y, ROLE_TEXT, "%llu of %llu tokens that were looked for stood in the tree%s",
                   (unsigned long long)n->n[NUM_FOUND], (unsigned long long)n->n[NUM_LOOKED],
                   p->series->read < p->m->length ? " (still counting later steps)." : ".");
}

uint32_t numbers_step(int columns, int column, uint32_t length)
{
    return columns < 2 ? length : (uint32_t)((uint64_t)length * (uint64_t)column / (uint64_t)(columns - 1));
}

void view_numbers_draw(const struct picture *p, struct surface *s, struct rect r)
{
    int width = r.w - LABEL_CELLS - VALUE_CELLS, high = (r.h - 2) / ROWS;
    s->cursor_x = r.x;
    s->cursor_y = r.y;
    if (width < 8 || high < 1) {
        draw_words(p, s, r);
        return;
    }
    high = high < 4 ? high : 4;
    bool apart = r.h - 2 >= ROWS * (high + 1);
    int y = r.y, here = p->m->length == 0 ? 0 : (int)((uint64_t)p->m->at * (uint64_t)(width - 1) / p->m->length);
    for (int i = 0; i < ROWS; i++, y += high + apart) {
        struct rect line = {r.x, y, r.w, high};
        surface_puts(s, line, r.x, y + high - 1, ROLE_LABEL, numbers_name(NUMBERS[i].number));
        draw_bars(p, s, (struct rect){r.x + LABEL_CELLS, y, width, high}, &NUMBERS[i]);
        surface_style(s, (struct rect){r.x + LABEL_CELLS + here, y, 1, high}, ROLE_SELECTED | STYLE_BOLD);
        draw_value(p, s, (struct rect){r.x + LABEL_CELLS + width, y, VALUE_CELLS, high}, &NUMBERS[i]);
    }
    s->cursor_x = r.x + LABEL_CELLS + here;
    s->cursor_y = y;
    surface_puts(s, r, s->cursor_x, y, ROLE_CHANGED | STYLE_BOLD, "^");
    surface_printf(s, (struct rect){r.x, y, LABEL_CELLS, 1}, r.x, y, ROLE_LABEL, "step %u", p->m->at);
    draw_words(p, s, (struct rect){r.x, y + 1, r.w, 1});
}
