#include "ui/list.h"

#include <stdio.h>
#include <string.h>

#include "base/xalloc.h"
#include "ui/text.h"

enum { STEP_WIDTH = 14 };

void list_done(struct list *l)
{
    xfree(l->line);
    buf_free(&l->words);
    *l = (struct list){0};
}

void list_clear(struct list *l)
{
    l->n = 0;
    buf_clear(&l->words);
}

void list_add(struct list *l, uint32_t step, unsigned style, const char *fmt, ...)
{
    void *line = l->line;
    bool room = xgrow(&line, &l->cap, (size_t)l->n + 1, sizeof *l->line);
    l->line = line;
    size_t text = l->words.len;
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&l->words, fmt, args);
    va_end(args);
    buf_putc(&l->words, '\0');
    if (room && !l->words.failed)
        l->line[l->n++] = (struct list_line){step, (uint16_t)style, text};
}

const char *list_text(const struct list *l, int line)
{
    return buf_text(&l->words) + l->line[line].text;
}

/* Cells before the words of a line ("  53     Node …"): its other rows begin below the words. */
static int indent_of(const char *text, int width)
{
    int n = (int)strspn(text, " >0123456789");
    return n < width / 3 ? n : 0;
}

/* The words of a line wrapped into the room left of its step. */
static int wrap_line(const struct list *l, int line, int width, struct text *t)
{
    const char *text = list_text(l, line);
    int indent = indent_of(text, width);
    text_clear(t);
    text_puts(t, l->line[line].style, text + indent);
    text_wrap(t, width - indent - (l->line[line].step != 0 ? STEP_WIDTH : 0));
    return indent;
}

static int line_rows(const struct list *l, int line, int width, struct text *t)
{
    wrap_line(l, line, width, t);
    return t->lines > 0 ? (int)t->lines : 1;
}

/* The first line to draw so that the chosen one fits: as many of those before it as there is room for, but
 * the chosen one no lower than two thirds down. */
static int first_line(const struct list *l, int chosen, struct rect r, struct text *t)
{
    int all = 0, rows, first = chosen;
    for (int i = 0; i < l->n && all <= r.h; i++)
        all += line_rows(l, i, r.w, t);
    if (all <= r.h || chosen <= 0)
        return 0;
    for (rows = line_rows(l, chosen, r.w, t); first > 0; first--) {
        rows += line_rows(l, first - 1, r.w, t);
        if (rows > r.h * 2 / 3 + 1)
            break;
    }
    return first;
}

void list_draw(const struct list *l, int chosen, struct surface *s, struct rect r)
{
    struct text t = {0};
    int y = r.y;
    char step[24];
    s->cursor_x = r.x;
    s->cursor_y = r.y;
    for (int i = first_line(l, chosen, r, &t); i < l->n && y < r.y + r.h; i++) {
        int indent = wrap_line(l, i, r.w, &t);
        struct rect room = {r.x + indent, y, r.w - indent, r.y + r.h - y};
        surface_text(s, r, r.x, y, l->line[i].style, list_text(l, i), (size_t)indent);
        int rows = text_draw(&t, s, room, 0);
        if (l->line[i].step != 0) {
            snprintf(step, sizeof step, "step %u", l->line[i].step);
            surface_right(s, r, r.x + r.w, y, ROLE_LABEL, step);
        }
        if (i == chosen) {
            surface_style(s, (struct rect){r.x, y, r.w, rows > 0 ? rows : 1}, ROLE_SELECTED);
            s->cursor_y = y;
        }
        y += rows > 0 ? rows : 1;
    }
    text_done(&t);
}
