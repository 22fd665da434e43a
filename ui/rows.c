#include "ui/rows.h"

#include <string.h>

enum { LOOK_BACK = 4096 }; /* rows walked to learn how far down a row stands */

static uint32_t gone_parent(const struct moment *m)
{
    return m->gone != 0 ? moment_touched(m, m->gone)->before[NODE_FIELD(parent)] : 0;
}

static bool has_row(const struct row *row, int n, uint32_t node)
{
    for (int i = 0; i < n; i++)
        if (row[i].node == node && row[i].kind == ROW_NODE)
            return true;
    return false;
}

static int add_marked(const struct moment *m, uint32_t parent, uint32_t node, struct row *out, int n, int most)
{
    const struct world *w = m->sc.w;
    if (n >= most || node == 0 || !node_live(w, node) || w->node[node].parent != parent || has_row(out, n, node))
        return n;
    out[n] = (struct row){ROW_NODE, node};
    return n + 1;
}

/* Children that matter now: leading to the chosen node, on the path, changed by this step. */
static int add_all_marked(const struct moment *m, uint32_t chosen, uint32_t parent, struct row *out, int n)
{
    int most = n + FAN_MARKED;
    for (uint32_t up = chosen; node_live(m->sc.w, up) && up != ROOT; up = m->sc.w->node[up].parent)
        n = add_marked(m, parent, up, out, n, most);
    for (uint32_t i = 0; i < m->path_n; i++)
        n = add_marked(m, parent, m->path[i], out, n, most);
    const unsigned links = 1u << NODE_FIELD(prev) | 1u << NODE_FIELD(next);
    for (uint32_t i = 0; i < m->touched_n; i++)
        if (m->touched[i].fields & ~links) /* a new neighbour is no change of its own */
            n = add_marked(m, parent, m->touched[i].node, out, n, most);
    return n;
}

static int kids_of_many(const struct moment *m, uint32_t chosen, uint32_t parent, struct row out[FAN_ROWS])
{
    const struct world *w = m->sc.w;
    struct row last[FAN_LAST];
    int n = 0, first = FAN_LAST;
    for (uint32_t c = w->node[parent].first_child; n < FAN_FIRST; c = w->node[c].next)
        out[n++] = (struct row){ROW_NODE, c};
    for (uint32_t c = w->node[parent].last_child; first > 0; c = w->node[c].prev)
        last[--first] = (struct row){ROW_NODE, c};
    int marked = add_all_marked(m, chosen, parent, out, n);
    for (int i = n; i < marked; i++) /* the last ones come by themselves */
        if (!has_row(last, FAN_LAST, out[i].node))
            out[n++] = out[i];
    out[n++] = (struct row){ROW_MORE, parent};
    memcpy(out + n, last, sizeof last);
    return n + FAN_LAST;
}

int rows_kids(const struct moment *m, uint32_t chosen, uint32_t parent, struct row out[FAN_ROWS])
{
    const struct world *w = m->sc.w;
    int n = 0;
    if (w->node[parent].child_count > FAN_ALL)
        n = kids_of_many(m, chosen, parent, out);
    else
        for (uint32_t c = w->node[parent].first_child; c != 0; c = w->node[c].next)
            out[n++] = (struct row){ROW_NODE, c};
    if (gone_parent(m) == parent)
        out[n++] = (struct row){ROW_GONE, m->gone};
    return n;
}

uint32_t rows_hidden(const struct moment *m, uint32_t chosen, uint32_t parent)
{
    struct row kid[FAN_ROWS];
    uint32_t shown = 0;
    int n = rows_kids(m, chosen, parent, kid);
    for (int i = 0; i < n; i++)
        shown += kid[i].kind == ROW_NODE;
    return m->sc.w->node[parent].child_count - shown;
}

uint32_t rows_parent(const struct moment *m, struct row at)
{
    if (at.kind == ROW_MORE)
        return at.node;
    return at.kind == ROW_GONE ? gone_parent(m) : m->sc.w->node[at.node].parent;
}

bool rows_last(const struct moment *m, struct row at)
{
    if (at.kind != ROW_NODE)
        return at.kind == ROW_GONE;
    return m->sc.w->node[at.node].next == 0 && (at.node == ROOT || gone_parent(m) != m->sc.w->node[at.node].parent);
}

static int row_index(const struct row *row, int n, struct row at)
{
    for (int i = 0; i < n; i++)
        if (row[i].kind == at.kind && row[i].node == at.node)
            return i;
    return -1; /* a child behind ROW_MORE */
}

struct row rows_next(const struct moment *m, uint32_t chosen, struct row at)
{
    struct row kid[FAN_ROWS];
    if (at.kind == ROW_NODE && rows_kids(m, chosen, at.node, kid) > 0)
        return kid[0];
    for (uint32_t parent = rows_parent(m, at); parent != 0; parent = rows_parent(m, at)) {
        int n = rows_kids(m, chosen, parent, kid), i = row_index(kid, n, at);
        if (i >= 0 && i + 1 < n)
            return kid[i + 1];
        at = (struct row){ROW_NODE, parent};
    }
    return (struct row){0};
}

static struct row deepest(const struct moment *m, uint32_t chosen, struct row at)
{
    struct row kid[FAN_ROWS];
    for (int n; at.kind == ROW_NODE && (n = rows_kids(m, chosen, at.node, kid)) > 0;)
        at = kid[n - 1];
    return at;
}

struct row rows_prev(const struct moment *m, uint32_t chosen, struct row at)
{
    struct row kid[FAN_ROWS];
    uint32_t parent = rows_parent(m, at);
    if (parent == 0)
        return (struct row){0};
    int i = row_index(kid, rows_kids(m, chosen, parent, kid), at);
    return i > 0 ? deepest(m, chosen, kid[i - 1]) : (struct row){ROW_NODE, parent};
}

static struct row walk_back(const struct moment *m, uint32_t chosen, struct row at, int rows)
{
    for (struct row up; rows > 0 && (up = rows_prev(m, chosen, at)).kind != ROW_NONE; rows--)
        at = up;
    return at;
}

/* How many rows stand above `at`; LOOK_BACK when there are more. */
static int rows_above(const struct moment *m, uint32_t chosen, struct row at)
{
    int n = 0;
    while (n < LOOK_BACK && (at = rows_prev(m, chosen, at)).kind != ROW_NONE)
        n++;
    return n;
}

static int fill(const struct moment *m, uint32_t chosen, struct row at, int h, struct row *out)
{
    int n = 0;
    for (; n < h && at.kind != ROW_NONE; at = rows_next(m, chosen, at))
        out[n++] = at;
    return n;
}

int rows_window(const struct moment *m, uint32_t chosen, int h, struct row *out)
{
    struct row at = {ROW_NODE, chosen};
    if (h <= 0)
        return 0;
    int n = fill(m, chosen, (struct row){ROW_NODE, ROOT}, h, out);
    if (row_index(out, n, at) >= 0)
        return n;
    int above = rows_above(m, chosen, at), page = h / 2 > 0 ? h / 2 : 1;
    int back = above == LOOK_BACK ? h / 3 : above % page + page / 2;
    struct row top = walk_back(m, chosen, at, back < h ? back : h - 1);
    n = fill(m, chosen, top, h, out);
    return n == h ? n : fill(m, chosen, walk_back(m, chosen, top, h - n), h, out);
}
