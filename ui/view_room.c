#include "ui/view_room.h"

#include <stdio.h>
#include <string.h>

#include "lesson/room.h"

enum { LABEL_CELLS = 12, COUNT_CELLS = 6, MOST_ROWS = 7, TEXT_LEAST = 3 };

static bool is_question(const struct player *p)
{
    return p->phase == PHASE_ASK || p->phase == PHASE_RIGHT || p->phase == PHASE_WRONG;
}

int view_room_rows(const struct ui_room *r, const struct player *p, int h)
{
    if (r == NULL)
        return 0;
    int rows = 1;
    if (is_question(p) && r->shown)
        rows += r->tally->n + (r->tally->others > 0);
    if (rows > MOST_ROWS)
        rows = MOST_ROWS;
    return rows > h - TEXT_LEAST ? (h > TEXT_LEAST) : rows;
}

static void draw_bar(struct surface *s, struct rect r, int y, const char *label, uint32_t count, uint32_t all, bool right)
{
    int room = r.w - LABEL_CELLS - COUNT_CELLS;
    int n = all > 0 && room > 0 ? (int)(((uint64_t)count * (uint64_t)room + all - 1) / all) : 0;
    int x = r.x + LABEL_CELLS;
    surface_puts(s, r, r.x, y, ROLE_KEY, right ? "*" : " ");
    surface_puts(s, (struct rect){r.x, y, LABEL_CELLS - 1, 1}, r.x + 1, y, right ? ROLE_CACHED | STYLE_BOLD : ROLE_TEXT, label);
    for (int i = 0; i < n; i++)
        x = surface_puts(s, r, x, y, right ? ROLE_CACHED : ROLE_COMPUTED, surface_glyph(s, "\u2588", "#"));
    surface_printf(s, r, x + 1, y, ROLE_TEXT | STYLE_BOLD, "%u", count);
}

void view_room_bars(const struct room_tally *t, const char *right, struct surface *s, struct rect r)
{
    int rows = t->n + (t->others > 0), shown = rows > r.h ? r.h - 1 : rows;
    uint32_t left = t->others;
    for (int i = 0; i < t->n; i++)
        if (i < shown)
            draw_bar(s, r, r.y + i, t->one[i].text, t->one[i].count, t->answered, strcmp(right, t->one[i].text) == 0);
        else
            left += t->one[i].count;
    if (left > 0 && shown < r.h)
        draw_bar(s, r, r.y + (shown < t->n ? shown : t->n), "others", left, t->answered, false);
}

/* The answer that stands as right, in the form of answers; "": not yet. */
static void right_answer(const struct player *p, char out[ROOM_ANSWER])
{
    struct err ignored = {0};
    if (p->phase != PHASE_RIGHT || room_answer(player_question(p), p->answered, out, &ignored) != 0)
        *out = '\0';
}

void view_room_draw(const struct ui_room *r, const struct player *p, struct surface *s, struct rect rect)
{
    char right[ROOM_ANSWER];
    if (r == NULL || rect.h < 1)
        return;
    surface_fill(s, rect, ROLE_TEXT);
    surface_puts(s, rect, rect.x, rect.y, ROLE_TITLE | STYLE_BOLD, r->line);
    right_answer(p, right);
    if (is_question(p) && r->shown)
        view_room_bars(r->tally, right, s, (struct rect){rect.x, rect.y + 1, rect.w, rect.h - 1});
}

const char *view_room_enter(const struct ui_room *r, const struct player *p, bool typed)
{
    if (r->follows)
        return p->phase == PHASE_ASK && typed ? "answer" : "to the presenter";
    if (p->phase != PHASE_ASK || typed)
        return NULL;
    return r->tally->answered > 0 && !r->shown ? "show the answers" : "reveal";
}
