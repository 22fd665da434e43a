#include "ui/view_compare.h"

#include <stdio.h>
#include <string.h>

#include "ui/command.h"
#include "ui/text.h"

enum { WHO_ROWS = 2, LEAST_TREE = 3 };

/* ---- words ------------------------------------------------------------------------------------------ */

static void add_who(struct history h, const struct event_words *words, const char *why, struct buf *b)
{
    if (why != NULL && why[0] != '\0') {
        buf_puts(b, why); /* another run: its branches are not counted here */
        return;
    }
    buf_printf(b, "branch %d, ", h.branch + 1);
    lockstep_origin(h, words, b);
}

/* Tokens that the right one takes from the cache and the left one does not, or the other way round. */
static void add_gain(int64_t gain, struct buf *b)
{
    if (gain == 0)
        buf_puts(b, "the same");
    else
        buf_printf(b, "%lld %s", (long long)(gain > 0 ? gain : -gain), gain > 0 ? "saved" : "lost");
}

static void add_cached(const struct lock_request *q, struct buf *b)
{
    if (q == NULL)
        buf_printf(b, " %12s", "-");
    else if (q->refused)
        buf_printf(b, " %12s", "refused");
    else
        buf_printf(b, " %5u of %3u", q->cached, q->prompt);
}

static int write_name(const struct lock_request *q, char *out, size_t n)
{
    return q->key != 0 ? snprintf(out, n, "key %u", q->key) : snprintf(out, n, "%u", q->rid);
}

static void add_row(const struct lock_request *left, const struct lock_request *right, struct buf *b)
{
    char name[48];
    int n = write_name(left != NULL ? left : right, name, sizeof name);
    if (left != NULL && right != NULL && (left->rid != right->rid || left->key != right->key)) {
        n += snprintf(name + n, sizeof name - (size_t)n, " / ");
        write_name(right, name + n, sizeof name - (size_t)n);
    }
    buf_printf(b, "%13s ", name);
    add_cached(left, b);
    buf_puts(b, " ");
    add_cached(right, b);
    buf_puts(b, "   ");
    if (left != NULL && right != NULL)
        add_gain((int64_t)right->cached - left->cached, b);
    else
        buf_puts(b, left != NULL ? "only on the left" : "only on the right");
}

static void add_sum(const struct lockstep *k, const char *name, uint32_t at, uint32_t right_at, struct buf *b)
{
    struct lock_sum l = lockstep_sum(k, 0, at), r = lockstep_sum(k, 1, right_at);
    buf_printf(b, "%s: left %llu of %llu, right %llu of %llu cached: ", name,
               (unsigned long long)l.cached, (unsigned long long)l.prompt, (unsigned long long)r.cached,
               (unsigned long long)r.prompt);
    add_gain((int64_t)r.cached - (int64_t)l.cached, b);
}

static void add_difference(const struct lockstep *k, uint32_t at, const char *key, struct buf *b)
{
    uint32_t first, next;
    const struct lock_part *p = lockstep_difference(k, 0, 1, &first);
    if (k->compared < k->parts || !k->paired) {
        buf_printf(b, "comparing, %u %%", lockstep_percent(k));
        return;
    }
    if (p == NULL) {
        buf_puts(b, "No difference: every operation does the same in both");
        return;
    }
    buf_printf(b, "First difference: step %u left, ", first);
    if (p->differ[1] != 0)
        buf_printf(b, "%u right", p->differ[1]);
    else
        buf_puts(b, "nothing right");
    if (key != NULL && lockstep_difference(k, at, 1, &next) != NULL)
        buf_printf(b, "; %s: step %u", key, next);
}

static const struct lock_request *partner_of(const struct lockstep *k, int side, const struct lock_request *q)
{
    return q->partner != 0 ? &k->side[1 - side].request[q->partner - 1] : NULL;
}

void compare_text(const struct lockstep *k, const struct ui_words *left, const struct ui_words *right,
                  const char *why_right, uint32_t at, struct buf *out)
{
    buf_puts(out, "left:  ");
    add_who(k->side[0].of, &left->said, NULL, out);
    buf_puts(out, "\nright: ");
    add_who(k->side[1].of, &right->said, why_right, out);
    buf_printf(out, "\n%13s  %12s %12s   %s\n", "asked", "left cached", "right cached", "on the right");
    for (uint32_t i = 0; i < k->side[0].requests; i++) {
        add_row(&k->side[0].request[i], partner_of(k, 0, &k->side[0].request[i]), out);
        buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < k->side[1].requests; i++) {
        if (k->side[1].request[i].partner != 0)
            continue;
        add_row(NULL, &k->side[1].request[i], out);
        buf_putc(out, '\n');
    }
    add_sum(k, "so far", at, lockstep_partner(k, 0, at), out);
    buf_putc(out, '\n');
    add_sum(k, "in all", k->side[0].length, k->side[1].length, out);
    buf_putc(out, '\n');
    add_difference(k, at, NULL, out);
    buf_putc(out, '\n');
}

/* ---- the two columns ---------------------------------------------------------------------------------- */

static void draw_wrapped(struct surface *s, struct rect r, unsigned style, const char *text)
{
    struct text t = {0};
    text_add(&t, style, text, strlen(text));
    text_wrap(&t, r.w);
    text_draw(&t, s, r, 0);
    text_done(&t);
}

static void draw_side(const struct picture *p, struct surface *s, struct rect r, int side, int say, int tree)
{
    const struct lockstep *k = &p->beside->lock;
    const struct moment *m = p->m;
    struct buf b = {0};
    buf_puts(&b, side == 0 ? "left: " : "right: ");
    const char *own = k->side[1].of.tape != k->side[0].of.tape ? p->feed->own : NULL;
    add_who(k->side[side].of, &m->words->said, side == 1 ? p->beside->right.why : own, &b);
    draw_wrapped(s, (struct rect){r.x, r.y, r.w, WHO_ROWS}, ROLE_TITLE, buf_text(&b));
    buf_clear(&b);
    surface_printf(s, r, r.x, r.y + WHO_ROWS, ROLE_KEY, "step %u of %u %s", m->at, m->length,
                   m->at > 0 ? event_info(m->step.kind)->name : "");
    if (m->at > 0)
        event_sentence(m->sc, &m->words->said, m->step.kind, m->step.arg, &b);
    draw_wrapped(s, (struct rect){r.x, r.y + WHO_ROWS + 1, r.w, say}, ROLE_TEXT, buf_text(&b));
    buf_free(&b);
    if (tree >= LEAST_TREE)
        view_tree_draw(p, s, (struct rect){r.x, r.y + WHO_ROWS + 1 + say, r.w, tree});
}

/* The rows of the ledger around the request of this moment. */
static void draw_ledger(const struct picture *p, struct surface *s, struct rect r)
{
    const struct lockstep *k = &p->beside->lock;
    const struct lock_side *left = &k->side[0];
    uint32_t here = 0;
    while (here < left->requests && left->request[here].step <= p->m->at)
        here++;
    uint32_t rows = r.h > 0 ? (uint32_t)r.h : 0, first = here > rows / 2 ? here - rows / 2 : 0;
    if (first + rows > left->requests)
        first = left->requests > rows ? left->requests - rows : 0;
    for (uint32_t i = 0; i < rows && first + i < left->requests; i++) {
        const struct lock_request *q = &left->request[first + i];
        struct buf b = {0};
        bool now = first + i + 1 == here;
        add_row(q, k->paired ? partner_of(k, 0, q) : NULL, &b);
        surface_printf(s, r, r.x, r.y + (int)i, now ? ROLE_TEXT | STYLE_BOLD : q->step <= p->m->at ? ROLE_TEXT : ROLE_QUIET,
                       "%s%s", now ? ">" : " ", buf_text(&b));
        buf_free(&b);
    }
}

static void draw_sums(const struct picture *p, struct surface *s, struct rect r)
{
    const struct lockstep *k = &p->beside->lock;
    struct buf b = {0};
    add_difference(k, p->m->at, keymap_written(p->v->keys, CMD_DIFFERENCE), &b);
    surface_puts(s, r, r.x, r.y + r.h - 1, ROLE_CHANGED, buf_text(&b));
    buf_clear(&b);
    add_sum(k, "so far", p->m->at, p->beside->m.at, &b);
    surface_puts(s, r, r.x, r.y + r.h - 3, ROLE_TEXT | STYLE_BOLD, buf_text(&b));
    buf_clear(&b);
    add_sum(k, "in all", k->side[0].length, k->side[1].length, &b);
    surface_puts(s, r, r.x, r.y + r.h - 2, ROLE_TEXT, buf_text(&b));
    buf_free(&b);
}

/* ---- a design that has no steps ------------------------------------------------------------------------ */

/* As many lines as fit, wrapped; the last one says how many do not. */
static void draw_list(struct surface *s, struct rect r, const char *lines)
{
    struct text t = {0};
    text_add(&t, ROLE_TEXT, lines, strlen(lines));
    text_wrap(&t, r.w);
    int rows = (int)t.lines;
    text_draw(&t, s, rows > r.h ? (struct rect){r.x, r.y, r.w, r.h - 1} : r, 0);
    if (rows > r.h)
        surface_printf(s, r, r.x, r.y + r.h - 1, ROLE_QUIET, "%d more lines", rows - r.h + 1);
    text_done(&t);
}

static void add_tokens(bool refused, uint32_t cached, uint32_t prompt, struct buf *b)
{
    if (refused)
        buf_printf(b, " %12s", "refused");
    else
        buf_printf(b, " %5u of %3u", cached, prompt);
}

static void add_asked(const struct ui_asked *a, uint32_t request, struct buf *b)
{
    buf_printf(b, "%13u ", request);
    add_tokens(a->left_refused, a->left, a->prompt, b);
    buf_puts(b, " ");
    add_tokens(a->right_refused, a->right, a->prompt, b);
    buf_puts(b, "   ");
    add_gain((int64_t)a->right - a->left, b);
}

static void add_sum_asked(const struct beside *k, const char *name, uint32_t requests, struct buf *b)
{
    uint64_t prompt = 0, left = 0, right = 0;
    struct ui_asked a;
    for (uint32_t i = 1; i <= requests && k->designs->asked(k->designs->ctx, k->which, i, &a); i++) {
        prompt += a.prompt;
        left += a.left;
        right += a.right;
    }
    buf_printf(b, "%s: left %llu, right %llu of %llu cached: ", name, (unsigned long long)left, (unsigned long long)right,
               (unsigned long long)prompt);
    add_gain((int64_t)(right - left), b);
}

static void draw_designs_ledger(const struct picture *p, struct surface *s, struct rect r)
{
    const struct beside *k = p->beside;
    uint32_t rows = r.h > 4 ? (uint32_t)r.h - 4 : 0, first = k->requests > rows / 2 ? k->requests - rows / 2 : 1;
    struct ui_asked a;
    struct buf b = {0};
    surface_printf(s, r, r.x, r.y, ROLE_LABEL, " %13s  %12s %12s   %s", "request", "left cached", "right cached", "on the right");
    for (uint32_t i = 0; i < rows && k->designs->asked(k->designs->ctx, k->which, first + i, &a); i++) {
        bool now = first + i == k->requests;
        buf_clear(&b);
        add_asked(&a, first + i, &b);
        surface_printf(s, r, r.x, r.y + 1 + (int)i, now ? ROLE_TEXT | STYLE_BOLD : first + i < k->requests ? ROLE_TEXT : ROLE_QUIET,
                       "%s%s", now ? ">" : " ", buf_text(&b));
    }
    buf_clear(&b);
    add_sum_asked(k, "so far", k->requests, &b);
    surface_puts(s, r, r.x, r.y + r.h - 3, ROLE_TEXT | STYLE_BOLD, buf_text(&b));
    buf_clear(&b);
    add_sum_asked(k, "in all", UINT32_MAX, &b);
    surface_puts(s, r, r.x, r.y + r.h - 2, ROLE_TEXT, buf_text(&b));
    buf_clear(&b);
    uint32_t next = beside_next_otherwise(k, k->requests), one = beside_next_otherwise(k, 0);
    if (one == 0)
        buf_puts(&b, "They save the same for every request");
    else {
        buf_printf(&b, "First difference: request %u", one);
        if (next != 0)
            buf_printf(&b, "; %s: request %u", keymap_written(p->v->keys, CMD_DIFFERENCE), next);
    }
    surface_puts(s, r, r.x, r.y + r.h - 1, ROLE_CHANGED, buf_text(&b));
    buf_free(&b);
}

static void draw_beside_design(const struct picture *p, struct surface *s, struct rect r)
{
    const struct beside *k = p->beside;
    const struct moment *m = p->m;
    int ledger = r.h / 3 < 6 ? 6 : r.h / 3 > 14 ? 14 : r.h / 3, half = (r.w - 3) / 2, under = r.y + r.h - ledger;
    int say = r.h >= 20 ? 4 : 2, tree = r.h - 2 - say - ledger, x = r.x + half + 3;
    struct buf b = {0};
    surface_printf(s, (struct rect){r.x, r.y, half, r.h}, r.x, r.y, ROLE_TITLE, "left: %s", p->feed->own != NULL ? p->feed->own : "");
    surface_printf(s, (struct rect){r.x, r.y, half, r.h}, r.x, r.y + 1, ROLE_KEY, "step %u of %u %s", m->at, m->length,
                   m->at > 0 ? event_info(m->step.kind)->name : "");
    if (m->at > 0)
        event_sentence(m->sc, &m->words->said, m->step.kind, m->step.arg, &b);
    draw_wrapped(s, (struct rect){r.x, r.y + 2, half, say}, ROLE_TEXT, buf_text(&b));
    if (tree >= LEAST_TREE)
        view_tree_draw(p, s, (struct rect){r.x, r.y + 2 + say, half, tree});
    surface_printf(s, r, x, r.y, ROLE_TITLE, "right: %s", k->designs->name(k->designs->ctx, k->which));
    surface_printf(s, r, x, r.y + 1, ROLE_KEY, k->requests > 0 ? "after request %u" : "before the first request", k->requests);
    draw_list(s, (struct rect){x, r.y + 2, half, under - r.y - 2}, buf_text(&k->list));
    surface_vline(s, r, r.x + half + 1, r.y, under - r.y, ROLE_FRAME);
    draw_designs_ledger(p, s, (struct rect){r.x, under, r.w, ledger});
    s->cursor_x = r.x;
    s->cursor_y = r.y + 1;
    buf_free(&b);
}

void view_compare_draw(const struct picture *p, struct surface *s, struct rect r)
{
    if (p->beside != NULL && p->beside->designs != NULL) {
        draw_beside_design(p, s, r);
        return;
    }
    if (p->beside == NULL || !p->beside->open) {
        draw_wrapped(s, r, ROLE_TEXT, "There is nothing to compare with yet: rewind, then : rest, rerun or another command "
                                      "makes a second history.");
        return;
    }
    struct picture right = *p;
    right.m = &p->beside->m;
    int ledger = r.h / 3 < 6 ? 6 : r.h / 3 > 14 ? 14 : r.h / 3, say = r.h >= 20 ? 4 : 2;
    int tree = r.h - WHO_ROWS - 1 - say - ledger, half = (r.w - 3) / 2, under = r.y + r.h - ledger;
    draw_side(p, s, (struct rect){r.x, r.y, half, r.h - ledger}, 0, say, tree);
    draw_side(&right, s, (struct rect){r.x + half + 3, r.y, half, r.h - ledger}, 1, say, tree);
    surface_vline(s, r, r.x + half + 1, r.y, under - r.y, ROLE_FRAME);
    surface_printf(s, r, r.x, under, ROLE_LABEL, " %13s  %12s %12s   %s", "asked", "left cached", "right cached",
                   "on the right");
    draw_ledger(p, s, (struct rect){r.x, under + 1, r.w, ledger - 4});
    draw_sums(p, s, (struct rect){r.x, under, r.w, ledger});
    s->cursor_x = r.x;
    s->cursor_y = r.y + WHO_ROWS;
}
