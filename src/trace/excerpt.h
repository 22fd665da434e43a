/* excerpt.h: a few requests of a trace as a script (.rxs): one `insert` of hash ids each, to be read, changed and
 * stepped through by eye. What came before them in the trace is not in it: it begins with an empty cache.
 *
 * Evictions in a script follow the engine's rule (the full amount), not sweep's; the script says so.
 */
#ifndef RADIXSCOPE_TRACE_EXCERPT_H
#define RADIXSCOPE_TRACE_EXCERPT_H

#include "base/buf.h"
#include "trace/mooncake.h"

enum { EXCERPT_MOST = 60 };         /* requests: more cannot be taken in by eye */

struct excerpt {
    uint64_t first, last;    /* requests of the trace, from 1; 0 0: all of it, if that is not too much */
    uint32_t pool;           /* slots; 0: enough for every block */
    const char *more;        /* lines of settings for the script's head, such as "policy lfu\n" */
};

struct excerpt_summary {
    uint32_t requests, blocks, distinct, block; /* block: tokens of one */
};

/* Append the script to `out`. -1 and *e. */
int excerpt_write(struct lines *l, uint32_t block, const struct excerpt *x, struct buf *out, struct excerpt_summary *sum,
                  struct err *e);

#endif
