/* text.h: styled text that is wrapped into lines before it is drawn.
 *
 *      text_add(&t, ROLE_CACHED, "You are a helpful ", 18)      glyphs  Y o u   a r e   a …
 *      text_add(&t, ROLE_TODO, "assistant.", 10)                lines   0       18 …
 *      text_wrap(&t, 30); text_draw(&t, s, rect, first);
 *
 * Lines break at spaces, behind '>' (chat templates), beside wide characters, and where a word is longer
 * than the line; '\n' ends a line. A text that ran out of memory keeps what it has. Start from a zeroed struct; end with text_done.
 */
#ifndef RADIXSCOPE_UI_TEXT_H
#define RADIXSCOPE_UI_TEXT_H

#include "ui/surface.h"

struct glyph {
    uint32_t code;
    uint16_t style, width;
};

struct text {
    struct glyph *glyph;
    size_t n, cap;
    uint32_t *line;     /* first glyph of each line, and n behind the last */
    size_t lines, line_cap;
    int width;                /* it was wrapped to */
};

void text_done(struct text *t);
void text_clear(struct text *t);
void text_add(struct text *t, unsigned style, const char *bytes, size_t n);
void text_puts(struct text *t, unsigned style, const char *words);
void text_printf(struct text *t, unsigned style, const char *fmt, ...) PRINTF_LIKE(3, 4);
void text_wrap(struct text *t, int width);                /* fills `line`; `lines` is their number */
size_t text_line_of(const struct text *t, size_t glyph);  /* the line that holds it, after text_wrap */
int text_column_of(const struct text *t, size_t glyph);   /* cells before it in its line, after text_wrap */
/* Draw the lines from `first` on; what does not fit is left out. Returns the lines drawn. */
int text_draw(const struct text *t, struct surface *s, struct rect r, size_t first);

#endif
