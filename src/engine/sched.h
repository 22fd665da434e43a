/* sched.h: continuous batching (SGLang: managers/scheduler.py, sglang §4, §6, §7).
 *
 *      planned ── its time comes ──> waiting ── admission ──> running ── last token ──> answered
 *                                      ^  (sched_order.h,       │
 *                                      │   sched_admit.h)       │
 *                                      └── retracted, preempted ┘
 *
 * One turn of the loop (get_next_batch_to_run and run_batch):
 *   B1  whose time has come enters the waiting queue; who is to be aborted by now is
 *   B2  nobody waits or runs: the clock leaps to the next arrival, new_token_ratio begins anew
 *   B3  unless the batch is full: order the queue, admit (the chunked request first): a prefill pass computes what was
 *       admitted, all in one forward pass; a request whose prompt is complete joins the batch with its first token
 *   B4  else decode: one slot for every running request, one forward pass for all of them. Too few slots even after
 *       eviction: requests are retracted, fewest outputs first, then longest prompt; the last one is never retracted,
 *       but cut off if even it cannot go on
 *   B5  the clock goes on by what the pass costs (cost.h)
 *
 * new_token_ratio: how much of what running requests may still generate admission keeps free. Begins at 0.7, falls to
 * 0.098 over 600 decode passes without retraction; after one it is (outputs so far + 20 each) / (all they may generate).
 *
 * Where this differs from upstream: a request that does not fit into an empty pool is refused (upstream limits
 * lengths at its door); a chunk that finds no slots waits for the next turn (upstream stops the server); preemption is
 * tried when the batch is full and when slots are short. The queue, the batch and the clock are words of the world.
 * What a request needs besides (sampler, given answer) is the engine's, by request, and is forgotten when the history
 * is rewound to a moment at which nobody is planned, waits or runs.
 *
 * In exact mode a request's tokens are those of the request alone, in any schedule (forward.h).
 */
#ifndef RADIXSCOPE_ENGINE_SCHED_H
#define RADIXSCOPE_ENGINE_SCHED_H

#include "engine/cost.h"
#include "engine/engine.h"
#include "engine/sched_order.h"

struct sched; /* opaque */

struct sched_config {
    enum sched_policy policy;
    bool priorities, low_first, preempt; /* priorities: fcfs and lof only */
    uint32_t max_running;      /* 0: 64 */
    uint32_t max_prefill;      /* tokens of a prefill pass; 0: 16,384 */
    uint32_t chunk;            /* chunked_prefill_size, a multiple of the page size; 0: whole prompts */
    uint32_t slo_first, slo_gap; /* microseconds: goodput counts requests within both; 0: 500 ms and 50 ms */
    struct cost_model cost;
};

/* What a scheduled request has besides its spec. */
struct sched_extra {
    uint64_t at;               /* when it arrives, microseconds; not before now */
    const char *routing_key;   /* NULL: none */
    const uint32_t *given;     /* (n_given) its answer, where no model runs; NULL: the model answers */
    uint32_t n_given;
};

/* Schedule requests from here on: before the first of them. */
int sched_begin(struct engine *en, const struct sched_config *cfg, struct err *e);
bool sched_on(const struct engine *en);

/* A request that will arrive. *req: its index in the world. */
int sched_enqueue(struct engine *en, const struct request_spec *spec, const struct sched_extra *extra, uint32_t *req,
                  struct err *e);
/* Abort it at that time, or now if that is past. Nothing happens to one that has ended by then. */
int sched_abort(struct engine *en, uint32_t req, uint64_t at, struct err *e);

/* Turns of the loop until nobody is planned, waits or runs, or until `passes` forward passes have run (0: no limit).
 * 0, 1 when cancelled (who was under way is aborted), or -1 and *e. */
int sched_serve(struct engine *en, uint32_t passes, struct err *e);

/* The engine's own. */
void sched_free(struct sched *s);
void sched_moved(struct engine *en); /* the world is at another moment, at which nobody is under way */

#endif
