#include "lesson/lesson_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

uint32_t span_node_id(const struct span *s)
{
    const char *t = s->target;
    if (s->link != LINK_NODE || t == NULL)
        return 0;
    return t[0] >= 'A' && t[0] <= 'Z' && t[1] == '\0' ? (uint32_t)(t[0] - 'A') + 1 : (uint32_t)strtoul(t, NULL, 10);
}

/* "(B)", "(slot 12)", "(request fish)": what the same object is called everywhere else; nothing where the words
 * say it already. */
static void add_mark(const struct span *s, const char *shown, struct buf *out)
{
    if (s->target == NULL || strstr(shown, s->target) != NULL)
        return;
    if (s->link == LINK_NODE)
        buf_printf(out, " (%s%s)", span_node_id(s) > 26 ? "#" : "", s->target);
    if (s->link == LINK_SLOT)
        buf_printf(out, " (slot %s)", s->target);
    if (s->link == LINK_REQUEST)
        buf_printf(out, " (request %s)", s->target);
    if (s->link == LINK_EVENT || s->link == LINK_KEY)
        buf_printf(out, " (%s)", s->target);
}

int span_show(const struct span *s, const struct lesson_env *env, struct buf *out, struct err *e)
{
    struct value v;
    struct buf text = {0};
    int rc = 0;
    if (s->kind == SPAN_FIGURE && expr_eval(s->expr, env, &v, e) != 0) {
        buf_puts(&text, "?");
        rc = -1;
    } else if (s->kind == SPAN_FIGURE) {
        value_show(&v, s->format, &text);
    } else {
        buf_puts(&text, s->text);
    }
    /* a bare letter is written as everywhere: (B) */
    bool letter = s->link == LINK_NODE && text.len == 1 && strcmp(buf_text(&text), s->target) == 0;
    buf_printf(out, letter ? "(%s)" : "%s", buf_text(&text));
    add_mark(s, buf_text(&text), out);
    buf_free(&text);
    return rc;
}

/* ---- wrapping ----------------------------------------------------------------------------------------- */

struct wrapping {
    struct buf *out;
    int width, indent, hang;  /* hang: more blanks before the lines of a list's item */
    int x;                    /* cells of the line so far */
    bool line;                /* a line has begun */
    bool space;               /* a blank waits to be written before the next word */
    bool pre;
};

static void end_line(struct wrapping *w)
{
    if (w->line)
        buf_putc(w->out, '\n');
    w->line = w->space = false;
    w->x = 0;
}

static void begin_line(struct wrapping *w, int blanks)
{
    if (w->line)
        return;
    buf_printf(w->out, "%*s", blanks, "");
    w->x = blanks;
    w->line = true;
    w->space = false;
}

static void add_word(struct wrapping *w, const char *word, size_t n)
{
    int cells = utf8_string_width(word, n);
    if (w->line && w->space && w->x + 1 + cells > w->width)
        end_line(w);
    begin_line(w, w->indent + w->hang);
    if (w->space && w->x > w->indent + w->hang) {
        buf_putc(w->out, ' ');
        w->x++;
    }
    w->space = false;
    buf_add(w->out, word, n);
    w->x += cells;
}

static void add_words(struct wrapping *w, const char *text)
{
    if (w->pre) {
        begin_line(w, w->indent);
        buf_puts(w->out, text);
        return;
    }
    while (*text != '\0') {
        size_t n = strcspn(text, " \n");
        if (n > 0)
            add_word(w, text, n);
        text += n;
        w->space |= *text != '\0';
        text += strspn(text, " \n");
    }
}

static void begin_part(struct wrapping *w, const struct span *s)
{
    bool first = w->out->len == 0;
    end_line(w);
    if (s->kind == SPAN_PARAGRAPH && !first)
        buf_putc(w->out, '\n');
    if (s->kind == SPAN_PRE && !w->pre && !first)
        buf_putc(w->out, '\n');
    w->pre = s->kind == SPAN_PRE;
    w->hang = s->kind == SPAN_LINE ? w->hang : 0;
    if (s->kind != SPAN_BULLET)
        return;
    begin_line(w, w->indent + 2 * s->indent);
    buf_printf(w->out, "%s ", *s->text != '\0' ? s->text : "-");
    w->x += (int)strlen(*s->text != '\0' ? s->text : "-") + 1;
    w->hang = w->x - w->indent;
}

int prose_show(const struct prose *p, const struct lesson_env *env, int width, int indent, struct buf *out, struct err *e)
{
    struct wrapping w = {.out = out, .width = width, .indent = indent};
    int rc = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct span *s = &p->span[i];
        struct buf text = {0};
        if (s->kind != SPAN_TEXT && s->kind != SPAN_FIGURE) {
            begin_part(&w, s);
            continue;
        }
        bool quoted = (s->flags & SPAN_CODE) != 0 && !w.pre; /* without colours, code needs its quotes */
        buf_puts(&text, quoted ? "`" : "");
        if (span_show(s, env, &text, e) != 0)
            rc = -1;
        buf_puts(&text, quoted ? "`" : "");
        add_words(&w, buf_text(&text));
        buf_free(&text);
    }
    end_line(&w);
    return rc;
}
