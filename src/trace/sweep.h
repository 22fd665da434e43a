/* sweep.h: exact replays of one trace at many capacities and policies (replay.h says the rule).
 *
 *      trace ── mooncake_next ──> batch of requests ──> thread 1: points 0, 2, …
 *                                       │          └──> thread 2: points 1, 3, …     each point a tree of its own
 *                                       └── the next batch, when all points have played this one
 *
 * A trace that fits one batch is played point by point, and a point's tree goes when it is done. A longer one
 * keeps all the trees, never more of the trace than a batch: memory grows with the live trees.
 *
 * Three lists of figures look ahead, so the whole trace is one batch when one of them is asked for (future.h):
 *
 *      belady      exact replays of the tree, which evicts the leaf that is read again last (belady.h)
 *      bound       no cache: the most blocks that any of this size could hit
 *      block-lru   no tree: single blocks, all capacities in one pass (stack_distance.h); it gives other figures
 *
 * Points are taken one by one from a common counter; what a point's figures are depends on nothing else.
 */
#ifndef RADIXSCOPE_TRACE_SWEEP_H
#define RADIXSCOPE_TRACE_SWEEP_H

#include <stdatomic.h>

#include "base/buf.h"
#include "trace/mooncake.h"
#include "trace/replay.h"

enum { SWEEP_BATCH = 1 << 20, SWEEP_POINTS = 4096, SWEEP_THREADS = 64 };

/* Behind enum policy. */
enum sweep_policy { SWEEP_BELADY = POLICY_COUNT, SWEEP_BOUND, SWEEP_BLOCK_LRU, SWEEP_POLICIES };

struct sweep_point {
    uint32_t capacity;               /* REPLAY_UNLIMITED */
    uint32_t policy;                 /* enum policy, enum sweep_policy */
    struct replay_figures f;
};

struct sweep_progress {
    uint64_t bytes, size;            /* of the file; size 0: unknown */
    uint64_t requests;
    uint32_t points_done, points;    /* of the batch at hand */
};

struct sweep {
    struct sweep_point *point;       /* (points) owned */
    uint32_t points;
    uint32_t threads;                /* 0: one a core */
    uint32_t batch;                  /* ids of a batch; 0: SWEEP_BATCH */
    uint32_t block;                  /* tokens of a block: asked for (0: the trace's own), then as it is */
    enum mooncake_kind kind;         /* of the trace */
    atomic_bool *cancel;             /* NULL: nobody cancels */
    void (*progress)(void *ctx, const struct sweep_progress *p); /* NULL; called in the caller's thread */
    void *ctx;
};

enum sweep_result { SWEEP_DONE = 0, SWEEP_FAILED = -1, SWEEP_CANCELLED = 1 };

/* The points of "1000,5000,unlimited" and "lru,lfu" into s: capacities outer, policies inner, in the order given.
 * NULL policies: all of SGLang's. Those of enum sweep_policy stand there only when they are named. -1 and *e (a usage error). */
int sweep_points(struct sweep *s, const char *capacities, const char *policies, struct err *e);
void sweep_done(struct sweep *s);
const char *sweep_policy_name(uint32_t policy);
const char *sweep_policy_about(uint32_t policy); /* of enum sweep_policy: one line */
/* Has the point a cache, in which something is evicted? bound and block-lru have none. */
static inline bool sweep_has_cache(const struct sweep_point *p)
{
    return p->policy <= SWEEP_BELADY;
}

/* Play the trace that `l` gives on every point, from empty caches. */
enum sweep_result sweep_run(struct sweep *s, struct lines *l, struct err *e);

/* {"policy": …} in one line, with a newline; the same as CSV, and its head. */
void sweep_json(const struct sweep_point *p, struct buf *out);
void sweep_csv_head(struct buf *out);
void sweep_csv(const struct sweep_point *p, struct buf *out);
void sweep_capacity(uint32_t capacity, struct buf *out);   /* "20000", "unlimited" */

#endif
