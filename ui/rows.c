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

static int add_marked(const struct moment *m, uint32_t parent, uint32_t node, struct row *out, int n,
                      int most)
{
    const struct world *w = m->sc.w;
    if (n >= most || node == 0 || !node_live(w, node) || w->node[node].parent != parent ||
        has_row(out, n, node))
        return n;
    out[n] = (struct row){ROW_NODE, node};
    return n + 1;
}

/* Children that matter now: leading to the chosen node, on the path, changed by this step. */
static int add_all_marked(const struct outline *o, uint32_t parent, struct row *out, int n)
{
    const struct moment *m = o->m;
    int most = n + FAN_MARKED;
    for (uint32_t up = o->chosen; node_live(m->sc.w, up) && up != ROOT; up = m->sc.w->node[up].parent)
        n = add_marked(m, parent, up, out, n, most);
    for (uint32_t i = 0; i < m->path_n; i++)
        n = add_marked(m, parent, m->path[i], out, n, most);
    const unsigned links = 1u << NODE_FIELD(prev) | 1u << NODE_FIELD(next);
    for (uint32_t i = 0; i < m->touched_n; i++)
        if (m->touched[i].fields & ~links) /* a new neighbour is no change of its own */
            n = add_marked(m, parent, m->touched[i].node, out, n, most);
    return n;
}

/* ---- the order of siblings -------------------------------------------------------------------------- */

/* Does a stand before b? Ties keep the order of insertion, which is the order of the array. */
static bool before(const struct outline *o, uint32_t a, uint32_t b)
{
    const struct node *x = &o->m->sc.w->node[a], *y = &o->m->sc.w->node[b];
    switch (o->order) {
    case ORDER_RECENT: return x->last_access > y->last_access;
    case ORDER_HITS: return x->hit_count > y->hit_count;
    case ORDER_LENGTH: return x->len > y->len;
    default: return false;
    }
}

/* Put a node into its place among the best `most` of row[0 … n). Returns the new n. */
static int place(const struct outline *o, struct row *row, int n, int most, uint32_t node)
{
    if (n == most && !before(o, node, row[n - 1].node))
        return n;
    int at = n < most ? n : n - 1;
    for (; at > 0 && before(o, node, row[at - 1].node); at--)
        row[at] = row[at - 1];
    row[at] = (struct row){ROW_NODE, node};
    return n < most ? n + 1 : n;
}

static int first_kids(const struct outline *o, uint32_t parent, struct row *out, int most)
{
    const struct world *w = o->m->sc.w;
    int n = 0;
    for (uint32_t c = w->node[parent].first_child; c != 0 && (o->order != ORDER_INSERTED || n < most);
         c = w->node[c].next)
        n = place(o, out, n, most, c);
    return n;
}

/* In the order of insertion the last ones are shown too: that is where new children come. */
static int kids_of_many(const struct outline *o, uint32_t parent, struct row out[FAN_ROWS])
{
    const struct world *w = o->m->sc.w;
    struct row last[FAN_LAST];
    int n = first_kids(o, parent, out, FAN_FIRST), lasts = o->order == ORDER_INSERTED ? FAN_LAST : 0,
        first = lasts;
    for (uint32_t c = w->node[parent].last_child; first > 0; c = w->node[c].prev)
        last[--first] = (struct row){ROW_NODE, c};
    int marked = add_all_marked(o, parent, out, n);
    for (int i = n; i < marked; i++) /* the last ones come by themselves */
        if (!has_row(last, lasts, out[i].node))
            out[n++] = out[i];
    out[n++] = (struct row){ROW_MORE, parent};
    memcpy(out + n, last, (size_t)lasts * sizeof *last);
    return n + lasts;
}

static int kept_kids_of_many(const struct outline *o, uint32_t parent, struct row out[FAN_ROWS])
{
    struct wide *k = o->wide;
    if (k == NULL)
        return kids_of_many(o, parent, out);
    if (k->parent != parent) {
        k->n = kids_of_many(o, parent, k->row);
        k->parent = parent;
    }
    memcpy(out, k->row, (size_t)k->n * sizeof *out);
    return k->n;
}

static bool folded(const struct outline *o, uint32_t node)
{
    for (int i = 0; i < o->folds; i++)
        if (o->folded[i] == node)
            return true;
    return false;
}

/* The child of a node on the way to the chosen one; 0: the node is not above it. */
static uint32_t child_on_way(const struct outline *o, uint32_t parent)
{
    const struct world *w = o->m->sc.w;
    uint32_t n = o->chosen;
    while (n != 0 && w->node[n].parent != parent)
        n = w->node[n].parent;
    return n;
}

/* Of a node above the chosen one, the child that leads there; the others are counted. */
static int kids_on_way(const struct outline *o, uint32_t parent, uint32_t child, struct row out[FAN_ROWS])
{
    int n = 0;
    out[n++] = (struct row){ROW_NODE, child};
    if (o->m->sc.w->node[parent].child_count > 1)
        out[n++] = (struct row){ROW_MORE, parent};
    if (gone_parent(o->m) == parent)
        out[n++] = (struct row){ROW_GONE, o->m->gone};
    return n;
}

int rows_kids(const struct outline *o, uint32_t parent, struct row out[FAN_ROWS])
{
    bool many = o->m->sc.w->node[parent].child_count > FAN_ALL;
    if (folded(o, parent))
        return 0;
    uint32_t way = o->only ? child_on_way(o, parent) : 0;
    if (way != 0)
        return kids_on_way(o, parent, way, out);
    int n = many ? kept_kids_of_many(o, parent, out) : first_kids(o, parent, out, FAN_ALL);
    if (gone_parent(o->m) == parent)
        out[n++] = (struct row){ROW_GONE, o->m->gone};
    return n;
}

uint32_t rows_hidden(const struct outline *o, uint32_t parent)
{
    struct row kid[FAN_ROWS];
    uint32_t shown = 0;
    int n = rows_kids(o, parent, kid);
    for (int i = 0; i < n; i++)
        shown += kid[i].kind == ROW_NODE;
    return o->m->sc.w->node[parent].child_count - shown;
}

int rows_hidden_hits(const struct outline *o, uint32_t parent)
{
    const struct world *w = o->m->sc.w;
    struct row kid[FAN_ROWS];
    uint64_t all = 0, shown = 0;
    int n = rows_kids(o, parent, kid);
    for (uint32_t c = w->node[parent].first_child; c != 0; c = w->node[c].next)
        all += w->node[c].hit_count;
    for (int i = 0; i < n; i++)
        shown += kid[i].kind == ROW_NODE ? w->node[kid[i].node].hit_count : 0;
    return all == 0 ? -1 : (int)(((all - shown) * 200 + all) / (2 * all));
}

uint32_t rows_parent(const struct outline *o, struct row at)
{
    if (at.kind == ROW_MORE)
        return at.node;
    return at.kind == ROW_GONE ? gone_parent(o->m) : o->m->sc.w->node[at.node].parent;
}

bool rows_last(const struct outline *o, struct row at)
{
    struct row kid[FAN_ROWS];
    if (at.kind == ROW_GONE || (at.kind == ROW_NODE && at.node == ROOT))
        return true;
    uint32_t parent = rows_parent(o, at);
    if (o->order == ORDER_INSERTED && !o->only) /* the common case without a walk */
        return at.kind == ROW_NODE && o->m->sc.w->node[at.node].next == 0 && gone_parent(o->m) != parent;
    int n = rows_kids(o, parent, kid);
    return n > 0 && kid[n - 1].kind == at.kind && kid[n - 1].node == at.node;
}

/* ---- walking ---------------------------------------------------------------------------------------- */

static int row_index(const struct row *row, int n, struct row at)
{
    for (int i = 0; i < n; i++)
        if (row[i].kind == at.kind && row[i].node == at.node)
            return i;
    return -1; /* a child behind ROW_MORE */
}

struct row rows_next(const struct outline *o, struct row at)
{
    struct row kid[FAN_ROWS];
    if (at.kind == ROW_NODE && rows_kids(o, at.node, kid) > 0)
        return kid[0];
    for (uint32_t parent = rows_parent(o, at); parent != 0; parent = rows_parent(o, at)) {
        int n = rows_kids(o, parent, kid), i = row_index(kid, n, at);
        if (i >= 0 && i + 1 < n)
            return kid[i + 1];
        at = (struct row){ROW_NODE, parent};
    }
    return (struct row){0};
}

static struct row deepest(const struct outline *o, struct row at)
{
    struct row kid[FAN_ROWS];
    for (int n; at.kind == ROW_NODE && (n = rows_kids(o, at.node, kid)) > 0;)
        at = kid[n - 1];
    return at;
}

struct row rows_prev(const struct outline *o, struct row at)
{
    struct row kid[FAN_ROWS];
    uint32_t parent = rows_parent(o, at);
    if (parent == 0)
        return (struct row){0};
    int i = row_index(kid, rows_kids(o, parent, kid), at);
    return i > 0 ? deepest(o, kid[i - 1]) : (struct row){ROW_NODE, parent};
}

static struct row walk_back(const struct outline *o, struct row at, int rows)
{
    for (struct row up; rows > 0 && (up = rows_prev(o, at)).kind != ROW_NONE; rows--)
        at = up;
    return at;
}

/* How many rows stand above `at`; LOOK_BACK when there are more. */
static int rows_above(const struct outline *o, struct row at)
{
    int n = 0;
    while (n < LOOK_BACK && (at = rows_prev(o, at)).kind != ROW_NONE)
        n++;
    return n;
}

static int fill(const struct outline *o, struct row at, int h, struct row *out)
{
    int n = 0;
    for (; n < h && at.kind != ROW_NONE; at = rows_next(o, at))
        out[n++] = at;
    return n;
}

int rows_window(const struct outline *o, int h, struct row *out)
{
    struct row at = {ROW_NODE, o->chosen};
    if (h <= 0)
        return 0;
    int n = fill(o, (struct row){ROW_NODE, ROOT}, h, out);
    if (row_index(out, n, at) >= 0)
        return n;
    int above = rows_above(o, at), page = h / 2 > 0 ? h / 2 : 1;
    int back = above == LOOK_BACK ? h / 3 : above % page + page / 2;
    struct row top = walk_back(o, at, back < h ? back : h - 1);
    n = fill(o, top, h, out);
    return n == h ? n : fill(o, walk_back(o, top, h - n), h, out);
}

double rows_place(const struct outline *o, struct row at)
{
    struct row kid[FAN_ROWS];
    double part = 0;
    for (uint32_t parent = rows_parent(o, at); parent != 0; parent = rows_parent(o, at)) {
        int n = rows_kids(o, parent, kid), i = row_index(kid, n, at);
        part = ((double)(i < 0 ? 0 : i) + 1 + part) / ((double)n + 1); /* the node itself comes first */
        at = (struct row){ROW_NODE, parent};
    }
    return part;
}
