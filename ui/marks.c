#include "ui/marks.h"

#include <string.h>

#include "base/xalloc.h"

void marks_done(struct marks *k)
{
    xfree(k->mark);
    *k = (struct marks){0};
}

static enum mark mark_of(const struct step *s)
{
    switch (s->kind) {
    case EV_REQUEST:
    case EV_PLAN: return MARK_REQUEST;
    case EV_ADMIT: return s->arg[1] > 0 ? MARK_HIT : MARK_MISS;
    case EV_MATCHED: /* of a request: its admission tells; a second look-up is no hit */
        return s->arg[3] != 0 ? MARK_NONE : s->arg[1] > 0 ? MARK_HIT : MARK_MISS;
    case EV_SPLIT: return MARK_SPLIT;
    case EV_VICTIM:
    case EV_CLOSED_NODE: return MARK_EVICT;
    default: return MARK_NONE;
    }
}

bool marks_read(struct marks *k, const struct tape *t, int branch, uint32_t budget)
{
    if (branch != k->branch) {
        k->n = k->requests = 0;
        k->columns = 0; /* the picture is of another branch */
    }
    k->branch = branch;
    uint32_t length = tape_length(t, branch);
    void *mark = k->mark;
    bool room = xgrow(&mark, &k->cap, (size_t)length + 1, 1);
    k->mark = mark;
    if (!room)
        return true; /* a timeline without marks is better than none */
    for (; k->n < length && budget > 0; budget--) {
        struct step s;
        tape_step(t, branch, ++k->n, &s);
        k->mark[k->n] = (uint8_t)mark_of(&s);
        k->requests += k->mark[k->n] == MARK_REQUEST;
    }
    return k->n == length;
}

int marks_column(const struct marks *k, int columns, uint32_t n)
{
    if (k->n == 0 || columns < 2)
        return 0;
    n = n < k->n ? n : k->n;
    return (int)((uint64_t)n * (uint64_t)(columns - 1) / k->n);
}

uint32_t marks_step(const struct marks *k, int columns, int column)
{
    if (columns < 2 || column <= 0)
        return 0;
    uint64_t wide = (uint64_t)(columns - 1);
    uint64_t step = ((uint64_t)column * k->n + wide - 1) / wide;
    return step < k->n ? (uint32_t)step : k->n;
}

/* A mark whose column has another one already moves one column on, if that is free: a split and the hit
 * that follows it are both seen. Else the weightier one stays. */
static void put_mark(struct marks *k, int columns, int at, uint8_t mark)
{
    uint8_t *here = &k->column[at];
    bool move = *here != MARK_NONE && *here != mark && at + 1 < columns && here[1] == MARK_NONE;
    if (move)
        here[1] = mark;
    else if (mark > *here) /* MARK_NONE is the lightest */
        *here = mark;
}

const uint8_t *marks_line(struct marks *k, int columns)
{
    columns = columns < MARK_COLUMNS ? columns : MARK_COLUMNS;
    if (k->columns == columns && k->column_n == k->n)
        return k->column;
    memset(k->column, 0, sizeof k->column);
    for (uint32_t n = 1; n <= k->n; n++)
        if (k->mark[n] != MARK_NONE)
            put_mark(k, columns, marks_column(k, columns, n), k->mark[n]);
    k->columns = columns;
    k->column_n = k->n;
    return k->column;
}

char mark_letter(enum mark mark)
{
    static const char LETTER[MARK_COUNT] = {' ', '|', 'h', 'm', 's', 'e'};
    return LETTER[mark];
}

const char *mark_name(enum mark mark)
{
    static const char *const NAME[MARK_COUNT] = {"", "request", "hit", "miss", "split", "evict"};
    return NAME[mark];
}
