/* list.h: lines of text to choose from, each of which may lead to a step: causes, the log, invariants.
 *
 *      | 1  request 4 needs 13 slots, 4 are free            step 175 |
 *      |>2  so evict(13) asks lru for leaves                step 176 |   chosen; Enter goes there
 *
 * The application fills a list, a view draws it.
 */
#ifndef RADIXSCOPE_UI_LIST_H
#define RADIXSCOPE_UI_LIST_H

#include "ui/surface.h"

struct list_line {
    uint32_t step;      /* 0: leads nowhere */
    uint16_t style;
    size_t text;        /* where its text begins in `words` */
};

struct list {
    struct list_line *line;
    size_t cap;
    int n;
    int here;           /* the log: the line of this step */
    struct buf words;   /* texts, each with its NUL */
};

void list_done(struct list *l);
void list_clear(struct list *l);
/* A line; a text without memory is left out. */
void list_add(struct list *l, uint32_t step, unsigned style, const char *fmt, ...) PRINTF_LIKE(4, 5);
const char *list_text(const struct list *l, int line);

/* Draw with line `chosen` in sight (and the cursor on it); -1: none is chosen. */
void list_draw(const struct list *l, int chosen, struct surface *s, struct rect r);

#endif
