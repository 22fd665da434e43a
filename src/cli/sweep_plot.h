/* sweep_plot.h: the figures of a sweep for people: as a table, or drawn, with a cursor on the points.
 *
 *      hit rate of blocks        L lru  F lfu  …  (* several)
 *       64% |                                   *
 *           |                      F      *
 *           |               *      L
 *        0% | *    *
 *           +--------------------------------------
 *             1000 2000     20000  50000        unlimited
 *
 * Capacities stand on a logarithmic scale, unlimited at its end. Left and Right choose the capacity, Up and Down
 * the policy, Enter opens the stepper there.
 */
#ifndef RADIXSCOPE_CLI_SWEEP_PLOT_H
#define RADIXSCOPE_CLI_SWEEP_PLOT_H

#include "cli/cli.h"
#include "trace/sweep.h"

struct surface;

/* One line a capacity, one column a policy. */
void sweep_table(const struct sweep *s, const char *path, struct buf *out);

bool sweep_plot_possible(void);
/* Draw and serve keys until the person leaves; returns the exit code or -1. */
int sweep_plot_show(struct cli *c, const struct sweep *s, const char *path, struct err *e);

/* The parts, for tests. The point at `column` (its capacity's place among the sorted ones) and `row` (policy). */
struct sweep_plot {
    const struct sweep *s;
    const char *title;
    uint32_t capacities, policies;   /* points = capacities * policies */
    uint32_t order[SWEEP_POINTS];    /* capacities by size, unlimited last */
    uint32_t column, row;
    char message[160];
};
void sweep_plot_init(struct sweep_plot *p, const struct sweep *s, const char *title);
const struct sweep_point *sweep_plot_at(const struct sweep_plot *p);
bool sweep_plot_key(struct sweep_plot *p, int key);  /* false: not one of ours */
void sweep_plot_draw(const struct sweep_plot *p, struct surface *out);

#endif
