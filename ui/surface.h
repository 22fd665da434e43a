/* surface.h: a grid of cells that views draw on, without any terminal.
 *
 *      x →   0   1   2   3   4
 *      y 0 | Y | o | u |   界   |     a wide character fills two cells: the second has width 0
 *      ↓ 1 | ─ | ┬ | ─ | ─ | ─ |     lines that meet join by themselves
 *
 * Everything that is drawn is clipped, by cell, to the rectangle it is given and to the grid: a view cannot
 * write outside its place and need not count columns. Half a wide character is never left: it becomes a
 * space. Control bytes, wrong UTF-8 and joiners never reach the grid (they become '?' or nothing), so what
 * a token holds cannot move the terminal's cursor.
 *
 * An `ascii` surface holds code points below 0x7f alone: lines are + - |, other characters '?'.
 *
 * Invariants: each cell has width 1, or 2 followed by a cell of width 0.
 */
#ifndef RADIXSCOPE_UI_SURFACE_H
#define RADIXSCOPE_UI_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "ui/theme.h"

struct rect {
    int x, y, w, h; /* w or h <= 0: nothing */
};

struct cell {
    uint32_t code;    /* code point; ' ' when empty */
    uint32_t mark[2]; /* combining marks on it, 0 = none */
    uint16_t width;   /* 1, 2, or 0: the right half of its left neighbour */
    uint16_t style;   /* role and flags (theme.h) */
};

struct surface {
    int w, h;
    bool ascii;
    struct cell *cell;      /* (h, w) */
    int cursor_x, cursor_y; /* where the terminal's own cursor sits */
};

/* An empty grid. -1 and *e when there is no memory. Free with surface_done. */
int surface_init(struct surface *s, int w, int h, bool ascii, struct err *e);
void surface_done(struct surface *s);
int surface_resize(struct surface *s, int w, int h, struct err *e); /* cleared; unchanged on failure */
void surface_clear(struct surface *s);

struct rect surface_all(const struct surface *s);
const struct cell *surface_cell(const struct surface *s, int x, int y);

/* Text from (x, y) on one line, clipped to `clip`. Returns the x behind it, had nothing been clipped. */
int surface_text(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text, size_t n);
int surface_puts(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text);
int surface_printf(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *fmt, ...)
    PRINTF_LIKE(6, 7);
/* Text whose last cell is at x - 1. */
void surface_right(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text);
/* One code point; returns its cells. */
int surface_put(struct surface *s, struct rect clip, int x, int y, unsigned style, uint32_t code);
/* Another style for cells that are there. */
void surface_style(struct surface *s, struct rect r, unsigned style);
void surface_fill(struct surface *s, struct rect r, unsigned style); /* spaces */

/* Lines; where they touch others they join. */
void surface_hline(struct surface *s, struct rect clip, int x, int y, int n, unsigned style);
void surface_vline(struct surface *s, struct rect clip, int x, int y, int n, unsigned style);
void surface_box(struct surface *s, struct rect r, unsigned style);
/* " text " on the upper edge of a pane whose edge starts at (x, y) and has n cells. */
void surface_title(struct surface *s, int x, int y, int n, unsigned style, const char *text);

/* The character that stands for `utf8` on this surface: `ascii` where it holds only ASCII. */
const char *surface_glyph(const struct surface *s, const char *utf8, const char *ascii);

/* The grid as lines of text without trailing spaces; with `theme` also colours (ANSI escapes). */
void surface_to_text(const struct surface *s, struct buf *out);
void surface_to_ansi(const struct surface *s, const struct theme *theme, struct buf *out);
/* A picture for a page or a slide: every cell at its place, in a font of one width. */
void surface_to_svg(const struct surface *s, const struct theme *theme, struct buf *out);

#endif
