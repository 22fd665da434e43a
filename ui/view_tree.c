#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ui/rows.h"
#include "ui/view.h"

/* A row of the tree:
 *
 *      > │ ├ B* " What color is the sk.."    36>7    0    9    0
 *      ^ ^   ^^  text of the edge            columns: length, locks, last access, hits
 *      │ │   │└ changed by this step             "36>7": it was 36 before this step
 *      │ │   └ the node's letter, the same in slots, request and sentence
 *      │ └ lines of the tree
 *      └ on the path of the current request
 */

enum { MARGIN = 2, INDENT = 2, MOST_ROWS = 256 };

struct column {
    const char *name;
    unsigned field;   /* word of struct node */
    int width;
    int from;         /* shown in panes of this width and more */
};

static const struct column COLUMNS[] = {
    {"tokens", NODE_FIELD(len), 6, 0},
    {"lock", NODE_FIELD(lock_ref), 4, 0},
    {"used", NODE_FIELD(last_access), 5, 40},
    {"hits", NODE_FIELD(hit_count), 5, 56},
    {"prio", NODE_FIELD(priority), 6, 84},
};

static int columns_width(int pane)
{
    int width = 0;
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++)
        width += pane >= COLUMNS[i].from ? COLUMNS[i].width + 1 : 0;
    return width;
}

/* 1234567 as "1.2M": a column keeps its width. */
static void short_number(uint32_t v, int width, char *out, size_t n)
{
    if (snprintf(out, n, "%u", v) <= width)
        return;
    if (v < 1000000)
        snprintf(out, n, "%uk", v / 1000);
    else
        snprintf(out, n, "%uM", v / 1000000);
}

static void field_text(const struct moment *m, uint32_t node, const struct column *c, char *out, size_t n)
{
    const uint32_t *word = (const uint32_t *)&m->sc.w->node[node];
    const struct touched *t = moment_touched(m, node);
    bool changed = t != NULL && (t->fields >> c->field & 1) != 0;
    bool made = changed && moment_changed(m, node, NODE_FIELD(parent)) && t->before[NODE_FIELD(parent)] == 0;
    if (changed && !made && c->field != NODE_FIELD(priority) && c->field != NODE_FIELD(last_access) &&
        snprintf(out, n, "%u>%u", t->before[c->field], word[c->field]) <= c->width)
        return;
    if (c->field == NODE_FIELD(priority))
        snprintf(out, n, "%d", (int)word[c->field]);
    else
        short_number(word[c->field], c->width, out, n);
}

static void draw_columns(const struct moment *m, struct surface *s, struct rect r, int y, uint32_t node)
{
    int x = r.x + r.w - columns_width(r.w);
    char text[48];
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
        const struct column *c = &COLUMNS[i];
        if (r.w < c->from)
            continue;
        x += c->width + 1;
        field_text(m, node, c, text, sizeof text);
        unsigned style = moment_changed(m, node, c->field) ? ROLE_CHANGED : ROLE_TEXT;
        surface_right(s, r, x, y, style, text);
    }
}

static void draw_heads(struct surface *s, struct rect r)
{
    int x = r.x + r.w - columns_width(r.w);
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
        if (r.w < COLUMNS[i].from)
            continue;
        x += COLUMNS[i].width + 1;
        surface_right(s, r, x, r.y, ROLE_LABEL, COLUMNS[i].name);
    }
}

static int row_depth(const struct outline *o, struct row at)
{
    int depth = 0;
    for (uint32_t p = rows_parent(o, at); p != 0; p = o->m->sc.w->node[p].parent)
        depth++;
    return depth;
}

/* The lines before a row: for each level above it whether that branch goes on. Levels left of `skip` are
 * cut off (a very deep tree). */
static void draw_guides(const struct outline *o, struct surface *s, struct rect r, int y, struct row at,
                        int depth, int skip)
{
    const char *branch = surface_glyph(s, rows_last(o, at) ? "└" : "├", rows_last(o, at) ? "`" : "|");
    for (int level = depth; level > skip; level--) {
        int x = r.x + MARGIN + (level - 1 - skip) * INDENT;
        if (level == depth)
            surface_puts(s, r, x, y, ROLE_FRAME, branch);
        else if (!rows_last(o, at))
            surface_puts(s, r, x, y, ROLE_FRAME, surface_glyph(s, "│", "|"));
        at = (struct row){ROW_NODE, rows_parent(o, at)};
    }
    if (skip > 0 && depth > 0)
        surface_puts(s, r, r.x + MARGIN, y, ROLE_QUIET, "..");
}

/* The text of an edge in quotes, shortened to `width` cells. */
static void draw_edge(const struct moment *m, struct surface *s, struct rect clip, int x, int y,
                      unsigned style, const uint32_t *token, uint32_t n)
{
    struct buf b = {0};
    int width = clip.x + clip.w - x;
    moment_tokens(m, token, n, (size_t)(width > 0 ? width : 0) * 4, &b);
    const char *text = buf_text(&b);
    if (width >= 4 && utf8_string_width(text, b.len) + 2 <= width) {
        x = surface_put(s, clip, x, y, style, '"') + x;
        x = surface_text(s, clip, x, y, style, text, b.len);
        surface_put(s, clip, x, y, style, '"');
    } else if (width >= 6) {
        struct rect inner = {clip.x, clip.y, clip.w - 3, clip.h};
        surface_put(s, clip, x, y, style, '"');
        surface_text(s, inner, x + 1, y, style, text, b.len);
        surface_puts(s, clip, clip.x + clip.w - 3, y, style, "..\"");
    }
    buf_free(&b);
}

static int draw_name(const struct moment *m, struct surface *s, struct rect r, int x, int y, uint32_t node,
                     unsigned flags)
{
    char letter = node_letter(m->sc.w, node);
    uint32_t id = m->sc.w->node[node].id;
    if (letter == '#')
        x = surface_printf(s, r, x, y, theme_owner(id) | STYLE_BOLD | flags, "%c%u", view_node_sign(m->sc.w, node),
                           id);
    else
        x = surface_printf(s, r, x, y, theme_owner(id) | STYLE_BOLD | flags, "%c", letter);
    surface_put(s, r, x, y, ROLE_CHANGED, moment_marked(m, node) ? '*' : ' ');
    return x + 1;
}

/* "+3" before the text: so many children are folded away. */
static void draw_fold(const struct outline *o, struct surface *s, struct rect r, int *x, int y, uint32_t node)
{
    struct row kid[FAN_ROWS];
    uint32_t n = o->m->sc.w->node[node].child_count;
    if (n > 0 && rows_kids(o, node, kid) == 0)
        *x = surface_printf(s, r, *x, y, ROLE_LABEL | STYLE_BOLD, "+%u ", n);
}

static void draw_namespace(const struct moment *m, struct surface *s, struct rect r, int *x, int y,
                           uint32_t node)
{
    uint32_t ns = m->sc.w->node[node].ns;
    if (ns != 0 && ns != m->sc.w->node[m->sc.w->node[node].parent].ns)
        *x = surface_printf(s, r, *x, y, ROLE_LABEL, "[%s] ", store_name(m->sc.s, ns));
}

static void draw_node(const struct outline *o, struct surface *s, struct rect r, int x, int y, uint32_t node)
{
    const struct moment *m = o->m;
    struct rect names = {r.x, r.y, r.w - columns_width(r.w) - 1, r.h};
    bool path = moment_on_path(m, node);
    if (path)
        surface_put(s, r, r.x, y, ROLE_CACHED | STYLE_BOLD, '>');
    if (node == ROOT) {
        surface_puts(s, names, x, y, path ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT, "root");
        return;
    }
    x = draw_name(m, s, names, x, y, node, 0) + 1;
    draw_fold(o, s, names, &x, y, node);
    draw_namespace(m, s, names, &x, y, node);
    draw_edge(m, s, names, x, y, path ? ROLE_TEXT | STYLE_BOLD : ROLE_TEXT, node_tokens(m->sc, node),
              node_raw_len(m->sc.w, node));
    draw_columns(m, s, r, y, node);
}

/* What a removed node was; its edge's tokens are still in the store. */
static void draw_gone(const struct moment *m, struct surface *s, struct rect r, int x, int y)
{
    const uint32_t *was = moment_touched(m, m->gone)->before;
    uint32_t id = was[NODE_FIELD(id)];
    struct rect names = {r.x, r.y, r.w - columns_width(r.w) - 1, r.h};
    if (id <= 26)
        x = surface_printf(s, names, x, y, ROLE_GONE | STYLE_BOLD, "%c* ", 'A' + (int)id - 1);
    else
        x = surface_printf(s, names, x, y, ROLE_GONE | STYLE_BOLD, "%u* ", id);
    x = surface_puts(s, names, x, y, ROLE_GONE | STYLE_BOLD, "gone ");
    draw_edge(m, s, names, x, y, ROLE_GONE, m->sc.s->token + was[NODE_FIELD(key_off)],
              was[NODE_FIELD(len)] + m->sc.w->head.bigram);
    char text[16];
    snprintf(text, sizeof text, "%u", was[NODE_FIELD(len)]);
    surface_right(s, r, r.x + r.w - columns_width(r.w) + COLUMNS[0].width + 1, y, ROLE_GONE, text);
}

/* 7368 as "7,368". */
static void grouped(uint32_t v, char *out, size_t n)
{
    char digits[16];
    int len = snprintf(digits, sizeof digits, "%u", v);
    size_t used = 0;
    for (int i = 0; i < len && used + 2 < n; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

/* The children that are not shown: how many, and what they mean for the cache. */
static void draw_more(const struct outline *o, struct surface *s, struct rect r, int x, int y, uint32_t parent)
{
    char count[24];
    int hits = rows_hidden_hits(o, parent);
    struct rect names = {r.x, r.y, r.w - columns_width(r.w) - 1, r.h};
    grouped(rows_hidden(o, parent), count, sizeof count);
    x = surface_printf(s, names, x, y, ROLE_QUIET, ".. %s more", count);
    if (hits >= 0)
        surface_printf(s, r, x, y, ROLE_QUIET, ", %d %% of hits", hits);
}

static void draw_row(const struct picture *p, const struct outline *o, struct surface *s, struct rect r,
                     int y, struct row at, int depth, int skip)
{
    const struct moment *m = p->m;
    int x = r.x + MARGIN + (depth - skip > 0 ? depth - skip : 0) * INDENT;
    draw_guides(o, s, r, y, at, depth, skip);
    if (at.kind == ROW_MORE)
        draw_more(o, s, r, x, y, at.node);
    else if (at.kind == ROW_GONE)
        draw_gone(m, s, r, x, y);
    else
        draw_node(o, s, r, x, y, at.node);
    if (p->v->focus == FOCUS_TREE && at.kind == ROW_NODE && at.node == p->v->node) {
        surface_style(s, (struct rect){r.x, y, r.w, 1}, ROLE_SELECTED);
        s->cursor_x = x;
        s->cursor_y = y;
    }
}

/* The tree as the person looks at it. A fold whose node has gone, and whose entry another node uses now,
 * does not count. */
static struct outline outline_of(const struct picture *p, uint32_t folded[VIEW_FOLDS], struct wide *wide)
{
    const struct view *v = p->v;
    const struct world *w = p->m->sc.w;
    bool chosen = v->focus == FOCUS_TREE && node_live(w, v->node);
    struct outline o = {.m = p->m, .chosen = chosen ? v->node : moment_focus(p->m), .order = v->order,
                        .folded = folded, .wide = wide, .only = v->only};
    for (int i = 0; i < v->folds; i++)
        if (node_live(w, v->folded[i]) && w->node[v->folded[i]].id == v->folded_id[i])
            folded[o.folds++] = v->folded[i];
    for (uint32_t up = o.chosen; up > ROOT;
         up = w->node[up].parent) /* what is looked at is never folded away */
        for (int i = 0; i < o.folds; i++)
            if (folded[i] == w->node[up].parent)
                folded[i] = 0;
    return o;
}

static bool has_heads(struct rect r)
{
    return r.h >= 5 && r.w >= 30;
}

/* The rows in a pane, and where they begin. */
static int shown_rows(const struct outline *o, struct rect *r, struct row row[MOST_ROWS])
{
    int heads = has_heads(*r);
    r->y += heads;
    r->h -= heads;
    return rows_window(o, r->h < MOST_ROWS ? r->h : MOST_ROWS, row);
}

int view_tree_rows(const struct picture *p, int w, int most)
{
    struct row row[MOST_ROWS];
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    int n = rows_window(&o, most < MOST_ROWS ? most : MOST_ROWS, row);
    return n + has_heads((struct rect){0, 0, w, n + 1});
}

uint32_t view_tree_unseen(const struct picture *p, struct rect r)
{
    struct row row[MOST_ROWS];
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    int n = shown_rows(&o, &r, row);
    uint32_t seen = 0;
    for (int i = 0; i < n; i++)
        seen += row[i].kind == ROW_NODE && row[i].node != ROOT;
    return p->m->sc.w->head.node_count - 1 - seen;
}

uint32_t view_tree_at(const struct picture *p, struct rect r, int y)
{
    struct row row[MOST_ROWS];
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    int n = shown_rows(&o, &r, row);
    return y >= r.y && y < r.y + n && row[y - r.y].kind == ROW_NODE ? row[y - r.y].node : 0;
}

void view_tree_draw(const struct picture *p, struct surface *s, struct rect r)
{
    struct row row[MOST_ROWS];
    int depth[MOST_ROWS], deepest = 0;
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    if (has_heads(r))
        draw_heads(s, r);
    int n = shown_rows(&o, &r, row);
    for (int i = 0; i < n; i++) {
        depth[i] = row_depth(&o, row[i]);
        deepest = depth[i] > deepest ? depth[i] : deepest;
    }
    int levels = (r.w - MARGIN - columns_width(r.w)) / (2 * INDENT); /* half of the room is for text */
    int skip = deepest > levels ? deepest - levels : 0;
    for (int i = 0; i < n; i++)
        draw_row(p, &o, s, r, r.y + i, row[i], depth[i], skip);
}

void view_tree_map(const struct picture *p, struct surface *s, struct rect r, int x)
{
    struct row row[MOST_ROWS];
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    int n = shown_rows(&o, &r, row);
    if (n < r.h || n < 1 || (row[0].kind == ROW_NODE && row[0].node == ROOT && rows_next(&o, row[n - 1]).kind == ROW_NONE))
        return;
    struct row behind = rows_next(&o, row[n - 1]);
    double from = rows_place(&o, row[0]), to = behind.kind == ROW_NONE ? 1 : rows_place(&o, behind);
    int first = (int)(from * r.h), last = (int)(to * r.h + 0.999);
    last = last <= first ? first + 1 : last > r.h ? r.h : last;
    for (int y = first; y < last; y++)
        surface_put(s, (struct rect){x, r.y, 1, r.h}, x, r.y + y, ROLE_LABEL | STYLE_BOLD, s->ascii ? '#' : 0x2503);
}

void view_tree_title(const struct picture *p, char *out, size_t n)
{
    const struct head *h = &p->m->sc.w->head;
    uint32_t nodes = h->node_count - 1, tokens = h->evictable_size + h->protected_size;
    static const char *const ORDER[ORDER_COUNT] = {"", ", latest first", ", most hits first", ", longest first"};
    const char *what = p->before ? "From the part before" : p->v->only ? "Tree, one path" : p->v->order != 0 ? "Tree" : "Radix tree"; /* first: the end may be cut off */
    snprintf(out, n, "%s%s: %u node%s, %u token%s", what, ORDER[p->v->order], nodes, nodes == 1 ? "" : "s", tokens,
             tokens == 1 ? "" : "s");
}

uint32_t view_tree_neighbour(const struct picture *p, uint32_t node, int dir)
{
    uint32_t folded[VIEW_FOLDS];
    struct wide wide = {0};
    struct outline o = outline_of(p, folded, &wide);
    struct row next = {ROW_NODE, node};
    do
        next = dir > 0 ? rows_next(&o, next) : rows_prev(&o, next);
    while (next.kind == ROW_MORE || next.kind == ROW_GONE);
    return next.kind == ROW_NODE ? next.node : node;
}
