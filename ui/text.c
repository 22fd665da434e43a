#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

void text_done(struct text *t)
{
    xfree(t->glyph);
    xfree(t->line);
    *t = (struct text){0};
}

void text_clear(struct text *t)
{
    t->n = t->lines = 0;
}

static bool text_room(struct text *t, size_t more)
{
    void *glyph = t->glyph;
    bool ok = xgrow(&glyph, &t->cap, t->n + more, sizeof *t->glyph);
    t->glyph = glyph;
    return ok;
}

void text_add(struct text *t, unsigned style, const char *bytes, size_t n)
{
    if (n == 0 || !text_room(t, n))
        return;
    for (size_t i = 0; i < n;) {
        uint32_t code;
        i += utf8_decode(bytes + i, n - i, &code);
        t->glyph[t->n++] =
            (struct glyph){code, (uint16_t)style, code == '\n' ? 0 : (uint16_t)utf8_width(code)};
    }
}

void text_puts(struct text *t, unsigned style, const char *words)
{
    text_add(t, style, words, strlen(words));
}

void text_printf(struct text *t, unsigned style, const char *fmt, ...)
{
    char words[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    text_puts(t, style, words);
}

static bool push_line(struct text *t, size_t first)
{
    void *line = t->line;
    bool ok = xgrow(&line, &t->line_cap, t->lines + 2, sizeof *t->line);
    t->line = line;
    if (ok)
        t->line[t->lines++] = (uint32_t)first;
    return ok;
}

/* The end of the line that begins at `from`: behind the last place to break that fits. */
static size_t line_end(const struct text *t, size_t from, int width)
{
    int used = 0;
    size_t fits = 0; /* 0: no place to break yet */
    for (size_t i = from; i < t->n; i++) {
        const struct glyph *g = &t->glyph[i];
        if (g->code == '\n')
            return i + 1;
        bool overflows = used + g->width > width;
        if (overflows && g->code != ' ')
            return fits != 0 ? fits : i > from ? i : i + 1;
        if (g->code == ' ' || g->code == '>' || (g->width == 2 && !overflows)) /* '>' ends "<|user|>" */
            fits = i + 1;
        used += g->width;
    }
    return t->n;
}

/* Cells before the words of an item ("- x", "  - x", "2  x"): its other lines begin below the words. */
static int hanging(const struct text *t, size_t from)
{
    size_t i = from, begin = from;
    if (from == 0 || t->glyph[from - 1].code == '\n')
        return 0;
    while (begin > 0 && t->glyph[begin - 1].code != '\n')
        begin--;
    for (i = begin; i < from && t->glyph[i].code == ' '; i++)
        ;
    if (i + 2 < from && t->glyph[i].code == '-' && t->glyph[i + 1].code == ' ')
        return (int)(i + 2 - begin) * 2 < t->width ? (int)(i + 2 - begin) : 0;
    bool option = i + 3 < from && t->glyph[i].code >= '0' && t->glyph[i].code <= '9' && t->glyph[i + 1].code == ' ' &&
                  t->glyph[i + 2].code == ' ';
    return option && (int)(i + 3 - begin) * 2 < t->width ? (int)(i + 3 - begin) : 0;
}

void text_wrap(struct text *t, int width)
{
    t->lines = 0;
    t->width = width;
    for (size_t i = 0; i < t->n;) {
        if (!push_line(t, i))
            break;
        int room = width - hanging(t, i);
        i = line_end(t, i, room > 0 ? room : 1);
        t->line[t->lines] = (uint32_t)i;
    }
}

size_t text_line_of(const struct text *t, size_t glyph)
{
    size_t at = 0;
    while (at + 1 < t->lines && t->line[at + 1] <= glyph)
        at++;
    return at;
}

int text_column_of(const struct text *t, size_t glyph)
{
    size_t line = text_line_of(t, glyph);
    int x = t->lines > 0 ? hanging(t, t->line[line]) : 0;
    for (size_t i = t->lines > 0 ? t->line[line] : glyph; i < glyph && i < t->n; i++)
        x += t->glyph[i].width;
    return x;
}

int text_draw(const struct text *t, struct surface *s, struct rect r, size_t first)
{
    int drawn = 0;
    for (size_t k = first; k < t->lines && drawn < r.h; k++, drawn++) {
        int x = r.x + hanging(t, t->line[k]);
        for (size_t i = t->line[k]; i < t->line[k + 1]; i++)
            if (t->glyph[i].code != '\n')
                x += surface_put(s, r, x, r.y + drawn, t->glyph[i].style, t->glyph[i].code);
    }
    return drawn;
}
