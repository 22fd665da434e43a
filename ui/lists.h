/* lists.h: fills the lists that can be opened over the stepper, from the tape alone.
 *
 * They may move the cursor to look at other steps; afterwards it stands where it stood.
 */
#ifndef RADIXSCOPE_UI_LISTS_H
#define RADIXSCOPE_UI_LISTS_H

#include "ui/list.h"
#include "ui/moment.h"

/* Why not more of the current request came from the cache, and what led to this step. */
void lists_why(struct list *l, const struct moment *m, struct cursor *c);

/* The steps around this one, `rows` of them; returns the line of this one. */
int lists_log(struct list *l, const struct moment *m, struct cursor *c, int rows);

/* Every invariant with the numbers of this moment. */
void lists_invariants(struct list *l, const struct moment *m);

/* Every request that has arrived by this moment, what it took from the cache and why not more; sums. */
void lists_requests(struct list *l, const struct moment *m, struct cursor *c);

/* The waiting queue in its order with reasons, the running batch, what it all comes to (ui/view_queue.c). */
void lists_queue(struct list *l, const struct moment *m);

#endif
