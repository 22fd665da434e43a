#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "ui/view.h"

/* Attention as a heat map: who looks (rows) at whom (columns), every token named on both axes.
 *
 *                 Y  .  W         the tokens, downwards
 *                 o  .  h
 *                 =  =  #         = from the cache, + computed earlier, # by this pass, ! spoiled
 *      29 "Where" :: .. @@        " .:-=+*#%@": each mark is a range of per cent
 *
 * A pass of one token has one query: its heads are the rows then. */

enum { LABEL = 15, CELL = 2, NAMES = 7, BELOW = 3 };

struct map {
    const struct insight *in;
    struct look k;
    bool heads;                /* rows are heads */
    uint32_t row0, rows, all_rows;
    uint32_t col0, cols;       /* positions [col0, col0 + cols) */
    uint32_t chosen;           /* row */
    int names;                 /* lines for the tokens above the columns */
};

static const char RAMP[] = " .:-=+*#%@";
static const float FROM[] = {0, 0.01f, 0.02f, 0.05f, 0.1f, 0.2f, 0.3f, 0.5f, 0.7f, 0.9f};

static int level_of(float weight)
{
    int level = 0;
    for (int i = 1; i < (int)ARRAY_LEN(FROM); i++)
        level = weight >= FROM[i] ? i : level;
    return level;
}

/* The first of `room` out of `all` so that `chosen` is among them; moves by half a window. */
static uint32_t window(uint32_t chosen, uint32_t room, uint32_t all)
{
    uint32_t half = room / 2 > 0 ? room / 2 : 1, first = 0;
    if (room >= all)
        return 0;
    while (chosen >= first + room)
        first += half;
    return first + room > all ? all - room : first;
}

static struct map map_of(const struct picture *p, struct rect r)
{
    const struct insight *in = p->insight;
    const struct pass *pass = &in->pass;
    struct map m = {.in = in, .k = p->v->look, .heads = pass->n - pass->from == 1};
    m.names = r.h > 20 ? NAMES : r.h > 14 ? 5 : 3;
    m.all_rows = m.heads ? in->observed.shape.heads : pass->n - pass->from;
    m.chosen = m.heads ? m.k.head : m.k.query - pass->from;
    int rows = r.h - m.names - 2 - BELOW, cols = (r.w - LABEL) / CELL;
    m.rows = rows > 0 ? (uint32_t)rows : 1;
    m.rows = m.rows < m.all_rows ? m.rows : m.all_rows;
    m.cols = cols > 0 ? (uint32_t)cols : 1;
    m.cols = m.cols < pass->n ? m.cols : pass->n;
    m.row0 = window(m.chosen, m.rows, m.all_rows);
    m.col0 = window(m.k.key, m.cols, pass->n);
    return m;
}

/* A token's text downwards, its spaces as '_'. */
static void draw_name(const struct map *m, const struct ui_words *words, struct surface *s, struct rect r, int x,
                      uint32_t token, unsigned style)
{
    struct buf b = {0};
    if (words->bytes != NULL)
        words->bytes(words->ctx, token, &b);
    else
        buf_printf(&b, "%u", token);
    size_t at = 0;
    for (int y = 0; y < m->names && at < b.len; y++) {
        uint32_t code;
        at += utf8_decode(buf_text(&b) + at, b.len - at, &code);
        surface_put(s, r, x, r.y + 1 + y, style, code == ' ' ? '_' : code == UTF8_BAD || code < ' ' ? '?' : code);
    }
    buf_free(&b);
}

static void draw_columns(const struct map *m, struct surface *s, struct rect r)
{
    for (uint32_t i = 0; i < m->cols; i++) {
        unsigned role;
        int x = r.x + LABEL + (int)i * CELL;
        uint32_t position = m->col0 + i;
        char mark = insight_mark(m->in, position, &role);
        draw_name(m, m->in->words, s, r, x, m->in->pass.token[position], role);
        surface_put(s, r, x, r.y + 1 + m->names, position == m->k.key ? role | STYLE_REVERSE : role, (uint32_t)mark);
    }
    surface_puts(s, r, r.x, r.y + 1 + m->names, ROLE_LABEL, m->heads ? "head" : "looks at ->");
}

static void draw_label(const struct map *m, struct surface *s, struct rect r, int y, uint32_t row)
{
    struct rect room = {r.x, y, LABEL - 1, 1};
    unsigned style = row == m->chosen ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT;
    if (m->heads) {
        surface_printf(s, room, r.x, y, style, "%chead %u", row == m->chosen ? '>' : ' ', row);
        return;
    }
    struct buf b = {0};
    insight_token(m->in, m->in->pass.token[m->in->pass.from + row], &b);
    surface_printf(s, room, r.x, y, style, "%c%u %s", row == m->chosen ? '>' : ' ', m->in->pass.from + row, buf_text(&b));
    buf_free(&b);
}

static bool row_weights(const struct map *m, uint32_t row, float *weight)
{
    const struct pass *p = &m->in->pass;
    return insight_weights(m->in, m->k.layer, m->heads ? row : m->k.head, m->heads ? p->n - 1 : p->from + row, weight);
}

static void draw_row(const struct map *m, struct surface *s, struct rect r, int y, uint32_t row, float *weight)
{
    const struct pass *p = &m->in->pass;
    uint32_t query = m->heads ? p->n - 1 : p->from + row;
    draw_label(m, s, r, y, row);
    if (!row_weights(m, row, weight)) {
        surface_puts(s, r, r.x + LABEL, y, ROLE_ALERT, "not kept");
        return;
    }
    for (uint32_t i = 0; i < m->cols && m->col0 + i <= query; i++) {
        unsigned role;
        int level = level_of(weight[m->col0 + i]), x = r.x + LABEL + (int)i * CELL;
        insight_mark(m->in, m->col0 + i, &role);
        role |= level > 5 ? STYLE_BOLD : 0;
        surface_put(s, r, x, y, role, (uint32_t)RAMP[level]);
        surface_put(s, r, x + 1, y, role, (uint32_t)RAMP[level]);
    }
    if (row != m->chosen)
        return;
    int x = r.x + LABEL + (int)(m->k.key - m->col0) * CELL;
    surface_style(s, (struct rect){x, y, CELL, 1}, ROLE_SELECTED | STYLE_REVERSE);
    s->cursor_x = x;
    s->cursor_y = y;
}

/* What the chosen cell says, in words. */
static void draw_words(const struct map *m, struct surface *s, struct rect r, float *weight)
{
    const struct pass *p = &m->in->pass;
    uint32_t query = m->heads ? p->n - 1 : p->from + m->chosen;
    struct buf who = {0}, whom = {0};
    unsigned role;
    char mark = insight_mark(m->in, m->k.key, &role);
    insight_token(m->in, p->token[query], &who);
    insight_token(m->in, p->token[m->k.key], &whom);
    int y = r.y + r.h - BELOW;
    if (m->k.key > query)
        surface_printf(s, r, r.x, y, ROLE_TEXT, "%s at %u cannot look at %s at %u: it comes later", buf_text(&who), query,
                       buf_text(&whom), m->k.key);
    else if (row_weights(m, m->chosen, weight))
        surface_printf(s, r, r.x, y, ROLE_TEXT | STYLE_BOLD, "%.2f %%: %s at %u looks at %s at %u (slot %u, %s)",
                       (double)weight[m->k.key] * 100, buf_text(&who), query, buf_text(&whom), m->k.key,
                       p->slot[m->k.key],
                       mark == '=' ? "cached" : mark == '+' ? "computed earlier" : mark == '!' ? "spoiled" : "computed now");
    buf_free(&who);
    buf_free(&whom);
    surface_puts(s, r, r.x, y + 1, ROLE_LABEL, "from %: .1 :2 -5 =10 +20 *30 #50 %70 @90");
    surface_puts(s, r, r.x, y + 2, ROLE_LABEL, "columns: = cached + earlier # now ! spoiled");
}

void view_attention_draw(const struct picture *p, struct surface *s, struct rect r)
{
    const struct insight *in = p->insight;
    const char *missing = insight_missing(in);
    s->cursor_x = r.x;
    s->cursor_y = r.y;
    if (in->found != 0)
        missing = "No forward pass has run by this step: press ] for the next request.";
    float *weight = missing == NULL ? xmalloc(in->pass.n * sizeof *weight) : NULL;
    if (weight == NULL) {
        surface_puts(s, r, r.x, r.y, ROLE_ALERT, missing != NULL ? missing : "There is no memory for the weights.");
        return;
    }
    struct map m = map_of(p, r);
    surface_printf(s, r, r.x, r.y, ROLE_TITLE, "layer %u of 0-%u, %s %u of 0-%u: request %u, step %u", m.k.layer,
                   in->observed.shape.layers - 1, "head", m.k.head, in->observed.shape.heads - 1, in->pass.rid,
                   in->pass.step);
    draw_columns(&m, s, r);
    for (uint32_t i = 0; i < m.rows; i++)
        draw_row(&m, s, r, r.y + 2 + m.names + (int)i, m.row0 + i, weight);
    draw_words(&m, s, r, weight);
    xfree(weight);
}
