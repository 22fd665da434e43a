/* rows.h: the tree as an outline of rows, walked locally, so that a frame costs the rows on the screen and
 * not the nodes of the tree.
 *
 *      root                      a node with many children shows the first ones, those that matter now
 *      ├─ A                      (on the path, changed, chosen), a row that counts the rest, and the
 *      │  ├─ B                   last ones
 *      │  ├─ .. 7,368 more       ROW_MORE
 *      │  └─ Z
 *      └─ x C                    ROW_GONE: a node that this step removed, drawn once more
 */
#ifndef RADIXSCOPE_UI_ROWS_H
#define RADIXSCOPE_UI_ROWS_H

#include "ui/moment.h"

enum row_kind { ROW_NONE, ROW_NODE, ROW_MORE, ROW_GONE };

struct row {
    enum row_kind kind;
    uint32_t node;   /* of ROW_MORE: the parent */
};

enum {
    FAN_ALL = 24,    /* up to so many children are all shown */
    FAN_FIRST = 8, FAN_LAST = 3, FAN_MARKED = 12,
    FAN_ROWS = FAN_ALL + 2,
};

enum order { ORDER_INSERTED, ORDER_RECENT, ORDER_HITS, ORDER_LENGTH, ORDER_COUNT }; /* of siblings */

/* The rows of the wide node that was asked for last: finding the best of 100,000 children takes a walk. */
struct wide {
    uint32_t parent;           /* 0: none yet */
    int n;
    struct row row[FAN_ROWS];
};

/* A way to look at the tree of a moment. */
struct outline {
    const struct moment *m;
    uint32_t chosen;           /* a node that is shown in any case; not 0 */
    enum order order;
    const uint32_t *folded;    /* (folds) nodes whose children are not shown */
    int folds;
    bool only;                 /* only the way to the chosen node, and what is below it */
    struct wide *wide;         /* the caller's, zeroed, for this moment and order; NULL: nothing is kept */
};

/* The rows below a node, in order; at most FAN_ROWS. */
int rows_kids(const struct outline *o, uint32_t parent, struct row out[FAN_ROWS]);

struct row rows_next(const struct outline *o, struct row at);
struct row rows_prev(const struct outline *o, struct row at);
uint32_t rows_parent(const struct outline *o, struct row at);  /* 0 for the root */
bool rows_last(const struct outline *o, struct row at);        /* is it the last of its parent's rows? */
uint32_t rows_hidden(const struct outline *o, uint32_t parent); /* behind ROW_MORE */
/* Of the hits of all children of a node, those behind ROW_MORE, in percent; -1: no child was ever hit. A walk
 * over the children. */
int rows_hidden_hits(const struct outline *o, uint32_t parent);
/* Where a row stands in the whole outline, as a part of 1: the children of a node share what it has. The root is
 * 0; costs the depth. */
double rows_place(const struct outline *o, struct row at);

/* The rows to show in a window of h: fills out[h], returns how many. The row of the chosen node is among
 * them. All rows when they fit; else windows that move by half pages, so that small steps move nothing. */
int rows_window(const struct outline *o, int h, struct row *out);

#endif
