#include <stdio.h>
#include <string.h>

#include "tape/algorithm.h"
#include "ui/source.h"
#include "ui/text.h"
#include "ui/view.h"

/* The numbered algorithm with this moment's step, and the lines of C that did it:
 *
 *      request 2's edge is split …                        what happened
 *        match_prefix(key)
 *          M3  while a child begins with the next page
 *      >   M3a     fewer tokens equal than it has: …      the step
 *      src/cache/radix.c:219  radix_match_prefix
 *        218         uint32_t equal = common_units(…
 *      > 219         if (equal < NODE(child).len) {       its lines
 *
 * On a wide screen the two stand side by side.
 */

enum { SIDE_BY_SIDE = 140, NUMBER_CELLS = 7 };

/* One line with its mark; what is cut ends in "..". */
static void draw_line(struct surface *s, struct rect r, int y, bool marked, unsigned style, const char *text)
{
    unsigned how = marked ? ROLE_CHANGED | STYLE_BOLD : style;
    surface_puts(s, r, r.x, y, how, marked ? ">" : " ");
    int end = surface_puts(s, r, r.x + 2, y, how, text);
    if (end > r.x + r.w)
        surface_puts(s, r, r.x + r.w - 2, y, ROLE_QUIET, "..");
}

/* The first line to show of [first, end) in h rows, so that `at` is seen with some lines before it. */
static int window(int first, int end, int at, int h)
{
    int top = at - h / 3;
    if (top > end - h)
        top = end - h;
    return top > first ? top : first;
}

/* The algorithm; returns the rows it took. */
static int draw_algorithm(struct surface *s, struct rect r, struct source_part a, const char *label)
{
    int at = a.first;
    while (at < a.end - 1 && !source_says(a, at, label))
        at++;
    int top = window(a.first, a.end, at, r.h), y = r.y;
    for (int k = top; k < a.end && y < r.y + r.h; k++, y++)
        draw_line(s, r, y, source_says(a, k, label), k == a.first ? ROLE_TITLE : ROLE_TEXT, source_text(a, k));
    return y - r.y;
}

static void draw_function(struct surface *s, struct rect r, struct source_part f, const char *label)
{
    char name[64], line[256];
    int at = source_first(f, label);
    if (r.h < 2)
        return;
    source_name(f, name, sizeof name);
    surface_printf(s, r, r.x, r.y, ROLE_LABEL, "%s:%d  %s", f.file->path, at + 1, name);
    int top = window(f.first, f.end, at, r.h - 1), y = r.y + 1;
    for (int k = top; k < f.end && y < r.y + r.h; k++, y++) {
        snprintf(line, sizeof line, "%4d %s", k + 1, f.file->line[k]);
        draw_line(s, r, y, source_does(f, k, label), ROLE_TEXT, line);
        if (k == at) {
            s->cursor_x = r.x;
            s->cursor_y = y;
        }
    }
}

static void draw_both(struct surface *s, struct rect r, const char *label, const char *hint)
{
    struct source_part a = source_algorithm(label), f = source_function(label, hint);
    if (a.file == NULL || f.file == NULL)
        return;
    if (r.w >= SIDE_BY_SIDE) {
        int left = r.w * 9 / 20;
        draw_algorithm(s, (struct rect){r.x, r.y, left - 2, r.h}, a, label);
        draw_function(s, (struct rect){r.x + left, r.y, r.w - left, r.h}, f, label);
        return;
    }
    int most = r.h / 2 < a.end - a.first ? r.h / 2 : a.end - a.first;
    int used = draw_algorithm(s, (struct rect){r.x, r.y, r.w, most}, a, label) + (r.h > 16);
    draw_function(s, (struct rect){r.x, r.y + used, r.w, r.h - used}, f, label);
}

/* What happened, in at most three lines; returns them. */
static int draw_sentence(const struct moment *m, struct surface *s, struct rect r)
{
    struct text t = {0};
    struct buf b = {0};
    event_sentence(m->sc, &m->words->said, m->step.kind, m->step.arg, &b);
    text_add(&t, ROLE_TEXT | STYLE_BOLD, buf_text(&b), b.len);
    text_wrap(&t, r.w);
    int most = r.h >= 18 ? 3 : 2, n = text_draw(&t, s, (struct rect){r.x, r.y, r.w, most}, 0);
    if (t.lines > (size_t)most)
        surface_puts(s, r, r.x + r.w - 2, r.y + most - 1, ROLE_QUIET, "..");
    text_done(&t);
    buf_free(&b);
    return n;
}

static void draw_nothing(const struct moment *m, struct surface *s, struct rect r)
{
    struct text t = {0};
    text_printf(&t, ROLE_TEXT,
                "Step %u (%s) is none of the numbered steps of the radix tree: the model, the pool of slots or the "
                "life of a request has its turn. Right goes on; match_prefix, insert, split_node, the locks, "
                "cache_unfinished_req, cache_finished_req and evict have their code here.",
                m->at, m->at > 0 ? event_info(m->step.kind)->name : "start");
    text_wrap(&t, r.w);
    text_draw(&t, s, r, 0);
    text_done(&t);
}

void view_code_draw(const struct picture *p, struct surface *s, struct rect r)
{
    const struct moment *m = p->m;
    char label[ALGORITHM_LABEL] = "";
    if (m->at > 0)
        algorithm_step(&m->step, m->op_at != 0 ? &m->op : &m->step, label);
    int used = m->at > 0 ? draw_sentence(m, s, r) + (r.h > 12) : 0;
    s->cursor_x = r.x;
    s->cursor_y = r.y;
    r.y += used;
    r.h -= used;
    if (*label == '\0')
        draw_nothing(m, s, r);
    else
        draw_both(s, r, label, m->op_at != 0 ? event_info(m->op.kind)->name : "");
}
