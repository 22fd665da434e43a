#include "trace/stack_distance.h"

#include "base/xalloc.h"

/* Which moments are the last use of some block: a Fenwick tree, so that those behind a moment are counted in O(log). */
struct uses {
    uint32_t *sum;             /* (moments + 1) */
    uint32_t *last;            /* (nodes + 1) moment of the last use, from 1 on; 0: none */
    uint32_t moments, now, blocks;
};

static void add(struct uses *u, uint32_t moment, uint32_t d)
{
    for (uint32_t i = moment; i <= u->moments; i += i & (0 - i))
        u->sum[i] += d;
}

/* How many blocks were last used at this moment or later. */
static uint32_t since(const struct uses *u, uint32_t moment)
{
    uint32_t before = 0;
    for (uint32_t i = moment - 1; i > 0; i -= i & (0 - i))
        before += u->sum[i];
    return u->blocks - before;
}

static void touch(struct uses *u, uint32_t node)
{
    if (u->last[node] != 0)
        add(u, u->last[node], UINT32_MAX);
    else
        u->blocks++;
    u->last[node] = ++u->now;
    add(u, u->now, 1);
}

uint32_t *stack_distances(const struct future *f)
{
    struct uses u = {.moments = f->total};
    uint32_t *at = xcalloc((size_t)f->nodes + 1, sizeof *at);
    u.sum = xcalloc((size_t)f->total + 1, sizeof *u.sum);
    u.last = xcalloc((size_t)f->nodes + 1, sizeof *u.last);
    bool ok = at != NULL && u.sum != NULL && u.last != NULL;
    for (uint32_t r = 0; ok && r < f->requests; r++) {
        const uint32_t *page = f->page + f->request[r].path;
        for (uint32_t i = 0; i < f->request[r].pages; i++)
            at[u.last[page[i]] != 0 ? since(&u, u.last[page[i]]) : 0]++;
        for (uint32_t i = f->request[r].pages; i-- > 0;)
            touch(&u, page[i]);
    }
    xfree(u.sum);
    xfree(u.last);
    if (ok)
        return at;
    xfree(at);
    return NULL;
}
