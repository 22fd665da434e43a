#include "ui/surface.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"

/* ---- the grid --------------------------------------------------------------------------------------- */

static const struct cell BLANK = {.code = ' ', .width = 1};

int surface_init(struct surface *s, int w, int h, bool ascii, struct err *e)
{
    *s = (struct surface){.ascii = ascii};
    return surface_resize(s, w, h, e);
}

void surface_done(struct surface *s)
{
    xfree(s->cell);
    *s = (struct surface){0};
}

int surface_resize(struct surface *s, int w, int h, struct err *e)
{
    w = w > 0 ? w : 1;
    h = h > 0 ? h : 1;
    struct cell *cell = xrealloc(s->cell, (size_t)w * (size_t)h, sizeof *cell);
    if (cell == NULL)
        return err_memory(e, (size_t)w * (size_t)h * sizeof *cell, "the screen");
    s->cell = cell;
    s->w = w;
    s->h = h;
    surface_clear(s);
    return 0;
}

void surface_clear(struct surface *s)
{
    for (int i = 0; i < s->w * s->h; i++)
        s->cell[i] = BLANK;
    s->cursor_x = s->cursor_y = 0;
}

struct rect surface_all(const struct surface *s)
{
    return (struct rect){0, 0, s->w, s->h};
}

static struct cell *cell_at(struct surface *s, int x, int y)
{
    return &s->cell[(size_t)y * (size_t)s->w + (size_t)x];
}

const struct cell *surface_cell(const struct surface *s, int x, int y)
{
    return &s->cell[(size_t)y * (size_t)s->w + (size_t)x];
}

static struct rect clip_to_grid(const struct surface *s, struct rect r)
{
    int right = r.x + r.w < s->w ? r.x + r.w : s->w, bottom = r.y + r.h < s->h ? r.y + r.h : s->h;
    r.x = r.x > 0 ? r.x : 0;
    r.y = r.y > 0 ? r.y : 0;
    r.w = right - r.x;
    r.h = bottom - r.y;
    return r;
}

static bool inside(struct rect r, int x, int y)
{
    return x >= r.x && x < r.x + r.w && y >= r.y && y < r.y + r.h;
}

/* ---- characters ------------------------------------------------------------------------------------- */

/* Whoever overwrites one half of a wide character leaves a space where the other half was. */
static void unhook(struct surface *s, int x, int y)
{
    struct cell *c = cell_at(s, x, y);
    if (c->width == 0 && x > 0)
        *cell_at(s, x - 1, y) = (struct cell){.code = ' ', .width = 1, .style = c->style};
    if (c->width == 2 && x + 1 < s->w)
        *cell_at(s, x + 1, y) = (struct cell){.code = ' ', .width = 1, .style = c->style};
}

static void set_cell(struct surface *s, int x, int y, struct cell c)
{
    unhook(s, x, y);
    *cell_at(s, x, y) = c;
}

/* Marks, joiners and selectors take no cell of their own. Real marks stay on their letter; the others are
 * dropped, because terminals disagree about what they do to a width. */
static bool is_joiner(uint32_t code)
{
    return code == 0x200b || code == 0x200c || code == 0x200d || code == 0x2060 || code == 0xfeff ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x206f) || (code >= 0xfe00 && code <= 0xfe0f) ||
           (code >= 0xe0000 && code <= 0xe0fff);
}

/* What is drawn for a code point; 0: nothing. */
static uint32_t drawable(const struct surface *s, uint32_t code)
{
    if (code == '\n' || code == '\t' || code == '\r' || code == 0xa0)
        return ' ';
    if (code == UTF8_BAD || code < 0x20 || (code >= 0x7f && code < 0xa0) || (code & 0xfffe) == 0xfffe)
        return '?'; /* the last group: no characters, and an SVG may not hold them */
    if (is_joiner(code) || code == 0xad)
        return 0;
    if (s->ascii && code > 0x7e)
        return utf8_width(code) == 0 ? 0 : '?';
    return code;
}

static void add_mark(struct surface *s, struct rect clip, int x, int y, uint32_t mark)
{
    if (!inside(clip, x - 1, y))
        return;
    struct cell *c = cell_at(s, x - 1, y);
    if (c->width == 0 && x >= 2)
        c = cell_at(s, x - 2, y);
    uint32_t *at = c->mark[0] == 0 ? &c->mark[0] : &c->mark[1];
    *at = *at == 0 ? mark : *at;
}

/* `clip` is within the grid already. */
static int put(struct surface *s, struct rect clip, int x, int y, unsigned style, uint32_t code)
{
    code = drawable(s, code);
    if (code == 0)
        return 0;
    int width = utf8_width(code);
    if (width == 0) {
        add_mark(s, clip, x, y, code);
        return 0;
    }
    bool left = inside(clip, x, y), right = width < 2 || inside(clip, x + 1, y);
    if (left && right) {
        set_cell(s, x, y, (struct cell){.code = code, .width = (uint16_t)width, .style = (uint16_t)style});
        if (width == 2)
            set_cell(s, x + 1, y, (struct cell){.style = (uint16_t)style});
        if (width == 2) /* setting the right half took the left one apart */
            *cell_at(s, x, y) = (struct cell){.code = code, .width = 2, .style = (uint16_t)style};
    } else if (left || (width == 2 && right)) { /* half of it is clipped */
        set_cell(s, left ? x : x + 1, y, (struct cell){.code = ' ', .width = 1, .style = (uint16_t)style});
    }
    return width;
}

int surface_put(struct surface *s, struct rect clip, int x, int y, unsigned style, uint32_t code)
{
    return put(s, clip_to_grid(s, clip), x, y, style, code);
}

int surface_text(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text,
                 size_t n)
{
    clip = clip_to_grid(s, clip);
    for (size_t i = 0; i < n;) {
        uint32_t code;
        i += utf8_decode(text + i, n - i, &code);
        x += put(s, clip, x, y, style, code);
    }
    return x;
}

int surface_puts(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text)
{
    return surface_text(s, clip, x, y, style, text, strlen(text));
}

int surface_printf(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    return surface_puts(s, clip, x, y, style, line);
}

void surface_right(struct surface *s, struct rect clip, int x, int y, unsigned style, const char *text)
{
    surface_puts(s, clip, x - utf8_string_width(text, strlen(text)), y, style, text);
}

void surface_style(struct surface *s, struct rect r, unsigned style)
{
    r = clip_to_grid(s, r);
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            cell_at(s, x, y)->style = (uint16_t)style;
}

void surface_fill(struct surface *s, struct rect r, unsigned style)
{
    r = clip_to_grid(s, r);
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            set_cell(s, x, y, (struct cell){.code = ' ', .width = 1, .style = (uint16_t)style});
}

/* ---- lines ------------------------------------------------------------------------------------------ */

/* The arms of a line character: what it joins. */
enum { ARM_UP = 1, ARM_RIGHT = 2, ARM_DOWN = 4, ARM_LEFT = 8 };

static const uint16_t LINE[16] = {
    ' ',    0x2575, 0x2576, 0x2514, 0x2577, 0x2502, 0x250c, 0x251c, /* ' ' ╵ ╶ └ ╷ │ ┌ ├ */
    0x2574, 0x2518, 0x2500, 0x2534, 0x2510, 0x2524, 0x252c, 0x253c, /* ╴ ┘ ─ ┴ ┐ ┤ ┬ ┼ */
};

static unsigned arms_of(uint32_t code)
{
    for (unsigned arms = 1; arms < ARRAY_LEN(LINE); arms++)
        if (LINE[arms] == code)
            return arms;
    return 0;
}

/* ASCII has no corners to tell arms from, so that lines there are drawn over each other. */
static uint32_t ascii_line(uint32_t there, unsigned arms)
{
    bool across = (arms & (ARM_LEFT | ARM_RIGHT)) != 0, upright = (arms & (ARM_UP | ARM_DOWN)) != 0;
    if ((across && upright) || there == '+' || (there == '|' && across) || (there == '-' && upright))
        return '+';
    return across ? '-' : '|';
}

static void add_arms(struct surface *s, struct rect clip, int x, int y, unsigned arms, unsigned style)
{
    if (arms == 0 || !inside(clip, x, y))
        return;
    uint32_t there = cell_at(s, x, y)->code;
    uint32_t code = s->ascii ? ascii_line(there, arms) : LINE[arms_of(there) | arms];
    set_cell(s, x, y, (struct cell){.code = code, .width = 1, .style = (uint16_t)style});
}

void surface_hline(struct surface *s, struct rect clip, int x, int y, int n, unsigned style)
{
    clip = clip_to_grid(s, clip);
    for (int i = 0; i < n; i++)
        add_arms(s, clip, x + i, y, (i > 0 ? ARM_LEFT : 0u) | (i < n - 1 ? ARM_RIGHT : 0u), style);
}

void surface_vline(struct surface *s, struct rect clip, int x, int y, int n, unsigned style)
{
    clip = clip_to_grid(s, clip);
    for (int i = 0; i < n; i++)
        add_arms(s, clip, x, y + i, (i > 0 ? ARM_UP : 0u) | (i < n - 1 ? ARM_DOWN : 0u), style);
}

void surface_box(struct surface *s, struct rect r, unsigned style)
{
    struct rect all = surface_all(s);
    surface_hline(s, all, r.x, r.y, r.w, style);
    surface_hline(s, all, r.x, r.y + r.h - 1, r.w, style);
    surface_vline(s, all, r.x, r.y, r.h, style);
    surface_vline(s, all, r.x + r.w - 1, r.y, r.h, style);
}

void surface_title(struct surface *s, int x, int y, int n, unsigned style, const char *text)
{
    struct rect clip = {x + 1, y, n - 2, 1};
    int width = utf8_string_width(text, strlen(text));
    if (n < 5 || width == 0)
        return;
    struct rect words = {x + 3, y, n - 5 < width ? n - 5 : width, 1};
    surface_put(s, clip, x + 2, y, style, ' ');
    surface_puts(s, words, x + 3, y, style, text);
    surface_put(s, clip, words.x + words.w, y, style, ' ');
}

const char *surface_glyph(const struct surface *s, const char *utf8, const char *ascii)
{
    return s->ascii ? ascii : utf8;
}

/* ---- out of the grid -------------------------------------------------------------------------------- */

static void add_cell(const struct cell *c, struct buf *out)
{
    const uint32_t code[3] = {c->code, c->mark[0], c->mark[1]};
    char bytes[4];
    for (int i = 0; c->width > 0 && i < 3 && code[i] != 0; i++)
        buf_add(out, bytes, utf8_encode(code[i], bytes));
}

/* Does a space in this style show anything? */
static bool style_shows(const struct theme *theme, unsigned style)
{
    struct paint p = theme_paint(theme, style);
    return p.bg >= 0 || (p.flags & (STYLE_UNDER | STYLE_REVERSE)) != 0;
}

/* Cells of line y without the blank ones at its end; with a theme those that are painted count. */
static int used_width(const struct surface *s, int y, const struct theme *theme)
{
    int n = s->w;
    for (; n > 0; n--) {
        const struct cell *c = surface_cell(s, n - 1, y);
        if (c->width != 1 || c->code != ' ' || (theme != NULL && style_shows(theme, c->style)))
            break;
    }
    return n;
}

void surface_to_text(const struct surface *s, struct buf *out)
{
    for (int y = 0; y < s->h; y++) {
        int n = used_width(s, y, NULL);
        for (int x = 0; x < n; x++)
            add_cell(surface_cell(s, x, y), out);
        buf_putc(out, '\n');
    }
}

static void add_paint(struct paint p, struct buf *out)
{
    buf_puts(out, "\033[0");
    buf_puts(out, p.flags & STYLE_BOLD ? ";1" : "");
    buf_puts(out, p.flags & STYLE_UNDER ? ";4" : "");
    buf_puts(out, p.flags & STYLE_REVERSE ? ";7" : "");
    if (p.fg >= 0)
        buf_printf(out, ";%d", 30 + p.fg);
    if (p.bg >= 0)
        buf_printf(out, ";%d", 40 + p.bg);
    buf_putc(out, 'm');
}

void surface_to_ansi(const struct surface *s, const struct theme *theme, struct buf *out)
{
    for (int y = 0; y < s->h; y++) {
        int n = used_width(s, y, theme);
        unsigned style = ROLE_COUNT; /* none yet */
        for (int x = 0; x < n; x++) {
            const struct cell *c = surface_cell(s, x, y);
            if (c->style != style)
                add_paint(theme_paint(theme, style = c->style), out);
            add_cell(c, out);
        }
        buf_puts(out, n > 0 ? "\033[0m\n" : "\n");
    }
}

/* ---- SVG -------------------------------------------------------------------------------------------- */

enum { SVG_W = 9, SVG_H = 19, SVG_BASE = 14 };

static const char *svg_colour(int colour, bool ground)
{
    static const char *const COLOUR[8] = {"#000000", "#c01c28", "#1f7a4d", "#8f6400",
                                          "#1a5fb4", "#9141ac", "#0f7c8a", "#ffffff"};
    return colour >= 0 ? COLOUR[colour & 7] : ground ? "#ffffff" : "#1e1e1e";
}

static void svg_char(const struct cell *c, struct buf *out)
{
    if (c->code == '<' || c->code == '>' || c->code == '&')
        buf_puts(out, c->code == '<' ? "&lt;" : c->code == '>' ? "&gt;" : "&amp;");
    else
        add_cell(c, out);
}

static void svg_cell(const struct cell *c, const struct theme *theme, int x, int y, struct buf *out)
{
    struct paint p = theme_paint(theme, c->style);
    bool reversed = (p.flags & STYLE_REVERSE) != 0;
    const char *ink = svg_colour(p.fg, false), *ground = svg_colour(p.bg, true);
    if (reversed || p.bg >= 0)
        buf_printf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x * SVG_W,
                   y * SVG_H, c->width * SVG_W, SVG_H, reversed ? ink : ground);
    if (c->code == ' ' && !(p.flags & STYLE_UNDER))
        return;
    buf_printf(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\"%s%s>", x * SVG_W, y * SVG_H + SVG_BASE,
               reversed ? ground : ink, p.flags & STYLE_BOLD ? " font-weight=\"bold\"" : "",
               p.flags & STYLE_UNDER ? " text-decoration=\"underline\"" : "");
    svg_char(c, out);
    buf_puts(out, "</text>\n");
}

void surface_to_svg(const struct surface *s, const struct theme *theme, struct buf *out)
{
    buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"monospace\" "
        "font-size=\"15\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        s->w * SVG_W, s->h * SVG_H);
    for (int y = 0; y < s->h; y++)
        for (int x = 0; x < s->w; x++)
            if (surface_cell(s, x, y)->width > 0)
                svg_cell(surface_cell(s, x, y), theme, x, y, out);
    buf_puts(out, "</svg>\n");
}
